"""What a template loads, and what it must not have loaded."""

from __future__ import annotations

import builtins
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

from researchkit.kernels.key import HOME, source

# They start notebooks, or follow them.
NOT_IN_A_NOTEBOOK = {"kernels", "report", "export", "batch", "cli", "calibrate", "hands"}
STREAM = "researchkit.kernels.streams.Quiet"
KERNEL = ("IPython", "ipykernel.kernelapp", "ipykernel.debugger", STREAM.rpartition(".")[0])
USUAL = ("matplotlib.pyplot", "seaborn", "scipy.special")
# What these libraries load for themselves when they first draw, save or fit.
DRAWN = ("matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg")
ALSO = ("encodings.utf_8_sig", "encodings.cp437")
# What of ours is kept once it is read: it is the package's, no study's.
READ = (
    ("researchkit.claims", "claims"),
    ("researchkit.evidence", "whole_file"),
    ("researchkit.answer", "versions"),
    ("researchkit.figures.letters", "ready"),
    ("researchkit.figures.sheet", "ready"),
)
# These start threads or hold locks that a fork breaks; what is to be loaded in a notebook is loaded there.
UNSAFE = (
    "cudf",
    "cupy",
    "grpc",
    "jax",
    "numba",
    "polars",
    "pyspark",
    "ray",
    "tensorflow",
    "tensorstore",
    "torch",
)
# Its set-up runs when it is loaded and needs the shell, which only a kernel has: loaded before, no figure comes out.
LATER = "matplotlib_inline"
# Chooses its progress bar by the shell when it is loaded; it comes along with others, and is loaded again when used.
AGAIN = "tqdm"
# Few reports use these, and they take long to load: left to those reports.
# sklearn sets variables of the environment, too.
SELDOM = ("openpyxl", "pyreadstat", "rdata", "sklearn", "sqlalchemy", "statsmodels")
IMPORT = re.compile(r"^ *(?:from ([\w.]+) import (?:\(\s*)?(.*)|import (.+))$", re.MULTILINE)
of_the_kernel: dict[str, ModuleType] = {}  # what an ordinary kernel has loaded when it begins


def everything(pause: Callable[[], None] = lambda: None) -> None:
    """The kernel itself, every room that a notebook can use, and the libraries that these load only when used."""
    names(KERNEL)
    ours = ("researchkit", "__main__", "__mp_main__")  # `multiprocessing` names the program a second time
    of_the_kernel.update({name: module for name, module in sys.modules.items() if not name.startswith(ours)})
    rooms = [path for path in source() if path.suffix == ".py" and room_of(path) not in NOT_IN_A_NOTEBOOK]
    modules = [".".join(path.relative_to(HOME.parent).with_suffix("").parts) for path in rooms]
    modules = [name.removesuffix(".__init__") for name in modules if not name.endswith("__main__")]
    targets = dict.fromkeys(
        [*USUAL, *DRAWN, *ALSO, *modules, *(target for path in rooms for target in libraries(path))]
    )
    for name in targets:
        pause()
        names([name])
    for name in [name for name in sys.modules if name.partition(".")[0] == AGAIN]:
        del sys.modules[name]
    if "PIL.Image" in sys.modules:
        sys.modules["PIL.Image"].preinit()  # the formats that it knows, asked for when it saves the first picture
    for name, read in READ:
        if name in sys.modules:
            getattr(sys.modules[name], read)()


def room_of(path: Path) -> str:
    return Path(path.relative_to(HOME).parts[0]).stem


def libraries(path: Path) -> Iterator[str]:
    """What a module of ours imports anywhere, at its top or in a function: by its lines, quicker than by its tree.

    A name too many (of a function, or out of a text) is no module and is passed over.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):  # being edited just now: the key is stale already
        return
    for parent, names, plain in IMPORT.findall(text):
        listed = [name.split(" as ")[0].strip(" ()#") for name in (names or plain).split(",")]
        yield from [parent, *(f"{parent}.{name}" for name in listed)] if parent else listed


def names(modules: Iterable[str]) -> None:
    """Load modules; one that is not there, or cannot be loaded, is left to the notebook that wants it."""
    with as_in_a_kernel():
        for name in modules:
            top, (parent, _, last) = name.partition(".")[0], name.rpartition(".")
            if name in sys.modules or top in (LATER, AGAIN, *SELDOM, *UNSAFE) or hasattr(sys.modules.get(parent), last):
                continue  # there already, or a function or class of a module that is
            with suppress(Exception, SystemExit):  # it fails again, and is told, where it is used
                import_module(name)


@contextmanager
def as_in_a_kernel() -> Iterator[None]:
    """Answer libraries that ask, when they are loaded, whether a kernel loads them: pandas fits its tables to that."""
    shell = SimpleNamespace(kernel=None, config={"IPKernelApp": {}})
    vars(builtins)["get_ipython"] = lambda: shell
    try:
        yield
    finally:
        del vars(builtins)["get_ipython"]


def unsafe() -> str:
    """Why this process must not be forked, or nothing."""
    if found := sorted({name.partition(".")[0] for name in sys.modules} & set(UNSAFE)):
        return f"{', '.join(found)} is loaded, which does not survive a fork."
    if LATER in sys.modules:
        return f"{LATER} is loaded before there is a shell, and no figure would come out."
    if (count := threads()) != 1:
        return f"The loaded process has {count} threads; only one that has a single thread is forked safely."
    return ""


def threads() -> int:
    """How many threads the system runs for this process, Python's and others'."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("Threads:"))
