"""Simulated studies of a mechanism: how often the interval of the indirect effect holds the truth.

Apart from the grid of `cells`, for a mechanism has three columns where a plain study has two. To measure it:
`python -m researchkit.calibrate.mechanisms` (about ten minutes; of 2,000 studies each).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from typing import Any
from zlib import crc32

import numpy as np

from researchkit.calibrate.studies import SEED
from researchkit.calibrate.tried import counted
from researchkit.estimators.effect import Effect
from researchkit.estimators.mechanism import mechanism
from researchkit.parts import Question
from researchkit.sample import Sample
from researchkit.wording import typed

ALIKE = 0.1  # share of the variance of mediator and of outcome that lies between clusters
UNEQUAL = 0.5  # spread of the logarithm of cluster sizes


@dataclass(frozen=True)
class Situation:
    """Rows, clusters (0: none), where the exposure varies, both paths, and whether errors spread with the exposure.

    `across` is "" (rows), "within" (1-1-1), "between" (2-1-1) or "all between" (2-2-1).
    """

    n: int
    clusters: int
    across: str
    a: float
    b: float
    uneven: bool = False
    yes_no: bool = False

    @property
    def id(self) -> str:
        kind = f"{'yes-no' if self.yes_no else 'score'}{'-uneven' if self.uneven else ''}"
        across = self.across.replace(" ", "-") or "rows"
        return f"mechanism-n{self.n}-c{self.clusters}-{across}-a{typed(self.a)}-b{typed(self.b)}-{kind}"


SITUATIONS = (
    Situation(60, 0, "", 0.4, 0.4),
    Situation(60, 0, "", 0.0, 0.4),
    Situation(200, 0, "", 0.3, 0.2),
    Situation(200, 0, "", 0.3, 0.0, uneven=True),
    Situation(200, 0, "", 0.4, 0.3, uneven=True),
    Situation(400, 0, "", 0.3, 0.08, yes_no=True),
    Situation(1000, 0, "", 0.1, 0.1),
    Situation(240, 12, "within", 0.3, 0.3),
    Situation(400, 20, "within", 0.3, 0.3),
    Situation(400, 20, "within", 0.0, 0.3),
    Situation(240, 12, "between", 0.5, 0.6),
    Situation(400, 20, "between", 0.4, 0.5),
    Situation(400, 20, "between", 0.4, 0.0),
    Situation(600, 40, "between", 0.3, 0.4),
    Situation(600, 40, "all between", 0.4, 0.4),
    Situation(400, 20, "all between", 0.5, 0.5),
)


def study(situation: Situation, number: int) -> tuple[Sample, float]:
    """Study `number` of a situation and its true indirect effect; the same whenever it is drawn."""
    rng = np.random.default_rng([SEED, crc32(situation.id.encode()), number])
    n, groups = situation.n, situation.clusters
    code, at = None, np.arange(n)
    if groups:
        size = np.exp(UNEQUAL * rng.standard_normal(groups))
        code = np.sort(np.concatenate([np.arange(groups), rng.choice(groups, n - groups, p=size / size.sum())]))
        at = code
    units = groups or n

    def noise(level: str) -> Any:
        """Normal errors: of rows, with a part that a cluster shares, or of clusters alone."""
        shared = rng.standard_normal(units)[at]
        if level == "clusters" or not groups:
            return shared
        return np.sqrt(ALIKE) * shared + np.sqrt(1 - ALIKE) * rng.standard_normal(n)

    need = noise("rows")
    exposure = 0.4 * need + noise("rows") if situation.across in ("", "within") else rng.standard_normal(units)[at]
    wide = np.exp(0.3 * exposure) if situation.uneven else np.ones(n)
    own = noise("clusters" if situation.across == "all between" else "rows")
    led = 0.3 * need if situation.across != "all between" else 0.0
    mediator = situation.a * exposure + led + wide * own
    rest = 0.1 * exposure + 0.3 * need
    outcome = situation.b * mediator + rest + wide * noise("rows")
    if situation.yes_no:
        chance = np.clip(0.5 + situation.b * mediator + 0.1 * rest, 0.02, 0.98)
        outcome = (rng.random(n) < chance).astype(float)
    values: dict[str, Any] = dict.fromkeys(field.name for field in fields(Sample))
    values |= {"levels": (), "level_values": (), "level_codes": (), "flow": (), "rows": n, "people": n, "quiet": False}
    values |= {"exposure": exposure, "exposure_name": "care", "contrast": "care +1 point", "binary_exposure": False}
    values |= {"covariates": need[:, None], "names": ("need",), "groups": ("need",), "outcome": outcome}
    values |= {"cluster": code, "cluster_name": "team" if groups else None, "more": {"trust": mediator}}
    return Sample(**values), situation.a * situation.b


@cache
def question(kind: str) -> Question:
    """The question that such a study answers."""
    told = {"id": "q", "title": "Does it?", "claim": "MEC-1", "exposure": "care", "adjust": ["need"]}
    outcome = {"column": "outcome", "kind": kind}
    return Question.model_validate(
        told | {"outcome": outcome, "smallest_effect": 1.0, "mechanism": {"mediator": "trust"}}
    )


def held(situation: Situation, studies: int) -> dict[str, float]:
    """Of so many studies: the share whose interval holds the truth, that find an effect, and that are refused."""
    asked = question("yes_no" if situation.yes_no else "score")

    def one(number: int) -> tuple[Callable[[], Effect], float]:
        sample, truth = study(situation, number)
        return (lambda: mechanism(sample, asked)), truth

    return counted(studies, one)


if __name__ == "__main__":
    for one in SITUATIONS:
        print(one.id, held(one, 2_000), flush=True)
