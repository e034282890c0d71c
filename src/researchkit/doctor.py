"""Will reports come out on this machine? What a newcomer stumbles over, each found with its mend."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

from researchkit import wording
from researchkit.errors import ResearchkitError, some

OLDEST = (3, 11)
ROOM = 200 * 2**20  # bytes that a run should find free
LOCK = Path(__file__).parents[2] / "requirements.lock"


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `mend` is empty where it is as it should be; a `warning` stops no report."""

    what: str
    words: str
    mend: str = ""
    warning: bool = False

    @property
    def ok(self) -> bool:
        return not self.mend


def findings(out: Path, *, report: bool = True) -> Iterator[Finding]:
    """Look at one thing after another; a thing that cannot be looked at is a finding too.

    Parameters
    ----------
    out
        The folder that reports are to go to.
    report
        Make a report of a small simulated study, in a temporary folder, as the last proof.
    """
    looks: list[tuple[str, Callable[[], Finding]]] = [
        ("Python", python),
        ("packages", packages),
        ("versions", versions),
        ("notebooks", notebooks),
        ("kernel", kernel),
        ("quick kernels", quick_kernels),
        ("fonts", fonts),
        ("encoding", encoding),
        ("clock", clock),
        ("reports folder", lambda: writable("reports folder", out)),
        ("temporary folder", lambda: writable("temporary folder", Path(tempfile.gettempdir()))),
    ]
    for what, look in [*looks, *([("a report", one_report)] if report else [])]:
        try:
            yield look()
        except Exception as error:
            yield Finding(what, f"could not be looked at: {type(error).__name__}: {error}", "Set up anew: make setup")


def python() -> Finding:
    words = f"{sys.version.split()[0]} in {sys.prefix}"
    if sys.version_info < OLDEST:
        return Finding("Python", words, f"Install Python {'.'.join(map(str, OLDEST))} or newer, then `make setup`.")
    if sys.prefix == sys.base_prefix and "CONDA_PREFIX" not in os.environ:
        mend = "It is the system's own: `make setup`, then use .venv/bin/researchkit, so that nothing else is touched."
        return Finding("Python", words, mend, warning=True)
    return Finding("Python", words)


def packages() -> Finding:
    """What is installed against what we need, by the requirements that our own package states."""
    from packaging.requirements import Requirement

    wrong, count = [], 0
    for text in metadata.requires("researchkit") or []:
        need = Requirement(text)
        if need.marker and not need.marker.evaluate({"extra": ""}):
            continue
        count += 1
        try:
            found = metadata.version(need.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{need.name} is not installed")
            continue
        if not need.specifier.contains(found, prereleases=True):
            wrong.append(f"{need.name} is {found}, needed is {need.specifier}")
    if wrong:
        return Finding("packages", f"{some(wrong, 6)}.", "`make setup` installs the versions of requirements.lock.")
    return Finding("packages", f"all {count} that are needed, in versions that fit")


def versions() -> Finding:
    """What is installed against the lock of the checkout: other versions may give other digits."""
    from packaging.requirements import Requirement

    if not LOCK.is_file():
        return Finding("versions", "installed as a package; there is no lock to compare with")
    other, count = [], 0
    for text in re.findall(r"(?m)^([A-Za-z0-9][^\n]*?) *\\?$", LOCK.read_text(encoding="utf-8")):
        need = Requirement(text)
        if need.marker and not need.marker.evaluate({"extra": ""}):
            continue
        try:
            found = metadata.version(need.name)
        except metadata.PackageNotFoundError:  # of an extra, perhaps; `packages` looks at what is needed
            continue
        count += 1
        if not need.specifier.contains(found, prereleases=True):
            other.append(f"{need.name} is {found}, the lock has {str(need.specifier).lstrip('=')}")
    if other:
        mend = "`make setup` brings those of the lock, with which the tests were run."
        return Finding("versions", f"{some(other, 4)}.", mend, warning=True)
    return Finding("versions", f"as in requirements.lock, {count} of them")


def clock() -> Finding:
    """Whether it is later than our own files: what is up to date, and when a plan was locked, hangs on the clock."""
    now = datetime.now(UTC)
    ours = datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
    told = now.isoformat(" ", "minutes").removesuffix("+00:00") + " UTC"
    if now < ours - timedelta(days=1):
        mend = "Set the clock of the machine: locked plans and reports carry its date."
        return Finding("clock", f"{told}, and the files of researchkit are of {ours.date()}", mend)
    return Finding("clock", told)


def notebooks() -> Finding:
    from researchkit.report import NOTEBOOKS, notebooks_folder

    folder = notebooks_folder()
    lacking = [name for name in NOTEBOOKS.values() if not (folder / name).is_file()]
    if lacking:
        mend = "Take the whole checkout, or install the package again; a report needs its notebook."
        return Finding("notebooks", f"{some(lacking)} not in {folder}", mend)
    return Finding("notebooks", str(folder))


def kernel() -> Finding:
    """Whether Jupyter's `python3` is the Python that has researchkit: else notebooks import another world."""
    from researchkit.kernels import kernel_command

    command = kernel_command()
    mend = "`python -m ipykernel install --sys-prefix --name python3`, with the Python above."
    if not command:
        return Finding("kernel", "Jupyter knows no kernel called python3", mend)
    ours, (major, minor) = Path(sys.executable), sys.version_info[:2]
    if command[0] in ("python", f"python{major}", f"python{major}.{minor}"):  # Jupyter starts its own Python for these
        return Finding("kernel", f"python3 starts {ours}")
    found = Path(shutil.which(command[0]) or command[0])
    same = found.exists() and (found.resolve(), found.parent) == (ours.resolve(), ours.parent)
    return Finding("kernel", f"python3 starts {found}", "" if same else f"That is another Python. {mend}")


def quick_kernels() -> Finding:
    from researchkit.kernels import impossible

    if reason := impossible():
        return Finding("quick kernels", reason, "Nothing has to be done; reports take longer.", warning=True)
    return Finding("quick kernels", "kernels can be forked from one that has loaded everything")


def fonts() -> Finding:
    from researchkit.figures import font

    found = font()
    if found is None:
        return Finding(
            "fonts", "the font of the drawings is not there", "Install matplotlib again: it brings the font along."
        )
    return Finding("fonts", found)


def encoding() -> Finding:
    names = {sys.getfilesystemencoding(), sys.stdout.encoding or "utf-8"}
    odd = sorted(name for name in names if name.lower().replace("-", "") != "utf8")
    if odd:
        mend = "Set the variable PYTHONUTF8=1, so that names with accents and emoji come out right."
        return Finding("encoding", f"this terminal speaks {some(odd)}", mend, warning=True)
    return Finding("encoding", "UTF-8")


def writable(what: str, folder: Path) -> Finding:
    """Whether a file can be put there, and how much room is left."""
    place = folder
    while not place.exists():  # it will be made when the first report is
        place = place.parent
    try:
        with tempfile.NamedTemporaryFile(dir=place):
            pass
    except OSError as error:
        mend = "Name another by --out." if what == "reports folder" else "Set TMPDIR to a folder that takes files."
        return Finding(what, f"{folder}: {error.strerror}", mend)
    free = shutil.disk_usage(place).free
    words = f"{folder}, {wording.count(free // 2**20)} MB free"
    return Finding(what, words, "Make room: a run may stop halfway." if free < ROOM else "")


def one_report() -> Finding:
    """The whole way, from simulated data to a page."""
    import time

    from researchkit.report import write_report
    from researchkit.simulate import write_world

    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        write_world("hospital", Path(folder) / "hospital", rows=400)
        try:
            made = write_report(Path(folder) / "hospital", "readmission", out=Path(folder) / "reports")
            status, reason, size = made.status, made.reason, made.page.stat().st_size
        except ResearchkitError as error:
            status, reason, size = "stopped", str(error), 0
    if status != "ok":
        return Finding("a report", f"{status}: {reason}", "Mend what is named; then `researchkit doctor` again.")
    seconds = wording.number(time.perf_counter() - began)
    return Finding("a report", f"made in {seconds} s, {wording.count(size // 1024)} KB")
