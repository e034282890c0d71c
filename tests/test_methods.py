"""The methods paragraph: what ran is in it, what did not run is not."""

from dataclasses import replace

import pytest

from researchkit import methods
from researchkit.robustness import Check

TRIAL, CENTRE, LEADER = ("hospital", "anxiety_trial"), ("contact_centre", "retention"), ("hospital", "leader")


@pytest.fixture(params=[TRIAL, CENTRE, LEADER], ids="/".join)
def answer(request, answered):
    return answered(*request.param)


def without(answer, name):
    """The answer as if one check could not have run."""
    made = answer.dataset.fingerprint
    checks = [Check(name, made, reason="not here") if one.name == name else one for one in answer.checks]
    return replace(answer, checks=tuple(checks))


def told(answer):
    return str(methods.paragraph(answer))


def test_estimator_level_and_counts_are_those_of_the_answer(answer):
    words = told(answer)
    assert answer.effect.method in words and answer.effect.contrast in words
    assert f"{answer.effect.n:,} " in words and "intervals are at 95 %" in words.replace("Intervals", "intervals")
    for name in answer.question.adjust:
        assert answer.study.label(name).lower() in words.lower()
    assert ("not adjusted for anything" in words) == (not answer.question.adjust)


def test_clusters_are_named_where_there_are_any(answer):
    words = told(answer)
    assert ("alike in" in words) == (answer.effect.clusters is not None)
    if answer.effect.clusters is not None:
        assert f"{answer.effect.clusters:,} clusters" in words
    assert "alike in" not in told(replace(answer, effect=replace(answer.effect, clusters=None)))


def test_the_handling_of_gaps_is_the_one_that_ran(answer):
    words, check = told(answer), next(one for one in answer.checks if one.name == "missing data")
    imputed = bool(check.facts.get("imputed"))
    assert ("multiple imputation" in words) == imputed
    assert ("No row lacked anything" in words) == (check.facts["incomplete"] == 0)
    if imputed:
        assert f"filled {check.facts['imputed']['copies']} times" in words
    assert "imputation" not in told(without(answer, "missing data"))


def test_gaps_that_could_not_be_filled_are_not_said_to_have_been(answered):
    answer = answered(*CENTRE)
    bare = [
        replace(one, facts=one.facts | {"imputed": None}) if one.name == "missing data" else one
        for one in answer.checks
    ]
    words = told(replace(answer, checks=tuple(bare)))
    assert "left out (406)" in words and "imputation" not in words and "Worst cases" not in words
    assert "Worst cases" in told(answered(*TRIAL))


def test_only_attacks_that_ran_are_named_and_only_their_methods(answered):
    answer = answered(*CENTRE)
    words = told(answer)
    assert "8 ways to adjust and 3 planned alternatives" in words and "each group left out in turn" in words
    assert "Simonsohn" in words and "Cinelli" in words
    gone = told(without(without(answer, "specification curve"), "unmeasured confounder"))
    assert (
        "ways to adjust" not in gone and "Simonsohn" not in gone and "Cinelli" not in gone and "VanderWeele" not in gone
    )
    assert "VanderWeele" not in told(answered(*TRIAL)), "no ratio, so no E-value"


def test_a_correction_is_told_only_where_it_was_made(answered):
    answer = answered(*CENTRE)
    assert "(Holm)" in told(answer) and "Holm" not in told(without(answer, "several questions"))


def test_the_design_decides_what_is_said_of_lots(answered):
    assert "This was a randomised study" in told(answered(*TRIAL))
    centre = told(answered(*CENTRE))
    assert "observational study: nobody drew lots" in centre and "randomised" not in centre and "caused" not in centre


def test_weights_are_named_where_there_are_any(answered):
    answer = answered(*CENTRE)
    assert "weighted" not in told(answer)
    weighted = replace(answer, question=answer.question.model_copy(update={"weights": "tenure"}))
    assert "Rows were weighted by time as a customer." in told(weighted)


def test_counts_that_are_hidden_stay_hidden(answered, monkeypatch):
    answer = answered(*CENTRE)
    hidden = {**answer.data, "used": None, "rows": None}
    monkeypatch.setattr(type(answer), "data", property(lambda self: hidden))
    words = told(without(answer, "missing data"))
    assert "20,005" not in words and "20,411" not in words and "Rows were" not in words


def test_counts_that_are_rounded_to_the_same_do_not_say_that_nobody_was_left_out(answered, monkeypatch):
    answer = answered(*CENTRE)
    coarse = {**answer.data, "used": 1000, "rows": 1000, "dropped": [{"why": "score missing", "rows": 5}]}
    monkeypatch.setattr(type(answer), "data", property(lambda self: coarse))
    words = told(without(answer, "missing data"))
    assert "Rows were left out as listed" in words and "No row was left out" not in words
