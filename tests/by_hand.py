"""Errors of least squares from whole matrices, as the papers write them: slow, and nothing of the package in it."""

from __future__ import annotations

import numpy as np


def pulls(matrix, outcomes, contrast, cluster=None):
    """Each row's (HC3) or cluster's (CR2) pull on c'b, a column for each outcome; and CR2's degrees of freedom.

    CR2: Bell and McCaffrey (2002) with the adjustment matrices B^(-1/2), B the block of I - H; Satterthwaite as in
    Pustejovsky and Tipton (2018), theorem 1, under equal variances.
    """
    bread = np.linalg.inv(matrix.T @ matrix)
    left = np.eye(len(matrix)) - matrix @ bread @ matrix.T
    along, rest = matrix @ bread @ contrast, left @ np.column_stack(outcomes)
    if cluster is None:
        return along[:, None] * rest / np.diag(left)[:, None], float(len(matrix) - matrix.shape[1])
    found, columns = [], []
    for one in np.unique(cluster):
        rows = cluster == one
        values, vectors = np.linalg.eigh(left[np.ix_(rows, rows)])
        root = vectors @ np.diag([value**-0.5 if value > 1e-10 else 0.0 for value in values]) @ vectors.T
        found.append(along[rows] @ root @ rest[rows])
        columns.append(left[:, rows] @ root @ along[rows])
    products = np.array(columns) @ np.array(columns).T
    return np.array(found), float(np.trace(products) ** 2 / np.sum(products**2))


def two_ways(matrix, outcomes, contrast, first, second):
    """The covariance of c'b over outcomes under errors shared in two ways (Cameron, Gelbach and Miller 2011), and df."""
    n, k = matrix.shape
    bread = np.linalg.inv(matrix.T @ matrix)
    rest = np.column_stack(outcomes) - matrix @ bread @ matrix.T @ np.column_stack(outcomes)
    pull = (matrix @ bread @ contrast)[:, None] * rest
    parts, counts = [], []
    for codes in (list(first), list(second), list(zip(first, second, strict=True))):
        total = np.array([sum(pull[i] for i in range(n) if codes[i] == one) for one in set(codes)])
        parts.append(len(total) / (len(total) - 1) * total.T @ total)
        counts.append(len(total))
    return (n - 1) / (n - k) * (parts[0] + parts[1] - parts[2]), float(min(counts[:2]) - 1)


def of_likelihood(parts, scores, gradient):
    """(se, df) of an estimate with this gradient in the coefficients, from each cluster's information and score.

    Bell and McCaffrey (2002) in whitened columns: A = (1 - S)^(-1/2), S a cluster's share of the information;
    Satterthwaite's (tr P)^2 / tr P^2 from the whole matrix P.
    """
    values, vectors = np.linalg.eigh(np.sum(parts, axis=0))
    half = vectors / np.sqrt(values)
    shares, roots = [half.T @ part @ half for part in parts], []
    for share in shares:
        own, ways = np.linalg.eigh(share)
        roots.append(ways @ np.diag((1 - own) ** -0.5) @ ways.T)
    u = half.T @ gradient
    pulled = [u @ root @ half.T @ score for root, score in zip(roots, scores, strict=True)]
    sides = [u @ root @ share for root, share in zip(roots, shares, strict=True)]
    products = -np.array([[one @ other for other in sides] for one in sides])
    products += np.diag([u @ root @ share @ root @ u for root, share in zip(roots, shares, strict=True)])
    return np.sqrt(np.sum(np.square(pulled))), np.trace(products) ** 2 / np.sum(products**2)
