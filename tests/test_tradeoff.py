"""Two outcomes with a price, three arms of a recovery, and what is not worse: R's numbers, intervals, words, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from designed import question, sample
from scipy import stats

from researchkit.calibrate import weighed
from researchkit.errors import EstimationError
from researchkit.estimators import estimate_sample
from researchkit.estimators import recovery as three
from researchkit.estimators import tradeoff as both
from researchkit.robustness.several import own_p
from researchkit.study import load_study
from researchkit.verdict import ruling, sentence

DRAWS = 200


@pytest.fixture(scope="module")
def known(held):
    frame = held.frames["contacts"]
    frame = frame[frame["compassion"].notna()].reset_index(drop=True)
    return frame.assign(agent=pd.factorize(frame["agent_id"])[0])


# --- two outcomes -------------------------------------------------------------------------------------------------


def asks(price=1.0, **told):
    return question(tradeoff={"other": "minutes", "price": price, "unit": "minute"} | told)


@pytest.mark.parametrize(("entry", "price"), [("tradeoff_cheap", 0.05), ("tradeoff_dear", 0.5)])
def test_the_gain_less_its_price_is_that_of_clubsandwich(held, known, entry, price):
    """The errors of the net hang on the covariance of both: at two prices no other covariance would do."""
    drawn = sample(
        known["trust"],
        known["compassion"],
        {"severity": known["severity"]},
        {"minutes": known["handle_minutes"].to_numpy(float)},
        cluster=known["agent"].to_numpy(),
    )
    found = estimate_sample(drawn, asks(price))
    for quantity, value in (("value", found.estimate), ("se", found.se), ("df", found.df)):
        assert value == held(entry, quantity)


def two(rng, n=200, agents=20, effects=(0.3, 0.5)):
    agent = np.repeat(np.arange(agents), n // agents)
    care, shared = rng.normal(size=n) + rng.normal(0, 0.5, agents)[agent], rng.normal(size=n)
    outcome = effects[0] * care + shared + rng.normal(0, 0.5, agents)[agent]
    minutes = effects[1] * care + shared + rng.normal(size=n) + rng.normal(0, 0.5, agents)[agent]
    return sample(outcome, care, more={"minutes": minutes}, cluster=agent)


@pytest.mark.parametrize("make", weighed.STUDIES[3:])
def test_intervals_hold_their_truth(make):
    """Not so few that intervals which keep their promise would show it once in ten thousand runs."""
    for name, held in weighed.coverage(DRAWS, make).items():
        assert stats.binom.cdf(held, DRAWS, 0.93) > 1e-4, (name, held)


@pytest.mark.parametrize(
    ("effects", "goods", "word"),
    [
        ((1, -1), ("high", "low"), "both better"),
        ((1, 1), ("high", "low"), "a trade-off"),
        ((-1, 1), ("high", "low"), "both worse"),
        ((1, 1), ("high", "high"), "both better"),
        ((0.05, 1), ("high", "high"), "cannot tell"),
    ],
)
def test_how_two_effects_stand_to_each_other(effects, goods, word):
    found = both.Both(np.array(effects, dtype=float), np.eye(2) * 0.01, np.array([30.0, 30.0]))
    assert both.standing(found, goods) == word


def test_the_price_at_which_nothing_is_gained_is_fiellers():
    found = both.Both(np.array([1.0, 2.0]), np.array([[0.04, 0.01], [0.01, 0.09]]), np.array([30.0, 30.0]))
    turn, low, high = both.worth_it_below(found, -1.0)
    assert turn == 0.5
    for price in (low, high):  # there the net is just one critical value away from nothing
        value, se = found.net(-price)
        assert abs(value / se) == pytest.approx(stats.t.ppf(0.975, 30))


def test_the_same_direction_of_good_adds_and_the_other_takes_away():
    drawn = two(np.random.default_rng(2))
    less, more = (estimate_sample(drawn, asks(good=good)) for good in ("low", "high"))
    pair = both.both(drawn, asks())[0]
    assert less.estimate == pytest.approx(pair.values[0] - pair.values[1])
    assert more.estimate == pytest.approx(pair.values[0] + pair.values[1])


@pytest.mark.parametrize(
    ("minutes", "said"),
    [
        (np.full(40, 3.0), "is the same in all rows"),
        (np.where(np.arange(40) == 3, np.inf, np.arange(40.0)), "has 1 infinite entries"),
        (np.array(["long", "short"] * 20, dtype=object), "holds words; say by `yes`"),
    ],
    ids=["constant", "infinite", "words"],
)
def test_a_second_outcome_that_cannot_be_traded_is_refused(minutes, said):
    rng = np.random.default_rng(1)
    with pytest.raises(EstimationError, match=said):
        estimate_sample(sample(rng.normal(size=40), rng.normal(size=40), more={"minutes": minutes}), asks())


def test_a_code_that_counts_as_one_turns_words_into_a_share():
    rng = np.random.default_rng(1)
    words = np.array(["long", "short"] * 50, dtype=object)
    numbers = (words == "long").astype(float)
    outcome, care = rng.normal(size=100), rng.normal(size=100)
    by_word = estimate_sample(sample(outcome, care, more={"minutes": words}), asks(yes="long"))
    by_number = estimate_sample(sample(outcome, care, more={"minutes": numbers}), asks())
    assert by_word.estimate == pytest.approx(by_number.estimate)


def test_entries_beside_the_rest_of_their_question():
    def said(**more):
        asked = question(**({"tradeoff": {"other": "minutes", "price": 1}} | more))
        return " ".join(asked.special.against(asked))

    assert "needs two outcomes" in said(tradeoff={"other": "care", "price": 1})
    assert "cannot be adjusted for" in said(adjust=["minutes"])
    assert "is of kind counts" in said(kind="counts")
    arms = {"exposure": {"column": "care", "reference": "none", "level": "kind"}, "tradeoff": None}
    assert "a recovery has three arms" in said(tradeoff=None, recovery={})
    assert "failures alone have it" in said(**arms, adjust=["bad"], recovery={"among_failures": ["bad"]})
    assert "`not worse`" in said(**arms, expect="worse", recovery={})
    assert said(**arms, recovery={}) == ""


# --- three arms ---------------------------------------------------------------------------------------------------


def arms(kind, usual, outcome, more=None, covariates=None, **given):
    """A sample whose exposure is the kind arm, with the usual one as its further level."""
    columns = {"care: usual": usual, **(covariates or {})}
    groups = ("care", *(covariates or {}))
    return sample(outcome, kind, columns, more, groups, **given)


def recovers(kind="score", **told):
    exposure = {"column": "care", "reference": "none", "level": "kind"}
    return question(kind, exposure=exposure, recovery={"among_failures": ["bad"]}, **told)


def test_three_arms_are_those_of_clubsandwich(held, known):
    kind, usual = (known["channel"] == "email").to_numpy(float), (known["channel"] == "chat").to_numpy(float)
    bad = np.where(kind + usual > 0, known["severity"], np.nan)
    drawn = arms(
        kind, usual, known["trust"], {"bad": bad}, {"tenure": known["tenure"]}, cluster=known["agent"].to_numpy()
    )
    found = three.three(drawn, recovers())
    for place, entry in enumerate(("recovery_kind", "recovery_usual", "recovery_between")):
        for quantity, value in (("value", found.values), ("se", found.se), ("df", found.df)):
            assert value[place] == held(entry, quantity), (entry, quantity)


def test_other_numbers_of_arms_and_empty_columns_are_refused():
    rng = np.random.default_rng(1)
    arm = np.tile([0, 1, 2], 20)
    kind, usual = (arm == 2).astype(float), (arm == 1).astype(float)
    outcome = rng.normal(size=60)
    with pytest.raises(EstimationError, match="has three arms, and care has 2"):
        estimate_sample(sample(outcome, kind, more={"bad": outcome}), recovers())
    with pytest.raises(EstimationError, match="0 rows had the usual recovery"):
        estimate_sample(arms(kind, np.zeros(60), outcome, {"bad": outcome}), recovers())
    with pytest.raises(EstimationError, match="bad never varies among failures"):
        estimate_sample(arms(kind, usual, outcome, {"bad": np.full(60, np.nan)}), recovers())
    with pytest.raises(EstimationError, match="numbers are wanted under `among_failures`"):
        estimate_sample(arms(kind, usual, outcome, {"bad": np.array(["bad"] * 60, dtype=object)}), recovers())
    gaps = np.where(np.arange(60) < 4, np.nan, outcome)
    assert any(
        "not known of" in note for note in estimate_sample(arms(kind, usual, outcome, {"bad": gaps}), recovers()).notes
    )


# --- not worse ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "good", "word"),
    [
        (-0.05, 0.3, "high", "supported"),
        (-0.05, 0.05, "high", "supported"),
        (-0.15, 0.3, "high", "cannot tell"),
        (-0.3, -0.15, "high", "contradicted"),
        (-0.3, 0.05, "low", "supported"),
        (0.15, 0.3, "low", "contradicted"),
        (-0.3, 0.15, "low", "cannot tell"),
    ],
)
def test_not_worse_by_a_margin_has_words_of_its_own(low, high, good, word):
    assert ruling(low, high, question(expect="not worse", outcome={"good": good})) == word


def test_its_p_value_is_that_of_its_own_hypothesis():
    rng = np.random.default_rng(3)
    care = np.repeat([0.0, 1.0], 100)
    found = estimate_sample(sample(rng.normal(size=200), care), question())
    p = own_p(found, question(expect="not worse"))
    assert p == pytest.approx(2 * stats.t.sf((found.estimate + 0.1) / found.se, found.df))


def test_each_word_of_not_worse_has_a_sentence_that_reads_well(root):
    study = load_study(root / "data" / "contact_centre_tradeoffs")
    asked = study.question("made_good")
    care = np.repeat([0.0, 1.0], 100)
    found = estimate_sample(sample(np.tile([0.0, 1.0], 100), care), question())
    told = {}
    for low, high in ((-0.1, 0.1), (-0.4, 0.2), (-0.9, -0.5)):
        effect = replace(found, estimate=(low + high) / 2, low=low, high=high)
        told[ruling(low, high, asked)] = sentence(effect, ruling(low, high, asked), asked, study)
    kind = "A failure set right kindly instead of no failure"
    assert told["supported"].startswith(f"{kind} was not worse by 0.25 points: it went with satisfaction afterwards")
    assert told["contradicted"].startswith(f"{kind} was worse by more than 0.25 points: it went with")
    assert (
        "cannot tell whether a failure set right kindly instead of no failure is worse by 0.25" in told["cannot tell"]
    )
