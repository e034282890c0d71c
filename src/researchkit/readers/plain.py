"""One file that is a table: each column once, a name over each, one row below the other."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

import numpy as np
import pandas as pd

from researchkit.errors import DataError, ResearchkitError, some
from researchkit.parts import File
from researchkit.readers import gaps
from researchkit.readers.headed import refuse_doubles
from researchkit.readers.sheets import read_excel
from researchkit.readers.stored import (
    Read,
    read_parquet,
    read_r,
    read_sas,
    read_spss,
    read_stata,
)
from researchkit.readers.text import read_text
from researchkit.readers.values import blank, day, each, emptied

COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+|[+-]?\d{1,3}(\.\d{3})+")  # a number, where "," is its point
EXACT = 2**53  # up to here a float holds every whole number
PACKED = (".gz", ".bz2", ".xz", ".zip")
FORMATS: dict[str, Callable[[Path, File, str], Read]] = {
    **dict.fromkeys((".csv", ".tsv", ".tab", ".txt"), read_text),
    **dict.fromkeys((".xlsx", ".xlsm"), read_excel),
    ".parquet": read_parquet,
    **dict.fromkeys((".sav", ".zsav"), read_spss),
    ".dta": read_stata,
    **dict.fromkeys((".xpt", ".sas7bdat"), read_sas),
    **dict.fromkeys((".rda", ".rdata", ".rds"), read_r),
}


def read(path: Path, file: File, subject: str | None = None) -> tuple[pd.DataFrame, list[str]]:
    """The table of one file.

    Parameters
    ----------
    path
        Where the file lies. What its name ends in says how it is read.
    file
        What the study file says of it: sheet, encoding, separator, codes that are missing everywhere.
    subject
        What the file is called in messages; its path if not given.

    Returns
    -------
    frame, notes
        Text columns (dtype str) exactly as written, or numbers where the format stores numbers; missing is NaN. The
        index counts rows as a spreadsheet does, the header being row 1. The notes say what was done on the way.

    Raises
    ------
    DataError
        If there is no such file, or it is empty, damaged, in another encoding, ragged, or names a column twice.
    """
    subject = subject or str(path)
    if not path.is_file():
        raise DataError(f"There is no file {subject}{beside(path)}")
    if not path.stat().st_size:
        raise DataError(f"{subject} is empty.")
    reader = reader_of(path, file, subject)
    frame, notes = reader(path, file, subject) if reader is read_text else guarded(reader, path, file, subject)
    if file.decimal:
        frame = frame.apply(with_points)
    if frame.columns.empty or frame.empty:
        raise DataError(f"{subject} has {len(frame.columns)} columns and no row of data.")
    refuse_doubles([str(name) for name in frame.columns], subject)
    if frame.index[0] == 0:
        frame.index = pd.RangeIndex(2, len(frame) + 2)
    frame = frame.rename(columns=str)
    blanks, counts, why = {}, {}, {}
    for name in frame.columns:
        held = emptied(typed(frame[name]))
        blanks[name], counts[name] = blank(held, file.missing)
        if counts[name]:
            why[name] = gaps.codes(held, blanks[name])
    if total := sum(counts.values()):
        columns = some(f"{name} {count}" for name, count in counts.items() if count)
        notes.append(f"{subject}: {total} cells hold a code declared as missing ({columns}).")
    return gaps.explained(pd.DataFrame(blanks), why), notes


def reader_of(path: Path, file: File, subject: str) -> Callable[[Path, File, str], Read]:
    """The function for a file's format, by the ending of its name or of the name where it comes from."""
    for name in (path.name, file.mirror or "", file.url or ""):
        endings = [ending.lower() for ending in Path(name).suffixes]
        if endings and endings[-1] in PACKED:
            return read_text
        if endings and endings[-1] in FORMATS:
            return FORMATS[endings[-1]]
    hint = " Save it as .xlsx." if path.suffix.lower() == ".xls" else ""
    raise DataError(f"{subject}: files ending in {path.suffix!r} are not read (these are: {' '.join(FORMATS)}).{hint}")


def guarded(reader: Callable[[Path, File, str], Read], path: Path, file: File, subject: str) -> Read:
    """What a library reads; at a damaged file these libraries raise whatever comes to hand."""
    try:
        return reader(path, file, subject)
    except ResearchkitError:
        raise
    except Exception as error:
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{subject} cannot be read as {path.suffix}: {first_line}") from error


def typed(series: pd.Series) -> pd.Series:
    """One of two kinds only: numbers, or text; truth values are 0 and 1, dates are ISO text."""
    dtype = series.dtype
    if pd.api.types.is_bool_dtype(dtype):
        return series.astype("float64")
    if pd.api.types.is_numeric_dtype(dtype):
        if not pd.api.types.is_extension_array_dtype(dtype):
            return series.astype("float64") if dtype == np.float32 else series
        if pd.api.types.is_integer_dtype(dtype) and series.abs().max() > EXACT:
            return series.astype("str")  # an id: as a float it would fall together with its neighbours
        return series.astype("float64")
    if isinstance(dtype, pd.StringDtype):
        return series if dtype.na_value is np.nan else series.astype("str")
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return pd.Series([None if pd.isna(v) else day(v) for v in series], index=series.index, dtype="str")
    words = [entry_text(value) for value in series]
    return pd.Series(words, index=series.index, dtype="str")


def entry_text(value: object) -> str | None:
    if value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return None
    return day(value)


def with_points(series: pd.Series) -> pd.Series:
    """A column with decimal points where it has commas, as declared: "1.234,5" is 1234.5."""
    if pd.api.types.is_numeric_dtype(series.dtype):
        return series
    return each(series, lambda text: text.replace(".", "").replace(",", ".") if COMMA.fullmatch(text.strip()) else text)


def beside(path: Path) -> str:
    """How the sentence on a file that is not there goes on: with the one beside it whose name is nearly the same."""
    near: list[str] = []
    with suppress(OSError):
        near = get_close_matches(path.name, [one.name for one in path.parent.iterdir() if one.is_file()], 1, 0.6)
    return f" (did you mean {near[0]!r}?)." if near else ". Paths count from the folder of the study file."
