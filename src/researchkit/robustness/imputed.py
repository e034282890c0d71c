"""The answer with the gaps filled many times: what predicts what, how often, and the copies' answers made into one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from researchkit.errors import EstimationError
from researchkit.progress import steps
from researchkit.robustness.bounds import range_of
from researchkit.robustness.gaps import Gaps
from researchkit.robustness.impute import Array, Block, completed
from researchkit.robustness.linear import worth

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.estimators import Effect
    from researchkit.estimators.effect import Vector
    from researchkit.estimators.pooled import Pooled
    from researchkit.parts import Question
    from researchkit.study import Study

LEAST, USUAL, MOST = 5, 20, 100  # copies
ROUNDS = 5
VALUES = 2  # a number with more different values than these is measured
SECONDS = 2.5  # that the copies may take, by the reckoning of `copies`
# Seconds that a row and column cost, about, on a desktop computer of 2024: in each kind's model, in a step of filling.
COST = {"score": 1e-7, "change": 1e-7, "yes_no": 1.5e-7, "ordered": 3e-7, "counts": 1.5e-7, "duration": 4e-7}
STEP, START = 2.5e-8, 1.5e-3


@dataclass(frozen=True)
class Imputed:
    """The pooled answer, and what is expected (n,) of each outcome that is missing, in the headline's unit."""

    pooled: Pooled
    low: float
    high: float
    p: float
    wanted: int  # copies, had time not mattered
    expected: Vector

    def to_dict(self) -> dict[str, Any]:
        """The pooled answer as it stands in `result.json`."""
        one = self.pooled
        return {
            "copies": one.m,
            "estimate": one.estimate,
            "se": one.se,
            "low": self.low,
            "high": self.high,
            "p": self.p,
            "df": one.df,
            "fmi": one.fmi,
            "monte_carlo_error": one.monte_carlo_error,
        }


@dataclass(frozen=True)
class Layout:
    """A sample's arrays side by side, which of them are filled together, and where they go back to."""

    columns: Array
    blocks: tuple[Block, ...]
    outcome: int | None  # place of the outcome, None where it cannot be missing
    baseline: int | None

    @property
    def open(self) -> int:
        """How many of the blocks have gaps."""
        return sum(bool(np.isnan(self.columns[:, block.places[0]]).any()) for block in self.blocks)

    def sample(self, sample: Sample, filled: Array) -> Sample:
        """The sample with what was filled in."""
        p = sample.covariates.shape[1]
        more: dict[str, Any] = {"exposure": filled[:, 0], "covariates": filled[:, 1 : 1 + p]}
        if self.outcome is not None:
            more["outcome"] = filled[:, self.outcome]
        if self.baseline is not None:
            more["baseline"] = filled[:, self.baseline]
        return replace(sample, **more)


def imputed(gaps: Gaps, study: Study, question: Question, level: float) -> Imputed:
    """The answer under multiple imputation, by the headline's own model and errors on each completed copy.

    `gaps` must have no rows that lack what nothing can fill. Everything that the question uses predicts everything:
    exposure, outcome, baseline, adjustments, weights, time of observation; of a duration whether it ended (each way),
    and the cumulative hazard at its end (White and Royston 2009, Statistics in Medicine 28, 1982-1998).

    Raises
    ------
    EstimationError
        If a copy cannot be answered, or a column has nothing to fill it from.
    """
    from researchkit.estimators import estimate_sample
    from researchkit.estimators.pooled import pooled, pooled_df

    sample = gaps.sample
    plan = layout(sample, study, question)
    wanted = min(max(USUAL, math.ceil(100 * float(gaps.incomplete.mean()))), MOST)
    number = copies(wanted, sample, question, plan.open)
    rng = np.random.default_rng(study.seed)
    effects: list[Effect] = []
    expected = np.zeros(len(sample.outcome))
    with steps("copies with gaps filled", number) as done:
        for filled in completed(plan.columns, plan.blocks, rng, copies=number, rounds=ROUNDS, cluster=sample.cluster):
            whole = plan.sample(sample, filled)
            effects.append(estimate_sample(whole, question, level))
            if plan.outcome is not None:
                expected += worth(whole, question)[0] / number
            done()
    df = pooled_df([one.df for one in effects])
    found = pooled([one.estimate for one in effects], [one.se**2 for one in effects], df)
    return Imputed(found, *found.interval(level), wanted, expected)


def copies(wanted: int, sample: Sample, question: Question, blocks: int) -> int:
    """As many copies as wanted, or as fit the time by a reckoning that is the same on every machine; at least 5.

    A hundredth of the rows incomplete asks for one copy (White, Royston and Wood 2011, Statistics in Medicine 30,
    377-399, section 7), but never for fewer than 20.
    """
    size = len(sample.outcome) * (sample.covariates.shape[1] + 4)
    steps = blocks * (ROUNDS if blocks > 1 else 1)
    each = START + size * COST[question.outcome.kind] + steps * (START + size * STEP)
    return max(LEAST, min(wanted, int(SECONDS / each)))


def layout(sample: Sample, study: Study, question: Question) -> Layout:
    """Lay a sample out for filling: exposure (with its further levels), adjustments, outcome, baseline, the rest."""
    outcome = question.outcome
    columns = [sample.exposure, *sample.covariates.T]
    own = question.exposure.column
    further = [place for place, group in enumerate(sample.groups, 1) if group == own]
    ends = range_of(study, own)
    ends = ends and (ends[0] / question.exposure.per, ends[1] / question.exposure.per)
    blocks = [_block([0, *further], columns, ends, number=not (sample.binary_exposure or further))]
    for group in dict.fromkeys(group for group in sample.groups if group != own):
        places = [place for place, one in enumerate(sample.groups, 1) if one == group]
        blocks.append(_block(places, columns, range_of(study, group), number=sample.names[places[0] - 1] == group))
    at, baseline = None, None
    if outcome.kind == "duration":
        columns += _watched(sample)
    else:
        at, columns = len(columns), [*columns, sample.outcome]
        number = outcome.kind in ("score", "change")
        blocks.append(_block([at], columns, range_of(study, outcome.column), number=number))
    if sample.baseline is not None:
        baseline, columns = len(columns), [*columns, sample.baseline]
        blocks.append(_block([baseline], columns, range_of(study, str(outcome.baseline)), number=True))
    columns += [one for one in (sample.weights, sample.offset_time) if one is not None]
    return Layout(np.column_stack(columns), tuple(blocks), at, baseline)


def _block(places: list[int], columns: list[Vector], ends: tuple[float, float] | None, *, number: bool) -> Block:
    """Together or alone; measured where it is a number with many values, kept within the ends that the study names."""
    values = columns[places[0]]
    measured = number and len(places) == 1 and len(np.unique(values[np.isfinite(values)])) > VALUES
    return Block(tuple(places), measured, ends or (-math.inf, math.inf)) if measured else Block(tuple(places))


def _watched(sample: Sample) -> list[Vector]:
    """Of a duration: whether it ended, each way in a column, and the cumulative hazard of that end (Nelson-Aalen)."""
    if sample.event is None:
        raise EstimationError("the sample says of nobody whether the event happened.")
    columns = []
    for code in (1, 2):
        ended = np.minimum(sample.event, 2) == code
        if ended.any():
            columns += [ended.astype(float), hazard(sample.outcome, ended, sample.entry)]
    return columns


def hazard(time: Vector, ended: Any, entry: Vector | None) -> Vector:
    """(n,) the hazard that each row went through, from its entry to its end: Nelson and Aalen's estimate."""
    times, number = np.unique(time[ended], return_counts=True)
    gone = np.searchsorted(np.sort(time), times)
    entered = len(time) if entry is None else np.searchsorted(np.sort(entry), times)
    total = np.concatenate([[0.0], np.cumsum(number / (entered - gone))])
    through: Vector = total[np.searchsorted(times, time, side="right")]
    return through if entry is None else through - total[np.searchsorted(times, entry, side="right")]
