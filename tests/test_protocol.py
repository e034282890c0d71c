"""The plan of a study: in words, locked, and every change of it seen."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from click.testing import CliRunner

from researchkit import protocol
from researchkit.answer import answer_question
from researchkit.batch import plan as plan_of
from researchkit.batch.key import Keys
from researchkit.cli import main
from researchkit.errors import StudyError
from researchkit.protocol import dropped, lock, standing, text
from researchkit.simulate import write_world
from researchkit.study import load_study


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "hospital"
    write_world("hospital", folder, rows=500)
    return folder


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written, tmp_path / "hospital")


@pytest.fixture
def study(folder):
    return load_study(folder)


def changed(folder, old, new, count=1):
    path = folder / "study.yml"
    told = path.read_text(encoding="utf-8")
    assert old in told
    path.write_text(told.replace(old, new, count), encoding="utf-8")
    return load_study(folder)


def where(study, id="readmission"):
    return standing(study, study.question(id))


def test_without_a_lock_the_study_file_is_believed_and_the_page_says_so(study):
    assert where(study).word == "planned"
    assert "not locked" in where(study).words
    assert where(study).mark == ""


def test_what_is_locked_and_unchanged_is_planned(study):
    seal = lock(study, "the data were at hand")
    one = where(study)
    assert (one.word, one.changes, one.sha256) == ("planned", (), seal)
    assert one.locked == json.loads((study.folder / protocol.LOCK).read_text())[0]["locked"][:10]
    assert one.locked in one.words


def block_of(folder):
    """The lines of one question."""
    told = (folder / "study.yml").read_text(encoding="utf-8")
    return next(part for part in re.split(r"(?=  - id: )", told) if "id: readmission" in part)


def test_a_changed_choice_is_told_with_what_it_was(folder, study):
    lock(study, "")
    old, new, told = block_change(block_of(folder))
    one = where(changed(folder, block_of(folder), block_of(folder).replace(old, new, 1)))
    assert one.word == "changed"
    assert one.changes == (told,)
    assert "not as locked on" in one.mark


def block_change(block):
    """The smallest effect of this question, whatever it is now."""
    value = re.search(r"smallest_effect: ([\d.]+)", block)[1]
    return f"smallest_effect: {value}", "smallest_effect: 0.123", f"smallest_effect: 0.123, was {value}"


def test_a_rule_that_leaves_people_out_is_a_change(folder, study):
    lock(study, "")
    block = re.search(r"  - id: readmission\n", (folder / "study.yml").read_text())[0]
    keep = "    keep: [{column: age, minimum: 30, why: younger than 30}]\n"
    one = where(changed(folder, block, block + keep))
    assert one.word == "changed"
    assert any("keep" in change and "younger" in change for change in one.changes)


def test_words_for_people_are_no_change(folder, study):
    lock(study, "")
    title = study.question("readmission").title
    assert where(changed(folder, title, title.replace("?", ", then?"))).word == "planned"


def test_new_data_are_no_change(folder, study):
    lock(study, "")
    (folder / "stays.csv").rename(folder / "december.csv")
    assert where(changed(folder, "stays.csv", "december.csv", -1)).word == "planned"


def test_a_question_that_was_not_locked_is_exploratory_whatever_it_says(folder, study):
    lock(study, "")
    block = block_of(folder)
    one = where(changed(folder, block, block + block.replace("id: readmission", "id: afterthought")), "afterthought")
    assert one.word == "exploratory"
    assert one.mark.startswith("exploratory: not in the plan locked on")


def test_a_planned_question_that_is_asked_no_more_is_named(folder, study):
    lock(study, "")
    renamed = changed(folder, "id: readmission", "id: came_back")
    assert dropped(renamed) == ("readmission",)
    assert any("no longer asked: readmission" in line for line in text(renamed))


def test_locking_again_adds_an_entry_and_keeps_the_first(folder, study):
    first = lock(study, "before")
    assert lock(study, "before") == first, "nothing has changed, so nothing is added"
    block = block_of(folder)
    old, new, _ = block_change(block)
    amended = changed(folder, block, block.replace(old, new, 1))
    second = lock(amended, "after")
    entries = json.loads((folder / protocol.LOCK).read_text())
    assert [entry["sha256"] for entry in entries] == [first, second]
    assert entries[1]["before"] == first
    one = where(amended)
    assert one.word == "changed"
    assert one.amended
    assert "the change was locked on" in one.mark


@pytest.mark.parametrize("edit", ["date", "choice", "order", "nonsense", "empty"])
def test_a_lock_that_was_altered_is_no_lock(folder, study, edit):
    lock(study, "")
    path = folder / protocol.LOCK
    entries = json.loads(path.read_text())
    if edit == "date":
        entries[0]["locked"] = "2001-01-01T00:00:00+00:00"
    elif edit == "choice":
        entries[0]["questions"]["readmission"]["smallest_effect"] = 9
    elif edit == "order":
        entries[0]["before"] = "sha256:0"
    path.write_text({"nonsense": "{", "empty": ""}.get(edit, json.dumps(entries)))
    with pytest.raises(StudyError, match="as it was"):
        standing(study, study.question("readmission"))


def test_the_verdict_and_the_result_carry_it(folder, study):
    lock(study, "")
    block = block_of(folder)
    old, new, told = block_change(block)
    found = answer_question(changed(folder, block, block.replace(old, new, 1)), "readmission")
    assert any(mark.startswith("changed: not as locked") for mark in found.verdict.marks)
    result = found.to_dict()
    assert result["planned"] is False
    assert told in result["plan"]["changes"]


def test_what_the_data_settle_is_no_change(folder, study):
    """The level of an arm, or a unit of the codebook, is filled in once the data are read."""
    lock(study, "")
    found = answer_question(load_study(folder), "anxiety_trial")
    assert found.to_dict()["plan"]["word"] == "planned"


def test_a_lock_makes_a_report_again(folder, study):
    (job,) = plan_of([study], question="readmission")
    before = Keys().of(job)
    lock(study, "")
    assert Keys().of(job)["study"] != before["study"]


def test_the_command_locks_and_tells(folder):
    told = CliRunner().invoke(main, ["plan", str(folder), "--lock"])
    assert told.exit_code == 0, told.output
    assert "Locked in" in told.output
    assert "the data were at hand" in told.output
    for question in load_study(folder).questions:
        assert f"## {question.title}" in told.output
    again = CliRunner().invoke(main, ["plan", str(folder)])
    assert "as locked on" in again.output


def test_the_plan_says_nothing_twice_and_shares_in_percentage_points(folder):
    study = load_study(folder)
    asked = study.questions[0]
    share = asked.model_copy(update={"outcome": asked.outcome.model_copy(update={"kind": "yes_no", "label": "Stayed"})})
    told = "\n".join(protocol.about(study, share.model_copy(update={"smallest_effect": 0.07, "rollout": None})))
    assert "An effect below 7 percentage points would be too small" in told
    assert "one row a row" not in told
    assert protocol.named("Mitgefühl", "Mitgefühl") == "Mitgefühl" and protocol.named("Kind", "k1") == "Kind (k1)"


def test_a_folder_that_takes_no_file_is_said(study, monkeypatch):
    monkeypatch.setattr(protocol.Path, "write_text", lambda *_, **__: (_ for _ in ()).throw(OSError(30, "Read-only")))
    with pytest.raises(StudyError, match="cannot be written"):
        lock(study, "")
