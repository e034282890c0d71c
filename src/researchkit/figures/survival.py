"""Curves of who is still there, with bands and the number at risk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from researchkit import wording
from researchkit.figures import ink, letters
from researchkit.figures.figure import Figure
from researchkit.figures.sheet import Sheet, Spot, sheet

ROUND_TO = 10
RISK = 27.0  # points that a curve's numbers at risk take


@dataclass(frozen=True)
class Curve:
    """One step curve: from each of `times` (shape (k,), rising) on, the value beside it holds.

    `low` and `high` are the limits; `at_risk[i]` counts who is at risk just before `times[i]`, and stays out when None.
    """

    label: str
    times: ArrayLike
    survival: ArrayLike
    low: ArrayLike
    high: ArrayLike
    at_risk: ArrayLike | None = None

    def at(self, time: float) -> tuple[float, float, float]:
        """Survival, low and high at a time; 1 before the first step."""
        place = int(np.searchsorted(np.asarray(self.times, float), time, side="right")) - 1
        if place < 0:
            return 1.0, 1.0, 1.0
        one, two, three = (float(np.asarray(part, float)[place]) for part in (self.survival, self.low, self.high))
        return one, two, three

    def still(self, time: float) -> int | None:
        """How many are at risk at a time; None where that is not known."""
        if self.at_risk is None:
            return None
        place = int(np.searchsorted(np.asarray(self.times, float), time, side="left"))
        counts = np.asarray(self.at_risk)
        return int(counts[place]) if place < len(counts) else None


def curves(
    items: Sequence[Curve | tuple[Any, ...]],
    *,
    horizon: float,
    unit: str,
    title: str,
    name: str = "curves",
    fewest: int = 10,
    ylabel: str = "per cent still without the event",
    times: Sequence[float] | None = None,
) -> Figure:
    """Step curves with bands up to the horizon, each told at its end, the number at risk below.

    Parameters
    ----------
    items
        `Curve`s, or their fields as tuples (label, times, survival, low, high[, at risk]); survival from 0 to 1.
    horizon
        Where the drawing ends, in `unit` of time.
    fewest
        Numbers at risk below this are told as "<10", none as 0.
    times
        Where few people may not be told of: the only times, the horizon the last, at which the curves are drawn and
        told. Numbers at risk are then to the nearest 10, for two of them would tell how few left in between.
    """
    shared, drawn = _shared([item if isinstance(item, Curve) else Curve(*item) for item in items])
    ticks = [horizon * part / 4 for part in range(5)]
    counted = [curve for curve in drawn if curve.at_risk is not None]
    with sheet(235 + RISK * len(counted)) as page:
        _steps(page, drawn, horizon, times)
        page.x = [(tick, f"{tick:g}") for tick in ticks]
        below = _at_risk(counted, ticks, fewest, 1 if times is None else ROUND_TO)
        page.along, page.above = unit, ylabel
        _risk_rows(page, drawn, below, ticks)
        svg, png = page.printed()
    ends = [f"{ink.clean(curve.label)} {_end(curve, horizon)}" for curve in drawn]
    few = any("<" in cell for row in below.values() for cell in row)
    caption = f"By {shared}. " if shared else ""
    caption += "" if times is None else f"Numbers at risk are to the nearest {ROUND_TO}. "
    caption += "Bands are 95 % intervals." + (f" Fewer than {fewest} at risk are not counted out." if few else "")
    alt = f"At {horizon:g} {unit}, {ylabel}{f', by {shared}' if shared else ''}: {'; '.join(ends)}."
    return Figure(
        name, title, alt, caption, _data(drawn, np.linspace(0, horizon, 21) if times is None else times), svg, png
    )


def _shared(drawn: list[Curve]) -> tuple[str, list[Curve]]:
    """What all labels begin with ("Compassion: low", "Compassion: high"), and the curves with the rest for a label."""
    start = os.path.commonprefix([curve.label for curve in drawn]) if len(drawn) > 1 else ""  # noqa: RUF071 -- letters, not folders
    cut = max(start.rfind(mark) + len(mark) if mark in start else 0 for mark in (": ", ", "))
    return start[:cut].rstrip(" :,"), [replace(curve, label=curve.label[cut:]) for curve in drawn]


def _end(curve: Curve, horizon: float) -> str:
    estimate, limits = wording.estimate(*(100 * value for value in curve.at(horizon)))
    return f"{estimate} % ({limits})"


def _steps(page: Sheet, drawn: Sequence[Curve], horizon: float, told: Sequence[float] | None) -> None:
    """Bands and steps, each curve named at its end."""
    lowest, axes = 1.0, page.axes
    for curve, colour in zip(drawn, ink.SERIES, strict=False):
        times, survival, low, high = _until(curve, horizon, told)
        axes.fill_between(times, 100 * low, 100 * high, step="post", color=colour, alpha=0.15, linewidth=0)
        axes.step(times, 100 * survival, where="post", color=colour, linewidth=2)
        lowest = min(lowest, float(np.nanmin(low)))
        page.end(curve.label, 100 * curve.at(horizon)[0], colour)
    axes.set_xlim(0, horizon)
    axes.set_ylim(0 if lowest < 0.4 else max(0.0, 100 * lowest - 4), 100.5)


def _until(curve: Curve, horizon: float, told: Sequence[float] | None) -> tuple[NDArray[np.float64], ...]:
    """The curve on a grid as fine as the eye: its own steps would be single people's days."""
    grid = np.linspace(0.0, horizon, 161) if told is None else np.asarray(told, float)
    return grid, *np.array([curve.at(time) for time in grid]).T


def _at_risk(counted: Sequence[Curve], ticks: Sequence[float], fewest: int, step: int) -> dict[str, list[str]]:
    def told(n: int | None) -> str:
        if n is None:
            return "–"
        return f"<{fewest}" if 0 < n < fewest else wording.count((n + step // 2) // step * step)

    return {curve.label: [told(curve.still(tick)) for tick in ticks] for curve in counted}


def _risk_rows(page: Sheet, drawn: Sequence[Curve], below: dict[str, list[str]], ticks: Sequence[float]) -> None:
    """Under the time axis: a line of numbers for each curve, in its colour, its name above them."""
    colours = {curve.label: colour for curve, colour in zip(drawn, ink.SERIES, strict=False)}
    page.foot = RISK * len(below)
    for place, (label, cells) in enumerate(below.items()):
        top = page.foot - RISK * place - 4
        words = letters.shortened(f"{ink.clean(label)}: at risk", letters.WIDTH - 30, letters.SMALL)
        page.say(words, Spot(0.0, top, "left", "top", of="xf"), colour=colours[label], size=letters.SMALL)
        for tick, cell in zip(ticks, cells, strict=True):
            page.say(cell, Spot(tick, top - 11, "center", "top", of="f"), size=letters.SMALL)


def _data(drawn: Sequence[Curve], times: Sequence[float] | NDArray[np.float64]) -> pd.DataFrame:
    """The curves at a few times: the steps themselves would give away single people."""
    rows = [
        {"curve": curve.label, "time": time, **dict(zip(("survival", "low", "high"), curve.at(time), strict=True))}
        for curve in drawn
        for time in times
    ]
    return pd.DataFrame(rows, columns=["curve", "time", "survival", "low", "high"])
