"""The lessons as a student meets them: run blank, with the worked answers, and read."""

import ast
import contextlib
import io
import json
import re
from pathlib import Path

import answers
import pytest

from researchkit import learn

FOLDER = Path(__file__).parents[1] / "notebooks" / "lessons"
LESSONS = sorted(FOLDER.glob("[0-9]*.ipynb"))
BLANK = "# your answer"
CHECKED = re.compile(r'learn\.check\("([\w.]+)"')
CONVENTIONS = {"95 %"}  # what is agreed on, not what came out


def cells_of(path):
    return [(cell["cell_type"], "".join(cell["source"]), cell) for cell in json.loads(path.read_text("utf-8"))["cells"]]


def lesson_of(path):
    """The lesson of a notebook, by its number."""
    (name,) = [name for name in learn.LESSONS if learn.lesson(name).number == int(path.stem[:2])]
    return name, learn.lesson(name)


def worked(path):
    """The code of each worked answer, by the exercise that stands before it."""
    found, last = {}, None
    for kind, text, _ in cells_of(path):
        if kind == "code" and BLANK in text:
            last = CHECKED.search(text)[1]
        elif last and "<summary>Worked answer</summary>" in text:
            found[last], last = re.search(r"```python\n(.*?)```", text, re.S)[1], None
    return found


def run(path, given):
    """What the cells show; where an exercise has an answer in `given`, that stands in place of the blank."""
    space, shown = {}, []
    for kind, text, _ in cells_of(path):
        if kind != "code":
            continue
        if BLANK in text and (code := given.get(CHECKED.search(text)[1])):
            text = code + "\n" + "\n".join(line for line in text.splitlines() if BLANK not in line)
        tree = ast.parse(text)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(tree, path.stem, "exec"), space)  # noqa: S102 - our own notebooks
            value = eval(compile(ast.Expression(last.value), path.stem, "eval"), space) if last else None  # noqa: S307
        shown.append(value)
    return [value for value in shown if value is not None]


def states(shown):
    return {one.exercise: one.state for one in shown if isinstance(one, learn.Told)}


@pytest.fixture(params=LESSONS, ids=lambda path: path.stem)
def path(request):
    return request.param


def names_of(path):
    name, lesson = lesson_of(path)
    return [f"{name}.{which}" for which in lesson.exercises]


def test_every_lesson_has_its_notebook_and_every_notebook_its_lesson():
    assert [int(path.stem[:2]) for path in LESSONS] == [learn.lesson(name).number for name in learn.LESSONS]


def test_run_blank_every_check_says_not_yet(path):
    shown = run(path, {})
    assert states(shown) == dict.fromkeys(names_of(path), "not yet")
    assert shown[-1].note.startswith("0 of")


def test_with_the_worked_answers_every_check_passes(path, monkeypatch):
    answers.undrawn(monkeypatch)
    shown = run(path, worked(path))
    assert states(shown) == dict.fromkeys(names_of(path), "right")
    assert shown[-1].note == "All done."


def test_its_parts_are_there_and_in_order(path):
    _, lesson = lesson_of(path)
    cells = cells_of(path)
    prose = [text for kind, text, _ in cells if kind == "markdown"]
    code = [(text, cell) for kind, text, cell in cells if kind == "code"]
    assert prose[0].startswith(f"# {lesson.title}\n") and lesson.title.endswith("?")
    assert "**The one idea:" in prose[0] and lesson.idea
    assert code[0][1]["metadata"]["tags"] == ["setup"]
    assert [CHECKED.search(text)[1] for text, _ in code if BLANK in text] == names_of(path)
    assert list(worked(path)) == names_of(path), "each exercise has its worked answer, folded, below it"
    assert any("What to take along" in text for text in prose)
    assert prose[-1].startswith("<details>\n<summary>Teacher's notes</summary>")
    assert any("learn.picture(" in text or "rk.figures." in text for text, _ in code), "there is a picture"


def test_it_is_no_longer_than_an_hour_and_carries_no_code_of_its_own(path):
    _, lesson = lesson_of(path)
    cells = cells_of(path)
    code = [text for kind, text, _ in cells if kind == "code"]
    assert 30 <= lesson.minutes <= 60 and 3 <= len(lesson.exercises) <= 8
    assert len(cells) <= 60 and sum(len(text.splitlines()) for text in code) <= 60
    assert not re.search(r"(?m)^\s*(def|for|while|try|with|import os)\b", "\n".join(code))


def test_no_result_is_typed_into_its_prose(path):
    prose = "\n".join(text for kind, text, _ in cells_of(path) if kind == "markdown")
    prose = re.sub(r"```.*?```|`[^`]*`", "", prose, flags=re.S)
    said = re.findall(r"−?\b\d+[.,]\d+\b|\b\d+ ?%|\bp [<=]|[-−]\d+", prose)
    assert set(said) <= CONVENTIONS
    assert not re.search(r"\bcause[sd]\b", prose)


def test_its_data_are_simulated_and_small(path):
    name, _ = lesson_of(path)
    frames = learn._tables(name)
    assert sum(len(frame) for frame in frames.values()) <= 20_000


@pytest.mark.attack
def test_it_runs_in_a_kernel_of_its_own_from_any_folder(path, tmp_path, monkeypatch):
    import papermill

    monkeypatch.chdir(tmp_path)
    papermill.execute_notebook(str(path), str(tmp_path / "done.ipynb"), progress_bar=False, kernel_name="python3")
