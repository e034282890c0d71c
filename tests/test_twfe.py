"""The two-way regression against a regression with a column for each unit and each period."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from researchkit.estimators.panel import Panel
from researchkit.estimators.twfe import two_way

STARTS = (1, 1, 2, 3, 3, 5, 5)


def cells_of(starts=STARTS, periods=5, cluster=None, seed=0, weigh="rows"):
    """Random cells with 1 to 6 rows each, two of them empty."""
    rng = np.random.default_rng(seed)
    units = len(starts)
    values, rows = rng.normal(size=(2, units, periods)), rng.integers(1, 7, (units, periods)).astype(float)
    for unit, period in ((0, periods - 3), (units - 1, 1)):
        rows[unit, period], values[:, unit, period] = 0, np.nan
    return Panel(
        values,
        rows,
        rows.sum(axis=1) if weigh == "rows" else np.ones(units),
        np.array(starts),
        np.arange(units) if cluster is None else np.array(cluster),
        tuple(map(str, range(units))),
        tuple(map(str, range(periods))),
        np.zeros((units, 1, 1)),
    )


def dummies(cells, weigh):
    """Coefficient, its CR1 error (G / (G - 1)), and what the effect of each started cell counts in it."""
    unit, time = np.nonzero(cells.rows)
    on = (time >= cells.start[unit]).astype(float)
    y, mass = cells.values[0][unit, time], cells.rows[unit, time]
    if weigh == "units":
        mass = mass / cells.rows.sum(axis=1)[unit]
    root = np.sqrt(mass)[:, None]
    fixed = np.hstack([np.eye(len(cells.units))[unit], np.eye(len(cells.periods))[time]])
    left = on - fixed @ np.linalg.lstsq(fixed * root, on * root[:, 0], rcond=None)[0]
    whole = np.column_stack([on, fixed])
    at = np.linalg.lstsq(whole * root, y * root[:, 0], rcond=None)[0]
    errors = y - whole @ at
    groups = set(cells.cluster)
    meat = sum((mass * left * errors)[cells.cluster[unit] == one].sum() ** 2 for one in groups)
    size = (mass * left**2).sum()
    weights = np.zeros(cells.rows.shape)
    weights[unit, time] = mass * left * on / size
    return at[0], math.sqrt(len(groups) / (len(groups) - 1) * meat) / size, weights


@pytest.mark.parametrize("weigh", ["rows", "units"])
@pytest.mark.parametrize("cluster", [None, (0, 1, 1, 2, 2, 0, 3), (0, 1, 1, 0, 0, 1, 0)])
def test_it_is_the_regression_with_a_column_for_each_unit_and_period(weigh, cluster):
    cells = cells_of(cluster=cluster, weigh=weigh)
    found = two_way(cells)
    estimate, se, weights = dummies(cells, weigh)
    assert (found.estimate, found.se) == pytest.approx((estimate, se))
    assert found.clusters == (7 if cluster is None else len(set(cluster)))
    assert found.weights == pytest.approx(weights)
    assert found.negative == pytest.approx((weights < -1e-12).sum() / (weights != 0).sum())
    assert found.negative > 0


def test_its_weights_tell_what_any_effects_would_become():
    """Levels of units and periods and an effect in each started cell, without noise: the weighted mean, exactly."""
    cells = cells_of()
    effect = np.random.default_rng(2).normal(size=cells.rows.shape)
    level = 3 * np.arange(7)[:, None] + np.arange(5) ** 2
    values = np.where(cells.rows > 0, level + cells.treated * effect, np.nan)
    found = two_way(replace(cells, values=values[None]))
    assert found.estimate == pytest.approx((found.weights * effect).sum())
    assert found.weights.sum() == pytest.approx(1)
    assert not found.weights[~cells.treated | (cells.rows == 0)].any()


def test_two_units_and_two_periods_are_a_difference_of_differences():
    cells = replace(cells_of((1, 2), 2), rows=np.ones((2, 2)), values=np.array([[[1.0, 4.0], [2.0, 3.5]]]))
    found = two_way(replace(cells, weight=np.array([2.0, 2.0])))
    assert found.estimate == pytest.approx((4 - 1) - (3.5 - 2))
    assert found.weights == pytest.approx(np.array([[0, 1.0], [0, 0]]))
    assert (found.negative, found.se) == (0.0, pytest.approx(0, abs=1e-6))
    alone = two_way(replace(cells, weight=np.array([2.0, 2.0]), cluster=np.zeros(2, dtype=int)))
    assert (alone.clusters, alone.estimate) == (1, pytest.approx(1.5))


@pytest.mark.parametrize("starts", [(2, 2, 2, 2), (5, 5, 5, 5), (0, 0, 5, 5)])
def test_a_start_that_unit_and_period_tell_has_no_coefficient(starts):
    cells = cells_of(starts)
    assert two_way(cells) is None
    assert two_way(replace(cells, rows=1e6 * cells.rows)) is None


@pytest.mark.parametrize("times", [1e-12, 1000.0])
def test_rows_that_count_for_more_or_less_change_nothing(times):
    cells = cells_of()
    one, other = two_way(cells), two_way(replace(cells, rows=times * cells.rows, weight=times * cells.weight))
    assert (one.estimate, one.se) == pytest.approx((other.estimate, other.se))
