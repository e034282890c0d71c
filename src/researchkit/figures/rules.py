"""What came of a rule, drawn: one series beside others, and the outcome on both sides of a limit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from researchkit import wording
from researchkit.figures import ink
from researchkit.figures.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TICKS = 8  # times named along the axis


def course(
    data: pd.DataFrame, began: int, *, name: str, title: str, unit: str, time: str, others: str = "the others"
) -> Figure:
    """The treated unit over time, and the mean of the others, with the place where it began.

    Parameters
    ----------
    data
        One row a time in order: `time`, `treated`, and `others` (all NaN where there are none).
    began
        Place (from 0) of the first time with it.
    """
    places = range(len(data))
    alone = bool(data["others"].isna().all())
    with ink.sheet(240) as (sheet, axes):
        axes.axvspan(began - 0.5, len(data) - 0.5, color=ink.BAND, linewidth=0, zorder=0)
        last = [data[who].iloc[-1] for who in ("treated", "others")]
        lift = 6 if last[0] >= last[1] or alone else -6  # so that labels of lines that end together stand apart
        if not alone:
            axes.plot(places, data["others"], color=ink.MUTE, linewidth=1.6)
            beside(axes, len(data) - 1, last[1], others, ink.MUTE, -lift)
        axes.plot(places, data["treated"], color=ink.BLUE, linewidth=2.2)
        beside(axes, len(data) - 1, last[0], "treated", ink.BLUE, 0 if alone else lift)
        axes.text(began - 0.4, 1.0, "from here on", transform=axes.get_xaxis_transform(), color=ink.MUTE, fontsize=9)
        step = max(1, len(data) // TICKS)
        axes.set_xticks(list(places)[::step], [ink.clean(one) for one in data["time"]][::step])
        axes.set_xlabel(ink.wrapped(time))
        axes.set_ylabel(ink.wrapped(unit, 30))
        ink.number_axis(axes.yaxis, 6)
        svg, png = ink.printed(sheet)
    means = [
        f"{who}: mean {wording.number(part[:began].mean())} before and {wording.number(part[began:].mean())} after"
        for who, part in (("treated", data["treated"]), ("others", data["others"]))
        if not part.isna().all()
    ]
    alt = (
        f"{title}, {unit}, at {len(data)} times, {began} of them before it began. {wording.capital('; '.join(means))}."
    )
    caption = "The shaded times are those with it. " + (
        "There is nothing beside it: what else happened then is in the line."
        if alone
        else "What both lines do together is not its doing."
    )
    return Figure(name, title, alt, caption, data, svg, png)


def beside(axes: Axes, x: float, y: float, text: str, colour: str, lift: int) -> None:
    """A label at the end of a line, in its colour."""
    axes.annotate(text, (x, y), xytext=(4, lift), textcoords="offset points", color=colour, va="center", fontsize=9)


def at_limit(
    data: pd.DataFrame, lines: Sequence[tuple[float, float, float, float]], at: float, *, name: str, title: str,
    unit: str, running: str,
) -> Figure:  # fmt: skip
    """Means along the running column, and the lines that meet the limit from both sides.

    Parameters
    ----------
    data
        One row a group of neighbours: `running`, `mean`, `n`.
    lines
        (from, value there, to, value there) of each side.
    """
    with ink.sheet(240) as (sheet, axes):
        axes.axvline(at, color=ink.MUTE, linewidth=1.2)
        axes.plot(data["running"], data["mean"], "o", color=ink.MUTE, markersize=5, alpha=0.7)
        for x0, y0, x1, y1 in lines:
            axes.plot([x0, x1], [y0, y1], color=ink.BLUE, linewidth=2.4)
        axes.text(at, 1.0, " limit", transform=axes.get_xaxis_transform(), color=ink.MUTE, fontsize=9)
        axes.set_xlabel(ink.wrapped(running))
        axes.set_ylabel(ink.wrapped(unit, 30))
        ink.number_axis(axes.yaxis, 6)
        ink.number_axis(axes.xaxis)
        svg, png = ink.printed(sheet)
    ends = [wording.number(y1 if x1 == at else y0) for x0, y0, x1, y1 in lines]
    alt = (
        f"{title} along {running}: {len(data)} groups of neighbours. The lines meet the limit "
        f"{wording.typed(at)} at {' and '.join(ends)}."
    )
    caption = "Dots are means of neighbours; the lines are fitted within the window, the nearer rows weighing more."
    return Figure(name, title, alt, caption, data, svg, png)
