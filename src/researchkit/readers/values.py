"""Entries of a file as text and as numbers; 1, 1.0 and "1" are the same entry.

Everything here works on distinct entries once, never on rows one by one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

PLAIN_NUMBER = re.compile(r"([-+]?)(0|[1-9][0-9]*)(?:\.([0-9]*))?")
TRUTH = {"true": "1", "false": "0"}
WHOLE = 1e15  # beyond this a float is no exact whole number any more


def canonical(text: str) -> str:
    """One spelling for one number, so that "1.0" is "1"; other text as it stands, without outer spaces.

    "007" stays "007": with a leading zero it is an id, not a number.
    """
    text = text.strip()
    plain_already = text[:1] not in ("+", "-") and not ("." in text and text[-1] in ".0")
    match = None if plain_already else PLAIN_NUMBER.fullmatch(text)
    if not match:
        return text
    sign, whole, decimals = match.group(1), match.group(2), (match.group(3) or "").rstrip("0")
    size = f"{whole}.{decimals}" if decimals else whole
    return f"-{size}" if sign == "-" and size != "0" else size


def written(value: float) -> str:
    """A number as its shortest text: 3.0 is "3"."""
    if isinstance(value, float | np.floating) and not (value.is_integer() and abs(value) < WHOLE):
        return repr(float(value))
    return str(int(value))


def each(series: pd.Series, function: Callable[[str], str]) -> pd.Series:
    """`function` of every entry's text, computed once for each distinct entry; missing stays missing."""
    codes, texts = factors(series)
    changed = [*map(function, texts)]
    if changed == texts and series.dtype == "str":
        return series
    entries = pd.array([*changed, np.nan], dtype="str")[codes]  # code -1, a missing entry, takes the last
    return pd.Series(entries, index=series.index, name=series.name)


def day(value: Any) -> str:
    """An ISO date, with the time only where there is one."""
    return str(value.isoformat()).removesuffix("T00:00:00") if hasattr(value, "isoformat") else str(value)


def factors(series: pd.Series) -> tuple[NDArray[np.intp], list[str]]:
    """The place of every entry among the distinct ones (-1 where missing), and the text of each of these."""
    codes, entries = pd.factorize(series)
    if isinstance(series.dtype, pd.StringDtype):
        return codes, np.asarray(entries).tolist()
    make = written if pd.api.types.is_numeric_dtype(series.dtype) else day
    return codes, [make(entry) for entry in entries.tolist()]


def as_text(series: pd.Series) -> pd.Series:
    """The entries as text: numbers in their shortest form, text (ids with leading zeros too) untouched."""
    return each(series, str) if pd.api.types.is_numeric_dtype(series.dtype) else series


def distinct(series: pd.Series) -> list[str]:
    """The canonical text of the entries there are, each once, in order: numbers by size, then words."""
    return sorted(set(map(canonical, factors(series)[1])), key=by_size)


def by_size(text: str) -> tuple[float, str]:
    return (float(text), "") if PLAIN_NUMBER.fullmatch(text) else (np.inf, text)


def among(series: pd.Series, codes: Iterable[str]) -> NDArray[np.bool_]:
    """Which entries are one of `codes`, compared as canonical text; a missing entry is none of them."""
    sought = {canonical(code) for code in codes}
    if not sought:
        return np.zeros(len(series), dtype=bool)
    if pd.api.types.is_numeric_dtype(series.dtype):  # a column of TRUE and FALSE arrives as 1 and 0
        sought = {TRUTH.get(code.lower(), code) for code in sought}
    places, texts = factors(series)
    return np.array([*(canonical(text) in sought for text in texts), False], dtype=bool)[places]


def blank(series: pd.Series, codes: Iterable[str]) -> tuple[pd.Series, int]:
    """The series with those codes made missing, and how many there were."""
    hit = among(series, codes)
    return (series.mask(hit), int(hit.sum())) if hit.any() else (series, 0)


def emptied(series: pd.Series) -> pd.Series:
    """The series with cells of nothing but spaces made missing: what `blank` does for "", at a fraction of its time."""
    if pd.api.types.is_numeric_dtype(series.dtype):
        return series
    hollow = [entry for entry in set(series.tolist()) if isinstance(entry, str) and not entry.strip()]
    return series.mask(series.isin(hollow)) if hollow else series


def numbers(series: pd.Series) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The entries as numbers, and which of them are none (missing ones are neither).

    A column that holds only "true" and "false", in any case, becomes 1 and 0.
    """
    if pd.api.types.is_numeric_dtype(series.dtype):
        return series.to_numpy(dtype=np.float64, na_value=np.nan), np.zeros(len(series), dtype=bool)
    places, entries = pd.factorize(series, use_na_sentinel=False)
    known = pd.notna(entries)[places]
    read = pd.to_numeric(pd.Series(entries), errors="coerce")
    values = read.to_numpy(dtype=np.float64, na_value=np.nan)[places]
    bad = np.isnan(values) & known
    if known.any() and bad.sum() == known.sum():
        words = each(series, str.casefold)
        truth = words.isin(list(TRUTH))
        if truth[known].all():
            values = words.map({"true": 1.0, "false": 0.0}).to_numpy(dtype=np.float64, na_value=np.nan)
            bad = np.zeros(len(series), dtype=bool)
    return values, bad


def as_array(series: pd.Series) -> NDArray[Any]:
    """A column (n,) as floats, dates, or its entries as the codebook would write them; "" for a gap of the latter."""
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return series.to_numpy()
    if pd.api.types.is_numeric_dtype(series.dtype):
        return series.to_numpy(dtype=np.float64)
    places, texts = factors(series)
    return np.array([*map(canonical, texts), ""], dtype=object)[places]


def a_number(text: str) -> bool:
    """Whether a text is a finite number."""
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
