"""The doubly robust estimate: right if either the outcome's model or the exposure's is, and not both need be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError, some
from researchkit.estimators import crossed, propensity, refuse
from researchkit.estimators.effect import Effect, Matrix, Model, Term, Vector, told, wald
from researchkit.estimators.learning import Learned, learned
from researchkit.estimators.likelihood import LOGIT, Link, RunsAway
from researchkit.wording import number, scale, units

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question

FOLDS = 5
SPLITS = 5
Folds = NDArray[np.int64]  # (n,) which fold a row is in


@dataclass(frozen=True)
class Crossfit:
    """One split's answer: the effect, every row's influence on it (n,), and everybody's chance of each side (n,)."""

    value: float
    influence: Vector
    chances: tuple[Vector, ...] = ()
    telling: frozenset[str] = frozenset()  # columns that some fold's models had to do without


def doubly_robust(
    sample: Sample, question: Question, level: float = 0.95, rng: np.random.Generator | None = None
) -> Effect:
    """The effect on everybody by the outcome's model and the exposure's together, each fitted on other rows (AIPW).

    For a 0/1 exposure the model of the question's own kind predicts every row with and without the exposure; what it
    misses on the side that was observed is weighted by one over the propensity (logistic) and added. It is right if
    either model is. For an exposure that is a number: what is left of the outcome, regressed on what is left of the
    exposure, after both were predicted from the covariates (a partially linear model: one slope for everybody; of a
    yes or no the slope of the probability).

    Each of 5 folds is predicted by models fitted on the other four; whole clusters are in one fold (the first kind,
    where two cross). 5 splits into folds, whose median is the answer, so that it does not hang on the luck of one; the
    spread between splits is in the error. Influences are summed within clusters, with G/(G - 1) and t(G - 1); else the
    normal. Ordered outcomes are modelled by their worth: top or not (logistic), NPS points (least squares).

    Parameters
    ----------
    rng
        Deals rows or clusters to folds; by default made from the question's id, the same every time.

    Raises
    ------
    EstimationError
        As the question's own kind; and where a fold leaves nobody of one side to learn from, where a model runs away,
        and where one side is worth fewer than 10 rows after weighting.

    References
    ----------
    Chernozhukov et al. (2018), Econometrics Journal 21, C1-C68: equation 5.3 (AIPW), 4.4 (partially linear), and
    definition 3.3 (median over splits). Agrees with R `glm` by fold and these sums by hand, given the same folds.
    """
    now = propensity.ready(sample, question)
    alike: tuple[str, ...] = ()
    if sample.binary_exposure:
        propensity.refuse_same(now, sample, question)
        alike = propensity.overlap(propensity.chances(now, sample, question), now.people, sample, question)
    rng = rng or np.random.default_rng(crc32(question.id.encode()))
    folds = [deal(sample, question, rng) for _ in range(SPLITS)]
    splits = [crossfit(now, sample, question, each) for each in folds]
    value = float(np.median([split.value for split in splits]))
    found = [crossed.of_influence(split.influence, sample) for split in splits]
    wide = [se**2 + (split.value - value) ** 2 for split, (se, _, _) in zip(splits, found, strict=True)]
    se, df = float(np.sqrt(np.median(wide))), found[0][1]
    _refuse_few(now, splits, sample, question)
    what, how = (
        ("augmented inverse probability weighting", "logistic")
        if sample.binary_exposure
        else ("partially linear model", "least squares")
    )
    weighted = "" if sample.weights is None else ", weighted"
    return told(
        sample,
        question,
        level,
        value,
        se,
        df,
        unit=now.unit,
        method=(
            f"doubly robust ({what}), {_model(now.link)} for the outcome, {how} for the exposure, cross-fitted in "
            f"{len(np.unique(folds[0]))} folds, influence errors{crossed.words(sample)}{weighted}"
        ),
        model=Model(what, "influence", (Term(sample.exposure_name, value, se, *wald(value, se, level, df)),), now.unit),
        notes=(*now.notes, *found[0][2], _agreement(splits, now.unit), *_done_without(splits), *alike),
    )


def _agreement(splits: Sequence[Crossfit], unit: str) -> str:
    """How far the splits' answers lie apart, in words."""
    times, told = scale(unit)
    lowest, highest = (number(times * pick(split.value for split in splits), 3) for pick in (min, max))
    span = f"all gave {lowest}" if lowest == highest else f"gave {lowest} to {highest}"
    return f"{SPLITS} splits into folds {span} {units(told, highest)}"


def deal(sample: Sample, question: Question, rng: np.random.Generator) -> Folds:
    """Which of 5 folds each row is in (fewer with fewer clusters): whole clusters, every fold alike in the exposure.

    Rows or clusters are put in order of the exposure (a yes or no also of the outcome, where each row is its own), by
    lot among equals, and each 5 in a row are dealt to the 5 folds by lot.
    """
    code = (
        np.arange(len(sample.outcome)) if sample.cluster is None else np.unique(sample.cluster, return_inverse=True)[1]
    )
    size = np.bincount(code)
    keys = [np.bincount(code, weights=sample.exposure) / size]
    if sample.cluster is None and question.outcome.kind == "yes_no":
        keys.insert(0, sample.outcome)
    order = np.lexsort((rng.random(len(size)), *keys))
    folds = min(FOLDS, len(size))
    lots = np.argsort(rng.random((len(order) // folds + 1, folds)), axis=1).ravel()[: len(order)]
    dealt = np.empty(len(order), dtype=np.int64)
    dealt[order] = lots
    return dealt[code]


def crossfit(now: propensity.Ready, sample: Sample, question: Question, folds: Folds) -> Crossfit:
    """The effect and its influences with given folds (n,): each row predicted by models of the other folds' rows."""
    return (_augmented if sample.binary_exposure else _partial)(now, sample, question, folds)


def _augmented(now: propensity.Ready, sample: Sample, question: Question, folds: Folds) -> Crossfit:
    """Equation 5.3: the difference of predictions, and what they miss weighted by one over the propensity."""
    one, none = (now.arm(sample, arm) for arm in (1.0, 0.0))
    with_it, without = (now.columns.at(arm) for arm in (1.0, 0.0))
    means, chances = np.empty((2, 2, len(folds)))
    telling: set[str] = set()
    for fold in np.unique(folds):
        learn, apply = folds != fold, folds == fold
        _both_sides((one, none), learn, sample, question)
        own = _outcome(now, now.columns.matrix, now.columns.names, learn)
        means[:, apply] = own(with_it[apply]), own(without[apply])
        # Of two levels the other has the rest; where there are further ones it has a model of its own.
        models = [_chance(now, arm, learn, sample, question) for arm in ((one,) if np.all(one | none) else (one, none))]
        chance, *other = (model(now.reasons[apply]) for model in models)
        chances[:, apply] = chance, other[0] if other else 1 - chance
        telling |= {now.columns.names[place] for place in own.telling}
        telling |= {now.names[place] for model in models for place in model.telling}
    missed = now.outcome - means
    weight = [np.divide(1, chances[place], out=np.zeros(len(folds)), where=arm) for place, arm in ((0, one), (1, none))]
    each = means[0] - means[1] + weight[0] * missed[0] - weight[1] * missed[1]
    value = float(now.size @ each / now.size.sum())
    return Crossfit(value, now.size * (each - value) / now.size.sum(), (chances[0], chances[1]), frozenset(telling))


def _partial(now: propensity.Ready, sample: Sample, question: Question, folds: Folds) -> Crossfit:
    """Equation 4.4: what is left of the outcome on what is left of the exposure."""
    outcome, exposure, telling = now.outcome.copy(), sample.exposure.copy(), set[str]()
    for fold in np.unique(folds):
        learn, apply = folds != fold, folds == fold
        own = _outcome(now, now.reasons, now.names, learn)
        telling |= {now.names[place] for place in own.telling}
        outcome[apply] -= own(now.reasons[apply])
        expected = learned(None, now.reasons[learn], sample.exposure[learn], now.people[learn])
        exposure[apply] -= expected(now.reasons[apply])
    total = float(now.size @ exposure**2)
    value = float(now.size @ (exposure * outcome) / total)
    return Crossfit(value, now.size * exposure * (outcome - value * exposure) / total, (), frozenset(telling))


def _outcome(now: propensity.Ready, matrix: Matrix, names: Sequence[str], learn: propensity.Arm) -> Learned:
    """The outcome's model, learned from some of the rows."""
    try:
        return learned(now.link, matrix[learn], now.outcome[learn], now.size[learn])
    except RunsAway as away:
        raise refuse.no_maximum(names, away.at, f"in one of {FOLDS} folds") from None


def _chance(
    now: propensity.Ready, arm: propensity.Arm, learn: propensity.Arm, sample: Sample, question: Question
) -> Learned:
    """The model of who is in an arm, learned from some of the rows."""
    try:
        return learned(LOGIT, now.reasons[learn], arm[learn].astype(float), now.people[learn])
    except RunsAway as away:
        raise propensity.told_apart(now.names, away.at, sample, question) from None


def _both_sides(arms: Sequence[propensity.Arm], learn: propensity.Arm, sample: Sample, question: Question) -> None:
    """A fold's models learn from both sides, or from neither."""
    for arm, side in zip(arms, ("with", "without"), strict=True):
        if not np.any(arm & learn):
            raise EstimationError(
                f"The question {question.id!r}: all rows {side} {sample.exposure_name} are in one fold of "
                f"{sample.cluster_name or 'rows'}, which leaves none to learn from. The doubly robust estimate needs "
                "both sides in several of them."
            )


def _refuse_few(now: propensity.Ready, splits: Sequence[Crossfit], sample: Sample, question: Question) -> None:
    """The folds' own propensities (everybody's median over the splits) must leave each side worth enough rows too."""
    if sample.binary_exposure:
        chances = np.median([split.chances for split in splits], axis=0)
        arms = [now.arm(sample, arm) for arm in (1.0, 0.0)]
        propensity.overlap(tuple(zip(arms, chances, strict=True)), now.people, sample, question)


def _done_without(splits: Sequence[Crossfit]) -> tuple[str, ...]:
    """Levels so rare that a fold's models could not tell them from the others."""
    names = sorted(frozenset().union(*(split.telling for split in splits)))
    if not names:
        return ()
    return (f"too rare for a model of their own in some folds, and predicted there as the others: {some(names)}",)


def _model(link: Link | None) -> str:
    if link is None:
        return "least squares"
    return "logistic" if link is LOGIT else "Poisson"
