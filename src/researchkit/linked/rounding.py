"""How coarsely the pages of sites must round where two questions differ by few people at one of them.

All pages together tell exactly by how many people two questions differ; each site's rounded counts tell roughly by how
many they differ there. What is left for one site must be open by the profile's width, however the others round.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from researchkit.disclosure import Profile, nearest

BASES = (5, 10, 20, 50, 100, 200, 500, 1000)
Counts = NDArray[np.int64]


def base(
    pairs: list[tuple[Counts, Counts, Counts, Counts]], open_: NDArray[np.bool_], profile: Profile, usual: int
) -> int:
    """The smallest base, from the usual one up, that leaves every small difference open.

    If none does, the largest that still tells how large the smallest group is.

    Parameters
    ----------
    pairs
        For each other question, by group (g,): people in the answer of the one, of the other, in the one alone, in the
        other alone.
    open_
        (g,) the groups that have a page.
    """
    least = min((int(one[open_ & (one > 0)].min(initial=BASES[-1])) for one, *_ in pairs), default=usual)
    wanted = [usual, *(one for one in BASES if usual < one <= least)]
    return next((one for one in wanted if all(roomy(*pair, open_, profile, one) for pair in pairs)), wanted[-1])


def roomy(
    one: Counts,
    other: Counts,
    one_alone: Counts,
    other_alone: Counts,
    open_: NDArray[np.bool_],
    profile: Profile,
    to: int,
) -> bool:
    """Whether no group's small difference can be told within less than the profile's width."""
    (low1, high1), (low2, high2) = (ends(count, open_, profile, to) for count in (one, other))
    least, most = low2 - high1, high2 - low1
    if not one_alone.sum():  # the one question asks for all that the other does, and more
        least = np.maximum(least, 0)
    if not other_alone.sum():
        most = np.minimum(most, 0)
    whole = int(other.sum() - one.sum())
    for alone in (one_alone, other_alone):
        for place in np.flatnonzero((alone > 0) & (alone < profile.threshold)):
            rest = np.arange(len(one)) != place
            up = min(most[place], whole - least[rest].sum())
            down = max(least[place], whole - most[rest].sum())
            if up - down < profile.width:
                return False
    return True


def ends(
    count: Counts, open_: NDArray[np.bool_], profile: Profile, to: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least and the most (g,) that each count can be, as it is told."""
    coarse = replace(profile, round_to=to)
    told = np.array([nearest(int(value), coarse) for value in count], dtype=float)
    low, high = np.maximum(told - to // 2, profile.threshold), told + to - to // 2 - 1
    return np.where(open_, low, 0.0), np.where(open_, high, np.inf)
