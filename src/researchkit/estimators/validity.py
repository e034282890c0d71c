"""The correlation of a score with what is true: held to a minimum, freed of a narrowed range, or compared."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from researchkit import wording
from researchkit.errors import EstimationError, listing
from researchkit.estimators import delta
from researchkit.estimators.effect import Effect, Model, Term, Vector, told, wald
from researchkit.estimators.reviewed import FEWEST, asked, clustered, few, numbers, partly, rows

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.designs import Detection
    from researchkit.parts import Question


def validity(sample: Sample, question: Question, level: float) -> Effect:
    """A correlation with what is true: held to a minimum, or compared between two groups."""
    entry = asked(question)
    score = numbers(sample, entry.by)
    groups = [np.ones(len(score), dtype=bool)] if entry.minimum is not None else sides(sample, question)
    problems = []
    for group in groups:
        if group.sum() < FEWEST:
            problems.append(f"a group has {int(group.sum())} rows; at least {FEWEST} are needed for a correlation.")
        elif np.ptp(score[group]) == 0 or np.ptp(sample.outcome[group]) == 0:
            problems.append(
                f"{entry.by} or {question.outcome.column} never varies in a group, so nothing goes with it."
            )
    if problems:
        raise EstimationError(listing(f"The question {question.id!r}", problems))
    if entry.minimum is not None:
        return held_correlation(sample, question, level, score)
    return two_correlations(sample, question, level, (score, groups))


def sides(sample: Sample, question: Question) -> list[NDArray[np.bool_]]:
    """The rows of the two groups that are compared."""
    if not sample.binary_exposure:
        raise EstimationError(
            f"The question {question.id!r}: correlations are compared between two groups, and {sample.exposure_name} "
            "has more. Name its `reference` and `level`, or a `minimum`."
        )
    inside = sample.compared(question.exposure.column)
    return [inside & (sample.exposure == arm) for arm in (0, 1)]


def held_correlation(sample: Sample, question: Question, level: float, score: Vector) -> Effect:
    """One correlation less the minimum; for all who could be chosen, where the study says how much they vary."""
    entry, outcome = asked(question), sample.outcome
    columns: Any = (score, outcome)
    function: Any = delta.correlation
    if entry.applicants_sd:
        sd, case = entry.applicants_sd, 3 if entry.chosen_by else 2
        columns = (*columns, *([numbers(sample, entry.chosen_by)] if entry.chosen_by else []))

        def function(means: Vector) -> Vector:
            return delta.unrestricted(means, sd, case)

    centred = delta.moments(*(column - column.mean() for column in columns))
    found = delta.of_means(centred, function, sample.cluster, sample.weights, delta.GROUP)
    df = float(max(found.units - 2, 1))
    terms = [fisher(name, found, place, level, df) for place, name in enumerate(names_of(entry))]
    one, least = terms[0], entry.minimum or 0.0
    se = max(one.se, 1e-12)
    z = (np.arctanh(np.clip(one.estimate, -1 + 1e-9, 1 - 1e-9)) - np.arctanh(least)) / max(scale_of(one), 1e-12)
    effect = told(
        sample,
        question,
        level,
        one.estimate - least,
        se,
        df,
        unit="points of correlation",
        method=f"correlation less the minimum, delta method on Fisher's scale{clustered(sample)}",
        model=Model("correlation", "delta method", tuple(terms), "correlation"),
        notes=(*few(len(score), sample), *narrowed(sample, entry, score)),
    )
    return replace(effect, low=one.low - least, high=one.high - least, p=wald(z, 1.0, level, df)[2])


def names_of(entry: Detection) -> tuple[str, ...]:
    if not entry.applicants_sd:
        return ("correlation",)
    return "correlation among all who could be chosen", "correlation among the chosen"


def scale_of(term: Term) -> float:
    """The standard error of a correlation on Fisher's scale."""
    return term.se / max(1 - term.estimate**2, 1e-9)


def fisher(name: str, found: delta.Found, place: int, level: float, df: float) -> Term:
    """A correlation with limits made on Fisher's scale, so that they stay within -1 and 1."""
    value, se = float(found.values[place]), found.se(place)
    at, spread = np.arctanh(np.clip(value, -1 + 1e-9, 1 - 1e-9)), max(se, 1e-12) / max(1 - value**2, 1e-9)
    low, high, p = wald(float(at), float(spread), level, df)
    return Term(name, value, se, math.tanh(low), math.tanh(high), p)


def two_correlations(
    sample: Sample, question: Question, level: float, parts: tuple[Vector, list[NDArray[np.bool_]]]
) -> Effect:
    """The correlation of the one group less that of the other."""
    score, groups = parts
    entry, k = asked(question), 5
    columns = []
    for group in groups:
        own = delta.moments(score - score[group].mean(), sample.outcome - sample.outcome[group].mean())
        columns.append(np.column_stack([group, own * group[:, None]]).astype(float))

    def function(means: Vector) -> Vector:
        each = [means[start + 1 : start + 1 + k] / means[start] for start in (0, k + 1)]
        return np.concatenate([delta.correlation(one) for one in each])

    inside = groups[0] | groups[1]
    kept = rows(sample, inside)
    found = delta.of_means(np.hstack(columns)[inside], function, kept.cluster, kept.weights, delta.GROUP)
    if kept.cluster is None:
        units = min(int(group.sum()) for group in groups)
    else:
        units = min(len(np.unique(sample.cluster[group])) for group in groups if sample.cluster is not None)
    df = float(max(units - 2, 1))
    value, se = found.along(np.array([-1.0, 1.0]))
    terms = tuple(
        fisher(name, found, place, level, df)
        for place, name in enumerate(("correlation in the reference group", "correlation in the other group"))
    )
    return told(
        kept,
        question,
        level,
        value,
        se,
        df,
        unit="points of correlation",
        method=f"difference of two correlations, delta method{clustered(sample)}",
        model=Model("two correlations", "delta method", terms, "correlation"),
        notes=(*few(min(int(group.sum()) for group in groups), kept), *partly(sample, entry)),
    )


def narrowed(sample: Sample, entry: Detection, score: Vector) -> tuple[str, ...]:
    """What the correction for a narrowed range rests on."""
    if not entry.applicants_sd:
        return ()
    chosen = score if entry.chosen_by is None else numbers(sample, entry.chosen_by)
    ratio = entry.applicants_sd / max(float(np.std(chosen)), 1e-300)
    return (
        f"corrected for choice: {entry.chosen_by or entry.by} varies {wording.number(ratio)} times as"
        f" much among all as "
        "among the chosen; the correction holds where a straight line fits beyond the chosen, and nothing else chose",
    )
