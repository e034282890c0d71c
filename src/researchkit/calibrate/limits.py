"""Where the promise ends: what an answer itself says there, and why nothing better is done."""

from __future__ import annotations

from collections.abc import Iterable

from researchkit.verdict import ROUGH, WIDE

WHERE = (
    "fewer than 25 events, or fewer than 10 on one side of a 0/1 exposure",
    "scores whose residuals have a skewness above 3",
    "so few clusters on one side that the comparison is worth fewer than 2.5",
)
LIMITS = dict(zip((*ROUGH, WIDE), WHERE, strict=True))  # how the note begins that an answer carries there -> where


def warning(notes: Iterable[str]) -> str:
    """The limit that an answer's notes name first; "" if none."""
    return next((limit for note in notes for limit in LIMITS if note.startswith(limit)), "")
