"""Three arms of a recovery against least squares from whole matrices: contrasts, errors, words and refusals."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import statsmodels.api as sm
from by_hand import pulls, two_ways
from designed import counts, question, sample
from scipy import stats

from researchkit.errors import EstimationError
from researchkit.estimators import estimate_sample
from researchkit.estimators.recovery import NAMES, recovery, three

ARM = np.tile([0, 1, 2, 2, 1, 0, 1], 12)  # 0 no failure, 1 the usual recovery, 2 the kind one


def asks(among=("bad",), kind="score", outcome=None, **told):
    exposure = {"column": "care", "reference": "none", "level": "kind"}
    return question(kind, outcome, exposure, recovery={"among_failures": list(among)}, **told)


def draws(seed=1, **given):
    """84 people with a failure or none, and the plain columns of their model: arms, severity about its mean, the rest."""
    rng = np.random.default_rng(seed)
    kind, usual = (ARM == 2).astype(float), (ARM == 1).astype(float)
    bad, age = np.where(ARM > 0, rng.normal(3, 1, 84), np.nan), rng.normal(40, 8, 84)
    outcome = 0.4 * kind - 0.3 * usual - 0.2 * np.nan_to_num(bad) + 0.01 * age + rng.normal(size=84) * (1 + kind)
    tenure = (rng.random(84) < 0.5).astype(float)
    columns, groups = {"age": age, "care: usual": usual, "tenure": tenure}, ("age", "care", "tenure")
    drawn = sample(outcome, kind, columns, {"bad": bad}, groups, **given)
    about = np.where(ARM > 0, bad - np.nanmean(bad), 0.0)
    return drawn, np.column_stack([kind, usual, about, age, tenure, np.ones(84)])


CONTRASTS = np.array([[1.0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [1, -1, 0, 0, 0, 0]])


def agrees(found, drawn, matrix, expected):
    """All three contrasts with their errors: coefficients by lstsq, (se, df) as told."""
    at = np.linalg.lstsq(matrix, drawn.outcome, rcond=None)[0]
    assert found.values == pytest.approx(CONTRASTS @ at)
    assert found.se == pytest.approx([se for se, _ in expected])
    assert found.df == pytest.approx([df for _, df in expected])


def test_without_clusters_the_contrasts_are_those_of_statsmodels_with_hc3():
    drawn, matrix = draws()
    found, fit = three(drawn, asks()), sm.OLS(drawn.outcome, matrix).fit(cov_type="HC3")
    agrees(found, drawn, matrix, [(float(fit.t_test(one).sd.item()), 78) for one in CONTRASTS])
    assert found.errors == "HC3" and found.notes == ()


def test_weights_are_those_of_weighted_least_squares():
    weights = np.linspace(1, 2, 84)
    drawn, matrix = draws(weights=weights)
    found, root = three(drawn, asks()), np.sqrt(weights)[:, None]
    at = np.linalg.lstsq(root * matrix, root[:, 0] * drawn.outcome, rcond=None)[0]
    assert found.values == pytest.approx(CONTRASTS @ at)
    parts = [pulls(root * matrix, [root[:, 0] * drawn.outcome], one)[0] for one in CONTRASTS]
    assert found.se == pytest.approx([np.sqrt(np.sum(part**2)) for part in parts])


def test_with_clusters_each_contrast_has_its_own_satterthwaite_degrees_of_freedom():
    cluster = np.repeat(np.arange(7), 12)
    drawn, matrix = draws(cluster=cluster)
    found = three(drawn, asks())
    expected = []
    for one in CONTRASTS:
        part, df = pulls(matrix, [drawn.outcome], one, cluster)
        expected.append((np.sqrt(np.sum(part**2)), df))
    agrees(found, drawn, matrix, expected)
    assert found.errors == "CR2" and len(set(found.df)) == 3
    assert found.notes == ("few clusters: 7 (agent)",)


def test_clusters_that_cross_are_summed_both_ways():
    first, second = np.arange(84) % 9, np.arange(84) // 12
    drawn, matrix = draws(cluster=first, crossed=second, crossed_name="month")
    found, expected = three(drawn, asks()), []
    for one in CONTRASTS:
        covariance, df = two_ways(matrix, [drawn.outcome], one, first, second)
        expected.append((np.sqrt(covariance[0, 0]), df))
    agrees(found, drawn, matrix, expected)
    assert found.errors == "CR1"
    assert recovery(drawn, asks()).method == (
        "three arms by least squares, CR1 errors clustered two ways, by agent and month"
    )


@pytest.mark.parametrize("level", [0.95, 0.8])
@pytest.mark.parametrize("clustered", [False, True])
def test_the_headline_is_the_first_contrast_and_each_interval_is_read_by_its_own_t(level, clustered):
    drawn, _ = draws(cluster=np.repeat(np.arange(21), 4) if clustered else None)
    found, arms = recovery(drawn, asks(), level), three(drawn, asks())
    assert (found.estimate, found.se, found.df) == (arms.values[0], arms.se[0], arms.df[0])
    assert [term.term for term in found.model.terms] == list(NAMES)
    for term, value, se, df in zip(found.model.terms, arms.values, arms.se, arms.df, strict=True):
        low, high = stats.t.interval(level, df, value, se)
        expected = (value, se, low, high, 2 * stats.t.sf(abs(value / se), df))
        assert (term.estimate, term.se, term.low, term.high, term.p) == pytest.approx(expected)
    own = found.model.terms[0]
    assert (found.low, found.high, found.p, found.level) == (own.low, own.high, own.p, level)
    assert (found.n, found.clusters) == (84, 21 if clustered else None)


def test_the_level_is_95_per_cent_where_none_is_named():
    one, other = (recovery(draws()[0], asks(), *level) for level in ((), (0.95,)))
    assert (one.low, one.high, one.level) == (other.low, other.high, 0.95)


def test_names_follow_the_order_of_the_contrasts():
    """Kind is 3 above no failure, the usual recovery 1, to within noise."""
    rng = np.random.default_rng(2)
    drawn, _ = draws()
    clear = replace(drawn, outcome=np.array([0.0, 1.0, 3.0])[ARM] + rng.normal(0, 1e-3, 84))
    told = {term.term: round(term.estimate, 2) for term in recovery(clear, asks()).model.terms}
    assert told == {
        "kind recovery against no failure": 3,
        "usual recovery against no failure": 1,
        "kind recovery against the usual one": 2,
    }


@pytest.mark.parametrize(
    ("kind", "unit", "told", "scale"),
    [
        ("score", None, "point", "points"),
        ("score", "day", "day", "day"),
        ("yes_no", None, "probability", "points"),
    ],
)
def test_the_unit_is_the_outcomes_own(kind, unit, told, scale):
    drawn, _ = draws()
    if kind == "yes_no":
        drawn = replace(drawn, outcome=(drawn.outcome > 0).astype(float))
    outcome = ({"unit": unit} if unit else {}) | ({"yes": "1"} if kind == "yes_no" else {})
    found = recovery(drawn, asks(kind=kind, outcome=outcome))
    assert (found.unit, found.model.scale, found.model.name, found.model.errors) == (told, scale, "three arms", "HC3")
    assert found.method == "three arms by least squares, HC3 errors"
    assert found.kind == kind


def test_a_change_holds_the_level_before_equal():
    drawn, matrix = draws()
    before = np.random.default_rng(3).normal(50, 5, 84)
    drawn = replace(drawn, outcome=drawn.outcome + 0.5 * before, baseline=before)
    found = three(drawn, asks(kind="change", outcome={"baseline": "before"}))
    wider = np.column_stack([matrix, before])
    fit = sm.OLS(drawn.outcome, wider).fit(cov_type="HC3")
    for place, one in enumerate(CONTRASTS):
        test = fit.t_test(np.append(one, 0.0))
        assert (found.values[place], found.se[place]) == pytest.approx((test.effect.item(), test.sd.item()))
    assert found.df == pytest.approx([77] * 3)
    score = three(drawn, asks())  # a score does not look at it
    assert score.df == pytest.approx([78] * 3) and abs(score.se[0] - found.se[0]) > 1e-6


def test_what_a_baseline_tells_exactly_is_refused_by_its_name():
    drawn, _ = draws()
    told = replace(drawn, baseline=(ARM == 2).astype(float))
    with pytest.raises(EstimationError, match="care is fully determined by before"):
        three(told, asks(kind="change", outcome={"baseline": "before"}))
    with pytest.raises(EstimationError, match="care is fully determined by care: usual and bad"):
        three(replace(drawn, more={"bad": np.where(ARM == 2, 1.0, 0.0)}), asks())


# What only failures have


def test_what_only_failures_have_says_nothing_of_the_others():
    drawn, _ = draws()
    noise = np.where(ARM > 0, drawn.more["bad"], np.arange(84.0))
    one, other = three(drawn, asks()), three(replace(drawn, more={"bad": noise}), asks())
    assert (one.values.tolist(), one.se.tolist()) == (other.values.tolist(), other.se.tolist())
    shifted = three(replace(drawn, more={"bad": 1000 * drawn.more["bad"] + 7}), asks())
    assert shifted.values == pytest.approx(one.values)


def test_a_gap_among_failures_counts_as_average_and_is_counted():
    drawn, _ = draws()
    gaps = np.flatnonzero(ARM > 0)[:3]
    bad = drawn.more["bad"].copy()
    bad[gaps] = [np.nan, np.inf, np.nan]
    found = three(replace(drawn, more={"bad": bad}), asks())
    filled = np.where(np.isfinite(bad), bad, np.mean(bad[(ARM > 0) & np.isfinite(bad)]))
    assert found.values == pytest.approx(three(replace(drawn, more={"bad": filled}), asks()).values)
    assert found.notes == (
        "bad is not known of all failures; the others count as average in it",
        "3 rows of failures are without bad",
    )
    bad[gaps] = [np.nan, 2.0, 2.0]
    assert "1 row of failures is without bad" in counts(three(replace(drawn, more={"bad": bad}), asks()).notes)


def test_without_columns_of_failures_the_arms_are_compared_as_they_are():
    drawn, matrix = draws()
    found, plain = three(drawn, asks(())), matrix[:, [0, 1, 3, 4, 5]]
    at = np.linalg.lstsq(plain, drawn.outcome, rcond=None)[0]
    assert found.values == pytest.approx([at[0], at[1], at[0] - at[1]])
    assert found.notes == () and found.df == pytest.approx([79] * 3)


def test_two_columns_of_failures_are_held_equal_together():
    drawn, matrix = draws()
    paid = np.where(ARM > 0, np.cos(np.arange(84.0)), np.nan)
    found = three(replace(drawn, more=drawn.more | {"paid": paid}), asks(("bad", "paid")))
    wider = np.column_stack([matrix, np.where(ARM > 0, paid - np.nanmean(paid), 0.0)])
    assert found.values[0] == pytest.approx(np.linalg.lstsq(wider, drawn.outcome, rcond=None)[0][0])


def test_all_that_is_wrong_with_columns_of_failures_is_said_at_once():
    drawn, _ = draws()
    constant, words = np.where(ARM > 0, 3.0, np.arange(84.0)), np.array(["bad"] * 84, dtype=object)
    more = {"bad": constant, "paid": words, "fast": np.where(ARM > 0, np.nan, 1.0), "good": np.arange(84.0)}
    with pytest.raises(EstimationError) as refused:
        three(replace(drawn, more=more), asks(tuple(more)))
    said = str(refused.value)
    assert "The question 'q'" in said
    assert "bad never varies among failures, so it cannot be held equal; leave it out." in said
    assert "paid: numbers are wanted under `among_failures`, and it holds words." in said
    assert "fast never varies among failures" in said
    assert "good" not in said


# Arms


def armed(none, usual, kind):
    arm = np.repeat([0, 1, 2], [none, usual, kind])
    rng = np.random.default_rng(4)
    return sample(rng.normal(size=len(arm)), arm == 2, {"care: usual": arm == 1}, groups=("care",))


def test_five_rows_an_arm_are_enough_and_four_are_not():
    assert np.isfinite(three(armed(5, 5, 5), asks(())).values).all()
    for sizes, name in (
        ((4, 9, 9), "no failure"),
        ((9, 4, 9), "the usual recovery"),
        ((9, 9, 4), "a kind recovery"),
    ):
        with pytest.raises(EstimationError) as refused:
            three(armed(*sizes), asks(()))
        assert str(refused.value) == f"The question 'q': 4 rows had {name}; at least 5 are needed."


def test_all_small_arms_are_said_at_once():
    with pytest.raises(EstimationError) as refused:
        three(armed(3, 2, 1), asks(()))
    for part in ("3 rows had no failure", "2 rows had the usual recovery", "1 rows had a kind recovery"):
        assert part in str(refused.value)


def test_other_numbers_of_arms_are_counted():
    two, rng = sample(np.arange(20.0), np.arange(20) % 2), np.random.default_rng(5)
    four = sample(
        rng.normal(size=20),
        np.arange(20) % 4 == 3,
        {"care: a": np.arange(20) % 4 == 1, "care: b": np.arange(20) % 4 == 2},
        groups=("care", "care"),
    )
    for drawn, count in ((two, 2), (four, 4)):
        with pytest.raises(EstimationError) as refused:
            estimate_sample(drawn, asks(()))
        assert f"The question 'q': a recovery has three arms, and care has {count}. Leave" in str(refused.value)


def test_a_question_without_a_recovery_has_no_arms():
    with pytest.raises(EstimationError, match="The question 'q' has no `recovery`"):
        three(draws()[0], question())


def test_few_degrees_of_freedom_of_the_headline_are_noted():
    """The kind arm sits in three of 24 teams, so that its contrasts are worth few degrees of freedom."""
    arm = np.where(np.arange(120) // 5 < 3, 2, np.arange(120) % 2)
    rng = np.random.default_rng(6)
    drawn = sample(
        rng.normal(size=120),
        arm == 2,
        {"care: usual": arm == 1},
        groups=("care",),
        cluster=np.arange(120) // 5,
    )
    found = recovery(drawn, asks(()))
    arms = three(drawn, asks(()))
    assert arms.df[0] < 5 < arms.df[1]
    assert any(note.startswith("few clusters: the comparison is worth") for note in found.notes)
    swapped = sample(drawn.outcome, arm == 1, {"care: usual": arm == 2}, groups=("care",), cluster=np.arange(120) // 5)
    assert not any("is worth" in note for note in recovery(swapped, asks(())).notes)
    assert "few clusters: 3 on one side (agent)" in found.notes


def test_what_came_out_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        three(draws()[0], asks()).errors = "none"
