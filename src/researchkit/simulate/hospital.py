"""A hospital in which it is known what compassion does to patients and to staff.

Here the sickest get the most kindness, so kindness looks harmful until severity is allowed for. Half of the patients,
by lot, get a short compassionate conversation as well. Staff answer a burnout scale in three waves; those who are worn
out leave, and a light load makes people kinder and fresher at once. Nothing here was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.simulate.draws import (
    Array,
    Columns,
    days_until,
    hidden,
    predictor,
    probability,
    rating,
    still_waiting,
    yes,
)

ROWS = 4_012
SEED = 20251101
FILES = ("stays.csv", "staff.csv")
CHUNK = 100_000  # stays made at once; memory does not grow beyond it
POPULATION = 200_000  # stays, and people on the staff, over which the truth is averaged
PER_NURSE, NURSES_A_WARD, STAFF_A_STAY, WAVES = 50, 3.3, 0.15, 3
ROLES = np.array(["nurse", "assistant", "therapist"])
AGES = np.array(["under 30", "30-44", "45 and over"])

# What one unit adds. Compassion and the leader's are centred at 3, severity at 5, age at 60, workload at 7 patients.
SLOPES: dict[str, dict[str, float]] = {
    "compassion": {"one": 3.2, "severity": 0.18, "nurse": 1.0},
    "before": {"one": 42.0, "severity": 1.5, "age": -0.05},
    "after": {"one": -4.0, "before": 0.55, "severity": 2.4, "compassion": -1.2, "arm": -3.0},
    "recovering": {"compassion": 0.25, "severity": -0.4, "age": -0.01},
    "dying": {"severity": 0.35, "age": 0.03},
    "readmitted": {"one": -2.5, "severity": 0.45, "age": 0.01, "compassion": 0.0},
    "nights": {"one": 2.0, "severity": 0.7, "age": 0.02, "arm": -0.05},
    "practised": {"one": 3.3, "workload": -0.25, "leader": 0.1},
    "exhaustion": {"one": 44.0, "workload": 4.0, "leader": -4.5, "practised": 0.0, "young": 3.0, "assistant": 2.0},
    "leaves": {"one": -1.1, "workload": 0.05, "leader": -0.04, "young": 0.3},
    "drops_out": {"one": -2.2, "exhaustion": 0.03},
}
RECOVERING = {"scale": 13.0, "shape": 1.2}  # days
DYING = {"scale": 600.0, "shape": 1.0}  # days
ITEM_SPREAD = 9.0  # logistic scale of one answer around the person's own level, in points of 0-100


@dataclass(frozen=True)
class House:
    """Who works there: one entry a nurse (`ward`, `nurse`, `share` of the stays) or a ward (`leader` by wave and half,
    `load`, `strain`)."""

    ward: NDArray[np.int64]
    nurse: Array
    share: Array
    leader: Array
    load: Array
    strain: Array


def open_house(rng: np.random.Generator, rows: int) -> House:
    """Wards, their nurses and their leaders. Well-led wards have a lighter load."""
    nurses = min(max(round(rows / PER_NURSE), 10), 30_000)
    wards = round(nurses / NURSES_A_WARD)
    share = rng.gamma(6.0, size=nurses)
    well_led = rng.normal(3.3, 0.65, wards)
    leader = well_led[:, None, None] + rng.normal(0, 0.2, (wards, WAVES, 1)) + rng.normal(0, 0.15, (wards, WAVES, 2))
    load = 7 - 0.8 * (well_led - 3.3) + rng.normal(0, 0.7, wards)
    return House(
        np.arange(nurses) % wards,
        rng.normal(0, 0.5, nurses),
        share / share.sum(),
        rating(leader, 1, 5, 0.1),
        load,
        rng.normal(0, 1.5, wards),
    )


def arrivals(rng: np.random.Generator, n: int, house: House) -> tuple[dict[str, Array], NDArray[np.int64]]:
    """Patients as they come, the nurse each gets, the kindness, and the lot; columns centred, shape (n,)."""
    nurse = rng.choice(len(house.share), size=n, p=house.share)
    columns: dict[str, Array] = {
        "severity": rating(rng.normal(5, 2.1, n), 0, 10, 0.1) - 5,
        "age": rating(rng.normal(60, 15, n), 18, 98) - 60,
        "nurse": house.nurse[nurse],
        "arm": rng.integers(0, 2, size=n).astype(float),
        "after_rest": rng.normal(0, 7, n),
        "nights_rest": rng.gamma(2.0, 1.5, n),
    }
    seen = predictor(SLOPES["compassion"], columns) + rng.normal(0, 0.6, n)
    columns["compassion"] = rating(seen, 1, 5, 0.5) - 3
    columns["before"] = rating(predictor(SLOPES["before"], columns) + rng.normal(0, 8, n), 20, 80)
    return columns, nurse


def anxiety_after(columns: Columns) -> Array:
    """State anxiety as added up from the items, 20 to 80."""
    return rating(predictor(SLOPES["after"], columns) + 20 + columns["after_rest"], 20, 80)


def anxiety_expected(columns: Columns) -> Array:
    """As `anxiety_after`, before rounding to whole points, so that a small step shows."""
    return np.clip(predictor(SLOPES["after"], columns) + 20 + columns["after_rest"], 20, 80)


def nights(columns: Columns) -> Array:
    """Nights in hospital, one at least, before rounding."""
    return np.maximum(predictor(SLOPES["nights"], columns) + columns["nights_rest"], 1)


def readmission(columns: Columns) -> Array:
    return probability(predictor(SLOPES["readmitted"], columns))


def days_ill(columns: Columns) -> Array:
    """Expected days without recovery up to day 30; those who die stay without it. Both are drawn in whole days."""
    recovering, dying = predictor(SLOPES["recovering"], columns), predictor(SLOPES["dying"], columns)
    unrecovered = days = np.ones(len(recovering))
    for day in range(1, 30):
        ill, well = (still_waiting(at, recovering, **RECOVERING) for at in (day - 1, day))
        unrecovered = unrecovered - (ill - well) * still_waiting(day - 1, dying, **DYING)
        days = days + unrecovered
    return days


def stays(rng: np.random.Generator, n: int, house: House, first: int, digits: int) -> pd.DataFrame:
    """One chunk of stays.csv; `first` is the number of its first patient."""
    columns, nurse = arrivals(rng, n, house)
    recovered = days_until(rng, predictor(SLOPES["recovering"], columns), **RECOVERING)
    died = days_until(rng, predictor(SLOPES["dying"], columns), **DYING)
    watched = rng.integers(20, 61, size=n)
    days = np.minimum(np.minimum(recovered, died), watched)
    ending = np.where(days == recovered, 1, np.where(days == died, 2, 0))
    readmitted = yes(rng, readmission(columns), n)
    uncounted = (ending == 2) | (watched < 23)  # dead, or discharged less than 30 days before the extract
    unasked = yes(rng, 0.05 * np.exp(0.1 * columns["severity"]), n) == 1
    width = max(3, len(str(len(house.share))))
    table: dict[str, Any] = {
        "patient_id": [f"{number:0{digits}d}" for number in np.arange(n) + first],
        "nurse_id": [f"n{number:0{width}d}" for number in nurse],
        "ward": ward_names(house, house.ward[nurse]),
        "age": (columns["age"] + 60).astype(np.int64),
        "severity": np.round(columns["severity"] + 5, 1),
        "compassion": columns["compassion"] + 3,
        "arm": np.where(columns["arm"] == 1, "compassionate", "usual"),
        "anxiety_before": columns["before"].astype(np.int64),
        "anxiety_after": hidden(anxiety_after(columns).astype(np.int64), unasked),
        "days_to_recovery": days.astype(np.int64),
        "ending": ending,
        "readmitted_30d": hidden(readmitted, uncounted),
        "length_of_stay": np.round(nights(columns)).astype(np.int64),
    }
    return pd.DataFrame(table)


def ward_names(house: House, wards: NDArray[np.int64]) -> list[str]:
    width = max(2, len(str(len(house.load))))
    return [f"w{number + 1:0{width}d}" for number in wards]


def answering(rng: np.random.Generator, n: int, house: House) -> dict[str, Array]:
    """Staff by wave, shape (3 n,), each person's waves together: circumstances, centred, and kindness practised."""
    person = np.repeat(np.arange(n), WAVES)
    wave = np.tile(np.arange(WAVES), n)
    ward, half = rng.integers(len(house.load), size=n), rng.integers(2, size=n)
    role, age = rng.choice(3, size=n, p=[0.6, 0.25, 0.15]), rng.choice(3, size=n, p=[0.3, 0.4, 0.3])
    own, load = rng.normal(0, 9, n), rng.normal(0, 1, n)
    columns: dict[str, Array] = {
        "person": person.astype(float),
        "wave": (wave + 1).astype(float),
        "ward": ward[person].astype(float),
        "role": role[person].astype(float),
        "age": age[person].astype(float),
        "young": (age[person] == 0).astype(float),
        "assistant": (role[person] == 1).astype(float),
        # the other half of the ward rates the leader, so that nobody rates both leader and own exhaustion
        "leader": house.leader[ward[person], wave, 1 - half[person]] - 3,
        "workload": rating(house.load[ward[person]] + load[person] + rng.normal(0, 0.7, n * WAVES), 2, 14, 0.5) - 7,
        "own": own[person] + house.strain[ward[person]] + rng.normal(0, 4, n * WAVES),
    }
    practised = predictor(SLOPES["practised"], columns) + rng.normal(0, 0.6, n * WAVES)
    columns["practised"] = rating(practised, 1, 5, 0.5) - 3
    return columns


def exhaustion(columns: Columns) -> Array:
    """A person's own level at a wave, in points of 0 to 100."""
    return predictor(SLOPES["exhaustion"], columns) + columns["own"]


def exhaustion_score(columns: Columns) -> Array:
    """Expected mean of the six items, each 0, 25, 50, 75 or 100: the chance of passing each half-way mark."""
    level = exhaustion(columns)
    return np.asarray(25 * sum(probability((level - mark) / ITEM_SPREAD) for mark in (12.5, 37.5, 62.5, 87.5)))


def thinks_of_leaving(columns: Columns) -> Array:
    return probability(predictor(SLOPES["leaves"], columns))


def still_here(rng: np.random.Generator, columns: Columns) -> NDArray[np.bool_]:
    """Who answers a wave: the worn out are the first to go, and nobody comes back."""
    worn = {"exhaustion": exhaustion(columns) - 44}
    goes = yes(rng, probability(predictor(SLOPES["drops_out"], worn)), len(columns["wave"])) == 1
    gone = np.cumsum(goes.reshape(-1, WAVES), axis=1) - goes.reshape(-1, WAVES)  # gone before this wave
    return np.asarray(gone.ravel() == 0)


def staff(rng: np.random.Generator, n: int, house: House, first: int, digits: int) -> pd.DataFrame:
    """One chunk of staff.csv: up to three rows a person; `first` is the number of the first person."""
    columns = answering(rng, n, house)
    here = still_here(rng, columns)
    items: dict[str, Any] = {}
    for number in range(1, 7):
        answer = exhaustion(columns) + rng.logistic(0, ITEM_SPREAD, n * WAVES)
        skipped = yes(rng, 0.01, n * WAVES) == 1
        items[f"cbi_{number}"] = hidden(rating(answer, 0, 100, 25).astype(np.int64), skipped)
    frame = pd.DataFrame(
        {
            "staff_id": [f"{int(number):0{digits}d}" for number in columns["person"] + first],
            "ward": ward_names(house, columns["ward"].astype(np.int64)),
            "wave": columns["wave"].astype(np.int64),
            "role": ROLES[columns["role"].astype(np.int64)],
            "age_band": AGES[columns["age"].astype(np.int64)],
            "leader_compassion": np.round(columns["leader"] + 3, 1),
            "compassion_practised": columns["practised"] + 3,
            "workload": columns["workload"] + 7,
            **items,
            "intends_to_leave": yes(rng, thinks_of_leaving(columns), n * WAVES),
        }
    )
    return frame[here].reset_index(drop=True)


def chunks(rows: int, seed: int) -> Iterator[dict[str, pd.DataFrame]]:
    """Both files' rows, chunk after chunk; each has its own seed, so none needs the one before."""
    house = open_house(np.random.default_rng([seed, 0]), rows)
    per_chunk = round(CHUNK * STAFF_A_STAY)
    for number, start in enumerate(range(0, rows, CHUNK)):
        rng = np.random.default_rng([seed, number + 1])
        n = min(CHUNK, rows - start)
        patients = stays(rng, n, house, start, max(5, len(str(rows))))
        people = staff(rng, max(round(n * STAFF_A_STAY), 1), house, number * per_chunk, max(4, len(str(rows))))
        yield {FILES[0]: patients, FILES[1]: people}


def population(seed: int) -> dict[str, Columns]:
    """Patients and staff of a larger hospital of the same kind, over which the truth is averaged."""
    rng = np.random.default_rng([seed, 0, 1])
    house = open_house(rng, POPULATION)
    patients, _ = arrivals(rng, POPULATION, house)
    return {"stays": patients, "staff": answering(rng, POPULATION // WAVES, house)}
