"""A discontinuity: the jump of an outcome at a limit, with an interval that allows for the course being no line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from researchkit import wording
from researchkit.errors import EstimationError, listing
from researchkit.estimators.effect import Count, Effect, Matrix, Model, Term, Vector

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question

FEWEST, VALUES = 20, 4  # rows, and different values of the running column, that one side must have near the limit
WIDTHS = 40  # windows that are tried
WEAK = 3.2  # standard errors of the jump in the exposure: fewer, and a ratio to it has no trustworthy interval
NEIGHBOURS = 3


@dataclass(frozen=True, eq=False)
class Side:
    """What a local line needs of all rows: distance from the limit (n,), who is on the treated side, clusters."""

    away: Vector
    on: NDArray[np.bool_]
    cluster: NDArray[np.int64] | None


@dataclass(frozen=True)
class Jump:
    """A jump at the limit, its standard error, the most that a bend could add, the window, and the rows within."""

    size: float
    se: float
    bias: float
    window: float
    rows: int
    pull: Vector  # (n,) by how much each row's outcome moves the jump


def limit(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """The effect at the limit, in the outcome's unit (a share as a probability).

    A line on each side within a window, weighed towards the limit (triangular kernel), and their distance at the limit.
    Where the exposure does not follow from the side alone, the jump of the outcome over that of the exposure. How far
    the course may bend is taken from a polynomial of degree 4 on each side; the window makes the interval shortest
    whose both ends allow for the worst such bend (Armstrong and Kolesár 2020, Quantitative Economics 11, 1-39). `se` is
    half the interval over its normal quantile: what chance and bend leave open together.

    Raises
    ------
    EstimationError
        Too few rows on one side, or an exposure that the limit hardly moves.

    References
    ----------
    The jump agrees with R `lm(y ~ on * x, weights = 1 - abs(x) / h)`.
    """
    sides, outcome = sides_of(sample, question)
    check(sides, question)
    got = sample.exposure
    sharp = bool(np.array_equal(got > 0, sides.on)) and sample.binary_exposure
    curve = bend(sides, outcome)
    first = jump(sides, adjusted(sides, outcome, sample.covariates, widest(sides)), curve, level)
    used = adjusted(sides, outcome, sample.covariates, first.window)
    found = jump(sides, used, curve, level, first.window)
    moved = None if sharp else jump(sides, got, bend(sides, got), level, found.window)
    if moved is not None:
        refuse_weak(moved, question)
        found = ratio(sides, used, got, found, moved)
    half = critical(found.bias / found.se, level) * found.se
    return told(sample, question, level, found, half, moved, sides)


def sides_of(sample: Sample, question: Question) -> tuple[Side, Vector]:
    """Distances from the limit and sides, and the outcome as numbers."""
    asked = question.limit
    if asked is None:
        raise EstimationError(f"The question {question.id!r} has no `limit`.")
    if question.outcome.kind not in ("score", "yes_no", "counts"):
        raise EstimationError(
            f"The question {question.id!r}: a `limit` goes with scores, counts and yes or no, and the outcome is of "
            f"kind {question.outcome.kind}."
        )
    running = sample.more[asked.running]
    if running.dtype.kind != "f":
        raise EstimationError(f"The question {question.id!r}: {asked.running!r} is no column of numbers.")
    away = running - asked.at
    on = away >= 0 if asked.treated == "at or above" else away < 0
    return Side(away, on, sample.cluster), sample.outcome


def check(sides: Side, question: Question) -> None:
    problems = []
    for name, rows in (("treated", sides.on), ("other", ~sides.on)):
        count, values = int(rows.sum()), len(np.unique(sides.away[rows]))
        if count < FEWEST or values < VALUES:
            problems.append(
                f"the {name} side of the limit has {count} rows with {values} different values; at least {FEWEST} rows "
                f"and {VALUES} values are needed on each side."
            )
    if problems:
        raise EstimationError(listing(f"The question {question.id!r}", problems))


def refuse_weak(moved: Jump, question: Question) -> None:
    if abs(moved.size) - moved.bias < WEAK * moved.se:
        raise EstimationError(
            f"The question {question.id!r}: at the limit the share of those exposed changes by "
            f"{wording.percent(moved.size)}, which is too little beside its error to say what the exposure does. "
            "Check `at` and `treated`; else ask for the outcome's own jump, with the side of the limit as exposure."
        )


def bend(sides: Side, outcome: Vector) -> float:
    """The largest second derivative of a polynomial of degree 4 on each side: how far the course may bend."""
    most = 0.0
    for rows in (sides.on, ~sides.on):
        x, y = sides.away[rows], outcome[rows]
        scale = float(np.abs(x).max()) or 1.0
        degree = min(4, len(np.unique(x)) - 1)
        fitted = np.polynomial.polynomial.polyfit(x / scale, y, degree)
        second = np.polynomial.polynomial.polyder(fitted, 2)
        places = np.linspace(x.min(), x.max(), 200) / scale
        most = max(most, float(np.abs(np.polynomial.polynomial.polyval(places, second)).max()) / scale**2)
    return most


def widest(sides: Side) -> float:
    return float(max(np.abs(sides.away[sides.on]).max(), np.abs(sides.away[~sides.on]).max())) * (1 + 1e-9)


def narrowest(sides: Side) -> float:
    """The smallest window in which each side has rows and values enough."""
    ends = []
    for rows in (sides.on, ~sides.on):
        near = np.sort(np.abs(sides.away[rows]))
        ends += [near[FEWEST - 1], np.unique(near)[VALUES - 1]]
    return float(max(ends)) * (1 + 1e-6)


def pulls(sides: Side, window: float) -> Vector:
    """(n,) the weight of each row's outcome in the jump; 0 beyond the window."""
    found = np.zeros(len(sides.away))
    near = np.abs(sides.away) < window
    for rows, sign in ((sides.on & near, 1.0), (~sides.on & near, -1.0)):
        x = sides.away[rows]
        kernel = 1 - np.abs(x) / window
        s0, s1, s2 = (float(np.sum(kernel * x**power)) for power in range(3))
        found[rows] = sign * kernel * (s2 - s1 * x) / (s0 * s2 - s1**2)
    return found


def jump(sides: Side, outcome: Vector, curve: float, level: float, window: float | None = None) -> Jump:
    """The jump within a window; without one, within that whose interval is shortest."""
    if window is not None:
        return within(sides, outcome, curve, window)
    noise = nearby(sides, outcome, np.ones(len(outcome), dtype=bool))
    low, high = narrowest(sides), widest(sides)
    best, shortest = high, math.inf
    for width in np.geomspace(low, high, WIDTHS) if low < high else [high]:
        pull = pulls(sides, float(width))
        se = math.sqrt(float(np.sum(pull**2 * noise)))
        length = critical(worst(sides, pull, curve) / se, level) * se
        if length < shortest:
            best, shortest = float(width), length
    return within(sides, outcome, curve, best)


def within(sides: Side, outcome: Vector, curve: float, window: float) -> Jump:
    pull = pulls(sides, window)
    near = pull != 0
    se = math.sqrt(variance(sides, pull, rest(sides, outcome, near)))
    return Jump(float(pull @ outcome), se, worst(sides, pull, curve), window, int(near.sum()), pull)


def worst(sides: Side, pull: Vector, curve: float) -> float:
    """The most that a course with second derivatives up to `curve` can add to the jump."""
    return 0.5 * curve * sum(abs(float(pull[rows] @ sides.away[rows] ** 2)) for rows in (sides.on, ~sides.on))


def rest(sides: Side, outcome: Vector, near: NDArray[np.bool_]) -> Vector:
    """(n,) each row's outcome less the mean of its nearest neighbours on its side, scaled to its own error."""
    left = np.zeros(len(outcome))
    for rows in (sides.on & near, ~sides.on & near):
        places = np.flatnonzero(rows)
        places = places[np.argsort(sides.away[places], kind="stable")]
        y, count = outcome[places], len(places)
        if count < 2:
            continue
        reach = min(NEIGHBOURS, count - 1)
        start = np.clip(np.arange(count) - reach // 2 - reach % 2, 0, count - reach - 1)
        sums = np.concatenate([[0.0], np.cumsum(y)])
        others = (sums[start + reach + 1] - sums[start] - y) / reach
        left[places] = math.sqrt(reach / (reach + 1)) * (y - others)
    return left


def nearby(sides: Side, outcome: Vector, near: NDArray[np.bool_]) -> Vector:
    """(n,) the variance of an outcome near the limit, one for each side, to choose a window by."""
    left, noise = rest(sides, outcome, near), np.ones(len(outcome))
    for rows in (sides.on, ~sides.on):
        distance = np.abs(sides.away)
        close = rows & (distance <= np.quantile(distance[rows], 0.5))
        noise[rows] = max(float(np.mean(left[close] ** 2)), 1e-300)
    return noise


def variance(sides: Side, pull: Vector, left: Vector) -> float:
    """Of a weighted sum of errors, which rows of one cluster share."""
    moved = pull * left
    if sides.cluster is None:
        return max(float(np.sum(moved**2)), 1e-300)
    sums = np.bincount(sides.cluster, moved)
    groups = len(np.unique(sides.cluster[pull != 0]))
    return max(float(np.sum(sums**2)) * groups / max(groups - 1, 1), 1e-300)


def adjusted(sides: Side, outcome: Vector, covariates: Matrix, window: float) -> Vector:
    """The outcome less what the covariates say of it near the limit, by the same lines and weights."""
    near = np.abs(sides.away) < window
    root = np.sqrt(1 - np.abs(sides.away[near]) / window)
    x, on = sides.away[near], sides.on[near].astype(float)
    lines = np.column_stack([np.ones(len(x)), on, x, on * x, covariates[near]])
    found = np.linalg.lstsq(lines * root[:, None], outcome[near] * root, rcond=None)[0]
    return np.asarray(outcome - (covariates - covariates[near].mean(axis=0)) @ found[4:])


def ratio(sides: Side, outcome: Vector, got: Vector, found: Jump, moved: Jump) -> Jump:
    """The jump of the outcome over that of the exposure, its error by the delta method."""
    size = found.size / moved.size
    near = found.pull != 0
    left = rest(sides, outcome - size * got, near)
    se = math.sqrt(variance(sides, found.pull, left)) / abs(moved.size)
    bias = (found.bias + abs(size) * moved.bias) / abs(moved.size)
    return Jump(size, se, bias, found.window, found.rows, found.pull / moved.size)


def critical(bias: float, level: float) -> float:
    """What a normal with unit spread and a mean of up to `bias` stays within, either way, with the chance `level`."""
    from scipy import special

    if bias > 30:
        return bias + float(special.ndtri(level))
    return math.sqrt(float(special.chndtrix(level, 1, bias**2)))


def told(
    sample: Sample, question: Question, level: float, found: Jump, half: float, moved: Jump | None, sides: Side
) -> Effect:
    from scipy import special

    quantile = float(special.ndtri((1 + level) / 2))
    se = half / quantile
    p = float(2 * special.ndtr(-abs(found.size) / se))
    near = found.pull != 0
    asked = question.limit
    notes = [
        "of those at the limit only: rows within the window count, and weigh the less the farther they are from it",
        Count(f"{wording.count(found.rows)} of {wording.count(len(near))} rows lie within the window"),
        "the interval allows for the course being no straight line, by as much as it bends elsewhere",
    ]
    rows = [Term("jump at the limit", found.size, found.se, found.size - half, found.size + half, p)]
    if moved is not None:
        reach = critical(moved.bias / moved.se, level) * moved.se
        rows.append(
            Term("jump of the exposure", moved.size, moved.se, moved.size - reach, moved.size + reach,
                 float(2 * special.ndtr(-abs(moved.size) / (reach / quantile))))
        )  # fmt: skip
        notes.append("not all beyond the limit were treated: the number is of those whom the limit itself decides for")
    unit = "probability" if question.outcome.kind == "yes_no" else question.outcome.unit or "point"
    groups = None if sides.cluster is None else len(np.unique(sides.cluster[near]))
    kind = "sharp" if moved is None else "fuzzy"
    by = f", clustered by {sample.cluster_name}" if groups is not None else ""
    return Effect(
        question.outcome.kind,
        found.size,
        se,
        found.size - half,
        found.size + half,
        level,
        p,
        unit,
        sample.contrast,
        f"{kind} discontinuity at {wording.typed(asked.at if asked else 0.0)}, local lines within "
        f"{wording.number(found.window)}, interval that allows for bends{by}",
        len(sample.outcome),
        groups,
        None,
        Model("local linear regression at a limit", f"nearest neighbours{by}", tuple(rows), unit),
        {},
        tuple(notes),
    )
