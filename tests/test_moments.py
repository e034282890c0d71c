"""What comes from moments is what comes from the rows: to 1e-9, in any order, in any parts."""

from __future__ import annotations

import itertools
from contextlib import contextmanager, nullcontext

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from researchkit import moments
from researchkit.errors import EstimationError
from researchkit.estimators import linear
from researchkit.moments import compress, fit, many
from researchkit.moments.line import inverses

COVARIATES = ("age", "severity", "night")
NAMES = ("dose", *COVARIATES, "score")


def world(n=400, groups=17, seed=1, offset=0.0):
    """Rows of unequal clusters: exposure, covariates (n, 3), outcome, cluster."""
    rng = np.random.default_rng(seed)
    cluster = np.minimum(rng.geometric(2.5 / groups, n), groups) - 1
    covariates = np.column_stack([rng.normal(40, 9, n), rng.gamma(2, 2, n), rng.integers(0, 2, n)])
    shared = rng.normal(size=(2, groups))
    exposure = 0.05 * covariates[:, 0] + shared[0][cluster] + rng.normal(size=n)
    outcome = 0.4 * exposure + 0.2 * covariates[:, 1] + shared[1][cluster] + rng.standard_t(4, n)
    return exposure + offset, covariates + offset, outcome + offset, cluster


def matrix(exposure, covariates, places=(0, 1, 2)):
    return np.column_stack([exposure, covariates[:, list(places)], np.ones(len(exposure))])


def same(one, other):
    return one == pytest.approx(other, rel=1e-9, abs=1e-9)


def told(held):
    """Coefficients, CR1 and CR2 errors, and degrees of freedom, in one vector."""
    line = fit(held)
    both = [part for errors in (moments.cr1, moments.cr2) for part in errors(line)]
    return np.concatenate([line.coefficients, *(np.ravel(np.diag(p) if p.ndim == 2 else p) for p in both)])


@pytest.mark.parametrize("places", [way for size in range(4) for way in itertools.combinations(range(3), size)])
def test_every_subset_equals_the_rows(places):
    exposure, covariates, outcome, cluster = world()
    line = fit(compress(exposure, covariates, outcome, cluster, names=NAMES), [COVARIATES[place] for place in places])
    row_wise = linear.least_squares(matrix(exposure, covariates, places), outcome)
    assert line.names == ("dose", *(COVARIATES[place] for place in places), "Intercept")
    assert same(line.coefficients, row_wise.coefficients)
    for ours, theirs in ((moments.cr1, linear.cr1), (moments.cr2, linear.cr2)):
        covariance, df = ours(line)
        spread = theirs(row_wise, cluster)
        assert same(covariance, spread.covariance)
        assert same(df, spread.df)


def test_statsmodels_gives_the_same():
    import statsmodels.api as sm

    exposure, covariates, outcome, cluster = world()
    line = fit(compress(exposure, covariates, outcome, cluster))
    theirs = sm.OLS(outcome, matrix(exposure, covariates)).fit(cov_type="cluster", cov_kwds={"groups": cluster})
    assert same(line.coefficients, theirs.params)
    assert same(moments.cr1(line)[0], theirs.cov_params())


@pytest.mark.parametrize("term", ["Intercept", "age", "SexFemale", "age:SexFemale"])
def test_cr2_is_that_of_clubsandwich(reference, term):
    frame = reference.frame("Orthodont")
    female = (frame["Sex"] == "Female").to_numpy(float)
    age, place = frame["age"].to_numpy(float), ["age", "SexFemale", "age:SexFemale", "Intercept"].index(term)
    covariates = np.column_stack([female, age * female])
    line = fit(compress(age, covariates, frame["distance"].to_numpy(float), frame["Subject"].to_numpy()))
    covariance, df = moments.cr2(line)
    assert line.coefficients[place] == reference.value("ols_cr2_orthodont", f"b_{term}")
    assert np.sqrt(covariance[place, place]) == reference.value("ols_cr2_orthodont", f"se_CR2_{term}")
    assert df[place] == reference.value("ols_cr2_orthodont", f"df_satt_CR2_{term}")


def test_fixed_effects_nested_in_the_clusters_vanish_from_cr2(reference):
    frame = reference.frame("guns")
    dummies = [pd.get_dummies(frame[name], drop_first=True).to_numpy(float) for name in ("state", "year")]
    law, outcome = frame["law"].to_numpy(float), frame["lviolent"].to_numpy(float)
    line = fit(compress(law, np.column_stack(dummies), outcome, frame["state"].to_numpy()))
    covariance, df = moments.cr2(line)
    assert line.coefficients[0] == reference.value("did_guns", "twfe_b")
    assert np.sqrt(covariance[0, 0]) == reference.value("did_guns", "twfe_se_CR2")
    assert df[0] == reference.value("did_guns", "twfe_df_satt_CR2")


def test_leaving_a_cluster_out_is_fitting_the_others():
    exposure, covariates, outcome, cluster = world()
    line = fit(compress(exposure, covariates, outcome, cluster))
    without = moments.without_one(line)
    for place, label in enumerate(line.labels):
        rest = cluster != label
        assert same(
            without[place],
            linear.least_squares(matrix(exposure, covariates)[rest], outcome[rest]).coefficients,
        )
    moved = without - line.coefficients
    covariance, df = moments.cr3(line)
    assert same(covariance, moved.T @ moved)
    assert df.tolist() == [len(line.labels) - 1] * 5


def test_rows_of_their_own_are_hc1():
    import statsmodels.api as sm

    exposure, covariates, outcome, _ = world()
    found = moments.cr1(fit(compress(exposure, covariates, outcome)))[0]
    assert same(found, sm.OLS(outcome, matrix(exposure, covariates)).fit(cov_type="HC1").cov_params())


def test_weights_are_those_of_the_rows():
    exposure, covariates, outcome, cluster = world()
    weights = np.random.default_rng(3).uniform(0.2, 4, len(outcome))
    line = fit(compress(exposure, covariates, outcome, cluster, weights=weights))
    root = np.sqrt(weights)
    row_wise = linear.least_squares(matrix(exposure, covariates) * root[:, None], outcome * root)
    assert same(line.coefficients, row_wise.coefficients)
    assert same(moments.cr2(line)[0], linear.cr2(row_wise, cluster).covariance)
    assert same(moments.cr2(line)[1], linear.cr2(row_wise, cluster).df)


@pytest.mark.parametrize("clustered", [True, False])
def test_the_curve_is_every_single_specification(clustered):
    exposure, covariates, outcome, cluster = world()
    held = compress(exposure, covariates, outcome, cluster if clustered else None, names=NAMES)
    ways = np.array(list(itertools.product([False, True], repeat=3)))
    estimates, errors = moments.curve(held, ways)
    for way, estimate, se in zip(ways, estimates, errors, strict=True):
        line = fit(held, [name for name, inside in zip(COVARIATES, way, strict=True) if inside])
        assert same([estimate, se], [line.coefficients[0], np.sqrt(moments.cr1(line)[0][0, 0])])


def test_the_bootstrap_draws_clusters():
    """The same draws by hand, with the rows."""
    exposure, covariates, outcome, cluster = world()
    held = compress(exposure, covariates, outcome, cluster)
    found = moments.bootstrap(held, np.random.default_rng(8), 50)
    drawn = np.random.default_rng(8).integers(0, len(held.labels), (50, len(held.labels)))
    for estimate, draw in zip(found, drawn, strict=True):
        rows = np.concatenate([np.flatnonzero(cluster == held.labels[one]) for one in draw])
        line = linear.least_squares(matrix(exposure, covariates)[rows], outcome[rows])
        assert same(estimate, line.coefficients[0])


@pytest.mark.parametrize(
    ("held_at_once", "drawn", "specified"), [(1, 1, 1), (100, 3, 5), (340, 11, 20), (10**6, 50, 24)]
)
def test_what_is_held_at_once_changes_nothing(monkeypatch, held_at_once, drawn, specified):
    """As many draws at a time as fit (17 clusters, 5 coefficients: 30 numbers a draw), or ways to adjust (17 numbers)."""
    exposure, covariates, outcome, cluster = world()
    held, ways = (
        compress(exposure, covariates, outcome, cluster),
        np.array(list(itertools.product([False, True], repeat=3)) * 3),
    )
    whole = moments.bootstrap(held, np.random.default_rng(8), 50), *moments.curve(held, ways)
    sizes: dict[str, list[int]] = {}

    @contextmanager
    def steps(what, total):
        yield sizes.setdefault(what, []).append
        assert sum(sizes[what]) == total

    monkeypatch.setattr(many, "steps", steps)
    monkeypatch.setattr(many, "BATCH", held_at_once)
    for one, other in zip(
        (moments.bootstrap(held, np.random.default_rng(8), 50), *moments.curve(held, ways)), whole, strict=True
    ):
        assert same(one, other)
    assert {what: batches[0] for what, batches in sizes.items()} == {
        "draws of clusters": drawn,
        "specifications": specified,
    }


def test_draws_of_many_clusters_count_each_cluster(monkeypatch):
    """With more clusters than products of a draw (2 coefficients: 6), it is the clusters that fill what is held."""
    exposure, _, outcome, cluster = world()
    sizes: list[int] = []
    monkeypatch.setattr(many, "steps", lambda *_: nullcontext(sizes.append))
    monkeypatch.setattr(many, "BATCH", 40)
    moments.bootstrap(compress(exposure, np.empty((400, 0)), outcome, cluster), np.random.default_rng(8), 4)
    assert sizes == [2, 2]


def test_a_draw_that_cannot_tell_is_no_number():
    exposure, cluster = np.array([0.0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 2, 2])
    held = compress(exposure, np.empty((6, 0)), np.array([1.0, 2, 3, 4, 5, 7]), cluster)
    found = moments.bootstrap(held, np.random.default_rng(1), 200)
    assert 0.02 < np.isnan(found).mean() < 0.2  # 2 in 27 draws hold one of the pure clusters alone
    assert np.nanmax(np.abs(found)) < 10


def test_partial_r2_of_a_group_is_the_fall_of_the_residual_sum():
    exposure, covariates, outcome, cluster = world()
    held = compress(exposure, covariates, outcome, cluster, names=NAMES)
    found = moments.partial_r2(held, {"both": ["age", "night"], "severity": ["severity"]})

    def rest(target, *given):
        return float(
            np.sum(linear.least_squares(np.column_stack([np.ones(len(target)), *given]), target).residuals ** 2)
        )

    age, severity, night = covariates.T
    with_exposure = 1 - rest(exposure, age, severity, night) / rest(exposure, severity)
    with_outcome = 1 - rest(outcome, exposure, age, severity, night) / rest(outcome, exposure, severity)
    assert same(found["both"], (with_exposure, with_outcome))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), cuts=st.lists(st.integers(1, 199), max_size=6), backwards=st.booleans())
def test_any_order_and_any_parts_give_the_same(seed, cuts, backwards):
    """Parts with centres of their own, in any order, with rows in any order."""
    exposure, covariates, outcome, cluster = world(n=200, groups=8, seed=seed % 7)
    whole = told(compress(exposure, covariates, outcome, cluster))
    order = np.random.default_rng(seed).permutation(200)
    parts = [
        compress(exposure[rows], covariates[rows], outcome[rows], cluster[rows])
        for rows in np.split(order, sorted(set(cuts)))
    ]
    together = parts[0]
    for part in parts[1:]:
        together = part + together if backwards else together + part
    assert told(together) == pytest.approx(whole, rel=1e-8)
    assert together.n == 200


@settings(max_examples=20, deadline=None)
@given(cut=st.integers(1, 199))
def test_adding_does_not_mind_which_comes_first(cut):
    exposure, covariates, outcome, cluster = world(n=200, groups=8)
    first = compress(exposure[:cut], covariates[:cut], outcome[:cut], cluster[:cut])
    second = compress(exposure[cut:], covariates[cut:], outcome[cut:], cluster[cut:])
    one, other = first + second, second + first
    assert one.labels.tolist() == other.labels.tolist()
    assert one.products == pytest.approx(other.products, rel=1e-12, abs=1e-9)


def test_parts_with_a_declared_centre_add_exactly():
    exposure, covariates, outcome, cluster = world()
    declared = {"centre": np.array([2.0, 40, 4, 0.5, 2]), "scale": np.array([1.0, 9, 3, 1, 2])}
    halves = [
        compress(exposure[rows], covariates[rows], outcome[rows], cluster[rows], **declared)
        for rows in (slice(0, 150), slice(150, None))
    ]
    together = halves[0] + halves[1]
    assert together.centre.tolist() == declared["centre"].tolist()
    assert same(told(together), told(compress(exposure, covariates, outcome, cluster)))


def test_a_large_offset_loses_no_more_than_the_numbers_themselves():
    plain, moved = world(), world(offset=2.0**27)  # 134,217,728: the rows keep 8 digits of what differs
    plain = tuple(column - 2.0**27 for column in moved[:3]) + plain[3:]
    whole = fit(compress(*plain))
    for held in (compress(*moved), *[_in_parts(moved)]):
        line = fit(held)
        assert line.coefficients[:-1] == pytest.approx(whole.coefficients[:-1], rel=1e-9)
        assert np.diag(moments.cr2(line)[0])[:-1] == pytest.approx(np.diag(moments.cr2(whole)[0])[:-1], rel=1e-9)


def _in_parts(columns):
    parts = [compress(*(column[start::3] for column in columns)) for start in range(3)]
    return parts[0] + parts[1] + parts[2]


def test_units_do_not_matter():
    exposure, covariates, outcome, cluster = world()
    line = fit(compress(exposure, covariates, outcome, cluster))
    other = fit(compress(exposure * 1e-9, covariates * np.array([1e8, 1, 1e-6]), outcome * 1e6, cluster))
    assert other.coefficients[0] * 1e-15 == pytest.approx(line.coefficients[0], rel=1e-9)
    assert moments.cr2(other)[1][:-1] == pytest.approx(moments.cr2(line)[1][:-1], rel=1e-9)


def refused(**changed):
    exposure, covariates, outcome, cluster = world()
    columns = {"exposure": exposure, "covariates": covariates, "outcome": outcome, "cluster": cluster} | changed
    return compress(**columns, names=NAMES)


def test_which_of_many_are_lost():
    """By what their columns share, whatever the units: a share of 1e-12 is rounding, one of 1e-6 is not."""

    def tied(rest, unit=1.0):
        return unit * np.array([[1.0, 1.0], [1.0, 1.0 + rest]])

    sound = (
        np.diag([1.0, 4.0]),
        np.diag([2e-14, 1e-14]),
        np.diag([3e14, 4e13]),
        tied(1e-6),
        tied(1e-6, 1e-12),
        tied(1e-6, 1e12),
    )
    lost = (
        np.zeros((2, 2)),
        np.diag([400.0, 1e-9]),
        np.diag([1e12, 1.0]),
        np.diag([4.0, 0.0]),
        tied(1e-12),
        tied(1e-12, 1e-13),
    )
    many_at_once = np.stack([*sound, *lost])
    inverse, gone = inverses(many_at_once)
    assert gone.tolist() == [False] * len(sound) + [True] * len(lost)
    assert inverse[:3] @ many_at_once[:3] == pytest.approx(np.stack([np.eye(2)] * 3))
    exactly = np.stack([np.diag([1.0, 4.0]), tied(0.0), np.ones((2, 2)) * 3])  # where the inverse cannot be had at all
    assert inverses(exactly)[1].tolist() == [False, True, True]


def test_two_clusters_are_enough():
    exposure, covariates, outcome, cluster = world()
    line = fit(compress(exposure, covariates[:, :0], outcome, cluster % 2))
    row_wise = linear.least_squares(matrix(exposure, covariates, ()), outcome)
    assert same(moments.cr1(line)[0], linear.cr1(row_wise, cluster % 2).covariance)


@pytest.mark.parametrize("parts", [1, 2])
def test_no_rows_are_refused(parts):
    empty = np.empty(0)
    none = compress(empty, np.empty((0, 3)), empty, empty, names=NAMES, centre=np.zeros(5), scale=np.ones(5))
    with pytest.raises(EstimationError, match="There are no rows"):
        fit(none if parts == 1 else none + none)


def test_weights_as_a_whole_do_not_matter():
    exposure, covariates, outcome, cluster = world()
    weights = np.random.default_rng(3).uniform(0.2, 4, len(outcome))
    one, other = (fit(compress(exposure, covariates, outcome, cluster, weights=weights * unit)) for unit in (1.0, 1e-6))
    assert same(one.coefficients, other.coefficients)
    assert same(moments.cr2(one)[0], moments.cr2(other)[0])


def test_means_spreads_and_correlations_are_those_of_the_rows():
    """Also where they were compressed around something else, and with zeros for what never varies."""
    exposure, covariates, outcome, cluster = world()
    covariates[:, 1] = 3.0
    rows = np.column_stack([exposure, covariates, outcome])
    for declared in ({}, {"centre": np.array([2.0, 30, 4, 0.5, 2]), "scale": np.array([3.0, 9, 3, 1, 2])}):
        held = compress(exposure, covariates, outcome, cluster, names=NAMES, **declared)
        varies = [0, 1, 3, 4]
        assert same(held.mean, rows.mean(axis=0))
        assert same(held.spread, rows.std(axis=0))
        assert same(held.correlations()[np.ix_(varies, varies)], np.corrcoef(rows[:, varies].T))
        assert not held.standard[:, 3].any() and not held.standard[:, :, 3].any()


@pytest.mark.parametrize(("rest", "told_apart"), [(3e-4, True), (3e-6, False)])
def test_how_near_columns_may_come_to_one_another(rest, told_apart):
    """Refused where 10 of the 16 digits are lost: the correlations' condition is about 4 over the squared share left."""
    covariates = world()[1]
    covariates[:, 2] = covariates[:, 0] / 9 + rest * np.random.default_rng(2).normal(size=400)
    held = refused(covariates=covariates)
    condition = np.linalg.cond(np.corrcoef(np.column_stack([world()[0], covariates]).T))
    assert (condition < 1e10) == told_apart
    if told_apart:
        assert fit(held).condition == pytest.approx(condition, rel=1e-3)
    else:
        with pytest.raises(EstimationError, match="age and night determine one another"):
            fit(held)


def test_one_cluster_is_refused():
    held = refused(cluster=np.zeros(400))
    for ask in (moments.cr1, moments.cr2, moments.cr3, moments.without_one):
        with pytest.raises(EstimationError, match="400 rows belong to one cluster"):
            ask(fit(held))
    with pytest.raises(EstimationError, match="one cluster"):
        moments.curve(held, np.ones((1, 3), dtype=bool))
    with pytest.raises(EstimationError, match="one cluster"):
        moments.bootstrap(held, np.random.default_rng(1), 10)


@pytest.mark.parametrize("value", [3.0, 1e8 + 0.1])
def test_a_column_that_never_varies_is_named(value):
    covariates = world()[1]
    covariates[:, 1] = value
    held = refused(covariates=covariates)
    with pytest.raises(EstimationError, match="severity: the same in all 400 rows"):
        fit(held)
    assert len(fit(held, ["age", "night"]).coefficients) == 4
    with pytest.raises(EstimationError, match="dose: the same"):
        fit(refused(exposure=np.full(400, value)))
    with pytest.raises(EstimationError, match="score: the same"):
        fit(refused(outcome=np.full(400, value)))


def test_columns_that_determine_one_another_are_named():
    covariates = world()[1]
    covariates[:, 2] = 3 * covariates[:, 0] - 7
    held = refused(covariates=covariates)
    for ask in (fit, lambda held: moments.curve(held, np.ones((1, 3), dtype=bool))):
        with pytest.raises(EstimationError, match="age and night determine one another"):
            ask(held)
    assert len(fit(held, ["age", "severity"]).coefficients) == 4


def test_a_near_tie_is_noted():
    covariates = world()[1]
    covariates[:, 2] = covariates[:, 0] + 1e-3 * covariates[:, 2]
    line = fit(refused(covariates=covariates))
    assert line.condition > 1e6
    assert "nearly determine one another" in line.notes[0]
    assert fit(refused()).notes == ()


@pytest.mark.parametrize("offset", [3e6, 1e9])
def test_a_centre_far_from_the_data_is_refused_rather_than_wrong(offset):
    exposure, covariates, outcome, cluster = world(offset=offset)
    held = compress(exposure, covariates, outcome, cluster, centre=np.zeros(5), scale=np.ones(5))
    with pytest.raises(EstimationError, match="lost to rounding"):
        fit(held)


def test_a_value_that_is_no_number_is_refused_with_its_column():
    outcome = world()[2]
    outcome[3] = np.inf
    with pytest.raises(EstimationError, match="score: some values are no finite numbers"):
        refused(outcome=outcome)


def test_a_cluster_that_alone_carries_the_exposure_is_named():
    exposure = (world()[3] == 4).astype(float)
    with pytest.raises(EstimationError, match="Without the cluster 4"):
        moments.cr3(fit(refused(exposure=exposure)))


def test_cr2_knows_that_such_a_cluster_says_nothing_about_spread():
    exposure, covariates, outcome, cluster = world()
    exposure = (cluster == 4).astype(float)
    row_wise = linear.cr2(linear.least_squares(matrix(exposure, covariates), outcome), cluster)
    covariance, df = moments.cr2(fit(compress(exposure, covariates, outcome, cluster)))
    assert covariance == pytest.approx(row_wise.covariance, rel=1e-7)
    assert df == pytest.approx(row_wise.df, rel=1e-6)


def test_other_columns_do_not_add():
    exposure, covariates, outcome, cluster = world()
    other = compress(exposure, covariates, outcome, cluster)
    for parts in ((refused(), other), (other, refused())):
        with pytest.raises(EstimationError, match="other columns"):
            parts[0] + parts[1]


def test_a_covariate_that_is_not_there_is_named():
    with pytest.raises(EstimationError, match=r"colour: no such covariate; there are age, severity and night"):
        fit(refused(), ["colour"])
