"""Two sets of cases of another composition: what differs within like cases, and what only the mix makes differ."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from researchkit import wording
from researchkit.errors import EstimationError, listing
from researchkit.estimators.effect import Count, Effect, Model, Term, Vector, wald

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question

FEWEST = 5  # rows of a kind of case that each side needs for its mean
MOST_LEFT_OUT = 0.1  # of the rows may be of kinds that one side lacks


def mix(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """The difference between two sides among cases of the same mix, in the outcome's unit.

    Within each kind of case the two means are compared; the differences are averaged by the mean of the two sides'
    shares. What is left of the crude difference is the mix (Kitagawa 1955, Journal of the American Statistical
    Association 50, 1168-1194): crude = within + mix, exactly. Errors are those of the influence of each cluster (or
    row), with t(G - 1).

    Raises
    ------
    EstimationError
        An exposure that is not two-sided, kinds of cases that one side lacks, outcomes that have no mean.

    References
    ----------
    Agrees with R `weighted.mean(tapply(y[b], s[b], mean) - tapply(y[a], s[a], mean), (pa + pb) / 2)`.
    """
    kinds, _ = kinds_of(sample, question)
    kept = shared(sample, kinds, question)
    side, outcome, kinds = sample.exposure[kept] > 0, sample.outcome[kept], kinds[kept]
    values, influence = parts(outcome, side, kinds)
    cluster = np.arange(len(outcome)) if sample.cluster is None else sample.cluster[kept]
    sums = np.array([np.bincount(cluster, column) for column in influence.T]).T
    sums = sums[np.bincount(cluster) > 0]
    groups = len(sums)
    if groups < 3:
        raise EstimationError(f"The question {question.id!r}: {groups} clusters are too few for an error; use more.")
    errors = np.sqrt(np.sum((sums - sums.mean(axis=0)) ** 2, axis=0) * groups / (groups - 1))
    df = float(groups - 1)
    rows = [
        Term(name, value, se, *wald(value, se, level, df)) if se > 0 else Term(name, value, 0.0, *[math.nan] * 3)
        for name, value, se in zip(("within like cases", "by the mix", "crude difference"), values, errors, strict=True)
    ]
    own, unit = rows[0], "probability" if question.outcome.kind == "yes_no" else question.outcome.unit or "point"
    low, high, p = wald(own.estimate, own.se, level, df)
    by = "" if sample.cluster is None else f" clustered by {sample.cluster_name}"
    left, held = len(sample.outcome) - len(outcome), str(len(np.unique(kinds)))
    held += f" {wording.units('kind', held)} of cases"
    notes = [f"{held}; within a kind they may still differ in what was not recorded"]
    if left:
        notes.append("rows of kinds that one side lacks are left out")
        notes.append(Count(f"{wording.percent(left / len(sample.outcome))} of the rows are of such kinds"))
    if sample.covariates.shape[1]:
        raise EstimationError(
            f"The question {question.id!r}: a `mix` is held equal by its kinds; move what `adjust` names into `of`, in "
            "bands, or leave it out."
        )
    return Effect(
        question.outcome.kind,
        own.estimate,
        own.se,
        low,
        high,
        level,
        p,
        unit,
        sample.contrast,
        f"direct standardisation over {held}, errors by influence{by}",
        len(outcome),
        None if sample.cluster is None else groups,
        df,
        Model("standardised difference of means", "by influence" + by, tuple(rows), unit),
        {},
        tuple(notes),
    )


def kinds_of(sample: Sample, question: Question) -> tuple[NDArray[np.int64], list[str]]:
    """The kind of each case (n,) and what the kinds are called."""
    asked, kind = question.mix, question.outcome.kind
    if asked is None:
        raise EstimationError(f"The question {question.id!r} has no `mix`.")
    if kind not in ("score", "yes_no", "counts"):
        raise EstimationError(
            f"The question {question.id!r}: a `mix` goes with scores, counts and yes or no; the outcome is of {kind}."
        )
    if not sample.binary_exposure:
        raise EstimationError(
            f"The question {question.id!r}: a `mix` compares two sides; name `reference` and `level` of the exposure."
        )
    columns = [
        [wording.typed(value) if isinstance(value, float) else str(value) for value in sample.more[name]]
        for name in asked.of
    ]
    names = np.array([" / ".join(parts) for parts in zip(*columns, strict=True)], dtype=object)
    labels, kinds = np.unique(names, return_inverse=True)
    return kinds.astype(np.int64), [str(label) for label in labels]


def shared(sample: Sample, kinds: NDArray[np.int64], question: Question) -> NDArray[np.bool_]:
    """(n,) the rows of kinds that both sides have enough of; refuses where too many are of others."""
    side = sample.exposure > 0
    counts = np.array([np.bincount(kinds[rows], minlength=kinds.max() + 1) for rows in (side, ~side)])
    kept = (counts.min(axis=0) >= FEWEST)[kinds]
    problems = []
    if not side.any() or side.all():
        problems.append("one side has no rows at all.")
    elif np.mean(~kept) > MOST_LEFT_OUT:
        problems.append(
            f"{wording.percent(float(np.mean(~kept)))} of the rows are of kinds of which one side has fewer than "
            f"{FEWEST}, so that like cannot be compared with like. Use fewer columns, or wider bands."
        )
    if problems:
        raise EstimationError(listing(f"The question {question.id!r}", problems))
    return kept


def parts(outcome: Vector, side: NDArray[np.bool_], kinds: NDArray[np.int64]) -> tuple[Vector, Vector]:
    """Within, mix and crude (3,), and the influence of each row on them (n, 3)."""
    size = int(kinds.max()) + 1
    n1, n0 = (np.bincount(kinds[rows], minlength=size).astype(float) for rows in (side, ~side))
    mean1, mean0 = (
        np.divide(np.bincount(kinds[rows], outcome[rows], minlength=size), n, out=np.zeros(size), where=n > 0)
        for rows, n in ((side, n1), (~side, n0))
    )
    share1, share0 = n1 / n1.sum(), n0 / n0.sum()
    apart, level = mean1 - mean0, (mean1 + mean0) / 2
    within = float(np.sum((share1 + share0) / 2 * apart))
    by_mix = float(np.sum((share1 - share0) * level))
    influence = np.zeros((len(outcome), 3))
    for rows, n, mean, share, sign in ((side, n1, mean1, share1, 1.0), (~side, n0, mean0, share0, -1.0)):
        kind, total = kinds[rows], n.sum()
        rest = outcome[rows] - mean[kind]
        weight = (share1 + share0)[kind] / 2 / n[kind]
        # The shares are drawn as well: each row moves its own side's shares towards its kind.
        influence[rows, 0] = sign * weight * rest + (apart[kind] - np.sum(share * apart)) / 2 / total
        moved = (share1 - share0)[kind] / 2 / n[kind]
        influence[rows, 1] = moved * rest + sign * (level[kind] - np.sum(share * level)) / total
    influence[:, 2] = influence[:, 0] + influence[:, 1]
    return np.array([within, by_mix, within + by_mix]), influence
