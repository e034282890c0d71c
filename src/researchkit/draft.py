"""A first study file from a table: what its columns seem to be, and what only its author can say.

Nothing is decided here that an answer hangs on: the question, the smallest effect that matters and what to hold equal
are left open, so that the file is refused until somebody has thought of them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.doubts.columns import behind_a_gap
from researchkit.errors import DataError
from researchkit.faults import OPEN
from researchkit.filled import filled
from researchkit.parts import File
from researchkit.readers import exports, plain
from researchkit.readers.foreign import DOTTED
from researchkit.readers.gaps import parted
from researchkit.readers.meaning import SAYS_NONE, Meaning, meanings, shortened, silent
from researchkit.readers.plain import COMMA
from researchkit.readers.tickets import ClockError
from researchkit.readers.values import a_number, blank, canonical, distinct, factors, numbers, written

FEW = 12  # distinct entries up to which a column is one of codes
ENOUGH = 5  # times that an entry has to stand to be written out: one that stands seldom may be somebody's name
MOSTLY = 0.9  # of distinct entries among all: an id
NUMBERS = 0.6  # of the entries that are numbers: the few words among them stand for no answer
WORDS = 5  # different words that may stand for no answer among numbers
STEPS = 10  # from the lowest answer to the highest of what may be an item
NO_ANSWER = {float(sign * code) for code in (9, 99, 999, 9999, 98, 998, 9998) for sign in (1, -1)}
BEYOND = 3  # times as far from zero as every other answer: a code for no answer
TEXTS = (".csv", ".tsv", ".tab", ".txt")
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
THOUSANDS = re.compile(r"[+-]?\d{1,3}([.,]\d{3})+")  # 1,234 may be one thousand and more, so it tells nothing
ISO = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?")
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.\w+")
DAY = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}( .*)?")
REVERSED = re.compile(r"(\(r\)|[_ .]r|[_ .]?rev(ersed)?)$", re.IGNORECASE)
NAMED_ID = re.compile(r"((^|_|\b)(id|no|code|key)|(^|_|\b|\w)(nr|number|nummer|kennung))\.?$", re.IGNORECASE)
ZEROS = re.compile(r"0\d+")  # an id, of which a number would lose the zeros
PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
RESERVED = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
HEAD = f"""# A draft, made from the data, and no study yet: check every line, and fill in what says {OPEN}
# before you look at any result. `researchkit check` says what is left."""
START = """title: {title}
seed: 1                # any whole number: the same seed gives the same answers
files: {files}
design: observational  # randomised where people were put into groups by lot; rollout where in steps
people: {people}       # who is counted where small groups are hidden; `row` where each row is one
# clusters: {clusters}     # rows that are alike because they share an agent, a ward, a site: then take the # away
disclosure: five       # groups of fewer than five people are not shown
"""
QUESTION = f"""questions:
  - id: first
    title: {OPEN}      # as you would ask a colleague, with a question mark
    claim: {OPEN}      # one of 48; `researchkit claims` lists them
    exposure: {OPEN}   # the column that may make the difference
    outcome: {{column: {OPEN}, kind: score, good: high}}   # good: which way is better
    # other kinds: {{column: ..., kind: yes_no, yes: CODE, good: high}}
    #              {{column: ..., kind: ordered, top: [CODE, CODE]}}, or `nps: true` for answers from 0 to 10
    #              {{column: ..., kind: counts}}, {{column: ..., kind: change, baseline: COLUMN}}
    #              {{column: ..., kind: duration, event: COLUMN, horizon: 30}}
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
    file, more, notes = entry(path)
    try:
        arrived, said = exports.read(path, file)
    except ClockError as error:  # each duration is there twice, and only the author knows which one is meant
        arrived, said = exports.read(path, file.model_copy(update={"clock": "calendar"}))
        notes, more = [*notes, str(error)], {**more, "clock": OPEN}
    notes += said
    files = quoted(place or path.name)
    if more:
        files = f"{{path: {files}, {', '.join(f'{key}: {value}' for key, value in more.items())}}}"
    frame, _ = parted(arrived)
    told = meanings(path, file)
    kinds = {str(name): kind(answered(frame[name]), told.get(str(name))) for name in frame.columns}
    ids = [name for name, told in kinds.items() if told == "id"]
    people = next((name for name in ids if frame[name].is_unique), ids[0] if ids else "row")
    notes += [*map(str, filled(frame, ids)), *whose(frame, ids)]
    rows = exports.aggregates(arrived, file)
    together = [name for name, told in kinds.items() if name != people and told in ("codes", "category", "id")]
    alike = [name for name in together if shared(frame[name])][:3]
    start = head(path, files, people, alike, notes, rows)
    return "\n".join([*start, *columns(frame, kinds, told), *items(frame, kinds), QUESTION])


def whose(frame: pd.DataFrame, ids: list[str]) -> Iterator[str]:
    """Ids that several rows share beside one that each row has for itself: those may be the people."""
    if own := [name for name in ids if frame[name].is_unique]:
        several = " or ".join(word(name) for name in ids if frame[name].dropna().duplicated().any())
        if several:
            yield f"{word(own[0])} is another in each row. Is a person in several, by {several}? See `people`."


def entry(path: Path) -> tuple[File, dict[str, str], list[str]]:
    """The file as it has to be declared to be read, beside its path, and what to look at because of that."""
    more: dict[str, str] = {}
    notes: list[str] = []
    file = File.model_validate({"path": path.name})
    if path.suffix.lower() not in TEXTS or not path.is_file():
        return file, more, notes
    begin = path.read_bytes()
    try:
        begin.decode("utf-8-sig")
    except UnicodeDecodeError:
        if not begin.startswith(UTF_16) and b"\0" not in begin:
            file, more = file.model_copy(update={"encoding": "cp1252"}), {"encoding": "cp1252"}
            notes.append(
                "It is not UTF-8 and was read as cp1252, as Excel has it: look whether é, ü and the like are right."
            )
    frame, _ = plain.read(path, file)
    first = begin.partition(b"\n")[0]
    texts = [text for name in frame for text in factors(frame[name].dropna())[1] if COMMA.fullmatch(text)]
    if (b";" in first or b"\t" in first) and any(not THOUSANDS.fullmatch(text) for text in texts):
        file, more = file.model_copy(update={"decimal": ","}), {**more, "decimal": quoted(",")}
        notes.append("Numbers were read with a decimal comma.")
    return file, more, notes


def head(path: Path, files: str, people: str, alike: list[str], notes: list[str], rows: str) -> Iterator[str]:
    yield HEAD
    yield from (f"# {note.splitlines()[0]}" for note in notes)
    title = quoted(label(path.stem))
    clusters = " or ".join(map(word, alike)) or "COLUMN"
    yield START.format(title=title, files=files, people=word(people), clusters=clusters)
    if rows:
        yield f"rows: {rows}\naggregates: true       # averages of many people, of whom nothing is said one by one\n"


def columns(frame: pd.DataFrame, kinds: dict[str, str], meant: Mapping[str, Meaning]) -> Iterator[str]:
    """A line a column."""
    yield "columns:               # `source: staff` and the like say who said it: then one rater of both sides is told"
    for name, told in kinds.items():
        known = meant.get(name, Meaning())
        parts = [f"label: {quoted(shortened(known.label) or label(name))}", *described(frame[name], told, known)]
        gaps = frame[name].isna().mean()
        notes = [f"{wording.percent(gaps)} missing"] if gaps else []
        note = "; ".join([*notes, *remarks(frame[name], told, known)])
        yield f"  {word(name)}: {{{', '.join(parts)}}}{f'   # {note}' if note else ''}"
    yield ""


def described(series: pd.Series, told: str, known: Meaning) -> list[str]:
    """What a column holds, as the study file says it."""
    none = without_answer(series, told, known)
    empty = [f"missing: [{', '.join(map(quoted, none))}]"] if none else []
    if told == "labelled":
        codes = {code: words for code, words in known.codes.items() if code not in none}
        return [f"codes: {{{', '.join(f'{quoted(code)}: {quoted(words)}' for code, words in codes.items())}}}", *empty]
    if told == "numbers":
        values, _ = numbers(series)
        real = values[~np.isnan(values) & ~np.isin(values, [float(one) for one in none if a_number(one)])]
        return [f"range: [{written(float(real.min()))}, {written(float(real.max()))}]", *empty]
    if told == "codes":
        codes = {one: one for one in distinct(series) if one not in none}
        return [f"codes: {{{', '.join(f'{quoted(code)}: {quoted(code)}' for code in codes)}}}", *empty]
    return [f"type: {told}", *empty]


def remarks(series: pd.Series, told: str, known: Meaning) -> Iterator[str]:
    """What the author should look at: what was taken for no answer, words among numbers, days in another order."""
    none = without_answer(series, told, known)
    counts = series[series.notna()].map(lambda one: canonical(str(one))).value_counts() if none else pd.Series()
    yield from (f"{quoted(one)} {wording.count(int(counts.get(one, 0)))} times: no answer?" for one in none)
    if told == "numbers":
        _, words = numbers(series)
        if left := int(words.sum()) - sum(int(counts.get(one, 0)) for one in none if not a_number(one)):
            many = "entry is a word" if left == 1 else "entries are words"
            yield f"{wording.count(left)} more {many}: `check` says where"
    elif told in ("category", "id", "text") and any(map(ADDRESS.fullmatch, distinct(series)[:FEW])):
        yield "addresses of people: what no question needs is better left out, by `drop` under `files`"
    elif told == "category" and all(DAY.fullmatch(one) for one in distinct(series)):
        yield "days? Written as 2026-03-31 or 31.03.2026 they are read as dates (`type: date`)"


def without_answer(series: pd.Series, told: str, known: Meaning) -> list[str]:
    """Entries of a column that seem to stand for no answer, by their label, their words or their size."""
    if told == "labelled":
        return [code for code, words in known.codes.items() if SAYS_NONE.fullmatch(words.strip())]
    return no_answers(series) if told == "numbers" else silent(series)


def answered(series: pd.Series) -> pd.Series:
    """The column without such entries, which say nothing of what it holds."""
    return blank(series, silent(series))[0]


def no_answers(series: pd.Series) -> list[str]:
    """Entries among numbers that may stand for no answer: words that say so or are frequent; codes that stand apart.

    A code stands apart far beyond all others (99 after 1 to 5), or behind a gap where an item's answers end (9).
    """
    values, words = numbers(series)
    texts = series[words].map(canonical).value_counts()
    found = [one for one in distinct(series[words]) if texts[one] >= ENOUGH or SAYS_NONE.fullmatch(one)]
    known = values[~np.isnan(values)]
    different, counts = np.unique(known, return_counts=True)
    found += map(written, behind_a_gap(known) if len(known) else [])
    for place in (-1, 0):  # the highest and the lowest
        code, rest = (different[place], np.delete(different, place)) if len(different) > 2 else (0.0, different)
        if code in NO_ANSWER and counts[place] >= ENOUGH and BEYOND * np.abs(rest).max() <= abs(code):
            found.append(written(float(code)))
    return [*dict.fromkeys(found)]


def kind(series: pd.Series, meant: Meaning | None = None) -> str:
    """ "labelled" where the file names every code; else "id", "date", "numbers", "codes", "category" or "text"."""
    known = series.dropna()
    if meant and meant.codes and set(distinct(known)) <= set(meant.codes):
        return "labelled"
    if known.empty:
        return "text"
    places, texts = factors(known)
    counts = np.bincount(places, minlength=len(texts))
    values, words = numbers(known)
    whole = len(texts) > FEW or len(texts) == len(known)
    if whole and (NAMED_ID.search(str(series.name)) or any(map(ZEROS.fullmatch, texts))):
        return "id"
    if all(ISO.fullmatch(text) or DOTTED.fullmatch(text) for text in texts):
        return "date"
    if all(DAY.fullmatch(text) for text in texts):
        return "category"
    if not words.any():
        halves = bool((values % 1).any())
        return "codes" if not halves and len(texts) == 2 and counts.min() >= ENOUGH else "numbers"
    if (~words).mean() >= NUMBERS and known[words].nunique() <= WORDS and len(np.unique(values[~words])) > 2:
        return "numbers"
    if len(texts) > MOSTLY * len(known):
        return "text"
    return "codes" if len(texts) <= FEW and counts.min() >= ENOUGH else "category"


def shared(series: pd.Series) -> bool:
    """Whether several rows share each of many entries, as those of one agent or ward do."""
    many = series.nunique()
    return ENOUGH <= many <= series.notna().sum() / ENOUGH


def items(frame: pd.DataFrame, kinds: dict[str, str]) -> Iterator[str]:
    """Answers on one range, which may be one scale: left to the author, with what goes against the others."""
    lots: dict[tuple[float, float], dict[str, pd.Series]] = {}
    for name in (name for name, told in kinds.items() if told == "numbers"):
        values, _ = numbers(frame[name])
        answers = pd.Series(values).mask(
            np.isin(values, [float(one) for one in no_answers(frame[name]) if a_number(one)])
        )
        whole = bool((answers.dropna() % 1 == 0).all())
        if whole and 2 <= answers.max() - answers.min() <= STEPS and answers.min() in (0, 1):
            lots.setdefault((float(answers.min()), float(answers.max())), {})[name] = answers
    many = {ends: lot for ends, lot in lots.items() if len(lot) >= 3}
    if many:
        yield "# scales:              # do these belong together? Then take the # away, and what does not belong"
    for number, ((low, high), lot) in enumerate(many.items(), 1):
        score = "score" if len(many) == 1 else f"score_{number}"
        names = ", ".join(map(word, lot))
        turned = ", ".join(word(name) for name in against(pd.DataFrame(lot)))
        reverse = f", reverse: [{turned}]" if turned else ""
        yield f"#   {score}: {{items: [{names}]{reverse}, range: [{written(low)}, {written(high)}]}}"
        if turned:
            yield "# `reverse`: it goes against the others, or says so by its name; look at the questionnaire."
    if many:
        yield ""


def against(answers: pd.DataFrame) -> list[str]:
    """The items that go against most of the others in these answers, or whose name says that they are reversed."""
    signs = np.sign(answers.corr().to_numpy())
    np.fill_diagonal(signs, 0.0)
    opposed = np.nansum(signs, axis=1) < 0
    if opposed.sum() * 2 > len(opposed) or opposed.all():
        opposed[:] = False
    return [name for name, one in zip(answers.columns, opposed, strict=True) if one or REVERSED.search(str(name))]


def label(name: str) -> str:
    return wording.capital(re.sub(r"(_|\.(?=\w))+", " ", name).strip(" .")) or name


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
    text = draft(path, way(path.resolve(), folder.resolve()))
    folder.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return target


def way(path: Path, folder: Path) -> str:
    """The file as the study file calls it: from there, so that both can be moved; whole where they share no folder."""
    try:
        shared = Path(os.path.commonpath([path, folder]))
    except ValueError:  # on two drives
        return str(path)
    return str(path) if shared == Path(shared.anchor) else Path(os.path.relpath(path, folder)).as_posix()
