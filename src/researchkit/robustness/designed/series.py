"""What an interrupted series is attacked with: other beginnings, other units, each control left out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from researchkit import wording
from researchkit.errors import EstimationError
from researchkit.estimators.series import AFTER, BEFORE, columns_of, course_of, remembered, series
from researchkit.robustness.check import Check, why_not

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question

ENOUGH = 4  # other units, of which a share says anything


def attacks(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> tuple[Check, ...]:
    return (
        other_beginning(dataset, question, effect, sample),
        other_units(dataset, question, effect, sample),
        without_each(dataset, question, effect, sample),
    )


def other_beginning(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> Check:
    """The same, as if it had begun half-way through the time before it did; a change there is no effect of it."""
    name, made = "a beginning that was none", dataset.fingerprint
    course = course_of(sample, question)
    before = np.flatnonzero(~course.after)
    start = len(before) // 2
    if start < BEFORE or len(before) - start < AFTER:
        need = 2 * BEFORE
        return Check(name, made, reason=f"the {len(before)} times before are too few to be split; it needs {need}")
    part = replace(
        course,
        at=course.at[before],
        value=course.value[before],
        after=np.arange(len(before)) >= start,
        beside=course.beside[before],
    )
    try:
        _, matrix = columns_of(part, sample, question)
    except EstimationError as error:
        return Check(name, made, reason=why_not(error, dataset.study))
    fit = remembered(matrix, part.value, part.at)
    low, high, value = interval(fit.coefficients[0], fit.covariance[0, 0] ** 0.5, fit.df[0], effect)
    off = low > 0 or high < 0
    unit = wording.units(effect.unit, value)
    words = (
        f"As if it had begun at {course.labels[before[start]]}, when it had not: {value} {unit} "
        f"({wording.interval(low, high)}), {'clear' if off else 'not clear'} of no difference."
    )
    mark = "unsteady before: the series changed as much at a time when nothing began" if off else ""
    return Check(
        name, made, {"estimate": float(fit.coefficients[0]), "low": low, "high": high, "words": words}, mark=mark
    )


def interval(estimate: float, se: float, df: float, effect: Effect) -> tuple[float, float, str]:
    from scipy import special

    half = float(special.stdtrit(df, (1 + effect.level) / 2)) * float(se)
    low, high = float(estimate) - half, float(estimate) + half
    return low, high, wording.estimate(float(estimate), low, high, sign=True)[0]


def other_units(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> Check:
    """Each control in the treated unit's place: how many of them moved as much (Abadie and others 2010, JASA 105)."""
    name, made = "other units in its place", dataset.fingerprint
    unit, treated = who(sample, question)
    others = np.setdiff1d(np.unique(unit), treated)
    if len(others) < ENOUGH:
        return Check(name, made, reason=f"there are {len(others)} control series; it needs at least {ENOUGH}")
    began = began_at(sample, question)
    found = []
    for other in others:
        rows = ~np.isin(unit, treated)
        inside = sample_of(sample, rows, ((unit == other) & began)[rows])
        try:
            found.append(series(inside, question, effect.level))
        except EstimationError:
            continue
    own = abs(effect.estimate / effect.se)
    as_far = sum(abs(one.estimate / one.se) >= own for one in found)
    words = (
        f"Of {len(found)} control series put in its place, {as_far or 'none'} moved as far from zero, by their own "
        "errors, as the treated one."
    )
    doubt = len(found) and as_far / len(found) > 0.2 and not effect.low <= 0 <= effect.high
    mark = "not alone: series in which nothing began moved as far" if doubt else ""
    return Check(name, made, {"units": len(found), "as_far": int(as_far), "words": words}, mark=mark)


def without_each(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> Check:
    """The answer without each control in turn, by its lowest and highest."""
    name, made = "each control left out", dataset.fingerprint
    unit, treated = who(sample, question)
    others = np.setdiff1d(np.unique(unit), treated)
    if len(others) < 2:
        return Check(name, made, reason="it needs at least two control series")
    found: list[Any] = []
    for other in others:
        rows = unit != other
        found.append(series(sample_of(sample, rows, sample.exposure[rows]), question, effect.level).estimate)
    low, high = min(found), max(found)
    turned = low * effect.estimate < 0 or high * effect.estimate < 0
    words = f"Without one control each, the answer lies between {wording.interval(low, high).replace(' to ', ' and ')}."
    mark = "rests on one control: without it the answer has the other sign" if turned else ""
    return Check(name, made, {"lowest": low, "highest": high, "words": words}, mark=mark)


def who(sample: Sample, question: Question) -> tuple[Any, Any]:
    """The unit of each row, and the units that have it at some time."""
    unit = np.asarray(sample.more[question.series.unit if question.series else ""])
    return unit, np.unique(unit[sample.exposure > 0])


def began_at(sample: Sample, question: Question) -> Any:
    """(n,) whether a row is of a time at which the treated unit had it."""
    time = np.asarray(sample.more[question.series.time if question.series else ""])
    return np.isin(time, time[sample.exposure > 0])


def sample_of(sample: Sample, rows: Any, exposure: Any) -> Sample:
    """Some rows, with another exposure."""
    more = {name: values[rows] for name, values in sample.more.items()}
    return replace(
        sample,
        outcome=sample.outcome[rows],
        exposure=np.asarray(exposure, dtype=float),
        covariates=sample.covariates[rows],
        cluster=None,
        more=more,
    )
