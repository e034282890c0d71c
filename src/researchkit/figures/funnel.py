"""Sites over their precision, inside the limits that chance sets them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.figures import ink
from researchkit.figures.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from researchkit.groups import Funnel, Groups, Site

LABELLED = 8  # names that a drawing has room for
LONGEST = 14  # letters of a name in it


def funnel(groups: Groups, found: Funnel) -> Figure:
    """Each site as a dot: how precise it is from left to right, its estimate from low to high.

    Parameters
    ----------
    found
        From `groups.funnel`. Sites that differ from the others are named in the drawing; all are in the numbers.
    """
    scale, unit = wording.scale(groups.unit)
    unit = wording.units(unit)
    by = groups.column.replace("_", " ")
    with ink.sheet(260) as (sheet, axes):
        _limits(axes, found, scale)
        differing = found.differing
        _dots(axes, [site for site in found.sites if site not in differing], scale)
        _dots(axes, differing, scale, strange=True)
        for site in differing[:LABELLED]:
            _name(axes, site, scale)
        ink.number_axis(axes.xaxis, 5)
        ink.number_axis(axes.yaxis, 6)
        axes.set_xlabel(ink.wrapped(f"Precision: 1 / standard error (in {unit}). Further right, more certain"))
        axes.set_ylabel(f"{ink.wrapped(groups.contrast, 34)}\n{ink.wrapped(unit, 34)}")
        svg, png = ink.printed(sheet)
    return Figure(
        f"{groups.question}-by-{groups.prefix}-funnel",
        f"{wording.capital(ink.clean(by))} by {ink.clean(by)}, and the limits of chance",
        _alt(groups, found, scale, unit),
        "Inside the outer lines chance alone can explain how far a dot lies from the centre. Beyond the dashed lines "
        "chance puts one in twenty. Few clusters count as less precision.",
        _data(found, scale),
        svg,
        png,
    )


def _limits(axes: Axes, found: Funnel, scale: float) -> None:
    """Centre and limits, from the least precise site to the most precise."""
    precision = np.array([1 / site.se for site in found.sites])
    room = max(0.12 * (precision.max() - precision.min()), 0.04 * precision.max())
    at = np.linspace(max(precision.min() - room, 0.3 * precision.min()), precision.max() + room, 200)
    outer, inner = (np.array([found.limit(1 / one, z) for one in at]) for z in (found.corrected, found.usual))
    across, centre = at / scale, scale * found.centre
    axes.fill_between(across, centre - scale * outer, centre + scale * outer, color=ink.BAND, linewidth=0, zorder=0)
    for side in (-1, 1):
        axes.plot(across, centre + side * scale * outer, color=ink.MUTE, linewidth=1.4, zorder=1)
        axes.plot(across, centre + side * scale * inner, color=ink.MUTE, linewidth=1, dashes=(4, 3), zorder=1)
    axes.axhline(centre, color=ink.MUTE, linewidth=1, zorder=1)
    axes.set_xlim(across[0], across[-1])
    far = max(
        max(found.limit(site.se, found.corrected), abs(site.point.estimate - found.centre)) for site in found.sites
    )
    axes.set_ylim(centre - 1.12 * scale * far, centre + 1.12 * scale * far)


def _dots(axes: Axes, sites: Sequence[Site], scale: float, *, strange: bool = False) -> None:
    axes.plot(
        [1 / (scale * site.se) for site in sites],
        [scale * site.point.estimate for site in sites],
        linestyle="none",
        marker="D" if strange else "o",
        markersize=8 if strange else 7,
        color=ink.ORANGE if strange else ink.BLUE,
        markeredgecolor="#ffffff",
        markeredgewidth=1.2,
        zorder=4 if strange else 3,
    )


def _name(axes: Axes, site: Site, scale: float) -> None:
    label = ink.clean(site.point.value)
    left = 1 / (scale * site.se) > sum(axes.get_xlim()) / 2  # the name stays inside the drawing
    axes.annotate(
        label if len(label) <= LONGEST else label[: LONGEST - 1] + "…",
        (1 / (scale * site.se), scale * site.point.estimate),
        xytext=(-8 if left else 8, 0),
        textcoords="offset points",
        ha="right" if left else "left",
        va="center",
        color=ink.ORANGE,
        fontweight="bold",
    )


def _alt(groups: Groups, found: Funnel, scale: float, unit: str) -> str:
    estimates = [scale * site.point.estimate for site in found.sites]
    many = wording.count(len(found.sites))
    span = wording.interval(min(estimates), max(estimates))
    strange = [
        f"{ink.clean(site.point.value)} at {wording.number(scale * site.point.estimate, sign=True)}"
        for site in found.differing
    ]
    outside = f"Outside the outer limits: {', '.join(strange)}." if strange else "None lies outside the outer limits."
    centre = wording.number(scale * found.centre, sign=True)
    return f"{many} estimates from {span} {unit} around a centre of {centre}. {outside}"


def _data(found: Funnel, scale: float) -> pd.DataFrame:
    rows = []
    for site in found.sites:
        usual, corrected = (scale * found.limit(site.se, z) for z in (found.usual, found.corrected))
        centre = scale * found.centre
        rows.append(
            {
                "value": site.point.value,
                "estimate": scale * site.point.estimate,
                "standard error": scale * site.point.se,
                "standard error allowed": scale * site.se,
                "low": centre - usual,
                "high": centre + usual,
                "low corrected": centre - corrected,
                "high corrected": centre + corrected,
                "says": site.word,
            }
        )
    return pd.DataFrame(rows)
