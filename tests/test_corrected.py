"""Regression calibration by two plain fits and their influences, its limits, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from designed import question, sample
from scipy.stats import t

from researchkit.errors import EstimationError
from researchkit.estimators import estimate_sample
from researchkit.estimators.corrected import corrected
from researchkit.estimators.effect import Count

N, PER = 160, 2.0


def asked(kind="score", chance=None, **outcome):
    told = {"of": "effect", "by": "review"} | ({"chance": chance} if chance else {})
    return question(kind, outcome, exposure={"column": "care", "per": PER}, detection=told)


def measured(seed=1, **more):
    """A measure with errors of a truth that was reviewed in three of four rows."""
    rng = np.random.default_rng(seed)
    truth, need = rng.normal(5, 2, N), rng.normal(size=N)
    measure, outcome = truth + rng.normal(size=N), 0.7 * truth + need + rng.normal(size=N) * (1 + need**2) / 2
    review = np.where(np.arange(N) % 4 < 3, truth, np.nan)
    return sample(outcome, measure / PER, {"need": need}, {"review": review}, **more)


def pulled(columns, outcome, weights):
    """Coefficients, and how far each row moves the exposure's: its residual, freed of its own leverage."""
    bread = np.linalg.inv(columns.T @ (columns * weights[:, None]))
    coefficients = bread @ columns.T @ (weights * outcome)
    leverage = weights * np.sum((columns @ bread) * columns, axis=1)
    residuals = np.where(weights > 0, outcome - columns @ coefficients, 0.0)
    return coefficients[1], weights * residuals * (columns @ bread)[:, 1] / (1 - leverage)


@pytest.mark.parametrize("weighted", ["", "by people", "by chance"])
@pytest.mark.parametrize("clustered", [False, True])
def test_the_corrected_slope_is_the_ratio_of_two_and_its_error_that_of_their_influences(weighted, clustered):
    weights = np.random.default_rng(2).uniform(0.5, 3, N) if weighted else None
    rows = measured(weights=weights, cluster=np.arange(N) % 23 if clustered else None)
    by_chance = weighted == "by chance"  # as `reviewed` hands it over: weights are one over it
    if by_chance:
        rows = replace(rows, weights=None, more=rows.more | {"chance": 0.2 / weights})
    found = estimate_sample(rows, asked(unit="night", chance="chance" if by_chance else None), 0.9)
    columns, gold = np.column_stack([np.ones(N), rows.exposure, rows.covariates]), rows.more["review"] / PER
    seen = np.isfinite(gold)
    b, moves_b = pulled(columns, rows.outcome, weights if weighted == "by people" else np.ones(N))
    c, moves_c = pulled(columns, np.where(seen, gold, 0), seen * (1.0 if weights is None else weights))
    moves = np.column_stack([moves_b, moves_c, moves_b / c - moves_c * b / c**2])
    moves = np.array([moves[rows.cluster == team].sum(axis=0) for team in range(23)]) if clustered else moves
    units = len(moves)
    errors = np.sqrt(units / (units - 1) * np.sum(moves**2, axis=0))
    quantile = t(units - 1).ppf(0.95)
    for term, value, se in zip(found.model.terms, (b / c, b, c), errors[[2, 0, 1]], strict=True):
        assert (term.estimate, term.se) == pytest.approx((value, se))
        assert (term.low, term.high) == pytest.approx((value - quantile * se, value + quantile * se))
        assert term.p == pytest.approx(2 * t(units - 1).sf(abs(value / se)), rel=1e-6, abs=0)
    assert [one.term for one in found.model.terms] == ["corrected", "as measured", "truth per unit measured"]
    for field in ("estimate", "se", "low", "high", "p"):
        assert getattr(found, field) == getattr(found.model.terms[0], field)
    assert (found.df, found.level, found.n, found.unit) == (units - 1, 0.9, N, "night")
    assert found.clusters == (23 if clustered else None)
    where = (", clustered by agent" if clustered else "") + (", weighted" if weighted == "by people" else "")
    assert found.method == f"regression calibration by a review of some, delta method{where}"
    assert (found.model.name, found.model.errors) == ("regression calibration", "delta method")
    assert found.model.scale == "outcome"
    told = "the correction holds where the measure's error has nothing to do with the outcome"
    assert found.notes[-2:] == (Count("120 of 160 rows are reviewed"), told)
    assert isinstance(found.notes[-2], Count), "a profile that protects small counts leaves it out"


def test_a_weight_of_two_is_a_row_twice():
    rows, times = measured(), 1 + np.arange(N) % 3
    heavy = estimate_sample(replace(rows, weights=times.astype(float)), asked())
    longer = sample(
        np.repeat(rows.outcome, times),
        np.repeat(rows.exposure, times),
        {"need": np.repeat(rows.covariates[:, 0], times)},
        {"review": np.repeat(rows.more["review"], times)},
    )
    for one, other in zip(heavy.model.terms, estimate_sample(longer, asked()).model.terms, strict=True):
        assert one.estimate == pytest.approx(other.estimate)


def test_units_of_a_yes_or_no_and_of_a_score_without_one():
    rows = measured()
    assert estimate_sample(rows, asked()).unit == "point"
    yes = replace(rows, outcome=(rows.outcome > 3).astype(float))
    assert estimate_sample(yes, asked("yes_no")).unit == "probability"


def test_a_measure_that_is_the_truth_needs_no_correction():
    """The slope of the review is 1 without error, whatever its unit: the effect is that of least squares."""
    rows = measured()
    exact = replace(rows, more={"review": np.where(np.arange(N) % 2, PER * rows.exposure, np.nan)})
    found = estimate_sample(exact, asked())
    effect, plain, calibration = found.model.terms
    assert (effect.estimate, effect.se) == pytest.approx((plain.estimate, plain.se))
    assert calibration.estimate == pytest.approx(1) and calibration.se < 1e-10 and calibration.p == 0
    assert calibration.low == pytest.approx(1) and calibration.high == pytest.approx(1)
    halved = replace(rows, more={"review": exact.more["review"] / 2})  # half the truth a unit: twice the effect
    assert estimate_sample(halved, asked()).estimate == pytest.approx(2 * found.estimate)


@pytest.mark.parametrize("reviews", [29, 30])
def test_thirty_reviews_are_enough_and_fewer_are_not(reviews):
    rows = measured()
    gold = np.where(np.arange(N) < reviews, PER * rows.exposure + np.sin(np.arange(N)), np.nan)
    rows = replace(rows, more={"review": gold})
    if reviews == 30:
        assert "30 of 160 rows are reviewed" in estimate_sample(rows, asked()).notes
        return
    with pytest.raises(EstimationError) as refused:
        estimate_sample(rows, asked())
    assert str(refused.value) == (
        "The question 'q': 29 rows have a review (review); at least 30 are needed to know the error of the measure. "
        "Review more, at random."
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_a_measure_within_three_errors_of_telling_nothing_is_refused(sign):
    """Reviews that are mostly noise, with ever more of the measure: refused up to where the slope is 3 errors from 0."""
    rows, rng = measured(), np.random.default_rng(3)
    columns, noise = np.column_stack([np.ones(N), rows.exposure, rows.covariates]), rng.normal(size=N)
    told = []
    for share in np.linspace(0, 0.8, 25):
        gold = sign * (share * rows.exposure + noise)
        slope, moves = pulled(columns, gold / PER, np.ones(N))
        size = abs(slope) / np.sqrt(N / (N - 1) * moves @ moves)
        told.append(size)
        try:
            estimate_sample(replace(rows, more={"review": gold}), asked())
        except EstimationError as refused:
            assert size < 3
            assert str(refused) == (
                "The question 'q': the measure hardly tells what the review finds (its slope lies within 3 standard "
                "errors of 0), so an effect cannot be corrected by it. Review more, or measure better."
            )
        else:
            assert size >= 3
    assert min(told) < 2.9 and 3 < max(told) and np.any((np.array(told) > 2) & (np.array(told) < 3))


def test_words_and_questions_without_a_review_are_refused():
    rows = measured()
    words = replace(rows, more={"review": np.array(["good"] * N, dtype=object)})
    with pytest.raises(EstimationError, match=r"^review: the review gives a number, or 0 and 1; it holds words\.$"):
        estimate_sample(words, asked())
    with pytest.raises(EstimationError, match=r"^The question 'q' has no `detection`\.$"):
        corrected(rows, question())


def test_an_interval_is_of_95_per_cent_unless_another_is_asked_for():
    assert corrected(measured(), asked()) == corrected(measured(), asked(), 0.95)
