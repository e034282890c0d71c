"""Would the tests notice? Small faults planted one by one, each given to the tests that run its lines: `make mutants`.

    make mutants ROOM=moments              all mutants of a room
    make mutants ROOM=estimators SAMPLE=600 SEED=1

One process loads everything and collects the tests once. For each mutant it forks: the child puts the mutated code into the
living functions, runs the tests that cover the line, quickest first, and stops at the first that fails. What is outside of
functions (constants, decorators, fields) is loaded anew in the child. A mutant is killed if a test fails, or takes far more
than its time or memory. What ran before is kept in build/mutants and used as long as nothing has changed that it was made
from, so that a run goes on where it was stopped. Survivors go to tests/mutants.csv; its column `why` is written by people
and kept. Needs cosmic-ray and coverage (tests/mutants.txt), and a system that forks. Not collected by pytest.
"""

from __future__ import annotations

import argparse
import ast
import csv
import gc
import importlib
import json
import math
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from covering import ARGUMENTS, Covered, Watch, anew, digest, run
from forked import Child, reap, start
from hypothesis import Phase, settings
from mutated import Mutant, changes, forget, living, mutants, mutated, put, whole

ROOMS = ("scales", "moments", "estimators", "verdict", "disclosure")
ELSEWHERE = (
    "browser",
    "cli",
    "kernels",
    "lab",
    "layers",
    "learn",
    "ledger",
    "memory",
    "nothing_lost",
    "project",
    "mutants",
)  # pages, processes
ROOT = Path(__file__).resolve().parents[1]
CONTROL = 2.0  # seconds of tests in which nothing changed may fail
OFTEN = 8  # tests that killed other mutants of the same file are tried first
LATE = ("scipy.stats", "scipy.optimize", "scipy.integrate", "scipy.special", "statsmodels.api")  # imported by functions
UNSEEN = "no test runs it"
UNSETTLED = "not settled"  # how `why` begins where more seconds might have killed it, and nobody has said why not
COLUMNS = ("room", "file", "line", "operator", "changed", "why")


class Results:
    """What came of each mutant, a line each; of several lines about one mutant the last counts."""

    def __init__(self, path: Path, texts: Mapping[str, str]) -> None:
        self.path, self.told = path, {}
        path.parent.mkdir(parents=True, exist_ok=True)
        digests = {file: digest(text) for file, text in texts.items()}
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            one = json.loads(line)
            if digests.get(one["file"]) == one["text"]:
                self.told[Mutant(*(one[field] for field in Mutant._fields))] = one
        self.digests = digests

    def known(self, mutant: Mutant, tests: str) -> bool:
        """A mutant that was killed stays so; one that lived is tried again when its tests have changed."""
        one = self.told.get(mutant)
        return one is not None and (one["end"] in ("killed", "none") or one["tests"] == tests)

    def add(self, mutant: Mutant, end: str, **more: Any) -> None:
        one = {**mutant._asdict(), "text": self.digests[mutant.file], "end": end, **more}
        self.told[mutant] = one
        with self.path.open("a", encoding="utf-8") as out:
            out.write(json.dumps(one) + "\n")


class Runner:
    """One run, as a plugin of pytest: its turn comes when the tests have been collected."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked, self.root, self.wrong = asked, Path(asked.root).resolve(), False
        self.texts = self.read(asked.rooms)
        self.results = Results(self.root / "build" / "mutants" / "results.jsonl", self.texts)
        self.killers: dict[str, Counter[str]] = defaultdict(Counter)

    def read(self, rooms: Iterable[str]) -> dict[str, str]:
        package = self.root / "src" / self.asked.package
        found = [path for room in rooms for path in (package / f"{room}.py", *(package / room).rglob("*.py"))]
        files = [path.relative_to(self.root).as_posix() for path in sorted(found) if path.is_file()]
        return {file: (self.root / file).read_text(encoding="utf-8") for file in files}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        for name in (*map(_module, self.texts), *(LATE if self.asked.package == "researchkit" else ())):
            importlib.import_module(name)
        forget(self.asked.package)
        self.items = {item.nodeid: item for item in session.items}
        texts = self.read({*ROOMS, *self.asked.rooms})
        self.covered = Covered(self.root, self.root / "build" / "mutants", texts)
        self.covered.complete(session.items, self.asked.workers)
        self.lives = living([str(self.root / file) for file in self.texts])
        gc.freeze()  # what is never collected is not copied into each child
        chosen = self.chosen()
        self.controls(chosen)
        self.try_all(chosen)
        self.tell(chosen)
        return True

    def chosen(self) -> list[Mutant]:
        """The mutants to be tried; of a sample the same share of each file."""
        files = [file for file in self.texts if not self.asked.files or Path(file).stem in self.asked.files]
        every = {file: mutants(file, self.texts[file]) for file in files}
        total = sum(map(len, every.values()))
        share = min(1.0, self.asked.sample / total) if self.asked.sample else 1.0
        found = []
        for file, ones in every.items():
            random.Random(f"{self.asked.seed} {file}").shuffle(ones)  # noqa: S311 - no secret
            found += ones[: math.ceil(share * len(ones))]
        print(f"{total:,} mutants in {len(every)} files; {len(found):,} are asked for", flush=True)
        return found

    def controls(self, chosen: Sequence[Mutant]) -> None:
        """Nothing changed, in the ways in which mutants are tried: no test may fail, or it would kill what it must not."""
        first = {mutant.file: mutant for mutant in reversed(chosen)}
        waiting: list[Callable[[], Child]] = []
        for file, mutant in first.items():
            code = compile(self.texts[file], str(self.root / file), "exec")
            rooms = [one for one in first if _room(one) == _room(file)]
            for outside in (False, True) if file == rooms[0] else (False,):

                def work(folder: Path, file=file, code=code, mutant=mutant, outside=outside) -> None:  # type: ignore[no-untyped-def]
                    tests, watch = self.covered.tests(file, mutant.line), self.watch(folder, "", CONTROL)
                    if not tests:
                        return watch.finish("not covered")
                    return self.run(file, whole(code), code, outside, tests, watch)

                waiting.append(lambda mutant=mutant, work=work: start(mutant, work))
        for child, told in self.together(waiting):
            if told["end"] == "killed":
                raise SystemExit(f"{child.about.file}: with nothing changed, {told['by']} fails in a forked process.")
        print(f"{len(waiting)} controls with nothing changed: no test fails", flush=True)

    def together(self, waiting: Sequence[Callable[[], Child]]) -> Any:
        """Children, as many at once as there are workers; each as it ends."""
        working: list[Child] = []
        for begin in waiting:
            working.append(begin())
            if len(working) >= self.asked.workers:
                yield from reap(working)
        while working:
            yield from reap(working)

    def watch(self, folder: Path, changed: str, most: float = math.inf) -> Watch:
        return Watch(folder, self.covered.cost, min(self.asked.long, most), self.asked.grace, changed)

    def run(self, file: str, functions: Any, code: Any, outside: bool, tests: Sequence[str], watch: Watch) -> None:
        """In a child: the changed code where it lives, or everything loaded anew with it; and the tests."""
        if outside or not put(functions, self.lives[str(self.root / file)]):
            anew(self.root, _module(file), code, tests, watch)
        else:
            next(iter(self.items.values())).config.pluginmanager.register(watch)
            run([self.items[name] for name in tests], watch)

    def begin(self, mutant: Mutant) -> Child:
        """A child that makes this mutant and tries it."""
        text, path = self.texts[mutant.file], str(self.root / mutant.file)
        often = [name for name, _ in self.killers[mutant.file].most_common(OFTEN)]

        def work(folder: Path) -> None:
            became = mutated(mutant, text)
            watch = self.watch(folder, _changed(text, became))
            try:
                code = compile(became, path, "exec")
                functions, outside = changes(compile(text, path, "exec"), code)
            except (SyntaxError, ValueError):
                return watch.finish("none")
            if not functions and not outside:
                return watch.finish("none")
            tests = self.covered.tests(mutant.file, None if outside else mutant.line)
            first = [name for name in often if name in set(tests)]
            if not tests:
                return watch.finish("not covered")
            return self.run(mutant.file, functions, code, outside, list(dict.fromkeys([*first, *tests])), watch)

        return start(mutant, work)

    def state(self, mutant: Mutant) -> str:
        """What the tests are now that tried this mutant, or will."""
        near = self.covered.tests(mutant.file, mutant.line)
        return self.covered.state(near or self.covered.tests(mutant.file, None))

    def try_all(self, chosen: Sequence[Mutant]) -> None:
        state = {one: self.state(one) for one in chosen}
        again = self.asked.again  # survivors, for instance with more seconds
        waiting = [one for one in chosen if not self.results.known(one, "" if again else state[one])]
        waiting = waiting[: self.asked.most or None]
        began = time.monotonic()
        ended = self.together([lambda one=one: self.begin(one) for one in waiting])
        for count, (child, told) in enumerate(ended, 1):
            mutant = child.about
            self.results.add(mutant, **told, tests=state[mutant])
            if told["end"] == "killed":
                self.killers[mutant.file][told["by"].partition(" (")[0]] += 1
            if told["end"] not in ("killed", "none") or count % 100 == 0:
                so_far = f"{count:,} of {len(waiting):,}, {(time.monotonic() - began) / 60:.1f} min"
                print(f"{so_far}: {told['end']} {mutant.file}:{mutant.line} {told['changed']}", flush=True)

    def tell(self, chosen: Sequence[Mutant]) -> None:
        """A line a room, and the survivors into their table."""
        tried = [one for mutant in chosen if (one := self.results.told.get(mutant)) and one["end"] != "none"]
        print(f"{'room':12} {'tried':>6} {'killed':>6} {'of them by time':>15} {'lived':>6} {'no test':>7}  share")
        for room in self.asked.rooms:
            ends = Counter(
                "time" if "(did not end)" in one["by"] else one["end"] for one in tried if _room(one["file"]) == room
            )
            killed, n = ends["killed"] + ends["time"], ends.total()
            low, high = _wilson(killed, n)
            print(
                f"{room:12} {n:6} {killed:6} {ends['time']:15} {ends['survived'] + ends['outlived']:6} "
                f"{ends['not covered']:7}  {killed / max(n, 1):.1%} ({low:.1%} to {high:.1%} if a sample)"
            )
        part = self.asked.sample or self.asked.most or self.asked.files
        whole = [] if part else self.asked.rooms
        write(self.root / "tests" / "mutants.csv", tried, whole)


def write(path: Path, tried: Sequence[Mapping[str, Any]], whole: Sequence[str]) -> None:
    """The survivors of what was tried, each with the reason that was written to it, beside those of before.

    Of rooms that were tried whole, all of before goes; of a sample only what was tried again.
    """
    rows = []
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
    why = {_named(row): row["why"] for row in rows}
    now = {_named(one) for one in tried}
    others = [row for row in rows if row["room"] not in whole and _named(row) not in now]
    for one in (one for one in tried if one["end"] != "killed"):
        known = why.get(_named(one), "")
        settled = "" if known.startswith((UNSETTLED, UNSEEN)) else known
        unsettled = {"not covered": UNSEEN, "outlived": f"{UNSETTLED}: {one['tried']} tests in its seconds"}
        said = {"room": _room(one["file"]), "why": settled or unsettled.get(one["end"], "")}
        others.append({column: one[column] for column in COLUMNS if column in one} | said)
    with path.open("w", encoding="utf-8", newline="") as out:
        table = csv.DictWriter(out, COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(
            sorted(others, key=lambda row: (row["file"], int(row["line"]), row["operator"], row["changed"]))
        )


def _named(one: Mapping[str, Any]) -> tuple[str, str, str]:
    """A mutant by what it changes: lines move."""
    return one["file"], one["operator"], one["changed"]


def _wilson(killed: int, n: int) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927, JASA 22, 209-212)."""
    if not n:
        return 0.0, 1.0
    z, share = 1.959963984540054, killed / n
    middle, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def _changed(before: str, after: str) -> str:
    both = zip(before.splitlines(), after.splitlines(), strict=False)
    was, became = next(((one, other) for one, other in both if one != other), ("", ""))
    return f"{was.strip()}  ->  {became.strip()}"


def _module(file: str) -> str:
    return ".".join(Path(file).with_suffix("").parts[1:]).removesuffix(".__init__")


def _room(file: str) -> str:
    return Path(file).parts[2].removesuffix(".py")


def _asks(path: Path, package: str, rooms: Iterable[str]) -> bool:
    """Whether a test file imports one of these rooms, and asks it in this process."""
    if path.stem.removeprefix("test_") in ELSEWHERE:
        return False
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
        elif isinstance(node, ast.Import):
            names |= {one.name for one in node.names}
    return any(f"{name}.".startswith(f"{package}.{room}.") for name in names for room in rooms)


def main() -> int:
    asked = argparse.ArgumentParser(description="Mutation testing of rooms.")
    asked.add_argument("rooms", nargs="*")
    asked.add_argument("--files", nargs="*", default=[], help="only these files of the rooms, by name: limit dose")
    asked.add_argument("--sample", type=int, default=0, help="how many mutants, the same share of each file (0: all)")
    asked.add_argument("--seed", type=int, default=20251101)
    asked.add_argument("--again", action="store_true", help="try survivors again though their tests are the same")
    asked.add_argument("--most", type=int, default=0, help="stop after so many, to go on another time (0: never)")
    asked.add_argument(
        "--long", type=float, default=20.0, help="seconds of tests for one mutant; who lives longer has survived"
    )
    asked.add_argument("--grace", type=float, default=10.0, help="seconds a test has beside ten times what it takes")
    asked.add_argument("--workers", type=int, default=2)
    asked.add_argument("--root", default=str(ROOT))
    asked.add_argument("--package", default="researchkit")
    told = asked.parse_args()
    told.rooms = told.rooms or list(ROOMS)
    tests = [
        path for path in sorted(Path(told.root, "tests").glob("test_*.py")) if _asks(path, told.package, told.rooms)
    ]
    settings.register_profile(
        "mutants", derandomize=True, database=None, deadline=None, phases=[Phase.explicit, Phase.generate]
    )
    settings.load_profile("mutants")  # the same inputs for every mutant, and no search for a smaller one that fails
    where = ("--rootdir", told.root, "-c", str(Path(told.root, "pyproject.toml")))
    return int(pytest.main([*ARGUMENTS, *where, *map(str, tests)], plugins=[Runner(told)]))


if __name__ == "__main__":
    sys.exit(main())
