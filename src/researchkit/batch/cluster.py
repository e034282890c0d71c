"""Beyond one machine: the same tasks, made by the workers of a Dask cluster.

The scheduler hands tasks out and gives those of a lost worker to another. Reports come back through a folder that all
machines share, or through any address that fsspec knows, and are put in their places here.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from researchkit import wording
from researchkit.batch.pool import Task, by_signal, folder_of, locked_failure, make, unwritten
from researchkit.errors import PlaceError, ReportError
from researchkit.places import LOCKS, alone, staged, told_plainly
from researchkit.report import Report

PATIENCE = 30  # seconds that a scheduler has to answer
IDLE: queue.SimpleQueue[Hand] = queue.SimpleQueue()  # on a worker: the processes that have nothing to do


class Hand:
    """On a worker: one process that makes reports, as `hand` describes it."""

    def __init__(self) -> None:
        words = [sys.executable, "-m", "researchkit.batch.hand"]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")  # noqa: S603 - our own interpreter and module

    def ask(self, words: str, seconds: float | None) -> dict[str, Any]:
        """The answer; or how the process ended, which after so many seconds is by us."""
        asked, answers = self.process.stdin, self.process.stdout
        if asked is None or answers is None:
            raise ValueError("A hand has both pipes.")
        late = threading.Timer(seconds or threading.TIMEOUT_MAX, self.process.kill)
        late.daemon = True
        late.start()
        try:
            asked.write(words + "\n")
            asked.flush()
            line = answers.readline()
        except OSError:
            line = ""
        ended = not late.is_alive()
        late.cancel()
        if line:
            IDLE.put(self)
            return dict(json.loads(line))
        self.process.kill()
        return {"died": self.process.wait(), "late": ended}


def made_there(words: str, seconds: float | None) -> dict[str, Any]:
    """On a worker: one report, by a process that is idle or by a new one."""
    while True:
        try:
            hand = IDLE.get_nowait()
        except queue.Empty:
            hand = Hand()
        if hand.process.poll() is None:
            return hand.ask(words, seconds)


def run(
    tasks: Sequence[Task],
    out: Path,
    address: str,
    *,
    through: str | None = None,
    seconds: float | None = None,
    fresh: bool = False,
) -> Iterator[Report]:
    """Make every report on the cluster, in the order in which they come ready.

    Parameters
    ----------
    address
        Of the scheduler (`tcp://...`, `tls://...`), or the file that it has written for its clients.
    through
        An address of fsspec that workers write to and this machine reads from; None where `out` is a shared folder.
    seconds
        What one report may take.

    Raises
    ------
    ReportError
        If no scheduler answers, or a worker has other packages or does not see the study or the folder.
    """
    here = [task for task in tasks if task.key is None]  # cannot be read even here, and says so
    yield from (make(task, out, fresh=fresh) for task in here)
    there = [task for task in tasks if task.key is not None]
    if there:
        with signed(out) as sign, connected(address) as client:
            yield from results(
                client, there, out.resolve(), {"through": through, "fresh": fresh, "sign": sign}, seconds
            )


def results(
    client: Any, tasks: Sequence[Task], out: Path, told: dict[str, Any], seconds: float | None
) -> Iterator[Report]:
    from distributed import as_completed

    mark = uuid.uuid4().hex[:12]
    futures = {}
    for number, task in enumerate(tasks):
        name = f"researchkit-{mark}-{number}"
        through = f"{told['through'].rstrip('/')}/{name}" if told["through"] else None
        words = json.dumps({**told, "task": task.to_json().decode(), "out": str(out), "through": through})
        futures[client.submit(made_there, words, seconds, key=name, pure=False)] = (task, through)
    try:
        for future in as_completed(list(futures), loop=client.loop):
            yield taken(future, *futures.pop(future), out, seconds)
            future.release()
    finally:
        client.cancel(list(futures))


def taken(future: Any, task: Task, through: str | None, out: Path, seconds: float | None) -> Report:
    """The report in its place here, or a page that says what became of it."""
    error = future.exception() if future.status != "cancelled" else None
    if future.status != "finished":
        name = type(error).__name__ if error else "the scheduler was lost"
        reason = f"The cluster did not bring this report to an end ({name}: {error}). Run it again."
        return locked_failure(task.job, out, reason, "killed")
    told = future.result()
    if "unfit" in told:
        raise ReportError(told["unfit"])
    if told.get("late"):
        reason = f"The report took longer than {wording.typed(seconds or 0)} seconds (see `--seconds`)."
        return locked_failure(task.job, out, reason, "timed out")
    if "died" in told:
        how = by_signal(told["died"])
        return locked_failure(task.job, out, f"The process that made this report {how}. Run it again.", "killed")
    folder = folder_of(task.job, out)
    if through:
        name = str(folder.relative_to(out))
        try:
            with told_plainly(folder, out), alone(out, name), staged(out, folder) as staging:
                fetch(through, staging)
        except PlaceError as error:
            return unwritten(task.job, out, str(error))
    return Report(**{**told, "folder": folder})


def fetch(address: str, staging: Path) -> None:
    """Bring every file of a report here, and leave nothing there."""
    from fsspec.core import url_to_fs

    system, root = url_to_fs(address)
    for name in system.find(root):
        target = staging / name.removeprefix(root).lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        system.get_file(name, str(target))
    system.rm(root, recursive=True)


@contextmanager
def signed(out: Path) -> Iterator[str]:
    """A file in the reports folder by which a worker knows that it sees the same folder."""
    (out / LOCKS).mkdir(parents=True, exist_ok=True)
    sign = out / LOCKS / f"{uuid.uuid4().hex}.sign"
    sign.touch()
    try:
        yield sign.name
    finally:
        sign.unlink(missing_ok=True)


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """A client of the scheduler."""
    try:
        from distributed import Client
    except ImportError:
        raise ReportError("A Dask cluster needs more packages: pip install 'researchkit[cluster]'.") from None
    where = {"scheduler_file": address} if Path(address).is_file() else {"address": address}
    try:
        client = Client(**where, timeout=PATIENCE, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ReportError(f"No Dask scheduler answers at {address}: {error}") from None
    try:
        yield client
    finally:
        client.close()
