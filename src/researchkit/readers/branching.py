"""REDCap's branching logic: in which rows a question was shown.

The logic is text from a data dictionary: it is read by the few rules below and never run. What goes beyond them
(functions, fields of other events) is not understood, and whoever asks is told so.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.readers.values import canonical, each, numbers

Rows = NDArray[np.bool_]
Column = Callable[[str], pd.Series]
TOKEN = re.compile(
    r"""\s*(?:\[(?P<field>[A-Za-z0-9_]+)(?:\((?P<choice>[^()\]]+)\))?\](?!\s*\[)"""
    r"""|'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<number>-?\d+(?:\.\d+)?)"""
    r"""|(?P<sign><>|!=|<=|>=|=|<|>)|(?P<word>and|or)\b|(?P<bracket>[()]))""",
    re.IGNORECASE,
)
SIGNS = {"=": operator.eq, "<>": operator.ne, "!=": operator.ne}
ORDER = {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge}


class NotUnderstoodError(ValueError):
    """Logic beyond comparisons joined by `and`, `or` and brackets."""


def shown(logic: str, column: Column, rows: int) -> Rows:
    """In which of the rows (n,) the logic holds; an empty field is the text "" and no number.

    Parameters
    ----------
    logic
        As `[sex] = '1' and ([age] >= 18 or [reasons(2)] = '1')`.
    column
        Gives a field, or a box as `reasons___2`, by its name in the export.

    Raises
    ------
    NotUnderstoodError
        If it says anything else; KeyError if there is no such field.
    """
    tokens = parts(logic)
    found, rest = either(tokens, column, rows)
    if rest:
        raise NotUnderstoodError(logic)
    return found


def fields(logic: str) -> list[str]:
    """The fields and boxes that a logic reads.

    Raises
    ------
    NotUnderstoodError
        As `shown`.
    """
    return [name for kind, name in parts(logic) if kind == "field"]


def box(field: str, choice: str) -> str:
    """What the export calls one choice of a checkbox: a minus becomes a low line."""
    return f"{field}___{choice.strip().lower().replace('-', '_')}"


def parts(logic: str) -> list[tuple[str, str]]:
    """The logic as (kind, text), in order."""
    found, place, text = [], 0, logic.strip()
    while place < len(text):
        match = TOKEN.match(text, place)
        if not match:
            raise NotUnderstoodError(logic)
        place = match.end()
        held = match.groupdict()
        if held["field"]:
            name = box(held["field"], held["choice"]) if held["choice"] else held["field"]
            found.append(("field", name))
            continue
        kind = next(kind for kind, value in held.items() if value is not None)
        found.append(("entry" if kind in ("single", "double", "number") else kind, held[kind].lower()))
    return found


Found = tuple[Rows, Sequence[tuple[str, str]]]


def either(tokens: Sequence[tuple[str, str]], column: Column, rows: int) -> Found:
    """This or that."""
    found, tokens = both(tokens, column, rows)
    while tokens and tokens[0] == ("word", "or"):
        more, tokens = both(tokens[1:], column, rows)
        found = found | more
    return found, tokens


def both(tokens: Sequence[tuple[str, str]], column: Column, rows: int) -> Found:
    """This and that."""
    found, tokens = one(tokens, column, rows)
    while tokens and tokens[0] == ("word", "and"):
        more, tokens = one(tokens[1:], column, rows)
        found = found & more
    return found, tokens


def one(tokens: Sequence[tuple[str, str]], column: Column, rows: int) -> Found:
    """A comparison, or what stands in brackets."""
    if tokens and tokens[0] == ("bracket", "("):
        found, rest = either(tokens[1:], column, rows)
        if not rest or rest[0] != ("bracket", ")"):
            raise NotUnderstoodError("a bracket is not closed")
        return found, rest[1:]
    kinds = [kind for kind, _ in tokens[:3]]
    sides = ("field", "entry")
    if len(kinds) < 3 or kinds[0] not in sides or kinds[1] != "sign" or kinds[2] not in sides:
        raise NotUnderstoodError(" ".join(text for _, text in tokens[:3]))
    left, right = (operand(token, column, rows) for token in (tokens[0], tokens[2]))
    return compared(left, tokens[1][1], right), tokens[3:]


def operand(token: tuple[str, str], column: Column, rows: int) -> pd.Series:
    kind, text = token
    if kind == "entry":
        return pd.Series([canonical(text)] * rows, dtype="str")
    return each(column(text), lambda entry: canonical(entry).lower()).fillna("").astype("str").reset_index(drop=True)


def compared(left: pd.Series, sign: str, right: pd.Series) -> Rows:
    """Equal as text; larger and smaller only between numbers."""
    if sign in SIGNS:
        return SIGNS[sign](left, right).to_numpy(dtype=bool)
    (first, no), (second, none) = numbers(left), numbers(right)
    with np.errstate(invalid="ignore"):
        return ORDER[sign](first, second) & ~no & ~none
