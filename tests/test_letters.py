"""Words of drawings: none covers another, none leaves the page, all can be read in the narrow column of a paper."""

from __future__ import annotations

import itertools

import pytest
from drawings import KINDS, asked, sampled, words
from hypothesis import given
from hypothesis import strategies as st

from researchkit import figures
from researchkit.figures import ink, letters
from researchkit.figures.letters import Word

COLUMN, LEGIBLE = 3.35 * 72, 7.0  # points: of a narrow column, and of the smallest letters that journals take
a_place = st.floats(-50, 150, allow_nan=False)
some_words = st.lists(st.tuples(a_place, st.floats(4, 30)), min_size=1, max_size=9)


@given(some_words)
def test_names_at_the_ends_of_lines_stand_apart_and_in_order(rows):
    wanted, heights = [list(part) for part in zip(*rows, strict=True)]
    low, high = -60.0, max(400.0, sum(heights))
    found = letters.stacked(wanted, heights, low, high)
    edges = sorted((middle - tall / 2, middle + tall / 2) for middle, tall in zip(found, heights, strict=True))
    assert all(one[1] <= other[0] + 1e-6 for one, other in itertools.pairwise(edges))
    assert edges[0][0] >= low - 1e-6 and edges[-1][1] <= high + 1e-6
    order = sorted(range(len(wanted)), key=wanted.__getitem__)
    assert all(found[one] <= found[other] for one, other in itertools.pairwise(order))


def test_names_that_do_not_touch_stay_where_they_are_and_two_that_do_share_the_way():
    assert letters.stacked([10.0, 50.0], [8.0, 8.0], 0, 100) == [10.0, 50.0]
    assert letters.stacked([50.0, 52.0], [8.0, 8.0], 0, 100) == [47.0, 55.0]
    assert letters.stacked([1.0, 99.0], [8.0, 8.0], 0, 100) == [4.0, 96.0]


def test_words_take_the_first_place_that_is_free():
    first, second = Word("planned", 50, 50), Word("planned", 50, 80)
    assert letters.settled([[first, second]], (0, 0, 200, 200)) == [first]
    assert letters.settled([[first, second]], (0, 0, 200, 200), [(40, 45, 60, 55)]) == [second]
    assert letters.settled([[first], [first, second]], (0, 0, 200, 200)) == [first, second]
    over = letters.settled([[Word("planned", 190, 199)]], (0, 0, 200, 200))[0].box
    assert over[2] <= 200 and over[3] <= 200


@given(st.text(max_size=60), st.floats(20, 200))
def test_wrapped_words_are_never_wider_than_they_may_be(text, wide):
    assert all(
        letters.width(line) <= max(wide, letters.width("…")) + 1e-9 for line in letters.wrapped(text, wide).split("\n")
    )


def test_letters_that_our_font_has_not_take_room_too():
    assert letters.width("思いやり") == pytest.approx(4 * letters.SIZE)
    assert letters.width("") == 0 and letters.width("WWWW") > letters.width("iiii")


def test_numbers_at_an_axis_are_written_as_people_write_them():
    assert [ink.number(value) for value in (0.0, -0.25, 1500.0, -2e6)] == ["0", "−0.25", "1,500", "−2,000,000"]


def crowded(label):
    """Drawings with as many words as they are ever given, each of them this long."""
    yield figures.forest([(label, 1.0, 0.5, 1.5), (label, 123456.789, -1e6, 2e6)], unit=label, band=(-1.0, 1.0))
    others = [(label, 1.0, 0.0, 2.0)] * 15
    yield figures.specifications(
        [("a", 3.0, 2.0, 4.0)] * 3, planned=0, alternatives=others, unit=label, band=(-1.0, 1.0)
    )
    yield figures.dose(sampled(list(range(4)) * 25, [1, 2, 3, 4, 5] * 20), asked(label))
    ends = [
        figures.Curve(f"{at} {label}", [1, 5], [0.9, 0.5 + at / 1000], [0.8, 0.4], [1, 0.6], [90, 50])
        for at in range(5)
    ]
    yield figures.curves(ends, horizon=9, unit=label, title=label, ylabel=label)


@pytest.mark.parametrize("label", ["x" * 200, "思いやりのある対応" * 8, "👩‍⚕️ care é\u202e abc " * 6, "a\nb\tc \x00"])
def test_a_crowd_of_long_names_covers_nothing_and_stays_inside(label):
    for figure in crowded(label):
        apart_and_inside(figure)


@pytest.mark.parametrize("kind", KINDS)
def test_no_words_of_a_drawing_cover_others_or_leave_it(kind):
    apart_and_inside(KINDS[kind]())


def apart_and_inside(figure):
    found = list(words(figure.svg))
    wide, high = (float(side) for side in figure.svg.split('viewBox="0 0 ')[1].split('"')[0].split())
    assert len(found) > 2
    for one in found:
        left, top, right, bottom = one.box
        assert left >= 0 and top >= 0 and right <= wide and bottom <= high, one
    for one, other in itertools.combinations(found, 2):
        across = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
        down = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
        assert across <= 0.5 or down <= 0.5, (one.text, other.text)


@pytest.mark.parametrize("kind", ["forest", "ratios", "specifications", "sensitivity", "since", "funnel", "chart"])
def test_the_band_of_what_is_too_small_is_named_wherever_there_is_one(kind):
    said = [one.text for one in words(KINDS[kind]().svg)]
    assert " ".join(said).count("too small") == 1 and f"fill:{ink.BAND}" in KINDS[kind]().svg


@pytest.mark.parametrize("kind", KINDS)
def test_a_drawing_can_be_read_in_the_narrow_column_of_a_paper(kind):
    assert min(one.size for one in words(KINDS[kind]().svg)) * COLUMN / letters.WIDTH >= LEGIBLE
