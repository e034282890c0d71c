"""Correlations with what is true: by the influence of each row, on Fisher's scale; what they rest on, and refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from designed import question, sample
from scipy import stats

from researchkit.errors import EstimationError
from researchkit.estimators import validity as room


def held(minimum=0.3, **told):
    return question(detection={"of": "correlation", "by": "care", "minimum": minimum, **told})


def grouped(**told):
    return question(detection={"of": "correlation", "by": "rating", **told}, exposure="side")


def pairs(n=40, *, seed=6, r=0.6, more=None, **given):
    rng = np.random.default_rng(seed)
    x = rng.normal(3, 2, size=n)
    y = 10 + r * x + rng.normal(size=n)
    return sample(y, x, more={"care": x, **(more or {})}, **given)


def two_sides(n=60, **given):
    """The correlation is high where `side` is 1 and low where it is 0."""
    rng = np.random.default_rng(9)
    side = (np.arange(n) % 3 == 0).astype(float)
    rating = rng.normal(size=n)
    truth = np.where(side > 0, 2.0, 0.3) * rating + rng.normal(size=n) + 5 * side
    return sample(truth, side, more={"rating": rating}, **given)


def influence(x, y, weights=None):
    """The (weighted) correlation and what each row pulls at it (Devlin and others 1975)."""
    share = np.full(len(x), 1 / len(x)) if weights is None else weights / weights.sum()
    x, y = ((one - share @ one) / np.sqrt(share @ (one - share @ one) ** 2) for one in (x, y))
    r = float(share @ (x * y))
    return r, share * (x * y - r * (x**2 + y**2) / 2)


def limits(r, se, df, level):
    half = stats.t.ppf((1 + level) / 2, df) * se / (1 - r**2)
    return np.tanh(np.arctanh(r) - half), np.tanh(np.arctanh(r) + half)


@pytest.mark.parametrize("clusters", [None, 8])
@pytest.mark.parametrize("weighted", [False, True])
def test_one_correlation_less_its_minimum(clusters, weighted):
    cluster = None if clusters is None else np.arange(40) % clusters
    weights = 1.0 + np.arange(40) % 3 if weighted else None
    asked = pairs(cluster=cluster, weights=weights)
    effect = room.validity(asked, held(), 0.9)
    r, pulls = influence(asked.exposure, asked.outcome, weights)
    units, sums = 40, pulls
    if cluster is not None:
        units, sums = 8, np.bincount(cluster, weights=pulls)
    se, df = np.sqrt(np.sum(sums**2) * units / (units - 3)), units - 2
    low, high = limits(r, se, df, 0.9)
    z = (np.arctanh(r) - np.arctanh(0.3)) / (se / (1 - r**2))
    found = (effect.estimate, effect.se, effect.low, effect.high, effect.p)
    assert found == pytest.approx((r - 0.3, se, low - 0.3, high - 0.3, 2 * stats.t.sf(abs(z), df)), rel=1e-5)
    (term,) = effect.model.terms
    nothing = 2 * stats.t.sf(abs(np.arctanh(r) / (se / (1 - r**2))), df)
    assert (term.term, term.estimate) == ("correlation", pytest.approx(r))
    assert (term.se, term.low, term.high, term.p) == pytest.approx((se, low, high, nothing), rel=1e-5)
    assert (effect.n, effect.clusters, effect.df, effect.unit) == (40, clusters, df, "points of correlation")
    by = ", clustered by agent" if clusters else ""
    by += ", weighted" if weighted else ""
    assert effect.method == f"correlation less the minimum, delta method on Fisher's scale{by}"
    assert (effect.model.name, effect.model.errors, effect.model.scale) == (
        "correlation",
        "delta method",
        "correlation",
    )
    few = "few clusters: 8; fewer than 20 leave the error itself uncertain"
    assert effect.notes == ((few,) if clusters else ())


def test_a_minimum_of_nothing_tests_the_correlation_itself():
    effect = room.validity(pairs(), held(0.0), 0.95)
    (term,) = effect.model.terms
    assert (effect.estimate, effect.low, effect.high, effect.p) == pytest.approx(
        (term.estimate, term.low, term.high, term.p)
    )


def test_units_and_places_of_both_scores_do_not_matter():
    one = pairs()
    other = replace(one, outcome=1000 * one.outcome - 7, more={"care": 5 - 0.01 * one.more["care"]})
    effect, turned = room.validity(one, held(), 0.95), room.validity(other, held(-0.3), 0.95)
    assert (turned.estimate, turned.se, turned.p) == pytest.approx((-effect.estimate, effect.se, effect.p), rel=1e-5)
    assert (turned.low, turned.high) == pytest.approx((-effect.high, -effect.low), rel=1e-5)


def test_a_perfect_correlation_has_limits_and_no_error_of_ours():
    x = np.random.default_rng(1).normal(size=30)
    for sign in (1.0, -1.0):
        effect = room.validity(sample(4 + 2 * sign * x, x, more={"care": x}), held(), 0.95)
        assert effect.estimate == pytest.approx(sign - 0.3)
        assert effect.se < 1e-6 and -1 <= effect.low + 0.3 <= effect.high + 0.3 <= 1
        assert effect.low == pytest.approx(sign - 0.3, abs=1e-3) == effect.high
        assert effect.p < 1e-9


def lawley(columns, place, sd):
    """The correlation of the first two, had the column at `place` that spread (Lawley 1943)."""
    own = np.cov(columns, ddof=0)
    pull = own[:, place] / own[place, place]
    whole = own + np.outer(pull, pull) * (sd**2 - own[place, place])
    return whole[0, 1] / np.sqrt(whole[0, 0] * whole[1, 1])


@pytest.mark.parametrize("other", [False, True])
def test_a_narrowed_range_is_widened_and_said(other):
    x = pairs().exposure
    z = x + np.random.default_rng(3).normal(size=40)
    asked = pairs(more={"test": z})
    chosen, told = (z, {"chosen_by": "test"}) if other else (x, {})
    effect = room.validity(asked, held(applicants_sd=3.0 * chosen.std(), **told), 0.95)
    columns = np.array([x, asked.outcome, z] if other else [x, asked.outcome])
    wide, narrow = effect.model.terms
    assert (wide.term, narrow.term) == (
        "correlation among all who could be chosen",
        "correlation among the chosen",
    )
    expected = lawley(columns, 2 if other else 0, 3.0 * chosen.std())
    assert (wide.estimate, narrow.estimate) == pytest.approx((expected, np.corrcoef(columns)[0, 1]))
    assert effect.estimate == pytest.approx(expected - 0.3)
    plain = room.validity(asked, held(), 0.95).model.terms[0]
    assert (narrow.se, narrow.low, narrow.high) == pytest.approx((plain.se, plain.low, plain.high))
    step = 1e-4  # the error is that of the function's slopes: leaving rows lighter by a little moves it as much
    pulls = []
    for row in range(40):
        weights = np.ones(40)
        moved = []
        for sign in (1, -1):
            weights[row] = 1 + sign * step
            own = np.cov(columns, ddof=0, aweights=weights)
            at = 2 if other else 0
            pull = own[:, at] / own[at, at]
            whole = own + np.outer(pull, pull) * (9 * chosen.var() - own[at, at])
            moved.append(whole[0, 1] / np.sqrt(whole[0, 0] * whole[1, 1]))
        pulls.append((moved[0] - moved[1]) / (2 * step))
    assert wide.se == pytest.approx(np.sqrt(np.sum(np.square(pulls)) * 40 / 37), rel=1e-4)
    assert effect.notes == (
        f"corrected for choice: {'test' if other else 'care'} varies 3.0 times as much among all as among the chosen; "
        "the correction holds where a straight line fits beyond the chosen, and nothing else chose",
    )


@pytest.mark.parametrize(("n", "notes"), [(10, 1), (24, 1), (25, 0)])
def test_few_rows_are_said(n, notes):
    effect = room.validity(pairs(n), held(), 0.95)
    assert (len(effect.notes), effect.df) == (notes, n - 2)
    assert not notes or effect.notes[0].startswith("few events: fewer than 25 rows to judge by")


def test_nine_rows_are_too_few_and_all_reasons_are_told_at_once():
    with pytest.raises(EstimationError, match=r"^The question 'q': a group has 9 rows; at least 10 are needed for a"):
        room.validity(pairs(9), held(), 0.95)
    flat = pairs()
    for still in (replace(flat, more={"care": np.ones(40)}), replace(flat, outcome=np.ones(40))):
        with pytest.raises(EstimationError, match=r"'q': care or score never varies in a group, so nothing goes with"):
            room.validity(still, held(), 0.95)
    one = two_sides(27)
    still = replace(one, more={"rating": np.where(one.exposure > 0, one.more["rating"], 1.0)})
    with pytest.raises(EstimationError) as caught:
        room.validity(still, grouped(), 0.95)
    assert str(caught.value) == (
        "The question 'q' has 2 problems:\n  1. rating or score never varies in a group, so nothing goes with it.\n"
        "  2. a group has 9 rows; at least 10 are needed for a correlation."
    )


@pytest.mark.parametrize("clusters", [None, 9])
@pytest.mark.parametrize("weighted", [False, True])
def test_two_correlations_are_those_of_their_groups(clusters, weighted):
    cluster = None if clusters is None else np.arange(60) // 7
    weights = 1.0 + np.arange(60) % 4 if weighted else None
    asked = two_sides(cluster=cluster, weights=weights)
    effect = room.validity(asked, grouped(), 0.9)
    pulls, values, every = np.zeros(60), [], []
    for arm, sign in ((0, -1), (1, 1)):
        here = asked.exposure == arm
        own = None if weights is None else weights[here]
        r, pull = influence(asked.more["rating"][here], asked.outcome[here], own)
        alone = np.zeros(60)
        alone[here] = pull
        pulls += sign * alone
        values.append(r)
        every.append(alone)
    units = 60 if cluster is None else 9
    factor = units / (units - 3)

    def error(each):
        sums = each if cluster is None else np.bincount(cluster, weights=each)
        return np.sqrt(factor * np.sum(sums**2))

    df = (20 if cluster is None else 9) - 2
    half = stats.t.ppf(0.95, df) * error(pulls)
    value = values[1] - values[0]
    p = 2 * stats.t.sf(abs(value) / error(pulls), df)
    found = (effect.estimate, effect.se, effect.low, effect.high, effect.p)
    assert found == pytest.approx((value, error(pulls), value - half, value + half, p), rel=1e-5)
    names = ("correlation in the reference group", "correlation in the other group")
    for term, name, r, each in zip(effect.model.terms, names, values, every, strict=True):
        low, high = limits(r, error(each), df, 0.9)
        assert term.term == name
        assert (term.estimate, term.se, term.low, term.high) == pytest.approx((r, error(each), low, high), rel=1e-5)
    assert (effect.n, effect.clusters, effect.df, effect.unit) == (60, clusters, df, "points of correlation")
    by = (", clustered by agent" if clusters else "") + (", weighted" if weighted else "")
    assert effect.method == f"difference of two correlations, delta method{by}"
    model = effect.model
    assert (model.name, model.errors, model.scale) == ("two correlations", "delta method", "correlation")
    rough = "few events: fewer than 25 rows to judge by; with so few, an interval is rough"
    assert effect.notes == (
        rough,
        *(("few clusters: 9; fewer than 20 leave the error itself uncertain",) if clusters else ()),
    )


def test_clusters_of_the_smaller_side_give_the_degrees_of_freedom():
    one = two_sides()
    cluster = np.where(one.exposure > 0, np.arange(60) % 4, np.arange(60) % 12)
    effect = room.validity(replace(one, cluster=cluster, cluster_name="agent"), grouped(), 0.95)
    assert len(np.unique(cluster[one.exposure > 0])) == 4 and effect.df == 2


def test_a_third_level_takes_no_part():
    one = two_sides(90)
    third = np.arange(90) % 9 == 4
    own = replace(one, exposure=np.where(third, 0.0, one.exposure), covariates=third[:, None].astype(float))
    effect = room.validity(replace(own, names=("side: other",), groups=("side",)), grouped(), 0.95)
    cut = {"outcome": one.outcome[~third], "exposure": one.exposure[~third], "covariates": np.empty((80, 0))}
    alone = room.validity(replace(one, **cut, more={"rating": one.more["rating"][~third]}), grouped(), 0.95)
    assert effect.n == 80
    assert (effect.estimate, effect.se, effect.df) == pytest.approx((alone.estimate, alone.se, alone.df))


def test_more_than_two_sides_are_refused():
    with pytest.raises(EstimationError) as caught:
        room.validity(replace(two_sides(), binary_exposure=False), grouped(), 0.95)
    assert str(caught.value) == (
        "The question 'q': correlations are compared between two groups, and care has more. Name its `reference` and "
        "`level`, or a `minimum`."
    )


def test_a_part_that_was_reviewed_is_said():
    effect = room.validity(two_sides(), grouped(chance="chance"), 0.95)
    assert effect.notes[-1].startswith("only a part was reviewed")
