"""Worker processes: each makes one report at a time, and the death of one costs that report only.

A worker is a process of its own, in its own session, that ends when its owner does. It gets jobs and gives reports as
JSON over a pipe.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from researchkit import wording
from researchkit.batch.key import Key
from researchkit.batch.plan import Job, job_from
from researchkit.errors import PlaceError, ResearchkitError
from researchkit.places import RESULT, alone, place, read_status, sweep_temporary, told_plainly
from researchkit.report import LASTING, ONE_THREAD, Limits, Report, write_failure, write_report

START = "forkserver" if sys.platform == "linux" else "spawn"  # on a Mac, libraries do not survive a fork
LOADED = ["researchkit.batch.ready"]
GRACE = 2.0  # seconds that a worker has to end by itself


@dataclass(frozen=True)
class Task:
    """A job with the key of what it is made from, the limits it has to keep, and what its rows have grown from."""

    job: Job
    key: Key | None
    limits: Limits
    grown: tuple[str, ...] = ()

    def to_json(self) -> bytes:
        told = {"job": self.job.to_dict(), "key": self.key, "limits": asdict(self.limits), "grown": self.grown}
        return json.dumps(told).encode()


def task_from(text: bytes) -> Task:
    told = json.loads(text)
    return Task(job_from(told["job"]), told["key"], Limits(**told["limits"]), tuple(told["grown"]))


def folder_of(job: Job, out: Path) -> Path:
    return place(out, name_of(job), job.question, job.by, job.label)


def name_of(job: Job) -> str:
    """The name of a study that may not even be readable."""
    path = job.study.resolve()
    return path.parent.name if path.stem == "study" else path.stem


def up_to_date(task: Task, out: Path) -> Report | None:
    """The report that an earlier run made from the very same things, where it is still there."""
    folder, job = folder_of(task.job, out), task.job
    held = read_status(folder)
    same = task.key is not None and held.get("key") == task.key and held.get("status") in LASTING
    if not same or not (folder / "report.html").exists():
        return None
    if held["status"] == "ok" and not (folder / "result.json").exists():
        return None
    words = {name: held.get(name, "") for name in ("status", "reason", "word")}
    seconds = float(held.get("seconds") or 0)
    return Report(name_of(job), job.question, job.by, folder=folder, seconds=seconds, unchanged=True, **words)


def make(task: Task, out: Path, *, fresh: bool = False) -> Report:
    """One report, alone in its place; what is expected to go wrong becomes its status."""
    try:
        with told_plainly(folder_of(task.job, out), out):
            return make_alone(task, out, fresh)
    except PlaceError as error:
        return unwritten(task.job, out, str(error))


def make_alone(task: Task, out: Path, fresh: bool) -> Report:
    job = task.job
    with alone(out, str(folder_of(job, out).relative_to(out))):
        if not fresh and (found := up_to_date(task, out)):  # another run has made it while we waited
            return found
        try:
            return write_report(
                job.study,
                job.question,
                by=job.by,
                disclosure=job.disclosure,
                out=out,
                notebook=job.notebook,
                parameters=job.parameters,
                label=job.label,
                key=task.key,
                limits=task.limits,
                grown=task.grown,
            )
        except ResearchkitError as error:
            return failed(job, out, str(error))


def unwritten(job: Job, out: Path, reason: str) -> Report:
    """A report that could not be written down: an older good one stays, else a page says why, if it can be written.

    Elsewhere a page of failure takes the place of an old report; but where writing itself fails, what is there is not
    put at risk. It is never called up to date for what could not be made: its key is that of what it was made from.
    """
    folder = folder_of(job, out)
    if (folder / RESULT).exists():
        told = f"{reason} The report of before is still there."
        return Report(name_of(job), job.question, job.by, "stopped", told, folder)
    return locked_failure(job, out, reason, "stopped")


def failed(job: Job, out: Path, reason: str, status: str = "stopped") -> Report:
    return write_failure(out, name_of(job), job.question, job.by, reason, status, job.label)


def serve(pipe: Connection, out: str, fresh: bool, environment: dict[str, str]) -> None:
    """A worker's life: take a job, make it, hand it back; end when the pipe or the owner ends.

    What it was forked from may have been started long ago, so that it is told the environment of now.
    """
    os.environ.clear()
    os.environ.update(environment)
    if hasattr(os, "setsid"):
        os.setsid()  # the owner decides when a run is interrupted, not the terminal
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_owner, daemon=True).start()
    while True:
        try:
            report = make(task_from(pipe.recv_bytes()), Path(out), fresh=fresh)
        except EOFError:
            return
        pipe.send_bytes(json.dumps(told_of(report)).encode())


def told_of(report: Report) -> dict[str, Any]:
    """A report as JSON carries it."""
    return {**asdict(report), "folder": str(report.folder)}


def end_with_owner() -> None:
    owner = parent_process()
    if owner is not None:
        connection.wait([owner.sentinel])
        os._exit(1)


def ahead() -> None:
    """Begin to load what workers are forked from; does not wait for it."""
    one_thread()
    if START == "forkserver":
        from multiprocessing import forkserver  # not everywhere

        forkserver.set_forkserver_preload(LOADED)
        forkserver.ensure_running()


def one_thread() -> None:
    """Before anything is loaded that would start threads: workers are forked from it."""
    for name in ONE_THREAD:
        os.environ.setdefault(name, "1")


class Worker:
    """One worker process as its owner sees it."""

    def __init__(self, out: Path, fresh: bool) -> None:
        context: Any = get_context(START)
        if START == "forkserver":
            context.set_forkserver_preload(LOADED)
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, str(out), fresh, dict(os.environ)), daemon=True)
        self.process.start()
        theirs.close()
        self.task: Task | None = None
        self.deadline = float("inf")

    def give(self, task: Task, seconds: float | None) -> None:
        self.task = task
        self.deadline = time.monotonic() + seconds if seconds else float("inf")
        self.pipe.send_bytes(task.to_json())

    @property
    def given(self) -> Task:
        if self.task is None:
            raise ValueError("This worker has nothing to do.")
        return self.task

    def take(self) -> Report:
        """The report that came; EOFError or OSError where the worker died."""
        told = json.loads(self.pipe.recv_bytes())
        self.task = None
        return Report(**{**told, "folder": Path(told["folder"])})

    def end(self, *, now: bool = False) -> None:
        """Let it go, or kill it where it does not go or must not wait."""
        self.pipe.close()
        if not now:
            self.process.join(GRACE)
        if self.process.is_alive():
            self.process.kill()
        self.process.join()


def run(
    tasks: Sequence[Task], out: Path, workers: int, *, seconds: float | None = None, fresh: bool = False
) -> Iterator[Report]:
    """Make every report with some workers, in the order in which they come ready.

    Parameters
    ----------
    seconds
        What one report may take from beginning to end; then its worker is killed, and another takes its place.
    """
    one_thread()
    waiting = deque(tasks)
    team = [Worker(out, fresh) for _ in range(min(workers, len(waiting)))]
    try:
        for worker in team:
            worker.give(waiting.popleft(), seconds)
        while busy := [worker for worker in team if worker.task]:
            for worker in ready(busy):
                yield outcome(worker, out, seconds)
                if worker.task:  # it died or was killed over it
                    worker.end(now=True)
                    team[team.index(worker)] = worker = Worker(out, fresh)
                if waiting:
                    worker.give(waiting.popleft(), seconds)
    finally:
        interrupted = sys.exc_info()[0] is not None
        for worker in team:
            worker.end(now=interrupted or worker.task is not None)
        sweep_temporary()  # of those that had to be killed


def ready(busy: Sequence[Worker]) -> list[Worker]:
    """Wait for the workers that have something to say, have died, or have run out of time."""
    first = min(worker.deadline for worker in busy)
    timeout = None if first == float("inf") else max(first - time.monotonic(), 0.0)
    watched: dict[Any, Worker] = {worker.pipe: worker for worker in busy}
    heard = [watched[pipe] for pipe in connection.wait(list(watched), timeout)]  # a death closes the pipe, too
    return heard or [worker for worker in busy if worker.deadline <= time.monotonic()]


def outcome(worker: Worker, out: Path, seconds: float | None) -> Report:
    """The report, or a page that says what became of it."""
    job = worker.given.job
    late = worker.deadline <= time.monotonic() and not worker.pipe.poll()
    if not late:
        try:
            return worker.take()
        except (EOFError, OSError):
            worker.process.join(GRACE)
            how = by_signal(worker.process.exitcode)
            return locked_failure(job, out, f"The worker that made this report {how}. Run it again.", "killed")
    worker.process.kill()
    worker.process.join()
    reason = f"The report took longer than {wording.typed(seconds or 0)} seconds (see `--seconds`)."
    return locked_failure(job, out, reason, "timed out")


def locked_failure(job: Job, out: Path, reason: str, status: str) -> Report:
    """A page that says what became of a report; where not even that can be written, the run alone says it."""
    folder = folder_of(job, out)
    try:
        with told_plainly(folder, out), alone(out, str(folder.relative_to(out))):
            return failed(job, out, reason, status)
    except PlaceError as error:
        both = reason if reason == str(error) else f"{reason} {error}"
        return Report(name_of(job), job.question, job.by, status, both, folder)


def by_signal(exitcode: int | None) -> str:
    if exitcode is None or exitcode >= 0:
        return "ended before it was done"
    return f"was killed (signal {signal.Signals(-exitcode).name})"
