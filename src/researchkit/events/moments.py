"""When things happened, as numbers of days, and which of a person's events comes next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.errors import DataError, some
from researchkit.faults import nearest
from researchkit.measures import Built, Mark, When
from researchkit.readers import Origin
from researchkit.readers.values import among

Vector = NDArray[np.float64]
Rows = NDArray[np.bool_]
DAY = pd.Timedelta(days=1)
SAME = 1e-9  # days: two moments no further apart are one


@dataclass(frozen=True)
class Moments:
    """The rows (n,) of a table from which one outcome is built, and the tables of events beside it."""

    name: str
    spec: Built
    frame: pd.DataFrame
    tables: Mapping[str, pd.DataFrame]
    origin: Origin

    @property
    def start(self) -> Vector:
        return self.of(self.spec.start)

    @property
    def until(self) -> Vector:
        """(n,) how far each row was watched: a column, or one moment for all."""
        said = self.spec.watched_until
        if isinstance(said, str) and said in self.frame:
            return self.of(said)
        starts = self.frame[self.spec.start]
        dated = pd.api.types.is_datetime64_any_dtype(starts)
        if isinstance(said, str) and dated:
            moment = pd.to_datetime(said, format="ISO8601", errors="coerce")
            if pd.isna(moment):
                raise DataError(
                    f"`watched_until: {said}` is neither a date, such as 2026-03-31, nor a column"
                    f"{nearest(said, self.frame.columns)}."
                )
            clocked = bool((starts.dropna() != starts.dropna().dt.normalize()).any())
            moment += DAY if clocked and len(said) <= len("2026-03-31") else 0 * DAY  # the whole of its day
            return np.full(len(starts), days(pd.Series([moment]))[0])
        if isinstance(said, str) or dated:
            raise DataError(f"`watched_until` is {said!r}, but {self.spec.start} holds {kind(starts)}.")
        return np.full(len(starts), float(said))

    def of(self, column: str) -> Vector:
        """A column of moments, in days; of the same kind as the start."""
        return self.alike(self.frame[column], column)

    def alike(self, series: pd.Series, called: str) -> Vector:
        starts = self.frame[self.spec.start]
        for one, name in ((starts, self.spec.start), (series, called)):
            if kind(one) == "words" and one.notna().any():
                raise DataError(f"{name} holds words, where dates such as 2026-03-31 or numbers are wanted.")
        there = series.notna().any() and starts.notna().any()
        if there and kind(series) != kind(starts):
            raise DataError(f"{called} holds {kind(series)}, and {self.spec.start} {kind(starts)}: both must be alike.")
        return days(series) if kind(series) != "words" else np.full(len(series), np.nan)

    def marked(self, mark: Mark | None) -> Rows:
        return np.zeros(len(self.frame), dtype=bool) if mark is None else among(self.frame[mark.column], mark.values)

    @property
    def unmet(self) -> list[str]:
        """Marks that no row has: there may be none yet, or the file writes them otherwise."""
        marks = [mark for mark in (self.spec.died, self.spec.transferred) if mark and not self.marked(mark).any()]
        return [f"{mark.column} is never {some(map(repr, mark.values))}" for mark in marks]

    def refuse(self, rows: Rows, words: str) -> None:
        if rows.any():
            where = self.origin.words(self.frame.index.to_numpy()[rows])
            raise DataError(f"{int(rows.sum()):,} {words}, in {where}. Correct them at the source.")

    def events(self, when: When) -> pd.DataFrame:
        """The events of another table that count: whose (`who`, text) and when (`at`, days), in the order of the file.

        Raises
        ------
        DataError
            If none of its entries is an event that counts: the name of the event may have changed.
        """
        table = self.tables[str(when.table)]
        if when.of:
            hit = among(table[when.of], when.values)
            if not hit.any():
                raise DataError(f"{when.table}: {when.of} is never {some(map(repr, when.values))}.")
            table = table[hit]
        at = self.alike(table[when.column], f"{when.table}/{when.column}")
        found = pd.DataFrame({"who": table[when.who or self.spec.who], "at": at})
        return found[found["who"].notna() & found["at"].notna()]

    def next_of(self, when: When, *, later: bool = False) -> tuple[Vector, Rows]:
        """(n,) the first event from each row's start on (`later`: after it), NaN if none; whether one came before."""
        start = self.start
        if not when.table:
            end = self.of(when.column)
            counts = end > start + SAME if later else end >= start - SAME
            return np.where(counts, end, np.nan), end < start - SAME
        events = self.events(when)
        whose = pd.factorize(pd.concat([self.frame[self.spec.who], events["who"]]))[0]  # numbers are matched faster
        events = events.assign(who=whose[len(start) :]).sort_values("at", kind="stable")
        rows = pd.DataFrame({"who": whose[: len(start)], "at": start, "row": np.arange(len(start))})
        rows = rows[(rows["who"] >= 0) & rows["at"].notna()].sort_values("at", kind="stable")
        events = events.assign(event=events["at"])
        ahead = pd.merge_asof(rows, events, on="at", by="who", direction="forward", allow_exact_matches=not later)
        behind = pd.merge_asof(rows, events, on="at", by="who", direction="backward", allow_exact_matches=False)
        found: Vector = np.full(len(start), np.nan)
        before: Rows = np.zeros(len(start), dtype=bool)
        found[ahead["row"].to_numpy()] = ahead["event"].to_numpy()
        before[behind["row"].to_numpy()] = behind["event"].notna().to_numpy()
        return found, before


def kind(series: pd.Series) -> str:
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return "dates"
    return "numbers" if pd.api.types.is_numeric_dtype(series.dtype) else "words"


def days(series: pd.Series) -> Vector:
    """Moments as days since 1970, numbers as they stand."""
    if not pd.api.types.is_datetime64_any_dtype(series.dtype):
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    zone = getattr(series.dt, "tz", None)
    plain = series if zone is None else series.dt.tz_convert("UTC").dt.tz_localize(None)
    return np.asarray((plain - pd.Timestamp(0)) / DAY, dtype=np.float64)
