"""Work in forked children that cannot outlive their time or memory: what came of each, also when it died."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MORE = 4 * 2**30  # bytes of addresses that a child may take beside what its parent had
HUNG = 1800.0  # seconds of the clock after which a child waits for something that never comes


@dataclass(frozen=True)
class Child:
    """A child at work: what it is about, and the folder in which it says how far it is."""

    about: Any
    pid: int
    folder: Path
    began: float

    def told(self) -> dict[str, Any]:
        said = self.folder / "told.json"
        return json.loads(said.read_text(encoding="utf-8")) if said.is_file() else {}


def start(about: Any, work: Callable[[Path], None]) -> Child:
    """Fork, and do `work` in the child; what it has to say it puts into the folder by `tell`."""
    folder = Path(tempfile.mkdtemp(prefix="mutant-"))
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return Child(about, pid, folder, time.monotonic())
    try:
        os.setsid()
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1):
            os.dup2(quiet, stream)
        os.dup2(os.open(folder / "errors.txt", os.O_WRONLY | os.O_CREAT), 2)
        os.environ |= {"TMPDIR": str(folder), "PYTEST_DEBUG_TEMPROOT": str(folder)}
        tempfile.tempdir = str(folder)
        resource.setrlimit(resource.RLIMIT_AS, (_addresses() + MORE, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        work(folder)
    except BaseException:
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(0)


def _addresses() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * resource.getpagesize()


def tell(folder: Path, **said: Any) -> None:
    """Put down what is known so far, so that it is known after a sudden end, too."""
    aside = folder / "told.aside"
    aside.write_text(json.dumps(said), encoding="utf-8")
    aside.replace(folder / "told.json")


def allow(seconds: float) -> None:
    """What begins now may use so many seconds of the processor; then the system ends the process."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def reap(children: list[Child]) -> Iterator[tuple[Child, dict[str, Any]]]:
    """Children that have ended, each with what it told; waits for at least one. Each is taken out of the list."""
    ended: list[tuple[Child, float]] = []
    while not ended:
        time.sleep(0.005)
        for child in children:
            pid, _, used = os.wait4(child.pid, os.WNOHANG)
            if pid:
                ended.append((child, used.ru_utime + used.ru_stime))
            elif time.monotonic() - child.began > HUNG:
                os.killpg(child.pid, signal.SIGKILL)
    for child, seconds in ended:
        children.remove(child)
        try:
            os.killpg(child.pid, signal.SIGKILL)  # what it may have started itself
        except ProcessLookupError:
            pass
        told = child.told()
        if not told:
            raise RuntimeError(f"{child.about}: {(child.folder / 'errors.txt').read_text(errors='replace')[-3000:]}")
        shutil.rmtree(child.folder, ignore_errors=True)
        yield child, told | {"seconds": round(seconds, 2)}
