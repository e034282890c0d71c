"""Files as each system exports them, every known defect planted: what comes of it, and what is said.

The files are made here; none holds anything of anybody.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from researchkit.account import columns as columns_table
from researchkit.answer import answer_question
from researchkit.cli import main
from researchkit.dataset import load_dataset
from researchkit.draft import draft, write_draft
from researchkit.errors import DataError, StudyError
from researchkit.parts import File, Table
from researchkit.readers import gather
from researchkit.readers.branching import shown
from researchkit.study import Study, load_study

QUESTION = {"id": "q", "title": "?", "claim": "BUR-1", "exposure": "x", "smallest_effect": 1}


def study_of(folder, *files, **table) -> Study:
    question = {**QUESTION, "outcome": {"column": "y", "kind": "score"}}
    parts = tuple(File.model_validate(file) for file in files)
    tables = {"data": Table(files=parts, **table)}
    study = Study(title="t", seed=1, design="observational", tables=tables, questions=[question])
    study._path = folder / "study.yml"
    return study


def arrived(folder, text, name="a.csv", table=None, **file):
    """The table that a file becomes, what was said, and why cells are empty."""
    if text is not None:
        (folder / name).write_text(text, encoding="utf-8")
    found = gather(study_of(folder, {"path": name, **file}, **(table or {})), "data", lambda study, file: folder)
    return found.frame, "\n".join(found.notes), found


# ---- REDCap

DICTIONARY = """\
"Variable / Field Name","Form Name","Field Type","Field Label","Choices, Calculations, OR Slider Labels",\
"Branching Logic (Show field only if...)",Identifier?
record_id,intake,text,Record,,,
name,intake,text,Full name,,,y
age,intake,text,"Age, in years",,,
ward,intake,radio,Ward,"1, Medical | 2, Surgical | -90, Not known",,
hurt,intake,yesno,Were you in pain?,,,
reasons,intake,checkbox,What helped?,"1, Time | 2, Kindness | -90, Do not know",[hurt] = '1',
kind,visit,radio,How kind?,"1, Not | 2, Rather | 3, Very",,
signs,visit,checkbox,Seen in the visit,"1, Eye contact | 2, Silence",,
"""
REDCAP = """\
record_id,redcap_event_name,redcap_repeat_instrument,redcap_repeat_instance,name,age,ward,hurt,reasons___1,\
reasons___2,reasons____90,intake_complete,kind,signs___1,signs___2,visit_complete
1,base_arm_1,,,Ann,40,1,1,1,0,0,2,,0,0,
2,base_arm_1,,,Bob,50,2,0,0,0,0,2,,0,0,
3,base_arm_1,,,Cy,60,-90,1,0,0,1,2,,0,0,
4,base_arm_1,,,Di,70,1,1,0,0,0,2,,0,0,
1,later_arm_1,visit,1,,,,,0,0,0,,3,1,0,2
1,later_arm_1,visit,2,,,,,0,0,0,,2,0,0,2
2,later_arm_1,visit,1,,,,,0,0,0,,,0,0,0
3,later_arm_1,,,,,,,0,0,0,0,,0,0,
"""


@pytest.fixture
def redcap(tmp_path):
    (tmp_path / "Ward_DataDictionary_2026-11-01.csv").write_text(DICTIONARY, encoding="utf-8")
    return tmp_path


def test_boxes_that_were_never_on_the_screen_are_missing_and_not_0(redcap):
    frame, notes, found = arrived(redcap, REDCAP)
    boxes = pd.to_numeric(frame["reasons___2"])
    assert boxes.isna().tolist() == [False, True, False, False, True, True], "asked in the first event of who had pain"
    assert boxes[3] == 0, "seen and left open stays 0"
    assert found.gaps["reasons___2"].tolist()[1] == "not asked (branching logic)"
    assert found.gaps["reasons___2"].tolist()[4] == "not asked (form not in this row)"
    assert pd.to_numeric(frame["signs___1"]).isna().tolist() == [True] * 4 + [False] * 2
    assert "(signs in 4 rows and reasons in 3 rows)" in notes


def test_rows_of_planned_events_and_repeats_without_an_answer_go(redcap):
    _frame, notes, found = arrived(redcap, REDCAP)
    assert found.origin.row.tolist() == [2, 3, 4, 5, 6, 7] and "2 rows of events or repeats hold no answer" in notes
    assert "4 base_arm_1" in notes and "2 of the repeating form visit" in notes


def test_unasked_fields_are_told_from_those_left_empty(redcap):
    _, _, found = arrived(redcap, REDCAP.replace("4,base_arm_1,,,Di,70,1", "4,base_arm_1,,,Di,,1"))
    ages = found.gaps["age"].tolist()
    assert pd.isna(ages[3]), "asked, and left empty"
    assert ages[4] == "not asked (form not in this row)"


def test_redcap_identifiers_never_leave_the_reader(redcap):
    frame, notes, _ = arrived(redcap, REDCAP)
    assert "name" not in frame and "Ann" not in frame.to_csv() and "name are marked as identifiers" in notes


def test_a_redcap_event_is_picked_and_repeats_stay_long(redcap):
    base, _, _ = arrived(redcap, REDCAP, only={"redcap_event_name": "base_arm_1"})
    assert len(base) == 4
    visits, notes, _ = arrived(redcap, REDCAP, only={"redcap_repeat_instrument": "visit"})
    assert visits["redcap_repeat_instance"].tolist() == ["1", "2"] and "2 of 6 rows have redcap_repeat_instr" in notes
    single, _, _ = arrived(redcap, REDCAP, only={"redcap_repeat_instrument": ""})
    assert len(single) == 4
    with pytest.raises(DataError, match="there are none; redcap_event_name is 'base_arm_1' and 'later_arm_1'"):
        arrived(redcap, REDCAP, only={"redcap_event_name": "base_arm_2"})


def test_redcap_events_are_laid_side_by_side_with_their_reasons(redcap):
    pivot = {"by": ["record_id"], "over": "redcap_event_name", "columns": ["age", "kind"]}
    text = REDCAP.replace("3,later_arm_1,,,,,,,0,0,0,0,,0,0,", "3,later_arm_1,,,,61,,,0,0,0,2,,0,0,")
    frame, _, found = arrived(redcap, text, only={"redcap_repeat_instrument": ""}, pivot=pivot)
    assert frame["age_base_arm_1"].tolist() == ["40", "50", "60", "70"]
    assert frame["age_later_arm_1"].isna().tolist() == [True, True, False, True]
    assert found.gaps["kind_base_arm_1"].tolist() == ["not asked (form not in this row)"] * 4


def test_a_box_that_says_do_not_know_takes_the_others_with_it_where_declared(redcap):
    frame, notes, found = arrived(redcap, REDCAP, missing=["-90"])
    assert pd.to_numeric(frame["reasons___1"]).isna().tolist()[:4] == [False, True, True, False]
    assert found.gaps["reasons___1"][2] == "coded -90" and found.gaps["ward"][2] == "coded -90"
    assert "1 rows have the box reasons____90" in notes


def test_labels_become_codes_again_and_a_mix_is_refused(redcap):
    labels = REDCAP.replace("Ann,40,1,1,1,0,0", "Ann,40,Medical,Yes,Checked,Unchecked,Unchecked")
    labels = labels.replace("Bob,50,2,0,0,0,0", "Bob,50,Surgical,No,Unchecked,Unchecked,Unchecked")
    with pytest.raises(DataError, match=r"ward: some entries are codes \(-90 and 1\), others labels"):
        arrived(redcap, labels)
    lines = labels.splitlines()
    frame, notes, _ = arrived(redcap, "\n".join(lines[:3]) + "\n")
    assert frame["ward"].tolist() == ["1", "2"] and frame["hurt"].tolist() == ["1", "0"]
    assert pd.to_numeric(frame["reasons___1"]).tolist()[0] == 1 and "hold labels; they are codes again" in notes


def test_an_export_with_labels_for_names_gets_its_fields_back(tmp_path):
    words = 'code,form,text,Record,,\nhelp,form,checkbox,What helped?,"1, Time | 2, Care",\n'
    head = "field_name,form_name,field_type,field_label,select_choices_or_calculations,branching_logic\n"
    (tmp_path / "dictionary.csv").write_text(head + words, encoding="utf-8")
    text = "Record,What helped? (choice=Time),What helped? (choice=Care),Complete?\nA,Checked,Unchecked,Complete\n"
    frame, notes, _ = arrived(tmp_path, text, reader="redcap")
    assert list(frame.columns) == ["code", "help___1", "help___2", "form_complete"], notes
    assert frame["help___1"].tolist() == ["1"] and "4 columns have labels for names" in notes


def test_two_forms_with_labels_for_names_are_asked_for_raw(tmp_path):
    with pytest.raises(DataError, match=r"Complete.*export the raw data in its place"):
        arrived(tmp_path, "Record,A,Complete?,B,Complete?\n1,2,Complete,3,Complete\n")


def test_without_a_dictionary_forms_are_known_by_the_state_that_closes_them(tmp_path):
    frame, notes, _found = arrived(tmp_path, REDCAP)
    assert "no dictionary lies beside it" in notes
    assert pd.to_numeric(frame["signs___1"]).isna().tolist() == [True] * 4 + [False] * 2
    assert pd.to_numeric(frame["reasons___2"])[1] == 0, "without the logic nobody knows that Bob was not asked"


@pytest.mark.parametrize(
    ("logic", "understood"),
    [
        ("[hurt] = '1'", True),
        ('([hurt] = "1" and [age] >= 45) or [ward] <> 2', True),
        ("[reasons(-90)] = '1'", True),
        ("datediff([a], [b], 'd') > 3", False),
        ("[base_arm_1][hurt] = '1'", False),
        ("[hurt] = '1' and", False),
        ("__import__('os').system('x')", False),
        ("[no_such_field] = '1'", False),
    ],
)
def test_logic_beyond_comparisons_is_said_not_to_be_understood(redcap, logic, understood):
    text = DICTIONARY.replace('"1, Not | 2, Rather | 3, Very",,', f'"1, Not","{logic.replace(chr(34), chr(34) * 2)}",')
    (redcap / "Ward_DataDictionary_2026-11-01.csv").write_text(text, encoding="utf-8")
    _, notes, _ = arrived(redcap, REDCAP)
    assert ("the branching logic of kind is not understood" in notes) != understood, notes


@pytest.mark.parametrize(
    ("logic", "rows"),
    [
        ("[a] = '1'", [True, False, False]),
        ("[a] <> ''", [True, True, False]),
        ("[a] != 1", [False, True, True]),
        ("[a] >= 2", [False, True, False]),
        ("[a] < '2'", [True, False, False]),
        ("[a] = 1 or [a] = 2 and [b(-9)] = 1", [True, False, False]),
        ("([a] = 1 or [a] = 2) and [b(-9)] = '0'", [True, True, False]),
        ("[a] > ''", [False, False, False]),
    ],
)
def test_logic_is_read_as_redcap_reads_it(logic, rows):
    frame = pd.DataFrame({"a": ["1", "2.0", None], "b____9": ["0", "0", "1"]}, dtype="str")
    assert shown(logic, frame.__getitem__, 3).tolist() == rows


def test_logic_that_reads_another_row_says_nothing_about_this_one(redcap):
    path = redcap / "Ward_DataDictionary_2026-11-01.csv"
    path.write_text(DICTIONARY.replace('2, Silence",,', "2, Silence\",[hurt] = '1',"), encoding="utf-8")
    frame, _, _ = arrived(redcap, REDCAP)
    assert pd.to_numeric(frame["signs___2"]).tolist()[4:] == [0, 0], "in the rows of visits nobody is asked about pain"


def test_dictionaries_that_cannot_serve_are_named(redcap):
    (redcap / "old_dictionary.csv").write_text(DICTIONARY, encoding="utf-8")
    with pytest.raises(DataError, match=r"say which in study\.yml: `dictionary:`"):
        arrived(redcap, REDCAP)
    arrived(redcap, REDCAP, dictionary="old_dictionary.csv")
    with pytest.raises(DataError, match=r"There is no file .*gone\.csv"):
        arrived(redcap, REDCAP, dictionary="gone.csv")
    (redcap / "no.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(DataError, match="no data dictionary of REDCap"):
        arrived(redcap, REDCAP, dictionary="no.csv")


# ---- CMS and the NHS

HCAHPS = """\
Facility ID,Facility Name,State,HCAHPS Measure ID,HCAHPS Answer Percent,HCAHPS Answer Percent Footnote,\
Number of Completed Surveys,Number of Completed Surveys Footnote
010001,A,AL,H_COMP_1_A_P,80,,400,
010001,A,AL,H_COMP_2_A_P,85,,400,
20002,B,AK,H_COMP_1_A_P,Not Available,5,Not Available,"1, 13"
20002,B,AK,H_COMP_2_A_P,Not Applicable,,Not Available,19
"""
HOSPITALS = {"aggregates": True, "rows": "hospitals"}


def test_words_among_numbers_are_gaps_with_their_footnote_as_the_reason(tmp_path):
    frame, notes, found = arrived(tmp_path, HCAHPS, table=HOSPITALS)
    assert pd.to_numeric(frame["HCAHPS Answer Percent"]).isna().tolist() == [False, False, True, True]
    told = found.gaps["HCAHPS Answer Percent"].tolist()
    assert told[2:] == ["Not Available (5: results are not available for this reporting period)", "Not Applicable"]
    surveys = found.gaps["Number of Completed Surveys"].tolist()
    assert surveys[2] == "Not Available (1: the number of cases is too few to report; footnote 13)"
    assert "HCAHPS Answer Percent 2" in notes and "lost leading zeros are put back (2 of 4 rows)" in notes
    assert "of 2 hospitals these have no number at all: HCAHPS Answer Percent 1" in notes
    assert "`weights: Number of Completed Surveys` in a question weighs them" in notes


def test_words_among_words_stay_words(tmp_path):
    text = HCAHPS.replace("Facility Name", "Kind").replace(",B,", ",Not Applicable,").replace(",A,", ",Acute,")
    frame, _, _ = arrived(tmp_path, text, table=HOSPITALS)
    assert frame["Kind"].tolist() == ["Acute", "Acute", "Not Applicable", "Not Applicable"]


def test_measures_are_laid_side_by_side_and_keep_their_reasons(tmp_path):
    pivot = {"by": ["Facility ID"], "over": "HCAHPS Measure ID", "columns": ["HCAHPS Answer Percent"]}
    frame, notes, found = arrived(tmp_path, HCAHPS, table=HOSPITALS, pivot=pivot)
    assert frame["HCAHPS Answer Percent_H_COMP_1_A_P"].tolist()[0] == "80" and len(frame) == 2
    assert found.gaps["HCAHPS Answer Percent_H_COMP_2_A_P"].tolist()[1] == "Not Applicable"
    assert "`pivot: {by: [Facility ID], over: HCAHPS Measure ID" in notes


def test_averages_are_refused_where_people_are_asked_about(tmp_path):
    with pytest.raises(DataError, match=r"averages of hospitals, and no people.*`aggregates: true`"):
        arrived(tmp_path, HCAHPS)
    (tmp_path / "patients.csv").write_text("patient,ccn,y\n1,010001,3\n", encoding="utf-8")
    (tmp_path / "h.csv").write_text(HCAHPS.replace("Facility ID", "ccn"), encoding="utf-8")
    beside = {"path": "h.csv", "key": "ccn", "only": {"HCAHPS Measure ID": "H_COMP_1_A_P"}}
    found = gather(study_of(tmp_path, {"path": "patients.csv"}, beside), "data", lambda study, file: tmp_path)
    assert found.frame["HCAHPS Answer Percent"].tolist() == ["80"], "beside people, a hospital's average may stand"


def test_readmissions_say_how_many_hospitals_vanish(tmp_path):
    text = "Provider ID,Measure Name,Number of Discharges,Footnote,Excess Readmission Ratio\n"
    text += "010001,AMI,300,,1.02\n010002,AMI,N/A,1,Too Few to Report\n010002,HF,Not Available,1 - Too few.,0.9\n"
    _frame, notes, found = arrived(tmp_path, text, table=HOSPITALS)
    assert "of 2 hospitals these have no number at all: Number of Discharges 1" in notes
    assert (
        found.gaps["Excess Readmission Ratio"][1] == "Too Few to Report (1: the number of cases is too few to report)"
    )
    assert found.gaps["Number of Discharges"][2] == "Not Available (1 - Too few.)"
    summarise = {"by": ["Provider ID"], "columns": {"n": {"mean": "Number of Discharges"}}}
    _, _, found = arrived(tmp_path, text, table=HOSPITALS, summarise=summarise)
    assert found.gaps["n"].tolist()[1].startswith("N/A (1"), "the reason outlives the summary"


def test_nhs_organisations_are_no_people_either(tmp_path):
    text = "ODS code,Year,Benchmarking group,Burned_out_base,Burned_out_rate\nRA2,2024,Acute,900,31\n"
    with pytest.raises(DataError, match="averages of organisations"):
        arrived(tmp_path, text)
    _, notes, _ = arrived(tmp_path, text, table={"aggregates": True})
    assert "weigh by Burned_out_base" in notes and "not every question can be compared between years" in notes


# ---- SPSS, Stata, SAS


def test_spss_reasons_have_their_labels(tmp_path):
    import pyreadstat

    data = pd.DataFrame({"mood": [1.0, -9, 3, np.nan, 98], "site": ["N", "XX", "S", "N", "S"]})
    ranges = {"mood": [-9, {"lo": 97, "hi": 99}], "site": ["XX"]}
    labels = {"mood": {1: "low", -9: "refused"}}
    pyreadstat.write_sav(data, str(tmp_path / "a.sav"), missing_ranges=ranges, variable_value_labels=labels)
    frame, _, found = arrived(tmp_path, None, name="a.sav")
    assert found.gaps["mood"].tolist() == [np.nan, "coded -9 (refused)", np.nan, np.nan, "coded 98"]
    assert found.gaps["site"].tolist()[1] == "coded XX" and list(frame.columns) == ["mood", "site"]


def test_stata_letters_are_kept_apart(tmp_path):
    pd.DataFrame({"x": [1.0, np.nan, np.nan, 2.0]}).to_stata(tmp_path / "a.dta", write_index=False, version=118)
    content = (tmp_path / "a.dta").read_bytes()
    gap = bytes.fromhex("000000000000e07f")
    assert content.count(gap) >= 2
    (tmp_path / "a.dta").write_bytes(content.replace(gap, bytes.fromhex("000000000001e07f"), 1))  # . becomes .a
    frame, notes, found = arrived(tmp_path, None, name="a.dta")
    assert frame["x"].isna().tolist() == [False, True, True, False]
    assert found.gaps["x"].tolist()[1] == "coded .a" and pd.isna(found.gaps["x"][2])
    assert "1 cells hold one of the missing values that the file keeps apart (x 1)" in notes


def test_letters_of_sas_are_kept_apart():
    """Only the step behind the library, for no free program writes a .sas7bdat with such values."""
    from researchkit.readers.stored import without_letters

    frame = pd.DataFrame({"x": [1.0, "A", np.nan, "B"], "s": list("abcd")})
    frame, notes = without_letters(frame, {"x": ["A", "B"]}, "a.sas7bdat")
    assert frame["x"].tolist() == pytest.approx([1, np.nan, np.nan, np.nan], nan_ok=True)
    assert frame.filter(like="why empty").iloc[:, 0].tolist() == [np.nan, "coded .A", np.nan, "coded .B"]
    assert "2 cells" in notes[0]


def test_each_reason_reaches_the_check_and_the_page(tmp_path):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=60), "y": rng.integers(1, 6, 60)})
    frame.loc[:11, "y"] = -9
    frame.loc[12:19, "y"] = -8
    frame.loc[20:25, "y"] = np.nan
    frame.to_csv(tmp_path / "a.csv", index=False)
    text = """
title: t
seed: 1
design: observational
files: a.csv
columns: {y: {missing: [-9, -8]}}
questions:
  - {id: q, title: '?', claim: BUR-1, exposure: x, outcome: {column: y, kind: score}, smallest_effect: 1}
"""
    (tmp_path / "study.yml").write_text(text, encoding="utf-8")
    dataset = load_dataset(load_study(tmp_path))
    assert "y: 26 cells are empty: coded -9 12, coded -8 8 and no reason given 6." in dataset.notes
    told = columns_table(dataset).data.set_index("Column")["Why"]
    assert told["y"] == "coded -9: 12, coded -8: 8 and no reason given: 6" and told["x"] == ""
    (check,) = [one for one in answer_question(load_study(tmp_path), "q").checks if one.name == "missing data"]
    assert "Why, as far as the file says: y (coded -9: 12, coded -8: 8 and no reason given: 6)." in check.facts["words"]
    (tmp_path / "study.yml").write_text(text + "disclosure: cms\n", encoding="utf-8")
    told = columns_table(load_dataset(load_study(tmp_path))).data.set_index("Column")["Why"]["y"]
    assert told == "coded -9", "12 people; no count, and nothing of the 8"


# ---- Excel


def workbook(folder, rows, merges, name="a.xlsx"):
    import openpyxl

    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for one in merges:
        book.active.merge_cells(one)
    book.save(folder / name)


def test_a_header_of_merged_cells_is_read_and_shown(tmp_path):
    rows = [["id", "kindness", None, "rest"], [None, "before", "after", None], ["007", 3, 4, 1], ["008", 2, 5, 2]]
    workbook(tmp_path, rows, ["A1:A2", "B1:C1", "D1:D2"])
    frame, notes, found = arrived(tmp_path, None, name="a.xlsx")
    assert list(frame.columns) == ["id", "kindness: before", "kindness: after", "rest"]
    assert found.origin.row.tolist() == [3, 4]
    assert "the header has 2 rows with merged cells; its names are read as 'id', 'kindness: before'" in notes


def test_words_below_a_merged_cell_are_header_and_numbers_are_data(tmp_path):
    workbook(tmp_path, [["id", "kindness", None], [None, "before", "after"], ["007", 3, 4]], ["B1:C1"])
    frame, _, found = arrived(tmp_path, None, name="a.xlsx")
    assert list(frame.columns) == ["id", "kindness: before", "kindness: after"] and found.origin.row.tolist() == [3]
    workbook(tmp_path, [["id", "kindness", None], ["006", 1, 2], ["007", 3, 4]], ["B1:C1"])
    frame, notes, _ = arrived(tmp_path, None, name="a.xlsx")
    assert list(frame.columns) == ["id", "kindness", "unnamed_3"] and len(frame) == 2 and "merged header" in notes


def test_a_title_over_the_table_is_no_header(tmp_path):
    rows = [["Ward survey 2026", None, None], [], ["id", "a", "b"], ["1", 2, 3]]
    workbook(tmp_path, rows, ["A1:C1"])
    frame, notes, found = arrived(tmp_path, None, name="a.xlsx")
    assert list(frame.columns) == ["id", "a", "b"] and found.origin.row.tolist() == [4]
    assert "'Ward survey 2026' over the table is no name" in notes


def test_merged_cells_among_the_data_are_not_filled_down(tmp_path):
    workbook(tmp_path, [["ward", "score"], ["A", 1], [None, 2], ["B", 3]], ["A2:A3"])
    frame, notes, _ = arrived(tmp_path, None, name="a.xlsx")
    assert frame["ward"].isna().tolist() == [False, True, False]
    assert "1 merged cells among the data, from rows 2" in notes


# ---- Zendesk

ZENDESK = """\
id,created_at,assigned_at,solved_at,status,satisfaction,reopens,replies,requester_email,assignee_name,assignee_id,\
full_resolution_time_in_minutes,full_resolution_time_in_minutes_within_business_hours
1,2026-10-24T10:00:00Z,,2026-10-24T12:00:00Z,solved,good,0,2,ann@example.org,Kim,7,120,60
2,2026-10-25T00:30:00Z,,2026-10-26T12:00:00Z,solved,bad,2,5,bob@example.org,Kim,7,2130,180
3,2026-10-25T01:30:00Z,,2026-10-25T09:00:00Z,open,,1,1,cy@example.org,Lee,8,450,0
4,2026-10-27T10:00:00Z,,2026-10-26T10:00:00Z,closed,,0,1,di@example.org,Lee,8,10,10
"""


def test_zendesk_asks_which_clock_is_meant(tmp_path):
    with pytest.raises(DataError, match=r"1 durations are there twice.*`clock: calendar` or `clock: business`"):
        arrived(tmp_path, ZENDESK)
    business, notes, _ = arrived(tmp_path, ZENDESK, clock="business")
    assert business["full_resolution_time_in_minutes"].tolist()[:2] == ["60", "180"] and "in business hours" in notes
    calendar, _, _ = arrived(tmp_path, ZENDESK, clock="calendar")
    assert calendar["full_resolution_time_in_minutes"].tolist()[:2] == ["120", "2130"]
    assert not any("business" in name for name in [*business, *calendar])


def test_the_names_of_zendesks_other_interface_are_known_as_well(tmp_path):
    text = ZENDESK.replace("minutes,full_res", "minutes.calendar,full_res").replace(
        "minutes_within_business_hours", "minutes.business"
    )
    frame, _, _ = arrived(tmp_path, text, clock="business")
    assert frame["full_resolution_time_in_minutes"].tolist()[:2] == ["60", "180"]


def test_times_of_utc_become_the_sites_own(tmp_path):
    frame, notes, _ = arrived(tmp_path, ZENDESK, clock="calendar", timezone="Europe/London")
    assert frame["created_at"].tolist()[0] == "2026-10-24T11:00:00"
    assert frame["created_at"].tolist()[1:3] == ["2026-10-25T01:30:00", "2026-10-25T01:30:00"]
    assert "2 times stand in the hour that comes twice" in notes
    _, notes, _ = arrived(tmp_path, ZENDESK, clock="calendar")
    assert "are in UTC; `timezone:`" in notes


def test_a_ticket_that_was_opened_again_is_not_solved(tmp_path):
    frame, notes, found = arrived(tmp_path, ZENDESK, clock="calendar")
    assert frame["solved_at"].isna().tolist() == [False, False, True, False]
    assert found.gaps["solved_at"].tolist()[2] == "open again after it was solved"
    assert frame["solved_at_once"].tolist() == pytest.approx([1, 0, np.nan, 1], nan_ok=True)
    assert "1 of 3 solved tickets had been opened again" in notes and "1 tickets are solved before" in notes


def test_reasons_go_with_their_columns_through_every_step(tmp_path):
    frame, notes, found = arrived(tmp_path, ZENDESK, clock="business", missing=["60", "2", "ann@example.org"])
    assert found.gaps["full_resolution_time_in_minutes"].tolist()[0] == "coded 60"
    assert found.gaps["reopens"].tolist()[1] == "coded 2" and set(found.gaps) <= set(frame)
    assert "\x1f" not in notes and "ann@" not in found.gaps.to_csv()


def test_nobody_is_named_by_a_ticket(tmp_path):
    frame, notes, _ = arrived(tmp_path, ZENDESK, clock="calendar")
    assert "@" not in frame.to_csv() + notes and "assignee_name" not in frame and "assignee_id" in frame


def test_a_zone_that_there_is_not_is_refused_in_words(tmp_path):
    (tmp_path / "study.yml").write_text(
        "title: t\nseed: 1\ndesign: observational\nfiles: {path: a.csv, timezone: Europe/Nowhere, clock: lunch}\n"
        "questions:\n  - {id: q, title: '?', claim: BUR-1, exposure: x, outcome: {column: y, kind: score}, smallest_effect: 1}\n",
        encoding="utf-8",
    )
    with pytest.raises(StudyError) as error:
        load_study(tmp_path)
    assert "no time zone 'Europe/Nowhere'" in str(error.value) and "'calendar' or 'business'" in str(error.value)


# ---- NICE CXone and dialers

CXONE = """\
Contact_ID|Master_Contact_ID|Start_Date|Start_Time|Skill_Name|Agent_Name|Agent_ID|ANI|Talk_Seconds|ACW_Seconds|ACW_Time|Handle_Seconds
11|11|10312026|23:10:00|Care|Kim|7|07700|100|20|0:00:20|120
12|11|10312026|23:12:00|Bills|Lee|8|07700|200|30|0:00:30|230
13|13|11012026|01:20:00|Care|Kim|7|07701|60|10|0:00:10|70
14|14|11012026|01:40:00|Care|Lee|8|07702|60|10|0:01:10|40
16|15|11022026|09:00:00|Care|Kim|7|07703|60|10|0:00:10|70
"""


def test_transfers_are_not_counted_twice(tmp_path):
    frame, notes, found = arrived(tmp_path, CXONE)
    assert frame["Contact_ID"].tolist() == ["11", "13", "14", "16"] and frame["legs"].tolist() == [2, 1, 1, 1]
    assert found.origin.row.tolist() == [2, 4, 5, 6]
    assert (
        "1 transfers are legs of another contact" in notes and "of 1 contacts only a transfer is in the file" in notes
    )
    as_it_stands, _, _ = arrived(tmp_path, CXONE, reader="table")
    assert len(as_it_stands) == 5 and "ANI" in as_it_stands


def test_a_contact_that_stands_twice_is_refused(tmp_path):
    with pytest.raises(DataError, match="2 rows repeat a Contact_ID, in rows 4 and 7"):
        arrived(tmp_path, CXONE + CXONE.splitlines()[3] + "\n")


def test_american_days_become_iso_days_and_others_are_refused(tmp_path):
    frame, notes, _ = arrived(tmp_path, CXONE)
    assert frame["Start_Date"].tolist()[0] == "2026-10-31" and "Start_Date is read as month, day, year" in notes
    with pytest.raises(DataError, match="Start_Date: 1 dates are not written month, day, year"):
        arrived(tmp_path, CXONE.replace("10312026", "31/10/2026").replace("1101", "11/01/").replace("1102", "11/02/"))


def test_the_order_of_other_systems_dates_is_told_by_the_dates(tmp_path):
    text = "Queue|Date|Time|Calls\nCare|{}|01:00|10\nCare|05/11/2026|02:00|9\n"
    for first, read in (("31/10/2026", "2026-11-05"), ("10/31/2026", "2026-05-11"), ("06/11/2026", "05/11/2026")):
        frame, notes, _ = arrived(tmp_path, text.format(first))
        assert frame["Date"].tolist()[1] == read and ("is read as" in notes) == ("-" in read)


def test_the_hour_that_comes_twice_is_said(tmp_path):
    _, notes, _ = arrived(tmp_path, CXONE, timezone="America/Chicago")
    assert "2 rows stand in the hour that comes twice" in notes and "does not say which came first" in notes
    _, notes, _ = arrived(tmp_path, CXONE, timezone="Asia/Tokyo")
    assert "comes twice" not in notes
    _, notes, _ = arrived(tmp_path, CXONE)
    assert "times are local; `timezone:`" in notes


def test_a_duration_in_two_units_is_kept_once_and_impossible_ones_are_said(tmp_path):
    frame, notes, _ = arrived(tmp_path, CXONE)
    assert "ACW_Time" not in frame and "in 1 rows the two differ" in notes
    assert "in 1 of 4 rows Handle_Seconds is less than Talk_Seconds and ACW_Seconds together" in notes
    assert "Agent_Name" not in frame and "ANI" not in frame


def test_minutes_in_the_field_of_hours_are_noticed(tmp_path):
    text = "Queue Name,Started At,Ended At,Agent Name,Agent Email,Talk Time,ACW,Handle Time\n"
    text += "Care,2026-11-01T10:00:00,2026-11-01T10:06:00,Kim,k@example.org,05:00:00,0:01:00,0:06:00\n"
    text += "Care,2026-11-01T10:00:00,2026-11-01T10:06:00,Kim,k@example.org,0:05:00,0:01:00,0:06:00\n"
    frame, notes, _ = arrived(tmp_path, text)
    assert frame["Talk Time"].tolist() == [18000, 300] and "Talk Time, ACW and Handle Time are read as hours" in notes
    assert "in 1 of 2 rows Handle Time is less than Talk Time and ACW together" in notes
    assert "Agent Email" not in frame and "Agent Name names staff" in notes


def test_a_period_that_stands_twice_for_a_queue_is_said(tmp_path):
    text = "Queue|Date|Time|Calls\nCare|10252026|01:00|10\nCare|10252026|01:00|12\nCare|10252026|02:00|9\n"
    frame, notes, _ = arrived(tmp_path, text, timezone="Europe/London")
    assert len(frame) == 3 and "2 rows have the Date, Time and Queue of another" in notes
    assert "2 rows stand in the hour that comes twice" in notes


# ---- ids


def test_ids_that_have_lost_their_zeros_are_said_to_have(tmp_path):
    (tmp_path / "a.csv").write_text("staff,y\n007,1\n018,2\n100,3\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("staff,team\n7,A\n18,B\n100,C\n555,D\n", encoding="utf-8")
    found = gather(
        study_of(tmp_path, {"path": "a.csv"}, {"path": "b.csv", "key": "staff"}), "data", lambda s, f: tmp_path
    )
    notes = "\n".join(found.notes)
    assert "2 of 3 rows of the first file found no match, and 3 of 4 rows" in notes
    assert "2 of these rows would find a match if staff had no leading zeros" in notes
    assert found.frame["staff"].tolist() == ["007", "018", "100"], "an id is text"


# ---- none of them


def test_ordinary_tables_are_taken_for_no_export(root):
    for path in sorted((root / "data").glob("*/study.yml")):
        study = load_study(path)
        for table, spec in study.tables.items():
            if all(file.path for file in spec.files):
                said = "\n".join(gather(study, table, lambda study, file: None).notes)
                assert " export" not in said and "contacts of NICE" not in said and "are left out" not in said, said


def test_an_export_that_is_not_the_one_named_is_refused(tmp_path):
    for name in ("redcap", "cms", "zendesk", "cxone", "dialer", "nhs"):
        with pytest.raises(DataError, match=f"is no {name} export"):
            arrived(tmp_path, "a,b\n1,2\n", reader=name)


@pytest.mark.parametrize("text", [REDCAP, ZENDESK, CXONE, HCAHPS])
def test_headers_and_one_row_or_empty_columns_stop_nobody_with_a_traceback(tmp_path, text):
    mark = "|" if "|" in text else ","
    head, first = text.splitlines()[:2]
    empty = mark.join(["x", *[""] * head.count(mark)])
    for body in (first, empty, f"{first}\n{empty}"):
        try:
            arrived(tmp_path, f"{head}\n{body}\n", clock="calendar", timezone="Europe/London", table=HOSPITALS)
        except DataError as error:
            assert str(tmp_path) in str(error)


# ---- a first study file from any of them


def drafted(folder, name, text=None):
    if text is not None:
        (folder / name).write_text(text, encoding="utf-8")
    return yaml.safe_load(draft(folder / name))["columns"], draft(folder / name)


def test_labels_and_codes_of_a_redcap_dictionary_are_used(tmp_path):
    (tmp_path / "dictionary.csv").write_text(DICTIONARY, encoding="utf-8")
    columns, text = drafted(tmp_path, "a.csv", REDCAP)
    assert columns["ward"]["codes"] == {"1": "Medical", "2": "Surgical"} and columns["ward"]["missing"] == ["-90"]
    assert columns["age"]["label"] == "Age, in years" and "name" not in columns
    assert columns["reasons___2"]["label"] == "What helped?: Kindness"
    assert columns["reasons___2"]["codes"] == {"0": "not ticked", "1": "ticked"}
    assert "# " in text and "a REDCap export, read with its dictionary" in text


def test_which_clock_is_left_to_the_author(tmp_path):
    _, text = drafted(tmp_path, "a.csv", ZENDESK)
    assert 'files: {path: "a.csv", clock: FILL_IN}' in text and "durations are there twice" in text
    write_draft(tmp_path / "a.csv", tmp_path)
    found = CliRunner().invoke(main, ["check", str(tmp_path)])
    assert found.exit_code == 1 and "`clock`" in found.output


def test_averages_are_drafted_as_averages(tmp_path):
    _, text = drafted(tmp_path, "a.csv", HCAHPS)
    assert "aggregates: true" in text and "rows: hospitals" in text


@pytest.mark.parametrize("text", ["CXONE", "REDCAP"])
def test_every_export_gives_a_draft_that_only_its_author_has_to_complete(tmp_path, text):
    write_draft_of = {"CXONE": CXONE, "REDCAP": REDCAP}[text]
    (tmp_path / "a.csv").write_text(write_draft_of, encoding="utf-8")
    write_draft(tmp_path / "a.csv", tmp_path)
    found = CliRunner().invoke(main, ["check", str(tmp_path)])
    assert found.exit_code == 1 and "FILL_IN" in found.output and "Traceback" not in found.output
