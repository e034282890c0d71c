"""The Net Promoter Score of one group of answers, with its interval.

The score is the difference between two shares of the same people, as in paired yes/no answers, so its intervals are
those of paired data: promoters and detractors are the two discordant cells.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError
from researchkit.estimators import refuse
from researchkit.estimators.effect import Vector, wald

PROMOTER, DETRACTOR = 9, 6  # from 9 up; from 6 down
Counts = NDArray[np.int64]
Method = Literal["exact", "score", "wald"]
FEW_ANSWERS = 200  # up to here the exact interval takes a second or less
FEW_OTHERS = 20  # outside the most frequent kind; with fewer the multinomial's error is not to be trusted
ROUNDING = 1e-9  # statistics this close are equal
NEVER = 1e-16  # a chance that adds nothing to others


def nps(values: Vector, level: float = 0.95, method: Method | None = None) -> tuple[float, float, float, float]:
    """Net Promoter Score of answers 0 to 10 (n,): (score, standard error, low, high), in points from -100 to 100.

    The standard error is the multinomial's, sqrt((P + D - (P - D)^2) / n) with P promoters (9, 10) and D detractors (0
    to 6), whatever the interval; it is 0 where all answers are of one kind.

    Parameters
    ----------
    method
        "exact" covers the true score at least as often as `level` says, whatever it is; "score" is Tango's, about as
        often on average; "wald" is the score plus and minus so many standard errors. None is exact for up to 200
        answers; beyond, Tango's where fewer than 20 answers are outside the most frequent kind, else the multinomial's,
        whose limits are then within 1.6 points of Tango's (0.4 with 1,000 answers).

    Raises
    ------
    EstimationError
        With no answer, an answer outside 0 to 10, "wald" for answers of one kind, or a method that there is not.

    References
    ----------
    Tango (1998), Statistics in Medicine 17, 891-908 (the score statistic and its nuisance share);
    Hsueh, Liu and Chen (2001), Biometrics 57, 478-483 (the exact unconditional test of it; its p-value is the largest
    over the nuisance share). Tests of both sides at half the error each are inverted. In R by hand, see
    `tests/reference/assumptions.R`.
    """
    refuse.level(level)
    values = np.asarray(values, dtype=float)
    if outside := int(np.sum(~np.isin(values, np.arange(11)))):
        raise EstimationError(f"{outside} answers are not whole numbers from 0 to 10, so they have no place in an NPS.")
    if not len(values):
        raise EstimationError("There is no answer to take an NPS of.")
    up, down, n = int(np.sum(values >= PROMOTER)), int(np.sum(values <= DETRACTOR)), len(values)
    score = 100 * (up - down) / n
    se = 100 * float(np.sqrt(max((up + down) / n - ((up - down) / n) ** 2, 0.0) / n))
    limits = {"exact": exact_limit, "score": score_limit}
    method = method or _method(up, down, n)
    if limit := limits.get(method):
        # The upper limit is the lower one of the mirror image, with its sign turned.
        return score, se, 100 * float(limit(up, down, n, level)), -100 * float(limit(down, up, n, level))
    if method != "wald":
        raise EstimationError(f"There is no interval {method!r} of an NPS; there are exact, score and wald.")
    if se == 0:
        raise EstimationError(f"All {n} answers are of one kind, so their standard error gives no interval.")
    low, high, _ = wald(score, se, level)
    return score, se, low, high


def _method(up: int, down: int, n: int) -> Method:
    if n <= FEW_ANSWERS:
        return "exact"
    return "score" if n - max(up, down, n - up - down) < FEW_OTHERS else "wald"


def score_limit(up: int, down: int, n: int, level: float) -> float:
    """Tango's lower limit for the difference of the shares `up` / n and `down` / n."""
    from scipy.optimize import brentq
    from scipy.special import ndtri

    z, estimate = float(ndtri((1 + level) / 2)), (up - down) / n
    if estimate <= -1:
        return -1.0

    def beyond(gap: float) -> float:
        return min(float(tango(up, down, n, gap)), 1e3) - z  # at the ends it is infinite

    return float(brentq(beyond, -1.0, estimate, xtol=1e-14, rtol=1e-12))


def tango(up: Counts | int, down: Counts | int, n: int, gap: float) -> Vector:
    """Tango's statistic against a true difference of `gap`, -1 to 1: standard normal where that is the truth."""
    up, down = np.asarray(up, dtype=float), np.asarray(down, dtype=float)
    half = ((2 * n - up + down) * gap - up - down) / (4 * n)
    root = np.sqrt(np.maximum(half**2 + down * gap * (1 - gap) / (2 * n), 0.0))
    share = np.clip(root - half, max(0.0, -gap), (1 - gap) / 2)  # of detractors, most likely under `gap`
    variance = n * np.maximum(2 * share + gap * (1 - gap), 0.0)
    away = up - down - n * gap
    away = np.where(np.abs(away) < ROUNDING, 0.0, away)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(away == 0, 0.0, away / np.sqrt(variance)))


def exact_limit(up: int, down: int, n: int, level: float) -> float:
    """The exact lower limit: the least difference that a test of "no more than this" leaves standing.

    The p-value jumps where other tables enter its tail, so that it may cross the error more than once: what lies within
    4/n below the crossing that is found is looked at too.
    """
    error, estimate = (1 - level) / 2, (up - down) / n
    if estimate <= -1:
        return -1.0

    def stands(gap: float) -> bool:
        return tail(up, down, n, gap) > error

    def crossing(low: float, high: float) -> float:
        while high - low > 1e-7:
            middle = (low + high) / 2
            low, high = (low, middle) if stands(middle) else (middle, high)
        return low

    limit, step = crossing(-1.0, estimate), 1 / (25 * n)
    lower = [gap for gap in limit - step * np.arange(1, 101) if gap > -1 and stands(gap)]
    return crossing(max(min(lower) - step, -1.0), min(lower)) if lower else limit


def tail(up: int, down: int, n: int, gap: float) -> float:
    """The one-sided p-value against a difference of `gap`: a statistic as great, at the worst share of detractors.

    For each number of detractors the tail holds all numbers of promoters from some number on, so that its chance is
    a sum of binomial tails.
    """
    least = _least(up, down, n, gap)
    low, high = max(0.0, -gap), (1 - gap) / 2
    best, near = 0.0, np.linspace(0, np.pi, 65)
    for _ in range(3):
        shares = low + (high - low) * (1 - np.cos(near)) / 2
        chances = _chances(least, n, gap, shares)
        place = int(np.argmax(chances))
        best = max(best, float(chances[place]))
        near = np.linspace(near[max(place - 1, 0)], near[min(place + 1, len(near) - 1)], 17)
    return best


def _least(up: int, down: int, n: int, gap: float) -> Counts:
    """The least number of promoters, for 0 to n detractors, with a statistic as great as that observed.

    The statistic rises with each promoter and falls with each detractor, so halving finds it. Where no table has one,
    it is one promoter more than fit.
    """
    number, observed = np.arange(n + 1), float(tango(up, down, n, gap)) - ROUNDING
    below, found = np.full(n + 1, -1), n - number + 1
    while np.any(found - below > 1):
        middle = (below + found) // 2
        reached = tango(middle, number, n, gap) >= observed
        found, below = np.where(reached, middle, found), np.where(reached, below, middle)
    return found


def _chances(least: Counts, n: int, gap: float, shares: Vector) -> Vector:
    """The chance of the tail for each share (s,) of detractors: over their number, those of so many promoters."""
    from scipy.special import betainc, gammaln, xlog1py, xlogy

    down = np.arange(n + 1)
    kept = least <= n - down
    down, least = down[kept], least[kept]
    shares = shares[:, None]
    ways = gammaln(n + 1) - gammaln(down + 1) - gammaln(n - down + 1)
    own = np.exp(ways + xlogy(down, shares) + xlog1py(n - down, -shares))
    with np.errstate(divide="ignore", invalid="ignore"):
        among_others = np.where(shares < 1, np.clip((shares + gap) / (1 - shares), 0, 1), 0.0)
    place, number = np.nonzero(own > NEVER)
    few, rest = least[number], (n - down)[number]
    # so many successes or more of `rest`, as an incomplete beta function
    beyond = np.where(few > 0, betainc(np.maximum(few, 1), rest - few + 1, among_others[place, 0]), 1.0)
    return np.asarray(np.bincount(place, weights=own[place, number] * beyond, minlength=len(shares)), dtype=float)
