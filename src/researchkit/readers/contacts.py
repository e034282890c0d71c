"""Contacts of telephone systems: NICE CXone, where a transfer is a contact of its own, and dialers with like columns.

Durations come in seconds and again as hours, minutes and seconds; dates as mmddyyyy; times as the site's clocks showed
them, so that one hour of autumn comes twice and nothing says which came first.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from researchkit.errors import DataError, some
from researchkit.parts import File
from researchkit.readers.clocks import clock_seconds, days_in_order, named, plainly, twice
from researchkit.readers.gaps import names_of, with_beside
from researchkit.readers.people import without_people
from researchkit.readers.values import as_text, numbers

Shaped = tuple[pd.DataFrame, list[str]]
CONTACT, MASTER = ["contact id"], ["master contact id"]
LEGS = "legs"
TALK = ("talk", "talk time", "talk seconds", "active talk time", "active seconds")
AFTER = (
    "acw",
    "acw time",
    "acw seconds",
    "wrap",
    "wrap time",
    "wrap up time",
    "after call work",
    "after call work time",
)
HANDLE = ("handle", "handle time", "handle seconds", "aht")
QUEUE = ("queue", "queue name", "skill", "skill name")
PERIOD = ("time", "interval", "period", "interval start", "start time")
DAY = ("date", "day", "start date", "interval date")


def is_cxone(frame: pd.DataFrame) -> bool:
    """Whether contacts have a master contact."""
    return named(frame, CONTACT) is not None and named(frame, MASTER) is not None


def is_dialer(frame: pd.DataFrame) -> bool:
    """Whether talk and after-call work stand beside each other, queues by period, or contacts with start and end."""
    spoken = named(frame, TALK) and named(frame, AFTER)
    periods = named(frame, QUEUE) and named(frame, DAY) and named(frame, PERIOD)
    ends = named(frame, QUEUE) and named(frame, ["started at"]) and named(frame, ["ended at"])
    return bool(spoken or periods or ends)


def cxone(frame: pd.DataFrame, file: File, subject: str, path: Path) -> Shaped:
    """One row a contact of a customer: that of the master; `legs` counts it and its transfers.

    Raises
    ------
    DataError
        If a contact stands twice, or dates are not written as CXone writes them.
    """
    contact, master = named(frame, CONTACT), named(frame, MASTER)
    assert contact is not None and master is not None  # noqa: S101 - `is_cxone` has seen both
    notes = [f"{subject}: contacts of NICE CXone."]
    again = frame[contact].notna() & frame[contact].duplicated(keep=False)
    if again.any():
        rows = some(frame.index[again])
        raise DataError(
            f"{subject}: {int(again.sum())} rows repeat a {contact}, in rows {rows}. Was it put together from two?"
        )
    if LEGS in frame:
        raise DataError(f"{subject} has a column {LEGS!r} already; `reader: table` reads the export as it stands.")
    first = as_text(frame[master]).fillna(as_text(frame[contact]))
    own = as_text(frame[contact]) == first
    order = np.argsort(~own.to_numpy(dtype=bool), kind="stable")  # the master before its transfers
    kept = frame.iloc[order].loc[~first.iloc[order].duplicated()].sort_index()
    counts = first.map(first.value_counts())
    legs = len(frame) - len(kept)
    notes.append(
        f"{subject}: {legs} transfers are legs of another contact ({master}) and are not counted again: {len(kept)} "
        f"contacts of {len(frame)} rows. `{LEGS}` says how many legs each had; its durations are those of the first."
    )
    if orphans := int((~own.loc[kept.index]).sum()):
        notes.append(f"{subject}: of {orphans} contacts only a transfer is in the file; the first leg stands for them.")
    kept = kept.assign(**{LEGS: counts.loc[kept.index].astype("float64")})
    frame, told = dialer(kept, file, subject, path)
    return frame, [*notes, *told]


def dialer(frame: pd.DataFrame, file: File, subject: str, path: Path) -> Shaped:
    """Durations in seconds, dates in the order of ISO, nobody's name.

    Raises
    ------
    DataError
        As `clocks.days_in_order`.
    """
    notes: list[str] = []
    for step in (in_seconds, once_each, in_order, told_twice):
        frame, told = step(frame, file, subject)
        notes += told
    notes += implausible(frame, subject)
    frame, told = without_people(frame, subject)
    return frame, [*notes, *told]


def is_length(name: str) -> bool:
    """Whether a name is that of a duration, as talk and waiting are, and not of a time of day."""
    plain = plainly(name)
    lasting = re.search(r"\b(talk|acw|wrap|handle|hold|wait|queue|active|duration|abandon|work|aht|speed)\b", plain)
    return bool(lasting) and not re.search(r"\b(start|end|started|ended|date)\b", plain)


def in_seconds(frame: pd.DataFrame, file: File, subject: str) -> Shaped:
    """1:02:03 as 3723."""
    new = {}
    for name in filter(is_length, names_of(frame)):
        if (seconds := clock_seconds(frame[name])) is not None:
            new[name] = seconds
    told = [f"{subject}: {some(new)} are read as hours, minutes and seconds, and are in seconds here."] if new else []
    return frame.assign(**new), told


def once_each(frame: pd.DataFrame, file: File, subject: str) -> Shaped:
    """One column for each duration, where there is `X_Seconds` and `X_Time`."""
    called = {plainly(name): name for name in names_of(frame)}
    gone, notes = [], []
    for plain, name in called.items():
        twin = called.get(re.sub(r" seconds$", " time", plain), name)
        if twin == name:
            continue
        (these, _), (those, _) = numbers(frame[name]), numbers(frame[twin])
        with np.errstate(invalid="ignore"):
            apart = int((np.abs(these - those) > 1).sum())
        gone.append(twin)
        words = f"; in {apart} rows the two differ" if apart else ""
        notes.append(f"{subject}: {twin} says again what {name} says, and is left out{words}.")
    return frame.drop(columns=with_beside(gone, frame)), notes


def in_order(frame: pd.DataFrame, file: File, subject: str) -> Shaped:
    """Dates as ISO writes them; CXone writes the month first, of other systems the dates themselves have to tell."""
    new, notes = {}, []
    american = is_cxone(frame)
    for name in (one for one in names_of(frame) if re.search(r"\b(date|day)\b", plainly(one))):
        days, how = days_in_order(as_text(frame[name]), subject, american)
        if how:
            new[name] = days
            notes.append(f"{subject}: {name} is read as {how}.")
    return frame.assign(**new), notes


def told_twice(frame: pd.DataFrame, file: File, subject: str) -> Shaped:
    """A warning on the hour that comes twice, and on periods that stand twice for one queue."""
    day, hour, queue = named(frame, DAY), named(frame, PERIOD), named(frame, QUEUE)
    if day is None or hour is None:
        return frame, []
    notes = []
    if file.timezone is None:
        notes.append(f"{subject}: times are local; `timezone:` in study.yml finds those in the hour that comes twice.")
    else:
        clock = as_text(frame[hour]).str.extract(r"(\d{1,2}:\d{2}(?::\d{2})?)", expand=False)
        wall = pd.to_datetime(as_text(frame[day]) + " " + clock, format="mixed", errors="coerce")
        if rows := int(twice(wall, file.timezone).sum()):
            notes.append(
                f"{subject}: {rows} rows stand in the hour that comes twice when clocks go back ({file.timezone}): "
                "the export does not say which came first, so no order or duration can be taken from their times."
            )
    if queue is not None and named(frame, CONTACT) is None:
        again = int(frame.duplicated([day, hour, queue], keep=False).sum())
        if again:
            notes.append(
                f"{subject}: {again} rows have the {day}, {hour} and {queue} of another: a period that stands twice."
            )
    return frame, notes


def implausible(frame: pd.DataFrame, subject: str) -> list[str]:
    """A note where a contact was handled for less time than it was talked and written up."""
    names = [named(frame, sought) for sought in (HANDLE, TALK, AFTER)]
    handle, talk, after = names
    if handle is None or talk is None or after is None:
        return []
    whole, spoken, written = (numbers(frame[name])[0] for name in (handle, talk, after))
    with np.errstate(invalid="ignore"):
        short = whole + 1 < spoken + written
    if not short.any():
        return []
    return [
        f"{subject}: in {int(short.sum())} of {len(frame)} rows {handle} is less than {talk} and {after} together; it "
        f"cannot be (rows {some(frame.index[short])}): minutes where hours should stand, or another unit?"
    ]
