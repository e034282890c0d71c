"""What became of each row: when it ended and how, how long it could be watched, and why it cannot be counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.errors import DataError, some
from researchkit.events.moments import SAME, Moments, Rows, Vector


@dataclass
class Course:
    """The rows (n,) on their way; a row that `leave` has put out keeps its first reason."""

    time: Vector  # from the start to the end, or as far as the row was watched
    how: NDArray[np.int64]  # a place in `ends`: 0 the event itself, the last one not yet
    ends: list[str]
    start: Vector
    until: Vector
    wait: float = 0.0  # how much longer one must watch to know that an event was one
    why: NDArray[np.int64] = field(init=False)
    reasons: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.why = np.full(len(self.time), -1, dtype=np.int64)

    @property
    def span(self) -> Vector:
        """(n,) how long each row was watched, or would have been if nothing had ended it."""
        return np.asarray(self.until - self.start - self.wait)

    def leave(self, rows: Rows, why: str) -> None:
        if why not in self.reasons:
            self.reasons.append(why)
        self.why[rows & (self.why < 0)] = self.reasons.index(why)


def coming(now: Moments) -> Course:
    """Leaving (retention) or coming back (return): the first event from the start on, or after it."""
    back, start = now.spec.kind == "return", now.start
    event, before = now.next_of(now.spec.end, later=back)
    ends = ["back", "not yet"] if back else ["left", "still there"]
    course = until_seen(now, start, event, ends)
    course.leave(np.isnan(start), f"{now.spec.start} missing")
    if now.spec.end.table:
        course.leave(now.frame[now.spec.who].isna().to_numpy(), f"{now.spec.who} missing")
    if not back:
        course.leave(before, "had left before: not at risk")
    return course


def until_seen(now: Moments, start: Vector, event: Vector, ends: list[str]) -> Course:
    """The event where it was seen by the end of watching; else as far as the row was watched."""
    until = now.until
    seen = event <= until + SAME
    time = np.where(seen, event, until) - start
    return Course(time, np.where(seen, 0, len(ends) - 1).astype(np.int64), ends, start, until)


def stay(now: Moments) -> Course:
    """Length of stay: discharged, or died or transferred, which are other ends; who is still in is censored."""
    start, end = in_order(now)
    course = until_seen(now, start, end, ["discharged", "died", "transferred", "still in"])
    died, moved, over = now.marked(now.spec.died), now.marked(now.spec.transferred), course.how == 0
    course.how[over & moved], course.how[over & died] = 2, 1
    course.leave(np.isnan(start), f"{now.spec.start} missing")
    course.leave(np.isnan(end) & (died | moved), f"ended, but {now.spec.end.column} is missing")
    return course


def in_order(now: Moments) -> tuple[Vector, Vector]:
    """Start and end of stays, none of which may end before it starts."""
    start, end = now.start, now.of(now.spec.end.column)
    now.refuse(end < start - SAME, f"rows have {now.spec.end.column} before {now.spec.start}")
    return start, end


def readmission(now: Moments) -> Course:
    """From the end of each episode, transfers joined, to the next admission of the same person.

    An episode is counted at its last row, for the hospital that discharges answers for it (as in the measures of the
    Centers for Medicare and Medicaid Services). No index are episodes that ended by death, or by a transfer to where
    the data do not reach. Every other episode is one, also if it is itself a readmission.
    """
    spec = now.spec
    start, end = in_order(now)
    whose = pd.factorize(now.frame[spec.who])[0]
    known = np.flatnonzero((whose >= 0) & ~np.isnan(start))
    order = known[np.lexsort((np.nan_to_num(end[known], nan=np.inf), start[known], whose[known]))]
    joins, done = joined(now, whose[order], start[order], end[order], now.marked(spec.transferred)[order])
    episode = np.cumsum(~joins) - 1
    last = np.flatnonzero(np.append(~joins[1:], True)) if len(order) else np.array([], dtype=int)
    died = np.bincount(episode, now.marked(spec.died)[order], len(last)) > 0
    follows = np.append(whose[order[last[1:]]] == whose[order[last[:-1]]], False) if len(last) else np.array([], bool)
    next_start = np.append(start[order[np.flatnonzero(~joins)]][1:], np.nan)[: len(last)]
    admitted, ended = np.full((2, len(start)), np.nan)
    admitted[order[last]], ended[order[last]] = np.where(follows, next_start, np.nan), done[last]
    course = until_seen(now, ended, admitted, ["back", "not yet"])
    course.leave(whose < 0, f"{spec.who} missing")
    course.leave(np.isnan(start), f"{spec.start} missing")
    passed_on = np.ones(len(start), dtype=bool)
    passed_on[order[last]] = False
    course.leave(passed_on, "part of an episode that is counted at its last row")
    course.leave(np.isnan(end), f"{spec.end.column} missing: not discharged yet, or not known")
    course.leave(at(died, order[last], len(start)), "died in hospital: no index")
    course.leave(now.marked(spec.transferred), "transferred to where the data do not reach: no index")
    return course


def at(rows: Rows, places: NDArray[np.intp], n: int) -> Rows:
    """(n,) those places at which `rows` says so."""
    found = np.zeros(n, dtype=bool)
    found[places] = rows
    return found


def joined(now: Moments, whose: NDArray[np.intp], start: Vector, end: Vector, moved: Rows) -> tuple[Rows, Vector]:
    """Which stays, sorted by person and admission, belong to one episode with the stay before; and its end so far."""
    spec = now.spec
    groups = pd.Series(end).fillna(-np.inf).groupby(whose)
    sofar = np.asarray(groups.cummax(), dtype=np.float64)
    same = np.append(False, whose[1:] == whose[:-1])[: len(whose)]
    before = np.append(np.nan, sofar[:-1])[: len(whose)]
    gap = start - np.where(same, before, np.nan)
    again = np.append(False, np.abs(np.diff(start)) <= SAME)[: len(whose)]  # the same admission, written down twice
    close = gap <= (1.0 if spec.join_within is None else spec.join_within) + SAME
    if spec.transferred:
        close &= np.append(False, moved[:-1])[: len(whose)]
    return np.asarray(same & ((gap < -SAME) | again | close)), sofar


def recovery(now: Moments) -> Course:
    """From the start to the first solution that lasted: one that was undone later (within `holds`) was none.

    With `holds` a solution is known to be one only so much later, so everybody is watched so much less.
    """
    spec, start, until = now.spec, now.start, now.until
    wait = float(spec.holds or 0.0)
    log = history(now).sort_values(["row", "at"], kind="stable", ignore_index=True)
    log = log[log["at"] <= until[log["row"]] + SAME]
    undone = log["at"].where(~log["solved"]).groupby(log["row"]).bfill() - log["at"]
    lasting = undone.isna() | (undone > wait + SAME) if spec.holds else undone.isna()
    good = log[log["solved"] & lasting & (log["at"] <= until[log["row"]] - wait + SAME)]
    first = good.groupby("row")["at"].first()
    event = np.full(len(start), np.nan)
    event[first.index] = first
    seen = ~np.isnan(event)
    time = np.where(seen, event, until - wait) - start
    course = Course(time, (~seen).astype(np.int64), ["recovered", "open"], start, until, wait)
    course.leave(np.isnan(start), f"{spec.start} missing")
    if spec.tables:
        course.leave(now.frame[spec.who].isna().to_numpy(), f"{spec.who} missing")
    return course


def history(now: Moments) -> pd.DataFrame:
    """Every solution and every undoing from the start on: which `row`, `at` when, whether `solved`."""
    spec, start, parts = now.spec, now.start, []
    whose = now.frame[spec.who]
    if spec.tables and whose.dropna().duplicated().any():
        shared = int(whose.dropna().duplicated(keep=False).sum())
        raise DataError(
            f"{spec.who}: {shared:,} rows share it with another row, so it is not clear which of them an event in "
            f"{some(sorted({str(when.table) for when in spec.tables}))} belongs to. Name the id of one row under `who`."
        )
    rows = pd.Series(np.arange(len(whose)), index=whose.to_numpy())
    for when, solved in ((spec.end, True), (spec.undone, False)):
        if when is None:
            continue
        if when.table:
            events = now.events(when)
            row = rows[rows.index.notna()].reindex(events["who"]).to_numpy()
            part = pd.DataFrame({"row": row, "at": events["at"].to_numpy(), "order": events.index})
        else:
            part = pd.DataFrame({"row": rows.to_numpy(), "at": now.of(when.column), "order": int(not solved)})
            if solved:
                now.refuse(part["at"].to_numpy() < start - SAME, f"rows have {when.column} before {spec.start}")
        parts.append(part.assign(solved=solved))
    log = pd.concat(parts).dropna(subset=["row", "at"]).sort_values("order", kind="stable")
    log["row"] = log["row"].astype(np.int64)
    return log[log["at"] >= start[log["row"]] - SAME]


COURSES: dict[str, Callable[[Moments], Course]] = {
    "retention": coming,
    "return": coming,
    "readmission": readmission,
    "stay": stay,
    "recovery": recovery,
}


def watched(now: Moments, course: Course) -> Course:
    """Those out whose watching is not known, or ended before they began; and no watching that the event itself cut."""
    called = now.spec.watched_until
    course.leave(np.isnan(course.until), f"{called} missing")
    course.leave(course.until < course.start - SAME, "began after the watching ended")
    course.leave(course.span < -SAME, "watched for too short a time to know that it lasted")
    inside = (course.why < 0) & (course.how == 0)
    cut = inside & (np.abs(course.start + course.time - course.until) <= SAME)
    if now.spec.window and called in now.frame and inside.any() and 2 * cut.sum() > inside.sum():
        raise DataError(
            f"{called} is the day of the event itself for {int(cut.sum()):,} of {int(inside.sum()):,} rows. It must "
            "say how far a row would have been watched if nothing had happened, such as the day of the export; else "
            "those with an event would be taken for not watched long enough."
        )
    return course
