"""A kill at any moment, or a move that is refused: the old report or the new one is there, whole."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from researchkit.places import PLACE, maker, staged, sweep


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("step", ["new", "inner"])
def test_what_was_moved_is_put_back_where_a_later_move_is_refused(tmp_path, monkeypatch, step):
    folder = old_report(tmp_path)
    before = content(folder)
    rename = Path.rename
    refused = {"new": folder, "inner": folder / "ward=B"}[step]

    def renamed(self, target):
        if Path(target) == refused and self.name != "old":  # to put the old one back is allowed
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", renamed)
    with pytest.raises(PermissionError), staged(tmp_path, folder) as staging:
        fill(staging, "new")
    assert content(folder) == before
    assert not list(tmp_path.glob(".making-*"))


# A kill at any moment


def fill(folder: Path, mark: str) -> None:
    (folder / "tables").mkdir(parents=True)
    for name in ("report.html", "result.json", "status.json", "tables/flow.csv"):
        (folder / name).write_text(json.dumps({"said": mark}))


def old_report(out: Path) -> Path:
    folder = out / "wards" / "trust"
    fill(folder, "old")
    for inner in ("ward=A", "ward=B"):
        fill(folder / inner, inner)
    (folder / "by-ward.html").write_text("side by side")
    return folder


# A child dies before its n-th call that changes a folder; another that puts that in order dies before its m-th.
KILLED = """
import json, os, shutil, sys
from pathlib import Path
from researchkit.places import staged, sweep

CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir"}

def dies(number, work):
    pid = os.fork()
    if pid:
        return os.waitpid(pid, 0)[1] != 0
    left = [number]
    def count(event, args):
        if event in CHANGES or (event == "open" and isinstance(args[1], str) and set(args[1]) & set("wxa")):
            left[0] -= 1
            if left[0] == 0:
                os._exit(9)
    sys.addaudithook(count)
    work()
    os._exit(0)

def whole(out):
    folder = out / "wards" / "trust"
    files = {str(p.relative_to(folder)): p.read_text() for p in sorted(folder.rglob("*")) if p.is_file()}
    return [files, sorted(p.name for p in out.glob(".making-*"))]

def make(out):
    with staged(out, out / "wards" / "trust") as staging:
        (staging / "tables").mkdir()
        for name in ("report.html", "result.json", "status.json", "tables/flow.csv"):
            (staging / name).write_text(json.dumps({"said": "new"}))

start, work = Path(sys.argv[1]), Path(sys.argv[2])
found, number, alive = [], 0, False
while not alive:
    number += 1
    second, alone = 0, False
    while not alone:
        out = work / f"{number}-{second}"
        shutil.copytree(start, out)
        alive = not dies(number, lambda: make(out))
        alone = alive or bool(second and not dies(second, lambda: sweep(out)))
        sweep(out)
        found.append([number, second, *whole(out)])
        shutil.rmtree(out)
        second += 1
print(json.dumps(found))
"""


@pytest.mark.parametrize("first", [False, True], ids=["over an old one", "the first"])
def test_a_kill_at_any_moment_leaves_the_old_report_or_the_new(tmp_path, first):
    start = tmp_path / "start"
    start.mkdir()
    if not first:
        old_report(start)
    (tmp_path / "work").mkdir()
    told = [sys.executable, "-c", KILLED, start, tmp_path / "work"]
    found = json.loads(subprocess.run(told, capture_output=True, text=True, check=True, timeout=120).stdout)
    steps = max(number for number, *_ in found)
    assert steps > 10
    inner = {name: text for name, text in content(start / "wards" / "trust").items() if "ward" in name}
    inside = {name: text.decode() for name, text in inner.items()}
    own = ("report.html", "result.json", "status.json", "tables/flow.csv")
    old = inside | ({} if first else {name: json.dumps({"said": "old"}) for name in own})
    new = inside | {name: json.dumps({"said": "new"}) for name in own}
    if not first:  # what the old one said is kept beside it
        kept = next(files["previous.json"] for _, _, files, _ in found if "previous.json" in files)
        assert json.loads(kept)["said"] == "old"
        new["previous.json"] = kept
    for number, second, files, rubbish in found:
        assert files in (old, new), f"killed before call {number}, then {second}"
        assert rubbish == [], f"killed before call {number}, then {second}"
    assert {files == new for _, _, files, _ in found} == {True, False}, "both ends are met"


def killed_in_the_gap(out: Path) -> Path:
    """What is left of a maker that died between taking the old report away and putting the new one there."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    making = out / f".making-{maker().rpartition('-')[0]}-{gone.pid}-ab"
    fill(making / "new", "half")
    (making / PLACE).write_text("wards/trust")
    (out / "wards" / "trust").rename(making / "old")
    return making


def test_a_result_that_another_took_away_and_died_is_kept_as_the_previous_one(tmp_path):
    folder = old_report(tmp_path)
    killed_in_the_gap(tmp_path)
    with staged(tmp_path, folder) as staging:
        fill(staging, "new")
    assert json.loads((folder / "previous.json").read_text())["said"] == "old"
    assert (folder / "ward=A" / "report.html").exists()


def test_a_report_by_site_does_not_fill_the_gap_that_another_left_meanwhile(tmp_path):
    folder = old_report(tmp_path)
    before = content(folder)
    with staged(tmp_path, folder / "ward=C") as staging:
        fill(staging, "new")
        killed_in_the_gap(tmp_path)
    assert {name: text for name, text in content(folder).items() if "ward=C" not in name} == before
    assert (folder / "ward=C" / "report.html").exists()


def test_an_old_report_that_cannot_be_put_back_now_is_put_back_by_the_next_run(tmp_path, monkeypatch):
    folder = old_report(tmp_path)
    before = content(folder)
    with monkeypatch.context() as patched:
        rename = Path.rename

        def renamed(self, target):
            if Path(target) == folder:
                raise PermissionError(errno.EACCES, "Permission denied", str(self))
            return rename(self, target)

        patched.setattr(Path, "rename", renamed)
        with pytest.raises(PermissionError), staged(tmp_path, folder) as staging:
            fill(staging, "new")
    (making,) = tmp_path.glob(".making-*")
    assert content(making / "old") == before
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    making.rename(making.with_name(making.name.replace(f"-{os.getpid()}-", f"-{gone.pid}-")))
    sweep(tmp_path)
    assert content(folder) == before
    assert not list(tmp_path.glob(".making-*"))
