"""Work done in a child process, whose death, hang or hunger for memory is told like any other failure."""

from __future__ import annotations

import os
import resource
import select
import signal
import time
import traceback
from collections.abc import Callable

SECONDS = 20  # of the processor
PATIENCE = 15  # times as long by the clock, for the machine may be busy
MEMORY = 6 * 2**30  # bytes of addresses that a child may take beyond none


def bounded(work: Callable[[], object], *expected: type[Exception], seconds: int = SECONDS) -> str:
    """ "" where `work` ended well or by an expected error; else how it ended: its traceback, "killed", or "hangs"."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _work(work, expected, writing, seconds)
    os.close(writing)
    try:
        told = b""
        while select.select([reading], [], [], PATIENCE * seconds)[0]:
            part = os.read(reading, 65536)
            if not part:
                break
            told += part
        else:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return f"hangs for more than {PATIENCE * seconds} seconds"
    finally:
        os.close(reading)
    status = os.waitpid(child, 0)[1]
    if status & 127 == signal.SIGXCPU:
        return f"takes more than {seconds} seconds of the processor"
    return f"killed by signal {status & 127}" if status & 127 else told.decode()


def _work(work: Callable[[], object], expected: tuple[type[Exception], ...], writing: int, seconds: int) -> None:
    """What the child does; it never returns."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY if hard < 0 else min(MEMORY, hard), hard))
    spent = int(time.process_time()) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (spent + seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    try:
        work()
    except expected:
        pass
    except BaseException:
        os.write(writing, shortened(traceback.format_exc()).encode())
    finally:
        os._exit(0)


def shortened(text: str, most: int = 4000) -> str:
    return text if len(text) <= most else f"{text[:most]}..."
