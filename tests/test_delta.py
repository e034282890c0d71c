"""Functions of means: errors and slopes by hand, correlations by numpy, narrowed ranges by Lawley's matrices."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from researchkit.estimators import delta


@pytest.fixture
def columns():
    rng = np.random.default_rng(4)
    mixing = np.array([[1.0, 0.5, 0.2], [0.0, 2.0, 0.3], [0.0, 0.0, 0.5]])
    return rng.normal(size=(60, 3)) @ mixing + [1.0, -2.0, 30.0]


def itself(means):
    return means


def test_the_covariance_of_means_is_that_of_the_columns_over_n(columns):
    found = delta.of_means(columns, itself)
    assert found.values == pytest.approx(columns.mean(axis=0))
    assert found.covariance == pytest.approx(np.cov(columns.T) / 60, rel=1e-6)
    assert found.units == 60
    assert found.se() == pytest.approx(columns[:, 0].std(ddof=1) / np.sqrt(60), rel=1e-6)
    assert found.se(2) == pytest.approx(columns[:, 2].std(ddof=1) / np.sqrt(60), rel=1e-6)
    more = delta.of_means(columns, itself, spent=delta.GROUP)
    assert more.covariance == pytest.approx(found.covariance * (59 / 60) * (60 / 57), rel=1e-6)


def test_weights_and_clusters_enter_as_sums_of_what_each_row_pulls(columns):
    weights, cluster = 1 + np.arange(60) % 3, 5 + np.arange(60) % 7
    mean = np.average(columns, axis=0, weights=weights)
    pulls = weights[:, None] * (columns - mean) / weights.sum()
    assert delta.of_means(columns, itself, weights=weights).values == pytest.approx(mean)
    assert delta.of_means(columns, itself, weights=weights).covariance == pytest.approx(
        pulls.T @ pulls * 60 / 59, rel=1e-6
    )
    sums = np.array([pulls[cluster == one].sum(axis=0) for one in np.unique(cluster)])
    found = delta.of_means(columns, itself, cluster, weights, 3)
    assert found.units == 7
    assert found.covariance == pytest.approx(sums.T @ sums * 7 / 4, rel=1e-6)
    few = delta.of_means(columns, itself, np.arange(60) % 3, spent=3)  # all units are spent: one is left
    plain = delta.of_means(columns, itself, np.arange(60) % 3, spent=2)
    assert few.covariance == pytest.approx(plain.covariance)


def test_a_contrast_has_its_value_and_its_error(columns):
    found = delta.of_means(columns, itself)
    value, se = found.along(np.array([-1.0, 1.0, 0.0]))
    apart = columns[:, 1] - columns[:, 0]
    assert (value, se) == pytest.approx((apart.mean(), apart.std(ddof=1) / np.sqrt(60)), rel=1e-6)
    below = delta.Found(np.zeros(2), np.array([[-1e-18, 0.0], [0.0, 4.0]]), 9)  # by rounding a variance below 0
    assert (below.se(), below.se(1), below.along(np.array([1.0, 0.0]))) == (0.0, 2.0, (0.0, 0.0))


def test_what_was_found_stays_as_it_is(columns):
    with pytest.raises(FrozenInstanceError):
        delta.of_means(columns, itself).units = 3


def test_slopes_are_those_of_calculus():
    at = np.array([2.0, 3.0, 5.0])
    found = delta.gradient(lambda m: np.array([m[0] * m[1] ** 2, np.log(m[2])]), at, np.array([1.0, 10.0, 0.0]))
    assert found == pytest.approx(np.array([[9.0, 12.0, 0.0], [0.0, 0.0, 0.2]]), rel=1e-6, abs=1e-8)


def test_moments_hold_the_covariance(columns):
    means = delta.moments(*columns.T).mean(axis=0)
    assert len(means) == 9
    assert delta.covariances(means, 3) == pytest.approx(np.cov(columns.T, ddof=0))
    two = delta.moments(*columns.T[:2]).mean(axis=0)
    assert delta.correlation(two)[0] == pytest.approx(np.corrcoef(columns[:, 0], columns[:, 1])[0, 1])


def test_a_correlation_has_the_influence_of_devlin(columns):
    """Devlin, Gnanadesikan and Kettenring (1975), Biometrika 62, 531-545: z1 z2 - r (z1² + z2²) / 2."""
    x, y = (columns[:, :2] - columns[:, :2].mean(axis=0)).T / columns[:, :2].std(axis=0)[:, None]
    r = float(np.mean(x * y))
    pulls = (x * y - r * (x**2 + y**2) / 2) / 60
    found = delta.of_means(delta.moments(x, y), delta.correlation, spent=delta.GROUP)
    assert found.values[0] == pytest.approx(r)
    assert found.se() == pytest.approx(np.sqrt(np.sum(pulls**2) * 60 / 57), rel=1e-6)


@pytest.mark.parametrize(("case", "place"), [(2, 0), (3, 2)])
@pytest.mark.parametrize("sd", [0.4, 1.0, 3.0])
def test_a_narrowed_range_is_widened_as_lawley_does(columns, case, place, sd):
    """Lawley (1943), Proceedings of the Royal Society of Edinburgh A 62, 28-30: choice by one column alone moves every
    covariance by what that column's variance moves."""
    used = columns[:, :case]
    own = np.cov(used.T, ddof=0)
    pull = own[:, place] / own[place, place]
    whole = own + np.outer(pull, pull) * (sd**2 - own[place, place])
    expected = whole[0, 1] / np.sqrt(whole[0, 0] * whole[1, 1])
    found = delta.unrestricted(delta.moments(*used.T).mean(axis=0), sd, case)
    assert found == pytest.approx([expected, np.corrcoef(used.T)[0, 1]])


def test_nothing_is_widened_where_the_range_was_whole(columns):
    for case, place in ((2, 0), (3, 2)):
        means = delta.moments(*columns.T[:case]).mean(axis=0)
        found = delta.unrestricted(means, float(columns[:, place].std()), case)
        assert found[0] == pytest.approx(found[1])
