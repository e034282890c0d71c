"""Any smooth function of means, with errors that know of clusters and weights: the delta method, by its influence.

A correlation, one corrected for a narrowed range, the difference of two of them, a share: each is a function of means
of columns. How far each row (or cluster) pulls it is its influence, and the sum of their squares the variance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from researchkit.estimators.effect import Matrix, Vector
from researchkit.estimators.linear import summed

STEP = 1e-6  # of a column's spread: small against any curvature, large against rounding
GROUP = 3  # units that a correlation uses up: with it, 1/n becomes Fisher's 1/(n - 3)


@dataclass(frozen=True)
class Found:
    """Values (k,) with their covariance (k, k), and how many units (clusters, or rows) they come from."""

    values: Vector
    covariance: Matrix
    units: int

    def se(self, place: int = 0) -> float:
        return float(np.sqrt(max(float(self.covariance[place, place]), 0.0)))

    def along(self, contrast: Vector) -> tuple[float, float]:
        """A contrast (k,) of the values with its standard error."""
        return float(contrast @ self.values), float(np.sqrt(max(float(contrast @ self.covariance @ contrast), 0.0)))


def of_means(
    columns: Matrix,
    function: Callable[[Vector], Vector],
    cluster: NDArray[np.int64] | None = None,
    weights: Vector | None = None,
    spent: int = 1,
) -> Found:
    """A function of the weighted means of `columns` (n, m), which gives k values, with its delta-method covariance.

    `spent` units are taken off in the factor G / (G - spent): 1 for a mean, 3 for a correlation.

    References
    ----------
    Binder (1983), International Statistical Review 51, 279-292: variances of functions of totals by linearising.
    """
    share = np.full(len(columns), 1 / len(columns)) if weights is None else weights / weights.sum()
    at = share @ columns
    influence = share[:, None] * ((columns - at) @ gradient(function, at, columns.std(axis=0)).T)
    pulls = influence if cluster is None else summed(influence, cluster)
    units = len(pulls)
    factor = units / max(units - spent, 1)
    return Found(np.asarray(function(at)), factor * pulls.T @ pulls, units)


def gradient(function: Callable[[Vector], Vector], at: Vector, spread: Vector) -> Matrix:
    """Slopes (k, m) of a function at some means (m,), by small steps both ways."""
    steps = STEP * np.where(spread > 0, spread, 1.0)
    sides = [
        (np.asarray(function(at + move)) - np.asarray(function(at - move))) / (2 * step)
        for step, move in zip(steps, np.diag(steps), strict=True)
    ]
    return np.column_stack(sides)


def moments(*columns: Vector) -> Matrix:
    """Columns, and their products two by two: all that means, spreads and correlations are made of."""
    products = [one * other for place, one in enumerate(columns) for other in columns[place:]]
    return np.column_stack([*columns, *products])


def covariances(means: Vector, columns: int) -> Matrix:
    """The covariance matrix behind the means of `moments` of so many columns."""
    matrix = np.empty((columns, columns))
    above = np.triu_indices(columns)
    matrix[above] = means[columns:]
    matrix.T[above] = means[columns:]
    return np.asarray(matrix - np.outer(means[:columns], means[:columns]))


def correlation(means: Vector) -> Vector:
    """The correlation of two columns, from their `moments`."""
    found = covariances(means, 2)
    return np.array([found[0, 1] / np.sqrt(found[0, 0] * found[1, 1])])


def unrestricted(means: Vector, sd: float, case: int) -> Vector:
    """The correlation of x and y among all who could be chosen, and that among the chosen.

    Case 2: they were chosen by x, whose standard deviation among all is `sd`; `means` are the moments of (x, y). Case
    3: chosen by z; `means` are those of (x, y, z).

    References
    ----------
    Thorndike (1949), Personnel Selection, 169-176. Agrees with R `psych::rangeCorrection(case = 2)`; case 3 with
    Lawley's formula in matrices.
    """
    found = covariances(means, case)
    spread = np.sqrt(np.diag(found))
    r = found / np.outer(spread, spread)
    more = (sd / spread[0 if case == 2 else 2]) ** 2 - 1
    if case == 2:
        whole = r[0, 1] * np.sqrt(1 + more) / np.sqrt(1 + r[0, 1] ** 2 * more)
    else:
        across = r[0, 1] + r[0, 2] * r[1, 2] * more
        whole = across / np.sqrt((1 + r[0, 2] ** 2 * more) * (1 + r[1, 2] ** 2 * more))
    return np.array([whole, r[0, 1]])
