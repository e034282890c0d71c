"""Tests of proportional hazards as score tests of a longer model, by numbers; their F with clusters; refusals."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from scipy import stats

from researchkit.errors import EstimationError
from researchkit.estimators.cox import cox
from researchkit.estimators.proportional import ALL, hazards, several, vary
from researchkit.estimators.proportional import Tested as Part


def made(entry=False, weighted=False, ties=True, n=80):
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(n, 2))
    time = rng.weibull(1.5, n) * np.exp(-0.4 * matrix[:, 0]) + 0.1
    time = np.ceil(10 * time) / 10 if ties else time
    start = np.where(np.arange(n) % 3 == 0, np.floor(4 * time) / 10, 0.0) if entry else None
    return time, rng.random(n) < 0.7, matrix, start, rng.uniform(0.5, 2, n) if weighted else None


def clock(time, happened, start, moment, transform):
    if transform == "km":  # one minus the curve just before
        free, begin = 1.0, np.full(len(time), -np.inf) if start is None else start
        for one in np.unique(time[happened & (time < moment)]):
            free *= 1 - np.sum(happened & (time == one)) / np.sum((time >= one) & (begin < one))
        return 1 - free
    if transform == "rank":
        return stats.rankdata(time)[time == moment][0]
    return np.log(moment) if transform == "log" else moment


def longer(time, happened, matrix, start, weights, transform):
    """Efron's log-likelihood with log ratios b + c g(t), g centred and scaled over the events."""
    weights = np.ones(len(time)) if weights is None else weights
    begin = np.full(len(time), -np.inf) if start is None else start
    moments = np.sort(time[happened])
    g = np.array([clock(time, happened, start, one, transform) for one in moments])
    g = dict(zip(moments, (g - g.mean()) / g.std(), strict=True))

    def value(at):
        found = 0.0
        for one in np.unique(moments):
            eta = matrix @ (at[:2] + at[2:] * g[one])
            there, tied = (time >= one) & (begin < one), (time == one) & happened
            relative, d = weights * np.exp(eta), tied.sum()
            found += weights[tied] @ eta[tied]
            for j in range(d):
                found -= weights[tied].mean() * np.log(relative[there].sum() - j / d * relative[tied].sum())
        return found

    return value


@pytest.mark.parametrize("transform", ["km", "identity", "rank", "log"])
@pytest.mark.parametrize("entry", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_it_is_the_score_test_of_ratios_that_move_with_time(transform, entry, weighted):
    time, happened, matrix, start, weights = made(entry, weighted)
    fit = cox(time, happened, matrix, ("a", "b"), entry=start, weights=weights)
    value, at, steps = (
        longer(time, happened, matrix, start, weights, transform),
        np.append(fit.coefficients, [0.0, 0.0]),
        3e-4 * np.eye(4),
    )
    slope = np.array([(value(at + s) - value(at - s)) / 6e-4 for s in steps])
    bend = np.array(
        [
            [(value(at + s + u) - value(at + s - u) - value(at - s + u) + value(at - s - u)) / 36e-8 for u in steps]
            for s in steps
        ]
    )
    tests = hazards(fit, matrix, ("a", "b"), time, entry=start, transform=transform)
    assert [one.term for one in tests] == ["a", "b", ALL]
    for test, extra in zip(tests, ([2], [3], [2, 3]), strict=True):
        places = [0, 1, *extra]
        whole = np.linalg.inv(-bend[np.ix_(places, places)])
        statistic = slope[places] @ whole @ slope[places]
        assert test.statistic == pytest.approx(statistic, rel=1e-3)
        assert (test.df, test.below, test.method) == (len(extra), None, "score test")
        assert test.p == pytest.approx(stats.chi2.sf(test.statistic, len(extra)))
    told = tests[0].to_dict()
    assert list(told) == ["term", "statistic", "df", "below", "p", "method"]
    assert list(told.values()) == ["a", tests[0].statistic, 1, None, tests[0].p, "score test"]


def test_shifts_of_columns_and_units_change_no_test():
    time, happened, matrix, _, _ = made()
    one = hazards(cox(time, happened, matrix, ("a", "b")), matrix, ("a", "b"), time, transform="log")
    moved = matrix * [1000, 0.001] + [5000, -3]
    other = hazards(cox(time, happened, moved, ("a", "b")), moved, ("a", "b"), time, transform="log")
    assert [test.statistic for test in other] == pytest.approx([test.statistic for test in one], rel=1e-6)


def test_terms_are_tested_together_as_they_are_named():
    time, happened, matrix, _, _ = made()
    fit = cox(time, happened, matrix, ("a", "b"))
    each = hazards(fit, matrix, ("a", "b"), time)
    both, second = hazards(fit, matrix, ("a", "b"), time, terms={"both": [0, 1], "second": [1]})
    assert (both.term, both.statistic, both.df) == ("both", pytest.approx(each[2].statistic), 2)
    assert (second.term, second.statistic) == ("second", pytest.approx(each[1].statistic))
    assert several(("a",), None) == {"a": [0]} and several((), None) == {}
    assert several(("a", "b"), None) == {"a": [0], "b": [1], ALL: [0, 1]}
    assert several(("a", "b"), {"c": (1,)}) == {"c": [1]}


@pytest.mark.parametrize("q", [1, 2])
def test_with_clusters_it_is_hotellings_around_nought(q):
    """Of scores freed of the others: t' S^-1 t with S their products, as an F of q and G - q degrees of freedom."""
    rng = np.random.default_rng(3)
    scores, others, team = rng.normal(0.2, 1, size=(60, q)), rng.normal(size=(60, 2)), np.arange(60) % 9
    plain, mixed, own = np.diag([2.0, 3.0]) + 0.5, rng.normal(size=(2, q)), 90 * np.eye(q)
    found = Part(scores, own, others, plain, mixed).score("x", team)
    freed = scores - others @ np.linalg.solve(plain, mixed)
    sums = np.array([freed[team == one].sum(axis=0) for one in range(9)])
    total = sums.sum(axis=0)
    length = total @ np.linalg.inv(sums.T @ sums) @ total
    statistic = (9 - q) * length / (q * (9 - length))
    assert (found.statistic, found.df, found.below) == (pytest.approx(statistic), q, 9 - q)
    assert found.p == pytest.approx(stats.f.sf(statistic, q, 9 - q)) and found.method == "score test, robust"
    if q == 1:  # the same as a t test of the clusters' sums around 0
        mean, spread = sums.mean(), sums.std()
        assert statistic == pytest.approx(8 * mean**2 / spread**2)
    free = Part(scores, own, others, plain, mixed).score("x", None)
    left = own - mixed.T @ np.linalg.inv(plain) @ mixed
    total = scores.sum(axis=0)
    assert free.statistic == pytest.approx(total @ np.linalg.inv(left) @ total)
    assert free.p == pytest.approx(stats.chi2.sf(free.statistic, q))


def test_clusters_are_more_than_the_numbers_tested():
    rng = np.random.default_rng(3)
    parts = rng.normal(size=(60, 2)), 90 * np.eye(2), rng.normal(size=(60, 2)), np.eye(2), np.zeros((2, 2))
    assert Part(*parts).score("x", np.arange(60) % 3).below == 1
    with pytest.raises(EstimationError) as refused:
        Part(*parts).score("x", np.arange(60) % 2)
    assert str(refused.value) == "2 clusters are too few to test 2 numbers at a time (x)."


@pytest.mark.parametrize("own", [np.array([[1.0]]), np.array([[1.0 + 1e-10]]), np.array([[0.0]])])
def test_a_direction_that_the_others_leave_nothing_of_cannot_be_told(own):
    rng = np.random.default_rng(3)
    parts = rng.normal(size=(20, 1)), own, rng.normal(size=(20, 1)), np.array([[1.0]]), np.array([[1.0]])
    for team in (None, np.arange(20) % 5):
        with pytest.raises(EstimationError) as refused:
            Part(*parts).score("care", team)
        assert str(refused.value) == "These data leave nothing by which a change in the ratio of care could be told."
    even = parts[0], np.array([[1.0 + 1e-6]]), *parts[2:]
    assert np.isfinite(Part(*even).score("care", None).statistic)
    with pytest.raises(EstimationError, match="leave nothing"):
        Part(parts[0], own, parts[2], np.array([[0.0]]), np.array([[1.0]])).score("care", None)


def test_two_directions_that_are_one_cannot_be_told_apart():
    rng = np.random.default_rng(3)
    one = rng.normal(size=(20, 1))
    same = np.column_stack([one, 2 * one])
    parts = same, np.array([[1.0, 2], [2, 4]]), rng.normal(size=(20, 1)), np.array([[1.0]]), np.zeros((1, 2))
    for team in (None, np.arange(20) % 5):
        with pytest.raises(EstimationError, match="leave nothing by which a change in the ratio of both"):
            Part(*parts).score("both", team)
    nothing = np.zeros((20, 1)), np.array([[1.0]]), np.zeros((20, 1)), np.array([[1.0]]), np.zeros((1, 1))
    with pytest.raises(EstimationError, match="leave nothing"):
        Part(*nothing).score("care", np.arange(20) % 5)


def test_columns_and_times_that_never_vary_are_refused():
    with pytest.raises(EstimationError) as refused:
        vary(np.column_stack([np.ones(5), np.arange(5.0), np.zeros(5)]), ("a", "b", "c"))
    assert str(refused.value) == "a and c is the same in all rows, so it has no ratio to be tested."
    care = np.random.default_rng(1).normal(size=(40, 1))
    fit = cox(np.full(40, 3.0), np.arange(40) < 20, care, ("care",))
    with pytest.raises(EstimationError) as refused:
        hazards(fit, care, ("care",), np.full(40, 3.0))
    assert str(refused.value) == "All events happened at one time, so that a hazard ratio has no time to change in."
    for first in (0.0, -1.0):
        time = np.append(first, np.arange(1.0, 40))
        fit = cox(time, np.ones(40, bool), care, ("care",))
        with pytest.raises(EstimationError) as refused:
            hazards(fit, care, ("care",), time, transform="log")
        assert str(refused.value) == "An event at time 0 has no logarithm; take another transform of time."
    time = np.arange(0.5, 40)
    fit = cox(time, np.ones(40, bool), care, ("care",))
    assert np.isfinite(hazards(fit, care, ("care",), time, transform="log")[0].statistic)


def test_what_is_handed_back_cannot_be_changed():
    parts = np.ones((9, 1)), np.ones((1, 1)), np.ones((9, 1)), np.ones((1, 1)), np.zeros((1, 1))
    for one in (Part(*parts), Part(*parts).score("x", None)):
        with pytest.raises(FrozenInstanceError):
            one.term = one.own = None
