"""An effect over the time since it began: what came before the start, and what after."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from researchkit import wording
from researchkit.figures import ink
from researchkit.figures.figure import Figure

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
    with ink.sheet(250) as (sheet, axes):
        axes.axhspan(*band, color=ink.BAND, linewidth=0, zorder=0)
        axes.axhline(0, color=ink.MUTE, linewidth=1, zorder=1)
        axes.axvline(-0.5, color=ink.MUTE, linewidth=1, linestyle=(0, (3, 3)), zorder=1)
        axes.annotate(
            "start ",
            (-0.5, 1),
            xycoords=("data", "axes fraction"),
            ha="right",
            va="top",
            color=ink.MUTE,
            fontsize=9,
        )
        for at, value, low, high in points:
            colour = ink.ORANGE if at < 0 else ink.BLUE
            known = math.isfinite(low) and math.isfinite(high)
            if known:
                axes.plot([at, at], [low, high], color=colour, linewidth=1.6, alpha=0.6, zorder=2)
            fill, edge = (colour, "#ffffff") if known else ("#ffffff", colour)
            axes.plot([at], [value], marker="o", markersize=7, color=fill, markeredgecolor=edge, zorder=3)
        ink.number_axis(axes.xaxis, 8)
        low, high = points[0][0], points[-1][0]
        axes.set_xticks([at for at in axes.get_xticks() if at == int(at) and low <= at <= high])
        ink.number_axis(axes.yaxis, 6)
        axes.set_xlabel(ink.wrapped(f"{wording.units(time)} since the start"))
        axes.set_ylabel(ink.wrapped(unit, 30))
        svg, png = ink.printed(sheet)
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
