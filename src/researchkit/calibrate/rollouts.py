"""Simulated roll-outs: how often the interval of the average effect holds the truth.

Apart from the grid of `cells`, for a roll-out has units and times where a plain study has rows. To see them all:
`python -m researchkit.calibrate.rollouts 1000`. Of 1,000 studies each, 94.4 to 97.6 % of the intervals held the truth,
and 98.9 % in a wedge of six units: the jackknife errs on the wide side where hardly anything is left without one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any
from zlib import crc32

import numpy as np

from researchkit.calibrate.studies import SEED
from researchkit.calibrate.tried import counted
from researchkit.estimators.effect import Effect
from researchkit.estimators.rollout import rollout
from researchkit.parts import Question
from researchkit.sample import Sample

Starts = tuple[tuple[int, int], ...]  # first treated time (99: never), how many units
APART, WANDER = 0.6, 0.3  # standard deviations of units, and of a unit from time to time; that of a row is 1


@dataclass(frozen=True)
class Situation:
    """Who starts when over how many times, rows of a unit at each, and what makes it hard.

    `grows` adds to the effect of 0.3 at each further time; `lasting` is how much of a unit's wandering stays until the
    next time; `unequal` the spread of the logarithm of units' sizes; `need` a cause that differs between cells.
    """

    name: str
    periods: int
    rows: int
    starts: Starts
    before: str = "last"
    comparison: str = "not yet"
    effect: float = 0.3
    grows: float = 0.0
    lasting: float = 0.0
    unequal: float = 0.0
    need: bool = False
    yes_no: bool = False

    @property
    def units(self) -> int:
        return sum(number for _, number in self.starts)

    @property
    def id(self) -> str:
        return f"rollout-{self.name}-{self.units}-units"


WEDGE = tuple((time, 2) for time in range(1, 7))
FOURS = ((4, 6), (6, 6), (8, 6), (99, 6))
SITUATIONS = (
    Situation("plain", 12, 12, FOURS),
    Situation("nothing", 12, 12, FOURS, effect=0.0, before="all"),
    Situation("never", 12, 12, FOURS, comparison="never"),
    Situation("growing", 12, 12, FOURS, grows=0.1),
    Situation("lasting", 12, 12, FOURS, lasting=0.8),
    Situation("unequal", 12, 12, FOURS, unequal=0.6),
    Situation("adjusted", 12, 12, FOURS, before="all", need=True),
    Situation("shares", 12, 12, FOURS, before="all", yes_no=True),
    Situation("panel", 8, 1, ((3, 15), (5, 15), (99, 30))),
    Situation("wedge", 7, 10, WEDGE, before="all"),
    Situation("wedge", 7, 10, tuple((time, 1) for time in range(1, 7)), before="all"),
    Situation("wedge", 6, 10, tuple((time, 6) for time in range(1, 6)), before="all", effect=0.0),
    Situation("few", 6, 20, ((3, 2), (99, 6))),
    Situation("few", 8, 20, ((4, 3), (99, 17))),
    Situation("two", 6, 20, ((3, 5), (99, 5)), before="all"),
)


def study(situation: Situation, number: int) -> tuple[Sample, float]:
    """Study `number` of a situation and its truth: the mean effect over all started rows that can be compared."""
    rng = np.random.default_rng([SEED, crc32(repr(situation).encode()), number])
    units, periods = situation.units, situation.periods
    start = rng.permutation(np.repeat([at for at, _ in situation.starts], [many for _, many in situation.starts]))
    size = np.maximum(situation.rows * np.exp(situation.unequal * rng.standard_normal((units, 1))), 1)
    many = (
        np.maximum(rng.poisson(np.broadcast_to(size, (units, periods))), 1) if situation.rows > 1 else size.astype(int)
    )
    many = np.broadcast_to(many, (units, periods))
    unit, time = (np.repeat(part.ravel(), many.ravel()) for part in np.mgrid[0:units, 0:periods])
    wander = rng.standard_normal((units, periods))
    for place in range(1, periods):
        stays = situation.lasting
        wander[:, place] = stays * wander[:, place - 1] + np.sqrt(1 - stays**2) * wander[:, place]
    since = time - start[unit]
    effect = np.where(since >= 0, situation.effect + situation.grows * np.maximum(since, 0), 0.0)
    need = rng.standard_normal(len(unit)) + rng.normal(0, 0.5, (units, periods))[unit, time]
    level = APART * rng.standard_normal(units)[unit] + 0.2 * rng.standard_normal(periods)[time]
    mean = level + WANDER * wander[unit, time] + effect + (0.5 * need if situation.need else 0.0)
    outcome = mean + rng.standard_normal(len(unit))
    if situation.yes_no:
        outcome = (rng.random(len(unit)) < np.clip(0.4 + 0.2 * mean, 0.02, 0.98)).astype(float)
        effect = 0.2 * effect
    alone = start[start < 99].max() if (start < 99).all() else 99  # from then on nobody is left to compare with
    told = (since >= 0) & (time < alone)
    values: dict[str, Any] = dict.fromkeys(field.name for field in fields(Sample))
    values |= {"levels": (), "level_values": (), "level_codes": (), "flow": (), "quiet": False}
    values |= {"rows": len(unit), "people": len(unit), "exposure": (since >= 0).astype(float), "outcome": outcome}
    values |= {"exposure_name": "trained", "contrast": "trained against not yet", "binary_exposure": True}
    values |= {"covariates": need[:, None], "names": ("need",), "groups": ("need",)}
    if not situation.need:
        values |= {"covariates": np.empty((len(unit), 0)), "names": (), "groups": ()}
    first = np.where(start < 99, start, np.nan)[unit]
    values |= {"more": {"site": unit.astype(float), "month": time.astype(float), "began": first}}
    return Sample(**values), float(effect[told].mean())


def question(situation: Situation) -> Question:
    """The question that such a study answers."""
    design = {"unit": "site", "time": "month", "start": "began"}
    design |= {"before": situation.before, "comparison": situation.comparison}
    told: dict[str, Any] = {"id": "q", "title": "Does it?", "claim": "PRA-2", "exposure": "trained", "rollout": design}
    told |= {"adjust": ["need"] if situation.need else [], "smallest_effect": 0.1}
    return Question.model_validate(
        told | {"outcome": {"column": "y", "kind": "yes_no" if situation.yes_no else "score"}}
    )


def held(situation: Situation, studies: int) -> dict[str, float]:
    """Of so many studies: the share whose interval holds the truth, that find an effect, and that are refused."""
    asked = question(situation)

    def one(number: int) -> tuple[Callable[[], Effect], float]:
        sample, truth = study(situation, number)
        return (lambda: rollout(sample, asked)), truth

    return counted(studies, one)


if __name__ == "__main__":
    for one in SITUATIONS:
        print(one.id, held(one, int(sys.argv[1]) if sys.argv[1:] else 400), flush=True)
