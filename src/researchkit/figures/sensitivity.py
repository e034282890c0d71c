"""An estimate over what is not known: how it would move with a cause that nobody measured."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.figures import ink
from researchkit.figures.figure import Figure


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
    with ink.sheet(230) as (sheet, axes):
        if band:
            axes.axhspan(*band, color=ink.BAND, linewidth=0, zorder=0)
        axes.axhline(0, color=ink.MUTE, linewidth=1, zorder=1)
        axes.fill_between(at, data["low"], data["high"], color=ink.BLUE, alpha=0.18, linewidth=0, zorder=2)
        axes.plot(at, data["estimate"], color=ink.BLUE, linewidth=2, zorder=3)
        middle = data.iloc[int(np.argmin(np.abs(at)))]
        axes.vlines(middle["value"], middle["low"], middle["high"], color=ink.BLUE, linewidth=2, zorder=4)
        axes.plot([middle["value"]], [middle["estimate"]], "o", color=ink.BLUE, markersize=8, zorder=5)
        for side in (-1, 1) if measured else ():  # nobody knows its sign
            axes.axvline(
                side * measured[1] if measured else 0, color=ink.ORANGE, linewidth=1.2, dashes=(4, 3), zorder=1
            )
        ink.number_axis(axes.xaxis)
        ink.number_axis(axes.yaxis)
        axes.set_xlabel(ink.wrapped(across))
        axes.set_ylabel(ink.wrapped(unit, 30))
        svg, png = ink.printed(sheet)
    return Figure(name, title, _alt(rows, unit, across, measured), caption, data, svg, png)


def _alt(
    rows: Sequence[tuple[float, float, float, float]], unit: str, across: str, measured: tuple[str, float] | None
) -> str:
    first, last = (wording.number(row[1], sign=True) for row in (rows[0], rows[-1]))
    zero = next((late[0] for early, late in pairwise(rows) if early[1] * late[1] <= 0), None)
    told = f"{across}: from {first} {unit} at {wording.number(rows[0][0])} to {last} at {wording.number(rows[-1][0])}."
    told += f" It crosses zero near {wording.number(zero)}." if zero is not None else " It does not cross zero."
    return f"{told} {measured[0]} stands at {wording.number(measured[1])} on either side." if measured else told
