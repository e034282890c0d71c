"""One simulated study of a cell: its sample, and the true effect among exactly these people.

Everybody gets a piece of luck, uniform on (0, 1), and people of one cluster get similar luck (a normal copula). The
outcome is the quantile of its model at that luck. So the model holds for everyone whatever the clusters do, and the
truth that an interval is promised for, the effect standardised over the people of the sample, has a closed form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy import special

from researchkit.calibrate.cells import Cell
from researchkit.parts import Question
from researchkit.sample import Sample

SEED = 20251101
ALIKE = 0.1  # correlation of the luck, as a normal deviate, of two people of one cluster
UNEQUAL = 0.7  # spread of the logarithm of cluster sizes: with 8 clusters the largest is 9 times the smallest
HALF, FEW = 0.0, -1.7  # log odds of a 0/1 exposure: one person in two, about one in six
NEED_MOVES_EXPOSURE, NEED_MOVES_OUTCOME, CLUSTER_MOVES_EXPOSURE = 0.5, 0.4, 0.5
SKEW = {"skewed": 0.6, "heavy": 1.0}  # spread of the logarithm of errors: skewness 2.3 and 6.2
FANS_OUT = {"uneven": 0.3, "heavy": 0.3}  # by how much the logarithm of errors' spread grows with the exposure
HORIZON = 1.0
BASE = {  # log odds, log rate or log hazard of people at 0
    ("yes_no", "plain"): 0.0,
    ("yes_no", "rare"): -3.2,
    ("share", "plain"): 0.0,
    ("share", "rare"): -1.9,
    ("nps", "plain"): 0.0,
    ("nps", "rare"): -1.9,
    ("counts", "plain"): 0.4,
    ("counts", "skewed"): 0.4,
    ("counts", "rare"): -2.5,
    ("duration", "plain"): 0.0,
    ("duration", "skewed"): 0.0,
    ("duration", "rare"): -2.6,
    ("competing", "plain"): -0.5,
    ("competing", "skewed"): -0.5,
    ("competing", "rare"): -2.6,
}
CUTS = {  # log odds of an answer at or below each step, for people at 0
    "share": (-1.5, -0.5, 0.4, 1.3),  # five answers; the last is the top
    "nps": (-3.5, -3.2, -2.9, -2.5, -2.1, -1.6, -1.0, -0.4, 0.4, 1.2),  # 0 to 10
}
OTHER_END = -0.5  # log hazard of the competing end
OUTCOMES: dict[str, dict[str, Any]] = {
    "change": {"baseline": "before"},
    "share": {"kind": "ordered", "top": ["5"]},
    "nps": {"kind": "ordered", "nps": True},
    "counts": {"time": "years"},
    "duration": {"event": "happened", "horizon": HORIZON},
    "competing": {"kind": "duration", "event": "happened", "competing": ["2"], "horizon": HORIZON},
}

Vector = NDArray[np.float64]
Expectation = Callable[[Vector], Vector]  # everybody's expected outcome at some exposure


@dataclass(frozen=True)
class Study:
    """A sample, and the truth that its interval should hold."""

    sample: Sample
    truth: float


@dataclass(frozen=True)
class World:
    """What stands before any outcome: covariate, exposure, two pieces of luck each (n,), and codes of clusters."""

    need: Vector
    exposure: Vector
    luck: Vector
    other_luck: Vector
    cluster: NDArray[np.int64] | None
    cell: Cell
    rng: np.random.Generator

    def linear(self, exposure: Vector, effect: float | None = None) -> Vector:
        """Log odds, log rates or log hazards at an exposure, before the base."""
        size = self.cell.effect if effect is None else effect
        return NEED_MOVES_OUTCOME * self.need + size * exposure

    def difference(self, expected: Expectation, step: float = 1e-4) -> Vector:
        """What the exposure does to each person's expectation; by `step` around it where it is a number."""
        if self.cell.exposure == "number":
            return (expected(self.exposure + step / 2) - expected(self.exposure - step / 2)) / step
        return expected(np.ones_like(self.need)) - expected(np.zeros_like(self.need))


def study(cell: Cell, number: int) -> Study:
    """Study `number` of a cell: the same whenever, and in whatever order, it is drawn."""
    world = _world(cell, np.random.default_rng([SEED, crc32(cell.id.encode()), number]))
    truth, drawn = _DRAWS[cell.kind](world)
    return Study(_sample(world, drawn), truth)


@cache
def question(kind: str) -> Question:
    """The question that a study of a kind answers."""
    outcome = {"column": "outcome", "kind": kind} | OUTCOMES.get(kind, {})
    told = {"id": "q", "title": "Does it?", "claim": "BUR-1", "exposure": "care", "adjust": ["need"]}
    return Question.model_validate(told | {"outcome": outcome, "smallest_effect": 1.0})


def _world(cell: Cell, rng: np.random.Generator) -> World:
    code = _clusters(cell, rng) if cell.clusters else None
    need = _alike(rng, cell.n, code)
    luck, other = (special.ndtr(_alike(rng, cell.n, code)) for _ in range(2))
    return World(need, _exposure(cell, rng, need, code), luck, other, code, cell, rng)


def _clusters(cell: Cell, rng: np.random.Generator) -> NDArray[np.int64]:
    """Codes (n,) of clusters of unequal size; which of them is large differs from study to study."""
    size = np.exp(UNEQUAL * special.ndtri((np.arange(cell.clusters) + 0.5) / cell.clusters))
    edges = np.floor(np.cumsum(rng.permutation(size)) / size.sum() * cell.n + 1e-9).astype(np.int64)
    return np.repeat(np.arange(cell.clusters), np.diff(edges, prepend=0))


def _alike(rng: np.random.Generator, n: int, code: NDArray[np.int64] | None) -> Vector:
    """Standard normal (n,), correlated within clusters."""
    own = rng.standard_normal(n)
    if code is None:
        return own
    return np.sqrt(ALIKE) * rng.standard_normal(int(code.max()) + 1)[code] + np.sqrt(1 - ALIKE) * own


def _exposure(cell: Cell, rng: np.random.Generator, need: Vector, code: NDArray[np.int64] | None) -> Vector:
    if code is not None and cell.across == "between":
        if cell.exposure == "number":
            return rng.standard_normal(cell.clusters)[code]
        treated = cell.clusters // (2 if cell.exposure == "half" else 4)
        return (rng.permutation(cell.clusters) < treated)[code].astype(float)
    leaning = NEED_MOVES_EXPOSURE * need
    if code is not None:
        leaning = leaning + CLUSTER_MOVES_EXPOSURE * rng.standard_normal(cell.clusters)[code]
    if cell.exposure == "number":
        return leaning + rng.standard_normal(cell.n)
    base = HALF if cell.exposure == "half" else FEW
    return (rng.random(cell.n) < special.expit(base + leaning)).astype(float)


def _sample(world: World, drawn: dict[str, Any]) -> Sample:
    """A sample as `dataset.sample` makes it, from what a kind has drawn; what no kind has stays None."""
    n = world.cell.n
    values: dict[str, Any] = dict.fromkeys(field.name for field in fields(Sample))
    values |= {"levels": (), "level_values": (), "level_codes": (), "flow": (), "rows": n, "people": n}
    values |= {"exposure": world.exposure, "exposure_name": "care", "contrast": "care +1 point"}
    values |= {"covariates": world.need[:, None], "names": ("need",), "groups": ("need",)}
    values |= {"binary_exposure": world.cell.exposure != "number", "cluster": world.cluster}
    values |= {"cluster_name": None if world.cluster is None else "team"}
    return Sample(**(values | drawn))


def _errors(world: World) -> Vector:
    """Errors (n,) with mean 0: normal or log-normal, as wide for everybody or wider with the exposure."""
    errors, shape = special.ndtri(world.luck), world.cell.shape
    if shape in SKEW:
        square = SKEW[shape] ** 2
        errors = (np.exp(SKEW[shape] * errors) - np.exp(square / 2)) / np.sqrt(np.expm1(square) * np.exp(square))
    return np.asarray(errors * np.exp(FANS_OUT.get(shape, 0.0) * world.exposure))


def _score(world: World) -> tuple[float, dict[str, Any]]:
    return world.cell.effect, {"outcome": world.linear(world.exposure) + _errors(world)}


def _change(world: World) -> tuple[float, dict[str, Any]]:
    before = 0.5 * world.need + world.rng.standard_normal(world.cell.n)
    after = 0.6 * before + world.linear(world.exposure) + _errors(world)
    return world.cell.effect, {"outcome": after, "baseline": before}


def _yes_no(world: World) -> tuple[float, dict[str, Any]]:
    def risk(exposure: Vector) -> Vector:
        return np.asarray(special.expit(BASE["yes_no", world.cell.shape] + world.linear(exposure)))

    yes = (1 - world.luck < risk(world.exposure)).astype(float)
    return float(world.difference(risk).mean()), {"outcome": yes}


def _ordered(world: World) -> tuple[float, dict[str, Any]]:
    kind, shape = world.cell.kind, world.cell.shape
    cuts = np.array(CUTS[kind]) - BASE[kind, shape]

    def worth(exposure: Vector) -> Vector:
        above = special.expit(world.linear(exposure)[:, None] - cuts)
        return np.asarray(100 * (above[:, 8] + above[:, 6] - 1) if kind == "nps" else above[:, -1])

    answer = np.searchsorted(cuts, world.linear(world.exposure) + special.logit(world.luck)).astype(float)
    values = tuple(float(place + (kind == "share")) for place in range(len(cuts) + 1))
    names = tuple(str(int(value)) for value in values)
    drawn = {"outcome": answer, "levels": names, "level_values": values, "level_codes": names}
    return float(world.difference(worth).mean()), drawn


def _counts(world: World) -> tuple[float, dict[str, Any]]:
    cell, rng = world.cell, world.rng
    years = rng.uniform(0.5, 2.0, cell.n)
    # Skewed: everybody's own rate is the expected one times a gamma variable of mean 1 and variance 1.
    own = rng.gamma(1.0, 1.0, cell.n) if cell.shape == "skewed" else 1.0

    def rate(exposure: Vector) -> Vector:
        return np.exp(BASE["counts", cell.shape] + world.linear(exposure))

    events = _poisson(rate(world.exposure) * own * years, world.luck)
    return float(world.difference(rate) @ years / years.sum()), {"outcome": events, "offset_time": years}


def _poisson(mean: Vector, luck: Vector) -> Vector:
    """Quantiles (n,) of Poisson variables."""
    events, chance = np.zeros_like(mean), np.exp(-mean)
    below = chance.copy()
    while (short := (below < luck) & (chance > 1e-300)).any():
        events = events + short
        chance = chance * mean / np.maximum(events, 1)
        below = np.where(short, below + chance, below)
    return events


def _duration(world: World) -> tuple[float, dict[str, Any]]:
    cell = world.cell
    shape = 0.7 if cell.shape == "skewed" else 1.0  # Weibull; 1 is exponential
    competing = cell.kind == "competing"

    def hazards(exposure: Vector) -> tuple[Vector, Vector]:
        other = np.exp(OTHER_END + world.linear(exposure, -cell.effect / 2)) if competing else np.zeros_like(exposure)
        return np.exp(BASE[cell.kind, cell.shape] + world.linear(exposure)), other

    def free(exposure: Vector) -> Vector:
        event, other = hazards(exposure)
        return HORIZON - event / (event + other) * (HORIZON - _mean_time(event + other, shape))

    event, other = hazards(world.exposure)
    with np.errstate(divide="ignore"):
        first, second = (
            (-np.log(luck) / hazard) ** (1 / shape) for luck, hazard in ((world.luck, event), (world.other_luck, other))
        )
    watched = world.rng.uniform(0.5, 2.5, cell.n)
    time = np.minimum(np.minimum(first, second), watched)
    code = np.where(time == watched, 0.0, np.where(first < second, 1.0, 2.0))
    return float(world.difference(free, 1.0).mean()), {"outcome": time, "event": code}


def _mean_time(hazard: Vector, shape: float) -> Vector:
    """Area up to the horizon under exp(-hazard t^shape)."""
    power = 1 / shape
    part = special.gammainc(power, hazard * HORIZON**shape)
    return np.asarray(special.gamma(power) * part * power * hazard**-power)


_DRAWS: dict[str, Callable[[World], tuple[float, dict[str, Any]]]] = {
    "score": _score,
    "change": _change,
    "yes_no": _yes_no,
    "share": _ordered,
    "nps": _ordered,
    "counts": _counts,
    "duration": _duration,
    "competing": _duration,
}
