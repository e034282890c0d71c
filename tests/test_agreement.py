"""Raters against R: intraclass correlations, kappas, Krippendorff's alpha; and omega."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import f

from researchkit.errors import DataError
from researchkit.scales import icc, kappa, krippendorff, omega


@pytest.fixture
def judged(reference):
    return reference.frame("shrout_fleiss").pivot(index="target", columns="judge", values="score").to_numpy(dtype=float)


@pytest.mark.parametrize("form", ["1,1", "2,1", "3,1", "1,k", "2,k", "3,k"])
def test_intraclass_correlations_agree_with_r(reference, judged, form):
    """psych::ICC of the six targets and four judges of Shrout and Fleiss (1979), table 2."""
    found, name = icc(judged, form), form.replace(",", "_")
    for quantity, ours in (("icc", found.value), ("ci95lo_", found.low), ("ci95hi_", found.high)):
        assert ours == reference.value("icc_shrout_fleiss", f"{quantity}{name}")
    assert (found.units, found.raters) == (6, 4)


@pytest.fixture
def patients(reference):
    return reference.frame("expsy_all")


@pytest.mark.parametrize(("weights", "name"), [(None, "unweighted"), ("linear", "linear"), ("quadratic", "quadratic")])
def test_kappas_agree_with_r(reference, patients, weights, name):
    """psych::cohen.kappa of raters 1 and 2, those patients whom all three have rated."""
    both = patients.dropna()
    found = kappa(both["r1"], both["r2"], weights)
    assert found.value == reference.value("kappa_expsy", f"cohen_{name}_r1r2")
    assert (found.units, found.raters) == (len(both), 2)
    half = reference.entries["kappa_expsy"]["quantities"][f"cohen_se_{name}_r1r2"] * 1.959963984540054
    assert (found.low, found.high) == (pytest.approx(found.value - half), pytest.approx(found.value + half))


@pytest.mark.parametrize("measure", ["nominal", "ordinal", "interval", "ratio"])
def test_krippendorff_agrees_with_his_example(reference, measure):
    ratings = reference.frame("krippendorff2011").drop(columns="rater").to_numpy(dtype=float).T
    assert krippendorff(ratings, measure).value == reference.value("krippendorff_alpha", f"alpha_{measure}")


@pytest.mark.parametrize("measure", ["nominal", "ordinal", "interval"])
def test_krippendorff_of_three_raters_with_gaps(reference, patients, measure):
    found = krippendorff(patients[["r1", "r2", "r3"]].to_numpy(dtype=float), measure, np.random.default_rng(1))
    assert found.value == reference.value("kappa_expsy", f"r_krippendorff_{measure}_with_missing")
    assert found.low < found.value < found.high


def alpha_by_pairs(ratings, measure):
    """Krippendorff (2011) as he defines it: over all pairs of ratings of a unit, and over all pairs of any."""
    units = [row[~np.isnan(row)] for row in ratings]
    units = [row for row in units if len(row) > 1]
    every = np.concatenate(units)

    def apart(a, b):
        if measure == "nominal":
            return float(a != b)
        if measure == "interval":
            return (a - b) ** 2
        if measure == "ratio":
            return 0.0 if a == b else ((a - b) / (abs(a) + abs(b))) ** 2
        low, high = min(a, b), max(a, b)
        between = np.sum((every >= low) & (every <= high)) - (np.sum(every == low) + np.sum(every == high)) / 2
        return 0.0 if a == b else between**2

    def mean(row):
        return sum(apart(a, b) for i, a in enumerate(row) for j, b in enumerate(row) if i != j) / (len(row) - 1)

    return 1 - sum(map(mean, units)) / mean(every)


@pytest.mark.parametrize("measure", ["nominal", "ordinal", "interval", "ratio"])
def test_alpha_is_what_all_pairs_of_ratings_make_it(measure):
    """With gaps, a unit of one rating, and noughts."""
    rng = np.random.default_rng(5)
    ratings = rng.choice([0.0, 1, 2, 5, 7], (12, 4)) + rng.choice([0.0, 1], (12, 1))
    ratings[rng.random((12, 4)) < 0.25] = np.nan
    ratings[3] = [np.nan, 2, np.nan, np.nan]
    found = krippendorff(ratings, measure)
    assert found.value == pytest.approx(alpha_by_pairs(ratings, measure), rel=1e-12)
    assert (found.units, found.raters) == (sum((~np.isnan(ratings)).sum(axis=1) > 1), 4)
    assert np.isnan([found.low, found.high]).all()


def test_the_limits_of_alpha_are_those_of_units_drawn_again():
    """The same 1,000 draws by hand, units put into the table as often as they were drawn."""
    ratings = np.array([[1.0, 1, 2], [2, 2, 2], [3, 3, 4], [4, 4, 4], [5, 4, 5], [1, 2, np.nan], [3, 3, 3]])
    found = krippendorff(ratings, "interval", np.random.default_rng(1), level=0.8)
    drawn = np.random.default_rng(1).multinomial(7, np.full(7, 1 / 7), 1_000)
    by_hand = [krippendorff(np.repeat(ratings, times, axis=0), "interval").value for times in drawn if times.max() < 7]
    assert (found.low, found.high) == pytest.approx(np.quantile(by_hand, [0.1, 0.9]), rel=1e-12)
    usual = krippendorff(ratings, "interval", np.random.default_rng(1))
    assert (usual.low, usual.high) == pytest.approx(np.quantile(by_hand, [0.025, 0.975]), rel=1e-12)


def test_two_units_are_enough():
    two = np.array([[1.0, 1.0], [2.0, 2.0]])
    assert kappa([1, 2], [1, 2]).value == icc(two).value == krippendorff(two, "nominal").value == 1
    for shape in ((2, 3), (3, 2)):
        ratings = np.arange(6.0).reshape(shape)
        assert (icc(ratings, "3,1").units, icc(ratings, "3,1").raters) == shape


@pytest.mark.parametrize("form", ["1,1", "3,1", "1,k", "3,k"])
def test_raters_who_never_differ_agree_without_doubt(form):
    found = icc(np.array([[1.0, 1.0], [2.0, 2.0], [4.0, 4.0]]), form)
    assert (found.value, found.low, found.high) == (1.0, 1.0, 1.0)


def test_limits_by_f_are_those_of_a_test_that_just_rejects():
    """Shrout and Fleiss: F of the ratio of variances that the limit stands for is at its quantile; any level, any size."""
    rng = np.random.default_rng(6)
    ratings = rng.normal(size=(9, 1)) + rng.normal(size=(9, 3))
    between = 3 * ratings.mean(axis=1).var(ddof=1)
    within = ratings.var(axis=1, ddof=1).mean()
    found = icc(ratings, "1,1", level=0.9)
    for limit, quantile in ((found.low, 0.95), (found.high, 0.05)):
        ratio = (1 + 2 * limit) / (1 - limit)  # of the true variances between and within
        assert f.cdf(between / within / ratio, 8, 18) == pytest.approx(quantile)


def test_omega_agrees_with_lavaan(reference):
    items = reference.frame("bfi_cc")[[f"N{number}" for number in range(1, 6)]].dropna().to_numpy(dtype=float)
    assert omega(items) == reference.value("reliability_bfi_N", "omega_ml_raw")


def test_a_strict_rater_lowers_agreement_but_not_consistency():
    rng = np.random.default_rng(2)
    truth = rng.normal(size=200)
    ratings = truth[:, None] + rng.normal(0, 0.5, (200, 3))
    strict = ratings - np.array([0.0, 0.0, 2.0])
    assert icc(strict, "3,1").value == pytest.approx(icc(ratings, "3,1").value)
    assert icc(strict, "2,1").value < icc(ratings, "2,1").value - 0.2


def test_the_interval_of_alpha_covers_as_often_as_it_says():
    """40 units by 3 raters of a known alpha: the percentile interval is a little short, by no more than chance and that."""
    rng = np.random.default_rng(3)
    truth = 1 / (1 + 0.5)
    inside = 0
    for _ in range(30):
        ratings = rng.normal(size=60)[:, None] + rng.normal(0, np.sqrt(0.5), (60, 3))
        found = krippendorff(np.round(ratings, 1), "interval", rng)
        inside += found.low <= truth <= found.high
    assert inside >= 24


@given(st.lists(st.lists(st.integers(1, 5), min_size=3, max_size=3), min_size=3, max_size=12))
def test_perfect_agreement_is_1_and_order_does_not_matter(rows):
    ratings = np.array(rows, dtype=float)
    same = np.repeat(ratings[:, :1], 3, axis=1)
    if np.ptp(same) > 0:
        assert krippendorff(same, "ordinal").value == pytest.approx(1)
        assert icc(same, "2,1").value == pytest.approx(1) and kappa(same[:, 0], same[:, 1]).value == pytest.approx(1)
    if np.ptp(ratings) > 0:
        assert krippendorff(ratings[::-1, ::-1], "ordinal").value == pytest.approx(
            krippendorff(ratings, "ordinal").value
        )


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: icc(np.ones((3, 2))), "All ratings are the same"),
        (lambda: icc(np.array([[1.0, np.nan], [2.0, 3.0]])), "use `krippendorff`"),
        (lambda: icc(np.array([[1.0, 2.0]])), "at least 2 units"),
        (lambda: icc(np.array([[1.0, 2.0], [3.0, 5.0]]), "4,1"), r"no ICC\(4,1\)"),
        (lambda: icc(np.ones(4)), "at least 2 units"),
        (lambda: icc(np.array([[1.0], [2.0]])), "at least 2 units"),
        (lambda: icc(np.array([[1.0, 2.0], [3.0, 5.0]]), "1,2"), r"no ICC\(1,2\)"),
        (lambda: kappa([1, 1], [1, 1]), "2 categories that occur"),
        (lambda: kappa([1, 2], [1, 2, 1]), "both have rated"),
        (lambda: kappa([1, 2, 1], [1, 2]), "both have rated"),
        (lambda: kappa([1], [2]), "at least 2 units"),
        (lambda: krippendorff(np.ones((3, 2)), "nominal"), "not all the same"),
        (lambda: krippendorff(np.array([[1.0, 2.0], [2.0, np.nan]]), "nominal"), "2 units with 2 ratings"),
        (lambda: krippendorff(np.array([[1.0, np.nan], [2.0, np.nan]]), "nominal"), "2 units with 2 ratings"),
        (lambda: krippendorff(np.array([[1.0, 2.0], [2.0, 1.0]]), "odd"), "no measure 'odd'"),
        (lambda: omega(np.ones((9, 3))), "items that differ"),
        (lambda: omega(np.eye(3)[:, :2]), "at least 3 items"),
    ],
)
def test_what_cannot_be_told_is_refused(call, said):
    with pytest.raises(DataError, match=said):
        call()
