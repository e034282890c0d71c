"""Halves of teams: every split, every jackknife and every agreement by plain loops; who rates; notes and refusals."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from designed import question, sample
from scipy import stats

from researchkit.errors import EstimationError
from researchkit.estimators import halves as room
from researchkit.estimators import score

SPLITS = 20


def asks(kind="score", unit=None, **told):
    return question(kind, {"unit": unit} if unit else None, halves={"team": "team", "splits": SPLITS} | told)


def waves(teams=7, people=5, times=3, *, seed=2, missing=0.15, **given):
    """People of teams over waves, some of them missing: a rating of the leader, an answer, two things held equal."""
    rng = np.random.default_rng(seed)
    team, who, when = (
        part.ravel() for part in np.meshgrid(np.arange(teams), np.arange(people), np.arange(times), indexing="ij")
    )
    there = rng.random(len(team)) > missing
    team, who, when = team[there], who[there], when[there]
    leader = rng.normal(size=(teams, times))[team, when]
    care, need = leader + 0.5 * rng.normal(size=len(team)), rng.normal(2, 3, size=len(team))
    outcome = 3 + 0.8 * leader + 0.1 * need + rng.normal(size=len(team))
    names = np.array([f"p{one}" for one in range(people)], dtype=object)[who]  # the same names in every team
    more = {"team": team.astype(float), "who": names, "when": when.astype(float)}
    return sample(outcome, care, {"need": need, "age": rng.normal(40, 9, size=len(team))}, more, **given)


def plainly(asked, rates, *, lag=0, without=None):
    """One split: the coefficient of the mean rating by the half that rates, by rows one at a time."""
    team, when = asked.more["team"], asked.more["when"]
    lines, values = [], []
    for row in np.flatnonzero(~rates):
        if without is not None and without[row]:
            continue
        meets = rates & (team == team[row]) & (when == when[row] - lag)
        if meets.any():
            lines.append([asked.exposure[meets].mean(), *asked.covariates[row], 1.0])
            values.append(asked.outcome[row])
    return np.linalg.lstsq(np.array(lines), np.array(values), rcond=None)[0][0]


def agreement(asked, rates):
    """The correlation of both halves' mean ratings, over teams and waves in which both have somebody."""
    pairs = []
    for team in np.unique(asked.more["team"]):
        for when in np.unique(asked.more["when"]):
            here = (asked.more["team"] == team) & (asked.more["when"] == when)
            if (here & rates).any() and (here & ~rates).any():
                pairs.append([asked.exposure[here & rates].mean(), asked.exposure[here & ~rates].mean()])
    return np.corrcoef(np.array(pairs).T)[0, 1]


@pytest.mark.parametrize("lag", [0, 1])
def test_every_split_is_least_squares_of_one_half_on_the_other(lag):
    asked, told = waves(), asks(who="who", when="when", lag=lag)
    split = room.split_of(asked, told)
    rates = room.by_lot(split, SPLITS)
    found, left, agree = room.estimates(asked, split, SPLITS)
    assert found == pytest.approx([plainly(asked, one, lag=lag) for one in rates])
    assert agree == pytest.approx([agreement(asked, one) for one in rates])
    for place, team in enumerate(np.unique(asked.more["team"])):
        out = asked.more["team"] == team
        expected = np.mean([plainly(asked, one, lag=lag, without=out) for one in rates])
        assert left[place] == pytest.approx(expected), team


def test_how_much_is_held_at_a_time_changes_nothing(monkeypatch):
    asked, told = waves(), asks(who="who", when="when")
    split = room.split_of(asked, told)
    whole = room.estimates(asked, split, SPLITS)
    for most in (1, 3000):
        monkeypatch.setattr(room, "AT_ONCE", most)
        for one, other in zip(room.estimates(asked, split, SPLITS), whole, strict=True):
            assert one == pytest.approx(other)


def test_as_many_splits_are_held_at_a_time_as_the_limit_allows(monkeypatch):
    asked, told, sizes = waves(), asks(who="who", when="when"), []
    plain = room.systems
    monkeypatch.setattr(room, "systems", lambda met, *rest: sizes.append(len(met)) or plain(met, *rest))
    each = len(asked.outcome) * (1 + 3) ** 2  # the rating beside need, age and the intercept
    for most, blocks in ((10 * each, [10, 10]), (10 * each - 1, [9, 9, 2]), (each - 1, [1] * 20)):
        monkeypatch.setattr(room, "AT_ONCE", most)
        sizes.clear()
        room.estimates(asked, room.split_of(asked, told), SPLITS)
        assert sizes == blocks


def test_an_interval_is_of_95_per_cent_unless_another_is_asked_for():
    asked, told = waves(), asks(who="who", when="when")
    usual, named = room.halves(asked, told), room.halves(asked, told, 0.95)
    assert (usual.level, usual.low, usual.high) == (0.95, named.low, named.high)


@pytest.mark.parametrize("clustered", [False, True])
def test_the_effect_is_the_mean_of_the_splits_with_the_error_of_the_jackknife(clustered):
    asked, told = waves(12, 4, 2), asks(who="who", when="when")
    if clustered:  # sites of two teams each
        sites = (asked.more["team"] // 2).astype(np.int64)
        asked = replace(asked, cluster=sites, cluster_name="site")
    effect = room.halves(asked, told, 0.9)
    split = room.split_of(asked, told)
    rates = room.by_lot(split, SPLITS)
    outer = asked.more["team"] if not clustered else asked.cluster
    found = [plainly(asked, one) for one in rates]
    left = np.array([np.mean([plainly(asked, one, without=outer == out) for one in rates]) for out in np.unique(outer)])
    groups = len(left)
    assert groups == (6 if clustered else 12)
    variance = (groups - 1) / groups * np.sum((left - left.mean()) ** 2) + np.var(found, ddof=1) / SPLITS
    estimate, se, df = np.mean(found), np.sqrt(variance), groups - 1
    half = stats.t.ppf(0.95, df) * se
    p = 2 * stats.t.sf(abs(estimate) / se, df)
    expected = (estimate, se, estimate - half, estimate + half, p)
    assert (effect.estimate, effect.se, effect.low, effect.high, effect.p) == pytest.approx(expected)
    name = "site" if clustered else "team"
    assert (effect.n, effect.clusters, effect.df, effect.unit) == (len(asked.outcome), groups, df, "point")
    assert effect.method == f"split halves of each team, mean of 20 splits by lot, jackknife over {name}"
    model = effect.model
    assert (model.name, model.errors, model.scale) == ("least squares, one half on the other", "CV3", "point")
    assert effect.notes == (f"few clusters: {groups} ({name})",)
    own, same, single, whole, corrected = model.terms
    assert own.term == "care"
    assert (own.estimate, own.se, own.low, own.high, own.p) == pytest.approx(expected)
    worth = np.mean([agreement(asked, one) for one in rates])
    assert (single.term, whole.term) == (
        "agreement of the halves (half a team)",
        "agreement of the halves (a whole team, Spearman-Brown)",
    )
    assert (single.estimate, whole.estimate) == pytest.approx((worth, 2 * worth / (1 + worth)))
    for term in (single, whole):
        assert np.isnan([term.se, term.low, term.high, term.p]).all()
    assert corrected.term == "corrected for the rating's error"
    told_of = (corrected.estimate, corrected.se, corrected.low, corrected.high, corrected.p)
    assert told_of == pytest.approx((*(one / worth for one in expected[:4]), p))
    # One person on both sides: plain least squares with errors by the same clusters.
    both = replace(asked, cluster=np.unique(outer, return_inverse=True)[1], cluster_name=name)
    plain = score.score(both, question(), 0.9).model.terms[0]
    assert same == replace(plain, term="one person on both sides")
    columns = np.column_stack([asked.exposure, asked.covariates, np.ones(len(asked.outcome))])
    assert same.estimate == pytest.approx(np.linalg.lstsq(columns, asked.outcome, rcond=None)[0][0])


def test_half_of_each_team_rates_by_lot():
    rng = np.random.default_rng(4)
    team = np.repeat(np.arange(4), [6, 5, 3, 2])
    order = rng.permutation(np.repeat(np.arange(16), 2))  # each of 16 people has two rows, in any order
    asked = sample(np.zeros(32), np.zeros(32), more={"team": team[order], "who": order.astype(float)})
    split = room.split_of(asked, asks(who="who"))
    rates = room.by_lot(split, 400)
    assert rates.shape == (400, 32)
    assert np.array_equal(rates, room.by_lot(split, 400)), "the same data, the same lots"
    person = np.array([rates[:, order == one].T for one in range(16)])
    assert (person[:, 0] == person[:, 1]).all(), "a person stays in one half"
    own = person[:, 0]
    assert np.abs(own.mean(axis=1) - 0.5).max() < 4 * 0.5 / np.sqrt(400), "everybody as often as not"
    for code, size in enumerate([6, 5, 3, 2]):
        many = own[team == code].sum(axis=0)
        assert set(many) == {size // 2, (size + 1) // 2}
        if size % 2:
            assert abs(np.mean(many == size // 2) - 0.5) < 0.1, "of an odd number sometimes one more"
    # Of four people of a team each pair is together as often as any other.
    pairs = [np.mean(own[one] & own[two]) for one in range(6) for two in range(one)]
    assert np.abs(np.array(pairs) - 3 * 2 / (6 * 5)).max() < 0.09


def test_who_is_in_which_cell_stays_as_it_is():
    with pytest.raises(FrozenInstanceError):
        room.split_of(waves(), asks(who="who", when="when")).cell = None


def test_who_is_in_which_cell_and_whom_it_meets():
    more = {"team": [1.0, 1.0, 2.0, 2.0, 1.0, 1.0], "who": list("abacab"), "when": [10.0, 9.0, 9.0, 10.0, 9.0, 7.0]}
    more["who"] = np.array(more["who"], dtype=object)
    asked = sample(np.zeros(6), np.zeros(6), more=more)
    now, before = (room.split_of(asked, asks(who="who", when="when", lag=lag)) for lag in (0, 1))
    for split in (now, before):
        assert [len(set(split.cell[list(rows)])) for rows in ((1, 4), (0, 1, 2, 3, 5))] == [1, 5]
        assert np.array_equal(split.cluster[split.cell], split.team), "without clusters each team is one"
        assert len(set(split.person)) == 4, "somebody in two teams is another person in each"
        assert split.person[0] == split.person[4] != split.person[2]
    assert np.array_equal(now.rated, np.arange(5))
    cell = dict(zip(((1, 10), (1, 9), (2, 9), (2, 10), None, (1, 7)), before.cell, strict=True))
    met = {one: before.rated[cell[one]] for one in cell if one}
    # 7, 9, 10 are the first, second and third wave: whoever skipped a wave has none before
    assert met == {(1, 10): cell[1, 9], (1, 9): cell[1, 7], (2, 10): cell[2, 9], (2, 9): -1, (1, 7): -1}


def test_clusters_within_which_teams_do_not_lie_give_way_to_the_teams():
    asked, told = waves(), asks(who="who", when="when")
    crossing = replace(asked, cluster=np.arange(len(asked.outcome)) % 5, cluster_name="month", crossed=None)
    split = room.split_of(crossing, told)
    assert np.array_equal(split.cluster[split.cell], split.team)
    sites = replace(asked, cluster=(asked.more["team"] // 3).astype(np.int64) + 4, cluster_name="site")
    split = room.split_of(sites, told)
    assert np.array_equal(split.cluster[split.cell], asked.more["team"] // 3)


def test_the_names_of_teams_and_the_order_of_the_rows_do_not_matter():
    asked, told = waves(), asks(who="who", when="when")
    first = room.halves(asked, told)
    order = np.random.default_rng(1).permutation(len(asked.outcome))
    arrays = {"outcome": asked.outcome[order], "exposure": asked.exposure[order], "covariates": asked.covariates[order]}
    mixed = replace(asked, **arrays, more={name: values[order] for name, values in asked.more.items()})
    again = room.halves(mixed, told)
    assert (first.estimate, first.se) == pytest.approx((again.estimate, again.se))
    units = room.halves(replace(asked, exposure=1000 * asked.exposure, outcome=60 * asked.outcome + 4), told)
    assert (units.estimate, units.se) == pytest.approx((0.06 * first.estimate, 0.06 * first.se))
    assert units.p == pytest.approx(first.p)


def test_what_can_agree_and_what_cannot():
    nan = float("nan")
    assert room.correlation(np.array([1.0, 2, 4, nan]), np.array([1.0, 3, 2, 5])) == pytest.approx(
        np.corrcoef([1, 2, 4], [1, 3, 2])[0, 1]
    )
    for one, two in (([1, 2, nan, 4], [1, 2, 3, nan]), ([1, 1, 1, nan], [1, 2, 3, 4]), ([1, 2, 3], [5, 5, 5])):
        assert np.isnan(room.correlation(np.array(one, dtype=float), np.array(two, dtype=float)))
    assert room.reliability(np.array([0.2, nan, 0.6])) == pytest.approx((0.4, 0.8 / 1.4))
    assert np.isnan(room.reliability(np.array([nan, nan]))).all()
    fails = "assumption fails: the two halves of the teams do not agree at all, so the rating says nothing of the team"
    assert room.disagreement(np.array([0.1, -0.05])) == ()
    for nothing in ([0.1, -0.1], [nan, nan], [-0.4, 0.1]):
        assert room.disagreement(np.array(nothing)) == (fails,)


def test_halves_that_do_not_agree_are_not_corrected_for():
    asked = waves(6, 4, 1, missing=0)
    spread = asked.exposure - [asked.exposure[asked.more["team"] == one].mean() for one in asked.more["team"]]
    effect = room.halves(replace(asked, exposure=spread), asks())
    assert len(effect.model.terms) == 4 and effect.model.terms[2].estimate == pytest.approx(-1)
    assert not effect.model.terms[3].estimate > -1e6, "Spearman and Brown divide by 1 - 1"
    assert effect.notes[-1].startswith("assumption fails: the two halves")


def test_three_teams_are_too_few_and_four_are_not():
    four = waves(4, 6, 1, missing=0)
    assert room.halves(four, asks()).df == 3
    with pytest.raises(EstimationError) as caught:
        room.halves(waves(3, 6, 1, missing=0), asks())
    assert str(caught.value) == (
        "The question 'q': 3 teams are too few for halves to be compared: at least 4 of two people or more are needed."
    )


def test_what_tells_the_rating_without_one_team_is_refused():
    """A rating that is alike everywhere but in one team: without that team there is nothing to compare."""
    asked = waves(5, 4, 1, missing=0)
    flat = np.where(asked.more["team"] == 2, asked.exposure, 0.0)
    with pytest.raises(
        EstimationError, match="Halves of these teams cannot be compared: without one of the teams, what"
    ):
        room.halves(replace(asked, exposure=flat, covariates=np.empty((20, 0)), names=(), groups=()), asks())


def test_shares_are_told_as_probabilities_and_scores_in_their_unit():
    asked = waves(8, 6, 1, missing=0)
    left = replace(asked, outcome=(asked.outcome > 3).astype(float))
    effect = room.halves(left, asks("yes_no"))
    assert (effect.kind, effect.unit, effect.model.scale) == ("yes_no", "probability", "probability")
    assert effect.estimate == pytest.approx(room.halves(left, asks(unit="day")).estimate)
    assert room.halves(left, asks(unit="day")).unit == "day"
