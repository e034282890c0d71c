"""Who had the exposure: what the planned alternatives that model it share, with weights and in folds.

Every kind of outcome becomes a mean of numbers here: a score, 0 or 1, events per unit of time (weighted by time), the
worth of an answer (1 in the top group, or points of an NPS).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError
from researchkit.estimators import counts, ordered, refuse, yes_no
from researchkit.estimators.design import Design, design
from researchkit.estimators.effect import Count, Matrix, Vector
from researchkit.estimators.likelihood import LOG, LOGIT, Link, RunsAway, fitted
from researchkit.estimators.score import checked
from researchkit.wording import number, percent, typed

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question

FEW_ALIKE = 10.0  # rows; an arm that is worth fewer after weighting rests on a handful of people
EDGE = 0.05  # a propensity below this, or above 1 less this, belongs to people with hardly any counterpart
NOTED = 0.01  # the share of such rows from which on it is noted

Arm = NDArray[np.bool_]  # (n,) the rows of one side
Sides = tuple[tuple[Arm, Vector], ...]  # with and without: the rows, and everybody's chance (n,) to be among them


@dataclass(frozen=True)
class Ready:
    """A question whose exposure is modelled too: n rows, p columns that may have led to the exposure.

    `outcome` (n,) is a number whose mean is compared, `size` (n,) what a row of it weighs (people times exposure time),
    `people` (n,) what a row weighs as people, `link` the outcome's model (None: least squares). `columns` are exposure
    and covariates, `reasons` (n, p) the covariates and the intercept alone, named by `names`.
    """

    outcome: Vector
    size: Vector
    people: Vector
    link: Link | None
    columns: Design
    reasons: Matrix
    names: tuple[str, ...]
    unit: str
    notes: tuple[str, ...]

    def arm(self, sample: Sample, level: float) -> Arm:
        """(n,) who has the exposure (1) or is at its reference (0); those of further levels are in neither."""
        others = (self.columns.matrix[:, self.columns.others] > self.columns.at(0)[:, self.columns.others]).any(axis=1)
        return (sample.exposure == level) & ~others


def ready(sample: Sample, question: Question) -> Ready:
    """The arrays of a question; refuses what the question's own kind refuses."""
    kind, outcome = question.outcome.kind, np.asarray(sample.outcome, dtype=float)
    people = np.ones(len(outcome)) if sample.weights is None else sample.weights
    size, link, unit = people, None, question.outcome.unit or "point"
    if kind in ("score", "change"):
        columns, _, notes = checked(sample, question)
    else:
        problems = yes_no.objections(outcome) if kind == "yes_no" else []
        problems += counts.objections(sample) if kind == "counts" else []
        problems += ordered.objections(sample) if kind == "ordered" else []
        notes = refuse.check(sample, question, problems)
        columns = design(sample, question.exposure.column)
    if kind == "yes_no":
        link, unit = LOGIT, "probability"
    elif kind == "counts":
        time = np.ones(len(outcome)) if sample.offset_time is None else sample.offset_time
        outcome, size, link = outcome / time, people * time, LOG
        unit = question.outcome.unit or counts.unit_of(sample, question)
    elif kind == "ordered":
        seen, place = np.unique(outcome.astype(int), return_inverse=True)
        outcome = ordered.counts_as(sample, question, seen)[place]
        link, unit = (None, "NPS points") if question.outcome.nps else (LOGIT, "probability")
    alone = np.ones(len(columns.names), dtype=bool)
    alone[0], alone[columns.others] = False, False
    names = tuple(name for name, own in zip(columns.names, alone, strict=True) if own)
    told = (*notes, *columns.notes)
    return Ready(outcome, size, people, link, columns, columns.matrix[:, alone], names, unit, told)


def refuse_same(now: Ready, sample: Sample, question: Question) -> None:
    """An arm in which everybody has the same outcome says nothing of its spread."""
    for level, side in ((1.0, "with"), (0.0, "without")):
        if np.ptp(now.outcome[now.arm(sample, level)]) == 0:
            raise EstimationError(
                f"The question {question.id!r}: all rows {side} {sample.exposure_name} have the same "
                f"{question.outcome.column}, so the error of their mean cannot be told. Collect more data."
            )


def chances(now: Ready, sample: Sample, question: Question) -> Sides:
    """Who is with the exposure and who without, each with everybody's chance of it, by their covariates."""
    sides = []
    for level in (1.0, 0.0):
        arm = now.arm(sample, level)
        try:
            at, _ = fitted(LOGIT, now.reasons, arm.astype(float), now.people)
        except RunsAway as away:
            raise told_apart(now.names, away.at, sample, question) from None
        sides.append((arm, LOGIT.mean(now.reasons @ at)))
    return tuple(sides)


def told_apart(names: tuple[str, ...], coefficients: Vector, sample: Sample, question: Question) -> EstimationError:
    """The exposure's own model ran away: some people had no choice."""
    furthest = names[int(np.argmax(np.abs(coefficients[:-1])))] if len(names) > 1 else "the intercept"
    return EstimationError(
        f"The question {question.id!r}: {furthest}, alone or with other columns of `adjust`, tells exactly who has "
        f"{sample.exposure_name}, so some people have no counterpart on the other side to be weighted up. Leave out "
        "those people with `keep`, or that column if it is no reason for the outcome."
    )


def overlap(sides: Sides, people: Vector, sample: Sample, question: Question) -> tuple[str, ...]:
    """Notes on how alike the sides are.

    Raises
    ------
    EstimationError
        If an arm is worth fewer than `FEW_ALIKE` rows after weighting (Kish's effective size).
    """
    worth = []
    for arm, chance in sides:
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            worth.append(refuse.kish(people[arm] / chance[arm]))
        if not worth[-1] >= FEW_ALIKE:
            raise EstimationError(
                f"The question {question.id!r}: with and without {sample.exposure_name} people are so unlike that "
                f"after weighting one side is worth {number(worth[-1])} rows; at least {typed(FEW_ALIKE)} are needed. "
                "Compare people who are more alike with `keep`, or adjust for fewer columns."
            )
    lowest, highest = (number(float(pick(sides[0][1]))) for pick in (np.min, np.max))
    notes = [
        f"propensities from {lowest} to {highest}",
        Count(f"after weighting the sides are worth {number(worth[0])} and {number(worth[1])} rows"),
    ]
    hardly = np.any([chance < EDGE for _, chance in sides], axis=0)
    share = float(people @ hardly / people.sum())
    if share >= NOTED:
        side = f"below {typed(EDGE)} for one side"
        notes.append(f"poor overlap: some have a propensity {side}, and hardly any counterpart there")
        notes.append(Count(f"{percent(share, 0)} of the rows have a propensity {side}"))
    return tuple(notes)
