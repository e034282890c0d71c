"""One factor, invariance and agreement within teams, against lavaan and R's analysis of variance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2 as chi2_of
from scipy.stats import multivariate_normal, ncx2

from researchkit.errors import DataError, EstimationError
from researchkit.scales import invariance, one_factor, shared, within_team
from researchkit.scales.factor import LEVELS, Model, indices, noncentrality, refuse_unfit

ITEMS = [f"cbi_{number}" for number in range(1, 7)]
NAMES = {"chi2": "chisq", "df": "df", "p": "pvalue", "cfi": "cfi", "rmsea": "rmsea", "srmr": "srmr"}
NAMES |= {"rmsea_low": "rmsea.ci.lower", "rmsea_high": "rmsea.ci.upper"}


@pytest.fixture(scope="module")
def staff(held):
    """As tests/reference/factor.R has it: an item that drifts in one wave, and two that share more than the factor."""
    data = held.frames["staff"].copy()
    data[ITEMS] = data[ITEMS].astype(float)
    data["wave"] = data["wave"].astype(int)
    data.loc[data["wave"] == 2, "cbi_2"] += 10
    data["cbi_3"] += 0.4 * data["cbi_4"]
    return data.assign(**data[ITEMS] / 25)


def of(data):
    return data[ITEMS].dropna().to_numpy()


def agrees(fit, held, entry) -> None:
    for ours, name in NAMES.items():
        # lavaan stops at a tolerance of 1e-10 of the likelihood: residuals of a millionth are left.
        rel = 5e-6 if ours == "srmr" else 1e-6
        assert getattr(fit, ours) == held(entry, name, rel=rel), (entry, ours)


def test_one_factor_agrees_with_lavaan(staff, held):
    fit = one_factor(of(staff))
    agrees(fit, held, "one_factor")
    assert fit.loadings[0].tolist() == [held("one_factor", f"std_{item}", rel=1e-6) for item in ITEMS]


@pytest.mark.parametrize("by", ["wave", "role"])
def test_invariance_agrees_with_lavaan(staff, held, by):
    found = invariance([of(group) for _, group in staff.groupby(by)])
    for level, fit in found.items():
        agrees(fit, held, f"invariance_{by}_{level}")
    assert found["configural"].chi2 < found["metric"].chi2 < found["scalar"].chi2


def test_units_and_direction_change_no_fit(staff):
    items = of(staff)
    fit, other = one_factor(items), one_factor(100 - 7 * items)
    assert (other.chi2, other.srmr) == pytest.approx((fit.chi2, fit.srmr), rel=1e-6)


def test_three_items_always_fit_one_factor():
    rng = np.random.default_rng(1)
    fit = one_factor(rng.normal(size=(200, 1)) + rng.normal(size=(200, 3)))
    assert (fit.df, fit.cfi, fit.rmsea) == (0, 1.0, 0.0) and fit.chi2 < 1e-6 and np.isnan(fit.p)


def test_the_chi_square_is_held_as_often_as_it_says():
    """400 samples of a true factor: 5 % of the p-values are below 0.05, give or take chance."""
    rng = np.random.default_rng(2)
    p = [one_factor(rng.normal(size=(300, 1)) + rng.normal(size=(300, 5))).p for _ in range(400)]
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.085


def test_teams_agree_with_r(held, staff):
    """As in factor.R: people of wave 1 with all six items; with one of the items drifted and one mixed."""
    data = staff[(staff["wave"] == 1) & staff[ITEMS].notna().all(axis=1)]
    team = np.unique(data["ward"], return_inverse=True)[1]
    found = shared(data[ITEMS].mean(axis=1).to_numpy(), team)
    for name, values in (("icc1", found.one), ("icc2", found.two)):
        assert list(values) == [held("teams", f"{name}{end}", rel=1e-10) for end in ("", "_low", "_high")]
    assert np.median(within_team(data[ITEMS].to_numpy(), team, 5)) == held("teams", "rwg_median", rel=1e-10)


def test_within_a_team_by_hand():
    """Two items of five answers, chance variance 2. Team 0 agrees. Team 1 has variances 2 and 0: their mean is half of
    chance, 2 x 0.5 / (2 x 0.5 + 0.5) = 2/3. Team 2 is at the ends: worse than chance. Team 3 is one person."""
    items = np.array([[3, 4], [3, 4], [1, 3], [3, 3], [1, 1], [5, 5], [2, 2]], dtype=float)
    found = within_team(items, np.array([0, 0, 1, 1, 2, 2, 3]), 5)
    assert found.tolist() == pytest.approx([1, 2 / 3, 0])


def test_of_four_answers_chance_spreads_by_fifteen_twelfths():
    """Variances 1 and 0: their mean is 0.4 of chance, 2 x 0.6 / (2 x 0.6 + 0.4) = 0.75."""
    items = np.array([[2, 3], [2, 3], [4, 3]]) - np.array([[0, 0], [1, 0], [1, 0]]) * 1.0
    assert items.var(axis=0, ddof=1).tolist() == pytest.approx([1, 0])
    assert within_team(items, np.zeros(3, dtype=int), 4).tolist() == pytest.approx([0.75])


def test_teams_with_the_same_mean_share_less_than_nothing():
    """No variance between: one rating is worth -1 / (size - 1), a mean of them has no reliability at all."""
    found = shared(np.array([1.0, 2, 3, 1, 2, 3]), np.array([0, 0, 0, 1, 1, 1]))
    assert found.one[0] == pytest.approx(-1 / 2) and found.two[0] == -np.inf
    with pytest.raises(DataError, match="needs 2 teams and people who share one; 3 people are in 1 teams"):
        shared(np.array([1.0, 2, 3]), np.zeros(3, dtype=int))


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: one_factor(np.ones((9, 2))), "at least 3 items; there are 2"),
        (lambda: one_factor(np.ones((9, 4))), "items that all change"),
        (lambda: one_factor(np.random.default_rng(0).normal(size=(4, 4))), "more rows than items"),
        (lambda: invariance([np.random.default_rng(0).normal(size=(40, 4))]), "at least two"),
        (lambda: shared(np.ones(4), np.array([0, 1, 2, 3])), "4 people are in 4 teams"),
        (lambda: shared(np.array([1.0, 1.0, 2.0, 2.0]), np.array([0, 0, 1, 1])), "all say the same"),
    ],
)
def test_what_cannot_be_told_is_refused(call, said):
    with pytest.raises(DataError, match=said):
        call()


def test_an_item_without_variance_of_its_own_is_refused():
    """Covariances 0.9, 0.9 and 0.4 of variance 1.25: the first item's own part would be 0.9 x 0.9 / 0.4 = 2 and more."""
    wanted = np.array([[1, 0.9, 0.9], [0.9, 1, 0.4], [0.9, 0.4, 1]]) + 0.25 * np.eye(3)
    raw = np.random.default_rng(4).normal(size=(300, 3))
    raw = np.linalg.solve(np.linalg.cholesky(np.cov(raw.T)), (raw - raw.mean(axis=0)).T).T
    with pytest.raises(EstimationError, match="an item would have no variance of its own"):
        one_factor(raw @ np.linalg.cholesky(wanted).T)


# The model by hand, at parameters that fit nothing


def three_groups(k=4, seed=5):
    """Means, covariances and sizes of three groups that differ in all of them."""
    rng = np.random.default_rng(seed)
    groups = [rng.normal(size=(n, 1)) * (1 + 0.3 * g) + rng.normal(size=(n, k)) + g for g, n in enumerate((40, 60, 90))]
    return [(items.mean(axis=0), np.cov(items.T, bias=True), len(items)) for items in groups]


def somewhere(model, seed=6):
    """Parameters near the start, each another one, so that none stands for another."""
    return model.start + np.random.default_rng(seed).uniform(0.05, 0.4, model.size)


def by_hand(model, x, g):
    """(k,) means and (k, k) covariances that x implies for one group, each parameter read off in its order."""
    k, groups, order = model.k, len(model.moments), list(x)
    loadings = [[order.pop(0) for _ in range(k)] for _ in range(groups if model.equal == "configural" else 1)]
    own = [[order.pop(0) for _ in range(k)] for _ in range(groups)]
    roots = [1.0] + [order.pop(0) if model.equal != "configural" else 1.0 for _ in range(groups - 1)]
    means = [0.0] + [order.pop(0) if model.equal == "scalar" else 0.0 for _ in range(groups - 1)]
    intercepts = order if model.equal == "scalar" else list(model.moments[g][0])
    mine = loadings[g if model.equal == "configural" else 0]
    mean = [intercepts[i] + means[g] * mine[i] for i in range(k)]
    covariance = [[roots[g] ** 2 * mine[i] * mine[j] + own[g][i] ** 2 * (i == j) for j in range(k)] for i in range(k)]
    return np.array(mean), np.array(covariance), roots[g] * np.array(mine)


@pytest.mark.parametrize("equal", LEVELS)
def test_means_and_covariances_are_those_that_the_parameters_say(equal):
    model = Model(three_groups(), equal)
    x = somewhere(model)
    for g in range(3):
        mean, covariance, _ = by_hand(model, x, g)
        found = model.implied(x, g)
        assert found[0] == pytest.approx(mean) and found[1] == pytest.approx(covariance)


@pytest.mark.parametrize("equal", LEVELS)
def test_the_misfit_is_that_of_normal_densities_and_its_slope_its_slope(equal):
    """n times the misfit is twice the log of the ratio of the likelihoods, without and with the model."""
    moments = three_groups()
    model = Model(moments, equal)
    x = somewhere(model)
    whole = 0.0
    for g, (mean, covariance, n) in enumerate(moments):
        rng = np.random.default_rng(g)
        rows = rng.normal(size=(n, 4))
        rows = (rows - rows.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(rows.T, bias=True))).T
        rows = rows @ np.linalg.cholesky(covariance).T + mean  # rows with just these moments
        own = multivariate_normal(mean, covariance).logpdf(rows).sum()
        whole += 2 * (own - multivariate_normal(*by_hand(model, x, g)[:2]).logpdf(rows).sum())
    value, slope = model.misfit(x)
    assert value * 190 == pytest.approx(whole)
    each = 1e-6 * np.eye(model.size)
    numeric = [(model.misfit(x + step)[0] - model.misfit(x - step)[0]) / 2e-6 for step in each]
    assert slope == pytest.approx(numeric, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("means", [True, False])
@pytest.mark.parametrize("equal", LEVELS)
def test_the_indices_by_hand(equal, means):
    moments = three_groups()
    model = Model(moments, equal)
    x = somewhere(model)
    found = indices(model, x, means)
    free = {"configural": 3 * (4 + 4 + 4), "metric": 4 + 12 + 2 + 12, "scalar": 4 + 12 + 2 + 2 + 4}[equal]
    df = 3 * (10 + 4) - free
    chi2 = 190 * model.misfit(x)[0]
    apart = sum(n * (np.log(np.diag(s)).sum() - np.log(np.linalg.det(s))) for _, s, n in moments)
    residuals = 0.0
    for g, (mean, covariance, n) in enumerate(moments):
        away, expected, _ = by_hand(model, x, g)
        sd = np.sqrt(np.diag(covariance))
        squares = [((covariance - expected)[i, j] / sd[i] / sd[j]) ** 2 for i in range(4) for j in range(i + 1)]
        total = sum(squares) + sum(((mean - away) / sd) ** 2)
        residuals += n / 190 * np.sqrt(total / (14 if means else 10))
    assert (found.df, found.n, found.groups) == (df, 190, 3)
    assert (found.chi2, found.p, found.srmr) == pytest.approx((chi2, chi2_of.sf(chi2, df), residuals))
    assert found.cfi == pytest.approx(1 - (chi2 - df) / max(chi2 - df, apart - 18))
    assert found.rmsea == pytest.approx(np.sqrt(3 * (chi2 - df) / (190 * df)))
    for g, loadings in enumerate(found.loadings):
        _, expected, common = by_hand(model, x, g)
        assert loadings == pytest.approx(common / np.sqrt(np.diag(expected)))


def test_a_fit_better_than_chance_has_no_excess():
    """Covariances that the parameters say exactly: nothing is left, and no index goes beyond its end."""
    model = Model(three_groups(), "metric")
    x = somewhere(model)
    exact = Model([(mean, by_hand(model, x, g)[1], n) for g, (mean, _, n) in enumerate(model.moments)], "metric")
    found = indices(exact, x, True)
    assert (found.chi2, found.rmsea, found.rmsea_low, found.srmr) == pytest.approx((0, 0, 0, 0), abs=1e-6)
    assert found.chi2 >= 0 and found.cfi == 1 and found.p == pytest.approx(1)


def test_limits_of_what_is_off_centre_are_where_the_chi_square_is_in_its_tails():
    low, high = noncentrality(30.0, 10)
    assert ncx2.cdf(30, 10, [low, high]) == pytest.approx([0.95, 0.05], abs=1e-9)
    narrow = noncentrality(30.0, 10, 0.5)
    assert ncx2.cdf(30, 10, narrow) == pytest.approx([0.75, 0.25], abs=1e-9)
    assert noncentrality(2.0, 10) == (0.0, 0.0) and noncentrality(5.0, 0) == (0.0, 0.0)
    assert noncentrality(12.0, 10)[0] == 0 < noncentrality(12.0, 10)[1]


def test_each_group_needs_more_rows_than_items_that_differ():
    rng = np.random.default_rng(7)
    enough, same = rng.normal(size=(5, 4)), rng.normal(size=(40, 4))
    assert refuse_unfit([enough, 2 * same]) == pytest.approx(np.concatenate([enough, 2 * same]).std(axis=0))
    same[:, 3] = same[:, 0] + same[:, 1] + 5  # its mean is told by the others
    for groups, n in (([same, enough], 40), ([enough, same], 40), ([enough, enough[:4]], 4), ([enough[:3], enough], 3)):
        with pytest.raises(DataError, match=f"more rows than items in each group.* a group has {n} rows"):
            refuse_unfit(groups)
    with pytest.raises(DataError, match="at least 3 items; there are 2"):
        refuse_unfit([enough[:, :2]])


def test_two_groups_are_enough_and_one_is_not():
    rng = np.random.default_rng(8)
    one, two = (rng.normal(size=(60, 1)) + rng.normal(size=(60, 3)) for _ in range(2))
    assert {equal: fit.groups for equal, fit in invariance([one, two]).items()} == dict.fromkeys(LEVELS, 2)
    with pytest.raises(DataError, match="at least two of them"):
        invariance([one])
