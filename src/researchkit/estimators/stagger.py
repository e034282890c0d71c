"""Group-time effects: each start against those that have not started, from the same last time before to each time.

A two-way fixed-effects regression would also hold late starters against early ones, whose own effect still grows, and
can turn the sign (see `twfe`). Here nobody who has started is ever a comparison.

References
----------
Callaway and Sant'Anna (2021), Journal of Econometrics 225, 200-230, equations 2.8 and 3.2 (unconditional, `did::att_gt`
with `base_period = "universal"`). The standard error leaves out each cluster in turn (CR3), for cohorts are small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from researchkit.estimators.effect import Matrix, Vector
from researchkit.estimators.panel import Panel

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Contrasts:
    """K comparisons of the starters of one period with others, at one time. `treated` and `compared` (K, U) weigh the
    units on either side; `change` (1 + p, K, U) is what each cell moved since the base; `base` (K, T) the periods
    that the change is counted from; `event` (K,) periods since the start (0 is the first treated one)."""

    cohort: NDArray[np.int64]
    period: NDArray[np.int64]
    treated: Matrix
    compared: Matrix
    change: Matrix
    base: Matrix

    @property
    def event(self) -> NDArray[np.int64]:
        return self.period - self.cohort


@dataclass(frozen=True)
class Found:
    """A linear combination of comparisons: its estimate, standard error and degrees of freedom; `left` (C,) holds the
    estimate without each cluster, `loads` (U, T) the weight of each cell. `se` is NaN where one cluster carries it."""

    estimate: float
    se: float
    df: float
    left: Vector
    loads: Matrix


def contrasts(
    cells: Panel, comparison: str = "not yet", anticipation: int = 0, before: str = "last", start: Vector | None = None
) -> Contrasts:
    """Every comparison that the data allow; none where nobody is left who had not started."""
    begins = cells.start if start is None else start
    periods = len(cells.periods)
    kept: list[tuple[int, int, Vector, Vector, Matrix, Vector]] = []
    for cohort in np.unique(begins[begins < periods]):
        last = int(cohort) - 1 - anticipation
        if last < 0:
            continue
        base = np.zeros(periods, dtype=bool)
        base[0 if before == "all" else last : last + 1] = True
        level = mean_over(cells.values, base)
        for period in range(periods):
            if before == "last" and period == last:
                continue
            free = begins > max(period, last) + anticipation if comparison == "not yet" else begins == periods
            free = free & (begins != cohort)
            change = cells.values[:, :, period] - level
            there = np.isfinite(change).all(axis=0)
            one, other = ((cells.weight * (side & there)) for side in (begins == cohort, free))
            if one.any() and other.any():
                kept.append((int(cohort), period, one, other, np.where(there, change, 0.0), base / base.sum()))
    if not kept:
        nothing = np.zeros((0, len(begins)))
        whole = np.zeros(0, dtype=int)
        return Contrasts(whole, whole, nothing, nothing, np.zeros((len(cells.values), 0, len(begins))), nothing)
    columns = [np.array(part) for part in zip(*kept, strict=True)]
    return Contrasts(columns[0], columns[1], columns[2], columns[3], columns[4].swapaxes(0, 1), columns[5])


def mean_over(values: Matrix, base: Flags) -> Matrix:
    """Mean (p, U) of the cells of some periods that are there; NaN where none is."""
    chosen = values[:, :, base]
    count = np.isfinite(chosen).sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(np.isfinite(chosen), chosen, 0.0).sum(axis=2) / count)


class Combined:
    """Estimates of every comparison, with and without each cluster, ready to be averaged."""

    def __init__(self, cells: Panel, found: Contrasts) -> None:
        self.cells, self.found = cells, found
        self.mass = found.treated.sum(axis=1)
        self.mass_left = self.mass[:, None] - by_cluster(found.treated, cells)
        other = found.compared.sum(axis=1)
        other_left = other[:, None] - by_cluster(found.compared, cells)
        tiny = 1e-9 * self.mass[:, None]
        self.stays = (self.mass_left > tiny) & (other_left > 1e-9 * other[:, None])
        means, lefts = [], []
        for weights, total, total_left in (
            (found.treated, self.mass, self.mass_left),
            (found.compared, other, other_left),
        ):
            sums = np.einsum("ku,zku->zk", weights, found.change)
            gone = np.array([by_cluster(weights * change, cells) for change in found.change])
            means.append(sums / total)
            lefts.append((sums[:, :, None] - gone) / np.where(self.stays, total_left, 1.0))
        slopes, slopes_left = slopes_of(cells.products)
        every, left = means[0] - means[1], lefts[0] - lefts[1]
        self.slopes = slopes
        self.each = every[0] - slopes @ every[1:]
        self.each_left = left[0] - np.einsum("cp,pkc->kc", slopes_left, left[1:])

    def average(self, chosen: Flags) -> Found:
        """The mean of some comparisons (K,), each weighed by the started rows (or units) behind it."""
        weight = self.mass * chosen
        weight_left = np.where(self.stays, self.mass_left, 0.0) * chosen[:, None]
        total = weight_left.sum(axis=0)
        with np.errstate(invalid="ignore", divide="ignore"):
            left = (weight_left * self.each_left).sum(axis=0) / total  # NaN where nothing is left
        share = weight / weight.sum()
        return judged(float(share @ self.each), left, self.loads(share), self.cells.cluster)

    def loads(self, share: Vector) -> Matrix:
        """Weight (U, T) of each cell's mean in a combination of comparisons."""
        found, periods = self.found, len(self.cells.periods)
        moves = np.eye(periods)[found.period] - found.base
        sides = found.treated / self.mass[:, None] - found.compared / found.compared.sum(axis=1)[:, None]
        return np.asarray((sides * share[:, None]).T @ moves)


def by_cluster(values: Matrix, cells: Panel) -> Matrix:
    """Sums (K, C) of values (K, U) over the units of each cluster."""
    sums = np.zeros((int(cells.cluster.max()) + 1, len(values)))
    np.add.at(sums, cells.cluster, values.T)
    return sums.T


def slopes_of(products: Matrix) -> tuple[Vector, Matrix]:
    """Slopes (p,) of the covariates, and (C, p) without each cluster."""
    whole = products.sum(axis=0)
    parts = whole - products
    return np.linalg.pinv(whole[1:, 1:]) @ whole[1:, 0], np.einsum(
        "cij,cj->ci", np.linalg.pinv(parts[:, 1:, 1:]), parts[:, 1:, 0]
    )


def judged(estimate: float, left: Vector, loads: Matrix, cluster: NDArray[np.int64]) -> Found:
    """The estimate with the standard error of the jackknife over clusters.

    Degrees of freedom as in Satterthwaite's approximation, were all cells equally uncertain: few where one unit, or
    one cohort of few, carries most of the weight.
    """
    clusters = len(left)
    se = math.sqrt((clusters - 1) / clusters * float(np.sum((left - estimate) ** 2)))
    share = np.bincount(cluster, (loads**2).sum(axis=1))
    df = max(float(share.sum() ** 2 / (share**2).sum()) - 1, 1.0) if share.sum() else 1.0
    return Found(estimate, se if se > 0 else math.nan, df, left, loads)


def combined(parts: list[Found], by: Vector, cluster: NDArray[np.int64]) -> Found:
    """A linear combination of averages."""
    left = np.asarray(by @ np.array([part.left for part in parts]))
    estimate = float(by @ np.array([part.estimate for part in parts]))
    return judged(estimate, left, np.tensordot(by, np.array([part.loads for part in parts]), 1), cluster)
