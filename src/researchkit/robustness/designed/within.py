"""Attacks on comparisons of each with itself: between people, the reverse, and what the usual panel model would say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from researchkit import wording
from researchkit.errors import ResearchkitError
from researchkit.estimators import crosslag, estimate_sample
from researchkit.estimators.contagion import named
from researchkit.estimators.effect import Term, wald
from researchkit.estimators.within import APART, BETWEEN
from researchkit.robustness.check import Check, why_not

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question


def attacks(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> tuple[Check, ...]:
    spec, made = question.within, dataset.fingerprint
    if spec is not None and spec.crossed:
        return reverse(effect, sample, made), *others(effect, question, sample, made)
    return between(effect, sample, made), feedback(dataset, question, effect)


def told(term: Term, unit: str) -> str:
    scale, name = wording.scale(unit)
    value, limits = wording.estimate(*(scale * one for one in (term.estimate, term.low, term.high)), sign=True)
    return f"{value} {wording.units(name)} ({limits})"


def between(effect: Effect, sample: Sample, made: str) -> Check:
    """What people who have more of the exposure for good say, which what stays the same about them can make as well."""
    own, apart = named(effect, BETWEEN + sample.exposure_name), named(effect, APART)
    if own is None or apart is None:
        return Check(
            "between people", made, reason="the exposure's usual level does not differ, or is told by `adjust`"
        )
    differ = wording.probability(apart.p)
    words = (
        f"Between those who differ for good: {told(own, effect.unit)}, in place of "
        f"{told(effect.model.terms[0], effect.unit)} within each. The two differ by "
        f"{told(apart, effect.unit)}, {differ}: that much hangs on what stays the same about them."
    )
    return Check(
        "between people", made, {"estimate": own.estimate, "apart": apart.estimate, "p": apart.p, "words": words}
    )


def feedback(dataset: Dataset, question: Question, effect: Effect) -> Check:
    """Whether the exposure goes with earlier outcomes, which a lag within people cannot bear: by the cross-lagged
    model, for means of few waves lean against each other."""
    name, spec, made = "the reverse", question.within, dataset.fingerprint
    if spec is None or not spec.lag:
        return Check(
            name, made, reason="exposure and outcome are of one time; which came first is not told by the data"
        )
    if question.exposure.level is not None or question.outcome.kind != "score" or question.weights:
        return Check(name, made, reason="the cross-lagged model is for two scores without weights")
    crossed = spec.model_copy(update={"lag": 0, "model": "cross-lagged"})
    twin = question.model_copy(update={"within": crossed})
    try:
        found = estimate_sample(dataset.sample(twin), twin, effect.level)
    except ResearchkitError as error:
        return Check(name, made, reason=why_not(error, dataset.study))
    term = next(one for one in found.model.terms if one.term == crosslag.LAGS[1])
    off = term.low > 0 or term.high < 0
    words = (
        f"{wording.capital(dataset.study.label(question.exposure.column))} per unit of the outcome the time before, by "
        f"the cross-lagged model: {told(term, 'point')}. "
        + ("Earlier outcomes go with the exposure, which this answer cannot bear." if off else "No feedback is seen.")
    )
    mark = "feedback: the exposure goes with earlier outcomes; ask by the cross-lagged model" if off else ""
    return Check(name, made, {"estimate": term.estimate, "p": term.p, "words": words}, mark=mark)


def reverse(effect: Effect, sample: Sample, made: str) -> Check:
    """The other direction, both in standard deviations so that they can be compared."""
    other, own = named(effect, crosslag.LAGS[1]), effect.model.terms[0]
    if other is None:
        return Check("the reverse", made, reason="the model has no answer")
    size = float(np.std(sample.exposure) / np.std(sample.outcome))
    ahead, back = (
        wording.estimate(*(by * one for one in (term.estimate, term.low, term.high)), sign=True)
        for term, by in ((own, size), (other, 1 / size))
    )
    off = other.low > 0 or other.high < 0
    clear = own.low > 0 or own.high < 0
    words = (
        f"In standard deviations, a wave ahead: exposure on outcome {ahead[0]} ({ahead[1]}), outcome on exposure "
        f"{back[0]} ({back[1]}). "
        + (
            "The outcome goes before the exposure"
            + (" as well." if clear else "; the claim has it the other way round.")
            if off
            else "The reverse is not seen."
        )
    )
    mark = "reverse: a higher outcome goes before a different exposure" + (", too" if clear else "") if off else ""
    return Check("the reverse", made, {"estimate": other.estimate, "p": other.p, "words": words}, mark=mark)


def others(effect: Effect, question: Question, sample: Sample, made: str) -> tuple[Check, ...]:
    """The usual panel, which takes people who differ for good for change; and whether lags differ between waves."""
    wide = crosslag.widened(sample, question)
    scale, df = crosslag.unscaled(wide.spread)[crosslag.HEAD], float(effect.df or 1)
    whole = crosslag.Panel(wide).fit()
    found = []
    try:
        usual = crosslag.Panel(wide, stable=False).fit()
        value, se = scale * usual.theta[crosslag.HEAD], scale * np.sqrt(usual.covariance[crosslag.HEAD, crosslag.HEAD])
        low, high, p = wald(float(value), float(se), effect.level, df)
        limits = {"estimate": float(value), "low": low, "high": high}
        words = (
            f"Without usual levels, as most panels are read: {told(Term('', value, se, low, high, p), effect.unit)}."
        )
        found.append(Check("the usual panel model", made, {**limits, "p": p, "words": words}))
    except ResearchkitError:
        found.append(Check("the usual panel model", made, reason="its likelihood has no clear top"))
    return (*found, steady(wide, whole, made))


def steady(wide: crosslag.Wide, whole: crosslag.Fit, made: str) -> Check:
    """A likelihood-ratio test of lags that are alike from each wave to the next against lags that are not."""
    from scipy.special import chdtrc

    name = "alike at every wave"
    if wide.waves < crosslag.FEWEST:
        return Check(name, made, reason="there is one step only")
    try:
        free = crosslag.Panel(wide, free=True).fit()
    except ResearchkitError:
        return Check(name, made, reason="with lags of their own for each wave the likelihood has no clear top")
    chi2, df = max(2 * (free.loglik - whole.loglik), 0.0), free.parameters - whole.parameters
    p = float(chdtrc(df, chi2))
    words = f"Lags {'differ' if p < 0.05 else 'do not clearly differ'} from wave to wave ({wording.probability(p)})."
    mark = "lags differ from wave to wave; the answer is their mean" if p < 0.05 else ""
    return Check(name, made, {"chi2": chi2, "df": df, "p": p, "words": words}, mark=mark)
