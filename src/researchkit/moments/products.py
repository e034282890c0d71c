"""What is kept of the rows: cross products by cluster, and how they are made and added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError, some

Array = NDArray[np.floating[Any]]

VANISHED = 1e-10  # a share of what there was that is rounding, not rest
HOPELESS = 1e10  # condition of the correlations: as many digits are lost as it has zeros, of about 16


@dataclass(frozen=True, eq=False)
class Moments:
    """Cross products by cluster of the columns (x - centre) / scale, with a leading column of ones.

    Attributes
    ----------
    names
        (k - 1,) exposure first, covariates, outcome last.
    labels, counts
        (G,) clusters in order, and the rows of each.
    products
        (G, k, k), weighted where the rows were.
    centre, scale
        (k - 1,) what was subtracted from each column, and what it was divided by.
    """

    names: tuple[str, ...]
    labels: NDArray[Any]
    counts: NDArray[np.int64]
    products: Array
    centre: Array
    scale: Array

    def __add__(self, other: Moments) -> Moments:
        """Both together: clusters that share a label become one. Different centres are moved to a common one."""
        if self.names != other.names:
            raise EstimationError(f"These moments are of other columns: {some(self.names)}; {some(other.names)}.")
        centre, scale = _common(self, other)
        labels = np.unique(np.concatenate([self.labels, other.labels]))
        counts = np.zeros(len(labels), dtype=np.int64)
        products = np.zeros((len(labels), *self.products.shape[1:]))
        for part in (self, other):
            places = np.searchsorted(labels, part.labels)
            counts[places] += part.counts
            products[places] += part._around(centre, scale)
        return Moments(self.names, labels, counts, products, centre, scale)

    def _around(self, centre: Array, scale: Array) -> Array:
        """The cross products (G, k, k) of the same columns with another centre and scale: exact but for rounding."""
        if np.array_equal(centre, self.centre) and np.array_equal(scale, self.scale):
            return self.products
        move = np.diag(np.append(1.0, self.scale / scale))
        move[1:, 0] = (self.centre - centre) / scale
        moved: Array = move @ self.products @ move.T
        return moved

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    @cached_property
    def mean(self) -> Array:
        """(k - 1,) means of the columns as they came."""
        total = self.products.sum(axis=0)
        shift: Array = total[0, 1:] / total[0, 0]
        return self.centre + self.scale * shift

    @cached_property
    def spread(self) -> Array:
        """(k - 1,) standard deviations of the columns as they came; 0 where nothing is left of one but rounding."""
        total = self.products.sum(axis=0) / self.products[:, 0, 0].sum()
        square, around = np.diag(total)[1:], np.diag(total)[1:] - total[0, 1:] ** 2
        kept: Array = self.scale * np.sqrt(np.where(around > VANISHED * square, around, 0.0))
        return kept

    @cached_property
    def standard(self) -> Array:
        """(G, k, k) cross products of the columns with mean 0 and spread 1; zeros for one that never varies."""
        flat = self.spread == 0
        around = self._around(self.mean, np.where(flat, 1.0, self.spread))
        gone = np.append(False, flat)
        around = around.copy()
        around[:, gone, :] = 0.0
        around[:, :, gone] = 0.0
        return around

    def correlations(self) -> Array:
        total: Array = self.standard.sum(axis=0)
        return total[1:, 1:] / total[0, 0]

    def columns(self, chosen: Sequence[str] | None = None) -> list[int]:
        """Places in `standard` of the exposure and the `chosen` covariates (all when None), usable ones only."""
        covariates = self.names[1:-1]
        if strange := [name for name in chosen or () if name not in covariates]:
            raise EstimationError(f"{some(strange)}: no such covariate; there are {some(covariates) or 'none'}.")
        wanted = [place for place, name in enumerate(covariates, 2) if chosen is None or name in chosen]
        self._usable([1, *wanted])
        return [1, *wanted]

    def _usable(self, places: Sequence[int]) -> None:
        if self.products[:, 0, 0].sum() <= 0:
            raise EstimationError("There are no rows, so there is nothing to estimate.")
        ends = [*places, len(self.names)]
        if flat := [self.names[place - 1] for place in ends if self.spread[place - 1] == 0]:
            raise EstimationError(
                f"{some(flat)}: the same in all {self.n} rows (or so far from the centre that the differences are lost "
                "to rounding), so there is nothing to compare. Leave it out, or compress around its mean."
            )
        inner = self.correlations()[np.ix_(np.array(places) - 1, np.array(places) - 1)]
        values, vectors = np.linalg.eigh(inner)
        if values[0] <= values[-1] / HOPELESS:
            tied = [self.names[place - 1] for place, part in zip(places, vectors[:, 0], strict=True) if abs(part) > 0.1]
            raise EstimationError(
                f"{some(tied)} determine one another, so that their effects cannot be told apart. Leave one out."
            )


def compress(
    exposure: Array,
    covariates: Array,
    outcome: Array,
    cluster: NDArray[Any] | None = None,
    *,
    names: Sequence[str] | None = None,
    weights: Array | None = None,
    centre: Array | None = None,
    scale: Array | None = None,
) -> Moments:
    """Moments of n rows.

    Parameters
    ----------
    exposure, outcome
        (n,) finite numbers.
    covariates
        (n, p).
    cluster
        (n,) labels; None makes a cluster of each row, so that CR1 is HC1.
    names
        (p + 2,) of exposure, covariates and outcome.
    weights
        (n,) positive; errors are those of rows multiplied by sqrt(weight).
    centre, scale
        (p + 2,) declared, so that parts of one data set share them; else the mean and spread of these rows. Parts
        with centres of their own add as well.

    Raises
    ------
    EstimationError
        If a value is no finite number.
    """
    raw = np.column_stack([exposure, covariates, outcome]).astype(float)
    called = tuple(names or ("exposure", *(f"covariate {i}" for i in range(1, raw.shape[1] - 1)), "outcome"))
    if bad := [name for name, column in zip(called, raw.T, strict=True) if not np.isfinite(column).all()]:
        raise EstimationError(f"{some(bad)}: some values are no finite numbers. Correct them or declare them missing.")
    centre = raw.mean(axis=0) if centre is None else np.asarray(centre, dtype=float)
    if scale is None:
        spread = raw.std(axis=0)
        scale = np.where(spread > 1e-13 * np.abs(centre), spread, 1.0)
    rows = np.column_stack([np.ones(len(raw)), (raw - centre) / scale])
    if weights is not None:
        rows *= np.sqrt(weights)[:, None]
    labels, code = np.unique(np.arange(len(raw)) if cluster is None else cluster, return_inverse=True)
    counts = np.bincount(code, minlength=len(labels))
    order = np.argsort(code, kind="stable")
    return Moments(called, labels, counts, _summed(rows[order], counts), centre, np.asarray(scale, dtype=float))


def _summed(rows: Array, counts: NDArray[np.int64]) -> Array:
    """Cross products (G, k, k) of rows that lie cluster by cluster."""
    if len(rows) == len(counts):
        return rows[:, :, None] * rows[:, None, :]
    ends = np.cumsum(counts)
    return np.stack([rows[end - size : end].T @ rows[end - size : end] for end, size in zip(ends, counts, strict=True)])


def _common(one: Moments, other: Moments) -> tuple[Array, Array]:
    """Where two parts meet: the same centre where they share it, else the mean of both by rows."""
    share = one.n / max(one.n + other.n, 1)
    same = one.centre == other.centre
    centre = np.where(same, one.centre, share * one.centre + (1 - share) * other.centre)
    return centre, np.maximum(one.scale, other.scale)
