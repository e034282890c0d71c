"""Outcomes built from events, against cases worked by hand on paper; each comment is the reckoning."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from researchkit import held, protocol, story
from researchkit.answer import answer_question
from researchkit.batch.key import Keys
from researchkit.dataset import load_dataset
from researchkit.errors import DataError, StudyError
from researchkit.events import built
from researchkit.measures import Built
from researchkit.readers import Origin
from researchkit.study import load_study


def made(spec: dict, frame: pd.DataFrame, **tables: pd.DataFrame) -> pd.DataFrame:
    origin = Origin(("a.csv",), np.zeros(len(frame), dtype=np.int64), np.arange(2, len(frame) + 2))
    columns, _ = built("x", Built.model_validate(spec), frame, tables, origin)
    return columns


def table(text: str) -> pd.DataFrame:
    """Words by columns; `-` is missing; what reads as a date is one, and what reads as numbers, numbers."""
    header, *rows = (line.split() for line in text.strip().splitlines())
    frame = pd.DataFrame([[None if cell == "-" else cell for cell in row] for row in rows], columns=header, dtype="str")
    for name in header[1:]:
        if (dates := pd.to_datetime(frame[name], format="ISO8601", errors="coerce")).notna().sum() == frame[
            name
        ].notna().sum():
            frame[name] = dates
    return frame


def reasons(found: pd.DataFrame) -> list[str]:
    return found["x_why"].fillna("").tolist()


CONTACTS = table("""
who  day         left
a    2026-01-01  -
b    2026-01-01  2026-04-01
c    2026-01-01  2026-04-02
d    2026-01-01  2025-12-31
e    2026-01-01  2026-01-01
f    2026-02-15  -
g    2026-02-15  2026-02-20
h    -           2026-02-20
i    2026-05-02  -
""")
RETENTION = {
    "kind": "retention", "who": "who", "start": "day", "end": "left", "window": 90, "watched_until": "2026-05-01"
}  # fmt: skip


def test_retention_by_hand():
    """1 January and 90 days is 1 April; watching ends on 1 May, 75 days after 15 February."""
    found = made(RETENTION, CONTACTS)
    assert found["x"].tolist() == pytest.approx([1, 0, 1, np.nan, 0, np.nan, np.nan, np.nan, np.nan], nan_ok=True)
    short = "watched for less than 90 days: not yet countable"
    # g left after five days, but those who came with him cannot be counted yet, so neither is he.
    assert reasons(found) == ["", "", "", "had left before: not at risk", "", short, short, "day missing", "began after the watching ended"]  # fmt: skip


def test_retention_as_a_time_keeps_those_still_watched():
    found = made({key: value for key, value in RETENTION.items() if key != "window"}, CONTACTS)
    assert found["x"].tolist()[:3] == [120, 90, 91] and found["x"].tolist()[5:7] == [75, 5]
    assert found["x_end"].tolist()[:3] == ["still there", "left", "left"]
    assert found["x_end"].isna().tolist() == [False, False, False, True, False, False, False, True, True]


def test_what_happens_after_the_watching_is_not_known_yet():
    late = {**RETENTION, "watched_until": "2026-04-01"}
    found = made({**late, "window": None}, CONTACTS)
    assert (found["x"][2], found["x_end"][2]) == (90, "still there")
    assert made(late, CONTACTS)["x"][2] == 1


def test_a_table_of_leavings_says_the_same_as_a_column():
    leavings = CONTACTS[["who", "left"]].dropna().rename(columns={"who": "customer"})
    spec = {**RETENTION, "end": {"table": "leavings", "column": "left", "who": "customer"}}
    pd.testing.assert_frame_equal(made(spec, CONTACTS, leavings=leavings), made(RETENTION, CONTACTS))


def test_return_is_the_next_event_after_the_start_and_needs_the_whole_window():
    contacts = table("who day\na 2026-01-01\na 2026-01-10\nb 2026-01-01\nc 2026-04-20\n- 2026-01-01\nd 2026-01-01")
    orders = table(
        "who at what\na 2026-01-01 order\na 2026-01-05 order\na 2026-01-31 look\nb 2026-02-01 order\nc 2026-04-21 order\nd 2026-01-01 order"
    )
    end = {"table": "orders", "column": "at", "of": "what", "values": "order"}
    spec = {"kind": "return", "who": "who", "start": "day", "end": end, "window": 30, "watched_until": "2026-05-01"}
    found = made(spec, contacts, orders=orders)
    # a orders 4 days after the first contact and never after the second; b one day too late; c is watched for 11 days; d only on
    # the day itself.
    assert found["x"].tolist() == pytest.approx([1, 0, 0, np.nan, np.nan, 0], nan_ok=True)
    assert reasons(found)[3:5] == ["watched for less than 30 days: not yet countable", "who missing"]


STAYS = table("""
who  in          out         as
a    2026-01-01  2026-01-05  home
a    2026-02-04  2026-02-06  home
b    2026-01-01  2026-01-03  moved
b    2026-01-03  2026-01-09  home
b    2026-02-09  2026-02-10  home
c    2026-01-01  2026-01-02  home
c    2026-01-20  2026-01-25  died
d    2026-01-01  2026-01-04  moved
e    2026-03-10  2026-03-12  home
e    2026-03-20  -           -
f    2026-01-01  2026-01-10  home
f    2026-01-08  2026-01-12  home
f    2026-01-12  2026-01-13  home
g    2026-01-05  2026-01-05  home
g    2026-01-05  2026-01-05  home
-    2026-01-05  2026-01-06  home
""")
READMISSION = {
    "kind": "readmission", "who": "who", "start": "in", "end": "out", "window": 30, "watched_until": "2026-03-31",
    "died": {"column": "as", "values": "died"}, "transferred": {"column": "as", "values": "moved"},
}  # fmt: skip


def test_readmission_by_hand():
    """a: 5 January to 4 February is 30 days. b: two stays are one episode, out on 9 January, back after 31 days. c: back
    after 18 days, and dead. d: moved to nobody knows where. e: watched for 19 days. f: two stays overlap; back on the day
    of discharge, not by transfer. g: one day case written twice."""
    found = made(READMISSION, STAYS)
    short, joined = (
        "watched for less than 30 days: not yet countable",
        "part of an episode that is counted at its last row",
    )
    expected = [
        (1, ""), (0, ""),
        (None, joined), (0, ""), (0, ""),
        (1, ""), (None, "died in hospital: no index"),
        (None, "transferred to where the data do not reach: no index"),
        (None, short), (None, "out missing: not discharged yet, or not known"),
        (None, joined), (1, ""), (0, ""),
        (None, joined), (0, ""),
        (None, "who missing"),
    ]  # fmt: skip
    values = [None if np.isnan(value) else value for value in found["x"]]
    assert list(zip(values, reasons(found), strict=True)) == expected


@given(st.permutations(range(len(STAYS))))
def test_the_order_of_the_rows_changes_no_count(order):
    mixed = made(READMISSION, STAYS.iloc[list(order)].set_index(pd.RangeIndex(len(STAYS))))
    straight = made(READMISSION, STAYS)
    assert sorted(zip(mixed["x"].fillna(9), reasons(mixed), strict=True)) == sorted(
        zip(straight["x"].fillna(9), reasons(straight), strict=True)
    )


def test_without_a_mark_of_transfers_days_join():
    spec = {**READMISSION, "transferred": None, "join_within": 0}
    found = made(spec, STAYS)
    assert found["x"].tolist()[10:13] == pytest.approx([np.nan, np.nan, 0], nan_ok=True)  # f: all three are one
    assert found["x"].tolist()[2:5] == pytest.approx([np.nan, 0, 0], nan_ok=True)


def test_a_stay_still_open_is_an_admission_of_the_one_before():
    found = made({**READMISSION, "watched_until": "2026-04-30"}, STAYS)
    assert found["x"][8] == 1 and reasons(found)[9].startswith("out missing")


def test_time_to_readmission_is_censored_where_watching_ends():
    found = made({**READMISSION, "window": None}, STAYS)
    assert found["x"].tolist()[:4] == pytest.approx([30, 53, np.nan, 31], nan_ok=True)
    assert found["x_end"].tolist()[:2] == ["back", "not yet"]


def test_length_of_stay_knows_its_other_ends():
    spec = {key: value for key, value in READMISSION.items() if key != "window"} | {"kind": "stay"}
    stays = pd.concat([STAYS, table("who in out as\nz 2026-01-01 - died")], ignore_index=True)
    found = made(spec, stays)
    assert found["x"].tolist()[:8] == [4, 2, 2, 6, 1, 1, 5, 3]
    assert found["x_end"].tolist()[:8] == ["discharged", "discharged", "transferred", "discharged", "discharged", "discharged", "died", "transferred"]  # fmt: skip
    assert (found["x"][9], found["x_end"][9]) == (11, "still in")  # 20 to 31 March
    assert reasons(found)[-1] == "ended, but out is missing"


TICKETS = table(
    "who open\na 2026-01-01\nb 2026-01-01\nc 2026-01-01\nd 2026-01-01\ne 2026-01-28\nf 2026-01-31\ng 2026-01-02"
)
LOG = table("""
who  at          what
a    2026-01-03  solved
b    2026-01-03  solved
b    2026-01-05  reopened
b    2026-01-11  solved
c    2026-01-03  solved
c    2026-01-20  reopened
e    2026-01-29  solved
f    2026-02-01  solved
a    2025-12-01  reopened
nobody  2026-01-03  solved
d    2025-12-30  solved
g    2026-01-27  solved
""")
RECOVERY = {
    "kind": "recovery", "who": "who", "start": "open", "watched_until": "2026-01-31",
    "end": {"table": "log", "column": "at", "of": "what", "values": "solved"},
    "undone": {"table": "log", "column": "at", "of": "what", "values": "reopened"},
}  # fmt: skip


def test_a_reopened_ticket_has_not_recovered():
    """b: the second solution lasts. c: reopened on 20 January and open ever since. d: only before it was opened. f: solved
    after the watching."""
    found = made(RECOVERY, TICKETS, log=LOG)
    assert found["x"].tolist() == [2, 10, 30, 30, 1, 0, 25]
    assert found["x_end"].tolist() == ["recovered", "recovered", "open", "open", "recovered", "open", "recovered"]


def test_a_solution_must_hold_and_everybody_waits_for_that():
    """Seven days: c's solution held 17 days; e's and g's cannot be known yet, so watching ends on 24 January for all."""
    found = made({**RECOVERY, "holds": 7}, TICKETS, log=LOG)
    assert found["x"].tolist() == pytest.approx([2, 10, 2, 23, np.nan, np.nan, 22], nan_ok=True)
    assert reasons(found)[4] == "watched for too short a time to know that it lasted"
    within = made({**RECOVERY, "holds": 7, "window": 5}, TICKETS, log=LOG)
    assert within["x"].tolist() == pytest.approx([1, 0, 1, 0, np.nan, np.nan, 0], nan_ok=True)


def test_columns_of_solution_and_reopening():
    tickets = table(
        "who open solved again\na 2026-01-01 2026-01-03 -\nb 2026-01-01 2026-01-11 2026-01-05\nc 2026-01-01 2026-01-03 2026-01-20\nd 2026-01-01 - -"
    )
    found = made({**RECOVERY, "end": "solved", "undone": "again"}, tickets)
    assert found["x"].tolist() == [2, 10, 30, 30]


def test_hours_of_a_day_and_the_whole_of_the_last_one():
    contacts = table("who day left\na 2026-01-01T12:00 2026-01-04T11:00\nb 2026-01-01T12:00 2026-01-04T13:00")
    found = made({**RETENTION, "window": 3, "watched_until": "2026-01-04"}, contacts)
    assert found["x"].tolist() == [0, 1]  # watched to midnight: three days and a half
    assert made({**RETENTION, "window": 4, "watched_until": "2026-01-04"}, contacts)["x"].isna().all()


@pytest.mark.parametrize(
    ("spec", "frame", "said"),
    [
        (READMISSION, STAYS.assign(out=STAYS["in"] - pd.Timedelta(days=1)), "x: 16 rows have out before in, in rows 2, 3"),
        ({**RETENTION, "watched_until": "soon"}, CONTACTS, "neither a date, such as 2026-03-31, nor a column"),
        ({**RETENTION, "watched_until": 30}, CONTACTS, "`watched_until` is 30.0, but day holds dates"),
        (RETENTION, CONTACTS.assign(left=np.arange(9.0)), "left holds numbers, and day dates: both must be alike"),
        ({**RETENTION, "watched_until": "left"}, CONTACTS.assign(left=pd.Timestamp("2026-02-01")), "the day of the event itself for 5 of 5 rows"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(spec, frame, said):
    with pytest.raises(DataError, match=said):
        made(spec, frame)


def test_events_that_no_row_or_no_ticket_can_claim_are_refused():
    with pytest.raises(DataError, match="what is never 'closed'"):
        made({**RECOVERY, "end": {**RECOVERY["end"], "values": "closed"}}, TICKETS, log=LOG)
    with pytest.raises(DataError, match=r"who: 14 rows share it with another row.* an event in log belongs to"):
        made(RECOVERY, pd.concat([TICKETS, TICKETS], ignore_index=True), log=LOG)


@pytest.mark.parametrize("spec", [RETENTION, READMISSION, {**RECOVERY, "end": "left", "undone": None}])
@pytest.mark.parametrize("rows", [0, 1])
def test_no_rows_one_row_and_nothing_known(spec, rows):
    empty = pd.DataFrame(
        {name: pd.Series([pd.NaT] * rows, dtype="datetime64[ns]") for name in ("day", "left", "open", "in", "out")}
    )
    empty = empty.assign(who=pd.Series([None] * rows, dtype="str"), **{"as": pd.Series([None] * rows, dtype="str")})
    found = made(spec, empty)
    assert found["x"].isna().all() and found["x_why"].notna().all() and len(found) == rows


def test_a_million_rows_take_seconds():
    rng = np.random.default_rng(1)
    n = 1_000_000
    day = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 400, n), unit="D")
    frame = pd.DataFrame({"who": pd.Series(rng.integers(0, n // 3, n)).astype("str"), "in": day, "as": "home"})
    frame["out"] = frame["in"] + pd.to_timedelta(rng.integers(0, 9, n), unit="D")
    began = time.perf_counter()
    found = made({**READMISSION, "join_within": 1}, frame.astype({"as": "str"}))
    assert time.perf_counter() - began < 20 and found["x"].notna().sum() > n / 4


def study_of(folder, **more):
    """Two hundred customers of twenty agents, a file of their leavings, watched for 120 days."""
    rng = np.random.default_rng(5)
    day = rng.integers(0, 60, 200)
    kind = rng.integers(1, 6, 200)
    gone = np.where(rng.random(200) < 0.6 - 0.1 * kind, day + rng.integers(1, 30, 200), -1)
    rows = pd.DataFrame({"customer": [f"c{n:03}" for n in range(200)], "agent": [f"a{n % 20}" for n in range(200)]})
    rows = rows.assign(contacted=pd.Timestamp("2026-01-01") + pd.to_timedelta(day, unit="D"), kindness=kind)
    rows.to_csv(folder / "contacts.csv", index=False, date_format="%Y-%m-%d")
    left = rows[["customer"]].assign(on=pd.Timestamp("2026-01-01") + pd.to_timedelta(gone, unit="D"))[gone >= 0]
    left.to_csv(folder / "left.csv", index=False, date_format="%Y-%m-%d")
    study = {
        "title": "t", "seed": 1, "design": "observational",
        "tables": {"contacts": {"files": "contacts.csv", "people": "customer", "clusters": "agent"}, "left": {"files": "left.csv"}},
        "events": {"stays_customer": {
            "kind": "retention", "who": "customer", "start": "contacted", "end": {"table": "left", "column": "on"},
            "window": 90, "watched_until": "2026-05-01", "label": "Still a customer after 90 days"}},
        "questions": [{"id": "q", "title": "?", "claim": "LOY-1", "exposure": "kindness", "smallest_effect": 0.02,
                       "outcome": {"column": "stays_customer", "kind": "yes_no"}}],
    }  # fmt: skip
    (folder / "study.yml").write_text(yaml.safe_dump(study | more, sort_keys=False), encoding="utf-8")
    return folder, rows, gone - day


def test_a_question_asks_for_it_and_the_flow_counts_every_reason(tmp_path):
    folder, rows, after = study_of(tmp_path)
    answer = answer_question(folder, "q")
    early = (rows["contacted"] <= "2026-01-31").to_numpy()  # 90 days before 1 May
    left = (after > 0) & (after <= 90)
    assert answer.sample.outcome.tolist() == (~left[early]).astype(float).tolist()
    short = "Still a customer after 90 days: watched for less than 90 days: not yet countable"
    assert [(step.why, step.rows) for step in answer.sample.flow] == [(short, int((~early).sum()))]
    assert answer.dataset.notes[0].startswith(
        f"stays_customer: {int(early.sum())} rows counted; {int((~early).sum())} rows"
    )
    assert answer.effect.estimate > 0
    missing = next(check for check in answer.checks if check.name == "missing data")
    assert missing.facts["incomplete"] == 0, "what is not countable is no gap that could be filled"


def test_the_same_rows_as_a_time_with_other_words(tmp_path):
    folder, _, _ = study_of(tmp_path)
    text = (folder / "study.yml").read_text().replace("    window: 90\n", "")
    text = text.replace(
        "kind: yes_no",
        "kind: duration\n    event: stays_customer_end\n    event_value: left\n    horizon: 60\n    good: high",
    )
    (folder / "study.yml").write_text(text)
    answer = answer_question(folder, "q")
    assert len(answer.sample.outcome) == 200 and set(answer.sample.event) == {0.0, 1.0} and not answer.sample.flow


def test_another_leaving_makes_another_fingerprint(tmp_path):
    folder, rows, after = study_of(tmp_path)
    who = rows["customer"][(after < 0) & (rows["contacted"] <= "2026-01-31")].iloc[0]
    before = load_dataset(load_study(folder)).fingerprint
    with (folder / "left.csv").open("a") as file:
        file.write(f"{who},2026-02-02\n")
    assert load_dataset(load_study(folder)).fingerprint != before


def refused(folder, **change) -> str:
    spec = yaml.safe_load((study_of(folder)[0] / "study.yml").read_text())
    spec["events"]["stays_customer"] |= change
    (folder / "study.yml").write_text(yaml.safe_dump(spec, sort_keys=False))
    with pytest.raises((StudyError, DataError)) as told:
        load_dataset(load_study(folder))
    return str(told.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "stay"}, "`window` mean nothing for a stay"),
        ({"kind": "readmission", "end": "on"}, "a transfer is no readmission: say with `transferred`"),
        ({"kind": "readmission", "join_within": 1}, "the end of a readmission is a column of the same table"),
        ({"holds": 3, "kind": "recovery"}, "so it needs `undone`"),
        ({"window": 0}, "it must be above 0"),
        ({"end": {"table": "lefd", "column": "on"}}, r"there is no table 'lefd' \(did you mean 'left'"),
        ({"end": {"table": "left", "column": "on", "of": "on"}}, "`values` the events that count"),
        ({"end": {"column": "on", "who": "on"}}, "belong to a `table` of events"),
        ({"start": "contact"}, r"there is no column 'contact'; the nearest is 'contacted'"),
        ({"start": "agent"}, "agent holds words, where dates such as"),
        ({"windw": 3}, r"`windw` of .* is not known here \(did you mean 'window'"),
        ({"died": {"column": "x", "values": []}}, "at least 1 is wanted"),
    ],
)
def test_a_bad_entry_is_told_in_words(tmp_path, change, said):
    import re

    assert re.search(said, refused(tmp_path, **change)), refused(tmp_path, **change)


def test_a_name_that_is_taken(tmp_path):
    folder, _, _ = study_of(tmp_path, columns={"stays_customer_why": {"label": "x"}})
    with pytest.raises(
        StudyError, match="'stays_customer_why' is built by `events: stays_customer` and stands elsewhere"
    ):
        load_study(folder)


def test_a_run_notices_that_only_the_events_changed(tmp_path):
    folder, rows, after = study_of(tmp_path)
    study = load_study(folder)
    dataset, before = load_dataset(study), Keys().rows(study, study.question("q"), None)
    with held.held([(dataset, None)]):
        assert held.rows(study, "contacts", None).frame.equals(dataset.frame)
        who = rows["customer"][(after < 0) & (rows["contacted"] <= "2026-01-31")].iloc[0]
        with (folder / "left.csv").open("a") as file:
            file.write(f"{who},2026-02-02\n")
        assert held.rows(study, "contacts", None) is None
    assert Keys().rows(study, study.question("q"), None) != before


def test_another_reason_alone_makes_the_page_again(tmp_path):
    folder, rows, _ = study_of(tmp_path)
    study = load_study(folder)
    before = Keys().rows(study, study.question("q"), None)
    who = rows["customer"][rows["contacted"] > "2026-01-31"].iloc[0]  # not yet countable, and from now on not at risk
    with (folder / "left.csv").open("a") as file:
        file.write(f"{who},2025-12-01\n")
    assert Keys().rows(study, study.question("q"), None) != before


def test_a_mark_that_no_row_has_is_said(tmp_path):
    origin = Origin(("a.csv",), np.zeros(len(STAYS), dtype=np.int64), np.arange(2, len(STAYS) + 2))
    spec = {**READMISSION, "died": {"column": "as", "values": ["dead", "deceased"]}}
    _, account = built("x", Built.model_validate(spec), STAYS, {}, origin)
    assert account.endswith("; as is never 'dead' and 'deceased'")


def test_summer_and_winter_time_are_one_clock(tmp_path):
    """From noon in winter time to one o'clock in summer time on the day of the change 90 days later: 90 days exactly."""
    folder, _, _ = study_of(tmp_path)
    (folder / "contacts.csv").write_text(
        "customer,agent,contacted,kindness\nc1,a1,2026-01-01T12:00+01:00,3\nc2,a1,2026-01-01T12:00+01:00,2\n"
        "c3,a2,2026-04-01T12:00+02:00,1\n"
    )
    (folder / "left.csv").write_text("customer,on\nc1,2026-04-01T13:00+02:00\nc2,2026-04-01T13:01+02:00\n")
    dataset = load_dataset(load_study(folder))
    assert dataset.frame["stays_customer"].tolist()[:2] == [0, 1]
    assert any("several zones" in note for note in dataset.notes)


def test_a_time_has_days_for_its_unit(tmp_path):
    folder, _, _ = study_of(tmp_path)
    text = (folder / "study.yml").read_text().replace("    window: 90\n", "")
    text = text.replace(
        "kind: yes_no", "kind: duration\n    event: stays_customer_end\n    event_value: left\n    horizon: 60"
    )
    (folder / "study.yml").write_text(text)
    assert answer_question(folder, "q").effect.unit == "day"


def test_the_plan_holds_how_an_outcome_is_built(tmp_path):
    folder, _, _ = study_of(tmp_path)
    study = load_study(folder)
    assert protocol.chosen(study, study.question("q"))["events"]["stays_customer"]["window"] == 90
    words = "retention, from contacted to left/on, within 90 days, watched until 2026-05-01"
    assert (
        any(words in line for line in protocol.text(study))
        and words in story.asked(study, study.question("q")).to_html()
    )
    protocol.lock(study, "no data")
    (folder / "study.yml").write_text((folder / "study.yml").read_text().replace("window: 90", "window: 30"))
    changed = load_study(folder)
    assert protocol.standing(changed, changed.question("q")).changes == (
        "events: stays_customer: window: 30.0, was 90.0",
    )


def test_in_which_groups_a_scale_is_compared_is_no_change_of_the_plan():
    study = load_study("data/hospital")
    assert "across" not in protocol.chosen(study, study.question("leader"))["scales"]["exhaustion"]
