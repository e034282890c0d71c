"""The headline with one unit left out at a time: a cluster, or a row. Almost all of it without fitting anything again.

What a unit moves is found on the line, exactly (or, for times to an event, to first order by the influence that the
standard error is made of), and moves the headline as much; the interval keeps its form and is as much wider or narrower
as that of the line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import ResearchkitError
from researchkit.moments import Fit, Moments, cr1, fit
from researchkit.moments.line import inverses
from researchkit.robustness.linear import straight

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.estimators import Effect
    from researchkit.estimators.effect import Matrix, Vector
    from researchkit.parts import Question

VANISHED = 1e-10  # a share of what there was that is rounding, not rest
TRIES = 5  # refits, each of a quarter more rows gone, before no few rows are said to be enough


@dataclass(frozen=True)
class Left:
    """Estimates and limits with each of U units left out, each (U,); NaN where there is nothing left to tell them."""

    estimates: Vector
    low: Vector
    high: Vector

    def put(self, unit: int, effect: Effect | None) -> Left:
        """The same with what the model itself says without one unit; None where it has no answer."""
        values = (np.nan, np.nan, np.nan) if effect is None else (effect.estimate, effect.low, effect.high)
        columns = [column.copy() for column in (self.estimates, self.low, self.high)]
        for column, value in zip(columns, values, strict=True):
            column[unit] = value
        return Left(*columns)


def moved(effect: Effect, shift: Vector, wider: Vector) -> Left:
    """The headline moved by `shift` (U,), its interval `wider` (U,) times as wide."""
    estimates = effect.estimate + shift
    below, above = effect.estimate - effect.low, effect.high - effect.estimate
    return Left(estimates, estimates - wider * below, estimates + wider * above)


def without_clusters(moments: Moments, effect: Effect) -> Left:
    """Without each cluster of the moments, in the order of their labels; a column that only one cluster has goes too.

    On a line this is what a fit without the cluster gives, as is the CR1 error that the interval is scaled by
    (`lm(subset = g != one)` with `sandwich::vcovCL(type = "HC1")`, t with the clusters left less one).
    """
    from scipy.special import stdtrit

    line, groups = fit(moments), len(moments.labels)
    shift, square, columns = refit(line)
    n, left = moments.n - moments.counts, groups - 1
    whole = float(cr1(line)[0][0, 0])
    with np.errstate(invalid="ignore", divide="ignore"):
        errors = np.sqrt(square * left / (left - 1) * (n - 1) / (n - columns)) if left > 1 else np.full(groups, np.nan)
    tail = (1 + effect.level) / 2
    wider = errors / np.sqrt(whole) * (stdtrit(left - 1, tail) / stdtrit(groups - 1, tail) if left > 1 else np.nan)
    return moved(effect, shift, wider)


def refit(line: Fit) -> tuple[Vector, Vector, NDArray[np.int64]]:
    """Without each cluster (G,): how far the first coefficient moves, the sum of squares of the other clusters' scores
    for it, and the number of columns left. NaN where the rest does not tell the coefficient.

    With M the inverse without the cluster, b moves by -M s for its score s, and the scores of the others follow it.
    """
    inverse, columns, lost = rests(line)
    toward = inverse[:, :, 0]
    moves = -np.einsum("gij,gj->gi", inverse, line.scores)
    # The score of h for the coefficient without g, c'(s_h - S_h d), is linear in (s_h, S_h).
    each = np.column_stack([line.scores, -line.products.reshape(len(lost), -1)])
    asked = np.column_stack([toward, (toward[:, :, None] * moves[:, None, :]).reshape(len(lost), -1)])
    own = np.einsum("gi,gi->g", asked, each) ** 2
    if len(each) <= each.shape[1]:
        squares = np.sum((asked @ each.T) ** 2, axis=1)
    else:
        squares = np.einsum("gi,ij,gj->g", asked, each.T @ each, asked, optimize=True)
    unit = float(line.back[0, 0])
    shift, square = unit * moves[:, 0], unit**2 * (squares - own)
    return np.where(lost, np.nan, shift), np.where(lost, np.nan, square), columns


def rests(line: Fit) -> tuple[Matrix, NDArray[np.int64], NDArray[np.bool_]]:
    """Without each cluster: inverse cross products (G, k, k), how many columns are left (G,), where the first is lost.

    A covariate that only one cluster has (its own indicator) is constant without it, and is taken out with it.
    """
    whole, k = line.products.sum(axis=0), len(line.names)
    rest = whole - line.products
    inverse, lost = inverses(rest)
    columns = np.full(len(rest), k)
    if not lost.any():
        return inverse, columns, lost
    some = rest[lost]
    around = np.diagonal(some, axis1=1, axis2=2) - some[:, -1] ** 2 / np.maximum(some[:, -1, -1], 1e-300)[:, None]
    flat = around <= VANISHED * np.diagonal(whole)
    flat[:, [0, -1]] = False  # without the exposure there is nothing to tell; the last is the intercept itself
    kept = ~flat[:, :, None] & ~flat[:, None, :]
    inverse[lost], still = inverses(np.where(kept, some, np.eye(k) * whole[0, 0]))
    inverse[lost] *= kept
    columns[lost] -= flat.sum(axis=1)
    for place, gone in zip(np.flatnonzero(lost), still, strict=True):
        lost[place] = gone
        if gone:  # the indicators of all the others add up to one where the reference went
            inverse[place], columns[place], lost[place] = pseudo(rest[place])
    return inverse, columns, lost


def pseudo(products: Matrix) -> tuple[Matrix, int, bool]:
    """The inverse on what the columns span, its rank, and whether the first coefficient cannot be told from it."""
    values, vectors = np.linalg.eigh(products)
    kept = values > VANISHED * values[-1]
    inverse = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
    first = vectors[:, kept] @ vectors[0, kept]
    first[0] -= 1
    return inverse, int(kept.sum()), bool(np.linalg.norm(first) > 1e-6)


def without_rows(sample: Sample, question: Question, effect: Effect) -> Left:
    """Without each row: the closed form of `lm.influence(m)$coefficients`, on the line.

    The interval follows the squared scores that are left (HC3), to first order.

    Raises
    ------
    EstimationError
        As `linear.straight`.
    """
    from researchkit.estimators.linear import least_squares

    rows = straight(sample, question)
    matrix = np.column_stack([rows.exposure, rows.covariates, np.ones(len(rows.outcome))])
    line = least_squares(matrix, rows.outcome, rows.weights)
    free = 1 - np.sum(line.basis**2, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        push = np.where(free > VANISHED, (line.basis @ line.root[0]) * line.residuals / free, np.nan)
    squares = push**2
    return moved(effect, -push, np.sqrt(np.maximum(1 - squares / np.nansum(squares), 0)))


def part(sample: Sample, rows: NDArray[np.bool_]) -> Sample:
    """Some rows (n,) of a sample."""
    n = len(sample.outcome)
    arrays = {field.name: getattr(sample, field.name) for field in fields(sample)}
    cut: dict[str, Any] = {
        name: value[rows] for name, value in arrays.items() if isinstance(value, np.ndarray) and len(value) == n
    }
    return replace(sample, **cut, more={name: values[rows] for name, values in sample.more.items()})


def by_model(sample: Sample, question: Question, level: float) -> Callable[[NDArray[np.bool_]], Effect | None]:
    """The headline's own model on some rows (n,); None where it has no answer."""
    from researchkit.estimators import estimate_sample

    def found(rows: NDArray[np.bool_]) -> Effect | None:
        try:
            return estimate_sample(part(sample, rows), question, level)
        except ResearchkitError:
            return None

    return found


def one_by_one(sample: Sample, question: Question, effect: Effect, units: NDArray[np.int64]) -> Left:
    """The model itself without each of a few units (n,)."""
    found, count = by_model(sample, question, effect.level), int(units.max()) + 1
    left = Left(*np.full((3, count), np.nan))
    for unit in range(count):
        left = left.put(unit, found(units != unit))
    return left


def infinitesimal(sample: Sample, question: Question, effect: Effect, units: NDArray[np.int64]) -> Left:
    """Without each unit (n,), to first order, for times to an event: by the influence its standard error is made of."""
    from researchkit.estimators.cox import cox
    from researchkit.estimators.design import design
    from researchkit.estimators.duration import difference

    event, columns = np.minimum(np.asarray(sample.event), 2), design(sample, question.exposure.column, intercept=False)
    fits = [
        cox(sample.outcome, event == code, columns.matrix, columns.names, entry=sample.entry, weights=sample.weights)
        for code in ((1, 2) if np.any(event == 2) else (1,))
    ]
    each = difference(sample, columns, fits, float(question.outcome.horizon or 0)).influence(fits)
    own: Vector = np.bincount(units, weights=each).astype(float)
    return moved(effect, -own, np.sqrt(1 - own**2 / np.sum(own**2)))


def enough_to(reach: Vector, needed: float, crossed: Callable[[NDArray[np.int64]], bool], most: int) -> int | None:
    """How few units have to go, the most damaging ones chosen, and the model itself agrees; None for more than `most`.

    `reach` (U,) is how far each unit's going brings the answer, of the way that is `needed`. What single units do is
    added up, which finds a set that is enough, not always the smallest.

    References
    ----------
    Broderick, Giordano and Meager (2021), "An Automatic Finite-Sample Robustness Metric", arXiv 2011.14999, section 2
    (the approximate most influential set), with the refit that they advise.
    """
    order = np.argsort(-np.nan_to_num(reach, nan=-np.inf), kind="stable")
    along = np.cumsum(np.maximum(np.nan_to_num(reach[order]), 0.0))
    count = int(np.searchsorted(along, needed)) + 1
    for _ in range(TRIES):
        if count > most:
            break
        if crossed(order[:count]):
            return count
        count = max(count + 1, count + count // 4)
    return None
