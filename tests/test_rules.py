"""A series, a limit, a mix: R's numbers, the truth that was planted, what is refused, and what is never told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import special

import researchkit as rk
from researchkit import rules, simulate
from researchkit.errors import EstimationError, ResearchkitError
from researchkit.estimators import limit as limits
from researchkit.estimators import mix as mixes
from researchkit.estimators import series as courses
from researchkit.robustness.designed.limit import nearest
from researchkit.study import load_study

WORLD = "contact_centre_limits"
DATA = Path(__file__).parents[1] / "data" / WORLD
TRUTH = yaml.safe_load((DATA / "truth.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def answers():
    study = load_study(DATA)
    return {one.id: rk.answer_question(study, one) for one in study.questions}


def asked(folder: Path, frame: pd.DataFrame, question: dict, **study) -> rk.Answer:
    """The answer to one question of a study made here."""
    frame.to_csv(folder / "data.csv", index=False)
    usual = {"title": "?", "seed": 1, "design": "observational", "files": "data.csv"}
    base = {"id": "q", "title": "?", "claim": "LOY-6", "smallest_effect": 1}
    (folder / "study.yml").write_text(yaml.safe_dump({**usual, **study, "questions": [base | question]}))
    return rk.answer_question(folder, "q")


# R's numbers


def test_a_series_is_that_of_gls(held, tmp_path):
    contacts = held.frames["contacts"].dropna(subset=["compassion"])
    sites = sorted(contacts["site"].unique())
    months = sorted(contacts["month"].unique())
    frame = contacts.assign(began=((contacts["site"] == sites[0]) & (contacts["month"] >= months[8])).astype(int))
    got = asked(
        tmp_path,
        frame.groupby(["site", "month", "began"], as_index=False)["compassion"].mean(),
        {
            "exposure": {"column": "began"},
            "outcome": {"column": "compassion", "kind": "score"},
            "series": {"time": "month", "unit": "site"},
        },
    ).effect
    assert [got.estimate, got.model.terms[1].estimate] == [held("series", "after", 1e-5), held("series", "since", 1e-4)]
    assert got.se == held("series", "se", 1e-5)


def test_a_jump_is_that_of_weighted_lines(held):
    contacts = held.frames["contacts"].dropna(subset=["compassion"])
    away = contacts["tenure"].to_numpy() - 5
    pull = limits.pulls(limits.Side(away, away >= 0, None), 2.0)
    assert float(pull @ contacts["severity"].to_numpy()) == held("limit", "jump", 1e-9)


def test_a_mix_is_the_weighted_mean_of_differences(held):
    contacts = held.frames["contacts"].dropna(subset=["compassion"])
    kinds = pd.factorize(contacts["channel"] + (contacts["severity"] >= 5).astype(str))[0].astype(np.int64)
    values, _ = mixes.parts(contacts["compassion"].to_numpy(float), contacts["trained"].to_numpy() == 1, kinds)
    assert list(values) == [held("mix", name, 1e-9) for name in ("within", "by_mix", "crude")]


# The truth that was planted


def test_every_verdict_is_the_one_deserved(answers):
    assert {name: one.verdict.word for name, one in answers.items()} == {
        name: told["deserves"] for name, told in TRUTH.items()
    }


def test_the_simple_comparison_misleads_where_it_is_said_to(answers):
    for name, told in TRUTH.items():
        off = abs(answers[name].crude.estimate - told["truth"]) > answers[name].question.smallest_effect
        assert off == told["crude_misleads"], name


def test_the_files_are_what_the_seed_makes(tmp_path):
    for path in simulate.write_world(WORLD, tmp_path / "again"):
        assert path.read_bytes() == (DATA / path.name).read_bytes(), path.name


@pytest.mark.parametrize(("times", "memory"), [(16, 0.5), (32, 0.0)])
def test_the_interval_of_a_series_holds_the_truth(times, memory):
    """250 series: 95 % within 3 standard errors of such a share (4.1 points)."""
    rng, at = np.random.default_rng(times), np.arange(times, dtype=float)
    after = at >= times - 6
    matrix = np.column_stack([after, np.where(after, at - at[after].mean(), 0), at, np.ones(times)]).astype(float)
    inside = []
    for _ in range(250):
        error = rng.normal(size=times + 20)
        for place in range(1, len(error)):
            error[place] += memory * error[place - 1]
        fit = courses.remembered(matrix, error[20:], at)
        half = special.stdtrit(fit.df[0], 0.975) * np.sqrt(fit.covariance[0, 0])
        inside.append(abs(fit.coefficients[0]) < half)
    assert abs(np.mean(inside) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 250)


@pytest.mark.parametrize("course", [lambda x: x + np.sign(x) * x**2, lambda x: np.sin(4 * x)], ids=["bent", "waves"])
def test_the_interval_at_a_limit_holds_the_truth_however_the_course_bends(course):
    """100 studies of 500; a plain line through each whole side is wrong here every time."""
    rng, inside, plain = np.random.default_rng(5), [], []
    for _ in range(100):
        x = rng.uniform(-1, 1, 500)
        sides = limits.Side(x, x >= 0, None)
        y = course(x) + 0.3 * sides.on + rng.normal(0, 0.3, 500)
        found = limits.jump(sides, y, limits.bend(sides, y), 0.95)
        inside.append(abs(found.size - 0.3) < limits.critical(found.bias / found.se, 0.95) * found.se)
        wide = limits.within(sides, y, 0.0, 1e6)
        plain.append(abs(wide.size - 0.3) < 1.96 * wide.se)
    assert np.mean(inside) >= 0.92 and np.mean(plain) < 0.5


def test_the_parts_of_a_mix_hold_their_truths():
    rng, inside = np.random.default_rng(3), []
    level, gain = np.array([0.0, 1, 2, 3]), np.array([0.2, 0.3, 0.4, 0.5])
    before, after = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.1, 0.2, 0.3, 0.4])
    truth = np.array([gain @ (before + after) / 2, (after - before) @ (level + gain / 2)])
    for _ in range(250):
        side = rng.random(400) < 0.5
        kinds = np.where(side, rng.choice(4, 400, p=after), rng.choice(4, 400, p=before))
        values, influence = mixes.parts(level[kinds] + gain[kinds] * side + rng.normal(size=400), side, kinds)
        inside.append(np.abs(values[:2] - truth) < 1.97 * np.sqrt(np.sum(influence[:, :2] ** 2, axis=0)))
    assert np.all(np.abs(np.mean(inside, axis=0) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 250))


# What is refused, and what is told of weakness


def quarters(**changed) -> pd.DataFrame:
    rng, rows = np.random.default_rng(2), []
    for unit in "abc":
        for time in range(16):
            began = unit == "a" and time >= 10
            rows.append({"unit": unit, "time": time, "on": int(began), "score": rng.normal() + time})
    return pd.DataFrame(rows).assign(**changed)


SERIES = {
    "exposure": {"column": "on"},
    "outcome": {"column": "score", "kind": "score"},
    "series": {"time": "time", "unit": "unit"},
}


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (quarters().query("time >= 5"), "5 times before and 6 after"),
        (quarters(on=lambda all_: ((all_.time >= 10) & (all_.unit != "c")).astype(int)), "2 units have it"),
        (quarters(on=lambda all_: ((all_.time == 12) & (all_.unit == "a")).astype(int)), "began and ended again"),
        (quarters().query("unit != 'a' or time != 4"), "no row at 4"),
        (quarters(score=lambda all_: all_.time * 2.0), "exactly"),
    ],
)
def test_what_is_no_series_is_refused_with_its_reason(frame, words, tmp_path):
    with pytest.raises(EstimationError, match=words):
        asked(tmp_path, frame, SERIES)


def test_a_series_without_others_says_so(tmp_path):
    found = asked(tmp_path, quarters().query("unit == 'a'"), SERIES)
    assert courses.ALONE in found.effect.notes
    assert "without a control series" in found.effect.method


def test_a_series_that_moved_before_is_marked(tmp_path):
    frame = quarters(on=lambda all_: ((all_.time >= 12) & (all_.unit == "a")).astype(int))
    long = pd.concat([frame.assign(time=frame.time - 16, on=0), frame])
    long["score"] += 30 * ((long.unit == "a") & (long.time >= -2))
    found = asked(tmp_path, long, SERIES)
    assert any(mark.startswith("unsteady before") for mark in found.verdict.marks)


def refunds(n: int = 800, seed: int = 0, **changed) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    amount = rng.uniform(0, 100, n).round(2)
    frame = pd.DataFrame({"amount": amount, "free": (amount < 50).astype(int), "pleased": rng.normal(size=n)})
    return frame.assign(**changed)


LIMIT = {
    "exposure": {"column": "free"},
    "outcome": {"column": "pleased", "kind": "score"},
    "limit": {"running": "amount", "at": 50, "treated": "below"},
}


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (refunds().query("amount < 51"), "the other side of the limit has"),
        (refunds(amount="much"), "no column of numbers|numbers are wanted"),
        (refunds(free=lambda all_: np.random.default_rng(1).integers(0, 2, len(all_))), "hardly|too little"),
    ],
)
def test_what_is_no_limit_is_refused_with_its_reason(frame, words, tmp_path):
    with pytest.raises(ResearchkitError, match=words):
        asked(tmp_path, frame, LIMIT)


def test_those_who_choose_their_side_are_told(tmp_path):
    frame = refunds()
    moved = (frame.amount >= 50) & (frame.amount < 54)  # they ask for a little less
    found = asked(
        tmp_path, frame.assign(amount=frame.amount.where(~moved, 49.5), free=frame.free.where(~moved, 1)), LIMIT
    )
    assert any(mark.startswith("sorted at the limit") for mark in found.verdict.marks)
    assert not any(mark.startswith("sorted") for mark in asked(tmp_path, frame, LIMIT).verdict.marks)


def test_days_on_either_side_of_a_limit_count_alike():
    days = np.tile(np.arange(30), 20) - 14.5
    near = nearest(limits.Side(days, days >= 0, None))
    assert (near & (days >= 0)).sum() == (near & (days < 0)).sum() == 40


def test_a_mix_without_likes_is_refused(tmp_path):
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"side": [0, 1] * 100, "score": rng.normal(size=200)})
    frame["kind"] = np.where(frame.side == 1, "bot", "person")
    question = {"exposure": {"column": "side"}, "outcome": {"column": "score", "kind": "score"}, "mix": {"of": "kind"}}
    with pytest.raises(EstimationError, match="like cannot be compared with like"):
        asked(tmp_path, frame, question)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"series": {"time": "on", "unit": "on"}}, "two columns"),
        ({"mix": {"of": ["unit", "unit"]}}, "twice"),
        ({"mix": {"of": "unit"}, "series": {"time": "time", "unit": "unit"}}, "one design of its own"),
        ({"limit": {"running": "time", "at": "ten"}}, "number"),
        ({"series": {"time": "tyme", "unit": "unit"}}, "tyme"),
    ],
)
def test_bad_entries_are_told_in_words(entry, words, tmp_path):
    plain = {key: value for key, value in SERIES.items() if key != "series"}
    with pytest.raises(ResearchkitError, match=words):
        asked(tmp_path, quarters(), plain | entry)


# What is shown


def test_each_design_has_its_picture_and_its_parts(answers):
    for name, words in (("stated_emphasis", "before it began"), ("free_hand", "meet the limit 50")):
        assert words in rules.picture(answers[name]).alt
    assert "Distress" in str(rules.picture(answers["fewer_simple"])) or "distress" in str(
        rules.picture(answers["fewer_simple"])
    )
    assert "by the mix" in str(rules.parts(answers["fewer_simple"]))


def test_kinds_of_few_people_are_not_told(answers):
    answer = answers["fewer_simple"]
    sample = answer.sample
    topic = sample.more["topic"].copy()
    topic[np.flatnonzero(sample.exposure > 0)[:3]] = "a rare topic"
    topic[np.flatnonzero(sample.exposure == 0)[:40]] = "a rare topic"
    shown = str(rules.picture(replace(answer, sample=replace(sample, more={"topic": topic}))))
    assert "rare" not in shown and "left out" in shown


def test_a_time_of_few_people_is_not_drawn(answers):
    answer = answers["stated_emphasis"]
    tables = {name: one.model_copy(update={"aggregates": False}) for name, one in answer.study.tables.items()}
    bare = replace(answer, study=answer.study.model_copy(update={"tables": tables}))
    assert "too few people" in str(rules.picture(bare))


def test_no_group_at_a_limit_is_of_few_people(answers):
    answer = answers["late_return"]
    sides, outcome = limits.sides_of(answer.sample, answer.question)
    shown = [one for one in rules.groups(answer, sides.away, outcome) if one]
    assert shown and min(one[2] for one in shown) >= 10
