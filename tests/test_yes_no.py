"""A risk by statsmodels' own logistic regression and by hand: terms, limits, errors by their limits, and refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from designed import question, sample
from scipy.special import expit
from scipy.stats import norm

from researchkit.errors import EstimationError
from researchkit.estimators import estimate_sample
from researchkit.estimators.yes_no import objections, rarer, yes_no

N = 300


def made(binary=True, three=False, **more):
    rng = np.random.default_rng(1)
    need, arm = rng.normal(size=N), rng.choice(3 if three else 2, N)
    care = (arm == 1).astype(float) if binary else 5 + 2 * rng.normal(size=N)
    outcome = rng.random(N) < expit(0.5 * (care - (0 if binary else 5)) + need + (arm == 2))
    others = {"need": need} | ({"care: much": arm == 2} if three else {})
    return sample(outcome, care, others, groups=("need", "care")[: 1 + three], **more)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("three", [False, True])
@pytest.mark.parametrize("binary", [True, False])
def test_every_term_and_the_average_by_statsmodels(binary, three, weighted):
    weights = np.random.default_rng(2).uniform(0.5, 3, N) if weighted else None
    rows = made(binary, three and binary, weights=weights)
    found = estimate_sample(rows, question("yes_no"), 0.9)
    columns = np.column_stack([rows.exposure, rows.covariates, np.ones(N)])
    heavy = np.ones(N) if weights is None else weights
    fit = sm.GLM(rows.outcome, columns, sm.families.Binomial(), freq_weights=heavy).fit(tol=1e-13)
    risk = fit.fittedvalues
    bread = np.linalg.inv(columns.T @ (columns * (heavy * risk * (1 - risk))[:, None]))
    scores = columns * (heavy * (rows.outcome - risk))[:, None]
    covariance = bread @ scores.T @ scores @ bread if weighted else bread

    def average(b):
        if not binary:
            return np.average(b[0] * expit(columns @ b) * expit(-columns @ b), weights=heavy)
        moved = columns.copy()
        moved[:, 2:-1] = 0  # who has a further level leaves it
        return np.average(
            expit(moved @ b + b[0] * (1 - moved[:, 0])) - expit(moved @ b - b[0] * moved[:, 0]), weights=heavy
        )

    steps = 1e-6 * np.eye(len(fit.params))
    gradient = np.array([(average(fit.params + s) - average(fit.params - s)) / 2e-6 for s in steps])
    value, se, far = average(fit.params), np.sqrt(gradient @ covariance @ gradient), norm.ppf(0.95)
    told = (found.estimate, found.se, found.low, found.high)
    assert told == pytest.approx((value, se, value - far * se, value + far * se), rel=1e-5)
    assert found.p == pytest.approx(2 * norm.sf(abs(value / se)), rel=1e-4)
    errors = np.sqrt(np.diag(covariance))
    for term, b, error in zip(found.model.terms, fit.params, errors, strict=True):
        told = (term.estimate, term.se, term.low, term.high)
        assert told == pytest.approx((b, error, b - far * error, b + far * error), rel=1e-6, abs=1e-9)
    assert found.also["odds ratio"] == pytest.approx(np.exp(fit.params[0] + far * errors[0] * np.array([0, -1, 1])))
    names = ("care", "need", *(["care: much"] if three and binary else []), "Intercept")
    assert tuple(one.term for one in found.model.terms) == names
    assert (found.df, found.unit, found.n, found.notes) == (None, "probability", N, ())
    how = "standardised over the sample" if binary else "average marginal effect"
    name = "HC0" if weighted else "model-based"
    assert found.method == f"logistic, {how}, {name} errors{', weighted' if weighted else ''}"
    assert (found.model.name, found.model.errors, found.model.scale) == ("logistic", name, "log odds")


def test_clusters_bring_their_name_and_degrees_of_freedom():
    found = estimate_sample(made(cluster=np.arange(N) % 25), question("yes_no"))
    how = "CR2 errors clustered by agent, Satterthwaite degrees of freedom"
    assert found.method == f"logistic, standardised over the sample, {how}" and 5 < found.df < 25


@pytest.mark.parametrize(("n", "yes", "errors"), [(99, 50, "HC2"), (100, 50, "model-based"), (300, 49, "HC2")])
def test_few_people_or_few_of_the_rarer_outcome_have_hc2(n, yes, errors):
    rng = np.random.default_rng(3)
    outcome = np.zeros(n)
    outcome[rng.choice(n, yes, replace=False)] = 1
    for way in (outcome, 1 - outcome):
        found = estimate_sample(sample(way, rng.normal(size=n)), question("yes_no"))
        kind = errors if min(way.sum(), n - way.sum()) >= 50 or errors == "HC2" else "HC2"
        assert found.model.errors == kind
        assert (", Satterthwaite degrees of freedom" in found.method) is (kind == "HC2")


def test_the_rarer_outcome_is_counted_and_yes_where_they_are_even():
    three = np.array([True, False, True, True])
    assert rarer(three).tolist() == [0, 1, 0, 0] and rarer(~three).tolist() == [0, 1, 0, 0]
    even = np.array([True, False, False, True])
    assert rarer(even).tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("yes", [0, 1, 4, 5])
def test_five_of_the_rarer_outcome_are_needed(yes, turned):
    outcome = (np.arange(40) < yes).astype(float)
    found = objections(1 - outcome if turned else outcome)
    if yes in (0, 5):  # all alike is said elsewhere
        assert found == []
    else:
        assert found == [
            f"only {yes} people have the rarer outcome; at least 5 are needed. Collect more data, or ask about an outcome "
            "that is less rare."
        ]


def test_outcomes_other_than_yes_and_no_are_counted():
    assert objections(np.array([0.0, 1.0, 2.0, 0.5, -1.0] * 8)) == [
        "24 outcomes are neither 0 nor 1; `yes` in the study file names the value that counts as yes."
    ]


def test_columns_that_tell_the_outcome_are_refused_each_by_name():
    rows = made()
    apart = replace(rows, covariates=np.column_stack([rows.covariates, rows.outcome]), names=("need", "fax"))
    with pytest.raises(EstimationError, match=r"^The question 'q': fax tells the outcome exactly: all \d+ rows"):
        estimate_sample(replace(apart, groups=("need", "fax")), question("yes_no"))
    with pytest.raises(EstimationError, match="care tells the outcome exactly"):
        estimate_sample(replace(rows, exposure=1 - rows.outcome), question("yes_no"))
    both = replace(rows, outcome=(rows.exposure + rows.covariates[:, 0] > 0.5).astype(float))
    with pytest.raises(EstimationError, match=r"no finite best fit: the coefficient of (care|need) grows"):
        estimate_sample(both, question("yes_no"))


def test_an_interval_is_of_95_per_cent_unless_another_is_asked_for():
    assert yes_no(made(), question("yes_no")) == yes_no(made(), question("yes_no"), 0.95)


def test_where_yes_and_no_are_even_it_is_the_yes_that_are_counted_by_side():
    care, n = np.repeat([1, 0], [15, 45]), 60
    outcome = np.concatenate([np.arange(15) < 5, np.arange(45) < 25]).astype(float)
    assert outcome.sum() == n / 2
    note = "few events: fewer than 10 on one side"
    assert estimate_sample(sample(outcome, care), question("yes_no")).notes[-1].startswith(note)
    assert estimate_sample(sample(1 - outcome, care), question("yes_no")).notes == ()
