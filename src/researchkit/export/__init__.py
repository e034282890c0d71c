"""An executed notebook to one page that can be shared: self-contained, no script, everything from data escaped.

The notebook's markdown becomes the prose, its code is hidden until the reader's one switch shows it, its outputs are
shown by `shown`, and the result gives the head (question, verdict, marks) and the foot (how to run it again and cite
it, provenance).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cache
from typing import Any

from researchkit.export.head import CHIPS, TEMPLATES, command, page_view, style
from researchkit.export.outputs import RESULT, coloured, is_quiet, joined, shown
from researchkit.export.prose import Prose

__all__ = ["CHIPS", "RESULT", "TEMPLATES", "command", "export", "exporter", "is_quiet", "shown", "style"]

OWN_TITLE = "own-title"  # the tag of a title under which a page is no answer: it is told before any result
NOTEBOOK_ONLY = "notebook-only"  # the tag of a cell that speaks to whoever runs the notebook, not to a page's reader


def export(notebook: Any, result: Mapping[str, Any], *, beside: str = "", home: str | None = None) -> str:
    """The page of one executed notebook.

    Parameters
    ----------
    notebook
        An nbformat notebook, left as it is.
    result
        The result dict of the answer. One without a verdict (a data check) gives a page of title and body.
    beside
        The name of the result file in the page's own folder, where there is one; the page links to it.
    home
        The way from the page's folder to the reports folder, where there is one; the page links to those around it.

    Returns
    -------
    str
        HTML with exactly one h1: the question; the notebook's own first heading where the result has no title, or
        where the heading is tagged `own-title`: then the question is named above it, and no verdict leads the page.
    """
    writer = Prose()
    pages = copy.copy(notebook)
    pages.cells = [_printed(cell, writer) for cell in notebook.cells if NOTEBOOK_ONLY not in _tags(cell)]
    own = any(OWN_TITLE in _tags(cell) for cell in notebook.cells)
    title = (writer.title if own else result.get("title")) or writer.title or "Report"
    view = page_view(result, title=title, contents=writer.contents, leads=not own) | {"beside": beside, "home": home}
    view["words"] = writer.linker.used
    body, _ = exporter().from_notebook_node(pages, resources={"researchkit": view})
    return str(body)


@cache
def exporter() -> Any:
    """One exporter for all pages of a process: making it costs more than a page."""
    from nbconvert import HTMLExporter
    from nbconvert.exporters import TemplateExporter

    class Page(HTMLExporter):
        """Leaves the page as the template wrote it, and the notebook uncopied: there is no preprocessor."""

        from_notebook_node = TemplateExporter.from_notebook_node

        def _preprocess(self, nb: Any, resources: Any) -> tuple[Any, Any]:
            return nb, resources

    unused = dict.fromkeys(("highlight_code", "filter_data_type"), joined)  # named by the template below ours
    filters = {"shown": shown, "coloured": coloured, **unused}
    folders = [str(TEMPLATES)]
    return Page(
        template_name="report",
        extra_template_basedirs=folders,
        extra_template_paths=folders,
        filters=filters,
    )


def _tags(cell: Any) -> list[str]:
    return list(cell.metadata.get("tags", []))


def _printed(cell: Any, writer: Prose) -> Any:
    """A cell as the template takes it: prose rendered, and nothing in the result, which is large and not shown."""
    cell = copy.copy(cell)
    if cell.cell_type == "markdown":
        cell.metadata = copy.copy(cell.metadata)
        cell.metadata["told"] = writer.linker.told(writer.told(cell.source))
    elif cell.cell_type == "code":
        cell.outputs = [_emptied(output) if RESULT in output.get("data", {}) else output for output in cell.outputs]
    return cell


def _emptied(output: Any) -> Any:
    output = copy.copy(output)
    output.data = {RESULT: {}}
    return output
