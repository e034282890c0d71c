"""The desk of lesson 13: real students where they were fetched, made-up ones where not, and plans that are looked through."""

import pytest

from researchkit import learn, protocol
from researchkit.errors import ResearchkitError
from researchkit.learn import desk

CACHED = (desk.published, desk.head, desk.laid, desk.answered, desk.before, learn._tables)


@pytest.fixture
def clear():
    """Nothing is remembered of other tests, nor of these."""

    def forget():
        desk._desk.clear()
        for one in CACHED:
            one.cache_clear()

    forget()
    yield forget
    forget()


@pytest.fixture
def without(clear, monkeypatch, tmp_path):
    """A machine on which nothing was fetched."""
    monkeypatch.delenv("RESEARCHKIT_MIRROR", raising=False)
    monkeypatch.setenv("RESEARCHKIT_DATA", str(tmp_path / "empty"))


@pytest.fixture
def fetched(clear, monkeypatch, mirror, tmp_path):
    monkeypatch.setenv("RESEARCHKIT_MIRROR", str(mirror))
    monkeypatch.setenv("RESEARCHKIT_DATA", str(tmp_path / "empty"))


def test_without_the_published_table_students_are_made_up_and_it_is_said(without):
    study = desk.lay()
    assert study.simulated and "made up" in str(desk.whose()) and "data get carrard_2022" in str(desk.whose())
    assert len(learn.table("plan")) == desk.STUDENTS
    assert desk.answer().verdict.word == "too small to matter" and desk.answer().crude.high < 0
    assert learn.check("plan.word", desk.answer().verdict.word).right


def test_it_goes_without_a_checkout_around_it(without, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert desk.lay().simulated and "made up" in str(desk.whose())


def test_with_the_published_table_it_is_that_one_and_it_is_cited(fetched, root):
    study = desk.lay()
    assert not study.simulated and "Carrard" in str(desk.whose())
    ours, theirs = learn.table("plan"), desk.published().frame
    assert len(ours) == len(theirs) > desk.STUDENTS / 2 and list(ours["mbi_ex"]) == list(theirs["mbi_ex"])
    assert desk.answer().effect.n == len(ours)
    assert learn.check("plan.word", desk.answer().verdict.word).right


def test_a_plan_of_ones_own_is_laid_there_and_stays_where_it_was_put(without, tmp_path):
    own = desk.MODEL.replace("[year, sex]", "[year, sex, age]").replace("Are students", "Is it so that students")
    study = desk.lay(own, str(tmp_path / "my plan"))
    assert study.folder == tmp_path / "my plan" and study.questions[0].adjust == ("year", "sex", "age")
    assert learn.check("plan.question", own).right
    seal = desk.seal()
    assert learn.check("plan.seal", seal).right and protocol.held(study)[-1]["sha256"] == seal
    assert learn.check("plan.changed", "changed").right
    assert protocol.standing(study, study.questions[0]).word == "planned"


@pytest.mark.parametrize(
    "text", [..., None, 3, "", "no plan", "- id: [", desk.MODEL.replace("jspe", "amsp"), desk.MODEL * 2]
)
def test_what_is_no_sound_plan_leaves_the_house_s_own_there(without, text):
    assert desk.lay(text).questions[0].exposure.column == "jspe" and len(desk.lay(text).questions) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "begins with a dash"),
        ("- id: [", "the house cannot read it"),
        (desk.MODEL.replace("smallest_effect: 1", "smalest_effect: 1"), "smallest_effect"),
        ("\n" + desk.MODEL.replace("smallest_effect: 1", "smallest_effect: some"), "your plan: line 8: "),
        (desk.MODEL + desk.MODEL.replace("id: care", "id: other"), "one question is asked for; there are 2"),
        ({"id": "care"}, "between three quotes"),
    ],
)
def test_a_plan_that_cannot_be_read_is_told_in_the_house_s_words(without, text, words):
    found = learn.check("plan.question", text)
    assert found.state == "not this" and words in found.words


def test_the_folder_must_be_one_that_can_be_written(without, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResearchkitError, match="cannot be written"):
        desk.lay(desk.MODEL, str(tmp_path / "file"))
