"""Who had the exposure: the arrays of each kind, chances by statsmodels, weighted means by stacked equations, overlap."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import statsmodels.api as sm
from designed import question, sample
from scipy.special import expit
from scipy.stats import norm, t

from researchkit.errors import EstimationError
from researchkit.estimators import estimate_sample, propensity
from researchkit.estimators.effect import Count
from researchkit.estimators.likelihood import LOG, LOGIT
from researchkit.estimators.weighting import inverse_probability

N = 150
IPW = "inverse probability"
STEPS = {"levels": tuple("abc"), "level_values": (1.0, 2.0, 3.0), "level_codes": tuple("123")}
ELEVEN = {"levels": tuple(map(str, range(11))), "level_values": tuple(map(float, range(11)))}


def made(kind="score", three=True, **more):
    """Three arms, the last a further level; care goes with need."""
    rng = np.random.default_rng(1)
    need = rng.normal(size=N)
    arm = rng.choice(3, N) if three else (rng.random(N) < expit(0.7 * need)).astype(int)
    pull = 0.5 * (arm == 1) + 0.8 * (arm == 2) + 0.5 * need
    days = rng.uniform(0.5, 3, N)
    outcome = {"yes_no": rng.random(N) < expit(pull), "counts": rng.poisson(days * np.exp(pull))}.get(kind)
    outcome = np.digitize(pull + rng.normal(size=N), [0, 1]) if kind == "ordered" else outcome
    outcome = pull + rng.normal(size=N) if outcome is None else outcome
    others = {"need": need} | ({"care: much": arm == 2} if three else {})
    told = STEPS if kind == "ordered" else {}
    return sample(
        outcome, arm == 1, others, groups=("need", "care")[: 1 + three], **told, **({"offset_time": days} | more)
    )


def ask(kind, **outcome):
    needs = {"ordered": {"top": ["3"]}, "counts": {"time": "days"}, "change": {"baseline": "before"}}.get(kind, {})
    return question(kind, ({} if outcome.get("nps") else needs) | outcome)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["score", "change", "yes_no", "counts", "ordered"])
def test_every_kind_becomes_a_mean_of_numbers(kind, weighted):
    weights = np.random.default_rng(2).uniform(0.5, 3, N) if weighted else None
    before = np.random.default_rng(3).normal(size=N)
    rows = made(kind, weights=weights, baseline=before)
    now = propensity.ready(rows, ask(kind))
    heavy = np.ones(N) if weights is None else weights
    outcome, size = {"counts": (rows.outcome / rows.offset_time, heavy * rows.offset_time)}.get(
        kind, (rows.outcome, heavy)
    )
    outcome = 1.0 * (rows.outcome == 2) if kind == "ordered" else outcome
    assert now.outcome == pytest.approx(outcome) and now.size == pytest.approx(size)
    assert now.people == pytest.approx(heavy)
    assert now.link is {"yes_no": LOGIT, "ordered": LOGIT, "counts": LOG}.get(kind)
    units = {"yes_no": "probability", "ordered": "probability", "counts": "events per unit of days"}
    assert now.unit == units.get(kind, "point")
    started = ("before (centred)",) if kind == "change" else ()
    assert now.names == (*started, "need", "Intercept") and now.reasons.shape == (N, len(now.names))
    assert now.reasons[:, -1].tolist() == [1.0] * N
    assert np.corrcoef(now.reasons[:, -2], rows.covariates[:, 0])[0, 1] == pytest.approx(1)
    further = rows.covariates[:, 1] == 1
    assert now.arm(rows, 1.0).tolist() == (rows.exposure == 1).tolist()
    assert now.arm(rows, 0.0).tolist() == ((rows.exposure == 0) & ~further).tolist()
    assert now.notes == ()


def test_units_are_the_questions_own_and_points_have_no_link():
    rows = made()
    assert propensity.ready(rows, ask("score", unit="night")).unit == "night"
    counted = made("counts")
    assert propensity.ready(counted, ask("counts", unit="call")).unit == "call"
    alone = propensity.ready(replace(counted, offset_time=None), question("counts"))
    assert alone.unit == "events per person" and alone.outcome.tolist() == counted.outcome.tolist()
    scores = np.random.default_rng(1).integers(0, 11, N)
    told = replace(rows, outcome=scores.astype(float), **ELEVEN, level_codes=ELEVEN["levels"])
    now = propensity.ready(told, ask("ordered", nps=True))
    assert now.outcome == pytest.approx(100.0 * (scores >= 9) - 100.0 * (scores <= 6))
    assert (now.link, now.unit) == (None, "NPS points")


@pytest.mark.parametrize(
    ("kind", "outcome", "words"),
    [
        ("yes_no", np.arange(N) < 4, "only 4 people have the rarer outcome"),
        ("counts", np.arange(N) < 4, "only 4 events happened"),
        ("ordered", np.arange(N) % 2, "fall into one group"),
        ("score", np.ones(N), "is the same in all"),
    ],
)
def test_what_a_kind_has_against_its_data(kind, outcome, words):
    with pytest.raises(EstimationError, match=words):
        propensity.ready(replace(made(kind), outcome=np.asarray(outcome, float)), ask(kind))


def test_notes_of_what_is_left_out_come_along():
    rows = made(three=False)
    need = rows.covariates[:, 0]
    twice = replace(
        rows, covariates=np.column_stack([need, 2 * need]), names=("need", "again"), groups=("need", "again")
    )
    now = propensity.ready(replace(twice, cluster=np.arange(N) % 7, cluster_name="team"), ask("score"))
    left = "left out because the other covariates determine them: again"
    assert now.notes == ("few clusters: 7 (team)", left) and now.names == ("need", "Intercept")


@pytest.mark.parametrize(("arm", "side"), [(1, "with"), (0, "without")])
def test_an_arm_of_one_outcome_is_refused_and_a_further_level_is_no_arm(arm, side):
    rows = made()
    inside = (rows.exposure == arm) & (rows.covariates[:, 1] == 0)
    flat = replace(rows, outcome=np.where(inside, 3.0, rows.outcome))
    with pytest.raises(EstimationError) as refused:
        propensity.refuse_same(propensity.ready(flat, ask("score")), flat, ask("score"))
    assert str(refused.value) == (
        f"The question 'q': all rows {side} care have the same score, so the error of their mean cannot be told. Collect "
        "more data."
    )
    further = replace(rows, outcome=np.where(rows.covariates[:, 1] == 1, 3.0, rows.outcome))
    assert propensity.refuse_same(propensity.ready(further, ask("score")), further, ask("score")) is None


@pytest.mark.parametrize("weighted", [False, True])
def test_chances_are_those_of_a_logistic_regression_of_each_arm(weighted):
    weights = np.random.default_rng(2).uniform(0.5, 3, N) if weighted else None
    rows = made("counts", weights=weights)  # people's weights, not those of their time
    sides = propensity.chances(propensity.ready(rows, ask("counts")), rows, ask("counts"))
    columns = sm.add_constant(rows.covariates[:, 0])
    for (arm, chance), inside in zip(
        sides, (rows.exposure == 1, rows.covariates[:, 1] + rows.exposure == 0), strict=True
    ):
        fit = sm.GLM(inside.astype(float), columns, sm.families.Binomial(), var_weights=weights).fit(tol=1e-13)
        assert arm.tolist() == inside.tolist() and chance == pytest.approx(fit.fittedvalues, rel=1e-7)


def test_who_has_no_counterpart_is_told_by_the_column_that_says_it():
    rows = made(three=False)
    now = propensity.ready(rows, ask("score"))
    for names, furthest, named in (
        (("a", "b", "Intercept"), [3.0, -9.0, 99.0], "b"),
        (("a", "b", "Intercept"), [30.0, -9.0, 99.0], "a"),
        (("Intercept",), [99.0], "the intercept"),
    ):
        assert str(propensity.told_apart(names, np.array(furthest), rows, ask("score"))) == (
            f"The question 'q': {named}, alone or with other columns of `adjust`, tells exactly who has care, so some "
            "people have no counterpart on the other side to be weighted up. Leave out those people with `keep`, or "
            "that column if it is no reason for the outcome."
        )
    apart = replace(rows, exposure=(rows.covariates[:, 0] > 0).astype(float))
    with pytest.raises(EstimationError, match=r"'q': need, alone or with"):
        propensity.chances(replace(now, columns=now.columns), apart, ask("score"))


# Weighted means


def stacked(rows, outcome, size, people, inside):
    """Means of both arms and their covariance by the stacked equations, with numerical derivatives."""
    reasons = sm.add_constant(rows.covariates[:, 0])

    def equations(at):
        parts = []
        for arm, slopes, mean in zip(inside, (at[:2], at[2:4]), at[4:], strict=True):
            chance = expit(reasons @ slopes)
            parts += [reasons * (people * (arm - chance))[:, None], (arm * size / chance * (outcome - mean))[:, None]]
        return np.column_stack([parts[0], parts[2], parts[1], parts[3]])

    slopes = [
        sm.GLM(arm.astype(float), reasons, sm.families.Binomial(), var_weights=people).fit(tol=1e-13).params
        for arm in inside
    ]
    chances = [expit(reasons @ one) for one in slopes]
    means = [
        np.average(outcome[arm], weights=(size / chance)[arm]) for arm, chance in zip(inside, chances, strict=True)
    ]
    at = np.concatenate([*slopes, means])
    steps = 1e-6 * np.eye(len(at))
    bread = np.linalg.inv(np.column_stack([(equations(at + s) - equations(at - s)).sum(axis=0) / 2e-6 for s in steps]))
    return means, (equations(at) @ bread.T)[:, 4:]


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["score", "counts"])
def test_weighted_means_and_their_errors_are_those_of_stacked_equations(kind, weighted, clustered):
    people = np.random.default_rng(2).uniform(0.5, 3, N) if weighted else np.ones(N)
    cluster = np.arange(N) % 29 if clustered else None
    rows = made(kind, weights=people if weighted else None, cluster=cluster)
    found = estimate_sample(rows, ask(kind), 0.9, IPW)
    time = rows.offset_time if kind == "counts" else np.ones(N)
    inside = [rows.exposure == 1, rows.covariates[:, 1] + rows.exposure == 0]
    (one, none), moves = stacked(rows, rows.outcome / time, people * time, people, inside)
    moves = np.column_stack([moves[:, 0] - moves[:, 1], moves])
    if clustered:
        moves = np.sqrt(29 / 28) * np.array([moves[cluster == team].sum(axis=0) for team in range(29)])
    errors, quantile = np.sqrt(np.sum(moves**2, axis=0)), (t(28) if clustered else norm).ppf(0.95)
    for term, value, se in zip(found.model.terms, (one - none, one, none), errors, strict=True):
        assert (term.estimate, term.se) == pytest.approx((value, se), rel=1e-5)
        assert (term.low, term.high) == pytest.approx((value - quantile * se, value + quantile * se), rel=1e-4)
    assert [one.term for one in found.model.terms] == ["care", "mean with care", "mean without"]
    for field in ("estimate", "se", "low", "high", "p"):
        assert getattr(found, field) == getattr(found.model.terms[0], field)
    assert found.df == (28 if clustered else None)
    where = (" clustered by agent" if clustered else "") + (", weighted" if weighted else "")
    assert found.method == (
        "difference of means weighted by inverse probability (Hajek), propensity by logistic regression, errors that "
        f"allow for its estimation{where}"
    )
    assert (found.model.name, found.model.errors) == ("weighted means", "stacked equations")
    assert found.model.scale == found.unit == ("events per unit of days" if kind == "counts" else "point")
    assert sum(note.startswith("propensities from") for note in found.notes) == 1


def test_a_numeric_exposure_has_no_sides_to_weight():
    rows = sample(np.random.default_rng(1).normal(size=N), np.arange(N) % 7)
    with pytest.raises(EstimationError) as refused:
        estimate_sample(rows, question(), model=IPW)
    assert str(refused.value) == (
        "The question 'q': inverse probability weights compare people with an exposure and without, and care is a number. "
        "Name a `reference` and a `level`, or ask for the doubly robust estimate, which takes numbers too."
    )


# Overlap


def arms(count, n=200):
    """So many with the exposure, the others without it; everybody's chance is a half."""
    one = np.arange(n) < count
    return ((one, np.full(n, 0.5)), (~one, np.full(n, 0.5)))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("whole", "worth"), [(9, 9.5**2 / 9.25), (10, 10.5**2 / 10.25)])
def test_a_side_is_worth_ten_rows_or_is_refused(whole, worth, turned):
    """So many whole people and a half one on the smaller side."""
    sides = arms(whole + 1)[:: -1 if turned else 1]
    people = np.where(np.arange(200) == whole, 0.5, 1.0)
    if whole == 10:
        both = ["11", f"{199 - whole}"][:: -1 if turned else 1]
        told = ("propensities from 0.50 to 0.50", f"after weighting the sides are worth {' and '.join(both)} rows")
        assert propensity.overlap(sides, people, made(), question()) == told and 10 < worth < 11
        return
    with pytest.raises(EstimationError) as refused:
        propensity.overlap(sides, people, made(), question())
    assert worth < 10 and str(refused.value) == (
        "The question 'q': with and without care people are so unlike that after weighting one side is worth 9.8 rows; at "
        "least 10 are needed. Compare people who are more alike with `keep`, or adjust for fewer columns."
    )


def test_a_side_is_worth_what_kish_says_of_its_weights():
    one = np.arange(200) < 100
    chance = np.where(np.arange(200) % 2, 0.25, 0.5)  # half of each side weighs 4, half 2; alone, people weigh 1 or 3
    people = np.where(np.arange(200) % 2, 1.0, 3.0)
    first, note = propensity.overlap(((one, chance), (~one, chance)), people, made(), question())
    worth = (50 * 4 + 50 * 6) ** 2 / (50 * 16 + 50 * 36)
    assert first == "propensities from 0.25 to 0.50"
    assert note == Count(f"after weighting the sides are worth {worth:.0f} and {worth:.0f} rows")
    assert isinstance(note, Count)


def test_a_chance_of_nothing_is_refused_without_a_warning():
    one = np.arange(200) < 100
    with pytest.raises(EstimationError, match="is worth not known rows"):
        propensity.overlap(
            ((one, np.where(one, 0.0, 0.5)), (~one, np.full(200, 0.5))), np.ones(200), made(), question()
        )


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(("edge", "rows", "noted"), [(0.049, 2, True), (0.049, 1, False), (0.05, 20, False)])
def test_people_with_a_chance_below_a_twentieth_are_noted_from_one_per_cent_on(side, edge, rows, noted):
    n = 200
    one = np.arange(n) % 2 == 0
    low = np.arange(n) < rows
    sides = [(one, np.full(n, 0.5)), (~one, np.full(n, 0.5))]
    sides[side] = (sides[side][0], np.where(low, edge, 0.5))
    sides[1 - side] = (sides[1 - side][0], np.where(low, 1 - edge, 0.5))
    found = propensity.overlap(tuple(sides), np.ones(n), made(), question())
    told = "poor overlap: some have a propensity below 0.05 for one side, and hardly any counterpart there"
    assert found[2:] == ((told, "1 % of the rows have a propensity below 0.05 for one side") if noted else ())
    assert [isinstance(one, Count) for one in found[1:]] == ([True, False, True] if noted else [True])
    heavy = propensity.overlap(tuple(sides), np.where(low, 3.0, 1.0), made(), question())
    assert len(heavy) == 2 + 2 * (edge < 0.05)  # of people, not of rows


def test_an_interval_is_of_95_per_cent_unless_another_is_asked_for():
    assert inverse_probability(made(), question()) == inverse_probability(made(), question(), 0.95)


def test_what_is_handed_back_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        propensity.ready(made(), ask("score")).unit = "night"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("counts", "75 outcomes are not whole numbers"),
        ("ordered", "75 answers have no place"),
        ("yes_no", "148 outcomes"),
    ],
)
def test_each_kind_has_its_own_objections_and_no_others(kind, words):
    halves = replace(made(kind), outcome=np.arange(N) / 2)
    with pytest.raises(EstimationError, match=f"^The question 'q': {words}"):  # one problem, so no list of them
        propensity.ready(halves, ask(kind))
    propensity.ready(replace(made(), outcome=np.arange(N) / 2), ask("score"))
