"""REDCap's data dictionary: what each field is called, which choices it has, when it is shown, whom it names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from researchkit.errors import DataError, some
from researchkit.parts import File
from researchkit.readers import plain
from researchkit.readers.values import canonical

TRUTHS = {"yesno": {"1": "Yes", "0": "No"}, "truefalse": {"1": "True", "0": "False"}}


@dataclass(frozen=True)
class Field:
    """One line of a data dictionary."""

    form: str
    kind: str
    label: str
    choices: dict[str, str]
    logic: str
    identifier: bool


def dictionary_beside(path: Path, file: File) -> Path | None:
    """The dictionary that the study names, or the one in the folder of the export that is called so.

    Raises
    ------
    DataError
        If the one that is named is not there, or there are several.
    """
    if file.dictionary:
        named = Path(file.dictionary)
        if not named.is_file():
            raise DataError(f"There is no file {named} (`dictionary` in study.yml).")
        return named
    found = sorted(one for one in path.parent.glob("*.csv") if "dictionary" in one.name.lower() and one != path)
    if len(found) > 1:
        names = some(one.name for one in found)
        raise DataError(f"{path}: {names} may be its data dictionary; say which in study.yml: `dictionary:`.")
    return found[0] if found else None


def plainly(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def read_dictionary(path: Path) -> dict[str, Field]:
    """The fields of a data dictionary, as downloaded from the designer or by the API.

    Raises
    ------
    DataError
        If it is no such dictionary.
    """
    table, _ = plain.read(path, File.model_validate({"path": path.name}))
    table = table.rename(columns=plainly).rename(columns={"variable_field_name": "field_name"})
    if not {"field_name", "form_name", "field_type"} <= set(table):
        raise DataError(f"{path} is no data dictionary of REDCap: it has no columns field_name, form_name, field_type.")
    found = {}
    for line in table.fillna("").astype("str").to_dict("records"):
        listed = line.get("choices_calculations_or_slider_labels", line.get("select_choices_or_calculations", ""))
        kind = line["field_type"].strip().lower()
        choices = TRUTHS.get(kind) or (choices_of(listed) if kind in ("radio", "dropdown", "checkbox") else {})
        logic = line.get("branching_logic_show_field_only_if", line.get("branching_logic", ""))
        who = line.get("identifier", "").strip().lower() in ("y", "yes", "1")
        label = re.sub(r"<[^>]*>", "", line.get("field_label", "")).strip()
        found[line["field_name"].strip()] = Field(plainly(line["form_name"]), kind, label, choices, logic, who)
    return found


def choices_of(listed: str) -> dict[str, str]:
    """{"1": "Yes", "-90": "Unknown"} of "1, Yes | -90, Unknown"."""
    pairs = [part.partition(",") for part in listed.split("|") if part.strip()]
    return {canonical(code): label.strip() for code, _, label in pairs}
