"""Counts that are linked by sums: what anyone could work out from those that are shown, and what must go with them.

Every published count is the sum of cells that nobody sees: a table's entries, its margins, the same people cut another
way in the next figure. What a hidden sum can be, given all that is shown, is a linear program (Fischetti and Salazar
2000, Journal of the American Statistical Association 95, 916-928, section 2: the attacker's two problems, least and
most). A choice of what to hide is good when each hidden sum can be values far enough apart; `hidden` looks for one,
the smallest sums first, and audits it to the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
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
    return _chosen(_Asked(found, profile, tuple(keep), tuple(always))).copy()


@dataclass(frozen=True)
class _Asked:
    """What `hidden` is asked: the same if all the numbers are, as by the figure and the table of a page."""

    found: Sums
    profile: Profile
    keep: tuple[int, ...]
    always: tuple[int, ...]

    @property
    def told(self) -> tuple[Any, ...]:
        arrays = (self.found.of, self.found.rows, self.found.people, self.found.heads)
        return (self.profile, self.keep, self.always, *((part.shape, part.tobytes()) for part in arrays))

    def __hash__(self) -> int:
        return hash(self.told)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Asked) and self.told == other.told


@lru_cache(maxsize=16)
def _chosen(asked: _Asked) -> Flags:
    found, profile = asked.found, asked.profile
    gone, known = small(found.people, profile), np.isin(np.arange(len(found.people)), asked.always)
    gone &= ~known
    fragile = _protected(found, profile)
    exposed = fragile
    while exposed:
        # What is open stays so when more is hidden: only what was exposed is looked at again.
        exposed = [place for place, safe in zip(exposed, _open(found, gone, exposed, profile), strict=True) if not safe]
        if not exposed:
            break
        more = _next(found, gone | known, exposed, set(asked.keep))
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
    fragile = _protected(found, profile)
    reached = zip(fragile, reaches(found, gone, fragile, profile), strict=True)
    return [(place, low, high) for place, (low, high) in reached if high - low < profile.width]


def reach(found: Sums, gone: Flags, place: Flags, profile: Profile) -> tuple[int, int]:
    """The least and the most that a sum over some cells (k,) can be, given every sum that is shown.

    The attacker knows that cells are not negative and, where zeros are shown, that a hidden sum is at least 1.
    """
    return reaches(found, gone, [place], profile)[0]


def reaches(found: Sums, gone: Flags, places: Sequence[Flags], profile: Profile) -> list[tuple[int, int]]:
    """`reach` of several sums: all their programs, which share nothing, are solved as one."""
    from scipy import sparse
    from scipy.optimize import linprog

    if not places:
        return []
    shown, values = found.of[~gone], found.values[~gone]
    goals = np.array([sign * place for place in places for sign in (1.0, -1.0)])
    each = sparse.eye_array(len(goals), format="csr")
    limits: dict[str, Any] = {}
    if len(shown):
        equal, once = np.unique(shown, axis=0, return_index=True)  # a sum that is told twice binds once
        limits = {"A_eq": sparse.kron(each, equal.astype(float)), "b_eq": np.tile(values[once], len(goals))}
    if profile.least and gone.any():
        least = np.tile(-np.minimum(1.0, found.values[gone]), len(goals))
        limits |= {"A_ub": sparse.kron(each, -found.of[gone].astype(float)), "b_ub": least}
    solved = linprog(goals.ravel(), bounds=(0, None), method="highs", **limits)
    if solved.status == 0:
        ends = (goals * solved.x.reshape(goals.shape)).sum(axis=1).reshape(-1, 2)
        return [_whole(low, -high) for low, high in ends]
    if len(places) > 1:  # one that nothing bounds, or that has no solution, is not to speak for the others
        return [reaches(found, gone, [place], profile)[0] for place in places]
    return [_one_by_one(goals, limits)]


def _one_by_one(goals: Any, limits: Mapping[str, Any]) -> tuple[int, int]:
    """The ends of one sum whose two programs could not be solved as one."""
    from scipy.optimize import linprog

    one = {name: part[: part.shape[0] // 2] for name, part in limits.items()}
    one |= {name: part.tocsr()[:, : goals.shape[1]] for name, part in one.items() if name.startswith("A")}
    ends = []
    for sign, goal in zip((1.0, -1.0), goals, strict=True):
        solved = linprog(goal, bounds=(0, None), method="highs", **one)
        if solved.status not in (0, 3):
            return 0, 0  # what cannot be audited is not safe
        ends.append(np.inf if solved.status == 3 else sign * solved.fun)  # 3: nothing bounds it
    return _whole(*ends)


def _whole(low: float, high: float) -> tuple[int, int]:
    return int(np.ceil(low - EXACT)), int(np.floor(min(high, 2.0**52) + EXACT))


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
        # The quick look first: most that went for a reason are found by it, without a program.
        if _determined(found.of[~gone], fragile).any() or not all(_open(found, gone, fragile, profile)):
            gone[place] = True
    return gone


def _open(found: Sums, gone: Flags, places: Sequence[Flags], profile: Profile) -> list[bool]:
    """Which sums can take values that lie far enough apart; what adds and subtracts to one value needs no program."""
    fixed = _determined(found.of[~gone], places)
    unsure = [place for place, known in zip(places, fixed, strict=True) if not known]
    wide = iter(high - low >= profile.width for low, high in reaches(found, gone, unsure, profile))
    return [not known and next(wide) for known in fixed]


def _determined(shown: Flags, places: Sequence[Flags]) -> Flags:
    """Which sums over cells (k,) follow from those shown (m, k) by adding and subtracting alone."""
    wanted = np.array(places, dtype=float).reshape(len(places), shown.shape[1]).T
    _, sizes, axes = np.linalg.svd(shown.astype(float), full_matrices=False)
    span = axes[sizes > EXACT * max(1.0, sizes.max(initial=0.0))]
    return np.asarray((np.abs(wanted - span.T @ (span @ wanted)) < EXACT).all(axis=0))


def _next(found: Sums, gone: Flags, exposed: Sequence[Flags], keep: set[int]) -> int | None:
    """The smallest sum still shown that tells anything of what is exposed, one that may be missed before others."""
    cells = np.any(exposed, axis=0)
    # A sum bears on a cell it holds, or shares a shown sum with: hidden ones elsewhere leave everything as it is.
    near = found.of[(found.of & cells).any(axis=1)].any(axis=0)
    open_ = [place for place in np.flatnonzero(~gone) if (found.of[place] & near).any() and found.values[place] > 0]
    ranked = sorted(open_, key=lambda place: (place in keep, found.values[place], place))
    return int(ranked[0]) if ranked else None
