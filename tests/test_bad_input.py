"""Every kind of outcome against every kind of bad data, through the whole chain: an answer that holds, or a refusal
that a researcher understands; never a wrong number, never a bare traceback."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from researchkit import tables
from researchkit.answer import answer_question
from researchkit.dataset import load_dataset
from researchkit.errors import ResearchkitError
from researchkit.estimators import estimate
from researchkit.study import load_study

KINDS = {
    "score": "{column: y, kind: score, unit: point}",
    "change": "{column: y, kind: change, baseline: before, unit: point}",
    "yes_no": "{column: y, kind: yes_no}",
    "ordered": "{column: y, kind: ordered, top: [4]}",
    "nps": "{column: y, kind: ordered, nps: true}",
    "counts": "{column: y, kind: counts, time: span}",
    "duration": "{column: y, kind: duration, event: ended, horizon: 8}",
    "competing": "{column: y, kind: duration, event: ended, competing: [2], horizon: 8}",
}
STUDY = """
title: A hospital
seed: 5
design: observational
tables:
  visits: {{files: [visits.csv], clusters: [{clusters}], rows: visits}}
columns:
  y: {{{range}}}
causes: [severity -> kindness, severity -> y]
questions:
  - {{id: q, title: 'Does it go with it?', claim: REC-2, exposure: kindness, outcome: {outcome},
     adjust: [severity, twin], smallest_effect: 0.2, alternatives: [alone]}}
alternatives:
  alone: {{label: Not adjusted, adjust: []}}
"""


def visits(kind: str, n: int = 160) -> pd.DataFrame:
    """Clean data for a kind of outcome: a 0/1 exposure that varies within ten wards."""
    rng = np.random.default_rng(42)
    severity, kindness = rng.normal(size=n), rng.integers(0, 2, n)
    push = 0.8 * kindness - 0.5 * severity + rng.normal(size=n)
    y = {
        "score": push,
        "change": push,
        "yes_no": (push > 0.2).astype(int),
        "ordered": np.digitize(push, [-1, 0, 1]) + 1,
        "nps": np.clip(np.round(6 + 2 * push), 0, 10).astype(int),
        "counts": rng.poisson(np.exp(push / 2)),
    }.get(kind, np.round(rng.exponential(np.exp(push)), 1) + 0.1)
    return pd.DataFrame(
        {
            "y": y,
            "kindness": kindness,
            "severity": severity.round(3),
            "twin": rng.normal(size=n).round(3),
            "ward": [f"w{one}" for one in rng.integers(0, 10, n)],
            "before": rng.normal(size=n).round(3),
            "span": rng.uniform(0.5, 2, n).round(2),
            "ended": rng.integers(0, 3 if kind == "competing" else 2, n),
        }
    )


def separated(frame):
    """The outcome is high wherever there was kindness, and low elsewhere."""
    low, high = frame["y"].min(), frame["y"].max()
    frame["y"] = np.where(frame["kindness"] == 1, high, low)


def collinear(frame):
    frame["twin"] = 3 * frame["severity"] - 1


def one_treated_ward(frame):
    frame["kindness"] = (frame["ward"] == "w3").astype(int)


def constant_exposure(frame):
    frame["kindness"] = 1


def constant_outcome(frame):
    frame["y"] = frame["y"].iloc[0]


def infinite(frame):
    frame["severity"] = frame["severity"].astype(float)
    frame.loc[3, "severity"] = np.inf


def exposure_adjusted_away(frame):
    frame["twin"] = frame["kindness"]


def one_ward(frame):
    frame["ward"] = "w1"


def a_ward_each(frame):
    frame["ward"] = [f"w{place}" for place in range(len(frame))]


def all_missing(frame):
    frame["y"] = np.nan


def most_missing(frame):
    frame["y"] = frame["y"].astype(float)
    frame.loc[frame.index[6:], "y"] = np.nan


def huge(frame):
    frame["severity"] *= 1e200


def tiny(frame):
    frame["severity"] *= 1e-200


def outside(frame):
    frame["y"] = frame["y"].astype(float)
    frame.loc[7, "y"] = 99


def negative(frame):
    frame["y"] = frame["y"].astype(float)
    frame.loc[7, "y"] = -3


def text_among(frame):
    frame["y"] = frame["y"].astype(object)
    frame.loc[7, "y"] = "<script>alert(1)</script>"


def one_kind_person(frame):
    frame["kindness"] = 0
    frame.loc[5, "kindness"] = 1


BAD = [
    separated, collinear, one_treated_ward, constant_exposure, constant_outcome, infinite, exposure_adjusted_away,
    one_ward, a_ward_each, all_missing, most_missing, huge, tiny, outside, negative, text_among, one_kind_person,
]  # fmt: skip
MUST_REFUSE = {
    constant_exposure,
    constant_outcome,
    infinite,
    exposure_adjusted_away,
    one_ward,
    all_missing,
    text_among,
    huge,
}


def write(folder, frame, kind, *, clusters="ward"):
    frame.to_csv(folder / "visits.csv", index=False)
    limits = "range: [-50, 50]" if kind in ("score", "change") else ""
    study = STUDY.format(outcome=KINDS[kind], clusters=clusters, range=limits or "note: as recorded")
    (folder / "study.yml").write_text(study, encoding="utf-8")
    return folder


def holds(answer) -> None:
    """What every answer must be, whatever the data were."""
    effect = answer.effect
    assert math.isfinite(effect.estimate) and effect.se > 0
    assert effect.low < effect.estimate < effect.high
    assert json.loads(answer.to_json())["effect"]["estimate"] == effect.estimate
    for row in tables.checks(answer).rows:
        assert row[1] and "nan" not in row[1].lower().split()


@pytest.mark.parametrize("kind", KINDS)
def test_clean_data_get_an_answer(tmp_path, kind):
    holds(answer_question(write(tmp_path, visits(kind), kind), "q"))


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_bad_data_get_an_answer_or_a_reason(tmp_path, kind, bad):
    frame = visits(kind)
    bad(frame)
    study = load_study(write(tmp_path, frame, kind))  # the study file is good: what follows is about the data
    try:
        answer = answer_question(study, "q")
    except ResearchkitError as error:
        assert len(str(error)) > 40 and "Traceback" not in str(error)
        assert "<class" not in str(error) and "nan" not in str(error).split()
        return
    assert bad not in MUST_REFUSE, f"answered: {answer!r}"
    holds(answer)


@pytest.mark.parametrize("kind", KINDS)
def test_five_rows(tmp_path, kind):
    with pytest.raises(ResearchkitError) as error:
        answer_question(write(tmp_path, visits(kind).head(5), kind, clusters=""), "q")
    assert "5" in str(error.value) or "events" in str(error.value) or "outcome" in str(error.value)


@pytest.mark.parametrize("kind", ["yes_no", "ordered", "nps", "counts", "duration", "competing"])
def test_separation_is_named(tmp_path, kind):
    frame = visits(kind)
    if kind in ("counts", "duration", "competing"):
        frame.loc[frame["kindness"] == 1, "y" if kind == "counts" else "ended"] = 0
    else:
        separated(frame)
    with pytest.raises(ResearchkitError, match="kindness"):
        answer_question(write(tmp_path, frame, kind), "q")


def effect_of(folder):
    study = load_study(folder)
    return estimate(load_dataset(study), study.question("q"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_repeats_another_column_changes_nothing(tmp_path, kind):
    frame = visits(kind)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    frame["twin"] = frame["severity"]
    doubled = effect_of(write(tmp_path / "one", frame, kind))
    collinear(frame)
    scaled = effect_of(write(tmp_path / "two", frame, kind))
    assert scaled.estimate == pytest.approx(doubled.estimate, rel=1e-6)
    assert scaled.se == pytest.approx(doubled.se, rel=1e-6)
    assert any("left out because the other covariates determine them: twin" in note for note in doubled.notes)


def test_one_treated_ward_is_refused(tmp_path):
    frame = visits("score")
    one_treated_ward(frame)
    with pytest.raises(ResearchkitError, match=r"one single ward and nobody else is in\s+it"):
        answer_question(write(tmp_path, frame, "score"), "q")
