"""The order of the house: imports go one way, libraries stay behind their walls, rooms stay small.

The order is read from the table in CONTRIBUTING.md, so the map and the house cannot drift apart. The last tests
here plant one fault of each kind and see it caught.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

MODULE_LINES, FUNCTION_LINES = 350, 60
FRONT_DOOR = {"__init__", "__main__"}  # public names, and `python -m researchkit`
HEAVY = (
    "statsmodels",
    "scipy.stats",
    "seaborn",
    "matplotlib",
    "duckdb",
    "sqlalchemy",
    "pyreadstat",
    "openpyxl",
    "sklearn",
    "papermill",
    "nbconvert",
)
WALLS = {  # library -> the rooms that may use it
    "statsmodels": {"estimators", "scales"},
    "openpyxl": {"readers"},
    "pyreadstat": {"readers"},
    "sklearn": {"transcripts"},
    "docx": {"hands"},
    "duckdb": {"readers", "simulate"},
    "sqlalchemy": {"readers", "warehouse"},
    "pooch": {"sources"},
    "seaborn": {"figures"},
    "matplotlib": {"figures"},
    "papermill": {"report", "export"},
    "nbconvert": {"report", "export"},
    "nbclient": {"report", "export"},
    "nbformat": {"report", "export"},
    "jinja2": {"site", "report", "export"},
    "click": {"cli"},
    "distributed": {"batch"},
    "dask": {"batch"},
    "fsspec": {"batch"},
    "jupyter_client": {"kernels"},
    "ipykernel": {"kernels"},
    "tqdm": {"progress", "cli", "calibrate"},
}
ROUNDING = {"wording", "simulate", "figures"}  # what people read; what instruments record; coordinates on paper
NUMERIC = ("pandas", "numpy", "scipy")  # from the second floor up


parsed = cache(ast.parse)  # every test looks at every module


class Row(NamedTuple):
    rank: int
    floor: int


class Import(NamedTuple):
    room: str
    where: str
    target: str  # dotted, absolute
    on_start: bool  # runs when the module is imported


class Module(NamedTuple):
    name: str  # path below the package, such as estimators/score.py
    room: str
    text: str


def house(text: str) -> dict[str, Row]:
    """Room -> its row and floor, from the table whose header is `| floor | rooms |`."""
    table = text.split("| floor | rooms |", 1)[1].split("\n\n", 1)[0]
    rows = re.findall(r"^\| (\d+) \| ([^|]+) \|", table, re.M)
    return {
        room: Row(rank, int(floor)) for rank, (floor, cell) in enumerate(rows) for room in re.findall(r"`(\w+)`", cell)
    }


def modules(package: Path) -> list[Module]:
    paths = sorted(path.relative_to(package) for path in package.rglob("*.py"))
    return [Module(p.as_posix(), Path(p.parts[0]).stem, (package / p).read_text(encoding="utf-8")) for p in paths]


def imports(module: Module) -> Iterator[Import]:
    tree = parsed(module.text)
    inside = {
        id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef) for n in ast.walk(f)
    }
    hints = {
        id(n)
        for i in ast.walk(tree)
        if isinstance(i, ast.If) and "TYPE_CHECKING" in ast.unparse(i.test)
        for n in ast.walk(i)
    }
    home = ["researchkit", *Path(module.name).parent.parts]
    for node in ast.walk(tree):
        for target in _targets(node, home):
            yield Import(module.room, f"{module.name}:{node.lineno}", target, id(node) not in inside | hints)


def _targets(node: ast.AST, home: list[str]) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        base = (
            ".".join([*home[: len(home) - node.level + 1], *([node.module] if node.module else [])])
            if node.level
            else node.module
        )
        return [f"{base}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
        return [argument.value for argument in node.args[:1] if isinstance(argument, ast.Constant)]
    return []


def is_of(target: str, library: str) -> bool:
    return target == library or target.startswith(library + ".")


def upward(found: Module, rows: dict[str, Row]) -> list[str]:
    """Imports of our own that do not go to a row above."""
    wrong = []
    for one in imports(found):
        parts = one.target.split(".")
        if parts[0] != "researchkit" or one.room in FRONT_DOOR or parts[1:2] in ([one.room], ["__version__"]):
            continue
        to = rows.get(parts[1]) if len(parts) > 1 else None
        if to is None or to.rank >= rows[one.room].rank:
            wrong.append(f"{one.where}: {one.room} uses {one.target}")
    return wrong


def over_the_wall(found: Module, rows: dict[str, Row]) -> list[str]:
    """Libraries used outside their rooms, or loaded before they are needed."""
    wrong = []
    for one in imports(found):
        wrong += [
            f"{one.where}: {lib} belongs to {', '.join(sorted(ok))}"
            for lib, ok in WALLS.items()
            if is_of(one.target, lib) and one.room not in ok
        ]
        wrong += [
            f"{one.where}: import {lib} where it is used" for lib in HEAVY if one.on_start and is_of(one.target, lib)
        ]
        low = one.room in FRONT_DOOR or (one.room in rows and rows[one.room].floor < 2)
        wrong += [f"{one.where}: {lib} begins on floor 2" for lib in NUMERIC if low and is_of(one.target, lib)]
    return wrong


def rounded(found: Module) -> list[str]:
    """Where a number loses digits: round(...), .round(...), and formats such as .2f."""
    if found.room in ROUNDING:
        return []
    tree = parsed(found.text)
    # `x != round(x)` asks whether x is whole: nothing is lost.
    asked = {id(side) for node in ast.walk(tree) if isinstance(node, ast.Compare) for side in node.comparators}
    lossy = [node for node in ast.walk(tree) if id(node) not in asked and _loses(node)]
    return [f"{found.name}:{node.lineno}: numbers are worded in wording" for node in lossy]


def _loses(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        name, last = ast.unparse(node.func).split(".")[-1], ast.unparse(node.args[-1]) if node.args else ""
        return name in ("round", "around", "round_") or (name == "format" and _lossy(last.strip("'\"")))
    if isinstance(node, ast.FormattedValue) and isinstance(node.format_spec, ast.JoinedStr):
        # A part that is itself computed may well be a precision.
        parts = [part.value if isinstance(part, ast.Constant) else ".2" for part in node.format_spec.values]
        return _lossy("".join(parts))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant):
        return bool(re.search(r"%[-+ 0#\d]*\.?\d*[efg]", str(node.left.value)))
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return bool(re.search(r"\{\w*:[-+,_<>^=# \d]*(\.\d+[a-z%]?|[eEfFgG%])\}", node.value))
    return False


def _lossy(spec: str) -> bool:
    return bool(re.search(r"\.\d|[eEfFgG%]$", spec))


def oversized(found: Module) -> list[str]:
    lines = found.text.count("\n")
    wrong = [f"{found.name}: {lines} lines, at most {MODULE_LINES}"] if lines > MODULE_LINES else []
    for node in ast.walk(parsed(found.text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            words = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            size = node.end_lineno - node.lineno + 1 - (first.end_lineno - first.lineno + 1 if words else 0)
            if size > FUNCTION_LINES:
                wrong.append(f"{found.name}:{node.lineno} {node.name}: {size} code lines, at most {FUNCTION_LINES}")
    return wrong


@pytest.fixture(scope="module")
def rows(root):
    return house((root / "CONTRIBUTING.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def ours(root):
    return modules(root / "src" / "researchkit")


def test_the_map_shows_every_room_and_no_other(rows, ours):
    assert {module.room for module in ours} - FRONT_DOOR == set(rows)


def test_the_map_climbs(rows):
    floors = [row.floor for row in sorted(rows.values())]
    assert floors == sorted(floors)


def test_imports_go_down_the_house_only(rows, ours):
    assert [fault for module in ours if module.room in {*rows, *FRONT_DOOR} for fault in upward(module, rows)] == []


def test_libraries_stay_behind_their_walls(rows, ours):
    assert [fault for module in ours for fault in over_the_wall(module, rows)] == []


def test_only_wording_rounds(ours):
    assert [fault for module in ours for fault in rounded(module)] == []


def test_rooms_and_functions_stay_small(ours):
    assert [fault for module in ours for fault in oversized(module)] == []


def test_there_is_no_room_for_odds_and_ends(ours):
    assert not [module.name for module in ours if re.search(r"util|helper|common|misc", module.name)]


HEAVY_AT_START = [*HEAVY, "pandas", "numpy", "scipy", "pydantic", "click", "pooch", "networkx", "jinja2", "IPython"]


def test_starting_loads_nothing_heavy():
    code = "import sys, researchkit; researchkit.__version__; dir(researchkit); print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "researchkit" in loaded
    assert [name for name in HEAVY_AT_START if name in loaded] == []


def test_every_public_name_is_there():
    import researchkit

    assert [name for name in researchkit.__all__ if not hasattr(researchkit, name)] == []
    with pytest.raises(AttributeError, match="load_study"):
        researchkit.load_studies  # noqa: B018


# Each check sees its own fault: a planted module, and the words it must be caught by.
SMALL_HOUSE = house(
    "| floor | rooms | own |\n|---|---|---|\n| 0 | `errors` | |\n| 1 | `claims`, `study` | |\n| 3 | `estimators` | |\n\nEnd."
)
PLANTED = [
    (upward, "study.py", "from researchkit.estimators import score", "study uses researchkit.estimators"),
    (upward, "study.py", "def f():\n    from .estimators.score import fit", "study uses researchkit.estimators"),
    (upward, "study.py", "if TYPE_CHECKING:\n    from .estimators import Effect", "study uses researchkit.estimators"),
    (upward, "study.py", "from . import claims", "study uses researchkit.claims"),
    (upward, "estimators/score.py", "from ..attic import thing", "estimators uses researchkit.attic"),
    (upward, "study.py", "import_module('researchkit.estimators')", "study uses researchkit.estimators"),
    (upward, "study.py", "import researchkit as rk", "study uses researchkit"),
    (over_the_wall, "study.py", "def f():\n    import statsmodels.api as sm", "statsmodels belongs to estimators"),
    (over_the_wall, "estimators/score.py", "from scipy import stats", "import scipy.stats where it is used"),
    (over_the_wall, "estimators/score.py", "from matplotlib.axes import Axes", "matplotlib belongs to figures"),
    (over_the_wall, "study.py", "import pandas as pd", "pandas begins on floor 2"),
    (rounded, "study.py", "x = round(y, 2)", "study.py:1"),
    (rounded, "study.py", "x = frame.round(2)", "study.py:1"),
    (rounded, "study.py", "x = f'{y:.3f}'", "study.py:1"),
    (rounded, "study.py", "x = f'{y:.{places}f}'", "study.py:1"),
    (rounded, "study.py", "x = format(y, ',.1f')", "study.py:1"),
    (rounded, "study.py", "x = '%.2f' % y", "study.py:1"),
    (rounded, "study.py", "x = '{:.1%}'.format(y)", "study.py:1"),
    (oversized, "study.py", "x = 1\n" * 351, "351 lines, at most 350"),
    (oversized, "study.py", "def f():\n    '''Words.'''\n" + "    x = 1\n" * 60, "f: 61 code lines"),
]
FINE = [
    (upward, "estimators/score.py", "from ..errors import EstimationError\nfrom .linear import fit\nimport numpy"),
    (over_the_wall, "estimators/score.py", "import numpy\ndef f():\n    from statsmodels.api import OLS"),
    (rounded, "study.py", "whole = x == np.round(x)"),
    (rounded, "study.py", "x = f'{n:,} rows, {name:>10}, 50 %'"),
    (oversized, "study.py", "def f():\n    '''Words.'''\n" + "    x = 1\n" * 59),
]


def _caught(check, name: str, text: str) -> list[str]:
    module = Module(name, Path(Path(name).parts[0]).stem, text)
    return check(module, SMALL_HOUSE) if check in (upward, over_the_wall) else check(module)


@pytest.mark.parametrize(("check", "name", "text", "words"), PLANTED)
def test_a_planted_fault_is_caught(check, name, text, words):
    assert [fault for fault in _caught(check, name, text) if words in fault]


@pytest.mark.parametrize(("check", "name", "text"), FINE)
def test_what_is_fine_passes(check, name, text):
    assert _caught(check, name, text) == []
