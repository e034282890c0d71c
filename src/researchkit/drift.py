"""An export against an earlier one of the same kind: columns lost, added, renamed, recoded; gaps; other units.

Exports change without a word. A lost column stops by itself; one that changed its codes, its unit or who is missing
gives another answer and no error. Nothing here names a row.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.codebook import wanted
from researchkit.errors import DataError, some
from researchkit.readers import Gathered, gather
from researchkit.readers.values import canonical, distinct, numbers
from researchkit.sources import locate
from researchkit.study import Study

FEW_CODES = 25  # distinct entries up to which a column is one of codes
ALIKE = 0.6  # of two names, or of the entries under them
MORE_MISSING, SURE = 0.02, 3.3  # a change of two in a hundred, and beyond chance (p < .001)
TIMES = 4.0  # numbers so many times as large are in another unit


@dataclass(frozen=True)
class Change:
    """What changed in one column; `spoils` where a question reads it, so that its answer would be another."""

    column: str
    words: str
    spoils: bool

    def __str__(self) -> str:
        return f"{self.column}: {self.words}{' (a question reads it)' if self.spoils else ''}"


def drift(study: Study, table: str, old: Path) -> list[Change]:
    """What is different in a table of the study from an earlier export of it.

    Parameters
    ----------
    old
        The earlier file, of the kind that the study's own is; or a folder with files of the same names.

    Raises
    ------
    DataError
        If either cannot be read.
    """
    now, before = gather(study, table, locate), earlier(study, table, old)
    read = {called(study, name) for name in used_by_questions(study, table) & set(wanted(study, table).columns)}
    lost = [str(name) for name in before.frame if name not in now.frame]
    added = [str(name) for name in now.frame if name not in before.frame]
    changes = []
    for name in lost:
        again = called_now(before.frame[name], now.frame[added])
        words = f"it is gone; {again!r} looks like it" if again else "it is gone"
        changes.append(Change(name, words, name in read))
    changes += [Change(name, "it is new", False) for name in added]
    for name in (str(name) for name in now.frame if name in before.frame):
        told = [*recoded(before.frame[name], now.frame[name]), *gaps(before.frame[name], now.frame[name])]
        changes += [Change(name, words, name in read) for words in told]
    return changes


def earlier(study: Study, table: str, old: Path) -> Gathered:
    """The earlier export, read as the study reads its own."""
    spec = study.tables[table]
    if not old.exists():
        raise DataError(f"There is no earlier export {old}.")
    if not old.is_dir() and len(spec.files) > 1:
        raise DataError(f"{table} is read from {len(spec.files)} files; name the folder that holds the earlier ones.")
    files = []
    for file in spec.files:
        name = Path(file.path or file.url or "").name
        place = old / name if old.is_dir() else old
        new = {"path": str(place.resolve()), "url": None, "sha256": None, "md5": None, "content": None}
        files.append(file.model_copy(update=new))
    tables = {**study.tables, table: spec.model_copy(update={"files": tuple(files)})}
    return gather(study.model_copy(update={"tables": tables}), table, locate)


def called(study: Study, name: str) -> str:
    """What the file calls a column of the study."""
    part = study.columns.get(name)
    return (part.from_ if part else None) or name


def used_by_questions(study: Study, table: str) -> set[str]:
    """Every column that an answer comes from, items of scales too."""
    names = {rule.column for rule in study.tables[table].keep}
    for question in study.questions:
        if study.table_of(question) == table:
            names |= {*question.columns, *study.clusters_of(question)}
    return names | {item for name in names if name in study.scales for item in study.scales[name].items}


def called_now(gone: pd.Series, new: pd.DataFrame) -> str:
    """The new column that is most like one that is gone, by its name or by what it holds; "" if none is."""
    close = difflib.get_close_matches(str(gone.name), list(map(str, new.columns)), n=1, cutoff=ALIKE)
    if close:
        return close[0]
    held = set(distinct(gone))
    shares = {name: len(held & (other := set(distinct(new[name])))) / max(len(held | other), 1) for name in new}
    best = max(shares, key=lambda name: shares[name], default="")
    return str(best) if best and shares[best] >= ALIKE else ""


def recoded(before: pd.Series, now: pd.Series) -> list[str]:
    """Codes that are new or gone, numbers that became words, numbers in another unit."""
    old, new = distinct(before), distinct(now)
    if not old or not new:
        return ["it is empty now"] if old else ["it was empty"] if new else []
    (then, words_then), (today, words_now) = numbers(before), numbers(now)
    if not words_then.any() and words_now.any():
        return [f"it held numbers, and now also words, such as {some([repr(one) for one in words(now)], 2)}"]
    if len(old) <= FEW_CODES and len(new) <= FEW_CODES:
        fresh, gone = sorted(set(new) - set(old)), sorted(set(old) - set(new))
        told = [f"new codes {some([repr(one) for one in fresh])}"] if fresh else []
        told += [f"no more {some([repr(one) for one in gone])}"] if gone else []
        return [" and ".join(told)] if told else []
    if words_then.any() or words_now.any():
        return []
    middle_then, middle_now = np.nanmedian(np.abs(then)), np.nanmedian(np.abs(today))
    if min(middle_then, middle_now) > 0 and not 1 / TIMES < middle_now / middle_then < TIMES:
        ratio = wording.number(float(middle_now / middle_then))
        return [f"the middle of its numbers is {ratio} times what it was: another unit?"]
    return []


def words(series: pd.Series) -> list[str]:
    return sorted({canonical(str(one)) for one in series[numbers(series)[1]]})


def gaps(before: pd.Series, now: pd.Series) -> list[str]:
    """A share of missing entries that changed by more than chance, and by enough to matter."""
    then, today = float(before.isna().mean()), float(now.isna().mean())
    whole = (before.isna().sum() + now.isna().sum()) / (len(before) + len(now))
    error = sqrt(whole * (1 - whole) * (1 / len(before) + 1 / len(now))) if 0 < whole < 1 else 0.0
    if abs(today - then) < MORE_MISSING or abs(today - then) <= SURE * error:
        return []
    return [f"missing in {wording.percent(today)} of the rows, where it was {wording.percent(then)}"]
