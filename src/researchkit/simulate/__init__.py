"""Worlds with a known truth: for lessons, for tests, and to see whether an answer finds what is there.

`contact_centre` is about loyalty, `hospital` about recovery and burnout. Both come in any size from a seed, with the
study file that asks about them and `truth.yml`, which holds what was planted. Nothing in them was measured.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from importlib import resources
from numbers import Integral
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from researchkit.errors import ParameterError
from researchkit.faults import nearest
from researchkit.progress import steps
from researchkit.simulate import (
    contact_centre,
    contact_centre_channels,
    contact_centre_detection,
    contact_centre_rollout,
    contact_centre_tradeoffs,
    contact_centre_trust,
    hospital,
    hospital_meaning,
    hospital_teams,
    hospital_wedge,
    hospital_workload,
    limits,
    talk,
    truths,
)
from researchkit.simulate.files import write_csv, write_parquet

# Further studies of the two worlds, each a module with `chunks`, `population` and what it has PLANTED.
FURTHER: dict[str, Any] = {
    "contact_centre_limits": limits,
    "contact_centre_trust": contact_centre_trust,
    "hospital_meaning": hospital_meaning,
    "contact_centre_channels": contact_centre_channels,
    "hospital_workload": hospital_workload,
    "contact_centre_rollout": contact_centre_rollout,
    "hospital_wedge": hospital_wedge,
    "hospital_teams": hospital_teams,
    "contact_centre_detection": contact_centre_detection,
    "contact_centre_tradeoffs": contact_centre_tradeoffs,
    "contact_centre_talk": talk,
}
WORLDS: dict[str, Any] = {"contact_centre": contact_centre, "hospital": hospital, **FURTHER}
PLANTED = {
    "contact_centre": truths.CONTACT_CENTRE,
    "hospital": truths.HOSPITAL,
    **{name: module.PLANTED for name, module in FURTHER.items()},
}


def simulate(world: str, *, rows: int, seed: int) -> dict[str, pd.DataFrame]:
    """A world's tables, whole in memory; `write_world` makes those that are too large for it.

    Parameters
    ----------
    world
        "contact_centre" or "hospital".
    rows
        Contacts, or stays; the hospital's staff answer three waves, 0.15 people a stay.
    seed
        The same seed and number of rows give the same tables; a prefix of a larger world is not a smaller one.

    Returns
    -------
    dict
        The frame of each file, by the file's name. Ids are text; gaps are `pandas.NA`.

    Raises
    ------
    ParameterError
        If there is no such world, or the number of rows or the seed is none.
    """
    module = world_of(world, rows, seed)
    pieces = list(module.chunks(rows, seed))
    return {name: pd.concat([piece[name] for piece in pieces], ignore_index=True) for name in module.FILES}


def truth(world: str, *, seed: int) -> dict[str, dict[str, Any]]:
    """What is true in a world, by question: `truth` in `unit`, `sort`, `deserves`, `crude_misleads` and `how`.

    The numbers are averages over a large population of the same kind, made from the seed, with one circumstance moved:
    the size of the data does not enter. `deserves` is the verdict that data of the usual size should lead to.

    Raises
    ------
    ParameterError
        If there is no such world, or the seed is none.
    """
    people = world_of(world, 1, seed).population(seed)
    return {planted.question: planted.entry(people) for planted in PLANTED[world]}


def write_world(world: str, out: str | Path, *, rows: int | None = None, seed: int | None = None) -> list[Path]:
    """Write a world's data, `truth.yml` and `study.yml` into the folder `out`; the paths of what was written.

    Everything is made in a hidden folder beside `out` and moved into place when all of it is there. Without `rows` and
    `seed` the world has its usual size and seed, and its files are those of the folder of that name under `data/`.

    Raises
    ------
    ParameterError
        If there is no such world, the number of rows or the seed is none, or `out` is a file.
    SourceError
        If a Parquet file is due and DuckDB is not installed.
    """
    module = world_of(world, 1 if rows is None else rows, 0 if seed is None else seed)
    rows, seed, out = module.ROWS if rows is None else rows, module.SEED if seed is None else seed, Path(out)
    if out.exists() and not out.is_dir():
        raise ParameterError(f"{out} is a file; a world needs a folder to be written to.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise ParameterError(f"{out} cannot be written to: {error.strerror}.") from None
    try:
        make(world, made, rows, seed)
        out.mkdir(exist_ok=True)
        return [path.replace(out / path.name) for path in sorted(made.iterdir())]
    finally:
        shutil.rmtree(made, ignore_errors=True)


def make(world: str, folder: Path, rows: int, seed: int) -> None:
    """All files of a world, into an empty folder."""
    for name in WORLDS[world].FILES:
        write = write_parquet if name.endswith(".parquet") else write_csv
        with steps(name, rows) as done:
            write(folder / name, only(name, WORLDS[world].chunks(rows, seed), done))
    (folder / "truth.yml").write_bytes(truth_text(world, seed).encode())
    (folder / "study.yml").write_bytes(study_text(world).encode())


def only(name: str, chunks: Iterator[dict[str, pd.DataFrame]], done: Callable[..., object]) -> Iterator[pd.DataFrame]:
    """One file's part of each chunk; `done` is told how many rows of the world each had."""
    for chunk in chunks:
        yield chunk[name]
        done(len(next(iter(chunk.values()))))


def study_text(world: str) -> str:
    """The study file that asks about a world."""
    return resources.files("researchkit").joinpath("worlds", f"{world}.yml").read_text(encoding="utf-8")


def truth_text(world: str, seed: int) -> str:
    head = (
        f"# What is true in the simulated world {world!r} made from the seed {seed}: computed, not typed.\n"
        "# `deserves` is the verdict that data of the usual size should lead to; `truth` is in `unit`.\n"
    )
    return head + yaml.safe_dump(truth(world, seed=seed), sort_keys=False, width=110)


def world_of(world: str, rows: int, seed: int) -> Any:
    """The module of a world, after a look at what was asked for."""
    if world not in WORLDS:
        raise ParameterError(f"There is no world {world!r}{nearest(str(world), WORLDS)}.")
    for name, value, least in (("rows", rows, 1), ("seed", seed, 0)):
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            raise ParameterError(f"{name} is {value!r}; a whole number of {least} or more is wanted.")
    return WORLDS[world]
