"""The rows of a run: read once, served only while they are what a report would read, and gone with the run."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from researchkit import held
from researchkit.answer import rows_of, with_profile
from researchkit.batch import plan, run
from researchkit.dataset import load_dataset
from researchkit.places import sweep_temporary
from researchkit.simulate import write_world
from researchkit.study import load_study


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "hospital"
    write_world("hospital", folder, rows=600)
    return folder


@pytest.fixture
def study(written, tmp_path):
    return load_study(shutil.copytree(written, tmp_path / "hospital"))


@pytest.fixture
def unread(monkeypatch):
    """Reading the files again is an error."""

    def refuse(*_):
        raise AssertionError("the files were read again")

    monkeypatch.setattr("researchkit.answer.load", refuse)


def wards(dataset):
    return sorted(set(dataset.arrived["ward"].dropna()))


def test_what_is_held_is_what_would_be_read(study, unread):
    whole = load_dataset(study, "stays")
    groups = [(whole, None), *((whole.only("ward", ward), f"ward={ward}") for ward in wards(whole)[:2])]
    with held.held(groups):
        for expected, by in groups:
            found = rows_of(study, "stays", by)
            assert found.fingerprint == expected.fingerprint
            assert (found.rows, found.flow, found.notes) == (expected.rows, expected.flow, expected.notes)
            assert found.frame.equals(expected.frame) and found.why.equals(expected.why)
            assert found.origin.words(found.frame.index.to_numpy()[:3]) == expected.origin.words(
                expected.frame.index.to_numpy()[:3]
            )


def test_another_disclosure_profile_is_kept(study, unread):
    with held.held([(load_dataset(study, "stays"), None)]):
        assert rows_of(with_profile(study, "nhs"), "stays", None).study.disclosure == "nhs"


@pytest.mark.parametrize("change", ["data", "study", "group", "table"])
def test_anything_else_is_read_anew(study, change):
    file, by, table = study.folder / "stays.csv", None, "stays"
    with held.held([(load_dataset(study, "stays"), None)]):
        if change == "data":
            lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
            file.write_text("".join(lines[:-5]), encoding="utf-8")
        elif change == "study":
            path = study.folder / "study.yml"
            path.write_text(path.read_text(encoding="utf-8") + "\n# looked at again\n", encoding="utf-8")
            study = load_study(study.folder)
        elif change == "group":
            by = f"ward={wards(load_dataset(study, 'stays'))[0]}"
        else:
            table = "staff"
        assert held.rows(study, table, by) is None
        assert rows_of(study, table, by).rows  # and a report goes on


def test_nothing_is_left_and_nobody_else_may_look(study):
    with held.held([(load_dataset(study, "stays"), None)]):
        folder = Path(os.environ[held.WHERE])
        assert len(list(folder.iterdir())) == 1
        if os.name == "posix":
            assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()
    assert held.WHERE not in os.environ
    assert held.rows(study, "stays", None) is None


@pytest.mark.skipif(os.name != "posix", reason="only POSIX says who may enter a folder")
def test_a_folder_that_others_can_write_to_is_not_believed(study):
    with held.held([(load_dataset(study, "stays"), None)]):
        folder = Path(os.environ[held.WHERE])
        assert held.rows(study, "stays", None)
        folder.chmod(0o777)
        assert held.rows(study, "stays", None) is None


def test_half_a_file_is_read_anew(study):
    with held.held([(load_dataset(study, "stays"), None)]):
        (file,) = Path(os.environ[held.WHERE]).iterdir()
        file.write_bytes(file.read_bytes()[:100])
        assert held.rows(study, "stays", None) is None


def test_a_full_disk_costs_only_the_time(study, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(held.np, "savez", full)
    with held.held([(load_dataset(study, "stays"), None)]):
        assert not list(Path(os.environ[held.WHERE]).iterdir())
        assert rows_of(study, "stays", None).rows


def test_a_column_of_another_kind_is_left_to_be_read(study):
    whole = load_dataset(study, "stays")
    odd = replace(whole, arrived=whole.arrived.assign(ward=[{"a": 1}] * len(whole.arrived)))
    with held.held([(odd, None)]):
        assert not list(Path(os.environ[held.WHERE]).iterdir())


def test_gaps_times_and_hostile_words_come_back(study):
    whole = load_dataset(study, "stays")
    n = len(whole.arrived)
    words = pd.array(["<script>", "=cmd()", None, "\x00 nul", "emoji \U0001f642", "null"] * n, dtype="str")[:n]
    times = pd.date_range("2024-03-31", periods=n, freq="h").to_series().where(np.arange(n) % 7 > 0).to_numpy()
    arrived = whole.arrived.assign(words=words, times=times, some=np.where(np.arange(n) % 3, 1e300, np.nan))
    with held.held([(replace(whole, arrived=arrived), None)]):
        found = held.rows(study, "stays", None)
    pd.testing.assert_frame_equal(found.arrived, arrived)


def test_no_more_is_held_than_there_is_room_for(study, monkeypatch):
    monkeypatch.setattr(held, "MOST", 1)
    whole = load_dataset(study, "stays")
    with held.held([(whole, None), (whole.only("ward", wards(whole)[0]), f"ward={wards(whole)[0]}")]):
        assert len(list(Path(os.environ[held.WHERE]).iterdir())) == 1


def test_the_rows_of_a_run_that_was_killed_are_removed_by_the_next():
    code = (
        "import os\nfrom researchkit.places import lasting_as_long\n"
        "print(lasting_as_long(), flush=True)\nos.kill(os.getpid(), 9)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stdout.strip()
    assert Path(told).is_dir()
    sweep_temporary()
    assert not Path(told).exists()


def test_the_kernels_of_a_run_read_no_file(study, tmp_path):
    """The reports of a run are made from what is held: a notebook that asks finds its group, and no other."""
    import nbformat

    cells = [
        'study = ""\nquestion = ""\nby = ""\ndisclosure = ""',
        "import researchkit as rk\nimport researchkit.answer as chain\n"
        "def refuse(*_):\n    raise RuntimeError('read again')\n"
        "assert callable(chain.load)\nchain.load = refuse\n"
        "answer = rk.answer_question(study, question, by=by, disclosure=disclosure)\nanswer",
    ]
    made = [nbformat.v4.new_code_cell(source) for source in cells]
    made[0].metadata["tags"] = ["parameters"]
    nbformat.write(nbformat.v4.new_notebook(cells=made), tmp_path / "asks.ipynb")
    jobs = plan([study], question="length_of_stay", by="ward", notebook=tmp_path / "asks.ipynb")[:2]
    reports = list(run(jobs, tmp_path / "out", 1))
    assert [report.status for report in reports] == ["ok", "ok"], [report.reason for report in reports]


def test_why_cells_are_empty_is_held_too(study, unread):
    whole = load_dataset(study, "stays")
    reasons = pd.Series(["coded -9", None] * (len(whole.arrived) // 2), index=whole.arrived.index, dtype="str")
    whole = dataclasses.replace(whole, why=pd.DataFrame({"ward": reasons}))
    ward = wards(whole)[0]
    part = whole.only("ward", ward)
    with held.held([(part, f"ward={ward}")]):
        found = rows_of(study, "stays", f"ward={ward}")
        assert found.why.equals(part.why) and set(found.why["ward"].dropna()) == {"coded -9"}
