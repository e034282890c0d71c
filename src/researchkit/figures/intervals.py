"""Estimates with their intervals: the answer, the results of others beside it, and the ways to reach it, sorted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from researchkit import tables, wording
from researchkit.figures import ink
from researchkit.figures.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = tuple[str, float, float, float]  # label, estimate, low, high


def interval(answer: Any) -> Figure:
    """The adjusted and the crude effect with their intervals, over the band of what is too small to matter.

    Parameters
    ----------
    answer
        An `Answer`. Probabilities are drawn in percentage points.
    """
    effect, question = answer.effect, answer.question
    found = [("Adjusted", effect), *([("Crude", answer.crude)] if answer.crude is not None else [])]
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
    with ink.sheet(46 + 42 * max(len(drawn), 1) + (20 if band else 0)) as (sheet, axes):
        _ground(axes, len(drawn), null, band)
        for place, ((label, _, value), row) in enumerate(zip(told, drawn, strict=True)):
            strong = place == highlight or highlight is None
            _row(axes, place, (label, value), row[1:], ink.BLUE if strong else ink.MUTE)
        if null == 1:
            axes.set_xscale("log")
            ink.ratio_axis(axes.xaxis)
        axes.set_xlabel(ink.wrapped(unit))
        svg, png = ink.printed(sheet)
    alt = " ".join(
        f"{label}: {estimate} {unit} ({wording.percent(level, 0)} interval {limits.split(' (')[1][:-1]})."
        for label, estimate, limits in told
    )
    return Figure(
        name, title, _alt(alt, band, unit), _caption(caption, band, len(rows) - len(drawn)), _data(rows), svg, png
    )


def _said(row: Sequence[float], unit: str, null: float) -> tuple[str, str]:
    estimate, limits = wording.estimate(*row, sign=null == 0)
    return estimate, f"{estimate} ({limits})"


def _ground(axes: Axes, rows: int, null: float, band: tuple[float, float] | None) -> None:
    """The line of no effect, the band around it and nothing else."""
    top = -1.15 if band else -0.6
    axes.set_ylim(max(rows, 1) - 0.35, top)
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    ink.number_axis(axes.xaxis)
    if band:
        axes.axvspan(*band, color=ink.BAND, linewidth=0, zorder=0)
        axes.annotate(
            "too small to matter",
            (sum(band) / 2, top + 0.06),
            ha="center",
            va="top",
            color=ink.MUTE,
            fontsize=9,
            annotation_clip=False,
        )
    for place in range(rows):  # broken where the words stand
        axes.plot([null, null], [place - 0.22, place + 0.32], color=ink.MUTE, linewidth=1, zorder=1)


def _row(axes: Axes, place: int, words: tuple[str, str], row: Sequence[float], colour: str) -> None:
    estimate, low, high = row
    axes.plot([low, high], [place, place], color=colour, linewidth=3, zorder=2)
    axes.plot(
        [estimate],
        [place],
        marker="o",
        markersize=8,
        color=colour,
        markeredgecolor="#ffffff",
        markeredgewidth=1.5,
        zorder=3,
    )
    label, value = words
    across = axes.get_yaxis_transform()
    label = label if len(label) <= 32 else label[:31] + "…"
    axes.text(0, place - 0.26, label, transform=across, ha="left", va="bottom", zorder=4)
    axes.text(
        1,
        place - 0.26,
        value,
        transform=across,
        ha="right",
        va="bottom",
        color=colour,
        fontweight="bold",
        zorder=4,
    )


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
    letters = [chr(ord("A") + place) for place in range(len(others))]
    key = [ink.wrapped(f"{letter} {label}", 56) for letter, label in zip(letters, others["label"], strict=True)]
    with ink.sheet(210 + 14 * sum(line.count("\n") + 1 for line in key)) as (sheet, axes):
        if band:
            axes.axhspan(*band, color=ink.BAND, linewidth=0, zorder=0)
        axes.axhline(null, color=ink.MUTE, linewidth=1, zorder=1)
        _steps(axes, ways)
        ink.number_axis(axes.xaxis)
        ink.number_axis(axes.yaxis, 5)
        _apart(axes, len(ways), alternatives, letters)
        sorted_ = f"{_many(len(ways), 'way')} to adjust{', sorted' if len(ways) > 1 else ''}"
        words = "\n".join([sorted_, *key])
        axes.set_xlabel(words, loc="left" if key else "center", multialignment="left")
        axes.set_ylabel(ink.wrapped(unit, 30))
        svg, png = ink.printed(sheet)
    data = pd.concat([ways.assign(alternative=False), others.assign(alternative=True)], ignore_index=True)
    title = "Every way to adjust" + (", and the planned alternatives" if key else "")
    caption = "Each place is one specification with its interval."
    caption += " Each diamond is a planned alternative: other people, another coding or another model." if key else ""
    return Figure(name, title, _curve_alt(ways, alternatives, unit, null), _caption(caption, band, 0), data, svg, png)


def _steps(axes: Axes, ways: pd.DataFrame) -> None:
    """The ways to adjust from lowest to highest, the planned one with its dot and its own line."""
    # Steps, and places from one: between two ways to adjust there is no third.
    at = ways.index + 1
    axes.fill_between(at, ways["low"], ways["high"], step="mid", color=ink.BLUE, alpha=0.18, linewidth=0)
    axes.plot(at, ways["estimate"], drawstyle="steps-mid", color=ink.BLUE, linewidth=2)
    for place in ways.index[ways["planned"]]:
        _dot(axes, place + 1, *ways.loc[place, ["estimate", "low", "high"]], marker="o", colour=ink.BLUE)
        # The line rises, so it is free of words above on the left and below on the right.
        left = place < 0.3 * len(ways)
        axes.annotate(
            "planned",
            (place + 1, ways["low" if left else "high"][place]),
            xytext=(-4, -6) if left else (4, 6),
            textcoords="offset points",
            ha="left" if left else "right",
            va="top" if left else "bottom",
            color=ink.BLUE,
        )


def _apart(axes: Axes, ways: int, others: Sequence[Row], letters: Sequence[str]) -> None:
    """The alternatives to the right of the ways to adjust, each under its letter; whole numbers under the ways."""
    numbers = [int(tick) for tick in axes.xaxis.get_ticklocs() if 1 <= tick <= ways and tick == int(tick)]
    step = max(1.0, ways / 14)
    places = [ways + step * (1.5 + place) for place in range(len(others))]
    if others:
        axes.set_xlim(0.5 - step / 2, places[-1] + step)
        axes.axvline(ways + 0.75 * step, color=ink.LINE, linewidth=1, zorder=0)
    for place, (_, *row) in zip(places, others, strict=True):
        _dot(axes, place, *row, marker="D", colour=ink.ORANGE)
    axes.set_xticks([*numbers, *places], [*(wording.count(number) for number in numbers), *letters])


def _dot(axes: Axes, place: float, estimate: float, low: float, high: float, *, marker: str, colour: str) -> None:
    axes.plot([place, place], [low, high], color=colour, linewidth=1.5, zorder=2)
    axes.plot([place], [estimate], marker=marker, markersize=8, color=colour, markeredgecolor="#ffffff", zorder=3)


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
