"""Rows whose first one holds the column names, as a text file and a spreadsheet have them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.errors import DataError, some
from researchkit.readers.values import emptied

WIDE, DEEPEST = 4, 20  # columns from which on one cell alone is no row, and rows at the end that are looked at
LONGEST = 60  # characters of a text that are told


def headed(raw: pd.DataFrame, subject: str) -> tuple[pd.DataFrame, list[str]]:
    """Name the columns by the first row; leave out blank rows and nameless blank columns.

    Parameters
    ----------
    raw
        Text cells, the header as the first row, the empty cell as "" or missing.
    subject
        What the file is called in a message.

    Returns
    -------
    frame, notes
        The index counts rows as a spreadsheet does: the header is row 1, the first row of data row 2.

    Raises
    ------
    DataError
        If no name stands in the first row, a name stands twice, or no row follows.
    """
    names = ["" if pd.isna(name) else str(name).strip() for name in raw.iloc[0]]
    if not any(names):
        raise DataError(f"{subject}: row 1 is blank; it must hold the names of the columns.")
    refuse_doubles(names, subject)
    raw.index = pd.RangeIndex(1, len(raw) + 1)
    body = raw.iloc[1:]
    rows = filled_rows(body)
    if not rows.any():
        raise DataError(f"{subject} has column names and no row of data.")
    notes = []
    if not rows.all():
        notes.append(f"{subject}: {int((~rows).sum())} blank rows are left out.")
    if under := words_under(body, rows):
        said = some((repr(shortened(text)) for text in under.values()), 2)
        notes.append(f"{subject}: {said} under the table is no row of it: left out.")
        rows[list(under)] = False
    kept = [place for place, name in enumerate(names) if name or filled_rows(body.iloc[:, [place]]).any()]
    nameless = [place + 1 for place in kept if not names[place]]
    if nameless:
        called = some(f"unnamed_{place}" for place in nameless)
        notes.append(f"{subject}: columns without a name (a merged header cell leaves such) are called {called}.")
    frame = body.loc[rows].iloc[:, kept] if len(kept) < len(names) or not rows.all() else body
    frame = frame.set_axis([names[place] or f"unnamed_{place + 1}" for place in kept], axis=1)
    return frame, notes


def filled_rows(body: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows hold anything; looks no further once each row has an entry."""
    empty = np.ones(len(body), dtype=bool)
    for place in body.columns:
        if empty.any():
            empty &= emptied(body[place]).isna().to_numpy()
    return ~empty


def words_under(body: pd.DataFrame, rows: NDArray[np.bool_]) -> dict[int, str]:
    """What stands under a table, behind a blank row and in one cell alone (a source, a date), by its place."""
    found: dict[int, str] = {}
    behind: dict[int, str] = {}
    if body.shape[1] < WIDE:
        return {}
    for place in range(len(rows) - 1, max(len(rows) - DEEPEST, 0), -1):
        if not rows[place]:
            behind = dict(found)
            continue
        line = [str(cell).strip() for cell in body.iloc[place].dropna() if str(cell).strip()]
        if len(line) > 1 or " " not in line[0]:
            break
        found[place] = line[0]
    return behind


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def refuse_doubles(names: list[str], subject: str) -> None:
    """Stop at a column name that stands twice."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names, 1):
        places.setdefault(name, []).append(place)
    doubles = [f"{name!r} (columns {some(at)})" for name, at in places.items() if name and len(at) > 1]
    if doubles:
        what = "Give each its own."
        if "Complete?" in places:
            what = "An export of REDCap with labels has names like these: export the raw data in its place."
        raise DataError(f"{subject}: the same name stands over several columns: {some(doubles)}. {what}")
