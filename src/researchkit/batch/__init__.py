"""Many reports: what is to be made, what is up to date, made by several workers, and what became of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from researchkit import kernels
from researchkit.batch import cluster, pool
from researchkit.batch.guard import Guard
from researchkit.batch.key import Key, Keys, changed
from researchkit.batch.ledger import record, recorded
from researchkit.batch.memory import FOLDER, Memory
from researchkit.batch.plan import Job, groups, literal, plan, studies
from researchkit.batch.pool import Task, folder_of, locked_failure, make, name_of, up_to_date
from researchkit.errors import ResearchkitError
from researchkit.held import held
from researchkit.places import read_status, sweep, told_plainly
from researchkit.report import Limits, Report, execute, told_to
from researchkit.sources import lying
from researchkit.study import load_study

CORES = os.cpu_count() or 1
__all__ = [
    "Job",
    "Limits",
    "Report",
    "check_fork",
    "groups",
    "literal",
    "plan",
    "record",
    "recorded",
    "run",
    "studies",
    "why",
]


def run(
    jobs: Sequence[Job],
    out: Path,
    workers: int | None = None,
    *,
    fresh: bool = False,
    limits: Limits | None = None,
    seconds: float | None = None,
    dask: str | None = None,
    through: str | None = None,
    say: Callable[[str], object] = print,
) -> Iterator[Report]:
    """Make every report that is not up to date, in the order in which they come ready.

    One that fails does not stop the others. One is left as it is where notebook, parameters, study, rows, package and
    libraries are those of the run that made it.

    Parameters
    ----------
    fresh
        Make all of them, up to date or not.
    limits, seconds
        What a cell, a kernel and a whole report may take.
    dask, through
        The address of a Dask scheduler whose workers make the reports, and one that these come back through where `out`
        is not a folder that all machines share (see `cluster.run`).
    say
        Is told why ordinary kernels serve, where none can be forked, and what has changed in an export without harm.
    """
    with told_plainly(out, out):
        sweep(out)
    keys, memory = Keys(), Memory(out, say)
    where = {(name_of(job), job.question): job.study for job in jobs}
    sound = []
    with ExitStack() as stack:
        ahead = not dask and likely(keys, jobs, out, fresh)
        ready = stack.enter_context(kernels.warm()) if ahead else None
        if ahead and (workers or CORES) > 1 and CORES > 2:  # on two, it would only take time from the two that load
            pool.ahead()
        for job in jobs:
            if why := memory.stops(keys, job):
                yield with_claim(locked_failure(job, out, why, "stopped"), keys, where)
            else:
                sound.append(job)
        how = partial(made_or_left, keys, sound, out, workers, limits or Limits(), dask, through, say, ready)
        for report in how(seconds=seconds, fresh=fresh):
            memory.note(report)
            yield with_claim(report, keys, where)
    with told_plainly(out / FOLDER, out):
        memory.keep()


def likely(keys: Keys, jobs: Sequence[Job], out: Path, fresh: bool) -> bool:
    """Whether several reports will have to be made, by a glance at dates.

    Only keys know, once all rows are read; what makes reports can be loaded meanwhile. Where the glance is wrong, a
    process was started for nothing, or later than it might have been.
    """
    changed: dict[Path, float] = {}
    due = 0
    for job in jobs:
        with suppress(ResearchkitError, OSError):
            if job.study not in changed:
                study = keys.study(job.study)
                files = [path for table in study.tables.values() for file in table.files for path in lying(study, file)]
                changed[job.study] = max(path.stat().st_mtime for path in [study.path, *files])
            page = folder_of(job, out) / "report.html"
            due += fresh or not page.exists() or page.stat().st_mtime < changed[job.study]
        if due > 1:
            return True
    return False


def with_claim(report: Report, keys: Keys, where: Mapping[tuple[str, str], Path]) -> Report:
    """The report with its claim and its question, so that one without a result has its place in the ledger, too."""
    try:
        question = keys.study(where[report.study, report.question]).question(report.question)
    except (ResearchkitError, OSError, KeyError):
        return report
    return replace(report, claim=question.claim, asked=question.title)


def made_or_left(
    keys: Keys,
    jobs: Sequence[Job],
    out: Path,
    workers: int | None,
    limits: Limits,
    dask: str | None,
    through: str | None,
    say: Callable[[str], object],
    ready: kernels.Ready | None,
    *,
    seconds: float | None,
    fresh: bool,
) -> Iterator[Report]:
    """Reports that are up to date as they are, then the others, made; `ready` is what loads for them already."""
    guard, due = Guard(keys, out), []
    for job in jobs:
        task = Task(job, keys.of(job), limits)
        found = None if fresh else up_to_date(task, out)
        if found:
            yield found
        elif reason := guard.reason(job):
            yield guard.held(job, reason)
        else:
            due.append(replace(task, grown=keys.grown(job, folder_of(job, out))))
    if dask:
        yield from map(guard.made, cluster.run(due, out, dask, through=through, seconds=seconds, fresh=fresh))
        return
    workers = min(workers or CORES, len(due))
    if len(due) < 2:  # what loads everything for others would load it for one
        yield from map(guard.made, made(due, out, workers, seconds, fresh))
        return
    with ready or kernels.warm() as loaded, held(keys.groups(task.job for task in due)):
        keys.hold(task.job for task in due)
        for number, report in enumerate(made(due, out, workers, seconds, fresh)):
            if number == 0 and loaded.why:
                say(f"Every report loads its libraries anew. {loaded.why}")
            yield guard.made(report)


def made(due: Sequence[Task], out: Path, workers: int, seconds: float | None, fresh: bool) -> Iterator[Report]:
    """By workers, or here where there is one and no deadline to hold it to."""
    if workers > 1 or (due and seconds is not None):
        return pool.run(due, out, workers, seconds=seconds, fresh=fresh)
    return (make(task, out, fresh=fresh) for task in due)


def check_fork(jobs: Sequence[Job], limits: Limits | None = None) -> Iterator[tuple[Job, list[str]]]:
    """For each job what a forked kernel says otherwise than an ordinary one, a line a difference.

    Raises
    ------
    ReportError
        If no kernel can be forked here, or a notebook leaves nothing to compare.
    """
    for job in jobs:
        study = load_study(job.study)
        asked = study.question(job.question)
        given = told_to(study, asked, job.by, job.disclosure, job.parameters)
        run_it = partial(execute, job.notebook_for(study, asked), given=given, limits=limits or Limits())
        yield job, [str(one) for one in kernels.differences(run_it)]


def why(job: Job, out: Path) -> list[str]:
    """What has changed since a report was last made, in words; nothing where it is up to date."""
    held, new = read_status(folder_of(job, out)), Keys().of(job)
    if not held:
        return ["it has not been made yet"]
    old: Key | None = held.get("key")
    if new is None:
        return ["its study or data cannot be read now, or its rows stay in a database, which is asked anew each time"]
    if old is None:
        return [f"the last run did not finish it ({held.get('status')})"]
    words = changed(old, new)
    if not words and not up_to_date(Task(job, new, Limits()), out):
        return [f"the last run ended with “{held.get('status')}”"]
    return words
