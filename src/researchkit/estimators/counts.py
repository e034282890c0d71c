"""How often something happened: the difference in rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from researchkit.errors import EstimationError, listing
from researchkit.estimators import crossed, refuse
from researchkit.estimators.design import Design, design
from researchkit.estimators.effect import Effect, Model, Vector, ratio, terms, told
from researchkit.estimators.likelihood import (
    LOG,
    Average,
    RunsAway,
    fitted,
    mean_at,
    mean_slope,
    shares,
    spread,
)
from researchkit.estimators.yes_no import named
from researchkit.wording import number

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question

OVERDISPERSED = 1.5


def counts(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """Rate difference by Poisson regression, in events per unit of exposure time (per person where there is none).

    The expected events of everybody's own time are added up with and without the exposure (or the slope, for a numeric
    one) and divided by all the time: what this sample's time would have seen. Errors are HC2, which needs the mean
    to be right but not the Poisson variance, or CR2 with clusters, both with Satterthwaite degrees of freedom (see
    `leverage`); CR1 both ways where two kinds of clusters cross. The rate ratio is in `also`. Without clusters the
    model beside it is told with R's HC0.

    Raises
    ------
    EstimationError
        As `score`; and with negative counts or times, fewer than 5 events, or a column without events on one side.

    References
    ----------
    Agrees with R `glm(..., poisson, offset = log(time))` and `sandwich::vcovHC(m, "HC0")`; see `leverage.cr2`.
    """
    outcome = sample.outcome
    notes = refuse.check(sample, question, objections(sample))
    both = np.column_stack([sample.exposure, sample.covariates])
    if problems := refuse.eventless(both, (sample.exposure_name, *sample.names), outcome > 0):
        raise EstimationError(listing(f"The question {question.id!r}", problems))
    columns = design(sample, question.exposure.column)
    time = np.ones(len(outcome)) if sample.offset_time is None else sample.offset_time
    weight = np.ones(len(outcome)) if sample.weights is None else sample.weights
    try:
        at, information = fitted(LOG, columns.matrix, outcome, sample.weights, np.log(time))
    except RunsAway as away:
        raise refuse.no_maximum(columns.names[:-1], away.at[:-1]) from None
    expected = time * np.exp(columns.matrix @ at)
    effect = _difference(sample, columns, at, weight * time)
    scores = columns.matrix * (weight * (outcome - expected))[:, None]
    pulls = (columns.matrix * np.sqrt(weight * expected)[:, None],)
    errors = crossed.spread(
        information, scores, sample, effect.gradient, robust=True, rows=pulls, back=columns.back, little=True
    )
    own = terms(columns.names, *columns.raw(at, errors.covariance), level, errors.df_of_terms)
    # The model without clusters is told as R prints it.
    printed = errors if sample.cluster is not None else spread(information, scores, None, robust=True)
    rows = terms(columns.names, *columns.raw(at, printed.covariance), level, printed.df_of_terms)
    how = "standardised over the sample" if sample.binary_exposure else "average marginal effect"
    return told(
        sample,
        question,
        level,
        effect.value,
        effect.se(errors.covariance),
        errors.df,
        unit=question.outcome.unit or unit_of(sample, question),
        method=f"Poisson, rate difference, {how}, {named(errors, sample)}",
        model=Model("Poisson", printed.errors, rows, "log rate"),
        also={"rate ratio": ratio(own[0])},
        notes=(
            *notes,
            *columns.notes,
            *errors.notes,
            *refuse.rare(outcome, sample, question),
            *_overdispersed(outcome, expected, len(at)),
        ),
    )


def dispersion(outcome: Vector, expected: Vector, coefficients: int) -> float:
    """Pearson's chi-square over its degrees of freedom: 1 for Poisson counts, more where events come in bunches."""
    return float(np.sum((outcome - expected) ** 2 / expected) / (len(outcome) - coefficients))


def _difference(sample: Sample, columns: Design, at: Vector, time: Vector) -> Average:
    share = shares(time, len(time))
    if not sample.binary_exposure:
        return mean_slope(LOG, columns.matrix, at, share, float(columns.scale[0]))
    one, none = (mean_at(LOG, columns.at(arm), at, share) for arm in (1.0, 0.0))
    return Average(one.value - none.value, one.gradient - none.gradient)


def objections(sample: Sample) -> list[str]:
    """Outcomes that are no counts, too few events, and times that cannot be."""
    problems, outcome = [], sample.outcome
    if odd := int(np.sum((outcome < 0) | (outcome != np.round(outcome)))):
        problems.append(f"{odd} outcomes are not whole numbers from 0 up, so they are no counts. Try kind `score`.")
    elif 0 < outcome.sum() < refuse.FEW_EVENTS:
        problems.append(f"only {int(outcome.sum())} events happened; at least {refuse.FEW_EVENTS} are needed.")
    if sample.offset_time is not None and (bad := int(np.sum(sample.offset_time <= 0))):
        problems.append(f"{bad} exposure times are zero or negative. Correct them, or drop those rows with `keep`.")
    return problems


def unit_of(sample: Sample, question: Question) -> str:
    """What a rate is counted in, where the study file does not say."""
    return "events per person" if sample.offset_time is None else f"events per unit of {question.outcome.time}"


def _overdispersed(outcome: Vector, expected: Vector, coefficients: int) -> tuple[str, ...]:
    times = dispersion(outcome, expected, coefficients)
    if times <= OVERDISPERSED:
        return ()
    return (f"overdispersed: chi-square is {number(times)} times its degrees of freedom; the errors allow for it",)
