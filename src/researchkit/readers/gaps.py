"""Why a cell is empty, where its file says so: a second column beside the first, until the table is read.

"Refused", "never asked" and "too few to report" are three gaps, and a report that calls them one is wrong about two.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.readers.values import as_text, canonical, each

BESIDE = "\x1fwhy empty: "  # no file has a name that begins so


def explained(frame: pd.DataFrame, why: Mapping[str, pd.Series]) -> pd.DataFrame:
    """The frame with a reason (n,) beside each column of `why`; the one that a gap has already stays."""
    new = {}
    for name, reasons in why.items():
        told = reasons.astype("str").set_axis(frame.index)
        if told.notna().any():
            held = frame.get(BESIDE + name)
            new[BESIDE + name] = told if held is None else held.fillna(told)
    if not new:
        return frame
    kept = frame.drop(columns=[name for name in new if name in frame])
    return pd.concat([kept, pd.DataFrame(new, index=frame.index)], axis=1)


def reason(rows: NDArray[np.bool_], words: str) -> pd.Series:
    """The same reason in some rows, none in the others."""
    return pd.Series(words, index=range(len(rows)), dtype="str").where(rows)


def codes(before: pd.Series, after: pd.Series) -> pd.Series:
    """ "coded -9" where an entry was made missing between the two."""
    gone = before.notna() & after.isna()
    return each(as_text(before).where(gone), lambda code: f"coded {canonical(code)}")


def parted(frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table by itself, and the reasons by the names of its columns."""
    beside = [name for name in frame.columns if name.startswith(BESIDE)]
    if not beside:
        return frame, pd.DataFrame(index=frame.index)
    return frame.drop(columns=beside), frame[beside].rename(columns=lambda name: name.removeprefix(BESIDE))


def by_column(gaps: pd.DataFrame) -> dict[str, pd.Series]:
    """What `parted` took out, as `explained` wants it."""
    return {str(name): gaps[name] for name in gaps.columns}


def names_of(frame: pd.DataFrame) -> list[str]:
    """The names of the columns without those of reasons."""
    return [str(name) for name in frame.columns if not str(name).startswith(BESIDE)]


def with_beside(names: list[str], frame: pd.DataFrame) -> list[str]:
    """The names, each followed by the column of its reasons where there is one."""
    return [one for name in names for one in (name, BESIDE + name) if one == name or one in frame]
