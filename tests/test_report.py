"""A report is good only by its own marks, and a failed run never looks like a good one."""

import json
from types import SimpleNamespace

import nbformat
import pytest

from researchkit.answer import MEDIA
from researchkit.errors import ParameterError, ReportError
from researchkit.parameters import check_parameters, fits
from researchkit.places import folder_name, staged
from researchkit.report import (
    notebooks_folder,
    result_of,
    write_report,
    write_tables,
)

PARAMETERS = 'study = "a"\nquestion = "b"\nby = ""\ndisclosure = ""\nmany = 5\nshare = 0.5'
READS = "said = (study, question, by, disclosure, many, share)"


@pytest.fixture
def notebook(tmp_path):
    """A notebook with a parameters cell and the cells given; its path."""

    def made(*cells: str, parameters: str = PARAMETERS):
        first = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
        written = nbformat.v4.new_notebook(cells=[first, *map(nbformat.v4.new_code_cell, cells)])
        path = tmp_path / "asked.ipynb"
        nbformat.write(written, path)
        return path

    return made


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "clinic"
    folder.mkdir()
    rows = "\n".join(f"{kind},{score}" for kind in (1, 2, 3, 4) for score in range(kind, kind + 12))
    (folder / "visits.csv").write_text(f"compassion,trust\n{rows}\n")
    (folder / "study.yml").write_text(
        "title: A clinic\nseed: 1\nfiles: visits.csv\ndesign: observational\n"
        "questions:\n  - {id: trust, title: 'Is there more trust?', claim: MEC-1, family: recovery, exposure: compassion, "
        "outcome: {column: trust, kind: score, unit: point}, smallest_effect: 0.1}\n"
    )
    return folder


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"studdy": "x"}, r"unknown parameter 'studdy'; did you mean 'study'\?"),
        ({"zebra": 1}, r"unknown parameter 'zebra'; it has study, question"),
        ({"many": "5"}, r"mistyped parameter 'many': '5' is str, and the notebook wants int"),
        ({"many": True}, r"mistyped parameter 'many': True is bool"),
        ({"study": "x", "many": 2.5, "zebra": 0}, r"has 2 problems:"),
    ],
)
def test_parameters_are_compared_before_any_kernel(notebook, given, said):
    with pytest.raises(ParameterError, match=said):
        check_parameters(notebook(READS), given)


def test_a_parameter_that_nothing_reads_is_refused(notebook):
    with pytest.raises(ParameterError, match="unused parameter 'by': no cell after"):
        check_parameters(notebook("said = (study, question)"), {"study": "x", "by": "site=North"})


def test_good_parameters_pass(notebook):
    check_parameters(notebook(READS), {"study": "x", "many": 3, "share": 1})


def test_a_notebook_without_parameters_and_none_at_all(notebook, tmp_path):
    with pytest.raises(ReportError, match="There is no notebook"):
        check_parameters(tmp_path / "none.ipynb", {})
    bare = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    nbformat.write(bare, tmp_path / "bare.ipynb")
    with pytest.raises(ParameterError, match="no cell tagged `parameters`"):
        check_parameters(tmp_path / "bare.ipynb", {})


@pytest.mark.parametrize(
    ("value", "default", "good"),
    [(1, 0.5, True), (True, 0.5, False), ("1", 1, False), (None, None, True), (2, 1, True)],
)
def test_types(value, default, good):
    assert fits(value, default) is good


@pytest.mark.parametrize("value", ["../x", "..", "a/b", "a\\b", "C:x", "é🙂", "x" * 300, "<script>"])
def test_a_folder_stays_inside_its_parent(value, tmp_path):
    name = folder_name(f"site={value}")
    made = tmp_path / name
    made.mkdir()
    assert made.resolve().parent == tmp_path.resolve()
    assert "/" not in name
    assert name.startswith("site=")


def test_long_values_do_not_share_a_folder():
    assert folder_name("site=" + "x" * 300 + "a") != folder_name("site=" + "x" * 300 + "b")


def executed(*cells):
    return SimpleNamespace(cells=[SimpleNamespace(cell_type="code", source=s, outputs=o) for s, o in cells])


def shown(**data):
    return [{"data": {MEDIA: {"study": "clinic", "question": "trust", "by": None, **data}}}]


ASKED = (SimpleNamespace(name="clinic"), SimpleNamespace(id="trust"), "")


def test_a_result_is_taken_from_the_last_cell_only():
    assert result_of(executed(("answer", shown())), *ASKED)["question"] == "trust"
    with pytest.raises(ReportError, match="last cell showed no answer"):
        result_of(executed(("answer", shown()), ("1", [])), *ASKED)


def test_an_answer_to_another_question_is_refused():
    with pytest.raises(ReportError, match="does not read its parameters"):
        result_of(executed(("answer", shown(question="calm"))), *ASKED)


def test_a_figure_that_did_not_come_is_missed():
    with pytest.raises(ReportError, match="Code cell 1 was to draw a figure"):
        result_of(executed(("rk.figures.interval(answer)", []), ("answer", shown())), *ASKED)


def test_the_real_thing_writes_a_page_a_result_and_tables(study, tmp_path):
    report = write_report(study, "trust", out=tmp_path / "reports")
    assert (report.status, report.reason) == ("ok", "")
    assert report.page.stat().st_size > 5_000
    result = json.loads((report.folder / "result.json").read_text(encoding="utf-8"))
    assert (result["study"], result["question"], result["effect"]["n"]) == ("clinic", "trust", 48)
    assert result["provenance"]["notebook"] == "11_recovery.ipynb"
    assert {path.name for path in (report.folder / "tables").iterdir()} >= {"effects.csv", "terms.csv", "flow.csv"}
    assert not list((tmp_path / "reports").glob(".making-*"))


DIES = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
QUITS = "import os\nos._exit(0)"


@pytest.mark.parametrize(
    ("cell", "said", "status"),
    [
        (DIES, "The kernel died", "killed"),
        (QUITS, "The kernel died", "killed"),
        ("1 / 0", "failed with ZeroDivisionError", "error"),
        ("bytearray(10**18)", "needed more memory than the limit", "out of memory"),
        (
            "from researchkit.errors import DataError\nraise DataError('a.csv: 4 answers outside 0-6')",
            "4 answers outside 0-6",
            "stopped",
        ),
        ("1", "showed no answer", "error"),
    ],
)
def test_a_failed_run_replaces_the_old_page_by_what_failed(warm, study, notebook, tmp_path, cell, said, status):
    folder = tmp_path / "reports" / "clinic" / "trust"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("an old page")
    (folder / "result.json").write_text("{}")
    written = notebook("said = (study, question, by, disclosure)", cell, parameters=PARAMETERS)
    report = write_report(study, "trust", out=tmp_path / "reports", notebook=written)
    assert report.status == status
    assert said in report.reason
    page = report.page.read_text(encoding="utf-8")
    assert said.split("-")[0] in page
    assert "an old page" not in page
    assert not (folder / "result.json").exists()


def test_reports_by_site_stay_when_the_whole_is_made_anew(tmp_path):
    folder = tmp_path / "trust"
    (folder / "site=North").mkdir(parents=True)
    (folder / "site=North" / "report.html").write_text("north")
    (folder / "report.html").write_text("old")
    with staged(tmp_path, folder) as staging:
        (staging / "report.html").write_text("new")
    assert (folder / "report.html").read_text() == "new"
    assert (folder / "site=North" / "report.html").read_text() == "north"


def test_tables_are_written_as_they_were_carried(tmp_path):
    more = [{"name": "checks", "csv": "c\n3\n"}]
    carried = {"application/vnd.researchkit.table+json": {"name": "flow", "csv": "a,b\n1,2\n", "more": more}}
    write_tables(executed(("t", [{"data": carried}])), tmp_path / "tables")
    assert (tmp_path / "tables" / "flow.csv").read_text() == "a,b\n1,2\n"
    assert (tmp_path / "tables" / "checks.csv").read_text() == "c\n3\n", "a second table that one call has shown"


def test_the_notebooks_are_found():
    assert (notebooks_folder() / "10_loyalty.ipynb").is_file()
