"""The planned mixed model of a question: its words and terms, on the scale of the data, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from designed import question, sample
from scipy import stats

from researchkit import wording
from researchkit.errors import EstimationError
from researchkit.estimators import mixed as room
from researchkit.estimators.multilevel import random_intercept


def drawn(n=120, groups=24, *, seed=5, slopes=0.6, levels=0.8, **given):
    rng = np.random.default_rng(seed)
    team = np.arange(n) % groups
    x, need = 3 + 2 * rng.normal(size=n), rng.normal(40, 9, size=n)
    each = 0.5 + slopes * rng.normal(size=groups)[team]
    y = 100 + each * x + 0.1 * need + levels * rng.normal(size=groups)[team] + rng.normal(size=n)
    given = {"cluster": team, "cluster_name": "team"} | given
    return sample(y, x, {"need": need}, **given)


@pytest.mark.parametrize("slope", [False, True])
def test_every_field_is_that_of_the_model_of_the_raw_columns(slope):
    asked = drawn()
    effect = (room.slopes if slope else room.intercepts)(asked, question(outcome={"unit": "day"}), 0.9)
    matrix = np.column_stack([asked.exposure, asked.covariates, np.ones(120)])
    middle = asked.exposure - asked.exposure.mean()  # intercepts are told at the average exposure
    fit = random_intercept(asked.outcome, matrix, asked.cluster, middle if slope else None)
    assert [term.term for term in effect.model.terms] == ["care", "need", "Intercept"]
    for place, term in enumerate(effect.model.terms):
        value, se, df = fit.coefficients[place], np.sqrt(fit.covariance[place, place]), fit.df[place]
        half = stats.t.ppf(0.95, df) * se
        assert (term.estimate, term.se) == pytest.approx((value, se), rel=1e-4), term.term
        assert (term.low, term.high) == pytest.approx((value - half, value + half), rel=1e-3)
        assert term.p == pytest.approx(2 * stats.t.sf(abs(value / se), df), rel=2e-2, abs=1e-12)
    own = effect.model.terms[0]
    for field in ("estimate", "se", "low", "high", "p"):
        assert getattr(effect, field) == getattr(own, field), field
    assert effect.df == pytest.approx(fit.df[0], rel=1e-3)
    assert (effect.n, effect.clusters, effect.level, effect.kind, effect.unit) == (120, 24, 0.9, "score", "day")
    assert (effect.model.name, effect.model.errors, effect.model.scale) == ("linear mixed model", "REML", "day")
    random = "random intercept and slope by team" if slope else "random intercept by team"
    assert effect.method == f"linear mixed model by REML, {random}, Satterthwaite degrees of freedom"
    share = wording.percent(fit.icc)
    where = " at the average care" if slope else ""
    notes = [f"{share} of the variance that is left lies between team{where} (ICC)"]
    if slope:
        sd = wording.number(float(np.sqrt(fit.between[1, 1])))
        notes.append(f"the effect differs between team with a standard deviation of {sd} days")
    assert effect.notes == tuple(notes)


def test_units_and_levels_that_nobody_named():
    effect = room.intercepts(drawn(), question())
    assert (effect.unit, effect.model.scale, effect.level) == ("point", "points", 0.95)
    slopes = room.slopes(drawn(), question())
    assert slopes.level == 0.95 and slopes.notes[1].endswith(" points")


def test_a_change_is_adjusted_for_its_baseline():
    asked = drawn()
    before = np.random.default_rng(1).normal(size=120) + asked.outcome
    effect = room.intercepts(replace(asked, baseline=before), question("change", {"baseline": "before"}))
    matrix = np.column_stack([asked.exposure, before - before.mean(), asked.covariates, np.ones(120)])
    fit = random_intercept(asked.outcome, matrix, asked.cluster)
    assert [term.estimate for term in effect.model.terms] == pytest.approx(list(fit.coefficients), rel=1e-4)
    assert effect.method.startswith("analysis of covariance on the baseline, linear mixed model by REML, random")


def test_clusters_that_do_not_differ_are_said():
    asked = drawn(slopes=0.0, levels=0.0)
    rest = [one - np.bincount(asked.cluster, weights=one)[asked.cluster] / 5 for one in (asked.outcome, asked.exposure)]
    alike = replace(asked, outcome=rest[0], exposure=rest[1], covariates=np.empty((120, 0)), names=(), groups=())
    effect = room.intercepts(alike, question())
    assert effect.notes == (
        "0.0 % of the variance that is left lies between team (ICC)",
        "singular fit: no differences (team), so errors are nearly those of independent rows",
    )


def test_clusters_that_differ_in_one_way_are_not_taken_for_independent_rows():
    """In the draw of this seed level and slope come out as one difference (their correlation is 1 or -1)."""
    asked = drawn(seed=3, levels=0.3, slopes=0.1)
    effect = room.slopes(asked, question())
    matrix = np.column_stack([asked.exposure, asked.covariates, np.ones(120)])
    between = random_intercept(asked.outcome, matrix, asked.cluster, asked.exposure - asked.exposure.mean()).between
    assert abs(between[0, 1]) == pytest.approx(np.sqrt(between[0, 0] * between[1, 1]), rel=1e-4)
    assert effect.notes[-1] == "singular fit: clusters differ in fewer ways than the model allows (team)"
    assert not effect.notes[0].startswith("0.0 %")


def test_few_clusters_and_columns_that_others_tell_are_noted():
    asked = drawn(groups=12)
    twice = replace(asked, covariates=np.column_stack([asked.covariates, 2 * asked.covariates]))
    effect = room.intercepts(replace(twice, names=("need", "again"), groups=("need", "again")), question())
    assert effect.notes[:2] == (
        "few clusters: 12 (team)",
        "left out because the other covariates determine them: again",
    )
    assert effect.estimate == pytest.approx(room.intercepts(asked, question()).estimate)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cluster": None, "cluster_name": None}, "The question 'q' names no clusters, so there is nothing for a random intercept to belong to. Name them under `clusters`, or leave `model` out of the alternative."),
        ({"crossed": np.arange(120) % 5, "crossed_name": "month"}, "The question 'q': clusters by team and by month cut across each other, and a random intercept would allow for one of them only. The errors clustered two ways allow for both."),
        ({"weights": np.ones(120)}, "The question 'q': a random intercept has no place for weights that say how many people a row stands for. Ask without `weights`, or without a random intercept."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("slope", [False, True])
def test_what_a_mixed_model_has_no_place_for(changes, said, slope):
    with pytest.raises(EstimationError) as caught:
        (room.slopes if slope else room.intercepts)(replace(drawn(), **changes), question())
    assert str(caught.value) == said


def test_an_exposure_of_the_cluster_has_an_intercept_but_no_slope():
    asked = drawn()
    own = np.random.default_rng(4).normal(size=24)[asked.cluster]
    alike = replace(asked, exposure=own)
    assert np.isfinite(room.intercepts(alike, question()).se)
    with pytest.raises(EstimationError) as caught:
        room.slopes(alike, question())
    assert str(caught.value) == (
        "The question 'q': care is the same for all rows of one team, so no cluster has a slope of its own. A random "
        "intercept will do."
    )
    one = own.copy()
    one[3] += 1e-3  # one row of one cluster is enough
    assert np.isfinite(room.slopes(replace(asked, exposure=one), question()).se)


def test_levels_of_all_clusters_leave_a_random_intercept_nothing():
    asked = drawn(60, 6)
    levels = (asked.cluster[:, None] == np.arange(1, 6)).astype(float)
    names = tuple(f"team {code}" for code in range(1, 6))
    told = replace(asked, covariates=levels, names=names, groups=("team",) * 5)
    for model in (room.intercepts, room.slopes):
        with pytest.raises(EstimationError) as caught:
            model(told, question())
        assert str(caught.value) == (
            "The question 'q': the columns of `adjust` give every team a level of its own already, so a random intercept "
            "adds nothing and the errors would take its people for strangers. Leave team out of `adjust`, or `model` out of "
            "the alternative."
        )
    most = replace(told, covariates=levels[:, :4], names=names[:4], groups=("team",) * 4)
    assert np.isfinite(room.intercepts(most, question()).se)
