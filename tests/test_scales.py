"""Scores against worked cases, reliability against R, change against a published trial."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import f

from researchkit import scales
from researchkit.errors import DataError, StudyError
from researchkit.parts import Scale
from researchkit.scales.scoring import refuse_turned

WORK = [f"w{number}" for number in range(1, 8)]


def people(*rows: list[float], items: list[str] = WORK) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=items, dtype=float)


def cbi(instrument: str = "cbi/work", **more) -> Scale:
    return Scale(items=WORK, instrument=instrument, **more)


# Three people scored by hand: complete, at the limit of four answers, and one answer past it.
HAND = people([5, 4, 3, 2, 1, 5, 1], [4, 4, np.nan, np.nan, 2, np.nan, 2], [4, 4, np.nan, np.nan, 2, np.nan, np.nan])


def test_cbi_work_in_the_puma_form_by_hand():
    scores, account = scales.score_scale(HAND, cbi())
    # last item reversed: 100+75+50+25+0+100+100 over 7; 75+75+25+75 over 4; three answers are too few
    assert scores.tolist() == pytest.approx([450 / 7, 62.5, np.nan], nan_ok=True)
    assert account == {"complete": 1, "imputed": 1, "dropped": 1, "blank": 0}


def test_the_other_form_reverses_another_item():
    scores, _ = scales.score_scale(HAND, cbi("cbi/alt10/work"))
    assert scores.iloc[0] == pytest.approx((100 + 75 + 50 + 75 + 0 + 100 + 0) / 7)


@pytest.mark.parametrize("more", [{"range": [0, 100]}, {}])
def test_answers_that_are_points_already_score_the_same(more):
    scores, _ = scales.score_scale((HAND - 1) * 25, cbi(**more))
    assert scores.iloc[0] == pytest.approx(450 / 7)


def test_answers_coded_0_to_4_need_their_range():
    scores, _ = scales.score_scale(HAND - 1, cbi(range=[0, 4]))
    assert scores.iloc[0] == pytest.approx(450 / 7)
    with pytest.raises(DataError, match=r"w5: 3 answers the scale does not have|w5: .* \(0"):
        scales.score_scale(HAND - 1, cbi())


@pytest.mark.parametrize("answer", [6, 0, 2.5])
def test_an_answer_that_the_instrument_does_not_have_stops(answer):
    with pytest.raises(DataError, match=rf"w2: 1 answers the scale does not have \({answer}\)"):
        scales.score_scale(people([5, answer, 3, 2, 1, 5, 1]), cbi())


INSTRUMENTS = scales.instruments()
CASES = [(id, case) for id in INSTRUMENTS for case in scales.read_instrument(id)["cases"]]


@pytest.mark.parametrize("id", INSTRUMENTS)
def test_every_key_holds_each_item_once_and_a_worth_for_each_answer(id):
    spec = scales.read_instrument(id)
    for name, form in spec["forms"].items():
        numbers = [number for part in form.values() for number in part["items"] if not part.get("whole")]
        assert sorted(numbers) == list(range(1, max(numbers) + 1))
        for part in form.values():
            assert set(part.get("reverse", ())) <= set(part["items"]) <= set(numbers)
            assert part["rule"] in ("mean", "sum")
        response = spec.get("responses", {}).get(name, spec["response"])
        assert len(response["points"]) == response["max"] - response["min"] + 1
    assert all(spec[word] for word in ("id", "title", "version", "licence", "citation"))
    assert spec["id"] == id
    places = {"all", *spec["forms"], *(scale for form in spec["forms"].values() for scale in form)}
    assert spec.get("unverified", {}).keys() <= places and all(spec.get("unverified", {}).values())


@pytest.mark.parametrize("id", INSTRUMENTS)
def test_every_scale_has_hand_scored_cases_on_both_sides_of_its_rule(id):
    """A complete one for each scale; for each instrument also one at the limit, and one past it that has no score."""
    spec = scales.read_instrument(id)
    forms = list(spec["forms"])
    scored = {(case.get("form", forms[0]), case["scale"]) for case in spec["cases"] if case["score"] is not None}
    assert {(forms[0], scale) for scale in spec["forms"][forms[0]]} <= scored
    assert {form for form, _ in scored} == set(forms)
    assert len(spec["cases"]) >= 3
    for case in spec["cases"]:
        key = scales.load_key(f"{id}/{case.get('form', forms[0])}/{case['scale']}")
        given = sum(answer is not None for answer in case["answers"])
        assert (case["score"] is None) == (given < key.min_answered)
    past = [case for case in spec["cases"] if case["score"] is None]
    limits = {scales.load_key(f"{id}/{case.get('form', forms[0])}/{case['scale']}").min_answered - 1 for case in past}
    assert limits & {sum(answer is not None for answer in case["answers"]) for case in past}


@pytest.mark.parametrize(("id", "case"), CASES, ids=[f"{id}-{place}" for place, (id, _) in enumerate(CASES)])
def test_a_hand_scored_case(id, case):
    form = case.get("form", next(iter(scales.read_instrument(id)["forms"])))
    names = [f"i{place}" for place in range(len(case["answers"]))]
    answers = people([np.nan if one is None else one for one in case["answers"]], items=names)
    scores, _ = scales.score_scale(answers, Scale(items=names, instrument=f"{id}/{form}/{case['scale']}"))
    wanted = np.nan if case["score"] is None else case["score"]
    assert scores.iloc[0] == pytest.approx(wanted, nan_ok=True)


@pytest.mark.parametrize("id", INSTRUMENTS)
def test_the_ends_of_a_scale_can_be_reached(id):
    spec = scales.read_instrument(id)
    for name, form in spec["forms"].items():
        response = spec.get("responses", {}).get(name, spec["response"])
        for scale, part in form.items():
            turned = [place for place, number in enumerate(part["items"]) if number in part.get("reverse", ())]
            names = [f"i{place}" for place in range(len(part["items"]))]
            for least, most, point in ((response["min"], response["max"], 0), (response["max"], response["min"], -1)):
                row = [most if place in turned else least for place in range(len(names))]
                scores, _ = scales.score_scale(
                    people(row, items=names), Scale(items=names, instrument=f"{id}/{name}/{scale}")
                )
                times = len(names) if part["rule"] == "sum" else 1
                assert scores.iloc[0] == times * response["points"][point]


@given(st.lists(st.lists(st.integers(1, 4), min_size=8, max_size=8), min_size=1, max_size=3))
def test_both_directions_of_the_olbi_give_one_score(rows):
    """At most three people: with more, a reversed item that goes against the others would stop it."""
    names = list("abcdefgh")
    answers = people(*rows, items=names)
    for scale in ("exhaustion", "disengagement"):
        one, other = (Scale(items=names, instrument=f"olbi/{form}/{scale}") for form in ("agree_is_1", "agree_is_4"))
        first = scales.score_scale(answers, one)[0].tolist()
        assert first == scales.score_scale(5 - answers, other)[0].tolist()


def test_a_form_has_to_be_named_where_none_is_the_usual_one():
    with pytest.raises(StudyError, match=r"which end is “strongly agree”.*as in olbi/agree_is_1/exhaustion"):
        scales.load_key("olbi/exhaustion")


def test_a_version_with_other_answers_stops_the_run():
    names = [f"p{place}" for place in range(10)]
    rows = people([0, 5, 1, 1, 5, 5, 1, 1, 1, 5], items=names)
    with pytest.raises(DataError, match=r"p0: 1 answers the scale does not have \(0\)"):
        scales.score_scale(rows, Scale(items=names, instrument="proqol/burnout"))
    scales.score_scale(rows, Scale(items=names, instrument="proqol/iv/burnout"))


def test_an_answer_that_does_not_apply_is_no_gap():
    names = [f"c{place}" for place in range(10)]
    rows = people([4] * 8 + [6, 6], [4] * 7 + [6, 6, 6], [4] * 10, items=names)
    care = Scale(items=names, instrument="care/total", not_applicable=[6])
    scores, account = scales.score_scale(rows, care)
    assert scores.tolist() == pytest.approx([40, np.nan, 40], nan_ok=True)
    assert account == {"complete": 1, "imputed": 1, "dropped": 1, "blank": 0, "not applicable": 2}
    with pytest.raises(DataError, match="answers the scale does not have"):
        scales.score_scale(rows, Scale(items=names, instrument="care/total"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cbi/wrk", "no scale 'wrk'.*did you mean 'work'"),
        ("cbi/alt/work", "no form 'alt'.*did you mean 'alt10'"),
        ("cib/work", "no instrument 'cib'.*did you mean 'cbi'"),
        ("cbi", "no scale ''.*client, personal, work"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(name, words):
    with pytest.raises(StudyError, match=words):
        scales.load_key(name)


def test_a_key_wants_its_number_of_items():
    with pytest.raises(StudyError, match="cbi/work has 7 items; 6 are listed"):
        scales.score_scale(HAND, Scale(items=WORK[:6], instrument="cbi/work"))


def test_cut_offs_carry_source_and_warning():
    (line,) = scales.burnout_cutoffs("cbi")
    assert (line.at, line.direction) == (50, "or more")
    assert "PUMA" in line.source
    lines = {(cut.scale, cut.at) for cut in scales.burnout_cutoffs("mbi_hss")}
    assert {("exhaustion", 27), ("depersonalisation", 10), ("depersonalisation", 14)} == lines
    assert all(cut.source and cut.warning for cut in scales.burnout_cutoffs("mbi_hss"))


def test_a_scale_in_the_study_own_words():
    answers = people([1, 2, 3], [1, np.nan, 3], [np.nan, np.nan, np.nan], items=["a", "b", "c"])
    strict = Scale(items=["a", "b", "c"], rule="sum")
    assert scales.score_scale(answers, strict)[0].tolist() == pytest.approx([6, np.nan, np.nan], nan_ok=True)
    filled = strict.model_copy(update={"min_answered": 2})
    scores, account = scales.score_scale(answers, filled)
    assert scores.tolist() == pytest.approx([6, 6, np.nan], nan_ok=True)
    assert account == {"complete": 1, "imputed": 1, "dropped": 0, "blank": 1}
    turned = Scale(items=["a", "b", "c"], reverse=["c"], range=[0, 4])
    assert scales.score_scale(answers, turned)[0].iloc[0] == pytest.approx((1 + 2 + 1) / 3)


def test_reversing_wants_a_range_and_an_item_of_the_scale():
    with pytest.raises(StudyError, match=r"add `range: \[lowest, highest\]`"):
        scales.rule_of(Scale(items=["a", "b"], reverse=["b"]))
    with pytest.raises(StudyError, match="c is reversed but is none of the items"):
        scales.rule_of(Scale(items=["a", "b"], reverse=["c"], range=[0, 4]))


def test_an_item_reversed_twice_stops():
    rng = np.random.default_rng(1)
    feeling = rng.integers(1, 6, 200)
    answers = pd.DataFrame({name: np.clip(feeling + rng.integers(-1, 2, 200), 1, 5) for name in "abcd"}, dtype=float)
    wrong = Scale(items=list("abcd"), reverse=["d"], range=[1, 5])  # d is written the same way round as the others
    with pytest.raises(DataError, match="d: after reversing, the answers go against"):
        scales.score_scale(answers, wrong)
    scales.score_scale(answers.assign(d=6 - answers["d"]), wrong)


def test_an_item_against_the_rest_by_chance_alone_does_not_stop():
    answers = people(
        [1, 2, 1], [2, 1, 2], [1, 1, 2], [2, 2, 2], [1, 2, 2], [2, 2, 1], [1, 1, 1], [2, 2, 2], items=list("abc")
    )
    turned = answers.assign(c=6 - answers["c"])
    assert scales.item_rest(turned.to_numpy())[2] < 0
    scales.score_scale(answers, Scale(items=list("abc"), reverse=["c"], range=[1, 5]))


@given(st.lists(st.lists(st.integers(1, 5), min_size=3, max_size=3), min_size=1, max_size=30))
def test_reversing_all_items_mirrors_the_score(rows):
    answers = people(*rows, items=list("abc"))
    plain, _ = scales.score_scale(answers, Scale(items=list("abc"), range=[1, 5]))
    mirrored, _ = scales.score_scale(6 - answers, Scale(items=list("abc"), range=[1, 5]))
    assert (6 - mirrored).to_numpy() == pytest.approx(plain.to_numpy())


def test_scoring_leaves_the_frame_alone():
    before = HAND.copy()
    scales.score_scale(HAND, cbi())
    pd.testing.assert_frame_equal(HAND, before)


@pytest.fixture
def worry(reference) -> np.ndarray:
    return reference.frame("bfi_cc")[[f"N{number}" for number in range(1, 6)]].dropna().to_numpy(dtype=float)


def test_alpha_and_its_interval_agree_with_r(reference, worry):
    """psych::alpha and Feldt's interval by formula."""
    names = ("alpha_raw", "feldt_ci95lo", "feldt_ci95hi")
    for name, ours in zip(names, scales.cronbach_alpha(worry), strict=True):
        assert ours == reference.value("reliability_bfi_N", name)


def test_item_rest_correlations_agree_with_r(reference, worry):
    """r.drop of psych::alpha."""
    for number, ours in enumerate(scales.item_rest(worry), 1):
        assert ours == reference.value("reliability_bfi_N", f"r_item_rest_N{number}")


def test_alpha_of_people_who_do_not_differ_is_refused():
    with pytest.raises(DataError, match="everybody has the same total"):
        scales.cronbach_alpha(np.ones((5, 3)))


CLAUS = {"reliability": 0.801, "functional_mean": 7.69, "functional_sd": 7.52}


def test_change_in_the_claus_trial_is_as_published(mirror):
    """Claus et al., J Stat Softw 111(1): of 40 people 10 recovered, 8 improved, 22 unchanged."""
    visits = pd.read_csv(mirror / "claus2020-depression-rct" / "claus_2020.csv").pivot(
        index="id", columns="time", values="bdi"
    )
    found = scales.reliable_change(visits[1], visits[4], **CLAUS)
    assert found.value_counts().to_dict() == {"unchanged": 22, "recovered": 10, "improved": 8}
    assert len(found) == 43


def test_change_for_the_worse_and_through_the_cut_off():
    before = pd.Series([30.0, 30, 30, 5, 22, 40], index=list("abcdef"))
    after = pd.Series([5.0, 16, 29, 35, 40, np.nan], index=list("abcdef"))
    found = scales.reliable_change(before, after, **CLAUS)
    assert found.iloc[:5].tolist() == ["recovered", "improved", "unchanged", "harmed", "deteriorated"]
    assert found.isna().tolist() == [False] * 5 + [True]
    well = before.replace(5, 14), after.replace(35, 0)  # within the functional range all along: improved, not recovered
    assert scales.reliable_change(*well, **(CLAUS | {"reliability": 0.95}))["d"] == "improved"
    mirrored = scales.reliable_change(-before, -after, **(CLAUS | {"functional_mean": -7.69}), good="high")
    pd.testing.assert_series_equal(found, mirrored)


TABLE = {4: 30.0, 5: 33.5, 6: 36.25, 8: 41.0}


def by_table(rows, **more):
    frame = pd.DataFrame(rows, columns=["a", "b", "c", "d"], dtype=float)
    scale = Scale(items=("a", "b", "c", "d"), rule="sum", range=(1, 5), table=TABLE, **more)
    return scales.score_scale(frame, scale)


def test_a_table_turns_the_sum_into_the_score():
    scores, account = by_table([[1, 1, 1, 1], [1, 2, 1, 1], [2, 2, 2, 2], [2, None, 1, 1]])
    assert scores[:3].tolist() == [30.0, 33.5, 41.0]
    assert math.isnan(scores[3]), "with a gap there is no sum"
    assert account == {"complete": 3, "imputed": 0, "dropped": 1, "blank": 0}


def test_a_sum_made_up_for_a_gap_has_a_score_only_where_the_table_has_one():
    scores, account = by_table([[1, 1, 1, None], [2, 1, 1, None], [2, 2, 2, None]], min_answered=3)
    assert scores.iloc[0] == 30.0
    assert math.isnan(scores.iloc[1]), "five and a third is no row of the table"
    assert scores.iloc[2] == 41.0
    assert account == {"complete": 0, "imputed": 2, "dropped": 1, "blank": 0}


def test_a_sum_that_the_table_lacks_stops():
    with pytest.raises(DataError, match=r"2 rows come to 7 and 20, for which the scale's `table` has no score"):
        by_table([[1, 2, 2, 2], [5, 5, 5, 5], [1, 1, 1, 1]])


def test_a_sum_of_which_the_table_has_the_double_is_lacking_all_the_same():
    scale = Scale(items=FOUR, rule="sum", range=(1, 5), table={8: 1.0, 16: 2.0})
    with pytest.raises(DataError, match="1 rows come to 4, for which"):
        scales.score_scale(answers([1, 1, 1, 1], [2, 2, 2, 2]), scale)


def test_the_ends_of_a_table_are_those_of_the_score():
    assert scales.rule_of(Scale(items=("a", "b"), rule="sum", table=TABLE)).ends(2) == (30.0, 41.0)
    assert scales.rule_of(Scale(items=("a", "b"), rule="sum", range=(1, 5))).ends(2) == (2.0, 10.0)
    assert scales.rule_of(Scale(items=("a", "b"))).ends(2) is None


@pytest.mark.parametrize("good", ["low", "high"])
@pytest.mark.parametrize("unit", [0.01, 1.0, 100.0])
def test_each_change_is_what_jacobson_and_truax_call_it(good, unit):
    """Person by person, from the formulas on their pages 13 and 14, in any unit."""
    rng = np.random.default_rng(4)
    before = pd.Series(rng.normal(20, 6, 500) * unit)
    after = before + pd.Series(rng.normal(0, 9, 500) * unit)
    found = scales.reliable_change(
        before, after, reliability=0.8, functional_mean=14 * unit, functional_sd=4 * unit, good=good
    )
    s1, s0 = float(before.std()), 4 * unit
    c = (s0 * before.mean() + s1 * 14 * unit) / (s0 + s1)
    differs = np.sqrt(2 * (s1 * np.sqrt(1 - 0.8)) ** 2)

    def called(x1, x2):
        gain = (x1 - x2 if good == "low" else x2 - x1) / differs
        well = [x < c if good == "low" else x > c for x in (x1, x2)]
        if abs(gain) <= 1.96:
            return "unchanged"
        if gain > 0:
            return "recovered" if well == [False, True] else "improved"
        return "harmed" if well == [True, False] else "deteriorated"

    assert found.tolist() == [called(x1, x2) for x1, x2 in zip(before, after, strict=True)]
    assert set(found) == {"unchanged", "recovered", "improved", "harmed", "deteriorated"}


@pytest.mark.parametrize(
    "changes", [{"reliability": 0.0}, {"reliability": 1.0}, {"reliability": -0.5}, {"reliability": 1.5}, {"same": True}]
)
def test_a_change_cannot_be_judged_without_reliability_or_spread(changes):
    before = pd.Series([3.0, 3.0, 3.0] if changes.pop("same", False) else [1.0, 2.0, 3.0])
    with pytest.raises(DataError, match="between 0 and 1, and scores that differ"):
        scales.reliable_change(before, before, **(CLAUS | changes))


FOUR = ("a", "b", "c", "d")


def answers(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(FOUR), dtype=float)


def test_who_ticks_one_column_is_counted_where_items_contradict():
    """The same to all, though half are turned; not the middle, which contradicts nothing, nor with a gap."""
    frame = answers(
        [1, 1, 1, 1], [5, 5, 5, 5], [3, 3, 3, 3], [4, 4, 4, 5], [2, 2, 2, 2], [2, 2, 2, np.nan], [5, 1, 2, 2]
    )
    for turned, lined in ((("b", "d"), 3), (("b",), 3), ((), 0), (FOUR, 0)):
        scale = Scale(items=FOUR, reverse=turned, range=(1, 5))
        assert scales.straight_lined(frame, scale) == lined, turned
    assert scales.straight_lined(frame + 10, Scale(items=FOUR, reverse=("b",), range=(11, 15))) == 3
    assert scales.straight_lined(frame, Scale(items=FOUR)) == 0
    even = Scale(items=FOUR, reverse=("b",), range=(1, 4))  # of four answers none is in the middle
    assert scales.straight_lined(answers([2] * 4, [3] * 4), even) == 2


def test_how_few_answers_make_a_score():
    frame = answers([1, np.nan, np.nan, np.nan], [np.nan] * 4, [1, 2, np.nan, np.nan], [1, 2, 3, 4])
    for least, scored, account in (
        (1, [1, np.nan, 1.5, 2.5], {"complete": 1, "imputed": 2, "dropped": 0, "blank": 1}),
        (2, [np.nan, np.nan, 1.5, 2.5], {"complete": 1, "imputed": 1, "dropped": 1, "blank": 1}),
        (4, [np.nan, np.nan, np.nan, 2.5], {"complete": 1, "imputed": 0, "dropped": 2, "blank": 1}),
    ):
        found, told = scales.score_scale(frame, Scale(items=FOUR, range=(1, 5), min_answered=least))
        assert found.tolist() == pytest.approx(scored, nan_ok=True) and told == account
    assert scales.rule_of(Scale(items=FOUR, range=(1, 5))).ends(4) == (1, 5)
    assert scales.rule_of(Scale(items=FOUR, range=(5, 1), rule="sum")).ends(4) == (4, 20)
    assert scales.rule_of(Scale(items=FOUR)).ends(4) is None


PERSONAL = tuple(f"p{number}" for number in range(1, 7))


@pytest.mark.parametrize(
    ("codes", "points", "low"),  # how many rows with a code (1), and with points (25), as often as they occur
    [((), (), 1.0), ((1,), (), 1.0), ((), (1,), 0.0), ((3, 3), (5,), 1.0), ((2, 2), (5,), 0.0), ((5,), (5,), 1.0)],
)
def test_codes_or_points_is_decided_by_the_most_rows(codes, points, low):
    rows = np.array([[1.0]] * len(codes) + [[25.0]] * len(points)).reshape(-1, 1)
    often = np.array([*codes, *points], dtype=np.int64).reshape(-1, 1)
    scale = Scale(items=PERSONAL, instrument="cbi/personal")
    assert scales.rule_of(scale, rows, often).low == low
    if not codes or not points:
        assert scales.rule_of(scale, rows).low == low


@pytest.mark.parametrize(("given", "told"), [(7.5, "7.5"), (2.5, "2.5"), (0.0, "0"), (6.0, "6")])
def test_an_answer_between_or_beyond_the_steps_is_refused(given, told):
    frame = pd.DataFrame([[1.0, 2, 3, 4, 5, given]] * 2, columns=list(PERSONAL))
    with pytest.raises(DataError, match=rf"p6: 2 answers the scale does not have \({told}\)"):
        scales.score_scale(frame, Scale(items=PERSONAL, instrument="cbi/personal"))


def test_points_between_the_steps_are_refused():
    frame = pd.DataFrame([[0.0, 25, 50, 75, 100, 30]], columns=list(PERSONAL))
    with pytest.raises(DataError, match=r"p6: 1 answers the scale does not have \(30\)"):
        scales.score_scale(frame, Scale(items=PERSONAL, instrument="cbi/personal"))


@pytest.mark.parametrize("items", [PERSONAL[:5], (*PERSONAL, "p7")])
def test_a_questionnaire_has_as_many_items_as_its_key(items):
    with pytest.raises(StudyError, match=f"has 6 items; {len(items)} are listed"):
        scales.rule_of(Scale(items=items, instrument="cbi/personal"))


@pytest.mark.parametrize(
    ("rest", "n", "refused"),
    [(-0.3, 30, False), (-0.3, 43, False), (-0.3, 44, True), (-0.3, 60, True), (0.3, 60, False)],
)
def test_an_item_goes_against_the_others_where_chance_does_not_make_it(rest, n, refused):
    """Fisher: tanh(arctanh(-0.3) + 1.96 / sqrt(27)) is 0.07, with 57 in place of 27 it is -0.05; 0.0004 with 40, -0.003
    with 41."""
    if not refused:
        return refuse_turned(np.array([0.5, rest]), n, [1], ("a", "b"))
    with pytest.raises(DataError, match="b: after reversing, the answers go against"):
        refuse_turned(np.array([0.5, rest]), n, [1], ("a", "b"))


def test_four_people_are_enough_to_see_a_wrong_key_and_three_are_not():
    frame = answers([1, 1, 1, 1], [2, 2, 2, 2], [4, 4, 4, 4], [5, 5, 5, 5])
    scale = Scale(items=FOUR, reverse=("d",), range=(1, 5))
    assert scales.score_scale(frame[:3], scale)[1]["complete"] == 3
    with pytest.raises(DataError, match="d: after reversing"):
        scales.score_scale(frame, scale)


@pytest.mark.parametrize("level", [0.4, 0.95])
def test_the_limits_of_alpha_are_feldts(level):
    """(1 - limit) / (1 - alpha) is at the quantile of F with n - 1 and (n - 1)(k - 1); also where alpha is low."""
    items = np.random.default_rng(8).normal(size=(40, 3)) + 0.3 * np.random.default_rng(9).normal(size=(40, 1))
    alpha, low, high = scales.cronbach_alpha(items, level)
    assert 0 < alpha < 0.5
    assert f.cdf((1 - low) / (1 - alpha), 39, 78) == pytest.approx((1 + level) / 2)
    assert f.cdf((1 - high) / (1 - alpha), 39, 78) == pytest.approx((1 - level) / 2)
    assert scales.cronbach_alpha(items * 0.01, level) == pytest.approx((alpha, low, high))


def test_alpha_needs_two_rows_and_two_items_that_differ():
    assert scales.cronbach_alpha(np.array([[1.0, 1.0], [2.0, 2.0]])) == pytest.approx((1.0, 1.0, 1.0))
    assert scales.cronbach_alpha(np.array([[1.0, 1, 1], [2.0, 2, 2]]))[0] == pytest.approx(1.0)
    for items, said in (
        (np.ones((1, 3)), "there are 1 and 3"),
        (np.ones((3, 1)), "there are 3 and 1"),
        (np.ones((3, 2)), "everybody has the same total"),
    ):
        with pytest.raises(DataError, match=said):
            scales.cronbach_alpha(items)


def test_omega_of_three_items_is_that_of_their_covariances():
    """One factor fits three items exactly: the loading of the first is sqrt(s12 s13 / s23). In any unit."""
    rng = np.random.default_rng(10)
    items = rng.normal(size=(200, 1)) * np.array([1.0, 0.8, 1.3]) + rng.normal(size=(200, 3)) * np.array(
        [0.7, 1.0, 0.9]
    )
    s = np.cov(items.T)
    loadings = np.sqrt([s[0, 1] * s[0, 2] / s[1, 2], s[0, 1] * s[1, 2] / s[0, 2], s[0, 2] * s[1, 2] / s[0, 1]])
    expected = loadings.sum() ** 2 / s.sum()
    assert scales.omega(items) == pytest.approx(expected, rel=1e-5)
    assert scales.omega(items * 0.01) == pytest.approx(expected, rel=1e-5)
    for few in (items[:3], items[:2]):
        with pytest.raises(DataError, match="more rows than items"):
            scales.omega(few)
