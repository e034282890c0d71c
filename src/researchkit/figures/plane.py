"""Two effects at once: where both may lie together, and which side of the price they are on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit import wording
from researchkit.figures import ink
from researchkit.figures.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINTS = 120  # along the edge of the region
Vector = NDArray[np.floating[Any]]


def plane(
    centre: Vector,
    edge: Vector,
    *,
    names: tuple[str, str],
    units: tuple[str, str],
    slope: float,
    word: str,
    level: float = 0.95,
    name: str = "both-outcomes",
) -> Figure:
    """The joint region of two effects, over the line on which nothing is gained.

    Parameters
    ----------
    centre, edge
        The two effects (2,), the second across; and the matrix (2, 2) that takes a circle to the edge of their region.
    names, units
        Of the first effect (upwards) and of the second (across).
    slope
        The line of nothing gained: first = slope x second.
    word
        How the two stand to each other, for the words.
    """
    turn = np.linspace(0, 2 * np.pi, POINTS)
    rim = centre[:, None] + edge @ np.vstack([np.cos(turn), np.sin(turn)])
    with ink.sheet(270) as (sheet, axes):
        across = np.append(rim[1], 0.0)
        reach = np.array([across.min(), across.max()]) * 1.08
        axes.axhline(0, color=ink.MUTE, linewidth=1, zorder=1)
        axes.axvline(0, color=ink.MUTE, linewidth=1, zorder=1)
        axes.plot(reach, slope * reach, color=ink.ORANGE, linewidth=1.6, linestyle="--", zorder=1)
        axes.fill(rim[1], rim[0], color=ink.BLUE, alpha=0.18, linewidth=0, zorder=2)
        axes.plot(rim[1], rim[0], color=ink.BLUE, linewidth=1.6, zorder=2)
        axes.plot(
            [centre[1]], [centre[0]], marker="o", markersize=8, color=ink.BLUE, markeredgecolor="#ffffff", zorder=3
        )
        _named(axes, names, units)
        svg, png = ink.printed(sheet)
    low, high = rim.min(axis=1), rim.max(axis=1)
    told = [
        f"{ink.clean(label)}: {wording.number(float(value), sign=True)} {unit} (the region runs from "
        f"{wording.interval(float(down), float(up))})."
        for label, unit, value, down, up in zip(names, units, centre, low, high, strict=True)
    ]
    alt = f"{' '.join(told)} The two together: {word}."
    caption = (
        f"The dot is the estimate of both; the region holds both true values together in"
        f" {wording.percent(level, 0)} of such "
        "studies. On the dashed line the gain is just worth its price; above it, it is worth more."
    )
    data = pd.DataFrame({"across": rim[1], "upwards": rim[0]})
    return Figure(name, "Both outcomes together", alt, caption, data, svg, png)


def _named(axes: Axes, names: Sequence[str], units: Sequence[str]) -> None:
    ink.number_axis(axes.xaxis, 6)
    ink.number_axis(axes.yaxis, 6)
    axes.set_xlabel(ink.wrapped(f"{names[1]} ({units[1]})"))
    axes.set_ylabel(ink.wrapped(f"{names[0]} ({units[0]})", 34))


def calibration(
    forecast: Vector,
    came: Sequence[tuple[float, float, float]],
    *,
    what: str,
    name: str = "forecasts",
    level: float = 0.95,
) -> Figure:
    """The share that came over the chance that was forecast, by parts of the forecasts.

    Parameters
    ----------
    forecast
        Mean forecast of each part, 0 to 1.
    came
        (share, low, high) of each part, 0 to 1.
    what
        What came, for the words.
    """
    rows = np.array(came)
    with ink.sheet(270) as (sheet, axes):
        axes.plot([0, 100], [0, 100], color=ink.MUTE, linewidth=1, zorder=1)
        for at, (value, low, high) in zip(100 * forecast, 100 * rows, strict=True):
            axes.plot([at, at], [low, high], color=ink.BLUE, linewidth=1.6, alpha=0.55, zorder=2)
            axes.plot([at], [value], marker="o", markersize=7, color=ink.BLUE, markeredgecolor="#ffffff", zorder=3)
        ink.number_axis(axes.xaxis, 6)
        ink.number_axis(axes.yaxis, 6)
        axes.set_xlabel("Chance that was forecast (%)")
        axes.set_ylabel(ink.wrapped(f"{what} (%)", 34))
        svg, png = ink.printed(sheet)
    parts = [
        f"forecast {wording.percent(float(at), 0)}, came {wording.percent(float(row[0]), 0)}"
        for at, row in zip(forecast, rows, strict=True)
    ]
    alt = f"{ink.clean(what)}, by parts of the forecasts: {'; '.join(parts)}."
    caption = "On the line, as much came as was forecast. Each dot is a part of the forecasts, with its interval."
    data = pd.DataFrame({"forecast": forecast, "came": rows[:, 0], "low": rows[:, 1], "high": rows[:, 2]})
    return Figure(name, "What was forecast, and what came", alt, caption, data, svg, png)
