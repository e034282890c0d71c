"""How large a study in stages has to be, by simulation before it: a cluster trial, a stepped wedge, a roll-out.

Many studies are drawn as means of cells (unit by time), answered by the estimator of a roll-out, and counted: the share
that would find the smallest effect that matters. How alike people of one unit are, and how a unit wanders from time to
time, is taken from data at hand, or given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit import wording
from researchkit.errors import ParameterError
from researchkit.estimators.effect import Matrix, Vector
from researchkit.estimators.panel import Panel, design_of, told, within
from researchkit.estimators.rollout import lay_out
from researchkit.estimators.stagger import Contrasts, contrasts
from researchkit.progress import steps
from researchkit.tables import Prose, Table, frame

if TYPE_CHECKING:
    from researchkit.answer import Answer
    from researchkit.parts import Question

SEED, DRAWS = 20251101, 300
UNITS = (8, 12, 16, 24, 36, 48)
DESIGNS = ("cluster trial", "stepped wedge", "roll-out")


@dataclass(frozen=True)
class Spread:
    """Variances of the outcome: of one row within a cell, and of a unit's means from time to time (`wander`).

    Lasting differences between units cancel, for each is compared with itself.
    """

    row: float
    wander: float


@dataclass(frozen=True)
class Power:
    """The share of `draws` simulated studies whose interval excluded no effect, and their mean standard error."""

    share: float
    se: float
    draws: int


def starts(design: str, units: int, periods: int) -> NDArray[np.int64]:
    """The place of each unit's first treated period; `periods` where it never comes.

    In a cluster trial half begin at once in the middle and half never; in a stepped wedge as many begin at each time,
    until all have; in a roll-out a quarter never begin, the rest at a third, a half and two thirds of the time.
    """
    if design not in DESIGNS:
        raise ParameterError(f"There is no design {design!r}; there are {', '.join(DESIGNS)}.")
    place = np.arange(units)
    if design == "cluster trial":
        return np.where(place < units // 2, max(1, periods // 2), periods)
    if design == "stepped wedge":
        return 1 + place * (periods - 1) // units
    at = np.array([max(1, periods // 3), max(1, periods // 2), max(1, 2 * periods // 3), periods])
    return at[place % 4]


def power(
    design: str, *, units: int, periods: int, rows: float, effect: float, spread: Spread, draws: int = DRAWS
) -> Power:
    """The power of one design, were the effect the same for all and from the start on.

    Parameters
    ----------
    units, periods, rows
        How many units, times, and rows of a unit at each time.
    effect
        In the outcome's own unit.

    Raises
    ------
    ParameterError
        For a design that there is not, or numbers of which no comparison can be made.
    """
    if units < 4 or periods < 2 or rows < 1 or draws < 1:
        raise ParameterError("At least 4 units, 2 times, 1 row of each and 1 draw are needed.")
    if spread.row < 0 or spread.wander < 0 or spread.row + spread.wander == 0:
        raise ParameterError("Variances are not below 0, and not all 0.")
    begins = starts(design, units, periods)
    rng = np.random.default_rng([SEED, units, periods, DESIGNS.index(design)])
    deviation = np.sqrt(spread.wander + spread.row / rows)
    means = rng.normal(0, deviation, (draws, units, periods)) + effect * (np.arange(periods) >= begins[:, None])
    shape = np.full((units, periods), float(rows))
    names = tuple(map(str, range(units)))
    cells = Panel(
        means,
        shape,
        np.ones(units),
        begins,
        np.arange(units),
        names,
        tuple(map(str, range(periods))),
        np.zeros((units, 1, 1)),
    )
    estimate, se, df = every(cells, contrasts(cells, before="all"))
    from scipy import special

    found = np.abs(estimate) > special.stdtrit(df, 0.975) * se
    return Power(float(np.mean(found)), float(np.mean(se)), draws)


def every(cells: Panel, found: Contrasts) -> tuple[Vector, Vector, float]:
    """Estimate and standard error (D,) of each of the D studies that `values` holds, with the same degrees of freedom.

    As `stagger.Combined`, for one unit a cluster and no covariates.
    """
    from researchkit.estimators.stagger import judged

    after = found.event >= 0
    one, other, change = found.treated[after], found.compared[after], found.change[:, after]
    mass, rest = one.sum(axis=1), other.sum(axis=1)
    share = mass / mass.sum()
    each = np.einsum("ku,zku->zk", one / mass[:, None] - other / rest[:, None], change)
    estimate = each @ share
    stays = (mass[:, None] > one) & (rest[:, None] > other)  # (K, U) what is left without each unit
    less, less_rest = (np.where(stays, total[:, None] - part, 1.0) for total, part in ((mass, one), (rest, other)))
    sums = [np.einsum("ku,zku->zk", side, change)[:, :, None] - side * change for side in (one, other)]
    left = sums[0] / less - sums[1] / less_rest
    weight = np.where(stays, mass[:, None] - one, 0.0)
    without = (weight * left).sum(axis=1) / weight.sum(axis=0)
    units = len(cells.units)
    se = np.sqrt((units - 1) / units * ((without - estimate[:, None]) ** 2).sum(axis=1))
    moves = np.eye(len(cells.periods))[found.period[after]] - found.base[after]
    loads: Matrix = ((one / mass[:, None] - other / rest[:, None]) * share[:, None]).T @ moves
    return estimate, se, judged(float(estimate[0]), without[0], loads, cells.cluster).df


def spread_of(answer: Answer) -> tuple[Spread, int, float]:
    """The variances behind an answer about a roll-out, its number of times, and its usual rows of a unit at each.

    From untreated cells: what is left of their means when levels of units and of times are taken out, less what is due
    to the rows within.
    """
    laid, question = lay_out(answer.sample, answer.question), answer.question
    design = design_of(question)
    cells = laid.cells
    unit, time = (np.unique(answer.sample.more[name], return_inverse=True)[1] for name in (design.unit, design.time))
    worth, mass = told(answer.sample, question)
    own = worth - cells.values[0][unit, time]
    many = int((cells.rows > 0).sum())
    row = float(mass @ own**2 / mass.sum() * len(worth) / max(len(worth) - many, 1)) if len(worth) > many else 0.0
    usual = float(np.median(cells.rows[cells.rows > 0]))
    free = ~cells.treated & (cells.rows > 0)
    means, at = cells.values[0][free], np.nonzero(free)
    rest = within(means, np.ones(len(means)), at[0].astype(np.int64), at[1].astype(np.int64))
    lost = len(np.unique(at[0])) + len(np.unique(at[1])) - 1
    between = float(rest @ rest / max(len(rest) - lost, 1))
    return Spread(row, max(between - row / usual, 0.0 if row else between)), len(cells.periods), usual


def table(answer: Answer, units: Sequence[int] = UNITS, draws: int = DRAWS) -> Table | Prose:
    """How many units a further study would need to find the smallest effect that matters, by its design."""
    if answer.question.rollout is None:
        return Prose(("How large an effect this study could have seen stands above, among the attacks (design).",))
    spread, periods, usual = spread_of(answer)
    note = "How units wander is taken from those here that had not started."
    return planned(answer.question, spread, periods=periods, rows=max(usual, 1.0), units=units, draws=draws, note=note)


def planned(
    question: Question,
    spread: Spread,
    *,
    periods: int,
    rows: float,
    units: Sequence[int] = UNITS,
    draws: int = DRAWS,
    note: str = "",
) -> Table:
    """The power of each design for the smallest effect that matters to a question, before there are any data.

    Raises
    ------
    ParameterError
        As `power`.
    """
    effect, outcome = question.smallest_effect, question.outcome
    told = []
    with steps("simulated studies", len(units) * len(DESIGNS)) as done:
        for many in units:
            line: dict[str, object] = {"Units": wording.count(many)}
            for design in DESIGNS:
                found = power(design, units=many, periods=periods, rows=rows, effect=effect, spread=spread, draws=draws)
                line[wording.capital(design)] = wording.percent(found.share, 0)
                done()
            told.append(line)
    share = outcome.kind in ("yes_no", "ordered") and not outcome.nps
    scale, unit = wording.scale("probability" if share else outcome.unit or "units")
    least = wording.number(scale * effect)
    words = (
        f"Share of {wording.count(draws)} simulated studies each that would find an effect of {least} "
        f"{wording.units(unit, least)}, the smallest that matters, with {wording.count(periods)} times and "
        f"{wording.number(rows)} rows of a unit at each. 80 % is the usual aim. {note}"
    )
    return frame(pd.DataFrame(told), "How many units a further study would need", words.strip())
