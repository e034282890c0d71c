"""Estimates with their intervals: the answer, the results of others beside it, and the ways to reach it, sorted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from researchkit import tables, wording
from researchkit.figures import ink, letters
from researchkit.figures.figure import Figure
from researchkit.figures.sheet import Sheet, Spot, numbers, sheet

Row = tuple[str, float, float, float]  # label, estimate, low, high
ROW = 40  # points that a row takes
FEW = 8  # ways to adjust that all have their number


def interval(answer: Any) -> Figure:
    """The adjusted and the crude effect with their intervals, over the band of what is too small to matter.

    Parameters
    ----------
    answer
        An `Answer`. Probabilities are drawn in percentage points.
    """
    effect, question = answer.effect, answer.question
    found = tables.crude_and_adjusted(answer)[::-1]
    rows = [(label, *tables.on_page(one)[:3]) for label, one in found]
    unit = tables.on_page(effect)[3]
    return forest(
        rows,
        title=f"{label_of(answer.study, question.outcome)}, {effect.contrast}",
        unit=unit,
        band=band(effect.unit, question.smallest_effect),
        highlight=0,
        level=effect.level,
        name=f"{question.id}-interval",
        caption="Each dot is the estimate, each line holds every value that these data are compatible with.",
    )


def forest(
    rows: Sequence[Row],
    *,
    title: str = "Estimates side by side",
    unit: str = "",
    null: float = 0.0,
    band: tuple[float, float] | None = None,
    highlight: int | None = None,
    level: float = 0.95,
    name: str = "forest",
    caption: str = "",
) -> Figure:
    """Estimates under one another, each told in its own line above its interval.

    Parameters
    ----------
    rows
        (label, estimate, low, high) each, in `unit`, in the order of reading. A row with a gap is left out and counted.
    null
        What no effect would be: 0 for a difference, 1 for a ratio, which is drawn on a scale of ratios.
    band
        Low and high end of what is too small to matter, in `unit`.
    highlight
        Place (from 0) of the row that the page is about.
    level
        Coverage of the intervals, for the words only.
    """
    drawn = [row for row in rows if all(math.isfinite(value) for value in row[1:])]
    told = [(ink.clean(label), *_said(row, unit, null)) for label, *row in drawn]
    with sheet(20 + ROW * max(len(drawn), 1) + (16 if band else 0) + (17 if unit else 0)) as page:
        _ground(page, len(drawn), null, band)
        if null == 1:
            page.axes.set_xscale("log")
        colours = [ink.BLUE if highlight in (None, place) else ink.MUTE for place in range(len(drawn))]
        for place, (row, colour) in enumerate(zip(drawn, colours, strict=True)):
            _row(page, place, row[1:], colour)
        for place, ((label, _, value), colour) in enumerate(zip(told, colours, strict=True)):
            _words(page, place, label, value, colour)
        page.along = unit
        svg, png = page.printed()
    alt = " ".join(
        f"{label}: {estimate} {unit} ({wording.level(level)} interval {limits.split(' (')[1][:-1]})."
        for label, estimate, limits in told
    )
    return Figure(
        name, title, _alt(alt, band, unit), _caption(caption, band, len(rows) - len(drawn)), _data(rows), svg, png
    )


def _said(row: Sequence[float], unit: str, null: float) -> tuple[str, str]:
    estimate, limits = wording.estimate(*row, sign=null == 0)
    return estimate, f"{estimate} ({limits})"


def _ground(page: Sheet, rows: int, null: float, band: tuple[float, float] | None) -> None:
    """The line of no effect, the band around it and nothing else."""
    page.axes.set_ylim(max(rows, 1) - 0.5, -0.78)
    page.left, page.y = False, ()
    page.band(band, upright=True)
    for place in range(rows):  # broken where the words stand
        page.axes.plot([null, null], [place - 0.2, place + 0.34], color=ink.MUTE, linewidth=1, zorder=1)


def _row(page: Sheet, place: int, row: Sequence[float], colour: str) -> None:
    estimate, low, high = row
    ink.whisker(page.axes, place, low, high, colour, along=True, wide=2.6)
    ink.dot(page.axes, estimate, place, colour)


def _words(page: Sheet, place: int, label: str, value: str, colour: str) -> None:
    """What a row is of at its left, what it says at its right; said last, for the axis takes room."""
    room = letters.WIDTH - 14 - page.widest() - letters.width(value, bold=True)
    label = letters.shortened(label, room)
    page.say(label, Spot(0, place - 0.28, "left", "bottom", of="x"))
    page.say(value, Spot(1, place - 0.28, "right", "bottom", of="x"), colour=colour, bold=True)


def _alt(alt: str, band: tuple[float, float] | None, unit: str) -> str:
    if not alt:
        return "Nothing to draw: no estimate has an interval."
    return alt if band is None else f"{alt} Between {_ends(band)} {unit} counts as too small to matter."


def _caption(caption: str, band: tuple[float, float] | None, gone: int) -> str:
    parts = [caption] if caption else []
    if band:
        parts.append("The shaded band holds differences that the study file calls too small to matter.")
    if gone:
        parts.append(f"{gone} without an interval {'is' if gone == 1 else 'are'} not drawn.")
    return " ".join(parts)


def _ends(band: tuple[float, float]) -> str:
    return " and ".join(wording.number(end) for end in band)


def _data(rows: Sequence[Row]) -> pd.DataFrame:
    return pd.DataFrame([tuple(row) for row in rows], columns=["label", "estimate", "low", "high"])


def specifications(
    rows: Sequence[Row],
    *,
    planned: int | None = None,
    alternatives: Sequence[Row] = (),
    unit: str = "",
    band: tuple[float, float] | None = None,
    null: float = 0.0,
    name: str = "specifications",
) -> Figure:
    """Every way to adjust, sorted by its estimate, with its interval; the planned one marked.

    Parameters
    ----------
    rows
        (what was adjusted for, estimate, low, high) each, in `unit`.
    planned
        Place in `rows` of the specification that the study file planned.
    alternatives
        (label, estimate, low, high) each, in the same unit: drawn apart from the ways to adjust, under letters.
    """
    ways = _data(rows)
    ways["planned"] = [place == planned for place in range(len(rows))]
    ways = ways.sort_values("estimate", kind="stable", ignore_index=True)
    others = _data(alternatives).assign(planned=False)
    marks = [chr(ord("A") + place) for place in range(len(others))]
    key = [
        letters.wrapped(ink.clean(f"{letter} {label}"), letters.WIDTH - 10, letters.SMALL)
        for letter, label in zip(marks, others["label"], strict=True)
    ]
    with sheet(215 + 12 * sum(line.count("\n") + 1 for line in key)) as page:
        page.band(band)
        page.axes.axhline(null, color=ink.MUTE, linewidth=1, zorder=1)
        page.beside([1, len(ways)], [null, null])
        _steps(page, ways)
        _apart(page, len(ways), alternatives, marks)
        page.along = f"{_many(len(ways), 'way')} to adjust{', sorted' if len(ways) > 1 else ''}"
        page.above, page.key = unit, "\n".join(key)
        svg, png = page.printed()
    data = pd.concat([ways.assign(alternative=False), others.assign(alternative=True)], ignore_index=True)
    title = "Every way to adjust" + (", and the planned alternatives" if key else "")
    caption = "Each place is one specification with its interval."
    caption += " Each diamond is a planned alternative: other people, another coding or another model." if key else ""
    return Figure(name, title, _curve_alt(ways, alternatives, unit, null), _caption(caption, band, 0), data, svg, png)


def _steps(page: Sheet, ways: pd.DataFrame) -> None:
    """The ways to adjust from lowest to highest, the planned one with its dot and its own line."""
    # Steps, and places from one: between two ways to adjust there is no third.
    at, axes = ways.index + 1, page.axes
    edges = np.append(at - 0.5, len(ways) + 0.5)
    low, mid, high = (np.append(ways[part], ways[part].iloc[-1]) for part in ("low", "estimate", "high"))
    axes.fill_between(edges, low, high, step="post", color=ink.BLUE, alpha=0.18, linewidth=0)
    axes.plot(edges, mid, drawstyle="steps-post", color=ink.BLUE, linewidth=2)
    page.beside(at, ways["estimate"], 2)
    for place in ways.index[ways["planned"]]:
        estimate, lower, upper = (float(ways[part][place]) for part in ("estimate", "low", "high"))
        _dot(page, place + 1, estimate, lower, upper, mark="o", colour=ink.BLUE)
        spots = [
            Spot(place + 1, y, across, up, (x, rise))
            for y, up, rise in ((upper, "bottom", 3.0), (lower, "top", -3.0))
            for across, x in (("center", 0.0), ("left", -3.0), ("right", 3.0))
        ]
        page.say("planned", *spots, colour=ink.BLUE, bold=True)


def _apart(page: Sheet, ways: int, others: Sequence[Row], marks: Sequence[str]) -> None:
    """The alternatives to the right of the ways to adjust, each under its letter; whole numbers under the ways."""
    step = max(1.0, ways / 14)
    places = [ways + step * (1.5 + place) for place in range(len(others))]
    page.axes.set_xlim(0.5 - step / 4, places[-1] + step if others else ways + 0.5 + step / 4)
    if others:
        page.axes.axvline(ways + 0.5 + step / 2, color=ink.LINE, linewidth=1, zorder=0)
    for place, (_, *row) in zip(places, others, strict=True):
        _dot(page, place, *row, mark="D", colour=ink.ORANGE)
    whole = [(float(at), str(at)) for at in range(1, ways + 1)]
    whole = whole if ways <= FEW else [(at, text) for at, text in numbers(1, ways, 6) if at == int(at)]
    page.x = [*whole, *zip(places, marks, strict=True)]


def _dot(page: Sheet, place: float, estimate: float, low: float, high: float, *, mark: str, colour: str) -> None:
    ink.whisker(page.axes, place, low, high, colour, wide=1.5)
    ink.dot(page.axes, place, estimate, colour, mark=mark)
    page.beside([place, place], [low, high], 3)


def _curve_alt(ways: pd.DataFrame, others: Sequence[Row], unit: str, null: float) -> str:
    """How many ways there are and where they lie, then each alternative."""
    above = wording.count(int((ways["estimate"] > null).sum()))
    limits = wording.interval(ways["estimate"].min(), ways["estimate"].max())
    many = _many(len(ways), "specification")
    alt = f"{many}, estimates from {limits} {unit}; {above} lie above {null:g}."
    each = " ".join(f"{ink.clean(label)}: {_said(row, unit, null)[1]}." for label, *row in others)
    return f"{alt} Planned alternatives. {each}" if each else alt


def _many(count: int, word: str) -> str:
    return f"{wording.count(count)} {word}{'' if count == 1 else 's'}"


def band(unit: str, smallest: float) -> tuple[float, float]:
    """Low and high end of what is too small to matter, as pages show it."""
    scale, _ = wording.scale(unit)
    return -scale * smallest, scale * smallest


def label_of(study: Any, part: Any) -> str:
    """What an outcome or exposure of a question is called on a page."""
    return part.label or study.label(part.column)
