"""Effects: how much an outcome differs per unit of an exposure, one file a kind of outcome.

effect = estimate(dataset, question)  # adjusted as the question says
crude = estimate(dataset, question, adjust=[])  # not adjusted
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from researchkit.errors import EstimationError, some
from researchkit.estimators import refuse
from researchkit.estimators.counted import alone
from researchkit.estimators.effect import Effect, Model, Term

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.parts import Question

__all__ = ["Effect", "Model", "Term", "estimate", "estimate_sample"]

_ELSEWHERE = {"change": "score"}  # every other kind lives in the file of its own name
_MEANS = ("score", "change", "yes_no", "counts", "ordered")
_MODELS = {  # the room and the function of each, and the kinds of outcome that it goes with
    "random intercept": ("mixed", "intercepts", ("score", "change")),
    "random slope": ("mixed", "slopes", ("score", "change")),
    "inverse probability": ("weighting", "inverse_probability", _MEANS),
    "doubly robust": ("doubly", "doubly_robust", _MEANS),
}


def estimate(
    dataset: Dataset,
    question: Question | str,
    *,
    adjust: Sequence[str] | None = None,
    level: float = 0.95,
    model: str | None = None,
) -> Effect:
    """The effect a question asks for, from the complete rows of a dataset.

    Parameters
    ----------
    question
        Itself, or its id.
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
    DisclosureError
        If it would be about fewer people than the study's profile shows anything of.

    Examples
    --------
    >>> import researchkit as rk
    >>> study = rk.load_study("data/hospital")
    >>> asked = study.question("readmission")
    >>> dataset = rk.load_dataset(study, study.table_of(asked))
    >>> crude, fair = rk.estimate(dataset, asked, adjust=[]), rk.estimate(dataset, asked)
    >>> crude.low > 0, fair.low < 0 < fair.high  # hard cases get more compassion, and come back more often
    (True, True)
    """
    refuse.level(level)
    question = dataset.study.question(question) if isinstance(question, str) else question
    sample = dataset.sample(question, adjust=adjust)
    return alone(estimate_sample(sample, question, level, model), question, dataset.study, sample)


def estimate_sample(sample: Sample, question: Question, level: float = 0.95, model: str | None = None) -> Effect:
    """The effect from the arrays of a sample; `question` says the kind of outcome and its options.

    Raises
    ------
    EstimationError
        As `estimate`; and for a model that there is not, or that does not go with the kind of outcome.
    """
    refuse.level(level)
    if hasattr(sample, "effect"):  # its rows stay in place: it holds sums (`warehouse.Summed`)
        there: Effect = sample.effect(question, level, model)
        return there
    if question.special:
        return _designed(sample, question, level, model)
    kind = question.outcome.kind
    room, name = (_ELSEWHERE.get(kind, kind), kind) if model is None else _other(model, question)
    family = getattr(import_module(f"{__name__}.{room}"), name)
    effect: Effect = family(sample, question, level)
    return effect


def _designed(sample: Sample, question: Question, level: float, model: str | None) -> Effect:
    """The effect of a question with a design of its own, from the room of that name."""
    room = question.special.room if question.special else ""
    if model is not None:
        raise EstimationError(
            f"The question {question.id!r}: a model {model!r} does not go with `{room}`, which brings its own. Leave "
            "`model` out of the alternative."
        )
    effect: Effect = getattr(import_module(f"{__name__}.{room}"), room)(sample, question, level)
    return effect


def _other(model: str, question: Question) -> tuple[str, str]:
    """The room and the function of another model than the kind's own."""
    if model not in _MODELS:
        raise EstimationError(f"There is no model {model!r}; there are {some(list(_MODELS))}.")
    room, name, kinds = _MODELS[model]
    kind = question.outcome.kind
    if kind not in kinds:
        raise EstimationError(
            f"The question {question.id!r}: a model {model!r} goes with outcomes of kind {some(kinds)}, and "
            f"{question.outcome.column} is of kind {kind}. Leave `model` out of the alternative."
        )
    return room, name
