"""From a study file to a verdict, as users go: planted truths come out, and bad input is answered in words."""

import gzip
from html import unescape
from pathlib import Path

import pytest
import yaml
from answers import ask
from click.testing import CliRunner

from researchkit.answer import answer_question
from researchkit.cli import main
from researchkit.report import write_report
from researchkit.study import load_study

DATA = Path(__file__).parents[1] / "data"
TRUTHS = {world: yaml.safe_load((DATA / world / "truth.yml").read_text()) for world in ("contact_centre", "hospital")}
PLANTED = [(world, question) for world, truths in TRUTHS.items() for question in truths]
MISLED = [(world, question) for world, question in PLANTED if TRUTHS[world][question]["crude_misleads"]]


@pytest.mark.parametrize(("world", "question"), PLANTED)
def test_each_planted_effect_gets_the_verdict_that_it_deserves(answered, world, question):
    assert answered(world, question).verdict.word == TRUTHS[world][question]["deserves"]


@pytest.mark.parametrize(("world", "question"), MISLED)
def test_the_crude_estimate_misleads_where_that_was_planted(answered, world, question):
    answer = answered(world, question)
    miss = abs(answer.crude.estimate - TRUTHS[world][question]["truth"])
    assert miss > answer.question.smallest_effect


def test_every_question_of_a_world_has_its_truth_and_every_sort_is_planted():
    for world, truths in TRUTHS.items():
        assert {question.id for question in load_study(DATA / world).questions} == set(truths)
    sorts = {truth["sort"] for truths in TRUTHS.values() for truth in truths.values()}
    assert {"real", "zero", "reversed", "small"} <= sorts
    kinds = {question.outcome.kind for world in TRUTHS for question in load_study(DATA / world).questions}
    assert kinds == {"score", "yes_no", "ordered", "counts", "duration", "change"}


def test_one_rater_for_both_is_marked(answered):
    assert "one source: customer rated both" in answered("contact_centre", "satisfaction_one_source").verdict.marks


# --- the honest headlines of the real studies ---------------------------------------------------------------------


def headline(mirror, monkeypatch, study, question):
    monkeypatch.setenv("RESEARCHKIT_MIRROR", str(mirror))
    return ask(DATA / study, question).verdict


def test_carrard_does_not_say_that_empathy_lowers_burnout(mirror, monkeypatch):
    assert headline(mirror, monkeypatch, "carrard_2022", "care_exhaustion").word == "too small to matter"
    feeling = headline(mirror, monkeypatch, "carrard_2022", "feeling_exhaustion")
    assert "higher" in feeling.sentence
    assert "lowered" not in feeling.sentence


def test_cms_hospitals_speaks_of_hospitals_and_not_of_patients(mirror, monkeypatch):
    verdict = headline(mirror, monkeypatch, "cms_hospitals", "nurses_readmissions")
    assert "went with" in verdict.sentence
    assert "lower" in verdict.sentence
    assert "ecological: about groups, not about the people in them" in verdict.marks


def test_only_the_randomised_study_may_say_lowered(mirror, monkeypatch):
    assert "lowered depression" in headline(mirror, monkeypatch, "claus_2020", "depression").sentence


# --- bad input ----------------------------------------------------------------------------------------------------

STUDY = """\
title: A clinic
seed: 1
files: visits.csv
design: observational
clusters: nurse
columns:
  trust: {range: [0, 100]}
questions:
  - id: trust
    title: Is there more trust?
    claim: MEC-1
    family: recovery
    exposure: compassion
    outcome: {column: trust, kind: score, unit: point}
    adjust: severity
    smallest_effect: 0.5
"""
ROWS = [f"{n % 4},{(n * 7) % 11 + n % 4},{(n * 5) % 6},n{n % 9:02d}" for n in range(90)]
HEAD = "compassion,trust,severity,nurse"


def told(folder: Path, *, study: str = STUDY, data: bytes | str | None = None) -> tuple[int, str]:
    (folder / "study.yml").write_text(study, encoding="utf-8")
    if data is not None:
        (folder / "visits.csv").write_bytes(data if isinstance(data, bytes) else data.encode())
    result = CliRunner().invoke(main, ["effect", str(folder), "trust"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def table(rows=ROWS, head=HEAD) -> str:
    return "\n".join([head, *rows]) + "\n"


def test_the_good_one_is_answered(tmp_path):
    status, said = told(tmp_path, data=table())
    assert (status, said.split(".")[0]) == (0, "Supported")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "visits.csv"),
        ("", "empty"),
        (HEAD + "\n", "no row of data"),
        (table([*ROWS, "1,é,2,n01"]).encode("latin-1"), "UTF-8"),
        (table(head="compassion,truts,severity,nurse"), "truts"),
        (table(head="compassion,severity,severity,nurse"), "severity"),
        (table([*ROWS, "1,high,2,n01"]), "'high'"),
        (table([*ROWS, "1,5,2,n01,9"]), "92"),
        (table([*ROWS, "1,500,2,n01"]), "0-100"),
        (table([*ROWS, "1,inf,2,n01"]), "infinite"),
        (table([*ROWS, "1,5\x00,2,n01"]), "NUL"),
        (table([row.split(",")[0] + ",5," + ",".join(row.split(",")[2:]) for row in ROWS]), "never varies|does not vary|same|differ"),
        (table(["2," + row.split(",", 1)[1] for row in ROWS]), "compassion"),
        (table([row.rsplit(",", 1)[0] + ",n01" for row in ROWS]), "cluster"),
        (table(ROWS[:4]), "few|at least|only"),
        (table([",,," for _ in range(9)]), "no row of data"),
    ],
    ids=["no file", "empty", "header only", "encoding", "renamed", "doubled", "text among numbers", "ragged", "out of range",
         "infinite", "NUL", "outcome never varies", "exposure never varies", "one cluster", "four rows", "all missing"],
)  # fmt: skip
def test_bad_data_are_refused_in_words(tmp_path, data, said):
    import re

    status, output = told(tmp_path, data=data)
    assert status == 1
    assert re.search(said, output), output
    assert "Traceback" not in output


def test_a_typo_in_the_study_is_named_with_its_line(tmp_path):
    status, output = told(tmp_path, study=STUDY.replace("adjust:", "ajust:"), data=table())
    assert status == 1
    assert "line 15: `ajust`" in output
    assert "did you mean 'adjust'" in output


def test_packed_data_give_the_same_answer(tmp_path):
    plain = told(tmp_path, data=table())
    (tmp_path / "visits.csv.gz").write_bytes(gzip.compress(table().encode()))
    assert told(tmp_path, study=STUDY.replace("visits.csv", "visits.csv.gz")) == plain


SCRIPT, COLUMN = "<script>alert(1)</script>", '"; import os #'


def test_hostile_strings_reach_the_page_as_text(tmp_path):
    hostile = STUDY.replace("compassion", f"'{COLUMN}'").replace("Is there more trust?", f"'{SCRIPT} more trust?'")
    hostile = hostile.replace("title: A clinic", f"title: '{SCRIPT}'").replace(
        "adjust: severity", "adjust: [severity, place]"
    )
    places = [SCRIPT, "=cmd|' /C calc'!A0", "North Ward 🙂"]
    rows = [f"{row},{places[n % 3]}" for n, row in enumerate(ROWS)]
    quoted = '"' + COLUMN.replace('"', '""') + '",trust,severity,nurse,place'
    (tmp_path / "study.yml").write_text(hostile, encoding="utf-8")
    (tmp_path / "visits.csv").write_text(table(rows, quoted), encoding="utf-8")
    report = write_report(tmp_path, "trust", out=tmp_path / "reports")
    assert report.status == "ok", report.reason
    page = report.page.read_text(encoding="utf-8")
    assert "<script" not in page.lower()
    assert SCRIPT in unescape(page)
    assert COLUMN in unescape(page)
    for path in (report.folder / "tables").glob("*.csv"):
        assert not any(
            cell.startswith(("=", "@")) for line in path.read_text().splitlines() for cell in line.split(",")
        )


def test_ids_keep_their_zeros(tmp_path):
    (tmp_path / "study.yml").write_text(STUDY, encoding="utf-8")
    rows = [row.replace(",n", ",0") for row in ROWS]
    (tmp_path / "visits.csv").write_text(table(rows), encoding="utf-8")
    dataset = answer_question(tmp_path, "trust").dataset
    assert set(dataset.frame["nurse"]) == {f"0{n:02d}" for n in range(9)}
