"""A jump at a limit against the same computed plainly: weighted lines, neighbours in order, the worst of bends."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from designed import counts
from scipy import stats

from researchkit.errors import EstimationError
from researchkit.estimators import limit as room
from researchkit.estimators.limit import Jump, Side, limit
from researchkit.parts import Question

BASE = {"id": "q", "title": "Does it?", "claim": "LOY-6", "exposure": "free", "smallest_effect": 1}


def question(treated="at or above", at=50, kind="score", **outcome):
    rule = {"running": "amount", "at": at, "treated": treated}
    return Question(**BASE, outcome={"column": "pleased", "kind": kind, **outcome}, limit=rule)


def drawn(n=300, seed=0, at=50.0, treated="at or above", takes=1.0, covariates=0, teams=None, bent=0.05):
    """Rows beside a limit with a bent course; `takes` is the share of the treated side that is exposed."""
    rng = np.random.default_rng(seed)
    amount = at + rng.uniform(-40, 50, n)
    on = amount >= at if treated == "at or above" else amount < at
    got = on & (rng.random(n) < takes)
    beside = rng.normal(size=(n, covariates)) + 0.01 * amount[:, None]
    x = (amount - at) / 40
    pleased = 2 + x + bent * (x**2 + x**3) + 0.8 * got + beside @ np.arange(1.0, covariates + 1) + rng.normal(size=n)
    return SimpleNamespace(
        outcome=pleased,
        exposure=got.astype(float),
        covariates=beside,
        names=tuple(f"c{place}" for place in range(covariates)),
        cluster=None if teams is None else rng.integers(0, teams, n),
        cluster_name=None if teams is None else "team",
        binary_exposure=True,
        contrast="free against paid",
        more={"amount": amount},
    )


def sides_of(sample, at=50.0, treated="at or above"):
    away = sample.more["amount"] - at
    return Side(away, away >= 0 if treated == "at or above" else away < 0, sample.cluster)


# The same by plain computation


def line_weights(x, on, window, covariates=None):
    """(n,) what each outcome counts in the coefficient of `on` in lm(y ~ on * x + covariates, weights = 1 - |x| / h)."""
    near = np.abs(x) < window
    columns = [np.ones(near.sum()), on[near], x[near], on[near] * x[near]]
    if covariates is not None:
        columns += list(covariates[near].T)
    design, weight = np.column_stack(columns).astype(float), 1 - np.abs(x[near]) / window
    found = np.zeros(len(x))
    found[near] = (np.linalg.inv(design.T @ (design * weight[:, None])) @ (design * weight[:, None]).T)[1]
    return found


def neighbours(x, y, chosen):
    """Each chosen row less the mean of two before and one after it in order (three after the first, and so on)."""
    left = np.zeros(len(x))
    order = sorted(np.flatnonzero(chosen), key=lambda row: x[row])
    for place, row in enumerate(order):
        begin = min(max(place - 2, 0), len(order) - 4)
        others = [other for other in order[begin : begin + 4] if other != row]
        left[row] = math.sqrt(3 / 4) * (y[row] - np.mean(y[others]))
    return left


def spread(x, y, on, pull, cluster=None):
    """The error of the jump from the rows within the window."""
    near = pull != 0
    moved = pull * (neighbours(x, y, on & near) + neighbours(x, y, ~on & near))
    if cluster is None:
        return math.sqrt(sum(moved**2))
    sums = [moved[cluster == one].sum() for one in set(cluster)]
    groups = len(set(cluster[near]))
    return math.sqrt(groups / (groups - 1) * sum(one**2 for one in sums))


def most_bent(x, y, on):
    """The largest second derivative of y on a polynomial of degree 4, of either side."""
    found = []
    for rows in (on, ~on):
        second = np.polyder(np.poly1d(np.polyfit(x[rows], y[rows], 4)), 2)
        found.append(max(abs(second(np.linspace(x[rows].min(), x[rows].max(), 200)))))
    return max(found)


def added_by_bends(x, on, pull, curve):
    """The most that parabolas of that second derivative, up or down on either side, add to a jump of nothing."""
    parabola = curve / 2 * x**2
    return max(pull @ (parabola * np.where(on, one, other)) for one in (-1, 1) for other in (-1, 1))


def shortest_window(x, y, on, curve, level):
    """Of 40 windows, from 20 rows and 4 values a side to all rows, that with the shortest interval."""
    noise = np.zeros(len(x))
    for rows in (on, ~on):
        left = neighbours(x, y, rows)
        close = rows & (np.abs(x) <= np.median(np.abs(x[rows])))
        noise[rows] = np.mean(left[close] ** 2)
    first = max(max(np.sort(abs(x[rows]))[19], np.unique(abs(x[rows]))[3]) for rows in (on, ~on))
    tried = []
    for window in first * (1 + 1e-6) * (abs(x).max() / first / (1 + 1e-6)) ** (np.arange(40) / 39) * (1 + 1e-9):
        pull = line_weights(x, on, window)
        se = math.sqrt(pull**2 @ noise)
        tried.append((stats.foldnorm.ppf(level, added_by_bends(x, on, pull, curve) / se) * se, window))
    return min(tried)[1]


@pytest.mark.parametrize(
    ("treated", "teams", "level", "at"),
    [("at or above", None, 0.95, 50.0), ("below", 12, 0.9, 50.0), ("at or above", 9, 0.99, 0.0)],
)
def test_a_sharp_jump_is_that_of_the_plain_computation(treated, teams, level, at):
    sample = drawn(treated=treated, teams=teams, at=at)
    found = limit(sample, question(treated, at), level)
    x, y = sample.more["amount"] - at, sample.outcome
    on = x >= 0 if treated == "at or above" else x < 0
    curve = most_bent(x, y, on)
    window = shortest_window(x, y, on, curve, level)
    assert room.narrowest(sides_of(sample, at, treated)) < 0.8 * window < 0.5 * abs(x).max()
    pull = line_weights(x, on, window)
    se, bias = spread(x, y, on, pull, sample.cluster), added_by_bends(x, on, pull, curve)
    half = stats.foldnorm.ppf(level, bias / se) * se
    jump, quantile = pull @ y, stats.norm.ppf((1 + level) / 2)
    p = 2 * stats.norm.sf(abs(jump) * quantile / half)
    expected = (jump, half / quantile, jump - half, jump + half, level, p)
    told = (found.estimate, found.se, found.low, found.high, found.level, found.p)
    assert told == pytest.approx(expected, rel=1e-5)
    (term,) = found.model.terms
    assert (term.estimate, term.se, term.low, term.high, term.p) == pytest.approx(
        (jump, se, jump - half, jump + half, p), rel=1e-5
    )
    rows = int((abs(x) < window).sum())
    assert f"{rows} of {len(x)} rows lie within the window" in counts(found.notes)
    assert (found.n, found.df, found.unit, found.kind) == (len(x), None, "point", "score")
    assert found.clusters == (None if teams is None else len(set(sample.cluster[abs(x) < window])))
    assert found.method.startswith(f"sharp discontinuity at {at:g}, ")
    assert found.method.endswith("bends" if teams is None else "bends, clustered by team")
    assert not any("not all beyond the limit" in note for note in found.notes)


def test_where_the_limit_moves_the_share_alone_it_is_the_ratio_of_two_jumps():
    sample = drawn(n=900, takes=0.95, teams=30, bent=0.2)
    sample.cluster = sample.cluster + 30 * (sample.more["amount"] >= 50)  # teams of one side each
    level = 0.9
    found = limit(sample, question(), level)
    x, y, got = sample.more["amount"] - 50, sample.outcome, sample.exposure
    on = x >= 0
    curve, window = most_bent(x, y, on), shortest_window(x, y, on, most_bent(x, y, on), level)
    pull = line_weights(x, on, window)
    jump, moved = pull @ y, pull @ got
    size = jump / moved
    moved_se = spread(x, got, on, pull, sample.cluster)
    moved_bias = added_by_bends(x, on, pull, most_bent(x, got, on))
    se = spread(x, y - size * got, on, pull, sample.cluster) / moved
    bias = (added_by_bends(x, on, pull, curve) + abs(size) * moved_bias) / moved
    half = stats.foldnorm.ppf(level, bias / se) * se
    reach = stats.foldnorm.ppf(level, moved_bias / moved_se) * moved_se
    quantile = stats.norm.ppf(0.95)
    p, p_moved = (2 * stats.norm.sf(one * quantile / by) for one, by in ((abs(size), half), (moved, reach)))
    effect, share = found.model.terms
    assert [found.estimate, found.se, found.low, found.high, found.p] == pytest.approx(
        [size, half / quantile, size - half, size + half, p], rel=1e-5
    )
    for term, expected in (
        (effect, (size, se, size - half, size + half, p)),
        (share, (moved, moved_se, moved - reach, moved + reach, p_moved)),
    ):
        assert (term.estimate, term.se, term.low, term.high, term.p) == pytest.approx(expected, rel=1e-5)
    assert found.method.startswith("fuzzy")
    assert found.clusters == len(set(sample.cluster[abs(x) < window])) > 40
    assert f"{int((abs(x) < window).sum())} of 900 rows lie within the window" in counts(found.notes)
    assert "not all beyond the limit were treated" in found.notes[-1]


def test_covariates_are_held_equal_by_the_same_weighted_lines():
    sample = drawn(n=400, covariates=2)
    found = limit(sample, question())
    sides = sides_of(sample)
    x, on, y = sides.away, sides.on, sample.outcome
    first = room.adjusted(sides, y, sample.covariates, room.widest(sides))
    window = shortest_window(x, first, on, most_bent(x, y, on), 0.95)
    assert found.estimate == pytest.approx(line_weights(x, on, window, sample.covariates) @ y, rel=1e-5)
    whole = line_weights(x, on, abs(x).max() * (1 + 1e-9), sample.covariates) @ y
    assert line_weights(x, on, abs(x).max() * (1 + 1e-9)) @ first == pytest.approx(whole, rel=1e-5)


def test_covariates_that_tell_the_outcome_whole_leave_no_jump():
    """Exact: the outcome is lines on each side plus 3 c - 2 d, and the adjusted one is those lines at the mean."""
    sample = drawn(n=400, covariates=2)
    sides = sides_of(sample)
    lines = 1 + 0.1 * sides.away + sides.on * (0.5 - 0.2 * sides.away)
    for window in (20.0, 100.0):
        near = np.abs(sides.away) < window
        c, d = (sample.covariates - sample.covariates[near].mean(axis=0)).T
        outcome = lines + sample.covariates @ [3, -2]
        told = room.adjusted(sides, outcome, sample.covariates, window)
        assert told == pytest.approx(outcome - 3 * c + 2 * d)


# What must hold for any data


def fields(effect):
    return np.array([effect.estimate, effect.se, effect.low, effect.high])


def test_units_of_outcome_and_running_column_turn_into_themselves():
    sample = drawn(n=300, teams=20)
    plain = limit(sample, question())
    large = replace_(sample, outcome=1000 * sample.outcome + 7)
    assert fields(limit(large, question())) == pytest.approx(1000 * fields(plain))
    far = replace_(sample, more={"amount": 1000 * sample.more["amount"]})
    near = replace_(sample, more={"amount": (sample.more["amount"] - 50) * 1e-12})
    for told, at in ((far, 50_000), (near, 0)):
        other = limit(told, question(at=at))
        assert fields(other) == pytest.approx(fields(plain), rel=1e-6)
        assert other.notes == plain.notes


def replace_(sample, **more):
    return SimpleNamespace(**{**vars(sample), **more})


def test_rows_shuffled_and_sides_turned_give_the_same_jump():
    sample = drawn(n=121, teams=20, covariates=1)
    plain = limit(sample, question())
    order = np.random.default_rng(1).permutation(121)
    other = replace_(
        sample,
        outcome=sample.outcome[order],
        exposure=sample.exposure[order],
        covariates=sample.covariates[order],
        cluster=sample.cluster[order],
        more={"amount": sample.more["amount"][order]},
    )
    assert fields(limit(other, question())) == pytest.approx(fields(plain))
    turned = replace_(sample, exposure=1 - sample.exposure, outcome=-sample.outcome)
    assert fields(limit(turned, question("below"))) == pytest.approx(fields(plain))


def test_the_limit_itself_is_above():
    away = np.array([-1.0, 0.0, 1.0])
    for treated, on in (("at or above", [False, True, True]), ("below", [True, False, False])):
        sample = SimpleNamespace(more={"amount": away + 50}, outcome=np.zeros(3), cluster=None)
        sides, _ = room.sides_of(sample, question(treated))
        assert sides.on.tolist() == on
        assert sides.away.tolist() == away.tolist()


@pytest.mark.parametrize("share", [0.9, 0.95])
def test_the_quantile_is_that_of_a_normal_whose_mean_is_off(share):
    for bias in (0.0, 0.3, 2.0, 29.9, 30.0, 30.5, 100.0):
        beyond = room.critical(bias, share)
        assert stats.norm.cdf(beyond - bias) - stats.norm.cdf(-beyond - bias) == pytest.approx(share, abs=1e-9)


def test_a_bend_is_the_largest_second_derivative_of_either_side():
    x = np.linspace(-3, 5, 81)
    sides = Side(x, x >= 0, None)
    assert room.bend(sides, 3 * x**2 + x) == pytest.approx(6)
    assert room.bend(sides, np.where(x < 0, -7 * x**2, x)) == pytest.approx(14)
    assert room.bend(sides, np.where(x < 0, x, -4 * x**2)) == pytest.approx(8)
    assert room.bend(sides, np.where(x < 0, 0, x**4)) == pytest.approx(12 * 25)
    assert room.bend(sides, np.where(x < 0, x**3, 0)) == pytest.approx(6 * 3)
    x = x - 5  # farther from zero than wide
    assert room.bend(Side(x, x >= -2, None), x**3) == pytest.approx(6 * 8)


def test_three_values_bear_a_parabola_and_two_or_one_no_bend():
    x = np.repeat([-2.0, -1.0, 0.0, 1.0, 3.0], 3)
    sides = Side(x, x >= 0, None)
    assert room.bend(sides, x**2) == pytest.approx(2)
    assert room.bend(sides, np.where(x < 0, 5 * x, 0)) == pytest.approx(0, abs=1e-9)
    alone = Side(np.array([-2.0, -1.0, 0.0, 0.0]), np.array([False, False, True, True]), None)
    assert room.bend(alone, np.array([1.0, 5.0, 2.0, 4.0])) == pytest.approx(0, abs=1e-9)
    curved = Side(np.array([-3.0, -2.0, -1.0, 0.0]), np.array([False, False, False, True]), None)
    assert room.bend(curved, np.array([9.0, 4.0, 1.0, 2.0])) == pytest.approx(2)


@pytest.mark.parametrize("values", ["apart", "heaped"])
def test_the_smallest_window_holds_twenty_rows_and_four_values_a_side(values):
    rng = np.random.default_rng(3)
    away = rng.uniform(-1, 2, 150) if values == "apart" else rng.integers(-9, 9, 600) + 0.5
    sides = Side(away, away >= 0, None)

    def enough(window):
        near = [away[rows & (abs(away) < window)] for rows in (sides.on, ~sides.on)]
        return all(len(one) >= 20 and len(np.unique(one)) >= 4 for one in near)

    window = room.narrowest(sides)
    assert enough(window) and not enough(window * (1 - 2e-6))


def test_where_all_rows_are_needed_the_window_holds_them_all():
    """20 rows on each side, so that the narrowest window is the widest."""
    rng = np.random.default_rng(4)
    away = np.concatenate([rng.uniform(-1, 0, 20), rng.uniform(0, 0.9, 20)])
    sides = Side(away, away >= 0, None)
    found = room.jump(sides, rng.normal(size=40), 1.0, 0.95)
    assert found.rows == 40
    assert found.window == pytest.approx(abs(away).max(), rel=1e-8)
    assert found.window > abs(away).max()


def test_a_window_that_is_told_is_used():
    sample = drawn()
    sides = sides_of(sample)
    x, on, y = sides.away, sides.on, sample.outcome
    found = room.jump(sides, y, 0.25, 0.95, 17.0)
    pull = line_weights(x, on, 17.0)
    assert found.pull == pytest.approx(pull)
    assert (found.size, found.se, found.bias) == pytest.approx(
        (pull @ y, spread(x, y, on, pull), added_by_bends(x, on, pull, 0.25))
    )
    assert (found.window, found.rows) == (17.0, (abs(x) < 17).sum())


def test_few_rows_have_fewer_neighbours():
    """Of n on a side each has n - 1 others up to 3; a row alone is left out. Against the mean of the others."""
    for many in (1, 2, 3, 4):
        away = np.arange(1.0, many + 6)
        away[many:] = -np.arange(1.0, 6)
        rng = np.random.default_rng(many)
        y = rng.normal(size=len(away))
        left = room.rest(Side(away, away >= 0, None), y, np.ones(len(away), dtype=bool))
        for row in range(many):
            others = np.delete(y[:many], row)
            expected = math.sqrt((many - 1) / many) * (y[row] - others.mean()) if many > 1 else 0.0
            assert left[row] == pytest.approx(expected)
        last = y[-2:-5:-1].mean()  # the outermost of the other side, whose three neighbours lie towards the limit
        assert left[-1] == pytest.approx(math.sqrt(3 / 4) * (y[-1] - last))


def test_the_error_of_a_row_is_scaled_to_its_own():
    """Independent errors of variance 4: their mean square is 4, within 4 of its standard errors (about 0.1 each)."""
    rng = np.random.default_rng(6)
    away = rng.uniform(-1, 1, 20_000)
    left = room.rest(Side(away, away >= 0, None), rng.normal(0, 2, 20_000), np.ones(20_000, dtype=bool))
    assert np.mean(left**2) == pytest.approx(4, abs=0.25)


def test_clusters_of_one_row_give_the_plain_error_with_their_factor():
    sample = drawn(n=80)
    sides = sides_of(sample)
    pull = room.pulls(sides, 200.0)
    left = room.rest(sides, sample.outcome, pull != 0)
    plain = room.variance(sides, pull, left)
    assert room.variance(replace(sides, cluster=np.arange(80)), pull, left) == pytest.approx(plain * 80 / 79)
    half = replace(sides, cluster=np.where(sides.on, 0, 1))
    sums = [(pull * left)[rows].sum() for rows in (sides.on, ~sides.on)]
    assert room.variance(half, pull, left) == pytest.approx(2 * (sums[0] ** 2 + sums[1] ** 2))


def test_an_outcome_that_follows_its_lines_exactly_has_its_jump():
    sample = drawn(n=100)
    x = sample.more["amount"] - 50
    exact = limit(replace_(sample, outcome=3 + 0.5 * x + (x >= 0) * (2 - 0.1 * x)), question())
    assert exact.estimate == pytest.approx(2, abs=1e-6)
    # along a line neighbours differ, so an interval stays
    assert 0 < exact.high - exact.estimate < 1


def test_a_column_without_any_noise_has_an_interval_of_nothing_and_no_error():
    sample = drawn(n=100)
    sides = sides_of(sample)
    found = room.jump(sides, np.where(sides.on, 4.0, 1.0), 0.0, 0.95)
    assert (found.size, found.bias) == (pytest.approx(3), 0.0)
    assert 0 < found.se < 1e-100
    alone = room.variance(replace(sides, cluster=np.zeros(100, dtype=int)), np.ones(100), np.zeros(100))
    assert 0 < alone < 1e-200


# Kinds, units, refusals


def test_units_are_those_of_the_outcome():
    sample = drawn()
    shares = replace_(sample, outcome=(sample.outcome > np.median(sample.outcome)).astype(float))
    assert limit(shares, question(kind="yes_no")).unit == "probability"
    assert limit(sample, question(unit="night")).unit == "night"
    assert limit(sample, question(unit="night")).model.scale == "night"
    assert limit(sample, question(kind="score")).unit == "point"


def test_an_exposure_of_other_numbers_is_no_side_of_a_limit():
    """Sharp is 0 and 1 by side alone; a dose on one side only has a jump of its own."""
    sample = drawn(n=300)
    dose = replace_(sample, exposure=2.0 * sample.exposure, binary_exposure=False)
    found, plain = limit(dose, question()), limit(sample, question())
    assert found.method.startswith("fuzzy")
    assert found.estimate == pytest.approx(plain.estimate / 2)


@pytest.mark.parametrize("sign", [1, -1])
def test_an_exposure_that_the_limit_hardly_moves_is_refused_from_its_bound_on(sign):
    def moved(size, bias):
        return Jump(sign * size, 0.1, bias, 1.0, 50, np.zeros(3))

    for bias in (0.0, 0.2):
        room.refuse_weak(moved(0.3201 + bias, bias), question())
        with pytest.raises(EstimationError, match=rf"changes by {'−' * (sign < 0)}{31.9 + 100 * bias:.1f} %, "):
            room.refuse_weak(moved(0.319 + bias, bias), question())
    room.refuse_weak(Jump(sign * 3.2, 1.0, 0.0, 1.0, 50, np.zeros(3)), question())


def test_twenty_rows_and_four_values_are_needed_on_either_side():
    def sides(above, below):
        away = np.concatenate([np.resize(np.arange(above[1]), above[0]), -1 - np.resize(np.arange(below[1]), below[0])])
        return Side(away.astype(float), away >= 0, None)

    room.check(sides((20, 4), (20, 4)), question())
    for above, below, words in (
        ((19, 4), (20, 4), "the treated side of the limit has 19 rows with 4 different values; at least 20 rows and 4"),
        ((20, 4), (20, 3), "the other side of the limit has 20 rows with 3 different values"),
        ((25, 3), (20, 4), "the treated side of the limit has 25 rows with 3 different"),
    ):
        with pytest.raises(EstimationError, match=words) as refused:
            room.check(sides(above, below), question())
        assert "2." not in str(refused.value)
    with pytest.raises(EstimationError, match=r"has 2 problems:\n  1\. the treated side .* 0 rows .*\n  2\. the other"):
        room.check(sides((0, 1), (3, 1)), question())


def test_what_is_no_limit_is_refused():
    sample = drawn()
    plain = Question(**BASE, outcome={"column": "pleased", "kind": "score"})
    with pytest.raises(EstimationError, match="'q' has no `limit`"):
        limit(sample, plain)
    counts = question(kind="counts")
    assert limit(sample, counts).kind == "counts"
    with pytest.raises(EstimationError, match="the outcome is of kind ordered"):
        limit(sample, question(kind="ordered", top=["2"]))
    for kind in ("O", "M8[s]"):
        texts = SimpleNamespace(more={"amount": np.zeros(4, dtype=kind)}, outcome=np.zeros(4), cluster=None)
        with pytest.raises(EstimationError, match="'amount' is no column of numbers"):
            room.sides_of(texts, question())
