"""What several tests ask of both simulated worlds, worked out once, and a notebook run here instead of in a kernel."""

from __future__ import annotations

import ast
import json
import os
import pickle
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from researchkit import report
from researchkit.answer import ASKED, Answer, answer_question
from researchkit.dataset import Dataset
from researchkit.disclosure import taken
from researchkit.parts import Question
from researchkit.robustness import Check
from researchkit.study import Study

DATA = Path(__file__).parents[1] / "data"
WORLDS = ("contact_centre", "hospital")
Answered = Callable[[str, str], Answer]


def kept(folder: Path) -> Answered:
    """The answers to the questions of a world as they stand; what one worker has answered the others read there."""

    @cache
    def answered(world: str, question: str) -> Answer:
        there = folder / f"{world}-{question}.pickle"
        if there.is_file():
            return pickle.loads(there.read_bytes())  # noqa: S301 - our own, of this run
        answer = answer_question(DATA / world, question)
        aside = folder / f"{there.name}.{os.getpid()}"
        aside.write_bytes(pickle.dumps(answer))
        aside.replace(there)
        return answer

    return answered


def ask(study: Study | Path, question: Question | str) -> Answer:
    """The whole chain without what takes most of its time and other tests are of: gaps filled, the family's questions."""

    def left_out(dataset: Dataset) -> Check:
        return Check("left out", dataset.fingerprint, reason="not tested here")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("researchkit.robustness.attacks.missing_data", lambda dataset, *_: left_out(dataset))
        patched.setattr("researchkit.answer.several", lambda _, effect, dataset, *more: (effect, left_out(dataset)))
        return answer_question(study, question)


def run(source: Path, given: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Each code cell of a notebook, run in this process, with the bundle that it shows (None: it shows nothing)."""
    space: dict[str, Any] = {}
    for cell in json.loads(source.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            yield cell, None
            continue
        tree = ast.parse("".join(cell["source"]))
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, "cell", "exec"), space)  # noqa: S102 - our own notebooks
        if "parameters" in cell["metadata"].get("tags", []):
            space.update(given)
        shown = eval(compile(ast.Expression(last.value), "cell", "eval"), space) if last else None  # noqa: S307 - as above
        yield cell, None if shown is None else bundle_of(shown)


def bundle_of(shown: Any) -> dict[str, Any]:
    return shown._repr_mimebundle_() if hasattr(shown, "_repr_mimebundle_") else {"text/plain": repr(shown)}


def execute(source: Path, target: Path, given: dict[str, Any], limits: object) -> dict[str, str] | None:
    """In place of `report.execute`: the executed notebook without a kernel (nor what its cells print); or its failure."""
    told = json.loads(source.read_text(encoding="utf-8"))
    told["cells"] = []
    before, _ = os.environ.get(ASKED), taken()
    os.environ[ASKED] = "1"
    try:
        for cell, bundle in run(source, given):
            if cell["cell_type"] == "code":
                shown = {"output_type": "display_data", "metadata": {}, "data": bundle}
                cell |= {"execution_count": len(told["cells"]), "outputs": [shown] if bundle else []}
            told["cells"].append(cell)
    except Exception as error:
        status = report.status_of(type(error).__name__)
        return {"status": status, "reason": str(error) if status in report.LASTING else type(error).__name__}
    finally:
        os.environ.pop(ASKED)
        os.environ |= {ASKED: before} if before else {}
    target.write_text(json.dumps(told), encoding="utf-8")
    return None


def undrawn(patched: pytest.MonkeyPatch) -> None:
    """Figures without a drawing, where only what is told beside it is read: data, caption, text for the blind."""
    patched.setattr(
        "researchkit.figures.sheet.Sheet.printed", lambda page: ('<svg xmlns="http://www.w3.org/2000/svg"/>', b"")
    )
