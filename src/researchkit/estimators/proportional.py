"""Whether a hazard ratio serves for the whole time; and the score test behind this and its sibling in `steps`.

Both ask whether the likelihood still rises once the ratio may differ. Where rows share clusters, or count with weights,
the spread of the clusters' scores stands in for the model's own, as it does in the errors of the effect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError, some
from researchkit.estimators.cox import Cox
from researchkit.estimators.effect import Matrix, Vector
from researchkit.estimators.linear import summed
from researchkit.estimators.survival import survival_curve

Clock = Literal["km", "identity", "rank", "log"]
ALL = "all together"
VANISHED = 1e-9  # a direction of which the other coefficients leave less than this share cannot be told from them


@dataclass(frozen=True)
class Departure:
    """The test of one term: a chi-square with `df` degrees of freedom; with clusters an F, `below` being its second."""

    term: str
    statistic: float
    df: int
    p: float
    below: int | None = None
    method: str = "score test"

    def to_dict(self) -> dict[str, str | float | None]:
        """The test as it stands in `result.json`."""
        return {name: getattr(self, name) for name in ("term", "statistic", "df", "below", "p", "method")}


def hazards(
    fit: Cox,
    matrix: Matrix,
    names: Sequence[str],
    time: Vector,
    *,
    entry: Vector | None = None,
    transform: Clock = "km",
    terms: Mapping[str, Sequence[int]] | None = None,
    cluster: NDArray[np.int64] | None = None,
) -> tuple[Departure, ...]:
    """Test of proportional hazards for each column of `matrix` (n, k), then for all of them together.

    The alternative is a log hazard ratio that moves in a straight line with a transformed time: one minus the
    Kaplan-Meier curve just before ("km"), the time itself, its rank or its logarithm.

    Parameters
    ----------
    fit
        The model of these columns and these times; its ties, entries and weights are used.
    terms
        Which columns are tested as one, in place of each and all.
    cluster
        Rows (n,) that are not independent: the scores' spread between clusters is used. Without it the test is the
        model's own, which clusters turn too ready to reject.

    Raises
    ------
    EstimationError
        If all events happened at one time, a column never varies, the logarithm of time 0 is asked for, or there are
        too few clusters.

    References
    ----------
    Grambsch and Therneau (1994), Biometrika 81, 515-526, as the score test that R has had since survival 3.0: agrees
    with `cox.zph(fit, transform, terms = FALSE)`, which knows no clusters. With clusters, the score test of Boos
    (1992), The American Statistician 46, 327-333.
    """
    vary(matrix, names)
    risk = fit.risk
    moment = _clock(fit, time, entry, transform)[risk.tied]
    if not len(moment) or np.ptp(moment) == 0:
        raise EstimationError("All events happened at one time, so that a hazard ratio has no time to change in.")
    moment = (moment - moment.mean()) / moment.std()
    centre = matrix.mean(axis=0)
    matrix, mean = matrix - centre, fit.mean - centre
    endured = risk.endured(fit.hazard[:, None] * moment[:, None] ** np.arange(3))
    weight = (risk.weights * fit.relative)[:, None] * endured
    plain, mixed, own = (
        matrix.T @ (matrix * weight[:, [power]]) - (mean * (risk.jump * moment**power)[:, None]).T @ mean
        for power in range(3)
    )
    others, scores = (
        (matrix * fit.martingale(height) - fit.martingale(height * mean)) * risk.weights[:, None]
        for height in (np.ones((len(moment), 1)), moment[:, None])
    )
    tests = []
    for term, columns in several(names, terms).items():
        tested = Tested(scores[:, columns], own[np.ix_(columns, columns)], others, plain, mixed[:, columns])
        tests.append(tested.score(term, cluster))
    return tuple(tests)


@dataclass(frozen=True)
class Tested:
    """Scores and information of the q numbers under test and of the k others, at the best fit without the former.

    `scores` (n, q), `own` (q, q); `others` (n, k), `plain` (k, k); `mixed` (k, q) is between the two.
    """

    scores: Matrix
    own: Matrix
    others: Matrix
    plain: Matrix
    mixed: Matrix

    def score(self, term: str, cluster: NDArray[np.int64] | None) -> Departure:
        """The score test.

        With clusters its statistic T is the squared length of the sum of their scores (G, q), measured by their own
        products, which is at most G; were the scores normal, (G - q) T / (q (G - T)) would have the F distribution
        exactly (Hotelling's T squared, around a mean of 0).
        """
        from scipy.special import chdtrc, fdtrc

        q = self.own.shape[0]
        try:
            shift = np.linalg.solve(self.plain, self.mixed)
        except np.linalg.LinAlgError:
            raise _untold(term) from None
        total, left = self.scores.sum(axis=0), self.own - self.mixed.T @ shift
        if np.any(np.diag(left) <= VANISHED * np.maximum(np.diag(self.own), 1e-300)):
            raise _untold(term)
        if cluster is None:
            statistic = _length(total, left, term)
            return Departure(term, statistic, q, float(chdtrc(q, statistic)))
        apart = summed(self.scores - self.others @ shift, cluster)
        below = len(apart) - q
        if below < 1:
            raise EstimationError(f"{len(apart)} clusters are too few to test {q} numbers at a time ({term}).")
        length = _length(apart.sum(axis=0), apart.T @ apart, term)
        statistic = below * length / (q * max(len(apart) - length, 1e-300))
        return Departure(term, statistic, q, float(fdtrc(q, below, statistic)), below, "score test, robust")


def several(names: Sequence[str], terms: Mapping[str, Sequence[int]] | None) -> dict[str, list[int]]:
    """The columns of each test: those of `terms`, or each on its own and, where there are more, all of them."""
    if terms is not None:
        return {term: list(columns) for term, columns in terms.items()}
    each = {name: [place] for place, name in enumerate(names)}
    return each if len(names) < 2 else {**each, ALL: list(range(len(names)))}


def vary(matrix: Matrix, names: Sequence[str]) -> None:
    """Refuse columns (n, k) that are the same in every row: they have no ratio, be it one or many."""
    if same := [name for name, column in zip(names, matrix.T, strict=True) if np.ptp(column) == 0]:
        raise EstimationError(f"{some(same)} is the same in all rows, so it has no ratio to be tested.")


def _untold(term: str) -> EstimationError:
    return EstimationError(f"These data leave nothing by which a change in the ratio of {term} could be told.")


def _length(total: Vector, spread: Matrix, term: str) -> float:
    """total' spread^-1 total, after scaling; refused where the spread has no inverse."""
    size = np.sqrt(np.diag(spread))
    scaled = spread / np.outer(size, size) if np.all(size > 0) else np.zeros_like(spread)
    if not np.all(np.isfinite(scaled)) or np.linalg.eigvalsh(scaled)[0] < VANISHED:
        raise _untold(term)
    return float(total / size @ np.linalg.solve(scaled, total / size))


def _clock(fit: Cox, time: Vector, entry: Vector | None, transform: Clock) -> Vector:
    """The transformed distinct event times (m,)."""
    times = fit.risk.times
    if transform == "km":
        left = survival_curve(time, fit.risk.happened.astype(float), entry).value
        return np.concatenate([[1.0], left[:-1]])  # less it than one is the same to a square
    if transform == "rank":
        in_order = np.sort(time)
        before, until = (np.searchsorted(in_order, times, side=side) for side in ("left", "right"))
        return np.asarray(before + until, dtype=float)  # twice the mean rank, less 1; the caller scales it
    if transform == "log":
        if len(times) and times[0] <= 0:
            raise EstimationError("An event at time 0 has no logarithm; take another transform of time.")
        return np.log(times)
    return times
