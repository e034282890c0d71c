"""Who starts when, dealt out anew: what the answer would be if the start did nothing.

The estimate is linear in the outcome, so a constant effect of any size is tested by the same draws, and the sizes that
are not rejected are an interval that is exact where the lot decided, however few began.

References
----------
Fisher (1935), The Design of Experiments; Roth and Sant'Anna (2023), Journal of Political Economy: Microeconomics 1,
669-709, on staggered starts drawn by lot.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from researchkit.estimators.effect import Matrix, Vector
from researchkit.estimators.rollout import Laid

SEED = 20251101
DRAWS, BATCH, MOST = 1_999, 1_000_000, 20_000_000  # numbers held at once, and dealt out in all


@dataclass(frozen=True)
class Drawn:
    """`p` of no effect on anybody; the interval of constant effects that are not rejected; how many `draws`."""

    p: float
    low: float
    high: float
    draws: int


def draw_again(laid: Laid, level: float = 0.95, draws: int = DRAWS) -> Drawn | None:
    """Deal the starts out among the units; None where several units begin as one, which no such draw keeps."""
    cells, found, every = laid.cells, laid.found, laid.every
    size = len(cells.units)
    if int(cells.cluster.max()) + 1 < size:
        return None
    after = found.event >= 0
    one, other = (found.treated[after] > 0).astype(float), (found.compared[after] > 0).astype(float)
    outcome = (found.change[0] - np.tensordot(every.slopes, found.change[1:], 1))[after]
    begun = cells.treated.astype(float)
    moved = (begun[:, found.period].T - found.base @ begun.T)[after]
    mass = cells.weight * there(laid)[after]
    rng = np.random.default_rng(SEED)
    draws = max(199, min(draws, MOST // mass.size))
    orders = np.array([np.arange(size), *(rng.permutation(size) for _ in range(draws))])
    step = max(1, BATCH // mass.size)
    parts = [means(orders[at : at + step], one, other, mass, (outcome, moved)) for at in range(0, len(orders), step)]
    both = np.concatenate(parts, axis=1)
    return inverted(both[0], both[1], level)


def there(laid: Laid) -> NDArray[np.bool_]:
    """(K, U) which units have a change to each comparison's time."""
    values, found = laid.cells.values[0], laid.found
    base = np.array([np.isfinite(values[:, row > 0]).any(axis=1) for row in found.base])
    return np.isfinite(values[:, found.period]).T & base


def means(orders: NDArray[np.int64], one: Matrix, other: Matrix, mass: Matrix, values: tuple[Matrix, Matrix]) -> Matrix:
    """(2, D) the average over all comparisons for each order (D, U) of the units, of outcome and of treatment."""
    dealt = mass[:, orders]  # (K, D, U): a place in the roll-out gets the history of another unit
    sums = [np.einsum("ku,kdu->kd", side, dealt) for side in (one, other)]
    good = (sums[0] > 0) & (sums[1] > 0)
    weight = np.where(good, sums[0], 0.0)
    told = []
    for value in values:
        history = (mass * value)[:, orders]
        sides = [
            np.einsum("ku,kdu->kd", side, history) / np.where(good, total, 1.0)
            for side, total in zip((one, other), sums, strict=True)
        ]
        with np.errstate(invalid="ignore"):  # NaN where an order leaves nothing to compare
            told.append((weight * (sides[0] - sides[1])).sum(axis=0) / weight.sum(axis=0))
    return np.array(told)


def inverted(outcome: Vector, treatment: Vector, level: float) -> Drawn:
    """Constant effects t for which |a - t b| of the first draw, the real one, is not among the largest of all."""
    a, b = outcome[0], treatment[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.array([(outcome - a) / (treatment - b), (outcome + a) / (treatment + b)])
    always = ~(np.abs(treatment) < abs(b) - 1e-12)  # as hard to beat for any effect; the real draw among them
    low, high = np.where(always, -math.inf, ends.min(axis=0)), np.where(always, math.inf, ends.max(axis=0))
    # Where it is 0, too few ways to deal for any to be rejected, these are the limits of the real draw: none.
    rank = math.floor((1 - level) * len(outcome) + 1e-6)  # 0.1 of 2,000 is 200, whatever 1 - 0.9 is
    p = float(np.mean(~(np.abs(outcome) < abs(a) - 1e-12)))  # an order that gives no answer is none that is beaten
    return Drawn(p, float(np.sort(low)[rank]), float(np.sort(high)[::-1][rank]), len(outcome) - 1)
