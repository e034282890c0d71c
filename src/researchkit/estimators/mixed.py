"""A score among people in teams that differ in level, or in what the exposure does: the planned alternative to CR2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from researchkit.errors import EstimationError
from researchkit.estimators.design import ALIASED, Design
from researchkit.estimators.effect import Effect, Model, Vector, terms, told
from researchkit.estimators.linear import Line, least_squares, summed
from researchkit.estimators.multilevel import SINGULAR, Mixed, random_intercept
from researchkit.estimators.score import checked, no_error, not_exact
from researchkit.wording import number, percent, units

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question


def intercepts(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """Mean difference of a score or a change where every cluster has a level of its own: a random intercept, by REML.

    Errors are those of the model, (X'V^-1X)^-1, by t with Satterthwaite's degrees of freedom: smaller than CR2's where
    the model holds (clusters that differ by a normal amount in level alone), wrong where it does not.

    Raises
    ------
    EstimationError
        As `score`; and without clusters, with two kinds that cross, with weights, with fewer than 3 clusters, or with
        clusters that are among the covariates.

    References
    ----------
    Agrees with R `lmerTest::lmer(y ~ exposure + covariates + (1 | cluster))`.
    """
    return _effect(sample, question, level, slope=False)


def slopes(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """As `intercepts`, and what the exposure does differs between clusters too: a random slope of the exposure.

    The effect is that of the average cluster.

    Raises
    ------
    EstimationError
        As `intercepts`; and if the exposure differs within no cluster.

    References
    ----------
    Agrees with R `lmerTest::lmer(y ~ exposure + covariates + (exposure | cluster))`.
    """
    return _effect(sample, question, level, slope=True)


def _effect(sample: Sample, question: Question, level: float, *, slope: bool) -> Effect:
    columns, how, notes = checked(sample, question)
    _refuse(sample, question, slope)
    line = least_squares(columns.matrix, sample.outcome)
    not_exact(line, sample.outcome, question)
    _refuse_levels(line, sample, question)
    # On the outcome's own scale, so that steps and tolerances mean the same for minutes and for years.
    mean, scale = float(sample.outcome.mean()), float(sample.outcome.std())
    own = columns.matrix[:, 0] if slope else None
    fit = random_intercept((sample.outcome - mean) / scale, columns.matrix, np.asarray(sample.cluster), own)
    coefficients = scale * fit.coefficients
    coefficients[-1] += mean
    rows = terms(columns.names, *columns.raw(coefficients, scale**2 * fit.covariance), level, fit.df)
    if not np.isfinite(rows[0].p):
        raise EstimationError(no_error(sample, question))
    unit = question.outcome.unit
    random = f"random intercept{' and slope' if slope else ''} by {sample.cluster_name}"
    base = "" if how == "least squares" else f"{how}, "
    return told(
        sample,
        question,
        level,
        rows[0].estimate,
        rows[0].se,
        float(fit.df[0]),
        unit=unit or "point",
        method=f"{base}linear mixed model by REML, {random}, Satterthwaite degrees of freedom",
        model=Model("linear mixed model", "REML", rows, unit or "points"),
        notes=(*notes, *columns.notes, *_remarks(sample, fit, columns, scale, unit or "point")),
    )


def _refuse(sample: Sample, question: Question, slope: bool) -> None:
    """What a mixed model has no place for."""
    subject = f"The question {question.id!r}"
    if sample.cluster is None:
        raise EstimationError(
            f"{subject} names no clusters, so there is nothing for a random intercept to belong to. Name them under "
            "`clusters`, or leave `model` out of the alternative."
        )
    if sample.crossed is not None:
        raise EstimationError(
            f"{subject}: clusters by {sample.cluster_name} and by {sample.crossed_name} cut across each other, and a "
            "random intercept would allow for one of them only. The errors clustered two ways allow for both."
        )
    if sample.weights is not None:
        raise EstimationError(
            f"{subject}: a random intercept has no place for weights that say how many people a row stands for. "
            "Ask without `weights`, or without a random intercept."
        )
    if slope and not _differs_within(sample.exposure, np.asarray(sample.cluster)):
        raise EstimationError(
            f"{subject}: {sample.exposure_name} is the same for all rows of one {sample.cluster_name}, so no cluster "
            "has a slope of its own. A random intercept will do."
        )


def _refuse_levels(line: Line, sample: Sample, question: Question) -> None:
    """Clusters whose levels are adjusted for, one by one, leave a random intercept nothing to be."""
    cluster = np.asarray(sample.cluster)
    size = np.unique(cluster, return_counts=True)[1]
    told = np.sum(summed(line.basis, cluster) ** 2, axis=1)  # how much of each cluster's indicator the columns hold
    if np.all(told > (1 - ALIASED) * size):
        raise EstimationError(
            f"The question {question.id!r}: the columns of `adjust` give every {sample.cluster_name} a level of its "
            "own already, so a random intercept adds nothing and the errors would take its people for strangers. Leave "
            f"{sample.cluster_name} out of `adjust`, or `model` out of the alternative."
        )


def _differs_within(exposure: Vector, cluster: Vector) -> bool:
    order = np.lexsort((exposure, cluster))
    same = np.diff(cluster[order]) == 0
    return bool(np.any(np.diff(exposure[order])[same] > 0))


def _remarks(sample: Sample, fit: Mixed, columns: Design, scale: float, unit: str) -> tuple[str, ...]:
    """How much the clusters differ, in words."""
    where = f" at the average {sample.exposure_name}" if len(fit.between) > 1 else ""
    notes = [f"{percent(fit.icc)} of the variance that is left lies between {sample.cluster_name}{where} (ICC)"]
    if len(fit.between) > 1:
        sd = scale * float(np.sqrt(fit.between[1, 1])) / float(columns.scale[0])
        told = f"{number(sd)} {units(unit, number(sd))}"
        notes.append(f"the effect differs between {sample.cluster_name} with a standard deviation of {told}")
    if fit.singular:
        alike = float(np.linalg.eigvalsh(fit.between / fit.within)[-1]) < SINGULAR**2
        what = "no differences" if alike else "clusters differ in fewer ways than the model allows"
        so = ", so errors are nearly those of independent rows" if alike else ""
        notes.append(f"singular fit: {what} ({sample.cluster_name}){so}")
    return tuple(notes)
