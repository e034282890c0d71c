"""Who was asked what, in an export of REDCap: a gap or an open box that nobody can have filled gets its reason.

A checkbox is a column a choice (`reasons___2`), and the export writes 0 for a box that was never on the screen just as
for one that was left open. Who saw it is known from three things: the form of the row (each form closes with a column
`FORM_complete`, empty where the form is not part of the event), the repeating form that a row belongs to, and the
branching logic of the dictionary.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.errors import DataError, some
from researchkit.readers.branching import NotUnderstoodError, fields, shown
from researchkit.readers.dictionary import Field, plainly
from researchkit.readers.gaps import reason
from researchkit.readers.values import among, distinct, each

Rows = NDArray[np.bool_]
BOX = re.compile(r"([A-Za-z0-9_]+?)___(\w+)")
STATES = ("0", "1", "2", "Incomplete", "Unverified", "Complete")
UNTOUCHED = ("0", "Incomplete")
REPEAT = "redcap_repeat_instrument"
NOT_SHOWN, NOT_HERE, NOT_FILLED = (
    "not asked (branching logic)",
    "not asked (form not in this row)",
    "form not filled in",
)


@dataclass
class Export:
    """An export on its way: the table, its dictionary (empty where none is at hand), what was done."""

    frame: pd.DataFrame
    fields: dict[str, Field]
    subject: str
    notes: list[str]
    why: dict[str, pd.Series] = field(default_factory=dict)

    def say(self, words: str) -> None:
        self.notes.append(f"{self.subject}: {words}")


def parent_of(name: str) -> str:
    """The checkbox that a column is one choice of; "" for any other column."""
    match = BOX.fullmatch(name)
    return match.group(1) if match else ""


def forms(frame: pd.DataFrame) -> dict[str, str]:
    """The forms of an export, by the column of their state."""
    return {
        str(name): str(name).removesuffix("_complete")
        for name in frame.columns
        if str(name).endswith("_complete") and set(distinct(frame[name])) <= set(STATES)
    }


def form_of(export: Export) -> dict[str, str]:
    """The form of each column: that of the dictionary, else the one whose state stands next on its right."""
    states, found, above = forms(export.frame), {}, ""
    for name in reversed([str(name) for name in export.frame.columns]):
        above = states.get(name, above)
        told = export.fields.get(parent_of(name) or name)
        if name not in states and not name.startswith("redcap_"):
            found[name] = told.form if told else above
    first = str(export.frame.columns[0])
    found.pop(first, None)  # the record's id is in every row, whatever form it is on
    return found


def present(export: Export) -> dict[str, Rows]:
    """For each form, in which rows it can have been answered."""
    frame = export.frame
    rows = np.ones(len(frame), dtype=bool)
    here = {form: frame[state].notna().to_numpy() for state, form in forms(frame).items()}
    if REPEAT not in frame:
        return here
    repeats = each(frame[REPEAT], plainly)
    again = set(distinct(repeats))
    for form in {*here, *(told.form for told in export.fields.values())}:
        mine = (repeats == form).to_numpy(dtype=bool)
        single = repeats.isna().to_numpy() if form not in again else ~rows
        here[form] = here.get(form, rows) & (mine | single) if again else here.get(form, rows)
    return here


def columns_by_form(export: Export) -> Iterator[tuple[str, list[str]]]:
    of = form_of(export)
    for form in dict.fromkeys(of.values()):
        yield form, [name for name in export.frame.columns if of.get(name) == form]


def nothing_in(frame: pd.DataFrame, names: list[str]) -> Rows:
    """Rows in which no field of these is filled and no box is ticked."""
    empty = np.ones(len(frame), dtype=bool)
    for name in names:
        entries = frame[name]
        empty &= ~among(entries, ["1"]) if parent_of(name) else entries.isna().to_numpy()
    return empty


def without_empty_rows(export: Export, here: dict[str, Rows]) -> None:
    """Events and repeats that were planned, and in which nothing was entered."""
    names = [name for _, some_names in columns_by_form(export) for name in some_names]
    states = list(forms(export.frame))
    untouched = np.ones(len(export.frame), dtype=bool)
    for state in states:
        untouched &= export.frame[state].isna().to_numpy() | among(export.frame[state], UNTOUCHED)
    empty = nothing_in(export.frame, names) & untouched
    if not names or not empty.any():
        return
    if empty.all():
        raise DataError(f"{export.subject} has no row with an answer.")
    export.frame = export.frame[~empty]
    here.update({form: rows[~empty] for form, rows in here.items()})
    export.say(f"{int(empty.sum())} rows of events or repeats hold no answer, and are left out.")


def unseen_boxes(export: Export, here: dict[str, Rows]) -> None:
    """Boxes are missing, not 0, where they were never on the screen."""
    counts = {}
    hidden = logic_hides(export, here)
    for form, names in columns_by_form(export):
        blank = nothing_in(export.frame, names)
        for parent in dict.fromkeys(filter(None, map(parent_of, names))):
            group = [name for name in names if parent_of(name) == parent]
            open_ = nothing_in(export.frame, group)
            reasons = pd.Series(None, index=range(len(export.frame)), dtype="str")
            for rows, words in (
                (~here[form] if form in here else np.zeros(len(blank), dtype=bool), NOT_HERE),
                (hidden.get(parent, np.zeros(len(blank), dtype=bool)), NOT_SHOWN),
                (blank & untouched(export.frame, form), NOT_FILLED),
            ):
                reasons = reasons.fillna(reason(rows & open_, words))
            gone = reasons.notna().to_numpy()
            if gone.any():
                counts[parent] = int(gone.sum())
                export.frame = export.frame.assign(**{name: export.frame[name].mask(gone) for name in group})
                export.why |= {name: reasons for name in group}
    if counts:
        told = some(f"{name} in {count} rows" for name, count in counts.items())
        export.say(f"boxes that were never on the screen are missing, where the export writes 0 ({told}).")


def untouched(frame: pd.DataFrame, form: str) -> Rows:
    state = f"{form}_complete"
    return among(frame[state], UNTOUCHED) if state in frame else np.zeros(len(frame), dtype=bool)


def logic_hides(export: Export, here: dict[str, Rows]) -> dict[str, Rows]:
    """For each field with branching logic, the rows in which it was not shown."""
    hidden, strange, of = {}, [], form_of(export)
    n = len(export.frame)
    for name, entry in export.fields.items():
        if not entry.logic.strip():
            continue
        try:
            rows = ~shown(entry.logic, lambda one: export.frame[one], n)
            for read in fields(entry.logic):  # what stands in another row says nothing about this one
                rows &= here.get(of.get(read, ""), np.ones(n, dtype=bool))
            hidden[name] = rows
        except (NotUnderstoodError, KeyError):
            strange.append(name)
    if strange:
        export.say(
            f"the branching logic of {some(strange)} is not understood: their boxes stay 0 where nothing says more."
        )
    return hidden


def unasked(export: Export, here: dict[str, Rows]) -> None:
    """Why a field is empty: it was not asked, or its form was not filled in. Any other gap was left by who answered."""
    hidden = logic_hides(Export(export.frame, export.fields, export.subject, []), here)
    for form, names in columns_by_form(export):
        blank = nothing_in(export.frame, names) & untouched(export.frame, form)
        for name in (one for one in names if not parent_of(one)):
            gaps = export.frame[name].isna().to_numpy()
            reasons = pd.Series(None, index=range(len(gaps)), dtype="str")
            for rows, words in (
                (~here[form] if form in here else np.zeros(len(gaps), dtype=bool), NOT_HERE),
                (hidden.get(name, np.zeros(len(gaps), dtype=bool)), NOT_SHOWN),
                (blank, NOT_FILLED),
            ):
                reasons = reasons.fillna(reason(gaps & rows, words))
            if reasons.notna().any():
                export.why[name] = reasons
