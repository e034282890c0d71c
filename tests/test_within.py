"""Each against itself: the same as a column for each person, beside it what people differ in, and who counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from designed import question, sample

from researchkit.errors import EstimationError
from researchkit.estimators import score
from researchkit.estimators import within as room

ASKED = question(within={"who": "staff_id"}, outcome={"unit": "hour"})
TIMED = question(within={"who": "staff_id", "when": "wave"})


def drawn(n=90, persons=24, *, seed=7, **given):
    """Rows of people who differ in level, and whose exposure comes and goes; some have more rows than others."""
    rng = np.random.default_rng(seed)
    who = np.concatenate([np.repeat(np.arange(persons), 2), rng.integers(0, persons, n - 2 * persons)])
    rng.shuffle(who)
    level = rng.normal(size=persons)[who]
    x, need = level + rng.normal(size=n), 0.3 * level + rng.normal(size=n)
    wave = np.array([1.0, 2.0, 4.5])[np.arange(n) % 3]
    y = 2 + 0.5 * x + 3 * level + 0.4 * need + 0.3 * wave + rng.normal(size=n)
    more = {"staff_id": np.array([f"s{one:02d}" for one in who]), "wave": wave}
    return sample(y, x, {"need": need}, more, **given)


def codes(asked):
    return np.unique(asked.more["staff_id"], return_inverse=True)[1]


def of_dummies(asked, *more):
    """Coefficients with a column for each person, by (weighted) least squares."""
    who = codes(asked)
    columns = np.column_stack([asked.exposure, asked.covariates, *more, who[:, None] == np.unique(who)])
    weights = np.ones(len(who)) if asked.weights is None else asked.weights
    return sm.WLS(asked.outcome, columns, weights).fit().params


@pytest.mark.parametrize("weighted", [False, True])
def test_the_coefficients_are_those_of_a_column_for_each_person(weighted):
    asked = drawn(weights=1.0 + np.arange(90) % 4 if weighted else None)
    effect = room.within(asked, ASKED, 0.9)
    expected = of_dummies(asked)
    assert effect.estimate == pytest.approx(expected[0])
    assert [term.estimate for term in effect.model.terms[:2]] == pytest.approx(expected[:2])
    names = ["care", "need", "between: care", "between less within", "within and between together"]
    assert [term.term for term in effect.model.terms] == names
    errors = "CR2 errors clustered by staff_id, Satterthwaite degrees of freedom"
    assert effect.method == f"fixed effects, least squares, {errors}{', weighted' if weighted else ''}"
    assert (effect.kind, effect.unit, effect.contrast) == ("score", "hour", "care +1 point, for the same staff id")
    assert (effect.n, effect.clusters, effect.level) == (90, 24, 0.9)
    assert (effect.model.name, effect.model.errors) == ("least squares within each", "CR2")
    assert effect.notes == ()


def test_errors_are_those_of_the_columns_less_their_means_by_person():
    """Against CR2 written out: each person's residuals times (I - H)^(-1/2), (Bell and McCaffrey 2002)."""
    asked = drawn()
    who = codes(asked)
    own = (who[:, None] == np.unique(who)).astype(float)
    take = np.eye(90) - own @ np.linalg.inv(own.T @ own) @ own.T
    x, y = take @ np.column_stack([asked.exposure, asked.covariates]), take @ asked.outcome
    bread = np.linalg.inv(x.T @ x)
    rest, hat = y - x @ bread @ x.T @ y, x @ bread @ x.T
    meat = np.zeros((2, 2))
    for one in np.unique(who):
        here = who == one
        values, vectors = np.linalg.eigh(np.eye(here.sum()) - hat[np.ix_(here, here)])
        pull = x[here].T @ (vectors / np.sqrt(values)) @ vectors.T @ rest[here]
        meat += np.outer(pull, pull)
    effect = room.within(asked, ASKED)
    assert [term.se for term in effect.model.terms[:2]] == pytest.approx(np.sqrt(np.diag(bread @ meat @ bread)))
    assert effect.level == 0.95


@pytest.mark.parametrize("weighted", [False, True])
def test_beside_stand_the_comparison_of_people_and_both_together(weighted):
    weights = 1.0 + np.arange(90) % 4 if weighted else None
    asked = drawn(weights=weights)
    who, count = codes(asked), np.ones(90) if weights is None else weights
    mean = np.array([np.average(asked.exposure[who == one], weights=count[who == one]) for one in who])
    inner, ones = asked.exposure - mean, np.ones(90)
    by_mundlak = sm.WLS(asked.outcome, np.column_stack([mean, inner, asked.covariates, ones]), count).fit().params
    pooled = sm.WLS(asked.outcome, np.column_stack([asked.exposure, asked.covariates, ones]), count).fit().params
    between, apart, together = room.within(asked, ASKED, 0.9).model.terms[2:]
    assert between.estimate == pytest.approx(by_mundlak[0])
    assert apart.estimate == pytest.approx(by_mundlak[0] - by_mundlak[1])
    assert together.estimate == pytest.approx(pooled[0])
    clustered = replace(asked, cluster=who, cluster_name="staff_id")
    same = score.score(clustered, question(), 0.9).model.terms[0]
    assert (together.se, together.low, together.high, together.p) == (same.se, same.low, same.high, same.p)
    split = replace(clustered, exposure=mean, covariates=np.column_stack([inner, asked.covariates]))
    own = score.score(replace(split, names=("inner", "need"), groups=("inner", "need")), question(), 0.9).model.terms[0]
    assert (between.se, between.p) == pytest.approx((own.se, own.p))


def test_what_changed_for_all_at_a_time_is_held_equal():
    asked = drawn()
    effect = room.within(asked, TIMED)
    times = [asked.more["wave"] == one for one in (2.0, 4.5)]
    assert effect.estimate == pytest.approx(of_dummies(asked, *times)[0])
    assert [term.term for term in effect.model.terms[:4]] == ["care", "need", "wave: 2", "wave: 4.5"]
    assert effect.unit == "point"
    timed = room.with_times(asked, TIMED)
    assert timed.names == timed.groups == ("need", "wave: 2", "wave: 4.5")
    assert np.array_equal(timed.covariates[:, 1:], np.column_stack(times))
    words = replace(asked, more={**asked.more, "wave": np.array(["b", "a", "b"] * 30)})
    assert room.with_times(words, TIMED).names == ("need", "wave: b")
    once = replace(asked, more={**asked.more, "wave": np.ones(90)})
    assert room.with_times(once, TIMED).names == ("need",)
    assert room.with_times(asked, ASKED).names == ("need",)


def test_clusters_are_people_or_what_they_lie_in_or_both_where_these_cross():
    asked = drawn()
    who = codes(asked)
    alone = room.with_times(asked, ASKED)
    assert np.array_equal(alone.cluster, who) and (alone.cluster_name, alone.crossed) == ("staff_id", None)
    wards = replace(asked, cluster=who // 3, cluster_name="ward")
    assert room.with_times(wards, ASKED) == wards
    moving = replace(asked, cluster=np.arange(90) % 8, cluster_name="ward")
    both = room.with_times(moving, ASKED)
    assert np.array_equal(both.crossed, who) and (both.crossed_name, both.cluster_name) == ("staff_id", "ward")
    crossed = replace(moving, crossed=np.arange(90) % 5, crossed_name="month")
    assert room.with_times(crossed, ASKED) is crossed
    assert room.within(wards, ASKED).clusters == 8 and "CR1" in room.within(moving, ASKED).method


def test_a_covariate_that_stays_the_same_falls_out_of_within_alone():
    asked = drawn()
    age = 1e12 * np.random.default_rng(2).normal(40, 9, size=24)[codes(asked)]  # whose means are off by rounding
    more = replace(
        asked, covariates=np.column_stack([age, asked.covariates]), names=("age", "need"), groups=("age", "need")
    )
    plain, effect = room.within(asked, ASKED), room.within(more, ASKED)
    assert effect.estimate == pytest.approx(plain.estimate)
    assert [term.term for term in effect.model.terms[:2]] == ["care", "need"]
    assert effect.model.terms[2].estimate != pytest.approx(plain.model.terms[2].estimate)
    flat = np.column_stack([asked.covariates, np.ones(90)])  # the same for all: not even a note
    same = room.within(replace(asked, covariates=flat, names=("need", "site"), groups=("need", "site")), ASKED)
    assert (same.estimate, same.notes) == (pytest.approx(plain.estimate), plain.notes)
    only = replace(asked, covariates=age[:, None], names=("age",), groups=("age",))
    none = replace(asked, covariates=np.empty((90, 0)), names=(), groups=())
    assert room.within(only, ASKED).estimate == pytest.approx(room.within(none, ASKED).estimate)
    assert [term.term for term in room.within(only, ASKED).model.terms][:2] == ["care", "between: care"]
    # A further column of people leaves nothing between them to be told.
    every = (codes(asked)[:, None] == np.arange(1, 24)).astype(float)
    told = tuple(f"who {place}" for place in range(1, 24))
    people = room.within(replace(asked, covariates=every, names=told, groups=told), ASKED)
    assert [term.term for term in people.model.terms] == ["care", "within and between together"]
    assert people.model.terms[1].estimate == pytest.approx(people.estimate)


def test_where_people_do_not_differ_nothing_stands_between_them():
    asked = drawn()
    level = room.centred(asked.exposure, codes(asked), None)[1]
    for unit in (1, 1e12):  # what rounding leaves of the means is no difference
        effect = room.within(replace(asked, exposure=unit * (asked.exposure - level)), ASKED)
        assert [term.term for term in effect.model.terms] == ["care", "need"]
        assert unit * effect.estimate == pytest.approx(room.within(asked, ASKED).estimate)


def test_less_their_means():
    values, who = np.array([1.0, 5.0, 2.0, 9.0]), np.array([1, 0, 1, 1])
    away, mean = room.centred(values, who, None)
    assert (away, mean) == (pytest.approx([-3, 0, -2, 5]), pytest.approx([4, 5, 4, 4]))
    assert room.centred(values, who, np.array([1.0, 3, 1, 2]))[1] == pytest.approx([5.25, 5, 5.25, 5.25])
    assert room.changing(values, who).tolist() == [False, True]
    assert room.changing(np.full(4, 0.1) + values * 1e-12, who).tolist() == [False, True], "of a column's own spread"
    assert room.changing(np.ones(4), who).tolist() == [False, False]
    rounded = np.array([0.1 + 0.2, 0.3, 7.0, 8.0])
    for unit in (1, 1e12):
        assert room.changing(unit * rounded, np.array([0, 0, 1, 2])).tolist() == [False] * 3, "rounding is no change"


@pytest.mark.parametrize(("steady", "noted"), [(12, False), (13, True)])
def test_most_who_never_change_are_said(steady, noted):
    asked = drawn(48)  # two rows each
    who = codes(asked)
    still = np.where(who < steady, room.centred(asked.exposure, who, None)[1], asked.exposure)
    effect = room.within(replace(asked, exposure=still), ASKED)
    told = "of most, the exposure never changes; they add nothing to the answer"
    assert (told in effect.notes) == noted and effect.notes.count(told) == noted


def test_one_who_changes_is_too_few_and_two_are_enough():
    asked = drawn(48)
    who = codes(asked)
    level = room.centred(asked.exposure, who, None)[1]
    two = replace(asked, exposure=np.where(who < 22, level, asked.exposure))
    assert room.still(two, who, ASKED) == []
    one = replace(asked, exposure=np.where(who < 23, level, asked.exposure))
    with pytest.raises(EstimationError) as caught:
        room.within(one, ASKED)
    assert str(caught.value) == (
        "The question 'q': care changes for 1 of 24 staff_id; compared with themselves, at least 2 have to change. Ask "
        "without `within`, or about an exposure that changes."
    )


def test_an_outcome_that_never_changes_is_refused():
    asked = drawn()
    level = np.random.default_rng(1).normal(size=24)[codes(asked)]
    for unit in (1, 1e12):
        with pytest.raises(EstimationError) as caught:
            room.within(replace(asked, outcome=unit * level), ASKED)
        assert str(caught.value) == (
            "Question 'q': score never changes for anybody, so nobody can be compared with himself."
        )


def test_shares_are_told_as_probabilities():
    asked = drawn()
    told = question("yes_no", within={"who": "staff_id"})
    effect = room.within(replace(asked, outcome=(asked.outcome > 2).astype(float)), told)
    assert (effect.kind, effect.unit) == ("yes_no", "probability")


def test_units_scale_the_answer_and_nothing_else():
    asked = drawn()
    one = room.within(asked, TIMED)
    tiny = room.within(replace(asked, exposure=1e-12 * asked.exposure, outcome=1e-12 * asked.outcome), TIMED)
    assert (tiny.estimate, tiny.se) == pytest.approx((one.estimate, one.se))
    assert len(tiny.model.terms) == len(one.model.terms)
    other = room.within(replace(asked, exposure=1e6 * asked.exposure + 3, outcome=asked.outcome * 1e-6), TIMED)
    assert (1e12 * other.estimate, 1e12 * other.se, other.df, other.p) == pytest.approx(
        (one.estimate, one.se, one.df, one.p)
    )
    assert len(other.model.terms) == len(one.model.terms)
