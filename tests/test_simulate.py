"""The simulated worlds: the same bytes each time, a truth that is computed, and traps that are really there."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import researchkit.simulate as worlds
from researchkit.errors import ParameterError, ResearchkitError, SourceError
from researchkit.parts import Question
from researchkit.simulate import contact_centre, draws, files, hospital, simulate, truth, write_world
from researchkit.study import Study, load_study

DATA = Path(__file__).resolve().parents[1] / "data"
NAMES = ("contact_centre", "hospital")
WRITTEN_BY = "2.0.1"  # the DuckDB that wrote the committed Parquet file


@cache
def usual(world: str) -> dict[str, pd.DataFrame]:
    """The tables at the committed size and seed, with the one score that the questions need."""
    module = worlds.WORLDS[world]
    tables = simulate(world, rows=module.ROWS, seed=module.SEED)
    if world == "hospital":
        items = tables["staff.csv"].filter(like="cbi_").astype(float)
        tables["staff.csv"] = tables["staff.csv"].assign(exhaustion=items.mean(axis=1))
    return tables


@cache
def study(world: str) -> Study:
    return load_study(DATA / world)


def committed_truth(world: str) -> dict[str, dict]:
    return yaml.safe_load((DATA / world / "truth.yml").read_text(encoding="utf-8"))


ASKED = [(world, question.id) for world in NAMES for question in study(world).questions]
# the others have too few rows for any estimate to come near the truth
ENOUGH = [(world, id) for world, id in ASKED if committed_truth(world)[id]["deserves"] != "cannot tell"]


# The same bytes, anywhere and at any time


@pytest.mark.parametrize("world", NAMES)
def test_the_committed_files_are_what_the_seed_makes(world, tmp_path):
    duckdb = pytest.importorskip("duckdb", reason="the Parquet file is written by DuckDB")
    for path in write_world(world, tmp_path / "again"):
        committed = DATA / world / path.name
        if path.suffix == ".parquet" and duckdb.__version__ != WRITTEN_BY:
            old, new = (duckdb.read_parquet(str(one)).df() for one in (committed, path))
            pd.testing.assert_frame_equal(old, new)
        else:
            assert path.read_bytes() == committed.read_bytes(), f"{path.name} differs from the committed one"


@pytest.mark.parametrize("world", NAMES)
def test_the_written_truth_is_the_computed_one(world):
    assert committed_truth(world) == truth(world, seed=worlds.WORLDS[world].SEED)


@pytest.mark.parametrize("world", NAMES)
def test_the_study_beside_the_data_is_the_one_in_the_package(world):
    assert (DATA / world / "study.yml").read_text(encoding="utf-8") == worlds.study_text(world)
    assert study(world).seed == worlds.WORLDS[world].SEED


def test_another_seed_makes_another_world():
    one, other = (simulate("hospital", rows=50, seed=seed)["stays.csv"] for seed in (1, 2))
    assert not one.equals(other)


def test_chunks_do_not_depend_on_each_other(monkeypatch):
    monkeypatch.setattr(contact_centre, "CHUNK", 40)
    pieces = [piece["interactions.parquet"] for piece in contact_centre.chunks(100, 5)]
    whole = simulate("contact_centre", rows=100, seed=5)["interactions.parquet"]
    assert [len(piece) for piece in pieces] == [40, 40, 20]
    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), whole)
    people = [set(piece["customer_id"]) for piece in pieces]
    assert not any(one & other for one, other in itertools.combinations(people, 2)), "a customer is in two chunks"
    centre = contact_centre.open_centre(np.random.default_rng([5, 0]), 100)
    last = contact_centre.piece(np.random.default_rng([5, 3]), 20, centre, 2 * round(40 / 1.2), 6)
    pd.testing.assert_frame_equal(last, pieces[2])  # made by itself, without the chunks before


@pytest.mark.parametrize("world", NAMES)
def test_a_file_written_in_chunks_holds_what_simulate_makes(world, tmp_path, monkeypatch):
    duckdb = pytest.importorskip("duckdb", reason="the Parquet file is written by DuckDB")
    monkeypatch.setattr(worlds.WORLDS[world], "CHUNK", 30)
    write_world(world, tmp_path, rows=100, seed=4)
    for name, frame in simulate(world, rows=100, seed=4).items():
        kinds = frame.dtypes.to_dict()
        if name.endswith(".csv"):
            written = pd.read_csv(tmp_path / name, dtype=kinds)
        else:
            written = duckdb.read_parquet(str(tmp_path / name)).df().astype(kinds)
        pd.testing.assert_frame_equal(written, frame)


# What is planted


@pytest.mark.parametrize("world", NAMES)
def test_every_question_has_its_truth_and_every_truth_its_question(world):
    assert set(committed_truth(world)) == {question.id for question in study(world).questions}


def test_the_questions_cover_all_kinds_and_families():
    asked = [(study(world), question) for world, question in ((w, study(w).question(q)) for w, q in ASKED)]
    kinds = {question.outcome.kind for _, question in asked}
    assert kinds == {"score", "yes_no", "ordered", "counts", "duration", "change"}
    assert {each.family_of(question) for each, question in asked} == {"loyalty", "recovery", "burnout"}
    assert {each.design_of(question) for each, question in asked} == {"observational", "randomised", "rollout"}


@pytest.mark.parametrize(("world", "id"), ASKED)
def test_the_verdict_deserved_follows_from_the_truth(world, id):
    planted, question = committed_truth(world)[id], study(world).question(id)
    gain, matters = in_claimed_direction(planted["truth"], question), question.smallest_effect
    if planted["deserves"] == "supported":
        assert gain > matters
    elif planted["deserves"] == "contradicted":
        assert gain < -matters
    elif planted["deserves"] == "too small to matter":
        assert abs(gain) < matters / 2
    assert (planted["truth"] == 0) == (planted["sort"] == "zero")


@pytest.mark.parametrize(("world", "id"), ENOUGH)
def test_crude_misleads_where_it_is_said_to_and_nowhere_else(world, id):
    planted, question = committed_truth(world)[id], study(world).question(id)
    error = abs(simple_slope(world, question, adjust=()) - planted["truth"])
    assert (error > question.smallest_effect) == planted["crude_misleads"]


@pytest.mark.parametrize(("world", "id"), [pair for pair in ENOUGH if pair[1] != "satisfaction_one_source"])
def test_adjustment_finds_the_truth(world, id):
    planted, question = committed_truth(world)[id], study(world).question(id)
    assert simple_slope(world, question, question.adjust) == pytest.approx(
        planted["truth"], abs=question.smallest_effect
    )


@pytest.mark.parametrize("id", [id for world, id in ASKED if committed_truth(world)[id]["sort"] == "reversed"])
def test_a_reversed_effect_has_the_other_sign_without_adjustment(id):
    world = next(world for world, asked in ASKED if asked == id)
    crude = simple_slope(world, study(world).question(id), adjust=())
    assert crude * committed_truth(world)[id]["truth"] < 0


def test_one_source_stays_too_large_however_much_is_adjusted_for():
    question = study("contact_centre").question("satisfaction_one_source")
    planted = committed_truth("contact_centre")[question.id]
    assert simple_slope("contact_centre", question, question.adjust) > planted["truth"] + question.smallest_effect


# What real data do


def test_the_survey_is_answered_less_after_a_hard_problem():
    contacts = usual("contact_centre")["interactions.parquet"]
    hard = contacts["severity"] >= 7
    for answer in ("csat", "nps"):
        answered = contacts[answer].notna()
        assert answered[hard].mean() < answered[~hard].mean() - 0.1, answer


def test_compassion_is_missing_more_often_in_hard_contacts():
    contacts = usual("contact_centre")["interactions.parquet"]
    gap, hard = contacts["compassion"].isna(), contacts["severity"] >= 7
    assert 350 <= gap.sum() <= 450
    assert gap[hard].mean() > 2 * gap[~hard].mean()


def test_ids_are_text_and_keep_their_zeros():
    contacts = usual("contact_centre")["interactions.parquet"]
    assert contacts["customer_id"].str.fullmatch(r"\d{6}").all() and contacts["customer_id"].str.startswith("0").all()
    assert contacts["agent_id"].str.fullmatch(r"a\d{3}").all() and "a007" in set(contacts["agent_id"])
    assert contacts["customer_id"].duplicated().any(), "no customer comes twice"
    head = (DATA / "hospital" / "stays.csv").read_text(encoding="utf-8").splitlines()
    assert head[1].startswith("00000,n0")


@pytest.mark.parametrize("world", NAMES)
def test_every_value_is_one_that_the_study_knows(world):
    for name, frame in usual(world).items():
        for column in frame.columns.intersection(list(study(world).columns)):
            meaning, values = study(world).columns[column], frame[column].dropna()
            if meaning.range:
                assert values.astype(float).between(*meaning.range).all(), f"{name}: {column}"
            if meaning.codes:
                assert set(values.astype(str)) <= set(meaning.codes), f"{name}: {column}"
        assert set(frame.columns) - set(study(world).columns) <= {"exhaustion"}, f"{name} has columns without a meaning"


def test_durations_agree_with_each_other():
    contacts = usual("contact_centre")["interactions.parquet"]
    stayed = contacts["retained_90d"] == 1
    assert (contacts.loc[stayed, "days_active"] >= 90).all()
    assert (contacts.loc[~stayed, "churned"] == 1).all() and (contacts.loc[~stayed, "days_active"] <= 90).all()
    assert (contacts["days_observed"] == contacts["days_active"].clip(upper=90)).all()
    assert (contacts["churned"] == 0).any() and (contacts["solved"] == 0).any(), "nothing is censored"
    assert set(usual("hospital")["stays.csv"]["ending"]) == {0, 1, 2}


def test_sites_are_trained_one_after_the_other_for_good():
    by_month = usual("contact_centre")["interactions.parquet"].groupby(["site", "month"])["trained"]
    assert (by_month.nunique() == 1).all()
    trained = by_month.first().unstack()
    assert (trained.diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)
    assert trained.sum(axis=1).nunique() == 6


# Any size, and what is refused


@pytest.mark.parametrize("rows", [1, 2, 100])
@pytest.mark.parametrize("world", NAMES)
def test_any_size_works(world, rows, tmp_path):
    pytest.importorskip("duckdb", reason="the Parquet file is written by DuckDB")
    first = simulate(world, rows=rows, seed=3)[worlds.WORLDS[world].FILES[0]]
    assert len(first) == rows
    written = write_world(world, tmp_path, rows=rows, seed=3)
    assert {path.name for path in written} == {path.name for path in tmp_path.iterdir()}
    assert {path.name for path in written} == {*worlds.WORLDS[world].FILES, "study.yml", "truth.yml"}


def test_an_unknown_world_is_refused_with_the_nearest():
    for call in (
        lambda: simulate("hospitl", rows=1, seed=1),
        lambda: truth("hospitl", seed=1),
        lambda: write_world("hospitl", "x"),
    ):
        with pytest.raises(ResearchkitError, match=r"no world 'hospitl' \(did you mean 'hospital'\?\)"):
            call()


@pytest.mark.parametrize(
    ("rows", "seed", "words"),
    [(0, 1, "rows is 0"), (2.5, 1, "rows is 2.5"), (True, 1, "rows is True"), (1, -1, "seed is -1")],
)
def test_a_size_or_seed_that_is_none_is_refused(rows, seed, words):
    with pytest.raises(ParameterError, match=words):
        simulate("hospital", rows=rows, seed=seed)


def test_a_file_in_the_way_is_left_alone(tmp_path):
    out = tmp_path / "out"
    out.write_text("mine")
    with pytest.raises(ParameterError, match="is a file"):
        write_world("hospital", out, rows=1)
    assert out.read_text() == "mine"


@pytest.mark.parametrize("world", NAMES)
def test_a_failure_leaves_nothing_behind_and_the_old_files_alone(world, tmp_path, monkeypatch):
    pytest.importorskip("duckdb", reason="the Parquet file is written by DuckDB")
    out = tmp_path / "out"
    before = {path.name: path.read_bytes() for path in write_world(world, out, rows=20, seed=1)}

    def fails(*_):
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(worlds, "truth_text", fails)  # the data are written by then
    for place in (out, tmp_path / "new"):
        with pytest.raises(RuntimeError, match="disk is full"):
            write_world(world, place, rows=30, seed=2)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_without_duckdb_the_way_out_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "duckdb", None)
    with pytest.raises(SourceError, match=r"pip install 'researchkit\[bigdata\]'"):
        files.write_parquet(tmp_path / "a.parquet", iter([pd.DataFrame({"a": [1]})]))
    assert not list(tmp_path.iterdir())


# The pieces


def test_a_rating_is_on_the_scale():
    assert draws.rating(np.array([-3.0, 2.3, 2.2, 9.0]), 1, 5, 0.5).tolist() == [1, 2.5, 2, 5]


def test_restricted_mean_is_the_mean_of_the_days_drawn():
    rng, log_hazard = np.random.default_rng(7), np.full(200_000, 0.3)
    drawn = np.minimum(draws.days_until(rng, log_hazard, scale=13, shape=1.2), 30)
    assert draws.restricted_mean(log_hazard[:1], scale=13, shape=1.2, horizon=30)[0] == pytest.approx(
        drawn.mean(), abs=0.1
    )


def test_grades_come_as_often_as_the_cuts_say():
    rng, cuts = np.random.default_rng(8), np.array([-1.0, 0.5])
    seen = np.bincount(draws.grade(rng, np.zeros(200_000), cuts), minlength=3) / 200_000
    passed = draws.probability(-cuts)
    assert seen == pytest.approx([1 - passed[0], passed[0] - passed[1], passed[1]], abs=0.005)


def test_the_expected_score_is_the_mean_of_the_items_drawn():
    level = np.array([10.0, 50.0, 90.0])
    columns = {"own": np.repeat(level, 100_000) - 44} | {
        name: np.zeros(300_000) for name in ("workload", "leader", "practised", "young", "assistant")
    }
    noise = np.random.default_rng(9).logistic(0, hospital.ITEM_SPREAD, 300_000)
    drawn = draws.rating(hospital.exhaustion(columns) + noise, 0, 100, 25).reshape(3, -1).mean(axis=1)
    assert hospital.exhaustion_score(columns).reshape(3, -1)[:, 0] == pytest.approx(drawn, abs=0.3)


# Simple estimates, by least squares only, in the unit of each outcome: they stand apart from the package's estimators


def in_claimed_direction(value: float, question: Question) -> float:
    return value * (1 if question.outcome.good == "high" else -1) * (1 if question.expect == "better" else -1)


def simple_slope(world: str, question: Question, adjust: tuple[str, ...]) -> float:
    """Least-squares slope of the outcome on the exposure; for counts, the mean slope of a log-linear rate."""
    asked, outcome = study(world), question.outcome
    frame = usual(world)[asked.tables[asked.table_of(question)].files[0].path]
    for rule in question.keep:
        values = frame[rule.column]
        low, high = rule.minimum, rule.maximum
        kept = (
            values.astype(str).isin(rule.values)
            if rule.values
            else values.astype(float).between(-np.inf if low is None else low, np.inf if high is None else high)
        )
        frame = frame[kept]
    if question.id == "days_as_customer":
        frame = frame[frame["month"] <= 9]  # followed for all of the 180 days
    exposure = frame[question.exposure.column]
    level = question.exposure.level
    columns = [(exposure.astype(str) == level).astype(float) if level else exposure.astype(float)]
    columns += [
        part
        for name in (*adjust, *([outcome.baseline] if outcome.baseline else []))
        for part in design(asked, frame, name)
    ]
    y = as_number(frame, question)
    x = np.column_stack([np.ones(len(frame)), *columns])
    if outcome.kind == "counts":
        return rate_difference(x, y, frame[outcome.time].to_numpy(float))
    whole = ~np.isnan(y) & ~np.isnan(x).any(axis=1)
    return float(np.linalg.lstsq(x[whole], y[whole], rcond=None)[0][1])


def design(asked: Study, frame: pd.DataFrame, name: str) -> list[np.ndarray]:
    meaning = asked.columns[name]
    if meaning.codes or meaning.type == "category":
        return list(pd.get_dummies(frame[name].astype(str), drop_first=True).to_numpy(float).T)
    return [frame[name].to_numpy(float, na_value=np.nan)]


def as_number(frame: pd.DataFrame, question: Question) -> np.ndarray:
    outcome = question.outcome
    values = frame[outcome.column].to_numpy(float, na_value=np.nan)
    if outcome.nps:
        return np.where(np.isnan(values), np.nan, 100 * ((values >= 9).astype(float) - (values <= 6)))
    if outcome.kind == "ordered":
        return np.where(np.isnan(values), np.nan, values == float(outcome.top[0]))
    return np.minimum(values, outcome.horizon) if outcome.kind == "duration" else values


def rate_difference(x: np.ndarray, count: np.ndarray, days: np.ndarray) -> float:
    """Mean slope of the rate, from a Poisson regression by Newton's steps."""
    whole = ~np.isnan(x).any(axis=1)
    x, count, days = x[whole], count[whole], days[whole]
    beta = np.zeros(x.shape[1])
    beta[0] = np.log(count.sum() / days.sum())
    for _ in range(20):
        mean = days * np.exp(x @ beta)
        beta += np.linalg.solve((x * mean[:, None]).T @ x, x.T @ (count - mean))
    return float(beta[1] * mean.sum() / days.sum())
