"""A hospital in which it is known for whom compassion and training do more, and how much of a demand is too much.

Under a heavy load compassion wears out instead of carrying. Demand for empathy helps a little and then drains: a U.
Training does as much for those who come with little empathy as for the others, though those who start low rise most:
that is regression to the mean. Nothing here was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from researchkit.simulate.draws import Array, Columns, predictor, rating, slope, switch
from researchkit.simulate.truths import SMALL, SUPPORTED, Planted

ROWS = 3_001
SEED = 20251101
FILES = ("staff.csv", "recruits.csv")
CHUNK = 100_000
POPULATION = 200_000
PER_WARD = 50
RECRUITS_A_STAFF = 0.8

# Compassion is centred at 3, load at 8, demand at 5, empathy at 50 (in tens); "one" is the start.
SLOPES: dict[str, dict[str, float]] = {
    "compassion": {"one": 3.2, "load": -0.15},
    "exhaustion": {"one": 40.0, "compassion": -1.0, "load": 3.0, "compassion_load": 1.2, "leader": -3.0},
    "strain": {"one": 35.0, "demand": 0.8, "demand_square": 1.1, "load": 1.0},
    "before": {"one": 50.0, "empathy": 5.0},
    "after": {"one": 51.0, "empathy": 5.0, "trained": 6.0, "trained_empathy": 0.0},
}


def answering(rng: np.random.Generator, n: int, lean: Array) -> dict[str, Any]:
    """Staff: circumstances, centred floats (n,), and the number of the ward."""
    ward = rng.integers(len(lean), size=n)
    columns: dict[str, Any] = {
        "ward": ward,
        "leader": rating(rng.normal(3.2 + 0.3 * lean[ward], 0.6, n), 1, 5, 0.5) - 3,
        "load": rating(rng.normal(8 - 0.8 * lean[ward], 2.0, n), 3, 14, 0.5) - 8,
        "demand": rating(rng.normal(5, 2.0, n), 0, 10, 0.5) - 5,
    }
    columns["compassion"] = rating(predictor(SLOPES["compassion"], columns) + rng.normal(0, 0.8, n), 1, 5, 0.5) - 3
    return columns


def arriving(rng: np.random.Generator, n: int, lean: Array) -> dict[str, Any]:
    """Recruits: the empathy they come with, in tens around 50, and the lot."""
    columns: dict[str, Any] = {
        "ward": rng.integers(len(lean), size=n),
        "empathy": rng.normal(0, 1.0, n),
        "trained": rng.integers(0, 2, size=n).astype(float),
    }
    columns["tested"] = rating(50 + 10 * columns["empathy"] + rng.normal(0, 4, n), 0, 100) - 50
    columns["before"] = rating(predictor(SLOPES["before"], columns) + rng.normal(0, 6, n), 0, 100)
    return columns


def exhaustion(columns: Columns) -> Array:
    product = columns["compassion"] * columns["load"]
    return predictor(SLOPES["exhaustion"], {**columns, "compassion_load": product})


def strain(columns: Columns) -> Array:
    return predictor(SLOPES["strain"], {**columns, "demand_square": columns["demand"] ** 2})


def compassion_after(columns: Columns) -> Array:
    return predictor(SLOPES["after"], {**columns, "trained_empathy": columns["trained"] * columns["empathy"]})


def wards(seed: int, rows: int) -> Array:
    return np.random.default_rng([seed, 0]).normal(0, 0.8, min(max(rows // PER_WARD, 12), 30_000))


def staff(rng: np.random.Generator, n: int, lean: Array, first: int, digits: int) -> pd.DataFrame:
    """One chunk of staff.csv; `first` is the number of the first person."""
    columns = answering(rng, n, lean)
    width, strange = max(2, len(str(len(lean)))), 2.0 * lean[columns["ward"]]
    return pd.DataFrame(
        {
            "staff_id": [f"{number:0{digits}d}" for number in np.arange(n) + first],
            "ward": [f"w{number + 1:0{width}d}" for number in columns["ward"]],
            "leader_compassion": columns["leader"] + 3,
            "workload": columns["load"] + 8,
            "compassion_practised": columns["compassion"] + 3,
            "empathy_demanded": columns["demand"] + 5,
            "exhaustion": rating(exhaustion(columns) + strange + rng.normal(0, 12, n), 0, 100),
            "strain": rating(strain(columns) + strange + rng.normal(0, 12, n), 0, 120),
        }
    )


def recruits(rng: np.random.Generator, n: int, lean: Array, first: int, digits: int) -> pd.DataFrame:
    columns = arriving(rng, n, lean)
    width, after = max(2, len(str(len(lean)))), compassion_after(columns) + rng.normal(0, 6, n)
    return pd.DataFrame(
        {
            "recruit_id": [f"r{number:0{digits}d}" for number in np.arange(n) + first],
            "ward": [f"w{number + 1:0{width}d}" for number in columns["ward"]],
            "empathy_at_hire": columns["tested"] + 50,
            "course": np.where(columns["trained"] == 1, "trained", "waiting"),
            "compassion_before": columns["before"],
            "compassion_after": rating(after, 0, 100),
        }
    )


def chunks(rows: int, seed: int) -> Iterator[dict[str, pd.DataFrame]]:
    """Both files' rows, chunk after chunk; each has its own seed, so none needs the one before."""
    lean, per_chunk = wards(seed, rows), round(CHUNK * RECRUITS_A_STAFF)
    for number, start in enumerate(range(0, rows, CHUNK)):
        rng, n, digits = np.random.default_rng([seed, number + 1]), min(CHUNK, rows - start), max(4, len(str(rows)))
        people = staff(rng, n, lean, start, digits)
        new = recruits(rng, max(round(n * RECRUITS_A_STAFF), 1), lean, number * per_chunk, digits)
        yield {FILES[0]: people, FILES[1]: new}


def population(seed: int) -> dict[str, Columns]:
    """Staff and recruits of a larger hospital of the same kind, over which the truth is averaged."""
    rng, lean = np.random.default_rng([seed, 0, 1]), wards(seed, POPULATION)
    return {"staff": answering(rng, POPULATION, lean), "recruits": arriving(rng, POPULATION, lean)}


def at_load(people: Columns, load: float) -> float:
    return slope(exhaustion, {**people, "load": np.full_like(people["compassion"], load - 8)}, "compassion")


def under_demand(people: Columns, demand: float) -> float:
    return float(np.mean(strain({**people, "demand": np.full_like(people["compassion"], demand - 5)})))


def at_empathy(people: Columns, empathy: float) -> float:
    moved = {**people, "empathy": np.full_like(people["empathy"], (empathy - 50) / 10)}
    return switch(compassion_after, moved, "trained")


PLANTED = (
    Planted(
        "lighter_load",
        "real",
        SUPPORTED,
        False,
        "points",
        lambda house: at_load(house["staff"], 5) - at_load(house["staff"], 11),
        "Slope of exhaustion over compassion at a load of 5 less that at 11: under a light load compassion goes with"
        " less exhaustion, under a heavy one with more.",
    ),
    Planted(
        "too_much",
        "real",
        SUPPORTED,
        False,
        "points",
        lambda house: under_demand(house["staff"], 8) - under_demand(house["staff"], 5),
        "Mean strain at a demand of 8 less that at 5. Strain is lowest a little below 5 and rises on either side.",
    ),
    Planted(
        "born_kind",
        "zero",
        SMALL,
        False,
        "points",
        lambda house: at_empathy(house["recruits"], 65) - at_empathy(house["recruits"], 35),
        "What the course adds for those who come with an empathy of 65 less what it adds at 35: the same, so the claim"
        " that it works for the empathic only is false here.",
    ),
    Planted(
        "low_start",
        "zero",
        SMALL,
        False,
        "points",
        lambda house: at_empathy(house["recruits"], 65) - at_empathy(house["recruits"], 35),
        "What the course adds at a high start less at a low one: the same. Those who start low rise most, trained or"
        " not, for a low start is partly bad luck: regression to the mean.",
    ),
)
