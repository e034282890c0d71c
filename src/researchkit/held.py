"""The rows of a run, read once: for the kernels of that run, in a folder that only this user may open.

Forty reports of one file would each read it, type it and check it. What is held is what `load_dataset` gave, by group
of rows; it serves only while the study file and the files of its data are those that were read, and goes with the run.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from researchkit.dataset import Dataset, dataset_of
from researchkit.places import lasting_as_long
from researchkit.sources import lying
from researchkit.study import Study

WHERE = "RESEARCHKIT_ROWS"  # the folder, for those who are started by the run
MOST = 2**30  # bytes on disk; what is beyond is read by each report, as without us


@contextmanager
def held(groups: Iterable[tuple[Dataset, str | None]]) -> Iterator[None]:
    """While the block runs, `rows` finds these datasets, here and in every process started from here.

    Parameters
    ----------
    groups
        Each with the "column=value" whose rows alone it holds; None for all.
    """
    before, folder = os.environ.get(WHERE), lasting_as_long()
    os.environ[WHERE] = str(folder)
    try:
        left = MOST
        for dataset, by in groups:
            left -= put(folder, dataset, by) if left > 0 else 0
        yield
    finally:
        os.environ.pop(WHERE, None)
        os.environ |= {WHERE: before} if before else {}
        shutil.rmtree(folder, ignore_errors=True)


def put(folder: Path, dataset: Dataset, by: str | None) -> int:
    """Hold one dataset; how many bytes that takes, none where there is no room or another has done it."""
    place = folder / name_of(dataset.study, dataset.table, by)
    if place.exists():
        return 0
    aside = place.with_suffix(".part")
    try:
        aside.write_bytes(pickle.dumps((dataset.arrived, dataset.origin, dataset.notes), protocol=5))
        aside.replace(place)
        return place.stat().st_size
    except OSError:  # a full disk: the reports read for themselves
        aside.unlink(missing_ok=True)
        return 0


def rows(study: Study, table: str, by: str | None) -> Dataset | None:
    """The dataset that the run holds; None where it holds none, or the study or its files have changed since."""
    folder = Path(os.environ.get(WHERE) or "/nowhere")
    place = folder / name_of(study, table, by) if folder.is_dir() and private(folder) else None
    if not place or not place.is_file():
        return None
    try:
        arrived, origin, notes = pickle.loads(place.read_bytes())  # noqa: S301 - of this user, by the run that started us
    except Exception:  # half gone: its run is ending
        return None
    return dataset_of(study, table, arrived, origin, notes)


def private(folder: Path) -> bool:
    """Whether nobody but this user can have put anything there."""
    told = folder.lstat()
    return hasattr(os, "getuid") and told.st_uid == os.getuid() and not told.st_mode & 0o077


def name_of(study: Study, table: str, by: str | None) -> str:
    """Of one group of rows, the study file, and every file that the rows come from, by its time and size."""
    paths = [path for file in study.tables[table].files for path in lying(study, file)]
    marks = [(str(path), told.st_mtime_ns, told.st_size) for path in paths for told in [path.stat()]]
    return sha256(json.dumps([str(study.path), study.sha256, table, by, marks]).encode()).hexdigest()
