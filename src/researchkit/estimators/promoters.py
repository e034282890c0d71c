"""The Net Promoter Score of one group of answers, with its interval."""

from __future__ import annotations

import numpy as np

from researchkit.errors import EstimationError
from researchkit.estimators.effect import Vector, wald

PROMOTER, DETRACTOR = 9, 6  # from 9 up; from 6 down


def nps(values: Vector, level: float = 0.95) -> tuple[float, float, float, float]:
    """Net Promoter Score of answers 0 to 10 (n,): (score, standard error, low, high), in points from -100 to 100.

    The variance is the multinomial's, (P + D - (P - D)^2) / n with P promoters (9, 10) and D detractors (0 to 6).

    Raises
    ------
    EstimationError
        With no answer, an answer outside 0 to 10, or all answers of one kind (there is no interval then).
    """
    values = np.asarray(values, dtype=float)
    if outside := int(np.sum(~np.isin(values, np.arange(11)))):
        raise EstimationError(f"{outside} answers are not whole numbers from 0 to 10, so they have no place in an NPS.")
    if not len(values):
        raise EstimationError("There is no answer to take an NPS of.")
    up, down = float(np.mean(values >= PROMOTER)), float(np.mean(values <= DETRACTOR))
    variance = (up + down - (up - down) ** 2) / len(values)
    if variance <= 0:
        raise EstimationError(f"All {len(values)} answers are of one kind, so their NPS has no interval.")
    se = 100 * float(np.sqrt(variance))
    low, high, _ = wald(100 * (up - down), se, level)
    return 100 * (up - down), se, low, high
