"""Columns beside each other: a row of totals, ids in each other's place, a group without spread."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.errors import some
from researchkit.parts import Scale
from researchkit.readers.values import factors, written

Rows = Callable[[NDArray[np.bool_]], str]
TOTALS = re.compile(
    r"(grand |sub-?)?totals?|sums?|mean|averages?|overall|"
    r"gesamt|summe|mittelwert|total général|moyenne|totale|promedio",
    re.IGNORECASE,
)
LAST = 3  # rows at the end of a file that may be totals
VARIED = 10  # different numbers of a column
SHAPED = 0.9  # of the entries of an id that are written alike
GROUP, GROUPS, SPREAD = 10, 4, 5  # rows of a group; groups beside it; different numbers in each of these
ODD, USUAL = 0.1, 0.2  # of the groups that are without spread; of other rows that hold the same number
AGAINST, SCORED = -0.2, 30  # the correlation of an item with the rest of its scale; rows for it
EXCEL = (65_535, 1_048_575)  # rows below the header of a full sheet


class Shape(dict[int, str]):
    """Letters as a, digits as 9, other characters as they are."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        self[code] = "9" if letter.isdigit() else "a" if letter.isalpha() else letter
        return self[code]


SHAPE = Shape()


def totals(frame: pd.DataFrame, rows: Rows) -> Iterator[tuple[str, str]]:
    """A word such as "Total" in one of the last rows, which stands nowhere else in its column; a sheet that is full."""
    if len(frame) in EXCEL:
        yield str(frame.columns[0]), f"the table has exactly the {len(frame):,} rows of a full Excel sheet: cut off?"
    for name in frame.columns:
        column = frame[name]
        if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype):
            continue
        for place, entry in enumerate(column.iloc[-LAST:], max(0, len(column) - LAST)):
            if isinstance(entry, str) and TOTALS.fullmatch(entry.strip()) and (column == entry).sum() == 1:
                here = np.arange(len(column)) == place
                yield (
                    str(name),
                    f"1 row at the end seems to be of totals: {entry.strip()!r}, {rows(here)}. Leave it out.",
                )
                return


def swapped(frame: pd.DataFrame, names: Sequence[str], rows: Rows) -> Iterator[tuple[str, str]]:
    """Rows in which two ids stand in each other's column, as far as they are written differently."""
    shapes = {name: written_like(frame[name]) for name in names}
    for place, name in enumerate(names):
        for other in names[place + 1 :]:
            (mine, usual), (theirs, ours) = shapes[name], shapes[other]
            if not usual or not ours or usual == ours:
                continue
            here = (mine == ours) & (theirs == usual)
            if here.any():
                yield (
                    name,
                    f"{int(here.sum()):,} rows hold what looks like {other} in {name}, and the other way round "
                    f"({rows(here)}).",
                )


def written_like(column: pd.Series) -> tuple[NDArray[np.object_], str]:
    """How each id is written (letters as a, digits as 9), and how nearly all of them are; "" where they differ."""
    places, texts = factors(column)
    kinds = [text.translate(SHAPE) for text in texts]
    shapes = np.array([*kinds, ""], dtype=object)[places]
    names, counts = np.unique(shapes.astype(str), return_counts=True)
    usual = str(names[counts.argmax()])
    return shapes, usual if counts.max() >= SHAPED * len(shapes) else ""


def of_one_group(frame: pd.DataFrame, clusters: Sequence[str], rows: Rows) -> Iterator[tuple[str, str]]:
    """A group all of whose rows hold one number, where numbers differ within every other group."""
    numeric = [name for name in frame.columns if pd.api.types.is_numeric_dtype(frame[name].dtype)]
    for cluster in clusters:
        for name in flat_somewhere(frame, cluster, numeric):
            column = frame[name]
            if column.nunique() < VARIED:
                continue
            told = column.groupby(frame[cluster], observed=True).agg(["count", "nunique", "first"])
            told = told[told["count"] >= GROUP]
            flat, others = told[told["nunique"] == 1], told[told["nunique"] > 1]
            if (
                flat.empty
                or len(others) < GROUPS
                or len(flat) > max(1, ODD * len(told))
                or others["nunique"].min() < SPREAD
            ):
                continue
            most = "every" if len(flat) == 1 else "nearly every"
            for one, value in flat["first"].items():
                here = (frame[cluster] == one).to_numpy(dtype=bool, na_value=False) & column.notna().to_numpy()
                if (column[~here] == value).mean() < USUAL:
                    yield (
                        str(name),
                        f"all {int(here.sum()):,} rows of one {cluster} hold {written(float(value))} ({rows(here)}), "
                        f"where numbers differ within {most} other.",
                    )


def flat_somewhere(frame: pd.DataFrame, cluster: str, names: Sequence[str]) -> Iterator[str]:
    """The columns of which some group of many rows holds one number alone: a quick look, for nearly none does."""
    codes = pd.factorize(frame[cluster])[0]
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(codes.max() + 1))
    for name in names if len(starts) else ():
        values = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)[order]
        known = np.add.reduceat(np.isfinite(values).astype(np.int64), starts)
        low = np.fmin.reduceat(values, starts)
        if ((low == np.fmax.reduceat(values, starts)) & (known >= GROUP)).any():
            yield name


def against_the_rest(frame: pd.DataFrame, scale: Scale) -> Iterator[str]:
    """Items that go against the rest of their scale after reversing."""
    from researchkit.scales import item_rest, rule_of

    items = frame[list(scale.items)].to_numpy(dtype=np.float64, na_value=np.nan)
    items = items[~np.isnan(items).any(axis=1) & ~np.isin(items, scale.not_applicable).any(axis=1)]
    if len(items) < SCORED or len(scale.items) < 3 or not np.ptp(items, axis=0).all():
        return
    turned = np.isin(scale.items, rule_of(scale, items).reverse)
    found = item_rest(np.where(turned, -items, items))
    if against := [name for name, value in zip(scale.items, found, strict=True) if value < AGAINST]:
        yield f"{some(against)} {'goes' if len(against) == 1 else 'go'} against the other items. To be reversed?"
