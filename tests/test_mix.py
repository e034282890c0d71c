"""Two sides of one mix: the weighted mean of differences, errors by the slopes of the weights, counts and refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from designed import counts, question, sample
from scipy import stats

from researchkit.errors import EstimationError
from researchkit.estimators import mix as room

NAMES = ["within like cases", "by the mix", "crude difference"]


def drawn(n=120, *, seed=1, sizes=(0.5, 0.3, 0.2), **given):
    """Cases of three kinds, told by two columns; the exposed have more of the last kind and fewer of the first."""
    rng = np.random.default_rng(seed)
    side = rng.integers(0, 2, n).astype(float)
    kind = np.where(side > 0, rng.choice(3, n, p=sizes[::-1]), rng.choice(3, n, p=sizes))
    outcome = 5 + 2.0 * kind + np.array([0.5, 1.0, 2.0])[kind] * side + rng.normal(size=n)
    more = {"topic": np.array(["bill", "bill", "move"], dtype=object)[kind], "band": np.array([1.0, 2.0, 2.0])[kind]}
    return sample(outcome, side, more=more, **given), kind


ASKED = question(mix={"of": ["topic", "band"]})


def plainly(outcome, side, kind, weight):
    """Within, mix and crude by loops over kinds, in which every row counts by its weight."""
    within = by_mix = 0.0
    for one in np.unique(kind):
        mean, share = {}, {}
        for arm in (0, 1):
            here = (kind == one) & (side == arm)
            mean[arm] = np.average(outcome[here], weights=weight[here])
            share[arm] = weight[here].sum() / weight[side == arm].sum()
        within += (share[1] + share[0]) / 2 * (mean[1] - mean[0])
        by_mix += (share[1] - share[0]) * (mean[1] + mean[0]) / 2
    return np.array([within, by_mix, within + by_mix])


def pulls(outcome, side, kind):
    """How far a little more weight on each row moves the three, by differences."""
    step, ones = 1e-5, np.ones(len(outcome))
    moved = [step * (np.arange(len(outcome)) == row) for row in range(len(outcome))]
    up, down = (np.array([plainly(outcome, side, kind, ones + sign * one) for one in moved]) for sign in (1, -1))
    return (up - down) / (2 * step)


@pytest.mark.parametrize("clusters", [None, 12, 3])
def test_estimates_errors_and_intervals_are_those_of_the_plain_computation(clusters):
    asked, kind = drawn()
    cluster = None if clusters is None else 3 + np.arange(120) % clusters  # codes that begin anywhere
    asked = replace(asked, cluster=cluster, cluster_name=None if cluster is None else "agent")
    effect = room.mix(asked, ASKED, 0.9)
    values = plainly(asked.outcome, asked.exposure, kind, np.ones(120))
    each = pulls(asked.outcome, asked.exposure, kind)
    sums = each if cluster is None else np.array([each[cluster == one].sum(axis=0) for one in np.unique(cluster)])
    groups = len(sums)
    errors = np.sqrt(groups * sums.var(axis=0, ddof=1))
    assert [term.term for term in effect.model.terms] == NAMES
    for term, value, error in zip(effect.model.terms, values, errors, strict=True):
        half = stats.t.ppf(0.95, groups - 1) * error
        p = 2 * stats.t.sf(abs(value / error), groups - 1)
        assert (term.estimate, term.se) == pytest.approx((value, error), rel=1e-6)
        assert (term.low, term.high, term.p) == pytest.approx((value - half, value + half, p), rel=1e-6)
    own = effect.model.terms[0]
    for field in ("estimate", "se", "low", "high", "p"):
        assert getattr(effect, field) == getattr(own, field), field
    assert (effect.n, effect.clusters, effect.df, effect.level) == (120, clusters, groups - 1, 0.9)
    assert (effect.kind, effect.unit, effect.contrast, effect.also) == ("score", "point", "care +1 point", {})
    by = "" if cluster is None else " clustered by agent"
    assert effect.method == f"direct standardisation over 3 kinds of cases, errors by influence{by}"
    assert (effect.model.name, effect.model.errors) == ("standardised difference of means", "by influence" + by)
    assert effect.model.scale == "point"
    assert effect.notes == ("3 kinds of cases; within a kind they may still differ in what was not recorded",)


def test_within_and_mix_add_up_to_the_difference_of_the_means():
    asked, _ = drawn(seed=3)
    effect = room.mix(asked, ASKED)
    within, by_mix, crude = effect.model.terms
    apart = asked.outcome[asked.exposure > 0].mean() - asked.outcome[asked.exposure == 0].mean()
    assert within.estimate + by_mix.estimate == pytest.approx(crude.estimate) == pytest.approx(apart)
    # The crude difference has the error of two independent means.
    parts = [asked.outcome[asked.exposure == arm] for arm in (0, 1)]
    error = np.sqrt(sum(part.var() / len(part) for part in parts) * 120 / 119)
    assert crude.se == pytest.approx(error)
    assert effect.level == 0.95 and effect.high - effect.estimate == pytest.approx(stats.t.ppf(0.975, 119) * within.se)


def test_one_kind_of_case_leaves_nothing_to_the_mix():
    asked, _ = drawn()
    one = replace(asked, more={"topic": np.full(120, "bill", dtype=object)})
    within, by_mix, crude = room.mix(one, question(mix={"of": ["topic"]})).model.terms
    assert (by_mix.estimate, by_mix.se) == (0, 0) and np.isnan([by_mix.low, by_mix.high, by_mix.p]).all()
    assert (within.estimate, within.se) == (crude.estimate, crude.se)


def rare(few, n=100):
    """One kind of n rows, `few` of the exposed, and another of many: 50 on each side."""
    side = np.concatenate([np.arange(n) < few, np.arange(100) % 2 == 0]).astype(float)
    kind = np.array(["rare"] * n + ["usual"] * 100, dtype=object)
    return sample(np.random.default_rng(2).normal(size=n + 100), side, more={"kind": kind})


def test_a_kind_counts_with_five_on_each_side_and_is_left_out_with_four():
    asked = question(mix={"of": ["kind"]})
    whole = room.mix(rare(5, 11), asked)
    assert (whole.n, len(whole.notes)) == (111, 1)
    cut = room.mix(rare(4, 10), asked)
    assert cut.n == 100
    assert cut.notes == (
        "1 kind of cases; within a kind they may still differ in what was not recorded",
        "rows of kinds that one side lacks are left out",
        "9.1 % of the rows are of such kinds",
    )
    assert counts(cut.notes) == ["9.1 % of the rows are of such kinds"]
    assert "over 1 kind of cases" in cut.method and cut.df == 99
    usual = replace(rare(4, 10), outcome=rare(4, 10).outcome[10:], exposure=rare(4, 10).exposure[10:])
    alone = room.mix(replace(usual, more={"kind": np.full(100, "usual", dtype=object)}), asked)
    assert (cut.estimate, cut.se) == pytest.approx((alone.estimate, alone.se))


def test_a_tenth_of_the_rows_may_be_left_out_and_no_more():
    asked = question(mix={"of": ["kind"]})
    one = rare(4, 10)
    kept = np.arange(len(one.outcome)) < 100  # 10 rare, 90 usual
    more = {"kind": one.more["kind"][kept]}
    tenth = replace(one, outcome=one.outcome[kept], exposure=one.exposure[kept], more=more)
    assert room.mix(tenth, asked).n == 90
    with pytest.raises(EstimationError) as caught:
        room.mix(rare(4, 12), asked)
    assert str(caught.value) == (
        "The question 'q': 10.7 % of the rows are of kinds of which one side has fewer than 5, so that like cannot be "
        "compared with like. Use fewer columns, or wider bands."
    )


def test_clusters_that_hold_left_out_rows_alone_do_not_count():
    one = rare(4, 10)
    cluster = np.concatenate([np.zeros(10, dtype=np.int64), 1 + np.arange(100) % 4])
    effect = room.mix(replace(one, cluster=cluster, cluster_name="agent"), question(mix={"of": ["kind"]}))
    assert (effect.clusters, effect.df) == (4, 3)
    assert effect.method.endswith("errors by influence clustered by agent") and effect.df == 3


@pytest.mark.parametrize(
    ("changes", "asked", "said"),
    [
        ({"cluster": np.arange(120) % 2}, ASKED, "2 clusters are too few for an error; use more."),
        ({"binary_exposure": False}, ASKED, "a `mix` compares two sides; name `reference` and `level` of the exposure."),
        ({}, question(), "has no `mix`."),
        ({"exposure": np.ones(120)}, ASKED, "one side has no rows at all."),
        ({"exposure": np.zeros(120)}, ASKED, "one side has no rows at all."),
        ({"covariates": np.ones((120, 1))}, ASKED, "held equal by its kinds; move what `adjust` names into `of`, in bands"),
    ],
)  # fmt: skip
def test_what_has_no_mix_is_refused_in_words(changes, asked, said):
    with pytest.raises(EstimationError) as caught:
        room.mix(replace(drawn()[0], **changes), asked)
    assert str(caught.value).startswith("The question 'q'") and said in str(caught.value)
    assert "\n" not in str(caught.value), "one reason, one line"


@pytest.mark.parametrize("kind", ["yes_no", "counts", "score", "change"])
def test_the_kinds_of_outcome_that_have_a_mean(kind):
    asked, _ = drawn()
    outcome = {"baseline": "before"} if kind == "change" else {"unit": "call"}
    told = question(kind, outcome, mix={"of": ["topic", "band"]})
    if kind == "change":
        with pytest.raises(EstimationError, match="goes with scores, counts and yes or no; the outcome is of change"):
            room.mix(asked, told)
        return
    effect = room.mix(replace(asked, outcome=(asked.outcome > 7).astype(float)), told)
    assert (effect.kind, effect.unit) == (kind, "probability" if kind == "yes_no" else "call")
    assert effect.model.scale == effect.unit


def test_a_kind_is_called_by_what_its_columns_hold():
    asked, kind = drawn()
    kinds, labels = room.kinds_of(asked, ASKED)
    assert labels == ["bill / 1", "bill / 2", "move / 2"]
    assert np.array_equal(kinds, kind)
