"""One model of any kind of outcome, and what it says of its people under other circumstances.

What-if matrices go in, mean outcomes come out, each with its gradient, so that any difference of them has a standard
error by the delta method. Effects that differ between groups, and curves over a dose, are such differences: on the
outcome's own scale, where a product term of a logistic model is a ratio of odds ratios that nobody can read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from researchkit.errors import EstimationError
from researchkit.estimators import counts as rates
from researchkit.estimators import crossed, ordered, refuse, yes_no
from researchkit.estimators.design import independent
from researchkit.estimators.effect import Matrix, Vector
from researchkit.estimators.likelihood import LOG, LOGIT, Average, RunsAway, fitted, mean_at, shares
from researchkit.estimators.linear import Line, Spread, cr2, hc3, least_squares
from researchkit.estimators.score import not_exact

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question


@dataclass(frozen=True)
class Reading:
    """Of m contrasts: their covariance (m, m), degrees of freedom (m,; infinite for the normal), errors and notes."""

    covariance: Matrix
    df: Vector
    errors: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Fitted:
    """A model of the sample. `mean` takes a what-if matrix (n, p) of raw columns to the mean outcome of all.

    `read` takes gradients (m, k) to what may be said of them. `coefficients` (k,) are those of the raw columns that
    were kept (`kept`, places among the p), on the model's own scale; `back` (k, k) takes the fitted ones to them, so
    that its rows are gradients, too.
    """

    mean: Callable[[Matrix], Average]
    read: Callable[[Matrix], Reading]
    name: str
    unit: str
    coefficients: Vector
    back: Matrix
    kept: tuple[int, ...]
    notes: tuple[str, ...]


def model(sample: Sample, question: Question, columns: Matrix, names: Sequence[str], needed: Sequence[int]) -> Fitted:
    """Fit the kind of the question's outcome on raw columns (n, p), without an intercept among them.

    A column that those before it determine is left out, with a note; the `needed` ones (places) come last in that
    order, and must stay.

    Raises
    ------
    EstimationError
        As the kind's own estimator; and if a needed column is determined by others.
    """
    kind = question.outcome.kind
    notes = refuse.check(sample, question, objections(sample, kind))
    if kind == "change":
        if sample.baseline is None or np.ptp(sample.baseline) == 0:
            raise EstimationError(f"The question {question.id!r}: the baseline is missing, or the same for everybody.")
        if not any(np.array_equal(column, sample.baseline) for column in columns.T):  # which the moderator may be
            columns = np.column_stack([columns, sample.baseline])
            names = [*names, question.outcome.baseline or "baseline"]
    centre, scale = columns.mean(axis=0), columns.std(axis=0)
    scale = np.where(scale > 1e-13 * np.maximum(np.abs(centre), 1e-300), scale, np.inf)
    order = [place for place in range(len(names)) if place not in needed] + list(needed)
    kept = independent((columns - centre) / scale, order)
    if lost := [names[place] for place in needed if place not in kept]:
        raise EstimationError(
            f"The question {question.id!r}: {' and '.join(lost)} cannot be told apart from what else is in the model. "
            "Look for groups in which everybody has the same exposure, and for columns of `adjust` that repeat it."
        )
    gone = [name for place, name in enumerate(names) if place not in kept]
    notes += (f"left out because the other columns determine them: {', '.join(gone)}",) if gone else ()
    own, baseline = tuple(names[place] for place in kept), sample.baseline if kind == "change" else None
    scaled = Scaled(kept, own, centre[kept], scale[kept], baseline, kind != "ordered")
    fit = {"score": _straight, "change": _straight, "yes_no": _logistic, "counts": _poisson, "ordered": _odds}[kind]
    found = fit(sample, question, scaled, columns)
    return replace(found, kept=tuple(kept), notes=(*notes, *found.notes))


@dataclass(frozen=True)
class Scaled:
    """How raw columns become those that are fitted: some kept, centred, scaled, with an intercept or without."""

    kept: list[int]
    names: tuple[str, ...]
    centre: Vector
    scale: Vector
    baseline: Vector | None
    intercept: bool

    def __call__(self, raw: Matrix) -> Matrix:
        if self.baseline is not None:  # last, so that it is not in the way where it is a column already
            raw = np.column_stack([raw, self.baseline])
        found = (raw[:, self.kept] - self.centre) / self.scale
        return np.column_stack([found, np.ones(len(found))]) if self.intercept else found

    def back(self, size: int) -> Matrix:
        """(size, size): fitted coefficients to those of the raw columns; intercept and thresholds stay as they are."""
        back = np.eye(size)
        back[range(len(self.kept)), range(len(self.kept))] = 1 / self.scale
        return back


def objections(sample: Sample, kind: str) -> list[str]:
    """What the kind of outcome has against these data."""
    if kind == "yes_no":
        return yes_no.objections(sample.outcome)
    return {"counts": rates.objections, "ordered": ordered.objections}.get(kind, lambda _: [])(sample)


def _straight(sample: Sample, question: Question, scaled: Scaled, columns: Matrix) -> Fitted:
    matrix, share = scaled(columns), shares(sample.weights, len(sample.outcome))
    line = least_squares(matrix, sample.outcome, sample.weights)
    not_exact(line, sample.outcome, question)

    def mean(raw: Matrix) -> Average:
        gradient = scaled(raw).T @ share
        return Average(float(gradient @ line.coefficients), gradient)

    def read(gradients: Matrix) -> Reading:
        found = _contrasts(line, sample, gradients)
        return Reading(
            found.covariance, found.df, found.errors, (*found.notes, *crossed.thin(sample, float(found.df[0])))
        )

    back, unit = scaled.back(matrix.shape[1]), question.outcome.unit or "point"
    name = "least squares" if question.outcome.kind == "score" else "analysis of covariance on the baseline"
    return Fitted(mean, read, name, unit, back @ line.coefficients, back, (), ())


def _spread(line: Line, sample: Sample) -> Spread:
    if sample.cluster is None:
        return hc3(line)
    return cr2(line, sample.cluster) if sample.crossed is None else crossed.cr1(line, sample)


def _contrasts(line: Line, sample: Sample, contrasts: Matrix) -> Spread:
    """The covariance of contrasts (m, k) and Satterthwaite's degrees of freedom of each: they stand in for the
    coefficients, up to k at a time."""
    size = len(line.root)

    def few(some: Matrix) -> Spread:
        root = np.zeros_like(line.root)
        root[: len(some)] = some @ line.root
        return _spread(replace(line, root=root), sample)

    found = [few(contrasts[start : start + size]) for start in range(0, len(contrasts), size)]
    df = np.concatenate([one.df for one in found])[: len(contrasts)]
    if len(found) == 1:
        return replace(found[0], covariance=found[0].covariance[: len(df), : len(df)], df=df)
    covariance = contrasts @ _spread(line, sample).covariance @ contrasts.T
    return Spread(covariance, df, found[0].errors, found[0].notes)


def _logistic(sample: Sample, question: Question, scaled: Scaled, columns: Matrix) -> Fitted:
    outcome, weights = sample.outcome, sample.weights
    weight = np.ones(len(outcome)) if weights is None else weights
    matrix, share = scaled(columns), shares(weights, len(outcome))
    at, information = _found(lambda: fitted(LOGIT, matrix, outcome, weights))
    risk = LOGIT.mean(matrix @ at)
    read = _reader(
        sample,
        information,
        matrix * (weight * (outcome - risk))[:, None],
        (matrix * np.sqrt(weight * risk * (1 - risk))[:, None],),
        robust=weights is not None,
        little=bool(min(outcome.sum(), (1 - outcome).sum()) < crossed.SCARCE),
    )
    rare = refuse.rare(yes_no.rarer(outcome == 1), sample, question)
    back = scaled.back(len(at))
    return Fitted(
        lambda raw: mean_at(LOGIT, scaled(raw), at, share), read, "logistic", "probability", back @ at, back, (), rare
    )


def _poisson(sample: Sample, question: Question, scaled: Scaled, columns: Matrix) -> Fitted:
    outcome, weights = sample.outcome, sample.weights
    time = np.ones(len(outcome)) if sample.offset_time is None else sample.offset_time
    weight = np.ones(len(outcome)) if weights is None else weights
    matrix, share = scaled(columns), shares(weight * time, len(outcome))
    at, information = _found(lambda: fitted(LOG, matrix, outcome, weights, np.log(time)))
    expected = time * np.exp(matrix @ at)
    scores, rows = matrix * (weight * (outcome - expected))[:, None], (matrix * np.sqrt(weight * expected)[:, None],)
    read = _reader(sample, information, scores, rows, robust=True, little=True)
    unit, back = question.outcome.unit or rates.unit_of(sample, question), scaled.back(len(at))
    rare = refuse.rare(outcome, sample, question)
    return Fitted(lambda raw: mean_at(LOG, scaled(raw), at, share), read, "Poisson", unit, back @ at, back, (), rare)


def _odds(sample: Sample, question: Question, scaled: Scaled, columns: Matrix) -> Fitted:
    seen, answer = np.unique(sample.outcome.astype(int), return_inverse=True)
    worth = ordered.counts_as(sample, question, seen)
    matrix, share = scaled(columns), shares(sample.weights, len(answer))
    at, information, scores = ordered.fit(matrix, answer, sample.weights, scaled.names)
    rows = ordered.pulls(matrix, answer, sample.weights, at)
    read = _reader(sample, information, scores, rows, robust=sample.weights is not None, little=False)
    back = scaled.back(len(at))
    unit = "NPS points" if question.outcome.nps else "probability"
    note = ("assumes proportional odds: one odds ratio for every step of the answer",)
    return Fitted(
        lambda raw: ordered.mean_worth(scaled(raw), at, worth, share),
        read,
        "proportional odds",
        unit,
        back @ at,
        back,
        (),
        note,
    )


def _found(search: Callable[[], tuple[Vector, Matrix]]) -> tuple[Vector, Matrix]:
    try:
        return search()
    except RunsAway:
        raise EstimationError(
            "The model has no finite best fit: in one of the groups, or at one end of the dose, all had the same "
            "outcome. Merge rare levels, adjust for less, or collect more data."
        ) from None


def _reader(
    sample: Sample, information: Matrix, scores: Matrix, rows: tuple[Matrix, ...], *, robust: bool, little: bool
) -> Callable[[Matrix], Reading]:
    def read(gradients: Matrix) -> Reading:
        found = crossed.spread(
            information, scores, sample, gradients[0], robust=robust, rows=rows, back=gradients, little=little
        )
        df = np.inf if found.df_of_terms is None else found.df_of_terms
        covariance = gradients @ found.covariance @ gradients.T
        return Reading(covariance, np.broadcast_to(np.asarray(df, float), len(gradients)), found.errors, found.notes)

    return read
