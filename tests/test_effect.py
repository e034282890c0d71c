"""An effect by itself: its limits, what it shows of itself, and what it is in a result file."""

from __future__ import annotations

import math
import re
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from designed import question, sample
from scipy.stats import norm, t

from researchkit.errors import EstimationError
from researchkit.estimators.effect import Effect, Model, Term, ratio, terms, told, wald, ways


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


def test_all_of_an_effect_stands_in_a_result_file():
    assert effect(p_adjusted=0.08, about=1200).to_dict() == {
        "kind": "yes_no",
        "estimate": 0.031,
        "se": 0.004,
        "low": 0.023,
        "high": 0.039,
        "level": 0.95,
        "p": 0.0421,
        "p_adjusted": 0.08,
        "df": 9.5,
        "unit": "probability",
        "contrast": "kind instead of usual",
        "method": "average risk difference",
        "n": 1234,
        "clusters": 12,
        "also": {
            "odds ratio": {"estimate": 1.3, "low": 1.12, "high": 1.43},
            "risk ratio": {"estimate": 1.1, "low": 1.05, "high": 1.2},
        },
        "notes": ["few clusters: 12 (team)"],
    }
    assert effect().model.to_dict() == {
        "name": "logistic",
        "errors": "CR2",
        "scale": "log odds",
        "terms": [{"term": "kind", "estimate": 0.3, "se": 0.1, "low": 0.1, "high": 0.5, "p": 0.01}],
    }
    nothing = Term("a", 1.0, math.nan, -math.inf, math.inf, math.nan).to_dict()
    assert nothing == {"term": "a", "estimate": 1.0, "se": None, "low": None, "high": None, "p": None}


def test_rows_that_are_told_roughly():
    assert effect().rows == "1,234" and effect(about=1200).rows == "about 1,200"
    assert dict(effect(about=1200).facts)["Rows"] == "about 1,200"
    assert "(n = about 1,200; average risk difference)" in repr(effect(about=1200))
    assert effect().notes == ("few clusters: 12 (team)",)
    bare = Effect("score", 1.0, 1.0, 0.0, 2.0, 0.9, 0.1, "point", "c", "m", 9, None, None, effect().model, {})
    assert (bare.notes, bare.p_adjusted, bare.about) == ((), None, None)
    assert bare.words == "+1.0 points, 90 % interval 0.0 to 2.0"


def test_a_drawing_has_the_interval_the_estimate_and_nought_in_their_places():
    """From nought at the left to the upper limit at the right, all in proportion."""
    drawn = effect().drawn()
    line = re.search(r'd="M(\d+) \d+H(\d+)" stroke="currentColor" stroke-width="30"', drawn)
    dot, nought = (int(re.search(way, drawn)[1]) for way in (r'cx="(\d+)"', r'd="M(\d+) 0V'))
    low, high = int(line[1]), int(line[2])
    assert (low - nought) / (high - nought) == pytest.approx(0.023 / 0.039, abs=0.002)
    assert (dot - nought) / (high - nought) == pytest.approx(0.031 / 0.039, abs=0.002)
    assert f'aria-label="kind instead of usual: {effect().words}"' in drawn
    assert effect().drawn(0.0) == drawn and "opacity" not in drawn and "opacity" in effect().drawn(0.01)


def test_a_card_has_the_words_the_facts_the_notes_and_the_drawing():
    bundle = effect()._repr_mimebundle_(include=None)
    assert bundle["text/plain"].startswith("Effect")
    for told_ in (effect().words, "Contrast", "kind instead of usual", "Rows", "1,234", "few clusters: 12 (team)"):
        assert told_ in bundle["text/plain"] and told_ in bundle["text/html"]
    assert effect().drawn() in bundle["text/html"]


def test_an_effect_is_told_of_its_sample_and_its_question():
    crossed = {"cluster": np.arange(30) % 7, "crossed": np.arange(30) % 4, "crossed_name": "month"}
    rows, about = sample(np.arange(30), np.arange(30) % 5, **crossed), question("counts")
    model = Model("a", "b", (), "c")
    found = told(
        rows, about, 0.9, 2.0, 0.5, 6.0, unit="u", method="m", model=model, also={"r": (1, 2, 3)}, notes=("n",)
    )
    half = t(6).ppf(0.95) * 0.5
    assert (found.low, found.high) == pytest.approx((2 - half, 2 + half)) and found.p == pytest.approx(2 * t(6).sf(4))
    told_ = (found.kind, found.estimate, found.se, found.level, found.unit, found.contrast, found.method, found.n)
    assert told_ == ("counts", 2.0, 0.5, 0.9, "u", "care +1 point", "m", 30)
    assert (found.clusters, found.df, found.model, found.also, found.notes) == (4, 6.0, model, {"r": (1, 2, 3)}, ("n",))
    plain = told(sample(np.arange(30), np.arange(30)), about, 0.9, 2.0, 0.5, None, unit="u", method="m", model=model)
    assert (plain.clusters, plain.df, plain.also, plain.notes, plain.p_adjusted) == (None, None, {}, (), None)
    assert plain.high == pytest.approx(2 + norm.ppf(0.95) * 0.5)
    assert [name for _, name in ways(rows)] == ["agent", "month"] and ways(sample([1], [0])) == []
    assert [codes.max() for codes, _ in ways(rows)] == [6, 3]


def test_each_term_has_its_own_quantile_or_all_the_same():
    names, at, covariance = ("a", "b"), np.array([1.0, -2.0]), np.array([[0.25, 9.0], [9.0, 4.0]])
    for df, each in ((None, (norm, norm)), (5.0, (t(5), t(5))), (np.array([3.0, 8.0]), (t(3), t(8)))):
        for term, value, se, spread in zip(terms(names, at, covariance, 0.8, df), at, (0.5, 2.0), each, strict=True):
            half = spread.ppf(0.9) * se
            found = (term.estimate, term.se, term.low, term.high, term.p)
            by_hand = (value, se, value - half, value + half, 2 * spread.sf(abs(value) / se))
            assert found == pytest.approx(by_hand)
    assert [one.term for one in terms(names, at, covariance, 0.8)] == ["a", "b"]
    lost = terms(names, at, np.diag([math.inf, 0.0]), 0.8)
    assert [math.isnan(one.low) for one in lost] == [True, True] and [one.se for one in lost] == [math.inf, 0.0]


def test_what_is_handed_back_cannot_be_changed():
    for one in (effect(), effect().model, effect().model.terms[0]):
        with pytest.raises(FrozenInstanceError):
            one.estimate = one.name = 2.0
