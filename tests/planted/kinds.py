"""The kinds of broken data: how each is planted, who has to name it, and in which words.

`check` is the command, `mark` the marks, reasons and notes of the answer, `stop` the error in the place of an answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from planted.clinic import Planted, stays

By = Literal["check", "mark", "stop"]


@dataclass(frozen=True)
class Kind:
    """One defect. `words` is a regular expression that the named channel must say, and must not say of clean data."""

    name: str
    by: By
    words: str
    plant: Callable[[Planted], None]


KINDS: list[Kind] = []


def kind(by: By, words: str) -> Callable[[Callable[[Planted], None]], Callable[[Planted], None]]:
    def add(plant: Callable[[Planted], None]) -> Callable[[Planted], None]:
        KINDS.append(Kind(plant.__name__, by, words, plant))
        return plant

    return add


def cells(one: Planted, column: str, rows: slice | list[int] | np.ndarray, value: object) -> None:
    """Put a value into some cells, whatever the column held."""
    place = one.frame.columns.get_loc(column)
    one.frame[column] = one.frame[column].astype(object)
    one.frame.iloc[rows, place] = value


# Rows


@kind("check", r"24 rows repeat an earlier row in every column")
def repeated_rows(one):
    one.frame = pd.concat([one.frame, one.frame.iloc[100:124]], ignore_index=True)


@kind("check", r"40 rows repeat an earlier block in everything but patient")
def pasted_block_with_new_ids(one):
    block = one.frame.iloc[100:140].copy()
    block["patient"] = [f"P9{number:04d}" for number in range(40)]
    one.frame = pd.concat([one.frame, block], ignore_index=True)


@kind("check", r"30 rows hold the very same numbers in \d columns")
def rows_filled_with_means(one):
    for name in ("age", "severity", "kindness", "minutes", "trust"):
        cells(one, name, slice(200, 230), round(float(one.frame[name].mean()), 1))


@kind("check", r"row at the end seems to be of totals: 'Total', row 482")
def row_of_totals_at_the_end(one):
    total = one.frame.sum(numeric_only=True).round(1).to_dict()
    one.frame = pd.concat([one.frame, pd.DataFrame([{"patient": "Total", **total}])], ignore_index=True)


@kind("check", r"460 people in 480 rows, 20 of them in more than one")
def one_person_twice_with_other_answers(one):
    cells(one, "patient", slice(40, 60), one.frame["patient"].iloc[:20].tolist())


@kind("check", r"5 blank rows are left out")
def blank_rows_in_the_middle(one):
    cut = 200
    gap = pd.DataFrame(np.nan, index=range(5), columns=one.frame.columns)
    one.frame = pd.concat([one.frame[:cut], gap, one.frame[cut:]], ignore_index=True)


@kind("check", r"12 rows hold what looks like ward in patient, and the other way round")
def swapped_ids(one):
    rows = slice(30, 42)
    patient, ward = one.frame["patient"].iloc[rows].tolist(), one.frame["ward"].iloc[rows].tolist()
    cells(one, "patient", rows, ward)
    cells(one, "ward", rows, patient)


@kind("check", r"rows have fewer cells than the header")
def file_cut_off(one):
    one.bytes_of = lambda text: text[: len(text) - 30]


@kind("check", r"Look at minutes: the same 2\d rows of numbers, one below the other, stand twice")
def column_pasted_over_other_rows(one):
    cells(one, "minutes", slice(300, 325), one.frame["minutes"].iloc[50:75].tolist())


# Columns


@kind("stop", r"the same name stands over several columns: 'age'")
def name_over_two_columns(one):
    one.bytes_of = lambda text: text.replace(b",severity,", b",age,", 1)


@kind("stop", r"no column 'kindness'; the nearest is 'kindnes'")
def renamed_column(one):
    one.frame = one.frame.rename(columns={"kindness": "kindnes"})


@kind("mark", r"left out because the other covariates determine them: again")
def repeated_column(one):
    one.frame["again"] = one.frame["severity"] * 2 + 1
    one.say("[severity, age, sex]", "[severity, age, sex, again]")


@kind("mark", r"circular: trust last week may be the outcome under another name")
def covariate_that_is_nearly_the_outcome(one):
    one.frame["trust_last_week"] = (one.frame["trust"] + one.rng.normal(0, 0.02, len(one.frame))).round(2)
    one.say("[severity, age, sex]", "[severity, age, sex, trust_last_week]")


@kind("mark", r"circular: Kindness of the care may be the outcome under another name")
def outcome_that_is_the_exposure_again(one):
    one.frame["trust"] = (2 * one.frame["kindness"] + one.rng.normal(0, 0.01, len(one.frame))).round(2)


@kind("mark", r"most rows left out: more than half lack something it needs")
def most_did_not_answer(one):
    cells(one, "trust", np.arange(len(one.frame)) % 5 > 1, np.nan)
    one.whole = True


@kind("mark", r"adjustment: satisfied comes after the exposure")
def adjusted_for_what_comes_after(one):
    one.frame["satisfied"] = (one.frame["trust"] / 2 + one.rng.normal(0, 1, len(one.frame))).round(2)
    one.say("[severity, age, sex]", "[severity, age, sex, satisfied]")
    one.study += "causes: [kindness -> trust -> satisfied, severity -> kindness, severity -> trust]\n"


@kind("stop", r"told exactly by the exposure and the columns of `adjust`")
def adjusted_for_the_sum_of_both(one):
    one.frame["nurses"] = (one.frame["trust"] + one.frame["kindness"]).round(2)
    one.say("[severity, age, sex]", "[severity, age, sex, nurses]")


@kind("stop", r"no row is left of 480 \(trust missing")
def outcome_all_missing(one):
    one.frame["trust"] = np.nan


@kind("stop", r"kindness is the same in all 480 complete rows")
def exposure_without_variation(one):
    one.frame["kindness"] = 3


@kind("stop", r"returned: 6 values are neither .*in rows 51, 52")
def cells_shifted_to_the_right(one):
    def shift(text: bytes) -> bytes:
        lines = text.split(b"\n")
        for number in range(50, 56):
            parts = lines[number].split(b",")
            lines[number] = b",".join([*parts[:6], b"", *parts[6:-1]])
        return b"\n".join(lines)

    one.bytes_of = shift


# Entries


@kind("check", r"Look at severity: -99 stands in 14 rows.*code for missing")
def undeclared_code_for_missing(one):
    cells(one, "severity", slice(10, 24), -99)


@kind("check", r"Look at age: 999 stands in 9 rows.*code for missing")
def nines_for_missing(one):
    cells(one, "age", slice(10, 19), 999)


@kind("check", r"Look at mood: 9 stands in 12 rows, behind answers that end at 5.*code for no answer")
def nine_for_missing_in_a_drafted_range(one):
    one.frame["mood"] = one.rng.integers(1, 6, len(one.frame))
    cells(one, "mood", slice(10, 22), 9)
    one.say("[severity, age, sex]", "[severity, age, sex, mood]")
    one.say("  admitted:", "  mood: {label: Mood, range: [1, 9]}\n  admitted:")


@kind("stop", r"e2: 3 answers outside 0-6, in rows 9, 10 and 11")
def answers_out_of_range(one):
    cells(one, "e2", slice(7, 10), 8)


@kind("stop", r"sex: 4 values are neither 'f' nor 'm'")
def labels_among_codes(one):
    cells(one, "sex", slice(7, 11), "female")


@kind("check", r"Look at side: its 4 entries are numbers and words")
def codes_among_labels_undeclared(one):
    side = one.rng.choice(["left", "right"], len(one.frame)).astype(object)
    side[150:] = np.where(side[150:] == "left", "1", "2")
    one.frame["side"] = side
    one.say("[severity, age, sex]", "[severity, age, sex, side]")


@kind("stop", r"severity: 480 entries are no numbers.*decimal comma")
def decimal_commas(one):
    one.frame["severity"] = [f"{value:.1f}".replace(".", ",") for value in one.frame["severity"]]


@kind("stop", r"minutes: .*entries are no numbers.*comma between thousands")
def commas_between_thousands(one):
    one.frame["minutes"] = [f"{value * 100:,.0f}" for value in one.frame["minutes"]]
    one.say("column: trust, kind: score, unit: point", "column: minutes, kind: score, unit: minute")


@kind("stop", r"kindness: 480 entries are no numbers")
def per_cent_signs(one):
    one.frame["kindness"] = [f"{20 * value:.0f}%" for value in one.frame["kindness"]]


@kind("stop", r"severity: 6 values are infinite")
def infinite_values(one):
    cells(one, "severity", slice(7, 13), "inf")


@kind("stop", r"severity: 1 value is beyond 1e100")
def a_number_beyond_all_measure(one):
    cells(one, "severity", slice(7, 8), "1e200")


@kind("check", r"admitted: 40 entries are no dates")
def day_numbers_of_excel(one):
    serial = (pd.to_datetime(one.frame["admitted"]) - pd.Timestamp("1899-12-30")).dt.days
    cells(one, "admitted", slice(50, 90), serial.iloc[50:90].tolist())


@kind("check", r"admitted: 2 entries are no dates")
def days_that_no_calendar_has(one):
    cells(one, "admitted", slice(7, 9), "2025-02-30")


@kind("check", r"admitted: 40 entries are no dates")
def days_and_months_in_another_order(one):
    dates = pd.to_datetime(one.frame["admitted"]).dt.strftime("%d/%m/%Y")
    cells(one, "admitted", slice(50, 90), dates.iloc[50:90].tolist())


@kind("check", r"Look at admitted: 12 entries are 1900-01-01, far from all other days")
def a_date_for_no_date(one):
    cells(one, "admitted", slice(50, 62), "1900-01-01")


@kind("check", r"admitted: times of several zones are told in UTC")
def several_time_zones(one):
    times = [f"{day}T08:00:00+0{1 + (place % 2)}:00" for place, day in enumerate(one.frame["admitted"])]
    one.frame["admitted"] = times


@kind("check", r"Look at patient: 180 entries are shorter than those with leading zeros")
def leading_zeros_lost_in_some_rows(one):
    ids = [f"{number:06d}" for number in one.rng.permutation(np.arange(1200, 1200 + len(one.frame)))]
    one.frame["patient"] = [*ids[:300], *(str(int(number)) for number in ids[300:])]


@kind("check", r"480 of these rows would find a match if patient had no leading zeros")
def leading_zeros_lost_in_a_joined_file(one):
    ids = [f"{number:06d}" for number in np.arange(1200, 1200 + len(one.frame))]
    one.frame["patient"] = ids
    one.beside["bills.csv"] = pd.DataFrame({"patient": [int(number) for number in ids], "bill": range(len(ids))})
    one.say("files: stays.csv", "files: [stays.csv, {path: bills.csv, key: patient}]")


# Units and clocks


@kind("check", r"minutes: .*two units")
def minutes_and_hours_mixed(one):
    rows = one.rng.choice(len(one.frame), 120, replace=False)
    cells(one, "minutes", rows, (one.frame["minutes"].iloc[rows] / 60).round(3).tolist())


@kind("check", r"minutes: .*from row 262 on.*another unit")
def unit_changes_in_the_middle(one):
    rows = slice(260, None)
    cells(one, "minutes", rows, (one.frame["minutes"].iloc[rows] * 7).round(1).tolist())


@kind("check", r"share: .*two units")
def shares_and_per_cents_mixed(one):
    share = one.rng.beta(8, 3, len(one.frame)).round(3)
    one.frame["share"] = np.where(np.arange(len(share)) % 3 == 0, (100 * share).round(1), share)
    one.say("  minutes:", "  share: {label: Share of nights with a visit}\n  minutes:")


@kind("check", r"15 rows have discharged before admitted, in rows 62")
def outcome_before_exposure(one):
    rows = slice(60, 75)
    one.frame.iloc[rows, one.frame.columns.get_loc("discharged")] = "2024-12-01"
    one.study += (
        "events:\n  stayed: {kind: stay, who: patient, start: admitted, end: discharged, watched_until: 2026-06-30}\n"
    )


@kind("stop", r"days: 3 times are below 0, in rows 9, 10 and 11")
def negative_durations(one):
    one.frame["days"] = one.rng.exponential(5, len(one.frame)).round(1) + 0.1
    one.frame["ended"] = 1
    cells(one, "days", slice(7, 10), -2)
    one.say(
        "column: trust, kind: score, unit: point", "column: days, kind: duration, event: ended, horizon: 10, unit: day"
    )


# Files


@kind("stop", r"is not UTF-8.*cp1252")
def another_encoding(one):
    cells(one, "site", slice(0, 5), "Süd")
    one.bytes_of = lambda text: text.decode("utf-8").encode("cp1252")


@kind("stop", r"UTF-16")
def two_bytes_a_letter(one):
    one.bytes_of = lambda text: text.decode("utf-8").encode("utf-16")


@kind("stop", r"3 NUL bytes")
def zero_bytes(one):
    one.bytes_of = lambda text: text[:500] + b"\0\0\0" + text[500:]


@kind("stop", r"is a web page")
def web_page_in_its_place(one):
    one.bytes_of = lambda text: b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body></body></html>\n"


@kind("stop", r"pointer of Git LFS")
def pointer_in_its_place(one):
    one.bytes_of = lambda text: b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n"


@kind("stop", r"is empty")
def empty_file(one):
    one.bytes_of = lambda text: b""


@kind("stop", r"column names and no row")
def only_names(one):
    one.bytes_of = lambda text: text.split(b"\n")[0] + b"\n"


@kind("stop", r"2 rows have more cells than the \d+ names of the header")
def more_cells_than_names(one):
    def longer(text: bytes) -> bytes:
        lines = text.split(b"\n")
        return b"\n".join([*lines[:40], lines[40] + b",x", lines[41] + b",y", *lines[42:]])

    one.bytes_of = longer


@kind("stop", r"quotation mark .* opens in row \d+ and never closes")
def quotation_mark_that_never_closes(one):
    one.bytes_of = lambda text: text.replace(b"\nP", b'\n"P', 7).replace(b'\n"P', b"\nP", 6)


@kind("stop", r"Excel workbook")
def workbook_called_csv(one):
    one.bytes_of = lambda text: b"PK\x03\x04" + text


@kind("check", r"the header has 2 rows with merged cells")
def merged_headers(one):
    one.frame = one.frame[[*one.frame.columns.drop(["kindness", "trust"]), "kindness", "trust"]]
    one.name, one.heads = "stays.xlsx", ("Ratings", 2)
    one.say("files: stays.csv", "files: stays.xlsx")
    one.say("kindness: {label", "kindness: {from: 'Ratings: kindness', label")
    one.say("trust: {label", "trust: {from: 'Ratings: trust', label")


# Who is compared with whom


@kind("stop", r"all 480 rows belong to one value of ward")
def one_cluster(one):
    one.frame["ward"] = "W01"


@kind("stop", r"one single ward and nobody else is in it")
def treated_all_in_one_cluster(one):
    one.frame["kindness"] = (one.frame["ward"] == "W03").astype(int)


@kind("stop", r"kindness is fully determined by site: West")
def treated_all_at_one_site_that_is_adjusted_for(one):
    one.frame["kindness"] = (one.frame["site"] == "West").astype(int)
    one.say("[severity, age, sex]", "[severity, age, site]")


@kind("mark", r"few clusters: 3 ")
def few_clusters(one):
    one.frame["ward"] = one.frame["site"]


@kind("stop", r"kindness tells the outcome exactly")
def outcome_told_exactly(one):
    one.frame["returned"] = (one.frame["kindness"] > 3).astype(int)
    one.say("column: trust, kind: score, unit: point", "column: returned, kind: yes_no, good: low")


@kind("mark", r"Simpson: within Ward it goes clearly the other way")
def simpson(one):
    rng, ward = one.rng, one.frame["ward"].str[1:].astype(int)
    kindness = 1 + 0.28 * ward + rng.normal(0, 0.4, len(ward))
    one.frame["kindness"] = kindness.round(2)
    one.frame["trust"] = (0.9 * ward - 1.0 * kindness + rng.normal(0, 0.5, len(ward))).round(2)


@kind("mark", r"selective gaps: rows with gaps are unlike the others in kindness")
def gaps_where_kindness_was_low(one):
    one.whole = True
    low = one.frame["kindness"] < one.frame["kindness"].quantile(0.4)
    gone = low & (one.rng.uniform(size=len(low)) < 0.8)
    cells(one, "trust", gone.to_numpy(), np.nan)


@kind("mark", r"few events")
def hardly_any_event(one):
    one.frame["returned"] = 0
    cells(one, "returned", list(range(0, 480, 40)), 1)
    one.say("column: trust, kind: score, unit: point", "column: returned, kind: yes_no, good: low")


@kind("mark", r"one source: patient rated both")
def one_person_rated_both(one):
    one.say("source: blind rater", "source: patient")


@kind("mark", r"exposed: it goes with .*birth")
def negative_control_that_moves(one):
    one.frame["birth"] = (one.frame["kindness"] + one.rng.normal(0, 1, len(one.frame))).round(2)
    one.say("smallest_effect: 0.2}", "smallest_effect: 0.2, negative_control: birth}")


@kind("check", r"Look at trust: 1 entry stands far apart from all others \(900, row 9\)")
def slip_of_the_keyboard(one):
    one.frame["trust"] = one.rng.normal(4, 0.5, len(one.frame)).round(2)
    cells(one, "kindness", slice(7, 8), 50)
    cells(one, "trust", slice(7, 8), 900)


@kind("check", r"Look at trust: all \d+ rows of one ward hold 5 ")
def one_ward_that_always_says_the_same(one):
    cells(one, "trust", (one.frame["ward"] == "W05").to_numpy(), 5)


# Scales


@kind("check", r"Look at ease: e4 goes against the other items")
def reversed_item_not_declared(one):
    one.say(", reverse: [e4]", "")


@kind("check", r"ease: 24 rows give one answer to all items")
def straight_lining(one):
    for name in ("e1", "e2", "e3", "e4"):
        cells(one, name, slice(50, 72), 5)


@kind("mark", r"circular: e1 is part of both exposure and outcome")
def item_on_both_sides(one):
    one.say("exposure: kindness", "exposure: ease")
    one.say("column: trust, kind: score, unit: point", "column: e1, kind: score, unit: point")


# Since the last export


@kind("check", r"returned: new codes '2' and no more '0' \(a question reads it\)")
def codes_changed_since_the_last_export(one):
    old = stays()
    one.beside["december.csv"] = old
    one.frame["returned"] = one.frame["returned"] + 1
    one.say("columns:\n", "against: december.csv\ncolumns:\n")
    one.say("codes: {0: no, 1: yes}", "codes: {1: no, 2: yes}")
    one.say("column: trust, kind: score, unit: point", "column: returned, kind: yes_no, yes: 2, good: low")


@kind("check", r"trust: missing in 25.0 % of the rows, where it was 0.0 % \(a question reads it\)")
def more_gaps_since_the_last_export(one):
    one.beside["december.csv"] = stays()
    cells(one, "trust", one.rng.choice(480, 120, replace=False), np.nan)
    one.say("columns:\n", "against: december.csv\ncolumns:\n")


@kind("check", r"minutes: the middle of its numbers is 60 times what it was: another unit")
def another_unit_since_the_last_export(one):
    one.beside["december.csv"] = stays()
    one.frame["minutes"] = (one.frame["minutes"] * 60).round()
    one.say("columns:\n", "against: december.csv\ncolumns:\n")


@kind("check", r"bedside: it is gone; 'minutes' looks like it")
def renamed_since_the_last_export(one):
    one.beside["december.csv"] = stays().rename(columns={"minutes": "bedside"})
    one.say("columns:\n", "against: december.csv\ncolumns:\n")


# Words


@kind("check", r"Look at site: 2 entries differ in nothing but case or spaces \('North' and 'north'\)")
def the_same_word_written_otherwise(one):
    cells(one, "site", slice(20, 40), "north")


@kind("check", r"Look at site: \d+ entries hold letters that were read in the wrong encoding")
def letters_read_wrongly(one):
    one.frame["site"] = one.frame["site"].str.replace("South", "Süd").str.encode("utf-8").str.decode("cp1252")


@kind("stop", r"stay: \d+ values are none of '1-3', '4-6' and '7\+', in rows .*'3-Jan'")
def ranges_that_a_spreadsheet_made_days(one):
    one.frame["stay"] = np.where(one.frame["age"] < 50, "1-3", np.where(one.frame["age"] < 70, "4-6", "7+"))
    one.frame["stay"] = one.frame["stay"].replace({"1-3": "3-Jan", "4-6": "6-Apr"})
    one.say("  admitted:", "  stay: {label: Days, codes: {1-3: short, 4-6: usual, 7+: long}}\n  admitted:")
    one.say("[severity, age, sex]", "[severity, age, sex, stay]")


@kind("mark", r"inseparable: all of one side have the same Site, and nobody else has it")
def treated_all_at_one_site(one):
    one.frame["arm"] = np.where(one.frame["site"] == "West", 1, 0)
    one.say("exposure: kindness", "exposure: arm")


@kind("check", r"Look at patient: the table has exactly the 65,535 rows of a full Excel sheet")
def sheet_cut_off_at_its_end(one):
    one.frame = pd.concat([stays(seed, 6554) for seed in range(10)], ignore_index=True).iloc[:65_535]
    one.frame["patient"] = [f"P{number:05d}" for number in range(len(one.frame))]


@kind("check", r"Look at constant: all 480 entries are 4, so that adjusting for it changes nothing")
def covariate_without_variation(one):
    one.frame["constant"] = 4
    one.say("[severity, age, sex]", "[severity, age, sex, constant]")


@kind("stop", r"is not the file that the study was written for: its sha256 differs")
def another_file_than_the_one_that_was_planned(one):
    one.say("files: stays.csv", "files: {path: stays.csv, sha256: " + "0" * 64 + "}")


@kind("stop", r"30 rows repeat the patient of an earlier row")
def every_row_of_a_joined_file_twice(one):
    ids = one.frame["patient"].tolist()
    one.beside["bills.csv"] = pd.DataFrame({"patient": [*ids, *ids[:30]], "bill": range(len(ids) + 30)})
    one.say("files: stays.csv", "files: [stays.csv, {path: bills.csv, key: patient}]")


@kind("stop", r"holds averages of hospitals, and no people")
def averages_in_the_place_of_people(one):
    ids = [f"{number:06d}" for number in range(10001, 10001 + len(one.frame))]
    one.frame.insert(0, "Facility ID", ids)
    one.frame.insert(1, "HCAHPS Measure ID", "H_COMP_1_A_P")
    one.frame.insert(2, "HCAHPS Answer Percent", 80)
    one.frame.insert(3, "HCAHPS Linear Mean Value", 90)
