"""Exports of survey services, each with its planted defects: what is no answer goes, and is said; people stay unnamed."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
import yaml

from researchkit.draft import draft
from researchkit.drift import drift
from researchkit.errors import DataError
from researchkit.parts import File, Table
from researchkit.readers import gather
from researchkit.study import Study

HEAD = "StartDate,Status,IPAddress,Finished,ResponseId,RecipientEmail,DistributionChannel,Q1,Q2,Q2_4_TEXT"
TEXTS = 'Start,Response Type,IP Address,Finished,Response ID,Mail,Channel,"How kind, on the whole?",Why?,Other'
IDS = ",".join(
    f'"{{""ImportId"":""{id}""}}"'
    for id in (
        "startDate",
        "status",
        "ipAddress",
        "finished",
        "_recordId",
        "mail",
        "channel",
        "QID3",
        "QID7",
        "QID7_TEXT",
    )
)
ROWS = [
    "2026-01-02,IP Address,10.0.0.1,True,R_1,ann@example.org,anonymous,4,1,",
    "2026-01-02,Survey Preview,10.0.0.2,True,R_2,,preview,5,1,",
    "2026-01-03,IP Address,10.0.0.3,False,R_3,bob@example.org,anonymous,-99,2,because",
    "2026-01-03,Spam,10.0.0.4,True,R_4,,anonymous,1,2,",
]


def study_with(folder, **file) -> Study:
    question = {"id": "q", "title": "?", "claim": "BUR-1", "exposure": "x", "smallest_effect": 1}
    question["outcome"] = {"column": "y", "kind": "score"}
    table = Table(files=(File(path="a.csv", **file),))
    study = Study(title="t", seed=1, design="observational", tables={"data": table}, questions=[question])
    study._path = folder / "study.yml"
    return study


def read(folder, lines, **file):
    (folder / "a.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = gather(study_with(folder, **file), "data", lambda study, file: folder)
    return found.frame, " ".join(found.notes), found


def test_a_qualtrics_export_is_known_by_its_third_row(tmp_path):
    frame, notes, found = read(tmp_path, [HEAD, TEXTS, IDS, *ROWS])
    assert frame["ResponseId"].tolist() == ["R_1", "R_3", "R_4"]
    assert frame["Q1"].tolist() == ["4", None, "1"] or frame["Q1"].isna().tolist() == [False, True, False]
    assert pd.to_numeric(frame["Q2"]).tolist() == [1, 2, 2]
    assert found.origin.row.tolist() == [4, 6, 7], "rows are counted as the file has them"
    assert "1 previews or tests are left out" in notes and "1 responses are marked as possible spam" in notes
    assert "1 responses were not finished" in notes and "1 cells say -99" in notes


def test_nothing_that_says_who_answered_leaves_the_reader(tmp_path):
    frame, notes, _ = read(tmp_path, [HEAD, TEXTS, IDS, *ROWS])
    everything = frame.to_csv() + notes
    assert "ann@" not in everything and "10.0.0" not in everything
    assert "IPAddress and RecipientEmail say who answered" in notes


def test_columns_are_found_by_import_id_when_names_have_moved(tmp_path):
    moved = HEAD.replace("Q1", "Q1_new")
    frame, _, _ = read(tmp_path, [moved, TEXTS, IDS, *ROWS], rename={"QID3": "kindness"})
    assert "kindness" in frame and "Q1_new" not in frame
    with pytest.raises(DataError, match="there is no column 'QID99'"):
        read(tmp_path, [moved, TEXTS, IDS, *ROWS], rename={"QID99": "kindness"})


@pytest.mark.parametrize(
    ("rows", "said"), [(ROWS[1:2], "no response but previews"), ([ROWS[0], ROWS[0]], "1 responses stand twice")]
)
def test_an_export_that_cannot_be_used_is_refused(tmp_path, rows, said):
    with pytest.raises(DataError, match=said):
        read(tmp_path, [HEAD, TEXTS, IDS, *rows])


def test_a_named_service_has_to_be_the_one(tmp_path):
    with pytest.raises(DataError, match="is no qualtrics export"):
        read(tmp_path, ["a,b", "1,2"], reader="qualtrics")
    frame, _, _ = read(tmp_path, ["a,b", "1,2"])
    assert frame.shape == (1, 2)


MONKEY = [
    "Respondent ID,Collector ID,IP Address,Email Address,How kind?,Which of these?,,",
    ",,,,Response,Listened,Explained,Other (please specify)",
    "101,9,10.0.0.1,ann@example.org,4,Listened,,",
    "102,9,10.0.0.2,bob@example.org,1-Feb,,Explained,took time",
]


def test_a_surveymonkey_export_joins_its_two_headers(tmp_path):
    frame, notes, found = read(tmp_path, MONKEY)
    assert list(frame.columns) == [
        "Respondent ID",
        "Collector ID",
        "How kind?",
        "Which of these?: Listened",
        "Which of these?: Explained",
        "Which of these?: Other (please specify)",
    ]
    assert len(frame) == 2 and found.origin.row.tolist() == [3, 4]
    assert "entries that look like dates (How kind? 1)" in notes
    assert "ann@" not in frame.to_csv() and "IP Address and Email Address say who answered" in notes


def test_a_table_with_a_json_cell_elsewhere_is_left_alone(tmp_path):
    rows = ["name,Q1", 'first,"{""ImportId"":""x""}"', "second,2", "third,3"]
    frame, notes, _ = read(tmp_path, rows)
    assert len(frame) == 3 and "Qualtrics" not in notes
    assert io.StringIO(frame.to_csv()).read().count("ImportId") == 1


def test_another_code_for_unanswered_is_seen_by_its_distance(tmp_path):
    head = HEAD.replace("Q2,Q2_4_TEXT", "Q2,Q3")
    rows = [row.rsplit(",", 2)[0] for row in ROWS]
    rows = [
        f"{row},{q2},{q3}" for row, q2, q3 in zip(rows, ("1", "2", "999", "2"), ("999", "5", "3", "4"), strict=True)
    ]
    frame, notes, found = read(tmp_path, [head, TEXTS, IDS, *rows])
    assert frame["Q2"].isna().tolist() == [False, True, False] and frame["Q3"].isna().tolist() == [True, False, False]
    assert "2 cells say 999: seen and not answered" in notes
    assert found.gaps["Q3"].tolist()[0] == "seen and not answered"


def test_one_far_number_is_an_answer(tmp_path):
    frame, notes, _ = read(tmp_path, [HEAD, TEXTS, IDS, *(row.replace(",4,1,", ",999,1,") for row in ROWS)])
    assert frame["Q1"].tolist()[0] == "999" and "999" not in notes


def test_labels_beside_codes_are_refused(tmp_path):
    mixed = [ROWS[0].replace(",4,1,", ",Very kind,Yes,"), *ROWS[1:]]
    with pytest.raises(DataError, match=r"Q1 and Q2 hold labels in 1 rows \(4\), codes in the others"):
        read(tmp_path, [HEAD, TEXTS, IDS, *mixed])
    none = [ROWS[0].replace(",4,1,", ",None,1,"), *ROWS[1:]]
    frame, _, _ = read(tmp_path, [HEAD, TEXTS, IDS, *none])
    assert frame["Q1"].tolist()[0] == "None", "a choice may be a word among numbers"


def test_a_name_that_has_gone_to_another_question_is_noticed(tmp_path):
    lines = [HEAD, TEXTS, IDS, *ROWS]
    (tmp_path / "old.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    lines[1] = TEXTS.replace("How kind, on the whole?", "How long did you wait?")
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    study = study_with(tmp_path, rename={"QID3": "x", "QID7": "y"})
    (found,) = map(str, drift(study, "data", tmp_path / "old.csv"))
    assert found == "x: it was “How kind, on the whole?”, and is “How long did you wait?” now (a question reads it)"


def test_the_order_in_which_choices_were_shown_is_no_answer(tmp_path):
    frame, notes, _ = read(tmp_path, [HEAD.replace("Q2_4_TEXT", "Q2_DO"), TEXTS, IDS, *ROWS])
    assert "Q2_DO" not in frame and "Q2_DO hold the order in which choices were shown" in notes


def test_options_are_1_where_ticked_and_missing_where_the_question_was_left(tmp_path):
    lines = [*MONKEY, "103,9,,,2,,,", "104,9,,,3,Listened,Explained,"]
    frame, notes, _ = read(tmp_path, lines)
    assert frame["Which of these?: Listened"].tolist() == pytest.approx([1, 0, np.nan, 1], nan_ok=True)
    assert frame["Which of these?: Other (please specify)"].tolist()[1] == "took time"
    assert "options of Which of these? are 1 where ticked" in notes


def test_question_texts_of_qualtrics_are_labels(tmp_path):
    (tmp_path / "a.csv").write_text("\n".join([HEAD, TEXTS, IDS, *ROWS]) + "\n", encoding="utf-8")
    columns = yaml.safe_load(draft(tmp_path / "a.csv"))["columns"]
    assert columns["Q1"]["label"] == "How kind, on the whole?" and "IPAddress" not in columns


def test_two_options_of_one_name_are_refused(tmp_path):
    lines = [MONKEY[0], MONKEY[1].replace("Explained", "Listened"), *MONKEY[2:]]
    with pytest.raises(
        DataError, match=r"headers joined: the same name .*'Which of these\?: Listened' \(columns 6 and 7\)"
    ):
        read(tmp_path, lines)
