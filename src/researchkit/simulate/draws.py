"""The few draws and averages that every simulated world is made of.

A world's outcomes follow from `slopes`: what one unit of each circumstance adds to a predictor. The same slopes
make the data and, with one circumstance moved, the truth; so the two cannot drift apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Array = NDArray[np.float64]
Columns = Mapping[str, Array]
NUDGE = 0.01  # units of the exposure; small against any curvature, large against rounding in double precision


def predictor(slopes: Mapping[str, float], columns: Columns) -> Array:
    """Sum of slope times column, shape (n,); "one" is the intercept."""
    parts = [slope * (columns[name] if name != "one" else 1.0) for name, slope in slopes.items()]
    return np.asarray(sum(parts), dtype=np.float64)


def probability(log_odds: Array | float) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.asarray(log_odds))), dtype=np.float64)


def rating(values: Array, low: float, high: float, step: float = 1.0) -> Array:
    """What a rater writes down: the nearest step of a scale that ends at `low` and `high`."""
    return np.clip(np.round(values / step) * step, low, high)


def yes(rng: np.random.Generator, chance: Array | float, n: int) -> NDArray[np.int64]:
    return (rng.random(n) < chance).astype(np.int64)


def grade(rng: np.random.Generator, log_odds: Array, cuts: Array) -> NDArray[np.int64]:
    """An ordered answer, 0 to K, by proportional odds: how many of the K rising `cuts` are passed."""
    latent = log_odds + rng.logistic(size=len(log_odds))
    return np.searchsorted(cuts, latent).astype(np.int64)


def hidden(values: NDArray[Any], where: NDArray[np.bool_]) -> pd.Series:
    """The values with gaps: whole numbers stay whole."""
    kind = "Int64" if values.dtype.kind == "i" else "Float64"
    return pd.Series(values, dtype=kind).mask(where)


def days_until(rng: np.random.Generator, log_hazard: Array, scale: float, shape: float) -> Array:
    """Whole days, 1 or more, until an event with a Weibull hazard; `scale` is in days at log hazard 0."""
    waiting = rng.exponential(size=len(log_hazard)) * np.exp(-log_hazard)
    return np.maximum(np.ceil(scale * waiting ** (1 / shape)), 1)


def still_waiting(day: float, log_hazard: Array, scale: float, shape: float) -> Array:
    """Chance that the event of `days_until` is later than `day`."""
    return np.asarray(np.exp(-((day / scale) ** shape) * np.exp(log_hazard)), dtype=np.float64)


def restricted_mean(log_hazard: Array, scale: float, shape: float, horizon: int) -> Array:
    """Expected whole days up to `horizon`, each person's own: the sum of the chances of still waiting."""
    days = np.zeros(len(log_hazard))
    for day in range(horizon):
        days += still_waiting(day, log_hazard, scale, shape)
    return days


def slope(expected: Callable[[Columns], Array], columns: Columns, name: str) -> float:
    """Average marginal effect: mean change of the expected outcome per unit of `name`, from a small step both ways."""
    up, down = ({**columns, name: columns[name] + sign * NUDGE} for sign in (1, -1))
    return float(np.mean(expected(up) - expected(down)) / (2 * NUDGE))


def step(expected: Callable[[Columns], Array], columns: Columns, name: str) -> float:
    """Mean change of the expected outcome from half a unit of `name` below what everybody has to half a unit above."""
    up, down = ({**columns, name: columns[name] + half} for half in (0.5, -0.5))
    return float(np.mean(expected(up) - expected(down)))


def carried(
    mediator: Callable[[Columns], Array], expected: Callable[[Columns], Array], columns: Columns, name: str, by: str
) -> float:
    """Mean change of the expected outcome where `mediator` (the column `by`) goes from what half a unit less of `name`
    makes of it to what half a unit more does, and everything else stays: the natural indirect effect."""
    up, down = (mediator({**columns, name: columns[name] + half}) for half in (0.5, -0.5))
    return float(np.mean(expected({**columns, by: up}) - expected({**columns, by: down})))


def switch(expected: Callable[[Columns], Array], columns: Columns, name: str) -> float:
    """Mean expected outcome with everybody at 1 in `name`, less that with everybody at 0."""
    on, off = ({**columns, name: np.full_like(columns[name], value)} for value in (1.0, 0.0))
    return float(np.mean(expected(on) - expected(off)))
