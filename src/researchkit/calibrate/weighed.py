"""Simulated studies for detection, trade-offs and recoveries: how often each of their intervals holds the truth.

`python -m researchkit.calibrate.weighed 2000` draws so many of each; the tests draw a few.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from researchkit.estimators import estimate_sample
from researchkit.estimators import recovery as three
from researchkit.estimators import tradeoff as both
from researchkit.parts import Question
from researchkit.sample import Sample

SEED = 20251104
AGENTS = 24
Rng = np.random.Generator
Held = dict[str, bool]


def drawn(outcome: Any, exposure: Any, more: dict[str, Any] | None = None, **given: Any) -> Sample:
    """A sample as `dataset.sample` makes it; what is not given stays None."""
    n = len(outcome)
    values: dict[str, Any] = dict.fromkeys(field.name for field in fields(Sample))
    values |= {"levels": (), "level_values": (), "level_codes": (), "flow": (), "rows": n, "people": n, "quiet": False}
    values |= {"outcome": outcome, "exposure": exposure, "exposure_name": "care", "contrast": "care +1 point"}
    values |= {"covariates": np.empty((n, 0)), "names": (), "groups": (), "more": more or {}, "cluster_name": "agent"}
    return Sample(**(values | {"binary_exposure": set(np.unique(exposure)) <= {0, 1}} | given))


def asks(kind: str = "score", exposure: Any = "care", **told: Any) -> Question:
    basics = {"id": "q", "title": "Does it?", "claim": "LOY-1", "exposure": exposure, "smallest_effect": 0.1}
    return Question.model_validate(basics | {"outcome": {"column": "score", "kind": kind}} | told)


def inside(found: Any, truth: float) -> bool:
    return bool(found.low <= truth <= found.high)


def finds(rng: Rng, n: int) -> tuple[NDArray[Any], ...]:
    """Flag, truth and agents: 90 % are found, by agents of unequal skill."""
    agent = np.repeat(np.arange(AGENTS), n // AGENTS)
    gold = (rng.random(n) < 0.4).astype(float)
    skill = special.ndtri(0.9) * np.sqrt(1.25) + rng.normal(0, 0.5, AGENTS)[agent]
    hit = rng.random(n) < special.ndtr(skill)
    return np.where(gold == 1, hit, rng.random(n) < 0.1).astype(float), gold, agent


def shares(rng: Rng) -> Held:
    """A share held to a minimum: of all, of a part that was reviewed, and as if that part were all."""
    told = {"of": "sensitivity", "by": "flag", "minimum": 0.5}
    flag, gold, agent = finds(rng, 240)
    whole = estimate_sample(
        drawn(gold, flag, {"flag": flag}, cluster=agent), asks("yes_no", exposure="flag", detection=told)
    )
    flag, gold, agent = finds(rng, 960)
    chance = np.where(flag == 1, 1.0, 0.3)
    seen = rng.random(len(flag)) < chance
    part = drawn(gold[seen], flag[seen], {"flag": flag[seen], "chance": chance[seen]}, cluster=agent[seen])
    weighed = estimate_sample(part, asks("yes_no", exposure="flag", detection=told | {"chance": "chance"}))
    naive = estimate_sample(part, asks("yes_no", exposure="flag", detection=told))
    return {
        "share": inside(whole, 0.4),
        "share, a part reviewed": inside(weighed, 0.4),
        "not: share of the reviewed": inside(naive, 0.4),
    }


def validity(rng: Rng) -> Held:
    """A correlation: in 60 rows; in about 160 who were chosen by the score; and by something that goes with it."""
    told = {"of": "correlation", "by": "test", "minimum": 0.0}
    x = rng.normal(size=60)
    y = 0.5 * x + np.sqrt(0.75) * rng.normal(size=60)
    plain = estimate_sample(drawn(y, x, {"test": x}), asks(exposure="test", detection=told))
    x = rng.normal(size=400)
    y = 0.5 * x + np.sqrt(0.75) * rng.normal(size=400)
    z = 0.6 * x + 0.3 * y + 0.6 * rng.normal(size=400)
    best, liked = x > 0.25, z > 0.25
    two = estimate_sample(
        drawn(y[best], x[best], {"test": x[best]}), asks(exposure="test", detection=told | {"applicants_sd": 1})
    )
    sd = float(np.sqrt(0.36 + 0.09 + 2 * 0.6 * 0.3 * 0.5 + 0.36))
    third = told | {"applicants_sd": sd, "chosen_by": "z"}
    kept = drawn(y[liked], x[liked], {"test": x[liked], "z": z[liked]})
    other = estimate_sample(kept, asks(exposure="test", detection=third))
    return {
        "correlation": inside(plain, 0.5),
        "correlation, chosen by it": inside(two, 0.5),
        "correlation, chosen by another": inside(other, 0.5),
    }


def targets(rng: Rng) -> Held:
    """Two correlations compared, and an effect freed of its error, with 20 agents."""
    late, agent = np.repeat([0.0, 1.0], 100), np.tile(np.repeat(np.arange(20), 5), 2)
    own, score = rng.normal(0, 0.3, 20)[agent], rng.normal(size=200)
    gold = np.where(late == 1, 0.2, 0.7) * score + rng.normal(size=200) + own
    first, second = (w / np.sqrt(w**2 + 1.09) for w in (0.7, 0.2))
    told = {"of": "correlation", "by": "score_card"}
    gap = estimate_sample(drawn(gold, late, {"score_card": score}, cluster=agent), asks(detection=told))
    truth = rng.normal(size=200) + own
    measured = truth + rng.normal(0, 0.8, 200)
    review = np.where(rng.random(200) < 0.4, truth, np.nan)
    outcome = 0.5 * truth + rng.normal(size=200) + rng.normal(0, 0.3, 20)[agent]
    told = {"of": "effect", "by": "review"}
    freed = estimate_sample(drawn(outcome, measured, {"review": review}, cluster=agent), asks(detection=told))
    return {
        "two correlations": inside(gap, second - first),
        "effect freed of error": inside(freed, 0.5),
        "not: effect as measured": inside(freed.model.terms[1], 0.5),
    }


def gains(rng: Rng, agents: int = 20, n: int = 200) -> Held:
    """A gain less its price, the region of both effects, the price at which nothing is gained; and no false word."""
    asked = asks(tradeoff={"other": "minutes", "price": 1.0, "unit": "minute"})
    truth = np.array([0.3, 0.5])

    def pair(effect: float) -> Sample:
        agent = np.repeat(np.arange(agents), n // agents)
        care, shared = rng.normal(size=n) + rng.normal(0, 0.5, agents)[agent], rng.normal(size=n)
        outcome = effect * care + shared + rng.normal(0, 0.5, agents)[agent]
        minutes = truth[1] * care + shared + rng.normal(size=n) + rng.normal(0, 0.5, agents)[agent]
        return drawn(outcome, care, {"minutes": minutes}, cluster=agent)

    sample = pair(truth[0])
    found = both.both(sample, asked)[0]
    centre, edge = found.region(0.95)
    _, low, high = both.worth_it_below(found, -1.0)
    nothing = both.both(pair(0.0), asked)[0]
    return {
        "gain less its price": inside(estimate_sample(sample, asked), float(truth[0] - truth[1])),
        "region of both": bool(np.linalg.norm(np.linalg.solve(edge, truth - centre)) <= 1),
        "price of nothing gained": bool(low <= truth[0] / truth[1] <= high),
        "no word where one is nothing": both.standing(nothing, ("high", "low")) == "cannot tell",
    }


def arms(rng: Rng) -> Held:
    """The three contrasts of a recovery, with 16 agents."""
    arm, agent = np.tile([0, 0, 1, 2], 40), np.repeat(np.arange(16), 10)
    kind, usual = (arm == 2).astype(float), (arm == 1).astype(float)
    bad = np.where(arm > 0, rng.gamma(4, 1, 160), np.nan)
    outcome = -0.6 * usual - 0.1 * kind - 0.3 * np.nan_to_num(bad - np.nanmean(bad)) + rng.normal(size=160)
    sample = drawn(
        outcome + rng.normal(0, 0.4, 16)[agent],
        kind,
        {"bad": bad},
        cluster=agent,
        covariates=usual[:, None],
        names=("care: usual",),
        groups=("care",),
    )
    exposure = {"column": "care", "reference": "none", "level": "kind"}
    found = three.three(sample, asks(exposure=exposure, recovery={"among_failures": ["bad"]}))
    held = np.abs(found.values - [-0.1, -0.6, 0.5]) <= special.stdtrit(found.df, 0.975) * found.se
    return dict(zip(three.NAMES, map(bool, held), strict=True))


STUDIES: tuple[Callable[[Rng], Held], ...] = (shares, validity, targets, gains, arms)


def coverage(number: int, make: Callable[[Rng], Held], seed: int = SEED) -> dict[str, int]:
    """In how many of `number` studies each interval held the truth."""
    rng = np.random.default_rng([seed, STUDIES.index(make)])
    counts: dict[str, int] = {}
    for _ in range(number):
        for name, held in make(rng).items():
            counts[name] = counts.get(name, 0) + held
    return counts


if __name__ == "__main__":
    from researchkit.wording import percent

    asked = int(sys.argv[1]) if sys.argv[1:] else 2_000
    for one in STUDIES:
        for name, held in coverage(asked, one).items():
            print(f"{percent(held / asked)}  {name}")
