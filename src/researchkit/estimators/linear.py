"""Least squares on arrays, with errors that hold when rows differ in spread or share a cluster.

Agrees with R: `sandwich::vcovHC(m, "HC3")`, `sandwich::vcovCL(m, ~g)` (CR1), and
`clubSandwich::coef_test(m, vcov = "CR2", cluster = g, test = "Satterthwaite")`.

All three hold for `lm(weights = w)` too. CR2 is unbiased where every row has the same variance whatever its weight (the
default target of clubSandwich for `lm`): a survey's weights say how many people a row stands for, not how exactly it
was measured. The CR2 of `moments` is of another kind under weights: that of rows multiplied by sqrt(weight), which is
unbiased where a row's variance is 1 / weight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from researchkit.estimators.effect import Matrix, Vector

BATCH = 2_000_000  # numbers of cross products held at once
ROUNDING = 1e-24  # of all the squares: a variance this small comes of a cluster that alone carries a coefficient
VANISHED = 1e-10  # a leverage this close to 1: the row or cluster is fitted exactly and says nothing about spread


@dataclass(frozen=True)
class Line:
    """A least-squares fit of n rows and k columns.

    `basis` (n, k) has orthonormal columns spanning those of the design; `root` (k, k) takes coefficients in that basis
    to the design's own: coefficients = root @ basis' y. With weights (n,), basis and residuals belong to rows
    multiplied by sqrt(weight).
    """

    coefficients: Vector
    residuals: Vector
    basis: Matrix
    root: Matrix
    weights: Vector | None = None


@dataclass(frozen=True)
class Spread:
    """A covariance (k, k) of coefficients with the degrees of freedom (k,) that belong to each."""

    covariance: Matrix
    df: Vector
    errors: str
    notes: tuple[str, ...] = ()


def least_squares(matrix: Matrix, outcome: Vector, weights: Vector | None = None) -> Line:
    """Fit `outcome` (n,) on the columns of `matrix` (n, k), which must be independent; `weights` (n,) are positive."""
    if weights is not None:
        root_weight = np.sqrt(weights)
        matrix, outcome = matrix * root_weight[:, None], outcome * root_weight
    basis, triangle = np.linalg.qr(matrix)
    root = np.linalg.solve(triangle, np.eye(len(triangle)))
    in_basis = basis.T @ outcome
    return Line(root @ in_basis, outcome - basis @ in_basis, basis, root, weights)


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

    With X in the columns that make X'WX the identity, the residuals of a cluster have covariance B = I + Z K Z' for
    rows of equal variance, where Z = [X, WX], K = [[Q, -I], [-I, 0]] and Q = X'W²X (without weights Z = X, K = -I). By
    Z = UT, U with orthonormal columns, B^(-1/2) is the identity outside U and (I + TKT')^(-1/2) inside: nothing of
    n x n. A cluster's score is X'W B^(-1/2) e; where an eigenvalue of B vanishes (a fixed effect nested in the cluster)
    its inverse root is 0, as with clubSandwich's pseudo-inverse.

    For a contrast c and v = B^(-1/2) W X c the df are (tr P)²/sum P² with P_gh = [g = h] v'v + f_g'K f_h and f = Z'v;
    both sums need only sums over clusters, no G x G matrix.

    References
    ----------
    Pustejovsky and Tipton (2018), Journal of Business & Economic Statistics 36, 672-683, theorem 1 and equation 11.
    """
    k = line.basis.shape[1]
    both, inner = _shared(line)
    size = len(inner)
    meat, outer = np.zeros((k, k)), np.zeros((k, size, size))
    first, second, cross = np.zeros(k), np.zeros(k), np.zeros(k)
    residuals = line.residuals if line.weights is None else line.residuals / np.sqrt(line.weights)
    for rows in _alike(cluster, size):  # clusters of one size: (c, m) places of their rows
        across, triangle = np.linalg.qr(both[rows])
        values, vectors = np.linalg.eigh(np.eye(triangle.shape[1]) + triangle @ inner @ triangle.transpose(0, 2, 1))
        open_ways = values > VANISHED
        adjust = np.where(open_ways, 1 / np.sqrt(np.where(open_ways, values, 1.0)), 0.0)[:, :, None]
        turned = vectors.transpose(0, 2, 1) @ triangle  # Z in the eigenvectors of B
        own = np.einsum("cmz,cm->cz", across @ vectors, residuals[rows])[:, :, None]
        adjusted = (turned[:, :, -k:].transpose(0, 2, 1) @ (adjust * own))[:, :, 0]
        meat += adjusted.T @ adjusted
        pulled = adjust * (turned[:, :, -k:] @ line.root.T)  # v of every contrast, in the same directions
        shared = (turned.transpose(0, 2, 1) @ pulled).transpose(2, 0, 1)
        length, self_shared = np.sum(pulled**2, axis=1), np.sum((shared @ inner) * shared, axis=2).T
        first += (length + self_shared).sum(axis=0)
        second += (length**2).sum(axis=0)
        cross += (length * self_shared).sum(axis=0)
        outer += shared.transpose(0, 2, 1) @ shared
    mixed = inner @ outer
    squares = second + 2 * cross + np.einsum("jab,jba->j", mixed, mixed)
    df = np.divide(first**2, squares, out=np.zeros(k), where=squares > 1e-300)
    return Spread(_sandwich(line, meat), df, "CR2")


def summed(rows: Matrix, cluster: NDArray[np.int64]) -> Matrix:
    """Sums of `rows` (n, k) within each cluster, shape (G, k)."""
    _, code = np.unique(cluster, return_inverse=True)
    return np.column_stack([np.bincount(code, weights=column) for column in rows.T])


def _sandwich(line: Line, meat: Matrix) -> Matrix:
    """The covariance; a coefficient of which the clusters (or rows) leave only rounding has a variance of 0."""
    covariance = line.root @ meat @ line.root.T
    lost = np.diag(covariance) <= ROUNDING * (line.residuals @ line.residuals) * np.sum(line.root**2, axis=1)
    covariance[lost] = 0.0
    covariance[:, lost] = 0.0
    return np.asarray(covariance)


def _shared(line: Line) -> tuple[Matrix, Matrix]:
    """Z (n, z) and K (z, z): what the fit makes the residuals of different rows share (see `cr2`)."""
    k = line.basis.shape[1]
    if line.weights is None:
        return line.basis, -np.eye(k)
    root_weight = np.sqrt(line.weights)[:, None]
    weighted = line.basis * root_weight
    corner = np.block([[weighted.T @ weighted, -np.eye(k)], [-np.eye(k), np.zeros((k, k))]])
    return np.column_stack([line.basis / root_weight, weighted]), corner


def _alike(cluster: NDArray[np.int64], columns: int) -> Iterator[NDArray[np.int64]]:
    """Places of the rows of clusters of one size, shape (c, m), some at a time, so that memory stays small."""
    order = np.argsort(cluster, kind="stable")
    edges = np.flatnonzero(np.diff(np.asarray(cluster)[order], prepend=np.nan))
    sizes = np.diff(np.append(edges, len(order)))
    for size in np.unique(sizes):
        starts = edges[sizes == size]
        most = max(1, BATCH // (int(size) * columns))
        for begin in range(0, len(starts), most):
            yield order[starts[begin : begin + most, None] + np.arange(size)]
