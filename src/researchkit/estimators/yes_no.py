"""An outcome that happened or did not: the difference in risk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError, listing
from researchkit.estimators import crossed, refuse
from researchkit.estimators.design import Design, design
from researchkit.estimators.effect import Effect, Model, Vector, ratio, terms, told
from researchkit.estimators.likelihood import (
    LOGIT,
    Average,
    RunsAway,
    Spread,
    fitted,
    mean_at,
    mean_slope,
    shares,
)

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question


def yes_no(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """Risk difference by logistic regression, averaged over the people of the sample, as a probability.

    For a 0/1 exposure everybody's risk is predicted with it and without it, and the difference averaged; for a numeric
    one the average slope of the risk. The standard error is the delta method's, for these people as they are (not for
    a new draw of them). Errors are model-based, with weights HC0; with clusters CR2, and with fewer than 100 people or
    fewer than 50 of the rarer outcome HC2, both with Satterthwaite degrees of freedom (see `leverage`); CR1 both ways
    where two kinds of clusters cross. The odds ratio is in `also`.

    Raises
    ------
    EstimationError
        As `score`; and with fewer than 5 people of either outcome, or a column that tells the outcome exactly.

    References
    ----------
    Agrees with R `glm(..., binomial)` and `marginaleffects::avg_comparisons` / `avg_slopes`.
    """
    outcome = sample.outcome
    ended = outcome == 1
    notes = refuse.check(sample, question, objections(outcome))
    if problems := refuse.separating(*_columns(sample), ended):
        raise EstimationError(listing(f"The question {question.id!r}", problems))
    columns = design(sample, question.exposure.column)
    weight = np.ones(len(outcome)) if sample.weights is None else sample.weights
    try:
        at, information = fitted(LOGIT, columns.matrix, outcome, sample.weights)
    except RunsAway as away:
        raise refuse.no_maximum(columns.names[:-1], away.at[:-1]) from None
    risk = LOGIT.mean(columns.matrix @ at)
    scores = columns.matrix * (weight * (outcome - risk))[:, None]
    effect = _difference(sample, columns, at)
    errors = crossed.spread(
        information,
        scores,
        sample,
        effect.gradient,
        robust=sample.weights is not None,
        rows=(columns.matrix * np.sqrt(weight * risk * (1 - risk))[:, None],),
        back=columns.back,
        little=min(ended.sum(), (~ended).sum()) < crossed.SCARCE,
    )
    rows = terms(columns.names, *columns.raw(at, errors.covariance), level, errors.df_of_terms)
    how = "standardised over the sample" if sample.binary_exposure else "average marginal effect"
    return told(
        sample,
        question,
        level,
        effect.value,
        effect.se(errors.covariance),
        errors.df,
        unit="probability",
        method=f"logistic, {how}, {named(errors, sample)}",
        model=Model("logistic", errors.errors, rows, "log odds"),
        also={"odds ratio": ratio(rows[0])},
        notes=(*notes, *columns.notes, *errors.notes, *refuse.rare(rarer(ended), sample, question)),
    )


def named(errors: Spread, sample: Sample) -> str:
    """The errors as a method names them."""
    approximate = ", Satterthwaite degrees of freedom" if errors.errors in ("CR2", "HC2") else ""
    weighted = "" if sample.weights is None else ", weighted"
    return f"{errors.errors} errors{crossed.words(sample)}{approximate}{weighted}"


def rarer(ended: NDArray[np.bool_]) -> Vector:
    """The outcome (n,) or its absence, whichever is rarer, as 1 and 0."""
    return np.asarray(ended if ended.sum() <= (~ended).sum() else ~ended, dtype=float)


def _difference(sample: Sample, columns: Design, at: Vector) -> Average:
    share = shares(sample.weights, len(sample.outcome))
    if not sample.binary_exposure:
        return mean_slope(LOGIT, columns.matrix, at, share, float(columns.scale[0]))
    one, none = (mean_at(LOGIT, columns.at(arm), at, share) for arm in (1.0, 0.0))
    return Average(one.value - none.value, one.gradient - none.gradient)


def objections(outcome: Vector) -> list[str]:
    """Values other than 0 and 1, and outcomes too rare to model."""
    if odd := int(np.sum(~np.isin(outcome, (0, 1)))):
        return [f"{odd} outcomes are neither 0 nor 1; `yes` in the study file names the value that counts as yes."]
    fewer = int(min(outcome.sum(), len(outcome) - outcome.sum()))
    if 0 < fewer < refuse.FEW_EVENTS:
        return [
            f"only {fewer} people have the rarer outcome; at least {refuse.FEW_EVENTS} are needed. Collect more data, "
            "or ask about an outcome that is less rare."
        ]
    return []


def _columns(sample: Sample) -> tuple[Vector, tuple[str, ...]]:
    """Exposure and covariates with their names."""
    return np.column_stack([sample.exposure, sample.covariates]), (sample.exposure_name, *sample.names)
