"""What Jupyter asks for a kernel: one forked from the template, or an ordinary one and the reason.

Jupyter finds `ForkProvisioner` by the name `researchkit-fork`, an entry point; the kernel stays `python3`.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo, port_names
from jupyter_client.localinterfaces import localhost
from jupyter_client.provisioning import LocalProvisioner

from researchkit.kernels import client, owner, place, wire
from researchkit.kernels.child import LAUNCHER
from researchkit.kernels.forked import Forked
from researchkit.places import ours_alone

PATIENCE = 120  # seconds for an answer: a template that is being loaded lets its askers wait
LONGEST_PATH = 100  # bytes; a socket's path has at most 107, and a number is put behind ours
TOGETHER = {"cwd", "env"}  # what a caller may say of a kernel that is forked
_own: owner.Ready | None = None
_said: set[str] = set()
_lock = threading.Lock()


class Unfit(Exception):
    """Why this kernel is not forked."""


class ForkProvisioner(LocalProvisioner):
    """Forks Python kernels from the template of this process, or of the one that started it."""

    process: Any = None  # a Popen, or a Forked
    own_folder: Path | None = None

    async def pre_launch(self, **kwargs: Any) -> dict[str, Any]:
        if self.parent and os.name == "posix" and LAUNCHER in self.kernel_spec.argv:
            with suppress(Unfit):  # its folder, which goes when it goes, is to hold the sockets
                template_folder()
            self.give_path(self.parent)
        return await super().pre_launch(**kwargs)

    def give_path(self, manager: Any) -> None:
        """Sockets in a folder of this kernel alone, where nothing was said, or what was said is shared by kernels."""
        ports = any(getattr(manager, name) for name in port_names)
        unsaid = manager.transport == "tcp" and manager.ip == localhost() and not ports
        shared = manager.transport == "ipc" and not Path(manager.ip).is_absolute()
        if not (unsaid or shared or self.too_long(manager)) or getattr(manager, "_connection_file_written", False):
            return
        if folder := own_folder():
            self.own_folder = folder
            manager.transport, manager.ip, manager.cache_ports = "ipc", str(folder / "k"), False

    def too_long(self, manager: Any) -> bool:
        return manager.transport == "ipc" and len(os.fsencode(manager.ip)) > LONGEST_PATH

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        try:
            self.process = await fork(cmd, self._scrub_kwargs(kwargs))
        except Unfit as reason:
            say(str(reason))
            kwargs["env"] = {**place.SAME, **kwargs["env"]}
            return await super().launch_kernel(cmd, **kwargs)
        manager: Any = self.parent
        if getattr(manager, "client_class", "") == client.USUAL:
            manager.client_class = f"{client.__name__}.{client.PromptClient.__name__}"
        self.pid = self.pgid = self.process.pid
        self.cwd = kwargs.get("cwd") or Path.cwd()
        return self.connection_info

    async def send_signal(self, signum: int) -> None:
        if self.process and self.process.poll() is None:  # the number of a dead one may be another's
            await super().send_signal(signum)

    async def kill(self, restart: bool = False) -> None:
        """Nothing of it runs any more when this returns; while the system clears its memory, nobody need wait."""
        await super().kill(restart)
        if isinstance(self.process, Forked):
            self.process.let_go()

    async def cleanup(self, restart: bool = False) -> None:
        await super().cleanup(restart)
        if self.own_folder and not restart:
            shutil.rmtree(self.own_folder, ignore_errors=True)
            self.own_folder = None


async def fork(cmd: list[str], kwargs: dict[str, Any]) -> Forked:
    """A kernel forked from the template.

    Raises
    ------
    Unfit
        If this one is to be an ordinary kernel; says why.
    """
    if reason := place.impossible():
        raise Unfit(reason)
    order, folder = order_of(cmd, kwargs), template_folder()
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        end = connect(folder)
        try:
            wire.send(end, order, (1, 2))
            if process := await answered(end, folder, until):
                return process
        except BaseException:
            end.close()
            raise
    raise Unfit(f"The template gave no kernel in {PATIENCE} seconds.")


def order_of(cmd: list[str], kwargs: dict[str, Any]) -> dict[str, Any]:
    """The kernel that is wanted, in words for the template."""
    if cmd[1:3] != ["-m", LAUNCHER]:
        raise Unfit(f"Only IPython's own kernel is forked, and this is {' '.join(cmd[:3])}.")
    if not same_python(cmd[0]):
        raise Unfit(f"{cmd[0]} is another Python than the template's.")
    if others := sorted(name for name, value in kwargs.items() if value is not None and name not in TOGETHER):
        raise Unfit(f"{', '.join(others)} can only be said of an ordinary kernel.")
    environ = {**kwargs["env"], "JPY_PARENT_PID": str(os.getpid())}
    cwd = str(Path(kwargs.get("cwd") or ".").absolute())
    return {"command": cmd, "prefix": sys.prefix, "env": environ, "cwd": cwd, "limits": limits()}


def same_python(path: str) -> bool:
    """Whether a command is this interpreter, in the same environment: those share one that all of them link to."""
    found, ours = Path(shutil.which(path) or path), Path(sys.executable)
    return found.parent.absolute() == ours.parent.absolute() and found.resolve() == ours.resolve()


def limits() -> dict[str, tuple[int, int]]:
    """This process's limits, which a kernel that it starts itself would have too."""
    import resource

    names = [name for name in dir(resource) if name.startswith("RLIMIT_")]
    return {name: resource.getrlimit(getattr(resource, name)) for name in names}


def template_folder() -> Path:
    """Where the template of this process listens; one is started if there is none."""
    global _own
    if reason := place.impossible():
        raise Unfit(reason)
    with _lock:
        folder = place.announced()
        if not folder and not _own:
            _own = owner.warm()
            atexit.register(_own.close)
            folder = place.announced()
    if not folder:
        raise Unfit(_own.why if _own else "No template was started.")
    if reason := place.reason_in(folder):
        raise Unfit(reason)
    if not ours_alone(folder):
        raise Unfit(f"{folder} is not this user's alone.")
    return folder


def connect(folder: Path) -> socket.socket:
    end = socket.socket(socket.AF_UNIX)
    try:
        end.connect(str(folder / place.SOCKET))
    except OSError as error:
        end.close()
        raise Unfit(place.reason_in(folder) or f"The template does not answer: {error}") from None
    if wire.peer(end)[1] != os.getuid():
        end.close()
        raise Unfit(f"Another user listens in {folder}.")
    return end


async def answered(end: socket.socket, folder: Path, until: float) -> Forked | None:
    """The kernel, once its sockets are bound; None where another template is to be asked."""
    inbox, told = wire.Inbox(end), dict[str, Any]()
    while not told.get("ready"):
        try:
            await arrival(end, until - time.monotonic())
        except TimeoutError:
            raise Unfit("The template does not answer.") from None
        try:
            inbox.take_in()
        except EOFError:
            raise Unfit(place.reason_in(folder) or "The template has ended.") from None
        while message := inbox.message():
            told |= message
        if "again" in told:
            inbox.close()
            return None
        if reason := told.get("no"):
            raise Unfit(reason)
        if "exit" in told:
            raise Unfit(f"The forked kernel ended before it began, with exit {told['exit']}.")
    return Forked(told["pid"], inbox)


async def arrival(end: socket.socket | int, seconds: float) -> None:
    """Until something can be read, or of a handle on a process, until that has ended.

    Raises
    ------
    TimeoutError
        If nothing came in so many seconds.
    """
    loop = asyncio.get_running_loop()
    heard = asyncio.Event()
    loop.add_reader(end, heard.set)
    try:
        await asyncio.wait_for(heard.wait(), seconds)
    finally:
        loop.remove_reader(end)


def own_folder() -> Path | None:
    """A new folder for the sockets of one kernel, with a path that is short enough."""
    for parent in (str(place.announced() or ""), tempfile.gettempdir(), "/tmp"):  # noqa: S108 - the folder in it is private
        if parent and len(os.fsencode(parent)) < LONGEST_PATH - 20 and Path(parent).is_dir():
            return Path(tempfile.mkdtemp(prefix=place.OWN, dir=parent))
    return None


def say(reason: str) -> None:
    """Once for each reason, by a process: a batch would repeat it for every report."""
    if reason not in _said:
        _said.add(reason)
        place.log.warning("An ordinary kernel is started, not a forked one. %s", reason)
