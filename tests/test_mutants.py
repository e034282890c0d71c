"""The runner of `make mutants` tells the truth: what nobody would notice lives, what a test notices does not."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from mutants import COLUMNS, write
from mutated import changes, living, put

TEXT = """
from functools import cache, cached_property

LIMIT = 3


def plain(a, b=1):
    return a + b


@cache
def kept(a):
    return a + 10


def outer(a):
    def inner(b):
        return a + b
    return inner


class Value:
    def __init__(self, a):
        self.a = a

    @cached_property
    def late(self):
        return self.a + 100

    @staticmethod
    def apart(a):
        return a + 1000
"""


@pytest.fixture
def module(tmp_path):
    """TEXT as a module that lives, and how to put another text into it."""
    made, path = ModuleType("made"), str(tmp_path / "made.py")
    exec(compile(TEXT, path, "exec"), made.__dict__)  # noqa: S102 - our own, above

    def change(before: str, after: str) -> bool:
        assert TEXT.count(before) == 1
        codes = (compile(text, path, "exec") for text in (TEXT, TEXT.replace(before, after)))
        functions, outside = changes(*codes)
        return not outside and put(functions, living([path])[path])

    return made, change


@pytest.mark.parametrize(
    ("before", "after", "call", "becomes"),
    [
        ("    return a + b\n\n\n@cache", "    return a - b\n\n\n@cache", lambda made: made.plain(5), 4),
        ("a + 10\n", "a - 10\n", lambda made: made.kept(5), -5),
        ("        return a + b", "        return a - b", lambda made: made.outer(5)(2), 3),
        ("self.a + 100\n", "self.a - 100\n", lambda made: made.Value(5).late, -95),
        ("a + 1000\n", "a - 1000\n", lambda made: made.Value.apart(5), -995),
    ],
    ids=["a function", "behind a cache", "within another", "a cached property", "a static method"],
)
def test_changed_code_reaches_living_functions(module, before, after, call, becomes):
    made, change = module
    assert change(before, after)
    assert call(made) == becomes


@pytest.mark.parametrize(
    ("before", "after"), [("LIMIT = 3", "LIMIT = 4"), ("b=1", "b=2"), ("@cache\n", "\n"), ("@cached_property\n", "\n")]
)
def test_what_is_outside_of_functions_is_not_taken_for_done(module, before, after):
    _, change = module
    assert not change(before, after)


SOURCE = '''
"""A module of its own."""
from __future__ import annotations

LIMIT = 3  # looked at
LOOSE = 4  # not looked at


def both(a: int | None, b):
    return a + b


def unseen(a):
    return a * 2


def endless(a):
    while a > 0:
        a = a - 1
    return a


def never(a):
    return a / 2
'''
TESTS = """
import pytest

from tiny import sums


@pytest.fixture(scope="module")
def made():
    return sums.both(2, 3)


def test_first(made):
    assert made


def test_second(made):
    assert made == 5


def test_limit():
    assert sums.LIMIT == 3


def test_unseen():
    sums.unseen(3)


def test_endless():
    assert sums.endless(3) == 0
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> list[dict[str, str]]:
    """The survivors of a package of one module, as `make mutants` writes them."""
    pytest.importorskip("cosmic_ray", reason="installed by `make mutants` alone")
    pytest.importorskip("coverage", reason="installed by `make mutants` alone")
    root = tmp_path_factory.mktemp("tiny")
    for name, text in {
        "pyproject.toml": "[tool.pytest.ini_options]\naddopts = '--import-mode=importlib'\nfilterwarnings = ['error']\n",
        "src/tiny/__init__.py": "",
        "src/tiny/sums.py": SOURCE,
        "tests/test_sums.py": TESTS,
        "tests/test_unused.py": "from tiny import sums\n\ndef test_nothing_of_it():\n    assert True\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    runner = Path(__file__).with_name("mutants.py")
    call = [sys.executable, runner, "sums", "--root", root, "--package", "tiny", "--grace", "0.3"]
    done = subprocess.run(call, env={"PYTHONPATH": str(root / "src")}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    with (root / "tests" / "mutants.csv").open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def of(told, start: str) -> set[str]:
    return {row["changed"].partition("->")[2].strip() for row in told if row["changed"].startswith(start)}


def test_what_no_test_looks_at_lives(told):
    assert {"return a + 2", "return a * 1", "return a * 3"} <= of(told, "return a * 2")
    assert of(told, "LOOSE") == {"LOOSE = 5  # not looked at", "LOOSE = 3  # not looked at"}


def test_what_a_test_looks_at_is_killed_also_behind_a_shared_fixture_or_outside_of_functions(told):
    assert not of(told, "return a + b")
    assert not of(told, "LIMIT")


def test_a_loop_without_end_is_killed(told):
    assert "while a > -1:" not in of(told, "while")
    assert "a = a + 1" not in of(told, "a = a - 1")


def test_lines_that_no_test_runs_say_so(told):
    assert {row["why"] for row in told if row["changed"].startswith("return a / 2")} == {"no test runs it"}


def test_annotations_are_left_alone(told):
    assert not of(told, "def both")


def test_a_sample_takes_no_survivor_from_the_list_that_it_did_not_try(tmp_path):
    path, fields = tmp_path / "mutants.csv", {"room": "sums", "file": "src/tiny/sums.py", "line": "1", "operator": "x"}
    kept, again, dead = ({**fields, "changed": name, "why": "as good"} for name in ("kept", "again", "dead"))
    with path.open("w", encoding="utf-8", newline="") as out:
        table = csv.DictWriter(out, COLUMNS)
        table.writeheader()
        table.writerows([kept, again, dead])
    tried = [{**again, "line": "7", "end": "survived", "tried": 3}, {**dead, "end": "killed"}]

    def listed(whole):
        write(path, tried, whole)
        with path.open(encoding="utf-8") as lines:
            return {row["changed"]: (row["line"], row["why"]) for row in csv.DictReader(lines)}

    assert listed([]) == {"kept": ("1", "as good"), "again": ("7", "as good")}
    assert listed(["sums"]) == {"again": ("7", "as good")}
