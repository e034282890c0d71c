"""Exports of survey services, known by what they hold: Qualtrics with its three header rows, SurveyMonkey with its two.

Each takes out what is no answer (a row of question texts, previews, names and addresses) and says so. Names, mail and
network addresses and places leave with the reader: nothing behind it ever sees them.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd

from researchkit.errors import DataError, some
from researchkit.parts import File
from researchkit.readers.gaps import BESIDE, by_column, explained, parted, reason, with_beside
from researchkit.readers.headed import refuse_doubles
from researchkit.readers.values import among, blank, canonical, distinct, numbers

Shaped = tuple[pd.DataFrame, list[str]]
WHO = (
    "IPAddress",
    "RecipientLastName",
    "RecipientFirstName",
    "RecipientEmail",
    "ExternalReference",
    "LocationLatitude",
    "LocationLongitude",
    "IP Address",
    "Email Address",
    "First Name",
    "Last Name",
    "Custom Data 1",
)
PREVIEWS = {  # by words and by codes; 4 is an imported response, 16 one from a device without network
    "Status": ("Survey Preview", "Survey Test", "1", "2", "9", "17"),
    "DistributionChannel": ("preview", "test"),
}
SPAM = ("Spam", "8", "12")
UNANSWERED = "-99"  # what Qualtrics writes for a question that was seen and left, where it is asked to
CHOSEN = ("999", "9999", "-999", "-9999")  # and what people have it write in its place
FAR = 10.0  # times beyond all other entries of a question, so that it is no answer
SEEN = "seen and not answered"
DISPLAY_ORDER = re.compile(r".+_DO(_.+)?")
FEW_CHOICES = 25  # distinct entries of a question with choices
ALIKE = 0.95  # of the rows that hold either labels only or codes only
MONKEY = ("Respondent ID", "Collector ID")
ANSWER = ("Response", "Open-Ended Response")
MONTHS = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
DATE_LIKE = re.compile(rf"(\d{{1,2}}-{MONTHS}|{MONTHS}-\d{{2}})")


def is_qualtrics(frame: pd.DataFrame) -> bool:
    """Whether the second row below the header holds ImportIds."""
    return len(frame) > 1 and any(import_id(entry) for entry in frame.iloc[1])


def qualtrics(frame: pd.DataFrame, file: File, subject: str, path: Path) -> Shaped:
    """One row a response, under the short names; `rename` in the study file may also name a column by its ImportId.

    Raises
    ------
    DataError
        If no response is left, or a response stands twice.
    """
    ids = {found: str(name) for name, entry in frame.iloc[1].items() if (found := import_id(entry))}
    notes = [f"{subject}: a Qualtrics export; its rows of question texts and of ImportIds are no answers: left out."]
    frame = frame.iloc[2:]
    frame, told = without_previews(frame, subject)
    notes += told
    if frame.empty:
        raise DataError(f"{subject} has no response but previews.")
    if "ResponseId" in frame and (twice := int(frame["ResponseId"].duplicated().sum())):
        raise DataError(f"{subject}: {twice} responses stand twice (ResponseId). Was the export put together from two?")
    if "Finished" in frame and (begun := int(among(frame["Finished"], ["0", "False", "FALSE"]).sum())):
        notes.append(f"{subject}: {begun} responses were not finished; they are kept.")
    refuse_mix(frame, [name for id, name in ids.items() if id.startswith("QID")], subject)
    frame, told = unanswered(frame, list(ids.values()), subject)
    notes += told
    order = [name for name in frame.columns if DISPLAY_ORDER.fullmatch(name)]
    if order:
        notes.append(f"{subject}: {some(order)} hold the order in which choices were shown, no answers: left out.")
    frame, told = without_people(frame.drop(columns=with_beside(order, frame)), subject)
    named = {ids[id]: id for id in file.rename if id in ids and id not in frame}
    named |= {BESIDE + old: BESIDE + new for old, new in named.items()}
    return frame.rename(columns=named), [*notes, *told]


def unanswered(frame: pd.DataFrame, names: list[str], subject: str) -> Shaped:
    """A gap for every code that says that a question was seen and left."""
    far = {
        code: [name for name in names if code in distinct(frame[name]) and no_answer(frame[name], code)]
        for code in CHOSEN
    }
    codes = {UNANSWERED: [*map(str, frame.columns)]} | {code: found for code, found in far.items() if len(found) > 1}
    cleared: dict[str, pd.Series] = {}
    why, notes = {}, []
    for code, columns in codes.items():
        total = 0
        for name in columns:
            cleared[name], count = blank(cleared.get(name, frame[name]), [code])
            total += count
            if count:
                why[name] = reason(cleared[name].isna().to_numpy() & frame[name].notna().to_numpy(), SEEN)
        if total:
            notes.append(f"{subject}: {total} cells say {code}: {SEEN}. They are missing here.")
    return explained(frame.assign(**cleared), why), notes


def no_answer(series: pd.Series, code: str) -> bool:
    """Whether a code lies far beyond every other entry of a question that is answered in numbers."""
    values, words = numbers(series)
    others = np.abs(values[np.isfinite(values) & (values != float(code))])
    return not words.any() and len(others) > 0 and FAR * max(others.max(), 1) <= abs(float(code))


def refuse_mix(frame: pd.DataFrame, names: list[str], subject: str) -> None:
    """Stop at an export in which some responses hold the labels of the answers and others their codes.

    One question may have the choices "None", "1", "2"; rows that hold words in several of such questions, beside rows
    that hold numbers in all of them, were exported in two ways.

    Raises
    ------
    DataError
        With the questions and the rows that hold labels.
    """
    mixed = []
    for name in (one for one in names if one in frame and not str(one).endswith("_TEXT")):
        _, words = numbers(frame[name])
        known = frame[name].notna().to_numpy()
        if words.any() and (known & ~words).any() and len(distinct(frame[name])) <= FEW_CHOICES:
            mixed.append((name, words, known))
    if len(mixed) < 2:
        return
    answered = np.column_stack([known for *_, known in mixed])
    labels = np.column_stack([words for _, words, _ in mixed])
    several = answered.sum(axis=1) > 1
    share = labels.sum(axis=1)[several] / answered.sum(axis=1)[several]
    if several.any() and (share == 1).any() and (share == 0).any() and np.isin(share, (0, 1)).mean() >= ALIKE:
        rows = frame.index[several][share == 1]
        raise DataError(
            f"{subject}: {some(name for name, *_ in mixed)} hold labels in {len(rows)} rows ({some(rows)}), codes in "
            "the others: two exports were put together. Export all of them in one way, with numeric values."
        )


def import_id(entry: object) -> str:
    """The id in a cell such as {"ImportId":"QID3"}; "" in any other."""
    if not (isinstance(entry, str) and entry.lstrip().startswith("{") and "ImportId" in entry):
        return ""
    try:
        return str(json.loads(entry).get("ImportId", ""))
    except ValueError:
        return ""


def without_previews(frame: pd.DataFrame, subject: str) -> Shaped:
    """Without what the makers of the survey filled in to look at it."""
    rows = np.zeros(len(frame), dtype=bool)
    for name, words in PREVIEWS.items():
        if name in frame:
            rows |= among(frame[name], words)
    told = [f"{subject}: {int(rows.sum())} previews or tests are left out."] if rows.any() else []
    if "Status" in frame and (spam := int(among(frame["Status"], SPAM).sum())):
        told.append(f"{subject}: {spam} responses are marked as possible spam; they are kept.")
    return frame[~rows], told


def without_people(frame: pd.DataFrame, subject: str) -> Shaped:
    """Without the columns that say who answered, and from where."""
    found = [name for name in WHO if name in frame]
    return frame.drop(columns=with_beside(found, frame)), [
        f"{subject}: {some(found)} say who answered, and are left out."
    ] if found else []


def is_surveymonkey(frame: pd.DataFrame) -> bool:
    """Whether the first columns are SurveyMonkey's and a second header follows, which has no respondent."""
    return tuple(frame.columns[:2]) == MONKEY and len(frame) > 0 and bool(frame.iloc[:1, 0].isna().all())


def surveymonkey(frame: pd.DataFrame, file: File, subject: str, path: Path) -> Shaped:
    """One row a respondent; a column of one option is called by question and option.

    Raises
    ------
    DataError
        If no respondent is left.
    """
    frame, why = parted(frame)
    question, names = "", list[str]()
    options: dict[str, dict[str, str]] = {}
    for name, option in frame.iloc[0].items():
        question = question if str(name).startswith("unnamed_") else str(name)
        plain = pd.isna(option) or str(option) in ANSWER
        names.append(question if plain and question not in names else f"{question}: {option}")
        if not plain:
            options.setdefault(question, {})[names[-1]] = str(option)
    refuse_doubles(names, f"{subject}, its two rows of headers joined")
    called = dict(zip(frame.columns, names, strict=True))
    frame, why = frame.iloc[1:].rename(columns=called), why.iloc[1:].rename(columns=called)
    if frame.empty:
        raise DataError(f"{subject} has two rows of headers and no respondent.")
    notes = [f"{subject}: a SurveyMonkey export; its second row of headers is joined to the first."]
    dates = {name: int(frame[name].astype("str").str.fullmatch(DATE_LIKE).sum()) for name in frame.columns}
    if found := [f"{name} {count}" for name, count in dates.items() if count]:
        notes.append(f"{subject}: entries that look like dates ({some(found)}): a spreadsheet turns “1-2” into one.")
    frame, folded = ticked(frame, options)
    if folded:
        notes.append(f"{subject}: options of {some(folded, 3)} are 1 where ticked, 0 where another was, else missing.")
    frame, told = without_people(explained(frame, by_column(why)), subject)
    return frame, [*notes, *told]


def ticked(frame: pd.DataFrame, options: dict[str, dict[str, str]]) -> tuple[pd.DataFrame, list[str]]:
    """1 and 0 for options that hold their own text where they were ticked; options with entries of their own stay."""
    new: dict[str, pd.Series] = {}
    folded = []
    for question, texts in options.items():
        names = list(texts)
        any_of = frame[names].notna().any(axis=1)
        own = [name for name in names if distinct(frame[name]) in ([canonical(texts[name])], [])]
        if len(own) > 1 and any(frame[name].notna().any() for name in own):
            new |= {name: frame[name].notna().astype("float64").where(any_of) for name in own}
            folded.append(question)
    return frame.assign(**new), folded
