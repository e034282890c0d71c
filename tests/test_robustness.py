"""The figures that attack an answer agree with their papers, and say why when they cannot run."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import t as student

from researchkit.answer import answer_question
from researchkit.dataset import load_dataset
from researchkit.moments import compress, fit, partial_r2
from researchkit.parts import Exposure, Question
from researchkit.robustness import Check, benchmarks, design_figures, e_value, exposure_r2, robustness_value
from researchkit.robustness.curve import fragile, specification_curve, subsets
from researchkit.robustness.linear import clusters, linearised
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
    return moments, SimpleNamespace(estimate=estimate, low=estimate - half, high=estimate + half)


def test_robustness_value_agrees_with_r(reference, lalonde):
    strength = exposure_r2(lalonde[0])
    assert strength == reference.value("ovb_lalonde", "r2yd_x")
    assert robustness_value(strength) == reference.value("ovb_lalonde", "rv_q1")


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


def test_the_smallest_detectable_effect_is_found_four_times_in_five():
    figures = design_figures(1.0, 1.0)
    assert design_figures(1.0, figures["smallest_detectable"])["power"] == pytest.approx(0.8, abs=1e-5)


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


def test_the_curve_ends_at_the_crude_and_the_planned_answer(contact_centre):
    """A score: the same least squares as the headline, so the two ends are known from elsewhere."""
    answer = answer_question(contact_centre, "trust")
    check = named(answer, "specification curve")
    found = {label: estimate for label, estimate, _, _ in check.ways}
    assert len(found) == check.facts["specifications"] == 8
    assert found["nothing"] == pytest.approx(answer.crude.estimate, rel=1e-9)
    assert check.ways[0][1] == check.facts["planned"] == pytest.approx(answer.effect.estimate, rel=1e-9)
    assert check.facts["low"] == min(found.values())
    assert check.facts["high"] == max(found.values())
    assert check.facts["scale"] == "linear"
    assert check.facts["moves_it_most"] == "severity"
    without = answer_question(contact_centre, answer.question.model_copy(update={"adjust": ("tenure", "channel")}))
    assert check.facts["without_it"] == pytest.approx(without.effect.estimate, rel=1e-3)  # other complete rows
    assert "ways" not in check.to_dict()


def test_a_category_goes_in_and_out_as_a_whole(contact_centre):
    answer = answer_question(contact_centre, "trust")
    assert sum("Channel" in label for label, *_ in named(answer, "specification curve").ways) == 4


@pytest.mark.parametrize("question", ["retention", "satisfaction", "recommendation", "calling_back"])
def test_other_kinds_say_that_a_straight_line_stands_in(contact_centre, question):
    answer = answer_question(contact_centre, question)
    check = named(answer, "specification curve")
    assert check.facts["scale"] == named(answer, "unmeasured confounder").facts["scale"] == "linear approximation"
    assert answer.effect.low <= check.facts["planned"] <= answer.effect.high


def test_a_duration_says_why_it_has_no_curve_and_leaves_out_one_by_one(contact_centre):
    answer = answer_question(contact_centre, "days_as_customer")
    assert "no straight line" in named(answer, "specification curve").reason
    assert named(answer, "each adjustment left out").ran


def test_the_baseline_of_a_change_is_always_in(root):
    answer = answer_question(root / "data" / "hospital", "anxiety_observed")
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


LINE = SimpleNamespace(groups={"age": ("age",), "ward": ("ward",)})
INSIDE = np.array([[1, 1], [0, 1], [1, 0], [0, 0]], dtype=bool)
STUDY = SimpleNamespace(label=str.upper)


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
    values = np.array(estimates)
    found = fragile(STUDY, LINE, INSIDE, values, values - half, values + half)
    assert found.startswith(mark) if mark else found == ""


def test_a_fifth_of_the_ways_may_differ():
    values = np.array([2.0, 2, 2, 2, -2])
    assert fragile(STUDY, LINE, np.ones((5, 2), bool), values, values - 1, values + 1) == ""


def test_the_strongest_measured_cause_marks_an_exposed_answer(contact_centre):
    answer = answer_question(contact_centre, "retention")
    check = named(answer, "unmeasured confounder")
    assert check.facts["strongest_measured"] == "severity"
    assert check.facts["with_one_as_strong"]["low"] < 0
    assert check.mark.startswith("exposed: an unmeasured cause no stronger than Severity of the problem")
    assert check.mark in answer.verdict.marks
    assert named(answer_question(contact_centre, "trust"), "unmeasured confounder").mark == ""


def test_lots_are_not_exposed(contact_centre):
    question = contact_centre.question("retention").model_copy(update={"design": "randomised"})
    assert isinstance(question, Question)
    assert named(answer_question(contact_centre, question), "unmeasured confounder").mark == ""


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
    answer = answer_question(contact_centre, question)
    found = {label: estimate for label, estimate, _, _ in named(answer, "specification curve").ways}
    sample = dataset.sample(question)
    share = [sample.outcome[sample.compared("channel") & (sample.exposure == arm)].mean() for arm in (0, 1)]
    assert len(found) == 4
    assert found["nothing"] == pytest.approx(share[1] - share[0], rel=1e-9)


def test_a_line_that_tells_something_else_than_the_model_does_not_stand_in_for_it(contact_centre):
    question, dataset = contact_centre.question("retention"), load_dataset(contact_centre)
    line = linearised(dataset.sample(question), question)
    effect = SimpleNamespace(low=0.2, high=0.3, level=0.95)
    assert "cannot stand in" in specification_curve(line, dataset, question, effect).reason
