"""A study file is read as written, and everything wrong with it is said at once."""

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from researchkit.errors import ResearchkitError, StudyError
from researchkit.schema import FILE, json_schema
from researchkit.study import load_study

GOOD = """\
title: A clinic
seed: 1
files: visits.csv
design: observational
people: patient_id
clusters: nurse_id
columns:
  channel: {codes: {no: Norway, 027: Clinic 27, on: Online}, missing: [-9, 2025-01-01]}
questions:
  - id: calm
    title: Are patients calmer?
    claim: REC-2
    exposure: compassion
    outcome: {column: anxiety, kind: score, good: low}
    adjust: severity
    smallest_effect: 1e-1
"""


@pytest.fixture
def write(tmp_path):
    def written(text: str, name: str = "study.yml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return written


def refusal(path) -> str:
    with pytest.raises(StudyError) as told:
        load_study(path)
    return str(told.value)


def test_short_forms_are_one_table(write):
    study = load_study(write(GOOD).parent)
    table = study.tables["data"]
    assert (table.files[0].path, table.people, table.clusters) == ("visits.csv", "patient_id", ("nurse_id",))
    question = study.question("calm")
    assert (question.exposure.column, question.adjust, question.smallest_effect) == ("compassion", ("severity",), 0.1)
    assert (study.family_of(question), study.design_of(question)) == ("recovery", "observational")
    assert question.columns == ("anxiety", "compassion", "severity")


def test_yaml_surprises_stay_text(write):
    channel = load_study(write(GOOD)).columns["channel"]
    assert channel.codes == {"no": "Norway", "027": "Clinic 27", "on": "Online"}
    assert channel.missing == ("-9", "2025-01-01")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("seed: 029", r"line 2: `seed` is '029'.* leading zero makes it an id; write 29"),
        ("seed: no", r"line 2: `seed` is 'no'.* is a word"),
        ("seed: 2025-11-01", r"line 2: `seed` is '2025-11-01'.* reads as a date"),
        ("seed: 1\nsed: 2", r"line 3: `sed` is not known here \(did you mean 'seed'\?\)"),
        ("seed: 1\ndisclosure: cns", r"line 3: `disclosure` is 'cns'.*; it may be 'none', 'cms'"),
        ("seed: 1\ndisclosure: cms-2023", r"line 3: `disclosure` is 'cms-2023' \(did you mean 'cms-2024'\?\)"),
        ("seed: 1\ncausse: [a -> b]", r"did you mean 'causes'"),
        ("seed: 1\ncauses: [severity]", r"line 3: 'severity' is no arrow"),
    ],
)
def test_a_slip_is_named_with_its_line(write, wrong, said):
    path = write(GOOD.replace("seed: 1", wrong, 1))
    with pytest.raises(StudyError, match=said):
        load_study(path)


def test_all_problems_come_at_once_and_in_order(write):
    text = (
        GOOD.replace("title: A clinic", "titel: A clinic")
        .replace("REC-2", "REC-22")
        .replace("kind: score", "kind: scor")
    )
    lines = refusal(write(text)).splitlines()
    assert lines[0].endswith("has 3 problems:")
    assert "`title` is missing" in lines[1]
    assert "did you mean 'title'" in lines[2]
    assert "`kind` of `outcome`" in lines[3]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("claim: REC-2", "claim: REC-22", "There is no claim 'REC-22'; did you mean REC-2"),
        ("claim: REC-2", "claim: MEC-1", "has no family of its own"),
        ("adjust: severity", "adjust: [severity, severity]", "'severity' is adjusted for twice"),
        ("adjust: severity", "clusters: [ward, ward]", "'ward' stands under `clusters` twice"),
        ("clusters: nurse_id", "clusters: [nurse_id, nurse_id]", "'nurse_id' stands under `clusters` twice"),
        ("adjust: severity", "adjust: [compassion]", "asked about and cannot be adjusted for"),
        ("exposure: compassion", "exposure: anxiety", "both exposure and outcome"),
        ("kind: score", "kind: duration", "of kind duration needs event and horizon"),
        ("kind: score", "kind: change", "of kind change needs baseline"),
        ("kind: score", "kind: ordered", "needs `top`"),
        ("smallest_effect: 1e-1", "smallest_effect: 0", "must be above 0"),
        ("smallest_effect: 1e-1", "smallest_effect: .inf", "not a number here"),
        ("id: calm", "id: ../calm", "small letters"),
        ("files: visits.csv", "files: {url: 'https://example.org/a.csv'}", "needs the `sha256`"),
        ("files: visits.csv", "files: []", "is empty; at least 1 is wanted"),
    ],
)
def test_what_cannot_be_meant_is_refused(write, old, new, said):
    assert said in refusal(write(GOOD.replace(old, new)))


@pytest.mark.parametrize("name", ["é" * 128, "a/" * 1_000 + "visits.csv"])
@pytest.mark.parametrize("entry", ["{path: NAME}", "{path: visits.csv, dictionary: NAME}"])
def test_a_name_that_no_file_can_have_is_refused(write, name, entry):
    """Asked whether it is there, the system would answer with an error of its own."""
    said = refusal(write(GOOD.replace("visits.csv", entry.replace("NAME", name))))
    assert "line 3" in said and "no file can have so long a name" in said


def test_two_questions_of_one_id(write):
    text = GOOD + GOOD[GOOD.index("  - id") :]
    assert "the id 'calm' is that of the question in line 10 too" in refusal(write(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "starts with `title:`"),
        ("[1, 2]", "starts with `title:`"),
        ("title: x\ntitle: y", "line 2: 'title' stands twice; the first is in line 1"),
        ("title: !!python/object/apply:os.system [ls]", "the tag"),
        ("a: &x [1]\nb: *x", "anchor or alias"),
        ("title: [", "is not YAML"),
        ("? [a, b]\n: 1", "line 1: a key is one word or text"),
        ("title: x", "`files` is missing"),
        ("questions: []", "`questions` is empty; at least 1 is wanted"),
        ("scales: {calm: {items: [a]}}", "`items` of `calm` of `scales` has only 1; at least 2 are wanted"),
        ("[" * 3000 + "]" * 3000, "nested too deep"),
    ],
)
def test_a_text_that_is_no_study(write, text, said):
    assert said in refusal(write(text))


def test_no_file_and_not_utf8(tmp_path):
    assert "no study file" in refusal(tmp_path / "nowhere")
    (tmp_path / "study.yml").write_bytes("title: Café".encode("latin-1"))
    assert "line 1: this is not UTF-8" in refusal(tmp_path)


def test_an_unknown_question_names_the_nearest(write):
    with pytest.raises(StudyError, match=r"no question 'clam' \(did you mean 'calm'\?\)"):
        load_study(write(GOOD)).question("clam")


def test_the_schema_is_that_of_the_models():
    assert json.loads(FILE.read_text(encoding="utf-8")) == json.loads(json.dumps(json_schema())), (
        "run `python -m researchkit.schema`"
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=200))
def test_any_text_is_a_study_or_a_study_error(tmp_path, text):
    path = tmp_path / "study.yml"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(ResearchkitError):
        load_study(path)


def test_a_study_in_the_folder_where_one_stands_has_the_folders_name(write, monkeypatch):
    """Its reports would else lie among the studies, in no folder of their own."""
    path = write(GOOD)
    monkeypatch.chdir(path.parent)
    assert load_study(".").name == load_study("study.yml").name == path.parent.name != ""


@pytest.mark.parametrize(("kind", "good"), [("kind: yes_no", False), ("kind: score", True)])
def test_a_share_cannot_differ_by_more_than_one(tmp_path, kind, good):
    text = (
        "title: T\nseed: 1\nfiles: a.csv\ndesign: observational\nquestions:\n"
        f"  - {{id: q, title: Q, claim: LOY-1, exposure: x, outcome: {{column: y, {kind}}}, smallest_effect: 5}}\n"
    )
    (tmp_path / "study.yml").write_text(text, encoding="utf-8")
    if good:
        assert load_study(tmp_path).question("q").smallest_effect == 5
    else:
        with pytest.raises(StudyError, match=r"5 percentage points is 0\.05"):
            load_study(tmp_path)


def test_a_claim_is_one_of_the_list_where_the_family_is_given_too(tmp_path):
    text = (
        "title: T\nseed: 1\nfiles: a.csv\ndesign: observational\nquestions:\n"
        "  - {id: q, title: Q, claim: LOY-99, family: loyalty, exposure: x, outcome: {column: y, kind: score}, smallest_effect: 1}\n"
    )
    (tmp_path / "study.yml").write_text(text, encoding="utf-8")
    with pytest.raises(StudyError, match="no claim 'LOY-99'"):
        load_study(tmp_path)


def test_a_study_that_has_changed_is_read_anew(write):
    path = write(GOOD)
    before = load_study(path)
    write(GOOD.replace("A clinic", "A ward"))
    assert (before.title, load_study(path).title) == ("A clinic", "A ward")
    assert load_study(path).sha256 != before.sha256
    assert load_study(write(GOOD, "other.yml")).path.name == "other.yml"


def test_a_study_named_from_the_wrong_place_is_found_or_the_place_is_said(tmp_path, monkeypatch):
    study = tmp_path / "data" / "mine" / "study.yml"
    study.parent.mkdir(parents=True)
    (tmp_path / "notes").mkdir()
    study.write_text("title: x", encoding="utf-8")
    for place, name, said in (
        (".", "mine", "study file mine (did you mean 'data/mine'?)"),
        ("notes", "mine", "(did you mean '../data/mine'?)"),
        ("notes", "nix", "study file nix in 'notes', where this was started"),
    ):
        monkeypatch.chdir(tmp_path / place)
        with pytest.raises(StudyError, match=re.escape(said)):
            load_study(name)
