"""How far raters of the same units agree: numbers by an intraclass correlation, words by kappa, either by Krippendorff.

An observer's score is worth what two observers agree on. Which coefficient: `icc` for numbers, each unit rated by the
same raters; `kappa` for two raters and categories; `krippendorff` for any number of raters, and units that some of them
left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import DataError

Ratings = NDArray[np.float64]
Measure = Literal["nominal", "ordinal", "interval", "ratio"]
DRAWS = 1_000


@dataclass(frozen=True)
class Agreement:
    """A coefficient with its interval, and how many units and raters it is from."""

    value: float
    low: float
    high: float
    units: int
    raters: int


def icc(ratings: Ratings, form: str = "2,1", level: float = 0.95) -> Agreement:
    """An intraclass correlation of Shrout and Fleiss.

    Parameters
    ----------
    ratings
        Shape (units, raters), without gaps.
    form
        "1,1" where each unit has raters of its own; "2,1" where the same raters, drawn from many, rate all and a rater
        who is stricter counts as disagreement; "3,1" for these raters alone, strictness aside. "1,k", "2,k" and
        "3,k" are of the raters' mean.

    Raises
    ------
    DataError
        With fewer than 2 units or raters, a gap, or units that do not differ at all.

    References
    ----------
    Shrout and Fleiss (1979), Psychological Bulletin 86, 420-428; limits of form 2 as McGraw and Wong (1996),
    Psychological Methods 1, 30-46. Agrees with R `psych::ICC(x, lmer = FALSE)`.
    """
    ratings = np.asarray(ratings, dtype=float)
    n, k = whole(ratings)
    grand, units, raters = ratings.mean(), ratings.mean(axis=1), ratings.mean(axis=0)
    between = k * float(np.sum((units - grand) ** 2)) / (n - 1)
    within = float(np.sum((ratings - units[:, None]) ** 2)) / (n * (k - 1))
    judges = n * float(np.sum((raters - grand) ** 2)) / (k - 1)
    left = ratings - units[:, None] - raters + grand
    error = float(np.sum(left**2)) / ((n - 1) * (k - 1))
    kind, _, of_mean = form.partition(",")
    if kind not in ("1", "2", "3") or of_mean not in ("1", "k"):
        raise DataError(f"There is no ICC({form}); there are 1,1 2,1 3,1 1,k 2,k and 3,k.")
    if kind == "2":
        found = two_way(between, judges, error, n, k, level)
    else:
        noise, degrees = (within, n * (k - 1)) if kind == "1" else (error, (n - 1) * (k - 1))
        found = one_way(between, noise, n, k, degrees, level)
    value, low, high = (k * one / (1 + (k - 1) * one) if of_mean == "k" else one for one in found)
    return Agreement(value, low, high, n, k)


def whole(ratings: Ratings) -> tuple[int, int]:
    """Units and raters of a table that can be analysed."""
    if ratings.ndim != 2 or min(ratings.shape) < 2:
        raise DataError(f"Agreement needs at least 2 units and 2 raters; the table is {ratings.shape}.")
    if not np.isfinite(ratings).all():
        raise DataError(
            "A rating is missing or infinite. Leave its unit out, or use `krippendorff`, which allows gaps."
        )
    if np.ptp(ratings) == 0:
        raise DataError("All ratings are the same, so that agreement cannot be told from having nothing to tell apart.")
    return ratings.shape[0], ratings.shape[1]


def one_way(between: float, noise: float, n: int, k: int, degrees: int, level: float) -> tuple[float, float, float]:
    """ICC(1,1), or ICC(3,1) with the noise of the two-way table, and the exact limits by F."""
    from scipy.stats import f

    with np.errstate(divide="ignore"):
        ratio = np.divide(between, noise)
    tail = (1 + level) / 2
    ratios = ratio, ratio / f.ppf(tail, n - 1, degrees), ratio * f.ppf(tail, degrees, n - 1)
    value, low, high = (1.0 if np.isinf(one) else float((one - 1) / (one + k - 1)) for one in ratios)
    return value, low, high


def two_way(between: float, judges: float, error: float, n: int, k: int, level: float) -> tuple[float, float, float]:
    """ICC(2,1) with the approximate limits of Shrout and Fleiss."""
    from scipy.stats import f

    value = (between - error) / (between + (k - 1) * error + k * (judges - error) / n)
    if error == 0:
        return value, np.nan, np.nan
    strict, rest = k * value * judges / error, n * (1 + (k - 1) * value) - k * value
    degrees = (k - 1) * (n - 1) * (strict + rest) ** 2 / ((n - 1) * strict**2 + rest**2)
    upper, lower = f.ppf((1 + level) / 2, n - 1, degrees), f.ppf((1 + level) / 2, degrees, n - 1)
    noise = k * judges + (k * n - k - n) * error
    low = n * (between - upper * error) / (upper * noise + n * between)
    high = n * (lower * between - error) / (noise + n * lower * between)
    return value, float(low), float(high)


def kappa(
    one: Any, other: Any, weights: Literal["linear", "quadratic"] | None = None, level: float = 0.95
) -> Agreement:
    """Cohen's kappa of two raters, weighted where the categories have an order.

    Parameters
    ----------
    one, other
        The two raters' categories of the same units (n,); with weights, numbers whose order is that of the categories.
    weights
        "linear" or "quadratic": how much a disagreement counts by how many categories it is wide.

    References
    ----------
    Fleiss, Cohen and Everitt (1969), Psychological Bulletin 72, 323-327 (its standard error). Agrees with R
    `psych::cohen.kappa`; categories are those that occur.
    """
    from scipy.special import ndtri
    from statsmodels.stats.inter_rater import cohens_kappa

    one, other = np.asarray(one), np.asarray(other)
    values, codes = np.unique(np.concatenate([one, other]), return_inverse=True)
    if len(one) != len(other) or len(one) < 2 or len(values) < 2:
        raise DataError("Kappa needs at least 2 units that both have rated, and 2 categories that occur.")
    table = np.zeros((len(values), len(values)))
    np.add.at(table, (codes[: len(one)], codes[len(one) :]), 1)
    with np.errstate(invalid="ignore"):  # where all agree, rounding can make the variance negative
        found = cohens_kappa(table, wt=weights)
    half = float(ndtri((1 + level) / 2)) * float(np.nan_to_num(found.std_kappa))
    return Agreement(float(found.kappa), float(found.kappa) - half, float(found.kappa) + half, len(one), 2)


def krippendorff(
    ratings: Ratings, measure: Measure, rng: np.random.Generator | None = None, level: float = 0.95
) -> Agreement:
    """Krippendorff's alpha, of any number of raters with gaps.

    Parameters
    ----------
    ratings
        Shape (units, raters), NaN where a rater left a unit out; units with fewer than two ratings tell nothing.
    measure
        How far apart two ratings are: "nominal", "ordinal", "interval" or "ratio".
    rng
        Draws units for the interval (percentiles of 1,000 draws); without it the limits are NaN.

    References
    ----------
    Krippendorff (2011), "Computing Krippendorff's alpha-reliability", which it reproduces.
    """
    ratings = np.asarray(ratings, dtype=float)
    values = np.unique(ratings[~np.isnan(ratings)])
    counts = (ratings[:, :, None] == values).sum(axis=1).astype(float)
    counts = counts[counts.sum(axis=1) > 1]
    if len(counts) < 2 or len(values) < 2:
        raise DataError(
            "Krippendorff's alpha needs 2 units with 2 ratings each, and ratings that are not all the same."
        )
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(len(values))
    pairs /= (counts.sum(axis=1) - 1)[:, None, None]
    value = alpha_of(pairs.sum(axis=0), values, measure)
    low = high = np.nan
    if rng is not None:
        drawn = rng.multinomial(len(pairs), np.full(len(pairs), 1 / len(pairs)), DRAWS).astype(float)
        draws = [alpha_of(np.tensordot(times, pairs, 1), values, measure) for times in drawn]
        low, high = np.nanquantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Agreement(value, float(low), float(high), len(counts), ratings.shape[1])


def alpha_of(together: Ratings, values: Ratings, measure: Measure) -> float:
    """1 less observed over expected disagreement, from the coincidences (v, v) of values (v,)."""
    margin = together.sum(axis=0)
    expected = (np.outer(margin, margin) - np.diag(margin)) / (margin.sum() - 1)
    apart = distances(values, margin, measure)
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(1 - np.sum(together * apart) / np.sum(expected * apart))


def distances(values: Ratings, margin: Ratings, measure: Measure) -> Ratings:
    """Squared differences (v, v) between values; ordinal ones from how often the values between them occur."""
    if measure == "nominal":
        return 1 - np.eye(len(values))
    gaps = values[:, None] - values
    if measure == "interval":
        return np.asarray(gaps**2)
    if measure == "ratio":
        sums = np.abs(values[:, None] + values)
        return np.asarray((gaps / np.where(sums == 0, 1.0, sums)) ** 2)
    if measure != "ordinal":
        raise DataError(f"There is no measure {measure!r}; there are nominal, ordinal, interval and ratio.")
    middle = np.cumsum(margin) - margin / 2
    return np.asarray((middle[:, None] - middle) ** 2)
