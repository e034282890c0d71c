"""Numbers as others write them: decimal commas, commas between thousands, signs of per cent and of currencies."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

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
