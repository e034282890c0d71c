"""Tables: what a page shows, what a spreadsheet opens, what a terminal prints."""

from __future__ import annotations

import csv
import io
from html.parser import HTMLParser
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from researchkit import tables
from researchkit.tables import Col, Table

NASTY = "<script>alert('x')</script>\"&"


class Study(SimpleNamespace):
    def label(self, name):
        return self.labels.get(name, name)


def effect(estimate, low, high, unit="probability", **more):
    term = SimpleNamespace(term="compassion", estimate=0.18, se=0.02, low=0.14, high=0.22, p=1e-9)
    model = SimpleNamespace(name="logistic", errors="CR1", scale="log odds", terms=(term,))
    facts = {
        "level": 0.95,
        "p": 0.034,
        "n": 20000,
        "clusters": 300,
        "contrast": "compassion +1 point",
        "method": "logistic",
    }
    return SimpleNamespace(estimate=estimate, low=low, high=high, unit=unit, model=model, **(facts | more))


def answer(robustness=(), unit="probability", **data):
    facts = {"rows": 20411, "used": 20000, "dropped": [{"why": "no rating", "rows": 411}]}
    return SimpleNamespace(
        study=Study(labels={"severity": "Severity of the problem"}),
        effect=effect(0.031, 0.023, 0.039, unit),
        crude=effect(0.051, 0.042, 0.060, unit, clusters=None, p=1e-12),
        robustness=list(robustness),
        data=facts | data,
    )


def opened(table):
    return list(csv.reader(io.StringIO(table.to_csv(), newline="")))


def test_a_probability_is_read_in_percentage_points_and_kept_exact_in_the_csv():
    table = tables.effects(answer())
    assert table.columns[1].header == "Estimate, percentage points"
    assert table.rows == (
        ("Crude", "+5.1", "4.2 to 6.0", "< .001", "20,000", "none"),
        ("Adjusted", "+3.1", "2.3 to 3.9", ".034", "20,000", "300"),
    )
    assert opened(table)[2][:4] == ["Adjusted", "0.031", "0.023", "0.039"]


def test_the_html_names_its_table_and_every_row_and_column():
    html = tables.effects(answer()).to_html()
    assert html.count("<caption>") == 1
    assert html.count('scope="col"') == 6 and html.count('scope="row"') == 2
    assert 'role="region" tabindex="0" aria-label="The effect, before and after adjustment"' in html
    assert '<td class="n">2.3 to 3.9</td>' in html


def test_whatever_comes_from_data_is_escaped():
    table = Table(NASTY, (Col(NASTY), Col(NASTY, "right")), ((NASTY, NASTY),), NASTY)

    class Tags(HTMLParser):
        def handle_starttag(self, tag, attrs):
            assert tag in {"div", "table", "caption", "span", "thead", "tbody", "tr", "th", "td", "p"}
            assert {name for name, _ in attrs} <= {"class", "role", "tabindex", "aria-label", "scope"}

    Tags().feed(table.to_html())
    assert "<script" not in table.to_html()


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_spreadsheet_never_runs_a_cell(cell):
    table = tables.frame(pd.DataFrame({cell: [cell]}), "T")
    assert [row[0][0] for row in opened(table)] == ["'", "'"]


@given(st.one_of(st.integers(), st.floats(allow_nan=False)))
def test_numbers_stay_numbers_in_the_csv(value):
    assert tables.harmless(value) == value
    assert tables.harmless(str(value)) == str(value)


@given(st.text())
def test_no_text_starts_a_formula(text):
    cell = str(tables.harmless(text))
    try:
        float(cell)
    except ValueError:
        assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_carriage_return_inside_a_cell_starts_no_line():
    table = tables.frame(pd.DataFrame({"a": ["x\r=1+1"], "b": ["y\n=2"]}), "T")
    assert opened(table)[1] == ["x\r=1+1", "y\n=2"]


def test_gaps_are_empty_in_the_csv_and_a_dash_on_the_page():
    table = tables.frame(pd.DataFrame({"a": [1.5, None], "b": ["x", None]}), "T")
    assert table.rows[1] == ("–", "–")
    assert opened(table)[2] == ["", ""]


def test_the_flow_adds_up_and_a_hidden_count_says_so():
    assert tables.flow(answer()).rows == (("Arrived", "20,411"), ("no rating", "−411"), ("Analysed", "20,000"))
    hidden = tables.flow(answer(dropped=[{"why": "no rating", "rows": None}]))
    assert hidden.rows[1] == ("no rating", "not shown")


def test_the_model_keeps_its_own_scale():
    table = tables.terms(answer())
    assert table.columns[1].header == "Coefficient (log odds)"
    assert table.rows == (("compassion", "0.180", "0.140 to 0.220", "< .001"),)


CURVE = {"check": "specification curve", "ran": True, "specifications": 8, "possible": 8, "agree": 0.75} | {
    "agree_on_zero": 0.5,
    "median": 0.0464,
    "low": 0.0324,
    "high": 0.0606,
    "planned": 0.0328,
    "moves_it_most": "severity",
    "without_it": 0.0606,
    "scale": "linear approximation",
}
CHECKS = [
    (
        {
            "check": "each adjustment left out",
            "ran": True,
            "specifications": 3,
            "agree": 1.0,
            "low": 0.029,
            "high": 0.05,
        }
        | {"moves_it_most": "severity", "without_it": 0.049},
        ["100 % keep", "between 2.9 and 5.0 percentage points", "Severity of the problem: without it, +4.9"],
    ),
    (
        {"check": "unmeasured confounder", "ran": True, "e_value": 1.9, "e_value_of_the_limit": 1.4},
        ["1.9", "1.4 is enough"],
    ),
    ({"check": "unmeasured confounder", "ran": True, "robustness_value": 0.123}, ["12.3 % of what remains"]),
    (
        {
            "check": "negative control",
            "ran": True,
            "outcome": "birth",
            "estimate": 1.0,
            "low": 0.5,
            "high": 1.5,
            "p": 0.001,
        },
        ["Birth", "+1.0 (0.5 to 1.5)", "bias"],
    ),
    (
        {
            "check": "design",
            "ran": True,
            "smallest_detectable": 0.011,
            "power": 0.99,
            "exaggeration": 1.04,
            "wrong_sign": 0.0,
        },
        ["1.1 percentage points", "99 %", "1.0 times"],
    ),
    (CURVE, ["Of 8 ways to adjust, 75 % agree in sign and 50 % in", "gives 4.6 percentage points", "3.2 and 6.1"]),
    (CURVE, ["Severity of the problem: without it +6.1, with all +3.3", "approximation to the model"]),
    (CURVE | {"specifications": 1024, "possible": 4096}, ["Of 1,024 ways to adjust, drawn from 4,096, 75 %"]),
    (
        {"check": "unmeasured confounder", "ran": True, "robustness_value": 0.06, "strongest_measured": "severity"}
        | {"with_one_as_strong": {"estimate": 0.01, "low": -0.01, "high": 0.03}},
        ["The strongest measured cause is Severity", "one no stronger could move the answer to +1.0 percentage points"],
    ),
    (
        {"check": "negative control", "ran": False, "reason": "the study names none"},
        ["Could not run: the study names none."],
    ),
    (
        {"check": "brand new", "ran": True, "largest_move": 0.5, "who": "agent 17"},
        ["largest move: 0.50", "who: agent 17"],
    ),
    ({"check": "design", "ran": True, "power": None}, ["power: –"]),
]


@pytest.mark.parametrize(("check", "words"), CHECKS)
def test_every_check_is_told_in_words(check, words):
    told = tables.checks(answer([check])).rows[0][1]
    assert [word for word in words if word not in told] == []


def test_shares_over_cutoffs_hide_a_handful_of_people():
    rules = [
        {"name": "high", "minimum": 5, "source": "A 2001"},
        {"name": "low", "minimum": 1, "source": "B 2002", "warning": "not a diagnosis"},
    ]
    table = tables.cutoffs([0.0] * 40 + [2.0] * 57 + [5.0] * 3 + [float("nan")], rules, "Exhaustion")
    assert table.rows[0][2] == "not shown"  # three people
    assert table.rows[1][2:] == ("60.0 %", "B 2002", "not a diagnosis")
    assert opened(table)[1][2] == ""
    assert "Among 100 people" in table.note


def test_claims_are_listed_with_what_is_known():
    claim = SimpleNamespace(id="LOY-1", statement="Kindness keeps customers", rival=None)
    table = tables.claims([claim, {"id": "REC-1", "statement": "…", "rival": "easier cases"}])
    assert [col.header for col in table.columns] == ["Claim", "Says", "Rival explanation"]
    assert table.rows[0] == ("LOY-1", "Kindness keeps customers", "")


def test_a_header_without_words_is_no_header():
    html = Table("T", (Col(""), Col("b")), (("x", "y"),)).to_html()
    assert "<tr><td></td><th" in html


def test_a_row_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match="has 1 cells, not 2"):
        Table("T", (Col("a"), Col("b")), (("x",),))


def test_the_bundle_carries_page_terminal_and_spreadsheet():
    bundle = tables.effects(answer())._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain", tables.MEDIA}
    assert bundle[tables.MEDIA]["name"] == "effects"
    lines = bundle["text/plain"].splitlines()
    assert lines[0] == "The effect, before and after adjustment" and "4.2 to 6.0" in lines[3]
