"""Starts dealt out anew against the same by loops: which units get which history, and which effects are not rejected."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from researchkit.estimators import permute
from researchkit.estimators.panel import Panel
from researchkit.estimators.permute import draw_again, inverted
from researchkit.estimators.rollout import Laid
from researchkit.estimators.stagger import Combined, contrasts


def laid_out(starts=(1, 1, 2, 4, 4, 4), periods=4, gaps=(), covariates=0, effect=0.0, seed=0, before="last"):
    """A roll-out laid out from random cells, as `lay_out` does."""
    rng = np.random.default_rng(seed)
    units = len(starts)
    values = rng.normal(size=(1 + covariates, units, periods))
    values[0] += effect * (np.arange(periods) >= np.array(starts)[:, None])
    for unit, period in gaps:
        values[:, unit, period] = np.nan
    loose = rng.normal(size=(units, 8, 1 + covariates))
    cells = Panel(
        values,
        np.isfinite(values[0]).astype(float),
        rng.uniform(0.4, 2, units),
        np.array(starts),
        np.arange(units),
        tuple(map(str, range(units))),
        tuple(map(str, range(periods))),
        np.einsum("cra,crb->cab", loose, loose),
    )
    found = contrasts(cells, before=before)
    every = Combined(cells, found)
    return Laid(cells, found, every, every.average(found.event >= 0), {}, {}, None)


def by_loops(laid, order, before):
    """The answer, and the share of it that an effect of 1 would make, were the units dealt out in this order."""
    cells, slopes = laid.cells, laid.every.slopes
    outcome = cells.values[0] - np.tensordot(slopes, cells.values[1:], 1)
    begun = (np.arange(len(cells.periods)) >= cells.start[:, None]).astype(float)
    told = []
    for values in (outcome, begun):
        total = mass = 0.0
        for cohort in sorted(set(cells.start[cells.start < len(cells.periods)])):
            for period in range(cohort, len(cells.periods)):
                sides = [[], []]
                for place, unit in enumerate(order):
                    start = cells.start[place]
                    late = start > period
                    if not (start == cohort or late) or cohort == 0:
                        continue
                    base = list(range(cohort)) if before == "all" else [cohort - 1]
                    seen = np.isfinite(cells.values[0][place, [*base, period]]).all()  # of the place
                    have = np.isfinite(cells.values[0][unit, [*base, period]]).all()  # of who is put there
                    if seen and have:
                        moved = values[unit, period] - values[unit, base].mean()
                        sides[int(late)].append((moved, cells.weight[unit]))
                if all(sides):
                    means = [sum(one * w for one, w in side) / sum(w for _, w in side) for side in sides]
                    weight = sum(w for _, w in sides[0])
                    total, mass = total + weight * (means[0] - means[1]), mass + weight
        told.append(total / mass if mass else math.nan)  # gaps can leave nothing to compare
    return told


def deal(laid, draws, before):
    """All orders that are dealt, the first as it was, with outcome and treatment of each by loops."""
    rng = np.random.default_rng(permute.SEED)
    size = len(laid.cells.units)
    orders = [np.arange(size), *(rng.permutation(size) for _ in range(draws))]
    return np.array([by_loops(laid, order, before) for order in orders]).T


@pytest.mark.parametrize(
    ("told", "before"),
    [
        ({}, "last"),
        ({"gaps": [(0, 3), (2, 1), (4, 2), (5, 0)], "seed": 2}, "last"),
        ({"starts": (1, 2, 2, 3, 4, 4), "covariates": 1, "seed": 3}, "last"),
        ({"starts": (2, 2, 3, 4, 4, 4), "seed": 4}, "all"),
    ],
)
def test_p_and_interval_are_those_of_the_loops(told, before):
    laid = laid_out(**told, before=before)
    outcome, treatment = deal(laid, 199, before)
    assert outcome[0] == pytest.approx(laid.overall.estimate)
    assert treatment[0] == pytest.approx(1)
    for level in (0.8, 0.95):
        found = draw_again(laid, level, draws=199)
        expected = inverted(outcome, treatment, level)
        beaten = np.sum(abs(outcome) < abs(outcome[0]) - 1e-12)
        assert (found.p, found.draws) == (pytest.approx(1 - beaten / 200), 199)
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_batches_of_any_size_give_the_same(monkeypatch):
    laid = laid_out((1, 1, 2, 2, 4, 4, 4, 4), effect=4.0, seed=5)
    whole = draw_again(laid, draws=399)
    assert math.isfinite(whole.low) and whole.low < laid.overall.estimate < whole.high
    for size in (1, 400, 5_000):
        monkeypatch.setattr(permute, "BATCH", size)
        assert draw_again(laid, draws=399) == whole


def test_draws_are_as_many_as_asked_but_for_very_large_ones(monkeypatch):
    laid = laid_out()
    assert draw_again(laid).draws == 1_999  # as the page says
    assert draw_again(laid, draws=500).draws == 500
    assert draw_again(laid, draws=500) == draw_again(laid, 0.95, 500) != draw_again(laid, 0.9, 500)
    assert draw_again(laid, draws=5).draws == 199
    comparisons = int((laid.found.event >= 0).sum())
    monkeypatch.setattr(permute, "MOST", 300 * comparisons * 6)
    assert draw_again(laid, draws=500).draws == 300
    monkeypatch.setattr(permute, "MOST", 7)
    assert draw_again(laid, draws=500).draws == 199


def test_units_that_begin_as_one_are_not_dealt_out():
    laid = laid_out()
    assert draw_again(laid) is not None
    assert draw_again(replace(laid, cells=replace(laid.cells, cluster=np.array([0, 0, 1, 2, 3, 4])))) is None


# The interval: effects t that the first draw, taken off by t, does not stand out for


def p_of(outcome, treatment, effect):
    size = np.abs(outcome - effect * treatment)
    return np.mean(size >= size[0] - 1e-9)


def test_effects_within_the_interval_are_not_rejected_and_those_outside_are():
    rng = np.random.default_rng(4)
    for level, count in ((0.95, 60), (0.9, 200), (0.5, 21)):
        treatment = np.concatenate([[1.0], rng.uniform(-0.6, 0.6, count - 1)])
        outcome = 2 * treatment + rng.normal(size=count) * 0.3
        found = inverted(outcome, treatment, level)
        assert found.draws == count - 1
        half = inverted(outcome, treatment / 2, level)
        assert (half.low, half.high, half.p) == (pytest.approx(2 * found.low), pytest.approx(2 * found.high), found.p)
        for end, step in ((found.low, 1e-6), (found.high, -1e-6)):
            assert p_of(outcome, treatment, end + step) > 1 - level + 1e-9
            assert p_of(outcome, treatment, end - step) <= 1 - level + 1e-9
        assert found.p == p_of(outcome, treatment, 0.0)


def test_orders_that_are_as_the_real_one_or_its_mirror_reject_no_effect():
    """Of 40 draws two are the real one and its mirror: 95 % of 40 allow 2, so that nothing is rejected."""
    rng = np.random.default_rng(5)
    outcome = np.concatenate([[3.0, -3.0, 3.0], rng.normal(size=37) * 0.01])
    treatment = np.concatenate([[1.0, -1.0, 1.0], rng.uniform(-0.1, 0.1, 37)])
    found = inverted(outcome, treatment, 0.95)
    assert (found.low, found.high, found.p, found.draws) == (-math.inf, math.inf, 3 / 40, 39)
    fewer = inverted(outcome, treatment, 0.9)
    assert -math.inf < fewer.low < 3 < fewer.high < math.inf


def test_orders_without_an_answer_are_beaten_by_no_effect():
    rng = np.random.default_rng(7)
    treatment = np.concatenate([[1.0], rng.uniform(-0.5, 0.5, 99)])
    outcome = 2 * treatment + 0.1 * rng.normal(size=100)
    outcome[3:7] = treatment[3:7] = math.nan
    found = inverted(outcome, treatment, 0.9)
    assert found.p == 5 / 100  # the real one and those four
    others = inverted(np.delete(outcome, slice(3, 7)), np.delete(treatment, slice(3, 7)), 0.9)
    assert found.low < others.low < outcome[0] < others.high < found.high < math.inf
    assert inverted(outcome, treatment, 0.96).high == math.inf


def test_twenty_draws_are_the_fewest_of_which_one_in_twenty_can_be_beaten():
    rng = np.random.default_rng(6)
    treatment = np.concatenate([[1.0], rng.uniform(-0.5, 0.5, 19)])
    outcome = 2 * treatment + 0.1 * rng.normal(size=20)
    few = inverted(outcome[:19], treatment[:19], 0.95)
    assert (few.low, few.high, few.draws) == (-math.inf, math.inf, 18)
    assert inverted(outcome, treatment, 0.94).high < math.inf  # a whole rank, whatever 0.05 x 20 rounds to
