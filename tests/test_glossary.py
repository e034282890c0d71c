"""The glossary: every entry is read, and prose leads to it where it may."""

from __future__ import annotations

import re

import pytest

from researchkit import glossary
from researchkit.glossary import EVERYDAY, Linker, entries, terms


def test_every_entry_of_the_file_is_read_with_a_place_of_its_own(root):
    text = (root / "GLOSSARY.md").read_text(encoding="utf-8")
    assert [term.name for term in terms()] == re.findall(r"(?m)^\*\*(.+?)\.\*\*", text)
    assert len({term.anchor for term in terms()}) == len(terms())
    assert all(re.fullmatch(r"w-[a-z0-9]+(-[a-z0-9]+)*", term.anchor) for term in terms())


def test_words_that_are_not_linked_are_words_of_the_glossary():
    assert {form.lower() for term in terms() for form in term.forms} >= EVERYDAY


def test_an_entry_has_its_forms_and_its_html():
    (term,) = entries('**NPS (Net Promoter Score).** Of *all* `x < 1`:\nthe "rest" & more.')
    assert term.forms == ("NPS", "Net Promoter Score") and term.anchor == "w-nps-net-promoter-score"
    assert term.html == 'Of <em>all</em> <code>x &lt; 1</code>: the "rest" &amp; more.'
    assert term.plain == 'Of all x < 1: the "rest" & more.'


def test_the_first_use_in_a_section_is_linked_and_each_section_begins_anew():
    told = Linker("up/glossary.html").told(
        "<h2>One</h2><p>The interval; an interval.</p><h2>Two</h2><p>Intervals &amp; E-values.</p>"
    )
    assert told.count("<a ") == 3
    assert '>The <a class="term" href="up/glossary.html#w-interval">interval</a>; an interval.' in told
    assert '>Intervals</a> &amp; <a class="term" href="up/glossary.html#w-e-value">E-values</a>.' in told


@pytest.mark.parametrize(
    "html",
    [
        '<a href="x">interval</a>',
        "<h2>The interval</h2>",
        "<code>interval</code>",
        "<pre>an <b>interval</b></pre>",
        "<table><tr><td>interval</td></tr></table>",
        "<svg><text>interval</text></svg>",
        '<p title="interval">x</p>',
        "<p>intervallic, sub-interval, interval-free, interval_1, &interval;</p>",
        "<p>What matters: a question, its design, the outcome, a series.</p>",
        "<details><summary>interval</summary></details>",
    ],
)
def test_what_is_no_prose_or_another_word_stays_as_it_is(html):
    assert Linker().told(html) == html


def test_prose_goes_on_being_linked_after_what_is_none():
    assert Linker().told("<pre>interval</pre><p>interval<br/>x</p>").count("<a ") == 1


def test_acronyms_keep_their_case_and_the_longest_word_wins():
    told = Linker().told("<p>icc, ICC; calibration of forecasts; hazard ratios.</p>")
    assert re.findall(r'#(w-[\w-]+)">([^<]+)<', told) == [
        ("w-icc", "ICC"),
        ("w-calibration-of-forecasts", "calibration of forecasts"),
        ("w-hazard-ratio", "hazard ratios"),
    ]


def test_what_was_linked_is_known_in_the_order_of_the_alphabet():
    linker = Linker()
    linker.told("<p>verdict</p>")
    linker.told("<p>kappa, verdict</p>")
    assert [term.name for term in linker.used] == ["Kappa", "Verdict"]


def test_a_missing_file_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(glossary, "FILE", "nothing.md")
    with pytest.raises(glossary.SourceError, match=r"The glossary is missing: .*Reinstall"):
        glossary._text()


def test_the_file_goes_into_the_wheel(root):
    import tomllib

    told = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    included = told["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included["GLOSSARY.md"] == f"researchkit/{glossary.FILE}"
