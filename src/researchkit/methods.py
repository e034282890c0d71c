"""The methods paragraph of one answer, written from what ran: ready for a paper, and silent on what was not done.

Sentences on missing data, clusters, weights, corrections and attacks are there only where the answer holds them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from researchkit import wording
from researchkit.errors import some
from researchkit.protocol import standing
from researchkit.robustness import TRIED
from researchkit.tables import Prose

if TYPE_CHECKING:
    from researchkit.answer import Answer

DESIGNS = {
    "observational": "an observational study: nobody drew lots over the exposure",
    "randomised": "a randomised study",
    "rollout": "a roll-out that was not drawn by lot",
}


def paragraph(answer: Answer) -> Prose:
    """What was done, in the past tense and in the order of a paper: design, estimate, missing data, attacks, rule."""
    parts = (
        f"{design(answer)} {plan(answer)}",
        " ".join(filter(None, (estimator(answer), errors(answer), weights(answer), corrected(answer)))),
        missing(answer),
        attacks(answer),
        f"{rule(answer)} {software(answer)}",
    )
    return Prose(tuple(part for part in parts if part))


def ran(answer: Answer, name: str) -> dict[str, Any]:
    """What a check found, where it ran; empty where it did not."""
    return next((one for one in answer.robustness if one["check"] == name and one["ran"]), {})


def design(answer: Answer) -> str:
    study, question = answer.study, answer.question
    simulated = " The data were simulated." if study.simulated else ""
    rows = study.tables[study.table_of(question)].rows
    group = f", of {answer.by.replace('=', ' = ', 1)} alone" if answer.by else ""
    used, arrived = answer.data["used"], answer.data["rows"]
    of = f" of the {wording.count(arrived)} that arrived" if arrived is not None and arrived != used else ""
    who = f"{wording.count(used)} {rows}{of}{group}" if used is not None else f"{rows}{group}"
    return f"This was {DESIGNS[study.design_of(question)]}.{simulated} The answer is from {who}."


def plan(answer: Answer) -> str:
    found = standing(answer.study, answer.question)
    return f"The question was {found.words}."


def estimator(answer: Answer) -> str:
    """What was estimated, by which model, given what."""
    study, question, effect = answer.study, answer.question, answer.effect
    outcome = wording.lower_first(question.outcome.label or study.label(question.outcome.column))
    given = [wording.lower_first(study.label(name)) for name in question.adjust]
    adjusted = f"adjusted for {some(given, len(given))}" if given else "not adjusted for anything"
    return f"The difference in {outcome} for {effect.contrast} was estimated by {effect.method}, {adjusted}."


def errors(answer: Answer) -> str:
    """Whose rows are alike, degrees of freedom, level; and model and errors where the method has not said them."""
    effect, names = answer.effect, answer.study.clusters_of(answer.question)
    known = effect.method.lower()
    told = [] if effect.model.name.lower() in known else [f"the model was {effect.model.name}"]
    told += [] if effect.model.errors.lower() in known else [f"standard errors were {effect.model.errors}"]
    if effect.clusters is not None:
        by = some([wording.lower_first(answer.study.label(name)) for name in names]) if names else "the design"
        told.append(f"the errors allow for rows that are alike in {wording.count(effect.clusters)} clusters ({by})")
    told += [f"there were {wording.number(effect.df, 3)} degrees of freedom"] if effect.df else []
    told.append(f"intervals are at {wording.level(effect.level)}")
    return f"{wording.capital('; '.join(told))}."


def weights(answer: Answer) -> str:
    name = answer.question.weights
    return f"Rows were weighted by {wording.lower_first(answer.study.label(name))}." if name else ""


def corrected(answer: Answer) -> str:
    """Whether the planned questions of the family were corrected together."""
    found = ran(answer, "several questions")
    if not found:
        return ""
    many = wording.count(found["questions"])
    return f"The p-value was corrected for the {many} planned questions of its family (Holm)."


def missing(answer: Answer) -> str:
    """What was done about rows that lack something; how many there are, as far as that may be told."""
    found = ran(answer, "missing data")
    if found.get("incomplete") == 0:
        return "No row lacked anything that the question needs."
    if not found:
        used, arrived = answer.data["used"], answer.data["rows"]
        if used is None or arrived is None:  # whether any row went is not to be told
            return ""
        left = answer.data["dropped"]  # rounded, two counts may be equal though they are of other rows
        return "Rows were left out as listed; no gap was filled." if left else "No row was left out."
    told = "Rows that lacked something that the question needs were left out"
    many = found.get("incomplete")
    told += f" ({wording.count(many)})." if many else "."
    filled = found.get("imputed")
    if filled:
        told += (
            f" As a check, their gaps were filled {wording.count(filled['copies'])} times from like rows and the "
            "answers were pooled (multiple imputation)."
        )
    return told + (" Worst cases for missing outcomes were worked out, too." if found.get("worst_case") else "")


def attacks(answer: Answer) -> str:
    """Which attempts were made to undo the answer; what is told elsewhere in the paragraph is not told twice."""
    told = ("missing data", "several questions")
    tried = [one for one in answer.robustness if one["word"] not in (None, "not tried") and one["check"] not in told]
    if not tried:
        return ""
    sources = "; ".join(dict.fromkeys(one["source"] for one in tried if one["source"]))
    after = f" Methods: {sources}." if sources else ""
    return f"These attempts were made to undo the answer: {'; '.join(attempt(one) for one in tried)}.{after}"


def attempt(check: dict[str, Any]) -> str:
    """One attempt in words, with how many ways it took where it counts them."""
    if check["check"] == "specification curve":
        others = sum(one["ran"] for one in check.get("alternatives", ()))
        kinds = {"way to adjust": check["ways_to_adjust"], "planned alternative": others}
        words = {"way to adjust": "ways to adjust", "planned alternative": "planned alternatives"}
        return some([f"{wording.count(n)} {words[kind] if n > 1 else kind}" for kind, n in kinds.items() if n])
    if check["check"] == "influence":
        return "each row left out in turn" if check.get("left_out") == "rows" else "each group left out in turn"
    return wording.lower_first(TRIED[check["check"]].what)


def rule(answer: Answer) -> str:
    return (
        "The word of the verdict follows from the interval and the smallest effect that matters, which the study file "
        f"set at {smallest(answer)}."
    )


def smallest(answer: Answer) -> str:
    """The smallest effect that matters, in the unit of the page."""
    scale, unit = wording.scale(answer.effect.unit)
    least = wording.number(scale * answer.question.smallest_effect)
    return f"{least} {wording.units(unit, least)}"


def software(answer: Answer) -> str:
    made = answer.provenance
    packages = some([f"{name} {number}" for name, number in made["packages"].items()], len(made["packages"]))
    return f"Computed with researchkit {made['researchkit']}, Python {made['python']}, {packages}."
