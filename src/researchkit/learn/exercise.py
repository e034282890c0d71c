"""What a lesson is made of: exercises with a right answer that is computed, and the mistakes that people make."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from researchkit.figures import Figure

WITHIN = 0.02  # of the right number: who rounds to two digits is right


class Unreadable(Exception):
    """An answer of another kind than the one that is asked for; the message says which, in words for a student."""


@dataclass(frozen=True)
class Mistake:
    """A way to go wrong that many take.

    Parameters
    ----------
    value
        Gives what one arrives at that way, computed from the same data as the right answer.
    hint
        What to say to somebody who did: what was done, and where to look. Never the right answer.
    made
        Whether an answer is this mistake, where that is more than the answer of `value`; it is given the answer as
        `read` reads it.
    """

    value: Callable[[], Any]
    hint: str
    made: Callable[[Any], bool] | None = None


@dataclass(frozen=True)
class Exercise:
    """One thing to find out.

    Parameters
    ----------
    asked
        What is to be found, in one sentence, with its unit.
    right
        Gives the right answer, computed from the data or from what was planted: a number, a bool, a word, a set of
        words, or a tuple of numbers. An answer has to be of the same kind.
    checked, unchecked
        What the check looks at, and what it cannot see.
    hints
        From the gentle to the plain; the last one all but says it.
    mistakes
        In the order in which they are looked for.
    told
        Gives what a right answer shows, a sentence with the numbers computed.
    within
        How far from the right number an answer may be, as a share of it.
    words
        What can be answered, where the answer is a word or some of several.
    reads
        Makes of what is given an answer of the kind of `right`, where that takes more than `read`: a plan to be looked
        through, say. It raises `Unreadable` in words for a student.
    """

    asked: str
    right: Callable[[], Any]
    checked: str
    unchecked: str
    hints: tuple[str, ...]
    mistakes: tuple[Mistake, ...] = ()
    told: Callable[[], str] | None = None
    within: float = WITHIN
    words: tuple[str, ...] = ()
    reads: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Lesson:
    """One lesson: its place, what it is about, and what its notebook asks for by name.

    Parameters
    ----------
    number, title, idea, minutes
        Its place in the row, the question that its notebook has as title, the one idea, and how long it takes.
    exercises
        By name, in the order of the notebook.
    tables
        Gives the tables of the lesson, by file name; called once a process.
    study
        The study file over these tables, where the lesson has one: its text.
    pictures
        By name, what draws them.
    truth
        What is true in the lesson's world, where `planted` does not have it.
    """

    number: int
    title: str
    idea: str
    minutes: int
    exercises: Mapping[str, Exercise]
    tables: Callable[[], dict[str, pd.DataFrame]]
    study: str = ""
    pictures: Mapping[str, Callable[[], Figure]] = field(default_factory=dict)
    truth: Callable[[], float] | None = None


def read(given: Any, like: Any, words: tuple[str, ...] = ()) -> Any:
    """An answer in plain Python, of the kind of `like`.

    Raises
    ------
    Unreadable
        If it is of another kind; the message says what is wanted and what came.
    """
    if isinstance(like, bool):
        return _truth(given)
    if isinstance(like, Real):
        return _number(given)
    if isinstance(like, str):
        return _word(given, words)
    if isinstance(like, set | frozenset):
        return frozenset(_word(one, words) for one in _several(given, "a list of names"))
    wanted = f"{len(like)} numbers, such as ({', '.join('…' for _ in like)})"
    found = tuple(_number(one) for one in _several(given, wanted))
    if len(found) != len(like):
        raise Unreadable(f"{wanted} are asked for; there are {len(found)} here.")
    return found


def alike(one: Any, other: Any, within: float) -> bool:
    """Whether two answers of one kind are the same, numbers to a share of the second."""
    if isinstance(other, tuple):
        spread = max((abs(a - b) for a in other for b in other), default=0.0)
        return all(abs(a - b) <= within * max(abs(b), spread) for a, b in zip(one, other, strict=True))
    if isinstance(other, bool | str | frozenset | set):
        return bool(one == other)
    return bool(abs(one - other) <= within * abs(other) + 1e-9)


def _truth(given: Any) -> bool:
    given = _single(given)
    if str(given).strip().lower() in ("true", "yes", "1"):
        return True
    if str(given).strip().lower() in ("false", "no", "0"):
        return False
    raise Unreadable(f"True or False is asked for; this is {_kind(given)}.")


def _number(given: Any) -> float:
    given = _single(given)
    if hasattr(given, "estimate") and hasattr(given, "low"):
        raise Unreadable("One number is asked for; this is a whole effect. It has .estimate, .low and .high.")
    try:
        value = None if isinstance(given, bool | str | bytes) else float(given)
    except (TypeError, ValueError, OverflowError):
        value = None
    if value is None:
        raise Unreadable(f"A number is asked for; this is {_kind(given)}.")
    if not math.isfinite(value):
        raise Unreadable("A number is asked for; this is not a finite one. Is there a gap in the column?")
    return value


def _word(given: Any, words: tuple[str, ...]) -> str:
    given = _single(given)
    if not isinstance(given, str):
        raise Unreadable(f"A word in quotes is asked for; this is {_kind(given)}.")
    word = " ".join(given.lower().split())
    if words and word not in words:
        raise Unreadable(f"One of these words is asked for: {', '.join(words)}.")
    return word


def _several(given: Any, wanted: str) -> list[Any]:
    if isinstance(given, str) or hasattr(given, "columns"):
        given = [given]
    try:
        return list(given)
    except TypeError:
        raise Unreadable(f"{wanted.capitalize()} are asked for; this is {_kind(given)}.") from None


def _single(given: Any) -> Any:
    """What stands in a column, an array or a list of one."""
    size = getattr(given, "size", None)
    if size is not None and not hasattr(given, "columns") and int(size) == 1 and hasattr(given, "item"):
        return given.item()
    return given


def _kind(given: Any) -> str:
    """What somebody gave, in words."""
    if hasattr(given, "columns"):
        return "a whole table"
    if isinstance(given, str):
        return "text"
    if isinstance(given, bool):
        return "True or False"
    if callable(given):
        return "a function that was not called (are its brackets missing?)"
    if isinstance(given, list | tuple | set | dict) or hasattr(given, "__len__"):
        return f"a collection of {len(given)}"
    return f"a {type(given).__name__}"
