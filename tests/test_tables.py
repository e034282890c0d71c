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
        study=Study(labels={"severity": "Severity of the problem", "agent_id": "Agent"}),
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


def test_a_long_cell_takes_several_lines_in_a_terminal():
    words = "word " * 60
    told = str(Table("Long", (Col("a"), Col("b", "right")), (("x", words.strip()), ("y", "1"))))
    assert max(map(len, told.splitlines())) < 80 and told.count("word") == 60
    assert told.splitlines()[-1].split() == ["y", "1"]


def test_what_is_not_adjusted_is_not_called_adjusted():
    one = answer()
    one.crude, one.question = one.effect, SimpleNamespace(adjust=())
    table = tables.effects(one)
    assert [row[0] for row in table.rows] == ["Not adjusted"] and table.title == "The effect"
    assert "Not adjusted: logistic" in table.note
    one.question = SimpleNamespace(adjust=("severity",))  # what is adjusted for and moves nothing
    assert [row[0] for row in tables.effects(one).rows] == ["Crude", "Adjusted"]


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
            assert tag in {"div", "table", "caption", "span", "thead", "tbody", "tr", "th", "td", "p", "a"}
            more = {"download", "href"} if tag == "a" else set()
            assert {name for name, _ in attrs} <= {"class", "role", "tabindex", "aria-label", "scope"} | more
            assert dict(attrs).get("href", "data:text/csv;base64,").startswith("data:text/csv;base64,")

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


CURVE = {"check": "specification curve", "ran": True, "specifications": 8, "ways_to_adjust": 8, "possible": 8} | {
    "agree": 0.75,
    "agree_on_zero": 0.5,
    "median": 0.0464,
    "low": 0.0324,
    "high": 0.0606,
    "planned": 0.0328,
    "moves_it_most": "severity",
    "without_it": 0.0606,
    "scale": "linear approximation",
}
OTHER = {"label": "Without the phone", "ran": True, "estimate": 0.02, "low": 0.011, "high": 0.029} | {
    "unit": "probability",
    "n": 900,
    "same_scale": True,
    "same_sign": True,
    "same_side_of_zero": True,
}
MINUTES = OTHER | {"label": "In minutes", "unit": "minute", "same_scale": False, "n": None}
SILENT = {"label": "By pigeon", "ran": False, "reason": "no row is left"}
MODEL = CURVE | {"ways_to_adjust": 4, "scale": "the model itself", "agree": 1.0, "agree_on_zero": 1.0}
BOUND = {"estimate": 0.01, "low": -0.01, "high": 0.03}
HIDDEN = {"check": "unmeasured confounder", "ran": True, "robustness_value": 0.062, "partial_r2": 0.0041}
CLUSTERS = {"check": "influence", "ran": True, "left_out": "clusters", "by": "agent_id", "groups": 300} | {
    "low": 0.0309,
    "high": 0.0331,
    "turn_the_sign": 0.0,
    "decide_about_zero": 0.0,
    "matters_most": None,
    "its_share_of_rows": 0.0048,
    "without_it": {"estimate": 0.0309, "low": 0.0235, "high": 0.0383},
    "scale": "linear approximation",
}
ROWS = {"check": "influence", "ran": True, "left_out": "rows", "rows": 3819, "low": 0.0309, "high": 0.0331} | {
    "rows_to_turn_the_sign": 388,
    "share_to_turn_the_sign": 0.1016,
    "few_to_turn_the_sign": False,
    "rows_to_reach_zero": None,
    "share_to_reach_zero": None,
    "few_to_reach_zero": True,
    "scale": "linear",
}
EQUAL = {
    "check": "equivalence",
    "ran": True,
    "smallest_effect": 0.02,
    "p_lower": 1e-9,
    "p_upper": 0.004,
    "p": 0.004,
} | {
    "level": 0.9,
    "low": -0.01,
    "high": 0.015,
    "expected": "better",
    "claimed_side": "higher",
    "open_on_the_claimed_side": 0.0391,
    "open_on_the_other_side": 0.0,
}
CHECKS = [
    (HIDDEN, ["A cause left out would have to explain 6.2 % of what remains", "The exposure itself explains 0.41 %"]),
    (HIDDEN | {"robustness_value_of_the_limit": 0.048}, ["; to bring the interval to zero, 4.8 % is enough."]),
    (HIDDEN | {"robustness_value_of_the_limit": 0.0}, ["; the interval holds zero as it is."]),
    (HIDDEN | {"partial_r2": 2e-8}, ["itself explains less than 0.1 % of"]),
    (
        {"check": "unmeasured confounder", "ran": True, "e_value": 1.9, "e_value_of_the_limit": 1.4},
        ["A cause left out would have to go with both", "risk ratio of 1.90 each", "1.40 is enough"],
    ),
    (HIDDEN | {"e_value": 1.9, "e_value_of_the_limit": 1.0}, ["In risks, it would", "nothing (E-value)."]),
    (HIDDEN | {"scale": "linear approximation"}, ["Shares are those of a straight line"]),
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
        ["1.1 percentage points", "99 % of such studies would find it, at about its true size."],
    ),
    (
        {
            "check": "design",
            "ran": True,
            "smallest_detectable": 0.2,
            "power": 0.06,
            "exaggeration": 9.7,
            "wrong_sign": 0.24,
        },
        ["6 % of such studies would find it, 9.7 times too large on average, 24 % of them with the wrong sign."],
    ),
    (CURVE, ["Of 8 ways to adjust, 75 % agree in sign and 50 % in", "gives 4.6 percentage points", "3.2 and 6.1"]),
    (CURVE, ["Severity of the problem: without it +6.1, with all +3.3", "approximation to the model"]),
    (CURVE | {"ways_to_adjust": 1024, "possible": 4096}, ["Of 1,024 ways to adjust, drawn from 4,096, 75 %"]),
    (CURVE | {"agree": 0.999, "agree_on_zero": 0.001}, ["almost all agree in sign and almost none in whether"]),
    (
        MODEL,
        [
            "Of 4 ways to adjust (with all, and with each left out in turn, by the model itself), all agree in sign and in"
        ],
    ),
    (
        CURVE | {"alternatives": [OTHER, MINUTES, SILENT]},
        [
            "Of 8 ways to adjust and 2 planned alternatives, 75 %",
            "Planned alternatives: Without the phone +2.0 (1.1 to 2.9; n = 900); In minutes +0.020 minutes (0.011 to 0.029; n not shown).",
            "In steps of its own, so not in that range: In minutes.",
            "Not estimated: By pigeon (no row is left).",
        ],
    ),
    (CURVE | {"ways_to_adjust": 1, "alternatives": [OTHER]}, ["Of the planned way and 1 planned alternative, 75 %"]),
    (CURVE | {"failed_without": ["severity"]}, ["The model has no answer without Severity of the problem."]),
    (
        CURVE | {"alternatives": [OTHER | {"same_sign": False, "same_side_of_zero": False}]},
        ["n = 900), which is clearly the opposite."],
    ),
    (CURVE | {"alternatives": [OTHER | {"low": -0.01, "same_side_of_zero": False}]}, [", which includes zero."]),
    (
        HIDDEN | {"strongest_measured": "severity", "with_one_as_strong": BOUND},
        ["The strongest measured cause is Severity", "one no stronger could move the answer to +1.0 percentage points"],
    ),
    (
        CLUSTERS,
        [
            "Without any one of 300 groups by agent the estimate lies between 3.09 and 3.31 percentage points.",
            "None of them decides about the sign, or about zero.",
            "The one that matters most (0.48 % of the rows): without it +3.1 percentage points (2.4 to 3.8).",
            "Computed by a straight line, an approximation to the model of the answer; without the one that matters most, the",
        ],
    ),
    (CLUSTERS | {"decide_about_zero": 0.04}, ["Without 4 % of them the interval would include zero."]),
    (CLUSTERS | {"decide_about_zero": 0.04, "turn_the_sign": 0.01}, ["zero, and without 1 % the sign would turn."]),
    (CLUSTERS | {"decide_about_zero": None}, ["A few of them decide about the sign or about zero."]),
    (CLUSTERS | {"matters_most": "North"}, ["The one that matters most is North (0.48 % of the rows): without it"]),
    (
        CLUSTERS | {"its_share_of_rows": None, "without_it": None},
        ["most (a few people): without it there is nothing left"],
    ),
    (CLUSTERS | {"scale": "the model itself"}, ["(2.4 to 3.8). The model itself was fitted without each."]),
    (CLUSTERS | {"low": None}, ["Without any one of 300 groups by agent there would be nothing left to compare."]),
    (
        ROWS,
        [
            "Without any one of 3,819 rows the estimate lies between 3.09 and 3.31 percentage points. To bring the interval",
            "To bring the interval to zero, a few of them would have to go.",
            "To turn the sign, 388 of them (10 %) would have to go. Such rows are picked to do the most harm",
        ],
    ),
    (
        ROWS | {"few_to_reach_zero": False},
        ["No part of them of up to a half was found that would bring the interval to zero."],
    ),
    (
        EQUAL,
        [
            "Differences of 2.0 percentage points or more are excluded on both sides (p = .004; 90 % interval −1.0 to 1.5"
        ],
    ),
    (EQUAL, ["In the claimed direction (higher) the 95 % interval leaves open up to 3.9 percentage points."]),
    (EQUAL | {"p_lower": 0.3, "p_upper": 0.2, "p": 0.3}, ["or more are excluded on neither side (p = .300;"]),
    (
        EQUAL | {"p_upper": 0.3, "p": 0.3, "smallest_effect": 0.05},
        [
            "An outcome lower by 5.0 percentage points or more is excluded (p < .001); one higher by as much is not excluded, p = .300"
        ],
    ),
    (EQUAL | {"p_upper": 0.99}, ["one higher by as much is what was found (90 % interval"]),
    (
        EQUAL | {"p_lower": 0.2},
        ["An outcome higher by 2.0 percentage points or more is excluded (p = .004); one lower by as much"],
    ),
    (
        EQUAL | {"open_on_the_claimed_side": 0.0},
        ["In the claimed direction (higher) the 95 % interval leaves nothing open."],
    ),
    (EQUAL | {"expected": "equal"}, ["leaves open up to 3.9 percentage points higher and 0.0 lower."]),
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
    assert [word for word in words if word not in told] == [], told


def test_an_interval_that_holds_zero_is_not_said_to_lose_it():
    unclear = answer([CLUSTERS])
    unclear.effect.low = -0.01
    assert "It includes zero each time." in tables.checks(unclear).rows[0][1]
    unclear.robustness = [CLUSTERS | {"decide_about_zero": 0.04}]
    assert "Without 4 % of them the interval would exclude zero." in tables.checks(unclear).rows[0][1]


def test_alternatives_stand_under_the_answer_in_their_own_units():
    table = tables.alternatives(answer([CURVE | {"alternatives": [OTHER, MINUTES, SILENT]}]))
    assert table.rows == (
        ("The answer", "+3.1 percentage points", "2.3 to 3.9", "20,000", ""),
        ("Without the phone", "+2.0 percentage points", "1.1 to 2.9", "900", "agrees"),
        ("In minutes", "+0.020 minutes", "0.011 to 0.029", "not shown", "agrees, in steps of its own"),
        ("By pigeon", "–", "–", "–", "not estimated: no row is left"),
    )
    assert "no alternative" in tables.alternatives(answer([CURVE])).note


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


def test_numbers_in_words_stand_on_the_right_and_names_on_the_left():
    frame = pd.DataFrame(
        {
            "Site": ["1", "2"],
            "Mean": ["44.3", "\u22121.5"],
            "95 % interval": ["41.7 to 47.0", "–"],
            "Share": ["40.5 %", ""],
            "Said": ["12", "12 people"],
            "None": ["–", ""],
        }
    )
    aligned = [col.align for col in tables.frame(frame, "T").columns]
    assert aligned == ["left", "right", "right", "right", "left", "left"]
