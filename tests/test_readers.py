"""Files as people have them: every format to the same plain frame, every fault in words with its place."""

from __future__ import annotations

import bz2
import datetime
import gzip
import hashlib
import lzma
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from researchkit.errors import DataError, StudyError
from researchkit.parts import File, Table
from researchkit.readers import gather, plain
from researchkit.readers.values import among, as_text, canonical, distinct, numbers
from researchkit.study import Study

CSV = "id,site,burnout\n007,North,3\n008,South,\n"


def study_with(folder, *files) -> Study:
    parts = tuple(File.model_validate(file if isinstance(file, dict) else {"path": file}) for file in files)
    table = Table(files=parts)
    question = {"id": "q", "title": "?", "claim": "BUR-1", "exposure": "x", "smallest_effect": 1}
    question["outcome"] = {"column": "y", "kind": "score"}
    study = Study(title="t", seed=1, design="observational", tables={"data": table}, questions=[question])
    study._path = folder / "study.yml"
    return study


def read(path, **spec):
    return plain.read(path, File(path=path.name, **spec))[0]


def put(folder, name: str, content: str | bytes):
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def nowhere(study, file):
    raise AssertionError("nothing is to be located")


def gathered(folder, *files):
    return gather(study_with(folder, *files), "data", nowhere)


# ---- one file of text


def test_text_is_read_as_it_stands(tmp_path):
    frame = read(put(tmp_path, "a.csv", CSV))
    assert frame["id"].tolist() == ["007", "008"]
    assert frame["burnout"].isna().tolist() == [False, True]
    assert frame.index.tolist() == [2, 3]  # as a spreadsheet counts


def test_na_null_and_none_are_words_until_declared(tmp_path):
    path = put(tmp_path, "a.csv", "x\nN/A\nNA\nnull\n  \n-99.0\n")
    assert read(path)["x"].tolist() == ["N/A", "NA", "null", "-99.0"]
    frame, notes = plain.read(path, File(path="a.csv", missing=["N/A", -99]))
    assert frame["x"].isna().tolist() == [True, False, False, True]
    assert "2 cells hold a code declared as missing (x 2)" in notes[-1]


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", "=cmd|' /C calc'!A0", "{{ 7*7 }}", "'); DROP TABLE x;--"]
)
def test_hostile_text_passes_through_as_text(tmp_path, hostile):
    name = '"; import os #'
    header = '"' + name.replace('"', '""') + '"'
    frame = read(put(tmp_path, "a.csv", f'{header}\n"{hostile}"\n'))
    assert frame[name].tolist() == [hostile]


PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


@pytest.mark.parametrize("ending", PACKERS)
def test_packed_files_are_the_same(tmp_path, ending):
    packed = read(put(tmp_path, f"a.csv{ending}", PACKERS[ending](CSV.encode())))
    pd.testing.assert_frame_equal(packed, read(put(tmp_path, "a.csv", CSV)))


def test_a_zip_holds_one_file(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", CSV)
        archive.writestr("__MACOSX/a.csv", "rubbish")
    assert read(path)["id"].tolist() == ["007", "008"]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("b.csv", CSV)
    with pytest.raises(DataError, match=r"holds 2 files \(a.csv and b.csv\)"):
        read(path)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_separator_is_seen(tmp_path, mark):
    path = put(tmp_path, "a.csv", CSV.replace(",", mark))
    assert read(path).columns.tolist() == ["id", "site", "burnout"]


def test_a_decimal_comma_does_not_mislead(tmp_path):
    frame = read(put(tmp_path, "a.csv", "id;score\n1;3,5\n2;4,1\n"))
    assert frame["score"].tolist() == ["3,5", "4,1"]


def test_a_separator_in_doubt_is_asked_for(tmp_path):
    path = put(tmp_path, "a.csv", "a;b,c\n1;2,3\n")
    with pytest.raises(DataError, match="may be parted by comma and semicolon; say which in study"):
        read(path)
    assert read(path, separator=";").columns.tolist() == ["a", "b,c"]
    with pytest.raises(DataError, match="one character is wanted"):
        read(path, separator=";;")


def test_windows_and_old_mac_line_ends(tmp_path):
    for ends in ("\r\n", "\r"):
        assert read(put(tmp_path, "a.csv", CSV.replace("\n", ends)))["site"].tolist() == ["North", "South"]


def test_blank_rows_are_left_out_and_do_not_shift_the_count(tmp_path):
    frame, notes = plain.read(put(tmp_path, "a.csv", "a,b\n1,2\n\n,\n3,4\n"), File(path="a.csv"))
    assert frame.index.tolist() == [2, 5]
    assert "2 blank rows are left out" in notes[0]


def test_a_cell_may_hold_a_line_end(tmp_path):
    frame = read(put(tmp_path, "a.csv", 'a,b\n"one\ntwo",1\nx,2\n'))
    assert frame["a"].tolist() == ["one\ntwo", "x"]


def test_a_mark_at_the_start_and_declared_encodings(tmp_path):
    assert read(put(tmp_path, "a.csv", "\ufeff" + CSV)).columns[0] == "id"
    western = put(tmp_path, "b.csv", "name\nM\xfcller\n".encode("cp1252"))
    assert read(western, encoding="cp1252")["name"].tolist() == ["Müller"]
    two_bytes = put(tmp_path, "c.csv", CSV.encode("utf-16"))
    assert read(two_bytes, encoding="utf-16")["site"].tolist() == ["North", "South"]


def test_rows_too_short_are_noted(tmp_path):
    frame, notes = plain.read(put(tmp_path, "a.csv", "a,b,c\n1,2,3\n4\n5,6,7\n"), File(path="a.csv"))
    assert frame.loc[3].isna().tolist() == [False, True, True]
    assert "1 rows have fewer cells than the header, rows 3" in notes[0]


FAULTS = [
    ("a.csv", b"", "a.csv is empty"),
    ("a.csv", b" \n\n", "a.csv is empty"),
    ("a.csv", b"a,b\n", "has column names and no row of data"),
    ("a.csv", b"a,b\n,\n", "has column names and no row of data"),
    ("a.csv", b",\n1,2\n", "row 1 is blank"),
    ("a.csv", b"\na,b\n1,2\n", "row 1 is blank; it must hold the names of the columns"),
    ("a.csv", b"\r\n\r\na,b\r\n1,2\r\n", "row 1 is blank"),
    ("a.csv", b"a,b\r1,2\r3,4,5\r", "1 row has more cells than the 2 names of the header, row 3"),
    ("a.csv", b"a,b\rc,d\n1,2,3\n4,5\n", "1 row has more cells than the 2 names of the header, row 3"),
    ("a.csv", b"a" * 200_000 + b"\n1,2\n1,2,3\n", "it is no table: .*Expected 1 fields in line 2, saw 2"),
    ("a.csv", b"a,b,a\n1,2,3\n", r"several columns: 'a' \(columns 1 and 3\)"),
    ("a.csv", b"a, a\n1,2\n", r"several columns: 'a' \(columns 1 and 2\)"),
    ("a.csv", b"a,b\n1,2\n3,4,5\n6,7\n8,9,,1\n", "2 rows have more cells than the 2 names of the header, rows 3 and 5"),
    ("a.csv", b"a,b\n1,2,3\n4,5,6\n", "2 rows have more cells than the 2 names of the header, rows 2 and 3"),
    ("a.csv", b'a,b\n1,2\n"3,4\n5,6\n', r'a quotation mark \("\) opens in row 3 and never closes'),
    ("a.csv", b"a,b\n1,\x00\n", "1 NUL bytes, the first in line 2: the file is damaged"),
    ("a.csv", b"a\nx\nM\xfcller\n", "byte 6, in line 3, is not UTF-8.*`encoding: cp1252`"),
    ("a.csv", CSV.encode("utf-16"), "looks like UTF-16; declare it in study.yml: `encoding: utf-16`"),
    ("a.csv", CSV.encode("utf-16-le"), "looks like UTF-16"),
    ("a.csv", b"PK\x03\x04rest", "is an Excel workbook or another zip archive by its content"),
    ("a.csv", b"PAR1rest", "is a Parquet file by its content"),
    ("a.csv.gz", b"no gzip", r"is no whole .gz file"),
    ("a.csv.gz", gzip.compress(CSV.encode() * 50, mtime=0)[:-20], r"is no whole .gz file"),
    ("a.xls", b"\xd0\xcf\x11\xe0", "files ending in '.xls' are not read.* Save it as .xlsx"),
    ("a.doc", b"text", "files ending in '.doc' are not read"),
    ("a.xlsx", b"no workbook", "cannot be read as .xlsx"),
    ("a.parquet", b"no parquet", "cannot be read as .parquet"),
    ("a.sav", b"no spss", "cannot be read as .sav"),
    ("a.dta", b"no stata", "cannot be read as .dta"),
]


@pytest.mark.parametrize(("name", "content", "words"), FAULTS)
def test_a_fault_is_told_with_its_place(tmp_path, name, content, words):
    with pytest.raises(DataError, match=words):
        read(put(tmp_path, name, content))


def test_a_declared_encoding_that_does_not_fit(tmp_path):
    path = put(tmp_path, "a.csv", "a\nM\xfcller\n".encode("cp1252"))
    with pytest.raises(DataError, match="is not ascii, as the study file declares it"):
        read(path, encoding="ascii")
    with pytest.raises(DataError, match="there is no encoding 'klingon'"):
        read(path, encoding="klingon")


def test_no_file(tmp_path):
    with pytest.raises(DataError, match=r"There is no file .*gone\.csv"):
        read(tmp_path / "gone.csv")


# ---- files that other programs store


def test_excel(tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "wave 1"
    for row in (["id", "day", "score", None], ["007", datetime.datetime(2025, 11, 1), 3.0], ["008", None, 2.5]):
        sheet.append(row)
    book.create_sheet("notes").append(["x"])
    book.save(tmp_path / "a.xlsx")
    frame, notes = plain.read(tmp_path / "a.xlsx", File(path="a.xlsx"))
    assert frame.to_dict("list") == {"id": ["007", "008"], "day": ["2025-11-01", np.nan], "score": ["3", "2.5"]}
    assert "the first of 2 sheets is read, 'wave 1'" in notes[0]
    with pytest.raises(DataError, match=r"no sheet 'wave1' \(did you mean 'wave 1'\?\)"):
        read(tmp_path / "a.xlsx", sheet="wave1")


def test_a_merged_header_leaves_names_to_give(tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    for row in (["id", "answers", None], ["1", "2", "3"]):
        book.active.append(row)
    book.active.merge_cells("B1:C1")
    book.save(tmp_path / "a.xlsx")
    frame, notes = plain.read(tmp_path / "a.xlsx", File(path="a.xlsx"))
    assert frame.columns.tolist() == ["id", "answers", "unnamed_3"]
    assert "merged header" in notes[0]


def test_parquet(tmp_path):
    import duckdb

    rows = "select * from (values ('007', 3, true, date '2025-11-01'), ('008', null, false, null)) t(id, n, yes, day)"
    duckdb.sql(rows).write_parquet(str(tmp_path / "it's.parquet"))
    frame = read(tmp_path / "it's.parquet")
    assert frame["id"].tolist() == ["007", "008"]
    assert frame["n"].tolist() == pytest.approx([3, np.nan], nan_ok=True)
    assert frame["yes"].tolist() == [1, 0]
    assert frame["day"].tolist()[0] == "2025-11-01"


def test_long_ids_with_a_gap_stay_apart(tmp_path):
    import duckdb

    duckdb.sql("select * from (values (9007199254740993), (9007199254740992), (null)) t(id)").write_parquet(
        str(tmp_path / "a.parquet")
    )
    assert read(tmp_path / "a.parquet")["id"].tolist()[:2] == ["9007199254740993", "9007199254740992"]


def test_spss_declared_missing_codes_are_missing_and_counted(tmp_path):
    import pyreadstat

    data = pd.DataFrame({"mood": [1.0, -9, 3, np.nan, 98], "site": ["N", "XX", "S", "N", "S"]})
    ranges = {"mood": [-9, {"lo": 97, "hi": 99}], "site": ["XX"]}
    pyreadstat.write_sav(
        data, str(tmp_path / "a.sav"), missing_ranges=ranges, variable_value_labels={"mood": {1: "low"}}
    )
    frame, notes = plain.read(tmp_path / "a.sav", File(path="a.sav"))
    assert frame["mood"].tolist() == pytest.approx([1, np.nan, 3, np.nan, np.nan], nan_ok=True)
    assert frame["site"].isna().tolist() == [False, True, False, False, False]
    assert "1 cells are empty" in notes[0]
    assert "3 cells hold a code declared as missing in the file (mood 2 and site 1)" in notes[1]


def test_stata_keeps_codes(tmp_path):
    data = pd.DataFrame({"arm": pd.Categorical(["usual", "kind", "usual"]), "score": [1.5, np.nan, 2]})
    data.to_stata(tmp_path / "a.dta", write_index=False)
    frame = read(tmp_path / "a.dta")
    assert frame["arm"].tolist() == [1, 0, 1]
    assert frame["score"].isna().tolist() == [False, True, False]


def test_sas_transport(tmp_path):
    import pyreadstat

    pyreadstat.write_xport(pd.DataFrame({"ID": ["007", "008"], "X": [1.0, 2.5]}), str(tmp_path / "a.xpt"))
    assert read(tmp_path / "a.xpt").to_dict("list") == {"ID": ["007", "008"], "X": [1, 2.5]}


def test_r_data_frames_are_found_by_name(tmp_path):
    rdata = pytest.importorskip("rdata", reason="R's own format is read by a package that is not installed here")
    frame = pd.DataFrame({"id": ["007", None], "x": [1.0, 2.5]})
    rdata.write_rda(tmp_path / "a.rda", {"trial": frame, "other": frame})
    with pytest.raises(DataError, match="holds 2 data frames"):
        read(tmp_path / "a.rda")
    assert read(tmp_path / "a.rda", sheet="trial")["x"].tolist() == [1, 2.5]


def test_each_kind_of_gap_becomes_one(tmp_path):
    for kind in ("string", "str", object):
        found = plain.typed(pd.Series(["a", None], dtype=kind))
        assert found.dtype == "str" and found.isna().tolist() == [False, True]


def test_r_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "rdata", None)
    with pytest.raises(DataError, match="pip install rdata"):
        read(put(tmp_path, "a.rds", b"x"))


# ---- several files


def test_a_glob_stacks_in_order_and_keeps_where_rows_stood(tmp_path):
    put(tmp_path, "m02.csv", "b,a\n3,x\n")
    put(tmp_path, "m01.csv", "a,b\ny,1\nz,2\n")
    found = gathered(tmp_path, "m*.csv")
    assert found.frame.to_dict("list") == {"a": ["y", "z", "x"], "b": ["1", "2", "3"]}
    assert found.origin.words(np.array([1, 2])) == f"row 3 of {tmp_path}/m01.csv; row 2 of {tmp_path}/m02.csv"


def test_a_glob_that_fits_nothing(tmp_path):
    with pytest.raises(DataError, match=r"No file fits .*m\*\.csv"):
        gathered(tmp_path, "m*.csv")


def test_files_to_stack_must_have_the_same_columns(tmp_path):
    put(tmp_path, "a.csv", "a,b\n1,2\n")
    put(tmp_path, "b.csv", "a,c\n1,2\n")
    with pytest.raises(DataError, match=r"b\.csv lacks b and has c besides"):
        gathered(tmp_path, "a.csv", "b.csv")


def test_two_files_joined_with_unmatched_rows_both_ways(tmp_path):
    put(tmp_path, "tickets.csv", "ticket,agent\n1,007\n2,008\n3,\n4,007\n")
    put(tmp_path, "agents.csv", "no,team\n007,A\n009,B\n,C\n")
    found = gathered(tmp_path, "tickets.csv", {"path": "agents.csv", "key": "agent", "rename": {"no": "agent"}})
    assert found.frame["team"].tolist() == ["A", np.nan, np.nan, "A"]
    assert "2 of 4 rows of the first file found no match, and 1 of 2 rows of this one" in found.notes[-1]


def test_a_number_and_its_text_are_one_key(tmp_path):
    put(tmp_path, "a.csv", "k,x\n1,5\n")
    pd.DataFrame({"k": [1.0], "y": [6.0]}).to_stata(tmp_path / "b.dta", write_index=False)
    found = gathered(tmp_path, "a.csv", {"path": "b.dta", "key": "k"})
    assert found.frame.loc[0, "y"] == 6


JOINS = [
    ("k,y\n1,2\n1,3\n", r"1 rows repeat the k of an earlier row"),
    ("q,y\n1,2\n", r"there is no column 'k'"),
    ("k,x\n1,2\n", r"x stands in the first file too; `rename` or `drop`"),
]


@pytest.mark.parametrize(("right", "words"), JOINS)
def test_a_join_that_is_not_clear_is_refused(tmp_path, right, words):
    put(tmp_path, "a.csv", "k,x\n1,5\n2,5\n")
    put(tmp_path, "b.csv", right)
    with pytest.raises(DataError, match=words):
        gathered(tmp_path, "a.csv", {"path": "b.csv", "key": "k"})


def test_renamed_and_dropped(tmp_path):
    put(tmp_path, "a.csv", "Q1,Email\n1,a@b.c\n")
    found = gathered(tmp_path, {"path": "a.csv", "rename": {"Q1": "mood"}, "drop": ["Email", "IP"]})
    assert found.frame.columns.tolist() == ["mood"]
    assert any("dropped at import: Email" in note for note in found.notes)
    assert any("not there: IP" in note for note in found.notes)
    with pytest.raises(DataError, match=r"no column 'Q01' \(did you mean 'Q1'\?\)"):
        gathered(tmp_path, {"path": "a.csv", "rename": {"Q01": "mood"}})
    with pytest.raises(DataError, match="several columns: 'Email'"):
        gathered(tmp_path, {"path": "a.csv", "rename": {"Q1": "Email"}})


LONG = "id,arm,time,bdi\n2,PA,1,30\n1,TAU,1.0,20\n1,TAU,2,10\n3,PA,,9\n2,PA,2,\n"


def test_long_to_wide(tmp_path):
    put(tmp_path, "a.csv", LONG)
    found = gathered(tmp_path, {"path": "a.csv", "pivot": {"by": ["id", "arm"], "over": "time", "columns": ["bdi"]}})
    assert found.frame.to_dict("list") == {
        "id": ["2", "1"],
        "arm": ["PA", "TAU"],
        "bdi_1": ["30", "20"],
        "bdi_2": [np.nan, "10"],
    }
    assert any("1 rows have no time and are left out" in note for note in found.notes)
    put(tmp_path, "a.csv", LONG + "4,PA,1,1\n")
    with pytest.raises(DataError, match="1 rows repeat the time of another row with the same arm"):
        gathered(tmp_path, {"path": "a.csv", "pivot": {"by": ["arm"], "over": "time", "columns": ["bdi"]}})


def test_many_rows_into_one(tmp_path):
    put(tmp_path, "a.csv", "who,n,what\nb,2,\na,1,x\na,,y\n,5,z\nc,,w\n")
    spec = {"by": "who", "columns": {"sum": {"sum": "n"}, "mean": {"mean": "n"}, "rows": {"count": ""}}}
    spec["columns"] |= {"known": {"count": "n"}, "one": {"first": "what"}}
    found = gathered(tmp_path, {"path": "a.csv", "summarise": spec})
    assert found.frame.to_dict("list") == {
        "who": ["b", "a", "c"],
        "sum": pytest.approx([2, 1, np.nan], nan_ok=True),
        "mean": pytest.approx([2, 1, np.nan], nan_ok=True),
        "rows": [1, 2, 1],
        "known": [1, 1, 0],
        "one": [np.nan, "x", "w"],
    }
    assert any("1 rows have no who" in note for note in found.notes)
    assert found.origin.words(np.array([1])) == "row 3" and "the table made from" in found.origin.subject


def test_words_cannot_be_summed(tmp_path):
    put(tmp_path, "a.csv", "who,n\na,1\na,many\n")
    with pytest.raises(DataError, match=r"n: 1 entries are no numbers, in rows 3 \(the first is 'many'\)"):
        gathered(tmp_path, {"path": "a.csv", "summarise": {"by": "who", "columns": {"n": {"sum": "n"}}}})


def test_a_changed_file_is_noticed(tmp_path):
    path = put(tmp_path, "a.csv", CSV)
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(gathered(tmp_path, {"path": "a.csv", "sha256": right}).frame) == 2
    with pytest.raises(DataError, match="its sha256 differs"):
        gathered(tmp_path, {"path": "a.csv", "sha256": right[::-1]})


def test_an_address_is_located_by_who_knows_where(tmp_path):
    path = put(tmp_path, "a.csv", CSV)
    study = study_with(tmp_path, {"url": "https://example.org/a.csv", "sha256": "0" * 64})
    assert len(gather(study, "data", lambda study, file: path).frame) == 2


def test_an_unknown_reader_is_refused(tmp_path):
    put(tmp_path, "a.csv", CSV)
    with pytest.raises(StudyError, match=r"no reader 'plian' \(did you mean 'plain'\?\)"):
        gathered(tmp_path, {"path": "a.csv", "reader": "plian"})


# ---- entries


@pytest.mark.parametrize(
    ("entry", "same"),
    [
        ("1.0", "1"),
        ("1", "1"),
        (" 1 ", "1"),
        ("+1", "1"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("1.50", "1.5"),
        ("007", "007"),
        ("0.10", "0.1"),
        ("-2.", "-2"),
        ("1e3", "1e3"),
        ("yes", "yes"),
        ("v1.0.0", "v1.0.0"),
        ("100", "100"),
        ("", ""),
    ],
)
def test_one_spelling_for_one_entry(entry, same):
    assert canonical(entry) == same


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_survives_the_way_through_text(number):
    text = as_text(pd.Series([number]))
    assert numbers(text)[0][0] == number
    assert among(pd.Series([number]), [canonical(text[0])]).all()


def test_what_is_a_number_and_what_is_not():
    entries = pd.Series(["1", " 2.5", "1e3", "nan", "0x1A", "1_000", "3,5", "inf", np.nan, "9" * 40], dtype="str")
    values, bad = numbers(entries)
    assert bad.tolist() == [False, False, False, True, True, True, True, False, False, False]
    assert values[9] == pytest.approx(1e40)


def test_true_and_false_are_one_and_nought():
    values, bad = numbers(pd.Series(["TRUE", "false", np.nan], dtype="str"))
    assert values[:2].tolist() == [1, 0] and not bad.any()
    assert numbers(pd.Series(["true", "maybe"], dtype="str"))[1].all()


def test_distinct_entries_stand_in_the_order_of_numbers():
    assert distinct(pd.Series(["10", "9", "9.0", "b", "a", np.nan], dtype="str")) == ["9", "10", "a", "b"]


def test_words_under_a_table_are_no_row_of_it(tmp_path):
    rows = "".join(f"p{n},{n},1,2\n" for n in range(4))
    path = put(tmp_path, "a.csv", f"who,a,b,c\n{rows},,,\nSource: HR of October,,,\n")
    frame, notes = plain.read(path, File(path="a.csv"))
    assert len(frame) == 4 and "'Source: HR of October' under the table is no row of it" in notes[-1]
    assert len(read(put(tmp_path, "b.csv", f"who,a,b,c\n{rows}Source: HR of October,,,\n"))) == 5, (
        "no blank row between"
    )
    assert len(read(put(tmp_path, "c.csv", f"who,a,b,c\n{rows},,,\np9,,,\n"))) == 5, "somebody who answered nothing"
