"""A run as whoever started it sees it: a line a report, what became of all, and how to go on."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click

from researchkit.errors import PlaceError, ResearchkitError
from researchkit.places import told_plainly

GOOD, NOT_ALL_GOOD, NOTHING_STARTED, INTERRUPTED = 0, 1, 2, 130


def compare(plan: list[Any], limits: Any) -> int:
    """Say for each report whether a forked kernel gives what an ordinary one gives, byte by byte."""
    from researchkit import batch

    code = GOOD
    for job, found in batch.check_fork(plan, limits):
        name = "/".join(part for part in (job.study.parent.name, job.question, job.by) if part)
        click.echo(f"{'differs' if found else 'alike':8} {name}")
        for difference in found:
            click.echo(f"         {difference}")
            code = NOT_ALL_GOOD
    return code


def make_all(plan: list[Any], out: Path, jobs: int | None, **how: Any) -> int:
    """Run the plan, a line a report, then the index and the table of what became of each.

    Interrupted, it keeps what is done and says how to go on.
    """
    from tqdm import tqdm

    from researchkit import batch, site

    reports: list[Any] = []
    stopped: BaseException | None = None
    with tqdm(total=len(plan), unit="report", disable=not sys.stderr.isatty(), leave=False) as bar:
        try:
            for report in batch.run(plan, out, jobs, say=lambda text: bar.write(text, file=sys.stderr), **how):
                reports.append(report)
                bar.update()
                bar.write(line(report), file=sys.stdout)
        except (KeyboardInterrupt, ResearchkitError) as error:
            stopped = error
    click.echo(tally(reports))
    try:
        with told_plainly(out, out):
            batch.record(reports, out)
            click.echo(f"Index: {site.write_index(out)}")
        written = True
    except PlaceError as error:  # what was made is there, and told above
        written = False
        if str(error) != str(stopped):
            click.echo(f"Error: {error}", err=True)
    if isinstance(stopped, ResearchkitError):
        raise stopped
    if stopped:
        click.echo(f"Interrupted: {len(plan) - len(reports)} reports are left. The same command goes on.", err=True)
        return INTERRUPTED
    return GOOD if written and all(report.status == "ok" for report in reports) else NOT_ALL_GOOD


def tally(reports: list[Any]) -> str:
    """How many ended how, and how many of them are of an earlier run."""
    counts = Counter(report.status for report in reports)
    told = [f"{counts.pop('ok', 0)} ok", *(f"{n} {status}" for status, n in sorted(counts.items()))]
    kept = sum(report.unchanged for report in reports)
    return ", ".join(told) + (f" ({kept} unchanged since the last run)" if kept else "")


def line(report: Any) -> str:
    """One report in one line."""
    name = "/".join(part for part in (report.study, report.question, report.by) if part)
    return f"{report.status:8} {name}: {report.word or report.reason}{' (unchanged)' if report.unchanged else ''}"
