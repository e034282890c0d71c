"""An export against an earlier one: each planted change is named, and an unchanged one is not accused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from researchkit.cli import main
from researchkit.drift import drift
from researchkit.errors import DataError
from researchkit.study import load_study

STUDY = """
title: Calls
seed: 1
design: observational
files: calls.csv
columns:
  minutes: {from: handle_time}
questions:
  - {id: q, title: 'Does it?', claim: LOY-1, exposure: kindness, adjust: [minutes, channel],
     outcome: {column: stayed, kind: yes_no}, smallest_effect: 0.02}
"""


@pytest.fixture
def frame():
    rng = np.random.default_rng(4)
    n = 400
    told = pd.DataFrame({"kindness": rng.integers(1, 6, n), "stayed": rng.integers(0, 2, n)})
    told["handle_time"] = rng.gamma(3, 120, n).round(1)
    told["channel"] = rng.choice(["phone", "chat", "mail"], n)
    told["note"] = [f"call {place}" for place in range(n)]
    return told


@pytest.fixture
def told(tmp_path, frame):
    """The changes between the frame and what `edit` makes of it, as words."""

    def compared(edit) -> list[str]:
        (tmp_path / "study.yml").write_text(STUDY, encoding="utf-8")
        frame.to_csv(tmp_path / "old.csv", index=False)
        edit(frame.copy()).to_csv(tmp_path / "calls.csv", index=False)
        return [str(change) for change in drift(load_study(tmp_path), "data", tmp_path / "old.csv")]

    return compared


CHANGES = {
    "lost": (lambda t: t.drop(columns="channel"), ["channel: it is gone (a question reads it)"]),
    "lost, not used": (lambda t: t.drop(columns="note"), ["note: it is gone"]),
    "added": (lambda t: t.assign(agent=1), ["agent: it is new"]),
    "renamed": (
        lambda t: t.rename(columns={"handle_time": "handling_time"}),
        ["handle_time: it is gone; 'handling_time' looks like it (a question reads it)", "handling_time: it is new"],
    ),
    "renamed beyond recognition": (
        lambda t: t.rename(columns={"channel": "x1"}),
        ["channel: it is gone; 'x1' looks like it (a question reads it)", "x1: it is new"],
    ),
    "recoded": (
        lambda t: t.assign(stayed=t["stayed"] + 1),
        ["stayed: new codes '2' and no more '0' (a question reads it)"],
    ),
    "words among numbers": (
        lambda t: t.assign(handle_time=t["handle_time"].astype(str).where(t.index != 3, "n/a?")),
        ["handle_time: it held numbers, and now also words, such as 'n/a?' (a question reads it)"],
    ),
    "seconds to minutes": (
        lambda t: t.assign(handle_time=t["handle_time"] / 60),
        ["handle_time: the middle of its numbers is 0.017 times what it was: another unit? (a question reads it)"],
    ),
    "empty": (lambda t: t.assign(channel=None), ["channel: it is empty now (a question reads it)", "channel: missing"]),
    "missing": (
        lambda t: t.assign(kindness=t["kindness"].where(t.index % 5 > 0)),
        ["kindness: missing in 20.0 % of the rows, where it was 0.0 % (a question reads it)"],
    ),
    "nothing": (lambda t: t, []),
    "other rows": (lambda t: t.sample(300, random_state=2), []),
    "a little missing": (lambda t: t.assign(kindness=t["kindness"].where(t.index > 3)), []),
}


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_is_named(told, name):
    edit, wanted = CHANGES[name]
    found = told(edit)
    assert len(found) == len(wanted) and all(one.startswith(words) for one, words in zip(found, wanted, strict=True)), (
        found
    )


def test_new_months_of_the_same_kind_are_not_accused(told, frame):
    rng = np.random.default_rng(9)
    for _ in range(20):
        assert told(lambda t: t.iloc[rng.integers(0, len(t), 350)]) == []


def test_the_command_stops_at_what_would_spoil_an_answer(told, tmp_path):
    told(lambda t: t.assign(stayed=t["stayed"] + 1, agent=1))
    found = CliRunner().invoke(main, ["check", str(tmp_path), "--against", str(tmp_path / "old.csv")])
    assert found.exit_code == 1 and "agent: it is new" in found.output and "new codes '2'" in found.output
    told(lambda t: t)
    found = CliRunner().invoke(main, ["check", str(tmp_path), "--against", str(tmp_path / "old.csv")])
    assert found.exit_code == 0 and "No column has changed since" in found.output and "OK" in found.output


def test_check_holds_the_export_to_the_one_that_the_study_names_and_takes_what_is_accepted(told, tmp_path):
    told(lambda t: t.assign(stayed=t["stayed"] + 1))
    named = STUDY + "against: old.csv\n"
    (tmp_path / "study.yml").write_text(named, encoding="utf-8")
    found = CliRunner().invoke(main, ["check", str(tmp_path)])
    assert found.exit_code == 1 and "new codes '2'" in found.output, found.output
    (tmp_path / "study.yml").write_text(named + "accept: {stayed: it counts from 1 now}\n", encoding="utf-8")
    found = CliRunner().invoke(main, ["check", str(tmp_path)])
    assert "since that export" not in found.output and "accepted: it counts from 1 now" in found.output


def test_another_unit_is_seen_beside_words_that_stood_among_the_numbers_before(told, frame):
    frame["handle_time"] = frame["handle_time"].astype(str).mask(frame.index % 9 == 0, "N/A")
    assert told(lambda t: t) == []
    hours = pd.to_numeric(frame["handle_time"], errors="coerce") / 60
    (found,) = told(lambda t: t.assign(handle_time=hours.astype(object).fillna("N/A")))
    assert "the middle of its numbers is 0.017 times what it was: another unit?" in found


def test_days_with_dots_go_on_and_are_no_new_codes(told, frame):
    frame["channel"] = [f"{place % 9 + 1}.10.2026" for place in range(len(frame))]
    assert told(lambda t: t.assign(channel=t["channel"].str.replace(".10.", ".11.", regex=False))) == []


def test_what_would_spoil_an_answer_is_told_once_and_what_to_do(told, tmp_path):
    told(lambda t: t.rename(columns={"handle_time": "handling_time"}).assign(stayed=t["stayed"] + 1))
    found = CliRunner().invoke(main, ["check", str(tmp_path), "--against", str(tmp_path / "old.csv")]).output
    assert found.count("handle_time: it is gone") == found.count("new codes '2'") == 1
    assert "the new name of handle_time under `from:` and `accept: {stayed: WHY}`" in found


def test_an_earlier_export_that_is_not_there_is_said(told, tmp_path):
    told(lambda t: t)
    with pytest.raises(DataError, match="no earlier export"):
        drift(load_study(tmp_path), "data", tmp_path / "gone.csv")
