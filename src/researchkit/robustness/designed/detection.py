"""What can make something look as if it saw well: who was reviewed, who was chosen, whose errors they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from researchkit import wording
from researchkit.estimators import estimate_sample
from researchkit.estimators import reviewed as seen
from researchkit.estimators.forecast import held_against
from researchkit.estimators.score import score as plain
from researchkit.robustness.check import Check, each
from researchkit.scales.generalisability import generalise

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question

FOLDS = 10
FIFTH = 0.2  # by how much the spread among all who could be chosen may be off
ENOUGH = 0.7  # a generalisability below which a ranking by a score is not to be trusted (Nunnally and Bernstein 1994)


def attacks(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> tuple[Check, ...]:
    """Those of the six that belong to what is asked."""
    entry = question.detection
    if entry is None:
        return ()
    asked = {
        "who was reviewed": (unweighted, entry.chance),
        "the other error": (other_error, entry.of in ("sensitivity", "specificity") and entry.minimum is None),
        "forecasts": (forecasts, entry.forecast),
        "whose score it is": (raters, entry.raters),
        "held out": (held_out, entry.of == "correlation" and entry.minimum is not None),
        "who was chosen": (chosen, entry.applicants_sd),
        "errors that lean": (leaning, entry.of == "effect"),
    }
    return each(asked, dataset, question, effect, sample)


Facts = dict[str, Any]


def unweighted(question: Question, effect: Effect, sample: Sample) -> tuple[Facts, str]:
    """The same value as if the reviewed were all there are."""
    entry = seen.asked(question)
    naive = question.model_copy(update={"detection": entry.model_copy(update={"chance": None})})
    other = estimate_sample(sample, naive, effect.level)
    moved = said(other.estimate - effect.estimate, effect.unit)
    words = (
        f"Taken as if those reviewed were everybody, it would be {limits(other)} (against"
        f" {limits(effect)}): the choice "
        f"of whom to review would move it by {moved}."
    )
    return {"estimate": other.estimate, "low": other.low, "high": other.high, "words": words}, ""


def other_error(question: Question, effect: Effect, sample: Sample) -> tuple[Facts, str]:
    """Whether the groups differ in the other error, too: a stricter threshold trades one for the other."""
    entry = seen.asked(question)
    other = "specificity" if entry.of == "sensitivity" else "sensitivity"
    turned = question.model_copy(update={"detection": entry.model_copy(update={"of": other})})
    found = estimate_sample(sample, turned, effect.level)
    same = (found.estimate > 0) == (effect.estimate > 0)
    tells = found.low > 0 or found.high < 0
    meaning = (
        "one group is seen worse in both ways"
        if tells and same
        else "what one group loses in one way it gains in the other, as by another threshold"
        if tells
        else "a difference there cannot be told"
    )
    words = f"In {other} the groups differ by {limits(found)}: {meaning}."
    return {"of": other, "estimate": found.estimate, "low": found.low, "high": found.high, "words": words}, ""


def forecasts(question: Question, effect: Effect, sample: Sample) -> tuple[Facts, str]:
    """The chances that were given against what came."""
    entry = seen.asked(question)
    sample = seen.reviewed(sample, entry)
    chance = seen.numbers(sample, str(entry.forecast))
    known = np.isfinite(chance)
    inner = seen.rows(sample, known)
    found = held_against(chance[known], inner.outcome, inner.cluster, inner.weights, effect.level)
    slope, intercept = found.slope, found.intercept
    sure = "too sure" if slope.high < 1 else "not sure enough" if slope.low > 1 else "about as sure as they may be"
    lean = "too low" if intercept.low > 0 else "too high" if intercept.high < 0 else "right on average"
    words = (
        f"Forecasts are {lean} (calibration intercept {both(intercept)}) and {sure} (slope {both(slope)}, 1 would be "
        f"right); Brier score {wording.number(found.brier)}, against {wording.number(found.useless)} for the same "
        "forecast for all."
    )
    facts: Facts = {
        "intercept": intercept.estimate,
        "slope": slope.estimate,
        "brier": found.brier,
        "brier_of_the_same_for_all": found.useless,
        "words": words,
    }
    return facts, ""


def raters(question: Question, effect: Effect, sample: Sample) -> tuple[Facts, str]:
    """How much of the score is the raters', and how many of them would be enough."""
    entry = seen.asked(question)
    found = generalise(seen.ratings(sample, entry))
    worth = found.relative(found.raters)
    needed = found.raters_for(0.8)
    total = sum(found.components.values())
    own = wording.percent(found.components["person"] / total, 0)
    enough = f"{needed} raters would reach 0.8" if needed else "no number of raters up to 50 would reach 0.8"
    once = " on one occasion" if found.occasions > 1 else ""
    words = (
        f"{own} of the variance of one rating is that of what was rated; the mean of {found.raters} raters{once} has a "
        f"generalisability of {wording.number(worth)} for ranking and"
        f" {wording.number(found.absolute(found.raters))} as "
        f"it stands; {enough}."
    )
    facts: Facts = {**found.components, "relative": worth, "raters_for_0.8": needed, "words": words}
    return facts, f"exposed: the score itself is worth {wording.number(worth)} only" if worth < ENOUGH else ""


def held_out(question: Question, effect: Effect, sample: Sample) -> tuple[Facts, str]:
    """How well a line fitted to nine tenths (of clusters, or rows) tells the tenth."""
    entry = seen.asked(question)
    score, outcome = seen.numbers(sample, entry.by), sample.outcome
    units = np.arange(len(score)) if sample.cluster is None else sample.cluster
    rng = np.random.default_rng(len(score))  # the same data, the same folds
    fold = rng.permutation(int(units.max()) + 1)[units] % FOLDS
    missed = flat = 0.0
    for one in range(FOLDS):
        out = fold == one
        if not out.any() or np.ptp(score[~out]) == 0:
            continue
        slope, start = np.polyfit(score[~out], outcome[~out], 1)
        missed += float(np.sum((outcome[out] - start - slope * score[out]) ** 2))
        flat += float(np.sum((outcome[out] - outcome[~out].mean()) ** 2))
    share = 1 - missed / flat if flat > 0 else float("nan")
    words = (
        f"In data held out (one tenth at a time) a line on the score tells {wording.percent(max(share, 0.0))} of what "
        "the outcome varies."
    )
    weak = "exposed: it foretells nothing in data held out" if share <= 0 else ""
    return {"explained_held_out": share, "words": words}, weak


def chosen(question: Question, effect: Effect, sample: Sample) -> tuple[Facts, str]:
    """The value without the correction for choice, and with a spread among all that is a fifth smaller or larger."""
    entry = seen.asked(question)
    sd = entry.applicants_sd or 1.0
    values = []
    for factor in (1 - FIFTH, 1 + FIFTH):
        other = entry.model_copy(update={"applicants_sd": sd * factor})
        values.append(estimate_sample(sample, question.model_copy(update={"detection": other}), effect.level))
    raw = entry.model_copy(update={"applicants_sd": None, "chosen_by": None})
    without = estimate_sample(sample, question.model_copy(update={"detection": raw}), effect.level)
    low, high = values
    words = (
        f"Among those chosen, not corrected, it is {limits(without)}. Were the spread among all a"
        f" fifth smaller or larger "
        f"than the study file says, it would be {limits(low)} or {limits(high)}."
    )
    facts: Facts = {"not_corrected": without.estimate, "smaller": low.estimate, "larger": high.estimate, "words": words}
    turned = (low.low > 0) != (effect.low > 0) or (low.high < 0) != (effect.high < 0)
    return facts, "exposed: the answer hangs on how much all who could be chosen vary" if turned else ""


def leaning(question: Question, effect: Effect, sample: Sample) -> tuple[Facts, str]:
    """Among the reviewed: whether the measure tells the outcome beyond the truth, which the correction rules out."""
    entry = seen.asked(question)
    gold = seen.numbers(sample, entry.by) / question.exposure.per
    inner = seen.rows(sample, np.isfinite(gold))
    truth = gold[np.isfinite(gold)]
    beside = replace(
        inner,
        covariates=np.column_stack([inner.covariates, truth]),
        names=(*inner.names, entry.by),
        groups=(*inner.groups, entry.by),
    )
    outcome = question.outcome.model_copy(update={"kind": "score"})
    found = plain(beside, question.model_copy(update={"outcome": outcome}), effect.level)
    off = found.low > 0 or found.high < 0
    measured = next(term for term in effect.model.terms if term.term == "as measured")
    words = (
        f"As measured, not corrected: {both(measured)}. Among the reviewed, the measure tells the outcome beyond the "
        f"review by {limits(found)}: {'its errors lean with the outcome' if off else 'no sign that its errors lean'}."
    )
    facts: Facts = {"as_measured": measured.estimate, "beyond": found.estimate, "low": found.low, "high": found.high}
    mark = "exposed: the measure's errors go with the outcome, which the correction rules out" if off else ""
    return facts | {"words": words}, mark


def limits(effect: Effect) -> str:
    """An effect and its interval in its unit."""
    scale, unit = wording.scale(effect.unit)
    value, ends = wording.estimate(*(scale * part for part in (effect.estimate, effect.low, effect.high)), sign=True)
    return f"{value} {wording.units(unit, value)} ({ends})"


def said(value: float, unit: str) -> str:
    scale, unit = wording.scale(unit)
    told = wording.number(scale * value, sign=True)
    return f"{told} {wording.units(unit, told)}"


def both(term: object) -> str:
    value, ends = wording.estimate(*(getattr(term, name) for name in ("estimate", "low", "high")))
    return f"{value} ({ends})"
