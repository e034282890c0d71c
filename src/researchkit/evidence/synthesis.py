"""Several studies of one contrast, made into one: random effects, and what they leave open.

Own code because no Python library gives restricted likelihood, an interval that is never narrower than the plain one,
and a prediction interval together; statsmodels' moment estimate of the variance between studies can be negative.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from researchkit.errors import EstimationError, listing

Vector = NDArray[np.float64]

METHODS = {"REML": "restricted maximum likelihood", "PM": "Paule and Mandel"}
FEW_FOR_SMALL = 10  # studies, below which a test of small studies tells nothing (Sterne and others 2011, BMJ 343:d4002)
GRID = 400  # variances that are tried before the best is refined


@dataclass(frozen=True)
class Synthesis:
    """The mean of k studies' effects, in their metric.

    `se` is Hartung and Knapp's, never below the plain one, with k - 1 degrees of freedom; `low` and `high` are NaN for
    two studies, whose interval would tell nothing. `tau2` is the variance between studies, `q` Cochran's with its p
    (`p_q`), `i2` the share of the variance that is between studies. A new study's true effect is expected between
    `next_low` and `next_high` (NaN below three studies).
    """

    k: int
    method: str
    estimate: float
    se: float
    low: float
    high: float
    p: float
    tau2: float
    q: float
    p_q: float
    i2: float
    next_low: float
    next_high: float


@dataclass(frozen=True)
class Asymmetry:
    """Whether small studies find more: the slope on the standard error, and the estimate as that goes to 0."""

    t: float
    df: int
    p: float
    limit: float


def random_effects(estimates: ArrayLike, errors: ArrayLike, *, method: str = "REML", level: float = 0.95) -> Synthesis:
    """Pool the estimates (k,) of independent studies with their standard errors (k,).

    Parameters
    ----------
    method
        "REML" or "PM" (Paule and Mandel) for the variance between studies; both stop at zero.

    Raises
    ------
    EstimationError
        With fewer than two studies, or values that are not finite, or an error that is not positive.

    References
    ----------
    Hartung and Knapp (2001), Statistics in Medicine 20, 3875-3889; its floor: Röver, Knapp and Friede (2015), BMC
    Medical Research Methodology 15:99. Prediction: Higgins, Thompson and Spiegelhalter (2009), JRSS A 172, 137-159.
    R: `metafor::rma(yi, vi, method = "REML", test = "adhoc")`; of its own prediction interval the df are k - 1.
    """
    from scipy import special  # `scipy.stats` gives the same, and takes half a second to load

    y, v = _checked(estimates, errors)
    k = len(y)
    tau2 = {"REML": _restricted, "PM": _paule_mandel}[method](y, v)
    weight = 1 / (v + tau2)
    mean = float(weight @ y / weight.sum())
    spread = float(weight @ (y - mean) ** 2 / (k - 1))
    se = math.sqrt(max(1.0, spread) / weight.sum())
    half = float(special.stdtrit(k - 1, (1 + level) / 2)) * se if k > 2 else math.nan
    reach = float(special.stdtrit(k - 2, (1 + level) / 2)) * math.sqrt(tau2 + se**2) if k > 2 else math.nan
    fixed = 1 / v
    q = float(fixed @ (y - fixed @ y / fixed.sum()) ** 2)
    typical = (k - 1) * fixed.sum() / (fixed.sum() ** 2 - (fixed**2).sum())
    return Synthesis(
        k=k,
        method=method,
        estimate=mean,
        se=se,
        low=mean - half,
        high=mean + half,
        p=float(2 * special.stdtr(k - 1, -abs(mean / se))),
        tau2=tau2,
        q=q,
        p_q=float(special.chdtrc(k - 1, q)),
        i2=tau2 / (tau2 + typical),
        next_low=mean - reach,
        next_high=mean + reach,
    )


def leave_one_out(estimates: ArrayLike, errors: ArrayLike, **more: Any) -> list[Synthesis]:
    """The same without each study in turn (k syntheses); none where fewer than three studies are there.

    R: `metafor::leave1out`.
    """
    y, e = np.asarray(estimates, dtype=float), np.asarray(errors, dtype=float)
    if len(y) < 3:
        return []
    return [random_effects(np.delete(y, place), np.delete(e, place), **more) for place in range(len(y))]


def small_studies(estimates: ArrayLike, errors: ArrayLike) -> Asymmetry | None:
    """Egger's regression of the estimate on its standard error, weighted; None below ten studies.

    Egger and others (1997), BMJ 315, 629-634. R: `metafor::regtest(yi, vi, model = "lm")`.
    """
    from scipy import special

    y, v = _checked(estimates, errors)
    if (k := len(y)) < FEW_FOR_SMALL:
        return None
    root = 1 / np.sqrt(v)
    rows = np.column_stack([root, np.ones(k)])  # (1, se) / se
    inverse = np.linalg.inv(rows.T @ rows)
    limit, slope = inverse @ (rows.T @ (y * root))
    rest = y * root - rows @ [limit, slope]
    t = float(slope / math.sqrt(inverse[1, 1] * (rest @ rest) / (k - 2)))
    return Asymmetry(t, k - 2, float(2 * special.stdtr(k - 2, -abs(t))), float(limit))


def _checked(estimates: ArrayLike, errors: ArrayLike) -> tuple[Vector, Vector]:
    """Estimates and variances (k,)."""
    y, e = np.asarray(estimates, dtype=float), np.asarray(errors, dtype=float)
    problems = []
    if y.shape != e.shape or y.ndim != 1:
        problems.append(f"estimates and errors are two lists of one length; they are of shape {y.shape} and {e.shape}.")
    elif len(y) < 2:
        problems.append("one study is quoted, not pooled; at least two are needed.")
    elif wrong := int((~(np.isfinite(y) & np.isfinite(e) & (e > 0))).sum()):
        problems.append(f"{wrong} of them have no finite estimate with a standard error above 0. Leave them out.")
    if problems:
        raise EstimationError(listing("The studies to be pooled", problems))
    return y, e**2


def _restricted(y: Vector, v: Vector) -> float:
    """The variance between studies of greatest restricted likelihood, at least 0."""

    def slope(tau2: float) -> float:
        w = 1 / (v + tau2)
        rest = y - w @ y / w.sum()
        return float((w**2) @ rest**2 - (w.sum() - (w**2).sum() / w.sum()))

    def unlikely(tau2: float) -> float:
        w = 1 / (v + tau2)
        return float(w @ (y - w @ y / w.sum()) ** 2 - np.log(w).sum() + np.log(w.sum()))

    tried = np.append(0.0, np.geomspace(1e-8, 1e2, GRID) * max(float(np.var(y)), float(v.mean()), 1e-12))
    best = int(np.argmin([unlikely(tau2) for tau2 in tried]))  # there can be several peaks
    return _root(slope, float(tried[max(best - 1, 0)]), float(tried[min(best + 1, len(tried) - 1)]))


def _paule_mandel(y: Vector, v: Vector) -> float:
    """The variance between studies at which Cochran's Q is what is expected of it, at least 0."""

    def beyond(tau2: float) -> float:
        w = 1 / (v + tau2)
        return float(w @ (y - w @ y / w.sum()) ** 2 - (len(y) - 1))

    return _root(beyond, 0.0, 10 * (float(np.var(y)) + float(v.max())))


def _root(falling: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that falls crosses zero; the lower end where it is below it there."""
    from scipy.optimize import brentq

    return low if falling(low) <= 0 else float(brentq(falling, low, high, xtol=1e-15, rtol=1e-14))


def names(method: str) -> str:
    """How the variance between studies was found, in words."""
    return METHODS[method]


def weights(synthesis: Synthesis, errors: ArrayLike) -> Vector:
    """What share (k,) of the mean each study is."""
    weight = 1 / (np.asarray(errors, dtype=float) ** 2 + synthesis.tau2)
    return np.asarray(weight / weight.sum())
