"""Small counts under the named profiles: shown, hidden, and never to be had by subtraction."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from researchkit.disclosure import (
    PROFILES,
    TOO_FEW,
    WITH_IT,
    Hidden,
    account,
    apart,
    enough,
    hard_to_tell,
    hid,
    name_of,
    nearest,
    note,
    protect,
    rounded,
    share,
    shown,
    taken,
    usual_base,
)
from researchkit.disclosure.cells import edge
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


@pytest.mark.parametrize(
    ("name", "least", "width"),
    [("none", 1, 1), ("cms", 1, 9), ("nhs", 1, 5), ("ukllc", 0, 9), ("five", 0, 4), ("cms rounded to 5", 1, 5)],
)
def test_how_far_a_hidden_count_stays_open(name, least, width):
    """From the smallest to the largest that is hidden, or by the base of the rounding where that is less."""
    assert (PROFILES[name].least, PROFILES[name].width) == (least, width)


def test_a_rule_about_one_or_two_is_a_rule():
    two = replace(PROFILES["cms"], threshold=2, round_to=2)
    assert two.protects and not PROFILES["none"].protects
    assert usual_base(two) == 2 and usual_base(PROFILES["cms"]) == 10
    assert replace(two, threshold=5).width == 2


@pytest.mark.parametrize("name", ["csm rounded to 10", "cms rounded to ten", "cms rounded to ", "cms 10"])
def test_what_is_no_name_of_a_profile_is_none(name):
    assert name not in PROFILES
    with pytest.raises(KeyError, match=name):
        PROFILES[name]


def test_a_finer_rounding_does_not_undo_that_of_the_rule():
    assert PROFILES["nhs rounded to 3"].round_to == 5 and PROFILES["nhs rounded to 20"].round_to == 20
    assert [rounded("nhs", base) for base in (4, 5, 6)] == ["nhs", "nhs", "nhs rounded to 6"]
    assert PROFILES["none rounded to 10"].round_to == 1  # where nothing is protected, nothing is rounded


SMALL = [replace(PROFILES[name], threshold=most) for name in ("cms", "ukllc") for most in (2, 3, 5)]
SMALL += [replace(one, round_to=2) for one in SMALL]


@pytest.mark.parametrize("profile", SMALL)
def test_what_is_hard_to_tell_is_so_in_every_way_that_it_could_have_been(profile):
    """Every two and three counts against all others with the same sum, as one would try them who knows the rule."""
    possible: dict[tuple[int, int], set[int]] = {}
    for many in (2, 3):
        for counts in itertools.product(range(profile.least, 14), repeat=many):
            possible.setdefault((many, sum(counts)), set()).add(counts[0])
    for (many, total), values in possible.items():
        if total > 10:
            continue  # the largest of them is not among those that were tried
        for counts in itertools.product(range(profile.least, total + 1), repeat=many):
            if sum(counts) == total:
                few = 0 < total < profile.threshold
                only = total == many * (profile.threshold - 1)  # all as large as what is hidden can be
                open_by = max(values) - min(values)
                assert hard_to_tell(list(counts), profile) == (not few and not only and open_by >= profile.width)
    assert not hard_to_tell([7], profile) and not hard_to_tell([], profile)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the first of its kind here, on a busy machine
@given(a_table, st.sampled_from(["cms", "ukllc", "five"]))
def test_no_more_is_hidden_than_is_needed(counts, name):
    """The smallest of those that might be shown, and not one of them too many."""
    profile = PROFILES[name]
    told = protect(counts, profile)
    small = [count for count in counts.values() if shown(count, profile) is None]
    with_them = [count for group, count in counts.items() if told[group] is None and shown(count, profile) is not None]
    still = [count for group, count in counts.items() if told[group] is not None and count]
    assert not with_them or not still or max(with_them) <= min(still)
    for fewer in range(len(with_them)):
        assert not hard_to_tell([*small, *sorted(with_them)[:fewer]], profile)
    assert not small or not still or hard_to_tell([*small, *with_them], profile)


@pytest.mark.parametrize("fewest", range(1, 5))
def test_a_share_stands_for_nobody_or_for_enough_on_both_sides(fewest):
    for part, whole in itertools.combinations_with_replacement(range(9), 2):
        told = share(part, whole, fewest)
        hidden = whole == 0 or part in range(1, fewest) or whole - part in range(1, fewest)
        assert told is None if hidden else told == part / whole


def test_groups_apart_hide_the_small_one_and_another():
    assert apart([1, 5, 9, 0], 3) == [False, False, True, True]
    assert apart([1, 5, 9], 0) == apart([1, 5, 9], 1) == [True, True, True]
    assert apart([4, 5, 9], 4) == [True, True, True]


@pytest.mark.parametrize("base", [4, 5, 10])
@pytest.mark.parametrize("name", ["nhs", "cms"])
def test_rounded_counts_tell_of_what_is_hidden_as_trying_out_would(base, name):
    """All counts that are told alike: how many people can the hidden reasons at most be?"""
    profile = replace(PROFILES[name], round_to=base)
    rounds_to: dict[int, list[int]] = {}
    for count in range(profile.threshold, 130):
        rounds_to.setdefault(nearest(count, profile), []).append(count)
    seen = set()
    ways = itertools.product(range(95, 105), range(25, 35), (0, 11, 13, 15), ((1,), (4,), (7,), (1, 3), (6, 7)))
    for arrived, dropped, late, hidden in ways:
        known = (arrived - dropped - late - sum(hidden), dropped, *([late] if late else []))
        told = {f"known {place}": nearest(one, profile) for place, one in enumerate(known[1:])}
        told |= {f"hidden {place}": None for place in range(len(hidden))}
        most = max(rounds_to[nearest(arrived, profile)]) - sum(min(rounds_to[nearest(one, profile)]) for one in known)
        seen.add(most - len(hidden) * profile.least < profile.width)
        assert edge(arrived, known[0], told, profile) == (most - len(hidden) * profile.least < profile.width)
    assert seen == {False, True}


def test_without_rounding_or_without_hidden_counts_there_is_no_edge():
    assert not edge(40, 37, {"a": None}, PROFILES["cms"])
    assert not edge(40, 30, {"a": 15}, PROFILES["nhs"])


def test_an_account_of_rows_lets_no_hidden_reason_be_worked_out():
    cms, coarse = PROFILES["cms"], PROFILES["cms rounded to 10"]
    assert account(100, {"left": 20, "moved": 30, "never": 0}, 50, cms) == (100, {"left": 20, "moved": 30}, 50)
    assert account(100, {}, 100, cms) == (100, {}, 100)
    assert account(100, {"left": 3, "moved": 20}, 77, cms) == (None, {"left": None, "moved": None}, 77)
    assert account(105, {"left": 3, "moved": 20, "late": 30}, 52, cms)[:2] == (
        105,
        {"left": None, "moved": None, "late": 30},
    )
    # 4 at most, for one who knows the 15
    assert account(254, {"left": 4, "moved": 15}, 235, coarse) == (None, {"left": None, "moved": 20}, 240)


def test_an_account_goes_by_people_where_rows_are_more_than_people():
    rows, people = {"left": 40, "moved": 30, "late": 12}, {"left": 3, "moved": 30, "late": 12}
    told = {"left": None, "moved": 30, "late": None}
    assert account(100, rows, 18, PROFILES["cms"], people) == (100, told, 18)
    few_rows = {"left": 3, "moved": 30, "late": 12}, {"left": 40, "moved": 30, "late": 12}
    assert account(100, few_rows[0], 55, PROFILES["cms"], few_rows[1])[1]["left"] is None


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


def test_the_owner_hears_what_was_hidden_and_why_once():
    taken()  # what others left
    counts, told = {"a": 1, "b": 20, "c": 0, "d": 11, "e": 10}, {"a": None, "b": None, "c": None, "d": 11}
    hid("rows", counts, told, PROFILES["none"])
    assert taken() == []
    hid("rows", counts, told, PROFILES["cms"])
    note(Hidden("rows: a", 1, TOO_FEW))
    why = [("a", 1, TOO_FEW), ("b", 20, WITH_IT), ("c", 0, WITH_IT), ("e", 10, TOO_FEW)]
    assert taken() == [Hidden(f"rows: {name}", people, reason) for name, people, reason in why]
    hid("rows", {"c": 0, "f": 10}, {}, PROFILES["ukllc"])  # nobody is as small a count as any there
    assert [one.to_dict() for one in taken()] == [
        {"what": "rows: c", "people": 0, "why": TOO_FEW},
        {"what": "rows: f", "people": 10, "why": WITH_IT},
    ]
    assert taken() == []


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
