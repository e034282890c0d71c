"""Any bytes as a data file, any text as a study file, any parameter: an answer or a `ResearchkitError`, in little time.

Each input is tried in a process of its own, so that a crash of a library counts as what it is. `make attack` tries many
more; with RESEARCHKIT_FUZZED each test adds how many inputs it has tried to that file.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import json
import lzma
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from bounded import bounded
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planted.clinic import Planted, stays, write_book

from researchkit.answer import answer_question
from researchkit.cli.scores import changed
from researchkit.dataset import load_dataset
from researchkit.draft import write_draft
from researchkit.errors import ResearchkitError
from researchkit.parameters import check_parameters
from researchkit.parts import File
from researchkit.readers import exports, plain
from researchkit.study import load_study

SHORT, LONG = 5, 400
ENDINGS = [".csv", ".tsv", ".xlsx", ".parquet", ".sav", ".dta", ".xpt", ".sas7bdat", ".rds", ".rda", ".csv.gz", ".csv.zip", ".csv.xz", ".csv.bz2"]  # fmt: skip


def tries(count: int) -> settings:
    quiet = (HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large)
    few = count < LONG  # the test command tries the same inputs each time; `make attack` new ones
    return settings(max_examples=count, deadline=None, suppress_health_check=quiet, database=None, derandomize=few)


def at_length(test: Callable) -> Callable:
    """The same test with few inputs, and under the marker `attack` with many."""
    return pytest.mark.parametrize("times", [SHORT, pytest.param(LONG, marks=pytest.mark.attack)], ids=["few", "many"])(
        test
    )


def tried(test: str, inputs: int) -> None:
    if path := os.environ.get("RESEARCHKIT_FUZZED"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{test}\t{inputs}\n")


@cache
def seed_bytes(ending: str) -> bytes:
    """A small good file of a format, to be damaged; nothing for a format that we cannot write."""
    frame = stays(n=30)[["patient", "ward", "age", "kindness", "trust"]]
    frame["trust"] = frame["trust"].mask(frame["age"] > 70)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x{ending}"
        if ending.startswith((".csv", ".tsv")):
            frame.to_csv(path, index=False, sep="\t" if ending == ".tsv" else ",")
        elif ending == ".xlsx":
            write_book(path, frame, "Ratings", 2)
        elif ending == ".parquet":
            import duckdb

            duckdb.from_df(frame.astype({"patient": object, "ward": object})).write_parquet(str(path))
        elif ending == ".sav":
            import pyreadstat

            pyreadstat.write_sav(frame, str(path), missing_ranges={"age": [{"lo": 90, "hi": 99}]})
        elif ending == ".xpt":
            import pyreadstat

            pyreadstat.write_xport(frame, str(path))
        elif ending == ".dta":
            frame.to_stata(path, write_index=False)
        else:
            return b""
        return path.read_bytes()


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """Bytes from nowhere, or a good file that was cut, overwritten, lengthened, or had a part said twice."""
    if not good or draw(st.integers(0, 4)) == 0:
        return draw(st.binary(max_size=300))
    held = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(held)))
        part = draw(st.binary(min_size=1, max_size=12))
        match draw(st.integers(0, 4)):
            case 0:
                held = held[:at]
            case 1:
                held[at : at + len(part)] = part
            case 2:
                held[at:at] = part
            case 3:
                held[at:at] = held[at // 2 : at]
            case 4 if at < len(held):
                held[at] = draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
    return bytes(held)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@at_length
@pytest.mark.parametrize("ending", ENDINGS)
def test_any_bytes_as_a_data_file(tmp_path, ending, times):
    path = tmp_path / f"x{ending}"

    def read() -> None:
        frame, notes = exports.read(path, File(path=path.name), path.name)
        assert len(frame.columns) and len(frame) and all(isinstance(note, str) for note in notes)
        write_draft(path, path.parent / "draft")

    @tries(times)
    @given(damaged(seed_bytes(ending)))
    def attempt(content: bytes) -> None:
        path.write_bytes(content)
        before = digest(path)
        assert bounded(read, ResearchkitError) == ""
        assert digest(path) == before, "the file was changed"

    attempt()
    tried(f"bytes as {ending}", times)


STRANGE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(["", " ", "\0", "..", "/", "*", "[", "~", "=1+1", "trust", "kindness", "ease", "é" * 300, "\u202e", "-", "1e999", ".inf", "a/b", "NUL", "\ud800"]),
    st.lists(st.sampled_from(["trust", "kindness", "severity", "ease", "e1", "x"]), max_size=3),
    st.dictionaries(st.sampled_from(["column", "kind", "path", "range", "codes", "x"]), st.integers(-2, 9) | st.text(max_size=5), max_size=3),
)  # fmt: skip
STUDY = {
    "title": "Stays",
    "seed": 1,
    "design": "observational",
    "disclosure": "none",
    "files": [{"path": "stays.csv", "encoding": "utf-8", "separator": ",", "missing": ["-9"], "drop": [], "rename": {}}],
    "people": "patient",
    "clusters": ["ward"],
    "rows": "stays",
    "keep": [{"column": "age", "minimum": 18, "why": "too young"}],
    "columns": {
        "sex": {"label": "Sex", "codes": {"f": "female", "m": "male"}, "recode": {"F": "f"}},
        "kindness": {"label": "Kindness", "range": [0, 9], "unit": "point", "missing": ["99"], "type": "number"},
        "admitted": {"type": "date"},
    },
    "scales": {"ease": {"items": ["e1", "e2", "e3", "e4"], "reverse": ["e4"], "range": [0, 6], "rule": "mean"}},
    "events": {"stayed": {"kind": "stay", "who": "patient", "start": "admitted", "end": "discharged", "watched_until": "2026-06-30"}},
    "causes": ["severity -> kindness -> trust"],
    "alternatives": {"plain": {"label": "Plain", "adjust": []}},
    "questions": [
        {
            "id": "trust",
            "title": "Is there more trust?",
            "claim": "MEC-1",
            "family": "recovery",
            "exposure": {"column": "kindness", "per": 1},
            "outcome": {"column": "trust", "kind": "score", "unit": "point", "good": "high"},
            "adjust": ["severity", "sex"],
            "smallest_effect": 0.2,
            "alternatives": ["plain"],
            "negative_control": "age",
        }
    ],
}  # fmt: skip


def places(value: object, at: tuple = ()) -> list[tuple]:
    """Every place of a nested value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(place for key, child in inner for place in places(child, (*at, key)))]


def replaced(value: object, place: tuple, new: object) -> object:
    if not place:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = replaced(value[place[0]], place[1:], new)
    return copy


@st.composite
def strange_study(draw: st.DrawFn) -> str:
    """A good study file with one to three of its values replaced by something else."""
    value: object = STUDY
    for _ in range(draw(st.integers(1, 3))):
        here = [place for place in places(value) if place]
        value = replaced(value, draw(st.sampled_from(here)), draw(STRANGE)) if here else STUDY
    return json.dumps(value, indent=1, ensure_ascii=draw(st.booleans()))


def answered(folder: Path) -> Callable[[], None]:
    def work() -> None:
        study = load_study(folder)
        list(changed(study, None))
        for table in study.tables:
            load_dataset(study, table)
        with quickly():
            for question in study.questions:
                answer_question(study, question).to_json()

    return work


@contextmanager
def quickly() -> Iterator[None]:
    """Answers without gaps filled, which takes most of their time."""
    from researchkit.robustness import Check

    def left_out(dataset: Any, *_: object) -> Check:
        return Check("left out", dataset.fingerprint, reason="not tried here")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("researchkit.robustness.attacks.missing_data", left_out)
        yield


@at_length
def test_a_study_file_with_other_values(tmp_path, times):
    Planted(stays(n=60)).write(tmp_path)
    before = digest(tmp_path / "stays.csv")

    @tries(8 * times)
    @given(strange_study())
    def attempt(text: str) -> None:
        (tmp_path / "study.yml").write_text(text, encoding="utf-8", errors="surrogatepass")
        assert bounded(answered(tmp_path), ResearchkitError) == ""
        assert digest(tmp_path / "stays.csv") == before

    attempt()
    tried("values of a study file", 8 * times)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("questions", 0, "exposure"), ""),
        (("questions", 0, "outcome", "column"), ""),
        (("files", 0, "encoding"), "\0"),
    ],
)
def test_values_that_once_ended_in_a_traceback(tmp_path, place, value):
    Planted(stays(n=60)).write(tmp_path)
    (tmp_path / "study.yml").write_text(json.dumps(replaced(STUDY, place, value)), encoding="utf-8")
    assert "researchkit.errors." in bounded(answered(tmp_path))


YAML = st.lists(
    st.sampled_from([*list("abz019-:>|*&!?%@`'\"#{}[],\n\t ~"), "\n  ", "files", ": ", "- ", "title", "\x00", "é", "😀", "\u2028", "\ufeff"]), max_size=120
).map("".join)  # fmt: skip


@at_length
def test_any_text_as_a_study_file(tmp_path, times):
    @tries(10 * times)
    @given(st.one_of(YAML, st.text(max_size=80), st.binary(max_size=80)))
    def attempt(text: str | bytes) -> None:
        held = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        (tmp_path / "study.yml").write_bytes(held)
        assert bounded(lambda: load_study(tmp_path), ResearchkitError, seconds=5) == ""

    attempt()
    tried("texts as a study file", 10 * times)


BOMBS = {
    "laughs": "a: &a [x,x,x,x,x,x,x,x]\n" + "".join(f"{b}: &{b} [*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    "deep lists": "[" * 50_000,
    "deep mappings": "".join("  " * depth + "a:\n" for depth in range(3_000)),
    "long": "title: " + "x" * 2_000_000,
    "many keys": "".join(f"k{number}: 1\n" for number in range(20_000)),
    "python": "title: !!python/object/apply:os.system ['touch /tmp/researchkit_was_here']",
    "merge": "a: &a {b: 1}\nc: {<<: *a}",
    "long number": "seed: " + "9" * 39,
    "nines": "seed: " + "9" * 100_000,
    "many questions": "questions: [" + "{}," * 10_000 + "]",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_study_file_that_would_explode(tmp_path, name):
    (tmp_path / "study.yml").write_text(BOMBS[name], encoding="utf-8")
    assert "researchkit.errors.StudyError: " in bounded(lambda: load_study(tmp_path), seconds=10)
    assert not Path("/tmp/researchkit_was_here").exists()  # noqa: S108


WORDS = st.one_of(
    st.text(max_size=20), st.sampled_from(["site=North", "ward=W01", "ward=", "=x", "sex=f", "site==", "severity=1", "site=North=1", "none", "nhs", "five", "\0", "a=\0"])
)  # fmt: skip


@at_length
def test_any_parameter(tmp_path, root, times):
    Planted(stays(n=60)).write(tmp_path)
    notebook = root / "notebooks" / "11_recovery.ipynb"
    plain_values = st.one_of(
        WORDS, st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.integers(), max_size=3)
    )

    @tries(2 * times)
    @given(
        WORDS,
        WORDS,
        WORDS,
        st.dictionaries(WORDS | st.sampled_from(["study", "question", "by", "disclosure"]), plain_values, max_size=4),
    )
    def attempt(question: str, by: str, disclosure: str, given_: dict) -> None:
        def work() -> None:
            try:
                check_parameters(notebook, given_)
            except ResearchkitError:
                pass
            try:
                answer_question(tmp_path, question)
            except ResearchkitError:
                pass
            with quickly():
                answer_question(tmp_path, "trust", by=by, disclosure=disclosure)

        assert bounded(work, ResearchkitError) == ""

    attempt()
    tried("parameters", 2 * times)


# What unpacks: a few kilobytes that would be more than any memory

SMALL = 8 * 2**20  # in the place of gigabytes, which would take a minute to pack


def zip_of(members: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return held.getvalue()


def book(change: Callable[[Any], None] = lambda sheet: None, **more: bytes) -> bytes:
    """A workbook with one small sheet; `more` replaces its members, by their names without folders."""
    import openpyxl

    made, held = openpyxl.Workbook(), io.BytesIO()
    made.active.append(["patient", "trust"])
    made.active.append(["a", 1])
    change(made.active)
    made.save(held)
    with zipfile.ZipFile(held) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return zip_of({name: more.get(Path(name).stem, content) for name, content in members.items()})


LAUGHS = (
    b'<!DOCTYPE x [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + k, b"&%c;" % (97 + k) * 10) for k in range(9))
    + b"]><x>&j;</x>"
)
LOOK = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'
PACKED = {
    ".csv.zip": lambda: zip_of({"x.csv": b"0" * 2 * SMALL}),
    ".csv.gz": lambda: gzip.compress(b"0" * 2 * SMALL),
    ".csv.bz2": lambda: bz2.compress(b"0" * 2 * SMALL),
    ".csv.xz": lambda: lzma.compress(b"0" * 2 * SMALL),
    ".rds": lambda: gzip.compress(b"X\n" + b"0" * 2 * SMALL),
    ".rda": lambda: bz2.compress(b"RDX3\n" + b"0" * 2 * SMALL),
    ".xlsx": lambda: book(styles=b"0" * 2 * SMALL),
    "laughs.xlsx": lambda: book(workbook=LAUGHS),
    "looks around.xlsx": lambda: book(sheet1=LOOK),
    "far off.xlsx": lambda: book(lambda sheet: sheet.cell(300_000, 16_384, "x")),
    "merged far off.xlsx": lambda: book(lambda sheet: (sheet.merge_cells("A4:B4"), sheet.cell(300_000, 16_384, "x"))),
    "merged.xlsx": lambda: book(sheet1=MERGED),
}  # fmt: skip
MERGED = (
    b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1"><c r="A1" '
    b't="inlineStr"><is><t>a</t></is></c></row></sheetData><mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells></worksheet>'
)
REFUSED = "unpacks to more than|definitions of its own|reaches to row|merged cells over more than"


@pytest.mark.parametrize("name", PACKED)
def test_what_unpacks_to_more_than_any_memory_is_refused(tmp_path, monkeypatch, name):
    for room in ("text", "sheets", "stored"):
        monkeypatch.setattr(f"researchkit.readers.{room}.UNPACKED", SMALL)
    path = tmp_path / f"x{name if name.startswith('.') else Path(name).suffix}"
    path.write_bytes(PACKED[name]())
    assert path.stat().st_size < 200_000
    told = bounded(lambda: plain.read(path, File(path=path.name), path.name))
    assert re.search(f"DataError: {path.name} .*({REFUSED})", told), told
    assert "root:" not in told
