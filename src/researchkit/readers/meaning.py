"""What an export says of its columns beside the numbers: labels, and what codes stand for. For a first study file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from researchkit.errors import DataError
from researchkit.parts import File
from researchkit.readers import plain, redcap, surveys
from researchkit.readers.asked import parent_of
from researchkit.readers.branching import box
from researchkit.readers.dictionary import dictionary_beside, read_dictionary
from researchkit.readers.stored import code_text
from researchkit.readers.values import canonical, distinct

SAYS_NONE = re.compile(  # "none" is not among them: it may be an answer
    r"#?n[./]?a\.?|n[./ ]?v!?|k\. ?a\.?|#?null!?|nan|[-–—.?*/]+|missing|unknown|fehlt|fehlend|unbekannt|entfällt"
    r"|(no|not|nicht|keine?|sans) (answer|response|reply|data|angaben?|antwort|erhoben|beantwortet|zutreffend|bekannt"
    r"|answered|applicable|asked|available|known|stated|recorded|réponse)"
    r"|(don.t|do not) know|refused|declined|prefer not to (say|answer)|wei(ß|ss) nicht|verweigert|ne sait pas|no sabe",
    re.IGNORECASE,
)
LONGEST = 80  # characters of a question that serve as a label


@dataclass(frozen=True)
class Meaning:
    """Of one column: its label ("" if none is told), and its codes."""

    label: str = ""
    codes: dict[str, str] = field(default_factory=dict)


def meanings(path: Path, file: File) -> dict[str, Meaning]:
    """What is told of each column of a file; nothing where its kind tells nothing.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    if path.suffix.lower() in (".sav", ".zsav", ".dta", ".sas7bdat", ".xpt"):
        return labelled(path)
    if path.suffix.lower() in (".parquet", ".rds", ".rda", ".rdata"):
        return {}
    frame, _ = plain.read(path, file)
    if surveys.is_qualtrics(frame):
        texts = {str(name): Meaning(in_words(text)) for name, text in frame.iloc[0].items() if not pd.isna(text)}
        ids = {surveys.import_id(entry): str(name) for name, entry in frame.iloc[1].items()}
        return texts | {id: texts[name] for id, name in ids.items() if id and name in texts}
    if redcap.is_redcap(frame) and (found := dictionary_beside(path, file)):
        return of_fields(found)
    return {}


def labelled(path: Path) -> dict[str, Meaning]:
    """Labels of columns and values, as SPSS, Stata and SAS store them."""
    try:
        import pyreadstat
    except ImportError:
        return {}
    reads: dict[str, Any] = {
        ".dta": pyreadstat.read_dta,
        ".sas7bdat": pyreadstat.read_sas7bdat,
        ".xpt": pyreadstat.read_xport,
    }
    read = reads.get(path.suffix.lower(), pyreadstat.read_sav)
    try:
        _, meta = read(str(path), metadataonly=True)
    except Exception as error:
        raise DataError(f"{path} cannot be read as {path.suffix}: {error}") from error
    labels: dict[str, Any] = meta.column_names_to_labels
    values: dict[str, Any] = meta.variable_value_labels
    return {
        name: Meaning(
            in_words(labels.get(name) or ""),
            {canonical(code_text(code)): str(words) for code, words in values.get(name, {}).items()},
        )
        for name in meta.column_names
    }


def of_fields(dictionary: Path) -> dict[str, Meaning]:
    """The fields of a dictionary of REDCap; a box for each choice of a checkbox."""
    found = {}
    for name, entry in read_dictionary(dictionary).items():
        if entry.kind == "checkbox":
            for code, words in entry.choices.items():
                told = Meaning(in_words(f"{entry.label}: {words}"), {"0": "not ticked", "1": "ticked"})
                found[box(name, code)] = told
        else:
            found[name] = Meaning(in_words(entry.label), entry.choices)
    return {name: told for name, told in found.items() if told.label or told.codes or parent_of(name)}


def in_words(text: object) -> str:
    """A label without marks of HTML, in one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", str(text))).strip()


def shortened(text: str) -> str:
    """What fits beside a column."""
    return text if len(text) <= LONGEST else text[: LONGEST - 3].rstrip() + "..."


def silent(series: pd.Series) -> list[str]:
    """Entries that say in words that there is no answer: "N/A", "keine Angabe"."""
    return [] if pd.api.types.is_numeric_dtype(series.dtype) else [*filter(SAYS_NONE.fullmatch, distinct(series))]
