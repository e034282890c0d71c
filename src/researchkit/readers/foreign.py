"""Days and numbers as others write them: 31.03.2026, decimal commas, commas between thousands, per cents, monies."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from researchkit.readers.values import each

DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:[ T](\d{1,2}:\d.*))?")
DISTINCT = 10  # different entries from which on a column of "3,5" or "40 %" is one of numbers
NEARLY = 0.9  # of those that are no numbers to us
FORMS = {  # how they are written, and what to do about it
    r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?": "They have a comma between thousands, it seems; leave it out",
    r"[-+]?\d+,\d+": "They are written with a decimal comma; say `decimal: ','` of the file",
    r"[-+]?\d+([.,]\d+)?\s?%": "They are written with a per cent sign; leave it out",
    r"[-+]?[$€£]\s?\d[\d.,]*": "They are written with the sign of a currency; leave it out",
}


def foreign(strange: pd.Series, known: int) -> bool:
    """Whether entries that are no numbers to us are numbers to whoever wrote them; `known` others are numbers to us."""
    entries = pd.Series(pd.unique(strange)).str.strip()
    fits = entries.str.fullmatch("|".join(f"(?:{form})" for form in FORMS))
    return len(entries) + known >= DISTINCT and bool(fits.mean() >= NEARLY)


def mend(entries: Sequence[str]) -> str:
    """What to do about entries that are all written in one of these ways; "" for others."""
    fits = (told for form, told in FORMS.items() if all(re.fullmatch(form, entry) for entry in entries))
    return next(fits, "")


def dotted(series: pd.Series) -> pd.Series:
    """Days such as 31.03.2026, with or without a time, as ISO has them; who writes dots writes the day first."""
    return each(series, in_order)


def in_order(entry: str) -> str:
    found = DOTTED.fullmatch(entry.strip())
    if not found:
        return entry
    day, month, year, time = found.groups()
    hours = "" if time is None else f" {time.zfill(len(time) + (time[1] == ':'))}"
    return f"{year}-{month:0>2}-{day:0>2}{hours}"
