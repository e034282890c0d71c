"""Whether what a flag, a score or a test says is true: shares found, correlations, and effects freed of its error."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError
from researchkit.estimators.corrected import corrected
from researchkit.estimators.effect import Effect, Model, Term, Vector, told, wald
from researchkit.estimators.proportion import share
from researchkit.estimators.reviewed import FEWEST, asked, clustered, few, flagged, partly, reviewed, rows
from researchkit.estimators.validity import validity
from researchkit.estimators.yes_no import yes_no

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question

GROUPS = ("the reference group", "the other group")


def detection(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """The answer that `Detection.of` asks for, with everything beside it as terms of its model.

    A share held to a minimum has Wilson's limits (see `proportion.share`); shares of two groups are compared as any
    outcome of yes or no is, among the true cases; correlations have the delta method's errors on Fisher's scale.

    Raises
    ------
    EstimationError
        With too few true cases, entries that are no flag, or a review that hardly goes with what it reviews.
    """
    entry = question.detection
    if entry is None:
        raise EstimationError(f"The question {question.id!r} has no `detection`.")
    sample = reviewed(sample, entry)
    effect = answered(sample, question, level)
    contrast = effect.contrast if entry.minimum is None else f"less the {entry.needed} that is needed"
    what = "corrected for its error" if entry.of == "effect" else f"{entry.of} of {entry.by.replace('_', ' ')}"
    return replace(effect, contrast=f"{what}, {contrast}", n=len(sample.outcome))


def answered(sample: Sample, question: Question, level: float) -> Effect:
    """By the room of what is asked."""
    entry = asked(question)
    if entry.of == "effect":
        return corrected(sample, question, level)
    if entry.of == "correlation":
        return validity(sample, question, level)
    return shares(sample, question, level)


def shares(sample: Sample, question: Question, level: float) -> Effect:
    """Sensitivity or specificity: held to a minimum, or compared between the exposure's groups."""
    entry = asked(question)
    flag, gold = flagged(sample, entry), sample.outcome
    cases = gold == (1 if entry.of == "sensitivity" else 0)
    right = flag if entry.of == "sensitivity" else 1 - flag
    if cases.sum() < FEWEST:
        raise EstimationError(
            f"The question {question.id!r}: there are {int(cases.sum())} rows in which {question.outcome.column} is "
            f"{'yes' if entry.of == 'sensitivity' else 'no'}; at least {FEWEST} are needed. Review more."
        )
    if entry.minimum is not None:
        return held_to(sample, question, level, right, cases, entry.minimum)
    inner = rows(replace(sample, outcome=np.asarray(right, dtype=np.float64)), cases)
    outcome = question.outcome.model_copy(update={"column": entry.by, "yes": "1"})
    found = yes_no(inner, question.model_copy(update={"outcome": outcome}), level)
    method = f"{entry.of} among true cases, {found.method}"
    return replace(found, method=method, notes=(*found.notes, *partly(sample, entry)))


def held_to(
    sample: Sample, question: Question, level: float, right: Vector, cases: NDArray[np.bool_], least: float
) -> Effect:
    """One share less the minimum."""
    entry = asked(question)
    inner = rows(sample, cases)
    one = share(right[cases], inner.cluster, inner.weights, level)
    notes = few(int(cases.sum()), inner) + partly(sample, entry)
    term = Term(entry.of, one.value, one.se, one.low, one.high, math.nan)
    p = wald(one.value - least, one.se, level, one.df)[2]
    effect = told(
        inner,
        question,
        level,
        one.value - least,
        one.se,
        one.df,
        unit="probability",
        method=f"{entry.of} less the minimum, Wilson's limits{clustered(inner)}",
        model=Model("share", "Wilson", (term,), "share"),
        notes=notes,
    )
    return replace(effect, low=one.low - least, high=one.high - least, p=p)


def described(sample: Sample, question: Question, level: float) -> tuple[Term, ...]:
    """Sensitivity and specificity (by group, where two are compared), both predictive values and how many there truly
    are, each with its limits. They tell the counts behind them: whoever shows them asks the disclosure profile first.
    """
    entry = asked(question)
    sample = reviewed(sample, entry)
    flag, gold = flagged(sample, entry), sample.outcome
    wanted = {
        "sensitivity": (flag, gold == 1),
        "specificity": (1 - flag, gold == 0),
        "positive predictive value": (gold, flag == 1),
        "negative predictive value": (1 - gold, flag == 0),
        "prevalence": (gold, np.ones(len(gold), dtype=bool)),
    }
    if entry.minimum is None and sample.binary_exposure:
        right, cases = wanted[entry.of]
        sides = {name: cases & (sample.exposure == arm) for arm, name in enumerate(GROUPS)}
        wanted = {name: (right, side) for name, side in sides.items()} | wanted
    return tuple(term_of(name, sample, yes, among, level) for name, (yes, among) in wanted.items() if among.any())


def term_of(name: str, sample: Sample, yes: Vector, among: NDArray[np.bool_], level: float) -> Term:
    inner = rows(sample, among)
    one = share(yes[among], inner.cluster, inner.weights, level)
    return Term(name, one.value, one.se, one.low, one.high, math.nan)
