"""Drawings for lessons: one idea each, of simulated data only, for every point of them may be seen.

`many` draws intervals of many studies over the truth, `cloud` points with a line through each group, `paths` the mean
of each group from one time to the next.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit import wording
from researchkit.figures import ink, letters
from researchkit.figures.figure import Figure
from researchkit.figures.sheet import Sheet, Spot, sheet

FEW = 40  # points, or places: so many can be told apart


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
    with sheet(44 + 3.4 * len(studies)) as page:
        axes = page.axes
        drawn = zip(*(studies[part].to_numpy(float) for part in ("estimate", "low", "high")), missed, strict=True)
        for place, (estimate, low, high, miss) in enumerate(drawn):
            colour = ink.ORANGE if miss else ink.BLUE
            axes.plot([low, high], [place, place], color=colour, linewidth=2.2 if miss else 1.2, zorder=2)
            axes.plot([estimate], [place], marker="o", markersize=2.6, color=colour, zorder=3)
        axes.axvline(truth, color=ink.INK, linewidth=1.2, zorder=1)
        page.head = letters.height("the truth") + 3
        page.say("the truth", Spot(truth, 1.0, "center", "bottom", (0.0, 2.0), "y"))
        axes.axvline(0, color=ink.MUTE, linewidth=1, linestyle=":", zorder=0)
        axes.set_ylim(len(studies), -1)
        page.left, page.y, page.along = False, (), unit
        svg, png = page.printed()
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
    with sheet(285) as page:
        for _, part, colour, _ in lines:
            few = len(part) < FEW
            page.axes.scatter(*_apart(part), s=40 if few else 7, color=colour, alpha=0.9 if few else 0.28, linewidths=0)
        for label, part, colour, style in [*lines, *([(whole, points, ink.INK, "--")] if whole else [])]:
            slope, end = _line(page, part, colour, style)
            told.append((label or "all", slope))
            if label:
                page.end(label, end, colour)
        page.along, page.above = labels
        page.most = (6, 6)
        svg, png = page.printed()
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


def _line(page: Sheet, part: pd.DataFrame, colour: str, style: str) -> tuple[float, float]:
    """Draws the least-squares line; its slope, and how high it ends."""
    x, y = part["x"].to_numpy(float), part["y"].to_numpy(float)
    slope, start = np.polyfit(x, y, 1)
    ends = np.array([x.min(), x.max()])
    page.axes.plot(ends, start + slope * ends, color=colour, linewidth=2.4, linestyle=style, zorder=4)
    return float(slope), float(start + slope * ends[1])


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
    at = [float(place) for place in range(len(means.columns))]
    with sheet(245) as page:
        for (label, row), colour in zip(means.iterrows(), ink.SERIES, strict=False):
            page.axes.plot(at, row, color=colour, linewidth=2.4, zorder=3)
            for x, y in zip(at, row, strict=True):
                ink.dot(page.axes, x, y, colour, size=7)
            page.end(label, row.iloc[-1], colour)
        room = 250 / len(at) - 6
        page.x = [(x, letters.wrapped(ink.clean(column), room, letters.SMALL, most=3)) for x, column in
                  zip(at, means.columns, strict=True)]  # fmt: skip
        page.axes.set_xlim(-0.2, at[-1] + 0.1)
        page.most, page.along, page.above = (6, 6), along, unit
        svg, png = page.printed()
    each = "; ".join(
        f"{label}: {', '.join(f'{column} {wording.number(float(value))}' for column, value in row.items())}"
        for label, row in means.iterrows()
    )
    return Figure(name, title, f"Means, {unit}. {each}.", caption, means.rename_axis("group").reset_index(), svg, png)
