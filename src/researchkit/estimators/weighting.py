"""People weighted until those with the exposure and those without are alike: inverse probability of the exposure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from researchkit.errors import EstimationError
from researchkit.estimators import crossed, propensity
from researchkit.estimators.effect import Effect, Model, Term, Vector, told, wald

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question


def inverse_probability(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """The difference of two weighted means, of everybody with a 0/1 exposure and of everybody without it.

    A logistic regression on the covariates gives everybody's chance of the exposure that they had, the propensity; each
    row counts as many times as one over it, so that both sides look like the whole sample, and each side's mean is
    divided by the sum of its weights (Hajek). The outcome itself needs no model. It is the effect on everybody, in the
    outcome's own unit: a mean, a probability, a rate (events over time, both weighted), NPS points. Errors stack the
    equations of the propensity with those of the means, for estimating the propensity makes the means more exact;
    clusters are summed, with G/(G - 1) and t(G - 1). Without clusters it is the normal, with errors some 5 % too small
    for 60 people. Further levels of a coded exposure have propensities of their own.

    Raises
    ------
    EstimationError
        As the question's own kind; and for an exposure that is a number, where a column tells who has the exposure, and
        where one side is worth fewer than 10 rows after weighting.

    References
    ----------
    Lunceford and Davidian (2004), Statistics in Medicine 23, 2937-2960 (their IPW2). Agrees with R `lm(y ~ exposure,
    weights = 1 / propensity)` after `glm(exposure ~ covariates, binomial)`, errors by stacking the two models'
    estimating equations.
    """
    now = propensity.ready(sample, question)
    if not sample.binary_exposure:
        raise EstimationError(
            f"The question {question.id!r}: inverse probability weights compare people with an exposure and without, "
            f"and {sample.exposure_name} is a number. Name a `reference` and a `level`, or ask for the doubly robust "
            "estimate, which takes numbers too."
        )
    propensity.refuse_same(now, sample, question)
    sides = propensity.chances(now, sample, question)
    notes = propensity.overlap(sides, now.people, sample, question)
    one, none = (_mean(now, arm, chance) for arm, chance in sides)
    difference = one[0] - none[0], one[1] - none[1]
    se, df, remarks = crossed.of_influence(difference[1], sample)
    names = (sample.exposure_name, f"mean with {sample.exposure_name}", "mean without")
    parts = zip(names, (difference, one, none), strict=True)
    rows = tuple(_term(name, *part, sample, level) for name, part in parts)
    weighted = "" if sample.weights is None else ", weighted"
    return told(
        sample,
        question,
        level,
        difference[0],
        se,
        df,
        unit=now.unit,
        method=(
            "difference of means weighted by inverse probability (Hajek), propensity by logistic regression, errors "
            f"that allow for its estimation{crossed.words(sample)}{weighted}"
        ),
        model=Model("weighted means", "stacked equations", rows, now.unit),
        notes=(*now.notes, *remarks, *notes),
    )


def _mean(now: propensity.Ready, arm: propensity.Arm, chance: Vector) -> tuple[float, Vector]:
    """The weighted mean of an arm, and every row's influence on it (n,), that on the propensity's fit included."""
    weight = np.divide(now.size, chance, out=np.zeros(len(chance)), where=arm)
    total = weight.sum()
    mean = float(weight @ now.outcome / total)
    own = weight * (now.outcome - mean)
    # A row whose propensity rises counts less: d(1/e) = -(1 - e)/e for each unit of the linear predictor.
    slope = -now.reasons.T @ (own * (1 - chance))
    information = now.reasons.T @ (now.reasons * (now.people * chance * (1 - chance))[:, None])
    fit = now.reasons @ np.linalg.solve(information, slope)
    return mean, (own + fit * now.people * (arm - chance)) / total


def _term(name: str, value: float, influence: Vector, sample: Sample, level: float) -> Term:
    se, df, _ = crossed.of_influence(influence, sample)
    return Term(name, value, se, *wald(value, se, level, df))
