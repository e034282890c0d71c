"""Time until an event: the difference in mean time without it, up to a horizon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError, listing
from researchkit.estimators import crossed, leverage, refuse
from researchkit.estimators.cox import Cox, cox
from researchkit.estimators.design import Design, design
from researchkit.estimators.effect import Count, Effect, Matrix, Model, Vector, ratio, terms, told
from researchkit.estimators.likelihood import shares
from researchkit.estimators.survival import watched
from researchkit.wording import count, typed

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question

CHUNK = 4_000_000  # numbers held at once


def duration(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """Difference in restricted mean time up to the horizon, standardised over the sample, in units of time.

    Cox models (Efron) predict for everybody the chance to be without the event at each time, with and without a 0/1
    exposure (half a unit up and half a unit down for a numeric one); the areas under the averaged curves are
    subtracted. Positive: longer without the event. Where other ends compete (event codes 2 and up) a second Cox model
    holds for them, and the curve is one minus the cumulative incidence of event 1: those who ended otherwise stay
    without the event. The standard error is the infinitesimal jackknife, each row's influence on coefficients and
    baseline hazards together, summed within clusters, corrected for how far each row or cluster pulled the fit towards
    itself and read by Satterthwaite's degrees of freedom (see `leverage`; where two kinds of clusters cross, by t with
    the fewer less 1); it is for these people as they are. The hazard ratio (cause-specific, R's errors and the normal)
    is in `also`.

    Raises
    ------
    EstimationError
        As `score`; and without a horizon or with one that nobody was watched until, with fewer than 5 events, with
        times that are negative or not after entry, or with a column without events on one side.

    References
    ----------
    Karrison (1987), JASA 82, 1169-1176; Andersen (2013), Statistics in Medicine 32, 5278-5285. The curves agree with R
    `survfit(coxph(...), newdata)`; hazard ratios with `coxph(..., cluster)`.
    """
    notes = refuse.check(sample, question, _problems(sample, question))
    event, columns = _events(sample), design(sample, question.exposure.column, intercept=False)
    _refuse_eventless(sample, question, event)
    horizon = float(question.outcome.horizon or 0)
    fits = [
        cox(sample.outcome, event == code, columns.matrix, columns.names, entry=sample.entry, weights=sample.weights)
        for code in ((1, 2) if np.any(event == 2) else (1,))
    ]
    found = difference(sample, columns, fits, horizon)
    se, df, remarks, errors = _errors(sample, columns, fits, found)
    model = _model(sample, columns, fits[0], level)
    return told(
        sample,
        question,
        level,
        found.value,
        se,
        df,
        unit=question.outcome.unit or "units of time",
        method=_method(sample, horizon, len(fits) > 1, errors),
        model=model,
        also={"hazard ratio": ratio(model.terms[0])},
        notes=(
            *notes,
            *columns.notes,
            *remarks,
            *refuse.rare((event == 1).astype(float), sample, question),
            *_remarks(sample, event, horizon),
        ),
    )


@dataclass(frozen=True)
class Free:
    """Mean time without the event of one what-if, with gradients: by coefficients (k,), by each event's hazard (E,)."""

    value: float
    slopes: tuple[Vector, ...]
    hazards: tuple[Vector, ...]


def free_time(fits: list[Cox], matrix: Matrix, share: Vector, horizon: float) -> Free:
    """Area up to `horizon` under one minus the cumulative incidence of the first fit's event, averaged by `share`.

    At each event time the first event takes its part before the competing one does; with one way to end this is the
    area under the mean of exp(-cumulative hazard).
    """
    times = np.unique(np.concatenate([fit.risk.times for fit in fits]))
    times = times[times < horizon]
    after = np.column_stack([fit.cumulative(times) for fit in fits])
    before = np.vstack([np.zeros((1, len(fits))), after[:-1]])[: len(times)]
    middle = np.column_stack([after[:, :1], before[:, 1:]])
    rates = np.column_stack([np.exp(matrix @ fit.coefficients) for fit in fits])
    weighted = [share * rate for rate in rates.T]
    columns = np.column_stack([share, *weighted, *(part[:, None] * matrix for part in weighted)])
    means = averages(np.vstack([before, middle]), rates, columns)
    sign = np.concatenate([-(horizon - times), horizon - times])
    value, kinds, k = horizon + float(sign @ means[:, 0]), len(fits), matrix.shape[1]
    points = np.vstack([before, middle])
    slopes, hazards = [], []
    for kind, fit in enumerate(fits):
        start = 1 + kinds + kind * k
        slopes.append(-(sign * points[:, kind]) @ means[:, start : start + k])
        at_before, at_middle = np.split(-sign * means[:, 1 + kind], 2)
        here = at_middle if kind == 0 else np.zeros_like(at_middle)
        whole = at_before + at_middle
        later = np.append(np.cumsum(whole[::-1])[::-1], [0.0])
        place = np.searchsorted(times, fit.risk.times)
        gradient = later[np.minimum(place + 1, len(times))]
        gradient[fit.risk.times < horizon] += here[place[fit.risk.times < horizon]]
        hazards.append(gradient[fit.risk.tied])
    return Free(value, tuple(slopes), tuple(hazards))


def averages(points: Matrix, rates: Matrix, columns: Matrix) -> Matrix:
    """Sums over people of exp(-point . rates) times their columns, for every point: shape (m, q).

    `points` (m, c) are cumulative hazards, `rates` (n, c) people's relative hazards, c being 1 or 2. Along either
    hazard this is a sum of exponentials, so smooth that its values at some Chebyshev nodes give all others to ten
    digits or more: the cost does not grow with the number of event times multiplied by that of people.
    """
    # The steepest exponential, exp(-Rx) on [0, 1], needs about sqrt(R) nodes for each few digits.
    steepest = points.max(axis=0, initial=0.0) * rates.max(axis=0)
    sides = [int(np.ceil(4 * np.sqrt(steep))) + 16 for steep in steepest]
    if np.prod(sides) >= len(points):
        size = max(1, CHUNK // len(rates))
        pieces = [points[i : i + size] for i in range(0, len(points), size)]
        return np.vstack([np.zeros((0, columns.shape[1])), *(np.exp(-piece @ rates.T) @ columns for piece in pieces)])
    along = [_along(point, rate, side) for point, rate, side in zip(points.T, rates.T, sides, strict=True)]
    read, decay = along[0]
    if len(along) == 1:
        return read @ (decay @ columns)
    read_other, decay_other = along[1]
    tables = ((decay * column) @ decay_other.T for column in columns.T)
    return np.column_stack([np.sum((read @ table) * read_other, axis=1) for table in tables])


def _along(points: Vector, rates: Vector, side: int) -> tuple[Matrix, Matrix]:
    """Along one hazard: weights (m, side) that read the nodes at the points, and everybody's decay (side, n) there."""
    from numpy.polynomial.chebyshev import chebvander

    top = float(points.max()) or 1.0
    nodes = np.cos(np.pi * (np.arange(side) + 0.5) / side)
    read = np.linalg.solve(chebvander(nodes, side - 1).T, chebvander(2 * points / top - 1, side - 1).T).T
    return read, np.exp(-np.outer((nodes + 1) / 2 * top, rates))


@dataclass(frozen=True)
class Difference:
    """The difference in mean time, and how it moves: for each fit, with coefficients (k,) and along the events (E,)."""

    value: float
    slopes: tuple[Vector, ...]
    heights: tuple[Vector, ...]

    def influence(self, fits: list[Cox]) -> Vector:
        """Each row's influence on the difference (n,): the infinitesimal jackknife."""
        parts = zip(fits, self.slopes, self.heights, strict=True)
        return np.asarray(
            sum(
                fit.influence @ slopes + fit.risk.weights * fit.martingale(height[:, None])[:, 0]
                for fit, slopes, height in parts
            )
        )


def difference(sample: Sample, columns: Design, fits: list[Cox], horizon: float) -> Difference:
    """The difference in mean time between the two what-ifs."""
    share = shares(sample.weights, len(sample.outcome))
    up, down = (1.0, 0.0) if sample.binary_exposure else (sample.exposure + 0.5, sample.exposure - 0.5)
    one, none = (free_time(fits, columns.at(arm), share, horizon) for arm in (up, down))
    slopes, heights = [], []
    for kind, fit in enumerate(fits):
        hazards = one.hazards[kind] - none.hazards[kind]
        slopes.append(one.slopes[kind] - none.slopes[kind] - (hazards * fit.hazard) @ fit.mean)
        heights.append(hazards / fit.size)
    return Difference(one.value - none.value, tuple(slopes), tuple(heights))


def _errors(
    sample: Sample, columns: Design, fits: list[Cox], found: Difference
) -> tuple[float, float | None, tuple[str, ...], str]:
    """Standard error, degrees of freedom, notes, and what the errors are called.

    The jackknife's influences are corrected as `leverage` says, but for two kinds of clusters that cross.
    """
    n, q = len(sample.outcome), len(fits) * (columns.matrix.shape[1] + 2)
    if sample.crossed is not None or (sample.cluster is None and n * q**2 > leverage.CHUNK):
        return *crossed.of_influence(found.influence(fits), sample), "infinitesimal jackknife"
    cluster = np.arange(n) if sample.cluster is None else sample.cluster
    pulls = [fit.pulls(columns.matrix, height, cluster) for fit, height in zip(fits, found.heights, strict=True)]
    products, scores = np.zeros((len(pulls[0][1]), q, q)), np.column_stack([part for _, part in pulls])
    for place, (part, _) in enumerate(pulls):
        own = slice(place * (q // len(fits)), (place + 1) * (q // len(fits)))
        products[:, own, own] = part
    weight = np.concatenate(
        [np.r_[0.0, fit.covariance @ slopes, 1.0] for fit, slopes in zip(fits, found.slopes, strict=True)]
    )
    # Columns of one size: heights are in units of time, and all 0 where the two what-ifs do not differ.
    size = np.sqrt(np.diagonal(products.sum(axis=0)))
    size = np.where(size > 0, size, 1.0)
    products, scores, weight = products / np.outer(size, size), scores / size, weight * size
    fit = leverage.cr2(products, scores)
    contrast = products.sum(axis=0) @ weight
    df = float(fit.df(contrast[None, :])[0])
    se = float(np.sqrt(contrast @ fit.covariance @ contrast))
    return se, df, crossed.thin(sample, df), f"{'HC2' if sample.cluster is None else 'CR2'} infinitesimal jackknife"


def _events(sample: Sample) -> NDArray[np.int64]:
    """0 where watching ended, 1 for the event, 2 for every other end."""
    return np.minimum(np.asarray(sample.event, dtype=float), 2).astype(int)


def _model(sample: Sample, columns: Design, fit: Cox, level: float) -> Model:
    """Hazard ratios as R prints them: normal intervals; robust only with clusters or weights."""
    robust = sample.cluster is not None or sample.weights is not None
    covariance = fit.robust(sample.cluster) if robust else fit.covariance
    if sample.crossed is not None:
        covariance = crossed.two_way(fit.influence, sample, columns.back[0])[0]
    rows = terms(columns.names, *columns.raw(fit.coefficients, covariance), level)
    return Model("Cox (Efron)", "robust" if robust else "model-based", rows, "log hazard")


def _method(sample: Sample, horizon: float, competing: bool, errors: str) -> str:
    ends = "two cause-specific Cox models (Efron), other ends competing" if competing else "Cox model (Efron)"
    weighted = ", weighted" if sample.weights is not None else ""
    approximate = ", Satterthwaite degrees of freedom" if errors.startswith(("CR2", "HC2")) else ""
    return (
        f"{ends}, difference in restricted mean time up to {typed(horizon)}, standardised over the sample, "
        f"{errors} errors{crossed.words(sample)}{approximate}{weighted}"
    )


def _remarks(sample: Sample, event: NDArray[np.int64], horizon: float) -> tuple[str, ...]:
    notes = ["assumes proportional hazards: one hazard ratio for the whole time"]
    if others := int(np.sum(event == 2)):
        notes.append("who ended otherwise counts as never having it; the hazard ratio is cause-specific")
        notes.append(Count(f"{count(others)} rows ended otherwise"))
    if sample.binary_exposure:
        longest = min(float(sample.outcome[sample.exposure == arm].max()) for arm in (0, 1))
        if longest < horizon:
            notes.append(f"one side was watched only until {typed(longest)}; beyond it the model extends its curve")
    return tuple(notes)


def _problems(sample: Sample, question: Question) -> list[str]:
    time, horizon = sample.outcome, question.outcome.horizon
    if not len(time):
        return []  # said by `refuse.check`
    if sample.event is None:
        return ["the sample says of nobody whether the event happened; name the column under `event`."]
    if horizon is None:
        return ["a duration needs a `horizon`, the time up to which people are compared."]
    problems = []
    if bad := int(np.sum(time < 0)):
        problems.append(f"{bad} times are negative. Correct them at the source.")
    if sample.entry is not None and (bad := int(np.sum(sample.entry >= time))):
        problems.append(f"{bad} rows end at or before their entry. Correct them, or leave them out with `keep`.")
    events = int(np.sum(sample.event == 1))
    if events < refuse.FEW_EVENTS:
        problems.append(f"only {events} events happened; at least {refuse.FEW_EVENTS} are needed.")
    try:
        watched(time, sample.event, horizon)
    except EstimationError as error:
        problems.append(str(error))
    return problems


def _refuse_eventless(sample: Sample, question: Question, event: NDArray[np.int64]) -> None:
    both = np.column_stack([sample.exposure, sample.covariates])
    names = (sample.exposure_name, *sample.names)
    if problems := [one for code in (1, 2) for one in refuse.eventless(both, names, event == code)]:
        raise EstimationError(listing(f"The question {question.id!r}", problems))
