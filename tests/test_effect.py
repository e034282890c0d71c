"""An effect by itself: its limits, what it shows of itself, and what it is in a result file."""

from __future__ import annotations

import math

import numpy as np
import pytest

from researchkit.errors import EstimationError
from researchkit.estimators.effect import Effect, Model, Term, ratio, terms, wald


def effect(**changes) -> Effect:
    model = Model("logistic", "CR2", (Term("kind", 0.3, 0.1, 0.1, 0.5, 0.01),), "log odds")
    plan = {
        "kind": "yes_no",
        "estimate": 0.031,
        "se": 0.004,
        "low": 0.023,
        "high": 0.039,
        "level": 0.95,
        "p": 0.0421,
        "unit": "probability",
        "contrast": "kind instead of usual",
        "method": "average risk difference",
        "n": 1234,
        "clusters": 12,
        "df": 9.5,
        "model": model,
        "also": {"odds ratio": (1.3, 1.12, 1.43), "risk ratio": (1.1, 1.05, 1.2)},
        "notes": ("few clusters: 12 (team)",),
    }
    return Effect(**{**plan, **changes})


@pytest.mark.parametrize(
    ("df", "quantile", "p"),
    [
        (None, 1.959963984540054, 0.02534731867746822),
        (5.0, 2.570581835636314, 0.07555),
    ],  # R: qnorm, qt, 2 * pnorm, 2 * pt
)
def test_the_limits_of_an_estimate(df, quantile, p):
    for estimate in (2.236 * 0.5, -2.236 * 0.5):
        low, high, found = wald(estimate, 0.5, 0.95, df)
        assert (low, high) == pytest.approx((estimate - quantile * 0.5, estimate + quantile * 0.5), rel=1e-9)
        assert found == pytest.approx(p, rel=1e-3)


@pytest.mark.parametrize(
    ("estimate", "se"), [(1.0, 0.0), (1.0, math.nan), (1.0, math.inf), (math.nan, 1.0), (math.inf, 1.0), (1.0, -1.0)]
)
def test_an_estimate_without_an_error_is_refused(estimate, se):
    with pytest.raises(EstimationError, match="without a standard error"):
        wald(estimate, se, 0.95)
    assert wald(1.0, 0.5, 0.9)[1] == pytest.approx(1 + 1.6448536269514722 * 0.5)


def test_an_effect_says_itself():
    assert effect().words == "+3.1 percentage points, 95 % interval 2.3 to 3.9"
    told = (
        "kind instead of usual: +3.1 percentage points, 95 % interval 2.3 to 3.9 (n = 1,234; average risk difference)"
    )
    assert repr(effect()) == told
    assert effect(unit="point", estimate=-2.5, low=-3.0, high=-2.0).words == "−2.5 points, 95 % interval −3.0 to −2.0"


def test_the_facts_of_an_effect():
    facts = dict(effect().facts)
    assert facts["Rows"] == "1,234" and facts["Clusters"] == "12" and facts["Corrected"] == ""
    assert facts["Other scales"] == "odds ratio 1.3 (1.12 to 1.43); risk ratio 1.1 (1.05 to 1.20)"
    assert facts["p-value"] == "p = .042" and facts["Method"] == "average risk difference"
    corrected = dict(effect(clusters=None, p_adjusted=0.084).facts)
    assert corrected["Clusters"] == "" and corrected["Corrected"].endswith(".084 in its family")


def test_an_effect_shows_what_matters_first():
    page = effect()._repr_mimebundle_()["text/html"]
    places = [
        page.index(text) for text in ("+3.1 percentage points", "few clusters: 12 (team)", "kind instead of usual")
    ]
    assert places[0] < min(places[1:]) and "<svg" in page
    assert effect().drawn() != effect().drawn(0.02)  # the band is drawn where there is one


def test_what_is_not_finite_is_nothing_in_a_result_file():
    told = effect(p=math.nan, df=math.inf, also={"odds ratio": (1.25, math.nan, math.inf)}).to_dict()
    assert told["p"] is None and told["df"] is None and told["p_adjusted"] is None
    assert told["also"] == {"odds ratio": {"estimate": 1.25, "low": None, "high": None}}
    assert (told["estimate"], told["n"], told["clusters"], told["notes"]) == (
        0.031,
        1234,
        12,
        ["few clusters: 12 (team)"],
    )
    model = effect().model.to_dict()
    assert (model["name"], model["errors"], model["scale"]) == ("logistic", "CR2", "log odds")
    assert model["terms"][0]["estimate"] == 0.3


def test_a_term_without_an_error_keeps_its_estimate():
    """One whose variance is rounding below nought, one without degrees of freedom, one with both."""
    found = terms(
        ("a", "b", "c"), np.array([1.0, 2.0, 3.0]), np.diag([-1e-18, 0.25, 0.25]), 0.95, np.array([4.0, 0.0, 4.0])
    )
    assert [one.estimate for one in found] == [1.0, 2.0, 3.0] and [one.se for one in found] == [0.0, 0.5, 0.5]
    assert [math.isnan(one.p) for one in found] == [True, True, False]
    assert (found[2].low, found[2].high) == pytest.approx((3 - 2.7764451051977987 * 0.5, 3 + 2.7764451051977987 * 0.5))
    assert terms(("a",), np.array([1.0]), np.eye(1), 0.95)[0].high == pytest.approx(2.959963984540054)


def test_a_ratio_beyond_all_numbers_is_infinite():
    assert ratio(Term("a", 0.0, 1.0, -800.0, 800.0, 1.0)) == (1.0, 0.0, math.inf)
    assert ratio(Term("a", 1.0, 1.0, 0.5, 699.0, 1.0)) == pytest.approx((math.e, math.exp(0.5), math.exp(699.0)))
