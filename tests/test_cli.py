"""The commands: words to calls, one message and a status for what is expected to go wrong."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

import researchkit as rk
from researchkit import scales
from researchkit.batch import Job, literal, plan, run
from researchkit.cli import main

ROOT = Path(__file__).parents[1]
CENTRE = str(ROOT / "data" / "contact_centre")


@pytest.fixture
def call(monkeypatch):
    """Call the command from the checkout; gives (status, what it said)."""
    monkeypatch.chdir(ROOT)

    def called(*words: str):
        result = CliRunner().invoke(main, [str(word) for word in words])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output

    return called


@pytest.fixture
def clinic(tmp_path):
    """A small study of three wards, one of them with three people."""
    folder = tmp_path / "clinic"
    folder.mkdir()
    wards = ["North"] * 5 + ["South"] + ["East"] * 6
    lines = [f"{kind},{kind + step % 5},{ward}" for kind in (1, 2, 3) for step, ward in enumerate(wards)]
    (folder / "visits.csv").write_text("compassion,trust,ward\n" + "\n".join(lines) + "\n")
    (folder / "study.yml").write_text(
        "title: A clinic\nseed: 1\nfiles: visits.csv\ndesign: observational\ndisclosure: five\n"
        "columns: {ward: {label: Ward}}\n"
        "questions:\n  - {id: trust, title: 'Is there more trust?', claim: MEC-1, family: recovery, exposure: compassion, "
        "outcome: {column: trust, kind: score, unit: point}, smallest_effect: 0.1}\n"
    )
    return folder


@pytest.mark.parametrize("command", ["run", "effect", "check", "data", "simulate", "claims", "lab"])
def test_every_command_has_help_with_an_example(call, command):
    status, said = call(command, "--help")
    assert status == 0
    assert "Example: researchkit" in said


def test_version(call):
    status, said = call("--version")
    assert status == 0
    assert re.fullmatch(r"researchkit \d+\.\d+\.\d+\n", said)


def test_effect_is_a_sentence_or_the_whole_result(call):
    status, said = call("effect", CENTRE, "trust")
    assert status == 0
    assert said.startswith("Supported. One more point of compassion of the handling went with trust")
    result = json.loads(call("effect", CENTRE, "trust", "--json")[1])
    wanted = {
        "schema",
        "study",
        "question",
        "claim",
        "planned",
        "by",
        "effect",
        "crude",
        "model",
        "robustness",
        "verdict",
    }
    assert wanted | {"data", "provenance"} <= set(result)
    assert "notebook" not in result["provenance"]
    assert result["effect"]["low"] < result["effect"]["estimate"] < result["effect"]["high"]


def test_effect_for_one_group(call):
    north = json.loads(call("effect", CENTRE, "trust", "--by", "channel=phone", "--json")[1])
    assert north["by"] == "channel=phone"
    assert 0 < north["effect"]["n"] < 20_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("effect", "nowhere", "x"), "There is no study file nowhere"),
        (("effect", CENTRE, "retentoin"), r"no question 'retentoin' \(did you mean 'retention'"),
        (("effect", CENTRE, "trust", "--by", "channel=fax"), "channel is never 'fax'"),
        (("effect", CENTRE, "trust", "--by", "channel"), "write column=value"),
        (("effect", CENTRE, "trust", "--disclosure", "nhz"), "no disclosure profile 'nhz'"),
        (("check", "nowhere"), "There is no study file nowhere"),
        (("simulate", "moon", "--out", "x"), "no world 'moon'"),
    ],
)
def test_what_is_expected_to_go_wrong_is_one_message(call, words, said):
    status, output = call(*words)
    assert status == 1
    assert re.search(said, output)
    assert "Traceback" not in output


def test_check_says_ok_or_every_problem(call, clinic):
    status, said = call("check", clinic)
    assert (status, said.splitlines()[-1]) == (0, "OK, 1 question: A clinic")
    text = (clinic / "visits.csv").read_text()
    (clinic / "visits.csv").write_text(text + "x,2,North\n3,inf,South\n")
    status, said = call("check", clinic)
    assert status == 1
    assert "has 2 problems" in said
    assert re.search(r"compassion: 1 entry is no number .* in row 38 \('x'\)", said)
    assert "trust: 1 value is infinite, in row 39" in said


def test_simulate_writes_a_world_that_check_accepts(call, tmp_path):
    status, said = call("simulate", "hospital", "--rows", "300", "--out", tmp_path / "small")
    assert status == 0
    assert {Path(line).name for line in said.split()} >= {"study.yml", "truth.yml", "stays.csv", "staff.csv"}
    assert call("check", tmp_path / "small")[0] == 0


def test_claims_names_all_48_with_article_and_answer(call, tmp_path, monkeypatch):
    status, said = call("claims")
    assert status == 0
    assert len(re.findall(r"^[A-Z]{3}-\d  ", said, re.M)) == 48
    assert "contact_centre/retention" in said
    assert "by no study here" not in said  # each is asked of a simulated study
    only = call("claims", "data/hospital")[1]
    assert "REC-2" in only
    assert "LOY-1" not in only
    monkeypatch.chdir(tmp_path)
    said = call("claims")[1]
    assert said.count("by no study here") == said.count("would need: ") == 48


def test_claims_of_a_study_tell_what_it_faces_and_what_came_of_it(call, tmp_path):
    folder = tmp_path / "hospital" / "length_of_stay"
    folder.mkdir(parents=True)
    told = {"verdict": {"word": "supported", "sentence": "It was so."}}
    (folder / "result.json").write_text(json.dumps(told), encoding="utf-8")
    status, said = call("claims", "data/hospital", "--out", tmp_path)
    assert status == 0
    part = said[said.index("asked: hospital/length_of_stay") :]
    assert part.index("supported: It was so.") < part.index("faced: mild illness")
    assert "(drawn by lot)" in part
    assert "open: the burnt-out have left; it takes an outcome from records" in said
    assert said.count("no report yet") == 8
    (folder / "result.json").write_text("{", encoding="utf-8")
    assert call("claims", "data/hospital", "--out", tmp_path)[1].count("no report yet") == 9


def test_data_list_tells_licence_citation_and_page(call):
    status, said = call("data", "list")
    assert status == 0
    for name in ("carrard_2022", "cms_hospitals", "nhs_staff", "claus_2020", "cfpb_complaints", "army_units"):
        assert name in said
    assert said.count("https://") >= 6
    assert len(re.findall(r"sha256:[0-9a-f]{64}", said)) >= 5


def test_data_get_names_what_it_does_not_know(call):
    assert call("data", "get")[0] == 2
    status, said = call("data", "get", "nothing_of_that_name")
    assert status == 1
    assert "nothing_of_that_name" in said


def test_run_makes_pages_an_index_and_a_record(call, clinic, tmp_path):
    out = tmp_path / "reports"
    status, said = call("run", clinic, "--out", out, "--jobs", "1")
    assert status == 0, said
    assert "ok       clinic/trust" in said
    assert f"Index: {out / 'index.html'}" in said
    assert "Is there more trust?" in (out / "index.html").read_text(encoding="utf-8")
    assert json.loads((out / "run.json").read_text())["reports"][0]["status"] == "ok"


def test_a_group_too_small_is_no_good_report_and_the_others_are_made(call, clinic, tmp_path, here):
    out = tmp_path / "reports"
    status, said = call("run", clinic, "--by", "ward", "--out", out, "--jobs", "1")
    assert status == 1
    assert "ok       clinic/trust/ward=East" in said
    assert (out / "clinic" / "trust" / "ward=East" / "result.json").exists()
    pages = []
    for ward in ("South", "North"):  # that of North would tell how many are in South: all less East less North
        assert f"too few  clinic/trust/ward={ward}" in said
        pages.append((out / "clinic" / "trust" / f"ward={ward}" / "report.html").read_text(encoding="utf-8"))
        assert "Too few people for the disclosure profile" in pages[-1]
    assert pages[0].replace("South", "North") == pages[1]  # which of the two is small is not told


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--question", "trsut"), "no question 'trsut'"),
        (("--by", "wrad"), "'wrad' is no column that the study uses or declares (did you mean 'ward'?)"),
    ],
)
def test_a_run_that_cannot_start_exits_with_2(call, clinic, tmp_path, words, said):
    status, output = call("run", clinic, *words, "--out", tmp_path / "reports")
    assert status == 2
    assert said in output


def test_a_misspelt_parameter_stops_the_run_before_any_page_is_replaced(call, clinic, tmp_path):
    old = tmp_path / "reports" / "clinic" / "trust" / "report.html"
    old.parent.mkdir(parents=True)
    old.write_text("a good page")
    status, said = call("run", clinic, "--set", "quesiton", "x", "--out", tmp_path / "reports", "--jobs", "1")
    assert status == 2
    assert "unknown parameter 'quesiton'; did you mean 'question'?" in said
    assert old.read_text() == "a good page"


def test_a_report_that_cannot_begin_replaces_the_page_that_looks_current(clinic, tmp_path):
    old = tmp_path / "reports" / "clinic" / "trust" / "report.html"
    old.parent.mkdir(parents=True)
    old.write_text("a page of last month")
    job = Job(clinic / "study.yml", "trust")
    (clinic / "study.yml").write_text("title: broken since")
    (report,) = run([job], tmp_path / "reports", 1)
    assert report.status == "stopped"
    assert "`seed` is missing" in old.read_text(encoding="utf-8")


def test_an_empty_column_makes_no_reports_by(call, clinic, tmp_path):
    text = (clinic / "visits.csv").read_text()
    (clinic / "visits.csv").write_text(re.sub(",(North|South|East)", ",", text))
    status, said = call("run", clinic, "--by", "ward", "--out", tmp_path / "reports")
    assert status == 2
    assert "ward is empty in every row" in said


def test_one_study_that_fails_does_not_stop_the_others(clinic, tmp_path, here):
    jobs = [Job(clinic / "study.yml", "trust"), Job(tmp_path / "gone" / "study.yml", "trust")]
    statuses = {report.study: report.status for report in run(jobs, tmp_path / "reports", 1)}
    assert statuses == {"clinic": "ok", "gone": "stopped"}


def test_the_plan_is_one_job_a_question_and_value(clinic):
    from researchkit.study import load_study

    study = load_study(clinic)
    assert [job.by for job in plan([study], by="ward")] == ["ward=East", "ward=North", "ward=South"]
    assert [job.question for job in plan([study])] == ["trust"]


@pytest.mark.parametrize(
    ("text", "value"), [("3", 3), ("0.5", 0.5), ("North", "North"), ("__import__('os')", "__import__('os')")]
)
def test_a_setting_is_a_literal_or_text_and_never_run(text, value):
    assert literal(text) == value


def test_the_command_starts_and_helps_without_anything_heavy():
    heavy = "pandas numpy scipy matplotlib statsmodels papermill nbformat jupyter_client zmq pydantic".split()
    code = (
        "import sys\nfrom researchkit.cli import main\nsys.argv = ['researchkit', '--help']\n"
        "try:\n    main()\nfinally:\n    print('loaded:', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True)
    loaded = said.stdout.rpartition("loaded:")[2].split()
    assert "Example: researchkit run" in said.stdout and "click" in loaded
    assert [name for name in heavy if name in loaded] == []


def test_a_profile_that_is_none_stops_before_any_page_is_replaced(call, clinic, tmp_path):
    status, said = call("run", clinic, "--disclosure", "nsh", "--out", tmp_path / "out")
    assert status == 2 and "'nsh' is not one of 'none', 'cms'" in said
    assert not (tmp_path / "out").exists()


def test_a_later_run_of_another_report_keeps_the_word_on_the_one_that_stopped(clinic, tmp_path):
    from researchkit.batch import record
    from researchkit.report import write_failure

    out = tmp_path / "reports"
    record([write_failure(out, "clinic", "calm", None, "too bad")], out)
    record([write_failure(out, "clinic", "trust", None, "worse")], out)
    told = {entry["question"]: entry["reason"] for entry in json.loads((out / "run.json").read_text())["reports"]}
    assert told == {"calm": "too bad", "trust": "worse"}
    (out / "run.json").write_text("{")
    record([write_failure(out, "clinic", "trust", None, "better")], out)
    assert [entry["reason"] for entry in json.loads((out / "run.json").read_text())["reports"]] == ["better"]


def test_scores_are_told_and_written_without_anything_else_of_a_person(root, tmp_path):
    out = tmp_path / "scores.csv"
    found = CliRunner().invoke(main, ["score", str(root / "data" / "hospital"), "--out", str(out)])
    assert found.exit_code == 0, found.output
    assert "exhaustion: " in found.output and "rows scored from all 6 items" in found.output
    assert "Alpha" in found.output and "Floor and ceiling" in found.output
    table = pd.read_csv(out)
    assert list(table.columns) == ["table", "row", "exhaustion"] and len(table) > 1000
    answer = rk.load_dataset(rk.load_study(root / "data" / "hospital"), "staff").arrived
    assert table["exhaustion"].tolist() == pytest.approx(answer["exhaustion"].tolist(), nan_ok=True)


def test_what_customers_answered_is_told_by_form_with_the_response_rate(root):
    found = CliRunner().invoke(main, ["score", str(root / "data" / "contact_centre")])
    assert found.exit_code == 0, found.output
    assert "Response rate" in found.output and "share of 5 of answers from 1 to 5" in found.output
    assert "9 and 10 less 0 to 6" in found.output


def test_a_study_without_scales_says_so(root, tmp_path):
    text = (root / "data" / "contact_centre" / "study.yml").read_text(encoding="utf-8")
    (tmp_path / "study.yml").write_text(re.sub(r"(?ms)^feedback:.*?^(?=\w)", "", text), encoding="utf-8")
    found = CliRunner().invoke(main, ["score", str(tmp_path)])
    assert found.exit_code == 1 and "has no `scales:`" in found.output


def test_a_scale_that_nobody_asks_of_is_passed_over_where_there_are_several_tables(root, tmp_path):
    text = (root / "data" / "hospital" / "study.yml").read_text(encoding="utf-8")
    told = yaml.safe_load(text)
    told["questions"] = [one for one in told["questions"] if one["id"] == "leaving"]
    for name in ("staff.csv", "stays.csv"):
        (tmp_path / name).write_bytes((root / "data" / "hospital" / name).read_bytes())
    (tmp_path / "study.yml").write_text(yaml.safe_dump(told), encoding="utf-8")
    found = CliRunner().invoke(main, ["score", str(tmp_path)])
    assert found.exit_code == 0 and "exhaustion" not in found.output, found.output


def test_every_instrument_is_listed_with_its_licence_and_doubts():
    found = CliRunner().invoke(main, ["instruments"]).output
    for id in scales.instruments():
        spec = scales.read_instrument(id)
        assert f"{id}: {spec['title']}" in found and spec["licence"] in found and spec["citation"] in found
        assert all(words in found for words in spec.get("unverified", {}).values())
