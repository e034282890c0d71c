"""Which tests run which lines, and how long each takes: found once, kept, and used to try the nearest tests first.

A line that runs in a fixture counts for every test that asks for it, not only for the one that came first.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from forked import Child, allow, reap, start, tell

ARGUMENTS = (
    "-p",
    "no:cacheprovider",
    "--assert=plain",
    "--tb=native",
    "-s",
)  # nothing is shown, so nothing has to be explained


class Watch:
    """What becomes of tests as they run; each is allowed its time, and the first failure is put down."""

    def __init__(self, folder: Path, seconds: Mapping[str, float], most: float, grace: float, changed: str) -> None:
        self.folder, self.seconds, self.most, self.grace, self.changed = folder, seconds, most, grace, changed
        self.tried, self.over = 0, False
        self.began = time.process_time()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.tell("killed", f"{nodeid} (did not end)")  # if it never comes back
        allow(10 * self.seconds.get(nodeid, 0.0) + self.grace)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.tried += 1
        if report.failed and not self.over:
            self.finish("killed", report.nodeid)
        elif time.process_time() - self.began > self.most and report.when == "teardown" and not self.over:
            self.finish("outlived")

    def finish(self, end: str, by: str = "") -> None:
        self.over = True
        self.tell(end, by)

    def tell(self, end: str, by: str) -> None:
        tell(self.folder, end=end, by=by, tried=self.tried, changed=self.changed)


def run(items: Sequence[pytest.Item], watch: Watch) -> None:
    """In a child: the tests in this order, up to the first that fails."""
    for one, following in zip(items, [*items[1:], None], strict=True):
        one.ihook.pytest_runtest_protocol(item=one, nextitem=following)
        if watch.over:
            return
    watch.finish("survived")


class Anew:
    """The tests that are wanted, in their order, of a session within the child; it ends with the first failure."""

    def __init__(self, wanted: Sequence[str], watch: Watch) -> None:
        self.wanted, self.watch = wanted, watch

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self.session = session

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        by_name = {item.nodeid: item for item in items}
        items[:] = [by_name[name] for name in self.wanted if name in by_name]
        self.watch.began = time.process_time()  # what was loaded is not of the tests' time

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self) -> None:
        self.session.shouldstop = self.watch.over


class Instead:
    """Loads one module from changed code."""

    def __init__(self, name: str, code: Any) -> None:
        self.name, self.code = name, code

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != self.name:
            return None
        others = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next(one for one in others if one)
        spec.loader.get_code = lambda _: self.code
        return spec


def anew(root: Path, name: str, code: Any, wanted: Sequence[str], watch: Watch) -> None:
    """In a child: load all that is ours again, one module from changed code, and run the tests in a session of their own."""
    ours = (f"{root}/src/", f"{root}/tests/")
    for known, module in list(sys.modules.items()):
        if known != "__main__" and str(getattr(module, "__file__", None) or "").startswith(ours):
            del sys.modules[known]
    sys.meta_path.insert(0, Instead(name, code))
    files = dict.fromkeys(str(root / one.partition("::")[0]) for one in wanted)
    watch.tell("killed", "(it cannot be loaded)")
    where = ("--rootdir", str(root), "-c", str(root / "pyproject.toml"))
    done = pytest.main([*ARGUMENTS, *where, *files], plugins=[watch, Anew(wanted, watch)])
    if done == pytest.ExitCode.OK and not watch.over:
        watch.finish("survived")


class Recorder:
    """As a plugin in a child: the lines of our files that each test and each fixture runs, and their seconds."""

    def __init__(self, files: Sequence[Path]) -> None:
        import coverage

        self.trace = coverage.Coverage(data_file=None, config_file=False, include=[str(file) for file in files])
        self.trace.set_option(
            "run:disable_warnings", ["no-data-collected"]
        )  # tests may run none of it; that is no error
        self.seconds: dict[str, float] = defaultdict(float)
        self.uses: dict[str, set[str]] = defaultdict(set)
        self.failed: set[str] = set()
        self.test, self.within = "", [""]

    def enter(self, name: str) -> float:
        self.within.append(name)
        self.trace.switch_context(name)
        return time.monotonic()

    def leave(self, began: float) -> None:
        name, took = self.within.pop(), time.monotonic() - began
        self.seconds[name] += took
        if len(self.within) > 1:
            self.seconds[self.within[-1]] -= took
        self.trace.switch_context(self.within[-1])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        self.test = item.nodeid
        self.uses[self.test] = set()
        began = self.enter(self.test)
        result = yield
        self.leave(began)
        for name in getattr(item, "fixturenames", ()):
            self.uses[self.test] |= {_key(one) for one in item._fixtureinfo.name2fixturedefs.get(name, ())}  # type: ignore[attr-defined]
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Any:
        self.uses[self.test].add(_key(fixturedef))
        began = self.enter(_key(fixturedef))
        try:
            return (yield)
        finally:
            self.leave(began)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.outcome != "passed":
            self.failed.add(report.nodeid)

    def told(self, root: Path) -> dict[str, Any]:
        data = self.trace.get_data()
        lines: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for file in data.measured_files():
            for line, names in data.contexts_by_lineno(file).items():
                for name in names:
                    lines[name][Path(file).relative_to(root).as_posix()].append(line)
        passed = {test: sorted(used) for test, used in self.uses.items() if test not in self.failed}
        return {"uses": passed, "seconds": self.seconds, "lines": lines}


def _key(fixture: Any) -> str:
    return f"{fixture.baseid} fixture {fixture.argname}"


class Covered:
    """The tests by the lines that they run; kept as one record a test file in `folder`."""

    def __init__(self, root: Path, folder: Path, texts: Mapping[str, str]) -> None:
        self.root, self.folder, self.texts = root, folder, texts
        self.cost: dict[str, float] = {}
        self.homes: dict[str, str] = {}
        self.by_line: dict[str, dict[int, set[str]]] = {file: defaultdict(set) for file in texts}

    def complete(self, items: Sequence[pytest.Item], workers: int) -> None:
        """Find out what is not known yet, a test file at a time, and take it all in."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for text in self.texts.values():
            (self.folder / f"{digest(text)}.txt").write_text(text, encoding="utf-8")
        by_file: dict[str, list[pytest.Item]] = defaultdict(list)
        for item in items:
            by_file[item.nodeid.partition("::")[0]].append(item)
        waiting = [file for file in sorted(by_file) if not self._known(file)]
        working: list[Child] = []
        while waiting or working:
            while waiting and len(working) < workers:
                file = waiting.pop(0)
                working.append(start(file, self._recording(file, by_file[file])))
            for child, told in reap(working):
                print(f"covered by {child.about}: {told}", flush=True)
        for file in by_file:
            record = json.loads(self._record(file).read_text(encoding="utf-8"))
            self.homes[file] = record["digest"]
            self._take(record)

    def _record(self, file: str) -> Path:
        return self.folder / f"{Path(file).stem}.json"

    def _known(self, file: str) -> bool:
        record = self._record(file)
        if not record.is_file():
            return False
        told = json.loads(record.read_text(encoding="utf-8"))
        return (
            told["digest"] == digest((self.root / file).read_text(encoding="utf-8"))
            and self.texts.keys() <= told["texts"].keys()
        )

    def _recording(self, file: str, items: Sequence[pytest.Item]) -> Callable[[Path], None]:
        def work(folder: Path) -> None:
            recorder = Recorder([self.root / one for one in self.texts])
            items[0].config.pluginmanager.register(recorder)
            recorder.trace.start()
            for one, following in zip(items, [*items[1:], None], strict=True):
                one.ihook.pytest_runtest_protocol(item=one, nextitem=following)
            recorder.trace.stop()
            told = {"digest": digest((self.root / file).read_text(encoding="utf-8")), **recorder.told(self.root)}
            told["texts"] = {one: digest(text) for one, text in self.texts.items()}
            aside = self.folder / f"{Path(file).stem}.aside"
            aside.write_text(json.dumps(told), encoding="utf-8")
            aside.replace(self._record(file))
            tell(folder, tests=len(items), failed=sorted(recorder.failed), seconds=round(time.process_time(), 1))

        return work

    def _take(self, record: Mapping[str, Any]) -> None:
        moved = {file: self._moved(record["texts"][file], file) for file in self.texts}
        for test, used in record["uses"].items():
            self.cost[test] = sum(record["seconds"].get(name, 0.0) for name in (test, *used))
            for name in (test, *used):
                for file, lines in record["lines"].get(name, {}).items():
                    for line in lines if file in moved else ():
                        for now in moved[file].get(line, ()):
                            self.by_line[file][now].add(test)

    def _moved(self, known: str, file: str) -> Mapping[int, Sequence[int]]:
        return _moved((self.folder / f"{known}.txt").read_text(encoding="utf-8"), self.texts[file])

    @cache  # noqa: B019 - one lives as long as the run
    def tests(self, file: str, line: int | None) -> list[str]:
        """Those that run this line of a file, first the file's own, then the quickest; then the others of their test files.

        For what a cache keeps is run by one test, and looked at by others. Outside of functions (None) nothing is run by
        a test: all tests of the room, in the same order.
        """
        own = {f"tests/test_{name}.py" for name in (Path(file).stem, Path(file).parts[2])}

        def order(test: str) -> tuple[bool, float, str]:
            return test.partition("::")[0] not in own, round(self.cost[test], 2), test

        if line is None:
            return sorted(self.cost, key=order)
        near = self.by_line[file].get(line, set())
        homes = {test.partition("::")[0] for test in near}
        other = {test for test in self.cost if test.partition("::")[0] in homes} - near
        return [*sorted(near, key=order), *sorted(other, key=order)]

    def state(self, tests: Sequence[str]) -> str:
        """What these tests' files are now."""
        homes = sorted({test.partition("::")[0] for test in tests})
        return digest(" ".join(self.homes[home] for home in homes))


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def _moved(before: str, after: str) -> Mapping[int, Sequence[int]]:
    """Line -> where it is now; a line that is new counts as run by what ran the ones before it."""
    if before == after:
        return {line: (line,) for line in range(1, before.count("\n") + 2)}
    moved: dict[int, list[int]] = defaultdict(list)
    blocks = difflib.SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False).get_opcodes()
    for _, old, old_end, new, new_end in blocks:
        for place in range(max(old_end - old, new_end - new)):
            moved[min(old + place, max(old, old_end - 1)) + 1].append(min(new + place, max(new, new_end - 1)) + 1)
    return moved
