"""Turns in their order: who spoke before and after, and what was known of the other speaker then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.errors import DataError, some
from researchkit.faults import nearest
from researchkit.readers import Origin
from researchkit.readers.values import among, distinct
from researchkit.spoken import Transcript

Places = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Turns:
    """The turns (n,) in the order of each conversation.

    `place` says which row of the table each is, `whose` which conversation (from 0), `helps` whether the helper speaks.
    """

    place: Places
    whose: Places
    helps: NDArray[np.bool_]
    names: tuple[str, ...]  # of the conversations
    notes: tuple[str, ...]

    @property
    def first(self) -> Places:
        """(n,) where the conversation of each turn begins."""
        starts = np.flatnonzero(np.append(True, self.whose[1:] != self.whose[:-1])) if len(self.whose) else self.whose
        return starts[self.whose] if len(starts) else starts

    def latest(self, marked: NDArray[np.bool_]) -> Places:
        """(n,) the latest marked turn before each in its conversation; -1 if none."""
        where = np.where(marked, np.arange(len(marked)), -1)
        before = np.append(-1, np.maximum.accumulate(where)[:-1]) if len(where) else where
        return np.where(before >= self.first, before, -1)

    @property
    def answer(self) -> Places:
        """(n,) the turn that follows directly, where the other side speaks it; -1 if none."""
        after = np.arange(1, len(self.whose) + 1)
        there = np.append((self.whose[1:] == self.whose[:-1]) & (self.helps[1:] != self.helps[:-1]), False)
        return np.where(there, after, -1) if len(self.whose) else after


def in_order(name: str, spec: Transcript, frame: pd.DataFrame, origin: Origin) -> Turns:
    """The turns of a table, by conversation and order.

    Raises
    ------
    DataError
        With everything that is wrong at once: no turns, no place or speaker, two turns at one place, one speaker only.
    """
    if frame.empty:
        raise DataError(f"{name}: there are no turns in {origin.subject}.")
    problems: list[str] = []
    for column in (spec.conversation, spec.order, spec.speaker):
        lacking = frame[column].isna().to_numpy()
        if lacking.any():
            many = "turn has" if lacking.sum() == 1 else "turns have"
            problems.append(f"{lacking.sum():,} {many} no {column}, in {origin.words(np.flatnonzero(lacking))}")
    order = order_of(frame[spec.order])
    known = frame[spec.conversation].notna().to_numpy() & ~np.isnan(order)
    keys = pd.DataFrame({"whose": frame[spec.conversation].to_numpy(), "order": order})
    twice = known & keys.duplicated(keep=False).to_numpy()
    if twice.any():
        where = origin.words(np.flatnonzero(twice))
        problems.append(
            f"{twice.sum():,} turns share their {spec.conversation} and {spec.order} with another, in {where}: a turn "
            "that stands twice, or an order that starts anew within a conversation"
        )
    helps = among(frame[spec.speaker], spec.helper)
    problems += speaker_problems(spec, frame, np.asarray(helps, dtype=bool))
    if problems:
        raise DataError(f"{name}: {'; '.join(problems)}. Correct them at the source.")
    whose, names = pd.factorize(frame[spec.conversation])
    place = np.lexsort((order, whose)).astype(np.int64)
    turns = Turns(place, whose[place].astype(np.int64), helps[place], tuple(map(str, names)), ())
    return Turns(turns.place, turns.whose, turns.helps, turns.names, told(turns, order))


def order_of(column: pd.Series) -> NDArray[np.float64]:
    """(n,) a number that rises in the course of a conversation: counted, or moments."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        zone = getattr(column.dt, "tz", None)
        plain = column if zone is None else column.dt.tz_convert("UTC").dt.tz_localize(None)
        return np.asarray((plain - pd.Timestamp(0)) / pd.Timedelta(seconds=1), dtype=np.float64)
    if not pd.api.types.is_numeric_dtype(column.dtype):
        raise DataError(f"{column.name} holds words, where the order of turns is wanted: numbers or moments.")
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def speaker_problems(spec: Transcript, frame: pd.DataFrame, helps: NDArray[np.bool_]) -> list[str]:
    there = distinct(frame[spec.speaker].dropna())
    if not helps.any():
        sought = some(map(repr, spec.helper))
        near = nearest(spec.helper[0], there)
        return [f"{spec.speaker} is never {sought}{near}, so nobody is known to help"]
    if (helps | frame[spec.speaker].isna().to_numpy()).all():
        return [f"{spec.speaker} is the helper in every turn: one speaker only is no conversation"]
    return []


def told(turns: Turns, order: NDArray[np.float64]) -> tuple[str, ...]:
    """What is worth a note: turns out of order in the file, conversations in which one side is silent."""
    notes = []
    astray = int((np.diff(turns.place) != 1)[turns.whose[1:] == turns.whose[:-1]].sum()) if len(order) > 1 else 0
    if astray:
        notes.append(f"{astray:,} turns do not follow the one before in the file; they were put in order")
    groups = len(turns.names)
    spoken = np.bincount(turns.whose, turns.helps, groups), np.bincount(turns.whose, ~turns.helps, groups)
    alone = int(((spoken[0] == 0) | (spoken[1] == 0)).sum())
    if alone:
        notes.append(f"{alone:,} of {groups:,} conversations have one speaker only, and no turn that is answered")
    return tuple(notes)


def taken(values: pd.Series, turns: Turns, at: Places) -> pd.Series:
    """The values of other turns, by the rows of the table; missing where `at` (n,) is -1, or the other side speaks."""
    there = turns.helps & (at >= 0)
    found = values.iloc[turns.place[np.where(there, at, 0)]].reset_index(drop=True).where(there)
    found.index = values.index[turns.place]
    return found.reindex(values.index)
