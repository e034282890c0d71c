"""The arrows of a study check its adjustment: mediators, colliders and open back doors are named."""

import pytest
from answers import ask

from researchkit.causes import audit
from researchkit.study import Study


def asked(causes, adjust, **columns):
    study = Study.model_validate(
        {
            "title": "A clinic",
            "seed": 1,
            "design": "observational",
            "files": ["a.csv"],
            "causes": causes,
            "columns": {name: None for name in ("x", "y", "z", "m", "c", "a", "b")},
            "questions": [
                {
                    "id": "q",
                    "title": "?",
                    "claim": "REC-1",
                    "exposure": "x",
                    "outcome": {"column": "y", "kind": "score"},
                    "adjust": adjust,
                    "smallest_effect": 1,
                }
            ],
        }
    )
    return audit(study, study.questions[0])


CONFOUNDED = ["z -> x", "z -> y", "x -> m -> y", "x -> c", "y -> c"]


def test_the_right_set_has_no_fault():
    found = asked(CONFOUNDED, ["z"])
    assert (found.reason, found.faults, found.enough) == (None, (), ("z",))


@pytest.mark.parametrize(
    ("adjust", "said"),
    [
        ([], "z acts on exposure and outcome and is not adjusted for"),
        (["z", "m"], "m lies between exposure and outcome"),
        (["z", "c"], "c comes after the exposure"),
    ],
)
def test_each_fault_is_named(adjust, said):
    (fault,) = asked(CONFOUNDED, adjust).faults
    assert fault.startswith(said)


def test_m_bias_needs_nothing_and_a_collider_before_the_exposure_opens_a_path():
    m_shape = ["a -> x", "a -> z", "b -> z", "b -> y", "x -> y"]
    assert asked(m_shape, []).faults == ()
    assert asked(m_shape, []).enough == ()
    assert asked(m_shape, ["z"]).faults == ("adjusting for z opens a false path; nothing alone would do",)


def test_what_was_not_measured_cannot_be_adjusted_for():
    found = asked(["mood -> x", "mood -> y"], [])
    assert found.enough is None
    assert found.faults[0].startswith("something that was not measured")


@pytest.mark.parametrize(
    ("causes", "reason"),
    [([], "draws no arrows"), (["x -> y", "y -> x"], "in a circle: x -> y"), (["a -> b"], "no arrow touches x")],
)
def test_where_the_arrows_say_nothing_the_reason_is_told(causes, reason):
    found = asked(causes, [])
    assert reason in found.reason
    assert found.faults == ()


def test_a_question_that_adjusts_for_a_mediator_is_marked(answered):
    from researchkit.study import load_study

    study = load_study("data/contact_centre")
    question = study.question("retention")
    sound = answered("contact_centre", "retention")
    assert not any(mark.startswith("adjustment") for mark in sound.verdict.marks)
    wrong = question.model_copy(update={"adjust": ("severity", "trust")})
    marks = ask(study, wrong).verdict.marks
    assert any(mark.startswith("adjustment: trust lies between exposure and outcome") for mark in marks)
