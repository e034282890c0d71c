"""An effect over the time since it began: what came before the start, and what after."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from researchkit import wording
from researchkit.figures import ink, letters
from researchkit.figures.figure import Figure
from researchkit.figures.sheet import Spot, numbers, sheet

Point = tuple[int, float, float, float]  # periods since the start, estimate, low, high


def since(
    points: Sequence[Point], *, time: str, unit: str, band: tuple[float, float], name: str, note: str = ""
) -> Figure:
    """Estimates over the time since the start with their intervals; 0 is the first time after it.

    Parameters
    ----------
    points
        In `unit`; a point without an interval (NaN) is drawn hollow.
    time
        What one step is called, such as "month".
    band
        Low and high end of what is too small to matter.
    """
    with sheet(250) as page:
        page.band(band)
        page.axes.axhline(0, color=ink.MUTE, linewidth=1, zorder=1)
        page.axes.axvline(-0.5, color=ink.MUTE, linewidth=1, linestyle=(0, (3, 3)), zorder=1)
        start = [Spot(-0.5, y, across, up, (x, 0.0), "y") for y, up in ((1.0, "top"), (0.0, "bottom"))
                 for across, x in (("right", -4.0), ("left", 4.0))]  # fmt: skip
        page.say("start", *start, colour=ink.MUTE, size=letters.SMALL)
        for at, value, low, high in points:
            colour = ink.ORANGE if at < 0 else ink.BLUE
            known = math.isfinite(low) and math.isfinite(high)
            if known:
                ink.whisker(page.axes, at, low, high, colour, wide=1.6)
                page.beside([at, at], [low, high], 3)
            ink.dot(page.axes, at, value, colour, size=7, hollow=not known)
            page.around(at, value)
        first, last = points[0][0], points[-1][0]
        page.x = [(at, text) for at, text in numbers(first, last, 8) if at == int(at)]
        page.along, page.above = f"{wording.units(time)} since the start", unit
        svg, png = page.printed()
    data = pd.DataFrame(points, columns=["since the start", "estimate", "low", "high"])
    caption = "Each dot is an estimate with its interval, against those that had not started. Before the start there "
    caption += "should be nothing to see. The shaded band holds what is too small to matter."
    return Figure(
        name, f"By {time} since the start", _alt(points, time, unit), f"{caption} {note}".strip(), data, svg, png
    )


def _alt(points: Sequence[Point], time: str, unit: str) -> str:
    told = []
    for at, value, low, high in points:
        number, limits = (
            wording.estimate(value, low, high, sign=True)
            if math.isfinite(low)
            else (wording.number(value), "no interval")
        )
        told.append(f"{at}: {number} ({limits})")
    return f"Difference in {unit} by {time} since the start (0 is the first). {'; '.join(told)}."
