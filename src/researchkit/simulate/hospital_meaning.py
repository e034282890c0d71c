"""A hospital in which it is known what carries the effect of connection, and of leaders: meaning, and the staff.

Staff who connect with patients find more meaning, which lowers stress; a light load makes all of it easier. Kind
leaders have kinder nurses, whom patients rate higher; wards with easy cases please leaders, nurses and patients alike.
Leaders are rated by ward, nurses by their colleagues, care by patients. Nothing here was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from researchkit.simulate.draws import Array, Columns, carried, hidden, predictor, rating, yes
from researchkit.simulate.truths import SMALL, SUPPORTED, UNTOLD, Planted

ROWS = 1_303
SEED = 20251101
FILES = ("patients.csv", "staff.csv")
CHUNK = 50_000  # patients made at once
POPULATION = 200_000
PER_WARD, NURSES_A_WARD, STAFF_A_PATIENT = 25, 5, 0.6

# What one unit adds. Leaders and connection are centred at 3, nurses' compassion at 3.2, meaning at 60, severity at 5,
# workload at 7 patients, stress before at 50.
SLOPES: dict[str, dict[str, float]] = {
    "leader": {"one": 0.3, "ease": 0.35},
    "nurse": {"leader": 0.5, "ease": 0.15, "own": 1.0},
    "care": {"one": 62.0, "nurse": 8.0, "leader": 1.0, "ease": 4.0, "severity": -1.5, "ward": 1.0},
    "food": {"one": 55.0, "nurse": 0.0, "leader": 0.0, "ease": 1.0, "severity": -0.5},
    "connection": {"one": 0.3, "workload": -0.2, "helpful": 0.2},
    "before": {"one": 50.0, "workload": 3.0, "helpful": -1.0},
    "meaning": {"connection": 6.0, "workload": -1.8, "helpful": 2.0, "before": -0.1, "strain": -0.5},
    "stress": {"one": 50.0, "meaning": -0.45, "connection": -0.5, "workload": 2.5, "before": 0.4, "strain": 1.0},
    "overtime": {"one": 14.0, "meaning": 0.0, "connection": 0.2, "workload": 1.5},
}


@dataclass(frozen=True)
class House:
    """One entry a ward: its leader, how easy its cases are, what else it adds; and of its nurses (w, 5) their own."""

    leader: Array
    ease: Array
    ward: Array
    strain: Array
    own: Array


def open_house(rng: np.random.Generator, rows: int) -> House:
    """Wards, their leaders and nurses. Wards with easy cases have kinder leaders."""
    wards = min(max(round(rows / PER_WARD), 12), 10_000)
    ease = rng.normal(0, 1, wards)
    leader = rating(3 + predictor(SLOPES["leader"], {"ease": ease}) + rng.normal(0, 0.6, wards), 1, 5, 0.1) - 3
    own = rng.normal(0, 0.12, (wards, 1)) + rng.normal(0, 0.35, (wards, NURSES_A_WARD))
    return House(leader, np.round(ease, 2), rng.normal(0, 1.2, wards), rng.normal(0, 2, wards), own)


def admitted(rng: np.random.Generator, n: int, house: House) -> dict[str, Array]:
    """Patients, shape (n,): ward, nurse, circumstances centred, and the nurse's compassion."""
    ward, nurse = rng.integers(len(house.leader), size=n), rng.integers(NURSES_A_WARD, size=n)
    columns: dict[str, Array] = {
        "at": ward.astype(float),
        "number": nurse.astype(float),
        "leader": house.leader[ward],
        "ease": house.ease[ward],
        "ward": house.ward[ward],
        "own": house.own[ward, nurse],
        "severity": rating(rng.normal(5, 2, n) - 0.5 * house.ease[ward], 0, 10, 0.1) - 5,
    }
    columns["nurse"] = kindness(columns)
    return columns


def kindness(columns: Columns) -> Array:
    """A nurse's compassion as colleagues see it, centred, before it is written down in tenths."""
    return np.clip(predictor(SLOPES["nurse"], columns), -2.2, 1.8)


def employed(rng: np.random.Generator, n: int, house: House) -> dict[str, Array]:
    """Staff, shape (n,): ward, circumstances centred, connection, stress before, meaning."""
    ward = rng.integers(len(house.leader), size=n)
    columns: dict[str, Array] = {
        "at": ward.astype(float),
        "strain": house.strain[ward],
        "workload": rating(rng.normal(7, 1.5, n), 2, 14, 0.5) - 7,
        "helpful": rating(rng.normal(3.5, 0.7, n), 1, 5, 0.1) - 3.5,
        "meaning_rest": rng.normal(0, 10, n),
    }
    columns["connection"] = rating(3 + predictor(SLOPES["connection"], columns) + rng.normal(0, 0.6, n), 1, 5, 0.1) - 3
    columns["before"] = rating(predictor(SLOPES["before"], columns) + rng.normal(0, 12, n), 0, 100) - 50
    columns["meaning"] = meaning(columns)
    return columns


def meaning(columns: Columns) -> Array:
    """Meaning of the work, centred, before it is written down in whole points."""
    return np.clip(60 + predictor(SLOPES["meaning"], columns) + columns["meaning_rest"], 0, 100) - 60


def patients(rng: np.random.Generator, n: int, house: House, first: int, digits: int) -> pd.DataFrame:
    """One chunk of patients.csv; `first` is the number of its first patient."""
    columns = admitted(rng, n, house)
    written = rating(3.2 + columns["nurse"], 1, 5, 0.1)
    columns["nurse"] = written - 3.2
    care = predictor(SLOPES["care"], columns) + rng.normal(0, 11, n)
    food = predictor(SLOPES["food"], columns) + rng.normal(0, 9, n)
    silent = yes(rng, 0.04 * np.exp(0.15 * columns["severity"]), n) == 1
    wards = names(house)
    return pd.DataFrame(
        {
            "patient_id": [f"p{number:0{digits}d}" for number in np.arange(n) + first],
            "ward": wards[columns["at"].astype(np.int64)],
            "nurse_id": [
                f"{wards[int(at)]}n{int(one)}" for at, one in zip(columns["at"], columns["number"], strict=True)
            ],
            "ease": columns["ease"],
            "severity": np.round(columns["severity"] + 5, 1),
            "leader_kindness": np.round(columns["leader"] + 3, 1),
            "nurse_compassion": np.round(written, 1),
            "care_rating": hidden(rating(care, 0, 100).astype(np.int64), silent),
            "food_rating": hidden(rating(food, 0, 100).astype(np.int64), silent),
        }
    )


def names(house: House) -> Any:
    width = max(2, len(str(len(house.leader))))
    return np.array([f"w{number + 1:0{width}d}" for number in range(len(house.leader))])


def staff(rng: np.random.Generator, n: int, house: House, first: int, digits: int) -> pd.DataFrame:
    """One chunk of staff.csv; `first` is the number of the first person."""
    columns = employed(rng, n, house)
    written = rating(60 + columns["meaning"], 0, 100)
    columns["meaning"] = written - 60
    stress = predictor(SLOPES["stress"], columns) + rng.normal(0, 8, n)
    overtime = predictor(SLOPES["overtime"], columns) + rng.normal(0, 4, n)
    gone = yes(rng, 0.08, n) == 1
    return pd.DataFrame(
        {
            "staff_id": [f"s{number:0{digits}d}" for number in np.arange(n) + first],
            "ward": names(house)[columns["at"].astype(np.int64)],
            "workload": columns["workload"] + 7,
            "helpful": np.round(columns["helpful"] + 3.5, 1),
            "connection": np.round(columns["connection"] + 3, 1),
            "stress_before": (columns["before"] + 50).astype(np.int64),
            "meaning": written.astype(np.int64),
            "stress": hidden(rating(stress, 0, 100).astype(np.int64), gone),
            "overtime": rating(overtime, 0, 80, 0.5),
        }
    )


def chunks(rows: int, seed: int) -> Iterator[dict[str, pd.DataFrame]]:
    """Both files' rows, chunk after chunk; each has its own seed, so none needs the one before."""
    house, per_chunk = open_house(np.random.default_rng([seed, 0]), rows), round(CHUNK * STAFF_A_PATIENT)
    for number, start in enumerate(range(0, rows, CHUNK)):
        rng, n, digits = np.random.default_rng([seed, number + 1]), min(CHUNK, rows - start), max(5, len(str(rows)))
        people = staff(rng, max(round(n * STAFF_A_PATIENT), 1), house, number * per_chunk, digits)
        yield {FILES[0]: patients(rng, n, house, start, digits), FILES[1]: people}


def population(seed: int) -> dict[str, Columns]:
    """Patients and staff of a larger hospital of the same kind, over which the truth is averaged."""
    rng = np.random.default_rng([seed, 0, 1])
    house = open_house(rng, POPULATION)
    return {"patients": admitted(rng, POPULATION, house), "staff": employed(rng, POPULATION, house)}


def by_meaning(name: str) -> Callable[[dict[str, Columns]], float]:
    return lambda house: carried(
        meaning, lambda people: predictor(SLOPES[name], people), house["staff"], "connection", "meaning"
    )


def by_nurses(name: str) -> Callable[[dict[str, Columns]], float]:
    return lambda house: carried(
        kindness, lambda people: predictor(SLOPES[name], people), house["patients"], "leader", "nurse"
    )


PLANTED = (
    Planted(
        "meaning_stress",
        "real",
        SUPPORTED,
        True,
        "points",
        by_meaning("stress"),
        "What a point of connection adds to meaning, times what a point of meaning takes from stress. Without workload"
        " and stress before it comes out too large.",
    ),
    Planted(
        "meaning_overtime",
        "zero",
        SMALL,
        True,
        "hours",
        by_meaning("overtime"),
        "Meaning does nothing to overtime; a heavy load lowers meaning and makes hours long, so that without it meaning"
        " seems to save hours.",
    ),
    Planted(
        "leader_care",
        "real",
        SUPPORTED,
        True,
        "points",
        by_nurses("care"),
        "What a point of the leader's kindness adds to the nurses', times what that adds to the patients' rating. Wards"
        " with easy cases have kinder leaders, kinder nurses and kinder patients: without that it is too large.",
    ),
    Planted(
        "leader_food",
        "zero",
        SMALL,
        False,
        "points",
        by_nurses("food"),
        "Nurses' compassion does nothing to the food.",
    ),
    Planted(
        "leader_care_hardest",
        "real",
        UNTOLD,
        True,
        "points",
        by_nurses("care"),
        "As `leader_care`, in the wards with the hardest cases: real, but these few wards could not show it.",
    ),
)
