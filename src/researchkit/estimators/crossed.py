"""Errors that rows share: in one kind of cluster, or in two that cut across each other, such as agents and months.

Clusters within clusters need nothing of this: errors summed over the outermost ones hold for all that lies inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from researchkit.estimators import likelihood, linear
from researchkit.estimators.effect import Matrix, Vector
from researchkit.estimators.linear import summed

if TYPE_CHECKING:
    from researchkit.dataset import Sample

NOTHING = 1e-12  # a two-way variance this small beside the one-way ones is rounding


def words(sample: Sample) -> str:
    """How errors are clustered, as a method names it: "" where they are not."""
    if sample.cluster is None:
        return ""
    if sample.crossed is None:
        return f" clustered by {sample.cluster_name}"
    return f" clustered two ways, by {sample.cluster_name} and {sample.crossed_name}"


def two_way(scores: Matrix, sample: Sample, direction: Vector) -> tuple[Matrix, float, tuple[str, ...]]:
    """The covariance of summed scores (n, k) whose rows share errors in two ways, its degrees of freedom, and notes.

    V = V_a + V_b - V_ab: the sums over each kind of cluster, less those over their meetings, which both hold; each
    times its own G/(G - 1). The t distribution has the fewer clusters less 1 degrees of freedom. With few clusters V
    may come out negative in the `direction` (k,) that the effect looks in; the larger of V_a and V_b then stands in.

    References
    ----------
    Cameron, Gelbach and Miller (2011), Journal of Business & Economic Statistics 29, 238-249, equation 2.8 and
    section 2.3. Agrees with R `sandwich::vcovCL(m, ~ a + b)` up to the factor (n - 1)/(n - k), which is the caller's.
    """
    first, second = np.asarray(sample.cluster), np.asarray(sample.crossed)
    pairs = np.unique(np.column_stack([first, second]), axis=0, return_inverse=True)[1].ravel()
    (by_first, one), (by_second, two), (by_both, _) = (_one_way(scores, codes) for codes in (first, second, pairs))
    whole, df = by_first + by_second - by_both, float(min(one, two) - 1)
    each = [float(direction @ part @ direction) for part in (by_first, by_second)]
    if float(direction @ whole @ direction) > NOTHING * max(each):
        return whole, df, ()
    larger = int(np.argmax(each))
    name = (sample.cluster_name, sample.crossed_name)[larger]
    note = f"the two-way variance came out negative, so the error is that of clusters by {name} alone"
    return (by_first, by_second)[larger], float((one, two)[larger] - 1), (note,)


def spread(information: Matrix, scores: Matrix, sample: Sample, gradient: Vector, *, robust: bool) -> likelihood.Spread:
    """As `likelihood.spread`, and for two kinds of clusters where the sample has them.

    `gradient` (k,) is that of the effect in the coefficients.
    """
    if sample.crossed is None:
        return likelihood.spread(information, scores, sample.cluster, robust=robust)
    (n, k), bread = scores.shape, np.linalg.inv(information)
    meat, df, notes = two_way(scores, sample, bread @ gradient)
    return likelihood.Spread((n - 1) / (n - k) * bread @ meat @ bread, "CR1", df, notes)


def cr1(line: linear.Line, sample: Sample) -> linear.Spread:
    """CR1 errors of a least-squares fit in two ways, for the first column; t with the fewer clusters less 1."""
    n, k = line.basis.shape
    meat, df, notes = two_way(line.basis * line.residuals[:, None], sample, line.root[0])
    covariance = (n - 1) / (n - k) * line.root @ meat @ line.root.T
    return linear.Spread(covariance, np.full(k, df), "CR1", notes)


def of_influence(influence: Vector, sample: Sample) -> tuple[float, float | None, tuple[str, ...]]:
    """The standard error of an estimate from every row's influence on it (n,), its degrees of freedom, and notes.

    Influences are summed within clusters, with the factor G/(G - 1) and t(G - 1); without clusters the normal.
    """
    if sample.cluster is None:
        return float(np.sqrt(influence @ influence)), None, ()
    if sample.crossed is None:
        meat, groups = _one_way(influence[:, None], sample.cluster)
        return float(np.sqrt(meat[0, 0])), groups - 1.0, ()
    whole, df, notes = two_way(influence[:, None], sample, np.ones(1))
    return float(np.sqrt(whole[0, 0])), df, notes


def _one_way(scores: Matrix, cluster: NDArray[np.int64]) -> tuple[Matrix, int]:
    total = summed(scores, cluster)
    groups = len(total)
    return groups / (groups - 1) * total.T @ total, groups
