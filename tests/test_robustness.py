"""The figures that attack an answer agree with their papers, and say why when they cannot run."""

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from answers import ask
from scipy.stats import t as student

from researchkit.dataset import load_dataset
from researchkit.errors import EstimationError
from researchkit.estimators import estimate_sample
from researchkit.moments import compress, fit, partial_r2
from researchkit.parts import Alternative, Exposure, Outcome, Question
from researchkit.robustness import (
    Check,
    benchmarks,
    design_figures,
    e_value,
    exposure_r2,
    robustness_value,
    two_one_sided,
)
from researchkit.robustness.alternatives import Other
from researchkit.robustness.check import why_not
from researchkit.robustness.curve import Ways, fragile, specification_curve, subsets
from researchkit.robustness.equivalence import equivalence
from researchkit.robustness.influence import influence
from researchkit.robustness.jackknife import enough_to, part, without_clusters, without_rows
from researchkit.robustness.linear import clusters, linearised
from researchkit.robustness.unmeasured import bound, common, limit_nearer_zero, robustness_of_limit, unmeasured
from researchkit.study import load_study

rng = np.random.default_rng(20260101)


@pytest.mark.parametrize("case", ["rr", "or"])
def test_e_value_of_the_paper(case):
    """VanderWeele and Ding (2017), p. 270: a risk ratio of 3.9 (1.8 to 8.7) has E-values 7.26 and 3.0."""
    assert e_value(3.9) == pytest.approx(7.263, abs=5e-4)
    assert e_value(1.8) == pytest.approx(3.0, abs=5e-3)
    assert e_value(1 / 3.9) == pytest.approx(e_value(3.9))


LALONDE = ["age", "educ", "black", "hispan", "married", "nodegree", "re74", "re75"]


@pytest.fixture(scope="module")
def lalonde(reference):
    """Moments of the reference's data, and the effect with classical errors, as `sensemakr` takes it."""
    data = reference.frame("lalonde")
    data["black"], data["hispan"] = (data.race == "black") * 1.0, (data.race == "hispan") * 1.0
    outcome, exposure = data.re78.to_numpy(float), data.treat.to_numpy(float)
    moments = compress(exposure, data[LALONDE].to_numpy(float), outcome, names=("treat", *LALONDE, "re78"))
    found = reference["ovb_lalonde"]["quantities"]
    half = found["se"] * student.ppf(0.975, found["df"])
    estimate = fit(moments).coefficients[0]
    effect = SimpleNamespace(estimate=estimate, low=estimate - half, high=estimate + half, df=found["df"], level=0.95)
    return moments, effect


def test_robustness_value_agrees_with_r(reference, lalonde):
    strength = exposure_r2(lalonde[0])
    assert strength == reference.value("ovb_lalonde", "r2yd_x")
    assert robustness_value(strength) == reference.value("ovb_lalonde", "rv_q1")
    assert robustness_of_limit(strength, *lalonde) == reference.value("ovb_lalonde", "rv_q1_a05")


@pytest.mark.parametrize("name", ["nodegree", "re75"])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_benchmarks_agree_with_r(reference, lalonde, name, k):
    moments, effect = lalonde
    bound = benchmarks(moments, {name: (name,)}, effect, times=(1, 2, 3))[name][k - 1]
    exposure, outcome = partial_r2(moments, {name: (name,)})[name]
    found = {
        f"r2dxj_x_{name}": exposure,
        f"r2yxj_dx_{name}": outcome,
        f"r2dz_x_k{k}_{name}": bound.with_exposure,
        f"r2yz_dx_k{k}_{name}": bound.with_outcome,
        f"adj_estimate_k{k}_{name}": bound.estimate,
        f"adj_ci95lo_k{k}_{name}": bound.low,
        f"adj_ci95hi_k{k}_{name}": bound.high,
    }
    for quantity, value in found.items():
        assert value == reference.value("ovb_lalonde", quantity), quantity


def test_an_unmeasured_cause_at_the_bound_moves_the_estimate_there():
    """Plant the very confounder that a bound speaks of, leave it out, and see the bound kept."""
    draw = np.random.default_rng(5)
    measured, hidden = draw.normal(size=(2, 4000))
    exposure = 0.5 * measured + 0.5 * hidden + draw.normal(size=4000)
    outcome = 0.3 * exposure + 0.4 * measured + 0.4 * hidden + draw.normal(size=4000)
    short = compress(exposure, measured[:, None], outcome, names=("x", "measured", "y"))
    full = compress(exposure, np.column_stack([measured, hidden]), outcome, names=("x", "measured", "hidden", "y"))
    estimate = fit(short).coefficients[0]
    effect = SimpleNamespace(estimate=estimate, low=estimate - 0.1, high=estimate + 0.1)
    bound = benchmarks(short, {"measured": ("measured",)}, effect)["measured"][0]
    # as strong as the measured one by construction, so the bound comes near the truth, from a sample of 4,000
    assert bound.estimate == pytest.approx(fit(full).coefficients[0], abs=0.05)


def test_design_figures_agree_with_a_simulation():
    """Gelman and Carlin (2014), p. 643: the true effect 2 with standard error 8.1 gives power .06, type S .24, exaggeration 9.7 or so."""
    figures = design_figures(8.1, 2)
    drawn = rng.normal(2, 8.1, 2_000_000)
    found = np.abs(drawn) > 1.959964 * 8.1
    assert figures["power"] == pytest.approx(found.mean(), abs=1e-3)
    assert figures["wrong_sign"] == pytest.approx((drawn[found] < 0).mean(), abs=5e-3)
    assert figures["exaggeration"] == pytest.approx(np.abs(drawn[found]).mean() / 2, rel=5e-3)
    assert figures["power"] == pytest.approx(0.06, abs=0.005)
    assert figures["wrong_sign"] == pytest.approx(0.24, abs=0.01)


@pytest.mark.parametrize("df", [None, 3.0, 40.0])
def test_the_smallest_detectable_effect_is_found_four_times_in_five(df):
    figures = design_figures(1.0, 1.0, df=df)
    assert design_figures(1.0, figures["smallest_detectable"], df=df)["power"] == pytest.approx(0.8, abs=1e-5)


@pytest.mark.parametrize(("z", "df"), [(0.5, 2.0), (2.0, 4.3), (3.0, 12.0), (1.0, 200.0)])
def test_design_figures_with_few_degrees_of_freedom_are_of_the_noncentral_t(z, df):
    from scipy import stats

    figures, critical = design_figures(1.0, z, df=df), stats.t.ppf(0.975, df)
    assert figures["power"] == pytest.approx(stats.nct.sf(critical, df, z) + stats.nct.cdf(-critical, df, z), rel=1e-3)
    drawn, errors = rng.normal(z, 1, 1_000_000), np.sqrt(rng.chisquare(df, 1_000_000) / df)
    found = np.abs(drawn) > critical * errors
    assert figures["exaggeration"] == pytest.approx(np.abs(drawn[found]).mean() / z, rel=0.01)
    assert figures["wrong_sign"] == pytest.approx((drawn[found] < 0).mean(), abs=0.005)


def test_few_clusters_have_less_power_than_the_normal_says():
    assert design_figures(1.0, 2.0, df=3.0)["power"] < 0.7 * design_figures(1.0, 2.0)["power"]


@pytest.mark.parametrize("partial", [0.0, 0.3, 1.0])
def test_robustness_value_stays_between_nothing_and_all(partial):
    assert 0 <= robustness_value(partial) <= 1


def test_a_check_that_cannot_run_keeps_its_reason():
    told = Check("negative control", "f", reason="the study names none").to_dict()
    assert told == {"check": "negative control", "ran": False, "reason": "the study names none"}


def test_nothing_is_infinite():
    assert all(math.isfinite(value) for value in design_figures(1e-3, 10.0).values())


# The specification curve and the strongest measured cause, on simulated studies whose truth is known.


@pytest.fixture(scope="module")
def contact_centre(root):
    return load_study(root / "data" / "contact_centre")


def named(answer, name):
    return next(check for check in answer.checks if check.name == name)


def test_every_attack_stands_in_its_place_whether_it_ran_or_not(answered):
    """Other analysts, the unmeasured, the model, the missing, the few; then what was planned and could be seen."""
    names = [check.name for check in answered("contact_centre", "won_back").checks]
    assert names[:9] == [
        "specification curve",
        "unmeasured confounder",
        "assumptions",
        "missing data",
        "influence",
        "negative control",
        "believed causes",
        "equivalence",
        "design",
    ]


def test_the_curve_ends_at_the_crude_and_the_planned_answer(answered, contact_centre):
    """A score: the same least squares as the headline, so the two ends are known from elsewhere."""
    answer = answered("contact_centre", "trust")
    check = named(answer, "specification curve")
    found = {label: estimate for label, estimate, _, _ in check.ways}
    assert len(found) == check.facts["specifications"] == 8
    assert found["nothing"] == pytest.approx(answer.crude.estimate, rel=1e-9)
    assert check.ways[0][1] == check.facts["planned"] == pytest.approx(answer.effect.estimate, rel=1e-9)
    assert check.facts["low"] == min(found.values())
    assert check.facts["high"] == max(found.values())
    assert check.facts["scale"] == "linear"
    assert check.facts["moves_it_most"] == "severity"
    without = ask(contact_centre, answer.question.model_copy(update={"adjust": ("tenure", "channel")}))
    assert check.facts["without_it"] == pytest.approx(without.effect.estimate, rel=1e-3)  # other complete rows
    assert "ways" not in check.to_dict()


def test_what_moves_it_most_is_found_wherever_it_stands(contact_centre):
    question = contact_centre.question("trust").model_copy(update={"adjust": ("tenure", "severity", "channel")})
    assert named(ask(contact_centre, question), "specification curve").facts["moves_it_most"] == "severity"
    question = contact_centre.question("days_as_customer").model_copy(update={"adjust": ("tenure", "severity")})
    assert named(ask(contact_centre, question), "specification curve").facts["moves_it_most"] == "severity"


def test_a_category_goes_in_and_out_as_a_whole(answered):
    answer = answered("contact_centre", "trust")
    assert sum("Channel" in label for label, *_ in named(answer, "specification curve").ways) == 4


@pytest.mark.parametrize("question", ["retention", "satisfaction", "recommendation", "calling_back"])
def test_other_kinds_say_that_a_straight_line_stands_in(answered, question):
    answer = answered("contact_centre", question)
    check = named(answer, "specification curve")
    assert check.facts["scale"] == named(answer, "unmeasured confounder").facts["scale"] == "linear approximation"
    assert answer.effect.low <= check.facts["planned"] <= answer.effect.high


def test_a_duration_leaves_out_one_by_one_with_its_own_model(answered, contact_centre):
    answer = answered("contact_centre", "days_as_customer")
    check = named(answer, "specification curve")
    without = ask(contact_centre, answer.question.model_copy(update={"adjust": ("tenure", "channel")}))
    assert [label.count(",") for label, *_ in check.ways] == [2, 1, 1, 1]
    assert check.facts["scale"] == "the model itself"
    assert "no straight line" in check.facts["why_not_linear"]
    assert check.ways[0][1:] == (answer.effect.estimate, answer.effect.low, answer.effect.high)
    assert check.facts["moves_it_most"] == "severity"
    assert check.facts["without_it"] == pytest.approx(without.effect.estimate, rel=1e-3)  # other complete rows


def test_the_baseline_of_a_change_is_always_in(answered):
    answer = answered("hospital", "anxiety_observed")
    found = {label: estimate for label, estimate, _, _ in named(answer, "specification curve").ways}
    assert found["nothing"] == pytest.approx(answer.crude.estimate, rel=1e-9)


def test_all_subsets_of_ten_and_a_sample_of_more():
    few, many = subsets(3, np.random.default_rng(1)), subsets(14, np.random.default_rng(1))
    assert len(np.unique(few, axis=0)) == len(few) == 8
    assert len(np.unique(many, axis=0)) == len(many) == 1024
    assert few[0].all()
    assert few[1:4].sum(axis=1).tolist() == [2, 2, 2]
    assert many[0].all()
    assert not many[15].any()
    assert (subsets(14, np.random.default_rng(1)) == many).all()


INSIDE = np.array([[1, 1], [0, 1], [1, 0], [0, 0]], dtype=bool)
STUDY = SimpleNamespace(label=str.upper)
HEADLINE = SimpleNamespace(estimate=2.0, low=1.0, high=3.0)


def ways(estimates, half=1.0, inside=INSIDE):
    values = np.array(estimates, dtype=float)
    return Ways(("age", "ward"), inside, values, values - half, values + half, "linear", "HC1")


def other(estimate, half=1.0, name="b", alike=True):
    effect = SimpleNamespace(estimate=estimate, low=estimate - half, high=estimate + half)
    return Other(name, name.upper(), effect, 100, alike)


@pytest.mark.parametrize(
    ("estimates", "half", "mark"),
    [
        ([2, 2, 1.5, 1.2], 1, ""),
        ([2, -2, 2, -2], 1, "fragile: 2 of 4 ways to adjust turn the sign, all of them without AGE"),
        ([2, 2, 0.5, 0.4], 1, "fragile: 2 of 4 ways to adjust do not exclude zero, all of them without WARD"),
        ([0.5, 2, 0.5, 0.4], 1, "fragile: 1 of 4 ways to adjust exclude zero, which the planned one does not, all"),
        ([0.1, -0.1, -0.1, 0.1], 1, ""),  # a sign around zero is chance
    ],
)
def test_the_mark_of_a_fragile_answer(estimates, half, mark):
    found = fragile(STUDY, ways(estimates, half), (), HEADLINE)
    assert found.startswith(mark) if mark else found == ""


def test_a_fifth_of_the_ways_may_differ():
    assert fragile(STUDY, ways([2.0, 2, 2, 2, -2], inside=np.ones((5, 2), bool)), (), HEADLINE) == ""


@pytest.mark.parametrize(
    ("estimates", "others", "mark"),
    [
        ([2, 2, 2, 2], [1.5, 0.5], ""),  # one of six does not exclude zero
        ([2, 2, 2, 2], [0.5, 0.4], "fragile: 2 of 6 ways to adjust and planned alternatives do not exclude zero"),
        ([2, 2, 2, 2], [-0.1, -0.1], "fragile: 2 of 6 ways to adjust and planned alternatives turn the sign"),
        (
            [2, 2, 2, -0.5],
            [-0.1],
            "fragile: 2 of 5 ways to adjust and planned alternatives turn the sign, all the ways ",
        ),
        ([2] * 4, [2, -1.5], "fragile: the planned alternative “B” says the opposite"),
        ([2] * 4, [-1.5, -1.5], "fragile: the planned alternatives “B” and “B” say the opposite; 2 of 6 ways"),
    ],
)
def test_alternatives_count_as_ways_and_one_clear_about_the_opposite_is_named(estimates, others, mark):
    found = fragile(STUDY, ways(estimates), [other(value) for value in others], HEADLINE)
    assert found.startswith(mark) if mark else found == ""


def test_the_strongest_measured_cause_marks_an_exposed_answer(answered):
    answer = answered("contact_centre", "retention")
    check = named(answer, "unmeasured confounder")
    assert check.facts["strongest_measured"] == "severity"
    assert check.facts["with_one_as_strong"]["low"] < 0
    assert check.mark.startswith("exposed: an unmeasured cause no stronger than Severity of the problem")
    assert check.mark in answer.verdict.marks
    assert named(answered("contact_centre", "trust"), "unmeasured confounder").mark == ""


def test_lots_are_not_exposed(contact_centre):
    question = contact_centre.question("retention").model_copy(update={"design": "randomised"})
    assert isinstance(question, Question)
    assert named(ask(contact_centre, question), "unmeasured confounder").mark == ""


def test_many_rows_without_clusters_are_dealt_into_groups():
    few, many = (SimpleNamespace(cluster=None, outcome=np.zeros(n)) for n in (1000, 1_000_000))
    assert len(np.unique(clusters(few, 5)[0])) == 1000
    assert len(np.unique(clusters(many, 5)[0])) == 5000
    assert "dealt" in clusters(many, 5)[1]


def test_rates_are_compared_with_the_time_that_each_was_seen(contact_centre):
    """With nothing held equal and a yes/no exposure, the line is the difference of events over time."""
    question = contact_centre.question("calling_back")
    sample = load_dataset(contact_centre).sample(question)
    kind = (sample.exposure > np.median(sample.exposure)).astype(float)
    line = linearised(replace(sample, exposure=kind, binary_exposure=True), question)
    rate = [sample.outcome[kind == arm].sum() / sample.offset_time[kind == arm].sum() for arm in (0, 1)]
    assert fit(line.moments, []).coefficients[0] == pytest.approx(rate[1] - rate[0], rel=1e-9)


def test_further_levels_of_a_coded_exposure_never_go_out(contact_centre):
    exposure = Exposure(column="channel", reference="phone", level="chat")
    question = contact_centre.question("retention").model_copy(
        update={"exposure": exposure, "adjust": ("severity", "tenure")}
    )
    dataset = load_dataset(contact_centre)
    answer = ask(contact_centre, question)
    found = {label: estimate for label, estimate, _, _ in named(answer, "specification curve").ways}
    sample = dataset.sample(question)
    share = [sample.outcome[sample.compared("channel") & (sample.exposure == arm)].mean() for arm in (0, 1)]
    assert len(found) == 4
    assert found["nothing"] == pytest.approx(share[1] - share[0], rel=1e-9)


def test_a_line_that_tells_something_else_than_the_model_does_not_stand_in_for_it(contact_centre):
    question, dataset = contact_centre.question("retention"), load_dataset(contact_centre)
    question = question.model_copy(update={"alternatives": ()})
    sample = dataset.sample(question)
    line = linearised(sample, question)
    found = estimate_sample(sample, question)
    effect = replace(found, low=0.2, high=0.3)
    check = specification_curve(line, dataset, question, effect, sample)
    assert "cannot stand in" in check.facts["why_not_linear"]
    assert check.facts["scale"] == "the model itself"
    assert len(check.ways) == 4
    told = unmeasured(line, dataset, question, effect, sample)
    assert "robustness_value" not in told.facts and "cannot stand in" in told.facts["no_shares"]
    assert told.facts["e_value"] > 1
    assert "cannot stand in" in influence(line, dataset, question, effect, sample).reason


# Planned alternatives: the same chain, asked another way.


def with_alternatives(study, question, update=None, **planned):
    """The study, and one of its questions with these alternatives alone."""
    alternatives = {name: Alternative(label=name.replace("_", " "), **parts) for name, parts in planned.items()}
    asked = study.question(question).model_copy(update={"alternatives": tuple(alternatives), **(update or {})})
    return study.model_copy(update={"alternatives": {**study.alternatives, **alternatives}}), asked


def test_alternatives_are_estimated_by_the_whole_chain(answered, contact_centre):
    answer = answered("contact_centre", "retention")
    check, question = named(answer, "specification curve"), answer.question
    found = {one["name"]: one for one in check.facts["alternatives"]}
    no_phone = contact_centre.alternatives["no_phone"].keep
    asked = {
        "no_phone": {"keep": (*question.keep, *no_phone)},
        "customers_own": {"exposure": Exposure(column="compassion_customer")},
        "also_site": {"adjust": ("severity", "tenure", "channel", "site", "month")},
    }
    for name, update in asked.items():
        twin = question.model_copy(update={"alternatives": (), **update})
        effect = ask(contact_centre, twin).effect
        told = [found[name][fact] for fact in ("estimate", "low", "high", "n", "unit", "contrast")]
        assert told == [effect.estimate, effect.low, effect.high, effect.n, effect.unit, effect.contrast], name
    assert check.facts["specifications"] == 8 + 3
    assert check.facts["low"] == found["customers_own"]["estimate"] < min(way[1] for way in check.ways)
    assert [way[0] for way in check.alternatives] == [one["label"] for one in found.values()]
    assert all(one["same_scale"] and one["same_sign"] and one["same_side_of_zero"] for one in found.values())


def test_an_alternative_that_cannot_be_estimated_stops_nobody(contact_centre):
    nobody = {"column": "channel", "values": ["pigeon"], "why": "no pigeon"}
    study, question = with_alternatives(
        contact_centre, "retention", by_pigeon={"keep": [nobody]}, own={"exposure": "compassion_customer"}
    )
    pigeon, own = named(ask(study, question), "specification curve").facts["alternatives"]
    assert not pigeon["ran"] and "no row is left" in pigeon["reason"] and "estimate" not in pigeon
    assert own["ran"] and own["estimate"] > 0


def test_few_people_are_not_shown_nor_the_few_who_make_a_difference(contact_centre):
    dataset = load_dataset(contact_centre)
    tenure = np.sort(dataset.sample(contact_centre.question("retention")).covariates[:, 1])
    study, question = with_alternatives(
        contact_centre,
        "retention",
        handful={"keep": [{"column": "tenure", "minimum": float(tenure[-3]), "why": "short"}]},
        all_but_few={"keep": [{"column": "tenure", "maximum": float(tenure[-4]), "why": "longest"}]},
    )
    few, most = named(ask(study, question), "specification curve").facts["alternatives"]
    assert not few["ran"] and "fewer than 5 people" in few["reason"]
    assert most["ran"] and most["n"] is None


def test_a_reason_that_holds_a_small_count_is_not_repeated(contact_centre):
    assert "too small to be shown" in why_not(EstimationError("only 3 events happened"), contact_centre)
    assert (
        why_not(EstimationError("3 of these."), contact_centre.model_copy(update={"disclosure": "none"}))
        == "3 of these"
    )
    assert why_not(EstimationError("cbi_2: 1,204 of 20.5 rows"), contact_centre) == "cbi_2: 1,204 of 20.5 rows"
    one_ward = "all 54 rows belong to one ward; errors that allow for clusters need at least 2"
    assert why_not(EstimationError(one_ward), contact_centre) == one_ward
    assert "too small to be shown" in why_not(EstimationError("only 3 events happened; at least 5"), contact_centre)


def test_an_alternative_on_another_scale_counts_for_sign_and_zero_alone(contact_centre):
    minutes = {"exposure": "handle_minutes"}
    left = {"outcome": Outcome(column="retained_90d", kind="yes_no", yes="0", good="low")}
    study, question = with_alternatives(contact_centre, "retention", by_minutes=minutes, leaving=left)
    check = named(ask(study, question), "specification curve")
    by_minutes, leaving = check.facts["alternatives"]
    assert not by_minutes["same_scale"] and by_minutes["same_band"] is None
    assert leaving["estimate"] < 0 and leaving["same_sign"] and leaving["same_side_of_zero"]
    assert not leaving["same_scale"]
    assert check.alternatives == ()
    assert check.facts["specifications"] == 10
    assert check.facts["low"] == min(way[1] for way in check.ways)
    agree = 9 + by_minutes["same_sign"]
    assert check.facts["agree"] == agree / 10


def test_an_alternative_clear_about_the_opposite_marks_the_answer(contact_centre):
    left = {"outcome": Outcome(column="retained_90d", kind="yes_no", yes="0", good="high")}
    study, question = with_alternatives(contact_centre, "retention", leaving=left)
    answer = ask(study, question)
    assert named(answer, "specification curve").mark == "fragile: the planned alternative “leaving” says the opposite"
    assert named(answer, "specification curve").mark in answer.verdict.marks


def test_alternatives_make_a_curve_where_nothing_is_adjusted_for(contact_centre):
    study, question = with_alternatives(
        contact_centre,
        "trust",
        {"adjust": ()},
        adjusted={"adjust": ["severity"]},
        own={"exposure": "compassion_customer"},
    )
    answer = ask(study, question)
    check = named(answer, "specification curve")
    assert (len(check.ways), len(check.alternatives), check.facts["specifications"]) == (1, 2, 3)
    assert "moves_it_most" not in check.facts
    alone = with_alternatives(contact_centre, "trust", {"adjust": ()})[1]
    assert "no alternative" in named(ask(contact_centre, alone), "specification curve").reason


def test_the_unit_of_another_outcome_is_that_of_the_codebook(contact_centre):
    minutes = {"outcome": Outcome(column="handle_minutes", kind="score", good="low")}
    study, question = with_alternatives(contact_centre, "trust", minutes=minutes)
    (found,) = named(ask(study, question), "specification curve").facts["alternatives"]
    assert found["unit"] == "minute" and not found["same_scale"]


# Influence: what one cluster or a few rows decide.


def effect_of(moments, se, df):
    estimate, half = fit(moments).coefficients[0], student.ppf(0.975, df) * se
    return SimpleNamespace(estimate=estimate, low=estimate - half, high=estimate + half, level=0.95)


def cr1_of(moments):
    from researchkit.moments import cr1

    return float(np.sqrt(cr1(fit(moments))[0][0, 0]))


@pytest.mark.parametrize("entry", ["without_nurses", "without_wards"])
def test_without_each_cluster_agrees_with_fits_of_the_others(held, entry):
    """The wards have indicators of their own: without a ward its indicator goes, and without the first the reference."""
    if entry == "without_nurses":
        data, cluster, outcome, exposure = held.frames["stays"], "nurse_id", "length_of_stay", "compassion"
        covariates = data[["severity", "age"]].to_numpy(float)
    else:
        data, cluster, outcome, exposure = held.frames["staff"], "ward", "cbi_1", "workload"
        data = data.dropna(subset=[cluster, outcome, exposure])
        wards = sorted(data["ward"].unique())[1:]
        covariates = np.column_stack([data["ward"] == ward for ward in wards]).astype(float)
    moments = compress(data[exposure].to_numpy(float), covariates, data[outcome].to_numpy(float), data[cluster])
    groups = len(moments.labels)
    effect = effect_of(moments, cr1_of(moments), groups - 1)
    left = without_clusters(moments, effect)
    errors = (left.high - left.estimates) / student.ppf(0.975, groups - 2)
    found = {
        "b_first": left.estimates[0],
        "b_second": left.estimates[1],
        "b_low": left.estimates.min(),
        "b_high": left.estimates.max(),
        "se_first": errors[0],
        "se_second": errors[1],
        "se_low": errors.min(),
        "se_high": errors.max(),
    }
    for quantity, value in found.items():
        assert value == held(entry, quantity), quantity


def test_without_each_cluster_is_a_fit_of_the_others_however_many_columns():
    """More clusters than cross products and fewer; a column that one cluster alone has; an exposure that only one has."""
    draw = np.random.default_rng(3)
    cluster = np.repeat(np.arange(40), 6)
    (x, z), own = draw.normal(size=(2, 240)), np.where(cluster == 7, 1.0, 0.0)
    y = 0.3 * x + z + own + draw.normal(size=40)[cluster] + draw.normal(size=240)
    for covariates in (z[:, None], np.column_stack([z, own]), draw.normal(size=(240, 8))):
        moments = compress(x, covariates, y, cluster)
        left = without_clusters(moments, effect_of(moments, cr1_of(moments), 39))
        for one in (0, 7):
            rows = cluster != one
            varied = covariates[:, covariates[rows].std(axis=0) > 0]
            rest = compress(x[rows], varied[rows], y[rows], cluster[rows])
            half = student.ppf(0.975, 38) * cr1_of(rest)
            assert left.estimates[one] == pytest.approx(fit(rest).coefficients[0], rel=1e-9)
            assert left.high[one] - left.estimates[one] == pytest.approx(half, rel=1e-9)
    moments = compress(own + 0.0, z[:, None], y, cluster)
    left = without_clusters(moments, effect_of(moments, 1.0, 39))
    assert np.isnan(left.estimates).nonzero()[0].tolist() == [7]


@pytest.fixture(scope="module")
def hospital(root):
    return load_study(root / "data" / "hospital")


def lengths(held, hospital, weights=None):
    """Length of stay by age, given severity, as a sample on its own rows."""
    data, question = held.frames["stays"], hospital.question("length_of_stay")
    sample = load_dataset(hospital, "stays").sample(question)
    few = part(sample, np.arange(len(sample.outcome)) < len(data))
    sample = replace(
        few,
        outcome=data["length_of_stay"].to_numpy(float),
        exposure=data["age"].to_numpy(float),
        covariates=data[["severity"]].to_numpy(float),
        names=("severity",),
        groups=("severity",),
        weights=weights,
        binary_exposure=False,
        arms=None,
    )
    return sample, question


def test_without_each_row_agrees_with_dfbeta_and_the_fewest_that_turn_the_sign_with_refits(held, hospital):
    sample, question = lengths(held, hospital)
    effect = estimate_sample(sample, question)
    assert effect.estimate == held("without_rows", "b")
    shift = without_rows(sample, question, effect).estimates - effect.estimate
    ends = {"first": shift[0], "last": shift[-1], "low": shift.min(), "high": shift.max()}
    for quantity, value in ends.items():
        assert value == held("without_rows", quantity, rel=1e-6), quantity
    check = influence("", load_dataset(hospital, "stays"), question, effect, sample)
    assert check.reason == ""  # a line is needed
    line = linearised(sample, question)
    check = influence(line, load_dataset(hospital, "stays"), question, effect, sample)
    assert check.facts["rows_to_turn_the_sign"] == held("without_rows", "rows_to_turn")
    assert check.facts["share_to_turn_the_sign"] == pytest.approx(check.facts["rows_to_turn_the_sign"] / len(shift))
    weights = 1 + held.frames["stays"]["compassion"].to_numpy(float)
    sample, _ = lengths(held, hospital, weights)
    effect = estimate_sample(sample, question)
    shift = without_rows(sample, question, effect).estimates - effect.estimate
    assert shift[0] == held("without_rows", "weighted_first", rel=1e-6)
    assert shift.max() == held("without_rows", "weighted_high", rel=1e-6)


def test_few_units_are_found_by_adding_up_and_more_of_them_where_the_model_says_not_yet():
    reach = np.array([0.1, 3.0, -1.0, 2.0, np.nan, 0.5])
    asked = []

    def crossed(gone):
        asked.append(gone.tolist())
        return len(gone) >= 3

    assert enough_to(reach, 4.0, crossed, 6) == 3
    assert asked == [[1, 3], [1, 3, 5]]
    assert enough_to(reach, 4.0, crossed, 2) is None  # more than may go
    assert enough_to(reach, 9.0, crossed, 6) is None  # all of them together reach less


def near_zero(study, id, over):
    """A question whose interval ends `over` beyond zero: the outcome is moved along with the exposure, and no more."""
    question = study.question(id)
    dataset = load_dataset(study, study.table_of(question))
    sample = dataset.sample(question)
    effect = estimate_sample(sample, question)
    shift = over - effect.low if effect.low > 0 else -over - effect.high
    sample = replace(sample, outcome=sample.outcome + shift * sample.exposure)
    effect = estimate_sample(sample, question)
    return influence(linearised(sample, question), dataset, question, effect, sample), sample, effect, dataset, question


@pytest.mark.parametrize(
    ("id", "groups"), [("leader", "24 groups by Ward"), ("anxiety_observed", "80 groups by Nurse")]
)
def test_an_answer_that_hangs_on_one_cluster_is_marked(hospital, id, groups):
    check, sample, effect, _, question = near_zero(hospital, id, 0.01)
    assert effect.low > 0 or effect.high < 0
    assert check.mark == f"fragile: without one of {groups} the interval would include zero"
    refits = [estimate_sample(part(sample, sample.cluster != one), question) for one in np.unique(sample.cluster)]
    crossed = [one for one in refits if one.low <= 0 <= one.high]
    assert check.facts["without_it"]["low"] <= 0 <= check.facts["without_it"]["high"]
    assert 0 < check.facts["decide_about_zero"] == pytest.approx(len(crossed) / len(refits), abs=0.05)
    nearest = min(one.low if effect.low > 0 else -one.high for one in refits)
    found = check.facts["without_it"]
    assert (found["low"] if effect.low > 0 else -found["high"]) == pytest.approx(nearest, rel=0.02)
    assert near_zero(hospital, id, 3.0)[0].mark == ""


def test_nobody_is_named_by_an_id(hospital):
    check, sample, _, dataset, _ = near_zero(hospital, "anxiety_observed", 0.01)
    told = json.dumps(check.to_dict()) + check.mark
    assert not [nurse for nurse in dataset.frame["nurse_id"].unique() if nurse in told]
    assert check.facts["matters_most"] is None
    assert check.facts["its_share_of_rows"] in np.bincount(sample.cluster) / len(sample.cluster)


def test_an_answer_that_cannot_be_told_without_one_cluster_is_marked(answered, hospital):
    """All who have the exposure are of one nurse: a comparison of her patients with those of the others."""
    question, dataset = hospital.question("anxiety_observed"), load_dataset(hospital, "stays")
    sample = dataset.sample(question)
    treated = (sample.cluster == 5) & (np.arange(len(sample.cluster)) % 2 == 0)
    sample = replace(sample, exposure=treated * 1.0, binary_exposure=True)
    effect = replace(answered("hospital", "anxiety_observed").effect, estimate=1.0, low=-9.0, high=11.0)
    line = linearised(sample, question)
    facts = influence(line, dataset, question, effect, sample).facts
    assert facts["untold"] == 1 / 80 and facts["without_it"] is None
    value = float(fit(line.moments).coefficients[0])
    clear = replace(effect, estimate=value, low=min(value / 2, 2 * value), high=max(value / 2, 2 * value))
    check = influence(line, dataset, question, clear, sample)
    assert check.mark == "fragile: without one of 80 groups by Nurse there would be nothing left to compare"


def test_a_ward_is_named_where_enough_people_are_in_it(answered):
    answer = answered("hospital", "leader")
    facts = named(answer, "influence").facts
    wards = answer.dataset.frame["ward"]
    assert facts["scale"] == "the model itself"
    assert facts["matters_most"] in set(wards)
    assert facts["its_share_of_rows"] == pytest.approx((wards == facts["matters_most"]).mean(), abs=0.002)
    rows = (wards != facts["matters_most"]).to_numpy()
    without = replace(answer.dataset, frame=answer.dataset.frame[rows])
    other = estimate_sample(without.sample(answer.question), answer.question)
    assert facts["without_it"]["estimate"] == pytest.approx(other.estimate)
    assert facts["without_it"]["low"] == pytest.approx(other.low)


def test_a_ward_of_few_people_is_not_named(hospital, monkeypatch):
    from researchkit import disclosure

    strict = {**disclosure.PROFILES, "five": replace(disclosure.PROFILES["five"], threshold=100)}
    monkeypatch.setattr("researchkit.robustness.influence.PROFILES", strict)
    facts = named(ask(hospital, "leader"), "influence").facts
    assert facts["matters_most"] is None and facts["its_share_of_rows"] is None


def test_without_clusters_a_few_rows_that_decide_mark_the_answer(hospital):
    question, dataset = hospital.question("length_of_stay"), load_dataset(hospital, "stays")
    sample = part(dataset.sample(question), np.arange(4012) < 400)
    outcome = np.random.default_rng(2).normal(size=400)
    outcome -= sample.exposure * (outcome[sample.exposure == 1].mean() - outcome[sample.exposure == 0].mean())
    place = np.flatnonzero(sample.exposure == 1)[:6]
    outcome[place] += 12.0
    for profile, words in (("none", "without one of 400 rows"), ("five", "without fewer than 5 of 400 rows")):
        other = replace(dataset, study=hospital.model_copy(update={"disclosure": profile}))
        sample = replace(sample, outcome=outcome)
        effect = estimate_sample(sample, question)
        assert effect.low > 0
        check = influence(linearised(sample, question), other, question, effect, sample)
        assert check.mark.startswith(f"fragile: {words}"), check.mark
        assert (check.facts["rows_to_reach_zero"] is None) == (profile == "five") == check.facts["few_to_reach_zero"]


def test_a_smaller_share_of_the_rows_than_one_in_a_hundred_marks_the_answer(hospital):
    """A few of 3,819 patients: more than two, and still far from one in a hundred."""
    question, dataset = hospital.question("anxiety_trial"), load_dataset(hospital, "stays")
    other = replace(dataset, study=hospital.model_copy(update={"disclosure": "none"}))
    sample = dataset.sample(question)
    effect = estimate_sample(sample, question)
    for over, marked in ((0.1, True), (2.0, False)):
        moved = replace(sample, outcome=sample.outcome - (effect.high + over) * sample.exposure)
        found = estimate_sample(moved, question)
        check = influence(linearised(moved, question), other, question, found, moved)
        few = check.facts["rows_to_reach_zero"]
        assert (3 <= few < 0.01 * 3819) == marked
        assert (check.mark == f"fragile: without {few} of 3,819 rows the interval would include zero") == marked


def test_where_the_interval_includes_zero_the_cluster_that_moves_it_most_is_told(hospital):
    question, dataset = hospital.question("practice"), load_dataset(hospital, "staff")
    sample = dataset.sample(question)
    effect = estimate_sample(sample, question)
    facts = influence(linearised(sample, question), dataset, question, effect, sample).facts
    assert effect.low < 0 < effect.high
    refits = [estimate_sample(part(sample, sample.cluster != one), question).estimate for one in range(24)]
    assert facts["without_it"]["estimate"] == max(refits, key=lambda one: abs(one - effect.estimate))
    assert (facts["low"], facts["high"]) == (min(refits), max(refits))


def test_durations_move_as_refits_do(hospital):
    """To first order: beside the model fitted without each nurse."""
    question, dataset = hospital.question("recovery_time"), load_dataset(hospital, "stays")
    sample = dataset.sample(question)
    effect = estimate_sample(sample, question)
    facts = influence("no line", dataset, question, effect, sample).facts
    refits = [estimate_sample(part(sample, sample.cluster != one), question).estimate for one in range(80)]
    assert facts["scale"] == "first-order influence"
    assert (facts["low"], facts["high"]) == pytest.approx(
        (min(refits), max(refits)), abs=0.003
    )  # in days; they span 0.08


# Equivalence, and the limit of the interval.


def test_two_one_sided_tests_agree_with_r(held, reference):
    found = {name: held.values["equivalence"][name] for name in ("b", "se", "df")}
    told = two_one_sided(found["b"], found["se"], 0.5, found["df"])
    for name in ("p_lower", "p_upper", "low", "high"):
        assert told[name] == held("equivalence", name), name
    printed = reference["tost_anorexia"]["quantities"]
    for case in ("welch_CBT_FT_8", "pooled_CBT_FT_8", "welch_CBT_Cont_5"):
        diff, se, df = (printed[f"{part}_{case}"] for part in ("diff", "se", "df"))
        told = two_one_sided(diff, se, float(case[-1]), df)
        names = {"p_lower": "p_lower", "p_upper": "p_upper", "ci90lo": "low", "ci90hi": "high"}
        for quantity, name in names.items():
            assert told[name] == reference.value("tost_anorexia", f"{quantity}_{case}"), quantity
        if f"p_tost_{case}" in printed:
            assert told["p"] == reference.value("tost_anorexia", f"p_tost_{case}")
    assert two_one_sided(0.153231492361927, 0.0699807336870736, 0.30)["p_upper"] == reference.value(
        "tost_anorexia", "prop_noninferiority_p_margin_.30"
    )


@pytest.mark.parametrize(
    ("good", "expect", "side", "open_"),
    [("high", "better", "higher", 0.5), ("low", "better", "lower", 0.1), ("low", "worse", "higher", 0.5)],
)
def test_what_is_left_open_in_the_claimed_direction(contact_centre, good, expect, side, open_):
    question = contact_centre.question("trust")
    outcome = question.outcome.model_copy(update={"good": good})
    question = question.model_copy(update={"outcome": outcome, "expect": expect, "smallest_effect": 1.0})
    effect = SimpleNamespace(estimate=0.2, se=0.15, df=None, level=0.95, low=-0.1, high=0.5)
    facts = equivalence(SimpleNamespace(fingerprint="f"), question, effect).facts
    assert (facts["claimed_side"], facts["open_on_the_claimed_side"]) == (side, open_)
    assert facts["p"] == max(facts["p_lower"], facts["p_upper"]) < 0.001


def anxious(held):
    data = held.frames["stays"].dropna(subset=["anxiety_after", "anxiety_before"])
    columns = data[["compassion", "severity", "anxiety_before", "anxiety_after"]].to_numpy(float).T
    return compress(columns[0], columns[1:3].T, columns[3])


def limited(estimate, half, df):
    return SimpleNamespace(estimate=estimate, low=estimate - half, high=estimate + half, df=df, level=0.95)


def test_what_brings_the_limit_to_zero_agrees_with_a_search(held):
    moments, values = anxious(held), held.values["limit_of_the_interval"]
    estimate, df, strength = fit(moments).coefficients[0], moments.n - 4, exposure_r2(moments)
    classical = limited(estimate, student.ppf(0.975, df) * values["se_classical"], df)
    found = robustness_of_limit(strength, moments, classical)
    assert found == held("limit_of_the_interval", "rv_classical")
    half = student.ppf(0.975, values["groups"] - 1) * values["se_clustered"]
    clustered = robustness_of_limit(strength, moments, limited(estimate, half, values["groups"] - 1.0))
    assert clustered == held("limit_of_the_interval", "rv_clustered")
    assert found < clustered < robustness_value(strength)  # the clustered error happens to be the smaller one here
    assert robustness_of_limit(strength, moments, limited(estimate, 2 * abs(estimate), df)) == 0


def test_a_strong_answer_of_few_rows_yields_to_a_cause_that_goes_less_with_the_outcome(held):
    data = held.frames["stays"].dropna(subset=["anxiety_after", "anxiety_before"])[:12]
    before, after = (data[name].to_numpy(float) for name in ("anxiety_before", "anxiety_after"))
    moments = compress(before, np.empty((12, 0)), before + after)
    line = fit(moments)
    residuals = before + after - line.coefficients[0] * before - line.coefficients[1]
    se = math.sqrt(residuals @ residuals / 10 / ((before - before.mean()) @ (before - before.mean())))
    effect = limited(line.coefficients[0], student.ppf(0.975, 10) * se, 10)
    assert held.values["limit_of_the_interval"]["product_strong"] > 1
    assert robustness_of_limit(exposure_r2(moments), moments, effect) == held("limit_of_the_interval", "rv_strong")


def test_a_cause_of_just_that_strength_brings_the_limit_to_zero(held):
    """The value and the bounds of measured causes are the same algebra, so one must lead to the other."""
    moments = anxious(held)
    estimate = fit(moments).coefficients[0]
    effect = limited(estimate, abs(estimate) / 3, 20.0)
    value = robustness_of_limit(exposure_r2(moments), moments, effect)
    assert value > 0
    # a measured cause whose k-fold has partial R² `value` with the exposure: r with k r/(1 - r) = value, k = 1
    exposure = value / (1 + value)
    shared = exposure**2 / (1 - exposure) ** 2
    factor = (1 + math.sqrt(shared)) / math.sqrt(1 - shared)
    outcome = value / factor**2 / (1 + value / factor**2)
    moved = bound(moments, effect, exposure, outcome, 1)
    assert (moved.with_exposure, moved.with_outcome) == pytest.approx((value, value))
    nearer = moved.low if estimate > 0 else moved.high
    assert nearer == pytest.approx(0.0, abs=1e-9)


def test_hazard_and_rate_ratios_have_e_values(answered, held):
    assert common(0.56) == held("hazards", "risk_ratio")
    assert e_value(common(0.56)) == held("hazards", "e_value")
    facts = {
        question: (answer.effect.also, named(answer, "unmeasured confounder").facts)
        for question in ("days_as_customer", "calling_back")
        for answer in [answered("contact_centre", question)]
    }
    ratios, told = facts["calling_back"]
    assert told["e_value"] == pytest.approx(e_value(ratios["rate ratio"][0]))
    assert told["e_value_of_the_limit"] == pytest.approx(e_value(ratios["rate ratio"][1]))
    ratios, told = facts["days_as_customer"]
    assert told["e_value"] == pytest.approx(e_value(common(ratios["hazard ratio"][0])))
    assert told["e_value_of_the_limit"] == pytest.approx(e_value(common(ratios["hazard ratio"][2])))
    assert limit_nearer_zero(SimpleNamespace(low=-1, high=2)) == 0
