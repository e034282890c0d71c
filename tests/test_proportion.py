"""A share with Wilson's limits, against statsmodels and against what rows, clusters and weights must do to it."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from researchkit.estimators.proportion import share


def answers(yes, n):
    return np.repeat([1.0, 0.0], [yes, n - yes])


def wilson(value, worth, z):
    """Wilson's limits as the two roots of (p - value)^2 = z^2 p (1 - p) / worth."""
    return sorted(np.roots([1 + z**2 / worth, -2 * value - z**2 / worth, value**2]).real)


@pytest.mark.parametrize(("yes", "n"), [(0, 12), (1, 12), (5, 12), (12, 12), (37, 90), (1, 1), (0, 1)])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_without_clusters_and_weights_the_limits_are_wilsons(yes, n, level):
    found = share(answers(yes, n), level=level)
    low, high = proportion_confint(yes, n, alpha=1 - level, method="wilson")
    assert (found.value, found.low, found.high) == pytest.approx((yes / n, low, high), abs=1e-12)
    assert (found.n, found.df) == (n, None)
    assert 0 <= found.low <= found.high <= 1
    assert 2 * stats.norm.ppf((1 + level) / 2) * found.se == pytest.approx(high - low)


def test_the_level_is_95_per_cent_where_none_is_named():
    assert share(answers(5, 12)) == share(answers(5, 12), level=0.95)


def test_rows_shuffled_and_yes_and_no_exchanged():
    rng = np.random.default_rng(1)
    yes, weights, cluster = answers(14, 40), rng.uniform(1, 3, 40), rng.integers(0, 7, 40)
    one, order = share(yes, cluster, weights), rng.permutation(40)
    other = share(yes[order], 100 - cluster[order], 5 * weights[order])
    turned = share(1 - yes, cluster, weights)
    for name in ("value", "low", "high", "se", "df"):
        assert getattr(one, name) == pytest.approx(getattr(other, name)), name
    assert (1 - turned.value, 1 - turned.high, 1 - turned.low) == pytest.approx((one.value, one.low, one.high))
    assert (turned.se, turned.df) == pytest.approx((one.se, 6))


def test_equal_weights_cost_hardly_anything_and_each_row_as_its_cluster_adds_students_t():
    """With a variance over n - 1 the rows are worth n - 1; with clusters t has as many degrees of freedom."""
    yes = answers(9, 30)
    weighed, clustered = share(yes, weights=np.full(30, 2.5)), share(yes, np.arange(30))
    assert (weighed.low, weighed.high) == pytest.approx(wilson(0.3, 29, stats.norm.ppf(0.975)))
    assert (clustered.low, clustered.high) == pytest.approx(wilson(0.3, 29, stats.t.ppf(0.975, 29)))
    assert (weighed.df, clustered.df) == (None, 29)
    assert 2 * stats.t.ppf(0.975, 29) * clustered.se == pytest.approx(clustered.high - clustered.low)


@pytest.mark.parametrize("weighed", [True, False])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_clusters_are_worth_what_the_spread_of_their_totals_says(weighed, level):
    """Korn and Graubard's effective number from the variance of a weighted mean, cluster by cluster in a loop."""
    rng = np.random.default_rng(2)
    cluster = np.repeat(np.arange(8), 5)
    yes = (rng.random(40) < np.linspace(0.02, 0.95, 8)[cluster]).astype(float)
    weights = rng.uniform(0.5, 2, 40) if weighed else np.ones(40)
    value = np.average(yes, weights=weights)
    totals = [np.sum((weights * (yes - value))[cluster == one]) / weights.sum() for one in range(8)]
    worth = value * (1 - value) / (8 / 7 * np.sum(np.square(totals)))
    assert worth < 40
    found = share(yes, cluster, weights if weighed else None, level)
    low, high = wilson(value, worth, stats.t.ppf((1 + level) / 2, 7))
    assert (found.value, found.low, found.high, found.df, found.n) == pytest.approx((value, low, high, 7, 40))


def test_rows_are_never_worth_more_than_they_are():
    """Four clusters with the same share have no spread between them: that is no reason to believe in endless rows."""
    yes, cluster = np.tile([1.0, 0.0, 0.0], 8), np.repeat(np.arange(4), 6)
    found = share(yes, cluster)
    assert (found.low, found.high) == pytest.approx(wilson(1 / 3, 24, stats.t.ppf(0.975, 3)))
    halves = share(np.tile([1.0, 0.0], 8), np.repeat(np.arange(8), 2))  # here their sums are 0 to the last digit
    assert (halves.low, halves.high) == pytest.approx(wilson(0.5, 16, stats.t.ppf(0.975, 7)))
    nearly = yes.copy()
    nearly[0] = 0.0  # hardly any spread between
    found = share(nearly, cluster)
    assert (found.low, found.high) == pytest.approx(wilson(7 / 24, 24, stats.t.ppf(0.975, 3)))


@pytest.mark.parametrize("kind", [0.0, 1.0])
def test_where_all_or_none_is_yes_weights_and_clusters_say_how_many_rows_there_are(kind):
    yes, weights = np.full(24, kind), np.repeat([1.0, 4.0], 12)
    kish = weights.sum() ** 2 / np.sum(weights**2)
    cluster, three = np.repeat(np.arange(6), 4), np.repeat(np.arange(3), 8)
    cases = [
        (share(yes), 24, stats.norm.ppf(0.975)),
        (share(yes, weights=weights), kish, stats.norm.ppf(0.975)),
        (share(yes, cluster), 6, stats.t.ppf(0.975, 5)),
        (share(yes, three, weights), 3, stats.t.ppf(0.975, 2)),
        (share(yes, np.arange(24), weights), kish, stats.t.ppf(0.975, 23)),
    ]
    for found, worth, z in cases:
        low, high = (1 / (1 + z**2 / worth), 1.0) if kind else (0.0, z**2 / worth / (1 + z**2 / worth))
        assert (found.value, found.low, found.high) == pytest.approx((kind, low, high), abs=1e-12)
        assert found.value == kind  # not 0.9999999


def test_one_or_two_clusters_get_the_t_with_one_degree_of_freedom():
    yes = answers(5, 12)
    one, two = share(yes, np.ones(12, dtype=int)), share(yes, np.arange(12) // 6)
    assert one.df == two.df == 1
    assert (one.low, one.high) == pytest.approx(wilson(5 / 12, 12, stats.t.ppf(0.975, 1)))  # nothing is between
    # of the first six five said yes, 2.5 more than their part, of the others none
    worth = 5 / 12 * 7 / 12 / (2 * 2 * (2.5 / 12) ** 2)
    assert (two.low, two.high) == pytest.approx(wilson(5 / 12, worth, stats.t.ppf(0.975, 1)))


def test_what_came_out_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        share(answers(1, 2)).value = 0.7
