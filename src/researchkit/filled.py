"""Rows that carry the same numbers in a block of columns, where nearly every other row has its own: filled in.

Somebody who puts a mean or a median into every gap leaves a file without gaps, in which all that goes together seems to
go together more. What is the same for a reason is no block: what belongs to a site or a customer repeats in the other
rows, too; zeros are many in counts; answers from 1 to 5 agree by chance.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.errors import some
from researchkit.readers.values import numbers, written

Codes = NDArray[np.int64]
Rows = NDArray[np.bool_]
FEWEST_ROWS, FEWEST_COLUMNS = 10, 4
VARIED = 10  # distinct numbers that a column must have
TOGETHER = 0.8  # of the rows of a seed that share a number
ALONE = 0.8  # of the other rows that have a combination of their own
LARGER = 5  # times the next largest group
SEED, STRIDES = 3, (1, 2)  # columns that are looked at together first: neighbours, and every second one
SEEDS = 3  # the largest groups of rows that are alike in these
MOST = 3  # blocks that are told


@dataclass(frozen=True)
class Block:
    """Rows (n,) that hold the same number in each of some columns."""

    rows: Rows
    held: dict[str, float]
    known_by: str = ""  # a column whose number stands in no other row; "" where there is none

    def __str__(self) -> str:
        shown = some((f"{name} {written(value)}" for name, value in self.held.items()), 4)
        return (
            f"{int(self.rows.sum()):,} rows hold the very same numbers in {len(self.held)} columns ({shown}); "
            "nearly every other row has its own. They look filled in by a mean or a median, which makes columns agree "
            f"that do not. Leave these rows out{self.rule}, or get the file as it was before."
        )

    @property
    def rule(self) -> str:
        """The keep rule that leaves these rows out."""
        if not self.known_by:
            return ""
        value = written(self.held[self.known_by])
        name = (
            self.known_by if re.fullmatch(r"[\w.]+", self.known_by) else json.dumps(self.known_by, ensure_ascii=False)
        )
        return f" (`keep: {{column: {name}, not_values: [{value}], why: filled in}}`)"


def filled(frame: pd.DataFrame, units: Sequence[str] = ()) -> list[Block]:
    """The blocks of a table, the widest first; one that lies within a wider one is not told again.

    Parameters
    ----------
    frame
        As a file has it, text or numbers.
    units
        Columns that say whose a row is: many rows of one customer are alike because they are of one.
    """
    table = varied(frame)
    if len(table) < FEWEST_COLUMNS or len(frame) < 2 * FEWEST_ROWS:
        return []
    codes = np.column_stack([column.codes for column in table])
    found: list[tuple[Rows, NDArray[np.intp]]] = []
    for seed in seeds(codes, table):
        block = grown(codes, table, seed)
        if block and not any(np.array_equal(block[0], rows) for rows, _ in found) and stands_out(codes, *block):
            found.append(block)
    found = [one for one in found if not of_one_unit(frame, one[0], units)]
    found.sort(key=lambda one: (-len(one[1]), -int(one[0].sum())))
    blocks = [
        Block(rows, held(codes[rows.argmax()], table, places), alone(codes, table, rows, places))
        for rows, places in found
    ]
    return [one for place, one in enumerate(blocks) if not any(inside(one, wider) for wider in blocks[:place])][:MOST]


def alone(codes: Codes, table: Sequence[Varied], rows: Rows, places: NDArray[np.intp]) -> str:
    """The first column whose number in these rows stands in no other; "" where there is none."""
    first = codes[rows.argmax()]
    return next((table[place].name for place in places if not (codes[~rows, place] == first[place]).any()), "")


def held(row: Codes, table: Sequence[Varied], places: NDArray[np.intp]) -> dict[str, float]:
    return {table[place].name: float(table[place].values[row[place]]) for place in places}


def inside(one: Block, wider: Block) -> bool:
    return set(one.held) <= set(wider.held) and not (one.rows & ~wider.rows).any()


@dataclass(frozen=True)
class Varied:
    """A column of nothing but numbers that takes many values: the place of each row's (n,) among its values (k,)."""

    name: str
    codes: Codes
    values: NDArray[np.float64]


def seeds(codes: Codes, table: Sequence[Varied]) -> Iterator[Rows]:
    """Groups of rows that are alike in three columns, large enough to belong to a block."""
    sizes = [len(one.values) + 1 for one in table]
    for stride in STRIDES:
        for start in range(len(table) - stride * (SEED - 1)):
            mixed = np.zeros(len(codes), dtype=np.int64)
            for place in range(start, start + stride * SEED, stride):
                mixed = mixed * sizes[place] + codes[:, place] + 1
            groups = pd.factorize(mixed)[0]
            counts = np.bincount(groups)
            for group in np.argsort(-counts)[:SEEDS]:
                if counts[group] >= FEWEST_ROWS:
                    yield groups == group


def varied(frame: pd.DataFrame) -> list[Varied]:
    found = []
    for name in frame.columns:
        codes, entries = pd.factorize(frame[name])
        if len(entries) < VARIED:
            continue
        values, bad = numbers(pd.Series(entries))
        if bad.any() or len(np.unique(values)) < VARIED:
            continue
        found.append(Varied(str(name), codes.astype(np.int64), values))
    return found


def grown(codes: Codes, table: Sequence[Varied], seed: Rows) -> tuple[Rows, NDArray[np.intp]] | None:
    """The block that rows which are alike in three columns belong to: its rows, and the places of its columns."""
    among = codes[seed]
    modes = [most(column) for column in among.T]
    together = [place for place, (_, count) in enumerate(modes) if count >= TOGETHER * len(among)]
    if len(together) < 2:
        return None
    rows = (codes[:, together] == [modes[place][0] for place in together]).all(axis=1)
    if rows.sum() < FEWEST_ROWS:
        return None
    first = codes[rows.argmax()]
    zero = np.array([one.values[code] == 0 for one, code in zip(table, first, strict=True)])
    same = (codes[rows] == first).all(axis=0) & (first >= 0) & ~zero
    return (rows, np.flatnonzero(same)) if same.sum() >= FEWEST_COLUMNS else None


def most(column: Codes) -> tuple[int, int]:
    """The most frequent code and how often it stands; a missing entry is none."""
    known = column[column >= 0]
    if not len(known):
        return -1, 0
    counts = np.bincount(known)
    return int(counts.argmax()), int(counts.max())


def stands_out(codes: Codes, rows: Rows, places: NDArray[np.intp]) -> bool:
    """Whether the other rows have combinations of their own in these columns."""
    others = codes[~rows][:, places]
    others = others[(others >= 0).all(axis=1)]
    if len(others) < FEWEST_ROWS:
        return False
    counts = pd.DataFrame(others).value_counts(sort=False).to_numpy()
    return bool(len(counts) >= ALONE * len(others) and rows.sum() >= LARGER * counts.max())


def of_one_unit(frame: pd.DataFrame, rows: Rows, units: Sequence[str]) -> bool:
    return any(frame.loc[rows, name].nunique() == 1 < frame[name].nunique() for name in units if name in frame)
