"""One scale for results that are told in many: standard deviations of the outcome, between much and little.

"Much" and "little" are the two arms of a trial, or of a measured exposure two standard deviations apart, which is about
how far the highest third lies above the lowest. What cannot be put on this scale without a guess is left off it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from researchkit.evidence.pools import CORRELATION, DIFFERENCE, METRICS, parted
from researchkit.warehouse import Summed

if TYPE_CHECKING:
    from researchkit.estimators import Effect
    from researchkit.parts import Question
    from researchkit.sample import Sample

APART = 2.0  # standard deviations of a measured exposure (Gelman 2008, Statistics in Medicine 27, 2865-2873)
LOGISTIC = math.sqrt(3) / math.pi  # of a log odds ratio (Chinn 2000, Statistics in Medicine 19, 3127-3131)


@dataclass(frozen=True)
class Standardised:
    """An estimate with its standard error (NaN where that was not seen); above 0: better with more of the exposure."""

    estimate: float
    se: float


def of_published(row: pd.Series) -> Standardised | None:
    """A row of `published()` on the scale; None where its metric, or which way is better, does not allow it.

    A correlation r is 2r / sqrt(1 - r²) (Borenstein and others 2009, Introduction to Meta-Analysis, chapter 7).
    """
    kind, contrast = parted(row["yi_metric"])
    if not kind or pd.isna(row["yi"]) or pd.isna(row["turn"]) or contrast.startswith("per ") or " per " in contrast:
        return None
    value, se = float(row["turn"] * row["yi"]), float(row["sei"])
    if METRICS[kind] is DIFFERENCE:
        return Standardised(value, se)
    if METRICS[kind] is CORRELATION:
        r = math.tanh(value)
        left = 1 - r**2
        return Standardised(2 * r / math.sqrt(left), 2 * (left * se) / left**1.5)
    return Standardised(value * LOGISTIC, se * LOGISTIC) if kind == "lnOR" else None


def of_effect(effect: Effect, sample: Sample, question: Question) -> Standardised | None:
    """An answer on the scale; None for durations, counts and scores, whose model tells no difference of that kind."""
    assigned = sample.binary_exposure or sample.arms is not None
    exposed, spread = sample.spreads if isinstance(sample, Summed) else spreads(sample)
    apart = 1.0 if assigned else APART * exposed
    turn = 1.0 if question.outcome.good == "high" else -1.0
    if effect.model.scale == "log odds":
        first = effect.model.terms[0]
        factor = turn * apart * LOGISTIC
        return Standardised(factor * first.estimate, abs(factor) * first.se)
    if effect.kind in ("score", "change"):
        return Standardised(turn * apart * effect.estimate / spread, apart * effect.se / spread) if spread > 0 else None
    return None


def spreads(sample: Sample) -> tuple[float, float]:
    """Standard deviations of exposure and outcome."""
    return float(np.std(sample.exposure, ddof=1)), float(np.std(sample.outcome, ddof=1))
