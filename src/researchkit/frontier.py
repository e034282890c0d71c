"""Two outcomes, or three arms, told for a page: the region of both, the price, and what was made good."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from researchkit import figures, wording
from researchkit.disclosure import PROFILES
from researchkit.estimators import recovery as three
from researchkit.estimators import tradeoff as both
from researchkit.tables import Col, Prose, Table

if TYPE_CHECKING:
    from researchkit.answer import Answer

TIMES = (0.0, 0.5, 1.0, 2.0)  # of the price that the study file names
NO_PRICE = "The question does not set two outcomes against each other."
NO_ARMS = "The question does not ask about a recovery after a failure."


def pair(answer: Answer) -> figures.Figure | Prose:
    """The joint region of both effects, over the line on which the gain is just worth its price."""
    entry = answer.question.tradeoff
    if entry is None:
        return Prose((NO_PRICE,))
    found = both.both(answer.sample, answer.question)[0]
    scale, unit = wording.scale(answer.effect.unit)
    centre, edge = found.region(answer.effect.level)
    by = np.array([scale, 1.0])
    label = answer.question.outcome.label or answer.study.label(answer.question.outcome.column)
    return figures.plane(
        by * centre,
        by[:, None] * edge,
        names=(label, answer.study.label(entry.other)),
        units=(wording.units(unit), wording.units(entry.unit)),
        slope=-entry.sign(answer.question) * entry.price * scale,
        word=both.standing(found, (answer.question.outcome.good, entry.good), answer.effect.level),
        level=answer.effect.level,
        name=f"{answer.question.id}-both",
    )


def prices(answer: Answer) -> Table | Prose:
    """Each outcome by itself, and the gain at several prices."""
    entry = answer.question.tradeoff
    if entry is None:
        return Prose((NO_PRICE,))
    found = both.both(answer.sample, answer.question)[0]
    scale, unit = wording.scale(answer.effect.unit)
    rows = []
    labels = (answer.question.outcome.column, 1.0 * scale, unit), (entry.other, 1.0, entry.unit)
    for (column, by, called), term in zip(labels, answer.effect.model.terms, strict=False):
        value, limits = wording.estimate(*(by * part for part in (term.estimate, term.low, term.high)), sign=True)
        rows.append((answer.study.label(column), f"{value} {wording.units(called, value)}", limits))
    sign = entry.sign(answer.question)
    for times in TIMES:
        one = both.priced(answer.effect, found, sign * times * entry.price)
        value, limits = wording.estimate(*(scale * part for part in (one.estimate, one.low, one.high)), sign=True)
        price = f"At {wording.typed(times * entry.price)} for one {entry.unit}"
        price += " (the study file's price)" if times == 1 else " (as if it cost nothing)" if times == 0 else ""
        rows.append((price, f"{value} {wording.units(unit, value)}", limits))
    turn, low, high = both.worth_it_below(found, sign, answer.effect.level)
    if math.isfinite(turn) and turn > 0:
        limits = wording.interval(low, high) if math.isfinite(low) else "no limits"
        rows.append(("Comes to nothing at the price", wording.number(turn), limits))
    heads = (Col(""), Col("Change", "right"), Col("Interval", "right"))
    note = f"Intervals are at {wording.level(answer.effect.level)}; that of the price is Fieller's."
    return Table("Gain and price", heads, tuple(rows), note, "prices")


def contrasts(answer: Answer) -> figures.Figure | Prose:
    """The three contrasts of a recovery under one another, over the band of what is too small to matter."""
    if answer.question.recovery is None:
        return Prose((NO_ARMS,))
    scale, unit = wording.scale(answer.effect.unit)
    short = ("Kind, against no failure", "Usual, against no failure", "Kind, against usual")
    terms = zip(short, answer.effect.model.terms, strict=True)
    return figures.forest(
        [(name, scale * term.estimate, scale * term.low, scale * term.high) for name, term in terms],
        title="Each recovery against no failure, and against the other",
        unit=wording.units(unit),
        band=figures.band(answer.effect.unit, answer.question.smallest_effect),
        highlight=0,
        level=answer.effect.level,
        name=f"{answer.question.id}-arms",
        caption="Each dot is an estimate, each line holds every value that these data are compatible with.",
    )


def arms(answer: Answer) -> Table | Prose:
    """Means of the three arms, not adjusted, and the three contrasts, adjusted."""
    if answer.question.recovery is None:
        return Prose((NO_ARMS,))
    sample, profile = answer.sample, PROFILES[answer.study.disclosure]
    kind, usual = three.arms(sample, answer.question)
    parts = {"No failure": ~(kind | usual), "Usual recovery": usual, "Kind recovery": kind}
    scale, unit = wording.scale(answer.effect.unit)
    rows: list[tuple[str, str, str]] = []
    if not profile.protects:  # the arms of several pages together could tell of a few people
        rows = [
            (f"{name}, mean", wording.number(scale * float(sample.outcome[at].mean()), 3), "")
            for name, at in parts.items()
        ]
    for term in answer.effect.model.terms:
        value, limits = wording.estimate(*(scale * part for part in (term.estimate, term.low, term.high)), sign=True)
        rows.append((wording.capital(term.term), f"{value} {wording.units(unit, value)}", limits))
    heads = (Col(""), Col("Value", "right"), Col("Interval", "right"))
    level = wording.level(answer.effect.level)
    note = "Means are not shown under this disclosure profile" if profile.protects else "Means are not adjusted"
    note += f"; contrasts are adjusted, their intervals at {level} each."
    return Table("Three arms", heads, tuple(rows), note, "arms")
