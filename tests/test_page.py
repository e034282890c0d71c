"""The page of a report: complete, safe whatever the data say, the same without network or script."""

from __future__ import annotations

import copy
import csv
import io
import itertools
import re
from base64 import b64decode
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import answers
import nbformat
import nbformat.v4 as v4
import pandas as pd
import pytest

import researchkit
from researchkit import tables
from researchkit.export import RESULT, export, is_quiet, shown, style
from researchkit.hands.page import Text, read
from researchkit.robustness import WORDS

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


ORDER = (
    "Would another analyst agree?",
    "What could undo it?",
    "What could this study have seen?",
    "The data and who is missing",
    "What others found",
    "What this cannot tell",
    "What was asked",
    "Methods",
    "Checklist for the paper",
)
CALLS = {
    "Would another analyst agree?": "rk.story.curve(answer)",
    "What could undo it?": "rk.tables.undo(answer)",
    "What could this study have seen?": "rk.story.seen(answer)",
    "The data and who is missing": "rk.tables.people(answer)",
    "What others found": "rk.review.others(answer)",
    "Methods": "rk.methods.paragraph(answer)",
    "Checklist for the paper": "rk.checklist.filled(answer)",
}
NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("[12]*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_report_of_each_kind_tells_its_parts_in_one_order(path):
    cells = nbformat.read(path, as_version=4).cells
    shown = [cell for cell in cells if "notebook-only" not in cell.metadata.get("tags", [])]
    calls = [cell.source for cell in shown if cell.cell_type == "code"]
    assert calls[2] == "rk.figures.interval(answer)", "the figure that carries the answer comes first"
    heads = [cell.source.split("\n")[0].removeprefix("## ") for cell in shown if cell.source.startswith("## ")]
    assert [head for head in heads if head in ORDER] == list(ORDER)
    assert heads[:3] == list(ORDER[:3]) and heads[-6:] == list(ORDER[-6:])
    for head, call in CALLS.items():
        assert call in sources_below(shown, head)


def sources_below(cells, head):
    place = next(number for number, cell in enumerate(cells) if cell.source.startswith(f"## {head}"))
    below = itertools.takewhile(lambda cell: not cell.source.startswith("## "), cells[place + 1 :])
    return [cell.source for cell in below]


KINDS = {
    "observational": ("10_loyalty", "contact_centre", "retention"),
    "randomised": ("11_recovery", "hospital", "anxiety_trial"),
    "survey": ("12_burnout", "hospital", "leader"),
    "data check": ("01_data_check", "contact_centre", "retention"),
}


@pytest.fixture(scope="module", params=KINDS)
def made(request, answered, tmp_path_factory):
    """The page of a report of each kind, from answers that stand, with the notebook that it was made from."""
    stem, study, question = KINDS[request.param]
    source, target = NOTEBOOKS[0].with_name(f"{stem}.ipynb"), tmp_path_factory.mktemp("page") / "notebook.ipynb"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            researchkit, "answer_question", lambda study, question, **_: answered(Path(study).name, question)
        )
        assert answers.execute(source, target, {"study": f"data/{study}", "question": question}, None) is None
    done = nbformat.read(target, as_version=4)
    return request.param, export(done, answered(study, question).to_dict(), beside="result.json"), done


def test_the_interval_of_the_answer_stands_in_one_line_and_is_taken_along_as_it_was():
    sentence = "It went with 3 points more (95 % interval 2.1 to 3.4), among 9 rows."
    told = result(verdict={**result()["verdict"], "sentence": sentence})
    page = export(notebook(), told)
    assert "(95\u00a0% interval 2.1\u00a0to\u00a03.4)" in page
    assert sentence in [block.words for block in read(page).blocks if isinstance(block, Text)]


def test_the_figure_stands_between_the_answer_and_the_first_part(made):
    kind, page, _ = made
    if kind == "data check":
        assert 'class="sentence"' not in page and "<h1>What arrived, what was dropped" in page
        assert "Do kindly handled customers stay?" in page, "which question it is the data check of"
    else:
        assert page.index('class="sentence"') < page.index("<figure") < page.index("<h2")


def test_the_page_is_small_fetches_nothing_and_runs_nothing(made):
    _, page, _ = made
    reading = Reading(page)
    assert len(page.encode()) < 1_500_000
    assert not {"script", "link", "iframe", "object", "embed", "form"} & set(reading.tags)
    for tag, name, value in reading.attributes:
        assert not name.startswith("on")
        if name in {"src", "href", "xlink:href", "srcset", "poster"}:
            assert value.startswith(("#", "data:")) or (tag == "a" and value == "result.json"), (tag, value)
    assert not re.search(r"@import|url\(", re.sub(r"url\(#", "", page))


def test_headings_go_down_one_step_at_a_time_and_ids_are_unique(made):
    _, page, _ = made
    reading = Reading(page)
    levels = [int(tag[1]) for tag in reading.tags if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1 and all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert len(reading.ids) == len(set(reading.ids))


def tables_of(page):
    """Each table of a page that has a CSV of its own: header, rows of words, and the CSV's lines."""
    for block in re.findall(r'<div class="rk-table">(.*?</table></div>.*?)</div>', page, re.S):
        link = re.search(r'<p class="rk-csv"><a download="[a-z0-9-]+\.csv" href="data:text/csv;base64,([^"]*)"', block)
        rows = [
            [unescape(re.sub(r"<[^>]*>", "", cell)).strip() for cell in re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", row)]
            for row in re.findall(r"<tr>(.*?)</tr>", block, re.S)
        ]
        yield rows[0], rows[1:], link and b64decode(link[1]).decode()


def numbers(text):
    return [float(one.replace(",", "").replace("\u2212", "-")) for one in re.findall(r"[\u2212-]?[\d,]*\.?\d+", text)]


def in_line(told, line):
    """Whether a number that is read stands in a line of exact ones: itself or in per cent, as rounded as it is."""
    places = len(told.partition(".")[2])
    exact = [found * scale for cell in line for found in as_number(cell) for scale in (1, 100)]
    return any(abs(abs(one) - abs(numbers(told)[0])) <= 0.5000001 * 10**-places for one in exact)


def as_number(cell):
    try:
        return [float(cell)]
    except ValueError:
        return numbers(cell)


def test_every_table_can_be_taken_along_with_the_numbers_that_it_shows(made):
    _, page, _ = made
    found = [one for one in tables_of(page.replace("Numbers behind this figure", "")) if one[1]]
    behind = page.count("<summary>Numbers behind this figure</summary>")
    assert sum(link is None for _, _, link in found) == behind, "a figure's numbers are in its own CSV"
    for head, rows, text in found:
        if text is None:
            continue
        header, *lines = csv.reader(io.StringIO(text))
        assert len(lines) == len(rows), head
        for row, line in zip(rows, lines, strict=True):
            if header == head:
                told = [tables.table.shown(as_number(cell)[0]) if is_exact(cell) else cell for cell in line]
                assert all(same(*pair) for pair in zip(row, told, strict=True)), (row, line)
            elif "What came out" not in head:  # sentences, whose facts the CSV holds
                told = [one for cell in row[1:] if re.fullmatch(r"[+\u2212-]?[\d,.]+", cell) for one in [cell]]
                assert all(in_line(one, line) for one in told), (row, line)


def is_exact(cell):
    return bool(re.fullmatch(r"-?\d+(\.\d+)?(e-?\d+)?", cell))


def same(shown, told):
    """A cell as it is read beside its CSV: a text as it is, a number rounded, a gap as a dash."""
    return (
        shown in (told, told.removeprefix("'"), told.replace(".0", ""))
        or (shown, told) == ("–", "")
        or (is_exact(told.replace(",", "")) and in_line(shown, [told]))
    )


def test_what_was_tried_to_undo_it_has_a_word_each_and_the_falls_first(made):
    kind, page, _ = made
    found = [rows for head, rows, _ in tables_of(page) if head[:1] == ["What was tried"]]
    assert len(found) == (kind != "data check")
    for rows in found:
        words = [row[2].lower() for row in rows]
        assert words == sorted(words, key=WORDS.index) and all(row[0] and row[1] for row in rows)


def test_an_executed_report_links_its_result_and_its_citation(made):
    _, page, _ = made
    assert '<a href="result.json">result.json</a>' in page
    coded = re.search(r'download="[a-z0-9-]+\.bib" href="data:application/x-bibtex;base64,([^"]*)"', page)[1]
    assert b64decode(coded).decode().startswith("@misc{")
    assert "result.json" not in export(PLAIN, result())
