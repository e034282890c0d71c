"""What else makes a failure good: time, money, and how bad it was; and how many things are claimed at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from researchkit import wording
from researchkit.estimators import recovery as three
from researchkit.robustness.check import Check, each
from researchkit.robustness.equivalence import two_one_sided
from researchkit.robustness.several import holm

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question


def attacks(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> tuple[Check, ...]:
    """Three hypotheses corrected together; what rises by itself; and what hangs on severity and compensation."""
    entry = question.recovery
    if entry is None:
        return ()
    wanted = {
        "three hypotheses": (hypotheses, True),
        "what rises by itself": (by_itself, entry.at_failure),
        "how bad it was": (unequal, entry.among_failures),
    }
    return each(wanted, dataset, question, effect, sample)


Facts = dict[str, Any]


def hypotheses(question: Question, effect: Effect, sample: Sample) -> tuple[Facts, str]:
    """Not worse than no failure; better than it (the paradox); better than the usual recovery: Holm's correction."""
    arms, margin = three.three(sample, question), question.smallest_effect
    up = 1.0 if question.outcome.good == "high" else -1.0

    def above(place: int, line: float) -> float:
        """One-sided p that a contrast, turned to the good side, lies above a line."""
        shifted = up * float(arms.values[place]) - line
        return float(two_one_sided(shifted, float(arms.se[place]), 0.0, float(arms.df[place]))["p_lower"])

    names = ("not worse than no failure", "better than no failure (the paradox)", "better than the usual recovery")
    corrected = holm([above(0, -margin), above(0, 0.0), above(2, 0.0)])
    alpha = (1 - effect.level) / 2
    told = [
        f"{name}: {'held up' if p < alpha else 'not shown'} ({wording.probability(p)})"
        for name, p in zip(names, corrected, strict=True)
    ]
    how = "One-sided, at half of what the interval leaves, corrected for three (Holm)."
    words = f"{wording.capital('; '.join(told))}. {how}"
    return {"p_corrected": dict(zip(names, corrected, strict=True)), "words": words}, ""


def by_itself(question: Question, effect: Effect, sample: Sample) -> tuple[Facts, str]:
    """How far satisfaction rose since the failure with the usual recovery: that much is no kindness."""
    entry = question.recovery
    low = sample.more[str(entry.at_failure if entry else "")]
    kind, usual = three.arms(sample, question)
    rose = sample.outcome - np.asarray(low, dtype=float)
    means = [float(np.nanmean(rose[arm])) for arm in (kind, usual)]
    unit = wording.units(question.outcome.unit or "point")
    first, second = (wording.number(value, sign=True) for value in means)
    words = (
        f"From right after the failure it rose by {first} {unit} with kindness, and by {second}"
        f" without: mood comes back "
        "by itself, and only the difference can be kindness."
    )
    return {"with_kindness": means[0], "without": means[1], "words": words}, ""


def unequal(question: Question, effect: Effect, sample: Sample) -> tuple[Facts, str]:
    """Kind against usual, without holding equal what only failures have."""
    entry = question.recovery
    assert entry is not None  # noqa: S101 - `attacks` has looked
    bare = question.model_copy(update={"recovery": entry.model_copy(update={"among_failures": ()})})
    held, left = three.three(sample, question), three.three(replace(sample), bare)
    scale, unit = wording.scale(effect.unit)
    told = []
    for arms in (held, left):
        half = 1.96 * float(arms.se[2])
        value = float(arms.values[2])
        shown, ends = wording.estimate(*(scale * part for part in (value, value - half, value + half)), sign=True)
        told.append(f"{shown} {wording.units(unit, shown)} ({ends})")
    words = f"Kind against usual recovery: {told[0]} where these are held equal, {told[1]} where they are not."
    return {"held_equal": float(held.values[2]), "not_held": float(left.values[2]), "words": words}, ""
