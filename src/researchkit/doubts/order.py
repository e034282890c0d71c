"""Columns in the order of the rows: numbers that are in another unit from some row on, stretches that stand twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.wording import number

Rows = Callable[[NDArray[np.bool_]], str]
Values = NDArray[np.float64]
SIDE = 20  # rows before and after a change
TIMES = 4.0  # as in `drift`: numbers so many times as large are in another unit
TAIL = 0.1  # of either side may overlap with the other
TREND = 0.3  # a rank correlation with the row's number: beyond it the file is sorted by this column
RUN = 12  # entries that stand twice, one below the other
COUNTS = 0.8  # of the steps of a counter that go one way
BLOCK = 5  # rows that stand again, one below the other
MEASURED, MEASURES = 10, 3  # different numbers of a column, and columns with so many, for rows to be unlike each other
UNLIKE = 0.5  # of the rows that are like no other
VARIED = 30  # different numbers of a column that are looked at for such
COMMON = 0.05  # the chance that two entries are the same, from which on such runs happen by themselves


def unit_changes(values: Values, rows: Rows) -> Iterator[str]:
    """Numbers that are many times as large, or as small, from some row on."""
    known = np.flatnonzero(np.isfinite(values) & (values > 0))
    if len(known) < 2 * SIDE or (values[np.isfinite(values)] < 0).any():
        return
    logs = np.log(values[known])
    at = parting(logs)
    before, after = logs[:at], logs[at:]
    low, high = (before, after) if np.median(before) < np.median(after) else (after, before)
    times = float(np.exp(np.median(high) - np.median(low)))
    if times < TIMES or np.quantile(low, 1 - TAIL) >= np.quantile(high, TAIL):
        return
    if (
        min(len(np.unique(side)) for side in (before, after)) < SIDE // 2
        or max(map(sorted_by, (before, after))) > TREND
    ):
        return
    first = np.zeros(len(values), dtype=bool)
    first[known[at]] = True
    how = "larger" if high is after else "smaller"
    yield (
        f"from {rows(first)} on its numbers are about {number(times, 2)} times {how}, and hardly any is as before it "
        f"({int(len(values) - known[at]):,} rows): another unit?"
    )


def parting(logs: Values) -> int:
    """Where two means part the values best."""
    n = len(logs)
    at = np.arange(SIDE, n - SIDE + 1)
    sums = np.cumsum(logs)[at - 1]
    between = (sums / at - (logs.sum() - sums) / (n - at)) ** 2 * at * (n - at)
    return int(at[between.argmax()])


def sorted_by(side: Values) -> float:
    """How far the values climb or fall with the rows, by ranks."""
    ranks = pd.Series(side).rank().to_numpy()
    if np.ptp(ranks) == 0:
        return 1.0
    return float(abs(np.corrcoef(ranks, np.arange(len(ranks)))[0, 1]))


def pasted(frame: pd.DataFrame, ids: set[str], rows: Rows) -> Iterator[tuple[str, str]]:
    """Stretches of one column that stand a second time further down, where the other columns do not."""
    codes = {str(name): pd.factorize(frame[name], sort=numeric(frame[name]))[0] for name in frame.columns}
    for name in frame.columns:
        column = codes[str(name)]
        counts = np.bincount(column[column >= 0]) if (column >= 0).any() else np.zeros(1)
        if str(name) in ids or len(counts) < VARIED or not numeric(frame[name]):
            continue
        if ((counts / counts.sum()) ** 2).sum() > COMMON:
            continue
        for first, second, length in twice(column):
            if one_way(column[first : first + length]):
                continue
            there, again = np.arange(first, first + length), np.arange(second, second + length)
            others = [other for other in codes if other != name]
            if any(np.mean(codes[other][there] == codes[other][again]) > 0.9 for other in others):
                continue  # rows of the same people or places once more: each has its number again
            here = np.zeros(len(column), dtype=bool)
            here[again] = True
            yield str(name), f"the same {length} rows of numbers, one below the other, stand twice ({rows(here)})."
            break


def numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column.dtype)


def twice(column: NDArray[np.int64] | NDArray[np.intp], run: int = RUN) -> Iterator[tuple[int, int, int]]:
    """Where a stretch of at least `run` codes begins, where it stands again, and how long it is; each once.

    One code many times is no stretch.
    """
    n = len(column) - run + 1
    if n < 2:
        return
    marks = np.zeros(n, dtype=np.uint64)
    for shift in range(run):
        marks = marks * np.uint64(1_000_003) + column[shift : shift + n].astype(np.uint64)
    order = np.argsort(marks, kind="stable")
    same = np.flatnonzero(marks[order][1:] == marks[order][:-1])
    seen = -1
    for first, second in sorted((int(order[place]), int(order[place + 1])) for place in same):
        part = column[first : first + run]
        if first < seen or second - first < run or len(np.unique(part)) < run - 2 or (part < 0).any():
            continue
        length = int(np.argmin(np.append(column[first : first + len(column) - second] == column[second:], False)))
        length = min(length, second - first)
        if length >= run:
            seen = first + length
            yield first, second, length


def one_way(codes: NDArray[np.intp]) -> bool:
    """Whether codes nearly always climb, or fall: a counter (1, 2, 3, ...) begins anew by itself."""
    up = float(np.mean(np.diff(codes) >= 0))
    return up > COUNTS or up < 1 - COUNTS


def repeats(frame: pd.DataFrame, people: str, rows: Rows) -> Iterator[tuple[str, str]]:
    """A block of rows that stands again further down, the same in everything but who it was."""
    if people not in frame or len(frame) < 2 * BLOCK:
        return
    rest = frame.drop(columns=[name for name in frame.columns if name == people or frame[name].nunique() == len(frame)])
    measures = [
        name for name in rest if pd.api.types.is_numeric_dtype(rest[name].dtype) and rest[name].nunique() >= MEASURED
    ]
    if len(measures) < MEASURES:
        return
    codes = np.asarray(rest.groupby(list(rest.columns), sort=False, dropna=False).ngroup(), dtype=np.int64)
    if codes.max() < UNLIKE * len(codes):
        return  # rows are alike by chance
    here = np.zeros(len(codes), dtype=bool)
    for _, second, length in twice(codes, BLOCK):
        here[second : second + length] = True
    here &= ~frame.duplicated().to_numpy()
    if here.any():
        yield people, f"{int(here.sum()):,} rows repeat an earlier block in everything but {people} ({rows(here)})."
