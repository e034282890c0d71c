"""The Net Promoter Score against plain computations: shares counted one by one, likelihoods searched, tables enumerated."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from researchkit.errors import EstimationError
from researchkit.estimators import promoters
from researchkit.estimators.promoters import exact_limit, nps, score_limit, tail, tango


def group(up, down, n):
    """Answers of so many promoters and detractors among n."""
    return np.repeat([9, 6, 7], [up, down, n - up - down])


def searched(up, down, n, gap):
    """Tango's statistic with its nuisance share found by a search for the greatest likelihood, not in closed form."""
    least, most = max(0.0, -gap), (1 - gap) / 2

    def against(share):
        cells = np.array([share + gap, share, 1 - 2 * share - gap])
        seen = np.array([up, down, n - up - down])
        return -float(seen[seen > 0] @ np.log(np.maximum(cells[seen > 0], 1e-300)))

    found = optimize.minimize_scalar(against, bounds=(least, most), method="bounded", options={"xatol": 1e-13})
    share = min((least, most, found.x), key=against)
    return (up - down - n * gap) / np.sqrt(n * (2 * share + gap * (1 - gap)))


def enumerated(up, down, n, gap, shares):
    """The chance of each table with a statistic as great, summed table by table, for each share of detractors."""
    tables = [(a, b) for a in range(n + 1) for b in range(n + 1 - a)]
    observed = float(tango(up, down, n, gap))
    extreme = [(a, b, n - a - b) for a, b in tables if float(tango(a, b, n, gap)) >= observed - 1e-9]
    cells = np.clip(np.column_stack([shares + gap, shares, 1 - 2 * shares - gap]), 0, 1)  # -1e-17 at an end
    return sum(stats.multinomial.pmf(table, n, cells) for table in extreme)


# The score, its error and what is refused


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_the_score_and_its_error_are_the_mean_and_the_error_of_plus_and_minus_one(level):
    answers = np.repeat(np.arange(11), [9, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89])
    counted = np.repeat([-100.0, 0.0, 100.0], [9 + 1 + 2 + 3 + 5 + 8 + 13, 21 + 34, 55 + 89])
    score, se, low, high = nps(answers, level, "wald")
    assert (score, se) == pytest.approx((counted.mean(), counted.std() / np.sqrt(len(counted))))
    assert (low, high) == pytest.approx(stats.norm.interval(level, score, se))


def test_answers_without_a_place_are_counted():
    with pytest.raises(EstimationError, match=r"^4 answers are not whole numbers from 0 to 10, so they have no place"):
        nps(np.array([0, 5, 10, -1, 11, 9.5, np.nan]))
    assert nps(np.array([0.0, 10.0]))[0] == 0
    with pytest.raises(EstimationError, match="There is no answer to take an NPS of"):
        nps(np.array([]))


def test_answers_of_one_kind_have_no_error_to_give_an_interval_by():
    for up, down in ((30, 0), (0, 30), (0, 0)):
        assert nps(group(up, down, 30))[1] == 0
        with pytest.raises(EstimationError, match="All 30 answers are of one kind"):
            nps(group(up, down, 30), method="wald")
    assert nps(group(1, 0, 30), method="wald")[1] > 0


def test_a_level_of_one_or_none_is_refused():
    for level in (0.0, 1.0):
        with pytest.raises(EstimationError, match="lies between 0 and 1"):
            nps(group(3, 2, 10), level)


@pytest.mark.parametrize(
    ("counts", "method"),
    [
        ((60, 50, 200), "exact"),  # up to 200 answers
        ((60, 50, 201), "wald"),
        ((181, 10, 201), "wald"),  # 20 outside of the most frequent kind
        ((182, 9, 201), "score"),  # 19
        ((10, 181, 201), "wald"),
        ((9, 182, 201), "score"),
        ((10, 10, 201), "wald"),
        ((10, 9, 201), "score"),
    ],
)
def test_the_default_interval_hangs_on_how_many_answers_and_how_many_others(counts, method, monkeypatch):
    monkeypatch.setattr(promoters, "exact_limit", lambda *_: 0.125)  # a search that takes a second
    found = nps(group(*counts))
    assert found == nps(group(*counts), method=method)
    assert (found[2] == 12.5) == (method == "exact")


# Tango's statistic and the interval from it


@pytest.mark.parametrize("gap", [-0.9, -0.4, -0.05, 0.0, 0.1, 0.5, 0.8])
def test_tangos_nuisance_share_is_the_most_likely_one(gap):
    for up, down, n in ((5, 3, 12), (30, 20, 100), (0, 4, 9), (4, 0, 9), (0, 0, 5), (9, 0, 9), (0, 9, 9), (2, 7, 9)):
        if up - down == n * gap:
            continue
        assert float(tango(up, down, n, gap)) == pytest.approx(searched(up, down, n, gap), rel=1e-6), (up, down)


def test_tango_is_nothing_at_the_estimate_itself_and_without_end_where_the_truth_leaves_no_chance():
    assert float(tango(10, 0, 10, 1.0)) == 0
    assert float(tango(0, 10, 10, -1.0)) == 0
    assert float(tango(7, 4, 10, 0.3)) == 0  # 10 x 0.3 is not quite 3
    assert float(tango(9, 0, 10, -1.0)) == np.inf
    assert float(tango(9, 0, 10, 1.0)) == -np.inf


@pytest.mark.parametrize("counts", [(5, 3, 12), (30, 20, 100), (0, 4, 9), (9, 0, 9), (0, 0, 6), (6, 3, 9)])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_at_the_limit_the_statistic_is_the_normal_quantile(counts, level):
    up, down, n = counts
    limit = score_limit(up, down, n, level)
    assert -1 < limit < (up - down) / n
    assert searched(up, down, n, limit) == pytest.approx(stats.norm.ppf((1 + level) / 2), rel=1e-5)


@pytest.mark.parametrize("method", ["score", "exact"])
def test_the_upper_limit_is_the_lower_one_of_the_mirror_image(method):
    limit = {"score": score_limit, "exact": exact_limit}[method]
    _, _, low, high = nps(group(6, 1, 9), 0.9, method)
    assert (low, high) == pytest.approx((100 * limit(6, 1, 9, 0.9), -100 * limit(1, 6, 9, 0.9)), abs=1e-9)
    assert low < 100 * 5 / 9 < high


def test_nobody_can_be_below_the_lowest_score():
    assert score_limit(0, 7, 7, 0.95) == exact_limit(0, 7, 7, 0.95) == -1
    assert -1 < exact_limit(0, 6, 7, 0.95) < -6 / 7


# The exact test


@pytest.mark.parametrize("gap", [-0.95, -0.5, -0.1, 0.0, 0.05, 0.3, 0.7])
@pytest.mark.parametrize("counts", [(4, 2, 9), (1, 5, 8), (0, 0, 6), (7, 0, 7), (0, 7, 7)])
def test_the_chance_of_the_tail_is_that_of_its_tables_one_by_one(counts, gap):
    shares = np.linspace(max(0.0, -gap), (1 - gap) / 2, 9)
    n = counts[2]
    found = promoters._chances(promoters._least(*counts, gap), n, gap, shares)
    assert found == pytest.approx(enumerated(*counts, gap, shares), abs=1e-12)


@pytest.mark.parametrize(
    ("counts", "gap"), [((4, 2, 9), -0.2), ((6, 1, 9), 0.1), ((2, 1, 12), -0.3), ((9, 1, 12), 0.2)]
)
def test_the_p_value_is_the_greatest_over_all_shares_of_detractors(counts, gap):
    least, most = max(0.0, -gap), (1 - gap) / 2
    grid = np.linspace(least, most, 401)
    chances = enumerated(*counts, gap, grid)
    top = int(np.argmax(chances))
    near = grid[max(top - 1, 0)], grid[min(top + 1, 400)]
    best = optimize.minimize_scalar(
        lambda share: -float(enumerated(*counts, gap, np.array([share]))[0]), bounds=near, options={"xatol": 1e-9}
    )
    assert tail(*counts, gap) == pytest.approx(max(-best.fun, chances[top]), rel=2e-7)


def test_the_least_number_of_promoters_is_the_first_that_reaches_the_statistic():
    for up, down, n, gap in ((4, 2, 9, -0.2), (0, 5, 7, -0.9), (7, 0, 7, 0.9), (1, 1, 6, 0.0)):
        observed = float(tango(up, down, n, gap))
        for others, least in enumerate(promoters._least(up, down, n, gap)):
            reached = [a for a in range(n - others + 1) if float(tango(a, others, n, gap)) >= observed - 1e-9]
            assert max(least, 0) == (reached[0] if reached else n - others + 1)


@pytest.mark.parametrize(
    ("counts", "level"), [((3, 1, 6), 0.95), ((12, 3, 35), 0.8), ((2, 4, 7), 0.9), ((5, 0, 5), 0.95)]
)
def test_the_exact_limit_is_the_least_difference_left_standing(counts, level):
    limit, error = exact_limit(*counts, level), (1 - level) / 2
    assert tail(*counts, limit + 2e-7) > error
    below = np.append(np.arange(limit - 4 / counts[2], limit, 1 / (25 * counts[2])), limit - 2e-7)
    assert all(tail(*counts, gap) <= error for gap in below if gap > -1)


def test_the_exact_limit_of_promoters_alone_is_that_of_their_share():
    """The worst truth beside n promoters of n leaves nobody between: (1 + gap) / 2 to the power of n is the error."""
    for n in (3, 8):
        for level in (0.95, 0.8):
            assert exact_limit(n, 0, n, level) == pytest.approx(2 * ((1 - level) / 2) ** (1 / n) - 1, abs=2e-7)


@pytest.mark.parametrize(("down", "n", "gap"), [(0, 6, -0.5), (1, 6, -0.8), (2, 9, -0.5), (5, 9, -0.8)])
def test_where_nobody_promotes_the_worst_truth_has_no_promoters_either(down, n, gap):
    """So few detractors or fewer, where their share is as small as the gap allows: one binomial tail."""
    assert tail(0, down, n, gap) == pytest.approx(stats.binom.cdf(down, n, -gap), rel=1e-9)


def test_the_exact_limit_of_answers_between_is_that_of_no_detractor():
    """(1 + gap) to the power of n is the error: no detractor among n where there could have been -gap of them."""
    for n in (3, 8):
        for level in (0.95, 0.8):
            assert exact_limit(0, 0, n, level) == pytest.approx(((1 - level) / 2) ** (1 / n) - 1, abs=2e-7)
