"""The figures that attack an answer agree with their papers, and say why when they cannot run."""

import math

import numpy as np
import pytest

from researchkit.robustness import Check, design_figures, e_value, partial_r2, robustness_value

rng = np.random.default_rng(20260101)


@pytest.mark.parametrize("case", ["rr", "or"])
def test_e_value_of_the_paper(case):
    """VanderWeele and Ding (2017), p. 270: a risk ratio of 3.9 (1.8 to 8.7) has E-values 7.26 and 3.0."""
    assert e_value(3.9) == pytest.approx(7.263, abs=5e-4)
    assert e_value(1.8) == pytest.approx(3.0, abs=5e-3)
    assert e_value(1 / 3.9) == pytest.approx(e_value(3.9))


def test_robustness_value_agrees_with_r(reference):
    entry = reference["ovb_lalonde"]
    data = reference.frame("lalonde")
    names = ["age", "educ", "black", "hispan", "married", "nodegree", "re74", "re75"]
    data["black"], data["hispan"] = (data.race == "black") * 1.0, (data.race == "hispan") * 1.0

    class Sample:
        outcome = data.re78.to_numpy(float)
        exposure = data.treat.to_numpy(float)
        covariates = data[names].to_numpy(float)
        baseline = None

    partial = partial_r2(Sample)["exposure"]
    found = {"partial_r2": partial, "rv": robustness_value(partial)}
    wanted = {key: value for key, value in entry["quantities"].items() if isinstance(value, float)}
    assert any(value == pytest.approx(found["partial_r2"], rel=1e-8) for value in wanted.values())
    assert any(value == pytest.approx(found["rv"], rel=1e-8) for value in wanted.values())


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
