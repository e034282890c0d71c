"""JupyterLab: it opens at the first notebook, finds the kernel, and notebooks run wherever they are started."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from researchkit.cli import main
from researchkit.site import ledger

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


@pytest.fixture
def started(monkeypatch):
    """What `researchkit lab` would become, in place of becoming it."""
    words: list[str] = []
    monkeypatch.setattr(os, "execv", lambda _, given: words.extend(given))
    return words


def test_from_the_checkout_it_opens_the_first_notebook_with_the_studies_in_sight(root, started, monkeypatch):
    monkeypatch.chdir(root / "data" / "hospital")
    found = CliRunner().invoke(main, ["lab", "--no-browser"])
    assert found.exit_code == 0 and found.output == ""
    assert started[:4] == [sys.executable, "-m", "jupyter", "lab"]
    assert started[4:] == [str(NOTEBOOKS / "00_start_here.ipynb"), f"--ServerApp.root_dir={root}", "--no-browser"]


def test_elsewhere_it_puts_notebooks_and_studies_there_and_replaces_nothing(tmp_path, started, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys.modules["researchkit.cli.lab"], "WORLDS", ("hospital",))
    mine = tmp_path / "notebooks" / "01_data_check.ipynb"
    mine.parent.mkdir()
    mine.write_text("mine", encoding="utf-8")
    assert CliRunner().invoke(main, ["lab"]).exit_code == 0
    assert started[4] == str(tmp_path / "notebooks" / "00_start_here.ipynb") and Path(started[4]).is_file()
    assert mine.read_text(encoding="utf-8") == "mine"
    assert list((tmp_path / "notebooks" / "lessons").glob("01_*")) and (tmp_path / "data/hospital/study.yml").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")
def test_the_server_shows_the_notebook_and_knows_its_kernel(root):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["lab", "--no-browser", "--allow-root", f"--ServerApp.port={port}", "--IdentityProvider.token=t"]
    code = f"from researchkit.cli import main; main({words!r})"
    server = subprocess.Popen([sys.executable, "-c", code], cwd=root, stdout=-3, stderr=-3)

    def asked(what):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/{what}?token=t", timeout=5) as answer:
            return json.load(answer)

    try:
        for _ in range(300):
            assert server.poll() is None, "it ended"
            try:
                first = asked("contents/notebooks/00_start_here.ipynb")
                break
            except OSError:
                time.sleep(0.1)
        wanted = first["content"]["metadata"]["kernelspec"]["name"]
        assert wanted in asked("kernelspecs")["kernelspecs"]
        assert asked("contents/data/contact_centre/study.yml")["type"] == "file", "a student changes a line of it"
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def test_a_notebook_runs_in_a_kernel_that_starts_elsewhere(tmp_path, monkeypatch, warm):
    import papermill

    monkeypatch.chdir(tmp_path)
    source = tmp_path / "a copy.ipynb"
    source.write_bytes((NOTEBOOKS / "00_start_here.ipynb").read_bytes())
    done = papermill.execute_notebook(
        str(source), str(tmp_path / "done.ipynb"), progress_bar=False, kernel_name="python3", cwd=str(tmp_path)
    )
    assert done.cells[-1].outputs[0].data["text/plain"].startswith("Do kindly handled customers stay?: ")


def test_the_ledger_finds_the_reports_beside_the_notebooks(tmp_path, monkeypatch):
    made = tmp_path / "reports" / "study" / "question"
    made.mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert "in reports yet" not in str(ledger("reports")) and str(tmp_path) in str(ledger("reports"))


def test_the_first_notebook_names_every_other_and_the_lessons(root):
    first = nbformat.read(NOTEBOOKS / "00_start_here.ipynb", 4).cells
    prose = "\n".join(cell.source for cell in first if cell.cell_type == "markdown")
    for path in NOTEBOOKS.glob("[0-9]*.ipynb"):
        if path.stem != "00_start_here":
            assert f"]({path.name})" in prose, f"{path.name} is not linked"
    assert "](lessons/01_reading_an_interval.ipynb)" in prose and "researchkit lessons" in prose
    for target in re.findall(r"\]\(([^)]+)\)", prose):
        assert (NOTEBOOKS / target).exists(), target
