"""Drawings for lessons: one idea each, of simulated data only, for every point of them may be seen.

`many` draws intervals of many studies over the truth, `cloud` points with a line through each group, `paths` the mean
of each group from one time to the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit import wording
from researchkit.figures import ink
from researchkit.figures.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


FEW = 40  # points, or places: so many can be told apart
End = tuple[float, float, str, str]  # where a line ends, its name and colour


def many(
    studies: pd.DataFrame, truth: float, *, title: str, unit: str, name: str = "many", caption: str = ""
) -> Figure:
    """Intervals of many studies of one thing, over what is true; those that miss it stand out.

    Parameters
    ----------
    studies
        `estimate`, `low` and `high` in `unit`, one row a study.
    """
    missed = (studies["high"] < truth) | (studies["low"] > truth)
    with ink.sheet(40 + 3.4 * len(studies)) as (sheet, axes):
        drawn = zip(*(studies[part].to_numpy(float) for part in ("estimate", "low", "high")), missed, strict=True)
        for place, (estimate, low, high, miss) in enumerate(drawn):
            colour = ink.ORANGE if miss else ink.BLUE
            axes.plot([low, high], [place, place], color=colour, linewidth=2.2 if miss else 1.2, zorder=2)
            axes.plot([estimate], [place], marker="o", markersize=2.6, color=colour, zorder=3)
        axes.axvline(truth, color=ink.INK, linewidth=1.2, zorder=1)
        axes.annotate(
            "the truth", (truth, 1), xycoords=("data", "axes fraction"), ha="center", va="bottom", color=ink.INK
        )
        axes.axvline(0, color=ink.MUTE, linewidth=1, linestyle=":", zorder=0)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_ylim(len(studies), -1)
        ink.number_axis(axes.xaxis)
        axes.set_xlabel(ink.wrapped(unit))
        svg, png = ink.printed(sheet)
    held = wording.count(int((~missed).sum()))
    alt = f"{wording.count(len(studies))} intervals over the truth, {wording.number(truth)} {unit}; {held} hold it."
    return Figure(name, title, alt, caption, studies.assign(misses=missed), svg, png)


def cloud(
    points: pd.DataFrame,
    *,
    title: str,
    labels: tuple[str, str],
    whole: str = "",
    name: str = "cloud",
    caption: str = "",
) -> Figure:
    """Points, and the least-squares line through each group of them, told beside it.

    Parameters
    ----------
    points
        `x`, `y` and, where there are groups, `group`: at most four.
    labels
        What runs along, and what runs up.
    whole
        What the line through all points is called; without it there is none.
    """
    groups = [(str(label), part) for label, part in points.groupby("group", sort=False)] if "group" in points else []
    lines = [(label, part, colour, "-") for (label, part), colour in zip(groups, ink.SERIES, strict=False)]
    lines = lines or [("", points, ink.BLUE, "-")]
    told: list[tuple[str, float]] = []
    ends: list[End] = []
    with ink.sheet(280) as (sheet, axes):
        for _, part, colour, _ in lines:
            few = len(part) < FEW
            axes.scatter(*_apart(part), s=40 if few else 7, color=colour, alpha=0.9 if few else 0.28, linewidths=0)
        for label, part, colour, style in [*lines, *([(whole, points, ink.INK, "--")] if whole else [])]:
            slope, end = _line(axes, part, colour, style)
            told.append((label or "all", slope))
            ends.append((*end, label, colour))
        for axis, label in ((axes.xaxis, labels[0]), (axes.yaxis, labels[1])):
            ink.number_axis(axis, 6)
            axis.set_label_text(ink.wrapped(label, 44))
        _named(axes, ends)
        svg, png = ink.printed(sheet)
    each = "; ".join(f"{label} {wording.number(slope, sign=True)}" for label, slope in told)
    alt = f"{labels[1]} over {labels[0]}, {wording.count(len(points))} points. Slope of the line: {each}."
    return Figure(name, title, alt, caption, points.reset_index(drop=True), svg, png)


def _apart(part: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where the points are drawn: many on few places are moved a little sideways, so that they can be seen."""
    x, y = part["x"].to_numpy(float), part["y"].to_numpy(float)
    places = np.unique(x)
    if len(x) < FEW or len(places) > FEW:
        return x, y
    step = float(np.diff(places).min()) if len(places) > 1 else 1.0
    return x + np.random.default_rng(len(x)).uniform(-0.3, 0.3, len(x)) * step, y


def _line(axes: Axes, part: pd.DataFrame, colour: str, style: str) -> tuple[float, tuple[float, float]]:
    """Draws the least-squares line; its slope, and where it ends."""
    x, y = part["x"].to_numpy(float), part["y"].to_numpy(float)
    slope, start = np.polyfit(x, y, 1)
    ends = np.array([x.min(), x.max()])
    axes.plot(ends, start + slope * ends, color=colour, linewidth=2.4, linestyle=style, zorder=4)
    return float(slope), (float(ends[1]), float(start + slope * ends[1]))


def paths(
    means: pd.DataFrame, *, title: str, unit: str, along: str = "", name: str = "paths", caption: str = ""
) -> Figure:
    """The mean of each group from one time to the next, each group named at its end.

    Parameters
    ----------
    means
        One row a group, one column a time, in `unit`; the index names the groups, at most five.
    along
        What the columns are, where their names do not say it.
    """
    at = np.arange(len(means.columns))
    ends: list[End] = []
    with ink.sheet(240) as (sheet, axes):
        for (label, row), colour in zip(means.iterrows(), ink.SERIES, strict=False):
            axes.plot(
                at, row, color=colour, linewidth=2.4, marker="o", markersize=7, markeredgecolor="#ffffff", zorder=3
            )
            ends.append((float(at[-1]), float(row.iloc[-1]), str(label), colour))
        axes.set_xticks(at, [ink.wrapped(column, 18) for column in means.columns])
        axes.set_xlim(-0.2, at[-1] + 0.25)
        ink.number_axis(axes.yaxis, 6)
        axes.set_xlabel(ink.wrapped(along) if along else "")
        axes.set_ylabel(ink.wrapped(unit, 34))
        _named(axes, ends)
        svg, png = ink.printed(sheet)
    each = "; ".join(
        f"{label}: {', '.join(f'{column} {wording.number(float(value))}' for column, value in row.items())}"
        for label, row in means.iterrows()
    )
    return Figure(name, title, f"Means, {unit}. {each}.", caption, means.rename_axis("group").reset_index(), svg, png)


def _named(axes: Axes, ends: list[End]) -> None:
    """Each line's name beside its end, moved apart where ends lie close; outside the axes, so unclipped."""
    bottom, top = axes.get_ylim()
    last = -np.inf
    for x, y, label, colour in sorted(ends, key=lambda end: end[1]):
        words = ink.wrapped(label, 14)
        line = (top - bottom) * 0.06 * (words.count("\n") + 1)
        middle = max(y, last + line / 2)
        last = middle + line / 2
        axes.annotate(
            words,
            (x, middle),
            xytext=(9, 0),
            textcoords="offset points",
            ha="left",
            va="center",
            color=colour,
            fontsize=9,
            fontweight="bold",
            annotation_clip=False,
        )
