"""A curve over a dose, or two straight pieces that meet at a point, with its band."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from researchkit import wording
from researchkit.figures import ink
from researchkit.figures.figure import Figure
from researchkit.figures.sheet import sheet


def bent(
    data: pd.DataFrame, marked: Sequence[float], *, name: str, title: str, unit: str, dose: str, level: float = 0.95
) -> Figure:
    """The mean outcome at each dose, everybody put there in turn, with its interval.

    Parameters
    ----------
    data
        One row a dose in order: `dose`, `mean`, `low`, `high`, in `unit`.
    marked
        The doses that are compared, or the neutral point.
    """
    with sheet(240) as page:
        axes = page.axes
        axes.fill_between(data["dose"], data["low"], data["high"], color=ink.BLUE, alpha=0.15, linewidth=0)
        axes.plot(data["dose"], data["mean"], color=ink.BLUE, linewidth=2.2)
        for one in marked:
            axes.axvline(one, color=ink.MUTE, linewidth=1.0, zorder=0)
        page.along, page.above = dose, f"{title}, {unit}"
        svg, png = page.printed()
    nearest = [int((data["dose"] - one).abs().to_numpy().argmin()) for one in marked]
    places = sorted({0, len(data) // 2, len(data) - 1, *nearest})
    told = [f"{wording.number(data['dose'][at])}: {wording.number(data['mean'][at])}" for at in places]
    alt = f"{title} ({unit}) over {dose}: {'; '.join(told)}."
    where = " and ".join(wording.typed(one) for one in marked)
    caption = f"Everybody put at each dose in turn, other things being equal; the band is a {wording.level(level)} "
    caption += f"interval at each place. Lines mark {where}."
    return Figure(name, f"{title} over {dose}", alt, caption, data, svg, png)
