"""Counts that are linked by sums: what anyone could work out from those that are shown, and what must go with them.

Every published count is the sum of cells that nobody sees: a table's entries, its margins, the same people cut another
way in the next figure. What a hidden sum can be, given all that is shown, is a linear program (Fischetti and Salazar
2000, Journal of the American Statistical Association 95, 916-928, section 2: the attacker's two problems, least and
most). A choice of what to hide is good when each hidden sum can be values far enough apart; `hidden` looks for one,
the smallest sums first, and audits it to the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from researchkit.disclosure import Profile

Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]
EXACT = 1e-6  # what the solver leaves open


@dataclass(frozen=True)
class Sums:
    """Published sums (m,) over cells (k,): `of` (m, k) says which cells each sum adds up.

    `rows` (k,) are the cells as the published counts add them up; `people` (m,) and `heads` (k,) are how many people
    each sum and each cell is of, which decides what is too small.
    """

    of: Flags
    rows: Counts
    people: Counts
    heads: Counts

    @property
    def values(self) -> Counts:
        return self.of.astype(np.int64) @ self.rows


def sums(of: Any, rows: Any, people: Any = None, heads: Any = None) -> Sums:
    """The sums of some cells; where nobody has several rows, people are rows."""
    of, rows = np.atleast_2d(np.asarray(of, dtype=bool)), np.asarray(rows, dtype=np.int64)
    total = of.astype(np.int64) @ rows
    return Sums(
        of,
        rows,
        total if people is None else np.asarray(people, dtype=np.int64),
        rows if heads is None else np.asarray(heads, dtype=np.int64),
    )


def table(counts: Any) -> Sums:
    """A two-way table (r, c) as sums: its cells row by row, the r row totals, the c column totals, and the total."""
    counts = np.asarray(counts, dtype=np.int64)
    r, c = counts.shape
    places = np.arange(r * c).reshape(r, c)
    groups = [[place] for place in places.ravel()] + [*places, *places.T, places.ravel()]
    of = np.zeros((len(groups), r * c), dtype=bool)
    for line, group in zip(of, groups, strict=True):
        line[list(group)] = True
    return sums(of, counts.ravel())


def hidden(found: Sums, profile: Profile, *, keep: Sequence[int] = (), always: Sequence[int] = ()) -> Flags:
    """Which sums (m,) must not be shown, so that no small one can be worked out from the others.

    Parameters
    ----------
    keep
        Places of the sums that are hidden only if nothing else helps, such as the margins of a table.
    always
        Places of the sums that are known whatever is done, such as the number of all rows.

    Notes
    -----
    Protected are sums and cells of 1 to `threshold` - 1 people, and, where zeros are not shown, empty sums. Each must
    be able to take values that lie at least `profile.width` apart. Without a small one nothing is computed.
    """
    gone, known = small(found.people, profile), np.isin(np.arange(len(found.people)), list(always))
    gone &= ~known
    fragile = _protected(found, profile)
    while len(fragile):
        exposed = [place for place in fragile if not _open(found, gone, place, profile)]
        if not exposed:
            break
        more = _next(found, gone | known, exposed, set(keep))
        if more is None:
            return ~known  # nothing helps: nothing else is shown
        gone[more] = True
    return _without_need(found, gone, fragile, profile)


def small(people: Counts, profile: Profile) -> Flags:
    """Which counts are too small to be shown by themselves."""
    few = people < profile.threshold
    return few & (people > 0) if profile.zero_shown else few


def exposed(found: Sums, gone: Flags, profile: Profile) -> list[tuple[Flags, int, int]]:
    """The audit: every protected sum that could be worked out too closely, as (its cells, least, most)."""
    weak = []
    for place in _protected(found, profile):
        low, high = reach(found, gone, place, profile)
        if high - low < profile.width:
            weak.append((place, low, high))
    return weak


def reach(found: Sums, gone: Flags, place: Flags, profile: Profile) -> tuple[int, int]:
    """The least and the most that a sum over some cells (k,) can be, given every sum that is shown.

    The attacker knows that cells are not negative and, where zeros are shown, that a hidden sum is at least 1.
    """
    from scipy.optimize import linprog

    shown, values = found.of[~gone], found.values[~gone].astype(float)
    limits: dict[str, Any] = {"A_eq": shown.astype(float), "b_eq": values} if len(shown) else {}
    if profile.least and gone.any():
        limits |= {"A_ub": -found.of[gone].astype(float), "b_ub": -np.minimum(1.0, found.values[gone])}
    ends = []
    for sign in (1.0, -1.0):
        solved = linprog(sign * place.astype(float), bounds=(0, None), method="highs", **limits)
        if solved.status == 3:  # nothing bounds it
            ends.append(np.inf)
            continue
        if solved.status != 0:
            return 0, 0  # what cannot be audited is not safe
        ends.append(sign * solved.fun)
    low, high = np.ceil(ends[0] - EXACT), np.floor(min(ends[1], 2.0**52) + EXACT)
    return int(low), int(high)


def _protected(found: Sums, profile: Profile) -> list[Flags]:
    """Every sum and cell that nobody may learn, once each."""
    cells = np.eye(len(found.rows), dtype=bool)[(found.heads > 0) & (found.heads < profile.threshold)]
    groups = found.of[small(found.people, profile)]
    return list(np.unique(np.vstack([cells, groups]), axis=0)) if len(cells) + len(groups) else []


def _without_need(found: Sums, gone: Flags, fragile: list[Flags], profile: Profile) -> Flags:
    """The same with every sum shown again that went for nothing, the largest first."""
    own = small(found.people, profile)
    for place in sorted(np.flatnonzero(gone & ~own), key=lambda place: -found.values[place]):
        gone[place] = False
        if not all(_open(found, gone, one, profile) for one in fragile):
            gone[place] = True
    return gone


def _open(found: Sums, gone: Flags, place: Flags, profile: Profile) -> bool:
    low, high = reach(found, gone, place, profile)
    return high - low >= profile.width


def _next(found: Sums, gone: Flags, exposed: Sequence[Flags], keep: set[int]) -> int | None:
    """The smallest sum still shown that tells anything of what is exposed, one that may be missed before others."""
    cells = np.any(exposed, axis=0)
    # A sum bears on a cell it holds, or shares a shown sum with: hidden ones elsewhere leave everything as it is.
    near = found.of[(found.of & cells).any(axis=1)].any(axis=0)
    open_ = [place for place in np.flatnonzero(~gone) if (found.of[place] & near).any() and found.values[place] > 0]
    ranked = sorted(open_, key=lambda place: (place in keep, found.values[place], place))
    return int(ranked[0]) if ranked else None
