"""Refusals and notes: each at its limit and just beside it, in whole sentences, from data that were made for it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from designed import question, sample

from researchkit.errors import EstimationError
from researchkit.estimators import refuse
from researchkit.flow import Step


def plain(n=40, covariates=None, **more):
    """Rows with which nothing is wrong: a score that is not the exposure."""
    return sample(np.arange(n) ** 2 % 17, np.arange(n) % 5, covariates, **more)


def check(rows, more=()):
    return refuse.check(rows, question(), more)


def refused(rows, more=()):
    with pytest.raises(EstimationError) as told:
        check(rows, more)
    return str(told.value)


def test_plain_rows_have_neither_problem_nor_note():
    assert check(plain()) == ()
    full = {"weights": np.ones(40), "baseline": np.arange(40.0), "offset_time": np.ones(40), "entry": np.zeros(40)}
    assert check(plain(40, {"age": np.arange(40.0)}, **full)) == ()


def test_an_empty_sample_says_where_most_rows_went():
    empty = replace(plain(0), rows=50, flow=(Step("no consent", 20), Step("score missing", 29), Step("a remark", 0)))
    assert refused(empty) == (
        "The question 'q': none of 50 rows is complete. Most of 50 rows were lost to: score missing (29)."
    )
    quiet = replace(plain(0), rows=0, flow=(Step("a remark", 0),))
    assert refused(quiet) == "The question 'q': none of 0 rows is complete. No row was dropped on the way."


@pytest.mark.parametrize("columns", [0, 1, 3])
def test_rows_are_at_least_two_more_than_coefficients(columns):
    rng = np.random.default_rng(1)
    need = 2 + columns + 2  # exposure and intercept beside them, and two degrees of freedom

    def rows(n):
        return sample(rng.normal(size=n), rng.normal(size=n), {f"c{i}": rng.normal(size=n) for i in range(columns)})

    assert check(rows(need)) == ()
    assert refused(rows(need - 1)) == (
        f"The question 'q': {need - 1} complete rows are too few for {need - 2} coefficients: at least {need} are "
        "needed. Adjust for fewer columns, or collect more data. No row was dropped on the way."
    )


def test_covariates_may_come_as_a_line():
    """A sample without covariates may hold an empty line in their place."""
    rows = replace(sample([1.0, 2.0, 4.0], [0.0, 1.0, 2.0]), covariates=np.empty(0))
    assert "3 complete rows are too few for 2 coefficients: at least 4" in refused(rows)
    assert check(replace(sample([1.0, 2.0, 4.0, 9.0], [0.0, 1.0, 2.0, 5.0]), covariates=np.empty(0))) == ()


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("outcome", "score"),
        ("exposure", "care"),
        ("covariates", "age"),
        ("weights", "the weights"),
        ("baseline", "the baseline"),
        ("offset_time", "the exposure time"),
        ("entry", "the entry time"),
    ],
)
def test_what_is_not_finite_is_counted_and_named(change, name):
    rows = plain(40, {"tenure": np.arange(40.0), "age": np.arange(40.0) % 7})
    values = np.array(getattr(rows, change) if getattr(rows, change) is not None else np.ones(40))
    hurt = values[:, 1] if values.ndim == 2 else values
    hurt[[3, 5, 8]] = [np.nan, np.inf, np.nan]
    assert refused(replace(rows, **{change: values})) == (
        f"The question 'q': {name} has 3 values that are not finite numbers. Correct them or declare them missing."
    )


def test_weights_are_above_nought():
    weights = np.ones(40)
    weights[:2] = [0.0, -1.0]
    assert refused(plain(weights=weights)) == (
        "The question 'q': 2 weights are zero or negative. Leave those rows out with `keep`."
    )
    weights[:2] = 0.5  # a weight below 1 is one
    assert check(plain(weights=weights)) == ()


def test_all_reasons_come_at_once_and_those_of_the_kind_last():
    told = refused(replace(plain(3), exposure=np.ones(3)), ["the kind's own."])
    assert told.splitlines()[0] == "The question 'q' has 3 problems:"
    assert told.splitlines()[1] == (
        "  1. care is the same in all 3 complete rows, so there is nothing to compare. Look at the `keep` rules and at "
        "how rows were lost to missing values."
    )
    assert told.splitlines()[2] == "  2. the kind's own." and told.splitlines()[3].startswith("  3. 3 complete rows")


# Clusters


def by_team(team, exposure, **more):
    n = len(team)
    return sample(np.arange(n) ** 2 % 17, exposure, cluster=np.asarray(team), **more)


def test_two_clusters_are_enough_and_one_is_not():
    half = np.arange(40) % 2
    assert check(by_team(np.arange(40) // 20, half)) == ("few clusters: 2 (agent)",)
    assert refused(by_team(np.zeros(40), half)) == (
        "The question 'q': all 40 rows belong to one value of agent; errors that allow for clusters need at least 2. "
        "Name a finer column under `clusters`, or collect data from more of them."
    )
    crossed = {"crossed": np.zeros(40), "crossed_name": "month"}
    assert "all 40 rows belong to one value of month" in refused(by_team(np.arange(40) // 20, half, **crossed))


@pytest.mark.parametrize(("arm", "side"), [(1, "with"), (0, "without")])
def test_one_side_that_is_one_cluster_and_nobody_else_is_refused(arm, side):
    exposure = np.repeat([arm, 1 - arm], [10, 30])
    alone = np.repeat([9, 1, 2, 3], 10)  # the first ten are team 9, all of it
    assert refused(by_team(alone, exposure)) == (
        f"The question 'q': all rows {side} care are one single agent and nobody else is in it, so the exposure cannot "
        "be told from that one. At least 2 are needed on each side."
    )
    shared = np.where(np.arange(40) == 39, 9, alone)  # somebody of the other side is in it
    assert check(by_team(shared, exposure)) == ("few clusters: 4 (agent)",)
    two = np.where(np.arange(40) < 5, 8, alone)
    assert check(by_team(two, exposure)) == ("few clusters: 5 (agent)",)


def test_a_further_level_is_on_neither_side():
    """Arm 2 is a further level: its rows have exposure 0, yet they are not those without it."""
    arm = np.repeat([1, 0, 2], [10, 10, 20])
    rows = by_team(np.repeat([5, 6, 7, 8], 10), arm == 1, covariates={"care: much": arm == 2}, groups=("care",))
    told = refused(rows)
    assert "2 problems" not in told and "all rows without care are one single agent" in told
    other = by_team(np.repeat([5, 6, 7, 8], 10), arm == 1, covariates={"age": arm == 2}, groups=("age",))
    assert "all rows with care are one single agent" in refused(other)


def test_a_numeric_exposure_has_no_sides():
    exposure = np.where(np.arange(40) < 10, 5.0, 1.0)
    assert check(by_team(np.repeat([9, 1, 2, 3], 10), exposure)) == ("few clusters: 4 (agent)",)


@pytest.mark.parametrize(("groups", "note"), [(19, ("few clusters: 19 (agent)",)), (20, ())])
def test_twenty_clusters_are_not_few(groups, note):
    n = 10 * groups
    assert check(by_team(np.arange(n) % groups, np.arange(n) // groups % 5)) == note
    crossed = {"crossed": np.arange(n) % groups, "crossed_name": "month"}
    both = by_team(np.arange(n), np.arange(n) % 5, **crossed)
    assert check(both) == tuple(one.replace("agent", "month") for one in note)


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("few", [4, 5])
def test_fewer_than_five_clusters_on_one_side_are_told(few, side):
    team = np.repeat(np.arange(30), 5)
    exposure = np.where(team < few, side, 1 - side)
    assert check(by_team(team, exposure)) == ((f"few clusters: {few} on one side (agent)",) if few < 5 else ())


# Weights


def test_kishs_size_is_what_rows_of_equal_weight_are_worth():
    assert refuse.kish(np.full(7, 3.0)) == pytest.approx(7)
    assert refuse.kish(np.array([1.0, 1.0, 4.0])) == pytest.approx(36 / 18)


@pytest.mark.parametrize(("heavy", "note"), [(5.9, False), (6.1, True)])
def test_weights_that_halve_the_rows_are_told(heavy, note):
    """Of ten rows one weighs 6 and nine 1: worth (9 + 6)² / (9 + 36) = 5, the half."""
    told = check(plain(10, weights=np.array([heavy] + [1.0] * 9)))
    assert told == (("uneven weights: 10 rows are worth 4.9 of equal weight (Kish's effective size)",) if note else ())


def test_half_of_an_odd_number_of_rows_is_no_whole_one():
    """Of eleven rows one weighs 6.5: worth 16.5² / 52.25 = 5.2, less than 5.5."""
    (told,) = check(plain(11, weights=np.array([6.5] + [1.0] * 10)))
    assert told.startswith("uneven weights: 11 rows are worth 5.2 of equal weight")


# Events


@pytest.mark.parametrize("total", [24, 25, 26])
def test_twenty_five_events_are_not_few(total):
    found = refuse.few_events(total, [])
    assert (found != ()) is (total < 25)
    if found:
        assert found == (
            "few events: fewer than 25; with so few, an interval holds the truth only roughly as often as it says: too "
            "often where there is no effect, not often enough where there is a large one",
        )


@pytest.mark.parametrize(("sides", "few"), [([9, 90], True), ([90, 9], True), ([10, 90], False), ([10, 10], False)])
def test_ten_events_on_each_side_are_not_few(sides, few):
    found = refuse.few_events(99, sides)
    assert (found != ()) is few
    assert all(note.startswith("few events: fewer than 10 on one side; with so few") for note in found)
    assert refuse.few_events(24, sides)[0].startswith("few events: fewer than 25;")


def test_events_are_counted_by_side_without_further_levels():
    arm = np.repeat([0, 1, 2], [60, 60, 60])
    rows = sample(arm, arm == 1, {"care: much": arm == 2, "age": np.arange(180)}, groups=("care", "age"))

    def with_events(*counts):
        each = [np.arange(60) < count for count in counts]
        return refuse.rare(np.concatenate(each).astype(float), rows, question())

    assert with_events(10, 10, 20) == ()
    assert with_events(10, 10, 4)[0].startswith("few events: fewer than 25;")
    assert with_events(9, 20, 20)[0].startswith("few events: fewer than 10 on one side")
    assert with_events(20, 9, 20)[0].startswith("few events: fewer than 10 on one side")
    assert with_events(9, 9, 0)[0].startswith("few events: fewer than 25;")
    numeric = replace(rows, exposure=np.arange(180.0), binary_exposure=False)
    assert refuse.rare(np.concatenate([np.ones(25), np.zeros(155)]), numeric, question()) == ()


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 1.5, 95])
def test_a_level_that_is_no_share_is_refused_by_its_value(level):
    with pytest.raises(EstimationError) as told:
        refuse.level(level)
    assert str(told.value) == f"The level of an interval lies between 0 and 1, such as 0.95; it is {level}."


@pytest.mark.parametrize("level", [0.001, 0.5, 0.95, 0.999])
def test_a_level_that_is_a_share_is_taken(level):
    refuse.level(level)


# Columns that tell the outcome


ENDED = np.array([True] * 4 + [False] * 6)


@pytest.mark.parametrize(
    ("column", "tells"),
    [
        ([5, 6, 7, 8, 1, 2, 3, 4, 4, 4], True),
        ([5, 6, 7, 8, 1, 2, 3, 4, 4, 5], True),  # they meet in one value: quasi-complete
        ([5, 6, 7, 8, 1, 2, 3, 4, 4, 6], False),
        ([1, 2, 3, 4, 5, 6, 7, 8, 9, 9], True),
        ([1, 2, 3, 4, 4, 6, 7, 8, 9, 9], True),
        ([1, 2, 3, 4, 3, 6, 7, 8, 9, 9], False),
        ([2] * 10, False),  # a column without any spread is left to others
        ([0, 0, 1, 1, 0, 1, 0, 1, 0, 1], False),
        ([-1, -2, -3, -4, 0, 1, 2, 3, 4, 5], True),
    ],
)
def test_a_column_separates_where_its_two_sides_do_not_overlap(column, tells):
    found = refuse.separating(np.array([column]).T.astype(float), ["age"], ENDED)
    assert len(found) == tells
    for one in found:
        assert one == (
            "age tells the outcome exactly: all rows on one side of it had the same outcome, so its effect has no "
            "finite estimate. Merge it with a neighbouring level, leave it out of the question, or collect more data."
        )


def test_a_column_of_two_values_says_how_many_rows_are_of_its_rarer_one():
    column = np.array([1.0, 1, 1, 0, 0, 0, 0, 0, 0, 0])
    found = refuse.separating(np.column_stack([np.arange(10) % 2, column]), ["care", "fax"], ENDED)
    assert len(found) == 1 and found[0].startswith("fax tells the outcome exactly: all 3 rows of its rarer value had")
    assert refuse.separating(1 - column[:, None], ["fax"], ENDED)[0].startswith("fax tells the outcome exactly: all 3")
    for ended in (np.ones(10, bool), np.zeros(10, bool)):  # one outcome only: others refuse that
        assert refuse.separating(column[:, None], ["fax"], ended) == []


@pytest.mark.parametrize(
    ("column", "tells"),
    [
        ([1, 1, 1, 1, 0, 0, 1, 1, 0, 0], True),  # nothing happened at 0
        ([0, 0, 0, 0, 1, 1, 0, 0, 1, 1], True),
        ([0, 1, 0, 1, 0, 1, 0, 1, 0, 1], False),
        ([3, 3, 3, 3, 1, 2, 3, 3, 3, 1], True),  # all events at one end of a number
        ([3, 3, 3, 3, 4, 5, 3, 3, 3, 6], True),
        ([3, 3, 3, 3, 1, 5, 3, 3, 3, 6], False),  # all in the middle: it has a finite best fit
        ([3, 3, 3, 4, 1, 2, 1, 1, 1, 1], False),  # they differ among themselves
        ([-1, -1, -1, -1, 0, 0, 0, 0, 0, 0], True),
        ([7] * 10, False),
    ],
)
def test_a_column_is_eventless_where_all_events_are_at_its_end(column, tells):
    found = refuse.eventless(np.array([column]).T.astype(float), ["age"], ENDED)
    assert len(found) == tells
    assert all("had no event, so its effect has no finite estimate" in one for one in found)


def test_eventless_columns_are_all_named_and_one_outcome_only_is_left_to_others():
    columns = np.column_stack([ENDED, np.arange(10) % 2, ~ENDED]).astype(float)
    found = refuse.eventless(columns, ["fax", "care", "post"], ENDED)
    assert [one.split()[0] for one in found] == ["fax", "post"]
    assert found[0].startswith("fax tells the outcome exactly: all 4 rows of its rarer value had no event, so")
    for happened in (np.ones(10, bool), np.zeros(10, bool)):
        assert refuse.eventless(columns, ["fax", "care", "post"], happened) == []


def test_the_coefficient_that_ran_furthest_is_named():
    told = str(refuse.no_maximum(["a", "b", "c"], np.array([3.0, -20.0, 8.0])))
    assert told == (
        "The model has no finite best fit: the coefficient of b grows without end, so that some combination of columns "
        "tells the outcome exactly. Merge its rare levels, leave it out of `adjust`, or collect more data."
    )
    assert "no finite best fit in one of 5 folds: the coefficient of a" in str(
        refuse.no_maximum(["a", "b"], np.array([9.0, 1.0]), "in one of 5 folds")
    )
