"""How far a coder agrees with people, with an interval that knows that turns of one conversation are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from researchkit import wording
from researchkit.disclosure import PROFILES
from researchkit.errors import DataError

SHOWN = max(profile.threshold for profile in PROFILES.values())  # conversations behind a share that any page may tell
FEWEST = 10  # conversations: with fewer there is no interval to rely on
WORST = -1 + 1e-6  # the least kappa that has a place on the scale of its interval
Yes = NDArray[np.bool_]


@dataclass(frozen=True)
class Agreed:
    """Cohen's kappa of one code with its interval; what the coder finds of people's, and how much of that is right.

    `turns` and `conversations` are those that people have coded; `said` are how many conversations have a turn in each
    of the four fields: both, people only, coder only, neither.
    """

    code: str
    kappa: float
    low: float
    high: float
    found: float  # of the turns in which people heard it, the share in which the coder does (sensitivity)
    right: float  # of the turns in which the coder hears it, the share in which people do (predictive value)
    people: float  # share of turns in which people heard it
    coder: float
    turns: int
    conversations: int
    said: tuple[int, int, int, int]

    def __str__(self) -> str:
        limits = wording.interval(self.low, self.high)
        told = f"kappa {wording.number(self.kappa)} with people (95 % interval {limits})"
        if any(0 < count < SHOWN for count in self.said):
            return told
        return (
            f"{told}; of what people heard it finds {wording.percent(self.found, 0)}, and of what it finds "
            f"{wording.percent(self.right, 0)} were heard by people"
        )


def agreed(code: str, people: Yes, coder: Yes, whose: NDArray[np.int64], level: float = 0.95) -> Agreed:
    """Agreement of two codes (n,) of the same turns, `whose` (n,) says in which conversation.

    The interval leaves out one conversation after the other (delete-a-group jackknife) and takes t with G - 1: turns of
    one conversation have the same speakers and topic, so the usual standard error of kappa is too small. It is made on
    the scale of atanh, for near 1 kappa is skewed, and the plain jackknife holds the truth too seldom. Where the two
    never differ the lower limit is that of a share never seen in G conversations, 1 - alpha^(1/G), off from 1.

    Raises
    ------
    DataError
        With fewer than 10 conversations, or where people heard the code in all turns or in none.

    References
    ----------
    Cohen (1960), Educational and Psychological Measurement 20, 37-46; Efron and Tibshirani (1993), An Introduction to
    the Bootstrap, chapter 11. Kappa agrees with R `psych::cohen.kappa`.
    """
    from scipy.special import stdtrit

    _, group = np.unique(whose, return_inverse=True)
    groups = int(group.max(initial=-1)) + 1
    fields = [people & coder, people & ~coder, ~people & coder, ~people & ~coder]
    counts = np.column_stack([np.bincount(group, field, groups) for field in fields]) if groups else np.zeros((0, 4))
    both, missed, extra, neither = total = counts.sum(axis=0)
    if groups < FEWEST:
        raise DataError(f"people have coded {groups} conversations, and how far a coder agrees needs {FEWEST}")
    if both + missed == 0 or extra + neither == 0:
        raise DataError(
            f"people heard it in {'no' if both + missed == 0 else 'every'} turn, so nothing can be told apart"
        )
    middle, without = steady(total), steady(total - counts)
    half = stdtrit(groups - 1, (1 + level) / 2) * np.sqrt((groups - 1) / groups * np.sum((without - middle) ** 2))
    low, high = np.tanh(middle - half), np.tanh(middle + half)
    if missed + extra == 0:
        low, high = float((1 - level) ** (1 / groups)), 1.0
    size = total.sum()
    return Agreed(
        code,
        float(kappa(total)),
        float(low),
        float(high),
        found=float(both / (both + missed)),
        right=float(both / (both + extra)) if both + extra else float("nan"),
        people=float((both + missed) / size),
        coder=float((both + extra) / size),
        turns=int(size),
        conversations=groups,
        said=tuple(int((column > 0).sum()) for column in counts.T),  # type: ignore[arg-type]
    )


def steady(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Kappa of 2 x 2 counts (..., 4) on a scale on which it is about as uncertain everywhere.

    Counts without any difference are taken for half a turn that differs: 1 itself lies nowhere on that scale.
    """
    same = (counts[..., 1] + counts[..., 2] == 0)[..., None]
    value = kappa(counts + np.where(same, [0.0, 0.25, 0.25, 0.0], 0.0))
    return np.asarray(np.arctanh(np.maximum(value, WORST)))


def kappa(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cohen's kappa of 2 x 2 counts (..., 4); 0 where chance alone would give all that is seen."""
    both, missed, extra, neither = np.moveaxis(np.asarray(counts, dtype=float), -1, 0)
    size = both + missed + extra + neither
    with np.errstate(invalid="ignore", divide="ignore"):
        chance = ((both + missed) * (both + extra) + (extra + neither) * (missed + neither)) / size**2
        found = ((both + neither) / size - chance) / (1 - chance)
    return np.asarray(np.where(np.isfinite(found), found, 0.0))
