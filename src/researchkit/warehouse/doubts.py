"""What is probably wrong in a table that stays in place, as far as the ends of its columns tell.

The twin of `researchkit.doubts`, of which it knows codes for missing alone: who looks for these asks nothing more of a
clean table.
"""

from __future__ import annotations

from collections.abc import Iterator

from researchkit.doubts import look_at
from researchkit.doubts.columns import CODES, FEWEST, MOST_COUNTED, OUT, stands_apart
from researchkit.warehouse.columns import Entry, Look


def doubts(look: Look) -> list[str]:
    """Every doubt about a column of numbers, as sentences that begin with it."""
    found, scales = [], look.study.scales
    for name, told in look.told.items():
        part, entry = look.column(name), look.entries[name]
        if entry.kind == "number" and told.low is not None and not (part.codes or part.range or name in scales):
            found += [f"{look_at(name)}{stands_apart(*one)}" for one in for_missing(look, entry)]
    return found


def for_missing(look: Look, entry: Entry) -> Iterator[tuple[float, int]]:
    """The code for missing that the smallest, or the largest, number is, with its count; by the rules of memory."""
    import sqlalchemy as sa

    value, told = entry.value, look.told[entry.name]
    if told.low in OUT:
        asked = {"here": value == told.low, "known": value >= 0, "others": sa.and_(value < 0, value.not_in(OUT))}
        found = look.one({what: sa.func.count(sa.case((which, 1))) for what, which in asked.items()})
        if found["here"] > 1 and found["known"] >= FEWEST and not found["others"]:
            yield told.low, int(found["here"])
    if told.high in CODES and told.high > MOST_COUNTED:
        below = sa.case((value < told.high, value))
        found = look.one(
            {"low": sa.func.min(below), "high": sa.func.max(below), "known": sa.func.count(below)}
            | {"here": sa.func.count(sa.case((value == told.high, 1)))}
        )
        if (
            found["here"] > 1
            and found["known"] >= FEWEST
            and told.high - found["high"] > found["high"] - found["low"] > 0
        ):
            yield told.high, int(found["here"])
