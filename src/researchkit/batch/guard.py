"""Before reports are made: which must not be, for beside earlier pages they would tell about a few people."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from researchkit import internal
from researchkit.batch.key import Keys, columns_of, told
from researchkit.batch.plan import Job
from researchkit.batch.pool import failed, folder_of, name_of
from researchkit.dataset import Dataset
from researchkit.disclosure import PROFILES, TOO_FEW, WITH_IT, Profile
from researchkit.disclosure import name_of as profile_named
from researchkit.errors import DisclosureError, ResearchkitError
from researchkit.linked import runs
from researchkit.linked.left import groups_of
from researchkit.parts import Question
from researchkit.places import CLOSED, folder_name
from researchkit.readers.values import canonical
from researchkit.report import Report
from researchkit.study import Study

HELD = "held back"


class Guard:
    """What was published from a reports folder, against what is about to be.

    Each page is remembered when it is made, by drawers of digests (`linked.runs`). A new one is held back where fewer
    people than the profile shows have come, gone or changed since, in its group or in another that would follow.
    """

    def __init__(self, keys: Keys, out: Path) -> None:
        self.keys, self.out = keys, out
        self.when = datetime.now(UTC).isoformat(timespec="seconds")
        self.known: dict[tuple[Any, ...], dict[str, runs.Marks]] = {}
        self.told: set[int] = set()
        self.past: dict[str, list[runs.Marks]] = {}
        self.due: dict[Path, tuple[str, dict[str, Any]]] = {}

    def reason(self, job: Job) -> str:
        """Why a report must not be made; "" where it may be, and then it counts as published from now on."""
        try:
            study = self.keys.study(job.study)
            question = study.question(job.question)
            profile = PROFILES[profile_named(job.disclosure or study.disclosure)]
            if not profile.protects:
                return ""
            self.log(job, profile)
            column, _, value = (job.by or "").partition("=")
            mine = self.marks(study, question, column).get(canonical(value))
        except DisclosureError as error:
            return str(error)
        except (ResearchkitError, OSError):
            return ""  # the report itself says what is wrong
        if mine is None:
            return ""
        page = folder_of(job, self.out).relative_to(self.out).as_posix()
        try:
            own = runs.moved(mine, self.before(page), profile)
            if canonical(value) in self.keys.company(job).held:  # it has no page, but the others tell of it together
                internal.remember(self.out, page, mine.to_dict())
                return ""
            others = not job.label and own > 0 and self.followed(study, question, profile, column, canonical(value))
            if 0 < own < profile.threshold or others:
                return words(profile)
            if any(one.columns == mine.columns and not mine.differ(one) for one in self.before(page)):
                return ""  # it is remembered already
            internal.remember(self.out, page, mine.to_dict())
        except DisclosureError as error:
            return str(error)
        except OSError as error:
            if error.errno not in CLOSED:
                raise
            return f"What is published cannot be remembered ({error.strerror}), so nothing new is."
        self.due[folder_of(job, self.out).resolve()] = (page, mine.to_dict())
        return ""

    def log(self, job: Job, profile: Profile) -> None:
        """Say to the owner, once a column, which of its values have no page."""
        beside, page = self.keys.company(job), f"{name_of(job)}/{job.question}"
        if id(beside) in self.told:
            return
        self.told.add(id(beside))
        column = (job.by or "").partition("=")[0]
        few = {True: TOO_FEW, False: WITH_IT}
        internal.log(
            self.out,
            page,
            profile.label,
            self.when,
            [
                {"what": f"page {column}={value}", "people": people, "why": few[people < profile.threshold]}
                for value, people in beside.held.items()
            ],
        )

    def made(self, report: Report) -> Report:
        """What has become of a report: one that is no page is not published."""
        page, release = self.due.pop(report.folder.resolve(), ("", {}))
        if page and report.status != "ok":
            with suppress(OSError):  # remembered in vain does less harm than no word on the other reports
                internal.forget(self.out, page, release)
        return report

    def held(self, job: Job, reason: str) -> Report:
        """A report that is held back: the page of before stays, which tells nothing new."""
        folder = folder_of(job, self.out)
        if not (folder / "report.html").exists():
            return failed(job, self.out, reason, HELD)
        return Report(name_of(job), job.question, job.by, HELD, reason, folder)

    def followed(self, study: Study, question: Question, profile: Profile, column: str, value: str) -> bool:
        """Whether from a page, with those of the other groups, something would follow about a few people of another."""
        if column:
            return value in runs.kept_back(self.news(study, question, profile, column), profile)[0]
        there = {name.rpartition("/")[2].partition("=")[0] for name in internal.pages(self.out, above(study, question))}
        parts = [
            name for name in map(str, self.dataset(study, question).arrived) if folder_name(f"{name}=")[:-1] in there
        ]
        return any(runs.kept_back(self.news(study, question, profile, part), profile)[1] for part in parts)

    def news(self, study: Study, question: Question, profile: Profile, column: str) -> dict[str, int]:
        """By value of a column: of how many people a new page would tell more than the old ones do."""
        page = above(study, question)
        return {
            value: runs.moved(mark, self.before(f"{page}/{folder_name(f'{column}={value}')}"), profile)
            for value, mark in self.marks(study, question, column).items()
            if value
        }

    def before(self, page: str) -> list[runs.Marks]:
        """What was published of a page before this run, which in its own course adds to that."""
        if page not in self.past:
            found = internal.releases(self.out, page)
            try:
                self.past[page] = [runs.marks_from(one) for one in found]
            except (ValueError, KeyError, TypeError):
                raise DisclosureError(internal.unreadable(internal.record_of(self.out, page), self.out)) from None
        return self.past[page]

    def dataset(self, study: Study, question: Question) -> Dataset:
        return self.keys.dataset(study, study.table_of(question))

    def marks(self, study: Study, question: Question, column: str) -> dict[str, runs.Marks]:
        """By value of a column ("" is everybody, or those without a value): who is there and what they answered."""
        place = (study.path, question.id, column)
        if place not in self.known:
            self.known[place] = self.marked(study, question, column)
        return self.known[place]

    def marked(self, study: Study, question: Question, column: str) -> dict[str, runs.Marks]:
        dataset, table = self.dataset(study, question), study.table_of(question)
        read, entries = columns_of(study, table, [question]) - {"row"}, self.keys.digests(study, table)
        key, rows = internal.key(self.out), len(dataset.arrived)
        said = np.zeros(rows, dtype=np.uint64)
        for number, name in enumerate(sorted(read & entries.keys())):
            said += runs.mixed(entries[name], key + number + 1 & 2**64 - 1)
        spec = study.tables[table]
        named = spec.people != "row"
        person = runs.mixed(entries[spec.people], key) if named else runs.mixed(said, key)
        if not named:  # rows that say the same are people of their own
            person = person + twins(said).astype(np.uint64)
        inside = self.keys.seen(study, table).left(question).inside
        group, names = groups_of(dataset, column) if column else (np.zeros(rows, np.int64), [""])
        columns, found = told(*sorted(read)), {}
        for number, name in enumerate(names):
            here = group == number
            within, nothing = person[here & inside], np.zeros(int((here & inside).sum()), dtype=np.uint64)
            everyone = runs.drawers(person[here], said[here])
            people = len(np.unique(within))
            found[name] = runs.Marks(self.when, columns, named, people, runs.drawers(within, nothing), everyone)
        return found


def above(study: Study, question: Question) -> str:
    """The page about everybody."""
    return f"{study.name}/{question.id}"


def words(profile: Profile) -> str:
    return (
        f"Held back: beside what was published before, this page would tell about fewer than {profile.threshold} "
        f"people (profile {profile.label}) who have come, gone or changed since, here or in another group. The page "
        f"of before stays. This one is made once {profile.threshold} have; or, where the earlier pages were never "
        f"shared or are withdrawn, once their records in {internal.FOLDER}/{internal.RELEASES} are deleted."
    )


def twins(said: runs.Words) -> np.ndarray[Any, np.dtype[np.int64]]:
    """(n,) how many earlier rows say the same as each row."""
    order = np.argsort(said, kind="stable")
    ordered = said[order]
    first = np.searchsorted(ordered, ordered, side="left")
    found = np.empty(len(said), dtype=np.int64)
    found[order] = np.arange(len(said)) - first
    return found
