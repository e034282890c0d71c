"""What an export looked like in the last good run, and what a run does about an export that has changed.

`.outlines/STUDY.json` in the reports folder holds, for each table, its columns in outline (see `outline`): no row, and
no entry that stands too seldom. A report whose question reads a column that has changed beyond chance is stopped;
`accept:` in the study file lets a change pass, once: the next one in that column has to be looked at again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from researchkit.batch.key import Keys, columns_of
from researchkit.batch.plan import Job
from researchkit.disclosure import PROFILES
from researchkit.disclosure import name_of as profile_named
from researchkit.drift import Change, called, changes, earlier, outlined, read_by_questions, units
from researchkit.errors import ResearchkitError, listing, some
from researchkit.outline import SELDOM, Outline, outline_from
from researchkit.places import alone, put, read
from researchkit.report import Report
from researchkit.sources import lying
from researchkit.study import Study

FOLDER = ".outlines"
UNTOLD = "what it holds is not what it was (whoever runs it is told)"
OF_PLACE = {"path", "url", "sha256", "md5", "content", "mirror", "mirror_sha256"}  # of a file, not how it is read


@dataclass
class Seen:
    """One table now: its outline (None where its files are those of then), what changed, what was accepted for it."""

    now: dict[str, Outline] | None
    changes: list[Change]
    when: str
    used: list[list[str]]  # acceptances of earlier changes, each a column and why
    accepted: list[list[str]] = field(default_factory=list)


class Memory:
    """What is remembered of the studies of one run, and what it comes to."""

    def __init__(self, out: Path, say: Callable[[str], object]) -> None:
        self.out, self.say = out, say
        self.seen: dict[tuple[Path, str], Seen | None] = {}
        self.studies: dict[str, Study] = {}
        self.good: set[str] = set()
        self.stopped: set[str] = set()
        self.said: set[str] = set()

    def stops(self, keys: Keys, job: Job) -> str:
        """Why a report must not be made from an export that has changed; "" where nothing speaks against it."""
        try:
            study = keys.study(job.study)
            question = study.question(job.question)
        except ResearchkitError:  # the report itself says what is wrong
            return ""
        self.studies[study.name] = study
        table = study.table_of(question)
        seen = self.look(study, table)
        if not seen:
            return ""
        reads = {called(study, name) for name in columns_of(study, table, [question])}
        sure = [one for one in seen.changes if one.spoils and one.column in reads]
        open_ = [one for one in sure if not self.passes(study, table, one)]
        if not open_:
            return ""
        self.stopped.add(study.name)
        for one in open_:
            self.tell(study, table, f"{one.column}: {one.words}")
        hidden = PROFILES[
            profile_named(job.disclosure or study.disclosure)
        ].protects  # the page may go to others, and shares of gaps are counts
        plain = {one: UNTOLD if hidden and not one.gone else one.words for one in open_}
        told = [f"{one.column}: {words}.{self.again(study, table, one)}" for one, words in plain.items()]
        return (
            f"{listing(f'The export has changed since {seen.when}', told)}\nThat alone would make another answer. Get "
            f"the export as it was, or, if the change is right, say so in study.yml: {remedies(open_)}."
        )

    def tell(self, study: Study, table: str, words: str) -> None:
        seen = self.seen[study.path, table]
        line = f"{study.name}/{table}: since {seen.when if seen else ''}: {words}"
        if line not in self.said:  # once, for however many sites
            self.said.add(line)
            self.say(line)

    def note(self, report: Report) -> None:
        if report.status == "ok":
            self.good.add(report.study)

    def look(self, study: Study, table: str) -> Seen | None:
        """Compare a table with what it was, once a run; None where there is nothing to compare with, or no table."""
        place = (study.path, table)
        if place not in self.seen:
            try:
                self.seen[place] = self.compared(study, table)
            except (ResearchkitError, OSError):  # each report says what is wrong with its data
                self.seen[place] = None
            if seen := self.seen[place]:
                for one in seen.changes:
                    passed = self.passes(study, table, one)
                    if passed or not one.spoils:
                        end = f" (accepted: {passed})" if passed else ""
                        self.tell(study, table, f"{one.column}: {one.words}{end}")
        return self.seen[place]

    def compared(self, study: Study, table: str) -> Seen:
        spec, held = study.tables[table], self.held(study).get(table, {})
        used = held.get("accepted", [])
        if spec.against:
            old = outlined(earlier(study, table, study.folder / spec.against), table)
            now = outlined(study, table)
            found = changes(old, now, read_by_questions(study, table), units(study, table))
            return Seen(now, found, f"the export {spec.against}", [])
        if held and held.get("files") == marks(study, table) and held.get("reading") == reading(study, table):
            return Seen(None, [], "", used)
        now = outlined(study, table)
        if not held:
            return Seen(now, [], "", used)
        when = f"the last good run ({held['when']})"
        if held.get("reading") != reading(study, table):
            self.say(f"{study.name}/{table}: study.yml reads it in another way than {when}; the two are not compared.")
            return Seen(now, [], when, used)
        then = {name: outline_from(one) for name, one in held["columns"].items()}
        return Seen(now, changes(then, now, read_by_questions(study, table), units(study, table)), when, used)

    def passes(self, study: Study, table: str, change: Change) -> str:
        """Why the author of the study accepts a change; "" where nothing is said, or was said of an earlier one."""
        names = [name for name in study.tables[table].accept if change.column in (name, called(study, name))]
        why = study.tables[table].accept[names[0]] if names else ""
        seen = self.seen[study.path, table]
        if not why or seen is None or [change.column, why] in seen.used:
            return ""
        if [change.column, why] not in seen.accepted:
            seen.accepted.append([change.column, why])
        return why

    def again(self, study: Study, table: str, change: Change) -> str:
        seen = self.seen[study.path, table]
        old = [why for column, why in (seen.used if seen else []) if column == change.column]
        return f" (“{old[-1]}” was accepted of an earlier change; say why this one is right.)" if old else ""

    def held(self, study: Study) -> dict[str, Any]:
        tables = read(self.path(study)).get("tables")
        return tables if isinstance(tables, dict) else {}

    def path(self, study: Study) -> Path:
        return self.out / FOLDER / f"{study.name}.json"

    def keep(self) -> None:
        """Remember the tables of every study that has a good report and none that was stopped for its export."""
        for name in self.good - self.stopped:
            study = self.studies[name]
            new = {
                table: self.told(study, table, seen)
                for (of, table), seen in self.seen.items()
                if of == study.path and seen is not None and seen.now is not None
            }
            if new:
                with alone(self.out, FOLDER):
                    (self.out / FOLDER).mkdir(exist_ok=True)
                    told = {"schema": 1, "tables": {**self.held(study), **new}}
                    put(self.path(study), json.dumps(told, indent=1, ensure_ascii=False), self.out)

    def told(self, study: Study, table: str, seen: Seen) -> dict[str, Any]:
        """What is kept of one table."""
        least = max(SELDOM, PROFILES[profile_named(study.disclosure)].threshold)
        said = study.tables[table].accept.values()
        return {
            "when": datetime.now(UTC).date().isoformat(),
            "files": marks(study, table),
            "reading": reading(study, table),
            "columns": {name: one.to_dict(least) for name, one in (seen.now or {}).items()},
            "accepted": [one for one in [*seen.used, *seen.accepted] if one[1] in said],
        }


def remedies(found: Sequence[Change]) -> str:
    """What to write for changes that are right."""
    gone = [one.column for one in found if one.gone]
    changed = ", ".join(f"{column}: WHY" for column in dict.fromkeys(one.column for one in found if not one.gone))
    told = [f"the new name of {some(gone)} under `from:`"] if gone else []
    return " and ".join([*told, *([f"`accept: {{{changed}}}`"] if changed else [])])


def marks(study: Study, table: str) -> list[list[Any]]:
    """Every file that a table is read from, by its time and size."""
    paths = [path for file in study.tables[table].files for path in lying(study, file)]
    return [[str(path.resolve()), told.st_mtime_ns, told.st_size] for path in paths for told in [path.stat()]]


def reading(study: Study, table: str) -> str:
    """How the study file has a table read, wherever it lies: another way gives other columns from the same export."""
    parts = [file.model_dump(exclude=OF_PLACE, by_alias=True) for file in study.tables[table].files]
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
