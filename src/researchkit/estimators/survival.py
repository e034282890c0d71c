"""Times until an event, without a model: curves, restricted means, the log-rank test.

`event` is 0 where the time is the end of watching, 1 (or another code) where something ended it. A row is at risk in
(entry, time].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError
from researchkit.estimators.effect import Vector
from researchkit.wording import typed

ROUNDING = 1e-12  # shares this close are equal


@dataclass(frozen=True)
class Curve:
    """A step curve at its distinct event times (m,), with pointwise limits and the number at risk just before each.

    `value` is the share still without the event (`survival_curve`) or the share that had it (`cumulative_incidence`).
    """

    times: Vector
    value: Vector
    se: Vector
    low: Vector
    high: Vector
    at_risk: Vector
    start: float

    def at(self, time: float) -> tuple[float, float, float, float]:
        """Value, standard error, low and high at a time."""
        place = int(np.searchsorted(self.times, time, side="right")) - 1
        if place < 0:
            return self.start, 0.0, self.start, self.start
        return tuple(float(column[place]) for column in (self.value, self.se, self.low, self.high))  # type: ignore[return-value]

    def median(self) -> tuple[float, float, float]:
        """First time at which the curve, and its upper and lower limit, are at a half or below; NaN if never."""

        def first(column: Vector) -> float:
            crossed = np.flatnonzero(column <= 0.5 + ROUNDING)
            return float(self.times[crossed[0]]) if len(crossed) else float("nan")

        return first(self.value), first(self.low), first(self.high)


def survival_curve(time: Vector, event: Vector, entry: Vector | None = None, level: float = 0.95) -> Curve:
    """Kaplan and Meier's curve with Greenwood's errors and log-log limits; every non-zero `event` counts.

    References
    ----------
    Agrees with R `survfit(Surv(time, event) ~ 1, conf.type = "log-log")` (R's own default is the log scale).
    """
    times, ended, at_risk = _table(time, np.asarray(event) != 0, entry)
    value = np.cumprod(1 - ended / at_risk)
    inside = value > 0  # and below 1: somebody ended at the first of the times
    with np.errstate(divide="ignore", invalid="ignore"):
        log_variance = np.cumsum(ended / (at_risk * (at_risk - ended)))
        se = np.where(inside, value * np.sqrt(log_variance), 0.0)
        half = _quantile(level) * np.sqrt(log_variance) / np.abs(np.log(value))
        low, high = value ** np.exp(half), value ** np.exp(-half)
    return Curve(times, value, se, np.where(inside, low, value), np.where(inside, high, value), at_risk, 1.0)


def cumulative_incidence(
    time: Vector, event: Vector, code: int = 1, entry: Vector | None = None, level: float = 0.95
) -> Curve:
    """Share that had event `code` by each time, when other events end the waiting (Aalen and Johansen).

    One minus Kaplan-Meier overstates it: it treats those who ended otherwise as if they could still have the event. The
    errors are Aalen's (R: `cmprsk::cuminc`); limits are on the log-log scale.
    """
    event = np.asarray(event)
    times, ended, at_risk = _table(time, event != 0, entry)
    own = _at(times, np.asarray(time)[event == code])
    free = np.cumprod(1 - ended / at_risk)
    before = np.concatenate([[1.0], free[:-1]])
    value = np.cumsum(before * own / at_risk)
    se = np.sqrt(np.maximum(_aalen(value, before, own, ended, at_risk), 0.0))
    inside = (value > 0) & (value < 1 - ROUNDING)
    middle = np.where(inside, value, 0.5)
    half = _quantile(level) * se / (middle * np.abs(np.log(middle)))
    low, high = middle ** np.exp(half), middle ** np.exp(-half)
    return Curve(times, value, se, np.where(inside, low, value), np.where(inside, high, value), at_risk, 0.0)


def restricted_mean(time: Vector, event: Vector, horizon: float, entry: Vector | None = None) -> tuple[float, float]:
    """Mean time without the event up to `horizon` (the area under the curve), and its standard error.

    Raises
    ------
    EstimationError
        If the last row at risk was watched for less than the horizon and had no event: the curve ends before it.

    References
    ----------
    Agrees with R `survRM2::rmst2` and `print(survfit(...), rmean = horizon)`.
    """
    time, event = np.asarray(time, dtype=float), np.asarray(event)
    watched(time, event, horizon)
    curve = survival_curve(time, event, entry)
    inside = curve.times <= horizon
    times, value, at_risk = curve.times[inside], curve.value[inside], curve.at_risk[inside]
    widths = np.diff(np.concatenate([times, [horizon]]))
    head = float(times[0]) if len(times) else horizon
    area = value * widths
    later = np.cumsum(area[::-1])[::-1]
    ended = _at(times, time[event != 0])
    left = at_risk - ended
    terms = np.divide(later**2 * ended, at_risk * left, out=np.zeros_like(later), where=left > 0)
    return head + float(area.sum()), float(np.sqrt(terms.sum()))


def watched(time: Vector, event: Vector, horizon: float) -> None:
    """Refuse a horizon that nobody was watched until."""
    longest = float(np.max(time))
    if longest < horizon and not np.any(np.asarray(event)[np.asarray(time) == longest] != 0):
        raise EstimationError(
            f"Nobody was watched until the horizon of {typed(horizon)}: the longest time is {typed(longest)} and ended "
            f"without the event. Set `horizon` to {typed(longest)} or less."
        )


def logrank(time: Vector, event: Vector, group: Vector, entry: Vector | None = None) -> tuple[float, float]:
    """Chi-square of the log-rank test between the distinct values of `group`, and its p-value.

    References
    ----------
    Agrees with R `survival::survdiff(Surv(time, event) ~ group)`.
    """
    from scipy.special import chdtrc

    time, happened, group = np.asarray(time, dtype=float), np.asarray(event) != 0, np.asarray(group)
    times, ended, at_risk = _table(time, happened, entry)
    values = np.unique(group)
    if len(values) < 2:
        raise EstimationError("A log-rank test compares at least 2 groups; here all rows are in one.")
    member = [group == value for value in values[:-1]]
    own_risk = np.array([_risk(times, time[m], None if entry is None else entry[m]) for m in member])
    own_ended = np.array([_at(times, time[m & happened]) for m in member])
    share = own_risk / at_risk
    gap = (own_ended - ended * share).sum(axis=1)
    width = np.divide(ended * (at_risk - ended), at_risk - 1, out=np.zeros_like(at_risk), where=at_risk > 1)
    covariance = np.diag((width * share).sum(axis=1)) - (width * share) @ share.T
    chi_square = float(gap @ np.linalg.solve(covariance, gap))
    return chi_square, float(chdtrc(len(gap), chi_square))


def _table(time: Vector, happened: NDArray[np.bool_], entry: Vector | None) -> tuple[Vector, Vector, Vector]:
    """Distinct event times, how many ended there, and how many were at risk just before."""
    time = np.asarray(time, dtype=float)
    times = np.unique(time[happened])
    return times, _at(times, time[happened]), _risk(times, time, entry)


def _at(times: Vector, ended: Vector) -> Vector:
    """How many of `ended` fall on each of `times`."""
    left, right = np.searchsorted(np.sort(ended), times), np.searchsorted(np.sort(ended), times, side="right")
    return (right - left).astype(float)


def _risk(times: Vector, time: Vector, entry: Vector | None) -> Vector:
    """How many are at risk at each of `times`: entered before it and not yet gone."""
    gone = np.searchsorted(np.sort(time), times)
    entered = len(time) if entry is None else np.searchsorted(np.sort(entry), times)
    return np.asarray(entered - gone, dtype=float)


def _aalen(value: Vector, before: Vector, own: Vector, ended: Vector, at_risk: Vector) -> Vector:
    """Aalen's variance of a cumulative incidence F at each event time t, tied ends drawn without replacement.

    An end at s of weight w = d (1 - (d - 1) / (n - 1)) / n^2, S being the share free of any end, adds
    w S(s-)^2 (own - (F(t) - F(s)) / S(s))^2, where own is 1 for the event itself and 0 for other ends.
    """
    after = before * (1 - ended / at_risk)
    inverse = np.divide(1, after, out=np.zeros_like(after), where=after > 0)
    variance = np.zeros_like(value)
    for number, itself in ((own, 1.0), (ended - own, 0.0)):
        weight = before**2 * number * (1 - (number - 1) / np.maximum(at_risk - 1, 1)) / at_risk**2
        height = itself + value * inverse  # (height - F(t) inverse)^2, opened so that running sums suffice
        variance += np.cumsum(weight * height**2) - 2 * value * np.cumsum(weight * height * inverse)
        variance += value**2 * np.cumsum(weight * inverse**2)
    return variance


def _quantile(level: float) -> float:
    from scipy.special import ndtri

    return float(ndtri((1 + level) / 2))
