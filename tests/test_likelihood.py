"""The maximum that Newton's steps find, against statsmodels' iterated least squares; and data that have none."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from statsmodels.genmod import families
from statsmodels.genmod.generalized_linear_model import GLM

from researchkit.estimators.likelihood import (
    LOG,
    LOGIT,
    Average,
    RunsAway,
    Spread,
    fitted,
    logistic,
    mean_at,
    mean_slope,
    newton,
    shares,
    spread,
)


def columns(rng, n, k):
    return np.column_stack([rng.normal(size=(n, k)), np.ones(n)])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("link", "family", "constant"), [(LOGIT, families.Binomial(), -2.0), (LOG, families.Poisson(), 7.0)]
)
def test_the_maximum_is_that_of_statsmodels(link, family, constant, weighted):
    rng = np.random.default_rng(8)
    for n, k in [(40, 1), (200, 4), (1000, 7)]:
        matrix, along = columns(rng, n, k), rng.normal(size=n)
        mean = link.mean(matrix @ np.append(rng.normal(size=k) / 2, constant) + along)
        outcome = rng.binomial(1, mean) if link is LOGIT else rng.poisson(mean)
        weights = rng.uniform(0.1, 3, n) if weighted else None
        at, information = fitted(link, matrix, outcome.astype(float), weights, along)
        theirs = GLM(outcome, matrix, family=family, var_weights=weights, offset=along).fit(
            tol_criterion="params", tol=1e-12, maxiter=100
        )
        assert at == pytest.approx(theirs.params, rel=1e-9, abs=1e-10)
        assert np.linalg.inv(information) == pytest.approx(theirs.cov_params() / theirs.scale, rel=1e-7)


def test_no_finite_maximum_is_refused():
    rng = np.random.default_rng(9)
    matrix = columns(rng, 60, 2)
    parted = (matrix[:, 0] > 0).astype(float)
    with pytest.raises(RunsAway) as away:
        fitted(LOGIT, matrix, parted, None)
    assert np.argmax(np.abs(away.value.at[:2])) == 0  # the column that parts them is the one that runs


@pytest.mark.parametrize("link", [LOGIT, LOG])
def test_a_column_over_again_is_refused(link):
    matrix = columns(np.random.default_rng(10), 60, 1)
    with pytest.raises(RunsAway):
        fitted(link, np.column_stack([matrix, np.zeros(60)]), (np.arange(60) % 2).astype(float), None)


def test_counts_far_from_each_other_are_found():
    """From zero the first step would go to counts beyond what a float holds."""
    outcome = np.array([0.0, 1, 0, 2, 900_000, 1_100_000])
    matrix = np.column_stack([[0.0, 0, 0, 0, 1, 1], np.ones(6)])
    at, _ = fitted(LOG, matrix, outcome, None)
    assert at == pytest.approx([np.log(1_000_000 / 0.75), np.log(0.75)], rel=1e-9)


@pytest.mark.parametrize("link", [LOGIT, LOG])
def test_each_function_of_a_link_is_the_derivative_of_the_one_before(link):
    eta = np.linspace(-4, 4, 41)
    for lower, upper in ((link.total, link.mean), (link.mean, link.slope), (link.slope, link.bend)):
        numerical = (lower(eta + 1e-5) - lower(eta - 1e-5)) / 2e-5
        assert upper(eta) == pytest.approx(numerical, rel=1e-7, abs=1e-9)


def test_a_logistic_curve_goes_from_nought_to_one_without_overflow():
    assert logistic(np.array([-800.0, 0.0, np.log(3), 800.0])).tolist() == pytest.approx([0, 0.5, 0.75, 1])
    assert LOGIT.total(np.array([-800.0, 800.0])).tolist() == [0.0, 800.0]


@pytest.mark.parametrize("link", [LOGIT, LOG])
def test_averages_over_people_and_their_gradients_by_small_steps(link):
    rng = np.random.default_rng(11)
    matrix, at = columns(rng, 30, 2), np.array([0.4, -0.3, 0.2])
    share, scale, steps = shares(rng.uniform(0.5, 2, 30), 30), 2.5, 1e-6 * np.eye(3)

    def slope(b):
        eta = matrix @ b
        return share @ (link.mean(eta + 1e-5 * b[0]) - link.mean(eta - 1e-5 * b[0])) / 2e-5 / scale

    def mean(b):
        return share @ link.mean(matrix @ b)

    for found, plain in ((mean_at(link, matrix, at, share), mean), (mean_slope(link, matrix, at, share, scale), slope)):
        assert found.value == pytest.approx(plain(at), rel=1e-7)
        assert found.gradient == pytest.approx([(plain(at + s) - plain(at - s)) / 2e-6 for s in steps], rel=1e-4)


def test_shares_sum_to_one():
    assert shares(None, 4).tolist() == [0.25] * 4 and shares(np.array([1.0, 3.0]), 2).tolist() == [0.25, 0.75]


def test_the_error_of_an_average_is_that_of_its_direction():
    assert Average(1.0, np.array([1.0, -2.0])).se(np.array([[4.0, 1.0], [1.0, 9.0]])) == pytest.approx(6.0)


def test_the_three_kinds_of_errors_by_statsmodels_and_by_hand():
    rng = np.random.default_rng(12)
    matrix, team = columns(rng, 120, 2), np.arange(120) % 13
    outcome = rng.poisson(np.exp(0.3 * matrix[:, 0]), 120).astype(float)
    at, information = fitted(LOG, matrix, outcome, None)
    scores = matrix * (outcome - np.exp(matrix @ at))[:, None]
    fit = GLM(outcome, matrix, family=families.Poisson()).fit(tol=1e-13)
    plain = spread(information, scores, None, robust=False)
    assert plain.covariance == pytest.approx(fit.cov_params(), rel=1e-6)
    rough = spread(information, scores, None, robust=True)
    bread = np.linalg.inv(information)
    assert rough.covariance == pytest.approx(bread @ scores.T @ scores @ bread)
    sums = np.array([scores[team == one].sum(axis=0) for one in range(13)])
    for robust in (False, True):
        found = spread(information, scores, team, robust=robust)
        factor = 13 / 12 * 119 / 117
        assert found.covariance == pytest.approx(factor * bread @ sums.T @ sums @ bread)
        assert (found.errors, found.df, found.notes, found.each) == ("CR1", 12, (), None)
    assert (plain.errors, plain.df, rough.errors, rough.df) == ("model-based", None, "HC0", None)


def test_coefficients_may_have_their_own_degrees_of_freedom():
    own = np.array([3.0, 8.0])
    assert Spread(np.eye(2), "CR2", 4.0).df_of_terms == 4.0 and Spread(np.eye(2), "HC0", None).df_of_terms is None
    assert Spread(np.eye(2), "CR2", 4.0, (), own).df_of_terms is own


def test_newton_finds_the_top_of_what_bends_down_and_halves_steps_that_fall():
    """The top of -log cosh(x - 3) is at 3; whole Newton steps from 0 leap ever farther away."""
    tried = []

    def hill(at):
        tried.append(float(at[0]))
        away = at[0] - 3
        return -np.logaddexp(away, -away), np.array([-np.tanh(away)]), np.array([[1 / np.cosh(away) ** 2]])

    at, information = newton(np.zeros(1), hill)
    assert at[0] == pytest.approx(3, abs=1e-12) and information[0, 0] == pytest.approx(1)
    assert max(tried) > 50  # the first whole step, which falls
    assert len(tried) < 30


def test_newton_gives_up_where_there_is_no_top():
    for slope in (1.0, 1e-3):  # ever upwards, in ever longer or in equal steps
        with pytest.raises(RunsAway) as away:
            newton(np.zeros(1), lambda at, slope=slope: (slope * at[0], np.array([slope]), np.array([[slope]])))
        assert away.value.at[0] == pytest.approx(50) and str(away.value) == "no finite maximum"
    with pytest.raises(RunsAway) as away:  # a step the wrong way, however short
        newton(np.ones(1), lambda at: (-abs(at[0] - 1), np.array([1.0]), np.array([[1e-5]])))
    assert away.value.at.tolist() == [1.0]
    with pytest.raises(RunsAway) as away:
        newton(np.full(1, 7.0), lambda _: (0.0, np.ones(1), np.zeros((1, 1))))
    assert away.value.at.tolist() == [7.0]


def test_what_is_handed_back_cannot_be_changed():
    for one in (LOGIT, Spread(np.eye(1), "HC0", None), Average(1.0, np.ones(1))):
        with pytest.raises(FrozenInstanceError):
            one.mean = one.df = one.value = None


@pytest.mark.parametrize(("top", "height"), [(0.0, 0.0), (1e9, 0.0), (0.0, 1e6), (0.0, -1e6)])
def test_rounding_does_not_keep_newton_from_stopping(top, height):
    """Likelihood and gradient waver by somewhat less than what counts as a step, in proportion to their size."""
    calls = []

    def wavering(at):
        calls.append(at)
        turn = (-1.0) ** len(calls)
        value = height - (at[0] - top) ** 2 / 2 + turn * 4e-10 * (1 + abs(height))
        return value, np.array([top - at[0] + turn * 4e-11 * (1 + top)]), np.eye(1)

    at, _ = newton(np.zeros(1), wavering)
    assert at[0] == pytest.approx(top, rel=1e-9, abs=1e-10) and len(calls) < 6


@pytest.mark.parametrize(("halvings", "found"), [(29, True), (30, False)])
def test_a_step_is_halved_29_times_and_no_more(halvings, found):
    """All within 1 of the start is as high as the start, and all beyond it lower."""

    def plateau(at):
        return -float(abs(at[0]) > 1), np.array([1.0 if at[0] == 0 else 0.0]), np.array([[0.5**halvings]])

    if found:
        assert newton(np.zeros(1), plateau)[0].tolist() == [1.0]
        return
    with pytest.raises(RunsAway):
        newton(np.zeros(1), plateau)
