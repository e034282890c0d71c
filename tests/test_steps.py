"""Tests of proportional odds against a likelihood written out here, differentiated and climbed by numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats
from statsmodels.tools.numdiff import approx_fprime, approx_hess

from researchkit.errors import EstimationError
from researchkit.estimators import steps as room
from researchkit.estimators.ordered import fit
from researchkit.estimators.steps import odds

NAMES = ("care", "need")


def drawn(n=200, steps=4, seed=0, apart=0.4):
    """Two columns, answers whose odds ratio of the first moves by `apart` from step to step, teams and weights."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([rng.normal(size=n), rng.random(n) < 0.4]).astype(float)
    x[:, 1] += 0.2 * x[:, 0]
    luck = rng.logistic(size=n)
    answer = sum(
        (luck > cut - (0.3 + apart * place) * x[:, 0] - 0.5 * x[:, 1]).astype(int)
        for place, cut in enumerate(np.linspace(-1.2, 1.2, steps - 1))
    )
    return x, answer.astype(int), rng.permutation(np.arange(n) % 40), rng.uniform(0.5, 2, n)


# The same by a likelihood as it stands in the docstring: logit P(answer <= j) = place_j - x'b - z'(c + g h_j)


def ways(own, thresholds, trend):
    """(thresholds, several) how far each of the numbers under test moves the coefficient at each threshold."""
    if trend:
        return (np.arange(thresholds) - (thresholds - 1) / 2)[:, None]
    return np.eye(thresholds)[:, 1:]


def chances(theta, x, answer, own, moves):
    """(n,) log chance of each answer. Parameters: b of all columns, places, then those under test."""
    size, thresholds = x.shape[1], len(moves)
    places = theta[size : size + thresholds]
    apart = theta[size + thresholds :].reshape(moves.shape[1], len(own))
    at = places - (x @ theta[:size])[:, None] - x[:, own] @ (moves @ apart).T
    below = np.column_stack([np.zeros(len(x)), 1 / (1 + np.exp(-at)), np.ones(len(x))])
    every = np.arange(len(x))
    return np.log(np.maximum(below[every, answer + 1] - below[every, answer], 1e-12))


def proportional(x, answer, weights, moves, own):
    """The best fit with one odds ratio, and how many numbers it has."""
    places = np.log(np.cumsum(np.bincount(answer))[:-1] / np.cumsum(np.bincount(answer)[::-1])[:-1][::-1])
    start, many = np.concatenate([np.zeros(x.shape[1]), places]), moves.shape[1] * len(own)

    def minus(theta):
        return -weights @ chances(np.concatenate([theta, np.zeros(many)]), x, answer, own, moves)

    best = optimize.minimize(minus, start, method="BFGS", options={"gtol": 1e-8}).x
    return np.concatenate([best, np.zeros(many)]), many


def ratio_test(x, answer, own, trend=False):
    moves = ways(own, answer.max(), trend)
    start, many = proportional(x, answer, np.ones(len(answer)), moves, own)

    def minus(theta):
        return -chances(theta, x, answer, own, moves).sum()

    best = optimize.minimize(minus, start, method="BFGS", options={"gtol": 1e-7, "maxiter": 500})
    statistic = 2 * (minus(start) - best.fun)
    return statistic, many, stats.chi2.sf(statistic, many)


def score_test(x, answer, own, cluster, trend, weights=None):
    """Boos: the sums of scores by cluster, less what the others explain, as an F of one sample's T squared."""
    weights, moves = np.ones(len(answer)) if weights is None else weights, ways(own, answer.max(), trend)
    at, many = proportional(x, answer, weights, moves, own)
    scores = weights[:, None] * approx_fprime(at, lambda theta: chances(theta, x, answer, own, moves), centered=True)
    information = -approx_hess(at, lambda theta: weights @ chances(theta, x, answer, own, moves))
    rest, under = slice(0, len(at) - many), slice(len(at) - many, None)
    shift = np.linalg.solve(information[rest, rest], information[rest, under])
    apart = scores[:, under] - scores[:, rest] @ shift
    sums = np.array([apart[cluster == one].sum(axis=0) for one in sorted(set(cluster))])
    length = sums.sum(axis=0) @ np.linalg.solve(sums.T @ sums, sums.sum(axis=0))
    below = len(sums) - many
    statistic = below * length / (many * (len(sums) - length))
    return statistic, many, stats.f.sf(statistic, many, below), below


@pytest.mark.parametrize("trend", [False, True])
@pytest.mark.parametrize("steps", [3, 4])
def test_without_clusters_it_is_the_likelihood_ratio(steps, trend):
    x, answer, *_ = drawn(steps=steps)
    tests = odds(x, answer, NAMES, trend=trend)
    assert [one.term for one in tests] == ["care", "need", "all together"]
    for told, own in zip(tests, ([0], [1], [0, 1]), strict=True):
        statistic, df, p = ratio_test(x, answer, own, trend)
        assert (told.statistic, told.p) == pytest.approx((statistic, p), rel=1e-3, abs=1e-5)
        assert (told.df, told.below, told.method) == (df, None, "likelihood-ratio test")


@pytest.mark.parametrize("trend", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_with_clusters_it_is_the_score_test_from_their_sums(trend, weighted):
    x, answer, team, weights = drawn()
    weights = weights if weighted else None
    tests = odds(x, answer, NAMES, cluster=team, weights=weights, trend=trend)
    for told, own in zip(tests, ([0], [1], [0, 1]), strict=True):
        statistic, df, p, below = score_test(x, answer, own, team, trend, weights)
        assert (told.statistic, told.p) == pytest.approx((statistic, p), rel=1e-3)
        assert (told.df, told.below) == (df, below)


def test_weights_alone_make_each_row_its_own_cluster():
    x, answer, _, weights = drawn()
    one = odds(x, answer, NAMES, weights=weights)
    other = odds(x, answer, NAMES, weights=weights, cluster=np.arange(200))
    assert one == other and one[0].below == 198


def test_a_binary_column_over_three_steps_is_tested_against_the_table_itself():
    """With an odds ratio for each step the fit is the table: the exact ceiling is its own log-likelihood."""
    table = np.array([[30, 25, 15, 10], [12, 30, 33, 20]])
    side, answer = (np.repeat(part.ravel(), table.ravel()) for part in np.mgrid[0:2, 0:4])
    x = side[:, None].astype(float)
    moves = ways([0], 3, False)
    start, _ = proportional(x, answer, np.ones(len(answer)), moves, [0])
    ceiling = (table * np.log(table / table.sum(axis=1, keepdims=True))).sum()
    (told,) = odds(x, answer, ("side",))
    assert told.statistic == pytest.approx(2 * (ceiling - chances(start, x, answer, [0], moves).sum()), abs=1e-5)
    assert (told.term, told.df) == ("side", 2)


def test_a_step_that_one_side_lacks_has_a_ceiling_all_the_same():
    """Its own odds ratio is infinite, and the likelihood that of the table (0 log 0 is 0)."""
    table = np.array([[30, 25, 15], [0, 30, 33]])
    side, answer = (np.repeat(part.ravel(), table.ravel()) for part in np.mgrid[0:2, 0:3])
    x, moves = side[:, None].astype(float), ways([0], 2, False)
    start, _ = proportional(x, answer, np.ones(len(answer)), moves, [0])
    share = table / table.sum(axis=1, keepdims=True)
    ceiling = (table * np.log(np.where(table, share, 1))).sum()
    (told,) = odds(x, answer, ("side",))
    assert told.statistic == pytest.approx(2 * (ceiling - chances(start, x, answer, [0], moves).sum()), abs=1e-3)


def test_columns_named_as_one_term_are_tested_as_one_in_place_of_each():
    x, answer, team, _ = drawn()
    each = odds(x, answer, NAMES, cluster=team)
    (one,) = odds(x, answer, NAMES, cluster=team, terms={"both": [0, 1]})
    assert (one.term, one.statistic, one.df) == ("both", each[2].statistic, each[2].df)
    (last,) = odds(x, answer, NAMES, terms={"need": [1]})
    assert last == odds(x, answer, NAMES)[1]


def test_units_and_order_of_columns_change_nothing():
    x, answer, team, _ = drawn()
    for cluster in (None, team):
        plain = odds(x, answer, NAMES, cluster=cluster)
        other = odds(x[:, ::-1] * [0.01, 1000] + 3, answer, NAMES[::-1], cluster=cluster)
        for one, two in ((plain[0], other[1]), (plain[1], other[0]), (plain[2], other[2])):
            assert (one.statistic, one.p) == pytest.approx((two.statistic, two.p), rel=1e-5)


@pytest.mark.parametrize(("clusters", "free"), [(5, False), (6, True)])
def test_fewer_than_three_clusters_a_number_get_the_trend_unasked(clusters, free):
    """Four steps have two numbers beyond the first a column: 3 x 2 clusters are the fewest for one column."""
    x, answer, *_ = drawn()
    cluster = np.arange(200) % clusters
    told = odds(x, answer, NAMES, cluster=cluster, terms={"care": [0]})[0]
    statistic, df, _, below = score_test(x, answer, [0], cluster, not free)
    assert (told.df, told.below) == (df, below) == ((2, 4) if free else (1, 4))
    assert told.statistic == pytest.approx(statistic, rel=1e-3)
    both = odds(x, answer, NAMES, cluster=np.arange(200) % (2 * clusters), terms={"all": [0, 1]})[0]
    assert both.df == (4 if free else 2)


def test_answers_that_bear_no_test_are_refused():
    x, answer, *_ = drawn()
    for one in (np.minimum(answer, 1), np.zeros(0, dtype=int)):
        with pytest.raises(EstimationError, match="have one step only, and with it one odds ratio"):
            odds(x[: len(one)], one, NAMES)
    gaps = np.where(answer == 1, 2, np.where(answer == 3, 6, answer))
    with pytest.raises(EstimationError, match=r"^4 of the answers occur nowhere; number those that do from 0 up"):
        odds(x, gaps, NAMES)
    with pytest.raises(EstimationError, match=r"^need is the same in all rows"):
        odds(np.column_stack([x[:, 0], np.ones(200)]), answer, NAMES)


# The derivatives behind it


@pytest.mark.parametrize("own", [[0], [1], [0, 1]])
def test_derivatives_are_those_of_the_likelihood(own):
    x, answer, _, weights = drawn()
    steps = room.Steps(x, own, answer, weights)
    rest = [one for one in (0, 1) if one not in own]
    rng = np.random.default_rng(1)
    places = np.array([-1.3, 0.1, 1.4])
    at = np.concatenate([rng.normal(size=len(rest)) / 9, *([one, *rng.normal(size=len(own)) / 9] for one in places)])

    def height(theta):
        own_parts = theta[len(rest) :].reshape(3, 1 + len(own))
        inner = own_parts[:, 0] - x[:, own] @ own_parts[:, 1:].T - (x[:, rest] @ theta[: len(rest)])[:, None]
        below = np.column_stack([np.zeros(200), 1 / (1 + np.exp(-inner)), np.ones(200)])
        return weights @ np.log(below[np.arange(200), answer + 1] - below[np.arange(200), answer])

    value, gradient, information = steps.derivatives(at)
    assert value == pytest.approx(height(at))
    assert gradient == pytest.approx(approx_fprime(at, height, centered=True), rel=1e-5, abs=1e-5)
    assert information == pytest.approx(-approx_hess(at, height), rel=1e-3, abs=1e-3)
    crossed = at.copy()
    crossed[len(rest)] = 9.0  # the first threshold above the second
    assert steps.derivatives(crossed)[0] == -math.inf


def test_the_start_is_the_fit_with_the_same_at_each_threshold():
    x, answer, _, weights = drawn()
    at, information, _ = fit(x, answer, weights, NAMES)
    steps = room.Steps(x, [0], answer, weights)
    _, gradient, whole = steps.derivatives(steps.start(at))
    same, apart = steps.directions(trend=False)
    assert same.T @ gradient == pytest.approx(np.zeros(5), abs=1e-5)
    # order of `same`: need, three places, care; that of `fit`: care, need, places
    order = [1, 2, 3, 4, 0]
    assert same.T @ whole @ same == pytest.approx(information[np.ix_(order, order)], rel=1e-6, abs=1e-8)
    assert np.linalg.matrix_rank(np.hstack([same, apart])) == same.shape[1] + apart.shape[1] == 7


def test_the_top_of_a_hill_is_found_from_afar_and_of_one_that_ends_nowhere():
    def bowl(at):
        off = at - [3.0, -2.0]
        return (
            -(float(off @ off) ** 2) + 7,
            -4 * off * (off @ off),
            4 * (off @ off) * np.eye(2) + 8 * np.outer(off, off),
        )

    assert room.highest(np.zeros(2), bowl) == pytest.approx(7, abs=1e-6)

    def endless(at):
        """-log(1 + e^-x): 0 is reached nowhere."""
        share = 1 / (1 + math.exp(at[0]))
        return -math.log1p(math.exp(-at[0])), np.array([share]), np.array([[share * (1 - share)]])

    assert room.highest(np.array([-2.0]), endless) == pytest.approx(0, abs=1e-8)

    def narrow(at):
        """-log cosh x: a full step from 2 goes to -11.6, which is lower."""
        return -math.log(math.cosh(at[0])), -np.tanh(at), np.array([[1 / math.cosh(at[0]) ** 2]])

    assert room.highest(np.array([2.0]), narrow) == pytest.approx(0, abs=1e-8)
