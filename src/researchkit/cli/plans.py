"""`researchkit plan`: the plan of a study in words, and its lock."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from researchkit.study import Study


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.option(
    "--lock", is_flag=True, help="Lock it as it stands, beside the study file; later reports say what changed."
)
def plan(study: Path, lock: bool) -> None:
    """The analysis plan in words, for a register such as OSF or AsPredicted.

    Lock it before the data are looked at, and deposit the hash.

    Example: researchkit plan data/mine --lock
    """
    from researchkit import protocol
    from researchkit.study import load_study

    loaded = load_study(study)
    if lock:
        seal = protocol.lock(loaded, at_hand(loaded))
        click.echo(f"Locked in {protocol.place_of(loaded)}: {seal}\n")
    for line in protocol.text(loaded):
        click.echo(line)


def at_hand(study: Study) -> str:
    """What of the data can be read now, for nobody can say later that it could not."""
    from researchkit.sources import missing

    away = missing(study)
    return f"not at hand: {', '.join(away)}" if away else "the data were at hand"
