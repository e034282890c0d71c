"""Curves over time: between which times so few people met the event that the steps would tell of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from researchkit.disclosure import Profile

POINTS = 21  # equally spaced times that a curve is told at


def safe_times(
    time: NDArray[np.float64],
    event: NDArray[np.bool_],
    person: NDArray[np.int64] | None,
    groups: Sequence[NDArray[np.bool_]],
    horizon: float,
    profile: Profile,
) -> list[float]:
    """The times at which the curves of some groups may be told, the horizon the last; none where not even that may.

    Between two of them every group has either no event or those of enough people.
    """
    grid = np.linspace(0.0, horizon, POINTS)
    if not profile.protects:
        return [float(one) for one in grid]
    who = np.arange(len(time)) if person is None else person

    def safe(after: float, until: float) -> bool:
        met = event & (time > after) & (time <= until)
        heads = [len(np.unique(who[met & rows])) for rows in groups]
        return all(not 0 < count < profile.threshold for count in heads)

    kept = [horizon]
    for one in grid[-2:0:-1]:  # from the end: what stands at the horizon is what readers look for
        if safe(float(one), kept[0]):
            kept.insert(0, float(one))
    while kept and not safe(-1.0, kept[0]):
        kept.pop(0)
    return [0.0, *kept] if kept else []
