"""An estimate over what is not known: how it would move with a cause that nobody measured."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.figures import ink, letters
from researchkit.figures.figure import Figure
from researchkit.figures.sheet import Spot, sheet


def sensitivity(
    rows: Sequence[tuple[float, float, float, float]],
    *,
    unit: str,
    across: str,
    measured: tuple[str, float] | None = None,
    band: tuple[float, float] | None = None,
    name: str = "sensitivity",
    title: str = "With a cause that nobody measured",
    caption: str = "",
) -> Figure:
    """An estimate with its interval over a value that these data do not hold.

    Parameters
    ----------
    rows
        (value, estimate, low, high) each, in rising order; 0 is what was assumed.
    across
        What the value is, below the drawing.
    measured
        The label and the value of the strongest cause that was measured, drawn as a line on either side of 0.
    """
    data = pd.DataFrame(rows, columns=["value", "estimate", "low", "high"])
    at = data["value"].to_numpy()
    with sheet(235) as page:
        axes = page.axes
        page.band(band)
        axes.axhline(0, color=ink.MUTE, linewidth=1, zorder=1)
        axes.fill_between(at, data["low"], data["high"], color=ink.BLUE, alpha=0.18, linewidth=0, zorder=2)
        axes.plot(at, data["estimate"], color=ink.BLUE, linewidth=2, zorder=3)
        for part in ("low", "estimate", "high"):
            page.beside(at, data[part])
        middle = data.iloc[int(np.argmin(np.abs(at)))]
        ink.whisker(axes, float(middle["value"]), float(middle["low"]), float(middle["high"]), ink.BLUE)
        ink.dot(axes, float(middle["value"]), float(middle["estimate"]), ink.BLUE)
        for side in (-1, 1) if measured else ():  # nobody knows its sign
            strong = side * measured[1] if measured else 0.0
            axes.axvline(strong, color=ink.ORANGE, linewidth=1.2, dashes=(4, 3), zorder=1)
        if measured:
            ends = ((abs(measured[1]), "left", 4.0), (-abs(measured[1]), "right", -4.0))
            edges = ((1.0, "top", -2.0), (0.0, "bottom", 2.0))
            spots = [Spot(x, y, across, up, (dx, dy), "y") for y, up, dy in edges for x, across, dx in ends]
            named = letters.wrapped(f"as strong as {wording.lower_first(measured[0])}", 110, letters.SMALL)
            page.say(named, *spots, colour=ink.ORANGE, size=letters.SMALL)
        page.along, page.above = across, unit
        svg, png = page.printed()
    return Figure(name, title, _alt(rows, unit, across, measured), caption, data, svg, png)


def _alt(
    rows: Sequence[tuple[float, float, float, float]], unit: str, across: str, measured: tuple[str, float] | None
) -> str:
    first, last = (wording.number(row[1], sign=True) for row in (rows[0], rows[-1]))
    zero = next((_between(early, late) for early, late in pairwise(rows) if early[1] * late[1] <= 0), None)
    told = f"{across}: from {first} {unit} at {wording.number(rows[0][0])} to {last} at {wording.number(rows[-1][0])}."
    told += f" It crosses zero near {wording.number(zero)}." if zero is not None else " It does not cross zero."
    return f"{told} {measured[0]} stands at {wording.number(measured[1])} on either side." if measured else told


def _between(early: Sequence[float], late: Sequence[float]) -> float:
    """Where the line from one row to the next is 0."""
    if early[1] == late[1]:
        return early[0]
    return early[0] + (late[0] - early[0]) * early[1] / (early[1] - late[1])
