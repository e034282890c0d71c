"""The published results: complete, traceable, and the doubtful ones out by default."""

import csv
import subprocess
import sys
import zipfile

import pandas as pd
import pytest

from researchkit import evidence
from researchkit.claims import claims
from researchkit.errors import SourceError, StudyError
from researchkit.evidence import published


@pytest.fixture(scope="module")
def rows(root):
    with (root / "data/published_evidence/evidence.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_all_92_results_are_there_and_89_of_them_verified(rows):
    assert len(rows) == len(published(verified_only=False)) == 92
    assert sum(row["verified"] == "yes" for row in rows) == len(published()) == 89


def test_ids_are_unique_and_every_claim_is_known():
    frame = published(verified_only=False)
    assert frame["id"].is_unique
    known = {one.id for one in claims()}
    assert {id for ids in frame["claim_ids"] for id in ids} <= known


def test_every_result_names_its_source():
    frame = published()
    assert frame["source_of_numbers"].str.contains("http").all()
    assert frame["citation_short"].ne("").all()


def test_the_unverified_are_flagged_and_kept_out():
    doubtful = published(verified_only=False).query("not verified")
    assert list(doubtful["id"]) == ["E86", "E91", "E92"]
    assert not set(doubtful["id"]) & set(published()["id"])


def test_the_retracted_review_is_marked_and_carries_nothing_to_pool():
    retracted = published().query("retracted")
    assert list(retracted["id"]) == ["E62"]
    assert retracted["yi"].isna().all()


def test_numbers_are_as_printed(rows):
    frame = published(verified_only=False).set_index("id")
    for row in rows:
        for column in ("effect", "ci_low", "ci_high", "yi", "sei", "n"):
            value = frame.loc[row["id"], column]
            assert pd.isna(value) if row[column] == "" else float(value) == float(row[column])


def test_an_interval_holds_its_estimate():
    frame = published().dropna(subset=["effect", "ci_low", "ci_high"])
    assert len(frame) > 30
    assert ((frame["ci_low"] <= frame["effect"]) & (frame["effect"] <= frame["ci_high"])).all()


def test_one_claim_gives_its_own_results_and_an_untested_one_none():
    contagion = published("CUL-1")
    assert list(contagion["id"]) == ["E74"]
    assert published("LOY-5").empty and list(published("LOY-5").columns) == list(contagion.columns)


def test_an_unknown_claim_is_refused():
    with pytest.raises(StudyError, match="did you mean REC-1"):
        published("REC_1")


def test_a_missing_file_is_said_not_guessed(monkeypatch, tmp_path):
    monkeypatch.setattr(evidence, "__file__", str(tmp_path / "a/b/c/evidence.py"))
    monkeypatch.setattr(evidence.resources, "files", lambda package: tmp_path)
    evidence.whole_file.cache_clear()
    with pytest.raises(SourceError, match="Reinstall"):
        published()


def test_the_wheel_carries_claims_and_evidence(root, tmp_path):
    pytest.importorskip("hatchling", reason="hatchling builds the wheel (extra `dev`)")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {"researchkit/evidence.csv", "researchkit/claims.yml", "researchkit/py.typed"} <= names
    assert not [name for name in names if name.startswith(("tests/", "notebooks/", "reports/"))]
