"""A process that makes reports for one worker of a Dask cluster: a line of JSON in, a line of JSON out.

A thread of a Dask worker cannot be stopped, and the worker may have no child by multiprocessing; this process can be
killed when a report takes too long, and what it does to its memory harms nobody else. It ends when its input does.
"""

from __future__ import annotations

import json
import os
import queue
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from researchkit import kernels
from researchkit.batch.key import package, versions
from researchkit.batch.pool import GRACE, Task, make, task_from, told_of
from researchkit.places import LOCKS, sweep_temporary


def main() -> None:
    sweep_temporary()  # of hands that were killed on this machine
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not be read as an answer
    asked: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=listen, args=(asked,), daemon=True).start()
    with kernels.warm():
        while line := asked.get():
            answers.write(json.dumps(answer(json.loads(line))) + "\n")
            answers.flush()


def listen(asked: queue.SimpleQueue[str]) -> None:
    """Hand on every line; when there is no owner any more, end, if need be in the middle of a report."""
    for line in sys.stdin:
        asked.put(line)
    asked.put("")
    time.sleep(GRACE)
    os._exit(1)


def answer(told: dict[str, Any]) -> dict[str, Any]:
    """The report, or why this machine may not make it."""
    task = task_from(told["task"].encode())
    if why := unfit(task, told):
        return {"unfit": f"The worker on {socket.gethostname()} {why}"}
    if not told["through"]:
        return told_of(make(task, Path(told["out"]), fresh=told["fresh"]))
    with tempfile.TemporaryDirectory(prefix="researchkit-") as folder:
        report = make(task, Path(folder))
        send(report.folder, told["through"])
        return told_of(report)


def unfit(task: Task, told: dict[str, Any]) -> str:
    """What keeps this machine from making the very same report as the one that asks for it; "" if nothing."""
    if task.key and task.key["package"] != package():
        return "has another researchkit than this machine. Install the same there."
    if task.key and task.key["versions"] != versions():
        return "has other packages, or other versions of them, than this machine. Install the same requirements.lock."
    if not task.job.study.exists():
        return f"does not see {task.job.study}. The study's folder must have the same path there."
    if not told["through"] and not (Path(told["out"]) / LOCKS / told["sign"]).exists():
        return f"does not see {told['out']}. Share that folder, or name an address that both reach with --through."
    return ""


def send(folder: Path, address: str) -> None:
    """Every file of a report to an address that fsspec knows."""
    from fsspec.core import url_to_fs

    system, root = url_to_fs(address)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        target = f"{root}/{path.relative_to(folder).as_posix()}"
        system.makedirs(target.rpartition("/")[0], exist_ok=True)
        system.put_file(str(path), target)


if __name__ == "__main__":
    main()
