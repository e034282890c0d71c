"""`researchkit take`: the parts of a report as files; `researchkit share`: all reports as others may have them."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("report", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="A new folder; taken/STUDY-QUESTION when left out.")
@click.option("--docx/--no-docx", default=None, help="Whether to write a document; where one can be, if left out.")
def take(report: Path, out: Path | None, docx: bool | None) -> None:
    """Take a finished REPORT along: figures as SVG and PNG, tables as CSV, result, BibTeX, and a document.

    Example: researchkit take reports/contact_centre/retention --out for_the_paper
    """
    from researchkit import hands

    taken = hands.take(report, out, docx=docx)
    for name in taken.files:
        click.echo(f"{taken.folder}/{name}")
    for note in taken.notes:
        click.echo(note, err=True)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--reports", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
def share(folder: Path, reports: Path) -> None:
    """Copy all reports to a new FOLDER as other people may have them: pages and what they link to.

    Executed notebooks, what runs keep for the next, and what is yours alone (.internal) stay.

    Example: researchkit share for_the_board
    """
    from researchkit import hands, wording

    shared = hands.share(reports, folder)
    pages = sum(name.endswith(".html") for name in shared.files)
    rest = len(shared.files) - pages
    click.echo(
        f"Copied to {shared.folder}: pages {wording.count(pages)}, tables and results {wording.count(rest)}. "
        f"Not for others, and left in {reports}: {wording.count(shared.left)}. Begin at {shared.folder}/index.html."
    )
