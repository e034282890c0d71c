"""Cox's model by a slow and plain likelihood: ties, late entry, weights; what each row endured, moved and pulled."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import statsmodels.api as sm

from researchkit.errors import EstimationError
from researchkit.estimators.cox import Risk, cox


def made(ties=True, entry=True, weighted=True, n=40, seed=1):
    rng = np.random.default_rng(seed)
    matrix = rng.normal(size=(n, 2))
    time = rng.exponential(1 / np.exp(0.5 * matrix[:, 0])) + 0.1
    time = np.ceil(6 * time) / 6 if ties else time
    happened = rng.random(n) < 0.7
    start = np.where(np.arange(n) % 3 == 0, np.floor(3 * time) / 6, 0.0) if entry else None
    return time, happened, matrix, start, rng.uniform(0.5, 3, n) if weighted else None


def plain(time, happened, matrix, start, weights):
    """Efron's likelihood, one event after the other: of d tied ones the j-th meets those at risk less j/d of the tied."""
    weights = np.ones(len(time)) if weights is None else weights
    start = np.full(len(time), -np.inf) if start is None else start

    def told(b):
        relative, found, jumps = weights * np.exp(matrix @ b), 0.0, []
        for moment in np.unique(time[happened]):
            there, tied = (time >= moment) & (start < moment), (time == moment) & happened
            d, jump = tied.sum(), weights[tied].mean()
            found += np.sum(weights[tied] * (matrix[tied] @ b))
            for j in range(d):
                size = relative[there].sum() - j / d * relative[tied].sum()
                found -= jump * np.log(size)
                mean = (relative[there] @ matrix[there] - j / d * relative[tied] @ matrix[tied]) / size
                jumps.append((moment, jump / size, size, mean, j / d))
        return found, jumps

    return told


CASES = [(t, e, w) for t in (False, True) for e in (False, True) for w in (False, True)]


@pytest.mark.parametrize(("ties", "entry", "weighted"), CASES)
def test_the_fit_is_the_maximum_of_efrons_likelihood(ties, entry, weighted):
    time, happened, matrix, start, weights = made(ties, entry, weighted)
    fit = cox(time, happened, matrix, ("a", "b"), entry=start, weights=weights)
    told = plain(time, happened, matrix, start, weights)
    steps, at = 1e-4 * np.eye(2), fit.coefficients
    value, jumps = told(at)
    assert fit.loglik == pytest.approx(value)
    slope = [(told(at + s)[0] - told(at - s)[0]) / 2e-4 for s in steps]
    assert slope == pytest.approx([0, 0], abs=1e-6)
    bend = [
        [(told(at + s + u)[0] - told(at + s - u)[0] - told(at - s + u)[0] + told(at - s - u)[0]) / 4e-8 for u in steps]
        for s in steps
    ]
    assert np.linalg.inv(fit.covariance) == pytest.approx(-np.array(bend), rel=1e-4, abs=1e-4)
    assert fit.hazard == pytest.approx([one[1] for one in jumps]) and fit.size == pytest.approx(
        [one[2] for one in jumps]
    )
    assert fit.mean == pytest.approx(np.array([one[3] for one in jumps]))
    assert fit.relative == pytest.approx(np.exp(matrix @ at))
    for moment in (0.0, *np.unique(time)[[0, 3, -1]], 99.0):
        assert fit.cumulative(np.array([moment])) == pytest.approx([sum(one[1] for one in jumps if one[0] <= moment)])


@pytest.mark.parametrize(("ties", "entry", "weighted"), CASES)
def test_what_a_row_moves_is_what_a_little_more_weight_on_it_does(ties, entry, weighted):
    """R's dfbeta is the weight times the derivative by it; clusters sum it, and its squares are the robust errors."""
    time, happened, matrix, start, weights = made(ties, entry, weighted)
    fit = cox(time, happened, matrix, ("a", "b"), entry=start, weights=weights)
    heavy = np.ones(40) if weights is None else weights
    for row in range(0, 40, 3):
        step = 1e-4 * np.eye(40)[row]
        up, down = (cox(time, happened, matrix, ("a", "b"), entry=start, weights=heavy + s) for s in (step, -step))
        moved = (up.coefficients - down.coefficients) / 2e-4
        assert fit.influence[row] == pytest.approx(heavy[row] * moved, rel=1e-4, abs=1e-7)
    assert fit.robust(None) == pytest.approx(fit.influence.T @ fit.influence)
    team = np.arange(40) % 7
    summed = np.array([fit.influence[team == one].sum(axis=0) for one in range(7)])
    assert fit.robust(team) == pytest.approx(summed.T @ summed)


@pytest.mark.parametrize(("ties", "entry", "weighted"), CASES)
def test_a_martingale_is_the_event_less_what_was_endured(ties, entry, weighted):
    """Of tied events a row that is one of them faces the j-th in the share 1 - j/d."""
    time, happened, matrix, start, weights = made(ties, entry, weighted)
    fit = cox(time, happened, matrix, ("a", "b"), entry=start, weights=weights)
    _, jumps = plain(time, happened, matrix, start, weights)(fit.coefficients)
    height = np.random.default_rng(2).normal(size=(len(jumps), 2))
    begin = np.full(40, -np.inf) if start is None else start
    found = fit.martingale(height)
    for row in range(40):
        by_hand = np.zeros(2)
        own = [h for h, one in zip(height, jumps, strict=True) if happened[row] and one[0] == time[row]]
        by_hand += np.mean(own, axis=0) if own else 0
        for h, (moment, hazard, _, _, share) in zip(height, jumps, strict=True):
            if begin[row] < moment <= time[row]:
                part = 1 - share if happened[row] and moment == time[row] else 1.0
                by_hand -= fit.relative[row] * part * hazard * h
        assert found[row] == pytest.approx(by_hand)
    ones = np.ones((len(jumps), 1))
    assert fit.risk.weights @ fit.martingale(ones)[:, 0] == pytest.approx(0, abs=1e-10)


def test_without_ties_it_is_statsmodels():
    time, happened, matrix, start, _ = made(ties=False, weighted=False, n=80)
    start = start * 0.999 + 1e-4
    fit = cox(time, happened, matrix, ("a", "b"), entry=start)
    other = sm.PHReg(time, matrix, status=happened, entry=start).fit()
    assert fit.coefficients == pytest.approx(other.params, rel=1e-6)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx(other.bse, rel=1e-6)
    assert fit.loglik == pytest.approx(other.llf)


def test_who_is_at_risk_when_by_hand():
    """Five rows: entry, time, event. (0, 2] yes; (0, 2] yes; (2, 5] yes; (1, 3] no; (0, 4] yes."""
    time, entry = np.array([2.0, 2, 5, 3, 4]), np.array([0.0, 0, 2, 1, 0])
    happened, weights = np.array([True, True, True, False, True]), np.array([1.0, 3, 1, 1, 5])
    risk = Risk(time, happened, entry, weights)
    assert risk.times.tolist() == [2, 4, 5] and risk.number.tolist() == [2, 1, 1]
    assert risk.begins.tolist() == [0, 0, 1, 0, 0] and risk.ends.tolist() == [1, 1, 3, 1, 2]
    assert risk.tied.tolist() == [0, 0, 1, 2] and risk.share.tolist() == [0, 0.5, 0, 0]
    assert risk.jump.tolist() == [2, 2, 5, 1]
    values = np.array([[1.0, 10], [2, 20], [4, 40], [8, 80], [16, 160]])
    assert risk.at_risk(values).tolist() == [[27, 270], [20, 200], [4, 40]]
    assert risk.at_event(values).tolist() == [[3, 30], [16, 160], [4, 40]]
    hazard = np.array([[1.0], [2], [4], [8]])
    assert risk.endured(hazard)[:, 0].tolist() == [2, 2, 12, 3, 7]
    assert risk.endured(hazard, slice(2, 4))[:, 0].tolist() == [12, 3]
    size, mean = risk.by_event(np.ones(5), values)
    # weighted: 1 + 3 + 1 (fourth) + 5 = 10 at the first event, less half of the two tied at the second
    assert size.tolist() == [10, 8, 6, 1]
    assert mean[:2, 0] == pytest.approx([(1 + 6 + 8 + 80) / 10, (95 - 0.5 * 7) / 8])
    late = Risk(time, happened, None, None)
    assert late.begins.tolist() == [0] * 5 and late.at_risk(values)[0].tolist() == [31, 310]


def test_parts_of_the_information_sum_to_that_of_a_poisson_model():
    """Columns 1, x - mean and a height, each event time with a level of its own."""
    time, happened, matrix, start, weights = made(ties=False)
    fit = cox(time, happened, matrix, ("a", "b"), entry=start, weights=weights)
    height, team = np.random.default_rng(3).normal(size=len(fit.hazard)), np.arange(40) % 6
    products, scores = fit.pulls(matrix, height, team)
    by_hand, heard = np.zeros((6, 4, 4)), np.zeros((6, 4))
    for row in range(40):
        for moment, hazard, mean, h in zip(fit.risk.times, fit.hazard, fit.mean, height, strict=True):
            if start[row] < moment <= time[row]:
                column = np.array([1.0, *(matrix[row] - mean), h])
                expected = fit.relative[row] * hazard
                by_hand[team[row]] += weights[row] * expected * np.outer(column, column)
                event = float(happened[row] and moment == time[row])
                heard[team[row]] += weights[row] * (event - expected) * column
    assert products == pytest.approx(by_hand) and scores == pytest.approx(heard)


def test_a_ratio_without_a_finite_value_names_its_column():
    time, happened = np.arange(1.0, 21), np.ones(20, bool)
    early = np.column_stack([np.tile([0.0, 1.0], 10), (time <= 10).astype(float)])
    with pytest.raises(EstimationError, match=r"no finite best fit: the coefficient of early grows"):
        cox(time, happened, early, ("care", "early"))


def test_what_is_handed_back_cannot_be_changed():
    time, happened, matrix, _, _ = made()
    with pytest.raises(FrozenInstanceError):
        cox(time, happened, matrix, ("a", "b")).loglik = 0.0
