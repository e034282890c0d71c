"""Maximum likelihood on arrays, and what every family does with it: errors, and averages over the people.

A report fits some forty generalised linear models (copies, choices, rows left out), so their maximum is found here,
by Newton's steps, which for a canonical link are those of iterated least squares. Errors by cluster mean what their
name says (statsmodels' HC1 to HC3 of likelihood models are HC0), a refusal stands in place of a coefficient that runs
away, and averages over the sample come with a gradient. Agrees with R `glm` and statsmodels' `GLM` to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from researchkit.estimators.effect import Matrix, Vector
from researchkit.estimators.linear import summed

MOST_STEPS = 50
Derivatives = Callable[[Vector], tuple[float, Vector, Matrix]]  # log-likelihood, its gradient, its information


class RunsAway(Exception):
    """No finite maximum was found; `at` is where the search stood."""

    def __init__(self, at: Vector) -> None:
        super().__init__("no finite maximum")
        self.at = at


@dataclass(frozen=True)
class Link:
    """A canonical family: what the mean is the derivative of, the mean as a function of the linear predictor, and two
    derivatives more.
    """

    total: Callable[[Vector], Vector]
    mean: Callable[[Vector], Vector]
    slope: Callable[[Vector], Vector]
    bend: Callable[[Vector], Vector]


@dataclass(frozen=True)
class Spread:
    """A covariance (k, k), the name of its errors, the degrees of freedom (None: the normal), and what to note.

    `df` is that of the effect; `each` (k,) those of the coefficients of the raw columns, where they have their own.
    """

    covariance: Matrix
    errors: str
    df: float | None
    notes: tuple[str, ...] = ()
    each: Vector | None = None

    @property
    def df_of_terms(self) -> Vector | float | None:
        return self.df if self.each is None else self.each


def logistic(eta: Vector) -> Vector:
    """1 / (1 + exp(-eta)), without overflow."""
    from scipy.special import expit

    return np.asarray(expit(eta))


LOGIT = Link(
    lambda eta: np.asarray(np.logaddexp(0, eta)),
    logistic,
    lambda eta: logistic(eta) * logistic(-eta),
    lambda eta: logistic(eta) * logistic(-eta) * (1 - 2 * logistic(eta)),
)
LOG = Link(np.exp, np.exp, np.exp, np.exp)


def fitted(
    link: Link, matrix: Matrix, outcome: Vector, weights: Vector | None, offset: Vector | None = None
) -> tuple[Vector, Matrix]:
    """The coefficients (k,) of greatest likelihood on columns (n, k), and the information; `RunsAway` without one.

    It converges on the coefficients, not on the deviance: under separation the deviance settles while a coefficient
    still runs.
    """
    weight = np.ones(len(outcome)) if weights is None else weights
    along = np.zeros(len(outcome)) if offset is None else offset

    def derivatives(at: Vector) -> tuple[float, Vector, Matrix]:
        eta = matrix @ at + along
        value = float(weight @ (outcome * eta - link.total(eta)))
        information = matrix.T @ (matrix * (weight * link.slope(eta))[:, None])
        return value, matrix.T @ (weight * (outcome - link.mean(eta))), information

    return newton(np.zeros(matrix.shape[1]), derivatives)


def newton(start: Vector, derivatives: Derivatives) -> tuple[Vector, Matrix]:
    """The maximum of a concave log-likelihood and the information there; `RunsAway` if there is none.

    Steps are halved until the likelihood rises. It stops when a step moves nothing beyond 1e-10, which a coefficient on
    its way to infinity (it moves by about 1 a step) never does.
    """
    at = start
    with np.errstate(all="ignore"):
        value, gradient, information = derivatives(at)
        for _ in range(MOST_STEPS):
            try:
                step: Vector = np.linalg.solve(information, gradient)
            except np.linalg.LinAlgError:
                raise RunsAway(at) from None
            for _ in range(30):
                new_value, new_gradient, new_information = derivatives(at + step)
                if new_value >= value - 1e-9 * (1 + abs(value)):
                    break
                step = step / 2
            else:
                raise RunsAway(at)
            at, value, gradient, information = at + step, new_value, new_gradient, new_information
            if np.max(np.abs(step)) < 1e-10 * (1 + np.max(np.abs(at))):
                return at, information
    raise RunsAway(at)


def spread(information: Matrix, scores: Matrix, cluster: NDArray[np.int64] | None, *, robust: bool) -> Spread:
    """Covariance of the coefficients, from the information (k, k) and the rows' scores (n, k).

    With clusters: CR1, the sandwich of the clusters' summed scores times G/(G-1) (n-1)/(n-k), read by t(G - 1) because
    the normal is too narrow for few clusters (R: `sandwich::vcovCL(m, ~g, type = "HC1")`; statsmodels
    `cov_type="cluster"`). Without, if `robust`: HC0 (the HC1 to HC3 of statsmodels' likelihood models are HC0 under
    other names). Otherwise the inverse information. A survey's CR1 and HC0 differ from R's `survey::svyglm` by factors
    only: its variances have G/(G-1) with clusters, n/(n-1) without.
    """
    bread = np.linalg.inv(information)
    if cluster is not None:
        total = summed(scores, cluster)
        (n, k), groups = scores.shape, len(total)
        factor = groups / (groups - 1) * (n - 1) / (n - k)
        return Spread(factor * bread @ (total.T @ total) @ bread, "CR1", groups - 1.0)
    if robust:
        return Spread(bread @ (scores.T @ scores) @ bread, "HC0", None)
    return Spread(bread, "model-based", None)


@dataclass(frozen=True)
class Average:
    """An average over the sample and its gradient (k,) in the scaled coefficients."""

    value: float
    gradient: Vector

    def se(self, covariance: Matrix) -> float:
        """The delta method's standard error."""
        return float(np.sqrt(self.gradient @ covariance @ self.gradient))


def mean_at(link: Link, matrix: Matrix, at: Vector, share: Vector) -> Average:
    """Mean response over the rows of a what-if matrix (n, k), each with its `share` (n,), which sum to 1."""
    eta = matrix @ at
    return Average(float(share @ link.mean(eta)), matrix.T @ (share * link.slope(eta)))


def mean_slope(link: Link, matrix: Matrix, at: Vector, share: Vector, scale: float) -> Average:
    """Mean derivative of the response by the first column's raw values (`scale` is that column's)."""
    eta = matrix @ at
    slope = share * link.slope(eta)
    gradient = matrix.T @ (share * link.bend(eta)) * at[0]
    gradient[0] += slope.sum()
    return Average(float(slope.sum() * at[0] / scale), gradient / scale)


def shares(weights: Vector | None, n: int) -> Vector:
    """What part of the sample each row stands for."""
    return np.full(n, 1 / n) if weights is None else weights / weights.sum()
