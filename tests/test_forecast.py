"""Forecasts held against what came, beside statsmodels' fits and sums by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from researchkit.errors import EstimationError
from researchkit.estimators.forecast import held_against
from researchkit.estimators.proportion import share


def drawn(n=150, seed=0, off=0.5, sure=0.7):
    """Chances, what came of them where they are off and too sure, teams, and weights."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(size=n) * 1.5
    came = (rng.random(n) < 1 / (1 + np.exp(-(off + sure * odds)))).astype(float)
    return 1 / (1 + np.exp(-odds)), came, rng.integers(0, 25, n), rng.uniform(0.5, 2, n)


def robust(columns, offset, came, weights, cluster):
    """Coefficient and sandwich error of the first column by statsmodels' fit and sums of its scores."""
    fit = sm.GLM(came, columns, sm.families.Binomial(), offset=offset, var_weights=weights).fit(tol=1e-13)
    scores = columns * (weights * (came - fit.fittedvalues))[:, None]
    groups = sorted(set(cluster))
    sums = np.array([scores[cluster == one].sum(axis=0) for one in groups])
    bread = np.linalg.inv(columns.T @ (columns * (weights * fit.fittedvalues * (1 - fit.fittedvalues))[:, None]))
    spread = bread @ sums.T @ sums @ bread * len(groups) / (len(groups) - 1)
    return fit.params[0], math.sqrt(spread[0, 0]), len(groups) - 1


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_intercept_and_slope_are_those_of_glm_with_their_robust_errors(clustered, weighted, level):
    chance, came, team, weights = drawn()
    found = held_against(chance, came, team if clustered else None, weights if weighted else None, level)
    weights = weights if weighted else np.ones(len(came))
    team = team if clustered else np.arange(len(came))
    odds, one = stats.logistic.ppf(chance), np.ones((len(came), 1))
    for term, name, told in (
        (found.intercept, "calibration intercept", robust(one, odds, came, weights, team)),
        (found.slope, "calibration slope", robust(np.column_stack([odds, one]), None, came, weights, team)),
    ):
        estimate, se, df = told
        half = stats.t.ppf((1 + level) / 2, df) * se
        p = 2 * stats.t.sf(abs(estimate) / se, df)
        assert term.term == name
        assert (term.estimate, term.se, term.low, term.high, term.p) == pytest.approx(
            (estimate, se, estimate - half, estimate + half, p), rel=1e-6
        )
    mean = np.average(came, weights=weights)
    assert found.useless == pytest.approx(np.average((mean - came) ** 2, weights=weights))
    assert found.brier == pytest.approx(np.average((chance - came) ** 2, weights=weights))


@pytest.mark.parametrize("parts", [10, 4])
def test_the_curve_has_a_mean_and_a_share_of_each_part(parts):
    chance, came, team, weights = drawn(n=120)
    order = np.array_split(np.argsort(chance), parts)
    told = held_against(chance, came, team, weights, 0.9, parts).curve
    assert len(told) == parts
    for (mean, part), rows in zip(told, order, strict=True):
        rows = np.sort(rows)
        assert mean == pytest.approx(np.average(chance[rows], weights=weights[rows]))
        assert part == share(came[rows], team[rows], weights[rows], 0.9)
    plain = held_against(chance, came)
    assert plain.curve[0][1] == share(came[np.sort(np.argsort(chance)[:12])], None, None, 0.95)
    assert sum(part.n for _, part in plain.curve) == 120


def test_forecasts_that_repeat_stay_in_one_part():
    chance = np.repeat([0.1, 0.3, 0.6], 40)
    came = np.tile([1.0, 0, 0, 1], 30)
    told = held_against(chance, came).curve
    assert [(mean, part.n) for mean, part in told] == [(pytest.approx(mean), 40) for mean in (0.1, 0.3, 0.6)]


def test_forecasts_that_are_right_have_intercept_0_and_slope_1():
    """Of each forecast as many came as it says: exact."""
    chance = np.concatenate([np.full(20, 0.25), np.full(20, 0.5), np.full(20, 0.75)])
    came = np.concatenate([np.arange(20) < many for many in (5, 10, 15)]).astype(float)
    found = held_against(chance, came)
    assert (found.intercept.estimate, found.slope.estimate) == pytest.approx((0, 1), abs=1e-9)
    more = held_against(chance, np.concatenate([np.arange(20) < many for many in (10, 15, 18)]).astype(float))
    assert more.intercept.estimate > 0.5
    turned = held_against(1 - chance, 1 - came)
    assert (turned.brier, turned.slope.se) == pytest.approx((found.brier, found.slope.se))


def test_certain_forecasts_are_moved_in_by_a_ten_thousandth():
    chance, came, *_ = drawn()
    chance[:2], chance[2:4] = 0.0, 1.0
    moved = np.clip(chance, 1e-4, 1 - 1e-4)
    one, other = held_against(chance, came), held_against(moved, came)
    assert (one.intercept, one.slope) == (other.intercept, other.slope)
    assert one.brier == pytest.approx(np.mean((chance - came) ** 2), rel=1e-12)
    closer = held_against(np.clip(chance, 2e-4, 1 - 2e-4), came)
    assert closer.slope.estimate != pytest.approx(one.slope.estimate, rel=1e-6)


def test_forecasts_far_off_are_fitted_all_the_same():
    """Chances near 0.0003 of what comes half the time: an intercept near 8, which takes several bounded steps."""
    came = np.tile([0.0, 1.0], 30)
    chance = stats.logistic.cdf(-8 + 0.1 * np.sin(np.arange(60)))
    found = held_against(chance, came)
    fit = sm.GLM(came, np.ones((60, 1)), sm.families.Binomial(), offset=stats.logistic.ppf(chance)).fit(tol=1e-13)
    assert found.intercept.estimate == pytest.approx(fit.params[0])


def test_what_is_no_forecast_is_refused():
    chance, came, *_ = drawn()
    for wrong in ([1.5, -0.1], [math.nan, 40]):
        with pytest.raises(EstimationError, match=r"^2 forecasts are no chance between 0 and 1; per cent"):
            held_against(np.concatenate([wrong, chance[2:]]), came)
    few = np.where(np.arange(150) < 10, 1.0, 0.0)
    for one in (few, 1 - few):
        assert held_against(chance, one).useless == pytest.approx(10 / 150 * 140 / 150)
    for one in (np.where(np.arange(150) < 9, 1.0, 0.0), np.where(np.arange(150) < 9, 0.0, 1.0)):
        with pytest.raises(EstimationError, match="fewer than 10 came, or did not"):
            held_against(chance, one)
    with pytest.raises(EstimationError, match="all forecasts are the same"):
        held_against(np.full(150, 0.3), came)
