"""A contact centre in which it is known for whom kindness does more, and where more of it stops helping.

By chat it does as much as on the phone, by e-mail hardly anything. Not being listened to costs more trust than being
listened to earns. Agents who read feelings well are better in hard calls above all. Effort beyond the norm keeps
customers up to a point and does nothing beyond it. Nothing here was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from researchkit.simulate.draws import Array, Columns, predictor, probability, rating, slope, yes
from researchkit.simulate.truths import CONTRADICTED, SMALL, SUPPORTED, UNTOLD, Planted

ROWS = 5_003
SEED = 20251101
FILES = ("contacts.csv",)
CHUNK = 100_000
POPULATION = 200_000
PER_AGENT = 50
HALF = 1.0  # quarter of an hour
CHANNELS = np.array(["phone", "chat", "email"])

# Compassion is centred at 3, severity and difficulty at 5, feelings read at 100 (in tens), listened to at 4.
SLOPES: dict[str, dict[str, float]] = {
    "compassion": {"one": 3.1, "severity": -0.12, "skill": 0.5, "email": -0.2},
    "satisfaction": {
        "one": 6.0,
        "compassion": 0.6,
        "severity": -0.35,
        "chat": -0.2,
        "email": 0.1,
        "compassion_email": -0.5,
    },
    "quality": {"one": 6.5, "feelings": 0.15, "difficulty": -0.4, "feelings_difficulty": 0.09},
    "trust": {"one": 5.5, "heard_below": 0.9, "heard_above": 0.35, "severity": -0.1},
    "stays": {"one": 0.2, "enough": 1.2, "severity": -0.12},
}


def circumstances(rng: np.random.Generator, n: int, skill: Array, feelings: Array) -> dict[str, Any]:
    """What is settled before any outcome; floats (n,), centred, and the agent's number."""
    agent = rng.integers(len(skill), size=n)
    channel = rng.choice(3, size=n, p=[0.45, 0.35, 0.2])
    severity = rating(rng.normal(5 - 0.8 * (channel == 2), 2.0, n), 0, 10, 0.5) - 5
    columns: dict[str, Any] = {
        "agent": agent,
        "channel": channel,
        "chat": (channel == 1).astype(float),
        "email": (channel == 2).astype(float),
        "severity": severity,
        "difficulty": rating(rng.normal(5, 2.2, n), 0, 10, 0.5) - 5,  # by the queue: as good as by lot
        "skill": skill[agent],
        "feelings": feelings[agent],
        "effort": rating(rng.gamma(4.0, 1.3, n), 0, 15),
    }
    columns["compassion"] = rating(predictor(SLOPES["compassion"], columns) + rng.normal(0, 0.7, n), 1, 5, 0.5) - 3
    columns["heard"] = rating(4 + 0.6 * columns["compassion"] - 0.1 * severity + rng.normal(0, 1.2, n), 1, 7) - 4
    return columns


def satisfaction(columns: Columns) -> Array:
    """Expected satisfaction, 0 to 10, before it is written down."""
    return predictor(SLOPES["satisfaction"], {**columns, "compassion_email": columns["compassion"] * columns["email"]})


def quality(columns: Columns) -> Array:
    product = columns["feelings"] * columns["difficulty"]
    return predictor(SLOPES["quality"], {**columns, "feelings_difficulty": product})


def trust(columns: Columns) -> Array:
    below, above = np.minimum(columns["heard"], 0.0), np.maximum(columns["heard"], 0.0)
    return predictor(SLOPES["trust"], {**columns, "heard_below": below, "heard_above": above})


def staying(columns: Columns) -> Array:
    """What effort beyond the norm adds comes to an end: the first quarter of an hour earns half of it."""
    return probability(predictor(SLOPES["stays"], {**columns, "enough": 1 - 2 ** (-columns["effort"] / HALF)}))


def people(seed: int, rows: int) -> tuple[Array, Array]:
    """Each agent's skill, and how well feelings are read, in tens of points around 100."""
    rng = np.random.default_rng([seed, 0])
    agents = min(max(rows // PER_AGENT, 12), 30_000)
    return rng.normal(0, 0.5, agents), (rating(rng.normal(100, 15, agents), 55, 145) - 100) / 10


def piece(rng: np.random.Generator, n: int, skill: Array, feelings: Array, first: int, digits: int) -> pd.DataFrame:
    """One chunk of contacts.csv; `first` is the number of its first contact."""
    columns = circumstances(rng, n, skill, feelings)
    width = max(3, len(str(len(skill))))
    pleased = satisfaction(columns) + 0.4 * columns["skill"] + rng.normal(0, 1.2, n)
    judged = quality(columns) + 0.4 * columns["skill"] + rng.normal(0, 1.2, n)
    return pd.DataFrame(
        {
            "contact_id": [f"{number:0{digits}d}" for number in np.arange(n) + first],
            "agent_id": [f"a{number:0{width}d}" for number in columns["agent"]],
            "channel": CHANNELS[columns["channel"]],
            "severity": columns["severity"] + 5,
            "compassion": columns["compassion"] + 3,
            "satisfaction": rating(pleased, 0, 10, 0.5),
            "feelings_read": np.round(10 * columns["feelings"] + 100).astype(np.int64),
            "difficulty": columns["difficulty"] + 5,
            "quality": rating(judged, 0, 12, 0.5),
            "heard": (columns["heard"] + 4).astype(np.int64),
            "trust": rating(trust(columns) + rng.normal(0, 1.2, n), 0, 10, 0.5),
            "effort": columns["effort"].astype(np.int64),
            "stayed": yes(rng, staying(columns), n),
        }
    )


def chunks(rows: int, seed: int) -> Iterator[dict[str, pd.DataFrame]]:
    """The file's rows, chunk after chunk; each has its own seed, so none needs the one before."""
    skill, feelings = people(seed, rows)
    for number, start in enumerate(range(0, rows, CHUNK)):
        rng = np.random.default_rng([seed, number + 1])
        yield {FILES[0]: piece(rng, min(CHUNK, rows - start), skill, feelings, start, max(5, len(str(rows))))}


def population(seed: int) -> Columns:
    """Contacts of a larger centre of the same kind, over which the truth is averaged."""
    return circumstances(np.random.default_rng([seed, 0, 1]), POPULATION, *people(seed, POPULATION))


def of_channel(contacts: Columns, channel: str) -> float:
    """The slope of satisfaction over compassion with every contact by one channel."""
    n = len(contacts["severity"])
    moved = {**contacts, "chat": np.full(n, float(channel == "chat")), "email": np.full(n, float(channel == "email"))}
    return slope(satisfaction, moved, "compassion")


def of_difficulty(contacts: Columns, difficulty: float) -> float:
    return slope(quality, {**contacts, "difficulty": np.full_like(contacts["severity"], difficulty - 5)}, "feelings")


def at_dose(expected: Any, contacts: Columns, name: str, dose: float) -> float:
    return float(np.mean(expected({**contacts, name: np.full_like(contacts["severity"], dose)})))


PLANTED = (
    Planted(
        "every_channel",
        "zero",
        SUPPORTED,
        False,
        "points",
        lambda contacts: of_channel(contacts, "chat") - of_channel(contacts, "phone"),
        "Slope of satisfaction over compassion by chat less that on the phone: none, so the claim of an equal effect"
        " deserves support, which only an interval inside the band gives.",
    ),
    Planted(
        "by_email",
        "contrary",
        CONTRADICTED,
        False,
        "points",
        lambda contacts: of_channel(contacts, "email") - of_channel(contacts, "phone"),
        "Slope by e-mail less that on the phone: by e-mail kindness is hardly noticed, so an equal effect is"
        " contradicted.",
    ),
    Planted(
        "hard_calls",
        "real",
        SUPPORTED,
        False,
        "points",
        lambda contacts: of_difficulty(contacts, 8) - of_difficulty(contacts, 2),
        "Slope of quality over feelings read (for ten points) at difficulty 8 less that at 2. The queue gives calls to"
        " agents as good as by lot.",
    ),
    Planted(
        "not_heard",
        "real",
        SUPPORTED,
        False,
        "points",
        lambda contacts: (
            2 * at_dose(trust, contacts, "heard", 0)
            - at_dose(trust, contacts, "heard", -1)
            - at_dose(trust, contacts, "heard", 1)
        ),
        "Trust lost by one point below the middle less trust earned by one above it.",
    ),
    Planted(
        "beyond_the_norm",
        "small",
        SMALL,
        False,
        "probability",
        lambda contacts: at_dose(staying, contacts, "effort", 8) - at_dose(staying, contacts, "effort", 4),
        "Chance to stay with effort of 8 less that with 4: nearly all that effort earns is earned before, so the claim"
        " that going far beyond the norm pays is false here.",
    ),
    Planted(
        "few_emails",
        "contrary",
        UNTOLD,
        False,
        "points",
        lambda contacts: of_channel(contacts, "email") - of_channel(contacts, "phone"),
        "As `by_email`, among contacts of the lowest severity: there is a difference, but these few could not show it.",
    ),
)
