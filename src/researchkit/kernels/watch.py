"""What the owner of a template does while it lasts: start it, hear from it, renew it, end it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from researchkit.kernels import wire
from researchkit.kernels.place import LOG, REASON, SAME, SOCKET, WHILE_LOADING, log

BYE = b"."
ENDING = 2.0  # seconds
STARTS = 5  # a template that dies again and again is not started for ever


@dataclass(eq=False)
class Template:
    """One template process, and the owner's end of its lifeline."""

    process: subprocess.Popen[bytes]
    inbox: wire.Inbox
    retired: bool = False


class Watch(threading.Thread):
    """Keeps one template ready behind a listening socket.

    The socket stays open here. So when a template is renewed, or dies and is started again, an order waits for it
    instead of failing.
    """

    def __init__(self, folder: Path, listener: socket.socket) -> None:
        super().__init__(name="researchkit kernels", daemon=True)
        self.folder, self.listener = folder, listener
        self.told: dict[str, object] = {}
        self.why, self.known = "", threading.Event()
        self._templates: list[Template] = []
        self._starts, self._closing = 0, False
        self._begin()

    def run(self) -> None:
        while self._templates and not self._closing:
            ends = {template.inbox.end: template for template in self._templates}
            for end in wait(list(ends)):
                self._hear(ends[end])  # type: ignore[index]

    @property
    def process(self) -> int | None:
        """The newest template's."""
        return self._templates[-1].process.pid if self._templates else None

    def _begin(self) -> None:
        """A new template process, which takes over the orders that wait."""
        ours, theirs = socket.socketpair()
        environ = os.environ | WHILE_LOADING
        if not environ.get("PYTHONHASHSEED", "").isdigit():  # "random" would be another in every template
            environ |= {"PYTHONHASHSEED": SAME["PYTHONHASHSEED"]}
        told = [str(number) for number in (self.listener.fileno(), theirs.fileno(), os.getpid())]
        with theirs, (self.folder / LOG).open("ab") as written:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter
                [sys.executable, "-m", "researchkit.kernels.template", *told],
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
                cwd=self.folder,  # holds no module that could take the place of another
                env=environ,
                pass_fds=(self.listener.fileno(), theirs.fileno()),
                start_new_session=True,  # Ctrl-C is for the owner, which then ends the template
            )
        self._starts += 1
        self._templates.append(Template(process, wire.Inbox(ours)))

    def _hear(self, template: Template) -> None:
        try:
            template.inbox.take_in()
            while told := template.inbox.message():
                self._heed(template, told)
        except (EOFError, OSError, ValueError):
            self._lost(template)

    def _heed(self, template: Template, told: dict[str, object]) -> None:
        if told.get("stale"):
            template.retired, self._starts = True, 0
            log.info("Code or versions have changed: the kernels' template is loaded anew.")
            self._begin()
        elif reason := told.get("no"):
            template.retired = True
            self.give_up(str(reason))
        else:
            self.told = told
            self.known.set()

    def _lost(self, template: Template) -> None:
        """A template has ended: in its time, or before it, and then another takes its place."""
        self._templates.remove(template)
        template.inbox.close()
        code = template.process.wait()
        if template.retired or self._closing:
            return
        if not self.known.is_set():
            self.give_up(f"The template did not load (exit {code}): {last_line(self.folder / LOG)}")
        elif self._starts < STARTS:
            log.warning("The kernels' template has died (exit %s) and is started again.", code)
            self._begin()
        else:
            self.give_up(f"The template has died {self._starts} times, the last time with exit {code}.")

    def give_up(self, reason: str) -> None:
        """Ordinary kernels from here on; whoever asks the template is told why."""
        self.why = reason
        (self.folder / REASON).write_text(reason, encoding="utf-8")
        (self.folder / SOCKET).unlink(missing_ok=True)
        with suppress(OSError):  # orders that wait see their end at once
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.known.set()

    def close(self) -> None:
        """End every template, and with it its kernels."""
        self._closing = True
        for template in list(self._templates):
            with suppress(OSError):  # not close: a fork of the owner may hold this end as well
                template.inbox.end.sendall(BYE)
                template.inbox.end.shutdown(socket.SHUT_RDWR)
            try:
                template.process.wait(ENDING)
            except subprocess.TimeoutExpired:
                template.process.kill()
                template.process.wait()
        self.join(ENDING)
        self.listener.close()


def last_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    return next((line for line in reversed(lines) if line.strip()), "it said nothing.")
