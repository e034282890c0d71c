"""A cause of mediator and outcome that nobody measured: how alike it would make the errors of both lines, and what that
would make of the indirect effect.

References
----------
Imai, Keele and Yamamoto (2010), Statistical Science 25, 51-71, section 5: at a correlation r of the errors of both
lines, path b is off by r s / (t sqrt(1 - r²)), with s and t the spread of what is left of outcome and mediator; the
indirect effect is zero where r is their partial correlation.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from researchkit.estimators import Effect
    from researchkit.estimators.effect import Vector
    from researchkit.estimators.paths import Laid, Paths

HALVINGS = 30  # of the way to the correlation at which the interval meets zero
LEAST, FURTHEST = 0.3, 0.9  # the largest correlation of errors that is drawn lies between


def correlation(paths: Paths, shift: float) -> float:
    """The correlation of the errors of both lines at which path b is off by `shift`."""
    ratio = shift * paths.spread[0] / paths.spread[1]
    return ratio / math.hypot(1.0, ratio)


def shifted(paths: Paths, errors: float) -> float:
    """By how much path b is off where the errors of both lines correlate by `errors`."""
    return errors / math.sqrt(1 - errors**2) * paths.spread[1] / paths.spread[0]


def of_limit(paths: Paths, effect: Effect) -> float:
    """The smallest correlation of errors, on the side that takes the answer away, at which its interval meets zero."""
    from researchkit.estimators.paths import product

    if effect.low <= 0 <= effect.high:
        return 0.0
    draws, near, far = paths.drawn(), 0.0, 1.0  # as shares of path b
    for _ in range(HALVINGS):
        middle = (near + far) / 2
        low, high, _ = product(draws, effect.level, middle * paths.b.estimate)
        near, far = (middle, far) if low > 0 or high < 0 else (near, middle)
    return correlation(paths, near * paths.b.estimate)


def strength(laid: Laid, group: str) -> float:
    """By how much the errors of both lines would correlate had one measured cause been left out, without its sign."""
    with_mediator = explained(laid, group, outcome=False)
    with_outcome = explained(laid, group, outcome=True)
    odds = (
        with_outcome / (1 - with_outcome) / (1 - with_mediator) if with_outcome < 1 and with_mediator < 1 else math.inf
    )
    return math.sqrt(with_mediator * (odds / (1 + odds) if math.isfinite(odds) else 1.0))


def explained(laid: Laid, group: str, *, outcome: bool) -> float:
    """The share that a group explains of what the others leave of the mediator, or of the outcome beside it."""
    left = []
    for one in (laid, laid.without(group)):
        sample = one.sample
        columns = [
            np.ones(len(one.mediator)),
            sample.exposure,
            *sample.covariates.T,
            *([one.mediator] if outcome else []),
        ]
        left.append(_left(np.column_stack(columns), sample.outcome if outcome else one.mediator, sample.weights))
    return max(0.0, 1 - left[0] / left[1]) if left[1] > 0 else 0.0


def _left(matrix: Any, values: Vector, weights: Vector | None) -> float:
    """Sum of squares that the columns leave."""
    root = np.ones(len(values)) if weights is None else np.sqrt(weights)
    matrix, values = matrix * root[:, None], values * root
    rest = values - matrix @ np.linalg.lstsq(matrix, values, rcond=None)[0]
    return float(rest @ rest)


def sensitivity(laid: Laid, paths: Paths, level: float, points: int = 37) -> list[tuple[float, float, float, float]]:
    """The indirect effect with its interval over the correlation of errors: (correlation, estimate, low, high) each."""
    from researchkit.estimators.paths import product

    draws, found = paths.drawn(), []
    zero = abs(correlation(paths, paths.b.estimate))
    measured = [strength(laid, group) for group in dict.fromkeys(laid.sample.groups)]
    most = min(FURTHEST, max(LEAST, 1.5 * max([zero, *measured])))  # so far that what matters is seen
    for errors in np.linspace(-most, most, points).tolist():
        shift = shifted(paths, errors)
        low, high, _ = product(draws, level, shift)
        found.append((errors, paths.a.estimate * (paths.b.estimate - shift), low, high))
    return found
