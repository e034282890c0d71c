"""The effect of a roll-out: the average over everybody who had started, as long as somebody had not.

One number for the sentence; beside it the effect by time since the start, by cohort of starters, and what the times
before the start say about the assumption that all would have moved alike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from researchkit import wording
from researchkit.disclosure import PROFILES
from researchkit.errors import EstimationError, some
from researchkit.estimators import refuse
from researchkit.estimators.effect import Count, Effect, Model, Term, told, wald
from researchkit.estimators.panel import Panel, design_of, panel, unit_of
from researchkit.estimators.stagger import Combined, Contrasts, Found, combined, contrasts

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.designs import Rollout
    from researchkit.parts import Question

POWER = 0.8
FEWEST = max(profile.threshold for profile in PROFILES.values())


@dataclass(frozen=True)
class Before:
    """What the times before the start say: `slope` the drift a period, `p` of any difference there, `missed` the drift
    that this look would have missed once in five, `reach` how many periods after its base the answer lies on average,
    `step` the largest move from one time before the start to the next."""

    slope: Found
    p: float
    missed: float
    reach: float
    step: float
    largest: float


@dataclass(frozen=True)
class Laid:
    """A roll-out laid out: the answer, the effect by periods since the start, and by cohort."""

    cells: Panel
    found: Contrasts
    every: Combined
    overall: Found
    events: dict[int, Found]
    cohorts: dict[int, Found]
    before: Before | None

    @property
    def alone(self) -> bool:
        """Whether one alone has started, and nobody can say what else happened there."""
        return len(np.unique(self.cells.cluster[(self.found.treated > 0).any(axis=0)])) == 1


def rollout(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """Average effect of having started, over all who had and still had somebody to be compared with.

    The interval is that of the jackknife over what starts as one, by t. Where one unit alone has started, it is that
    of what happens to the others by chance, and the verdict is "cannot tell" whatever it holds.

    Raises
    ------
    EstimationError
        As `panel`; for kinds that are no mean of rows; and where nobody has started, nobody is left to compare with,
        or nobody was seen before the start.

    References
    ----------
    See `stagger`. Point estimates agree with R, `lm(y ~ unit + period + cohort:period)` with never-treated (Sun and
    Abraham 2021, Journal of Econometrics 225, 175-199), which is the same number in a balanced panel.
    """
    refuse.level(level)
    refuse.check(replace(sample, cluster=None, crossed=None), question)
    laid = lay_out(sample, question)
    design, cells, overall = design_of(question), laid.cells, laid.overall
    unit = np.unique(sample.more[design.unit], return_inverse=True)[1]
    name = sample.cluster_name if cells.cluster.max() + 1 < len(cells.units) else design.unit
    tied = replace(sample, cluster=cells.cluster[unit].astype(np.int64), cluster_name=name, crossed=None)
    notes = [*refuse.check(tied, question), *limits(laid, design), *cells.notes]
    se, df = overall.se, overall.df
    if laid.alone:
        se, df = by_chance(laid), float(max(len(np.unique(cells.cluster)) - 2, 1))
        notes.append(
            f"one {name} alone has started, and what else happened there in these times cannot be told from it; the "
            "interval is that of what happened elsewhere by chance"
        )
    elif not math.isfinite(se):
        raise EstimationError(
            f"The question {question.id!r}: one {name} alone is left to compare with, so there is no telling how far "
            "two would differ by chance. More that start later, or never, are needed."
        )
    if sample.crossed_name:
        notes.append(f"errors allow for {name} alone, not for {sample.crossed_name}")
    whom = "those not yet started" if design.comparison == "not yet" else "those who never start"
    return told(
        tied,
        question,
        level,
        overall.estimate,
        se,
        df,
        unit=unit_of(question, sample),
        method=f"group-time effects against {whom}, averaged over all started, jackknife over {name}",
        model=Model(
            "group-time effects",
            f"jackknife over {name}",
            terms(laid, sample, design, se, df, level),
            "mean difference",
        ),
        notes=tuple(notes),
    )


def lay_out(sample: Sample, question: Question, **other: str) -> Laid:
    """The comparisons of a roll-out and their averages; `other` replaces entries of the design (see `Rollout`)."""
    design = design_of(question)
    kind = question.outcome.kind
    if kind in ("change", "duration"):
        raise EstimationError(
            f"The question {question.id!r}: a roll-out compares means of rows, and an outcome of kind {kind} has none "
            "here. Ask for kind `score` or `yes_no`; the change of each unit is what is compared anyway."
        )
    if other:
        design = design.model_copy(update=other)
        question = question.model_copy(update={"rollout": design})
    cells = panel(sample, question)
    found = contrasts(cells, design.comparison, design.anticipation, design.before)
    after = found.event >= 0
    if not after.any():
        raise EstimationError(f"The question {question.id!r}: {none_left(cells, design)}")
    every = Combined(cells, found)
    events = {int(e): every.average(found.event == e) for e in np.unique(found.event)}
    cohorts = {int(g): every.average(after & (found.cohort == g)) for g in np.unique(found.cohort[after])}
    overall = every.average(after)
    return Laid(cells, found, every, overall, events, cohorts, before_start(events, overall, every, design))


def none_left(cells: Panel, design: Rollout) -> str:
    """Why there is no comparison at all."""
    last = len(cells.periods)
    if (cells.start == last).all():
        return f"no {design.unit} has started by {cells.periods[-1]}, the last {design.time}, so there is no effect yet"
    if (cells.start[cells.start < last] <= design.anticipation).all():
        return (
            f"all that start have started by the first {design.time} ({cells.periods[0]}), so nobody was seen before. "
            f"Add earlier {design.time}s."
        )
    if design.comparison == "never" and (cells.start < last).all():
        return (
            f"every {design.unit} starts in the end, so nobody is left who never does. `comparison: not yet` compares "
            "with those that start later."
        )
    if len(np.unique(cells.start[cells.start > design.anticipation])) > 1:
        return (
            f"whenever a {design.unit} starts, nobody that has not was seen both then and before: the gaps leave "
            f"nothing to compare. Add the missing rows, or use longer {design.time}s."
        )
    return (
        f"whenever a {design.unit} starts, nobody is left that has not: all start at once, so that the start cannot be "
        f"told from whatever else happened then. At least one {design.unit} that starts later, or never, is needed."
    )


def before_start(events: dict[int, Found], overall: Found, every: Combined, design: Rollout) -> Before | None:
    """The look at the times before the start; None where there are fewer than two of them with an interval."""
    base = -1 - design.anticipation
    there = {e: part for e, part in events.items() if e <= base and math.isfinite(part.se)}
    if not there:
        return None
    steps = dict(there)
    if base not in steps:  # counted from it, so it stands at zero
        zero = next(iter(there.values()))
        steps[base] = Found(0.0, 0.0, 1.0, np.zeros_like(zero.left), np.zeros_like(zero.loads))
    at = sorted(steps)
    if len(at) < 2:
        return None
    line = np.array(at) - np.mean(at)
    slope = combined([steps[e] for e in at], line / (line @ line), every.cells.cluster)
    tests = [wald(part.estimate, part.se, 0.95, part.df)[2] for part in there.values()]
    own = wald(slope.estimate, slope.se, 0.95, slope.df)[2]
    p = min(1.0, 2 * min(own, len(tests) * min(tests)))
    from scipy import special

    missed = (float(special.stdtrit(slope.df, 0.975)) + float(special.stdtrit(slope.df, POWER))) * slope.se
    found, after = every.found, every.found.event >= 0
    distance = found.period - (found.base @ np.arange(found.base.shape[1]))
    reach = float(np.average(distance[after], weights=every.mass[after]))
    moves = [abs(steps[b].estimate - steps[a].estimate) / (b - a) for a, b in pairwise(at)]
    largest = max(abs(part.estimate) for part in there.values())
    return Before(slope, p, missed, reach, max(moves), largest)


def limits(laid: Laid, design: Rollout) -> list[str]:
    """Who is not in the answer: always started, or started with nobody left to compare with."""
    cells, notes = laid.cells, []
    early = int(np.sum(cells.start <= design.anticipation))
    if early:
        notes.append("what had started before anything was seen of it is left out")
        notes.append(Count(f"{wording.count(early)} by {design.unit} had started so"))
    wanted = cells.treated & (cells.rows > 0) & (cells.start > design.anticipation)[:, None]
    told_of = np.zeros_like(wanted)
    for weights, period in zip(laid.found.treated, laid.found.period, strict=True):
        told_of[weights > 0, period] = True
    gone = cells.rows[wanted & ~told_of].sum() / cells.rows[wanted].sum()
    if gone > 0:
        alone = sorted({cells.periods[t] for t in np.flatnonzero((wanted & ~told_of).any(axis=0))})
        where = f"{design.time} {some(alone, 3)}"
        notes.append(f"started rows that have nobody left to be compared with ({where}) are left out")
        notes.append(Count(f"{wording.percent(float(gone), 0)} of the started rows are such"))
    return notes


def by_chance(laid: Laid) -> float:
    """What the answer would vary by, were each of the others in turn the one that started (Conley and Taber 2011,
    Review of Economics and Statistics 93, 113-125, with the standard deviation for the quantiles)."""
    found, cells, after = laid.found, laid.cells, laid.found.event >= 0
    share = laid.every.mass[after] / laid.every.mass[after].sum()
    change = (found.change[0] - np.tensordot(laid.every.slopes, found.change[1:], 1))[after]
    compared = found.compared[after]
    others = np.flatnonzero((compared > 0).all(axis=0))
    if len(others) < 3:
        raise EstimationError(
            f"One has started and {len(others)} can be compared with it throughout; with fewer than 3 there is no "
            "telling what happens by chance. Wait for more to start, or add some that have not."
        )
    placebo = []
    for unit in others:
        rest = np.where(np.arange(len(cells.units)) == unit, 0.0, compared)
        placebo.append(float(share @ (change[:, unit] - (rest * change).sum(axis=1) / rest.sum(axis=1))))
    return float(np.std(placebo, ddof=1))


def terms(laid: Laid, sample: Sample, design: Rollout, se: float, df: float, level: float) -> tuple[Term, ...]:
    """The answer first, then each period since the start, then each cohort; none of so few people that some profile
    of disclosure would hide them."""
    periods, found = laid.cells.periods, laid.found
    rows = [_term("all who had started", replace(laid.overall, se=se, df=df), level)]
    parts = [(since(event), part, found.event == event) for event, part in laid.events.items()]
    for cohort, part in laid.cohorts.items():
        parts.append((f"started {periods[cohort]}", part, (found.event >= 0) & (found.cohort == cohort)))
    return (
        *rows,
        *(_term(name, part, level) for name, part, chosen in parts if behind(laid, sample, design, chosen) >= FEWEST),
    )


def behind(laid: Laid, sample: Sample, design: Rollout, chosen: NDArray[np.bool_]) -> int:
    """How many people stand behind some comparisons (K,), on the side where they are fewer."""
    unit, time = (np.unique(sample.more[name], return_inverse=True)[1] for name in (design.unit, design.time))
    sides = []
    for weights in (laid.found.treated, laid.found.compared):
        inside = np.zeros(laid.cells.rows.shape, dtype=bool)
        for place in np.flatnonzero(chosen):
            inside[weights[place] > 0, laid.found.period[place]] = True
        sides.append(sample.heads(inside[unit, time]))
    return min(sides)


def since(event: int) -> str:
    """How long before or after the start, in periods."""
    return f"{-event} before the start" if event < 0 else "at the start" if event == 0 else f"{event} after the start"


def _term(name: str, part: Found, level: float) -> Term:
    if not math.isfinite(part.se):
        return Term(name, part.estimate, math.nan, math.nan, math.nan, math.nan)
    low, high, p = wald(part.estimate, part.se, level, part.df)
    return Term(name, part.estimate, part.se, low, high, p)
