"""What was tried to undo an answer, on a page: a line each, the falls first, and a sentence that counts them."""

import csv
import io
from dataclasses import replace

import pytest
from test_methods import without

from researchkit import tables
from researchkit.robustness import WORDS
from researchkit.tables import Col, Fold, Prose, Table, Together
from researchkit.tables.table import aligned
from researchkit.tables.undoing import brief, summary

CENTRE, TRIAL = ("contact_centre", "retention"), ("hospital", "anxiety_trial")


def table_of(answer):
    return next(tables.undo(answer).tables)


def test_each_attack_has_its_line_and_what_undoes_the_answer_comes_first(answered):
    answer = answered(*CENTRE)
    judged = [one for one in answer.robustness if one["word"]]
    rows = table_of(answer).rows
    assert [row[2].lower() for row in rows] == sorted((one["word"] for one in judged), key=WORDS.index)
    assert rows[0][0] == "A cause that nobody measured" and rows[0][2] == "Falls"
    mark = next(check.mark for check in answer.checks if check.name == "unmeasured confounder")
    assert rows[0][1].lower().rstrip(".") == mark.removeprefix("exposed: ").lower()


def test_checks_that_judge_nothing_are_folded_away_with_all_that_was_found(answered):
    shown = tables.undo(answered(*CENTRE))
    undo, full = shown.tables
    assert "seen" not in " ".join(row[0] for row in undo.rows) and "Design" in [row[0] for row in full.rows]
    html = shown._repr_mimebundle_()["text/html"]
    assert html.index("rk-fold") > html.index("<table>") and html.count("</details>") == 1


def test_attacks_that_could_not_run_for_one_reason_share_a_line(answered):
    answer = answered(*TRIAL)
    bare = without(without(answer, "missing data"), "influence")
    lines = [row for row in table_of(bare).rows if row[2] == "Not tried" and row[1] == "Not here."]
    assert [row[0] for row in lines] == ["The gaps filled; leaving out one at a time"]
    assert str(tables.undo(bare)).startswith("Of two ways that were tried to undo the answer, all leave it standing. ")


def test_a_mark_that_is_withstood_is_not_told_as_a_fall():
    check = {
        "check": "times before the start",
        "ran": True,
        "words": "They went alike. And so on.",
        "mark": "roll-out: x",
    }
    assert brief(check | {"word": "stands"}, None) == "They went alike."
    assert brief(check | {"word": "falls", "mark": "moved apart"}, None) == "Moved apart."


@pytest.mark.parametrize(
    ("told", "first"),
    [
        ("One (a; b). Two.", "One (a; b)."),
        ("One; two.", "One."),
        ("No end", "No end"),
        ("At 1.5 points. Two.", "At 1.5 points."),
    ],
)
def test_the_first_words_end_outside_parentheses_and_numbers(told, first):
    assert brief({"check": "influence", "ran": True, "words": told, "word": "stands"}, None) == first


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["stands"], "Of the one way that was tried to undo the answer, one leaves it standing."),
        (
            ["falls", "stands", "stands"],
            "Of three ways that were tried to undo the answer, one does and two leave it standing.",
        ),
        (
            ["falls", "falls", "not tried"],
            "Of two ways that were tried to undo the answer, all do. One could not be tried, or had nothing to try.",
        ),
        (
            ["cannot tell", "stands"],
            "Of two ways that were tried to undo the answer, one leaves it open and one leaves it standing.",
        ),
        (["not tried"], "No attack could be tried; the lines say why."),
    ],
)
def test_the_sentence_counts_what_came_of_them(words, told):
    assert summary(words) == told


def test_an_answer_of_an_earlier_kind_is_told_all_the_same(answered, monkeypatch):
    answer = answered(*CENTRE)
    old = [{key: value for key, value in one.items() if key != "word"} for one in answer.robustness]
    monkeypatch.setattr(type(answer), "robustness", property(lambda self: old))
    assert str(tables.undo(answer)) == "Nothing was tried that could undo it."


def test_who_is_missing_is_told_below_who_is_there(answered):
    answer = answered(*CENTRE)
    shown = tables.people(answer)
    assert isinstance(shown.parts[0], Table) and "lack something" in str(shown.parts[1])
    assert len(tables.people(replace(answer, checks=())).parts) == 1


def test_every_table_of_several_parts_keeps_its_own_csv():
    one, two = (Table(name, (Col("a"),), ((name,),)) for name in ("First", "Second"))
    carried = Together((Prose(("x",)), one, Fold("more", two)))._repr_mimebundle_()[tables.MEDIA]
    assert carried["name"] == "first" and [more["name"] for more in carried["more"]] == ["second"]
    assert list(csv.reader(io.StringIO(carried["more"][0]["csv"]))) == [["a"], ["Second"]]
    assert tables.MEDIA not in Together((Prose(("x",)),))._repr_mimebundle_()


def test_points_stand_under_one_another_and_words_stay_as_they_are():
    cells = aligned(["1.25", "10", "\u22123.5", "1,000.75", "< .001", "–", "2.5 to 4.0"])
    assert [cell.strip() for cell in cells] == ["1.25", "10", "\u22123.5", "1,000.75", "< .001", "–", "2.5 to 4.0"]
    after = [len(cell) - cell.find(".") for cell in cells[:5] if "." in cell]
    assert len(set(after)) == 1 and cells[1] == "10\u2008\u2007\u2007\u2007" and cells[5:] == ["–", "2.5 to 4.0"]
    assert aligned(["3", "12"]) == ["3", "12"] and aligned([]) == []


def test_a_judged_word_is_a_chip_and_no_other_cell_is():
    html = Table("T", (Col("a"), Col("b", chips={"Falls": "against"})), (("Falls", "Falls"), ("x", "<b>"))).to_html()
    assert html.count("chip") == 1 and '<td><span class="chip against">Falls</span></td>' in html and "<b>" not in html
