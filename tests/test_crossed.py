"""Two kinds of clusters that cut across each other: R's numbers, what must hold, refusals; and which clusters count."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import yaml

from researchkit.dataset import load_dataset
from researchkit.errors import EstimationError, StudyError
from researchkit.estimators import crossed, estimate_sample, leverage, linear
from researchkit.study import load_study

BUILD = runpy.run_path(str(Path(__file__).with_name("test_estimators.py")))
sample, question = BUILD["sample"], BUILD["question"]


def codes(column) -> np.ndarray:
    return pd.factorize(column)[0]


# R's numbers


def test_petersens_panel_by_firm_and_year(reference):
    frame = reference.frame("PetersenCL")
    asked = sample(frame["y"], frame["x"], cluster=codes(frame["firm"]), crossed=codes(frame["year"]))
    effect = estimate_sample(asked, question("score"))
    exposure, intercept = effect.model.terms
    assert exposure.estimate == reference.value("ols_cluster_petersen", "b_x")
    assert exposure.se == reference.value("ols_cluster_petersen", "se_twoway_firm_year_x")
    assert intercept.se == reference.value("ols_cluster_petersen", "se_twoway_firm_year_Intercept")
    assert (effect.df, effect.clusters) == (9, 10)


@pytest.fixture(scope="module")
def contacts(held):
    return held.frames["contacts"]


def of(frame, outcome, **more):
    others = {name: frame[name] for name in ("severity", "tenure")}
    both = {"cluster": codes(frame["agent_id"]), "crossed": codes(frame["month"])}
    names = {"cluster_name": "agent_id", "crossed_name": "month"}
    return sample(frame[outcome], frame["trained"], others, **both, **names, **more)


@pytest.mark.parametrize("entry", ["two_way_line", "two_way_line_weighted"])
def test_a_score_in_two_ways(held, contacts, entry):
    weights = (1 + contacts["tenure"]).to_numpy() if entry.endswith("weighted") else None
    effect = estimate_sample(of(contacts, "handle_minutes", weights=weights), question("score"))
    assert (effect.estimate, effect.se) == (held(entry, "b"), held(entry, "se"))
    ending = ", weighted" if entry.endswith("weighted") else ""
    assert effect.method == f"least squares, CR1 errors clustered two ways, by agent_id and month{ending}"
    assert effect.notes == ("few clusters: 12 (month)",)


def test_a_risk_in_two_ways(held, contacts):
    effect = estimate_sample(of(contacts, "resolved"), question("yes_no"))
    term = effect.model.terms[0]
    assert (term.estimate, term.se) == (held("two_way_logit", "b"), held("two_way_logit", "se"))
    assert (effect.estimate, effect.se) == (held("two_way_risk", "value"), held("two_way_risk", "se"))
    assert effect.df == 11 and effect.method.endswith("CR1 errors clustered two ways, by agent_id and month")


def test_a_rate_in_two_ways(held, contacts):
    time = contacts["days_observed"].to_numpy(float)
    effect = estimate_sample(of(contacts, "contacts_next_90d", offset_time=time), question("counts"))
    term = effect.model.terms[0]
    assert (term.estimate, term.se) == (held("two_way_rate", "b"), held("two_way_rate", "se"))


def test_steps_in_two_ways(held, contacts):
    """polr's maximum is good to some 5 digits."""
    there = contacts[contacts["csat"].notna()]
    there = there.assign(csat=there["csat"] - there["csat"].min())
    effect = estimate_sample(of(there, "csat"), question("ordered", top=["4.0"]))
    term = effect.model.terms[0]
    assert term.estimate == held("two_way_odds", "b", 1e-4)
    assert term.se == held("two_way_odds", "se", 1e-4)


# What must hold


def world(rng, kind="score", n=400):
    """People of 25 teams in 20 months; the exposure differs by team and by month."""
    team, month = rng.integers(0, 25, n), rng.integers(0, 20, n)
    care = rng.normal(size=25)[team] + rng.normal(size=20)[month] + rng.normal(size=n)
    mood = 0.4 * care + 0.4 * rng.normal(size=25)[team] + 0.6 * rng.normal(size=20)[month] + rng.normal(size=n)
    outcome = {"yes_no": mood > 0, "ordered": np.digitize(mood, [-0.5, 0.7]), "score": mood}.get(kind)
    if kind == "counts":
        outcome = rng.poisson(np.exp(0.3 * mood))
    return sample(outcome, care, cluster=team, crossed=month, crossed_name="month")


KINDS = ["score", "yes_no", "counts", "ordered"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_the_two_ways_does_not_matter(kind):
    asked = world(np.random.default_rng(1), kind)
    one = estimate_sample(asked, question(kind))
    asked.cluster, asked.crossed = asked.crossed, asked.cluster
    other = estimate_sample(asked, question(kind))
    assert (one.estimate, one.se, one.df, one.clusters) == pytest.approx((other.estimate, other.se, 19, 20))


@pytest.mark.parametrize("kind", ["score", "yes_no"])
def test_a_second_way_that_repeats_the_first_is_cr1_one_way(kind):
    asked = world(np.random.default_rng(2), kind)
    asked.crossed = asked.cluster + 7
    both = estimate_sample(asked, question(kind))
    family = sm.families.Binomial() if kind == "yes_no" else sm.families.Gaussian()
    model = sm.GLM(asked.outcome, sm.add_constant(asked.exposure), family=family)
    other = model.fit(cov_type="cluster", cov_kwds={"groups": asked.cluster}, tol=1e-14)
    assert both.model.terms[0].se == pytest.approx(other.bse[1], rel=1e-8)
    assert (both.df, both.model.errors) == (24, "CR1")


def one_way(asked, kind, cluster, **outcome) -> float:
    """The CR1 variance of the effect with one kind of clusters: two ways that are the same."""
    alone = SimpleNamespace(**(vars(asked) | {"cluster": cluster, "crossed": cluster}))
    return estimate_sample(alone, question(kind, **outcome)).se ** 2


def test_a_duration_in_two_ways_is_the_sum_of_its_influences():
    rng = np.random.default_rng(3)
    asked = world(rng)
    asked.outcome, asked.event = rng.exponential(5 / np.exp(0.3 * asked.exposure)), np.ones(400)
    asked_for = {"horizon": 5.0, "event": "left", "unit": "day"}
    whole = estimate_sample(asked, question("duration", **asked_for))
    team, month = asked.cluster, asked.crossed
    variances = [one_way(asked, "duration", cluster, **asked_for) for cluster in (team, month, team * 100 + month)]
    assert whole.se == pytest.approx(np.sqrt(variances[0] + variances[1] - variances[2]))
    assert whole.df == 19 and whole.method.endswith("clustered two ways, by team and month")
    assert whole.model.terms[0].se > 0


def test_intervals_in_two_ways_cover_the_truth_where_one_way_does_not():
    """300 worlds. The errors of 20 months are known to be some percent too small (Cameron et al., table 1)."""
    rng, inside, alone = np.random.default_rng(4), [], []
    for _ in range(300):
        asked = world(rng)
        effect = estimate_sample(asked, question("score"))
        inside.append(effect.low <= 0.4 <= effect.high)
        asked.crossed = None
        effect = estimate_sample(asked, question("score"))
        alone.append(effect.low <= 0.4 <= effect.high)
    assert 0.9 <= np.mean(inside) <= 0.98
    assert np.mean(alone) < 0.87


def test_a_variance_that_comes_out_negative_gives_way_to_the_larger_one_way():
    """Each team's and each month's scores cancel, while their meetings are alike."""
    team, month = np.repeat([0, 0, 1, 1], 2), np.repeat([0, 1, 0, 1], 2)
    asked = sample([0] * 8, [0, 1] * 4, cluster=team, crossed=month, cluster_name="team", crossed_name="month")
    scores = np.array([1.0, 1, -1, -1, -1, -1, 1.2, 1.2])[:, None]
    covariance, df, notes = crossed.two_way(scores, asked, np.ones(1))
    assert covariance[0, 0] == pytest.approx(2 * 0.4**2) and df == 1
    assert notes == ("the two-way variance came out negative, so the error is that of clusters by team alone",)
    assert crossed.of_influence(scores[:, 0], asked)[0] == pytest.approx(np.sqrt(2) * 0.4)
    asked.crossed = np.repeat([0, 1, 0, 2], 2)
    assert "by month alone" in crossed.two_way(scores, asked, np.ones(1))[2][0]


@pytest.mark.parametrize("kind", KINDS)
def test_an_effect_says_when_one_way_stands_in_for_two(kind):
    rng = np.random.default_rng(0)
    team, month = np.repeat(np.arange(4), 16), np.tile(np.arange(4), 16)
    for _ in range(200):
        outcome = rng.normal(size=64) if kind == "score" else rng.integers(0, 2 if kind == "yes_no" else 3, 64)
        asked = sample(outcome, rng.normal(size=64), cluster=team, crossed=month, crossed_name="month")
        effect = estimate_sample(asked, question(kind))
        if any("came out negative" in note for note in effect.notes):
            break
    else:
        pytest.fail("no such sample")
    assert effect.se**2 == pytest.approx(max(one_way(asked, kind, cluster) for cluster in (team, month)))


@pytest.mark.parametrize("kind", ["score", "yes_no"])
def test_whether_one_way_stands_in_is_judged_by_the_exposure(kind):
    """Among covariates that go with it: the variance is V_a + V_b - V_ab where that is positive, else the larger."""
    rng, stood_in = np.random.default_rng(6), set()
    team, month = np.repeat(np.arange(4), 16), np.tile(np.arange(4), 16)
    for _ in range(60):
        need = rng.normal(size=64)
        care, outcome = need + 0.4 * rng.normal(size=64), rng.normal(size=64)
        outcome = outcome if kind == "score" else outcome > 0
        asked = sample(outcome, care, {"need": need}, cluster=team, crossed=month, crossed_name="month")
        effect = estimate_sample(asked, question(kind))
        ones = [one_way(asked, kind, cluster) for cluster in (team, month, team * 4 + month)]
        both = ones[0] + ones[1] - ones[2]
        stood_in.add(both <= 0)
        assert effect.se**2 == pytest.approx(both if both > 0 else max(ones[:2]))
    assert stood_in == {True, False}


# Refusals


@pytest.mark.parametrize(
    ("month", "words"),
    [
        (np.zeros(40), "all 40 rows belong to one value of month"),
        (np.where(np.arange(40) % 2, -1, np.arange(40)), "all rows with care are one single month"),
    ],
)
@pytest.mark.parametrize("kind", ["score", "yes_no"])
def test_the_second_way_has_to_hold_clusters_too(kind, month, words):
    rng = np.random.default_rng(5)
    asked = sample(rng.integers(0, 2, 40), np.arange(40) % 2, cluster=np.arange(40) // 4, crossed=month)
    asked.crossed_name = "month"
    with pytest.raises(EstimationError, match=words):
        estimate_sample(asked, question(kind))


# Which clusters count


def drawn(folder, clusters, rows, header="id,site,team,month,wave,care,score"):
    (folder / "a.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    asked = {"id": "q", "title": "?", "claim": "BUR-1", "exposure": "care", "smallest_effect": 1}
    asked["outcome"] = {"column": "score", "kind": "score"}
    study = {"title": "t", "seed": 1, "design": "observational", "files": "a.csv", "people": "id"}
    study |= {"clusters": clusters, "questions": [asked]}
    (folder / "study.yml").write_text(yaml.safe_dump(study), encoding="utf-8")
    study = load_study(folder)
    return load_dataset(study).sample(study.question("q"))


# Teams lie within sites; months and waves cut across both, and across each other.
ROWS = [f"{i},{'ab'[i % 4 // 2]},t{i % 4},m{i // 4 % 3},w{i % 5},{i * 7 % 11},{i * 5 % 13}" for i in range(60)]


@pytest.mark.parametrize(
    ("clusters", "first", "second"),
    [
        (["site", "team"], "site", None),
        (["team", "site"], "site", None),
        (["team"], "team", None),
        (["team", "month"], "team", "month"),
        (["site", "team", "month"], "site", "month"),
        (["team", "month", "site"], "month", "site"),
        (["team", "id"], "team", None),
        ([], None, None),
    ],
)
def test_clusters_within_clusters_need_nothing_and_two_that_cross_are_kept(tmp_path, clusters, first, second):
    found = drawn(tmp_path, clusters, ROWS)
    assert (found.cluster_name, found.crossed_name) == (first, second)
    assert (found.cluster is None, found.crossed is None) == (first is None, second is None)
    if second == "month":
        assert len(found.crossed) == 60 and len(np.unique(found.crossed)) == 3


def test_three_that_cross_are_refused(tmp_path):
    with pytest.raises(StudyError, match="the clusters site, month and wave all cut across"):
        drawn(tmp_path, ["site", "month", "wave"], ROWS)


def test_a_row_without_its_second_cluster_is_left_out_only_where_that_counts(tmp_path):
    gap = [*ROWS[:-1], ROWS[-1].replace(",m2,", ",,")]
    assert ",," in gap[-1]
    assert len(drawn(tmp_path, ["team"], gap).outcome) == 60
    found = drawn(tmp_path, ["team", "month"], gap)
    assert len(found.outcome) == 59 and [step.why for step in found.flow if step.rows] == ["month missing"]


def test_a_gap_in_an_inner_cluster_does_not_make_it_cross(tmp_path):
    found = drawn(
        tmp_path,
        ["site", "team"],
        [*ROWS[:-2], *(row.replace(f",t{i},", ",,") for i, row in ((2, ROWS[58]), (3, ROWS[59])))],
    )
    assert (found.cluster_name, found.crossed_name, len(found.outcome)) == ("site", None, 60)


def test_one_month_only_is_no_reason_to_forget_the_months(tmp_path):
    once = [row.replace(",m1,", ",m0,").replace(",m2,", ",m0,") for row in ROWS]
    found = drawn(tmp_path, ["team", "month"], once)
    assert (found.cluster_name, found.crossed_name) == ("team", "month")
    with pytest.raises(EstimationError, match="one value of month"):
        estimate_sample(found, question("score"))


def test_no_row_left_is_told_as_such_however_many_clusters(tmp_path):
    with pytest.raises(EstimationError, match="no row is left"):
        drawn(tmp_path, ["site", "month", "wave"], [row.rsplit(",", 1)[0] + "," for row in ROWS])


# Words, limits and choices


def noise(n=120, **more):
    rng = np.random.default_rng(7)
    return sample(rng.normal(size=n), rng.normal(size=n), **more)


CROSSED = {"cluster": np.arange(120) % 12, "crossed": np.arange(120) // 12 % 10 + 3, "crossed_name": "month"}


def test_how_errors_are_clustered_in_words():
    assert crossed.words(noise()) == "" and crossed.words(noise(cluster=np.arange(120))) == " clustered by team"
    assert crossed.words(noise(**CROSSED)) == " clustered two ways, by team and month"


def sandwich(scores, codes):
    """The sums within clusters, squared, times G / (G - 1)."""
    sums = np.array([scores[codes == one].sum(axis=0) for one in np.unique(codes)])
    return len(sums) / (len(sums) - 1) * sums.T @ sums


def test_two_ways_are_the_sum_of_both_less_that_of_their_meetings():
    rng, asked = np.random.default_rng(8), noise(**CROSSED)
    scores, direction = rng.normal(size=(120, 2)) + 1, np.array([1.0, 0.0])
    pairs = asked.cluster * 100 + asked.crossed
    by_hand = sandwich(scores, asked.cluster) + sandwich(scores, asked.crossed) - sandwich(scores, pairs)
    found, df, notes = crossed.two_way(scores, asked, direction)
    assert found == pytest.approx(by_hand) and (df, notes) == (9, ())
    se, df, notes = crossed.of_influence(scores[:, 0], asked)
    assert (se, df, notes) == (pytest.approx(np.sqrt(by_hand[0, 0])), 9, ())


def test_the_error_of_an_estimate_from_its_influences():
    influence = np.random.default_rng(9).normal(size=120)
    se, df, notes = crossed.of_influence(influence, noise())
    assert (se, df, notes) == (pytest.approx(np.sqrt(np.sum(influence**2))), None, ())
    team = np.arange(120) % 12
    se, df, notes = crossed.of_influence(influence, noise(cluster=team))
    assert (se, df, notes) == (pytest.approx(np.sqrt(sandwich(influence[:, None], team)[0, 0])), 11, ())


def parts(n=120):
    """Information, scores and rows of a logistic model of two columns."""
    rng = np.random.default_rng(10)
    matrix, risk = np.column_stack([rng.normal(size=n), np.ones(n)]), rng.uniform(0.2, 0.8, n)
    rows = matrix * np.sqrt(risk * (1 - risk))[:, None]
    return rows.T @ rows, matrix * ((rng.random(n) < risk) - risk)[:, None], rows


@pytest.mark.parametrize(
    ("n", "team", "more", "errors"),
    [
        (99, False, {}, "HC2"),
        (100, False, {}, "model-based"),
        (100, False, {"robust": True}, "HC0"),
        (100, False, {"little": True}, "HC2"),
        (100, True, {}, "CR2"),
        (100, True, {"rows": ()}, "CR1"),
        (99, False, {"rows": ()}, "model-based"),
    ],
)
def test_which_errors_a_likelihood_model_has(n, team, more, errors):
    information, scores, rows = parts(n)
    asked = noise(n, cluster=np.arange(n) % 12 if team else None)
    gradient, back = np.array([1.0, 0.5]), np.array([[2.0, 0.0], [1.0, 1.0]])
    told = {"robust": False, "rows": (rows,), "back": back} | more
    found = crossed.spread(information, scores, asked, gradient, **told)
    bread = np.linalg.inv(information)
    assert found.errors == errors
    if errors in ("HC2", "CR2"):
        codes = np.arange(n) % 12 if team else np.arange(n)
        fit = leverage.cr2(*leverage.gathered((rows,), scores, codes))
        assert found.covariance == pytest.approx(fit.covariance)
        assert found.df == pytest.approx(fit.df(gradient[None, :])[0]) and found.each == pytest.approx(fit.df(back))
        alone = crossed.spread(information, scores, asked, gradient, **(told | {"back": None}))
        assert alone.each is None and alone.df == pytest.approx(found.df)
    else:
        meat = {"CR1": sandwich(scores, np.arange(n) % 12) * (n - 1) / (n - 2), "HC0": scores.T @ scores}
        assert found.covariance == pytest.approx(bread @ meat.get(errors, information) @ bread)
        assert found.df == (11 if team else None)


def test_two_kinds_of_clusters_have_cr1_both_ways():
    information, scores, rows = parts()
    asked, gradient, bread = noise(**CROSSED), np.array([1.0, 0.5]), np.linalg.inv(information)
    found = crossed.spread(information, scores, asked, gradient, robust=False, rows=(rows,))
    meat, df, notes = crossed.two_way(scores, asked, bread @ gradient)
    assert found.covariance == pytest.approx(119 / 118 * bread @ meat @ bread)
    assert (found.errors, found.df, found.notes, found.each) == ("CR1", df, notes, None)
    line = linear.least_squares(np.column_stack([asked.exposure, np.ones(120)]), asked.outcome)
    both = crossed.cr1(line, asked)
    meat, df, _ = crossed.two_way(line.basis * line.residuals[:, None], asked, line.root[0])
    assert both.covariance == pytest.approx(119 / 118 * line.root @ meat @ line.root.T)
    assert (both.df.tolist(), both.errors) == ([df] * 2, "CR1")


HARDLY = "hardly any degrees of freedom: {}; with fewer than 2.5, intervals are wide, and may be wider than need be"
WORTH = "few clusters: the comparison is worth {} degrees of freedom (team)"


@pytest.mark.parametrize(
    ("groups", "df", "notes"),
    [
        (30, 5.0, ()),
        (30, 9.0, ()),
        (30, 4.5, (WORTH.format("4.5"),)),
        (20, 4.5, (WORTH.format("4.5"),)),
        (19, 4.5, ()),  # that they are few is said already
        (30, 2.5, (WORTH.format("2.5"),)),
        (30, 2.4, (WORTH.format("2.4"), HARDLY.format("2.4"))),
        (19, 2.4, (HARDLY.format("2.4"),)),
    ],
)
def test_a_comparison_worth_few_clusters_is_told(groups, df, notes):
    assert crossed.thin_of(groups, "team", df) == notes
    asked = noise(cluster=np.arange(120) % groups)
    assert crossed.thin(asked, df) == notes
    assert crossed.thin(noise(), df) == ()
    both = noise(cluster=np.arange(120), crossed=np.arange(120) % groups, crossed_name="month")
    assert crossed.thin(both, df) == notes  # of the fewer ones


@pytest.mark.parametrize("kind", ["yes_no", "counts", "ordered"])
@pytest.mark.parametrize("teams", [1, 2])
def test_an_effect_that_one_cluster_alone_carries_has_no_error(kind, teams):
    """Each team has a level of its own; the exposure differs within one of them, or within two."""
    rng, team = np.random.default_rng(1), np.repeat(np.arange(8), 30)
    care = np.where(team < teams, np.arange(240) % 2, 0)
    outcome = {"yes_no": rng.integers(0, 2, 240), "counts": rng.poisson(2, 240), "ordered": rng.integers(0, 3, 240)}[
        kind
    ]
    levels = {f"team {one}": team == one for one in range(1, 8)}
    asked = sample(outcome, care, levels, cluster=team)
    if teams == 2 or kind == "ordered":  # whose thresholds are shared by all teams
        assert estimate_sample(asked, question(kind)).se > 1e-6
        return
    with pytest.raises(EstimationError) as refused:
        estimate_sample(asked, question(kind))
    assert str(refused.value) == (
        "One single team alone carries the effect, so that no spread is left to judge it by. Leave a column that tells "
        "them apart out of `adjust`, or collect data in which more of them differ in the exposure."
    )
