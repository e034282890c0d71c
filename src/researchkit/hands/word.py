"""A report as a document: by python-docx where it is installed, else by pandoc where that is at hand.

Tables and figures are numbered and laid out as the Publication Manual of the American Psychological Association (7th
ed., 2020, chapter 7) asks: number, title, then rules above and below, no upright ones, and a note.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from researchkit.errors import ReportError
from researchkit.hands.page import Drawn, Listed, Read, Text

MISSING = "It needs python-docx (pip install 'researchkit[word]') or pandoc, and neither is installed here."
WIDE, PAGE = 5.0, 6.5  # inches: of a figure, and of a line between margins of one inch
SHORT, FAR = 7, 60  # letters that a column is at least and at most taken to need
PLAIN = {"eyebrow": "Subtitle", "sentence": "Intense Quote", "item": "List Bullet", "code": "No Spacing"}
Writer = Callable[[Read, Path], None]


def writer() -> Writer | None:
    """What can write a document here; None where nothing can."""
    if find_spec("docx"):
        return by_python
    return by_pandoc if shutil.which("pandoc") else None


def by_python(told: Read, path: Path) -> None:
    """The document, with tables as tables, and figures with the text for those who cannot see them."""
    import docx

    document = docx.Document()
    _styled(document, told.title)
    tables = figures = 0
    for block in told.blocks:
        if isinstance(block, Drawn):
            figures += 1
            _figure(document, block, figures)
        elif isinstance(block, Listed):
            tables += 1 if block.head else 0
            _table(document, block, tables)
        else:
            _text(document, block)
    document.save(str(path))


def _styled(document: Any, title: str) -> None:
    """One face, black headings, and what a reader's program shows of the file."""
    from docx.shared import Inches, Pt, RGBColor

    for section in document.sections:
        section.left_margin = section.right_margin = Inches((8.5 - PAGE) / 2)
        section.page_width = Inches(8.5)
    document.core_properties.title = _plain(title)
    document.core_properties.author = ""
    document.core_properties.comments = ""
    document.styles["Normal"].font.name = "Calibri"
    document.styles["Normal"].font.size = Pt(11)
    answer = document.styles[PLAIN["sentence"]].font
    answer.italic, answer.bold, answer.size = False, True, Pt(12)
    for name in ("Title", *PLAIN.values(), *(f"Heading {level}" for level in range(1, 7))):
        document.styles[name].font.name = "Calibri"
        document.styles[name].font.color.rgb = RGBColor(0x1F, 0x29, 0x33)


def _text(document: Any, block: Text) -> None:
    words = _plain(block.words)
    if block.level:
        document.add_heading(words, level=block.level - 1)  # level 0 is the title
        return
    paragraph = document.add_paragraph(style=PLAIN.get(block.kind))
    run = paragraph.add_run(words)
    run.bold = block.kind in ("chip", "summary") or None
    if block.kind == "code":
        run.font.name = "Consolas"


def _headed(document: Any, kind: str, number: int, title: str) -> None:
    """The number in bold, the title under it in italics; both stay with what follows."""
    for words, look in ((f"{kind} {number}", "bold"), (_plain(title), "italic")):
        paragraph = document.add_paragraph()
        paragraph.paragraph_format.keep_with_next = True
        paragraph.paragraph_format.space_after = 0 if look == "bold" else None
        setattr(paragraph.add_run(words), look, True)


def _note(document: Any, words: str) -> None:
    if words:
        paragraph = document.add_paragraph()
        paragraph.add_run("Note. ").italic = True
        paragraph.add_run(_plain(words))


def _figure(document: Any, figure: Drawn, number: int) -> None:
    from docx.shared import Inches

    _headed(document, "Figure", number, figure.title)
    if png := figure.files.get("png"):
        paragraph = document.add_paragraph()
        shape = paragraph.add_run().add_picture(io.BytesIO(png), width=Inches(WIDE))
        about = shape._inline.docPr
        about.set("descr", _plain(figure.alt))
        about.set("name", f"{figure.name}.png")
    else:
        document.add_paragraph(_plain(figure.alt))
    _note(document, figure.caption)


def _table(document: Any, table: Listed, number: int) -> None:
    """A table in APA manner; one without a head, of terms and what is said of them, has no number."""
    from docx.enum.text import WD_ALIGN_PARAGRAPH

    if not table.rows:
        return
    if table.head:
        _headed(document, "Table", number, table.title)
    lines = [*([table.head] if table.head else []), *table.rows]
    grid = document.add_table(rows=len(lines), cols=max(map(len, lines)))
    widths = _widths(lines)
    grid.autofit = False
    for column, wide in zip(grid.columns, widths, strict=True):  # some programs read the columns, some the cells
        column.width = wide
    for place, (row, line) in enumerate(zip(grid.rows, lines, strict=True)):
        head = bool(table.head) and place == 0
        _row(row, first=place == 0, head=head, last=place == len(lines) - 1)
        for column, (cell, words) in enumerate(zip(row.cells, line, strict=False)):
            cell.width = widths[column]
            paragraph = cell.paragraphs[0]
            paragraph.paragraph_format.space_after = 0
            if column < len(table.right) and table.right[column]:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
            run = paragraph.add_run(_plain(words))
            run.bold, run.font.size = head or None, _small()
    _note(document, table.note)
    if not table.note:
        document.add_paragraph()


def _widths(lines: Sequence[Sequence[str]]) -> list[Any]:
    """Of each column, by the longest thing in it: long text may run over lines, numbers may not."""
    from docx.shared import Inches

    needs = [
        min(max(SHORT, *(len(line[column]) for line in lines if column < len(line))), FAR)
        for column in range(max(map(len, lines)))
    ]
    return [Inches(PAGE * need / sum(needs)) for need in needs]


def _small() -> Any:
    from docx.shared import Pt

    return Pt(9.5)


def _row(row: Any, *, first: bool, head: bool, last: bool) -> None:
    """Rules above the first line, under the head and under the last; the head again on every page."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    about = row._tr.get_or_add_trPr()
    for name in ("w:cantSplit", *(["w:tblHeader"] if head else [])):
        about.append(OxmlElement(name))
    sides = [side for side, there in (("top", first), ("bottom", head or last)) if there]
    for cell in row.cells if sides else ():
        borders = OxmlElement("w:tcBorders")
        for side in sides:
            line = OxmlElement(f"w:{side}")
            for name, value in (("val", "single"), ("sz", "8"), ("space", "0"), ("color", "1F2933")):
                line.set(qn(f"w:{name}"), value)
            borders.append(line)
        cell._tc.get_or_add_tcPr().append(borders)


def by_pandoc(told: Read, path: Path) -> None:
    """The document by pandoc, from HTML without anything that is for the screen only."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "report.html"
        source.write_text(_html(told, Path(folder)), encoding="utf-8")
        order = ["pandoc", "--from=html", "--to=docx", f"--resource-path={folder}", f"--output={path}", str(source)]
        try:
            done = subprocess.run(order, capture_output=True, text=True, check=False)  # noqa: S603 -- no shell; its name is ours
        except OSError as error:
            raise ReportError(f"pandoc could not be started: {error.strerror}.") from None
    if done.returncode or not path.is_file():
        raise ReportError(f"pandoc wrote no document: {done.stderr.strip() or f'exit {done.returncode}'}")


def _html(told: Read, folder: Path) -> str:
    parts = [f'<!doctype html><html lang="en"><head><title>{escape(told.title)}</title></head><body>']
    for number, block in enumerate(told.blocks):
        if isinstance(block, Drawn):
            (folder / f"{number}.png").write_bytes(block.files.get("png", b""))
            image = f'<img src="{number}.png" alt="{escape(block.alt)}">'
            parts.append(
                f"<p><b>{escape(block.title)}</b></p><p>{image}</p><p><i>Note.</i> {escape(block.caption)}</p>"
            )
        elif isinstance(block, Listed):
            head = "".join(f"<th>{escape(cell)}</th>" for cell in block.head)
            rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in block.rows)
            top = f"<thead><tr>{head}</tr></thead>" if head else ""
            parts.append(f"<table><caption>{escape(block.title)}</caption>{top}<tbody>{rows}</tbody></table>")
            parts.append(f"<p><i>Note.</i> {escape(block.note)}</p>" if block.note else "")
        else:
            tag = f"h{block.level}" if block.level else "pre" if block.kind == "code" else "p"
            parts.append(f"<{tag}>{escape(block.words)}</{tag}>")
    return "\n".join([*parts, "</body></html>"])


def _plain(words: str) -> str:
    """Words without the characters that no XML can hold."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]", " ", words)
