"""The arrays that one question is answered from, and the account of every row that is not in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.errors import DataError, EstimationError, StudyError, listing, some
from researchkit.flow import Draw, Step, Vector, complete, outermost, require
from researchkit.parts import Exposure, Outcome, Question
from researchkit.readers import Origin
from researchkit.readers.values import a_number, among, as_array, by_size, canonical, distinct, each, factors, written
from researchkit.study import Study

Level = tuple[str, str, float]  # an answer's code, label and value
NPS = tuple(str(value) for value in range(11))


@dataclass(frozen=True)
class Sample:
    """The n complete rows that one question is answered from, as arrays.

    `rows` arrived; `rows` less all the steps of `flow` is n. A step of 0 rows is a remark.
    """

    outcome: Vector  # (n,) score, 0/1, count, time; an ordered outcome as codes 0 to K-1
    exposure: Vector  # (n,) in steps of `per`; a coded one as 1 (level) and 0 (reference, and the other levels)
    covariates: Vector  # (n, p)
    names: tuple[str, ...]  # (p,) "severity", "channel: Chat"
    groups: tuple[str, ...]  # (p,) the entry of `adjust` each column is from; the exposure's name for its other levels
    cluster: NDArray[np.int64] | None  # (n,) codes 0, 1, ... of the outermost clusters
    cluster_name: str | None
    weights: Vector | None
    event: Vector | None  # 0 censored, 1 the event, 2 and more competing ends in the order of the study file
    entry: Vector | None
    offset_time: Vector | None
    baseline: Vector | None
    levels: tuple[str, ...]  # of an ordered outcome: the labels of the codes
    level_values: tuple[float, ...]  # and the values behind them
    level_codes: tuple[str, ...]  # and how the data write them
    binary_exposure: bool
    arms: tuple[str, str] | None  # of a coded exposure: the codes of reference and level, as the codebook writes them
    contrast: str  # "compassion +1 point", "PA against TAU"
    exposure_name: str
    people: int
    person: NDArray[np.int64] | None  # (n,) codes of the people, where one may have several rows
    rows: int
    flow: tuple[Step, ...]
    crossed: NDArray[np.int64] | None = None  # (n,) codes of second clusters that cut across the first, if any
    crossed_name: str | None = None
    quiet: bool = False  # of the rows left out only the reasons are told
    more: Mapping[str, NDArray[Any]] = field(default_factory=dict)  # (n,) what a design of its own reads, by column

    def unadjusted(self, exposure: str) -> Sample:
        """The same rows without covariates, but for the further levels of a coded `exposure`."""
        kept = [place for place, group in enumerate(self.groups) if group == exposure]
        names, groups = (tuple(part[place] for place in kept) for part in (self.names, self.groups))
        return replace(self, covariates=self.covariates[:, kept], names=names, groups=groups)

    def heads(self, rows: NDArray[np.bool_]) -> int:
        """How many people some rows (n,) are of; rows that name nobody count as nobody."""
        if self.person is None:
            return int(rows.sum())
        return len(np.unique(self.person[rows & (self.person >= 0)]))

    def compared(self, exposure: str) -> NDArray[np.bool_]:
        """(n,) the rows that are at one of the two levels compared, for a coded `exposure` with more than two."""
        others = np.array([group == exposure for group in self.groups], dtype=bool)
        return ~(self.covariates[:, others] != 0).any(axis=1)


def draw(
    study: Study,
    table: str,
    frame: pd.DataFrame,
    origin: Origin,
    arrived: tuple[int, Sequence[Step]],
    question: Question,
    adjust: Sequence[str] | None = None,
) -> Sample:
    """The sample of a question: complete rows over the columns it uses, categories as indicator columns.

    Parameters
    ----------
    frame, origin
        The rows of a loaded table, and where each stood in its file.
    arrived
        How many rows arrived, and the steps that led to `frame`.
    adjust
        Columns to adjust for, in place of the question's.

    Raises
    ------
    StudyError
        If a column is not in the table, or a coded exposure comes without `reference` and `level`.
    DataError
        If a column holds values that the kind of outcome does not have; all of them at once, with rows.
    EstimationError
        If no row is left.
    """
    rows, steps = arrived
    now = Draw(study, question, frame, origin, list(steps))
    chosen = tuple(question.adjust if adjust is None else adjust)
    clusters = study.clusters_of(question)
    require(now, [*question.columns, *chosen, *clusters])
    complete(now, chosen)
    made = [name for name in now.frame.columns if name not in frame.columns]  # for a question over waves
    clusters = outermost(now, clusters)
    if now.frame.empty:
        told = "; ".join(f"{step.why}: {step.rows:,} rows" for step in now.flow)
        raise EstimationError(f"Question {question.id!r}: no row is left of {rows:,} ({told}).")
    outcome, levels = outcome_of(now)
    extras = extras_of(now, outcome)
    exposure, others, arms, contrast = exposure_of(now)
    columns = {**others, **covariates_of(now, chosen)}
    if now.problems:
        raise DataError(listing(f"{origin.subject}, question {question.id!r}", now.problems))
    people = study.tables[table].people
    return Sample(
        outcome=outcome,
        exposure=exposure,
        covariates=np.column_stack(list(columns.values())) if columns else np.empty((len(outcome), 0)),
        names=tuple(name for _, name in columns),
        groups=tuple(group for group, _ in columns),
        cluster=pd.factorize(now.frame[clusters[0]])[0].astype(np.int64) if clusters else None,
        cluster_name=clusters[0] if clusters else None,
        crossed=pd.factorize(now.frame[clusters[1]])[0].astype(np.int64) if clusters[1:] else None,
        crossed_name=clusters[1] if clusters[1:] else None,
        levels=tuple(label for _, label, _ in levels),
        level_values=tuple(value for _, _, value in levels),
        level_codes=tuple(code for code, _, _ in levels),
        binary_exposure=set(np.unique(exposure)) <= {0.0, 1.0},
        arms=arms,
        contrast=contrast,
        exposure_name=exposure_name(study, now.question.exposure),
        people=len(outcome) if people == "row" else int(now.frame[people].nunique()),
        person=None if people == "row" else pd.factorize(now.frame[people])[0].astype(np.int64),
        rows=rows,
        flow=tuple(now.flow),
        event=extras["event"],
        entry=extras["entry"],
        offset_time=extras["offset_time"],
        weights=extras["weights"],
        baseline=extras["baseline"],
        more={name: as_array(now.frame[name]) for name in (*question.own, *made)},
    )


def outcome_of(now: Draw) -> tuple[Vector, list[Level]]:
    """The outcome as numbers, and the levels of an ordered one."""
    outcome = now.question.outcome
    if outcome.kind == "yes_no":
        return yes_no(now, outcome), []
    if outcome.kind == "ordered":
        return ordered(now, outcome)
    values = now.numbers(outcome.column)
    if outcome.kind == "counts":
        now.wrong(outcome.column, (values < 0) | (values != np.rint(values)), "entries are no counts (0, 1, 2, ...)")
    if outcome.kind == "duration":
        now.wrong(outcome.column, values < 0, "times are below 0")
    return values, []


def yes_no(now: Draw, outcome: Outcome) -> Vector:
    """1 where the entry is the one that counts as yes; there may be one other entry only."""
    series = now.frame[outcome.column]
    yes = among(series, [outcome.yes])
    others = distinct(series[~yes])
    known = codes_of(now.study, outcome.column)
    expected = yes.any() or canonical(outcome.yes) in known or set(others) <= {"0", "1"}
    if len(others) > 1 or not expected:
        there = some([repr(entry) for entry in distinct(series)])
        now.problems.append(
            f"{outcome.column}: yes is {outcome.yes!r}, and there must be one other value that means no; it holds "
            f"{there}. Set `yes:`, list what is no answer under `missing:`, or use `recode:` or `keep:`."
        )
    return yes.astype(np.float64)


def ordered(now: Draw, outcome: Outcome) -> tuple[Vector, list[Level]]:
    """Codes 0 to K-1 in the order of the values, or of the codebook where the codes are words."""
    series = now.frame[outcome.column]
    there = distinct(series)
    labels = codes_of(now.study, outcome.column)
    if outcome.nps and not set(there) <= set(NPS):
        strange = some([entry for entry in there if entry not in NPS])
        now.problems.append(f"{outcome.column}: likelihood to recommend goes from 0 to 10; it holds {strange} too.")
    elif all(a_number(entry) for entry in there):
        values = {entry: float(entry) for entry in there}
        return levelled(now, outcome, values, labels)
    elif set(there) <= set(labels):
        values = {entry: float(place) for place, entry in enumerate(labels) if entry in there}
        return levelled(now, outcome, values, labels)
    else:
        now.problems.append(f"{outcome.column}: words have no order; list them from low to high under `codes:`.")
    return np.zeros(len(series)), []


def levelled(
    now: Draw, outcome: Outcome, values: Mapping[str, float], labels: Mapping[str, str]
) -> tuple[Vector, list[Level]]:
    missing = [value for value in outcome.top if canonical(value) not in values]
    if outcome.top and len(missing) == len(outcome.top):
        now.problems.append(f"{outcome.column}: no entry is in the top group ({some(outcome.top)}).")
    order = {entry: place for place, entry in enumerate(sorted(values, key=lambda entry: values[entry]))}
    places = each(now.frame[outcome.column], lambda entry: str(order[canonical(entry)]))
    codes: Vector = places.to_numpy(dtype=np.float64)
    return codes, [(entry, labels.get(entry, entry), values[entry]) for entry in order]


def extras_of(now: Draw, times: Vector) -> dict[str, Vector | None]:
    """Events, entry times, exposure times, baselines and weights, where the question has them."""
    outcome, question = now.question.outcome, now.question
    event = None
    if outcome.event and outcome.kind == "duration":
        series = now.frame[outcome.event]
        event = among(series, [outcome.event_value]).astype(np.float64)
        known = {*codes_of(now.study, outcome.event), *map(canonical, outcome.competing), "0", "1"}
        if outcome.event_value == "1" and not event.any() and (held := set(distinct(series)) - known):
            told = f"it holds {some(map(repr, sorted(held)))}, and never '1'"
            now.problems.append(f"{outcome.event}: {told}. Say under `event_value:` which of them is the event.")
        for code, value in enumerate(outcome.competing, 2):
            event[among(series, [value])] = code
    entry = now.numbers(outcome.entry) if outcome.entry else None
    if entry is not None:
        now.wrong(str(outcome.entry), (entry < 0) | (entry >= times), "entries are below 0 or not before the end")
    span = now.numbers(outcome.time) if outcome.time else None
    if span is not None:
        now.wrong(str(outcome.time), span <= 0, "times are not above 0")
    weights = now.numbers(question.weights) if question.weights else None
    if weights is not None:
        now.wrong(str(question.weights), weights <= 0, "weights are not above 0")
    baseline = now.numbers(outcome.baseline) if outcome.baseline else None
    return {"event": event, "entry": entry, "offset_time": span, "weights": weights, "baseline": baseline}


Columns = dict[tuple[str, str], Vector]  # (which entry of `adjust`, name) -> values


def exposure_of(now: Draw) -> tuple[Vector, Columns, tuple[str, str] | None, str]:
    """The exposure, indicator columns for its further levels, the two codes compared, and the contrast in words."""
    exposure, study = now.question.exposure, now.study
    series, called = now.frame[exposure.column], exposure_name(now.study, now.question.exposure)
    there = distinct(series)
    if exposure.reference is None and exposure.level is None:
        if not pd.api.types.is_numeric_dtype(series.dtype):
            raise StudyError(
                f"Question {now.question.id!r}: the exposure {exposure.column!r} is coded ({some(map(repr, there))}); "
                f"say which two are compared: `exposure: {{column: {exposure.column}, reference: ..., level: ...}}`; "
                "or, where the codes are steps of one measure, give the column a `range:` in place of `codes:`."
            )
        part = study.columns.get(exposure.column) or study.scales.get(exposure.column)
        unit = (part.unit if part else None) or ""
        contrast = f"{called} +{written(exposure.per)} {unit}".strip()
        return now.numbers(exposure.column) / exposure.per, {}, None, contrast
    reference, level = compared(now, exposure, there)
    labels = codes_of(study, exposure.column)
    others = {
        (exposure.column, f"{exposure.column}: {labels.get(value, value)}"): among(series, [value]).astype(np.float64)
        for value in there
        if value not in (reference, level)
    }
    spelling = {canonical(code): code for code in (study.columns[exposure.column].codes if labels else ())}
    return (
        among(series, [level]).astype(np.float64),
        others,
        (spelling.get(reference, reference), spelling.get(level, level)),
        f"{labels.get(level, level)} against {labels.get(reference, reference)}",
    )


def compared(now: Draw, exposure: Exposure, there: Sequence[str]) -> tuple[str, str]:
    """The canonical reference and level; the other one of two where only one is named."""
    given = {"reference": exposure.reference, "level": exposure.level}
    found = {part: canonical(value) for part, value in given.items() if value is not None}
    for part, value in found.items():
        if value not in there:
            raise StudyError(
                f"Question {now.question.id!r}: the {part} {value!r} of {exposure.column!r} is not among the values "
                f"there ({some(map(repr, there))})."
            )
    if len(found) == 1:
        (named,) = found.values()
        rest = [value for value in there if value != named]
        if len(rest) != 1:
            raise StudyError(
                f"Question {now.question.id!r}: {exposure.column!r} has {len(there)} values "
                f"({some(map(repr, there))}); name both `reference` and `level`."
            )
        found = {**dict.fromkeys(given, rest[0]), **found}
    if found["reference"] == found["level"]:
        raise StudyError(f"Question {now.question.id!r}: reference and level of {exposure.column!r} are the same.")
    return found["reference"], found["level"]


def exposure_name(study: Study, exposure: Exposure) -> str:
    return exposure.label or exposure.column.replace("_", " ")


def codes_of(study: Study, name: str) -> dict[str, str]:
    """The canonical codes of a column and their labels, in the order of the codebook."""
    codes = study.columns[name].codes if name in study.columns else {}
    return {canonical(code): label for code, label in codes.items()}


def covariates_of(now: Draw, adjust: Sequence[str]) -> Columns:
    """One column for a number, an indicator for each level of a category but the reference; none that never varies.

    The reference is the first code of the codebook that occurs, or else the most frequent level (the first in order
    among equals).
    """
    columns: Columns = {}
    for name in adjust:
        series = now.frame[name]
        if pd.api.types.is_numeric_dtype(series.dtype):
            columns[name, name] = series.to_numpy(dtype=np.float64)
        elif pd.api.types.is_datetime64_any_dtype(series.dtype):
            now.problems.append(f"{name}: a date cannot be adjusted for; make it a number, such as days since a start.")
        else:
            found = indicators(now.study, name, series)
            columns |= found
            if not found:
                now.flow.append(Step(f"{name} never varies and is not adjusted for", 0))
    fixed = [key for key, values in columns.items() if values.min() == values.max()]
    for group, name in fixed:
        now.flow.append(Step(f"{name} never varies and is not adjusted for", 0))
        del columns[group, name]
    return columns


def indicators(study: Study, name: str, series: pd.Series) -> Columns:
    labels = codes_of(study, name)
    places, texts = factors(series)
    codes = np.array([*map(canonical, texts)], dtype=object)
    often = Counter[str]()
    for code, rows in zip(codes, np.bincount(places), strict=True):
        often[code] += int(rows)
    order = [code for code in labels if code in often]
    reference = order[0] if order else min(often, key=lambda level: (-often[level], level))
    return {
        (name, f"{name}: {labels.get(level, level)}"): (codes == level).astype(np.float64)[places]
        for level in order or sorted(often, key=by_size)
        if level != reference
    }
