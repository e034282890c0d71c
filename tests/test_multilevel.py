"""People in teams: lme4's and lmerTest's numbers, intraclass correlations, refusals."""

from __future__ import annotations

import runpy
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from researchkit import wording
from researchkit.errors import EstimationError
from researchkit.estimators import estimate_sample
from researchkit.estimators.multilevel import Mixed, _pseudo_inverse, icc, random_intercept

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


# Written out by matrices of n x n


def uneven(n=70, groups=9, *, seed=6, slope=True):
    rng = np.random.default_rng(seed)
    team = np.sort(np.concatenate([np.arange(groups), rng.integers(0, groups, n - groups)]))
    x = rng.normal(size=n)
    level, each = rng.normal(size=groups), 0.8 * rng.normal(size=groups)
    y = 2 + 0.5 * x + level[team] + (each[team] * x if slope else 0) + rng.normal(size=n)
    return y, np.column_stack([x, np.ones(n)]), team


def whole(parts, team, x):
    """The covariance of all rows: a variance of intercepts, (their covariance with slopes, of slopes,) and of rows."""
    same, *rest = (team[:, None] == team).astype(float), *parts
    if len(parts) == 2:
        return rest[0] * same + rest[1] * np.eye(len(team))
    both = rest[0] + rest[1] * (x[:, None] + x) + rest[2] * np.outer(x, x)
    return both * same + rest[3] * np.eye(len(team))


def fitted_at(parts, y, matrix, team):
    """-2 REML log-likelihood, coefficients and their covariance, by generalised least squares."""
    v = whole(parts, team, matrix[:, 0])
    covariance = np.linalg.inv(matrix.T @ np.linalg.solve(v, matrix))
    coefficients = covariance @ matrix.T @ np.linalg.solve(v, y)
    rest = y - matrix @ coefficients
    told = np.linalg.slogdet(v)[1] - np.linalg.slogdet(covariance)[1] + rest @ np.linalg.solve(v, rest)
    return told + (len(y) - 2) * np.log(2 * np.pi), coefficients, covariance


@pytest.mark.parametrize("slope", [False, True])
def test_a_fit_is_the_top_of_the_restricted_likelihood(slope):
    y, matrix, team = uneven()
    fit = random_intercept(y, matrix, team, matrix[:, 0] if slope else None)
    parts = np.array([*fit.between[np.tril_indices(len(fit.between))], fit.within])
    criterion, coefficients, covariance = fitted_at(parts, y, matrix, team)
    assert fit.criterion == pytest.approx(criterion, rel=1e-9)
    assert fit.coefficients == pytest.approx(coefficients)
    assert fit.covariance == pytest.approx(covariance)
    assert fit.icc == pytest.approx(parts[0] / (parts[0] + parts[-1]))
    assert not fit.singular
    for place in range(len(parts)):  # no other variances nearby are likelier
        for sign in (1, -1):
            moved = parts + sign * 0.02 * (np.arange(len(parts)) == place)
            assert fitted_at(moved, y, matrix, team)[0] > criterion
    # Satterthwaite: 2 V² over the variance of V, by derivatives in the variances themselves.
    steps = 1e-3 * np.eye(len(parts))

    def variances(at):
        return np.diag(fitted_at(at, y, matrix, team)[2])

    gradient = np.array([(variances(parts + one) - variances(parts - one)) / 2e-3 for one in steps])
    corners = [
        [
            sum(s * t * fitted_at(parts + s * one + t * two, y, matrix, team)[0] for s in (1, -1) for t in (1, -1))
            for two in steps
        ]
        for one in steps
    ]
    spread = 2 * np.linalg.inv(np.array(corners) / 4e-6)
    below = np.array([column @ spread @ column for column in gradient.T])
    assert fit.df == pytest.approx(2 * np.diag(covariance) ** 2 / below, rel=2e-3)


def test_the_order_of_the_rows_and_the_names_of_the_teams_do_not_matter():
    y, matrix, team = uneven()
    order = np.random.default_rng(1).permutation(len(y))
    one = random_intercept(y, matrix, team, matrix[:, 0])
    other = random_intercept(y[order], matrix[order], 100 - 7 * team[order], matrix[order, 0])
    assert other.coefficients == pytest.approx(one.coefficients, rel=1e-6)
    assert other.between == pytest.approx(one.between, rel=1e-4) and other.df == pytest.approx(one.df, rel=1e-3)


def test_a_fit_is_singular_by_lme4s_rule():
    basics = {"coefficients": np.zeros(1), "covariance": np.eye(1), "df": np.ones(1), "within": 4.0, "criterion": 0.0}
    for ratio, singular in ((0.9e-8, True), (1.1e-8, False), (0.0, True)):
        assert Mixed(**basics, between=np.array([[4.0 * ratio]])).singular == singular
        turned = np.array([[1.0, 1.0], [1.0, 1.0 + 4.0 * 2 * ratio]])  # the smaller eigenvalue is nearly half of it
        assert Mixed(**basics, between=turned).singular == singular
    one = Mixed(**basics, between=np.array([[1.0, 9.0], [9.0, 99.0]]))
    assert one.icc == 0.2
    with pytest.raises(FrozenInstanceError):
        one.within = 1.0


def test_iccs_of_uneven_teams_follow_from_f():
    """Bliese's formulas: ICC(1) = (F - 1) / (F - 1 + mean size), ICC(2) = 1 - 1 / F."""
    rng = np.random.default_rng(3)
    team = rng.permutation(np.repeat([4, 7, 9, 2], [3, 5, 2, 6]))
    values = rng.normal(size=16) + team / 4
    f = stats.f_oneway(*(values[team == one] for one in np.unique(team))).statistic
    assert icc(values, team) == pytest.approx(((f - 1) / (f - 1 + 4), 1 - 1 / f))
    two = icc(values, (team > 5).astype(int))
    assert all(np.isfinite(two)), "two teams are enough"
    apart = np.array([1.0, -1, 1, -1, 1, -1])
    assert icc(apart, np.arange(6) // 2) == (pytest.approx(-1), -np.inf), "all of it lies inside of teams"


def test_what_is_too_little_for_teams_is_said_with_its_numbers():
    y, matrix = np.arange(6.0) ** 2, np.ones((6, 1))
    for team, number in ((np.arange(6) // 3, 2), (np.arange(6), 6)):
        with pytest.raises(EstimationError) as caught:
            random_intercept(y, matrix, team)
        assert str(caught.value) == (
            f"{number} clusters in 6 rows: telling clusters from people needs at least 3 clusters, and some with 2 people "
            "or more."
        )
    assert np.isfinite(random_intercept(y, matrix, np.arange(6) // 2).criterion), "3 are enough"
    assert np.isfinite(random_intercept(y, matrix, np.array([0, 1, 2, 3, 4, 4])).criterion), "one pair is enough"
    with pytest.raises(EstimationError) as caught:
        icc(y, np.zeros(6))
    assert str(caught.value) == "1 teams and 6 people: an ICC needs 2 teams, and some with 2 people or more."


def test_columns_that_tell_the_outcome_exactly_have_no_variances():
    x = np.array([1.0, 2, 4, 8, 16, 32])
    with pytest.raises(
        EstimationError, match="The mixed model's variances could not be found: the columns tell the outcome"
    ):
        random_intercept(0 * x, np.column_stack([x, np.ones(6)]), np.arange(6) // 2)
