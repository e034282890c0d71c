"""How far people of one team say the same: what a team's mean is worth before it stands for the team."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import DataError

Vector = NDArray[np.float64]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Shared:
    """ICC(1), the share of the variance that lies between teams, and ICC(2), the reliability of a team's mean."""

    one: tuple[float, float, float]  # value, low, high
    two: tuple[float, float, float]
    people: int
    teams: int


def shared(values: Vector, team: Codes, level: float = 0.95) -> Shared:
    """ICC(1) and ICC(2) from a one-way analysis of variance, with limits by F.

    Parameters
    ----------
    values, team
        Scores (n,) without gaps, one a person, and the team of each; teams of one person count as well.

    Raises
    ------
    DataError
        With fewer than two teams, nobody beside anybody, or scores that never differ within a team.

    References
    ----------
    Bliese (2000), in Klein and Kozlowski, Multilevel Theory, 349-381. Teams of unequal size enter with the corrected
    mean size of Donner and Koval (1980), Biometrics 36, 19-25; with equal sizes the limits are exact. Agrees with R
    `anova(lm(score ~ factor(team)))`.
    """
    from scipy.stats import f

    teams, places, sizes = np.unique(team, return_inverse=True, return_counts=True)
    n, groups = len(values), len(teams)
    if groups < 2 or n <= groups:
        raise DataError(
            f"Agreement within teams needs 2 teams and people who share one; {n} people are in {groups} teams."
        )
    means = np.bincount(places, values) / sizes
    between = float(sizes @ (means - values.mean()) ** 2) / (groups - 1)
    within = float(np.sum((values - means[places]) ** 2)) / (n - groups)
    if not within > 0:
        raise DataError("Within each team all say the same, so that agreement cannot be told from having one answer.")
    size = (n - float(np.sum(sizes**2)) / n) / (groups - 1)
    ratio, degrees = between / within, (groups - 1, n - groups)
    limits = [ratio, *(ratio / f.ppf([(1 + level) / 2, (1 - level) / 2], *degrees))]
    one, two = (
        [(g(x)) for x in limits] for g in (lambda x: (x - 1) / (x + size - 1), lambda x: 1 - 1 / x if x else -np.inf)
    )
    return Shared((one[0], one[1], one[2]), (two[0], two[1], two[2]), n, groups)


def within_team(items: Vector, team: Codes, options: int) -> Vector:
    """r_wg of each team with two people or more: 1 where all say the same, 0 where answers are as spread as by chance.

    Parameters
    ----------
    items, team
        Answers (n, k) without gaps, and the team of each person.
    options
        How many answers an item has. By chance means that each is as likely.

    References
    ----------
    James, Demaree and Wolf (1984), Journal of Applied Psychology 69, 85-98: r_wg(J); what would fall below 0 is 0.
    """
    _, places, sizes = np.unique(team, return_inverse=True, return_counts=True)
    k = items.shape[1]
    sums = np.array([np.bincount(places, column) for column in items.T])
    rest = items - (sums / sizes).T[places]
    spread = np.array([np.bincount(places, column) for column in (rest**2).T])[:, sizes > 1] / (sizes[sizes > 1] - 1)
    ratio = np.minimum(spread.mean(axis=0) / ((options**2 - 1) / 12), 1.0)
    result: Vector = k * (1 - ratio) / (k * (1 - ratio) + ratio)
    return result
