"""What a discontinuity is attacked with: people who choose their side, jumps elsewhere, other windows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from researchkit import wording
from researchkit.disclosure import PROFILES
from researchkit.errors import EstimationError
from researchkit.estimators.limit import Side, bend, critical, jump, limit, sides_of, within
from researchkit.robustness.check import Check, why_not
from researchkit.robustness.designed.series import sample_of

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question

SURE = 0.01  # the chance at which a crowd on one side of the limit is told
NEAR = 50  # rows on both sides of the limit, the nearest, that are counted
REPEATED = 0.2  # different values a row: with fewer, values repeat, as days and points do
RING = 0.05  # of the window, left out around the limit


def attacks(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> tuple[Check, ...]:
    sides, outcome = sides_of(sample, question)
    return (
        crowd(dataset, sides),
        elsewhere(dataset, effect, sides, outcome),
        jumps_before(dataset, effect, sample, sides),
        windows(dataset, question, effect, sample, sides, outcome),
    )


def crowd(dataset: Dataset, sides: Side) -> Check:
    """As many just beyond the limit as just short of it, or have people (or their agents) chosen their side?"""
    from scipy.stats import binomtest

    name, made = "people who choose their side", dataset.fingerprint
    near = nearest(sides)
    beyond, count = int((near & (sides.away >= 0)).sum()), int(near.sum())
    p = float(binomtest(beyond, count).pvalue)
    off = p < SURE
    few = min(beyond, count - beyond) < PROFILES[dataset.study.disclosure].threshold
    share = "nearly all or nearly none" if few else wording.percent(beyond / count, 0)
    chance = wording.probability(p)
    words = f"Of the rows nearest to the limit {share} lie at or above it; half would be expected ({chance})."
    mark = "sorted at the limit: too many lie on one side, so the two sides may differ by choice" if off else ""
    return Check(name, made, {"share_above": None if few else beyond / count, "p": p, "words": words}, mark=mark)


def nearest(sides: Side) -> Any:
    """(n,) the rows nearest to the limit: as many different values on either side, or as wide a window where each row
    has a value of its own."""
    distance, above = np.abs(sides.away), sides.away >= 0
    values = [np.unique(distance[rows]) for rows in (above, ~above)]
    if sum(map(len, values)) > REPEATED * len(distance):
        return distance <= np.sort(distance)[min(NEAR, len(distance)) - 1]
    for many in range(min(map(len, values))):
        near = distance <= np.where(above, values[0][many], values[1][many])
        if near.sum() >= NEAR:
            break
    return near


def elsewhere(dataset: Dataset, effect: Effect, sides: Side, outcome: Any) -> Check:
    """The same at the middle of each side, where no rule has a limit."""
    name, made = "limits that are none", dataset.fingerprint
    found, told = [], []
    for rows in (sides.away >= 0, sides.away < 0):
        middle = float(np.median(sides.away[rows]))
        moved = sides.away[rows] - middle
        part = Side(moved, moved >= 0, None if sides.cluster is None else sides.cluster[rows])
        try:
            one = jump(part, outcome[rows], bend(part, outcome[rows]), effect.level)
        except (ValueError, IndexError, ZeroDivisionError):
            continue
        half = critical(one.bias / one.se, effect.level) * one.se
        found.append(abs(one.size) > half)
        value, limits = wording.estimate(one.size, one.size - half, one.size + half, sign=True)
        told.append(f"{value} ({limits})")
    if not found:
        return Check(name, made, reason="neither side has rows enough to be split")
    words = f"At the middle of each side, where nothing changes: {' and '.join(told)}."
    mark = "jumps elsewhere: the outcome jumps where no limit is" if any(found) else ""
    return Check(name, made, {"jumps": int(sum(found)), "words": words}, mark=mark)


def jumps_before(dataset: Dataset, effect: Effect, sample: Sample, sides: Side) -> Check:
    """What was there before the rule should not jump at the limit: each covariate as the outcome, by Holm."""
    name, made = "what was there before", dataset.fingerprint
    if not sample.covariates.shape[1]:
        return Check(
            name, made, reason="the question adjusts for nothing; name what was there before the rule under `adjust`"
        )
    level = 1 - (1 - effect.level) / sample.covariates.shape[1]
    jumped = []
    for label, column in zip(sample.names, sample.covariates.T, strict=True):
        if np.ptp(column[sides.on]) + np.ptp(column[~sides.on]) == 0:
            continue
        one = jump(sides, column, bend(sides, column), level)
        if abs(one.size) > critical(one.bias / one.se, level) * one.se:
            jumped.append(label)
    words = (
        f"At the limit {', '.join(jumped)} jump{'s' if len(jumped) == 1 else ''} too."
        if jumped
        else f"None of {sample.covariates.shape[1]} covariates jumps at the limit."
    )
    mark = f"unlike at the limit: {', '.join(jumped)}" if jumped else ""
    return Check(name, made, {"jumped": jumped, "words": words}, mark=mark)


def windows(dataset: Dataset, question: Question, effect: Effect, sample: Sample, sides: Side, outcome: Any) -> Check:
    """Half and double the window, and without those closest to the limit."""
    name, made = "other windows", dataset.fingerprint
    curve = bend(sides, outcome)
    window = jump(sides, outcome, curve, effect.level).window
    told, facts = [], {}
    if effect.method.startswith("sharp"):
        for label, width in (("half the window", window / 2), ("double the window", window * 2)):
            try:
                one = within(sides, outcome, curve, width)
            except (ValueError, ZeroDivisionError, FloatingPointError):
                continue
            if not np.isfinite(one.size):
                continue
            half = critical(one.bias / one.se, effect.level) * one.se
            value, limits = wording.estimate(one.size, one.size - half, one.size + half, sign=True)
            told.append(f"{label}: {value} ({limits})")
            facts[label] = one.size
    rows = np.abs(sides.away) > RING * window
    try:
        ring = limit(
            sample_of(sample, rows, sample.exposure[rows]) if sides.cluster is None else ringed(sample, rows),
            question,
            effect.level,
        )
    except EstimationError as error:
        told.append(f"without the closest: {why_not(error, dataset.study)}")
    else:
        value, limits = wording.estimate(ring.estimate, ring.low, ring.high, sign=True)
        told.append(f"without the closest: {value} ({limits})")
        facts["without the closest"] = ring.estimate
    turned = any(value * effect.estimate < 0 for value in facts.values())
    mark = "hangs on the window: with another the answer has the other sign" if turned else ""
    return Check(name, made, {**facts, "words": f"{wording.capital('; '.join(told))}."}, mark=mark)


def ringed(sample: Sample, rows: Any) -> Sample:
    kept = sample_of(sample, rows, sample.exposure[rows])
    return replace(
        kept, cluster=None if sample.cluster is None else np.unique(sample.cluster[rows], return_inverse=True)[1]
    )
