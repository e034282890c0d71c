"""A score taken once, or again after a baseline: the difference in means per unit of the exposure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from researchkit.errors import EstimationError
from researchkit.estimators import crossed, refuse
from researchkit.estimators.design import Design, design
from researchkit.estimators.effect import Effect, Model, Vector, terms, told
from researchkit.estimators.linear import Line, Spread, cr2, hc3, least_squares
from researchkit.wording import number

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question

VERY_SKEWED = 3.0  # skewness of the residuals


def score(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """Mean difference by least squares, in the score's own unit.

    Without clusters the errors are HC3 with t(n - k); with clusters CR2 with Satterthwaite degrees of freedom; with two
    kinds of clusters that cross, CR1 both ways (see `crossed.two_way`).

    Raises
    ------
    EstimationError
        Too few rows, nothing to compare, fewer than 2 clusters, an exposure that the covariates determine, or an
        outcome that the columns tell exactly.

    References
    ----------
    Agrees with R `lm` and `sandwich::vcovHC(m, "HC3")`, or `clubSandwich::coef_test(m, "CR2", cluster,
    "Satterthwaite")`, or `sandwich::vcovCL(m, ~ a + b)`; all three also for `lm(weights = w)`.
    """
    return of_columns(sample, question, level, *checked(sample, question))


def change(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """Mean difference among people alike at baseline: analysis of covariance, never a comparison of change scores.

    Change scores compare people who started differently as if regression to the mean did not exist; the baseline as a
    covariate does not (Vickers and Altman 2001, BMJ 323, 1123-1124). The baseline is centred, so that the intercept is
    the mean of the unexposed at the average baseline.

    Raises
    ------
    EstimationError
        As `score`; and if there is no baseline, or everybody started alike.
    """
    return of_columns(sample, question, level, *checked(sample, question))


def checked(sample: Sample, question: Question) -> tuple[Design, str, tuple[str, ...]]:
    """The columns of a score's model or a change's, what that model is called, and notes; raises what is against it."""
    if question.outcome.kind == "score":
        notes = refuse.check(sample, question)
        return design(sample, question.exposure.column), "least squares", notes
    if sample.baseline is None:
        raise EstimationError(f"The question {question.id!r} asks for a change, but its sample has no baseline.")
    more = []
    if len(sample.baseline) and np.ptp(sample.baseline) == 0:
        more = ["the baseline is the same for everybody; ask for kind `score` instead of `change`."]
    notes = refuse.check(sample, question, more)
    name = f"{question.outcome.baseline or 'baseline'} (centred)"
    columns = design(sample, question.exposure.column, first=(name, sample.baseline - sample.baseline.mean()))
    return columns, "analysis of covariance on the baseline", notes


def of_columns(
    sample: Sample, question: Question, level: float, columns: Design, how: str, notes: tuple[str, ...]
) -> Effect:
    """Fit, and tell the first coefficient (the exposure's)."""
    line = least_squares(columns.matrix, sample.outcome, sample.weights)
    not_exact(line, sample.outcome, question)
    spread = _spread(line, sample)
    rows = terms(
        columns.names,
        columns.back @ line.coefficients,
        columns.back @ spread.covariance @ columns.back.T,
        level,
        spread.df,
    )
    own, outcome = rows[0], question.outcome
    if not np.isfinite(own.p):
        raise EstimationError(no_error(sample, question))
    return told(
        sample,
        question,
        level,
        own.estimate,
        own.se,
        float(spread.df[0]),
        unit=outcome.unit or "point",
        method=f"{how}, {_errors(sample, spread)}",
        model=Model("least squares", spread.errors, rows, outcome.unit or "points"),
        notes=(
            *notes,
            *columns.notes,
            *spread.notes,
            *crossed.thin(sample, float(spread.df[0])),
            *_skewed(line.residuals),
        ),
    )


def _spread(line: Line, sample: Sample) -> Spread:
    if sample.cluster is None:
        return hc3(line)
    return cr2(line, sample.cluster) if sample.crossed is None else crossed.cr1(line, sample)


def _errors(sample: Sample, spread: Spread) -> str:
    approximate = ", Satterthwaite degrees of freedom" if spread.errors == "CR2" else ""
    weighted = ", weighted" if sample.weights is not None else ""
    return f"{spread.errors} errors{crossed.words(sample)}{approximate}{weighted}"


def _skewed(residuals: Vector) -> tuple[str, ...]:
    """A note where a few large residuals rule: the interval then rests on whether the sample happened to hold them."""
    return skewed(float(np.mean((residuals - residuals.mean()) ** 3) / np.std(residuals) ** 3))


def skewed(skewness: float) -> tuple[str, ...]:
    """The same of a skewness found before."""
    if abs(skewness) <= VERY_SKEWED:
        return ()
    return (
        f"very skewed: the residuals have a skewness of {number(skewness)}; with such, an interval holds the truth "
        "less often than it says. The logarithm of the score may serve better",
    )


def not_exact(line: Line, outcome: Vector, question: Question) -> None:
    """An outcome without residual spread was most likely put on both sides of the question."""
    if np.std(line.residuals) <= 1e-10 * np.std(outcome):
        raise EstimationError(
            f"{question.outcome.column} is told exactly by the exposure and the columns of `adjust`. One of them is "
            "probably the outcome under another name, or a part of it; take it out."
        )


def no_error(sample: Sample, question: Question) -> str:
    return (
        f"The question {question.id!r}: {sample.exposure_name} differs in too few {sample.cluster_name or 'rows'} for "
        "a standard error. More of them are needed on each side."
    )
