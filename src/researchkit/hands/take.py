"""Take a report along: read its page, write everything aside, then move it into place in one go."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from researchkit import cite, places
from researchkit.errors import PlaceError, ReportError, some
from researchkit.hands import word
from researchkit.hands.page import Listed, Read, read
from researchkit.tables import harmless

PAGE, LIST = "report.html", "taken.json"


@dataclass(frozen=True)
class Taken:
    """What was taken: the folder, its files as paths inside it, and what is left out, in words."""

    folder: Path
    files: tuple[str, ...]
    notes: tuple[str, ...]


def take(report: str | Path, out: str | Path | None = None, *, docx: bool | None = None) -> Taken:
    """The parts of a finished report as files of their own.

    Parameters
    ----------
    report
        The folder of a report, or its page.
    out
        A folder that is not there yet, is empty, or holds nothing but an earlier take of unchanged files; beside the
        working folder `taken/<study>-<question>` when left out.
    docx
        Whether to write `report.docx`; None writes it where something is at hand that can.

    Raises
    ------
    ReportError
        If there is no such report, it failed, or a document is asked for and nothing here can write one.
    PlaceError
        If the folder holds anything else, or cannot be written. Nothing is half-written then.
    """
    page = found(Path(report))
    status = places.read_status(page.parent) if page.name == PAGE else {}
    if status.get("status", "ok") != "ok":
        raise ReportError(f"{page.parent} failed ({status['status']}), so there is nothing to take: {status['reason']}")
    try:
        told = read(page.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise ReportError(f"{page}: This is no page of a report.") from None
    except ReportError as error:
        raise ReportError(f"{page}: {error}") from None
    result = places.read(page.parent / places.RESULT) if page.name == PAGE else {}
    folder = Path(out) if out else Path("taken") / _called(page, result)
    writer = word.writer() if docx is not False else None
    if docx and writer is None:
        raise ReportError(word.MISSING)
    notes = [] if writer or docx is False else [f"report.docx is left out. {word.MISSING}"]
    notes += [] if result else ["result.json is left out: it does not lie beside the page."]
    with laid(folder) as aside:
        _write(aside, told, page, result)
        if writer:
            writer(told, aside / "report.docx")
        files = tuple(within(aside))
    return Taken(folder, files, tuple(notes))


@contextmanager
def laid(folder: Path) -> Iterator[Path]:
    """A folder to fill, which takes the place of the named one when nothing went wrong; it lists what it holds."""
    free(folder)
    with places.told_plainly(folder, folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".taking-", dir=folder.parent))
        try:
            yield aside
            sums = {name: sha256((aside / name).read_bytes()).hexdigest() for name in within(aside)}
            (aside / LIST).write_text(json.dumps(sums, indent=1), encoding="utf-8")
            _move(aside, folder)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def within(folder: Path) -> list[str]:
    """Every file of a folder, as a path inside it."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def found(report: Path) -> Path:
    """The page of a report, or ReportError that says where there are some."""
    if report.is_file():
        return report
    if (report / PAGE).is_file():
        return report / PAGE
    if not report.exists():
        raise ReportError(f"{report} is not there. Name the folder of a report, such as reports/STUDY/QUESTION.")
    below = sorted(path.parent.relative_to(report).as_posix() for path in report.rglob(PAGE))
    hint = f"It holds those of {some(below)}: name one of them." if below else "Name the folder of one report."
    raise ReportError(f"{report} is not the folder of a report: it has no {PAGE}. {hint}")


def _called(page: Path, result: Mapping[str, Any]) -> str:
    parts = [str(result[part]) for part in ("study", "question", "by") if result.get(part)]
    name = "-".join(parts) or (page.parent.name if page.name == PAGE else page.stem) or "report"
    return "".join(letter if letter.isalnum() or letter in "-_=." else "-" for letter in name).lstrip(".")


def free(folder: Path) -> None:
    """PlaceError if the folder holds anything that a take would put an end to."""
    if folder.exists() and not folder.is_dir():
        raise PlaceError(f"{folder} is a file: name a folder.")
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if not path.is_dir()}
    if not there:
        return
    ours = places.read(folder / LIST)
    other = [
        name
        for name, path in sorted(there.items())
        if name != LIST and (path.is_symlink() or ours.get(name) != sha256(path.read_bytes()).hexdigest())
    ]
    if other or not ours:
        files = other or sorted(there)
        many = f"{len(files)} other file{'' if len(files) == 1 else 's'}"
        raise PlaceError(
            f"{folder} holds {many} ({some(files)}). Nothing was written: name another folder, or move them."
        )


def _write(aside: Path, told: Read, page: Path, result: Mapping[str, Any]) -> None:
    """Everything but the document."""
    for number, figure in enumerate(told.figures, 1):
        for kind, content in figure.files.items():
            where = "tables" if kind == "csv" else "figures"
            _put(aside / where / f"{figure.name}.{kind}", _safe(content) if kind == "csv" else content, number)
    for number, table in enumerate(told.tables, 1):
        if table.head:
            _put(aside / "tables" / f"{table.name}.csv", _csv(table, page.parent), number)
    for name, content in told.files.items():
        _put(aside / name, _safe(content) if name.endswith(".csv") else content, 2)
    if result:
        shutil.copyfile(page.parent / places.RESULT, aside / places.RESULT)
    if (entries := cite.bibtex(result)) and not any(name.endswith(".bib") for name in told.files):
        _put(aside / "references.bib", entries.encode(), 1)


def _put(path: Path, content: bytes, number: int) -> None:
    """A file; a second one of the same name gets its number, so that none is lost."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.read_bytes() != content:
        path = path.with_stem(f"{path.stem}-{number}")
    path.write_bytes(content)


def _csv(table: Listed, beside: Path) -> bytes:
    """The values of a table: those that the page carries, or that lie beside it, or as they are read."""
    if table.csv:
        return _safe(table.csv)
    full = beside / "tables" / f"{table.name}.csv"
    if full.is_file():
        return _safe(full.read_bytes())
    return _lines([list(table.head), *map(list, table.rows)])


def _safe(content: bytes) -> bytes:
    """A CSV in which no cell is a formula, wherever it came from."""
    return _lines(list(csv.reader(io.StringIO(content.decode("utf-8-sig", "replace"), newline=""))))


def _lines(rows: list[list[str]]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([harmless(cell) for cell in row] for row in rows)
    return out.getvalue().encode()


def _move(aside: Path, folder: Path) -> None:
    """The new folder into place; the old one goes only when the new one is there."""
    aside.chmod(0o777 & ~_umask())
    if not folder.exists():
        aside.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=".taken-", dir=folder.parent))
    folder.rename(old / folder.name)
    try:
        aside.rename(folder)
    except OSError:
        (old / folder.name).rename(folder)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
