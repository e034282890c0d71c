"""Kernels that start at once: each is forked from one process that has loaded everything already.

    from researchkit import kernels

    with kernels.warm() as ready:
        print(ready.why or "Kernels are forked.")
        ...  # Papermill, nbclient, JupyterLab: here, and in the processes started from here

Nothing else changes: a notebook still gets a process of its own, with a fresh memory, that nobody had before. Where
forking is not safe, ordinary kernels are started, and `ready.why` says why. `RESEARCHKIT_FORK=0` asks for them.

Without `warm`, `JUPYTER_DEFAULT_PROVISIONER_NAME=researchkit-fork` does the same for any program that starts Jupyter
kernels; the first kernel then waits until everything is loaded.
"""

from researchkit.kernels.check import Difference, differences
from researchkit.kernels.owner import Ready, warm
from researchkit.kernels.place import NAME, impossible, kernel_command

MANAGER = "researchkit.kernels.client.PromptManager"  # for whoever runs a notebook from beginning to end

__all__ = ["MANAGER", "NAME", "Difference", "Ready", "differences", "impossible", "kernel_command", "warm"]
