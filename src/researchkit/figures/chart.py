"""Months in a row: their estimates, the centre of their baseline, and their limits."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import pandas as pd

from researchkit import wording
from researchkit.figures import ink
from researchkit.figures.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from researchkit.groups import Chart, Groups, Step

ROOM = 42  # letters along the axis, on a phone
LONGEST = 10  # letters of a value at the axis


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
    with ink.sheet(250) as (sheet, axes):
        _ground(axes, found, shown, scale)
        for step in shown:
            _dot(axes, step, scale)
        _ticks(axes, found.steps)
        ink.number_axis(axes.yaxis, 6)
        axes.set_xlabel(ink.wrapped(by))
        axes.set_ylabel(f"{ink.wrapped(groups.contrast, 34)}\n{ink.wrapped(unit, 34)}")
        svg, png = ink.printed(sheet)
    return Figure(
        f"{groups.question}-by-{groups.prefix}-chart",
        f"By {by}, with the limits of noise",
        _alt(by, found, shown, scale, unit),
        _caption(found),
        _data(found, scale),
        svg,
        png,
    )


def _ground(axes: Axes, found: Chart, shown: list[Step], scale: float) -> None:
    """Centre, limits and the baseline that they come from."""
    if found.centre is None:
        return
    centre = scale * found.centre
    base = [step.at for step in shown[: found.baseline]]
    half = _gap(found) / 2
    axes.axvspan(base[0] - half, base[-1] + half, color=ink.BAND, linewidth=0, zorder=0)
    axes.axhline(centre, color=ink.MUTE, linewidth=1, zorder=1)
    for ends in ("low", "high"):
        for step in shown:
            level = scale * (getattr(step, ends) or 0.0)
            axes.plot([step.at - half, step.at + half], [level, level], color=ink.MUTE, linewidth=1.4, zorder=1)
    axes.text(
        base[0] - half,
        1.0,
        " baseline",
        transform=axes.get_xaxis_transform(),
        ha="left",
        va="bottom",
        color=ink.MUTE,
        fontsize=9,
    )


def _dot(axes: Axes, step: Step, scale: float) -> None:
    signal = step.word == "signal"
    colour = ink.ORANGE if signal else ink.BLUE
    ends = [scale * step.point.low, scale * step.point.high]
    axes.plot([step.at, step.at], ends, color=colour, linewidth=1.6, alpha=0.55, zorder=2)
    axes.plot(
        [step.at],
        [scale * step.point.estimate],
        marker="D" if signal else "o",
        markersize=8 if signal else 7,
        color=colour,
        markeredgecolor="#ffffff",
        markeredgewidth=1.2,
        zorder=3,
    )


def _ticks(axes: Axes, steps: tuple[Step, ...]) -> None:
    """A few of the values at the axis, as the data write them."""
    labels = [label if len(label) <= LONGEST else label[: LONGEST - 1] + "…" for label in map(_value, steps)]
    every = math.ceil(len(steps) * (2 + max(map(len, labels))) / ROOM)
    axes.set_xticks([step.at for step in steps[::every]], labels[::every])
    axes.tick_params(axis="x", length=3, width=0.8)


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
        f"{dots} The line is the centre of the baseline (shaded); the short bars are the limits of noise, three "
        "standard errors away. Diamonds are signals."
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
