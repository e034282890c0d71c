"""Times until an event: R's curves and hazard ratios, the standardised difference in time, and refusals."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def test_one_group_has_no_log_rank_test():
    with pytest.raises(EstimationError, match="at least 2 groups"):
        logrank(np.arange(5.0), np.ones(5), np.zeros(5))


def test_a_mean_beyond_the_last_time_is_refused():
    with pytest.raises(EstimationError, match="Set `horizon` to 4 or less"):
        restricted_mean(np.array([1.0, 4]), np.array([1, 0]), 5)
