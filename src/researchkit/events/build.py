"""One outcome from events: its value, how it ended, and for every row without a value the first reason why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.errors import DataError
from researchkit.events.course import COURSES, Course, watched
from researchkit.events.moments import SAME, Moments
from researchkit.measures import Built
from researchkit.readers import Origin


def built(
    name: str, spec: Built, frame: pd.DataFrame, tables: Mapping[str, pd.DataFrame], origin: Origin
) -> tuple[pd.DataFrame, str]:
    """The columns of one outcome, and an account of the rows in a sentence.

    Parameters
    ----------
    frame
        The rows, with the columns that `spec` names: moments as dates or numbers, ids as text. Its index counts the
        rows that arrived.
    tables
        The tables of events that `spec` names.

    Returns
    -------
    columns, account
        NAME, 1 or 0 within a window, else a time in days (or in the unit of the numbers); with a time NAME_end, how it
        ended; and NAME_why, the reason of each row that has no value.

    Raises
    ------
    DataError
        If a moment cannot be, such as a discharge before the admission, or the events cannot be told apart.
    """
    now = Moments(name, spec, frame, tables, origin)
    try:
        course = watched(now, COURSES[spec.kind](now))
        value, how = within(now, course) if spec.window else (course.time, course.how)
    except DataError as error:
        raise DataError(f"{name}: {error}") from None
    reasons, places = course.reasons, course.why
    out = places >= 0
    columns: dict[str, Any] = {name: np.where(out, np.nan, value)}
    if not spec.window:
        columns[f"{name}_end"] = worded(np.where(out, -1, how), course.ends)
    columns[f"{name}_why"] = worded(places, reasons)
    course.notes += now.unmet
    return pd.DataFrame(columns, index=frame.index), account(course)


def within(now: Moments, course: Course) -> tuple[np.ndarray, np.ndarray]:
    """1 for yes and 0 for no, of those who were watched for the whole window; the others get a reason.

    What counts is how long a row could have been watched, whatever happened: to count those whose event came early and
    wait with the others would make the share of events too large.
    """
    window = float(now.spec.window or 0.0)
    shown = wording.typed(window)
    short = course.span < window - SAME
    course.leave(short, f"watched for less than {shown} {wording.units(now.spec.unit, shown)}: not yet countable")
    happened = (course.how == 0) & (course.time <= window + SAME)
    return (~happened if now.spec.kind == "retention" else happened).astype(np.float64), course.how


def worded(places: np.ndarray, words: list[str]) -> pd.api.extensions.ExtensionArray:
    """Words by their place; missing where it is -1."""
    result: pd.api.extensions.ExtensionArray = pd.array([*words, np.nan], dtype="str")[places]
    return result


def account(course: Course) -> str:
    """How many rows have a value, and how many none for which reason."""
    counts = np.bincount(course.why[course.why >= 0], minlength=len(course.reasons))
    gone = [f"{rows:,} rows: {why}" for why, rows in zip(course.reasons, counts, strict=True) if rows]
    return "; ".join([f"{int((course.why < 0).sum()):,} rows counted", *gone, *course.notes])
