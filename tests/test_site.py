"""The index over the reports: every good report once, every failed one with its reason, nothing half written."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections import Counter
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from researchkit import evidence, glossary
from researchkit.claims import articles, claims
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


def words(text):
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


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
        "Does retention rise?",
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
    held = shown(page, tmp_path, TYPED % '"loyalty supported"')
    assert re.search(r'<ol id="find-list"><li><span class="tag">Question</span> <a href="centre', held), (
        "by door and word"
    )
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
    ran(tmp_path, gone, {**gone, "by": "site=B"})
    page = write_index(tmp_path).read_text(encoding="utf-8")
    held = json.loads(re.search(r'id="find-data">(.*?)</script>', page, re.S)[1])
    kinds = Counter(kind for kind, *_ in held)
    assert kinds == {"Study": 1, "Question": 1, "Report": 1, "Claim": 48, "Word": len(glossary.terms())}
    assert "row 7" not in page[page.index("find-data") :], "why a report was not made is no word to find it by"


# What is told where, and what is left alone


def texts(out):
    return {path.relative_to(out).as_posix(): path.read_text(encoding="utf-8") for path in sorted(out.rglob("*.html"))}


def stamps(out):
    return {path.relative_to(out).as_posix(): path.stat().st_ino for path in sorted(out.rglob("*.html"))}


def test_what_says_the_same_is_left_and_what_changed_is_made_anew(tmp_path):
    folder = put(tmp_path)
    put(tmp_path, "pain", study="ward", claim="REC-1", family="recovery")
    write_index(tmp_path)
    first = stamps(tmp_path)
    write_index(tmp_path)
    assert stamps(tmp_path) == first
    told = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    told["verdict"]["word"] = "contradicted"
    (folder / "result.json").write_text(json.dumps(told), encoding="utf-8")
    write_index(tmp_path)
    now = stamps(tmp_path)
    changed = {"index.html", "ledger.html", "centre/index.html", "claims/LOY-1.html"}
    assert {name for name in now if now[name] != first[name]} == changed


def test_each_of_the_48_claims_has_a_page_with_its_article_and_what_it_would_take(tmp_path):
    write_index(tmp_path)
    for one in claims():
        told = words(html.unescape((tmp_path / "claims" / f"{one.id}.html").read_text(encoding="utf-8")))
        assert one.statement in told and one.needs.least in told and one.needs.exposure in told, one.id
        assert all(article.title in told for article in articles() if article.key in one.articles), one.id
        assert all(rival.what[1:] in told for rival in one.rivals), one.id
        others = len(evidence.published(one.id))
        assert told.count("No published result on this claim") == (others == 0), one.id


def test_a_claims_page_lays_ours_beside_the_published_and_says_what_each_rival_met(tmp_path):
    rivals = [{"what": "a", "word": "faced", "by": "Severity"}, {"what": "b", "word": "open", "by": "lots"}]
    put(tmp_path, rivals=rivals, simulated=False)
    put(tmp_path, "again", verdict={"word": "cannot tell", "marks": []})
    put(tmp_path, by="site=A")
    write_index(tmp_path)
    page = tmp_path / "claims" / "LOY-1.html"
    told = words(section(page, "came"))
    assert "In real data: 1 supported. In simulated data: 1 cannot tell." in told and "By groups: 1 supported" in told
    table = section(page, "published")
    first = words(re.search(r"<tbody><tr>.*?</tr>", table, re.S)[0])
    assert first.startswith("Here: Contact centre (n = 20,000), real data") and "+3.1 percentage points" in first
    assert table.count('<th scope="row">') == 2 + len(evidence.published("LOY-1"))
    first, second, *_ = re.split(r"(?=<li><b>)", section(page, "rivals"))[1:]
    assert "Severity" in first and "lots" not in first and "lots" in second
    told = words(section(page, "rivals"))
    assert "faced in Does retention rise? (Contact centre): Severity" in told and "open in" in told
    assert "it takes lots" in told


def test_a_claim_on_which_a_report_failed_says_why(tmp_path):
    held = {"study": "centre", "question": "trust", "by": None, "status": "held back", "reason": "row 7: <b>few</b>"}
    ran(tmp_path, {**held, "page": "", "claim": "MEC-1", "asked": "Is there more trust?"})
    write_index(tmp_path)
    told = section(tmp_path / "claims" / "MEC-1.html", "came")
    assert "Without an answer: 1 held back." in words(told) and "row 7: &lt;b&gt;few&lt;/b&gt;" in told


def test_what_disclosure_hides_is_on_no_page(tmp_path):
    hidden = {"estimate": None, "low": None, "high": None, "n": None, "clusters": 7777}
    data = {
        "rows": None,
        "used": None,
        "dropped": [{"why": "x", "rows": 8888}],
        "disclosure": "five",
        "profile": "five-1",
    }
    put(tmp_path, effect=hidden, data=data)
    put(tmp_path, by="site=A", effect=hidden, data=data)
    write_index(tmp_path)
    for name, text in texts(tmp_path).items():
        assert not re.search(r"7,?777|8,?888", text), name
    told = words((tmp_path / "centre" / "index.html").read_text(encoding="utf-8"))
    assert told.count("not shown") >= 5 and "disclosure profile five-1" in told


def test_the_plan_and_what_was_changed_in_it_are_told(tmp_path):
    plan = {
        "words": "changed: not as locked on 2026-03-01",
        "locked": "2026-03-01",
        "sha256": "ab12",
        "changes": ["x: 1"],
    }
    put(tmp_path, plan=plan, study_description="Wards & <people>.", data={"fingerprint": "sha256:77"})
    write_index(tmp_path)
    text = (tmp_path / "centre" / "index.html").read_text(encoding="utf-8")
    told = words(text)
    for wanted in ("on 2026-03-01", "ab12", "not as locked on 2026-03-01: x: 1", "sha256:77", "2 percentage points"):
        assert wanted in told, wanted
    assert "Wards &amp; &lt;people&gt;." in text


def test_what_was_not_answered_stands_by_its_reason_and_much_of_it_is_folded(tmp_path):
    few = [
        {"study": "centre", "question": "trust", "by": f"site=S{n}", "status": "too few", "reason": "Fewer than 5."}
        for n in range(20)
    ]
    other = {"study": "centre", "question": "pain", "by": None, "status": "killed", "reason": "The kernel died."}
    ran(tmp_path, other, *({**one, "page": "", "asked": "More trust?"} for one in few))
    page = write_index(tmp_path)
    told = section(page, "stopped")
    assert told.count("Fewer than 5.") == 1 and told.index("20 reports") < told.index("The kernel died.")
    assert "<summary>12 more</summary>" in told and told.count("<li>") == 21
    assert '<a href="#stopped">21 not answered</a>' in page.read_text(encoding="utf-8")


def test_reports_that_only_their_parameters_tell_apart_are_all_listed(tmp_path):
    put(tmp_path)
    for label in ("many=5", "many=6"):
        folder = put(tmp_path, "extra")
        shutil.move(folder, tmp_path / "aside")
        (tmp_path / "centre" / "retention" / label).parent.mkdir(exist_ok=True)
        shutil.move(tmp_path / "aside", tmp_path / "centre" / "retention" / label)
    page = write_index(tmp_path)
    assert all(page.read_text("utf-8").count(f"centre/retention/many%3D{n}/report.html") >= 2 for n in (5, 6))


def test_groups_are_listed_in_the_order_of_their_names_also_those_without_an_answer(tmp_path):
    for number in (10, 2):
        put(tmp_path, by=f"month={number}")
    ran(
        tmp_path,
        {"study": "centre", "question": "retention", "by": "month=9", "status": "too few", "reason": "r", "page": ""},
    )
    page = write_index(tmp_path).read_text(encoding="utf-8")
    listed = re.search(r'<ul class="values">.*?</ul>', page, re.S)[0]
    assert re.findall(r"(\d+)(?:</a>)?: ", words(listed.replace("</a>", ""))) == ["2", "9", "10"]


def test_five_hundred_reports_are_ten_rows(tmp_path):
    for question in range(10):
        put(tmp_path, f"q{question}")
        for site in range(49):
            put(tmp_path, f"q{question}", by=f"site={site:02d}")
    page = write_index(tmp_path)
    assert len(rows(page)) == 10 and page.stat().st_size < 400_000
    assert page.read_text(encoding="utf-8").count("<summary>By site: 49 reports: 49 supported") == 10
