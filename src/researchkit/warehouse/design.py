"""The columns of one question as expressions: outcome, exposure, and an indicator for each level of a category.

The same rules as `sample`: which level is the reference, what counts as yes, what each answer is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from researchkit.errors import StudyError, some
from researchkit.estimators.ordered import counts_as
from researchkit.flow import Step
from researchkit.parts import Question
from researchkit.readers.values import a_number, by_size, canonical, written
from researchkit.sample import NPS, codes_of, compared, exposure_name
from researchkit.warehouse.columns import Entry, Look
from researchkit.warehouse.flow import Kept

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement


@dataclass(frozen=True, eq=False)
class Part:
    """One column of the line: its expression, what is subtracted and divided by, and the category it is a level of."""

    value: ColumnElement[Any]
    centre: float = 0.0
    scale: float = 1.0
    level_of: str = ""


@dataclass(frozen=True, eq=False)
class Levels:
    """The distinct entries of a column among the rows of the question: code -> rows, and code -> entries as stored."""

    often: dict[str, int]
    stored: dict[str, list[Any]]

    def one(self, value: ColumnElement[Any], code: str, level_of: str) -> Part:
        """1 where the entry is of that code, else 0."""
        import sqlalchemy as sa

        return Part(sa.case((value.in_(self.stored[code]), 1.0), else_=0.0), level_of=level_of)


@dataclass
class Drawing:
    """The complete rows of a question, on the way to sums."""

    look: Look
    question: Question
    kept: Kept
    problems: list[str] = field(default_factory=list)
    remarks: list[Step] = field(default_factory=list)

    def entry(self, name: str) -> Entry:
        return self.look.entries[name]

    def levels(self, name: str) -> Levels:
        entry, often, stored = self.entry(name), dict[str, int](), dict[str, list[Any]]()
        found = self.look.levels(entry.value, self.kept.where)
        if found is None:
            raise StudyError(
                f"Question {self.question.id!r}: {name} has too many different entries to be a category; say "
                "`type: number` if numbers are meant, or join rare entries there."
            )
        for raw, rows in found.items():
            code = entry.spelled.get(raw) or (raw if isinstance(raw, str) else written(raw))
            code = canonical(code)
            often[code] = often.get(code, 0) + rows
            stored.setdefault(code, []).append(raw)
        return Levels(often, stored)

    def baseline(self) -> tuple[str, str, Part]:
        """The baseline of a change, as a covariate that is always in."""
        name = str(self.question.outcome.baseline)
        return f"{name} (centred)", "", number(self, name)


def number(now: Drawing, name: str, per: float = 1.0) -> Part:
    """A column of numbers; a problem where it holds words.

    What is subtracted and divided by is that of the whole table: it only keeps digits, and the sums know of it.
    """
    entry, told = now.entry(name), now.look.told[name]
    if entry.kind != "number":
        there = some([repr(code) for code in sorted(entry.often, key=by_size)], 3)
        now.problems.append(f"{name}: numbers are wanted here; it holds {there or 'text or dates'}.")
        return Part(entry.value)
    low, high, mean = told.low or 0.0, told.high or 0.0, told.mean or 0.0
    wide = (high - low) / 4  # a spread is seldom more, and half of it is as good
    scale = wide if wide > 1e-13 * abs(mean) else 1.0
    return Part(entry.value if per == 1 else entry.value / per, mean / per, scale / per)


def outcome_of(now: Drawing) -> tuple[Part, ColumnElement[Any] | None]:
    """The outcome in the headline's unit, and the weight of each row where it is a rate."""
    import sqlalchemy as sa

    outcome = now.question.outcome
    if outcome.kind == "yes_no":
        return yes_no(now), None
    if outcome.kind == "ordered":
        return ordered(now), None
    part, told = number(now, outcome.column), now.look.told
    if outcome.kind != "counts" or now.problems:
        return part, None
    value = now.entry(outcome.column).value
    if (told[outcome.column].low or 0) < 0 or now.look.kind(outcome.column) != "whole":
        odd = sa.func.count(sa.case((sa.or_(value < 0, value != sa.func.floor(value)), 1)))
        wrong(now, outcome.column, odd, "entries are no counts (0, 1, 2, ...)")
    if not outcome.time:
        return part, None
    time, spans = number(now, outcome.time), told[outcome.time]
    if (spans.low or 0) <= 0:
        wrong(now, outcome.time, sa.func.count(sa.case((time.value <= 0, 1))), "times are not above 0")
    rate = (told[outcome.column].mean or 0.0) / (spans.mean or 1.0)
    # what is divided by is said to be a double: an untyped one would be cast to a decimal of few places
    return Part(value / sa.func.nullif(time.value, 0.0, type_=sa.Double), rate, part.scale), time.value


def wrong(now: Drawing, name: str, counted: ColumnElement[Any], words: str) -> None:
    """Note a problem with some of the rows that are in."""
    if rows := int(now.look.one({"n": counted}, now.kept.where)["n"]):
        now.problems.append(f"{name}: {rows:,} {words}.")


def yes_no(now: Drawing) -> Part:
    """1 where the entry is the one that counts as yes; there may be one other entry only."""
    import sqlalchemy as sa

    outcome = now.question.outcome
    held, yes = now.levels(outcome.column), canonical(outcome.yes)
    yes = yes if yes in held.often else {"true": "1", "false": "0"}.get(yes.lower(), yes)
    others = [code for code in held.often if code != yes]
    expected = yes in held.often or yes in codes_of(now.look.study, outcome.column) or set(others) <= {"0", "1"}
    if len(others) > 1 or not expected:
        there = some([repr(code) for code in sorted(held.often, key=by_size)])
        now.problems.append(
            f"{outcome.column}: yes is {outcome.yes!r}, and there must be one other value that means no; it holds "
            f"{there}. Set `yes:`, list what is no answer under `missing:`, or use `recode:` or `keep:`."
        )
    if yes not in held.stored:
        return Part(sa.case((now.kept.where, 0.0), else_=0.0))
    return held.one(now.entry(outcome.column).value, yes, "")


@dataclass(frozen=True)
class Answers:
    """The levels of an ordered outcome, as `estimators.ordered.counts_as` reads them from a sample."""

    levels: tuple[str, ...]
    level_values: tuple[float, ...]
    level_codes: tuple[str, ...]


def ordered(now: Drawing) -> Part:
    """What each answer is worth: 1 in the top group and 0 below, or 100, 0 and -100 for a net promoter score."""
    import numpy as np
    import sqlalchemy as sa

    outcome = now.question.outcome
    held, labels = now.levels(outcome.column), codes_of(now.look.study, outcome.column)
    nothing, there = Part(now.entry(outcome.column).value), sorted(held.often, key=by_size)
    if outcome.nps and not set(there) <= set(NPS):
        strange = some([code for code in there if code not in NPS])
        now.problems.append(f"{outcome.column}: likelihood to recommend goes from 0 to 10; it holds {strange} too.")
        return nothing
    if all(a_number(code) for code in there):
        values = {code: float(code) for code in there}
    elif set(there) <= set(labels):
        values = {code: float(place) for place, code in enumerate(labels) if code in there}
    else:
        now.problems.append(f"{outcome.column}: words have no order; list them from low to high under `codes:`.")
        return nothing
    if outcome.top and not any(canonical(code) in values for code in outcome.top):
        now.problems.append(f"{outcome.column}: no entry is in the top group ({some(outcome.top)}).")
        return nothing
    order = sorted(values, key=lambda code: values[code])
    told = Answers(tuple(labels.get(code, code) for code in order), tuple(values[code] for code in order), tuple(order))
    worth: Any = counts_as(told, now.question, np.arange(len(order)))  # type: ignore[arg-type]
    value = now.entry(outcome.column).value
    whens = [(value.in_(held.stored[code]), float(points)) for code, points in zip(order, worth, strict=True)]
    return Part(sa.case(*whens), scale=100.0 if outcome.nps else 1.0)


Found = tuple[Part, dict[tuple[str, str], Part], tuple[str, str] | None, str, bool]


def exposure_of(now: Drawing) -> Found:
    """The exposure, indicators for its further levels, the two codes compared, the contrast, and whether it is 0/1."""
    import sqlalchemy as sa

    exposure, study = now.question.exposure, now.look.study
    entry, called = now.entry(exposure.column), exposure_name(study, exposure)
    if exposure.reference is None and exposure.level is None:
        if entry.kind != "number":
            coded = some([repr(code) for code in sorted(now.levels(exposure.column).often, key=by_size)])
            raise StudyError(
                f"Question {now.question.id!r}: the exposure {exposure.column!r} is coded ({coded}); say which two are "
                f"compared: `exposure: {{column: {exposure.column}, reference: ..., level: ...}}`."
            )
        part = study.columns.get(exposure.column) or study.scales.get(exposure.column)
        unit = (part.unit if part else None) or ""
        steps = number(now, exposure.column, exposure.per)
        others = sa.func.count(sa.case((steps.value.not_in([0.0, 1.0]), 1)))
        binary = not now.look.one({"n": others}, now.kept.where)["n"]
        steps = Part(steps.value) if binary else steps
        return steps, {}, None, f"{called} +{written(exposure.per)} {unit}".strip(), binary
    held = now.levels(exposure.column)
    there = sorted(held.often, key=by_size)
    reference, level = compared(now, exposure, there)  # type: ignore[arg-type]
    labels = codes_of(study, exposure.column)
    further = {
        (exposure.column, f"{exposure.column}: {labels.get(code, code)}"): held.one(entry.value, code, exposure.column)
        for code in there
        if code not in (reference, level)
    }
    spelling = {canonical(code): code for code in (study.columns[exposure.column].codes if labels else ())}
    arms = spelling.get(reference, reference), spelling.get(level, level)
    contrast = f"{labels.get(level, level)} against {labels.get(reference, reference)}"
    return held.one(entry.value, level, exposure.column), further, arms, contrast, True


def covariates_of(now: Drawing, adjust: Sequence[str]) -> dict[tuple[str, str], Part]:
    """One column for a number, an indicator for each level of a category but the reference."""
    columns: dict[tuple[str, str], Part] = {}
    for name in adjust:
        entry = now.entry(name)
        if entry.kind == "date":
            now.problems.append(f"{name}: a date cannot be adjusted for; make it a number, such as days since a start.")
        elif entry.kind == "number":
            columns[name, name] = number(now, name)
        else:
            columns |= indicators(now, name)
    varies = {group for group, _ in columns}
    flat = [name for name in adjust if name not in varies and now.entry(name).kind != "date"]
    now.remarks += [Step(f"{name} never varies and is not adjusted for", 0) for name in flat]
    return columns


def indicators(now: Drawing, name: str) -> dict[tuple[str, str], Part]:
    """The levels but the reference: the first code of the codebook that occurs, or else the most frequent level."""
    held, labels = now.levels(name), codes_of(now.look.study, name)
    order = [code for code in labels if code in held.often]
    reference = order[0] if order else min(held.often, key=lambda code: (-held.often[code], code))
    value = now.entry(name).value
    return {
        (name, f"{name}: {labels.get(code, code)}"): held.one(value, code, name)
        for code in order or sorted(held.often, key=by_size)
        if code != reference
    }
