"""A forked kernel in the hands of whoever asked for it, used like a `subprocess.Popen`."""

from __future__ import annotations

import contextlib
import os
import signal
import time

from researchkit.kernels import wire

LONG = 86_400.0 * 7
TELLING = 0.5  # seconds that the template has to say how a kernel ended


class Forked:
    """Whether it lives is asked of the system, by the handle that came with it; only how it ended, of the template."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int, inbox: wire.Inbox) -> None:
        self.pid, self.returncode = pid, None  # type: tuple[int, int | None]
        self._inbox, self._handle = inbox, inbox.files.pop(0)

    def poll(self) -> int | None:
        """How it ended, or None while it lives."""
        if self.returncode is None and wire.readable(self._handle):
            self.returncode = self._told()
            self._close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            wire.readable(self._handle, LONG if timeout is None else timeout)
        code = self.poll()
        if code is None:
            raise TimeoutError(f"Kernel {self.pid} still runs after {timeout} seconds.")
        return code

    def send_signal(self, signum: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signum)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def let_go(self) -> None:
        """Count as ended, once it has been killed: the template sees to the rest."""
        if self.returncode is None:
            self.returncode = -signal.SIGKILL
            self._close()

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def _told(self) -> int:
        """How it ended, as the template says; where that is gone, it has taken the kernel along."""
        until = time.monotonic() + TELLING
        try:
            while True:
                while message := self._inbox.message():
                    if "exit" in message:
                        return int(message["exit"])
                if not wire.readable(self._inbox.end, until - time.monotonic()):
                    break
                self._inbox.take_in()
        except (EOFError, OSError, ValueError):
            with contextlib.suppress(ProcessLookupError):  # what the kernel had started is left to us
                os.killpg(self.pid, signal.SIGKILL)
        return -signal.SIGKILL

    def _close(self) -> None:
        self._inbox.close()
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __del__(self) -> None:
        self._close()
