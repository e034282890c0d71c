"""Slopes within sequences against both filters by loops, their clustered errors, and what is too little."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from researchkit.errors import EstimationError
from researchkit.estimators.sequence import within


def drawn(sizes=(3, 4, 6, 3, 5, 4, 3, 7, 2, 4, 1, 5), columns=2, seed=0):
    rng = np.random.default_rng(seed)
    whose = np.repeat(np.arange(len(sizes)), sizes)
    x = rng.normal(size=(len(whose), columns)) + whose[:, None]
    return x @ np.arange(1.0, columns + 1) + 3 * whose + rng.normal(size=len(whose)), x, whose


def by_loops(y, x, whose):
    """Coefficients, errors, rows and sequences: from the mean of those after, by the mean of those before."""
    left, right, group = [], [], []
    for one in sorted(set(whose)):
        mine = np.flatnonzero(whose == one)
        for place in range(1, len(mine) - 1):
            now, before, after = mine[place], mine[:place], mine[place + 1 :]
            scale = np.sqrt(len(after) / (len(after) + 1))
            left.append([scale * (y[now] - y[after].mean()), *(scale * (x[now] - x[after].mean(axis=0)))])
            right.append(x[now] - x[before].mean(axis=0))
            group.append(one)
    left, right, group = np.array(left), np.array(right), np.array(group)
    at = np.linalg.solve(right.T @ left[:, 1:], right.T @ left[:, 0])
    rest = left[:, 0] - left[:, 1:] @ at
    meat = sum(np.outer(score, score) for one in set(group) for score in [right[group == one].T @ rest[group == one]])
    bread = np.linalg.inv(right.T @ left[:, 1:])
    many = len(set(group))
    return at, np.sqrt(np.diag(many / (many - 1) * bread @ meat @ bread.T)), len(group), many


@pytest.mark.parametrize("level", [0.9, 0.95])
@pytest.mark.parametrize("columns", [1, 2, 3])
def test_slopes_errors_and_limits_are_those_of_the_loops(columns, level):
    y, x, whose = drawn(columns=columns)
    found = within(y, x, whose, level)
    at, errors, rows, groups = by_loops(y, x, whose)
    half = stats.t.ppf((1 + level) / 2, groups - 1) * errors
    for told, expected in (
        (found.coefficients, at),
        (found.errors, errors),
        (found.low, at - half),
        (found.high, at + half),
    ):
        assert told == pytest.approx(expected)
    assert (found.rows, found.sequences) == (rows, groups) == (1 + 2 + 4 + 1 + 3 + 2 + 1 + 5 + 2 + 3, 10)
    assert within(y, x, whose).low == pytest.approx(at - stats.t.ppf(0.975, groups - 1) * errors)


def test_without_noise_the_slopes_are_exact_whatever_each_sequences_level():
    _, x, whose = drawn()
    found = within(x @ [2.0, -5.0] + 100.0 * whose**2, x, whose)
    assert found.coefficients == pytest.approx([2, -5])
    assert found.errors == pytest.approx([0, 0], abs=1e-8)


def test_names_of_sequences_are_names_and_their_order_is_none():
    y, x, whose = drawn()
    one = within(y, x, whose)
    other = within(y, x, np.array([f"call {place:03d}" for place in whose]))
    turned = np.argsort(-whose, kind="stable")
    third = within(y[turned], x[turned], -whose[turned])
    for told in (other, third):
        assert told.coefficients == pytest.approx(one.coefficients)
        assert told.errors == pytest.approx(one.errors)
    far = within(1000 * y, x / 1e6, whose)
    assert far.errors == pytest.approx(1e9 * one.errors)


def test_ten_sequences_of_three_turns_are_needed():
    y, x, whose = drawn((3,) * 10)
    assert within(y, x, whose).rows == 10
    assert within(*drawn((3,) * 12)).sequences == 12
    for sizes, many in (((3,) * 9 + (2, 2), 9), ((2,) * 12, 0), ((), 0)):
        with pytest.raises(
            EstimationError, match=f"{many} sequences have 3 turns or more, and timing within them needs 10"
        ):
            within(*drawn(sizes))


def test_rows_of_a_sequence_stand_together():
    y, x, whose = drawn()
    for place in (5, len(whose) - 1):
        apart = whose.copy()
        apart[place] = 0
        with pytest.raises(EstimationError, match="must stand together"):
            within(y, x, apart)


def test_columns_that_do_not_move_or_repeat_another_are_refused():
    y, x, whose = drawn()
    for column in (whose * 1.0, 3 * x[:, 0] + whose, 3 * x[:, 0] + 1e-13 * x[:, 1]):
        with pytest.raises(EstimationError, match="does not move within sequences"):
            within(y, np.column_stack([x[:, 0], column]), whose)
    apart = within(y, x * [1e-7, 1e7], whose)  # unlike sizes are no repetition
    assert apart.coefficients == pytest.approx(within(y, x, whose).coefficients * [1e7, 1e-7])
    nearly = np.column_stack([x[:, 0], x[:, 0] + 1e-3 * x[:, 1]])
    assert within(y, nearly, whose).coefficients[1] == pytest.approx(1e3 * within(y, x, whose).coefficients[1])
