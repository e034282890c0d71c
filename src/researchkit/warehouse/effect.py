"""One effect from sums: least squares with CR2 errors, or HC3 without clusters; the same numbers as from rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError, listing
from researchkit.estimators import refuse
from researchkit.estimators.crossed import thin_of
from researchkit.estimators.effect import Effect, Model, terms, wald
from researchkit.estimators.score import skewed
from researchkit.moments import Fit, Moments, cr2, fit, left
from researchkit.parts import Question
from researchkit.warehouse.sums import pushed, skewness

if TYPE_CHECKING:
    from researchkit.warehouse.summed import Summed

Array = NDArray[np.floating[Any]]
EXACT = 1e-10  # share of the outcome's variance that is left, below which it is rounding
METHODS = {
    "score": "least squares",
    "change": "analysis of covariance on the baseline",
    "yes_no": "linear probability (least squares)",
    "counts": "rates by least squares",
}


def effect(summed: Summed, question: Question, level: float, model: str | None) -> Effect:
    """The exposure's coefficient, in the outcome's own unit.

    With clusters the errors are CR2 with Satterthwaite degrees of freedom, without them HC3 with t(n - k), for which
    the rows are passed once more. Yes or no, ordered answers and counts are told by differences of means: shares,
    points or rates. Where effects are not the same for everybody that is another average than that of the model of
    rows in memory.

    Raises
    ------
    EstimationError
        As `estimators.score.score`; and for another model than the question's own.
    """
    refuse.level(level)
    if model is not None:
        raise EstimationError(
            f"a model {model!r} needs every row; the rows of {question.outcome.column} stay in place. Draw whole "
            "clusters at random into a file that fits in memory for it"
        )
    held, gone = summed.usable
    notes = checked(summed, held, question)
    line = fit(held)
    if left(held, len(held.names) - 1, range(len(held.names) - 1)) <= EXACT:
        raise EstimationError(
            f"{question.outcome.column} is told exactly by the exposure and the columns of `adjust`. One of them is "
            "probably the outcome under another name, or a part of it; take it out."
        )
    covariance, df, errors = spread(summed, held, line)
    found = terms(line.names, line.coefficients, covariance, level, df)
    own = found[0]
    if not np.isfinite(own.p):
        raise EstimationError(
            f"The question {question.id!r}: {summed.exposure_name} differs in too few {summed.cluster_name or 'rows'} "
            "for a standard error. More of them are needed on each side."
        )
    low, high, p = wald(own.estimate, own.se, level, float(df[0]))
    groups = None if summed.cluster_name is None else len(held.labels)
    unit, scale = units(summed, question)
    by = "" if groups is None else f" clustered by {summed.cluster_name}, Satterthwaite degrees of freedom"
    return Effect(
        question.outcome.kind,
        own.estimate,
        own.se,
        low,
        high,
        level,
        p,
        unit,
        summed.contrast,
        f"{how(question)}, {errors} errors{by}",
        held.n,
        groups,
        float(df[0]),
        Model("least squares", errors, found, scale),
        {},
        (*notes, *left_out(gone), *more_notes(summed, held, line, question, float(df[0]))),
    )


def how(question: Question) -> str:
    """What the model is called."""
    if question.outcome.kind == "ordered":
        return "promoter points by least squares" if question.outcome.nps else METHODS["yes_no"]
    return METHODS[question.outcome.kind]


def units(summed: Summed, question: Question) -> tuple[str, str]:
    """The unit of the effect, and the scale of the model's coefficients."""
    outcome = question.outcome
    if outcome.kind == "yes_no" or (outcome.kind == "ordered" and not outcome.nps):
        return "probability", "probability"
    if outcome.kind == "ordered":
        return "NPS points", "NPS points"
    if outcome.kind == "counts":
        unit = outcome.unit or (f"events per unit of {outcome.time}" if outcome.time else "events per person")
        return unit, unit
    return outcome.unit or "point", outcome.unit or "points"


def left_out(gone: tuple[str, ...]) -> tuple[str, ...]:
    from researchkit.errors import some

    return (f"left out because the other covariates determine them: {some(gone)}",) if gone else ()


def spread(summed: Summed, held: Moments, line: Fit) -> tuple[Array, Array, str]:
    """Covariance (k, k) and degrees of freedom (k,) of the coefficients, and what the errors are called."""
    if summed.cluster_name is not None:
        return (*cr2(line), "CR2")
    k = len(line.names)
    used, scaled, inverse, back = in_pass(summed, held, line)
    meat = pushed(summed.look, summed.columns, used, scaled, inverse)
    bread = back @ inverse
    return bread @ meat @ bread.T, np.full(k, float(held.n - k)), "HC3"


def in_pass(summed: Summed, held: Moments, line: Fit) -> tuple[list[int], Array, Array, Array]:
    """The line in the columns as the pass over the rows has them: places, coefficients, inverse, and the way back."""
    names = summed.columns.names
    used = [place_of(names, name) for name in line.names[:-1]]
    centre, scale = held.centre[:-1], held.scale[:-1]
    outcome = held.scale[-1]
    scaled = line.coefficients[:-1] * scale / outcome
    constant = (line.coefficients[-1] + line.coefficients[:-1] @ centre - held.centre[-1]) / outcome
    total = held.products.sum(axis=0)
    inner = [*range(1, len(held.names)), 0]
    inverse = np.linalg.inv(total[np.ix_(inner, inner)])
    back = np.diag(np.append(outcome / scale, outcome))
    back[-1, :-1] = -outcome / scale * centre
    return used, np.append(scaled, constant), inverse, back


def place_of(names: tuple[str, ...], name: str) -> int:
    """Where a covariate or the exposure stands; the exposure is the first of its name."""
    return names.index(name)


def more_notes(summed: Summed, held: Moments, line: Fit, question: Question, df: float) -> tuple[str, ...]:
    """What weakens the interval: few degrees of freedom, very skewed residuals, few events; and what was averaged."""
    notes = [*line.notes]
    if summed.cluster_name is not None:
        notes += thin_of(len(held.labels), summed.cluster_name, df)
    kind = question.outcome.kind
    if kind in ("score", "change"):
        if not summed.crude:  # only the headline's word can hang on it
            used, scaled, _, _ = in_pass(summed, held, line)
            notes += skewed(skewness(summed.look, summed.columns, used, scaled))
        return tuple(notes)
    if kind == "yes_no" or (kind == "ordered" and not question.outcome.nps):
        notes += refuse.few_events(*events(summed, held, question))
    notes.append(
        "a straight line through shares, points or rates, for the rows stay in place: where effects differ among "
        "people, its average is another than that of the usual model"
    )
    return tuple(notes)


def raw(held: Moments) -> Array:
    """Sums by cluster (G, k, k) of the columns as they came, the ones first."""
    back = np.diag(np.append(1.0, held.scale))
    back[1:, 0] = held.centre
    turned: Array = back @ held.products @ back.T
    return turned


def arms(summed: Summed, held: Moments, question: Question) -> list[Array]:
    """Sums by cluster (G, k) without and with a 0/1 exposure, further levels in neither; the ones first."""
    if not summed.binary_exposure:
        return []
    sums = raw(held)
    own = question.exposure.column
    others = [place for place, name in enumerate(held.names, 1) if place > 1 and summed.group_of(name) == own]
    exposed = sums[:, 1]
    return [sums[:, 0] - exposed - sums[:, others].sum(axis=1), exposed]


def events(summed: Summed, held: Moments, question: Question) -> tuple[float, list[float]]:
    """How often the rarer of the two outcomes occurs, in all and on either side of a 0/1 exposure."""
    total = raw(held).sum(axis=0)
    happened, n = float(total[0, -1]), float(total[0, 0])
    yes = happened <= n - happened
    sides = [arm.sum(axis=0) for arm in arms(summed, held, question)]
    return (happened if yes else n - happened), [float(one[-1] if yes else one[0] - one[-1]) for one in sides]


def checked(summed: Summed, held: Moments, question: Question) -> tuple[str, ...]:
    """Raise with every reason against these sums; notes on what is merely weak (as `estimators.refuse.check`)."""
    n, problems = held.n, []
    for place, called in ((0, summed.exposure_name), (-1, question.outcome.column)):
        if held.spread[place] == 0:
            problems.append(
                f"{called} is the same in all {n} complete rows, so there is nothing to compare. Look at the `keep` "
                "rules and at how rows were lost to missing values."
            )
    sides = [int((arm[:, 0] > 0.5).sum()) for arm in arms(summed, held, question)]
    groups, name = len(held.labels), summed.cluster_name
    if name is not None and groups < 2:
        problems.append(
            f"all {n} rows belong to one value of {name}; errors that allow for clusters need at least 2. Name a finer "
            "column under `clusters`, or collect data from more of them."
        )
    if name is not None and groups >= 2:
        problems += alone(summed, held, question, name)
    if question.outcome.kind in ("yes_no", "counts") and not problems:
        problems += too_rare(summed, held, question)
    if n < (need := len(held.names) + 2):
        problems.append(
            f"{n} complete rows are too few for {need - 2} coefficients: at least {need} are needed. Adjust for fewer "
            "columns, or collect more data."
        )
    if problems:
        raise EstimationError(listing(f"The question {question.id!r}", problems))
    if name is None:
        return ()
    if groups < refuse.FEW_CLUSTERS:
        return (f"few clusters: {groups} ({name})",)
    return (f"few clusters: {min(sides)} on one side ({name})",) if sides and min(sides) < 5 else ()


def alone(summed: Summed, held: Moments, question: Question, name: str) -> list[str]:
    """One side of the exposure that is one cluster and nothing else cannot be told from that cluster."""
    for side, arm in zip(("without", "with"), arms(summed, held, question), strict=False):
        inside = np.flatnonzero(arm[:, 0] > 0.5)
        if len(inside) == 1 and math.isclose(arm[inside[0], 0], held.counts[inside[0]], abs_tol=0.5):
            return [
                f"all rows {side} {summed.exposure_name} are one single {name} and nobody else is in it, so the "
                "exposure cannot be told from that one. At least 2 are needed on each side."
            ]
    return []


def too_rare(summed: Summed, held: Moments, question: Question) -> list[str]:
    """Outcomes too rare to say anything about."""
    if question.outcome.kind == "counts":
        total = float(raw(held)[:, 0, -1].sum())  # weighted by time, rates add up to events
        few, what = total, f"only {round_down(total)} events happened"
    else:
        few = events(summed, held, question)[0]
        what = f"only {round_down(few)} people have the rarer outcome"
    if 0 < few < refuse.FEW_EVENTS - 0.5:
        return [f"{what}; at least {refuse.FEW_EVENTS} are needed. Collect more data, or ask about what is less rare."]
    return []


def round_down(count: float) -> int:
    """A sum of whole numbers, as a whole number."""
    return int(count + 0.5)
