"""How much of an effect goes by way of a mediator: the product of two paths, with direct and total beside it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError
from researchkit.estimators import refuse
from researchkit.estimators.effect import Effect, Model, Term, Vector, ways
from researchkit.estimators.paths import Laid, Paths, constant_within, fit, means, product
from researchkit.wording import count, number

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question

ROUGH_MEANS = 0.7  # reliability of a cluster's mean below which it hardly stands for the cluster
INDIRECT, DIRECT, TOTAL, FIRST, SECOND, SHARE = "Indirect", "Direct", "Total", "First path", "Second path", "Share"


def mechanism(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """The indirect effect, in the outcome's unit per unit of the exposure; yes or no by a linear probability model.

    Errors are CR2 by cluster with Satterthwaite degrees of freedom, or HC3. The interval is the Monte Carlo one: t
    draws of both paths with their joint, cluster-robust correlation, and the middle of their products. Where exposure
    or mediator is the same for all of a cluster, only paths between clusters count: everything is taken as the mean of
    its cluster, and a mediator's way inside clusters does not enter.

    Raises
    ------
    EstimationError
        As `score`; and for a mediator that is no number or never varies, that was measured before the exposure, or
        that exposure and covariates tell exactly; or for clusters that cross.

    References
    ----------
    Preacher and Selig (2012), Communication Methods and Measures 6, 77-98 (Monte Carlo interval); Zhang, Zyphur and
    Preacher (2009), Organizational Research Methods 12, 695-719 (2-1-1). Paths and indirect effect agree with R
    `lavaan::sem("m ~ a*x + z; y ~ b*m + c*x + z; ab := a*b")`.
    """
    laid, notes = lay(sample, question)
    paths = fit(laid, question, level)
    draws = paths.drawn()
    low, high, p = product(draws, level)
    own = Term(INDIRECT, paths.indirect, paths.se, low, high, p)
    unit = "probability" if question.outcome.kind == "yes_no" else question.outcome.unit or "point"
    clusters = min((len(np.unique(codes)) for codes, _ in ways(sample)), default=None)
    model, how = _model(laid, paths, own, draws, level)
    return Effect(
        question.outcome.kind,
        own.estimate,
        own.se,
        low,
        high,
        level,
        p,
        unit,
        f"{sample.contrast}, by way of {laid.name}",
        f"product of two paths by least squares{how}, {paths.errors} errors, Monte Carlo interval",
        len(sample.outcome),
        clusters,
        float(paths.df[:2].min()),
        model,
        {},
        (*notes, *paths.notes, *_limits(laid, question, paths)),
    )


def lay(sample: Sample, question: Question) -> tuple[Laid, tuple[str, ...]]:
    """The arrays of the mechanism, means of clusters where only these can carry it; and notes on what is weak."""
    spec = question.mechanism
    if spec is None:
        raise ValueError(f"The question {question.id!r} names no mechanism.")
    mediator = sample.more[spec.mediator]
    problems = [*_no_score(spec.mediator, mediator), *_times(sample, question)]
    names, groups, columns, more = _further(sample, spec.adjust)
    notes = refuse.check(sample, question, [*problems, *more, *_crossed(sample), *_baseline(sample, question)])
    if sample.baseline is not None:
        name = f"{question.outcome.baseline or 'baseline'}"
        names, groups, columns = [name, *names], [name, *groups], [sample.baseline, *columns]
    sample = replace(
        sample,
        covariates=np.column_stack([sample.covariates.reshape(len(mediator), -1), *columns]),
        names=(*sample.names, *names),
        groups=(*sample.groups, *groups),
    )
    if question.outcome.kind == "yes_no":
        notes = (*notes, *refuse.rare(sample.outcome, sample, question))
    name = spec.mediator.replace("_", " ")
    laid = Laid(sample, np.asarray(mediator, dtype=float), name, question.exposure.column)
    same = [constant_within(values, sample.cluster) for values in (sample.exposure, laid.mediator)]
    if not any(same):
        return laid, notes
    return _between(laid, question), (*notes, *_levels(laid, same))


def _between(laid: Laid, question: Question) -> Laid:
    """Every column as the mean of its cluster; refused where too few clusters are left to tell the paths."""
    sample = laid.sample
    groups = 0 if sample.cluster is None else len(np.unique(sample.cluster))
    need = sample.covariates.shape[1] + 6
    if groups < need:
        raise EstimationError(
            f"The question {question.id!r}: only paths between {sample.cluster_name} can carry this, and {groups} of "
            f"them are too few for {need - 3} coefficients: at least {need} are needed. Adjust for fewer columns, or "
            "collect data from more of them."
        )
    moved = replace(
        sample,
        exposure=means(sample.exposure, sample),
        outcome=means(sample.outcome, sample),
        covariates=means(sample.covariates, sample),
    )
    return replace(laid, sample=moved, mediator=means(laid.mediator, sample), between=True)


def _levels(laid: Laid, same: Sequence[bool]) -> tuple[str, ...]:
    """Which of the two is the same within clusters, and how well the mean of the other stands for its cluster."""
    cluster, names = laid.sample.cluster_name, (laid.sample.exposure_name, laid.name)
    which = " and ".join(name for name, one in zip(names, same, strict=True) if one)
    told = [
        f"between {cluster} only: {which} {'are' if all(same) else 'is'} the same for all of one {cluster}, so means "
        f"of {cluster} are compared; what happens inside them does not enter"
    ]
    if same[0] and not same[1] and (worth := reliability(laid)) < ROUGH_MEANS:
        told.append(
            f"rough means: the mean of {laid.name} of a {cluster} has a reliability of {number(max(worth, 0.0))}. If "
            f"those asked stand for others of their {cluster}, the second path mixes in what happens inside {cluster}"
        )
    return tuple(told)


def reliability(laid: Laid) -> float:
    """ICC(2) of the mediator's means by cluster, from the mean squares between and within (Bliese 2000)."""
    values, cluster = laid.mediator, laid.sample.cluster
    codes = np.zeros(len(values)) if cluster is None else cluster
    _, code, sizes = np.unique(codes, return_inverse=True, return_counts=True)
    mean = np.bincount(code, weights=values) / sizes
    inside = float(np.sum((values - mean[code]) ** 2)) / max(len(values) - len(sizes), 1)
    across = float(sizes @ (mean - values.mean()) ** 2) / max(len(sizes) - 1, 1)
    return 1 - inside / across if across > 0 else 0.0


def _no_score(name: str, values: NDArray[Any]) -> list[str]:
    if values.dtype.kind != "f":
        return [f"the mediator {name} holds words or dates; a score is wanted. Recode it to numbers."]
    if bad := int(np.sum(~np.isfinite(values))):
        return [
            f"the mediator {name} has {bad} values that are not finite numbers. Correct them or declare them missing."
        ]
    if len(values) and np.ptp(values) == 0:
        return [f"the mediator {name} is the same in all {len(values)} complete rows, so it can carry nothing."]
    return []


def _times(sample: Sample, question: Question) -> list[str]:
    """Rows in which something was measured before what it is to follow from."""
    spec = question.mechanism
    if spec is None or spec.times is None:
        return []
    problems, known = [], []
    for part in ("exposure", "mediator", "outcome"):
        when = getattr(spec.times, part)
        values = sample.more[when] if isinstance(when, str) else np.full(len(sample.outcome), float(when))
        if values.dtype.kind not in "fM":
            problems.append(
                f"{when}, the time of the {part}, holds words; numbers or dates that rise with time are wanted."
            )
            continue
        known.append((part, values))
    for (first, early), (second, late) in itertools.pairwise(known):
        if early.dtype.kind != late.dtype.kind:
            problems.append(f"the times of {first} and {second} are not alike: one is a date, the other a number.")
        elif wrong := int(np.sum(late < early)):
            problems.append(
                f"in {count(wrong)} rows the {second} was measured before the {first}, and what came before cannot "
                "follow from it. Leave those rows out with `keep`, or name another mediator."
            )
    return problems


def _crossed(sample: Sample) -> list[str]:
    if sample.crossed is None:
        return []
    return [
        f"clusters by {sample.cluster_name} and {sample.crossed_name} cross, and a mechanism allows for one kind only. "
        "Name under `clusters` the one in which people are most alike."
    ]


def _baseline(sample: Sample, question: Question) -> list[str]:
    if question.outcome.kind == "change" and sample.baseline is None:
        return ["it asks for a change, but its sample has no baseline."]
    return []


def _further(sample: Sample, adjust: Sequence[str]) -> tuple[list[str], list[str], list[Vector], list[str]]:
    """What the mechanism adjusts for beside the question: names, groups, columns; and what cannot be used."""
    names: list[str] = []
    groups: list[str] = []
    columns: list[Vector] = []
    problems = []
    for name in adjust:
        values = sample.more[name]
        if values.dtype.kind == "M":
            problems.append(f"{name}: a date cannot be adjusted for; make it a number, such as days since a start.")
            continue
        if values.dtype.kind == "f":
            found = {name: values}
        else:
            levels, sizes = np.unique(values.astype(str), return_counts=True)
            often = levels[int(np.argmax(sizes))]
            found = {f"{name}: {one}": (values == one).astype(float) for one in levels if one != often}
        names += found
        groups += [name] * len(found)
        columns += found.values()
    return names, groups, columns, problems


def _model(laid: Laid, paths: Paths, own: Term, draws: Any, level: float) -> tuple[Model, str]:
    """The terms of the page: indirect, direct, total, both paths, and the share where there is one."""
    x, m = laid.sample.exposure_name, laid.name
    told = [
        replace(own, term=f"{INDIRECT}: {x} to {m} to outcome"),
        replace(paths.direct, term=f"{DIRECT}: {x} to outcome, {m} held equal"),
        replace(paths.total, term=f"{TOTAL}: {x} to outcome"),
        replace(paths.a, term=f"{FIRST}: {x} to {m}"),
        replace(paths.b, term=f"{SECOND}: {m} to outcome, {x} held equal"),
    ]
    clear = paths.total.low > 0 or paths.total.high < 0
    if clear and paths.indirect * paths.direct.estimate >= 0:
        through = draws[:, 0] * draws[:, 1]
        shares = through / (through + draws[:, 2])
        low, high = np.quantile(shares, [(1 - level) / 2, (1 + level) / 2])
        share = paths.indirect / paths.total.estimate
        told.append(
            Term(
                f"{SHARE} of the total by way of {m}",
                share,
                float(np.std(np.clip(shares, low, high))),
                float(low),
                float(high),
                own.p,
            )
        )
    how = f" on means of {laid.sample.cluster_name}" if laid.between else ""
    weighted = ", weighted" if laid.sample.weights is not None else ""
    return Model(f"two least-squares lines{how}", paths.errors, tuple(told), "each in its own unit"), f"{how}{weighted}"


def _limits(laid: Laid, question: Question, paths: Paths) -> tuple[str, ...]:
    """What the indirect effect rests on, and where its parts pull apart."""
    told = [
        f"that {laid.name} carries it rests on nothing unmeasured acting on both {laid.name} and the outcome, nor on "
        "the exposure and either; data cannot show that"
    ]
    if question.outcome.kind == "yes_no":
        told.append("yes or no is told by a linear probability model: differences in shares, alike for everybody")
    if laid.sample.cluster is not None and not laid.between:
        told.append(
            f"rows inside and between {laid.sample.cluster_name} are taken together; inside alone is told below"
        )
    apart = paths.indirect * paths.direct.estimate < 0
    if apart and all(one.low > 0 or one.high < 0 for one in (paths.a, paths.b, paths.direct)):
        told.append("the indirect and the direct effect pull in opposite directions, so that the total hides both")
    return tuple(told)
