"""Cross products summed where the rows lie, by cluster; and what needs the rows once more, with the line at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError
from researchkit.moments import Moments
from researchkit.warehouse.columns import Look

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

Array = NDArray[np.floating[Any]]
MOST_NUMBERS = 40_000_000  # of cross products brought home; their working copies take some gigabytes


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a line as expressions, exposure first and outcome last, with centre and scale of each.

    `indicators` says which of them are levels of one category: two of them are never both 1.
    """

    names: tuple[str, ...]
    values: tuple[ColumnElement[Any], ...]
    centre: Array
    scale: Array
    indicators: tuple[str, ...]  # the category that each is a level of, "" for the others
    kept: ColumnElement[Any]  # which rows are in
    cluster: ColumnElement[Any] | None
    weight: ColumnElement[Any] | None = None

    def inner(self) -> Select[Any]:
        """The rows with each column centred and scaled."""
        import sqlalchemy as sa

        scaled = [
            ((value - float(centre)) / float(scale) if (centre, scale) != (0, 1) else value).label(f"x{place}")
            for place, (value, centre, scale) in enumerate(zip(self.values, self.centre, self.scale, strict=True))
        ]
        scaled += [] if self.cluster is None else [self.cluster.label("g")]
        scaled += [] if self.weight is None else [self.weight.label("w")]
        return sa.select(*scaled).where(self.kept)


def moments(look: Look, columns: Columns, groups: int | None) -> Moments:
    """One pass over the rows: counts and cross products of each cluster.

    `groups` deals rows without clusters into so many, in turn, as they come; as many as there are rows is one a row.

    Raises
    ------
    EstimationError
        If there are more clusters than their cross products can be held of.
    """
    import sqlalchemy as sa

    inner = columns.inner()
    if columns.cluster is None:
        turn = (sa.func.row_number().over() - 1) % (groups or 1)
        inner = inner.add_columns(turn.label("g"))
    rows = inner.subquery()
    weight = rows.c.w if columns.weight is not None else None
    k = len(columns.names)
    asked: list[ColumnElement[Any]] = [rows.c.g, sa.func.count().label("n")]
    if weight is not None:
        asked.append(sa.func.sum(weight).label("s0"))
    pairs = pairs_of(columns)
    for i, j in pairs:
        product = rows.c[f"x{i}"] if j < 0 else rows.c[f"x{i}"] * rows.c[f"x{j}"]
        asked.append(sa.func.sum(product if weight is None else product * weight).label(f"s{i}_{j + 1}"))
    few = MOST_NUMBERS // (k + 1) ** 2
    found = look.relation.ask(sa.select(*asked).group_by(rows.c.g).limit(few + 1))
    if len(found) > few:
        raise EstimationError(
            f"There are more than {few:,} clusters, and cross products of so many cannot be held. Name a coarser "
            "column under `clusters:` of the question (agents or teams, not customers), or adjust for less."
        )
    found = found.sort_values("g", kind="stable").reset_index(drop=True)
    counts = found["n"].to_numpy(dtype=np.int64)
    products = np.zeros((len(found), k + 1, k + 1))
    products[:, 0, 0] = counts if weight is None else found["s0"]
    for i, j in pairs:
        products[:, i + 1, j + 1] = products[:, j + 1, i + 1] = found[f"s{i}_{j + 1}"].to_numpy(dtype=float)
    if not np.isfinite(products).all():
        raise EstimationError(
            "Some sums are no finite numbers: values there are not, or too large. Correct them there."
        )
    for i, group in enumerate(columns.indicators):
        if group:
            products[:, i + 1, i + 1] = products[:, i + 1, 0]
    return Moments(columns.names, found["g"].to_numpy(), counts, products, columns.centre, columns.scale)


def pairs_of(columns: Columns) -> list[tuple[int, int]]:
    """Which products are asked for, -1 being the column of ones: levels of one category need none with each other."""
    k = len(columns.names)
    same = [[bool(one) and one == other for other in columns.indicators] for one in columns.indicators]
    return [(i, -1) for i in range(k)] + [(i, j) for i in range(k) for j in range(i, k) if not same[i][j]]


def residual(columns: Columns, used: Sequence[int], coefficients: Array, rows: Any) -> ColumnElement[Any]:
    """Outcome less the line, scaled as the columns are; `coefficients` of the `used` columns, then the intercept."""
    value = rows.c[f"x{len(columns.names) - 1}"] - float(coefficients[-1])
    for place, coefficient in zip(used, coefficients[:-1].tolist(), strict=True):
        value = value - coefficient * rows.c[f"x{place}"]
    return value


def skewness(look: Look, columns: Columns, used: Sequence[int], coefficients: Array) -> float:
    """Skewness of the residuals of a line, in one more pass."""
    import sqlalchemy as sa

    rows = columns.inner().subquery()
    e = sa.select(residual(columns, used, coefficients, rows).label("e")).subquery().c.e
    sums = [sa.func.sum(e).label("e1"), sa.func.sum(e * e).label("e2"), sa.func.sum(e * e * e).label("e3")]
    n, first, second, third = look.relation.ask(sa.select(sa.func.count().label("n"), *sums)).iloc[0].tolist()
    mean = first / n
    variance = second / n - mean**2
    return float((third / n - 3 * mean * second / n + 2 * mean**3) / variance**1.5)


def pushed(look: Look, columns: Columns, used: Sequence[int], coefficients: Array, inverse: Array) -> Array:
    """HC3's middle (k, k): each row's cross product times (residual / (1 - leverage))², the intercept last.

    `inverse` (k, k) is that of the cross products of the `used` columns and the intercept; `coefficients` go with it.
    """
    import sqlalchemy as sa

    rows = columns.inner().subquery()
    k = len(used)
    leverage: Any = sa.literal(float(inverse[-1, -1]))
    for i, place in enumerate(used):
        x = rows.c[f"x{place}"]
        leverage = leverage + 2.0 * float(inverse[i, -1]) * x
        for j in range(i, k):
            leverage = leverage + float((1 + (i != j)) * inverse[i, j]) * x * rows.c[f"x{used[j]}"]
    free = 1.0 - leverage
    middle = sa.select(
        *(rows.c[f"x{place}"].label(f"x{i}") for i, place in enumerate(used)),
        residual(columns, used, coefficients, rows).label("e"),
        sa.case((free > 1e-10, free), else_=None).label("f"),
    ).subquery()
    u = middle.c.e * middle.c.e / sa.cast(middle.c.f * middle.c.f, sa.Double)
    pushing = sa.select(*(middle.c[f"x{i}"] for i in range(k)), u.label("u")).subquery()
    ends = [*(pushing.c[f"x{i}"] for i in range(k)), None]
    asked = {}
    for i, one in enumerate(ends):
        for j, other in enumerate(ends[i:], i):
            product = pushing.c.u if one is None else pushing.c.u * one
            asked[i, j] = sa.func.sum(product if other is None else product * other).label(f"p{i}_{j}")
    found = look.relation.ask(sa.select(*asked.values())).iloc[0].to_numpy(dtype=float)
    meat = np.zeros((k + 1, k + 1))
    for (i, j), total in zip(asked, found, strict=True):
        meat[i, j] = meat[j, i] = total
    return meat
