"""Numbers as people read them."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from researchkit import wording


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (-0.0312, "−0.031"),
        (12345.6, "12,346"),
        (0.0, "0.0"),
        (-0.0, "0.0"),
        (math.nan, "not known"),
        (None, "not known"),
    ],
)
def test_a_number_to_two_digits(value, words):
    assert wording.number(value) == words


def test_an_interval_has_the_decimals_that_its_width_carries():
    assert wording.interval(2.345, 3.9) == "2.3 to 3.9"
    assert wording.estimate(0.03123, 0.02345, 0.03901) == ("0.031", "0.023 to 0.039")


@pytest.mark.parametrize(
    ("p", "words"), [(0.0344, "p = .034"), (0.00001, "p < .001"), (1.0, "p = 1.000"), (None, "p not known")]
)
def test_a_p_value_as_a_paper_prints_it(p, words):
    assert wording.probability(p) == words


@pytest.mark.parametrize(("value", "words"), [(30.0, "30"), (0.05, "0.05"), (1234567.0, "1234567"), (-0.5, "−0.5")])
def test_a_typed_number_keeps_every_digit(value, words):
    assert wording.typed(value) == words


@pytest.mark.parametrize(
    ("share", "words"), [(0.95, "95 %"), (1 - 0.2 * (1 - 0.95), "99 %"), (2 * 0.95 - 1, "90 %"), (0.975, "97.5 %")]
)
def test_the_level_of_an_interval_keeps_every_digit(share, words):
    assert wording.level(share) == words


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "it was 3.0 points (95 % interval −2.1 to 3.4), among 20",
            "it was 3.0 points (95_% interval −2.1_to_3.4), among 20",
        ),
        ("from 1 to nobody, 12 to 30 of 9 % to −4 %", "from 1 to nobody, 12_to_30 of 9_% to −4_%"),
    ],
)
def test_no_line_ends_within_an_interval(words, told):
    assert wording.unbroken(words) == told.replace("_", "\u00a0")


def test_no_interval_is_said_to_hold_everything(answered):
    effect = replace(answered("hospital", "length_of_stay").effect, level=0.999)
    assert "99.9 % interval" in effect.words
    assert "100 %" not in str(effect)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32), st.integers(0, 6))
def test_nothing_reads_minus_zero(value, places):
    words = wording.fixed(value, places)
    assert words.strip("−0.,") or not words.startswith("−")


def test_a_label_inside_a_sentence_keeps_the_capitals_of_german_nouns_and_names():
    told = (
        "Time as a customer",
        "NPS",
        "A day",
        "Qualität: Mitgefühl",
        "Commitment to the Army",
        "Trust in the NHS",
        "",
    )
    kept = (
        "time as a customer",
        "NPS",
        "a day",
        "Qualität: Mitgefühl",
        "Commitment to the Army",
        "trust in the NHS",
        "",
    )
    assert tuple(map(wording.lower_first, told)) == kept
