"""What cannot be estimated honestly, said by name, with the count and what to do; all of it at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError, listing
from researchkit.estimators.effect import Matrix, Vector, ways
from researchkit.wording import number

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question

FEW_CLUSTERS = 20  # fewer, and clustered errors are themselves uncertain
FEW_EVENTS = 5
RARE, RARE_ON_ONE_SIDE = 25, 10  # fewer, and intervals keep their promise only roughly (see `researchkit.calibrate`)


def check(sample: Sample, question: Question, more: Sequence[str] = ()) -> tuple[str, ...]:
    """Raise one `EstimationError` with every reason against this sample; return notes on what is merely weak.

    `more` holds the reasons that the outcome's own kind has found.
    """
    n = len(sample.outcome)
    if n == 0:
        raise EstimationError(f"{_subject(question)}: none of {sample.rows} rows is complete. {_most_lost(sample)}")
    arms = _arms(sample, question)
    problems = [*_not_finite(sample, question), *_no_contrast(sample, question), *_clusters(sample, arms), *more]
    need = sample.covariates.shape[1] + 4 if sample.covariates.ndim == 2 else 4
    if n < need:
        problems.append(
            f"{n} complete rows are too few for {need - 2} coefficients: at least {need} are needed. Adjust for fewer "
            f"columns, or collect more data. {_most_lost(sample)}"
        )
    if problems:
        raise EstimationError(listing(_subject(question), problems))
    return _weak(sample, arms)


def rare(events: Vector, sample: Sample, question: Question) -> tuple[str, ...]:
    """A note where few `events` (n,), of all rows or on one side of a 0/1 exposure, leave the interval rough."""
    return few_events(float(events.sum()), [float(events[arm].sum()) for arm in _arms(sample, question)])


def few_events(total: float, sides: Sequence[float]) -> tuple[str, ...]:
    """The same of events counted before: in `total`, and on either side of a 0/1 exposure."""
    if total < RARE:
        few = f"fewer than {RARE}"
    elif sides and min(sides) < RARE_ON_ONE_SIDE:
        few = f"fewer than {RARE_ON_ONE_SIDE} on one side"
    else:
        return ()
    return (
        f"few events: {few}; with so few, an interval holds the truth only roughly as often as it says: too often "
        "where there is no effect, not often enough where there is a large one",
    )


def level(value: float) -> None:
    """Refuse a coverage that is no share."""
    if not 0 < value < 1:
        raise EstimationError(f"The level of an interval lies between 0 and 1, such as 0.95; it is {value}.")


def separating(columns: Matrix, names: Sequence[str], ended: NDArray[np.bool_]) -> list[str]:
    """Columns (n, p) of which one side goes with one outcome only: their log odds ratio has no finite value."""
    problems = []
    for column, name in zip(columns.T, names, strict=True):
        yes, no = column[ended], column[~ended]
        if not len(yes) or not len(no) or np.ptp(column) == 0:
            continue
        if yes.min() >= no.max() or yes.max() <= no.min():
            problems.append(_separated(name, column, "had the same outcome"))
    return problems


def eventless(columns: Matrix, names: Sequence[str], happened: NDArray[np.bool_]) -> list[str]:
    """Columns (n, p) of which one side saw no event at all: their log rate ratio has no finite value."""
    problems = []
    for column, name in zip(columns.T, names, strict=True):
        with_event, without = column[happened], column[~happened]
        if not len(with_event) or not len(without) or np.ptp(column) == 0 or np.ptp(with_event) > 0:
            continue
        if without.min() >= with_event[0] or without.max() <= with_event[0]:
            problems.append(_separated(name, column, "had no event"))
    return problems


def no_maximum(names: Sequence[str], coefficients: Vector, where: str = "") -> EstimationError:
    """The fit ran away: name the coefficient that ran furthest (`coefficients` per standard deviation)."""
    furthest = names[int(np.argmax(np.abs(coefficients)))]
    return EstimationError(
        f"The model has no finite best fit{where and ' '}{where}: the coefficient of {furthest} grows without end, so "
        "that some combination of columns tells the outcome exactly. Merge its rare levels, leave it out of `adjust`, "
        "or collect more data."
    )


def _separated(name: str, column: Vector, fate: str) -> str:
    values, counts = np.unique(column, return_counts=True)
    side = f"all {counts.min()} rows of its rarer value" if len(values) == 2 else "all rows on one side of it"
    return (
        f"{name} tells the outcome exactly: {side} {fate}, so its effect has no finite estimate. Merge it "
        "with a neighbouring level, leave it out of the question, or collect more data."
    )


def _subject(question: Question) -> str:
    return f"The question {question.id!r}"


def _most_lost(sample: Sample) -> str:
    """Where most rows went, for a person who wonders."""
    steps = [step for step in sample.flow if step.rows]
    if not steps:
        return "No row was dropped on the way."
    worst = max(steps, key=lambda step: step.rows)
    return f"Most of {sample.rows} rows were lost to: {worst.why} ({worst.rows})."


def _not_finite(sample: Sample, question: Question) -> list[str]:
    arrays: list[tuple[str, Vector | None]] = [
        (question.outcome.column, sample.outcome),
        (sample.exposure_name, sample.exposure),
        *zip(sample.names, np.asarray(sample.covariates).reshape(len(sample.outcome), -1).T, strict=True),
        ("the weights", sample.weights),
        ("the baseline", sample.baseline),
        ("the exposure time", sample.offset_time),
        ("the entry time", sample.entry),
    ]
    problems = []
    for name, values in arrays:
        bad = 0 if values is None else int(np.sum(~np.isfinite(values)))
        if bad:
            problems.append(
                f"{name} has {bad} values that are not finite numbers. Correct them or declare them missing."
            )
    if sample.weights is not None and (low := int(np.sum(sample.weights <= 0))):
        problems.append(f"{low} weights are zero or negative. Leave those rows out with `keep`.")
    return problems


def _no_contrast(sample: Sample, question: Question) -> list[str]:
    problems = []
    for name, values in ((sample.exposure_name, sample.exposure), (question.outcome.column, sample.outcome)):
        if len(np.unique(values)) == 1:
            problems.append(
                f"{name} is the same in all {len(values)} complete rows, so there is nothing to compare. Look at the "
                "`keep` rules and at how rows were lost to missing values."
            )
    return problems


def _arms(sample: Sample, question: Question) -> list[NDArray[np.bool_]]:
    """The rows (n,) without and with the exposure, further levels in neither; none where it is a number."""
    if not sample.binary_exposure:
        return []
    others = [group == question.exposure.column for group in sample.groups]
    further = (np.asarray(sample.covariates).reshape(len(sample.outcome), -1)[:, others] != 0).any(axis=1)
    return [(sample.exposure == arm) & ~further for arm in (0, 1)]


def _clusters(sample: Sample, arms: Sequence[NDArray[np.bool_]]) -> list[str]:
    """One cluster, or one arm that is one cluster and nothing else, has no spread between clusters to judge by."""
    return [problem for codes, name in ways(sample) for problem in _one_way(sample, arms, codes, name)]


def _one_way(sample: Sample, arms: Sequence[NDArray[np.bool_]], codes: NDArray[np.int64], name: str) -> list[str]:
    if len(np.unique(codes)) < 2:
        return [
            f"all {len(sample.outcome)} rows belong to one value of {name}; errors that allow for clusters need at "
            "least 2. Name a finer column under `clusters`, or collect data from more of them."
        ]
    for side, arm in zip(("without", "with"), arms, strict=False):
        inside = np.unique(codes[arm])
        if len(inside) == 1 and np.all(arm[codes == inside[0]]):
            return [
                f"all rows {side} {sample.exposure_name} are one single {name} and nobody else is in it, so the "
                "exposure cannot be told from that one. At least 2 are needed on each side."
            ]
    return []


def _weak(sample: Sample, arms: Sequence[NDArray[np.bool_]]) -> tuple[str, ...]:
    notes = []
    for codes, name in ways(sample):
        groups = len(np.unique(codes))
        sides = [len(np.unique(codes[arm])) for arm in arms]
        if groups < FEW_CLUSTERS:
            notes.append(f"few clusters: {groups} ({name})")
        elif sides and min(sides) < 5:
            notes.append(f"few clusters: {min(sides)} on one side ({name})")
    n = len(sample.outcome)
    if sample.weights is not None and (worth := kish(sample.weights)) < n / 2:
        notes.append(f"uneven weights: {n} rows are worth {number(worth)} of equal weight (Kish's effective size)")
    return tuple(notes)


def kish(weights: Vector) -> float:
    """How many rows of equal weight these are worth: (sum w)² / sum w² (Kish 1965, Survey Sampling)."""
    share = weights / weights.sum()
    return float(1 / (share @ share))
