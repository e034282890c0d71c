"""Columns of a model: centred, scaled, taken back; what others determine goes, and the exposure never does."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
from designed import sample

from researchkit.errors import EstimationError
from researchkit.estimators.design import design, independent

N = 40
RNG = np.random.default_rng(1)
CARE, AGE, NEED = RNG.normal(3, 2, N), RNG.normal(40, 9, N), RNG.normal(size=N)


def made(**covariates):
    return sample(np.arange(N), CARE, covariates)


@pytest.mark.parametrize("intercept", [True, False])
def test_columns_are_centred_and_scaled_and_taken_back(intercept):
    start = RNG.normal(20, 5, N)
    found = design(made(age=AGE, need=NEED), intercept=intercept, first=("before", start))
    raw = np.column_stack([CARE, start, AGE, NEED])
    assert found.names == ("care", "before", "age", "need", *(["Intercept"] if intercept else []))
    scaled = (raw - raw.mean(axis=0)) / raw.std(axis=0)
    assert found.matrix[:, :4] == pytest.approx(scaled) and found.matrix.shape == (N, 4 + intercept)
    assert not intercept or found.matrix[:, 4].tolist() == [1.0] * N
    assert found.centre[:4] == pytest.approx(raw.mean(axis=0)) and found.scale[:4] == pytest.approx(raw.std(axis=0))
    if intercept:
        assert (found.centre[4], found.scale[4]) == (0, 1)
    coefficients, covariance = RNG.normal(size=4 + intercept), np.diag(RNG.uniform(1, 2, 4 + intercept))
    back, spread = found.raw(coefficients, covariance)
    if intercept:
        assert np.column_stack([raw, np.ones(N)]) @ back == pytest.approx(found.matrix @ coefficients)
    assert back[:4] == pytest.approx(coefficients[:4] / raw.std(axis=0))
    assert spread == pytest.approx(found.back @ covariance @ found.back.T)
    assert (found.intercept, found.notes, found.others.tolist()) == (intercept, (), [False] * (4 + intercept))


def test_a_what_if_moves_the_exposure_and_empties_its_further_levels():
    much = (np.arange(N) % 3 == 2).astype(float)
    rows = sample(np.arange(N), np.arange(N) % 3 == 1, {"age": AGE, "care: much": much}, groups=("age", "care"))
    found = design(rows, "care")
    assert found.others.tolist() == [False, False, True, False]
    moved = found.at(1.0)
    raw = moved * found.scale + found.centre
    assert raw[:, 0] == pytest.approx(np.ones(N)) and raw[:, 2] == pytest.approx(np.zeros(N), abs=1e-12)
    assert raw[:, 1] == pytest.approx(AGE) and moved[:, 3].tolist() == [1.0] * N
    each = found.at(np.arange(N) / 7) * found.scale + found.centre
    assert each[:, 0] == pytest.approx(np.arange(N) / 7)
    assert np.array_equal(found.matrix, design(rows, "care").matrix)  # a what-if leaves the columns as they are
    assert not design(rows).others.any() and not design(replace(rows, groups=("", ""))).others.any()
    assert not design(replace(rows, groups=("", "dose")), "care").others.any()
    first = design(rows, "care", first=("before", NEED))
    assert first.names == ("care", "before", "age", "care: much", "Intercept")
    assert first.others.tolist() == [False, False, False, True, False]
    assert design(rows, "care", intercept=False).others.tolist() == [False, False, True]


def test_what_covariates_before_it_determine_is_left_out_and_named():
    found = design(made(age=AGE, again=2 * AGE - 7, need=NEED, even=np.full(N, 3.3), both=AGE + NEED))
    assert found.names == ("care", "age", "need", "Intercept")
    assert found.notes == ("left out because the other covariates determine them: again, even and both",)
    assert design(made(age=AGE)).notes == ()


def test_an_exposure_that_covariates_determine_is_refused_with_those_that_do():
    with pytest.raises(EstimationError) as refused:
        design(made(age=AGE, need=NEED, a=CARE + 2 * AGE))
    assert str(refused.value) == (
        "care is fully determined by age and a: among people alike in them nobody differs in it, so its effect cannot be "
        "told from theirs. Take them out of `adjust`, or ask about another exposure."
    )
    with pytest.raises(EstimationError, match=r"^care is fully determined by a: among"):
        design(made(need=NEED, a=-3 * CARE + 5))


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_a_column_that_varies_by_rounding_only_is_the_intercept(unit):
    wobble = unit * (1 + 1e-15 * (np.arange(N) % 2))
    assert design(made(age=AGE, flat=wobble)).notes == ("left out because the other covariates determine them: flat",)
    small = unit * (1 + 1e-9 * (np.arange(N) % 2))
    assert design(made(age=AGE, small=small)).names == ("care", "age", "small", "Intercept")


def test_a_column_is_kept_that_leaves_more_than_a_ten_millionth():
    """R's lm takes a column for determined whose rest is smaller than 1e-7 of it."""
    rest = NEED - np.polyval(np.polyfit(AGE, NEED, 1), AGE)
    rest, age = rest / np.linalg.norm(rest), (AGE - AGE.mean()) / np.linalg.norm(AGE - AGE.mean())
    for share, kept in ((3e-8, [0]), (3e-7, [0, 1]), (0.3, [0, 1])):
        assert independent(np.column_stack([age, age + share * rest]), [0, 1]) == kept
    assert independent(np.column_stack([age, 1e-9 * rest]), [0, 1]) == [0, 1]  # small, and not determined


def test_who_comes_first_in_the_order_stays():
    columns = np.column_stack([AGE, 2 * AGE, NEED, AGE + NEED])
    assert independent(columns, [0, 1, 2, 3]) == [0, 2] and independent(columns, [3, 1, 0, 2]) == [1, 3]
    assert independent(columns, [2, 3]) == [2, 3] and independent(columns, []) == []
    assert independent(np.column_stack([np.zeros(N), AGE]), [0, 1]) == [1]
    many = RNG.normal(size=(30, 12))
    wide = np.column_stack([many, many @ RNG.normal(size=(12, 8))])
    assert independent(wide, list(range(20))) == list(range(12))


def test_a_sample_without_covariates():
    found = design(made())
    assert found.names == ("care", "Intercept") and found.matrix.shape == (N, 2)
    assert found.back.tolist() == [[1 / CARE.std(), 0.0], [-CARE.mean() / CARE.std(), 1.0]]
    line = replace(made(), covariates=np.empty(0))
    assert design(line).names == ("care", "Intercept")


def test_what_is_handed_back_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        design(made()).names = ()
