"""Sites against one another: a funnel plot, with limits corrected for the number of sites, and never a ranking.

Spiegelhalter 2005, Statistics in Medicine 24, 1185-1202: estimates over their precision, limits around the centre
that are wider for the less precise. Here the centre is the precision-weighted mean of the sites that are in line, and
the limits allow for each of them being part of it: a site is outside exactly where it differs from the mean of the
*others* by more than chance would. The outer limits are corrected for the number of sites (Bonferroni): where no site
differs from the others, the chance that any one is called different is at most 5 %.

One site far off would pull the centre so that good sites look strange beside it. So the one furthest outside its limits
leaves the centre, then the next, until the rest are inside theirs; at most half of them leave.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from researchkit.groups.point import SEEN, Groups, Point, allowed

Vector = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]
Word = Literal["in line with the others", "differs from the others by more than chance would", "too few to tell"]
IN_LINE: Word = "in line with the others"
DIFFERS: Word = "differs from the others by more than chance would"
TOO_FEW: Word = "too few to tell"
ERROR = 0.05
WINSOR = 0.1  # share of the sites at either end that are drawn in before the spread is measured
FOR_SPREAD = 5  # sites that it takes to measure it
DRAWS = 2_000_000  # normal values


@dataclass(frozen=True)
class Site:
    """One site: how far it lies from the mean of the others, and how far it would have to lie to be called different.

    `se` is its standard error, enlarged where few clusters make it uncertain.
    """

    point: Point
    se: float
    apart: float
    reach: float
    word: Word


@dataclass(frozen=True)
class Funnel:
    """Sites around their centre, in the effect's unit.

    `weight` is that of the centre. Limits at a standard error s are `centre` ± z * `widened` * sqrt(s^2 - 1 / `weight`)
    for z = `usual` and for z = `corrected`.
    """

    sites: tuple[Site, ...]
    centre: float
    weight: float
    usual: float
    corrected: float
    spread: float | None  # phi: 1 where the sites spread as chance alone makes them; None where they are too few
    widened: float  # root of phi where the spread is wider than chance, else 1

    def limit(self, se: float, z: float) -> float:
        """Half the distance between the limits of a site with this standard error."""
        return z * self.widened * math.sqrt(max(se**2 - 1 / self.weight, 0.0))

    @property
    def differing(self) -> tuple[Site, ...]:
        return tuple(site for site in self.sites if site.word == DIFFERS)


def funnel(groups: Groups) -> Funnel | None:
    """Each site of a question against the others; None where fewer than three have an estimate.

    A site is "too few to tell" where even a difference of four smallest effects that matter would more likely than not
    stay inside its limits. "In line" means that chance alone can explain where the site lies, not that it is the same.
    """
    from scipy import special

    points = groups.shown
    if len(points) < 3:
        return None
    usual, corrected = (float(special.ndtri(1 - ERROR / 2 / many)) for many in (1, len(points)))
    estimates = np.array([point.estimate for point in points])
    errors = np.array(allowed(points, corrected))
    spread, widened = spread_of(points)
    within = in_centre(estimates, errors, corrected * widened)
    weights = within / errors**2
    weight, centre = float(weights.sum()), float(weights @ estimates / weights.sum())
    apart, reach = against(estimates, errors, within, corrected * widened)
    sites = tuple(
        Site(point, float(se), float(off), float(far), word_of(float(off), float(far), groups.margin))
        for point, se, off, far in zip(points, errors, apart, reach, strict=True)
    )
    return Funnel(sites, centre, weight, usual, corrected, spread, widened)


def against(estimates: Vector, errors: Vector, within: Flags, z: float) -> tuple[Vector, Vector]:
    """How far each site lies from the mean of the others in the centre, and how far chance alone would leave it."""
    weights = within / errors**2
    rest = weights.sum() - weights
    return estimates - (weights @ estimates - weights * estimates) / rest, z * np.sqrt(errors**2 + 1 / rest)


def in_centre(estimates: Vector, errors: Vector, z: float) -> Flags:
    """The sites that make the centre: all but those that stand out, taken away one by one, the furthest first."""
    within = np.ones(len(estimates), dtype=bool)
    while within.sum() - 1 >= max(2, len(within) / 2):
        apart, reach = against(estimates, errors, within, z)
        beyond = np.where(within, np.abs(apart) / reach, 0.0)
        if beyond.max() <= 1:
            break
        within[beyond.argmax()] = False
    return within


def word_of(apart: float, reach: float, margin: float) -> Word:
    if abs(apart) > reach:
        return DIFFERS
    return TOO_FEW if margin > 0 and reach > SEEN * margin else IN_LINE


def spread_of(points: Sequence[Point]) -> tuple[float | None, float]:
    """How much wider than by chance the sites spread (phi), and the factor by which their limits are widened for it.

    Spiegelhalter 2005: the mean square of z values, with the most extreme tenth at either end drawn in to the next
    (winsorised), so that one true outlier does not hide itself; limits are widened by the root of phi where it is more
    than two of its standard errors, sqrt(2 / sites), above 1. The z values are taken from the median, which an outlier
    cannot pull either. Winsorising alone makes phi smaller than 1 on average; it is divided by what chance alone would
    give, so that 1 means chance.
    """
    from scipy import special

    sites = len(points)
    if sites < FOR_SPREAD:
        return None, 1.0
    estimates, errors = (np.array([getattr(point, name) for point in points]) for name in ("estimate", "se"))
    z = (estimates - median(estimates, 1 / errors**2)) / errors
    freedom = [point.df for point in points]
    z = np.array(
        [one if df is None else special.ndtri(special.stdtr(df, one)) for one, df in zip(z, freedom, strict=True)]
    )
    phi = float(winsorised(z[None, :]) / by_chance(sites))
    wide = phi > 1 + 2 * math.sqrt(2 / sites)
    return phi, math.sqrt(phi) if wide else 1.0


def median(values: Vector, weights: Vector) -> float:
    """The weighted median: half of the weight lies on either side."""
    order = np.argsort(values)
    return float(np.interp(0.5, (np.cumsum(weights[order]) - weights[order] / 2) / weights.sum(), values[order]))


def winsorised(z: Vector) -> float:
    """The mean square of z values (draws, sites), the most extreme of each draw drawn in to the next."""
    cut, ordered = drawn_in(z.shape[1]), np.sort(z, axis=1)
    return float((np.clip(ordered, ordered[:, [cut]], ordered[:, [-cut - 1]]) ** 2).mean())


def drawn_in(sites: int) -> int:
    """How many sites at either end are drawn in: a tenth, and at least the outermost."""
    return max(1, int(WINSOR * sites))


@cache
def by_chance(sites: int) -> float:
    """The mean square of winsorised z values where chance alone makes the sites differ, to about a part in a thousand.

    It is a constant of each number of sites, simulated: their order and their median leave no formula.
    """
    z = np.random.default_rng(sites).standard_normal((max(200, DRAWS // sites), sites))
    return winsorised(z - np.median(z, axis=1, keepdims=True))
