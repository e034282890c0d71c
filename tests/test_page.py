"""The page of a report: complete, safe whatever the data say, the same without network or script."""

from __future__ import annotations

import copy
import re
from html import unescape
from html.parser import HTMLParser

import nbformat.v4 as v4
import pandas as pd
import pytest

from researchkit import tables
from researchkit.export import RESULT, export, is_quiet, shown, style

NASTY = "</style></title><script>alert(1)</script><img src=x onerror=alert(1)>\"'&"
VOID = {"meta", "br", "img", "link", "hr", "input"}


def result(**more):
    told = {
        "study": "contact_centre",
        "study_title": "Contact centre, autumn 2025",
        "question": "retention",
        "title": "Do customers stay?",
        "claim": "LOY-1",
        "family": "loyalty",
        "design": "observational",
        "simulated": True,
        "planned": True,
        "plan": {"words": "planned: as locked on 2026-03-01"},
        "by": "site=North",
        "verdict": {
            "word": "supported",
            "sentence": "It went with more.",
            "marks": ["fragile: x"],
            "reasons": ["Because."],
        },
        "data": {"fingerprint": "sha256:9b", "rows": 20411, "used": 20000, "disclosure": "nhs"},
        "provenance": {
            "researchkit": "0.1.0",
            "packages": {"pandas": "3.0"},
            "started": "2026-11-24T17:03:11",
            "seconds": 0.8,
        },
    }
    return told | more


def notebook(*cells):
    return v4.new_notebook(cells=list(cells))


def code(source, *outputs, tags=()):
    cell = v4.new_code_cell(source, outputs=list(outputs))
    cell.metadata["tags"] = list(tags)
    return cell


def display(**data):
    return v4.new_output("display_data", data={name.replace("_", "/", 1): value for name, value in data.items()})


class Reading(HTMLParser):
    """Tags, ids and text of a page; fails on a tag that is not closed where it should be."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.attributes, self.ids, self.words = [], [], [], [], []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def hostile(value):
    if isinstance(value, dict):
        return {key: hostile(item) for key, item in value.items()}
    if isinstance(value, list):
        return [hostile(item) for item in value]
    return NASTY if isinstance(value, str) else value


PLAIN = notebook(v4.new_markdown_cell("# Own title\n\nWords.\n\n## One part\n\n## One part\n\n# Other"), code("x = 1"))


def test_a_page_has_its_question_answer_contents_and_provenance():
    page = Reading(export(PLAIN, result()))
    words = " ".join(page.words)
    for wanted in ("Do customers stay?", "Supported", "It went with more.", "fragile: x", "Because.", "claim LOY-1"):
        assert wanted in words
    for wanted in (
        "planned: as locked on 2026-03-01",
        "site = North",
        "20,000 used of 20,411",
        "pandas 3.0",
        "simulated data",
    ):
        assert wanted in words
    assert "researchkit run data/contact_centre --question retention --by site --disclosure nhs" in words
    assert page.tags.count("h1") == 1 and "Own title" not in words
    assert ("html", "lang", "en") in page.attributes


def test_every_entry_of_the_contents_leads_somewhere_once():
    page = Reading(export(PLAIN, result()))
    targets = [value[1:] for tag, name, value in page.attributes if tag == "a" and name == "href" and value[0] == "#"]
    assert targets == ["main", "answer", "s-one-part", "s-one-part-2", "s-other", "again"]
    assert set(targets) <= set(page.ids) and len(page.ids) == len(set(page.ids))


def test_a_page_without_a_verdict_has_title_and_body():
    page = Reading(export(PLAIN, {"study_title": "Contact centre"}))
    words = " ".join(page.words)
    assert "Own title" in words and "Words." in words
    assert page.tags.count("h1") == 1 and ("section", "class", "answer open") not in page.attributes
    assert "run data/" not in words


def test_the_page_fetches_nothing_and_runs_nothing():
    page = export(PLAIN, result())
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in page
    reading = Reading(page)
    assert not {"script", "link", "iframe", "object", "embed"} & set(reading.tags)
    assert not [value for _, name, value in reading.attributes if name in {"src", "href"} and "//" in value]


def test_nothing_from_the_result_becomes_html():
    told = result() | {"claim": "none of ours"}
    safe, page = Reading(export(PLAIN, told)), Reading(export(PLAIN, hostile(told)))
    assert page.tags == safe.tags
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]


MARKDOWN = [
    "<script>alert(1)</script>",
    "text <img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "![a](http://example.org/x.png)",
    "<div onclick=alert(1)>\n\nx\n\n</div>",
    "```html\n<script>alert(1)</script>\n```",
    "$<script>alert(1)</script>$",
    "## <img src=x onerror=alert(1)>",
    "| <script>a</script> |\n|---|\n| <b>x</b> |",
    '```"><script>alert(1)</script>\nx\n```',
]


@pytest.mark.parametrize("source", MARKDOWN)
def test_html_in_markdown_comes_out_as_text(source):
    page = Reading(export(notebook(v4.new_markdown_cell(source)), result()))
    assert not {"script", "img"} & set(page.tags)
    assert not [one for one in page.attributes if one[1].startswith("on") or "javascript:" in str(one[2])]


OUTPUTS = [
    display(text_html=NASTY, text_plain=NASTY),
    display(text_html=NASTY),
    display(text_html=pd.DataFrame({NASTY: [NASTY]}).to_html(escape=False), text_plain="x"),
    display(text_markdown=NASTY),
    display(text_plain=NASTY),
    display(**{"application_javascript": "alert(1)", "text_plain": "x"}),
    v4.new_output("stream", name="stdout", text=NASTY),
    v4.new_output("stream", name="stderr", text=NASTY),
    v4.new_output("error", ename="E", evalue=NASTY, traceback=["\x1b[31m" + NASTY]),
    display(**{"image_png": '"><script>alert(1)</script>'}),
    display(**{"image_svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"}),
    tables.frame(pd.DataFrame({NASTY: [NASTY]}), NASTY),
]


@pytest.mark.parametrize("output", OUTPUTS)
def test_no_output_can_bring_script_into_the_page(output):
    if isinstance(output, tables.Table):
        output = v4.new_output("display_data", data=output._repr_mimebundle_())
    page = Reading(export(notebook(code("x", output)), result()))
    assert "script" not in page.tags
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    assert all(
        value.startswith("data:image/") for tag, name, value in page.attributes if tag == "img" and name == "src"
    )


def test_our_own_tables_and_plain_paragraphs_are_shown_as_html():
    table = tables.frame(pd.DataFrame({"a": [1]}), "Mine")._repr_mimebundle_()
    assert shown(v4.new_output("display_data", data=table)) == table["text/html"]
    prose = '<div class="rk-prose"><p>One &lt; two.</p></div>'
    assert shown(display(text_html=prose, text_plain="x")) == prose


@pytest.mark.parametrize(
    "html",
    [
        "<p onclick=x>a</p>",
        "<p style='position:fixed'>a</p>",
        "<!-- x --><p>a</p>",
        "<p>a",
        "<a href=x>a</a>",
        "<p>a</p><",
        "words",
        "<p>a</p><!x>",
    ],
)
def test_html_that_is_more_than_paragraphs_is_not_quiet(html):
    assert not is_quiet(html)


def test_the_answer_is_told_once_in_the_head_and_not_again_in_the_body():
    answer = v4.new_output(
        "execute_result", data={RESULT: result(), "text/html": "<p>again</p>", "text/plain": "again"}
    )
    assert "again</p>" not in export(notebook(code("answer", answer)), result())


def test_one_switch_shows_all_code_without_a_script():
    page = export(notebook(code("study = '<b>'", tags=["parameters"]), code("y = 1")), result())
    blocks = re.findall(r'<pre class="code" tabindex="0"><code>(.*?)</code></pre>', page, re.S)
    assert [unescape(re.sub(r"<[^>]+>", "", block)).strip() for block in blocks] == ["study = '<b>'", "y = 1"]
    assert page.count('type="checkbox"') == 1 and 'id="show-code"' in page
    assert "pre.code{display:none}" in page and ":root:has(#show-code:checked) pre.code{display:block" in page


def test_the_dark_colours_are_the_same_by_the_system_and_by_the_switch_and_are_for_screens_alone():
    by_system, by_switch = re.findall(r"@media screen[^{]*\{:root[^{]*\{(color-scheme:dark;[^}]*)\}\}", style())
    assert by_system == by_switch and "--paper:#12171c" in by_system
    assert "dark" not in re.sub(r"@media screen[^{]*\{:root[^{]*\{[^}]*\}\}", "", style())


def test_export_leaves_the_notebook_alone_and_gives_the_same_page_twice():
    given = notebook(v4.new_markdown_cell("Words."), code("x = 1"))
    before = copy.deepcopy(given)
    assert export(given, result()) == export(given, result())
    assert given == before


def test_a_command_with_odd_names_can_be_pasted_into_a_shell():
    page = " ".join(Reading(export(PLAIN, result(question="a; rm -rf b", by=None))).words)
    assert "--question 'a; rm -rf b' --disclosure" in page


def test_the_command_to_make_it_again_names_the_study_where_it_lay():
    made = result() | {"provenance": {"parameters": {"study": "surveys/my study/study.yml"}}}
    assert "researchkit run 'surveys/my study/study.yml' --question" in unescape(export(PLAIN, made))
