"""The markdown of a notebook as the prose of a page: no HTML comes through, headings make the list of contents."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import Any

from researchkit.glossary import Linker


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


class Nested(Prose):
    """Markdown inside an output: its headings stand below those of the page."""

    def _heading(self, text: str, level: int) -> str:
        return f"<h{min(level + 2, 6)}>{text}</h{min(level + 2, 6)}>\n"


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
