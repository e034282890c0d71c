"""A page of ours, read back into what it is made of: headings, paragraphs, figures, tables, and the files in it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import unquote_to_bytes

from researchkit.errors import ReportError

VOID = {"meta", "br", "img", "link", "hr", "input", "wbr", "col"}
UNREAD = {"script", "style", "nav", "svg", "template", "fieldset", "head", "header"}
CLASSES = {"skip", "rk-links", "rk-csv", "code", "switches"}  # for the screen only
DEEPEST = 100  # elements in one another; ours are a dozen, and each is looked into by a call within a call
HEADINGS = {f"h{level}": level for level in range(1, 7)}


@dataclass(frozen=True)
class Text:
    """A paragraph, a heading (`level` 1 to 6), or a line of a list; `kind` is what it is on the page."""

    words: str
    kind: str = ""
    level: int = 0


@dataclass(frozen=True)
class Drawn:
    """A figure with its words and its files by kind: svg, png, csv."""

    name: str
    title: str
    alt: str
    caption: str
    files: dict[str, bytes]


@dataclass(frozen=True)
class Listed:
    """A table as the page shows it; `right` says of each column whether it holds numbers."""

    name: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[bool, ...]
    note: str = ""
    csv: bytes = b""


Block = Text | Drawn | Listed


@dataclass(frozen=True)
class Read:
    """A page: its title, its parts in order, and the files that belong to no figure and no table, by name."""

    title: str
    blocks: tuple[Block, ...]
    files: dict[str, bytes]

    @property
    def figures(self) -> list[Drawn]:
        return [block for block in self.blocks if isinstance(block, Drawn)]

    @property
    def tables(self) -> list[Listed]:
        return [block for block in self.blocks if isinstance(block, Listed)]


@dataclass
class Node:
    """An element, with the words and elements in it."""

    tag: str
    attrs: dict[str, str] = field(default_factory=dict)
    inner: list[Node | str] = field(default_factory=list)

    @property
    def classes(self) -> set[str]:
        return set(self.attrs.get("class", "").split())

    def find(self, tag: str = "", kind: str = "") -> Iterator[Node]:
        """Every element inside with this tag and this class, in the order of the page."""
        for one in self.inner:
            if isinstance(one, Node):
                if (not tag or one.tag == tag) and (not kind or kind in one.classes):
                    yield one
                yield from one.find(tag, kind)

    def first(self, tag: str = "", kind: str = "") -> Node | None:
        return next(self.find(tag, kind), None)

    def words(self) -> str:
        """The text, its white space as a reader sees it; nothing of what is for the screen only."""
        return " ".join("".join(self.pieces()).split())

    def pieces(self) -> Iterator[str]:
        """The text as it stands, piece by piece."""
        for one in self.inner:
            if isinstance(one, str):
                yield one
            elif one.tag == "br":
                yield " "
            elif one.tag not in UNREAD and not one.classes & CLASSES:
                yield from one.pieces()


class _Tree(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("")
        self.open = [self.root]
        self.deepest = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        self.open[-1].inner.append(node)
        if tag not in VOID:
            self.open.append(node)
            self.deepest = max(self.deepest, len(self.open))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].inner.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        depth = next((place for place in range(len(self.open) - 1, 0, -1) if self.open[place].tag == tag), 0)
        if depth:
            del self.open[depth:]

    def handle_data(self, data: str) -> None:
        self.open[-1].inner.append(data)


def read(html: str) -> Read:
    """What a page of ours is made of.

    Raises
    ------
    ReportError
        If it is not a page of a report, or the page of one that failed.
    """
    tree = _Tree()
    tree.feed(html)
    tree.close()
    if tree.deepest > DEEPEST:
        raise ReportError("This is no page of a report.")
    main = tree.root.first("main")
    title = main.first("h1") if main else None
    if main is None or title is None or not any("researchkit" in one.words() for one in tree.root.find("header")):
        raise ReportError("This is no page of a report.")
    if main.first(kind="failed"):
        said = main.first(kind="sentence")
        raise ReportError(
            f"This report failed, so there is nothing to take: {said.words() if said else ''}".strip(": ")
        )
    blocks = tuple(_blocks(main))
    inside = {id(link) for holder in _holders(main) for link in holder.find("a")}
    files = {
        _name(link.attrs["download"]): content
        for link in main.find("a")
        if id(link) not in inside and "download" in link.attrs and (content := _content(link)) is not None
    }
    return Read(title.words(), blocks, files)


def _holders(main: Node) -> Iterator[Node]:
    yield from main.find("figure")
    yield from main.find(kind="rk-table")


def _blocks(node: Node) -> Iterator[Block]:
    for one in node.inner:
        if isinstance(one, str) or one.tag in UNREAD or one.classes & CLASSES:
            continue
        if one.tag == "figure":
            yield _figure(one)
        elif "rk-table" in one.classes or one.tag == "table":
            yield _table(one)
        elif one.tag == "dl":
            yield _facts(one)
        elif (kind := _kind(one)) is not None:
            if words := "".join(one.pieces()).strip() if one.tag == "pre" else one.words():  # there lines are lines
                yield Text(words, kind, HEADINGS.get(one.tag, 0))
        else:
            yield from _blocks(one)


def _kind(node: Node) -> str | None:
    """What a piece of text is; None for what holds pieces."""
    if node.tag in HEADINGS:
        return "heading"
    if node.tag == "li":
        return None if any(node.find("ul")) else "item"
    if "chip" in node.classes:
        return "chip"
    if node.tag in ("p", "pre", "summary", "blockquote"):
        return next(iter(node.classes & {"eyebrow", "sentence"}), {"pre": "code"}.get(node.tag, node.tag))
    return None


def _figure(node: Node) -> Drawn:
    title, caption, picture = node.first(kind="rk-title"), node.first("figcaption"), node.first("svg")
    files = {}
    name = "figure"
    for link in node.find("a"):
        content = _content(link)
        if content is not None and "download" in link.attrs:
            name, _, kind = _name(link.attrs["download"]).rpartition(".")
            files[kind] = content
    folded = {id(one) for one in caption.find("details")} if caption else set()
    told = Node("", {}, [one for one in caption.inner if id(one) not in folded] if caption else [])
    alt = picture.attrs.get("aria-label", "") if picture else ""
    return Drawn(name, title.words() if title else "", alt, told.words(), files)


def _table(node: Node) -> Listed:
    table = node if node.tag == "table" else node.first("table") or Node("table")
    caption, note = table.first("caption"), node.first(kind="rk-note")
    lines = [[cell for cell in row.inner if isinstance(cell, Node)] for row in table.find("tr")]
    top = table.first("thead")
    heads = len(list(top.find("tr"))) if top else 0
    head = tuple(cell.words() for cell in lines[0]) if heads else ()
    body = lines[heads:]
    right = tuple("n" in cell.classes for cell in (lines[0] if lines else []))
    title = caption.words() if caption else ""
    link = next((one for one in node.find("a") if one.attrs.get("download", "").endswith(".csv")), None)
    content = _content(link) if link else None
    name = _name(link.attrs["download"]).removesuffix(".csv") if link else _slug(title)
    rows = tuple(tuple(cell.words() for cell in row) for row in body)
    return Listed(name, title, head, rows, right, note.words() if note else "", content or b"")


def _facts(node: Node) -> Listed:
    """Terms and what is said of them, as a table of two columns."""
    terms, told = ([one.words() for one in node.find(tag)] for tag in ("dt", "dd"))
    return Listed("how-it-was-made", "", (), tuple(zip(terms, told, strict=False)), (False, False))


def _content(link: Node) -> bytes | None:
    """What a link carries inside it; None for a link that leads elsewhere."""
    head, comma, body = link.attrs.get("href", "").partition(",")
    if not (comma and head.startswith("data:")):
        return None
    if not head.endswith(";base64"):
        return unquote_to_bytes(body)
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        return None


def _name(name: str) -> str:
    """A file name from a page: no folder, no odd letter, none that hides."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).lstrip(".-") or "file"


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:60].strip("-") or "table"
