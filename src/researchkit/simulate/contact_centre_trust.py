"""A contact centre in which it is known what carries the effect of kindness: trust does, and sometimes does not.

Hard problems make handling less kind, and lower trust, facts noted and loyalty alike. Listening makes people feel
heard, which pleases, and calls long, which does not. Three times and several sources; nothing here was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from researchkit.simulate.draws import Array, Columns, carried, hidden, predictor, rating, yes
from researchkit.simulate.truths import CONTRADICTED, SMALL, SUPPORTED, UNTOLD, Planted

ROWS = 1_863
SEED = 20251101
FILES = ("contacts.csv",)
CHUNK = 50_000  # rows made at once
POPULATION = 200_000  # contacts over which the truth is averaged
PER_AGENT = 30

# What one unit adds. Compassion is centred at 3, severity and listening at 5, tenure at 4 years, trust at 60, facts at
# 8, feeling heard at 5.5, minutes at 9.
SLOPES: dict[str, dict[str, float]] = {
    "compassion": {"one": 0.2, "severity": -0.15, "skill": 1.0},
    "listening": {"skill": 1.0, "severity": -0.1},
    "trust": {"compassion": 6.0, "severity": -1.5, "tenure": 0.3},
    "spending": {"one": 50.0, "trust": 0.4, "compassion": 1.0, "severity": -1.0, "tenure": 0.5},
    "renewing": {"one": 0.6, "trust": 0.006, "compassion": 0.01, "severity": -0.02},
    "basket": {"one": 40.0, "trust": 0.0, "compassion": 0.8, "severity": -0.5},
    "facts": {"compassion": 1.2, "severity": -0.4},
    "solving": {"one": 0.62, "facts": 0.03, "severity": -0.05},
    "heard": {"listening": 0.4, "severity": -0.2},
    "minutes": {"listening": 0.6, "severity": 0.8},
    "satisfaction": {"one": 60.0, "heard": 4.0, "minutes": -1.2, "severity": -1.5},
}
# The scale of each mediator: its middle, its ends, its step, and the spread of what nothing here explains.
SCALES: dict[str, tuple[float, float, float, float, float]] = {
    "trust": (60.0, 0.0, 100.0, 1.0, 12.0),
    "facts": (8.0, 0.0, 20.0, 1.0, 2.0),
    "heard": (5.5, 0.0, 10.0, 0.5, 1.2),
    "minutes": (9.0, 0.0, 40.0, 0.5, 2.0),
}
SPREAD = {"spending": 14.0, "basket": 8.0, "satisfaction": 12.0}


def arrivals(rng: np.random.Generator, n: int, skill: Array) -> dict[str, Array]:
    """Circumstances, centred, shape (n,): who calls, who answers, how, and what each mediator has of its own."""
    agent = rng.integers(len(skill), size=n)
    columns: dict[str, Array] = {
        "agent": agent.astype(float),
        "severity": rating(rng.normal(5, 2, n), 0, 10, 0.1) - 5,
        "tenure": np.minimum(np.round(rng.gamma(1.5, 3.0, n), 1), 40.0) - 4,
        "skill": skill[agent],
    }
    columns["compassion"] = rating(3 + predictor(SLOPES["compassion"], columns) + rng.normal(0, 0.6, n), 1, 5, 0.5) - 3
    columns["listening"] = rating(5 + predictor(SLOPES["listening"], columns) + rng.normal(0, 1.4, n), 0, 10, 0.5) - 5
    return columns | {f"{name}_rest": rng.normal(0, scale[-1], n) for name, scale in SCALES.items()}


def mediator(name: str, columns: Columns) -> Array:
    """A mediator, centred, before it is written down in steps."""
    middle, low, high, _, _ = SCALES[name]
    return np.clip(middle + predictor(SLOPES[name], columns) + columns[f"{name}_rest"], low, high) - middle


def chance(name: str, columns: Columns) -> Array:
    """A chance that runs in a straight line, between 2 and 98 per cent."""
    return np.clip(predictor(SLOPES[name], columns), 0.02, 0.98)


def centre(rng: np.random.Generator, rows: int) -> Array:
    """The skill of each agent."""
    return rng.normal(0, 0.35, min(max(round(rows / PER_AGENT), 12), 10_000))


def contacts(rng: np.random.Generator, n: int, skill: Array, first: int, digits: int) -> pd.DataFrame:
    """One chunk of contacts.csv; `first` is the number of its first customer."""
    columns = arrivals(rng, n, skill)
    table: dict[str, Any] = {}
    for name, (middle, low, high, step, _) in SCALES.items():
        table[name] = rating(middle + mediator(name, columns), low, high, step)
        columns[name] = table[name] - middle
    told = {name: predictor(SLOPES[name], columns) + rng.normal(0, spread, n) for name, spread in SPREAD.items()}
    silent = yes(rng, 0.05 * np.exp(0.15 * columns["severity"]), n) == 1
    width = max(3, len(str(len(skill))))
    return pd.DataFrame(
        {
            "customer_id": [f"c{number:0{digits}d}" for number in np.arange(n) + first],
            "agent_id": [f"a{int(number):0{width}d}" for number in columns["agent"]],
            "severity": np.round(columns["severity"] + 5, 1),
            "tenure": np.round(columns["tenure"] + 4, 1),
            "compassion": columns["compassion"] + 3,
            "listening": columns["listening"] + 5,
            "minutes": table["minutes"],
            "facts": table["facts"].astype(np.int64),
            "heard": table["heard"],
            "trust": hidden(table["trust"].astype(np.int64), silent),
            "solved": yes(rng, chance("solving", columns), n),
            "satisfaction": rating(told["satisfaction"], 0, 100).astype(np.int64),
            "share_of_spending": rating(told["spending"], 0, 100).astype(np.int64),
            "renewed": yes(rng, chance("renewing", columns), n),
            "basket": rating(told["basket"], 0, 200, 0.1).round(1),
        }
    )


def chunks(rows: int, seed: int) -> Iterator[dict[str, pd.DataFrame]]:
    """The file's rows, chunk after chunk; each has its own seed, so none needs the one before."""
    skill = centre(np.random.default_rng([seed, 0]), rows)
    for number, start in enumerate(range(0, rows, CHUNK)):
        rng = np.random.default_rng([seed, number + 1])
        yield {FILES[0]: contacts(rng, min(CHUNK, rows - start), skill, start, max(5, len(str(rows))))}


def population(seed: int) -> dict[str, Array]:
    """Contacts of a larger centre of the same kind, over which the truth is averaged."""
    rng = np.random.default_rng([seed, 0, 1])
    return arrivals(rng, POPULATION, centre(rng, POPULATION))


def through(exposure: str, name: str, expected: Callable[[Columns], Array]) -> Callable[[Columns], float]:
    """The truth of a question: what a unit of the exposure changes by way of one mediator alone."""

    def truth(people: Columns) -> float:
        every = {**people, **{one: mediator(one, people) for one in SCALES}}
        return carried(lambda moved: mediator(name, moved), expected, every, exposure, name)

    return truth


def outcome(name: str) -> Callable[[Columns], Array]:
    return lambda columns: predictor(SLOPES[name], columns)


PLANTED = (
    Planted(
        "trust_spending",
        "real",
        SUPPORTED,
        True,
        "percentage points",
        through("compassion", "trust", outcome("spending")),
        "What a point of compassion adds to trust, times what a point of trust adds to the share of spending. Without"
        " severity it comes out too large: hard problems lower all three.",
    ),
    Planted(
        "trust_renewal",
        "real",
        SUPPORTED,
        False,
        "probability",
        through("compassion", "trust", lambda columns: chance("renewing", columns)),
        "What a point of compassion adds to trust, times what that adds to the chance to renew. Without"
        " severity it comes out a little too large.",
    ),
    Planted(
        "trust_basket",
        "zero",
        SMALL,
        False,
        "euros",
        through("compassion", "trust", outcome("basket")),
        "Trust does nothing to the size of a basket. Kindness does a little, but not by way of trust.",
    ),
    Planted(
        "trust_hard_cases",
        "real",
        UNTOLD,
        False,
        "percentage points",
        through("compassion", "trust", outcome("spending")),
        "As `trust_spending`, among the hardest problems: real, but these few could not show it.",
    ),
    Planted(
        "facts_solved",
        "real",
        SUPPORTED,
        True,
        "probability",
        through("compassion", "facts", lambda columns: chance("solving", columns)),
        "What a point of compassion adds to the facts noted, times what a fact adds to the chance that the problem is"
        " solved. Without severity it comes out too large.",
    ),
    Planted(
        "heard_satisfaction",
        "real",
        SUPPORTED,
        True,
        "points",
        through("listening", "heard", outcome("satisfaction")),
        "What a point of listening adds to feeling heard, times what that adds to satisfaction a week later."
        " Without severity it comes out too large.",
    ),
    Planted(
        "minutes_satisfaction",
        "contrary",
        CONTRADICTED,
        False,
        "points",
        through("listening", "minutes", outcome("satisfaction")),
        "Listening makes calls longer, and long calls displease: by way of time, listening takes satisfaction away.",
    ),
)
