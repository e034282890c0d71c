"""A hospital whose wards begin by lot, a few in each wave, and hospitals that adopted a policy when they liked.

The wards are a stepped wedge: in the last wave all have begun. The hospitals that adopted were getting better before,
and the policy does nothing: no comparison of theirs may be believed. Nothing here was measured.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from researchkit.simulate.contact_centre_rollout import among_started
from researchkit.simulate.draws import Array, Columns, predictor, probability, rating, yes
from researchkit.simulate.truths import Planted

ROWS = 2_400
SEED = 20251101
FILES = ("staff.csv", "calls.csv", "hospitals.csv")
WARDS, WAVES, A_WARD = 20, 6, 25  # wards; waves; staff of a ward who answer, in a study of the usual size
HOSPITALS, YEARS, FIRST = 36, 9, 2015
POPULATION = 200_000
STARTS = ("support", "mission", "trained")
SLOPES = {
    "exhaustion": {"one": 48.0, "ward": 6.0, "wave": 0.8, "shock": 2.0, "support": -6.0, "rest": 13.0},
    "purpose": {"one": 4.5, "ward": 0.4, "wave": -0.03, "shock": 0.1, "mission": 0.03, "rest": 0.9},
    "right": {"one": -0.3, "ward": 0.5, "wave": 0.05, "shock": 0.2, "trained": 1.2},
}


def circumstances(rng: np.random.Generator, seed: int, n: int) -> dict[str, Array]:
    """Wards and waves of n answers or calls; in each wave from 1 on four more wards begin, each thing by a lot of its
    own, so that nobody is without it in the last."""
    house = np.random.default_rng([seed, 7])
    ward, wave = rng.integers(0, WARDS, n), rng.integers(0, WAVES, n)
    level, shock = house.normal(size=WARDS), house.normal(size=(WARDS, WAVES))
    first = {name: house.permutation(np.repeat(np.arange(1, WAVES), WARDS // (WAVES - 1))) for name in STARTS}
    begun = {name: starts[ward] for name, starts in first.items()}
    return {
        "ward_number": ward.astype(float), "wave": wave.astype(float),
        **{f"{name}_from": starts.astype(float) for name, starts in begun.items()},
        **{name: (wave >= starts).astype(float) for name, starts in begun.items()},
        "ward": level[ward], "shock": shock[ward, wave], "rest": rng.normal(size=n),
    }  # fmt: skip


def exhaustion(columns: Columns) -> Array:
    return np.clip(predictor(SLOPES["exhaustion"], columns), 0, 100)


def purpose(columns: Columns) -> Array:
    return np.clip(predictor(SLOPES["purpose"], columns), 1, 7)


def right(columns: Columns) -> Array:
    return probability(predictor(SLOPES["right"], columns))


def begun(columns: Columns, *names: str) -> dict[str, object]:
    """What had begun in each row's ward, and in which wave it did."""
    ward, wave = (columns[name].astype(int) for name in ("ward_number", "wave"))
    told = {key: columns[key].astype(int) for name in names for key in (name, f"{name}_from")}
    return {"ward": [f"w{one + 1:02d}" for one in ward], "wave": wave, **told}


def hospitals(rng: np.random.Generator) -> pd.DataFrame:
    """Readmission in per cent by year; those that adopt get better by a third of a point a year, before and after."""
    adopts = np.repeat([FIRST + 4, FIRST + 6, 0], HOSPITALS // 3)
    house, year = (part.ravel() for part in np.mgrid[0:HOSPITALS, FIRST : FIRST + YEARS])
    level = rng.normal(15, 1.5, HOSPITALS)
    rate = level[house] - 0.33 * (adopts[house] > 0) * (year - FIRST) + rng.normal(0, 0.5, len(house))
    starts = pd.Series(adopts[house], dtype="Int64").mask(adopts[house] == 0)
    return pd.DataFrame(
        {
            "hospital": [f"h{one + 1:02d}" for one in house],
            "year": year,
            "adopted": ((adopts[house] > 0) & (year >= adopts[house])).astype(int),
            "adopted_from": starts,
            "readmission": np.round(rate, 1),
        }
    )


def chunks(rows: int, seed: int) -> Iterator[dict[str, pd.DataFrame]]:
    """All files at once; `rows` counts calls of simulated callers, and staff answer in proportion."""
    rng = np.random.default_rng([seed, 1])
    calls = circumstances(rng, seed, rows)
    staff = circumstances(rng, seed, max(round(rows * WARDS * WAVES * A_WARD / ROWS), 1))
    answers = {
        "answer_id": np.arange(1, len(staff["wave"]) + 1),
        **begun(staff, "support", "mission"),
        "exhaustion": np.round(exhaustion(staff), 1),
        "purpose": rating(purpose(staff), 1, 7, 0.1),
    }
    visits = {
        "call_id": np.arange(1, rows + 1),
        **begun(calls, "trained"),
        "right_response": yes(rng, right(calls), rows),
    }
    yield dict(zip(FILES, (pd.DataFrame(answers), pd.DataFrame(visits), hospitals(rng)), strict=True))


def population(seed: int) -> Columns:
    """Answers from the same wards, over which the truth is averaged, as long as some had not begun."""
    columns = circumstances(np.random.default_rng([seed, 0, 1]), seed, POPULATION)
    return {name: values[columns["wave"] < WAVES - 1] for name, values in columns.items()}


PLANTED = (
    Planted(
        "support",
        "real",
        "supported",
        False,
        "points",
        lambda staff: among_started(exhaustion, staff, "support"),
        "Mean change in exhaustion over all answers from wards with support, while others had none. The lot decided, so"
        " the crude difference is right as well, but for the waves.",
    ),
    Planted(
        "mission",
        "small",
        "too small to matter",
        False,
        "points",
        lambda staff: among_started(purpose, staff, "mission"),
        "Mean change in the sense of purpose: there, but far below what matters.",
    ),
    Planted(
        "wide_training",
        "real",
        "supported",
        False,
        "probability",
        lambda calls: among_started(right, calls, "trained"),
        "Mean rise in the chance of the right response to a caller who was sent, while others had not been trained.",
    ),
    Planted(
        "policy",
        "zero",
        "cannot tell",
        True,
        "percentage points",
        lambda _: 0.0,
        "The policy does nothing. Hospitals that adopted it were getting better before and went on, so that every"
        " comparison over time is biased, and the times before the start show it.",
    ),
)
