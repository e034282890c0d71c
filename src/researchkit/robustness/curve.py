"""Would another analyst agree? Every subset of the adjustments and every planned alternative, beside the headline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError, ResearchkitError, some
from researchkit.moments import curve
from researchkit.robustness.alternatives import Other, clear, planned_alternatives, sign
from researchkit.robustness.check import Check, why_not
from researchkit.robustness.linear import Linear, stands_in, without

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.estimators.effect import Vector
    from researchkit.parts import Question
    from researchkit.study import Study

NAME = "specification curve"
MOST_ADJUSTMENTS = 10  # all subsets of these; of more, as many at random
FRAGILE = 0.2
BY_MODEL = "the model itself"


@dataclass(frozen=True)
class Ways:
    """S ways to adjust, the first as planned: which adjustments are in, (S, groups), and what comes out, each (S,)."""

    groups: tuple[str, ...]
    inside: NDArray[np.bool_]
    estimates: Vector
    low: Vector
    high: Vector
    scale: str  # "linear", "linear approximation" or "the model itself"
    errors: str
    failed: tuple[str, ...] = ()  # adjustments without which the model has no answer

    def labels(self, study: Study) -> list[str]:
        """What each way adjusts for, in words."""
        named = [
            [study.label(group) for group, used in zip(self.groups, way, strict=True) if used] for way in self.inside
        ]
        return [", ".join(names) or "nothing" for names in named]


def specification_curve(
    line: Linear | str, dataset: Dataset, question: Question, effect: Effect, sample: Sample
) -> Check:
    """The estimate under every subset of the adjustments, and under each planned alternative.

    `line` is the question as a straight line, from which all subsets come (columns of one entry go in and out
    together). Where it cannot stand in for the headline's model, as for durations, the model itself is fitted with each
    adjustment left out in turn. Alternatives are estimated by the whole chain; one on another scale counts for the
    agreement in sign and on zero, and not for the range. Intervals are at the headline's level.

    References
    ----------
    Simonsohn, Simmons and Nelson (2020), Nature Human Behaviour 4, 1208-1214.
    """
    made, study = dataset.fingerprint, dataset.study
    if not question.adjust and not question.alternatives:
        return Check(NAME, made, reason="the question names nothing to adjust for, and no alternative")
    others = planned_alternatives(dataset, question, effect, sample)
    ran = [other for other in others if other.effect is not None]
    ways, why = taken(line, study, question, effect, sample)
    facts: dict[str, Any] = {"alternatives": [other.to_dict(effect, question.smallest_effect) for other in others]}
    if len(ways.estimates) == 1 and not ran:
        return Check(NAME, made, facts, reason=nothing_ran(others, question))
    facts = told(ways, ran, effect) | facts | ({"why_not_linear": why} if why else {})
    rows = zip(ways.labels(study), ways.estimates.tolist(), ways.low.tolist(), ways.high.tolist(), strict=True)
    alike = tuple(other.way for other in ran if other.alike)
    return Check(NAME, made, facts, mark=fragile(study, ways, ran, effect), ways=tuple(rows), alternatives=alike)


def taken(line: Linear | str, study: Study, question: Question, effect: Effect, sample: Sample) -> tuple[Ways, str]:
    """The ways to adjust, from the line where it serves, and why it does not where it does not."""
    why = stands_in(line, effect)
    if not why and not isinstance(line, str):
        try:
            return along(line, effect.level, study.seed), ""
        except EstimationError as error:
            why = why_not(error, study)
    return refitted(sample, question, effect), why


def nothing_ran(others: Sequence[Other], question: Question) -> str:
    told = [f"{other.label}: {other.reason}" for other in others]
    none = (
        "none of the columns to adjust for varies on its own" if question.adjust else "there is nothing to adjust for"
    )
    return f"{none}; {'; '.join(told)}" if told else none


def along(line: Linear, level: float, seed: int) -> Ways:
    """Every subset of the adjustments (of more than ten, 1,024 at random) from the moments of the line."""
    from scipy.stats import t

    inside = subsets(len(line.groups), np.random.default_rng(seed))
    estimates, errors = curve(line.moments, line.ways(inside))
    half = float(t.ppf(0.5 + level / 2, len(line.moments.labels) - 1)) * errors
    return Ways(tuple(line.groups), inside, estimates, estimates - half, estimates + half, line.scale, line.errors)


def subsets(groups: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Which adjustments are in, (S, groups): first all (the planned one), then each left out in turn, then others.

    All 2^groups subsets of up to ten; of more, 1,024 different ones at random, with those named and the empty one.
    """
    planned = np.ones((1, groups), dtype=bool)
    first = np.concatenate([planned, ~np.eye(groups, dtype=bool), ~planned])
    most = 2**MOST_ADJUSTMENTS
    if groups <= MOST_ADJUSTMENTS:
        others = (np.arange(2**groups)[:, None] >> np.arange(groups)) % 2 == 1
    else:
        others = rng.integers(0, 2, (2 * most, groups)).astype(bool)
    every = np.concatenate([first, others])
    _, places = np.unique(every, axis=0, return_index=True)
    return every[np.sort(places)[:most]]


def refitted(sample: Sample, question: Question, effect: Effect) -> Ways:
    """The headline's model, and the same with each adjustment left out in turn, on the same rows."""
    from researchkit.estimators import estimate_sample

    groups = tuple(group for group in question.adjust if group in sample.groups)
    inside, found, failed = [np.ones(len(groups), dtype=bool)], [effect], []
    for place, group in enumerate(groups):
        try:
            found.append(estimate_sample(without(sample, group), question, effect.level))
        except ResearchkitError:
            failed.append(group)
            continue
        inside.append(np.arange(len(groups)) != place)
    estimates, low, high = np.array([(one.estimate, one.low, one.high) for one in found]).T
    return Ways(groups, np.array(inside), estimates, low, high, BY_MODEL, effect.model.errors, tuple(failed))


def told(ways: Ways, others: Sequence[Other], effect: Effect) -> dict[str, Any]:
    """What `result.json` holds; `low` and `high` are the smallest and the largest estimate on the headline's scale."""
    sides = clear_sides(ways)
    signs = np.append(np.sign(ways.estimates) == np.sign(ways.estimates[0]), [same_sign(one, effect) for one in others])
    zeros = np.append(sides == sides[0], [one.sign(side=True) == clear(effect) for one in others])
    alike = np.append(ways.estimates, [one.way[1] for one in others if one.alike])
    facts = {
        "specifications": len(signs),
        "ways_to_adjust": len(ways.estimates),
        "possible": 2 ** len(ways.groups),
        "agree": float(np.mean(signs)),
        "agree_on_zero": float(np.mean(zeros)),
        "median": float(np.median(alike)),
        "low": float(alike.min()),
        "high": float(alike.max()),
        "planned": float(ways.estimates[0]),
        "scale": ways.scale,
        "errors": ways.errors,
    }
    single = np.flatnonzero(ways.inside.sum(axis=1) == len(ways.groups) - 1)
    if len(single):
        most = single[np.argmax(np.abs(ways.estimates[single] - ways.estimates[0]))]
        out = ways.groups[int(np.argmin(ways.inside[most]))]
        facts |= {"moves_it_most": out, "without_it": float(ways.estimates[most])}
    return facts | ({"failed_without": list(ways.failed)} if ways.failed else {})


def same_sign(other: Other, effect: Effect) -> bool:
    return other.sign() == sign(effect.estimate)


def clear_sides(ways: Ways) -> NDArray[np.int64]:
    """(S,) the side of zero that each interval lies on; 0 where it holds zero."""
    return np.where(ways.low > 0, 1, np.where(ways.high < 0, -1, 0))


def fragile(study: Study, ways: Ways, others: Sequence[Other], effect: Effect) -> str:
    """The mark, where more than a fifth of the ways disagree, or an alternative is clear about the opposite.

    A sign counts where the planned interval excludes zero: around zero it is chance.
    """
    told = [text for text in (against(others, effect), disagreeing(study, ways, others, effect)) if text]
    return f"fragile: {'; '.join(told)}" if told else ""


def against(others: Sequence[Other], effect: Effect) -> str:
    """The alternatives whose intervals exclude zero on the other side of it than the headline's estimate."""
    found = [other.label for other in others if other.sign(side=True) * effect.estimate < 0]
    if not found:
        return ""
    plural = len(found) > 1
    which = some([f"“{label}”" for label in found])
    return f"the planned alternative{'s' if plural else ''} {which} {'say' if plural else 'says'} the opposite"


def disagreeing(study: Study, ways: Ways, others: Sequence[Other], effect: Effect) -> str:
    """How many ways turn the sign, or else part about zero; and what all such ways to adjust leave out."""
    sides = clear_sides(ways)
    turned = (np.sign(ways.estimates) != np.sign(ways.estimates[0])) & (sides[0] != 0)
    turned_too = [bool(clear(effect)) and not same_sign(one, effect) for one in others]
    parted, parted_too = sides != sides[0], [one.sign(side=True) != clear(effect) for one in others]
    if np.mean(np.append(turned, turned_too)) > FRAGILE:
        differ, differ_too, does = turned, turned_too, "turn the sign"
    elif np.mean(np.append(parted, parted_too)) > FRAGILE:
        differ, differ_too = parted, parted_too
        does = "do not exclude zero" if sides[0] else "exclude zero, which the planned one does not"
    else:
        return ""
    never = [
        study.label(group)
        for group, used in zip(ways.groups, ways.inside[differ].T, strict=True)
        if differ.any() and not used.any()
    ]
    named = "ways to adjust and planned alternatives" if others else "ways to adjust"
    leaves = (
        f", all the ways to adjust among them without {some(never)}"
        if others
        else f", all of them without {some(never)}"
    )
    count, of = int(differ.sum()) + sum(differ_too), len(differ) + len(differ_too)
    return f"{count} of {of} {named} {does}{leaves if never else ''}"
