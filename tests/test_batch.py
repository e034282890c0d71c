"""Runs of many reports: what is made anew and what is left, and what becomes of the rest when something dies."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from researchkit.batch import Job, Limits, likely, plan, run, why, with_claim
from researchkit.batch.key import Keys
from researchkit.cli import main
from researchkit.errors import ParameterError
from researchkit.places import alone, maker, sweep
from researchkit.report import Report
from researchkit.study import load_study

STUDY = """
title: Wards
seed: 1
design: observational
files: visits.csv
columns:
  ward: {{type: category}}
  spare: {{range: [0, 9]}}
questions:
  - {{id: trust, title: 'Is there more trust?', claim: MEC-1, family: recovery, exposure: kindness,
      outcome: {{column: trust, kind: score, unit: point}}, smallest_effect: 0.1}}
"""
PARAMETERS = 'study = "x"\nquestion = "x"\nby = ""\ndisclosure = ""\nextra = 1\nname = "a"'
ANSWER = (
    "from types import SimpleNamespace\nimport researchkit as rk\nSimpleNamespace(extra=extra, name=name)\n"
    "answer = rk.answer_question(study, question, by=by, disclosure=disclosure)"
)

pytestmark = pytest.mark.usefixtures("warm")


@pytest.fixture
def wards(tmp_path):
    """Three wards of 24 visits, each with a mean of its own."""
    folder = tmp_path / "wards"
    folder.mkdir()
    lines = ["kindness,trust,ward,spare"]
    for place, ward in enumerate(("East", "North", "West")):
        lines += [
            f"{kind},{10 * place + kind + step % 5},{ward},1" for kind in (1, 2, 3) for step in range(8)
        ]  # fmt: skip
    (folder / "visits.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "study.yml").write_text(STUDY.format(), encoding="utf-8")
    return folder


@pytest.fixture
def notebook(tmp_path):
    """A small notebook that answers; `cell` runs before the answer is shown."""

    def made(cell: str = "1", name: str = "small.ipynb") -> Path:
        cells = [nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})]
        cells += [nbformat.v4.new_code_cell(source) for source in (ANSWER, cell, "answer")]
        path = tmp_path / name
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        return path

    return made


def jobs(wards, notebook, **more):
    return plan([load_study(wards)], by="ward", notebook=notebook, **more)


def statuses(reports):
    return {report.by: (report.status, report.unchanged) for report in reports}


def change(wards, old, new):
    path = wards / "visits.csv"
    path.write_text(path.read_text().replace(old, new, 1))


# What is made anew


def test_a_second_run_leaves_what_has_not_changed(wards, notebook, tmp_path, here):
    out, asked = tmp_path / "reports", jobs(wards, notebook())
    assert set(statuses(run(asked, out, 1)).values()) == {("ok", False)}
    before = {path: path.stat().st_mtime_ns for path in out.rglob("report.html")}
    assert set(statuses(run(asked, out, 1)).values()) == {("ok", True)}
    assert {path: path.stat().st_mtime_ns for path in out.rglob("report.html")} == before
    assert set(statuses(run(asked, out, 1, fresh=True)).values()) == {("ok", False)}


def test_a_glance_at_dates_tells_whether_several_are_due(wards, notebook, tmp_path, here):
    """What makes reports is loaded early where it will be used, and not for a run in which nothing has changed."""
    every, out = jobs(wards, notebook()), tmp_path / "reports"
    assert likely(Keys(), every, out, fresh=False)
    assert not likely(Keys(), every[:1], out, fresh=False), "one is made without"
    list(run(every, out, 1))
    assert not likely(Keys(), every, out, fresh=False)
    assert likely(Keys(), every, out, fresh=True)
    later = time.time() + 60
    os.utime(wards / "visits.csv", (later, later))
    assert likely(Keys(), every, out, fresh=False)


def test_only_the_ward_whose_rows_changed_is_made_again(wards, notebook, tmp_path, here):
    out, asked = tmp_path / "reports", jobs(wards, notebook())
    list(run(asked, out, 1))
    change(wards, "1,11,North", "1,12,North")
    assert why(asked[1], out) == ["the rows or columns that this report reads"]
    assert why(asked[0], out) == []
    found = statuses(run(asked, out, 1))
    assert found == {"ward=East": ("ok", True), "ward=North": ("ok", False), "ward=West": ("ok", True)}


def test_a_column_that_the_report_does_not_read_changes_nothing(wards, notebook, tmp_path, here):
    out, asked = tmp_path / "reports", jobs(wards, notebook())[:1]
    list(run(asked, out, 1))
    change(wards, ",East,1", ",East,2")
    assert [report.unchanged for report in run(asked, out, 1)] == [True]


@pytest.mark.parametrize(
    ("touch", "said"),
    [
        (lambda wards, book: book("2"), "the notebook"),
        (lambda wards, book: (wards / "study.yml").write_text(STUDY.format().replace("0.1", "0.2")), "the study file"),
    ],
)
def test_why_names_what_changed(wards, notebook, tmp_path, here, touch, said):
    out, asked = tmp_path / "reports", jobs(wards, notebook())[:1]
    assert why(asked[0], out) == ["it has not been made yet"]
    list(run(asked, out, 1))
    from researchkit.batch import key

    touch(wards, notebook)
    key.digest_of.cache_clear()
    assert why(asked[0], out) == [said]
    assert [report.unchanged for report in run(asked, out, 1)] == [False]


def test_other_parameters_are_another_report(wards, notebook, tmp_path, here):
    out, book = tmp_path / "reports", notebook()
    list(run(jobs(wards, book, parameters={"extra": 1})[:1], out, 1))
    assert why(jobs(wards, book, parameters={"extra": 2})[0], out) == ["the parameters"]


def test_a_page_that_is_gone_is_made_again(wards, notebook, tmp_path, here):
    out, asked = tmp_path / "reports", jobs(wards, notebook())[:1]
    (report,) = run(asked, out, 1)
    report.page.unlink()
    assert [again.unchanged for again in run(asked, out, 1)] == [False]
    assert report.page.exists()


# Rows of parameters


def test_a_report_a_row_of_parameters(wards, notebook, tmp_path, here):
    rows = tmp_path / "rows.csv"
    rows.write_text("by,extra,name\nward=East,1,029\nward=East,2,../x\n,3,\n", encoding="utf-8")
    asked = plan([load_study(wards)], rows=rows, notebook=notebook())
    assert [(job.by, job.parameters) for job in asked] == [
        ("ward=East", {"extra": 1, "name": "029"}),
        ("ward=East", {"extra": 2, "name": "../x"}),
        (None, {"extra": 3, "name": ""}),
    ]
    out = tmp_path / "reports"
    reports = list(run(asked, out, 1))
    assert {report.status for report in reports} == {"ok"}
    assert len({report.folder for report in reports}) == 3
    assert all(out in report.folder.resolve().parents for report in reports)


def test_every_fault_of_the_rows_is_told_before_anything_starts(wards, notebook, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("extra,zebra\n1,2\nx,3\n1\n", encoding="utf-8")
    with pytest.raises(ParameterError) as error:
        plan([load_study(wards)], rows=rows, notebook=notebook())
    said = str(error.value)
    assert "line 2" in said and "unknown parameter 'zebra'" in said
    assert "line 3" in said and "mistyped parameter 'extra'" in said
    assert "line 4: 1 cells, and the header has 2" in said


def test_two_rows_for_one_place_are_refused(wards, notebook, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("extra\n1\n1\n", encoding="utf-8")
    with pytest.raises(ParameterError, match="Two reports would go to one place"):
        plan([load_study(wards)], rows=rows, notebook=notebook())


# What dies


def test_each_shows_its_own_while_many_run(wards, notebook, tmp_path):
    lines = ["kindness,trust,ward,spare"]
    lines += [f"{k},{100 * w + k + s % 5},w{w},1" for w in range(12) for k in (1, 2, 3) for s in range(8)]
    (wards / "visits.csv").write_text("\n".join(lines) + "\n")
    book = notebook("mean = float(answer.sample.outcome.mean())\nprint(f'mean {mean:.2f}')")
    for report in run(jobs(wards, book), tmp_path / "reports", 2):
        place = int(report.by.removeprefix("ward=w"))
        told = json.loads((report.folder / "notebook.ipynb").read_text())["cells"][-2]["outputs"][0]["text"]
        assert f"mean {100 * place + 4 - 0.12:.1f}"[:-1] in "".join(told), report.by


def only_north(body: str) -> str:
    lines = "\n    ".join(body.splitlines())
    return f"if by == 'ward=North':\n    {lines}"


@pytest.mark.parametrize(
    ("body", "how", "status", "said"),
    [
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", {}, "killed", "The kernel died"),
        (
            "import psutil\npsutil.Process().parent().kill()\nimport time\ntime.sleep(60)  # its worker",
            {"seconds": 300},  # with a deadline, even a single report has a worker
            "killed",
            "was killed (signal SIGKILL)",
        ),
        ("import time\ntime.sleep(60)", {"seconds": 6}, "timed out", "longer than 6 seconds"),
        ("import time\ntime.sleep(60)", {"limits": Limits(4)}, "timed out", "A cell ran longer than 4 seconds"),
        (
            "held = bytearray(3 * 2**30)",
            {"limits": Limits(60, 2 * 2**30)},
            "out of memory",
            "needed more memory than the limit of 2,048 MB",
        ),
    ],
    ids=["kernel", "worker", "deadline", "cell", "memory"],
)
def test_one_that_dies_costs_nobody_else(wards, notebook, tmp_path, monkeypatch, body, how, status, said):
    if "its worker" in body:  # an ordinary kernel is its worker's child, and so finds whom to kill
        monkeypatch.setenv("RESEARCHKIT_FORK", "0")
    out, asked = tmp_path / "reports", jobs(wards, notebook(only_north(body)))
    reports = {report.by: report for report in run(asked, out, 2, **how)}
    north = reports.pop("ward=North")
    assert (north.status, said in north.reason) == (status, True), north
    assert {report.status for report in reports.values()} == {"ok"}
    assert said.split("(")[0] in north.page.read_text(encoding="utf-8")
    assert why(asked[1], out) and not why(asked[0], out)  # what died is tried again, the others are left


def command(*words) -> list[str]:
    return [sys.executable, "-c", "from researchkit.cli import main; main()", *map(str, words)]


def started(words, out, reports: int) -> subprocess.Popen:
    """A run in its own process group, once it has made some reports; it hears an interrupt even where tests do not."""
    heard = "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", heard, *map(str, words)],  # what is started in the background by a shell ignores it
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    until = time.monotonic() + 60
    while len(list(out.glob("*/*/*/report.html"))) < reports and time.monotonic() < until:
        time.sleep(0.05)
    return process


@pytest.mark.parametrize("signal_", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_a_run_that_is_stopped_goes_on_where_it_was(wards, notebook, tmp_path, signal_):
    out, go = tmp_path / "reports", tmp_path / "go"
    made, held = f"list(Path({str(out)!r}).glob('*/*/*/report.html'))", f"not Path({str(go)!r}).exists()"
    waits = (
        f"import time\nfrom pathlib import Path\nwhile {made} and {held}:\n    time.sleep(0.02)"  # all but the first
    )
    words = ("run", wards, "--by", "ward", "--notebook", notebook(waits), "--out", out)
    process = started(command(*words, "--jobs", "1"), out, 1)
    os.kill(process.pid, signal_)
    said = process.communicate(timeout=30)[0].decode()
    made = {path: path.stat().st_mtime_ns for path in out.rglob("report.html")}
    assert 1 <= len(made) < 3
    if signal_ == signal.SIGINT:
        assert process.returncode == 130
        assert "The same command goes on." in said
    until = time.monotonic() + 5  # kernels notice that nobody waits for them
    while running_for(str(tmp_path)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not running_for(str(tmp_path)), "processes were left behind"
    go.touch()
    found = CliRunner().invoke(main, list(map(str, words)))
    assert found.exit_code == 0, found.output
    assert found.output.count("(unchanged)") >= len(made)
    assert len(list(out.glob("wards/trust/*/result.json"))) == 3
    assert all(path.stat().st_mtime_ns == when for path, when in made.items() if path.parent.name.startswith("ward="))
    assert not list(out.glob(".making-*")), "half-made reports were left behind"


def running_for(mark: str) -> list[int]:
    import psutil

    found = []
    for one in psutil.process_iter(["pid", "cmdline", "status"]):
        words = " ".join(one.info["cmdline"] or [])
        if mark in words and one.info["status"] != psutil.STATUS_ZOMBIE and one.info["pid"] != os.getpid():
            found.append(one.info["pid"])
    return found


def test_two_runs_into_one_folder_do_not_hurt_each_other(wards, notebook, tmp_path):
    out = tmp_path / "reports"
    words = command("run", wards, "--by", "ward", "--notebook", notebook(), "--out", out, "--jobs", "2")
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
    said = [process.communicate(timeout=120)[0].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert "".join(said).count("(unchanged)") == 3  # each report is made once
    told = json.loads((out / "run.json").read_text())["reports"]
    assert sorted(entry["by"] for entry in told) == ["ward=East", "ward=North", "ward=West"]


def test_a_folder_that_cannot_be_written_to_is_one_message(wards, notebook, tmp_path):
    out = tmp_path / "file"
    out.write_text("not a folder")
    found = CliRunner().invoke(main, ["run", str(wards), "--notebook", str(notebook()), "--out", str(out)])
    assert found.exit_code == 2
    assert "cannot be written" in found.output
    assert out.read_text() == "not a folder"


def test_what_the_dead_left_is_swept_and_what_the_living_make_is_not(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    host = maker().rpartition("-")[0]
    for name in (f".making-{host}-{gone.pid}-ab", f".making-{maker()}-cd", f".making-elsewhere-{gone.pid}-ef"):
        (tmp_path / name).mkdir()
    sweep(tmp_path)
    assert {path.name.rpartition("-")[2] for path in tmp_path.glob(".making-*")} == {"cd", "ef"}


def test_a_lock_is_freed_by_death(tmp_path):
    code = (
        "import sys, time, pathlib\nfrom researchkit.places import alone\n"
        "with alone(pathlib.Path(sys.argv[1]), 'x'):\n    print('held', flush=True)\n    time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    holder.kill()
    holder.communicate()
    began = time.monotonic()
    with alone(tmp_path, "x"):
        assert time.monotonic() - began < 2


def test_the_command_why(wards, notebook, tmp_path):
    found = CliRunner().invoke(main, ["why", str(wards), "trust", "ward=East", "--out", str(tmp_path)])
    assert (found.exit_code, found.output) == (0, "changed: it has not been made yet\n")


@pytest.mark.parametrize(
    ("cell", "code", "said"),
    [
        ("print(answer.verdict)", 0, "alike    wards/trust/ward=East"),
        (
            "import sys\nprint('matplotlib' in sys.modules)",
            1,
            "differs  wards/trust/ward=East\n         Code cell 4, output",
        ),
    ],
    ids=["alike", "differs"],
)
def test_forked_kernels_are_compared_with_ordinary_ones(wards, notebook, tmp_path, cell, code, said):
    words = ["run", str(wards), "--by", "ward=East", "--notebook", str(notebook(cell)), "--check-fork"]
    found = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "reports")])
    assert (found.exit_code, said in found.output) == (code, True), found.output
    assert not (tmp_path / "reports").exists()


def test_a_job_survives_its_way_to_a_worker(wards):
    from researchkit.batch.pool import Task, task_from

    task = Task(
        Job(wards / "study.yml", "trust", "ward=😀 x", "nhs", {"a": [1, "x"]}, "a=1", wards), {"rows": "1"}, Limits(3)
    )
    assert task_from(task.to_json()) == task


def test_a_report_that_was_not_made_still_has_its_claim(wards, tmp_path):
    """For the ledger, which has no result to read it from; a study that cannot be read gives none, and stops nothing."""
    report = Report("wards", "trust", None, "stopped", "no rows", tmp_path)
    where = {("wards", "trust"): wards / "study.yml"}
    named = with_claim(report, Keys(), where)
    assert (named.claim, named.asked, named.reason) == ("MEC-1", "Is there more trust?", "no rows")
    (wards / "study.yml").write_text("title: [", encoding="utf-8")
    for there in (where, {}):
        assert with_claim(report, Keys(), there) == report
