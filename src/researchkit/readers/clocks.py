"""Times as ticket and telephone systems write them: UTC or local, days in another order, the hour that comes twice."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.errors import DataError, some
from researchkit.readers.values import each

Rows = NDArray[np.bool_]
STAMP = "%Y-%m-%dT%H:%M:%S"
CLOCK = re.compile(r"(?:(\d+):)?(\d{1,3}):(\d{2})(?:\.\d+)?")
NUMBERED = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})|(\d{2})(\d{2})(\d{4})")


def plainly(name: object) -> str:
    """ "Talk_Time", "talk time" and "Talk.Time" are one name."""
    return re.sub(r"[^a-z0-9]+", " ", str(name).lower()).strip()


def to_local(series: pd.Series, zone: str) -> tuple[pd.Series, Rows, Rows]:
    """UTC times as the clock on the wall showed them; which stood in an hour that came twice; which are no times."""
    read = pd.to_datetime(series, utc=True, format="ISO8601", errors="coerce")
    wall = read.dt.tz_convert(ZoneInfo(zone)).dt.tz_localize(None)
    text = wall.dt.strftime(STAMP).astype("str").where(read.notna())
    return text, twice(wall, zone), (series.notna() & read.isna()).to_numpy()


def twice(wall: pd.Series, zone: str) -> Rows:
    """Which local times stand in the hour that comes twice when the clocks go back."""
    known = wall.dropna()
    marked = known.dt.tz_localize(ZoneInfo(zone), ambiguous="NaT", nonexistent="shift_forward").isna()
    return marked.reindex(wall.index, fill_value=False).to_numpy(dtype=bool)


def days_in_order(series: pd.Series, subject: str, american: bool) -> tuple[pd.Series, str]:
    """Dates such as 10312026 or 31/10/2026 as ISO dates, and how they were read; "" where they stay as they are.

    Parameters
    ----------
    american
        Whether the system is known to write the month first; otherwise the dates themselves have to tell.

    Raises
    ------
    DataError
        If the system writes the month first, and some of these dates cannot be read so.
    """
    entries = [str(entry) for entry in series.dropna().unique()]
    found = {entry: match for entry in entries if (match := NUMBERED.fullmatch(entry.strip()))}
    if not found or len(found) < len(entries):
        return series, ""
    parts = {entry: [int(part) for part in match.groups() if part] for entry, match in found.items()}
    first = {entry: iso(year, month, day) for entry, (month, day, year) in parts.items()}
    wrong = [entry for entry, day in first.items() if not day]
    if american and wrong:
        rows = int(series.isin(wrong).sum())
        raise DataError(
            f"{subject}: {series.name}: {rows} dates are not written month, day, year, as this system does (such as "
            f"{some(map(repr, wrong), 2)}). Was the file saved again by a spreadsheet? Get it anew, or say "
            "`reader: table` to read it as it stands."
        )
    second = {entry: iso(year, month, day) for entry, (day, month, year) in parts.items()}
    if american or (not wrong and not all(second.values())):
        return each(series, first.__getitem__), "month, day, year"
    if wrong and all(second.values()):
        return each(series, second.__getitem__), "day, month, year"
    return series, ""


def iso(year: int, month: int, day: int) -> str:
    """The date, or "" for one that there is not."""
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return ""


def clock_seconds(series: pd.Series) -> pd.Series | None:
    """Durations such as 1:02:03 or 2:03 in seconds; None for a column of anything else."""
    entries = [str(entry).strip() for entry in series.dropna().unique()]
    if not entries or not all(CLOCK.fullmatch(entry) for entry in entries):
        return None

    def seconds(entry: str) -> str:
        hours, minutes, rest = CLOCK.fullmatch(entry.strip()).groups()  # type: ignore[union-attr]
        return str(int(hours or 0) * 3600 + int(minutes) * 60 + int(rest))

    return pd.to_numeric(each(series, seconds)).astype("float64")


def out_of_order(frame: pd.DataFrame, earlier: str, later: str) -> Rows:
    """Rows in which what came later bears the earlier time."""
    first, second = (
        pd.to_datetime(frame[name], utc=True, format="ISO8601", errors="coerce") for name in (earlier, later)
    )
    return (second < first).to_numpy(dtype=bool)


def named(frame: pd.DataFrame, words: Sequence[str]) -> str | None:
    """The column that goes by one of these names, the first that is there."""
    called = {plainly(name): str(name) for name in frame.columns}
    return next((called[word] for word in words if word in called), None)
