"""Models learned from some of the rows, to predict others: least squares, logistic and Poisson main effects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from researchkit.estimators.design import independent
from researchkit.estimators.effect import Matrix, Vector
from researchkit.estimators.likelihood import LOGIT, Derivatives, Link, RunsAway, newton
from researchkit.estimators.linear import least_squares


@dataclass(frozen=True)
class Learned:
    """A model that predicts a mean from columns like those it was fitted on.

    It uses those of `kept`. `telling` are columns of two values that were left out because, among the rows learned
    from, one of them went with one outcome only.
    """

    link: Link | None
    kept: list[int]
    at: Vector
    telling: tuple[int, ...] = ()

    def __call__(self, matrix: Matrix) -> Vector:
        eta = matrix[:, self.kept] @ self.at
        return eta if self.link is None else self.link.mean(eta)


def learned(link: Link | None, matrix: Matrix, outcome: Vector, weights: Vector) -> Learned:
    """Fit `outcome` (n,) on columns (n, k), the last an intercept.

    Columns that others determine are left out, and for a logistic or Poisson model two-valued ones that tell the
    outcome exactly (`telling`): rows at a level that these rows have not, or not with both outcomes, are predicted as
    the others. `RunsAway` (with k coefficients) where columns tell the outcome in another way.
    """
    k = matrix.shape[1]
    telling = () if link is None else _telling(link, matrix, outcome)
    order = dict.fromkeys((k - 1, *range(1, k - 1), 0))  # an exposure, the first, gives way to the others
    kept = independent(matrix, [place for place in order if place not in telling])
    own = matrix[:, kept]
    if link is None:
        return Learned(None, kept, least_squares(own, outcome, weights).coefficients)
    share = float(weights @ outcome / weights.sum())
    if share <= 0 or (link is LOGIT and share >= 1):
        raise RunsAway(np.eye(k)[-1])
    start = np.zeros(len(kept))
    start[-1] = np.log(share / (1 - share)) if link is LOGIT else np.log(share)
    try:
        at, _ = newton(start, _derivatives(link, own, outcome, weights))
    except RunsAway as away:
        whole = np.zeros(k)
        whole[kept] = away.at
        raise RunsAway(whole) from None
    return Learned(link, kept, at, telling)


def _telling(link: Link, matrix: Matrix, outcome: Vector) -> tuple[int, ...]:
    """Columns of two values, one of which saw no event at all (or, of a yes or no, nothing else)."""
    places = []
    for place, column in enumerate(matrix[:, :-1].T):
        low = column == column.min()
        if low.all() or not np.all(low | (column == column.max())):
            continue
        sides = outcome[low], outcome[~low]
        if any(side.max() <= 0 or (link is LOGIT and side.min() >= 1) for side in sides):
            places.append(place)
    return tuple(places)


def _derivatives(link: Link, matrix: Matrix, outcome: Vector, weights: Vector) -> Derivatives:
    """Log-likelihood of a canonical family, its gradient and its information."""

    def derivatives(at: Vector) -> tuple[float, Vector, Matrix]:
        eta = matrix @ at
        total = np.logaddexp(0, eta) if link is LOGIT else np.exp(eta)
        value, mean = float(weights @ (outcome * eta - total)), link.mean(eta)
        slope = mean * (1 - mean) if link is LOGIT else mean
        return value, matrix.T @ (weights * (outcome - mean)), matrix.T @ (matrix * (weights * slope)[:, None])

    return derivatives
