"""The process that wants kernels: it has a template loaded, for itself and for every process that it starts.

The template listens in a folder of its own under the temporary folder. Two variables of the environment tell Jupyter,
here and in those processes, to ask there.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from researchkit.kernels.place import JUPYTER, NAME, SAME, SOCKET, WHERE, announced, impossible, reason_in
from researchkit.kernels.watch import Watch

LOADING = 120  # seconds until a template that has not said a word is given up


def warm() -> Ready:
    """Kernels that start at once, while the `with` block runs, here and in every process started from here.

    Does not wait: the template loads beside, and the first kernel, or `why`, waits for it. Where a process further up
    has called this already, its template is used and left running.
    """
    return Ready()


class Ready:
    """The template of this process. `why` says why ordinary kernels are used instead, or is empty.

    `told` holds what the self-test found, and how many seconds loading and the test took.
    """

    def __init__(self) -> None:
        self.process = os.getpid()
        self._why, self._watch = impossible(), None  # type: tuple[str, Watch | None]
        self._kept: dict[str, str | None] = {}
        self._set({name: os.environ.get(name, value) for name, value in SAME.items()})
        if folder := announced():
            self._why = self._why or reason_in(folder)
        elif not self._why:
            self._open()

    @property
    def why(self) -> str:
        """Waits until the template is loaded and tested."""
        if not self._watch:
            return self._why
        if not self._watch.known.wait(LOADING):
            self._watch.give_up(f"The template was not loaded after {LOADING} seconds.")
        return self._watch.why

    @property
    def template(self) -> int | None:
        """The process that kernels are forked from now, once it is loaded; None where there is none of ours."""
        return None if self.why or not self._watch else self._watch.process

    @property
    def told(self) -> dict[str, object]:
        return self._watch.told if self._watch else {}

    def _open(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="rk-"))
        listener = socket.socket(socket.AF_UNIX)
        try:
            listener.bind(str(folder / SOCKET))
            listener.listen(128)
            self._watch = Watch(folder, listener)
        except OSError as error:  # a path longer than the system allows, or no process to be had
            listener.close()
            shutil.rmtree(folder, ignore_errors=True)
            self._why = f"No template was started in {folder}: {error}."
            return
        self._watch.start()
        self._set({WHERE: str(folder), JUPYTER: NAME})
        name_provisioner(NAME)

    def _set(self, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            self._kept[name] = os.environ.get(name)
            os.environ[name] = value

    def close(self) -> None:
        """End the template and every kernel that still runs, and leave the environment as it was."""
        if os.getpid() != self.process:  # a fork of the owner owns nothing
            return
        if self._watch:
            self._watch.close()
            name_provisioner(self._kept.get(JUPYTER))
            shutil.rmtree(self._watch.folder, ignore_errors=True)
            self._watch, self._why = None, "The template was ended."
        while self._kept:
            name, value = self._kept.popitem()
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value

    def __enter__(self) -> Ready:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def name_provisioner(name: str | None) -> None:
    """Tell a Jupyter that has already read the environment; others read it when they start a kernel."""
    if factory := sys.modules.get("jupyter_client.provisioning.factory"):
        known = factory.KernelProvisionerFactory
        if known.initialized():
            known.instance().default_provisioner_name = name or "local-provisioner"
