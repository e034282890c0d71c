"""Groups of the exposure side by side, summed where the rows lie: who is compared with whom, and what came of each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError
from researchkit.parts import Question
from researchkit.warehouse.columns import MOST_LEVELS, Look

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from researchkit.warehouse.summed import Summed
    from researchkit.warehouse.sums import Columns

Array = NDArray[np.floating[Any]]
Interval = tuple[float, float, float]  # mean, low, high


@dataclass(frozen=True, eq=False)
class Band:
    """The rows of one group: from `low` to `high` of the exposure, in its own unit."""

    low: float
    high: float
    centre: float  # mean of the exposure
    n: int
    where: ColumnElement[Any]


def spread(summed: Summed, per: float = 1.0) -> tuple[Array, NDArray[np.int64]]:
    """The distinct values of the exposure in its own unit, in order, and how many rows have each.

    Raises
    ------
    EstimationError
        If there are more than can be fetched.
    """
    found = summed.look.levels(summed.columns.values[0], summed.columns.kept)
    if found is None:
        raise EstimationError(
            f"{summed.exposure_name} has more than {MOST_LEVELS:,} different values, and the rows stay in place: they "
            "are not laid side by side. A coarser column (rounded there) would be"
        )
    values = np.array(sorted(found), dtype=float)
    return values * per, np.array([found[value] for value in values.tolist()], dtype=np.int64)


def quantile(values: Array, counts: NDArray[np.int64], at: Sequence[float]) -> Array:
    """Quantiles of values (m,) that occur so often, as `numpy.quantile` of all rows."""
    ends = np.cumsum(counts)
    places = np.asarray(at, dtype=float) * (ends[-1] - 1)
    below, above = np.floor(places), np.ceil(places)
    low, high = (values[np.searchsorted(ends, place, side="right")] for place in (below, above))
    found: Array = low + (high - low) * (places - below)
    return found


def cut(summed: Summed, edges: Sequence[float], per: float = 1.0) -> list[Band]:
    """The rows up to each edge (in the exposure's own unit), those beyond the last, and none that is empty."""
    import sqlalchemy as sa

    values, counts = spread(summed, per)
    exposure, kept = summed.columns.values[0], summed.columns.kept
    bands, start = [], 0
    for end in [*np.searchsorted(values, edges, side="right"), len(values)]:
        inside = slice(start, end)
        if end > start:
            own, often = values[inside], counts[inside]
            limits = sa.and_(kept, exposure >= float(own[0] / per), exposure <= float(own[-1] / per))
            centre = float(own @ often / often.sum())
            bands.append(Band(float(own[0]), float(own[-1]), centre, int(often.sum()), limits))
        start = max(start, int(end))
    return bands


def thirds(summed: Summed, question: Question) -> list[Band]:
    """The two levels compared of a coded exposure, or each third of a measured one."""
    if summed.arms:
        return arms(summed)
    per = question.exposure.per
    return cut(summed, quantile(*spread(summed, per), (1 / 3, 2 / 3)).tolist(), per)


def arms(summed: Summed) -> list[Band]:
    """The rows at the reference and at the level, further levels in neither."""
    import sqlalchemy as sa

    columns = summed.columns
    exposure = columns.values[0]
    further = [
        value == 0.0
        for name, value in zip(columns.names, columns.values, strict=True)
        if summed.group_of(name) == summed.exposure_column and value is not exposure
    ]
    found = []
    for arm in (0.0, 1.0):
        where = sa.and_(columns.kept, exposure == arm, *further)
        rows = int(summed.look.one({"n": sa.func.count()}, where)["n"])
        found.append(Band(arm, arm, arm, rows, where))
    return found


def means(summed: Summed, bands: Sequence[Band], times: float = 1.0) -> list[Interval]:
    """The outcome's mean in each group with its 95 % t interval; with clusters, from sums of residuals by cluster."""
    import sqlalchemy as sa

    columns, look = summed.columns, summed.look
    value, weight = columns.values[-1] * times, columns.weight
    which = sa.case(*((band.where, place) for place, band in enumerate(bands)))
    rows = sa.select(which.label("b"), value.label("y"), *labelled(columns)).where(columns.kept).subquery()
    w = None if weight is None else rows.c.w
    total, product = (sa.func.count(), rows.c.y) if w is None else (sa.func.sum(w), rows.c.y * w)
    keys = [rows.c.b] if columns.cluster is None else [rows.c.b, rows.c.g]
    sums = [total.label("w"), sa.func.sum(product).label("s")]
    found = look.relation.ask(sa.select(rows.c.b, *sums).where(rows.c.b.is_not(None)).group_by(*keys))
    each = [found[found["b"] == place] for place in range(len(bands))]
    at = [float(part["s"].sum()) / float(part["w"].sum()) for part in each]
    if columns.cluster is None:
        off = rows.c.y - sa.case(*((rows.c.b == place, mean) for place, mean in enumerate(at)))
        square = sa.func.sum(off * off if w is None else off * off * w * w).label("q")
        squares = look.relation.ask(sa.select(rows.c.b, square).where(rows.c.b.is_not(None)).group_by(rows.c.b))
        held = dict(zip(squares["b"].astype(int).tolist(), squares["q"].astype(float).tolist(), strict=True))
        spread = [(bands[place].n, held[place]) for place in range(len(bands))]
    else:
        apart = [part["s"].astype(float) - mean * part["w"].astype(float) for part, mean in zip(each, at, strict=True)]
        spread = [(len(rest), float((rest**2).sum())) for rest in apart]
    weights = [float(part["w"].sum()) for part in each]
    return [interval(*one, *more) for one, more in zip(zip(at, weights, strict=True), spread, strict=True)]


def labelled(columns: Columns) -> list[ColumnElement[Any]]:
    """The cluster and the weight of a row, where there are any."""
    parts = (("g", columns.cluster), ("w", columns.weight))
    return [part.label(name) for name, part in parts if part is not None]


def interval(mean: float, weight: float, groups: int, square: float) -> Interval:
    """A 95 % t interval from the summed squares of residuals by cluster (or row), in all of so much weight."""
    from scipy.special import stdtrit

    if groups < 2:
        return mean, math.nan, math.nan
    half = float(stdtrit(groups - 1, 0.975)) * math.sqrt(groups / (groups - 1) * square) / weight
    return mean, mean - half, mean + half


def average(summed: Summed, band: Band, name: str) -> float:
    """The mean of one column in a group."""
    import sqlalchemy as sa

    return float(summed.look.one({"mean": sa.func.avg(summed.look.entries[name].value)}, band.where)["mean"])


def heads(look: Look, where: ColumnElement[Any], most: int) -> int:
    """How many people some rows are of, counted up to `most`."""
    import sqlalchemy as sa

    column = look.study.tables[look.table].people
    if column == "row":
        return int(look.one({"n": sa.func.count()}, where)["n"])
    value = look.entries[column].value
    some = sa.select(value).where(where, value.is_not(None)).distinct().limit(most).subquery()
    return int(look.relation.ask(sa.select(sa.func.count().label("n")).select_from(some))["n"].iloc[0])


def fewest(summed: Summed, question: Question, band: Band, most: int = 10_000) -> int:
    """The smallest count of people that the mean of a group gives away: all of them or, for yes or no, either side."""
    import sqlalchemy as sa

    people = heads(summed.look, band.where, most)
    if question.outcome.kind != "yes_no":
        return people
    outcome = summed.columns.values[-1]
    sides = [heads(summed.look, sa.and_(band.where, outcome == side), most) for side in (0.0, 1.0)]
    return min([people, *filter(None, sides)])


def covariates(summed: Summed, band: Band) -> dict[str, tuple[float, float]]:
    """Mean and variance of each covariate in a group."""
    import sqlalchemy as sa

    columns, asked = summed.columns, dict[Any, Any]()
    places = {name: columns.names.index(name) for name in summed.names}
    for name, place in places.items():
        around = columns.values[place] - float(columns.centre[place])
        asked[name, "mean"], asked[name, "square"] = sa.func.avg(around), sa.func.avg(around * around)
    found = summed.look.one(asked, band.where)
    moved = {name: float(found[name, "mean"]) for name in places}
    return {
        name: (float(columns.centre[place]) + moved[name], max(float(found[name, "square"]) - moved[name] ** 2, 0.0))
        for name, place in places.items()
    }
