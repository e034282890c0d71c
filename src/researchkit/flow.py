"""Who is in, who is not, and why: each row that a question does not use is counted under its first reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.disclosure import Profile, account, hid
from researchkit.errors import DataError, StudyError, listing, some
from researchkit.faults import nearest
from researchkit.panel import WHY, arranged, lonely
from researchkit.parts import Keep, Question
from researchkit.readers import Origin
from researchkit.readers.values import among, distinct
from researchkit.study import Study

Vector = NDArray[np.float64]
UNTOLD = "left out, for whatever reason"


@dataclass(frozen=True)
class Step:
    """One line of the flow: why rows were dropped here, how many, and how many people they are of (None: one each)."""

    why: str
    rows: int
    people: int | None = None


@dataclass
class Draw:
    """The rows still in, on the way to a sample."""

    study: Study
    question: Question
    frame: pd.DataFrame
    origin: Origin
    flow: list[Step]
    problems: list[str] = field(default_factory=list)

    def drop(self, out: NDArray[np.bool_], why: str) -> None:
        if out.any():
            self.flow.append(self.step(why, out))
            self.frame = self.frame[~out]

    def step(self, why: str, out: NDArray[np.bool_]) -> Step:
        """The line of the flow for some of the rows still in."""
        return step(self.study, self.study.table_of(self.question), self.frame, out, why)

    def wrong(self, name: str, rows: NDArray[np.bool_], words: str) -> None:
        """Note a problem with some of the rows still in."""
        if rows.any():
            where = self.origin.words(self.frame.index.to_numpy()[rows])
            self.problems.append(f"{name}: {int(rows.sum()):,} {words}, in {where}.")

    def numbers(self, name: str) -> Vector:
        """A column as numbers; a problem, and zeros in its place, when it holds words or dates."""
        series = self.frame[name]
        if not pd.api.types.is_numeric_dtype(series.dtype):
            self.problems.append(f"{name}: numbers are wanted here; it holds {some(map(repr, distinct(series)), 3)}.")
            return np.zeros(len(series))
        return series.to_numpy(dtype=np.float64)


def step(study: Study, table: str, frame: pd.DataFrame, out: NDArray[np.bool_], why: str) -> Step:
    """The line of the flow for some rows of a table; rows that name nobody are of one person at least."""
    people, rows = study.tables[table].people, int(out.sum())
    alone = people == "row" or people not in frame
    return Step(why, rows, None if alone else max(int(frame[people][out].nunique()), min(rows, 1)))


def told(
    arrived: int, steps: Sequence[Step], used: int, profile: Profile, *, quiet: bool = False
) -> tuple[int | None, dict[str, int | None], int | None]:
    """Rows that arrived, dropped for each reason, and used, as the profile lets them be told.

    `quiet` tells nothing of those dropped, not even whether there are any: beside another page it would follow how
    many, or give others away.
    """
    rows, people = Counter[str](), Counter[str]()
    for one in steps:  # two rules may give the same reason
        rows[one.why] += one.rows
        people[one.why] += one.rows if one.people is None else one.people
    kept = account(arrived, rows, used, profile, people)
    hid("rows left out", {why: people[why] for why, count in rows.items() if count}, kept[1], profile)
    return (None, {UNTOLD: None}, kept[2]) if quiet else kept


def kept(frame: pd.DataFrame, rule: Keep) -> NDArray[np.bool_]:
    """Which rows a keep rule keeps; a missing entry is kept by `not_values` alone."""
    series = frame[rule.column]
    keep = np.ones(len(frame), dtype=bool)
    if rule.values:
        keep &= among(series, rule.values)
    if rule.not_values:
        keep &= ~among(series, rule.not_values)
    if rule.minimum is not None or rule.maximum is not None:
        if not pd.api.types.is_numeric_dtype(series.dtype):
            raise DataError(f"{rule.column}: `minimum` and `maximum` of a keep rule need a column of numbers.")
        low = -np.inf if rule.minimum is None else rule.minimum
        high = np.inf if rule.maximum is None else rule.maximum
        keep &= series.between(low, high).to_numpy(dtype=bool)
    return keep


def rules(frame: pd.DataFrame, study: Study, question: Question) -> list[Keep]:
    """What a question leaves out: by its own rules, and the rows that an outcome built from events cannot count.

    Those rows are not missing: who died in hospital has no readmission that one could fill in.
    """
    found = list(question.keep)
    for name in (name for name in question.columns if name in study.events):
        reasons = pd.unique(frame[f"{name}_why"].dropna()) if f"{name}_why" in frame else ()
        found += [Keep(column=f"{name}_why", not_values=(why,), why=f"{study.label(name)}: {why}") for why in reasons]
    return found


def require(now: Draw, names: Sequence[str]) -> None:
    lacking = [name for name in dict.fromkeys(names) if name not in now.frame.columns]
    if lacking:
        told = [f"there is no column {name!r}{nearest(name, now.frame.columns)}." for name in lacking]
        raise StudyError(listing(f"Question {now.question.id!r}", told))


def complete(now: Draw, adjust: Sequence[str]) -> None:
    """Drop what the question leaves out, then every row with a gap, each for its first reason.

    A question over waves reads columns that are made here; it is another one afterwards, about these.
    """
    came = arranged(now.question, now.frame)
    now.question, now.frame = came.question, now.frame.assign(**came.columns)
    for rule in rules(now.frame, now.study, now.question):
        now.drop(~kept(now.frame, rule), rule.why)
    for reason in came.reasons:
        now.drop((now.frame[WHY] == reason).to_numpy(), reason)
    gapless(now, whole(now.question, adjust))
    for out, reason in lonely(now.question, now.frame):
        now.drop(out, reason)


def whole(question: Question, adjust: Sequence[str]) -> tuple[str | None, ...]:
    """The columns in which a row of the sample has no gap, in the order in which they are looked at."""
    outcome = question.outcome
    extras = (outcome.event, outcome.entry, outcome.time, outcome.baseline)
    own = question.special.whole if question.special else ()
    return (outcome.column, *extras, question.exposure.column, *own, *adjust, question.weights)


def gapless(now: Draw, names: Sequence[str | None]) -> None:
    """Drop every row with a gap in one of these columns."""
    left = np.ones(len(now.frame), dtype=bool)
    for name in dict.fromkeys(name for name in names if name):
        gone = left & now.frame[name].isna().to_numpy()
        if gone.any():
            now.flow.append(now.step(f"{name} missing", gone))
            left &= ~gone
    if not left.all():  # once, for all of a frame's columns go with each
        now.frame = now.frame[left]


def outermost(now: Draw, names: Sequence[str]) -> tuple[str, ...]:
    """The clusters that errors must allow for: none that lies within another; two where they cut across each other.

    Rows that are in none of them are dropped.

    Raises
    ------
    StudyError
        If three or more cut across each other.
    """
    if now.frame.empty:
        return tuple(names[:1])
    used: list[str] = []
    for name in names:
        if not any(within(now.frame, name, other) for other in used):
            used = [*(other for other in used if not within(now.frame, other, name)), name]
    if len(used) > 2:
        raise StudyError(
            f"Question {now.question.id!r}: the clusters {some(used)} all cut across each other, and errors can be "
            "clustered two ways at most. Name under `clusters` the two in which people are most alike."
        )
    gapless(now, used)
    return tuple(used)


def within(frame: pd.DataFrame, inner: str, outer: str) -> bool:
    """Whether each of the inner clusters lies in one of the outer ones, of which there are several."""
    pairs = frame[[inner, outer]].dropna().drop_duplicates()
    return pairs[outer].nunique() > 1 and len(pairs) == pairs[inner].nunique()
