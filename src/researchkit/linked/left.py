"""Whom a question leaves out of a table, and why: what accounts of pages, and audits of many, begin from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from researchkit.flow import Draw, kept, outermost, require, whole
from researchkit.panel import WHY, arranged, lonely
from researchkit.readers.values import canonical, factors

if TYPE_CHECKING:
    from researchkit.dataset import Dataset
    from researchkit.parts import Question

Codes = NDArray[np.int64]
AT_ONCE = 8_000_000  # groups times people, of whom it is ticked off who is where


@dataclass(frozen=True)
class Left:
    """Why each row that arrived (n,) is not in the answer: the place of the reason in `names`; -1 if it is."""

    why: Codes
    names: tuple[str, ...]
    masks: tuple[NDArray[np.bool_], ...] = ()  # of each reason, all rows that it holds for

    @property
    def inside(self) -> NDArray[np.bool_]:
        return self.why < 0


class Seen:
    """What many questions ask of the rows of one table, looked up once: gaps by column, and who is who."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.gaps: dict[str, NDArray[np.bool_]] = {}
        self.lefts: list[tuple[Question, Left]] = []  # a run may ask one question with other parameters
        self.found: dict[Any, dict[str, Any]] = {}  # what `company` has found before

    def gap(self, name: str) -> NDArray[np.bool_]:
        if name not in self.gaps:
            self.gaps[name] = self.dataset.arrived[name].isna().to_numpy()
        return self.gaps[name]

    def left(self, question: Question) -> Left:
        """`reasons` of one of the study's questions.

        Raises
        ------
        ResearchkitError
            If the question reads a column that is not there.
        """
        for one, left in self.lefts:
            if one == question:
                return left
        self.lefts.append((question, reasons(self.dataset, question, self)))
        return self.lefts[-1][1]

    @cached_property
    def person(self) -> Codes:
        return people_of(self.dataset)

    @cached_property
    def most(self) -> int:
        """The most rows that are of one person."""
        return int(np.bincount(self.person).max(initial=1))


def reasons(dataset: Dataset, question: Question, seen: Seen | None = None) -> Left:
    """Why each row is left out, as `flow` counts them: keep rules first, then gaps column by column.

    Raises
    ------
    ResearchkitError
        If the question reads a column that is not there.
    """
    study, frame = dataset.study, dataset.arrived
    seen = seen or Seen(dataset)
    why, names, masks = np.full(len(frame), -1, dtype=np.int64), dict[str, int](), list[NDArray[np.bool_]]()

    def out(rows: NDArray[np.bool_], reason: str) -> None:
        gone = rows & (why < 0)
        if gone.any():
            if reason not in names:
                names[reason] = len(names)
                masks.append(rows)
            why[gone] = names[reason]
            masks[names[reason]] = masks[names[reason]] | rows

    now = Draw(study, question, frame, dataset.origin, [])
    require(now, [*question.columns, *question.adjust, *study.clusters_of(question)])
    for rule in study.tables[dataset.table].keep:
        out(~kept(frame, rule), rule.why)
    there = why < 0
    came = arranged(question, frame[there])  # as `flow.complete` does
    for rule in question.keep:
        out(~kept(frame, rule), rule.why)
    for reason in came.reasons:
        rows = np.zeros(len(frame), dtype=bool)
        rows[there] = came.columns[WHY] == reason
        out(rows, reason)
    for name in whole(came.question, question.adjust):
        if name and name in frame:
            out(seen.gap(name), f"{name} missing")
    still = why < 0
    for alone, reason in lonely(came.question, frame[still]):
        rows = np.zeros(len(frame), dtype=bool)
        rows[still] = alone
        out(rows, reason)
    clusters = study.clusters_of(question)
    if any((why < 0)[seen.gap(name)].any() for name in clusters):
        now.frame = frame[why < 0]
        for name in outermost(now, clusters):
            out(seen.gap(name), f"{name} missing")
    return Left(why, tuple(names), tuple(masks))


def left_out(left: Left, group: Codes, person: Codes, groups: int) -> NDArray[np.int64]:
    """(reasons, groups) how many people are left out for each reason."""
    counts = [heads(group[left.why == place], person[left.why == place], groups) for place in range(len(left.names))]
    return np.array(counts, dtype=np.int64).reshape(len(counts), groups)


def people_of(dataset: Dataset) -> Codes:
    """(n,) who each row that arrived is of; rows that name nobody are of one person each."""
    column, rows = dataset.study.tables[dataset.table].people, len(dataset.arrived)
    if column == "row":
        return np.arange(rows)
    codes = factors(dataset.arrived[column])[0].astype(np.int64)
    nobody = codes < 0
    codes[nobody] = codes.max(initial=-1) + 1 + np.arange(int(nobody.sum()))
    return codes


def groups_of(dataset: Dataset, column: str) -> tuple[Codes, list[str]]:
    """(n,) the place of each row's value among the names; the last name, "", is of rows without one."""
    places, texts = factors(dataset.arrived[column])
    names = list(dict.fromkeys(map(canonical, texts)))
    order = {name: place for place, name in enumerate(names)}
    codes = np.array([*(order[canonical(text)] for text in texts), len(names)], dtype=np.int64)
    return codes[places], [*names, ""]


def heads(group: Codes, person: Codes, groups: int) -> NDArray[np.int64]:
    """(groups,) how many people the rows of each group are of."""
    if not len(group):
        return np.zeros(groups, dtype=np.int64)
    people = int(person.max()) + 1
    if groups * people > AT_ONCE:
        return np.bincount(np.unique(group * people + person) // people, minlength=groups)
    there = np.zeros(groups * people, dtype=bool)  # several times quicker than sorting who is where
    there[group * people + person] = True
    return np.count_nonzero(there.reshape(groups, people), axis=1)


def heads_in(rows: NDArray[np.bool_], person: Codes) -> int:
    return int(np.count_nonzero(np.bincount(person[rows])))
