"""What the pages of many groups, the page about everybody and all questions of a table give away together.

Under a profile that hides small counts a group's page tells how many rows are in its answer, and nothing of those left
out; the page about everybody tells how many are left out, and why. So 13 who lack a rating among all, and two sites
whose answers differ by 12 between two questions, leave 1 for the third. What an attacker can reach is a linear program
over groups and patterns of reasons. A world that agrees with all that is told, and in which a few are many, is proof
that they cannot be told: such worlds are looked for, group by group, for many small counts at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from researchkit.disclosure import Profile, account
from researchkit.linked.accounts import Patterns
from researchkit.linked.cells import EXACT
from researchkit.linked.left import Codes, Left, heads, heads_in
from researchkit.linked.rounding import ends

Flags = NDArray[np.bool_]
TOGETHER = 12  # groups that are moved at a time, the others standing still
ALL = -1  # in place of a group: everybody
TRIES = 6  # worlds that are looked for before a group's few count as told


@dataclass(frozen=True)
class Told:
    """What the pages tell of one question: which groups (g,) have one, and how coarsely their counts are told (`to`).

    `whole` is how coarsely the page about everybody tells; it says nothing of those left out if `quiet`. Else `steps`
    are those of its steps that it hides, and `total` is whether it tells how many rows arrived.
    """

    left: Left
    open_: Flags
    to: int
    whole: int
    quiet: bool
    steps: tuple[bool, ...]
    total: bool


def told(left: Left, open_: Flags, person: Codes, profile: Profile, *, to: int, whole: int, quiet: bool) -> Told:
    """The same, with what the account of everybody hides."""
    steps = [left.why == why for why in range(len(left.names))]
    rows = {str(why): int(step.sum()) for why, step in enumerate(steps)}
    people = {str(why): heads_in(step, person) for why, step in enumerate(steps)}
    coarse = replace(profile, round_to=whole)
    arrived, kept, _ = account(len(person), rows, int(left.inside.sum()), coarse, people)
    gone = tuple(kept.get(str(why)) is None for why in range(len(steps)))
    return Told(left, open_, to, whole, quiet, gone, arrived is not None)


@dataclass(frozen=True)
class World:
    """Rows (g, p) by group and pattern, and the counts (m,) of few people: `at` is the group of each, or `ALL` of them.

    `cells` (m, p) are the patterns that each one counts.
    """

    rows: Codes
    at: Codes
    cells: Flags


@dataclass(frozen=True)
class Limit:
    """A sum over some patterns (p,) of one group, or of `ALL`, and between what it must lie."""

    at: int
    cells: Flags
    low: float
    high: float


def world(lefts: Sequence[Left], among: Patterns, group: Codes, person: Codes, groups: int, profile: Profile) -> World:
    """The table as it is, with every count of few people in an answer or left out of one, by group or of everybody."""
    patterns = among.cells.shape[1]
    rows = np.bincount(group * patterns + among.at, minlength=groups * patterns).reshape(groups, patterns)
    few: dict[tuple[int, bytes], Flags] = {}
    for left in lefts:
        for why, cells in zip([*range(len(left.names)), -1], among.steps(left), strict=True):
            there = left.why == why
            people = np.append(heads(group[there], person[there], groups), heads_in(there, person))
            for place in np.flatnonzero((people > 0) & (people < profile.threshold)):
                few[int(place) if place < groups else ALL, cells.tobytes()] = cells
    at = np.array([place for place, _ in few], dtype=np.int64)
    return World(rows, at, np.array(list(few.values()), dtype=bool).reshape(len(few), patterns))


def exposed(found: World, among: Patterns, told: Sequence[Told], profile: Profile) -> Flags:
    """(g,) the groups of which the pages tell a small count too closely; all of them where it is of everybody."""
    groups = len(found.rows)
    # A step that is listed is of somebody: 1 to threshold - 1 is all that could be meant.
    wide = np.where(found.at == ALL, min(profile.width, profile.threshold - 2), profile.width).astype(float)
    still = np.ones(len(found.at), dtype=bool)
    limits: dict[int, list[Limit]] = {}
    for one in told:
        for limit in _limits(found, among, one, profile):
            limits.setdefault(limit.at, []).append(limit)
    for start in range(0, groups, TOGETHER):
        some = np.arange(start, min(start + TOGETHER, groups))
        if (still & np.isin(found.at, [*some, ALL])).any():
            _strike(still, moved(found, limits, some), wide)
    for place in np.flatnonzero(still) if groups > TOGETHER else []:
        if still[place]:
            _strike(still, moved(found, limits, _givers(found, int(place))), wide)
    gone = found.at[still]
    return np.isin(np.arange(groups), gone) | (gone == ALL).any()


def _givers(found: World, place: int) -> Codes:
    """The group of a count of few, and those that have most of what it counts: who could have given it more."""
    most = np.argsort(-(found.rows @ found.cells[place]), kind="stable")
    own = found.at[place]
    return np.sort(np.append(most[most != own][: TOGETHER - 1], own if own != ALL else most[-1]))


def _limits(found: World, among: Patterns, told: Told, profile: Profile) -> Iterator[Limit]:
    """What is told of one question, as sums between limits."""
    *steps, inside = among.steps(told.left)
    answered = found.rows @ inside
    low, high = ends(answered, told.open_, profile, told.to)
    low = np.minimum(low, answered)  # a count of few that has no page of its own
    for place in np.flatnonzero(told.open_):
        yield Limit(int(place), inside, float(low[place]), float(high[place]))
    more = [] if told.quiet else [*zip(steps, told.steps, strict=True)]
    more += [(inside | ~inside, False)] if told.total and not told.quiet else []
    for cells, gone in [(inside, False), *more]:
        count = np.array([(found.rows @ cells).sum()])
        if gone:
            yield Limit(ALL, cells, float(min(1, count[0])), np.inf)  # it is not listed where it is of nobody
        else:
            least, most = ends(count, np.ones(1, dtype=bool), profile, told.whole)
            yield Limit(ALL, cells, float(min(least[0], count[0])), float(max(most[0], count[0])))


@dataclass(frozen=True)
class Moved:
    """Some groups of a world whose rows may move: a linear program over their cells (k,), the others standing still."""

    few: Any  # (m, k), sparse: the cells of each count of few
    true: Any  # (k,)
    of: Any  # (c, k), sparse: what is told of them, at most `limit` (c,)
    limit: Any

    def farthest(self, goals: Codes, wide: NDArray[np.float64]) -> Any:
        """(goals,) how far each goes up in a world that moves all of them, at most `wide` (m,); None without one."""
        from scipy import sparse
        from scipy.optimize import linprog

        wanted, size = self.few[goals], len(self.true)
        side = sparse.hstack([-wanted, sparse.eye_array(len(goals))])
        matrix = sparse.vstack([sparse.hstack([self.of, sparse.csr_array((len(self.limit), len(goals)))]), side])
        solved = linprog(
            -np.append(np.zeros(size), np.ones(len(goals))),
            A_ub=matrix,
            b_ub=np.append(self.limit, -(wanted @ self.true)),
            bounds=[(0, None)] * size + [(None, most) for most in wide[goals]],
            method="highs",
        )
        return wanted @ (solved.x[:size] - self.true) if solved.status == 0 else None

    def lowest(self, goal: int) -> float:
        """How far one of these counts can lie below its true value."""
        from scipy.optimize import linprog

        one = self.few[[goal]].toarray()[0]
        solved = linprog(one, A_ub=self.of, b_ub=self.limit, bounds=(0, None), method="highs")
        return float(one @ self.true - solved.fun) if solved.status == 0 else 0.0


def moved(found: World, limits: Mapping[int, Sequence[Limit]], some: Codes) -> Moved:
    """The program of what is told, over the rows of some groups."""
    from scipy import sparse

    rows = found.rows[some]
    here = [(limit, place) for place, at in enumerate(some) for limit in limits.get(int(at), [])]
    bound = [*here, *((limit, ALL) for limit in limits.get(ALL, []))]
    of = np.array([_spread(limit.cells, place, len(some)) for limit, place in bound]).reshape(len(bound), rows.size)
    fixed = [
        ((found.rows.sum(axis=0) - rows.sum(axis=0)) @ limit.cells if place == ALL else 0) for limit, place in bound
    ]
    low, high = (np.array([getattr(limit, end) for limit, _ in bound]) - fixed for end in ("low", "high"))
    above = np.isfinite(high)
    where = {int(at): place for place, at in enumerate(some)} | {ALL: ALL}
    few = sparse.lil_array((len(found.at), rows.size))
    for place in np.flatnonzero(np.isin(found.at, [*some, ALL])):
        few[place] = _spread(found.cells[place], where[int(found.at[place])], len(some))
    told = sparse.csr_array(np.vstack([of[above], -of]))
    return Moved(few.tocsr(), rows.ravel().astype(float), told, np.concatenate([high[above], -low]))


def _spread(cells: Flags, place: int, groups: int) -> NDArray[np.float64]:
    """Patterns (p,) of one group, or of `ALL`, as cells (k,) of the groups that move."""
    one = np.zeros((groups, len(cells)))
    one[slice(None) if place == ALL else place] = cells
    return one.ravel()


def _strike(open_: Flags, moves: Moved, wide: NDArray[np.float64]) -> None:
    """Take out of `open_` (m,) what can be many in some world: many counts at once, then what is left one by one."""
    here = np.asarray(moves.few.sum(axis=1)).ravel() > 0
    for _ in range(TRIES):
        goals = np.flatnonzero(open_ & here)
        far = moves.farthest(goals, wide) if len(goals) else None
        if far is None or not (done := far >= wide[goals] - EXACT).any():
            break
        open_[goals[done]] = False
    for goal in np.flatnonzero(open_ & here):
        far = moves.farthest(np.array([goal]), wide)
        if far is not None and far[0] + moves.lowest(int(goal)) >= wide[goal] - EXACT:
            open_[goal] = False
