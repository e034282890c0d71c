"""The effect without an assumption of its model, in the headline's unit: to stand beside it, not in its place.

Each of these asks more of the data than the headline does, so that its interval is usually wider.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError
from researchkit.estimators import counts, crossed, duration, estimate_sample, refuse
from researchkit.estimators.cox import Cox, Risk, cox
from researchkit.estimators.design import Design, design
from researchkit.estimators.effect import Effect, Matrix, Term, Vector, terms, wald
from researchkit.estimators.likelihood import LOG, LOGIT, Average, Link, RunsAway, fitted, shares
from researchkit.estimators.ordered import counts_as

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question

SQUARE = "the square of the exposure"


@dataclass(frozen=True)
class Relaxed:
    """An effect in the headline's unit without an assumption, and how it was had."""

    estimate: float
    se: float
    low: float
    high: float
    method: str

    def to_dict(self) -> dict[str, Any]:
        """The effect as it stands in `result.json`."""
        return {name: getattr(self, name) for name in ("estimate", "se", "low", "high", "method")}


def own_hazards(sample: Sample, question: Question, level: float = 0.95) -> Relaxed:
    """A duration's difference in restricted mean time, with a baseline hazard of its own at each level of the exposure.

    The Cox model is stratified by a 0/1 or coded exposure, so that its hazard ratio may change over time in any way;
    covariates keep one hazard ratio each. Everybody is predicted with both baselines; standardisation, competing ends,
    late entry and errors are those of `duration`.

    Raises
    ------
    EstimationError
        For a numeric exposure; and where one side has fewer than 5 events or was not watched until the horizon, for
        no model of the other side fills the gap.

    References
    ----------
    After Chen and Tsiatis (2001), Biometrics 57, 1030-1038. The curves agree with R
    `survfit(coxph(Surv(time, event) ~ x + strata(exposure)), newdata)`.
    """
    found, columns, fits = own_hazards_difference(sample, question)
    se, df, *_ = duration._errors(sample, columns, fits, found)
    low, high, _ = wald(found.value, se, level, df)
    return Relaxed(found.value, se, low, high, "Cox model with a baseline hazard of its own on each side")


def own_hazards_difference(sample: Sample, question: Question) -> tuple[duration.Difference, Design, list[Cox]]:
    """What `own_hazards` tells, before its error: the difference and how it moves, the free columns, and the fits."""
    if not sample.binary_exposure:
        raise EstimationError("a numeric exposure has no two sides that could each have a baseline hazard")
    horizon, event = float(question.outcome.horizon or 0), _events(sample)
    columns = design(sample, question.exposure.column, intercept=False)
    free = ~columns.others
    free[0] = False
    matrix, names = columns.matrix[:, free], [name for name, kept in zip(columns.names, free, strict=True) if kept]
    stratum = _strata(sample, question)
    _both_sides(sample, event, stratum, horizon)
    fits = [Stratified(sample, event == code, stratum, matrix, names) for code in ((1, 2) if 2 in event else (1,))]
    share = shares(sample.weights, len(event))
    sides = [[fit.side(arm) for fit in fits] for arm in (1, 0)]
    one, none = (duration.free_time(side, matrix, share, horizon) for side in sides)
    slopes, heights = [], []
    for kind, whole in enumerate(fits):
        hazards = whole.spread_out(1, one.hazards[kind]) - whole.spread_out(0, none.hazards[kind])
        slopes.append(one.slopes[kind] - none.slopes[kind] - (hazards * whole.fit.hazard) @ whole.fit.mean)
        heights.append(hazards / whole.fit.size)
    found = duration.Difference(one.value - none.value, tuple(slopes), tuple(heights))
    return found, replace(columns, matrix=matrix), [whole.fit for whole in fits]


class Stratified:
    """A Cox model whose rows meet only those of their own stratum (n,).

    Strata are laid one after the other in time, each row entering where its own begins; times are ranks, so that
    nothing is lost to rounding and ties stay ties.
    """

    def __init__(
        self, sample: Sample, happened: NDArray[np.bool_], stratum: NDArray[np.int64], matrix: Matrix, names: list[str]
    ) -> None:
        entry = np.full(len(stratum), -np.inf) if sample.entry is None else sample.entry
        self.moments = np.unique(np.concatenate([entry, sample.outcome]))
        self.length = len(self.moments)
        time, start = (
            np.searchsorted(self.moments, part) + self.length * stratum.astype(float)
            for part in (sample.outcome, entry)
        )
        if matrix.shape[1]:
            self.fit = cox(time, happened, matrix, names, entry=start, weights=sample.weights)
        else:
            self.fit = _without_columns(Risk(time, happened, start, sample.weights))

    def _inside(self, stratum: int) -> NDArray[np.bool_]:
        """(m,) which event times are of a stratum."""
        return np.asarray(self.fit.risk.times // self.length == stratum)

    def side(self, stratum: int) -> Cox:
        """The model as it is in one stratum: its own events and times."""
        inside, risk = self._inside(stratum), copy.copy(self.fit.risk)
        events = inside[risk.tied]
        risk.times = self.moments[(risk.times[inside] - self.length * stratum).astype(int)]
        risk.tied = np.cumsum(inside)[risk.tied[events]] - 1
        return replace(self.fit, hazard=self.fit.hazard[events], risk=risk)

    def spread_out(self, stratum: int, values: Vector) -> Vector:
        """Values of a stratum's events among those of all (E,), 0 elsewhere."""
        whole = np.zeros(len(self.fit.hazard))
        whole[self._inside(stratum)[self.fit.risk.tied]] = values
        return whole


def _without_columns(risk: Risk) -> Cox:
    """A Cox model of no column: the baseline hazards alone."""
    rows, nothing = np.ones(len(risk.ends)), np.zeros((len(risk.ends), 0))
    size, mean = risk.by_event(rows, nothing)
    loglik = -float(risk.jump @ np.log(size))
    return Cox(np.zeros(0), np.zeros((0, 0)), nothing, risk.jump / size, size, mean, rows, risk, loglik)


def pseudo_values(
    time: Vector, event: NDArray[np.int64], horizon: float, weights: Vector | None = None
) -> NDArray[np.float64]:
    """What each row adds to the mean time without event 1 up to `horizon`, times n: (n,), whose mean is that mean.

    A row that was watched to its end or the horizon gets about its own restricted time; one lost from sight gets what
    the others lead to expect. Rows that ended otherwise (event 2) never have event 1.

    References
    ----------
    Andersen, Hansen and Klein (2004), Lifetime Data Analysis 10, 335-350, by the infinitesimal jackknife. Agrees with R
    `survival::pseudo(survfit(Surv(time, event) ~ 1), times = horizon, type = "rmst")`.
    """
    weight = np.ones(len(time)) if weights is None else weights
    own = (event > 0) & (time < horizon)
    moments = np.unique(time[own])
    last = np.searchsorted(moments, time, side="right")  # so many moments has the row lived through
    size = len(moments) + 1
    at_risk = np.cumsum(np.bincount(last, weights=weight, minlength=size)[::-1])[::-1][1:]
    ended, first = (
        np.bincount(last[kind] - 1, weights=weight[kind], minlength=size)[:-1] for kind in (own, own & (event == 1))
    )
    hazard, first_hazard = ended / at_risk, first / at_risk
    free = np.cumprod(np.concatenate([[1.0], 1 - hazard]))[:-1]  # just before each moment
    height = (horizon - moments) * free
    lost = height * first_hazard
    later = np.append(np.cumsum(lost[::-1])[::-1][1:], 0.0) if len(lost) else lost
    weighed = np.divide(later, 1 - hazard, out=np.zeros_like(later), where=hazard < 1)
    passed = np.concatenate([[0.0], np.cumsum((weighed * hazard - height * first_hazard) / at_risk)])
    change = -passed[last]
    place = last[own] - 1
    change[own] += (weighed[place] - height[place] * (event[own] == 1)) / at_risk[place]
    return np.asarray(horizon - lost.sum() + weight.sum() * change, dtype=np.float64)


def straight_time(sample: Sample, question: Question, level: float = 0.95) -> Relaxed:
    """A duration's difference in restricted mean time by least squares on pseudo-values: no hazard is modelled at all.

    Errors are those of a `score`. It takes those lost from sight for no different from the others, whatever their
    exposure and covariates, where a Cox model needs that only among people alike in them.

    Raises
    ------
    EstimationError
        With late entries, for which pseudo-values do not average to the truth (Grand, Putter, Allignol and Andersen
        2019, Biometrical Journal 61, 290-298); and as `score`.
    """
    if sample.entry is not None:
        raise EstimationError("with late entry, people's own mean times cannot be told apart from when they came")
    horizon = float(question.outcome.horizon or 0)
    values = pseudo_values(sample.outcome, _events(sample), horizon, sample.weights)
    asked = question.model_copy(update={"outcome": question.outcome.model_copy(update={"kind": "score"})})
    effect = estimate_sample(replace(sample, outcome=values), asked, level)
    return _of(effect, "least squares on pseudo-values of the time")


def top_alone(sample: Sample, question: Question, level: float = 0.95) -> Relaxed:
    """An ordered answer's difference in the share of the top group by logistic regression of that group alone.

    For NPS points, a straight line through what each answer counts (100, 0 or -100). Neither looks at the other steps.
    """
    seen, place = np.unique(sample.outcome.astype(np.int64), return_inverse=True)
    kind, how = (
        ("score", "least squares of what each answer counts")
        if question.outcome.nps
        else ("yes_no", "logistic regression of the top group alone")
    )
    outcome = question.outcome.model_copy(update={"kind": kind})
    counted = np.asarray(counts_as(sample, question, seen)[place], dtype=np.float64)
    moved = replace(sample, outcome=counted)
    return _of(estimate_sample(moved, question.model_copy(update={"outcome": outcome}), level), how)


def bent(sample: Sample, question: Question, level: float = 0.95) -> tuple[Relaxed, Term]:
    """The average slope by a numeric exposure where the line may bend, and the coefficient of its square.

    The square is of the distance to the mean in standard deviations.

    Raises
    ------
    EstimationError
        If the exposure has fewer than 3 values, or its square is determined by the other columns.
    """
    if len(np.unique(sample.exposure)) < 3:
        raise EstimationError("the exposure has two values, between which every line is straight")
    share = shares(sample.weights, len(sample.exposure))
    away = sample.exposure - share @ sample.exposure
    spread = float(away.std())  # the square of a large number is too large, that of a small one too small
    wider = replace(
        sample,
        covariates=np.column_stack(
            [sample.covariates, (away / spread) ** 2]
        ),  # last, so that it goes where others determine it
        names=(*sample.names, SQUARE),
        groups=(*sample.groups, ""),
    )
    if question.outcome.kind in ("score", "change"):
        # The square is around the mean, so that the slope there, the first coefficient, is the average one.
        effect = estimate_sample(wider, question, level)
        found, rows = _of(effect, "least squares with the square of the exposure"), effect.model.terms
    else:
        found, rows = _curved(wider, question, level, away / spread**2)
    square = [row for row in rows if row.term == SQUARE and np.isfinite(row.p)]
    if not square:
        raise EstimationError("the other columns determine the square of the exposure")
    return found, square[0]


def _curved(sample: Sample, question: Question, level: float, away: Vector) -> tuple[Relaxed, tuple[Term, ...]]:
    """The average slope of a risk or rate by the exposure and its square, and the coefficients.

    `away` (n,) is half the slope of the square's column by the exposure.
    """
    rate = question.outcome.kind == "counts"
    columns, link = design(sample, question.exposure.column), LOG if rate else LOGIT
    time = np.ones(len(away)) if sample.offset_time is None else sample.offset_time
    try:
        at, information = fitted(link, columns.matrix, sample.outcome, sample.weights, np.log(time) if rate else None)
    except RunsAway as gone:
        raise refuse.no_maximum(columns.names[:-1], gone.at[:-1]) from None
    weight = np.ones(len(away)) if sample.weights is None else sample.weights
    expected = link.mean(columns.matrix @ at) * (time if rate else 1.0)
    average = _bent_slope(columns, link, at, shares(weight * (time if rate else 1.0), len(away)), away)
    slope = expected if rate else expected * (1 - expected)
    errors = crossed.spread(
        information,
        columns.matrix * (weight * (sample.outcome - expected))[:, None],
        sample,
        average.gradient,
        robust=rate or sample.weights is not None,
        rows=(columns.matrix * np.sqrt(weight * slope)[:, None],),
        back=columns.back,
    )
    se = average.se(errors.covariance)
    low, high, _ = wald(average.value, se, level, errors.df)
    rows = terms(columns.names, *columns.raw(at, errors.covariance), level, errors.df_of_terms)
    how = f"{'Poisson' if rate else 'logistic'} regression with the square of the exposure"
    return Relaxed(average.value, se, low, high, how), rows


def dispersion(sample: Sample, question: Question) -> float:
    """How many times the variance of Poisson counts theirs is, around the rates of the headline's own model."""
    columns = design(sample, question.exposure.column)
    time = np.ones(len(sample.outcome)) if sample.offset_time is None else sample.offset_time
    at, _ = fitted(LOG, columns.matrix, sample.outcome, sample.weights, np.log(time))
    return counts.dispersion(sample.outcome, time * np.exp(columns.matrix @ at), len(at))


def _bent_slope(columns: Design, link: Link, at: Vector, share: Vector, away: Vector) -> Average:
    """Mean derivative of the response by an exposure that stands in the first column and, squared, in another one."""
    direction = np.zeros((len(away), len(at)))  # how fast each column moves with the exposure
    direction[:, 0] = 1 / columns.scale[0]
    if SQUARE in columns.names:
        place = columns.names.index(SQUARE)
        direction[:, place] = 2 * away / columns.scale[place]
    eta, steep = columns.matrix @ at, direction @ at
    slope, bend = share * link.slope(eta), share * link.bend(eta)
    return Average(float(slope @ steep), columns.matrix.T @ (bend * steep) + direction.T @ slope)


def _of(effect: Effect, method: str) -> Relaxed:
    return Relaxed(effect.estimate, effect.se, effect.low, effect.high, method)


def _events(sample: Sample) -> NDArray[np.int64]:
    """0 where watching ended, 1 for the event, 2 for every other end."""
    return np.minimum(np.asarray(sample.event, dtype=float), 2).astype(np.int64)


def _strata(sample: Sample, question: Question) -> NDArray[np.int64]:
    """0 for the reference, 1 for the level compared, 2 and up for further levels of a coded exposure."""
    further = [place for place, group in enumerate(sample.groups) if group == question.exposure.column]
    stratum = sample.exposure.astype(np.int64)
    for number, place in enumerate(further, 2):
        stratum[sample.covariates[:, place] != 0] = number
    return stratum


def _both_sides(sample: Sample, event: NDArray[np.int64], stratum: NDArray[np.int64], horizon: float) -> None:
    """Refuse a side with few events, or one of which nobody was seen at the horizon or had ended before it."""
    for arm, side in ((0, "without"), (1, "with")):
        rows = stratum == arm
        if np.sum(event[rows] == 1) < refuse.FEW_EVENTS:
            raise EstimationError(f"too few events happened {side} {sample.exposure_name} for a hazard of its own")
        longest = sample.outcome[rows].max()
        if longest < horizon and not np.any(event[rows & (sample.outcome == longest)]):
            raise EstimationError(f"nobody {side} {sample.exposure_name} was watched until the horizon")
