"""What the outcomes built from events read, table by table."""

from __future__ import annotations

import pandas as pd

from researchkit.study import Study


def of_events(study: Study, table: str) -> tuple[list[str], list[str], set[str]]:
    """What the outcomes built from events read in one table: every column; those with ids; those with moments."""
    read: list[str] = []
    ids: list[str] = []
    times: set[str] = set()
    for spec in study.events.values():
        for when in (one for one in spec.tables if one.table == table):
            ids.append(when.who or spec.who)
            times.add(when.column)
            read += [when.who or spec.who, when.column, *([when.of] if when.of else [])]
        if study.table_of(spec) == table:
            ids.append(spec.who)
            times |= {spec.start, *(when.column for when in (spec.end, spec.undone) if when and not when.table)}
            read += spec.columns
            if isinstance(spec.watched_until, str) and not is_date(spec.watched_until):
                read.append(spec.watched_until)
                times.add(spec.watched_until)
    return read, ids, times


def is_date(text: str) -> bool:
    return bool(pd.notna(pd.to_datetime(text, format="ISO8601", errors="coerce")))
