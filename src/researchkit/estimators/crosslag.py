"""The random-intercept cross-lagged panel: does one who is above his own usual level in the exposure move in the
outcome a wave later, or is it the other way round?

Each of two scores is a person's own usual level, which stays, and what comes and goes around it; only the latter has
lags. Maximum likelihood with all rows there are: who answered two waves of four says what these two say. Written here
because no library that we depend on fits it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from researchkit.designs import Within
from researchkit.errors import EstimationError
from researchkit.estimators import refuse
from researchkit.estimators.effect import Effect, Matrix, Model, Vector, terms, told

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question

FEWEST, MOST = 3, 12  # waves
SMALL = 1e-4  # slope of the log-likelihood per person at which the top is reached
LAGS: tuple[str, ...] = (
    "exposure on later exposure",
    "reverse: outcome on later exposure",
    "exposure on later outcome",
)
LAGS += ("outcome on later outcome",)
STABLE: tuple[str, ...] = ("usual level of the exposure (variance)", "usual levels together (covariance)")
STABLE += ("usual level of the outcome (variance)",)
HEAD = 2  # the place of the headline among the lags
STEP = 1e-5  # of parameters of standardised scores, for the curvature


@dataclass(frozen=True, eq=False)
class Wide:
    """A panel of n people and T waves: `values` (n, 2T), the exposure's waves first, NaN where a wave is missing;
    `covariates` (n, 2T, q); both scaled to unit spread."""

    values: Matrix
    covariates: Matrix
    cluster: NDArray[np.int64]
    spread: tuple[float, float]

    @property
    def waves(self) -> int:
        return self.values.shape[1] // 2


@dataclass(frozen=True)
class Fit:
    """`theta` in the order of `names`, with the sandwich and the plain covariance, and the log-likelihood."""

    theta: Vector
    covariance: Matrix
    plain: Matrix
    loglik: float
    parameters: int


class Panel:
    """The likelihood of a panel and its slopes. `stable` has usual levels; `free` lets lags differ between waves."""

    def __init__(self, wide: Wide, *, stable: bool = True, free: bool = False) -> None:
        self.wide, self.stable, self.free = wide, stable, free
        waves, q = wide.waves, wide.covariates.shape[2]
        self.steps = waves - 1 if free else 1
        self.of_lags = 4 * self.steps
        self.of_stable = 3 if stable else 0
        self.of_shocks = 3 * waves
        self.of_sigma = self.of_lags + self.of_stable + self.of_shocks
        self.size = self.of_sigma + 2 * waves + q
        there = np.isfinite(wide.values)
        self.patterns = []
        for pattern in np.unique(there, axis=0):
            rows, at = np.flatnonzero((there == pattern).all(axis=1)), np.flatnonzero(pattern)
            if len(at):
                fixed = np.broadcast_to(np.eye(2 * waves)[at], (len(rows), len(at), 2 * waves))
                columns = np.concatenate([fixed, wide.covariates[np.ix_(rows, at)]], axis=2)
                self.patterns.append((rows, at, wide.values[np.ix_(rows, at)], columns))

    def moves(self, lags: Matrix) -> Matrix:
        """(T, 2T, 2) what a shock in each wave does to every score; complex where `lags` (steps, 2, 2) are."""
        waves = self.wide.waves
        found = np.zeros((waves, waves, 2, 2), dtype=lags.dtype)  # shock, later wave, score, shock in
        for t in range(waves):
            found[t, t] = np.eye(2)
            for later in range(t + 1, waves):
                found[t, later] = lags[later - 1 if self.free else 0] @ found[t, later - 1]
        return found.transpose(0, 2, 1, 3).reshape(waves, 2 * waves, 2)

    def linear(self, theta: Vector) -> tuple[Matrix, Vector]:
        """The parts (p, 2T, 2T) that usual levels and shocks, in which the covariance is linear, are multiplied with,
        and these."""
        waves = self.wide.waves
        usual = np.repeat(np.eye(2), waves, axis=0)[None] if self.stable else np.zeros((0, 2 * waves, 2))
        lags = theta[: self.of_lags].reshape(self.steps, 2, 2)
        reach = np.concatenate([usual.astype(lags.dtype), self.moves(lags)])
        one, two = reach[:, :, :1], reach[:, :, 1:]
        turn = (0, 2, 1)
        cross = one @ two.transpose(turn)
        each = np.stack([one @ one.transpose(turn), cross + cross.transpose(turn), two @ two.transpose(turn)], axis=1)
        return each.reshape(-1, 2 * waves, 2 * waves), theta[self.of_lags : self.of_sigma]

    def sigma(self, theta: Vector) -> Matrix:
        """Implied covariance (2T, 2T)."""
        parts, size = self.linear(theta)
        result: Matrix = np.tensordot(size, parts, 1)
        return result

    def slopes(self, theta: Vector) -> tuple[Matrix, Matrix]:
        """The implied covariance, and its slope in each of its parameters (p, 2T, 2T); by complex steps in the lags,
        which are exact."""
        parts, size = self.linear(theta)
        moved = []
        for place in range(self.of_lags):
            turned = theta.astype(complex)
            turned[place] += 1e-20j
            moved.append(self.sigma(turned).imag / 1e-20)
        return np.tensordot(size, parts, 1), np.concatenate([np.array(moved), parts])

    def total(self, theta: Vector) -> tuple[float, Vector]:
        """The log-likelihood and its slopes (p,); minus infinity where the covariance is none."""
        sigma, moved = self.slopes(theta)
        beta, slope, value = theta[self.of_sigma :], np.zeros(self.size), 0.0
        for rows, at, observed, columns in self.patterns:
            inner = sigma[np.ix_(at, at)]
            if np.linalg.eigvalsh(inner)[0] <= 0:
                return -np.inf, slope
            inverse = np.linalg.inv(inner)
            away = observed - columns @ beta
            pulled = away @ inverse
            value -= 0.5 * (len(rows) * (np.linalg.slogdet(inner)[1] + len(at) * np.log(2 * np.pi)))
            value -= 0.5 * float(np.sum(pulled * away))
            left = 0.5 * (pulled.T @ pulled - len(rows) * inverse)
            slope[: self.of_sigma] += np.tensordot(moved[:, at][:, :, at], left, 2)
            slope[self.of_sigma :] += np.tensordot(pulled, columns, 2)
        return value, slope

    def scores(self, theta: Vector) -> Matrix:
        """Each person's slopes (n, p)."""
        sigma, moved = self.slopes(theta)
        each = np.zeros((len(self.wide.values), self.size))
        for rows, at, observed, columns in self.patterns:
            inverse, parts = np.linalg.inv(sigma[np.ix_(at, at)]), moved[:, at][:, :, at]
            pulled = (observed - columns @ theta[self.of_sigma :]) @ inverse
            squared = (pulled[:, :, None] * pulled[:, None, :] - inverse) / 2
            each[rows, : self.of_sigma] = np.tensordot(squared, parts, ((1, 2), (1, 2)))
            each[rows, self.of_sigma :] = np.einsum("naq,na->nq", columns, pulled)
        return each

    @property
    def start(self) -> Vector:
        theta, waves = np.zeros(self.size), self.wide.waves
        lags = theta[: self.of_lags].reshape(self.steps, 2, 2)
        lags[:] = np.eye(2) * 0.2
        if self.stable:
            theta[self.of_lags : self.of_lags + 3] = (0.4, 0.0, 0.4)
        theta[self.of_lags + self.of_stable : self.of_sigma] = np.tile([0.5, 0.0, 0.5], waves)
        theta[self.of_sigma : self.of_sigma + 2 * waves] = np.nanmean(self.wide.values, axis=0)
        return theta

    def fit(self) -> Fit:
        """The top of the likelihood, by BFGS and Newton, with errors clustered as the panel says.

        Raises
        ------
        EstimationError
            If there is no top: too few people for so many parts, or two scores that say the same.
        """
        from scipy.optimize import minimize

        n = len(self.wide.values)

        def misfit(theta: Vector) -> tuple[float, Vector]:
            value, slope = self.total(theta)
            return (1e10, slope) if np.isinf(value) else (-value / n, -slope / n)

        found = minimize(misfit, self.start, jac=True, method="BFGS", options={"gtol": 1e-6, "maxiter": 500})
        theta = found.x
        for _ in range(3):
            curvature = self.curvature(theta)
            slope = self.total(theta)[1]
            try:
                theta = theta + np.linalg.solve(curvature, slope)
            except np.linalg.LinAlgError:
                break
            if np.abs(slope).max() < 1e-8 * n:
                break
        value, slope = self.total(theta)
        flat = np.isinf(value) or np.abs(slope).max() / n > SMALL
        if flat or np.linalg.eigvalsh(curvature)[0] <= 0:
            raise EstimationError(
                "The cross-lagged panel has no clear top of its likelihood. There may be too few people for so many "
                "waves, or the two scores say the same; ask with fewer waves, or by `model: fixed effects`."
            )
        plain = np.linalg.inv(curvature)
        each, groups = self.scores(theta), np.unique(self.wide.cluster)
        sums = np.column_stack([np.bincount(self.wide.cluster, weights=column) for column in each.T])
        meat = len(groups) / (len(groups) - 1) * sums.T @ sums
        return Fit(theta, plain @ meat @ plain, plain, float(value), self.size)

    def curvature(self, theta: Vector) -> Matrix:
        """Minus the second slopes of the log-likelihood, by differences of the exact first ones."""
        rows = []
        for place in range(self.size):
            moved = np.zeros(self.size)
            moved[place] = STEP
            up, down = (self.total(theta + sign * moved)[1] for sign in (1, -1))
            rows.append((down - up) / (2 * STEP))
        whole = np.array(rows)
        result: Matrix = (whole + whole.T) / 2
        return result


def crosslag(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """How the outcome of a wave differs per unit by which the exposure was above a person's usual level a wave before.

    Lags are the same from each wave to the next. Errors are from each cluster's slopes (or each person's), with
    G/(G - 1) and t(G - 1).

    Raises
    ------
    EstimationError
        With fewer than three waves or more than twelve; with hardly anybody seen in two waves; without a top.

    References
    ----------
    Hamaker, Kuiper and Grasman (2015), Psychological Methods 20, 102-116. Agrees with R `lavaan::lavaan(missing =
    "fiml", se = "robust.huber.white")`, whose errors lack the factor n/(n - 1), to 1e-4.
    """
    notes = refuse.check(sample, question, against(sample, question))
    wide = widened(sample, question)
    panel = Panel(wide)
    fit = panel.fit()
    scale = unscaled(wide.spread)
    names = (*LAGS, *STABLE)
    kept = np.arange(len(names))
    covariance = scale[:, None] * fit.covariance[np.ix_(kept, kept)] * scale
    df = float(len(np.unique(wide.cluster)) - 1)
    order = [HEAD, *(place for place in range(len(names)) if place != HEAD)]
    rows = terms(
        tuple(names[place] for place in order),
        (scale * fit.theta[kept])[order],
        covariance[np.ix_(order, order)],
        level,
        df,
    )
    own, clustered = rows[0], str(sample.cluster_name) if nested(sample) else "person"
    if sample.cluster is not None and not nested(sample):
        notes = (*notes, f"people change between {sample.cluster_name}, so errors are clustered by person")
    improper = [name for name, place in ((STABLE[0], 4), (STABLE[2], 6)) if fit.theta[place] <= 0]
    notes = (*notes, *(f"{name} came out as none: people hardly differ in it for long" for name in improper))
    return told(
        sample,
        question,
        level,
        own.estimate,
        own.se,
        df,
        unit=question.outcome.unit or "point",
        method=f"random-intercept cross-lagged panel by maximum likelihood, errors clustered by {clustered}",
        model=Model("random-intercept cross-lagged panel", "cluster-robust", rows, question.outcome.unit or "points"),
        notes=notes,
    )


def against(sample: Sample, question: Question) -> list[str]:
    """What speaks against a panel: too few or too many waves, or nobody who is seen again."""
    spec = question.within
    if spec is None or not len(sample.outcome):
        return []
    waves, who = np.unique(sample.more[str(spec.when)]), np.unique(sample.more[spec.who], return_inverse=True)[1]
    problems = []
    if len(waves) < FEWEST:
        problems.append(
            f"{len(waves)} waves of {spec.when} are too few: with fewer than {FEWEST}, what stays the same about "
            "people cannot be told from what comes and goes. Ask by `model: fixed effects`, or wait for the next wave."
        )
    if len(waves) > MOST:
        problems.append(f"{len(waves)} waves of {spec.when} are more than the {MOST} that this model takes.")
    if int((np.bincount(who) > 1).sum()) < 10 * FEWEST:
        problems.append(f"fewer than {10 * FEWEST} {spec.who} were seen in two waves or more.")
    return problems


def widened(sample: Sample, question: Question) -> Wide:
    """One row a person; scores and covariates scaled. A person's cluster is that of the first row, or the person."""
    spec = cast(Within, question.within)
    wave = np.unique(in_order(sample.more[str(spec.when)]), return_inverse=True)[1]
    _, first, who = np.unique(sample.more[spec.who], return_index=True, return_inverse=True)
    n, waves = len(first), int(wave.max()) + 1
    scores = sample.exposure, sample.outcome
    spread = float(scores[0].std()), float(scores[1].std())
    values = np.full((n, 2 * waves), np.nan)
    q = sample.covariates.shape[1]
    covariates = np.zeros((n, 2 * waves, 2 * q))
    size = np.where(sample.covariates.std(axis=0) > 0, sample.covariates.std(axis=0), 1.0)
    held = (sample.covariates - sample.covariates.mean(axis=0)) / size
    for side, score in enumerate(scores):
        values[who, side * waves + wave] = (score - score.mean()) / spread[side]
        covariates[who, side * waves + wave, side * q : (side + 1) * q] = held
    own = np.arange(len(wave)) if sample.cluster is None else sample.cluster
    cluster = np.unique(own[first], return_inverse=True)[1] if nested(sample) else np.arange(n)
    return Wide(values, covariates, cluster.astype(np.int64), spread)


def nested(sample: Sample) -> bool:
    """Whether there are clusters, and each person stays in one: else errors are each person's own."""
    if sample.cluster is None:
        return False
    who = np.unique(next(iter(sample.more.values())), return_inverse=True)[1]
    return len(np.unique(np.column_stack([who, sample.cluster]), axis=0)) == len(np.unique(who))


def in_order(values: NDArray[np.generic]) -> NDArray[np.int64]:
    """(n,) places of the waves, numbers by size; the sample holds numbers as floats and the rest as text."""
    from researchkit.readers.values import by_size

    texts = [str(one) for one in np.unique(values.astype(str))]
    if values.dtype.kind in "fiM":
        return np.unique(values, return_inverse=True)[1].astype(np.int64)
    order = {text: place for place, text in enumerate(sorted(texts, key=by_size))}
    return np.array([order[str(one)] for one in values], dtype=np.int64)


def unscaled(spread: tuple[float, float]) -> Vector:
    """What takes lags and usual levels of standardised scores to those of the scores as they came."""
    x, y = spread
    return np.array([1.0, x / y, y / x, 1.0, x * x, x * y, y * y])
