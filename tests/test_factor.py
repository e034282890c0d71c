"""One factor, invariance and agreement within teams, against lavaan and R's analysis of variance."""

from __future__ import annotations

import numpy as np
import pytest

from researchkit.errors import DataError, EstimationError
from researchkit.scales import invariance, one_factor, shared, within_team

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
