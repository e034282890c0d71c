"""What a loaded template holds, so that it is never older than the code: our source and the installed versions."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

HOME = Path(__file__).resolve().parents[1]  # the package


def source(home: Path = HOME) -> list[Path]:
    """Every file of the package but what Python makes from it."""
    return [path for path in sorted(home.rglob("*")) if path.is_file() and "__pycache__" not in path.parts]


def installed(places: list[str] | None = None) -> list[str]:
    """The packages that can be imported, with their versions, as the names of their folders tell them."""
    found = set()
    for place in sys.path if places is None else places:
        folder = Path(place)
        if place and folder.is_dir():
            found |= {path.name for path in folder.iterdir() if path.suffix in (".dist-info", ".egg-info", ".pth")}
    return sorted(found)


class Key:
    """The content of the package and what is installed, at the moment of making it; `stale` asks again.

    Asking costs a look at every file's time and size. Only where one moved is the content read again: a file that was
    touched, or changed and changed back, renews nothing.
    """

    def __init__(self, home: Path = HOME) -> None:
        self.home = home
        self._seen, self.value = self._look(), self._read()

    def stale(self) -> bool:
        """Whether something else would be loaded now."""
        if (seen := self._look()) == self._seen:
            return False
        self._seen, value = seen, self._read()
        return value != self.value

    def _look(self) -> list[object]:
        """Asked before every kernel, so nothing is sorted, and of a folder of packages only when it last changed."""
        return [list(marks(self.home)), [mark(place) for place in sys.path if place]]

    def _read(self) -> str:
        digest = sha256(repr((sys.version, installed())).encode())
        for path in source(self.home):
            try:
                content = path.read_bytes()
            except FileNotFoundError:  # editors put a new file in the place of the old
                continue
            digest.update(f"{path.relative_to(self.home)}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()


def marks(folder: Path | str) -> Iterator[tuple[str, int, int]]:
    """The marks of all files of `source`, found without the price of `Path`."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir():
                yield mark(entry.path)
            elif entry.name != "__pycache__":
                yield from marks(entry.path)


def mark(path: str) -> tuple[str, int, int]:
    try:
        told = os.stat(path)  # noqa: PTH116 - a hundred times before every kernel
    except FileNotFoundError:
        return path, 0, 0
    return path, told.st_mtime_ns, told.st_size
