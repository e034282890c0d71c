"""Who is in, who is not and why, counted where the rows lie: each row under its first reason, as `flow` has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from researchkit.errors import DataError, EstimationError, StudyError, listing
from researchkit.faults import nearest
from researchkit.flow import Step
from researchkit.parts import Keep, Question
from researchkit.warehouse.columns import Look

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    Condition = ColumnElement[bool]


@dataclass(frozen=True, eq=False)
class Base:
    """What is kept before any question asks: one group of rows, or all, less what the table's own rules leave out."""

    look: Look
    here: Condition | None = None  # the rows of one site, as if no others had arrived

    def arrived(self) -> tuple[int, tuple[Step, ...]]:
        """How many rows arrived, and the steps of the table's rules."""
        rules = [(kept(self.look, rule), rule.why) for rule in self.look.study.tables[self.look.table].keep]
        return counted(self, [], rules)


def kept(look: Look, rule: Keep) -> Condition:
    """Which rows a keep rule keeps; a missing entry is kept by `not_values` alone."""
    import sqlalchemy as sa

    entry, conditions = look.entries[rule.column], list[Any]()
    if rule.values:
        conditions.append(entry.among(rule.values).is_(True))
    if rule.not_values:
        conditions.append(entry.among(rule.not_values).is_not(True))
    if rule.minimum is not None or rule.maximum is not None:
        if entry.kind != "number":
            raise DataError(f"{rule.column}: `minimum` and `maximum` of a keep rule need a column of numbers.")
        conditions += [entry.value.is_not(None)]
        conditions += [] if rule.minimum is None else [entry.value >= float(rule.minimum)]
        conditions += [] if rule.maximum is None else [entry.value <= float(rule.maximum)]
    return sa.and_(sa.true(), *conditions)


def counted(
    base: Base, before: Sequence[tuple[Condition, str]], rules: Sequence[tuple[Condition, str]]
) -> tuple[int, tuple[Step, ...]]:
    """The rows that `before` leaves, and how many each of the `rules` takes of them, in order."""
    import sqlalchemy as sa

    every = [*before, *rules]
    if not every:
        return base.look.rows if base.here is None else total(base, None), ()
    first = sa.case(*((condition.is_not(True), place) for place, (condition, _) in enumerate(every)), else_=-1)
    reasons = base.look.levels(first, base.here) or {}
    gone = {int(place): rows for place, rows in reasons.items()}
    at = len(before)
    left = sum(rows for place, rows in gone.items() if place < 0 or place >= at)
    return left, tuple(Step(why, gone.get(at + place, 0)) for place, (_, why) in enumerate(rules))


def total(base: Base, where: Condition | None) -> int:
    import sqlalchemy as sa

    parts = [part for part in (base.here, where) if part is not None]
    return int(base.look.one({"n": sa.func.count()}, sa.and_(sa.true(), *parts))["n"])


@dataclass(frozen=True, eq=False)
class Kept:
    """The complete rows of a question: the condition that picks them, their number, and the account of the others."""

    where: Condition
    n: int
    rows: int
    flow: tuple[Step, ...]
    cluster: str | None


def complete(base: Base, question: Question, adjust: Sequence[str], clusters: Sequence[str]) -> Kept:
    """The rows that a question is answered from.

    Raises
    ------
    StudyError
        If a column is not in the table, or clusters cut across each other.
    EstimationError
        If no row is left.
    """
    import sqlalchemy as sa

    if question.special:
        raise EstimationError(
            f"The question {question.id!r}: `{question.special.room}` needs every row, and these rows stay in place. "
            "Draw whole clusters at random into a file that fits in memory for it."
        )
    look = base.look
    lacking = [name for name in dict.fromkeys([*question.columns, *adjust, *clusters]) if name not in look.entries]
    if lacking:
        told = [f"there is no column {name!r}{nearest(name, look.entries)}." for name in lacking]
        raise StudyError(listing(f"Question {question.id!r}", told))
    table = [(kept(look, rule), rule.why) for rule in look.study.tables[look.table].keep]
    own = [(kept(look, rule), rule.why) for rule in question.keep]
    outcome = question.outcome
    extras = (outcome.event, outcome.entry, outcome.time, outcome.baseline)
    names = [outcome.column, *extras, question.exposure.column, *adjust, question.weights]
    # a column without a gap anywhere need not be looked at again
    gaps = [gap(look, name) for name in dict.fromkeys(name for name in names if name) if look.gaps(name)]
    cluster = outermost(base, question, clusters, [*table, *own, *gaps])
    last = [gap(look, cluster)] if cluster is not None and look.gaps(cluster) else []
    rows, steps = counted(base, [], [*table, *own, *gaps, *last])
    at = len(table)
    flow = (*steps[:at], *(step for step in steps[at:] if step.rows))  # a rule of the table is told even of no row
    n = rows - sum(step.rows for step in steps)
    if n == 0:
        told_of = "; ".join(f"{step.why}: {step.rows:,} rows" for step in flow)
        raise EstimationError(f"Question {question.id!r}: no row is left of {rows:,} ({told_of}).")
    conditions = [condition for condition, _ in (*table, *own, *gaps, *last)]
    here = [] if base.here is None else [base.here]
    return Kept(sa.and_(sa.true(), *here, *conditions), n, rows, flow, cluster)


def gap(look: Look, name: str) -> tuple[Condition, str]:
    return look.entries[name].value.is_not(None), f"{name} missing"


def outermost(
    base: Base, question: Question, names: Sequence[str], before: Sequence[tuple[Condition, str]]
) -> str | None:
    """The clusters that errors must allow for: the outermost of several that lie within one another."""
    import sqlalchemy as sa

    if len(names) < 2:
        return names[0] if names else None
    where = sa.and_(sa.true(), *([] if base.here is None else [base.here]), *(condition for condition, _ in before))
    used: list[str] = []
    for name in names:
        if not any(within(base.look, name, other, where) for other in used):
            used = [*(other for other in used if not within(base.look, other, name, where)), name]
    if len(used) > 1:
        raise StudyError(
            f"Question {question.id!r}: the clusters {' and '.join(used)} cut across each other. Where rows stay in "
            "place errors are clustered one way; name the one in which people are most alike."
        )
    return used[0]


def within(look: Look, inner: str, outer: str, where: Any) -> bool:
    """Whether each of the inner clusters lies in one of the outer ones, of which there are several."""
    import sqlalchemy as sa

    one, two = look.entries[inner].value, look.entries[outer].value
    both = sa.and_(where, one.is_not(None), two.is_not(None))
    pairs = sa.select(one.label("i"), two.label("o")).where(both).distinct().subquery()
    count = sa.func.count
    found = look.relation.ask(
        sa.select(count().label("n"), count(pairs.c.i.distinct()).label("i"), count(pairs.c.o.distinct()).label("o"))
    ).iloc[0]
    return bool(found["o"] > 1 and found["n"] == found["i"])
