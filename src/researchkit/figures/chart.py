"""Months in a row: their estimates, the centre of their baseline, and their limits."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd

from researchkit import wording
from researchkit.figures import ink, letters
from researchkit.figures.figure import Figure
from researchkit.figures.sheet import Sheet, Spot, sheet

if TYPE_CHECKING:
    from researchkit.groups import Chart, Groups, Step

LONGEST = 62.0  # points of a value at the axis


def chart(groups: Groups, found: Chart) -> Figure:
    """Each month as a dot with its interval, over the limits that noise sets it; signals stand out.

    Parameters
    ----------
    found
        From `groups.chart`. A month that is hidden leaves a gap.
    """
    scale, unit = wording.scale(groups.unit)
    unit = wording.units(unit)
    by = ink.clean(groups.column.replace("_", " "))
    shown = [step for step in found.steps if step.point.shown]
    with sheet(250) as page:
        margin = scale * groups.margin
        page.band((-margin, margin) if margin else None, beside=True)
        _ground(page, found, shown, scale)
        for step in shown:
            _dot(page, step, scale)
        for step in found.signals:
            _named(page, step, scale)
        page.x = [(step.at, letters.shortened(_value(step), LONGEST, letters.SMALL)) for step in found.steps]
        page.along, page.above = by, f"{groups.contrast}, {unit}"
        svg, png = page.printed()
    return Figure(
        f"{groups.question}-by-{groups.prefix}-chart",
        f"By {by}, with the limits of noise",
        _alt(by, found, shown, scale, unit),
        _caption(found),
        _data(found, scale),
        svg,
        png,
    )


def _ground(page: Sheet, found: Chart, shown: list[Step], scale: float) -> None:
    """Centre, limits and the baseline that they come from."""
    if found.centre is None:
        return
    centre, axes = scale * found.centre, page.axes
    base = [step.at for step in shown[: found.baseline]]
    half = _gap(found) / 2
    axes.axvline(base[-1] + half, color=ink.MUTE, linewidth=1, dashes=(4, 3), zorder=1)
    axes.axhline(centre, color=ink.MUTE, linewidth=1, zorder=1)
    for ends in ("low", "high"):
        for step in shown:
            level = scale * (getattr(step, ends) or 0.0)
            axes.plot([step.at - half, step.at + half], [level, level], color=ink.MUTE, linewidth=1.4, zorder=1)
            page.beside([step.at - half, step.at + half], [level, level])
    spots = [Spot(base[-1] + half, y, "right", up, (-4.0, dy), "y") for y, up, dy in ((1, "top", -2), (0, "bottom", 2))]
    page.say("baseline", *spots, colour=ink.MUTE, size=letters.SMALL, late=True)


def _dot(page: Sheet, step: Step, scale: float) -> None:
    signal = step.word == "signal"
    colour = ink.ORANGE if signal else ink.BLUE
    low, value, high = (scale * part for part in (step.point.low, step.point.estimate, step.point.high))
    ink.whisker(page.axes, step.at, low, high, colour, wide=1.6)
    ink.dot(page.axes, step.at, value, colour, mark="D" if signal else "o", size=7)
    page.beside([step.at, step.at], [low, high], 3)


def _named(page: Sheet, step: Step, scale: float) -> None:
    """The name of a signal beside it: the axis has room for some only."""
    ends = ((step.point.high, "bottom", 3.0), (step.point.low, "top", -3.0))
    spots = [Spot(step.at, scale * y, across, up, (dx, dy)) for y, up, dy in ends
             for across, dx in (("center", 0.0), ("right", 4.0), ("left", -4.0))]  # fmt: skip
    name = letters.shortened(_value(step), LONGEST, letters.SMALL, bold=True)
    page.say(name, *spots, size=letters.SMALL, bold=True)  # the mark has the colour, which is too pale for letters


def _value(step: Step) -> str:
    return ink.clean(step.point.value)


def _gap(found: Chart) -> float:
    """The shortest step in time."""
    at = [step.at for step in found.steps]
    return min((later - one for one, later in pairwise(at) if later > one), default=1.0)


def _alt(by: str, found: Chart, shown: list[Step], scale: float, unit: str) -> str:
    if not shown:
        return "Nothing to draw: no estimate has an interval."
    estimates = [scale * step.point.estimate for step in shown]
    first, last = (_value(step) for step in (shown[0], shown[-1]))
    span = wording.interval(min(estimates), max(estimates))
    told = f"{wording.count(len(shown))} estimates by {by} from {first} to {last}: {span} {unit}."
    if found.centre is None:
        return f"{told} There is no baseline yet."
    centre = wording.number(scale * found.centre, sign=True)
    signals = [f"{_value(step)} ({step.reason})" for step in found.signals]
    said = f"Signals: {', '.join(signals)}." if signals else "No signal."
    return f"{told} The centre of the first {found.baseline} is {centre}. {said}"


def _caption(found: Chart) -> str:
    dots = "Each dot is an estimate with its interval."
    if found.centre is None:
        return dots
    return (
        f"{dots} The line is the centre of the baseline, which ends at the dashed line; the short bars are the limits "
        "of noise, three standard errors away. Diamonds are signals."
    )


def _data(found: Chart, scale: float) -> pd.DataFrame:
    rows = [
        {
            "value": step.point.value,
            "estimate": scale * step.point.estimate,
            "low": scale * step.point.low,
            "high": scale * step.point.high,
            "lower limit": None if step.low is None else scale * step.low,
            "upper limit": None if step.high is None else scale * step.high,
            "says": step.word,
            "because": step.reason,
        }
        for step in found.steps
    ]
    return pd.DataFrame(rows)
