"""An interrupted series against R's gls on numbers that stand here, and its degrees of freedom against plain algebra."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import optimize, stats

from researchkit.errors import EstimationError
from researchkit.estimators import series as room
from researchkit.estimators.series import series
from researchkit.parts import Question

A = [2.4, 1.4, 3.1, 2.8, 1.6, 2.3, 3.0, 2.7, 2.4, 4.0, 5.6, 5.2, 6.2, 7.2, 8.1, 7.5, 8.2, 9.2, 8.4, 7.6]
B = [1.9, 2.5, 2.1, None, 2.6, None, 2.8, 2.7, 3.0, 2.7, 3.5, 3.5, 3.2, 3.6, 4.1, 4.5, 3.0, 4.0, 4.1, 3.9]
C = [3.6, 4.2, 4.4, 4.3, 4.3, None, 4.2, 5.2, 4.8, 4.2, 5.5, 5.5, 6.3, 5.6, 5.2, 4.7, 6.1, 7.1, 5.7, 5.5]
N = [0.6, -0.8, -0.3, -0.3, 0.2, 1.1, 0.0, 0.9, -0.4, 0.3, -2.1, -1.4, 0.8, -0.6, 0.6, 0.5, 1.3, 0.8, 1.0, -0.1]
Z = [6.2, 5.1, 6.3, 6.0, 6.3, 6.6, 5.2, 7.9, 6.2, 8.6, 7.0, 9.5, 7.7, 8.2, 8.4, 8.5, 8.4, 9.2, 8.8, 10.4]
BEGAN = 12
MEAN, SLOPE, BEFORE, LEVEL = (
    "after it began, on average",
    "change of slope, a time",
    "slope before, a time",
    "level before",
)


def question(season=None, kind="score", **outcome):
    told = {"id": "q", "title": "Did it?", "claim": "LOY-6", "exposure": "on", "smallest_effect": 1}
    entry = {"time": "time", "unit": "unit", **({} if season is None else {"season": season})}
    return Question(**told, outcome={"column": "y", "kind": kind, **outcome}, series=entry)


def rows(units, began=BEGAN, covariates=None, times=20):
    """One row a unit and time, of the first unit exposed from `began` on; `units` maps names to values, None: no row."""
    first = next(iter(units))
    told = [
        (
            unit,
            time,
            value,
            float(unit == first and time >= began),
            [one[unit][time] for one in (covariates or {}).values()],
        )
        for unit, values in units.items()
        for time, value in enumerate(values[:times])
        if value is not None
    ]
    unit, time, value, on, beside = zip(*told, strict=True)
    return SimpleNamespace(
        outcome=np.array(value, dtype=float),
        exposure=np.array(on),
        covariates=np.array(beside, dtype=float).reshape(len(told), len(covariates or {})),
        names=tuple(covariates or {}),
        contrast="begun against not",
        more={"unit": np.array(unit, dtype=object), "time": np.array(time, dtype=float)},
    )


def changed(sample, **more):
    return SimpleNamespace(**{**vars(sample), **more})


# R's numbers: for `d`, the first unit less the mean of those others that are there, at times `t` from 0,
#   after <- as.numeric(t >= 12); since <- ifelse(after == 1, t - mean(t[after == 1]), 0)
#   fit <- gls(d ~ after + since + I(t - 12), correlation = corAR1(form = ~ t), method = "REML",
#              control = glsControl(tolerance = 1e-12, msTol = 1e-12))
#   cbind(coef(fit), sqrt(diag(vcov(fit)))); coef(fit$modelStruct$corStruct, unconstrained = FALSE)
# with seasons and a covariate: + (t %% 4 == 1) + (t %% 4 == 2) + (t %% 4 == 3) + I(n - mean(n)). In the last, whose
# memory runs to 1: correlation = corAR1(0.98, form = ~ t, fixed = TRUE), the longest that is looked for.

BESIDE = {
    MEAN: (1.6273018114324, 1.173506421796),
    SLOPE: (0.0657348556687, 0.228407848443),
    BEFORE: (0.1659366842911, 0.107808635604),
    LEVEL: (0.5960770294607, 0.813309231090),
}
SEASONS = {
    MEAN: (0.1112495103996, 0.2842956638938),
    SLOPE: (0.0558021224973, 0.0513874058434),
    BEFORE: (0.2242287359649, 0.0224195221437),
    "season 2": (-0.4001632063551, 1.9114262930941),
    "season 3": (-0.4974776796534, 0.2304146751546),
    "season 4": (-0.1949418641082, 1.9083661501231),
    "n": (-0.4476593653998, 0.1096550733084),
    LEVEL: (8.2860208437848, 0.9717431073667),
}
LONG = {
    MEAN: (0.7332517073238, 2.022448134074),
    SLOPE: (-0.0828257977884, 0.433145454878),
    BEFORE: (0.2308575226030, 0.262000989212),
    "season 2": (0.4972114481741, 0.360175533085),
    "season 3": (1.1525815038779, 0.441532907899),
    "season 4": (0.4685052003669, 0.428132412049),
    "n": (0.0989619741686, 0.211119408076),
    LEVEL: (5.0377775503233, 4.593561910974),
}


def check_terms(effect, expected):
    assert [term.term for term in effect.model.terms] == list(expected)
    for term in effect.model.terms:
        assert (term.estimate, term.se) == pytest.approx(expected[term.term], rel=1e-4), term.term


def test_a_series_beside_others_with_gaps_is_that_of_gls():
    found = series(rows({"a": A, "b": B, "c": C}), question(unit="point of ten"))
    check_terms(found, BESIDE)
    assert (found.estimate, found.se) == (found.model.terms[0].estimate, found.model.terms[0].se)
    assert found.method.startswith("interrupted series beside 2 control series, ")
    assert "(memory +0.44 a step)" in found.method
    assert found.notes == (
        "one treated unit, 11 times before and 8 after; the interval is of this unit at these times, and says nothing "
        "of other units",
    )
    assert (found.n, found.clusters, found.unit, found.model.scale) == (20 + 18 + 19, None, *["point of ten"] * 2)


def test_seasons_and_covariates_are_those_of_gls():
    found = series(rows({"z": Z}, covariates={"n": {"z": N}}), question(season=4))
    check_terms(found, SEASONS)
    assert "without a control series" in found.method and "(memory −0.93 a step)" in found.method
    assert found.notes[1:] == (room.ALONE,)
    assert found.notes[0].startswith("one treated unit, 12 times before and 8 after;")
    assert found.unit == "point"


def test_a_memory_that_never_ends_is_held_at_its_longest():
    check_terms(series(rows({"a": A}, covariates={"n": {"a": N}}), question(season=4)), LONG)


# Degrees of freedom, from the likelihood as it stands in a textbook


def plainly(matrix, value, at):
    """Coefficients, errors, memory and Satterthwaite's df by inverses of whole matrices, in (variance, memory)."""
    apart = abs(at[:, None] - at).astype(int)

    def covariance(variance, memory):
        inverse = np.linalg.inv(variance * memory**apart)
        return np.linalg.inv(matrix.T @ inverse @ matrix), inverse

    def minus(theta):
        spread, inverse = covariance(*theta)
        rest = value - matrix @ (spread @ matrix.T @ inverse @ value)
        logs = np.linalg.slogdet(theta[0] * theta[1] ** apart)[1] - np.linalg.slogdet(spread)[1]
        return 0.5 * (logs + rest @ inverse @ rest)

    best = optimize.minimize(minus, [np.var(value), 0.1], bounds=[(1e-3, None), (-0.97, 0.97)], method="L-BFGS-B").x
    best = optimize.minimize(minus, best, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}).x
    spread, inverse = covariance(*best)
    moves = np.diag([1e-3 * best[0], 1e-3])
    sides = [[(one, two) for two in moves] for one in moves]
    bend = np.array(
        [
            [
                sum(i * j * minus(best + i * one + j * two) for i in (1, -1) for j in (1, -1))
                / (4 * sum(one) * sum(two))
                for one, two in row
            ]
            for row in sides
        ]
    )
    slopes = [
        (np.diag(covariance(*(best + move))[0]) - np.diag(covariance(*(best - move))[0])) / (2 * sum(move))
        for move in moves
    ]
    doubt = np.einsum("ak,ab,bk->k", slopes, np.linalg.inv(bend), slopes)
    return spread @ matrix.T @ inverse @ value, np.sqrt(np.diag(spread)), best[1], 2 * np.diag(spread) ** 2 / doubt


def straight(at, began=BEGAN):
    after = at >= began
    since = np.where(after, at - at[after].mean(), 0)
    return np.column_stack([after, since, at - began, np.ones(len(at))])


@pytest.mark.parametrize("value", [A, Z])
def test_the_interval_has_satterthwaites_degrees_of_freedom(value):
    at = np.array([time for time in range(20) if time != 5])
    value = np.array(value)[at]
    matrix = straight(at)
    coefficients, errors, memory, df = plainly(matrix, value, at)
    df = np.clip(df, 1, len(at) - 4)
    fit = room.remembered(matrix, value, at.astype(float))
    assert fit.coefficients == pytest.approx(coefficients, rel=1e-4, abs=1e-5)
    assert np.sqrt(np.diag(fit.covariance)) == pytest.approx(errors, rel=1e-4)
    assert fit.memory == pytest.approx(memory, abs=1e-5)
    assert fit.df == pytest.approx(df, rel=1e-3)
    other = [None if time == 5 else 0.0 for time in range(20)]
    for level in (0.9, 0.95):
        found = series(rows({"a": list(np.insert(value, 5, 0)), "b": other}), question(), level)
        half = stats.t.ppf((1 + level) / 2, df[0]) * errors[0]
        p = 2 * stats.t.sf(abs(coefficients[0]) / errors[0], df[0])
        assert (found.low, found.high, found.p, found.df, found.level) == pytest.approx(
            (coefficients[0] - half, coefficients[0] + half, p, df[0], level), rel=1e-3
        )
        for term, one, error, free in zip(found.model.terms, coefficients, errors, df, strict=True):
            half = stats.t.ppf((1 + level) / 2, free) * error
            assert (term.low, term.high) == pytest.approx((one - half, one + half), rel=1e-3)


def test_degrees_of_freedom_are_those_of_a_plane_hill_by_hand():
    """Heights (a u² + 2 b u v + c v²) / 2 and variances e^u (1, e^v, e^(3 v)): exact slopes and bends."""
    a, b, c = 8.0, 1.0, 5.0

    def minus(memory, log_variance):
        u, v = log_variance, memory
        return 0.5 * (a * u**2 + 2 * b * u * v + c * v**2)

    def parts(memory):
        return None, np.diag([1.0, math.exp(memory), math.exp(3 * memory), 0.0]), 0.0, 0.0

    slopes = np.array([[1, 1, 1, 0], [0, 1, 3, 0]])
    doubt = np.einsum("ak,ab,bk->k", slopes, np.linalg.inv([[a, b], [b, c]]), slopes)
    found = room.freedom(parts, minus, 0.0, 1.0, 14)
    assert found == pytest.approx([*np.minimum(2 / doubt[:3], 14), 14], rel=1e-4)
    assert 1 < found[2] < found[1] < 14
    assert room.freedom(parts, minus, 0.0, 1.0, 1).tolist() == [1, 1, 1, 1]
    flat = room.freedom(parts, lambda memory, log_variance: 0.0, 0.0, 1.0, 14)
    assert flat.tolist() == [1, 1, 1, 1]
    low = room.freedom(parts, lambda memory, log_variance: 0.01 * minus(memory, log_variance), 0.0, 1.0, 14)
    assert low[:3].tolist() == [1, 1, 1]


# What must hold for any data


def fields(effect):
    return [effect.estimate, effect.se, effect.low, effect.high]


def test_rows_of_one_time_count_by_their_mean_and_order_and_units_by_nothing():
    plain = rows({"a": A, "b": B, "c": C}, covariates={"n": {"a": N, "b": N[::-1], "c": Z}})
    once = series(plain, question())
    twice = np.concatenate([np.arange(57), np.arange(57)])
    many = changed(
        plain,
        outcome=plain.outcome[twice] + np.repeat([0.5, -0.5], 57),
        exposure=plain.exposure[twice],
        covariates=plain.covariates[twice] + np.repeat([3, -3], 57)[:, None],
        more={name: one[twice] for name, one in plain.more.items()},
    )
    order = np.random.default_rng(1).permutation(114)
    shuffled = changed(
        many,
        outcome=many.outcome[order],
        exposure=many.exposure[order],
        covariates=many.covariates[order],
        more={name: one[order] for name, one in many.more.items()},
    )
    renamed = changed(
        plain,
        more={
            "unit": 5 - (plain.more["unit"] == "a") * 2.0 + (plain.more["unit"] == "b"),
            "time": 7 * plain.more["time"],
        },
    )
    for other in (many, shuffled, renamed):
        assert fields(series(other, question())) == pytest.approx(fields(once), rel=1e-6)
    for times in (1000.0, 1e-13):
        other = series(changed(plain, outcome=times * (plain.outcome + 5)), question())
        assert fields(other) == pytest.approx([times * one for one in fields(once)], rel=1e-5)


def test_the_course_is_the_treated_unit_less_the_mean_of_the_others():
    sample = rows({"b": B, "a": A, "c": C}, began=99, covariates={"n": {"a": N, "b": N, "c": Z}})
    sample.exposure[(sample.more["unit"] == "a") & (sample.more["time"] >= BEGAN)] = 1
    course = room.course_of(sample, question())
    at = [time for time in range(20) if time != 5]
    others = [C[time] if B[time] is None else (B[time] + C[time]) / 2 for time in at]
    beside = [N[time] - (Z[time] if B[time] is None else (N[time] + Z[time]) / 2) for time in at]
    assert course.at.tolist() == at
    assert course.treated.tolist() == [A[time] for time in at]
    assert course.others == pytest.approx(others)
    assert course.value == pytest.approx(course.treated - others)
    assert course.beside[:, 0] == pytest.approx(beside)
    assert course.after.tolist() == [time >= BEGAN for time in at]
    assert (course.controls, course.labels[4:6]) == (2, ("4", "6"))
    dated = changed(
        sample, more={**sample.more, "time": np.array([f"t{one:02.0f}" for one in sample.more["time"]], dtype=object)}
    )
    assert room.course_of(dated, question()).labels[:2] == ("t00", "t01")


def test_a_covariate_that_never_moves_is_left_out():
    for size in (1, 0.01):  # also in a unit in which it hardly moves
        still = {"n": {"a": [2.0] * 20}, "m": {"a": size * np.asarray(N)}}
        found = series(rows({"a": A}, covariates=still), question())
        assert [term.term for term in found.model.terms] == [MEAN, SLOPE, BEFORE, "m", LEVEL]


def test_shares_are_told_as_probabilities():
    sample = rows({"a": A})
    shares = changed(sample, outcome=sample.outcome / 10)
    assert series(shares, question(kind="yes_no")).unit == "probability"
    assert series(sample, question()).estimate == pytest.approx(10 * series(shares, question(kind="yes_no")).estimate)


# Refusals


def test_eight_times_before_and_four_after_are_needed():
    assert series(rows({"a": A[:12]}, began=8), question()).n == 12
    for values, began, words in ((A[:11], 7, "7 times before and 4 after"), (A[:11], 8, "8 times before and 3 after")):
        with pytest.raises(EstimationError, match=f"{words}; at least 8 and 4 are needed"):
            series(rows({"a": values}, began=began), question())


def test_coefficients_need_four_times_more():
    """12 times bear 8 coefficients, not 9; and a column that repeats another none."""
    four = {name: {"a": list(np.roll(N, place) + place * np.arange(20.0) ** 2)} for place, name in enumerate("klmno")}
    within = {name: four[name] for name in "klmn"}
    assert len(series(rows({"a": A[:12]}, began=8, covariates=within), question()).model.terms) == 8
    with pytest.raises(EstimationError, match="12 times are too few for 9 coefficients, or one column repeats"):
        series(rows({"a": A[:12]}, began=8, covariates=four), question())
    repeats = {"n": {"a": [3.0 * time for time in range(20)]}}
    with pytest.raises(EstimationError, match="20 times are too few for 5 coefficients, or one column repeats"):
        series(rows({"a": A}, covariates=repeats), question())


def test_all_that_is_no_series_is_told_at_once():
    sample = rows({"a": [*A[:2], None, *A[3:12], None, *A[13:]], "b": C})
    mixed = sample.exposure.copy()
    mixed[sample.more["time"] == 19] = 0.5
    mixed[sample.more["unit"] == "b"] = 0
    with pytest.raises(EstimationError) as refused:
        series(changed(sample, exposure=mixed), question())
    assert "has 2 problems" in str(refused.value)
    assert "1. within one time some rows of the treated unit have it and some do not" in str(refused.value)
    assert "2. the treated unit has no row at 2 and 12;" in str(refused.value)
    many = [None if time in (1, 3, 7, 9, 11) else value for time, value in enumerate(A)]
    with pytest.raises(EstimationError, match=r"no row at 1, 3, 7, 9 and 1 more;"):
        series(rows({"a": many, "b": C}), question())
    ended = sample.exposure.copy()
    ended[(sample.more["time"] == 19)] = 0
    with pytest.raises(EstimationError, match=r"2 problems:\n  1\. it began and ended again"):
        series(changed(sample, exposure=ended), question())
    none = rows({"a": A, "b": C}, began=99)
    with pytest.raises(EstimationError, match="'q': 0 units have it at some time, and a series is of one"):
        series(none, question())
    both = changed(none, exposure=(none.more["time"] >= BEGAN).astype(float))
    with pytest.raises(EstimationError, match="'q': 2 units have it"):
        series(both, question())
    once = changed(none, exposure=1.0 * ((none.more["time"] >= BEGAN) & (none.more["unit"] == "a")))
    once.exposure[-1] = 1
    with pytest.raises(EstimationError, match="'q': 2 units have it"):
        series(once, question())
    always = rows({"a": A}, began=0)
    with pytest.raises(EstimationError, match="'q': there are 0 times before and 20 after"):
        series(always, question())


def test_what_has_no_error_or_no_mean_is_refused():
    line = rows({"a": [2 + 0.5 * time + (time >= BEGAN) for time in range(20)]})
    exact = room.remembered(straight(np.arange(20)), line.outcome, np.arange(20.0))
    assert exact.coefficients == pytest.approx([1, 0, 0.5, 8]) and exact.memory == 0
    with pytest.raises(EstimationError, match="follows its line exactly"):
        series(line, question())
    nearly = changed(line, outcome=line.outcome + 1e-7 * np.array(N))
    assert series(nearly, question()).estimate == pytest.approx(1, abs=1e-5)
    with pytest.raises(EstimationError, match="means or shares; the outcome is of kind counts"):
        series(line, question(kind="counts"))
    bare = Question(
        id="q", title="?", claim="LOY-6", exposure="on", smallest_effect=1, outcome={"column": "y", "kind": "score"}
    )
    with pytest.raises(EstimationError, match="'q' has no `series`"):
        series(line, bare)
