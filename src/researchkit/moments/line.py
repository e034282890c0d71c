"""One specification from moments: least squares and its clustered errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError, some
from researchkit.moments.products import HOPELESS, VANISHED, Array, Moments
from researchkit.wording import number

WORRYING = 1e6  # condition from which a fit says that digits are lost


@dataclass(frozen=True, eq=False)
class Fit:
    """Least squares on the exposure and some covariates, with what its errors are made from.

    `coefficients` (k,) are those of the raw columns in the order of `names`: exposure, covariates, intercept.
    `products` (G, k, k), `scores` (G, k) and `inverse` (k, k) belong to the standardised columns; `back` (k, k) takes
    their coefficients to the raw ones. `notes` says when digits are at stake.
    """

    names: tuple[str, ...]
    coefficients: Array
    products: Array
    scores: Array
    inverse: Array
    back: Array
    labels: NDArray[Any]
    n: int
    condition: float
    notes: tuple[str, ...]


def fit(moments: Moments, chosen: Sequence[str] | None = None) -> Fit:
    """Ordinary least squares of the outcome on the exposure and the `chosen` covariates (all when None).

    Raises
    ------
    EstimationError
        If a column never varies, or columns determine one another; by name.
    """
    places = [*moments.columns(chosen), 0]
    used = [place - 1 for place in places[:-1]]
    inner = moments.correlations()[np.ix_(used, used)]
    condition = float(np.linalg.cond(inner))
    own = moments.standard[:, places][:, :, places]
    to_outcome = moments.standard[:, places, -1]
    inverse = np.linalg.inv(own.sum(axis=0))
    at = inverse @ to_outcome.sum(axis=0)
    factor = moments.spread[-1] / moments.spread[used]
    back = np.diag(np.append(factor, moments.spread[-1]))
    back[-1, :-1] = -factor * moments.mean[used]
    raw = back @ at
    raw[-1] += moments.mean[-1]
    names = (*(moments.names[place] for place in used), "Intercept")
    note = (
        f"the covariates nearly determine one another (condition {number(condition)})" if condition > WORRYING else ""
    )
    notes = (note,) if note else ()
    scores = to_outcome - own @ at
    return Fit(names, raw, own, scores, inverse, back, moments.labels, moments.n, condition, notes)


def cr1(line: Fit) -> tuple[Array, Array]:
    """Covariance (k, k) and degrees of freedom (k,): the factor G/(G-1) (n-1)/(n-k); t with G - 1."""
    groups, k = several(line), len(line.names)
    factor = groups / (groups - 1) * (line.n - 1) / (line.n - k)
    return _sandwich(line, factor * line.scores.T @ line.scores), np.full(k, groups - 1.0)


def cr2(line: Fit) -> tuple[Array, Array]:
    """Bell and McCaffrey's CR2 with Satterthwaite degrees of freedom, as `clubSandwich::coef_test(m, "CR2")`.

    For the contrast c = M e_j they are (tr P)²/sum P² with P_gh = [g = h] c'F_gF_gS_g c - (F_gS_g c)'M(F_hS_h c)
    (Pustejovsky and Tipton 2018, Journal of Business & Economic Statistics 36, 672-683, theorem 1).
    """
    several(line)
    values, vectors = np.linalg.eigh(line.inverse)
    half = (vectors * np.sqrt(values)) @ vectors.T  # M^(1/2)
    shares, ways = np.linalg.eigh(half @ line.products @ half)
    left = 1 - shares
    opened = np.where(left > VANISHED, 1 / np.sqrt(np.where(left > VANISHED, left, 1.0)), 0.0)
    back = ways.transpose(0, 2, 1) @ half  # (G, k, k)
    scores = half @ (ways @ (opened[:, :, None] * (back @ line.scores[:, :, None])))
    covariance = scores[:, :, 0].T @ scores[:, :, 0]
    turned = back @ line.back.T  # column j: M^(1/2) c of the raw coefficient j in each cluster's own directions
    own = np.einsum("gi,gij->gj", opened**2 * shares, turned**2)  # c'FFSc
    shared = ways @ ((opened * shares)[:, :, None] * turned)  # M^(1/2) F S c
    inner = np.sum(shared**2, axis=1)
    outer = np.einsum("gaj,gbj->jab", shared, shared, optimize=True)
    squares = np.sum(own**2 - 2 * own * inner, axis=0) + np.sum(outer**2, axis=(1, 2))
    trace = np.sum(own - inner, axis=0)
    df = np.divide(trace**2, squares, out=np.zeros(len(trace)), where=squares > 1e-12 * trace**2)
    return line.back @ covariance @ line.back.T, df


def cr3(line: Fit) -> tuple[Array, Array]:
    """The sum of (b without the cluster - b)(...)' over clusters, as `clubSandwich` CR3; t with G - 1.

    Times (G - 1)/G it is the cluster jackknife around the full estimate.
    """
    groups = several(line)
    moved = (without_one(line) - line.coefficients).T
    return moved @ moved.T, np.full(len(line.names), groups - 1.0)


def without_one(line: Fit) -> Array:
    """(G, k) the raw coefficients with each cluster left out in turn.

    Raises
    ------
    EstimationError
        If without some cluster a coefficient cannot be told any more.
    """
    several(line)
    rest = line.products.sum(axis=0) - line.products
    inverse, lost = inverses(rest)
    if lost.any():
        which = some(line.labels[lost].tolist())
        raise EstimationError(f"Without the cluster {which} the coefficients cannot be told: it alone carries one.")
    moved = -np.einsum("gij,gj->gi", inverse, line.scores)  # X'r of the others is minus that of the cluster
    return line.coefficients + moved @ line.back.T


def several(held: Moments | Fit) -> int:
    """How many clusters; one has no spread between clusters to judge by."""
    groups = len(held.labels)
    if groups < 2:
        raise EstimationError(
            f"All {held.n} rows belong to one cluster; errors that allow for clusters need at least 2."
        )
    return groups


def _sandwich(line: Fit, meat: Array) -> Array:
    bread = line.back @ line.inverse
    return bread @ meat @ bread.T


def inverses(many: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Inverses (B, k, k), and which are lost: their columns determine one another, as variance inflation tells."""
    diagonal = np.diagonal(many, axis1=1, axis2=2)
    lost = (diagonal <= VANISHED * np.max(diagonal, axis=1, keepdims=True)).any(axis=1)
    safe = np.where(lost[:, None, None], np.eye(many.shape[1]), many)
    try:
        inverse: Array = np.linalg.inv(safe)
    except np.linalg.LinAlgError:
        inverse = np.stack([np.linalg.pinv(one) for one in safe])
        lost = lost | (np.linalg.matrix_rank(safe) < many.shape[1])
    inflated = np.abs(np.diagonal(inverse, axis1=1, axis2=2) * diagonal) > HOPELESS
    return inverse, lost | inflated.any(axis=1)
