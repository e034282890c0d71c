"""Every link of a made site leads somewhere, wherever the folder lies; nothing leads to what should not travel."""

from __future__ import annotations

import json
import posixpath
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import pytest
from nbformat import v4

from researchkit import batch, hands
from researchkit.export import export
from researchkit.places import folder_name
from researchkit.report import write_failure, write_report
from researchkit.site import write_index

OUTSIDE = "https://doi.org/"  # where a published number was printed
CARRIED = ("data:",)
SITES = ("North & Süd", "Ost/2", 'W"est<')


class Page(HTMLParser):
    """The links, sources and names of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.ids, self.loads = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            elif name in ("href", "xlink:href"):
                (self.links if tag in ("a", "use") else self.loads).append(value)
            elif name in ("src", "srcset", "action", "poster", "data", "formaction", "background", "ping"):
                self.loads.append(value)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A reports folder with a report of each family, groups, one that failed, one held back, and one never begun."""
    from answers import execute

    from researchkit import report

    patch = pytest.MonkeyPatch()
    patch.setattr(report, "execute", execute)
    patch.setenv("RESEARCHKIT_FORK", "0")
    place = tmp_path_factory.mktemp("made")
    out, study = place / "reports", clinic(place / "clinic & co")
    try:
        told = [write_report(study, id, out=out) for id in ("stayed", "pain", "worn", "flat")]
    finally:
        patch.undo()
    assert [one.status for one in told] == ["ok", "ok", "ok", "stopped"]
    whole = json.loads((told[0].folder / "result.json").read_text(encoding="utf-8"))
    for number, site in enumerate(SITES):
        group(told[0].folder, whole, site, number)
    told.append(write_failure(out, "clinic & co", "gone", None, "The file is not there.", "stopped"))
    told.append(write_failure(out, "clinic & co", "pain", "site=Ost/2", "Fewer than 5 people.", "too few"))
    held = SimpleNamespace(
        **{**vars(told[1]), "status": "held back", "reason": "Held back: beside what was published."}
    )
    batch.record(told[2:], out)
    entries = json.loads((out / "run.json").read_text(encoding="utf-8"))
    page = held.page if hasattr(held, "page") else held.folder / "report.html"
    names = {"study": held.study, "question": held.question, "by": None, "status": held.status, "reason": held.reason}
    entries["reports"].append({**names, "page": page.relative_to(out).as_posix(), "claim": "REC-1", "asked": "Pain?"})
    (out / "run.json").write_text(json.dumps(entries), encoding="utf-8")
    write_index(out)
    return out


def clinic(folder):
    folder.mkdir()
    rows = [(kind, score, score > kind + 5, 1) for kind in (1, 2, 3, 4) for score in range(kind, kind + 14)]
    lines = "\n".join(",".join(str(int(cell)) for cell in row) for row in rows)
    (folder / "visits.csv").write_text(f"compassion,score,stayed,flat\n{lines}\n", encoding="utf-8")
    score = "kind: score, unit: point"
    (folder / "study.yml").write_text(
        "title: A <clinic>\ndescription: Made up & small.\nseed: 1\nfiles: visits.csv\ndesign: observational\nquestions:\n"
        "  - {id: stayed, title: 'Do they stay?', claim: LOY-1, family: loyalty, exposure: compassion,"
        " outcome: {column: stayed, kind: yes_no, yes: 1, good: high}, smallest_effect: 0.1}\n"
        "  - {id: pain, title: 'Less pain?', claim: REC-1, family: recovery, exposure: compassion,"
        f" outcome: {{column: score, {score}}}, smallest_effect: 0.1}}\n"
        "  - {id: worn, title: 'Less worn out?', claim: BUR-1, family: burnout, exposure: compassion,"
        f" outcome: {{column: score, {score}}}, smallest_effect: 0.1}}\n"
        "  - {id: flat, title: 'No difference at all?', claim: BUR-2, family: burnout, exposure: compassion,"
        f" outcome: {{column: flat, {score}}}, smallest_effect: 0.1}}\n",
        encoding="utf-8",
    )
    return folder


def group(folder, whole, site, number):
    """A report of one site, its page written as the report of a site is."""
    place = folder / folder_name(f"site={site}")
    place.mkdir()
    effect = whole["effect"] | {"estimate": 0.1 + number / 10, "low": 0.0, "high": 0.3, "se": 0.05}
    told = whole | {"by": f"site={site}", "effect": effect}
    (place / "result.json").write_text(json.dumps(told), encoding="utf-8")
    plain = v4.new_notebook(cells=[v4.new_markdown_cell("# Do they stay?\n\nRead the interval.")])
    (place / "report.html").write_text(export(plain, told, beside="result.json", home="../../../"), encoding="utf-8")


def pages(out):
    """Every page by its place in the folder."""
    found = sorted(out.rglob("*.html"))
    return {path.relative_to(out).as_posix(): Page(path.read_text(encoding="utf-8")) for path in found}


@pytest.fixture(scope="module")
def held(made):
    return pages(made)


def wrong(out, held):
    """Every link of the site that does not lead to something there, with the reason."""
    links = {(place, link) for place, page in held.items() for link in page.links}
    return sorted(f"{place} -> {link}: {why}" for place, link in links if (why := dead(link, place, out, held)))


def target_of(link, place):
    """Where a link leads, as a place in the folder."""
    path = unquote(urlsplit(link).path)
    return posixpath.normpath(posixpath.join(posixpath.dirname(place), path)) if path else place


def dead(link, place, out, held):
    if link.startswith((OUTSIDE, *CARRIED)):
        return ""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc or parts.path.startswith("/"):
        return "absolute"
    target = target_of(link, place)
    if target.startswith("..") or not (out / target).is_file():
        return "nothing there"
    if target.endswith(".ipynb") or any(part.startswith(".") for part in target.split("/")):
        return "not to be shared"
    ids = held[target].ids if target in held else []
    return "no such place" if parts.fragment and unquote(parts.fragment) not in ids else ""


def test_every_link_leads_somewhere_also_after_the_folder_has_moved(made, held, tmp_path):
    assert len(held) > 60 and sum(len(page.links) for page in held.values()) > 1000, "there is something to walk"
    assert wrong(made, held) == []
    moved = tmp_path / "else where & so on"
    shutil.copytree(made, moved)
    assert wrong(moved, pages(moved)) == []


def test_what_is_shared_is_whole_and_holds_nothing_else(made, held, tmp_path):
    (made / "clinic & co" / "stayed" / "notes of mine.docx").write_text("x", encoding="utf-8")
    for folder in (".internal", ".locks"):
        (made / folder).mkdir(exist_ok=True)
        (made / folder / "result.json").write_text("{}", encoding="utf-8")
    (made / "aside.html").symlink_to(made.parent / "clinic & co" / "study.yml")
    try:
        shared = hands.share(made, tmp_path / "for the board")
    finally:
        (made / "aside.html").unlink()
    assert {Path(name).suffix for name in shared.files} == {".html", ".csv", ".json"}
    assert {Path(name).name for name in shared.files if name.endswith(".json")} == {"result.json"}
    assert not [name for name in shared.files if name.startswith(".") or name == "aside.html"]
    there = pages(shared.folder)
    assert there.keys() == held.keys() and wrong(shared.folder, there) == []
    assert all((shared.folder / name).read_bytes() == (made / name).read_bytes() for name in shared.files)


@pytest.mark.parametrize(
    ("link", "why"),
    [
        ("nothing.html", "nothing there"),
        ("/index.html", "absolute"),
        ("file:///index.html", "absolute"),
        ("https://example.org/", "absolute"),
        ("glossary.html#w-nothing", "no such place"),
        ("#nothing", "no such place"),
        ("../outside.html", "nothing there"),
        ("clinic%20%26%20co/stayed/notebook.ipynb", "not to be shared"),
        (".locks/any.lock", "not to be shared"),
        ("glossary.html#w-interval", ""),
    ],
)
def test_the_walk_sees_what_is_wrong(made, held, link, why):
    (made.parent / "outside.html").write_text("", encoding="utf-8")
    (made / ".locks" / "any.lock").write_text("", encoding="utf-8")
    assert dead(link, "ledger.html", made, held) == why


def test_every_page_can_be_reached_from_the_front_page(held):
    seen, due = set(), {"index.html"}
    while due:
        place = due.pop()
        seen.add(place)
        due |= {target_of(link, place) for link in held[place].links} & held.keys() - seen
    assert held.keys() - seen == set()


def test_nothing_is_loaded_and_no_name_stands_twice(held):
    for path, page in held.items():
        assert [one for one in page.loads if not one.startswith(CARRIED)] == [], path
        assert len(page.ids) == len(set(page.ids)), path


def test_every_page_leads_back_and_has_one_heading_and_its_landmarks(made, held):
    for path in held:
        text = (made / path).read_text(encoding="utf-8")
        home = "../" * path.count("/")
        assert f'<a href="{home}index.html"' in text, path
        assert (text.count("<h1"), text.count("<main "), text.count("<header")) == (1, 1, 1), path
        assert 'class="skip" href="#main"' in text and 'name="look"' in text, path


def test_a_report_leads_to_its_claim_and_study_and_says_what_its_words_mean(made):
    text = (made / "clinic & co" / "stayed" / "report.html").read_text(encoding="utf-8")
    assert '<a href="../../claims/LOY-1.html">' in text and '<a href="../../clinic%20%26%20co/index.html">' in text
    words = re.findall(r'<a class="term" href="#(w-[\w-]+)">', text)
    assert words and set(words) == set(re.findall(r'<div id="(w-[\w-]+)">', text))
    body = text[: text.index('id="words"')]
    for inside in re.findall(r"<(?:table|svg|h[1-6]|pre|code)\b.*?</(?:table|svg|h[1-6]|pre|code)>", body, re.S):
        assert 'class="term"' not in inside


def test_a_study_page_tells_what_it_is_its_data_and_its_plan(made):
    text = re.sub(r"<[^>]+>", " ", (made / "clinic & co" / "index.html").read_text(encoding="utf-8"))
    for wanted in ("A &lt;clinic&gt;", "Made up &amp; small.", "sha256:", "No  locked plan  stands", "0.1 points"):
        assert wanted in re.sub(r"[ \n]+", " ", text).replace(" locked plan ", "  locked plan  "), wanted
