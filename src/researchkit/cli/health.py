"""`researchkit doctor`: what a newcomer stumbles over, each with its mend."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
@click.option("--report/--no-report", default=True, help="Make a small report as the last proof (a few seconds).")
@click.pass_context
def doctor(ctx: click.Context, out: Path, report: bool) -> None:
    """Will reports come out on this machine? Every finding with its mend.

    Example: researchkit doctor
    """
    from researchkit.doctor import findings

    bad = 0
    for one in findings(out, report=report):
        bad += not (one.ok or one.warning)
        click.echo(f"{'ok' if one.ok else 'note' if one.warning else 'wrong':6} {one.what}: {one.words}")
        if one.mend:
            click.echo(f"       {one.mend}")
    click.echo("Reports will come out." if not bad else f"To mend: {bad}.")
    ctx.exit(1 if bad else 0)
