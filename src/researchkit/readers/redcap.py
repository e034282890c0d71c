"""Exports of REDCap, with or without their data dictionary.

Fields get their names and codes back, whoever is marked as an identifier leaves, boxes that were never on the screen
are missing and not 0 (see `readers.asked`), and rows in which nothing was entered go.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pandas as pd

from researchkit.errors import DataError, listing, some
from researchkit.parts import File
from researchkit.readers.asked import (
    BOX,
    REPEAT,
    Export,
    forms,
    parent_of,
    present,
    unasked,
    unseen_boxes,
    without_empty_rows,
)
from researchkit.readers.branching import box
from researchkit.readers.dictionary import dictionary_beside, read_dictionary
from researchkit.readers.gaps import explained, reason
from researchkit.readers.values import among, canonical, distinct, each

Shaped = tuple[pd.DataFrame, list[str]]
LABELLED_BOX = re.compile(r"(.+) \(choice=(.+)\)", re.DOTALL)
LABELLED_STATE = "Complete?"
EVENT, INSTANCE = "redcap_event_name", "redcap_repeat_instance"


def is_redcap(frame: pd.DataFrame) -> bool:
    """Whether REDCap's own columns are there, or boxes beside the states of forms."""
    names = [str(name) for name in frame.columns]
    boxes = any(BOX.fullmatch(name) or LABELLED_BOX.fullmatch(name) for name in names)
    states = bool(forms(frame)) or LABELLED_STATE in names
    return any(name in (EVENT, REPEAT, INSTANCE) for name in names) or (boxes and states)


def redcap(frame: pd.DataFrame, file: File, subject: str, path: Path) -> Shaped:
    """One row a record, an event or a repeat, as the export has it, under the names of the fields.

    Raises
    ------
    DataError
        If a column holds codes and labels, or no row has an answer.
    """
    found = dictionary_beside(path, file)
    export = Export(frame, read_dictionary(found) if found else {}, subject, [])
    export.say(
        f"a REDCap export{f', read with its dictionary {found.name}' if found else '; no dictionary lies beside it'}."
    )
    named_by_fields(export)
    without_identifiers(export)
    coded(export)
    here = present(export)
    without_empty_rows(export, here)
    unseen_boxes(export, here)
    unasked(export, here)
    missing_choices(export, file)
    kinds_of_rows(export)
    return explained(export.frame, export.why), export.notes


# ---- names, people, codes


def named_by_fields(export: Export) -> None:
    """Names of fields for the labels that an export "with labels" has as names, where the dictionary tells them."""
    known = {entry.label: name for name, entry in export.fields.items() if entry.label}
    own = {"Event Name": EVENT, "Repeat Instrument": REPEAT, "Repeat Instance": INSTANCE}
    if len(only := {entry.form for entry in export.fields.values()}) == 1:
        own[LABELLED_STATE] = f"{only.pop()}_complete"
    names = {}
    for name in export.frame.columns:
        match = LABELLED_BOX.fullmatch(name)
        if match and (parent := known.get(match.group(1))):
            codes = {label: code for code, label in export.fields[parent].choices.items()}
            if match.group(2) in codes:
                names[name] = box(parent, codes[match.group(2)])
        elif name not in export.fields and name in known:
            names[name] = known[name]
        elif name in own:
            names[name] = own[name]
    if names and len(set(names.values())) == len(names):
        export.frame = export.frame.rename(columns=names)
        export.say(f"{len(names)} columns have labels for names; they are called by their fields again.")


def without_identifiers(export: Export) -> None:
    """Without the fields that the dictionary marks as saying who somebody is; the record's id (the first) stays."""
    marked = [name for name in list(export.fields)[1:] if export.fields[name].identifier and name in export.frame]
    if marked:
        export.frame = export.frame.drop(columns=marked)
        export.say(f"{some(marked)} are marked as identifiers, and are left out.")


def coded(export: Export) -> None:
    """Codes for labels, by the dictionary; boxes as 1 and 0.

    Raises
    ------
    DataError
        If some entries of a column are codes and others labels: it was put together from two exports.
    """
    turned, problems, new = [], [], {}
    for name in export.frame.columns:
        series, choices = export.frame[name], choices_for(export, name)
        if not choices or not (held := distinct(series)):
            continue
        codes = {label: code for code, label in choices.items() if label not in choices}
        labels = [entry for entry in held if entry in codes]
        plain_codes = [entry for entry in held if entry in choices]
        if labels and plain_codes:
            problems.append(
                f"{name}: some entries are codes ({some(plain_codes, 2)}), others labels ({some(labels, 2)})."
            )
        elif labels:
            new[name] = each(series, partial(called, codes))
            turned.append(name)
    if problems:
        raise DataError(
            listing(export.subject, [f"{one} Export it again, raw or with labels, and not both." for one in problems])
        )
    if turned:
        export.frame = export.frame.assign(**new)
        export.say(f"{len(turned)} columns hold labels; they are codes again, by the dictionary ({some(turned)}).")


def called(codes: dict[str, str], entry: str) -> str:
    return codes.get(canonical(entry), entry)


def choices_for(export: Export, name: str) -> dict[str, str]:
    if parent_of(name):
        return {"1": "Checked", "0": "Unchecked"}
    return export.fields[name].choices if name in export.fields else {}


def missing_choices(export: Export, file: File) -> None:
    """A box such as "do not know" that the study declares as missing takes the other boxes with it."""
    sought = {canonical(code): box("x", code).removeprefix("x") for code in file.missing}
    for parent in dict.fromkeys(filter(None, map(parent_of, export.frame.columns))):
        group = [name for name in export.frame.columns if parent_of(name) == parent]
        for code, ending in sought.items():
            name = f"{parent}{ending}"
            if name not in group:
                continue
            ticked = among(export.frame[name], ["1"])
            others = [one for one in group if one != name]
            export.frame = export.frame.assign(**{one: export.frame[one].mask(ticked) for one in others})
            for one in others:
                held = export.why.get(one, pd.Series(None, index=range(len(ticked)), dtype="str"))
                export.why[one] = held.fillna(reason(ticked, f"coded {code}"))
            export.say(f"{parent}: {int(ticked.sum())} rows have the box {name}, declared as missing.")


def kinds_of_rows(export: Export) -> None:
    """A note where rows are of several events or repeating forms, and how to read one kind."""
    frame = export.frame
    kinds = (
        [f"{int((frame[EVENT] == name).sum())} {name}" for name in pd.unique(frame[EVENT].dropna())]
        if EVENT in frame
        else []
    )
    again = frame[REPEAT].dropna() if REPEAT in frame else pd.Series(dtype="str")
    kinds += [f"{int((again == name).sum())} of the repeating form {name}" for name in pd.unique(again)]
    if len(kinds) > 1 or len(again):
        export.say(
            f"its rows are of several kinds ({some(kinds, 8)}). In study.yml `only: {{{EVENT}: NAME}}` reads one, "
            f'`only: {{{REPEAT}: ""}}` the rows that do not repeat, `pivot:` lays events side by side.'
        )
