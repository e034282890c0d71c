"""What a report was made from: whether it has to be made again, and why.

A key has one digest for each thing that can change an answer: the notebook, the parameters, the study file, the rows
and columns that this report reads, the package, and the versions of what it stands on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.batch.plan import Job
from researchkit.codebook import variants
from researchkit.dataset import Dataset, fingerprint, load_dataset
from researchkit.disclosure import name_of
from researchkit.errors import DataError, ResearchkitError
from researchkit.held import keep
from researchkit.kernels.key import installed
from researchkit.linked import Company, company, company_of
from researchkit.linked.left import Seen
from researchkit.linked.pages import ALONE
from researchkit.parts import Question
from researchkit.places import PARTS, PREVIOUS, RESULT, read
from researchkit.protocol import place_of
from researchkit.readers.relation import stays
from researchkit.readers.values import among, canonical
from researchkit.robustness.several import family
from researchkit.sources import lying
from researchkit.study import Study, load_study

Key = dict[str, str]


class Keys:
    """The keys of many jobs; each study and table is read once."""

    def __init__(self) -> None:
        self.studies: dict[Path, Study] = {}
        self.datasets: dict[tuple[Path, str], Dataset] = {}
        self.entries: dict[tuple[Path, str], dict[str, NDArray[Any]]] = {}
        self.beside: dict[tuple[Path, str, str, str], Company] = {}
        self.looked: dict[tuple[Path, str], Seen] = {}
        self.columns: dict[tuple[Path, str, str | None], dict[str, str]] = {}

    def of(self, job: Job) -> Key | None:
        """The key of a job; None where its study or data cannot be read, so that the report itself says why."""
        try:
            study = self.study(job.study)
            question = study.question(job.question)
            return {
                "notebook": digest_of(job.notebook_for(study, question)),
                "parameters": told(job.by, job.disclosure, job.label, *sorted(map(repr, job.parameters.items()))),
                "study": self.study_digest(study),
                "rows": self.rows(study, question, job.by),
                "others": self.others(job),
                "package": package(),
                "versions": versions(),
            }
        except (ResearchkitError, OSError):
            return None

    def grown(self, job: Job, folder: Path) -> tuple[str, ...]:
        """The fingerprints of earlier results of a report whose rows are still there, in front of those that came.

        So much can be known without keeping a row: the first rows of now have the fingerprint of all rows of then.
        """
        found = [read(folder / name).get("data") for name in (RESULT, PREVIOUS)]
        held = {data.get("fingerprint"): data.get("rows") for data in found if isinstance(data, dict)}
        try:
            study = self.study(job.study)
            dataset = self.dataset(study, study.table_of(study.question(job.question)))
            dataset = dataset.only(*job.by.split("=", 1)) if job.by else dataset
        except ResearchkitError:
            return ()
        arrived = dataset.arrived[[name for name in dataset.arrived.columns if name not in study.scales]]
        return tuple(
            mark
            for mark, rows in held.items()
            if isinstance(rows, int) and 0 < rows < len(arrived) and fingerprint(arrived.iloc[:rows]) == mark
        )

    def groups(self, jobs: Iterable[Job]) -> Iterator[tuple[Dataset, str | None]]:
        """Every group of rows that some jobs read, once; what cannot be read is left to the report to say."""
        seen = set()
        for job in jobs:
            with suppress(ResearchkitError, OSError):
                study = self.study(job.study)
                asked = study.question(job.question)
                for table in {study.table_of(one) for one in [asked, *family(study, asked)]}:
                    if (study.path, table, job.by) not in seen:
                        seen.add((study.path, table, job.by))
                        dataset = self.dataset(study, table)
                        yield (dataset.only(*job.by.split("=", 1)) if job.by else dataset), job.by or None

    def study(self, path: Path) -> Study:
        if path not in self.studies:
            self.studies[path] = load_study(path)
        return self.studies[path]

    def study_digest(self, study: Study) -> str:
        beside = [study.folder / "truth.yml", place_of(study)]
        return told(study.sha256, *(digest_of(path) if path.exists() else "" for path in beside))

    def rows(self, study: Study, question: Question, by: str | None) -> str:
        """One digest over every column that the question and those corrected together with it read."""
        asked = {one.id: one for one in [question, *(family(study, question) if question.planned else [])]}
        parts = []
        for table in sorted({study.table_of(one) for one in asked.values()}):
            here = [one for one in asked.values() if study.table_of(one) == table]
            if stays(study, table):
                parts.append(in_place(study, table))
                continue
            try:
                held = self.of_columns(study, table, by)
            except ResearchkitError as error:
                if table == study.table_of(question):
                    raise
                parts.append(str(error))  # a sister question without data is told as such on the page
                continue
            wanted = columns_of(study, table, here)
            parts += [f"{table}/{name}: {held[name]}" for name in sorted(held) if name in wanted]
            if wanted & study.heard_in(table).keys():  # the page says how far coder and people agree
                parts += [note for note in self.dataset(study, table).notes if ": coded by " in note]
        for spec in (one for one in study.raters.values() if one.table and one.of in question.columns):
            held = self.of_columns(study, str(spec.table), None)
            parts += [f"{spec.table}/{name}: {held[name]}" for name in spec.read]
        return told(*parts)

    def others(self, job: Job) -> str:
        """One digest over what the other pages of the same data leave this one to show."""
        found, value = self.company(job), (job.by or "").partition("=")[2]
        return told(str(canonical(value) in found.held), str(found.rounded), str(found.quiet))

    def company(self, job: Job) -> Company:
        """What the other pages leave a job's page to show; worked out once for all values of a column."""
        study, column = self.study(job.study), (job.by or "").partition("=")[0]
        question = study.question(job.question)
        rule = name_of(job.disclosure or study.disclosure)
        place = (study.path, question.id, column, rule)
        if place not in self.beside:
            table = study.table_of(question)
            if stays(study, table):  # under a profile that protects the report itself refuses them
                return ALONE
            whole = replace(self.dataset(study, table), study=study.model_copy(update={"disclosure": rule}))
            self.beside[place] = company(whole, question, column or None, self.seen(study, table))
        return self.beside[place]

    def seen(self, study: Study, table: str) -> Seen:
        if (study.path, table) not in self.looked:
            self.looked[study.path, table] = Seen(self.dataset(study, table))
        return self.looked[study.path, table]

    def hold(self, jobs: Iterable[Job]) -> None:
        """For the kernels of a run: what the other pages leave each one to show, so that none reads all rows for it."""
        seen = set()
        for job in jobs:
            with suppress(ResearchkitError, OSError):
                study, column = self.study(job.study), (job.by or "").partition("=")[0]
                question, rule = study.question(job.question), name_of(job.disclosure or study.disclosure)
                what = company_of(rule, question.id, column)
                if (study.path, what) not in seen:
                    seen.add((study.path, what))
                    keep(study, study.table_of(question), what, self.company(job).to_dict())

    def of_columns(self, study: Study, table: str, by: str | None) -> dict[str, str]:
        """A digest of each column of a table, for the rows that `by` picks."""
        place = (study.path, table, by)
        if place not in self.columns:
            frame = self.dataset(study, table).arrived
            rows = np.ones(len(frame), dtype=bool)
            if by:
                column, _, value = by.partition("=")
                rows = among(frame[column], [value]) if column in frame else ~rows
            digests = self.digests(study, table).items()
            self.columns[place] = {name: sha256(each[rows].tobytes()).hexdigest() for name, each in digests}
        return self.columns[place]

    def digests(self, study: Study, table: str) -> dict[str, NDArray[Any]]:
        """A digest (n,) of every entry, by column: made once, for however many groups of rows."""
        if (study.path, table) not in self.entries:
            frame = self.dataset(study, table).arrived
            hashed = {str(name): pd.util.hash_pandas_object(frame[name], index=False) for name in frame.columns}
            for name, reasons in self.dataset(study, table).why.items():  # they are on the page
                hashed[str(name)] += pd.util.hash_pandas_object(reasons, index=False)
            self.entries[study.path, table] = {name: each.to_numpy(dtype=np.uint64) for name, each in hashed.items()}
        return self.entries[study.path, table]

    def dataset(self, study: Study, table: str) -> Dataset:
        if (study.path, table) not in self.datasets:
            self.datasets[study.path, table] = load_dataset(study, table)
        return self.datasets[study.path, table]


def in_place(study: Study, table: str) -> str:
    """What can be told of rows that stay in place without asking for them: names, sizes and times of their files.

    Raises
    ------
    DataError
        For a database, which tells nothing of the kind: its reports are made anew each time.
    """
    file = study.tables[table].files[0]
    if file.database:
        raise DataError(f"{study.name}: nothing tells whether the rows of a database have changed.")
    stats = [(path, path.stat()) for path in lying(study, file)]
    return told(*(f"{path} {stat.st_size} {stat.st_mtime_ns}" for path, stat in stats))


def columns_of(study: Study, table: str, questions: Iterable[Question]) -> set[str]:
    """Every column of a table that an answer to one of the questions, and what its page says of scales, reads."""
    spec = study.tables[table]
    names = {spec.people, *spec.clusters, *(rule.column for rule in spec.keep)}
    for question in questions:
        names |= set(study.clusters_of(question))
        for variant in variants(study, question):
            names |= {*variant.columns, *([variant.negative_control] if variant.negative_control else [])}
    names |= {column for one in study.raters.values() if not one.table and one.of in names for column in one.read}
    names |= {column for one in study.feedback.values() if one.column in names for column in one.columns}
    made = {column for name in names if name in study.events for column in study.made(name)}
    return names | made | study.scales.keys() | {item for scale in study.scales.values() for item in scale.items}


def changed(old: Key, new: Key) -> list[str]:
    """What differs between two keys, in words; a part that one of them lacks differs."""
    return [words for part, words in PARTS.items() if old.get(part) != new.get(part)]


@cache
def digest_of(path: Path) -> str:
    """The sha256 of a file's content, read once."""
    return sha256(path.read_bytes()).hexdigest()


@cache
def package() -> str:
    """One digest over every file of the package that can change an answer or a page."""
    root = Path(__file__).parents[1]
    files = sorted(path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return told(*(f"{path.relative_to(root).as_posix()} {sha256(path.read_bytes()).hexdigest()}" for path in files))


@cache
def versions() -> str:
    """One digest over the versions of every installed package, by the names of their folders, which hold both."""
    others = [name for name in installed() if "researchkit" not in name]
    return told(sys.version, *others, np.__version__, pd.__version__)


def told(*parts: str | None) -> str:
    return sha256(json.dumps(parts).encode()).hexdigest()
