"""The two simulated studies of detection, trade-offs and recoveries: planted truths come out, and are told in words."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import yaml

import researchkit as rk
from researchkit.disclosure import PROFILES
from researchkit.estimators import estimate_sample
from researchkit.simulate import WORLDS, simulate, study_text, truth_text
from researchkit.tables import Prose
from researchkit.verdict import ruling

DATA = Path(__file__).parents[1] / "data"
NAMES = ("contact_centre_detection", "contact_centre_tradeoffs")
TRUTHS = {name: yaml.safe_load((DATA / name / "truth.yml").read_text(encoding="utf-8")) for name in NAMES}
PLANTED = [(name, question) for name, truths in TRUTHS.items() for question in truths]


@cache
def dataset(name: str, table: str):
    return rk.load_dataset(rk.load_study(DATA / name), table)


@cache
def effect(name: str, question: str):
    study = rk.load_study(DATA / name)
    asked = study.question(question)
    return asked, estimate_sample(dataset(name, study.table_of(asked)).sample(asked), asked)


@cache
def answer(name: str, question: str):
    return rk.answer_question(DATA / name, question)


@pytest.mark.parametrize(("name", "question"), PLANTED)
def test_each_planted_effect_gets_the_verdict_that_it_deserves(name, question):
    asked, found = effect(name, question)
    assert ruling(found.low, found.high, asked) == TRUTHS[name][question]["deserves"]


def test_most_intervals_hold_what_was_planted():
    """16 of 17 or more but once in five such studies, were each to hold it 19 times in 20."""
    held = [effect(*one)[1].low <= TRUTHS[one[0]][one[1]]["truth"] <= effect(*one)[1].high for one in PLANTED]
    assert sum(held) >= len(held) - 2


def test_some_claims_are_false_and_every_question_has_its_truth():
    for name, truths in TRUTHS.items():
        assert {question.id for question in rk.load_study(DATA / name).questions} == set(truths)
        assert {truth["deserves"] for truth in truths.values()} > {"supported"}
    claims = {question.claim for name in NAMES for question in rk.load_study(DATA / name).questions}
    assert claims == {"CHA-2", "CHA-3", "CUL-8", "LOY-4", "LOY-5", "PRA-4", "PRA-5", "REC-6"}


@pytest.mark.parametrize("name", NAMES)
def test_what_lies_under_data_is_what_the_world_makes(name):
    module = WORLDS[name]
    for file, frame in simulate(name, rows=module.ROWS, seed=module.SEED).items():
        text = frame.to_csv(index=False, lineterminator="\n")
        assert (DATA / name / file).read_text(encoding="utf-8") == text
    assert (DATA / name / "study.yml").read_text(encoding="utf-8") == study_text(name)
    assert sum(path.stat().st_size for path in (DATA / name).iterdir()) < 400_000


def test_the_truth_is_computed():
    assert truth_text(NAMES[1], WORLDS[NAMES[1]].SEED) == (DATA / NAMES[1] / "truth.yml").read_text(encoding="utf-8")


SAID = {
    "cue_fair": "a share of “caller in distress” found by “cue of the software” that was",
    "vulnerable_found": "Flag of the agent, held to the 60 % that is needed, went with a share of “vulnerable caller” found",
    "score_valid": "a correlation of “score card” with kindness felt by the caller that was",
    "score_worth": "One more point of score card, corrected for its error by “kindness found by experts”, went with trust",
    "worth_its_time": "satisfaction less the price of “handling time” (0.2 a minute) that was",
    "made_good": "was not worse by 0.25 points: it went with satisfaction afterwards that was",
}
MADE = {  # what each is attacked with that no other design is
    "cue_fair": ("the other error", "forecasts"),
    "vulnerable_found": ("who was reviewed",),
    "score_valid": ("whose score it is", "held out"),
    "score_worth": ("errors that lean",),
    "worth_its_time": ("both outcomes", "the price"),
    "made_good": ("three hypotheses", "what rises by itself", "how bad it was"),
}


@pytest.mark.parametrize("question", list(SAID))
def test_the_sentence_reads_well_and_the_attacks_of_the_design_ran(question):
    name = next(name for name, truths in TRUTHS.items() if question in truths)
    found = answer(name, question)
    assert SAID[question] in found.verdict.sentence
    checks = {check.name: check for check in found.checks}
    for one in MADE[question]:
        assert checks[one].ran, checks[one].reason
        assert checks[one].facts["words"].endswith(".")


def test_who_is_reviewed_is_what_makes_agents_look_good():
    checks = {check.name: check for check in answer(NAMES[0], "vulnerable_found").checks}
    assert checks["who was reviewed"].facts["low"] > 0  # as if those reviewed were everybody: above what is needed
    assert answer(NAMES[0], "vulnerable_found").effect.high < 0


def test_what_the_pages_show_and_hide():
    fair = answer(NAMES[0], "cue_fair")
    table = rk.accuracy.values(fair)
    assert [row[0] for row in table.rows][:2] == [
        "Sensitivity, the accent that the software was trained on",
        "Sensitivity, another accent",
    ]
    assert rk.accuracy.curve(fair).data["came"].is_monotonic_increasing
    assert isinstance(rk.accuracy.raters(fair), Prose)
    score = rk.accuracy.raters(answer(NAMES[0], "score_valid"))
    assert "The mean of 3 raters" in str(score)
    assert [row[0] for row in score.rows][2:5:2] == [
        "Strict and lenient occasions",
        "What was rated, otherwise another time",
    ]
    assert "twice" in score.note
    assert "The mean of 6 raters" in str(rk.accuracy.raters(answer(NAMES[0], "score_as_target")))
    gain = answer(NAMES[1], "worth_its_time")
    assert "a trade-off" in rk.frontier.pair(gain).alt
    assert "0.2 for one minute (the study file's price)" in str(rk.frontier.prices(gain))
    made = rk.frontier.arms(answer(NAMES[1], "made_good"))
    assert [row[0] for row in made.rows][:3] == ["No failure, mean", "Usual recovery, mean", "Kind recovery, mean"]
    drawn = rk.frontier.contrasts(answer(NAMES[1], "made_good"))
    assert drawn.data["estimate"].to_list() == [
        term.estimate for term in answer(NAMES[1], "made_good").effect.model.terms
    ]
    assert isinstance(rk.frontier.arms(gain), Prose)
    assert isinstance(rk.frontier.contrasts(gain), Prose)
    assert isinstance(rk.frontier.pair(answer(NAMES[1], "made_good")), Prose)


def small(tmp_path, rows=110):
    """The first few calls, under a profile that shows nothing of fewer than ten."""
    frame = pd.read_csv(DATA / NAMES[0] / "calls.csv", dtype=str).head(rows)
    frame.to_csv(tmp_path / "calls.csv", index=False)
    (tmp_path / "hires.csv").write_bytes((DATA / NAMES[0] / "hires.csv").read_bytes())
    (tmp_path / "study.yml").write_text((DATA / NAMES[0] / "study.yml").read_text(encoding="utf-8"), encoding="utf-8")
    return rk.answer_question(tmp_path, "cue_finds", disclosure="cms")


def test_shares_of_few_people_are_not_shown_under_a_profile(tmp_path):
    found = small(tmp_path)
    assert PROFILES[found.study.disclosure].protects
    assert isinstance(rk.accuracy.values(found), Prose)
    assert isinstance(rk.accuracy.curve(found), Prose)
    assert [term.term for term in found.effect.model.terms] == ["sensitivity"]  # the result file holds no other share
    whole = rk.answer_question(DATA / NAMES[0], "cue_finds", disclosure="cms")
    assert "Specificity" in str(rk.accuracy.values(whole))
    assert isinstance(rk.accuracy.values(replace(whole, by="half=first")), Prose)
    made = rk.answer_question(DATA / NAMES[1], "made_good", disclosure="cms")
    assert len(rk.frontier.arms(made).rows) == 3  # contrasts, and no means


def test_a_score_that_carries_pay_says_less_and_not_more():
    found = effect(NAMES[0], "score_as_target")[1]
    first, second = found.model.terms[:2]
    assert found.estimate == pytest.approx(second.estimate - first.estimate)
    assert found.high < 0
