"""`researchkit power`: how large a study in stages has to be, before there are data or after a first look at some."""

from __future__ import annotations

from pathlib import Path

import click

from researchkit.errors import ParameterError


@click.command()
@click.argument("study", type=click.Path(path_type=Path))
@click.argument("question")
@click.option("--units", default="8,12,16,24,36,48", show_default=True, help="Numbers of sites, wards or teams.")
@click.option("--times", type=int, help="How many times each is seen, the first before any start.")
@click.option("--rows", type=float, help="Rows (people, contacts) of a unit at each time.")
@click.option("--sd", type=float, help="Standard deviation of one row within a unit and time, in the outcome's unit.")
@click.option("--wander", type=float, help="Standard deviation of a unit's true mean from time to time.")
@click.option("--draws", type=int, default=1000, show_default=True, help="Simulated studies of each design and number.")
def power(
    study: Path,
    question: str,
    units: str,
    times: int | None,
    rows: float | None,
    sd: float | None,
    wander: float | None,
    draws: int,
) -> None:
    """The share of studies that would find the smallest effect that matters: cluster trial, stepped wedge, roll-out.

    What is not given is taken from the data of the study, where its question has a roll-out and they are at hand.

    Example: researchkit power data/mine support --times 6 --rows 25 --sd 13 --wander 2
    """
    from researchkit import power as sizes
    from researchkit.answer import answer_question
    from researchkit.study import load_study

    loaded = load_study(study)
    asked = loaded.question(question)
    many = numbers(units)
    if times is None or rows is None or sd is None or wander is None:
        if asked.rollout is None:
            raise ParameterError(
                f"This is for studies in stages (cluster trials, stepped wedges, roll-outs), and {question!r} has "
                "no `rollout` whose data could be looked at: give --times, --rows, --sd and --wander. What a plain "
                "comparison can find stands in its report, under “What could this study have seen?”."
            )
        spread, seen, usual = sizes.spread_of(answer_question(loaded, asked))
        times, rows = times or seen, rows or max(usual, 1.0)
        row = spread.row if sd is None else sd**2
        spread = sizes.Spread(row, spread.wander if wander is None else wander**2)
    else:
        spread = sizes.Spread(sd**2, wander**2)
    click.echo(str(sizes.planned(asked, spread, periods=times, rows=rows, units=many, draws=draws)))


def numbers(text: str) -> list[int]:
    """Whole numbers in a list with commas."""
    try:
        return [int(one) for one in text.split(",")]
    except ValueError:
        raise ParameterError(f"--units is {text!r}; write whole numbers with commas, as in 8,16,24.") from None
