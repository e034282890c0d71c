"""`researchkit lab`: JupyterLab, opened at the first notebook."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

FIRST = Path("notebooks") / "00_start_here.ipynb"
WORLDS = ("contact_centre", "hospital")  # what the notebooks are about as they stand


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def lab(options: tuple[str, ...]) -> None:
    """JupyterLab, opened at the first notebook; OPTIONS go on to `jupyter lab`.

    Started in another folder than the checkout, it puts the notebooks and the two simulated studies there first.
    Nothing is ever replaced.

    Example: researchkit lab --no-browser
    """
    home = settled()
    words = ["-m", "jupyter", "lab", str(home / FIRST), f"--ServerApp.root_dir={home}", *options]
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *words])  # noqa: S606 - our own interpreter


def settled() -> Path:
    """The folder to work in: the nearest one upward that has the notebooks, or else this one, with them put here."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FIRST).is_file():
            return folder
    from researchkit import learn
    from researchkit.errors import PlaceError
    from researchkit.report import notebooks_folder
    from researchkit.simulate import write_world

    try:
        (here / FIRST).parent.mkdir(exist_ok=True)
        for source in sorted(notebooks_folder().glob("[0-9]*.ipynb")):
            target = here / FIRST.parent / source.name
            if not target.exists():
                target.write_bytes(source.read_bytes())
    except OSError as error:
        raise PlaceError(
            f"The notebooks cannot be put into {here}: {error.strerror}. Start in a folder of yours."
        ) from None
    learn.copy(here / FIRST.parent / "lessons")
    for world in WORLDS:
        if not (here / "data" / world).exists():
            write_world(world, here / "data" / world)
    click.echo(f"The notebooks and two simulated studies are in {here}.")
    return here
