"""Effects: how much an outcome differs per unit of an exposure, one file a kind of outcome.

effect = estimate(dataset, question)  # adjusted as the question says
crude = estimate(dataset, question, adjust=[])  # not adjusted
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from researchkit.errors import EstimationError
from researchkit.estimators import refuse
from researchkit.estimators.effect import Effect, Model, Term

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.parts import Question

__all__ = ["Effect", "Model", "Term", "estimate", "estimate_sample"]

_ELSEWHERE = {"change": "score"}  # every other kind lives in the file of its own name


def estimate(
    dataset: Dataset,
    question: Question,
    *,
    adjust: Sequence[str] | None = None,
    level: float = 0.95,
    model: str | None = None,
) -> Effect:
    """The effect a question asks for, from the complete rows of a dataset.

    Parameters
    ----------
    adjust
        Columns to adjust for in place of the question's own; an empty list gives the crude effect.
    level
        Coverage of the interval, strictly between 0 and 1.
    model
        Another model than the kind's own, as `Alternative.model` names them; see `estimate_sample`.

    Raises
    ------
    EstimationError
        If these data cannot answer the question honestly; the message says why, how many, and what to do.
    """
    refuse.level(level)
    return estimate_sample(dataset.sample(question, adjust=adjust), question, level, model)


def estimate_sample(sample: Sample, question: Question, level: float = 0.95, model: str | None = None) -> Effect:
    """The effect from the arrays of a sample; `question` says the kind of outcome and its options.

    Raises
    ------
    EstimationError
        As `estimate`; and for a model that there is not, or that does not go with the kind of outcome.
    """
    refuse.level(level)
    if model is not None:
        raise EstimationError(f"The model {model!r} is not there yet.")
    kind = question.outcome.kind
    family = getattr(import_module(f"{__name__}.{_ELSEWHERE.get(kind, kind)}"), kind)
    effect: Effect = family(sample, question, level)
    return effect
