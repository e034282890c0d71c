"""What could undo an indirect effect: who rated what and when, an unmeasured cause of mediator and outcome, the
mirrored order, an exposure that changes what the mediator does, groups that differ, and another kind of interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from researchkit import wording
from researchkit.errors import EstimationError
from researchkit.robustness.check import Check, why_not
from researchkit.robustness.designed.unseen import correlation, of_limit, strength

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.estimators.paths import Laid, Paths
    from researchkit.parts import Question
    from researchkit.study import Study


@dataclass(frozen=True)
class Asked:
    """What every attack works on."""

    study: Study
    question: Question
    effect: Effect
    laid: Laid
    paths: Paths

    @property
    def names(self) -> tuple[str, str, str]:
        """Exposure, mediator and outcome, as inside a sentence."""
        question, label = self.question, self.study.label
        spec = question.mechanism
        parts = (question.exposure.column, spec.mediator if spec else "", question.outcome.column)
        return tuple(wording.lower_first(label(part)) for part in parts)  # type: ignore[return-value]

    def told(self, which: tuple[int, ...]) -> str:
        """Some of the three by name, or that it is all of them."""
        return "all three" if len(which) == 3 else " and ".join(self.names[place] for place in which)

    def amount(self, value: float, low: float, high: float) -> str:
        """An estimate of the indirect effect with its interval, in words."""
        scale, unit = wording.scale(self.effect.unit)
        told, limits = wording.estimate(scale * value, scale * low, scale * high, sign=True)
        return f"{told} {wording.units(unit, told)} ({limits})"


def attacks(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> tuple[Check, ...]:
    """Every attack on an indirect effect, in the order of the page; each says why where it cannot run."""
    asked = laid_out(dataset.study, question, effect, sample)
    rooms: dict[str, Callable[[Asked], tuple[dict[str, Any], str]]] = {
        "sources and times": sources,
        "believed causes of the mediator": believed,
        "cause of mediator and outcome": confounded,
        "the order turned round": mirrored,
        "exposure changes the mediator's effect": interaction,
        "inside groups": inside,
        "another interval": resampled,
    }
    return tuple(_check(name, room, asked, dataset) for name, room in rooms.items())


def laid_out(study: Study, question: Question, effect: Effect, sample: Sample) -> Asked:
    """The arrays and the paths of an answer, for what is to be tried on them."""
    from researchkit.estimators.mechanism import lay
    from researchkit.estimators.paths import fit

    laid, _ = lay(sample, question)
    return Asked(study, question, effect, laid, fit(laid, question, effect.level))


def _check(name: str, room: Callable[[Asked], tuple[dict[str, Any], str]], asked: Asked, dataset: Dataset) -> Check:
    try:
        facts, mark = room(asked)
    except EstimationError as error:
        return Check(name, dataset.fingerprint, reason=why_not(error, dataset.study))
    return Check(name, dataset.fingerprint, facts, mark=mark)


def sources(asked: Asked) -> tuple[dict[str, Any], str]:
    """Who rated which, and when: one rater for two of the three, or two at once, is a link without any mechanism."""
    study, question, spec = asked.study, asked.question, asked.question.mechanism
    columns = (question.exposure.column, spec.mediator if spec else "", question.outcome.column)
    raters = [study.source_of(column) for column in columns]
    when = spec.when(study.label) if spec else ""
    told = [
        "Rated by: "
        + ", ".join(f"{name} ({rater or 'not said'})" for name, rater in zip(asked.names, raters, strict=True))
        + f". Measured at: {when}."
    ]
    # Exposure and outcome are marked for every question.
    marks = [f"one source: {raters[pair[0]]} rated {asked.told(pair)}" for pair in pairs(raters)]
    if together := at_once(asked):
        marks.append(together)
    told += [f"{wording.capital(mark)}." for mark in marks]
    if study.design_of(question) == "randomised":
        told.append(f"Lots decide about {asked.names[0]}, not about {asked.names[1]}: its path is observed only.")
        marks.append(f"nobody drew lots over {asked.names[1]}")
    return {"raters": raters, "times": when, "words": " ".join(told)}, "; ".join(marks)


def at_once(asked: Asked) -> str:
    """Whether two of the three were measured at one time, or nobody says when."""
    spec = asked.question.mechanism
    if spec is None or spec.times is None:
        return "order believed, not seen: the study does not say when each was measured"
    when = (spec.times.exposure, spec.times.mediator, spec.times.outcome)
    same = [f"{asked.told(pair)} were measured at one time" for pair in pairs(when)]
    return f"order believed, not seen: {'; '.join(same)}" if same else ""


def pairs(values: Sequence[object]) -> list[tuple[int, ...]]:
    """Which of exposure, mediator and outcome share what is said of them, one after the other; or all three."""
    found = [pair for pair in ((0, 1), (1, 2)) if values[pair[0]] is not None and values[pair[0]] == values[pair[1]]]
    return [(0, 1, 2)] if len(found) == 2 else list(found)


def believed(asked: Asked) -> tuple[dict[str, Any], str]:
    """The arrows that the study draws, against what is held equal for the second path: mediator to outcome."""
    from researchkit.causes import audit
    from researchkit.parts import Exposure

    question, spec = asked.question, asked.question.mechanism
    if spec is None:
        raise EstimationError("the question names no mechanism")
    held = (*question.adjust, *spec.adjust, question.exposure.column)
    second = question.model_copy(update={"exposure": Exposure(column=spec.mediator, per=1.0), "adjust": held})
    found = audit(asked.study, second)
    if found.reason:
        raise EstimationError(found.reason)
    faults = [fault.replace("exposure and outcome", "mediator and outcome") for fault in found.faults]
    words = "; ".join(faults) or "What is held equal for mediator and outcome is what the study's arrows ask for"
    mark = f"adjustment of the mediator: {faults[0]}" if faults else ""
    return {"faults": faults, "words": f"{wording.capital(words)}."}, mark


def confounded(asked: Asked) -> tuple[dict[str, Any], str]:
    """How alike the errors of mediator and outcome would have to be to bring the answer, or its interval, to zero.

    After Imai, Keele and Yamamoto (2010), see `unseen`. The interval keeps the errors of the paths.
    """
    paths, effect = asked.paths, asked.effect
    at_zero = correlation(paths, paths.b.estimate)
    facts: dict[str, Any] = {"correlation_at_zero": at_zero, "correlation_of_the_limit": of_limit(paths, effect)}
    limit = facts["correlation_of_the_limit"]
    _, m, y = asked.names
    told = [
        f"Something unmeasured behind {m} and {y} would have to explain {_percent(abs(at_zero))} of what is left of "
        f"both to bring the answer to nothing (errors that correlate by {wording.number(at_zero)})"
        f"; {_percent(abs(limit))} brings the interval to zero."
        if limit
        else "The interval holds zero as it is; no unmeasured cause is needed to bring the answer to nothing."
    ]
    strengths = {group: strength(asked.laid, group) for group in dict.fromkeys(asked.laid.sample.groups)}
    mark = ""
    if strengths:
        most = max(strengths, key=lambda group: strengths[group])
        facts |= {"strongest_measured": most, "its_correlation": strengths[most]}
        told.append(
            f"The strongest measured cause of both, {wording.lower_first(asked.study.label(most))}, does what one of "
            f"{_percent(strengths[most])} would."
        )
        if limit and strengths[most] >= abs(limit):
            mark = (
                f"exposed: an unmeasured cause of {m} and {y} no stronger than "
                f"{wording.lower_first(asked.study.label(most))} would bring the interval across zero"
            )
    return facts | {"words": " ".join(told)}, mark


def _percent(share: float) -> str:
    return wording.percent(share, 0) if share >= 0.01 else "less than 1 %"


def mirrored(asked: Asked) -> tuple[dict[str, Any], str]:
    """Exposure and mediator exchanged: a model that fits as well, to the last digit."""
    from researchkit.estimators.paths import fit, product

    turned = fit(asked.laid.turned, asked.question, asked.effect.level)
    low, high, p = product(turned.drawn(), asked.effect.level)
    x, m, y = asked.names
    scale, unit = wording.scale(asked.effect.unit)
    value, limits = wording.estimate(scale * turned.indirect, scale * low, scale * high, sign=True)
    words = (
        f"With {m} before {x}, the same data give {value} {wording.units(unit, value)} of {y} per unit of {m} by way "
        f"of {x} ({limits}). Both models leave the same of these data unexplained: fit cannot choose between them, "
        f"{'and neither can the times' if at_once(asked) else 'only the times can'}."
    )
    return {"estimate": turned.indirect, "low": low, "high": high, "p": p, "words": words}, ""


def interaction(asked: Asked) -> tuple[dict[str, Any], str]:
    """Whether the mediator does more, or less, where there is more of the exposure; then there is not one number."""
    from researchkit.estimators.design import design
    from researchkit.estimators.effect import terms
    from researchkit.estimators.linear import cr2, hc3, least_squares

    laid, sample, level = asked.laid, asked.laid.sample, asked.effect.level
    x, mid = sample.exposure, sample.exposure.mean()
    both = (x - mid) * (laid.mediator - laid.mediator.mean())
    wide = np.column_stack([laid.mediator, sample.covariates])
    more = _with(sample, wide, (laid.name, *sample.names), (laid.name, *sample.groups))
    columns = design(more, laid.exposure, first=("together", both))
    line = least_squares(columns.matrix, sample.outcome, sample.weights)
    spread = hc3(line) if sample.cluster is None else cr2(line, sample.cluster)
    rows = terms(columns.names, *columns.raw(line.coefficients, spread.covariance), level, spread.df)
    found = {term.term: term for term in rows}
    if "together" not in found or laid.name not in found:
        raise EstimationError("exposure and mediator do not vary enough apart from each other")
    own, path = found["together"], found[laid.name]
    ends = (0.0, 1.0) if sample.binary_exposure else (mid - x.std(), mid + x.std())
    low, high = (asked.paths.a.estimate * (path.estimate + own.estimate * (end - mid)) for end in ends)
    clear = own.low > 0 or own.high < 0
    scale, unit = wording.scale(asked.effect.unit)
    few, many = (wording.number(scale * value, sign=True) for value in (low, high))
    where = (
        ("without it", "with it") if sample.binary_exposure else ("one standard deviation below its mean", "one above")
    )
    words = (
        f"With {asked.names[0]} {where[0]} the indirect effect is {few}, {where[1]} {many} {wording.units(unit, many)}"
        f"; the difference between them is {'clear of' if clear else 'not clear of'} zero "
        f"({wording.probability(own.p)})."
    )
    far = clear and abs(high - low) > asked.question.smallest_effect
    mark = f"not one number: the indirect effect differs with {asked.names[0]}" if far else ""
    facts = {"interaction": own.estimate, "low": own.low, "high": own.high, "p": own.p, "at_low": low, "at_high": high}
    return facts | {"words": words}, mark


def _with(sample: Sample, covariates: Any, names: tuple[str, ...], groups: tuple[str, ...]) -> Sample:
    from dataclasses import replace

    return replace(sample, covariates=covariates, names=names, groups=groups)


def inside(asked: Asked) -> tuple[dict[str, Any], str]:
    """The same inside clusters alone, where what makes clusters differ cannot play a part."""
    from researchkit.estimators.paths import fit, product

    laid = asked.laid
    if laid.sample.cluster is None:
        raise EstimationError("the study names no clusters")
    name = wording.lower_first(asked.study.label(str(laid.sample.cluster_name)))
    if laid.between:
        raise EstimationError(f"inside one {name} exposure or mediator does not differ")
    paths = fit(laid.within, asked.question, asked.effect.level)
    low, high, p = product(paths.drawn(), asked.effect.level)
    own = asked.effect
    opposite = (low > 0 or high < 0) and paths.indirect * own.estimate < 0
    words = f"Comparing only inside groups by {name}: {asked.amount(paths.indirect, low, high)}, beside "
    words += f"{asked.amount(own.estimate, own.low, own.high)} for all."
    mark = f"fragile: inside groups by {name} it is clearly the opposite" if opposite else ""
    return {"estimate": paths.indirect, "low": low, "high": high, "p": p, "words": words}, mark


def resampled(asked: Asked) -> tuple[dict[str, Any], str]:
    """The percentile interval over clusters (or rows) drawn again, beside the Monte Carlo one."""
    from researchkit.estimators.paths import COPIES, bootstrap

    low, high = bootstrap(asked.laid, asked.effect.level)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise EstimationError("no copy of the data, drawn again, could tell all of the coefficients")
    scale, unit = wording.scale(asked.effect.unit)
    limits, own = (
        wording.interval(scale * ends[0], scale * ends[1])
        for ends in ((low, high), (asked.effect.low, asked.effect.high))
    )
    cluster = asked.laid.sample.cluster_name
    what = f"groups by {wording.lower_first(asked.study.label(cluster))}" if cluster else "rows"
    words = f"Drawing {what} again {wording.count(COPIES)} times gives {limits} {wording.units(unit)}, beside {own}."
    parted = (low <= 0 <= high) != (asked.effect.low <= 0 <= asked.effect.high)
    mark = "on the edge: two kinds of interval disagree about zero" if parted else ""
    return {"low": low, "high": high, "copies": COPIES, "words": words}, mark
