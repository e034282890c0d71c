"""Several questions of one family, corrected together: who asks often enough hears a yes by chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from researchkit import wording
from researchkit.errors import ResearchkitError, some
from researchkit.progress import steps
from researchkit.robustness.check import Check
from researchkit.robustness.equivalence import claimed_side, two_one_sided

if TYPE_CHECKING:
    from researchkit.dataset import Dataset
    from researchkit.estimators import Effect
    from researchkit.parts import Question
    from researchkit.study import Study

NAME = "several questions"


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number, in the order given; no assumption about how the tests depend.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6, 65-70. Agrees with R `p.adjust(p, "holm")`.
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order])
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(stepped, 1.0)
    return [float(value) for value in corrected]


def family(study: Study, question: Question) -> list[Question]:
    """The planned questions of the same family, in the order of the study file."""
    wanted = study.family_of(question)
    return [one for one in study.questions if one.planned and study.family_of(one) == wanted]


def several(
    question: Question, effect: Effect, dataset: Dataset, load: Callable[[str], Dataset]
) -> tuple[Effect, Check]:
    """The effect with its p-value corrected for the planned questions of its family, and the check that tells it.

    A question that expects no difference is tested by equivalence, the others against no difference. One that these
    data cannot answer is no test and is not counted.

    Parameters
    ----------
    load
        The dataset of another table of the study, with the same rows kept as in `dataset`.
    """
    study, made = dataset.study, dataset.fingerprint
    if not question.planned:
        return effect, Check(NAME, made, reason="exploratory questions are marked so, and not corrected")
    siblings = family(study, question)
    if len(siblings) < 2:
        return effect, Check(NAME, made, reason="it is the only planned question of its family")
    found = _p_values([one for one in siblings if one.id != question.id], dataset, load)
    asked = {question.id: own_p(effect, question), **{one: p for one, p in found.items() if p is not None}}
    corrected = dict(zip(asked, holm(list(asked.values())), strict=True))[question.id]
    silent = [one for one, p in found.items() if p is None]
    facts: dict[str, Any] = {
        "family": study.family_of(question),
        "questions": len(asked),
        "p": asked[question.id],
        "p_adjusted": corrected,
        "not_asked": silent,
    }
    alpha = 1 - effect.level
    lost = asked[question.id] < alpha <= corrected
    mark = (
        f"one of {len(asked)} questions: corrected for them the answer is not clear of chance "
        f"({wording.probability(corrected)})"
        if lost
        else ""
    )
    return replace(effect, p_adjusted=corrected), Check(NAME, made, facts | {"words": _words(facts)}, mark=mark)


def own_p(effect: Effect, question: Question) -> float:
    """The p-value of the question's own test: of no difference, or of one that matters (`equal`, `not worse`)."""
    if question.expect not in ("equal", "not worse"):
        return effect.p
    both = two_one_sided(effect.estimate, effect.se, question.smallest_effect, effect.df)
    if question.expect == "not worse":  # two-sided like the others, so that all are corrected alike
        return float(min(2 * both["p_lower" if claimed_side(question) > 0 else "p_upper"], 1.0))
    return float(both["p"])


def _p_values(
    questions: Sequence[Question], dataset: Dataset, load: Callable[[str], Dataset]
) -> Mapping[str, float | None]:
    """The p-value of each question, None for one that these data cannot answer."""
    from researchkit.estimators import estimate_sample

    found: dict[str, float | None] = {}
    with steps("planned questions of the family", len(questions)) as done:
        for one in questions:
            table = dataset.study.table_of(one)
            try:
                there = dataset if table == dataset.table else load(table)
                found[one.id] = own_p(estimate_sample(there.sample(one), one), one)
            except ResearchkitError:
                found[one.id] = None
            done()
    return found


def _words(facts: Mapping[str, Any]) -> str:
    many = facts["questions"]
    told = (
        f"{many} planned questions are about {facts['family']}; corrected for them (Holm), "
        f"{wording.probability(facts['p_adjusted'])}, alone {wording.probability(facts['p'])}."
        if many > 1
        else f"No other planned question about {facts['family']} could be answered from these data."
    )
    silent = facts["not_asked"]
    return f"{told} Not counted, for these data cannot answer them: {some(silent)}." if silent and many > 1 else told
