"""One notebook, one question: run it, take the result out of it, write the page.

A report is good only if our own marks are there: the answer as the last cell's output, for the question that was
asked, and a figure from every cell that draws one. Papermill's own word is not enough: after a killed kernel it calls
every cell "completed". Everything is written aside and moved into place, so a reader never sees half a page, and a
failed run leaves a page that says what failed instead of an old one that looks current.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from researchkit import internal, kernels, wording
from researchkit.answer import ASKED, HIDDEN, MEDIA
from researchkit.disclosure import PROFILES, name_of
from researchkit.errors import ReportError
from researchkit.figures import MEDIA as FIGURE
from researchkit.parameters import check_parameters
from researchkit.parts import Question
from researchkit.places import home, lasting_as_long, place, staged, write_status
from researchkit.study import Study, load_study
from researchkit.tables import MEDIA as TABLE

STATUSES = ("ok", "stopped", "too few", "held back", "error", "killed", "timed out", "out of memory")
LASTING = ("ok", "stopped", "too few")  # the same data and code would end so again
NOTEBOOKS = {"loyalty": "10_loyalty.ipynb", "recovery": "11_recovery.ipynb", "burnout": "12_burnout.ipynb"}
GRAMMARS = "rfc3987_syntax"
CELL_SECONDS = 600
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Limits:
    """What one report may take: seconds a cell, and bytes of memory of its kernel (0: as much as there is)."""

    cell_seconds: int = CELL_SECONDS
    memory: int = 0

    def arguments(self) -> list[str]:
        """What a kernel is started with; the limit is set inside it, so that it holds however the kernel began."""
        # Nobody has typed this, and nobody waits for its echo.
        least = ["--HistoryManager.enabled=False", "--IPythonKernel._execute_sleep=0"]
        if not self.memory or os.name != "posix":
            return least
        both = f"({self.memory}, {self.memory})"
        return [*least, f"--IPKernelApp.exec_lines=__import__('resource').setrlimit(2, {both})"]  # 2: RLIMIT_DATA


@dataclass(frozen=True)
class Report:
    """What became of one report.

    `status` is "ok"; "stopped" (these data cannot answer, and the reason says why); "too few" (people, for the
    disclosure profile); "held back" (beside an earlier page it would tell about
    a few people); "error" (a fault of the code); "killed"; "timed out"; or "out of memory".
    """

    study: str
    question: str
    by: str | None
    status: str
    reason: str
    folder: Path
    word: str = ""
    seconds: float = 0.0
    unchanged: bool = False  # made by an earlier run from the same things, and left as it is
    claim: str = ""  # that its question tests, and the question in words; a run adds both
    asked: str = ""

    @property
    def page(self) -> Path:
        return self.folder / "report.html"


def write_report(
    study: Study | str | Path,
    question: Question | str,
    *,
    by: str | None = None,
    disclosure: str | None = None,
    out: str | Path = "reports",
    notebook: str | Path | None = None,
    parameters: Mapping[str, Any] | None = None,
    label: str | None = None,
    key: Mapping[str, str] | None = None,
    limits: Limits | None = None,
    grown: Sequence[str] = (),
) -> Report:
    """Run the notebook of one question and write its page, its result and its tables.

    Parameters
    ----------
    by
        "column=value" for one report a site, a ward, a month.
    out
        The reports folder; this report goes to `<out>/<study>/<question>[/<by>]/`.
    notebook
        Another notebook than that of the question's family.
    parameters
        Further parameters of the notebook.
    label
        The name of a folder below the question's, for reports that only their parameters tell apart.
    key, grown
        What the report is made from, kept beside it, and which earlier rows are among its own (see `batch.key`).
    limits
        Seconds a cell may take, and bytes a kernel may hold.

    Raises
    ------
    ParameterError
        Before any kernel starts, if the notebook does not have, does not read, or types otherwise a parameter.
    StudyError
        If there is no such study or question.

    Examples
    --------
    >>> import researchkit as rk
    >>> from tempfile import mkdtemp
    >>> rk.write_report("data/hospital", "length_of_stay", out=mkdtemp()).status
    'ok'
    """
    study = study if isinstance(study, Study) else load_study(study)
    asked = question if isinstance(question, Question) else study.question(question)
    source = Path(notebook) if notebook else notebook_of(study, asked)
    given = told_to(study, asked, by, disclosure, parameters)
    check_parameters(source, given)
    folder = place(Path(out), study.name, asked.id, by, label)
    with staged(Path(out), folder) as staging:
        made, hidden = make(source, given, staging, study, asked, limits or Limits())
        write_status(staging, made, key, grown)
    page, rule = folder.relative_to(out).as_posix(), PROFILES[name_of(given["disclosure"])].label
    internal.log(Path(out), page, rule, datetime.now(UTC).isoformat(timespec="seconds"), hidden)
    return Report(study.name, asked.id, by or None, folder=folder, **made)


def told_to(
    study: Study, asked: Question, by: str | None, disclosure: str | None, more: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Every parameter that a notebook is run with."""
    own = {"study": str(study.path), "question": asked.id, "by": by or "", "disclosure": disclosure or study.disclosure}
    return {**own, **(more or {})}


def notebook_of(study: Study, asked: Question) -> Path:
    """The notebook that tells this question's design, or its family where it has none of its own."""
    return notebooks_folder() / (asked.special.notebook if asked.special else NOTEBOOKS[study.family_of(asked)])


def write_failure(
    out: Path, study: str, question: str, by: str | None, reason: str, status: str = "stopped", label: str | None = None
) -> Report:
    """The page of a report that could not even begin, in the place where an older one may still look current."""
    folder = place(out, study, question, by, label)
    with staged(out, folder) as staging:
        fail(staging, " / ".join(part for part in (study, question, by, label) if part), reason, [])
        write_status(staging, {"status": status, "reason": reason}, None)
    return Report(study, question, by or None, status, reason, folder)


def fail(staging: Path, title: str, reason: str, details: list[str]) -> None:
    from researchkit.site import failed_page

    (staging / "report.html").write_text(failed_page(title, reason, details, home(staging)), encoding="utf-8")


def libraries() -> None:
    """Load what runs and writes notebooks: once a process, and before workers are forked from it.

    jsonschema loads `rfc3987_syntax` where it is installed, which compiles forty grammars for a second, to check a kind
    of address that no notebook has; it does without where that is not to be had.
    """
    there = GRAMMARS in sys.modules
    sys.modules.setdefault(GRAMMARS, None)  # type: ignore[arg-type]  # so a module is declared absent
    try:
        for name in ("papermill", "nbformat", "nbconvert"):
            import_module(name)
    finally:
        if not there:
            del sys.modules[GRAMMARS]


def make(
    source: Path, given: dict[str, Any], staging: Path, study: Study, asked: Question, limits: Limits
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Fill the staging folder with a good report, or with a page that says what failed; and what the page hides."""
    libraries()
    from nbformat.v4 import nbjson

    from researchkit.export import export

    trouble = execute(source, staging / "notebook.ipynb", given, limits)
    hidden: list[dict[str, Any]] = []
    try:
        if trouble:
            raise ReportError(trouble["reason"])
        # Papermill has checked it against the format just now, when it wrote it.
        came = json.loads((staging / "notebook.ipynb").read_text(encoding="utf-8"))
        if hidden := taken_out(came):  # written on one line: indented, it would take Python's own, slow encoder
            (staging / "notebook.ipynb").write_text(json.dumps(came, ensure_ascii=False), encoding="utf-8")
        notebook = nbjson.to_notebook(came)
        result = result_of(notebook, study, asked, given["by"])
        result["provenance"]["notebook"] = source.name
        result["provenance"]["parameters"] = given
        page = export(notebook, result, beside="result.json", home=home(staging))
        (staging / "report.html").write_text(page, encoding="utf-8")
        (staging / "result.json").write_text(json.dumps(result, indent=1, ensure_ascii=False), encoding="utf-8")
        write_tables(notebook, staging / "tables")
    except ReportError as error:
        fail(staging, asked.title, str(error), [f"{study.title}: {asked.id} {given['by']}".strip(), source.name])
        return {"status": (trouble or {}).get("status", "error"), "reason": str(error)}, hidden
    word, seconds = result["verdict"]["word"], result["provenance"]["seconds"]
    return {"status": "ok", "reason": "", "word": word, "seconds": seconds}, hidden


def taken_out(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """What the answer hides and why, which must not stay in a notebook that lies beside the page."""
    data = [output.get("data", {}) for cell in notebook["cells"] for output in cell.get("outputs", ())]
    return [one for bundle in data if HIDDEN in bundle for one in bundle.pop(HIDDEN)]


def execute(source: Path, target: Path, given: dict[str, Any], limits: Limits) -> dict[str, str] | None:
    """Run a notebook by Papermill; what went wrong, or None."""
    libraries()
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    os.environ[ASKED] = "1"
    for name in ONE_THREAD:  # a report is small; threads of the linear algebra only fight over the cores
        os.environ.setdefault(name, "1")
    sockets = lasting_as_long()
    try:
        papermill.execute_notebook(
            str(source),
            str(target),
            parameters=given,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            execution_timeout=limits.cell_seconds,
            shutdown_kernel="immediate",
            kernel_manager_class=kernels.MANAGER,
            config=private(sockets),
            extra_arguments=limits.arguments(),
        )
    except PapermillExecutionError as error:
        return {"status": status_of(error.ename), "reason": told(error, limits)}
    except DeadKernelError:
        return {"status": "killed", "reason": "The kernel died: it was killed, or it crashed."}
    except CellTimeoutError:
        reason = f"A cell ran longer than {wording.count(limits.cell_seconds)} seconds (see `--cell-seconds`)."
        return {"status": "timed out", "reason": reason}
    finally:
        shutil.rmtree(sockets, ignore_errors=True)
    return None


def private(sockets: Path) -> Any:
    """Talk to the kernel through files that only this user can open, not through ports that everybody can listen at.

    Each kernel needs a folder of its own: kernels that share one answer for each other.
    """
    from traitlets.config import Config

    return Config({"KernelManager": {"transport": "ipc", "ip": str(sockets / "k")}} if os.name == "posix" else {})


def status_of(name: str) -> str:
    """The class of a failure, by the name of the exception that a cell raised."""
    from researchkit import errors

    if name == "DisclosureError":
        return "too few"
    if name == "MemoryError":
        return "out of memory"
    known = getattr(errors, name, None)
    return "stopped" if isinstance(known, type) and issubclass(known, errors.ResearchkitError) else "error"


def told(error: Any, limits: Limits) -> str:
    """The failure of a cell in words; our own errors speak for themselves."""
    status = status_of(error.ename)
    if status in LASTING:
        return str(error.evalue)
    if status == "out of memory":
        most = f" of {wording.count(limits.memory // 2**20)} MB" if limits.memory else ""
        return f"Cell {error.exec_count} needed more memory than the limit{most} (see `--memory`)."
    return f"Cell {error.exec_count} failed with {error.ename}; notebook.ipynb beside this page has the traceback."


def result_of(notebook: Any, study: Study, asked: Question, by: str) -> dict[str, Any]:
    """The answer that the last cell showed, or ReportError if the run is not the good run that was asked for."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = code[-1].outputs if code else []
    results = [output["data"][MEDIA] for output in outputs if MEDIA in output.get("data", {})]
    if len(results) != 1:
        raise ReportError("The notebook's last cell showed no answer, so the run is not known to be complete.")
    result = json.loads(json.dumps(results[0]))
    named = (result["study"], result["question"], result["by"] or "")
    if named != (study.name, asked.id, by):
        raise ReportError(
            f"The notebook answered {named}, not {(study.name, asked.id, by)}: it does not read its parameters."
        )
    empty = [
        number
        for number, cell in enumerate(code, 1)
        if "rk.figures." in cell.source and not any(FIGURE in output.get("data", {}) for output in cell.outputs)
    ]
    if empty:
        raise ReportError(f"Code cell {empty[0]} was to draw a figure, and none came.")
    return result


def write_tables(notebook: Any, folder: Path) -> None:
    """Every table and the data behind every figure, as CSV."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    for output in outputs:
        for media in (TABLE, FIGURE):
            if carried := output.get("data", {}).get(media):
                folder.mkdir(exist_ok=True)
                for one in (carried, *carried.get("more", ())):
                    (folder / f"{one['name']}.csv").write_text(one["csv"], encoding="utf-8")


def notebooks_folder() -> Path:
    """Where the notebooks are: in the installed package, or in the checkout."""
    inside = Path(__file__).parent / "notebooks"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "notebooks"
