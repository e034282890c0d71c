"""An outcome in ordered steps: the difference in the share of the top group, or in NPS points."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError, listing, some
from researchkit.estimators import crossed, refuse
from researchkit.estimators.design import Design, design
from researchkit.estimators.effect import Effect, Matrix, Model, Vector, ratio, terms, told
from researchkit.estimators.likelihood import Average, Derivatives, RunsAway, logistic, newton, shares
from researchkit.estimators.promoters import DETRACTOR, PROMOTER
from researchkit.estimators.yes_no import named, rarer
from researchkit.wording import typed

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question


def ordered(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """Difference in the probability of the top group (or in NPS points) by proportional odds, averaged over the sample.

    As for `yes_no`: with and without a 0/1 exposure, the average slope for a numeric one, delta-method errors. The odds
    ratio in `also` is that of answering higher, the same at each step by assumption. Steps that nobody chose are
    left out.

    Raises
    ------
    EstimationError
        As `score`; and with fewer than 5 answers in the top group or below it, or if a column tells the answers
        exactly.

    References
    ----------
    Agrees with R `ordinal::clm` and `MASS::polr`; clustered errors, and those of few people or few of the rarer group,
    as for `yes_no`.
    """
    notes = refuse.check(sample, question, objections(sample))
    seen, answer = np.unique(sample.outcome.astype(int), return_inverse=True)
    worth = counts_as(sample, question, seen)
    _refuse_exact(sample, question, answer)
    top = np.zeros(0) if question.outcome.nps else _rare_top(sample, question, worth[answer] > 0)
    columns = design(sample, question.exposure.column, intercept=False)
    at, information, scores = fit(columns.matrix, answer, sample.weights, columns.names)
    effect = _difference(sample, columns, at, worth)
    back = _back(columns, len(at))
    errors = crossed.spread(
        information,
        scores,
        sample,
        effect.gradient,
        robust=sample.weights is not None,
        rows=pulls(columns.matrix, answer, sample.weights, at),
        back=back,
        little=bool(len(top) > 0 and top.sum() < crossed.SCARCE),
    )
    labels = [_label(sample, code) for code in seen]
    cuts = tuple(f"{lower} | {upper}" for lower, upper in pairwise(labels))
    rows = terms((*columns.names, *cuts), back @ at, back @ errors.covariance @ back.T, level, errors.df_of_terms)
    return told(
        sample,
        question,
        level,
        effect.value,
        effect.se(errors.covariance),
        errors.df,
        unit="NPS points" if question.outcome.nps else "probability",
        method=f"proportional odds, {_aim(sample, question)}, averaged over the sample, {named(errors, sample)}",
        model=Model("proportional odds", errors.errors, rows, "log odds"),
        also={"odds ratio": ratio(rows[0])},
        notes=(
            *notes,
            *columns.notes,
            *errors.notes,
            *(refuse.rare(top, sample, question) if len(top) else ()),
            "assumes proportional odds: one odds ratio for every step of the answer",
        ),
    )


def fit(
    matrix: Matrix, answer: NDArray[np.int64], weights: Vector | None, names: Sequence[str]
) -> tuple[Vector, Matrix, Matrix]:
    """Coefficients (p,) then thresholds (K - 1,), with information and rows' scores, for codes 0..K-1 that all occur.

    logit P(answer <= j) = threshold_j - x'b, so that a positive b goes with higher answers.
    """
    weight = np.ones(len(answer)) if weights is None else weights
    below = np.cumsum(np.bincount(answer, weights=weight))[:-1] / weight.sum()
    start = np.concatenate([np.zeros(matrix.shape[1]), np.log(below / (1 - below))])
    try:
        at, information = newton(start, _derivatives(matrix, answer, weight))
    except RunsAway as away:
        raise refuse.no_maximum(names, away.at[: matrix.shape[1]]) from None
    upper, lower = _steps(answer, len(below))
    by_upper, by_lower, *_ = _by_threshold(at, matrix, answer)
    by_step = by_upper[:, None] * upper + by_lower[:, None] * lower
    scores = np.column_stack([-matrix * (by_upper + by_lower)[:, None], by_step])
    return at, information, scores * weight[:, None]


def pulls(matrix: Matrix, answer: NDArray[np.int64], weights: Vector | None, at: Vector) -> tuple[Matrix, Matrix]:
    """Two matrices (n, k) whose cross products sum to the information.

    A row's information is that of its upper and lower threshold, [[t + b, -b], [-b, l + b]], taken to the coefficients;
    its Cholesky factor makes two rows of one.
    """
    *_, top, low, shared = _by_threshold(at, matrix, answer)
    upper, lower = (np.column_stack([-matrix, step]) for step in _steps(answer, int(answer.max())))
    first = np.sqrt(top + shared)
    across = np.divide(shared, first, out=np.zeros_like(first), where=first > 0)  # the last answer has no upper edge
    second = np.sqrt(np.maximum(low + shared - across**2, 0.0))
    root = np.ones(len(answer)) if weights is None else np.sqrt(weights)
    upper_part = first[:, None] * upper - across[:, None] * lower
    return root[:, None] * upper_part, (root * second)[:, None] * lower


def _steps(answer: NDArray[np.int64], thresholds: int) -> tuple[Matrix, Matrix]:
    """Indicators (n, K - 1) of the threshold above and the one below each answer."""
    place = np.arange(thresholds)
    return (answer[:, None] == place).astype(float), (answer[:, None] - 1 == place).astype(float)


def _by_threshold(at: Vector, matrix: Matrix, answer: NDArray[np.int64]) -> tuple[Vector, ...]:
    """What `between` gives, at the thresholds above and below each answer, less x'b."""
    slopes, thresholds = at[: matrix.shape[1]], at[matrix.shape[1] :]
    edges = np.concatenate([[-np.inf], thresholds, [np.inf]])
    eta = matrix @ slopes
    return between(edges[answer + 1] - eta, edges[answer] - eta)


def between(upper: Vector, lower: Vector) -> tuple[Vector, ...]:
    """The log-likelihood of answers between two edges (n,): first derivatives by both, value, parts of the second.

    With u and l the edges, P = F(u) - F(l) = F(u) (1 - F(l)) (1 - exp(l - u)), which loses no digits. The second
    derivatives are -(first part + third) by the upper, -(second + third) by the lower, and the third by both.
    """
    gap = upper - lower
    value = -np.logaddexp(0, -upper) - np.logaddexp(0, lower) + np.log(-np.expm1(-gap))
    shared = 1 / np.expm1(gap)
    shared_bend = 1 / (4 * np.sinh(gap / 2) ** 2)
    at_upper, at_lower = logistic(upper), logistic(lower)
    density_upper, density_lower = at_upper * logistic(-upper), at_lower * logistic(-lower)
    return (logistic(-upper) + shared, -at_lower - shared, value, density_upper, density_lower, shared_bend)


def _derivatives(matrix: Matrix, answer: NDArray[np.int64], weight: Vector) -> Derivatives:
    p = matrix.shape[1]
    thresholds = int(answer.max())
    upper, lower = _steps(answer, thresholds)

    def derivatives(at: Vector) -> tuple[float, Vector, Matrix]:
        if np.any(np.diff(at[p:]) <= 0):  # thresholds out of order: no such distribution
            return -np.inf, at, np.eye(len(at))
        by_upper, by_lower, value, top, low, between = _by_threshold(at, matrix, answer)
        by_step = upper.T @ (weight * by_upper) + lower.T @ (weight * by_lower)
        gradient = np.concatenate([-matrix.T @ (weight * (by_upper + by_lower)), by_step])
        top, low, between = weight * top, weight * low, weight * between
        slopes = matrix.T @ (matrix * (top + low)[:, None])
        mixed = -matrix.T @ (top[:, None] * upper + low[:, None] * lower)
        neighbours = upper.T @ (between[:, None] * lower)
        steps = np.diag(upper.T @ (top + between) + lower.T @ (low + between)) - neighbours - neighbours.T
        return float(weight @ value), gradient, np.block([[slopes, mixed], [mixed.T, steps]])

    return derivatives


def _difference(sample: Sample, columns: Design, at: Vector, worth: Vector) -> Average:
    """Difference (or slope) of the mean worth of an answer, with its gradient in (slopes, thresholds)."""
    share = shares(sample.weights, len(sample.outcome))
    if not sample.binary_exposure:
        return _slope(columns, at, worth, share)
    one, none = (mean_worth(columns.at(arm), at, worth, share) for arm in (1.0, 0.0))
    return Average(one.value - none.value, one.gradient - none.gradient)


def _below(matrix: Matrix, at: Vector) -> Matrix:
    """Probability (n, K - 1) of an answer at or below each threshold."""
    p = matrix.shape[1]
    return logistic(at[p:] - (matrix @ at[:p])[:, None])


def mean_worth(matrix: Matrix, at: Vector, worth: Vector, share: Vector) -> Average:
    """Mean worth of a what-if: the last answer's, plus at each threshold the fall in worth times those below it."""
    below, falls = _below(matrix, at), worth[:-1] - worth[1:]
    density = below * (1 - below) * falls
    gradient = np.concatenate([-matrix.T @ (share * density.sum(axis=1)), share @ density])
    return Average(float(worth[-1] + share @ below @ falls), gradient)


def _slope(columns: Design, at: Vector, worth: Vector, share: Vector) -> Average:
    """Mean derivative of the worth by the exposure (the first column, raw units)."""
    below = _below(columns.matrix, at)
    density = below * (1 - below) * (worth[:-1] - worth[1:])
    bend = density * (1 - 2 * below)
    scale, mean = float(columns.scale[0]), float(share @ density.sum(axis=1))
    gradient = at[0] * np.concatenate([columns.matrix.T @ (share * bend.sum(axis=1)), -share @ bend])
    gradient[0] -= mean
    return Average(-at[0] * mean / scale, gradient / scale)


def counts_as(sample: Sample, question: Question, seen: NDArray[np.int64]) -> Vector:
    """What each answer counts: 1 in the top group and 0 below, or 100, 0 and -100 for an NPS."""
    outcome = question.outcome
    if outcome.nps:
        values = np.asarray(sample.level_values, dtype=float)[seen]
        if bad := [value for value in values if not 0 <= value <= 10]:
            raise EstimationError(f"{outcome.column} has answers outside 0 to 10 ({some(bad)}), so it has no NPS.")
        worth = 100.0 * (values >= PROMOTER) - 100.0 * (values <= DETRACTOR)
    else:
        worth = np.array([float(_in_top(sample, code, outcome.top)) for code in seen])
    if np.ptp(worth) == 0:
        raise EstimationError(
            f"The question {question.id!r}: all answers to {outcome.column} fall into one group, so no share can "
            f"differ. The answers that occur are {some([_label(sample, code) for code in seen], 12)}; look at `top`."
        )
    return worth


def _in_top(sample: Sample, code: int, top: Sequence[object]) -> bool:
    """Whether an answer is one of `top`, which may name codes ("very_good", "9"), values (9, 9.0) or labels."""
    names = {str(item) for item in top}
    value = sample.level_values[code] if len(sample.level_values) else float(code)
    written = {sample.level_codes[code]} if len(sample.level_codes) else {str(value), f"{typed(value)}"}
    return bool(names & {_label(sample, code), *written})


def _label(sample: Sample, code: int) -> str:
    return sample.levels[code] if len(sample.levels) else str(code)


def _aim(sample: Sample, question: Question) -> str:
    if question.outcome.nps:
        return "NPS"
    asked = question.outcome.top
    top = [code for code in range(len(sample.levels)) if _in_top(sample, code, asked)]
    return f"probability of {' or '.join(_label(sample, code) for code in top) or some(asked)}"


def _back(columns: Design, size: int) -> Matrix:
    """Scaled slopes and thresholds to those of the raw columns."""
    p = len(columns.names)
    back = np.eye(size)
    back[:p, :p] = columns.back
    back[p:, :p] = columns.centre / columns.scale
    return back


def objections(sample: Sample) -> list[str]:
    """Answers without a place in the order."""
    outcome = sample.outcome
    if not np.all(np.isfinite(outcome)):
        return []
    if odd := int(np.sum(outcome != np.round(outcome))):
        return [f"{odd} answers have no place in the order; declare the codes of the column."]
    return []


def _rare_top(sample: Sample, question: Question, top: NDArray[np.bool_]) -> Vector:
    """Who gave (1), or did not give (0), a top answer, whichever is rarer; refused where hardly anybody did."""
    found = rarer(top)
    if (few := int(found.sum())) < refuse.FEW_EVENTS:
        side = "gave an answer of the top group" if top.sum() == few else "gave an answer below the top group"
        raise EstimationError(
            f"The question {question.id!r}: only {few} people {side}; at least {refuse.FEW_EVENTS} are needed. Collect "
            "more data, or set `top` so that the groups are less uneven."
        )
    return found


def _refuse_exact(sample: Sample, question: Question, answer: NDArray[np.int64]) -> None:
    """A column that tells every step of the answer exactly has no finite odds ratio."""
    both = np.column_stack([sample.exposure, sample.covariates])
    names = (sample.exposure_name, *sample.names)
    found = [set(refuse.separating(both, names, answer > step)) for step in range(int(answer.max()))]
    if problems := set.intersection(*found):
        raise EstimationError(listing(f"The question {question.id!r}", sorted(problems)))
