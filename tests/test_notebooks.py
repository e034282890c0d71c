"""The notebooks keep to their skeleton and budget, and every one of them runs as a newcomer would run it."""

import ast
import re
import sys
from pathlib import Path

import answers
import nbformat
import pytest

import researchkit
from researchkit.answer import MEDIA

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("[0-9]*.ipynb"))
REPORTS = (
    "10_loyalty",
    "11_recovery",
    "12_burnout",
    "20_mechanisms",
    "22_roll_outs",
    "26_detection",
    "27_tradeoffs",
    "28_recovery_after_failure",
)
KINDS = {
    "10_loyalty": ["days_as_customer", "recommendation", "calling_back", "training"],
    "11_recovery": ["recovery_time", "readmission"],
    "12_burnout": ["workload", "leaving"],
}


def code_of(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def test_the_planned_notebooks_are_there():
    names = [path.stem for path in NOTEBOOKS]
    assert {"00_start_here", "01_data_check", "02_measures", "31_ledger", *REPORTS} <= set(names)


def test_skeleton_and_budget(notebook):
    first, code = notebook.cells[0], code_of(notebook)
    assert re.match(r"# .*\?", first.source), "the title is a question"
    assert code[0].metadata.get("tags") == ["parameters"]
    assert code[1].metadata.get("tags") == ["setup"]
    assert len(notebook.cells) <= 40
    assert sum(len(cell.source.splitlines()) for cell in code) <= 60
    assert "def " not in "\n".join(cell.source for cell in code)
    assert all(not cell.outputs and cell.execution_count is None for cell in code), "outputs are stripped"


def test_parameters_are_plain_literals_with_a_comment_each(notebook):
    for line in code_of(notebook)[0].source.splitlines():
        assert "# " in line
        ast.literal_eval(ast.parse(line).body[0].value)


def test_no_result_and_no_direction_is_typed_into_the_prose(notebook):
    prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    prose = re.sub(r"```.*?```|`[^`]*`|(?m:^ {4}.*$)", "", prose, flags=re.S)  # pieces of study files and commands
    said = re.findall(
        r"\b\d+[.,]\d+\b|\bp [<=]|\b(?:increased|decreased|improved|worsened|was higher|was lower)\b", prose
    )
    assert set(said) <= {"20,000", "0.7", "0.95"}, (
        "only what is planned or conventional: the world's size, alpha's bounds"
    )


def run(path: Path, tmp_path: Path, monkeypatch, **parameters):
    import papermill

    monkeypatch.chdir(path.parent)  # as JupyterLab does
    done = papermill.execute_notebook(
        str(path), str(tmp_path / "done.ipynb"), parameters=parameters, progress_bar=False, kernel_name="python3"
    )
    return nbformat.from_dict(done)


@pytest.fixture(scope="module")
def strict():
    """Warnings are errors in kernels, too: what these are forked from reads it when it starts."""
    with pytest.MonkeyPatch.context() as patch:
        if sys.version_info < (3, 12):  # from 3.12 tornado 6.6 asks for an event loop where none is, and is warned
            patch.setenv("PYTHONWARNINGS", "error")
        yield


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_with_its_defaults_from_its_own_folder(path, tmp_path, monkeypatch, strict, warm):
    done = run(path, tmp_path, monkeypatch)
    for cell in code_of(done)[2:]:
        assert cell.outputs, f"nothing came of: {cell.source}"
    if path.stem in (*REPORTS, "00_start_here", "01_data_check"):
        assert MEDIA in code_of(done)[-1].outputs[-1].data


@pytest.mark.parametrize(("stem", "question"), [(stem, one) for stem, many in KINDS.items() for one in many])
def test_a_report_serves_every_kind_of_outcome(stem, question, answered, monkeypatch):
    """The cells, run here on answers that stand: what each shows of an outcome of that kind."""
    path = NOTEBOOKS[0].with_name(f"{stem}.ipynb")
    world = "contact_centre" if stem == "10_loyalty" else "hospital"
    monkeypatch.setattr(
        researchkit, "answer_question", lambda study, question, **_: answered(Path(study).name, question)
    )
    shown = [bundle for cell, bundle in answers.run(path, {"study": f"data/{world}", "question": question}) if bundle]
    assert len(shown) == len(code_of(nbformat.read(path, as_version=4))) - 2, "a cell shows nothing"
    assert shown[-1][MEDIA]["question"] == question
