"""Two outcomes with a price, three arms of a recovery, and what is not worse: R's numbers, intervals, words, refusals."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pandas as pd
import pytest
from by_hand import pulls, two_ways
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


# --- both effects from whole matrices -----------------------------------------------------------------------------

AGENT, MONTH = np.arange(60) % 7, np.arange(60) // 10


def drawn_two(**given):
    """60 contacts: trust, minutes, how kind, how bad; and the plain columns of their model."""
    rng = np.random.default_rng(11)
    care, bad, shared = rng.normal(2, 1, 60), rng.normal(size=60), rng.normal(size=60)
    trust = 0.5 * care - 0.3 * bad + shared + rng.normal(size=60) + rng.normal(0, 0.5, 7)[AGENT]
    minutes = 20 + 4 * care + 5 * shared + 3 * rng.normal(size=60)
    drawn = sample(trust, care, {"bad": bad}, {"minutes": minutes}, **given)
    return drawn, np.column_stack([care, bad, np.ones(60)]), np.column_stack([trust, minutes])


WAYS = {
    "rows": ({}, "HC3", "HC3 errors"),
    "agents": ({"cluster": AGENT}, "CR2", "CR2 errors clustered by agent"),
    "both": (
        {"cluster": AGENT, "crossed": MONTH, "crossed_name": "month"},
        "CR1",
        "CR1 errors clustered two ways, by agent and month",
    ),
}


def expected(way, matrix, outcomes):
    """Effects, their covariance and degrees of freedom, from whole matrices."""
    one, columns = np.array([1.0, 0, 0]), list(outcomes.T)
    values = np.linalg.lstsq(matrix, outcomes, rcond=None)[0][0]
    if way == "both":
        return values, *two_ways(matrix, columns, one, AGENT, MONTH)
    part, df = pulls(matrix, columns, one, AGENT if way == "agents" else None)
    return values, part.T @ part, df


@pytest.mark.parametrize("way", list(WAYS))
def test_both_effects_have_the_joint_errors_of_whole_matrices(way):
    given, errors, _ = WAYS[way]
    drawn, matrix, outcomes = drawn_two(**given)
    values, covariance, df = expected(way, matrix, outcomes)
    found, name, columns = both.both(drawn, asks())
    assert found.values == pytest.approx(values)
    assert found.covariance == pytest.approx(covariance)
    assert found.df == pytest.approx([df, df])
    assert name == errors and columns.names == ("care", "bad", "Intercept")


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize(("good", "level"), [("low", 0.95), ("high", 0.8)])
def test_every_part_of_the_answer_follows_from_both_effects(way, good, level):
    given, errors, words = WAYS[way]
    drawn, matrix, outcomes = drawn_two(**given)
    values, covariance, df = expected(way, matrix, outcomes)
    price = np.array([1.0, 0.05 if good == "high" else -0.05])
    value, se = price @ values, np.sqrt(price @ covariance @ price)
    found = estimate_sample(drawn, asks(0.05, good=good), level)
    low, high = stats.t.interval(level, df, value, se)
    told = (found.estimate, found.se, found.df, found.low, found.high, found.p)
    assert told == pytest.approx((value, se, df, low, high, 2 * stats.t.sf(abs(value / se), df)))
    assert found.method == f"two straight lines in the same rows, {words}"
    model = found.model
    assert (model.name, model.errors, model.scale) == ("two straight lines", errors, "each outcome's own unit")
    first, second, together = model.terms
    for place, term in enumerate((first, second)):
        own = np.sqrt(covariance[place, place])
        ends = stats.t.interval(level, df, values[place], own)
        p = 2 * stats.t.sf(abs(values[place]) / own, df)
        assert (term.estimate, term.se, term.low, term.high, term.p) == pytest.approx((values[place], own, *ends, p))
    assert [term.term for term in model.terms] == ["score", "minutes", "correlation of the two errors"]
    assert together.estimate == pytest.approx(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))
    assert np.isnan([together.se, together.low, together.high, together.p]).all()
    assert (found.n, found.contrast) == (60, "care +1 point, less the price of minutes")
    groups = {"rows": None, "agents": 7, "both": 6}[way]
    assert found.clusters == groups
    few = {"rows": (), "agents": ("few clusters: 7 (agent)",)}
    few["both"] = ("few clusters: 7 (agent)", "few clusters: 6 (month)")
    assert found.notes == few[way]


@pytest.mark.parametrize("way", list(WAYS))
def test_the_answer_is_that_of_a_score_of_the_outcome_less_the_price(way):
    drawn = drawn_two(**WAYS[way][0])[0]
    found = estimate_sample(drawn, asks(0.05))
    score = estimate_sample(replace(drawn, outcome=drawn.outcome - 0.05 * drawn.more["minutes"]), question())
    for name in ("estimate", "se", "df", "low", "high", "p", "n", "clusters", "level", "notes"):
        assert getattr(found, name) == pytest.approx(getattr(score, name)), name


def test_where_the_variance_two_ways_is_negative_the_error_is_the_one_that_the_note_names():
    """No two rows meet in both clusters, and neighbours in either pull against each other."""
    rng = np.random.default_rng(13)
    agent, month = np.arange(36) // 6, np.arange(36) % 6
    for _ in range(50):
        care = rng.normal(size=36)
        rest = rng.normal(size=(6, 6))
        rest -= rest.mean(axis=0) + rest.mean(axis=1)[:, None] - rest.mean()
        drawn = sample(
            rest.ravel() / care,
            care,
            more={"minutes": rng.normal(size=36)},
            cluster=agent,
            crossed=month,
            crossed_name="month",
        )
        score = estimate_sample(replace(drawn, outcome=drawn.outcome - 0.01 * drawn.more["minutes"]), question())
        if any("came out negative" in note for note in score.notes):
            break
    found = estimate_sample(drawn, asks(0.01))
    for name in ("estimate", "se", "df", "low", "high", "p"):
        assert getattr(found, name) == pytest.approx(getattr(score, name)), name
    assert any("the two-way variance came out negative" in note for note in found.notes)


def test_weights_are_those_of_weighted_lines():
    weights = np.linspace(1, 2, 60)
    drawn, matrix, outcomes = drawn_two(weights=weights)
    root = np.sqrt(weights)[:, None]
    values, covariance, df = expected("rows", root * matrix, root * outcomes)
    found = both.both(drawn, asks())[0]
    assert found.values == pytest.approx(values) and found.covariance == pytest.approx(covariance)
    net = estimate_sample(drawn, asks(0.05))
    assert (net.estimate, net.df) == pytest.approx((values[0] - 0.05 * values[1], df))


def test_units_of_either_outcome_move_with_the_price():
    drawn = drawn_two()[0]
    one = estimate_sample(drawn, asks(0.05))
    seconds = replace(drawn, more={"minutes": 60 * drawn.more["minutes"] + 9})
    other = estimate_sample(seconds, asks(0.05 / 60))
    assert (other.estimate, other.se, other.df) == pytest.approx((one.estimate, one.se, one.df))
    assert other.model.terms[2].estimate == pytest.approx(one.model.terms[2].estimate)


@pytest.mark.parametrize(
    ("kind", "outcome", "unit"),
    [("score", {}, "point"), ("score", {"unit": "night"}, "night"), ("yes_no", {"yes": "1"}, "probability")],
)
def test_the_gain_is_in_the_outcomes_own_unit(kind, outcome, unit):
    drawn = drawn_two()[0]
    drawn = replace(drawn, outcome=(drawn.outcome > 1).astype(float), more={"time_spent": drawn.more["minutes"]})
    asked = question(kind, outcome, tradeoff={"other": "time_spent", "price": 0.1})
    found = estimate_sample(drawn, asked)
    assert (found.unit, found.kind) == (unit, kind)
    assert found.contrast == "care +1 point, less the price of time spent"


def test_columns_left_out_and_few_degrees_of_freedom_are_noted():
    """One agent of 24 has nearly all that differs in the exposure."""
    rng, agent = np.random.default_rng(12), np.arange(96) // 4
    care = np.where(agent == 0, 10.0 * np.arange(96), 0.01 * rng.normal(size=96))
    bad = rng.normal(size=96)
    drawn = sample(
        rng.normal(size=96), care, {"bad": bad, "worse": 2 * bad}, {"minutes": rng.normal(size=96)}, cluster=agent
    )
    found = estimate_sample(drawn, asks())
    assert found.df < 2.5
    left_out, worth, hardly = found.notes
    assert left_out == "left out because the other covariates determine them: worse"
    assert worth.startswith("few clusters: the comparison is worth") and hardly.startswith("hardly any degrees")


def test_the_level_is_95_per_cent_where_none_is_named():
    drawn, found = drawn_two()[0], pair([1, 2], [[0.04, 0.01], [0.01, 0.09]])
    one, other = both.tradeoff(drawn, asks()), both.tradeoff(drawn, asks(), 0.95)
    assert (one.low, one.high, one.level) == (other.low, other.high, 0.95)
    assert both.worth_it_below(found, -1) == both.worth_it_below(found, -1, 0.95)
    assert both.standing(pair([2.1, 2.1], np.eye(2)), ("high", "high")) == "both better"  # t is 2.042, at 96 % 2.147
    assert both.standing(pair([2.0, 2.1], np.eye(2)), ("high", "high")) == "cannot tell"


def test_without_rows_or_a_trade_off_the_reason_is_said():
    with pytest.raises(EstimationError, match="The question 'q': none of 0 rows is complete"):
        estimate_sample(sample([], [], more={"minutes": []}), asks())
    with pytest.raises(EstimationError, match="The question 'q' has no `tradeoff`"):
        both.tradeoff(drawn_two()[0], question())


def test_infinite_entries_are_counted_and_all_objections_said_at_once():
    drawn = drawn_two()[0]
    minutes = np.where(np.arange(60) < 2, np.inf, np.where(np.arange(60) < 5, np.nan, 1.0))
    with pytest.raises(EstimationError) as refused:
        both.tradeoff(replace(drawn, more={"minutes": minutes}, exposure=np.ones(60)), asks())
    said = str(refused.value)
    assert "the other outcome (minutes) has 5 infinite entries." in said
    assert "care is the same in all 60 complete rows" in said
    assert "is the same in all rows, so" not in said


@pytest.mark.parametrize("yes", ["2", "2.0", " 2 "])
def test_a_code_among_numbers_is_read_as_a_number(yes):
    values = np.tile([0.0, 1.0, 2.0], 20)
    drawn = replace(drawn_two()[0], more={"minutes": values})
    assert both.other_of(drawn, asks(yes=yes)).tolist() == np.tile([0.0, 0.0, 1.0], 20).tolist()


def test_a_code_among_words_is_read_as_it_stands():
    words = np.tile(np.array(["007", "7", "seven"], dtype=object), 20)
    drawn = replace(drawn_two()[0], more={"minutes": words})
    for yes, place in (("007", 0), ("7.0", 1), ("seven", 2)):
        assert both.other_of(drawn, asks(yes=yes)).tolist() == np.tile(np.eye(3)[place], 20).tolist()


# --- the pair of effects ------------------------------------------------------------------------------------------


def pair(values, covariance, df=(30.0, 30.0)):
    return both.Both(np.array(values, dtype=float), np.array(covariance, dtype=float), np.array(df, dtype=float))


def test_the_net_of_both_is_their_weighted_sum():
    found = pair([1, 2], [[4, 1], [1, 9]])
    assert found.net(3) == (7, pytest.approx(np.sqrt(4 + 6 + 81)))
    assert found.net(-0.5) == (0, pytest.approx(np.sqrt(4 - 1 + 9 / 4)))
    assert pair([1, 2], [[1, -2], [-2, 1]]).net(1) == (3, 0)  # two-way errors may be none


@pytest.mark.parametrize(("df", "level"), [((12, 7), 0.95), ((7, 12), 0.8), ((300, 300), 0.95)])
def test_the_edge_of_the_region_is_hotellings(df, level):
    found, v = pair([1, -2], [[4, 1.5], [1.5, 1]], df), min(df)
    centre, edge = found.region(level)
    assert centre.tolist() == [1, -2]
    away = edge @ np.array([np.cos([0, 1, 2.5]), np.sin([0, 1, 2.5])])
    sizes = np.sum(away * np.linalg.solve(found.covariance, away), axis=0)
    assert sizes == pytest.approx(2 * v / (v - 1) * stats.f.ppf(level, 2, v - 1))


def test_hardly_any_degrees_of_freedom_leave_a_wide_region_and_no_error():
    """The quantile of F(2, d) is d/2 ((1 - level)^(-2/d) - 1); d is held at 0.01 or more."""
    found = pair([0, 0], np.eye(2), (0.5, 9))
    size = 2 * 1.01 / 0.01 * 0.01 / 2 * (0.5 ** (-2 / 0.01) - 1)
    assert found.region(0.5)[1] @ found.region(0.5)[1].T == pytest.approx(size * np.eye(2), rel=1e-6)


def test_the_region_of_errors_without_spread_in_one_direction_is_a_line():
    _, edge = pair([0, 0], [[1, 2], [2, 1]]).region(0.95)
    assert np.linalg.matrix_rank(edge) == 1
    assert edge @ edge.T == pytest.approx(np.full((2, 2), (edge @ edge.T)[0, 0]))
    assert np.isfinite(pair([0, 0], np.eye(2), (1.5, 9)).region(0.9)[1]).all()


@pytest.mark.parametrize(
    ("values", "df", "level", "word"),
    [
        ((2.5, 2.6), (5, 5), 0.95, "cannot tell"),  # t is 2.571
        ((2.6, 2.5), (5, 5), 0.95, "cannot tell"),
        ((2.6, 2.6), (5, 5), 0.95, "both better"),
        ((2.5, 2.5), (5, 5), 0.9, "both better"),  # 2.015
        ((2.5, 2.5), (5, 30), 0.95, "cannot tell"),
        ((2.5, -2.6), (30, 5), 0.95, "a trade-off"),
        ((-2.5, -2.6), (30, 5), 0.95, "both worse"),
        ((-2.5, 2.6), (30, 5), 0.95, "a trade-off"),
        ((0, 0), (5, 5), 0.95, "cannot tell"),
    ],
)
def test_each_effect_is_sure_by_its_own_interval(values, df, level, word):
    spread = np.array([3.0, 0.1])
    assert both.standing(pair(values * spread, np.diag(spread**2), df), ("high", "high"), level) == word
    turned = pair(values * spread * [1, -1], np.diag(spread**2), df)
    assert both.standing(turned, ("high", "low"), level) == word


def test_an_effect_without_error_is_sure():
    assert both.standing(pair([1e-9, -1e-9], np.zeros((2, 2))), ("high", "low")) == "both better"


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize(("df", "level"), [((12, 40), 0.95), ((40, 12), 0.8)])
def test_between_fiellers_limits_no_price_can_be_told_from_a_loss(sign, df, level):
    found = pair([1.2, -sign * 2.5], [[0.09, 0.02], [0.02, 0.16]], df)
    turn, low, high = both.worth_it_below(found, sign, level)
    assert found.net(sign * turn)[0] == pytest.approx(0) and low < turn < high
    for price in (low, high):
        value, se = found.net(sign * price)
        assert abs(value / se) == pytest.approx(stats.t.ppf((1 + level) / 2, 12))


def test_a_price_without_limits_has_none():
    """Where the cost is not sure any price might be worth it; where there is none no price turns it."""
    unsure = both.worth_it_below(pair([3, 2], 4 * np.eye(2)), -1)
    assert unsure[0] == 1.5 and np.isnan(unsure[1:]).all()
    assert np.isnan(both.worth_it_below(pair([1, 0], np.eye(2)), -1)).all()
    # Clusters that cross may leave the net of a price without error: then no limits can be found on either side of it.
    turn, low, high = both.worth_it_below(pair([1, 1], [[0.01, 0.2], [0.2, 0.01]]), 1)
    assert turn == -1 and np.isnan([low, high]).all()


def test_where_the_cost_is_not_sure_a_sure_gain_has_no_limits_either():
    """All prices but those between two roots are possible then."""
    turn, low, high = both.worth_it_below(pair([5, 1], 0.3 * np.eye(2)), -1)
    assert turn == 5 and np.isnan([low, high]).all()


def test_what_came_out_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        pair([1, 2], np.eye(2)).df = np.ones(2)


def test_another_price_is_another_question():
    drawn = drawn_two(cluster=AGENT)[0]
    cheap, dear = (estimate_sample(drawn, asks(price), 0.9) for price in (0.05, 0.5))
    told = both.priced(cheap, both.both(drawn, asks())[0], -0.5)
    for name in ("estimate", "se", "low", "high", "p", "df", "contrast", "n", "level"):
        assert getattr(told, name) == pytest.approx(getattr(dear, name)), name


def test_a_variance_that_came_out_as_nothing_leaves_a_point():
    for variance in (0.0, -1.0):
        term = both.one_term("minutes", 2.0, variance, 0.95, 9)
        assert (term.term, term.estimate, term.se, term.low, term.high, term.p) == ("minutes", 2, 0, 2, 2, 0)
    term = both.one_term("minutes", 2.0, 4.0, 0.8, 9)
    assert (term.se, term.low, term.high) == pytest.approx((2, *stats.t.interval(0.8, 9, 2, 2)))


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
