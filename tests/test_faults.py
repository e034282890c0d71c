"""A disk that is full, a folder that must not be changed, a kill at any moment: nothing is lost, and it is told plainly.

Tests may run as root, whom no mode of a file stops. So the lowest call is made to fail as the system would; where the
system lets us mount, a real small disk and a real read-only one are used, too.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from multiprocessing.util import get_temp_dir
from pathlib import Path
from types import SimpleNamespace

import answers
import nbformat
import pytest
from click.testing import CliRunner
from wards import STUDY

from researchkit import places
from researchkit import report as reports
from researchkit.batch import Job, Limits, plan, run, why
from researchkit.cli import main
from researchkit.errors import PlaceError
from researchkit.places import PLACE, lasting_as_long, maker, staged, sweep, told_plainly
from researchkit.study import load_study
from researchkit.tables import MEDIA as TABLE

CELLS = (
    "import researchkit as rk\nanswer = rk.answer_question(study, question, by=by, disclosure=disclosure)",
    "print('x' * (extra if by == 'ward=North' else 1))",
    "answer",
)
WARDS = ("North", "West")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a study, a notebook and the reports of two wards, made once."""
    home = tmp_path_factory.mktemp("faults")
    (home / "wards").mkdir()
    (home / "wards" / "study.yml").write_text(STUDY, encoding="utf-8")
    rows = [f"{k},{10 * w + k + s % 5},{ward}" for w, ward in enumerate(WARDS) for k in (1, 2, 3) for s in range(8)]
    (home / "wards" / "visits.csv").write_text("\n".join(["kindness,trust,ward", *rows]) + "\n", encoding="utf-8")
    parameters = 'study = "x"\nquestion = "x"\nby = ""\ndisclosure = ""\nextra = 1'
    cells = [nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    cells += [nbformat.v4.new_code_cell(source) for source in CELLS]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), home / "small.ipynb")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reports, "execute", answers.execute)
        patched.setenv("RESEARCHKIT_FORK", "0")
        found = CliRunner().invoke(main, words(home, "--jobs", "1"))
    assert found.exit_code == 0, found.output
    return home


@pytest.fixture
def home(made, tmp_path, monkeypatch):
    """A copy of it whose rows have changed since, and where a notebook is "run" by taking the one of before."""
    shutil.copytree(made, tmp_path / "home")
    home = tmp_path / "home"
    rows = home / "wards" / "visits.csv"
    for number, ward in enumerate(WARDS):
        rows.write_text(rows.read_text().replace(f"1,{10 * number + 1},{ward}", f"1,{10 * number + 2},{ward}", 1))
    kept = {f"ward={ward}": (folder_of(made, ward) / "notebook.ipynb").read_text() for ward in WARDS}

    def execute(source, target, given, limits):
        told = json.loads(kept[given["by"]])
        table = {TABLE: {"name": "flow", "csv": "a,b\n1,2\n"}}
        told["cells"][-2]["outputs"] += [{"output_type": "display_data", "metadata": {}, "data": table}]
        target.write_text(json.dumps(told), encoding="utf-8")

    monkeypatch.setattr(reports, "execute", execute)
    monkeypatch.setenv("RESEARCHKIT_FORK", "0")  # nothing is to be loaded for kernels that nobody starts
    return home


def words(home: Path, *more: str) -> list[str]:
    told = ["run", home / "wards", "--by", "ward", "--notebook", home / "small.ipynb", "--out", home / "reports", *more]
    return [str(word) for word in told]


def folder_of(home: Path, ward: str) -> Path:
    return home / "reports" / "wards" / "trust" / f"ward={ward}"


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def jobs(home: Path) -> list[Job]:
    return plan([load_study(home / "wards")], by="ward", notebook=home / "small.ipynb")


def place_of(path: Path, text: str) -> str:
    """The report that a file written aside belongs to."""
    if path.name == PLACE:
        return text
    making = next((parent for parent in path.parents if parent.name.startswith(".making-")), None)
    return (making / PLACE).read_text() if making else ""


def full_at(monkeypatch, names: set[str], ward: str = "North") -> None:
    """A disk that has room for half of each of these files of one report."""
    write = Path.write_text

    def written(self, text, *args, **how):
        if self.name in names and place_of(self, text).endswith(f"ward={ward}"):
            write(self, text[: len(text) // 2], *args, **how)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, text, *args, **how)

    monkeypatch.setattr(Path, "write_text", written)


# A full disk


@pytest.mark.parametrize(
    "name", [PLACE, "notebook.ipynb", "report.html", "result.json", "flow.csv", "status.json", "previous.json"]
)
def test_a_full_disk_leaves_the_old_report_whole_and_makes_the_others(home, monkeypatch, name):
    out = home / "reports"
    if name == "previous.json":  # only a result that said something else is kept beside the new one
        result = folder_of(home, "North") / "result.json"
        result.write_text(result.read_text().replace('"schema": 1', '"schema": 0'))
    before, other = content(folder_of(home, "North")), content(folder_of(home, "West"))
    with monkeypatch.context() as patched:
        full_at(patched, {name})
        found = CliRunner().invoke(main, words(home, "--jobs", "1"))
    assert found.exit_code == 1, found.output
    told = next(line for line in found.output.splitlines() if "ward=North" in line)
    assert told.startswith("stopped  wards/trust/ward=North: ")
    assert f"{folder_of(home, 'North')} cannot be written to: No space left on device." in told
    assert "The report of before is still there." in told
    assert found.output.count("No space left") == 1 and "Traceback" not in found.output
    assert content(folder_of(home, "North")) == before
    assert content(folder_of(home, "West")) != other
    assert not list(out.glob(".making-*")), "half-made reports were left behind"
    assert why(jobs(home)[0], out) == ["the rows or columns that this report reads"]
    assert why(jobs(home)[1], out) == []
    entry = next(one for one in json.loads((out / "run.json").read_text())["reports"] if one["by"] == "ward=North")
    assert entry["status"] == "stopped"
    assert "No space left on device" in (out / "wards" / "index.html").read_text()
    assert [one.by for one in run(jobs(home), out, 1) if not one.unchanged] == ["ward=North"]


def test_where_nothing_stood_a_page_says_that_the_disk_was_full(home, monkeypatch):
    shutil.rmtree(folder_of(home, "North"))
    full_at(monkeypatch, {"result.json"})
    north = next(run(jobs(home), home / "reports", 1))
    assert (north.status, "No space left on device" in north.reason) == ("stopped", True)
    assert "No space left on device" in north.page.read_text()
    assert sorted(content(north.folder)) == ["report.html", "status.json"]


def test_where_not_even_that_page_can_be_written_the_run_says_it(home, monkeypatch):
    shutil.rmtree(folder_of(home, "North"))
    full_at(monkeypatch, {"result.json", "report.html"})
    found = CliRunner().invoke(main, words(home, "--jobs", "1"))
    assert found.exit_code == 1, found.output
    assert "stopped  wards/trust/ward=North: " in found.output and found.output.count("No space left") == 1
    assert "1 ok, 1 stopped" in found.output
    assert not folder_of(home, "North").exists()
    index = (home / "reports" / "wards" / "index.html").read_text()
    assert "No space left on device" in index and "ward%3DNorth/report.html" not in index, "a link to no page"
    assert why(jobs(home)[0], home / "reports") == ["it has not been made yet"]


def test_what_killed_a_report_is_told_even_where_no_page_can_be_written(home, monkeypatch):
    from researchkit.batch.pool import locked_failure

    before = content(folder_of(home, "North"))
    full_at(monkeypatch, {PLACE})
    report = locked_failure(jobs(home)[0], home / "reports", "The worker was killed.", "killed")
    assert report.status == "killed"
    assert report.reason.startswith("The worker was killed. ") and report.reason.endswith("No space left on device.")
    assert content(folder_of(home, "North")) == before


def test_a_report_from_a_cluster_that_does_not_fit_here_leaves_the_old_one(home, monkeypatch):
    from researchkit.batch import cluster
    from researchkit.batch.pool import Task

    def fetch(address, staging):
        (staging / "report.html").write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cluster, "fetch", fetch)
    before = content(folder_of(home, "North"))
    there = SimpleNamespace(status="finished", exception=lambda: None, result=lambda: {"status": "ok"})
    task = Task(jobs(home)[0], {"rows": "1"}, Limits())
    report = cluster.taken(there, task, "memory://x", home / "reports", None)
    assert (report.status, "No space left on device" in report.reason) == ("stopped", True)
    assert content(folder_of(home, "North")) == before


@pytest.mark.parametrize("name", ["run.json", "index.html"])
def test_a_record_or_an_index_that_cannot_be_written_is_one_message(home, monkeypatch, name):
    replace, out = Path.replace, home / "reports"
    if name == "index.html":  # one that says the same is left as it is
        (out / name).write_text("An older one.", encoding="utf-8")
    before = (out / name).read_bytes()

    def replaced(self, target):
        if Path(target).name == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", replaced)
    found = CliRunner().invoke(main, words(home, "--jobs", "1"))
    assert found.exit_code == 1
    assert "2 ok" in found.output, "what became of the reports is told all the same"
    assert found.output.splitlines()[-1] == f"Error: {out} cannot be written to: No space left on device."
    assert (out / name).read_bytes() == before
    assert not list(out.rglob(".making-*"))


def test_an_interrupted_run_says_so_even_where_its_record_cannot_be_written(home, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt
        yield

    def put(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("researchkit.batch.run", interrupted)
    monkeypatch.setattr("researchkit.batch.ledger.put", put)
    found = CliRunner().invoke(main, words(home))
    assert found.exit_code == 130
    assert "No space left on device" in found.output and "The same command goes on." in found.output


def test_a_file_elsewhere_is_named_itself(tmp_path):
    with pytest.raises(PlaceError) as error, told_plainly(tmp_path / "out" / "a", tmp_path / "out"):
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "sockets"))
    assert str(error.value) == f"{tmp_path / 'sockets'}: No space left on device."


def test_a_fault_of_ours_keeps_its_traceback(home, monkeypatch):
    def execute(*_):
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(reports, "execute", execute)
    with pytest.raises(OSError, match="Bad file descriptor"):
        list(run(jobs(home), home / "reports", 1))


def mounted(script: str, *given: object) -> str:
    """What a script says that may mount, for itself alone; skips where the system does not let us."""
    if not shutil.which("unshare"):
        pytest.skip("there is no `unshare` here")
    private = ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    probe = 'd=$(mktemp -d) && mount -t tmpfs none "$d" && umount "$d" && s=0 || s=1; rmdir "$d"; exit $s'
    if subprocess.run([*private, "sh", "-c", probe], capture_output=True).returncode:
        pytest.skip("this system does not let us mount")
    command = '"$PYTHON" -c "from researchkit.cli import main; main()" "$@" 2>&1'
    told = subprocess.run(
        [
            *private,
            "sh",
            "-ec",
            f'run() {{ {command} && s=0 || s=$?; echo "exit $s"; }}\n{script}',
            "sh",
            *map(str, given),
        ],
        env={**os.environ, "PYTHON": sys.executable, "RESEARCHKIT_FORK": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert told.returncode == 0, told.stdout
    return told.stdout


def test_a_small_disk_that_one_report_does_not_fit_on(home, tmp_path):
    """With real workers and kernels: one notebook says too much for the disk, and then something else fills it."""
    before, after, full = content(folder_of(home, "North")), tmp_path / "after", tmp_path / "after-full"
    said = mounted(
        """
        home=$1; after=$2; shift 2
        cp -a "$home/reports" "$home/kept"
        mount -t tmpfs -o size=6m none "$home/reports"; cp -a "$home/kept/." "$home/reports"
        run "$@" --set extra 8000000 --jobs 1
        cp -a "$home/reports" "$after"
        dd if=/dev/zero of="$home/reports/filler" bs=4096 2>/dev/null || true
        run "$@" --fresh --jobs 2
        rm "$home/reports/filler"; cp -a "$home/reports" "$after-full"
        """,
        home,
        after,
        *words(home),
    )
    first, second, _ = said.split("exit 1\n")
    assert "1 ok, 1 stopped" in first and "stopped  wards/trust/ward=North: " in first
    assert first.count("No space left on device") == 1
    assert "2 stopped" in second and "Error: " in second
    assert "Traceback" not in said
    assert content(after / "wards/trust/ward=North") == before
    assert content(full / "wards") == content(after / "wards")
    assert not [*after.glob(".making-*"), *full.glob(".making-*")]


# A folder that must not be changed


def test_a_read_only_disk_is_one_message_before_anything_starts(home):
    out = home / "reports"
    before = content(out)
    said = mounted(
        """
        out=$1; shift
        mount --bind "$out" "$out"; mount -o remount,ro,bind "$out"
        run "$@" --jobs 2
        """,
        out,
        *words(home),
    )
    assert said == f"Error: {out} cannot be written to: Read-only file system.\nexit 2\n"
    assert content(out) == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets two folders change places")
def test_the_old_report_is_there_until_the_new_one_is(home, monkeypatch):
    folder, rename, seen = folder_of(home, "North"), Path.rename, []
    before = content(folder)

    def renamed(self, target):
        seen.append((self, Path(target), folder.exists()))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", renamed)
    assert CliRunner().invoke(main, words(home, "--jobs", "1", "--fresh")).exit_code == 0
    assert [one for one in seen if folder in one[:2] or not one[2]] == []
    assert content(folder) != before and (folder / "report.html").exists()
    assert not list((home / "reports").glob(f"{places.STAGING}*"))


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_report_whose_folder_became_read_only_stops_alone(home, monkeypatch, number):
    """What the system says where a folder's mode forbids to rename it to anybody but root."""
    folder, rename = folder_of(home, "North"), Path.rename
    before = content(folder)
    monkeypatch.setattr(places, "exchanged", lambda *_: False)  # it says the same of that

    def renamed(self, target):
        if folder in (self, Path(target)):
            raise OSError(number, os.strerror(number), str(self), None, str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", renamed)
    found = CliRunner().invoke(main, words(home, "--jobs", "1"))
    assert found.exit_code == 1
    assert f"{folder} cannot be written to: {os.strerror(number)}." in found.output
    assert "1 ok, 1 stopped" in found.output and "Traceback" not in found.output
    assert content(folder) == before
    assert not list((home / "reports").glob(".making-*"))


@pytest.mark.parametrize("step", ["new", "inner"])
def test_what_was_moved_is_put_back_where_a_later_move_is_refused(tmp_path, monkeypatch, step):
    folder = old_report(tmp_path)
    before = content(folder)
    rename = Path.rename
    refused = {"new": folder, "inner": folder / "ward=B"}[step]
    monkeypatch.setattr(places, "exchanged", lambda *_: False)

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
from researchkit import places
from researchkit.places import staged, sweep

if sys.argv[3] == "by renaming":
    places.exchanged = lambda *_: False
CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link"}

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
        at_once = whole(out)[0]
        alone = alive or bool(second and not dies(second, lambda: sweep(out)))
        sweep(out)
        found.append([number, second, *whole(out), at_once])
        shutil.rmtree(out)
        second += 1
print(json.dumps(found))
"""


@pytest.mark.parametrize("how", ["over an old one", "the first", "by renaming"])
def test_a_kill_at_any_moment_leaves_the_old_report_or_the_new(tmp_path, how):
    """At once, where folders can change places, and else after the next run; reports by site within it stay."""
    start, first = tmp_path / "start", how == "the first"
    start.mkdir()
    if not first:
        old_report(start)
    (tmp_path / "work").mkdir()
    told = [sys.executable, "-c", KILLED, start, tmp_path / "work", how]
    found = json.loads(subprocess.run(told, capture_output=True, text=True, check=True, timeout=120).stdout)
    assert max(number for number, *_ in found) > 10
    inner = {name: text for name, text in content(start / "wards" / "trust").items() if "ward" in name}
    inside = {name: text.decode() for name, text in inner.items()}
    own = ("report.html", "result.json", "status.json", "tables/flow.csv")
    old = inside | ({} if first else {name: json.dumps({"said": "old"}) for name in own})
    new = inside | {name: json.dumps({"said": "new"}) for name in own}
    if not first:  # what the old one said is kept beside it
        kept = next(files["previous.json"] for _, _, files, *_ in found if "previous.json" in files)
        assert json.loads(kept)["said"] == "old"
        new["previous.json"] = kept
    in_one_step = sys.platform == "linux" and how != "by renaming"
    for number, second, files, rubbish, at_once in found:
        where = f"killed before call {number}, then {second}"
        assert files in (old, new), where
        assert rubbish == [], where
        assert at_once in (old, new) or not in_one_step, f"{where}: not whole before it is swept"
    assert {files == new for _, _, files, *_ in found} == {True, False}, "both ends are met"


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
        patched.setattr(places, "exchanged", lambda *_: False)

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


# Sockets of the dead


@pytest.fixture
def temporary(monkeypatch):
    """A temporary folder of our own, with a short path for sockets."""
    get_temp_dir()  # what lasts as long as this process must not lie in a folder that goes before it
    with tempfile.TemporaryDirectory(prefix="t-") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def test_sockets_of_the_dead_are_swept_and_those_of_the_living_are_not(tmp_path, temporary):
    code = "import os\nfrom researchkit.places import lasting_as_long\nprint(lasting_as_long(), flush=True)\nos.kill(os.getpid(), 9)"
    dead = Path(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip())
    assert dead.parent == temporary
    (dead / "k-1").touch()
    mine = lasting_as_long()
    elsewhere = temporary / f"rk-zzzz-{dead.name.split('-')[2]}-abcdefgh"  # of another machine that shares the folder
    elsewhere.mkdir()
    sweep(tmp_path)
    assert set(temporary.iterdir()) == {mine, elsewhere}


def test_a_worker_that_is_killed_leaves_no_sockets(made, tmp_path, temporary):
    shutil.copytree(made, tmp_path / "home")
    home = tmp_path / "home"
    book = json.loads((home / "small.ipynb").read_text())
    book["cells"][-2]["source"] = "import time\ntime.sleep(60)"
    (home / "small.ipynb").write_text(json.dumps(book))
    (report,) = run(jobs(home)[:1], home / "reports", 1, seconds=4)
    assert report.status == "timed out"
    assert list(temporary.glob("rk-*")) == []
