"""Burnout on the page: means first, every cut-off side by side, five profiles, no share by itself."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from researchkit import soundness
from researchkit.answer import answer_question
from researchkit.dataset import load_dataset
from researchkit.scales import read_instrument
from researchkit.story import Prose
from researchkit.study import load_study

PARTS = {name: part["items"] for name, part in read_instrument("mbi_hss")["forms"]["standard"].items()}


def answers(people: int = 200, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    columns = {"ward": [f"w{k % 10}" for k in range(people)]}
    for name, numbers in PARTS.items():
        level = rng.normal(4 if name == "accomplishment" else 2.5, 1, people)
        for number in numbers:
            columns[f"m{number}"] = np.clip(np.rint(level + rng.normal(0, 1, people)), 0, 6).astype(int)
    return pd.DataFrame(columns)


def study_in(folder, frame, parts=PARTS, **more):
    frame.to_csv(folder / "a.csv", index=False)
    scales = {
        f"my_{part}": {"instrument": f"mbi_hss/{part}", "items": [f"m{number}" for number in PARTS[part]]}
        for part in parts
    }
    question = {"id": "q", "title": "?", "claim": "BUR-1", "exposure": "m1", "smallest_effect": 1}
    question["outcome"] = {"column": "my_exhaustion", "kind": "score", "good": "low"}
    study = {"title": "t", "seed": 1, "design": "observational", "files": "a.csv", "scales": scales}
    (folder / "study.yml").write_text(json.dumps(study | {"questions": [question]} | more), encoding="utf-8")
    return load_dataset(load_study(folder))


def scores(frame: pd.DataFrame) -> dict[str, pd.Series]:
    return {part: frame[[f"m{number}" for number in numbers]].sum(axis=1) for part, numbers in PARTS.items()}


def test_means_come_with_intervals_that_know_of_clusters(tmp_path):
    frame = answers()
    plain = soundness.means(study_in(tmp_path, frame)).rows[0]
    assert plain[0] == "my exhaustion" and float(plain[1]) == pytest.approx(
        scores(frame)["exhaustion"].mean(), abs=0.06
    )
    assert plain[4] == "0 to 54"
    frame.loc[frame["ward"] < "w5", [f"m{number}" for number in PARTS["exhaustion"]]] //= 2
    alone, together = (
        soundness.means(study_in(tmp_path, frame, **more)).rows[0][2] for more in ({}, {"clusters": "ward"})
    )

    def width(text: str) -> float:
        low, high = map(float, text.split(" to "))
        return high - low

    assert width(together) > 1.5 * width(alone)


def test_every_published_line_stands_beside_the_others_with_its_warning(tmp_path):
    frame = answers()
    table = soundness.cutoffs(study_in(tmp_path, frame))
    made = scores(frame)
    expected = [("exhaustion", 27), ("depersonalisation", 10), ("depersonalisation", 14)]
    assert [row[1] for row in table.rows] == [f"high: {at} or more" for _, at in expected]
    assert [row[2] for row in table.rows] == [f"{100 * np.mean(made[part] >= at):.1f} %" for part, at in expected]
    assert all(row[4] and row[5] for row in table.rows), "each line has a source and a warning"


def test_a_share_of_a_few_people_is_not_shown(tmp_path):
    frame = answers(30)
    frame[[f"m{number}" for number in PARTS["exhaustion"]]] = 0
    frame.loc[:2, [f"m{number}" for number in PARTS["exhaustion"]]] = 6
    dataset = study_in(tmp_path, frame, disclosure="five")
    assert soundness.cutoffs(dataset).rows[0][2:4] == ("not shown", "")
    shown = [row[2] for row in soundness.profiles(dataset).rows]
    assert "not shown" in shown and sum(one == "not shown" for one in shown) > 1, "one hidden share could be worked out"


def test_the_profiles_by_hand(tmp_path):
    """Each person answers the items of a scale alike, low or high, so that only high ones are over a line."""
    levels = {  # exhaustion, depersonalisation, accomplishment, each item answered alike
        "engaged": (1, 1, 5), "ineffective": (1, 1, 2), "overextended": (5, 1, 5),
        "disengaged": (1, 6, 5), "burnout": (5, 6, 2), "between profiles": (5, 1, 2),
    }  # fmt: skip
    frame = pd.DataFrame([
        {f"m{number}": level for part, level in zip(PARTS, row, strict=True) for number in PARTS[part]}
        for row in levels.values() for _ in range(20)
    ]).assign(ward="w")  # fmt: skip
    frame = pd.concat(
        [frame, frame[frame["m5"] == 1]] * 2, ignore_index=True
    )  # few are depersonalised: 1.25 SD is far up
    table = soundness.profiles(study_in(tmp_path, frame))
    told = {row[0]: row[2] for row in table.rows}
    n = len(frame)
    assert told == {
        name: f"{100 * (40 if name in ('disengaged', 'burnout') else 80) / n:.1f} %" for name in levels
    }  # fmt: skip
    assert "Leiter MP, Maslach C (2016)" in table.note and "Not verified" in table.note


def test_the_lines_are_those_of_the_key(tmp_path):
    made = scores(answers())
    over = {part: (made[part] - made[part].mean()) / made[part].std() for part in PARTS}
    engaged = (over["exhaustion"] < 0.5) & (over["depersonalisation"] < 1.25) & (over["accomplishment"] >= 0.1)
    told = {row[0]: row[2] for row in soundness.profiles(study_in(tmp_path, answers())).rows}
    assert told["engaged"] == f"{100 * engaged.mean():.1f} %"


def test_one_hidden_profile_hides_another(tmp_path):
    """3, 20 and 40 people, out of 63: the three could be worked out from the others."""
    levels = [((1, 1, 5), 40), ((1, 1, 2), 20), ((5, 6, 5), 3)]
    frame = pd.DataFrame([
        {f"m{number}": level for part, level in zip(PARTS, row, strict=True) for number in PARTS[part]}
        for row, many in levels for _ in range(many)
    ])  # fmt: skip
    told = {row[0]: row[2] for row in soundness.profiles(study_in(tmp_path, frame, disclosure="cms")).rows}
    assert told["burnout"] == told["ineffective"] == "not shown" and told["engaged"] == "63.5 %"


def test_profiles_need_all_three_scales(tmp_path):
    told = soundness.profiles(study_in(tmp_path, answers(), parts=["exhaustion", "depersonalisation"]))
    assert isinstance(told, Prose) and "all three scales" in str(told)


def test_nobody_answered(tmp_path):
    frame = answers()
    frame[[name for name in frame if name != "ward"]] = np.nan
    dataset = study_in(tmp_path, frame)
    assert soundness.means(dataset).rows[0][1] == "not shown"
    assert {row[2] for row in soundness.cutoffs(dataset).rows} == {"not shown"}
    assert "the same for everybody" in str(soundness.profiles(dataset))


def test_no_headline_says_how_many_are_burned_out(tmp_path):
    dataset = study_in(tmp_path, answers())
    for table in (soundness.means(dataset), soundness.cutoffs(dataset), soundness.profiles(dataset)):
        assert "burned out" not in f"{table.title} {table.note}".lower()


def test_a_few_between_two_lines_are_not_told_by_their_difference(tmp_path):
    """Two of 100 people score 12 in depersonalisation, between the lines at 10 and at 14; the others are far from both."""
    frame = answers(100)
    items = [f"m{number}" for number in PARTS["depersonalisation"]]
    frame[items] = 0
    frame.loc[:39, items] = 6
    frame.loc[98:, items] = [3, 3, 2, 2, 2]
    shares = {row[1]: row[2] for row in soundness.cutoffs(study_in(tmp_path, frame, disclosure="five")).rows[1:]}
    assert "not shown" in shares.values()
    open_ = {row[1]: row[2] for row in soundness.cutoffs(study_in(tmp_path, frame)).rows[1:]}
    assert open_ == {"high: 10 or more": "42.0 %", "high: 14 or more": "40.0 %"}


def test_a_profile_that_rounds_counts_rounds_the_shares(tmp_path):
    """Of 42 in 103: 40 in 105."""
    frame = answers(103)
    items = [f"m{number}" for number in PARTS["depersonalisation"]]
    frame[items] = 0
    frame.loc[:41, items] = 6
    told = soundness.cutoffs(study_in(tmp_path, frame, disclosure="nhs")).rows[1]
    assert told[2] == f"{100 * 40 / 105:.1f} %"


def test_profiles_are_not_told_of_one_group_beside_all(tmp_path):
    study_in(tmp_path, answers(), disclosure="five", columns={"ward": {"label": "Ward"}})
    assert "of one group" in str(soundness.profiles_of(answer_question(tmp_path, "q", by="ward=w1")))
    assert "engaged" in str(soundness.profiles_of(answer_question(tmp_path, "q")))
