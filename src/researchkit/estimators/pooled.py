"""Several answers to one question, one from each completed copy of data with gaps, made into one (Rubin's rules)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from researchkit.errors import EstimationError
from researchkit.estimators.effect import wald


@dataclass(frozen=True)
class Pooled:
    """One number pooled over m completed copies.

    `within` is the mean variance of the copies, `between` the variance of their estimates, `se` the root of within +
    (1 + 1/m) between. `df` is Barnard and Rubin's, infinite where nothing varies between the copies of a sample that
    was read by the normal. `lambda_` is the share of the variance that is due to the gaps, `fmi` the same allowing
    for the finite m, and `monte_carlo_error` what another set of m copies would move the estimate by.
    """

    estimate: float
    se: float
    df: float
    m: int
    within: float
    between: float
    riv: float
    lambda_: float
    fmi: float

    @property
    def monte_carlo_error(self) -> float:
        """Root of between / m (White, Royston and Wood 2011, Statistics in Medicine 30, 377-399, section 7)."""
        return math.sqrt(self.between / self.m)

    def interval(self, level: float = 0.95) -> tuple[float, float, float]:
        """Low, high and two-sided p against 0, by t with `df` degrees of freedom."""
        return wald(self.estimate, self.se, level, self.df if math.isfinite(self.df) else None)


@dataclass(frozen=True)
class Together:
    """A test that several coefficients are all 0: F with `df1` and `df2` degrees of freedom, and its p."""

    f: float
    df1: int
    df2: float
    p: float
    riv: float


def pooled(estimates: ArrayLike, variances: ArrayLike, df_complete: float | None = None) -> Pooled:
    """Pool a number and its variance over m completed copies of the data.

    Parameters
    ----------
    estimates, variances
        (m,) one of each copy, on a scale on which estimates are near to normal; variances are squared standard errors.
    df_complete
        Degrees of freedom that the analysis would have had without gaps, n - k for least squares; None or infinite
        where it is read by the normal.

    Raises
    ------
    EstimationError
        With fewer than 2 copies, numbers that are not finite, or variances that are not above 0.

    References
    ----------
    Rubin (1987), Multiple Imputation for Nonresponse in Surveys, pp. 76-77; degrees of freedom of Barnard and Rubin
    (1999), Biometrika 86, 948-955, equation 3. Agrees with R `mice::pool.scalar(Q, U, n, k)` and `mice::pool`.
    """
    q, u = _checked(estimates, variances)
    m, complete = len(q), math.inf if df_complete is None else float(df_complete)
    if not complete > 0:
        raise EstimationError(f"An analysis has at least some degrees of freedom; {complete} were named.")
    within, between = float(u.mean()), float(q.var(ddof=1))
    added = (1 + 1 / m) * between
    share = added / (within + added)
    df = _degrees(m, share, complete)
    riv = added / within
    fmi = (riv + 2 / (df + 3)) / (riv + 1)
    return Pooled(float(q.mean()), math.sqrt(within + added), df, m, within, between, riv, share, fmi)


def pooled_test(estimates: ArrayLike, covariances: ArrayLike, df_complete: float | None = None) -> Together:
    """The pooled Wald test (D1) that k coefficients are all 0.

    Parameters
    ----------
    estimates, covariances
        (m, k) and (m, k, k), of the tested coefficients alone.
    df_complete
        As for `pooled`.

    Raises
    ------
    EstimationError
        As `pooled`; and with too few copies (k (m - 1) must be above 4) or degrees of freedom for the F distribution.

    References
    ----------
    Li, Raghunathan and Rubin (1991), JASA 86, 1065-1073; with `df_complete`, Reiter (2007), Biometrika 94, 502-508.
    Agrees with R `mice::D1(fit1, fit0)` and `mitml::testModels(method = "D1")`.
    """
    from scipy.special import fdtrc

    q, u = np.asarray(estimates, dtype=float), np.asarray(covariances, dtype=float)
    _checked(q[:, 0], u[:, 0, 0])
    if not (np.isfinite(q).all() and np.isfinite(u).all()):
        raise EstimationError("Some of the coefficients that are tested together are not finite numbers.")
    m, k = q.shape
    if k * (m - 1) <= 4:
        raise EstimationError(f"{m} completed copies are too few to test {k} coefficients together.")
    mean, within = q.mean(axis=0), u.mean(axis=0)
    between = np.atleast_2d(np.cov(q, rowvar=False))
    riv = (1 + 1 / m) * float(np.trace(np.linalg.solve(within, between))) / k
    f = float(mean @ np.linalg.solve((1 + riv) * within, mean)) / k
    df2 = _joint_degrees(m, k, riv, df_complete)
    return Together(f, k, df2, float(fdtrc(k, min(df2, 1e12), f)), riv)


def pooled_df(each: Sequence[float | None]) -> float | None:
    """One number for the degrees of freedom that each completed copy had; None where they are read by the normal.

    They differ a little between copies where they depend on the columns (Satterthwaite's); the mean stands for all.
    """
    known = [one for one in each if one is not None]
    return float(np.mean(known)) if len(known) == len(each) and known else None


def _checked(estimates: Any, variances: Any) -> tuple[Any, Any]:
    q, u = np.asarray(estimates, dtype=float), np.asarray(variances, dtype=float)
    if q.ndim != 1 or q.shape != u.shape:
        raise EstimationError(f"There are {q.size} estimates and {u.size} variances; one of each copy is needed.")
    if len(q) < 2:
        raise EstimationError(f"{len(q)} completed copies cannot be pooled; at least 2 are needed, and 20 are usual.")
    if not (np.isfinite(q).all() and np.isfinite(u).all() and (u > 0).all()):
        raise EstimationError("A completed copy gave no finite estimate or no standard error, so there is no pooling.")
    return q, u


def _degrees(m: int, share: float, complete: float) -> float:
    """Barnard and Rubin's degrees of freedom; `share` is lambda. Without gaps, those left of the complete data."""
    old = (m - 1) / share**2 if share > 0 else math.inf
    if math.isinf(complete):
        return old
    observed = (complete + 1) / (complete + 3) * complete * (1 - share)
    return observed if math.isinf(old) else old * observed / (old + observed)


def _joint_degrees(m: int, k: int, riv: float, complete: float | None) -> float:
    """The second degrees of freedom of D1; infinite where nothing varies between the copies."""
    t = k * (m - 1)
    if complete is None or math.isinf(complete):
        return math.inf if riv <= 0 else 4 + (t - 4) * (1 + (1 - 2 / t) / riv) ** 2
    a, seen = riv * t / (t - 2), (complete + 1) / (complete + 3) * complete
    c0, c1, c2 = 1 / (t - 4), seen - 2 * (1 + a), seen - 4 * (1 + a)
    if c2 <= 0:
        raise EstimationError("Too few degrees of freedom are left for a test of several coefficients together.")
    z = 1 / c2
    z += c0 * a**2 * c1 / ((1 + a) ** 2 * c2)
    z += c0 * (8 * a**2 * c1 / ((1 + a) * c2**2) + 4 * a**2 / ((1 + a) * c2))
    z += c0 * (4 * a**2 / (c2 * c1) + 16 * a**2 * c1 / c2**3)
    return 4 + 1 / (z + c0 * 8 * a**2 / c2**2)
