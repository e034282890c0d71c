"""How fast and how steady many reports are, against the ways people have: `make bench`. Not collected by pytest.

One question by 40 sites of a simulated contact centre, with its own notebook; then 500 small reports for memory, and
a run in which nothing has changed. What would take too long is run for a sample, and the sample is told.
"""

from __future__ import annotations

import ast
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from researchkit import batch, site
from researchkit.report import notebook_of, told_to
from researchkit.simulate import write_world
from researchkit.study import load_study

SITES, LOOPED, THREADED, FLOORED, ROWS = 40, 4, 8, 12, 12_000
QUESTIONS, MANY, WINDOW = 10, 500, 100
LOOP, THREADS, FLOOR, UNCHANGED, FLAT = 25, 5, 1.5, 3.0, 1.05
LEFT_OUT = ("training", "won_back")  # one does not vary within a site, the other has too few rows there
SMALL = ["answer = rk.answer_question(study, question, by=by, disclosure=disclosure)", "answer"]


def main() -> int:
    import bench  # here and below: a worker process imports this file too, and should load no more for it

    print(bench.machine())
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        good = [against_others(place), against_the_floor(place), steady(place)]
    return 0 if all(good) else 1


def centre(place: Path, sites: int) -> Path:
    """A contact centre whose agents are spread over so many sites."""
    import duckdb

    folder = place / f"centre{sites}"
    if folder.exists():
        return folder
    write_world("contact_centre", folder, rows=ROWS)
    frame = duckdb.sql(f"FROM '{folder / 'interactions.parquet'}'").df()
    agents = frame["agent_id"].astype("category").cat.codes
    frame["site"] = [f"s{agent % sites:02d}" for agent in agents]
    frame.to_csv(folder / "interactions.csv", index=False)
    told = yaml.safe_load((folder / "study.yml").read_text(encoding="utf-8"))
    told["files"] = "interactions.csv"
    told["questions"] = [one for one in told["questions"] if one["id"] not in LEFT_OUT]
    (folder / "study.yml").write_text(yaml.safe_dump(told, sort_keys=False), encoding="utf-8")
    return folder


def against_others(place: Path) -> bool:
    """Ours against the commands in a loop, and against Papermill's Python call in threads."""
    study = load_study(centre(place, SITES))
    jobs = batch.plan([study], question="retention", by="site")
    began = time.perf_counter()
    reports = list(batch.run(jobs, place / "ours", 2))
    ours = (time.perf_counter() - began) / len(jobs)
    bad = [report for report in reports if report.status != "ok"]
    print(f"{len(jobs)} reports by 2 workers: {ours:.2f} s a report{f', {len(bad)} not ok' if bad else ''}.")
    source = notebook_of(study, study.question("retention"))
    given = [told_to(study, study.question("retention"), job.by, None, None) for job in jobs]
    looped = by_commands(source, given[:LOOPED], place)
    threaded = by_threads(source, given[:THREADED], place)
    good = tell("papermill and jupyter nbconvert as commands in a loop", looped, LOOPED, ours, LOOP)
    return tell("Papermill's Python call by 2 threads, no page", threaded, THREADED, ours, THREADS) and good and not bad


def tell(what: str, theirs: float, sampled: int, ours: float, promised: float) -> bool:
    ratio = theirs / ours
    print(f"  {what}: {theirs:.2f} s a report ({sampled} of them), {ratio:.1f} times ours (promised {promised}).")
    return ratio >= promised


def by_commands(source: Path, given: list[dict[str, Any]], place: Path) -> float:
    tools = Path(sys.executable).parent
    began = time.perf_counter()
    for number, parameters in enumerate(given):
        target = place / f"loop{number}.ipynb"
        words = [word for name, value in parameters.items() for word in ("-r", name, value)]
        run([tools / "papermill", source, target, *words, "--kernel", "python3"])
        run([tools / "jupyter", "nbconvert", "--to", "html", target])
    return (time.perf_counter() - began) / len(given)


def run(words: list[Any]) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)


def by_threads(source: Path, given: list[dict[str, Any]], place: Path) -> float:
    import papermill

    def one(number: int) -> None:
        target = str(place / f"thread{number}.ipynb")
        papermill.execute_notebook(
            str(source), target, parameters=given[number], kernel_name="python3", progress_bar=False
        )

    began = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, range(len(given))))
    return (time.perf_counter() - began) / len(given)


def against_the_floor(place: Path) -> bool:
    """One worker against the bare cells, run in a fork of a process that has loaded everything."""
    import nbformat

    study = load_study(centre(place, SITES))
    jobs = batch.plan([study], question="retention", by="site")[:FLOORED]
    source = notebook_of(study, study.question("retention"))
    cells = [cell.source for cell in nbformat.read(source, as_version=4).cells if cell.cell_type == "code"]
    coming = batch.run(jobs, place / "one", 1)
    reports = [next(coming)]  # loads everything, as below
    began = time.perf_counter()
    reports += coming
    ours = (time.perf_counter() - began) / (len(jobs) - 1)
    given = [told_to(study, study.question("retention"), job.by, None, None) for job in jobs]
    bare([*cells], {**given[0]}, place / "warm")  # loads everything, here
    began = time.perf_counter()
    for parameters in given:
        child = os.fork()
        if not child:
            bare(cells, parameters, place / "floor")
            os._exit(0)
        os.waitpid(child, 0)
    floor = (time.perf_counter() - began) / len(jobs)
    good = ours / floor <= FLOOR and all(report.status == "ok" for report in reports)
    print(
        f"One worker: {ours:.2f} s a report; the bare cells in a fork {floor:.2f} s; {ours / floor:.2f} times the floor "
        f"(promised at most {FLOOR})."
    )
    return good


def bare(cells: list[str], parameters: dict[str, Any], folder: Path) -> None:
    """Run cells as they stand and save what the last line of each shows."""
    folder.mkdir(exist_ok=True)
    names: dict[str, Any] = {}
    for number, source in enumerate(cells):
        tree = ast.parse(source)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "cell", "exec"), names)  # noqa: S102 - our own notebook
        if number == 0:
            names.update(parameters)
        if last:
            shown = eval(compile(ast.Expression(last.value), "cell", "eval"), names)  # noqa: S307 - the same
            told = shown._repr_mimebundle_() if hasattr(shown, "_repr_mimebundle_") else {"text/plain": repr(shown)}
            for kind, value in told.items():
                (folder / f"{number}-{kind.replace('/', '_')}").write_text(str(value), encoding="utf-8")


def steady(place: Path) -> bool:
    """500 reports in one go: memory of first and last, what is left behind; then nothing changed, then one site."""
    import psutil

    folder, out = centre(place, MANY // QUESTIONS), place / "many"
    notebook = small(place)
    jobs = batch.plan(
        [load_study(folder)], by="site", notebook=notebook, disclosure="none"
    )  # else one row is held back
    me, held = psutil.Process(), []
    before = (me.num_fds(), len(me.children(recursive=True)))
    began, statuses = time.perf_counter(), set()
    for report in batch.run(jobs, out, 2):
        statuses.add(report.status)
        held.append(memory(me))
    took = time.perf_counter() - began
    after = (me.num_fds(), len(me.children(recursive=True)))
    first, last = max(held[10 : WINDOW + 10]), max(held[-WINDOW:])  # the first ten find the workers still loading
    good = last / first <= FLAT and after == before and statuses == {"ok"}
    print(
        f"{len(jobs)} small reports in one go: {took:.0f} s; memory {first / 2**20:,.0f} MB at most in the first {WINDOW}, "
        f"{last / 2**20:,.0f} MB in the last ({last / first:.3f}; promised at most {FLAT}); file handles and processes "
        f"before {before}, after {after}; {', '.join(sorted(statuses))}."
    )
    batch.record(list(batch.run(jobs, out, 2)), out)
    site.write_index(out)  # as the command does after every run
    unchanged, told = again(folder, notebook, out)
    print(f"The same command, nothing changed: {unchanged:.2f} s (promised at most {UNCHANGED:.0f}); {told}.")
    one_site(folder)
    seconds, told = again(folder, notebook, out)
    print(f"After a change of one site's rows: {seconds:.1f} s; {told}.")
    return good and unchanged <= UNCHANGED and told.startswith(f"{len(jobs)} ok ({len(jobs) - QUESTIONS} unchanged")


def small(place: Path) -> Path:
    import nbformat

    cells = ['study = ""\nquestion = ""\nby = ""\ndisclosure = ""', "import researchkit as rk\n" + SMALL[0], SMALL[1]]
    made = [nbformat.v4.new_code_cell(source) for source in cells]
    made[0].metadata["tags"] = ["parameters"]
    nbformat.write(nbformat.v4.new_notebook(cells=made), place / "small.ipynb")
    return place / "small.ipynb"


def memory(me: Any) -> int:
    """Bytes of this process and of all that it has started, pages that several share counted once."""
    import psutil

    total = 0
    for one in (me, *me.children(recursive=True)):
        with contextlib.suppress(psutil.Error):
            total += one.memory_full_info().pss
    return total


def again(folder: Path, notebook: Path, out: Path) -> tuple[float, str]:
    words = [
        Path(sys.executable).parent / "researchkit",
        "run",
        folder,
        "--by",
        "site",
        "--notebook",
        notebook,
        "--out",
        out,
        "--disclosure",
        "none",
    ]
    began = time.perf_counter()
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    seconds = time.perf_counter() - began
    return seconds, done.stdout.strip().splitlines()[-2]


def one_site(folder: Path) -> None:
    """Another answer to every question in one row of one site."""
    import pandas as pd

    frame = pd.read_csv(folder / "interactions.csv", dtype=str)
    row = frame.index[frame["site"] == "s07"][0]
    frame.loc[row, "severity"] = "9" if frame.loc[row, "severity"] != "9" else "8"
    frame.to_csv(folder / "interactions.csv", index=False)


if __name__ == "__main__":
    if not hasattr(os, "fork"):
        sys.exit("This comparison forks, and this system does not.")
    sys.exit(main())
