"""The checklist: the guideline that fits, every item once, and none filled by what did not run."""

from dataclasses import replace

import pytest
from test_methods import without

from researchkit import checklist
from researchkit.checklist import CONSORT, CROSS, STROBE, TARGET
from researchkit.checklist.items import AUTHOR, FILLED, PART

CASES = {
    "STROBE": ("contact_centre", "retention"),
    "CONSORT 2025": ("hospital", "anxiety_trial"),
    "CROSS": ("hospital", "leader"),
}


def items(answer):
    return {item.number: item.told(answer) for item in checklist.guideline(answer).items}


@pytest.mark.parametrize("name", CASES)
def test_the_guideline_follows_from_the_study(name, answered):
    assert checklist.guideline(answered(*CASES[name])).name == name


@pytest.mark.parametrize(("found", "most"), [(STROBE, 22), (CONSORT, 30), (CROSS, 19), (TARGET, 21)])
def test_every_item_of_a_guideline_is_there_once_and_in_order(found, most):
    numbers = [item.number for item in found.items]
    assert len(numbers) == len(set(numbers))
    whole = [int("".join(sign for sign in number if sign.isdigit())) for number in numbers]
    assert whole == sorted(whole) and set(whole) == set(range(1, most + 1))


def test_cross_and_target_have_all_their_parts():
    assert (len(CROSS.items), len(TARGET.items)) == (40, 39)


@pytest.mark.parametrize(
    ("name", "expected"), [("STROBE", "TARGET"), ("CROSS", "TARGET"), ("CONSORT 2025", "CONSORT 2025")]
)
def test_a_trial_that_is_named_makes_it_target_but_for_a_trial(name, expected, answered):
    answer = answered(*CASES[name])
    named = replace(answer, study=answer.study.model_copy(update={"emulates": "Calls handled by lots, for 90 days."}))
    assert checklist.guideline(named).name == expected
    if expected == "TARGET":
        told = items(named)
        assert "Calls handled by lots" in told["1a"].text and told["1a"].word == PART
        assert {number for number in told if number.startswith("6")} <= {n for n in told if told[n].word == AUTHOR}


@pytest.mark.parametrize("name", CASES)
def test_the_line_counts_what_the_table_says(name, answered):
    shown = checklist.filled(answered(*CASES[name]))
    table, line = next(shown.tables), shown.parts[-1].summary
    counts = [sum(row[3] == word for row in table.rows) for word in (FILLED, PART, AUTHOR)]
    assert (
        line
        == f"{name}, {len(table.rows)} items: {counts[0]} filled, {counts[1]} in part, {counts[2]} for the author to write"
    )
    assert all((row[3] == AUTHOR) == (row[4] == "") for row in table.rows)
    assert all(row[2] for row in table.rows), "a place in the paper"


GONE = {"missing data": ["12c", "14b"], "unmeasured confounder": ["12e", "9"], "specification curve": ["12e"]}


@pytest.mark.parametrize("name", GONE)
def test_nothing_is_claimed_that_did_not_run(name, answered):
    whole, gone = items(answered(*CASES["STROBE"])), items(without(answered(*CASES["STROBE"]), name))
    for number in GONE[name]:
        assert whole[number] != gone[number]
    words = " ".join(one.text for one in gone.values())
    ran = {"missing data": ("imputation", "Lacking"), "unmeasured confounder": ("nobody measured", "Cinelli")}
    for word in ran.get(name, ("ways to adjust", "Simonsohn")):
        assert word not in words


def test_without_any_attack_the_items_on_attacks_are_the_authors(answered):
    answer = answered(*CASES["STROBE"])
    for check in answer.checks:
        answer = without(answer, check.name)
    found = items(answer)
    assert [found[number].word for number in ("9", "12e", "14b", "17")] == [AUTHOR] * 4


def test_no_lock_of_the_plan_and_no_rule_no_claim(answered):
    found = items(answered(*CASES["CONSORT 2025"]))
    assert [found[number].word for number in ("3", "10", "12a", "17a", "18", "20a", "25", "27")] == [AUTHOR] * 8


def test_marks_are_the_limitations_and_none_are_made_up(answered):
    answer = answered(*CASES["STROBE"])
    assert "not caused" in items(answer)["19"].text
    assert items(replace(answer, verdict=replace(answer.verdict, marks=())))["19"].word == AUTHOR


def test_a_single_estimate_is_not_told_as_two(answered):
    assert "adjusted" in items(answered(*CASES["STROBE"]))["16a"].text
    told = items(answered(*CASES["CONSORT 2025"]))["26"].text
    assert told.startswith("Not adjusted") and "crude" not in told.lower()


def test_unchecked_numbers_are_said_to_be_so(answered):
    assert "unchecked" in next(checklist.filled(answered(*CASES["CROSS"])).tables).note
    assert "unchecked" not in next(checklist.filled(answered(*CASES["CONSORT 2025"])).tables).note
