"""Which export is it? By what it holds, or by the name that the study file gives it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from researchkit.errors import DataError
from researchkit.parts import File
from researchkit.readers import cms, contacts, plain, redcap, surveys, tickets
from researchkit.readers.gaps import parted

Shaped = tuple[pd.DataFrame, list[str]]


@dataclass(frozen=True)
class Kind:
    """One system's exports: how they are known, what is made of them, and what their rows are if no people."""

    fits: Callable[[pd.DataFrame], bool]
    shaped: Callable[[pd.DataFrame, File, str, Path], Shaped]
    may: Callable[[pd.DataFrame], bool] | None = None  # where naming it asks for less than knowing it
    rows: str = ""


KNOWN = {
    "qualtrics": Kind(surveys.is_qualtrics, surveys.qualtrics),
    "surveymonkey": Kind(surveys.is_surveymonkey, surveys.surveymonkey),
    "redcap": Kind(redcap.is_redcap, redcap.redcap),
    "zendesk": Kind(tickets.is_zendesk, tickets.zendesk),
    "cxone": Kind(contacts.is_cxone, contacts.cxone),
    "dialer": Kind(contacts.is_dialer, contacts.dialer),
    "cms": Kind(cms.is_cms, cms.shaped, cms.numbered, rows="hospitals"),
    "nhs": Kind(cms.is_nhs, cms.nhs, rows="organisations"),
}


def read(path: Path, file: File, subject: str | None = None) -> Shaped:
    """The table as `plain` reads it; an export that is known, without what is no answer in it.

    Raises
    ------
    DataError
        As `plain.read`; if the export cannot be used as it is; if the study names a system whose export this is not.
    """
    subject = subject or str(path)
    frame, notes = plain.read(path, file, subject)
    kind = known(frame, file)
    if kind:
        frame, more = KNOWN[kind].shaped(frame, file, subject, path)
        return frame, [*notes, *more]
    if file.reader in KNOWN:
        raise DataError(
            f"{subject} is no {file.reader} export as that system writes it; take `reader: {file.reader}` out."
        )
    return frame, notes


def known(frame: pd.DataFrame, file: File) -> str:
    """The kind that the study names, if it can be that, or the one that it is known as; "" if none."""
    if file.reader in KNOWN:
        kind = KNOWN[file.reader]
        return file.reader if (kind.may or kind.fits)(frame) else ""
    table = parted(frame)[0]
    return next((name for name, kind in KNOWN.items() if kind.fits(table)), "")


def aggregates(frame: pd.DataFrame, file: File) -> str:
    """ "hospitals" where each row is an average of many people, by the kind of export; "" where rows may be people."""
    kind = known(parted(frame)[0], file)
    return KNOWN[kind].rows if kind else ""
