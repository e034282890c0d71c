"""What an error means and what to do: each message is provoked here and now, so it reads as you see it.

import researchkit as rk

rk.trouble.catalogue()  # all of them
rk.trouble.like("is no number")  # those that a message of yours resembles
"""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from researchkit.card import Card
from researchkit.errors import ParameterError, ResearchkitError
from researchkit.report import notebooks_folder
from researchkit.trouble.cases import CASES, Case

WORD, STEM = re.compile(r"[^\W\d_]{3,}"), 6


@dataclass(frozen=True)
class Trouble:
    """One way to go wrong: what you see, why, and what to do. `sort` is the class of the error."""

    what: str
    sort: str
    see: str
    why: str
    do: str

    @property
    def card(self) -> Card:
        return Card(self.what, self.see, (("Why", self.why), ("What to do", self.do)))


@dataclass(frozen=True, repr=False)
class Catalogue:
    """Several of them, one below the other."""

    troubles: tuple[Trouble, ...]

    def __str__(self) -> str:
        return "\n\n".join(str(one.card) for one in self.troubles)

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {"text/html": "".join(one.card.to_html() for one in self.troubles), "text/plain": str(self)}


def catalogue() -> Catalogue:
    """Every trouble that we know of, in the order in which one meets them.

    >>> import researchkit as rk
    >>> rk.trouble.catalogue().troubles[0].sort
    'StudyError'
    """
    return Catalogue(tuple(provoked(case) for case in CASES))


def like(message: str, most: int = 3) -> Catalogue:
    """Those whose words a message resembles, the nearest first.

    Parameters
    ----------
    message
        What you saw, or some words of it.

    Raises
    ------
    ParameterError
        If there is no word in it, or none that any message has.
    """
    asked = words(message)
    every = catalogue().troubles
    weight = {word: 1 / sum(word in words(one.see) for one in every) for one in every for word in words(one.see)}
    near = [(sum(weight[word] for word in asked & words(one.see)), one) for one in every]
    found = [one for score, one in sorted(near, key=lambda pair: -pair[0]) if score > 0]
    if not found:
        raise ParameterError(f"No message that we know of has a word of {message!r}; `researchkit trouble` lists them.")
    return Catalogue(tuple(found[:most]))


def words(text: str) -> set[str]:
    """The words of a message, without their ends: one row, two rows."""
    return {word.lower()[:STEM] for word in WORD.findall(text)}


@cache
def provoked(case: Case) -> Trouble:
    """The trouble of a case, with the message that it meets when it is done to a small study."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "mine"
        folder.mkdir()
        case.write(folder)
        try:
            case.ask(folder)
        except ResearchkitError as error:
            see = str(error).replace(f"{made}{os.sep}", "").replace(f"{notebooks_folder()}{os.sep}", "")
            return Trouble(case.what, type(error).__name__, see, case.why, case.do)
    raise ParameterError(f"{case.what}: nothing goes wrong there any more; the case has to be looked at.")
