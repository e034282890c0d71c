"""Times until an event: R's curves and hazard ratios, the standardised difference in time, and refusals."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from types import SimpleNamespace

import numpy as np
import pytest
from by_hand import of_likelihood
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from researchkit.errors import EstimationError
from researchkit.estimators import duration, estimate_sample
from researchkit.estimators.cox import cox
from researchkit.estimators.design import design
from researchkit.estimators.survival import cumulative_incidence, logrank, restricted_mean, survival_curve
from researchkit.parts import Question


def sample(time, event, exposure, covariates=None, **more):
    """The arrays of a duration; `covariates` maps names to columns."""
    covariates = {} if covariates is None else covariates
    exposure = np.asarray(exposure, dtype=float)
    columns = np.array([np.asarray(column, dtype=float) for column in covariates.values()]).T
    basics = {
        "outcome": np.asarray(time, dtype=float),
        "event": None if event is None else np.asarray(event),
        "exposure": exposure,
        "covariates": columns.reshape(len(exposure), len(covariates)),
        "names": tuple(covariates),
        "groups": tuple(covariates),
        "binary_exposure": set(np.unique(exposure)) <= {0, 1},
        "contrast": "care against none",
        "exposure_name": "care",
        "rows": len(exposure),
        "flow": (),
        "cluster_name": None if more.get("cluster") is None else "team",
    }
    rest = dict.fromkeys(("cluster", "crossed", "crossed_name", "weights", "entry", "offset_time", "baseline"))
    return SimpleNamespace(**(basics | rest | more))


def question(horizon):
    outcome = {
        "column": "days",
        "kind": "duration",
        "event": "solved",
        "horizon": horizon,
        "unit": "day",
        "good": "low",
    }
    return Question(id="q", title="Sooner?", claim="REC-3", exposure="care", outcome=outcome, smallest_effect=1)


def world(rng, n=300, *, competing=False, binary=True, ties=False, entry=False):
    """Times of n people in n/10 teams, some watched only from a later entry on."""
    team, need = np.repeat(np.arange(n // 10), 10), rng.normal(size=n)
    care = (rng.random(n) < 1 / (1 + np.exp(-need))).astype(float) if binary else rng.normal(size=n) + 0.3 * need
    pull = 0.5 * care + 0.3 * need + 0.3 * rng.normal(size=n // 10)[team]
    first = rng.exponential(np.exp(-pull))
    second = rng.exponential(2 * np.exp(0.2 * care)) if competing else np.full(n, np.inf)
    last = rng.uniform(0.8, 3, n)
    time = np.minimum(np.minimum(first, second), last)
    event = np.where(time == last, 0, np.where(time == first, 1, 2))
    time = np.ceil(time * 10) / 10 if ties else time
    start = rng.uniform(0, 0.2, n) if entry else None
    kept = slice(None) if start is None else start < time
    parts = {"cluster": team[kept], "entry": None if start is None else start[kept]}
    return sample(time[kept], event[kept], care[kept], {"need": need[kept]}, **parts)


# R's numbers


def test_cox_model_robust_errors_and_predicted_curves(reference):
    frame, names = reference.frame("lung_cc"), ["age", "sex", "ph.ecog"]
    time, matrix = frame["time"].to_numpy(float), frame[names].to_numpy(float)
    fit = cox(time, frame["event"].to_numpy() == 1, matrix, names)
    found = {"loglik": fit.loglik}
    for place, name in enumerate(names):
        found |= {f"b_{name}": fit.coefficients[place], f"se_{name}": np.sqrt(fit.covariance[place, place])}
        found[f"se_robust_{name}"] = np.sqrt(fit.robust(None)[place, place])
    curve = np.exp(-fit.cumulative(np.array([180, 365, 730])) * np.exp(np.array([60, 1, 1]) @ fit.coefficients))
    found |= {f"surv_60_1_1_t{day}": value for day, value in zip((180, 365, 730), curve, strict=True)}
    for quantity, value in found.items():
        assert value == reference.value("cox_lung", quantity), quantity


def test_hazard_ratio_of_an_effect(reference):
    frame = reference.frame("lung_cc")
    others = {name: frame[name] for name in ("age", "ph.ecog")}
    effect = estimate_sample(sample(frame["time"], frame["event"], frame["sex"] == 2, others), question(365))
    for quantity, value in zip(("hr_sex", "hr_ci95lo_sex", "hr_ci95hi_sex"), effect.also["hazard ratio"], strict=True):
        assert value == reference.value("cox_lung", quantity), quantity
    assert effect.model.terms[0].p == reference.value("cox_lung", "p_sex")


def test_hazard_ratios_with_two_eyes_a_patient(reference):
    frame = reference.frame("retinopathy")
    adult = (frame["type"] == "adult").astype(float)
    others = {"adult": adult, "trt_adult": adult * frame["trt"]}
    asked = sample(frame["futime"], frame["status"], frame["trt"], others, cluster=frame["id"].to_numpy())
    effect = estimate_sample(asked, question(60))
    for term in effect.model.terms:
        name = "trt" if term.term == "care" else term.term
        assert term.estimate == reference.value("cox_cluster_retinopathy", f"b_{name}")
        assert term.se == reference.value("cox_cluster_retinopathy", f"se_cluster_{name}")
        assert term.p == reference.value("cox_cluster_retinopathy", f"p_cluster_{name}")
    assert effect.clusters == 197 and effect.df < 196


@pytest.mark.parametrize("sex", [1, 2])
def test_kaplan_meier(reference, sex):
    frame = reference.frame("lung")
    frame = frame[frame["sex"] == sex]
    curve = survival_curve(frame["time"].to_numpy(), frame["event"].to_numpy())
    found = dict(zip(("median", "median_lo_loglog", "median_hi_loglog"), curve.median(), strict=True))
    found = {f"{name}_sex{sex}": value for name, value in found.items()}
    for day in (180, 365, 730):
        names = (f"{name}_sex{sex}_t{day}" for name in ("S", "se_greenwood", "lo_loglog", "hi_loglog"))
        found |= dict(zip(names, curve.at(day), strict=True))
        found[f"atrisk_sex{sex}_t{day}"] = np.sum(frame["time"] >= day)
    for quantity, value in found.items():
        assert value == reference.value("km_lung", quantity), quantity


def test_log_rank(reference):
    frame = reference.frame("lung")
    chi_square, p = logrank(*(frame[name].to_numpy() for name in ("time", "event", "sex")))
    assert chi_square == reference.value("km_lung", "logrank_chisq")
    assert p == reference.value("km_lung", "logrank_p")


@pytest.mark.parametrize("sex", ["F", "M"])
@pytest.mark.parametrize(("code", "name"), [(1, "pcm"), (2, "death")])
def test_cumulative_incidence(reference, sex, code, name):
    frame = reference.frame("mgus2_cr")
    frame = frame[frame["sex"] == sex]
    curve = cumulative_incidence(frame["etime"].to_numpy(), frame["ev"].to_numpy(), code)
    quantities = reference["competing_mgus2"]["quantities"]
    for month in (60, 120, 240):
        value, se, *_ = curve.at(month)
        assert value == reference.value("competing_mgus2", f"cif_{name}_{sex}_t{month}")
        # closer than the entry asks: it is the same formula
        assert se == pytest.approx(quantities[f"se_aalen_{name}_{sex}_t{month}"], rel=1e-7)


def test_cause_specific_cox(reference):
    frame = reference.frame("mgus2_cr")
    asked = sample(frame["etime"], frame["ev"], frame["sex"] == "M", {"age": frame["age"]})
    effect = estimate_sample(asked, question(240))
    for term, name in zip(effect.model.terms, ("male", "age"), strict=True):
        assert term.estimate == reference.value("competing_mgus2", f"causespecific_b_{name}")
        assert term.se == reference.value("competing_mgus2", f"causespecific_se_{name}")
    assert "who ended otherwise counts as never having it; the hazard ratio is cause-specific" in effect.notes
    assert "860 rows ended otherwise" in effect.notes


# What must hold


@pytest.mark.parametrize("competing", [False, True])
@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("ties", [True, False])
@pytest.mark.parametrize("entry", [True, False])
def test_influence_is_what_a_little_more_weight_on_a_row_does(competing, binary, ties, entry):
    """The whole chain by numerical derivatives: ties, entry, both causes, coefficients and baselines."""
    asked = world(np.random.default_rng(1), 120, competing=competing, binary=binary, ties=ties, entry=entry)
    columns, share = design(asked, intercept=False), np.full(len(asked.outcome), 1 / len(asked.outcome))

    def fits(weights):
        codes = (1, 2) if competing else (1,)
        settings = {"entry": asked.entry, "weights": weights}
        return [cox(asked.outcome, asked.event == code, columns.matrix, columns.names, **settings) for code in codes]

    def difference(weights):
        arms = (1.0, 0.0) if binary else (asked.exposure + 0.5, asked.exposure - 0.5)
        one, none = (duration.free_time(fits(weights), columns.at(arm), share, 1.2).value for arm in arms)
        return one - none

    found = duration.difference(asked, columns, fits(None), 1.2)
    value, influence = found.value, found.influence(fits(None))
    ones = np.ones(len(share))
    assert value == pytest.approx(difference(ones))
    for row in range(0, len(share), 17):
        step = 1e-4 * np.eye(len(share))[row]
        numerical = (difference(ones + step) - difference(ones - step)) / 2e-4
        assert influence[row] == pytest.approx(numerical, rel=1e-3, abs=1e-8)


@pytest.mark.parametrize("competing", [False, True])
@pytest.mark.parametrize("binary", [True, False])
def test_the_standard_error_is_the_spread_of_the_estimate(competing, binary):
    rng = np.random.default_rng(6)
    effects = [estimate_sample(world(rng, competing=competing, binary=binary), question(0.8)) for _ in range(200)]
    spread = np.std([effect.estimate for effect in effects])
    assert np.mean([effect.se for effect in effects]) == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize("competing", [False, True])
def test_the_difference_in_time_is_the_true_one(competing):
    """Exponential times, hazard 1 and 2 (and 1 for the other end), up to time 1: areas known in closed form."""
    rng, n, other = np.random.default_rng(2), 40_000, 1.0 if competing else 0.0
    care = np.repeat([0.0, 1.0], n // 2)
    first, last = rng.exponential(1 / (1 + care)), np.full(n, 1.5)
    second = rng.exponential(1, n) if competing else np.full(n, np.inf)
    time = np.minimum(np.minimum(first, second), last)
    event = np.where(time == last, 0, np.where(time == first, 1, 2))

    def free(hazard):  # area up to 1 under 1 - hazard / all * (1 - exp(-all * t))
        every = hazard + other
        return 1 - hazard / every * (1 - (1 - np.exp(-every)) / every)

    effect = estimate_sample(sample(time, event, care), question(1))
    assert effect.estimate == pytest.approx(free(2) - free(1), abs=3.5 * effect.se)
    assert effect.se < 0.005


def test_a_delayed_entry_is_not_at_risk_at_its_own_time():
    time, event, entry = np.array([2.0, 3, 4, 5]), np.array([1, 1, 1, 0]), np.array([0, 0, 2.0, 0])
    curve = survival_curve(time, event, entry)
    assert curve.at_risk.tolist() == [3, 3, 2]
    # By hand: at 2 the rows 0, 1 and 3 (x = 0, 1, 0), at 3 rows 1, 2 and 3 (1, 1, 0), at 4 rows 2 and 3 (x = 1, 0); b from the score.
    fit = cox(time, event == 1, np.array([[0.0], [1], [1], [0]]), ["x"], entry=np.array([0, 0, 2.0, 0]))
    ratio = np.exp(fit.coefficients[0])
    score = (0 - ratio / (2 + ratio)) + (1 - 2 * ratio / (1 + 2 * ratio)) + (1 - ratio / (1 + ratio))
    assert score == pytest.approx(0, abs=1e-9)
    assert fit.hazard == pytest.approx([1 / (2 + ratio), 1 / (1 + 2 * ratio), 1 / (1 + ratio)])


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.floats(1e-3, 1e3))
def test_the_unit_of_time_scales_the_effect_and_nothing_else(seed, factor):
    asked = world(np.random.default_rng(seed), 120, competing=True)
    slower = SimpleNamespace(**(vars(asked) | {"outcome": asked.outcome * factor}))
    one, other = estimate_sample(asked, question(0.8)), estimate_sample(slower, question(0.8 * factor))
    assert (one.estimate, one.se) == pytest.approx((other.estimate / factor, other.se / factor), rel=1e-6)


def test_whole_weights_fit_a_cox_model_as_repeated_rows_do_without_ties():
    rng = np.random.default_rng(8)
    time, event, matrix = np.arange(40.0), rng.random(40) < 0.7, rng.normal(size=(40, 2))
    weights = np.where(event, 1.0, 2.0)  # a repeated event would be a tie
    twice = np.repeat(np.arange(40), weights.astype(int))
    one = cox(time, event, matrix, ["a", "b"], weights=weights)
    other = cox(time[twice], event[twice], matrix[twice], ["a", "b"])
    assert one.coefficients == pytest.approx(other.coefficients)
    assert one.covariance == pytest.approx(other.covariance)


def test_averages_by_nodes_equal_averages_one_by_one():
    rng = np.random.default_rng(9)
    for kinds in (1, 2):
        rates, points = np.exp(rng.normal(size=(300, kinds))), np.sort(rng.uniform(0, 4, (12_000, kinds)), axis=0)
        columns = rng.normal(size=(300, 2)) / 300
        by_nodes = duration.averages(points, rates, columns)
        direct = np.exp(-points @ rates.T) @ columns
        assert np.max(np.abs(by_nodes - direct)) < 1e-9


def test_a_restricted_mean_by_hand():
    time, event = np.array([1.0, 2, 3, 4]), np.array([1, 0, 1, 0])
    value, se = restricted_mean(time, event, 3.5)
    areas = 0.75 * 2, 0.375 * 0.5  # 1 until 1, 0.75 until 3, 0.375 until 3.5
    assert value == pytest.approx(1 + sum(areas))
    assert se == pytest.approx(np.sqrt(sum(areas) ** 2 / 12 + areas[1] ** 2 / 2))


def test_without_other_ends_incidence_is_one_minus_kaplan_meier():
    rng = np.random.default_rng(3)
    time, event = np.ceil(rng.exponential(5, 80)), rng.integers(0, 2, 80)
    one, other = cumulative_incidence(time, event), survival_curve(time, event)
    assert one.value == pytest.approx(1 - other.value)
    assert one.at(0) == (0, 0, 0, 0) and other.at(0) == (1, 0, 1, 1)


# From the plain formulas: Cox models by their score, curves person by person, errors from rows of people and events


def plainly(asked, code, weights=None):
    """A Cox model without ties by the root of its score: coefficients, event times, and the baseline hazard's jumps."""
    matrix = np.column_stack([asked.exposure, asked.covariates])
    weights = np.ones(len(matrix)) if weights is None else weights
    entry = np.full(len(matrix), -1.0) if asked.entry is None else asked.entry
    events = [row for row in np.argsort(asked.outcome) if asked.event[row] == code]
    times = asked.outcome[events]
    there = (entry < times[:, None]) & (times[:, None] <= asked.outcome)  # (E, n)

    def score(at):
        relative = there * weights * np.exp(matrix @ at)
        mean = relative @ matrix / relative.sum(axis=1)[:, None]
        return weights[events] @ (matrix[events] - mean)

    at = optimize.root(score, np.zeros(matrix.shape[1]), options={"xtol": 1e-12}).x
    return at, times, weights[events] / (there * weights * np.exp(matrix @ at)).sum(axis=1)


def waited(asked, horizon, exposure, weights=None):
    """Mean time without event 1 if all had this exposure, walking through the events of both kinds."""
    matrix = np.column_stack([np.broadcast_to(exposure, len(asked.exposure)), asked.covariates])
    steps = []
    for code in (1, 2) if np.any(asked.event == 2) else (1,):
        at, times, jumps = plainly(asked, code, weights)
        steps += [(time, code, jump * np.exp(matrix @ at)) for time, jump in zip(times, jumps, strict=True)]
    free, had, area, last = np.ones(len(matrix)), np.zeros(len(matrix)), np.zeros(len(matrix)), 0.0
    for time, code, hazard in sorted(steps, key=lambda step: step[0]):
        if time < horizon:
            area += (1 - had) * (time - last)
            had += free * (1 - np.exp(-hazard)) * (code == 1)
            free *= np.exp(-hazard)
            last = time
    return float(np.average(area + (1 - had) * (horizon - last), weights=weights))


CASES = [
    {},
    {"competing": True},
    {"binary": False},
    {"entry": True},
    {"competing": True, "binary": False, "entry": True},
]


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("case", CASES, ids=["plain", "competing", "numeric", "entry", "all"])
def test_the_difference_is_that_of_people_walked_through_the_events_one_by_one(case, weighed):
    asked = world(np.random.default_rng(21), 60, **case)
    asked.weights = np.linspace(1, 2, len(asked.outcome)) if weighed else None
    up, down = (1.0, 0.0) if asked.binary_exposure else (asked.exposure + 0.5, asked.exposure - 0.5)
    expected = waited(asked, 0.9, up, asked.weights) - waited(asked, 0.9, down, asked.weights)
    found = estimate_sample(asked, question(0.9))
    assert found.estimate == pytest.approx(expected, rel=1e-6)
    at, *_ = plainly(asked, 1, asked.weights)
    assert [term.estimate for term in found.model.terms] == pytest.approx(at, rel=1e-6)
    assert found.also["hazard ratio"][0] == pytest.approx(np.exp(at[0]))


def corrected(asked, horizon, cluster):
    """(se, df): HC2 or CR2 with a row for each person and event it was at risk of, a Poisson model of the events.

    The columns are 1, the columns less their mean at the event, and how the difference moves with the hazard there.
    """
    columns = design(asked, intercept=False)
    codes = (1, 2) if np.any(asked.event == 2) else (1,)
    fits = [cox(asked.outcome, asked.event == code, columns.matrix, columns.names) for code in codes]
    found = duration.difference(asked, columns, fits, horizon)
    groups, q = np.unique(cluster), columns.matrix.shape[1] + 2
    information = np.zeros((len(groups), q * len(fits), q * len(fits)))
    score, contrast = np.zeros((len(groups), q * len(fits))), []
    for kind, (fit, code) in enumerate(zip(fits, codes, strict=True)):
        own, times = slice(kind * q, (kind + 1) * q), np.sort(asked.outcome[asked.event == code])
        contrast += [0.0, *(fit.covariance @ found.slopes[kind]), 1.0]
        for row, group in enumerate(np.searchsorted(groups, cluster)):
            for event in np.flatnonzero(times <= asked.outcome[row]):
                columns_here = np.r_[1.0, columns.matrix[row] - fit.mean[event], found.heights[kind][event]]
                expected = fit.hazard[event] * fit.relative[row]
                happened = float(asked.event[row] == code and times[event] == asked.outcome[row])
                information[group, own, own] += expected * np.outer(columns_here, columns_here)
                score[group, own] += (happened - expected) * columns_here
    scale = np.sqrt(np.diagonal(information.sum(axis=0)))
    information, score = information / np.outer(scale, scale), score / scale
    return of_likelihood(information, score, information.sum(axis=0) @ (np.array(contrast) * scale))


@pytest.mark.parametrize("competing", [False, True])
@pytest.mark.parametrize("clustered", [False, True])
def test_errors_are_bell_and_mccaffreys_of_people_and_events(competing, clustered):
    asked = world(np.random.default_rng(22), 40, competing=competing)
    if not clustered:
        asked.cluster = asked.cluster_name = None
    found = estimate_sample(asked, question(0.9))
    se, df = corrected(asked, 0.9, asked.cluster if clustered else np.arange(40))
    assert (found.se, found.df) == pytest.approx((se, df), rel=1e-6)
    low, high = stats.t.interval(0.95, df, found.estimate, se)
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.estimate / se), df))


@pytest.mark.parametrize("competing", [False, True])
def test_where_rows_would_need_too_much_at_once_the_jackknife_stays_as_it_is(competing, monkeypatch):
    asked = world(np.random.default_rng(23), 50, competing=competing)
    asked.cluster = asked.cluster_name = None
    q = 4 * (1 + competing)  # two columns and two more, for each kind of end
    monkeypatch.setattr(duration.leverage, "CHUNK", 50 * q**2)
    assert "HC2" in estimate_sample(asked, question(0.9)).method
    monkeypatch.setattr(duration.leverage, "CHUNK", 50 * q**2 - 1)
    found, weights = estimate_sample(asked, question(0.9)), np.ones(50)
    influence = []
    for row in range(50):
        step = 1e-4 * np.eye(50)[row]
        # the plain difference with a little more weight on a row of the models, not of the average
        sides = [_moved(asked, 0.9, weights + way * step) for way in (1, -1)]
        influence.append((sides[0] - sides[1]) / 2e-4)
    assert found.se == pytest.approx(np.sqrt(np.sum(np.square(influence))), rel=1e-4)
    assert found.df is None
    assert found.low == pytest.approx(found.estimate - stats.norm.ppf(0.975) * found.se)
    assert found.method.endswith(", infinitesimal jackknife errors")


def _moved(asked, horizon, weights):
    columns = design(asked, intercept=False)
    codes = (1, 2) if np.any(asked.event == 2) else (1,)
    fits = [cox(asked.outcome, asked.event == code, columns.matrix, columns.names, weights=weights) for code in codes]
    share = np.full(len(weights), 1 / len(weights))
    one, none = (duration.free_time(fits, columns.at(arm), share, horizon).value for arm in (1.0, 0.0))
    return one - none


MONTH = np.arange(60) % 6


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "HC2 infinitesimal jackknife errors, Satterthwaite degrees of freedom"),
        (
            {"cluster": np.arange(60) // 5, "cluster_name": "team"},
            "CR2 infinitesimal jackknife errors clustered by team, Satterthwaite degrees of freedom",
        ),
        (
            {"cluster": np.arange(60) // 5, "cluster_name": "team", "crossed": MONTH, "crossed_name": "month"},
            "infinitesimal jackknife errors clustered two ways, by team and month",
        ),
        (
            {"weights": np.linspace(1, 2, 60)},
            "HC2 infinitesimal jackknife errors, Satterthwaite degrees of freedom, weighted",
        ),
    ],
    ids=["rows", "teams", "both", "weighted"],
)
@pytest.mark.parametrize("competing", [False, True])
def test_the_method_says_what_was_done(given, words, competing):
    asked = world(np.random.default_rng(24), 60, competing=competing)
    asked = SimpleNamespace(**(vars(asked) | {"cluster": None, "cluster_name": None} | given))
    found = estimate_sample(asked, question(0.75), 0.9)
    ends = "two cause-specific Cox models (Efron), other ends competing" if competing else "Cox model (Efron)"
    assert found.method == (
        f"{ends}, difference in restricted mean time up to 0.75, standardised over the sample, {words}"
    )
    robust = "cluster" in given or "weights" in given
    assert (found.model.name, found.model.errors) == ("Cox (Efron)", "robust" if robust else "model-based")
    assert (found.model.scale, found.unit, found.kind) == ("log hazard", "day", "duration")
    # R's errors: of the information, or influence summed within teams
    columns = design(asked, intercept=False)
    fit = cox(asked.outcome, asked.event == 1, columns.matrix, columns.names, weights=asked.weights)
    covariance = fit.covariance
    if robust and asked.crossed is None:
        codes = np.arange(60) if asked.cluster is None else asked.cluster
        totals = np.array([fit.influence[codes == one].sum(axis=0) for one in np.unique(codes)])
        covariance = totals.T @ totals
    if asked.crossed is None:
        for term, se in zip(found.model.terms, np.sqrt(np.diag(covariance)) / columns.scale, strict=True):
            low, high = stats.norm.interval(0.9, term.estimate, se)
            assert (term.se, term.low, term.high) == pytest.approx((se, low, high))
    own = found.model.terms[0]
    assert [term.term for term in found.model.terms] == ["care", "need"]
    assert found.also["hazard ratio"] == pytest.approx(np.exp([own.estimate, own.low, own.high]))


def test_the_level_is_95_per_cent_where_none_is_named():
    asked = world(np.random.default_rng(24), 60)
    one, other = (duration.duration(asked, question(0.75), *level) for level in ((), (0.95,)))
    assert (one.low, one.high, one.level) == (other.low, other.high, 0.95)


def test_clusters_that_cross_sum_the_influence_on_the_log_hazard_ratio_both_ways():
    asked = world(np.random.default_rng(24), 60)
    asked.crossed, asked.crossed_name = MONTH, "month"
    found = estimate_sample(asked, question(0.75))
    columns = design(asked, intercept=False)
    fit = cox(asked.outcome, asked.event == 1, columns.matrix, columns.names)
    influence, variance = fit.influence[:, 0] / columns.scale[0], 0.0
    for codes, sign in ((asked.cluster, 1), (MONTH, 1), (asked.cluster * 100 + MONTH, -1)):
        totals = [influence[codes == one].sum() for one in np.unique(codes)]
        variance += sign * len(totals) / (len(totals) - 1) * np.sum(np.square(totals))
    assert found.model.terms[0].se == pytest.approx(np.sqrt(variance))
    assert (found.df, found.clusters) == (5, 6)


def test_codes_beyond_two_are_other_ends_too():
    asked = world(np.random.default_rng(25), 60, competing=True)
    one = estimate_sample(asked, question(0.9))
    asked.event = np.where((asked.event == 2) & (np.arange(60) % 2 == 0), 7, asked.event)
    other = estimate_sample(asked, question(0.9))
    assert (one.estimate, one.se, one.df, one.notes) == (other.estimate, other.se, other.df, other.notes)
    others = int(np.sum(asked.event >= 2))
    assert f"{others} rows ended otherwise" in one.notes


@pytest.mark.parametrize(("first", "last"), [(9, 20), (20, 9)])
def test_a_side_that_was_not_watched_to_the_horizon_is_noted(first, last):
    rng = np.random.default_rng(26)
    care = np.arange(60) % 2
    most = np.where(care == 0, first, last)
    time = np.minimum(np.ceil(rng.exponential(8, 60)), most)
    event = (time < most).astype(int)
    found = estimate_sample(sample(time, event, care), question(10.5))
    proportional = "assumes proportional hazards: one hazard ratio for the whole time"
    assert found.notes == (
        "few events: fewer than 10 on one side; with so few, an interval holds the truth only roughly as often as it "
        "says: too often where there is no effect, not often enough where there is a large one",
        proportional,
        "one side was watched only until 9; beyond it the model extends its curve",
    ) or found.notes[-2:] == (proportional, "one side was watched only until 9; beyond it the model extends its curve")
    assert estimate_sample(sample(time, event, care), question(9)).notes[-1] == proportional
    numeric = sample(time, event, care + 0.1 * rng.normal(size=60))
    assert estimate_sample(numeric, question(10.5)).notes[-1] == proportional


def test_few_events_are_noted_those_of_the_kind_that_is_asked_about():
    time, care = 1 + np.arange(80.0), np.arange(80) % 2
    for events, noted in ((24, True), (25, False)):
        event = np.where(np.arange(80) < events, 1, np.where(np.arange(80) < 70, 2, 0))
        found = estimate_sample(sample(time, event, care), question(60))
        assert found.notes[0].startswith("few events: fewer than 25") == noted
        assert f"{70 - events} rows ended otherwise" in found.notes


def test_columns_that_others_determine_and_few_teams_are_noted():
    asked = world(np.random.default_rng(27), 60)
    asked.covariates = np.column_stack([asked.covariates, 3 * asked.covariates])
    asked.names = asked.groups = ("need", "thrice")
    notes = estimate_sample(asked, question(0.9)).notes
    assert notes[:2] == ("few clusters: 6 (team)", "left out because the other covariates determine them: thrice")


def test_what_came_out_cannot_be_changed():
    asked = world(np.random.default_rng(28), 40)
    columns = design(asked, intercept=False)
    fits = [cox(asked.outcome, asked.event == 1, columns.matrix, columns.names)]
    whole = duration.difference(asked, columns, fits, 0.9)
    for found in (whole, duration.free_time(fits, columns.matrix, np.full(40, 1 / 40), 0.9)):
        with pytest.raises(FrozenInstanceError):
            found.value = 0.0


def test_a_horizon_before_the_first_event_leaves_everybody_all_of_it():
    asked = world(np.random.default_rng(28), 40, competing=True)
    columns, share = design(asked, intercept=False), np.full(40, 1 / 40)
    fits = [cox(asked.outcome, asked.event == code, columns.matrix, columns.names) for code in (1, 2)]
    first = asked.outcome[asked.event > 0].min()
    for horizon in (first / 2, first):
        found = duration.free_time(fits, columns.matrix, share, horizon)
        assert found.value == horizon
        assert all(np.all(part == 0) for part in (*found.slopes, *found.hazards))


@pytest.mark.parametrize("kinds", [1, 2])
def test_averages_taken_in_pieces_are_those_taken_at_once(kinds, monkeypatch):
    rng = np.random.default_rng(29)
    rates, points = np.exp(rng.normal(size=(30, kinds))), rng.uniform(0, 4, (50, kinds))
    columns = rng.normal(size=(30, 3))
    expected = np.array([[np.sum(np.exp(-rates @ point) * column) for column in columns.T] for point in points])
    for most in (4_000_000, 300, 1):
        monkeypatch.setattr(duration, "CHUNK", most)
        assert duration.averages(points, rates, columns) == pytest.approx(expected)
    assert duration.averages(points[:0], rates, columns).shape == (0, 3)


@pytest.mark.parametrize("kinds", [1, 2])
def test_averages_by_nodes_hold_nine_digits_also_where_nothing_happened_or_a_rate_is_steep(kinds):
    rng = np.random.default_rng(30)
    for top in (0.0, 1e-3, 4.0, 60.0):
        rates, points = np.exp(rng.normal(size=(20, kinds))), rng.uniform(0, top, (20_000, kinds))
        columns = rng.normal(size=(20, 2)) / 20
        by_nodes, some = duration.averages(points, rates, columns), slice(None, None, 97)
        assert by_nodes[some] == pytest.approx(np.exp(-points[some] @ rates.T) @ columns, abs=1e-9), top


# Refusals

CARE = np.arange(40) % 2
EVENT = np.arange(40) % 3 != 0
REFUSED = [
    (sample([], [], []), 20, "none of 0 rows is complete"),
    (sample(np.arange(1, 41), None, CARE), 20, "says of nobody whether the event happened"),
    (sample(np.arange(-2, 38), EVENT, CARE), 20, "2 times are negative"),
    (sample(np.arange(1, 41), EVENT, CARE, entry=np.full(40, 3.0)), 20, "3 rows end at or before their entry"),
    (sample(np.arange(1, 41), np.arange(40) < 4, CARE), 20, "only 4 events happened; at least 5"),
    (sample(np.arange(1, 41), EVENT, CARE), 41, "until the horizon of 41: the longest time is 40"),
    (
        sample(np.arange(1, 41), EVENT & (CARE == 1), CARE),
        20,
        "care tells the outcome exactly: all 20 rows .* no event",
    ),
    (sample(np.arange(1, 41), EVENT, np.ones(40)), 20, "care is the same in all 40"),
    (sample(np.arange(1, 41), EVENT, CARE, cluster=np.ones(40)), 20, "belong to one value of team"),
]


@pytest.mark.parametrize(("asked", "horizon", "words"), REFUSED)
def test_what_cannot_be_told_is_refused_by_name(asked, horizon, words):
    with pytest.raises(EstimationError, match=words):
        estimate_sample(asked, question(horizon))


def test_all_objections_are_said_at_once_and_none_where_it_is_just_enough():
    time, event = np.arange(1.0, 41), np.arange(40) < 5
    assert estimate_sample(sample(time, event, CARE), question(20)).n == 40  # five events
    assert estimate_sample(sample(time - 1, event, CARE), question(20)).n == 40  # a time of 0
    with pytest.raises(EstimationError) as refused:
        estimate_sample(sample(time - 3, np.arange(40) < 4, CARE, entry=time - 3), question(38))
    said = str(refused.value)
    assert "2 times are negative. Correct them at the source." in said
    assert "40 rows end at or before their entry. Correct them, or leave them out with `keep`." in said
    assert "only 4 events happened; at least 5 are needed." in said
    assert "Nobody was watched until the horizon of 38: the longest time is 37" in said


def test_a_duration_needs_a_horizon():
    asked = question(20)
    asked = asked.model_copy(update={"outcome": asked.outcome.model_copy(update={"horizon": None})})
    with pytest.raises(EstimationError, match="a duration needs a `horizon`, the time up to which people are compared"):
        duration.duration(sample(np.arange(1, 41), EVENT, CARE), asked)


def test_a_column_without_other_ends_on_one_side_is_refused_too():
    time, half = np.arange(1.0, 41), np.arange(40) < 20
    both = np.where(EVENT, np.where(np.arange(40) % 5 == 0, 2, 1), 0)
    with_others = np.where((both == 2) & (CARE == 0), 1, both)
    with pytest.raises(
        EstimationError, match=r"The question 'q': care tells the outcome exactly: all 20 rows .* no event"
    ):
        estimate_sample(sample(time, with_others, CARE), question(20))
    assert estimate_sample(sample(time, np.where(with_others == 2, 0, with_others), CARE), question(20)).n == 40
    of_half = np.where(half, np.where(both == 1, 2, both), both)  # the event itself never where `half`
    with pytest.raises(EstimationError, match="half tells the outcome exactly"):
        estimate_sample(sample(time, of_half, CARE, {"half": half}), question(20))


def test_one_group_has_no_log_rank_test():
    with pytest.raises(EstimationError, match="at least 2 groups"):
        logrank(np.arange(5.0), np.ones(5), np.zeros(5))


def test_a_mean_beyond_the_last_time_is_refused():
    with pytest.raises(EstimationError, match="Set `horizon` to 4 or less"):
        restricted_mean(np.array([1.0, 4]), np.array([1, 0]), 5)
