"""Effects without an assumption of their model, by plain sums and statsmodels: values, errors, limits, words, refusals."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import statsmodels.api as sm
from designed import question, sample
from scipy.special import expit
from scipy.stats import norm, t

from researchkit.errors import EstimationError
from researchkit.estimators import estimate_sample, relaxed

SQUARE = relaxed.SQUARE


def lasting(horizon=1.5, **more):
    return question("duration", {"event": "ended", "horizon": horizon, "unit": "day", "good": "low"}, **more)


def times(competing=False, entry=False, n=90, seed=1):
    """Times without ties, longer with care; two covariates; some lost from sight."""
    rng = np.random.default_rng(seed)
    care, need, age = (np.arange(n) % 2).astype(float), rng.normal(size=n), rng.normal(size=n)
    last, first = rng.exponential(2.5, n) + 0.3, rng.weibull(1 + care) * np.exp(0.4 * need)
    other = rng.exponential(2.0, n) if competing else np.full(n, np.inf)
    time = np.minimum(np.minimum(first, other), last)
    event = np.where(time == first, 1.0, np.where(time == last, 0.0, 3.0))
    late = 0.5 * time * (np.arange(n) % 3 == 0) if entry else None
    return sample(time, care, {"need": need, "age": age}, event=event, entry=late)


def by_hand(rows, horizon, weights):
    """Strata by strata: Cox by statsmodels, hazards one over those at risk, incidence step by step; averaged evenly."""
    entry = np.zeros(len(rows.outcome)) if rows.entry is None else rows.entry
    codes = [1, 3] if 3 in rows.event else [1]
    slopes = [
        sm.PHReg(rows.outcome, rows.covariates, status=rows.event == code, entry=entry, strata=rows.exposure)
        .fit()
        .params
        for code in codes
    ]
    areas = []
    for arm in (1, 0):
        inside = rows.exposure == arm
        moments = sorted((rows.outcome[i], rows.event[i]) for i in np.flatnonzero(inside & (rows.event > 0)))
        free, area = np.ones(len(rows.outcome)), np.full(len(rows.outcome), horizon)
        for time, event in moments:
            if time >= horizon:
                continue
            b = slopes[codes.index(event)]
            there = inside & (rows.outcome >= time) & (entry < time)
            own = np.exp(rows.covariates @ b) / np.sum(np.exp(rows.covariates[there] @ b))
            if event == 1:
                area -= (horizon - time) * free * -np.expm1(-own)
            free = free * np.exp(-own)
        areas.append(area @ weights / weights.sum())
    return areas[0] - areas[1]


@pytest.mark.parametrize("competing", [False, True])
@pytest.mark.parametrize("entry", [False, True])
def test_hazards_of_their_own_give_the_areas_of_each_sides_curve(competing, entry):
    rows = times(competing, entry)
    found = relaxed.own_hazards(rows, lasting())
    assert found.estimate == pytest.approx(by_hand(rows, 1.5, np.ones(90)), rel=1e-6)
    assert found.method == "Cox model with a baseline hazard of its own on each side"


@pytest.mark.parametrize("competing", [False, True])
@pytest.mark.parametrize("entry", [False, True])
@pytest.mark.parametrize("covariates", [False, True])
def test_the_influence_of_a_row_is_what_a_little_more_weight_does(monkeypatch, competing, entry, covariates):
    """By numerical derivatives, tied times too; people are averaged evenly whatever their weight."""
    rows = times(competing, entry, 60)
    rows = replace(rows, outcome=np.ceil(10 * rows.outcome) / 10)
    if not covariates:
        rows = replace(rows, covariates=np.empty((60, 0)), names=(), groups=())
    even = np.full(60, 1 / 60)
    monkeypatch.setattr(relaxed, "shares", lambda *_: even)

    def moved(row, step):
        weighted = replace(rows, weights=np.ones(60) + step * np.eye(60)[row])
        return relaxed.own_hazards_difference(weighted, lasting())[0].value

    found, _, fits = relaxed.own_hazards_difference(rows, lasting())
    influence = found.influence(fits)
    for row in range(0, 60, 7):
        numerical = (moved(row, 1e-4) - moved(row, -1e-4)) / 2e-4
        assert influence[row] == pytest.approx(numerical, rel=1e-3, abs=1e-7)
    assert len(fits) == 1 + competing and len(found.slopes[0]) == 2 * covariates


def test_the_interval_of_hazards_of_their_own_is_t_by_its_own_degrees_of_freedom():
    rows = times()
    narrow, wide = (relaxed.own_hazards(rows, lasting(), level) for level in (0.5, 0.99))
    assert (narrow.estimate, narrow.se) == (wide.estimate, wide.se)
    ratio = (wide.high - wide.estimate) / (narrow.high - narrow.estimate)
    assert norm.ppf(0.995) / norm.ppf(0.75) < ratio < t(10).ppf(0.995) / t(10).ppf(0.75)
    assert narrow.high - narrow.estimate == pytest.approx(narrow.estimate - narrow.low)
    found, _, fits = relaxed.own_hazards_difference(rows, lasting())
    plain = np.sqrt(found.influence(fits) @ found.influence(fits))
    assert plain < narrow.se < 1.15 * plain  # what each row pulled the fit by is added
    assert list(narrow.to_dict()) == ["estimate", "se", "low", "high", "method"]
    assert tuple(narrow.to_dict().values()) == (narrow.estimate, narrow.se, narrow.low, narrow.high, narrow.method)


def test_weights_stand_for_people_in_the_average():
    rows = times()
    weights = np.where((rows.exposure == 1) & (rows.outcome > 1), 5, 1)
    heavy = relaxed.own_hazards(replace(rows, weights=weights.astype(float)), lasting())
    twice = [np.repeat(part, weights, axis=0) for part in (rows.outcome, rows.exposure, rows.covariates, rows.event)]
    longer = replace(rows, outcome=twice[0], exposure=twice[1], covariates=twice[2], event=twice[3])
    # repeated rows are tied, and Efron's ties are not those of weights: near, not equal
    assert heavy.estimate == pytest.approx(relaxed.own_hazards(longer, lasting()).estimate, abs=0.01)
    assert heavy.estimate != pytest.approx(relaxed.own_hazards(rows, lasting()).estimate, abs=0.01)


def test_strata_number_the_levels_of_the_exposure():
    arm = np.array([0, 1, 2, 3, 1, 0])
    rows = sample(
        arm, arm == 1, {"age": arm, "care: much": arm == 2, "care: all": arm == 3}, groups=("age", "care", "care")
    )
    assert relaxed._strata(rows, question()).tolist() == arm.tolist()


def sides(events=(5, 5), last=(2.0, 2.0), end=(0.0, 0.0)):
    """20 rows a side: so many events, early; the last row's time, and whether it ended there."""
    parts = []
    for count, longest, ended in zip(events, last, end, strict=True):
        time = np.append(np.linspace(0.1, 0.8, 19), longest)
        parts.append((time, np.append(np.arange(19) < count, ended)))
    time, event = (np.concatenate(part) for part in zip(*parts, strict=True))
    return sample(time, np.repeat([0, 1], 20), event=event.astype(float))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (sides(), None),
        (sides((4, 5)), "too few events happened without care for a hazard of its own"),
        (sides((5, 4)), "too few events happened with care for a hazard of its own"),
        (sides(last=(1.5, 1.5)), None),
        (sides(last=(1.4, 2.0)), "nobody without care was watched until the horizon"),
        (sides(last=(2.0, 1.4)), "nobody with care was watched until the horizon"),
        (sides(last=(1.4, 1.4), end=(1.0, 2.0)), None),
        (sides((4, 5), last=(1.4, 2.0), end=(1.0, 0.0)), None),
    ],
)
def test_each_side_has_five_events_and_is_watched_to_the_horizon_or_ended(made, words):
    if words is None:
        assert relaxed.own_hazards(made, lasting()).se > 0
        return
    with pytest.raises(EstimationError) as refused:
        relaxed.own_hazards(made, lasting())
    assert str(refused.value) == words


# Pseudo-values


def area(time, event, weights, horizon):
    """Mean time without event 1 up to the horizon, step by step: who ended otherwise never has it."""
    free, found = 1.0, horizon
    for moment in np.unique(time[(event > 0) & (time < horizon)]):
        there = weights[time >= moment].sum()
        first, ended = (weights[(time == moment) & kind].sum() for kind in (event == 1, event > 0))
        found -= (horizon - moment) * free * first / there
        free *= 1 - ended / there
    return found


@pytest.mark.parametrize("competing", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("all_end", [False, True])
def test_pseudo_values_are_the_mean_and_what_each_row_moves_it_by(competing, weighted, all_end):
    rng = np.random.default_rng(4)
    time, event = np.ceil(8 * rng.exponential(0.7, 40)) / 8, rng.integers(0, 3 if competing else 2, 40)
    if all_end:
        event[time == time.max()] = 1
    horizon = time.max() + 0.5 if all_end else 1.0
    weights = rng.uniform(0.5, 3, 40) if weighted else np.ones(40)
    found = relaxed.pseudo_values(time, event, horizon, weights if weighted else None)
    whole, steps = area(time, event, weights, horizon), 1e-6 * np.eye(40)
    moved = [(area(time, event, weights + s, horizon) - area(time, event, weights - s, horizon)) / 2e-6 for s in steps]
    assert found == pytest.approx(whole + weights.sum() * np.array(moved), abs=1e-6)
    assert np.average(found, weights=weights) == pytest.approx(whole)


def test_without_any_event_before_the_horizon_everybody_has_all_of_it():
    assert relaxed.pseudo_values(np.array([1.0, 2.0, 3.0]), np.array([0, 1, 1]), 2.0).tolist() == [2.0, 2.0, 2.0]


def test_a_straight_line_through_pseudo_values():
    rows = replace(times(competing=True), weights=np.random.default_rng(3).uniform(0.5, 2, 90))
    found = relaxed.straight_time(rows, lasting(), 0.9)
    event = np.minimum(rows.event, 2).astype(int)
    values = relaxed.pseudo_values(rows.outcome, event, 1.5, rows.weights)
    columns = np.column_stack([np.ones(90), rows.exposure, rows.covariates])
    fit = sm.WLS(values, columns, weights=rows.weights).fit(cov_type="HC3", use_t=True)
    low, high = fit.conf_int(0.1)[1]
    told = (found.estimate, found.se, found.low, found.high)
    assert told == pytest.approx((fit.params[1], fit.bse[1], low, high))
    assert found.method == "least squares on pseudo-values of the time"
    with pytest.raises(EstimationError) as refused:
        relaxed.straight_time(times(entry=True), lasting())
    assert str(refused.value) == "with late entry, people's own mean times cannot be told apart from when they came"


# The top alone


def test_the_top_alone_is_a_logistic_regression_or_a_line_through_points():
    rng = np.random.default_rng(5)
    care, need, answer = rng.normal(size=300), rng.normal(size=300), rng.choice([0, 2, 3], 300)
    told = {"levels": tuple("abcd"), "level_values": (1.0, 2.0, 3.0, 4.0), "level_codes": tuple("1234")}
    rows = sample(answer, care, {"need": need}, **told)
    found = relaxed.top_alone(rows, question("ordered", {"top": ["3", "4"]}), 0.9)
    fit = sm.Logit(answer >= 2, np.column_stack([np.ones(300), care, need])).fit(disp=0, tol=1e-13)
    effects = fit.get_margeff()
    low, high = effects.conf_int(0.1)[0]
    assert (found.estimate, found.se) == pytest.approx((effects.margeff[0], effects.margeff_se[0]), rel=1e-6)
    assert (found.low, found.high) == pytest.approx((low, high), rel=1e-6)
    assert found.method == "logistic regression of the top group alone"

    scores = rng.choice([0, 5, 6, 7, 8, 9, 10], 300)
    eleven = {"levels": tuple(map(str, range(11))), "level_values": tuple(map(float, range(11)))}
    rows = sample(scores, care, {"need": need}, **eleven, level_codes=eleven["levels"])
    found = relaxed.top_alone(rows, question("ordered", {"nps": True}), 0.9)
    points = 100.0 * (scores >= 9) - 100.0 * (scores <= 6)
    fit = sm.OLS(points, np.column_stack([np.ones(300), care, need])).fit(cov_type="HC3", use_t=True)
    low, high = fit.conf_int(0.1)[1]
    told = (found.estimate, found.se, found.low, found.high)
    assert told == pytest.approx((fit.params[1], fit.bse[1], low, high))
    assert found.method == "least squares of what each answer counts"


# A line that may bend


def bending(kind, weighted, n=200):
    rng = np.random.default_rng(6)
    care, need, days = 5 + 2 * rng.gamma(2, 1, n), rng.normal(size=n), rng.uniform(0.5, 3, n)
    eta = -1 + 0.3 * (care - 9) + 0.05 * (care - 9) ** 2 + 0.3 * need
    outcome = {"yes_no": rng.random(n) < expit(eta), "counts": rng.poisson(days * np.exp(0.4 * eta))}.get(kind)
    outcome = eta + rng.normal(size=n) if outcome is None else outcome
    weights = rng.uniform(0.5, 3, n) if weighted else None
    return sample(outcome, care, {"need": need}, weights=weights, offset_time=days if kind == "counts" else None)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_average_slope_of_a_bent_score_is_that_at_the_mean(weighted):
    rows = bending("score", weighted)
    found, square = relaxed.bent(rows, question(), 0.9)
    weights = np.ones(200) if rows.weights is None else rows.weights
    away = rows.exposure - np.average(rows.exposure, weights=weights)
    columns = np.column_stack([np.ones(200), away, rows.covariates, away**2 / rows.exposure.var()])
    fit = sm.WLS(rows.outcome, columns, weights=weights).fit(cov_type="HC3", use_t=True)
    for told, place in ((found, 1), (square, 3)):
        ends = (told.estimate, told.se, told.low, told.high)
        assert ends == pytest.approx((fit.params[place], fit.bse[place], *fit.conf_int(0.1)[place]))
    assert square.p == pytest.approx(fit.pvalues[3]) and square.term == "the square of the exposure"
    assert found.method == "least squares with the square of the exposure"


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["yes_no", "counts"])
def test_the_average_slope_of_a_bent_risk_or_rate_by_statsmodels(kind, weighted):
    rows, n = bending(kind, weighted), 200
    found, square = relaxed.bent(rows, question(kind), 0.9)
    weights = np.ones(n) if rows.weights is None else rows.weights
    days = np.ones(n) if rows.offset_time is None else rows.offset_time
    mean, spread = np.average(rows.exposure, weights=weights), rows.exposure.std()
    columns = np.column_stack([np.ones(n), rows.exposure, rows.covariates, ((rows.exposure - mean) / spread) ** 2])
    family = sm.families.Poisson() if kind == "counts" else sm.families.Binomial()
    offset = np.log(days) if kind == "counts" else None
    fit = sm.GLM(rows.outcome, columns, family, freq_weights=weights, offset=offset).fit(tol=1e-13)
    expected = fit.fittedvalues
    slope = expected if kind == "counts" else expected * (1 - expected)
    bread = np.linalg.inv(columns.T @ (columns * (weights * slope)[:, None]))
    scores = columns * (weights * (rows.outcome - expected))[:, None]
    covariance = bread @ scores.T @ scores @ bread if weighted or kind == "counts" else bread

    def average(b):
        eta = columns @ b
        steep = np.exp(eta) if kind == "counts" else expit(eta) * (1 - expit(eta))
        bend = b[1] + 2 * b[3] * (rows.exposure - mean) / spread**2
        return np.average(steep * bend, weights=weights * days)

    gradient = np.array([(average(fit.params + s) - average(fit.params - s)) / 2e-6 for s in 1e-6 * np.eye(4)])
    se, far = np.sqrt(gradient @ covariance @ gradient), norm.ppf(0.95)
    assert (found.estimate, found.se) == pytest.approx((average(fit.params), se), rel=1e-5)
    assert (found.low, found.high) == pytest.approx((found.estimate - far * se, found.estimate + far * se), rel=1e-5)
    own = np.sqrt(covariance[3, 3])
    assert (square.estimate, square.se) == pytest.approx((fit.params[3], own), rel=1e-5)
    assert (square.low, square.high) == pytest.approx((fit.params[3] - far * own, fit.params[3] + far * own), rel=1e-4)
    how = "Poisson" if kind == "counts" else "logistic"
    assert found.method == f"{how} regression with the square of the exposure"


def test_a_bent_risk_by_cluster_has_the_errors_and_degrees_of_freedom_of_its_column():
    """The square as a covariate of the question: the same model, whose terms have CR2's own degrees of freedom."""
    rows = replace(bending("yes_no", False), cluster=np.arange(200) % 13, cluster_name="team")
    found, square = relaxed.bent(rows, question("yes_no"), 0.9)
    column = ((rows.exposure - rows.exposure.mean()) / rows.exposure.std()) ** 2
    wider = replace(
        rows,
        covariates=np.column_stack([rows.covariates, column]),
        names=("need", SQUARE),
        groups=("need", ""),
    )
    effect = estimate_sample(wider, question("yes_no"), 0.9)
    other = next(one for one in effect.model.terms if one.term == SQUARE)
    for field in ("estimate", "se", "low", "high", "p"):
        assert getattr(square, field) == pytest.approx(getattr(other, field))
    half = (found.high - found.low) / 2
    assert norm.ppf(0.95) * found.se < half < t(4).ppf(0.95) * found.se


def test_three_values_may_bend_and_two_may_not_nor_a_square_that_others_determine():
    rng = np.random.default_rng(7)
    for kind in ("score", "counts"):
        outcome = rng.poisson(3, 90)
        assert relaxed.bent(sample(outcome, np.arange(90) % 3), question(kind))[1].term == SQUARE
        with pytest.raises(EstimationError) as refused:
            relaxed.bent(sample(outcome, np.arange(90) % 2), question(kind))
        assert str(refused.value) == "the exposure has two values, between which every line is straight"
        with pytest.raises(EstimationError) as refused:
            relaxed.bent(sample(outcome, np.arange(90) % 3, {"extreme": np.arange(90) % 3 == 1}), question(kind))
        assert str(refused.value) == "the other columns determine the square of the exposure"


def test_a_bent_risk_that_runs_away_names_its_column():
    care = np.linspace(-2, 2, 80)
    with pytest.raises(EstimationError, match=rf"no finite best fit: the coefficient of {SQUARE} grows"):
        relaxed.bent(sample(np.abs(care) > 1, care), question("yes_no"))


@pytest.mark.parametrize("timed", [False, True])
def test_dispersion_is_pearsons_chi_square_over_its_degrees_of_freedom(timed):
    rows = bending("counts", False)
    rows = rows if timed else replace(rows, offset_time=None)
    columns = np.column_stack([np.ones(200), rows.exposure, rows.covariates])
    offset = np.log(rows.offset_time) if timed else None
    fit = sm.GLM(rows.outcome, columns, sm.families.Poisson(), offset=offset).fit(tol=1e-13)
    assert relaxed.dispersion(rows, question("counts")) == pytest.approx(fit.pearson_chi2 / fit.df_resid, rel=1e-7)


def test_an_interval_is_of_95_per_cent_unless_another_is_asked_for():
    steps = {"levels": tuple("abc"), "level_values": (1.0, 2.0, 3.0), "level_codes": tuple("123")}
    answers = sample(np.arange(90) * 7 % 3, np.arange(90) % 5, **steps)
    for way, rows, about in (
        (relaxed.own_hazards, times(), lasting()),
        (relaxed.straight_time, times(), lasting()),
        (relaxed.top_alone, answers, question("ordered", {"top": ["3"]})),
        (lambda *told: relaxed.bent(*told)[0], bending("score", False), question()),
        (lambda *told: relaxed.bent(*told)[0], bending("counts", False), question("counts")),
    ):
        assert way(rows, about) == way(rows, about, 0.95) and way(rows, about).low < way(rows, about, 0.9).low


def test_what_is_handed_back_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        relaxed.Relaxed(1.0, 1.0, 0.0, 2.0, "m").se = 2.0


def test_without_columns_a_cox_model_is_its_baseline():
    """R: coxph(Surv(1:4, c(1, 1, 1, 0)) ~ 1)$loglik is -log(4 * 3 * 2); hazards are one over those at risk."""
    fit = relaxed._without_columns(relaxed.Risk(np.arange(1.0, 5), np.arange(4) < 3, None, None))
    assert fit.loglik == pytest.approx(-np.log(24)) and fit.hazard == pytest.approx([1 / 4, 1 / 3, 1 / 2])
    assert fit.size.tolist() == [4, 3, 2] and fit.coefficients.shape == (0,) and fit.influence.shape == (4, 0)
