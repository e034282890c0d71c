"""NPS, satisfaction and effort: what is counted is declared, who was asked is told, and no two forms are compared."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from researchkit import feedback
from researchkit.answer import answer_question
from researchkit.batch.key import Keys
from researchkit.dataset import load_dataset
from researchkit.errors import DataError, StudyError
from researchkit.measures import Feedback
from researchkit.story import Prose
from researchkit.study import load_study

ASKED = {"column": "asked", "values": 1}
FORMS = {
    "nps": {"form": "nps", "column": "recommend", "asked": ASKED},
    "csat": {"form": "csat", "column": "satisfied", "range": [1, 5], "top": [4, 5], "asked": ASKED},
    "ces": {"form": "ces", "column": "effort", "range": [1, 5], "good": "low", "statistic": "mean", "asked": ASKED},
    "verdict": {"form": "csat", "column": "word", "top": "good", "label": "Good or bad"},
}


def contacts() -> pd.DataFrame:
    """100 contacts, 80 asked, 40 of whom answered: 20 promoters, 8 passives, 12 detractors; 30 in the top two boxes."""
    n = np.arange(100)
    frame = pd.DataFrame({"asked": np.where(n < 80, 1, 0), "agent": [f"a{k % 10}" for k in n], "kind": n % 5})
    given = n < 40
    recommend = np.select([n < 20, n < 28, n < 40], [9 + n % 2, 7 + n % 2, n % 7], 0)
    frame["recommend"] = pd.Series(recommend).where(given)
    frame["satisfied"] = pd.Series(np.where(n < 30, 4 + n % 2, 2)).where(given)
    frame["effort"] = pd.Series(1 + n % 5).where(given)
    frame["word"] = np.select([n < 25, n < 50], ["good", "bad"], None)
    return frame


def study_in(folder, frame=None, forms=FORMS, **more):
    (contacts() if frame is None else frame).to_csv(folder / "a.csv", index=False)
    study = {"title": "t", "seed": 1, "design": "observational", "files": "a.csv", "feedback": forms}
    question = {"id": "q", "title": "?", "claim": "LOY-1", "exposure": "kind", "smallest_effect": 1}
    question["outcome"] = {"column": "recommend", "kind": "ordered", "nps": True}
    study["questions"] = [question | more.pop("question", {})]
    (folder / "study.yml").write_text(json.dumps(study | more), encoding="utf-8")
    return load_study(folder)


def rows(folder, *args, **more) -> dict[str, tuple[str, ...]]:
    return {row[0]: row[1:] for row in feedback.told(load_dataset(study_in(folder, *args, **more))).rows}


def test_results_by_hand(tmp_path):
    """40 of 80 asked. NPS 100 (20 - 12) / 40 = 20; top two boxes 30 / 40; efforts 1 to 5 eight times each."""
    found = rows(tmp_path)
    assert found["nps"][:4] == ("9 and 10 less 0 to 6, of answers from 0 to 10", "80", "40", "50.0 %")
    assert found["nps"][5].startswith("+20") and found["nps"][5].endswith("points")
    assert found["csat"][0] == "share of 4 and 5 of answers from 1 to 5, high is good" and found["csat"][5] == "75 %"
    assert found["ces"][0] == "mean of answers from 1 to 5, low is good" and found["ces"][5].startswith("3.0")
    assert found["Good or bad"][1:4] == (feedback.UNKNOWN, "50", "") and found["Good or bad"][5] == "50 %"


def test_a_share_agrees_with_r():
    """prop.test(30, 80, correct = FALSE)$conf.int of R 4.2.2."""
    value, low, high = feedback.share(np.repeat([1.0, 0.0], [30, 50]), None)
    assert (value, low, high) == pytest.approx((0.375, 0.276941787015312, 0.484512745368570), rel=1e-12)


@pytest.mark.parametrize("yes", [0, 12])
def test_a_share_of_none_or_all_has_an_interval(yes):
    _, low, high = feedback.share(np.repeat([1.0, 0.0], [yes, 12 - yes]), None)
    assert 0 <= low < high <= 1


def test_clusters_widen_the_interval(tmp_path):
    frame = contacts().assign(agent=lambda data: np.where(data["satisfied"] > 3, "x", "y"))
    frame["agent"] += (frame.index // 15).astype(str)
    frame["recommend"] = (2 * frame["satisfied"]).where(frame["satisfied"].notna())
    wide, narrow = rows(tmp_path, frame, clusters="agent"), rows(tmp_path, frame)

    def width(text: str) -> float:
        low, high = (float(part.replace("−", "-")) for part in re.findall(r"[−\d.]+", text))
        return high - low

    assert width(wide["csat"][6]) > width(narrow["csat"][6]) and width(wide["nps"][6]) > width(narrow["nps"][6])


def test_answers_of_those_not_asked_do_not_count_in_the_rate(tmp_path):
    frame = contacts()
    frame.loc[90:94, "satisfied"] = 5
    assert rows(tmp_path, frame)["csat"][1:4] == ("80", "40", "50.0 %")


def test_small_counts_are_hidden_in_every_cell(tmp_path):
    frame = contacts()
    frame.loc[3:39, ["recommend", "satisfied"]] = np.nan
    found = rows(tmp_path, frame, disclosure="five")
    assert set(found["nps"][1:]) <= {"80", feedback.HIDDEN, ""} and "80" not in found["nps"]
    few = contacts()
    few.loc[3:39, "satisfied"] = 1  # answered by enough, but three in the top boxes
    assert rows(tmp_path, few, disclosure="five")["csat"][5] == feedback.HIDDEN


def test_two_forms_of_one_column_are_told_apart_and_never_compared(tmp_path):
    frame = contacts().assign(year=np.where(np.arange(100) % 2, 2025, 2026))
    old = {
        "form": "csat",
        "column": "satisfied",
        "range": [1, 5],
        "top": [4, 5],
        "only": {"column": "year", "values": 2025},
    }
    new = {**old, "top": 5, "only": {"column": "year", "values": 2026}}
    found = rows(tmp_path, frame, {"old": old, "new": new})
    assert found["old"][2] == found["new"][2] == "20" and found["old"][5] == "75 %" and found["new"][5] == "0 %"
    with pytest.raises(StudyError, match="holds the answers of new too; say with `only`"):
        study_in(tmp_path, frame, {"old": {**old, "only": None}, "new": new})
    outcome = {"column": "satisfied", "kind": "ordered", "top": [4, 5]}
    with pytest.raises(StudyError, match="holds answers to old and new, which are never compared; `keep` one"):
        study_in(tmp_path, frame, {"old": old, "new": new}, question={"outcome": outcome})
    keep = [{"column": "year", "values": 2025, "why": "the new form"}]
    study_in(tmp_path, frame, {"old": old, "new": new}, question={"outcome": outcome, "keep": keep})


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ({"column": "recommend", "kind": "score"}, "asks for something else"),
        ({"column": "recommend", "kind": "ordered", "top": [9, 10]}, "asks for something else"),
        ({"column": "satisfied", "kind": "ordered", "top": [5]}, r"declared as csat \(share of 4 and 5 of"),
        ({"column": "effort", "kind": "score", "good": "high"}, r"declared as ces \(mean .* low is good\)"),
    ],
)
def test_a_question_cannot_read_a_form_otherwise(tmp_path, outcome, said):
    with pytest.raises(StudyError, match=said):
        study_in(tmp_path, question={"outcome": outcome})


def test_another_form_is_no_alternative(tmp_path):
    other = {"other": {"label": "x", "outcome": {"column": "effort", "kind": "score", "good": "low"}}}
    with pytest.raises(StudyError, match="nps and ces are different forms"):
        study_in(tmp_path, alternatives=other, question={"alternatives": "other"})


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"form": "nps", "range": [1, 10]}, "anything else is no NPS"),
        ({"form": "nps", "top": [9, 10]}, "anything else is no NPS"),
        ({"form": "ces"}, "a ces needs `range`, `good` and `statistic`: there is no common rule"),
        ({"form": "ces", "range": [1, 7], "statistic": "share", "top": [5, 6, 7]}, "a ces needs `good`"),
        ({"form": "ces", "range": [1, 7], "good": "low", "statistic": "share", "top": [5, 6, 7]}, "it must hold 1"),
        ({"form": "csat", "range": [1, 5]}, "a share needs `top`"),
        ({"form": "csat", "top": [4, 5]}, "a csat needs `range`"),
        ({"form": "csat", "range": [1, 5], "top": [4, 6]}, "it must hold 5 and nothing outside"),
        ({"form": "csat", "range": [1, 5], "statistic": "mean", "top": 5}, "a mean has no `top`"),
        ({"form": "csat", "range": [1, 5], "statistic": "nps"}, "not as an NPS"),
    ],
)
def test_a_form_that_is_not_whole_is_refused(form, said):
    with pytest.raises(ValueError, match=said):
        Feedback.model_validate({"column": "x", **form})


def test_an_answer_outside_the_form_stops(tmp_path):
    frame = contacts()
    frame.loc[0, "satisfied"] = 6
    with pytest.raises(DataError, match=r"satisfied: 1 answer outside 1-5, in row 2 .* `feedback: csat:`"):
        load_dataset(study_in(tmp_path, frame))


def test_nobody_asked_nobody_answered_and_no_form(tmp_path):
    nobody = contacts().assign(asked=0)
    assert rows(tmp_path, nobody)["nps"][1:4] == ("0", feedback.HIDDEN, feedback.HIDDEN)
    silent = contacts().assign(recommend=np.nan)
    assert (
        rows(tmp_path, silent, question={"outcome": {"column": "satisfied", "kind": "ordered", "top": [4, 5]}})["nps"][
            5
        ]
        == feedback.HIDDEN
    )
    none = load_dataset(study_in(tmp_path, forms={}))
    assert isinstance(feedback.told(none), Prose) and "no form of feedback" in str(feedback.told(none))


def test_a_page_tells_the_response_rate_of_what_its_answer_reads(tmp_path):
    study = study_in(tmp_path)
    answer = answer_question(tmp_path, "q")
    (row,) = feedback.asked(answer).rows
    assert row[:5] == ("nps", FORM_WORDS, "80", "40", "50.0 %")
    before = Keys().rows(study, study.question("q"), None)
    contacts().assign(asked=1).to_csv(tmp_path / "a.csv", index=False)
    assert Keys().rows(study, study.question("q"), None) != before, "who was asked stands on the page"
    other = {"outcome": {"column": "agent_kind", "kind": "score"}, "exposure": "kind"}
    study_in(tmp_path, contacts().assign(agent_kind=np.arange(100) % 7), question=other)
    assert "no form of feedback" in str(feedback.asked(answer_question(tmp_path, "q")))


FORM_WORDS = "9 and 10 less 0 to 6, of answers from 0 to 10"


def test_who_answered_is_not_told_of_one_group_beside_all(tmp_path):
    study_in(tmp_path, disclosure="five")
    assert "of one group" in str(feedback.asked(answer_question(tmp_path, "q", by="asked=1")))
