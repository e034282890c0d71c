"""The question as a straight line: what many specifications and bounds are computed from, without the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError
from researchkit.moments import Moments, compress, fit
from researchkit.warehouse import Summed

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.estimators import Effect
    from researchkit.estimators.effect import Matrix, Vector
    from researchkit.parts import Question

MOST_NUMBERS = 20_000_000  # of cross products with a cluster for each row; beyond, rows are dealt into groups
DEALT = 5_000


@dataclass(frozen=True)
class Linear:
    """Moments on the scale of the headline.

    `scale` is "linear" where the headline's own model is least squares, else "linear approximation". `groups` holds the
    columns of each adjustment that has any; every other covariate (a baseline, further levels of the exposure) is
    always in.
    """

    moments: Moments
    groups: dict[str, tuple[str, ...]]
    scale: str
    errors: str

    def ways(self, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which covariates are in, (S, p), for S choices of adjustments (S, number of groups)."""
        covariates = self.moments.names[1:-1]
        free = {name: place for place, names in enumerate(self.groups.values()) for name in names}
        columns = [inside[:, free[name]] if name in free else np.ones(len(inside), bool) for name in covariates]
        return np.column_stack(columns) if columns else np.zeros((len(inside), 0), dtype=bool)


@dataclass(frozen=True)
class Rows:
    """The rows of the line: exposure and outcome (n,), covariates (n, p) that do not determine one another, weights."""

    exposure: Vector
    covariates: Matrix
    names: tuple[str, ...]
    outcome: Vector
    weights: Vector | None


def linearised(sample: Sample, question: Question) -> Linear:
    """The sample compressed, with the outcome in the headline's unit: a score, 0/1, NPS points, or events per time.

    Raises
    ------
    EstimationError
        For a duration: times of people who were lost from sight do not average.
    """
    if isinstance(sample, Summed):
        return of_sums(sample, question)
    rows, kind = straight(sample, question), question.outcome.kind
    cluster, errors = clusters(sample, len(rows.names) + 3)
    names = (sample.exposure_name, *rows.names, question.outcome.column)
    moments = compress(rows.exposure, rows.covariates, rows.outcome, cluster, names=names, weights=rows.weights)
    scale = "linear" if kind in ("score", "change") else "linear approximation"
    return Linear(moments, grouped(sample, question.adjust, rows.names), scale, errors)


def of_sums(summed: Summed, question: Question) -> Linear:
    """The same where rows stay in place and the headline is a straight line itself."""
    moments, _ = summed.usable
    errors = summed.dealt or f"CR1 by {summed.cluster_name}"
    return Linear(moments, grouped(summed, question.adjust, moments.names), "linear", errors)


def straight(sample: Sample, question: Question) -> Rows:
    """What the line is drawn through; a baseline is always among the covariates. Errors as `linearised`."""
    from researchkit.estimators.design import design

    if question.outcome.kind == "duration":
        raise EstimationError("times to an event, some of them cut short, have no straight line to compute it from")
    outcome, weights = worth(sample, question)
    baseline = sample.baseline if question.outcome.kind == "change" else None
    first = (f"{question.outcome.baseline} (centred)", baseline - baseline.mean()) if baseline is not None else None
    columns = design(sample, first=first)
    raw = dict(zip(sample.names, np.asarray(sample.covariates, dtype=float).T, strict=True))
    raw |= {first[0]: first[1]} if first else {}
    kept = tuple(name for name in columns.names[1:] if name in raw)
    covariates = np.column_stack([raw[name] for name in kept]) if kept else np.empty((len(outcome), 0))
    return Rows(np.asarray(sample.exposure, dtype=float), covariates, kept, outcome, weights)


def stands_in(line: Linear | str, effect: Effect) -> str:
    """Why the line cannot stand in for the model of the headline; nothing where it can."""
    if isinstance(line, str):
        return line
    try:
        estimate = float(fit(line.moments).coefficients[0])
    except EstimationError as error:
        return str(error)
    if effect.low <= estimate <= effect.high:
        return ""
    return "a straight line through these data gives another answer than the model, so it cannot stand in for it"


def without(sample: Sample, group: str) -> Sample:
    """The same rows without the columns of one adjustment."""
    if isinstance(sample, Summed):
        return sample.without(group)
    kept = [place for place, own in enumerate(sample.groups) if own != group]
    names, groups = (tuple(part[place] for place in kept) for part in (sample.names, sample.groups))
    return replace(sample, covariates=sample.covariates[:, kept], names=names, groups=groups)


def grouped(sample: Sample | Summed, adjust: Sequence[str], kept: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The columns of each adjustment that are left."""
    pairs = list(zip(sample.groups, sample.names, strict=True))
    found = {one: tuple(name for group, name in pairs if group == one and name in kept) for one in adjust}
    return {one: names for one, names in found.items() if names}


def worth(sample: Sample, question: Question) -> tuple[Vector, Vector | None]:
    """(n,) what each row counts in the headline's unit, and the weight it counts with."""
    if question.outcome.kind == "ordered":
        from researchkit.estimators import ordered

        seen, place = np.unique(sample.outcome.astype(np.int64), return_inverse=True)
        return ordered.counts_as(sample, question, seen)[place], sample.weights
    if question.outcome.kind == "counts" and sample.offset_time is not None:
        time = sample.offset_time
        return sample.outcome / time, time if sample.weights is None else time * sample.weights
    return sample.outcome, sample.weights


def clusters(sample: Sample, k: int) -> tuple[NDArray[np.int64], str]:
    """(n,) the clusters that errors allow for, and what such errors are called."""
    if sample.cluster is not None:
        return sample.cluster, f"CR1 by {sample.cluster_name}"
    n = len(sample.outcome)
    if n * k * k <= MOST_NUMBERS:
        return np.arange(n), "HC1"
    return np.arange(n) % DEALT, f"CR1 over {DEALT} groups into which the rows were dealt in turn"
