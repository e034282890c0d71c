"""Several studies made into one: metafor's numbers, and what must hold of any."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from researchkit.errors import EstimationError
from researchkit.evidence import published
from researchkit.evidence.synthesis import leave_one_out, random_effects, small_studies, weights

POOLS = ("REC_OBS", "REC_RCT", "SAT_R", "BUR_EE")
QUANTITIES = ("tau2", "estimate", "se", "low", "high", "p", "q", "p_q", "i2", "next_low", "next_high")
STUDIES = st.lists(st.tuples(st.floats(-5, 5), st.floats(0.01, 3)), min_size=3, max_size=12)


def rows_of(held, pool):
    if pool == "bcg":
        return [[held.values["pool_bcg"][f"{part}_{place}"] for place in range(1, 14)] for part in ("yi", "vi")]
    part = published().query("pool_set == @pool")
    return part["yi"].to_list(), (part["sei"] ** 2).to_list()


@pytest.mark.parametrize("method", ["REML", "PM"])
@pytest.mark.parametrize("pool", [*POOLS, "bcg"])
def test_a_synthesis_is_that_of_metafor(held, pool, method):
    yi, vi = rows_of(held, pool)
    found = random_effects(yi, np.sqrt(vi), method=method)
    for name in QUANTITIES:
        if held.values[f"pool_{pool}"][f"{method}_{name}"] < 1e-10 and name in ("tau2", "i2"):  # its search stops short
            assert getattr(found, name) == 0
        else:
            assert getattr(found, name) == held(f"pool_{pool}", f"{method}_{name}"), name


@pytest.mark.parametrize("pool", [*POOLS, "bcg"])
def test_leaving_one_out_is_that_of_metafor(held, pool):
    yi, vi = rows_of(held, pool)
    for place, found in enumerate(leave_one_out(yi, np.sqrt(vi)), 1):
        assert found.estimate == held(f"pool_{pool}", f"without_{place}")


def test_the_test_of_small_studies_is_that_of_metafor(held):
    yi, vi = rows_of(held, "bcg")
    found = small_studies(yi, np.sqrt(vi))
    assert found
    assert found.df == 11
    for name in ("t", "p", "limit"):
        assert getattr(found, name) == held("pool_bcg", f"egger_{name}")


def test_few_studies_are_not_asked_whether_the_small_ones_differ(held):
    yi, vi = rows_of(held, "bcg")
    assert small_studies(yi[:9], np.sqrt(vi[:9])) is None


@given(STUDIES)
def test_the_interval_is_never_narrower_than_the_plain_one(studies):
    estimates, errors = map(np.array, zip(*studies, strict=True))
    found = random_effects(estimates, errors)
    plain = 1.959963984540054 / math.sqrt((1 / (errors**2 + found.tau2)).sum())
    assert found.high - found.estimate >= plain * (1 - 1e-12)
    assert found.tau2 >= 0
    assert 0 <= found.i2 < 1
    assert found.next_low <= found.low <= found.high <= found.next_high


@given(STUDIES, st.floats(0.1, 10), st.floats(-3, 3))
def test_another_unit_changes_nothing_else(studies, scale, shift):
    estimates, errors = map(np.array, zip(*studies, strict=True))
    one, two = random_effects(estimates, errors), random_effects(shift + scale * estimates, scale * errors)
    assert two.estimate == pytest.approx(shift + scale * one.estimate, rel=1e-5, abs=1e-5)
    assert two.i2 == pytest.approx(one.i2, abs=1e-5)


def test_studies_that_agree_leave_nothing_between_them():
    found = random_effects([0.2, 0.2, 0.2], [0.1, 0.2, 0.3])
    assert (found.tau2, found.i2, found.q) == (0, 0, pytest.approx(0))
    assert found.estimate == pytest.approx(0.2)


def test_a_moment_estimate_below_zero_is_zero_here():
    """The three studies of recorded outcomes, with which statsmodels' moment estimate is negative."""
    part = published().set_index("id").loc[["E01", "E05", "E06"]]
    assert random_effects(part["yi"], part["sei"]).tau2 == 0
    assert random_effects(part["yi"], part["sei"], method="PM").tau2 == 0


def test_two_studies_have_no_interval():
    found = random_effects([0.47, 2.17], [0.14, 0.64])
    assert math.isnan(found.low) and math.isnan(found.high) and math.isnan(found.next_high)
    assert leave_one_out([0.47, 2.17], [0.14, 0.64]) == []


def test_the_shares_add_up_and_the_precise_count_more():
    errors = [0.1, 0.2, 0.3]
    share = weights(random_effects([0.1, 0.3, 0.2], errors), errors)
    assert share.sum() == pytest.approx(1)
    assert list(share) == sorted(share, reverse=True)


@pytest.mark.parametrize(
    ("estimates", "errors", "words"),
    [
        ([0.1], [0.1], "quoted, not pooled"),
        ([0.1, np.nan, np.inf], [0.1, 0.1, 0.1], "2 of them have no finite estimate"),
        ([0.1, 0.2], [0.1, 0.0], "1 of them have no"),
        ([0.1, 0.2], [0.1], "one length"),
    ],
)
def test_what_cannot_be_pooled_is_refused_in_words(estimates, errors, words):
    with pytest.raises(EstimationError, match=words):
        random_effects(estimates, errors)
