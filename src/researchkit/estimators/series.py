"""An interrupted series: what the after-period holds beyond the course before it, and beyond the others' course."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from researchkit import wording
from researchkit.errors import EstimationError, listing, some
from researchkit.estimators.effect import Effect, Matrix, Model, Vector, terms, wald

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question

BEFORE, AFTER = 8, 4  # points of time: fewer, and neither the course nor the memory of a series can be told
MEMORY = 0.98  # the longest memory that is looked for, either way
ALONE = "no control series: what else happened at that time is in the number"


@dataclass(frozen=True, eq=False)
class Course:
    """The treated unit less the mean of the others, at T points of time.

    `at` (T,) is the place in time, `value` (T,) the difference, `after` (T,) whether it had begun; `beside` (T, p) the
    covariates, treated like the outcome; `treated` and `others` (T,) the two means behind the difference.
    """

    at: Vector
    value: Vector
    after: NDArray[np.bool_]
    beside: Matrix
    treated: Vector
    others: Vector
    controls: int
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Fit:
    """Generalised least squares with errors that remember the time before: rho a step."""

    coefficients: Vector
    covariance: Matrix
    memory: float
    df: Vector


def series(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """The mean difference over all times after the beginning, in the outcome's unit.

    The treated unit less the mean of the controls is a straight line before, and another after; its errors are
    autoregressive of order 1, estimated by restricted maximum likelihood, and the interval has Satterthwaite degrees of
    freedom (Turner et al. 2021, BMC Medical Research Methodology 21, 181: of six ways the least biased for short
    series). Without controls the unit's own course stands alone, and a note says so.

    Raises
    ------
    EstimationError
        Fewer than 8 times before or 4 after, more than one treated unit, nothing that began, or times without a row.

    References
    ----------
    Agrees with R `nlme::gls(d ~ t + after + after:t, correlation = corAR1(form = ~ t), method = "REML")`.
    """
    course = course_of(sample, question)
    names, matrix = columns_of(course, sample, question)
    fit = remembered(matrix, course.value, course.at)
    rows = terms(names, fit.coefficients, fit.covariance, level, fit.df)
    own = rows[0]
    if not math.isfinite(own.p):
        raise EstimationError(
            f"The question {question.id!r}: the series follows its line exactly, so there is nothing to judge a "
            "difference by. Look for values that were filled in or computed from each other."
        )
    low, high, p = wald(own.estimate, own.se, level, float(fit.df[0]))
    unit = "probability" if question.outcome.kind == "yes_no" else question.outcome.unit or "point"
    beside = f"beside {course.controls} control series" if course.controls else "without a control series"
    memory = f"memory {wording.number(fit.memory, sign=True)} a step"
    notes = (
        f"one treated unit, {int((~course.after).sum())} times before and {int(course.after.sum())} after; the "
        "interval is of this unit at these times, and says nothing of other units",
        *(() if course.controls else (ALONE,)),
    )
    return Effect(
        question.outcome.kind,
        own.estimate,
        own.se,
        low,
        high,
        level,
        p,
        unit,
        sample.contrast,
        f"interrupted series {beside}, autoregressive errors ({memory}), Satterthwaite degrees of freedom",
        len(sample.outcome),
        None,
        float(fit.df[0]),
        Model("segmented regression of a series", "REML, AR(1)", rows, unit),
        {},
        notes,
    )


def course_of(sample: Sample, question: Question) -> Course:
    """The course of the treated unit beside the others; refuses what is no series."""
    asked, kind = question.series, question.outcome.kind
    if asked is None:
        raise EstimationError(f"The question {question.id!r} has no `series`.")
    if kind not in ("score", "yes_no"):
        raise EstimationError(
            f"The question {question.id!r}: a `series` is of means or shares; the outcome is of kind {kind}."
        )
    times, at = np.unique(sample.more[asked.time], return_inverse=True)
    units, unit = np.unique(sample.more[asked.unit], return_inverse=True)
    size = (len(units), len(times))
    count = np.zeros(size)
    np.add.at(count, (unit, at), 1.0)

    def mean(values: Vector) -> Matrix:
        total = np.zeros(size)
        np.add.at(total, (unit, at), values)
        return np.divide(total, count, out=np.full(size, np.nan), where=count > 0)

    on = mean(sample.exposure)
    treated = np.flatnonzero(np.nansum(on, axis=1) > 0)
    check(question, on, treated, count, times)
    one, rest = int(treated[0]), np.setdiff1d(np.arange(len(units)), treated)
    value, others = mean(sample.outcome), np.zeros(len(times))
    there = ~np.isnan(on[one])
    beside = np.array([mean(column)[one] for column in sample.covariates.T]).reshape(-1, len(times))
    if len(rest):
        there &= ~np.isnan(on[rest]).all(axis=0)
        filled = np.where(np.isnan(value), np.nan, value)[rest][:, there]
        others = np.full(len(times), np.nan)
        others[there] = np.nanmean(filled, axis=0)
        for place, column in enumerate(sample.covariates.T):
            beside[place, there] -= np.nanmean(mean(column)[rest][:, there], axis=0)
    return Course(
        np.arange(len(times), dtype=float)[there],
        (value[one] - others)[there],
        on[one][there] > 0,
        beside[:, there].T,
        value[one][there],
        others[there],
        len(rest),
        tuple(map(named, times[there])),
    )


def named(time: object) -> str:
    return wording.typed(time) if isinstance(time, float) else str(time)


def check(
    question: Question, on: Matrix, treated: NDArray[np.int64], count: Matrix, times: NDArray[np.generic]
) -> None:
    """Raise with everything that keeps these rows from being one treated series."""
    problems = []
    if len(treated) != 1:
        problems.append(
            f"{len(treated)} units have it at some time, and a series is of one. For several units that began at "
            "different times ask a question with `rollout`."
        )
    else:
        mine = on[treated[0]]
        if np.any((mine > 0) & (mine < 1)):
            problems.append("within one time some rows of the treated unit have it and some do not; use shorter times.")
        have = mine[~np.isnan(mine)] > 0
        if have.any() and not have[np.argmax(have) :].all():
            problems.append("it began and ended again; keep the times up to its end.")
        before, after = int((~have).sum()), int(have.sum())
        if before < BEFORE or after < AFTER:
            problems.append(
                f"there are {before} times before and {after} after; at least {BEFORE} and {AFTER} are needed to tell "
                "a change from the course of a series."
            )
        gaps = [named(time) for time, rows in zip(times, count[treated[0]], strict=True) if not rows]
        if gaps:
            problems.append(f"the treated unit has no row at {some(gaps, 4)}; add them, or use longer times.")
    if problems:
        raise EstimationError(listing(f"The question {question.id!r}", problems))


def columns_of(course: Course, sample: Sample, question: Question) -> tuple[tuple[str, ...], Matrix]:
    """Columns (T, k): the mean difference after, its slope, the course before, seasons, covariates, the level."""
    began = course.at[course.after].min()
    since = np.where(course.after, course.at - course.at[course.after].mean(), 0.0)
    names = ["after it began, on average", "change of slope, a time", "slope before, a time"]
    columns = [course.after.astype(float), since, course.at - began]
    season = (question.series.season if question.series else None) or 1
    for turn in range(1, season):
        names.append(f"season {turn + 1}")
        columns.append((course.at % season == turn).astype(float))
    for name, column in zip(sample.names, course.beside.T, strict=True):
        if np.ptp(column) > 0:
            names.append(name)
            columns.append(column - column.mean())
    matrix = np.column_stack([*columns, np.ones(len(course.at))])
    if len(matrix) < matrix.shape[1] + 4 or np.linalg.matrix_rank(matrix) < matrix.shape[1]:
        raise EstimationError(
            f"The question {question.id!r}: {len(matrix)} times are too few for {matrix.shape[1]} coefficients, or one "
            "column repeats others. Adjust for fewer columns, or leave `season` out."
        )
    return (*names, "level before"), matrix


def remembered(matrix: Matrix, value: Vector, at: Vector) -> Fit:
    """REML with errors that are alike by memory ** (distance in time), and Satterthwaite degrees of freedom (k,)."""
    from scipy.optimize import minimize_scalar

    left = len(value) - matrix.shape[1]
    apart = np.abs(at[:, None] - at[None, :])

    def parts(memory: float) -> tuple[Vector, Matrix, float, float]:
        """Coefficients, their covariance for errors of variance 1, that variance, and log determinants."""
        root = np.linalg.cholesky(np.sign(memory) ** apart * np.abs(memory) ** apart if memory else np.eye(len(at)))
        x, y = np.linalg.solve(root, matrix), np.linalg.solve(root, value)
        inverse = np.linalg.inv(x.T @ x)
        at_best = inverse @ (x.T @ y)
        return (
            at_best,
            inverse,
            float(np.sum((y - x @ at_best) ** 2)) / left,
            (2 * float(np.log(np.diag(root)).sum()) - float(np.linalg.slogdet(inverse)[1])),
        )

    def minus(memory: float, log_variance: float | None = None) -> float:
        _, _, variance, logs = parts(memory)
        used = variance if log_variance is None else math.exp(log_variance)
        return 0.5 * (left * math.log(used) + logs + left * variance / used)

    if parts(0.0)[2] < 1e-20 * max(float(np.var(value)), 1e-300):  # no errors: nothing to remember
        return Fit(parts(0.0)[0], np.zeros((matrix.shape[1],) * 2), 0.0, np.zeros(matrix.shape[1]))
    best = float(minimize_scalar(minus, bounds=(-MEMORY, MEMORY), method="bounded", options={"xatol": 1e-9}).x)
    coefficients, inverse, variance, _ = parts(best)
    return Fit(coefficients, variance * inverse, best, freedom(parts, minus, best, variance, left))


def freedom(parts, minus, memory: float, variance: float, left: int) -> Vector:  # type: ignore[no-untyped-def]
    """Satterthwaite's degrees of freedom (k,): twice the squared variance over the variance of the variance."""
    step, point = 1e-3, np.array([math.log(variance), memory])

    def each(theta: Vector) -> Vector:
        return np.asarray(math.exp(theta[0]) * np.diag(parts(float(theta[1]))[1]))

    def height(theta: Vector) -> float:
        return float(minus(float(theta[1]), float(theta[0])))

    moves = np.eye(2) * step
    slope = np.array([(each(point + move) - each(point - move)) / (2 * step) for move in moves])
    bend = np.array(
        [
            [
                (height(point + a + b) - height(point + a - b) - height(point - a + b) + height(point - a - b))
                / (4 * step**2)
                for b in moves
            ]
            for a in moves
        ]
    )
    try:
        spread = np.linalg.inv(bend)
    except np.linalg.LinAlgError:
        return np.ones(slope.shape[1])
    doubt = np.einsum("ik,ij,jk->k", slope, spread, slope)
    found = np.divide(2 * each(point) ** 2, doubt, out=np.full(len(doubt), float(left)), where=doubt > 0)
    return np.clip(found, 1.0, left)
