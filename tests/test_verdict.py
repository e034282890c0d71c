"""The rule of the verdict, its marks, and a sentence whose verb the design allows."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from researchkit.errors import EstimationError
from researchkit.parts import Column, Exposure, Outcome, Question
from researchkit.robustness import Check
from researchkit.study import Study
from researchkit.verdict import judge, ruling


def question(**changes) -> Question:
    plan = {
        "id": "calm",
        "title": "Are patients calmer?",
        "claim": "REC-2",
        "exposure": Exposure(column="compassion"),
        "outcome": Outcome(column="anxiety", kind="score", good="low", unit="points"),
        "smallest_effect": 1.0,
        "adjust": ("severity",),
    }
    return Question(**{**plan, **changes})


def study(**changes) -> Study:
    plan = {
        "title": "A clinic",
        "seed": 1,
        "design": "observational",
        "tables": {"data": {"files": ["a.csv"], "clusters": ["nurse"], "rows": "visits"}},
        "questions": [question()],
        "columns": {
            "compassion": {"label": "Compassion", "unit": "point", "source": "observer"},
            "anxiety": {"source": "patient"},
        },
    }
    return Study.model_validate({**plan, **changes})


def effect(low, high, **changes) -> SimpleNamespace:
    plan = {
        "estimate": (low + high) / 2,
        "low": low,
        "high": high,
        "level": 0.95,
        "unit": "points",
        "n": 400,
        "rows": "400",
        "clusters": 40,
        "contrast": "compassion +1 point",
        "method": "least squares, CR2 errors clustered by nurse",
        "notes": (),
    }
    return SimpleNamespace(**{**plan, **changes})


@pytest.mark.parametrize(
    ("low", "high", "better", "worse", "equal"),
    [
        (-3.0, -2.0, "supported", "contradicted", "contradicted"),
        (-3.0, -0.1, "supported", "contradicted", "cannot tell"),
        (2.0, 3.0, "contradicted", "supported", "contradicted"),
        (0.1, 3.0, "contradicted", "supported", "cannot tell"),
        (-0.5, 0.5, "too small to matter", "too small to matter", "supported"),
        (-0.9, -0.1, "too small to matter", "too small to matter", "supported"),
        (-3.0, 3.0, "cannot tell", "cannot tell", "cannot tell"),
        (-1.5, 0.1, "cannot tell", "cannot tell", "cannot tell"),
        (0.0, 2.0, "cannot tell", "cannot tell", "cannot tell"),
    ],
)
def test_the_rule(low, high, better, worse, equal):
    words = [ruling(low, high, question(expect=expect)) for expect in ("better", "worse", "equal")]
    assert words == [better, worse, equal]


@pytest.mark.parametrize(
    ("note", "estimate", "se", "df", "word", "said"),
    [
        (
            "few events: fewer than 25",
            -2.2,
            1.0,
            None,
            "cannot tell",
            "would have to stand by that of 99 %",
        ),  # -4.8 to 0.4
        (
            "very skewed: 4",
            -2.6,
            1.0,
            None,
            "supported",
            "the word stands by that of 99 %, which runs from −5.2 to 0.0",
        ),
        ("very skewed: 4", -2.6, 1.0, 12.0, "cannot tell", "“supported”"),
        ("few events: 3", 0.0, 0.45, None, "cannot tell", "“too small to matter”"),
        ("few clusters: 8", -2.2, 1.0, None, "supported", ""),
        ("few events: 3", 0.0, 1.0, None, "cannot tell", ""),
    ],
)
def test_a_rough_interval_needs_a_surer_one(note, estimate, se, df, word, said):
    half = 1.96 * se if df is None else 2.1788 * se
    rough = effect(estimate - half, estimate + half, estimate=estimate, se=se, df=df, notes=(note,))
    verdict = judge(rough, question(), study())
    assert verdict.word == word and said in " ".join(verdict.reasons), verdict.reasons
    assert (f"rough interval: {note.partition(':')[0]}" in verdict.marks) == (not note.startswith("few clusters"))


def test_a_rough_interval_is_of_99_percent_as_r_has_it():
    """R: -2.6 + qt(c(.005, .995), 12) gives -5.654540 and 0.4545396."""
    rough = effect(-4.78, -0.42, estimate=-2.6, se=1.0, df=12.0, notes=("few events: 3",))
    assert "from −5.7 to 0.5 points" in " ".join(judge(rough, question(), study()).reasons)


@given(st.floats(-5, 5), st.floats(0.01, 5), st.sampled_from(["better", "worse", "equal"]))
def test_mirrored_data_and_a_mirrored_claim_give_the_same_word(low, width, expect):
    up = question(expect=expect, outcome=Outcome(column="trust", kind="score", good="high"))
    down = question(expect=expect)
    assert ruling(low, low + width, up) == ruling(-low - width, -low, down)


def test_an_observational_sentence_never_says_lowered():
    said = judge(effect(-3.0, -2.0), question(), study()).sentence
    assert said == (
        "One more point of compassion went with anxiety that was 2.5 points lower (95 % interval −3.0 to −2.0), "
        "among 400 visits in 40 groups by nurse."
    )


def test_clusters_that_cross_are_counted_as_such():
    two = effect(-3.0, -2.0, clusters=12, method="least squares, CR1 errors clustered two ways, by nurse and month")
    assert judge(two, question(), study()).sentence.endswith("400 visits in at least 12 groups of each of two kinds.")


def test_a_randomised_one_may():
    drawn = question(design="randomised", exposure=Exposure(column="arm", reference="usual", level="kind"))
    said = judge(effect(-3.0, -2.0, clusters=None), drawn, study()).sentence
    assert said.startswith("Kind instead of usual lowered anxiety by 2.5 points")


@pytest.mark.parametrize(("low", "high"), [(-3.0, -2.0), (2.0, 3.0), (-0.5, 0.5), (-3.0, 3.0)])
@pytest.mark.parametrize("expect", ["better", "worse", "equal"])
def test_no_causal_verb_without_a_lot(low, high, expect):
    verdict = judge(effect(low, high), question(expect=expect), study())
    words = set(" ".join([verdict.sentence, *verdict.reasons]).lower().replace(".", " ").split())
    assert not words & {"lowered", "raised", "caused", "causes", "improved", "led", "reduced", "increased", "proved"}


def test_cannot_tell_says_so():
    said = judge(effect(-3.0, 4.0), question(), study()).sentence
    assert said.startswith("These data cannot tell whether one more point of compassion goes with a different anxiety")


def test_probabilities_read_as_percentage_points():
    asked = question(outcome=Outcome(column="stayed", kind="yes_no", label="Still here"), smallest_effect=0.02)
    said = judge(effect(0.023, 0.039, unit="probability"), asked, study()).sentence
    assert "went with a share of “still here” that was 3.1 percentage points higher (95 % interval 2.3 to 3.9)" in said


BURNOUT = {"burnout": {"items": ["b1", "b2"]}}
STAFF = {name: Column(source="nurse") for name in ("compassion", "b1", "b2")}
AGGREGATES = {"data": {"files": ["a.csv"], "rows": "hospitals", "aggregates": True}}


@pytest.mark.parametrize(
    ("changes", "studied", "shown", "mark"),
    [
        ({"planned": False}, {}, {}, "exploratory"),
        ({}, {}, {}, "observational"),
        ({"adjust": ()}, {}, {}, "not adjusted for anything"),
        (
            {},
            {"columns": {"compassion": Column(source="patient"), "anxiety": Column(source="patient")}},
            {},
            "one source: patient",
        ),
        ({}, {"scales": BURNOUT, "columns": STAFF}, {"asked": "burnout"}, "one source: nurse"),
        ({}, {}, {"notes": ("few clusters: 8 (nurse)",)}, "few clusters: 8"),
        (
            {},
            {},
            {"notes": ("x", "few clusters: the comparison is worth 3 degrees of freedom (nurse)")},
            "few clusters",
        ),
        ({}, {"tables": AGGREGATES}, {}, "ecological: about groups"),
        ({}, {}, {"low": -3.0, "high": 3.0}, "imprecise"),
    ],
)
def test_each_mark(changes, studied, shown, mark):
    sound = effect(-3.0, -2.0)
    if "asked" in shown:
        changes = {**changes, "outcome": Outcome(column=shown["asked"], kind="score", good="low", unit="points")}
    weak = SimpleNamespace(**{**vars(sound), **shown})
    marks = judge(weak, question(**changes), study(**studied)).marks
    assert any(one.startswith(mark) for one in marks)
    if mark != "observational":
        assert not any(one.startswith(mark) for one in judge(sound, question(), study()).marks)


@pytest.mark.parametrize("sources", [{}, {"b1": "nurse"}, {"b1": "nurse", "b2": "leader", "compassion": "nurse"}])
def test_who_rated_a_scale_is_known_only_where_all_items_say_the_same(sources):
    columns = {name: Column(source=rater) for name, rater in sources.items()}
    assert study(scales=BURNOUT, columns=columns).source_of("burnout") is None


def test_a_word_that_the_adjustment_made_is_told():
    verdict = judge(effect(-0.5, 0.4), question(), study(), crude=effect(-3.0, -2.0))
    assert "Without adjustment the word would have been “supported”." in verdict.reasons


def test_a_check_of_other_data_is_refused():
    check = Check("design", "sha256:other", {})
    with pytest.raises(EstimationError, match="'design' was made from other data"):
        judge(effect(-3, -2), question(), study(), checks=[check], fingerprint="sha256:these")


def test_a_mark_of_a_check_is_shown():
    check = Check("negative control", "f", {}, mark="exposed: it goes with birth month too")
    assert (
        "exposed: it goes with birth month too"
        in judge(effect(-3, -2), question(), study(), checks=[check], fingerprint="f").marks
    )
