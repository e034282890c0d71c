"""Which reasons to be left out meet in the rows of a table, and which could: the cells of an audit of many pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from researchkit.linked.left import Codes, Left

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


def meetings(reasons: int) -> list[NDArray[np.bool_]]:
    """Patterns (reasons, m) that no attacker can rule out: any reasons together, or of many any two of them."""
    if reasons <= MANY:
        return [(np.arange(2**reasons) >> np.arange(reasons)[:, None]) % 2 == 1]
    one = np.eye(reasons, dtype=bool)
    return [np.zeros((reasons, 1), dtype=bool), one, *(one | one[:, [place]] for place in range(reasons))]
