"""Excel sheets: every cell as the text of its value, and headers of several rows with merged cells.

A merged cell holds its value in the top left corner only. In a header the value is that of all columns below it; in the
data nobody knows whether it is meant for the other rows, so nothing is filled down.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from researchkit.errors import DataError, some
from researchkit.faults import nearest
from researchkit.parts import File
from researchkit.readers.headed import headed
from researchkit.readers.values import PLAIN_NUMBER, day

Row = list[str | None]
UNPACKED = 2 * 2**30  # bytes of all that the workbook holds
CELLS, MERGED = 200_000_000, 1_000_000  # of a sheet; and of one range of merged cells
DEEPEST = 5  # rows of a header


class Merged(NamedTuple):
    """One range of merged cells; rows and columns from 0, the last ones included."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def wide(self) -> bool:
        return self.right > self.left


def read_excel(path: Path, file: File, subject: str) -> tuple[pd.DataFrame, list[str]]:
    """One sheet, its header understood, every cell as the text of its value (not of its format)."""
    import openpyxl

    merges = holds_merges(path, subject)  # they are not to be had from a book that is read row by row
    book = openpyxl.load_workbook(path, read_only=not merges, data_only=True)
    try:
        sheets, notes = book.sheetnames, []
        if file.sheet is not None and file.sheet not in sheets:
            raise DataError(f"{subject} has no sheet {file.sheet!r}{nearest(file.sheet, sheets)}.")
        if file.sheet is None and len(sheets) > 1:
            first = f"the first of {len(sheets)} sheets is read, {sheets[0]!r}"
            notes.append(f"{subject}: {first}; `sheet:` names another.")
        sheet = book[file.sheet or sheets[0]]
        if not merges:
            sheet.reset_dimensions()  # some programs write a wrong size, which would cut the table
        elif sheet.max_row * sheet.max_column > CELLS:
            raise DataError(far_off(subject, sheet.max_row, sheet.max_column))
        cells = [[cell_text(value) for value in row] for row in sheet.iter_rows(values_only=True)]
        found = [
            Merged(one.min_row - 1, one.min_col - 1, one.max_row - 1, one.max_col - 1)
            for one in (sheet.merged_cells.ranges if merges else ())
        ]
    finally:
        book.close()
    if not any(map(any, cells)):
        raise DataError(f"{subject} is empty.")
    widest = max(map(len, cells))
    if len(cells) * widest > CELLS:
        raise DataError(far_off(subject, len(cells), widest))
    cells = [row + [None] * (widest - len(row)) for row in cells]
    before, names, after, more = header(cells, found, subject)
    frame, told = headed(pd.DataFrame([names, *cells[after:]], dtype="str"), subject)
    frame.index = frame.index + (after - 1)  # rows as the sheet counts them
    return frame, [*notes, *before, *more, *told]


def far_off(subject: str, rows: int, columns: int) -> str:
    return (
        f"{subject} reaches to row {rows:,} and column {columns:,}, {rows * columns:,} cells. Something stands far off "
        "the table: delete the empty rows and columns behind it, or save it as CSV."
    )


def holds_merges(path: Path, subject: str) -> bool:
    """Whether any sheet of the workbook has merged cells, by a look at its text.

    Raises
    ------
    DataError
        If it is one of the small files that grow beyond any memory when they are read.
    """
    with zipfile.ZipFile(path) as archive:
        if sum(one.file_size for one in archive.infolist()) > UNPACKED:
            raise DataError(f"{subject} unpacks to more than {UNPACKED // 2**20:,} megabytes; save the table as CSV.")
        merged = False
        for name in (name for name in archive.namelist() if name.endswith((".xml", ".rels"))):
            text = archive.read(name)
            if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
                raise DataError(f"{subject} holds definitions of its own ({name}), which no spreadsheet writes.")
            if name.startswith("xl/worksheets/"):
                merged |= b"<mergeCell " in text
                refuse_endless(text, subject)
    return merged


def refuse_endless(text: bytes, subject: str) -> None:
    """Stop at merged cells over more than any table, each of which would be made."""
    for ends in re.findall(rb'<mergeCell [^>]*ref="\$?([A-Z]{1,3})\$?(\d{1,7}):\$?([A-Z]{1,3})\$?(\d{1,7})"', text):
        left, top, right, bottom = (column_number(end) if end.isalpha() else int(end) for end in ends)
        if (abs(right - left) + 1) * (abs(bottom - top) + 1) > MERGED:
            raise DataError(f"{subject} has merged cells over more than {MERGED:,} cells; take that apart and save it.")


def column_number(letters: bytes) -> int:
    """A is 1, Z is 26, AA is 27."""
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number


def cell_text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return day(value)


def header(cells: Sequence[Row], merges: Sequence[Merged], subject: str) -> tuple[list[str], Row, int, list[str]]:
    """What stands before the names, the names of the columns, the first row of data, and what was understood."""
    first, titles = title_rows(cells, merges)
    before = [f"{subject}: {some(map(repr, titles), 2)} over the table is no name: left out."] if titles else []
    after = first + depth(cells, [one for one in merges if one.top >= first], first)
    heads = [one for one in merges if first <= one.top < after]
    names = joined_names(cells, heads, first, after) if heads and after > first + 1 else cells[first]
    more = []
    if after > first + 1:
        read = some((repr(name) for name in names if name), 8)
        more.append(f"{subject}: the header has {after - first} rows with merged cells; its names are read as {read}.")
    if inside := [one for one in merges if one.top >= after]:
        rows = some(dict.fromkeys(one.top + 1 for one in inside))
        more.append(
            f"{subject}: {len(inside)} merged cells among the data, from rows {rows}: each has its value in its first "
            "cell only, and the others count as empty."
        )
    return before, names, after, more


def title_rows(cells: Sequence[Row], merges: Sequence[Merged]) -> tuple[int, list[str]]:
    """How many rows above the header are titles (one merged cell over all of the table) or blank, and their texts."""
    titles, row = [], 0
    widest = max((sum(bool(cell) for cell in line) for line in cells), default=0)
    while row < min(len(cells) - 1, DEEPEST):
        over = [one for one in merges if one.top == row and one.left == 0 and one.right + 1 >= widest > 1]
        if over and sum(bool(cell) for cell in cells[row]) <= 1:
            titles += [str(cells[row][0])] if cells[row][0] else []
        elif any(cells[row]) or not titles:
            break
        row += 1
    return row, titles


def depth(cells: Sequence[Row], merges: Sequence[Merged], first: int) -> int:
    """Of how many rows the header is: what stands below a wide merged cell belongs to it while it is words."""
    last = first
    for row in range(first, min(first + DEEPEST, len(cells) - 1)):
        if row > last:
            break
        here = [one for one in merges if one.top == row]
        last = max([last, *(one.bottom for one in here)])
        below = [cell for one in here if one.wide for cell in span(cells, one, one.bottom + 1)]
        if below and not any(PLAIN_NUMBER.fullmatch(cell.strip()) for cell in below):
            last = max(last, row + 1)
    return last - first + 1 if last < len(cells) - 1 else 1


def span(cells: Sequence[Row], one: Merged, row: int) -> Iterator[str]:
    """What stands under a merged cell."""
    yield from (cell for cell in (cells[row][one.left : one.right + 1] if row < len(cells) else ()) if cell)


def joined_names(cells: Sequence[Row], heads: Sequence[Merged], first: int, after: int) -> Row:
    """The names of the columns from top to bottom: "Kindness: 2026: mean"."""
    filled = [list(row) for row in cells[first:after]]
    for one in heads:
        value = cells[one.top][one.left]
        filled[one.top - first][one.left : one.right + 1] = [value] * (one.right - one.left + 1)
    return [": ".join(part for part in column if part) for column in zip(*filled, strict=True)]
