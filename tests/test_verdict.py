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


TRUST = Outcome(column="trust", kind="score", good="high", unit="points")


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
    ("low", "high", "small", "large"),  # where small values are good, and where large ones are
    [
        (-3.0, -2.0, "supported", "contradicted"),
        (-0.9, 3.0, "cannot tell", "supported"),
        (-3.0, 0.9, "supported", "cannot tell"),
        (-2.0, 2.0, "cannot tell", "cannot tell"),
        (1.5, 2.0, "contradicted", "supported"),
        (1.0, 2.0, "cannot tell", "supported"),
        (-2.0, -1.0, "supported", "cannot tell"),
        (-1.0, 1.0, "cannot tell", "cannot tell"),
    ],
)
def test_what_is_not_worse_may_be_anything_better(low, high, small, large):
    anxiety, trust = question(expect="not worse"), question(expect="not worse", outcome=TRUST)
    assert (ruling(low, high, anxiety), ruling(low, high, trust)) == (small, large)


@pytest.mark.parametrize(
    ("low", "high", "better", "equal"),
    [
        (-1.0, 0.5, "cannot tell", "cannot tell"),
        (-0.5, 1.0, "cannot tell", "cannot tell"),
        (1.0, 2.0, "contradicted", "cannot tell"),
        (-2.0, -1.0, "supported", "cannot tell"),
        (-2.0, 0.0, "cannot tell", "cannot tell"),
    ],
)
def test_an_interval_that_ends_at_a_bound_is_not_past_it(low, high, better, equal):
    assert [ruling(low, high, question(expect=expect)) for expect in ("better", "equal")] == [better, equal]


@pytest.mark.parametrize(
    ("low", "high", "zero", "band"),
    [
        (-3.0, -2.0, "excludes no difference", "It lies wholly beyond"),
        (2.0, 3.0, "excludes no difference", "It lies wholly beyond"),
        (-0.9, -0.1, "excludes no difference", "It lies wholly inside the band of"),
        (-0.9, 0.9, "includes no difference", "It lies wholly inside the band of"),
        (0.0, 0.9, "includes no difference", "It lies wholly inside the band of"),
        (-0.9, 0.0, "includes no difference", "It lies wholly inside the band of"),
        (-1.0, 0.9, "includes no difference", "It reaches into the band of"),
        (-0.9, 1.0, "includes no difference", "It reaches into the band of"),
        (1.0, 2.0, "excludes no difference", "It reaches into the band of"),
        (-2.0, -1.0, "excludes no difference", "It reaches into the band of"),
    ],
)
def test_the_reasons_set_the_interval_against_zero_and_the_band(low, high, zero, band):
    told = judge(effect(low, high), question(), study()).reasons
    assert len(told) == 2 and told[0].endswith(f" points and {zero}.") and told[0].startswith("The 95 % interval runs")
    assert told[1] == f"{band} what is too small to matter (±1.0 points)."


def test_reasons_and_sentence_of_shares_are_in_percentage_points():
    asked = question(outcome=Outcome(column="stayed", kind="yes_no", good="high"), smallest_effect=0.02)
    told = judge(effect(0.023, 0.039, unit="probability"), asked, study())
    assert told.reasons[0] == "The 95 % interval runs from 2.3 to 3.9 percentage points and excludes no difference."
    assert told.reasons[1] == "It lies wholly beyond what is too small to matter (±2.0 percentage points)."


def test_an_assumption_that_fails_leaves_no_word_but_cannot_tell():
    """Seen by the estimator, which notes it, or by a check of the answer."""
    broken = judge(effect(-3, -2, notes=("x", "assumption fails: the hazards cross")), question(), study())
    assert broken.word == "cannot tell" and broken.reasons[2:] == ("Assumption fails: the hazards cross.",)
    assert "assumption fails: the hazards cross" in broken.marks
    check = Check("design", "f", {"fails": "The arms differed before."})
    broken = judge(effect(-3, -2), question(), study(), checks=[check], fingerprint="f")
    assert broken.word == "cannot tell" and broken.reasons[-1] == "The arms differed before."
    assert broken.sentence.startswith("These data cannot tell")


def test_few_degrees_of_freedom_are_a_mark():
    told = judge(effect(-3, -2, notes=("hardly any degrees of freedom: 1.2",)), question(), study())
    assert "wide interval: hardly any degrees of freedom" in told.marks and told.word == "supported"


def test_a_crude_answer_with_the_same_word_is_no_reason():
    crude = effect(-4.0, -2.0)
    assert len(judge(effect(-3.0, -2.0), question(), study(), crude=crude).reasons) == 2
    same = effect(-3.0, 0.5)
    assert len(judge(same, question(), study(), crude=same).reasons) == 2


@pytest.mark.parametrize(
    ("low", "high", "marked"),
    [(-3.0, 3.0, True), (-1.0, 3.0, False), (-3.0, 1.0, False), (-1.1, 1.1, True), (2.0, 3.0, False)],
)
def test_imprecise_is_what_holds_effects_that_matter_in_both_directions(low, high, marked):
    marks = judge(effect(low, high), question(), study()).marks
    assert any(one.startswith("imprecise") for one in marks) == marked


TOLD = "(95 % interval −3.0 to −2.0), among 400 visits in 40 groups by nurse."


@pytest.mark.parametrize(
    ("asked", "shown", "said"),
    [
        ({"expect": "not worse"}, (-3, -2), "was not worse by 1.0 points: it went with anxiety that was 2.5 points lower"),
        ({"expect": "not worse"}, (2, 3), "was worse by more than 1.0 points: it went with anxiety that was 2.5 points higher"),
        ({"expect": "not worse"}, (-3, 3.6), "cannot tell whether one more point of compassion is worse by 1.0 points: the estimate is 0.3 points higher"),
        ({}, (-3.6, 3), "goes with a different anxiety: the estimate is 0.3 points lower"),
        ({}, (-0.5, 0.3), "went with a difference too small to matter: anxiety that was 0.10 points lower"),
        ({"expect": "equal"}, (-0.5, 0.3), "went with a difference too small to matter: anxiety that was 0.10 points lower"),
        ({"expect": "equal"}, (2, 3), "compassion went with anxiety that was 2.5 points higher"),
        ({}, (2, 3), "compassion went with anxiety that was 2.5 points higher"),
        ({"expect": "worse"}, (2, 3), "compassion went with anxiety that was 2.5 points higher"),
        ({"expect": "worse"}, (-3.6, 3), "goes with a different anxiety: the estimate is 0.3 points lower"),
        ({"design": "randomised", "expect": "worse"}, (2, 3), "One more point of compassion raised anxiety by 2.5 points (95 % interval 2.0 to 3.0)"),
    ],
)  # fmt: skip
def test_each_word_has_its_sentence(asked, shown, said):
    assert said in judge(effect(*shown), question(**asked), study()).sentence


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ({"kind": "duration", "event": "left", "horizon": 90.0, "good": "low"}, "went with a mean time (up to 90) of “anxiety” that was 2.5 days shorter"),
        ({"kind": "counts", "good": "low"}, "went with a rate of “anxiety” that was 2.5 days lower"),
        ({"kind": "yes_no", "yes": "2", "good": "low"}, "went with a share of “anxiety: very” that was"),
        ({"kind": "yes_no", "yes": "anxiety", "good": "low"}, "went with a share of “anxiety” that was"),
        ({"kind": "yes_no", "yes": "Afraid", "good": "low"}, "went with a share of “anxiety: Afraid” that was"),
        ({"kind": "yes_no", "yes": "0", "good": "low"}, "went with a share of “anxiety: 0” that was"),
        ({"kind": "yes_no", "good": "low"}, "went with a share of “anxiety” that was"),
        ({"kind": "ordered", "top": ("1", "2"), "good": "low"}, "went with a share of “anxiety: rather or very” that was"),
    ],
)  # fmt: skip
def test_each_kind_of_outcome_is_named_for_what_is_compared(outcome, said):
    codes = {"1": "rather", "2": "very"} if outcome.get("yes", "") == "2" or "top" in outcome else {}
    columns = {"anxiety": Column(codes=codes)}
    told = judge(
        effect(-3, -2, unit="days"), question(outcome=Outcome(column="anxiety", **outcome)), study(columns=columns)
    )
    assert said in told.sentence


def test_a_small_estimate_leans_as_its_sign_does():
    """And one that is nothing is not higher."""
    for estimate, word in ((0.4, "higher"), (-0.4, "lower"), (0.0, "lower")):
        unsure = judge(effect(-3, 3, estimate=estimate), question(), study())
        small = judge(effect(-0.9, 0.9, estimate=estimate), question(), study())
        assert f" points {word} (" in unsure.sentence and f" points {word} (" in small.sentence
    drawn = judge(effect(0.1, 3, estimate=0.0), question(design="randomised"), study())
    assert "lowered anxiety" in drawn.sentence


def test_a_dose_of_less_than_one_is_told_as_it_is():
    half = question(exposure=Exposure(column="compassion", per=0.5))
    assert judge(effect(-3, -2), half, study()).sentence.startswith("0.5 more points of compassion")


def test_a_longer_time_is_longer():
    asked = question(outcome=Outcome(column="stay", kind="duration", event="left", horizon=90.0, good="high"))
    assert "that was 2.5 days longer (95 %" in judge(effect(2, 3, unit="days"), asked, study()).sentence


@pytest.mark.parametrize(
    ("exposure", "columns", "said"),
    [
        ({"column": "compassion", "per": 10}, {"compassion": Column(unit="points")}, "10 more points of compassion went"),
        ({"column": "compassion"}, {}, "One more unit of compassion went"),
        ({"column": "arm", "level": "1", "reference": "0"}, {"arm": Column(codes={"1": "kind care", "0": "Usual care"})}, "Kind care instead of usual care went"),
        ({"column": "arm", "level": "kind", "reference": "usual"}, {}, "Kind instead of usual went"),
    ],
)  # fmt: skip
def test_the_exposure_is_the_subject(exposure, columns, said):
    asked = question(exposure=Exposure(**exposure))
    assert judge(effect(-3, -2), asked, study(columns=columns)).sentence.startswith(said)


def test_rows_without_clusters_are_counted_alone():
    assert judge(effect(-3, -2, clusters=None), question(), study()).sentence.endswith("among 400 visits.")
    alone = study(tables={"data": {"files": ["a.csv"], "rows": "visits"}})
    assert judge(effect(-3, -2), question(), alone).sentence.endswith("among 400 visits.")


def test_a_verdict_shows_itself():
    told = judge(effect(-3, -2), question(), study())
    assert str(told) == repr(told) == f"Supported. {told.sentence}"
    assert told.to_dict() == {
        "word": "supported",
        "marks": list(told.marks),
        "sentence": told.sentence,
        "reasons": list(told.reasons),
    }
    page = told._repr_mimebundle_()["text/html"]
    assert all(text in page for text in (told.sentence, *told.reasons, *told.marks))


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
    up = question(expect=expect, outcome=TRUST)
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
    """The first of them by name."""
    checks = [Check("design", "sha256:other", {}), Check("overlap", "sha256:other", {})]
    with pytest.raises(EstimationError, match="'design' was made from other data"):
        judge(effect(-3, -2), question(), study(), checks=checks, fingerprint="sha256:these")


def test_a_mark_of_a_check_is_shown():
    check = Check("negative control", "f", {}, mark="exposed: it goes with birth month too")
    assert (
        "exposed: it goes with birth month too"
        in judge(effect(-3, -2), question(), study(), checks=[check], fingerprint="f").marks
    )


def test_a_check_of_other_data_is_refused_whichever_digest_is_larger():
    with pytest.raises(EstimationError, match="was made from other data"):
        judge(effect(-3, -2), question(), study(), checks=[Check("design", "sha256:z", {})], fingerprint="sha256:a")


def test_a_word_that_the_adjustment_took_away_is_told():
    told = judge(effect(-3.0, -2.0), question(), study(), crude=effect(-0.5, 0.4)).reasons
    assert told[-1] == "Without adjustment the word would have been “too small to matter”."


def test_a_rough_interval_that_cannot_tell_anyway_needs_no_surer_one():
    rough = effect(-1.96, 1.96, estimate=0.0, se=1.0, df=None, notes=("few events: 3",))
    assert len(judge(rough, question(), study()).reasons) == 2


def test_what_was_randomised_is_not_marked_as_observed():
    drawn = question(design="randomised", adjust=())
    assert not judge(effect(-3, -2), drawn, study()).marks
    small = question(design="randomised", smallest_effect=0.1, expect="worse")
    assert "raised anxiety by 0.50 points" in judge(effect(0.2, 0.8), small, study()).sentence


def test_more_than_one_unit_is_more_than_one():
    ten = question(exposure=Exposure(column="compassion", per=10))
    assert judge(effect(-3, -2), ten, study()).sentence.startswith("10 more points of compassion")
