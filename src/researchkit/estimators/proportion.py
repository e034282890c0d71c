"""One share with an interval that holds near 0 and 1, and where rows share clusters or stand for different numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from researchkit.estimators.effect import Vector
from researchkit.estimators.linear import summed


@dataclass(frozen=True)
class Share:
    """A share (0 to 1) with its limits; `se` is that of the middle of the interval, `df` None for the normal."""

    value: float
    low: float
    high: float
    se: float
    n: int
    df: float | None


def share(
    yes: Vector, cluster: NDArray[np.int64] | None = None, weights: Vector | None = None, level: float = 0.95
) -> Share:
    """The share of `yes` (n,) of 0 and 1, weighted, with Wilson's limits.

    With clusters or weights, Wilson's formula gets the number of independent rows that would be worth as much, and
    Student's t with one degree of freedom less than there are clusters; never more than there are rows. Where all or
    none is yes the spread cannot be seen; then weights alone say how many rows they are worth, and of clusters each
    counts as one.

    References
    ----------
    Wilson (1927), Journal of the American Statistical Association 22, 209-212; Korn and Graubard (1998), Survey
    Methodology 24, 193-201 (the effective number). Agrees with R `prop.test(x, n, correct = FALSE)` where there are
    neither clusters nor weights.
    """
    from scipy import special

    n, tail = len(yes), (1 + level) / 2
    part = np.full(n, 1 / n) if weights is None else weights / weights.sum()
    both = bool(np.ptp(yes) > 0)
    value = float(part @ yes) if both else float(yes[0])
    pulls = part * (yes - value)
    groups = n if cluster is None else len(np.unique(cluster))
    df = None if cluster is None else float(max(groups - 1, 1))
    z = float(special.ndtri(tail) if df is None else special.stdtrit(df, tail))
    if cluster is None and weights is None:
        worth = float(n)
    elif both:
        each = pulls if cluster is None else summed(pulls[:, None], cluster)[:, 0]
        variance = float(each @ each) * groups / max(groups - 1, 1)
        worth = min(value * (1 - value) / variance, float(n)) if variance > 0 else float(n)
    else:
        worth = min(float(groups), 1 / float(part @ part))
    middle = (value + z**2 / (2 * worth)) / (1 + z**2 / worth)
    half = z / (1 + z**2 / worth) * np.sqrt(value * (1 - value) / worth + z**2 / (4 * worth**2))
    low, high = max(float(middle - half), 0.0), min(float(middle + half), 1.0)
    return Share(value, low, high, float(half / z), n, df)
