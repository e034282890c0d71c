"""What every answer about a flag or a score reads: its columns, who was reviewed, and on how few it rests."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from researchkit import wording
from researchkit.errors import EstimationError
from researchkit.estimators import refuse
from researchkit.estimators.effect import Vector
from researchkit.readers.values import a_number, canonical

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.designs import Detection
    from researchkit.parts import Question

FEWEST = 10  # true cases, or rows of a correlation, below which nothing is said
ROUGH = 25  # fewer in a group, and an interval keeps its promise only roughly


def asked(question: Question) -> Detection:
    assert question.detection is not None  # noqa: S101 - `detection` has looked
    return question.detection


def reviewed(sample: Sample, entry: Detection) -> Sample:
    """The sample with each row counted for as many as its chance of review says."""
    if not entry.chance:
        return sample
    chance = numbers(sample, entry.chance)
    if bad := int(np.sum(~((chance > 0) & (chance <= 1)))):
        raise EstimationError(
            f"{entry.chance}: {wording.count(bad)} entries are no chance of being reviewed, which lies above 0 and is "
            "1 at most. Rows that could not have been reviewed are not spoken for; leave them out by `keep`."
        )
    return replace(sample, weights=1 / chance)


def numbers(sample: Sample, column: str) -> Vector:
    """A column of the design as numbers."""
    values = sample.more[column]
    if values.dtype == object:
        raise EstimationError(f"{column}: numbers are wanted here, and it holds words.")
    return np.asarray(values, dtype=float)


def flagged(sample: Sample, entry: Detection) -> Vector:
    """1 where the flag says yes, and 0 elsewhere; it may have one other entry only."""
    values = sample.more[entry.by]
    if values.dtype == object:
        yes = np.array([value == canonical(entry.yes) for value in values], dtype=float)
    else:
        wanted = float(entry.yes) if a_number(entry.yes) else math.nan
        yes = np.asarray(values == wanted, dtype=float)
    others = np.unique(values[yes == 0].astype(str))
    if len(others) > 1 or not len(values):
        raise EstimationError(
            f"{entry.by}: a flag has two entries, and beside {entry.yes!r} there are {wording.count(len(others))} "
            "here. Say by `yes` which one counts, or use `recode`; for a score ask for `of: correlation`."
        )
    return yes


def ratings(sample: Sample, entry: Detection) -> NDArray[np.float64]:
    """The ratings (units, raters), or (units, raters, 2 occasions), of all units that every rater has rated."""
    first, second = (
        np.column_stack([numbers(sample, name) for name in names]) if names else None
        for names in (entry.raters, entry.again)
    )
    if first is None:
        raise EstimationError("the study file names no raters behind the score.")
    table = first[:, :, None] if second is None else np.stack([first, second], axis=2)
    whole = table[np.isfinite(table).all(axis=(1, 2))]
    return np.asarray(whole[:, :, 0] if second is None else whole, dtype=np.float64)


def rows(sample: Sample, kept: NDArray[np.bool_]) -> Sample:
    """Some rows of a sample; every array of it that has one entry a row."""
    n = len(sample.outcome)
    cut: dict[str, Any] = {
        name: value[kept]
        for name, value in vars(sample).items()
        if isinstance(value, np.ndarray) and value.ndim and len(value) == n
    }
    return replace(sample, **cut, more={name: values[kept] for name, values in sample.more.items()})


def clustered(sample: Sample) -> str:
    words = f", clustered by {sample.cluster_name}" if sample.cluster is not None else ""
    return words + (", weighted" if sample.weights is not None else "")


def few(n: int, sample: Sample) -> tuple[str, ...]:
    """Notes where a value rests on few rows or few clusters."""
    notes = (
        [] if n >= ROUGH else [f"few events: fewer than {ROUGH} rows to judge by; with so few, an interval is rough"]
    )
    if sample.cluster is not None and (groups := len(np.unique(sample.cluster))) < refuse.FEW_CLUSTERS:
        notes.append(f"few clusters: {groups}; fewer than {refuse.FEW_CLUSTERS} leave the error itself uncertain")
    return tuple(notes)


def partly(sample: Sample, entry: Detection) -> tuple[str, ...]:
    """What a review of a part rests on."""
    if not entry.chance:
        return ()
    return (
        "only a part was reviewed: each review counts for as many as its chance says; where that chance is wrong, so "
        "is the answer",
    )
