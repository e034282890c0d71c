"""An item of a guideline, and what it is filled from: each function says what the answer holds, or "" for nothing.

A function here never says that something was done which the answer does not show; `ran` asks whether a check did run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from researchkit import methods, wording
from researchkit.claims import claim
from researchkit.errors import some
from researchkit.methods import ran
from researchkit.protocol import standing
from researchkit.robustness import TRIED
from researchkit.tables import on_page

if TYPE_CHECKING:
    from researchkit.answer import Answer

FILLED, PART, AUTHOR = "Filled", "In part", "Author to write"
Fill = Callable[["Answer"], str]
TITLE, INTRO, METHODS, RESULTS, DISCUSSION, OTHER = (
    "Title and abstract",
    "Introduction",
    "Methods",
    "Results",
    "Discussion",
    "Other information",
)


class Told(NamedTuple):
    """What an item is filled with, and whether that is all that it asks for."""

    word: str
    text: str


@dataclass(frozen=True)
class Item:
    """One item: its number, what it asks for in our own words, its place in a paper, and what fills it.

    `part` where the filling is never all that the item asks for.
    """

    number: str
    asks: str
    place: str
    fill: Fill | None = None
    part: bool = False

    def told(self, answer: Answer) -> Told:
        text = self.fill(answer) if self.fill else ""
        return Told(PART if self.part else FILLED, text) if text else Told(AUTHOR, "")


@dataclass(frozen=True)
class Guideline:
    """A reporting guideline: its items in order, why it is the one, its source, and which numbers are unchecked."""

    name: str
    why: str
    citation: str
    items: tuple[Item, ...]
    unchecked: str = ""


def design(answer: Answer) -> str:
    return f"{wording.capital(methods.DESIGNS[answer.study.design_of(answer.question)])}."


def emulated(answer: Answer) -> str:
    """The trial that the study stands in for, as its author names it."""
    return f"The study file names the trial: {answer.study.emulates}" if answer.study.emulates else ""


def finding(answer: Answer) -> str:
    return answer.verdict.sentence


def objective(answer: Answer) -> str:
    """The question, the claim that it tests, and the smallest effect that matters."""
    tested = claim(answer.question.claim)
    return (
        f"{answer.question.title} Claim {tested.id}: {tested.statement} The smallest effect that matters: "
        f"{methods.smallest(answer)}."
    )


def plan(answer: Answer) -> str:
    """How the question stands to a locked plan; nothing where none was locked."""
    found = standing(answer.study, answer.question)
    return f"{wording.capital(found.words)}; hash {found.sha256}." if found.sha256 else ""


def changes(answer: Answer) -> str:
    """What has changed since the plan was locked; where none was, nobody can tell."""
    found = standing(answer.study, answer.question)
    if not found.sha256:
        return ""
    if not found.changes:
        return "None in this question since the plan was locked."
    return f"Changed since the plan was locked: {some(found.changes)}."


def kept(answer: Answer) -> str:
    """The rules of the study file by which rows are kept."""
    study, question = answer.study, answer.question
    rules = (*study.tables[study.table_of(question)].keep, *question.keep)
    return f"Left out by rule: {'; '.join(rule.why for rule in rules)}." if rules else ""


def variables(answer: Answer) -> str:
    study, question = answer.study, answer.question
    adjusted = some([study.label(name) for name in question.adjust], len(question.adjust)) or "nothing"
    outcome = question.outcome.label or study.label(question.outcome.column)
    return f"Outcome: {outcome}. Exposure: {study.label(question.exposure.column)}. Adjusted for: {adjusted}."


def outcome(answer: Answer) -> str:
    study, question = answer.study, answer.question
    name = question.outcome.label or study.label(question.outcome.column)
    return f"{name}, as {question.outcome.kind.replace('_', '/')}; {question.outcome.good} is good."


def arms(answer: Answer) -> str:
    return f"{wording.capital(answer.effect.contrast)}." if answer.sample.arms else ""


def sources(answer: Answer) -> str:
    """Who rated or recorded exposure and outcome, where the study file says so."""
    study, question = answer.study, answer.question
    names = (question.exposure.column, question.outcome.column)
    said = [f"{study.label(name)}: {study.source_of(name)}" for name in names if study.source_of(name)]
    return f"{'; '.join(said)}." if said else ""


def instruments(answer: Answer) -> str:
    """The keys that scores of this question were made by."""
    scales = [answer.study.scales.get(name) for name in answer.question.columns]
    keys = [one.instrument for one in scales if one and one.instrument]
    return f"Scored by the published keys {some(dict.fromkeys(keys))}." if keys else ""


def bias(answer: Answer) -> str:
    tried = [TRIED[one["check"]].what for one in answer.robustness if one["word"] not in (None, "not tried")]
    return f"Tried against the answer: {'; '.join(tried)}." if tried else ""


def quantities(answer: Answer) -> str:
    """How the exposure enters: as arms, or per so many units."""
    return f"The exposure enters as {answer.effect.contrast}." if answer.effect.contrast else ""


def statistics(answer: Answer) -> str:
    return " ".join(filter(None, (methods.estimator(answer), methods.errors(answer), methods.weights(answer))))


def analysis(answer: Answer) -> str:
    return " ".join(filter(None, (statistics(answer), methods.missing(answer))))


def statistics_and_software(answer: Answer) -> str:
    return f"{statistics(answer)} {methods.software(answer)}"


def subgroups(answer: Answer) -> str:
    """Only where the question asks for a difference between groups."""
    return "The question is one about groups; see Methods." if answer.question.subgroup else ""


def missing(answer: Answer) -> str:
    return methods.missing(answer)


def clustering(answer: Answer) -> str:
    if answer.effect.clusters is None and not answer.question.weights:
        return ""
    return " ".join(filter(None, (methods.errors(answer), methods.weights(answer))))


def weighting(answer: Answer) -> str:
    return methods.weights(answer)


def sensitivity(answer: Answer) -> str:
    return methods.attacks(answer)


def flow(answer: Answer) -> str:
    data = answer.data
    if data["used"] is None or data["rows"] is None:
        return ""
    arrived, used = wording.count(data["rows"]), wording.count(data["used"])
    return f"{arrived} rows arrived, {used} were analysed; see the account of the data."


def reasons(answer: Answer) -> str:
    """Why rows went, where any did."""
    why = [step["why"] for step in answer.data["dropped"]]
    return f"Rows went for: {'; '.join(why)}." if why else ""


def lacking(answer: Answer) -> str:
    """Which variables lack answers, where that ran and may be told."""
    gone = ran(answer, "missing data").get("lacking") or {}
    told = [f"{answer.study.label(name)} ({wording.count(n)})" for name, n in gone.items() if n]
    if told:
        return f"Lacking: {'; '.join(told)}."
    return methods.missing(answer) if ran(answer, "missing data").get("incomplete") == 0 else ""


def estimates(answer: Answer) -> str:
    """Before and after adjustment, with intervals."""
    told = []
    both = (("crude", answer.crude), ("adjusted", answer.effect))
    for name, effect in both if answer.question.adjust else (("not adjusted", answer.effect),):
        value, low, high, unit = on_page(effect)
        shown, limits = wording.estimate(value, low, high, sign=True)
        told.append(f"{name} {shown} ({limits}) {unit}")
    return f"{wording.capital('; '.join(told))}; intervals at {wording.level(answer.effect.level)}."


def absolute(answer: Answer) -> str:
    """A difference in risk, with the ratio beside it where the model gives one."""
    return "The headline is a difference in risk." if answer.question.outcome.kind == "yes_no" else ""


def others(answer: Answer) -> str:
    words = [one["word"] for one in answer.robustness if one["word"] not in (None, "not tried")]
    if not words:
        return ""
    told = [f"{word}: {wording.count(words.count(word))}" for word in dict.fromkeys(words)]
    return f"Attempts to undo the answer ({'; '.join(told)}); see there."


def weaknesses(answer: Answer) -> str:
    return f"{wording.capital('; '.join(answer.verdict.marks))}." if answer.verdict.marks else ""


def data_from(answer: Answer) -> str:
    source = answer.study.source
    return f"{source.page}, {source.licence}." if source else ""
