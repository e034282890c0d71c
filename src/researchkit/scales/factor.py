"""One factor behind the items of a scale, by maximum likelihood: does it fit, and is it the same in every group?

No well-kept library in Python fits several groups under equal loadings and intercepts, so it is done here: a mean and
covariance structure of one factor, its gradient worked out, minimised from a plain start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import DataError, EstimationError

Vector = NDArray[np.float64]
Items = NDArray[np.float64]
Equal = Literal["configural", "metric", "scalar"]
LEVELS: tuple[Equal, ...] = ("configural", "metric", "scalar")
SMALL = 1e-5  # the largest slope that is still called the bottom
LEAST = 1e-4  # of an item's variance left to itself: less is a fit beyond what can be


@dataclass(frozen=True)
class Fit:
    """How one factor fits: the likelihood-ratio chi-square, and indices of how far from fitting."""

    chi2: float
    df: int
    p: float
    cfi: float
    rmsea: float
    rmsea_low: float
    rmsea_high: float
    srmr: float
    n: int
    groups: int
    loadings: tuple[Vector, ...]  # (k,) of each group, standardised


def one_factor(items: Items) -> Fit:
    """How well one factor fits the items (n, k); with three items it always does.

    Raises
    ------
    DataError
        With fewer than 3 items, no more rows than items, or items that hold the same or never change.
    EstimationError
        If the likelihood has no top inside what can be, as where an item would have no variance of its own.

    References
    ----------
    Joreskog (1969), Psychometrika 34, 183-202. Agrees with R `lavaan::cfa` (ML, likelihood "normal") to 1e-6.
    """
    return fitted([items], "configural", means=False)


def invariance(groups: Sequence[Items]) -> dict[Equal, Fit]:
    """The same factor in several groups: any loadings, equal ones, and equal intercepts besides.

    Parameters
    ----------
    groups
        The items of each group, (n, k) each. Groups are taken to be of different people.

    Raises
    ------
    DataError, EstimationError
        As `one_factor`; and with fewer than two groups.

    References
    ----------
    Meredith (1993), Psychometrika 58, 525-543; Cheung and Rensvold (2002), Structural Equation Modeling 9, 233-255: a
    CFI that falls by more than 0.01 speaks against it. Agrees with R `lavaan::cfa(group =, group.equal =)` to 1e-6.
    """
    if len(groups) < 2:
        raise DataError("Whether a score means the same in several groups needs at least two of them.")
    return {equal: fitted(groups, equal, means=True) for equal in LEVELS}


def fitted(groups: Sequence[Items], equal: Equal, *, means: bool) -> Fit:
    """One model for all groups; `means` counts the means among what has to fit."""
    from scipy.optimize import minimize

    spread = refuse_unfit(groups)
    scaled = [items / spread for items in groups]  # changes no chi-square, and keeps the numbers of one size
    moments = [(items.mean(axis=0), np.cov(items.T, bias=True), len(items)) for items in scaled]
    model = Model(moments, equal)
    found = minimize(model.misfit, model.start, jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 2000})
    loose = [np.abs(model.parts(found.x, g)[1]).min() for g in range(len(groups))]
    if np.abs(found.jac).max() > SMALL or min(loose) < LEAST:
        raise EstimationError("No one-factor model fits inside what can be: an item would have no variance of its own.")
    return indices(model, found.x, means)


def refuse_unfit(groups: Sequence[Items]) -> Vector:
    """The spread of each item over all groups; stops at what cannot be fitted."""
    k = groups[0].shape[1]
    if k < 3:
        raise DataError(f"One factor needs at least 3 items; there are {k}.")
    for items in groups:
        if len(items) <= k or np.linalg.matrix_rank(items - items.mean(axis=0)) < k:
            raise DataError(
                f"One factor of {k} items needs more rows than items in each group, and items that all change and do "
                f"not say the same; a group has {len(items)} rows."
            )
    result: Vector = np.concatenate(groups).std(axis=0)
    return result


class Model:
    """Parameters to implied means and covariances: loadings, own variances, factor variance and mean, intercepts.

    Where loadings are free the factor's variance is 1. Own variances are squares, so that they stay above zero.
    """

    def __init__(self, moments: list[tuple[Vector, Vector, int]], equal: Equal) -> None:
        self.moments, self.equal = moments, equal
        self.k, self.total = len(moments[0][0]), sum(n for _, _, n in moments)
        G, k = len(moments), self.k
        sizes = {"loadings": k if equal != "configural" else G * k, "own": G * k}
        sizes |= {"variance": G - 1, "mean": 0, "intercepts": 0} if equal != "configural" else {}
        sizes |= {"mean": G - 1, "intercepts": k} if equal == "scalar" else {}
        ends = np.cumsum(list(sizes.values()))
        self.slices = {name: slice(end - size, end) for (name, size), end in zip(sizes.items(), ends, strict=True)}
        self.size = int(ends[-1])
        counted = self.size + (0 if equal == "scalar" else G * k)  # free intercepts reproduce the means
        self.df = G * (k * (k + 1) // 2 + k) - counted

    @property
    def start(self) -> Vector:
        begin = np.zeros(self.size)
        covariances = [covariance for _, covariance, _ in self.moments]
        main = np.linalg.eigh(sum(covariances))[1][:, -1]
        signs = np.sign(main * main.sum() + 1e-12)  # as most items go
        begin[self.slices["loadings"]] = np.resize(0.7 * signs, self.size)[: self._length("loadings")]
        begin[self.slices["own"]] = np.sqrt(0.5 * np.concatenate([np.diag(one) for one in covariances]))
        if self.equal != "configural":
            begin[self.slices["variance"]] = 1.0
        if self.equal == "scalar":
            begin[self.slices["intercepts"]] = self.moments[0][0]
        return begin

    def _length(self, name: str) -> int:
        return self.slices[name].stop - self.slices[name].start

    def parts(self, x: Vector, g: int) -> tuple[Vector, Vector, float, float, Vector]:
        """Loadings, roots of the own variances, factor's root variance and mean, and intercepts of one group."""
        k, free = self.k, self.equal == "configural"
        loadings = x[self.slices["loadings"]][g * k : g * k + k] if free else x[self.slices["loadings"]]
        own = x[self.slices["own"]][g * k : g * k + k]
        root = 1.0 if free or g == 0 else float(x[self.slices["variance"]][g - 1])
        if self.equal != "scalar":
            return loadings, own, root, 0.0, self.moments[g][0]
        mean = 0.0 if g == 0 else float(x[self.slices["mean"]][g - 1])
        return loadings, own, root, mean, x[self.slices["intercepts"]]

    def implied(self, x: Vector, g: int) -> tuple[Vector, Vector]:
        loadings, own, root, mean, intercepts = self.parts(x, g)
        return intercepts + mean * loadings, root**2 * np.outer(loadings, loadings) + np.diag(own**2)

    def misfit(self, x: Vector) -> tuple[float, Vector]:
        """The discrepancy of maximum likelihood, weighted by group, and its gradient."""
        value, slope = 0.0, np.zeros(self.size)
        for g, (means, observed, n) in enumerate(self.moments):
            loadings, own, root, mean, _ = self.parts(x, g)
            expected, sigma = self.implied(x, g)
            inverse, away = np.linalg.inv(sigma), means - expected
            both = observed + np.outer(away, away)
            share = n / self.total
            value += share * (np.linalg.slogdet(sigma)[1] - np.linalg.slogdet(observed)[1])
            value += share * (float(np.trace(both @ inverse)) - self.k)
            of_sigma = share * (inverse - inverse @ both @ inverse)
            of_mean = -2 * share * (inverse @ away)
            place = g if self.equal == "configural" else 0
            first = self.slices["loadings"].start + place * self.k
            slope[first : first + self.k] += 2 * root**2 * (of_sigma @ loadings) + mean * of_mean
            begin = self.slices["own"].start + g * self.k
            slope[begin : begin + self.k] += 2 * own * np.diag(of_sigma)
            if self.equal != "configural" and g:
                slope[self.slices["variance"].start + g - 1] += 2 * root * float(loadings @ of_sigma @ loadings)
            if self.equal == "scalar":
                slope[self.slices["intercepts"]] += of_mean
                if g:
                    slope[self.slices["mean"].start + g - 1] += float(loadings @ of_mean)
        return value, slope


def indices(model: Model, x: Vector, means: bool) -> Fit:
    """Chi-square and indices of a fitted model, as lavaan defines them."""
    from scipy.stats import chi2 as chi_square

    n, k, groups, df = model.total, model.k, len(model.moments), model.df
    chi2 = max(n * model.misfit(x)[0], 0.0)
    apart = sum(size * (float(np.sum(np.log(np.diag(s)))) - np.linalg.slogdet(s)[1]) for _, s, size in model.moments)
    excess, base = max(chi2 - df, 0.0), apart - groups * k * (k - 1) / 2
    low, high = noncentrality(chi2, df)
    scale = np.sqrt(groups / (n * df)) if df else 0.0
    loadings = []
    residual = 0.0
    for g, (observed_means, observed, size) in enumerate(model.moments):
        expected, sigma = model.implied(x, g)
        sd = np.sqrt(np.diag(observed))
        left = np.square((observed - sigma) / np.outer(sd, sd))[np.tril_indices(k)].sum()
        left += np.square((observed_means - expected) / sd).sum()
        residual += size / n * float(np.sqrt(left / (k * (k + 1) / 2 + (k if means else 0))))
        part = model.parts(x, g)
        loadings.append(part[0] * part[2] / np.sqrt(np.diag(sigma)))
    return Fit(
        chi2=chi2,
        df=df,
        p=float(chi_square.sf(chi2, df)) if df else np.nan,
        cfi=1 - excess / max(excess, base) if df and max(excess, base) > 0 else 1.0,  # without any left it always fits
        rmsea=float(np.sqrt(excess) * scale),
        rmsea_low=float(np.sqrt(low) * scale),
        rmsea_high=float(np.sqrt(high) * scale),
        srmr=residual,
        n=n,
        groups=groups,
        loadings=tuple(loadings),
    )


def noncentrality(chi2: float, df: int, level: float = 0.90) -> tuple[float, float]:
    """The limits of how far the chi-square is off centre (Steiger and Lind)."""
    from scipy.optimize import brentq
    from scipy.stats import chi2 as central
    from scipy.stats import ncx2

    def limit(tail: float) -> float:
        if not df or central.cdf(chi2, df) < tail:
            return 0.0
        top = chi2 + 10 * np.sqrt(chi2) + 50
        return float(brentq(lambda nc: ncx2.cdf(chi2, df, nc) - tail, 1e-12, top, xtol=1e-12))

    return limit((1 + level) / 2), limit((1 - level) / 2)
