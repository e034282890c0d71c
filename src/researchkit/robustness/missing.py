"""Missing data as an attack: who is missing, the answer with the gaps filled, and what they could do at worst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from researchkit import wording
from researchkit.disclosure import PROFILES, Profile, nearest
from researchkit.errors import EstimationError, ResearchkitError, some
from researchkit.robustness.absent import compared, counted, differences, too_few
from researchkit.robustness.assumptions import standing
from researchkit.robustness.bounds import Bounds, Tipping, ends_of_outcome, open_rows, tipping, worst_case
from researchkit.robustness.check import Check, why_not
from researchkit.robustness.gaps import Gaps, Rows, gaps
from researchkit.robustness.imputed import Imputed, imputed

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question
    from researchkit.study import Study

NAME = "missing data"
QUIET = "Whether rows have gaps is not told here: beside other pages it would tell of a few people."
MANY, UNLIKE = 0.1, 0.5  # from this share of rows with gaps, and this many standard deviations, on they are marked
LOOSE = 0.1  # from this share of the standard error on, the simulation error is told


@dataclass(frozen=True)
class Asked:
    """What every part of this check works on; `sample` holds the complete rows."""

    study: Study
    question: Question
    effect: Effect
    sample: Sample

    @property
    def profile(self) -> Profile:
        return PROFILES[self.study.disclosure]

    def few(self, sample: Sample, rows: Rows) -> bool:
        """Whether rows of a sample are of too few people to be told of."""
        return too_few(sample, rows, self.profile)

    def why(self, error: Exception) -> str:
        return why_not(error, self.study)


def missing_data(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> Check:
    """Who lacks what, the answer under multiple imputation, worst-case bounds, and the tipping point.

    The mark says that with the gaps filled the interval stands otherwise to zero or to the smallest effect that
    matters, or else that many rows have gaps and are clearly unlike the others. The worst case gets none: it nearly
    always reaches both sides of zero. What would be about fewer people than the study's profile shows, or tell two
    answers that differ by so few, is left out.
    """
    made, asked = dataset.fingerprint, Asked(dataset.study, question, effect, sample)
    try:
        found = gaps(dataset, question, sample)
    except ResearchkitError as error:
        return Check(NAME, made, reason=asked.why(error))
    if not found.incomplete.any() and not sample.quiet:
        return Check(NAME, made, {"incomplete": 0, "words": "No row lacks anything that the question needs."})
    fillable = found.without(found.beyond)
    filled = _filled(asked, fillable)
    if sample.quiet:
        return Check(NAME, made, {"incomplete": None, "words": QUIET}, mark=_mark(asked, filled))
    if asked.few(found.sample, found.incomplete):
        keeps = isinstance(filled, Imputed) and not _mark(asked, filled)
        quiet = {"incomplete": None, "keeps": keeps, "words": _of_few(asked, filled)}
        return Check(NAME, made, quiet, mark=_mark(asked, filled))
    facts: dict[str, Any] = counted(found, sample, asked.profile)
    rows = nearest(len(found.sample.outcome), asked.profile)  # of an exact number the share would tell it
    facts["share_incomplete"] = None if facts["incomplete"] is None else min(1.0, facts["incomplete"] / rows)
    facts["cannot_be_filled"] = list(found.fixed)
    facts |= compared(differences(found, question, asked.profile), effect.level)
    words = [_who(asked, facts), _differ(asked, found.sample, facts)]
    told = filled
    if asked.few(fillable.sample, fillable.incomplete) and fillable.incomplete.any():
        told = "too few people have gaps that can be filled"
    facts["imputed"] = None if isinstance(told, str) else told.to_dict()
    words += [_reasons(asked, dataset), _fixed(asked, found.fixed), _answer(asked, told)]
    more, at_worst = _at_worst(asked, fillable, filled)
    return Check(
        NAME,
        made,
        facts | more | {"words": " ".join(filter(None, [*words, *at_worst]))},
        mark=_mark(asked, filled) or _selective(asked, found.sample, facts),
    )


def _filled(asked: Asked, fillable: Gaps) -> Imputed | str:
    """The answer with the gaps filled, or why there is none."""
    if not fillable.incomplete.any():
        return "what is missing cannot be filled"
    try:
        return imputed(fillable, asked.study, asked.question, asked.effect.level)
    except EstimationError as error:
        return asked.why(error)


def _at_worst(asked: Asked, fillable: Gaps, filled: Imputed | str) -> tuple[dict[str, Any], list[str]]:
    """Worst case and tipping point with their words, or the reason why there is none."""
    facts: dict[str, Any] = {"worst_case": None, "tipping": None}
    try:
        known = open_rows(fillable, asked.question)
    except EstimationError as error:
        return {**facts, "no_worst_case": asked.why(error)}, []
    if asked.few(known.sample, known.missing):
        return {**facts, "no_worst_case": "too few people lack the outcome alone"}, []
    facts["scale"], words, bounds, point = known.scale, [], None, None
    try:
        bounds = worst_case(known, ends_of_outcome(asked.study, asked.question, known.sample), asked.effect.level)
        words.append(_bounds(asked, bounds, known.scale))
    except EstimationError as error:
        facts["no_worst_case"] = asked.why(error)
        words.append(f"No worst case is reckoned: {facts['no_worst_case']}.")
    if isinstance(filled, Imputed):
        point = tipping(known, filled.expected[known.rows], asked.question.exposure.column, asked.effect.level)
    if point and not (bounds and bounds.keeps_its_sign):
        words.append(_tips(asked, point, known.sample.binary_exposure))
    return facts | {"worst_case": bounds and bounds.to_dict(), "tipping": point and point.to_dict()}, words


def _mark(asked: Asked, filled: Imputed | str) -> str:
    """The mark, where the imputed interval stands otherwise than the headline's."""
    if isinstance(filled, str):
        return ""
    before, after = (standing(one.low, one.high, asked.question) for one in (asked.effect, filled))
    clear, still = (one.low > 0 or one.high < 0 for one in (asked.effect, filled))
    if before == after:
        return ""
    what = "the word would differ" if clear == still else f"the interval would {'include' if clear else 'exclude'} zero"
    return f"fragile: with the missing values imputed {what}"


def _selective(asked: Asked, sample: Sample, facts: Mapping[str, Any]) -> str:
    """The mark, where many rows have gaps and differ clearly from those that have none; no count is told."""
    most = facts["differs_most"]
    if not most or (facts["share_incomplete"] or 0) < MANY or abs(most["difference"]) < UNLIKE:
        return ""
    clear = most["low"] > 0 or most["high"] < 0
    return (
        f"selective gaps: rows with gaps are unlike the others in {_named(asked, sample, most['of'])}" if clear else ""
    )


# Words


def _reasons(asked: Asked, dataset: Dataset) -> str:
    """Why cells are empty, where the file says so."""
    told = {name: dataset.why_empty(name) for name in asked.question.columns}
    known = "; ".join(f"{asked.study.label(name)} ({words})" for name, words in told.items() if words)
    return f"Why, as far as the file says: {known}." if known else ""


def _of_few(asked: Asked, filled: Imputed | str) -> str:
    few = f"Fewer than {asked.profile.threshold} people have gaps, so nothing is told of them."
    same = isinstance(filled, Imputed) and not _mark(asked, filled)
    return f"{few} With their gaps filled the answer stands as it does." if same else few


def _who(asked: Asked, facts: Mapping[str, Any]) -> str:
    lacking = facts["lacking"]
    told = [f"{asked.study.label(name)} ({wording.count(n)})" for name, n in lacking.items() if n]
    untold = [f"{asked.study.label(name)} (how many is not shown)" for name, n in lacking.items() if not n]
    what = some([*told, *untold], 8)
    if facts["incomplete"] is None:
        return f"Some rows lack something: {what}."
    share = wording.percent(facts["share_incomplete"])
    return f"{wording.count(facts['incomplete'])} rows ({share}) lack something: {what}."


def _differ(asked: Asked, sample: Sample, facts: Mapping[str, Any]) -> str:
    most, many = facts["differs_most"], len(facts["differences"])
    if most is None:
        return ""
    value, limits = wording.estimate(most["difference"], most["low"], most["high"], sign=True)
    corrected = f", corrected for {many} comparisons" if many > 1 else ""
    return (
        f"They differ most from the complete rows in {_named(asked, sample, most['of'])}: {value} standard deviations "
        f"({limits}{corrected}; {wording.probability(most['p'])})."
    )


def _named(asked: Asked, sample: Sample, name: str) -> str:
    """What a column, or a level of one, is called."""
    group = dict(zip(sample.names, sample.groups, strict=True)).get(name, name)
    return wording.lower_first(asked.study.label(group) + name.removeprefix(group))


def _fixed(asked: Asked, fixed: tuple[str, ...]) -> str:
    return f"Rows without {some(map(asked.study.label, fixed))} stay out: nothing can fill that." if fixed else ""


def _answer(asked: Asked, filled: Imputed | str) -> str:
    if isinstance(filled, str):
        return f"The answer with the gaps filled is not told: {filled}."
    scale, unit = wording.scale(asked.effect.unit)
    effect, pooled = asked.effect, filled.pooled
    now, limits = wording.estimate(*(scale * one for one in (pooled.estimate, filled.low, filled.high)), sign=True)
    before, own = wording.estimate(*(scale * one for one in (effect.estimate, effect.low, effect.high)), sign=True)
    fewer = f" ({filled.wanted} would be better, but take too long here)" if pooled.m < filled.wanted else ""
    error, loose = wording.number(scale * pooled.monte_carlo_error), pooled.monte_carlo_error > LOOSE * pooled.se
    anew = f", and filling them anew would move it by about {error}" if loose else ""
    return (
        f"Filled {wording.count(pooled.m)} times from like rows{fewer} and pooled (multiple imputation), the answer "
        f"over all of them is {now} {wording.units(unit, now)} ({limits}); over the complete rows it is {before} "
        f"({own}). {wording.percent(pooled.lambda_, 0)} of its variance comes from the gaps{anew}. This supposes that "
        "rows alike in all that is observed are alike in what is missing."
    )


def _bounds(asked: Asked, bounds: Bounds, line: str) -> str:
    scale, unit = wording.scale(asked.effect.unit)
    ends = wording.interval(scale * bounds.least.estimate, scale * bounds.most.estimate).replace(" to ", " and ")
    limits = wording.interval(scale * bounds.least.low, scale * bounds.most.high)
    sign = ", so that it keeps its sign" if bounds.keeps_its_sign else ""
    about = "" if line == "linear" else ", reckoned on a straight line"
    return (
        f"At worst, with each missing outcome at that end of its range which moves the answer most, it would lie "
        f"between {ends} {wording.units(unit)} (interval {limits}{about}){sign}."
    )


def _tips(asked: Asked, point: Tipping, binary: bool) -> str:
    scale, unit = wording.scale(asked.effect.unit)
    shown = wording.number(abs(scale * point.shift))
    way, other = ("higher", "lower") if point.shift > 0 else ("lower", "higher")
    side, opposite = _sides(asked)
    where = (
        f"{side}, and as much {other} {opposite}"
        if binary
        else f"for each step of the exposure above its mean ({asked.sample.contrast}), and as much {other} below it"
    )
    limit = point.of_the_limit
    nearer = "" if limit is None else f"; {wording.number(abs(scale * limit))} would bring the interval there"
    return (
        f"To bring the answer to nothing, the missing outcomes would have to be {shown} {wording.units(unit, shown)} "
        f"{way} than expected {where}{nearer}."
    )


def _sides(asked: Asked) -> tuple[str, str]:
    """With the exposure and without it, as the codebook calls its two levels."""
    if asked.sample.arms is None:
        return "with the exposure", "without it"
    column = asked.study.columns.get(asked.question.exposure.column)
    codes = column.codes if column else {}
    reference, level = (codes.get(arm, arm) for arm in asked.sample.arms)
    return f"where it is “{level}”", f"where it is “{reference}”"
