"""What a newcomer stumbles over is found, and each finding has its mend."""

from __future__ import annotations

import sys
from collections import namedtuple
from datetime import datetime
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from researchkit import doctor
from researchkit.cli import main


class Behind(datetime):
    """A clock that was set back, as after an empty battery."""

    @classmethod
    def now(cls, tz=None):
        return datetime(2000, 1, 1, tzinfo=tz)


def of(found, what):
    (one,) = [one for one in found if one.what == what]
    return one


def looked(tmp_path):
    return list(doctor.findings(tmp_path / "reports", report=False))


def test_here_nothing_is_wrong_and_a_report_comes_out(tmp_path):
    told = CliRunner().invoke(main, ["doctor", "--out", str(tmp_path / "reports")])
    assert told.exit_code == 0, told.output
    assert "Reports will come out." in told.output
    assert "a report: made in" in told.output
    assert not (tmp_path / "reports").exists(), "it leaves nothing behind"


@pytest.mark.parametrize(
    ("what", "change", "words"),
    [
        ("Python", lambda m: m.setattr(doctor, "OLDEST", (99, 0)), "Install Python 99.0"),
        (
            "packages",
            lambda m: m.setattr(metadata, "requires", lambda _: ["pandas>=99", "no-such-thing>=1", 'x; extra == "y"']),
            "make setup",
        ),
        ("notebooks", lambda m: m.setattr("researchkit.report.notebooks_folder", lambda: Path("/nowhere")), "checkout"),
        ("kernel", lambda m: m.setattr("researchkit.kernels.kernel_command", list), "ipykernel install"),
        (
            "kernel",
            lambda m: m.setattr("researchkit.kernels.kernel_command", lambda: ["/usr/bin/env", "-m", "x"]),
            "another Python",
        ),
        ("fonts", lambda m: m.setattr("researchkit.figures.font", lambda: None), "matplotlib"),
        ("clock", lambda m: m.setattr(doctor, "datetime", Behind), "Set the clock"),
    ],
)
def test_each_trap_is_found_with_its_mend(tmp_path, monkeypatch, what, change, words):
    assert of(looked(tmp_path), what).ok
    change(monkeypatch)
    one = of(looked(tmp_path), what)
    assert not one.ok
    assert not one.warning
    assert words in one.mend


def test_every_package_that_does_not_fit_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(metadata, "requires", lambda _: ["pandas>=99", "no-such-thing>=1"])
    words = of(looked(tmp_path), "packages").words
    assert "pandas is" in words
    assert "no-such-thing is not installed" in words


def test_a_jupyter_that_names_python_starts_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr("researchkit.kernels.kernel_command", lambda: ["python3", "-m", "ipykernel_launcher"])
    assert str(sys.executable) in of(looked(tmp_path), "kernel").words


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("quick kernels", lambda m: m.setenv("RESEARCHKIT_FORK", "0")),
        ("encoding", lambda m: m.setattr(doctor.sys, "stdout", SimpleNamespace(encoding="latin-1"))),
        (
            "Python",
            lambda m: (m.setattr(doctor.sys, "prefix", doctor.sys.base_prefix), m.delenv("CONDA_PREFIX", False)),
        ),
    ],
)
def test_what_stops_no_report_is_a_note(tmp_path, monkeypatch, what, change):
    change(monkeypatch)
    one = of(looked(tmp_path), what)
    assert one.warning
    assert one.mend


def test_another_version_than_that_of_the_lock_is_a_note(tmp_path, monkeypatch):
    lock = tmp_path / "requirements.lock"
    monkeypatch.setattr(doctor, "LOCK", lock)
    here = metadata.version("pandas")
    lock.write_text(f"pandas=={here} \\\n    --hash=sha256:0\nnever-heard-of==1\nx==2 ; python_version < '3'\n")
    one = of(looked(tmp_path), "versions")
    assert one.ok and one.words.endswith("1 of them")
    lock.write_text("pandas==0.1 \\\n    --hash=sha256:0\n")
    one = of(looked(tmp_path), "versions")
    assert one.warning and f"pandas is {here}, the lock has 0.1" in one.words and "make setup" in one.mend
    lock.unlink()
    assert of(looked(tmp_path), "versions").ok


@pytest.mark.skipif(sys.platform != "linux", reason="/proc, where nobody can make a folder, is Linux's")
def test_a_folder_that_cannot_be_written_to_is_found(monkeypatch):
    found = list(doctor.findings(Path("/proc/reports"), report=False))
    assert "--out" in of(found, "reports folder").mend
    told = CliRunner().invoke(main, ["doctor", "--no-report", "--out", "/proc/reports"])
    assert told.exit_code == 1
    assert "To mend: 1." in told.output


def test_little_room_is_found(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage(10**9, 10**9, 1000))
    assert "Make room" in of(looked(tmp_path), "reports folder").mend


def test_what_cannot_be_looked_at_does_not_end_the_looking(tmp_path, monkeypatch):
    def broken():
        raise OSError("broken")

    monkeypatch.setattr("researchkit.figures.font", broken)
    found = looked(tmp_path)
    assert "could not be looked at" in of(found, "fonts").words
    assert of(found, "temporary folder").ok


def test_a_report_that_does_not_come_out_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr("researchkit.report.notebooks_folder", lambda: Path("/nowhere"))
    one = doctor.one_report()
    assert not one.ok
    assert "doctor" in one.mend
