"""Who lacks what, and how those with gaps differ from those without, as far as the profile lets it be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from researchkit.disclosure import Profile, enough, share, shown
from researchkit.flow import told as told_of
from researchkit.robustness.gaps import Gaps, Rows, only

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.estimators.effect import Vector
    from researchkit.parts import Question


@dataclass(frozen=True)
class Difference:
    """Mean of the incomplete rows less that of the complete ones, in standard deviations; p as it comes."""

    of: str
    value: float
    se: float
    df: float
    p: float

    def interval(self, level: float) -> tuple[float, float]:
        from researchkit.estimators.effect import wald

        return wald(self.value, self.se, level, self.df)[:2]


def too_few(sample: Sample, rows: Rows, profile: Profile) -> bool:
    """Whether rows of a sample are of too few people to be told of; rows that name nobody are of nobody."""
    return profile.threshold > 1 and not enough(sample.heads(rows), profile)


def counted(gaps: Gaps, sample: Sample, profile: Profile) -> dict[str, Any]:
    """How many rows lack anything, and how many lack each column (None where that is not shown).

    The account of who was dropped stands on the same page: what it hides stays hidden here, and so does a count that
    differs from one there by a few rows, for then those few lack two things and are told by the difference.
    """
    steps: Counter[str] = Counter()
    for step in sample.flow:
        steps[step.why] += step.rows
    _, kept, _ = told_of(sample.rows, sample.flow, len(sample.outcome), profile)
    told = {}
    for name, rows in gaps.lacking.items():
        first, every = steps.get(f"{name} missing", 0), int(rows.sum())
        hidden = first > 0 and kept[f"{name} missing"] is None
        few = 0 < every - first < profile.threshold or too_few(gaps.sample, rows, profile)
        told[name] = None if hidden or few else shown(every, profile)
    reasons = [f"{name} missing" for name in gaps.lacking]
    open_ = all(kept[why] is not None for why in reasons if steps.get(why, 0))
    return {"incomplete": shown(int(gaps.incomplete.sum()), profile) if open_ else None, "lacking": told}


def differences(gaps: Gaps, question: Question, profile: Profile) -> list[Difference]:
    """Incomplete against complete rows in exposure, outcome, baseline and every adjustment, where they are known.

    The spread is the root of the mean of the two variances (Austin 2009, Statistics in Medicine 28, 3083-3107); errors
    are those of a regression on being incomplete (HC3, or CR2 with clusters), the spread taken as known. Outcomes that
    are times are left out: some of them were cut short.
    """
    sample = gaps.sample
    placed = ~np.any([gaps.lacking.get(str(name), np.zeros(len(sample.outcome), bool)) for name in _groups(sample)], 0)
    found = []
    for name, values in _columns(sample, question):
        rows = np.isfinite(values) & placed
        one = _difference(name, values[rows], gaps.incomplete[rows], only(sample, rows), profile)
        found += [one] if one else []
    return found


def _groups(sample: Sample) -> list[str | None]:
    return [sample.cluster_name, sample.crossed_name]


def _columns(sample: Sample, question: Question) -> Iterator[tuple[str, Vector]]:
    """Name (of the study's column, or "column: level") and values of everything that could differ."""
    yield question.exposure.column, sample.exposure
    if question.outcome.kind != "duration":
        yield question.outcome.column, sample.outcome
    if sample.baseline is not None:
        yield str(question.outcome.baseline), sample.baseline
    yield from zip(sample.names, sample.covariates.T, strict=True)


def _difference(name: str, values: Vector, incomplete: Rows, sample: Sample, profile: Profile) -> Difference | None:
    """One difference; None where there is none to tell, or where it would be about too few people."""
    from researchkit.estimators.effect import wald
    from researchkit.estimators.linear import cr2, hc3, least_squares

    sides = values[incomplete], values[~incomplete]
    if min(map(len, sides)) < 2 or too_few(sample, incomplete, profile):
        return None
    # The share of a level among few would give away how many have it.
    if set(np.unique(values)) <= {0.0, 1.0} and share(int(sides[0].sum()), len(sides[0]), profile.threshold) is None:
        return None
    spread = float(np.sqrt((sides[0].var(ddof=1) + sides[1].var(ddof=1)) / 2))
    if spread <= 1e-10 * float(np.abs(values).max()):
        return None
    line = least_squares(np.column_stack([incomplete.astype(float), np.ones(len(values))]), values / spread)
    errors = hc3(line) if sample.cluster is None else cr2(line, sample.cluster)
    se, df = float(np.sqrt(max(errors.covariance[0, 0], 0.0))), float(errors.df[0])
    value = float(line.coefficients[0])
    if not (se > 0 and df > 0):
        return None
    return Difference(name, value, se, df, wald(value, se, 0.95, df)[2])


def compared(found: list[Difference], level: float) -> dict[str, Any]:
    """The largest difference with its interval and p, both corrected for having looked at all of them (Bonferroni)."""
    if not found:
        return {"differences": {}, "differs_most": None}
    most = max(found, key=lambda one: abs(one.value))
    low, high = most.interval(1 - (1 - level) / len(found))
    return {
        "differences": {one.of: one.value for one in found},
        "differs_most": {
            "of": most.of,
            "difference": most.value,
            "low": low,
            "high": high,
            "p": min(1.0, len(found) * most.p),
        },
        "p_of_any_difference": min(1.0, len(found) * min(one.p for one in found)),
    }
