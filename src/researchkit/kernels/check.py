"""Whether a notebook says the same from a forked kernel as from an ordinary one."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from researchkit.errors import ReportError
from researchkit.kernels.owner import warm
from researchkit.kernels.place import SWITCH


@dataclass(frozen=True)
class Difference:
    """One part of one output that is not the same: its place, and the digest of what stands there; "" for nothing."""

    cell: int
    part: str
    ordinary: str
    forked: str

    def __str__(self) -> str:
        ordinary, forked = self.ordinary or "nothing", self.forked or "nothing"
        return f"Code cell {self.cell}, {self.part}: {ordinary} from an ordinary kernel, {forked} from a forked one"


def differences(run: Callable[[Path], object]) -> list[Difference]:
    """Run a notebook from an ordinary and from a forked kernel and compare every output, byte by byte.

    What differs between two ordinary runs as well, such as the time of day, is the notebook's own doing and not told.

    Parameters
    ----------
    run
        Executes the notebook and writes it, with its outputs, to the path given.

    Raises
    ------
    ReportError
        If no kernel is forked here, or a run left no notebook: there is nothing to compare.
    """
    with warm() as ready, tempfile.TemporaryDirectory() as folder:
        if ready.why:
            raise ReportError(f"There is nothing to compare. {ready.why}")
        ordinary = by_switch("0", run, Path(folder) / "ordinary.ipynb")
        forked = by_switch("1", run, Path(folder) / "forked.ipynb")
        if not (found := apart(ordinary, forked)):
            return []
        again = by_switch("0", run, Path(folder) / "again.ipynb")
    moving = apart(ordinary, again)
    return [Difference(*place, ordinary.get(place, ""), forked.get(place, "")) for place in sorted(found - moving)]


def by_switch(switch: str, run: Callable[[Path], object], target: Path) -> dict[tuple[int, str], str]:
    """The outputs of a run with kernels of one kind."""
    before = os.environ.get(SWITCH)
    os.environ[SWITCH] = switch
    try:
        run(target)
    finally:
        os.environ.pop(SWITCH)
        if before is not None:
            os.environ[SWITCH] = before
    if not target.exists():
        raise ReportError(f"The run left no notebook {target.name}, so there is nothing to compare.")
    return outputs(json.loads(target.read_text(encoding="utf-8")))


def apart(one: dict[tuple[int, str], str], other: dict[tuple[int, str], str]) -> set[tuple[int, str]]:
    return {place for place in one.keys() | other.keys() if one.get(place) != other.get(place)}


def outputs(notebook: dict[str, Any]) -> dict[tuple[int, str], str]:
    """Code cell and part of its output -> digest of what stands there."""
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    return {
        (number, place): sha256(text.encode()).hexdigest()[:16]
        for number, cell in enumerate(cells, 1)
        for place, text in leaves(cell["outputs"], "output")
    }


def leaves(value: Any, place: str) -> Iterator[tuple[str, str]]:
    """Every value that holds no other, with the way to it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{place} {name}")
    elif isinstance(value, list) and not all(isinstance(line, str) for line in value):
        for number, inner in enumerate(value, 1):
            yield from leaves(inner, f"{place} {number}")
    else:
        yield place, json.dumps(value)
