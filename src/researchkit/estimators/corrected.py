"""An effect of what is truly there, from a measure with errors and a review of some rows: regression calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from researchkit import wording
from researchkit.errors import EstimationError
from researchkit.estimators import refuse
from researchkit.estimators.design import design
from researchkit.estimators.effect import Count, Effect, Model, Term, Vector, told, wald
from researchkit.estimators.linear import least_squares, summed

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question

FEWEST = 30  # reviewed rows from which a calibration may be told
WEAK = 3.0  # standard errors that the measure must be away from telling nothing of the truth


def corrected(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """The difference in the outcome per unit of the reviewed exposure, by regression calibration.

    The outcome is fitted on the measured exposure and the covariates in all rows (slope b), the reviewed exposure on
    the same columns where there is a review (slope c); the corrected effect is b / c. A question's weights count in
    both, chances of review in the second. It holds where the measure tells nothing of the outcome beyond the truth and
    the covariates. Errors come from the influence of each cluster (or row) on b and c together, t with one degree of
    freedom less than there are clusters.

    Raises
    ------
    EstimationError
        With fewer than 30 reviews, or a measure that hardly tells the truth (its slope within 3 standard errors of 0):
        to divide by it would be to divide by noise.

    References
    ----------
    Rosner, Spiegelman and Willett (1990), American Journal of Epidemiology 132, 734-745 (equation 4); for a straight
    line the same as the matrix method. Agrees with R: the ratio of two `lm`, its error from both `estfun`.
    """
    entry = question.detection
    if entry is None:
        raise EstimationError(f"The question {question.id!r} has no `detection`.")
    notes = refuse.check(sample, question)
    values = sample.more[entry.by]
    if values.dtype == object:
        raise EstimationError(f"{entry.by}: the review gives a number, or 0 and 1; it holds words.")
    gold = np.asarray(values, dtype=float) / question.exposure.per
    seen = np.isfinite(gold)
    if seen.sum() < FEWEST:
        raise EstimationError(
            f"The question {question.id!r}: {int(seen.sum())} rows have a review ({entry.by}); at least {FEWEST} are "
            "needed to know the error of the measure. Review more, at random."
        )
    columns = design(sample, question.exposure.column)
    weights = np.ones(len(gold)) if sample.weights is None else sample.weights
    surveyed = sample.weights is not None and not entry.chance  # a chance of review says nothing of the other rows
    naive, pull_b = slope(columns.matrix, sample.outcome, weights if surveyed else np.ones(len(gold)))
    weigh = np.where(seen, weights, 0.0)
    told_by, pull_c = slope(columns.matrix, np.where(seen, gold, 0.0), weigh)
    pulls = np.column_stack([pull_b, pull_c])
    pulls = pulls if sample.cluster is None else summed(pulls, sample.cluster)
    units = len(pulls)
    spread = units / (units - 1) * pulls.T @ pulls
    se_c = float(np.sqrt(spread[1, 1]))
    if abs(told_by) < WEAK * se_c:
        raise EstimationError(
            f"The question {question.id!r}: the measure hardly tells what the review finds (its slope lies within "
            f"{wording.typed(WEAK)} standard errors of 0), so an effect cannot be corrected by it. Review more, or "
            "measure better."
        )
    back = float(columns.back[0, 0])
    df = float(units - 1)
    ratio = naive / told_by
    toward = np.array([1 / told_by, -ratio / told_by])
    se = float(np.sqrt(toward @ spread @ toward))
    as_measured = term("as measured", back * naive, back * float(np.sqrt(spread[0, 0])), level, df)
    calibration = term("truth per unit measured", back * told_by, back * se_c, level, df)
    found = term("corrected", ratio, se, level, df)
    share = Count(f"{wording.count(int(seen.sum()))} of {wording.count(len(seen))} rows are reviewed")
    where = f", clustered by {sample.cluster_name}" if sample.cluster is not None else ""
    where += ", weighted" if surveyed else ""
    return told(
        sample,
        question,
        level,
        ratio,
        se,
        df,
        unit="probability" if question.outcome.kind == "yes_no" else question.outcome.unit or "point",
        method=f"regression calibration by a review of some, delta method{where}",
        model=Model("regression calibration", "delta method", (found, as_measured, calibration), "outcome"),
        notes=(*notes, share, "the correction holds where the measure's error has nothing to do with the outcome"),
    )


def slope(matrix: Vector, outcome: Vector, weights: Vector) -> tuple[float, Vector]:
    """The first coefficient of a weighted least-squares fit, and how far each row (n,) pulls it."""
    line = least_squares(matrix, outcome, weights)
    # basis and residuals are those of rows multiplied by sqrt(weight); a row's leverage frees its residual (HC2 to HC3)
    free = np.maximum(1 - np.sum(line.basis**2, axis=1), 1e-10)
    return float(line.coefficients[0]), (line.basis @ line.root[0]) * line.residuals / free


def term(name: str, value: float, se: float, level: float, df: float) -> Term:
    low, high, p = wald(value, max(se, 1e-300), level, df)
    return Term(name, value, se, low, high, p)
