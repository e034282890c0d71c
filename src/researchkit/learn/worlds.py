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


def write(lesson: Lesson, tables: dict[str, pd.DataFrame]) -> Path:
    """A lesson's study in a folder of its own, which goes when Python does."""
    folder = Path(tempfile.mkdtemp(prefix="researchkit-lesson-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name, frame in tables.items():
        frame.to_csv(folder / name, index=False)
    (folder / "study.yml").write_text(lesson.study, encoding="utf-8")
    return folder
