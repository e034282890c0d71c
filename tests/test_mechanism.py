"""Mechanisms: R's numbers, intervals that hold, what could undo them, planted truths, and refusals with their words."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from designed import question as designed_question
from designed import sample as designed_sample
from scipy import stats
from scipy.special import ndtr

import researchkit.simulate as worlds
from researchkit.answer import answer_question
from researchkit.calibrate import mechanisms
from researchkit.dataset import load_dataset
from researchkit.errors import EstimationError, ResearchkitError, StudyError
from researchkit.estimators import estimate
from researchkit.estimators import mechanism as room
from researchkit.estimators.linear import least_squares
from researchkit.estimators.multilevel import icc
from researchkit.estimators.paths import _products as products
from researchkit.estimators.paths import apart, bootstrap, constant_within, fit, means, normals, product
from researchkit.robustness.designed import mechanism as attacks
from researchkit.robustness.designed import unseen
from researchkit.simulate import simulate, truth, write_world
from researchkit.study import load_study
from researchkit.verdict import ruling

DATA = Path(__file__).resolve().parents[1] / "data"
NAMES = ("contact_centre_trust", "hospital_meaning")
SITUATION = mechanisms.Situation(400, 20, "within", 0.3, 0.3)
ASKED = mechanisms.question("score")


def laid(sample, question=ASKED):
    return room.lay(sample, question)[0]


@cache
def drawn(number: int = 0, situation: mechanisms.Situation = SITUATION):
    return mechanisms.study(situation, number)[0]


# R's numbers


@pytest.fixture(scope="module")
def stays(held):
    frame = held.frames["stays"]
    return frame[frame["anxiety_after"].notna()].reset_index(drop=True)


def of_stays(stays, **more):
    codes = pd.factorize(stays["nurse_id"])[0].astype(np.int64)
    values = {
        "outcome": stays["length_of_stay"].to_numpy(float),
        "exposure": stays["compassion"].to_numpy(float),
        "covariates": stays[["severity", "age"]].to_numpy(float),
        "names": ("severity", "age"),
        "groups": ("severity", "age"),
        "cluster": codes,
        "more": {"trust": stays["anxiety_after"].to_numpy(float)},
    }
    return replace(drawn(), **(values | more))


@pytest.mark.parametrize("entry", ["mechanism", "mechanism_between"])
def test_paths_and_errors_are_those_of_r(held, stays, entry):
    sample = of_stays(stays)
    if entry == "mechanism_between":  # an exposure that is the nurse's own
        sample = replace(sample, exposure=stays.groupby("nurse_id")["compassion"].transform("mean").to_numpy())
    there = laid(sample)
    assert there.between == (entry == "mechanism_between")
    paths = fit(there, ASKED, 0.95)
    for name in ("a", "b", "direct", "total"):
        assert getattr(paths, name).estimate == held(entry, name, rel=1e-5), name
    assert paths.indirect == held(entry, "indirect", rel=1e-5)
    for name, df in zip(("a", "b", "direct"), paths.df, strict=True):
        assert getattr(paths, name).se == held(entry, f"{name}_se"), name
        assert df == held(entry, f"{name}_df"), name


def test_errors_without_clusters_are_those_of_r(held, stays):
    paths = fit(laid(of_stays(stays, cluster=None, cluster_name=None)), ASKED, 0.95)
    assert (paths.a.se, paths.b.se) == (held("mechanism", "a_hc3"), held("mechanism", "b_hc3"))


def test_direct_and_indirect_add_up_to_the_total():
    for situation in mechanisms.SITUATIONS[:1] + mechanisms.SITUATIONS[-3:]:
        paths = fit(laid(drawn(1, situation)), ASKED, 0.95)
        assert paths.direct.estimate + paths.indirect == pytest.approx(paths.total.estimate, rel=1e-9)


def test_the_interval_is_that_of_the_product_of_two_normals():
    """Against the distribution by quadrature, where the degrees of freedom are many and the paths independent."""
    paths = replace(fit(laid(drawn()), ASKED, 0.95), together=np.eye(3), df=np.full(3, 1e7))
    low, high, _ = product(paths.drawn(), 0.95)
    at = np.linspace(-7, 7, 4001)
    a, weight = paths.a.estimate + paths.a.se * at, stats.norm.pdf(at) * (at[1] - at[0])
    for limit, share in ((low, 0.025), (high, 0.975)):
        below = ndtr((limit / a - paths.b.estimate) / paths.b.se)
        assert weight @ np.where(a > 0, below, 1 - below) == pytest.approx(share, abs=0.002)
    assert np.std(product_of(paths)) == pytest.approx(paths.se, rel=0.02)


def product_of(paths):
    draws = paths.drawn()
    return draws[:, 0] * draws[:, 1]


def test_draws_have_the_spread_and_the_correlation_of_the_paths():
    paths = fit(laid(drawn()), ASKED, 0.95)
    found = paths.drawn()
    assert found.mean(axis=0) == pytest.approx([paths.a.estimate, paths.b.estimate, paths.direct.estimate], abs=1e-6)
    wider = np.sqrt(paths.df / (paths.df - 2))
    assert found.std(axis=0) == pytest.approx(wider * [paths.a.se, paths.b.se, paths.direct.se], rel=0.02)
    assert np.corrcoef(found.T) == pytest.approx(paths.together, abs=0.03)
    assert normals() is normals()


def test_a_copy_from_cross_products_is_the_refit_of_its_rows():
    sample = drawn()
    there = laid(sample)
    rng = np.random.default_rng(5)
    columns = np.column_stack([sample.exposure, there.mediator, sample.covariates, np.ones(len(there.mediator))])
    table = np.column_stack([columns, sample.outcome])
    picked = rng.integers(20, size=20)
    rows = np.concatenate([np.flatnonzero(sample.cluster == code) for code in picked])
    crossed = sum(table[sample.cluster == code].T @ table[sample.cluster == code] for code in picked)
    first = np.linalg.lstsq(columns[rows][:, [0, 2, 3]], there.mediator[rows], rcond=None)[0][0]
    second = np.linalg.lstsq(columns[rows], sample.outcome[rows], rcond=None)[0][1]
    assert products(crossed[None])[0] == pytest.approx(first * second, rel=1e-8)


def test_the_bootstrap_is_near_the_monte_carlo_interval():
    for situation in (mechanisms.SITUATIONS[2], mechanisms.SITUATIONS[13]):
        there = laid(drawn(2, situation))
        low, high, _ = product(fit(there, ASKED, 0.95).drawn(), 0.95)
        again = bootstrap(there, 0.95)
        assert again == bootstrap(there, 0.95), "the same data, the same interval"
        assert 0.6 < (again[1] - again[0]) / (high - low) < 1.3


# Intervals that hold


@cache
def studied(situation):
    effects = []
    asked = mechanisms.question("yes_no" if situation.yes_no else "score")
    for number in range(20):
        sample, true = mechanisms.study(situation, number)
        effect = room.mechanism(sample, asked)
        effects.append((effect.low, effect.estimate, effect.high, true))
    return effects


def test_intervals_hold_the_truth_and_half_of_them_would_not():
    every = [one for situation in mechanisms.SITUATIONS[::3] for one in studied(situation)]
    inside = sum(low <= true <= high for low, _, high, true in every)
    assert stats.binom.cdf(inside, len(every), 0.94) > 1e-3
    assert stats.binom.sf(inside - 1, len(every), 0.985) > 1e-3
    halves = sum((low + value) / 2 <= true <= (high + value) / 2 for low, value, high, true in every)
    assert stats.binom.cdf(halves, len(every), 0.94) < 1e-9


# What could undo it


def asked_of(sample, question=ASKED):
    from types import SimpleNamespace

    study = SimpleNamespace(label=str, source_of=lambda name: None, design_of=lambda question: "observational")
    effect = room.mechanism(sample, question)
    return attacks.laid_out(study, question, effect, sample)


def test_a_planted_correlation_of_errors_is_undone_by_its_shift():
    rng = np.random.default_rng(3)
    n, errors = 60_000, 0.4
    x, own = rng.standard_normal((2, n))
    m = 0.5 * x + own
    y = 0.2 * x + 0.3 * m + 2 * (errors * own + np.sqrt(1 - errors**2) * rng.standard_normal(n))
    one = drawn(0, mechanisms.SITUATIONS[0])
    sample = replace(one, outcome=y, exposure=x, covariates=np.empty((n, 0)), names=(), groups=(), more={"trust": m})
    paths = fit(laid(sample), ASKED, 0.95)
    assert paths.b.estimate - unseen.shifted(paths, errors) == pytest.approx(0.3, abs=0.03)
    assert unseen.shifted(paths, unseen.correlation(paths, 0.7)) == pytest.approx(0.7)


def test_the_answer_is_nothing_at_the_partial_correlation():
    asked = asked_of(drawn())
    facts, _ = attacks.confounded(asked)
    sample = asked.laid.sample
    columns = np.column_stack([np.ones(len(sample.exposure)), sample.exposure, sample.covariates])
    rest = [least_squares(columns, values).residuals for values in (asked.laid.mediator, sample.outcome)]
    assert facts["correlation_at_zero"] == pytest.approx(np.corrcoef(*rest)[0, 1], rel=1e-9)
    limit = facts["correlation_of_the_limit"]
    assert 0 < limit < facts["correlation_at_zero"]
    low, high, _ = product(asked.paths.drawn(), 0.95, unseen.shifted(asked.paths, limit))
    assert min(abs(low), abs(high)) < 1e-3


def test_a_measured_cause_left_out_does_what_its_strength_says():
    there = laid(drawn())
    whole, short = (fit(one, ASKED, 0.95) for one in (there, there.without("need")))
    off = unseen.correlation(short, short.b.estimate - whole.b.estimate)
    assert abs(off) == pytest.approx(unseen.strength(there, "need"), rel=1e-6)


def test_the_mirrored_model_leaves_as_much():
    there = laid(drawn())
    left = []
    for one in (there, there.turned):
        paths = fit(one, ASKED, 0.95)
        matrix = np.column_stack([np.ones(len(one.mediator)), one.sample.covariates])
        own = least_squares(matrix, one.sample.exposure).residuals
        left.append(float(np.std(own)) * paths.spread[0] * paths.spread[1])
    assert left[0] == pytest.approx(left[1], rel=1e-9)


def test_the_interaction_is_that_of_r_and_marks_what_is_not_one_number(held, stays):
    facts, _ = attacks.interaction(asked_of(of_stays(stays)))
    assert (facts["interaction"], facts["p"]) == (
        held("mechanism_interaction", "b", rel=1e-5),
        held("mechanism_interaction", "p", rel=1e-5),
    )
    sample = drawn()
    moved = replace(sample, outcome=sample.outcome + 2 * sample.exposure * sample.more["trust"])
    asked = asked_of(moved, ASKED.model_copy(update={"smallest_effect": 0.1}))
    assert attacks.interaction(asked)[1] == "not one number: the indirect effect differs with care"


def test_inside_groups_what_groups_differ_in_plays_no_part():
    sample = drawn()
    shared = np.random.default_rng(1).standard_normal(20)[sample.cluster]
    odd = replace(sample, outcome=sample.outcome + 9 * shared, more={"trust": sample.more["trust"] + 3 * shared})
    facts, _ = attacks.inside(asked_of(odd))
    plain, _ = attacks.inside(asked_of(sample))
    assert facts["estimate"] == pytest.approx(plain["estimate"], rel=1e-6)
    assert "inside" in room.mechanism(sample, ASKED).notes[-1]


def test_what_acts_on_mediator_and_outcome_by_the_arrows_must_be_held_equal(tmp_path):
    told = (
        STUDY.replace("  nurse: {type: id}", "  nurse: {type: id}\n  need: {}")
        + "causes: [need -> trust, need -> stays, kindness -> trust -> stays]\n"
    )
    (tmp_path / "study.yml").write_text(told, encoding="utf-8")
    table().to_csv(tmp_path / "visits.csv", index=False)
    good = answer_question(tmp_path, "q")
    (tmp_path / "study.yml").write_text(told.replace("    adjust: need\n", ""), encoding="utf-8")
    bad = answer_question(tmp_path, "q")
    name = "believed causes of the mediator"
    assert next(check for check in good.checks if check.name == name).mark == ""
    said = next(check for check in bad.checks if check.name == name).mark
    assert said == "adjustment of the mediator: need acts on mediator and outcome and is not adjusted for"
    assert said in bad.verdict.marks


def test_a_weight_of_two_is_a_row_that_stands_twice():
    sample = drawn(0, mechanisms.SITUATIONS[0])
    twice = np.arange(60) % 3 == 0
    weighted = laid(replace(sample, weights=np.where(twice, 2.0, 1.0)))
    rows = np.concatenate([np.arange(60), np.flatnonzero(twice)])
    arrays = {"outcome": sample.outcome[rows], "exposure": sample.exposure[rows], "covariates": sample.covariates[rows]}
    doubled = laid(replace(sample, **arrays, more={"trust": sample.more["trust"][rows]}))
    assert fit(weighted, ASKED, 0.95).indirect == pytest.approx(fit(doubled, ASKED, 0.95).indirect, rel=1e-9)


# Planted truths


@cache
def answers(world):
    """Each question of a world with its effect, the crude one, and what is true."""
    study = load_study(DATA / world)
    planted = yaml.safe_load((DATA / world / "truth.yml").read_text(encoding="utf-8"))
    tables = {name: load_dataset(study, name) for name in study.tables}
    rows = []
    for question in study.questions:
        dataset = tables[study.table_of(question)]
        rows.append(
            (question, estimate(dataset, question), estimate(dataset, question, adjust=[]), planted[question.id])
        )
    return rows


@pytest.mark.parametrize("world", NAMES)
def test_each_planted_mechanism_gets_the_verdict_that_it_deserves(world):
    assert {question.id for question, *_ in answers(world)} == {planted.question for planted in worlds.PLANTED[world]}
    for question, effect, crude, planted in answers(world):
        assert ruling(effect.low, effect.high, question) == planted["deserves"], question.id
        assert effect.low <= planted["truth"] <= effect.high, question.id
        misled = abs(crude.estimate - planted["truth"]) > question.smallest_effect
        assert misled == planted["crude_misleads"], question.id


def test_the_worlds_plant_every_claim_and_every_verdict():
    found = [(question.claim, planted["deserves"]) for world in NAMES for question, *_, planted in answers(world)]
    assert {claim for claim, _ in found} == {"MEC-1", "MEC-4", "MEC-7", "BUR-2", "CUL-3"}
    assert {word for _, word in found} == {"supported", "contradicted", "too small to matter", "cannot tell"}


@pytest.mark.parametrize("world", NAMES)
def test_the_committed_files_are_what_the_seed_makes(world, tmp_path):
    for path in write_world(world, tmp_path / "again"):
        assert path.read_bytes() == (DATA / world / path.name).read_bytes(), path.name
    assert (DATA / world / "study.yml").read_text(encoding="utf-8") == worlds.study_text(world)


@pytest.mark.parametrize("world", NAMES)
def test_chunks_do_not_depend_on_each_other(world, monkeypatch):
    monkeypatch.setattr(worlds.WORLDS[world], "CHUNK", 40)
    for name, frame in simulate(world, rows=100, seed=5).items():
        people = frame.iloc[:, 0]
        assert people.is_unique, f"somebody is in two chunks of {name}"


def test_the_truth_is_what_many_rows_come_to(tmp_path):
    world = "contact_centre_trust"
    write_world(world, tmp_path, rows=15_000, seed=1)
    study, known = load_study(tmp_path), truth(world, seed=1)
    dataset = load_dataset(study)
    for id in ("trust_spending", "minutes_satisfaction"):
        effect = estimate(dataset, study.question(id))
        assert effect.estimate == pytest.approx(known[id]["truth"], abs=4 * effect.se)


# The page


@pytest.fixture(scope="module")
def told():
    return answer_question(DATA / "contact_centre_trust", "heard_satisfaction")


def test_the_sentence_names_the_mediator_and_never_says_caused(told):
    assert told.verdict.sentence.startswith("One more point of active listening, by way of feeling heard, went with ")
    assert "one source: customer rated feeling heard and satisfaction" in told.verdict.marks


def test_lots_over_the_exposure_do_not_let_the_mediator_raise_anything(told):
    from researchkit.verdict import sentence

    question = told.question.model_copy(update={"design": "randomised"})
    assert "went with" in sentence(told.effect, "supported", question, told.study)
    asked = attacks.laid_out(told.study, question, told.effect, told.sample)
    assert attacks.sources(asked)[1].endswith("nobody drew lots over feeling heard")


def test_tables_and_figures_tell_what_was_found(told):
    import researchkit as rk

    table = rk.mechanism.paths(told)
    assert [row[0] for row in table.rows] == ["First path", "Second path", "Indirect", "Direct", "Total"]
    assert table.note.startswith("No share is told"), "here direct and indirect pull apart"
    assert [row[2] for row in rk.mechanism.sources(told).rows] == ["blind rater", "customer", "customer"]
    assert len(rk.mechanism.effects(told).data) == 3
    drawing = rk.mechanism.sensitivity(told).data
    middle = drawing[drawing["value"].abs() < 1e-9].iloc[0]
    assert (middle["estimate"], middle["low"]) == pytest.approx((told.effect.estimate, told.effect.low))
    asked = dict(
        zip(
            *[rk.story.asked(told.study, told.question).data[column] for column in ("", "What the study file says")],
            strict=True,
        )
    )
    assert asked["By way of"] == "Feeling heard"
    assert asked["Measured at"] == "exposure 0, mediator 1, outcome 7"


def test_the_plan_says_by_way_of_what(told):
    from researchkit.protocol import text

    plan = "\n".join(text(told.study))
    assert "- By way of: Feeling heard." in plan
    assert (
        "- Analysis: product of two paths, each by least squares, with a Monte Carlo interval; errors by Agent." in plan
    )


def test_a_plain_question_has_no_paths_to_tell():
    import researchkit as rk

    plain = answer_question(DATA / "hospital", "leader")
    for tell in (rk.mechanism.paths, rk.mechanism.sources, rk.mechanism.effects, rk.mechanism.sensitivity):
        assert "names no mechanism" in str(tell(plain))


# Real


def test_paskvans_mechanism_is_found_again(mirror, monkeypatch):
    monkeypatch.setenv("RESEARCHKIT_MIRROR", str(mirror))
    answer = answer_question(DATA / "paskvan_2016", "appraisal")
    found = {term.term.partition(":")[0].split(" of ")[0]: term.estimate for term in answer.effect.model.terms}
    expected = {
        "Indirect": 0.334,
        "Direct": 0.249,
        "Total": 0.583,
        "First path": 0.546,
        "Second path": 0.611,
        "Share": 0.57,
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=0.5 * 10 ** -(2 if name == "Share" else 3) + 1e-9), name
    assert "order believed, not seen: all three were measured at one time" in " ".join(answer.verdict.marks)
    assert "one source: worker rated all three" in " ".join(answer.verdict.marks)
    frame = answer.dataset.frame
    x, w = (frame[name] - frame[name].mean() for name in ("wintense", "pclimate"))
    line = least_squares(np.column_stack([x, w, x * w, np.ones(len(x))]), frame["cogapp"].to_numpy(float))
    assert line.coefficients[:3] == pytest.approx([0.500, -0.179, -0.066], abs=5e-4)


# Bad input

STUDY = """\
title: A clinic
seed: 1
files: visits.csv
design: observational
clusters: nurse
columns:
  nurse: {type: id}
questions:
  - id: q
    title: By way of trust?
    claim: MEC-1
    family: recovery
    exposure: kindness
    outcome: {column: stays, kind: score, unit: point}
    adjust: need
    smallest_effect: 0.5
    mechanism: {mediator: trust}
"""


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{mediator: trust, times: {exposure: 2, mediator: 1, outcome: 3}}", "line 17.*mediator was measured at 1, before the exposure at 2"),
        ("{mediator: trust, times: {exposure: 1, mediator: 3, outcome: 2}}", "outcome was measured at 2, before the mediator at 3"),
        ("{mediator: trust, times: {exposure: 3, mediator: when, outcome: 2}}", "outcome was measured at 2, before the exposure at 3"),
        ("{mediator: trust, times: {exposure: 1}}", "`mediator` of `times` of `mechanism` of `questions` is missing"),
        ("{mediator: kindness}", "the mediator 'kindness' is the exposure too"),
        ("{mediator: stays}", "the mediator 'stays' is the outcome too"),
        ("{mediator: need}", "'need' is the mediator and cannot be adjusted for"),
        ("{mediator: trust, adjust: need}", "need stands under `adjust` of the question and of the mechanism"),
        ("{mediator: trust, adjust: stays}", "'stays' is the outcome and cannot be adjusted for"),
        ("{mediater: trust}", "did you mean 'mediator'"),
        ("trust", "mechanism"),
    ],
)  # fmt: skip
def test_bad_entries_are_refused_in_words(tmp_path, entry, said):
    import re

    path = tmp_path / "study.yml"
    path.write_text(STUDY.replace("{mediator: trust}", entry), encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        load_study(path)
    assert re.search(said, str(caught.value)), caught.value


def test_other_kinds_of_outcome_are_refused_by_name(tmp_path):
    path = tmp_path / "study.yml"
    path.write_text(STUDY.replace("kind: score", "kind: counts"), encoding="utf-8")
    with pytest.raises(StudyError, match="score, change and yes_no, and 'stays' is of kind counts"):
        load_study(path)


def table(n=120, seed=1):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"need": rng.normal(size=n), "nurse": [f"n{code}" for code in rng.integers(12, size=n)]})
    frame["kindness"] = rng.normal(size=n)
    frame["trust"] = 0.5 * frame["kindness"] + rng.normal(size=n)
    frame["stays"] = 0.5 * frame["trust"] + rng.normal(size=n)
    frame["day"] = 2.0
    return frame


def asks(folder, frame, mechanism="{mediator: trust}"):
    (folder / "study.yml").write_text(STUDY.replace("{mediator: trust}", mechanism), encoding="utf-8")
    frame.to_csv(folder / "visits.csv", index=False)
    study = load_study(folder)
    return estimate(load_dataset(study), study.question("q"))


def changed(**columns):
    return table().assign(**columns)


@pytest.mark.parametrize(
    ("frame", "mechanism", "said"),
    [
        (changed(trust=["low", "high"] * 60), "{mediator: trust}", "trust holds words or dates; a score is wanted"),
        (changed(trust=3), "{mediator: trust}", "trust is the same in all 120 complete rows"),
        (changed(trust=table()["kindness"] * 2 + table()["need"]), "{mediator: trust}", "told exactly|fully determined"),
        (table(), "{mediator: trsut}", "no column 'trsut'.*'trust'"),
        (changed(day=[0.5] * 7 + [2.0] * 113), "{mediator: trust, times: {exposure: 1, mediator: day, outcome: 3}}", "in 7 rows the mediator was measured before the exposure"),
        (changed(day="soon"), "{mediator: trust, times: {exposure: 1, mediator: day, outcome: 3}}", "day, the time of the mediator, holds words"),
        (changed(kindness=[float(name[1:]) for name in table()["nurse"]]).query("nurse < 'n4'"), "{mediator: trust}", "only paths between nurse can carry this"),
        (table()[:4], "{mediator: trust}", "few"),
        (changed(trust=np.nan), "{mediator: trust}", "no row is left"),
    ],
    ids=["words", "constant", "the exposure again", "not there", "before the exposure", "no time", "few wards", "four rows", "all missing"],
)  # fmt: skip
def test_bad_data_are_refused_in_words(tmp_path, frame, mechanism, said):
    import re

    with pytest.raises(Exception) as caught:
        asks(tmp_path, frame, mechanism)
    assert isinstance(caught.value, ResearchkitError), caught.value
    assert re.search(said, str(caught.value), re.DOTALL), caught.value


def test_hostile_names_and_a_category_to_adjust_for_are_no_trouble(tmp_path):
    frame = table().assign(**{"place 🙂": np.where(np.arange(120) % 3 == 0, "=cmd|' /C calc'!A0", "<b>North</b>")})
    effect = asks(tmp_path, frame, "{mediator: trust, adjust: 'place 🙂'}")
    assert effect.n == 120


def test_a_date_cannot_be_adjusted_for():
    sample = drawn()
    dated = replace(sample, more={**sample.more, "day": np.full(400, "2025-01-01", dtype="datetime64[ns]")})
    asked = ASKED.model_copy(update={"mechanism": ASKED.mechanism.model_copy(update={"adjust": ("day",)})})
    with pytest.raises(EstimationError, match="day: a date cannot be adjusted for"):
        room.mechanism(dated, asked)


def test_crossed_clusters_are_refused():
    sample = drawn()
    crossed = replace(sample, crossed=np.arange(400) % 7, crossed_name="month")
    with pytest.raises(EstimationError, match="team and month cross"):
        room.mechanism(crossed, ASKED)


def test_a_mean_that_hardly_stands_for_its_cluster_is_noted():
    rng = np.random.default_rng(2)
    code = np.repeat(np.arange(40), 3)
    x, trust = rng.standard_normal(40)[code], rng.standard_normal(120)
    values = {"exposure": x, "outcome": trust + rng.standard_normal(120), "cluster": code, "more": {"trust": trust}}
    empty = {"covariates": np.empty((120, 0)), "names": (), "groups": ()}
    effect = room.mechanism(replace(drawn(), **values, **empty), ASKED)
    assert any(note.startswith("rough means: ") for note in effect.notes)
    assert any(note.startswith("between team only: care is the same for all of one team") for note in effect.notes)


def test_what_is_alike_within_clusters_lies_apart_by_nothing_at_all():
    sample = drawn()
    shared = 0.1 + sample.cluster / 3  # whose means are off by rounding
    assert np.ptp(shared - means(shared, sample)) > 0
    assert not apart(shared, sample).any()
    own = apart(sample.exposure, sample)
    assert np.bincount(sample.cluster, weights=own) == pytest.approx(np.zeros(20), abs=1e-12)


def test_a_few_large_residuals_make_the_interval_rough():
    sample = drawn()
    wild = np.exp(2 * np.random.default_rng(4).standard_normal(400))
    assert not any(note.startswith("very skewed") for note in room.mechanism(sample, ASKED).notes)
    for moved in (
        replace(sample, outcome=sample.outcome + wild),
        replace(sample, more={"trust": sample.more["trust"] - wild}),
    ):
        assert any(note.startswith("very skewed") for note in room.mechanism(moved, ASKED).notes)


def test_who_is_alike_within_clusters():
    code = np.array([1, 0, 1, 0, 2])
    assert constant_within(np.array([5.0, 2, 5, 2, 9]), code)
    assert not constant_within(np.array([5.0, 2, 5, 3, 9]), code)
    assert not constant_within(np.arange(5.0), np.arange(5)), "one row each is no cluster"
    assert not constant_within(np.ones(5), None)


def test_rows_are_taken_out_with_all_that_the_design_reads():
    from researchkit.robustness.jackknife import part

    sample = drawn()
    cut = part(sample, sample.cluster != 0)
    assert len(cut.more["trust"]) == len(cut.outcome) < 400


# What an effect is made of


def asks_of(kind="score", outcome=None, **told):
    return designed_question(kind, outcome, mechanism={"mediator": "trust_in_us"} | told)


def made(n=160, *, clusters=None, seed=3, direct=0.3, a=0.5, b=0.6, **given):
    """x to m to y, with one thing held equal and a category that the mechanism may adjust for."""
    rng = np.random.default_rng(seed)
    need, x = rng.normal(size=(2, n))
    m = a * x + 0.4 * need + rng.normal(size=n)
    y = 20 + 2 * (b * m + direct * x) + rng.normal(size=n)
    more = {"trust_in_us": m, "place": np.array(["north", "south", "south", "west"])[np.arange(n) % 4]}
    if clusters:
        given |= {"cluster": np.arange(n) % clusters, "cluster_name": "team"}
    return designed_sample(y, x, {"need": need}, more, **given)


def columns_of(sample, *others):
    ones = np.ones(len(sample.outcome))
    x, m = sample.exposure, sample.more["trust_in_us"]
    return np.column_stack([x, *others, ones]), np.column_stack([m, x, *others, ones])


@pytest.mark.parametrize("clusters", [None, 16])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_field_of_the_effect(clusters, weighted):
    weights = 1.0 + np.arange(160) % 3 if weighted else None
    sample = made(clusters=clusters, weights=weights)
    effect = room.mechanism(sample, asks_of(), 0.9)
    first, second = columns_of(sample, sample.covariates[:, 0])
    root = np.ones(160) if weights is None else np.sqrt(weights)
    a = np.linalg.lstsq(first * root[:, None], sample.more["trust_in_us"] * root, rcond=None)[0][0]
    b, direct = np.linalg.lstsq(second * root[:, None], sample.outcome * root, rcond=None)[0][:2]
    share = a * b / (a * b + direct)
    terms = effect.model.terms
    assert [term.term for term in terms] == [
        "Indirect: care to trust in us to outcome",
        "Direct: care to outcome, trust in us held equal",
        "Total: care to outcome",
        "First path: care to trust in us",
        "Second path: trust in us to outcome, care held equal",
        "Share of the total by way of trust in us",
    ]
    assert [term.estimate for term in terms] == pytest.approx([a * b, direct, a * b + direct, a, b, share])
    own = terms[0]
    for field in ("estimate", "se", "low", "high", "p"):
        assert getattr(effect, field) == getattr(own, field), field
    paths = fit(laid(sample, asks_of()), asks_of(), 0.9)
    draws = paths.drawn()
    through = draws[:, 0] * draws[:, 1]
    assert (own.low, own.high) == pytest.approx(tuple(np.percentile(through, [5, 95])))
    assert clusters or own.se == pytest.approx(np.std(through), rel=0.05)
    shares = through / (through + draws[:, 2])
    low, high = np.percentile(shares, [5, 95])
    assert (terms[5].low, terms[5].high, terms[5].p) == pytest.approx((low, high, own.p))
    assert terms[5].se == pytest.approx(np.std(np.minimum(np.maximum(shares, low), high)))
    errors = "CR2" if clusters else "HC3"
    told = ", weighted" if weighted else ""
    assert effect.method == f"product of two paths by least squares{told}, {errors} errors, Monte Carlo interval"
    model = effect.model
    assert (model.name, model.errors, model.scale) == ("two least-squares lines", errors, "each in its own unit")
    assert (effect.n, effect.clusters, effect.level, effect.also) == (160, clusters, 0.9, {})
    assert (effect.kind, effect.unit, effect.contrast) == ("score", "point", "care +1 point, by way of trust in us")
    assert effect.df == pytest.approx(min(paths.df[:2])) and (clusters or effect.df == 156)
    believed = (
        "that trust in us carries it rests on nothing unmeasured acting on both trust in us and the outcome, nor on the "
        "exposure and either; data cannot show that"
    )
    inside = "rows inside and between team are taken together; inside alone is told below"
    few = "few clusters: 16 (team)"
    assert effect.notes == ((few, believed, inside) if clusters else (believed,))


def test_the_level_is_95_unless_asked():
    sample = made()
    effect = room.mechanism(sample, asks_of(outcome={"unit": "day"}))
    assert effect.level == 0.95 and effect.unit == "day"
    narrow = room.mechanism(sample, asks_of(), 0.9)
    assert effect.low < narrow.low < narrow.high < effect.high


@pytest.mark.parametrize(
    ("direct", "share", "apart"),
    [(0.6, True, False), (-0.9, False, True), (0.02, False, False), (-0.23, False, True)],
)
def test_a_share_is_told_of_a_clear_total_whose_parts_pull_alike(direct, share, apart):
    """The draw of this seed lies 0.1 below: 0.04 is told as -0.06, which is not seen to differ from 0."""
    effect = room.mechanism(made(400, direct=direct), asks_of())
    total = effect.model.terms[2]
    assert (total.low > 0 or total.high < 0) == (direct != -0.23)
    assert (len(effect.model.terms) == 6) == share
    told = "the indirect and the direct effect pull in opposite directions, so that the total hides both"
    assert (told in effect.notes) == apart
    down = room.mechanism(made(400, a=-0.5, direct=-0.6), asks_of())  # both below 0: alike as well
    assert down.model.terms[0].high < 0 > down.model.terms[1].high and told not in down.notes


def test_a_share_of_a_total_below_0_is_told_too():
    up, down = room.mechanism(made(), asks_of()), made()
    turned = room.mechanism(replace(down, exposure=-down.exposure), asks_of())
    assert turned.estimate == pytest.approx(-up.estimate)
    assert turned.model.terms[5].estimate == pytest.approx(up.model.terms[5].estimate)
    assert turned.model.terms[2].high < 0 < up.model.terms[2].low


def test_a_total_that_is_not_clear_has_no_share():
    effect = room.mechanism(made(a=0.2, b=0.2, direct=0.0), asks_of())
    indirect, direct, total = (term.estimate for term in effect.model.terms[:3])
    assert indirect * direct > 0 and effect.model.terms[2].low < 0 < total
    assert len(effect.model.terms) == 5


def test_parts_that_are_not_all_clear_do_not_pull_apart():
    for one in ({"a": 0.02}, {"b": 0.02}, {"direct": -0.02}):
        effect = room.mechanism(made(**({"direct": -0.9} | one)), asks_of())
        unclear = [term for term in effect.model.terms if term.low <= 0 <= term.high]
        assert unclear and not any("pull in opposite" in note for note in effect.notes), one


def test_yes_or_no_is_told_by_a_linear_probability_model():
    sample = made()
    yes = replace(sample, outcome=(sample.outcome > 20).astype(float))
    effect = room.mechanism(yes, asks_of("yes_no"))
    assert (effect.kind, effect.unit) == ("yes_no", "probability")
    assert effect.notes[1] == (
        "yes or no is told by a linear probability model: differences in shares, alike for everybody"
    )
    assert effect.estimate == pytest.approx(room.mechanism(yes, asks_of()).estimate)
    rare = replace(sample, outcome=(np.argsort(np.argsort(sample.outcome)) >= 140).astype(float))
    assert room.mechanism(rare, asks_of("yes_no")).notes[0].startswith("few events: fewer than 25")
    assert not any("few events" in note for note in room.mechanism(rare, asks_of()).notes)


def test_a_baseline_and_what_the_mechanism_adjusts_for_are_held_equal():
    sample = made()
    before = np.random.default_rng(1).normal(size=160) + sample.outcome
    change = replace(sample, baseline=before)
    told = asks_of("change", {"baseline": "stays_before"}, adjust=["place"])
    there = laid(change, told)
    assert there.sample.names == ("need", "stays_before", "place: north", "place: west")
    assert there.sample.groups == ("need", "stays_before", "place", "place")
    dummies = [(sample.more["place"] == one).astype(float) for one in ("north", "west")]
    others = [sample.covariates[:, 0], before, *dummies]
    assert np.array_equal(there.sample.covariates, np.column_stack(others))
    first, second = columns_of(sample, *others)
    a = np.linalg.lstsq(first, sample.more["trust_in_us"], rcond=None)[0][0]
    b = np.linalg.lstsq(second, sample.outcome, rcond=None)[0][0]
    assert room.mechanism(change, told).estimate == pytest.approx(a * b)
    with pytest.raises(EstimationError, match="it asks for a change, but its sample has no baseline"):
        room.mechanism(sample, told)
    number = replace(sample, more={**sample.more, "age": before})
    assert laid(number, asks_of(adjust=["age"])).sample.names == ("need", "age")


# Between clusters alone


def shared(groups=14, each=10, *, alone=1.0, seed=5, **given):
    """An exposure that all of a team have in common; the mediator differs inside by `alone`."""
    rng = np.random.default_rng(seed)
    code = np.repeat(np.arange(groups), each)
    x, need = rng.normal(size=groups)[code], rng.normal(size=len(code))
    m = 0.7 * x + 0.5 * rng.normal(size=groups)[code] + alone * rng.normal(size=len(code))
    y = 0.5 * m + rng.normal(size=len(code))
    given = {"cluster": code, "cluster_name": "team"} | given
    return designed_sample(y, x, {"need": need}, {"trust_in_us": m}, **given)


@pytest.mark.parametrize("weighted", [False, True])
def test_paths_between_clusters_are_those_of_their_means(weighted):
    weights = 1.0 + np.arange(140) % 3 if weighted else None
    sample = shared(weights=weights)
    effect = room.mechanism(sample, asks_of(), 0.9)
    count = np.ones(140) if weights is None else weights

    def mean(values):
        sums = np.bincount(sample.cluster, weights=count * values) / np.bincount(sample.cluster, weights=count)
        return sums[sample.cluster]

    root = np.sqrt(count)[:, None]
    x, m, y, need = (
        mean(one) for one in (sample.exposure, sample.more["trust_in_us"], sample.outcome, sample.covariates[:, 0])
    )
    first, second = np.column_stack([x, need, np.ones(140)]), np.column_stack([m, x, need, np.ones(140)])
    a = np.linalg.lstsq(first * root, m * root[:, 0], rcond=None)[0][0]
    b = np.linalg.lstsq(second * root, y * root[:, 0], rcond=None)[0][0]
    assert effect.estimate == pytest.approx(a * b)
    assert effect.method.startswith("product of two paths by least squares on means of team")
    assert effect.model.name == "two least-squares lines on means of team"
    told = "between team only: care is the same for all of one team, so means of team are compared; what happens inside them does not enter"
    assert told in effect.notes and not any("inside alone" in note for note in effect.notes)


def test_which_of_the_two_is_the_same_is_said():
    both = shared(alone=0.0)
    notes = room.mechanism(both, asks_of()).notes
    assert any(
        note.startswith("between team only: care and trust in us are the same for all of one team, so")
        for note in notes
    )
    one = shared(alone=0.0)
    own = replace(one, exposure=one.exposure + np.random.default_rng(1).normal(size=140))
    notes = room.mechanism(own, asks_of()).notes
    assert any(note.startswith("between team only: trust in us is the same for all of one team") for note in notes)
    assert not any("rough means" in note for note in notes)


def test_a_rough_mean_is_one_whose_reliability_is_below_7_tenths(monkeypatch):
    sample = shared(alone=1.6)
    there = room.Laid(sample, sample.more["trust_in_us"], "trust in us", "care")
    worth = icc(sample.more["trust_in_us"], sample.cluster)[1]
    assert room.reliability(there) == pytest.approx(worth)
    uneven = replace(there, sample=replace(sample, cluster=np.minimum(sample.cluster, 9)))
    two = replace(there, sample=replace(sample, cluster=np.minimum(sample.cluster, 1)))
    for one in (uneven, two):
        assert room.reliability(one) == pytest.approx(icc(sample.more["trust_in_us"], one.sample.cluster)[1])
    monkeypatch.setattr(room, "ROUGH_MEANS", worth + 1e-9)
    (note,) = [note for note in room.mechanism(sample, asks_of()).notes if note.startswith("rough")]
    assert note == (
        f"rough means: the mean of trust in us of a team has a reliability of {worth:.2f}. If those asked stand for "
        "others of their team, the second path mixes in what happens inside team"
    )
    monkeypatch.setattr(room, "ROUGH_MEANS", worth - 1e-9)
    assert not any(note.startswith("rough") for note in room.mechanism(sample, asks_of()).notes)
    monkeypatch.undo()
    assert room.ROUGH_MEANS == 0.7
    away = sample.more["trust_in_us"] - means(sample.more["trust_in_us"], sample)
    away += 0.01 * np.random.default_rng(2).normal(size=14)[sample.cluster]
    assert room.reliability(replace(there, mediator=away)) < 0
    notes = room.mechanism(replace(sample, more={"trust_in_us": away}), asks_of()).notes
    assert any("has a reliability of 0.0. If" in note for note in notes), "never below 0"
    assert room.reliability(replace(there, mediator=np.ones(140))) == 0.0
    assert room.reliability(replace(there, mediator=np.ones(140), sample=replace(sample, cluster=None))) == 0.0
    assert (
        room.reliability(replace(there, mediator=np.arange(4.0), sample=replace(sample, cluster=np.arange(4)))) == 1.0
    )


def test_few_clusters_cannot_carry_paths_between_them():
    for adjust, need in ((0, 6), (1, 7)):
        for groups, enough in ((need, True), (need - 1, False)):
            sample = shared(groups)
            if not adjust:
                sample = replace(sample, covariates=np.empty((len(sample.outcome), 0)), names=(), groups=())
            if enough:
                assert room.mechanism(sample, asks_of()).clusters == groups
                continue
            with pytest.raises(EstimationError) as caught:
                room.mechanism(sample, asks_of())
            assert str(caught.value) == (
                f"The question 'q': only paths between team can carry this, and {groups} of them are too few for "
                f"{need - 3} coefficients: at least {need} are needed. Adjust for fewer columns, or collect data from more "
                "of them."
            )


# Refusals, all at once


def test_everything_against_a_mechanism_is_told_at_once():
    sample = made(40, clusters=10)
    sample = replace(sample, crossed=np.arange(40) // 10, crossed_name="month")
    dates = np.full(40, "2025-01-02", dtype="datetime64[ns]")
    m = sample.more["trust_in_us"].copy()
    m[:3] = np.nan, np.inf, np.nan
    more = {"trust_in_us": m, "day": dates, "early": np.arange(40.0) - 2, "word": np.full(40, "x")}
    times = {"exposure": 0, "mediator": "early", "outcome": "word"}
    with pytest.raises(EstimationError) as caught:
        room.mechanism(replace(sample, more=more), asks_of("change", {"baseline": "w"}, adjust=["day"], times=times))
    assert str(caught.value).splitlines() == [
        "The question 'q' has 6 problems:",
        "  1. the mediator trust_in_us has 3 values that are not finite numbers. Correct them or declare them missing.",
        "  2. word, the time of the outcome, holds words; numbers or dates that rise with time are wanted.",
        "  3. in 2 rows the mediator was measured before the exposure, and what came before cannot follow from it. Leave "
        "those rows out with `keep`, or name another mediator.",
        "  4. day: a date cannot be adjusted for; make it a number, such as days since a start.",
        "  5. clusters by team and month cross, and a mechanism allows for one kind only. Name under `clusters` the one in "
        "which people are most alike.",
        "  6. it asks for a change, but its sample has no baseline.",
    ]


@pytest.mark.parametrize(
    ("mediator", "said"),
    [
        (np.full(160, 7.0), "the mediator trust_in_us is the same in all 160 complete rows, so it can carry nothing."),
        (
            np.full(160, "high"),
            "the mediator trust_in_us holds words or dates; a score is wanted. Recode it to numbers.",
        ),
    ],
)
def test_a_mediator_that_carries_nothing(mediator, said):
    with pytest.raises(EstimationError) as caught:
        room.mechanism(replace(made(), more={"trust_in_us": mediator}), asks_of())
    assert str(caught.value) == f"The question 'q': {said}"


def test_times_may_be_numbers_or_dates_but_not_both():
    sample, days = made(), np.datetime64("2025-01-01", "ns") + np.arange(160) * np.timedelta64(86_400_000_000_000, "ns")
    more = {**sample.more, "m_day": days, "y_day": days + np.timedelta64(1, "ns"), "x_day": days}
    dated = replace(sample, more=more)
    alike = asks_of(times={"exposure": "x_day", "mediator": "m_day", "outcome": "y_day"})
    assert room.mechanism(dated, alike).estimate == room.mechanism(sample, asks_of()).estimate
    turned = asks_of(times={"exposure": "y_day", "mediator": "m_day", "outcome": "x_day"})
    with pytest.raises(EstimationError, match="in 160 rows the mediator was measured before the exposure"):
        room.mechanism(dated, turned)
    for times, pair in (
        ({"exposure": 1, "mediator": "m_day", "outcome": "y_day"}, "exposure and mediator"),
        ({"exposure": "x_day", "mediator": "m_day", "outcome": 9}, "mediator and outcome"),
    ):
        with pytest.raises(EstimationError) as caught:
            room.mechanism(dated, asks_of(times=times))
        told = f"The question 'q': the times of {pair} are not alike: one is a date, the other a number."
        assert str(caught.value) == told


def test_a_question_without_a_mediator_is_a_fault_of_ours():
    with pytest.raises(ValueError, match="The question 'q' names no mechanism"):
        room.lay(made(), designed_question())
