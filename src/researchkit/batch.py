"""Many reports: what is to be made, made by several workers, and what became of each."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from researchkit import sources
from researchkit.dataset import load_dataset
from researchkit.errors import ParameterError, ResearchkitError
from researchkit.faults import nearest
from researchkit.readers.values import distinct
from researchkit.report import Report, check_parameters, notebook_of, write_failure, write_report
from researchkit.study import Study, load_study


@dataclass(frozen=True)
class Job:
    """One report to make."""

    study: Path
    question: str
    by: str | None = None
    disclosure: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


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
) -> list[Job]:
    """One job a question, or one a question and value of the column `by`."""
    jobs = []
    for study in chosen:
        asked = [study.question(question)] if question else study.questions
        for one in asked:
            check_parameters(notebook_of(study, one), parameters or {})  # before any page is replaced
            values = groups(study, study.table_of(one), by) if by else [None]
            jobs += [Job(study.path, one.id, value, disclosure, dict(parameters or {})) for value in values]
    return jobs


def groups(study: Study, table: str, column: str) -> list[str]:
    """Every value of a column as "column=value"."""
    frame = load_dataset(study, table).frame
    if column not in frame:
        raise ParameterError(
            f"{study.path}: {column!r} is no column that the study uses or declares{nearest(column, frame.columns)}. "
            f"To make one report for each of its values, declare it: `columns: {{{column}: {{type: category}}}}`."
        )
    if not (values := distinct(frame[column])):
        raise ParameterError(f"{study.path}: {column} is empty in every row, so there is nothing to make reports by.")
    return [f"{column}={value}" for value in values]


def run(jobs: Sequence[Job], out: Path, workers: int | None = None) -> Iterator[Report]:
    """Make every report, in the order in which they come ready; one that fails does not stop the others."""
    workers = min(workers or os.cpu_count() or 1, len(jobs) or 1)
    if workers == 1:
        yield from (one(job, out) for job in jobs)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(one, job, out): job for job in jobs}
        for future in as_completed(futures):
            job = futures[future]
            try:
                yield future.result()
            except Exception as error:  # a worker that was killed takes along what it did and all that still waits
                yield stopped(job, out, f"A worker died, and this report was not made. Run it again. ({error})")


def one(job: Job, out: Path) -> Report:
    """One report; what is expected to go wrong becomes its status."""
    try:
        return write_report(
            job.study, job.question, by=job.by, disclosure=job.disclosure, out=out, parameters=job.parameters
        )
    except ResearchkitError as error:
        return stopped(job, out, str(error))


def stopped(job: Job, out: Path, reason: str) -> Report:
    path = job.study.resolve()
    name = path.parent.name if path.stem == "study" else path.stem
    return write_failure(out, name, job.question, job.by, reason)


def record(reports: Sequence[Report], out: Path) -> Path:
    """`run.json`: what became of each report, in this run or in the last one that made it."""
    told = [
        {**asdict(report), "folder": str(report.folder.relative_to(out)), "page": str(report.page.relative_to(out))}
        for report in reports
    ]
    made = {entry["page"] for entry in told}
    told = [entry for entry in recorded(out) if entry["page"] not in made and (out / entry["page"]).exists()] + told
    path, aside = out / "run.json", out / ".run.json"
    aside.write_text(json.dumps({"schema": 1, "reports": told}, indent=1, ensure_ascii=False), encoding="utf-8")
    aside.replace(path)
    return path


def recorded(out: Path) -> list[dict[str, Any]]:
    """What earlier runs said of their reports; nothing where there was none or it cannot be read."""
    try:
        return [entry for entry in json.loads((out / "run.json").read_text("utf-8"))["reports"] if "page" in entry]
    except (OSError, ValueError, KeyError, TypeError):
        return []
