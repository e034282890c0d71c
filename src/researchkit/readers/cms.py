"""Public tables of whole hospitals and organisations: the US Centers for Medicare & Medicaid Services, the NHS surveys.

Three habits of the first matter. Words such as "Not Available" stand among numbers, and a footnote beside them says
why. The certification number of a hospital has six characters, of which spreadsheets and R drop the leading zeros, so
that a join quietly loses whole states. And every number is an average of many patients, none of whom is in the table.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from researchkit import wording
from researchkit.errors import some
from researchkit.parts import File
from researchkit.readers.gaps import by_column, explained, parted
from researchkit.readers.values import among, as_text, canonical, distinct, each, numbers

Shaped = tuple[pd.DataFrame, list[str]]
NUMBER = ("provider id", "facility id", "ccn", "provider number")  # what the certification number has been called
WIDTH = 6
EVERYWHERE = "Not Available"
AMONG_NUMBERS = (
    EVERYWHERE,
    "Not Applicable",
    "Too Few to Report",
    "N/A",
    "Too few to report",
    "Number of Cases Too Small",
)
MEASURES = ("hcahps measure id", "excess readmission ratio", "h comp 1 a p", "hcahps answer percent")
FOOTNOTE = "footnote"
FOOTNOTES = {  # the numbers whose meaning the files themselves spell out
    "1": "the number of cases is too few to report",
    "5": "results are not available for this reporting period",
    "7": "no cases met the criteria for this measure",
}
NHS = ("ods code", "trust code", "organisation code", "org code", "ods")


def plainly(name: object) -> str:
    """ "Provider.ID", "provider_id" and "Provider ID" are one name."""
    return re.sub(r"[^a-z0-9]+", " ", str(name).lower()).strip()


def numbered(frame: pd.DataFrame) -> bool:
    """Whether hospitals go by their certification number."""
    return any(plainly(name) in NUMBER for name in frame.columns)


def is_cms(frame: pd.DataFrame) -> bool:
    """Whether a measure or a footnote of theirs stands beside the certification number."""
    names = {plainly(name) for name in frame.columns}
    return numbered(frame) and (bool(names & set(MEASURES)) or any(name.endswith(FOOTNOTE) for name in names))


def shaped(frame: pd.DataFrame, file: File, subject: str, path: Path) -> Shaped:
    """Whole certification numbers; a gap for each word among numbers, with the word and the footnote as its reason."""
    table, why = parted(frame)
    notes, counts, new, reasons = [], {}, {}, {}
    for name in table.columns:
        words = table[name]
        hit = among(words, AMONG_NUMBERS if of_numbers(words) else (EVERYWHERE,))
        if hit.any():
            told = words.where(hit)
            new[name] = words.mask(hit)
            counts[name] = int(hit.sum())
            foot = footnote_of(str(name), table)
            reasons[name] = told if foot is None else with_footnote(told, table[foot])
    if counts:
        columns = some(f"{name} {count}" for name, count in counts.items())
        notes.append(f"{subject}: {sum(counts.values())} cells hold words for a missing value ({columns}).")
    for name in (one for one in table.columns if plainly(one) in NUMBER):
        whole = as_text(table[name]).str.zfill(WIDTH)
        short = int((whole != as_text(table[name]))[table[name].notna()].sum())
        if short:
            notes.append(f"{subject}: {name}: lost leading zeros are put back ({short} of {len(table)} rows).")
        new[name] = whole
    table = table.assign(**new)
    sizes = [name for name in table.columns if plainly(name).endswith("completed surveys")]
    if sizes and not numbers(table[sizes[0]])[1].any():
        notes.append(f"{subject}: an average may be of few or many; `weights: {sizes[0]}` in a question weighs them.")
    notes += [*vanished(table, list(counts), subject), *long_form(table, subject)]
    return explained(table, {**by_column(why), **reasons}), notes


def of_numbers(series: pd.Series) -> bool:
    """Whether all entries but the words for a missing value are numbers."""
    _, bad = numbers(series)
    return bool(bad.any()) and not (bad & ~among(series, AMONG_NUMBERS)).any()


def footnote_of(name: str, table: pd.DataFrame) -> str | None:
    """The column of footnotes to a column: the one called after it, or the only one."""
    feet = {plainly(one).removesuffix(FOOTNOTE).strip(): str(one) for one in table if plainly(one).endswith(FOOTNOTE)}
    return next((foot for stem, foot in feet.items() if stem and plainly(name).endswith(stem)), feet.get(""))


def with_footnote(words: pd.Series, foot: pd.Series) -> pd.Series:
    """ "Not Available (1: the number of cases is too few to report)"; a footnote that is spelled out stays as it is."""

    def spelled(entry: str) -> str:
        codes = [canonical(code) for code in re.split(r"[,;]", entry)] if re.fullmatch(r"[\d.,; ]+", entry) else []
        return (
            "; ".join(f"{code}: {FOOTNOTES[code]}" if code in FOOTNOTES else f"footnote {code}" for code in codes)
            or entry
        )

    told = each(as_text(foot).where(words.notna()), spelled)
    return (words + (" (" + told + ")").fillna("")).astype("str")


def vanished(table: pd.DataFrame, names: list[str], subject: str) -> list[str]:
    """How many hospitals have no number at all where words stand: who leaves those rows out, loses them."""
    number = next((one for one in table.columns if plainly(one) in NUMBER), None)
    if number is None or not names:
        return []
    known = table.groupby(number)[names].count()
    told = [f"{name} {wording.count(int((known[name] == 0).sum()))}" for name in names if (known[name] == 0).any()]
    if not told:
        return []
    return [
        f"{subject}: of {wording.count(len(known))} hospitals these have no number at all: {some(told, 8)}. They are "
        "most often the small ones; the page compares who is left out with who is in."
    ]


def long_form(table: pd.DataFrame, subject: str) -> list[str]:
    """How a table with a row a hospital and measure becomes one with a row a hospital."""
    over = next(
        (str(one) for one in table.columns if plainly(one) in ("hcahps measure id", "measure id", "measure name")), ""
    )
    number = next((str(one) for one in table.columns if plainly(one) in NUMBER), "")
    if not over or not table.duplicated(number).any():
        return []
    return [
        f"{subject}: a row is a hospital and a measure ({len(distinct(table[over]))} in {over}). In study.yml "
        f"`pivot: {{by: [{number}], over: {over}, columns: [...]}}` lays the measures side by side."
    ]


def is_nhs(frame: pd.DataFrame) -> bool:
    """Whether organisations of the NHS go by code and benchmarking group, as in the results of its staff survey."""
    names = {plainly(name) for name in frame.columns}
    return bool(names & set(NHS)) and any(name.startswith("benchmarking group") for name in names)


def nhs(frame: pd.DataFrame, file: File, subject: str, path: Path) -> Shaped:
    """The table as it is, with what must be known before organisations are compared."""
    sizes = [name for name in frame if re.search(r"\b(base|respondents|weight|weighting)\b", plainly(name))]
    told = f"weigh by {some(sizes, 3)}" if sizes else "there is no column of respondents to weigh by"
    return frame, [
        f"{subject}: results of NHS organisations: rates of small ones are noise ({told}), and not every question can "
        "be compared between years: the workbook's sheets say which."
    ]
