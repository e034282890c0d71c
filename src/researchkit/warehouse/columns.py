"""The columns of a table that stays in place against the study file: typed, coded, in range, told by counts alone.

The in-memory twin is `codebook`. Distinct entries of a category are few, so they are fetched and spelled here by the
same rules; a number is never fetched.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from researchkit.codebook import NEARLY, UNDECLARED, VAST, Bounds, Wanted, not_there, shorten, wanted
from researchkit.errors import some
from researchkit.parts import Column
from researchkit.readers.relation import Relation
from researchkit.readers.values import TRUTH, a_number, canonical, written
from researchkit.study import Study

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

MOST_LEVELS = 10_000  # distinct entries of a category that are fetched
LARGEST = 1.7976931348623157e308  # of a float; only an infinite one is beyond


@dataclass(frozen=True, eq=False)
class Entry:
    """One column, or score, as the study means it.

    `value` is a double for "number", else the entry as it is stored; NULL where missing. `spelled` holds the code of
    each distinct entry of a "category", and `often` how many rows have it.
    """

    name: str
    kind: str  # number, category, text, date
    value: ColumnElement[Any]
    spelled: Mapping[Any, str] = field(default_factory=dict)
    often: Mapping[str, int] = field(default_factory=dict)

    def among(self, codes: Iterable[str]) -> ColumnElement[Any]:
        """The condition that the entry is one of `codes`; NULL where it is missing."""
        import sqlalchemy as sa

        sought = {canonical(code) for code in codes}
        held: list[Any]
        if self.kind == "category":
            held = [raw for raw, code in self.spelled.items() if canonical(code) in sought]
        elif self.kind == "number":
            held = [float(code) for code in (TRUTH.get(one.lower(), one) for one in sought) if a_number(code)]
        else:
            held = sorted({*codes, *sought})
        return self.value.in_(held) if held else sa.case((self.value.is_not(None), sa.false()))


@dataclass(frozen=True, eq=False)
class Told:
    """What the counts say of one column: entries there, and for a number its ends and mean."""

    known: int
    low: float | None = None
    high: float | None = None
    mean: float | None = None


@dataclass
class Look:
    """One table on its way to entries, with what was found wrong."""

    study: Study
    table: str
    relation: Relation
    need: Wanted
    rows: int = 0
    digest: str = ""  # of the rows in whatever order, where the table can be asked for one
    entries: dict[str, Entry] = field(default_factory=dict)
    told: dict[str, Told] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def column(self, name: str) -> Column:
        return self.study.columns.get(name, UNDECLARED)

    def source(self, name: str) -> str:
        return self.column(name).from_ or name

    def kind(self, name: str) -> str:
        """What the table stores in a column."""
        return self.relation.kinds[self.source(name)]

    def raw(self, name: str) -> ColumnElement[Any]:
        """The entry as it is stored; nothing but spaces, and NaN, are missing."""
        import sqlalchemy as sa

        column, kind = self.relation.column(self.source(name)), self.kind(name)
        if kind == "text":
            return sa.case((sa.func.trim(column) != "", column))
        if kind == "truth":
            return sa.case((column.is_(True), 1.0), (column.is_(False), 0.0))
        if kind in ("number", "whole"):
            double = sa.cast(column, sa.Double)
            if kind == "whole" or not self.relation.nan:
                return double
            return sa.func.nullif(double, sa.cast(sa.literal_column("'NaN'"), sa.Double), type_=sa.Double)
        return sa.cast(column, sa.String)

    def gaps(self, name: str) -> bool:
        """Whether any row of the table lacks an entry in a column."""
        return self.told[name].known < self.rows

    def one(self, asked: Mapping[Any, Any], where: ColumnElement[Any] | None = None) -> dict[Any, Any]:
        """One row of sums and counts over the table; `asked` names them."""
        import sqlalchemy as sa

        named = [what.label(f"a{place}") for place, what in enumerate(asked.values())]
        statement = sa.select(*named).select_from(self.relation.rows)
        found = self.relation.ask(statement if where is None else statement.where(where))
        return dict(zip(asked, found.iloc[0].tolist(), strict=True))

    def levels(self, value: ColumnElement[Any], where: ColumnElement[Any] | None = None) -> dict[Any, int] | None:
        """How many rows hold each distinct entry; None where there are more than `MOST_LEVELS`."""
        import sqlalchemy as sa

        statement = sa.select(value.label("entry"), sa.func.count().label("often")).select_from(self.relation.rows)
        statement = statement if where is None else statement.where(where)
        found = self.relation.ask(statement.group_by(sa.text("1")).limit(MOST_LEVELS + 1))
        found = found[found["entry"].notna()]
        if len(found) > MOST_LEVELS:
            return None
        return dict(zip(found["entry"].tolist(), map(int, found["often"].tolist()), strict=True))


def looked(study: Study, table: str, relation: Relation) -> Look:
    """Every column that the study uses or declares, checked; scores come after (`scores.scored`)."""
    look = Look(study, table, relation, wanted(study, table))
    there = []
    for name in dict.fromkeys([*look.need.columns, *study.columns]):
        if look.source(name) in relation.kinds:
            there.append(name)
        elif name in look.need.columns:
            look.problems.append(not_there(name, look.source(name), pd.Index(list(relation.kinds))))
    strange = [name for name in there if look.kind(name) == "other" and name in look.need.columns]
    look.problems += [f"{name}: the table holds no plain entries there (a list or a structure)." for name in strange]
    there = [name for name in there if look.kind(name) != "other"]
    kinds = kinds_of(look, there)
    for name in there:
        look.entries[name] = entry_of(look, name, kinds[name])
    measure(look)
    if unused := sorted(set(relation.kinds) - {look.source(name) for name in there}):
        words = "column of the table is" if len(unused) == 1 else "columns of the table are"
        look.notes.append(f"{len(unused)} {words} not used by the study: {some(unused)}.")
    return look


def kinds_of(look: Look, names: Iterable[str]) -> dict[str, str]:
    """Number, category, text or date: by its declared type, its use, or what it holds (as `codebook.typed`)."""
    import sqlalchemy as sa

    kinds, open_ones = dict[str, str](), list[str]()
    for name in names:
        column, stored = look.column(name), look.kind(name)
        kind: str | None = column.type or (
            "number" if name in look.need.numbers else "id" if name in look.need.ids else None
        )
        kind = "text" if kind == "id" else kind
        if kind is None and column.codes:
            kind = "category"
        if kind is None:
            kind = {"date": "category", "text": "number"}.get(stored, "number")
            if stored == "text" and column.range is None:
                open_ones.append(name)
        kinds[name] = kind
    asked = {}
    for name in open_ones:
        raw = look.raw(name)
        asked[name, "known"] = sa.func.count(raw)
        asked[name, "good"] = sa.func.count(look.relation.number(raw))
    found = look.one(asked) if asked else {}
    for name in open_ones:
        known, good = found[name, "known"], found[name, "good"]
        if known - good > (1 - NEARLY) * known:
            kinds[name] = "category"
    return kinds


def entry_of(look: Look, name: str, kind: str) -> Entry:
    """One column with its codes of missing taken out, recoded, and for a category spelled."""
    column = look.column(name)
    apart = [code for scale in look.study.scales.values() if name in scale.items for code in scale.not_applicable]
    gone = {canonical(code) for code in (*column.missing, *everywhere(look), *map(written, apart))}
    raw = look.raw(name)
    value = without(raw, gone, look.kind(name) == "text")
    if kind == "number":
        return Entry(name, kind, recoded(number(look, name, value), column))
    if kind != "category":
        return Entry(name, kind, value)
    found = look.levels(value)
    if found is None:
        look.problems.append(
            f"{name}: more than {MOST_LEVELS:,} different entries, too many for a category. Say `type: number` or "
            "`type: text`, or join rare entries there."
        )
        return Entry(name, "text", value)
    new = {canonical(old): code for old, code in column.recode.items()}
    codes = {canonical(code): code for code in column.codes}
    spelled, often, strange = dict[Any, str](), dict[str, int](), dict[str, int]()
    for entry, rows in found.items():
        code = canonical(entry if isinstance(entry, str) else written(entry))
        code = canonical(new.get(code, code))
        if codes and code not in codes:
            strange[code] = strange.get(code, 0) + rows
        code = codes.get(code, code)
        spelled[entry], often[code] = code, often.get(code, 0) + rows
    if strange:
        look.problems.append(outside_codes(name, column, strange))
    return Entry(name, kind, value, spelled, often)


def everywhere(look: Look) -> tuple[str, ...]:
    """The codes that mean missing in every column of the table."""
    return look.study.tables[look.table].files[0].missing


def outside_codes(name: str, column: Column, strange: Mapping[str, int]) -> str:
    known, total = [repr(code) for code in column.codes], sum(strange.values())
    choice = f"neither {known[0]} nor {known[1]}" if len(known) == 2 else f"none of {some(known)}"
    words = "value is" if total == 1 else "values are"
    return f"{name}: {total:,} {words} {choice} ({some(map(shorten, strange), 3)})."


def without(raw: ColumnElement[Any], gone: set[str], text: bool) -> ColumnElement[Any]:
    """The entry, NULL where it is one of the codes that mean missing."""
    import sqlalchemy as sa

    if text:
        spellings = sorted(gone | {f"{float(code)}" for code in gone if a_number(code)})
        return sa.case((sa.func.trim(raw).in_(spellings), None), else_=raw) if gone else raw
    held = [float(code) for code in gone if a_number(code)]
    return sa.case((raw.in_(held), None), else_=raw) if held else raw


def number(look: Look, name: str, value: ColumnElement[Any]) -> ColumnElement[Any]:
    return look.relation.number(value) if look.kind(name) in ("text", "date") else value


def recoded(value: ColumnElement[Any], column: Column) -> ColumnElement[Any]:
    import sqlalchemy as sa

    numbers = [(old, new) for old, new in column.recode.items() if a_number(old) and a_number(new)]
    changes = [(value == float(old), float(new)) for old, new in numbers]
    return sa.case(*changes, else_=value) if changes else value


def measure(look: Look) -> None:
    """One pass: how many entries there are, and where numbers end; a second one only where something is wrong."""
    import sqlalchemy as sa

    asked: dict[Any, Any] = {("", "rows"): sa.func.count()}
    for name, entry in look.entries.items():
        asked[name, "known"] = sa.func.count(entry.value)
        if entry.kind == "number":
            asked |= {(name, what): getattr(sa.func, do)(entry.value) for what, do in ENDS.items()}
            if look.kind(name) in ("text", "date") or look.column(name).missing or everywhere(look):
                asked[name, "stored"] = sa.func.count(look.raw(name))
            if look.kind(name) in ("text", "date"):
                gone = without(look.raw(name), missing_codes(look, name), True)
                asked[name, "meant"] = sa.func.count(gone)
    if look.relation.hashed is not None:  # their sum is exact, so the order of the rows does not matter
        row = look.relation.hashed([look.raw(name) for name in sorted(look.entries)])
        asked["", "digest"] = sa.cast(sa.func.sum(row), sa.String)
    found = look.one(asked)
    look.rows, look.digest = int(found["", "rows"]), str(found.get(("", "digest"), ""))
    for name, entry in look.entries.items():
        ends = [found.get((name, what)) for what in ENDS]
        low, high, mean = (None if end is None or pd.isna(end) else float(end) for end in ends)
        look.told[name] = Told(int(found[name, "known"]), low, high, mean)
        if entry.kind == "number":
            meant = found.get((name, "meant"))
            if meant is not None and meant > found[name, "known"]:
                bad = int(meant - found[name, "known"])
                words = "entry is no number" if bad == 1 else "entries are no numbers"
                look.problems.append(
                    f"{name}: {bad:,} {words} among {int(meant):,}. Correct them at the source, or declare them under "
                    "`missing:`, or say `type: text` if words are meant."
                )
            stored = found.get((name, "stored"))
            if meant is None and stored is not None and stored > found[name, "known"]:
                look.notes.append(f"{name}: {int(stored - found[name, 'known']):,} entries hold a code of missing.")
            ranged(look, name)


ENDS = {"low": "min", "high": "max", "mean": "avg"}


def missing_codes(look: Look, name: str) -> set[str]:
    return {canonical(code) for code in (*look.column(name).missing, *everywhere(look))}


def ranged(look: Look, name: str, bounds: Bounds | None = None) -> None:
    """Values that are infinite, too large to be any measurement, or outside the range, counted where there are any."""
    import sqlalchemy as sa

    told, value, column = look.told[name], look.entries[name].value, look.column(name)
    if bounds is None and column.range:
        bounds = (*column.range, f"columns: {name}:")
    if told.low is None or told.high is None:
        return
    if max(abs(told.low), abs(told.high)) > VAST:
        size = sa.func.abs(value)
        infinite, vast = sa.func.count(sa.case((size > LARGEST, 1))), sa.func.count(sa.case((size > VAST, 1)))
        found = look.one({"infinite": infinite, "vast": vast})
        if found["infinite"]:
            after = "(a division by zero makes such values; leave them empty)."
            look.problems.append(f"{name}: {int(found['infinite']):,} values are infinite {after}")
        if more := int(found["vast"] - found["infinite"]):
            look.problems.append(f"{name}: {more:,} values are beyond 1e100 (a code for missing? then list it).")
        return
    if bounds is None or (told.low >= bounds[0] and told.high <= bounds[1]):
        return
    low, high, where = bounds
    outside = sa.func.count(sa.case((sa.or_(value < low, value > high), 1)))
    rows = int(look.one({"outside": outside})["outside"])
    look.problems.append(
        f"{name}: {rows:,} {'answer' if rows == 1 else 'answers'} outside {written(low)}-{written(high)}. Correct them "
        f"at the source, or change the range under `{where}` in {look.study.path.name}."
    )


def fingerprint(look: Look) -> str:
    """ "sha256:..." of names, counts and ends of the columns, of how often each code stands, and of the rows' digest.

    The order of the rows is not in it: what stays in place has none.
    """
    told = {
        name: [look.told[name].known, look.told[name].low, look.told[name].high, sorted(entry.often.items())]
        for name, entry in sorted(look.entries.items())
        if name in look.told
    }
    return f"sha256:{hashlib.sha256(json.dumps([look.rows, look.digest, told]).encode()).hexdigest()}"
