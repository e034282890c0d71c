"""What may be said: one of four words, a sentence that fits the design, and the reasons.

The rule, with m the smallest effect that matters and the interval turned to the claimed side:

    too small to matter   the whole interval lies inside -m to m
    supported             the interval lies on the claimed side of zero, and not inside the band
    contradicted          it lies on the other side of zero, and not inside the band
    cannot tell           everything else

An equivalence claim (`expect: equal`) is supported where the first line holds and contradicted where the whole
interval lies beyond the band on one side. A claim of non-inferiority (`expect: not worse`) is supported where the
interval, turned to the good side, lies above -m, contradicted where it lies below, and else the data cannot tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from researchkit import card, wording
from researchkit.errors import EstimationError
from researchkit.protocol import standing
from researchkit.robustness.equivalence import claimed_side

if TYPE_CHECKING:
    from researchkit.estimators import Effect
    from researchkit.parts import Question
    from researchkit.robustness import Check
    from researchkit.study import Study

ROUGH = ("few events", "very skewed")  # how a note begins that an interval holds the truth less often than it says
FAILS = "assumption fails"  # and one that says that what the answer rests on is seen not to hold
WIDE = "hardly any degrees of freedom"  # or more often
MOST = 0.5  # of the rows that the rules keep: the answer is about the smaller part, whatever fills the gaps
SURER = 0.2  # of the error that is left: 99 % in place of 95 %

Word = Literal["supported", "contradicted", "too small to matter", "cannot tell"]


@dataclass(frozen=True, repr=False)
class Verdict:
    """The word, its sentence, why, and the marks of weakness that a reader must see beside it.

    >>> import researchkit as rk
    >>> rk.Verdict("cannot tell", "These data cannot tell.", ("The interval is wide.",), ("few clusters: 6",))
    Cannot tell. These data cannot tell.
    """

    word: Word
    sentence: str
    reasons: tuple[str, ...]
    marks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "word": self.word,
            "marks": list(self.marks),
            "sentence": self.sentence,
            "reasons": list(self.reasons),
        }

    def __str__(self) -> str:
        return f"{self.word.capitalize()}. {self.sentence}"

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return card.Card("Verdict", str(self), (("Why", " ".join(self.reasons)),), self.marks, side=self.word).bundle()


def judge(
    effect: Effect,
    question: Question,
    study: Study,
    *,
    crude: Effect | None = None,
    checks: Sequence[Check] = (),
    fingerprint: str = "",
) -> Verdict:
    """The verdict on one effect.

    Parameters
    ----------
    effect
        The adjusted effect, in the outcome's own unit.
    crude
        The same without adjustment; a change of verdict between the two is a reason that is told.
    checks
        What attacked the answer, each made from the data with `fingerprint`.

    Raises
    ------
    EstimationError
        If a check was made from other data than the effect.

    Examples
    --------
    >>> import researchkit as rk
    >>> study = rk.load_study("data/hospital")
    >>> asked = study.question("length_of_stay")
    >>> rk.judge(rk.estimate(rk.load_dataset(study), asked), asked, study).word
    'too small to matter'
    """
    strange = [check.name for check in checks if check.fingerprint != fingerprint]
    if strange:
        raise EstimationError(f"The check {strange[0]!r} was made from other data; run it again on these.")
    word, surer = surely(effect, question)
    failed = tuple(str(check.facts["fails"]) for check in checks if check.facts.get("fails"))
    word = "cannot tell" if failed else word  # an assumption that fails visibly: no interval helps
    return Verdict(
        word,
        sentence(effect, word, question, study),
        (*reasons(effect, crude, question), *surer, *failed),
        marks(effect, question, study, checks),
    )


def surely(effect: Effect, question: Question) -> tuple[Word, tuple[str, ...]]:
    """The word, and where the interval is rough, what a wider one made of it."""
    word = ruling(effect.low, effect.high, question)
    if failed := next((note for note in effect.notes if note.startswith(FAILS)), ""):
        return "cannot tell", (f"{wording.capital(failed)}.",)
    rough = noted(effect, *ROUGH)
    if not rough or word == "cannot tell":
        return word, ()
    from researchkit.estimators.effect import wald

    level = 1 - SURER * (1 - effect.level)
    low, high, _ = wald(effect.estimate, effect.se, level, effect.df)
    scale, unit = wording.scale(effect.unit)
    limits = f"{wording.interval(scale * low, scale * high)} {wording.units(unit)}"
    told = f"{wording.level(level)}, which runs from {limits}"
    if (wider := ruling(low, high, question)) == word:
        return word, (f"The interval is rough ({rough}); the word stands by that of {told}.",)
    fails = f"so the word “{word}” would have to stand by that of {told}; there it is “{wider}”"
    return "cannot tell", (f"The interval is rough ({rough}), {fails}.",)


def noted(effect: Effect, *begins: str) -> str:
    """The first of these beginnings that a note of the effect has; "" for none."""
    return next((begin for note in effect.notes for begin in begins if note.startswith(begin)), "")


def ruling(low: float, high: float, question: Question) -> Word:
    """The word for an interval, by the rule at the top of this module."""
    margin = question.smallest_effect
    inside = -margin < low and high < margin
    if question.expect == "equal":
        beyond = low > margin or high < -margin
        return "supported" if inside else "contradicted" if beyond else "cannot tell"
    if question.expect == "not worse":
        worst, best = (low, high) if claimed_side(question) > 0 else (-high, -low)
        return "supported" if worst > -margin else "contradicted" if best < -margin else "cannot tell"
    if inside:
        return "too small to matter"
    if claimed_side(question) < 0:
        low, high = -high, -low
    return "supported" if low > 0 else "contradicted" if high < 0 else "cannot tell"


def reasons(effect: Effect, crude: Effect | None, question: Question) -> tuple[str, ...]:
    """Why this word: the interval against zero, against the band, and against the crude answer."""
    scale, unit = wording.scale(effect.unit)
    least = bound(scale, unit, question)
    level, limits = wording.level(effect.level), wording.interval(scale * effect.low, scale * effect.high)
    limits = f"The {level} interval runs from {limits} {wording.units(unit)}"
    zero = "and includes no difference" if effect.low <= 0 <= effect.high else "and excludes no difference"
    told = [f"{limits} {zero}."]
    if -question.smallest_effect < effect.low and effect.high < question.smallest_effect:
        told.append(f"It lies wholly inside the band of what is too small to matter (±{least}).")
    elif effect.low > question.smallest_effect or effect.high < -question.smallest_effect:
        told.append(f"It lies wholly beyond what is too small to matter (±{least}).")
    else:
        told.append(f"It reaches into the band of what is too small to matter (±{least}).")
    if (
        crude is not None
        and crude is not effect
        and (other := ruling(crude.low, crude.high, question)) != ruling(effect.low, effect.high, question)
    ):
        told.append(f"Without adjustment the word would have been “{other}”.")
    return tuple(told)


def marks(effect: Effect, question: Question, study: Study, checks: Sequence[Check]) -> tuple[str, ...]:
    """What weakens the answer, in words."""
    observational, planned = study.design_of(question) == "observational", standing(study, question).mark
    rater = study.source_of(question.outcome.column)
    one_source = rater is not None and rater == study.source_of(question.exposure.column)
    one_source &= not (question.special and question.special.apart)
    few = next((note for note in effect.notes if note.startswith("few clusters")), "")
    gaps = next((check.facts for check in checks if check.name == "missing data"), {})
    found = [
        (bool(planned), planned),
        (observational, "observational: went with, not caused"),
        (study.tables[study.table_of(question)].aggregates, "ecological: about groups, not about the people in them"),
        (observational and not (question.adjust or question.special), "not adjusted for anything"),
        (one_source, f"one source: {rater} rated both"),
        ((gaps.get("share_incomplete") or 0.0) > MOST, "most rows left out: more than half lack something it needs"),
        (bool(few), few),
        (bool(noted(effect, FAILS)), next((note for note in effect.notes if note.startswith(FAILS)), "")),
        (bool(noted(effect, *ROUGH)), f"rough interval: {noted(effect, *ROUGH)}"),
        (bool(noted(effect, WIDE)), f"wide interval: {WIDE}"),
        (
            effect.low < -question.smallest_effect and effect.high > question.smallest_effect,
            "imprecise: the interval holds effects that matter in both directions",
        ),
    ]
    return tuple([text for holds, text in found if holds] + [check.mark for check in checks if check.mark])


def sentence(effect: Effect, word: Word, question: Question, study: Study) -> str:
    """The result in one sentence whose verb the design allows."""
    scale, unit = wording.scale(effect.unit)
    value, limits = wording.estimate(scale * abs(effect.estimate), scale * effect.low, scale * effect.high)
    where = f"({wording.level(effect.level)} interval {limits}), {among(effect, study, question)}."
    what, outcome = cause(question, study), measured(question, study)
    if special := question.special:
        what, outcome = special.told(special.subject(question, study) or what, outcome, study.label)
        if own := special.sentence(effect, word, question, study, (what, outcome, where)):
            return own
    amount = f"{value} {wording.units(unit, value)}"
    if word == "cannot tell":
        lean = "higher" if effect.estimate > 0 else "lower"
        doubt = f"These data cannot tell whether {wording.lower_first(what)} goes with a different {outcome}"
        if question.expect == "not worse":
            worse = f"{wording.lower_first(what)} is worse by {bound(scale, unit, question)}"
            doubt = f"These data cannot tell whether {worse}"
        return f"{doubt}: the estimate is {amount} {lean} {where}"
    changed = f"{wording.with_article(outcome)} that was {amount} {direction(effect, question)}"
    if question.expect == "not worse":
        how = "was not worse by" if word == "supported" else "was worse by more than"
        return f"{what} {how} {bound(scale, unit, question)}: it went with {changed} {where}"
    if word == "too small to matter" or (word == "supported" and question.expect == "equal"):
        return f"{what} went with a difference too small to matter: {changed} {where}"
    if study.design_of(question) == "randomised" and (question.special is None or question.special.lots):
        verb = "raised" if effect.estimate > 0 else "lowered"
        return f"{what} {verb} {wording.with_article(outcome, 'the')} by {amount} {where}"
    return f"{what} went with {changed} {where}"


def bound(scale: float, unit: str, question: Question) -> str:
    """The smallest effect that matters, as the sentence tells it."""
    least = wording.number(scale * question.smallest_effect)
    return f"{least} {wording.units(unit, least)}"


def measured(question: Question, study: Study) -> str:
    """The outcome as the sentence names it: a score, a share, a rate, a time."""
    outcome = question.outcome
    name = outcome.label or study.label(outcome.column)
    if outcome.nps:
        return "net promoter score"
    if outcome.kind in ("yes_no", "ordered"):
        codes = column.codes if (column := study.columns.get(outcome.column)) else {}
        values = (outcome.yes,) if outcome.kind == "yes_no" else outcome.top
        told = " or ".join(codes.get(value, value) for value in values)
        answer = "" if told == "1" or told.lower() == name.lower() else f": {told}"
        return f"share of “{wording.lower_first(name)}{answer}”"
    prefix = {"counts": "rate of ", "duration": f"mean time (up to {wording.typed(outcome.horizon or 0)}) of "}.get(
        outcome.kind
    )
    return f"{prefix}“{wording.lower_first(name)}”" if prefix else wording.lower_first(name)


def direction(effect: Effect, question: Question) -> str:
    """More or less, in the word that fits the kind of outcome."""
    up = effect.estimate > 0
    if question.outcome.kind == "duration":
        return "longer" if up else "shorter"
    return "higher" if up else "lower"


def cause(question: Question, study: Study) -> str:
    """The exposure as the subject of the sentence."""
    exposure = question.exposure
    name = exposure.label or study.label(exposure.column)
    column = study.columns.get(exposure.column)
    if exposure.level is not None:
        codes = column.codes if column else {}
        level, reference = (codes.get(str(v), str(v)) for v in (exposure.level, exposure.reference))
        return f"{level[:1].upper()}{level[1:]} instead of {wording.lower_first(reference)}"
    unit = (column.unit if column else None) or "unit"
    much = "One" if exposure.per == 1 else wording.typed(exposure.per)
    return f"{much} more {wording.units(unit, '1' if exposure.per == 1 else much)} of {wording.lower_first(name)}"


def among(effect: Effect, study: Study, question: Question) -> str:
    """How many, and in how many clusters."""
    clusters = study.clusters_of(question)
    rows = f"among {effect.rows} {study.tables[study.table_of(question)].rows}"
    if effect.clusters is None or not clusters:
        return rows
    if "two ways" in effect.method:  # the count is that of the fewer clusters, whichever of the two that is
        return f"{rows} in at least {wording.count(effect.clusters)} groups of each of two kinds"
    return f"{rows} in {wording.count(effect.clusters)} groups by {wording.lower_first(study.label(clusters[0]))}"
