"""A first study file from a table: what its columns seem to be, and what only its author can say.

Nothing is decided here that an answer hangs on: the question, the smallest effect that matters and what to hold equal
are left open, so that the file is refused until somebody has thought of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.errors import DataError
from researchkit.faults import OPEN
from researchkit.filled import filled
from researchkit.parts import File
from researchkit.readers import exports
from researchkit.readers.gaps import parted
from researchkit.readers.meaning import Meaning, meanings, shortened
from researchkit.readers.tickets import ClockError
from researchkit.readers.values import distinct, factors, numbers, written

FEW = 12  # distinct entries up to which a column is one of codes
ENOUGH = 5  # times that an entry has to stand to be written out: one that stands seldom may be somebody's name
MOSTLY = 0.9  # of distinct entries among all: an id
NAMED_ID = re.compile(r"(^|_|\b)(id|no|nr|number|code|key)$", re.IGNORECASE)
PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
RESERVED = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
HEAD = f"""# A draft, made from the data, and no study yet: check every line, and fill in what says {OPEN}
# before you look at any result. `researchkit check` says what is left."""
START = """title: {title}
seed: 1                # any whole number: the same seed gives the same answers
files: {files}
design: observational  # randomised where people were put into groups by lot; rollout where in steps
people: {people}       # who is counted where small groups are hidden; `row` where each row is one
# clusters: COLUMN     # rows that are alike because they share an agent, a ward, a site
disclosure: five       # groups of fewer than five people are not shown
"""
QUESTION = f"""questions:
  - id: first
    title: {OPEN}      # as you would ask a colleague, with a question mark
    claim: {OPEN}      # one of 48; `researchkit claims` lists them
    exposure: {OPEN}   # the column that may make the difference
    # kind: score, yes_no, ordered, counts, duration or change; good: which way is better
    outcome: {{column: {OPEN}, kind: score, good: high}}
    adjust: []         # what came before both and could explain both
    smallest_effect: {OPEN}  # in the outcome's unit: less than this would not matter
"""


def draft(path: Path, place: str | None = None) -> str:
    """The text of a study file for one table.

    Parameters
    ----------
    path
        The table, in any format that is read.
    place
        How the study file is to call it; the file's own name if not given.

    Raises
    ------
    DataError
        If the file cannot be read.
    """
    file = File.model_validate({"path": path.name})
    files = quoted(place or path.name)
    try:
        arrived, notes = exports.read(path, file)
    except ClockError as error:  # each duration is there twice, and only the author knows which one is meant
        arrived, notes = exports.read(path, file.model_copy(update={"clock": "calendar"}))
        notes = [str(error), *notes]
        files = f"{{path: {files}, clock: {OPEN}}}"
    frame, _ = parted(arrived)
    told = meanings(path, file)
    kinds = {str(name): kind(frame[name], told.get(str(name))) for name in frame.columns}
    ids = [name for name, told in kinds.items() if told == "id"]
    people = next((name for name in ids if frame[name].is_unique), ids[0] if ids else "row")
    notes += map(str, filled(frame, ids))
    rows = exports.aggregates(arrived, file)
    start = head(path, files, people, notes, rows)
    return "\n".join([*start, *columns(frame, kinds, told), QUESTION])


def head(path: Path, files: str, people: str, notes: list[str], rows: str) -> Iterator[str]:
    yield HEAD
    yield from (f"# {note.splitlines()[0]}" for note in notes)
    title = quoted(path.stem.replace("_", " ").capitalize())
    yield START.format(title=title, files=files, people=word(people))
    if rows:
        yield f"rows: {rows}\naggregates: true       # averages of many people, of whom nothing is said one by one\n"


def columns(frame: pd.DataFrame, kinds: dict[str, str], meant: Mapping[str, Meaning]) -> Iterator[str]:
    """A line a column."""
    yield "columns:"
    for name, told in kinds.items():
        known = meant.get(name, Meaning())
        parts = [f"label: {quoted(shortened(known.label) or label(name))}", *described(frame[name], told, known)]
        gaps = frame[name].isna().mean()
        note = f"   # {wording.percent(gaps)} missing" if gaps else ""
        yield f"  {word(name)}: {{{', '.join(parts)}}}{note}"
    yield ""


def described(series: pd.Series, told: str, known: Meaning) -> list[str]:
    """What a column holds, as the study file says it."""
    if told == "labelled":
        return [f"codes: {{{', '.join(f'{quoted(code)}: {quoted(words)}' for code, words in known.codes.items())}}}"]
    if told == "numbers":
        values, _ = numbers(series)
        return [f"range: [{written(float(np.nanmin(values)))}, {written(float(np.nanmax(values)))}]"]
    if told == "codes":
        return [f"codes: {{{', '.join(f'{quoted(code)}: {quoted(code)}' for code in distinct(series))}}}"]
    return [f"type: {told}"]


def kind(series: pd.Series, meant: Meaning | None = None) -> str:
    """ "labelled" where the file names every code; else "id", "numbers", "codes", "category" or "text" as it looks."""
    known = series.dropna()
    if meant and meant.codes and set(distinct(known)) <= set(meant.codes):
        return "labelled"
    if known.empty:
        return "text"
    places, texts = factors(known)
    counts = np.bincount(places, minlength=len(texts))
    values, words = numbers(known)
    if NAMED_ID.search(str(series.name)) and (len(texts) > FEW or len(texts) == len(known)):
        return "id"
    if not words.any():
        whole = bool(np.all(values == np.rint(values)))
        return "codes" if whole and len(texts) == 2 and counts.min() >= ENOUGH else "numbers"
    if len(texts) > MOSTLY * len(known):
        return "text"
    return "codes" if len(texts) <= FEW and counts.min() >= ENOUGH else "category"


def label(name: str) -> str:
    return re.sub(r"[_.]+", " ", name).strip().capitalize() or name


def word(name: str) -> str:
    """A key of YAML; quoted where it is no plain word."""
    return name if PLAIN_NAME.fullmatch(name) and name.lower() not in RESERVED else quoted(name)


def quoted(text: str) -> str:
    """Text as YAML has it in double quotes, whatever it holds."""
    return json.dumps(text, ensure_ascii=False)


def write_draft(path: Path, folder: Path) -> Path:
    """Put the draft into a folder as `study.yml`.

    Raises
    ------
    DataError
        If the file cannot be read, or the folder has a study file already: nothing is replaced.
    """
    target = folder / "study.yml"
    if target.exists():
        raise DataError(f"{target} is there already, and is left as it is. Name another folder with --out.")
    inside = path.resolve().parent == folder.resolve()
    text = draft(path, path.name if inside else str(path.resolve()))
    folder.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return target
