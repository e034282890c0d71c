"""Twenty-four sites that began four things at different times, each known to do something, or nothing.

Sites that train early were kinder before, and the effect of the training grows, which misleads the usual regression.
Recognising a few is planted to make the others less kind. Nothing here was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.simulate.draws import Array, Columns, predictor, probability, rating, switch, yes
from researchkit.simulate.truths import Planted

ROWS = 7_200
SEED = 20251101
FILES = ("contacts.csv", "agents.csv")
SITES, MONTHS, AGENTS = 24, 12, 4  # agents of a site
POPULATION = 200_000  # contacts over which the truth is averaged
STARTS = {  # month and number of sites; the rest never start
    "trained": ((4, 6), (6, 6), (8, 6)),
    "recognised": ((5, 8), (9, 8)),
    "free": ((4, 8), (7, 8)),
    "escalates": ((4, 6), (7, 6), (10, 6)),
}
SLOPES = {  # severity is centred at 5, month at 6; `since` counts months since the training began
    "compassion": {
        "one": 6.0, "site": 1.0, "month": 0.03, "shock": 1.0, "severity": -0.2, "agent": 1.0,
        "trained": 0.3, "since": 0.2, "live": 0.4, "rest": 0.8,
    },
    "recommends": {"one": 0.1, "site": 0.3, "month": 0.02, "severity": -0.2, "trained": 0.04},
    "solved": {"one": 0.2, "site": 0.3, "month": 0.02, "severity": -0.25, "free": 0.8},
    "kindness": {"one": 4.5, "site": 0.3, "month": -0.02, "shock": 0.5, "agent": 0.5, "recognised": -0.4, "rest": 0.6},
    "distress": {"one": 45.0, "site": -3.0, "month": 0.3, "shock": 10.0, "agent": 8.0, "escalates": -6.0, "rest": 6.0},
}  # fmt: skip


def schedule(rng: np.random.Generator, lean: Array) -> dict[str, NDArray[np.int64]]:
    """The first month (1 to 12; 99 never) of each thing at each site; kinder sites are trained earlier."""
    found = {}
    for name, groups in STARTS.items():
        months = np.concatenate([np.full(number, month) for month, number in groups])
        months = np.concatenate([months, np.full(SITES - len(months), 99)])
        keen = np.argsort(-lean + rng.normal(0, 0.3, SITES)) if name == "trained" else rng.permutation(SITES)
        found[name] = np.empty(SITES, dtype=np.int64)
        found[name][keen] = months
    return found


def circumstances(
    rng: np.random.Generator, seed: int, site: NDArray[np.int64], month: NDArray[np.int64]
) -> dict[str, Array]:
    """What stands before any outcome: columns (n,), the starts of each row's site among them."""
    n, house = len(site), np.random.default_rng([seed, 7])  # the same sites, however many contacts are drawn
    lean = house.normal(0, 0.5, SITES)
    starts = schedule(house, lean)
    shock, skill = house.normal(0, 0.1, (SITES, MONTHS)), house.normal(0, 0.4, (SITES, AGENTS))
    live = house.permuted(np.tile([0.0, 1.0], (SITES, AGENTS, MONTHS // 2)), axis=2)
    agent = rng.integers(0, AGENTS, n)
    begun = {name: first[site] for name, first in starts.items()}
    on = {name: (month >= first).astype(float) for name, first in begun.items()}
    return {
        "site_number": site.astype(float), "month_number": month.astype(float), "agent_number": agent.astype(float),
        **{f"{name}_from": first.astype(float) for name, first in begun.items()},
        **on,
        "since": on["trained"] * (month - begun["trained"]),
        "site": lean[site], "month": month - 6.0, "shock": shock[site, month - 1],
        "agent": skill[site, agent], "live": live[site, agent, month - 1],
        "severity": rating(rng.normal(5, 2, n), 0, 10, 0.1) - 5, "rest": rng.normal(size=n),
    }  # fmt: skip


def contacts(rng: np.random.Generator, seed: int, n: int) -> dict[str, Array]:
    return circumstances(rng, seed, rng.integers(0, SITES, n), rng.integers(1, MONTHS + 1, n))


def compassion(columns: Columns) -> Array:
    return np.clip(predictor(SLOPES["compassion"], columns), 0, 10)


def recommends(columns: Columns) -> Array:
    return probability(predictor(SLOPES["recommends"], columns))


def solved(columns: Columns) -> Array:
    return probability(predictor(SLOPES["solved"], columns))


def kindness(columns: Columns) -> Array:
    """As colleagues see an agent who was not rewarded."""
    return np.clip(predictor(SLOPES["kindness"], columns), 1, 7)


def distress(columns: Columns) -> Array:
    return np.clip(predictor(SLOPES["distress"], columns), 0, 100)


def starts_of(columns: Columns, name: str) -> pd.Series:
    """The first month of each row's site, empty where it never comes."""
    return pd.Series(columns[f"{name}_from"].astype(int), dtype="Int64").mask(columns[f"{name}_from"] == 99)


def labels(columns: Columns) -> dict[str, object]:
    site, agent = columns["site_number"].astype(int) + 1, columns["agent_number"].astype(int) + 1
    return {
        "site": [f"s{one:02d}" for one in site],
        "agent_id": [f"s{one:02d}-a{other}" for one, other in zip(site, agent, strict=True)],
        "month": columns["month_number"].astype(int),
    }


def chunks(rows: int, seed: int) -> Iterator[dict[str, pd.DataFrame]]:
    """Both files at once; `rows` counts contacts, and every agent answers every month."""
    rng = np.random.default_rng([seed, 1])
    columns = contacts(rng, seed, rows)
    frame = {
        "contact_id": np.arange(1, rows + 1),
        **labels(columns),
        **{
            key: value
            for name in ("trained", "free")
            for key, value in ((name, columns[name].astype(int)), (f"{name}_from", starts_of(columns, name)))
        },
        "feedback": np.where(columns["live"] == 1, "live", "late"),
        "severity": np.round(columns["severity"] + 5, 1),
        "compassion": np.round(compassion(columns), 1),
        "recommends": yes(rng, recommends(columns), rows),
        "solved": yes(rng, solved(columns), rows),
    }
    site, agent, month = (part.ravel() for part in np.mgrid[0:SITES, 0:AGENTS, 1 : MONTHS + 1])
    people = circumstances(rng, seed, site, month)
    house = np.random.default_rng([seed, 8]).normal(size=(SITES, AGENTS))
    people |= {"agent_number": agent.astype(float), "agent": house[site, agent]}
    rewarded = (agent == 0) & (people["recognised_from"] < 99)
    seen = kindness(people) + rewarded * people["recognised"]  # the rewarded do become kinder
    waves = {
        **labels(people),
        "recognised": people["recognised"].astype(int),
        "recognised_from": starts_of(people, "recognised"),
        "rewarded": rewarded.astype(int),
        "kindness": rating(seen, 1, 7, 0.1),
        "escalates": people["escalates"].astype(int),
        "escalates_from": starts_of(people, "escalates"),
        "distress": np.round(distress(people), 1),
    }
    yield {"contacts.csv": pd.DataFrame(frame), "agents.csv": pd.DataFrame(waves)}


def population(seed: int) -> Columns:
    """Contacts of the same sites, over which the truth is averaged."""
    return contacts(np.random.default_rng([seed, 0, 1]), seed, POPULATION)


def among_started(expected: Callable[[Columns], Array], columns: Columns, name: str, *more: str) -> float:
    """Mean of what having started changes, over the rows that have; `more` goes back to nothing with it."""
    started = {key: values[columns[name] == 1] for key, values in columns.items()}
    without = {key: np.zeros_like(started[key]) for key in (name, *more)}
    return float(np.mean(expected(started) - expected({**started, **without})))


PLANTED = (
    Planted(
        "training",
        "real",
        "supported",
        True,
        "points",
        lambda contacts: among_started(compassion, contacts, "trained", "since"),
        "Mean rise in rated compassion over all contacts of trained sites, growing each month. Kinder sites were"
        " trained first, so the crude difference is too large; what grows misleads the usual two-way regression, which"
        " is too low.",
    ),
    Planted(
        "recommendation",
        "small",
        "too small to matter",
        False,
        "probability",
        lambda contacts: among_started(recommends, contacts, "trained"),
        "Mean change of the chance to recommend over all contacts of trained sites: there, but far below what matters.",
    ),
    Planted(
        "freedom",
        "real",
        "supported",
        False,
        "probability",
        lambda contacts: among_started(solved, contacts, "free"),
        "Mean rise in the chance of a solution at the first contact over all contacts of sites free to bend rules.",
    ),
    Planted(
        "recognition",
        "contrary",
        "contradicted",
        False,
        "points",
        lambda contacts: among_started(kindness, contacts, "recognised"),
        "Mean change in the kindness of agents who were not themselves rewarded: rewards for a few make the others less"
        " kind. The rewarded become kinder, so that all together would look unchanged.",
    ),
    Planted(
        "live_feedback",
        "real",
        "supported",
        False,
        "points",
        lambda contacts: switch(compassion, contacts, "live"),
        "Mean compassion with feedback on the same day less that with a score sheet after a quarter; the lot decided"
        " for each agent and month.",
    ),
    Planted(
        "escalation",
        "real",
        "supported",
        False,
        "points",
        lambda contacts: among_started(distress, contacts, "escalates"),
        "Mean change in distress over all months of agents who may hand over a hard case.",
    ),
)
