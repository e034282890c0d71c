"""What answers about a flag or a score read: chances of review, flags, ratings, and on how few it rests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from designed import question, sample

from researchkit.errors import EstimationError
from researchkit.estimators import estimate_sample, reviewed

N = 60


def entry(**told):
    return question("yes_no", detection={"of": "sensitivity", "by": "flag", "minimum": 0.5} | told).detection


def made(n=N, more=None, **given):
    return sample(np.arange(n) % 2, np.arange(n) % 3, {"age": np.arange(n)}, more, **given)


def test_who_is_asked():
    asked = question(detection={"of": "effect", "by": "review"})
    assert reviewed.asked(asked) is asked.detection
    with pytest.raises(AssertionError):
        reviewed.asked(question())


def test_a_review_counts_for_as_many_as_its_chance_says():
    rows = made(4, {"p": [0.25, 0.5, 1.0, 0.1]})
    assert reviewed.reviewed(rows, entry(chance="p")).weights.tolist() == [4, 2, 1, 10]
    assert reviewed.reviewed(rows, entry()) is rows


@pytest.mark.parametrize("bad", [0.0, -0.1, 1.01, np.nan])
def test_a_chance_lies_above_nought_and_is_one_at_most(bad):
    with pytest.raises(EstimationError) as refused:
        reviewed.reviewed(made(5, {"p": [0.5, bad, 1.0, bad, 1e-9]}), entry(chance="p"))
    assert str(refused.value) == (
        "p: 2 entries are no chance of being reviewed, which lies above 0 and is 1 at most. Rows that could not have been "
        "reviewed are not spoken for; leave them out by `keep`."
    )


def test_numbers_are_wanted_and_words_refused():
    rows = made(3, {"p": np.array([1, 2, 3]), "word": np.array(["1", "2", "3"], dtype=object)})
    found = reviewed.numbers(rows, "p")
    assert found.tolist() == [1.0, 2.0, 3.0] and found.dtype == float
    with pytest.raises(EstimationError, match=r"^word: numbers are wanted here, and it holds words\.$"):
        reviewed.numbers(rows, "word")


@pytest.mark.parametrize(
    ("values", "yes", "found"),
    [
        ([1.0, 0.0, 1.0], "1", [1, 0, 1]),
        ([2.0, 5.0, 2.0], "5", [0, 1, 0]),
        ([1.0, 1.0, 1.0], "1", [1, 1, 1]),
        ([0.0, 0.0, 0.0], "1", [0, 0, 0]),
        ([0.0, 0.0, 0.0], "high", [0, 0, 0]),  # a word among numbers is nowhere
        (np.array(["yes", "no", "yes"], dtype=object), "yes", [1, 0, 1]),
        (np.array(["1", "0", "1"], dtype=object), "1.0", [1, 0, 1]),  # as the data write it
    ],
)
def test_a_flag_is_one_where_it_says_yes(values, yes, found):
    flags = reviewed.flagged(made(3, {"flag": values}), entry(yes=yes))
    assert flags.tolist() == found and flags.dtype == float


@pytest.mark.parametrize(
    ("values", "others"),
    [([0.0, 1.0, 2.0], 2), ([0.0, 3.0, 2.0], 3), (np.array(["a", "b", "1"], dtype=object), 2), ([], 0)],
)
def test_a_flag_with_more_than_two_entries_is_none(values, others):
    with pytest.raises(EstimationError) as refused:
        reviewed.flagged(made(len(values), {"flag": np.asarray(values)}), entry())
    assert str(refused.value) == (
        f"flag: a flag has two entries, and beside '1' there are {others} here. Say by `yes` which one counts, or use "
        "`recode`; for a score ask for `of: correlation`."
    )


def test_ratings_of_all_units_that_every_rater_has_rated():
    a, b = np.array([1.0, 2.0, np.nan, 4.0]), np.array([10.0, 20.0, 30.0, 40.0])
    c, d = np.array([5.0, 6.0, 7.0, 8.0]), np.array([50.0, np.nan, 70.0, 80.0])
    rows = made(4, {"a": a, "b": b, "c": c, "d": d})
    told = {"of": "correlation", "by": "flag"}
    once = reviewed.ratings(rows, entry(**told, raters=["a", "b"]))
    assert once.tolist() == [[1, 10], [2, 20], [4, 40]]
    twice = reviewed.ratings(rows, entry(**told, raters=["a", "b"], again=["c", "d"]))
    assert twice.tolist() == [[[1, 5], [10, 50]], [[4, 8], [40, 80]]]
    with pytest.raises(EstimationError, match=r"^the study file names no raters behind the score\.$"):
        reviewed.ratings(rows, entry())


def test_some_rows_of_a_sample_are_cut_from_every_array_of_it():
    rows = made(6, {"p": np.arange(6.0)}, weights=np.arange(6.0), cluster=np.arange(6), levels=("a",) * 6)
    kept = np.array([True, False, True, False, False, True])
    found = reviewed.rows(rows, kept)
    for name in ("outcome", "exposure", "covariates", "weights", "cluster"):
        assert np.array_equal(getattr(found, name), getattr(rows, name)[kept]), name
    assert found.more["p"].tolist() == [0, 2, 5] and list(found.more) == ["p"]
    assert (found.baseline, found.names, found.levels, found.people) == (None, ("age",), ("a",) * 6, 6)


def test_how_errors_are_clustered_and_weighted():
    assert reviewed.clustered(made()) == ""
    assert reviewed.clustered(made(cluster=np.arange(N))) == ", clustered by agent"
    assert reviewed.clustered(made(weights=np.ones(N))) == ", weighted"
    assert reviewed.clustered(made(cluster=np.arange(N), weights=np.ones(N))) == ", clustered by agent, weighted"


def test_few_rows_and_few_clusters_are_told_at_their_limits():
    rows = "few events: fewer than 25 rows to judge by; with so few, an interval is rough"
    teams = "few clusters: 19; fewer than 20 leave the error itself uncertain"
    many, some = made(cluster=np.arange(N) % 20), made(cluster=np.arange(N) % 19)
    assert reviewed.few(25, made()) == reviewed.few(40, made()) == () and reviewed.few(24, made()) == (rows,)
    assert reviewed.few(25, made(cluster=np.arange(N))) == ()
    assert reviewed.few(25, many) == () and reviewed.few(24, many) == (rows,)
    assert reviewed.few(25, some) == (teams,) and reviewed.few(24, some) == (rows, teams)


def test_a_partial_review_says_what_it_rests_on():
    assert reviewed.partly(made(), entry()) == ()
    assert reviewed.partly(replace(made()), entry(chance="p")) == (
        "only a part was reviewed: each review counts for as many as its chance says; where that chance is wrong, so is "
        "the answer",
    )


@pytest.mark.parametrize("cases", [9, 10])
def test_ten_true_cases_are_enough_and_fewer_are_not(cases):
    true = (np.arange(N) < cases).astype(float)
    rows = sample(true, np.zeros(N), more={"flag": np.arange(N) % 2})
    asked = question("yes_no", exposure="flag", detection={"of": "sensitivity", "by": "flag", "minimum": 0.5})
    if cases == 10:
        assert estimate_sample(rows, asked).estimate == pytest.approx(0.5 - 0.5)  # half of them are found
        return
    with pytest.raises(EstimationError, match="there are 9 rows in which score is yes"):
        estimate_sample(rows, asked)
