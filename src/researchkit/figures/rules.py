"""What came of a rule, drawn: one series beside others, and the outcome on both sides of a limit."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from researchkit import wording
from researchkit.figures import ink, letters
from researchkit.figures.figure import Figure
from researchkit.figures.sheet import Spot, sheet

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
    with sheet(240) as page:
        page.axes.axvline(began - 0.5, color=ink.MUTE, linewidth=1, dashes=(4, 3), zorder=0)
        page.axes.set_xlim(-0.5, len(data) - 0.5)
        if not alone:
            page.axes.plot(places, data["others"], color=ink.MUTE, linewidth=1.6)
            page.beside(places, data["others"])
            page.end(others, data["others"].iloc[-1], ink.MUTE)
        page.axes.plot(places, data["treated"], color=ink.BLUE, linewidth=2.2)
        page.beside(places, data["treated"])
        page.end("treated", data["treated"].iloc[-1], ink.BLUE)
        spots = [Spot(began - 0.5, y, "left", up, (4.0, dy), "y") for y, up, dy in ((1, "top", -2), (0, "bottom", 2))]
        page.say("from here on", *spots, colour=ink.MUTE, size=letters.SMALL)
        step = max(1, len(data) // TICKS)
        page.x = [(at, ink.clean(one)) for at, one in enumerate(data["time"])][::step]
        page.along, page.above = time, unit
        svg, png = page.printed()
    means = [
        f"{who}: mean {wording.number(part[:began].mean())} before and {wording.number(part[began:].mean())} after"
        for who, part in (("treated", data["treated"]), ("others", data["others"]))
        if not part.isna().all()
    ]
    alt = (
        f"{title}, {unit}, at {len(data)} times, {began} of them before it began. {wording.capital('; '.join(means))}."
    )
    caption = "From the dashed line on it was there. " + (
        "There is nothing beside it: what else happened then is in the line."
        if alone
        else "What both lines do together is not its doing."
    )
    return Figure(name, title, alt, caption, data, svg, png)


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
    with sheet(240) as page:
        page.axes.axvline(at, color=ink.MUTE, linewidth=1.2)
        page.axes.plot(data["running"], data["mean"], "o", color=ink.MUTE, markersize=5, alpha=0.7)
        for x, y in zip(data["running"], data["mean"], strict=True):
            page.around(x, y, 3)
        for x0, y0, x1, y1 in lines:
            page.axes.plot([x0, x1], [y0, y1], color=ink.BLUE, linewidth=2.4)
            page.beside([x0, x1], [y0, y1])
        spots = [Spot(at, y, across, up, (dx, dy), "y") for y, up, dy in ((1.0, "top", -1.0), (0.0, "bottom", 1.0))
                 for across, dx in (("left", 4.0), ("right", -4.0))]  # fmt: skip
        page.say("limit", *spots, colour=ink.MUTE, size=letters.SMALL)
        page.along, page.above = running, unit
        svg, png = page.printed()
    ends = [wording.number(y1 if x1 == at else y0) for x0, y0, x1, y1 in lines]
    alt = (
        f"{title} along {running}: {len(data)} groups of neighbours. The lines meet the limit "
        f"{wording.typed(at)} at {' and '.join(ends)}."
    )
    caption = "Dots are means of neighbours; the lines are fitted within the window, the nearer rows weighing more."
    return Figure(name, title, alt, caption, data, svg, png)
