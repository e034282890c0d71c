"""An export against an earlier one of the same kind: columns lost, added, renamed, recoded; gaps; other units.

Exports change without a word. A lost column stops by itself; one that changed its codes, its unit or who is missing
gives another answer and no error. Nothing here names a row.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path

from researchkit import wording
from researchkit.codebook import wanted
from researchkit.errors import DataError, some
from researchkit.outline import SELDOM, Outline, outlines
from researchkit.readers import gather, paths_of
from researchkit.readers.meaning import meanings, shortened
from researchkit.readers.values import PLAIN_NUMBER
from researchkit.sources import locate
from researchkit.study import Study

ALIKE = 0.6  # of two names, or of the entries under them
MORE_MISSING, SURE = 0.02, 3.3  # a change of two in a hundred, and beyond chance (p < .001)
TIMES = 4.0  # numbers so many times as large are in another unit
EXPECTED = 7.0  # times that a code was to be expected, so that it is missing by chance in one case of a thousand
PASSING = re.compile(r"(^|[^a-z])(year|quarter|month|week|date|day|period|wave|round|term)s?([^a-z]|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Change:
    """What changed in one column; `spoils` where a question reads it, so that its answer would be another."""

    column: str
    words: str
    spoils: bool
    gone: bool = False

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
    before, now = outlined(earlier(study, table, old), table), outlined(study, table)
    return changes(before, now, read_by_questions(study, table), units(study, table))


def outlined(study: Study, table: str) -> dict[str, Outline]:
    """A table of the study in outline, with what its files call the columns.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    labels: dict[str, str] = {}
    for file in study.tables[table].files:
        names = {**{name: name for name in file.rename.values()}, **file.rename}
        for path, _ in paths_of(study, file, locate)[:1]:
            labels |= {names.get(name, name): told.label for name, told in meanings(path, file).items()}
    found = outlines(gather(study, table, locate).frame, labels)
    said = {called(study, text) for text in study.words_in(table)}  # what people said is neither kept nor told
    return {name: replace(one, codes=None, words=()) if name in said else one for name, one in found.items()}


def changes(
    before: Mapping[str, Outline], now: Mapping[str, Outline], read: set[str], units: Iterable[str] = ()
) -> list[Change]:
    """What is different between two outlines of a table.

    Parameters
    ----------
    before, now
        By the file's names of the columns.
    read
        The columns that a question reads: a change of theirs that is beyond chance spoils its answer.
    units
        Columns that say whose a row is: people and teams come and go.
    """
    added = {name: one for name, one in now.items() if name not in before}
    found = []
    for name, one in before.items():
        if name not in now:
            again = called_now(name, one, added)
            words = f"it is gone; {again!r} looks like it" if again else "it is gone"
            found.append(Change(name, words, name in read, gone=True))
    found += [Change(name, "it is new", False) for name in added]
    passing = {name for name in now if PASSING.search(name)} | set(units)
    for name in (name for name in now if name in before):
        told = [
            *asked_otherwise(before[name], now[name]),
            *recoded(before[name], now[name], name in passing),
            *gaps(before[name], now[name]),
        ]
        found += [Change(name, words, sure and name in read) for words, sure in told]
    return found


def earlier(study: Study, table: str, old: Path) -> Study:
    """The study with the earlier export in the place of its own.

    Raises
    ------
    DataError
        If there is no such file, or a folder is wanted.
    """
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
    return study.model_copy(update={"tables": tables})


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
    built = {name for name in names if name in study.events}
    made = {column for name in study.events for column in study.made(name)}
    names |= {item for name in names if name in study.scales for item in study.scales[name].items}
    names |= {column for name in built for column in study.events[name].columns}
    heard = study.heard_in(table)
    names |= {column for name in {heard[one] for one in names & heard.keys()} for column in study.turns_of(name, table)}
    return names - made - heard.keys()


def read_by_questions(study: Study, table: str) -> set[str]:
    """What the file calls the columns that some question reads."""
    return {called(study, name) for name in used_by_questions(study, table) & set(wanted(study, table).columns)}


def units(study: Study, table: str) -> set[str]:
    """What the file calls the columns that say whose a row is, and that no question asks about by itself."""
    spec = study.tables[table]
    asked = {one for question in study.questions for one in (question.exposure.column, question.outcome.column)}
    return {called(study, name) for name in (spec.people, *spec.clusters) if name not in asked}


def called_now(name: str, gone: Outline, added: Mapping[str, Outline]) -> str:
    """The new column that is most like one that is gone, by its name or by what it holds; "" if none is."""
    close = difflib.get_close_matches(name, list(added), n=1, cutoff=ALIKE)
    if close:
        return close[0]
    shares = {new: gone.in_common(one) for new, one in added.items()}
    best = max(shares, key=lambda new: shares[new], default="")
    return best if best and shares[best] >= ALIKE else ""


def asked_otherwise(before: Outline, now: Outline) -> list[tuple[str, bool]]:
    """A column that has kept its name and belongs to another question."""
    if not before.label or not now.label or before.label.casefold() == now.label.casefold():
        return []
    return [(f"it was “{shortened(before.label)}”, and is “{shortened(now.label)}” now", True)]


def recoded(before: Outline, now: Outline, passing: bool) -> list[tuple[str, bool]]:
    """Codes that are new or gone, words among numbers, numbers in another unit; and whether that is beyond chance.

    Of a column that is `passing` (months, teams) other codes are to be expected.
    """
    if before.empty or now.empty:
        return [("it is empty now", True)] if not before.empty else [("it was empty", True)] if not now.empty else []
    if not before.words and now.words:
        seen = f", such as {some(map(repr, now.words), 2)}" if any(now.words) else ""
        return [(f"it held numbers, and now also words{seen}", True)]
    if before.codes is not None and now.codes is not None:
        return codes_of(before, now, passing or moves_on(before, now))
    if before.middle is None or now.middle is None:
        return []
    if min(before.middle, now.middle) > 0 and not 1 / TIMES < now.middle / before.middle < TIMES:
        ratio = wording.number(now.middle / before.middle)
        return [(f"the middle of its numbers is {ratio} times what it was: another unit?", True)]
    return []


def codes_of(before: Outline, now: Outline, passing: bool) -> list[tuple[str, bool]]:
    """Codes that stand in one of the two only."""
    then, today = before.codes or {}, now.codes or {}
    fresh = [one for mark, one in today.items() if mark not in then]
    gone = [one for mark, one in then.items() if mark not in today]
    if passing or not (fresh or gone):
        return []
    told = []
    for words, codes, rows in (("new codes", fresh, now.rows), ("no more", gone, before.rows)):
        named = [repr(code.text) for code in codes if code.text and code.share * rows >= SELDOM]
        rare = len(codes) - len(named)
        named += [f"{rare} that {'stands' if rare == 1 else 'stand'} seldom"] if rare else []
        told += [f"{words} {some(named)}"] if named else []
    sure = any(code.share * before.rows >= EXPECTED for code in fresh) or any(
        code.share * now.rows >= EXPECTED for code in gone
    )
    return [(" and ".join(told), sure)]


def moves_on(before: Outline, now: Outline) -> bool:
    """Whether the codes are dates or months, of which every export has others."""
    texts = [code.text for one in (before, now) for code in (one.codes or {}).values() if code.text]
    return bool(texts) and all(
        re.match(r"\d{4}-\d{2}|\d{1,2}\.\d{1,2}\.\d{4}", text) and not PLAIN_NUMBER.fullmatch(text) for text in texts
    )


def gaps(before: Outline, now: Outline) -> list[tuple[str, bool]]:
    """A share of missing entries that changed by more than chance, and by enough to matter."""
    whole = (before.missing * before.rows + now.missing * now.rows) / (before.rows + now.rows)
    error = sqrt(whole * (1 - whole) * (1 / before.rows + 1 / now.rows)) if 0 < whole < 1 else 0.0
    if abs(now.missing - before.missing) < MORE_MISSING or abs(now.missing - before.missing) <= SURE * error:
        return []
    words = f"missing in {wording.percent(now.missing)} of the rows, where it was {wording.percent(before.missing)}"
    return [(words, True)]
