"""A table against its study: typed, in range, scored, counted; then the arrays of one question."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import researchkit as rk
from researchkit.dataset import Dataset, load_dataset
from researchkit.errors import DataError, EstimationError, StudyError
from researchkit.parts import Question
from researchkit.study import Study, load_study

HEADER = "id,team,arm,severity,channel,burnout,left,days,done"
ROWS = [
    "001,A,kind,1,phone,3,0,5,1",
    "002,A,usual,2,chat,4,1,8,0",
    "003,B,kind,3,chat,2,0,2,2",
    "004,B,usual,4,mail,5,1,9,1",
    "005,,usual,,phone,,0,1,1",
    "006,C,kind,6,phone,1,0,4,0",
]
BURNOUT = {"burnout": {"range": [0, 6]}}
SCORE = {"column": "burnout", "kind": "score", "good": "low"}
CODED = {"column": "arm", "reference": "usual", "level": "kind"}


def question(id: str = "q", **more) -> dict:
    asked = {"id": id, "title": "?", "claim": "BUR-1", "exposure": "severity", "outcome": SCORE, "smallest_effect": 1}
    return asked | more


def spec(**more) -> dict:
    study = {"title": "t", "seed": 1, "design": "observational", "files": "a.csv", "people": "id"}
    study["columns"] = {
        "burnout": {"range": [0, 6]},
        "channel": {"codes": {"phone": "Phone", "chat": "Chat", "mail": "Mail"}},
    }
    return study | {"questions": [question()]} | more


def study_in(folder, rows: list[str] | str = ROWS, header: str = HEADER, **more) -> Study:
    rows = rows if isinstance(rows, str) else "\n".join(rows)
    (folder / "a.csv").write_text(f"{header}\n{rows}\n", encoding="utf-8")
    (folder / "study.yml").write_text(
        yaml.safe_dump(spec(**more), sort_keys=False, allow_unicode=True), encoding="utf-8"
    )
    return load_study(folder)


def loaded(folder, *args, **more) -> Dataset:
    return load_dataset(study_in(folder, *args, **more))


def told(folder, *args, **more) -> str:
    with pytest.raises(DataError) as caught:
        loaded(folder, *args, **more)
    return str(caught.value)


# ---- loading


def test_a_table_is_typed_by_what_the_study_does_with_it(tmp_path):
    data = loaded(tmp_path)
    assert data.frame["id"].tolist() == [f"00{n}" for n in range(1, 7)]
    assert data.frame["burnout"].dtype == np.float64
    assert data.frame["channel"].tolist()[:2] == ["phone", "chat"]
    assert (data.rows, data.flow) == (6, ())
    assert set(data.frame) == {"id", "severity", "channel", "burnout"}
    assert any(note.startswith("5 columns of the file are not used by the study: arm") for note in data.notes)


def test_all_problems_come_in_one_message_with_their_rows(tmp_path):
    rows = [row.replace(",2,0,2,2", ",7,0,2,2").replace("phone", "telefon") for row in ROWS]
    text = told(
        tmp_path, [*rows, "007,A,kind,2,chat,9,0,1,1"], columns={"channel": spec()["columns"]["channel"], **BURNOUT}
    )
    assert text.startswith(f"{tmp_path}/a.csv has 2 problems:\n  1. ")
    assert "channel: 3 values are none of 'phone', 'chat' and 'mail', in rows 2, 6 and 7 ('telefon')" in text
    assert "burnout: 2 answers outside 0-6, in rows 4 and 8 (the first is 7). Correct them at the source, " in text
    assert "or change the range under `columns: burnout:` in study.yml." in text


def test_a_message_never_shows_another_cell_of_the_row(tmp_path):
    text = told(tmp_path, [*ROWS, "secret-id,secret-team,usual,2,phone,99,0,1,1"])
    assert "row 8" in text and "secret" not in text


def test_two_codes_are_told_as_neither_nor(tmp_path):
    rows = [ROWS[0], ROWS[1].replace("usual", "usuall")]
    text = told(tmp_path, rows, columns={"arm": {"codes": {"kind": "Kind", "usual": "Usual"}}})
    assert "arm: 1 value is neither 'kind' nor 'usual', in row 3 ('usuall')." in text


def test_a_study_is_read_by_its_folder_and_a_question_asked_by_its_id(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{n % 7},{n % 5}\n" for n in range(60)))
    (tmp_path / "study.yml").write_text(
        "title: A\nseed: 1\nfiles: a.csv\ndesign: observational\nquestions:\n  - {id: q, title: Q?, claim: MEC-1, "
        "family: loyalty, exposure: x, outcome: {column: y, kind: score}, smallest_effect: 0.1}\n"
    )
    data = rk.load_dataset(tmp_path)
    assert data.fingerprint == rk.load_dataset(str(tmp_path), "data").fingerprint
    assert rk.estimate(data, "q").estimate == rk.estimate(data, data.study.question("q")).estimate
    with pytest.raises(StudyError, match="no question 'p'"):
        rk.estimate(data, "p")


@pytest.mark.parametrize(
    ("header", "words"),
    [
        (
            HEADER.replace("burnout", "burn_out"),
            "no column 'burnout'; the nearest is 'burn_out'. Correct it, or add `from: 'burn_out'`",
        ),
        (HEADER.replace("burnout", "zzz"), "no column 'burnout'; the file has id, team, arm"),
        (HEADER.replace("team", "burnout"), "the same name stands over several columns: 'burnout' (columns 2 and 6)"),
    ],
)
def test_a_column_lost_renamed_or_doubled(tmp_path, header, words):
    assert words in told(tmp_path, header=header)


def test_a_declared_column_must_be_there_though_no_question_uses_it(tmp_path):
    assert "there is no column 'mood'" in told(tmp_path, columns={"mood": {}})


def test_words_among_numbers(tmp_path):
    rows = [f"{n},A,kind,{n % 4},chat,3,0,1,1" for n in range(20)]
    rows[4] = rows[4].replace("chat,3", "chat,three")
    assert "burnout: 1 entry is no number among 20, in row 6 ('three'). Correct them at the source" in told(
        tmp_path, rows
    )


def test_nearly_all_numbers_is_a_mistake_and_half_of_them_is_text(tmp_path):
    plain = {"columns": {"severity": {}}}
    rows = [f"{n},A,kind,{n % 4},chat,3,0,1,1" for n in range(20)]
    text = told(tmp_path, [*rows, "21,A,kind,high,chat,3,0,1,1"], **plain)
    assert "severity: 1 entry is no number among 21, in row 22 ('high')" in text and "`type: text`" in text
    words = [row.replace(f",kind,{n % 4},", ",kind,high,") if n % 2 else row for n, row in enumerate(rows)]
    assert set(loaded(tmp_path, words, **plain).frame["severity"]) == {"high", "0", "2"}


def test_a_decimal_comma_is_recognised(tmp_path):
    rows = "1;A;kind;1;chat;3,5;0;1;1\n2;A;kind;2;chat;2,5;0;1;1"
    assert "written with a decimal comma; say `decimal: ','` of the file" in told(
        tmp_path, rows, HEADER.replace(",", ";")
    )


def test_infinite_values_are_refused(tmp_path):
    rows = [*ROWS, "007,A,kind,inf,chat,3,0,1,1", "008,A,kind,-Infinity,chat,3,0,1,1"]
    assert "severity: 2 values are infinite, in rows 8 and 9" in told(tmp_path, rows)


def test_missing_codes_recodes_and_other_names(tmp_path):
    columns = {
        "burnout": {"from": "days", "missing": [9, 8], "range": [0, 5]},
        "arm": {"recode": {"kind": "1", "usual": "0"}, "codes": {0: "Usual", 1: "Kind"}},
    }
    data = loaded(tmp_path, columns=columns)
    assert data.frame["burnout"].tolist() == pytest.approx([5, np.nan, 2, np.nan, 1, 4], nan_ok=True)
    assert data.frame["arm"].tolist() == ["1", "0", "1", "0", "0", "1"]
    assert "burnout: 2 entries hold a code declared as missing." in data.notes


def test_one_and_one_point_nought_are_the_same_code(tmp_path):
    rows = ["1,A,1.0,1,phone,3,0,1,1", "2,A,1,2,phone,3,0,1,1", "3,A, 0,2,phone,3,0,1,1"]
    data = loaded(tmp_path, rows, columns={"arm": {"codes": {0: "Usual", 1: "Kind"}}})
    assert data.frame["arm"].tolist() == ["1", "1", "0"]


def test_dates_and_truth_values(tmp_path):
    columns = {"arm": {"type": "date"}, "team": {}}
    rows = ["1,TRUE,2025-11-01,1,phone,3,0,1,1", "2,false,2025-12-01,2,phone,3,0,1,1"]
    data = loaded(tmp_path, rows, columns=columns)
    assert data.frame["arm"].dt.month.tolist() == [11, 12]
    assert data.frame["team"].tolist() == [1, 0]
    bad = [rows[0], rows[1].replace("2025-12-01", "01/12/2025")]
    assert "arm: 1 entry is no date, in row 3 (the first is '01/12/2025')" in told(tmp_path, bad, columns=columns)


def test_days_with_dots_have_the_day_first_and_those_that_there_are_not_are_named(tmp_path):
    columns = {"arm": {"type": "date"}}
    days = ["31.03.2026", "1.4.2026", "01.04.2026 4:08", "2026-04-02", "01.04.2026 14:08:30"]
    rows = [f"{place},A,{day},1,phone,3,0,1,1" for place, day in enumerate(days)]
    read = ["2026-03-31", "2026-04-01", "2026-04-01 04:08", "2026-04-02", "2026-04-01 14:08:30"]
    assert loaded(tmp_path, rows, columns=columns).frame["arm"].tolist() == [*map(pd.Timestamp, read)]
    bad = [*rows, rows[0].replace("31.03", "31.02")]
    assert "arm: 1 entry is no date, in row 7 (the first is '31.02.2026')" in told(tmp_path, bad, columns=columns)


def test_an_event_in_words_is_named_where_the_study_has_left_its_value_out(tmp_path):
    outcome = {"column": "days", "kind": "duration", "event": "arm", "horizon": 5}
    data = loaded(tmp_path, questions=[question(outcome=outcome)])
    with pytest.raises(DataError, match=r"arm: it holds 'kind' and 'usual', and never '1'\. Say under `event_value:`"):
        data.sample(data.study.question("q"))
    named = {**outcome, "event_value": "kind"}
    data = loaded(tmp_path, questions=[question(outcome=named)])
    assert data.sample(data.study.question("q")).event.tolist() == [1, 0, 1, 0, 1]


def test_the_columns_that_events_make_are_named_too(tmp_path):
    events = {"staying": {"kind": "retention", "who": "id", "start": "days", "end": "done", "watched_until": 99}}
    outcome = {"column": "staying", "kind": "duration", "event": "staying_ends", "horizon": 5}
    assert "the nearest is 'staying_end'" in told(tmp_path, events=events, questions=[question(outcome=outcome)])


def test_hostile_values_and_names_are_data(tmp_path):
    name, value = '"; import os #', "<script>alert(1)</script>"
    header = HEADER.replace("arm", '"""; import os #"')
    rows = [row.replace("usual", value) for row in ROWS]
    asked = question(exposure={"column": name, "reference": value, "level": "kind"}, adjust=["severity"])
    data = loaded(tmp_path, rows, header, questions=[asked])
    sample = data.sample(data.study.questions[0])
    assert sample.contrast == f"kind against {value}"
    assert sample.exposure.tolist() == [1, 0, 1, 0, 1]


def test_repeated_people_and_rows_are_notes(tmp_path):
    data = loaded(tmp_path, [*ROWS, ROWS[0], ROWS[0]])
    assert "id: 6 people in 8 rows, 1 of them in more than one." in data.notes
    assert "2 rows repeat an earlier row in every column." in data.notes


def test_keep_rules_are_steps_in_their_order(tmp_path):
    keep = [
        {"column": "channel", "not_values": ["mail"], "why": "by mail"},
        {"column": "severity", "minimum": 2, "why": "mild or not rated"},
    ]
    data = loaded(tmp_path, keep=keep)
    assert [(step.why, step.rows) for step in data.flow] == [("by mail", 1), ("mild or not rated", 2)]
    assert data.frame["id"].tolist() == ["002", "003", "006"]
    assert data.rows == 6


def test_a_missing_entry_is_kept_only_by_what_excludes_others(tmp_path):
    for rule, left in ({"not_values": ["A"]}, 4), ({"values": ["B"]}, 2):
        keep = [{"column": "team", "why": "another team", **rule}]
        assert len(loaded(tmp_path, keep=keep).frame) == left


def test_a_study_of_several_tables_wants_from_each_what_is_asked_of_it(tmp_path):
    (tmp_path / "b.csv").write_text("who,mood,score\n1,2,3\n2,3,4\n")
    tables = {"data": {"files": "a.csv", "people": "id"}, "other": {"files": "b.csv", "people": "who"}}
    asked = [question(), question("r", table="other", exposure="mood", outcome={"column": "score", "kind": "score"})]
    study_in(tmp_path)
    whole = {**spec(questions=asked), "tables": tables}
    (tmp_path / "study.yml").write_text(
        yaml.safe_dump({k: v for k, v in whole.items() if k not in ("files", "people")})
    )
    study = load_study(tmp_path)
    assert set(load_dataset(study, "other").frame) == {"who", "mood", "score"}
    assert "burnout" in load_dataset(study).frame
    with pytest.raises(StudyError, match=r"no table 'othr' \(did you mean 'other'\?\)"):
        load_dataset(study, "othr")


# ---- scales


ITEMS = {"strain": {"items": ["severity", "burnout"], "range": [0, 6]}}
STRAIN = question(exposure=CODED, outcome={"column": "strain", "kind": "score"})


def test_scales_are_scored_and_accounted_for(tmp_path):
    data = loaded(tmp_path, scales=ITEMS, questions=[STRAIN], columns={})
    assert data.frame["strain"].tolist()[:2] == [2, 3]
    assert "strain: 5 rows scored from all 2 items, 1 blank." in data.notes
    assert data.sample(data.study.questions[0]).outcome.tolist() == [2, 3, 2.5, 4.5, 3.5]


def test_what_does_not_apply_is_kept_apart_and_what_is_unverified_is_said(tmp_path):
    names = [f"c{place}" for place in range(1, 11)]
    rows = ["4,4,4,4,4,4,4,4,6,6", "5,5,5,5,5,5,5,,,"]
    scales = {"care": {"instrument": "care/total", "items": names, "not_applicable": 6}}
    asked = question(outcome={"column": "care", "kind": "score"}, exposure="c1")
    data = loaded(tmp_path, rows, ",".join(names), columns={}, people="row", scales=scales, questions=[asked])
    assert data.frame["care"].tolist() == pytest.approx([40, np.nan], nan_ok=True)
    assert "c9: 1 answers say that it does not apply, which is kept apart from missing." in data.notes
    items = names[:7]
    scales = {"eng": {"instrument": "iri/perspective", "items": items}}
    asked = question(outcome={"column": "eng", "kind": "score"}, exposure="c1")
    data = loaded(
        tmp_path, ["0,1,2,3,4,4,4"], ",".join(items), columns={}, people="row", scales=scales, questions=[asked]
    )
    assert any("not verified of the key iri/perspective: no rule for missing" in note for note in data.notes)


def test_an_item_out_of_its_scale_is_told_by_row(tmp_path):
    rows = [row.replace("kind,6", "kind,8") for row in ROWS]
    text = told(tmp_path, rows, scales=ITEMS, questions=[STRAIN], columns={})
    assert "severity: 1 answer outside 0-6, in row 7 (the first is 8)" in text
    assert "`scales: strain:` in study.yml" in text
    assert "problems" not in text  # told once, by the item


def test_an_item_that_is_not_there_is_named_once(tmp_path):
    text = told(tmp_path, header=HEADER.replace("severity", "severe"), scales=ITEMS, questions=[STRAIN], columns={})
    assert text.count("severity") == 1


def test_cbi_scores_over_the_study_file(tmp_path):
    items = [f"w{n}" for n in range(1, 8)]
    scales = {"work": {"instrument": "cbi/work", "items": items}}
    asked = question(exposure="x", outcome={"column": "work", "kind": "score"})
    rows = ["1,0,100,75,50,25,0,100,0", "2,1,75,75,,,25,,25", "3,1,50,75,,,25,,"]
    data = loaded(tmp_path, rows, ",".join(["id", "x", *items]), scales=scales, questions=[asked], columns={})
    assert data.frame["work"].tolist() == pytest.approx([450 / 7, 62.5, np.nan], nan_ok=True)


# ---- fingerprint and parts


def fingerprint_of(folder, name: str, write) -> str:
    study_in(folder)
    write(folder / name)
    text = (folder / "study.yml").read_text().replace("files: a.csv", f"files: {name}")
    (folder / "study.yml").write_text(text)
    return load_dataset(load_study(folder)).fingerprint


def test_the_same_content_has_one_fingerprint_whatever_the_file(tmp_path):
    import duckdb

    plain = loaded(tmp_path).fingerprint
    text = (tmp_path / "a.csv").read_bytes()
    assert fingerprint_of(tmp_path, "a.csv.gz", lambda path: path.write_bytes(gzip.compress(text))) == plain

    def parquet(path):
        duckdb.read_csv(str(tmp_path / "a.csv"), dtype={"id": "VARCHAR"}).write_parquet(str(path))

    assert fingerprint_of(tmp_path, "a.parquet", parquet) == plain
    assert (
        fingerprint_of(
            tmp_path, "a.xlsx", lambda path: pd.read_csv(tmp_path / "a.csv", dtype=str).to_excel(path, index=False)
        )
        == plain
    )


@pytest.mark.parametrize(
    "change",
    [("001,A,kind,1,phone,3", "001,A,kind,1,phone,4"), ("phone,3", "chat,3"), ("chat,2", "mail,2"), ("006,", "016,")],
)
def test_another_value_is_another_fingerprint(tmp_path, change):
    before = loaded(tmp_path).fingerprint
    assert loaded(tmp_path, "\n".join(ROWS).replace(*change)).fingerprint != before
    assert loaded(tmp_path, [*ROWS[1:], ROWS[0]]).fingerprint != before
    assert loaded(tmp_path).fingerprint == before


def test_a_column_that_the_study_does_not_use_changes_nothing(tmp_path):
    assert loaded(tmp_path, "\n".join(ROWS).replace(",A,", ",Z,")).fingerprint == loaded(tmp_path).fingerprint


def test_only_one_team(tmp_path):
    keep = [{"column": "channel", "not_values": ["mail"], "why": "by mail"}]
    data = loaded(tmp_path, clusters="team", keep=keep)
    part = data.only("team", "B")
    assert (part.rows, len(part.frame), part.flow[0].rows) == (2, 1, 1)
    assert part.fingerprint != data.fingerprint
    assert data.only("severity", 1).frame["id"].tolist() == ["001"]
    with pytest.raises(DataError, match="team is never 'D'; it is 'A', 'B' and 'C'"):
        data.only("team", "D")
    with pytest.raises(DataError, match=r"'taem' is no column .* \(did you mean 'team'\?\)"):
        data.only("taem", "A")


# ---- samples


def sample_of(folder, asked: dict, adjust=None, rows=ROWS, **more):
    data = loaded(folder, rows, questions=[question(**asked)], **more)
    return data.sample(data.study.questions[0], adjust=adjust)


def test_a_sample_with_numbers_categories_and_clusters(tmp_path):
    sample = sample_of(tmp_path, {"adjust": ["channel"]}, clusters="team")
    assert sample.outcome.tolist() == [3, 4, 2, 5, 1]
    assert sample.exposure.tolist() == [1, 2, 3, 4, 6]
    assert sample.names == ("channel: Chat", "channel: Mail")
    assert sample.groups == ("channel", "channel")
    assert sample.covariates.tolist() == [[0, 0], [1, 0], [1, 0], [0, 1], [0, 0]]
    assert sample.cluster.tolist() == [0, 0, 1, 1, 2] and sample.cluster_name == "team"
    assert [(step.why, step.rows) for step in sample.flow] == [("burnout missing", 1)]
    assert (sample.people, sample.rows, sample.contrast) == (5, 6, "severity +1")
    assert not sample.binary_exposure
    assert sample.covariates.dtype == sample.outcome.dtype == np.float64


def test_each_row_is_dropped_for_its_first_reason(tmp_path):
    rows = [
        *ROWS,
        "7,A,kind,,phone,,0,1,1",
        "8,A,kind,,phone,1,0,1,1",
        "9,A,kind,1,,1,0,1,1",
        "10,,kind,1,mail,1,0,1,1",
    ]
    asked = {"adjust": ["channel"], "keep": [{"column": "id", "not_values": ["001"], "why": "withdrew"}]}
    sample = sample_of(tmp_path, asked, rows=rows, clusters="team")
    steps = [(step.why, step.rows) for step in sample.flow]
    assert steps == [
        ("withdrew", 1),
        ("burnout missing", 2),
        ("severity missing", 1),
        ("channel missing", 1),
        ("team missing", 1),
    ]
    assert len(sample.outcome) == 4


def test_other_adjustment_sets(tmp_path):
    assert sample_of(tmp_path, {"adjust": ["channel"]}, adjust=[]).covariates.shape == (5, 0)
    with pytest.raises(StudyError, match=r"no column 'chanel' \(did you mean 'channel'\?\)"):
        sample_of(tmp_path, {}, adjust=["chanel"])


def test_the_unit_of_the_exposure(tmp_path):
    columns = {"severity": {"unit": "point"}}
    sample = sample_of(tmp_path, {"exposure": {"column": "severity", "per": 2}}, columns=columns)
    assert sample.exposure.tolist() == [0.5, 1, 1.5, 2, 3]
    assert sample.contrast == "severity +2 point"


def test_a_coded_exposure(tmp_path):
    columns = {"arm": {"codes": {"kind": "Kind", "usual": "As usual"}}}
    sample = sample_of(tmp_path, {"exposure": CODED}, columns=columns)
    assert sample.exposure.tolist() == [1, 0, 1, 0, 1]
    assert sample.contrast == "Kind against As usual" and sample.binary_exposure
    assert sample.names == ()


def test_one_of_two_levels_is_enough_and_of_three_it_is_not(tmp_path):
    assert sample_of(tmp_path, {"exposure": {"column": "arm", "reference": "usual"}}).contrast == "kind against usual"
    assert sample_of(tmp_path, {"exposure": {"column": "arm", "level": "usual"}}).contrast == "usual against kind"
    with pytest.raises(StudyError, match=r"'channel' has 3 values .* name both `reference` and `level`"):
        sample_of(tmp_path, {"exposure": {"column": "channel", "level": "chat"}})


def test_further_levels_of_the_exposure_stand_beside_it(tmp_path):
    sample = sample_of(tmp_path, {"exposure": {"column": "channel", "reference": "phone", "level": "chat"}})
    assert sample.exposure.tolist() == [0, 1, 1, 0, 0]
    assert (sample.names, sample.groups) == (("channel: Mail",), ("channel",))
    assert sample.covariates[:, 0].tolist() == [0, 0, 0, 1, 0]


@pytest.mark.parametrize(
    ("exposure", "words"),
    [
        ("arm", "'arm' is coded .*'kind' and 'usual'.*reference: ..., level"),
        (CODED | {"level": "kinder"}, "the level 'kinder' of 'arm' is not among the values there"),
        (CODED | {"level": "usual"}, "reference and level of 'arm' are the same"),
    ],
)
def test_a_coded_exposure_says_what_is_compared(tmp_path, exposure, words):
    with pytest.raises(StudyError, match=words):
        sample_of(tmp_path, {"exposure": exposure})


def test_the_reference_is_the_first_code_or_the_most_frequent_level(tmp_path):
    codes = {"channel": {"codes": {"mail": "Mail", "chat": "Chat", "phone": "Phone"}}}
    assert sample_of(tmp_path, {"adjust": ["channel"]}, columns=codes).names == ("channel: Chat", "channel: Phone")
    rows = ["1,A,x,1,b,1,0,1,1", "2,A,x,2,a,1,0,1,1", "3,A,x,2,c,1,0,1,1", "4,A,x,2,c,1,0,1,1"]
    assert sample_of(tmp_path, {"adjust": ["channel"]}, rows=rows, columns={}).names == ("channel: a", "channel: b")


def test_what_never_varies_is_not_adjusted_for_and_said(tmp_path):
    rows = [row.replace("usual", "kind") for row in ROWS]
    rows = [row.rsplit(",", 1)[0] + ",1" for row in rows]
    sample = sample_of(tmp_path, {"adjust": ["arm", "days", "done"]}, rows=rows)
    assert sample.names == ("days",)
    remarks = [step.why for step in sample.flow if not step.rows]
    assert remarks == [f"{name} never varies and is not adjusted for" for name in ("arm", "done")]


YES = {"column": "left", "kind": "yes_no", "good": "low"}


def test_yes_and_no(tmp_path):
    assert sample_of(tmp_path, {"outcome": YES}).outcome.tolist() == [0, 1, 0, 1, 0]
    yes = YES | {"column": "arm", "yes": "kind"}
    assert sample_of(tmp_path, {"outcome": yes}).outcome.tolist() == [1, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (YES | {"column": "channel", "yes": "chat"}, "channel: yes is 'chat', and there must be one other value"),
        (YES | {"column": "arm", "yes": "Kind"}, "arm: yes is 'Kind'.* it holds 'kind' and 'usual'"),
    ],
)
def test_yes_needs_one_other_value(tmp_path, outcome, words):
    with pytest.raises(DataError, match=words):
        sample_of(tmp_path, {"outcome": outcome})


def test_an_ordered_outcome(tmp_path):
    ordered = {"column": "burnout", "kind": "ordered", "top": [4, 5]}
    labels = {"burnout": {"type": "number", "codes": {n: f"level {n}" for n in range(1, 6)}}}
    sample = sample_of(tmp_path, {"outcome": ordered}, columns=labels)
    assert sample.outcome.tolist() == [2, 3, 1, 4, 0]
    assert sample.levels[0] == "level 1" and sample.level_values == (1, 2, 3, 4, 5)
    words = {"column": "channel", "kind": "ordered", "top": ["mail"]}
    by_codes = sample_of(tmp_path, {"outcome": words})
    assert (by_codes.levels, by_codes.outcome.tolist()) == (("Phone", "Chat", "Mail"), [0, 1, 1, 2, 0])
    with pytest.raises(DataError, match="words have no order; list them from low to high under `codes:`"):
        sample_of(tmp_path, {"outcome": words | {"column": "arm", "top": ["kind"]}})
    with pytest.raises(DataError, match=r"no entry is in the top group \(9\)"):
        sample_of(tmp_path, {"outcome": ordered | {"top": [9]}})


def test_likelihood_to_recommend_goes_from_0_to_10(tmp_path):
    nps = {"column": "days", "kind": "ordered", "nps": True}
    assert sample_of(tmp_path, {"outcome": nps}).level_values == (2, 4, 5, 8, 9)
    rows = [ROWS[0].replace(",5,1", ",11,1"), *ROWS[1:]]
    with pytest.raises(DataError, match="days: likelihood to recommend goes from 0 to 10; it holds 11 too"):
        sample_of(tmp_path, {"outcome": nps}, rows=rows)


TIME = {"column": "days", "kind": "duration", "event": "done", "horizon": 10, "competing": [2]}


def test_a_duration_with_competing_ends(tmp_path):
    sample = sample_of(tmp_path, {"outcome": TIME})
    assert sample.outcome.tolist() == [5, 8, 2, 9, 4]
    assert sample.event.tolist() == [1, 0, 2, 1, 0]


def test_values_that_the_kind_does_not_have_are_told_together(tmp_path):
    rows = [ROWS[0].replace(",5,1", ",-5,1"), ROWS[1].replace(",1,8", ",0,8"), *ROWS[2:]]
    with pytest.raises(DataError) as caught:
        sample_of(tmp_path, {"outcome": TIME, "weights": "left"}, rows=rows)
    assert "days: 1 times are below 0, in row 2." in str(caught.value)
    assert "left: 4 weights are not above 0, in rows 2, 3, 4 and 7." in str(caught.value)
    counts = {"column": "burnout", "kind": "counts", "time": "left"}
    with pytest.raises(DataError, match=r"left: 3 times are not above 0, in rows 2, 4 and 7"):
        sample_of(tmp_path, {"outcome": counts})
    with pytest.raises(DataError, match=r"burnout: 1 entries are no counts .* in row 2"):
        sample_of(tmp_path, {"outcome": counts | {"time": None}}, rows=[ROWS[0].replace(",3,0,", ",2.5,0,"), *ROWS[1:]])
    entry = TIME | {"entry": "severity"}
    with pytest.raises(DataError, match=r"severity: 2 entries are below 0 or not before the end, in rows 4 and 7"):
        sample_of(tmp_path, {"outcome": entry})


def test_a_change_has_its_baseline(tmp_path):
    change = {"column": "burnout", "kind": "change", "baseline": "days"}
    assert sample_of(tmp_path, {"outcome": change}).baseline.tolist() == [5, 8, 2, 9, 4]


def test_when_nobody_is_left_the_flow_says_why(tmp_path):
    keep = [{"column": "arm", "values": ["other"], "why": "not in the trial"}]
    with pytest.raises(EstimationError, match=r"no row is left of 6 \(not in the trial: 6 rows\)"):
        sample_of(tmp_path, {"keep": keep})


def test_people_are_counted_once(tmp_path):
    rows = [*ROWS, ROWS[0], "001,A,kind,2,chat,3,0,1,1"]
    assert sample_of(tmp_path, {}, rows=rows).people == 5
    assert sample_of(tmp_path, {}, rows=rows, people="row").people == 7


cells = st.tuples(
    *[st.sampled_from(["", *values]) for values in (["A", "B"], ["kind", "usual"], "1234", ["phone", "chat"], "0123")]
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(cells, min_size=1, max_size=25), kept=st.sampled_from(["1", "2", "3"]))
def test_rows_less_the_flow_are_the_sample(tmp_path, rows, kept):
    lines = [f"{n},{','.join(row)},0,1,1" for n, row in enumerate(rows)]
    keep = [{"column": "severity", "not_values": [kept], "why": "other"}]
    asked = {"adjust": ["channel"], "keep": [{"column": "team", "not_values": ["B"], "why": "not B"}]}
    columns = {"burnout": {"range": [0, 6]}, "severity": {"type": "number"}, "channel": {"type": "category"}}
    data = loaded(tmp_path, lines, questions=[question(**asked)], clusters="team", keep=keep, columns=columns)
    assert data.rows - sum(step.rows for step in data.flow) == len(data.frame)
    try:
        sample = data.sample(data.study.questions[0])
    except EstimationError:
        return  # nobody is left
    assert sample.rows - sum(step.rows for step in sample.flow) == len(sample.outcome)
    assert not np.isnan(sample.covariates).any() and not np.isnan(sample.exposure).any()
    assert len(sample.names) == len(sample.groups) == sample.covariates.shape[1]


def test_a_frozen_dataset_cannot_be_changed(tmp_path):
    data = loaded(tmp_path)
    with pytest.raises(AttributeError):
        data.rows = 3
    assert isinstance(data.study.questions[0], Question)


def test_hundred_thousand_rows_load_in_a_few_seconds(tmp_path):
    import time

    rng = np.random.default_rng(1)
    n = 100_000
    frame = pd.DataFrame({"id": np.arange(n), "severity": rng.normal(size=n), "burnout": rng.integers(0, 7, n)})
    study = study_in(tmp_path, columns=BURNOUT)
    frame.to_csv(tmp_path / "a.csv", index=False)
    begun = time.perf_counter()
    assert len(load_dataset(study).sample(study.questions[0]).outcome) == n
    assert time.perf_counter() - begun < 10
