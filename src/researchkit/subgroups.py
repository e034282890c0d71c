"""For whom, and how much: effects side by side, the curve over a dose, and those who started low beside the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from researchkit import figures, wording
from researchkit.disclosure import PROFILES
from researchkit.estimators.dose import curve
from researchkit.tables import Prose, Table, frame

if TYPE_CHECKING:
    from researchkit.answer import Answer
    from researchkit.estimators import Term

POINTS = 41  # of a curve
ENDS = (0.025, 0.975)  # quantiles between which a curve is drawn: its ends are nobody's own dose


def picture(answer: Answer) -> figures.Figure | Prose:
    """The effect in each group and their difference, or the outcome over the dose."""
    if answer.question.dose:
        return run(answer)
    if answer.question.subgroup is None:
        return Prose(("The question has no subgroup and no dose.",))
    scale, unit = wording.scale(answer.effect.unit)
    first, *others = answer.effect.model.terms
    told = [*others, first]
    rows = [(named(answer, term), scale * term.estimate, scale * term.low, scale * term.high) for term in told]
    return figures.forest(
        rows,
        title=f"{answer.study.label(answer.question.outcome.column)}, {answer.sample.contrast}",
        unit=wording.units(unit),
        band=figures.band(answer.effect.unit, answer.question.smallest_effect),
        highlight=len(rows) - 1,
        level=answer.effect.level,
        name=f"{answer.question.id}-groups",
        caption="The effect in each group, and last the difference that the question asks about.",
    )


def named(answer: Answer, term: Term) -> str:
    """A term in the study's own words: "Chat", "Workload 4", "Difference: chat less telephone"."""
    part = answer.question.subgroup
    if part is None:
        return wording.capital(term.term)
    codes = getattr(answer.study.part(part.by), "codes", None) or {}
    label = answer.study.label(part.by)

    def place(text: str) -> str:
        code = text.removeprefix("at ")
        return codes[code] if code in codes else f"{label}: {code}"

    if term.term == "difference":
        first, second = (one.term.removeprefix("at ") for one in answer.effect.model.terms[1:3])
        if first in codes:
            return f"{codes[second]} less {wording.lower_first(codes[first])}"
        return f"Difference: {second} less {first}"
    return wording.capital(term.term.replace(part.by, label)) if term.term.startswith("per ") else place(term.term)


def parts(answer: Answer) -> Table:
    """Everything that the design's model gives, in the outcome's unit."""
    scale, unit = wording.scale(answer.effect.unit)
    rows = []
    for term in answer.effect.model.terms:
        mean = term.term.startswith("mean ")  # a level, not a difference
        limits = tuple(scale * one for one in (term.estimate, term.low, term.high))
        value, interval = wording.estimate(*limits, sign=not mean)
        told = "per cent" if mean and unit.startswith("percentage point") else wording.units(unit)
        rows.append({"": named(answer, term), "Estimate": value, "Interval": interval, "In": told})
    note = f"Intervals are at {wording.level(answer.effect.level)}. The first line is the answer."
    for ratio, (size, low, high) in answer.effect.also.items():
        note += f" On the model's own scale, as a {ratio}: {wording.number(size)} ({wording.interval(low, high)})."
    return frame(pd.DataFrame(rows), "The parts of the answer", note)


def run(answer: Answer) -> figures.Figure:
    """The curve of a dose question, or its two pieces."""
    part, question = answer.question.dose, answer.question
    values = answer.sample.exposure * question.exposure.per
    marked = list(part.between) if part and part.between else [part.neutral or 0.0] if part else []
    low, high = np.quantile(values, ENDS)
    doses = np.unique([*np.linspace(min(low, *marked), max(high, *marked), POINTS), *marked])
    found = curve(answer.sample, question, doses.tolist(), answer.effect.level)
    scale, unit = wording.scale(found.unit)
    data = pd.DataFrame(
        {"dose": found.dose, "mean": scale * found.mean, "low": scale * found.low, "high": scale * found.high}
    )
    return figures.bent(
        data,
        marked,
        name=f"{question.id}-dose",
        title=question.outcome.label or answer.study.label(question.outcome.column),
        unit="per cent" if unit.startswith("percentage point") else wording.units(unit),
        dose=question.exposure.label or answer.study.label(question.exposure.column),
        level=answer.effect.level,
    )


def regression(answer: Answer) -> Table | Prose:
    """Before, after and change by thirds of the start, with and without the exposure: who starts low rises anyhow."""
    sample, profile = answer.sample, PROFILES[answer.study.disclosure]
    if answer.question.outcome.kind != "change" or sample.baseline is None:
        return Prose(("The outcome is not a change from a baseline, so nobody can fall back to the middle in it.",))
    middle = 0.5 if sample.binary_exposure else float(np.median(sample.exposure))
    sides = {"without": sample.exposure <= middle, "with": sample.exposure > middle}
    if not sample.binary_exposure:
        sides = {"lower half": sides["without"], "upper half": sides["with"]}
    edges = np.quantile(sample.baseline, [1 / 3, 2 / 3])
    third = np.searchsorted(edges, sample.baseline, side="left")
    rows = []
    for place, start in enumerate(("lowest third", "middle third", "highest third")):
        for side, inside in sides.items():
            here = (third == place) & inside
            if not here.any() or (profile.protects and sample.heads(here) < profile.threshold):
                continue
            before, after = float(sample.baseline[here].mean()), float(sample.outcome[here].mean())
            told = {"Before": before, "After": after, "Change": after - before}
            shown = {name: wording.number(value, sign=name == "Change") for name, value in told.items()}
            rows.append({"Start": start, "Exposure": side, **shown})
    if not rows:
        return Prose(("Too few people started at each level to be told of.",))
    note = "Those who start low rise and those who start high fall, also without the exposure: chance does that."
    return frame(pd.DataFrame(rows), "Regression to the mean", note)
