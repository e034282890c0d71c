"""Text tables: comma, semicolon, tab or bar between the cells, plain or compressed."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pandas as pd

from researchkit.errors import DataError, some
from researchkit.parts import File
from researchkit.readers.headed import headed

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
BINARY = {
    b"PK\x03\x04": "an Excel workbook or another zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"PAR1": "a Parquet file",
    b"$FL": "an SPSS file",
    b"\x1f\x8b": "a gzip file",
    b"%PDF": "a PDF",
    b"SQLite": "a database",
    b"version https://git-lfs": "a pointer of Git LFS (`git lfs pull` fetches the file)",
}
PAGES = (b"<!doctype html", b"<html")
UNPACKED = 2 * 2**30  # bytes: more text than that is not read whole either (see `relation`)
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")  # what pandas takes for one
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def read_text(path: Path, file: File, subject: str) -> tuple[pd.DataFrame, list[str]]:
    """Every cell as text, exactly as it stands; the empty cell is "" still."""
    text = decoded(unpacked(path, subject), file.encoding, subject)
    separator = declared(file.separator, subject) if file.separator else sniffed(text, subject)
    try:
        # header=None: the names fix the number of cells, so a longer row is an error and never becomes an index
        raw = pd.read_csv(
            io.StringIO(text), sep=separator, header=None, dtype=str, keep_default_na=False, skip_blank_lines=False
        )
    except pd.errors.EmptyDataError:
        raise DataError(f"{subject}: row 1 is blank; it must hold the names of the columns.") from None
    except pd.errors.ParserError as error:
        raise DataError(f"{subject}: {broken(text, separator, str(error))}") from None
    notes = short_rows(text, separator, raw.shape, subject)
    frame, more = headed(raw, subject)
    return frame, notes + more


def unpacked(path: Path, subject: str) -> bytes:
    """The bytes of a file, decompressed by what its name ends in."""
    import gzip
    import lzma
    import zipfile
    import zlib

    damaged = (gzip.BadGzipFile, EOFError, lzma.LZMAError, zipfile.BadZipFile, zlib.error, ValueError, RuntimeError)
    try:
        if path.suffix == ".zip":
            return only_member(path.read_bytes(), subject)
        opened = opener(path.suffix.lower())
        if opened is None:
            return path.read_bytes()
        with opened(path) as file:
            return bounded(file, subject)
    except damaged as error:
        raise DataError(f"{subject} is no whole {path.suffix} file ({error}); fetch it again.") from None
    except NotImplementedError as error:  # a way of packing that Python does not know
        raise DataError(f"{subject} cannot be unpacked ({error}); unpack it by hand.") from None
    except OSError as error:
        raise DataError(f"{subject} cannot be read: {error.strerror or error}.") from None


def opener(ending: str) -> Callable[[Path], IO[bytes]] | None:
    """What opens a packed file, by what its name ends in."""
    import bz2
    import gzip
    import lzma

    found: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    return found.get(ending)


def bounded(file: IO[bytes], subject: str) -> bytes:
    """What a packed file holds; a few kilobytes can hold more than any memory."""
    content = file.read(UNPACKED + 1)
    if len(content) > UNPACKED:
        raise DataError(
            f"{subject} unpacks to more than {UNPACKED // 2**20:,} megabytes. If it is what it should be, unpack it by "
            "hand: a large plain file is read where it lies."
        )
    return content


def only_member(content: bytes, subject: str) -> bytes:
    import zipfile

    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]
        if len(members) != 1:
            raise DataError(f"{subject} holds {len(members)} files ({some(members)}); it must hold one.")
        with archive.open(members[0]) as member:
            return bounded(member, subject)


def decoded(content: bytes, encoding: str | None, subject: str) -> str:
    """The text of a file in the declared encoding, UTF-8 if none is; never quietly in another."""
    if not content.strip():
        raise DataError(f"{subject} is empty.")
    if not encoding:
        refuse_binary(content, subject)
    try:
        codecs.lookup(encoding or "utf-8-sig")
        text = content.decode(encoding or "utf-8-sig").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise DataError(not_decoded(content, encoding, error, subject)) from None
    except (LookupError, ValueError):
        raise DataError(f"{subject}: there is no encoding {encoding!r}; common ones: utf-8, cp1252, utf-16.") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{subject}: {text.count(chr(0))} NUL bytes, the first in line {line}: the file is damaged.")
    return text


def not_decoded(content: bytes, encoding: str | None, error: UnicodeDecodeError, subject: str) -> str:
    """Where the bytes are none of the encoding, and what may be done."""
    line = content.count(b"\n", 0, error.start) + 1
    place = f"byte {error.start + 1}, in line {line},"
    if encoding:
        return f"{subject}: {place} is not {encoding}, as the study file declares it."
    return (
        f"{subject}: {place} is not UTF-8. If the file is from Excel or an older system, declare it in study.yml: "
        "`encoding: cp1252`."
    )


def refuse_binary(content: bytes, subject: str) -> None:
    """Stop at a file that is no text, or text of two bytes a letter."""
    for start, what in BINARY.items():
        if content.startswith(start):
            raise DataError(f"{subject} is {what} by its content, not text; give it the name ending that fits.")
    if content[:100].lstrip(b"\xef\xbb\xbf \r\n\t").lower().startswith(PAGES):
        raise DataError(
            f"{subject} is a web page by its content, perhaps one that asks to sign in; get the file itself."
        )
    every_second = content[:2000].count(0) > len(content[:2000]) / 4
    if content.startswith(UTF_16) or every_second:
        raise DataError(f"{subject} looks like UTF-16; declare it in study.yml: `encoding: utf-16`.")


def declared(separator: str, subject: str) -> str:
    mark = {word: mark for mark, word in SEPARATORS.items()}.get(separator, separator)
    if len(mark) != 1 or mark in '"\n\r':
        raise DataError(f"{subject}: `separator` is {separator!r}; one character is wanted, or the word tab.")
    return mark


def sniffed(text: str, subject: str) -> str:
    """The one separator under which the first rows have as many cells as the header."""
    samples = {mark: list(itertools.islice(records(text, mark), 50)) for mark in SEPARATORS}
    several = [mark for mark, rows in samples.items() if rows and len(rows[0]) > 1]
    if len(several) < 2:
        return several[0] if several else ","
    fitting = [mark for mark in several if {len(row) for row in samples[mark] if row} == {len(samples[mark][0])}]
    if len(fitting) == 1:
        return fitting[0]
    names = some(SEPARATORS[mark] for mark in several)
    raise DataError(f"{subject}: the cells may be parted by {names}; say which in study.yml: `separator:`.")


def records(text: str, separator: str) -> Iterator[list[str]]:
    """The rows as lists of cells; for looking, not for loading."""
    try:
        # A StringIO would copy the whole text for the sake of its first lines.
        yield from csv.reader(map(re.Match.group, LINE.finditer(text)), delimiter=separator)
    except csv.Error:  # a cell longer than the csv module takes: enough was seen
        return


def broken(text: str, separator: str, reason: str) -> str:
    """Why pandas could not split the text into a table, with the rows."""
    if "EOF inside string" in reason:
        row = int(reason.rsplit(maxsplit=1)[-1]) + 1
        return f'a quotation mark (") opens in row {row} and never closes.'
    header = next(records(text, separator), [])
    longer = [number for number, row in enumerate(records(text, separator), 1) if len(row) > len(header)]
    if not header or not longer:
        return f"it is no table: {reason.strip()}"
    mark = SEPARATORS.get(separator, repr(separator))
    return (
        f"{len(longer)} {'rows have' if len(longer) > 1 else 'row has'} more cells than the {len(header)} names of the "
        f"header, row{'s' * (len(longer) > 1)} "
        f"{some(longer)}. Perhaps a {mark} stands in a text without quotation marks."
    )


def short_rows(text: str, separator: str, shape: tuple[int, int], subject: str) -> list[str]:
    """A note on rows with fewer cells than the header: the rest of such a row counts as missing."""
    rows, columns = shape
    if text.count(separator) >= rows * (columns - 1):
        return []
    short = [number for number, row in enumerate(records(text, separator), 1) if row and len(row) < columns]
    return [f"{subject}: {len(short)} rows have fewer cells than the header, rows {some(short)}."] if short else []
