"""A contact centre in which it is known what compassion does.

Hard problems make handling less kind, and they make customers leave, call again and wait: so kindness looks better
than it is where it helps, helpful where it does nothing, and helpful where it hurts. Training comes to the sites one
after the other. Customers who had a hard time answer the survey less often. Nothing here was measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.simulate.draws import (
    Array,
    Columns,
    days_until,
    grade,
    hidden,
    predictor,
    probability,
    rating,
    restricted_mean,
    slope,
    still_waiting,
    yes,
)

ROWS = 20_411
SEED = 20251101
FILES = ("interactions.parquet",)
CHUNK = 100_000  # rows made at once; memory does not grow beyond it
POPULATION = 200_000  # contacts over which the truth is averaged
PER_AGENT, PER_CUSTOMER, SITES, TEAM_OF = 68, 1.2, 12, 8
CHANNELS = np.array(["phone", "chat", "email"])

# What one unit adds. Compassion is centred at 3, severity at 5, tenure at 4 years, trust at 4.5; "one" is the start.
SLOPES: dict[str, dict[str, float]] = {
    "compassion": {"one": 3.2, "severity": -0.15, "trained": 0.3, "skill": 1.0, "site": 1.0, "chat": -0.1},
    "trust": {"one": 0.0, "compassion": 0.45, "severity": -0.12, "tenure": 0.02},
    "leaving": {"compassion": -0.1, "trust": -0.25, "severity": 0.14, "tenure": -0.05, "email": 0.1},
    "csat": {"compassion": 0.4, "severity": -0.25, "mood": 0.9, "email": -0.2},
    "nps": {"compassion": 0.01, "severity": -0.2, "mood": 0.6, "tenure": 0.03},
    "resolved": {"one": 1.0, "compassion": 0.0, "severity": -0.35, "chat": -0.1, "email": -0.3},
    "calls": {"one": -0.1, "compassion": 0.1, "severity": 0.18, "email": 0.1, "tenure": -0.01},
    "minutes": {"one": 8.0, "compassion": 0.8, "severity": 1.3, "chat": 2.0, "email": -3.0},
    "solving": {"compassion": 0.2, "severity": -0.15, "chat": 0.1, "email": -0.3},
    "answers_csat": {"one": 0.1, "severity": -0.25, "tenure": 0.04},
    "answers_nps": {"one": 0.3, "severity": -0.2, "tenure": 0.06},
}
LEAVING = {"scale": 500.0, "shape": 1.0}  # days
SOLVING = {"scale": 6.0, "shape": 1.0}  # days
CSAT_CUTS = np.array([-2.8, -1.7, -0.5, 0.9])
NPS_CUTS = np.array([-4.2, -3.7, -3.2, -2.8, -2.4, -1.8, -0.9, -0.3, 0.4, 1.3])


@dataclass(frozen=True)
class Centre:
    """Who works there: one entry an agent (`site`, `team`, `skill`) or a site (`start` month of training, `lean`)."""

    site: NDArray[np.int64]
    team: NDArray[np.int64]
    skill: Array
    share: Array
    start: NDArray[np.int64]
    lean: Array


@dataclass(frozen=True)
class Contacts:
    """Circumstances, centred floats of shape (n,), and who met whom."""

    columns: dict[str, Array]
    agent: NDArray[np.int64]
    customer: NDArray[np.int64]
    month: NDArray[np.int64]
    birth_month: NDArray[np.int64]
    channel: NDArray[np.int64]


def open_centre(rng: np.random.Generator, rows: int) -> Centre:
    """Agents in teams in sites. The sites that are kinder to begin with are the first to train."""
    agents = min(max(round(rows / PER_AGENT), 3 * SITES), 30_000)
    number = np.arange(agents)
    share = rng.gamma(4.0, size=agents)
    start = np.array([3, 3, 5, 5, 7, 7, 9, 9, 11, 11, 13, 13])  # 13: not within the year
    lean = rng.normal(0, 0.1, SITES) + 0.02 * (8 - start)
    skill = rng.normal(0, 0.35, agents)
    return Centre(number % SITES, number // SITES // TEAM_OF, skill, share / share.sum(), start, lean)


def circumstances(rng: np.random.Generator, n: int, centre: Centre) -> Contacts:
    """Everything that is settled before anyone is kind or not, and then the kindness."""
    people = max(round(n / PER_CUSTOMER), 1)
    customer = rng.integers(people, size=n)
    tenure = np.minimum(np.round(rng.gamma(1.5, 3.0, people), 1), 40.0)[customer]
    birth_month = rng.integers(1, 13, size=people)[customer]
    agent = rng.choice(len(centre.share), size=n, p=centre.share)
    site, month = centre.site[agent], rng.integers(1, 13, size=n)
    channel = rng.choice(3, size=n, p=[0.55, 0.25, 0.2])
    severity = rating(rng.normal(5 + 0.05 * (month - 6.5), 2.2), 0, 10, 0.1)
    columns: dict[str, Array] = {
        "severity": severity - 5,
        "tenure": tenure - 4,
        "chat": (channel == 1).astype(float),
        "email": (channel == 2).astype(float),
        "trained": (month >= centre.start[site]).astype(float),
        "skill": centre.skill[agent],
        "site": centre.lean[site],
        "mood": rng.normal(size=n),
        "warmth": rng.normal(0, 0.6, n),
        "trust_rest": rng.normal(0, 0.7, n),
        "minutes_rest": rng.gamma(4.0, 1.5, n),
    }
    columns["compassion"] = compassion(columns) - 3
    return Contacts(columns, agent, customer, month, birth_month, channel)


def compassion(columns: Columns) -> Array:
    """As the blind rater writes it down, 1 to 5 in halves: what acts on the outcomes is this."""
    return rating(predictor(SLOPES["compassion"], columns) + columns["warmth"], 1, 5, 0.5)


def trust(columns: Columns) -> Array:
    return np.clip(4.5 + predictor(SLOPES["trust"], columns) + columns["trust_rest"], 1, 7)


def leaving(columns: Columns) -> Array:
    """Log hazard of leaving; compassion acts on it by itself and through trust."""
    return predictor(SLOPES["leaving"], {**columns, "trust": trust(columns) - 4.5})


def stays_90(columns: Columns) -> Array:
    return still_waiting(90, leaving(columns), **LEAVING)


def days_here(columns: Columns) -> Array:
    return restricted_mean(leaving(columns), horizon=180, **LEAVING)


def days_waiting(columns: Columns) -> Array:
    return restricted_mean(predictor(SLOPES["solving"], columns), horizon=30, **SOLVING)


def top_csat(columns: Columns) -> Array:
    return probability(predictor(SLOPES["csat"], columns) - CSAT_CUTS[-1])


def nps_points(columns: Columns) -> Array:
    """100 times the chance of 9 or 10 less that of 0 to 6."""
    eta = predictor(SLOPES["nps"], columns)
    return np.asarray(100 * (probability(eta - NPS_CUTS[8]) - probability(NPS_CUTS[6] - eta)))


def first_time(columns: Columns) -> Array:
    return probability(predictor(SLOPES["resolved"], columns))


def calls(columns: Columns) -> Array:
    """Expected further contacts in 90 days, were all of them watched."""
    return np.asarray(np.exp(predictor(SLOPES["calls"], columns)))


def minutes(columns: Columns) -> Array:
    return np.maximum(predictor(SLOPES["minutes"], columns) + columns["minutes_rest"], 0.5)


def hard_new_email(columns: Columns) -> dict[str, Array]:
    """The contacts of the question `won_back`: severity 8.5 or more, by e-mail, customers of two years at most."""
    chosen = (columns["severity"] >= 3.499) & (columns["email"] == 1) & (columns["tenure"] <= -1.999)
    return {name: values[chosen] for name, values in columns.items()}


def calls_slope(columns: Columns) -> float:
    """Mean slope of the rate of further contacts; those who are watched longer weigh more, as in the data."""
    watched = restricted_mean(leaving(columns), horizon=90, **LEAVING)
    return slope(lambda moved: watched * calls(moved), columns, "compassion") / float(np.mean(watched))


def outcomes(rng: np.random.Generator, contacts: Contacts) -> dict[str, Any]:
    """What came of each contact, with the gaps that real records have."""
    columns, n = contacts.columns, len(contacts.agent)
    known = 90 + 30 * (12 - contacts.month) + rng.integers(0, 30, size=n)  # days from the contact to the extract
    left = days_until(rng, leaving(columns), **LEAVING)
    active = np.minimum(left, known)
    solved_on = days_until(rng, predictor(SLOPES["solving"], columns), **SOLVING)
    watched = rng.integers(20, 61, size=n)
    observed = np.minimum(active, 90)
    expected = calls(columns) * rng.gamma(2.0, 0.5, n) * observed / 90
    csat = grade(rng, predictor(SLOPES["csat"], columns), CSAT_CUTS) + 1
    nps = grade(rng, predictor(SLOPES["nps"], columns), NPS_CUTS)
    halo = 3 + 0.8 * columns["compassion"] + 0.45 * columns["mood"] + rng.normal(0, 0.5, n)
    unrated = yes(rng, 0.0165 * np.exp(0.28 * columns["severity"]), n)
    return {
        "compassion": hidden(columns["compassion"] + 3, unrated == 1),
        "compassion_customer": rating(halo, 1, 5).astype(np.int64),
        "trust": np.round(trust(columns), 1),
        "resolved": yes(rng, first_time(columns), n),
        "handle_minutes": np.round(minutes(columns), 1),
        "csat": hidden(csat, yes(rng, probability(predictor(SLOPES["answers_csat"], columns)), n) == 0),
        "nps": hidden(nps, yes(rng, probability(predictor(SLOPES["answers_nps"], columns)), n) == 0),
        "retained_90d": (left > 90).astype(np.int64),
        "days_active": active.astype(np.int64),
        "churned": (left <= known).astype(np.int64),
        "days_to_solution": np.minimum(solved_on, watched).astype(np.int64),
        "solved": (solved_on <= watched).astype(np.int64),
        "contacts_next_90d": rng.poisson(expected),
        "days_observed": observed.astype(np.int64),
        "share_observed": np.round(observed / 90, 4),
    }


def labels(names: Iterable[str]) -> NDArray[np.object_]:
    return np.array(list(names), dtype=object)


def piece(rng: np.random.Generator, n: int, centre: Centre, first: int, digits: int) -> pd.DataFrame:
    """One chunk of the file; `first` is the number of its first customer."""
    contacts = circumstances(rng, n, centre)
    columns, agent = contacts.columns, contacts.agent
    agents, width = len(centre.share), max(3, len(str(len(centre.share))))
    people = int(contacts.customer.max()) + 1
    ids = {  # each name is written once, however many contacts it has
        "customer_id": labels(f"{first + number:0{digits}d}" for number in range(people))[contacts.customer],
        "agent_id": labels(f"a{number:0{width}d}" for number in range(agents))[agent],
        "team": labels(f"s{s + 1:02d}-t{t + 1}" for s, t in zip(centre.site, centre.team, strict=True))[agent],
        "site": labels(f"s{s + 1:02d}" for s in centre.site)[agent],
        "month": contacts.month,
        "trained": columns["trained"].astype(np.int64),
        "channel": CHANNELS[contacts.channel],
        "tenure": np.round(columns["tenure"] + 4, 1),
        "birth_month": contacts.birth_month,
        "severity": np.round(columns["severity"] + 5, 1),
    }
    return pd.DataFrame(ids | outcomes(rng, contacts))


def chunks(rows: int, seed: int) -> Iterator[dict[str, pd.DataFrame]]:
    """The file's rows, chunk after chunk; each has its own seed, so none needs the one before."""
    centre = open_centre(np.random.default_rng([seed, 0]), rows)
    people = round(CHUNK / PER_CUSTOMER)
    digits = max(6, len(str(round(rows / PER_CUSTOMER))))
    for number, start in enumerate(range(0, rows, CHUNK)):
        rng = np.random.default_rng([seed, number + 1])
        yield {FILES[0]: piece(rng, min(CHUNK, rows - start), centre, number * people, digits)}


def population(seed: int) -> Columns:
    """Contacts of a larger centre of the same kind, over which the truth is averaged."""
    rng = np.random.default_rng([seed, 0, 1])
    return circumstances(rng, POPULATION, open_centre(rng, POPULATION)).columns
