"""A contact centre in which it is known how well things are seen: by software, by agents, by a score card, by a test.

The software misses callers with an accent that it was not trained on. Agents overlook most of the vulnerable, which
looks otherwise where only what they flagged is reviewed in full. The score card is worth something until it carries
pay. Those who were hired were picked by their test, so that it says less about them. Nothing here was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.simulate.draws import Array, hidden, probability, rating, yes
from researchkit.simulate.truths import CONTRADICTED, SMALL, SUPPORTED, Planted

ROWS = 3_600
SEED = 20251102
FILES = ("calls.csv", "hires.csv")
POPULATION = 400_000
PER_AGENT, HIRED_A_CALL, PICKED = 45, 0.25, 0.4
REVIEWED = {1: 1.0, 0: 0.25}  # chance of a review, where the agent flagged the caller and where not
APPLICANTS_SD = 10.0  # of the test, among all who applied
TRUST_A_POINT = 0.5  # what one point of kindness, as experts find it, adds to trust
LEANS = {"qa_1": 0.2, "qa_2": -0.2, "qa_3": 0.0}  # how lenient each rater is
Frame = dict[str, Any]


def calls(rng: np.random.Generator, n: int, agents: int) -> Frame:
    """Every call with what is true of it and what is said of it; nothing is left out yet."""
    agent = rng.integers(agents, size=n)
    skill, strict = rng.normal(0, 0.5, agents)[agent], rng.normal(0, 0.3, agents)[agent]
    other = yes(rng, 0.25, n)
    distressed = yes(rng, 0.3, n)
    heard = -2.2 + 4.2 * distressed - 1.2 * distressed * other + 1.3 * rng.normal(size=n)
    forecast = probability(heard)
    vulnerable = yes(rng, np.asarray(0.2 + 0.2 * distressed), n)
    noticed = yes(rng, probability(-3.2 + (3.0 + skill) * vulnerable), n)
    kindness = rng.normal(3, 0.7, n) + 0.4 * skill
    target = yes(rng, 0.5, n)  # the second half of the year, in which the score carries pay
    eager = rng.normal(0.8, 0.9, agents)[agent]
    seen = np.where(target == 1, 0.3 * kindness + 2.4 + 0.5 * eager, kindness)
    ratings = {name: rating(seen + lean + rng.normal(0, 0.6, n), 1, 5, 0.5) for name, lean in LEANS.items()}
    later = np.random.default_rng([n, agents])  # a draw of its own, so that it moves nothing else
    again = {f"{name}_again": rating(seen + lean + later.normal(0, 0.6, n), 1, 5, 0.5) for name, lean in LEANS.items()}
    return {
        "agent": agent,
        "accent": other,
        "target": target,
        "distressed": distressed,
        "forecast": forecast,
        "cue": (forecast + rng.normal(0, 0.12, n) > 0.5).astype(np.int64),
        "vulnerable": vulnerable,
        "flagged": noticed,
        "kindness": rating(kindness + rng.normal(0, 0.1, n), 1, 5, 0.1),
        **ratings,
        **again,
        "felt": rating(0.9 * kindness + rng.normal(0.3, 0.75, n) + strict, 1, 7, 0.1),
        "trust": np.round(np.clip(2.5 + TRUST_A_POINT * kindness + rng.normal(0, 0.8, n) + 0.3 * strict, 1, 7), 1),
    }


def hires(rng: np.random.Generator, applicants: int) -> Frame:
    """All who applied, of whom those with the best tests are taken."""
    warmth = rng.normal(size=applicants)
    test = 50 + APPLICANTS_SD * (0.6 * warmth + 0.8 * rng.normal(size=applicants))
    helping = yes(rng, 0.4, applicants)
    blind = 3 + 0.5 * warmth + rng.normal(0, 0.5, applicants)
    return {
        "test": test,
        "helping": helping,
        "blind": np.clip(np.round(blind, 1), 1, 5),
        "knowing": np.clip(np.round(blind + 0.4 * helping + rng.normal(0, 0.3, applicants), 1), 1, 5),
        "taken": test >= np.quantile(test, 1 - PICKED),
    }


def chunks(rows: int, seed: int) -> Iterator[dict[str, pd.DataFrame]]:
    """Both files in one piece: they are small."""
    rng = np.random.default_rng([seed, 1])
    agents = max(round(rows / PER_AGENT), 12)
    found = calls(rng, rows, agents)
    score = np.round((found["qa_1"] + found["qa_2"] + found["qa_3"]) / 3, 2)
    chance = np.where(found["flagged"] == 1, REVIEWED[1], REVIEWED[0])
    unseen = rng.random(rows) >= chance
    expert = rng.random(rows) >= 0.2
    width = max(4, len(str(rows)))
    table = {
        "call_id": [f"{number:0{width}d}" for number in range(rows)],
        "agent_id": [f"a{number:03d}" for number in found["agent"]],
        "accent": np.where(found["accent"] == 1, "other", "usual"),
        "half": np.where(found["target"] == 1, "second", "first"),
        "distressed": found["distressed"],
        "cue": found["cue"],
        "cue_chance": np.round(found["forecast"], 3),
        "flagged": found["flagged"],
        "review_chance": chance,
        "vulnerable": hidden(found["vulnerable"], unseen),
        "qa_1": found["qa_1"],
        "qa_2": found["qa_2"],
        "qa_3": found["qa_3"],
        **{f"{name}_again": found[f"{name}_again"] for name in LEANS},
        "qa_score": score,
        "expert": hidden(found["kindness"], expert),
        "felt": found["felt"],
        "trust": found["trust"],
    }
    applied = hires(rng, max(round(rows * HIRED_A_CALL / PICKED), 50))
    taken = {name: values[applied["taken"]] for name, values in applied.items() if name != "taken"}
    people = {
        "hire_id": [f"h{number:04d}" for number in range(len(taken["test"]))],
        "test": np.round(taken["test"], 1),
        "background": np.where(taken["helping"] == 1, "helping", "other"),
        "blind": taken["blind"],
        "knowing": taken["knowing"],
    }
    yield {"calls.csv": pd.DataFrame(table), "hires.csv": pd.DataFrame(people)}


def population(seed: int) -> Frame:
    """Many calls and many applicants, with nothing hidden."""
    rng = np.random.default_rng([seed, 0, 1])
    found = calls(rng, POPULATION, POPULATION // PER_AGENT)
    return {**found, "score": (found["qa_1"] + found["qa_2"] + found["qa_3"]) / 3, "all": hires(rng, POPULATION)}


def found_of(flag: str, gold: str, people: Frame, among: NDArray[np.bool_] | None = None) -> float:
    """The share of true cases that a flag finds."""
    cases = people[gold] == 1
    return float(people[flag][cases if among is None else cases & among].mean())


def together(one: Array, other: Array) -> float:
    return float(np.corrcoef(one, other)[0, 1])


def gaming(people: Frame) -> float:
    """What the correlation of score and felt kindness loses when the score carries pay."""
    later = people["target"] == 1
    first, second = (together(people["score"][part], people["felt"][part]) for part in (~later, later))
    return second - first


def early(people: Frame) -> float:
    before = people["target"] == 0
    return together(people["score"][before], people["felt"][before])


def per_point(people: Frame) -> float:
    """The slope of trust on kindness as experts find it, in the first half."""
    before = people["target"] == 0
    kindness, trust = people["kindness"][before], people["trust"][before]
    return float(np.cov(kindness, trust)[0, 1] / kindness.var())


def background(people: Frame) -> float:
    """What a helping job before makes of blind ratings among those taken."""
    applied = people["all"]
    blind, helped = applied["blind"][applied["taken"]], applied["helping"][applied["taken"]] == 1
    return float(blind[helped].mean() - blind[~helped].mean())


PLANTED = (
    Planted(
        "cue_finds",
        "real",
        SUPPORTED,
        False,
        "probability",
        lambda people: found_of("cue", "distressed", people) - 0.8,
        "Share of distressed callers that the software flags, less the 80 % that are needed.",
    ),
    Planted(
        "cue_fair",
        "contrary",
        CONTRADICTED,
        False,
        "probability",
        lambda people: (
            found_of("cue", "distressed", people, people["accent"] == 1)
            - found_of("cue", "distressed", people, people["accent"] == 0)
        ),
        "Share of distressed callers flagged, with the accent that the software was not trained on less with the usual"
        " one: it does not see all alike.",
    ),
    Planted(
        "vulnerable_found",
        "contrary",
        CONTRADICTED,
        False,
        "probability",
        lambda people: found_of("flagged", "vulnerable", people) - 0.6,
        "Share of vulnerable callers that agents flag, less the 60 % that are needed. Every flagged"
        " call was reviewed and"
        " one in four of the others, so that among the reviewed it looks far better.",
    ),
    Planted(
        "score_valid",
        "real",
        SUPPORTED,
        False,
        "correlation",
        lambda people: early(people) - 0.4,
        "Correlation of the score card with the kindness that callers felt, before it carried pay,"
        " less the 0.4 needed.",
    ),
    Planted(
        "score_as_target",
        "contrary",
        CONTRADICTED,
        False,
        "correlation",
        gaming,
        "What that correlation loses in the half of the year in which the score carried pay: the scores rise, and say"
        " less.",
    ),
    Planted(
        "score_worth",
        "real",
        SUPPORTED,
        False,
        "points",
        per_point,
        "Slope of trust on kindness as experts find it. The score card errs, so its own slope is too small.",
    ),
    Planted(
        "test_valid",
        "real",
        SUPPORTED,
        False,
        "correlation",
        lambda people: together(people["all"]["test"], people["all"]["blind"]) - 0.2,
        "Correlation of the test with blind ratings of kindness among all who applied, less the 0.2 needed. Those taken"
        " differ less in the test, so that among them it is smaller.",
    ),
    Planted(
        "background",
        "zero",
        SMALL,
        False,
        "points",
        background,
        "A helping job before does nothing to the kindness that blind raters find; supervisors who"
        " know of it rate it up.",
    ),
)
