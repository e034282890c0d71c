"""Simulated studies of what came of a rule: a series, a limit, a mix; how often their intervals hold the truth.

`python -m researchkit.calibrate.rules 2000` draws so many of each situation.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np

from researchkit.calibrate.studies import SEED
from researchkit.calibrate.tried import counted
from researchkit.calibrate.weighed import asks, drawn
from researchkit.estimators import estimate_sample
from researchkit.estimators.effect import Effect
from researchkit.parts import Question
from researchkit.sample import Sample
from researchkit.wording import typed

Made = tuple[Sample, Question, float]  # a study, what it asks, and its truth
JUMP = 0.3  # the truth of each series and at each limit, in points or, of shares, as a probability
COURSES = {  # of the outcome over the running column, -1 to 1
    "straight": lambda x: x,
    "bent": lambda x: x + np.sign(x) * x**2,
    "waves": lambda x: np.sin(4 * x),
}
LEVEL, GAIN = np.array([0.0, 1, 2, 3]), np.array([0.2, 0.3, 0.4, 0.5])  # by kind of case: without, and what is added
BEFORE, AFTER = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.1, 0.2, 0.3, 0.4])  # shares of the kinds on both sides


@dataclass(frozen=True)
class Series:
    """Times, of which the last 6 are after; how much an error stays until the next time; other units; the season."""

    times: int
    memory: float
    others: int = 3
    season: int = 0

    @property
    def id(self) -> str:
        season = f", season of {self.season}" if self.season else ""
        return f"series of {self.times} times, memory {typed(self.memory)}, {self.others} others{season}"

    def study(self, rng: np.random.Generator) -> Made:
        units = self.others + 1
        error = rng.normal(size=(units, self.times + 60))
        for place in range(1, error.shape[1]):
            error[:, place] += self.memory * error[:, place - 1]
        unit, time = np.mgrid[0:units, 0 : self.times]
        on = (unit == 0) & (time >= self.times - 6)
        rise = 0.5 if self.season else 0.0
        season = rise * (time % max(self.season, 1)) * (unit == 0)  # only the treated unit has it
        outcome = error[:, 60:] + unit + 0.1 * time * (1 + (unit == 0)) + season + JUMP * on
        more = {"time": time.ravel().astype(float), "unit": unit.ravel().astype(float)}
        told: dict[str, Any] = {"time": "time", "unit": "unit"} | ({"season": self.season} if self.season else {})
        return drawn(outcome.ravel(), on.ravel().astype(float), more), asks(series=told), JUMP


@dataclass(frozen=True)
class Limit:
    """Rows, the course of the outcome, whether only some beyond the limit are treated, clusters, shares or scores."""

    n: int
    course: str
    fuzzy: bool = False
    clusters: int = 0
    yes_no: bool = False

    @property
    def id(self) -> str:
        kind = f"{'fuzzy ' if self.fuzzy else ''}limit, {'shares' if self.yes_no else 'scores'}"
        where = f", {self.clusters} clusters" if self.clusters else ""
        return f"{kind} of {self.n} people{where}, course {self.course}"

    def study(self, rng: np.random.Generator) -> Made:
        x = rng.uniform(-1, 1, self.n)
        got = rng.random(self.n) < np.where(x >= 0, 0.9, 0.1) if self.fuzzy else x >= 0
        code = rng.integers(0, self.clusters, self.n) if self.clusters else None
        shared = rng.normal(0, 0.15, self.clusters)[code] if self.clusters else 0.0
        if self.yes_no:
            outcome = (rng.random(self.n) < 0.35 + 0.15 * COURSES[self.course](x) + JUMP * got).astype(float)
        else:
            outcome = COURSES[self.course](x) + JUMP * got + shared + rng.normal(0, 0.3, self.n)
        sample = drawn(outcome, got.astype(float), {"x": x}, cluster=code)
        return sample, asks("yes_no" if self.yes_no else "score", limit={"running": "x", "at": 0}), JUMP


@dataclass(frozen=True)
class Mix:
    """Cases, of four kinds whose shares differ between the sides, and clusters."""

    n: int
    kind: str = "score"
    clusters: int = 0

    @property
    def id(self) -> str:
        where = f" in {self.clusters} clusters" if self.clusters else ""
        return f"mix, {self.kind}, {self.n} cases{where}"

    def study(self, rng: np.random.Generator) -> Made:
        side = rng.random(self.n) < 0.5
        kinds = np.where(side, rng.choice(4, self.n, p=AFTER), rng.choice(4, self.n, p=BEFORE))
        code = rng.integers(0, self.clusters, self.n) if self.clusters else None
        shared = rng.normal(0, 0.4, self.clusters)[code] if self.clusters else 0.0
        mean = LEVEL[kinds] + GAIN[kinds] * side
        truth = float(GAIN @ (BEFORE + AFTER) / 2)
        if self.kind == "yes_no":
            outcome, truth = (rng.random(self.n) < 0.2 + 0.2 * mean).astype(float), 0.2 * truth
        elif self.kind == "counts":
            outcome = rng.poisson(mean + 0.5).astype(float)
        else:
            outcome = mean + shared + rng.normal(size=self.n)
        sample = drawn(outcome, side.astype(float), {"topic": kinds.astype(float)}, cluster=code)
        return sample, asks(self.kind, mix={"of": ["topic"]}), truth


Situation = Series | Limit | Mix
SITUATIONS: tuple[Situation, ...] = (
    Series(16, 0.5),
    Series(16, 0.0),
    Series(32, 0.0, others=0),
    Series(32, 0.5),
    Series(60, 0.7),
    Series(48, 0.3, season=4),
    Limit(500, "straight"),
    Limit(500, "bent"),
    Limit(500, "waves"),
    Limit(2000, "waves", clusters=40),
    Limit(1000, "straight", fuzzy=True),
    Limit(2000, "bent", fuzzy=True),
    Limit(1000, "straight", yes_no=True),
    Mix(400),
    Mix(400, clusters=20),
    Mix(400, "yes_no"),
    Mix(400, "counts"),
)


def held(situation: Situation, studies: int) -> dict[str, float]:
    """Of so many studies: the share whose interval holds the truth, that find an effect, and that are refused."""

    def one(number: int) -> tuple[Callable[[], Effect], float]:
        rng = np.random.default_rng([SEED, crc32(situation.id.encode()), number])
        sample, asked, truth = situation.study(rng)
        return (lambda: estimate_sample(sample, asked)), truth

    return counted(studies, one)


if __name__ == "__main__":
    for one in SITUATIONS:
        print(one.id, held(one, int(sys.argv[1]) if sys.argv[1:] else 400), flush=True)
