"""One table that agrees with the study: typed, scored, with a fingerprint and an account of who is in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.card import Card
from researchkit.codebook import coded
from researchkit.disclosure import PROFILES
from researchkit.doubts import doubts
from researchkit.errors import DataError, StudyError, listing, some
from researchkit.events import built
from researchkit.faults import nearest
from researchkit.filled import filled
from researchkit.flow import Step, kept, step, told
from researchkit.parts import Question
from researchkit.readers import Origin, gather
from researchkit.readers.relation import stays
from researchkit.readers.values import among, distinct
from researchkit.sample import Sample, draw
from researchkit.sources import locate
from researchkit.study import Study, load_study
from researchkit.transcripts import with_codes

__all__ = ["Dataset", "Sample", "Step", "load_dataset"]


@dataclass(frozen=True, repr=False)
class Dataset:
    """The rows of one table, after the study's keep rules. Read only: a changed copy is another dataset.

    Numbers are float64 with NaN for missing; categories, text and ids are text. The index counts the rows that arrived.

    >>> import researchkit as rk
    >>> dataset = rk.load_dataset(rk.load_study("data/hospital"))
    >>> dataset.table, len(dataset.frame) <= dataset.rows, [step.why for step in dataset.flow]
    ('stays', True, [])
    """

    study: Study
    table: str
    frame: pd.DataFrame
    rows: int  # that arrived
    flow: tuple[Step, ...]
    notes: tuple[str, ...]
    arrived: pd.DataFrame = field(compare=False)  # the same columns before the keep rules
    origin: Origin = field(compare=False)
    why: pd.DataFrame = field(compare=False)  # why cells of some columns are empty, by the rows that arrived
    quiet: bool = False  # of the rows left out only the reasons are told (see `linked.pages`)

    @cached_property
    def fingerprint(self) -> str:
        """ "sha256:..." of the names and values of the rows that arrived, whatever kind of file held them."""
        return fingerprint(self.arrived[[name for name in self.arrived.columns if name not in self.study.scales]])

    def __repr__(self) -> str:
        return f"Dataset({self.study.name}, {self.table}: {self.rows_told()}, {self.fingerprint[:19]})"

    def rows_told(self) -> str:
        """How many rows there are; nothing of it where counts are protected and this is not to be told by itself."""
        profile, gaps = PROFILES[self.study.disclosure], bool(self.frame.isna().to_numpy().any())
        rows, _, left = told(self.rows, self.flow, len(self.frame), profile, quiet=self.quiet)
        if rows is None or left is None or (profile.protects and gaps):  # as `account.arrived`
            return f"how many rows only an answer's account tells (profile {profile.label})"
        return f"{wording.count(left)} of {wording.count(rows)} rows"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """How much there is of what, and what is missing; never a row of anybody."""
        study, spec = self.study, self.study.tables[self.table]
        facts = [("Study", study.title), ("Table", self.table), ("Columns", some(self.frame.columns, 12))]
        shares = empty_of(self)
        gaps = {name: share for name, share in shares.items() if share}
        empty = [f"{name} {wording.percent(gaps[name])}" for name in sorted(gaps, key=lambda name: -gaps[name])]
        hidden = sum(share is None for share in shares.values())
        words = [some(empty, 6), f"not shown for {hidden} columns" if hidden else ""]
        facts.append(("Empty cells", "; ".join(filter(None, words)) or "none"))
        notes: tuple[str, ...] = ()
        if not PROFILES[study.disclosure].protects:
            people = "" if spec.people == "row" else wording.count(int(self.frame[spec.people].nunique()))
            facts += [("People", people), *((f"Left out, {one.why}", wording.count(one.rows)) for one in self.flow)]
            notes = self.notes
        facts.append(("Fingerprint", self.fingerprint))
        return Card("Dataset", f"{len(self.frame.columns)} columns, {self.rows_told()}", facts, notes).bundle()

    def only(self, by: str, value: object) -> Dataset:
        """The rows of one site, team or other value, as if no others had arrived.

        Raises
        ------
        DataError
            If there is no such column, or it never holds the value; lists the values it does hold.
        """
        if by not in self.arrived.columns:
            known = nearest(by, self.arrived.columns)
            raise DataError(f"{self.study.name}: {by!r} is no column that the study uses or declares{known}.")
        here = among(self.arrived[by], [str(value)])
        if not here.any():
            raise DataError(f"{self.study.name}: {by} is never {str(value)!r}{self.told(by)}.")
        found = dataset_of(self.study, self.table, self.arrived[here], self.origin, self.notes, self.why[here])
        return replace(found, quiet=self.quiet)

    def told(self, by: str) -> str:
        """What a column does hold, as the end of a sentence; of people and of what they said nothing is told."""
        part = self.study.columns.get(by)
        whose = by == self.study.tables[self.table].people or (part is not None and part.type in ("id", "text"))
        return "" if whose else f"; it is {some([repr(entry) for entry in distinct(self.arrived[by])], 20)}"

    def why_empty(self, name: str) -> str:
        """How many cells of a column are empty for each reason that its file gives.

        Where counts are protected, only the reasons that are those of people enough, without a count: another count of
        the same rows would have to be weighed with all that other pages tell.
        """
        profile = PROFILES[self.study.disclosure]
        if name not in self.why or self.quiet:
            return ""
        empty = self.frame[name].isna()
        told = self.why.loc[self.frame.index, name].where(empty)
        counts = {str(why): int(count) for why, count in told.value_counts().items()}
        if profile.protects:
            people = self.study.tables[self.table].people
            of = {
                why: self.frame.index[told == why] if people == "row" else self.frame.loc[told == why, people]
                for why in counts
            }
            return some(sorted(why for why, who in of.items() if who.nunique() >= profile.threshold), 8)
        rest = int(empty.sum()) - sum(counts.values())
        counts |= {"no reason given": rest} if counts and rest else {}
        return some([f"{why}: {wording.count(count)}" for why, count in counts.items()], 8)

    def sample(self, question: Question, *, adjust: Sequence[str] | None = None) -> Sample:
        """The complete rows that a question is answered from, as arrays; `adjust` in place of the question's own.

        Raises
        ------
        ResearchkitError
            As `sample.draw`.
        """
        arrived = self.rows, self.flow
        found = draw(self.study, self.table, self.frame, self.origin, arrived, question, adjust)
        return replace(found, quiet=self.quiet)


def load_dataset(study: Study | str | Path, table: str | None = None) -> Dataset:
    """Read one table of a study, itself or its folder, and check it against the study file; the first unless named.

    Only columns that the study uses or declares are kept.

    Raises
    ------
    DataError
        With every problem at once: a column that is not there, an entry outside the codebook, a scale that fails.
    SourceError
        If the data of a published study are not at hand.

    Examples
    --------
    >>> import researchkit as rk
    >>> dataset = rk.load_dataset(rk.load_study("data/hospital"), "staff")
    >>> sorted(dataset.frame["wave"].unique())
    ['1', '2', '3']
    """
    study = study if isinstance(study, Study) else load_study(study)
    table = table or next(iter(study.tables))
    if table not in study.tables:
        raise StudyError(f"{study.path} has no table {table!r}{nearest(table, study.tables)}.")
    if stays(study, table):
        raise DataError(
            f"The rows of the table {table!r} of {study.name} stay where they are (a database, or a large file), and "
            "this needs every row. `researchkit effect` and `run` answer from sums computed there; for this, draw "
            "whole clusters at random into a file that fits in memory, and name it in a study file of its own."
        )
    gathered = gather(study, table, locate)
    frame, why, told = coded(study, table, gathered)
    frame, more = with_outcomes(study, table, frame, gathered.origin)
    frame, heard = with_codes(study, table, frame, gathered.origin)
    notes = [*gathered.notes, *told, *more, *heard, *people_note(study, table, frame), *doubles_note(gathered.frame)]
    accepted = study.tables[table].accept.items()
    notes += [f"{name}: that the export has changed here was looked at and accepted: {why}" for name, why in accepted]
    notes += map(str, filled(gathered.frame, units_of(study, table)))
    notes += doubts(study, table, frame, gathered.origin)
    return dataset_of(study, table, frame, gathered.origin, tuple(notes), why)


def with_outcomes(study: Study, table: str, frame: pd.DataFrame, origin: Origin) -> tuple[pd.DataFrame, list[str]]:
    """The frame with the outcomes that its events make, and how each row of it was counted."""
    here = {name: spec for name, spec in study.events.items() if study.table_of(spec) == table}
    others: dict[str, pd.DataFrame] = {}
    for other in study.behind(table)[1:]:
        gathered = gather(study, other, locate)
        rows, why, _ = coded(study, other, gathered)
        others[other] = dataset_of(study, other, rows, gathered.origin, (), why).frame
    notes, problems = [], []
    for name, spec in here.items():
        try:
            columns, account = built(name, spec, frame, others, origin)
        except DataError as error:
            problems.append(str(error))
            continue
        frame = frame.assign(**columns)
        notes.append(f"{name}: {account}.")
    if problems:
        raise DataError(listing(origin.subject, problems))
    return frame, notes


def dataset_of(
    study: Study, table: str, arrived: pd.DataFrame, origin: Origin, notes: tuple[str, ...], why: pd.DataFrame
) -> Dataset:
    """Apply the table's keep rules to the rows that arrived."""
    frame, flow = arrived, []
    for rule in study.tables[table].keep:
        keep = kept(frame, rule)
        flow.append(step(study, table, frame, ~keep, rule.why))
        frame = frame[keep]
    return Dataset(study, table, frame, len(arrived), tuple(flow), notes, arrived, origin, why)


def fingerprint(frame: pd.DataFrame) -> str:
    """The sha256 of column names and values in the order of the rows; columns in the order of their names."""
    total = hashlib.sha256()
    for name in sorted(frame.columns):
        series = frame[name]
        total.update(json.dumps(name).encode())
        if pd.api.types.is_numeric_dtype(series.dtype):
            values = series.to_numpy(dtype="<f8", na_value=np.nan) + 0.0  # -0.0 becomes 0.0
            total.update(np.where(np.isnan(values), np.nan, values).tobytes())
        else:
            codes, entries = pd.factorize(series)
            total.update(codes.astype("<i8").tobytes())
            total.update(json.dumps([str(entry) for entry in entries]).encode())
    return f"sha256:{total.hexdigest()}"


def units_of(study: Study, table: str) -> list[str]:
    """What the file calls the columns that say whose a row is."""
    spec = study.tables[table]
    parts = {name: study.columns.get(name) for name in (spec.people, *spec.clusters)}
    return [(part.from_ if part else None) or name for name, part in parts.items()]


def people_note(study: Study, table: str, frame: pd.DataFrame) -> list[str]:
    """How many people the rows are of, where there may be several rows of one."""
    column = study.tables[table].people
    if column == "row":
        return []
    codes = pd.factorize(frame[column])[0]
    counts = np.bincount(codes[codes >= 0])
    more, unknown = int((counts > 1).sum()), int((codes < 0).sum())
    words = f"{column}: {len(counts):,} people in {len(frame):,} rows"
    words += f", {more:,} of them in more than one" if more else ""
    return [f"{words}; {unknown:,} rows name nobody." if unknown else f"{words}."] if more or unknown else []


def doubles_note(frame: pd.DataFrame) -> list[str]:
    """Rows that are equal to an earlier row in every column of the file."""
    for width in (4, 8):  # few rows are alike in the first columns, and only those need a look at the rest
        frame = frame[frame.iloc[:, :width].duplicated(keep=False)]
    doubled = int(frame.duplicated().sum())
    return [f"{doubled:,} rows repeat an earlier row in every column."] if doubled else []


def per_cent_of(there: pd.Series, dataset: Dataset, heads: Callable[[Any], int]) -> float | None:
    """The share of rows that are there, or None where it, or what is left, is of too few people to be told."""
    inside, profile = there.to_numpy(dtype=bool), PROFILES[dataset.study.disclosure]
    if not len(inside) or any(0 < heads(side) < profile.threshold for side in (inside, ~inside)):
        return None
    return float(inside.mean())


def heads_of(dataset: Dataset, index: Any = None) -> Callable[[Any], int]:
    """How many people some rows (n,) of the table, or of the part of it with this index, are of."""
    column = dataset.study.tables[dataset.table].people
    frame = dataset.frame if index is None else dataset.frame.loc[index]
    if column == "row":
        return lambda rows: int(np.sum(rows))
    return lambda rows: int(frame[column][rows].nunique())


def empty_of(dataset: Dataset) -> dict[str, float | None]:
    """The share of empty cells of each column; None where it is not to be told."""
    frame, heads = dataset.frame, heads_of(dataset)
    return {
        str(name): None if dataset.quiet else per_cent_of(frame[name].isna(), dataset, heads) for name in frame.columns
    }
