"""R's values on the package's own simulated data (tests/reference): everybody can run these, with R or without."""

from __future__ import annotations

import numpy as np
import pytest

from researchkit.estimators.linear import hc3, least_squares


@pytest.fixture(scope="module")
def stays(held):
    return held.frames["stays"]


def test_weighted_least_squares(held, stays):
    weights = (1 + stays["age"] / 50).to_numpy()
    matrix = stays[["compassion", "severity", "age"]].assign(one=1.0).to_numpy()
    line = least_squares(matrix, stays["length_of_stay"].to_numpy(float), weights)
    assert line.coefficients[0] == held("weighted_stay", "b")
    assert np.sqrt(hc3(line).covariance[0, 0]) == held("weighted_stay", "se_hc3")
