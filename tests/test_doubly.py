"""The doubly robust estimate fold by fold with statsmodels, how folds are dealt, and what is said of it."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from zlib import crc32

import numpy as np
import pytest
import statsmodels.api as sm
from designed import question, sample
from scipy.special import expit
from scipy.stats import norm, t

from researchkit import wording
from researchkit.errors import EstimationError
from researchkit.estimators import doubly, estimate_sample, propensity
from researchkit.estimators.doubly import Crossfit, crossfit, deal, doubly_robust

N = 160
AIPW = "doubly robust"


def made(kind="score", numeric=False, three=False, n=N, seed=1, **more):
    """People whose care goes with need; in three arms the last is a further level."""
    rng = np.random.default_rng(seed)
    need, age = rng.normal(size=(2, n))
    arm = rng.choice(3, n) if three else (rng.random(n) < expit(0.7 * need)).astype(int)
    care = need + rng.normal(size=n) if numeric else (arm == 1).astype(float)
    pull = 0.5 * care + 0.8 * (arm == 2) + 0.5 * need + 0.2 * age
    days = rng.uniform(0.5, 3, n)
    outcome = {"yes_no": rng.random(n) < expit(pull), "counts": rng.poisson(days * np.exp(0.5 * pull))}.get(kind)
    outcome = pull + rng.normal(size=n) if outcome is None else outcome
    others = {"need": need, "age": age} | ({"care: much": arm == 2} if three else {})
    groups = ("need", "age", "care")[: 2 + three]
    return sample(outcome, care, others, groups=groups, offset_time=days if kind == "counts" else None, **more)


def glm(kind, columns, outcome, weights):
    if kind == "score":
        return sm.WLS(outcome, columns, weights=weights).fit()
    family = sm.families.Poisson() if kind == "counts" else sm.families.Binomial()
    return sm.GLM(outcome, columns, family, var_weights=weights).fit(tol=1e-13)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("three", [False, True])
@pytest.mark.parametrize("kind", ["score", "yes_no", "counts"])
def test_given_folds_the_difference_is_that_of_models_of_the_other_folds(kind, three, weighted):
    people = np.random.default_rng(2).uniform(0.5, 3, N) if weighted else np.ones(N)
    rows, folds = made(kind, three=three, weights=people if weighted else None), np.arange(N) % 4
    time = np.ones(N) if rows.offset_time is None else rows.offset_time
    reasons = np.column_stack([np.ones(N), rows.covariates[:, :2]])
    further = rows.covariates[:, 2] if three else np.zeros(N)
    arms = {1: rows.exposure == 1, 0: (rows.exposure == 0) & (further == 0)}

    def columns(care, much):
        return np.column_stack([reasons, care * np.ones(N), *([much] if three else [])])

    means, chances = {1: np.empty(N), 0: np.empty(N)}, {1: np.empty(N), 0: np.empty(N)}
    for fold in range(4):
        learn, apply = folds != fold, folds == fold
        own = glm(kind, columns(rows.exposure, further)[learn], (rows.outcome / time)[learn], (people * time)[learn])
        for arm in (1, 0):
            means[arm][apply] = own.predict(columns(arm, np.zeros(N))[apply])
            fit = glm("yes_no", reasons[learn], arms[arm][learn].astype(float), people[learn])
            chances[arm][apply] = fit.predict(reasons[apply])
    each = means[1] - means[0]
    for arm, sign in ((1, 1), (0, -1)):
        each = each + sign * np.where(arms[arm], (rows.outcome / time - means[arm]) / chances[arm], 0)
    size = people * time
    value = np.average(each, weights=size)
    about = question(kind, {"time": "days"} if kind == "counts" else None)
    split = crossfit(propensity.ready(rows, about), rows, about, folds)
    assert split.value == pytest.approx(value, rel=1e-7)
    assert split.influence == pytest.approx(size * (each - value) / size.sum(), rel=1e-6, abs=1e-10)
    for found, arm in zip(split.chances, (1, 0), strict=True):
        assert found == pytest.approx(chances[arm], rel=1e-6)
    assert split.telling == frozenset()


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["score", "yes_no", "counts"])
def test_given_folds_a_slope_is_that_of_what_is_left_on_what_is_left(kind, weighted):
    people = np.random.default_rng(2).uniform(0.5, 3, N) if weighted else np.ones(N)
    rows, folds = made(kind, numeric=True, weights=people if weighted else None), np.arange(N) % 4
    time = np.ones(N) if rows.offset_time is None else rows.offset_time
    reasons, size = np.column_stack([np.ones(N), rows.covariates]), people * time
    left, care = rows.outcome / time, rows.exposure.copy()
    for fold in range(4):
        learn, apply = folds != fold, folds == fold
        own = glm(kind, reasons[learn], (rows.outcome / time)[learn], size[learn])
        left[apply] -= own.predict(reasons[apply])
        care[apply] -= glm("score", reasons[learn], rows.exposure[learn], people[learn]).predict(reasons[apply])
    fit = sm.WLS(left, care, weights=size).fit()
    about = question(kind, {"time": "days"} if kind == "counts" else None)
    split = crossfit(propensity.ready(rows, about), rows, about, folds)
    assert split.value == pytest.approx(fit.params[0], rel=1e-7)
    assert split.influence == pytest.approx(size * care * fit.resid / np.sum(size * care**2), rel=1e-6, abs=1e-10)
    assert split.chances == () and split.telling == frozenset()


WORDS = {
    (
        "score",
        False,
    ): "doubly robust (augmented inverse probability weighting), least squares for the outcome, logistic",
    ("yes_no", False): "doubly robust (augmented inverse probability weighting), logistic for the outcome, logistic",
    ("counts", True): "doubly robust (partially linear model), Poisson for the outcome, least squares",
}


@pytest.mark.parametrize(("kind", "numeric"), WORDS)
@pytest.mark.parametrize("clustered", [False, True])
def test_every_number_and_word_of_an_effect(kind, numeric, clustered):
    """The median of five splits; its error the median of each one's, with how far it lies from that median."""
    team = np.arange(N) % 31 if clustered else None
    rows, about = made(kind, numeric, cluster=team, weights=np.full(N, 2.0)), question(kind)
    found = estimate_sample(rows, about, 0.9, AIPW)
    same = doubly_robust(rows, about, 0.9, np.random.default_rng(crc32(b"q")))
    assert (found.estimate, found.se, found.notes) == (same.estimate, same.se, same.notes)
    rng, now = np.random.default_rng(crc32(b"q")), propensity.ready(rows, about)
    splits = [crossfit(now, rows, about, deal(rows, about, rng)) for _ in range(5)]
    values = [split.value for split in splits]
    wide = []
    for split in splits:
        moved = split.influence
        if clustered:
            moved = np.sqrt(31 / 30) * np.array([moved[team == one].sum() for one in range(31)])
        wide.append(moved @ moved + (split.value - np.median(values)) ** 2)
    value, se = np.median(values), np.sqrt(np.median(wide))
    quantile = (t(30) if clustered else norm).ppf(0.95)
    told = (found.estimate, found.se, found.low, found.high)
    assert told == pytest.approx((value, se, value - quantile * se, value + quantile * se))
    (term,) = found.model.terms
    for field in ("estimate", "se", "low", "high", "p"):
        assert getattr(found, field) == getattr(term, field)
    assert found.df == (30 if clustered else None) and found.clusters == (31 if clustered else None)
    where = " clustered by agent" if clustered else ""
    how = f"{WORDS[kind, numeric]} for the exposure, cross-fitted in 5 folds, influence errors{where}, weighted"
    assert found.method == how and term.term == "care"
    name = "partially linear model" if numeric else "augmented inverse probability weighting"
    assert (found.model.name, found.model.errors, found.model.scale) == (name, "influence", found.unit)
    times, unit = (100, "percentage points") if kind == "yes_no" else (1, wording.units(found.unit))
    lowest, highest = (wording.number(times * one, 3) for one in (min(values), max(values)))
    assert f"5 splits into folds gave {lowest} to {highest} {unit}" in found.notes
    assert any(note.startswith("propensities from") for note in found.notes) is not numeric


def test_splits_that_agree_say_one_number():
    splits = [Crossfit(0.25, np.zeros(3))] * 5
    assert doubly._agreement(splits, "point") == "5 splits into folds all gave 0.250 points"
    assert doubly._agreement(splits, "probability") == "5 splits into folds all gave 25.0 percentage points"
    apart = [Crossfit(one, np.zeros(3)) for one in (0.3, 0.1, 0.2)]
    assert doubly._agreement(apart, "point") == "5 splits into folds gave 0.100 to 0.300 points"


def test_levels_that_folds_had_to_do_without_are_named_once_in_order():
    splits = [Crossfit(0.0, np.zeros(1), (), frozenset(names)) for names in ((), ("b", "c"), ("a", "b"))]
    told = "too rare for a model of their own in some folds, and predicted there as the others: a, b and c"
    assert doubly._done_without(splits) == (told,) and doubly._done_without(splits[:1]) == ()


@pytest.mark.parametrize("side", [0, 1])
def test_each_side_must_be_worth_enough_by_the_propensities_of_the_folds(side):
    """One row whose chance of being on its own side is 1 in 10,000 outweighs all others of that side."""
    rows = made()
    now, half = propensity.ready(rows, question()), np.full(N, 0.5)
    own = np.flatnonzero(rows.exposure == 1 - side)  # of the chances that of the exposed comes first
    odd = np.where(np.arange(N) == own[0], 1e-4, 0.5)
    doubly._refuse_few(now, [Crossfit(0.0, half, (half, half))], rows, question())
    chances = (odd, half) if side == 0 else (half, odd)
    with pytest.raises(EstimationError, match=r"after weighting one side is worth 1.* rows; at least 10 are needed"):
        doubly._refuse_few(now, [Crossfit(0.0, half, chances)], rows, question())


# Folds


def fives(folds, order):
    """The folds in an order, five at a time."""
    return [sorted(folds[order][start : start + 5]) for start in range(0, len(order) - len(order) % 5, 5)]


@pytest.mark.parametrize("n", [40, 43])
def test_every_five_in_order_of_the_exposure_go_to_five_folds(n):
    rng = np.random.default_rng(3)
    rows = sample(rng.normal(size=n), rng.normal(size=n))
    folds = deal(rows, question(), np.random.default_rng(1))
    order = np.argsort(rows.exposure)
    assert fives(folds, order) == [[0, 1, 2, 3, 4]] * 8
    assert np.unique(folds[order][40:]).size == n - 40
    assert len({tuple(folds[order][start : start + 5]) for start in range(0, 40, 5)}) > 4  # each five by its own lot
    again = deal(rows, question(), np.random.default_rng(1))
    assert folds.tolist() == again.tolist()
    assert folds.tolist() != deal(rows, question(), np.random.default_rng(2)).tolist()


@pytest.mark.parametrize("kind", ["yes_no", "score"])
def test_a_yes_or_no_is_dealt_evenly_within_each_exposure_and_a_score_is_not(kind):
    care, yes = np.repeat([0, 0, 1, 1], 10), np.repeat([0, 1, 0, 1], 10)
    mixed = np.random.default_rng(5).permutation(40)
    rows = sample(yes[mixed], care[mixed])
    even = []
    for seed in range(20):
        folds = deal(rows, question(kind), np.random.default_rng(seed))
        cells = [
            np.bincount(folds[(care == c)[mixed] & (yes == y)[mixed]], minlength=5) for c in (0, 1) for y in (0, 1)
        ]
        assert (np.add(cells[0], cells[1]) == 4).all() and (np.add(cells[2], cells[3]) == 4).all()
        even.append(np.all(np.array(cells) == 2))
    assert all(even) if kind == "yes_no" else not any(even)


def test_clusters_are_dealt_whole_in_order_of_their_mean_exposure():
    rng = np.random.default_rng(6)
    size = rng.integers(1, 9, 20)
    team = np.repeat(100 - 3 * np.arange(20), size)
    rows = sample(rng.integers(0, 2, size.sum()), rng.normal(size=size.sum()), cluster=team)
    folds = deal(rows, question("yes_no"), np.random.default_rng(1))
    teams = np.unique(team)
    assert all(len(set(folds[team == one])) == 1 for one in teams)
    means = np.array([rows.exposure[team == one].mean() for one in teams])
    of_team = np.array([folds[team == one][0] for one in teams])
    assert fives(of_team, np.argsort(means)) == [[0, 1, 2, 3, 4]] * 4


@pytest.mark.parametrize(("teams", "folds"), [(2, 2), (4, 4), (5, 5), (6, 5)])
def test_there_are_five_folds_or_as_many_as_clusters(teams, folds):
    rows = made(cluster=np.arange(N) % teams)
    assert set(deal(rows, question(), np.random.default_rng(1))) == set(range(folds))
    assert f"cross-fitted in {folds} folds" in estimate_sample(rows, question(), model=AIPW).method


# What is refused


@pytest.mark.parametrize(("arm", "side"), [(1.0, "with"), (0.0, "without")])
@pytest.mark.parametrize("clustered", [False, True])
def test_a_side_that_is_in_one_fold_leaves_nobody_to_learn_from(arm, side, clustered):
    rows = replace(made(), exposure=np.where(np.arange(N) < 5, arm, 1 - arm))
    rows = replace(rows, cluster=np.arange(N) // 5, cluster_name="team") if clustered else rows
    now, about = propensity.ready(replace(rows, cluster=None), question()), question()
    with pytest.raises(EstimationError) as refused:
        crossfit(now, rows, about, np.minimum(np.arange(N) // 5, 4))
    assert str(refused.value) == (
        f"The question 'q': all rows {side} care are in one fold of {'team' if clustered else 'rows'}, which leaves "
        "none to learn from. The doubly robust estimate needs both sides in several of them."
    )


def test_a_model_that_runs_away_in_a_fold_names_its_column():
    rows = made("yes_no", numeric=True)
    told = replace(rows, outcome=(rows.covariates[:, 0] > 0.1).astype(float))
    with pytest.raises(EstimationError, match="no finite best fit in one of 5 folds: the coefficient of need grows"):
        estimate_sample(told, question("yes_no"), model=AIPW)
    told = replace(made(), exposure=(rows.covariates[:, 0] > 0.1).astype(float))
    with pytest.raises(
        EstimationError, match="need, alone or with other columns of `adjust`, tells exactly who has care"
    ):
        crossfit(propensity.ready(told, question()), told, question(), np.arange(N) % 5)


def test_an_interval_is_of_95_per_cent_unless_another_is_asked_for():
    assert doubly_robust(made(), question()) == doubly_robust(made(), question(), 0.95)


def test_what_is_handed_back_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Crossfit(0.0, np.zeros(1)).value = 1.0
