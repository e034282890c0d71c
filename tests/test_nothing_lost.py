"""A kill before any change of the disk, a full disk from any change on: reports are the old ones or the new ones, whole,
and the next run completes. `make attack` tries every change of a run; `make test` a few of them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from answers import execute
from click.testing import CliRunner
from wards import STUDY

from researchkit import report as reports
from researchkit.cli import main

WARDS = ("North", "West")
CELLS = (
    "import researchkit as rk\nanswer = rk.answer_question(study, question, by=by, disclosure=disclosure)",
    "answer",
)
PASSING = re.compile(
    r'"(seconds|started|made|when|at|grown_from)": ?("[^"]*"|[\d.]+|\[[^\]]*\])|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(\+00:00)?|[\d.]+ seconds'
)


def rows(more: int) -> str:
    lines = [
        f"{k},{10 * w + k + s % 5 + more * k},{ward}"
        for w, ward in enumerate(WARDS)
        for k in (1, 2, 3)
        for s in range(8)
    ]
    return "\n".join(["kindness,trust,ward", *lines]) + "\n"


def asked(home: Path) -> list[str]:
    words = [
        "run",
        home / "wards",
        "--by",
        "ward",
        "--notebook",
        home / "small.ipynb",
        "--out",
        home / "reports",
        "--jobs",
        "1",
    ]
    return [str(word) for word in words]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with the reports of one month, and what notebooks say of the next."""
    home = tmp_path_factory.mktemp("lost") / "home"
    (home / "wards").mkdir(parents=True)
    (home / "wards" / "study.yml").write_text(f"{STUDY}disclosure: five\n", encoding="utf-8")
    parameters = 'study = "x"\nquestion = "x"\nby = ""\ndisclosure = ""'
    cells = [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    nbformat.write(
        nbformat.v4.new_notebook(cells=[*cells, *map(nbformat.v4.new_code_cell, CELLS)]), home / "small.ipynb"
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reports, "execute", execute)
        patched.setenv("RESEARCHKIT_FORK", "0")
        (home / "wards" / "visits.csv").write_text(rows(0), encoding="utf-8")
        found = CliRunner().invoke(main, asked(home))
        assert found.exit_code == 0, found.output
        (home / "wards" / "visits.csv").write_text(rows(1), encoding="utf-8")
        kept = {}
        for ward in WARDS:
            given = {"study": str(home / "wards"), "question": "trust", "by": f"ward={ward}", "disclosure": ""}
            assert execute(home / "small.ipynb", home / "one.json", given, None) is None
            kept[given["by"]] = json.loads((home / "one.json").read_text(encoding="utf-8"))
    (home / "one.json").unlink()
    (home / "kept.json").write_text(json.dumps(kept), encoding="utf-8")
    return home


def told(state: dict[str, str]) -> dict[str, str]:
    """What lies there, without when it was made."""
    return {name: PASSING.sub("", text) for name, text in state.items()}


def part(state: dict[str, str], folder: str) -> dict[str, str]:
    return {name: text for name, text in state.items() if name.startswith(f"{folder}/")}


def of_the_run(name: str) -> bool:
    """Whether a file tells of the run itself: what was made in it and what was up to date; or is the owner's log."""
    return name.startswith(".internal") or Path(name).name in ("index.html", "run.json")


def tried(home: Path, work: Path, only: str, how: str) -> dict:
    words = [sys.executable, str(Path(__file__).with_name("killed.py")), str(home), str(work), only, how]
    # Each run finds its study where it lies, in a copy: the kept notebooks speak of the first, which changes nothing here.
    told_ = subprocess.run(
        words, capture_output=True, text=True, timeout=3600, env={**os.environ, "RESEARCHKIT_FORK": "0"}
    )
    assert told_.returncode == 0, told_.stderr
    return json.loads(told_.stdout)


FEW = pytest.param("0.1,0.9", id="a few")
ALL = pytest.param("all", id="all", marks=pytest.mark.attack)


@pytest.mark.parametrize("only", [FEW, ALL])
@pytest.mark.parametrize("how", ["kill", "full"])
def test_a_run_that_ends_at_any_change_of_the_disk(home, tmp_path, only, how):
    start = {str(path.relative_to(home / "reports")): path.read_text(encoding="utf-8", errors="replace") for path in (home / "reports").rglob("*") if path.is_file() and ".locks" not in path.parts}  # fmt: skip
    found = tried(home, tmp_path, only, how)
    old, new = told(start), told(found["new"])
    assert found["status"] == 0 and found["steps"] > 30
    ends = set()
    for one in found["found"]:
        where = f"{how} at change {one['number']} of {found['steps']}"
        after, end = told(one["after"]), told(one["end"])
        assert one["fault"] == "", f"{where}: {one['fault']}"
        if how == "kill":
            assert one["died"] == 9, where
        else:
            assert one["died"] in (0, 1, 2), where
        for ward in WARDS:
            folder = f"wards/trust/ward={ward}"
            assert part(after, folder) in (part(old, folder), part(new, folder)), f"{where}: {ward}"
            ends.add(part(after, folder) == part(new, folder))
        for name in ("index.html", "ledger.html", "ledger.csv"):
            assert after[name].rstrip().endswith(old[name].rstrip()[-7:]), f"{where}: {name} is not whole"
        assert one["again"] == 0, where
        assert sorted(end) == sorted(new), where
        assert {name for name in end if end[name] != new[name] and not of_the_run(name)} == set(), where
        for name, text in one["end"].items():
            if name.endswith(".json"):
                json.loads(text)
    assert ends == {True, False}, "both ends are met"
    if path := os.environ.get("RESEARCHKIT_FUZZED"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{how} at a change of the disk\t{len(found['found'])}\n")


@pytest.fixture
def month(home, tmp_path, here):
    """A copy of it without protection of counts, in which notebooks are run here; its reports are up to date."""
    shutil.copytree(home / "wards", tmp_path / "home" / "wards")
    shutil.copy(home / "small.ipynb", tmp_path / "home")
    (tmp_path / "home" / "wards" / "study.yml").write_text(STUDY, encoding="utf-8")
    found = CliRunner().invoke(main, asked(tmp_path / "home"))
    assert found.exit_code == 0, found.output
    return tmp_path / "home"


def estimates(home: Path) -> list[float]:
    paths = sorted((home / "reports").rglob("result.json"))
    return [json.loads(path.read_text(encoding="utf-8"))["effect"]["estimate"] for path in paths]


def exchanged(home: Path, step: int) -> None:
    """The outcomes of some rows of each ward exchanged: another content of the same size, with the same entries."""
    path = home / "wards" / "visits.csv"
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    cells = [line.split(",") for line in lines]
    for ward in range(len(WARDS)):
        one, other = 24 * ward + step, 24 * ward + 16 + step
        cells[one][1], cells[other][1] = cells[other][1], cells[one][1]
    path.write_text("\n".join([head, *map(",".join, cells)]) + "\n", encoding="utf-8")


def test_another_content_under_an_older_date_is_noticed(month):
    """A clock that was set back, or a copy that keeps dates: what counts is what the file holds."""
    path, before = month / "wards" / "visits.csv", estimates(month)
    size = path.stat().st_size
    exchanged(month, 0)
    assert path.stat().st_size == size
    os.utime(path, (1, 1))
    found = CliRunner().invoke(main, asked(month))
    assert found.exit_code == 0 and "2 ok" in found.output, found.output
    assert [one != other for one, other in zip(estimates(month), before, strict=True)] == [True, True]


def test_a_file_that_changes_while_reports_are_made_is_noticed(month, monkeypatch):
    """What was planned from one content and made from another is never taken for up to date."""
    exchanged(month, 0)
    steps = iter((1, 2))

    def meanwhile(*args):
        exchanged(month, next(steps))
        return execute(*args)

    with monkeypatch.context() as patched:
        patched.setattr(reports, "execute", meanwhile)
        first = CliRunner().invoke(main, asked(month))
    second = CliRunner().invoke(main, asked(month))
    assert second.exit_code == 0 and "2 ok" in second.output, (first.output, second.output)
    right = estimates(month)
    shutil.rmtree(month / "reports")
    assert CliRunner().invoke(main, asked(month)).exit_code == 0
    assert estimates(month) == right
