"""What a comparison of like cases is attacked with: another standard, and kinds of cases left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from researchkit import wording
from researchkit.estimators.mix import kinds_of, shared
from researchkit.robustness.check import Check

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question


def attacks(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> tuple[Check, ...]:
    return (standards(dataset, question, effect, sample),)


def standards(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> Check:
    """The difference by the mix of either side, and the kinds of case whose difference has the other sign."""
    kinds, _ = kinds_of(sample, question)
    kept = shared(sample, kinds, question)
    side, outcome, kinds = sample.exposure[kept] > 0, sample.outcome[kept], kinds[kept]
    there = np.unique(kinds)
    apart = np.array([outcome[(kinds == k) & side].mean() - outcome[(kinds == k) & ~side].mean() for k in there])
    shares = [np.array([np.mean(kinds[rows] == k) for k in there]) for rows in (side, ~side)]
    scale, unit = wording.scale(effect.unit)
    by = [wording.number(scale * float(share @ apart)) for share in shares]
    against = int(np.sum(apart * effect.estimate < 0))
    words = (
        f"By the mix of the exposed the difference is {by[0]}, by that of the others {by[1]} "
        f"{wording.units(unit, by[1])}. "
        f"Of {len(there)} kinds of case {against or 'none'} differ{'s' if against == 1 else ''} the other way."
    )
    turned = any(float(share @ apart) * effect.estimate < 0 for share in shares)
    mark = "hangs on the standard: by the mix of one side the answer has the other sign" if turned else ""
    facts = {"by_exposed": float(shares[0] @ apart), "by_others": float(shares[1] @ apart), "against": against}
    return Check("another mix as the standard", dataset.fingerprint, {**facts, "words": words}, mark=mark)
