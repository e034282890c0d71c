"""A first study file: valid as soon as its author has filled in what is open, and refused until then."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyreadstat
import pytest
import yaml
from click.testing import CliRunner

from researchkit.answer import answer_question
from researchkit.cli import main
from researchkit.draft import draft, label, write_draft
from researchkit.errors import DataError
from researchkit.study import load_study


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(6)
    n = 300
    frame = pd.DataFrame(
        {"customer_id": [f"{place:05d}" for place in range(n)], "site": rng.choice(["North", "South"], n)}
    )
    frame["kindness"] = rng.integers(1, 6, n)
    frame["stayed"] = rng.integers(0, 2, n)
    frame["minutes"] = rng.gamma(3, 4, n).round(1)
    frame["said"] = [f"thank you {place}" for place in range(n)]
    frame["agent name"] = rng.choice([f"Agent {letter}" for letter in "ABCDEFGHIJKLMNOPQRS"], n)
    frame.loc[:29, "minutes"] = np.nan
    frame.to_csv(tmp_path / "calls_2026.csv", index=False)
    return tmp_path / "calls_2026.csv"


def test_columns_are_what_they_seem_to_be(table):
    told = yaml.safe_load(draft(table))
    columns = told["columns"]
    assert told["people"] == "customer_id" and told["files"] == "calls_2026.csv"
    assert columns["customer_id"]["type"] == "id"
    assert columns["site"]["codes"] == {"North": "North", "South": "South"}
    assert columns["kindness"]["range"] == [1, 5]
    assert columns["stayed"]["codes"] == {"0": "0", "1": "1"}
    assert columns["said"]["type"] == "text" and columns["agent name"]["type"] == "category"
    assert "10.0 % missing" in draft(table)


def test_no_text_that_stands_seldom_is_written_out(table):
    frame = pd.read_csv(table, dtype=str)
    frame["nurse"] = "Ann"
    frame.loc[0, "nurse"] = "Bob Unique"
    frame.to_csv(table, index=False)
    assert "Bob Unique" not in draft(table) and "thank you" not in draft(table) and "Agent A" not in draft(table)


def test_it_is_refused_until_it_is_filled_in_and_then_answers(table):
    target = write_draft(table, table.parent)
    found = CliRunner().invoke(main, ["check", str(table.parent)])
    assert found.exit_code == 1 and "FILL_IN" in found.output, found.output
    text = target.read_text(encoding="utf-8")
    for old, new in (
        ("title: FILL_IN", "title: Do they stay?"),
        ("claim: FILL_IN", "claim: LOY-1"),
        ("exposure: FILL_IN", "exposure: kindness"),
        ("column: FILL_IN, kind: score", "column: stayed, kind: yes_no"),
        ("smallest_effect: FILL_IN", "smallest_effect: 0.02"),
    ):
        assert old in text
        text = text.replace(old, new)
    target.write_text(text, encoding="utf-8")
    found = CliRunner().invoke(main, ["check", str(table.parent)])
    assert found.exit_code == 0 and "OK, 1 question" in found.output, found.output
    assert answer_question(load_study(table.parent), "first").effect.n == 300


def test_a_study_that_is_there_is_not_replaced(table):
    target = write_draft(table, table.parent)
    before = target.read_text(encoding="utf-8") + "# mine"
    target.write_text(before, encoding="utf-8")
    with pytest.raises(DataError, match="is there already"):
        write_draft(table, table.parent)
    assert target.read_text(encoding="utf-8") == before


def test_the_command_writes_into_another_folder(table, tmp_path):
    found = CliRunner().invoke(main, ["new", str(table), "--out", str(tmp_path / "study")])
    assert found.exit_code == 0 and (tmp_path / "study" / "study.yml").exists(), found.output
    assert CliRunner().invoke(main, ["new", str(tmp_path / "gone.csv")]).exit_code == 1


@pytest.mark.parametrize(
    "name", ["a: b", "#x", "no", "{x}", "- x", "&a", "*b", "!t", '"q"', "ü 😀", "<script>", "=cmd", "1"]
)
def test_any_name_and_any_entry_stay_text(tmp_path, name):
    frame = pd.DataFrame({name: [name] * 9 + ["x"] * 9, "y": range(18)})
    frame.to_csv(tmp_path / "a.csv", index=False)
    told = yaml.safe_load(draft(tmp_path / "a.csv"))
    assert told["columns"][name]["codes"] == {name: name, "x": "x"}


# ---- from exports that say more than numbers


def drafted(folder, name, text=None):
    if text is not None:
        (folder / name).write_text(text, encoding="utf-8")
    return yaml.safe_load(draft(folder / name))["columns"], draft(folder / name)


def test_labels_of_spss_are_used_and_half_labelled_scales_keep_their_range(tmp_path):
    import pyreadstat

    data = pd.DataFrame({"arm": [1.0, 2, 1, -9] * 5, "mood": [1.0, 2, 3, 7] * 5})
    labels = {"arm": {1: "usual", 2: "kind", -9: "refused"}, "mood": {1: "low", 7: "high"}}
    pyreadstat.write_sav(
        data,
        str(tmp_path / "a.sav"),
        column_labels=["Arm of the trial", "Mood"],
        variable_value_labels=labels,
        missing_ranges={"arm": [-9]},
    )
    columns, text = drafted(tmp_path, "a.sav")
    assert columns["arm"]["label"] == "Arm of the trial" and columns["arm"]["codes"]["2"] == "kind"
    assert columns["mood"]["range"] == [1, 7] and "why empty" not in text


def test_labels_of_stata_are_used(tmp_path):
    frame = pd.DataFrame({"arm": pd.Categorical(["usual", "kind", "usual"])})
    frame.to_stata(tmp_path / "a.dta", write_index=False, variable_labels={"arm": "Arm"})
    assert drafted(tmp_path, "a.dta")[0]["arm"] == {"label": "Arm", "codes": {"0": "kind", "1": "usual"}}


# ---- from a stranger's table


def one(tmp_path, name, entries, **more):
    """The drafted column of some entries, with its line."""
    frame = pd.DataFrame({name: entries, "y": range(len(entries)), **more})
    frame.to_csv(tmp_path / "a.csv", index=False)
    text = draft(tmp_path / "a.csv")
    return yaml.safe_load(text)["columns"][name], next(
        line for line in text.splitlines() if line.startswith(f"  {name}:")
    )


def test_words_that_stand_often_among_numbers_are_taken_for_no_answer(tmp_path):
    column, line = one(tmp_path, "age", [*range(20, 50), *["unknown"] * 6, "Bob"])
    assert column == {"label": "Age", "range": [20, 49], "missing": ["unknown"]}
    assert '"unknown" 6 times: no answer?' in line and "1 more entry is a word" in line
    assert "Bob" not in line, "what stands seldom may be somebody's name"


def test_a_code_far_beyond_all_answers_is_taken_for_no_answer_and_a_high_answer_is_not(tmp_path):
    column, line = one(tmp_path, "mood", [1, 2, 3, 4, 5] * 6 + [99] * 5)
    assert column["range"] == [1, 5] and column["missing"] == ["99"] and '"99" 5 times' in line
    column, _ = one(tmp_path, "age", [60, 70, 80, 90, 98] * 6 + [99] * 5)
    assert column["range"] == [60, 99] and "missing" not in column
    column, _ = one(tmp_path, "mood", [1, 2, 3, 4, 5] * 6 + [99] * 4)
    assert column["range"] == [1, 99], "it stands seldom"


def test_a_code_behind_a_gap_is_taken_for_no_answer_and_the_tail_of_a_count_is_not(tmp_path):
    column, line = one(tmp_path, "mood", [1, 2, 3, 4, 5] * 6 + [9] * 5)
    assert column["range"] == [1, 5] and column["missing"] == ["9"] and '"9" 5 times: no answer?' in line
    assert one(tmp_path, "mood", [*range(1, 8)] * 5 + [9] * 5)[0]["missing"] == ["9"]
    assert one(tmp_path, "mood", [1, 2, 3, 4, 5] * 6 + [8, 9] * 4)[0]["missing"] == ["8", "9"]
    for answers in ([*range(8)] * 5 + [9] * 5, [0, 1, 2, 3, 4, 6, 9] * 6, [1, 2, 3, 4, 5] * 6 + [9] * 4):
        assert "missing" not in one(tmp_path, "calls", answers)[0]


def test_words_for_no_answer_are_no_code_however_seldom(tmp_path):
    column, line = one(tmp_path, "back", ["ja", "nein"] * 9 + ["N/A"] * 5)
    assert column["codes"] == {"ja": "ja", "nein": "nein"} and column["missing"] == ["N/A"]
    assert '"N/A" 5 times: no answer?' in line
    column, _ = one(tmp_path, "mood", [1, 2, 3, 4, 5] * 6 + ["k.A."])
    assert column == {"label": "Mood", "range": [1, 5], "missing": ["k.A."]}
    column, _ = one(tmp_path, "harm", ["none", "some"] * 9)
    assert "missing" not in column, "it may be the answer"


def test_a_code_whose_label_says_no_answer_is_declared_missing(tmp_path):
    mood = pd.DataFrame({"mood": [1.0, 2.0, 9.0] * 9})
    pyreadstat.write_sav(
        mood, tmp_path / "a.sav", variable_value_labels={"mood": {1: "ja", 2: "nein", 9: "keine Angabe"}}
    )
    columns, text = drafted(tmp_path, "a.sav")
    assert columns["mood"] == {"label": "Mood", "codes": {"1": "ja", "2": "nein"}, "missing": ["9"]}
    assert '"9" 9 times: no answer?' in text


def test_ids_are_known_by_german_names_and_by_leading_zeros(tmp_path):
    assert one(tmp_path, "Personalnr", range(100, 120))[0] == {"label": "Personalnr", "type": "id"}
    assert one(tmp_path, "Wer", [f"{n:05d}" for n in range(100, 120)])[0]["type"] == "id"
    assert one(tmp_path, "Alter", range(100, 120))[0]["range"] == [100, 119]


def test_a_person_in_several_rows_and_addresses_are_asked_about(tmp_path):
    who = [f"p{n // 2}" for n in range(40)]
    _, line = one(tmp_path, "mail", [f"{n}@example.org" for n in who], ticket_id=range(40), person_id=who)
    assert "addresses of people" in line and "`drop`" in line
    assert "# ticket_id is another in each row. Is a person in several, by person_id?" in draft(tmp_path / "a.csv")
    one(tmp_path, "mail", who, ticket_id=range(40))
    assert "Is a person in several" not in draft(tmp_path / "a.csv")


def test_a_label_keeps_the_stops_of_its_abbreviations():
    assert label("Antwort (Min., netto)") == "Antwort (Min., netto)"
    assert label("q1.how_much") == "Q1 how much"


def test_two_proposed_scales_stand_under_one_head(tmp_path):
    rng = np.random.default_rng(3)
    names = ("a", "b", "c"), ("x", "y", "z")
    lots = {name: rng.integers(low, 6, 90) for low, lot in enumerate(names) for name in lot}
    pd.DataFrame(lots).to_csv(tmp_path / "a.csv", index=False)
    proposed = draft(tmp_path / "a.csv").replace("# scales:", "scales:").replace("#   score", "  score")
    assert [*yaml.safe_load(proposed)["scales"]] == ["score_1", "score_2"]


def test_days_are_dates_where_they_can_be_read_and_else_it_is_said_how(tmp_path):
    assert one(tmp_path, "seen", [f"2026-03-{day:02d}" for day in range(1, 29)])[0]["type"] == "date"
    assert one(tmp_path, "seen", [f"{day}.3.2026 14:05" for day in range(1, 29)])[0]["type"] == "date"
    for days in (["31/03/2026", "01/04/2026"] * 9, [f"{day}.3.26" for day in range(1, 29)]):
        column, line = one(tmp_path, "seen", days)
        assert column["type"] == "category" and "2026-03-31" in line


def test_items_of_one_range_are_proposed_as_a_scale_with_what_goes_against_the_others(tmp_path):
    rng = np.random.default_rng(3)
    mood = rng.integers(1, 6, 200)
    frame = pd.DataFrame({"calm": mood, "glad": np.clip(mood + rng.integers(-1, 2, 200), 1, 5), "sad": 6 - mood})
    frame["age"] = rng.integers(18, 90, 200)
    frame.to_csv(tmp_path / "a.csv", index=False)
    text = draft(tmp_path / "a.csv")
    assert "scales" not in yaml.safe_load(text), "it is a proposal"
    proposed = text.replace("# scales:", "scales:").replace("#   score:", "  score:")
    assert yaml.safe_load(proposed)["scales"]["score"] == {
        "items": ["calm", "glad", "sad"],
        "reverse": ["sad"],
        "range": [1, 5],
    }
    frame[["calm", "glad"]].to_csv(tmp_path / "a.csv", index=False)
    assert "score:" not in draft(tmp_path / "a.csv"), "two make no scale"


def test_what_many_rows_share_is_proposed_as_a_cluster(table):
    text = draft(table)
    assert '# clusters: "agent name"     #' in text
    assert "clusters" not in yaml.safe_load(text)


@pytest.mark.parametrize(("encoding", "said"), [("cp1252", "encoding: cp1252, "), ("utf-8", "")])
def test_a_table_as_excel_writes_it_in_europe_is_read_and_declared(tmp_path, encoding, said):
    rows = "".join(f"{n};Köln;{n % 5},5;1.{n:03d},25\n" for n in range(40))
    (tmp_path / "a.csv").write_bytes(f"Nr;Ort;Punkte;Umsatz\n{rows}".encode(encoding))
    text = draft(tmp_path / "a.csv")
    assert f'files: {{path: "a.csv", {said}decimal: ","}}' in text
    columns = yaml.safe_load(text)["columns"]
    assert columns["Punkte"]["range"] == [0.5, 4.5] and columns["Umsatz"]["range"] == [1000.25, 1039.25]
    assert columns["Ort"]["codes"] == {"Köln": "Köln"}


def test_thousands_are_no_decimal_commas(tmp_path):
    (tmp_path / "a.csv").write_text("n;pay\n" + "".join(f'{n};"{n + 1},234"\n' for n in range(40)))
    assert yaml.safe_load(draft(tmp_path / "a.csv"))["files"] == "a.csv"


def test_the_file_is_named_from_the_study_so_that_both_can_be_moved(table, tmp_path):
    (tmp_path / "studies").mkdir()
    write_draft(table, tmp_path / "studies" / "mine")
    text = (tmp_path / "studies" / "mine" / "study.yml").read_text(encoding="utf-8")
    assert yaml.safe_load(text)["files"] == "../../calls_2026.csv"


def test_all_that_is_left_open_is_said_at_once_with_what_is_wrong_beside(table):
    target = write_draft(table, table.parent)
    target.write_text(target.read_text(encoding="utf-8").replace("seed: 1 ", "seed: one "), encoding="utf-8")
    said = CliRunner().invoke(main, ["check", str(table.parent)]).output
    assert "has 6 problems" in said and said.count("waits for you") == 5
    assert said.index("`seed`") < said.index("`title`"), "in the order of the file"


def test_a_draft_does_not_keep_its_author_from_looking_up_claims(table, monkeypatch, tmp_path):
    write_draft(table, tmp_path / "data" / "mine")
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(main, ["claims"])
    assert found.exit_code == 0 and "LOY-1" in found.output and "Left out: " in found.output
