"""Planned questions of one family corrected together: R's numbers, what is counted, and what the reader is told."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from researchkit.answer import answer_question
from researchkit.robustness.several import NAME, family, holm, own_p
from researchkit.study import load_study

P = st.lists(st.floats(0, 1), min_size=1, max_size=12)


def test_holm_is_that_of_r(held):
    stays = held.frames["stays"]
    names = [name for name in held.values["holm"] if name != "tied"]
    p = []
    for name in names:
        rows = stays[["compassion", name]].dropna().astype(float)
        p.append(sm.OLS(rows[name], sm.add_constant(rows["compassion"])).fit().pvalues.iloc[1])
    corrected = holm([*p, p[0]])
    assert corrected == [held("holm", name) for name in [*names, "tied"]]


def test_holm_of_published_p_values(reference):
    entry, frame = reference["p_adjust"], reference.frame("pvalues")
    wanted = {name: value for name, value in entry["quantities"].items() if name.startswith("holm_")}
    assert wanted
    found = dict(zip(frame["test"], holm(frame["p"]), strict=True))
    for name, value in wanted.items():
        assert found[name.removeprefix("holm_")] == pytest.approx(value, rel=1e-12)


@given(P)
def test_corrected_is_never_smaller_and_never_above_one(p):
    corrected = holm(p)
    assert all(one <= two <= 1 for one, two in zip(p, corrected, strict=True))
    assert corrected[int(np.argmin(p))] == pytest.approx(min(1, len(p) * min(p)))


@given(P)
def test_the_order_of_asking_does_not_matter(p):
    assert sorted(holm(p)) == sorted(holm(p[::-1])) == pytest.approx(sorted(holm(sorted(p))))


STUDY = """
title: A clinic
seed: 1
files: visits.csv
design: observational
questions:
"""
QUESTION = (
    "  - {{id: {id}, title: 'Is it so?', claim: REC-2, family: {family}, exposure: kindness, planned: {planned}, "
    "expect: {expect}, outcome: {{column: {id}, kind: score, unit: point}}, smallest_effect: {least}}}\n"
)


@pytest.fixture
def clinic(tmp_path):
    """A study of several scores; `clear` is plain, `maybe` has p between .025 and .05, `nothing` is noise."""

    def made(*questions: dict) -> object:
        rng = np.random.default_rng(3)
        n = 60
        kindness = rng.normal(size=n)
        noise = rng.normal(size=n)
        noise -= kindness * (noise @ kindness) / (kindness @ kindness)
        lines = [f"{k},{3 * k + e},{0.22 * k + e},{e},7" for k, e in zip(kindness, noise, strict=True)]
        (tmp_path / "visits.csv").write_text("kindness,clear,maybe,nothing,constant\n" + "\n".join(lines) + "\n")
        plan = {"family": "recovery", "planned": "true", "expect": "better", "least": 0.05}
        asked = "".join(QUESTION.format(**(plan | one)) for one in questions)
        (tmp_path / "study.yml").write_text(STUDY + asked)
        return tmp_path

    return made


def check_of(answer):
    return next(check for check in answer.checks if check.name == NAME)


def test_what_is_clear_alone_may_not_be_among_several(clinic):
    study = clinic({"id": "maybe"}, {"id": "nothing"})
    answer = answer_question(study, "maybe")
    assert 0.025 < answer.effect.p < 0.05
    assert answer.effect.p_adjusted == pytest.approx(2 * answer.effect.p)
    assert any(mark.startswith("one of 2 questions: corrected for them") for mark in answer.verdict.marks)
    assert answer.to_dict()["effect"]["p_adjusted"] == answer.effect.p_adjusted
    assert "2 planned questions are about recovery" in check_of(answer).facts["words"]


def test_a_clear_answer_stays_clear(clinic):
    answer = answer_question(clinic({"id": "clear"}, {"id": "nothing"}), "clear")
    assert answer.effect.p_adjusted < 0.001
    assert not check_of(answer).mark


def test_other_families_and_unplanned_questions_do_not_count(clinic):
    study = clinic({"id": "maybe"}, {"id": "nothing", "family": "burnout"}, {"id": "clear", "planned": "false"})
    assert [one.id for one in family(load_study(study), load_study(study).question("maybe"))] == ["maybe"]
    assert check_of(answer_question(study, "maybe")).reason == "it is the only planned question of its family"
    assert answer_question(study, "maybe").effect.p_adjusted is None
    assert "exploratory" in check_of(answer_question(study, "clear")).reason


def test_a_question_without_an_answer_is_no_test(clinic):
    answer = answer_question(clinic({"id": "maybe"}, {"id": "clear"}, {"id": "constant"}), "maybe")
    facts = check_of(answer).facts
    assert (facts["questions"], facts["not_asked"]) == (2, ["constant"])
    assert answer.effect.p_adjusted == pytest.approx(answer.effect.p)  # the larger of two
    assert "Not counted, for these data cannot answer them: constant." in facts["words"]


def test_a_claim_of_no_difference_is_tested_by_equivalence(clinic):
    study = clinic({"id": "nothing", "expect": "equal", "least": 1.0}, {"id": "clear"})
    answer = answer_question(study, "nothing")
    assert answer.effect.p > 0.5  # against no difference
    assert own_p(answer.effect, answer.question) < 0.001  # against a difference that matters
    assert answer.effect.p_adjusted < 0.001


def test_a_question_of_another_table_counts(answered):
    told = check_of(answered("hospital", "leader")).facts
    assert told["questions"] == 3
