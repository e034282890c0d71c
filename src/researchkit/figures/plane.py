"""Two effects at once: where both may lie together, and which side of the price they are on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit import wording
from researchkit.figures import ink, letters
from researchkit.figures.figure import Figure
from researchkit.figures.sheet import Spot, sheet

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
    with sheet(270) as page:
        axes, across = page.axes, np.append(rim[1], 0.0)
        reach = np.array([across.min(), across.max()]) * 1.08
        axes.axhline(0, color=ink.MUTE, linewidth=1, zorder=1)
        axes.axvline(0, color=ink.MUTE, linewidth=1, zorder=1)
        axes.plot(reach, slope * reach, color=ink.ORANGE, linewidth=1.6, linestyle="--", zorder=1)
        axes.fill(rim[1], rim[0], color=ink.BLUE, alpha=0.18, linewidth=0, zorder=2)
        axes.plot(rim[1], rim[0], color=ink.BLUE, linewidth=1.6, zorder=2)
        ink.dot(axes, float(centre[1]), float(centre[0]), ink.BLUE)
        page.beside(reach, slope * reach)
        page.beside([*rim[1], rim[1][0]], [*rim[0], rim[0][0]])
        page.around(0, 0, 1)
        far = reach[np.argmax(np.abs(reach))]
        spots = [Spot(share * far, slope * share * far, across, up, (0.0, rise))
                 for share in (0.97, 0.75, 0.5) for up, rise in (("top", -5.0), ("bottom", 5.0))
                 for across in ("right", "left")]  # fmt: skip
        page.say("nothing gained", *spots, colour=ink.ORANGE, size=letters.SMALL)
        page.along, page.above = (f"{name} ({unit})" for name, unit in zip(names[::-1], units[::-1], strict=True))
        svg, png = page.printed()
    low, high = rim.min(axis=1), rim.max(axis=1)
    told = [
        f"{ink.clean(label)}: {wording.number(float(value), sign=True)} {unit} (the region runs from "
        f"{wording.interval(float(down), float(up))})."
        for label, unit, value, down, up in zip(names, units, centre, low, high, strict=True)
    ]
    alt = f"{' '.join(told)} The two together: {word}."
    caption = (
        f"The dot is the estimate of both; the region holds both true values together in"
        f" {wording.level(level)} of such "
        "studies. On the dashed line the gain is just worth its price; above it, it is worth more."
    )
    data = pd.DataFrame({"across": rim[1], "upwards": rim[0]})
    return Figure(name, "Both outcomes together", alt, caption, data, svg, png)


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
    with sheet(270) as page:
        page.axes.plot([0, 100], [0, 100], color=ink.MUTE, linewidth=1, zorder=1)
        page.beside([0, 100], [0, 100])
        for at, (value, low, high) in zip(100 * forecast, 100 * rows, strict=True):
            ink.whisker(page.axes, at, low, high, ink.BLUE, wide=1.6)
            ink.dot(page.axes, at, value, ink.BLUE, size=7)
            page.beside([at, at], [low, high], 4)
        spots = [Spot(x, x, across, up, (dx, 0.0)) for x in (40, 60, 25, 75)
                 for across, up, dx in (("right", "bottom", -3.0), ("left", "top", 3.0))]  # fmt: skip
        page.say("as forecast", *spots, colour=ink.MUTE, size=letters.SMALL)
        page.along, page.above = "Chance that was forecast (%)", f"{what} (%)"
        svg, png = page.printed()
    parts = [
        f"forecast {wording.percent(float(at), 0)}, came {wording.percent(float(row[0]), 0)}"
        for at, row in zip(forecast, rows, strict=True)
    ]
    alt = f"{ink.clean(what)}, by parts of the forecasts: {'; '.join(parts)}."
    caption = "On the line, as much came as was forecast. Each dot is a part of the forecasts, with its interval."
    data = pd.DataFrame({"forecast": forecast, "came": rows[:, 0], "low": rows[:, 1], "high": rows[:, 2]})
    return Figure(name, "What was forecast, and what came", alt, caption, data, svg, png)
