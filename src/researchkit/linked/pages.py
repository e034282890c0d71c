"""One page among the others of a run: what they would give away together.

The whole less all other sites is the site that is hidden; a question less another is those who lack one column. So what
a page may show depends on pages that others make, perhaps later. All of that is worked out here from the data alone:
each page comes to the same end, in whatever order they are made, and none has to know of the others.

A value of a column has no page where its people are too few, or where the few of another would follow from it. Where
two questions of a table differ by few people their counts are rounded, and where a site leaves out few rows no site
says how many it leaves out.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from researchkit.disclosure import PROFILES, Profile, hard_to_tell, protect, usual_base
from researchkit.errors import ResearchkitError
from researchkit.flow import Draw, kept, outermost, require, whole
from researchkit.linked.cells import Sums, reach
from researchkit.linked.rounding import Pair, base, ends
from researchkit.panel import WHY, arranged, lonely
from researchkit.readers.values import canonical, factors

if TYPE_CHECKING:
    from researchkit.dataset import Dataset
    from researchkit.parts import Question

Codes = NDArray[np.int64]
MANY = 7  # reasons, all of whose meetings are reckoned with


@dataclass(frozen=True)
class Company:
    """What the other pages leave a page to tell. `held` are the values that have no page, with their people."""

    held: dict[str, int]
    rounded: int  # the base that counts are rounded to; 0 where they are not
    quiet: bool

    def to_dict(self) -> dict[str, Any]:
        return {"held": self.held, "rounded": self.rounded, "quiet": self.quiet}


ALONE = Company({}, rounded=0, quiet=False)


@dataclass(frozen=True)
class Left:
    """Why each row that arrived (n,) is not in the answer: the place of the reason in `names`; -1 if it is."""

    why: Codes
    names: tuple[str, ...]
    masks: tuple[NDArray[np.bool_], ...] = ()  # of each reason, all rows that it holds for

    @property
    def inside(self) -> NDArray[np.bool_]:
        return self.why < 0


def company_of(rule: str, question: str, column: str | None) -> str:
    """The name under which a run holds what `company` has found."""
    return f"company of {rule}/{question}/{column or ''}"


class Seen:
    """What many questions ask of the rows of one table, looked up once: gaps by column, and who is who."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.gaps: dict[str, NDArray[np.bool_]] = {}

    def gap(self, name: str) -> NDArray[np.bool_]:
        if name not in self.gaps:
            self.gaps[name] = self.dataset.arrived[name].isna().to_numpy()
        return self.gaps[name]

    @cached_property
    def person(self) -> Codes:
        return people_of(self.dataset)

    @cached_property
    def most(self) -> int:
        """The most rows that are of one person."""
        return int(np.bincount(self.person).max(initial=1))


def company(dataset: Dataset, question: Question, column: str | None = None, seen: Seen | None = None) -> Company:
    """What a page may tell beside those of the other values of a column and of the table's other questions.

    Parameters
    ----------
    dataset
        The table with all its rows.
    column
        That of `by`; None for the page about everybody.
    """
    profile = PROFILES[dataset.study.disclosure]
    if not profile.protects or (column and column not in dataset.arrived):
        return ALONE
    seen = seen or Seen(dataset)
    try:
        left = reasons(dataset, question, seen)
    except ResearchkitError:
        return ALONE  # the report itself will say why there is no answer
    person = seen.person
    group, names = groups_of(dataset, column) if column else (np.zeros(len(person), np.int64), [""])
    others = [one for one in dataset.study.questions if one.id != question.id and same_table(dataset, one)]
    beside = accounts(seen, others)
    held = without_page(left, group, person, names, profile) if column else {}
    open_ = np.array([name not in held for name in names], dtype=bool)
    steps = left_out(left, group, person, len(names))
    # A few whom one question leaves out somewhere would follow from what another tells of the same rows.
    all_steps = [steps, *(left_out(one, group, person, len(names)) for one in beside)] if column else []
    few = any(((one > 0) & (one < profile.threshold)).any() for one in all_steps)
    worked_out = bool(others) and any(adds_up(steps[:, place], profile) for place in np.flatnonzero(open_))
    close = worked_out or any(near(left, one, group, open_, profile, seen) for one in others)
    pairs = [apart(left, one, group, person, len(names), profile) for one in beside] if column and close else []
    to, still = base(pairs, open_, profile, usual_base(profile)) if close else (0, open_)
    inside = heads(group[left.inside], person[left.inside], len(names))
    held |= {names[place]: int(inside[place]) for place in np.flatnonzero(open_ & ~still) if names[place]}
    return Company(
        held=held,
        rounded=to,
        quiet=bool(few) if column else side_by_side(seen, [left, *beside], profile),
    )


def apart(left: Left, other: Left, group: Codes, person: Codes, groups: int, profile: Profile) -> Pair:
    """Two questions of a table, by group (groups,), and what pages about everybody tell of their difference."""
    one, two = left.inside, other.inside
    sets = (one, two, one & ~two, two & ~one)
    first, second, third, fourth = (heads(group[rows], person[rows], groups) for rows in sets)
    few = 0 < heads_in(one ^ two, person) < profile.threshold  # then those pages round, too
    to = usual_base(profile) if few else profile.round_to
    all_ = np.array([heads_in(one, person), heads_in(two, person)])
    low, high = ends(all_, np.ones(2, dtype=bool), profile, to)
    # Whoever is in two groups counts twice here; as a precaution that is taken as known.
    twice = int((second - first).sum() - (all_[1] - all_[0]))
    return Pair(first, second, third, fourth, (low[1] - high[0] + twice, high[1] - low[0] + twice))


def exactly(profile: Profile) -> Profile:
    """The profile as if it did not round: from a precise mean or error the number behind it can be worked out."""
    return replace(profile, round_to=1)


def without_page(left: Left, group: Codes, person: Codes, names: list[str], profile: Profile) -> dict[str, int]:
    """The values that have no page, with their people in the answer.

    One that has few rows in the table goes without for every question of it, and so does the one that would tell of it:
    any page of it would tell how many rows it has.
    """
    inside = heads(group[left.inside], person[left.inside], len(names))
    held: dict[str, int] = {}
    for counts in (inside, heads(group, person, len(names))):
        # The rows without a value have no page, but are a group like any other.
        there = {name: int(count) for name, count in zip(names, counts, strict=True) if count}
        told = protect(there, exactly(profile))
        held |= {name: int(inside[names.index(name)]) for name in there if name and told[name] is None}
    return held


def accounts(seen: Seen, others: list[Question]) -> list[Left]:
    """Whom the other questions of a table leave out, and why; those that have no answer tell nothing."""
    found = []
    for one in others:
        with suppress(ResearchkitError):
            found.append(reasons(seen.dataset, one, seen))
    return found


def side_by_side(seen: Seen, lefts: list[Left], profile: Profile) -> bool:
    """Whether the accounts of several questions, laid side by side, tell of a few people whom each one hides.

    A row that lacks severity is left out by every question that needs it, though perhaps for another reason that is
    looked at before. The attacker knows these rules; not which reasons meet in one row.
    """
    names = list(dict.fromkeys(name for left in lefts for name in left.names))
    if len(lefts) < 2 or not names:
        return False
    holds = np.zeros((len(names), len(seen.person)), dtype=bool)
    for left in lefts:
        for name, mask in zip(left.names, left.masks, strict=True):
            holds[names.index(name)] |= mask
    there, cell = np.unique(holds, axis=1, return_inverse=True)
    cells = np.unique(np.concatenate([there, *meetings(len(names))], axis=1), axis=1)
    rows, heads = np.zeros((2, cells.shape[1]), dtype=np.int64)
    for place, pattern in enumerate(there.T):
        at = int(np.flatnonzero((cells == pattern[:, None]).all(axis=0))[0])
        rows[at] = (cell.ravel() == place).sum()
        heads[at] = heads_in(cell.ravel() == place, seen.person)
    of, people, gone = [np.ones(cells.shape[1], dtype=bool)], [heads_in(seen.person >= 0, seen.person)], [False]
    for left in lefts:
        steps = {name: heads_in(left.why == why, seen.person) for why, name in enumerate(left.names)}
        told = protect({name: count for name, count in steps.items() if count}, exactly(profile))
        before = np.zeros(cells.shape[1], dtype=bool)
        for name, count in steps.items():
            of.append(cells[names.index(name)] & ~before)
            before |= of[-1]
            people.append(count)
            gone.append(told.get(name) is None)
        of.append(~before)
        people.append(heads_in(left.inside, seen.person))
        gone.append(False)
    found = Sums(np.array(of), rows, np.array(people), heads)
    return any(few(found, int(place), gone, profile) for place in np.flatnonzero(gone))


def meetings(reasons: int) -> list[NDArray[np.bool_]]:
    """Patterns (reasons, m) that no attacker can rule out: any reasons together, or of many any two of them."""
    if reasons <= MANY:
        return [(np.arange(2**reasons) >> np.arange(reasons)[:, None]) % 2 == 1]
    one = np.eye(reasons, dtype=bool)
    return [np.zeros((reasons, 1), dtype=bool), one, *(one | one[:, [place]] for place in range(reasons))]


def heads_in(rows: NDArray[np.bool_], person: Codes) -> int:
    return len(np.unique(person[rows]))


def few(found: Sums, place: int, gone: list[bool], profile: Profile) -> bool:
    """Whether a hidden sum of few people can be told too closely."""
    if not 0 < found.people[place] < profile.threshold:
        return False
    low, high = reach(found, np.array(gone), found.of[place], profile)
    return high - low < profile.width


def same_table(dataset: Dataset, question: Question) -> bool:
    return dataset.study.table_of(question) == dataset.table


def adds_up(steps: NDArray[np.int64], profile: Profile) -> bool:
    """Whether those left out for hidden reasons could be worked out, once all that arrived are known."""
    there = {str(place): int(count) for place, count in enumerate(steps) if count}
    hidden = [there[name] for name, count in protect(there, exactly(profile)).items() if count is None]
    return bool(hidden) and not hard_to_tell(hidden, profile)


def near(
    left: Left,
    other: Question,
    group: Codes,
    open_: NDArray[np.bool_],
    profile: Profile,
    seen: Seen,
) -> bool:
    """Whether an answer to another question is of the same people but for a few, in any group that has a page."""
    try:
        apart = left.inside != reasons(seen.dataset, other, seen).inside
    except ResearchkitError:
        return False
    rows = np.bincount(group[apart], minlength=len(open_))
    if not (open_ & (rows > 0) & (rows < profile.threshold * seen.most)).any():
        return False  # nobody has so many rows that these could be of few people
    counts = heads(group[apart], seen.person[apart], len(open_))[open_]
    return bool(((counts > 0) & (counts < profile.threshold)).any())


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
    pairs = np.unique(group * (int(person.max()) + 1) + person)
    return np.bincount(pairs // (int(person.max()) + 1), minlength=groups)
