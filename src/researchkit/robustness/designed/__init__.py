"""Attacks that only one design knows, one file a design, under the name of its `room`.

Each has `attacks(dataset, question, effect, sample)`, which gives its checks; the facts of a check hold `words`, what
came out in words.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from researchkit.robustness.check import Check

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question

# Designs with attacks of their own.
ROOMS: tuple[str, ...] = (
    "contagion",
    "detection",
    "dose",
    "halves",
    "limit",
    "mechanism",
    "mix",
    "recovery",
    "rollout",
    "series",
    "subgroup",
    "tradeoff",
    "within",
)


def designed(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> tuple[Check, ...]:
    """The attacks of a question's own design; none for a plain contrast."""
    if question.special is None or question.special.room not in ROOMS:
        return ()
    found: tuple[Check, ...] = import_module(f"{__name__}.{question.special.room}").attacks(
        dataset, question, effect, sample
    )
    return found
