"""Where reports lie: their folders, how they are put there whole, and who is at work on them."""

from __future__ import annotations

import ctypes
import errno
import json
import math
import os
import re
import shutil
import socket
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from researchkit.errors import PlaceError

RESULT, PREVIOUS, STATUS = "result.json", "previous.json", "status.json"
PARTS = {  # of a report's key (see `batch.key`), in words
    "notebook": "the notebook",
    "parameters": "the parameters",
    "study": "the study file",
    "rows": "the rows or columns that this report reads",
    "others": "what other pages leave this one to show",
    "package": "researchkit itself",
    "versions": "the versions of the libraries",
}
LOCKS = ".locks"
STAGING = ".making-"
OWN = "rk-"
NEW, OLD, DONE, PLACE = "new", "old", "done", "place"  # in a staging folder
MOVES = "places"  # the lock of whoever moves folders
LONGEST_NAME = 120
# What a disk says that takes nothing more, or a folder that must not be changed. Anything else is a fault of ours.
TAKES_NOTHING = ("ENOSPC", "EDQUOT", "EFBIG", "EROFS", "EACCES", "EPERM", "EBUSY", "EIO", "ENAMETOOLONG")
CLOSED = {getattr(errno, name) for name in TAKES_NOTHING if hasattr(errno, name)}


def place(out: Path, study: str, question: str, by: str | None, label: str | None = None) -> Path:
    """The folder of one report."""
    parts = [folder_name(part) for part in (by, label) if part]
    return out.joinpath(study, question, *parts)


def folder_name(by: str) -> str:
    """A folder for "column=value" that stays inside its parent, whatever the value holds; long ones end in a digest."""
    column, _, value = by.partition("=")
    name = f"{quote(column, safe=' ')}={quote(value, safe=' ')}"
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}~{sha256(name.encode()).hexdigest()[:12]}"


@contextmanager
def staged(out: Path, folder: Path) -> Iterator[Path]:
    """A folder to fill, which takes the place of the report's own when nothing went wrong."""
    with alone(out, MOVES):
        mend(out)  # else a result that has just been taken away could not be kept as the previous one
    making = out / f"{STAGING}{maker()}-{uuid.uuid4().hex}"
    (making / NEW).mkdir(parents=True)
    try:
        (making / PLACE).write_text(folder.relative_to(out).as_posix(), encoding="utf-8")
        yield making / NEW
        keep_previous(making / NEW, folder)
        with alone(out, MOVES):
            mend(out)  # before anything else is moved: what comes to lie in a gap could not be told from what was there
            move_into_place(making, folder)
    finally:
        clear(making)


def home(staging: Path) -> str | None:
    """The way from a report's folder to the reports folder, for links; None where that is not known."""
    try:
        return "../" * len(Path((staging.parent / PLACE).read_text(encoding="utf-8")).parts)
    except OSError:
        return None


def move_into_place(making: Path, folder: Path) -> None:
    """The new folder in the place of the old, without a moment in which half of it is there.

    Where the system can, the two change places in one step, and there is always a report. Elsewhere every step
    renames, so that `put_back` can go the same way back from wherever it ended.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.is_dir() and changed_places(making / NEW, folder):
        return  # what was there goes with what it was made in
    try:
        if folder.exists():
            folder.rename(making / OLD)
        (making / NEW).rename(folder)
        for child in others(making / OLD):
            child.rename(folder / child.name)
        if (making / OLD).exists():
            (making / OLD).rename(making / DONE)  # from here on, nothing is put back
    except BaseException:
        put_back(making, folder)
        raise


def changed_places(new: Path, folder: Path) -> bool:
    """Whether the new folder is where the old was; reports by site are for a moment in both, as the same files."""
    kept = others(folder)
    if kept and not can_exchange(new.parent):
        return False  # so that nothing is linked in vain
    try:
        for child in kept:
            if child.is_dir():
                shutil.copytree(child, new / child.name, symlinks=True, copy_function=os.link)
            else:
                os.link(child, new / child.name)
        if exchanged(new, folder):
            return True
    except OSError:
        pass  # a disk that knows no links, or has no room for folders: by renaming, then
    for child in others(new):
        shutil.rmtree(child) if child.is_dir() else child.unlink()
    return False


def can_exchange(making: Path) -> bool:
    """Whether this system lets two folders change places on this disk."""
    with tempfile.TemporaryDirectory(dir=making) as one, tempfile.TemporaryDirectory(dir=making) as other:
        return exchanged(Path(one), Path(other))


def exchanged(one: Path, other: Path) -> bool:
    """Let two folders change places, so that neither is ever missing; False where the system cannot."""
    swap = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of Linux's fcntl.h and stdio.h
    return swap is not None and swap(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0


def put_back(making: Path, folder: Path) -> None:
    """The old folder in its place again, where moving a new one there has not come to its end."""
    old = making / OLD
    if not old.exists():
        return
    if folder.exists():
        for child in others(folder):
            child.rename(old / child.name)
        folder.rename(making / NEW)
    old.rename(folder)


def others(folder: Path) -> list[Path]:
    """The reports by site, which live inside the question's folder and stay when its own report is made anew."""
    return [*(child for child in folder.glob("*=*") if child.is_dir()), *folder.glob("by-*.html")]


def clear(making: Path) -> None:
    """Remove what was made aside; but not an old report that could not be put back, which is the only one."""
    if making.is_file():
        making.unlink()
    elif not (making / OLD).exists():
        shutil.rmtree(making, ignore_errors=True)


def put(path: Path, text: str, out: Path, *, mode: int | None = None) -> None:
    """A file written aside and moved into place: a reader sees the old one or the new one."""
    aside = out / f"{STAGING}{maker()}-{uuid.uuid4().hex}"
    try:
        if mode is not None:
            aside.touch(mode=mode)
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def prepare(out: Path) -> None:
    """Make the reports folder, and try it before hours of work: OSError where it takes nothing."""
    (out / LOCKS).mkdir(parents=True, exist_ok=True)
    for folder in (out, out / LOCKS):
        with tempfile.TemporaryFile(dir=folder):
            pass


@contextmanager
def told_plainly(folder: Path, out: Path) -> Iterator[None]:
    """A disk that is full, or a folder that must not be changed, as one message; other errors stay as they are.

    Raises
    ------
    PlaceError
        It names the report's folder, or the file, where that lies elsewhere.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in CLOSED:
            raise
        named = Path(os.fsdecode(error.filename)) if isinstance(error.filename, str | bytes) else folder
        told = f"{folder} cannot be written to" if named.is_relative_to(out) else str(named)
        raise PlaceError(f"{told}: {error.strerror}.") from None


def keep_previous(staging: Path, folder: Path) -> None:
    """Lay what was found last time beside a new report that finds something else, as `previous.json`.

    It is the last result that said something else, with the key it was made from: runs that fail or find the same leave
    it. It never outlives a change of the disclosure profile, nor the moment when people have become too few to show.
    """
    new, old, before = (read(path) for path in (staging / RESULT, folder / RESULT, folder / PREVIOUS))
    if old and not (new and alike(findings(old), findings(new))):
        before = {**old, "key": read_status(folder).get("key")}
    gone = not before or read_status(staging).get("status") == "too few"
    if gone or (new and (profile(before) != profile(new) or alike(findings(before), findings(new)))):
        return
    (staging / PREVIOUS).write_text(json.dumps(before, indent=1, ensure_ascii=False), encoding="utf-8")


def findings(result: Mapping[str, Any]) -> dict[str, Any]:
    """What a result says, without when and by what it was made."""
    return {name: part for name, part in result.items() if name not in ("provenance", "key")}


def profile(result: Mapping[str, Any]) -> object:
    data = result.get("data")
    return data.get("disclosure") if isinstance(data, dict) else None


def alike(one: Any, other: Any) -> bool:
    """Equal but for the last digits of numbers, which another processor may compute otherwise."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return bool(one == other)


def write_status(
    staging: Path, made: Mapping[str, Any], key: Mapping[str, str] | None, grown: Sequence[str] = ()
) -> None:
    """What became of the report and what it was made from, for the next run.

    `grown` are the fingerprints of earlier rows that the rows of now begin with.
    """
    told = {"schema": 1, **made, "key": dict(key) if key else None, "grown_from": list(grown)}
    (staging / STATUS).write_text(json.dumps(told, indent=1, ensure_ascii=False), encoding="utf-8")


def read_status(folder: Path) -> dict[str, Any]:
    """What an earlier run said of a report; nothing where it cannot be read."""
    return read(folder / STATUS)


def read(path: Path) -> dict[str, Any]:
    """A JSON file that a run has left; nothing where there is none or it cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def alone(out: Path, what: str) -> Iterator[None]:
    """Wait until nobody else holds the lock of this name in the folder, then hold it; the system frees it at death.

    Where the system has no such locks (Windows) two runs into one folder are not kept apart.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    (out / LOCKS).mkdir(parents=True, exist_ok=True)
    path = out / LOCKS / f"{sha256(what.encode()).hexdigest()[:16]}.lock"
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def maker() -> str:
    """Who makes a staging folder: this process on this machine."""
    return f"{re.sub('[^A-Za-z0-9]', '_', socket.gethostname())}-{os.getpid()}"


def sweep(out: Path) -> None:
    """Put in order what makers that have died on this machine left: in the reports folder and in the temporary one."""
    with alone(out, MOVES):
        mend(out)
    sweep_temporary()


def mend(out: Path) -> None:
    """Put back old reports that had just been taken away, and remove half-made ones that nobody will finish."""
    host = maker().rpartition("-")[0]
    for making in out.glob(f"{STAGING}*"):
        parts = making.name.removeprefix(STAGING).split("-")
        if len(parts) == 3 and parts[0] == host and parts[1].isdigit() and not lives(int(parts[1])):
            with suppress(OSError):  # of what cannot be moved now, the next run takes care
                if (making / OLD).exists():
                    put_back(making, out / (making / PLACE).read_text(encoding="utf-8"))
                clear(making)


def lasting_as_long() -> Path:
    """A temporary folder that only this user may enter, whose name says whose it is: it does not outlast this process.

    The name is short, for the path of a socket may have some hundred characters; its digest tells this machine from
    others, such as containers, that share the temporary folder.
    """
    return Path(tempfile.mkdtemp(prefix=f"{OWN}{machine()}-{os.getpid()}-"))


def ours_alone(folder: Path) -> bool:
    """Whether a folder belongs to this user and nobody else may enter it; never so where the system cannot say."""
    told = folder.lstat()
    mine = hasattr(os, "getuid") and told.st_uid == os.getuid() and not told.st_mode & 0o077
    return folder.is_dir() and not folder.is_symlink() and mine


def sweep_temporary() -> None:
    """Remove what processes that were killed left in the temporary folder: sockets of kernels, rows of a run."""
    for folder in Path(tempfile.gettempdir()).glob(f"{OWN}{machine()}-*-*"):
        pid = folder.name.split("-")[2]
        if pid.isdigit() and not lives(int(pid)) and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)


def machine() -> str:
    return sha256(socket.gethostname().encode()).hexdigest()[:4]


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
