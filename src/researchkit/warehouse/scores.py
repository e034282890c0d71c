"""Scores of scales as expressions: computed where the answers lie, by the rule that `scales.score_scale` follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from researchkit.codebook import accounted, in_order
from researchkit.errors import DataError, StudyError, some
from researchkit.parts import Scale
from researchkit.readers.values import written
from researchkit.scales import rule_of
from researchkit.scales.scoring import Rule, off_grid, refuse_turned
from researchkit.warehouse.columns import Entry, Look, Told

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement


def scored(look: Look) -> None:
    """The entry of each scale whose items are all there and in order; its account as a note."""
    for name, scale in in_order(look, look.entries):
        try:
            entry, account = score(look, name, scale)
        except (DataError, StudyError) as error:
            look.problems.append(f"{name}: {error}")
            continue
        look.entries[name] = entry
        look.notes += accounted(name, scale, account)


def score(look: Look, name: str, scale: Scale) -> tuple[Entry, dict[str, int]]:
    """One scale as an entry, and how many rows were complete, scored in spite of gaps, dropped, or blank.

    Raises
    ------
    DataError
        As `scales.score_scale`.
    """
    import sqlalchemy as sa

    held = {item: answers_of(look, item) for item in scale.items}
    answered = [(entry, rows) for levels in held.values() for entry, rows in levels.items()]
    values = np.array([entry for entry, _ in answered], dtype=float)
    rule = rule_of(scale, values, np.array([rows for _, rows in answered], dtype=np.int64))
    if rule.table:
        raise StudyError("a score by a `table` needs every row here; draw whole clusters into a smaller file")
    refuse_outside(held, rule)
    answers = [worth(look.entries[item].value, item in rule.reverse, rule) for item in scale.items]
    given = added([sa.case((answer.is_not(None), 1), else_=0) for answer in answers])
    total = added([sa.func.coalesce(answer, 0.0) for answer in answers])
    least, many = max(rule.min_answered, 1), len(answers)
    factor = float(many) if rule.rule == "sum" else 1.0
    value = sa.case((given >= least, total / sa.cast(given, sa.Double) * factor))
    refuse_against(look, answers, scale, rule)
    asked = {
        "complete": sa.func.count(sa.case((given == many, 1))),
        "imputed": sa.func.count(sa.case((sa.and_(given >= least, given < many), 1))),
        "dropped": sa.func.count(sa.case((sa.and_(given > 0, given < least), 1))),
        "blank": sa.func.count(sa.case((given == 0, 1))),
        "low": sa.func.min(value),
        "high": sa.func.max(value),
        "mean": sa.func.avg(value),
    }
    found = look.one(asked)
    account = {what: int(found[what]) for what in ("complete", "imputed", "dropped", "blank")}
    ends = [
        float(found[what]) if account["complete"] + account["imputed"] else None for what in ("low", "high", "mean")
    ]
    look.told[name] = Told(account["complete"] + account["imputed"], *ends)
    return Entry(name, "number", value), account


def answers_of(look: Look, item: str) -> dict[float, int]:
    """How many rows gave each answer; of a column with very many different ones, its ends."""
    levels = look.levels(look.entries[item].value)
    if levels is not None:
        return levels
    told = look.told[item]
    return {end: 1 for end in (told.low, told.high) if end is not None}


def refuse_outside(held: dict[str, dict[Any, int]], rule: Rule) -> None:
    """Stop at answers that the scale does not have: another version or coding may be in the table."""
    if rule.low is None or rule.high is None:
        return
    problems = []
    for item, levels in held.items():
        values = np.array(sorted(levels), dtype=float)
        wrong = values[(values < rule.low) | (values > rule.high) | off_grid(values, rule)]
        if wrong.size:
            what, rows = some([written(value) for value in wrong]), sum(levels[value] for value in wrong.tolist())
            problems.append(f"{item}: {rows:,} answers the scale does not have ({what})")
    if problems:
        raise DataError(f"a scale from {written(rule.low)} to {written(rule.high)}; {'; '.join(problems)}.")


def worth(value: ColumnElement[Any], turned: bool, rule: Rule) -> ColumnElement[Any]:
    """What an answer counts: turned round where the key reverses it, and in points where the instrument gives them."""
    import sqlalchemy as sa

    if rule.low is None or rule.high is None:
        return value
    if turned:
        value = rule.low + rule.high - value
    if not rule.points:
        return value
    step = (rule.high - rule.low) / (len(rule.points) - 1)
    near = [
        (sa.func.abs(value - (rule.low + place * step)) < step / 2, point) for place, point in enumerate(rule.points)
    ]
    return sa.case(*near)


def added(parts: list[Any]) -> Any:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def refuse_against(look: Look, answers: list[ColumnElement[Any]], scale: Scale, rule: Rule) -> None:
    """The check for an item reversed by mistake, from sums over the rows that answer all items."""
    import sqlalchemy as sa

    turned = [scale.items.index(item) for item in rule.reverse]
    if not turned:
        return
    places = range(len(answers))
    whole = sa.and_(*(answer.is_not(None) for answer in answers))
    middle = 0.0 if rule.low is None or rule.high is None else (rule.low + rule.high) / 2
    if rule.points:
        middle = (min(rule.points) + max(rule.points)) / 2
    around = [answer - middle for answer in answers]  # little is lost to rounding around the middle of the scale
    asked: dict[Any, Any] = {"n": sa.func.count()}
    asked |= {place: sa.func.sum(around[place]) for place in places}
    asked |= {(i, j): sa.func.sum(around[i] * around[j]) for i in places for j in places if i <= j}
    found = look.one(asked, whole)
    n = int(found["n"])
    if n < 4:
        return
    sums = np.array([float(found[place]) for place in places])
    products = np.array([[float(found[min(i, j), max(i, j)]) for j in places] for i in places])
    spread = products - np.outer(sums, sums) / n
    own, shared = np.diag(spread), spread.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        rest = (shared - own) / np.sqrt(own * (spread.sum() - 2 * shared + own))
    refuse_turned(rest, n, turned, scale.items)
