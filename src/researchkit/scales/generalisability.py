"""Generalisability: how much of a score is the person's, and how much the rater's or the occasion's.

A G study splits the variance of scores that the same raters gave to the same persons, on one occasion or on several; a
D study says from it what a mean over so many raters (and occasions) would be worth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import DataError

Ratings = NDArray[np.float64]


@dataclass(frozen=True)
class Generalisability:
    """Variance components by their source, such as {"person": 0.4, "rater": 0.1, "person x rater": 0.2}.

    In the last stands what is not told from error. Below 0 by chance, a component is 0, as in the usual practice.
    """

    components: dict[str, float]
    persons: int
    raters: int
    occasions: int = 1

    def relative(self, raters: int, occasions: int = 1) -> float:
        """G coefficient: for ranking persons by the mean of so many raters (and occasions)."""
        return self._worth(self._noise(raters, occasions))

    def absolute(self, raters: int, occasions: int = 1) -> float:
        """Phi: for the score as it stands, strict and lenient raters included."""
        found = self.components
        levels = found["rater"] / raters
        if self.occasions > 1:
            levels += found["occasion"] / occasions + found["rater x occasion"] / (raters * occasions)
        return self._worth(self._noise(raters, occasions) + levels)

    def raters_for(self, least: float, most: int = 50, occasions: int = 1) -> int | None:
        """The fewest raters whose mean has a G coefficient of at least `least`; None if `most` are not enough."""
        return next((k for k in range(1, most + 1) if self.relative(k, occasions) >= least), None)

    def _noise(self, raters: int, occasions: int) -> float:
        found = self.components
        if self.occasions == 1:
            return found["person x rater"] / raters
        return (
            found["person x rater"] / raters
            + found["person x occasion"] / occasions
            + found["person x rater x occasion"] / (raters * occasions)
        )

    def _worth(self, noise: float) -> float:
        person = self.components["person"]
        return person / (person + noise) if person + noise > 0 else 0.0


def generalise(ratings: Ratings) -> Generalisability:
    """Variance components of complete ratings, by mean squares.

    Parameters
    ----------
    ratings
        Shape (persons, raters), or (persons, raters, occasions), without gaps: everybody was rated by the same raters.

    Raises
    ------
    DataError
        With fewer than 2 persons, raters or (where there are any) occasions, a gap, or ratings that are all the same.

    References
    ----------
    Brennan (2001), Generalizability Theory, chapters 2 and 3. Where no component is below 0 it agrees with REML: R
    `lme4::lmer(score ~ 1 + (1 | person) + (1 | rater))`, and with all two-way terms for three dimensions.
    """
    ratings = np.asarray(ratings, dtype=float)
    if ratings.ndim not in (2, 3) or min(ratings.shape) < 2:
        raise DataError(
            f"A generalisability study needs 2 persons, 2 raters and, if any, 2 occasions; the table"
            f" is {ratings.shape}."
        )
    if not np.isfinite(ratings).all():
        raise DataError("A rating is missing or infinite. Leave out whoever was not rated by all raters.")
    if np.ptp(ratings) == 0:
        raise DataError("All ratings are the same, so there is no variance to split.")
    return crossed_two(ratings) if ratings.ndim == 2 else crossed_three(ratings)


def crossed_two(x: Ratings) -> Generalisability:
    n, k = x.shape
    grand, person, rater = x.mean(), x.mean(axis=1), x.mean(axis=0)
    between = k * np.sum((person - grand) ** 2) / (n - 1)
    judges = n * np.sum((rater - grand) ** 2) / (k - 1)
    error = np.sum((x - person[:, None] - rater + grand) ** 2) / ((n - 1) * (k - 1))
    found = {"person": (between - error) / k, "rater": (judges - error) / n, "person x rater": error}
    return Generalisability({name: max(float(value), 0.0) for name, value in found.items()}, n, k)


def crossed_three(x: Ratings) -> Generalisability:
    """Each effect's mean square, and then what is left of it after the effects that it holds."""
    sizes = x.shape
    axes = {"p": 0, "r": 1, "o": 2}
    grand = x.mean()
    means = {
        name: x.mean(axis=tuple(axis for letter, axis in axes.items() if letter not in name), keepdims=True)
        for name in ("p", "r", "o", "pr", "po", "ro")
    }
    parts = {name: means[name] - grand for name in ("p", "r", "o")}
    for name in ("pr", "po", "ro"):
        parts[name] = means[name] - means[name[0]] - means[name[1]] + grand
    parts["pro"] = x - grand - sum(parts.values())
    square = {}
    for name, part in parts.items():
        free = np.prod([sizes[axes[letter]] - 1 for letter in name])
        square[name] = float(np.sum(np.broadcast_to(part, sizes) ** 2) / free)
    p, r, o = sizes
    error = square["pro"]
    two = {"pr": (square["pr"] - error) / o, "po": (square["po"] - error) / r, "ro": (square["ro"] - error) / p}
    one = {
        "p": (square["p"] - square["pr"] - square["po"] + error) / (r * o),
        "r": (square["r"] - square["pr"] - square["ro"] + error) / (p * o),
        "o": (square["o"] - square["po"] - square["ro"] + error) / (p * r),
    }
    names = {"p": "person", "r": "rater", "o": "occasion"}
    found = {
        " x ".join(names[letter] for letter in name): value for name, value in {**one, **two, "pro": error}.items()
    }
    return Generalisability({name: max(value, 0.0) for name, value in found.items()}, p, r, o)
