"""What a page tells of a score's worth: raters, teams, one factor, groups; and what it keeps to itself."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from researchkit import scales, soundness
from researchkit.batch.key import Keys
from researchkit.dataset import load_dataset
from researchkit.errors import DataError, StudyError
from researchkit.measures import Raters
from researchkit.parts import Outcome
from researchkit.story import Prose
from researchkit.study import load_study

ITEMS = ["i1", "i2", "i3", "i4"]
WIDE = {"heard": {"of": "kind", "columns": ["r1", "r2"], "measure": "ordinal", "weights": "quadratic"}}


def people(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    team = np.arange(n) % 12
    thing = rng.normal(size=n) + rng.normal(size=12)[team]
    frame = pd.DataFrame({"id": [f"p{k}" for k in range(n)], "team": [f"t {k} 😀" for k in team]})
    answers = np.clip(np.rint(3 + thing[:, None] + rng.normal(size=(n, 4))), 1, 5)
    frame[ITEMS] = answers.astype(int)
    frame["wave"] = np.where(np.arange(n) < n // 2, "spring", "autumn")
    frame["kind"] = np.clip(np.rint(3 + rng.normal(size=n)), 1, 5)
    frame["r1"] = frame["kind"].where(frame.index < 40)
    frame["r2"] = np.clip(frame["kind"] + rng.integers(-1, 2, n), 1, 5).where(frame.index < 40)
    return frame


def study_in(folder, frame=None, **more):
    (people() if frame is None else frame).to_csv(folder / "a.csv", index=False)
    study = {"title": "t", "seed": 1, "design": "observational", "files": "a.csv", "people": "id", "clusters": "team"}
    study |= {"scales": {"score": {"items": ITEMS, "range": [1, 5], "across": "wave"}}, "raters": WIDE}
    study["questions"] = [{"id": "q", "title": "?", "claim": "BUR-1", "exposure": "kind", "smallest_effect": 1,
                           "outcome": {"column": "score", "kind": "score"}}]  # fmt: skip
    (folder / "study.yml").write_text(json.dumps(study | more), encoding="utf-8")
    return load_study(folder)


def loaded(*args, **more):
    return load_dataset(study_in(*args, **more))


def cells(table, header: str) -> list:
    return table.data[header].tolist()


def test_two_raters_in_two_columns(tmp_path):
    data = people().iloc[:40]
    table = soundness.raters(loaded(tmp_path))
    assert cells(table, "Measure") == ["alpha, ordinal", "quadratic weighted kappa"]
    expected = scales.kappa(data["r1"], data["r2"], "quadratic")
    assert cells(table, "Agreement")[1] == expected.value and cells(table, "Rated more than once") == [40, 40]
    assert 0.3 < expected.value < 1


def test_ratings_in_rows_of_a_table_of_their_own(tmp_path):
    rng = np.random.default_rng(3)
    truth = rng.normal(size=30)
    wide = pd.DataFrame(truth[:, None] + rng.normal(0, 0.7, (30, 3)), columns=["ann", "bob", "cy"]).assign(
        call=[f"c{k}" for k in range(30)]
    )
    long = wide.melt("call", var_name="who", value_name="points")
    long.to_csv(tmp_path / "coding.csv", index=False)
    spec = {"heard": {"of": "kind", "table": "coding", "unit": "call", "rater": "who", "rating": "points"}}
    tables = {"people": {"files": "a.csv", "people": "id"}, "coding": {"files": "coding.csv"}}
    study_in(tmp_path)
    told = json.loads((tmp_path / "study.yml").read_text())
    told = {key: value for key, value in told.items() if key not in ("files", "people", "clusters")}
    (tmp_path / "study.yml").write_text(json.dumps(told | {"tables": tables, "raters": spec}))
    study = load_study(tmp_path)
    found = soundness.raters(load_dataset(study, "coding"))
    expected = scales.icc(wide[["ann", "bob", "cy"]].to_numpy(), "2,1")
    assert cells(found, "Measure") == ["alpha, interval", "ICC(2,1)"] and cells(found, "Agreement")[1] == pytest.approx(
        expected.value
    )
    (sentence,) = soundness.agreement(load_dataset(study, "people"), ("kind",))
    assert "ICC(2,1)" in sentence and "30 units" in sentence
    long.iloc[:-15].to_csv(tmp_path / "coding.csv", index=False)  # cy left the second half out
    gaps = soundness.raters(load_dataset(study, "coding"))
    assert cells(gaps, "Measure")[1] == "ICC(1,1)" and cells(gaps, "Rated more than once") == [30, 30]
    pd.concat([long, long.iloc[:2]]).to_csv(tmp_path / "coding.csv", index=False)
    with pytest.raises(DataError, match="2 rows repeat a call and who of another row"):
        soundness.raters(load_dataset(study, "coding"))


def test_words_have_no_order(tmp_path):
    frame = people()
    words = np.array(["cold", "kind", "Ünsure"])
    frame["r1"], frame["r2"] = words[frame.index % 3], words[np.where(frame.index % 7 == 0, 0, frame.index % 3)]
    table = soundness.raters(
        loaded(tmp_path, frame, raters={"heard": {"of": "kind", "columns": ["r1", "r2"], "measure": "nominal"}})
    )
    assert cells(table, "Measure") == ["alpha, nominal", "kappa"]
    assert cells(table, "Agreement")[1] == pytest.approx(scales.kappa(frame["r1"], frame["r2"]).value)


def test_an_answer_tells_how_far_the_raters_of_its_exposure_agree(tmp_path):
    (told,) = soundness.agreement(loaded(tmp_path), ("kind", "score"))
    assert told.startswith("Raters of “kind” agree to 0.") and "40 units rated more than once" in told
    assert soundness.agreement(loaded(tmp_path), ("score",)) == []
    frame = people().assign(r2=np.nan)
    (told,) = soundness.agreement(loaded(tmp_path, frame), ("kind",))
    assert "is not known" in told


def test_few_units_rated_twice_are_not_told(tmp_path):
    frame = people()
    frame.loc[frame.index > 2, "r2"] = np.nan
    table = soundness.raters(loaded(tmp_path, frame, disclosure="five"))
    assert table.rows[0][1:4] == ("not shown", "too few to show", "not known")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"of": "x"}, "ratings are `columns`, one for each rater, or rows with"),
        ({"of": "x", "columns": ["a"]}, "names one rater"),
        ({"of": "x", "columns": ["a", "b"], "unit": "u"}, "ratings are `columns`"),
        ({"of": "x", "unit": "u", "rater": "r"}, "ratings are `columns`"),
        ({"of": "x", "columns": ["a", "b"], "measure": "nominal", "weights": "linear"}, "nominal ones have no order"),
    ],
)
def test_raters_that_are_not_whole_are_refused(spec, said):
    with pytest.raises(ValueError, match=said):
        Raters.model_validate(spec)


def test_raters_of_nothing_are_refused(tmp_path):
    with pytest.raises(StudyError, match=r"no column or scale is called 'kindd' \(did you mean 'kind'"):
        study_in(tmp_path, raters={"heard": {**WIDE["heard"], "of": "kindd"}})


def test_teams_that_share_something_and_teams_made_by_lot(tmp_path):
    frame = people()
    table = soundness.teams(loaded(tmp_path, frame))
    lot = frame.assign(team=np.random.default_rng(1).permutation(frame["team"]))
    none = soundness.teams(loaded(tmp_path, lot))
    assert cells(table, "ICC(1)")[0] > 0.2 and abs(cells(none, "ICC(1)")[0]) < 0.1
    assert cells(table, "ICC(2)")[0] > 0.7 > cells(none, "ICC(2)")[0]
    assert 0.3 < cells(none, "r_wg, middle team")[0] < cells(table, "r_wg, middle team")[0] <= 1


def test_a_person_counts_once_in_a_team(tmp_path):
    frame = people()
    twice = pd.concat([frame, frame], ignore_index=True)
    assert cells(soundness.teams(loaded(tmp_path, twice)), "ICC(1)") == cells(
        soundness.teams(loaded(tmp_path, frame)), "ICC(1)"
    )


def test_points_of_an_instrument_are_its_answers():
    """The wards of the hospital, coded 0 to 100: five answers, not 101."""
    dataset = load_dataset(load_study("data/hospital"), "staff")
    found = cells(soundness.teams(dataset), "r_wg, middle team")[0]
    first = dataset.frame.dropna(subset=["exhaustion"]).drop_duplicates("staff_id")
    items = first[[f"cbi_{k}" for k in range(1, 7)]].dropna()
    codes = pd.factorize(first.loc[items.index, "ward"])[0]
    sizes = np.bincount(codes)
    rows = sizes[codes] >= 5
    assert found == pytest.approx(np.median(scales.within_team(items.to_numpy()[rows] / 25, codes[rows], 5)))


def test_one_factor_and_groups_on_the_page(tmp_path):
    dataset = loaded(tmp_path)
    (row,) = soundness.one_factor(dataset).rows
    fit = scales.one_factor(people()[ITEMS].to_numpy(dtype=float))
    assert row[2] == str(fit.df) == "2" and row[4] == f"{fit.cfi:.3f}" and row[7] == "120"
    table = soundness.groups(dataset)
    assert cells(table, "Across")[0] == "wave (2 groups)" and cells(table, "Holds") == ["", "yes", "yes"]


def test_an_item_that_moved_by_itself_is_seen(tmp_path):
    frame = people(400)
    moved = (frame["wave"] == "autumn") & (frame["i1"] < 4)
    frame.loc[moved, "i1"] += 2
    assert cells(soundness.groups(loaded(tmp_path, frame)), "Holds")[-1] == "no"


def test_small_groups_take_no_part_and_one_alone_tells_nothing(tmp_path):
    frame = people()
    frame["wave"] = np.where(frame.index < 117, "spring", "autumn")
    told = soundness.groups(loaded(tmp_path, frame, disclosure="five"))
    assert isinstance(told, Prose) and "needs at least two" in str(told)


def test_what_is_not_there_is_said(tmp_path):
    dataset = bare(tmp_path)
    for call in (soundness.raters, soundness.teams, soundness.one_factor, soundness.groups):
        assert isinstance(call(dataset), Prose)


def bare(folder):
    questions = [{"id": "q", "title": "?", "claim": "BUR-1", "exposure": "kind", "smallest_effect": 1,
                  "outcome": {"column": "r1", "kind": "score"}}]  # fmt: skip
    return loaded(folder, scales={}, raters={}, questions=questions)


@pytest.mark.parametrize("spoil", ["constant", "empty", "copies"])
def test_items_that_tell_nothing_do_not_stop_the_page(tmp_path, spoil):
    frame = people()
    if spoil == "constant":
        frame[ITEMS] = 3
    elif spoil == "empty":
        frame[ITEMS] = np.nan
    else:
        frame["i2"] = frame["i1"]
    dataset = loaded(tmp_path, frame)
    assert soundness.one_factor(dataset).rows[0][1].startswith("One factor of 4 items needs")
    assert soundness.teams(dataset) and soundness.groups(dataset)


@pytest.mark.parametrize("column", ["r2", "i3"])
def test_a_page_is_made_again_when_what_it_says_of_scores_changed(tmp_path, column):
    study = study_in(tmp_path)
    outcome = study.question("q").model_copy(update={"outcome": Outcome(column="r1", kind="score")})
    before = Keys().rows(study, outcome, None)
    frame = people()
    frame.loc[0, column] = 6 - frame.loc[0, column] if frame.loc[0, column] != 3 else 4
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert Keys().rows(study, outcome, None) != before
