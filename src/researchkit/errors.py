"""Errors that the author of a study can act on.

Every expected failure of researchkit is a `ResearchkitError`; the command prints its message and stops
with a non-zero status. Anything else is a fault of ours and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class ResearchkitError(Exception):
    """An expected failure, told in words that say what, where, how many and what to do."""


class StudyError(ResearchkitError):
    """The study file says something that cannot be meant."""


class DataError(ResearchkitError):
    """The data disagree with the study file."""


class EstimationError(ResearchkitError):
    """The question cannot be answered honestly from these data."""


class ParameterError(ResearchkitError):
    """A notebook parameter is unknown, unused or of the wrong type."""


class ReportError(ResearchkitError):
    """A report was asked for and is not good."""


class PlaceError(ResearchkitError):
    """What was made cannot be written down: the disk is full, or the folder must not be changed."""


class SourceError(ResearchkitError):
    """A published dataset could not be fetched, or is not the one it should be."""


class DisclosureError(ResearchkitError):
    """Showing this would single out people."""


def listing(subject: str, problems: Sequence[str]) -> str:
    """One message for all problems of one thing, numbered when there are several."""
    if len(problems) == 1:
        return f"{subject}: {problems[0]}"
    lines = [f"  {number}. {problem}" for number, problem in enumerate(problems, 1)]
    return "\n".join([f"{subject} has {len(problems)} problems:", *lines])


def some(items: Iterable[object], most: int = 5) -> str:
    """A list for a sentence: the first few, then how many more there are."""
    words = [str(item) for item in items]
    shown, rest = words[:most], len(words) - most
    if rest > 0:
        return f"{', '.join(shown)} and {rest} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
