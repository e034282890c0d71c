"""Small counts under the named profiles: shown, hidden, and never to be had by subtraction."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from researchkit.disclosure import PROFILES, enough, hard_to_tell, name_of, protect, rounded, shown, usual_base
from researchkit.errors import DisclosureError, ParameterError
from researchkit.linked import left

RULES = [
    ("none", {0: 0, 1: 1, 10: 10}),
    ("cms", {0: 0, 1: None, 10: None, 11: 11}),
    ("nhs", {0: 0, 1: None, 7: None, 8: 10, 12: 10, 13: 15, 1002: 1000}),
    ("ukllc", {0: None, 9: None, 10: 10}),
    ("five", {0: None, 4: None, 5: 5}),
]
a_table = st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 40), min_size=1)


@pytest.mark.parametrize(("name", "rule"), RULES)
def test_each_profile_follows_its_published_rule(name, rule):
    assert {count: shown(count, PROFILES[name]) for count in rule} == rule


@pytest.mark.parametrize(("name", "fewest"), [("none", 1), ("cms", 11), ("nhs", 8), ("ukllc", 10), ("five", 5)])
def test_a_result_needs_so_many_people(name, fewest):
    assert enough(fewest, PROFILES[name])
    assert not enough(fewest - 1, PROFILES[name])


def test_a_profile_says_which_rule_and_when():
    assert "2024-01-26" in PROFILES["cms"].version
    assert {name: profile.name for name, profile in PROFILES.items()} == {name: name for name in PROFILES}


@pytest.mark.parametrize(
    ("asked", "name"), [("cms", "cms"), ("cms-2024", "cms"), ("nhs-2018", "nhs"), ("five-1", "five"), ("none", "none")]
)
def test_a_profile_has_a_name_and_a_version(asked, name):
    assert name_of(asked) == name
    assert PROFILES[name].label.startswith(f"{name}-")


@pytest.mark.parametrize(("asked", "near"), [("cms-2023", "cms-2024"), ("nhz", "nhs"), ("UKLLC", "ukllc")])
def test_an_unknown_version_is_refused_with_the_nearest(asked, near):
    with pytest.raises(ParameterError, match="There is no disclosure profile") as error:
        name_of(asked)
    assert f"did you mean {near!r}?" in str(error.value) or "There are none (none-1), cms (cms-2024)" in str(
        error.value
    )


def test_a_profile_that_rounds_as_well_hides_what_it_hid_before():
    profile = PROFILES[rounded("cms", 10)]
    assert (profile.threshold, profile.round_to, profile.label) == (11, 10, "cms-2024")
    assert [shown(count, profile) for count in (0, 10, 11, 14, 15)] == [0, None, 11, 11, 20]
    assert rounded("nhs", usual_base(PROFILES["nhs"])) == "nhs" and rounded("none", 5) == "none"
    assert PROFILES[rounded("five", usual_base(PROFILES["five"]))].round_to == 10
    with pytest.raises(KeyError):
        PROFILES["csm rounded to 10"]


def test_hidden_counts_leave_each_other_the_width_of_the_profile():
    assert hard_to_tell([3, 9], PROFILES["cms"]) and not hard_to_tell([1, 10], replace(PROFILES["cms"], threshold=12))
    assert not hard_to_tell([4, 4, 3], PROFILES["cms"])  # each could be 1 to 9 only
    assert protect({"a": 4, "b": 4, "c": 3, "d": 30}, PROFILES["cms"])["d"] is None


def test_one_hidden_count_takes_the_next_smallest_with_it():
    counts = {"North": 3, "South": 40, "East": 25, "West": 0}
    assert protect(counts, PROFILES["cms"]) == {"North": None, "South": 40, "East": None, "West": 0}


def test_hidden_counts_that_are_few_together_take_another_with_them():
    assert protect({"a": 1, "b": 1, "c": 50, "d": 60}, PROFILES["cms"]) == {"a": None, "b": None, "c": None, "d": 60}


def test_two_hidden_counts_that_must_both_be_ten_take_another_with_them():
    assert protect({"a": 10, "b": 10, "c": 50}, PROFILES["cms"])["c"] is None


def test_rounding_needs_no_second_cell():
    assert protect({"a": 3, "b": 41, "c": 60}, PROFILES["nhs"]) == {"a": None, "b": 40, "c": 60}


@given(a_table, st.sampled_from(["cms", "ukllc", "five"]))
def test_no_hidden_count_can_be_had_by_subtraction(counts, name):
    profile = PROFILES[name]
    told = protect(counts, profile)
    hidden = [count for group, count in counts.items() if told[group] is None]
    assert all(told[group] in (None, shown(count, profile)) for group, count in counts.items())
    if not hidden or len(hidden) == len([count for count in counts.values() if count or not profile.zero_shown]):
        return  # nothing hidden, or all of it: then the total is not shown either
    least = 1 if profile.zero_shown else 0
    total, others = sum(hidden), len(hidden) - 1
    for place, _ in enumerate(hidden):  # what anyone can work out: the others are at least `least`
        assert others >= 1
        possible = range(least, total - others * least + 1)
        assert len(possible) > 1, (place, counts, told)
    assert total >= profile.threshold


@given(a_table, st.sampled_from(sorted(PROFILES)))
def test_the_order_of_the_groups_does_not_matter(counts, name):
    for order in itertools.islice(itertools.permutations(counts.items()), 6):
        assert protect(dict(order), PROFILES[name]) == protect(counts, PROFILES[name])


def test_a_count_below_zero_is_refused():
    with pytest.raises(DisclosureError, match="-1 is no count"):
        shown(-1, PROFILES["none"])


def test_people_are_counted_alike_however_many_there_are(monkeypatch):
    """Ticked off where there is room for it, else sorted; both against sets."""
    rng = np.random.default_rng(3)
    group, person = rng.integers(0, 7, 400), rng.integers(0, 60, 400)
    counted = [len({who for where, who in zip(group, person, strict=True) if where == one}) for one in range(8)]
    assert list(left.heads(group, person, 8)) == counted
    monkeypatch.setattr(left, "AT_ONCE", 0)
    assert list(left.heads(group, person, 8)) == counted
    some = group == 2
    assert left.heads_in(some, person) == counted[2] and left.heads_in(some & ~some, person) == 0
