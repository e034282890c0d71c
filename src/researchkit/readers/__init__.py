"""From the files of a study's table to one plain frame, and an account of what was done.

Each system whose exports are known is a module here; `exports` lists them, and knows them by what they hold.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.errors import DataError, StudyError, some
from researchkit.faults import nearest
from researchkit.parts import File
from researchkit.readers import exports, plain
from researchkit.readers.content import require_content
from researchkit.readers.gaps import parted
from researchkit.readers.shape import joined, picked, pivoted, renamed, stacked, summarised
from researchkit.study import Study

# "plain" knows exports by what they hold; "table" takes a file as it stands.
READERS = {"table": plain.read, **dict.fromkeys(("plain", *exports.KNOWN), exports.read)}
Locate = Callable[[Study, File], Path]


@dataclass(frozen=True)
class Origin:
    """Where each row stood, so that a message can name it as a person sees it."""

    names: tuple[str, ...]
    file: NDArray[np.int64]  # (n,) which of the names
    row: NDArray[np.int64]  # (n,) the row in that file; the header is row 1

    def words(self, positions: NDArray[np.int64], most: int = 5) -> str:
        """ "row 88" or "rows 12, 57 and 301", with the file where there are several."""
        parts = []
        for number in np.unique(self.file[positions])[:3]:
            rows = self.row[positions[self.file[positions] == number]]
            of = f" of {self.names[number]}" if len(self.names) > 1 else ""
            parts.append(f"row{'s' * (len(rows) > 1)} {some(rows, most)}{of}")
        rest = len(np.unique(self.file[positions])) - len(parts)
        return "; ".join(parts) + (f"; and rows of {rest} more files" if rest else "")

    @property
    def subject(self) -> str:
        return some(self.names, 3)


@dataclass(frozen=True)
class Gathered:
    """One table as it arrived: row i of `frame` (index 0, 1, ...) stood where `origin` says.

    `gaps` has a column of reasons (text, NaN where none is known) for each column whose file says why cells are empty.
    """

    frame: pd.DataFrame
    origin: Origin
    notes: tuple[str, ...]
    gaps: pd.DataFrame = field(default_factory=pd.DataFrame)


def gather(study: Study, table: str, locate: Locate) -> Gathered:
    """Read, stack and join the files of a table.

    Parameters
    ----------
    study, table
        The study, and which of its tables.
    locate
        Finds the file behind a `url` on this machine.

    Raises
    ------
    DataError
        If a file is not there or no table, columns disagree between stacked files, a join is not clear, or the rows are
        averages of many people and the study does not say so.
    """
    files = study.tables[table].files
    notes: list[str] = []
    stack = [one_entry(study, table, file, locate, notes) for n, file in enumerate(files) if n == 0 or not file.key]
    names = tuple(name for _, origin in stack for name in origin.names)
    frame = stacked([frame for frame, _ in stack], [origin.subject for _, origin in stack])
    starts = np.cumsum([0, *(len(origin.names) for _, origin in stack)])
    origin = Origin(
        names,
        np.concatenate([origin.file + start for start, (_, origin) in zip(starts, stack, strict=False)]),
        np.concatenate([origin.row for _, origin in stack]),
    )
    frame = frame.reset_index(drop=True)
    for file in files[1:]:
        if file.key:
            right, where = one_entry(study, table, file, locate, notes)
            frame, more = joined(frame, right, file.key, where.subject)
            notes += more
    frame, gaps = parted(frame)
    return Gathered(frame, origin, tuple(notes), gaps)


def one_entry(study: Study, table: str, file: File, locate: Locate, notes: list[str]) -> tuple[pd.DataFrame, Origin]:
    """The table of one entry of `files`, which a glob can make several files."""
    frames, subjects = [], []
    if file.dictionary:
        file = file.model_copy(update={"dictionary": str(study.folder / file.dictionary)})
    for path, subject in paths_of(study, file, locate):
        frame, said = reader_named(file.reader)(path, file, subject)
        if not (study.tables[table].aggregates or file.key or file.reader == "table"):
            refuse_averages(file, frame, subject)
        frame, chosen = picked(frame, file, subject)
        frame, more = renamed(frame, file, subject)
        require_content(parted(frame)[0], file.content, subject)
        notes += [*said, *chosen, *more]
        frames.append(frame)
        subjects.append(subject)
    lengths = [len(frame) for frame in frames]
    rows = np.concatenate([frame.index.to_numpy(dtype=np.int64) for frame in frames])
    frame, origin = stacked(frames, subjects), Origin(tuple(subjects), np.repeat(np.arange(len(frames)), lengths), rows)
    shaped = frame
    if file.summarise:
        shaped, more = summarised(shaped, file.summarise, origin.subject)
        notes += more
    if file.pivot:
        shaped, more = pivoted(shaped, file.pivot, origin.subject)
        notes += more
    if shaped is not frame:
        name = f"the table made from {origin.subject}"
        origin = Origin((name,), np.zeros(len(shaped), dtype=np.int64), np.arange(2, len(shaped) + 2))
    return shaped, origin


def refuse_averages(file: File, frame: pd.DataFrame, subject: str) -> None:
    """Stop where hospitals would be taken for people: an average says nothing of any one of those it is made from."""
    if rows := exports.aggregates(frame, file):
        raise DataError(
            f"{subject} holds averages of {rows}, and no people: it cannot serve a question about persons. It can say "
            f"whether {rows} with more of one thing have more of another; then write `aggregates: true` and "
            f"`rows: {rows}` beside its `files:`, and the pages will speak of {rows}."
        )


def reader_named(name: str) -> Callable[[Path, File, str], tuple[pd.DataFrame, list[str]]]:
    if name not in READERS:
        raise StudyError(f"There is no reader {name!r}{nearest(name, READERS)}.")
    return READERS[name]


def paths_of(study: Study, file: File, locate: Locate) -> list[tuple[Path, str]]:
    """Each file of an entry, with the name that messages give it."""
    if file.url:
        path = locate(study, file)
        return [(path, path.name)]
    path = study.folder / str(file.path)
    found = [path]
    if not path.exists() and any(mark in str(file.path) for mark in "*?["):
        found = sorted(study.folder.glob(str(file.path)))
        if not found:
            raise DataError(f"No file fits {path}.")
    for one in found:
        verify(one, file.sha256)
    return [(one, os.path.normpath(one)) for one in found]  # without the steps up and down between the two folders


def verify(path: Path, sha256: str | None) -> None:
    """Stop at a file that is not the one whose sha256 the study file gives."""
    if sha256 and path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise DataError(f"{path} is not the file that the study was written for: its sha256 differs from study.yml's.")
