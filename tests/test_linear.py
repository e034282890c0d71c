"""Least squares on arrays: R's numbers, and what must hold for any numbers."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from researchkit.estimators.effect import wald
from researchkit.estimators.linear import cr1, cr2, hc3, least_squares, summed

ORTHODONT = ["Intercept", "age", "SexFemale", "age:SexFemale"]


def se(spread):
    return np.sqrt(np.maximum(np.diag(spread.covariance), 0))


@pytest.fixture(scope="module")
def orthodont(reference):
    frame = reference.frame("Orthodont")
    female = (frame["Sex"] == "Female").astype(float)
    matrix = np.column_stack([np.ones(len(frame)), frame["age"], female, frame["age"] * female])
    line = least_squares(matrix, frame["distance"].to_numpy(float))
    return line, pd.factorize(frame["Subject"])[0]


@pytest.mark.parametrize("term", ORTHODONT)
def test_cr2_and_its_degrees_of_freedom_are_those_of_clubsandwich(reference, orthodont, term):
    line, cluster = orthodont
    spread, place = cr2(line, cluster), ORTHODONT.index(term)
    found = {
        f"b_{term}": line.coefficients[place],
        f"se_CR2_{term}": se(spread)[place],
        f"df_satt_CR2_{term}": spread.df[place],
        f"t_CR2_{term}": line.coefficients[place] / se(spread)[place],
        f"p_satt_CR2_{term}": wald(line.coefficients[place], se(spread)[place], 0.95, spread.df[place])[2],
        f"se_CR1S_{term}": se(cr1(line, cluster))[place],
    }
    for quantity, value in found.items():
        assert value == reference.value("ols_cr2_orthodont", quantity), quantity


def test_cr2_with_fixed_effects_nested_in_the_clusters(reference):
    frame = reference.frame("guns")
    dummies = [pd.get_dummies(frame[name], drop_first=True).to_numpy(float) for name in ("state", "year")]
    matrix = np.column_stack([frame["law"], np.ones(len(frame)), *dummies]).astype(float)
    line = least_squares(matrix, frame["lviolent"].to_numpy(float))
    cluster = pd.factorize(frame["state"])[0]
    spread = cr2(line, cluster)
    assert line.coefficients[0] == reference.value("did_guns", "twfe_b")
    assert se(spread)[0] == reference.value("did_guns", "twfe_se_CR2")
    assert spread.df[0] == reference.value("did_guns", "twfe_df_satt_CR2")
    assert se(cr1(line, cluster))[0] == reference.value("did_guns", "twfe_se_CR1_all_k")


def test_cr1_of_petersens_panel_with_its_interval(reference):
    frame = reference.frame("PetersenCL")
    line = least_squares(np.column_stack([np.ones(len(frame)), frame["x"]]), frame["y"].to_numpy())
    spread = cr1(line, frame["firm"].to_numpy())
    low, high, p = wald(line.coefficients[1], se(spread)[1], 0.95, spread.df[1])
    found = {"b_x": line.coefficients[1], "se_CR1stata_x": se(spread)[1], "p_CR1stata_x": p}
    found |= {"ci95lo_CR1stata_x": low, "ci95hi_CR1stata_x": high}
    for quantity, value in found.items():
        assert value == reference.value("ols_cluster_petersen", quantity), quantity


@given(st.integers(0, 10_000))
def test_clusters_of_one_row_make_cr2_the_hc2_of_single_rows(seed):
    rng = np.random.default_rng(seed)
    matrix, outcome = np.column_stack([rng.normal(size=(20, 2)), np.ones(20)]), rng.normal(size=20)
    line = least_squares(matrix, outcome)
    pushed = line.basis * (line.residuals / np.sqrt(1 - np.sum(line.basis**2, axis=1)))[:, None]
    assert cr2(line, np.arange(20)).covariance == pytest.approx(line.root @ pushed.T @ pushed @ line.root.T)


@given(st.integers(0, 10_000))
def test_errors_do_not_know_the_order_of_the_rows(seed):
    rng = np.random.default_rng(seed)
    matrix, outcome, cluster = rng.normal(size=(30, 3)), rng.normal(size=30), rng.integers(0, 6, 30)
    turned = rng.permutation(30)
    one = cr2(least_squares(matrix, outcome), cluster)
    other = cr2(least_squares(matrix[turned], outcome[turned]), cluster[turned])
    assert one.covariance == pytest.approx(other.covariance)
    assert one.df == pytest.approx(other.df)


def test_degrees_of_freedom_equal_the_matrix_of_all_pairs_of_clusters():
    rng = np.random.default_rng(7)
    matrix, cluster = rng.normal(size=(40, 2)), np.sort(rng.integers(0, 7, 40))
    line = least_squares(matrix, rng.normal(size=40))
    hat = line.basis @ line.basis.T
    pulled = np.zeros((40, 7))
    for place, code in enumerate(np.unique(cluster)):
        own = cluster == code
        values, vectors = np.linalg.eigh(np.eye(own.sum()) - hat[np.ix_(own, own)])
        pulled[own, place] = vectors @ ((vectors.T @ line.basis[own] @ line.root[0]) / np.sqrt(values))
    pairs = pulled.T @ (np.eye(40) - hat) @ pulled
    assert cr2(line, cluster).df[0] == pytest.approx(np.trace(pairs) ** 2 / np.sum(pairs**2))


def test_batches_of_clusters_add_up(monkeypatch):
    rng = np.random.default_rng(3)
    line, cluster = least_squares(rng.normal(size=(60, 3)), rng.normal(size=60)), rng.integers(0, 12, 60)
    whole = cr2(line, cluster)
    monkeypatch.setattr("researchkit.estimators.linear.BATCH", 30)
    assert cr2(line, cluster).covariance == pytest.approx(whole.covariance)
    assert cr2(line, cluster).df == pytest.approx(whole.df)


def test_a_row_fitted_exactly_adds_nothing():
    matrix = np.column_stack([np.arange(8.0), np.ones(8), np.eye(8)[3]])
    outcome = np.array([0.1, 1.2, 1.9, 40, 4.2, 4.8, 6.1, 7.3])
    kept = np.arange(8) != 3
    one, other = hc3(least_squares(matrix, outcome)), hc3(least_squares(matrix[kept, :2], outcome[kept]))
    assert one.covariance[:2, :2] == pytest.approx(other.covariance)


def test_whole_weights_fit_as_repeated_rows():
    rng = np.random.default_rng(5)
    matrix, outcome, weight = rng.normal(size=(15, 2)), rng.normal(size=15), rng.integers(1, 4, 15)
    repeated = least_squares(np.repeat(matrix, weight, axis=0), np.repeat(outcome, weight))
    assert least_squares(matrix, outcome, weight.astype(float)).coefficients == pytest.approx(repeated.coefficients)


@given(st.integers(0, 10_000), st.sampled_from([1e-12, 3.0, 1e12]))
def test_weights_have_no_unit_and_equal_ones_change_nothing(seed, unit):
    rng = np.random.default_rng(seed)
    matrix, outcome, cluster = rng.normal(size=(40, 3)), rng.normal(size=40), rng.integers(0, 8, 40)
    weights = rng.uniform(0.2, 5, 40)
    one, other = (cr2(least_squares(matrix, outcome, w), cluster) for w in (weights, weights * unit))
    assert (other.covariance, other.df) == (pytest.approx(one.covariance), pytest.approx(one.df))
    plain, equal = (cr2(least_squares(matrix, outcome, w), cluster) for w in (None, np.full(40, unit)))
    assert (equal.covariance, equal.df) == (pytest.approx(plain.covariance), pytest.approx(plain.df))


def test_weighted_cr2_equals_the_inverse_roots_of_the_residuals_covariances():
    """Pustejovsky and Tipton's definition, with whole matrices: rows of variance 1, whatever their weight."""
    rng = np.random.default_rng(8)
    matrix, outcome, cluster = rng.normal(size=(50, 3)), rng.normal(size=50), np.sort(rng.integers(0, 6, 50))
    weights = rng.uniform(0.2, 5, 50)
    line = least_squares(matrix, outcome, weights)
    bread = np.linalg.inv(matrix.T @ (weights[:, None] * matrix))
    left = np.eye(50) - matrix @ bread @ (weights[:, None] * matrix).T
    meat, pulled = np.zeros((3, 3)), []
    for code in np.unique(cluster):
        own = cluster == code
        values, vectors = np.linalg.eigh(left[own] @ left[own].T)
        adjusted = (vectors / np.sqrt(values)) @ vectors.T @ (weights[own, None] * matrix[own])
        score = adjusted.T @ (outcome - matrix @ line.coefficients)[own]
        meat += np.outer(score, score)
        pulled.append(left[own].T @ adjusted @ bread[0])
    pairs = np.array(pulled) @ np.array(pulled).T
    spread = cr2(line, cluster)
    assert spread.covariance == pytest.approx(bread @ meat @ bread)
    assert spread.df[0] == pytest.approx(np.trace(pairs) ** 2 / np.sum(pairs**2))


def drawn(weighted, n=60, k=3):
    rng = np.random.default_rng(9)
    matrix = np.column_stack([rng.normal(size=(n, k - 1)), np.ones(n)])
    return matrix, matrix[:, 0] + rng.normal(size=n), rng.uniform(0.3, 4, n) if weighted else None


@pytest.mark.parametrize("weighted", [False, True])
def test_the_fit_hc3_and_cr1_are_those_of_statsmodels(weighted):
    matrix, outcome, weights = drawn(weighted)
    line = least_squares(matrix, outcome, weights)
    model, team = sm.WLS(outcome, matrix, weights=weights if weighted else 1.0), np.arange(60) % 7
    fit, root = model.fit(cov_type="HC3"), np.ones(60) if weights is None else np.sqrt(weights)
    assert line.coefficients == pytest.approx(fit.params) and line.residuals == pytest.approx(fit.resid * root)
    assert line.basis.T @ line.basis == pytest.approx(np.eye(3), abs=1e-12)
    assert line.basis == pytest.approx(matrix * root[:, None] @ line.root)
    rough, by_team = hc3(line), cr1(line, team)
    assert rough.covariance == pytest.approx(fit.cov_params())
    assert (rough.df.tolist(), rough.errors, rough.notes) == ([57.0] * 3, "HC3", ())
    other = model.fit(cov_type="cluster", cov_kwds={"groups": team})
    assert by_team.covariance == pytest.approx(other.cov_params())
    assert (by_team.df.tolist(), by_team.errors) == ([6.0] * 3, "CR1")
    best = cr2(line, team)
    assert best.errors == "CR2" and best.df.shape == (3,) and np.all((best.df > 1) & (best.df < 7))


@pytest.mark.parametrize("weighted", [False, True])
def test_cr2_of_every_coefficient_and_of_clusters_of_many_sizes_by_whole_matrices(weighted):
    """As above, for all coefficients; some clusters have fewer rows than there are columns."""
    matrix, outcome, weights = drawn(weighted)
    weights = np.ones(60) if weights is None else weights
    cluster = np.repeat(np.arange(9), [1, 1, 2, 5, 8, 8, 10, 12, 13])[np.random.default_rng(2).permutation(60)]
    bread = np.linalg.inv(matrix.T @ (weights[:, None] * matrix))
    left = np.eye(60) - matrix @ bread @ (weights[:, None] * matrix).T
    meat, pulled = np.zeros((3, 3)), []
    residuals = left @ outcome
    for code in range(9):
        own = cluster == code
        values, vectors = np.linalg.eigh(left[own] @ left[own].T)
        adjusted = (vectors / np.sqrt(values)) @ vectors.T @ (weights[own, None] * matrix[own])
        score = adjusted.T @ residuals[own]
        meat += np.outer(score, score)
        pulled.append(left[own].T @ adjusted @ bread)
    found = cr2(least_squares(matrix, outcome, weights if weighted else None), cluster)
    assert found.covariance == pytest.approx(bread @ meat @ bread)
    for place in range(3):
        parts = np.array([one[:, place] for one in pulled])
        pairs = parts @ parts.T
        assert found.df[place] == pytest.approx(np.trace(pairs) ** 2 / np.sum(pairs**2))


def test_sums_by_cluster_by_hand():
    rows = np.array([[1.0, 10], [2, 20], [4, 40], [8, 80]])
    assert summed(rows, np.array([7, -3, 7, 9])).tolist() == [[2, 20], [5, 50], [8, 80]]


def test_a_coefficient_that_one_cluster_alone_carries_has_no_variance():
    """With a level for each cluster and an exposure in one, only rounding is left; a covariate in all of them has some."""
    rng = np.random.default_rng(4)
    team = np.repeat(np.arange(6), 5)
    care = np.where(team == 0, np.arange(30) % 2, 0)
    matrix = np.column_stack([care, *(team == one for one in range(6))]).astype(float)
    for unit in (1e-9, 1.0, 1e9):
        outcome = rng.normal(size=30)
        found = cr2(least_squares(matrix * np.append(unit, np.ones(6)), outcome), team)
        assert found.covariance.tolist() == np.zeros((7, 7)).tolist()
        wider = np.column_stack([matrix * np.append(unit, np.ones(6)), unit * rng.normal(size=30)])
        assert np.all(np.diag(cr2(least_squares(wider, outcome), team).covariance)[[0, 7]] * unit**2 > 1e-6)


def test_what_is_handed_back_cannot_be_changed():
    line = least_squares(np.ones((3, 1)), np.arange(3.0))
    for one in (line, hc3(line)):
        with pytest.raises(FrozenInstanceError):
            one.root = one.df = None


def test_a_coefficient_without_variance_has_no_covariance_either():
    """Beside the exposure of one cluster stands a column that is constant there, and has its own variance."""
    rng = np.random.default_rng(6)
    team = np.repeat(np.arange(6), 5)
    care, other = np.where(team == 0, np.arange(30) % 2, 0), np.where(team == 0, 0, rng.normal(size=30))
    matrix = np.column_stack([care, *(team == one for one in range(6)), other]).astype(float)
    found = cr2(least_squares(matrix, rng.normal(size=30)), team).covariance
    assert found[0].tolist() == [0.0] * 8 and found[:, 0].tolist() == [0.0] * 8 and found[7, 7] > 1e-3
