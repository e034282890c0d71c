"""Group-time effects against the same by loops over units and periods, with every cluster left out in earnest."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from researchkit.estimators.panel import Panel
from researchkit.estimators.stagger import Combined, combined, contrasts, judged, mean_over

STARTS = (1, 1, 2, 2, 3, 4, 4, 6, 6, 6)
WAYS = [(one, wait, before) for one in ("not yet", "never") for wait in (0, 1) for before in ("last", "all")]


def cells_of(starts=STARTS, periods=6, covariates=0, cluster=None, gaps=(), seed=0):
    """Random cells of units with unequal weights; `gaps` are cells (unit, period) that are empty."""
    rng = np.random.default_rng(seed)
    units = len(starts)
    values = rng.normal(size=(1 + covariates, units, periods))
    for unit, period in gaps:
        values[:, unit, period] = np.nan
    cluster = np.arange(units) if cluster is None else np.array(cluster)
    loose = rng.normal(size=(cluster.max() + 1, 8, 1 + covariates))
    return Panel(
        values,
        np.where(np.isfinite(values[0]), 1.0, 0.0),
        rng.uniform(1, 3, units),
        np.array(starts),
        cluster,
        tuple(f"u{unit}" for unit in range(units)),
        tuple(f"t{period}" for period in range(periods)),
        np.einsum("cra,crb->cab", loose, loose),
    )


# The same by plain loops


def slopes(cells, without=None):
    kept = [part for place, part in enumerate(cells.products) if place != without]
    whole = sum(kept)
    return np.linalg.solve(whole[1:, 1:], whole[1:, 0])


def by_loops(cells, comparison, wait, before, without=None, values=None):
    """{(cohort, period): (estimate, weight of the started)}, of all units but those of the cluster `without`."""
    values = cells.values if values is None else values
    last, found = len(cells.periods), {}
    outcome = values[0] - np.tensordot(slopes(cells, without), values[1:], 1)
    units = [one for one in range(len(cells.start)) if cells.cluster[one] != without]
    for cohort in sorted({start for start in cells.start if start < last}):
        base = cohort - 1 - wait
        for period in range(last):
            if base < 0 or (before == "last" and period == base):
                continue
            sides = [[], []]
            for unit in units:
                start = cells.start[unit]
                free = start == last if comparison == "never" else start > max(period, base) + wait
                seen = [outcome[unit, one] for one in ([base] if before == "last" else range(base + 1))]
                seen = [one for one in seen if not math.isnan(one)]
                if not (start == cohort or free) or not seen or math.isnan(outcome[unit, period]):
                    continue
                sides[int(start != cohort)].append((outcome[unit, period] - np.mean(seen), cells.weight[unit]))
            if all(sides):
                means = [sum(value * weight for value, weight in side) / sum(w for _, w in side) for side in sides]
                found[int(cohort), period] = means[0] - means[1], sum(weight for _, weight in sides[0])
    return found


def average(parts, chosen):
    """The mean of those whose time since the start is chosen, by what started; None where there is none."""
    kept = [part for (cohort, period), part in parts.items() if chosen(period - cohort)]
    return sum(one * mass for one, mass in kept) / sum(mass for _, mass in kept) if kept else None


def check_all(cells, comparison, wait, before):
    """Every comparison, and averages since the start and of one time, with error, df, and what each cell counts."""
    found = contrasts(cells, comparison, wait, before)
    every = Combined(cells, found)
    parts = by_loops(cells, comparison, wait, before)
    told = {(int(g), int(t)): one for g, t, one in zip(found.cohort, found.period, every.each, strict=True)}
    assert told == pytest.approx({place: one for place, (one, _) in parts.items()})
    assert dict(zip(told, every.mass, strict=True)) == pytest.approx(
        {place: mass for place, (_, mass) in parts.items()}
    )
    assert found.event.tolist() == [period - cohort for cohort, period in told]
    clusters = cells.cluster.max() + 1
    for chosen in (lambda since: since >= 0, lambda since: since == 1, lambda since: since == -2):
        if average(parts, chosen) is None:
            continue
        told = every.average(chosen(found.event))
        left = [average(by_loops(cells, comparison, wait, before, one), chosen) for one in range(clusters)]
        assert told.estimate == pytest.approx(average(parts, chosen))
        assert told.left == pytest.approx([math.nan if one is None else one for one in left], nan_ok=True)
        if None in left:
            assert math.isnan(told.se)
        else:
            se = math.sqrt((clusters - 1) / clusters * sum((one - told.estimate) ** 2 for one in left))
            assert told.se == pytest.approx(se)
        loads = np.zeros(cells.rows.shape)
        for unit, period in zip(*np.nonzero(cells.rows), strict=True):
            moved = cells.values.copy()
            moved[0, unit, period] += 1
            loads[unit, period] = average(by_loops(cells, comparison, wait, before, values=moved), chosen)
        loads[cells.rows > 0] -= told.estimate
        assert every.cells is cells
        assert told.loads[cells.rows > 0] == pytest.approx(loads[cells.rows > 0])
        share = [(told.loads[cells.cluster == one] ** 2).sum() for one in range(clusters)]
        assert told.df == pytest.approx(max(sum(share) ** 2 / sum(one**2 for one in share) - 1, 1))


@pytest.mark.parametrize(("comparison", "wait", "before"), WAYS)
def test_every_average_is_that_of_the_loops(comparison, wait, before):
    check_all(cells_of(seed=wait), comparison, wait, before)


@pytest.mark.parametrize(("comparison", "before"), [("not yet", "last"), ("never", "last")])
def test_units_with_empty_cells_are_out_of_their_comparisons_alone(comparison, before):
    cells = cells_of(gaps=[(0, 0), (2, 1), (3, 5), (4, 2), (7, 2), (8, 4), (9, 0)])
    check_all(cells, comparison, 0, before)


def test_clusters_are_left_out_whole_and_covariates_by_the_slope_of_the_rest():
    check_all(cells_of(cluster=[0, 1, 1, 2, 2, 3, 0, 3, 4, 4], covariates=2), "not yet", 0, "last")
    check_all(cells_of(covariates=1, seed=3), "never", 0, "all")


def test_one_that_started_alone_has_an_estimate_and_no_error():
    check_all(cells_of((2, 5, 5, 5), periods=5), "not yet", 0, "last")
    check_all(cells_of((2, 2, 2, 5), periods=5), "not yet", 0, "last")


@pytest.mark.parametrize("times", [1e-12, 1e-3, 1e6])
def test_weights_of_any_size_that_stand_to_each_other_alike_are_the_same(times):
    cells = cells_of(cluster=[0, 1, 1, 2, 2, 3, 0, 4, 4, 4])
    one, other = (
        Combined(each, found).average(found.event >= 0)
        for each in (cells, replace(cells, weight=times * cells.weight))
        for found in [contrasts(each, "never")]
    )
    assert math.isnan(one.left[4]) and math.isnan(other.left[4])  # nobody left who never starts
    assert other.left[:4] == pytest.approx(one.left[:4])
    assert (other.estimate, other.df) == pytest.approx((one.estimate, one.df))
    assert other.loads == pytest.approx(one.loads)


def test_starts_can_be_told_in_place_of_those_of_the_cells():
    cells = cells_of()
    other = np.array([3, 6, 3, 6, 2, 2, 6, 6, 1, 1])
    found = contrasts(cells, start=other)
    expected = contrasts(replace(cells, start=other))
    assert found.cohort.tolist() == expected.cohort.tolist()
    for name in ("treated", "compared", "change", "base"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))


@pytest.mark.parametrize("starts", [(5, 5, 5, 5), (0, 0, 5, 5), (2, 2, 2, 2)])
def test_where_nobody_can_be_compared_there_is_nothing_of_the_right_shape(starts):
    cells = cells_of(starts, periods=5, covariates=2)
    found = contrasts(cells)
    assert (found.treated.shape, found.compared.shape, found.change.shape) == ((0, 4), (0, 4), (3, 0, 4))
    assert len(found.event) == 0


def test_those_that_started_before_the_first_time_are_no_comparison_and_no_start():
    """The two that started at 0 could be of any height."""
    cells = cells_of((0, 0, 2, 2, 5, 5), periods=5)
    high = cells.values.copy()
    high[:, :2] += 100 * np.arange(5)
    one, other = (Combined(each, contrasts(each)) for each in (cells, replace(cells, values=high)))
    assert one.each == pytest.approx(other.each)
    assert set(one.found.cohort) == {2}


def test_an_exact_effect_without_noise_is_found_whatever_units_and_times_are():
    """y = unit + time + 3 (periods since the start): the answer is 3 x the mean of 0, 1, 2 over the started cells."""
    cells = cells_of((2, 2, 3, 5, 5), periods=5)
    since = np.arange(5) - cells.start[:, None]
    level = 10 * np.arange(5)[:, None] + np.arange(5) ** 2
    exact = replace(cells, values=(level + 3.0 * np.maximum(since, 0))[None], weight=np.ones(5))
    every = Combined(exact, contrasts(exact))
    told = every.average(every.found.event >= 0)
    assert told.estimate == pytest.approx(3 * (0 + 0 + 1 + 1 + 2 + 2 + 0 + 1) / 8)
    assert every.average(every.found.event == 2).estimate == pytest.approx(6)


def test_means_of_periods_are_of_those_that_are_there():
    values = np.array([[[1.0, 3.0, math.nan, 8.0], [math.nan, math.nan, 5.0, 7.0]]])
    assert mean_over(values, np.array([True, True, True, False])).tolist() == [[2.0, 5.0]]
    alone = mean_over(values, np.array([True, True, False, False]))
    assert alone[0, 0] == 2.0 and math.isnan(alone[0, 1])


def test_the_jackknife_of_a_mean_is_its_textbook_error():
    """Means without each of six observations give s / sqrt(6), and equal loads 5 degrees of freedom."""
    y = np.array([1.0, 4, 2, 8, 5, 7])
    left = (y.sum() - y) / 5
    told = judged(y.mean(), left, np.full((6, 1), 1 / 6), np.arange(6))
    assert told.se == pytest.approx(y.std(ddof=1) / math.sqrt(6))
    assert told.df == pytest.approx(5)
    one = judged(y.mean(), left, np.array([[1.0], *[[1e-3]] * 5]), np.arange(6))
    assert one.df == 1.0
    nothing = judged(0.0, np.zeros(3), np.zeros((3, 2)), np.arange(3))
    assert math.isnan(nothing.se) and nothing.df == 1.0


def test_a_combination_is_that_of_estimates_of_all_left_out_and_of_loads():
    cells = cells_of()
    every = Combined(cells, contrasts(cells))
    one, other = (every.average(every.found.event == since) for since in (0, 1))
    both = combined([one, other], np.array([2.0, -3.0]), cells.cluster)
    assert both.estimate == pytest.approx(2 * one.estimate - 3 * other.estimate)
    assert both.left == pytest.approx(2 * one.left - 3 * other.left)
    assert both.loads == pytest.approx(2 * one.loads - 3 * other.loads)
    assert both.se == pytest.approx(math.sqrt(9 / 10 * sum((both.left - both.estimate) ** 2)))
