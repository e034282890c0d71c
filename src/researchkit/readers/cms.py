"""Files of the US Centers for Medicare & Medicaid Services on hospitals, and re-exports of them.

Two habits of theirs matter: "Not Available" stands for a missing value, and the certification number of a hospital has
six characters, of which spreadsheets and R drop the leading zeros, so that a join quietly loses whole states.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from researchkit.parts import File
from researchkit.readers import plain
from researchkit.readers.values import as_text

NUMBER = ("Provider ID", "Provider.ID", "Facility ID", "CCN")  # what the certification number has been called
WIDTH = 6
MISSING = "Not Available"


def read(path: Path, file: File, subject: str | None = None) -> tuple[pd.DataFrame, list[str]]:
    """The table as `plain` reads it, with whole certification numbers and without "Not Available".

    Raises
    ------
    DataError
        As `plain.read`.
    """
    subject = subject or str(path)
    frame, notes = plain.read(path, file.model_copy(update={"missing": (*file.missing, MISSING)}), subject)
    for name in frame.columns.intersection(list(NUMBER)):
        whole = as_text(frame[name]).str.zfill(WIDTH)
        short = int((whole != as_text(frame[name]))[frame[name].notna()].sum())
        if short:
            notes.append(f"{subject}: {name}: lost leading zeros are put back ({short} of {len(frame)} rows).")
        frame[name] = whole
    return frame, notes
