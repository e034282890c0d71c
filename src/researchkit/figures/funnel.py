"""Sites over their precision, inside the limits that chance sets them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.figures import ink, letters
from researchkit.figures.figure import Figure
from researchkit.figures.sheet import Sheet, Spot, sheet

if TYPE_CHECKING:
    from researchkit.groups import Funnel, Groups, Site

LABELLED = 8  # names that a drawing has room for
LONGEST = 110.0  # points of a name in it


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
    with sheet(265) as page:
        margin = scale * groups.margin
        page.band((-margin, margin) if margin else None)
        _limits(page, found, scale)
        differing = found.differing
        _dots(page, [site for site in found.sites if site not in differing], scale)
        _dots(page, differing, scale, strange=True)
        for site in differing[:LABELLED]:
            _name(page, site, scale)
        page.along = f"Precision: 1 / standard error (in {unit}). Further right, more certain"
        page.above = f"{groups.contrast}, {unit}"
        svg, png = page.printed()
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


def _limits(page: Sheet, found: Funnel, scale: float) -> None:
    """Centre and limits, from the least precise site to the most precise."""
    precision = np.array([1 / site.se for site in found.sites])
    room = max(0.12 * (precision.max() - precision.min()), 0.04 * precision.max())
    at = np.linspace(max(precision.min() - room, 0.3 * precision.min()), precision.max() + room, 200)
    outer, inner = (np.array([found.limit(1 / one, z) for one in at]) for z in (found.corrected, found.usual))
    across, centre, axes = at / scale, scale * found.centre, page.axes
    axes.fill_between(
        across, centre - scale * outer, centre + scale * outer, color=ink.BLUE, alpha=0.09, linewidth=0, zorder=0
    )
    for side in (-1, 1):
        axes.plot(across, centre + side * scale * outer, color=ink.MUTE, linewidth=1.4, zorder=1)
        axes.plot(across, centre + side * scale * inner, color=ink.MUTE, linewidth=1, dashes=(4, 3), zorder=1)
        for line in (inner, outer):
            page.beside(across, centre + side * scale * line)
    axes.axhline(centre, color=ink.MUTE, linewidth=1, zorder=1)
    axes.set_xlim(across[0], across[-1])
    far = max(
        max(found.limit(site.se, found.corrected), abs(site.point.estimate - found.centre)) for site in found.sites
    )
    axes.set_ylim(centre - 1.12 * scale * far, centre + 1.12 * scale * far)


def _dots(page: Sheet, sites: Sequence[Site], scale: float, *, strange: bool = False) -> None:
    mark, colour = ("D", ink.ORANGE) if strange else ("o", ink.BLUE)
    for site in sites:
        x, y = 1 / (scale * site.se), scale * site.point.estimate
        ink.dot(page.axes, x, y, colour, mark=mark, size=7)
        page.around(x, y)


def _name(page: Sheet, site: Site, scale: float) -> None:
    label = letters.shortened(ink.clean(site.point.value), LONGEST, bold=True)
    x, y = 1 / (scale * site.se), scale * site.point.estimate
    sides = (("left", "center", 7, 0), ("right", "center", -7, 0), ("center", "bottom", 0, 6), ("center", "top", 0, -6))
    spots = [Spot(x, y, across, up, (dx, dy)) for across, up, dx, dy in sides]
    page.say(label, *spots, bold=True)  # the mark has the colour, which is too pale for letters upon the band


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
