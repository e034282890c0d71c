"""Files that other programs store with types: Excel, Parquet, SPSS, Stata, SAS and R."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from researchkit.errors import DataError, some
from researchkit.faults import nearest
from researchkit.parts import File
from researchkit.readers.headed import headed
from researchkit.readers.values import day

Read = tuple[pd.DataFrame, list[str]]


def read_excel(path: Path, file: File, subject: str) -> Read:
    """One sheet, every cell as the text of its value (not of its format)."""
    import openpyxl

    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        sheets, notes = book.sheetnames, []
        if file.sheet is not None and file.sheet not in sheets:
            raise DataError(f"{subject} has no sheet {file.sheet!r}{nearest(file.sheet, sheets)}.")
        if file.sheet is None and len(sheets) > 1:
            first = f"the first of {len(sheets)} sheets is read, {sheets[0]!r}"
            notes.append(f"{subject}: {first}; `sheet:` names another.")
        sheet = book[file.sheet or sheets[0]]
        sheet.reset_dimensions()  # some programs write a wrong size, which would cut the table
        cells = [[cell_text(value) for value in row] for row in sheet.iter_rows(values_only=True)]
    finally:
        book.close()
    if not any(map(any, cells)):
        raise DataError(f"{subject} is empty.")
    widest = max(map(len, cells))
    frame, more = headed(pd.DataFrame([row + [None] * (widest - len(row)) for row in cells], dtype="str"), subject)
    return frame, notes + more


def cell_text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return day(value)


def read_parquet(path: Path, file: File, subject: str) -> Read:
    """Parquet through DuckDB."""
    try:
        import duckdb
    except ImportError:
        raise DataError(f"{subject}: Parquet needs DuckDB: `pip install 'researchkit[bigdata]'`.") from None
    with duckdb.connect() as connection:
        frame = connection.execute("select * from read_parquet(?)", [str(path)]).df()
    return frame, []


def read_spss(path: Path, file: File, subject: str) -> Read:
    """SPSS with its declared missing codes made missing, and both kinds of gap counted."""
    try:
        import pyreadstat
    except ImportError:
        raise DataError(f"{subject}: SPSS needs pyreadstat: `pip install 'researchkit[survey]'`.") from None
    # without user_missing=True a declared code and an empty cell could not be told apart
    frame, meta = pyreadstat.read_sav(str(path), user_missing=True, encoding=file.encoding)
    empty = int(frame.isna().sum().sum())
    counts = {}
    for name, ranges in meta.missing_ranges.items():
        hit = in_ranges(frame[name], ranges)
        if hit.any():
            frame[name] = frame[name].mask(hit)
            counts[name] = int(hit.sum())
    notes = [f"{subject}: {empty} cells are empty."] if empty else []
    if counts:
        columns = some(f"{name} {count}" for name, count in counts.items())
        total = sum(counts.values())
        notes.append(f"{subject}: {total} cells hold a code declared as missing in the file ({columns}).")
    return frame, notes


def in_ranges(series: pd.Series, ranges: Sequence[Any]) -> np.ndarray:
    """Which values lie in one of SPSS's ranges of missing codes (a single code is a range of one)."""
    hit = np.zeros(len(series), dtype=bool)
    for part in ranges:
        if isinstance(part["lo"], str):
            hit |= (series.astype("str").str.strip() == part["lo"].strip()).to_numpy(dtype=bool)
        else:
            hit |= series.between(part["lo"], part["hi"]).to_numpy(dtype=bool)
    return hit


def read_stata(path: Path, file: File, subject: str) -> Read:
    """Stata with codes, not labels; its missing values . and .a to .z are missing."""
    return pd.read_stata(path, convert_categoricals=False), []


def read_sas(path: Path, file: File, subject: str) -> Read:
    """SAS transport (.xpt) and .sas7bdat files."""
    try:
        import pyreadstat
    except ImportError:
        raise DataError(f"{subject}: SAS needs pyreadstat: `pip install 'researchkit[survey]'`.") from None
    read = pyreadstat.read_xport if path.suffix.lower() == ".xpt" else pyreadstat.read_sas7bdat
    return read(str(path), encoding=file.encoding)[0], []


def read_r(path: Path, file: File, subject: str) -> Read:
    """The data frame of an .rds file, or of an .rda file, where `sheet` names it if there are several."""
    try:
        import rdata
    except ImportError:
        raise DataError(
            f"{subject}: R's own format needs the package rdata; install it with `pip install rdata`, "
            "or write the table in R with `write.csv(x, 'x.csv', row.names = FALSE)`."
        ) from None
    found = rdata.read_rds(path) if path.suffix.lower() == ".rds" else rdata.read_rda(path)
    if isinstance(found, pd.DataFrame):
        return found, []
    frames = {name: item for name, item in found.items() if isinstance(item, pd.DataFrame)}
    name = file.sheet or (next(iter(frames)) if len(frames) == 1 else "")
    if name not in frames:
        raise DataError(f"{subject} holds {len(frames)} data frames ({some(frames)}); name one in study.yml: `sheet:`.")
    return frames[name], []
