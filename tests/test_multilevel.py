"""People in teams: lme4's and lmerTest's numbers, intraclass correlations, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from researchkit.errors import EstimationError
from researchkit.estimators.multilevel import icc, random_intercept

BETWEEN = {"var_Subject_Intercept": (0, 0), "var_Subject_Days": (1, 1), "var_Subject_cov_Intercept_Days": (1, 0)}


@pytest.mark.parametrize("prefix", ["ri_reml", "rs_reml"])
def test_mixed_models_agree_with_lme4_and_lmertest(reference, prefix):
    frame = reference.frame("sleepstudy")
    days = frame["Days"].to_numpy(float)
    matrix = np.column_stack([np.ones(len(days)), days])
    slope = days if prefix == "rs_reml" else None
    fit = random_intercept(frame["Reaction"].to_numpy(float), matrix, frame["Subject"].to_numpy(), slope)
    found = {"var_resid": fit.within, "m2loglik": fit.criterion}
    for place, name in enumerate(("Intercept", "Days")):
        found |= {f"b_{name}": fit.coefficients[place], f"se_{name}": np.sqrt(fit.covariance[place, place])}
        found[f"df_satt_{name}"] = fit.df[place]
    found |= {name: fit.between[at] for name, at in BETWEEN.items() if max(at) < len(fit.between)}
    if slope is None:
        found["icc_adj"] = fit.icc
    for quantity, value in found.items():
        assert value == reference.value("lmm_sleepstudy", f"{prefix}_{quantity}"), quantity


def test_standard_errors_of_an_unbalanced_model_are_generalised_least_squares():
    rng = np.random.default_rng(2)
    team = np.sort(rng.integers(0, 12, 90))
    matrix = np.column_stack([np.ones(90), rng.normal(size=90)])
    fit = random_intercept(rng.normal(size=90) + rng.normal(size=12)[team], matrix, team)
    whole = fit.between[0, 0] * (team[:, None] == team) + fit.within * np.eye(90)
    assert fit.covariance == pytest.approx(np.linalg.inv(matrix.T @ np.linalg.solve(whole, matrix)))


def test_teams_that_do_not_differ_give_a_variance_of_nothing():
    rng = np.random.default_rng(4)
    team, noise = np.repeat(np.arange(10), 4), rng.normal(size=40)
    noise -= np.repeat(noise.reshape(10, 4).mean(axis=1), 4)
    fit = random_intercept(noise, np.ones((40, 1)), team)
    assert fit.icc == pytest.approx(0, abs=1e-6)


def test_iccs_of_teams_are_those_of_shrout_and_fleiss(reference):
    frame = reference.frame("shrout_fleiss")
    single, mean = icc(frame["score"].to_numpy(float), frame["target"].to_numpy())
    assert single == reference.value("icc_shrout_fleiss", "icc1_1")
    assert mean == reference.value("icc_shrout_fleiss", "icc1_k")


@pytest.mark.parametrize("team", [np.arange(6), np.zeros(6)])
def test_teams_of_one_or_one_team_are_refused(team):
    with pytest.raises(EstimationError, match=r"[16] teams and 6 people: an ICC needs 2 teams"):
        icc(np.arange(6.0), team)
    with pytest.raises(EstimationError, match=r"[16] clusters in 6 rows"):
        random_intercept(np.arange(6.0), np.ones((6, 1)), team)


def test_the_same_score_for_everybody_has_no_icc():
    with pytest.raises(EstimationError, match="Everybody has the same score"):
        icc(np.ones(6), np.arange(6) // 2)
