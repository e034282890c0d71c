"""A run that dies before its n-th change of the disk, and the one after it; told as JSON on standard output.

Usage: python killed.py HOME WORK ONLY, where HOME holds `wards`, `small.ipynb`, `kept.json` and `reports`, and ONLY
is "all" or shares of the changes of a run, such as 0,0.5,1. Every run is a child of its own.
"""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from click.testing import CliRunner

from researchkit import report
from researchkit.cli import main

CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}


class Count:
    """Counts changes below a folder; at the n-th the process dies, or the disk is full from then on."""

    def __init__(self, below: Path, number: int, full: bool) -> None:
        self.below, self.left, self.full, self.met = str(below), number, full, 0

    def __call__(self, event: str, args: tuple) -> None:
        opened = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wxa+")
        if not (opened or event in CHANGES) or not str(args[0]).startswith(self.below):
            return
        self.step(event, str(args[0]))

    def step(self, event: str, path: str) -> None:
        self.met += 1
        if self.left and self.met >= self.left:
            if not self.full:
                os._exit(9)
            if event in ("open", "os.mkdir", "half"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


def child(work: Callable[[], int]) -> int:
    """The exit status of work done in a child."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        status = work()
    os._exit(status)


def run(home: Path, count: Count | None = None) -> int:
    """One run of all wards by the notebooks kept; 1 where it says that not all is good, 3 where it fails otherwise."""
    kept = json.loads((home / "kept.json").read_text(encoding="utf-8"))

    def execute(source: Path, target: Path, given: dict, limits: object) -> None:
        target.write_text(json.dumps(kept[given["by"]]), encoding="utf-8")

    report.execute = execute  # type: ignore[assignment]
    if count:
        sys.addaudithook(count)
        write = Path.write_text

        def halves(self: Path, text: str, *args: object, **how: object) -> int:
            if str(self).startswith(count.below):
                write(self, text[: len(text) // 2], *args, **how)  # type: ignore[arg-type]
                count.step("half", str(self))
            return write(self, text, *args, **how)  # type: ignore[arg-type]

        Path.write_text = halves  # type: ignore[method-assign]
    words = ["run", home / "wards", "--by", "ward", "--notebook", home / "small.ipynb", "--out", home / "reports"]
    found = CliRunner().invoke(main, [*map(str, words), "--jobs", "1"])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        told = "".join(traceback.format_exception(found.exception)[-14:])
        (home / "fault").write_text(told, encoding="utf-8")
        return 3
    if count and not count.left:
        (home / "met").write_text(str(count.met), encoding="utf-8")
    return found.exit_code


def state(home: Path) -> dict[str, str]:
    out = home / "reports"
    names = sorted(path for path in out.rglob("*") if path.is_file() and ".locks" not in path.parts)
    return {str(path.relative_to(out)): path.read_text(encoding="utf-8", errors="replace") for path in names}


def main_() -> None:
    start, work, only, full = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4] == "full"
    home = work / "home"

    def fresh() -> None:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(start, home)

    fresh()
    status = child(lambda: run(home, Count(home / "reports", 0, full)))
    steps, new = int((home / "met").read_text()), state(home)
    every = range(1, steps + 1)
    chosen = every if only == "all" else [1 + int((steps - 1) * float(share)) for share in only.split(",")]
    found = []
    for number in chosen:
        fresh()
        died = child(lambda n=number: run(home, Count(home / "reports", n, full)))
        after = state(home)
        again = child(lambda: run(home))
        fault = (home / "fault").read_text() if (home / "fault").exists() else ""
        found.append(
            {"number": number, "died": died, "after": after, "again": again, "end": state(home), "fault": fault}
        )
    print(json.dumps({"steps": steps, "status": status, "new": new, "found": found}))


if __name__ == "__main__":
    main_()
