"""Models learned from some rows: those of statsmodels, and which columns they leave out."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import statsmodels.api as sm

from researchkit.estimators.learning import learned
from researchkit.estimators.likelihood import LOG, LOGIT, RunsAway

FAMILIES = {LOGIT: sm.families.Binomial(), LOG: sm.families.Poisson()}


def rows(n=80, seed=3):
    """An exposure of two values, two measures and an intercept; the rate rises with the measures."""
    rng = np.random.default_rng(seed)
    matrix = np.column_stack([rng.integers(0, 2, n), rng.normal(size=(n, 2)), np.ones(n)])
    return matrix, matrix @ [0.4, 0.5, -0.3, 0.2], 1.0 + np.arange(n) % 3, rng


@pytest.mark.parametrize("link", [None, LOGIT, LOG])
def test_the_model_is_that_of_statsmodels(link):
    matrix, eta, weights, rng = rows()
    if link is None:
        outcome = eta + rng.normal(size=80)
        other = sm.WLS(outcome, matrix, weights).fit()
    else:
        outcome = (
            (rng.random(80) < 1 / (1 + np.exp(-eta))).astype(float) if link is LOGIT else 1.0 * rng.poisson(np.exp(eta))
        )
        other = sm.GLM(outcome, matrix, FAMILIES[link], freq_weights=weights).fit(tol=1e-12)
    found = learned(link, matrix, outcome, weights)
    assert found.at == pytest.approx(other.params, rel=1e-6)
    assert found.kept == [0, 1, 2, 3] and found.telling == () and found.link is link
    more = np.column_stack([rng.normal(size=(5, 3)), np.ones(5)])
    assert found(more) == pytest.approx(other.predict(more), rel=1e-6)


def test_of_columns_that_say_the_same_the_exposure_gives_way_first():
    matrix, eta, weights, rng = rows()
    outcome = eta + rng.normal(size=80)
    double = np.column_stack([2 * matrix[:, 1] - 1, matrix[:, 1:]])
    found = learned(None, double, outcome, weights)
    assert found.kept == [1, 2, 3]
    assert found(double) == pytest.approx(learned(None, matrix[:, 1:], outcome, weights)(matrix[:, 1:]))
    later = np.column_stack([matrix[:, :2], matrix[:, 1] + 3, matrix[:, 3]])
    assert learned(None, later, outcome, weights).kept == [0, 1, 3], "of covariates the later one"
    constant = np.column_stack([matrix[:, 0], np.full(80, 7.0), matrix[:, 2:]])
    assert learned(None, constant, outcome, weights).kept == [0, 2, 3], "an intercept goes before all"


@pytest.mark.parametrize("link", [None, LOGIT, LOG])
def test_a_level_with_one_outcome_alone_is_predicted_as_the_others(link):
    matrix, _, weights, rng = rows()
    level = np.arange(80) % 8 == 3
    wide = np.column_stack([matrix[:, 0], level, matrix[:, 1:]])
    outcome = (rng.random(80) < 0.5).astype(float)
    for sure in (0.0, 1.0):
        told = np.where(level, sure, outcome)
        expected = (1,) if link is LOGIT or (link is LOG and sure == 0) else ()
        for turned in (wide, wide * [1, -2.5, 1, 1, 1] + [0, 9, 0, 0, 0]):
            found = learned(link, turned, told, weights)
            assert found.telling == expected
            assert found.kept == [place for place in range(5) if place not in expected]
        if expected:
            without = np.delete(wide, 1, axis=1)
            assert found(turned) == pytest.approx(learned(link, without, told, weights)(without))


def test_the_exposure_too_and_several_may_tell():
    matrix, _, weights, rng = rows()
    outcome = np.where(matrix[:, 0] > 0, (rng.random(80) < 0.5).astype(float), 1.0)
    rare = (np.arange(80) == 7).astype(float)
    outcome[7] = 0
    matrix[7, 0] = 1
    wide = np.column_stack([matrix[:, :3], rare, matrix[:, 3]])
    assert learned(LOGIT, wide, outcome, weights).telling == (0, 3)
    assert learned(LOG, wide, outcome, weights).telling == (3,)
    # A measure of three values and a column that is the same for all tell nothing.
    three = np.column_stack([matrix[:, 0], np.arange(80) % 3, np.full(80, 2.0), matrix[:, 3]])
    steep = np.where(three[:, 1] == 0, 0.0, np.where(three[:, 1] == 1, 0.5, 1) > rng.random(80)).astype(float)
    steep[:2] = 1
    found = learned(LOG, three, steep, weights)
    assert (found.telling, found.kept) == ((), [0, 1, 3])


def test_what_was_learned_stays_as_it_is():
    matrix, eta, weights, _ = rows()
    with pytest.raises(FrozenInstanceError):
        learned(None, matrix, eta, weights).link = LOG


@pytest.mark.parametrize(("link", "sure"), [(LOGIT, 0.0), (LOGIT, 1.0), (LOG, 0.0)])
def test_one_outcome_alone_has_no_model(link, sure):
    matrix, _, weights, _ = rows()
    with pytest.raises(RunsAway) as caught:
        learned(link, matrix[:, 1:], np.full(80, sure), weights)
    assert np.array_equal(caught.value.at, [0, 0, 1])


def test_a_count_of_one_for_everybody_has_a_model():
    matrix, _, weights, _ = rows()
    assert learned(LOG, matrix, np.ones(80), weights)(matrix) == pytest.approx(np.ones(80))


def test_a_measure_that_tells_the_outcome_runs_away_and_is_named():
    matrix, _, weights, rng = rows()
    outcome = (matrix[:, 1] > 0).astype(float)
    double = np.column_stack([matrix[:, 2], rng.normal(size=80), 3 * matrix[:, 2], matrix[:, 1], matrix[:, 3]])
    with pytest.raises(RunsAway) as caught:
        learned(LOGIT, double, outcome, weights)
    assert len(caught.value.at) == 5 and np.argmax(np.abs(caught.value.at)) == 3
    assert caught.value.at[0] == 0, "what was left out has not moved"
