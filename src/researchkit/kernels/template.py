"""The process that kernels are forked from: `python -m researchkit.kernels.template`, started by `owner`.

It loads what a report needs, proves in a fork that a forked kernel works, and then forks one for each order. It has
one thread and no event loop, has made no zmq context and no shell, has read no data and called no linear algebra: what
is true of it is true of each child, and nothing is there that a fork breaks. One child is always forked ahead; it
waits while the kernels before it work.

The template ends when its owner does, by a lifeline and by the system's handle on the owner, and takes every kernel
along. A kernel whose asker dies, or hangs up, is killed with all that it started.
"""

from __future__ import annotations

import gc
import os
import selectors
import shutil
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from researchkit.kernels import child, load, place, wire
from researchkit.kernels.key import Key
from researchkit.kernels.rehearsal import rehearse

PATIENCE = 10  # seconds that a child may take to take its order
SOON = 1.0
STILLBORN = 3  # children that died while they waited, before none is forked ahead any more


@dataclass(eq=False)
class Fork:
    """A child, the system's handle on it, and the line by which it gets its order."""

    pid: int
    handle: int
    line: socket.socket
    asker: socket.socket | None = None

    def kill(self) -> None:
        """The child and all that it started; a child that has not begun is a group of its own not yet."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, signal.SIGKILL)
            os.killpg(self.pid, signal.SIGKILL)


@dataclass(eq=False)
class Asker:
    """Someone who has connected; `fork` is the kernel that was ordered, once the order has arrived."""

    inbox: wire.Inbox
    pid: int
    fork: Fork | None = None


@dataclass
class Template:
    """The loaded process and its loop."""

    listener: socket.socket
    lifeline: socket.socket
    holder: int  # the system's handle on the owner
    key: Key
    wanted: bool = True  # false once another template has taken over
    spare: Fork | None = None
    stillborn: int = 0
    forks: set[Fork] = field(default_factory=set)
    askers: dict[socket.socket, Asker] = field(default_factory=dict)
    started: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def __post_init__(self) -> None:
        self.events = selectors.PollSelector()
        self.events.register(self.holder, selectors.EVENT_READ, self.leave)
        self.events.register(self.lifeline, selectors.EVENT_READ, self.leave)

    def look_up(self) -> None:
        """While it loads and there is no loop yet: an owner that has gone needs no template."""
        if wire.readable(self.holder) or wire.readable(self.lifeline):
            self.leave()

    def serve(self) -> None:
        """Until the owner ends, or until a template that was replaced has no kernel left."""
        self.listener.setblocking(False)
        self.events.register(self.listener, selectors.EVENT_READ, self.meet)
        while self.wanted or self.forks:
            full = self.spare or not self.wanted or self.stillborn >= STILLBORN
            ready = self.events.select(None if full else 0)
            if not ready:  # nobody waits: the time to make the next one
                self.spare = self.fork()
            for key, _ in ready:
                if key.fd in self.events.get_map():  # what came first may have ended it
                    key.data()
        self.leave()

    def meet(self) -> None:
        """Somebody connects; only this user may."""
        try:
            end, _ = self.listener.accept()
        except OSError:  # gone again
            return
        pid, user = wire.peer(end)
        if user != os.getuid():
            end.close()
            return
        end.setblocking(False)
        self.askers[end] = Asker(wire.Inbox(end), pid)
        self.events.register(end, selectors.EVENT_READ, lambda: self.hear(end))

    def hear(self, end: socket.socket) -> None:
        """An order arrives, or the asker has gone: then its kernel goes too."""
        asker = self.askers[end]
        try:
            asker.inbox.take_in()
            order = asker.inbox.message()
            if order is not None and not asker.fork:
                self.obey(asker, order)
        except (EOFError, OSError, ValueError, LookupError, TypeError):  # hung up, or said what none of us says
            if end in self.askers:
                self.drop(end)

    def obey(self, asker: Asker, order: dict[str, Any]) -> None:
        end = asker.inbox.end
        if self.wanted and self.key.stale():
            self.retire()
        if not self.wanted:
            wire.send(end, {"again": True})
            self.drop(end)
        elif reason := child.unlike(order, self.started):
            wire.send(end, {"no": reason})
            self.drop(end)
        else:
            holder = os.pidfd_open(asker.pid)
            asker.fork = self.hand_over(asker, order, holder)
            wire.send(end, {"pid": asker.fork.pid}, (asker.fork.handle,))

    def hand_over(self, asker: Asker, order: dict[str, Any], holder: int) -> Fork:
        """The child that waits, or where there is none a new one, gets the order."""
        fork, self.spare = self.spare or self.fork(), None
        fork.asker = asker.inbox.end
        order["started"] = list(self.started)
        with suppress(OSError):  # it has died while it waited: its asker is told when it is buried
            fork.line.settimeout(PATIENCE)
            wire.send(fork.line, order, (fork.asker.fileno(), holder, *asker.inbox.files[:2]))
        fork.line.close()
        for file in (holder, *asker.inbox.files):
            os.close(file)
        asker.inbox.files.clear()
        return fork

    def fork(self) -> Fork:
        """A child that waits for its order."""
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if not pid:
            self.become(theirs)
        theirs.close()
        fork = Fork(pid, os.pidfd_open(pid), ours)
        self.forks.add(fork)
        self.events.register(fork.handle, selectors.EVENT_READ, lambda: self.bury(fork))
        return fork

    def become(self, line: socket.socket) -> NoReturn:
        """In the child: nothing of the template's stays open but the line to it."""
        template = os.getppid()
        for end in (self.listener, self.lifeline, *(fork.line for fork in self.forks)):
            end.close()
        for asker in self.askers.values():
            asker.inbox.close()
        for handle in (self.holder, *(fork.handle for fork in self.forks)):
            os.close(handle)
        child.wait(line, template)

    def bury(self, fork: Fork) -> None:
        """A child has died: what it started dies too, and its asker is told how it ended."""
        self.events.unregister(fork.handle)
        with suppress(ProcessLookupError):  # before it is reaped: until then its number is nobody else's
            os.killpg(fork.pid, signal.SIGKILL)
        _, status = os.waitpid(fork.pid, 0)
        os.close(fork.handle)
        fork.line.close()
        self.forks.discard(fork)
        if self.spare is fork:
            self.spare, self.stillborn = None, self.stillborn + 1
        if fork.asker in self.askers:
            with suppress(OSError):
                wire.send(fork.asker, {"exit": os.waitstatus_to_exitcode(status)})
            self.forget(fork.asker)

    def drop(self, end: socket.socket) -> None:
        """The asker is gone or refused; a kernel of its own has nobody left."""
        fork = self.askers[end].fork
        self.forget(end)
        if fork in self.forks:
            fork.kill()

    def forget(self, end: socket.socket) -> None:
        self.events.unregister(end)
        self.askers.pop(end).inbox.close()

    def retire(self) -> None:
        """Code or versions have changed: the kernels that run are not disturbed, the next are another template's."""
        self.wanted = False
        self.events.unregister(self.listener)
        self.listener.close()
        if self.spare:
            self.spare.kill()
        wire.send(self.lifeline, {"stale": True})

    def leave(self) -> NoReturn:
        """The owner has ended: so do all kernels, and where it was killed, its folder goes too."""
        for fork in self.forks:
            fork.kill()
        self.lifeline.setblocking(False)
        try:
            asked = self.lifeline.recv(1)
        except OSError:
            asked = b""
        # A process that is killed lets go of its open files a moment before the system calls it dead.
        if not asked and wire.readable(self.holder, SOON):
            clear(Path.cwd())
        os._exit(0)


def clear(folder: Path) -> None:
    """Remove the owner's folder: what we put there, and nothing else."""
    for name in (place.SOCKET, place.REASON, place.LOG):
        (folder / name).unlink(missing_ok=True)
    for sockets in folder.glob(f"{place.OWN}*"):
        shutil.rmtree(sockets, ignore_errors=True)
    with suppress(OSError):
        folder.rmdir()


def main(arguments: list[str]) -> None:
    listener, lifeline, holder = (int(argument) for argument in arguments)
    began = time.perf_counter()
    gc.disable()  # a collection in a child would copy every page that it shares with the others
    line, key = socket.socket(fileno=lifeline), Key()  # before anything of ours is loaded that could change meanwhile
    template = Template(socket.socket(fileno=listener), line, os.pidfd_open(holder), key)
    load.everything(template.look_up)
    loaded = time.perf_counter()
    told = {"no": reason} if (reason := load.unsafe()) else rehearse()
    load.names(told.pop("modules", []))
    if "no" not in told and (reason := load.unsafe()):
        told = {"no": reason}
    wire.send(line, told | {"loading": loaded - began, "rehearsal": time.perf_counter() - loaded})
    if "no" in told:
        os._exit(1)
    gc.freeze()  # what was garbage by now stays: to look for it takes longer than a kernel
    template.serve()


if __name__ == "__main__":
    del sys.path[0]  # the owner's folder, put there by `-m`
    main(sys.argv[1:])
