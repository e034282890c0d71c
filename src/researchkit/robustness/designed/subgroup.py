"""What a difference between groups is attacked with: rivals of the moderator, other cuts, other scales, thin groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from researchkit import wording
from researchkit.disclosure import PROFILES
from researchkit.errors import ResearchkitError
from researchkit.estimators.subgroup import Layout, design_of, laid_out, of_layout, subgroup
from researchkit.robustness.check import Check, why_not

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question

FEW_CLUSTERS = 5
THIN = 0.05  # share of people beyond a value, below which the effect there is the line's more than theirs
CROWDED = 0.2  # share of answers at one end of a scale


def attacks(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> tuple[Check, ...]:
    layout = laid_out(sample, question)
    return (
        rivals(dataset, question, effect, sample, layout),
        by_itself(dataset, question, effect, sample, layout),
        other_cut(dataset, question, effect, sample, layout),
        other_scale(dataset, question, effect, sample),
        groups(dataset, question, sample, layout),
        regression(dataset, question, sample),
    )


def side(effect: Effect) -> int:
    """The side of zero that an interval lies on; 0 where it holds zero."""
    return int(effect.low > 0) - int(effect.high < 0)


def differs(one: Effect, effect: Effect, question: Question) -> bool:
    """Whether another way says something else: about zero, unless both are too small to matter."""
    small = [-question.smallest_effect < each.low and each.high < question.smallest_effect for each in (one, effect)]
    return not all(small) and side(one) != side(effect)


def said(effect: Effect, like: Effect | None = None) -> str:
    scale, unit = wording.scale((like or effect).unit)
    value, limits = wording.estimate(*(scale * part for part in (effect.estimate, effect.low, effect.high)), sign=True)
    return f"{value} {wording.units(unit, value)} ({limits})"


def tried(name: str, dataset: Dataset, run: Callable[[], Check]) -> Check:
    """A check, or why these data cannot be put to it."""
    try:
        return run()
    except ResearchkitError as error:
        return Check(name, dataset.fingerprint, reason=why_not(error, dataset.study))


def rivals(dataset: Dataset, question: Question, effect: Effect, sample: Sample, layout: Layout) -> Check:
    """Does the moderator stand for something else? The exposure times each covariate, added in turn and all at once."""
    name, made, part = "the moderator stands for another", dataset.fingerprint, design_of(question)
    kept = [group for group in sample.groups if group not in (question.exposure.column, part.by)]
    entries = list(dict.fromkeys(kept))
    if not entries:
        reason = "the question adjusts for nothing; name under `adjust` what else the groups may differ in"
        return Check(name, made, reason=reason)

    def run() -> Check:
        places = {entry: tuple(np.flatnonzero([group == entry for group in kept]).tolist()) for entry in entries}
        each = {
            entry: of_layout(replace(layout, rivals=places[entry]), sample, question, effect.level, part)
            for entry in entries
        }
        every = tuple(range(len(kept)))
        whole = of_layout(replace(layout, rivals=every), sample, question, effect.level, part)
        told = [
            f"with that of {wording.lower_first(dataset.study.label(entry))} too: {said(one)}"
            for entry, one in each.items()
        ]
        if len(entries) > 1:
            told.append(f"with all of them: {said(whole)}")
        lost = [entry for entry, one in each.items() if differs(one, effect, question)]
        lost += ["all of them"] if differs(whole, effect, question) and not lost and len(entries) > 1 else []
        facts = {"estimates": {entry: one.estimate for entry, one in each.items()}, "with_all": whole.estimate}
        mark = ""
        if lost:
            named = ", ".join(dataset.study.label(entry) if entry in each else entry for entry in lost)
            mark = f"stands for another: the interval parts about zero once the effect may differ by {named}"
        words = f"Where the effect may differ by covariates as well, {'; '.join(told)}."
        return Check(name, made, {**facts, "words": words}, mark=mark)

    return tried(name, dataset, run)


def by_itself(dataset: Dataset, question: Question, effect: Effect, sample: Sample, layout: Layout) -> Check:
    """Each group with an adjustment of its own, as if it were a study by itself."""
    name, made, part = "each group by itself", dataset.fingerprint, design_of(question)
    if not layout.covariates.shape[1]:
        return Check(name, made, reason="the question adjusts for nothing, so the groups are by themselves as it is")

    def run() -> Check:
        one = of_layout(replace(layout, apart=True), sample, question, effect.level, part)
        words = f"With an adjustment of its own for each group the difference is {said(one)}."
        off = differs(one, effect, question)
        mark = "hangs on the adjustment: with one for each group the interval parts about zero" if off else ""
        return Check(name, made, {"estimate": one.estimate, "words": words}, mark=mark)

    return tried(name, dataset, run)


def other_cut(dataset: Dataset, question: Question, effect: Effect, sample: Sample, layout: Layout) -> Check:
    """A number cut into thirds: an interaction that is no straight line, or rests on a few far out, shows here."""
    name, made, part = "another cut of the moderator", dataset.fingerprint, design_of(question)
    if layout.codes:
        return Check(name, made, reason="the groups are coded, and not cut from a number")
    values = layout.moderator[:, 0]
    edges = np.quantile(values, [1 / 3, 2 / 3])
    thirds = np.array(["low", "middle", "high"])[np.searchsorted(edges, values, side="left")]
    up = not part.between or float(part.between[0]) < float(part.between[1])

    def run() -> Check:
        cut = part.model_copy(update={"between": ("low", "high") if up else ("high", "low"), "per": 1.0})
        asked = question.model_copy(update={"subgroup": cut})
        more = {**sample.more, part.by: thirds.astype(object)}
        one = subgroup(replace(sample, more=more), asked, effect.level)
        ends = {term.term: term.estimate for term in one.model.terms[1:]}
        low, middle, high = (ends.get(f"at {third}", np.nan) for third in ("low", "middle", "high"))
        bends = np.isfinite(middle) and not min(low, high) <= middle <= max(low, high)
        words = f"Cut into thirds, {'highest less lowest' if up else 'lowest less highest'}: {said(one)}."
        words += " The middle third does not lie between them." if bends else ""
        against = side(one) * side(effect) < 0 or (one.estimate * effect.estimate < 0 and side(effect) != 0)
        mark = "hangs on the cut: by thirds the difference has the other sign" if against else ""
        return Check(name, made, {"estimate": one.estimate, "in_between": not bends, "words": words}, mark=mark)

    return tried(name, dataset, run)


def other_scale(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> Check:
    """Effects that differ on one scale may be alike on another: odds, rates, ranks. An end of a scale stops them."""
    name, made = "another scale", dataset.fingerprint
    if effect.also:
        (scale, (value, low, high)), *_ = effect.also.items()
        there = int(low > 1) - int(high < 1)
        words = f"As a {scale} the difference is {wording.number(value)} ({wording.interval(low, high)}; 1 is none)."
        return Check(name, made, {"ratio": value, "words": words}, mark=scaled(side(effect), there, f"a {scale}"))

    def run() -> Check:
        from scipy import special, stats

        ranks = special.ndtri((stats.rankdata(sample.outcome) - 0.5) / len(sample.outcome))
        one = subgroup(replace(sample, outcome=np.asarray(ranks)), question, effect.level)
        shares = crowd(dataset, question, sample)
        ends = f" At the {' and the '.join(shares)} end of the scale stand many answers." if shares else ""
        words = (
            f"By ranks (as normal scores) the difference is {said(one, replace(one, unit='standard deviation'))}.{ends}"
        )
        mark = scaled(side(effect), side(one), "ranks")
        if not mark and shares and side(effect):
            mark = (
                f"an end of the scale: many answers stand at its {' and its '.join(shares)}, where no effect can show"
            )
        return Check(name, made, {"by_ranks": one.estimate, "crowded": shares, "words": words}, mark=mark)

    return tried(name, dataset, run)


def scaled(here: int, there: int, what: str) -> str:
    """The mark, where another scale says something else about zero."""
    if here == there:
        return ""
    if here * there < 0:
        return f"hangs on the scale: as {what} the difference is clearly the opposite"
    return f"hangs on the scale: as {what} {'no difference is clear' if here else 'a difference is clear'}"


def crowd(dataset: Dataset, question: Question, sample: Sample) -> list[str]:
    """The ends of the outcome's range at which many answers stand."""
    part = dataset.study.part(question.outcome.column)
    limits = getattr(part, "range", None) or (sample.outcome.min(), sample.outcome.max())
    shares = {"low": np.mean(sample.outcome <= limits[0]), "high": np.mean(sample.outcome >= limits[1])}
    return [end for end, share in shares.items() if share > CROWDED]


def groups(dataset: Dataset, question: Question, sample: Sample, layout: Layout) -> Check:
    """How many there are in each group, or beyond each value: few make an effect of their own a guess."""
    name, made, part = "too few in a group", dataset.fingerprint, design_of(question)
    study = dataset.study
    few: list[str] = []
    if not layout.codes:
        if not part.between:
            return Check(name, made, reason="the headline is per step of a number, and not between two values")
        values, (first, second) = layout.moderator[:, 0], sorted(map(float, part.between))
        shares = {first: np.mean(values <= first), second: np.mean(values >= second)}
        few = [wording.typed(value) for value, share in shares.items() if share < THIN]
        words = (
            f"Beyond {' and '.join(few)} hardly anybody stands."
            if few
            else "There are people enough beyond both values."
        )
        mark = (
            f"far out: hardly anybody stands beyond {' and '.join(few)}, so the straight line speaks there"
            if few
            else ""
        )
        return Check(name, made, {"thin": few, "words": words}, mark=mark)
    rows = [1 - layout.moderator.sum(axis=1) > 0, *(layout.moderator.T > 0)][:2]
    labels = [codes_of(study, part.by).get(code, code) for code in layout.codes[:2]]
    clusters = [len(np.unique(sample.cluster[inside])) for inside in rows] if sample.cluster is not None else []
    thin = [label for label, count in zip(labels, clusters, strict=False) if count < FEW_CLUSTERS]
    words = "Both groups have people enough."
    if not PROFILES[study.disclosure].protects:
        counts = [f"{label}: {wording.count(sample.heads(inside))}" for label, inside in zip(labels, rows, strict=True)]
        words = f"People in each group: {'; '.join(counts)}."
    mark = f"few clusters in a group: {', '.join(thin)}" if thin else ""
    return Check(name, made, {"few_clusters": thin, "words": words}, mark=mark)


def codes_of(study: Any, name: str) -> dict[str, str]:
    return dict(getattr(study.part(name), "codes", None) or {})


def regression(dataset: Dataset, question: Question, sample: Sample) -> Check:
    """Who starts low rises, also where nothing was done: how much of it there is, and where it would mislead."""
    name, made, part = "regression to the mean", dataset.fingerprint, design_of(question)
    if question.outcome.kind != "change" or sample.baseline is None:
        return Check(name, made, reason="the outcome is not a change from a baseline")
    low, high = lowest_and_highest(sample)
    profile = PROFILES[dataset.study.disclosure]
    if profile.protects and min(sample.heads(low), sample.heads(high)) < profile.threshold:
        return Check(name, made, reason="too few people started low, or high, for their changes to be told")
    changes = [float((sample.outcome - sample.baseline)[rows].mean()) for rows in (low, high)]
    scale = [wording.number(one, sign=True) for one in changes]
    who = "of those without the exposure" if sample.binary_exposure else "of all"
    words = (
        f"The lowest third at the start {who} changed by {scale[0]}, the highest third by {scale[1]}: chance at the "
        "start does that. The answer compares people who started alike, so it is not taken for an effect."
    )
    on_it = part.by == question.outcome.baseline
    words += " An error in the baseline still weakens every difference by the start." if on_it else ""
    mark = "the groups are cut from the baseline: its errors of measurement blur them" if on_it else ""
    facts = {"lowest_third": changes[0], "highest_third": changes[1], "words": words}
    return Check(name, made, facts, mark=mark)


def lowest_and_highest(sample: Sample) -> tuple[Any, Any]:
    """(n,) the rows of the lowest and the highest third at the start, without the exposure where it is 0 or 1."""
    start = np.asarray(sample.baseline)
    without = sample.exposure == 0 if sample.binary_exposure else np.ones(len(start), dtype=bool)
    edges = np.quantile(start[without], [1 / 3, 2 / 3])
    return without & (start <= edges[0]), without & (start >= edges[1])
