"""A score and a change by statsmodels: every term, its limits, the words, notes at their limits, and refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from designed import question, sample
from scipy import stats

from researchkit.errors import EstimationError
from researchkit.estimators import estimate_sample, score
from researchkit.estimators.linear import cr2, least_squares

N = 120


def made(**more):
    rng = np.random.default_rng(1)
    care, age, before = rng.normal(3, 2, N), rng.normal(40, 9, N), rng.normal(20, 5, N)
    outcome = 0.4 * care + 0.05 * age + 0.5 * before + rng.normal(0, 1 + 0.1 * np.abs(care))
    return sample(outcome, care, {"age": age}, baseline=before, **more)


def change(**outcome):
    return question("change", {"baseline": "before"} | outcome)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["score", "change"])
def test_every_term_is_that_of_least_squares_with_hc3(kind, weighted):
    weights = np.random.default_rng(2).uniform(0.5, 3, N) if weighted else None
    rows = made(weights=weights)
    about = change(unit="night") if kind == "change" else question("score", {"unit": "night"})
    found = estimate_sample(rows, about, 0.9)
    before = [rows.baseline - rows.baseline.mean()] if kind == "change" else []
    columns = np.column_stack([rows.exposure, *before, rows.covariates, np.ones(N)])
    fit = sm.WLS(rows.outcome, columns, weights=1.0 if weights is None else weights).fit(cov_type="HC3", use_t=True)
    names = ["care", *(["before (centred)"] if before else []), "age", "Intercept"]
    assert [one.term for one in found.model.terms] == names
    for place, term in enumerate(found.model.terms):
        told = (term.estimate, term.se, term.low, term.high, term.p)
        ends = (fit.params[place], fit.bse[place], *fit.conf_int(0.1)[place], fit.pvalues[place])
        assert told == pytest.approx(ends, rel=1e-7)
    for field in ("estimate", "se", "low", "high", "p"):
        assert getattr(found, field) == getattr(found.model.terms[0], field)
    assert (found.df, found.level, found.n, found.unit, found.kind) == (N - len(names), 0.9, N, "night", kind)
    how = "least squares" if kind == "score" else "analysis of covariance on the baseline"
    assert found.method == f"{how}, HC3 errors{', weighted' if weighted else ''}"
    assert (found.model.name, found.model.errors, found.model.scale) == ("least squares", "HC3", "night")
    assert (found.notes, found.also, found.clusters) == ((), {}, None)
    plain = estimate_sample(rows, change() if kind == "change" else question(), 0.9)
    assert (plain.unit, plain.model.scale) == ("point", "points")


def test_clusters_have_cr2_of_the_raw_columns():
    team = np.arange(N) % 11
    found = estimate_sample(made(cluster=team), question(), 0.9)
    rows = made()
    spread = cr2(least_squares(np.column_stack([rows.exposure, rows.covariates, np.ones(N)]), rows.outcome), team)
    assert [one.se for one in found.model.terms] == pytest.approx(np.sqrt(np.diag(spread.covariance)), rel=1e-7)
    assert found.df == pytest.approx(spread.df[0]) and found.clusters == 11
    assert found.method == "least squares, CR2 errors clustered by agent, Satterthwaite degrees of freedom"
    assert found.notes == ("few clusters: 11 (agent)",)


@pytest.mark.parametrize("away", [-1, 1])
def test_residuals_are_very_skewed_beyond_three_and_not_at_three(away):
    note = (
        f"very skewed: the residuals have a skewness of {'−' if away < 0 else ''}3.1; with such, an interval holds the "
        "truth less often than it says. The logarithm of the score may serve better"
    )
    assert score.skewed(away * 3.1) == (note,) and score.skewed(away * 3.0) == () and score.skewed(away * 2.9) == ()
    rare = np.zeros(N)
    rare[:4] = away * 50.0
    care = np.arange(N) % 2
    found = estimate_sample(sample(rare + np.sin(np.arange(N)), care), question())
    residuals = sm.OLS(rare + np.sin(np.arange(N)), sm.add_constant(care)).fit().resid
    told = f"{sm.stats.stattools.robust_skewness(residuals)[0]:.1f}".replace("-", "−")
    assert found.notes == (note.replace("3.1", told.lstrip("−")),)


def test_the_skewness_of_weighted_residuals_is_that_of_what_is_fitted():
    rng = np.random.default_rng(3)
    weights, care = rng.uniform(0.2, 3, N), rng.normal(size=N)
    outcome = np.exp(1.5 * rng.normal(size=N)) * weights
    fit = sm.WLS(outcome, sm.add_constant(care), weights=weights).fit()
    skewness = stats.skew(fit.resid * np.sqrt(weights))
    (told,) = estimate_sample(sample(outcome, care, weights=weights), question()).notes
    assert skewness > 3 and told.startswith(f"very skewed: the residuals have a skewness of {skewness:.1f}; with such")


def test_a_change_needs_a_baseline_that_differs():
    with pytest.raises(EstimationError) as refused:
        estimate_sample(replace(made(), baseline=None), change())
    assert str(refused.value) == "The question 'q' asks for a change, but its sample has no baseline."
    with pytest.raises(EstimationError) as refused:
        estimate_sample(replace(made(), baseline=np.full(N, 0.1)), change())
    assert str(refused.value) == (
        "The question 'q': the baseline is the same for everybody; ask for kind `score` instead of `change`."
    )
    empty = replace(sample([], []), baseline=np.empty(0))
    with pytest.raises(EstimationError, match="none of 0 rows is complete"):
        estimate_sample(empty, change())


def test_an_outcome_that_is_told_exactly_is_refused():
    rows = made()
    for outcome in (3 * rows.exposure - rows.covariates[:, 0], 1e-9 * rows.exposure):
        with pytest.raises(EstimationError) as refused:
            estimate_sample(replace(rows, outcome=outcome), question())
        assert str(refused.value) == (
            "score is told exactly by the exposure and the columns of `adjust`. One of them is probably the outcome under "
            "another name, or a part of it; take it out."
        )
    near = 3 * rows.exposure + 1e-6 * np.random.default_rng(9).normal(size=N)
    assert estimate_sample(replace(rows, outcome=near), question()).estimate == pytest.approx(3, abs=1e-5)


def test_an_exposure_that_differs_in_one_cluster_only_leaves_no_error():
    """With a level of its own for each cluster, one alone carries the effect: no spread between clusters is left."""
    team = np.repeat(np.arange(20), 6)
    care = np.where(team == 0, np.arange(N) % 2, 0)
    fixed = {f"team {one}": team == one for one in range(1, 20)}
    rows = sample(np.random.default_rng(1).normal(size=N), care, fixed, cluster=team)
    with pytest.raises(EstimationError) as refused:
        estimate_sample(rows, question())
    assert str(refused.value) == (
        "The question 'q': care differs in too few agent for a standard error. More of them are needed on each side."
    )
    assert score.no_error(sample([1], [1]), question()).startswith(
        "The question 'q': care differs in too few rows for a"
    )


def test_an_interval_is_of_95_per_cent_unless_another_is_asked_for():
    rows = made()
    assert score.score(rows, question()) == score.score(rows, question(), 0.95)
    assert score.change(rows, change()) == score.change(rows, change(), 0.95)
