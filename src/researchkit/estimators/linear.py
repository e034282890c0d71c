"""Least squares on arrays, with errors that hold when rows differ in spread or share a cluster.

Agrees with R: `sandwich::vcovHC(m, "HC3")`, `sandwich::vcovCL(m, ~g)` (CR1), and
`clubSandwich::coef_test(m, vcov = "CR2", cluster = g, test = "Satterthwaite")`.

Weights: the fit is on rows multiplied by sqrt(weight), and the errors are those of the multiplied rows. For HC3 this is
what `vcovHC(lm(weights = w))` does; for CR2 it is `vcovCR(m, "CR2", target = 1 / w)` (a row's working variance is
1 / weight; clubSandwich's own default target for `lm` is a constant variance).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from researchkit.estimators.effect import Matrix, Vector

BATCH = 2_000_000  # numbers of cross products held at once
VANISHED = 1e-10  # a leverage this close to 1: the row or cluster is fitted exactly and says nothing about spread


@dataclass(frozen=True)
class Line:
    """A least-squares fit of n rows and k columns.

    `basis` (n, k) has orthonormal columns spanning those of the design; `root` (k, k) takes coefficients in that basis
    to the design's own: coefficients = root @ basis' y. `residuals` (n,) are weighted by sqrt(weight).
    """

    coefficients: Vector
    residuals: Vector
    basis: Matrix
    root: Matrix


@dataclass(frozen=True)
class Spread:
    """A covariance (k, k) of coefficients with the degrees of freedom (k,) that belong to each."""

    covariance: Matrix
    df: Vector
    errors: str


def least_squares(matrix: Matrix, outcome: Vector, weights: Vector | None = None) -> Line:
    """Fit `outcome` (n,) on the columns of `matrix` (n, k), which must be independent; `weights` (n,) are positive."""
    if weights is not None:
        root_weight = np.sqrt(weights)
        matrix, outcome = matrix * root_weight[:, None], outcome * root_weight
    basis, triangle = np.linalg.qr(matrix)
    root = np.linalg.solve(triangle, np.eye(len(triangle)))
    in_basis = basis.T @ outcome
    return Line(root @ in_basis, outcome - basis @ in_basis, basis, root)


def hc3(line: Line) -> Spread:
    """MacKinnon and White's (1985) HC3: each residual divided by what its own row left free; t with n - k.

    A row that is fitted exactly (leverage 1) has residual 0 and adds nothing.
    """
    free = 1 - np.sum(line.basis**2, axis=1)
    open_rows = free > VANISHED
    pushed = np.where(open_rows, line.residuals / np.where(open_rows, free, 1.0), 0.0)
    scores = line.basis * pushed[:, None]
    n, k = line.basis.shape
    return Spread(_sandwich(line, scores.T @ scores), np.full(k, float(n - k)), "HC3")


def cr1(line: Line, cluster: NDArray[np.int64]) -> Spread:
    """Clustered errors with the factor G/(G-1) (n-1)/(n-k) of Stata and of R's `vcovCL`; t with G - 1."""
    scores = summed(line.basis * line.residuals[:, None], cluster)
    (n, k), groups = line.basis.shape, len(scores)
    factor = groups / (groups - 1) * (n - 1) / (n - k)
    return Spread(_sandwich(line, factor * scores.T @ scores), np.full(k, groups - 1.0), "CR1")


def cr2(line: Line, cluster: NDArray[np.int64]) -> Spread:
    """Bell and McCaffrey's (2002) CR2 errors with Satterthwaite degrees of freedom for each coefficient.

    Everything comes from each cluster's k x k cross products of the orthonormal columns, S = Q'Q, and its score Q'r.
    The adjusted score is A Q'r with A = (I - S)^(-1/2); where an eigenvalue of S is 1 (a fixed effect nested in the
    cluster) A is 0 in that direction, as with clubSandwich's pseudo-inverse. With u a row of `root`, T = A S u and
    d = u'A S A u for each cluster, the df are (tr P)^2 / sum P^2 with P_gh = [g = h] d_g - T_g'T_h, and both sums
    need only sums over clusters: no G x G matrix.

    References
    ----------
    Pustejovsky and Tipton (2018), Journal of Business & Economic Statistics 36, 672-683, theorem 1 and equation 11.
    """
    k = line.basis.shape[1]
    meat, outer = np.zeros((k, k)), np.zeros((k, k, k))
    first, second, cross = np.zeros(k), np.zeros(k), np.zeros(k)
    for products, scores in _by_cluster(line, cluster):  # shapes (c, k, k) and (c, k)
        values, vectors = np.linalg.eigh(products)
        free = 1 - values
        open_ways = free > VANISHED
        adjust = np.where(open_ways, 1 / np.sqrt(np.where(open_ways, free, 1.0)), 0.0)
        back = vectors.transpose(0, 2, 1)
        adjusted = (vectors @ (adjust[:, :, None] * (back @ scores[:, :, None])))[:, :, 0]
        meat += adjusted.T @ adjusted
        turned = back @ line.root.T  # column j: contrast j in each cluster's own directions
        own = np.einsum("ci,cij->cj", adjust**2 * values, turned**2)
        shared = vectors @ ((adjust * values)[:, :, None] * turned)
        inner = np.sum(shared**2, axis=1)
        first += (own - inner).sum(axis=0)
        second += (own**2).sum(axis=0)
        cross += (own * inner).sum(axis=0)
        by_contrast = shared.transpose(2, 0, 1)
        outer += by_contrast.transpose(0, 2, 1) @ by_contrast
    squares = second - 2 * cross + np.sum(outer**2, axis=(1, 2))
    df = np.divide(first**2, squares, out=np.zeros(k), where=squares > 1e-300)
    return Spread(_sandwich(line, meat), df, "CR2")


def summed(rows: Matrix, cluster: NDArray[np.int64]) -> Matrix:
    """Sums of `rows` (n, k) within each cluster, shape (G, k)."""
    _, code = np.unique(cluster, return_inverse=True)
    groups = int(code.max()) + 1
    return np.column_stack([np.bincount(code, weights=column, minlength=groups) for column in rows.T])


def _sandwich(line: Line, meat: Matrix) -> Matrix:
    return line.root @ meat @ line.root.T


def _by_cluster(line: Line, cluster: NDArray[np.int64]) -> Iterator[tuple[Matrix, Matrix]]:
    """Cross products and scores of some clusters at a time, so that memory stays small however many there are."""
    order = np.argsort(cluster, kind="stable")
    codes = np.asarray(cluster)[order]
    edges = np.flatnonzero(np.diff(codes, prepend=codes[0] - 1))
    basis = line.basis[order]
    scores = np.add.reduceat(basis * line.residuals[order][:, None], edges, axis=0)
    pieces = np.split(basis, edges[1:])
    most = max(1, BATCH // basis.shape[1] ** 2)
    for start in range(0, len(pieces), most):
        yield np.stack([piece.T @ piece for piece in pieces[start : start + most]]), scores[start : start + most]
