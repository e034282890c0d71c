"""How often the intervals of `contagion`, `halves` and `within` hold the truth, over simulated hospitals of people who
work together: `python -m researchkit.calibrate.peers QUESTION ...`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from researchkit.dataset import Dataset, load_dataset
from researchkit.estimators import estimate
from researchkit.simulate import simulate, truth, write_world
from researchkit.study import Study, load_study
from researchkit.wording import number, percent

WORLD, STUDIES, SEED = "hospital_teams", 1000, 20251101
QUESTIONS: tuple[str, ...] = (
    "rotation",
    "leader",
    "support",
    "compassion_exhaustion",
    "discretion",
    "reappraisal",
    "curt_reply",
)
QUESTIONS += ("empathy_session",)


@dataclass(frozen=True)
class Held:
    """One question over many simulated studies: the share of intervals that held the truth with its simulation error,
    the mean estimate beside the truth, and the standard error claimed beside the spread that there was."""

    question: str
    studies: int
    share: float
    error: float
    mean: float
    truth: float
    claimed: float
    spread: float

    def __str__(self) -> str:
        return (
            f"{self.question}: held {percent(self.share)} ± {percent(self.error)} of {self.studies}; estimates "
            f"{number(self.mean, 3)} where the truth is {number(self.truth, 3)}; standard errors "
            f"{number(self.claimed)} where estimates spread by {number(self.spread)}"
        )


def coverage(questions: Sequence[str], studies: int = STUDIES, *, rows: int = 480, seed: int = SEED) -> list[Held]:
    """The coverage of 95 % intervals, question by question, over `studies` hospitals of `rows` people each."""
    true = truth(WORLD, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        write_world(WORLD, folder, rows=rows, seed=seed)
        study = load_study(Path(folder))
        tables = {name: load_dataset(study, name) for name in study.tables}
    found: dict[str, list[tuple[float, float, bool]]] = {one: [] for one in questions}
    for number_ in range(studies):
        made = simulated(study, tables, rows, seed + 1 + number_)
        for one in questions:
            question = study.question(one)
            effect = estimate(made[study.table_of(question)], question)
            found[one].append((effect.estimate, effect.se, effect.low <= true[one]["truth"] <= effect.high))
    return [summed(one, np.array(rows_, dtype=float), true[one]["truth"]) for one, rows_ in found.items()]


def simulated(study: Study, tables: dict[str, Dataset], rows: int, seed: int) -> dict[str, Dataset]:
    """The tables of another hospital, read as those of the first."""
    frames = simulate(WORLD, rows=rows, seed=seed)
    made = {}
    for name, like in tables.items():
        frame = frames[f"{name}.csv"]
        plain = frame.astype({column: float for column in frame.select_dtypes("number")})
        made[name] = replace(like, frame=plain, arrived=plain, rows=len(plain), why=like.why.iloc[:0])
    return made


def summed(question: str, rows: np.ndarray, true: float) -> Held:
    share, n = float(rows[:, 2].mean()), len(rows)
    error = float(np.sqrt(share * (1 - share) / n))
    return Held(
        question, n, share, error, float(rows[:, 0].mean()), true, float(rows[:, 1].mean()), float(rows[:, 0].std())
    )


def main(words: Sequence[str]) -> None:
    for one in words or QUESTIONS:
        print(coverage([one])[0], flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
