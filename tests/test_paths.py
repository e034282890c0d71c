"""Paths of a mechanism: their errors and how they go together, written out; draws, limits and copies."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import statsmodels.api as sm
from designed import question, sample
from scipy import stats

from researchkit.errors import EstimationError
from researchkit.estimators import paths as room
from researchkit.wording import number

ASKED = question(mechanism={"mediator": "trust"}, adjust=["need"])


def drawn(n=80, *, seed=2, **given):
    rng = np.random.default_rng(seed)
    need, x = rng.normal(size=(2, n))
    m = 0.6 * x + 0.3 * need + rng.normal(size=n)
    y = 0.5 * m + 0.2 * x + rng.normal(size=n) * (1 + 0.3 * np.abs(x))
    return sample(y + 9, 3 + 2 * x, {"need": need}, {"trust": 50 + 5 * m}, **given)


def laid(asked):
    return room.Laid(asked, asked.more["trust"], "trust", "care")


def lines(asked):
    """Both lines, (weighted) least squares: columns, outcome and what is left, the coefficient of interest first."""
    x, m, ones = asked.exposure, asked.more["trust"], np.ones(len(asked.outcome))
    return (
        (np.column_stack([x, asked.covariates, ones]), m),
        (np.column_stack([m, x, asked.covariates, ones]), asked.outcome),
        (np.column_stack([x, asked.covariates, ones]), asked.outcome),
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_paths_without_clusters_have_hc3_errors_and_t_limits(weighted):
    weights = 1.0 + np.arange(80) % 3 if weighted else None
    asked = drawn(weights=weights)
    found = room.fit(laid(asked), ASKED, 0.9)
    fits = [sm.WLS(y, x, 1.0 if weights is None else weights).fit(cov_type="HC3", use_t=True) for x, y in lines(asked)]
    for term, fit, place, df in (
        (found.a, fits[0], 0, 77),
        (found.b, fits[1], 0, 76),
        (found.direct, fits[1], 1, 76),
        (found.total, fits[2], 0, 77),
    ):
        low, high = fit.conf_int(0.1)[place]
        assert (term.estimate, term.se) == pytest.approx((fit.params[place], fit.bse[place]))
        half = stats.t.ppf(0.95, df) * fit.bse[place]
        assert (
            (term.low, term.high) == pytest.approx((low, high)) == (fit.params[place] - half, fit.params[place] + half)
        )
    assert np.array_equal(found.df, [77, 76, 76]) and found.errors == "HC3" and found.notes == ()
    left = [np.sqrt(np.average(fit.resid**2, weights=weights)) for fit in fits[:2]]
    assert found.spread == pytest.approx(tuple(left))
    assert found.indirect == pytest.approx(fits[0].params[0] * fits[1].params[0])


@pytest.mark.parametrize("clusters", [None, 16])
@pytest.mark.parametrize("weighted", [False, True])
def test_paths_go_together_as_what_each_row_or_cluster_pulls_at_them(clusters, weighted):
    weights = 1.0 + np.arange(80) % 3 if weighted else None
    cluster = None if clusters is None else np.arange(80) % clusters
    asked = drawn(weights=weights, cluster=cluster)
    found = room.fit(laid(asked), ASKED, 0.95)
    w, pulls = np.ones(80) if weights is None else weights, []
    for (x, y), place in ((lines(asked)[0], 0), (lines(asked)[1], 0), (lines(asked)[1], 1)):
        bread = np.linalg.inv(x.T @ (w[:, None] * x))
        rest = y - x @ bread @ x.T @ (w * y)
        pull = (bread @ (x * (w * rest)[:, None]).T)[place]
        pulls.append(pull if cluster is None else np.bincount(cluster, weights=pull))
    meat = np.array(pulls) @ np.array(pulls).T
    size = np.sqrt(np.diag(meat))
    assert found.together == pytest.approx(meat / np.outer(size, size))
    assert found.errors == ("HC3" if clusters is None else "CR2")


def normal_product(a, b, se_a, se_b, r):
    """Standard deviation of the product of two normal variables, by quadrature."""
    at, weight = np.polynomial.hermite_e.hermegauss(20)
    one, two = np.meshgrid(at, at)
    mass = np.outer(weight, weight) / weight.sum() ** 2
    values = (a + se_a * one) * (b + se_b * (r * one + np.sqrt(1 - r**2) * two))
    return np.sqrt(np.sum(mass * values**2) - np.sum(mass * values) ** 2)


@pytest.mark.parametrize("r", [-0.6, 0.0, 0.4])
def test_the_error_of_a_product_is_that_of_two_normal_variables(r):
    found = room.fit(laid(drawn()), ASKED, 0.95)
    together = np.array([[1, r, 0], [r, 1, 0], [0, 0, 1.0]])
    for a in (found.a, replace(found.a, estimate=-2.0, se=1.5)):
        one = replace(found, together=together, a=a)
        assert one.se == pytest.approx(normal_product(a.estimate, one.b.estimate, a.se, one.b.se, r))
    nothing = replace(found, a=replace(found.a, se=0.0), b=replace(found.b, se=0.0))
    assert nothing.se == 0.0


def test_draws_are_those_of_t_with_each_ones_degrees_of_freedom():
    found = replace(room.fit(laid(drawn()), ASKED, 0.95), df=np.array([5.0, 30.0, 1e6]))
    draws = found.drawn()
    assert draws.shape == (50_000, 3)
    for column, term, df in zip(draws.T, (found.a, found.b, found.direct), found.df, strict=True):
        standard = (column - term.estimate) / term.se
        for share in (0.005, 0.025, 0.2, 0.5, 0.9, 0.995):
            off = np.sqrt(share * (1 - share) / 50_000)
            assert abs(np.mean(standard <= stats.t.ppf(share, df)) - share) < 4 * off, (df, share)
    ranks = stats.spearmanr(draws).statistic
    assert ranks == pytest.approx(6 / np.pi * np.arcsin(found.together / 2), abs=0.02), "a normal copula"
    exact = replace(found, together=np.ones((3, 3))).drawn()  # paths that are one and the same
    assert stats.spearmanr(exact[:, 0], exact[:, 1]).statistic == pytest.approx(1)


def test_the_deviates_mirror_each_other_and_have_variance_1():
    normal = room.normals()
    assert normal.shape == (room.DRAWS, 3)
    assert np.array_equal(normal[: room.DRAWS // 2], -normal[room.DRAWS // 2 :])
    assert np.mean(normal**2, axis=0) == pytest.approx([1, 1, 1])
    assert np.corrcoef(normal.T) == pytest.approx(np.eye(3), abs=0.02)


def test_limits_and_p_of_products_by_counting():
    draws = np.column_stack([np.arange(1.0, 100), np.full(99, 2.0), np.zeros(99)])
    low, high, p = room.product(draws, 0.9)
    assert (low, high) == pytest.approx((2 * (1 + 0.05 * 98), 2 * (1 + 0.95 * 98)))
    assert room.product(draws, 0.4)[:2] == pytest.approx((2 * (1 + 0.3 * 98), 2 * (1 + 0.7 * 98)))
    assert p == pytest.approx(2 * 1 / 100), "none on the other side, and one more for the data themselves"
    assert room.product(draws, 0.9, 3.0)[:2] == pytest.approx((-(1 + 0.95 * 98), -(1 + 0.05 * 98)))
    assert room.product(draws, 0.9, 3.0)[2] == p, "as far below as above"
    some = draws - np.array([4.0, 0, 0])  # -3 to 95: four of them at 0 or below
    assert room.product(some, 0.9)[2] == pytest.approx(2 * 5 / 100)
    assert room.product(-some, 0.9)[2] == pytest.approx(2 * 5 / 100)
    assert room.product(draws * 0, 0.9) == (0.0, 0.0, 1.0)


def plain_copies(asked, copies, seed=1):
    """a b over clusters (or rows) drawn again, each copy fitted anew."""
    rng, found = np.random.default_rng(seed), []
    code = np.arange(len(asked.outcome)) if asked.cluster is None else asked.cluster
    rows_of = [np.flatnonzero(code == one) for one in np.unique(code)]
    (first, m), (second, y), _ = lines(asked)
    root = np.ones(len(y)) if asked.weights is None else np.sqrt(asked.weights)
    for _ in range(copies):
        rows = np.concatenate([rows_of[one] for one in rng.integers(len(rows_of), size=len(rows_of))])
        w = root[rows]
        a = np.linalg.lstsq(first[rows] * w[:, None], m[rows] * w, rcond=None)[0][0]
        found.append(a * np.linalg.lstsq(second[rows] * w[:, None], y[rows] * w, rcond=None)[0][0])
    return np.array(found)


@pytest.mark.parametrize("clusters", [None, 20])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_bootstrap_is_that_of_copies_fitted_one_by_one(clusters, weighted):
    cluster = None if clusters is None else np.arange(80) % clusters
    asked = drawn(cluster=cluster, weights=1.0 + 3 * (np.arange(80) % 3) if weighted else None)
    plain = plain_copies(asked, 1500)
    for level, off in ((0.9, 0.25), (0.4, 0.15)):
        limits = np.quantile(plain, [(1 - level) / 2, (1 + level) / 2])
        assert room.bootstrap(laid(asked), level) == pytest.approx(tuple(limits), abs=off * plain.std())


def test_copies_of_blocks_are_nearly_those_of_rows(monkeypatch):
    asked = drawn(400)
    rows = room.bootstrap(laid(asked), 0.95)
    monkeypatch.setattr(room, "BLOCKS", 100)
    blocks = room.bootstrap(laid(asked), 0.95)
    assert blocks != rows
    assert blocks[1] - blocks[0] == pytest.approx(rows[1] - rows[0], rel=0.25)


def test_units_move_the_copies_as_they_should():
    asked = drawn()
    one = np.array(room.bootstrap(laid(asked), 0.95))
    units = replace(
        asked, exposure=1000 * asked.exposure, outcome=asked.outcome / 7 + 2, more={"trust": 60 * asked.more["trust"]}
    )
    assert np.array(room.bootstrap(laid(units), 0.95)) == pytest.approx(one / 7000)
    wide = room.bootstrap(laid(asked), 0.99)
    narrow = room.bootstrap(laid(asked), 0.4)
    assert wide[0] < one[0] < narrow[0] < narrow[1] < one[1] < wide[1]


def test_copies_that_tell_nothing_leave_no_limits():
    asked = drawn()
    same = replace(asked, more={"trust": asked.exposure + 1e-6 * asked.more["trust"]})
    assert np.isnan(room.bootstrap(laid(same), 0.95)).all()


@pytest.mark.parametrize("weighted", [False, True])
def test_means_are_those_of_each_cluster(weighted):
    weights = 1.0 + np.arange(80) % 3 if weighted else None
    cluster = 4 + np.random.default_rng(1).integers(0, 9, 80)
    asked = drawn(cluster=cluster, weights=weights)
    table = np.column_stack([asked.outcome, asked.exposure])

    def mean(values, one):
        here = cluster == one
        return np.average(values[here], axis=0, weights=None if weights is None else weights[here])

    expected = np.array([mean(table, one) for one in cluster])
    assert room.means(table, asked) == pytest.approx(expected)
    assert room.means(asked.outcome, asked) == pytest.approx(expected[:, 0])
    assert room.apart(table, asked) == pytest.approx(table - expected)
    assert room.means(table, replace(asked, cluster=None)) is table
    inner = laid(asked).within
    assert inner.mediator == pytest.approx(room.apart(asked.more["trust"], asked))
    for name in ("exposure", "outcome", "covariates"):
        assert getattr(inner.sample, name) == pytest.approx(room.apart(getattr(asked, name), asked)), name
    assert inner.sample.binary_exposure is False


def test_what_is_alike_in_each_cluster_is_apart_by_nothing():
    asked = drawn(cluster=np.arange(80) // 8)
    alike = 1e6 + np.repeat(np.random.default_rng(1).random(10), 8)
    some = np.column_stack([alike, asked.outcome])
    found = room.apart(some, asked)
    assert not found[:, 0].any() and found[:, 1].any()


def test_what_was_laid_out_or_found_stays_as_it_is():
    there = laid(drawn())
    for one, name in ((there, "name"), (room.fit(there, ASKED, 0.95), "errors")):
        with pytest.raises(FrozenInstanceError):
            setattr(one, name, "another")


def test_the_mirror_and_the_one_without():
    asked = drawn()
    one = laid(replace(asked, binary_exposure=True))
    turned = one.turned
    assert np.array_equal(turned.sample.exposure, one.mediator) and np.array_equal(turned.mediator, asked.exposure)
    assert (turned.sample.exposure_name, turned.name, turned.sample.binary_exposure) == ("trust", "care", False)
    more = replace(asked, covariates=np.column_stack([asked.covariates, np.arange(80.0)[:, None], asked.covariates]))
    more = replace(more, names=("need", "site: b", "site: c"), groups=("need", "site", "site"))
    cut = laid(more).without("site")
    assert (cut.sample.names, cut.sample.groups) == (("need",), ("need",))
    assert np.array_equal(cut.sample.covariates, asked.covariates)
    assert laid(more).without("need").sample.names == ("site: b", "site: c")


def test_a_mediator_that_is_told_exactly_is_refused():
    asked = drawn(weights=1.0 + np.arange(80) % 2)
    told = replace(asked, more={"trust": 2 * asked.exposure - asked.covariates[:, 0]})
    with pytest.raises(EstimationError) as caught:
        room.fit(laid(told), ASKED, 0.95)
    assert "told exactly by care" in str(caught.value) or "fully determined" in str(caught.value)


def test_skewed_residuals_of_either_line_are_said_but_not_those_of_yes_or_no():
    asked = drawn(300)
    wild = np.exp(2.5 * np.random.default_rng(4).standard_normal(300))
    outcome, mediator = (
        replace(asked, outcome=asked.outcome - wild),
        replace(asked, more={"trust": asked.more["trust"] + 9 * wild}),
    )
    for one in (outcome, mediator):
        (note,) = room.fit(laid(one), ASKED, 0.95).notes
        (x, y) = lines(one)[1 if one is outcome else 0]
        rest = sm.OLS(y, x).fit().resid
        assert note.startswith(f"very skewed: the residuals have a skewness of {number(float(stats.skew(rest)))};")
    weights = 1.0 + 8 * (np.arange(300) % 2)
    (x, y), (note,) = lines(outcome)[1], room.fit(laid(replace(outcome, weights=weights)), ASKED, 0.95).notes
    rest = np.sqrt(weights) * sm.WLS(y, x, weights).fit().resid
    assert f"a skewness of {number(float(stats.skew(rest)))};" in note, "of the residuals that the fit sees"
    yes = question("yes_no", mechanism={"mediator": "trust"})
    assert room.fit(laid(outcome), yes, 0.95).notes == () != room.fit(laid(mediator), yes, 0.95).notes


def test_what_differs_in_one_cluster_alone_has_no_error():
    """Each cluster has a level of its own, so that only the first tells what the exposure does."""
    code = np.arange(80) // 10
    asked = drawn(cluster=code)
    levels = (code[:, None] == np.arange(1, 8)).astype(float)
    names = tuple(f"agent {place}" for place in range(1, 8))
    one = replace(asked, covariates=levels, names=names, groups=names)
    assert np.isfinite(room.fit(laid(one), ASKED, 0.95).a.p)
    one = replace(one, exposure=np.where(code == 0, asked.exposure, 0.0))
    with pytest.raises(EstimationError) as caught:
        room.fit(laid(one), ASKED, 0.95)
    assert str(caught.value) == (
        "The question 'q': care or trust differs in too few agent for a standard error. More of them are needed on each "
        "side."
    )
