"""What is to be made: one report a question, a value of a column, or a row of a file of parameters."""

from __future__ import annotations

import ast
import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from researchkit import sources
from researchkit.errors import ParameterError, ResearchkitError, listing
from researchkit.faults import nearest
from researchkit.parameters import check_parameters, parameters_of
from researchkit.parts import Question
from researchkit.readers.values import distinct
from researchkit.report import notebook_of
from researchkit.study import Study, load_study
from researchkit.warehouse import Warehouse, load

OWN = ("question", "by", "disclosure")  # columns of a file of parameters that are not the notebook's business alone
MOST_ROWS = 100_000


@dataclass(frozen=True)
class Job:
    """One report to make. `label` names its folder below the question where the parameters alone tell it apart."""

    study: Path
    question: str
    by: str | None = None
    disclosure: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    label: str | None = None
    notebook: Path | None = None  # in place of that of the question's family

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "study": str(self.study), "notebook": str(self.notebook) if self.notebook else None}

    def notebook_for(self, study: Study, question: Question) -> Path:
        return self.notebook or notebook_of(study, question)


def job_from(told: Mapping[str, Any]) -> Job:
    """The job that `to_dict` told of."""
    notebook = Path(told["notebook"]) if told["notebook"] else None
    return Job(**{**told, "study": Path(told["study"]), "notebook": notebook})


def studies(paths: Sequence[str | Path], data: Path) -> list[Study]:
    """The studies named, or, where none is, every study under `data` whose data are at hand."""
    if paths:
        return [load_study(path) for path in paths]
    found = [load_study(path) for path in sorted(data.glob("*/study.yml"))]
    return [study for study in found if sources.at_hand(study)]


def plan(
    chosen: Sequence[Study],
    *,
    question: str | None = None,
    by: str | None = None,
    disclosure: str | None = None,
    parameters: dict[str, Any] | None = None,
    rows: Path | None = None,
    notebook: Path | None = None,
) -> list[Job]:
    """Every report to make, checked before anything starts.

    Parameters
    ----------
    by
        One report for each value of this column.
    parameters
        Parameters of the notebook, for every report.
    rows
        A CSV file with a header: one report a row and question, its cells the parameters of that report (and, under
        `question`, `by` and `disclosure`, what the options of those names say).
    notebook
        In place of that of each question's family.

    Raises
    ------
    ParameterError
        With every fault of the parameters at once, before any page is replaced.
    """
    common = Job(Path(), question or "", by, disclosure, dict(parameters or {}), notebook=notebook)
    jobs = []
    for study in chosen:
        found = cache(partial(values_of, study))  # a table is read once, not once a question
        for row in [common] if rows is None else list(from_rows(rows, common, study)):
            asked = [study.question(row.question)] if row.question else study.questions
            for one in asked:
                check_parameters(row.notebook_for(study, one), row.parameters)
                jobs += [
                    replace(row, study=study.path, question=one.id, by=value)
                    for value in found(study.table_of(one), row.by)
                ]
    refuse_doubles(jobs)
    return jobs


def values_of(study: Study, table: str, by: str | None) -> list[str | None]:
    """The groups that `by` asks for: the one of "column=value", each of a column, or everybody."""
    if not by:
        return [None]
    return [by] if "=" in by else list(groups(study, table, by))


def groups(study: Study, table: str, column: str) -> list[str]:
    """Every value of a column as "column=value"."""
    there, values = entries(study, table, column)
    if column not in there:
        raise ParameterError(
            f"{study.path}: {column!r} is no column that the study uses or declares{nearest(column, there)}. "
            f"To make one report for each of its values, declare it: `columns: {{{column}: {{type: category}}}}`."
        )
    if not values:
        raise ParameterError(f"{study.path}: {column} is empty in every row, so there is nothing to make reports by.")
    return [f"{column}={value}" for value in values]


def entries(study: Study, table: str, column: str) -> tuple[list[str], list[str]]:
    """The columns of a table, and the values that one of them holds."""
    held = load(study, table)
    if not isinstance(held, Warehouse):
        there = [str(name) for name in held.frame.columns]
        return there, distinct(held.frame[column]) if column in there else []
    try:
        there = list(held.look.entries)
        return there, held.codes(column) if column in there else []
    finally:
        held.close()


def from_rows(path: Path, common: Job, study: Study) -> Iterator[Job]:
    """A job (with its question left open where the file names none) for each row of a file of parameters."""
    header, lines = read_rows(path)
    problems: list[str] = []
    for number, line in lines:
        cells = dict(zip(header, line, strict=False))
        if len(line) != len(header):
            problems.append(f"line {number}: {len(line)} cells, and the header has {len(header)}.")
            continue
        own = {name: cells[name] for name in OWN if cells.get(name)}
        asked = own.get("question") or common.question
        try:
            one = study.question(asked) if asked else study.questions[0]
            source = common.notebook_for(study, one)
            typed = as_declared(source, {name: cell for name, cell in cells.items() if name not in OWN})
            check_parameters(source, typed)
        except ResearchkitError as error:
            problems.append(f"line {number}: {error}")
            continue
        label = ",".join(f"{name}={value}" for name, value in typed.items()) or None
        by, profile = own.get("by") or common.by, own.get("disclosure") or common.disclosure
        everything = {**common.parameters, **typed}
        yield replace(common, question=asked, by=by, disclosure=profile, parameters=everything, label=label)
    if problems:
        raise ParameterError(listing(str(path), problems))


def read_rows(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and each row with the number of its line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            found = [(reader.line_num, line) for line in reader if any(line)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ParameterError(f"{path} cannot be read as a CSV file in UTF-8: {error}.") from None
    if len(found) < 2:
        raise ParameterError(f"{path} needs a header and at least one row of parameters.")
    if len(found) > MOST_ROWS:
        raise ParameterError(f"{path} has {len(found):,} rows; one run makes at most {MOST_ROWS:,} reports.")
    header = [name.strip() for name in found[0][1]]
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise ParameterError(f"{path}: the column {twice[0]!r} is there twice.")
    return header, found[1:]


def as_declared(notebook: Path, cells: Mapping[str, str]) -> dict[str, Any]:
    """Cells as the notebook's own parameters have them: text stays text ("029"), a number becomes one."""
    declared, _ = parameters_of(notebook)
    return {name: text if isinstance(declared.get(name, ""), str) else literal(text) for name, text in cells.items()}


def literal(value: str) -> Any:
    """A parameter as Python reads it; what is no literal is text."""
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return value


def refuse_doubles(jobs: Sequence[Job]) -> None:
    """Two jobs for one folder: the second would replace what the first has made."""
    seen: set[tuple[Path, str, str | None, str | None]] = set()
    for job in jobs:
        place = (job.study, job.question, job.by, job.label)
        if place in seen:
            told = " / ".join(part for part in (job.question, job.by, job.label) if part)
            raise ParameterError(f"Two reports would go to one place: {told}. Leave one of them out.")
        seen.add(place)
