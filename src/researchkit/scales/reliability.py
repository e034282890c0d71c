"""How well the items of a scale hang together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import DataError


def item_rest(items: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of each item with the sum of the others; `items` has shape (n, k), without gaps.

    Agrees with `r.drop` of R's psych::alpha.
    """
    rest = items.sum(axis=1, keepdims=True) - items
    here, there = items - items.mean(axis=0), rest - rest.mean(axis=0)
    together = (here * there).sum(axis=0)
    result: NDArray[np.float64] = together / np.sqrt((here**2).sum(axis=0) * (there**2).sum(axis=0))
    return result


def cronbach_alpha(items: NDArray[np.float64], level: float = 0.95) -> tuple[float, float, float]:
    """Cronbach's alpha with Feldt's interval.

    Parameters
    ----------
    items
        Answers after reversing, shape (n, k), without gaps.
    level
        Coverage of the interval.

    Raises
    ------
    DataError
        If there are fewer than two rows or items, or nobody differs from anybody.

    References
    ----------
    Feldt, Woodruff & Salih (1987), Applied Psychological Measurement 11, 93-103. Agrees with R psych::alpha.
    """
    from scipy.stats import f

    n, k = items.shape
    if n < 2 or k < 2:
        raise DataError(f"Alpha needs at least 2 rows and 2 items; there are {n} and {k}.")
    total = items.sum(axis=1).var(ddof=1)
    if not total > 0:
        raise DataError("Alpha cannot be computed: everybody has the same total, or a gap is left.")
    alpha = float(k / (k - 1) * (1 - items.var(axis=0, ddof=1).sum() / total))
    degrees = n - 1, (n - 1) * (k - 1)
    low = 1 - (1 - alpha) * f.ppf((1 + level) / 2, *degrees)
    high = 1 - (1 - alpha) * f.ppf((1 - level) / 2, *degrees)
    return alpha, float(low), float(high)


def omega(items: NDArray[np.float64]) -> float:
    """McDonald's omega: the share of the sum's variance that one common factor carries, by maximum likelihood.

    Parameters
    ----------
    items
        Answers after reversing, shape (n, k), without gaps; at least 3 items.

    Raises
    ------
    DataError
        If there are fewer items, no more rows than items, or an item that never changes.

    References
    ----------
    McDonald (1999), Test Theory, 90. Agrees with R `lavaan::cfa` of one factor, (sum of loadings)^2 over that plus the
    sum of residual variances, of the raw items.
    """
    from statsmodels.multivariate.factor import Factor

    n, k = items.shape
    spread = items.std(axis=0)
    if k < 3 or n <= k or not (spread > 0).all():
        raise DataError(f"Omega needs at least 3 items that differ and more rows than items; there are {k} and {n}.")
    fit = Factor(endog=items, n_factor=1, method="ml").fit(maxiter=1000, tol=1e-12)
    # It takes the eigenvalues of a symmetric matrix for those of any: since numpy 2.5 these are complex numbers.
    loadings, uniqueness = np.real(fit.loadings[:, 0]) * spread, np.real(fit.uniqueness)
    common = float(loadings.sum()) ** 2
    return common / (common + float(np.sum(uniqueness * spread**2)))
