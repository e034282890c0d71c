"""Tickets of Zendesk: each duration is there twice, times are UTC, and what was solved may have been opened again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from researchkit.errors import DataError, some
from researchkit.parts import File
from researchkit.readers.clocks import named, out_of_order, plainly, to_local
from researchkit.readers.gaps import BESIDE, explained, names_of, reason, with_beside
from researchkit.readers.people import without_people
from researchkit.readers.values import among, numbers

Shaped = tuple[pd.DataFrame, list[str]]
SIGNS = {"reopens", "replies", "satisfaction", "satisfaction score", "group stations", "assignee stations"}
BUSINESS = re.compile(r"(.+?)[\W_]*(?:within[\W_]*)?business(?:[\W_]*hours)?", re.IGNORECASE)
CALENDAR = re.compile(r"(.+?)[\W_]*(?:within[\W_]*)?calendar(?:[\W_]*hours)?", re.IGNORECASE)
OPEN = ("new", "open", "pending", "hold", "on-hold", "New", "Open", "Pending", "On-hold")
AT_ONCE = "solved_at_once"


class ClockError(DataError):
    """A file that holds each duration twice, of which the study does not say which one it means."""


def is_zendesk(frame: pd.DataFrame) -> bool:
    """Whether tickets are created and solved there, with one of Zendesk's own counts."""
    names = {plainly(name) for name in frame.columns}
    counted = any("in minutes" in name for name in names) or bool(names & SIGNS)
    return "created at" in names and bool(names & {"solved at", "assigned at"}) and counted


def zendesk(frame: pd.DataFrame, file: File, subject: str, path: Path) -> Shaped:
    """One row a ticket, durations by the clock that the study names, times as the clock on the wall showed them.

    A column `solved_at_once` is added: 1 where a ticket was solved and never opened again, 0 where it was opened again,
    missing where it is not solved.

    Raises
    ------
    ClockError
        If durations are there by both clocks and the study names neither.
    """
    notes = [f"{subject}: tickets of Zendesk."]
    for step in (one_clock, reopened, local):
        frame, told = step(frame, file, subject)
        notes += told
    frame, told = without_people(frame, subject)
    return frame, [*notes, *told]


def both_clocks(frame: pd.DataFrame) -> dict[str, dict[str, str]]:
    """The durations that are there twice: {base: {"calendar": column, "business": column}}."""
    found: dict[str, dict[str, str]] = {}
    names = names_of(frame)
    for name in names:
        if match := BUSINESS.fullmatch(name):
            base = match.group(1)
            twins = [one for one in names if one == base or ((m := CALENDAR.fullmatch(one)) and m.group(1) == base)]
            if twins:
                found[base] = {"calendar": twins[0], "business": name}
    return found


def one_clock(frame: pd.DataFrame, file: File, subject: str) -> Shaped:
    """Each duration once, under its plain name."""
    pairs = both_clocks(frame)
    if not pairs:
        return frame, []
    if file.clock is None:
        raise ClockError(
            f"{subject}: {len(pairs)} durations are there twice, by calendar and by business hours ({some(pairs, 3)}). "
            "Say in study.yml which clock is meant: `clock: calendar` or `clock: business`."
        )
    other = "business" if file.clock == "calendar" else "calendar"
    frame = frame.drop(columns=with_beside([pair[other] for pair in pairs.values()], frame))
    frame = frame.rename(columns={pair[file.clock]: base for base, pair in pairs.items()})
    frame = frame.rename(columns={BESIDE + pair[file.clock]: BESIDE + base for base, pair in pairs.items()})
    how = "by the calendar" if file.clock == "calendar" else "in business hours"
    return frame, [f"{subject}: {some(pairs, 8)} count {how}; the other clock's columns are left out."]


def reopened(frame: pd.DataFrame, file: File, subject: str) -> Shaped:
    """What was solved and is open again is not solved; what was solved once and for all is marked."""
    solved, created = named(frame, ["solved at"]), named(frame, ["created at"])
    status, times = named(frame, ["status", "ticket status"]), named(frame, ["reopens"])
    notes: list[str] = []
    why: Mapping[str, pd.Series] = {}
    if solved is None:
        return frame, notes
    if status is not None and (again := among(frame[status], OPEN) & frame[solved].notna().to_numpy()).any():
        frame = frame.assign(**{solved: frame[solved].mask(again)})
        why = {solved: reason(again, "open again after it was solved")}
        notes.append(f"{subject}: {int(again.sum())} tickets were solved and are open again: they count as not solved.")
    if times is not None and AT_ONCE not in frame:
        counts, _ = numbers(frame[times])
        once = pd.Series(counts == 0, index=frame.index, dtype="float64")
        frame = frame.assign(**{AT_ONCE: once.where(frame[solved].notna() & frame[times].notna())})
        back = int((frame[AT_ONCE] == 0).sum())
        notes.append(
            f"{subject}: {back} of {int(frame[solved].notna().sum())} solved tickets had been opened again before; "
            f"`{AT_ONCE}` is 0 for them."
        )
    if created is not None and (wrong := out_of_order(frame, created, solved)).any():
        notes.append(
            f"{subject}: {int(wrong.sum())} tickets are solved before they are created, in rows "
            f"{some(frame.index[wrong])}."
        )
    return explained(frame, why), notes


def local(frame: pd.DataFrame, file: File, subject: str) -> Shaped:
    """Times of UTC as the site's clocks showed them, where the study says which zone that is."""
    stamps = [name for name in names_of(frame) if plainly(name).endswith(" at") and frame[name].notna().any()]
    if not stamps:
        return frame, []
    if file.timezone is None:
        return frame, [
            f"{subject}: {some(stamps)} are in UTC; `timezone:` in study.yml makes them the site's own time."
        ]
    new, doubled, strange = {}, 0, []
    for name in stamps:
        new[name], twice, none = to_local(frame[name], file.timezone)
        doubled += int(twice.sum())
        if none.any():
            new[name] = frame[name]
            strange.append(f"{name} {int(none.sum())}")
    notes = [f"{subject}: {some(one for one in new if one not in strange)} are made times of {file.timezone} from UTC."]
    if strange:
        notes.append(f"{subject}: entries that are no times ({some(strange)}): these columns stay as they are.")
    if doubled:
        notes.append(f"{subject}: {doubled} times stand in the hour that comes twice when the clocks go back.")
    return frame.assign(**new), notes
