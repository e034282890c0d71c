"""Attacks on halves: one person on both sides, single splits, and how far the halves agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from researchkit import wording
from researchkit.estimators import halves as rooms
from researchkit.estimators.contagion import named
from researchkit.robustness.check import Check

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question

RELIABLE = 0.7  # from here on a team's mean may stand for the team


def attacks(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> tuple[Check, ...]:
    made, (scale, unit) = dataset.fingerprint, wording.scale(effect.unit)
    found, left, agree = rooms.estimates(sample, rooms.split_of(sample, question), rooms.spec_of(question).splits)
    low, high = map(float, np.quantile(found, [0.05, 0.95]))
    span = f"{wording.interval(scale * low, scale * high)} {wording.units(unit)}"
    without = f"{wording.interval(scale * float(left.min()), scale * float(left.max()))}"
    words = (
        f"A single split by lot would have given {span} in nine of ten; the answer is the mean of {len(found)}. "
        f"Without one of the teams it would lie between {without.replace(' to ', ' and ')}."
    )
    facts = {"low": float(low), "high": float(high), "least": float(left.min()), "most": float(left.max())}
    turned = min(left.min() * effect.estimate, left.max() * effect.estimate) < 0
    mark = "fragile: without one team the answer has the other sign" if turned else ""
    return (
        Check("other splits", made, {**facts, "words": words}, mark=mark),
        one_source(effect, made),
        reliable(agree, made),
    )


def one_source(effect: Effect, made: str) -> Check:
    """What the usual way would have said, in which one person gives both."""
    same, (scale, unit) = named(effect, rooms.ONE), wording.scale(effect.unit)
    if same is None:
        return Check("one person on both sides", made, reason="the model has no answer")
    value, limits = wording.estimate(*(scale * one for one in (same.estimate, same.low, same.high)), sign=True)
    own = wording.number(scale * effect.estimate, sign=True)
    words = f"With each person's own rating on both sides: {value} {wording.units(unit)} ({limits}), in place of {own}."
    return Check("one person on both sides", made, {"estimate": same.estimate, "words": words})


def reliable(agree: np.ndarray, made: str) -> Check:
    """How far two halves agree, and what that says of a rating by half a team and by a whole one."""
    half, whole = rooms.reliability(agree)
    words = (
        f"Two halves of a team agree to {wording.number(half)}, which is the reliability of the rating here; that of a "
        f"whole team would be {wording.number(whole)} (Spearman-Brown). What is not reliable pulls the answer to zero."
    )
    mark = "the rating by half a team is not reliable, which pulls the answer to zero" if not half >= RELIABLE else ""
    return Check("agreement of the halves", made, {"half": half, "whole": whole, "words": words}, mark=mark)
