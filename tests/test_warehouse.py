"""Data that stay where they are give the answers that they would give in memory, and no row travels."""

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from answers import ask

from researchkit import account, moments, story
from researchkit.answer import answer_question
from researchkit.batch import Job
from researchkit.batch.key import Keys
from researchkit.dataset import load_dataset
from researchkit.errors import DataError, DisclosureError, EstimationError, ResearchkitError, StudyError
from researchkit.estimators import estimate_sample
from researchkit.evidence import scale
from researchkit.readers import relation
from researchkit.robustness import linear
from researchkit.simulate import study_text, write_world
from researchkit.study import load_study
from researchkit.warehouse import Warehouse, load, summed

CLOSE = {"rel": 1e-9, "abs": 1e-12}
HOSTILE = 'score "x"; DROP TABLE rows; -- % ? :y 😀'
NUMBERS = ("estimate", "se", "low", "high", "df", "p", "n")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The contact centre, 20,000 rows: `mem.yml` reads them, `place.yml` differs by one line."""
    folder = tmp_path_factory.mktemp("world")
    write_world("contact_centre", folder, rows=20_000)
    text = study_text("contact_centre").replace("disclosure: five", "disclosure: none")
    (folder / "mem.yml").write_text(text, encoding="utf-8")
    place = text.replace("files: interactions.parquet", "files: {path: interactions.parquet, in_place: true}")
    (folder / "place.yml").write_text(place, encoding="utf-8")
    return folder


def same(one, other):
    """Two effects, number by number and word by word."""
    assert one.clusters == other.clusters
    for name in NUMBERS:
        assert getattr(one, name) == pytest.approx(getattr(other, name), **CLOSE), name
    assert (one.method, one.unit, one.contrast, one.notes) == (other.method, other.unit, other.contrast, other.notes)
    assert [term.term for term in one.model.terms] == [term.term for term in other.model.terms]
    for mine, theirs in zip(one.model.terms, other.model.terms, strict=True):
        assert (mine.estimate, mine.se) == pytest.approx((theirs.estimate, theirs.se), rel=1e-8, abs=1e-9)


def steps(sample):
    """The flow as reasons and rows; how many people that is, is not counted in place."""
    return [(step.why, step.rows) for step in sample.flow]


def alike(one, other):
    """Two values of a result file: equal, or equal but for rounding."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, float):
        return one == pytest.approx(other, rel=1e-8, abs=1e-10)
    return one == other


def study_of(folder, frame, *, name="rows.parquet", in_place=True, file=None, **parts):
    """A study file about one table, in memory or in place."""
    path = folder / name
    if not path.exists():
        if name.endswith(".parquet"):
            import duckdb

            duckdb.sql("select * from frame").write_parquet(str(path))
        else:
            frame.to_csv(path, index=False)
    question = {
        "id": "q",
        "title": "Does it?",
        "claim": "MEC-1",
        "family": "loyalty",
        "exposure": "x",
        "outcome": {"column": "y", "kind": "score"},
        "smallest_effect": 0.1,
    }
    question |= parts.pop("question", {})
    files = {"path": name, "in_place": in_place} | (file or {})
    study = {"title": "T", "seed": 1, "design": "observational", "files": files, "questions": [question]} | parts
    at = folder / f"{'place' if in_place else 'mem'}.yml"
    at.write_text(yaml.safe_dump(study, allow_unicode=True), encoding="utf-8")
    return load_study(at)


def both(folder, frame, **parts):
    """The sample of the question in memory and in place, with the question."""
    memory, place = (study_of(folder, frame, in_place=there, **parts) for there in (False, True))
    question = memory.questions[0]
    return load_dataset(memory).sample(question), load(place).sample(question), question


def small(rows=600, seed=3):
    rng = np.random.default_rng(seed)
    x, severity = rng.normal(size=rows), rng.normal(5, 2, rows)
    group = rng.integers(0, 30, rows)
    y = 0.4 * x + 0.3 * severity + rng.normal(size=30)[group] + rng.normal(size=rows)
    return pd.DataFrame(
        {
            "id": [f"{number:04d}" for number in range(rows)],
            "g": [f"g{one:02d}" for one in group],
            "x": x,
            "severity": severity,
            "kind": rng.choice(["a", "b", "c"], rows),
            "y": y,
            "t": rng.uniform(0.5, 2, rows),
        }
    )


def refusal(call, error=ResearchkitError):
    with pytest.raises(error) as told:
        call()
    return str(told.value)


@pytest.mark.parametrize("question", ["handling_time", "trust", "training"])
def test_the_answer_is_that_of_memory(world, question):
    memory, place = (answer_question(world / name, question) for name in ("mem.yml", "place.yml"))
    assert isinstance(place.dataset, Warehouse)
    same(place.effect, memory.effect)
    same(place.crude, replace(memory.crude, notes=place.crude.notes))
    assert steps(place.sample) == steps(memory.sample) and place.sample.rows == memory.sample.rows
    assert place.data["dropped"] == memory.data["dropped"]
    there = {check.name: check for check in place.checks}
    for check in memory.checks:
        if check.name in ("assumptions", "missing data", "several questions"):
            continue
        assert alike(there[check.name].to_dict(), check.to_dict()), check.name
        assert there[check.name].mark == check.mark
    assert "rows stay in place" in there["missing data"].reason
    mine, theirs = (scale.of_effect(one.effect, one.sample, one.question) for one in (place, memory))
    assert (mine.estimate, mine.se) == pytest.approx((theirs.estimate, theirs.se), rel=1e-9)
    assert (place.verdict.word, place.verdict.sentence) == (memory.verdict.word, memory.verdict.sentence)


@pytest.mark.parametrize("question", ["retention", "handling_time", "calling_back", "recommendation", "training"])
def test_the_tables_of_the_page_are_those_of_memory(world, question):
    memory, place = (ask(world / name, question) for name in ("mem.yml", "place.yml"))
    for tell in (story.groups, account.balance, account.left_out, story.picture):
        mine, theirs = tell(place), tell(memory)
        assert type(mine) is type(theirs), tell.__name__
        if hasattr(theirs, "data"):
            pd.testing.assert_frame_equal(mine.data, theirs.data, check_dtype=False, rtol=1e-9)
        else:
            assert str(mine) == str(theirs)


def test_what_needs_rows_says_so(world):
    answer = answer_question(world / "place.yml", "retention")
    assert "stay in place" in str(account.spread(answer))
    with pytest.raises(EstimationError, match="rows stay in place"):
        answer.sample.outcome  # noqa: B018
    assert "needs every row" in refusal(lambda: answer.dataset.frame, DataError)
    assert "linear probability" in answer.effect.method
    assert any("straight line through shares" in note for note in answer.effect.notes)
    told = refusal(lambda: answer_question(world / "place.yml", "days_as_customer"), EstimationError)
    assert "no sums" in told and "whole clusters at random" in told


def test_nothing_is_shown_under_a_profile_that_protects(world):
    for by in (None, "site=s03"):
        told = refusal(
            lambda by=by: answer_question(world / "place.yml", "trust", by=by, disclosure="five"), DisclosureError
        )
        assert "these rows stay in place" in told and "in_place: false" in told


def test_a_site_alone_is_as_in_memory(world):
    memory, place = (answer_question(world / name, "trust", by="site=s03") for name in ("mem.yml", "place.yml"))
    same(place.effect, memory.effect)
    assert steps(place.sample) == steps(memory.sample) and place.data["rows"] == memory.data["rows"]
    assert "never 's99'" in refusal(lambda: answer_question(world / "place.yml", "trust", by="site=s99"), DataError)


@pytest.mark.parametrize(
    "question",
    [
        {"adjust": ["severity", "kind"]},
        {"exposure": {"column": "kind", "reference": "a", "level": "c"}, "adjust": ["severity"]},
        {"exposure": {"column": "x", "per": 2.5}, "keep": [{"column": "severity", "minimum": 4, "why": "mild"}]},
        {"outcome": {"column": "y", "kind": "change", "baseline": "severity"}, "adjust": ["kind"]},
    ],
)
def test_without_clusters_and_with_them(tmp_path, question):
    for number, clusters in enumerate(([], ["g"])):
        folder = tmp_path / str(number)
        folder.mkdir()
        memory, place, asked = both(folder, small(), question=question, clusters=clusters)
        mine, theirs = estimate_sample(place, asked), estimate_sample(memory, asked)
        assert theirs.model.errors == ("CR2" if clusters else "HC3")
        same(mine, theirs)
        ways = np.ones((1, len(memory.names) + (asked.outcome.kind == "change")), dtype=bool)
        for one, two in zip(
            moments.curve(linear.linearised(place, asked).moments, ways),
            moments.curve(linear.linearised(memory, asked).moments, ways),
            strict=True,
        ):
            assert one == pytest.approx(two, rel=1e-9)


def test_rows_are_dealt_as_in_memory_where_they_are_many(tmp_path, monkeypatch):
    for room in (linear, summed):
        monkeypatch.setattr(room, "MOST_NUMBERS", 100)
        monkeypatch.setattr(room, "DEALT", 50)
    memory, place, asked = both(tmp_path, small(), question={"adjust": ["severity"]})
    lines = [linear.linearised(sample, asked) for sample in (place, memory)]
    assert lines[0].errors == lines[1].errors and "50 groups" in lines[0].errors
    one, two = (moments.curve(line.moments, np.array([[True], [False]])) for line in lines)
    assert one[0] == pytest.approx(two[0], rel=1e-9) and one[1] == pytest.approx(two[1], rel=1e-9)


def test_shares_points_and_rates_are_straight_lines(tmp_path):
    """Each equals the score of the same numbers; a rate is weighted by its time, with CR2 for a variance of 1 / time."""
    frame = small().assign(yes=lambda f: np.where(f["y"] > 1.5, "stayed", "left"))
    frame["nps"] = np.clip(np.rint(frame["y"] + 6), 0, 10).astype(int)
    frame["c"] = np.random.default_rng(1).poisson(np.exp(0.3 * frame["x"]) * frame["t"])
    frame["points"] = 100.0 * (frame["nps"] >= 9) - 100.0 * (frame["nps"] <= 6)
    frame["share"] = (frame["yes"] == "stayed").astype(float)
    for kind, score in (
        ({"column": "yes", "kind": "yes_no", "yes": "stayed"}, "share"),
        ({"column": "nps", "kind": "ordered", "nps": True}, "points"),
    ):
        _, place, asked = both(
            tmp_path, frame, clusters=["g"], columns={score: {}}, question={"outcome": kind, "adjust": ["severity"]}
        )
        plain = asked.model_copy(
            update={"outcome": asked.outcome.model_copy(update={"column": score, "kind": "score"})}
        )
        theirs = estimate_sample(load_dataset(memory_study(tmp_path)).sample(plain), plain)
        mine = place.effect(asked)
        for name in NUMBERS:
            assert getattr(mine, name) == pytest.approx(getattr(theirs, name), **CLOSE)
    rate = {"column": "c", "kind": "counts", "time": "t"}
    _, place, asked = both(tmp_path, frame, clusters=["g"], question={"outcome": rate, "adjust": ["severity"]})
    held = moments.compress(
        frame["x"], frame[["severity"]].to_numpy(), frame["c"] / frame["t"], frame["g"], weights=frame["t"].to_numpy()
    )
    line = moments.fit(held)
    covariance, df = moments.cr2(line)
    mine = place.effect(asked)
    assert (mine.estimate, mine.se, mine.df) == pytest.approx(
        (line.coefficients[0], covariance[0, 0] ** 0.5, df[0]), rel=1e-9
    )


def memory_study(folder):
    return load_study(folder / "mem.yml")


def items(rows=500, seed=7):
    rng = np.random.default_rng(seed)
    frame = small(rows, seed)
    latent = rng.normal(size=rows)
    for number in range(1, 5):
        answer = np.clip(np.rint(3 + latent * (-1 if number == 2 else 1) + rng.normal(0, 0.6, rows)), 1, 5)
        frame[f"i{number}"] = np.where(rng.random(rows) < 0.1, np.nan, answer)
    return frame


@pytest.mark.parametrize("rule", ["mean", "sum"])
def test_scores_are_those_of_memory(tmp_path, rule):
    scale = {"items": ["i1", "i2", "i3", "i4"], "reverse": ["i2"], "range": [1, 5], "min_answered": 3, "rule": rule}
    parts = {"scales": {"s": scale}, "clusters": ["g"], "question": {"outcome": {"column": "s", "kind": "score"}}}
    memory, place, asked = both(tmp_path, items(), **parts)
    assert steps(place) == steps(memory) and memory.flow[-1].rows > 0
    same(estimate_sample(place, asked), estimate_sample(memory, asked))
    notes = load_dataset(memory_study(tmp_path)).notes
    assert next(note for note in notes if note.startswith("s:")) in load(load_study(tmp_path / "place.yml")).notes


def test_an_item_turned_round_by_mistake_stops_in_place_too(tmp_path):
    scale = {"items": ["i1", "i2", "i3", "i4"], "reverse": ["i1", "i2"], "range": [1, 5]}
    frame = items().assign(i1=lambda f: f["i3"])
    study = study_of(tmp_path, frame, scales={"s": scale}, question={"outcome": {"column": "s", "kind": "score"}})
    assert "i1: after reversing, the answers go against" in refusal(lambda: load(study), DataError)


def test_an_answer_that_the_scale_does_not_have_stops(tmp_path):
    frame = items()
    frame.loc[4, "i3"] = 9
    scale = {"items": ["i1", "i2", "i3", "i4"], "range": [1, 5]}
    study = study_of(tmp_path, frame, scales={"s": scale}, question={"outcome": {"column": "s", "kind": "score"}})
    assert "i3: 1 answers the scale does not have (9)" in refusal(lambda: load(study), DataError)


def test_text_files_with_gaps_codes_and_hostile_names(tmp_path):
    frame = small().rename(columns={"y": HOSTILE, "severity": "qualify"}).astype({"x": "object"})  # a word of DuckDB's
    frame.loc[:9, "x"] = -99
    frame.loc[10:14, "x"] = " "
    frame.loc[:3, "kind"] = ""
    parts = {
        "name": "it's a (file).csv",
        "clusters": ["g"],
        "columns": {"x": {"missing": [-99]}, "y": {"from": HOSTILE}, "g": {"type": "id"}},
        "question": {"adjust": ["qualify", "kind"]},
    }
    memory, place, asked = both(tmp_path, frame, **parts)
    assert steps(place) == steps(memory) and {step.why for step in place.flow} == {"x missing", "kind missing"} - (
        set() if memory.flow[-1].why == "kind missing" else {"kind missing"}
    )
    same(estimate_sample(place, asked), estimate_sample(memory, asked))


def test_every_problem_is_told_at_once_by_counts(tmp_path):
    frame = small()
    frame.loc[0, "x"] = np.inf
    frame.loc[1:2, "severity"] = 99
    frame.loc[3, "t"] = 1e200
    frame["kind"] = frame["kind"].replace("b", "secret")
    columns = {"severity": {"range": [-5, 20]}, "kind": {"codes": {"a": "A", "c": "C"}}, "t": {}, "lost": {}}
    study = study_of(tmp_path, frame, columns=columns, question={"adjust": ["severity", "kind", "lost"]})
    told = refusal(lambda: load(study), DataError)
    assert "5 problems" in told
    assert "x: 1 values are infinite" in told and "t: 1 values are beyond 1e100" in told
    assert "severity: 2 answers outside -5-20" in told
    assert f"kind: {(frame['kind'] == 'secret').sum()} values are neither 'a' nor 'c' ('secret')" in told
    assert "there is no column 'lost'" in told


def test_words_in_a_column_of_numbers_stop(tmp_path):
    frame = small().astype({"x": "object"})
    frame.loc[5:7, "x"] = "many"
    told = refusal(lambda: load(study_of(tmp_path, frame, name="rows.csv")), DataError)
    assert "x: 3 entries are no numbers among 600" in told and "many" not in told


@pytest.mark.parametrize("content", [b"", b"PAR1 no parquet at all", b"x\n"])
def test_a_file_that_cannot_be_read_is_told(tmp_path, content):
    name = "rows.csv" if content == b"x\n" else "rows.parquet"
    (tmp_path / name).write_bytes(content)
    told = refusal(lambda: load(study_of(tmp_path, None, name=name)), DataError)
    assert name in told or "no column" in told


def test_nothing_varies_nobody_is_left_and_one_cluster(tmp_path):
    for number, (change, words) in enumerate(
        (
            ({"x": 1.0}, "the same in all 600 complete rows"),
            ({"y": np.nan}, "no row is left of 600"),
            ({"g": "one"}, "belong to one value of g"),
            ({"x": lambda f: 2 * f["severity"] + 1}, "fully determined by the columns of `adjust`"),
            ({"y": lambda f: f["x"] + f["severity"]}, "is told exactly"),
        )
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        study = study_of(folder, small().assign(**change), clusters=["g"], question={"adjust": ["severity"]})
        question = study.questions[0]
        assert words in refusal(lambda s=study, q=question: load(s).sample(q).effect(q), EstimationError)


def test_a_covariate_that_others_determine_is_left_out(tmp_path):
    frame = small().assign(double=lambda f: 2 * f["severity"])
    memory, place, asked = both(tmp_path, frame, clusters=["g"], question={"adjust": ["severity", "double"]})
    same(estimate_sample(place, asked), estimate_sample(memory, asked))


def test_what_sums_cannot_do_is_refused(tmp_path):
    study = study_of(tmp_path, small(), question={"weights": "t"})
    assert "weights in t need every row" in refusal(lambda: load(study).sample(study.questions[0]))
    crossing = study_of(tmp_path, small(), clusters=["g", "kind"])
    assert "cut across each other" in refusal(lambda: load(crossing).sample(crossing.questions[0]), StudyError)
    asked = load(study_of(tmp_path, small(), clusters=["g"]))
    sample = asked.sample(asked.study.questions[0])
    told = refusal(lambda: sample.effect(asked.study.questions[0], 0.95, "doubly robust"))
    assert "needs every row" in told


def test_clusters_within_clusters_count_once(tmp_path):
    frame = small().assign(team=lambda f: "t" + (f["g"].str[1:].astype(int) // 3).astype(str))
    memory, place, asked = both(tmp_path, frame, clusters=["g", "team"])
    assert place.cluster_name == memory.cluster_name == "team"
    same(estimate_sample(place, asked), estimate_sample(memory, asked))


def test_only_large_files_stay_by_themselves(tmp_path, monkeypatch):
    study = study_of(tmp_path, small(), in_place=None)
    assert not isinstance(load(study), Warehouse)
    monkeypatch.setattr(relation, "LARGE_ROWS", 599)
    held = load(study)
    assert isinstance(held, Warehouse) and held.rows == 600
    assert not isinstance(load(study_of(tmp_path, small(), in_place=False)), Warehouse)


def test_the_folder_for_what_exceeds_memory_is_private_and_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    held = load(study_of(tmp_path, small()))
    (made,) = tmp_path.glob("researchkit-*")
    assert made.stat().st_mode & 0o077 == 0
    held.close()
    assert not made.exists()


def test_the_fingerprint_knows_every_value_and_no_order(tmp_path):
    marks = []
    frame = small()
    changed = frame.copy()
    changed.loc[300, "severity"] = float(frame["severity"].median())
    for number, rows in enumerate((frame, frame.iloc[::-1], changed)):
        folder = tmp_path / str(number)
        folder.mkdir()
        marks.append(load(study_of(folder, rows, columns={"severity": {}})).fingerprint)
    assert marks[0] == marks[1] != marks[2]


def test_the_check_counts_rows_that_repeat_and_people_who_come_again(tmp_path):
    frame = small()
    frame = pd.concat([frame, frame.iloc[:7], frame.iloc[:3]], ignore_index=True)
    notes = load(study_of(tmp_path, frame, people="id")).repeats()
    assert notes == [
        "id: 600 people in 610 rows, 7 of them in more than one.",
        "10 rows repeat an earlier row in every column.",
    ]


BAD_FILES = [
    ({"database": "postgresql://me:hunter2@host/db", "relation": "t"}, "holds no password"),
    ({"database": "postgresql://host/db?password=hunter2", "relation": "t"}, "holds no password"),
    ({"database": "host", "relation": "t"}, "an address such as"),
    ({"database": "postgresql://host/db"}, "goes with a `relation`"),
    ({"path": "a.csv", "relation": "t"}, "goes with a `relation`"),
    ({"path": "a.csv", "database": "postgresql://host/db", "relation": "t"}, "either a `path` or a `url`"),
    ({"database": "postgresql://host/db", "relation": "t", "in_place": False}, "leave `in_place: false` out"),
]


@pytest.mark.parametrize(("files", "words"), BAD_FILES)
def test_study_files_name_places_and_never_passwords(tmp_path, files, words):
    told = refusal(lambda: study_of(tmp_path, small(), files=files), StudyError)
    assert words in told and "hunter2" not in told and "line" in told


def test_joins_and_other_readers_are_done_there_first(tmp_path):
    for file, word in (
        ({"summarise": {"by": "g", "columns": {"m": {"mean": "x"}}}}, "`summarise`"),
        ({"reader": "qualtrics"}, "`reader`"),
        ({"only": {"kind": "a"}}, "`only`"),
    ):
        told = refusal(lambda one=file: load(study_of(tmp_path, small(), file=one)), DataError)
        assert word in told and "Do that there first" in told


# A real server


def server_programs():
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL server of this test alone: in a folder of its own, reached by a socket in it."""
    programs = server_programs()
    if programs is None:
        pytest.skip("there is no PostgreSQL server here (Debian: apt-get install postgresql)")
    user = None
    if os.getuid() == 0:  # the server refuses to run as root
        known = {one.pw_name for one in pwd.getpwall()}
        user = next((name for name in ("postgres", "nobody") if name in known), None)
        if user is None:
            pytest.skip("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
    folder = Path(tempfile.mkdtemp(prefix="rk-pg-"))
    if user:
        shutil.chown(folder, user)
    run = {"user": user, "check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
    data = folder / "data"
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "reader", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"], **run
    )
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    subprocess.run([programs / "pg_ctl", "-D", data, "-w", "-o", options, "-l", folder / "log", "start"], **run)
    yield f"postgresql+psycopg://reader@/postgres?host={folder}"
    subprocess.run([programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"], **run)
    shutil.rmtree(folder)


def filled(address, name, frame, types):
    """A table of the server with these rows."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(address.replace("+psycopg", "")) as connection:
        columns = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(types.get(column, "double precision")))
            for column in frame
        )
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE TABLE {} ({})").format(sql.Identifier(name), columns))
        with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN (FORMAT csv)").format(sql.Identifier(name))) as copy:
            copy.write(frame.to_csv(index=False, header=False))


WORDS = dict.fromkeys(("customer_id", "agent_id", "team", "site", "channel"), "text")


def test_a_table_in_postgresql_answers_as_memory_does(server, world):
    import duckdb

    frame = duckdb.read_parquet(str(world / "interactions.parquet")).df()
    filled(server, 'con"tacts; --', frame, WORDS | {"trained": "boolean", "month": "integer", "nps": "numeric"})
    text = study_text("contact_centre").replace("disclosure: five", "disclosure: none")
    line = (
        "files: " + yaml.safe_dump({"database": server, "relation": 'con"tacts; --'}, default_flow_style=True).strip()
    )
    (world / "there.yml").write_text(text.replace("files: interactions.parquet", line), encoding="utf-8")
    for question in ("handling_time", "training"):
        memory, place = (ask(world / name, question) for name in ("mem.yml", "there.yml"))
        same(place.effect, memory.effect)
        assert steps(place.sample) == steps(memory.sample)
        curve = next(check for check in place.checks if check.name == "specification curve")
        theirs = next(check for check in memory.checks if check.name == "specification curve")
        assert alike(curve.to_dict(), theirs.to_dict())
        pd.testing.assert_frame_equal(story.groups(place).data, story.groups(memory).data, rtol=1e-9)
        pd.testing.assert_frame_equal(account.balance(place).data, account.balance(memory).data, rtol=1e-9)


def test_text_scores_and_problems_in_postgresql(server, tmp_path):
    frame = items().rename(columns={"y": HOSTILE})
    filled(server, "answers", frame, {"id": "text", "g": "text", "kind": "text", "x": "text"})
    scale = {"items": ["i1", "i2", "i3", "i4"], "reverse": ["i2"], "range": [1, 5], "min_answered": 3}
    parts = {"scales": {"s": scale}, "columns": {"y": {"from": HOSTILE}}}
    parts["question"] = {"outcome": {"column": "s", "kind": "score"}, "adjust": ["y", "kind"]}
    memory = study_of(tmp_path, frame, name="answers.csv", in_place=False, **parts)
    place = study_of(tmp_path, frame, files={"database": server, "relation": "answers"}, **parts)
    asked = memory.questions[0]
    same(load(place).sample(asked).effect(asked), estimate_sample(load_dataset(memory).sample(asked), asked))
    filled(
        server,
        "answers",
        frame.assign(x=["many"] * 3 + frame["x"].tolist()[3:], i1=9),
        {"id": "text", "g": "text", "kind": "text", "x": "text"},
    )
    told = refusal(lambda: load(place), DataError)
    assert "x: 3 entries are no numbers among 500" in told and "i1: 500 answers the scale does not have (9)" in told


def test_a_database_that_is_not_there_is_told(server, tmp_path):
    study = study_of(tmp_path, small(), files={"database": server, "relation": "nothing"})
    assert "There is no relation 'nothing'" in refusal(lambda: load(study), DataError)
    lost = study_of(
        tmp_path, small(), files={"database": "postgresql+psycopg://reader@/x?host=/nowhere", "relation": "t"}
    )
    assert "cannot be asked" in refusal(lambda: load(lost), DataError)


def test_another_dialect_gives_the_same_numbers(tmp_path):
    """SQLite stands for the warehouses that were not at hand: nothing but standard SQL is asked of it."""
    import sqlalchemy as sa

    frame = items().rename(columns={"y": HOSTILE})
    address = f"sqlite:///{tmp_path / 'answers.sqlite'}"
    frame.loc[:20, "severity"] = 0.0
    frame.to_sql("answers", sa.create_engine(address, poolclass=sa.NullPool), index=False)
    scale = {"items": ["i1", "i2", "i3", "i4"], "reverse": ["i2"], "range": [1, 5], "min_answered": 3}
    parts = {"scales": {"s": scale}, "columns": {"y": {"from": HOSTILE}}}
    parts["question"] = {"outcome": {"column": "s", "kind": "score"}, "adjust": ["y", "kind", "severity"]}
    memory = study_of(tmp_path, frame, name="answers.csv", in_place=False, **parts)
    for clusters in ([], ["g"]):
        place = study_of(
            tmp_path, frame, files={"database": address, "relation": "answers"}, clusters=clusters, **parts
        )
        memory = study_of(tmp_path, frame, name="answers.csv", in_place=False, clusters=clusters, **parts)
        asked, held = memory.questions[0], load(place)
        assert steps(held.sample(asked)) == steps(load_dataset(memory).sample(asked))
        same(held.sample(asked).effect(asked), estimate_sample(load_dataset(memory).sample(asked), asked))
    mine, theirs = (answer_question(tmp_path / name, "q") for name in ("place.yml", "mem.yml"))
    pd.testing.assert_frame_equal(account.balance(mine).data, account.balance(theirs).data, rtol=1e-8)
    assert any("not of every value" in note for note in mine.dataset.notes)
    assert Keys().of(Job(tmp_path / "place.yml", "q")) is None  # nothing tells that a database has not changed


def test_a_report_is_made_and_one_for_each_group(tmp_path):
    from researchkit.batch import plan
    from researchkit.batch.key import changed
    from researchkit.report import write_report

    columns = {"kind": {"type": "category"}}
    study = study_of(tmp_path, small(), clusters=["g"], columns=columns, question={"adjust": ["severity"]})
    report = write_report(study.path, "q", out=tmp_path / "reports")
    assert (report.status, report.reason) == ("ok", "")
    page = report.page.read_text(encoding="utf-8")
    assert "the rows stay in place" in page and "Traceback" not in page
    jobs = plan([study], by="kind")
    assert [job.by for job in jobs] == ["kind=a", "kind=b", "kind=c"]
    before, rows = Keys().of(jobs[0]), tmp_path / "rows.parquet"
    assert before == Keys().of(jobs[0])
    os.utime(rows, ns=(1, 1))
    assert changed(before, Keys().of(jobs[0])) == ["the rows or columns that this report reads"]


def test_what_reads_every_row_refuses_a_table_in_place(tmp_path):
    study = study_of(tmp_path, small())
    assert "stay where they are" in refusal(lambda: load_dataset(study), DataError)


def told_of_codes(folder, **more):
    """What is doubted of the numbers of a column, in memory and in place: no rows of it, and the marks."""
    rng = np.random.default_rng(4)
    frame = small().assign(y=lambda one: one["y"].abs(), severity=rng.integers(0, 11, 600).astype(float))
    for name, (rows, value) in more.items():
        frame.loc[: rows - 1, name] = value
    found = []
    for in_place in (False, True):
        answer = ask(study_of(folder, frame, in_place=in_place, question={"adjust": ["severity"]}), "q")
        notes = {re.sub(r" \([^)]*\)", "", note) for note in answer.dataset.notes if note.startswith("Look at ")}
        found.append((notes, [mark for mark in answer.verdict.marks if mark.startswith("doubtful data")]))
    (folder / "rows.parquet").unlink()
    return found


@pytest.mark.parametrize(
    ("more", "codes"),
    [
        ({}, []),
        ({"severity": (5, -9.0)}, ["-9"]),
        ({"severity": (5, 99.0)}, ["99"]),
        ({"severity": (1, -9.0)}, []),
        ({"severity": (4, 9.0)}, []),
        ({"y": (6, -99.0)}, ["-99"]),
    ],
)
def test_a_code_for_missing_is_doubted_in_place_too(tmp_path, more, codes):
    memory, place = told_of_codes(tmp_path, **more)
    assert memory == place
    assert [code for code in codes if f"{code} stands in" in str(place[0])] == codes
    assert len(place[0]) == len(place[1]) == len(codes)
