"""A report in other hands: what is taken along is what the page says, whole or not at all."""

from __future__ import annotations

import csv
import io
import json
from importlib.util import find_spec

import nbformat.v4 as v4
import pandas as pd
import pytest
from click.testing import CliRunner

from researchkit import figures, hands, tables
from researchkit.cli import main
from researchkit.errors import PlaceError, ReportError
from researchkit.export import export
from researchkit.hands import word

NASTY = '=cmd|"/c calc"!A1 </td><script>alert(1)</script> & \x0b'
RESULT = {
    "study": "centre",
    "study_title": "A centre & its 50 % of calls",
    "question": "stay",
    "title": "Do they stay?",
    "family": "loyalty",
    "simulated": False,
    "by": None,
    "verdict": {"word": "supported", "sentence": "They stay.", "marks": ["fragile: x"], "reasons": ["Because."]},
    "data": {"fingerprint": "sha256:9b", "rows": 20, "used": 20, "disclosure": "nhs"},
    "provenance": {"researchkit": "0.1.0", "started": "2026-11-24T17:03:11", "seconds": 0.8},
}
FIGURE = figures.forest(
    [("Adjusted", 3.1, 2.3, 3.9), (NASTY, 5.0, 4.0, 6.0)], title="The answer", unit="points", name="stay-interval"
)
TABLE = tables.frame(
    pd.DataFrame({"Group": [NASTY, "usual care"], "Share": [1234.5, 2.25]}), "Shares by group", "Not adjusted."
)


def shown(*values):
    outputs = [v4.new_output("display_data", data=value._repr_mimebundle_()) for value in values]
    return v4.new_code_cell("x", outputs=outputs)


@pytest.fixture
def report(tmp_path):
    """The folder of a finished report with one figure and one table."""
    folder = tmp_path / "reports" / "centre" / "stay"
    folder.mkdir(parents=True)
    cells = [
        v4.new_markdown_cell("# T\n\n## What was found\n\nRead the interval first.\n\n- one\n- two"),
        shown(FIGURE, TABLE),
    ]
    (folder / "report.html").write_text(export(v4.new_notebook(cells=cells), RESULT), encoding="utf-8")
    (folder / "result.json").write_text(json.dumps(RESULT), encoding="utf-8")
    (folder / "status.json").write_text(json.dumps({"status": "ok", "reason": ""}), encoding="utf-8")
    return folder


def document(path):
    import docx

    return docx.Document(str(path))


def test_figures_are_the_bytes_of_the_page_and_tables_its_cells(report, tmp_path):
    taken = hands.take(report, tmp_path / "out")
    there = {name: (tmp_path / "out" / name).read_bytes() for name in taken.files}
    assert there["figures/stay-interval.svg"] == FIGURE.alone().encode()
    assert there["figures/stay-interval.png"] == FIGURE.png
    rows = list(csv.reader(io.StringIO(there["tables/shares-by-group.csv"].decode(), newline="")))
    assert rows[0] == ["Group", "Share"] and rows[2][0] == "usual care"
    assert json.loads(there["result.json"]) == RESULT
    assert b"\\& its 50 \\%" in there[next(name for name in there if name.endswith(".bib"))]


def test_no_cell_of_what_is_taken_is_a_formula(report, tmp_path):
    (report / "tables").mkdir()
    (report / "tables" / "shares-by-group.csv").write_text("Group,Share\n=1+1,@x\n", encoding="utf-8")
    hands.take(report, tmp_path / "out")
    cells = [
        cell
        for path in (tmp_path / "out" / "tables").glob("*.csv")
        for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
        for cell in row
    ]
    assert len(cells) > 10 and [cell for cell in cells if cell[:1] in ("=", "@", "+")] == []


@pytest.mark.skipif(not find_spec("docx"), reason="python-docx is not installed (the extra `word`)")
class TestDocument:
    def test_it_opens_with_title_answer_marks_and_prose(self, report, tmp_path):
        hands.take(report, tmp_path / "out", docx=True)
        told = document(tmp_path / "out" / "report.docx")
        by_style = {(one.style.name, one.text) for one in told.paragraphs}
        assert ("Title", "Do they stay?") in by_style and ("Intense Quote", "They stay.") in by_style
        assert {("List Bullet", "fragile: x"), ("List Bullet", "one"), ("Heading 1", "What was found")} <= by_style
        assert told.core_properties.title == "Do they stay?"
        assert any(
            style == "No Spacing" and words.startswith("@misc{") and "\n  title = " in words
            for style, words in by_style
        )
        assert not any("Numbers behind" in words or "Take it along" in words for _, words in by_style)

    def test_each_figure_has_the_words_of_the_page_for_those_who_cannot_see_it(self, report, tmp_path):
        hands.take(report, tmp_path / "out", docx=True)
        told = document(tmp_path / "out" / "report.docx")
        pictures = [shape._inline for shape in told.inline_shapes]
        assert len(pictures) == 1 and pictures[0].docPr.get("descr").startswith("Adjusted: +3.1 points")
        blobs = [part.blob for part in told.part.package.iter_parts() if part.partname.endswith(".png")]
        assert blobs == [FIGURE.png]

    def test_each_table_is_a_table_with_the_cells_of_the_page(self, report, tmp_path):
        hands.take(report, tmp_path / "out", docx=True)
        told = document(tmp_path / "out" / "report.docx")
        page = hands.read((report / "report.html").read_text(encoding="utf-8"))
        found = [[tuple(cell.text for cell in row.cells) for row in table.rows] for table in told.tables]
        wanted = [[*([one.head] if one.head else []), *one.rows] for one in page.tables]
        assert [[[c.replace("\x0b", " ") for c in row] for row in one] for one in wanted] == [
            [list(r) for r in t] for t in found
        ]
        first = told.tables[0]
        assert "usual care" in found[0][2] and "w:tblHeader" in first.rows[0]._tr.xml
        assert first.rows[0]._tr.xml.count("<w:top ") == 2 and "w:left" not in first._tbl.xml.split("<w:tr>")[-1]
        assert sum(cell.width.inches for cell in first.rows[0].cells) == pytest.approx(word.PAGE, abs=0.01)
        words = [one.text for one in told.paragraphs]
        assert words.index("Table 1") + 1 == words.index("Shares by group") and "Note. Not adjusted." in words


def test_pandoc_is_asked_where_python_docx_is_not(report, tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    fake = folder / "pandoc"
    fake.write_text(
        '#!/bin/sh\nfor each; do case "$each" in --output=*) out="${each#--output=}";; esac; done\ncp "$each" "$out"\n'
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    monkeypatch.setattr(word, "find_spec", lambda name: None)
    hands.take(report, tmp_path / "out", docx=True)
    told = (tmp_path / "out" / "report.docx").read_text(encoding="utf-8")
    assert "They stay." in told and "<script>" not in told and 'alt="Adjusted: +3.1 points' in told
    fake.write_text("#!/bin/sh\necho no such format >&2\nexit 1\n")
    with pytest.raises(ReportError, match="pandoc wrote no document: no such format"):
        hands.take(report, tmp_path / "other", docx=True)
    assert not (tmp_path / "other").exists() and not list(tmp_path.glob(".tak*"))
    fake.write_text("#!/of/nobody\n")
    with pytest.raises(ReportError, match="pandoc could not be started"):
        hands.take(report, tmp_path / "other", docx=True)
    assert not (tmp_path / "other").exists()


def test_where_nothing_writes_documents_the_rest_is_taken_and_it_is_said(report, tmp_path, monkeypatch):
    monkeypatch.setattr(word, "writer", lambda: None)
    done = CliRunner().invoke(main, ["take", str(report), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0 and "pip install 'researchkit[word]'" in done.stderr
    assert (tmp_path / "out" / "figures").is_dir() and not (tmp_path / "out" / "report.docx").exists()
    done = CliRunner().invoke(main, ["take", str(report), "--out", str(tmp_path / "other"), "--docx"])
    assert done.exit_code == 1 and "researchkit[word]" in done.output and not (tmp_path / "other").exists()


def test_a_report_that_is_not_there_or_failed_is_refused_in_words(report, tmp_path):
    with pytest.raises(ReportError, match=r"nowhere is not there"):
        hands.take(tmp_path / "nowhere")
    with pytest.raises(ReportError, match=r"has no report\.html\. It holds those of stay: name one"):
        hands.take(report.parent)
    (report / "status.json").write_text(json.dumps({"status": "stopped", "reason": "Too few rows."}), encoding="utf-8")
    with pytest.raises(ReportError, match=r"failed \(stopped\), so there is nothing to take: Too few rows"):
        hands.take(report, tmp_path / "out")
    other = tmp_path / "other.html"
    for page in (b"<p>hello</p>", b"\xff\xfe\x00"):
        other.write_bytes(page)
        with pytest.raises(ReportError, match="no page of a report"):
            hands.take(other, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_page_of_elements_without_end_is_refused_and_an_empty_table_is_none(report, tmp_path):
    page = tmp_path / "other.html"
    whole = (report / "report.html").read_text(encoding="utf-8")
    page.write_text(whole.replace("</main>", "<div>" * 5000 + "</main>"), encoding="utf-8")
    with pytest.raises(ReportError, match="no page of a report"):
        hands.take(page, tmp_path / "out")
    page.write_text(whole.replace("</main>", '<div class="rk-table"></div></main>'), encoding="utf-8")
    before = hands.read(whole).tables
    assert [one.rows for one in hands.read(page.read_text(encoding="utf-8")).tables] == [*(t.rows for t in before), ()]


def test_the_page_of_a_failure_by_itself_is_refused_too(tmp_path):
    from researchkit.site import failed_page

    page = tmp_path / "failed.html"
    page.write_text(failed_page("centre / stay", "Too few rows.", []), encoding="utf-8")
    with pytest.raises(ReportError, match="Too few rows"):
        hands.take(page, tmp_path / "out")


def test_a_page_alone_is_enough(report, tmp_path):
    page = tmp_path / "sent by mail.html"
    page.write_bytes((report / "report.html").read_bytes())
    taken = hands.take(page, tmp_path / "out")
    assert "figures/stay-interval.svg" in taken.files and "result.json is left out" in " ".join(taken.notes)


def test_what_lies_in_the_folder_is_never_lost(report, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("my own")
    with pytest.raises(PlaceError, match=r"holds 1 other file \(mine\.txt\)\. Nothing was written"):
        hands.take(report, out)
    (out / "mine.txt").unlink()
    first = hands.take(report, out)
    assert hands.take(report, out).files == first.files  # nothing but an earlier take
    (out / "references.bib").write_text("with my name in it")
    with pytest.raises(PlaceError, match=r"references\.bib"):
        hands.take(report, out)
    assert (out / "references.bib").read_text() == "with my name in it"


def test_a_take_that_breaks_off_leaves_nothing(report, tmp_path, monkeypatch):
    out = tmp_path / "out"
    hands.take(report, out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(word, "writer", lambda: full)
    with pytest.raises(PlaceError, match="No space left on device"):
        hands.take(report, out)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert not list(tmp_path.glob(".tak*"))


def test_a_page_names_no_file_outside_the_folder(report, tmp_path):
    page = report / "report.html"
    html = page.read_text(encoding="utf-8").replace('download="stay-interval.svg"', 'download="../../../evil.svg"')
    page.write_text(
        html.replace("</main>", '<a download="/etc/x" href="data:text/plain;base64,eA==">x</a></main>'), "utf-8"
    )
    taken = hands.take(report, tmp_path / "out")
    assert [name for name in taken.files if name.startswith(("/", ".")) or ".." in name.split("/")] == []
    assert not list(tmp_path.glob("*.svg")) and "etc-x" in taken.files


def test_reports_are_shared_again_in_the_same_place_unless_somebody_has_been_there(report, tmp_path):
    reports, target = report.parents[1], tmp_path / "for the board"
    (reports / "index.html").write_text("first", encoding="utf-8")
    (report / "notebook.ipynb").write_text("{}", encoding="utf-8")
    asked = ["share", str(target), "--reports", str(reports)]
    first = CliRunner().invoke(main, asked)
    assert "pages 2, tables and results 1. " in first.output
    assert f"left in {reports}: 2. Begin at {target}/index.html." in first.output  # the notebook and the status
    (reports / "index.html").write_text("second", encoding="utf-8")
    assert CliRunner().invoke(main, asked).exit_code == 0
    assert (target / "index.html").read_text(encoding="utf-8") == "second"
    (target / "index.html").write_text("by hand", encoding="utf-8")
    refused = CliRunner().invoke(main, asked)
    assert refused.exit_code == 1 and "index.html" in refused.output
    assert (target / "index.html").read_text(encoding="utf-8") == "by hand"


@pytest.mark.parametrize("target", ["reports/copy", "."])
def test_reports_are_not_shared_into_themselves(report, tmp_path, monkeypatch, target):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports" / "index.html").write_text("x", encoding="utf-8")
    with pytest.raises(PlaceError, match="in one another"):
        hands.share("reports", target)
    with pytest.raises(ReportError, match="researchkit run"):
        hands.share("reports/centre", tmp_path / "elsewhere")
