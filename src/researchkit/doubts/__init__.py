"""What is probably wrong in a table though every entry is allowed: codes for missing, two units, swapped ids, totals.

A doubt is a note; where a question reads the column, a mark on its verdict too. It says what is seen, never why, and is
raised only where clean data hardly ever look so: a check that cries wolf is switched off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.doubts.columns import of_dates, of_numbers, of_text
from researchkit.doubts.order import pasted, repeats, unit_changes
from researchkit.doubts.rows import against_the_rest, of_one_group, swapped, totals
from researchkit.readers import Origin
from researchkit.readers.values import each
from researchkit.study import Study

__all__ = ["doubted", "doubts", "look_at", "totals"]

Rows = Callable[[NDArray[np.bool_]], str]


def doubts(study: Study, table: str, frame: pd.DataFrame, origin: Origin) -> list[str]:
    """Every doubt about a table that agrees with its study file, as sentences that begin with the column.

    Parameters
    ----------
    frame
        The columns as the study names them, numbers as numbers; its index counts the rows of `origin`.
    """

    def rows(found: NDArray[np.bool_]) -> str:
        return origin.words(frame.index.to_numpy()[np.flatnonzero(found)])

    told = [*of_columns(study, table, frame, rows), *of_rows(study, table, frame, rows)]
    return [f"{look_at(name)}{words}" for name, words in told]


def look_at(name: str) -> str:
    """How a doubt about a column begins."""
    return f"Look at {name}: "


def of_columns(study: Study, table: str, frame: pd.DataFrame, rows: Rows) -> Iterator[tuple[str, str]]:
    """Each column by itself, and in the order of the rows."""
    spec = study.tables[table]
    ids = {name for name in (spec.people, *spec.clusters)}
    ids |= {name for name, part in study.columns.items() if part.type == "id"}
    said = study.words_in(table)
    adjusted = {name for one in study.questions if study.table_of(one) == table for name in one.adjust}
    for name in (str(name) for name in frame.columns if name not in study.scales and name not in said):
        part, column = study.columns.get(name), frame[name]
        if name in adjusted and column.nunique() == 1 and column.notna().all():
            entry = each(column, str).iloc[0]
            yield name, f"all {len(column):,} entries are {entry}, so that adjusting for it changes nothing."
        if pd.api.types.is_datetime64_any_dtype(column.dtype):
            yield from ((name, words) for words in of_dates(column, rows))
        elif not pd.api.types.is_numeric_dtype(column.dtype):
            yield from ((name, words) for words in of_text(column, name in ids, rows))
        elif not (part and part.codes):
            values = column.to_numpy(dtype=np.float64, na_value=np.nan)
            yield from ((name, words) for words in of_numbers(values, bool(part and part.range), rows))
            yield from ((name, words) for words in unit_changes(values, rows))
    yield from pasted(frame, ids, rows)


def of_rows(study: Study, table: str, frame: pd.DataFrame, rows: Rows) -> Iterator[tuple[str, str]]:
    """Columns beside each other."""
    spec = study.tables[table]
    yield from totals(frame, rows)
    yield from repeats(frame, spec.people, rows)
    yield from swapped(frame, [name for name in (spec.people, *spec.clusters) if name in frame], rows)
    yield from of_one_group(frame, [name for name in spec.clusters if name != spec.people], rows)
    for name, scale in study.scales.items():
        if set(scale.items) <= set(frame.columns):
            yield from ((name, words) for words in against_the_rest(frame, scale))


def doubted(notes: tuple[str, ...], names: tuple[str, ...]) -> list[str]:
    """Which of these columns a note of `doubts` is about."""
    return [name for name in names if any(note.startswith(look_at(name)) for note in notes)]
