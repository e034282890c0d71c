"""Errors of likelihood models in few clusters: clubSandwich's numbers, and what must hold for any model."""

from __future__ import annotations

import runpy
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from researchkit.errors import EstimationError
from researchkit.estimators import duration, estimate_sample, leverage
from researchkit.estimators.cox import cox
from researchkit.estimators.design import design
from researchkit.estimators.linear import cr2, least_squares
from researchkit.estimators.ordered import fit, pulls

BUILD = runpy.run_path(str(Path(__file__).with_name("test_estimators.py")))
sample, question = BUILD["sample"], BUILD["question"]


@pytest.fixture(scope="module")
def stays(held):
    frame = held.frames["stays"].copy()
    frame["kind"] = (frame["compassion"] > 3.4).astype(float)
    frame["taught"] = (pd.factorize(frame["ward"], sort=True)[0] % 3 == 2).astype(float)
    return frame


def told(effect):
    own = effect.model.terms[0]
    return {"b": own.estimate, "se_b": own.se, "value": effect.estimate, "se": effect.se, "df": effect.df}


@pytest.mark.parametrize(("entry", "exposure"), [("cr2_risk_within", "kind"), ("cr2_risk_between", "taught")])
def test_a_risk_in_few_wards(held, stays, entry, exposure):
    back = stays[stays["readmitted_30d"].notna()]
    others = {name: back[name] for name in ("severity", "age")}
    ward = pd.factorize(back["ward"])[0]
    effect = estimate_sample(sample(back["readmitted_30d"], back[exposure], others, cluster=ward), question("yes_no"))
    for quantity, value in told(effect).items():
        assert value == held(entry, quantity), quantity
    # clubSandwich's own square root for a glm is another one.
    assert effect.se == pytest.approx(held.values[entry]["near"], rel=0.03)
    low, high = effect.also["odds ratio"][1:]
    own = effect.model.terms[0]
    assert (np.log(low), np.log(high)) == pytest.approx((own.low, own.high))
    half = (own.high - own.low) / 2 / own.se
    from scipy.stats import t

    assert half == pytest.approx(t.ppf(0.975, held.values[entry]["df_b"]))
    assert effect.method.endswith("CR2 errors clustered by team, Satterthwaite degrees of freedom")


def test_a_rate_in_few_wards(held, stays):
    # age is the time here, so it cannot be a covariate too
    asked = sample(
        stays["length_of_stay"],
        stays["kind"],
        {"severity": stays["severity"]},
        cluster=pd.factorize(stays["ward"])[0],
        offset_time=stays["age"].to_numpy(float),
    )
    for quantity, value in told(estimate_sample(asked, question("counts"))).items():
        assert value == held("cr2_rate", quantity), quantity


def test_a_risk_among_few_people(held, stays):
    first = stays[stays["readmitted_30d"].notna()].iloc[:80]
    asked = sample(first["readmitted_30d"], first["kind"], {"severity": first["severity"]})
    effect = estimate_sample(asked, question("yes_no"))
    for quantity, value in told(effect).items():
        assert value == held("hc2_risk", quantity), quantity
    assert effect.method.endswith("HC2 errors, Satterthwaite degrees of freedom")


@pytest.mark.parametrize("kind", ["yes_no", "ordered"])
@pytest.mark.parametrize(
    ("people", "yes", "errors"),
    [(99, 50, "HC2"), (100, 50, "model-based"), (200, 49, "HC2"), (200, 50, "model-based"), (200, 151, "HC2")],
)
def test_few_people_or_few_of_the_rarer_outcome(kind, people, yes, errors):
    care = np.random.default_rng(1).normal(size=people)
    ended = np.where(np.arange(people) < yes, 1.0, 0.0)
    levels = {"levels": ("1", "2"), "level_values": (1.0, 2.0), "level_codes": ("1", "2")}
    asked = sample(ended, care, **(levels if kind == "ordered" else {}))
    assert estimate_sample(asked, question(kind)).model.errors == errors


@pytest.mark.parametrize(
    ("events", "exposed", "told"),
    [(24, 12, "fewer than 25"), (60, 9, "fewer than 10 on one side"), (60, 10, ""), (25, 10, "")],
)
@pytest.mark.parametrize("kind", ["yes_no", "ordered", "counts", "duration"])
def test_few_events_are_told(kind, events, exposed, told):
    happened = np.zeros(400)
    happened[:exposed], happened[200 : 200 + events - exposed] = 1, 1
    care = (np.arange(400) < 200).astype(float)
    more = {"levels": ("1", "2"), "level_values": (1.0, 2.0), "level_codes": ("1", "2")} if kind == "ordered" else {}
    outcome = happened
    if kind == "duration":
        outcome, more = np.random.default_rng(2).uniform(1, 2, 400), {"event": happened}
    asked_for = {"horizon": 1.5, "event": "left"} if kind == "duration" else {}
    notes = estimate_sample(sample(outcome, care, **more), question(kind, **asked_for)).notes
    found = [note for note in notes if note.startswith("few events")]
    assert len(found) == bool(told) and all(f"few events: {told};" in note for note in found)


def test_hardly_any_top_answer_is_refused():
    answers = np.where(np.arange(60) < 4, 2.0, np.arange(60) % 2)
    with pytest.raises(EstimationError, match="only 4 people gave an answer of the top group; at least 5"):
        estimate_sample(sample(answers, np.arange(60) % 7), question("ordered"))
    with pytest.raises(EstimationError, match="only 4 people gave an answer below the top group"):
        estimate_sample(sample(2 - answers, np.arange(60) % 7), question("ordered", top=["1", "2"]))


def test_very_skewed_residuals_are_told():
    rng = np.random.default_rng(3)
    care, errors = rng.normal(size=300), rng.normal(size=300)
    for outcome, told in (
        (errors, False),
        (np.exp(errors), True),
        (-np.exp(errors), True),
        (np.exp(errors / 3), False),
    ):
        notes = estimate_sample(sample(outcome, care), question("score")).notes
        assert any(note.startswith("very skewed") for note in notes) == told


def test_it_is_what_least_squares_has_for_a_straight_line():
    rng = np.random.default_rng(3)
    matrix = np.column_stack([rng.normal(size=60), rng.normal(size=60), np.ones(60)])
    cluster, outcome = np.arange(60) % 7, rng.normal(size=60)
    line = least_squares(matrix, outcome)
    scores = matrix * line.residuals[:, None]
    found = leverage.cr2(*leverage.gathered((matrix,), scores, cluster))
    known = cr2(line, cluster)
    assert found.covariance == pytest.approx(known.covariance)
    assert found.df(np.eye(3)) == pytest.approx(known.df)


def test_a_cluster_that_alone_carries_a_column_adds_nothing_there():
    rng = np.random.default_rng(4)
    alone = (np.arange(40) < 5).astype(float)
    matrix = np.column_stack([alone, rng.normal(size=40), np.ones(40)])
    line = least_squares(matrix, rng.normal(size=40))
    found = leverage.cr2(*leverage.gathered((matrix,), matrix * line.residuals[:, None], np.arange(40) // 5))
    known = cr2(line, np.arange(40) // 5)
    assert np.isfinite(found.covariance).all()
    assert found.covariance == pytest.approx(known.covariance)
    assert found.df(np.eye(3)) == pytest.approx(known.df)


def test_two_steps_of_an_answer_are_a_yes_or_no():
    rng = np.random.default_rng(5)
    team, care = np.repeat(np.arange(10), 12), rng.normal(size=120)
    yes = (rng.random(120) < 1 / (1 + np.exp(-0.5 * care - rng.normal(size=10)[team]))).astype(float)
    one = estimate_sample(sample(yes, care, cluster=team), question("yes_no"))
    other = estimate_sample(
        sample(yes, care, cluster=team, levels=("1", "2"), level_values=(1.0, 2.0), level_codes=("1", "2")),
        question("ordered"),
    )
    assert (one.estimate, one.se, one.df) == pytest.approx((other.estimate, other.se, other.df))


def test_the_rows_of_an_ordered_answer_make_its_information():
    rng = np.random.default_rng(6)
    matrix, answer, weights = rng.normal(size=(90, 2)), np.arange(90) % 4, rng.uniform(0.5, 2, 90)
    at, information, _ = fit(matrix, answer, weights, ("a", "b"))
    rows = pulls(matrix, answer, weights, at)
    assert sum(part.T @ part for part in rows) == pytest.approx(information)


@pytest.mark.parametrize("competing", [False, True])
@pytest.mark.parametrize("binary", [False, True])
def test_uncorrected_parts_of_a_duration_are_its_influence(competing, binary):
    """The few columns that stand for all event times lose nothing: their scores make the infinitesimal jackknife."""
    rng, n = np.random.default_rng(7), 150
    care, need = rng.normal(size=n), rng.normal(size=n)
    care = (care > 0).astype(float) if binary else care
    time = np.ceil(20 * rng.exponential(1 / np.exp(0.4 * care + 0.2 * need))) / 10  # ties
    event = np.where(rng.random(n) < 0.3, 0.0, np.where(competing & (rng.random(n) < 0.4), 2.0, 1.0))
    entry, weights, team = np.where(time > 1, 0.4, 0.0), rng.uniform(0.5, 2, n), np.arange(n) % 9
    asked = sample(time, care, {"need": need}, event=event, entry=entry, weights=weights)
    columns = design(asked, intercept=False)
    fits = [
        cox(time, event == code, columns.matrix, columns.names, entry=entry, weights=weights)
        for code in ((1, 2) if competing else (1,))
    ]
    found = duration.difference(asked, columns, fits, 2.0)
    total, whole = np.zeros(9), np.bincount(team, weights=found.influence(fits))
    for one, slopes, height in zip(fits, found.slopes, found.heights, strict=True):
        products, scores = one.pulls(columns.matrix, height, team)
        total += scores[:, 1:-1] @ one.covariance @ slopes + scores[:, -1]
        assert products.sum(axis=0)[1:-1, 1:-1] == pytest.approx(np.linalg.inv(one.covariance), rel=0.02)
        assert products.sum(axis=0)[0, 1:-1] == pytest.approx(np.zeros(2), abs=1e-8)
    assert total == pytest.approx(whole, abs=1e-10)


def test_rows_of_a_duration_may_come_in_pieces(monkeypatch):
    rng = np.random.default_rng(8)
    time, care = rng.exponential(size=90), rng.normal(size=90)
    one = cox(time, time < 1.5, care[:, None], ("care",))
    whole = one.pulls(care[:, None], rng.normal(size=int(np.sum(time < 1.5))), np.arange(90) % 4)
    rng = np.random.default_rng(8)
    _, _ = rng.exponential(size=90), rng.normal(size=90)
    monkeypatch.setattr("researchkit.estimators.cox.CHUNK", 9 * 7)
    pieces = one.pulls(care[:, None], rng.normal(size=int(np.sum(time < 1.5))), np.arange(90) % 4)
    for left, right in zip(whole, pieces, strict=True):
        assert left == pytest.approx(right)


@pytest.mark.parametrize("kind", ["yes_no", "ordered", "counts"])
def test_many_clusters_that_are_few_are_told(kind):
    rng = np.random.default_rng(9)
    team = np.repeat(np.arange(24), 10)
    care = (team < 3).astype(float)
    mood = rng.normal(size=24)[team] + rng.normal(size=240)
    outcome = {"yes_no": mood > 0, "ordered": np.digitize(mood, [-0.5, 0.7]), "counts": rng.poisson(2, 240)}[kind]
    effect = estimate_sample(sample(outcome, care, cluster=team), question(kind))
    assert effect.df < 5
    assert [note for note in effect.notes if "degrees of freedom" in note]


def pieces(rng, groups=9, k=3):
    """Parts of an information and of scores by cluster, as a model might have them."""
    rows = [rng.normal(size=(size, k)) for size in rng.integers(2, 9, groups)]
    return np.stack([one.T @ one for one in rows]), rng.normal(size=(groups, k))


def root_of_inverse(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return (vectors / np.sqrt(values)) @ vectors.T


def test_corrected_scores_and_degrees_of_freedom_by_whole_matrices():
    """Each cluster's whitened score times (1 - S)^(-1/2); df by the matrix of all pairs of clusters."""
    rng = np.random.default_rng(1)
    products, scores = pieces(rng)
    information = products.sum(axis=0)
    half = root_of_inverse(information)
    shares = [half @ one @ half for one in products]
    turned = [root_of_inverse(np.eye(3) - share) for share in shares]
    moved = np.array([one @ half @ score for one, score in zip(turned, scores, strict=True)])
    found = leverage.cr2(products, scores)
    assert found.covariance == pytest.approx(half @ moved.T @ moved @ half)
    assert found.half.T @ information @ found.half == pytest.approx(np.eye(3), abs=1e-12)
    contrasts = rng.normal(size=(4, 3))
    for contrast, df in zip(contrasts, found.df(contrasts), strict=True):
        u = half @ contrast
        pulled = np.array([one @ share @ u for one, share in zip(turned, shares, strict=True)])
        own = [u @ one @ share @ one @ u for one, share in zip(turned, shares, strict=True)]
        pairs = np.diag(own) - pulled @ pulled.T
        assert df == pytest.approx(np.trace(pairs) ** 2 / np.sum(pairs**2))


def test_a_direction_without_information_is_left_out():
    rng = np.random.default_rng(2)
    products, scores = pieces(rng, k=2)
    wider = np.zeros((9, 3, 3))
    wider[:, :2, :2] = products
    found, plain = leverage.cr2(wider, np.column_stack([scores, np.zeros(9)])), leverage.cr2(products, scores)
    assert found.half.shape == (3, 2) and found.covariance[:2, :2] == pytest.approx(plain.covariance)
    assert found.covariance[2].tolist() == [0.0] * 3
    assert found.df(np.eye(3))[:2] == pytest.approx(plain.df(np.eye(2))) and found.df(np.eye(3))[2] == 0


def test_parts_are_gathered_by_cluster_or_row_by_row():
    rng = np.random.default_rng(3)
    first, second, scores = rng.normal(size=(3, 20, 2))
    team = np.array([5, -1, 5, 9] * 5)
    products, sums = leverage.gathered((first, second), scores, team)
    for place, one in enumerate((-1, 5, 9)):
        own = team == one
        assert products[place] == pytest.approx(first[own].T @ first[own] + second[own].T @ second[own])
        assert sums[place] == pytest.approx(scores[own].sum(axis=0))
    single, kept = leverage.gathered((first, second), scores, None)
    assert kept is scores and len(single) == 20
    assert single[7] == pytest.approx(np.outer(first[7], first[7]) + np.outer(second[7], second[7]))
    assert leverage.gathered((first,), scores, None)[0][7] == pytest.approx(np.outer(first[7], first[7]))


def test_rows_without_clusters_that_would_be_too_much_are_left_to_others(monkeypatch):
    rows = np.ones((20, 3))
    monkeypatch.setattr(leverage, "CHUNK", 180)  # 20 rows of 3 x 3
    assert leverage.gathered((rows,), rows, None) is not None
    monkeypatch.setattr(leverage, "CHUNK", 179)
    assert leverage.gathered((rows,), rows, None) is None
    assert leverage.gathered((rows,), rows, np.arange(20) % 3) is not None


def test_what_is_handed_back_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        leverage.cr2(*pieces(np.random.default_rng(1))).half = None


def test_what_is_small_is_judged_beside_the_largest():
    """Of information 1e-8, 1 and 1,000 the first is rounding; of 1e-6 it is not."""
    for small, kept in ((1e-8, 2), (1e-6, 3)):
        products = np.stack([np.diag([small, 1.0, 1000.0]) / 9] * 9)
        assert leverage.cr2(products, np.ones((9, 3))).half.shape == (3, kept)


def test_a_direction_of_one_cluster_alone_adds_nothing_whatever_its_score():
    rng = np.random.default_rng(5)
    products, scores = pieces(rng, k=2)
    wider = np.zeros((10, 3, 3))
    wider[:9, :2, :2], wider[9, 2, 2] = products, 5.0
    found = leverage.cr2(wider, np.vstack([np.column_stack([scores, np.zeros(9)]), [0.0, 0.0, 7.0]]))
    assert found.covariance[2] == pytest.approx(np.zeros(3), abs=1e-12)
    assert found.covariance[:2, :2] == pytest.approx(leverage.cr2(products, scores).covariance)
    assert found.df(np.eye(3))[2] == 0
