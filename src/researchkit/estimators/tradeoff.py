"""Two outcomes at once: what the exposure does to each, their joint errors, and the gain less the price."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from researchkit.errors import EstimationError, listing
from researchkit.estimators import crossed, refuse
from researchkit.estimators.design import Design, design
from researchkit.estimators.effect import Effect, Matrix, Model, Term, Vector, told, wald
from researchkit.estimators.linear import Line, Spread, cr2, hc3, least_squares
from researchkit.readers.values import canonical

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question


@dataclass(frozen=True)
class Both:
    """Effects (2,) on the outcome and on the other, with their covariance (2, 2) and degrees of freedom (2,)."""

    values: Vector
    covariance: Matrix
    df: Vector

    def net(self, price: float) -> tuple[float, float]:
        """The first effect plus `price` times the second, with its standard error."""
        along = np.array([1.0, price])
        return float(along @ self.values), float(math.sqrt(max(along @ self.covariance @ along, 0.0)))

    def region(self, level: float) -> tuple[Vector, Matrix]:
        """Centre (2,) of the joint region of both effects, and the matrix (2, 2) that takes a circle to its edge.

        Hotelling's T² with the fewer degrees of freedom of the two: the edge is 2 v / (v - 1) F(2, v - 1) away.
        """
        from scipy import special

        v = max(float(self.df.min()), 1.01)
        reach = math.sqrt(2 * v / (v - 1) * float(special.fdtri(2, v - 1, level)))
        values, vectors = np.linalg.eigh(self.covariance)
        return self.values, reach * vectors * np.sqrt(np.maximum(values, 0.0))


def tradeoff(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """The change of the outcome less the price of the change of the other, in the outcome's unit.

    Both are fitted by straight lines on the same columns, so that the line of (outcome - price x other) is the
    headline, with its own errors: HC3, CR2 with Satterthwaite degrees of freedom, or CR1 two ways, as for a score.

    Raises
    ------
    EstimationError
        As `score`; and if the other outcome holds words, infinite numbers or one value only.

    References
    ----------
    Agrees with R `lm` of the combined outcome and `clubSandwich::coef_test(m, "CR2", cluster, "Satterthwaite")`; the
    joint covariance with `clubSandwich::vcovCR` of the two-column `lm(cbind(y, other) ~ ...)`.
    """
    entry = question.tradeoff
    if entry is None:
        raise EstimationError(f"The question {question.id!r} has no `tradeoff`.")
    other, price = other_of(sample, question), entry.sign(question) * entry.price
    problems = []
    if np.isfinite(other).all() and len(other) and np.ptp(other) == 0:
        problems.append(f"the other outcome ({entry.other}) is the same in all rows, so nothing is traded for it.")
    if bad := int(np.sum(~np.isfinite(other))):
        problems.append(f"the other outcome ({entry.other}) has {bad} infinite entries.")
    notes = refuse.check(sample, question, problems)
    found, errors, columns = both(sample, question)
    line = least_squares(columns.matrix, sample.outcome + price * other, sample.weights)
    spread, back = errors_of(line, sample), float(columns.back[0, 0])
    names = (question.outcome.column, entry.other)
    rows = tuple(
        one_term(name, float(effect), float(variance), level, float(df))
        for name, effect, variance, df in zip(names, found.values, np.diag(found.covariance), found.df, strict=True)
    )
    scale = float(np.sqrt(found.covariance[0, 0] * found.covariance[1, 1]))
    together = Term(
        "correlation of the two errors",
        float(found.covariance[0, 1] / scale) if scale > 0 else math.nan,
        *[math.nan] * 4,
    )
    effect = told(
        sample,
        question,
        level,
        back * float(line.coefficients[0]),
        back * math.sqrt(spread.covariance[0, 0]),
        float(spread.df[0]),
        unit="probability" if question.outcome.kind == "yes_no" else question.outcome.unit or "point",
        method=f"two straight lines in the same rows, {errors} errors{crossed.words(sample)}",
        model=Model("two straight lines", errors, (*rows, together), "each outcome's own unit"),
        notes=(*notes, *columns.notes, *spread.notes, *crossed.thin(sample, float(spread.df[0]))),
    )
    return replace(effect, contrast=f"{effect.contrast}, less the price of {entry.other.replace('_', ' ')}")


def both(sample: Sample, question: Question) -> tuple[Both, str, Design]:
    """The two effects together, the name of their errors, and the columns that they were fitted on.

    Errors are quadratic in the residuals, so that the covariance of two outcomes follows from those of their sum and
    their difference, each in units of its own spread.
    """
    other, columns = other_of(sample, question), design(sample, question.exposure.column)
    spreads = np.array([np.std(sample.outcome), np.std(other)])
    one, two = sample.outcome / spreads[0], other / spreads[1]
    fits = [least_squares(columns.matrix, mixed, sample.weights) for mixed in (one, two, one + two, one - two)]
    found = [errors_of(fit, sample) for fit in fits]
    variance = [float(spread.covariance[0, 0]) for spread in found]
    across = (variance[2] - variance[3]) / 4
    back = float(columns.back[0, 0])
    scale = back * np.diag(spreads)
    covariance = scale @ np.array([[variance[0], across], [across, variance[1]]]) @ scale
    values = back * spreads * np.array([float(fit.coefficients[0]) for fit in fits[:2]])
    return Both(values, covariance, np.array([float(spread.df[0]) for spread in found[:2]])), found[0].errors, columns


def errors_of(line: Line, sample: Sample) -> Spread:
    if sample.cluster is None:
        return hc3(line)
    return cr2(line, sample.cluster) if sample.crossed is None else crossed.cr1(line, sample)


def other_of(sample: Sample, question: Question) -> Vector:
    """The second outcome as numbers."""
    entry = question.tradeoff
    assert entry is not None  # noqa: S101 - `tradeoff` has looked
    values = sample.more[entry.other]
    if entry.yes is not None:
        text = values if values.dtype == object else np.array([canonical(str(float(value))) for value in values])
        return np.array([value == canonical(entry.yes) for value in text], dtype=float)
    if values.dtype == object:
        raise EstimationError(
            listing(
                f"The question {question.id!r}",
                [f"the other outcome ({entry.other}) holds words; say by `yes` which of them counts as 1."],
            )
        )
    return np.asarray(values, dtype=float)


def one_term(name: str, value: float, variance: float, level: float, df: float) -> Term:
    se = math.sqrt(max(variance, 0.0))
    low, high, p = wald(value, max(se, 1e-300), level, df)
    return Term(name, value, se, low, high, p)


def standing(found: Both, goods: tuple[str, str], level: float = 0.95) -> str:
    """How the two effects stand to each other: both better, a trade-off, both worse, or that it cannot be told.

    Each sign must be sure by its own interval. The word is then wrong at most as often as one of them is: no correction
    for two is needed where both must hold (Berger 1982, Technometrics 24, 295-300).
    """
    signs = []
    for place, good in enumerate(goods):
        se = math.sqrt(max(float(found.covariance[place, place]), 1e-300))
        low, high, _ = wald(float(found.values[place]), se, level, float(found.df[place]))
        better = 1 if good == "high" else -1
        signs.append(better if low > 0 else -better if high < 0 else 0)
    if 0 in signs:
        return "cannot tell"
    return {2: "both better", 0: "a trade-off", -2: "both worse"}[sum(signs)]


def worth_it_below(found: Both, sign: float, level: float = 0.95) -> tuple[float, float, float]:
    """The price of the other at which nothing is gained, with Fieller's limits (NaN where they are not an interval).

    References
    ----------
    Fieller (1954), Journal of the Royal Statistical Society B 16, 175-185.
    """
    from scipy import special

    t2 = float(special.stdtrit(float(found.df.min()), (1 + level) / 2)) ** 2
    gain, cost = float(found.values[0]), -sign * float(found.values[1])
    v11, v22, v12 = found.covariance[0, 0], found.covariance[1, 1], -sign * found.covariance[0, 1]
    a, b, c = cost**2 - t2 * v22, gain * cost - t2 * v12, gain**2 - t2 * v11
    inside = b**2 - a * c
    if a <= 0 or inside < 0:
        return gain / cost if cost else math.nan, math.nan, math.nan
    root = math.sqrt(inside)
    return gain / cost, (b - root) / a, (b + root) / a


def priced(effect: Effect, found: Both, price: float) -> Effect:
    """The same effect at another price."""
    value, se = found.net(price)
    low, high, p = wald(value, se, effect.level, effect.df)
    return replace(effect, estimate=value, se=se, low=low, high=high, p=p)
