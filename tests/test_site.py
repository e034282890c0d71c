"""The index over the reports: every good report once, every failed one with its reason, nothing half written."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from researchkit import glossary
from researchkit.site import failed_page, write_index

NASTY = "<script>alert(1)</script>\"'&"


def put(out, question="retention", by=None, study="centre", **more):
    effect = {
        "estimate": 0.031,
        "low": 0.023,
        "high": 0.039,
        "unit": "probability",
        "contrast": "compassion +1 point",
        "n": 20000,
        "clusters": 300,
    }
    told = {
        "study": study,
        "study_title": "Contact centre",
        "question": question,
        "by": by,
        "title": f"Does {question} rise?",
        "claim": "LOY-1",
        "family": "loyalty",
        "design": "observational",
        "simulated": True,
        "smallest_effect": 0.02,
        "good": "high",
        "effect": effect | more.pop("effect", {}),
        "verdict": {
            "word": "supported",
            "marks": ["observational: went with", "few clusters: 12"],
            "sentence": "",
            "reasons": [],
        },
    }
    folder = out / study / question / (by or "")
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(json.dumps(told | more), encoding="utf-8")
    (folder / "report.html").write_text("page", encoding="utf-8")
    return folder


def ran(out, *reports):
    (out / "run.json").write_text(json.dumps({"schema": 1, "reports": list(reports)}), encoding="utf-8")


def links(page):
    return re.findall(r'<a href="([^"#]+)"', page.read_text(encoding="utf-8"))


def rows(page):
    return re.findall(r'<tr role="row" class="(?!parts)[^"]*">.*?</tr>', page.read_text(encoding="utf-8"), re.S)


def words(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def section(page, name):
    """The part of a page that a heading names."""
    found = re.search(rf'<section [^>]*aria-labelledby="{name}">.*?(?=<section|<footer)', page.read_text("utf-8"), re.S)
    return found[0] if found else ""


def test_every_report_is_listed_once_and_its_link_leads_to_it(tmp_path):
    put(tmp_path)
    put(tmp_path, by="site=North & Süd")
    put(tmp_path, "burned", study="ward", family="burnout")
    index = write_index(tmp_path)
    assert index == tmp_path / "index.html"
    pages = ((index, 3, 2), (tmp_path / "centre" / "index.html", 2, 1), (tmp_path / "ward" / "index.html", 1, 1))
    for page, reports, questions in pages:
        targets = [page.parent / unquote(link) for link in links(page)]
        assert all(target.is_file() for target in targets)
        tables = "".join(re.findall(r'<table role="table" class="asked".*?</table>', page.read_text("utf-8"), re.S))
        assert tables.count("report.html") == reports and len(rows(page)) == questions


def test_a_row_tells_verdict_number_people_and_origin(tmp_path):
    put(tmp_path)
    (row,) = rows(write_index(tmp_path))
    told = words(row)
    for wanted in (
        "Supported",
        "+3.1 percentage points",
        "2.3 to 3.9",
        "20,000 in 300 clusters",
        "few clusters",
    ):
        assert wanted in told
    assert '<svg class="mini"' in row and told.count("observational") == 1 and 'href="claims/LOY-1.html"' in row
    assert "more is better" in words(rows(tmp_path / "centre" / "index.html")[0])


@pytest.mark.parametrize(("simulated", "tag"), [(True, "simulated"), (False, "real data")])
def test_real_and_simulated_data_are_told_apart(tmp_path, simulated, tag):
    put(tmp_path, simulated=simulated)
    page = write_index(tmp_path)
    assert f'</a> <span class="tag">{tag}</span></h3>' in page.read_text(encoding="utf-8")
    assert ("no person stands behind" in (tmp_path / "centre" / "index.html").read_text("utf-8")) == simulated


def test_each_door_counts_its_questions_by_group_of_claims_real_data_apart(tmp_path):
    put(tmp_path, simulated=False)
    put(tmp_path, "again", simulated=True)
    put(tmp_path, "trust", claim="MEC-1", verdict={"word": "contradicted", "marks": []})
    put(tmp_path, "pain", family="recovery", claim="REC-1", verdict={"word": "cannot tell", "marks": []})
    put(tmp_path, "pain", by="site=A", family="recovery", claim="REC-1")
    put(tmp_path, "odd", family="odd", claim="none")
    page = write_index(tmp_path)
    loyalty, recovery, burnout, others = (words(section(page, f"door-{n}")) for n in range(1, 5))
    assert re.search("Loyalty real data 1 supported Loyalty simulated 1 supported", loyalty), "never counted together"
    assert "Mechanisms simulated 1 contradicted" in loyalty and "3 questions" in loyalty
    assert "Recovery 1 cannot tell" in recovery, "groups are not counted again"
    assert "No report yet." in burnout and "No claim of the ledger 1 supported" in others


def test_a_question_asked_of_groups_alone_is_counted_as_such(tmp_path):
    put(tmp_path, by="site=A")
    page = write_index(tmp_path)
    assert "Loyalty 1 by groups only" in words(section(page, "door-1"))
    assert "Asked by groups only" in rows(page)[0]


def test_a_stopped_report_is_listed_with_its_reason_and_never_with_an_older_result(tmp_path):
    put(tmp_path)
    stopped = {
        "study": "centre",
        "question": "retention",
        "by": None,
        "status": "stopped",
        "reason": "row 7: <b>bad</b>",
        "page": "centre/retention/report.html",
    }
    ran(
        tmp_path, stopped, {"study": "centre", "question": "fine", "by": None, "status": "ok", "reason": "", "page": ""}
    )
    page = write_index(tmp_path)
    (row,) = rows(page)
    assert "Stopped" in words(row) and "percentage points" not in words(row)
    text = page.read_text(encoding="utf-8")
    assert "row 7: &lt;b&gt;bad&lt;/b&gt;" in text and "centre / fine" not in text
    assert "centre/retention/report.html" in links(page)


def test_numbers_that_disclosure_hides_are_not_shown(tmp_path):
    put(tmp_path, effect={"estimate": None, "low": None, "high": None, "n": None})
    (row,) = rows(write_index(tmp_path))
    assert "not shown" in row and "<svg" not in row and re.search(r'data-name="n">\s*</td>', row)
    page = (tmp_path / "centre" / "index.html").read_text(encoding="utf-8")
    assert words(page).count("not shown") >= 4


@pytest.mark.parametrize("broken", ["{", "[]", "null", '{"study": 1}', "\x00"])
def test_a_result_that_cannot_be_read_is_named_and_stops_nothing(tmp_path, broken):
    put(tmp_path)
    (put(tmp_path, "other") / "result.json").write_text(broken, encoding="utf-8")
    page = write_index(tmp_path)
    assert len(rows(page)) == 2 and "Unreadable" in words(rows(page)[1])
    assert "result.json cannot be read" in page.read_text(encoding="utf-8")


def test_an_empty_folder_and_a_broken_run_file_still_give_an_index(tmp_path):
    (tmp_path / "run.json").write_text("{", encoding="utf-8")
    assert "0 reports from 0 studies" in write_index(tmp_path).read_text(encoding="utf-8")


def hostile(out):
    names = {"study_title": NASTY, "title": NASTY, "claim": NASTY, "family": NASTY, "design": NASTY, "by": NASTY}
    put(
        out,
        effect={"unit": NASTY, "contrast": NASTY},
        verdict={"word": NASTY, "marks": [NASTY]},
        **{k: v for k, v in names.items() if k != "by"},
    )
    ran(out, dict.fromkeys(("study", "question", "by", "status", "reason", "page"), NASTY))


def test_nothing_from_a_result_becomes_html(tmp_path):
    hostile(tmp_path)
    tags = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.append(tag)
            assert not [name for name, _ in attrs if name.startswith("on")]

    Tags().feed(write_index(tmp_path).read_text(encoding="utf-8"))
    Tags().feed(failed_page(NASTY, NASTY, [NASTY]))
    assert tags.count("script") == 2, "the search and its index"
    assert tags.count("h1") == 2


def test_pages_are_moved_into_place_and_leave_nothing_beside_them(tmp_path):
    put(tmp_path)
    write_index(tmp_path)
    first = (tmp_path / "index.html").read_bytes()
    write_index(tmp_path)
    assert (tmp_path / "index.html").read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("calibration.html", "centre", "claims", "glossary.html", "index.html", "ledger.csv", "ledger.html")
    ]
    assert (tmp_path / "index.html").stat().st_mode & 0o044 == 0o044


def test_a_failed_page_says_what_failed():
    page = failed_page("Do customers stay?", "x.csv has 2 problems:\n  1. a", ["Contact centre", ""])
    assert "Do customers stay?" in page and "x.csv has 2 problems:\n  1. a" in page
    assert page.count("<li>") == 1 and page.count("<h1>") == 1


def test_words_of_groups_are_not_to_be_compared(tmp_path):
    put(tmp_path)
    warning = "does not show that they differ"
    assert warning not in write_index(tmp_path).read_text(encoding="utf-8")
    put(tmp_path, by="site=North")
    assert warning in write_index(tmp_path).read_text(encoding="utf-8")


def test_a_door_behind_which_all_data_are_simulated_says_so(tmp_path):
    put(tmp_path, simulated=True)
    told = words(section(write_index(tmp_path), "door-1"))
    assert "Do people come back? simulated Loyalty 1 supported" in told


# The search


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
browser = pytest.mark.skipif(not CHROMIUM, reason="no Chromium here: what the search does is not tried")


def shown(page, tmp_path, script=""):
    """The page as Chromium holds it after its scripts and one more have run."""
    text = page.read_text(encoding="utf-8")
    aside = page.with_name("tried.html")
    aside.write_text(text.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    quiet = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    words = [CHROMIUM, *quiet.split(), f"--user-data-dir={tmp_path / 'browser'}", "--virtual-time-budget=2000"]
    done = subprocess.run([*words, "--dump-dom", aside.as_uri()], capture_output=True, text=True, timeout=120)
    aside.unlink()
    return done.stdout


def without_policy(page):
    """The same page with any script allowed, so that a test can type."""
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text(encoding="utf-8"))
    page.write_text(text, encoding="utf-8")
    return page


TYPED = """
const box = document.getElementById("find-box"), key = (name) =>
  document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
box.focus();
box.value = %s;
box.dispatchEvent(new Event("input"));
key("ArrowDown");
document.activeElement.setAttribute("data-at", "1");
key("ArrowDown");
document.activeElement.setAttribute("data-at", "2");
key("ArrowUp");
key("ArrowUp");
document.activeElement.setAttribute("data-at", "box");
"""


@browser
def test_the_search_finds_questions_claims_and_words_and_walks_by_keyboard(tmp_path):
    put(tmp_path, title="Bleiben Kunden, die Mitgefühl treffen?")
    page = without_policy(write_index(tmp_path))
    held = shown(page, tmp_path, TYPED % '"MITGEFUHL"')
    found = re.search(r'<ol id="find-list">.*?</ol>', held, re.S)[0]
    assert found.count("<li>") == 1 and 'href="centre/retention/report.html"' in found, "without its accent, too"
    held = shown(page, tmp_path, TYPED % '"odds"')
    found = re.search(r'<ol id="find-list">.*?</ol>', held, re.S)[0]
    first = re.search(r"<li>.*?</li>", found)[0]
    assert 'href="glossary.html#w-odds-ratio"' in first and ">Word<" in first
    assert 'data-at="1"' in first and 'data-at="2"' in found.replace(first, "") and held.count('data-at="box"') == 1
    assert f"{found.count('<li>')} found.</p>" in held, "what was found is announced"
    held = shown(page, tmp_path, TYPED % '"zzzzqqq"')
    assert ">Nothing found.</p>" in held and '<ol id="find-list"></ol>' in held


@browser
def test_only_the_script_of_the_search_may_run(tmp_path):
    put(tmp_path)
    held = shown(write_index(tmp_path), tmp_path, 'document.body.id = "strange"')
    assert '<div id="find-in">' in held, "ours did run: the box is shown"
    assert 'id="strange"' not in held, "another did not"


def test_without_scripts_the_box_is_hidden_and_the_lists_are_named(tmp_path):
    put(tmp_path)
    page = write_index(tmp_path).read_text(encoding="utf-8")
    assert '<div id="find-in" hidden>' in page
    told = words(re.search(r"<noscript>.*?</noscript>", page, re.S)[0])
    assert "needs a script" in told and "ledger" in told and "glossary" in told


@pytest.mark.parametrize(
    "nasty", ["</script><script>alert(1)</script>", "<!--<script>", "]]>", "\u2028", "&lt;/script&gt;"]
)
def test_no_title_ends_the_index_of_the_search(tmp_path, nasty):
    put(tmp_path, title=nasty, study_title=nasty)
    page = write_index(tmp_path).read_text(encoding="utf-8")
    held = re.search(r'<script type="application/json" id="find-data">(.*?)</script>', page, re.S)[1]
    assert not set("<>&\u2028\u2029") & set(held)
    assert ["Question", nasty, "centre/retention/report.html"] in [one[:3] for one in json.loads(held)]


def test_the_index_of_the_search_holds_all_there_is_to_find(tmp_path):
    put(tmp_path)
    put(tmp_path, by="site=A")
    gone = {"study": "centre", "question": "trust", "by": None, "status": "stopped", "reason": "row 7", "page": ""}
    ran(tmp_path, gone)
    page = write_index(tmp_path).read_text(encoding="utf-8")
    held = json.loads(re.search(r'id="find-data">(.*?)</script>', page, re.S)[1])
    kinds = Counter(kind for kind, *_ in held)
    assert kinds == {"Study": 1, "Question": 1, "Report": 1, "Claim": 48, "Word": len(glossary.terms())}
    assert "row 7" not in page[page.index("find-data") :], "why a report was not made is no word to find it by"
