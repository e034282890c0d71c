"""Every study of every cell, on all cores, a batch at a time: what is done is kept, a killed run goes on.

The folder holds one file a cell, one line a batch. Each study's seed is made from its cell and number alone, and
batches are put in order before they are counted, so that neither workers nor interruptions change a result.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from researchkit import moments
from researchkit.calibrate.cells import Cell
from researchkit.calibrate.limits import warning
from researchkit.calibrate.studies import Study, question, study
from researchkit.calibrate.tell import OWN, Outcome, Row, told
from researchkit.errors import EstimationError
from researchkit.estimators import Effect, estimate_sample
from researchkit.estimators.effect import wald

BATCH, STUDIES, CLOSER, CLOSEST = 100, 2_000, 10_000, 40_000
PACKAGE = Path(__file__).parents[1]
MADE_BY = ("estimators", "moments", "calibrate/cells.py", "calibrate/studies.py", "calibrate/run.py")

Batch = tuple[Cell, int, list[Outcome]]


def run(
    cells: Sequence[Cell],
    folder: Path,
    *,
    studies: int = STUDIES,
    closer: int = CLOSER,
    closest: int = CLOSEST,
    jobs: int = 1,
    done: Callable[[int], None] = lambda studies: None,
) -> Iterator[list[Row]]:
    """The rows of each cell as soon as it is whole; what lies in `folder` is not made again.

    Parameters
    ----------
    studies, closer, closest
        How many a cell, in whole batches; how many where the coverage of the first `studies` lies outside its band, or
        closer to an edge than its simulation error; and how many where it then misses by less than that error.
    jobs
        Worker processes; with 1 all is done in this one.
    done
        Told how many studies are there: first those found in the folder, then those of each batch.
    """
    kept = Kept(folder, cells, (studies, closer, closest))
    done(kept.count())
    queue = deque[tuple[Cell, int]]()
    left: dict[Cell, int] = {}

    def go_on(cell: Cell) -> bool:
        """Whether the cell lacks batches; those go into the queue."""
        lacking = kept.lacking(cell)
        left[cell] = len(lacking)
        queue.extend((cell, start) for start in lacking)
        return bool(lacking)

    for cell in cells:
        if not go_on(cell):
            yield kept.rows(cell)
    for cell, start, outcomes in _made(queue, jobs):
        kept.add(cell, start, outcomes)
        done(len(outcomes))
        left[cell] -= 1
        if not left[cell] and not go_on(cell):
            yield kept.rows(cell)


class Kept:
    """The batches made so far, by cell and number of their first study: in memory, and line by line in a folder."""

    def __init__(self, folder: Path, cells: Sequence[Cell], stages: tuple[int, int, int]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.key = folder, fingerprint()
        self.stages = [range(0, max(stages[: place + 1]), BATCH) for place in range(len(stages))]
        self.held = {cell: self._found(cell) for cell in cells}

    def count(self) -> int:
        return sum(len(outcomes) for batches in self.held.values() for outcomes in batches.values())

    def add(self, cell: Cell, start: int, outcomes: list[Outcome]) -> None:
        with self._file(cell).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": self.key, "start": start, "studies": outcomes}) + "\n")
        self.held[cell][start] = outcomes

    def lacking(self, cell: Cell) -> list[int]:
        """The batches that are still to be made."""
        return [start for start in self.stage(cell) if start not in self.held[cell]]

    def rows(self, cell: Cell) -> list[Row]:
        return self._told(cell, self.stage(cell))

    def stage(self, cell: Cell) -> range:
        """The batches that this cell needs, as far as those at hand can tell."""
        first, closer, closest = self.stages
        if not self._whole(cell, first) or not self._told(cell, first)[0].near:
            return first
        if not self._whole(cell, closer) or not self._told(cell, closer)[0].undecided:
            return closer
        return closest

    def _whole(self, cell: Cell, starts: range) -> bool:
        return all(start in self.held[cell] for start in starts)

    def _told(self, cell: Cell, starts: range) -> list[Row]:
        return told(cell, [outcome for start in starts for outcome in self.held[cell][start]])

    def _file(self, cell: Cell) -> Path:
        return self.folder / f"{cell.id}.jsonl"

    def _found(self, cell: Cell) -> dict[int, list[Outcome]]:
        """The batches of earlier runs by the same code; the file is written anew without others and without scraps."""
        path, found = self._file(cell), {}
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        good = []
        for line in lines:
            try:
                batch = json.loads(line)
            except ValueError:  # cut off by a kill
                continue
            if batch["key"] == self.key and len(batch["studies"]) == BATCH:
                found[batch["start"]] = batch["studies"]
                good.append(line)
        if len(good) < len(lines):
            aside = path.with_suffix(".new")
            aside.write_text("".join(f"{line}\n" for line in good), encoding="utf-8")
            aside.replace(path)
        return found


def fingerprint() -> str:
    """What the numbers hang on: the source of estimators, cells and studies, as a short code."""
    paths = [path for name in MADE_BY for path in sorted((PACKAGE / name).rglob("*.py")) or [PACKAGE / name]]
    told = hashlib.sha256()
    for path in paths:
        told.update(path.relative_to(PACKAGE).as_posix().encode() + path.read_bytes())
    return told.hexdigest()[:16]


def outcome(cell: Cell, number: int) -> Outcome:
    """What one study came to, under the estimator's errors and under those they are compared with."""
    drawn, asked = study(cell, number), question(cell.kind)
    try:
        effect = estimate_sample(drawn.sample, asked)
    except EstimationError as error:
        return {"why": re.sub(r"^The question 'q'( has \d+ problems)?:\s*(1\. )?", "", str(error))}
    found: Outcome = {OWN: [*_numbers(effect, drawn), _named(effect), warning(effect.notes)]}
    if cell.clusters:
        # Crossed with themselves, clusters get the usual CR1 and t(G - 1).
        twice = replace(drawn.sample, crossed=drawn.sample.cluster, crossed_name="team")
        found["CR1"] = _numbers(estimate_sample(twice, asked), drawn)
    if cell.clusters and cell.kind in ("score", "change"):
        found["CR3"] = _cr3(drawn)
    return found


def _numbers(effect: Effect, drawn: Study) -> list[float | None]:
    return [effect.estimate, effect.se, effect.low, effect.high, effect.p, effect.df, drawn.truth]


def _named(effect: Effect) -> str:
    """The kind of errors, as the method names it."""
    return "".join(re.findall(r"\b(?:CR\d|HC\d|model-based)", effect.method)[:1])


def _cr3(drawn: Study) -> list[float | None]:
    """The same least squares with CR3 errors and t(G - 1)."""
    sample, more = drawn.sample, [] if drawn.sample.baseline is None else [drawn.sample.baseline]
    line = moments.fit(
        moments.compress(
            sample.exposure, np.column_stack([*more, sample.covariates]), sample.outcome, cluster=sample.cluster
        )
    )
    covariance, df = moments.cr3(line)
    value, se = float(line.coefficients[0]), float(np.sqrt(covariance[0, 0]))
    return [value, se, *wald(value, se, 0.95, float(df[0])), float(df[0]), drawn.truth]


def _batch(cell: Cell, start: int) -> Batch:
    return cell, start, [outcome(cell, number) for number in range(start, start + BATCH)]


def _made(queue: deque[tuple[Cell, int]], jobs: int) -> Iterator[Batch]:
    """Batches as they get ready, until the queue, to which the caller may add, is empty."""
    if jobs == 1:
        while queue:
            yield _batch(*queue.popleft())
        return
    # Begun anew, not forked: a fork while threads run may hang, and each Python has its own default.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        flying: set[Future[Batch]] = set()
        try:
            while queue or flying:
                while queue and len(flying) < 2 * jobs:
                    flying.add(pool.submit(_batch, *queue.popleft()))
                ready, flying = wait(flying, return_when=FIRST_COMPLETED)
                for future in ready:
                    yield future.result()
        finally:
            for future in flying:
                future.cancel()
