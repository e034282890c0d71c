"""A first study file: valid as soon as its author has filled in what is open, and refused until then."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from researchkit.answer import answer_question
from researchkit.cli import main
from researchkit.draft import draft, write_draft
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
