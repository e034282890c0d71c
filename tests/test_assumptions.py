"""What models assume: R's tests, their level and power; the answer without the assumption; exact intervals of an NPS."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import gammaln, ndtr, xlogy
from scipy.stats import binom

from researchkit.errors import EstimationError
from researchkit.estimators import crossed, estimate_sample, relaxed
from researchkit.estimators.cox import cox
from researchkit.estimators.promoters import exact_limit, nps, score_limit, tail, tango
from researchkit.estimators.proportional import ALL, hazards
from researchkit.estimators.steps import odds
from researchkit.estimators.survival import cumulative_incidence, restricted_mean
from researchkit.parts import Question
from researchkit.robustness.assumptions import Found, _mark, assumptions, matters, standing
from researchkit.sample import Sample


def sample(outcome, exposure, covariates=None, **more):
    """The arrays of a question; `covariates` maps names to columns."""
    covariates, exposure = covariates or {}, np.asarray(exposure, dtype=float)
    columns = np.array([np.asarray(column, dtype=float) for column in covariates.values()]).T
    nothing = ("cluster", "weights", "event", "entry", "offset_time", "baseline", "arms", "person")
    basics = {
        "outcome": np.asarray(outcome, dtype=float),
        "exposure": exposure,
        "covariates": columns.reshape(len(exposure), len(covariates)),
        "names": tuple(covariates),
        "groups": tuple(covariates),
        "cluster_name": None if more.get("cluster") is None else "team",
        "levels": (),
        "level_values": (),
        "level_codes": (),
        "binary_exposure": set(np.unique(exposure)) <= {0.0, 1.0},
        "contrast": "care +1 point",
        "exposure_name": "care",
        "people": len(exposure),
        "rows": len(exposure),
        "flow": (),
    }
    return Sample(**(dict.fromkeys(nothing) | basics | more))


def question(kind, smallest_effect=1.0, expect="better", **outcome):
    needs = {"ordered": {"top": ["4"]}, "change": {"baseline": "before"}}.get(kind, {})
    if kind == "duration":
        needs = {"event": "ended", "horizon": 2.0, "unit": "day", "good": "low"}
    told = {"column": "answer", "kind": kind} | ({} if outcome.get("nps") else needs) | outcome
    asked = {"id": "q", "title": "Does it?", "claim": "BUR-1", "exposure": "care", "outcome": told, "expect": expect}
    return Question(**asked, smallest_effect=smallest_effect)


def check(asked, about):
    """The check as it stands on the page, and the headline that it is about."""
    study = SimpleNamespace(disclosure="none", label=str)
    effect = estimate_sample(asked, about)
    return assumptions(asked, about, effect, SimpleNamespace(fingerprint="x", study=study)), effect


def keeps_its_level(rejections, draws, level=0.05):
    """Rejections under the null, within what chance leaves of the level in all but 1 of 1,000 such runs."""
    return binom.ppf(0.0005, draws, level) <= rejections <= binom.ppf(0.9995, draws, level)


# R's numbers


@pytest.mark.parametrize("transform", ["km", "rank", "identity", "log"])
def test_proportional_hazards_of_published_data(reference, transform):
    frame, names = reference.frame("lung_cc"), ["age", "sex", "ph.ecog"]
    time, matrix = frame["time"].to_numpy(float), frame[names].to_numpy(float)
    fit = cox(time, frame["event"].to_numpy() == 1, matrix, names)
    for test in hazards(fit, matrix, names, time, transform=transform):
        name = "GLOBAL" if test.term == ALL else test.term
        assert test.statistic == reference.value("cox_lung", f"zph_chisq_{transform}_{name}")
        assert test.p == reference.value("cox_lung", f"zph_p_{transform}_{name}")


@pytest.fixture(scope="module")
def stays(held):
    return held.frames["stays"]


COLUMNS = ["compassion", "severity", "age"]


def late(stays):
    days = stays["days_to_recovery"].to_numpy(float)
    return np.where(np.arange(1, len(days) + 1) % 2 == 0, np.minimum(days - 1, 2), 0)


@pytest.mark.parametrize("kind", ["plain", "entry"])
@pytest.mark.parametrize("transform", ["km", "rank", "identity", "log"])
def test_proportional_hazards(held, stays, kind, transform):
    """cox.zph(coxph(Surv(...)), transform, terms = FALSE), tied times, with and without late entry."""
    time, matrix = stays["days_to_recovery"].to_numpy(float), stays[COLUMNS].to_numpy(float)
    entry = late(stays) if kind == "entry" else None
    fit = cox(time, stays["ending"].to_numpy() == 1, matrix, COLUMNS, entry=entry)
    for test, name in zip(
        hazards(fit, matrix, COLUMNS, time, entry=entry, transform=transform), [*COLUMNS, "all"], strict=True
    ):
        assert test.statistic == held(f"zph_{kind}_{transform}", f"chisq_{name}", rel=1e-6)
        assert test.p == held(f"zph_{kind}_{transform}", f"p_{name}", rel=1e-6)


def test_proportional_hazards_with_clusters(held, stays):
    time, matrix = stays["days_to_recovery"].to_numpy(float), stays[COLUMNS].to_numpy(float)
    fit = cox(time, stays["ending"].to_numpy() == 1, matrix, COLUMNS)
    tests = hazards(fit, matrix, COLUMNS, time, cluster=pd.factorize(stays["nurse_id"])[0])
    for test, name in zip(tests, [*COLUMNS, "all"], strict=True):
        assert test.statistic == held("zph_clustered", f"f_{name}", rel=1e-6)
        assert test.p == held("zph_clustered", f"p_{name}", rel=1e-6)


def test_proportional_odds_of_published_data(reference):
    frame = reference.frame("housing_long")
    terms = {"Infl": [0, 1], "Type": [2, 3, 4], "Cont": [5]}
    levels = [("Infl", "Medium"), ("Infl", "High"), *(("Type", one) for one in ("Apartment", "Atrium", "Terrace"))]
    matrix = np.column_stack([frame[name] == level for name, level in [*levels, ("Cont", "High")]]).astype(float)
    answer = frame["Sat"].map(["Low", "Medium", "High"].index).to_numpy()
    for test in odds(matrix, answer, list("abcdef"), terms=terms):
        assert test.statistic == reference.value("ordinal_housing", f"po_lr_{test.term}")
        assert test.df == reference.value("ordinal_housing", f"po_df_{test.term}")
        assert test.p == reference.value("ordinal_housing", f"po_p_{test.term}")


PREDICTORS = ["compassion", "severity", "tenure"]


@pytest.fixture(scope="module")
def answers(held):
    frame = held.frames["contacts"].dropna(subset=["csat", "compassion"])
    return frame[PREDICTORS].to_numpy(float), frame["csat"].to_numpy(int) - 1, pd.factorize(frame["agent_id"])[0]


def test_proportional_odds(held, answers):
    matrix, answer, _ = answers
    tests = odds(matrix, answer, PREDICTORS)
    for test, name in zip(tests, [*PREDICTORS, "all"], strict=True):
        assert test.statistic == held("odds", f"lr_{name}", rel=1e-6)
    assert [test.df for test in tests] == [3, 3, 3, held("odds", "df_all")]


@pytest.mark.parametrize(("trend", "entry"), [(False, "odds_clustered"), (True, "odds_trend")])
def test_proportional_odds_with_clusters(held, answers, trend, entry):
    matrix, answer, agent = answers
    for test, name in zip(odds(matrix, answer, PREDICTORS, cluster=agent, trend=trend), PREDICTORS, strict=False):
        assert test.statistic == held(entry, f"f_{name}", rel=1e-5)  # R's are from numerical derivatives
        assert test.p == held(entry, f"p_{name}", rel=1e-5)


def test_a_baseline_hazard_of_its_own(held, stays):
    covariates = {name: stays[name] for name in ("severity", "age")}
    extras = {"cluster": pd.factorize(stays["ward"])[0], "event": stays["ending"].to_numpy(float)}
    for entry, name in ((None, "own_hazards"), (late(stays), "own_hazards_late")):
        care = stays["arm"] == "compassionate"
        asked = sample(stays["days_to_recovery"], care, covariates, entry=entry, **extras)
        difference, _, fits = relaxed.own_hazards_difference(asked, question("duration", horizon=30))
        assert difference.value == held(name, "estimate")
        assert crossed.of_influence(difference.influence(fits), asked)[0] == held(name, "se")
        found = relaxed.own_hazards(asked, question("duration", horizon=30))
        assert found.estimate == difference.value
        assert found.se == pytest.approx(held.values[name]["se"], rel=0.2)  # corrected for its few wards


def test_pseudo_values_and_their_line(held, stays):
    time, ended = stays["days_to_recovery"].to_numpy(float), stays["ending"].to_numpy()
    values = relaxed.pseudo_values(time, (ended == 1).astype(int), 30.0)
    assert values[0] == held("pseudo", "first")
    assert values @ values == held("pseudo", "sum_of_squares")
    competing = relaxed.pseudo_values(time, ended, 30.0)
    assert competing.mean() == held("pseudo_competing", "mean")
    assert competing[::25] @ competing[::25] == held("pseudo_competing", "sum_of_squares")
    others = {name: stays[name] for name in ("severity", "age")}
    for quantity, ward in (("se_hc3", None), ("se_cr2", pd.factorize(stays["ward"])[0])):
        asked = sample(time, stays["compassion"], others, event=(ended == 1).astype(float), cluster=ward)
        found = relaxed.straight_time(asked, question("duration", horizon=30))
        assert found.estimate == held("pseudo", "b")
        assert found.se == held("pseudo", quantity)


@pytest.mark.parametrize(("kind", "entry"), [("yes_no", "bent_risk"), ("counts", "bent_rate")])
def test_the_average_slope_of_a_line_that_may_bend(held, kind, entry):
    frame = held.frames["contacts"].dropna(subset=["compassion"])
    outcome = frame["retained_90d" if kind == "yes_no" else "contacts_next_90d"]
    time = None if kind == "yes_no" else frame["days_observed"].to_numpy(float)
    agent, severity = pd.factorize(frame["agent_id"])[0], {"severity": frame["severity"]}
    asked = sample(outcome, frame["compassion"], severity, cluster=agent, offset_time=time)
    found, square = relaxed.bent(asked, question(kind))
    squared = frame["compassion"].astype(float).var(ddof=0)
    told = {"b_square": square.estimate / squared, "se_square": square.se / squared}
    told |= {"estimate": found.estimate, "se": found.se}
    for quantity, value in told.items():
        assert value == held(entry, quantity), quantity


# What must hold: the tests


def correlated(rng, groups, each=20):
    """Uniform numbers that are alike within clusters, and the clusters."""
    team = np.repeat(np.arange(groups), each)
    return ndtr(np.sqrt(0.3) * rng.normal(size=groups)[team] + np.sqrt(0.7) * rng.normal(size=len(team))), team


@pytest.mark.parametrize("groups", [8, 30])
def test_the_test_of_hazards_keeps_its_level_where_clusters_share_the_exposure(groups):
    """Each time has proportional hazards exactly; R's own test, which knows no clusters, rejects far too often."""
    rng, draws, rejected = np.random.default_rng(3), 300, np.zeros((2, 2))
    for _ in range(draws):
        chance, team = correlated(rng, groups)
        care, need = rng.normal(size=groups)[team], rng.normal(size=len(team))
        matrix, last = np.column_stack([care, need]), rng.uniform(0.3, 3, len(team))
        ends = -np.log(chance) / np.exp(0.5 * care + 0.3 * need)
        time = np.ceil(30 * np.minimum(ends, last)) / 30
        fit = cox(time, ends <= last, matrix, ("care", "need"))
        for row, cluster in enumerate((team, None)):
            own, _, whole = hazards(fit, matrix, ("care", "need"), time, cluster=cluster)
            rejected[row] += [own.p < 0.05, whole.p < 0.05]
    assert all(keeps_its_level(number, draws) for number in rejected[0])
    assert rejected[1, 0] > 0.1 * draws


def stepped(rng, eta, steps):
    """Answers with proportional odds on so many steps, those that occur numbered from 0."""
    cuts = np.linspace(-2.2, 2.2, steps)
    answer = ((eta + rng.logistic(size=len(eta)))[:, None] > cuts).sum(axis=1)
    return np.unique(answer, return_inverse=True)[1]


@pytest.mark.parametrize(("n", "steps", "groups"), [(80, 10, None), (150, 4, None), (200, 10, 10)])
def test_the_test_of_odds_keeps_its_level_with_rare_answers_and_few_clusters(n, steps, groups):
    rng, draws, rejected = np.random.default_rng(4), 300, np.zeros(2)
    for _ in range(draws):
        care, need = (rng.random(n) < 0.3).astype(float), rng.normal(size=n)
        team = np.arange(n) if groups is None else rng.permutation(np.arange(n) % groups)
        shared = 0 if groups is None else 0.5 * rng.normal(size=groups)[team]
        answer = stepped(rng, 0.6 * care + 0.4 * need + shared, steps)
        tests = odds(np.column_stack([care, need]), answer, ("care", "need"), cluster=team, trend=True)
        rejected += [tests[0].p < 0.05, tests[2].p < 0.05]
    assert all(keeps_its_level(number, draws) for number in rejected)


def test_the_likelihood_ratio_keeps_its_level_where_answers_are_frequent():
    rng, draws, rejected = np.random.default_rng(5), 300, 0
    for _ in range(draws):
        care = rng.normal(size=300)
        rejected += odds(care[:, None], stepped(rng, 0.6 * care, 3), ("care",))[0].p < 0.05
    assert keeps_its_level(rejected, draws)


@pytest.mark.parametrize("kind", ["score", "change", "yes_no", "counts"])
def test_the_test_of_a_line_keeps_its_level(kind):
    rng, draws, rejected = np.random.default_rng(6), 200, 0
    for _ in range(draws):
        team, care = np.repeat(np.arange(40), 5), rng.normal(size=200)
        pull = 0.4 * care + 0.3 * rng.normal(size=40)[team]
        outcome = {"yes_no": rng.random(200) < 1 / (1 + np.exp(-pull)), "counts": rng.poisson(np.exp(pull))}
        outcome = outcome.get(kind, pull + rng.normal(size=200) * (1 + care**2) / 2)
        asked = sample(outcome, care, cluster=team, baseline=rng.normal(size=200) if kind == "change" else None)
        rejected += relaxed.bent(asked, question(kind))[1].p < 0.05
    assert keeps_its_level(rejected, draws)


def test_weights_count_as_rows_that_belong_together():
    rng = np.random.default_rng(7)
    matrix, times = rng.normal(size=(120, 2)), rng.integers(1, 4, 120)
    answer = stepped(rng, matrix[:, 0], 4)
    weighted = odds(matrix, answer, ("a", "b"), weights=times.astype(float))
    rows = np.repeat(np.arange(120), times)
    repeated = odds(matrix[rows], answer[rows], ("a", "b"), cluster=rows)
    for one, other in zip(weighted, repeated, strict=True):
        assert one.statistic == pytest.approx(other.statistic, rel=1e-8)


def test_the_free_score_test_is_near_the_likelihood_ratio_where_there_is_plenty():
    rng = np.random.default_rng(8)
    care = rng.normal(size=4000)
    answer = np.digitize(np.exp(0.1 * care) * rng.logistic(size=4000) + 0.5 * care, [-2, -1, 0.5, 2])
    ratio, score = (odds(care[:, None], answer, ("care",), cluster=by)[0] for by in (None, np.arange(4000)))
    assert (ratio.df, score.df) == (3, 3)
    assert score.statistic * score.df == pytest.approx(ratio.statistic, rel=0.1)
    assert ratio.p < 0.05


def test_few_clusters_get_the_trend():
    rng = np.random.default_rng(9)
    care, team = rng.normal(size=300), np.arange(300) % 20
    answer = stepped(rng, care, 9)
    free, asked = (odds(care[:, None], answer, ("care",), cluster=team, trend=trend)[0] for trend in (False, True))
    assert free == asked
    assert (free.df, free.below) == (1, 19)


@pytest.mark.parametrize("clustered", [True, False])
def test_a_ratio_that_changes_is_found(clustered):
    rng = np.random.default_rng(10)
    care, team = (np.arange(400) % 2).astype(float), np.arange(400) // 10
    by = team if clustered else None
    time = rng.weibull(np.where(care == 1, 2.0, 0.7))  # hazards that cross
    fit = cox(time, np.ones(400, bool), care[:, None], ("care",))
    assert hazards(fit, care[:, None], ("care",), time, cluster=by)[0].p < 1e-4
    answer = np.digitize(np.where(care == 1, 0.3, 1.0) * rng.logistic(size=400), [-1, -0.3, 0.3, 1])
    assert odds(care[:, None], answer, ("care",), cluster=by)[0].p < 1e-4


# What must hold: the answer without the assumption


def weibull(rng, shape, need):
    """Times whose hazard rises with need by the same ratio whatever their shape."""
    return 1.2 * (rng.exponential(size=len(need)) * np.exp(-0.4 * need)) ** (1 / shape)


def crossing(rng, n=800, *, competing=False, entry=False):
    """Care brings many early ends and few late ones: Weibull times whose hazards cross, half of them with care."""
    care, need = (np.arange(n) % 2).astype(float), rng.normal(size=n)
    first = weibull(rng, np.where(care == 1, 0.6, 2.5), need)
    other = rng.exponential(4, n) if competing else np.full(n, np.inf)
    last = rng.uniform(2, 4, n)
    time = np.minimum(np.minimum(first, other), last)
    event = np.where(time == last, 0.0, np.where(time == first, 1.0, 2.0))
    begin = np.maximum(rng.uniform(-0.3, 0.3, n), 0) if entry else None
    kept = slice(None) if begin is None else begin < time
    parts = {"event": event[kept], "entry": None if begin is None else begin[kept]}
    return sample(time[kept], care[kept], {"need": need[kept]}, cluster=np.arange(n)[kept] // 8, **parts)


def true_difference(competing, rows=2_000_000):
    """The restricted means of that world, by so many people who are all watched to the end."""
    rng = np.random.default_rng(0)
    need, other = rng.normal(size=rows), rng.exponential(4, rows) if competing else np.inf
    one, none = (weibull(rng, shape, need) for shape in (0.6, 2.5))
    return float(np.subtract(*(np.minimum(np.where(t < other, t, np.inf), 2).mean() for t in (one, none))))


@pytest.mark.parametrize("competing", [False, True])
@pytest.mark.parametrize("entry", [False, True])
def test_without_proportional_hazards_the_difference_in_time_is_the_true_one(competing, entry):
    """The headline's own model misses it; the standard error is the spread over new samples."""
    rng, about, ways = np.random.default_rng(11), question("duration"), [relaxed.own_hazards]
    ways += [] if entry else [relaxed.straight_time]
    worlds = [crossing(rng, competing=competing, entry=entry) for _ in range(60)]
    truth = true_difference(competing)
    assert abs(np.mean([estimate_sample(world, about).estimate for world in worlds]) - truth) > 0.05
    for way in ways:
        found = [way(world, about) for world in worlds]
        estimates = np.array([one.estimate for one in found])
        assert estimates.mean() == pytest.approx(truth, abs=4 * estimates.std() / np.sqrt(60) + 0.005)
        assert np.mean([one.se for one in found]) == pytest.approx(estimates.std(), rel=0.3)
        assert np.mean([one.low <= truth <= one.high for one in found]) > 0.85


def test_a_difference_of_few_clusters_has_an_honest_interval():
    """4 of 20 clusters have care: the plain jackknife's intervals hold the truth in 86 of 100 such studies."""
    rng, about, held_it, many = np.random.default_rng(30), question("duration"), [], 400_000

    def ends(shape, need, shared):
        return weibull(rng, shape, need) * np.exp(0.3 * shared)

    truth = np.subtract(*(np.minimum(ends(one, *rng.normal(size=(2, many))), 2).mean() for one in (0.8, 2.0)))
    for _ in range(150):
        team, need = rng.integers(0, 20, 240), rng.normal(size=240)
        care = (team < 4).astype(float)
        first, last = ends(np.where(care == 1, 0.8, 2.0), need, rng.normal(size=20)[team]), rng.uniform(2, 4, 240)
        asked = sample(np.minimum(first, last), care, {"need": need}, event=(first <= last) * 1.0, cluster=team)
        found = relaxed.own_hazards(asked, about)
        held_it.append(found.low <= truth <= found.high)
    assert np.mean(held_it) >= 0.93


def test_further_levels_of_a_coded_exposure_have_hazards_of_their_own():
    """With no other covariate each side is what it would be alone."""
    rng = np.random.default_rng(12)
    arm = np.arange(600) % 3
    time = np.ceil(10 * rng.weibull(1.0 + arm)) / 10
    event = (rng.random(600) < 0.8).astype(float)
    asked = sample(time, arm == 1, {"care: much": arm == 2}, event=event, groups=("care",))
    pair = arm < 2
    alone = sample(time[pair], arm[pair] == 1, event=event[pair])
    three, two = (relaxed.own_hazards(one, question("duration", horizon=1.5)) for one in (asked, alone))
    assert three.estimate == pytest.approx(two.estimate)
    assert three.se == pytest.approx(two.se, rel=1e-3)  # how far a row pulled the fit is reckoned over all levels
    plain = [restricted_mean(time[arm == one], event[arm == one], 1.5)[0] for one in (1, 0)]
    assert two.estimate == pytest.approx(plain[0] - plain[1], abs=0.01)


@pytest.mark.parametrize("ties", [True, False])
def test_pseudo_values_average_to_the_curve_and_are_what_leaving_a_row_out_does(ties):
    rng = np.random.default_rng(13)
    time = rng.exponential(1, 200) + 0.01
    time = np.ceil(8 * time) / 8 if ties else time
    event = rng.integers(0, 3, 200)
    event[time == time.max()] = 1
    single = (event > 0).astype(int)
    values = relaxed.pseudo_values(time, single, 1.0)
    assert values.mean() == pytest.approx(restricted_mean(time, single, 1.0)[0])
    mean = restricted_mean(time, single, 1.0)[0]
    left_out = [
        200 * mean - 199 * restricted_mean(np.delete(time, i), np.delete(single, i), 1.0)[0] for i in range(200)
    ]
    assert values == pytest.approx(left_out, abs=0.02)
    curve = cumulative_incidence(time, event)
    steps = np.append(curve.times[curve.times < 1], 1.0)
    area = np.sum(np.diff(steps) * curve.value[: len(steps) - 1])
    assert relaxed.pseudo_values(time, event, 1.0).mean() == pytest.approx(1 - area)
    times = rng.integers(1, 4, 200)
    weighted = relaxed.pseudo_values(time, event, 1.0, times.astype(float))
    assert np.repeat(weighted, times) == pytest.approx(
        relaxed.pseudo_values(np.repeat(time, times), np.repeat(event, times), 1.0)
    )


# What must hold: the check


def test_crossing_hazards_are_marked_with_the_answer_without_the_assumption():
    asked = crossing(np.random.default_rng(14), 2000)
    found, effect = check(asked, question("duration", 0.01))
    without = relaxed.own_hazards(asked, question("duration"))
    assert found.facts["without"] == without.to_dict()
    assert not effect.low <= without.estimate <= effect.high
    assert found.facts["p"] < 1e-6
    assert found.mark.startswith(
        "assumption: the data speak against it that one hazard ratio serves for the whole time"
    )
    assert "it hangs on the assumption" in found.facts["words"]


def test_a_rejected_assumption_on_which_nothing_hangs_is_told_and_not_marked():
    """Hazards that are far from proportional, and no exposure that does anything."""
    rng = np.random.default_rng(15)
    care, need = (rng.random(3000) < 0.5).astype(float), (rng.random(3000) < 0.5).astype(float)
    time = rng.weibull(np.where(need == 1, 3.0, 0.7))
    found, _ = check(sample(time, care, {"need": need}, event=np.ones(3000)), question("duration", 0.01))
    whole = next(test for test in found.facts["tests"] if test["term"] == ALL)
    assert whole["p"] < 1e-6 < 0.01 < found.facts["p"]
    assert found.facts["without"]["method"].startswith("least squares on pseudo-values")
    assert found.mark == ""
    assert "it does not hang on the assumption" in found.facts["words"]


def test_both_ways_to_end_are_tested():
    """The event itself has proportional hazards, the other end has not."""
    rng = np.random.default_rng(16)
    care = (np.arange(3000) % 2).astype(float)
    first, other = rng.exponential(1 / (1 + care)), 1.5 * rng.weibull(np.where(care == 1, 4.0, 0.7))
    event = np.where(first < other, 1.0, 2.0)
    found, _ = check(sample(np.minimum(first, other), care, event=event), question("duration", 0.01))
    first_test, second = found.facts["tests"]
    assert first_test["p"] > 0.01
    assert second["p"] < 1e-6
    assert found.facts["p"] == pytest.approx(2 * second["p"], abs=0)


@pytest.mark.parametrize("weights", [None, "even"])
def test_odds_that_differ_by_step_are_marked(weights):
    """Care moves people out of the lowest answers, and out of the highest too."""
    rng = np.random.default_rng(17)
    care = (np.arange(3000) % 2).astype(float)
    answer = np.digitize(np.where(care == 1, 0.5, 1.0) * rng.logistic(size=3000) + 0.1 * care, [-2, -1, 0, 1])
    levels = {"levels": tuple("01234"), "level_values": tuple(range(5)), "level_codes": tuple("01234")}
    asked = sample(answer, care, weights=None if weights is None else np.ones(3000), **levels)
    found, effect = check(asked, question("ordered", 0.01))
    share = np.subtract(*(np.mean(answer[care == arm] == 4) for arm in (1, 0)))
    assert found.facts["without"]["estimate"] == pytest.approx(share, abs=1e-6)
    assert abs(effect.estimate - share) > 0.05
    # not the likelihood ratio, nor each step for itself: rare answers would make those reject far too often
    assert [(test["method"], test["df"]) for test in found.facts["tests"]] == [("score test, robust", 1)]
    assert found.mark.startswith("assumption: the data speak against it that one odds ratio serves for every step")
    assert "percentage points" in found.mark


def test_nps_points_without_proportional_odds_are_the_plain_difference():
    rng = np.random.default_rng(18)
    care = (np.arange(400) % 2).astype(float)
    answer = np.minimum(10, rng.integers(0, 11, 400) + care * rng.integers(0, 3, 400))
    levels = tuple(map(str, range(11)))
    asked = sample(answer, care, levels=levels, level_values=tuple(range(11)), level_codes=levels)
    found, _ = check(asked, question("ordered", 5, nps=True))
    plain = nps(answer[care == 1])[0] - nps(answer[care == 0])[0]
    assert found.facts["without"]["estimate"] == pytest.approx(plain)


def test_a_line_that_bends_is_marked_where_the_average_slope_is_another():
    rng = np.random.default_rng(19)
    care = rng.exponential(size=2000)
    found, effect = check(sample(np.minimum(care, 2) + 0.3 * rng.normal(size=2000), care), question("score", 0.1))
    assert found.facts["p"] < 1e-6
    assert found.facts["without"]["estimate"] > effect.high
    assert found.mark.startswith(
        "assumption: the data speak against it that the outcome moves with the exposure in a st"
    )


@pytest.mark.parametrize("kind", ["yes_no", "counts"])
def test_the_average_slope_of_a_bent_line_is_the_true_one(kind):
    rng = np.random.default_rng(20)
    care = rng.normal(size=40_000)
    eta = -0.5 + 0.4 * care + 0.3 * care**2
    mean = 1 / (1 + np.exp(-eta)) if kind == "yes_no" else np.exp(eta - 1)
    steep = mean * (1 - mean) if kind == "yes_no" else mean
    outcome = rng.random(40_000) < mean if kind == "yes_no" else rng.poisson(mean)
    found, square = relaxed.bent(sample(outcome, care), question(kind))
    assert found.estimate == pytest.approx(np.mean(steep * (0.4 + 0.6 * care)), abs=4 * found.se)
    assert square.estimate == pytest.approx(0.3 * care.var(), abs=4 * square.se)


@pytest.mark.parametrize("kind", ["score", "yes_no", "counts"])
def test_the_unit_of_the_exposure_is_no_matter(kind):
    rng = np.random.default_rng(28)
    care = rng.normal(size=300)
    outcome = rng.integers(0, 2, 300)
    one, *others = (check(sample(outcome, care * unit + 3 * unit), question(kind))[0] for unit in (1, 1e-30, 1e30))
    for other in others:
        assert other.facts["p"] == pytest.approx(one.facts["p"], rel=1e-6)
        assert other.facts["without"]["se"] / other.facts["without"]["estimate"] == pytest.approx(
            one.facts["without"]["se"] / one.facts["without"]["estimate"], rel=1e-6
        )


def test_counts_tell_how_far_they_spread_even_of_a_yes_or_no():
    rng = np.random.default_rng(21)
    care = (np.arange(800) % 2).astype(float)
    bunches = rng.poisson(rng.gamma(1, 2, 800) * np.exp(0.2 * care))
    found, _ = check(sample(bunches, care), question("counts", 0.1))
    assert found.facts["dispersion"] == pytest.approx(1 + 2 * np.exp(0.1), rel=0.25)
    assert found.ran
    assert found.mark == ""
    assert "the errors allow for it" in found.facts["words"]


@pytest.mark.parametrize("kind", ["score", "change", "yes_no"])
def test_a_yes_or_no_has_no_line_to_bend(kind):
    rng = np.random.default_rng(22)
    care = (np.arange(100) % 2).astype(float)
    found, _ = check(sample(rng.integers(0, 2, 100), care, baseline=rng.normal(size=100)), question(kind))
    assert not found.ran
    assert "nothing to check" in found.reason


@pytest.mark.parametrize(
    ("limits", "expect", "where"),
    [
        ((-0.5, 0.9), "better", "within"),
        ((0.1, 1.5), "better", "above"),
        ((-2, -0.1), "better", "below"),
        ((-0.1, 1.5), "better", "open"),
        ((0.1, 1.5), "equal", "open"),
        ((1.1, 1.5), "equal", "above"),
    ],
)
def test_where_an_interval_stands(limits, expect, where):
    assert standing(*limits, question("score", 1.0, expect)) == where


def test_what_makes_it_another_answer():
    effect = SimpleNamespace(low=0.1, high=1.5)
    inside, outside, unclear = (
        relaxed.Relaxed(estimate, 1.0, low, high, "")
        for estimate, low, high in ((0.5, 0.2, 1.4), (1.6, 1.0, 2.2), (0.5, -0.2, 1.2))
    )
    assert [matters(effect, one, question("score")) for one in (inside, outside, unclear)] == [False, True, True]


def test_two_kinds_of_clusters_count_by_the_one_that_is_less_clear():
    rng = np.random.default_rng(23)
    team, month = np.arange(600) % 30, np.arange(600) // 60
    care, need = rng.normal(size=(2, 600)) + rng.normal(size=(2, 10))[:, month]
    time = np.ceil(10 * rng.exponential(np.exp(-0.3 * care))) / 10
    parts, kinds = (
        {"event": np.ones(600), "crossed_name": "other"},
        ((team, None), (month, None), (team, month), (month, team)),
    )
    one, other, both, turned = (
        check(sample(time, care, {"need": need}, **parts, cluster=by, crossed=crossed), question("duration"))[0].facts[
            "p"
        ]
        for by, crossed in kinds
    )
    assert one != other
    assert both == turned == pytest.approx(max(one, other))


# Bad input


def test_bad_times_are_refused_in_words():
    rng = np.random.default_rng(24)
    care, time = rng.normal(size=(40, 1)), np.full(40, 3.0)
    fit = cox(time, np.arange(40) < 20, care, ("care",))
    with pytest.raises(EstimationError, match="happened at one time"):
        hazards(fit, care, ("care",), time)
    even = np.ones((40, 1))
    with pytest.raises(EstimationError, match="care is the same in all rows"):
        hazards(cox(np.arange(40.0), np.ones(40, bool), even, ("care",)), even, ("care",), np.arange(40.0))
    nought = np.arange(40.0)
    fit = cox(nought, np.ones(40, bool), care, ("care",))
    with pytest.raises(EstimationError, match="event at time 0"):
        hazards(fit, care, ("care",), nought, transform="log")
    with pytest.raises(EstimationError, match="2 clusters are too few to test 2 numbers"):
        two = rng.normal(size=(40, 2))
        fit = cox(nought, np.ones(40, bool), two, ("a", "b"))
        hazards(fit, two, ("a", "b"), nought, cluster=np.arange(40) % 2)


def test_bad_answers_are_refused_in_words_or_answered():
    rng = np.random.default_rng(25)
    care = rng.normal(size=(60, 1))
    with pytest.raises(EstimationError, match="one step only"):
        odds(care, np.arange(60) % 2, ("care",))
    with pytest.raises(EstimationError, match="1 of the answers occur nowhere"):
        odds(care, np.array([0, 1, 3])[np.arange(60) % 3], ("care",))
    with pytest.raises(EstimationError, match="care is the same in all rows"):
        odds(np.ones((60, 1)), np.arange(60) % 3, ("care",))
    # nobody with care gives the lowest answer: the ratio of that step has no finite value
    yes = (np.arange(60) % 2).astype(float)
    answer = np.where(yes == 1, rng.integers(1, 4, 60), rng.integers(0, 4, 60))
    for by in (None, np.arange(60)):
        test = odds(yes[:, None], answer, ("care",), cluster=by)[0]
        assert np.isfinite(test.statistic)
        assert 0 < test.p < 1


@pytest.mark.parametrize(
    ("way", "change", "words"),
    [
        (relaxed.own_hazards, {"exposure": np.linspace(0, 1, 80), "binary_exposure": False}, "no two sides"),
        (relaxed.own_hazards, {"event": np.where(np.arange(80) % 2, 1.0, 0.0)}, "too few events happened without care"),
        (relaxed.own_hazards, {"outcome": np.arange(80) * np.where(np.arange(80) % 2, 0.01, 0.1)}, "nobody with care"),
        (relaxed.straight_time, {"entry": np.zeros(80)}, "late entry"),
        (relaxed.bent, {}, "two values"),
    ],
)
def test_what_cannot_be_freed_of_an_assumption_says_why(way, change, words):
    care = (np.arange(80) % 2).astype(float)
    event = np.where(np.arange(80) < 40, 1.0, 0.0)
    base = {"outcome": np.linspace(0.1, 4, 80), "exposure": care, "event": event} | change
    outcome, exposure = base.pop("outcome"), base.pop("exposure")
    with pytest.raises(EstimationError, match=words):
        way(sample(outcome, exposure, **base), question("duration"))


def test_a_square_that_others_determine_and_late_entries_leave_the_check_with_a_reason():
    rng = np.random.default_rng(26)
    care = np.arange(300) % 3
    asked = sample(rng.normal(size=300), care, {"extreme": care != 1})
    found, _ = check(asked, question("score"))
    assert not found.ran
    assert "determine the square" in found.reason
    time = rng.exponential(1, 300) + 0.1
    extras = {"event": np.ones(300), "entry": np.full(300, 0.05)}
    found, _ = check(sample(time, rng.normal(size=300), **extras), question("duration"))
    assert found.facts["without"] is None
    assert "cannot be said: with late entry" in found.facts["words"]


def test_what_no_test_rejects_is_not_marked():
    effect = SimpleNamespace(low=0.1, high=1.5, estimate=0.8, unit="day")
    elsewhere = relaxed.Relaxed(3.0, 0.1, 2.8, 3.2, "another way")
    marks = [_mark(Found("it holds", (), p, together, elsewhere), question("score"), effect) for p, together in PAIRS]
    assert [bool(mark) for mark in marks] == [False, False, True, True]


PAIRS = [(0.02, None), (0.02, 0.3), (0.009, 0.3), (0.3, 0.009)]


def test_weights_ask_for_the_spread_between_rows():
    rng = np.random.default_rng(31)
    parts = {"event": np.ones(90), "weights": rng.uniform(1, 3, 90)}
    found, _ = check(sample(rng.exponential(1, 90), rng.normal(size=90), **parts), question("duration"))
    assert [(test["method"], test["below"]) for test in found.facts["tests"]] == [("score test, robust", 89)]


def test_with_few_clusters_the_exposure_is_tested_all_the_same():
    rng = np.random.default_rng(29)
    others = {name: rng.normal(size=200) for name in "abcde"}
    asked = sample(
        rng.exponential(1, 200), rng.normal(size=200), others, event=np.ones(200), cluster=np.arange(200) % 5
    )
    found, _ = check(asked, question("duration"))
    assert [test["term"] for test in found.facts["tests"]] == ["care"]
    assert "for all columns" not in found.facts["words"]


def test_a_small_count_is_not_given_away(monkeypatch):
    def refused(*_):
        raise EstimationError("only 3 people ended so, which is too few")

    rng = np.random.default_rng(27)
    asked = sample(rng.exponential(1, 60), rng.normal(size=60), event=np.ones(60))
    about = question("duration")
    effect = estimate_sample(asked, about)
    dataset = SimpleNamespace(fingerprint="x", study=SimpleNamespace(disclosure="nhs", label=str))
    monkeypatch.setattr(relaxed, "straight_time", refused)
    found = assumptions(asked, about, effect, dataset)
    assert found.facts["without"] is None
    assert "too small to be shown" in found.facts["words"]
    monkeypatch.setattr(relaxed, "bent", refused)
    found = assumptions(asked, question("score"), effect, dataset)
    assert "too small to be shown" in found.reason


# Exact intervals of a Net Promoter Score


def group(up, down, n):
    return np.repeat([10, 0, 8], [up, down, n - up - down])


TABLES = [("tango", 30, 20, 100), ("tango", 3, 0, 40), ("tango", 0, 7, 25), ("tango", 120, 90, 400)]


@pytest.mark.parametrize("table", [*TABLES, ("exact", 5, 2, 12), ("exact", 8, 1, 10)])
def test_nps_intervals_by_hand_in_r(held, table):
    method, *counts = table
    _, _, low, high = nps(group(*counts), method="score" if method == "tango" else "exact")
    entry = "_".join(map(str, table))
    assert low == held(entry, "low", rel=1e-6)
    assert high == held(entry, "high", rel=1e-6)


@pytest.mark.parametrize("level", [0.95, 0.8])
@pytest.mark.parametrize("n", [1, 2, 4, 7])
def test_the_exact_interval_covers_whatever_the_truth(n, level):
    """All tables of n answers, under promoters and detractors on a grid that is dense where it matters."""
    tables = [(up, down) for up in range(n + 1) for down in range(n + 1 - up)]
    grid = (1 - np.cos(np.linspace(0, np.pi, 61))) / 2
    spoken, loyal = (side.ravel() for side in np.meshgrid(grid, grid))
    up, down = spoken * loyal, spoken * (1 - loyal)
    covered = {exact_limit: np.zeros(len(up)), score_limit: np.zeros(len(up))}
    for limit, share in covered.items():
        lowest = {table: limit(*table, n, level) for table in tables}
        for (promoters, detractors), low in lowest.items():
            rest, high = n - promoters - detractors, -lowest[detractors, promoters]
            ways = gammaln(n + 1) - gammaln(promoters + 1) - gammaln(detractors + 1) - gammaln(rest + 1)
            chance = np.exp(ways + xlogy(promoters, up) + xlogy(detractors, down) + xlogy(rest, 1 - spoken))
            share += chance * ((low - 1e-9 <= up - down) & (up - down <= high + 1e-9))
    assert covered[exact_limit].min() >= level
    if n > 2:
        assert covered[score_limit].min() < level - 0.03  # why few answers get the exact one


@pytest.mark.parametrize(("counts", "level"), [((27, 6, 35), 0.95), ((12, 3, 35), 0.8), ((9, 9, 20), 0.95)])
def test_no_difference_below_the_exact_limit_is_left_standing(counts, level):
    """The p-value crosses the error more than once for the first two."""
    limit = exact_limit(*counts, level)
    assert tail(*counts, limit + 1e-6) > (1 - level) / 2
    assert all(tail(*counts, gap) <= (1 - level) / 2 for gap in np.linspace(limit - 0.15, limit - 1e-6, 120))


@pytest.mark.parametrize("n", [5, 60, 300, 5000])
@pytest.mark.parametrize("kind", [10, 8, 0])
def test_answers_of_one_kind_have_an_interval(n, kind):
    score, se, low, high = nps(np.full(n, kind))
    assert (score, se) == ({10: 100, 8: 0, 0: -100}[kind], 0)
    assert -100 <= low <= score <= high <= 100
    assert 0 < high - low < 400 / np.sqrt(n)
    with pytest.raises(EstimationError, match=f"All {n} answers are of one kind"):
        nps(np.full(n, kind), method="wald")


@pytest.mark.parametrize(
    ("level", "method", "words"), [(95, None, "between 0 and 1"), (0.9, "walt", "no interval 'walt'")]
)
def test_an_interval_that_there_is_not_is_refused(level, method, words):
    with pytest.raises(EstimationError, match=words):
        nps(group(3, 2, 10), level, method)


def test_which_interval_is_the_default():
    methods = {200: "exact", 201: "score", 1000: "wald"}
    for n, method in methods.items():
        values = group(n - 12, 4, n) if n < 1000 else group(500, 300, n)
        assert nps(values) == nps(values, method=method)
    assert len({nps(group(30, 20, 100), method=method)[2] for method in ("exact", "score", "wald")}) == 3


def test_an_interval_turns_with_the_score_and_narrows_with_the_level():
    for method in ("exact", "score", "wald"):
        score, se, low, high = nps(group(20, 5, 40), method=method)
        assert nps(group(5, 20, 40), method=method) == pytest.approx((-score, se, -high, -low))
        _, _, inner_low, inner_high = nps(group(20, 5, 40), 0.8, method)
        assert low < inner_low < score < inner_high < high


def test_tango_rises_with_promoters_and_falls_with_detractors():
    """The tail of the exact test is found by halving, which leans on it."""
    for n in (3, 12, 40):
        number = np.arange(n + 1)
        possible = number[None, :] + number[:, None] <= n
        for gap in np.linspace(-0.999, 0.999, 101):
            value = np.clip(tango(number[None, :], number[:, None], n, gap), -1e9, 1e9)
            across, along = np.diff(value, axis=1), np.diff(value, axis=0)
            assert np.all(across[possible[:, 1:]] >= 0)
            assert np.all(along[possible[1:]] <= 0)


@pytest.mark.parametrize("counts", [(3, 2, 10), (0, 0, 10), (10, 0, 10), (0, 10, 10), (30, 70, 100)])
def test_tango_is_greater_for_greater_differences(counts):
    found = [float(tango(*counts, gap)) for gap in np.linspace(-0.999, 0.999, 201)]
    assert np.all(np.diff(found) <= 1e-12)
    assert float(tango(*counts, (counts[0] - counts[1]) / counts[2])) == 0
