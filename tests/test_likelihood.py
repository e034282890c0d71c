"""The maximum that Newton's steps find, against statsmodels' iterated least squares; and data that have none."""

import numpy as np
import pytest
from statsmodels.genmod import families
from statsmodels.genmod.generalized_linear_model import GLM

from researchkit.estimators.likelihood import LOG, LOGIT, RunsAway, fitted


def columns(rng, n, k):
    return np.column_stack([rng.normal(size=(n, k)), np.ones(n)])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("link", "family", "constant"), [(LOGIT, families.Binomial(), -2.0), (LOG, families.Poisson(), 7.0)]
)
def test_the_maximum_is_that_of_statsmodels(link, family, constant, weighted):
    rng = np.random.default_rng(8)
    for n, k in [(40, 1), (200, 4), (1000, 7)]:
        matrix, along = columns(rng, n, k), rng.normal(size=n)
        mean = link.mean(matrix @ np.append(rng.normal(size=k) / 2, constant) + along)
        outcome = rng.binomial(1, mean) if link is LOGIT else rng.poisson(mean)
        weights = rng.uniform(0.1, 3, n) if weighted else None
        at, information = fitted(link, matrix, outcome.astype(float), weights, along)
        theirs = GLM(outcome, matrix, family=family, var_weights=weights, offset=along).fit(
            tol_criterion="params", tol=1e-12, maxiter=100
        )
        assert at == pytest.approx(theirs.params, rel=1e-9, abs=1e-10)
        assert np.linalg.inv(information) == pytest.approx(theirs.cov_params() / theirs.scale, rel=1e-7)


def test_no_finite_maximum_is_refused():
    rng = np.random.default_rng(9)
    matrix = columns(rng, 60, 2)
    parted = (matrix[:, 0] > 0).astype(float)
    with pytest.raises(RunsAway) as away:
        fitted(LOGIT, matrix, parted, None)
    assert np.argmax(np.abs(away.value.at[:2])) == 0  # the column that parts them is the one that runs


@pytest.mark.parametrize("link", [LOGIT, LOG])
def test_a_column_over_again_is_refused(link):
    matrix = columns(np.random.default_rng(10), 60, 1)
    with pytest.raises(RunsAway):
        fitted(link, np.column_stack([matrix, np.zeros(60)]), (np.arange(60) % 2).astype(float), None)


def test_counts_far_from_each_other_are_found():
    """From zero the first step would go to counts beyond what a float holds."""
    outcome = np.array([0.0, 1, 0, 2, 900_000, 1_100_000])
    matrix = np.column_stack([[0.0, 0, 0, 0, 1, 1], np.ones(6)])
    at, _ = fitted(LOG, matrix, outcome, None)
    assert at == pytest.approx([np.log(1_000_000 / 0.75), np.log(0.75)], rel=1e-9)
