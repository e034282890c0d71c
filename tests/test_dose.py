"""Curves over a dose by statsmodels and scipy: every number told, knots, limits, where a curve turns, what is refused."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import statsmodels.api as sm
from designed import question, sample
from scipy.interpolate import CubicSpline
from scipy.stats import norm, t

from researchkit.errors import EstimationError
from researchkit.estimators import estimate_sample
from researchkit.estimators.dose import curve, dose, fieller, knots_of, laid_out, pieces, spline, turning


def asked(kind="score", per=1.0, outcome=None, **dose):
    return question(kind, outcome, exposure={"column": "care", "per": per}, dose=dose)


def curved(n=150, per=2.0, seed=3, **more):
    """Doses 0 to 10 in steps of `per`, more of them low, and an outcome that bends."""
    rng = np.random.default_rng(seed)
    dose, age = 10 * rng.beta(1, 1.5, n), rng.normal(40, 9, n)
    outcome = 0.1 * (dose - 4) ** 2 + 0.05 * age + rng.normal(0, 0.5 + 0.1 * dose)
    return sample(outcome, dose / per, {"age": age}, **more), dose


def cardinal(at, knots):
    """Each knot's natural spline that is 1 there and 0 at the others: a basis of the same curves, by scipy."""
    return np.column_stack([CubicSpline(knots, one, bc_type="natural")(at) for one in np.eye(len(knots))])


def slopes_of(at, knots):
    return np.array([CubicSpline(knots, one, bc_type="natural")(at, 1) for one in np.eye(len(knots))])


def agree(effect, names, contrasts, coefficients, covariance, df, level):
    """Every term is its contrast of the reference's coefficients, and the headline is the first of them."""
    assert tuple(one.term for one in effect.model.terms) == names
    for term, contrast in zip(effect.model.terms, contrasts, strict=True):
        value, se = contrast @ coefficients, np.sqrt(contrast @ covariance @ contrast)
        far = (t(df) if df else norm).ppf((1 + level) / 2) * se
        p = 2 * (t(df) if df else norm).sf(abs(value / se))
        found = (term.estimate, term.se, term.low, term.high, term.p)
        assert found == pytest.approx((value, se, value - far, value + far, p), rel=1e-5, abs=1e-12), term.term
    first = effect.model.terms[0]
    for field in ("estimate", "se", "low", "high", "p"):
        assert getattr(effect, field) == getattr(first, field)
    assert effect.df == df


@pytest.mark.parametrize("weighted", [False, True])
def test_two_doses_along_a_natural_spline_are_those_of_least_squares(weighted):
    weights = np.random.default_rng(1).uniform(0.5, 3, 150) if weighted else None
    rows, dose = curved(weights=weights)
    effect = estimate_sample(rows, asked(per=2, between=[3, 7], knots=5), 0.9)
    knots = np.quantile(dose, [0, 0.25, 0.5, 0.75, 1])
    columns = np.column_stack([cardinal(dose, knots), rows.covariates])  # the knots' splines sum to the intercept
    fit = sm.WLS(rows.outcome, columns, weights=1.0 if weights is None else weights).fit(cov_type="HC3")
    age = np.average(rows.covariates[:, 0], weights=weights)
    low, high = (np.append(cardinal([at], knots), age) for at in (3, 7))
    steep = [2 * np.append(slopes_of(at, knots), 0) for at in (3, 7)]
    names = ("difference", "mean at 3", "mean at 7", "slope at 3", "slope at 7")
    agree(effect, names, [high - low, low, high, *steep], fit.params, fit.cov_params(), 150 - 6, 0.9)
    assert effect.contrast == "care 7 against 3"
    how = "least squares, natural cubic spline with 5 knots, standardised over the sample, HC3 errors"
    assert effect.method == how + (", weighted" if weighted else "")
    assert (effect.model.name, effect.model.errors, effect.model.scale) == ("least squares", "HC3", "point")
    assert (effect.n, effect.clusters, effect.level, effect.notes) == (150, None, 0.9, ())


def test_a_loss_and_a_gain_are_the_slopes_of_two_pieces():
    rows, dose = curved()
    effect = estimate_sample(rows, asked(per=2, neutral=4.5, outcome={"unit": "night"}), 0.9)
    columns = np.column_stack([np.minimum(dose, 4.5), np.maximum(dose, 4.5), rows.covariates, np.ones(150)])
    fit = sm.OLS(rows.outcome, columns).fit(cov_type="HC3")
    below, above = 2 * np.eye(4)[:2]
    names = ("loss less gain", "step below 4.5", "step above 4.5")
    agree(effect, names, [below - above, below, above], fit.params, fit.cov_params(), 146, 0.9)
    assert effect.contrast == "care +1 point, below 4.5 less above it" and effect.unit == "night"
    assert effect.method == "least squares, in two straight pieces, standardised over the sample, HC3 errors"


def test_risks_at_two_doses_are_averages_over_everybody():
    rows, dose = curved(400, 1.0)
    yes = (rows.outcome > np.median(rows.outcome)).astype(float)
    effect = estimate_sample(replace(rows, outcome=yes), asked("yes_no", between=[2, 8], knots=3), 0.9)
    knots = np.quantile(dose, [0, 0.5, 1])
    fit = sm.Logit(yes, np.column_stack([cardinal(dose, knots), rows.covariates])).fit(disp=0, tol=1e-13)
    means, grown = [], []
    for at in (2, 8):
        columns = np.column_stack([np.tile(cardinal([at], knots), (400, 1)), rows.covariates])
        risk = fit.predict(columns)
        means.append((risk.mean(), (columns * (risk * (1 - risk))[:, None]).mean(axis=0)))
        grown.append(np.mean(risk * (1 - risk)) * slopes_of(at, knots) @ fit.params[:3])
    value, gradient = means[1][0] - means[0][0], means[1][1] - means[0][1]
    se = np.sqrt(gradient @ fit.cov_params() @ gradient)
    assert (effect.estimate, effect.se) == pytest.approx((value, se), rel=1e-6)
    assert (effect.low, effect.high) == pytest.approx((value - norm.ppf(0.95) * se, value + norm.ppf(0.95) * se))
    told = [one.estimate for one in effect.model.terms[1:]]
    assert told == pytest.approx([means[0][0], means[1][0], *grown], rel=1e-5)
    assert effect.df is None and effect.unit == "probability" and effect.model.errors == "model-based"


def test_bends_are_those_of_harrell_by_hand():
    """Knots 0, 1, 2.5, 4. At 3 the first is (27 - 0.125 * 4/1.5) / 16, the second (8 - 0.125 * 3/1.5) / 16; at 6 they
    are (216 - 42.875 * 4/1.5 + 8 * 2.5/1.5) / 16 and (125 - 42.875 * 3/1.5 + 8 * 1.5/1.5) / 16.
    """
    found = spline(np.array([-1.0, 0.5, 3.0, 6.0]), np.array([0.0, 1.0, 2.5, 4.0]))
    by_hand = [[-1, 0, 0], [0.5, 0.125 / 16, 0], [3, (80 / 3) / 16, 7.75 / 16], [6, 115 / 16, 47.25 / 16]]
    assert found == pytest.approx(np.array(by_hand))
    assert pieces(np.array([1.0, 3.0, 4.5]), 3.0).tolist() == [[-2, 0], [0, 0], [0, 1.5]]


@pytest.mark.parametrize(
    ("values", "wanted", "knots"),
    [
        (np.arange(101.0), 5, [0, 25, 50, 75, 100]),
        ([0.0] * 10 + [1.0, 2.0, 3.0], 4, [0, 1, 2, 3]),  # as many values as knots: every one
        ([0.0] * 10 + [1.0, 2.0], 7, [0, 1, 2]),
        ([0.0] * 7 + [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 4, [0, 2, 6]),  # two quantiles are one
        ([0.0] * 95 + list(range(1, 11)), 3, [0, 5, 10]),  # only the ends are left, so quantiles of the values
    ],
)
def test_knots_are_quantiles_or_the_values_themselves(values, wanted, knots):
    assert knots_of(np.asarray(values), wanted).tolist() == knots


def test_columns_are_named_by_the_exposure():
    rows, dose = curved(per=1.0)
    bent = laid_out(rows, asked(between=[3, 7], knots=5))
    assert bent.names == ("age", "care", "care bend 1", "care bend 2", "care bend 3") and bent.needed == [1, 2, 3, 4]
    assert (
        bent.unit == dose.max() - dose.min()
        and bent.knots.tolist() == np.quantile(dose, [0, 0.25, 0.5, 0.75, 1]).tolist()
    )
    split = laid_out(rows, asked(neutral=3))
    assert split.names == ("age", "care below", "care above") and split.needed == [1, 2]
    assert split.at(2.0)[:, 1:].tolist() == [[-1.0, 0.0]] * 150 and np.all(split.at()[:, 0] == rows.covariates[:, 0])


def test_a_curve_has_the_interval_of_each_dose():
    rows, dose = curved()
    doses = np.linspace(1, 9, 12)  # more than the model has columns
    found = curve(rows, asked(per=2, between=[3, 7], knots=3), doses, 0.9)
    knots = np.quantile(dose, [0, 0.5, 1])
    fit = sm.OLS(rows.outcome, np.column_stack([cardinal(dose, knots), rows.covariates])).fit(
        cov_type="HC3", use_t=True
    )
    at = np.column_stack([cardinal(doses, knots), np.full(12, rows.covariates.mean())])
    told = fit.get_prediction(at).summary_frame(alpha=0.1)
    assert found.dose.tolist() == doses.tolist() and found.unit == "point"
    for ours, theirs in (("mean", "mean"), ("low", "mean_ci_lower"), ("high", "mean_ci_upper")):
        assert getattr(found, ours) == pytest.approx(told[theirs].to_numpy(), rel=1e-7)
    chosen = [0, 7]
    again = curve(rows, asked(per=2, between=[3, 7], knots=3), doses[chosen], 0.9)
    assert again.low == pytest.approx(found.low[chosen]) and again.high == pytest.approx(found.high[chosen])


def test_a_curve_of_risks_is_read_by_the_normal():
    rows, _ = curved(300, 1.0)
    rows = replace(rows, outcome=(rows.outcome > 3.0).astype(float))
    about = asked("yes_no", between=[3, 7], knots=4)
    found, effect = curve(rows, about, [3, 7], 0.8), estimate_sample(rows, about, 0.8)
    for place, term in enumerate(effect.model.terms[1:3]):
        ends = found.mean[place], found.low[place], found.high[place]
        assert ends == pytest.approx((term.estimate, term.low, term.high))
        assert found.high[place] - found.mean[place] == pytest.approx(norm.ppf(0.9) * term.se)


# Where it turns


def squared(kind="score", away=4.0, way=1.0, factor=1.0, n=200):
    """An outcome with its turn at `away`, of doses that lie more to the left."""
    rng = np.random.default_rng(8)
    dose, age = 10 * rng.beta(1, 1.5, n), rng.normal(size=n)
    outcome = factor * (way * 0.1 * (dose - away) ** 2 + 0.3 * age + rng.normal(size=n))
    return sample(outcome, dose / 2, {"age": age}), dose


@pytest.mark.parametrize(("way", "factor"), [(1.0, 1.0), (-1.0, 1.0), (1.0, 1e-3), (-1.0, 1e-3)])
@pytest.mark.parametrize("level", [0.9, 0.99])
def test_the_turn_is_that_of_a_square_and_its_limits_are_where_the_slope_is_just_clear(way, factor, level):
    rows, dose = squared(way=way, factor=factor)
    found = turning(rows, asked(per=2, between=[3, 7]), level)
    fit = sm.OLS(rows.outcome, np.column_stack([np.ones(200), dose, dose**2, rows.covariates])).fit(cov_type="HC3")
    b, v = fit.params[1:3], fit.cov_params()[1:3, 1:3]

    def size(at):
        contrast = np.array([1, 2 * at])
        return contrast @ b / np.sqrt(contrast @ v @ contrast)

    assert found.at == pytest.approx(-b[0] / (2 * b[1]))
    quantile = t(196).ppf((1 + level) / 2)
    assert (way * size(found.low), way * size(found.high)) == pytest.approx((-quantile, quantile))
    assert found.low < found.at < found.high and found.inside
    assert found.shape == ("U" if way > 0 else "inverse U")
    assert found.p == pytest.approx(max(t(196).sf(abs(size(end))) for end in (dose.min(), dose.max())), rel=1e-6, abs=0)


def test_the_turn_of_a_risk_is_read_by_the_normal():
    rows, dose = squared(n=500)
    yes = (rows.outcome > 0.8).astype(float)
    found = turning(replace(rows, outcome=yes), asked("yes_no", per=2, between=[3, 7]), 0.9)
    fit = sm.Logit(yes, np.column_stack([np.ones(500), dose, dose**2, rows.covariates])).fit(disp=0, tol=1e-13)
    b, v = fit.params[1:3], fit.cov_params()[1:3, 1:3]
    sizes = [(b[0] + 2 * b[1] * at) / np.sqrt(v[0, 0] + 4 * at * v[0, 1] + 4 * at**2 * v[1, 1]) for at in dose]
    assert found.p == pytest.approx(norm.sf(min(abs(sizes[dose.argmin()]), abs(sizes[dose.argmax()]))), rel=1e-5, abs=0)
    assert np.all(np.abs(sizes)[(dose > found.low) & (dose < found.high)] < norm.ppf(0.95))
    assert np.all(np.abs(sizes)[(dose < found.low) | (dose > found.high)] > norm.ppf(0.95))


@pytest.mark.parametrize(("away", "inside"), [(4.0, True), (0.7, False), (8.9, False)])
def test_a_turn_is_inside_if_both_of_its_limits_are(away, inside):
    rows, dose = squared(away=away)
    found = turning(rows, asked(per=2, between=[3, 7]), 0.999)
    assert found.inside is inside
    assert bool(dose.min() < found.low and found.high < dose.max()) is inside


def test_without_a_clear_bend_a_turn_may_be_anywhere():
    rng = np.random.default_rng(4)
    dose = rng.uniform(0, 10, 80)
    rows = sample(dose + rng.normal(size=80), dose)
    found = turning(rows, asked(between=[3, 7]))
    assert (found.low, found.high, found.shape, found.p, found.inside) == (-np.inf, np.inf, "", 0.5, False)


def test_fiellers_limits_by_the_roots_of_their_square():
    b, v = np.array([-1.2, 0.4]), np.array([[0.04, -0.006], [-0.006, 0.003]])
    found = fieller(b, v, 1.7)
    square = 1.7**2
    roots = np.roots([4 * (0.16 - square * 0.003), 4 * (-0.48 + square * 0.006), 1.44 - square * 0.04])
    assert found == pytest.approx(tuple(sorted(roots)))
    assert fieller(b, 100 * v, 1.7) == (-np.inf, np.inf)  # the bend may be none
    assert fieller(np.array([3.0, 0.1]), np.array([[0.01, 0.0], [0.0, 0.01]]), 1.7) == (-np.inf, np.inf)
    plain = fieller(np.array([-2.0, 1.0]), np.zeros((2, 2)), 1.7)  # no error at all: the turn itself
    assert plain == pytest.approx((1.0, 1.0))


# What is refused


def doses(values, **dose):
    values = np.asarray(values, float)
    return sample(np.random.default_rng(2).normal(size=len(values)), values), asked(**dose)


def test_ten_rows_on_either_side_of_a_neutral_point_are_enough_and_nine_are_not():
    whole = np.concatenate([np.linspace(1, 4, 10), [5.0] * 20, np.linspace(6, 9, 10)])
    assert laid_out(*doses(whole, neutral=5)).knots.tolist() == [5.0]
    for short, side in ((whole[1:], "below"), (whole[:-1], "above")):
        with pytest.raises(EstimationError) as refused:
            laid_out(*doses(short, neutral=5))
        assert str(refused.value) == (
            f"The question 'q': fewer than 10 rows lie {side} the neutral point 5 of care; name one that is nearer to "
            "the middle."
        )


def test_a_dose_lies_within_the_data_ends_included():
    values = np.linspace(2, 8, 30)
    assert laid_out(*doses(values, between=[2, 8])).dose.tolist() == values.tolist()
    with pytest.raises(EstimationError, match=r"(?s)2 problems.*names 1.9, and nobody's care.*names 8.1, and nobody's"):
        laid_out(*doses(values, between=[1.9, 8.1]))
    with pytest.raises(EstimationError, match=r"^The question 'q': `between` names 8.1, and .*; name doses that occur"):
        laid_out(*doses(values, between=[3, 8.1]))


def test_three_values_make_a_curve_and_two_do_not():
    assert laid_out(*doses([0, 1, 2] * 10, between=[0, 2])).knots.tolist() == [0, 1, 2]
    with pytest.raises(
        EstimationError, match=r"^The question 'q': care has fewer than three values, so it has no curve"
    ):
        laid_out(*doses([0, 1] * 10, between=[0, 1]))
    with pytest.raises(EstimationError, match="The question 'q' names no `dose`"):
        laid_out(doses([0, 1, 2] * 10, between=[0, 2])[0], question())


def test_an_interval_is_of_95_per_cent_unless_another_is_asked_for():
    rows, _ = curved()
    about = asked(per=2, between=[3, 7])
    assert dose(rows, about) == dose(rows, about, 0.95) and dose(rows, about).level == 0.95
    for way in (
        lambda *level: curve(rows, about, [3, 7], *level).low[0],
        lambda *level: turning(rows, about, *level).low,
    ):
        assert way() == way(0.95) != way(0.9)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("power", [1, 2])
def test_a_dose_or_its_square_that_a_covariate_repeats_cannot_turn(place, power):
    rng, (rows, values) = np.random.default_rng(5), squared()
    others = rng.normal(size=(200, 3))
    others[:, place] = values**power - (8.4 * values if power == 2 else 0)
    twice = replace(rows, covariates=others, names=("a", "b", "c"), groups=("a", "b", "c"))
    lost = "care" if power == 1 else "care squared"
    with pytest.raises(EstimationError, match=f"^The question 'q': {lost} cannot be told apart from what else"):
        turning(twice, asked(per=2, between=[3, 7]))


def test_what_is_handed_back_cannot_be_changed():
    rows, _ = curved()
    about = asked(per=2, between=[3, 7])
    for one in (laid_out(rows, about), curve(rows, about, [3]), turning(rows, about)):
        with pytest.raises(FrozenInstanceError):
            one.unit = one.at = 0
