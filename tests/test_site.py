"""The index over the reports: every good report once, every failed one with its reason, nothing half written."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

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
    return re.findall(
        r'<li class="row.*?</li>\s*(?=<li class="row|</ul>\s*</section>)', page.read_text(encoding="utf-8"), re.S
    )


def test_every_report_is_listed_once_and_its_link_leads_to_it(tmp_path):
    put(tmp_path)
    put(tmp_path, by="site=North & Süd")
    put(tmp_path, "burned", study="ward", family="burnout")
    index = write_index(tmp_path)
    assert index == tmp_path / "index.html"
    for page, wanted in ((index, 3), (tmp_path / "centre" / "index.html", 2), (tmp_path / "ward" / "index.html", 1)):
        targets = [page.parent / unquote(link) for link in links(page)]
        assert all(target.is_file() for target in targets)
        assert len([target for target in targets if target.name == "report.html"]) == wanted == len(rows(page))


def test_a_row_tells_verdict_number_people_and_origin(tmp_path):
    put(tmp_path)
    (row,) = rows(write_index(tmp_path))
    words = re.sub(r"<[^>]+>", " ", row)
    for wanted in (
        "Supported",
        "+3.1 percentage points",
        "2.3 to 3.9",
        "n = 20,000 in 300 clusters",
        "simulated",
        "more is better",
        "few clusters",
    ):
        assert wanted in words
    assert '<svg class="mini"' in row and words.count("observational") == 1


@pytest.mark.parametrize(("simulated", "tag"), [(True, "simulated"), (False, "real data")])
def test_real_and_simulated_data_are_told_apart(tmp_path, simulated, tag):
    put(tmp_path, simulated=simulated)
    assert f'<span class="tag">{tag}</span>' in rows(write_index(tmp_path))[0]


def test_the_three_doors_and_the_tally_count_what_is_there(tmp_path):
    put(tmp_path, simulated=False)
    put(tmp_path, "pain", family="recovery", simulated=True, verdict={"word": "cannot tell", "marks": []})
    page = write_index(tmp_path).read_text(encoding="utf-8")
    assert [page.index(f">{door}</h2>") for door in ("Loyalty", "Recovery", "Burnout")] == sorted(
        page.index(f">{door}</h2>") for door in ("Loyalty", "Recovery", "Burnout")
    )
    assert re.findall(r"<b>(\d+)</b>([a-z ]+)<", page) == [
        ("1", "supported"),
        ("0", "contradicted"),
        ("0", "too small to matter"),
        ("0", "cannot tell"),
    ]
    assert page.count("and 1 in simulated data") == 1, "invented people are never counted with real ones"
    assert "No report yet." in page


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
    assert rows(page) == []
    text = page.read_text(encoding="utf-8")
    assert "row 7: &lt;b&gt;bad&lt;/b&gt;" in text and "fine" not in text
    assert "centre/retention/report.html" in links(page)


def test_numbers_that_disclosure_hides_are_not_shown(tmp_path):
    put(tmp_path, effect={"estimate": None, "low": None, "high": None, "n": None})
    (row,) = rows(write_index(tmp_path))
    assert "not shown" in row and "<svg" not in row and "n =" not in row


@pytest.mark.parametrize("broken", ["{", "[]", "null", '{"study": 1}', "\x00"])
def test_a_result_that_cannot_be_read_is_named_and_stops_nothing(tmp_path, broken):
    put(tmp_path)
    (put(tmp_path, "other") / "result.json").write_text(broken, encoding="utf-8")
    page = write_index(tmp_path)
    assert len(rows(page)) == 1
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
    assert "script" not in tags and tags.count("h1") == 2


def test_pages_are_moved_into_place_and_leave_nothing_beside_them(tmp_path):
    put(tmp_path)
    write_index(tmp_path)
    first = (tmp_path / "index.html").read_bytes()
    write_index(tmp_path)
    assert (tmp_path / "index.html").read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("calibration.html", "centre", "index.html", "ledger.csv", "ledger.html")
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


def test_where_all_data_are_simulated_the_tally_says_so(tmp_path):
    put(tmp_path, simulated=True)
    assert "<b>1</b>supported<br><span>in simulated data</span>" in write_index(tmp_path).read_text(encoding="utf-8")
