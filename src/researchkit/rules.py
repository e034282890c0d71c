"""What came of a rule: a series in which something began, a limit beyond which it holds, a mix that it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from researchkit import figures, wording
from researchkit.disclosure import PROFILES, nearest
from researchkit.estimators.limit import adjusted, bend, jump, sides_of
from researchkit.estimators.mix import kinds_of
from researchkit.estimators.series import course_of
from researchkit.tables import Prose, Table, frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from researchkit.answer import Answer

GROUP = 40  # groups of neighbours that are drawn at most
LEAST = 10  # rows of such a group


def picture(answer: Answer) -> figures.Figure | Table | Prose:
    """The series beside the others, the outcome along the running column, or the kinds of cases on both sides."""
    asked = answer.question
    if asked.series:
        return course(answer)
    if asked.limit:
        return along(answer)
    return kinds(answer) if asked.mix else Prose(("The question has no series, limit or mix.",))


def parts(answer: Answer) -> Table:
    """Everything that the design's model gives, in the outcome's unit."""
    scale, unit = wording.scale(answer.effect.unit)
    rows = []
    for term in answer.effect.model.terms:
        other = term.term == "jump of the exposure"  # a share, whatever the outcome is
        by = 100.0 if other else scale
        value, limits = wording.estimate(*(by * part for part in (term.estimate, term.low, term.high)), sign=True)
        told = "percentage points" if other else wording.units(unit)
        rows.append({"": term.term, "Estimate": value, "Interval": limits, "In": told})
    note = f"Intervals are at {wording.level(answer.effect.level)}. The first line is the answer."
    return frame(pd.DataFrame(rows), "The parts of the answer", note)


def unit_of(unit: str) -> str:
    """The unit of a mean; a share is told in per cent, not in the points of a difference."""
    return "per cent" if unit.startswith("percentage point") else wording.units(unit)


def small(answer: Answer, rows: NDArray[np.bool_]) -> bool:
    """Whether some rows are of too few people to be told."""
    profile = PROFILES[answer.study.disclosure]
    return profile.protects and answer.sample.heads(rows) < profile.threshold


def course(answer: Answer) -> figures.Figure | Prose:
    """The treated unit and the others over time; not drawn where a point would be of too few people."""
    found = course_of(answer.sample, answer.question)
    time, unit = (answer.sample.more[name] for name in answer.question.own)
    treated = np.isin(unit, np.unique(unit[answer.sample.exposure > 0]))
    if not answer.study.tables[answer.dataset.table].aggregates:
        cells = [(time == one) & side for one in np.unique(time) for side in (treated, ~treated)]
        if any(small(answer, rows) for rows in cells if rows.any()):
            return Prose(("A time has too few people to be drawn.",))
    scale, words = wording.scale(answer.effect.unit)
    data = pd.DataFrame(
        {
            "time": found.labels,
            "treated": scale * found.treated,
            "others": scale * found.others if found.controls else np.nan,
        }
    )
    label = answer.question.outcome.label or answer.study.label(answer.question.outcome.column)
    return figures.course(
        data,
        int((~found.after).sum()),
        name=f"{answer.question.id}-course",
        title=label,
        unit=unit_of(words),
        time=answer.study.label(answer.question.own[0]),
        others=f"mean of {found.controls} others",
    )


def along(answer: Answer) -> figures.Figure | Prose:
    """Means of neighbours along the running column, and the lines of both sides at the limit."""
    sample, question = answer.sample, answer.question
    sides, outcome = sides_of(sample, question)
    curve = bend(sides, outcome)
    window = jump(sides, outcome, curve, answer.effect.level).window
    used = adjusted(sides, outcome, sample.covariates, window)
    scale, words = wording.scale(answer.effect.unit)
    at = question.limit.at if question.limit else 0.0
    rows = [row for row in groups(answer, sides.away, outcome) if row is not None]
    if not rows:
        return Prose(("The neighbours of each other are too few to be drawn.",))
    data = pd.DataFrame(rows, columns=["running", "mean", "n"])
    data["running"] += at
    data["mean"] *= scale
    lines = [side_line(sides.away, scale * used, part, window, at) for part in (sides.away < 0, sides.away >= 0)]
    return figures.at_limit(
        data,
        lines,
        at,
        name=f"{question.id}-limit",
        title=question.outcome.label or answer.study.label(question.outcome.column),
        unit=unit_of(words),
        running=answer.study.label(question.limit.running if question.limit else ""),
    )


def groups(answer: Answer, away: NDArray[Any], outcome: NDArray[Any]) -> list[tuple[float, float, int | None] | None]:
    """Neighbours on one side each, as (place, mean, rows); None for a group that would tell of too few people."""
    profile = PROFILES[answer.study.disclosure]
    found: list[tuple[float, float, int | None] | None] = []
    least = max(LEAST, 2 * profile.threshold, len(away) // GROUP)
    share = answer.question.outcome.kind == "yes_no"
    for side in (away < 0, away >= 0):
        places = np.flatnonzero(side)[np.argsort(away[side], kind="stable")]
        for one in neighbours(away[places], places, max(len(places) // least, 1)):
            rows = np.zeros(len(away), dtype=bool)
            rows[one] = True
            told = [rows] if not share else [rows & (outcome == 1), rows & (outcome == 0)]
            hidden = len(one) < LEAST or any(part.any() and small(answer, part) for part in told)
            mean = (float(away[one].mean()), float(outcome[one].mean()), nearest(len(one), profile))
            found.append(None if hidden else mean)
    return found


def neighbours(sorted_: NDArray[Any], places: NDArray[Any], many: int) -> list[NDArray[Any]]:
    """Places in order of their distance, cut into so many groups; rows with the same distance stay together."""
    values, first = np.unique(sorted_, return_index=True)
    cuts = np.unique(first[np.searchsorted(first, np.arange(1, many) * len(places) // many).clip(0, len(values) - 1)])
    return [part for part in np.split(places, cuts) if len(part)]


def side_line(
    away: NDArray[Any], outcome: NDArray[Any], rows: NDArray[np.bool_], window: float, at: float
) -> tuple[float, float, float, float]:
    """The weighed line of one side within the window: its two ends."""
    near = rows & (np.abs(away) < window)
    root = np.sqrt(1 - np.abs(away[near]) / window)
    matrix = np.column_stack([np.ones(near.sum()), away[near]])
    level, slope = np.linalg.lstsq(matrix * root[:, None], outcome[near] * root, rcond=None)[0]
    far = float(away[near].min() if (away[near] < 0).any() else away[near].max())
    ends = sorted([(at + far, float(level + slope * far)), (at, float(level))])
    return (*ends[0], *ends[1])


def kinds(answer: Answer) -> Table | Prose:
    """The share of each kind of case on both sides, and the outcome within each."""
    sample = answer.sample
    found, labels = kinds_of(sample, answer.question)
    scale, words = wording.scale(answer.effect.unit)
    sides = (sample.exposure == 0, sample.exposure > 0)
    names = [answer.study.label(answer.question.exposure.column) + suffix for suffix in (", reference", ", compared")]
    if sample.arms:
        column = answer.study.columns.get(answer.question.exposure.column)
        names = [(column.codes if column else {}).get(code, code) for code in sample.arms]
    rows, exact = [], []
    for place, label in enumerate(labels):
        parts = [side & (found == place) for side in sides]
        yes = [part & (sample.outcome == value) for part in parts for value in (0, 1)]
        told = [*parts, *(yes if answer.question.outcome.kind == "yes_no" else [])]
        if any(part.any() and small(answer, part) for part in told):
            continue
        shares = [float(part.sum() / side.sum()) for part, side in zip(parts, sides, strict=True)]
        means = [scale * float(sample.outcome[part].mean()) if part.any() else float("nan") for part in parts]
        shown = [wording.percent(share, 0) for share in shares] + [wording.number(mean) for mean in means]
        rows.append(dict(zip(["Kind", *heads(names)], [label, *shown], strict=True)))
        exact.append(label)
    if not rows:
        return Prose(("Every kind of case has too few people to be shown.",))
    gone = len(labels) - len(exact)
    note = f"Means in {unit_of(words)}." + (" Kinds of too few people are left out." if gone else "")
    return frame(pd.DataFrame(rows), "The mix, and what is within it", note)


def heads(names: list[str]) -> list[str]:
    return [*(f"Share, {name}" for name in names), *(f"Mean, {name}" for name in names)]
