"""What only a roll-out can be attacked with: times before the start, other comparisons, the usual regression, lots.

Each gives its words ready for the page; numbers in them are in the unit of the answer.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from researchkit import wording
from researchkit.errors import EstimationError
from researchkit.estimators.effect import wald
from researchkit.estimators.panel import coded, design_of, told
from researchkit.estimators.permute import draw_again
from researchkit.estimators.rollout import Before, Laid, lay_out
from researchkit.estimators.twfe import two_way
from researchkit.robustness.check import Check, why_not
from researchkit.robustness.influence import FAST, FEW

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question

SURE = 0.01  # below it, differences before the start are no chance
MOST_ROWS = 20_000  # more, and the mixed model would take longer than the page
OTHER = {
    ("comparison", "never"): "those who never start as comparison",
    ("comparison", "not yet"): "those not yet started as comparison",
    ("before", "last"): "changes counted from the last time before",
    ("before", "all"): "changes counted from the mean of all times before",
    ("weigh", "rows"): "each row counted the same",
    ("weigh", "units"): "each unit counted the same",
}


def attacks(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> tuple[Check, ...]:
    """The checks of a roll-out, in the order of the page."""
    made, laid = dataset.fingerprint, lay_out(sample, question)
    drawn = dataset.study.design_of(question) == "randomised"
    time = wording.lower_first(dataset.study.label(design_of(question).time))
    return (
        trend(laid, question, effect, made, drawn=drawn, time=time),
        bounds(laid, effect, made),
        other_ways(dataset, question, effect, sample, made),
        regression(laid, effect, made),
        lots(laid, effect, made, drawn=drawn),
        mixed(dataset, question, effect, sample, made),
        *(() if told_already(laid, effect) else (one_out(laid, effect, made),)),
    )


def told_already(laid: Laid, effect: Effect) -> bool:
    """Whether `influence` itself has left out each in turn."""
    count = int(laid.cells.cluster.max()) + 1
    return count <= FEW and count * effect.n <= FAST


def said(effect: Effect, value: float, low: float, high: float) -> str:
    """An estimate with its limits, in the unit of the answer."""
    scale, unit = wording.scale(effect.unit)
    number, limits = wording.estimate(scale * value, scale * low, scale * high, sign=True)
    return f"{number} {wording.units(unit, number)} ({limits})"


def amount(effect: Effect, value: float) -> str:
    scale, unit = wording.scale(effect.unit)
    number = wording.number(scale * value)
    return f"{number} {wording.units(unit, number)}"


def trend(laid: Laid, question: Question, effect: Effect, made: str, *, drawn: bool, time: str) -> Check:
    """Whether starters moved apart before the start, and what drift such a look would have missed.

    Roth (2022), American Economic Review: Insights 4, 305-322: a look that finds nothing may have had no power.
    """
    name, before = "times before the start", laid.before
    mark = "" if drawn else "roll-out: nobody drew lots for who started when"
    alone = "One alone has started, and what else happened there cannot be told from it." if laid.alone else ""
    if before is None:
        few = f"fewer than two {time}s before a start were seen"
        return Check(name, made, {"fails": alone}, reason=few, mark=mark)
    slope = before.slope
    low, high, _ = wald(slope.estimate, slope.se, effect.level, slope.df)
    moved = before.missed * before.reach
    words = (
        f"Before the start, those who started moved away from the others by {said(effect, slope.estimate, low, high)} "
        f"a {time}; any difference there: {wording.probability(before.p)}. A steady drift of "
        f"{amount(effect, before.missed)} a {time} would have been missed once in five; going on, it would move the "
        f"answer by {amount(effect, moved)}"
    )
    undone = moved >= abs(effect.estimate)
    words += f", {'as much as' if undone else 'less than'} the answer itself." if effect.estimate else "."
    if not drawn and before.p < 0.05:
        mark = f"moved apart before the start ({wording.probability(before.p)})"
    elif not drawn and undone and (effect.low > 0 or effect.high < 0):
        mark = "a drift that the times before the start could have hidden would undo it"
    facts = {
        "slope": slope.estimate,
        "low": low,
        "high": high,
        "p": before.p,
        "drift_missed_once_in_five": before.missed,
        "would_move_the_answer_by": moved,
        "words": words,
        "fails": alone or ("" if drawn else apart(before, question)),
    }
    return Check(name, made, facts, mark=mark)


def apart(before: Before, question: Question) -> str:
    """Why nothing may be said: starters moved apart before the start, by no chance, and by enough to matter."""
    most = max(before.largest, abs(before.slope.estimate) * before.reach)
    if before.p >= SURE or most <= question.smallest_effect:
        return ""
    return (
        f"Those who started moved apart from the others before the start ({wording.probability(before.p)}), so that "
        "what came after is no measure of it."
    )


def bounds(laid: Laid, effect: Effect, made: str) -> Check:
    """The interval if trends may part after the start by so many times their largest step before it.

    The relative magnitudes of Rambachan and Roth (2023), Review of Economic Studies 90, 2555-2591, in their simplest
    form: the largest step is taken as known.
    """
    name, before = "trends that part later", laid.before
    if before is None:
        return Check(name, made, reason="too few times before the start were seen to know how far trends part")
    most = before.step * before.reach
    low, high = effect.low - most, effect.high + most
    distance = max(effect.low, -effect.high, 0.0)
    words = (
        "If those who started would have moved away from the others after the start as far in each step as they did at "
        f"most in one step before it ({amount(effect, before.step)}), always in one direction, the interval would run "
        f"from {said_ends(effect, low, high)}."
    )
    times = distance / most if most > 0 else math.inf
    if distance > 0:
        words += f" It would hold no difference from {wording.number(times)} times that step on."
    return Check(
        name, made, {"low": low, "high": high, "largest_step": before.step, "breakdown": times, "words": words}
    )


def said_ends(effect: Effect, low: float, high: float) -> str:
    scale, unit = wording.scale(effect.unit)
    return f"{wording.interval(scale * low, scale * high)} {wording.units(unit)}"


def other_ways(dataset: Dataset, question: Question, effect: Effect, sample: Sample, made: str) -> Check:
    """The same roll-out with each other choice of the design in turn."""
    design = design_of(question)
    told, facts = [], {}
    for (entry, value), words in OTHER.items():
        if getattr(design, entry) == value:
            continue
        try:
            found = lay_out(sample, question, **{entry: value}).overall
            low, high, _ = wald(found.estimate, found.se, effect.level, found.df)
        except EstimationError as error:
            why = why_not(error, dataset.study).removeprefix(f"The question {question.id!r}: ").split(". ")[0]
            told.append(f"{words}: not to be had, for {why}")
            continue
        told.append(f"{words}: {said(effect, found.estimate, low, high)}")
        facts[f"{entry}_{value}".replace(" ", "_")] = {"estimate": found.estimate, "low": low, "high": high}
    return Check("other choices", made, {**facts, "words": f"{wording.capital('; '.join(told))}."})


def regression(laid: Laid, effect: Effect, made: str) -> Check:
    """What the usual two-way regression would have said, and how many of its weights are negative."""
    name, found = "two-way regression", two_way(laid.cells)
    if found is None or not found.se > 0:
        return Check(name, made, reason="the start is told by unit and time alone")
    low, high, _ = wald(found.estimate, found.se, effect.level, max(found.clusters - 1, 1))
    share = wording.percent(found.negative, 0)
    words = (
        f"The usual regression with a level for each unit and time gives {said(effect, found.estimate, low, high)}. "
        "It uses those who have started as comparison for those who start later"
    )
    words += (
        f": {share} of the started cells count with the wrong sign."
        if found.negative
        else "; here no started cell counts with the wrong sign, so that it is a mean of effects, weighed otherwise."
    )
    if effect.low > high or effect.high < low:
        words += " Its interval does not meet that of the answer."
    facts = {"estimate": found.estimate, "low": low, "high": high, "negative_weights": found.negative, "words": words}
    return Check(name, made, facts)


def lots(laid: Laid, effect: Effect, made: str, *, drawn: bool) -> Check:
    """The starts dealt out anew among the units: the p-value, and the constant effects that are not rejected."""
    name, found = "starts dealt out anew", draw_again(laid, effect.level)
    if found is None:
        return Check(name, made, reason="several units start as one, and dealing out single ones would part them")
    exact = "exact, for lots were drawn" if drawn else "as if lots had been drawn"
    words = f"Of {wording.count(found.draws)} ways to deal the starts out among the units, "
    words += f"so large a difference comes with {wording.probability(found.p)} ({exact})"
    if math.isfinite(found.low) and math.isfinite(found.high):
        words += f"; the effects that are compatible with them run from {said_ends(effect, found.low, found.high)}."
    else:
        words += "; there are too few different ways for an interval."
    return Check(name, made, {"p": found.p, "low": found.low, "high": found.high, "draws": found.draws, "words": words})


def mixed(dataset: Dataset, question: Question, effect: Effect, sample: Sample, made: str) -> Check:
    """The model of a stepped wedge: a level for each time, units that differ by chance (Hussey and Hughes 2007,
    Contemporary Clinical Trials 28, 182-191; R `lme4::lmer(y ~ factor(time) + started + (1 | unit))`)."""
    from researchkit.estimators.multilevel import random_intercept

    name, design = "mixed model", design_of(question)
    if len(sample.outcome) > MOST_ROWS:
        return Check(name, made, reason=f"it is fitted to {wording.count(MOST_ROWS)} rows at most")
    try:
        unit, time = (coded(sample.more[one])[0] for one in (design.unit, design.time))
        periods = np.eye(int(time.max()) + 1)[time]
        columns = np.column_stack([sample.exposure, periods, sample.covariates])
        fit = random_intercept(told(sample, question)[0], columns, unit)
        low, high, _ = wald(
            float(fit.coefficients[0]), math.sqrt(float(fit.covariance[0, 0])), effect.level, float(fit.df[0])
        )
    except (EstimationError, np.linalg.LinAlgError) as error:
        return Check(name, made, reason=why_not(error, dataset.study))
    value = float(fit.coefficients[0])
    words = (
        f"A model with a level for each time and units that differ by chance gives {said(effect, value, low, high)}. "
        "It takes the effect to be the same in all units and at all times, and uses differences between units too: "
        "right where lots were drawn."
    )
    return Check(name, made, {"estimate": value, "low": low, "high": high, "words": words})


def one_out(laid: Laid, effect: Effect, made: str) -> Check:
    """The answer without any one of what starts as one."""
    left: Any = laid.overall.left[np.isfinite(laid.overall.left)]
    if not len(left):
        return Check("one left out", made, reason="without any one nothing is left to compare")
    words = (
        f"Without any one of what starts as one, the estimate lies between {said_ends(effect, left.min(), left.max())}"
    ).replace(" to ", " and ", 1) + "."
    turned = float(np.mean(np.sign(left) != np.sign(effect.estimate)))
    if turned:
        words += " For some of them the sign would turn."
    return Check("one left out", made, {"low": left.min(), "high": left.max(), "turn_the_sign": turned, "words": words})
