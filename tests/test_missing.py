"""Missing data: Rubin's rules against R, filling against R's mice and against known truths, bounds, and what is told."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.stats import binom
from scipy.stats import t as student

from researchkit.answer import finite, settled
from researchkit.dataset import load_dataset
from researchkit.errors import EstimationError
from researchkit.estimators import estimate_sample
from researchkit.estimators.linear import cr2, hc3, least_squares
from researchkit.estimators.pooled import pooled, pooled_df, pooled_test
from researchkit.robustness import imputed as filling
from researchkit.robustness.absent import differences
from researchkit.robustness.bounds import ends_of_outcome, open_rows, range_of, tipping, worst_case
from researchkit.robustness.gaps import gaps, only
from researchkit.robustness.impute import SHARES, Block, Chain, Sums, completed, nearest, posterior, shrunk
from researchkit.robustness.imputed import copies, hazard
from researchkit.robustness.missing import missing_data
from researchkit.study import load_study

FAR = 4  # standard errors of simulation: further apart by chance about once in 16,000 comparisons


# ---- Rubin's rules


def lines(frame, outcome, columns, by):
    """Coefficients (m, k) and covariances (m, k, k) of one line a group, with classical errors."""
    found = []
    for _, rows in frame.groupby(by):
        matrix = np.column_stack([np.ones(len(rows)), rows[columns].to_numpy(float)])
        line = least_squares(matrix, rows[outcome].to_numpy(float))
        variance = line.residuals @ line.residuals / (len(rows) - matrix.shape[1])
        found.append((line.coefficients, variance * line.root @ line.root.T))
    return (np.array(part) for part in zip(*found, strict=True))


def test_rules_agree_with_r_on_published_data(reference):
    frame = reference.frame("nhanes_mi20")
    q, u = lines(frame, "chl", ["age", "bmi"], "imp")
    told = {}
    for place, name in enumerate(("Intercept", "age", "bmi")):
        one = pooled(q[:, place], u[:, place, place], 22)
        low, high, p = one.interval()
        found = {"est": one.estimate, "se": one.se, "within": one.within, "between": one.between, "riv": one.riv}
        found |= {"total_var": one.se**2, "df_barnard_rubin": one.df, "lambda": one.lambda_, "fmi": one.fmi}
        found |= {"p": p, "ci95lo": low, "ci95hi": high, "df_rubin1987": pooled(q[:, place], u[:, place, place]).df}
        told |= {f"{quantity}_{name}": value for quantity, value in found.items()}
    q, u = lines(frame, "chl", ["age", "bmi", "hyp"], "imp")
    both = pooled_test(q[:, 2:], u[:, 2:, 2:], 21)
    told |= {"D1_F_bmi_hyp": both.f, "D1_df1": both.df1, "D1_df2": both.df2, "D1_p": both.p}
    assert told.keys() == reference["mi_rubin_nhanes"]["quantities"].keys()
    for quantity, value in told.items():
        assert value == reference.value("mi_rubin_nhanes", quantity), quantity


def test_rules_agree_with_r_on_simulated_data(held):
    stays = held.frames["stays"]
    left = np.arange(1, len(stays) + 1) % 20
    whole = pd.concat([stays[left != out].assign(out=out) for out in range(20)])
    q, u = lines(whole, "length_of_stay", ["compassion", "severity", "age"], "out")
    one = pooled(q[:, 1], u[:, 1, 1], 36)
    for quantity in ("estimate", "se", "df", "riv", "fmi", "within", "between"):
        assert getattr(one, quantity) == held("rubin", quantity), quantity
    assert pooled(q[:, 1], u[:, 1, 1]).df == held("rubin", "df_normal")
    both = pooled_test(q[:, 2:], u[:, 2:, 2:], 36)
    assert (both.f, both.df2) == (held("rubin_together", "f"), held("rubin_together", "df2"))
    assert both.p == held("rubin_together", "p", 1e-6)


def test_copies_that_agree_leave_the_interval_of_the_complete_data():
    one = pooled([2.0] * 5, [0.25] * 5)
    assert one.interval() == pytest.approx((2 - 1.959964 * 0.5, 2 + 1.959964 * 0.5, 6.33e-5), rel=1e-3)
    assert (one.df, one.fmi, one.monte_carlo_error) == (np.inf, 0, 0)
    few = pooled([2.0] * 5, [0.25] * 5, 8)
    assert few.df == pytest.approx(9 / 11 * 8)  # Barnard and Rubin: what 8 are worth when some data could be missing
    assert few.interval()[0] == pytest.approx(2 - student.ppf(0.975, few.df) * 0.5)


def test_the_error_of_simulation_is_what_other_copies_move():
    draw = np.random.default_rng(3)
    sets = [pooled(draw.normal(1, 0.3, 40), np.full(40, 0.01)) for _ in range(2000)]
    scatter = np.std([one.estimate for one in sets])
    assert np.sqrt(np.mean([one.monte_carlo_error**2 for one in sets])) == pytest.approx(scatter, rel=0.06)


@pytest.mark.parametrize(
    ("q", "u", "df", "words"),
    [
        ([1.0], [1.0], None, "1 completed copies cannot be pooled"),
        ([1.0, np.nan], [1.0, 1.0], None, "no finite estimate"),
        ([1.0, 2.0], [1.0, 0.0], None, "no standard error"),
        ([1.0, 2.0], [1.0], None, "2 estimates and 1 variances"),
        ([1.0, 2.0], [1.0, 1.0], 0.0, "degrees of freedom"),
    ],
)
def test_what_cannot_be_pooled_is_refused(q, u, df, words):
    with pytest.raises(EstimationError, match=words):
        pooled(q, u, df)


def test_several_coefficients_need_copies_and_degrees_of_freedom():
    draw = np.random.default_rng(1)
    with pytest.raises(EstimationError, match="too few to test 2"):
        pooled_test(draw.normal(size=(3, 2)), np.array([np.eye(2)] * 3))
    with pytest.raises(EstimationError, match="Too few degrees"):
        pooled_test(draw.normal(size=(9, 2)), np.array([np.eye(2)] * 9), 3)
    same = pooled_test(np.ones((9, 2)), np.array([np.eye(2)] * 9))
    assert (same.f, same.df2, same.p) == (1, np.inf, pytest.approx(np.exp(-1)))  # chi-square of 2, halved


@pytest.mark.parametrize(("each", "df"), [([None, None], None), ([4.0, 6.0], 5.0), ([4.0, None], None), ([], None)])
def test_degrees_of_freedom_of_copies_are_averaged(each, df):
    assert pooled_df(each) == df


# ---- filling


def test_a_draw_has_the_spread_of_its_posterior():
    draw = np.random.default_rng(8)
    x = draw.normal(size=(60, 2)) @ [[1, 1], [0, 1]]
    y = x @ [1.0, -2.0] + draw.normal(size=60)
    basis = np.linalg.inv(np.linalg.cholesky(x.T @ x)).T
    columns = np.column_stack([x @ basis, y])
    sums = Sums(columns.T @ columns, np.zeros((0, 3)), np.zeros(0))
    found = [posterior(sums, 1, 60, draw) for _ in range(4000)]
    at = np.linalg.lstsq(x, y, rcond=None)[0]
    assert basis @ found[0].estimate[:, 0] == pytest.approx(at)
    drawn = np.array([basis @ one.draw[:, 0] for one in found])
    covariance = np.sum((y - x @ at) ** 2) / 56 * np.linalg.inv(x.T @ x)  # 58 residual degrees of freedom, less 2
    assert np.cov(drawn.T) == pytest.approx(covariance, rel=0.1)
    assert drawn.mean(axis=0) == pytest.approx(at, abs=FAR * np.sqrt(covariance.max() / 4000))


def test_lines_through_the_same_rows_are_drawn_each_by_itself():
    draw = np.random.default_rng(8)
    ward = np.repeat(np.arange(12), 10)
    x = draw.normal(size=(120, 2))
    y = np.column_stack([x @ [1.0, -2.0] + draw.normal(size=12)[ward], 5 * draw.normal(size=120)])
    basis = np.linalg.inv(np.linalg.cholesky(x.T @ x)).T
    columns = np.column_stack([x @ basis, y])
    totals = np.array([columns[ward == code].sum(axis=0) for code in range(12)])
    two = [posterior(Sums(columns.T @ columns, totals, np.full(12, 10.0)), 2, 120, draw) for _ in range(600)]
    for line in (0, 1):
        one = columns[:, [0, 1, 2 + line]]
        sums = Sums(one.T @ one, totals[:, [0, 1, 2 + line]], np.full(12, 10.0))
        alone = [posterior(sums, 1, 120, draw) for _ in range(600)]
        for part in ("estimate", "draw", "intercepts", "drawn_intercepts"):
            together = np.array([getattr(found, part)[:, line] for found in two])
            apart = np.array([getattr(found, part)[:, 0] for found in alone])
            error = np.sqrt((together.var(axis=0) + apart.var(axis=0)) / 600)
            assert np.all(np.abs(together.mean(axis=0) - apart.mean(axis=0)) < FAR * error + 1e-12), part
            assert together.std(axis=0) == pytest.approx(apart.std(axis=0), rel=0.25, abs=1e-9), part


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_what_clusters_share_is_found(share):
    draw = np.random.default_rng(5)
    cluster = np.repeat(np.arange(400), draw.integers(2, 12, 400))
    effects = np.sqrt(share) * draw.normal(size=400)
    y = effects[cluster] + np.sqrt(1 - share) * draw.normal(size=len(cluster))
    columns = np.column_stack([np.ones(len(y)) / np.sqrt(len(y)), y])
    counts = np.bincount(cluster).astype(float)
    totals = np.column_stack([np.bincount(cluster, weights=column) for column in columns.T])
    sums = Sums(columns.T @ columns, totals, counts)
    found = [posterior(sums, 1, len(y), draw) for _ in range(300)]
    # The ratio of variances that the estimates were pulled by, read back from one cluster.
    rest = totals[:, -1:] - totals[:, :1] * np.array([[one.estimate[0, 0] for one in found]])
    pull = np.array([one.intercepts[:, 0] for one in found]).T[0] / rest[0]
    ratio = pull / (1 - counts[0] * pull)
    assert np.mean(ratio / (1 + ratio)) == pytest.approx(share, abs=0.05)
    drawn = np.array([one.drawn_intercepts[:, 0] for one in found])
    assert np.corrcoef(drawn.mean(axis=0), effects)[0, 1] > (0.4 if share < 0.1 else 0.9)
    inside = np.abs(drawn.mean(axis=0) - effects) < 1.96 * drawn.std(axis=0)
    assert binom.cdf(inside.sum(), 400, 0.95) > 1e-3


def test_the_share_of_clusters_is_drawn_from_its_restricted_likelihood():
    """Few wards and columns of wards: each ratio as often as dense matrices say it is likely, the share flat before."""
    draw = np.random.default_rng(6)
    ward = np.repeat(np.arange(7), [3, 5, 4, 6, 3, 4, 5])
    x = np.column_stack([np.ones(30), draw.normal(size=(7, 2))[ward], draw.normal(size=30)])
    y = x @ [1, 2, 0, 1] + draw.normal(size=7)[ward] + draw.normal(size=30)
    ratios, likely = SHARES / (1 - SHARES), []
    member = (ward[:, None] == np.arange(7)).astype(float)
    for ratio in ratios:
        inverse = np.linalg.inv(np.eye(30) + ratio * member @ member.T)
        inner = x.T @ inverse @ x
        rest = y @ inverse @ (y - x @ np.linalg.solve(inner, x.T @ inverse @ y))
        signs = np.linalg.slogdet(inverse)[1] - np.linalg.slogdet(inner)[1]
        likely.append((signs - 26 * np.log(rest)) / 2)
    chance = np.exp(np.array(likely) - max(likely)) * np.gradient(SHARES)
    basis = np.linalg.inv(np.linalg.cholesky(x.T @ x)).T
    columns = np.column_stack([x @ basis, y])
    sums = Sums(
        columns.T @ columns, np.array([columns[ward == code].sum(axis=0) for code in range(7)]), np.bincount(ward) * 1.0
    )
    found = [posterior(sums, 1, 30, draw) for _ in range(4000)]
    pull = np.array(
        [one.intercepts[0, 0] / (sums.totals[0, -1] - sums.totals[0, :-1] @ one.estimate[:, 0]) for one in found]
    )
    ratio = pull / (1 - 3 * pull)
    drawn = np.bincount(np.argmin(np.abs(ratio[:, None] - ratios), axis=1), minlength=len(ratios)) / 4000
    assert drawn == pytest.approx(chance / chance.sum(), abs=FAR * 0.5 / np.sqrt(4000))


def test_what_is_filled_in_is_what_the_next_column_sees():
    columns, blocks = holes(np.random.default_rng(6))
    chain, draw = Chain(columns, blocks, None), np.random.default_rng(1)
    state, result = chain.scaled.copy(), columns.copy()
    for step in chain.steps:
        step.take(state, result, step.there[: len(step.gap)])
    for step in chain.steps:
        step.fill(state, result, draw)
        assert state[:, :-1] == pytest.approx((result - chain.centre) / chain.scale)


@pytest.mark.parametrize("measured", [True, False])
def test_gaps_of_one_ward_are_filled_alike(measured):
    """Ward effects of 2, residuals of 1: filled rows follow their ward, a ward without any is as open as wards are."""
    draw = np.random.default_rng(9)
    ward = np.repeat(np.arange(40), 10)
    effects = 2 * draw.normal(size=40)
    y = effects[ward] + draw.normal(size=400)
    lone, gone = ward == 7, np.arange(400) % 10 < 4
    y[lone | gone] = np.nan
    columns = np.column_stack([draw.normal(size=400), y])
    blocks = [Block((0,)), Block((1,), measured)]
    copies = np.array([c[:, 1] for c in completed(columns, blocks, draw, copies=150, rounds=1, cluster=ward)])
    apart = np.delete(np.arange(40), 7)
    means = np.array([np.nanmean(y[ward == code]) for code in apart])
    filled = np.array([copies[:, (ward == code) & gone].mean() for code in apart])
    assert filled == pytest.approx(means, abs=1)
    assert np.corrcoef(filled, means)[0, 1] > 0.98
    assert copies[:, lone].mean(axis=1).std() == pytest.approx(2.1, abs=0.5)
    for rows in (lone, (ward == 3) & gone):
        assert np.sqrt(copies[:, rows].var(axis=1, ddof=1).mean()) == pytest.approx(1, abs=0.25)


def test_cross_products_by_size_are_those_of_the_dense_matrices():
    draw = np.random.default_rng(2)
    cluster = np.array([0, 0, 0, 1, 2, 2, 3, 3, 3, 4])
    x = draw.normal(size=(10, 3))
    counts = np.append(np.bincount(cluster).astype(float), 0)  # and a cluster without a row
    totals = np.vstack([[x[cluster == g].sum(axis=0) for g in range(5)], np.zeros(3)])
    ratios = np.array([0.0, 0.3, 7.0])
    member = (cluster[:, None] == np.arange(5)).astype(float)
    dense = [x.T @ np.linalg.inv(np.eye(10) + ratio * member @ member.T) @ x for ratio in ratios]
    assert x.T @ x - shrunk(Sums(x.T @ x, totals, counts), ratios) == pytest.approx(np.array(dense))


def test_a_donor_is_one_of_the_five_nearest_or_as_near():
    draw = np.random.default_rng(4)
    seen = draw.permutation(np.arange(100.0))[:, None]
    found = np.array([seen[nearest(seen, np.array([[40.2]]), 5, draw)[0], 0] for _ in range(500)])
    assert set(found) == {38, 39, 40, 41, 42}
    tied = np.repeat([[0.0], [1.0]], [60, 40], axis=0)
    used = nearest(tied, np.full((4000, 1), 0.9), 5, draw)
    assert set(used) == set(range(60, 100))  # all forty, not the first five of them
    assert np.bincount(used)[60:].max() < 160
    assert set(nearest(np.array([[3.0], [5.0]]), np.full((50, 1), 4.0), 5, draw)) == {0, 1}


@pytest.mark.parametrize(("rows", "donors"), [(20, 1), (90, 2), (200, 5), (5000, 5)])
def test_of_few_rows_fewer_may_give(rows, donors):
    columns = np.column_stack([np.arange(rows + 10.0), np.append(np.arange(float(rows)), [np.nan] * 10)])
    (step,) = Chain(columns, [Block((0,)), Block((1,))], None).steps
    assert step.number == donors
    (step,) = Chain(columns, [Block((0,)), Block((1,), True)], None).steps
    assert step.number == 5  # distances from a prediction, which are much the same anywhere


def test_levels_are_matched_in_all_their_probabilities():
    """With the reference left out, a row sure of level 1 would be as near to the reference as to level 2."""
    draw = np.random.default_rng(4)
    seen = np.repeat([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], 20, axis=0)
    assert set(nearest(seen, np.array([[0.45, 0.3]] * 40), 5, draw)) <= set(range(20, 40))


def holes(draw, n=300):
    """A number with many values, a category in two indicators, a code, an outcome; a fifth of each missing."""
    z = draw.normal(size=n)
    level = np.digitize(z + draw.normal(size=n), [-0.5, 0.7])
    code = np.digitize(z + draw.normal(size=n), [-1, 0, 1]).astype(float)
    y = z + (level == 1) + 2.0 * (level == 2) + draw.normal(size=n)
    columns = np.column_stack([z, level == 1, level == 2, code, y]).astype(float)
    for places in ([0], [1, 2], [3], [4]):
        columns[np.ix_(draw.random(n) < 0.2, places)] = np.nan
    return columns, [Block((0,), True, (-2.0, 2.0)), Block((1, 2)), Block((3,)), Block((4,))]


def test_only_what_can_be_is_filled_in():
    columns, blocks = holes(np.random.default_rng(6))
    columns[:, 0] = np.clip(columns[:, 0], -2, 2)
    for filled in completed(columns, blocks, np.random.default_rng(1), copies=5, rounds=3):
        known = np.isfinite(columns)
        assert np.array_equal(filled[known], columns[known])
        assert np.isfinite(filled).all()
        assert set(map(tuple, filled[:, 1:3])) == {(0, 0), (1, 0), (0, 1)}  # one level, never two
        assert set(filled[:, 3]) == {0, 1, 2, 3}
        assert set(filled[:, 4]) <= set(columns[:, 4])
        assert filled[:, 0].min() >= -2 and filled[:, 0].max() <= 2
        assert not set(filled[:, 0]) <= set(columns[:, 0])


def test_the_seed_decides_and_nothing_else():
    columns, blocks = holes(np.random.default_rng(6))
    cluster = np.arange(len(columns)) % 12

    def first(seed):
        return next(completed(columns, blocks, np.random.default_rng(seed), copies=1, rounds=2, cluster=cluster))

    np.random.seed(1)
    once = first(9)
    np.random.seed(2)
    assert np.array_equal(once, first(9))
    assert not np.array_equal(once, first(10))


@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_units_and_the_order_of_columns_change_nothing_of_note(unit):
    columns, blocks = holes(np.random.default_rng(6))
    scaled = columns.copy()
    scaled[:, 0] = scaled[:, 0] * unit + 5 * unit
    blocks[0] = Block((0,), True)

    def slope(data):
        return np.mean(
            [
                np.polyfit(f[:, 0], f[:, 4], 1)[0]
                for f in completed(data, blocks, np.random.default_rng(1), copies=5, rounds=3)
            ]
        )

    assert slope(scaled) * unit == pytest.approx(slope(columns), rel=1e-6)


@pytest.mark.parametrize("clustered", [False, True])
def test_what_the_rows_do_not_tell_is_left_at_nothing(clustered):
    """A constant, a column twice, a level that only rows with gaps have, five complete rows: filled, with what there is."""
    draw = np.random.default_rng(3)
    n = 40
    x = draw.normal(size=n)
    y = x + 0.1 * draw.normal(size=n)
    y[:12] = np.nan
    odd = (np.arange(n) < 4).astype(float)  # all of them lack y
    columns = np.column_stack([x, x, np.full(n, 7.0), odd, y])
    columns[12:35, 3] = np.nan
    cluster = np.arange(n) % 5 if clustered else None
    filled = list(
        completed(columns, [Block((place,)) for place in range(5)], draw, copies=10, rounds=3, cluster=cluster)
    )
    gap = np.mean([copy[:12, 4] for copy in filled], axis=0)
    assert np.corrcoef(gap[4:], x[4:12])[0, 1] > 0.9
    assert set(np.unique([copy[:, 2] for copy in filled])) == {7}


def test_few_donors_and_no_complete_row_are_enough_to_fill():
    draw = np.random.default_rng(3)
    columns = np.array([[1.0, np.nan, 3.0], [2.0, 5.0, np.nan], [np.nan, 6.0, 4.0]])
    filled = next(completed(columns, [Block((0,)), Block((1,)), Block((2,))], draw, copies=1, rounds=4))
    assert filled[0, 1] in (5, 6) and filled[1, 2] in (3, 4) and filled[2, 0] in (1, 2)


def test_rows_that_lack_something_else_tell_what_they_have():
    """Nobody has both y and w: each is told by x alone, from rows that are not complete."""
    draw = np.random.default_rng(3)
    x = draw.normal(size=60)
    half = np.arange(60) < 30
    columns = np.column_stack([x, np.where(half, 3 * x, np.nan), np.where(half, np.nan, draw.normal(size=60))])
    filled = next(completed(columns, [Block((1,), True), Block((2,), True)], draw, copies=1, rounds=3))
    assert np.corrcoef(filled[~half, 1], x[~half])[0, 1] > 0.99


@pytest.mark.parametrize(
    ("column", "words"), [([np.nan] * 4, "missing in every row"), ([1, np.inf, -np.inf, 2], "2 values are infinite")]
)
def test_what_cannot_be_filled_is_refused(column, words):
    columns = np.column_stack([np.arange(4.0), column])
    with pytest.raises(EstimationError, match=words):
        next(completed(columns, [Block((0,)), Block((1,))], np.random.default_rng(1), copies=1, rounds=1))


def test_complete_data_come_back_as_they_are():
    columns = np.arange(12.0).reshape(6, 2)
    filled = completed(columns, [Block((0,)), Block((1,))], np.random.default_rng(1), copies=2, rounds=5)
    assert all(np.array_equal(copy, columns) for copy in filled)


# ---- R's mice, within the error of both simulations: the bound is FAR times the root of B / m of ours plus that of theirs


def answers(columns, blocks, outcome, seed, *, rounds=1, cluster=None, by=None):
    """One hundred copies; slope of the first column, classical errors or CR2."""
    found = []
    for filled in completed(columns, blocks, np.random.default_rng(seed), copies=100, rounds=rounds, cluster=cluster):
        matrix = np.column_stack([np.delete(filled, outcome, 1), np.ones(len(filled))])
        line = least_squares(matrix, filled[:, outcome])
        if by is None:
            variance = line.residuals @ line.residuals / (len(matrix) - matrix.shape[1]) * line.root[0] @ line.root[0]
        else:
            variance = cr2(line, by).covariance[0, 0]
        found.append((line.coefficients[0], variance))
    return pooled(*zip(*found, strict=True))


def agrees(ours, held, entry):
    error = np.hypot(ours.monte_carlo_error, held.values[entry]["error"])
    assert abs(ours.estimate - held.values[entry]["estimate"]) < FAR * error
    # B of 100 copies scatters by 14 %; ours is drawn with a bootstrap of donors, which mice leaves out.
    assert ours.within == held(entry, "within", 0.1)
    assert ours.se**2 == held(entry, "variance", 0.25)


@pytest.mark.parametrize("measured", [True, False])
def test_an_outcome_with_gaps_as_in_mice(held, measured):
    stays = held.frames["stays"]
    columns = stays[["compassion", "severity", "anxiety_before", "anxiety_after"]].to_numpy(float, na_value=np.nan)
    agrees(answers(columns, [Block((3,), measured)], 3, seed=1), held, "mice_anxiety")


def test_outcome_exposure_and_a_category_with_gaps_as_in_mice(held):
    contacts = held.frames["contacts"]
    channel = np.column_stack([contacts["channel"].astype(str) == level for level in ("email", "phone")]).astype(float)
    channel[np.arange(1, len(contacts) + 1) % 7 == 0] = np.nan
    numbers = contacts[["compassion", "severity", "tenure", "csat"]].to_numpy(float, na_value=np.nan)
    columns = np.column_stack([numbers[:, :3], channel, numbers[:, 3]])
    agrees(answers(columns, [Block((0,)), Block((3, 4)), Block((5,))], 5, seed=1, rounds=5), held, "mice_csat")


def test_clusters_with_gaps_as_in_mice(held):
    stays = held.frames["stays"]
    columns = stays[["compassion", "severity", "anxiety_before", "anxiety_after"]].to_numpy(float, na_value=np.nan)
    nurse = np.unique(stays["nurse_id"].astype(str), return_inverse=True)[1]
    columns[((nurse + 1) % 8 == 0) | (np.arange(1, len(columns) + 1) % 4 == 0), 3] = np.nan
    agrees(answers(columns, [Block((3,), True)], 3, seed=1, cluster=nurse, by=nurse), held, "mice_nurses")


# ---- known truths: the pooled interval holds them as often as it says


def pooled_slope(columns, blocks, outcome, draw, cluster=None, m=10):
    """The slope of the first column with its pooled interval; HC3, or CR2 with clusters."""
    found = []
    for filled in completed(columns, blocks, draw, copies=m, rounds=3, cluster=cluster):
        matrix = np.column_stack([np.delete(filled, outcome, 1), np.ones(len(filled))])
        line = least_squares(matrix, filled[:, outcome])
        errors = hc3(line) if cluster is None else cr2(line, cluster)
        found.append((line.coefficients[0], errors.covariance[0, 0], errors.df[0]))
    q, u, df = zip(*found, strict=True)
    one = pooled(q, u, pooled_df(df))
    return one.estimate, *one.interval()[:2]


def lost(draw, chance):
    return draw.random(len(chance)) < 1 / (1 + np.exp(-chance))


def world(case, draw, n=120):
    """Columns with gaps whose slope of y on x is 0.5, the place of y, the clusters."""
    z = draw.normal(size=n)
    x = 0.5 * z + draw.normal(size=n)
    y = 0.5 * x + 0.7 * z + draw.normal(size=n)
    level = np.digitize(z, [-0.3, 0.6])
    if case == "category":
        y = 0.5 * x + 0.9 * (level == 1) + 1.5 * (level == 2) + draw.normal(size=n)
        columns = np.column_stack([x, level == 1, level == 2, y]).astype(float)
        columns[lost(draw, y - 1), 1:3] = np.nan
        return columns, [Block((1, 2))], 3
    columns = np.column_stack([x, z, y])
    if case == "at random, from nothing":
        columns[draw.random(n) < 0.3, 2] = np.nan
    elif case == "outcome, from what is seen":
        columns[lost(draw, z + x - 1), 2] = np.nan
    else:  # a confounder, from the outcome: complete rows are biased
        columns[lost(draw, 1.2 * y - 0.8), 1] = np.nan
        columns[draw.random(n) < 0.1, 0] = np.nan
    return columns, [Block((place,), True) for place in range(3)], 2


def coverage(case, seed, runs, n=120):
    """How many of the intervals hold 0.5, pooled and of the complete rows alone, and the mean estimates."""
    held_by, estimates = np.zeros(2), np.zeros(2)
    for run in range(runs):
        draw = np.random.default_rng([seed, run])
        columns, blocks, outcome = world(case, draw, n)
        whole = columns[np.isfinite(columns).all(axis=1)]
        line = least_squares(np.column_stack([np.delete(whole, outcome, 1), np.ones(len(whole))]), whole[:, outcome])
        spread = hc3(line)
        half = student.ppf(0.975, spread.df[0]) * np.sqrt(spread.covariance[0, 0])
        alone = line.coefficients[0]
        ways = pooled_slope(columns, blocks, outcome, draw), (alone, alone - half, alone + half)
        held_by += [low <= 0.5 <= high for _, low, high in ways]
        estimates += [way[0] / runs for way in ways]
    return held_by, estimates


CASES = ["at random, from nothing", "outcome, from what is seen", "confounder, from the outcome", "category"]


@pytest.mark.parametrize("case", CASES)
def test_pooled_intervals_hold_the_truth_as_often_as_they_say(case):
    """A larger run by hand (2,000 studies each, twenty copies) stands in the docstring of `impute.completed`."""
    runs = 250
    held_by, estimates = coverage(case, 17, runs, n=240 if case == "category" else 120)
    assert binom.cdf(held_by[0], runs, 0.95) > 1e-3, held_by
    assert estimates[0] == pytest.approx(0.5, abs=0.03)
    if case in CASES[2:]:
        assert abs(estimates[1] - 0.5) > 2 * abs(estimates[0] - 0.5), estimates


def wards(draw):
    """Whole wards lack the outcome, and single answers; the exposure is the ward's."""
    sizes = draw.integers(4, 16, 20)
    ward = np.repeat(np.arange(20), sizes)
    x = (np.arange(20) % 2).astype(float)[ward]
    z = draw.normal(size=len(ward)) + 0.6 * draw.normal(size=20)[ward]
    y = 0.5 * x + 0.7 * z + 0.6 * draw.normal(size=20)[ward] + draw.normal(size=len(ward))
    y[np.isin(ward, draw.choice(20, 5, replace=False)) | lost(draw, z - 1.5)] = np.nan
    return np.column_stack([x, z, y]), ward


def test_clusters_share_what_is_not_known_of_them():
    """Without an intercept for each ward the copies agree too well, for all answers of a lost ward scatter alone."""
    runs, blocks, count = 150, [Block((2,), True)], np.zeros(2)
    for run in range(runs):
        draw = np.random.default_rng([23, run])
        columns, ward = wards(draw)
        _, low, high = pooled_slope(columns, blocks, 2, draw, ward)
        found = []
        for filled in completed(columns, blocks, draw, copies=10, rounds=1):
            line = least_squares(np.column_stack([filled[:, :2], np.ones(len(filled))]), filled[:, 2])
            errors = cr2(line, ward)
            found.append((line.coefficients[0], errors.covariance[0, 0], errors.df[0]))
        q, u, df = zip(*found, strict=True)
        blind = pooled(q, u, pooled_df(df)).interval()
        count += [low <= 0.5 <= high, blind[0] <= 0.5 <= blind[1]]
    assert binom.cdf(count[0], runs, 0.95) > 1e-3, count
    assert count[1] < count[0] - 5, count


# ---- a whole study


OUTCOMES = {
    "score": {"column": "score", "kind": "score"},
    "change": {"column": "score", "kind": "change", "baseline": "before"},
    "yes_no": {"column": "done", "kind": "yes_no"},
    "ordered": {"column": "grade", "kind": "ordered", "top": ["4"]},
    "counts": {"column": "visits", "kind": "counts", "time": "months"},
    "duration": {"column": "days", "kind": "duration", "event": "ended", "horizon": 15},
}
COLUMNS = {
    "score": {"label": "Burnout", "range": [0, 100], "unit": "point"},
    "x": {"label": "Kindness", "range": [0, 10]},
    "arm": {"codes": {"usual": "Usual care", "kind": "Kind care", "third": "Third way"}},
    "severity": {"label": "Severity"},
    "channel": {"label": "Channel", "codes": {"phone": "Phone", "chat": "Chat", "mail": "Mail"}},
    "ward": {"label": "Ward", "type": "id"},
    "visits": {"range": [0, 40]},
}


def people(n=240, seed=1):
    """A clinic of n people without gaps."""
    draw = np.random.default_rng(seed)
    ward = draw.integers(0, 12, n)
    severity = draw.normal(5, 1.5, n)
    x = np.clip(np.rint(10 * (6 - 0.4 * severity + draw.normal(size=n))) / 10, 0, 10)
    level = 0.6 * x - 0.4 * severity + 0.4 * draw.normal(size=12)[ward]
    before = np.clip(50 + 8 * draw.normal(size=n), 0, 100)
    days = draw.exponential(14 * np.exp(-0.1 * level)) + 0.1
    return pd.DataFrame(
        {
            "ward": [f"w{code:02d}" for code in ward],
            "x": x,
            "arm": draw.choice(["usual", "kind", "third"], n, p=[0.45, 0.4, 0.15]),
            "severity": severity,
            "channel": draw.choice(["phone", "chat", "mail"], n),
            "before": before,
            "score": np.clip(0.4 * before + 25 + 4 * level + 8 * draw.normal(size=n), 0, 100),
            "done": (draw.random(n) < 1 / (1 + np.exp(-level))).astype(int),
            "grade": np.digitize(level + draw.logistic(size=n), [-1, 0.5, 2]) + 1,
            "visits": draw.poisson(np.exp(0.3 + 0.2 * level)),
            "months": draw.integers(6, 13, n),
            "days": np.minimum(np.ceil(days), 20),
            "ended": (np.ceil(days) <= 20).astype(int),
            "weight": draw.uniform(0.5, 2, n),
        }
    )


@pytest.fixture
def clinic(tmp_path):
    """Ask a question of a frame: dataset, question, effect, sample."""

    def ask(frame, kind="score", disclosure="none", study=None, columns=None, **question):
        frame.to_csv(tmp_path / "a.csv", index=False)
        usual = {"id": "q", "title": "?", "claim": "BUR-1", "exposure": "x", "outcome": OUTCOMES[kind]}
        usual |= {"adjust": ["severity", "channel"], "smallest_effect": 0.01}
        whole = {"title": "t", "seed": 1, "design": "observational", "files": "a.csv", "disclosure": disclosure}
        whole |= {"columns": COLUMNS | (columns or {}), "questions": [usual | question]} | (study or {})
        (tmp_path / "study.yml").write_text(yaml.safe_dump(whole, sort_keys=False))
        study = load_study(tmp_path)
        dataset = load_dataset(study)
        sample = dataset.sample(study.questions[0])
        asked = settled(study.questions[0], study, sample)
        return SimpleNamespace(dataset=dataset, question=asked, effect=estimate_sample(sample, asked), sample=sample)

    return ask


def check(asked):
    return missing_data(asked.dataset, asked.question, asked.effect, asked.sample)


def gaps_of(asked):
    return gaps(asked.dataset, asked.question, asked.sample)


def pierced(frame, seed=2, **shares):
    """The frame with a share of some columns missing at random."""
    draw = np.random.default_rng(seed)
    frame = frame.copy()
    for name, share in shares.items():
        frame[name] = frame[name].astype(object).where(draw.random(len(frame)) >= share, None)
    return frame


def test_with_nothing_missing_that_is_what_is_told(clinic):
    found = check(clinic(people()))
    assert found.facts == {"incomplete": 0, "words": "No row lacks anything that the question needs."}
    assert (found.ran, found.mark) == (True, "")


EVERY = {"x": 0.05, "severity": 0.1, "channel": 0.1, "before": 0.05}


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("kind", OUTCOMES)
def test_every_kind_is_filled_and_pooled(clinic, kind, clustered):
    frame = pierced(people(), **EVERY, **({} if kind == "duration" else {OUTCOMES[kind]["column"]: 0.15}))
    asked = clinic(frame, kind, clusters=["ward"] if clustered else [])
    found = gaps_of(asked)
    complete = only(found.sample, ~found.incomplete)
    for name in ("outcome", "exposure", "covariates", "baseline", "event", "offset_time"):
        ours, theirs = getattr(complete, name), getattr(asked.sample, name)
        assert (ours is None and theirs is None) or np.array_equal(ours, theirs), name
    if clustered:  # the same groups, however they are numbered
        assert np.array_equal(pd.factorize(complete.cluster)[0], asked.sample.cluster)
    assert complete.people == asked.sample.people
    told = check(asked)
    facts = told.facts["imputed"]
    assert facts["copies"] == max(20, int(np.ceil(100 * found.incomplete.mean())))
    assert facts["low"] < facts["estimate"] < facts["high"]
    assert abs(facts["estimate"] - asked.effect.estimate) < 3 * asked.effect.se
    assert 0 < facts["fmi"] < 1 and 0 < facts["monte_carlo_error"] < facts["se"]
    assert told.to_dict() == check(asked).to_dict()  # the same again: the seed is the study's
    json.dumps(finite(told.to_dict()), allow_nan=False)


def test_a_coded_exposure_with_gaps_stays_one_level(clinic):
    frame = pierced(people(), arm=0.2, x=0.1)
    asked = clinic(frame, exposure={"column": "arm", "reference": "usual", "level": "kind"}, adjust=["x"])
    sample = gaps_of(asked).sample
    plan = filling.layout(sample, asked.dataset.study, asked.question)
    further = sample.groups.index("arm") + 1
    assert plan.blocks[0].places == (0, further) and not plan.blocks[0].measured
    assert plan.blocks[1].measured and plan.blocks[1].ends == (0, 10)
    draw = np.random.default_rng(1)
    for filled in completed(plan.columns, plan.blocks, draw, copies=3, rounds=2):
        assert set(map(tuple, filled[:, [0, further]])) == {(0, 0), (1, 0), (0, 1)}
        whole = plan.sample(sample, filled)
        assert np.array_equal(whole.exposure, filled[:, 0]) and np.array_equal(whole.outcome, sample.outcome)
    per_half = clinic(pierced(people(), x=0.1), exposure={"column": "x", "per": 0.5})
    block = filling.layout(gaps_of(per_half).sample, per_half.dataset.study, per_half.question).blocks[0]
    assert block.measured and block.ends == (0, 20)


def test_filling_wins_back_what_gaps_in_a_confounder_cost(clinic):
    frame = pierced(people(600), severity=0.4)
    asked = clinic(frame)
    facts = check(asked).facts["imputed"]
    whole = clinic(people(600)).effect
    assert facts["se"] < 0.92 * asked.effect.se
    assert abs(facts["estimate"] - whole.estimate) < 2 * whole.se


@pytest.mark.parametrize(
    ("kind", "column", "label"),
    [
        ("duration", "ended", "ended"),
        ("duration", "days", "days"),
        ("counts", "months", "months"),
        ("score", "weight", "weight"),
    ],
)
def test_what_nothing_can_fill_stays_out(clinic, kind, column, label):
    frame = pierced(people(), severity=0.1, **{column: 0.2})
    weights = {"weights": "weight"} if column == "weight" else {}
    asked = clinic(frame, kind, **weights)
    found, facts = gaps_of(asked), check(asked).facts
    assert found.fixed == (column,) and facts["cannot_be_filled"] == [column]
    assert np.array_equal(found.beyond, frame[column].isna())
    assert f"Rows without {label} stay out" in facts["words"]
    fillable = found.without(found.beyond)
    assert len(fillable.sample.outcome) == frame[column].notna().sum()
    assert set(fillable.lacking) == {"severity"}
    for name in ("event", "offset_time", "weights"):
        if (values := getattr(fillable.sample, name)) is not None:
            source = {"event": "ended", "offset_time": "months", "weights": "weight"}[name]
            assert np.array_equal(values, frame[source][~found.beyond].to_numpy(float))


def test_rows_of_no_cluster_stay_out(clinic):
    asked = clinic(pierced(people(), ward=0.1, score=0.1), clusters=["ward"])
    found = gaps_of(asked)
    assert found.fixed == ("ward",)
    complete = only(found.sample, ~found.incomplete)
    assert np.array_equal(pd.factorize(complete.cluster)[0], asked.sample.cluster)
    assert check(asked).facts["imputed"]["copies"] == 20


def test_clusters_count_in_filling_and_in_degrees_of_freedom(clinic):
    """All of two wards lack the score: filled ward by ward, the copies differ by what wards differ by."""
    frame = people(400)
    code, draw = frame["ward"].str[1:].astype(int), np.random.default_rng(3)
    frame["x"] = draw.normal(5, 1, 12)[code]
    frame["score"] = np.clip(frame["score"] + 12 * draw.normal(size=12)[code], 0, 100)
    frame.loc[frame["ward"].isin(["w02", "w05"]), "score"] = np.nan
    asked = clinic(frame, clusters=["ward"], adjust=[])
    grouped = check(asked).facts["imputed"]
    alone = check(clinic(frame, clusters=[], adjust=[])).facts["imputed"]
    assert grouped["monte_carlo_error"] > 1.4 * alone["monte_carlo_error"]
    assert 0 < grouped["df"] < asked.effect.df < 12


def test_rules_that_keep_rows_hold_for_rows_with_gaps(clinic):
    """A missing entry is kept by `not_values` alone, here as in the sample."""
    frame = pierced(people(), channel=0.2, score=0.1)
    rule = {"column": "channel", "why": "by mail"}
    kept = clinic(frame, keep=[rule | {"not_values": ["mail"]}])
    assert len(gaps_of(kept).sample.outcome) == (frame["channel"] != "mail").sum()
    kept = clinic(frame, keep=[rule | {"values": ["phone", "chat"]}])
    assert len(gaps_of(kept).sample.outcome) == frame["channel"].isin(["phone", "chat"]).sum()


def test_times_of_late_entry_are_no_obstacle(clinic):
    frame = pierced(people(), severity=0.1)
    frame["since"] = (frame["days"] * 0.3).where(np.arange(len(frame)) % 9 > 0)
    outcome = OUTCOMES["duration"] | {"entry": "since"}
    facts = check(clinic(frame, "duration", outcome=outcome)).facts
    assert facts["cannot_be_filled"] == ["since"] and facts["imputed"]["copies"] == 20


def test_the_hazard_that_each_row_went_through():
    time, ended = np.array([1.0, 2, 2, 3]), np.array([True, True, False, True])
    assert hazard(time, ended, None) == pytest.approx([1 / 4, 1 / 4 + 1 / 3, 1 / 4 + 1 / 3, 1 / 4 + 1 / 3 + 1])
    # The last row is at risk in (1, 3]: three remain at 1, and it went through nothing of that.
    late = hazard(time, ended, np.array([0, 0, 0, 1.0]))
    assert late == pytest.approx([1 / 3, 1 / 3 + 1 / 3, 1 / 3 + 1 / 3, 1 / 3 + 1])


# ---- who


def test_who_lacks_what_and_how_they_differ(clinic):
    frame = people(400)
    gone = np.random.default_rng(3).random(400) < 1 / (1 + np.exp(-(frame["severity"] - 6.5)))
    frame["score"] = frame["score"].where(~gone)
    asked = clinic(frame)
    facts = check(asked).facts
    assert (facts["incomplete"], facts["lacking"]) == (gone.sum(), {"score": gone.sum()})
    assert facts["share_incomplete"] == pytest.approx(gone.mean())
    sides = frame["severity"][gone], frame["severity"][~gone]
    value = (sides[0].mean() - sides[1].mean()) / np.sqrt((sides[0].var() + sides[1].var()) / 2)
    most = facts["differs_most"]
    assert most["of"] == "severity" and most["difference"] == pytest.approx(value)
    looked_at = ["x", "severity", "channel: Chat", "channel: Mail"]
    assert list(facts["differences"]) == looked_at
    # Corrected for four looks; HC3 here is Welch's error with n - 1 in place of each n.
    spread = np.sqrt((sides[0].var() + sides[1].var()) / 2)
    se = np.sqrt(sum(np.sum((side - side.mean()) ** 2) / (len(side) - 1) ** 2 for side in sides)) / spread
    half = student.ppf(1 - 0.05 / 2 / 4, 398) * se
    assert (most["low"], most["high"]) == pytest.approx((value - half, value + half))
    assert most["p"] == pytest.approx(4 * 2 * student.sf(value / se, 398), rel=1e-6, abs=0)
    assert "differ most from the complete rows in severity: +" in facts["words"]


def test_times_cut_short_are_not_compared(clinic):
    facts = check(clinic(pierced(people(), severity=0.2), "duration")).facts
    assert list(facts["differences"]) == ["x", "channel: Chat", "channel: Mail"]


def test_differences_hold_their_level_when_there_are_none(clinic):
    """The p of the largest difference, corrected for all, is below .05 in one of twenty such studies at most."""
    asked = clinic(pierced(people(), score=0.2))
    found, profile, small, runs = gaps_of(asked), SimpleNamespace(threshold=1), 0, 300
    draw = np.random.default_rng(12)
    for _ in range(runs):
        gone = draw.random(240) < 0.3
        other = replace(
            found, lacking={"score": gone}, sample=replace(found.sample, outcome=np.where(gone, np.nan, 1.0))
        )
        each = differences(other, asked.question, profile)
        small += min(1, len(each) * min(one.p for one in each)) < 0.05
    assert binom.sf(small - 1, runs, 0.05) > 1e-3
    assert small > 0


def test_differences_allow_for_clusters(clinic):
    frame = people(300)
    frame["severity"] += frame["ward"].str[1:].astype(int) / 3
    frame.loc[frame["ward"] >= "w09", "score"] = np.nan
    alone = check(clinic(frame, clusters=[])).facts["differs_most"]
    grouped = check(clinic(frame, clusters=["ward"])).facts["differs_most"]
    assert grouped["of"] == alone["of"] == "severity"
    assert grouped["difference"] == pytest.approx(alone["difference"])
    assert grouped["high"] - grouped["low"] > 1.3 * (alone["high"] - alone["low"])


# ---- small counts


def test_rows_that_name_nobody_are_told_of_where_nobody_is_protected(clinic):
    frame = people()
    frame["person"] = np.where(np.arange(240) < 8, None, np.arange(240))
    frame.loc[:7, "score"] = np.nan
    found = check(clinic(frame, study={"people": "person"}))
    assert found.facts["incomplete"] == 8 and found.facts["lacking"] == {"score": 8}
    assert found.facts["imputed"] and found.facts["differences"] and found.facts["worst_case"]


@pytest.mark.parametrize(("disclosure", "shown"), [("none", True), ("five", True), ("cms", False)])
def test_few_people_with_gaps_are_not_told_of(clinic, disclosure, shown):
    frame = people()
    frame.loc[[3, 50, 70, 90, 110, 130, 150], "score"] = np.nan
    found = check(clinic(frame, disclosure=disclosure))
    if shown:
        assert found.facts["incomplete"] == 7 and found.facts["imputed"]
    else:
        assert set(found.facts) == {"incomplete", "keeps", "words"} and found.facts["incomplete"] is None
        assert found.facts["words"].startswith("Fewer than 11 people have gaps, so nothing is told of them.")


def test_people_count_and_not_rows(clinic):
    """Twelve rows of two people are two people."""
    frame = people()
    frame["person"] = np.arange(240)
    frame.loc[:11, "person"] = [0, 1] * 6
    frame.loc[:11, "score"] = np.nan
    facts = check(clinic(frame, disclosure="five", study={"people": "person"})).facts
    assert facts["incomplete"] is None and "imputed" not in facts
    frame.loc[100:139, "severity"] = np.nan
    facts = check(clinic(frame, disclosure="five", study={"people": "person"})).facts
    # that of severity goes with it: what arrived less the others would be the rows of two people
    assert facts["lacking"] == {"score": None, "severity": None} and facts["imputed"]


def test_a_count_beside_a_hidden_one_is_hidden_with_it(clinic):
    """Of the rows dropped three lack severity alone; the account hides the next smallest with it, and so must this."""
    frame = people()
    frame.loc[:39, "score"] = np.nan
    frame.loc[100:102, "severity"] = np.nan
    asked = clinic(frame, disclosure="five")
    facts = check(asked).facts
    assert facts["lacking"] == {"score": None, "severity": None}
    assert facts["incomplete"] is None and facts["share_incomplete"] is None
    assert not {"40", "43", "3"} & set(facts["words"].replace("(", " ").replace(")", " ").split())


def test_the_share_of_rows_with_gaps_gives_no_exact_count_away(clinic):
    """Told are 40 and 240, to the nearest 5; 40 over their share of 242 rows would be 242."""
    frame = people(n=242)
    frame.loc[:38, "score"] = np.nan
    facts = check(clinic(frame, disclosure="nhs")).facts
    assert (facts["incomplete"], facts["share_incomplete"]) == (40, 40 / 240)


def test_rows_that_lack_two_things_are_not_told_by_a_difference(clinic):
    """Thirty lack the score; of twenty without severity two lack both, so that the account shows 30 and 18, not 20."""
    frame = people()
    frame.loc[:29, "score"] = np.nan
    frame.loc[28:47, "severity"] = np.nan
    facts = check(clinic(frame, disclosure="five")).facts
    assert facts["lacking"] == {"score": 30, "severity": None}
    assert facts["incomplete"] == 48
    assert check(clinic(frame)).facts["lacking"] == {"score": 30, "severity": 20}


def test_a_level_that_few_of_them_have_is_left_out(clinic):
    frame = people()
    frame.loc[:29, "score"] = np.nan
    frame.loc[:29, "channel"] = ["mail"] * 2 + ["phone"] * 28
    facts = check(clinic(frame, disclosure="five")).facts
    assert list(facts["differences"]) == ["x", "severity", "channel: Chat"]  # nobody, but not two
    assert "channel: Mail" in check(clinic(frame)).facts["differences"]


def test_no_answer_that_differs_by_few(clinic):
    """Forty rows lack their weight and stay out; three lack severity, and one answer less another would be about them."""
    frame = people()
    frame.loc[:39, "weight"], frame.loc[100:102, "severity"] = np.nan, np.nan
    facts = check(clinic(frame, disclosure="five", weights="weight")).facts
    assert facts["imputed"] is None
    assert "The answer with the gaps filled is not told: too few people have gaps that can be filled." in facts["words"]
    assert check(clinic(frame, weights="weight")).facts["imputed"]


def test_no_worst_case_of_few(clinic):
    """Forty lack severity and four the score alone: these four are what the bounds would be about."""
    frame = people()
    frame.loc[:39, "severity"] = np.nan
    frame.loc[100:103, "score"] = np.nan
    facts = check(clinic(frame, disclosure="five")).facts
    assert facts["worst_case"] is None and facts["tipping"] is None
    assert facts["no_worst_case"] == "too few people lack the outcome alone"
    assert check(clinic(frame)).facts["worst_case"]


# ---- the worst case, and what would tip the answer


def slope(frame, outcome, columns=("x", "severity"), weights=None):
    matrix = np.column_stack([np.ones(len(frame)), *(frame[name] for name in columns)]).astype(float)
    root = np.ones(len(frame)) if weights is None else np.sqrt(weights)
    return np.linalg.lstsq(matrix * root[:, None], np.asarray(outcome, float) * root, rcond=None)[0][1]


@pytest.mark.parametrize("kind", ["yes_no", "score"])
def test_bounds_are_the_extremes_of_all_that_could_be(clinic, kind):
    """Seven missing outcomes, each at either end: the 128 answers, worked out one by one."""
    frame = people(80, seed=5)
    column, low, high = ("done", 0, 1) if kind == "yes_no" else ("score", 0, 100)
    gone = [2, 11, 23, 31, 47, 59, 71]
    frame[column] = frame[column].astype(float)
    frame.loc[gone, column] = np.nan
    facts = check(clinic(frame, kind, adjust=["severity"])).facts
    every = []
    for ends in itertools.product([low, high], repeat=len(gone)):
        outcome = frame[column].copy()
        outcome[gone] = ends
        every.append(slope(frame, outcome))
    worst = facts["worst_case"]
    assert (worst["least"], worst["most"]) == pytest.approx((min(every), max(every)))
    assert worst["low"] < worst["least"] < worst["most"] < worst["high"]
    assert facts["scale"] == ("linear approximation" if kind == "yes_no" else "linear")
    assert ("reckoned on a straight line" in facts["words"]) == (kind == "yes_no")


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("change", {}),
        ("change", {"weights": "weight"}),
        ("score", {"exposure": {"column": "arm", "reference": "usual", "level": "kind"}}),
        ("ordered", {}),
        ("counts", {}),
        ("score", {"clusters": ["ward"]}),
    ],
)
def test_no_filling_lies_beyond_the_bounds(clinic, kind, more):
    asked = clinic(pierced(people(), **{OUTCOMES[kind]["column"]: 0.15, "severity": 0.05}), kind, **more)
    found = gaps_of(asked)
    known = open_rows(found.without(found.beyond), asked.question)
    ends = ends_of_outcome(asked.dataset.study, asked.question, known.sample)
    bounds = worst_case(known, ends, 0.95)
    draw = np.random.default_rng(1)
    shape = (100, len(known.missing))
    sides = np.where(draw.random(shape) < 0.5, *(np.broadcast_to(end, shape[1]) for end in ends))
    if kind == "counts":
        assert np.array_equal(ends[1], 40 / known.sample.offset_time)
    estimates = [known.effect(values, 0.95).estimate for values in sides]
    assert bounds.least.estimate <= min(estimates) < max(estimates) <= bounds.most.estimate
    assert known.effect(sides[0], 0.95).estimate == pytest.approx(
        float(known.slopes @ np.where(known.missing, sides[0], known.sample.outcome))
    )
    assert check(asked).facts["worst_case"] == bounds.to_dict()


@pytest.mark.parametrize(
    ("kind", "exposure"),
    [
        ("score", "x"),
        ("yes_no", "x"),
        ("score", {"column": "arm", "reference": "usual", "level": "kind"}),
        ("counts", {"column": "arm", "reference": "usual", "level": "kind"}),
    ],
)
def test_the_shift_brings_the_answer_to_nothing(clinic, kind, exposure):
    frame = people()
    if kind == "score" and exposure != "x":
        frame["score"] += 8 * (frame["arm"] == "kind")
    asked = clinic(pierced(frame, **{OUTCOMES[kind]["column"]: 0.3}), kind, exposure=exposure)
    known = open_rows(gaps_of(asked), asked.question)
    expected = np.full(len(known.missing), known.sample.outcome[~known.missing].mean())
    point = tipping(known, expected, asked.question.exposure.column, 0.95)
    if exposure == "x":
        pattern = known.sample.exposure - known.sample.exposure.mean()
    else:
        arm = asked.dataset.frame["arm"].to_numpy()
        pattern = 1.0 * (arm == "kind") - (arm == "usual")
    assert known.effect(expected + point.shift * pattern, 0.95).estimate == pytest.approx(0, abs=1e-9)
    before = known.effect(expected, 0.95)
    assert point.expected == pytest.approx(before.estimate)
    if point.of_the_limit is None:
        assert before.low <= 0 <= before.high
    else:
        moved = known.effect(expected + point.of_the_limit * pattern, 0.95).estimate
        nearer = before.low if before.low > 0 else before.high
        assert before.estimate - moved == pytest.approx(nearer)


def test_the_expected_outcomes_are_those_filled_in(clinic):
    asked = clinic(pierced(people(400), score=0.3))
    tipped = check(asked).facts["tipping"]
    assert tipped["expected"] == pytest.approx(check(asked).facts["imputed"]["estimate"])  # both linear, the same rows
    assert tipped["shift"] * tipped["expected"] < 0 and abs(tipped["shift"]) > abs(tipped["expected"])


def test_words_of_shift_and_bounds(clinic):
    frame = people(400)
    frame["score"] += 6 * (frame["arm"] == "kind")
    coded = {"column": "arm", "reference": "usual", "level": "kind"}
    words = check(clinic(pierced(frame, score=0.4), exposure=coded)).facts["words"]
    assert "lower than expected where it is “Kind care”, and as much higher where it is “Usual care”" in words
    words = check(clinic(pierced(frame, score=0.4))).facts["words"]
    assert "for each step of the exposure above its mean (x +1), and as much higher below it" in words
    few = check(clinic(pierced(people(400), score=0.01))).facts
    assert few["worst_case"]["least"] > 0
    assert "keeps its sign" in few["words"] and "To bring the answer to nothing" not in few["words"]


@pytest.mark.parametrize(
    ("kind", "columns", "reason"),
    [
        ("score", {"score": {"label": "Burnout"}}, "the study file names no `range` of burnout"),
        ("counts", {"visits": {"label": "Visits"}}, "the study file names no `range` of visits"),
    ],
)
def test_an_outcome_without_ends_has_no_worst_case(clinic, kind, columns, reason):
    facts = check(clinic(pierced(people(), **{OUTCOMES[kind]["column"]: 0.2}), kind, columns=columns)).facts
    assert facts["worst_case"] is None and facts["no_worst_case"].startswith(reason)
    assert f"No worst case is reckoned: {reason}" in facts["words"]
    assert facts["tipping"] and "To bring the answer to nothing" in facts["words"]


@pytest.mark.parametrize(("kind", "gone"), [("duration", {"severity": 0.1}), ("score", {"severity": 0.1})])
def test_where_no_outcome_is_missing_there_is_no_worst_case(clinic, kind, gone):
    facts = check(clinic(pierced(people(), **gone), kind)).facts
    assert facts["worst_case"] is None and facts["no_worst_case"]
    assert "orst" not in facts["words"]


def test_the_ends_of_a_scale_come_from_its_key(clinic):
    frame = people()
    for item in range(1, 7):
        frame[f"i{item}"] = np.random.default_rng(item).choice([0, 25, 50, 75, 100], 240)
    rules = {"cbi": {"instrument": "cbi/personal"}, "all": {"rule": "sum", "range": [0, 100]}, "open": {}}
    scales = {name: {"items": [f"i{item}" for item in range(1, 7)], **rule} for name, rule in rules.items()}
    study = clinic(frame, study={"scales": scales}).dataset.study
    assert [range_of(study, name) for name in ("cbi", "all", "open")] == [(0, 100), (0, 600), None]
    assert range_of(study, "x") == (0, 10) and range_of(study, "severity") is None and range_of(study, "arm") is None


# ---- the mark, time, and what goes wrong


@pytest.mark.parametrize(
    ("headline", "pooled_interval", "mark"),
    [
        ((0.5, 2.5), (0.4, 2.6), ""),
        ((0.5, 2.5), (-0.1, 2.6), "the interval would include zero"),
        ((-0.2, 2.0), (0.1, 2.2), "the interval would exclude zero"),
        ((0.1, 0.9), (0.2, 1.1), "the word would differ"),
        ((0.5, 2.5), (-2.5, -0.5), "the word would differ"),
        ((-0.9, 0.9), (-0.8, 0.8), ""),
    ],
)
def test_the_mark_says_when_the_answer_would_stand_otherwise(clinic, monkeypatch, headline, pooled_interval, mark):
    asked = clinic(pierced(people(), score=0.1), smallest_effect=1)
    asked.effect = replace(asked.effect, low=headline[0], high=headline[1])

    def interval(*_):
        low, high = pooled_interval
        return filling.Imputed(pooled([1.0, 1.1], [1.0, 1.0]), low, high, 0.05, 20, np.full(240, 40.0))

    monkeypatch.setattr("researchkit.robustness.missing.imputed", interval)
    assert check(asked).mark == (f"fragile: with the missing values imputed {mark}" if mark else "")


def test_a_mark_from_data(clinic):
    """Kindness does nothing, but severity is unknown of those who did badly: the complete rows show what is not there."""
    draw = np.random.default_rng(4)
    frame = people(800)
    frame["x"] = np.clip(frame["severity"] + draw.normal(size=800), 0, 10)
    frame["score"] = np.clip(30 + 4 * frame["severity"] + 6 * draw.normal(size=800), 0, 100)
    frame["severity"] = frame["severity"].where(~lost(draw, 0.4 * (frame["score"] - 48) + 1.5 * (frame["x"] - 5)))
    asked = clinic(frame, adjust=["severity"])
    found = check(asked)
    assert asked.effect.high < 0
    assert found.facts["imputed"]["low"] < 0 < found.facts["imputed"]["high"]
    assert found.mark == "fragile: with the missing values imputed the interval would include zero"


@pytest.mark.parametrize(("rows", "blocks"), [(1_000, 1), (20_000, 1), (20_000, 3), (200_000, 3), (5_000_000, 4)])
@pytest.mark.parametrize("kind", OUTCOMES)
def test_time_decides_the_number_of_copies_and_never_below_five(kind, rows, blocks):
    sample = SimpleNamespace(outcome=range(rows), covariates=np.empty((0, 6)))
    number = copies(60, sample, SimpleNamespace(outcome=SimpleNamespace(kind=kind)), blocks)
    assert 5 <= number <= 60
    if rows == 1_000:
        assert number == 60
    if rows > 1_000_000:
        assert number == 5


def test_fewer_copies_than_wanted_are_told(clinic, monkeypatch):
    monkeypatch.setattr(filling, "SECONDS", 0.01)
    facts = check(clinic(pierced(people(), score=0.3))).facts
    assert facts["imputed"]["copies"] == 5
    assert "Filled 5 times from like rows (34 would be better, but take too long here)" in facts["words"]


def test_a_copy_that_cannot_be_answered_is_told_and_no_more(clinic):
    """Only three came by mail, and all lack the outcome: where a copy gives all the same, mail tells it exactly."""
    frame = people()
    frame["channel"] = frame["channel"].replace("mail", "chat")
    frame["done"] = frame["done"].astype(float)
    frame.loc[:2, "channel"], frame.loc[:2, "done"] = "mail", np.nan
    asked = clinic(frame, "yes_no")
    assert "channel: Mail" not in asked.sample.names
    found = check(asked)
    assert found.ran and found.facts["imputed"] is None and found.mark == ""
    assert "The answer with the gaps filled is not told: " in found.facts["words"]
    assert "Mail tells the outcome exactly" in found.facts["words"]
    assert found.facts["worst_case"] and found.facts["tipping"] is None


def test_levels_and_columns_that_only_rows_with_gaps_have(clinic):
    frame = people()
    frame.loc[frame["channel"] == "mail", "score"] = np.nan
    frame["same"], frame["twice"] = 3.0, 2 * frame["severity"]
    frame.loc[[1, 2], "twice"] = np.nan
    found = check(clinic(frame, adjust=["severity", "channel", "same", "twice"]))
    assert found.ran and np.isfinite(found.facts["imputed"]["se"])
    assert abs(found.facts["imputed"]["estimate"] - found.facts["tipping"]["expected"]) < 1


def test_a_column_without_an_entry_is_refused_by_name(clinic):
    asked = clinic(people())
    empty = replace(asked.dataset, frame=asked.dataset.frame.assign(severity=np.nan))
    found = missing_data(empty, asked.question, asked.effect, asked.sample)
    assert found.reason == "severity: missing in every row, so nothing is known of it"
    late = OUTCOMES["duration"]
    asked = clinic(people(), "duration", outcome=late)
    frame = asked.dataset.frame.copy()
    frame.loc[::2, "days"], frame.loc[1::2, "ended"] = np.nan, np.nan
    with pytest.raises(EstimationError, match="No row has all of days and ended"):
        gaps(replace(asked.dataset, frame=frame), asked.question, asked.sample)


def test_five_complete_rows_are_too_few_to_answer_from_and_enough_to_say_so(clinic):
    frame = people(40)
    frame.loc[6:, "score"] = np.nan
    asked = clinic(frame, adjust=[])
    facts = check(asked).facts
    assert facts["incomplete"] == 34 and facts["imputed"]["fmi"] > 0.3
    assert facts["imputed"]["high"] - facts["imputed"]["low"] > 0.6 * (asked.effect.high - asked.effect.low)
    frame.loc[3:, "score"] = np.nan
    with pytest.raises(EstimationError, match="3 complete rows are too few"):
        clinic(frame, adjust=[])
