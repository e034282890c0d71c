"""`researchkit take`: a report's figures, tables, result, references and document, each as a file."""

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
