"""Many answers from the same moments: ways to adjust, draws of clusters, partial R²."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from researchkit.moments.line import fit, inverses, several
from researchkit.moments.products import Array, Moments
from researchkit.progress import steps

BATCH = 2_000_000  # numbers held at once


def bootstrap(moments: Moments, rng: np.random.Generator, times: int, chosen: Sequence[str] | None = None) -> Array:
    """(times,) estimates of the exposure, clusters drawn with replacement; NaN where a draw cannot tell it."""
    line = fit(moments, chosen)
    groups, k = several(line), len(line.names)
    sums = np.concatenate([line.products, line.scores[:, :, None]], axis=2).reshape(groups, -1)
    found = np.empty(times)
    most = max(1, BATCH // max(groups, k * (k + 1)))
    with steps("draws of clusters", times) as done:
        for start in range(0, times, most):
            size = min(most, times - start)
            drawn = rng.integers(0, groups, (size, groups)) + groups * np.arange(size)[:, None]
            often = np.bincount(drawn.ravel(), minlength=size * groups).reshape(size, groups)
            both = (often.astype(float) @ sums).reshape(size, k, k + 1)
            inverse, lost = inverses(both[:, :, :k])
            moved = np.einsum("bi,bi->b", inverse[:, 0], both[:, :, k])
            found[start : start + size] = np.where(lost, np.nan, line.coefficients[0] + line.back[0, 0] * moved)
            done(size)
    return found


def curve(moments: Moments, ways: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Estimates and CR1 errors of the exposure, each (S,), for S ways to adjust at once.

    Parameters
    ----------
    ways
        (S, p) which covariates are in. The degrees of freedom are G - 1.

    Raises
    ------
    EstimationError
        Fewer than 2 clusters; a column that never varies, or columns that determine one another, in any of the ways.
    """
    used = np.flatnonzero(np.any(ways, axis=0))
    places = moments.columns([moments.names[1 + one] for one in used])
    several(moments)
    inside = np.column_stack([np.ones(len(ways), dtype=bool), ways[:, used]])
    ends = [*places, len(moments.names)]
    pieces = moments.standard[:, ends][:, :, ends]
    flat = np.ascontiguousarray(pieces[:, :-1].reshape(len(pieces), -1).T)
    most = max(1, BATCH // len(pieces))
    parts = []
    with steps("specifications", len(inside)) as done:
        for at in range(0, len(inside), most):
            parts.append(_some_ways(pieces.sum(axis=0), flat, inside[at : at + most]))
            done(len(inside[at : at + most]))
    estimates, squares = (np.concatenate(side) for side in zip(*parts, strict=True))
    groups, k = len(pieces), 1 + inside.sum(axis=1)
    factor = groups / (groups - 1) * (moments.n - 1) / (moments.n - k)
    unit = moments.spread[-1] / moments.spread[0]
    return unit * estimates, unit * np.sqrt(factor * squares)


def _some_ways(total: Array, flat: Array, inside: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Standardised estimates and summed squares of scores; a column that is out becomes one of the identity."""
    both = inside[:, :, None] & inside[:, None, :]
    outside = np.eye(inside.shape[1]) * ~inside[:, :, None] * total[0, 0]
    inverse = np.linalg.inv(np.where(both, total[:-1, :-1], 0.0) + outside)
    at = (inverse @ np.where(inside, total[:-1, -1], 0.0)[:, :, None])[:, :, 0]
    contrast = np.where(inside, inverse[:, 0], 0.0)
    residual = np.column_stack([-at, np.ones(len(at))])  # the outcome less what is fitted
    scores = (contrast[:, :, None] * residual[:, None, :]).reshape(len(at), -1) @ flat
    return at[:, 0], np.sum(scores**2, axis=1)


def left(moments: Moments, of: int, given: Sequence[int]) -> float:
    """Share of the variance of column `of` that `given` leave, all as places in `moments.names`."""
    whole = moments.correlations()
    given = list(given)
    if not given:
        return float(whole[of, of])
    told = np.linalg.solve(whole[np.ix_(given, given)], whole[given, of])
    return float(whole[of, of] - whole[of, given] @ told)


def partial_r2(moments: Moments, groups: Mapping[str, Sequence[str]]) -> dict[str, tuple[float, float]]:
    """Partial R² of each group of covariates with the exposure, and with the outcome given the exposure too.

    The other covariates are given in both (Cinelli and Hazlett 2020, JRSS-B 82, 39-67, section 4.4).
    """
    everything = [place - 1 for place in moments.columns()]
    found = {}
    for group, members in groups.items():
        others = [place for place in everything[1:] if moments.names[place] not in members]
        with_exposure = 1 - left(moments, 0, everything[1:]) / left(moments, 0, others)
        outcome = len(moments.names) - 1
        found[group] = with_exposure, 1 - left(moments, outcome, everything) / left(moments, outcome, [0, *others])
    return found
