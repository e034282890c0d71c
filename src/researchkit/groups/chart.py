"""Months in a row: a control chart that tells signal from noise.

The centre is the precision-weighted mean of a baseline: the first half of the months, at least eight. Limits lie three
standard errors of each month around it, and allow for the baseline's own error. A month is a **signal** where one of
three rules fires:

    beyond the limits         one month outside its limits
    eight on one side         it is at least the eighth in a row on one side of the centre
    six rising or falling     it is at least the sixth in a row that rises, or falls

These are tests 1 to 3 of Nelson 1984, Journal of Quality Technology 16, 237-239, with eight in a row, as in the Western
Electric rules, for his nine. Otherwise it is **noise**; before there is a baseline, or where the limits are so wide
that nothing would show, the chart **cannot tell**. How often the rules fire although nothing happens is simulated for
the very months of the chart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from researchkit.groups.point import SEEN, Groups, Point, allowed

Vector = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]
Word = Literal["signal", "noise", "cannot tell", "baseline"]
FEWEST, SIDE, TREND, SIGMAS = 8, 8, 6, 3.0
RULES = ("beyond the limits", "eight in a row on one side of the centre", "six in a row rising or falling")
DRAWS = 10_000


@dataclass(frozen=True)
class Step:
    """One month: where it stands in time, its limits, its word and the reason for it."""

    point: Point
    at: float
    low: float | None
    high: float | None
    word: Word
    reason: str


@dataclass(frozen=True)
class Chart:
    """Months around the centre of their baseline, in the effect's unit.

    Without a baseline `centre`, `calm` and `false_alarms` are None.
    """

    steps: tuple[Step, ...]
    baseline: int  # months of the baseline, from the first
    centre: float | None
    calm: bool | None  # whether no rule fires within the baseline
    false_alarms: float | None  # chance of any signal after the baseline although nothing happens
    in_time: bool  # the values are dates; else they are whole numbers, which may be mere names

    @property
    def signals(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps if step.word == "signal")

    @property
    def latest(self) -> Step:
        return self.steps[-1]


def chart(groups: Groups, rng: np.random.Generator) -> Chart | None:
    """The months of a question in their order; None where the values have none.

    Parameters
    ----------
    groups
        Their column holds dates, months ("2025-11"), quarters ("2025-Q4"), weeks ("2025-W48") or whole numbers.
    rng
        For the rate of false alarms.
    """
    found = in_order([point.value for point in groups.points])
    if found is None:
        return None
    in_time, at = found
    order = np.argsort(at, kind="stable")
    points, at = [groups.points[place] for place in order], [at[place] for place in order]
    shown = sum(point.shown for point in points)
    if shown <= FEWEST:
        told = f"{shown} shown; a baseline takes {FEWEST}, and the next can be judged by it"
        steps = [
            Step(one, place, None, None, "cannot tell", one.hidden or told)
            for one, place in zip(points, at, strict=True)
        ]
        return Chart(tuple(steps), 0, None, None, None, in_time)
    size = max(FEWEST, shown // 2)
    errors = np.array(allowed(points, SIGMAS))
    estimates = np.array([point.estimate for point in points])
    within = in_baseline(errors, size)
    centre, reach = limits(estimates, errors, within)
    fired = rules(estimates, centre, reach)
    steps = [
        step(
            point,
            place,
            (float(centre) - far, float(centre) + far),
            [bool(rule[row]) for rule in fired],
            bool(base),
            groups,
        )
        for row, (point, place, far, base) in enumerate(zip(points, at, map(float, reach), within, strict=True))
    ]
    calm = not any((rule & within).any() for rule in fired)
    alarms = false_alarms(points, within, rng)
    return Chart(tuple(steps), size, float(centre), calm, alarms, in_time)


def step(point: Point, at: float, ends: tuple[float, float], fired: Sequence[bool], base: bool, groups: Groups) -> Step:
    """The word for one month, with its reason."""
    if not point.shown:
        return Step(point, at, None, None, "cannot tell", point.hidden)
    reasons = [rule for rule, fires in zip(RULES, fired, strict=True) if fires]
    if base:
        return Step(point, at, *ends, "baseline", "; ".join(reasons) or "the centre is made from it")
    if reasons:
        return Step(point, at, *ends, "signal", "; ".join(reasons))
    if groups.margin > 0 and (ends[1] - ends[0]) / 2 > SEEN * groups.margin:
        return Step(point, at, *ends, "cannot tell", "its limits are too wide to show a change that matters much")
    return Step(point, at, *ends, "noise", "inside the limits, and no run or trend ends here")


def in_order(values: Sequence[str]) -> tuple[bool, list[float]] | None:
    """Where values stand in time, or as numbers; None where they have no such order."""
    for read in (as_date, as_month, as_quarter, as_week):
        places = [read(value) for value in values]
        if all(place is not None for place in places):
            return True, [float(place) for place in places if place is not None]
    if all(re.fullmatch(r"-?(0|[1-9]\d{0,14})", value) for value in values):  # "029" is a name
        return False, [float(value) for value in values]
    return None


def as_date(value: str) -> float | None:
    try:
        return float(date.fromisoformat(value).toordinal()) if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value) else None
    except ValueError:
        return None


def as_month(value: str) -> float | None:
    hit = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", value)
    return 12.0 * int(hit[1]) + int(hit[2]) if hit else None


def as_quarter(value: str) -> float | None:
    hit = re.fullmatch(r"(\d{4})[- ]?Q([1-4])", value)
    return 4.0 * int(hit[1]) + int(hit[2]) if hit else None


def as_week(value: str) -> float | None:
    hit = re.fullmatch(r"(\d{4})-?W(\d{2})", value)
    try:
        return date.fromisocalendar(int(hit[1]), int(hit[2]), 1).toordinal() / 7 if hit else None
    except ValueError:
        return None


def in_baseline(errors: Vector, size: int) -> Flags:
    """(n,) the first `size` months that are shown; a hidden one has no error."""
    there = np.isfinite(errors)
    return there & (np.cumsum(there) <= size)


def limits(estimates: Vector, errors: Vector, within: Flags) -> tuple[Vector, Vector]:
    """The centre (...,) of the baseline, and how far (..., n) from it the limits of each month lie."""
    weights = np.where(within, 1 / errors**2, 0.0)
    total = weights.sum(axis=-1)
    centre = (weights * np.where(within, estimates, 0.0)).sum(axis=-1) / total
    # A month of the baseline has pulled the centre towards itself; a later one bears the centre's error on top.
    own = np.where(within, -1.0, 1.0) / np.asarray(total)[..., None]
    return centre, SIGMAS * np.sqrt(np.maximum(errors**2 + own, 0.0))


def rules(estimates: Vector, centre: Vector, reach: Vector) -> tuple[Flags, Flags, Flags]:
    """(..., n) each: where a month is beyond its limits, ends a run on one side, ends a trend.

    A hidden month (NaN) ends every run: nobody knows on which side it was.
    """
    off = estimates - np.asarray(centre)[..., None]
    way = np.diff(estimates, axis=-1, prepend=np.nan)
    side = ended(off > 0, SIDE) | ended(off < 0, SIDE)
    trend = ended(way > 0, TREND - 1) | ended(way < 0, TREND - 1)
    return np.abs(off) > reach, side, trend


def ended(flags: Flags, length: int) -> Flags:
    """(..., n) where at least `length` in a row hold, seen from the last of them."""
    wide = np.concatenate([np.zeros((*flags.shape[:-1], length - 1), dtype=bool), flags], axis=-1)
    return np.asarray(np.lib.stride_tricks.sliding_window_view(wide, length, axis=-1).all(axis=-1))


def false_alarms(points: Sequence[Point], within: Flags, rng: np.random.Generator, draws: int = DRAWS) -> float:
    """The chance that any rule fires after the baseline although every month has the same true effect.

    Simulated: months with the standard errors of these, estimated from as many clusters as these.
    """
    errors = np.array([point.se for point in points])
    freedom = np.array([point.df or np.inf for point in points])
    factor = np.array(allowed(points, SIGMAS)) / errors
    estimates = errors * rng.normal(size=(draws, len(points)))
    known = np.where(np.isfinite(freedom), freedom, 1.0)
    luck = np.where(np.isfinite(freedom), np.sqrt(rng.chisquare(known, size=estimates.shape) / known), 1.0)
    centre, reach = limits(estimates, errors * luck * factor, np.broadcast_to(within, estimates.shape))
    fired = np.logical_or.reduce(rules(estimates, centre, reach)) & ~within
    return float(fired.any(axis=-1).mean())
