"""One effect a kind of outcome: R's numbers, what must hold for any data, and refusals with their words."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from researchkit.designs import Dose
from researchkit.errors import EstimationError
from researchkit.estimators import estimate, estimate_sample
from researchkit.estimators.likelihood import LOGIT, fitted, spread
from researchkit.estimators.promoters import nps
from researchkit.parts import Question

NONE = dict.fromkeys(
    ("cluster", "cluster_name", "crossed", "crossed_name", "weights", "event", "entry", "offset_time", "baseline")
)


def sample(outcome, exposure, covariates=None, **more):
    """The arrays of a question; `covariates` maps names to columns."""
    covariates = {} if covariates is None else covariates
    outcome, exposure = np.asarray(outcome, dtype=float), np.asarray(exposure, dtype=float)
    columns = np.array([np.asarray(column, dtype=float) for column in covariates.values()]).T
    basics = {
        "outcome": outcome,
        "exposure": exposure,
        "covariates": columns.reshape(len(outcome), len(covariates)),
        "names": tuple(covariates),
        "groups": tuple(covariates),
        "levels": (),
        "level_values": (),
        "level_codes": (),
        "binary_exposure": set(np.unique(exposure)) <= {0, 1},
        "contrast": "care +1 point",
        "exposure_name": "care",
        "people": len(outcome),
        "rows": len(outcome) + 3,
        "flow": (SimpleNamespace(why="score missing", rows=3),),
    }
    if more.get("cluster") is not None:
        more.setdefault("cluster_name", "team")
    return SimpleNamespace(**(basics | NONE | more))


def question(kind, **outcome):
    needs = {"ordered": {"top": ["2"]}, "change": {"baseline": "before"}}.get(kind, {})
    told = {"column": "score", "kind": kind} | ({} if outcome.get("nps") else needs) | outcome
    return Question(id="q", title="Does it?", claim="BUR-1", exposure="care", outcome=told, smallest_effect=1)


@pytest.fixture
def rng():
    return np.random.default_rng(20)


# R's numbers


@pytest.fixture(scope="module")
def birthwt(reference):
    frame = reference.frame("birthwt")
    frame["race2"], frame["race3"] = frame["race"] == 2, frame["race"] == 3
    return frame


BIRTHWT = ["age", "lwt", "race2", "race3", "smoke", "ht", "ui"]


def test_risk_difference_and_odds_ratio(reference, birthwt):
    others = {name: birthwt[name] for name in BIRTHWT if name != "smoke"}
    effect = estimate_sample(sample(birthwt["low"], birthwt["smoke"], others), question("yes_no"))
    ratio, low, high = effect.also["odds ratio"]
    found = {"rd_smoke": effect.estimate, "se_rd_smoke": effect.se, "p_rd_smoke": effect.p}
    found |= {"ci95lo_rd_smoke": effect.low, "ci95hi_rd_smoke": effect.high}
    found |= {"or_smoke": ratio, "or_wald_lo_smoke": low, "or_wald_hi_smoke": high}
    for term in effect.model.terms:
        name = "smoke" if term.term == "care" else term.term
        found |= {f"b_{name}": term.estimate, f"se_{name}": term.se, f"p_{name}": term.p}
    assert len(found) == 32
    for quantity, value in found.items():
        assert value == reference.value("logit_ame_birthwt", quantity), quantity


def test_average_slope_of_a_risk(reference, birthwt):
    others = {name: birthwt[name] for name in BIRTHWT if name != "age"}
    effect = estimate_sample(sample(birthwt["low"], birthwt["age"], others), question("yes_no"))
    assert effect.estimate == reference.value("logit_ame_birthwt", "ame_age")
    assert effect.se == reference.value("logit_ame_birthwt", "se_ame_age")


def test_weights_of_one_give_the_sandwich_errors(reference, birthwt):
    others = {name: birthwt[name] for name in BIRTHWT if name != "smoke"}
    weighted = sample(birthwt["low"], birthwt["smoke"], others, weights=np.ones(len(birthwt)))
    effect = estimate_sample(weighted, question("yes_no"))
    assert effect.se == reference.value("logit_ame_birthwt", "se_rd_smoke_HC0")
    assert effect.model.terms[0].se == reference.value("logit_ame_birthwt", "se_HC0_smoke")


def test_change_is_analysis_of_covariance(reference):
    frame = reference.frame("anorexia")
    family = {"TreatFT": frame["Treat"] == "FT"}
    asked = sample(frame["Postwt"], frame["Treat"] == "CBT", family, baseline=frame["Prewt"].to_numpy(float))
    effect = estimate_sample(asked, question("change"))
    found = {"b_TreatCBT": effect.estimate, "se_HC3_TreatCBT": effect.se, "p_HC3_TreatCBT": effect.p}
    found |= {"ci95lo_HC3_TreatCBT": effect.low, "ci95hi_HC3_TreatCBT": effect.high, "df_resid": effect.df}
    baseline = effect.model.terms[1]
    found |= {"b_Prewt": baseline.estimate, "se_HC3_Prewt": baseline.se}
    for quantity, value in found.items():
        assert value == reference.value("ols_hc3_anorexia", quantity), quantity
    assert effect.method == "analysis of covariance on the baseline, HC3 errors"


def test_proportional_odds(reference):
    frame = reference.frame("housing_long")
    others = {f"Infl{level}": frame["Infl"] == level for level in ("Medium", "High")}
    others |= {f"Type{kind}": frame["Type"] == kind for kind in ("Apartment", "Atrium", "Terrace")}
    levels = ("Low", "Medium", "High")
    asked = sample(
        frame["Sat"].map(levels.index), frame["Cont"] == "High", others, levels=levels, level_values=(0, 1, 2)
    )
    effect = estimate_sample(asked, question("ordered", top=["High"]))
    names = {"care": "b_ContHigh", "Low | Medium": "cut_Low|Medium", "Medium | High": "cut_Medium|High"}
    for term in effect.model.terms:
        quantity = names.get(term.term, f"b_{term.term}")
        assert term.estimate == reference.value("ordinal_housing", quantity), quantity
        error = quantity.replace("b_", "se_", 1) if quantity.startswith("b_") else f"se_{quantity}"
        assert term.se == reference.value("ordinal_housing", error), error
    assert effect.also["odds ratio"][0] == reference.value("ordinal_housing", "or_ContHigh")


def test_rates_with_exposure_time(reference):
    frame = reference.frame("Insurance")
    others = {f"District{code}": frame["District"] == code for code in (3, 4)}
    others |= {f"Group{name.replace('>', 'gt')}": frame["Group"] == name for name in ("1-1.5l", "1.5-2l", ">2l")}
    others |= {f"Age{name.replace('>', 'gt')}": frame["Age"] == name for name in ("25-29", "30-35", ">35")}
    asked = sample(frame["Claims"], frame["District"] == 2, others, offset_time=frame["Holders"].to_numpy(float))
    effect = estimate_sample(asked, question("counts", time="Holders"))
    for term in effect.model.terms:
        name = "District2" if term.term == "care" else term.term
        assert term.estimate == reference.value("poisson_offset_insurance", f"b_{name}"), name
        assert term.se == reference.value("poisson_offset_insurance", f"se_HC0_{name}"), name
    assert effect.also["rate ratio"][0] == reference.value("poisson_offset_insurance", "rr_District2")
    assert effect.unit == "events per unit of Holders"


@pytest.mark.parametrize("who", ["all", "female", "male"])
def test_net_promoter_score(reference, who):
    frame = reference.frame("beps_score0_10")
    scores = frame["score"] if who == "all" else frame.loc[frame["gender"] == who, "score"]
    for quantity, value in zip(("nps", "se_n", "ci95lo", "ci95hi"), nps(scores.to_numpy()), strict=True):
        assert value == reference.value("nps_beps", f"{quantity}_{who}")


# What must hold


def test_cr1_of_a_logit_equals_statsmodels(rng):
    cluster, care = rng.integers(0, 25, 400), rng.normal(size=400)
    outcome = (rng.random(400) < 1 / (1 + np.exp(-0.5 * care - rng.normal(size=25)[cluster]))).astype(float)
    matrix = sm.add_constant(care)
    at, information = fitted(LOGIT, matrix, outcome, None)
    found = spread(information, matrix * (outcome - LOGIT.mean(matrix @ at))[:, None], cluster, robust=False)
    other = sm.GLM(outcome, matrix, sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": cluster}, tol=1e-14
    )
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx(other.bse, rel=1e-8)
    assert (found.df, found.errors) == (24, "CR1")


def test_clustered_ordered_errors_follow_from_numerical_scores(rng):
    from researchkit.estimators.ordered import _derivatives, fit

    matrix, answer = rng.normal(size=(60, 2)), np.arange(60) % 4
    at, information, scores = fit(matrix, answer, None, ("a", "b"))
    each = [_derivatives(matrix[[i, *range(4)]], answer[[i, *range(4)]], np.eye(5)[0]) for i in range(60)]
    for place in range(len(at)):
        step = np.eye(len(at))[place] * 1e-5
        numerical = [(row(at + step)[0] - row(at - step)[0]) / 2e-5 for row in each]
        assert scores[:, place] == pytest.approx(numerical, abs=1e-7)
    whole = _derivatives(matrix, answer, np.ones(60))
    step = np.eye(len(at))[0] * 1e-5
    assert (whole(at - step)[1] - whole(at + step)[1]) / 2e-5 == pytest.approx(information[0], abs=1e-6)


@pytest.mark.parametrize("kind", ["score", "change", "yes_no", "ordered", "counts"])
@pytest.mark.parametrize("binary", [True, False])
def test_a_standard_error_is_the_spread_of_the_estimate(kind, binary):
    """Model-based, robust and clustered errors alike, against 200 new samples of the same world."""
    rng, estimates, errors = np.random.default_rng(4), [], []
    for _ in range(200):
        asked = world(rng, kind, binary)
        effect = estimate_sample(asked, question(kind))
        estimates.append(effect.estimate)
        errors.append(effect.se)
    assert np.mean(errors) == pytest.approx(np.std(estimates), rel=0.15)


def world(rng, kind, binary):
    """250 people in 25 teams that differ; care depends on need."""
    team, need = np.repeat(np.arange(25), 10), rng.normal(size=250)
    care = (rng.random(250) < 1 / (1 + np.exp(-need))).astype(float) if binary else rng.normal(size=250) + 0.3 * need
    mood = 0.4 * care + 0.3 * need + 0.3 * rng.normal(size=25)[team] + rng.normal(size=250)
    outcome = {"yes_no": mood > 0, "ordered": np.digitize(mood, [-0.5, 0.7])}.get(kind, mood)
    if kind == "counts":
        outcome = rng.poisson(np.exp(0.3 * care + 0.2 * need + 0.2 * rng.normal(size=25)[team]))
    return sample(outcome, care, {"need": need}, cluster=team, baseline=need + rng.normal(size=250))


@pytest.mark.parametrize("kind", ["score", "yes_no"])
def test_intervals_cover_the_truth_as_often_as_they_say(kind):
    """400 worlds of 24 teams, half of them with care: the exposure hardest for clustered errors."""
    rng, inside = np.random.default_rng(11), []
    for _ in range(400):
        team = np.repeat(np.arange(24), 12)
        care = (team % 2).astype(float)
        mood = 0.5 * care + 0.5 * rng.normal(size=24)[team] + rng.normal(size=288)
        outcome, truth = (mood, 0.5) if kind == "score" else (mood > 0.5, 0.5 - 0.32735)
        effect = estimate_sample(sample(outcome, care, cluster=team), question(kind))
        inside.append(effect.low <= truth <= effect.high)
    assert 0.92 <= np.mean(inside) <= 0.98


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["score", "yes_no", "ordered", "counts"]), st.booleans())
def test_turning_the_exposure_turns_the_sign(seed, kind, binary):
    asked = world(np.random.default_rng(seed), kind, binary)
    turned = SimpleNamespace(**(vars(asked) | {"exposure": 1 - asked.exposure if binary else -asked.exposure}))
    one, other = estimate_sample(asked, question(kind)), estimate_sample(turned, question(kind))
    assert (one.estimate, one.low, one.se) == pytest.approx(
        (-other.estimate, -other.high, other.se), rel=1e-6, abs=1e-9
    )


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["score", "yes_no", "ordered", "counts"]), st.floats(1e-6, 1e6))
def test_the_unit_of_the_exposure_scales_the_effect_and_nothing_else(seed, kind, factor):
    asked = world(np.random.default_rng(seed), kind, False)
    finer = SimpleNamespace(**(vars(asked) | {"exposure": asked.exposure * factor + 3 * factor}))
    one, other = estimate_sample(asked, question(kind)), estimate_sample(finer, question(kind))
    assert (one.estimate, one.se) == pytest.approx((other.estimate * factor, other.se * factor), rel=1e-6)
    assert one.p == pytest.approx(other.p, rel=1e-5)


def test_without_covariates_the_effects_are_plain_differences(rng):
    care = np.repeat([0, 1], 60)
    counted, time = rng.poisson(2, 120), rng.uniform(1, 3, 120)
    rate = estimate_sample(sample(counted, care, offset_time=time), question("counts"))
    by_hand = [counted[care == arm].sum() / time[care == arm].sum() for arm in (0, 1)]
    assert rate.estimate == pytest.approx(by_hand[1] - by_hand[0])
    assert rate.also["rate ratio"][0] == pytest.approx(by_hand[1] / by_hand[0])
    risk = estimate_sample(sample(counted > 1, care), question("yes_no"))
    shares = [np.mean(counted[care == arm] > 1) for arm in (0, 1)]
    wald = np.sqrt(sum(share * (1 - share) / 60 for share in shares))
    assert (risk.estimate, risk.se) == pytest.approx((shares[1] - shares[0], wald))


@pytest.mark.parametrize("binary", [True, False])
def test_a_rate_difference_is_that_of_all_the_time_together(binary):
    asked = world(np.random.default_rng(5), "counts", binary)
    asked.offset_time = np.linspace(0.2, 3, 250)
    effect = estimate_sample(asked, question("counts"))
    slope, need, intercept = (term.estimate for term in effect.model.terms)
    rate = np.exp(intercept + need * asked.covariates[:, 0])
    each = rate * (np.exp(slope) - 1) if binary else rate * np.exp(slope * asked.exposure) * slope
    assert effect.estimate == pytest.approx(np.average(each, weights=asked.offset_time))


def test_nps_of_two_groups_is_a_difference_in_points(rng):
    care, answer = np.repeat([0, 1], 300), rng.integers(0, 11, 600)
    answer[300:] = np.minimum(10, answer[300:] + rng.integers(0, 3, 300))
    asked = sample(answer, care, levels=tuple(map(str, range(11))), level_values=tuple(range(11)))
    effect = estimate_sample(asked, question("ordered", nps=True))
    plain = nps(answer[300:])[0] - nps(answer[:300])[0]
    assert effect.unit == "NPS points"
    assert effect.estimate == pytest.approx(plain, abs=6)  # proportional odds smooths, so near and not equal


def test_a_step_nobody_chose_and_top_values_as_the_study_writes_them(rng):
    answer, care = rng.choice([0, 1, 3], 120), rng.normal(size=120)
    levels, values = ("no", "little", "some", "much"), (1.0, 2.0, 3.0, 4.0)
    asked = sample(answer, care, levels=levels, level_values=values)
    one, other = (estimate_sample(asked, question("ordered", top=[top])) for top in ("4", "much"))
    assert one.estimate == other.estimate
    assert [term.term for term in one.model.terms] == ["care", "no | little", "little | much"]


def test_a_covariate_that_others_determine_is_left_out_and_named(rng):
    care, one = rng.normal(size=50), rng.normal(size=50)
    plain = estimate_sample(sample(rng.normal(size=50), care, {"a": one}), question("score"))
    rng = np.random.default_rng(20)
    rng.normal(size=100)
    doubled = estimate_sample(sample(rng.normal(size=50), care, {"a": one, "b": 3 - 2 * one}), question("score"))
    assert (doubled.estimate, doubled.se) == pytest.approx((plain.estimate, plain.se))
    assert doubled.notes == ("left out because the other covariates determine them: b",)


def test_an_effect_is_json_with_null_for_what_is_not_finite(rng):
    asked = sample(rng.normal(size=30), rng.normal(size=30), cluster=np.arange(30) // 3)
    effect = estimate_sample(asked, question("score", unit="point"))
    told = json.loads(json.dumps(effect.to_dict(), allow_nan=False))
    assert {"kind", "estimate", "se", "low", "high", "level", "p", "p_adjusted", "unit", "contrast"} <= set(told)
    assert {"method", "n", "clusters", "df", "also", "notes"} <= set(told)
    assert told["notes"] == ["few clusters: 10 (team)"] and told["unit"] == "point"
    assert json.loads(json.dumps(effect.model.to_dict(), allow_nan=False))["errors"] == "CR2"


def test_an_exposure_that_sits_in_few_of_many_clusters_is_marked(rng):
    team = np.repeat(np.arange(40), 5)
    asked = sample(rng.normal(size=200), np.where(team < 2, rng.normal(size=200), 0), cluster=team)
    notes = estimate_sample(asked, question("score")).notes
    assert notes[0] == "few clusters: the comparison is worth 1.0 degrees of freedom (team)"
    assert notes[1].startswith("hardly any degrees of freedom: 1.0; with fewer than 2.5,") and len(notes) == 2


def test_adjust_is_handed_to_the_dataset(rng):
    asked = {}

    def give(question, *, adjust):
        asked["adjust"] = adjust
        return sample(rng.normal(size=30), rng.normal(size=30))

    told = SimpleNamespace(sample=give, study=SimpleNamespace(disclosure="none"))
    effect = estimate(told, question("score"), adjust=[], level=0.9)
    assert asked == {"adjust": []} and effect.level == 0.9


# Refusals


def half(n=40):
    return np.arange(n) % 2


REFUSED = [
    ("score", sample([], []), r"none of 3 rows is complete. Most of 3 rows were lost to: score missing \(3\)"),
    ("score", sample([1, 2, 3], [0, 1, 0]), "3 complete rows are too few for 2 coefficients: at least 4"),
    ("score", sample(np.arange(9), np.ones(9)), "care is the same in all 9 complete rows"),
    ("score", sample(np.ones(9), np.arange(9)), "score is the same in all 9 complete rows"),
    ("score", sample([1, 2, np.inf, 4, 5], np.arange(5)), "score has 1 values that are not finite"),
    ("score", sample(np.arange(9) ** 2, np.arange(9), {"age": [np.nan] * 9}), "age has 9 values"),
    ("score", sample(np.arange(9) ** 2, np.arange(9), weights=-np.ones(9)), "9 weights are zero or negative"),
    ("score", sample(np.arange(9) ** 2, np.arange(9), cluster=np.zeros(9)), "belong to one value of team"),
    ("score", sample(np.arange(9), np.arange(9)), "score is told exactly"),
    ("score", sample(np.arange(40) ** 2, half(), cluster=np.where(half(), -1, np.arange(40))), "one single team"),
    ("score", sample(half(), np.arange(40), {"age": np.arange(40) * 7 - 3}), "care is fully determined by age"),
    ("change", sample(np.arange(9) ** 2, np.arange(9)), "asks for a change, but its sample has no baseline"),
    ("change", sample(np.arange(9) ** 2, np.arange(9), baseline=np.ones(9)), "the baseline is the same for everybody"),
    ("yes_no", sample(half() * 2, np.arange(40)), "20 outcomes are neither 0 nor 1"),
    ("yes_no", sample(np.arange(40) < 4, np.arange(40)), "only 4 people have the rarer outcome; at least 5"),
    (
        "yes_no",
        sample(half(), np.arange(40) % 3, {"fax": half() * (np.arange(40) < 6)}),
        "fax tells the outcome exactly: all 3 rows",
    ),
    ("yes_no", sample(np.arange(40) > 20, np.arange(40)), "care tells the outcome exactly: all rows on one side"),
    ("counts", sample([-1, 1, 2, 3, 0.5, 6], np.arange(6)), "2 outcomes are not whole numbers"),
    ("counts", sample(np.arange(40) == 3, np.arange(40)), "only 1 events happened"),
    ("counts", sample(np.arange(6), half(6), offset_time=np.zeros(6)), "6 exposure times are zero or negative"),
    (
        "counts",
        sample(half() * 2, half()),
        "care tells the outcome exactly: all 20 rows of its rarer value had no event",
    ),
    ("ordered", sample(np.arange(9) / 2, np.arange(9)), "4 answers have no place in the order"),
    ("ordered", sample(half(), np.arange(40) % 3), "all answers to score fall into one group"),
    ("ordered", sample(np.arange(40) // 10, np.arange(40)), "care tells the outcome exactly"),
]


@pytest.mark.parametrize(("kind", "asked", "words"), REFUSED)
def test_what_cannot_be_told_is_refused_by_name(kind, asked, words):
    with pytest.raises(EstimationError, match=words):
        estimate_sample(asked, question(kind))


def test_all_problems_come_at_once():
    with pytest.raises(EstimationError, match=r"has 3 problems:\n  1\. .*\n  2\. .*\n  3\. ") as refused:
        estimate_sample(sample([1, 1, 1], [2, 2, 2]), question("score"))
    assert "'q'" in str(refused.value)


def test_columns_that_tell_the_outcome_only_together_are_refused(rng):
    first, second = rng.normal(size=(2, 80))
    with pytest.raises(EstimationError, match=r"no finite best fit: the coefficient of (care|other) grows"):
        estimate_sample(sample(first + second > 0, first, {"other": second}), question("yes_no"))


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_is_a_share(level):
    with pytest.raises(EstimationError, match="between 0 and 1"):
        estimate_sample(sample(half(), half()), question("score"), level)


@pytest.mark.parametrize(("answers", "words"), [([], "no answer"), ([11, 3], "1 answers are not")])
def test_an_nps_refuses(answers, words):
    with pytest.raises(EstimationError, match=words):
        nps(np.array(answers))


@pytest.mark.parametrize("kind", ["yes_no", "counts", "ordered"])
def test_nobody_has_two_levels_of_the_exposure_in_a_what_if(rng, kind):
    """As `marginaleffects::avg_comparisons` of a factor: everybody with the level, then everybody with the reference."""
    arm, need = rng.choice(3, 600, p=[0.3, 0.4, 0.3]), rng.normal(size=600)
    pull = np.array([0.0, 0.6, 2.0])[arm] + 0.4 * need - 0.5
    outcome = rng.poisson(np.exp(0.5 * pull)) if kind == "counts" else rng.random(600) < 1 / (1 + np.exp(-pull))
    asked = sample(outcome, arm == 1, {"care: much": arm == 2, "need": need}, groups=("care", "need"))
    effect = estimate_sample(asked, question(kind, **({"top": ["1"]} if kind == "ordered" else {})))
    family = sm.families.Poisson() if kind == "counts" else sm.families.Binomial()
    columns = np.column_stack([np.ones(600), arm == 1, arm == 2, need])
    fit = sm.GLM(outcome, columns, family=family).fit(tol=1e-12)
    with_it, without = columns.copy(), columns.copy()
    with_it[:, 1], with_it[:, 2], without[:, 1], without[:, 2] = 1, 0, 0, 0
    by_hand = fit.predict(with_it).mean() - fit.predict(without).mean()
    assert effect.estimate == pytest.approx(by_hand, rel=1e-6)


# Which estimator answers


MODELS = {
    "random intercept": ("score", "change"),
    "random slope": ("score", "change"),
    "inverse probability": ("score", "change", "yes_no", "counts", "ordered"),
    "doubly robust": ("score", "change", "yes_no", "counts", "ordered"),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", ["score", "change", "yes_no", "counts", "ordered", "duration"])
def test_a_model_goes_with_the_kinds_it_is_made_for(model, kind):
    asked = world(np.random.default_rng(6), kind, True)
    asked.event = np.ones(250)
    asked.levels, asked.level_values, asked.level_codes = ("0", "1", "2"), (0.0, 1.0, 2.0), ("0", "1", "2")
    about = question(kind, **({"event": "left", "horizon": 1.0} if kind == "duration" else {}))
    if kind in MODELS[model]:
        found = estimate_sample(asked, about, 0.9, model)
        assert (found.level, found.kind, found.n) == (0.9, kind, 250)
        assert found.method != estimate_sample(asked, about, 0.9).method
        return
    with pytest.raises(EstimationError) as refused:
        estimate_sample(asked, about, 0.95, model)
    kinds = "score and change" if len(MODELS[model]) == 2 else "score, change, yes_no, counts and ordered"
    assert str(refused.value) == (
        f"The question 'q': a model {model!r} goes with outcomes of kind {kinds}, and score is of kind {kind}. Leave "
        "`model` out of the alternative."
    )


def test_a_model_that_there_is_not_is_refused_with_those_there_are(rng):
    asked = sample(rng.normal(size=30), rng.normal(size=30))
    with pytest.raises(EstimationError) as refused:
        estimate_sample(asked, question("score"), model="magic")
    assert str(refused.value) == (
        "There is no model 'magic'; there are random intercept, random slope, inverse probability and doubly robust."
    )


def test_a_design_brings_its_own_model(rng):
    asked = sample(rng.normal(size=60), np.arange(60) % 5)
    designed = question("score").model_copy(update={"dose": Dose(between=(1.0, 3.0))})
    assert estimate_sample(asked, designed, 0.9).contrast == "care 3 against 1"
    assert estimate_sample(asked, designed, 0.9).level == 0.9
    with pytest.raises(EstimationError) as refused:
        estimate_sample(asked, designed, model="doubly robust")
    assert str(refused.value) == (
        "The question 'q': a model 'doubly robust' does not go with `dose`, which brings its own. Leave `model` out of "
        "the alternative."
    )


def test_a_question_is_named_by_its_id_and_its_people_are_counted(rng):
    asked, about = sample(rng.normal(size=30), rng.normal(size=30)), question("score")
    told = SimpleNamespace(
        sample=lambda one, *, adjust: asked if (one, adjust) == (about, None) else None,
        study=SimpleNamespace(disclosure="none", question={"q": about}.__getitem__),
    )
    found = estimate(told, "q")
    assert found == estimate(told, about) == estimate_sample(asked, about) and found.level == 0.95
    assert estimate_sample(asked, about) == estimate_sample(asked, about, 0.95)
    for level in (0.0, 1.0):
        with pytest.raises(EstimationError, match="lies between 0 and 1"):
            estimate(told, "q", level=level)
        with pytest.raises(EstimationError, match="lies between 0 and 1"):
            estimate_sample(asked, about, level)


def test_rows_that_stay_in_their_place_bring_their_own_effect():
    summed = SimpleNamespace(effect=lambda *told: told)
    assert estimate_sample(summed, "q", 0.9, "m") == ("q", 0.9, "m")
    with pytest.raises(EstimationError, match="lies between 0 and 1"):
        estimate_sample(summed, "q", 2)
