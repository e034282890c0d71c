"""What many tests share: where the published data lie, and the values computed in R.

Neither is part of the project, so a test that needs one is skipped, with the reason, where it is absent.
"""

from __future__ import annotations

import json
import os
import re
import runpy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
import pytest
from answers import Answered, execute, kept
from hypothesis import settings

from researchkit import kernels, report

matplotlib.use("agg")
settings.register_profile("ours", deadline=None)  # a busy machine is no fault
settings.load_profile("ours")

ROOT = Path(__file__).resolve().parents[1]
BESIDE = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout: the folder that holds pyproject.toml."""
    return ROOT


@pytest.fixture(scope="session")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Answered:
    """The answers to the questions of both worlds as they stand, each worked out once for all tests of a run."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "answers"
    folder.mkdir(exist_ok=True)
    return kept(folder)


@pytest.fixture(scope="module")
def warm() -> Iterator[None]:
    """One template for all kernels of a file's tests: a run uses that of a process further up, and loads none."""
    with kernels.warm():
        yield


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notebooks are run in this process, where it does not matter that kernels do: seconds less a run."""
    monkeypatch.setattr(report, "execute", execute)
    monkeypatch.setenv("RESEARCHKIT_FORK", "0")  # nothing is to be loaded for kernels that nobody starts


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder of published data (RESEARCHKIT_MIRROR, or `shared/data` beside the checkout)."""
    named = os.environ.get("RESEARCHKIT_MIRROR")
    folder = Path(named) if named else BESIDE / "data"
    if not folder.is_dir():
        pytest.skip(f"the published data are not at hand: {folder} is no folder (RESEARCHKIT_MIRROR names another)")
    return folder


class Close:
    """R's value, to a tolerance; remembers what it was compared with, for the table of agreement.

    RESEARCHKIT_AGREEMENT names a CSV to write that table into after the tests.
    """

    met: list[tuple[str, str, float, float]] = []  # noqa: RUF012 - one list for all
    __array_ufunc__ = None  # numpy leaves the comparison to us
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, entry: str, quantity: str, value: Any, **tolerance: float) -> None:
        self.name, self.value = (entry, quantity), value
        self.approx = pytest.approx(value, **tolerance)

    def __eq__(self, other: object) -> bool:
        if isinstance(self.value, int | float):
            self.met.append((*self.name, float(self.value), float(other)))  # type: ignore[arg-type]
        return bool(self.approx == other)

    def __repr__(self) -> str:
        return f"{'/'.join(self.name)} = {self.approx!r}"


def pytest_sessionfinish() -> None:
    if path := os.environ.get("RESEARCHKIT_AGREEMENT"):
        table = pd.DataFrame(Close.met, columns=["reference", "quantity", "R", "ours"]).drop_duplicates()
        table["relative difference"] = (table["ours"] - table["R"]).abs() / table["R"].abs()
        table.sort_values(["reference", "quantity"]).to_csv(path, index=False)


@dataclass(frozen=True)
class Reference:
    """Values computed in R: `reference["lm_birthwt"]` is one entry, `reference.frame("birthwt")` its data."""

    folder: Path
    entries: dict[str, dict[str, Any]]

    def __getitem__(self, name: str) -> dict[str, Any]:
        return self.entries[name]

    def frame(self, name: str) -> pd.DataFrame:
        """The data set `name`, with or without `.csv`."""
        return pd.read_csv(self.folder / "data" / f"{name.removesuffix('.csv')}.csv")

    def value(self, name: str, quantity: str) -> Any:
        """R's value as `pytest.approx`, to the tolerance that the entry states for this quantity."""
        entry = self.entries[name]
        tolerance = dict(entry["tolerance"])
        for pattern, override in (tolerance.get("overrides") or {}).items():
            if re.search(pattern, quantity):
                tolerance |= override
        return Close(name, quantity, entry["quantities"][quantity], rel=tolerance["rtol"], abs=tolerance["atol"])


@dataclass(frozen=True)
class Held:
    """Values that R computed from simulated data (tests/reference): `held("entry", "quantity")`, and `held.frames`."""

    frames: dict[str, pd.DataFrame]
    values: dict[str, dict[str, float]]

    def __call__(self, entry: str, quantity: str, rel: float = 1e-7) -> Any:
        return Close(entry, quantity, self.values[entry][quantity], rel=rel)


@pytest.fixture(scope="session")
def held() -> Held:
    """Every value file of tests/reference beside the frames that it was computed from."""
    folder = ROOT / "tests" / "reference"
    worlds: dict[str, Any] = runpy.run_path(str(folder / "worlds.py"))
    values: dict[str, dict[str, float]] = {}
    for path in sorted(folder.glob("*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        assert told["data"] == worlds["digests"](), f"{path.name} is of other simulated data; run `make reference`"
        assert not values.keys() & told["values"].keys(), f"{path.name} repeats an entry of another file"
        values |= told["values"]
    return Held(worlds["frames"](), values)


@cache
def _reference(folder: Path) -> Reference:
    entries = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
    return Reference(folder, {entry["id"]: entry for entry in entries})


@pytest.fixture(scope="session")
def reference() -> Reference:
    """Values computed in R (RESEARCHKIT_REFERENCE, or `shared/reference` beside the checkout)."""
    named = os.environ.get("RESEARCHKIT_REFERENCE")
    folder = Path(named) if named else BESIDE / "reference"
    if not (folder / "reference.json").is_file():
        pytest.skip(f"the values from R are not at hand: no reference.json in {folder}")
    return _reference(folder)
