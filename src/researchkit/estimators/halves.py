"""Half of each team rates, the other half gives the outcome; again and again by lot.

Who feels well rates a leader kindly: with one person on both sides that is part of the answer, with two it is not. One
split is one draw of the lot, so the answer is the mean over many. Its error comes from leaving out each cluster in
turn, in all splits at once, which holds both the sampling of teams and what splits share; what the lot leaves is added.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from researchkit.designs import Halves
from researchkit.errors import EstimationError
from researchkit.estimators import refuse, score
from researchkit.estimators.contagion import as_score
from researchkit.estimators.design import design
from researchkit.estimators.effect import Effect, Matrix, Model, Term, Vector, terms, told, wald
from researchkit.panel import in_order, paired

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question

SEED = 20251101  # the same data give the same splits
AT_ONCE = 4_000_000  # numbers held at a time
ONE, CORRECTED, AGREE = "one person on both sides", "corrected for the rating's error", "agreement of the halves"


@dataclass(frozen=True, eq=False)
class Split:
    """Cells (team and wave): of each row its own (n,), of each cell the one whose rating it meets (-1: none), the
    cluster of each cell, and the place of each row's person within his or her team."""

    cell: NDArray[np.int64]
    rated: NDArray[np.int64]
    cluster: NDArray[np.int64]
    person: NDArray[np.int64]
    team: NDArray[np.int64]


def halves(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """The outcome per point of the mean rating by the other half of the team.

    Raises
    ------
    EstimationError
        As `score`; with fewer than 4 teams of two people or more.

    References
    ----------
    The error is the jackknife over clusters (MacKinnon, Nielsen and Webb 2023, Journal of Applied Econometrics 38,
    671-694: CV3), t(G - 1). Spearman (1910) and Brown (1910), British Journal of Psychology 3: reliability from halves.
    """
    spec = spec_of(question)
    split = split_of(sample, question)
    groups = int(split.cluster.max(initial=-1)) + 1
    few = f"{groups} teams are too few for halves to be compared: at least 4 of two people or more are needed."
    shared = replace(
        sample, cluster=split.cluster[split.cell], cluster_name=sample.cluster_name or spec.team, crossed=None
    )
    notes = refuse.check(shared, as_score(question), [few] if groups < 4 else [])
    found, left, agree = estimates(sample, split, spec.splits)
    estimate, lot = float(found.mean()), float(found.std(ddof=1))
    spread = float((groups - 1) / groups * np.sum((left - left.mean()) ** 2))
    se, df = float(np.sqrt(spread + lot**2 / len(found))), groups - 1.0
    unit = "probability" if question.outcome.kind == "yes_no" else question.outcome.unit or "point"
    rows = beside(sample, question, shared, agree, (estimate, se, df), level)
    return told(
        shared,
        question,
        level,
        estimate,
        se,
        df,
        unit=unit,
        method=f"split halves of each team, mean of {len(found)} splits by lot, jackknife over {shared.cluster_name}",
        model=Model("least squares, one half on the other", "CV3", rows, unit),
        notes=(*notes, *disagreement(agree)),
    )


def spec_of(question: Question) -> Halves:
    return cast(Halves, question.halves)


def split_of(sample: Sample, question: Question) -> Split:
    """Who is in which cell, and which cell's rating each meets."""
    spec = spec_of(question)
    team = np.unique(sample.more[spec.team], return_inverse=True)[1].astype(np.int64)
    zero = np.zeros(len(team), dtype=np.int64)
    wave = places(sample.more[spec.when]) if spec.when else zero
    who = np.unique(sample.more[spec.who], return_inverse=True)[1] if spec.who else np.arange(len(team))
    cell = paired(team, wave)
    first = np.unique(cell, return_index=True)[1]
    pairs = {(int(t), int(w)): place for place, (t, w) in enumerate(zip(team[first], wave[first], strict=True))}
    rated = np.array([pairs.get((int(team[row]), int(wave[row]) - spec.lag), -1) for row in first], dtype=np.int64)
    # In the order of the data's own names, so that the lot does not hang on the order of the rows.
    person = np.unique(team * (int(who.max(initial=0)) + 1) + who, return_inverse=True)[1].astype(np.int64)
    outer = team if sample.cluster is None else sample.cluster
    nested = len(np.unique(np.column_stack([team, outer]), axis=0)) == len(np.unique(team))
    cluster = np.unique(outer if nested else team, return_inverse=True)[1].astype(np.int64)
    return Split(cell, rated, cluster[first], person, team)


def places(values: NDArray[np.generic]) -> NDArray[np.int64]:
    import pandas as pd

    return in_order(pd.Series(values))


def by_lot(split: Split, splits: int) -> NDArray[np.bool_]:
    """(splits, n) who rates: half of the people of each team, by lot; of an odd number sometimes one more."""
    rng = np.random.default_rng(SEED)
    _, first, place = np.unique(split.person, return_index=True, return_inverse=True)
    team = split.team[first]
    size = np.bincount(team)
    order = np.argsort(rng.random((splits, len(first))) + team, axis=1)  # by team, and within it by lot
    starts = np.cumsum(size) - size
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(len(first))[None, :] - starts[np.sort(team)][None, :], axis=1)
    odd = rng.integers(0, 2, size=(splits, len(size)))
    return (rank < ((size + odd) // 2)[:, team])[:, place]


def estimates(sample: Sample, split: Split, splits: int) -> tuple[Vector, Vector, Vector]:
    """The estimate of each split (S,), the mean over splits without each cluster (G,), and how far the halves of each
    split agree (S,): the correlation of their mean ratings over cells."""
    rates = by_lot(split, splits)
    columns = held(sample)
    n, k = columns.shape
    products = (columns[:, :, None] * columns[:, None, :]).reshape(n, k * k)
    cells, groups = len(split.cluster), int(split.cluster.max()) + 1
    found, left, agree = [], np.zeros(groups), []
    block = max(1, AT_ONCE // (n * (k + 1) ** 2))
    order = np.argsort(split.cell, kind="stable")
    edges = np.searchsorted(split.cell[order], np.arange(cells))
    for begin in range(0, splits, block):
        here = rates[begin : begin + block].astype(float)[:, order]
        rating, other = means_of(sample.exposure[order], here, edges)
        agree += [correlation(one, two) for one, two in zip(rating, other, strict=True)]
        met = np.where(split.rated >= 0, rating[:, np.maximum(split.rated, 0)], np.nan)
        good = np.isfinite(met)
        met = np.where(good, met, 0.0)
        answers = np.where(np.repeat(good, np.diff(np.append(edges, n)), axis=1), 1 - here, 0.0)
        y = sample.outcome[order]
        inner = summed(answers, products[order], edges).reshape(len(here), cells, k, k)
        cross = summed(answers, columns[order] * y[:, None], edges)
        own = summed(answers, columns[order], edges)
        total = summed(answers, y[:, None], edges)[:, :, 0]
        count = summed(answers, np.ones((n, 1)), edges)[:, :, 0]
        one, two = systems(met, inner, cross, own, total, count, split.cluster, groups)
        whole, right = one.sum(axis=1), two.sum(axis=1)
        try:
            found += list(np.linalg.solve(whole, right[..., None])[:, 0, 0])
            left += np.linalg.solve(whole[:, None] - one, (right[:, None] - two)[..., None])[:, :, 0, 0].sum(axis=0)
        except np.linalg.LinAlgError:
            raise EstimationError(
                "Halves of these teams cannot be compared: without one of the teams, what is adjusted for tells the "
                "rating exactly. Adjust for fewer columns, or bring more teams."
            ) from None
    return np.array(found), left / splits, np.array(agree)


def held(sample: Sample) -> Matrix:
    """What is adjusted for, scaled, and the intercept, (n, k)."""
    return design(sample).matrix[:, 1:]


def means_of(rating: Vector, rates: Matrix, edges: NDArray[np.int64]) -> tuple[Matrix, Matrix]:
    """Of each split and cell: the mean rating by the half that rates, and by the other."""
    with np.errstate(invalid="ignore", divide="ignore"):
        size, rest = np.add.reduceat(rates, edges, axis=1), np.add.reduceat(1 - rates, edges, axis=1)
        one = np.add.reduceat(rates * rating, edges, axis=1) / size
        return one, np.add.reduceat((1 - rates) * rating, edges, axis=1) / rest


def summed(answers: Matrix, columns: Matrix, edges: NDArray[np.int64]) -> Matrix:
    """(S, cells, q) sums over the rows of each cell that answer."""
    return np.add.reduceat(answers[:, :, None] * columns[None, :, :], edges, axis=1)


def systems(
    met: Matrix,
    inner: Matrix,
    cross: Matrix,
    own: Matrix,
    total: Matrix,
    count: Matrix,
    cluster: NDArray[np.int64],
    groups: int,
) -> tuple[Matrix, Matrix]:
    """The normal equations of each split and cluster: (S, G, k + 1, k + 1) and (S, G, k + 1), the rating first."""
    splits, cells, k = own.shape
    left, right = np.zeros((splits, cells, k + 1, k + 1)), np.zeros((splits, cells, k + 1))
    left[:, :, 0, 0] = met**2 * count
    left[:, :, 0, 1:] = left[:, :, 1:, 0] = met[:, :, None] * own
    left[:, :, 1:, 1:] = inner
    right[:, :, 0], right[:, :, 1:] = met * total, cross
    order = np.argsort(cluster, kind="stable")
    edges = np.searchsorted(cluster[order], np.arange(groups))
    return np.add.reduceat(left[:, order], edges, axis=1), np.add.reduceat(right[:, order], edges, axis=1)


def correlation(one: Vector, two: Vector) -> float:
    there = np.isfinite(one) & np.isfinite(two)
    if there.sum() < 3 or min(np.std(one[there]), np.std(two[there])) <= 0:
        return float("nan")
    return float(np.corrcoef(one[there], two[there])[0, 1])


def reliability(agree: Vector) -> tuple[float, float]:
    """Of the mean of half a team, and of a whole one (Spearman-Brown); unknown where halves say the very opposite."""
    half = float(np.nanmean(agree)) if np.isfinite(agree).any() else float("nan")
    return half, 2 * half / (1 + half) if half > -1 else float("nan")


def disagreement(agree: Vector) -> tuple[str, ...]:
    half = reliability(agree)[0]
    if half > 0:
        return ()
    return (
        "assumption fails: the two halves of the teams do not agree at all, so the rating says nothing of the team",
    )


def beside(
    sample: Sample,
    question: Question,
    shared: Sample,
    agree: Vector,
    answer: tuple[float, float, float],
    level: float,
) -> tuple[Term, ...]:
    """The headline, what one person on both sides would say, agreement, and the answer corrected for its error."""
    estimate, se, df = answer
    own = terms((sample.exposure_name,), np.array([estimate]), np.array([[se**2]]), level, df)
    same = score.score(shared, as_score(question), level).model.terms[0]
    half, whole = reliability(agree)
    rows = [*own, replace(same, term=ONE)]
    rows.append(Term(f"{AGREE} (half a team)", half, *[float("nan")] * 4))
    rows.append(Term(f"{AGREE} (a whole team, Spearman-Brown)", whole, *[float("nan")] * 4))
    if half > 0:
        low, high, p = wald(estimate, se, level, df)
        rows.append(Term(CORRECTED, estimate / half, se / half, low / half, high / half, p))
    return tuple(rows)
