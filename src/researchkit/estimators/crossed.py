"""Errors that rows share: in one kind of cluster, or in two that cut across each other, such as agents and months.

Clusters within clusters need nothing of this: errors summed over the outermost ones hold for all that lies inside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError
from researchkit.estimators import leverage, likelihood, linear, refuse
from researchkit.estimators.effect import Matrix, Vector, ways
from researchkit.estimators.linear import summed
from researchkit.wording import number

if TYPE_CHECKING:
    from researchkit.dataset import Sample

NOTHING = 1e-12  # a two-way variance this small beside the one-way ones is rounding
FEW_DEGREES = 5.0  # below this Satterthwaite's approximation is itself rough (Pustejovsky and Tipton 2018)
HARDLY_ANY = 2.5  # see `researchkit.calibrate`
SMALL, SCARCE = 100, 50  # people, or people with the rarer outcome: with fewer, likelihood models' own errors are small


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


def spread(
    information: Matrix,
    scores: Matrix,
    sample: Sample,
    gradient: Vector,
    *,
    robust: bool,
    rows: tuple[Matrix, ...] = (),
    back: Matrix | None = None,
    little: bool = False,
) -> likelihood.Spread:
    """The errors of a likelihood model, as many kinds of clusters as the sample has.

    One kind: CR2 with Satterthwaite degrees of freedom. Two that cross: CR1 both ways. None: HC2 with Satterthwaite
    degrees of freedom among fewer than `SMALL` people, or where there is `little` to go by for another reason;
    otherwise as `likelihood.spread`.

    Parameters
    ----------
    gradient
        (k,) of the effect in the coefficients.
    rows
        One or two (n, k), the sum of whose cross products is the information. Without them clusters get CR1.
    back
        (k, k) takes the coefficients to those of the raw columns.

    Raises
    ------
    EstimationError
        If one cluster alone carries the effect: what is left of its variance is rounding.
    """
    if sample.crossed is not None:
        (n, k), bread = scores.shape, np.linalg.inv(information)
        meat, df, notes = two_way(scores, sample, bread @ gradient)
        return likelihood.Spread((n - 1) / (n - k) * bread @ meat @ bread, "CR1", df, notes)
    wanted = sample.cluster is not None or little or len(scores) < SMALL
    pieces = leverage.gathered(rows, scores, sample.cluster) if rows and wanted else None
    if pieces is None:
        return likelihood.spread(information, scores, sample.cluster, robust=robust)
    fit = leverage.cr2(*pieces)
    usual = float(gradient @ np.linalg.solve(information, gradient))
    if float(gradient @ fit.covariance @ gradient) <= linear.ROUNDING * usual:
        one = sample.cluster_name or "row"
        raise EstimationError(
            f"One single {one} alone carries the effect, so that no spread is left to judge it by. "
            "Leave a column that tells them apart out of `adjust`, or collect data in which more of them differ in the "
            "exposure."
        )
    df, *each = fit.df(gradient[None, :] if back is None else np.vstack([gradient, back]))
    name = "HC2" if sample.cluster is None else "CR2"
    own = np.array(each) if each else None
    return likelihood.Spread(fit.covariance, name, float(df), thin(sample, float(df)), own)


def thin(sample: Sample, df: float) -> tuple[str, ...]:
    """Many clusters may still be few where the exposure sits in a handful of them."""
    if sample.cluster is None:
        return ()
    return thin_of(min(len(np.unique(codes)) for codes, _ in ways(sample)), str(sample.cluster_name), df)


def thin_of(groups: int, name: str, df: float) -> tuple[str, ...]:
    """The same of so many clusters, the fewer where two kinds cross."""
    if df >= FEW_DEGREES:
        return ()
    notes = []
    if groups >= refuse.FEW_CLUSTERS:  # else it is said already
        notes.append(f"few clusters: the comparison is worth {number(df)} degrees of freedom ({name})")
    if df < HARDLY_ANY:
        notes.append(
            f"hardly any degrees of freedom: {number(df)}; with fewer than {number(HARDLY_ANY)}, intervals are wide, "
            "and may be wider than need be"
        )
    return tuple(notes)


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
