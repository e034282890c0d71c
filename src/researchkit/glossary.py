"""The words of GLOSSARY.md, and links to them from prose.

Only prose that we have written is linked: what notebooks and pages say about methods. Titles, labels and values come
from studies and their data, and stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

from researchkit.errors import SourceError

FILE = "GLOSSARY.md"
ENTRY = re.compile(r"\*\*(?P<name>.+?)\.\*\*\s+(?P<told>.+)", re.S)
# Words that prose mostly uses as everybody does, or that stand on every page: they have their entry, and no links.
EVERYDAY = frozenset(
    "alternative claim compassion design dose effect episode exposed exposure family flow influence interrupted limit "
    "loyalty missing mix outcome outline planned power price question recovery scale seed series signal".split()
) | {"filled in", "in place"}
NO_LINKS = {"a", "h1", "h2", "h3", "h4", "h5", "h6", "code", "pre", "table", "svg", "summary", "button", "label", "th"}
NEW_SECTION = {"h1", "h2", "h3", "section", "article"}
TAG = re.compile(r"(<[^>]*>)")
NAME = re.compile(r"</?([a-zA-Z0-9]+)")


@dataclass(frozen=True)
class Term:
    """One entry: its name, the place of its entry on the page, what is said of it, and how prose may call it."""

    name: str
    anchor: str
    told: str  # Markdown of one paragraph, without the name
    forms: tuple[str, ...]

    @property
    def html(self) -> str:
        """What is said of it, as HTML."""
        text = escape(self.told, quote=False)
        text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
        return re.sub(r"\*([^*]+)\*", r"<em>\1</em>", text)

    @property
    def plain(self) -> str:
        """The same without any marks."""
        return re.sub(r"[`*]", "", self.told)


@cache
def terms() -> tuple[Term, ...]:
    """Every entry, in the order of the alphabet.

    Raises
    ------
    SourceError
        If the file is missing from the installation.
    """
    return tuple(entries(_text()))


def entries(text: str) -> Iterator[Term]:
    """The entries of a glossary: paragraphs that begin with a name in bold letters and a full stop."""
    for paragraph in re.split(r"\n\s*\n", text):
        if found := ENTRY.fullmatch(paragraph.strip()):
            name, told = found["name"], " ".join(found["told"].split())
            forms = tuple(part for part in re.split(r", | \(|\)", name) if part)
            yield Term(name, "w-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"), told, forms)


def _text() -> str:
    """The file's text: inside an installed package, or beside the sources in a checkout."""
    shipped, checkout = Path(__file__).parent / FILE, Path(__file__).parents[2] / FILE
    for place in (shipped, checkout):
        if place.is_file():
            return place.read_text(encoding="utf-8")
    raise SourceError(f"The glossary is missing: neither {shipped} nor {checkout} is there. Reinstall.")


class Linker:
    """Links each term where a section of prose first uses it, to `to` and its anchor.

    One for a page: `used` holds the terms that it has linked, in the order of the alphabet.
    """

    def __init__(self, to: str = "") -> None:
        self.to = to
        self._seen: set[str] = set()
        self._used: set[str] = set()

    @property
    def used(self) -> tuple[Term, ...]:
        return tuple(term for term in terms() if term.anchor in self._used)

    def told(self, html: str, own: Iterable[str] = ()) -> str:
        """Prose with links; `html` has to be well formed, as our templates and our Markdown write it.

        `own` are anchors that are not to be linked, such as that of the entry itself.
        """
        self._seen.update(own)
        inside, made = 0, []  # how many elements are open that must hold no links
        for piece in TAG.split(html):
            if not piece.startswith("<"):
                made.append(piece if inside else _pattern().sub(self._link, piece))
                continue
            made.append(piece)
            if (name := _tag(piece)) in NEW_SECTION and not piece.startswith("</"):
                self._seen = set(own)
            if name in NO_LINKS and not piece.endswith("/>"):
                inside += -1 if piece.startswith("</") else 1
        return "".join(made)

    def _link(self, found: re.Match[str]) -> str:
        term = _named(found[1]) or _named(found[0])
        if term is None or term.anchor in self._seen:
            return found[0]
        self._seen.add(term.anchor)
        self._used.add(term.anchor)
        return f'<a class="term" href="{escape(self.to)}#{term.anchor}">{found[0]}</a>'


def _tag(piece: str) -> str:
    found = NAME.match(piece)
    return found[1].lower() if found else ""


@cache
def _forms() -> dict[str, Term]:
    """How prose calls each term. Acronyms and symbols keep their case; the first entry of two has the word."""
    found: dict[str, Term] = {}
    for term in terms():
        for form in term.forms:
            if form.lower() not in EVERYDAY:
                found.setdefault(form if form.isupper() or form[:2].isupper() else form.lower(), term)
    return found


def _named(word: str) -> Term | None:
    forms = _forms()
    return forms.get(word) or forms.get(word.lower())


@cache
def _pattern() -> re.Pattern[str]:
    """Any form as whole words, the longest first, in the plural too."""
    ordered = sorted(_forms(), key=len, reverse=True)
    either = "|".join(map(re.escape, ordered))
    return re.compile(rf"(?<![\w&#-])({either})(?:s|es)?(?![\w-])", re.IGNORECASE)
