"""`make calibrate`, or `python -m researchkit.calibrate`: every cell, and the table of results."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from researchkit.calibrate.cells import grid
from researchkit.calibrate.page import standing
from researchkit.calibrate.run import BATCH, CLOSER, CLOSEST, STUDIES, run
from researchkit.calibrate.tell import RESULTS, Row, write
from researchkit.wording import count, percent


def main(words: Sequence[str] | None = None) -> int:
    """0 when every cell keeps its promise or is known not to; 1 when one misses."""
    asked = _arguments().parse_args(words)
    cells = grid(asked.cells)
    if not cells:
        print(f"No cell's name holds {asked.cells!r}; names are such as {grid()[0].id}.", file=sys.stderr)
        return 2
    studies, closer, closest = (-(-most // BATCH) * BATCH for most in (asked.studies, asked.closer, asked.closest))
    print(f"{len(cells)} cells, {count(studies)} studies each ({count(closer)} where it is close), in {asked.folder}")
    found: dict[str, list[Row]] = {}
    from tqdm import tqdm

    with tqdm(total=len(cells) * studies, unit="study", disable=not sys.stderr.isatty(), leave=False) as bar:
        stages = {"studies": studies, "closer": closer, "closest": closest}
        for rows in run(cells, asked.folder, **stages, jobs=asked.jobs, done=bar.update):
            found[rows[0].cell] = rows
            bar.write(_line(rows[0]), file=sys.stdout)
            sys.stdout.flush()
    every = [row for cell in cells for row in found[cell.id]]
    outside = [row for row in every if row.default and row.judged == "misses"]
    misses = [row.cell for row in outside if standing(row) == "misses"]
    if asked.out or not asked.cells:
        write(every, asked.out or RESULTS)
        print(f"Written: {asked.out or RESULTS}")
    known = len(outside) - len(misses)
    print(f"{len(outside)} of {len(cells)} cells outside their band; in {known} the answers say so themselves.")
    print("\n".join(f"misses: {cell}" for cell in misses), end="\n" if misses else "")
    return 1 if misses else 0


def _line(row: Row) -> str:
    """One cell in one line."""
    band = " to ".join(percent(edge) for edge in row.band)
    told = f"{row.judged:8s} {row.cell:48s}"
    if not row.answered:
        return f"{told} no study answered: {row.reason}"
    held = f"held {percent(row.coverage)} ± {percent(row.error)} ({band}), {row.errors}"
    refused = f", refused {percent(row.refused)}: {row.reason}" if row.refused else ""
    return f"{told} {held}, p < 0.05 in {percent(row.found)}{refused}"


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m researchkit.calibrate", description=__doc__)
    parser.add_argument("--cells", default="", metavar="PATTERN", help="only cells whose name holds this expression")
    parser.add_argument("--studies", type=int, default=STUDIES, help="simulated studies a cell")
    parser.add_argument("--closer", type=int, default=CLOSER, help="where the coverage is close to an edge")
    parser.add_argument("--closest", type=int, default=CLOSEST, help="and where it then misses by less than its error")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="worker processes")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("reports/.calibrate"),
        help="where batches are kept, so that it can go on",
    )
    parser.add_argument("--out", type=Path, help="the table of results; for a part of the cells, none if left out")
    return parser


if __name__ == "__main__":
    sys.exit(main())
