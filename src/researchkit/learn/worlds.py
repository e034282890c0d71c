"""What lessons are made from: tables and studies made at first use, and what was planted in a world."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from researchkit import simulate

if TYPE_CHECKING:
    import pandas as pd

    from researchkit.estimators import Effect
    from researchkit.learn.exercise import Lesson


@cache
def planted(world: str, question: str) -> float:
    """What is true in a world, averaged over its large population: one question's number of `simulate.truth`."""
    (one,) = [planted for planted in simulate.PLANTED[world] if planted.question == question]
    return float(one.truth(population(world)))


@cache
def population(world: str) -> Any:
    """The large population of a world, of its usual seed."""
    module = simulate.WORLDS[world]
    return module.population(module.SEED)


@cache
def frame(name: str, file: str | None = None) -> pd.DataFrame:
    """A lesson's table, for its own answers: looked at, never changed."""
    from researchkit.learn import table

    return table(name, file)


@cache
def effect(name: str, question: str, adjust: tuple[str, ...] | None = None) -> Effect:
    """The effect that a lesson's study asks for; adjusted as the question says, or for other columns."""
    from researchkit.dataset import load_dataset
    from researchkit.estimators import estimate
    from researchkit.learn import study

    asked = study(name)
    return estimate(load_dataset(asked), asked.question(question), adjust=adjust)


def write(lesson: Lesson, tables: dict[str, pd.DataFrame]) -> Path:
    """A lesson's study in a folder of its own, which goes when Python does."""
    folder = Path(tempfile.mkdtemp(prefix="researchkit-lesson-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, frame in tables.items():
        frame.to_csv(folder / name, index=False)
    (folder / "study.yml").write_text(lesson.study, encoding="utf-8")
    return folder
