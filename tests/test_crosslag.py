"""The cross-lagged panel: its likelihood written out plainly, errors by cluster, units, waves in order, refusals."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from designed import question, sample
from scipy import stats

from researchkit.errors import EstimationError
from researchkit.estimators import crosslag as room
from researchkit.estimators import within

ASKED = question(within={"who": "who", "when": "wave", "model": "cross-lagged"}, outcome={"unit": "hour"})


def people(n=60, waves=3, *, seed=5, missing=0.1, usual=0.8, covariate=True, **given):
    """Two scores of people over waves: usual levels, what comes and goes with lags, and some waves missing."""
    rng = np.random.default_rng(seed)
    level = usual * rng.multivariate_normal([0, 0], [[1, 0.4], [0.4, 1]], size=n)
    now, rows = rng.normal(size=(n, 2)), []
    lags = np.array([[0.4, 0.1], [0.3, 0.3]])
    for wave in range(waves):
        if wave:
            now = now @ lags.T + rng.multivariate_normal([0, 0], [[1, 0.3], [0.3, 1]], size=n)
        rows.append(np.column_stack([np.arange(n), np.full(n, wave), level + now]))
    rows = np.concatenate(rows)
    rows = rows[rng.permutation(len(rows))]
    rows = rows[rng.random(len(rows)) > missing]
    who, wave, x, y = rows.T
    need = rng.normal(50, 9, size=len(who))
    x, y = 20 + 4 * x + 0.05 * need, 3 + 0.5 * y - 0.01 * need
    more = {
        "who": np.array([f"p{one:03.0f}" for one in who]),
        "wave": np.array([2.0, 5.0, 9.0, 10.0, 12.0])[wave.astype(int)],
    }
    return sample(y, x, {"need": need} if covariate else {}, more, **given)


@cache
def fitted():
    """The panel, its fit, and the clusters: six people to a site."""
    asked = people()
    asked = replace(asked, cluster=site_of(asked), cluster_name="site")
    wide = room.widened(asked, ASKED)
    return asked, wide, room.Panel(wide).fit()


def site_of(asked):
    return np.array([int(one[1:]) // 6 + 3 for one in asked.more["who"]])


def implied(theta, waves, *, stable=True, free=False):
    """The covariance of all scores, wave after wave: what comes and goes is (I - B)^-1 of its shocks, and the usual
    levels, which stay, are added."""
    of_lags = 4 * (waves - 1 if free else 1)
    carried = np.zeros((2 * waves, 2 * waves), dtype=theta.dtype)  # scores in the order x1 y1 x2 y2 ...
    shocks = np.zeros_like(carried)
    at = of_lags + (3 if stable else 0)
    for wave in range(waves):
        here = slice(2 * wave, 2 * wave + 2)
        xx, xy, yy = theta[at + 3 * wave : at + 3 * wave + 3]
        shocks[here, here] = [[xx, xy], [xy, yy]]
        if wave:
            step = 4 * (wave - 1) if free else 0
            carried[here, here.start - 2 : here.start] = theta[step : step + 4].reshape(2, 2)
    total = np.linalg.inv(np.eye(2 * waves) - carried)
    whole = total @ shocks @ total.T
    if stable:
        xx, xy, yy = theta[of_lags : of_lags + 3]
        whole = whole + np.kron(np.ones((waves, waves)), np.array([[xx, xy], [xy, yy]]))
    order = np.concatenate([np.arange(0, 2 * waves, 2), np.arange(1, 2 * waves, 2)])  # all x, then all y
    return whole[np.ix_(order, order)]


def by_person(theta, wide, **kind):
    """Each person's log-likelihood: those who were there at the same waves together."""
    waves = wide.values.shape[1] // 2
    sigma, q = implied(theta, waves, **kind), wide.covariates.shape[2]
    beta = theta[len(theta) - 2 * waves - q :]
    away = wide.values - beta[: 2 * waves] - wide.covariates @ beta[2 * waves :]
    there, found = np.isfinite(wide.values), np.zeros(len(away), dtype=theta.dtype)
    for pattern in np.unique(there, axis=0):
        rows, at = (there == pattern).all(axis=1), np.flatnonzero(pattern)
        inner, rest = sigma[np.ix_(at, at)], away[rows][:, at]
        size = np.log(np.linalg.det(inner)) + len(at) * np.log(2 * np.pi)
        found[rows] = -0.5 * (size + np.sum(rest @ np.linalg.inv(inner) * rest, axis=1))
    return found


def slopes(theta, wide):
    """Each person's slopes (n, p), by complex steps of the plain likelihood."""
    steps = 1e-20j * np.eye(len(theta))
    return np.column_stack([by_person(theta + step, wide).imag / 1e-20 for step in steps])


@pytest.mark.parametrize("stable", [True, False])
@pytest.mark.parametrize("free", [True, False])
def test_the_likelihood_is_that_of_a_normal_of_the_implied_covariance(stable, free):
    wide = room.widened(people(40, 4), ASKED)
    panel = room.Panel(wide, stable=stable, free=free)
    steps = 3 if free else 1
    assert panel.size == 4 * steps + (3 if stable else 0) + 3 * 4 + 2 * 4 + 2
    theta = panel.start + np.random.default_rng(7).normal(0, 0.05, panel.size)
    assert panel.sigma(theta) == pytest.approx(implied(theta, 4, stable=stable, free=free))
    value, slope = panel.total(theta)
    each = by_person(theta, wide, stable=stable, free=free)
    assert value == pytest.approx(each.sum())
    moved = 1e-20j * np.eye(panel.size)
    exact = np.column_stack([by_person(theta + one, wide, stable=stable, free=free).imag / 1e-20 for one in moved])
    assert slope == pytest.approx(exact.sum(axis=0))
    assert panel.scores(theta) == pytest.approx(exact)


def test_no_covariance_has_no_likelihood():
    panel = room.Panel(room.widened(people(40), ASKED))
    theta = panel.start
    theta[panel.of_lags + 3] = -9.0  # the first shock's variance
    assert panel.total(theta)[0] == -np.inf


def test_where_the_search_begins():
    """Likelier than a start that knows nothing of the means, and inside of what is a covariance."""
    panel = room.Panel(room.widened(people(40), ASKED))
    theta = panel.start
    assert np.isfinite(panel.total(theta)[0])
    assert np.linalg.eigvalsh(implied(theta, 3))[0] > 0
    means = theta[panel.of_sigma : panel.of_sigma + 6]
    assert means == pytest.approx(np.nanmean(panel.wide.values, axis=0))


def test_the_fit_is_the_top_and_its_errors_are_the_sandwich_by_cluster():
    _, wide, fit = fitted()
    each = slopes(fit.theta, wide)
    assert np.abs(each.sum(axis=0)).max() < 1e-4
    assert fit.loglik == pytest.approx(by_person(fit.theta, wide).sum())
    assert fit.parameters == len(fit.theta) == 4 + 3 + 9 + 6 + 2
    step = 1e-5 * np.eye(len(fit.theta))
    curvature = np.array(
        [(slopes(fit.theta - one, wide) - slopes(fit.theta + one, wide)).sum(axis=0) / 2e-5 for one in step]
    )
    plain = np.linalg.inv((curvature + curvature.T) / 2)
    assert fit.plain == pytest.approx(plain, rel=1e-4, abs=1e-7)
    sums = np.array([each[wide.cluster == one].sum(axis=0) for one in np.unique(wide.cluster)])
    assert len(sums) == 10
    assert fit.covariance == pytest.approx(plain @ (10 / 9 * sums.T @ sums) @ plain, rel=1e-3, abs=1e-6)


def test_the_effect_is_the_lag_from_exposure_to_outcome_in_units_of_both():
    asked, _, fit = fitted()
    effect = room.crosslag(asked, ASKED, 0.9)
    x, y = asked.exposure.std(), asked.outcome.std()
    scale = dict(zip(room.LAGS + room.STABLE, (1, x / y, y / x, 1, x * x, x * y, y * y), strict=True))
    order = [room.LAGS[2], room.LAGS[0], room.LAGS[1], room.LAGS[3], *room.STABLE]
    assert [term.term for term in effect.model.terms] == order
    theta = dict(zip(room.LAGS + room.STABLE, fit.theta, strict=False))
    error = dict(zip(room.LAGS + room.STABLE, np.sqrt(np.diag(fit.covariance)), strict=False))
    for term in effect.model.terms:
        value, se = scale[term.term] * theta[term.term], scale[term.term] * error[term.term]
        half = stats.t.ppf(0.95, 9) * se
        assert (term.estimate, term.se) == pytest.approx((value, se)), term.term
        assert (term.low, term.high) == pytest.approx((value - half, value + half))
        assert term.p == pytest.approx(2 * stats.t.sf(abs(value / se), 9))
    own = effect.model.terms[0]
    for field in ("estimate", "se", "low", "high", "p"):
        assert getattr(effect, field) == pytest.approx(getattr(own, field)), field
    assert (effect.n, effect.clusters, effect.df, effect.level) == (len(asked.outcome), 10, 9, 0.9)
    assert (effect.unit, effect.kind, effect.contrast) == ("hour", "score", "care +1 point")
    assert effect.method == "random-intercept cross-lagged panel by maximum likelihood, errors clustered by site"
    model = effect.model
    assert (model.name, model.errors, model.scale) == ("random-intercept cross-lagged panel", "cluster-robust", "hour")
    assert effect.notes == ("few clusters: 10 (site)",)
    assert within.within(asked, ASKED, 0.9).estimate == effect.estimate


def test_a_panel_and_its_fit_stay_as_they_are():
    _, wide, fit = fitted()
    for one, name in ((wide, "spread"), (fit, "theta")):
        with pytest.raises(FrozenInstanceError):
            setattr(one, name, None)


def test_units_move_each_part_as_they_should():
    asked = fitted()[0]
    one = room.crosslag(asked, ASKED)
    units = replace(asked, exposure=1000 * asked.exposure - 5, outcome=asked.outcome / 10)
    other = room.crosslag(units, question(within=ASKED.within.model_dump()))
    assert (one.level, other.unit, other.model.scale) == (0.95, "point", "points")
    factors = (1e-4, 1, 1e4, 1, 1e6, 1e2, 1e-2)
    for a, b, factor in zip(one.model.terms, other.model.terms, factors, strict=True):
        assert (b.estimate, b.se) == pytest.approx((factor * a.estimate, factor * a.se), rel=1e-4), a.term


def test_without_clusters_each_person_is_one():
    asked = fitted()[0]
    own = np.unique(asked.more["who"], return_inverse=True)[1]
    alone = room.crosslag(replace(asked, cluster=None, cluster_name=None), ASKED)
    same = room.crosslag(replace(asked, cluster=own, cluster_name="who"), ASKED)
    moving = replace(asked, cluster=np.arange(len(own)) % 7, cluster_name="ward")
    moved = room.crosslag(moving, ASKED)
    assert alone.se == pytest.approx(same.se) == pytest.approx(moved.se)
    assert alone.df == same.df == moved.df == own.max()
    assert alone.clusters is None and alone.method.endswith("errors clustered by person") and alone.notes == ()
    assert moved.method.endswith("errors clustered by person") and same.method.endswith("errors clustered by who")
    assert moved.notes == ("few clusters: 7 (ward)", "people change between ward, so errors are clustered by person")


@pytest.mark.parametrize("seed", [6, 18, 8, 17])  # none in the exposure, in the outcome, in both, in neither
def test_usual_levels_that_do_not_differ_are_said(seed):
    """Nobody has a level of his own here, so that its variance comes out on either side of nothing."""
    asked = people(80, 4, seed=seed, usual=0.0, covariate=False, missing=0)
    effect = room.crosslag(asked, ASKED)
    found = {term.term: term.estimate for term in effect.model.terms}
    levels = ("usual level of the exposure (variance)", "usual level of the outcome (variance)")
    none = [name for name in levels if found[name] <= 0]
    assert [name in none for name in levels] == {6: [1, 0], 18: [0, 1], 8: [1, 1], 17: [0, 0]}[seed]
    assert effect.notes == tuple(f"{name} came out as none: people hardly differ in it for long" for name in none)


def stuck(monkeypatch, curvature):
    """A panel whose search stays where it begins; and its largest slope there, a person."""
    panel = room.Panel(room.widened(people(40), ASKED))
    monkeypatch.setattr("scipy.optimize.minimize", lambda *args, **more: SimpleNamespace(x=panel.start))
    monkeypatch.setattr(panel, "curvature", lambda theta: np.diag(curvature * np.ones(panel.size)), raising=False)
    return panel, np.abs(panel.total(panel.start)[1]).max() / 40


def test_a_place_with_a_slope_is_no_top(monkeypatch):
    panel, slope = stuck(monkeypatch, 1e12)
    assert slope > 1e-3
    for limit, top in ((1.01 * slope, True), (0.99 * slope, False)):
        monkeypatch.setattr(room, "SMALL", limit)
        if top:
            assert panel.fit().theta == pytest.approx(panel.start, abs=1e-9)
            continue
        with pytest.raises(EstimationError, match="no clear top"):
            panel.fit()


def test_a_saddle_is_no_top(monkeypatch):
    monkeypatch.setattr(room, "SMALL", np.inf)
    down = np.where(np.arange(24) == 5, -1e12, 1e12)
    with pytest.raises(EstimationError, match="no clear top"):
        stuck(monkeypatch, down)[0].fit()


def test_two_scores_that_say_the_same_have_no_top():
    asked = people(covariate=False)
    with pytest.raises(
        EstimationError, match=r"no clear top of its likelihood.*ask with fewer waves, or by `model: fixed"
    ):
        room.crosslag(replace(asked, outcome=2 * asked.exposure + 1), ASKED)


def test_a_person_is_one_row_of_all_waves():
    """Four people, waves written as words, one of whom missed the second and one the first and last."""
    who = np.array(["b", "a", "b", "a", "a", "c", "d", "d"])
    wave = np.array(["10", "9", "9", "10", "11", "10", "11", "9"])
    x, y = np.arange(8.0) ** 2, 5 - np.arange(8.0)
    need = np.array([1.0, 0, 2, 0, 1, 0, 1, 3])
    asked = sample(
        y, x, {"need": need, "none": np.ones(8)}, {"who": who, "wave": wave}, cluster=np.array([5, 2, 5, 2, 2, 2, 5, 5])
    )
    wide = room.widened(asked, ASKED)
    nan, (zx, zy) = np.nan, ((one - one.mean()) / one.std() for one in (x, y))
    assert wide.spread == (pytest.approx(x.std()), pytest.approx(y.std()))
    expected = [
        [zx[1], zx[3], zx[4], zy[1], zy[3], zy[4]],
        [zx[2], zx[0], nan, zy[2], zy[0], nan],
        [nan, zx[5], nan, nan, zy[5], nan],
        [zx[7], nan, zx[6], zy[7], nan, zy[6]],
    ]
    assert wide.values == pytest.approx(np.array(expected), nan_ok=True)
    assert wide.waves == 3 and np.array_equal(wide.cluster, [0, 1, 0, 1])
    held = (need - need.mean()) / need.std()
    cells = np.zeros((4, 6, 4))  # need and the constant for the exposure, and both for the outcome
    at = {"a": [1, 3, 4], "b": [2, 0, None], "c": [None, 5, None], "d": [7, None, 6]}
    for person, rows in enumerate(at.values()):
        for place, row in enumerate(rows):
            if row is not None:
                cells[person, place, 0] = cells[person, 3 + place, 2] = held[row]
    assert wide.covariates == pytest.approx(cells)
    assert np.array_equal(room.widened(replace(asked, cluster=None), ASKED).cluster, np.arange(4))
    moving = replace(asked, cluster=np.arange(8))
    assert not room.nested(moving) and not room.nested(replace(asked, cluster=None)) and room.nested(asked)
    assert np.array_equal(room.widened(moving, ASKED).cluster, np.arange(4))


@pytest.mark.parametrize(
    ("values", "places"),
    [
        (np.array(["10", "9", "10", "first"]), [1, 0, 1, 2]),
        (np.array([10.0, 9.0, 10.0, 12.0]), [1, 0, 1, 2]),
        (np.array(["2025-03-01", "2024-01-01", "2025-03-01", "2025-03-02"], dtype="datetime64[ns]"), [1, 0, 1, 2]),
    ],
)
def test_waves_stand_in_order(values, places):
    assert np.array_equal(room.in_order(values), places)


def waves_of(waves, twice, once=0):
    """`twice` people seen at every wave, and `once` at the first alone."""
    who = np.concatenate([np.tile(np.arange(twice), waves), twice + np.arange(once)])
    wave = np.concatenate([np.repeat(np.arange(waves), twice), np.zeros(once)])
    rng = np.random.default_rng(1)
    return sample(*rng.normal(size=(2, len(who))), {}, {"who": who.astype(float), "wave": wave.astype(float)})


def test_too_few_or_too_many_waves_and_people_are_told_together():
    two = (
        "2 waves of wave are too few: with fewer than 3, what stays the same about people cannot be told from what comes "
        "and goes. Ask by `model: fixed effects`, or wait for the next wave."
    )
    few, many = (
        "fewer than 30 who were seen in two waves or more.",
        "13 waves of wave are more than the 12 that this model takes.",
    )
    for waves, twice, told in (
        (3, 30, []),
        (12, 30, []),
        (2, 30, [two]),
        (13, 30, [many]),
        (3, 29, [few]),
        (2, 29, [two, few]),
    ):
        asked = waves_of(waves, twice, 40)
        assert room.against(asked, ASKED) == told, (waves, twice)
    with pytest.raises(EstimationError) as caught:
        room.crosslag(waves_of(2, 29), ASKED)
    assert str(caught.value) == f"The question 'q' has 2 problems:\n  1. {two}\n  2. {few}"
    assert room.against(waves_of(2, 29), question()) == []
    assert room.against(replace(waves_of(2, 29), outcome=np.empty(0)), ASKED) == []
