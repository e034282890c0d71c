"""Rubin's rules against fractions worked out by hand, their limits, and what is refused."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from researchkit.errors import EstimationError
from researchkit.estimators.pooled import pooled, pooled_df, pooled_test

THREE = [1.0, 2.0, 3.0], [2.0, 3.0, 4.0]  # within 3, between 1: the total is 3 + 4/3 * 1 = 13/3


def test_three_copies_by_hand():
    one = pooled(*THREE)
    assert (one.estimate, one.m, one.within, one.between) == (2, 3, 3, 1)
    assert one.se == pytest.approx(math.sqrt(13 / 3))
    assert one.riv == pytest.approx(4 / 9)
    assert one.lambda_ == pytest.approx(4 / 13)
    assert one.df == pytest.approx(2 * 169 / 16)
    assert one.fmi == pytest.approx((4 / 9 + 2 / (169 / 8 + 3)) / (13 / 9))
    assert one.monte_carlo_error == pytest.approx(math.sqrt(1 / 3))


def test_three_copies_of_an_analysis_with_ten_degrees_of_freedom_by_hand():
    one = pooled(*THREE, 10)
    seen = Fraction(11, 13) * 10 * Fraction(9, 13)
    assert one.df == pytest.approx(float(1 / (1 / Fraction(169, 8) + 1 / seen)))
    assert one.fmi == pytest.approx((4 / 9 + 2 / (one.df + 3)) / (13 / 9))
    assert (one.estimate, one.se) == pytest.approx((2, math.sqrt(13 / 3)))


@pytest.mark.parametrize("df", [None, math.inf, 8.0])
def test_copies_that_agree_leave_what_the_complete_data_had(df):
    """(8 + 1) / (8 + 3) of 8 degrees, as Barnard and Rubin count them."""
    one = pooled([2.0] * 4, [0.25] * 4, df)
    assert (one.se, one.between, one.riv, one.lambda_, one.monte_carlo_error) == (0.5, 0, 0, 0, 0)
    assert one.df == (pytest.approx(8 * 9 / 11) if df == 8 else math.inf)
    assert one.fmi == pytest.approx(2 / (one.df + 3))
    other = stats.t(one.df) if df == 8 else stats.norm()
    assert one.interval(0.9) == pytest.approx((2 - other.ppf(0.95) / 2, 2 + other.ppf(0.95) / 2, 2 * other.sf(4)))


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_the_interval_is_that_of_student(level):
    one = pooled(*THREE, 10)
    low, high = stats.t.interval(level, one.df, one.estimate, one.se)
    assert one.interval(level) == pytest.approx((low, high, 2 * stats.t.sf(one.estimate / one.se, one.df)))
    assert one.interval()[:2] == pytest.approx(stats.t.interval(0.95, one.df, 2, one.se))


def test_many_degrees_of_freedom_are_as_good_as_endless_ones():
    assert pooled(*THREE, 1e9).df == pytest.approx(pooled(*THREE).df, rel=1e-6)
    assert pooled(*THREE, math.inf) == pooled(*THREE)


def test_the_unit_of_the_estimate_moves_its_error_and_nothing_else():
    q, u = np.array([0.3, 0.5, 0.9, 0.4]), np.array([0.1, 0.2, 0.15, 0.12])
    one, other = pooled(q, u, 30), pooled(1000 * q, 1e6 * u, 30)
    assert (1000 * one.estimate, 1000 * one.se) == pytest.approx((other.estimate, other.se))
    for name in ("df", "riv", "lambda_", "fmi"):
        assert getattr(one, name) == pytest.approx(getattr(other, name))


@pytest.mark.parametrize(
    ("q", "u", "df", "words"),
    [
        ([1.0], [1.0], None, "^1 completed copies cannot be pooled; at least 2 are needed, and 20 are usual"),
        ([], [], None, "^0 completed copies"),
        ([1.0, 2.0], [1.0], None, "^There are 2 estimates and 1 variances; one of each copy is needed"),
        ([[1.0, 2.0]], [[1.0, 2.0]], None, "^There are 2 estimates and 2 variances"),
        ([1.0, math.nan], [1.0, 1.0], None, "^A completed copy gave no finite estimate"),
        ([1.0, math.inf], [1.0, 1.0], None, "^A completed copy gave no finite estimate"),
        ([1.0, 2.0], [1.0, math.inf], None, "or no standard error, so there is no pooling"),
        ([1.0, 2.0], [1.0, 0.0], None, "or no standard error, so there is no pooling"),
        ([1.0, 2.0], [1.0, -1.0], None, "or no standard error, so there is no pooling"),
        ([1.0, 2.0], [1.0, 1.0], 0, "^An analysis has at least some degrees of freedom; 0.0 were named"),
        ([1.0, 2.0], [1.0, 1.0], -2, "; -2.0 were named"),
        ([1.0, 2.0], [1.0, 1.0], math.nan, "; nan were named"),
    ],
)
def test_what_cannot_be_pooled_is_refused_by_its_count(q, u, df, words):
    with pytest.raises(EstimationError, match=words):
        pooled(q, u, df)


def test_two_copies_and_half_a_degree_of_freedom_are_enough():
    assert pooled([1.0, 2.0], [0.5, 1.5], 0.5).estimate == 1.5


@pytest.mark.parametrize(
    ("each", "mean"),
    [([4.0, 6.0, 11.0], 7.0), ([], None), ([None, None], None), ([4.0, None], None), ([None, 4.0], None)],
)
def test_degrees_of_freedom_of_the_copies_are_averaged_where_all_have_them(each, mean):
    assert pooled_df(each) == mean


# Several coefficients together


def spread(riv, m, k):
    """Coefficients (m, k) around 1, ..., k and covariances whose relative increase by the gaps is `riv`, known exactly."""
    away = np.arange(m) - (m - 1) / 2
    away *= math.sqrt((m - 1) / (away @ away))  # mean 0, variance 1
    signs = np.linalg.qr(np.vander(np.linspace(-1, 1, m), k + 1, increasing=True))[0][:, 1:] * math.sqrt(m - 1)
    columns = signs if k > 1 else away[:, None]
    within = (1 + 1 / m) / riv * np.eye(k)
    return 1 + np.arange(k) + columns, np.array([within] * m)


@pytest.mark.parametrize(
    ("m", "k", "riv", "df"),
    [(6, 1, 0.6, 4 + 1 * 2**2), (6, 1, 0.3, 4 + 1 * 3**2), (6, 2, 0.8, 4 + 6 * 2**2), (6, 2, 0.2, 4 + 6 * 5**2)],
)
def test_the_joint_test_of_li_raghunathan_and_rubin_by_hand(m, k, riv, df):
    """t = k (m - 1) is 5 or 10, and 1 - 2/t is 0.6 or 0.8, so that the degrees of freedom are whole numbers."""
    q, u = spread(riv, m, k)
    found = pooled_test(q, u)
    f = sum((1 + place) ** 2 for place in range(k)) / k / ((1 + riv) * (1 + 1 / m) / riv)
    assert (found.f, found.df1, found.df2, found.riv) == pytest.approx((f, k, df, riv))
    assert found.p == pytest.approx(stats.f.sf(f, k, df))
    assert pooled_test(q, u, math.inf) == found


def test_of_one_coefficient_the_joint_test_is_the_square_of_its_own():
    q, u = spread(0.4, 7, 1)
    one, both = pooled(q[:, 0], u[:, 0, 0]), pooled_test(q, u)
    assert (both.f, both.riv) == pytest.approx(((one.estimate / one.se) ** 2, one.riv))


def test_the_joint_test_does_not_hang_on_how_the_coefficients_are_written():
    draw = np.random.default_rng(1)
    q, turn = draw.normal(1, 0.3, (8, 3)), draw.normal(size=(3, 3))
    roots = draw.normal(size=(8, 3, 12))
    u = roots @ roots.transpose(0, 2, 1) / 40
    one, other = pooled_test(q, u, 40), pooled_test(q @ turn.T, turn @ u @ turn.T, 40)
    for name in ("f", "df1", "df2", "p", "riv"):
        assert getattr(one, name) == pytest.approx(getattr(other, name))


def reiter(t, riv, complete):
    """The second degrees of freedom, term by term as printed in Reiter (2007), in fractions."""
    seen = complete * Fraction(complete + 1, complete + 3)
    a = riv * t / Fraction(t - 2)
    two, four = seen - 2 * (1 + a), seen - 4 * (1 + a)
    inner = a**2 * two / ((1 + a) ** 2 * four)
    inner += 8 * a**2 * two / ((1 + a) * four**2)
    inner += 4 * a**2 / ((1 + a) * four)
    inner += 4 * a**2 / (four * two)
    inner += 16 * a**2 * two / four**3
    inner += 8 * a**2 / four**2
    return float(4 + 1 / (1 / four + inner / (t - 4)))


@pytest.mark.parametrize(("m", "k", "riv", "complete"), [(6, 1, "1/2", 30), (5, 3, "1/5", 17), (4, 2, "4/5", 60)])
def test_with_few_complete_degrees_of_freedom_the_joint_test_is_reiters(m, k, riv, complete):
    q, u = spread(float(Fraction(riv)), m, k)
    found, endless = pooled_test(q, u, complete), pooled_test(q, u)
    assert found.df2 == pytest.approx(reiter(k * (m - 1), Fraction(riv), complete))
    assert (found.f, found.riv) == pytest.approx((endless.f, endless.riv))
    assert found.p == pytest.approx(stats.f.sf(found.f, k, found.df2))
    assert pooled_test(q, u, 1e9).df2 == pytest.approx(endless.df2, rel=1e-6)  # that of Li, Raghunathan and Rubin


def test_without_gaps_the_joint_test_is_the_plain_one():
    q, u = np.tile([1.0, 2.0], (6, 1)), np.array([np.eye(2)] * 6)
    endless, few = pooled_test(q, u), pooled_test(q, u, 12)
    assert (endless.f, endless.riv, endless.df2) == (2.5, 0, math.inf)
    assert endless.p == pytest.approx(stats.chi2.sf(5, 2))
    assert few.df2 == pytest.approx(12 * 13 / 15)


def test_the_joint_test_needs_copies_and_degrees_of_freedom():
    def asks(m, k, df=None):
        return pooled_test(np.ones((m, k)), np.array([np.eye(k)] * m), df)

    for m, k in ((5, 1), (3, 2), (2, 4)):  # k (m - 1) is 4
        with pytest.raises(EstimationError, match=f"^{m} completed copies are too few to test {k} coefficients"):
            asks(m, k)
    for m, k in ((6, 1), (4, 2), (2, 5)):  # 5 and 6
        assert asks(m, k).df1 == k
    # (c + 1) / (c + 3) c is 4 at c = 5.27
    with pytest.raises(EstimationError, match="Too few degrees of freedom are left"):
        asks(9, 2, 5.2)
    assert asks(9, 2, 5.3).df2 > 4


def test_the_joint_test_refuses_what_is_not_finite_in_any_coefficient():
    q, u = np.ones((6, 2)), np.array([np.eye(2)] * 6)
    for bad in (math.nan, math.inf):
        worse, wider = q.copy(), u.copy()
        worse[2, 1], wider[2, 0, 1] = bad, bad
        for pair in ((worse, u), (q, wider)):
            with pytest.raises(
                EstimationError, match="Some of the coefficients that are tested together are not finite"
            ):
                pooled_test(*pair)
    with pytest.raises(EstimationError, match="1 completed copies"):
        pooled_test(q[:1], u[:1])


def test_what_came_out_cannot_be_changed():
    for found in (pooled(*THREE), pooled_test(*spread(0.4, 7, 1))):
        with pytest.raises(FrozenInstanceError):
            found.riv = 0.0
