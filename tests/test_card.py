"""What a value shows of itself in a notebook: what matters first, no row of anybody, nothing that runs."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest
from answers import DATA, ask

from researchkit.card import DESK, Card, interval, marked, plain
from researchkit.flow import Step
from researchkit.study import load_study
from researchkit.tables import frame

NASTY = "<script>alert(1)</script>\x1b[31m\"'&"


class Tags(HTMLParser):
    """The tags of a piece of HTML; fails where one is not closed in its place."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.open = [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in ("path", "rect", "circle"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def answer():
    """Without protection of small counts, for the eyes of those who hold the data."""
    return ask(load_study(DATA / "contact_centre").model_copy(update={"disclosure": "none"}), "trust")


def shown(value):
    bundle = value._repr_mimebundle_()
    Tags(bundle["text/html"])
    return bundle["text/html"], bundle["text/plain"]


@pytest.mark.parametrize("which", ["study", "dataset", "effect", "verdict", "answer"])
def test_every_value_says_what_matters_first_in_html_and_in_text(answer, which):
    value = answer if which == "answer" else getattr(answer, which)
    first = {
        "study": answer.study.title,
        "dataset": f"{len(answer.dataset.frame):,} of {answer.dataset.rows:,} rows",
        "effect": answer.effect.words,
        "verdict": answer.verdict.sentence,
        "answer": answer.verdict.sentence,
    }[which]
    html, text = shown(value)
    head = re.search(r"<strong>(.*?)</strong>", html).group(1)
    assert first in head and first in " ".join(text.split())
    assert 'role="group"' in html and "var(--jp-content-font-color1,inherit)" in html, "JupyterLab's dark theme"
    assert max(map(len, text.splitlines())) <= 100
    assert "\n" not in repr(value) or which == "answer", "a list of them stays readable"


def test_the_marks_and_the_interval_stand_beside_the_verdict(answer):
    weak = replace(answer, verdict=replace(answer.verdict, marks=("few clusters: 3", "exposed: severity")))
    html, text = shown(weak)
    assert "<li>few clusters: 3</li><li>exposed: severity</li>" in html
    assert text.count("  ! ") == 2
    assert f'aria-label="{weak.effect.contrast}: {weak.effect.words}"' in html
    assert html.count("<path") == 3, "the line, zero, and the band of what is too small to matter"


def test_a_dataset_shows_columns_gaps_and_flow_and_nobodys_row(answer):
    html, text = shown(answer.dataset)
    assert f"{len(answer.dataset.frame.columns)} columns" in text
    assert "People" in text and re.search(r"Empty cells +\w+ \d+\.\d %", text)
    ids = answer.dataset.frame["customer_id"].astype(str)
    assert not any(one in html for one in ids[:200])


@pytest.mark.parametrize("flow", [(Step("left", 3),), ()])
@pytest.mark.parametrize("profile", ["five", "cms", "nhs", "ukllc"])
def test_under_a_profile_a_dataset_counts_nothing_that_could_tell_of_a_few(answer, profile, flow):
    study = answer.study.model_copy(update={"disclosure": profile})
    n = len(answer.dataset.frame)
    dataset = replace(answer.dataset, study=study, rows=n + 3 * len(flow), flow=flow, notes=("3 rows",))
    for told in (*shown(dataset), repr(dataset)):
        assert f"{n:,}" not in told and f"{n + 3:,}" not in told, "there are gaps, and an answer tells who has none"
        assert "3 rows" not in told and "Left out" not in told and "People" not in told


def test_a_gap_of_a_few_people_is_not_told_under_a_profile(answer):
    study = answer.study.model_copy(update={"disclosure": "five"})
    frame = answer.dataset.frame.copy()
    frame["severity"] = 1.0
    frame.loc[frame.index[:4000], "tenure"] = float("nan")
    assert "tenure 19.6 %" in shown(replace(answer.dataset, study=study, frame=frame))[1]
    frame.loc[frame.index[:3], "severity"] = float("nan")
    told = shown(replace(answer.dataset, study=study, frame=frame))[1]
    assert "severity 0" not in told and "not shown for" in told


def test_names_from_data_are_text_and_nothing_else(answer):
    study = answer.study.model_copy(update={"title": NASTY})
    frame = answer.dataset.frame.rename(columns={"severity": NASTY})
    values = [
        study,
        replace(answer.dataset, study=study, frame=frame, notes=(NASTY,)),
        replace(answer.effect, contrast=NASTY, notes=(NASTY,), method=NASTY),
        replace(answer.verdict, sentence=NASTY, marks=(NASTY,), reasons=(NASTY,)),
        replace(answer, question=answer.question.model_copy(update={"title": NASTY})),
    ]
    for value in values:
        html, text = shown(value)
        assert "script" not in Tags(html).tags and "&lt;script&gt;" in html
        assert "\x1b" not in text
        assert not [one for one in Tags(html).attributes if one[1].startswith("on")]


def test_a_line_of_text_holds_nothing_that_a_terminal_obeys():
    assert plain("a\x1b[2Jb\r\nc\u202ed") == "a [2Jb c d"


def test_what_cannot_be_drawn_is_left_out_and_what_can_lies_in_order():
    assert interval(float("nan"), 1, 2, "") == interval(1, 1, 1, "") == ""
    drawn = interval(1, 2, 3, "words", margin=0.5)
    dot, zero = (int(re.search(mark, drawn).group(1)) for mark in (r'cx="(\d+)"', r"M(\d+) 0V"))
    (left, right), (low, high) = (map(int, pair) for pair in re.findall(r"M(\d+) 170H(\d+)", drawn))
    assert left < zero < right < low < dot < high


def test_a_table_is_set_for_reading_at_a_desk_and_stays_as_it_is_on_a_page(monkeypatch):
    table = frame(pd.DataFrame({"a": ["words"]}), "Mine")
    assert table._repr_mimebundle_()["text/html"] == table.to_html()
    monkeypatch.setattr("researchkit.progress.in_a_notebook", lambda: True)
    assert table._repr_mimebundle_()["text/html"] == table.to_html() + DESK


def test_what_stands_between_backticks_is_code_and_a_lone_one_stays():
    assert marked("say `a < b` here") == "say <code>a &lt; b</code> here"
    assert marked("a ` <b>") == "a ` &lt;b&gt;"


def test_an_empty_fact_takes_no_room():
    assert "Clusters" not in str(Card("Effect", "x", (("Clusters", ""), ("Rows", "3"))))
