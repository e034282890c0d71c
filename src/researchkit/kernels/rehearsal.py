"""The proof, before the first kernel, that a forked one works: one child does what the kernel of a report does."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn

from researchkit.kernels import child, load, wire

PATIENCE = 60  # seconds
SIZE = 200  # rows and columns of the system of equations
FIGURE = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"
CHANNELS = ("shell", "iopub", "stdin", "control", "hb")


def rehearse() -> dict[str, Any]:
    """Fork that child; what it found and loaded, or under "no" why no kernel is to be forked."""
    template = os.getpid()
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(read)
        perform(write, template)
    os.close(write)
    if not wire.readable(read, PATIENCE):
        os.kill(pid, signal.SIGKILL)
    with os.fdopen(read, "rb") as told:
        text = told.read()
    return judge(text, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def perform(write: int, template: int) -> NoReturn:
    """In the child: count threads, solve equations, start a shell, show a figure."""
    found: dict[str, Any] = {}
    try:
        child.begin(template)
        found["threads"] = load.threads()
        found["error"] = equations()
        before = set(sys.modules)
        found["figures"] = figures(template)
        found["modules"] = sorted(set(sys.modules) - before)
    except BaseException as error:
        found["failed"] = f"{type(error).__name__}: {error}"
    finally:
        os.write(write, json.dumps(found).encode())
        os._exit(0)


def equations() -> float:
    """How far a system of equations is from solved; also whether linear algebra still runs at all."""
    import numpy as np

    rows = np.random.default_rng(1).normal(size=(SIZE, SIZE))
    return float(np.abs(rows @ np.linalg.solve(rows, np.ones(SIZE)) - 1).max())


def figures(template: int) -> int:
    """How many images a cell shows that draws one."""
    from IPython.utils.capture import capture_output

    ports = {f"{channel}_port": number for number, channel in enumerate(CHANNELS, 1)}
    about = {"transport": "ipc", "key": "rehearsal", "signature_scheme": "hmac-sha256", **ports}
    with tempfile.TemporaryDirectory(prefix="rk-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "kernel.json"
        file.write_text(json.dumps({**about, "ip": f"{folder}/k"}), encoding="utf-8")
        app = child.kernel(["-f", str(file), "--HistoryManager.hist_file=:memory:"], template)
        with capture_output() as shown:
            app.shell.run_cell(FIGURE)
        return sum("image/png" in output.data for output in shown.outputs)


def judge(text: bytes, code: int) -> dict[str, Any]:
    """What the child found, or under "no" what speaks against forking."""
    if not text:
        return {"no": f"The forked process ended (exit {code}) or hung before it had solved and drawn anything."}
    found: dict[str, Any] = json.loads(text)
    if "failed" in found:
        return {"no": f"A forked kernel does not work: {found['failed']}"}
    if found["threads"] != 1:
        return {"no": f"A forked process began with {found['threads']} threads."}
    if not found["error"] < 1e-8:
        return {"no": "A forked process did not solve a system of equations."}
    if found["figures"] != 1:
        return {"no": f"A forked kernel showed {found['figures']} images where it was to show one."}
    return found
