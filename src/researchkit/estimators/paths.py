"""The paths of a mechanism, on arrays: exposure to mediator, mediator to outcome, and what goes past it.

Two least-squares lines on the same rows and covariates: the mediator on the exposure (path a), the outcome on mediator
(path b) and exposure (the direct path). Their product a b is the indirect effect; the total is direct + a b exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError
from researchkit.estimators.design import Design, design
from researchkit.estimators.effect import Matrix, Term, Vector, terms
from researchkit.estimators.linear import Line, cr2, hc3, least_squares, summed
from researchkit.estimators.score import skewed

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question

DRAWS, COPIES, BLOCKS = 50_000, 2_000, 1_000  # of the Monte Carlo interval, of the bootstrap, of rows in the latter
FLAT = 1e-12  # of the largest value: less than this is rounding
SEED = 20101114  # fixed: the same data give the same interval
GRID = np.linspace(-6, 6, 1_201)  # of normal deviates, between which quantiles of t are joined by lines


@dataclass(frozen=True, eq=False)
class Laid:
    """The arrays of a mechanism. `between`: each row holds the means of its cluster, for only these can carry it."""

    sample: Sample  # exposure, covariates, outcome as used
    mediator: NDArray[np.float64]  # (n,)
    name: str  # of the mediator
    exposure: str  # the column of the exposure
    between: bool = False

    @property
    def turned(self) -> Laid:
        """The mirror: the mediator as exposure, the exposure as mediator."""
        swapped = replace(self.sample, exposure=self.mediator, exposure_name=self.name, binary_exposure=False)
        return replace(self, sample=swapped, mediator=self.sample.exposure, name=self.sample.exposure_name)

    @property
    def within(self) -> Laid:
        """What differs inside clusters alone: every column less the mean of its cluster."""
        sample = self.sample
        return replace(
            self,
            sample=replace(
                sample,
                exposure=apart(sample.exposure, sample),
                outcome=apart(sample.outcome, sample),
                covariates=apart(sample.covariates, sample),
                binary_exposure=False,
            ),
            mediator=apart(self.mediator, sample),
        )

    def without(self, group: str) -> Laid:
        """The same with one entry of the adjustment left out."""
        kept = [place for place, one in enumerate(self.sample.groups) if one != group]
        names, groups = (tuple(part[place] for place in kept) for part in (self.sample.names, self.sample.groups))
        sample = replace(self.sample, covariates=self.sample.covariates[:, kept], names=names, groups=groups)
        return replace(self, sample=sample)


@dataclass(frozen=True)
class Paths:
    """Paths a, b and direct with their joint covariance, and the total from a line of its own.

    `together` (3, 3) is the correlation of the three estimates, `df` (3,) their degrees of freedom. `spread` is the
    standard deviation of what the two lines leave of mediator and outcome.
    """

    a: Term
    b: Term
    direct: Term
    total: Term
    together: Matrix
    df: Vector
    spread: tuple[float, float]
    errors: str
    notes: tuple[str, ...]

    @property
    def indirect(self) -> float:
        return self.a.estimate * self.b.estimate

    @property
    def se(self) -> float:
        """Standard deviation of the product of two normal variables, exact (Goodman 1960, JASA 55, 708-713)."""
        a, b, cross = self.a, self.b, float(self.together[0, 1]) * self.a.se * self.b.se
        first = (a.estimate * b.se) ** 2 + (b.estimate * a.se) ** 2 + 2 * a.estimate * b.estimate * cross
        return float(np.sqrt(max(first + (a.se * b.se) ** 2 + cross**2, 0.0)))

    def drawn(self) -> Matrix:
        """DRAWS of (a, b, direct), shape (DRAWS, 3): t variables of the errors' own degrees of freedom, which go
        together as normal ones of that correlation would (a normal copula)."""
        from scipy.special import ndtr, stdtrit

        root = np.linalg.cholesky(self.together + 1e-12 * np.eye(3))
        normal = normals() @ root.T
        steps = [np.interp(z, GRID, stdtrit(df, ndtr(GRID))) for z, df in zip(normal.T, self.df, strict=True)]
        three = (self.a, self.b, self.direct)
        return np.column_stack([term.estimate + term.se * step for term, step in zip(three, steps, strict=True)])


@cache
def normals() -> Matrix:
    """The normal deviates of every Monte Carlo interval, (DRAWS, 3): in pairs that mirror each other, variance 1."""
    half = np.random.default_rng(SEED).standard_normal((DRAWS // 2, 3))
    return np.concatenate([half, -half]) / np.sqrt(np.mean(half**2, axis=0))


def means(values: NDArray[np.float64], sample: Sample) -> NDArray[np.float64]:
    """The (weighted) mean of its cluster for each row, of a column (n,) or of several (n, k)."""
    if sample.cluster is None:
        return values
    weights = np.ones(len(sample.cluster)) if sample.weights is None else sample.weights
    columns = values if values.ndim == 2 else values[:, None]
    _, code = np.unique(sample.cluster, return_inverse=True)
    sums = summed(np.column_stack([columns * weights[:, None], weights]), code)
    found = np.asarray((sums[:, :-1] / sums[:, -1:])[code], dtype=np.float64)
    return found if values.ndim == 2 else found[:, 0]


def apart(values: NDArray[np.float64], sample: Sample) -> NDArray[np.float64]:
    """How far each row lies from the mean of its cluster; 0, not a rounding error, where all of a cluster are alike."""
    rest = values - means(values, sample)
    return np.where(np.abs(rest) <= FLAT * np.abs(values).max(axis=0), 0.0, rest)


def constant_within(values: Vector, cluster: NDArray[np.int64] | None) -> bool:
    """Whether everybody of one cluster has the same."""
    if cluster is None:
        return False
    order = np.argsort(cluster, kind="stable")
    same = np.diff(cluster[order]) == 0
    return bool(np.all(np.diff(values[order])[same] == 0)) and bool(same.any())


def fit(laid: Laid, question: Question, level: float) -> Paths:
    """The paths of a mechanism, with errors CR2 by cluster (Satterthwaite), or HC3 without clusters.

    Raises
    ------
    EstimationError
        If exposure, or exposure and covariates, tell the mediator exactly, or leave a path without a standard error.
    """
    sample = laid.sample
    first, second = design(sample, laid.exposure), design(sample, laid.exposure, first=(laid.name, laid.mediator))
    on_mediator, a, pull_a, df_a, errors = _line(first, laid.mediator, laid, level)
    if np.std(on_mediator.residuals) <= 1e-10 * np.std(laid.mediator):
        raise EstimationError(
            f"The question {question.id!r}: {laid.name} is told exactly by {sample.exposure_name} and the columns of "
            "`adjust`, so what it carries cannot be told from them. Name a mediator that was measured for itself."
        )
    on_outcome, both, pull_b, df_b, _ = _line(second, sample.outcome, laid, level)
    _, total, _, _, _ = _line(first, sample.outcome, laid, level)
    direct, b = both[0], both[1]
    if not all(np.isfinite(term.p) for term in (a[0], b, direct)):
        raise EstimationError(
            f"The question {question.id!r}: {sample.exposure_name} or {laid.name} differs in too few "
            f"{sample.cluster_name or 'rows'} for a standard error. More of them are needed on each side."
        )
    pulls = np.column_stack([pull_a[:, 0], pull_b[:, 1], pull_b[:, 0]])
    size = np.sqrt(np.sum(pulls**2, axis=0))
    return Paths(
        a[0],
        b,
        direct,
        total[0],
        pulls.T @ pulls / np.outer(size, size),
        np.array([df_a[0], df_b[1], df_b[0]]),
        (_left(on_mediator), _left(on_outcome)),
        errors,
        (*first.notes, *_skewed((on_mediator, on_outcome), question)),
    )


def _line(
    columns: Design, outcome: Vector, laid: Laid, level: float
) -> tuple[Line, tuple[Term, ...], Matrix, Vector, str]:
    """A line, its terms, how each row or cluster pulls at its coefficients (g, k), their df, and the kind of errors."""
    sample = laid.sample
    line = least_squares(columns.matrix, outcome, sample.weights)
    spread = hc3(line) if sample.cluster is None else cr2(line, sample.cluster)
    value, covariance = columns.raw(line.coefficients, spread.covariance)
    pulls: Matrix = line.basis * line.residuals[:, None]
    pulls = pulls if sample.cluster is None else summed(pulls, sample.cluster)
    return (
        line,
        terms(columns.names, value, covariance, level, spread.df),
        pulls @ line.root.T @ columns.back.T,
        spread.df,
        spread.errors,
    )


def _left(line: Line) -> float:
    """Standard deviation of the residuals, in the weights' own mean where there are any."""
    total = len(line.residuals) if line.weights is None else float(line.weights.sum())
    return float(np.sqrt(line.residuals @ line.residuals / total))


def _skewed(lines: tuple[Line, ...], question: Question) -> tuple[str, ...]:
    """A note where a few large residuals of either line rule; those of yes or no are no measure of that."""
    lines = lines[:1] if question.outcome.kind == "yes_no" else lines
    rest = [line.residuals - line.residuals.mean() for line in lines]
    return skewed(max((float(np.mean(one**3) / np.std(one) ** 3) for one in rest), key=abs))


def product(draws: Matrix, level: float, shift: float = 0.0) -> tuple[float, float, float]:
    """Low, high and two-sided p of a b over draws (d, 3), with `shift` taken off b."""
    found = draws[:, 0] * (draws[:, 1] - shift)
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    least = min(int(np.sum(found <= 0)), int(np.sum(found >= 0)))
    return float(low), float(high), min(1.0, 2 * (least + 1) / (len(found) + 1))


def bootstrap(laid: Laid, level: float) -> tuple[float, float]:
    """Percentile limits of the indirect effect over clusters drawn again, from their cross products alone.

    Without clusters, rows are drawn again; of more than BLOCKS rows, blocks of them made at random.
    """
    rng = np.random.default_rng(SEED)
    columns = design(laid.sample, laid.exposure, first=(laid.name, laid.mediator))
    weights = np.ones(len(laid.mediator)) if laid.sample.weights is None else laid.sample.weights
    table = np.column_stack([columns.matrix, laid.sample.outcome - laid.sample.outcome.mean()])
    rows = len(table)
    code = rng.permutation(rows) % min(rows, BLOCKS) if laid.sample.cluster is None else laid.sample.cluster
    across = np.triu_indices(table.shape[1])
    sums = summed(table[:, across[0]] * table[:, across[1]] * weights[:, None], code)
    copies = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=COPIES) @ sums
    whole = np.zeros((COPIES, table.shape[1], table.shape[1]))
    whole[:, across[0], across[1]] = copies
    whole[:, across[1], across[0]] = copies
    found = _products(whole) / columns.scale[0]
    if not len(found):
        return float("nan"), float("nan")
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _products(whole: Matrix) -> Vector:
    """a b of each copy of the cross products (c, k, k) that can tell it: exposure, mediator, ..., outcome."""
    last = whole.shape[1] - 1
    inside = np.array([place for place in range(last) if place != 1])
    every = whole[:, :last, :last]
    values = np.linalg.eigvalsh(every)
    good = values[:, 0] > 1e-9 * values[:, -1]
    every, whole = every[good], whole[good]
    a = np.linalg.solve(every[:, inside[:, None], inside], whole[:, inside, 1][:, :, None])[:, 0, 0]
    b = np.linalg.solve(every, whole[:, :last, last][:, :, None])[:, 1, 0]
    return np.asarray(a * b)
