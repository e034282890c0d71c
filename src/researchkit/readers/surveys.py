"""Exports of survey services, known by what they hold: Qualtrics with its three header rows, SurveyMonkey with its two.

Each takes out what is no answer (a row of question texts, previews, names and addresses) and says so. Names, mail and
network addresses and places leave with the reader: nothing behind it ever sees them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from researchkit.errors import DataError, some
from researchkit.parts import File
from researchkit.readers import plain
from researchkit.readers.values import among, blank

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
MONKEY = ("Respondent ID", "Collector ID")
ANSWER = ("Response", "Open-Ended Response")
MONTHS = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
DATE_LIKE = re.compile(rf"(\d{{1,2}}-{MONTHS}|{MONTHS}-\d{{2}})")


def is_qualtrics(frame: pd.DataFrame) -> bool:
    """Whether the second row below the header holds ImportIds."""
    return len(frame) > 1 and any(import_id(entry) for entry in frame.iloc[1])


def qualtrics(frame: pd.DataFrame, file: File, subject: str) -> Shaped:
    """One row a response, under the short names; `rename` in the study file may also name a column by its ImportId.

    Raises
    ------
    DataError
        If no response is left, or a response stands twice.
    """
    ids = {found: name for name, entry in frame.iloc[1].items() if (found := import_id(entry))}
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
    cleared, counts = {}, {}
    for name in frame.columns:
        cleared[name], counts[name] = blank(frame[name], [UNANSWERED])
    if total := sum(counts.values()):
        notes.append(f"{subject}: {total} cells say {UNANSWERED}: seen and not answered. They are missing here.")
    frame, told = without_people(pd.DataFrame(cleared, index=frame.index), subject)
    named = {ids[id]: id for id in file.rename if id in ids and id not in frame}
    return frame.rename(columns=named), [*notes, *told]


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
    return frame.drop(columns=found), [f"{subject}: {some(found)} say who answered, and are left out."] if found else []


def is_surveymonkey(frame: pd.DataFrame) -> bool:
    """Whether the first columns are SurveyMonkey's and a second header follows, which has no respondent."""
    return tuple(frame.columns[:2]) == MONKEY and len(frame) > 0 and bool(frame.iloc[:1, 0].isna().all())


def surveymonkey(frame: pd.DataFrame, file: File, subject: str) -> Shaped:
    """One row a respondent; a column of one option is called by question and option.

    Raises
    ------
    DataError
        If no respondent is left.
    """
    names, question = [], ""
    for name, option in frame.iloc[0].items():
        question = question if str(name).startswith("unnamed_") else str(name)
        plain = pd.isna(option) or str(option) in ANSWER
        names.append(question if plain and question not in names else f"{question}: {option}")
    frame = frame.iloc[1:].set_axis(names, axis=1)
    if frame.empty:
        raise DataError(f"{subject} has two rows of headers and no respondent.")
    notes = [f"{subject}: a SurveyMonkey export; its second row of headers is joined to the first."]
    dates = {name: int(frame[name].astype("str").str.fullmatch(DATE_LIKE).sum()) for name in frame.columns}
    if found := [f"{name} {count}" for name, count in dates.items() if count]:
        notes.append(f"{subject}: entries that look like dates ({some(found)}): a spreadsheet turns “1-2” into one.")
    frame, told = without_people(frame, subject)
    return frame, [*notes, *told]


KNOWN: dict[str, tuple[Callable[[pd.DataFrame], bool], Callable[[pd.DataFrame, File, str], Shaped]]] = {
    "qualtrics": (is_qualtrics, qualtrics),
    "surveymonkey": (is_surveymonkey, surveymonkey),
}


def read(path: Path, file: File, subject: str | None = None) -> Shaped:
    """The table as `plain` reads it; an export that is known by what it holds without what is no answer in it.

    Raises
    ------
    DataError
        As `plain.read`; and if the study names a service whose export this is not.
    """
    subject = subject or str(path)
    frame, notes = plain.read(path, file, subject)
    named = file.reader if file.reader in KNOWN else ""
    for service, (fits, shaped) in KNOWN.items():
        if named in ("", service) and fits(frame):
            frame, more = shaped(frame, file, subject)
            return frame, [*notes, *more]
    if named:
        raise DataError(f"{subject} is no {named} export as that service writes it; take `reader: {named}` out.")
    return frame, notes
