"""Long work shows how far it is where a person waits, and nowhere else; and it can be interrupted."""

from __future__ import annotations

import io
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from researchkit import kernels, power, progress
from researchkit.answer import answer_question
from researchkit.kernels import place
from researchkit.progress import steps, waits
from researchkit.simulate import write_world

DATA = Path(__file__).parents[1] / "data"
WITHOUT = place.impossible({})


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """A terminal at which somebody sits, and no second of patience."""
    seen = Terminal()
    monkeypatch.setattr(progress, "DELAY", 0)
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=seen, modules={}))
    return seen


def shell(monkeypatch, **content):
    kernel = SimpleNamespace(get_parent=lambda channel: {"content": content} if channel == "shell" else {})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=kernel)))


def test_a_terminal_shows_a_bar_and_keeps_nothing_of_it(terminal):
    with steps("draws", 4) as done:
        for _ in range(4):
            done()
            assert "draws" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r") and not terminal.getvalue().rpartition("\r")[2].strip()


def test_work_of_less_than_a_second_shows_nothing(terminal, monkeypatch):
    monkeypatch.setattr(progress, "DELAY", 1.0)
    with steps("draws", 2) as done:
        done()
        done()
    assert "draws" not in terminal.getvalue()


def test_a_log_shows_nothing(terminal, monkeypatch):
    monkeypatch.setattr(terminal, "isatty", lambda: False)
    with steps("draws", 2) as done:
        done()
    assert terminal.getvalue() == ""
    progress.sys.stderr = None  # as under pythonw
    assert waits() is None


@pytest.mark.parametrize(
    ("content", "seen"), [({"allow_stdin": True}, True), ({"allow_stdin": False}, False), ({}, False)]
)
def test_a_notebook_shows_a_bar_where_its_frontend_has_a_person(monkeypatch, content, seen):
    shell(monkeypatch, **content)
    assert (waits() is sys.stdout) == seen and (waits() is None) != seen


def test_work_inside_other_work_shows_one_bar(terminal):
    with steps("outer", 2) as done:
        with steps("inner", 2) as more:
            more()
        done()
    assert "outer" in terminal.getvalue() and "inner" not in terminal.getvalue()


@pytest.mark.parametrize("end", [KeyboardInterrupt, ValueError])
def test_whatever_ends_the_work_takes_the_bar_away(terminal, end):
    with pytest.raises(end), steps("draws", 2):
        raise end
    with steps("again", 1) as done:
        done()
    assert "again" in terminal.getvalue()


def test_long_work_says_how_far_it_is(terminal, tmp_path):
    power.planned(
        SimpleNamespace(smallest_effect=1.0, outcome=SimpleNamespace(kind="score", unit="point", nps=False)),
        power.Spread(100.0, 1.0),
        periods=3,
        rows=5,
        units=[8],
        draws=10,
    )
    assert "simulated studies" in terminal.getvalue() and "0/3" in terminal.getvalue()
    write_world("hospital", tmp_path / "made", rows=50)
    assert "staff.csv" in terminal.getvalue()


def test_every_bar_that_an_answer_could_show_ends_full(monkeypatch, tmp_path):
    seen = []

    @contextmanager
    def counted(what, total):
        steps = []
        yield lambda many=1: steps.append(many)
        seen.append((what, total, sum(steps)))

    for room in ("moments.many", "robustness.several", "robustness.imputed", "simulate"):
        monkeypatch.setattr(f"researchkit.{room}.steps", counted)
    write_world("hospital", tmp_path / "made", rows=300)
    answer_question(tmp_path / "made", "readmission")
    assert {what for what, *_ in seen} == {
        "stays.csv",
        "staff.csv",
        "planned questions of the family",
        "copies with gaps filled",
        "specifications",
    }
    assert all(done == total for _, total, done in seen), seen


# ---- in a kernel, with a person or without, and interrupted

MIDDLE = """
import os, threading, time
import researchkit as rk
from researchkit import power, progress, robustness, simulate
from researchkit.robustness import attacks
study = rk.load_study({study!r})
progress.DELAY = 0
def middle(*_, **__):
    print("in the middle", flush=True)
    time.sleep(60)
whole = attacks.missing_data, power.every, simulate.hospital.chunks
"""
CUT = {
    "an answer": "attacks.missing_data = middle\nrk.answer_question(study, 'readmission')",
    "a study of power": "power.every = middle\npower.planned(study.question('readmission'), power.Spread(9.0, 1.0), periods=4, rows=9)",
    "a world being written": "def chunks(rows, seed):\n    yield next(whole[2](rows, seed))\n    middle()\n"
    "simulate.hospital.chunks = chunks\nsimulate.write_world('hospital', 'made', rows=400)",
}
AFTER = """
attacks.missing_data, power.every, simulate.hospital.chunks = whole
print(sorted(os.listdir()), progress._OPEN, open("/proc/self/task/%d/children" % threading.get_native_id()).read().split())
print(rk.answer_question(study, 'readmission').verdict.word)
"""


class Seat:
    """Somebody at a kernel: runs cells, sees what they print, and may interrupt them."""

    def __init__(self, manager):
        self.manager, self.client = manager, manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code, *, person=True, until=""):
        """What a cell printed and how it ended; interrupted as soon as it has printed `until`."""
        asked = self.client.execute(code, allow_stdin=person, stop_on_error=False)  # else what follows may be dropped
        said = ""
        while True:
            told = self.client.get_iopub_msg(timeout=60)
            if told["parent_header"].get("msg_id") != asked:
                continue
            kind, content = told["msg_type"], told["content"]
            said += content.get("text", "") if kind == "stream" else ""
            if kind == "error":
                said += content["ename"]
            if until and until in said:
                self.manager.interrupt_kernel()
                until = ""
            if kind == "status" and content["execution_state"] == "idle":
                return said


@pytest.fixture(params=["forked", "ordinary"])
def seat(request, tmp_path, monkeypatch):
    from jupyter_client.manager import KernelManager

    if request.param == "forked" and WITHOUT:
        pytest.skip(f"kernels are not forked here: {WITHOUT}")
    if request.param == "ordinary":
        monkeypatch.setenv("RESEARCHKIT_FORK", "0")
    with kernels.warm():
        manager = KernelManager(kernel_name="python3")
        manager.start_kernel(cwd=str(tmp_path))
        seat = Seat(manager)
        try:
            yield seat
        finally:
            seat.client.stop_channels()
            manager.shutdown_kernel(now=True)


@pytest.mark.skipif(sys.platform != "linux", reason="the children of a thread are told by Linux's /proc")
def test_work_in_a_kernel_is_seen_by_a_person_alone_and_can_be_interrupted(seat, tmp_path):
    write_world("hospital", tmp_path / "study", rows=400)
    study = tmp_path / "study"
    assert "Error" not in seat.run(MIDDLE.format(study=str(study)))
    bar = "with progress.steps('draws', 1) as done: done()"
    assert "draws" in seat.run(bar) and seat.run(bar, person=False) == "", "Papermill answers no questions"
    for what, code in CUT.items():
        said = seat.run(code, until="in the middle")
        assert said.endswith("KeyboardInterrupt"), what
        left, word = seat.run(AFTER, person=False).splitlines()
        assert left == "['study'] [] []", f"{what} leaves no file, no bar and no process"
        assert word in ("supported", "contradicted", "too small to matter", "cannot tell")
