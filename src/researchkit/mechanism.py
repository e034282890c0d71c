"""What a page tells about a mechanism: its paths, who rated what and when, and what would undo it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from researchkit import figures, wording
from researchkit.errors import EstimationError
from researchkit.estimators.mechanism import DIRECT, FIRST, INDIRECT, SECOND, SHARE, TOTAL
from researchkit.tables import Col, Prose, Table

if TYPE_CHECKING:
    from researchkit.answer import Answer
    from researchkit.estimators import Term

ACROSS = "Correlation of what is left of mediator and outcome, by something unmeasured"


def effects(answer: Answer) -> figures.Figure | Prose:
    """The indirect, the direct and the total effect with their intervals, in the outcome's unit."""
    if (why := missing(answer)) is not None:
        return why
    found, (scale, unit) = terms(answer), wording.scale(answer.effect.unit)
    mediator = wording.lower_first(names(answer)[1])
    labels = {INDIRECT: "Indirect, by way of it", DIRECT: "Direct, past it", TOTAL: "Total"}
    rows = [
        (label, scale * found[key].estimate, scale * found[key].low, scale * found[key].high)
        for key, label in labels.items()
    ]
    return figures.forest(
        rows,
        title=f"{names(answer)[2]}, by way of {mediator} and past it",
        unit=wording.units(unit),
        band=figures.band(answer.effect.unit, answer.question.smallest_effect),
        highlight=0,
        level=answer.effect.level,
        name=f"{answer.question.id}-effects",
        caption="The direct and the indirect effect add up to the total.",
    )


def paths(answer: Answer) -> Table | Prose:
    """Each path with its unit, and the share of the total where there is one."""
    if (why := missing(answer)) is not None:
        return why
    found, (scale, unit) = terms(answer), wording.scale(answer.effect.unit)
    exposure, mediator, outcome = names(answer)
    part = answer.study.part(answer.question.mechanism.mediator if answer.question.mechanism else "")
    own = wording.units((part.unit if part else None) or "unit")  # type: ignore[union-attr]
    unit = wording.units(unit)
    last, middle = wording.lower_first(outcome), wording.lower_first(mediator)
    lines = [
        (FIRST, f"{exposure} → {middle}", 1.0, f"{own} of {middle}"),
        (
            SECOND,
            f"{mediator} → {last}, {wording.lower_first(exposure)} held equal",
            scale,
            f"{unit} per unit of {middle}",
        ),
        (INDIRECT, f"{exposure} → {middle} → {last}", scale, unit),
        (DIRECT, f"{exposure} → {last}, {middle} held equal", scale, unit),
        (TOTAL, f"{exposure} → {last}", scale, unit),
        (SHARE, "of the total by way of the mediator", 100.0, "per cent"),
    ]
    rows, values = [], []
    for key, what, times, in_unit in lines:
        if (term := found.get(key)) is None:
            continue
        value, limits = wording.estimate(
            *(times * end for end in (term.estimate, term.low, term.high)), sign=key != SHARE
        )
        rows.append((key, what, value, limits, in_unit))
        values.append({"path": key, "what": what, **term.to_dict(), "unit": in_unit})
    level = wording.level(answer.effect.level)
    columns = Col("Path"), Col("What"), Col("Estimate", "right"), Col(f"{level} interval", "right"), Col("Unit")
    note = (
        "" if SHARE in found else "No share is told: the total is not clear of zero, or direct and indirect pull apart."
    )
    return Table("The paths", columns, tuple(rows), note, "paths", pd.DataFrame(values))


def sources(answer: Answer) -> Table | Prose:
    """Who rated exposure, mediator and outcome, and when: the less they share, the better."""
    spec, study, question = answer.question.mechanism, answer.study, answer.question
    if spec is None:
        return Prose(("This question names no mechanism.",))
    columns = (question.exposure.column, spec.mediator, question.outcome.column)
    times = spec.times
    told = (times.exposure, times.mediator, times.outcome) if times else (None, None, None)
    rows = tuple(
        (
            part,
            study.label(column),
            study.source_of(column) or "not said",
            "not said" if at is None else study.label(at) if isinstance(at, str) else wording.typed(at),
        )
        for part, column, at in zip(("Exposure", "Mediator", "Outcome"), columns, told, strict=True)
    )
    note = "One rater for two of them, or one time, makes a link that is no mechanism."
    return Table(
        "Who said it, and when", (Col("Part"), Col("What"), Col("Rated by"), Col("Measured at")), rows, note, "sources"
    )


def sensitivity(answer: Answer) -> figures.Figure | Prose:
    """The indirect effect over the strength of an unmeasured cause of mediator and outcome."""
    from researchkit.robustness.designed.mechanism import laid_out
    from researchkit.robustness.designed.unseen import sensitivity as over

    if (why := missing(answer)) is not None:
        return why
    try:
        asked = laid_out(answer.study, answer.question, answer.effect, answer.sample)
        rows = over(asked.laid, asked.paths, answer.effect.level)
    except EstimationError as error:
        return Prose((str(error),))
    scale, unit = wording.scale(answer.effect.unit)
    facts: dict[str, Any] = next(
        (one.facts for one in answer.checks if one.name == "cause of mediator and outcome"), {}
    )
    most = facts.get("strongest_measured")
    caption = (
        "At 0 nothing unmeasured acts on both, as the answer assumes. The further the line stays from zero, the "
        "stronger such a cause would have to be."
    )
    if most:
        caption += f" Dashed: as strong as {wording.lower_first(answer.study.label(most))}, on either side."
    return figures.sensitivity(
        [(at, scale * value, scale * low, scale * high) for at, value, low, high in rows],
        unit=f"Indirect effect, {wording.units(unit)}",
        across=ACROSS,
        measured=(answer.study.label(most), facts["its_correlation"]) if most else None,
        band=figures.band(answer.effect.unit, answer.question.smallest_effect),
        name=f"{answer.question.id}-sensitivity",
        title=f"What something unmeasured behind {wording.lower_first(names(answer)[1])} would do",
        caption=caption,
    )


def terms(answer: Answer) -> dict[str, Term]:
    """The terms of the model by the word that they begin with."""
    keys = (INDIRECT, DIRECT, TOTAL, FIRST, SECOND, SHARE)
    return {
        key: replace(term, term=key) for term in answer.effect.model.terms for key in keys if term.term.startswith(key)
    }


def names(answer: Answer) -> tuple[str, str, str]:
    """What exposure, mediator and outcome are called on the page."""
    question, label = answer.question, answer.study.label
    mediator = question.mechanism.mediator if question.mechanism else ""
    exposure = question.exposure.label or label(question.exposure.column)
    return exposure, label(mediator), question.outcome.label or label(question.outcome.column)


def missing(answer: Answer) -> Prose | None:
    """Why there is nothing to tell, where the question names no mechanism."""
    return None if answer.question.mechanism else Prose(("This question names no mechanism.",))
