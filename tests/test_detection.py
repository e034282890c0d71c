"""How well something is seen: R's numbers, intervals that hold the truth, and what is refused in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from designed import question, sample
from pydantic import ValidationError
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from researchkit.calibrate import weighed
from researchkit.errors import DataError, EstimationError, StudyError
from researchkit.estimators import delta, detection, estimate_sample
from researchkit.estimators.forecast import held_against
from researchkit.estimators.proportion import share
from researchkit.scales.generalisability import generalise
from researchkit.study import load_study

DRAWS = 200


@pytest.fixture(scope="module")
def known(held):
    frame = held.frames["contacts"]
    frame = frame[frame["compassion"].notna()].reset_index(drop=True)
    return frame.assign(agent=pd.factorize(frame["agent_id"])[0])


# --- R's numbers --------------------------------------------------------------------------------------------------


def test_a_share_has_wilsons_limits(held, known):
    found = share(known["resolved"].to_numpy(float))
    for quantity in ("value", "low", "high"):
        assert getattr(found, quantity) == held("share_wilson", quantity)


def test_a_correlation_and_its_error_by_cluster(held, known):
    x, y = (known[name].to_numpy(float) for name in ("compassion", "trust"))
    columns = delta.moments(x - x.mean(), y - y.mean())
    found = delta.of_means(columns, delta.correlation, known["agent"].to_numpy(), spent=delta.GROUP)
    rows = delta.of_means(columns, delta.correlation, spent=delta.GROUP)
    assert found.values[0] == held("correlation", "r")
    assert found.se() == held("correlation", "se", rel=1e-5)
    assert rows.se() == held("correlation", "se_rows", rel=1e-5)


@pytest.mark.parametrize("case", [2, 3])
def test_range_restriction_is_that_of_thorndike(held, known, case):
    columns = [known[name].to_numpy(float) for name in ("compassion", "trust", "tenure")[:case]]
    means = delta.moments(*(column - column.mean() for column in columns)).mean(axis=0)
    sd = 2 * float(np.std(columns[0 if case == 2 else 2]))
    assert delta.unrestricted(means, sd, case)[0] == held(f"range_case_{case}", "r")


def test_forecasts_are_held_against_what_came_as_glm_does(held, known):
    chance = 1 / (1 + np.exp(-(1.5 - 0.25 * known["severity"].to_numpy(float))))
    found = held_against(chance, known["resolved"].to_numpy(float), known["agent"].to_numpy())
    assert found.intercept.estimate == held("forecast", "intercept")
    assert found.intercept.se == held("forecast", "se_intercept")
    assert found.slope.estimate == held("forecast", "slope")
    assert found.slope.se == held("forecast", "se_slope")
    assert found.brier == held("forecast", "brier")
    came = sum(part.value * part.n for _, part in found.curve)
    assert came == pytest.approx(known["resolved"].sum())


def ratings():
    """The table of `detection.R`: every source of variance is there."""
    p, r, o = np.meshgrid(np.arange(1, 16.0), np.arange(1, 5.0), np.arange(1, 5.0), indexing="ij")
    levels = 3 * np.sin(p) + 4 * np.cos(2 * r) + 4 * np.sin(3 * o)
    twos = 2 * np.sin(p * r) + 1.5 * np.cos(2 * p * o) + np.cos(1.7 * r * o)
    return levels + twos + 0.6 * np.sin(7 * p * r * o)


def test_variance_of_raters_and_occasions_is_that_of_lme4(held):
    two, three = generalise(ratings()[:, :, 0]).components, generalise(ratings()).components
    names = {"person": "person", "rater": "rater", "person x rater": "Residual"}
    for ours, theirs in names.items():
        assert two[ours] == held("raters", theirs, rel=1e-4), ours
    both = {"occasion": "occasion", "person x rater": "person:rater", "person x occasion": "person:occasion"}
    both |= {"rater x occasion": "rater:occasion", "person x rater x occasion": "Residual"}
    for ours, theirs in (names | both).items():
        assert three[ours] == held("raters_and_occasions", theirs, rel=2e-4), ours


def test_more_raters_and_occasions_are_worth_what_brennan_says():
    found = generalise(ratings())
    part = found.components
    noise = part["person x rater"] / 2 + part["person x occasion"] / 3 + part["person x rater x occasion"] / 6
    assert found.relative(2, 3) == pytest.approx(part["person"] / (part["person"] + noise))
    levels = part["rater"] / 2 + part["occasion"] / 3 + part["rater x occasion"] / 6
    assert found.absolute(2, 3) == pytest.approx(part["person"] / (part["person"] + noise + levels))
    two = generalise(ratings()[:, :, 0])
    needed = two.raters_for(0.9)
    assert two.relative(needed) >= 0.9 > two.relative(needed - 1)


def test_an_effect_is_freed_of_the_error_of_its_measure(held, known):
    gold = known["compassion"].where(np.arange(len(known)) % 3 == 0)
    drawn = sample(
        known["trust"],
        known["compassion_customer"],
        {"severity": known["severity"]},
        {"review": gold.to_numpy(float)},
        cluster=known["agent"].to_numpy(),
    )
    found = estimate_sample(drawn, question(detection={"of": "effect", "by": "review"}))
    assert found.estimate == held("corrected", "value")
    assert found.se == held("corrected", "se")


def test_the_matrix_method_by_hand():
    """A flag with sensitivity 0.8 and specificity 0.9, half of whom have it: P(true | flag) = 8/9, P(true | none) = 2/11."""
    truth, flag, times = [1, 1, 0, 0], [1, 0, 1, 0], [80, 20, 10, 90]
    truth, flag = np.repeat(truth, times).astype(float), np.repeat(flag, times).astype(float)
    outcome = 2 * truth + np.tile([0.5, -0.5], 100)
    drawn = sample(outcome, flag, more={"review": truth})
    found = estimate_sample(drawn, question(detection={"of": "effect", "by": "review"}))
    shares = 8 / 9 - 2 / 11
    assert found.model.terms[1].estimate == pytest.approx(2 * shares, abs=1e-9)
    assert found.model.terms[2].estimate == pytest.approx(shares)
    assert found.estimate == pytest.approx(2)


# --- intervals hold the truth -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", weighed.STUDIES[:3])
def test_intervals_hold_their_truth_and_the_naive_ones_do_not(make):
    """Not so few that intervals which keep their promise would show it once in ten thousand runs."""
    for name, held in weighed.coverage(DRAWS, make).items():
        if name.startswith("not: "):
            assert held / DRAWS < 0.6, name
        else:
            assert stats.binom.cdf(held, DRAWS, 0.93) > 1e-4, (name, held)


# --- what is refused ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"of": "sensitivity", "by": "flag", "applicants_sd": 1}, "go with `of: correlation`"),
        ({"of": "correlation", "by": "flag", "chosen_by": "z"}, "needs `applicants_sd`"),
        ({"of": "effect", "by": "flag", "minimum": 0.1}, "does not go with `of: effect`"),
        ({"of": "specificity", "by": "flag", "minimum": -0.1}, "between 0 and 1"),
        ({"of": "correlation", "by": "flag", "forecast": "p"}, "goes with `of: sensitivity`"),
        ({"of": "correlation", "by": "flag", "raters": ["one"]}, "name two or more"),
        ({"of": "correlation", "by": "flag", "raters": ["a", "b"], "again": ["c"]}, "second ratings of the same"),
    ],
)
def test_entries_that_do_not_fit_are_refused_with_the_way_out(told, said):
    with pytest.raises(ValidationError, match=said):
        question(detection=told)


def against(told, **more):
    asked = question(detection=told, **more)
    return " ".join(asked.detection.against(asked))


def test_an_entry_beside_the_rest_of_its_question():
    share = {"of": "sensitivity", "by": "flag", "minimum": 0.5}
    assert "kind yes_no" in against(share, exposure="flag")
    assert "the exposure is 'flag' itself" in against(share, kind="yes_no")
    assert "give the `minimum`" in against({"of": "sensitivity", "by": "care"}, kind="yes_no")
    assert "held against itself" in against({"of": "correlation", "by": "score"})
    assert "adjusted for nothing" in against({"of": "correlation", "by": "flag"}, adjust=["age"])
    assert "both weigh" in against({"of": "correlation", "by": "flag", "chance": "p"}, weights="w")
    assert "cannot be both" in against({"of": "effect", "by": "care"})


def test_the_study_file_says_it_with_its_line(tmp_path, root):
    text = (root / "data" / "contact_centre_detection" / "study.yml").read_text(encoding="utf-8")
    path = tmp_path / "study.yml"
    path.write_text(text.replace("by: cue, minimum: 0.8", "by: distressed, minimum: 0.8"), encoding="utf-8")
    with pytest.raises(StudyError, match=r"line \d+: question cue_finds: .*held against itself"):
        load_study(path)


GOLD = np.tile([1.0, 0.0], 30)


@pytest.mark.parametrize(
    ("flag", "gold", "more", "said"),
    [
        (np.tile([0.0, 1.0, 2.0], 20), GOLD, {}, "a flag has two entries"),
        (np.tile(["yes", "no", "maybe"], 20).astype(object), GOLD, {}, "a flag has two entries"),
        (GOLD, np.zeros(60), {}, "there are 0 rows in which score is yes"),
        (GOLD, GOLD, {"chance": np.zeros(60)}, "60 entries are no chance of being reviewed"),
        (GOLD, GOLD, {"chance": np.array(["often"] * 60, dtype=object)}, "numbers are wanted here"),
    ],
    ids=["three values", "three words", "no true case", "chance of 0", "chance in words"],
)
def test_bad_flags_and_chances_are_said_by_name(flag, gold, more, said):
    told = {"of": "sensitivity", "by": "flag", "minimum": 0.5} | ({"chance": "chance"} if more else {})
    drawn = sample(gold, np.zeros(60), more={"flag": flag} | more)
    with pytest.raises(EstimationError, match=said):
        estimate_sample(drawn, question("yes_no", exposure="flag", detection=told))


def test_constant_scores_few_reviews_and_useless_measures_are_refused():
    flat = sample(np.arange(60), np.ones(60), more={"test": np.ones(60)})
    with pytest.raises(EstimationError, match="never varies"):
        estimate_sample(flat, question(exposure="test", detection={"of": "correlation", "by": "test", "minimum": 0}))
    rng = np.random.default_rng(1)
    review = np.where(np.arange(200) < 10, 1.0, np.nan)
    told = {"of": "effect", "by": "review"}
    drawn = sample(rng.normal(size=200), rng.normal(size=200), more={"review": review})
    with pytest.raises(EstimationError, match="10 rows have a review"):
        estimate_sample(drawn, question(detection=told))
    drawn = sample(rng.normal(size=200), rng.normal(size=200), more={"review": rng.normal(size=200)})
    with pytest.raises(EstimationError, match="hardly tells what the review finds"):
        estimate_sample(drawn, question(detection=told))


def test_all_found_is_no_certainty():
    flag = np.ones(40)
    told = {"of": "sensitivity", "by": "flag", "minimum": 0.5}
    found = estimate_sample(
        sample(flag, flag, more={"flag": flag}), question("yes_no", exposure="flag", detection=told)
    )
    assert found.estimate == pytest.approx(0.5)
    assert found.low == pytest.approx(1 / (1 + stats.norm.ppf(0.975) ** 2 / 40) - 0.5)


def test_where_all_are_found_clusters_count_as_one_each_and_weights_for_what_they_are_worth():
    flag, eight = np.ones(40), np.repeat(np.arange(8), 5)
    t, z = stats.t.ppf(0.975, 7), stats.norm.ppf(0.975)
    assert share(flag, eight).low == pytest.approx(1 / (1 + t**2 / 8))
    uneven = np.where(np.arange(40) < 20, 3.0, 1.0)
    worth = uneven.sum() ** 2 / (uneven**2).sum()
    assert share(flag, weights=uneven).low == pytest.approx(1 / (1 + z**2 / worth))


def test_ratings_without_variance_or_with_gaps_are_refused():
    with pytest.raises(DataError, match="2 persons, 2 raters"):
        generalise(np.ones((5, 1)))
    with pytest.raises(DataError, match="missing or infinite"):
        generalise(np.array([[1, np.nan], [2, 3]]))
    with pytest.raises(DataError, match="All ratings are the same"):
        generalise(np.ones((4, 3)))
    with pytest.raises(EstimationError, match="per cent are to be divided"):
        held_against(np.full(40, 50.0), np.tile([0.0, 1.0], 20))


# --- shares by hand -----------------------------------------------------------------------------------------------


def crossing(tp=33, fn=7, fp=6, tn=54, **given):
    """So many rows truly yes and found (tp), truly yes and missed (fn), and so on; the exposure alternates."""
    gold, flag = np.repeat([1.0, 1, 0, 0], [tp, fn, fp, tn]), np.repeat([1.0, 0, 1, 0], [tp, fn, fp, tn])
    return sample(gold, np.arange(len(gold)) % 2, more={"cue_flag": flag}, **given)


def holds(of="sensitivity", minimum=0.7, **told):
    entry = {"of": of, "by": "cue_flag"} | ({} if minimum is None else {"minimum": minimum}) | told
    exposure = "care" if minimum is None else "cue_flag"
    return question("yes_no", {"yes": "1"}, exposure=exposure, detection=entry)


@pytest.mark.parametrize(
    ("of", "right", "n", "least", "per_cent"),
    [("sensitivity", 33, 40, 0.4, "40 %"), ("specificity", 54, 60, 0.95, "95 %")],
)
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_a_share_held_to_a_minimum_is_wilsons_less_the_minimum(of, right, n, least, per_cent, level):
    found = estimate_sample(crossing(), holds(of, least), level)
    low, high = proportion_confint(right, n, alpha=1 - level, method="wilson")
    assert (found.estimate, found.low, found.high) == pytest.approx((right / n - least, low - least, high - least))
    se = (high - low) / 2 / stats.norm.ppf((1 + level) / 2)
    assert (found.se, found.p) == pytest.approx((se, 2 * stats.norm.sf(abs(right / n - least) / se)))
    assert (found.df, found.n, found.level, found.unit, found.kind) == (None, 100, level, "probability", "yes_no")
    assert found.contrast == f"{of} of cue flag, less the {per_cent} that is needed"
    assert found.method == f"{of} less the minimum, Wilson's limits"
    assert (found.model.name, found.model.errors, found.model.scale) == ("share", "Wilson", "share")
    (term,) = found.model.terms
    assert (term.term, found.notes, found.clusters) == (of, (), None)
    assert (term.estimate, term.se, term.low, term.high) == pytest.approx((right / n, se, low, high))
    assert np.isnan(term.p)


def test_the_level_of_a_share_is_95_per_cent_where_none_is_named():
    one, other = (detection.detection(crossing(), holds(), *level) for level in ((), (0.95,)))
    assert (one.low, one.high, one.level) == (other.low, other.high, 0.95)


@pytest.mark.parametrize(("cases", "noted"), [(24, True), (25, False)])
def test_few_cases_and_few_clusters_are_noted(cases, noted):
    drawn = crossing(cases - 4, 4, 10, 50, cluster=np.arange(60 + cases) % 20)
    few = "few events: fewer than 25 rows to judge by; with so few, an interval is rough"
    found = estimate_sample(drawn, holds())
    assert found.notes == ((few,) if noted else ())
    assert found.method == "sensitivity less the minimum, Wilson's limits, clustered by agent"
    assert found.clusters == 20 and found.df == 19
    inner = drawn.cluster[:cases]
    expected = share(drawn.more["cue_flag"][:cases], inner)
    assert (found.estimate, found.se, found.low) == pytest.approx(
        (expected.value - 0.7, expected.se, expected.low - 0.7)
    )
    nineteen = replace(drawn, cluster=np.arange(60 + cases) % 19)
    assert (
        "few clusters: 19; fewer than 20 leave the error itself uncertain" in estimate_sample(nineteen, holds()).notes
    )


@pytest.mark.parametrize(("of", "word"), [("sensitivity", "yes"), ("specificity", "no")])
def test_ten_cases_are_enough_and_nine_are_not(of, word):
    def counts(cases):
        return crossing(cases - 2, 2, 5, 40) if of == "sensitivity" else crossing(40, 5, 2, cases - 2)

    assert estimate_sample(counts(10), holds(of)).estimate == pytest.approx(0.8 - 0.7)
    with pytest.raises(EstimationError) as refused:
        estimate_sample(counts(9), holds(of))
    assert str(refused.value) == (
        f"The question 'q': there are 9 rows in which score is {word}; at least 10 are needed. Review more."
    )


def test_reviews_of_a_part_count_for_as_many_as_their_chance_says():
    """Half of the flagged were reviewed and a tenth of the others: a case missed stands for ten."""
    drawn = crossing()
    flag = drawn.more["cue_flag"]
    drawn = replace(drawn, more={"cue_flag": flag, "chance": np.where(flag == 1, 0.5, 0.1)})
    found = estimate_sample(drawn, holds(chance="chance"))
    assert found.estimate == pytest.approx(66 / (66 + 70) - 0.7)
    assert found.method == "sensitivity less the minimum, Wilson's limits, weighted"
    assert found.notes[-1].startswith("only a part was reviewed")
    terms = {term.term: term.estimate for term in detection.described(drawn, holds(chance="chance"), 0.95)}
    assert terms["prevalence"] == pytest.approx((66 + 70) / (66 + 70 + 12 + 540))
    groups = estimate_sample(drawn, holds(minimum=None, chance="chance"))
    assert groups.notes[-1] == found.notes[-1] and groups.method.endswith(", weighted")
    exposed = drawn.exposure[:40] == 1
    sides = [np.average(flag[:40][side], weights=np.where(flag[:40][side] == 1, 2, 10)) for side in (exposed, ~exposed)]
    assert groups.estimate == pytest.approx(sides[0] - sides[1])


@pytest.mark.parametrize("of", ["sensitivity", "specificity"])
def test_two_groups_are_compared_among_the_true_cases(of):
    """Nothing is adjusted for, so that the risk difference is that of the two shares."""
    rng = np.random.default_rng(5)
    gold, care = (rng.random(240) < 0.5).astype(float), (rng.random(240) < 0.5).astype(float)
    flag = (rng.random(240) < np.where(gold == 1, 0.6 + 0.2 * care, 0.3)).astype(float)
    drawn = sample(gold, care, more={"cue_flag": flag})
    found = estimate_sample(drawn, holds(of, None), 0.9)
    right, cases = (flag, gold == 1) if of == "sensitivity" else (1 - flag, gold == 0)
    one, none = right[cases & (care == 1)], right[cases & (care == 0)]
    assert found.estimate == pytest.approx(one.mean() - none.mean())
    assert found.n == 240 and found.level == 0.9
    assert found.contrast == f"{of} of cue flag, care +1 point"
    assert found.method.startswith(f"{of} among true cases, logistic, standardised over the sample, ")
    odds = one.sum() * (1 - none).sum() / (none.sum() * (1 - one).sum())
    assert found.also["odds ratio"][0] == pytest.approx(odds)


def test_other_questions_go_to_rooms_of_their_own():
    rng = np.random.default_rng(6)
    score, test = rng.normal(size=80), rng.normal(size=80)
    drawn = sample(score + test, test, more={"test_score": test})
    entry = {"of": "correlation", "by": "test_score", "minimum": 0.1}
    found = estimate_sample(drawn, question(exposure="test_score", detection=entry))
    assert found.estimate == pytest.approx(np.corrcoef(score + test, test)[0, 1] - 0.1)
    assert found.contrast == "correlation of test score, less the 0.1 that is needed"
    review = sample(score + test, test + 0.1 * rng.normal(size=80), more={"the_review": test})
    found = estimate_sample(review, question(detection={"of": "effect", "by": "the_review"}))
    assert found.contrast == "corrected for its error, care +1 point" and found.n == 80
    with pytest.raises(EstimationError, match="The question 'q' has no `detection`"):
        detection.detection(drawn, question())


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_all_shares_beside_the_answer_are_those_of_the_four_counts(level):
    drawn, tp, fn, fp, tn = crossing(), 33, 7, 6, 54
    counts = {
        "sensitivity": (tp, tp + fn),
        "specificity": (tn, tn + fp),
        "positive predictive value": (tp, tp + fp),
        "negative predictive value": (tn, tn + fn),
        "prevalence": (tp + fn, 100),
    }
    found = detection.described(drawn, holds(), level)
    assert [term.term for term in found] == list(counts)
    for term, (yes, n) in zip(found, counts.values(), strict=True):
        low, high = proportion_confint(yes, n, alpha=1 - level, method="wilson")
        assert (term.estimate, term.low, term.high) == pytest.approx((yes / n, low, high))
        assert 2 * stats.norm.ppf((1 + level) / 2) * term.se == pytest.approx(high - low) and np.isnan(term.p)


@pytest.mark.parametrize("of", ["sensitivity", "specificity"])
def test_where_groups_are_compared_each_has_its_own_share_first(of):
    drawn = crossing()
    gold, flag, care = drawn.outcome, drawn.more["cue_flag"], drawn.exposure
    reference, other, *rest = detection.described(drawn, holds(of, None), 0.95)
    case = 1 if of == "sensitivity" else 0
    assert (reference.term, other.term) == ("the reference group", "the other group")
    for term, arm in ((reference, 0), (other, 1)):
        assert term.estimate == pytest.approx(np.mean(flag[(gold == case) & (care == arm)] == case))
    assert [term.term for term in rest] == [term.term for term in detection.described(drawn, holds(), 0.95)]
    numeric = replace(drawn, exposure=np.arange(100.0), binary_exposure=False)
    assert len(detection.described(numeric, holds(of, None), 0.95)) == 5


def test_shares_of_nobody_are_left_out():
    told = {term.term: term.estimate for term in detection.described(crossing(20, 0, 10, 0), holds(), 0.95)}
    assert told == pytest.approx(
        {"sensitivity": 1, "specificity": 0, "positive predictive value": 2 / 3, "prevalence": 2 / 3}
    )
