"""The outputs of cells as HTML: our own as they come, anything else as the text that it also brought."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from html import escape
from html.parser import HTMLParser
from typing import Any

from researchkit.export.prose import Nested

OURS = "application/vnd.researchkit."
RESULT = f"{OURS}result+json"
_QUIET_TAGS = {"div", "p", "ul", "ol", "li", "strong", "em", "code", "br"}
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


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
    html = joined(data.get("text/html", ""))
    if html and (any(media.startswith(OURS) for media in data) or is_quiet(html)):
        return html
    for media in ("image/svg+xml", "image/png", "image/jpeg"):
        if media in data:
            return _picture(media, joined(data[media]), output.get("metadata", {}))
    if "text/markdown" in data:
        return f'<div class="rk-prose">{Nested().told(joined(data["text/markdown"]))}</div>'
    return _pre(joined(data.get("text/plain", html)))


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
    plain = _ESCAPES.sub("", joined(text)).strip("\n")
    return f'<pre tabindex="0" class="rk-text">{escape(plain)}</pre>' if plain else ""


def joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)


@lru_cache(maxsize=256)  # but for their parameters, the notebooks of many reports are the same
def coloured(source: str) -> str:
    """Python with its words marked by class; the style sheet has the colours."""
    from pygments import highlight

    return str(highlight(source, *_painters()))


@cache
def _painters() -> tuple[Any, Any]:
    """What reads code and what writes it: to make them takes longer than to use them."""
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return PythonLexer(), HtmlFormatter(nowrap=True)
