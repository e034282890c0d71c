"""The reports folder as others may have it: the pages and what they link to, and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from researchkit import places
from researchkit.errors import PlaceError, ReportError
from researchkit.hands.take import laid, within

FRONT = "index.html"
TRAVELS = (".html", ".csv")  # and results: all that a page may link to


@dataclass(frozen=True)
class Shared:
    """What was copied, as paths inside the folder, and how many files stayed."""

    folder: Path
    files: tuple[str, ...]
    left: int


def share(reports: str | Path, folder: str | Path) -> Shared:
    """A copy of the reports for other people.

    Executed notebooks, what a run keeps for the next one, and what is the owner's alone stay where they are. What is
    copied is told by what it is, so that a file of a kind that nobody thought of stays as well.

    Parameters
    ----------
    reports
        The reports folder, with its front page.
    folder
        A folder that is not there yet, is empty, or holds an earlier copy that nobody has changed.

    Raises
    ------
    ReportError
        If there is no front page.
    PlaceError
        If one of the folders lies in the other, the folder holds anything else, or cannot be written.
    """
    reports, folder = Path(reports), Path(folder)
    if not (reports / FRONT).is_file():
        raise ReportError(f"{reports} holds no reports: it has no {FRONT}. Make some with `researchkit run`.")
    one, other = reports.resolve(), folder.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise PlaceError(f"{folder} and {reports} lie in one another: name a folder elsewhere.")
    with laid(folder) as aside, places.alone(reports, places.MOVES):  # no report is moved meanwhile
        files = tuple(travelling(reports))
        for name in files:
            (aside / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(reports / name, aside / name)
        left = sum(not name.startswith(places.LOCKS) for name in within(reports)) - len(files)
    return Shared(folder, files, left)


def travelling(reports: Path) -> Iterator[str]:
    """The files that others may have; nothing hidden, and nothing that lies elsewhere and is only linked to."""
    for name in within(reports):
        path = reports / name
        hidden = any(part.startswith(".") for part in Path(name).parts)
        if not hidden and not path.is_symlink() and (path.suffix in TRAVELS or path.name == places.RESULT):
            yield name
