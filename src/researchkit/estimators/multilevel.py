"""People in teams: random intercepts and slopes by REML, and how much of a score belongs to the team.

Fitted on cross products by cluster, with the criterion of lme4 profiled down to the random effects' relative size, so
that the optimiser moves 1 number (intercepts) or 3 (intercepts and slopes). Written here because `MixedLM` of
statsmodels gives standard errors that are not (X'V^-1X)^-1 in unbalanced data and stops at variances of 1e-4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError
from researchkit.estimators.effect import Matrix, Vector

SINGULAR = 1e-4  # lme4's: random effects with a standard deviation below this share of the residuals' are none


@dataclass(frozen=True)
class Mixed:
    """A linear mixed model of k columns with q random effects a cluster.

    `covariance` (k, k) is (X'V^-1X)^-1; `between` (q, q) the random effects' covariance; `df` (k,) Satterthwaite's
    degrees of freedom; `criterion` is -2 times the REML log-likelihood with R's constant.
    """

    coefficients: Vector
    covariance: Matrix
    df: Vector
    between: Matrix
    within: float
    criterion: float

    @property
    def icc(self) -> float:
        """Share of the variance that lies between clusters (at the random slope's zero)."""
        return float(self.between[0, 0] / (self.between[0, 0] + self.within))

    @property
    def singular(self) -> bool:
        """Whether the random effects vary in fewer ways than the model has, by lme4's rule for `isSingular`."""
        smallest = float(np.linalg.eigvalsh(self.between / self.within)[0])
        return smallest < SINGULAR**2


@dataclass(frozen=True)
class _Products:
    """Cross products by cluster: zz (G, q, q), zx (G, q, k), zy (G, q); and over all rows xx, xy, yy; n."""

    zz: Matrix
    zx: Matrix
    zy: Matrix
    xx: Matrix
    xy: Vector
    yy: float
    n: int


def random_intercept(outcome: Vector, matrix: Matrix, cluster: NDArray[np.int64], slope: Vector | None = None) -> Mixed:
    """Fit outcome (n,) on `matrix` (n, k, its intercept included); clusters differ in level and, if given, in `slope`.

    Raises
    ------
    EstimationError
        With fewer than 3 clusters, without a cluster of 2 rows, or if the search for the variances fails.

    References
    ----------
    Bates, Maechler, Bolker and Walker (2015), Journal of Statistical Software 67(1), equations 30 to 42. Agrees with R
    `lme4::lmer(y ~ x + (1 | g))`, `(x | g)`, and `lmerTest` for the degrees of freedom.
    """
    codes, code = np.unique(cluster, return_inverse=True)
    if len(codes) < 3 or len(codes) == len(outcome):
        raise EstimationError(
            f"{len(codes)} clusters in {len(outcome)} rows: telling clusters from people needs at least 3 clusters, "
            "and some with 2 people or more."
        )
    effects = np.ones((len(outcome), 1)) if slope is None else np.column_stack([np.ones(len(outcome)), slope])
    products = _products(outcome, matrix, effects, code)
    size = effects.shape[1]
    best = _search(products, size)
    return _tell(products, best, size)


def icc(values: Vector, team: NDArray[np.int64]) -> tuple[float, float]:
    """ICC(1), the reliability of one person's score as a measure of the team's, and ICC(2), that of the team's mean.

    By one-way analysis of variance; unequal teams enter with their mean size. ICC(1) may be negative: then people of
    one team are less alike than people of different ones.

    Raises
    ------
    EstimationError
        With fewer than 2 teams, or no team of 2 people.

    References
    ----------
    Bliese (2000), in Klein and Kozlowski, Multilevel Theory, 349-381. Agrees with R `multilevel::ICC1`, `ICC2`, and
    Shrout and Fleiss's ICC(1,1) and ICC(1,k).
    """
    _, code = np.unique(team, return_inverse=True)
    sizes = np.bincount(code)
    groups, n = len(sizes), len(values)
    if groups < 2 or n == groups:
        raise EstimationError(f"{groups} teams and {n} people: an ICC needs 2 teams, and some with 2 people or more.")
    means = np.bincount(code, weights=values) / sizes
    between = float(sizes @ (means - np.mean(values)) ** 2) / (groups - 1)
    within = float(np.sum((values - means[code]) ** 2)) / (n - groups)
    if between == 0 and within == 0:
        raise EstimationError("Everybody has the same score, so there is nothing to share between teams and people.")
    single = (between - within) / (between + (n / groups - 1) * within)
    mean = (between - within) / between if between > 0 else float("-inf")
    return float(single), float(mean)


def _products(outcome: Vector, matrix: Matrix, effects: Matrix, code: NDArray[np.int64]) -> _Products:
    order = np.argsort(code, kind="stable")
    starts = np.flatnonzero(np.diff(code[order], prepend=-1))
    z, x, y = effects[order], matrix[order], outcome[order]
    return _Products(
        np.add.reduceat(z[:, :, None] * z[:, None, :], starts),
        np.add.reduceat(z[:, :, None] * x[:, None, :], starts),
        np.add.reduceat(z * y[:, None], starts),
        matrix.T @ matrix,
        matrix.T @ outcome,
        float(outcome @ outcome),
        len(outcome),
    )


def _factor(theta: Vector, size: int) -> Matrix:
    """The lower triangle of the random effects' relative covariance."""
    factor = np.zeros((size, size))
    factor[np.tril_indices(size)] = theta
    return factor


def _solve(products: _Products, theta: Vector, size: int) -> tuple[float, Vector, Matrix, float]:
    """Log-determinant, coefficients, X'V^-1X (for residual variance 1) and weighted residual sum of squares."""
    factor, k = _factor(theta, size), products.xx.shape[0]
    inner = factor.T @ products.zz @ factor + np.eye(size)
    both = np.concatenate([products.zx, products.zy[:, :, None]], axis=2)  # of X and y side by side
    seen = factor.T @ both
    determinant, inverse = _inverted(inner)
    taken = seen.reshape(-1, k + 1).T @ (inverse @ seen).reshape(-1, k + 1)
    xx, xy = products.xx - taken[:k, :k], products.xy - taken[:k, k]
    coefficients = np.linalg.solve(xx, xy)
    rest = products.yy - float(taken[k, k]) - float(coefficients @ xy)
    return float(np.sum(np.log(determinant))), coefficients, xx, rest


def _inverted(inner: Matrix) -> tuple[Vector, Matrix]:
    """Determinants and inverses of many matrices of 1 or 2 rows."""
    if inner.shape[1] == 1:
        return inner[:, 0, 0], 1 / inner
    determinant = inner[:, 0, 0] * inner[:, 1, 1] - inner[:, 0, 1] * inner[:, 1, 0]
    turned = np.empty_like(inner)
    turned[:, 0, 0], turned[:, 1, 1] = inner[:, 1, 1], inner[:, 0, 0]
    turned[:, 0, 1], turned[:, 1, 0] = -inner[:, 0, 1], -inner[:, 1, 0]
    return determinant, turned / determinant[:, None, None]


def _deviance(products: _Products, theta: Vector, size: int, within: float | None = None) -> float:
    """-2 REML log-likelihood, at the best residual variance or at a given one."""
    log_inner, coefficients, xx, rest = _solve(products, theta, size)
    free = products.n - len(coefficients)
    within = rest / free if within is None else within
    if within <= 0:
        return np.inf
    return log_inner + float(np.linalg.slogdet(xx)[1]) + free * np.log(2 * np.pi * within) + rest / within


def _search(products: _Products, size: int) -> Vector:
    """The relative factor with the smallest criterion: a coarse search, then Nelder and Mead to the last digits."""
    from scipy.optimize import minimize

    start = np.eye(size)[np.tril_indices(size)]
    scale = np.sqrt(np.trace(products.zz.sum(axis=0)[:1, :1]) / products.zz[:, range(size), range(size)].sum(axis=0))
    start[np.cumsum(np.arange(1, size + 1)) - 1] = scale
    scales = np.array([scale[row] for row in np.tril_indices(size)[0]])
    found, rounding = start, 1e-12 * abs(_deviance(products, start, size))
    for width, exact in ((0.3, 1e-4), (1e-2, 1e-6), (1e-4, 1e-7)):  # restarts: a collapsed simplex is not a minimum
        corners = found + np.vstack([np.zeros(len(found)), width * np.diag(scales)])
        options = {"xatol": exact, "fatol": 1e-3 * exact + rounding, "maxfev": 2000, "initial_simplex": corners}
        with np.errstate(invalid="ignore"):  # infinity less infinity, where the columns tell the outcome exactly
            result = minimize(lambda at: _deviance(products, at, size), found, method="Nelder-Mead", options=options)
        found = result.x
    if not np.isfinite(result.fun):
        raise EstimationError("The mixed model's variances could not be found: the columns tell the outcome exactly.")
    return np.asarray(found)


def _tell(products: _Products, theta: Vector, size: int) -> Mixed:
    _, coefficients, xx, rest = _solve(products, theta, size)
    within = rest / (products.n - len(coefficients))
    factor = _factor(theta, size)
    covariance = within * np.linalg.inv(xx)
    return Mixed(
        coefficients,
        covariance,
        _satterthwaite(products, theta, within, size),
        within * factor @ factor.T,
        within,
        _deviance(products, theta, size),
    )


def _satterthwaite(products: _Products, theta: Vector, within: float, size: int) -> Vector:
    """2 V^2 / (g'Ag) for each coefficient's variance V; g is its gradient, A twice the criterion's inverse Hessian.

    Both by central differences in (theta, residual standard deviation), as lmerTest does; where the search has ended at
    a variance of 0, the criterion may be flat, and those directions are left out.
    """
    at = np.append(theta, np.sqrt(within))
    steps = 1e-3 * np.maximum(np.abs(at), 0.1)

    def deviance(place: Vector) -> float:
        return _deviance(products, place[:-1], size, place[-1] ** 2)

    def variances(place: Vector) -> Vector:
        return np.diag(place[-1] ** 2 * np.linalg.inv(_solve(products, place[:-1], size)[2]))

    moves = np.diag(steps)
    gradient = np.array([(variances(at + m) - variances(at - m)) / (2 * s) for m, s in zip(moves, steps, strict=True)])
    hessian = np.empty((len(at), len(at)))
    for i, one in enumerate(moves):
        for j, two in enumerate(moves):
            corners = deviance(at + one + two) - deviance(at + one - two) - deviance(at - one + two)
            hessian[i, j] = (corners + deviance(at - one - two)) / (4 * steps[i] * steps[j])
    spread = 2 * _pseudo_inverse(hessian)
    below = np.einsum("ik,ij,jk->k", gradient, spread, gradient)
    return np.divide(2 * variances(at) ** 2, below, out=np.full(len(below), np.nan), where=below > 0)


def _pseudo_inverse(hessian: Matrix) -> Matrix:
    values, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
    up = values > 1e-8
    kept = vectors[:, up]
    return (kept / values[up]) @ kept.T
