"""What a page owes those who read it, asked of a browser: each function gives the faults it sees, in words.

Most of the asking is done inside the page, by `looks.js`; axe-core says what it knows of accessibility, and the printed
page is read from the PDF's own structure, which knows on which sheet each figure and each row of a table lies.
"""

from __future__ import annotations

import importlib.util
import io
import itertools
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from browser import Tab

HOME = Path(__file__).parent
MOST_STOPS = 1500  # of the Tab key on one page
HEADINGS = ("/H1", "/H2", "/H3", "/H4")
LEFT_OUT = "tbody tr:nth-child(n+5), article:nth-of-type(n+3), li:nth-child(n+7), dl > :nth-child(n+9), svg[role=img] > :not(title)"


@cache
def ours() -> str:
    return (HOME / "looks.js").read_text(encoding="utf-8")


@cache
def axe() -> str | None:
    """The text of axe-core, where tests/axe.txt has been installed."""
    found = importlib.util.find_spec("axe_playwright_python")
    places = found.submodule_search_locations if found else None
    return (Path(next(iter(places))) / "axe.min.js").read_text(encoding="utf-8") if places else None


def ask(tab: Tab, question: str) -> Any:
    """The answer to one question of looks.js in the page as it is now."""
    if not tab.js("!!window.looks"):
        tab.js(ours())
    return tab.js(f"looks.{question}")


def accessibility(tab: Tab, *rules: str) -> list[str]:
    """What axe-core finds fault with, by all its rules or only these.

    Taken off the page before, for axe is slow: the ends of long tables and lists, and what is inside a picture, which it
    does not look into.
    """
    if not tab.js("!!window.axe"):
        tab.js(f"{axe()};0")
    tab.js(f"document.querySelectorAll({json.dumps(LEFT_OUT)}).forEach(e => e.remove())")
    only = f"runOnly: {list(rules)}," if rules else ""
    found = tab.js(
        f"axe.run(document, {{{only} resultTypes: ['violations']}}).then(said => said.violations.flatMap(rule => "
        "rule.nodes.map(node => [node.impact || rule.impact, rule.id, rule.help, node.target.flat().join(' '), node.html.slice(0, 120)])))"
    )
    return [" | ".join(told) for told in found]


def walk(tab: Tab) -> Iterator[dict[str, Any]]:
    """What has the focus after each press of Tab, until it has left the page or begins again at its top."""
    before = None
    for _ in range(MOST_STOPS):
        tab.press("Tab")
        at = ask(tab, "focused()")
        if at is None or (at["stop"] == 0 and before not in (None, at)):
            return
        yield at
        if at == before:
            return
        before = at


def keys(tab: Tab) -> list[str]:
    """Whether Tab comes to everything in the order of the page, visibly, and out of it again."""
    wanted = ask(tab, "stops()")
    found = list(walk(tab))
    faults = [fault for at in found for fault in at["faults"]]
    if len(found) > 1 and found[-1] == found[-2]:
        faults.append(f"a trap: Tab does not lead on from {found[-1]['name']}")
    order = [at["stop"] for at in found if at["stop"] >= 0]
    faults += [f"{wanted[stop]}: Tab does not come to it" for stop in sorted(set(range(len(wanted))) - set(order))]
    return faults + [
        f"{wanted[after]}: comes after {wanted[before]}, which stands behind it"
        for before, after in itertools.pairwise(order)
        if after <= before
    ]


def skips(tab: Tab) -> list[str]:
    """Whether the first press of Tab offers a way past what stands at the top, and Enter takes it."""
    tab.press("Tab")
    first = ask(tab, "focused()")
    leads = tab.js("(document.activeElement.getAttribute('href') || '').replace(/^#/, '')")
    if first is None or not leads:
        return [f"the first stop, {first and first['name']}, is no link within the page"]
    tab.press("Enter")
    tab.press("Tab")
    stops = "a[href], summary, button, input, [tabindex]"  # where there is none, the focus has nothing to go to
    inside = tab.js(
        f"(goal => !!goal && (goal.contains(document.activeElement) || !goal.querySelector({stops!r})))"
        f"(document.getElementById({leads!r}))"
    )
    return first["faults"] + ([] if inside else [f"{first['name']} does not lead into #{leads}"])


def folds(tab: Tab) -> list[str]:
    """Whether each folded part opens and closes by Enter and by the space bar."""
    faults = []
    count = tab.js("document.querySelectorAll('details').length")
    for place in range(count):
        part = f"document.querySelectorAll('details')[{place}]"
        seen = tab.js(f"(e => {{ e.querySelector('summary').focus(); return e.open; }})({part})")
        if not tab.js(f"{part}.contains(document.activeElement)"):
            continue  # inside another that is folded
        told = []
        for key in ("Enter", " "):
            tab.press(key)
            told.append(tab.js(f"{part}.open"))
        if told != [not seen, seen]:
            faults.append(f"{tab.js(part + '.textContent.trim().slice(0, 40)')}: neither Enter nor space opens it")
    return faults


def switches(tab: Tab) -> list[str]:
    """Whether the space bar turns every box on and off, and an arrow leads through each set of choices."""
    faults = []
    ask(tab, "stops()")
    boxes = "[...document.querySelectorAll('input[type=checkbox]')].filter(e => e.checkVisibility())"
    for place in range(tab.js(f"{boxes}.length")):
        before = tab.js(f"(e => {{ e.focus(); return e.checked; }})({boxes}[{place}])")
        tab.press(" ")
        if tab.js("document.activeElement.checked") == before:
            faults.append(f"{tab.js(f'looks.name({boxes}[{place}])')}: the space bar does not turn it")
        tab.press(" ")
    sets = "[...new Set([...document.querySelectorAll('input[type=radio]')].filter(e => e.checkVisibility()).map(e => e.name))]"
    for name in tab.js(sets):
        those = f"[...document.getElementsByName({json.dumps(name)})]"
        before = tab.js(f"{those}.findIndex(e => e.checked)")
        tab.js(f"{those}[{max(before, 0)}].focus()")
        tab.press("ArrowDown")
        if tab.js(f"{those}.findIndex(e => e.checked)") == before:
            faults.append(f"the choices named {name}: no arrow key leads from one to the next")
        tab.js(f"{those}.forEach((e, place) => {{ e.checked = place === {before}; }})")
    return faults


def choices(tab: Tab) -> list[str]:
    """Whether the page stays readable, whole and light on paper with another choice made in each set."""
    every = "[...document.querySelectorAll('input[type=checkbox], input[type=radio]')]"
    faults: list[str] = []
    before = tab.js(f"{every}.map(e => e.checked)")
    names = tab.js(f"{every}.map((e, place) => e.type === 'radio' ? e.name : String(place))")
    others = {name: place for place, (name, chosen) in enumerate(zip(names, before, strict=True)) if not chosen}
    for place in others.values():  # the last of each set, which is dark where light and dark are to be had
        tab.js(f"{every}[{place}].click()")
        told = tab.js(f"(e => 'with ' + (e.id ? '#' + e.id : looks.name(e)) + ': ')({every}[{place}])")
        found = [*ask(tab, "contrast()"), *ask(tab, "room()")]
        tab.media(printed=True)
        found += [f"on paper: {fault}" for fault in [*ask(tab, "paper()"), *ask(tab, "contrast()")]]
        tab.media()
        faults += [told + fault for fault in found]
        tab.js(f"{json.dumps(before)}.forEach((was, place) => {{ {every}[place].checked = was; }})")
    return faults


def leaves(tab: Tab) -> list[str]:
    """What the page asked for beside itself."""
    return [f"asks for {address}" for address in tab.requests()[1:]]


def printed(tab: Tab, most: int = 15) -> list[str]:
    """What is wrong with the page on paper: cut figures and rows, what is beyond the edge, dark ink, too many sheets."""
    from pypdf import PdfReader

    read = []
    for dark in (False, True):
        tab.media(dark=dark)
        read.append(PdfReader(io.BytesIO(tab.pdf())))
    light, dark = read
    faults = [] if ink(light) == ink(dark) else ["dark mode comes out of the printer in other colours"]
    faults += [f"{len(light.pages)} sheets of paper"] if len(light.pages) > most else []
    tab.media(dark=True, printed=True)
    tab.size(ask(tab, "sheet()"))
    faults += [f"on paper: {fault}" for fault in ask(tab, "paper()")]
    if tab.js("!!document.querySelector('details:not([open])')"):
        ask(tab, "unfold()")
        tab.media()
        light = PdfReader(io.BytesIO(tab.pdf()))
        tab.media(dark=True, printed=True)
    faults += [f"on paper: {fault}" for fault in [*ask(tab, "room()"), *ask(tab, "contrast()")]]
    tab.media()
    return faults + cut(light)


def ink(read: Any) -> list[bytes]:
    """All that is drawn on each sheet."""
    return [sheet.get_contents().get_data() for sheet in read.pages]


def cut(read: Any) -> list[str]:
    """What the structure of the document finds on more than one sheet: figures, rows, headings without what they head."""
    numbers = {sheet.indirect_reference.idnum: place for place, sheet in enumerate(read.pages, 1)}
    faults: list[str] = []
    alone: list[int] = []  # the sheet of the last heading, until something follows it

    def leaf(sheet: int) -> set[int]:
        faults.extend(f"a heading stands alone at the foot of sheet {last}" for last in alone if last < sheet)
        alone.clear()
        return {sheet}

    def places(node: Any, sheet: int) -> set[int]:
        node = node.get_object() if hasattr(node, "get_object") else node
        if isinstance(node, int):
            return leaf(sheet)
        if isinstance(node, list):
            return set().union(*(places(one, sheet) for one in node))
        if "/Pg" in node:
            sheet = numbers.get(node.raw_get("/Pg").idnum, sheet)
        found = leaf(sheet) if node.get("/Type") == "/MCR" else places(node.get("/K", []), sheet)
        if len(found) > 1 and (what := whole(node)):
            faults.append(f"{what} is cut between sheets {sorted(found)}")
        if found and str(node.get("/S")) in HEADINGS:
            alone[:] = [max(found)]
        return found

    places(read.trailer["/Root"]["/StructTreeRoot"], 0)
    return faults


def whole(node: Any) -> str:
    """What this part of a document is, where it has to stay in one piece: a drawing, a heading, a row that is no head."""
    kind = node.get("/S")
    if kind == "/Figure" and node.get("/Alt"):
        return f"the figure “{str(node['/Alt'])[:60]}”"
    if str(kind) in HEADINGS:
        return "a heading"
    if kind != "/TR":
        return ""
    cells = node.get("/K", [])
    cells = [cell.get_object() for cell in (cells if isinstance(cells, list) else [cells])]
    kinds = [cell.get("/S") for cell in cells if isinstance(cell, dict)]
    return "" if kinds.count("/TH") > len(kinds) / 2 else "a row of a table"  # heads stand on each sheet again
