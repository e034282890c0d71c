"""How coarsely the pages of sites must round where two questions differ by few people at one of them.

All pages together tell exactly by how many people two questions differ; each site's rounded counts tell roughly by how
many they differ there. What is left for one site must be open by the profile's width, however the others round.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from researchkit.disclosure import Profile, nearest

BASES = (5, 10, 20, 50, 100, 200, 500, 1000)
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Pair:
    """People in the answers of two questions, by group (g,): of the one, of the other, in the one alone, in the other.

    `apart` holds the least and the most by which the other can be larger over all groups, as pages tell.
    """

    one: Counts
    other: Counts
    one_alone: Counts
    other_alone: Counts
    apart: tuple[float, float]


def base(pairs: list[Pair], open_: NDArray[np.bool_], profile: Profile, usual: int) -> tuple[int, NDArray[np.bool_]]:
    """The smallest base, from the usual one up, that leaves every small difference open, and which groups have a page.

    Where none does, the groups that it would tell of go without, and where that is not enough every group does. No base
    is coarser than the smallest group that has a page: its count would be told as nothing.

    Parameters
    ----------
    pairs
        One for each other question of the table.
    open_
        (g,) the groups that have a page so far.
    """
    told = np.any([tight(pair, open_, profile, usual) for pair in pairs], axis=0) if pairs else ~open_
    for now in (open_, open_ & ~told):
        least = min((int(pair.one[now & (pair.one > 0)].min(initial=BASES[-1])) for pair in pairs), default=usual)
        for to in (usual, *(one for one in BASES if usual < one <= least)):
            if not any(tight(pair, now, profile, to).any() for pair in pairs):
                return to, now
    return 0, np.zeros_like(open_)


def tight(pair: Pair, open_: NDArray[np.bool_], profile: Profile, to: int) -> NDArray[np.bool_]:
    """(g,) the groups whose small difference can be told within less than the profile's width."""
    (low1, high1), (low2, high2) = (ends(count, open_, profile, to) for count in (pair.one, pair.other))
    least, most = low2 - high1, high2 - low1
    if not pair.one_alone.sum():  # the one question asks for all that the other does, and more
        least = np.maximum(least, 0)
    if not pair.other_alone.sum():
        most = np.minimum(most, 0)
    found = np.zeros_like(open_)
    for place in np.flatnonzero(small(pair.one_alone, profile) | small(pair.other_alone, profile)):
        rest = np.arange(len(open_)) != place
        up = min(most[place], pair.apart[1] - least[rest].sum())
        down = max(least[place], pair.apart[0] - most[rest].sum())
        found[place] = up - down < profile.width
    return found


def small(counts: Counts, profile: Profile) -> NDArray[np.bool_]:
    return (counts > 0) & (counts < profile.threshold)


def ends(
    count: Counts, open_: NDArray[np.bool_], profile: Profile, to: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least and the most (g,) that each count can be, as it is told."""
    coarse = replace(profile, round_to=to)
    told = np.array([nearest(int(value), coarse) for value in count], dtype=float)
    low, high = np.maximum(told - to // 2, profile.threshold), told + to - to // 2 - 1
    return np.where(open_, low, 0.0), np.where(open_, high, np.inf)
