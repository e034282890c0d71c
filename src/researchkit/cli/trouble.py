"""`researchkit trouble`: what a message means, and what to do."""

from __future__ import annotations

import click


@click.command()
@click.argument("words", nargs=-1)
def trouble(words: tuple[str, ...]) -> None:
    """What an error means and what to do: all that we know of, or those that WORDS of a message resemble.

    Example: researchkit trouble "is no number"
    """
    from researchkit.trouble import catalogue, like

    click.echo(str(like(" ".join(words)) if words else catalogue()))
