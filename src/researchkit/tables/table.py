"""`Table`: one table for the page, the spreadsheet and the terminal.

A table holds the words of its cells, already rounded by `wording`, and beside them the exact values for the
CSV. Everything that came from data is escaped for the page and made harmless for a spreadsheet.
"""

from __future__ import annotations

import csv
import io
import math
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from itertools import zip_longest
from textwrap import TextWrapper
from typing import Any

import pandas as pd

from researchkit import card, progress, wording

BROAD = 72  # characters of a cell that stand in one line of a terminal
MEDIA = "application/vnd.researchkit.table+json"
_NUMBER = re.compile(r"(?:[<>] )?[+\u2212-]?[\d,]*(\.\d+)?")
_ONE = r"[+\u2212-]?(?:\d[\d,]*)?\.?\d+(?: %)?"
_WORDED = re.compile(rf"(?:[<>] )?{_ONE}(?: to {_ONE})?(?: \({_ONE} to {_ONE}\))?")


@dataclass(frozen=True)
class Col:
    """A column: its header, "right" for numbers, and how the style sheet calls the cells that are judged words."""

    header: str
    align: str = "left"
    chips: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """One table: what its cells say, and the exact values behind them.

    Parameters
    ----------
    title
        The caption. It is also the accessible name of the table.
    columns
        One for each cell of a row; the first column names the row.
    rows
        The cells as they are read: text, already rounded.
    note
        A sentence below the table.
    name
        File name of the CSV, without ending; from the title when left out.
    data
        Full-precision values for the CSV; the cells themselves when left out.
    """

    title: str
    columns: tuple[Col, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    name: str = ""
    data: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", slug(self.name or self.title))
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"Table {self.title!r}: a row has {len(row)} cells, not {len(self.columns)}.")

    def to_html(self, *, csv: bool = True) -> str:
        """The table inside a region that scrolls by itself, so that a narrow page never does; its CSV below.

        Leave `csv` out where another link beside it leads to the same numbers.
        """
        head = "".join(_head(col) for col in self.columns)
        body = "".join(f"<tr>{self._cells(row)}</tr>" for row in zip(*self._aligned(), strict=True))
        note = f'<p class="rk-note">{escape(self.note)}</p>' if self.note else ""
        note += self._link() if csv and self.rows else ""
        region = f'role="region" tabindex="0" aria-label="{escape(self.title)}"'
        return (
            f'<div class="rk-table"><div class="rk-scroll" {region}>'
            f"<table><caption><span>{escape(self.title)}</span></caption><thead><tr>{head}</tr></thead>"
            f"<tbody>{body}</tbody></table></div>{note}</div>"
        )

    def _aligned(self) -> list[list[str]]:
        """The columns, those of numbers with their decimal points under one another."""
        found = [[row[place] for row in self.rows] for place in range(len(self.columns))]
        return [
            aligned(cells) if col.align == "right" else cells for col, cells in zip(self.columns, found, strict=True)
        ]

    def _link(self) -> str:
        file, link = f"{self.name}.csv", data_link("text/csv", self.to_csv().encode())
        about = f'aria-label="CSV of the table {escape(self.title)}"'
        return f'<p class="rk-csv"><a download="{file}" href="{link}" {about}>CSV</a></p>'

    def _cells(self, row: Sequence[str]) -> str:
        first, *rest = (_cell(cell, col) for cell, col in zip(row, self.columns, strict=True))
        tail = "".join(f"<td{_number(col)}>{cell}</td>" for col, cell in zip(self.columns[1:], rest, strict=True))
        return f'<th scope="row">{first}</th>{tail}'

    def to_csv(self) -> str:
        """Comma-separated text that a spreadsheet shows and never runs."""
        return self._csv

    @cached_property
    def _csv(self) -> str:
        """Written once: the page links to it, and it is carried beside the page."""
        header: list[object] = [col.header for col in self.columns] if self.data is None else list(self.data.columns)
        lines: Iterable[Sequence[object]] = self.rows if self.data is None else lines_of(self.data)
        out = io.StringIO(newline="")
        writer = csv.writer(out)  # CRLF: with it, a lone CR in a cell is quoted and breaks no line
        writer.writerow([harmless(cell) for cell in header])
        writer.writerows([harmless(cell) for cell in line] for line in lines)
        return out.getvalue()

    def __str__(self) -> str:
        headers = [col.header for col in self.columns]
        rows = [line for row in self.rows for line in wrapped(row)]
        widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
        pads = [str.rjust if col.align == "right" else str.ljust for col in self.columns]

        def line(cells: Sequence[str]) -> str:
            return "  ".join(pad(cell, width) for pad, cell, width in zip(pads, cells, widths, strict=True)).rstrip()

        lines = [self.title, line(headers), "  ".join("-" * width for width in widths), *map(line, rows)]
        return "\n".join([*lines, self.note] if self.note else lines)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        carried = {"name": self.name, "title": self.title, "csv": self.to_csv()}
        desk = card.DESK if progress.in_a_notebook() else ""
        return {"text/html": self.to_html() + desk, "text/plain": str(self), MEDIA: carried}


def wrapped(row: Sequence[str]) -> list[tuple[str, ...]]:
    """A row as the lines that it takes in a terminal, where a cell of many words would run on far beyond the edge."""
    fold = TextWrapper(BROAD, break_long_words=False, break_on_hyphens=False)
    cells = [fold.wrap(cell) if len(cell) > BROAD else [cell] for cell in row]
    return [*zip_longest(*cells, fillvalue="")]


def _head(col: Col) -> str:
    """A header cell; one without words is no header."""
    return f'<th scope="col"{_number(col)}>{escape(col.header)}</th>' if col.header.strip() else "<td></td>"


def _cell(cell: str, col: Col) -> str:
    told = escape(cell)
    return f'<span class="chip {col.chips[cell]}">{told}</span>' if cell in col.chips else told


def _number(col: Col) -> str:
    return ' class="n"' if col.align == "right" else ""


def aligned(cells: Sequence[str]) -> list[str]:
    """Cells of one column with room after the shorter fractions, so that points stand under one another.

    The room is made of spaces as wide as a digit and as a point; cells that are more than a number stay as they are.
    """
    fractions = [found and len((found[1] or ".")[1:]) for found in map(_NUMBER.fullmatch, cells)]
    most = max((places for places in fractions if places is not None), default=0)
    rooms = ["" if had is None or had == most else "\u2007" * (most - had) for had in fractions]
    points = ["\u2008" if had == 0 and most else "" for had in fractions]
    return [cell + point + room for cell, point, room in zip(cells, points, rooms, strict=True)]


def data_link(media: str, content: bytes) -> str:
    """The address of a file that is carried within the page."""
    return f"data:{media};base64,{b64encode(content).decode()}"


def slug(text: str) -> str:
    """A name for files and anchors: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].strip("-") or "table"


def harmless(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula; numbers stay numbers, gaps stay empty."""
    if cell is None or cell is pd.NA or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if not isinstance(cell, str) or not cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return cell
    try:
        float(cell)
    except ValueError:
        return "'" + cell
    return cell


def frame(df: pd.DataFrame, title: str, note: str = "") -> Table:
    """Any data frame as a table; its index is shown when it has a name."""
    named = df.reset_index() if any(name is not None for name in df.index.names) else df
    rows = tuple(tuple(shown(value) for value in row) for row in lines_of(named))
    numeric = [
        pd.api.types.is_numeric_dtype(kind) or (place > 0 and counted([row[place] for row in rows]))
        for place, kind in enumerate(named.dtypes)
    ]
    columns = tuple(
        Col(str(name), "right" if right else "left") for name, right in zip(named.columns, numeric, strict=True)
    )
    return Table(title, columns, rows, note, data=named)


def lines_of(df: pd.DataFrame) -> list[list[object]]:
    """The rows of a small frame as plain values, in one go: pandas makes a Series of every column that it iterates."""
    return list(df.to_numpy(dtype=object).tolist())


def counted(cells: Sequence[str]) -> bool:
    """Whether cells of words are numbers all the same: rounded, intervals, shares; gaps do not count."""
    told = [cell for cell in cells if cell not in ("", "–")]
    return bool(told) and all(_WORDED.fullmatch(cell) for cell in told)


def shown(value: object) -> str:
    if value is None or value is pd.NA or value is pd.NaT:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return wording.count(value)
    if isinstance(value, float):
        return "–" if math.isnan(value) else wording.number(value, 3)
    return str(value)


@dataclass(frozen=True)
class Prose:
    """Paragraphs written from what ran, where a table would say nothing."""

    paragraphs: tuple[str, ...]

    def __str__(self) -> str:
        return "\n\n".join(self.paragraphs)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {"text/html": self.to_html(), "text/plain": str(self)}

    def to_html(self) -> str:
        html = "".join(f"<p>{escape(text)}</p>" for text in self.paragraphs)
        return f'<div class="rk-prose">{html}</div>'
