"""The usual regression of a roll-out, with a level for each unit and each period, and what is wrong with it.

Its coefficient is a weighted mean of the effects of all started cells, and some weights are negative: cells of early
starters in late periods serve as comparisons. Where effects grow with time it can have the wrong sign.

References
----------
de Chaisemartin and D'Haultfoeuille (2020), American Economic Review 110, 2964-2996, theorem 1; Goodman-Bacon (2021),
Journal of Econometrics 225, 254-277. The coefficient agrees with R `lm(y ~ unit + period + D, weights = rows)`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from researchkit.estimators.effect import Matrix
from researchkit.estimators.panel import Panel, within


@dataclass(frozen=True)
class TwoWay:
    """The coefficient, its standard error (CR1), and the weights (U, T) of the started cells, which add up to 1."""

    estimate: float
    se: float
    clusters: int
    weights: Matrix

    @property
    def negative(self) -> float:
        """The share of started cells whose effect counts with the wrong sign."""
        return float(np.mean(self.weights[self.weights != 0] < 0))


def two_way(cells: Panel) -> TwoWay | None:
    """The two-way fixed-effects estimate from the cells; None where the start is told by unit and period alone."""
    there = cells.rows > 0
    unit, time = (part.astype(np.int64) for part in np.nonzero(there))
    mass = (cells.weight / cells.rows.sum(axis=1))[unit] * cells.rows[there]
    outcome, started = cells.values[0][there], cells.treated[there].astype(float)
    rest = within(started, mass, unit, time)
    size = float(mass @ rest**2)
    if size < 1e-9 * mass.sum():
        return None
    estimate = float((mass * rest) @ outcome / size)
    errors = within(outcome - estimate * started, mass, unit, time)
    clusters = int(cells.cluster.max()) + 1
    score = np.bincount(cells.cluster[unit], mass * rest * errors, clusters)
    se = math.sqrt(clusters / max(clusters - 1, 1) * float(score @ score)) / size
    weights = np.zeros(there.shape)
    weights[unit, time] = np.where(started > 0, mass * rest, 0.0)
    return TwoWay(estimate, se, clusters, weights / weights.sum())
