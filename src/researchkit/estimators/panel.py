"""Rows of a roll-out as means of each unit in each period: sites in months, teams in waves.

A unit's own change over time holds its level constant exactly, also where other people answer each time; rows of one
cell are means with the number of rows behind them, so a million contacts take the room of a few hundred cells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError, listing, some
from researchkit.estimators.effect import Matrix, Vector
from researchkit.readers.values import written

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.designs import Rollout
    from researchkit.parts import Question

ISO = re.compile(r"\d{4}(-\d{2}(-\d{2})?|-?[QqWw]\d{1,2})?")  # texts that sort as time does
ROUNDS, STILL = 200, 1e-10  # of taking means out of units and periods in turn, and when nothing moves any more


@dataclass(frozen=True, eq=False)
class Panel:
    """U units over T periods. `values` (1 + p, U, T) holds the mean outcome of each cell, then its p covariates, NaN
    where a cell is empty; `rows` (U, T) what stands behind each cell; `start` (U,) the place of the first treated
    period, T where it did not come; `cluster` (U,) which units share an error; `products` (C, 1 + p, 1 + p) the
    cross products of outcome and covariates within units and periods, over untreated rows, by cluster."""

    values: Matrix
    rows: Matrix
    weight: Vector
    start: NDArray[np.int64]
    cluster: NDArray[np.int64]
    units: tuple[str, ...]
    periods: tuple[str, ...]
    products: Matrix
    notes: tuple[str, ...] = ()

    @property
    def treated(self) -> NDArray[np.bool_]:
        """(U, T) the cells from the start on."""
        return np.arange(len(self.periods)) >= self.start[:, None]


def panel(sample: Sample, question: Question) -> Panel:
    """The cells of a question's roll-out.

    Raises
    ------
    EstimationError
        If times are no times, a unit has several starts, the exposure is at odds with them, or units lie in several
        clusters; all of it at once.
    """
    design = design_of(question)
    unit, names = coded(sample.more[design.unit])
    time, start, periods = clock(sample.more[design.time], sample.more[design.start], design, question)
    begins = np.empty(len(names), dtype=np.int64)
    begins[unit] = start
    cluster = np.arange(len(names))
    group = unit if sample.cluster is None else sample.cluster
    cluster[unit] = group
    problems = at_odds(sample, question, design, (unit, time, start), begins)
    if lost := int(np.sum(cluster[unit] != group)):
        cluster = np.arange(len(names))
        if len(np.unique(group)) <= len(names):
            problems.append(
                f"{lost:,} rows lie in another {sample.cluster_name} than others of their {design.unit}; errors are "
                f"clustered by what begins as one. Name {design.unit} or a coarser column under `clusters`."
            )
    if problems:
        raise EstimationError(listing(f"The question {question.id!r}", problems))
    worth, mass = told(sample, question)
    cluster = np.unique(cluster, return_inverse=True)[1]
    held, products, notes = held_equal(sample, worth, mass, (unit, time, start), cluster)
    cells = unit * len(periods) + time
    size = len(names) * len(periods)
    rows = np.bincount(cells, mass, size).astype(float)
    with np.errstate(invalid="ignore"):
        means = np.array([np.bincount(cells, mass * one, size) / rows for one in (worth, *held)])
    shape = len(names), len(periods)
    rows = rows.reshape(shape)
    weight = np.asarray(rows.sum(axis=1) if design.weigh == "rows" else np.ones(len(names)), dtype=float)
    return Panel(means.reshape(-1, *shape), rows, weight, begins, cluster, names, periods, products, notes)


def design_of(question: Question) -> Rollout:
    """The roll-out of a question.

    Raises
    ------
    EstimationError
        If it has none.
    """
    if question.rollout is None:
        raise EstimationError(f"The question {question.id!r} has no `rollout`, so nothing says who started when.")
    return question.rollout


def coded(entries: NDArray[Any]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Code (n,) of each entry, and what the entries are called."""
    names, codes = np.unique(entries, return_inverse=True)
    said = [written(float(one)) if isinstance(one, float | np.floating) else str(one) for one in names.tolist()]
    return codes.astype(np.int64), tuple(said)


def clock(
    times: NDArray[Any], starts: NDArray[Any], design: Rollout, question: Question
) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[str, ...]]:
    """Place (n,) of each row's period and of its unit's first treated one, and what the periods are called."""
    never = starts == "" if starts.dtype == object else np.isnat(starts) if starts.dtype.kind == "M" else None
    never = np.isnan(starts.astype(float)) if never is None else never
    if never.all():
        raise EstimationError(f"The question {question.id!r}: {design.start} is empty in every row: nobody starts.")
    if times.dtype == object or starts.dtype == object:
        odd = [one for one in {*times.tolist(), *starts[~never].tolist()} if not ISO.fullmatch(name_of(one))]
        if odd or "M" in (times.dtype.kind, starts.dtype.kind):
            told = some([repr(one) for one in sorted(map(name_of, odd))], 3) if odd else "dates beside texts"
            raise EstimationError(
                f"The question {question.id!r}: {design.time} and {design.start} say when, both as numbers, or both as "
                f"dates, or both as 2025-03; here is {told}. Put a word such as never under `missing:` of the column."
            )
        times, starts = (np.array([name_of(one) for one in part], dtype=str) for part in (times, starts))
    elif times.dtype.kind != starts.dtype.kind:
        raise EstimationError(f"The question {question.id!r}: {design.time} and {design.start} are of two kinds.")
    periods, place = np.unique(times, return_inverse=True)
    begins = np.searchsorted(periods, starts)
    begins[never] = len(periods)
    return place.astype(np.int64), begins.astype(np.int64), tuple(map(name_of, periods.tolist()))


def name_of(value: Any) -> str:
    """A time as the data write it."""
    if isinstance(value, float | np.floating):
        return written(float(value))
    if isinstance(value, int):  # nanoseconds since 1970: a date of numpy as `tolist` gives it
        return str(np.datetime64(value, "ns").astype("datetime64[D]"))
    return value.date().isoformat() if hasattr(value, "date") else str(value)


def at_odds(
    sample: Sample, question: Question, design: Rollout, codes: tuple[NDArray[np.int64], ...], begins: NDArray[np.int64]
) -> list[str]:
    """What the columns of a roll-out say against each other."""
    unit, time, start = codes
    problems = []
    if moved := len(np.unique(unit[begins[unit] != start])):
        problems.append(
            f"{moved} of {len(begins)} values of {design.unit} have more than one {design.start}; a unit starts once. "
            "Name the finer column that starts as one, or correct it."
        )
    elif set(np.unique(sample.exposure)) - {0.0, 1.0}:
        problems.append(
            f"the exposure {question.exposure.column} of a roll-out is 1 from the start on and 0 before; it holds "
            "other numbers. Name two of its codes as `reference` and `level`."
        )
    else:
        early = int(np.sum((sample.exposure == 1) & (time < start)))
        late = int(np.sum((sample.exposure == 0) & (time >= start)))
        if early or late:
            problems.append(
                f"{question.exposure.column} does not follow {design.start}: {early:,} rows have it before the start, "
                f"and {late:,} lack it after. The exposure is what was begun (the offer), not who made use of it."
            )
    return problems


def told(sample: Sample, question: Question) -> tuple[Vector, Vector]:
    """What each row (n,) is worth in the outcome's unit, and what it weighs."""
    kind = question.outcome.kind
    mass = np.ones(len(sample.outcome)) if sample.weights is None else sample.weights
    if kind == "ordered":
        from researchkit.estimators.ordered import counts_as

        worth = counts_as(sample, question, np.arange(len(sample.levels)))
        return worth[sample.outcome.astype(int)], mass
    if kind == "counts" and sample.offset_time is not None:
        return sample.outcome / sample.offset_time, mass * sample.offset_time
    return sample.outcome, mass


def unit_of(question: Question, sample: Sample) -> str:
    """The unit of the outcome's mean."""
    outcome = question.outcome
    if outcome.kind == "counts":
        from researchkit.estimators.counts import unit_of as rates

        return outcome.unit or rates(sample, question)
    if outcome.kind == "score":
        return outcome.unit or "points"
    return "NPS points" if outcome.nps else "probability"


def held_equal(
    sample: Sample, worth: Vector, mass: Vector, codes: tuple[NDArray[np.int64], ...], cluster: NDArray[np.int64]
) -> tuple[list[Vector], Matrix, tuple[str, ...]]:
    """The covariates that vary within units and periods, and cross products of what is left of them there.

    Slopes come from untreated rows alone, so that no effect can leak into them. What never varies within a unit is
    taken out by the comparison of a unit with itself.
    """
    unit, time, start = codes
    free = time < start
    columns = [np.asarray(one, dtype=float) for one in np.asarray(sample.covariates).T]
    left = [within(one[free], mass[free], unit[free], time[free]) for one in (worth, *columns)]
    varies = [
        float(mass[free] @ rest**2) > 1e-9 * float(mass[free] @ one[free] ** 2)
        for one, rest in zip(columns, left[1:], strict=True)
    ]
    fixed = [name for name, good in zip(sample.names, varies, strict=True) if not good]
    notes = (f"{some(fixed)} never varies within a unit, whose changes alone are compared",) if fixed else ()
    kept = np.array([left[0], *(rest for rest, good in zip(left[1:], varies, strict=True) if good)])
    pairs = np.einsum("an,bn->nab", kept * mass[free], kept)
    products = np.zeros((int(cluster.max()) + 1, len(kept), len(kept)))
    np.add.at(products, cluster[unit[free]], pairs)
    return [one - one.mean() for one, good in zip(columns, varies, strict=True) if good], products, notes


def within(values: Vector, mass: Vector, unit: NDArray[np.int64], time: NDArray[np.int64]) -> Vector:
    """What is left of values (n,) when the means of units and of periods are taken out, in turn until nothing moves."""
    rest, scale = values - np.average(values, weights=mass), max(float(np.ptp(values)), 1e-300)
    sums = [(codes, np.maximum(np.bincount(codes, mass), 1e-300)) for codes in (unit, time)]
    for _ in range(ROUNDS):
        moved = 0.0
        for codes, total in sums:
            means = np.bincount(codes, mass * rest) / total
            rest = rest - means[codes]
            moved = max(moved, float(np.abs(means).max()))
        if moved < STILL * scale:
            break
    return rest
