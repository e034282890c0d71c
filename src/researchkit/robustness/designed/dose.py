"""What a curve is attacked with: other knots, another neutral point, thin ends, and where it turns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from researchkit import wording
from researchkit.errors import ResearchkitError
from researchkit.estimators.dose import asked, dose, turning
from researchkit.robustness.check import Check, why_not
from researchkit.robustness.designed.subgroup import THIN, differs, said, tried

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question

ALPHA = 0.05
TRIMMED = (0.025, 0.975)  # the exposures kept when the extremes are left out


def attacks(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> tuple[Check, ...]:
    shape = other_point if asked(question).neutral is not None else other_knots
    return (
        tried("another shape", dataset, lambda: shape(dataset, question, effect, sample)),
        tried("where it turns", dataset, lambda: turns(dataset, question, effect, sample)),
        ends(dataset, question, sample),
        tried("without the extremes", dataset, lambda: trimmed(dataset, question, effect, sample)),
    )


def again(question: Question, **changes: Any) -> Question:
    return question.model_copy(update={"dose": asked(question).model_copy(update=changes)})


def other_knots(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> Check:
    """The same two doses along curves that bend less, or more."""
    return tellings(
        dataset,
        effect,
        {f"{knots} knots": again(question, knots=knots) for knots in (5, 6, 8) if knots != asked(question).knots},
        sample,
        "hangs on the shape of the curve",
    )


def other_point(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> Check:
    """The neutral point half a step lower, or higher."""
    point, half = asked(question).neutral or 0.0, question.exposure.per / 2
    others = {f"neutral at {wording.typed(one)}": again(question, neutral=one) for one in (point - half, point + half)}
    return tellings(dataset, effect, others, sample, "hangs on the neutral point")


def tellings(dataset: Dataset, effect: Effect, others: dict[str, Question], sample: Sample, weak: str) -> Check:
    """What each other way gives, and whether one says something else about zero."""
    told, facts, parted = [], {}, []
    for label, variant in others.items():
        try:
            one = dose(sample, variant, effect.level)
        except ResearchkitError as error:
            told.append(f"{label}: {why_not(error, dataset.study)}")
            continue
        facts[label] = one.estimate
        told.append(f"{label}: {said(one)}")
        parted += [label] if differs(one, effect, variant) else []
    if not facts:
        return Check("another shape", dataset.fingerprint, reason="; ".join(told))
    mark = f"{weak}: with {' and '.join(parted)} the interval parts about zero" if parted else ""
    return Check(
        "another shape", dataset.fingerprint, {**facts, "words": f"{wording.capital('; '.join(told))}."}, mark=mark
    )


def turns(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> Check:
    """Lind and Mehlum's test: is there a U (or its inverse) within the data, and where does it turn?"""
    found = turning(sample, question, effect.level)
    unit = getattr(dataset.study.part(question.exposure.column), "unit", None) or ""
    name, chance = wording.lower_first(dataset.study.label(question.exposure.column)), wording.probability(found.p)
    facts = {
        "shape": found.shape,
        "at": found.at,
        "low": found.low,
        "high": found.high,
        "p": found.p,
        "inside": found.inside,
    }
    if not found.shape or found.p >= ALPHA:
        words = f"By a square of {name}, no turn is clear within the data ({chance} of a U or an inverse U)."
        return Check("where it turns", dataset.fingerprint, {**facts, "words": words})
    where = wording.number(found.at)
    how = "falls, then rises" if found.shape == "U" else "rises, then falls"
    limits = (
        f"({wording.level(effect.level)} interval {wording.interval(found.low, found.high)})"
        if np.isfinite(found.low + found.high)
        else "(without limits)"
    )
    words = (
        f"By a square of {name} the outcome {how} ({chance}), turning at {where} {wording.units(unit, where)} {limits}."
    )
    words += "" if found.inside else " The interval reaches beyond the data."
    return Check("where it turns", dataset.fingerprint, {**facts, "words": words})


def ends(dataset: Dataset, question: Question, sample: Sample) -> Check:
    """Are there people enough at and beyond the doses?"""
    name, made, part = "thin ends", dataset.fingerprint, asked(question)
    values = sample.exposure * question.exposure.per
    first, second = sorted(part.between) if part.between else (part.neutral or 0.0, part.neutral or 0.0)
    shares = {first: np.mean(values <= first), second: np.mean(values >= second)}
    few = [wording.typed(value) for value, share in shares.items() if share < THIN]
    words = f"Hardly anybody lies beyond {' and '.join(few)}." if few else "There are people enough on either side."
    mark = f"thin ends: hardly anybody lies beyond {' and '.join(few)}" if few else ""
    return Check(name, made, {"thin": few, "words": words}, mark=mark)


def trimmed(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> Check:
    """Without the people at either end of the exposure, who bend a curve most."""
    name, made = "without the extremes", dataset.fingerprint
    low, high = np.quantile(sample.exposure, TRIMMED)
    rows = (sample.exposure >= low) & (sample.exposure <= high)
    if rows.all():
        return Check(name, made, reason="nobody lies further out than the rest")
    one = dose(some(sample, rows), question, effect.level)
    words = f"Without those at the ends of the exposure: {said(one)}."
    off = differs(one, effect, question)
    mark = "hangs on the extremes: without them the interval parts about zero" if off else ""
    return Check(name, made, {"estimate": one.estimate, "words": words}, mark=mark)


def some(sample: Sample, rows: Any) -> Sample:
    """Some rows (n,) of a sample, with everything that belongs to them."""
    arrays = ("outcome", "exposure", "covariates", "cluster", "crossed", "weights", "offset_time", "baseline", "person")
    kept: dict[str, Any] = {
        name: None if getattr(sample, name) is None else getattr(sample, name)[rows] for name in arrays
    }
    return replace(sample, **kept, more={name: values[rows] for name, values in sample.more.items()})
