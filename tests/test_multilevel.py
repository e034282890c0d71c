"""People in teams: lme4's and lmerTest's numbers, intraclass correlations, refusals."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from researchkit import wording
from researchkit.errors import EstimationError
from researchkit.estimators import estimate_sample
from researchkit.estimators.multilevel import _pseudo_inverse, icc, random_intercept

BUILD = runpy.run_path(str(Path(__file__).with_name("test_estimators.py")))
sample, question = BUILD["sample"], BUILD["question"]

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


def test_directions_in_which_a_criterion_does_not_rise_are_left_out():
    """As lmerTest does with the Hessian at a variance of 0."""
    assert _pseudo_inverse(np.diag([2.0, -1.0, 1e-12])) == pytest.approx(np.diag([0.5, 0, 0]))


# The planned alternative of a score or a change


@pytest.fixture(scope="module")
def staff(held):
    frame = held.frames["staff"].dropna()
    return frame.assign(burnout=frame[[f"cbi_{item}" for item in range(1, 7)]].mean(axis=1))


def of_staff(staff, cluster, **more):
    others = {"workload": staff["workload"]}
    codes = pd.factorize(staff[cluster])[0]
    return sample(staff["burnout"], staff["leader_compassion"], others, cluster=codes, cluster_name=cluster, **more)


@pytest.fixture(scope="module")
def anxious(held):
    stays = held.frames["stays"]
    there = stays[stays["anxiety_after"].notna()]
    return sample(
        there["anxiety_after"],
        there["arm"] == "compassionate",
        {"severity": there["severity"]},
        cluster=pd.factorize(there["nurse_id"])[0],
        cluster_name="nurse",
        baseline=there["anxiety_before"].to_numpy(float),
    )


def agrees(effect, held, entry, df=1e-4):
    """lme4's optimiser finds variances to some 6 digits, lmerTest's derivatives are numerical."""
    assert effect.estimate == held(entry, "b", 1e-5)
    assert effect.se == held(entry, "se", 1e-5)
    assert effect.df == held(entry, "df", df)
    assert effect.p == held(entry, "p", 1e-3)


@pytest.mark.parametrize(("entry", "cluster"), [("lmer_wards", "ward"), ("lmer_people", "staff_id")])
def test_a_random_intercept_is_lmers(held, staff, entry, cluster):
    effect = estimate_sample(of_staff(staff, cluster), question("score", unit="point"), model="random intercept")
    agrees(effect, held, entry)
    share = wording.percent(held.values[entry]["icc"])
    assert f"{share} of the variance that is left lies between {cluster} (ICC)" in effect.notes
    assert effect.method == (
        f"linear mixed model by REML, random intercept by {cluster}, Satterthwaite degrees of freedom"
    )
    assert (effect.also, effect.unit, effect.clusters) == ({}, "point", staff[cluster].nunique())
    assert [term.term for term in effect.model.terms] == ["care", "workload", "Intercept"]


def test_a_random_slope_is_lmers(held, staff):
    effect = estimate_sample(of_staff(staff, "staff_id"), question("score"), model="random slope")
    agrees(effect, held, "lmer_people_slope", 1e-3)
    told = wording.number(held.values["lmer_people_slope"]["slope_sd"])
    assert f"the effect differs between staff_id with a standard deviation of {told} points" in effect.notes
    assert any("at the average care (ICC)" in note for note in effect.notes)
    assert "random intercept and slope by staff_id" in effect.method


@pytest.mark.parametrize("model", ["random intercept", "random slope"])
def test_a_change_has_its_baseline_in_the_mixed_model(held, anxious, model):
    effect = estimate_sample(anxious, question("change"), model=model)
    agrees(effect, held, "lmer_change" + ("_slope" if model == "random slope" else ""), 2e-2)
    assert effect.method.startswith("analysis of covariance on the baseline, linear mixed model by REML")
    assert any("singular" in note for note in effect.notes) == (model == "random slope")


def test_clusters_that_do_not_differ_are_a_singular_fit_and_an_answer(held):
    stays = held.frames["stays"]
    even = stays["length_of_stay"] - stays.groupby("ward")["length_of_stay"].transform("mean")
    ward = pd.factorize(stays["ward"])[0]
    asked = sample(even, stays["compassion"], {"severity": stays["severity"]}, cluster=ward, cluster_name="ward")
    effect = estimate_sample(asked, question("score"), model="random intercept")
    agrees(effect, held, "lmer_singular")
    assert "few clusters: 9 (ward)" in effect.notes
    assert "singular fit: no differences (ward), so errors are nearly those of independent rows" in effect.notes


@pytest.mark.parametrize("model", ["random intercept", "random slope"])
def test_units_scale_a_mixed_model_and_nothing_else(staff, model):
    asked = of_staff(staff, "staff_id")
    one = estimate_sample(asked, question("score"), model=model)
    asked.outcome, asked.exposure = asked.outcome * 1e-7 + 5, asked.exposure * 1e4
    other = estimate_sample(asked, question("score"), model=model)
    assert (other.estimate * 1e11, other.se * 1e11) == pytest.approx((one.estimate, one.se), rel=1e-5)
    assert other.df == pytest.approx(one.df, rel=1e-3)


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        ("yes_no", {}, "goes with outcomes of kind score and change, and score is of kind yes_no"),
        ("score", {"cluster": None}, "names no clusters"),
        ("score", {"crossed": np.arange(40) % 5, "crossed_name": "month"}, "cut across each other"),
        ("score", {"weights": np.ones(40)}, "no place for weights"),
        ("score", {"cluster": np.arange(40) // 20}, "2 clusters in 40 rows"),
        ("score", {"exposure": np.arange(40) // 4 % 3}, "care is the same for all rows of one team"),
        ("score", {"outcome": np.arange(40) * 3.0}, "score is told exactly"),
        ("change", {}, "asks for a change, but its sample has no baseline"),
    ],
)
def test_a_mixed_model_refuses(kind, changes, words):
    rng = np.random.default_rng(3)
    asked = sample(rng.normal(size=40), np.arange(40), cluster=np.arange(40) // 4)
    for name, value in changes.items():
        setattr(asked, name, value if value is None or name.endswith("name") else np.asarray(value, dtype=float))
    with pytest.raises(EstimationError, match=words):
        estimate_sample(asked, question(kind), model="random slope")


@pytest.mark.parametrize("model", ["random intercept", "random slope"])
def test_clusters_that_are_adjusted_for_leave_no_random_intercept(model):
    rng = np.random.default_rng(13)
    team = np.arange(60) % 6
    levels = {f"team {code}": team == code for code in range(1, 6)}
    asked = sample(rng.normal(size=60), rng.normal(size=60), levels, cluster=team)
    with pytest.raises(EstimationError, match="give every team a level of its own already"):
        estimate_sample(asked, question("score"), model=model)
    del levels["team 5"]
    some = sample(asked.outcome, asked.exposure, levels, cluster=team)
    assert np.isfinite(estimate_sample(some, question("score"), model=model).se)


def test_a_model_that_there_is_not_is_told():
    with pytest.raises(EstimationError, match="There is no model 'magic'; there are random intercept"):
        estimate_sample(sample(np.arange(9) ** 2, np.arange(9)), question("score"), model="magic")


@pytest.mark.parametrize(("model", "worlds"), [("random intercept", 300), ("random slope", 150)])
def test_intervals_of_a_mixed_model_cover_the_truth(model, worlds):
    """Worlds of 20 teams; care acts differently in each where the model says so. The bounds are 3 standard errors."""
    rng, inside = np.random.default_rng(12), []
    for _ in range(worlds):
        team = np.repeat(np.arange(20), 8)
        care = rng.normal(size=160) + rng.normal(size=20)[team]
        each = 0.5 + (0.4 * rng.normal(size=20)[team] if model == "random slope" else 0)
        mood = each * care + 0.7 * rng.normal(size=20)[team] + rng.normal(size=160)
        effect = estimate_sample(sample(mood, care, cluster=team), question("score"), model=model)
        inside.append(effect.low <= 0.5 <= effect.high)
    assert abs(np.mean(inside) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / worlds)
