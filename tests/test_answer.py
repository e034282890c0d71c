"""The whole chain for one question: the same rows before and after adjustment, arms by name, an account that adds up."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from researchkit import account, story, wording
from researchkit.answer import answer_question
from researchkit.dataset import load_dataset
from researchkit.disclosure import PROFILES
from researchkit.errors import DisclosureError
from researchkit.estimators import estimate
from researchkit.estimators.counted import remarks
from researchkit.estimators.effect import Count
from researchkit.estimators.promoters import nps
from researchkit.verdict import judge

WORDS = {"vb": "very bad", "b": "bad", "g": "good", "vg": "very good"}


@pytest.fixture
def ask(tmp_path):
    """Answers one question about a small made-up study; keywords are the question's, `study` holds the study's."""
    rng = np.random.default_rng(5)
    n = 240
    told = pd.DataFrame({"arm": rng.choice(["a", "b"], n), "half": rng.choice([1, 2], n), "need": rng.normal(size=n)})
    told["score"] = 3 + (told["arm"] == "b") + told["need"] + rng.normal(size=n)
    told["liking"] = pd.cut(told["score"], 4, labels=list(WORDS))
    told["gap"] = np.where(np.arange(n) < 3, np.nan, rng.normal(size=n))
    told["site"] = np.where(np.arange(n) < 9, "S", np.where(np.arange(n) < 120, "M", "L"))

    def asked(study=None, frame=told, others=(), **question):
        usual = {"id": "q", "title": "Does it?", "claim": "BUR-1", "smallest_effect": 0.1, "expect": "equal"}
        usual |= {"exposure": "need", "outcome": {"column": "score", "kind": "score"}}
        columns = {"arm": {"codes": {"a": "Usual care", "b": "Kind care"}}, "liking": {"codes": WORDS}}
        whole = {"title": "t", "seed": 1, "files": "a.csv", "design": "observational", "columns": columns}
        frame.to_csv(tmp_path / "a.csv", index=False)
        (tmp_path / "study.yml").write_text(
            yaml.safe_dump(whole | (study or {}) | {"questions": [usual | question, *others]})
        )
        return answer_question(tmp_path, "q")

    asked.frame = told
    return asked


@pytest.mark.parametrize("named", [{"level": "b"}, {"reference": "a"}])
def test_of_two_levels_one_need_be_named(ask, named):
    answer = ask(exposure={"column": "arm", **named})
    assert "Kind care instead of usual care" in answer.verdict.sentence
    assert [row[0] for row in story.groups(answer).rows] == ["Usual care", "Kind care"]


def test_a_number_with_two_values_has_two_groups_and_a_slope(ask):
    answer = ask(exposure="half", outcome={"column": "liking", "kind": "ordered", "top": ["vg", "g"]})
    assert len(story.groups(answer).rows) == 2
    assert "average marginal effect" in answer.effect.method or not answer.sample.binary_exposure


def test_the_nps_of_a_group_has_its_exact_interval(ask):
    scores = {"a": [10] * 12 + [3] * 2, "b": [9] * 5 + [7] * 5 + [0] * 6}
    frame = pd.DataFrame([(arm, value) for arm, values in scores.items() for value in values], columns=["arm", "r"])
    frame["need"] = np.arange(len(frame)) % 7
    answer = ask(
        {"columns": {"arm": {"codes": {"a": "Usual care", "b": "Kind care"}}, "r": {"range": [0, 10]}}},
        frame=frame,
        exposure={"column": "arm", "level": "b"},
        outcome={"column": "r", "kind": "ordered", "nps": True},
    )
    table = story.groups(answer).data
    for place, arm in enumerate("ab"):
        score, _, low, high = nps(np.array(scores[arm], dtype=float), method="exact")
        assert table["NPS"].iloc[place] == pytest.approx(score)
        assert table["95 % interval"].iloc[place] == wording.interval(low, high)


def test_words_in_order_have_a_top_group(ask):
    answer = ask(outcome={"column": "liking", "kind": "ordered", "top": ["vg", "g"]})
    share = ask.frame["liking"].isin(["g", "vg"])
    assert "probability of good or very good" in answer.effect.method
    low, *_ = story.groups(answer).data["Per cent in the top group"]
    lowest = ask.frame["need"] <= ask.frame["need"].quantile(1 / 3)
    assert low == pytest.approx(100 * share[lowest].mean())


def test_the_crude_effect_is_of_the_same_rows(ask):
    """Else the two would differ by who is in them; and their difference would give a small gap away."""
    answer = ask(adjust=["gap"])
    assert answer.crude.n == answer.effect.n == 237
    assert [term.term for term in answer.crude.model.terms] == ["need", "Intercept"]


def test_two_rules_with_one_reason_are_both_counted(ask):
    rules = [{"column": "site", "not_values": [site], "why": "not eligible"} for site in "SM"]
    answer = ask(study={"keep": rules[:1]}, keep=rules[1:])
    assert answer.data["dropped"] == [{"why": "not eligible", "rows": 120}]
    assert answer.data["rows"] - 120 == answer.data["used"]


@pytest.mark.parametrize(("declared", "unit"), [("day", "days"), (None, "points")])
def test_the_unit_of_a_score_is_the_codebooks_and_else_a_point(ask, declared, unit):
    columns = {"score": {"unit": declared}} if declared else {}
    verdict = ask(study={"columns": columns}).verdict
    assert f" {unit} higher" in verdict.sentence
    assert f" {unit} and excludes no difference" in verdict.reasons[0]


def test_a_protected_account_gives_no_small_count_back(ask):
    """Arrived less kept, notes, groups: nothing tells that 9 rows went and 3 have a gap."""
    keep = [{"column": "site", "not_values": ["S"], "why": "another firm"}]
    answer = ask(study={"keep": keep, "disclosure": "cms", "columns": {"gap": {"missing": ["0"]}}}, adjust=["gap"])
    told = dict(account.arrived(answer.dataset).rows)
    assert told["Rows that arrived"] == "not shown" and told["Kept"] == "231"
    gaps = ask(study={"disclosure": "cms"}, adjust=["gap"])
    assert dict(account.arrived(gaps.dataset).rows)["Kept"] == "not shown"  # 240, and 237 are in the answer
    assert answer.data["rows"] is None and answer.data["dropped"] == [{"why": "another firm", "rows": None}]


def test_notes_that_count_rows_are_for_those_who_hold_the_data(ask):
    twice = pd.concat([ask.frame, ask.frame.head(4)])
    seen = {}
    for profile in ("none", "cms"):
        seen[profile] = str(account.arrived(ask(study={"disclosure": profile}, frame=twice).dataset))
    assert "4 rows repeat an earlier row" in seen["none"]
    assert "4 rows" not in seen["cms"] and "Notes that count rows: 1" in seen["cms"]


def test_a_group_is_as_large_as_its_people(ask):
    """Eighty contacts of one customer are one person."""
    frame = ask.frame.assign(who=np.where(ask.frame["half"] == 1, 0, np.arange(240)))
    study = {"people": "who", "disclosure": "five"}
    answer = ask(study=study, frame=frame, exposure={"column": "half", "reference": "1", "level": "2"})
    assert "none is shown" in str(story.groups(answer))
    assert "5 people" in str(story.picture(answer))


def test_a_floor_of_a_few_people_is_not_shown(ask):
    frame = ask.frame.assign(i1=1, i2=1)
    frame.loc[:2, ["i1", "i2"]] = 0
    scales = {"made": {"items": ["i1", "i2"], "range": [0, 4]}}
    for profile, told in (("none", "1.25"), ("cms", "not shown")):
        answer = ask(study={"scales": scales, "disclosure": profile}, frame=frame)
        assert told in str(account.ends(answer.dataset))


def test_a_result_says_what_it_faced_and_in_a_simulated_study_what_was_planted(ask, tmp_path):
    """BUR-1: exhaustion uses up compassion; one person tells both; the burnt-out have left; a light load."""
    columns = {
        "half": {},
        "need": {"label": "Workload"},
        "arm": {"source": "colleagues"},
        "score": {"source": "staff member"},
    }
    (tmp_path / "truth.yml").write_text("q: {truth: 1, unit: points, deserves: supported, how: so}\n")
    for simulated, planted in ((True, 1.0), (False, None)):
        study = {"columns": columns, "simulated": simulated}
        answer = ask(study=study, exposure={"column": "arm", "level": "b"}, adjust=["need"], expect="better")
        told = answer.to_dict()
        assert [one["word"] for one in told["rivals"]] == ["open", "faced", "open", "faced"]
        assert told["rivals"][3]["by"] == "adjusted for Workload"
        assert (told["planted"] or {}).get("truth") == planted
        assert answer_question(tmp_path, "q", by="half=1").to_dict()["planted"] is None, "of all, not of a part"


def numbers_in(told):
    """Every whole number that stands in a result, be it in words."""
    return {int(found.replace(",", "")) for found in re.findall(r"(?<![\w.])\d[\d,]*(?![\w.]\d|\w)", json.dumps(told))}


def test_clusters_that_are_people_are_rounded_as_people_are(ask):
    """Two questions that differ by three people round their rows; groups by person told exactly would tell the three."""
    frame = pd.concat([ask.frame.assign(who=np.arange(240))] * 2)
    other = {"id": "other", "title": "?", "claim": "BUR-1", "smallest_effect": 0.1, "adjust": "gap"}
    other |= {"exposure": "need", "outcome": {"column": "score", "kind": "score"}}
    study = {"people": "who", "clusters": "who", "disclosure": "cms"}
    answer = ask(study=study, frame=frame, others=[other])
    assert (answer.effect.n, answer.effect.clusters) == (480, 240)
    assert "240 groups by who" in answer.verdict.sentence
    fewer = answer_question(answer.study, "other")
    assert fewer.effect.n == 470 and fewer.effect.clusters == 240
    assert not {237, 474} & numbers_in(fewer.to_dict())


def test_how_few_people_are_on_one_side_is_on_no_page(ask):
    """A mark of few clusters counts people where clusters are people."""
    frame = ask.frame.assign(who=np.arange(240), kind=(np.arange(240) < 4).astype(int))
    study = {"people": "who", "clusters": "who"}
    asked = {"exposure": {"column": "kind", "reference": "0", "level": "1"}, "frame": frame}
    assert "few clusters: 4 on one side (who)" in ask(study=study, **asked).verdict.marks
    told = ask(study=study | {"disclosure": "cms"}, **asked)
    assert "few clusters: fewer than 11 on one side (who)" in told.verdict.marks
    assert "few clusters: 4 " not in json.dumps(told.to_dict())


def test_how_many_were_reviewed_is_told_to_who_holds_the_data_only(ask):
    """That 47 have a review is a count of people like any other."""
    truth = np.where(np.arange(240) < 47, ask.frame["need"] + 0.1 * np.sin(np.arange(240)), np.nan)
    asked = {"detection": {"of": "effect", "by": "truth"}, "frame": ask.frame.assign(truth=truth)}
    for profile, seen in (("none", True), ("cms", False)):
        answer = ask(study={"disclosure": profile}, **asked)
        assert ("47 of 240 rows are reviewed" in answer.effect.notes, 47 in numbers_in(answer.to_dict())) == (
            seen,
            seen,
        )
        assert any("the correction holds where" in note for note in answer.effect.notes)


def test_remarks_that_count_few_people_are_on_no_page(ask):
    """Three died: who holds the data is told so, a page is not."""
    rng = np.random.default_rng(3)
    ended = np.where(np.arange(240) < 3, 2, (rng.random(240) < 0.7).astype(int))
    frame = ask.frame.assign(days=rng.exponential(8, 240).round(1) + 0.1, ended=ended)
    asked = {
        "outcome": {
            "column": "days",
            "kind": "duration",
            "event": "ended",
            "competing": ["2"],
            "horizon": 10,
            "unit": "day",
        }
    }
    for profile, notes in (("none", ["3 rows ended otherwise"]), ("cms", [])):
        found = ask(study={"disclosure": profile}, frame=frame, **asked).effect.notes
        assert [note for note in found if "ended otherwise" in note and note[0].isdigit()] == notes
        assert any("cause-specific" in note for note in found)


def test_of_remarks_only_counts_of_rows_are_kept_back(answered):
    """A note says itself that it is one, under a profile that rounds to 5."""
    effect = answered("hospital", "length_of_stay").effect
    caveats = (
        "rows of kinds that one side lacks are left out",
        "3 kinds of cases; within a kind they may still differ in what was not recorded",
        "2.4 % of the variance that is left lies between ward (ICC)",
        "few clusters: 3 on one side (ward)",
    )
    counts = (Count("3 rows ended otherwise"), Count("0.1 % of the rows are of such kinds"))
    uneven = f"uneven weights: {effect.n} rows are worth 300 of equal weight (Kish's effective size)"
    told = tuple(remarks(replace(effect, notes=(*caveats, *counts, uneven)), 5, False, PROFILES["nhs"]))
    assert told == (*caveats, "uneven weights: 5 rows are worth 300 of equal weight (Kish's effective size)")


def test_an_effect_asked_for_alone_tells_about_how_many_rows_where_counts_are_protected(ask):
    """It knows nothing of pages beside it; and of a few people it tells nothing at all."""
    study = {"people": "who", "clusters": "who"}
    frame = pd.concat([ask.frame.assign(who=np.arange(240), few=(np.arange(240) < 9).astype(int))] * 2)
    for profile, told in (("none", "n = 474;"), ("cms", "n = about 470;")):
        answer = ask(study=study | {"disclosure": profile, "columns": {"few": {}}}, frame=frame, adjust=["gap"])
        dataset, asked = load_dataset(answer.study), answer.question
        effect = estimate(dataset, asked)
        shown = f"{effect!r} {effect._repr_mimebundle_()} {judge(effect, asked, answer.study)}"
        assert told in shown and effect.n == 474
        assert (profile == "none") == bool({474, 237} & numbers_in(shown))
    with pytest.raises(DisclosureError, match="Too few people"):
        estimate(dataset.only("few", 1), asked)
