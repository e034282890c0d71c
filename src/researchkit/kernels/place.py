"""Where a template listens, why it does not, and what is the same in every kernel."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

NAME = "researchkit-fork"  # of the provisioner, in pyproject.toml
JUPYTER = "JUPYTER_DEFAULT_PROVISIONER_NAME"
WHERE = "RESEARCHKIT_TEMPLATE"  # the folder of the template's socket
SWITCH = "RESEARCHKIT_FORK"
SOCKET, REASON, LOG = "ask", "why", "log"  # in that folder
OWN = "k-"  # before the name of a folder with the sockets of one kernel
# The same in forked and in ordinary kernels, for a result must not depend on which of the two made it.
SAME = {"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# Needed while the template loads: figures go to the notebook, pyarrow starts no thread, debugpy writes nothing.
WHILE_LOADING = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
log = logging.getLogger("researchkit.kernels")


def impossible(environ: Mapping[str, str] = os.environ) -> str:
    """Why kernels cannot be forked here, whatever is loaded; or nothing."""
    if environ.get(SWITCH) == "0":
        return f"{SWITCH}=0 asks for ordinary kernels."
    if sys.platform != "linux":
        return "Only Linux forks a loaded process safely."
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError) as error:
        return f"This system gives no handle on a process (pidfd): {error}"
    if not registered():
        return "This installation does not know forked kernels yet; install researchkit again, as `make setup` does."
    return ""


@cache
def registered() -> bool:
    """Whether Jupyter finds the provisioner; to ask means to look through everything that is installed."""
    from importlib.metadata import entry_points

    return bool(entry_points(group="jupyter_client.kernel_provisioners", name=NAME))


def announced(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The folder of the template that this process, or one further up, has started; None where that has ended."""
    folder = Path(environ.get(WHERE) or "/nowhere")
    return folder if (folder / SOCKET).exists() or (folder / REASON).exists() else None


def reason_in(folder: Path) -> str:
    """Why no kernels are forked from this folder's template, where its owner knows."""
    try:
        return (folder / REASON).read_text(encoding="utf-8")
    except OSError:
        return "" if (folder / SOCKET).exists() else "The process that owned the template has ended."


def kernel_command() -> list[str]:
    """How Jupyter starts the kernel that notebooks ask for; nothing where it knows none."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        return list(KernelSpecManager().get_kernel_spec("python3").argv)
    except NoSuchKernel:
        return []
