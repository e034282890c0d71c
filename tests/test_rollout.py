"""Roll-outs: R's numbers, what must hold for any data, attacks that find what is planted, refusals with their words."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner
from designed import counts
from scipy import stats

from researchkit import power, simulate, stages
from researchkit.answer import answer_question
from researchkit.calibrate import rollouts
from researchkit.cli import main as cli
from researchkit.dataset import load_dataset
from researchkit.errors import DataError, EstimationError, ParameterError, StudyError
from researchkit.estimators import estimate
from researchkit.estimators.multilevel import random_intercept
from researchkit.estimators.panel import panel
from researchkit.estimators.permute import draw_again, inverted
from researchkit.estimators.rollout import behind, lay_out, rollout, since
from researchkit.estimators.stagger import Combined, contrasts
from researchkit.estimators.twfe import two_way
from researchkit.study import load_study
from researchkit.tables import Prose
from researchkit.verdict import ruling

ENTRY = {"unit": "site", "time": "month", "start": "began"}


def written(folder, frame, rollout=None, **more):
    """A study of one table and one question, loaded."""
    frame.to_csv(folder / "rows.csv", index=False)
    asked = {"id": "q", "title": "Does it?", "claim": "PRA-2", "family": "loyalty", "smallest_effect": 0.2}
    asked |= {
        "exposure": "trained",
        "outcome": {"column": "y", "kind": "score"},
        "rollout": {**ENTRY, **(rollout or {})},
    }
    told = {"title": "T", "seed": 1, "design": "rollout", "files": "rows.csv", "questions": [{**asked, **more}]}
    (folder / "study.yml").write_text(yaml.safe_dump(told), encoding="utf-8")
    return load_study(folder)


def effect_of(study):
    return estimate(load_dataset(study), study.questions[0])


def rows(starts, periods=6, each=3, effect=1.0, grows=0.0, noise=0.3, seed=1):
    """One row a person: sites named by place, month from 1, `began` empty where it never comes."""
    rng = np.random.default_rng(seed)
    site, month, _ = (part.ravel() for part in np.mgrid[0 : len(starts), 1 : periods + 1, 0:each])
    first = np.array([np.nan if one is None else one for one in starts], dtype=float)[site]
    on = np.where(np.isnan(first), 0, month >= first).astype(int)
    since = np.where(on == 1, month - np.nan_to_num(first), 0)
    y = site * 1.0 + 0.5 * month + on * effect + grows * since + noise * rng.standard_normal(len(site))
    names = np.array([f"s{one:02d}" for one in range(len(starts))])
    return pd.DataFrame({"site": names[site], "month": month, "began": first, "trained": on, "y": y})


# R's numbers


@pytest.fixture(scope="module")
def contacts(held, tmp_path_factory):
    """The contacts that R had, as a study; a function that changes the entry, the adjustment or both."""
    frame = held.frames["contacts"].copy()
    start = frame[frame["trained"] == 1].groupby("site")["month"].min()
    frame = frame.assign(began=frame["site"].map(start), y=frame["handle_minutes"])
    folder = tmp_path_factory.mktemp("contacts")
    dataset = load_dataset(written(folder, frame, adjust=["severity"]))
    asked = dataset.study.questions[0]

    def ask(adjust=(), **entry):
        design = asked.rollout.model_copy(update=entry)
        question = asked.model_copy(update={"rollout": design, "adjust": tuple(adjust)})
        return dataset.sample(question), question

    return ask


@pytest.mark.parametrize(
    ("entry", "choice"),
    [
        ("rollout_not_yet", {}),
        ("rollout_never", {"comparison": "never"}),
        ("rollout_all_units", {"before": "all", "weigh": "units"}),
    ],
)
def test_differences_of_differences_agree_with_those_by_hand(held, contacts, entry, choice):
    effect = rollout(*contacts(**choice))
    assert (effect.estimate, effect.se) == (held(entry, "overall"), held(entry, "se"))


def test_times_since_the_start_agree(held, contacts):
    events = lay_out(*contacts()).events
    for event, name in ((0, "at_start"), (3, "after_3"), (-2, "before_2")):
        assert events[event].estimate == held("rollout_not_yet", name)


def test_a_cohort_in_a_month_is_the_coefficient_of_the_saturated_regression(held, contacts):
    laid = lay_out(*contacts(comparison="never", weigh="units"))
    for cohort, month in ((5, 8), (9, 12)):
        place = (laid.found.cohort == cohort - 1) & (laid.found.period == month - 1)
        assert float(laid.every.each[place][0]) == held("rollout_saturated", f"g{cohort}_t{month}")


def test_severity_is_held_equal_by_its_slope_among_the_untreated(held, contacts):
    laid = lay_out(*contacts(adjust=("severity",)))
    assert float(laid.every.slopes[0]) == held("rollout_adjusted", "slope", rel=1e-6)
    assert laid.overall.estimate == held("rollout_adjusted", "overall", rel=1e-5)


def test_the_usual_regression_agrees(held, contacts):
    found = two_way(panel(*contacts()))
    assert (found.estimate, found.se) == tuple(held("rollout_two_way", name, rel=1e-6) for name in ("b", "se"))
    assert found.weights.sum() == pytest.approx(1)


def test_the_mixed_model_of_a_stepped_wedge_agrees(held, contacts):
    sample, _ = contacts()
    months = np.eye(12)[sample.more["month"].astype(int) - 1]
    site = np.unique(sample.more["site"], return_inverse=True)[1]
    fit = random_intercept(sample.outcome, np.column_stack([sample.exposure, months]), site)
    found = fit.coefficients[0], math.sqrt(fit.covariance[0, 0]), fit.df[0]
    assert found == tuple(held("rollout_wedge", name, rel=1e-5) for name in ("b", "se", "df"))


# What must hold for any data


def test_levels_of_sites_and_months_make_no_difference(tmp_path):
    frame = rows([2, 2, 4, 4, None, None])
    rng = np.random.default_rng(5)
    moved = frame.assign(
        y=frame["y"]
        + frame["site"].map(dict(zip(frame["site"].unique(), 100 * rng.standard_normal(6), strict=True)))
        + frame["month"].map(dict(zip(range(1, 7), 100 * rng.standard_normal(6), strict=True)))
    )
    one, other = (effect_of(written(tmp_path, each)) for each in (frame, moved))
    assert (one.estimate, one.se, one.df) == pytest.approx((other.estimate, other.se, other.df))


def test_where_effects_grow_the_usual_regression_has_the_wrong_sign_and_the_answer_has_not(tmp_path):
    study = written(tmp_path, rows([2, 2, 2, 5, 5, 5], periods=7, effect=0.1, grows=1.0, noise=0.05))
    laid = lay_out(load_dataset(study).sample(study.questions[0]), study.questions[0])
    usual = two_way(laid.cells)
    assert usual.estimate < 0
    assert usual.negative > 0
    assert laid.overall.estimate == pytest.approx(0.1 + 1.0, abs=0.15)  # months 2 to 4 against sites that begin in 5
    assert effect_of(study).low > 0.5


def test_nobody_who_has_started_is_a_comparison(contacts):
    for comparison in ("not yet", "never"):
        laid = lay_out(*contacts(comparison=comparison))
        for place in range(len(laid.found.cohort)):
            used = laid.cells.start[laid.found.compared[place] > 0]
            assert (used > laid.found.period[place]).all()


def test_units_of_one_cluster_are_left_out_together(tmp_path):
    frame = rows([2, 2, 3, 3, 4, 4, None, None, None, None])
    team = frame.assign(team=frame["site"].str[1:].astype(int) // 2)
    effect = effect_of(written(tmp_path, team, clusters="team"))
    left = [effect_of(written(tmp_path, team[team["team"] != one], clusters="team")).estimate for one in range(5)]
    assert effect.clusters == 5
    assert effect.se == pytest.approx(math.sqrt(4 / 5 * np.sum((np.array(left) - effect.estimate) ** 2)))


def test_a_row_that_counts_twice_is_two_rows(tmp_path):
    frame = rows([2, 2, 4, 4, None, None])
    twice = frame.assign(w=np.where(frame.index % 5 == 0, 2, 1))
    one = effect_of(written(tmp_path, twice, weights="w"))
    other = effect_of(written(tmp_path, twice.loc[twice.index.repeat(twice["w"])]))
    assert (one.estimate, one.se) == pytest.approx((other.estimate, other.se))


def test_anticipated_months_are_neither_before_nor_after(tmp_path):
    frame = rows([4, 4, 4, None, None, None], noise=0.01)
    early = frame.assign(y=frame["y"] + 5 * ((frame["began"] - frame["month"]) == 1))
    plain, waits = (effect_of(written(tmp_path, early, {"anticipation": wait})) for wait in (0, 1))
    assert plain.estimate == pytest.approx(1 - 5, abs=0.1)
    assert waits.estimate == pytest.approx(1, abs=0.1)


def test_gaps_in_a_site_take_out_its_months_alone(tmp_path):
    frame = rows([3, 3, 3, None, None, None], noise=0.0)
    gappy = frame[~((frame["site"] == "s00") & (frame["month"] == 4))].assign(began=lambda one: one["began"])
    gappy = pd.concat([gappy, frame.tail(3).assign(site="lone", y=50.0)])  # seen in the last month alone
    assert effect_of(written(tmp_path, gappy.assign(y=gappy["y"] + 1e-9 * np.arange(len(gappy))))).estimate == (
        pytest.approx(1.0, abs=1e-6)
    )


@pytest.mark.parametrize("kind", ["yes_no", "counts", "ordered"])
def test_shares_rates_and_answers_are_told_in_their_units(tmp_path, kind):
    frame = rows([2, 3, 4, 5, None, None], each=20)
    rng = np.random.default_rng(3)
    more = {"yes_no": {"kind": "yes_no"}, "counts": {"kind": "counts", "time": "t"}, "ordered": {"kind": "ordered"}}[
        kind
    ]
    chance = 0.3 + 0.2 * frame["trained"]
    y = {
        "yes_no": rng.random(len(frame)) < chance,
        "counts": rng.poisson(2 * chance),
        "ordered": 1 + (rng.random(len(frame)) < chance),
    }[kind]
    outcome = {"column": "y", **more, **({"top": ["2"]} if kind == "ordered" else {})}
    study = written(tmp_path, frame.assign(y=y.astype(int), t=2.0), outcome=outcome)
    effect = effect_of(study)
    assert effect.unit == {"counts": "events per unit of t"}.get(kind, "probability")
    assert effect.low < 0.2 < effect.high
    assert effect.se < 0.15


@pytest.mark.parametrize("texts", [False, True])
def test_dates_and_texts_are_times_too(tmp_path, texts):
    frame = rows([3, 3, None, None, 5, 5])
    day = "2025-0{}" if texts else "2025-0{}-01"
    told = frame.assign(
        month=[day.format(one) for one in frame["month"]],
        began=["" if math.isnan(one) else day.format(int(one)) for one in frame["began"]],
    )
    plain, dated = (effect_of(written(tmp_path, each)) for each in (frame, told))
    assert dated.estimate == pytest.approx(plain.estimate)
    assert [term.term for term in dated.model.terms][-2:] == [f"started {day.format(one)}" for one in (3, 5)]


# Do the intervals keep their word (a small version; `python -m researchkit.calibrate.rollouts` has all)

TRIED = [one for one in rollouts.SITUATIONS if one.name in ("growing", "adjusted", "two")]


def test_intervals_hold_the_truth_and_half_of_them_would_not():
    inside, half = [], []
    for situation in TRIED:
        asked = rollouts.question(situation)
        for number in range(50):
            drawn, truth = rollouts.study(situation, number)
            effect = rollout(drawn, asked)
            inside.append(effect.low <= truth <= effect.high)
            half.append(abs(effect.estimate - truth) <= (effect.high - effect.estimate) / 2)
    assert np.mean(inside) > 0.9
    assert np.mean(half) < 0.85


# Its pieces, from arrays and by plain arithmetic

SIX = (2, 2, 3, 3, 4, 6, 6, 6)  # units' starts over 6 times; the last three never start


def drawn(starts=SIX, periods=6, each=3, effect=1.0, covariate=False, seed=0, **more):
    """Rows of every unit at every time as a sample, with units' unequal sizes: `each` + 0, 1, 2, 0, 1, ... rows."""
    rng = np.random.default_rng(seed)
    many = each + np.arange(len(starts)) % 3
    unit = np.concatenate([np.repeat(one, many[one] * periods) for one in range(len(starts))])
    time = np.concatenate([np.tile(np.arange(periods), count) for count in many])
    start = np.array(starts)[unit]
    empty, _ = rollouts.study(TRIED[-1], 0)
    told = {
        "outcome": unit + 0.5 * time + effect * (time >= start) + rng.normal(size=len(unit)),
        "exposure": (time >= start).astype(float),
        "covariates": rng.normal(size=(len(unit), int(covariate))),
        "names": ("need",) * covariate,
        "groups": ("need",) * covariate,
        "rows": len(unit),
        "more": {
            "site": unit.astype(float),
            "month": time.astype(float),
            "began": np.where(start < periods, start, np.nan),
        },
    }
    return replace(empty, **(told | more))


def asked_for(kind="score", **entry):
    question = rollouts.question(TRIED[-1])
    design = question.rollout.model_copy(update={"before": "last", **entry})
    return question.model_copy(
        update={"rollout": design, "outcome": question.outcome.model_copy(update={"kind": kind})}
    )


def t_interval(estimate, se, df, level):
    half = stats.t.ppf((1 + level) / 2, df) * se
    return estimate - half, estimate + half, 2 * stats.t.sf(abs(estimate) / se, df)


@pytest.mark.parametrize(("level", "before"), [(0.9, "last"), (0.95, "last"), (0.95, "all")])
def test_the_answer_is_the_average_since_the_start_with_t_and_the_jackknife(level, before):
    sample, question = drawn(), asked_for(before=before)
    cells = panel(sample, question)
    found = contrasts(cells, before=before)
    every = Combined(cells, found)
    after = found.event >= 0
    whole = every.average(after)
    effect = rollout(sample, question, level)
    low, high, p = t_interval(whole.estimate, whole.se, whole.df, level)
    told = (effect.estimate, effect.se, effect.df, effect.low, effect.high, effect.p, effect.level)
    assert told == pytest.approx((whole.estimate, whole.se, whole.df, low, high, p, level))
    assert (effect.n, effect.clusters, effect.unit, effect.kind) == (len(sample.outcome), 8, "points", "score")
    assert effect.method == (
        "group-time effects against those not yet started, averaged over all started, jackknife over site"
    )
    expected = {"all who had started": whole}
    for event in sorted(set(found.event)):
        name = (
            f"{-event} before the start" if event < 0 else "at the start" if event == 0 else f"{event} after the start"
        )
        expected[name] = every.average(found.event == event)
    for cohort in (2, 3, 4):
        expected[f"started {cohort}"] = every.average(after & (found.cohort == cohort))
    assert set(expected) - {term.term for term in effect.model.terms} == {
        "4 before the start",  # 4 rows of one site
        "3 after the start",  # 3 + 4 of two
        "started 4",  # 4 a time
    }
    for term in effect.model.terms:
        part = expected[term.term]
        assert (term.estimate, term.se) == pytest.approx((part.estimate, part.se), nan_ok=True)
        if math.isfinite(part.se):
            assert (term.low, term.high, term.p) == pytest.approx(t_interval(part.estimate, part.se, part.df, level))
    never = rollout(sample, asked_for(comparison="never", before=before))
    assert "against those who never start," in never.method
    assert never.estimate == pytest.approx(lay_out(sample, question, comparison="never").overall.estimate)


def test_times_of_one_unit_have_their_estimate_and_no_interval():
    """Four and more sites' people are told; of one site that is large the estimate alone."""
    effect = rollout(drawn(each=12), asked_for())
    alone = next(term for term in effect.model.terms if term.term == "started 4")
    assert math.isfinite(alone.estimate)
    assert all(math.isnan(value) for value in (alone.se, alone.low, alone.high, alone.p))


def test_what_few_people_stand_behind_is_no_row():
    """Of the cohort at 4 alone: a site of e + 1 rows a time, over two times; against three that never start."""
    for each, told, entry in (
        (4, 10, {}),  # 11 is the most that any profile asks for
        (5, 12, {}),
        (4, 10, {"before": "all"}),
        (5, 12, {"weigh": "units"}),
    ):
        sample = drawn(each=each)
        laid = lay_out(sample, asked_for(**entry))
        chosen = (laid.found.cohort == 4) & (laid.found.event >= 0)
        design = asked_for().rollout
        assert behind(laid, sample, design, chosen) == told
        assert any(row.term == "started 4" for row in rollout(sample, asked_for(**entry)).model.terms) == (told >= 11)
        never = 3 * each + 3  # rows a time of sites 5, 6 and 7
        chosen = (laid.found.cohort == 2) & (laid.found.event == 3)
        assert behind(laid, sample, design, chosen) == min(2 * each + 1, never)
        people = replace(sample, person=np.where(sample.more["site"] == 4, -1, np.arange(len(sample.outcome)) // 2))
        assert behind(laid, people, design, (laid.found.cohort == 4) & (laid.found.event >= 0)) == 0


def test_a_cohort_of_few_is_hidden_by_itself():
    told = {term.term for term in rollout(drawn((2, 4, 4, 4, 6, 6, 6), each=2), asked_for()).model.terms}
    assert "started 4" in told and "started 2" not in told  # 4 times 2 rows of the one, 2 times 9 of the others
    told = {term.term for term in rollout(drawn((2, 2, 2, 4, 6, 6, 6), each=2), asked_for()).model.terms}
    assert "started 2" in told and "started 4" not in told


def test_the_side_of_fewer_people_counts():
    sample = drawn((2, 2, 2, 2, 6, 6))
    laid = lay_out(sample, asked_for())
    at_start = (laid.found.event == 0) & (laid.found.cohort == 2)
    assert behind(laid, sample, asked_for().rollout, at_start) == 4 + 5  # of sites 4 and 5, beside 3 + 4 + 5 + 3


@pytest.mark.parametrize(
    ("wait", "before", "off"), [(0, "last", 0), (0, "last", 4), (0, "all", 0), (1, "last", 0), (1, "all", 0)]
)
def test_the_look_at_the_times_before_is_a_line_through_them(wait, before, off):
    sample = drawn(each=6, starts=(3, 3, 4, 4, 5, 7, 7, 7), periods=7)
    there = (sample.more["month"] == sample.more["began"] - 3) * (1 + sample.more["site"] / 100)
    sample = replace(sample, outcome=sample.outcome + off * there)
    laid = lay_out(sample, asked_for(anticipation=wait, before=before))
    told, base = laid.before, -1 - wait
    there = {event: part for event, part in laid.events.items() if event <= base and math.isfinite(part.se)}
    at = sorted({*there, base})
    heights = [there[one].estimate if one in there else 0.0 for one in at]
    left = [there[one].left if one in there else np.zeros(8) for one in at]
    slope, slopes = np.polyfit(at, heights, 1)[0], np.polyfit(at, np.array(left), 1)[0]
    se = math.sqrt(7 / 8 * np.sum((slopes - slope) ** 2))
    assert (told.slope.estimate, told.slope.se) == pytest.approx((slope, se))
    each = [2 * stats.t.sf(abs(part.estimate) / part.se, part.df) for part in there.values()]
    own = 2 * stats.t.sf(abs(slope) / se, told.slope.df)
    assert not off or len(each) * min(each) < own  # one time that is off, more than the line
    assert told.p == pytest.approx(min(1, 2 * min(own, len(each) * min(each))))
    assert told.missed == pytest.approx((stats.t.ppf(0.975, told.slope.df) + stats.t.ppf(0.8, told.slope.df)) * se)
    steps = [abs(heights[one + 1] - heights[one]) / (at[one + 1] - at[one]) for one in range(len(at) - 1)]
    assert told.step == pytest.approx(max(steps))
    assert told.largest == pytest.approx(max(abs(one) for one in heights))
    far = mass = 0.0
    for cohort, period, weight in zip(laid.found.cohort, laid.found.period, laid.every.mass, strict=True):
        first = 0 if before == "all" else cohort + base
        if period >= cohort:
            far, mass = far + weight * (period - (first + cohort + base) / 2), mass + weight
    assert told.reach == pytest.approx(far / mass)


def test_a_gap_between_the_times_before_spreads_its_step():
    """Two times before the start one site alone is seen, so that there is no error; its neighbours differ by 6."""
    sample = drawn((4, 4, 4, 7, 7, 7), periods=7, each=4)
    site, month = sample.more["site"], sample.more["month"]
    kept = (month != 2) | (site == 0) | (site > 2)
    outcome = np.where((month < 2) & (site < 3), 6.0, 0.0) + 1e-3 * np.random.default_rng(1).normal(size=len(site))
    more = {name: one[kept] for name, one in sample.more.items()}
    sample = replace(
        sample, outcome=outcome[kept], exposure=sample.exposure[kept], covariates=sample.covariates[kept], more=more
    )
    told = lay_out(sample, asked_for()).before
    assert (told.largest, told.step) == (pytest.approx(6, abs=0.01), pytest.approx(6 / 2, abs=0.01))


def test_with_one_time_before_there_is_nothing_to_look_at():
    assert lay_out(drawn((1, 1, 1, 4, 4, 4), periods=4), asked_for()).before is None
    assert lay_out(drawn((2, 2, 2, 4, 4, 4), periods=4), asked_for()).before is not None
    assert lay_out(drawn((2, 2, 2, 5, 5, 5), periods=5), asked_for(anticipation=1)).before is None


def test_no_difference_before_has_a_probability_of_at_most_one():
    for seed in range(6):
        told = lay_out(drawn(each=9, seed=seed), asked_for()).before
        assert 0 < told.p <= 1


# One alone


def test_one_alone_varies_as_much_as_each_other_in_its_place():
    starts, periods = (2, 5, 5, 5, 5), 5
    sample = drawn(starts, periods, covariate=True)
    question = asked_for()
    laid = lay_out(sample, question)
    assert laid.alone and not lay_out(drawn(), question).alone
    values = laid.cells.values[0] - laid.every.slopes[0] * laid.cells.values[1]
    placebo = []
    for one in range(1, 5):
        rest = [other for other in range(1, 5) if other != one]
        moved = values[:, 2:] - values[:, [1]]
        weight = [laid.cells.weight[other] for other in rest]
        placebo.append(np.mean(moved[one] - np.average(moved[rest], axis=0, weights=weight)))
    effect = rollout(sample, question)
    assert effect.se == pytest.approx(np.std(placebo, ddof=1))
    assert effect.df == 5 - 2
    assert effect.estimate == pytest.approx(laid.overall.estimate)
    low, high, p = t_interval(effect.estimate, effect.se, 3, 0.95)
    assert (effect.low, effect.high, effect.p) == pytest.approx((low, high, p))
    first = effect.model.terms[0]
    assert (first.estimate, first.se, first.low, first.high, first.p) == pytest.approx(
        (effect.estimate, effect.se, low, high, p)
    )
    assert sum(note.startswith("one site alone has started") for note in effect.notes) == 1
    assert rollout(drawn((2, 5, 5, 5), periods), question).df == 2
    every = rollout(sample, asked_for(before="all"))
    moved = values[:, 2:] - values[:, :2].mean(axis=1, keepdims=True)
    placebo = [
        np.mean(moved[one] - np.average(moved[rest], axis=0, weights=laid.cells.weight[rest]))
        for one in range(1, 5)
        for rest in [[other for other in range(1, 5) if other != one]]
    ]
    assert every.se == pytest.approx(np.std(placebo, ddof=1))
    with pytest.raises(
        EstimationError, match="One has started and 2 can be compared with it throughout; with fewer than 3"
    ):
        rollout(drawn((2, 5, 5), periods), question)


def test_one_team_of_several_sites_is_one_alone():
    sample = drawn((2, 2, 5, 5, 5, 5, 5, 5), 5)
    teams = replace(sample, cluster=(sample.more["site"] // 2).astype(int), cluster_name="team")
    effect = rollout(teams, asked_for())
    assert any(note.startswith("one team alone has started") for note in effect.notes)
    assert (effect.df, effect.clusters) == (2, 4)
    assert effect.method.endswith("jackknife over team")
    two = replace(teams, cluster=(sample.more["site"] > 1).astype(int))
    assert (rollout(two, asked_for()).df, rollout(two, asked_for()).clusters) == (1, 2)


def test_one_alone_that_is_left_to_compare_with_is_refused():
    with pytest.raises(EstimationError, match="one site alone is left to compare with"):
        rollout(drawn((2, 2, 2, 6)), asked_for())


# Notes and refusals


def test_who_is_not_in_the_answer_is_counted():
    """Starts at 0 (two sites), 2, 2, 4, 4 of 6 times: from 4 on nobody is left."""
    sample = drawn((0, 0, 2, 2, 4, 4))
    notes = rollout(sample, asked_for()).notes
    assert "what had started before anything was seen of it is left out" in notes
    assert "2 by site had started so" in counts(notes)
    assert "started rows that have nobody left to be compared with (month 4 and 5) are left out" in notes
    many = [3, 4, 5, 3, 4, 5]  # rows a time
    wanted = 4 * (many[2] + many[3]) + 2 * (many[4] + many[5])
    gone = 2 * sum(many[2:])
    assert f"{100 * gone / wanted:.0f} % of the started rows are such" in counts(notes)
    assert rollout(sample, asked_for(weigh="units")).notes == rollout(sample, asked_for(before="all")).notes == notes
    assert not any("left out" in note for note in rollout(drawn(), asked_for()).notes)
    late = rollout(drawn((2, 2, 4, 4), periods=8), asked_for()).notes
    assert "started rows that have nobody left to be compared with (month 4, 5, 6 and 1 more) are left out" in late
    early = rollout(drawn((1, 2, 2, 2, 6, 6, 6)), asked_for(anticipation=1)).notes
    assert "1 by site had started so" in counts(early)
    both = drawn((0, 1, 2, 2, 2, 6, 6, 6))
    rest = both.more["site"] > 1
    more = {name: one[rest] for name, one in both.more.items()}
    part = {name: getattr(both, name)[rest] for name in ("outcome", "exposure", "covariates")}
    whole = counts(rollout(both, asked_for(anticipation=1)).notes)
    without = counts(rollout(replace(both, **part, more=more), asked_for(anticipation=1)).notes)
    assert whole == ["2 by site had started so", *without]


def test_a_site_that_nobody_saw_before_its_start_is_left_out_alone():
    sample = drawn()
    kept = (sample.more["site"] > 0) | (sample.more["month"] >= 2)
    more = {name: one[kept] for name, one in sample.more.items()}
    part = {name: getattr(sample, name)[kept] for name in ("outcome", "exposure", "covariates")}
    notes = rollout(replace(sample, **part, more=more), asked_for()).notes
    wanted = (3 + 4) * 4 + (5 + 3) * 3 + 4 * 2  # rows a time of sites 0 and 1, 2 and 3, and 4, since their starts
    assert f"{100 * 3 * 4 / wanted:.0f} % of the started rows are such" in counts(notes)
    assert any("(month 2, 3, 4 and 1 more)" in note for note in notes)


def test_errors_that_allow_for_one_kind_of_cluster_say_so():
    sample = drawn()
    other = replace(sample, crossed=(np.arange(len(sample.outcome)) % 7).astype(int), crossed_name="nurse")
    assert "errors allow for site alone, not for nurse" in rollout(other, asked_for()).notes
    assert not any("alone" in note for note in rollout(sample, asked_for()).notes)
    assert rollout(other, asked_for()).clusters == 8
    assert "few clusters: 8 (site)" in rollout(sample, asked_for()).notes


@pytest.mark.parametrize(
    ("starts", "entry", "words"),
    [
        ((2, 2, 2), {}, "whenever a site starts, nobody is left that has not: all start at once"),
        ((2, 2, 4, 4), {"comparison": "never"}, "every site starts in the end, so nobody is left who never does"),
        (
            (1, 1, 6),
            {"anticipation": 1},
            r"have started by the first month \(0\), so nobody was seen before\. Add earlier months",
        ),
        ((0, 1, 6), {"anticipation": 1}, r"all that start have started by the first month \(0\)"),
        ((0, 0, 6), {}, r"all that start have started by the first month \(0\)"),
        ((0, 2, 2), {}, "all start at once"),
        ((0, 4, 2), {"comparison": "never"}, "nobody is left who never does"),
    ],
)
def test_why_there_is_no_comparison(starts, entry, words):
    with pytest.raises(EstimationError, match=f"'q': .*{words}"):
        lay_out(drawn(starts), asked_for(**entry))


def test_gaps_that_leave_nobody_to_compare_with_are_named_as_such():
    """The two that never start have no rows in month 1, the last before the others start."""
    whole = drawn((2, 2, 6, 6))
    month, site = whole.more["month"], whole.more["site"]
    kept = (month != 1) | (site < 2)
    arrays = {name: getattr(whole, name)[kept] for name in ("outcome", "exposure", "covariates")}
    cut = replace(whole, **arrays, more={name: column[kept] for name, column in whole.more.items()}, rows=kept.sum())
    with pytest.raises(
        EstimationError, match=r"nobody that has not was seen both then and before: the gaps leave nothing"
    ):
        lay_out(cut, asked_for())
    assert len(lay_out(whole, asked_for()).found.event)


def test_starts_beyond_the_last_time_are_no_starts_yet():
    sample = drawn((6, 6, 6))
    sample.more["began"][:] = 9.0
    with pytest.raises(EstimationError, match="no site has started by 5, the last month, so there is no effect yet"):
        lay_out(sample, asked_for())


@pytest.mark.parametrize("kind", ["change", "duration"])
def test_kinds_that_are_no_mean_of_rows_are_refused(kind):
    with pytest.raises(EstimationError, match=f"an outcome of kind {kind} has none here"):
        lay_out(drawn(), asked_for(kind))


@pytest.mark.parametrize("level", [0, 1, 95])
def test_levels_that_are_no_share_are_refused(level):
    with pytest.raises(EstimationError, match="lies between 0 and 1"):
        rollout(drawn(), asked_for(), level)


@pytest.mark.parametrize(
    ("event", "words"),
    [(-2, "2 before the start"), (-1, "1 before the start"), (0, "at the start"), (1, "1 after the start")],
)
def test_times_are_counted_from_the_start(event, words):
    assert since(event) == words


# Starts dealt out anew


def test_the_effects_that_are_not_rejected_end_where_they_are():
    sample, asked = (rollouts.study(TRIED[-1], 3)[0], rollouts.question(TRIED[-1]))
    found = draw_again(lay_out(sample, asked), draws=399)
    on = sample.exposure

    def p(effect):
        return draw_again(lay_out(replace(sample, outcome=sample.outcome - effect * on), asked), draws=399).p

    step = 0.01 * (found.high - found.low)
    assert p(found.high - step) > 0.05 >= p(found.high + step)
    assert p(found.low + step) > 0.05 >= p(found.low - step)


def test_too_few_ways_to_deal_reject_nothing():
    found = inverted(np.array([1.0, 0.5, -0.2]), np.array([1.0, 0.1, -0.3]), 0.95)
    assert (found.low, found.high, found.p) == (-math.inf, math.inf, pytest.approx(1 / 3))


# The two studies


@pytest.fixture(scope="module")
def answers(root):
    """The answers that show most, with all their attacks, by question."""
    asked = (("contact_centre_rollout", "training"), ("contact_centre_rollout", "live_feedback"))
    asked += (("hospital_wedge", "support"), ("hospital_wedge", "policy"))
    return {id: answer_question(root / "data" / name, id) for name, id in asked}


def planted(study, id):
    return yaml.safe_load((study.folder / "truth.yml").read_text(encoding="utf-8"))[id]


@pytest.mark.parametrize("name", ["contact_centre_rollout", "hospital_wedge"])
def test_every_word_is_the_one_deserved_and_no_estimate_far_from_the_truth(root, answers, name):
    study = load_study(root / "data" / name)
    data = {table: load_dataset(study, table) for table in study.tables}
    for question in study.questions:
        effect, told = estimate(data[study.table_of(question)], question), planted(study, question.id)
        if question.id == "policy":  # not for its interval, but for what came before: see below
            assert abs(effect.estimate - told["truth"]) > 4 * effect.se
            continue
        assert ruling(effect.low, effect.high, question) == told["deserves"], question.id
        assert abs(effect.estimate - told["truth"]) < 3 * effect.se, question.id
    for id, answer in answers.items():
        if answer.study.name == name:
            assert answer.verdict.word == planted(study, id)["deserves"]


@pytest.mark.parametrize("name", ["contact_centre_rollout", "hospital_wedge"])
def test_the_committed_files_are_what_the_seed_makes(root, tmp_path, name):
    for path in simulate.write_world(name, tmp_path / "again"):
        assert path.read_bytes() == (root / "data" / name / path.name).read_bytes(), path.name


def facts(answer, name):
    return next(check for check in answer.checks if check.name == name)


def test_training_shows_what_the_usual_regression_gets_wrong(answers):
    usual, truth = (
        facts(answers["training"], "two-way regression").facts,
        planted(answers["training"].study, "training")["truth"],
    )
    assert usual["high"] < truth
    assert usual["negative_weights"] > 0


def test_hospitals_that_were_getting_better_anyway_are_not_believed(answers):
    policy = answers["policy"]
    assert policy.effect.high < -0.3  # by the interval alone it would be supported
    assert policy.verdict.word == "cannot tell"
    assert any("moved apart" in reason for reason in policy.verdict.reasons)
    assert any(mark.startswith("moved apart before the start") for mark in policy.verdict.marks)


def test_lots_are_told_apart_from_choice(answers):
    assert "exact, for lots were drawn" in facts(answers["support"], "starts dealt out anew").facts["words"]
    assert "as if lots had been drawn" in facts(answers["training"], "starts dealt out anew").facts["words"]
    assert " lowered exhaustion " in answers["support"].verdict.sentence
    assert " went with " in answers["training"].verdict.sentence
    assert not any("roll-out" in mark for mark in answers["support"].verdict.marks)


def test_a_wedge_says_which_wave_has_nobody_left(answers):
    assert "nobody left to be compared with (wave 5)" in " ".join(answers["support"].effect.notes)


def test_the_page_tells_stages_and_a_plain_trial_says_that_it_has_none(answers):
    for tell in (stages.schedule, stages.since, stages.cohorts, stages.ways, power.table):
        assert isinstance(tell(answers["live_feedback"]), Prose)
        assert not isinstance(tell(answers["training"]), Prose)
    shown = stages.since(answers["training"]).data
    assert shown.loc[shown["since the start"] == -1, "estimate"].tolist() == [0.0]
    assert len(shown) == len(lay_out(answers["training"].sample, answers["training"].question).events) + 1


def test_few_people_are_not_shown(tmp_path):
    frame = rows([3, 3, 5, 5, None, None], each=2)
    study = written(tmp_path, frame)
    shown = {}
    for profile in ("none", "five"):
        answer = answer_question(study, "q", disclosure=profile)
        cohorts = stages.cohorts(answer)
        shown[profile] = len(stages.since(answer).data), len(cohorts.rows)
    assert shown["none"][0] > shown["five"][0]


# How large a study has to be


def test_power_is_that_of_the_estimator_itself():
    spread = power.Spread(1.0, 0.05)
    begins = power.starts("roll-out", 12, 6)
    rng = np.random.default_rng(2)
    means = rng.standard_normal((3, 12, 6))
    cells = panel(*tiny(begins))
    many = replace(cells, values=means)
    estimate, se, df = power.every(many, contrasts(many, before="all"))
    for number in range(3):
        one = replace(cells, values=means[number : number + 1])
        found = contrasts(one, before="all")
        whole = Combined(one, found).average(found.event >= 0)
        assert (estimate[number], se[number], df) == pytest.approx((whole.estimate, whole.se, whole.df))
    shares = [
        power.power("roll-out", units=n, periods=6, rows=10, effect=0.4, spread=spread).share for n in (8, 16, 48)
    ]
    assert shares[0] < shares[1] < shares[2]
    assert power.power("cluster trial", units=24, periods=6, rows=10, effect=0.0, spread=spread).share < 0.1


def test_the_standard_error_is_that_of_the_formula():
    """Of a cluster trial, three times before and three after, from the variance of a cell's mean."""
    found = power.power("cluster trial", units=40, periods=6, rows=20, effect=0, spread=power.Spread(2.0, 0.3))
    expected = math.sqrt((0.3 + 2.0 / 20) * (1 / 3 + 1 / 3) * (1 / 20 + 1 / 20))
    assert found.se == pytest.approx(expected, rel=0.05)


def test_variances_are_found_in_the_data(answers):
    spread, periods, usual = power.spread_of(answers["support"])
    assert (periods, usual) == (6, pytest.approx(25, abs=3))
    assert math.sqrt(spread.row) == pytest.approx(13, rel=0.05)
    assert math.sqrt(spread.wander) == pytest.approx(2, rel=0.35)


def tiny(begins):
    """A sample of one row a cell, and its question, that start as told."""
    drawn, _ = rollouts.study(rollouts.Situation("tiny", 6, 1, ((1, len(begins) - 1), (99, 1))), 0)
    first = np.where(begins < 6, begins, np.nan)[drawn.more["site"].astype(int)]
    on = (drawn.more["month"] >= np.nan_to_num(first, nan=99)).astype(float)
    told = replace(drawn, exposure=on, more={**drawn.more, "began": first})
    return told, rollouts.question(rollouts.Situation("tiny", 6, 1, ()))


def test_every_design_starts_somebody_and_leaves_somebody():
    for design in power.DESIGNS:
        for units in (4, 7, 20):
            begins = power.starts(design, units, 6)
            assert begins.min() >= 1
            assert begins.max() > begins.min()


@pytest.mark.parametrize("wrong", [{"units": 2}, {"periods": 1}, {"spread": power.Spread(0, 0)}, {"design": "wish"}])
def test_a_study_that_cannot_be_drawn_is_refused(wrong):
    asked = {"design": "roll-out", "units": 8, "periods": 6, "rows": 5, "effect": 1, "spread": power.Spread(1, 0)}
    told = {**asked, **wrong}
    with pytest.raises(ParameterError):
        power.power(told.pop("design"), **told)


def test_the_size_of_a_study_is_told_before_there_are_data(tmp_path):
    study = written(tmp_path, rows([3, 3, None, None]))
    (tmp_path / "rows.csv").unlink()
    given = ["--times", "5", "--rows", "20", "--sd", "1", "--wander", "0.1", "--draws", "50"]
    called = CliRunner().invoke(cli, ["power", str(study.folder), "q", "--units", "8,40", *given])
    assert called.exit_code == 0, called.output
    assert "Stepped wedge" in called.output
    assert [line.split()[0] for line in called.output.splitlines()[3:5]] == ["8", "40"]
    wrong = CliRunner().invoke(cli, ["power", str(study.folder), "q", "--units", "8;40", *given])
    assert "whole numbers with commas" in wrong.output


# Refusals, each with its words


def test_one_treated_site_is_a_clear_cannot_tell(tmp_path):
    answer = answer_question(written(tmp_path, rows([3, None, None, None, None, None], noise=0.05)), "q")
    assert answer.effect.low > 0
    assert answer.verdict.word == "cannot tell"
    assert any("One alone has started" in reason for reason in answer.verdict.reasons)


@pytest.mark.parametrize(
    ("starts", "entry", "words"),
    [
        ([3, 3, 3, 3], {}, "all start at once"),
        ([3, 3, 4, 4], {"comparison": "never"}, "nobody is left who never does"),
        ([1, 1, None, None], {}, "nobody was seen before"),
        ([None, None, None, None], {}, "nobody starts"),
        ([9, 9, None, None], {}, "no site has started by 6"),
        ([3, 3, 3, None], {}, "one site alone is left to compare with"),
        ([3, None, None], {}, "fewer than 3"),
    ],
)
def test_comparisons_that_are_not_to_be_had(tmp_path, starts, entry, words):
    frame = rows(starts)
    if not frame["trained"].any():
        frame.loc[0, "trained"] = 1  # an exposure that never varies is refused before
        words = f"{words}|does not follow"
    with pytest.raises(EstimationError, match=words):
        effect_of(written(tmp_path, frame, entry))


def test_columns_at_odds_are_all_told_with_counts(tmp_path):
    frame = rows([3, 3, None, None])
    wrong = frame.assign(trained=np.where(frame.index < 4, 1, frame["trained"]))
    with pytest.raises(EstimationError, match="does not follow began: 4 rows have it before the start, and 0 lack it"):
        effect_of(written(tmp_path, wrong))
    twice = frame.assign(began=np.where((frame["site"] == "s00") & (frame["month"] > 4), 4, frame["began"]))
    with pytest.raises(EstimationError, match="1 of 4 values of site have more than one began"):
        effect_of(written(tmp_path, twice))
    dose = frame.assign(trained=frame["trained"] * 2.5)
    with pytest.raises(EstimationError, match="is 1 from the start on and 0 before"):
        effect_of(written(tmp_path, dose))
    mixed = frame.assign(team=frame.index % 2)
    with pytest.raises(EstimationError, match="lie in another team"):
        effect_of(written(tmp_path, mixed, clusters="team"))


def test_outcomes_that_are_infinite_or_never_vary_are_refused(tmp_path):
    frame = rows([3, 3, None, None])
    with pytest.raises(EstimationError, match="nothing to compare"):
        effect_of(written(tmp_path, frame.assign(y=1.0)))
    study = written(tmp_path, frame)
    sample = load_dataset(study).sample(study.questions[0])
    with pytest.raises(EstimationError, match="y has 1 values that are not finite"):
        rollout(
            replace(sample, outcome=np.where(np.arange(len(frame)) == 5, np.inf, sample.outcome)), study.questions[0]
        )


def test_times_that_are_no_times(tmp_path):
    frame = rows([3, 3, None, None])
    words = frame.assign(month=frame["month"].map(lambda one: f"month {one}"), began=frame["began"].map(str))
    with pytest.raises(EstimationError, match="both as 2025-03; here is '3', 'month 1'"):
        effect_of(written(tmp_path, words))
    never = frame.assign(began=["never" if math.isnan(one) else str(int(one)) for one in frame["began"]])
    with pytest.raises(EstimationError, match="such as never under `missing:`"):
        effect_of(written(tmp_path, never))


def test_durations_and_changes_have_no_mean_here(tmp_path):
    outcome = {"column": "y", "kind": "change", "baseline": "before"}
    with pytest.raises(EstimationError, match="kind change has none"):
        effect_of(written(tmp_path, rows([3, 3, None, None]).assign(before=1.0), outcome=outcome))


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"start": "month"}, "three columns"),
        ({"anticipation": -1}, "anticipation"),
        ({"comparison": "always"}, "comparison"),
        ({"begin": "x"}, "begin"),
    ],
)
def test_bad_entries_get_words(tmp_path, entry, words):
    with pytest.raises(StudyError, match=words):
        written(tmp_path, rows([3, 3, None, None]), entry)


def test_a_column_that_is_not_there_is_named(tmp_path):
    study = written(tmp_path, rows([3, 3, None, None]), {"start": "begann"})
    with pytest.raises(DataError, match=r"no column 'begann'; the nearest is 'began'"):
        effect_of(study)


def test_hostile_names_of_sites_are_names(tmp_path):
    frame = rows([2, 2, 4, 4, None, None])
    names = dict(zip(frame["site"].unique(), ["=1+1", "<b>", "a b", "🙂", "007", "7"], strict=True))
    plain, hostile = (
        effect_of(written(tmp_path, each)) for each in (frame, frame.assign(site=frame["site"].map(names)))
    )
    assert hostile.estimate == pytest.approx(plain.estimate)
