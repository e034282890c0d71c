"""The rows of a run, read once: for the kernels of that run, in a folder that only this user may open.

Forty reports of one file would each read it, type it and check it. What is held is what `load_dataset` gave, by group
of rows; it serves only while the study file and the files of its data are those that were read, and goes with the run.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.dataset import Dataset, dataset_of
from researchkit.places import lasting_as_long, ours_alone
from researchkit.readers import Origin
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
    if place.exists() or not all(map(plain, dataset.arrived.dtypes)):
        return 0
    aside = place.with_suffix(".part")
    try:
        with aside.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays(dataset))
        aside.replace(place)
        return place.stat().st_size
    except OSError:  # a full disk: the reports read for themselves
        aside.unlink(missing_ok=True)
        return 0


def rows(study: Study, table: str, by: str | None) -> Dataset | None:
    """The dataset that the run holds; None where it holds none, or the study or its files have changed since."""
    folder = Path(os.environ.get(WHERE) or "/nowhere")
    if not folder.is_dir() or not ours_alone(folder):
        return None
    try:
        with (folder / name_of(study, table, by)).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return dataset_from(study, table, dict(stored))
    except (OSError, ValueError, BadZipFile):  # not there; or half gone, as its run is ending
        return None


def keep(study: Study, table: str, what: str, told: Mapping[str, Any]) -> None:
    """While a run holds rows: hold beside them what has been worked out from all rows of a table."""
    if folder := os.environ.get(WHERE):
        with suppress(OSError):
            (Path(folder) / name_of(study, table, what)).write_text(json.dumps(told), encoding="utf-8")


def kept(study: Study, table: str, what: str) -> dict[str, Any] | None:
    """What `keep` holds; None where nothing is held, or the study or its files have changed since."""
    folder = Path(os.environ.get(WHERE) or "/nowhere")
    try:
        if folder.is_dir() and ours_alone(folder):
            return dict(json.loads((folder / name_of(study, table, what)).read_text(encoding="utf-8")))
    except (OSError, ValueError):  # not there; or half gone, as its run is ending
        pass
    return None


def arrays(dataset: Dataset) -> dict[str, NDArray[Any]]:
    """A dataset as plain arrays: a column of text as its entries and the place of each row's among them."""
    frame, origin, entries = dataset.arrived, dataset.origin, {}
    index = frame.index.to_numpy()
    stored = {"index": index, "file_of": origin.file[index], "row_of": origin.row[index]}
    for place, name in enumerate(frame.columns):
        if isinstance(frame.dtypes[name], pd.StringDtype):
            stored[f"column{place}"], there = pd.factorize(frame[name])
            entries[str(place)] = list(there)
        else:
            stored[f"column{place}"] = frame[name].to_numpy()
    for place, name in enumerate(dataset.why.columns):
        stored[f"why{place}"], there = pd.factorize(dataset.why[name])
        entries[f"why{place}"] = list(there)
    told = {"names": list(frame.columns), "entries": entries, "files": origin.names, "notes": dataset.notes}
    told["why"] = list(dataset.why.columns)
    return {**stored, "told": np.frombuffer(json.dumps(told).encode(), dtype=np.uint8)}


def plain(kind: object) -> bool:
    """Whether a column is of numbers, times or text, which is all that `load_dataset` gives now."""
    return isinstance(kind, pd.StringDtype) or (isinstance(kind, np.dtype) and kind.kind in "biufM")


def dataset_from(study: Study, table: str, stored: dict[str, NDArray[Any]]) -> Dataset:
    """What `arrays` has made arrays of."""
    told = json.loads(stored["told"].tobytes())
    columns: dict[str, Any] = {}
    for place, name in enumerate(told["names"]):
        values: Any = stored[f"column{place}"]
        if (there := told["entries"].get(str(place))) is not None:
            values = texts(there, values)
        columns[name] = values
    frame = pd.DataFrame(columns, index=stored["index"])
    reasons = {name: texts(told["entries"][f"why{n}"], stored[f"why{n}"]) for n, name in enumerate(told["why"])}
    why = pd.DataFrame(reasons, index=stored["index"])
    file, row = np.zeros(
        (2, len(frame) and int(frame.index.max()) + 1), dtype=np.int64
    )  # the rows of others are not held
    file[frame.index], row[frame.index] = stored["file_of"], stored["row_of"]
    return dataset_of(study, table, frame, Origin(tuple(told["files"]), file, row), tuple(told["notes"]), why)


def texts(entries: list[str], places: NDArray[Any]) -> Any:
    return pd.array([*entries, np.nan], dtype="str")[places]  # code -1, a missing entry, takes the last


def name_of(study: Study, table: str, by: str | None) -> str:
    """Of one group of rows, the study file, and every file that the rows come from, by its time and size."""
    files = [file for one in study.behind(table) for file in study.tables[one].files]
    paths = [path for file in files for path in lying(study, file)]
    marks = [(str(path), told.st_mtime_ns, told.st_size) for path in paths for told in [path.stat()]]
    return sha256(json.dumps([str(study.path), study.sha256, table, by, marks]).encode()).hexdigest()
