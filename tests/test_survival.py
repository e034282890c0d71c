"""Curves without a model, person by person: slow sums from the papers' formulas, and R's numbers."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from researchkit.errors import EstimationError
from researchkit.estimators.survival import cumulative_incidence, logrank, restricted_mean, survival_curve, watched


def world(seed=1, n=60, codes=3, entry=True):
    """Times with ties, ends of several kinds, and for some a late entry."""
    rng = np.random.default_rng(seed)
    time, event = 1 + np.ceil(rng.exponential(4, n)), rng.integers(0, codes, n)
    start = np.where(rng.random(n) < 0.3, rng.integers(0, 3, n), 0).astype(float)
    start = np.minimum(start, time - 1)
    return time, event, start if entry else None


def plain(time, event, entry, code):
    """A row for each time of any end: time, at risk, ends of any kind, ends of this kind. By loops."""
    entry = np.zeros(len(time)) if entry is None else entry
    rows = []
    for moment in sorted({t for t, e in zip(time, event, strict=True) if e != 0}):
        risk = sum(1 for t, s in zip(time, entry, strict=True) if s < moment <= t)
        any_end = sum(1 for t, e in zip(time, event, strict=True) if t == moment and e != 0)
        own = sum(1 for t, e in zip(time, event, strict=True) if t == moment and e == code)
        rows.append((moment, risk, any_end, own))
    return rows


def log_log(value, se, z):
    """Limits symmetric for log(-log(value)), by the delta method."""
    width = z * se / (value * abs(np.log(value)))
    return sorted(np.exp(-np.exp(np.log(-np.log(value)) + side * width)) for side in (-1, 1))


# The curve of Kaplan and Meier


@pytest.mark.parametrize("entry", [True, False])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_kaplan_and_meiers_curve_is_the_product_of_those_who_stay(entry, level):
    time, event, start = world(entry=entry)
    curve, value, greenwood, z = survival_curve(time, event, start, level), 1.0, 0.0, stats.norm.ppf((1 + level) / 2)
    steps = plain(time, event, start, 1)
    assert curve.times.tolist() == [step[0] for step in steps]
    assert curve.at_risk.tolist() == [step[1] for step in steps]
    assert curve.start == 1
    for moment, risk, ended, _ in steps:
        value *= 1 - ended / risk
        if value <= 0:
            assert curve.at(moment) == (0, 0, 0, 0)
            continue
        greenwood += ended / (risk * (risk - ended))
        se = value * np.sqrt(greenwood)
        assert curve.at(moment) == pytest.approx((value, se, *log_log(value, se, z))), moment


def test_the_level_is_95_per_cent_where_none_is_named():
    time, event, _ = world()
    for curve in (survival_curve, cumulative_incidence):
        one, other = curve(time, event), curve(time, event, level=0.95)
        assert one.low.tolist() == other.low.tolist() and one.high.tolist() == other.high.tolist()


def test_before_at_between_and_after_the_steps():
    curve = survival_curve(np.array([2.0, 4, 4, 6, 8]), np.array([1, 1, 0, 1, 0]))
    assert curve.times.tolist() == [2, 4, 6]
    assert [curve.at(time)[0] for time in (0, 1.9, 2, 3, 4, 5.9, 6, 100)] == pytest.approx(
        [1, 1, 0.8, 0.8, 0.6, 0.6, 0.3, 0.3]
    )
    assert curve.at(1.9) == (1, 0, 1, 1)


def test_an_end_of_all_leaves_nobody_and_no_error():
    curve = survival_curve(np.array([1.0, 2, 3]), np.array([1, 1, 1]))
    assert curve.at(3) == (0, 0, 0, 0)
    assert curve.at(2)[0] == pytest.approx(1 / 3)
    assert 0 < curve.at(2)[2] < 1 / 3 < curve.at(2)[3] < 1


def test_medians_are_the_first_times_at_a_half_or_below():
    curve = survival_curve(np.arange(1.0, 5), np.ones(4))
    value, low, high = curve.median()
    assert value == 2  # exactly a half, though a product of rounded numbers
    assert low == next(t for t, one in zip(curve.times, curve.low, strict=True) if one <= 0.5)
    assert high == next(t for t, one in zip(curve.times, curve.high, strict=True) if one <= 0.5)
    assert low == 1 and high == 4
    fewer = survival_curve(np.arange(1.0, 41), np.arange(40) < 15)
    value, low, high = fewer.median()
    assert np.isnan(value) and np.isnan(high)  # 25 of 40 are left
    assert low == next(t for t, one in zip(fewer.times, fewer.low, strict=True) if one <= 0.5)


def test_each_end_counts_for_the_curve_whatever_its_code():
    time, event, start = world()
    one, other = survival_curve(time, event, start), survival_curve(time, 5 * (event > 0), start)
    assert one.value.tolist() == other.value.tolist()


# Incidence where other ends compete


def incidence(steps, code_free=False):
    """Aalen and Johansen's incidence at each step, by its sum."""
    free, value, found = 1.0, 0.0, []
    for _, risk, ended, own in steps:
        value += free * own / risk
        free *= 1 - ended / risk
        found.append((value, free))
    return found


def aalen(steps, place):
    """Aalen's variance at one step, end by end, not opened into running sums."""
    found = incidence(steps)
    total, before = 0.0, 1.0
    for (_, risk, ended, own), (value, free) in list(zip(steps, found, strict=True))[: place + 1]:
        later = found[place][0] - value
        for number, itself in ((own, 1.0), (ended - own, 0.0)):
            weight = number * (1 - (number - 1) / (risk - 1)) / risk**2 if risk > 1 else number / risk**2
            height = itself - later / free if free > 0 else itself
            total += weight * (before * height) ** 2
        before = free
    return total


@pytest.mark.parametrize("entry", [True, False])
@pytest.mark.parametrize(("code", "level"), [(1, 0.95), (2, 0.8)])
def test_incidence_where_other_ends_compete_is_the_sum_over_those_still_free(entry, code, level):
    time, event, start = world(entry=entry)
    curve, steps = cumulative_incidence(time, event, code, start, level), plain(time, event, start, code)
    assert curve.times.tolist() == [step[0] for step in steps]
    assert curve.at_risk.tolist() == [step[1] for step in steps]
    assert curve.at(0) == (0, 0, 0, 0)
    z = stats.norm.ppf((1 + level) / 2)
    for place, (moment, *_) in enumerate(steps):
        value, se = incidence(steps)[place][0], np.sqrt(aalen(steps, place))
        limits = log_log(value, se, z) if value > 0 else (0, 0)
        assert curve.at(moment) == pytest.approx((value, se, *limits), abs=1e-12), moment


@pytest.mark.parametrize("ends", [[1, 0, 1, 2], [1, 0, 1, 1], [2, 1, 2, 2], [1, 1, 1, 1]])
def test_the_last_two_may_end_together(ends):
    """Of two at risk who both end nothing was drawn, so that it adds no error."""
    time, event = np.array([1.0, 2, 3, 3]), np.array(ends)
    curve, steps = cumulative_incidence(time, event), plain(time, event, None, 1)
    assert curve.se == pytest.approx([np.sqrt(aalen(steps, place)) for place in range(len(steps))], abs=1e-9)


def test_both_kinds_of_end_and_the_free_are_all():
    time, event, start = world(seed=3)
    one, two, free = cumulative_incidence(time, event, 1, start), cumulative_incidence(time, event, 2, start), None
    free = survival_curve(time, event, start)
    assert one.value + two.value + free.value == pytest.approx(np.ones(len(free.times)))
    assert cumulative_incidence(time, event, entry=start).value.tolist() == one.value.tolist()


def test_an_incidence_of_all_has_no_limits_beside_it():
    """Sums of twenty rounded shares are not quite 1: limits taken from that would reach from 0 to 1."""
    curve = cumulative_incidence(np.arange(1.0, 21), np.ones(20))
    assert curve.value == pytest.approx(np.arange(1, 21) / 20)
    assert (curve.low[-1], curve.high[-1]) == pytest.approx((1, 1))
    assert np.all((0 < curve.low[:-1]) & (curve.low[:-1] < curve.value[:-1]))
    assert np.all((curve.value[:-1] < curve.high[:-1]) & (curve.high[:-1] < 1))


def test_before_the_first_end_of_its_kind_an_incidence_is_nothing_without_limits():
    curve = cumulative_incidence(np.array([1.0, 2, 3, 4]), np.array([2, 1, 0, 0]))
    assert curve.at(1) == (0, 0, 0, 0)
    assert curve.at(2)[0] == pytest.approx(0.25)
    assert 0 < curve.at(2)[2] < 0.25 < curve.at(2)[3] < 1


# Restricted means


def area(time, event, entry, horizon):
    """The area under the curve by thin rectangles between its steps."""
    curve = survival_curve(time, event, entry)
    edges = np.unique([0.0, *curve.times[curve.times < horizon], horizon])
    return sum(curve.at(low)[0] * (high - low) for low, high in pairwise(edges))


@pytest.mark.parametrize("entry", [True, False])
@pytest.mark.parametrize("horizon", [1.5, 4.0, 6.5])
def test_a_restricted_mean_is_the_area_and_its_error_sums_what_comes_later(entry, horizon):
    time, event, start = world(entry=entry)
    value, se = restricted_mean(time, event, horizon, start)
    assert value == pytest.approx(area(time, event, start, horizon))
    variance = 0.0
    for moment, risk, ended, _ in plain(time, event, start, 1):
        if moment <= horizon and risk > ended:
            later = area(time, event, start, horizon) - area(time, event, start, moment)
            variance += later**2 * ended / (risk * (risk - ended))
    assert se == pytest.approx(np.sqrt(variance), abs=1e-12)


def test_the_unit_of_time_scales_the_restricted_mean():
    time, event, start = world()
    one, other = restricted_mean(time, event, 5, start), restricted_mean(60 * time, event, 300, 60 * start)
    assert other == pytest.approx((60 * one[0], 60 * one[1]))


def test_before_any_event_everybody_has_the_whole_time():
    assert restricted_mean(np.array([5.0, 6, 7]), np.array([1, 1, 0]), 4.5) == (4.5, 0)
    assert restricted_mean(np.array([5.0, 6, 7]), np.array([0, 0, 0]), 7) == (7, 0)


def test_who_all_had_it_by_the_horizon_have_their_plain_mean():
    """Without gaps the restricted mean is the mean of the times, its error their sd (by n) over the root of n."""
    time = np.array([1.0, 2, 4, 7])
    value, se = restricted_mean(time, np.ones(4), 9)
    assert (value, se) == pytest.approx((time.mean(), time.std() / 2))


def test_a_horizon_that_nobody_was_watched_until_is_refused():
    time, event = np.array([3.0, 5.0, 5.0]), np.array([1, 0, 0])
    message = "^Nobody was watched until the horizon of 6: the longest time is 5 and ended without the event. Set `horizon` to 5 or less"
    for ask in (watched, restricted_mean):
        with pytest.raises(EstimationError, match=message):
            ask(time, event, 6)
    watched(time, event, 5)
    watched(time, np.array([0, 0, 1]), 6)  # one of the last had it: the curve is 0 from there on
    watched(time, np.array([0, 2, 0]), 6)
    watched(np.array([3.0, 7.0]), np.array([1, 0]), 6)
    with pytest.raises(EstimationError):
        watched(np.array([3.0, 5.0]), np.array([1, 0]), 5.001)


# The log-rank test


@pytest.mark.parametrize("entry", [True, False])
@pytest.mark.parametrize("groups", [2, 3])
def test_the_log_rank_test_sums_hypergeometric_tables(entry, groups):
    time, event, start = world(seed=5, codes=2, entry=entry)
    start = np.zeros(len(time)) if start is None else start
    group = np.arange(len(time)) % groups
    gap, covariance = np.zeros(groups), np.zeros((groups, groups))
    for moment, risk, ended, _ in plain(time, event, start, 1):
        own = np.array([np.sum((group == g) & (start < moment) & (moment <= time)) for g in range(groups)])
        had = np.array([np.sum((group == g) & (time == moment) & (event == 1)) for g in range(groups)])
        gap += had - ended * own / risk
        if risk > 1:
            # of `ended` drawn out of `risk` without replacement, so many of each group
            covariance += stats.multivariate_hypergeom(own, int(ended)).cov()
    chi_square = gap @ np.linalg.pinv(covariance) @ gap
    found = logrank(time, event, group, start if entry else None)
    assert found == pytest.approx((chi_square, stats.chi2.sf(chi_square, groups - 1)))
    names = np.array(["north", "south", "a"])[group]
    assert logrank(time, 2 * event, names, start if entry else None) == pytest.approx(found)


def test_the_log_rank_test_of_one_group_is_refused():
    with pytest.raises(EstimationError, match="compares at least 2 groups; here all rows are in one"):
        logrank(np.arange(5.0), np.ones(5), np.zeros(5))


def test_the_last_one_at_risk_adds_nothing_to_the_log_rank_test():
    time, event, group = np.array([1.0, 2, 3, 4]), np.ones(4), np.array([0, 1, 0, 1])
    # by hand: expected of group 0 at 1, 2, 3, 4: 1/2, 1/3, 1/2, 0; variances 1/4, 2/9, 1/4, 0
    gap, variance = 2 - (1 / 2 + 1 / 3 + 1 / 2), 1 / 4 + 2 / 9 + 1 / 4
    assert logrank(time, event, group)[0] == pytest.approx(gap**2 / variance)


def test_what_came_out_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        survival_curve(np.arange(4.0), np.ones(4)).start = 0.5
