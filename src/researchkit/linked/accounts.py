"""The accounts of several questions of one table, laid side by side: what they tell of whom each one leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from researchkit.disclosure import Profile, protect
from researchkit.linked.cells import Sums, reach
from researchkit.linked.left import Codes, Left, heads_in

Flags = NDArray[np.bool_]
MANY = 7  # reasons, all of whose meetings are reckoned with


@dataclass(frozen=True)
class Patterns:
    """Which reasons can meet in one row: `cells` (reasons, p), and the place `at` (n,) of each row's own."""

    names: tuple[str, ...]
    cells: Flags
    at: Codes

    def steps(self, left: Left) -> list[Flags]:
        """(p,) for each reason of a question: the patterns that it leaves out for it; last those that are in."""
        before, found = np.zeros(self.cells.shape[1], dtype=bool), []
        for name in left.names:
            found.append(self.cells[self.names.index(name)] & ~before)
            before |= found[-1]
        return [*found, ~before]


def patterns(lefts: Sequence[Left], rows: int) -> Patterns:
    """Every pattern of reasons that the rows show, and those that no attacker can rule out."""
    names = tuple(dict.fromkeys(name for left in lefts for name in left.names))
    holds = np.zeros((len(names), rows), dtype=bool)
    for left in lefts:
        for name, mask in zip(left.names, left.masks, strict=True):
            holds[names.index(name)] |= mask
    there, cell = distinct(holds)
    cells = np.unique(np.concatenate([there, *meetings(len(names))], axis=1), axis=1)
    places = np.array([np.flatnonzero((cells == one[:, None]).all(axis=0))[0] for one in there.T], dtype=np.int64)
    return Patterns(names, cells, places[cell])


def distinct(holds: Flags) -> tuple[Flags, Codes]:
    """The columns of a table (r, n) once each, and the place (n,) of each column among them."""
    packed = np.packbits(holds, axis=0) if len(holds) else np.zeros((1, holds.shape[1]), dtype=np.uint8)
    _, first, cell = np.unique(packed, axis=1, return_index=True, return_inverse=True)
    return holds[:, first], cell.ravel()


def exactly(profile: Profile) -> Profile:
    """The profile as if it did not round: from a precise mean or error the number behind it can be worked out."""
    return replace(profile, round_to=1)


def side_by_side(lefts: Sequence[Left], person: Codes, profile: Profile) -> bool:
    """Whether the accounts of several questions, laid side by side, tell of a few people whom each one hides.

    A row that lacks severity is left out by every question that needs it, though perhaps for another reason that is
    looked at before. The attacker knows these rules; not which reasons meet in one row.
    """
    if len(lefts) < 2 or not any(left.names for left in lefts):
        return False
    among = patterns(lefts, len(person))
    rows, heads = np.zeros((2, among.cells.shape[1]), dtype=np.int64)
    for place in np.unique(among.at):
        rows[place], heads[place] = (among.at == place).sum(), heads_in(among.at == place, person)
    of, people, gone = [np.ones(len(rows), dtype=bool)], [heads_in(person >= 0, person)], [False]
    for left in lefts:
        of += among.steps(left)
        people += [heads_in(left.why == why, person) for why in range(len(left.names))]
        people.append(heads_in(left.inside, person))
        gone += [*hidden_steps(left, person, profile), False]
    found = Sums(np.array(of), rows, np.array(people), heads)
    return any(few(found, int(place), gone, profile) for place in np.flatnonzero(gone))


def hidden_steps(left: Left, person: Codes, profile: Profile) -> list[bool]:
    """Which of a question's steps the page about everybody hides."""
    steps = {name: heads_in(left.why == why, person) for why, name in enumerate(left.names)}
    told = protect({name: count for name, count in steps.items() if count}, exactly(profile))
    return [told.get(name) is None for name in steps]


def meetings(reasons: int) -> list[NDArray[np.bool_]]:
    """Patterns (reasons, m) that no attacker can rule out: any reasons together, or of many any two of them."""
    if reasons <= MANY:
        return [(np.arange(2**reasons) >> np.arange(reasons)[:, None]) % 2 == 1]
    one = np.eye(reasons, dtype=bool)
    return [np.zeros((reasons, 1), dtype=bool), one, *(one | one[:, [place]] for place in range(reasons))]


def few(found: Sums, place: int, gone: list[bool], profile: Profile) -> bool:
    """Whether a hidden sum of few people can be told too closely."""
    if not 0 < found.people[place] < profile.threshold:
        return False
    low, high = reach(found, np.array(gone), found.of[place], profile)
    return high - low < profile.width
