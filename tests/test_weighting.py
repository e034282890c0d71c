"""The exposure modelled too: inverse probability, doubly robust; R's numbers, what must hold, refusals."""

from __future__ import annotations

import runpy
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from researchkit import wording
from researchkit.dataset import load_dataset
from researchkit.errors import DataError, EstimationError
from researchkit.estimators import crossed, doubly, estimate_sample, propensity
from researchkit.estimators.doubly import FOLDS, Crossfit, crossfit, deal, doubly_robust
from researchkit.estimators.learning import learned
from researchkit.estimators.likelihood import LOG, LOGIT, RunsAway
from researchkit.estimators.weighting import inverse_probability
from researchkit.study import load_study

BUILD = runpy.run_path(str(Path(__file__).with_name("test_estimators.py")))
sample, question = BUILD["sample"], BUILD["question"]
IPW, AIPW = "inverse probability", "doubly robust"
KINDS = ["score", "change", "yes_no", "counts", "ordered"]


# R's numbers


def test_lalonde(reference):
    frame = reference.frame("lalonde")
    others = {name: frame[name] for name in ("age", "educ", "married", "nodegree", "re74", "re75")}
    others |= {race: frame["race"] == race for race in ("hispan", "white")}
    effect = estimate_sample(sample(frame["re78"], frame["treat"], others), question("score"), model=IPW)
    difference, one, none = effect.model.terms
    assert effect.estimate == reference.value("ipw_lalonde", "ipw_ate_est")
    assert (difference.estimate, difference.se) == (effect.estimate, effect.se)
    assert effect.se == reference.value("ipw_lalonde", "ipw_ate_se_Mest")
    assert one.estimate == reference.value("ipw_lalonde", "ipw_ate_mu1")
    assert none.estimate == reference.value("ipw_lalonde", "ipw_ate_mu0")
    worth = [reference["ipw_lalonde"]["quantities"][f"ipw_ate_ess_{arm}"] for arm in ("treated", "control")]
    assert any(f"the sides are worth {' and '.join(map(wording.number, worth))} rows" in note for note in effect.notes)
    assert any(note.startswith("26 % of the rows have a propensity") for note in effect.notes)
    assert effect.df is None and effect.also == {}


def of(frame, outcome, exposure, adjust, cluster=None, **more):
    codes = None if cluster is None else pd.factorize(frame[cluster])[0]
    others = {name: frame[name] for name in adjust}
    return sample(frame[outcome], frame[exposure], others, cluster=codes, **more)


@pytest.fixture(scope="module")
def asked(held):
    """Each question of weighting.R: its kind's question and its sample."""
    stays, contacts = held.frames["stays"].copy(), held.frames["contacts"]
    stays["kind"] = (stays["compassion"] > 3.4).astype(float)
    stays["uneven"] = 0.2 + (stays["age"] % 7) ** 2
    again, back = stays[stays["anxiety_after"].notna()], stays[stays["readmitted_30d"].notna()]
    said = contacts[contacts["csat"].notna()].assign(csat=lambda frame: frame["csat"] - 1)
    likely = contacts[contacts["nps"].notna()]
    two, own = ("severity", "age"), ("severity", "tenure")
    watched = contacts["days_observed"].to_numpy(float)
    weights, before = back["uneven"].to_numpy(), again["anxiety_before"].to_numpy(float)
    eleven = {"levels": tuple(map(str, range(11))), "level_values": tuple(range(11))}
    return {
        "change": (question("change"), of(again, "anxiety_after", "kind", two, "nurse_id", baseline=before)),
        "risk": (question("yes_no"), of(back, "readmitted_30d", "kind", two)),
        "risk_weighted": (question("yes_no"), of(back, "readmitted_30d", "kind", two, "nurse_id", weights=weights)),
        "rate": (
            question("counts"),
            of(contacts, "contacts_next_90d", "trained", own, "agent_id", offset_time=watched),
        ),
        "top": (question("ordered", top=["4.0"]), of(said, "csat", "trained", own)),
        "nps": (question("ordered", nps=True), of(likely, "nps", "trained", own, **eleven)),
        "partial_score": (question("score"), of(stays, "length_of_stay", "compassion", two, "nurse_id")),
        "partial_risk": (question("yes_no"), of(back, "readmitted_30d", "compassion", two, weights=weights)),
        "partial_rate": (
            question("counts"),
            of(contacts, "contacts_next_90d", "severity", ("tenure", "month"), offset_time=watched),
        ),
    }


BINARY = ["change", "risk", "risk_weighted", "rate", "top", "nps"]


@pytest.mark.parametrize("name", BINARY)
def test_inverse_probability_is_the_stacked_equations(held, asked, name):
    """R's derivatives are numerical: good to some 7 digits."""
    effect, entry = estimate_sample(asked[name][1], asked[name][0], model=IPW), f"ipw_{name}"
    _, one, none = effect.model.terms
    assert effect.estimate == held(entry, "value")
    assert effect.se == held(entry, "se", 1e-6)
    assert (one.estimate, none.estimate) == (held(entry, "one"), held(entry, "none"))
    assert one.se == held(entry, "se_one", 1e-6)
    told = " ".join(effect.notes)
    assert f"propensities from {wording.number(held.values[entry]['lowest'])} to " in told
    assert f"the sides are worth {wording.number(held.values[entry]['worth_one'])} and " in told


@pytest.mark.parametrize(
    "name", [*(f"aipw_{name}" for name in BINARY), "partial_score", "partial_risk", "partial_rate"]
)
def test_the_doubly_robust_estimate_of_given_folds(held, asked, name):
    asked_for, of_it = asked[name.removeprefix("aipw_")]
    now = propensity.ready(of_it, asked_for)
    split = crossfit(now, of_it, asked_for, np.arange(1, len(of_it.outcome) + 1) % 5)
    assert split.value == held(name, "value")
    assert crossed.of_influence(split.influence, of_it)[0] == held(name, "se")


# What must hold


def world(rng, kind, n=400, teams=None, *, outcome_bends=False, exposure_bends=False, numeric=False):
    """People with a need and an age; care goes with need, and helps by about as much as need harms.

    A model of main effects is wrong for what bends: there need acts by its square.
    """
    need, age = rng.normal(size=(2, n))
    team = None if teams is None else rng.integers(0, teams, n)
    shared = 0 if teams is None else 0.4 * rng.normal(size=teams)[team]
    pull = 0.8 * (need**2 - 1 if exposure_bends else need) + 0.3 * age
    care = pull + rng.normal(size=n) if numeric else (rng.random(n) < 1 / (1 + np.exp(-pull))).astype(float)
    harm = need**2 - 1 if outcome_bends else need
    mood = 0.5 * care - 0.6 * harm + 0.2 * age + shared
    before = need + rng.normal(size=n)
    outcome = {"yes_no": mood + rng.logistic(size=n) > 0, "counts": rng.poisson(np.exp(0.4 * mood))}.get(kind)
    if kind == "ordered":
        outcome = np.digitize(mood + rng.logistic(size=n), [-0.5, 0.7])
    outcome = mood + rng.normal(size=n) if outcome is None else outcome
    return sample(outcome, care, {"need": need, "age": age}, cluster=team, baseline=before)


@pytest.mark.parametrize("model", [IPW, AIPW])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_near_its_own_model(kind, model):
    """Where that model is right. Both see the same people, so they differ by less than their errors (ordered: that of
    the share alone, of which proportional odds make more)."""
    of_it = world(np.random.default_rng(1), kind, 4000)
    other, own = (estimate_sample(of_it, question(kind), model=each) for each in (model, None))
    assert abs(other.estimate - own.estimate) < (1.5 if kind == "ordered" else 1) * own.se
    assert other.se == pytest.approx(own.se, rel=0.5)
    assert (other.unit, other.kind, other.n) == (own.unit, kind, 4000)
    assert np.sign(other.low) == np.sign(own.low)


@pytest.mark.parametrize(("outcome_bends", "exposure_bends"), [(False, False), (True, False), (False, True)])
def test_the_doubly_robust_estimate_is_right_when_either_model_is(outcome_bends, exposure_bends):
    """Mean of 60 worlds of 1000 against the truth, within 3 standard errors of that mean."""
    rng, found = np.random.default_rng(2), []
    for _ in range(60):
        of_it = world(rng, "score", 1000, outcome_bends=outcome_bends, exposure_bends=exposure_bends)
        found.append(estimate_sample(of_it, question("score"), model=AIPW).estimate)
    assert abs(np.mean(found) - 0.5) < 3 * np.std(found) / np.sqrt(60)


def test_with_both_models_wrong_it_is_wrong_and_each_alone_errs_where_it_should():
    """So that the test above could have failed: the same bends bias least squares, weights, and both together."""
    found = {"both": [], "outcome": [], "exposure": []}
    rng = np.random.default_rng(3)
    for _ in range(60):
        of_it = world(rng, "score", 1000, outcome_bends=True, exposure_bends=True)
        found["both"].append(estimate_sample(of_it, question("score"), model=AIPW).estimate)
        found["outcome"].append(estimate_sample(of_it, question("score")).estimate)
        found["exposure"].append(estimate_sample(of_it, question("score"), model=IPW).estimate)
    for name, values in found.items():
        assert abs(np.mean(values) - 0.5) > 6 * np.std(values) / np.sqrt(60), name


@pytest.mark.parametrize(
    ("model", "kind", "teams", "numeric"),
    [
        (IPW, "score", None, False),
        (IPW, "score", 30, False),
        (AIPW, "score", None, False),
        (AIPW, "score", 30, False),
        (AIPW, "score", 30, True),
        (AIPW, "change", None, True),
    ],
)
def test_intervals_cover_the_truth_as_often_as_they_say(model, kind, teams, numeric):
    """200 worlds of 400: 95 % within 3 standard errors of such a share (4.6 points), and errors as the spread is."""
    rng, inside, estimates, errors = np.random.default_rng(5), [], [], []
    for _ in range(200):
        effect = estimate_sample(world(rng, kind, 400, teams, numeric=numeric), question(kind), model=model)
        inside.append(effect.low <= 0.5 <= effect.high)
        estimates.append(effect.estimate)
        errors.append(effect.se)
    assert abs(np.mean(inside) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 200)
    assert np.mean(errors) == pytest.approx(np.std(estimates), rel=0.15)


@pytest.mark.parametrize("model", [IPW, AIPW])
def test_without_covariates_it_is_the_plain_difference(model):
    rng = np.random.default_rng(6)
    care = np.arange(100) % 2
    of_it = sample(rng.normal(size=100) + care, care)
    effect = estimate_sample(of_it, question("score"), model=model)
    sides = [of_it.outcome[care == arm] for arm in (1, 0)]
    assert effect.estimate == pytest.approx(sides[0].mean() - sides[1].mean(), abs=0.02 if model == AIPW else 1e-12)
    by_hand = np.sqrt(sum(side.var() / 50 for side in sides))
    assert effect.se == pytest.approx(by_hand, rel=0.1 if model == AIPW else 1e-9)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from(KINDS), st.sampled_from([IPW, AIPW]))
def test_turning_the_exposure_turns_the_sign(seed, kind, model):
    of_it, asked = world(np.random.default_rng(seed), kind), question(kind)
    turned = SimpleNamespace(**(vars(of_it) | {"exposure": 1 - of_it.exposure}))
    if model == IPW:
        one, other = (estimate_sample(each, asked, model=model) for each in (of_it, turned))
        assert (one.estimate, one.se) == pytest.approx((-other.estimate, other.se), rel=1e-6, abs=1e-9)
    else:
        folds = np.arange(400) % 5
        one, other = (crossfit(propensity.ready(each, asked), each, asked, folds) for each in (of_it, turned))
        assert one.value == pytest.approx(-other.value, rel=1e-6, abs=1e-9)
        assert one.influence == pytest.approx(-other.influence, rel=1e-6, abs=1e-9)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from(["score", "yes_no"]), st.sampled_from([IPW, AIPW]))
def test_units_of_covariates_and_weights_do_not_matter(seed, kind, model):
    of_it = world(np.random.default_rng(seed), kind)
    of_it.weights = np.random.default_rng(seed).uniform(0.5, 3, 400)
    changed = {"covariates": of_it.covariates * [1e-4, 1e5] + [3, -7e5], "weights": of_it.weights * 1e6}
    one, other = (
        estimate_sample(each, question(kind), model=model) for each in (of_it, SimpleNamespace(**vars(of_it) | changed))
    )
    assert (one.estimate, one.se) == pytest.approx((other.estimate, other.se), rel=1e-6)


def test_whole_weights_are_repeated_rows_in_the_estimate():
    of_it = world(np.random.default_rng(8), "score", 300)
    times = np.random.default_rng(8).integers(1, 4, 300)
    longer = sample(
        np.repeat(of_it.outcome, times),
        np.repeat(of_it.exposure, times),
        dict(zip(("need", "age"), np.repeat(of_it.covariates, times, axis=0).T, strict=True)),
        cluster=np.repeat(np.arange(300), times),
    )
    of_it.weights = times.astype(float)
    one, other = (estimate_sample(each, question("score"), model=IPW) for each in (of_it, longer))
    assert one.estimate == pytest.approx(other.estimate)
    assert one.se == pytest.approx(other.se * np.sqrt(299 / 300))


def test_further_levels_have_propensities_of_their_own():
    """Everybody with the level against everybody with the reference, those of the third level among everybody."""
    rng, found = np.random.default_rng(9), {IPW: [], AIPW: []}
    for _ in range(40):
        need = rng.normal(size=900)
        pulls = np.exp(np.column_stack([np.zeros(900), 0.7 * need, -0.7 * need]))
        arm = (rng.random((900, 1)) > np.cumsum(pulls / pulls.sum(axis=1, keepdims=True), axis=1)).sum(axis=1)
        # Care helps those in need: the mean effect on everybody is 1, on the two levels alone it is not.
        mood = np.array([0.0, 1.0, 5.0])[arm] + need * (arm == 1) + need + rng.normal(size=900)
        of_it = sample(mood, arm == 1, {"care: much": arm == 2, "need": need}, groups=("care", "need"))
        for model in found:
            found[model].append(estimate_sample(of_it, question("score"), model=model).estimate)
    for model, values in found.items():
        # Two binary models for three levels are nearly right here, not exactly.
        assert np.mean(values) == pytest.approx(1, abs=3 * np.std(values) / np.sqrt(40) + 0.03), model


def test_two_kinds_of_clusters_that_cross(asked):
    rng = np.random.default_rng(10)
    of_it = world(rng, "score", 600, 30)
    of_it.crossed, of_it.crossed_name = rng.integers(0, 20, 600), "month"
    for model in (IPW, AIPW):
        effect = estimate_sample(of_it, question("score"), model=model)
        assert (effect.df, effect.clusters) == (19, 20)
        assert "clustered two ways, by team and month" in effect.method


# Folds


@pytest.mark.parametrize("kind", ["score", "yes_no"])
def test_folds_are_alike_in_the_exposure_and_keep_clusters_whole(kind):
    rng = np.random.default_rng(11)
    of_it = world(rng, kind, 503, 23)
    folds = deal(of_it, question(kind), rng)
    assert all(len(np.unique(folds[of_it.cluster == team])) == 1 for team in np.unique(of_it.cluster))
    assert len(np.unique(folds)) == FOLDS
    of_it.cluster = None
    folds = deal(of_it, question(kind), rng)
    for values in [of_it.exposure] + ([of_it.outcome] if kind == "yes_no" else []):
        table = np.array([np.bincount(folds[values == side], minlength=FOLDS) for side in (0, 1)])
        assert np.all(np.ptp(table, axis=1) <= 4)
    of_it.exposure = rng.normal(size=503)  # no two alike, so that only the lot within each five can differ
    assert np.any(deal(of_it, question("score"), rng) != deal(of_it, question("score"), rng))


def test_three_clusters_make_three_folds(asked):
    of_it = world(np.random.default_rng(12), "score", 300, 3)
    assert set(deal(of_it, question("score"), np.random.default_rng(0))) == {0, 1, 2}
    effect = estimate_sample(of_it, question("score"), model=AIPW)
    assert effect.df == 2 and "cross-fitted in 3 folds" in effect.method


def test_the_answer_is_the_same_every_time_and_its_error_holds_the_luck_of_the_splits():
    of_it = world(np.random.default_rng(13), "score", 200)
    one, same = (estimate_sample(of_it, question("score"), model=AIPW) for _ in range(2))
    assert (one.estimate, one.se) == (same.estimate, same.se)
    other = doubly_robust(of_it, question("score"), rng=np.random.default_rng(1))
    assert one.estimate != other.estimate and one.estimate == pytest.approx(other.estimate, abs=one.se / 4)
    now, rng = propensity.ready(of_it, question("score")), np.random.default_rng(1)
    splits = [crossfit(now, of_it, question("score"), deal(of_it, question("score"), rng)) for _ in range(5)]
    middle = np.median([split.value for split in splits])
    wide = [split.influence @ split.influence + (split.value - middle) ** 2 for split in splits]
    assert (other.estimate, other.se) == pytest.approx((middle, np.sqrt(np.median(wide))))
    lowest, highest = (pick(split.value for split in splits) for pick in (min, max))
    assert any(f"{wording.number(lowest, 3)} to {wording.number(highest, 3)} points" in note for note in other.notes)


def test_rare_levels_are_predicted_as_the_others_where_a_fold_cannot_tell_them():
    """Two people at a level, one with care: some folds learn from one of them or none. The note names the level."""
    of_it = world(np.random.default_rng(14), "score", 200)
    rare = np.zeros(200)
    rare[[np.flatnonzero(of_it.exposure == side)[0] for side in (0, 1)]] = 1
    need = of_it.covariates[:, 0]
    with_it, without = (
        estimate_sample(sample(of_it.outcome, of_it.exposure, others), question("score"), model=AIPW)
        for others in ({"need": need, "rare": rare}, {"need": need})
    )
    assert with_it.estimate == pytest.approx(without.estimate, abs=without.se / 2)
    told = "too rare for a model of their own in some folds, and predicted there as the others: rare"
    assert told in with_it.notes and not any("too rare" in note for note in without.notes)


@pytest.mark.parametrize("numeric", [False, True])
@pytest.mark.parametrize("kind", ["yes_no", "counts"])
def test_a_level_with_few_events_does_not_stop_the_folds(kind, numeric):
    of_it = world(np.random.default_rng(23), kind, 300, numeric=numeric)
    level = np.arange(300) < 15
    outcome = np.where(level, np.arange(300) == 2, of_it.outcome)
    asked = sample(outcome, of_it.exposure, {"level": level, "need": of_it.covariates[:, 0]})
    effect = estimate_sample(asked, question(kind), model=AIPW)
    assert np.isfinite(effect.se) and any(note.endswith("as the others: level") for note in effect.notes)


def test_what_is_learned_is_glm():
    rng = np.random.default_rng(24)
    matrix = np.column_stack([rng.normal(size=(80, 2)), np.ones(80)])
    weights = rng.uniform(0.5, 2, 80)
    for link, family, outcome in (
        (LOGIT, sm.families.Binomial(), rng.integers(0, 2, 80)),
        (LOG, sm.families.Poisson(), rng.poisson(2, 80) / 3),
    ):
        other = sm.GLM(outcome, matrix, family=family, var_weights=weights).fit(tol=1e-14)
        assert learned(link, matrix, outcome.astype(float), weights).at == pytest.approx(other.params, rel=1e-8)
    twice = np.column_stack([matrix[:, 0], 2 * matrix[:, 0], matrix[:, 1:]])
    assert learned(LOGIT, twice, np.arange(80.0) % 2, weights)(twice) == pytest.approx(
        learned(LOGIT, matrix, np.arange(80.0) % 2, weights)(matrix)
    )


# Limits


def test_an_interval_is_of_95_per_cent_unless_another_is_asked_for():
    of_it = world(np.random.default_rng(1), "score", 100)
    found = inverse_probability(of_it, question("score"))
    assert found == inverse_probability(of_it, question("score"), 0.95) and found.level == 0.95


@pytest.mark.parametrize("weighted", [False, True])
def test_few_people_by_equations_stacked_with_numerical_derivatives(weighted):
    """Lunceford and Davidian's IPW2 among 100: the propensity's equations beside those of both means."""
    of_it = world(np.random.default_rng(4), "score", 100)
    people = np.random.default_rng(5).uniform(0.5, 3, 100) if weighted else np.ones(100)
    of_it.weights = people if weighted else None
    care, reasons = of_it.exposure, sm.add_constant(of_it.covariates)

    def equations(at):
        chance = 1 / (1 + np.exp(-reasons @ at[:3]))
        one, none = people * care / chance, people * (1 - care) / (1 - chance)
        means = one * (of_it.outcome - at[3]), none * (of_it.outcome - at[4])
        return np.column_stack([reasons * (people * (care - chance))[:, None], *means])

    fit = sm.GLM(care, reasons, family=sm.families.Binomial(), var_weights=people).fit(tol=1e-13)
    chance = fit.fittedvalues
    means = [
        np.average(of_it.outcome[arm], weights=(people / own)[arm])
        for arm, own in ((care == 1, chance), (care == 0, 1 - chance))
    ]
    at, steps = np.append(fit.params, means), 1e-6 * np.eye(5)
    bread = np.linalg.inv(np.array([(equations(at + s) - equations(at - s)).sum(axis=0) / 2e-6 for s in steps]).T)
    moved = (equations(at) @ bread.T)[:, 3:]
    moved = np.column_stack([moved[:, 0] - moved[:, 1], moved])
    found = inverse_probability(of_it, question("score"), 0.9)
    values = (means[0] - means[1], *means)
    for term, value, one in zip(found.model.terms, values, moved.T, strict=True):
        se = np.sqrt(one @ one)
        assert (term.estimate, term.se) == pytest.approx((value, se), rel=1e-5)
        assert (term.low, term.high) == pytest.approx((value - 1.6448536 * se, value + 1.6448536 * se), rel=1e-4)
    assert [one.term for one in found.model.terms] == ["care", "mean with care", "mean without"]
    more = ", weighted" if weighted else ""
    assert found.method.endswith(f"propensity by logistic regression, errors that allow for its estimation{more}")


# Refusals


def half(n=60):
    return np.arange(n) % 2


NOISE = np.random.default_rng(15).normal(size=(2, 60))
ALONE = np.where(np.arange(60) < 12, 0, np.arange(60) // 4)  # 13 teams; the first has 12 people
REFUSED = [
    (IPW, "score", sample(NOISE[0], NOISE[1]), "care is a number. Name a `reference` and a `level`"),
    (IPW, "score", sample(NOISE[0], np.ones(60)), "care is the same in all 60 complete rows"),
    (AIPW, "score", sample(NOISE[0], np.ones(60)), "care is the same in all 60 complete rows"),
    (IPW, "score", sample(NOISE[0], half(), {"need": half() + 0.4 * NOISE[1] ** 2 / 9}), "need, alone or with"),
    (AIPW, "score", sample(NOISE[0], half(), {"need": half() + 0.4 * NOISE[1] ** 2 / 9}), "tells exactly who has care"),
    (AIPW, "score", sample(NOISE[0], half(), {"rare": np.arange(60) == 3}), "rare, alone or with other columns"),
    (IPW, "score", sample(NOISE[0], half(), {"need": half() * 3.0 - 7}), "care is fully determined by need"),
    (IPW, "score", sample(NOISE[0], half(), weights=half() - 0.0), "30 weights are zero or negative"),
    (AIPW, "score", sample(NOISE[0], half(), weights=np.where(half(), np.inf, 1)), "the weights has 30 values that"),
    (IPW, "yes_no", sample(half(), half(), {"need": NOISE[0]}), "all rows with care have the same score"),
    (AIPW, "yes_no", sample(half() * 2, half(), {"need": NOISE[0]}), "30 outcomes are neither 0 nor 1"),
    (AIPW, "counts", sample(half() * (NOISE[0] > 0), half()), "all rows without care have the same score"),
    (IPW, "counts", sample(NOISE[0], half()), "are not whole numbers"),
    (IPW, "ordered", sample(NOISE[0] > 0, half()), "all answers to score fall into one group"),
    (IPW, "ordered", sample(NOISE[0], half()), "answers have no place in the order"),
    (IPW, "change", sample(NOISE[0], half()), "its sample has no baseline"),
    (AIPW, "score", sample(NOISE[0], ALONE == 0, cluster=ALONE), "are one single team and nobody else is in it"),
    (
        AIPW,
        "score",
        sample(NOISE[0], (ALONE == 0) & (np.arange(60) > 1), cluster=ALONE),
        "all rows with care are in one fold of team",
    ),
    (IPW, "duration", sample(NOISE[0] ** 2, half(), event=np.ones(60)), "goes with outcomes of kind score, change"),
    (AIPW, "duration", sample(NOISE[0] ** 2, half(), event=np.ones(60)), "and score is of kind duration"),
    (AIPW, "yes_no", sample(np.arange(60) > 20, NOISE[0], {"need": np.arange(60)}), "no finite best fit in one of 5"),
]


@pytest.mark.parametrize(("model", "kind", "asked", "words"), REFUSED)
def test_what_cannot_be_told_is_refused_by_name(model, kind, asked, words):
    more = {"event": "left", "horizon": 1.0} if kind == "duration" else {}
    with pytest.raises(EstimationError, match=words):
        estimate_sample(asked, question(kind, **more), model=model)


@pytest.mark.parametrize("model", [IPW, AIPW])
def test_a_side_that_rests_on_few_people_is_refused(model):
    rng = np.random.default_rng(16)
    need = rng.normal(size=600)
    care = (rng.random(600) < 1 / (1 + np.exp(-6 * need - 5))).astype(float)
    with pytest.raises(
        EstimationError, match=r"after weighting one side is worth [0-9.]+ rows; at least 10 are needed"
    ):
        estimate_sample(sample(rng.normal(size=600), care, {"need": need}), question("score"), model=model)


def test_the_folds_own_propensities_must_leave_enough_too(monkeypatch):
    of_it = world(np.random.default_rng(20), "score")
    fine = np.full(400, 0.5)
    thin = np.where(np.arange(400) < 8, 1e-6, 0.5)
    monkeypatch.setattr(doubly, "crossfit", lambda *_: Crossfit(0.0, fine, (fine, fine)))
    assert estimate_sample(of_it, question("score"), model=AIPW).estimate == 0
    monkeypatch.setattr(doubly, "crossfit", lambda *_: Crossfit(0.0, fine, (fine, thin)))
    with pytest.raises(EstimationError, match=r"one side is worth [0-9.]+ rows"):
        estimate_sample(of_it, question("score"), model=AIPW)


@pytest.mark.parametrize(("link", "outcome"), [(LOGIT, 0.0), (LOGIT, 1.0), (LOG, 0.0)])
def test_nothing_is_learned_where_everybody_is_alike(link, outcome):
    with pytest.raises(RunsAway) as away:
        learned(link, np.column_stack([NOISE[0], np.ones(60)]), np.full(60, outcome), np.ones(60))
    assert np.isfinite(away.value.at).all() and len(away.value.at) == 2


def test_covariates_that_determine_each_other_are_left_out_and_named():
    of_it = world(np.random.default_rng(17), "score")
    need, age = of_it.covariates.T
    doubled = sample(of_it.outcome, of_it.exposure, {"need": need, "age": age, "again": 2 * need - age})
    for model in (IPW, AIPW):
        one, other = (estimate_sample(each, question("score"), model=model) for each in (of_it, doubled))
        assert (one.estimate, one.se) == pytest.approx((other.estimate, other.se))
        assert "left out because the other covariates determine them: again" in other.notes


@pytest.mark.parametrize(
    ("exposure", "share"), [(0.5, None), (0.02, "4 %"), (0.004, None)], ids=["half", "few", "very few"]
)
def test_poor_overlap_is_noted_by_its_share(exposure, share):
    """People with a rare trait have the exposure hardly ever; a share below 1 % is not worth a note."""
    rng = np.random.default_rng(18)
    rare = np.arange(20_000) % 25 == 0 if share else np.arange(20_000) % 250 == 0
    care = rng.random(20_000) < np.where(rare, exposure, 0.5)
    effect = estimate_sample(sample(rng.normal(size=20_000), care, {"rare": rare}), question("score"), model=IPW)
    noted = [place for place, note in enumerate(effect.notes) if note.startswith("poor overlap")]
    assert len(noted) == (share is not None)
    assert all(f"{share} of the rows have a propensity" in effect.notes[place + 1] for place in noted)


def test_poor_overlap_counts_people_not_rows():
    rng = np.random.default_rng(18)
    rare = np.arange(20_000) % 25 == 0
    care, weights = rng.random(20_000) < np.where(rare, 0.02, 0.5), np.where(rare, 3.0, 1.0)
    of_it = sample(rng.normal(size=20_000), care, {"rare": rare}, weights=weights)
    notes = estimate_sample(of_it, question("score"), model=IPW).notes
    assert any("11 % of the rows have a propensity" in note for note in notes)


# The study file


def test_weights_of_an_alternative_are_read_and_must_be_numbers(tmp_path):
    asked = {"id": "q", "title": "?", "claim": "BUR-1", "exposure": "care", "smallest_effect": 1}
    asked |= {"outcome": {"column": "score", "kind": "score"}, "alternatives": ["other"]}
    study = {"title": "t", "seed": 1, "design": "observational", "files": "a.csv", "people": "id"}
    study |= {"questions": [asked], "alternatives": {"other": {"label": "Weighted", "weights": "w", "model": IPW}}}
    (tmp_path / "study.yml").write_text(yaml.safe_dump(study), encoding="utf-8")
    rows = [f"{i},{i % 3},{i % 7},{1 + i % 2}" for i in range(30)]
    (tmp_path / "a.csv").write_text("\n".join(["id,care,score,w", *rows]), encoding="utf-8")
    found = load_study(tmp_path)
    assert (found.alternatives["other"].weights, found.alternatives["other"].model) == ("w", IPW)
    assert "w" in load_dataset(found).frame.columns
    (tmp_path / "a.csv").write_text("\n".join(["id,care,score,w", *rows, "30,1,2,heavy"]), encoding="utf-8")
    with pytest.raises(DataError, match="heavy"):
        load_dataset(found)


def test_twenty_thousand_rows_take_a_second_or_two():
    """On an idle machine 0.1 and 1 second; the bounds, of this thread's own time, allow for a busy one."""
    of_it = world(np.random.default_rng(19), "yes_no", 20_000, 300)
    for model, bound in ((IPW, 2), (AIPW, 8)):
        begun = time.thread_time()
        estimate_sample(of_it, question("yes_no"), model=model)
        assert time.thread_time() - begun < bound
