"""The columns of a table against the study file: typed, coded, in range, or told apart as problems.

A problem names rows and the offending entry, never another cell of the same row.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.doubts import totals
from researchkit.errors import DataError, StudyError, listing, some
from researchkit.events import of_events
from researchkit.parts import Column, Question, Scale
from researchkit.readers import Gathered, gaps
from researchkit.readers.foreign import dotted, foreign, mend
from researchkit.readers.values import among, as_text, blank, canonical, distinct, each, numbers, written
from researchkit.scales import load_key, rule_of, score_scale, straight_lined
from researchkit.study import Study

Bounds = tuple[float, float, str]  # lowest, highest, and where the study file says so
NEARLY = 0.9  # from this share of numbers on, a column without a declared type is one of numbers with mistakes in it
VAST = 1e100  # beyond it squares overflow, and nothing measured is that large
UNDECLARED = Column.model_validate({})
FEW = 7  # different words, up to which they may be answers
SHORT = 40  # characters of an entry that a message shows


@dataclass(frozen=True)
class Wanted:
    """What a table must hold: columns of the file and scales, by what the study does with them."""

    columns: tuple[str, ...]
    scales: tuple[str, ...]
    times: frozenset[str]  # when something happened: a date, or a number
    numbers: frozenset[str]  # an outcome, an item, a weight: nothing but a number will do
    ids: frozenset[str]  # people and clusters: text, leading zeros and all


def wanted(study: Study, table: str) -> Wanted:
    """The columns and scales that questions, keep rules and protection of one table need, then those declared."""
    spec = study.tables[table]
    ids = [name for name in (spec.people, *spec.clusters) if name != "row"]
    names, must = [*ids, *(rule.column for rule in spec.keep)], set()
    for question in (one for one in study.questions if study.table_of(one) == table):
        ids += study.clusters_of(question)
        names += study.clusters_of(question)
        for variant in variants(study, question):
            names += [*variant.columns, *([variant.negative_control] if variant.negative_control else [])]
            must |= number_columns(variant)
    for form in (one for one in study.feedback.values() if study.table_of(one) == table):
        names += form.columns
        words = form.column in study.columns and study.columns[form.column].codes
        must |= {form.column} if form.limits and (form.counted != "share" or not words) else set()
    for raters in (one for one in study.raters.values() if study.table_of(one) == table):
        names += raters.read
        ids += [name for name in (raters.unit, raters.rater) if name]
        must |= set(raters.columns or [str(raters.rating)]) if raters.measure != "nominal" else set()
    only_table = len(study.tables) == 1
    names += [*study.columns, *study.scales] if only_table else []
    made = {column for name, one in study.events.items() if study.table_of(one) == table for column in study.made(name)}
    made |= set(study.heard_in(table))
    read, whose, times = of_events(study, table)
    turns, speakers, orders = study.turns_in(table)
    names, ids = [*(name for name in names if name not in made), *read, *turns], [*ids, *whose, *speakers]
    scales = [name for name in dict.fromkeys(names) if name in study.scales]
    items = [item for name in scales for item in study.scales[name].items]
    names += [str(study.scales[name].across) for name in scales if study.scales[name].across]
    columns = [name for name in dict.fromkeys([*names, *items]) if name not in study.scales]
    must = (must | set(items)) - set(study.scales) - made
    return Wanted(tuple(columns), tuple(scales), frozenset({*times, *orders}), frozenset(must), frozenset(ids))


def variants(study: Study, question: Question) -> list[Question]:
    """The question itself, then as each of its planned alternatives asks it."""
    changed = [question]
    for name in question.alternatives:
        other = study.alternatives[name]
        update = {part: getattr(other, part) for part in ("exposure", "outcome", "adjust", "weights")}
        update = {part: value for part, value in update.items() if value is not None}
        changed.append(question.model_copy(update={**update, "keep": (*question.keep, *other.keep)}))
    return changed


def number_columns(question: Question) -> set[str]:
    """The columns of a question that only numbers can fill."""
    outcome = question.outcome
    names = [outcome.entry, outcome.time, outcome.baseline, question.weights]
    names += [rule.column for rule in question.keep if rule.minimum is not None or rule.maximum is not None]
    if outcome.kind in ("score", "counts", "duration", "change") or outcome.nps:
        names.append(outcome.column)
    return {name for name in names if name}


@dataclass
class Check:
    """One table under inspection: what is wrong with it, and what is worth a note."""

    gathered: Gathered
    study: Study
    need: Wanted
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    why: dict[str, pd.Series] = field(default_factory=dict)  # of each column, why cells are empty, where that is known

    def because(self, name: str, before: pd.Series, after: pd.Series) -> None:
        """Keep the reason of cells whose code was made missing."""
        told = gaps.codes(before, after)
        held = self.why.get(name)
        self.why[name] = told if held is None else held.fillna(told)

    def wrong(self, name: str, words: str, rows: NDArray[np.bool_], after: str) -> None:
        where = self.gathered.origin.words(np.flatnonzero(rows))
        self.problems.append(f"{name}: {words}, in {where} {after}")

    def column(self, name: str) -> Column:
        return self.study.columns.get(name, UNDECLARED)

    def source(self, name: str) -> str:
        """What the file calls a column."""
        return self.column(name).from_ or name


def coded(study: Study, table: str, gathered: Gathered) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """The columns and scores of a table as the study names them; why cells are empty, where that is known; notes.

    Raises
    ------
    DataError
        With every disagreement at once, each with its rows.
    """
    check = Check(gathered, study, wanted(study, table))
    there = set(gathered.frame.columns)
    ranges = item_ranges(check)
    columns = {}
    for name in dict.fromkeys([*check.need.columns, *study.columns]):
        if check.source(name) in there:
            columns[name] = prepared(check, name, ranges.get(name))
        elif name in check.need.columns:
            built = [column for event in study.events for column in study.made(event)]
            check.problems.append(not_there(name, check.source(name), [*map(str, gathered.frame.columns), *built]))
    frame = pd.DataFrame(columns, index=gathered.frame.index)
    scores = scored(check, frame)
    if check.problems:
        found = totals(gathered.frame, lambda rows: gathered.origin.words(np.flatnonzero(rows)))
        ends = [f"{name}: {words}" for name, words in found]
        raise DataError(listing(gathered.origin.subject, [*ends, *check.problems]))
    unused = sorted(there - {check.source(name) for name in columns})
    if unused:
        words = "column of the file is" if len(unused) == 1 else "columns of the file are"
        check.notes.append(f"{len(unused)} {words} not used by the study: {some(unused)}.")
    check.notes += [why_empty(name, frame[name], reasons) for name, reasons in check.why.items()]
    return frame.assign(**scores), pd.DataFrame(check.why, index=frame.index), check.notes


def why_empty(name: str, column: pd.Series, reasons: pd.Series) -> str:
    """How many cells of a column are empty, for each reason."""
    counts = reasons.where(column.isna()).value_counts()
    told = [f"{why} {count:,}" for why, count in counts.items()]
    rest = int(column.isna().sum() - counts.sum())
    told += [f"no reason given {rest:,}"] if rest else []
    return f"{name}: {int(column.isna().sum()):,} cells are empty: {some(told, 8)}."


def not_there(name: str, source: str, columns: Iterable[str]) -> str:
    there = f"there is no column {source!r} (`from` of {name})" if source != name else f"there is no column {name!r}"
    if close := difflib.get_close_matches(source, columns, n=1, cutoff=0.6):
        return f"{there}; the nearest is {close[0]!r}. Correct it, or add `from: {close[0]!r}` if the file renamed it."
    return f"{there}; the file has {some(columns, 12)}."


def prepared(check: Check, name: str, bounds: Bounds | None) -> pd.Series:
    """One column: codes of missing taken out, recoded, typed and checked."""
    column = check.column(name)
    arrived = check.gathered.frame[check.source(name)].rename(name)
    if check.source(name) in check.gathered.gaps:
        check.why[name] = check.gathered.gaps[check.source(name)].rename(name)
    series, gone = blank(arrived, column.missing)
    if gone:
        check.because(name, arrived, series)
        words = "entry holds" if gone == 1 else "entries hold"
        check.notes.append(f"{name}: {gone:,} {words} a code declared as missing.")
    apart = [code for scale in check.study.scales.values() if name in scale.items for code in scale.not_applicable]
    series, gone = blank(series, map(written, apart))
    if gone:
        check.notes.append(f"{name}: {gone} answers say that it does not apply, which is kept apart from missing.")
    if column.recode:
        new = {canonical(old): value for old, value in column.recode.items()}
        series = each(series, lambda entry: new.get(canonical(entry), entry))
    series = typed(check, series, name)
    if pd.api.types.is_numeric_dtype(series.dtype):
        check_numbers(check, series, name, (*column.range, f"columns: {name}:") if column.range else bounds)
    if column.codes:
        check_codes(check, series, name)
        if not pd.api.types.is_numeric_dtype(series.dtype):
            spelling = {canonical(code): code for code in column.codes}
            series = each(series, lambda entry: spelling.get(canonical(entry), entry))
    return series


def item_ranges(check: Check) -> dict[str, Bounds]:
    """The range of each item by its scale, and where the study file says so."""
    ranges: dict[str, Bounds] = {
        one.column: (*one.limits, f"feedback: {name}:") for name, one in check.study.feedback.items() if one.limits
    }
    frame = check.gathered.frame
    for called in check.need.scales:
        scale = check.study.scales[called]
        there = [numbers(frame[check.source(item)])[0] for item in scale.items if check.source(item) in frame]
        try:
            rule = rule_of(scale, np.column_stack(there) if there else None)
        except StudyError:  # said where the scale is scored
            continue
        if rule.low is not None and rule.high is not None:
            ranges |= dict.fromkeys(scale.items, (rule.low, rule.high, f"scales: {called}:"))
    return ranges


def typed(check: Check, series: pd.Series, name: str) -> pd.Series:
    """The column as numbers or as text, by its declared type, by its use, or by what it holds."""
    column, need = check.column(name), check.need
    kind = column.type or ("number" if name in need.numbers else "id" if name in need.ids else None)
    if kind is None and name in need.times:
        kind = "date" if numbers(series)[1].any() else "number"
    if kind in ("id", "text"):
        return as_text(series)
    if kind == "date":
        return as_dates(check, series, name)
    if kind == "category" or (kind is None and column.codes):
        return as_text(series) if column.codes else each(series, canonical)  # codes are spelled by the codebook
    values, bad = numbers(series)
    if bad.any():
        known = int(series.notna().sum())
        wordy = kind is None and column.range is None and bad.sum() > (1 - NEARLY) * known
        if wordy and not foreign(series[bad], known - int(bad.sum())):
            return each(series, canonical)
        words = count(bad, "entry is no number", "entries are no numbers")
        check.wrong(name, f"{words} among {known:,}", bad, remedy(series, bad, kind))
    return pd.Series(values, index=series.index, name=series.name)


def remedy(series: pd.Series, bad: NDArray[np.bool_], kind: str | None) -> str:
    """The entries that are no numbers, and what to do about them."""
    entries = [str(entry).strip() for entry in pd.unique(series[bad])]
    advice = mend(entries) or "Correct them at the source, or declare them under `missing:`"
    if kind is None:
        advice += ", or say `type: text` if words are meant"
    if bad.sum() == series.notna().sum() and len(entries) <= FEW:
        advice += "; an outcome in words is of kind yes_no or ordered"
    return f"({some(map(shorten, entries), 3)}). {advice}."


def as_dates(check: Check, series: pd.Series, name: str) -> pd.Series:
    text = dotted(as_text(series))
    try:
        dates = pd.to_datetime(text, format="ISO8601", errors="coerce")
    except ValueError:  # summer time and winter time, for instance
        dates = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True).dt.tz_localize(None)
        check.notes.append(f"{name}: times of several zones are told in UTC; where none is named, UTC is supposed.")
    bad = (dates.isna() & series.notna()).to_numpy()
    if bad.any():
        after = f"(the first is {shorten(series[bad].iloc[0])}). Write dates as 2025-11-01."
        check.wrong(name, count(bad, "entry is no date", "entries are no dates"), bad, after)
    return dates


def check_numbers(check: Check, series: pd.Series, name: str, bounds: Bounds | None) -> None:
    """Values that are infinite or too large to be any measurement, and answers outside the range."""
    values = series.to_numpy(dtype=np.float64, na_value=np.nan)
    infinite = np.isinf(values)
    vast = (np.abs(values) > VAST) & ~infinite
    if vast.any():
        words = count(vast, "value is beyond 1e100", "values are beyond 1e100")
        check.wrong(name, words, vast, "(a code for missing? then list it under `missing`).")
    if infinite.any():
        words = count(infinite, "value is infinite", "values are infinite")
        check.wrong(name, words, infinite, "(a division by zero makes such values; leave them empty).")
    if bounds is None:
        return
    low, high, where = bounds
    outside = ((values < low) | (values > high)) & ~infinite & ~vast
    if outside.any():
        words = f"{count(outside, 'answer', 'answers')} outside {written(low)}-{written(high)}"
        after = (
            f"(the first is {written(values[outside][0])}). Correct them at the source, or change the range under "
            f"`{where}` in {check.study.path.name}."
        )
        check.wrong(name, words, outside, after)


def check_codes(check: Check, series: pd.Series, name: str) -> None:
    """Entries that the codebook does not know."""
    codes = check.column(name).codes
    strange = ~among(series, codes)
    if not strange.any() or not (strange := strange & series.notna().to_numpy()).any():
        return
    known = [repr(code) for code in codes]
    choice = f"neither {known[0]} nor {known[1]}" if len(known) == 2 else f"none of {some(known)}"
    after = f"({some([shorten(entry) for entry in distinct(series[strange])], 3)})."
    check.wrong(name, count(strange, f"value is {choice}", f"values are {choice}"), strange, after)


def scored(check: Check, frame: pd.DataFrame) -> dict[str, pd.Series]:
    """The scores of the scales whose items are all there and are in order."""
    scores = {}
    for name, scale in in_order(check, frame.columns):
        try:
            scores[name], account = score_scale(frame, scale)
        except (DataError, StudyError) as error:
            check.problems.append(f"{name}: {error}")
            continue
        check.notes += accounted(name, scale, account)
        if lined := straight_lined(frame, scale):
            words = "row gives" if lined == 1 else "rows give"
            check.notes.append(f"{name}: {lined} {words} one answer to all items, reversed ones too (straight-lined).")
    return scores


def in_order(look: Any, there: Iterable[str]) -> Iterator[tuple[str, Scale]]:
    """The scales that a `Check`, or one in place, needs, and whose items are all there without a problem."""
    held = set(there)
    for name in look.need.scales:
        scale = look.study.scales[name]
        faulty = any(problem.startswith(f"{item}: ") for item in scale.items for problem in look.problems)
        if not faulty and set(scale.items) <= held:  # else the items have been named
            yield name, scale


def accounted(name: str, scale: Scale, account: Mapping[str, int]) -> list[str]:
    """What is noted of a scale's scores: how many rows of each kind, and what of its key is not verified."""
    gaps = "".join(f", {rows} {what}" for what, rows in account.items() if rows and what != "complete")
    notes = [f"{name}: {account['complete']} rows scored from all {len(scale.items)} items{gaps}."]
    if scale.instrument and (unsure := load_key(scale.instrument).unverified):
        notes.append(f"{name}: not verified of the key {scale.instrument}: {unsure}.")
    return notes


def count(rows: NDArray[np.bool_], one: str, many: str) -> str:
    return f"{(total := int(rows.sum())):,} {one if total == 1 else many}"


def shorten(entry: object) -> str:
    text = str(entry)
    return repr(text if len(text) <= SHORT else text[:SHORT] + "...")
