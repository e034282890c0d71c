"""Reports made by the workers of a Dask cluster: a scheduler and workers of our own, on this machine."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import nbformat
import pytest
from click.testing import CliRunner
from wards import STUDY

from researchkit.batch import Limits, cluster, plan, run
from researchkit.batch.hand import unfit
from researchkit.batch.key import Keys
from researchkit.batch.pool import Task
from researchkit.cli import main
from researchkit.errors import ReportError
from researchkit.study import load_study

Client = pytest.importorskip("distributed", reason="the extra `cluster` is not installed").Client
ASKS = 'study = "x"\nquestion = "x"\nby = ""\ndisclosure = ""'
ANSWERS = "import researchkit as rk\nanswer = rk.answer_question(study, question, by=by, disclosure=disclosure)"
WARDS = 6


def dask(module: str, *words: str) -> subprocess.Popen:
    line = [sys.executable, "-m", f"distributed.cli.dask_{module}", *words]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def worker(scheduler, at_least: int) -> subprocess.Popen:
    """One worker more; comes back when the scheduler knows of this many, for else the others do all the work."""
    where = ["--scheduler-file", str(scheduler), "--local-directory", str(scheduler.parent)]
    process = dask("worker", *where, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
    with Client(scheduler_file=str(scheduler), set_as_default=False) as client:
        client.wait_for_workers(at_least, timeout=60)
    return process


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory, warm):
    """The file in which a scheduler says where it is; it has one worker."""
    file = tmp_path_factory.mktemp("dask") / "scheduler.json"
    started = [dask("scheduler", "--scheduler-file", str(file), "--host", "127.0.0.1", "--port", "0", "--no-dashboard")]
    try:
        until = time.monotonic() + 60
        while not file.exists() and time.monotonic() < until:
            time.sleep(0.05)
        started.append(worker(file, 1))
        yield file
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(20)


@pytest.fixture
def wards(tmp_path):
    folder = tmp_path / "wards"
    folder.mkdir()
    lines = ["kindness,trust,ward"]
    lines += [f"{k},{100 * w + k + s % 5},w{w}" for w in range(WARDS) for k in (1, 2, 3) for s in range(8)]
    (folder / "visits.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "study.yml").write_text(STUDY, encoding="utf-8")
    return folder


def jobs(wards, tmp_path, cell="1", only=WARDS):
    cells = [nbformat.v4.new_code_cell(ASKS, metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell(source) for source in (ANSWERS, cell, "answer")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "small.ipynb")
    return plan([load_study(wards)], by="ward", notebook=tmp_path / "small.ipynb")[:only]


@pytest.mark.parametrize("through", [False, True], ids=["shared folder", "address"])
def test_each_report_comes_back_whole_and_its_own(scheduler, wards, tmp_path, through):
    out, bridge = tmp_path / "reports", tmp_path / "bridge"
    how = {"dask": str(scheduler), "through": f"file://{bridge}" if through else None}
    cell = "print('mean', answer.sample.outcome.mean())\nrk.tables.effects(answer)"
    asked = jobs(wards, tmp_path, cell, only=3)
    reports = list(run(asked, out, **how))
    assert {(report.by, report.status, report.unchanged) for report in reports} == {
        (f"ward=w{w}", "ok", False) for w in range(3)
    }, reports
    for report in reports:
        assert report.folder.is_relative_to(out.resolve())
        cells = json.loads((report.folder / "notebook.ipynb").read_text())["cells"]
        mean = float("".join(cells[-2]["outputs"][0]["text"]).split()[1])
        assert round(mean, -2) == 100 * int(report.by.removeprefix("ward=w")), report.by
        assert (report.folder / "report.html").exists() and list((report.folder / "tables").glob("*.csv"))
    assert not list(bridge.glob("*")), "what came back was left at the address"
    assert all(report.unchanged for report in run(asked, out, **how)), "the second run asks nobody"


def test_a_worker_killed_in_the_middle_costs_nothing(scheduler, wards, tmp_path, monkeypatch):
    monkeypatch.setenv("DOOMED", "yes")
    doomed = worker(scheduler, 2)
    monkeypatch.delenv("DOOMED")
    began = tmp_path / "began"
    cell = f"import os, time\nif 'DOOMED' in os.environ:\n    open({str(began)!r}, 'w').write(by)\n    time.sleep(60)"

    def kill_when_it_works():
        until = time.monotonic() + 60
        while not began.exists() and time.monotonic() < until:
            time.sleep(0.02)
        doomed.kill()

    killer = threading.Thread(target=kill_when_it_works)
    killer.start()
    reports = list(run(jobs(wards, tmp_path, cell), tmp_path / "reports", dask=str(scheduler)))
    killer.join()
    assert doomed.wait() == -signal.SIGKILL and began.read_text().startswith("ward="), "nothing was lost"
    assert sorted((report.by, report.status) for report in reports) == [(f"ward=w{w}", "ok") for w in range(WARDS)]
    assert not list(tmp_path.glob("reports/.locks/*.sign"))


def test_what_dies_or_takes_too_long_has_its_page(scheduler, wards, tmp_path):
    body = (
        "import os, signal, time\nimport psutil\n"
        "if by == 'ward=w0':\n    os.kill(os.getpid(), signal.SIGKILL)\n"
        "if by == 'ward=w1':\n    time.sleep(60)\n"
        "if by == 'ward=w2':\n"
        "    [one.kill() for one in psutil.process_iter() if 'batch.hand' in ' '.join(one.cmdline())]\n    time.sleep(60)"
    )
    reports = {
        report.by: report
        for report in run(jobs(wards, tmp_path, body, 4), tmp_path / "r", dask=str(scheduler), seconds=15)
    }
    assert {by: report.status for by, report in reports.items()} == {
        "ward=w0": "killed",
        "ward=w1": "timed out",
        "ward=w2": "killed",
        "ward=w3": "ok",
    }
    assert "longer than 15 seconds" in reports["ward=w1"].page.read_text(encoding="utf-8")
    assert "signal SIGKILL" in reports["ward=w2"].reason


def test_where_nobody_answers_it_is_one_message(wards, tmp_path, monkeypatch):
    jobs(wards, tmp_path)
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    words = ["run", str(wards), "--notebook", str(tmp_path / "small.ipynb"), "--dask", "tcp://127.0.0.1:9"]
    found = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "reports")])
    assert found.exit_code == 1 and "No Dask scheduler answers at tcp://127.0.0.1:9" in found.output, found.output
    assert not list((tmp_path / "reports").glob("*/*/report.html"))


@pytest.mark.parametrize(
    ("change", "told", "said"),
    [
        ({}, {}, ""),
        ({"package": "x"}, {}, "another researchkit"),
        ({"versions": "x"}, {}, "other packages"),
        ({}, {"study": "gone"}, "does not see"),
        ({}, {"sign": "gone"}, "Share that folder"),
        ({}, {"sign": "gone", "through": "memory://x"}, ""),
    ],
)
def test_a_machine_that_would_make_another_report_does_not_make_it(wards, tmp_path, change, told, said):
    job = jobs(wards, tmp_path)[0]
    task = Task(job, {**Keys().of(job), **change}, Limits())
    if "study" in told:
        task = replace(task, job=replace(job, study=tmp_path / "elsewhere" / "study.yml"))
    with cluster.signed(tmp_path) as sign:
        asked = {"through": None, "out": str(tmp_path), "sign": sign, **told}
        assert said in unfit(task, asked) and bool(said) == bool(unfit(task, asked))


def test_one_unfit_worker_stops_the_run_before_it_replaces_anything(scheduler, wards, tmp_path, monkeypatch):
    monkeypatch.setattr(Keys, "of", lambda self, job: {"package": "mine", "versions": "mine"})
    with pytest.raises(ReportError, match="has another researchkit than this machine"):
        list(run(jobs(wards, tmp_path), tmp_path / "reports", dask=str(scheduler)))
    assert not list((tmp_path / "reports").glob("*/*/*/report.html"))
