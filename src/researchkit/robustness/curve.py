"""Would another analyst agree? Every subset of the adjustments, on the headline's scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError, some
from researchkit.moments import curve
from researchkit.robustness.check import Check
from researchkit.robustness.linear import Linear

if TYPE_CHECKING:
    from researchkit.dataset import Dataset
    from researchkit.estimators import Effect
    from researchkit.parts import Question
    from researchkit.study import Study

NAME = "specification curve"
MOST_ADJUSTMENTS = 10  # all subsets of these; of more, as many at random
FRAGILE = 0.2


def specification_curve(line: Linear | str, dataset: Dataset, question: Question, effect: Effect) -> Check:
    """The estimate under every subset of the adjustments (columns of one entry go in and out together).

    `line` is the question as a straight line, or why it has none. Intervals are at the headline's level.

    References
    ----------
    Simonsohn, Simmons and Nelson (2020), Nature Human Behaviour 4, 1208-1214.
    """
    made, study = dataset.fingerprint, dataset.study
    if not question.adjust:
        return Check(NAME, made, reason="the question names nothing to adjust for")
    if isinstance(line, str):
        return Check(NAME, made, reason=line)
    if not line.groups:
        return Check(NAME, made, reason="none of the columns to adjust for varies on its own")
    inside = subsets(len(line.groups), np.random.default_rng(study.seed))
    try:
        estimates, low, high = intervals(line, inside, effect.level)
    except EstimationError as error:
        return Check(NAME, made, reason=str(error))
    if not effect.low <= estimates[0] <= effect.high:
        why = "a straight line through these data gives another answer than the model, so it cannot stand in for it"
        return Check(NAME, made, reason=why)
    facts = told(line, inside, estimates, low, high)
    labels = [adjusted(study, line, way) for way in inside]
    ways = tuple(zip(labels, estimates.tolist(), low.tolist(), high.tolist(), strict=True))
    return Check(NAME, made, facts, mark=fragile(study, line, inside, estimates, low, high), ways=ways)


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


def intervals(line: Linear, inside: NDArray[np.bool_], level: float) -> tuple[NDArray[np.floating[Any]], ...]:
    """Estimates, lower and upper limits, each (S,)."""
    from scipy.stats import t

    estimates, errors = curve(line.moments, line.ways(inside))
    half = float(t.ppf(0.5 + level / 2, len(line.moments.labels) - 1)) * errors
    return estimates, estimates - half, estimates + half


def told(line: Linear, inside: NDArray[np.bool_], estimates: Any, low: Any, high: Any) -> dict[str, Any]:
    """What `result.json` holds; `low` and `high` are the smallest and the largest estimate."""
    groups = list(line.groups)
    without = estimates[1 : 1 + len(groups)]
    most = int(np.argmax(np.abs(without - estimates[0])))
    return {
        "specifications": len(inside),
        "possible": 2 ** len(groups),
        "agree": float(np.mean(np.sign(estimates) == np.sign(estimates[0]))),
        "agree_on_zero": float(np.mean(clear(low, high) == clear(low, high)[0])),
        "median": float(np.median(estimates)),
        "low": float(estimates.min()),
        "high": float(estimates.max()),
        "planned": float(estimates[0]),
        "moves_it_most": groups[most],
        "without_it": float(without[most]),
        "scale": line.scale,
        "errors": line.errors,
    }


def clear(low: Any, high: Any) -> Any:
    """Where an interval excludes zero: its side, else 0."""
    return np.where(low > 0, 1, np.where(high < 0, -1, 0))


def fragile(study: Study, line: Linear, inside: NDArray[np.bool_], estimates: Any, low: Any, high: Any) -> str:
    """The mark, where more than a fifth of the ways disagree with the planned one; names what all of those leave out.

    A sign counts where the planned interval excludes zero: around zero it is chance.
    """
    sides = clear(low, high)
    turned = (np.sign(estimates) != np.sign(estimates[0])) & (sides[0] != 0)
    if np.mean(turned) > FRAGILE:
        differ, does = turned, "turn the sign"
    elif np.mean(sides != sides[0]) > FRAGILE:
        differ = sides != sides[0]
        does = "do not exclude zero" if sides[0] else "exclude zero, which the planned one does not"
    else:
        return ""
    never = [study.label(group) for group, used in zip(line.groups, inside[differ].T, strict=True) if not used.any()]
    without = f", all of them without {some(never)}" if never else ""
    return f"fragile: {differ.sum()} of {len(differ)} ways to adjust {does}{without}"


def adjusted(study: Study, line: Linear, way: NDArray[np.bool_]) -> str:
    """What one way adjusts for, in words."""
    names = [study.label(group) for group, used in zip(line.groups, way, strict=True) if used]
    return ", ".join(names) or "nothing"
