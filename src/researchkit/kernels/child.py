"""What a child of the template does: wait for an order, then be the ordinary kernel that was asked for.

Whatever a new process would have of its own is made here, after the fork: session, directory, environment, arguments,
limits, randomness, sockets, threads.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from researchkit.kernels import load, wire
from researchkit.kernels.place import SAME, WHILE_LOADING

LAUNCHER = "ipykernel_launcher"
# Variables that are read when a process starts or a library is loaded: where one differs, the template is no match.
AT_START = tuple(
    "PYTHON LD_ LC_ LANG GLIBC_ MALLOC_ OMP_ OPENBLAS_ GOTO_ MKL_ BLIS_ KMP_ NUMEXPR_ ARROW_ "
    "MATPLOTLIBRC MPLCONFIGDIR HOME XDG_CONFIG_HOME VIRTUAL_ENV".split()
)
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
LONG = 86_400.0 * 7  # seconds


def unlike(order: Mapping[str, Any], started: Mapping[str, str]) -> str:
    """Why a child of this template would not be the kernel that was ordered, or nothing."""
    if order["prefix"] != sys.prefix:
        return f"The template runs in {sys.prefix}."
    environ = order["env"]
    for name in sorted({*environ, *started}):
        if not name.startswith(AT_START) or name in WHILE_LOADING:
            continue
        if environ.get(name, SAME.get(name)) != started.get(name):
            return f"{name} is not what it was when the template started."
    if (Path(order["cwd"]) / "matplotlibrc").exists():
        return f"{order['cwd']} has a matplotlibrc of its own."
    return ""


def wait(line: socket.socket, template: int) -> NoReturn:
    """Until the order comes."""
    begin(template)
    inbox = wire.Inbox(line)
    try:
        while not (order := inbox.message()):
            inbox.take_in()
    except EOFError:
        os._exit(0)
    asker, holder, *files = inbox.files
    line.close()
    be_kernel(order, socket.socket(fileno=asker), holder, files, template)


def begin(template: int) -> None:
    """A group of its own, interrupted and killed with all that it starts; and the template's end is the child's."""
    os.setsid()
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != template:  # it died before we asked
        os._exit(1)


def be_kernel(order: dict[str, Any], asker: socket.socket, holder: int, files: list[int], template: int) -> NoReturn:
    """The ordered kernel, from its first message to its last."""
    try:
        settle(order, files)
        app = kernel(sys.argv[1:], template)
    except BaseException as error:
        with contextlib.suppress(OSError):
            wire.send(asker, {"no": f"The forked kernel did not start: {type(error).__name__}: {error}"})
        os._exit(1)
    app.poller = Guard(holder)
    with contextlib.suppress(OSError):
        wire.send(asker, {"ready": True})
    asker.close()
    code = 1
    try:
        app.start()
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        finish(code)


def settle(order: dict[str, Any], files: list[int]) -> None:
    """Directory, environment, limits, output and randomness, as a process has them that the asker had started."""
    for number, file in enumerate(files, 1):  # 1 and 2: where the asker writes
        os.dup2(file, number)
        os.close(file)
    os.chdir(order["cwd"])
    known = {*order["started"], *WHILE_LOADING}
    made = {name: value for name, value in os.environ.items() if name not in known}  # by libraries, for themselves
    os.environ.clear()
    os.environ.update({**SAME, **made, **order["env"]})
    time.tzset()
    limit(order["limits"])
    sys.orig_argv[:] = order["command"]
    sys.argv = [str(find_spec(LAUNCHER).origin), *order["command"][3:]]  # type: ignore[union-attr]
    tempfile.tempdir = None
    refresh()
    gc.enable()


def limit(wanted: Mapping[str, list[int]]) -> None:
    """The limits of the asker (memory, seconds, open files, ...), where they are not ours already."""
    import resource

    for name, values in wanted.items():
        number = getattr(resource, name, None)
        if number is not None and resource.getrlimit(number) != tuple(values):
            resource.setrlimit(number, (values[0], values[1]))


def refresh() -> None:
    """What libraries made when they were loaded, and every process has of its own."""
    modules = sys.modules
    if "numpy.random" in modules:
        modules["numpy.random"].seed()  # numpy's old way has one state for all; `random` sees to itself
    if "multiprocessing.process" in modules:
        multiprocessing = modules["multiprocessing.process"]
        multiprocessing.ORIGINAL_DIR = str(Path.cwd())  # type: ignore[attr-defined]
        multiprocessing.current_process().authkey = os.urandom(32)  # type: ignore[attr-defined]
    backend = os.environ.get("MPLBACKEND")
    if backend and "matplotlib" in modules:
        modules["matplotlib"].rcParams["backend"] = backend  # type: ignore[attr-defined]


def kernel(arguments: list[str], template: int) -> Any:
    """An IPython kernel whose sockets are bound; it answers once it is started."""
    from ipykernel import ipkernel
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance(parent_handle=template, outstream_class=load.STREAM)
    # It tells the debugger to step over whatever is loaded now, by which it means itself. To ask the thousands of
    # modules that are loaded here would also copy their memory, a fifth of all that a kernel's start costs.
    vars(ipkernel)["sys"] = SimpleNamespace(**{**vars(sys), "modules": load.of_the_kernel})
    try:
        app.initialize(arguments)
    finally:
        vars(ipkernel)["sys"] = sys
    return app


class Guard(threading.Thread):
    """In the place of ipykernel's watch over its parent: ends the kernel, and all it started, when its asker dies."""

    def __init__(self, holder: int) -> None:
        super().__init__(daemon=True, name="Guard")
        self.holder = holder

    def run(self) -> None:
        while not wire.readable(self.holder, LONG):
            pass
        os.killpg(0, signal.SIGKILL)


def finish(code: int) -> NoReturn:
    """What Python does at its end, but for taking the loaded libraries apart, which takes longer than all the rest."""
    import atexit

    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
