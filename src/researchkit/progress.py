"""How far long work is, where a person waits for it: in a terminal or a notebook, never in a log or a page.

with steps("simulated studies", total) as done:
    for one in many:
        ...
        done()
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

DELAY = 1.0  # seconds before anything is shown
_OPEN: list[str] = []  # what is shown by somebody further out: one bar at a time


@contextmanager
def steps(what: str, total: int) -> Iterator[Callable[..., object]]:
    """A bar for `total` steps; what it gives is called after each, or after several with their number.

    Nothing is shown where nobody waits, within the first second, or inside other work that shows a bar. Whatever ends
    the work, an interruption too, takes the bar away.
    """
    where = None if _OPEN else waits()
    if where is None:
        yield lambda many=1: None
        return
    from tqdm import tqdm

    _OPEN.append(what)
    try:
        with tqdm(total=total, desc=what, delay=DELAY, leave=False, file=where, dynamic_ncols=True) as bar:
            yield lambda many=1: bar.update(many)
    finally:
        _OPEN.remove(what)


def waits() -> TextIO | None:
    """Where somebody who waits can see a bar; None where nobody does."""
    if kernel() is not None:
        return sys.stdout if in_a_notebook() else None
    return sys.stderr if sys.stderr and sys.stderr.isatty() else None


def in_a_notebook() -> bool:
    """Whether the cell that runs was sent by a frontend with a person at it.

    A frontend says with each cell whether it could pass on a question to a person (`allow_stdin` in its message):
    JupyterLab and consoles do; Papermill, nbconvert and test runners do not.
    """
    own = kernel()
    return own is not None and bool(own.get_parent("shell").get("content", {}).get("allow_stdin"))


def kernel() -> Any:
    """The Jupyter kernel that this process is, or None."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None)
