"""An executed notebook to one page that can be shared: self-contained, no script, everything from data escaped.

The notebook's markdown becomes the prose, its code is hidden until the reader's one switch shows it, its outputs are
shown by `shown`, and the result gives the head (question, verdict, marks) and the foot (how to run it again and cite
it, provenance).
"""

from __future__ import annotations

import copy
import json
import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

from researchkit import cite, tables, wording
from researchkit.claims import briefly
from researchkit.glossary import Linker
from researchkit.tables import data_link

TEMPLATES = Path(__file__).parent / "templates"
OURS = "application/vnd.researchkit."
RESULT = f"{OURS}result+json"
CHIPS = {"supported": "good", "contradicted": "against", "too small to matter": "small", "cannot tell": "open"}
OWN_TITLE = "own-title"  # the tag of a title under which a page is no answer: it is told before any result
NOTEBOOK_ONLY = "notebook-only"  # the tag of a cell that speaks to whoever runs the notebook, not to a page's reader
_QUIET_TAGS = {"div", "p", "ul", "ol", "li", "strong", "em", "code", "br"}
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


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

    unused = dict.fromkeys(("highlight_code", "filter_data_type"), _joined)  # named by the template below ours
    filters = {"shown": shown, "coloured": _coloured, **unused}
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


class Prose:
    """Turns the markdown cells of one notebook into HTML, and keeps the headings for the list of contents.

    HTML in markdown comes out as text. A first-level heading is the title and leaves the body; the page has its own.
    """

    def __init__(self) -> None:
        self.title = ""
        self.linker = Linker()
        self.contents: list[tuple[str, str]] = [("answer", "Answer")]
        self._render = _markdown(self._heading)

    def told(self, source: str) -> str:
        return str(self._render(source))

    def _heading(self, text: str, level: int) -> str:
        plain = _plain(text)
        if level == 1 and not self.title:
            self.title = plain
            return ""
        level = max(level, 2)
        if level > 2:
            return f"<h{level}>{text}</h{level}>\n"
        taken = {anchor for anchor, _ in self.contents} | {"again"}
        base = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or "part"
        anchor = next(name for name in _numbered(f"s-{base}") if name not in taken)
        self.contents.append((anchor, plain))
        return f'<h2 id="{anchor}">{text}</h2>\n'


def _numbered(base: str) -> Iterator[str]:
    yield base
    number = 2
    while True:
        yield f"{base}-{number}"
        number += 1


def _markdown(heading: Any) -> Any:
    """A markdown renderer that lets no HTML through."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Safe(IPythonRenderer):
        def heading(self, text: str, level: int, **_: Any) -> str:
            return str(heading(text, level))

        def block_code(self, code: str, info: str | None = None) -> str:
            return f"<pre><code>{escape(code)}</code></pre>\n"

        def image(self, text: str, url: str, title: str | None = None) -> str:
            return f'<img src="{escape(url)}" alt="{escape(text)}">' if url.startswith("data:image/") else escape(text)

        def table(self, text: str) -> str:
            return f'<div class="rk-scroll" role="region" tabindex="0" aria-label="Table"><table>{text}</table></div>\n'

    return MarkdownWithMath(renderer=Safe(escape=True, allow_harmful_protocols=False, exclude_anchor_links=True)).render


def _plain(text: str) -> str:
    """The words of a piece of HTML that we rendered."""
    from html import unescape

    return unescape(re.sub(r"<[^>]*>", "", text)).strip()


def shown(output: Mapping[str, Any]) -> str:
    """One output of a cell as HTML.

    HTML is taken as it comes only from our own tables and figures, which carry our media type beside it, or when it is
    nothing but plain paragraphs and lists. Anything else is shown as the text that it also brought.
    """
    kind = output["output_type"]
    if kind == "stream":
        text = _pre(output["text"])
        return text if output["name"] == "stdout" else f"<details><summary>Messages</summary>{text}</details>"
    if kind == "error":
        return _pre("\n".join(output["traceback"]))
    data = output.get("data", {})
    if RESULT in data:
        return ""  # the head and the foot of the page are made from it
    html = _joined(data.get("text/html", ""))
    if html and (any(media.startswith(OURS) for media in data) or is_quiet(html)):
        return html
    for media in ("image/svg+xml", "image/png", "image/jpeg"):
        if media in data:
            return _picture(media, _joined(data[media]), output.get("metadata", {}))
    if "text/markdown" in data:
        return f'<div class="rk-prose">{Nested().told(_joined(data["text/markdown"]))}</div>'
    return _pre(_joined(data.get("text/plain", html)))


class Nested(Prose):
    """Markdown inside an output: its headings stand below those of the page."""

    def _heading(self, text: str, level: int) -> str:
        return f"<h{min(level + 2, 6)}>{text}</h{min(level + 2, 6)}>\n"


def is_quiet(html: str) -> bool:
    """Whether HTML holds only plain paragraphs and lists, with no attribute but a class."""
    found: list[bool] = []

    class Watch(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append(tag in _QUIET_TAGS and all(name == "class" for name, _ in attrs))

        def handle_comment(self, data: str) -> None:
            found.append(False)

    watch = Watch()
    watch.feed(html)
    watch.close()
    return bool(found) and all(found) and html.count("<") == 2 * len(found) - len(re.findall(r"<br\s*/?>", html))


def _picture(media: str, content: str, metadata: Mapping[str, Any]) -> str:
    from base64 import b64encode

    coded = (
        b64encode(content.encode()).decode() if media == "image/svg+xml" else re.sub(r"[^A-Za-z0-9+/=]", "", content)
    )
    alt = metadata.get(media, {}).get("alt") or metadata.get("alt") or "A figure without a description"
    return f'<img src="data:{media};base64,{coded}" alt="{escape(str(alt))}">'


def _pre(text: str | list[str]) -> str:
    plain = _ESCAPES.sub("", _joined(text)).strip("\n")
    return f'<pre tabindex="0" class="rk-text">{escape(plain)}</pre>' if plain else ""


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


@lru_cache(maxsize=256)  # but for their parameters, the notebooks of many reports are the same
def _coloured(source: str) -> str:
    """Python with its words marked by class; the style sheet has the colours."""
    from pygments import highlight

    return str(highlight(source, *_painters()))


@cache
def _painters() -> tuple[Any, Any]:
    """What reads code and what writes it: to make them takes longer than to use them."""
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return PythonLexer(), HtmlFormatter(nowrap=True)


def page_view(
    result: Mapping[str, Any], *, title: str, contents: list[tuple[str, str]], leads: bool = True
) -> dict[str, Any]:
    """Everything the template prints, in words; nothing in it is HTML but the style.

    With `leads` the page begins with the verdict, where the result has one.
    """
    verdict, cited = result.get("verdict") if leads else None, cite.bibtex(result)
    facts = [
        "" if leads else str(result.get("title") or ""),
        str(result.get("family") or "").capitalize(),
        f"claim {result['claim']}" if result.get("claim") else "",
        str(result.get("plan", {}).get("words", "")),
        str(result.get("design") or "").replace("rollout", "roll-out"),
        str(result.get("by") or "").replace("=", " = ", 1),
    ]
    return {
        "title": title,
        "claim": briefly(str(result.get("claim") or "")),
        "folder": f"{quote(str(result.get('study') or ''))}/",
        "study": result.get("study_title") or result.get("study") or "",
        "made": str(result.get("provenance", {}).get("started", ""))[:10],
        "simulated": bool(result.get("simulated")),
        "eyebrow": " · ".join(fact for fact in facts if fact),
        "verdict": verdict and {**verdict, "chip": CHIPS.get(verdict["word"], "open")},
        "contents": contents if verdict else contents[1:],
        "provenance": provenance(result),
        "again": command(result),
        "cited": cited,
        "bib": data_link("application/x-bibtex", cited.encode()),
        "file": tables.slug("-".join(str(result.get(name) or "") for name in ("study", "question", "by"))),
        "disclosure": _rule(result.get("data", {})),
        "style": style(),
    }


def _rule(data: Mapping[str, Any]) -> str:
    """The disclosure profile with its version, and how its counts are rounded; "" where nothing is hidden."""
    name = str(data.get("disclosure") or "none")
    step = data.get("rounded_to") or 1
    told = str(data.get("profile") or name) + (f", counts to the nearest {wording.count(step)}" if step > 1 else "")
    return "" if name == "none" else told


def provenance(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What made this page, as pairs of a term and its description."""
    made, data = result.get("provenance", {}), result.get("data", {})
    packages = ", ".join(f"{name} {version}" for name, version in made.get("packages", {}).items())
    seconds = made.get("seconds")
    pairs = [
        ("Study", " / ".join(str(result[key]) for key in ("study", "question", "by") if result.get(key))),
        (
            "Study file",
            made.get("study_sha256") and f"sha256:{made['study_sha256']}".replace("sha256:sha256:", "sha256:"),
        ),
        ("Data", data.get("fingerprint")),
        ("Rows", _rows(data)),
        ("Notebook", made.get("notebook")),
        ("researchkit", made.get("researchkit")),
        ("Python", made.get("python")),
        ("Packages", packages),
        ("Parameters", json.dumps(made["parameters"], ensure_ascii=False) if made.get("parameters") else ""),
        ("Started", made.get("started")),
        ("Took", None if seconds is None else f"{wording.number(seconds)} seconds"),
    ]
    return [(term, str(told)) for term, told in pairs if told]


def _rows(data: Mapping[str, Any]) -> str:
    used, rows = (wording.count(n) if isinstance(n, int) else n for n in (data.get("used"), data.get("rows")))
    return f"{used} used of {rows} that arrived" if used and rows else ""


def command(result: Mapping[str, Any]) -> str:
    """The command that makes this page again."""
    if not (result.get("study") and result.get("question")):
        return ""
    given = result.get("provenance", {}).get("parameters", {}).get("study")
    words = ["researchkit", "run", str(given or f"data/{result['study']}"), "--question", str(result["question"])]
    if by := result.get("by"):
        words += ["--by", str(by).partition("=")[0]]
    disclosure = result.get("data", {}).get("disclosure")
    words += ["--disclosure", str(disclosure)] if disclosure else []
    return shlex.join(words)


@cache
def style() -> str:
    """The style sheet that every page carries inside it."""
    return (TEMPLATES / "style.css").read_text(encoding="utf-8")
