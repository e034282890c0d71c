"""Forecast chances against what came: how far off, too sure or not sure enough, and the curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError
from researchkit.estimators.effect import Term, Vector, wald
from researchkit.estimators.linear import summed
from researchkit.estimators.proportion import Share, share

EDGE = 1e-4  # chances of 0 and 1 have no log odds; they are moved in by this much
ROUNDS, CLOSE = 50, 1e-10
FEWEST = 10


@dataclass(frozen=True)
class Forecast:
    """How forecast chances stand to what came.

    `intercept` is 0 where forecasts are right on average (log odds; above it, more came than was forecast), `slope` is
    1 where they are as sure as they may be (below it they are too sure). `brier` is the mean squared error; `useless`
    that of forecasting the same for all. `curve` holds mean forecast and share that came, by tenths of the forecasts.
    """

    intercept: Term
    slope: Term
    brier: float
    useless: float
    curve: tuple[tuple[float, Share], ...]


def held_against(
    chance: Vector,
    came: Vector,
    cluster: NDArray[np.int64] | None = None,
    weights: Vector | None = None,
    level: float = 0.95,
    parts: int = 10,
) -> Forecast:
    """Calibration of `chance` (n,) of 0 to 1 against what `came` (n,) of 0 and 1.

    Raises
    ------
    EstimationError
        If a chance lies outside 0 to 1, fewer than 10 came or did not, or the forecasts never differ.

    References
    ----------
    Cox (1958), Biometrika 45, 562-565; Steyerberg (2019), Clinical Prediction Models, chapter 15. Agrees with R
    `glm(came ~ offset(qlogis(p)), binomial)` and `glm(came ~ qlogis(p), binomial)` with `sandwich::vcovCL(type =
    "HC0")` times G / (G - 1).
    """
    if bad := int(np.sum(~((chance >= 0) & (chance <= 1)))):
        raise EstimationError(f"{bad} forecasts are no chance between 0 and 1; per cent are to be divided by 100.")
    if min(came.sum(), len(came) - came.sum()) < FEWEST:
        raise EstimationError(f"fewer than {FEWEST} came, or did not; forecasts cannot be held against so few.")
    if np.ptp(chance) == 0:
        raise EstimationError("all forecasts are the same, so there is no curve.")
    part = np.ones(len(came)) if weights is None else weights
    odds = np.log(np.clip(chance, EDGE, 1 - EDGE) / (1 - np.clip(chance, EDGE, 1 - EDGE)))
    one = np.ones((len(came), 1))
    at, covariance, df = logit(one, odds, came, part, cluster)
    intercept = term("calibration intercept", at[0], covariance[0, 0], level, df)
    at, covariance, df = logit(np.column_stack([odds, one]), np.zeros(len(came)), came, part, cluster)
    slope = term("calibration slope", at[0], covariance[0, 0], level, df)
    mean = float(part @ came / part.sum())
    brier = float(part @ (chance - came) ** 2 / part.sum())
    curve = []
    edges = np.unique(np.quantile(chance, np.arange(1, parts) / parts))
    place = np.searchsorted(edges, chance, side="right")
    for group in np.unique(place):
        rows = place == group
        inner = None if cluster is None else cluster[rows]
        own = None if weights is None else weights[rows]
        curve.append((float(np.average(chance[rows], weights=part[rows])), share(came[rows], inner, own, level)))
    return Forecast(intercept, slope, brier, mean * (1 - mean), tuple(curve))


def logit(
    columns: Vector, offset: Vector, came: Vector, weights: Vector, cluster: NDArray[np.int64] | None
) -> tuple[Vector, Vector, float]:
    """A small logistic fit with an offset: coefficients, their robust covariance and degrees of freedom."""
    at = np.zeros(columns.shape[1])
    for _ in range(ROUNDS):
        mean = 1 / (1 + np.exp(-(columns @ at + offset)))
        information = columns.T @ (columns * (weights * mean * (1 - mean))[:, None])
        move = np.linalg.solve(information, columns.T @ (weights * (came - mean)))
        at = at + np.clip(move, -2, 2)
        if np.abs(move).max() < CLOSE:
            break
    mean = 1 / (1 + np.exp(-(columns @ at + offset)))
    inverse = np.linalg.inv(columns.T @ (columns * (weights * mean * (1 - mean))[:, None]))
    scores = columns * (weights * (came - mean))[:, None]
    pulls = scores if cluster is None else summed(scores, cluster)
    units = len(pulls)
    covariance = inverse @ (units / (units - 1) * pulls.T @ pulls) @ inverse
    return at, covariance, float(units - 1)


def term(name: str, value: float, variance: float, level: float, df: float) -> Term:
    se = float(np.sqrt(variance))
    low, high, p = wald(float(value), se, level, df)
    return Term(name, float(value), se, low, high, p)
