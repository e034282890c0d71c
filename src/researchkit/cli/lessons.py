"""`researchkit lessons`: what there is to learn, and a copy of it to work in."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="Copy the lessons into this folder, to write answers in.")
def lessons(out: Path | None) -> None:
    """The lessons: half an hour to an hour each, with exercises that are checked.

    Copies never replace a file: your answers stay.

    Example: researchkit lessons --out my_lessons
    """
    from researchkit import learn

    if out is None:
        for name in learn.LESSONS:
            one = learn.lesson(name)
            click.echo(f"{one.number:02d}  {one.title:46}  {one.minutes} minutes")
            click.echo(f"    {one.idea}")
        click.echo("\nresearchkit lessons --out FOLDER copies them; jupyter lab FOLDER opens them.")
        return
    written, kept = learn.copy(out)
    for path in written:
        click.echo(path)
    for path in kept:
        click.echo(f"{path} is there already and left as it is.")
