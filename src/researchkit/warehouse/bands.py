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


def mean(summed: Summed, band: Band, times: float = 1.0) -> Interval:
    """The outcome's mean in a group with its 95 % t interval; with clusters, from the sums of residuals by cluster."""
    import sqlalchemy as sa
    from scipy.special import stdtrit

    columns, look = summed.columns, summed.look
    value, weight = columns.values[-1] * times, columns.weight
    weighted = value if weight is None else value * weight
    total = sa.func.count() if weight is None else sa.func.sum(weight)
    if columns.cluster is None:
        found = look.one({"w": total, "s": sa.func.sum(weighted)}, band.where)
        sums = [float(found["w"])], [float(found["s"])]
        at = sums[1][0] / sums[0][0]
        rest = (value - at) if weight is None else (value - at) * weight
        groups, square = band.n, float(look.one({"q": sa.func.sum(rest * rest)}, band.where)["q"])
    else:
        asked = sa.select(total.label("w"), sa.func.sum(weighted).label("s")).select_from(look.relation.rows)
        each = look.relation.ask(asked.where(band.where).group_by(columns.cluster))
        own, parts = each["w"].to_numpy(dtype=float), each["s"].to_numpy(dtype=float)
        at, groups = float(parts.sum() / own.sum()), len(own)
        sums, square = (own.tolist(), parts.tolist()), float(np.sum((parts - at * own) ** 2))
    if groups < 2:
        return at, math.nan, math.nan
    half = float(stdtrit(groups - 1, 0.975)) * math.sqrt(groups / (groups - 1) * square) / sum(sums[0])
    return at, at - half, at + half


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

    held = {name: summed.columns.values[summed.columns.names.index(name)] for name in summed.names}
    asked: dict[Any, Any] = {}
    for name, value in held.items():
        asked[name, "mean"], asked[name, "var"] = sa.func.avg(value), sa.func.var_pop(value)
    found = summed.look.one(asked, band.where)
    return {name: (float(found[name, "mean"]), float(found[name, "var"])) for name in held}
