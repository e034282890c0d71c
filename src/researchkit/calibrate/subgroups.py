"""Simulated studies of an effect that differs, or bends: how often the interval of the difference holds the truth.

Apart from the grid of `cells`, for such a study has a moderator, or a curve. To measure it:
`python -m researchkit.calibrate.subgroups` (about ten minutes; of 1,000 studies each).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from researchkit.calibrate.studies import SEED
from researchkit.calibrate.tried import counted
from researchkit.estimators import estimate_sample
from researchkit.estimators.effect import Effect
from researchkit.parts import Question
from researchkit.sample import Sample
from researchkit.wording import typed

Vector = NDArray[np.float64]
SHARED, DIFFERS = 0.5, 0.3  # spread of clusters' means, and of their slopes
BENDS: dict[str, Callable[[Vector], Vector]] = {  # the outcome over a dose of 0 to 10, in points
    "straight": lambda dose: 0.5 * dose,
    "u": lambda dose: 0.25 * (dose - 5) ** 2,
    "flattens": lambda dose: 3 * np.log1p(dose),
    "steps up": lambda dose: 3 * expit(1.5 * (dose - 5)),
}
DOSES = (5.0, 8.0)  # compared; the upper one is near the end of the data


@dataclass(frozen=True)
class Situation:
    """Rows, clusters (0: none), what is asked, the kind of outcome, and by how much the effect differs.

    `asks` is "groups" (one in three in the second), "number" (between a standard deviation below and above), or a
    dose with one of the `BENDS`. Effects differ on the scale of the kind's model: points, log odds, log rate.
    """

    n: int
    clusters: int
    asks: str
    kind: str = "score"
    differs: float = 0.0

    @property
    def id(self) -> str:
        asks = self.asks.replace(" ", "-")
        return f"subgroup-n{self.n}-c{self.clusters}-{asks}-{self.kind}-{typed(self.differs)}"


SITUATIONS = (
    Situation(100, 0, "groups", "score", 0.5),
    Situation(400, 0, "groups", "score", 0.0),
    Situation(400, 20, "groups", "score", 0.3),
    Situation(240, 10, "groups", "score", 0.0),
    Situation(300, 0, "groups", "yes_no", 0.6),
    Situation(600, 20, "groups", "yes_no", 0.0),
    Situation(300, 0, "groups", "counts", 0.3),
    Situation(200, 0, "number", "score", 0.2),
    Situation(400, 20, "number", "score", 0.0),
    Situation(300, 0, "number", "yes_no", 0.3),
    *(Situation(500, 0, bend) for bend in BENDS),
    *(Situation(2000, 40, bend) for bend in BENDS),
)


def study(situation: Situation, number: int) -> tuple[Sample, Question, float]:
    """Study `number` of a situation, what it asks, and the truth among exactly these people."""
    rng = np.random.default_rng([SEED, crc32(situation.id.encode()), number])
    n = situation.n
    code = np.sort(rng.integers(0, situation.clusters, n)) if situation.clusters else None
    if situation.asks in BENDS:
        return bent(situation, rng, code)
    need = rng.standard_normal(n)
    coded = situation.asks == "groups"
    other = (rng.random(n) < 1 / 3).astype(float) if coded else rng.standard_normal(n)
    care = 0.5 * need + 0.4 * other + rng.standard_normal(n)

    def line(care: Vector, other: Vector) -> Vector:
        return np.asarray(0.3 * care + situation.differs * care * other + 0.3 * other + 0.4 * need)

    mean = {"score": lambda eta: eta, "yes_no": expit, "counts": np.exp}[situation.kind]
    shared = np.zeros(n)
    if code is not None:
        draws = rng.standard_normal((2, situation.clusters))[:, code]
        shared = SHARED * draws[0] + DIFFERS * draws[1] * (care if situation.kind == "score" else 0.0)
    eta = line(care, other) + (shared if situation.kind == "score" else 0.0)
    outcome = {
        "score": lambda: eta + np.exp(0.3 * other) * rng.standard_normal(n),
        "yes_no": lambda: (rng.random(n) < expit(eta)).astype(float),
        "counts": lambda: rng.poisson(np.exp(eta)).astype(float),
    }[situation.kind]()
    places = (0.0, 1.0) if coded else (-1.0, 1.0)
    step = 1e-4
    slopes = [
        float(np.mean(mean(line(care + step, np.full(n, at))) - mean(line(care - step, np.full(n, at)))) / (2 * step))
        for at in places
    ]
    moderator = np.array(["b" if one else "a" for one in other], dtype=object) if coded else other
    between = ["a", "b"] if coded else ["-1", "1"]
    told = sampled(outcome, care, code, {"other": moderator}, need)
    return told, question(situation.kind, subgroup={"by": "other", "between": between}), slopes[1] - slopes[0]


def bent(situation: Situation, rng: np.random.Generator, code: Any) -> tuple[Sample, Question, float]:
    """A study of a dose, written down in halves."""
    bend, need = BENDS[situation.asks], rng.standard_normal(situation.n)
    dose = np.clip(np.rint(2 * (5 + 1.8 * rng.standard_normal(situation.n) + 0.5 * need)) / 2, 0, 10)
    shared = 0.0 if code is None else SHARED * rng.standard_normal(situation.clusters)[code]
    outcome = bend(dose) + 0.4 * need + shared + 2 * rng.standard_normal(situation.n)
    first, second = bend(np.array(DOSES))
    return (
        sampled(outcome, dose, code, {}, need),
        question("score", dose={"between": list(DOSES)}),
        float(second - first),
    )


def sampled(outcome: Vector, exposure: Vector, code: Any, more: dict[str, Any], need: Vector) -> Sample:
    values: dict[str, Any] = dict.fromkeys(field.name for field in fields(Sample))
    n = len(outcome)
    values |= {"levels": (), "level_values": (), "level_codes": (), "flow": (), "rows": n, "people": n, "quiet": False}
    values |= {"exposure": exposure, "exposure_name": "care", "contrast": "care +1 point", "binary_exposure": False}
    values |= {"covariates": need[:, None], "names": ("need",), "groups": ("need",), "outcome": outcome, "more": more}
    return Sample(**(values | {"cluster": code, "cluster_name": None if code is None else "team"}))


def question(kind: str, **design: Any) -> Question:
    told = {"id": "q", "title": "Does it?", "claim": "CHA-1", "exposure": "care", "adjust": ["need"]}
    return Question.model_validate(
        {**told, "outcome": {"column": "outcome", "kind": kind}, "smallest_effect": 1.0} | design
    )


def held(situation: Situation, studies: int) -> dict[str, float]:
    """Of so many studies: the share whose interval holds the truth, that find a difference, and that are refused."""

    def one(number: int) -> tuple[Callable[[], Effect], float]:
        sample, asked, truth = study(situation, number)
        return (lambda: estimate_sample(sample, asked)), truth

    return counted(studies, one)


if __name__ == "__main__":
    for one in SITUATIONS:
        print(one.id, held(one, 1_000), flush=True)
