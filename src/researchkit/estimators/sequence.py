"""Which came first, within sequences: a later value on an earlier one, with what never changes in a sequence taken out.

Turns of a conversation are short sequences in which each side answers the other. Plain fixed effects mislead there: the
mean that they take out holds what comes later, and later turns answer this one (Nickell 1981, Econometrica 49, 1417).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError
from researchkit.estimators.effect import Matrix, Vector
from researchkit.estimators.linear import VANISHED, summed

FEWEST = 10  # sequences: with fewer the errors are not to be relied on
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Lagged:
    """Coefficients (k,) within sequences, their errors and limits; and of how many rows and sequences they are."""

    coefficients: Vector
    errors: Vector
    low: Vector
    high: Vector
    rows: int
    sequences: int


def within(outcome: Vector, columns: Matrix, whose: Places, level: float = 0.95) -> Lagged:
    """Slopes of `outcome` (n,) on `columns` (n, k) within sequences, where later columns may answer earlier outcomes.

    Each row's outcome and columns are measured from the mean of the rows that follow in its sequence (forward
    orthogonal deviations); the instruments are the columns measured from the mean of those before, which no later row
    can touch. Errors are clustered by sequence, with the factor G / (G - 1) and t(G - 1).

    Parameters
    ----------
    whose
        (n,) which sequence each row is of; rows of one stand in their order. Fewer than 3 rows of one say nothing.

    Raises
    ------
    EstimationError
        With fewer than 10 sequences of 3 rows, or where the columns do not move within sequences.

    References
    ----------
    Arellano and Bover (1995), Journal of Econometrics 68, 29-51; Hayakawa, Qi and Breitung (2019), Econometric Reviews
    38, 1055-1088 (both filters).
    """
    from scipy.special import stdtrit

    _, code = np.unique(whose, return_inverse=True)
    size = np.bincount(code)[code]
    place = np.arange(len(code)) - np.searchsorted(code, code)
    if np.any(np.diff(code) < 0):
        raise EstimationError("the rows of each sequence must stand together")
    both = np.column_stack([outcome, columns])
    before, after = running(both, code), running(both[::-1], code.max(initial=0) - code[::-1])[::-1]
    use = (place > 0) & (place < size - 1)
    left, behind = (size - 1 - place)[use, None], place[use, None]
    forward = np.sqrt(left / (left + 1)) * (both[use] - after[use] / left)
    backward = (both[use] - before[use] / behind)[:, 1:]
    groups = len(np.unique(code[use]))
    if groups < FEWEST:
        raise EstimationError(f"{groups} sequences have 3 turns or more, and timing within them needs {FEWEST}")
    cross = backward.T @ forward[:, 1:]
    scale = np.sqrt(np.outer((backward**2).sum(axis=0), (forward[:, 1:] ** 2).sum(axis=0)))
    if np.any(scale == 0) or np.linalg.cond(cross / scale) > 1 / VANISHED:
        raise EstimationError("what comes before does not move within sequences, so nothing can be told apart there")
    at = np.linalg.solve(cross, backward.T @ forward[:, 0])
    scores = summed(backward * (forward[:, 0] - forward[:, 1:] @ at)[:, None], code[use])
    bread = np.linalg.inv(cross)
    spread = groups / (groups - 1) * bread @ (scores.T @ scores) @ bread.T
    errors = np.sqrt(np.diag(spread))
    half = stdtrit(groups - 1, (1 + level) / 2) * errors
    return Lagged(at, errors, at - half, at + half, int(use.sum()), groups)


def running(values: Matrix, code: Places) -> Matrix:
    """(n, k) sums of the rows before each in its sequence, whose rows stand together."""
    total = np.cumsum(values, axis=0) - values
    return total - total[np.searchsorted(code, code)]
