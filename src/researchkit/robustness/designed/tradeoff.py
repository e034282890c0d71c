"""What a trade-off hangs on: the price, and whether both outcomes are told at all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from researchkit import wording
from researchkit.errors import ResearchkitError
from researchkit.estimators import tradeoff as both
from researchkit.robustness.check import Check, why_not

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question

TIMES = (0.5, 2.0)  # the price that the study file names, halved and doubled


def attacks(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> tuple[Check, ...]:
    """How the two effects stand to each other, and at which price nothing is gained."""
    entry = question.tradeoff
    if entry is None:
        return ()
    try:
        found = both.both(sample, question)[0]
    except ResearchkitError as error:
        return (Check("both outcomes", dataset.fingerprint, reason=why_not(error, dataset.study)),)
    word = both.standing(found, (question.outcome.good, entry.good), effect.level)
    told = {
        "both better": "both outcomes are better, so that no price turns it",
        "a trade-off": "one outcome is better and the other worse, so that the price decides",
        "both worse": "both outcomes are worse, so that no price saves it",
        "cannot tell": "the sign of one outcome is open, so that these data cannot tell a trade-off"
        " from a gain in both",
    }[word]
    first = Check("both outcomes", dataset.fingerprint, {"word": word, "words": f"{wording.capital(told)}."})
    return first, Check("the price", dataset.fingerprint, *price(question, effect, found))


def price(question: Question, effect: Effect, found: both.Both) -> tuple[dict[str, object], None, str]:
    """The answer at half and at twice the price, and the price at which it is nothing, with Fieller's limits."""
    entry = question.tradeoff
    assert entry is not None  # noqa: S101 - `attacks` has looked
    sign = entry.sign(question)
    others = [both.priced(effect, found, sign * entry.price * times) for times in TIMES]
    scale, unit = wording.scale(effect.unit)
    told = []
    for one in others:
        value, ends = wording.estimate(*(scale * part for part in (one.estimate, one.low, one.high)), sign=True)
        told.append(f"{value} {wording.units(unit, value)} ({ends})")
    turn, low, high = both.worth_it_below(found, sign, effect.level)
    words = f"At half the price it is {told[0]}, at twice the price {told[1]}."
    if math.isfinite(turn) and turn > 0:
        limits = f" ({wording.interval(low, high)})" if math.isfinite(low) and math.isfinite(high) else ""
        words += f" It comes to nothing at a price of {wording.number(turn)} for one {entry.unit}{limits}."
    else:
        words += " There is no price above 0 at which it comes to nothing."
    turned = any((one.estimate > 0) != (effect.estimate > 0) for one in others)
    facts: dict[str, object] = {
        "price": entry.price,
        "at_half": others[0].estimate,
        "at_twice": others[1].estimate,
        "nothing_at": turn,
        "low": low,
        "high": high,
        "words": words,
    }
    return facts, None, "exposed: at half or twice the price the sign turns" if turned else ""
