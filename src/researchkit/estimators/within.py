"""Each compared with itself: what stays the same about a person, a trust or a worker is taken away.

Fixed effects are exact: every column less its own mean of that person, which gives the coefficients and errors of a
model with a column for each person. Beside them stands the comparison between people, which what stays the same about
them can make as well (Mundlak). The cross-lagged panel is in `crosslag`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError, listing
from researchkit.estimators import crosslag, refuse, score
from researchkit.estimators.contagion import as_score
from researchkit.estimators.design import Design, design
from researchkit.estimators.effect import Effect, Term
from researchkit.readers.values import written

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question

BETWEEN, APART, POOLED = "between: ", "between less within", "within and between together"
Vector = NDArray[np.float64]
STEADY = 1e-9  # of a column's spread: less within people is none


def within(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """The outcome's difference per unit of the exposure among the rows of one person, trust or worker.

    Errors are clustered by person, or by what people lie in: CR2 with Satterthwaite degrees of freedom.

    Raises
    ------
    EstimationError
        As `score`; where hardly anybody's exposure ever changes; and as `crosslag.crosslag` for that model.

    References
    ----------
    Mundlak (1978), Econometrica 46, 69-85. Agrees with R `lm(y ~ x + factor(who))` and
    `clubSandwich::coef_test(m, "CR2", cluster, "Satterthwaite")`.
    """
    spec = question.within
    if spec is not None and spec.crossed:
        return crosslag.crosslag(sample, question, level)
    asked, sample = as_score(question), with_times(sample, question)
    who = people(sample)
    notes = refuse.check(sample, asked, still(sample, who, question))
    effect = score.of_columns(*demeaned(sample, asked, who, level), notes)
    share = float(np.mean(changing(sample.exposure, who)[who]))
    if share < 0.5:
        notes = (*effect.notes, "of most, the exposure never changes; they add nothing to the answer")
        effect = replace(effect, notes=notes)
    terms = (*effect.model.terms, *beside(sample, asked, who, level))
    return replace(
        effect,
        kind=question.outcome.kind,
        contrast=f"{sample.contrast}, for the same {next(iter(sample.more)).replace('_', ' ')}",
        method=f"fixed effects, {effect.method}",
        model=replace(effect.model, name="least squares within each", terms=terms),
    )


def people(sample: Sample) -> NDArray[np.int64]:
    """(n,) whose row each is, by the first column of the design."""
    return np.unique(next(iter(sample.more.values())), return_inverse=True)[1].astype(np.int64)


def with_times(sample: Sample, question: Question) -> Sample:
    """The sample with a covariate for each time but the first, and clusters: people, where none are named."""
    spec = question.within
    if spec is not None and spec.when:
        times = sample.more[spec.when]
        later = [one for one in np.unique(times)[1:]]
        extra = {f"{spec.when}: {name_of(one)}": (times == one).astype(float) for one in later}
        columns = np.column_stack([sample.covariates, *extra.values()]) if extra else sample.covariates
        names, groups = (*sample.names, *extra), (*sample.groups, *extra)
        sample = replace(sample, covariates=columns, names=names, groups=groups)
    name = next(iter(sample.more))
    who = people(sample)
    if sample.cluster is None:
        return replace(sample, cluster=who, cluster_name=name)
    pairs = len(np.unique(np.column_stack([who, sample.cluster]), axis=0))
    if sample.crossed is None and pairs > len(np.unique(who)):  # people change between the clusters
        return replace(sample, crossed=who, crossed_name=name)
    return sample


def name_of(value: object) -> str:
    """A time as its column writes it; the sample holds numbers as floats."""
    return written(value) if isinstance(value, float) else str(value)


def centred(values: Vector, who: NDArray[np.int64], weights: Vector | None) -> tuple[Vector, Vector]:
    """Values (n,) less each one's own (weighted) mean, and that mean."""
    weight = np.ones(len(values)) if weights is None else weights
    mean = (np.bincount(who, weights=weight * values) / np.bincount(who, weights=weight))[who]
    return values - mean, mean


def changing(values: Vector, who: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(people,) whose values change at all."""
    away = centred(values, who, None)[0]
    return np.bincount(who, weights=away**2) > (STEADY * max(float(np.std(values)), 1e-300)) ** 2


def still(sample: Sample, who: NDArray[np.int64], question: Question) -> list[str]:
    """The reason against a sample in which hardly anybody's exposure changes."""
    moving = int(changing(sample.exposure, who).sum())
    if moving >= 2:
        return []
    return [
        f"{sample.exposure_name} changes for {moving} of {int(who.max(initial=-1)) + 1} {next(iter(sample.more))}; "
        "compared with themselves, at least 2 have to change. Ask without `within`, or about an exposure that changes."
    ]


def demeaned(
    sample: Sample, question: Question, who: NDArray[np.int64], level: float
) -> tuple[Sample, Question, float, Design, str]:
    """What `score.of_columns` takes: every column less its mean of each, and no intercept."""

    def take(values: Vector) -> Vector:
        return centred(values, who, sample.weights)[0]

    columns = [take(column) for column in sample.covariates.T]
    keep = [
        place for place, column in enumerate(columns) if np.std(column) > STEADY * np.std(sample.covariates[:, place])
    ]
    inner = replace(
        sample,
        outcome=take(sample.outcome),
        exposure=take(sample.exposure),
        covariates=np.column_stack([columns[place] for place in keep]) if keep else np.empty((len(who), 0)),
        names=tuple(sample.names[place] for place in keep),
        groups=tuple(sample.groups[place] for place in keep),
    )
    if np.std(inner.outcome) <= STEADY * max(float(np.std(sample.outcome)), 1e-300):
        reason = f"{question.outcome.column} never changes for anybody, so nobody can be compared with himself."
        raise EstimationError(listing(f"Question {question.id!r}", [reason]))
    made = design(inner, question.exposure.column, intercept=False)
    # Nothing else may be taken off: with weights the plain mean of what is left is not 0, and there is no intercept.
    made = replace(made, matrix=made.matrix + made.centre / made.scale, centre=np.zeros_like(made.centre))
    return inner, question, level, made, "least squares"


def beside(sample: Sample, question: Question, who: NDArray[np.int64], level: float) -> list[Term]:
    """Between people, how far that is from within, and both taken together, each with its error."""
    inner, mean = centred(sample.exposure, who, sample.weights)
    name = sample.exposure_name
    if np.std(mean) <= STEADY * max(float(np.std(sample.exposure)), 1e-300):
        return []
    found = []
    for term, exposure, extra in (
        (BETWEEN + name, mean, inner),
        (APART, mean, sample.exposure),
        (POOLED, sample.exposure, None),
    ):
        columns = sample.covariates if extra is None else np.column_stack([extra, sample.covariates])
        more = () if extra is None else ("within",)
        one = replace(
            sample,
            exposure=exposure,
            covariates=columns,
            names=(*more, *sample.names),
            groups=(*more, *sample.groups),
        )
        try:
            own = score.score(one, question, level).model.terms[0]
        except EstimationError:  # what is adjusted for may tell the mean of each exactly, as a column of people does
            continue
        found.append(replace(own, term=term))
    return found
