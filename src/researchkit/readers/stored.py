"""Files that other programs store with types: Parquet, SPSS, Stata, SAS and R."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from researchkit.errors import DataError, some
from researchkit.parts import File
from researchkit.readers.gaps import explained
from researchkit.readers.text import UNPACKED, opener
from researchkit.readers.values import canonical, each, written

Read = tuple[pd.DataFrame, list[str]]


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
    """SPSS with its declared missing codes made missing: each kind of gap is counted, and keeps its reason."""
    try:
        import pyreadstat
    except ImportError:
        raise DataError(f"{subject}: SPSS needs pyreadstat: `pip install 'researchkit[survey]'`.") from None
    # without user_missing=True a declared code and an empty cell could not be told apart
    frame, meta = pyreadstat.read_sav(str(path), user_missing=True, encoding=file.encoding)
    empty = int(frame.isna().sum().sum())
    counts, why = {}, {}
    for name, ranges in meta.missing_ranges.items():
        hit = in_ranges(frame[name], ranges)
        if hit.any():
            why[name] = coded_reasons(frame[name].where(hit), meta.variable_value_labels.get(name, {}))
            frame[name] = frame[name].mask(hit)
            counts[name] = int(hit.sum())
    notes = [f"{subject}: {empty} cells are empty."] if empty else []
    if counts:
        columns = some(f"{name} {count}" for name, count in counts.items())
        total = sum(counts.values())
        notes.append(f"{subject}: {total} cells hold a code declared as missing in the file ({columns}).")
    return explained(frame, why), notes


def coded_reasons(codes: pd.Series, labels: Mapping[Any, str]) -> pd.Series:
    """ "coded -9 (refused)" for each entry, by its label in the file."""
    called = {canonical(entry): words for entry, words in zip(map(code_text, labels), labels.values(), strict=True)}

    def words(code: str) -> str:
        label = called.get(canonical(code))
        return f"coded {canonical(code)} ({label})" if label else f"coded {canonical(code)}"

    return each(codes, words)


def code_text(code: Any) -> str:
    return written(code) if isinstance(code, int | float) else str(code)


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
    """Stata with codes, not labels; its missing values . and .a to .z are missing, and the letters are kept apart."""
    frame = pd.read_stata(path, convert_categoricals=False)
    if not any(frame[name].isna().any() for name in frame.columns):
        return frame, []
    marked = pd.read_stata(path, convert_categoricals=False, convert_missing=True)
    why = {}
    for name in frame.columns:
        if marked[name].dtype == object and frame[name].dtype != object:
            letters = marked[name].where(frame[name].isna()).dropna().map(str)
            why[str(name)] = (
                letters.where(letters != ".")
                .reindex(frame.index)
                .map(lambda letter: f"coded {letter}", na_action="ignore")
            )
    return explained(frame, why), apart(why, subject)


def apart(why: Mapping[str, pd.Series], subject: str) -> list[str]:
    """A note on how many cells are missing for a reason of their own."""
    counts = {name: int(reasons.notna().sum()) for name, reasons in why.items()}
    if not (total := sum(counts.values())):
        return []
    columns = some(f"{name} {count}" for name, count in counts.items() if count)
    return [f"{subject}: {total} cells hold one of the missing values that the file keeps apart ({columns})."]


def read_sas(path: Path, file: File, subject: str) -> Read:
    """SAS transport (.xpt) and .sas7bdat files; of the latter the missing values .A to .Z and ._ are kept apart."""
    try:
        import pyreadstat
    except ImportError:
        raise DataError(f"{subject}: SAS needs pyreadstat: `pip install 'researchkit[survey]'`.") from None
    if path.suffix.lower() == ".xpt":
        return pyreadstat.read_xport(str(path), encoding=file.encoding)[0], []
    frame, meta = pyreadstat.read_sas7bdat(str(path), encoding=file.encoding, user_missing=True)
    return without_letters(frame, meta.missing_user_values, subject)


def without_letters(frame: pd.DataFrame, letters: Mapping[str, Sequence[Any]], subject: str) -> Read:
    """The columns in which letters stand for gaps as numbers again."""
    why = {}
    for name, used in letters.items():
        hit = frame[name].isin(list(used))
        why[name] = frame[name].where(hit).map(lambda letter: f"coded .{letter}", na_action="ignore")
        frame = frame.assign(**{name: pd.to_numeric(frame[name].where(~hit))})
    return explained(frame, why), apart(why, subject)


def read_r(path: Path, file: File, subject: str) -> Read:
    """The data frame of an .rds file, or of an .rda file, where `sheet` names it if there are several."""
    try:
        import rdata
    except ImportError:
        raise DataError(
            f"{subject}: R's own format needs the package rdata; install it with `pip install rdata`, "
            "or write the table in R with `write.csv(x, 'x.csv', row.names = FALSE)`."
        ) from None
    refuse_endless(path, subject)
    found = rdata.read_rds(path) if path.suffix.lower() == ".rds" else rdata.read_rda(path)
    if isinstance(found, pd.DataFrame):
        return found, []
    frames = {name: item for name, item in found.items() if isinstance(item, pd.DataFrame)}
    name = file.sheet or (next(iter(frames)) if len(frames) == 1 else "")
    if name not in frames:
        raise DataError(f"{subject} holds {len(frames)} data frames ({some(frames)}); name one in study.yml: `sheet:`.")
    return frames[name], []


def refuse_endless(path: Path, subject: str) -> None:
    """Stop at a small file that grows beyond any memory when it is unpacked, as R's own format is."""
    with path.open("rb") as file:
        start = file.read(6)
    endings = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ": ".xz"}
    opened = next((opener(ending) for magic, ending in endings.items() if start.startswith(magic)), None)
    if opened is None:
        return
    total = 0
    with opened(path) as packed:
        while part := packed.read(2**20):
            total += len(part)
            if total > UNPACKED:
                raise DataError(f"{subject} unpacks to more than {UNPACKED // 2**20:,} megabytes; save it as CSV.")
