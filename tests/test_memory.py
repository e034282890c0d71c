"""Month after month: a run remembers what the export looked like, and stops where a change would give another answer."""

from __future__ import annotations

import json
import os

import nbformat
import numpy as np
import pandas as pd
import pytest

from researchkit.batch import plan, run
from researchkit.dataset import load_dataset
from researchkit.errors import DataError
from researchkit.outline import outline_from, outlines
from researchkit.report import Report
from researchkit.study import load_study

STUDY = """
title: Calls
seed: 1
design: observational
files: {path: calls.csv}
people: customer
clusters: agent
columns:
  minutes: {from: handle_time}
  site: {type: category}
questions:
  - {id: stay, title: 'Do they stay?', claim: LOY-1, exposure: kindness, adjust: [minutes],
     outcome: {column: stayed, kind: score}, smallest_effect: 0.02}
  - {id: trust, title: 'Do they trust?', claim: MEC-1, family: recovery, exposure: kindness,
     outcome: {column: trust, kind: score}, smallest_effect: 0.1}
"""
CELLS = (
    'study = "x"\nquestion = "x"\nby = ""\ndisclosure = ""',
    "import researchkit as rk\nanswer = rk.answer_question(study, question, by=by, disclosure=disclosure)\nanswer",
)


def without_kernels(keys, jobs, out, *_, **__):
    """What becomes of reports as far as their data are concerned."""
    for job in jobs:
        status, reason = "ok", ""
        try:
            load_dataset(load_study(job.study))
        except DataError as error:
            status, reason = "stopped", str(error)
        yield Report("calls", job.question, None, status, reason, out / "calls" / job.question)


@pytest.fixture
def month(tmp_path, request, monkeypatch):
    """Run the study on one month's export; {question: (status, reason)} and what was said.

    Notebooks are run for the test of pages only: what a run remembers has nothing to do with them.
    """
    if "pages" in request.node.name:
        request.getfixturevalue("here")
    else:
        monkeypatch.setattr("researchkit.batch.made_or_left", without_kernels)
    folder = tmp_path / "calls"
    folder.mkdir()
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    cells[0].metadata["tags"] = ["parameters"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "small.ipynb")
    (folder / "study.yml").write_text(STUDY, encoding="utf-8")
    months = iter(range(1, 99))

    def made(edit=lambda frame: frame, study: str | None = None, again: bool = False):
        number = next(months)
        if not again:
            rng = np.random.default_rng(number)
            n = 300 + 10 * number
            frame = pd.DataFrame({"customer": range(n), "agent": rng.integers(0, 12, n) + 3 * number})
            frame["kindness"] = rng.integers(1, 6, n)
            frame["stayed"] = rng.integers(0, 2, n)
            frame["trust"] = frame["kindness"] + rng.normal(size=n)
            frame["handle_time"] = rng.gamma(3, 120, n).round(1)
            frame["site"] = rng.choice(["North", "South"], n)
            frame["month"] = f"2026-{number:02d}"
            edit(frame).to_csv(folder / "calls.csv", index=False)
            os.utime(folder / "calls.csv", (1e9 + number, 1e9 + number))
        if study:
            (folder / "study.yml").write_text(study, encoding="utf-8")
        said: list[str] = []
        jobs = plan([load_study(folder)], notebook=tmp_path / "small.ipynb")
        reports = list(run(jobs, tmp_path / "reports", 1, say=said.append))
        return {report.question: (report.status, report.reason) for report in reports}, "\n".join(said)

    made.folder, made.out = folder, tmp_path / "reports"
    return made


def statuses(found):
    return {question: status for question, (status, _) in found[0].items()}


GOOD = {"stay": "ok", "trust": "ok"}


def recoded(frame):
    return frame.assign(stayed=frame["stayed"] + 1)


def test_months_of_the_same_kind_go_on_without_a_word(month):
    for _ in range(4):
        found, said = month()
        assert statuses((found, said)) == GOOD and said == "", (found, said)


def test_a_recoded_column_stops_the_pages_of_the_question_that_reads_it_and_no_other(month):
    month()
    found, _ = month(recoded)
    assert found["trust"][0] == "ok" and found["stay"][0] == "stopped"
    assert "since the last good run" in found["stay"][1] and "new codes '2' and no more '0'" in found["stay"][1]
    assert "accept: {stayed: WHY}" in found["stay"][1]
    page = (month.out / "calls" / "stay" / "report.html").read_text(encoding="utf-8")
    assert "new codes" in page and not (month.out / "calls" / "stay" / "result.json").exists()
    found, _ = month(again=True)
    assert found["stay"][0] == "stopped", "what was wrong is not remembered as right"
    assert statuses(month()) == GOOD, "and the export as it was before is"


SPOILT = {
    "renamed": (lambda t: t.rename(columns={"handle_time": "handling_time"}), "'handling_time' looks like it"),
    "lost": (lambda t: t.drop(columns="stayed"), "stayed: it is gone"),
    "another unit": (lambda t: t.assign(handle_time=t["handle_time"] / 60), "another unit?"),
    "gaps": (lambda t: t.assign(stayed=t["stayed"].where(t.index % 4 > 0)), "missing in 25.0 % of the rows"),
    "words": (lambda t: t.assign(stayed=t["stayed"].map({0: "no", 1: "yes"})), "now also words"),
    "a code besides": (lambda t: t.assign(stayed=t["stayed"].where(t.index % 9 > 0, 9)), "new codes '9'"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_what_would_spoil_an_answer_stops_it(month, name):
    edit, words = SPOILT[name]
    month()
    found, _ = month(edit)
    assert found["stay"][0] == "stopped" and words in found["stay"][1], found
    if name == "renamed":
        assert "the new name of handle_time under `from:`" in found["stay"][1] and "accept" not in found["stay"][1]
        renamed = STUDY.replace("from: handle_time", "from: handling_time")
        assert statuses(month(study=renamed, again=True)) == GOOD
        return
    unread = "stopped" if name in ("renamed", "lost", "words") else "ok"  # then the table cannot be loaded at all
    assert found["trust"][0] == unread, found


def test_where_counts_are_protected_the_page_tells_no_share_and_whoever_runs_it_is_told(month):
    month(study=STUDY + "disclosure: cms\n")
    found, said = month(SPOILT["gaps"][0])
    assert (
        found["stay"][0] == "stopped" and "25" not in found["stay"][1] and "stayed: what it holds" in found["stay"][1]
    )
    assert said.count("missing in 25.0 % of the rows") == 1


HARMLESS = {
    "added": (lambda t: t.assign(mood=1), "mood: it is new"),
    "lost, not read": (lambda t: t.drop(columns="site"), None),
    "a site more": (lambda t: t.assign(site=t["site"].where(t.index % 5 > 0, "West")), "site: new codes 'West'"),
    "one wrong entry": (lambda t: t.assign(kindness=t["kindness"].where(t.index > 0, 6)), "kindness: "),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_does_no_harm_is_said_and_goes_on(month, name):
    edit, words = HARMLESS[name]
    study = STUDY if words else STUDY.replace("  site: {type: category}\n", "")
    month(study=study)
    found, said = month(edit)
    assert statuses((found, said)) == GOOD and (words or "site: it is gone") in said, said
    assert "'6'" not in said, "an entry that stands seldom is not told"


def test_a_change_is_accepted_in_the_study_file_once_and_said_on_the_page(month):
    month()
    month(recoded)
    yes = STUDY.replace("clusters: agent", "clusters: agent\naccept: {stayed: the new system counts from 1}")
    found, said = month(study=yes, again=True)
    assert statuses((found, said)) == GOOD and "(accepted: the new system counts from 1)" in said
    notes = load_dataset(load_study(month.folder)).notes
    assert "stayed: that the export has changed here was looked at and accepted: the new system counts from 1" in notes
    assert statuses(month(recoded)) == GOOD, "what was accepted is what is usual now"
    found, _ = month()
    assert (
        found["stay"][0] == "stopped"
        and "“the new system counts from 1” was accepted of an earlier" in found["stay"][1]
    )
    found, _ = month(study=yes.replace("the new system counts from 1", "back to the old system"), again=True)
    assert statuses((found, "")) == GOOD


def test_another_name_of_the_file_is_the_same_export_and_another_reading_is_said(month):
    month()
    (month.folder / "calls.csv").rename(month.folder / "november.csv")
    found, said = month(study=STUDY.replace("calls.csv", "november.csv"), again=True)
    assert statuses((found, said)) == GOOD and said == ""
    found, said = month(study=STUDY.replace("{path: calls.csv}", "{path: november.csv, missing: [5]}"), again=True)
    assert statuses((found, said)) == GOOD and "another way" in said and "gone" not in said


def test_the_earlier_export_that_a_study_names_comes_first(month):
    month()
    (month.folder / "calls.csv").rename(month.folder / "october.csv")
    named = STUDY.replace("clusters: agent", "clusters: agent\nagainst: october.csv")
    found, _ = month(recoded, study=named)
    assert found["stay"][0] == "stopped" and "since the export october.csv" in found["stay"][1]
    found, _ = month(study=named)
    assert found["stay"][0] == "ok"


def test_what_is_kept_holds_no_row_and_no_rare_entry(month):
    month(lambda t: t.assign(site=t["site"].where(t.index > 1, "Ann Unique")))
    text = (month.out / ".outlines" / "calls.json").read_text(encoding="utf-8")
    assert "North" in text and "Ann" not in text and "customer" in text
    columns = json.loads(text)["tables"]["data"]["columns"]
    assert columns["trust"]["codes"] is None and set(columns["trust"]) >= {"missing", "middle", "rows"}
    assert max(len(one["codes"] or ()) for one in columns.values()) <= 25


def test_a_memory_that_cannot_be_read_is_none(month):
    month()
    (month.out / ".outlines" / "calls.json").write_text("{", encoding="utf-8")
    assert statuses(month(recoded)) == GOOD


def test_an_outline_is_the_same_after_it_was_kept():
    frame = pd.DataFrame({"x": [1, 2, 2, None] * 5, "w": list("abca") * 5, "e": [None] * 20})
    frame["e"] = frame["e"].astype("str")
    for name, one in outlines(frame).items():
        kept = outline_from(json.loads(json.dumps(one.to_dict(5))))
        assert (kept.rows, kept.missing, kept.empty, kept.middle) == (one.rows, one.missing, one.empty, one.middle), (
            name
        )
        assert set(kept.codes or ()) == set(one.codes or ())
