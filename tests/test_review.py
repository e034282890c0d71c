"""Which published results stand together, what was kept out, and how it is told."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest

from researchkit import review, wording
from researchkit.answer import answer_question
from researchkit.claims import claim, claims
from researchkit.errors import EstimationError, StudyError
from researchkit.evidence import published, scale
from researchkit.evidence.pools import METRICS, OVERLAPPING, TITLES, parted, pool, pools
from researchkit.evidence.synthesis import random_effects
from researchkit.simulate import write_world
from researchkit.study import load_study


def rows(*ids):
    return published(verified_only=False).set_index("id", drop=False).loc[list(ids)]


def test_every_pool_of_the_table_is_named_and_made():
    named = published()["pool_set"].replace("", None).dropna()
    many = {name for name, count in named.value_counts().items() if count > 1}
    assert many == set(TITLES) == {one.name for one in pools()}


def test_a_claim_has_the_pools_that_hold_a_result_on_it():
    assert [one.name for one in pools("LOY-2")] == ["SAT_R"]
    assert pools("CUL-9") == ()


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (("E01",), "fewer than two"),
        (("E01", "E02"), "E01 and E02: they are of the same people"),
        (("E11", "E12"), "E11 and E12: they are of the same people"),
        (("E13", "E15"), "E13 and E15: they are of the same people"),
        (("E01", "E86"), "E86: the numbers were not seen"),
        (("E62", "E01"), "E62: the publication was retracted"),
        (("E18", "E22"), "E18: they are syntheses themselves"),
        (("E01", "E22"), "different contrasts"),
        (("E01", "E03"), "E03: no effect with its standard error"),
        (("E47", "E01"), "E47: their metric is one that cannot be pooled"),
        (("E10", "E01"), "different contrasts"),
    ],
)
def test_what_must_not_be_pooled_is_refused_by_its_reason(ids, words):
    with pytest.raises(EstimationError, match=words):
        pool(rows(*ids))


def test_whoever_overlaps_is_in_the_table_under_several_citations():
    for group in OVERLAPPING:
        assert rows(*group)["citation_short"].nunique() > 1


def test_all_reasons_come_at_once():
    with pytest.raises(EstimationError) as told:
        pool(rows("E62", "E86", "E01", "E02"))
    assert all(words in str(told.value) for words in ("retracted", "not seen", "same people"))


def test_every_metric_of_the_table_is_told_apart():
    told = {parted(text)[0] for text in published()["yi_metric"] if text}
    assert told <= {*METRICS, ""}
    assert parted("lnOR of the bad outcome, high v low compassion") == (
        "lnOR",
        "the bad outcome, high v low compassion",
    )
    assert parted("d, benefit positive") == ("d", "benefit positive")
    assert parted("Fisher z of r") == ("Fisher z", "r")
    assert parted("MISS points")[0] == ""


def test_what_is_told_is_what_was_computed():
    one = review.named("REC_OBS")
    table = review.pools("REC-1")
    line = table.data.set_index("pool").loc["REC_OBS"]
    assert line["estimate"] == math.exp(one.synthesis.estimate)
    assert line["low"] < line["estimate"] < line["high"] < 1
    assert line["tau2_pm"] == one.other.tau2 and one.other.method == "PM"
    again = random_effects(one.rows["yi"], one.rows["sei"], method="PM")
    assert line["estimate_pm"] == math.exp(again.estimate)
    told = dict(zip((col.header for col in table.columns), table.rows[0], strict=True))
    assert told["Mean by another variance"].startswith(wording.number(line["estimate_pm"]))
    figure = review.picture("REC_OBS")
    assert len(figure.data) == len(one.rows) + 2
    assert list(figure.data["label"][-2:]) == ["All of them", "A new study"]
    assert figure.data["estimate"].iloc[0] == pytest.approx(math.exp(one.rows["yi"][0]))
    assert "hazard ratios" in figure.caption


def test_two_studies_are_shown_without_a_mean():
    figure = review.picture("LOY_LEAVE")
    assert list(figure.data["label"]) == ["Safran et al. 2001", "Federman et al. 2001"]
    assert "would tell nothing" in figure.caption
    assert review.without("LOY_LEAVE").rows[-1][0] == "none"


def test_the_kept_out_are_shown_with_their_reason():
    told = {row[0]: row[2] for row in review.kept_out().rows}
    assert set(told) == {"E62", "E86", "E91", "E92"}
    assert told["E62"] == "retracted"


def test_an_unknown_pool_names_the_nearest():
    with pytest.raises(StudyError, match="REC_OBS"):
        review.named("REC_OBSERVED")


def test_a_result_without_a_pool_is_still_listed():
    assert len(review.results("REC-1").rows) == len(published("REC-1"))


def on_scale(**row):
    return scale.of_published(pd.Series({"yi": 0.5, "sei": 0.1, "turn": 1.0, "yi_metric": "d, benefit positive"} | row))


def test_a_published_result_comes_onto_the_scale_by_hand():
    assert on_scale() == scale.Standardised(0.5, 0.1)
    odds = on_scale(yi_metric="lnOR of the bad outcome, high v low compassion", yi=-1.0, turn=-1.0, sei=0.2)
    assert odds == scale.Standardised(pytest.approx(0.551329, abs=1e-6), pytest.approx(0.110266, abs=1e-6))
    # r = 0.6: d = 1.2 / 0.8; its error by the delta method of 2 sinh(z), which is the same number
    r = on_scale(yi_metric="Fisher z of r", yi=math.atanh(0.6), sei=0.05)
    assert r == scale.Standardised(pytest.approx(1.5), pytest.approx(2 * math.cosh(math.atanh(0.6)) * 0.05))


@pytest.mark.parametrize(
    "row",
    [
        {"turn": math.nan},
        {"yi": math.nan},
        {"yi_metric": "lnHR of the bad outcome, high v low compassion"},
        {"yi_metric": "lnOR of the bad outcome per CARE point"},
        {"yi_metric": "lnOR per patient"},
        {"yi_metric": "MISS points"},
        {"yi_metric": ""},
    ],
)
def test_what_would_need_a_guess_stays_off_the_scale(row):
    assert on_scale(**row) is None


def test_an_error_that_nobody_saw_is_no_error_of_zero():
    assert math.isnan(on_scale(sei=math.nan).se)


def test_which_way_is_better_is_said_of_each_result_that_can_be_told():
    """By hand, from what exposure and outcome are: a blank where the exposure is burnout, or a bot."""
    turn = published().set_index("id")["turn"]
    assert (turn[["E01", "E16", "E48", "E65", "E73"]] == -1).all()
    assert (turn[["E19", "E27", "E35", "E43", "E77"]] == 1).all()
    assert turn[["E60", "E61", "E87"]].isna().all()
    assert set(turn.dropna()) == {1, -1}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("worlds") / "hospital"
    write_world("hospital", folder, rows=800)
    return load_study(folder)


def test_an_answer_comes_onto_the_scale_by_its_own_data(world):
    found = answer_question(world, "anxiety_trial")
    own = scale.of_effect(found.effect, found.sample, found.question)
    spread = np.std(found.sample.outcome, ddof=1)
    assert own.estimate == pytest.approx(-found.effect.estimate / spread), "less anxiety is better"
    assert own.se == pytest.approx(found.effect.se / spread)


def test_a_measured_exposure_is_taken_two_standard_deviations_apart(world):
    found = answer_question(world, "readmission")
    own = scale.of_effect(found.effect, found.sample, found.question)
    apart = 2 * np.std(found.sample.exposure, ddof=1)
    assert own.estimate == pytest.approx(-found.effect.model.terms[0].estimate * apart * math.sqrt(3) / math.pi)


def test_a_duration_has_no_place_on_the_scale(world):
    found = answer_question(world, "recovery_time")
    assert scale.of_effect(found.effect, found.sample, found.question) is None
    assert review.others(found).rows[0][-1] == "–"


def test_an_answer_stands_first_among_the_others_with_what_they_disagree_about(world):
    table = review.others(answer_question(world, "readmission"))
    assert [row[0].partition(" (n")[0] for row in table.rows] == [
        "This answer",
        *published("REC-1")["citation_short"],
    ]
    assert claim("REC-1").tension in table.note
    lone = review.others(answer_question(world, "leaving"))
    assert len(lone.rows) == 1
    assert "no prior" in lone.note


def test_no_tension_carries_a_number():
    told = [one.tension for one in claims() if one.tension]
    assert len(told) > 10
    assert not [text for text in told if re.search(r"\d", text)]


def test_a_hidden_count_stays_hidden_beside_the_others(world, monkeypatch):
    found = answer_question(world, "readmission")
    monkeypatch.setattr(type(found), "data", {**found.data, "used": None})
    assert review.others(found).rows[0][0] == "This answer"


@pytest.mark.parametrize(
    ("value", "told"), [(0.16, "0.16"), (-0.01, "−0.01"), (4176.0, "4,176"), (None, "–"), ("x", "x")]
)
def test_a_published_number_has_the_digits_that_were_printed(value, told):
    assert review.as_printed(value) == told


def test_results_stand_as_they_were_printed():
    rows = {row[0]: row for row in review.results("REC-1").rows}
    assert rows["E01"][-1] == "0.16" and rows["E03"][3] == "4,176"
