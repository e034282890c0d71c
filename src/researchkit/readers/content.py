"""Is this the table that the study was written for, whatever file it came in?"""

from __future__ import annotations

import hashlib

import pandas as pd

from researchkit.errors import DataError
from researchkit.readers.values import canonical, each


def content(frame: pd.DataFrame) -> str:
    """The sha256 of the cells: columns by name, rows in order, 1.0 as 1, a missing entry as nothing.

    The same for a CSV, a workbook and an R file that hold the same table; columns may stand in any order.
    """
    total = hashlib.sha256()
    for name in sorted(frame.columns):
        entries = each(frame[name], canonical).fillna("")
        total.update("\x1f".join([name, *entries]).encode())
        total.update(b"\x1e")
    return total.hexdigest()


def require_content(frame: pd.DataFrame, expected: str | None, subject: str) -> None:
    """Stop at a table whose cells are not those that the study file gives the sha256 of."""
    if expected and content(frame) != expected:
        raise DataError(
            f"{subject} does not hold the table that the study was written for: the sha256 of its cells is "
            f"{content(frame)}, not {expected} (`content` in study.yml). Delete the file and get it again; if it stays "
            "so, the publisher has changed it."
        )
