"""Ordered answers against a plain proportional-odds model: derivatives by complex steps, averages person by person."""

from __future__ import annotations

import numpy as np
import pytest
from by_hand import of_likelihood
from designed import question, sample
from scipy import optimize, stats

from researchkit.errors import EstimationError
from researchkit.estimators.ordered import _derivatives, between, objections, ordered

LEVELS = ("never", "seldom", "often", "always")
PROPORTIONAL = "assumes proportional odds: one odds ratio for every step of the answer"


def asks(top=("3", "4"), **told):
    return question("ordered", {"nps": True} if top is None else {"top": list(top)}, **told)


def draws(n=160, seed=1, numeric=False, levels=LEVELS, values=(1.0, 2.0, 3.0, 4.0), cut=(-1.0, 0.3, 1.4), **given):
    """Answers in steps to how kind they were handled, beside how much they needed."""
    rng = np.random.default_rng(seed)
    need = rng.normal(2, 1, n)
    care = 2 * rng.normal(size=n) if numeric else (rng.random(n) < 0.5).astype(float)
    answer = np.digitize(0.6 * care + 0.4 * (need - 2) + rng.logistic(size=n), cut)
    told = {"levels": levels, "level_values": values, "level_codes": tuple(f"{value:g}" for value in values)}
    return sample(answer, care, {"need": need}, **(told | given))


class Plain:
    """Proportional odds in the columns as they came: at, scores (n, k), each row's information (n, k, k)."""

    def __init__(self, drawn):
        self.matrix = np.column_stack([drawn.exposure, drawn.covariates])
        self.answer = np.unique(drawn.outcome, return_inverse=True)[1]
        self.weights = np.ones(len(self.answer)) if drawn.weights is None else drawn.weights
        self.p, steps = self.matrix.shape[1], self.answer.max()
        start = np.r_[np.zeros(self.p), np.linspace(-1, 1, steps)]
        self.at = optimize.root(lambda at: self.weights @ self.scores(at), start, options={"xtol": 1e-13}).x
        step, turns = 1e-5, np.eye(len(start))
        bends = [self.scores(self.at - step * one) - self.scores(self.at + step * one) for one in turns]
        self.bends = np.stack(bends, axis=2) / (2 * step) * self.weights[:, None, None]
        self.pulls = self.weights[:, None] * self.scores(self.at)

    def shares(self, at, matrix):
        """The chance of each answer (n, K)."""
        below = 1 / (1 + np.exp(-(at[self.p :] - (matrix @ at[: self.p])[:, None])))
        return np.diff(np.column_stack([np.zeros(len(matrix)), below, np.ones(len(matrix))]), axis=1)

    def scores(self, at):
        def along(one):
            return np.log(self.shares(at + 1e-30j * one, self.matrix)[np.arange(len(self.answer)), self.answer])

        return np.column_stack([along(one).imag for one in np.eye(len(at))]) / 1e-30

    def effect(self, worth, binary):
        """The difference, or the slope, of the mean worth with its gradient."""

        def value(at):
            def mean(care):
                matrix = np.column_stack([np.broadcast_to(care, len(self.answer)), self.matrix[:, 1:]])
                return self.weights @ self.shares(at, matrix) @ worth / self.weights.sum()

            if binary:
                return mean(1.0) - mean(0.0)
            step = 1e-3  # fourth order
            care = self.matrix[:, 0]
            one, two = (mean(care + far * step) - mean(care - far * step) for far in (1, 2))
            return (8 * one - two) / (12 * step)

        gradient = np.array([value(self.at + 1e-30j * one).imag for one in np.eye(len(self.at))]) / 1e-30
        return value(self.at).real, gradient


def holds(found, value, se, df, level=0.95):
    """Estimate, error and all that follows from them."""
    other = stats.norm if df is None else stats.t(df)
    half, p = other.ppf((1 + level) / 2) * se, 2 * other.sf(abs(value / se))
    assert (found.estimate, found.se) == pytest.approx((value, se), rel=1e-6)
    assert (found.low, found.high, found.p) == pytest.approx((value - half, value + half, p), rel=1e-5)
    assert found.df == (None if df is None else pytest.approx(df, rel=1e-5))


@pytest.mark.parametrize("numeric", [False, True])
@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_the_difference_is_that_of_a_plain_model_with_the_delta_method(numeric, weighed, level):
    drawn = draws(numeric=numeric, weights=np.linspace(1, 2, 160) if weighed else None)
    plain, found = Plain(drawn), ordered(drawn, asks(), level)
    value, gradient = plain.effect(np.array([0.0, 0, 1, 1]), not numeric)
    covariance = np.linalg.inv(plain.bends.sum(axis=0))
    if weighed:
        covariance = covariance @ plain.pulls.T @ plain.pulls @ covariance
    holds(found, value, np.sqrt(gradient @ covariance @ gradient), None, level)
    errors = np.sqrt(np.diag(covariance))
    assert [term.term for term in found.model.terms] == [
        "care",
        "need",
        "never | seldom",
        "seldom | often",
        "often | always",
    ]
    for term, at, se in zip(found.model.terms, plain.at, errors, strict=True):
        assert (term.estimate, term.se) == pytest.approx((at, se), rel=1e-6)
        assert (term.low, term.high) == pytest.approx(stats.norm.interval(level, at, se), rel=1e-5, abs=1e-6)
    own = found.model.terms[0]
    assert found.also["odds ratio"] == pytest.approx(np.exp([own.estimate, own.low, own.high]))
    name = "HC0" if weighed else "model-based"
    assert (found.model.name, found.model.errors, found.model.scale) == ("proportional odds", name, "log odds")
    assert (found.unit, found.kind, found.n, found.level, found.notes) == (
        "probability",
        "ordered",
        160,
        level,
        (PROPORTIONAL,),
    )
    assert found.method == (
        "proportional odds, probability of often or always, averaged over the sample, "
        f"{name} errors{', weighted' if weighed else ''}"
    )


def test_the_level_is_95_per_cent_where_none_is_named():
    one, other = ordered(draws(), asks()), ordered(draws(), asks(), 0.95)
    assert (one.low, one.high, one.level) == (other.low, other.high, 0.95)


@pytest.mark.parametrize("numeric", [False, True])
def test_points_of_an_nps_are_a_hundred_for_promoters_less_a_hundred_for_detractors(numeric):
    drawn = draws(numeric=numeric, levels=tuple("56789"), values=(5.0, 6.0, 7.0, 8.0, 9.0), cut=(-1.0, -0.2, 0.3, 1.4))
    plain, found = Plain(drawn), ordered(drawn, asks(None))
    value, gradient = plain.effect(np.array([-100.0, -100, 0, 0, 100]), not numeric)
    holds(found, value, np.sqrt(gradient @ np.linalg.solve(plain.bends.sum(axis=0), gradient)), None)
    assert found.unit == "NPS points" and found.notes == (PROPORTIONAL,)
    assert found.method == "proportional odds, NPS, averaged over the sample, model-based errors"


@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize("kind", ["clusters", "few people", "few answers"])
def test_clusters_and_few_people_have_bell_and_mccaffreys_errors(kind, weighed):
    n = 60 if kind == "few people" else 160
    cluster = np.arange(n) // 13 if kind == "clusters" else np.arange(n)
    drawn = draws(
        n,
        seed=3,
        cut=(-1.0, 0.3, 2.2) if kind == "few answers" else (-1.0, 0.3, 1.4),
        weights=np.linspace(1, 2, n) if weighed else None,
        cluster=cluster if kind == "clusters" else None,
    )
    top = ("4",) if kind == "few answers" else ("3", "4")
    plain, found = Plain(drawn), ordered(drawn, asks(top))
    value, gradient = plain.effect(np.array([0.0, 0, len(top) == 2, 1]), True)
    parts = np.array([plain.bends[cluster == one].sum(axis=0) for one in np.unique(cluster)])
    scores = np.array([plain.pulls[cluster == one].sum(axis=0) for one in np.unique(cluster)])
    holds(found, value, *of_likelihood(parts, scores, gradient))
    for term, one in zip(found.model.terms, np.eye(len(plain.at)), strict=True):
        se, df = of_likelihood(parts, scores, one)
        assert term.se == pytest.approx(se, rel=1e-5)
        assert (term.low, term.high) == pytest.approx(stats.t.interval(0.95, df, one @ plain.at, se), rel=1e-4)
    errors = "CR2 errors clustered by agent" if kind == "clusters" else "HC2 errors"
    assert found.method.endswith(f", {errors}, Satterthwaite degrees of freedom{', weighted' if weighed else ''}")
    assert found.clusters == (13 if kind == "clusters" else None)


def test_clusters_that_cross_sum_their_scores_both_ways():
    agent, month = np.arange(160) // 13, np.arange(160) % 9
    drawn = draws(cluster=agent, crossed=month, crossed_name="month")
    plain, found = Plain(drawn), ordered(drawn, asks())
    value, gradient = plain.effect(np.array([0.0, 0, 1, 1]), True)
    along, variance = plain.pulls @ np.linalg.solve(plain.bends.sum(axis=0), gradient), 0.0
    for codes, sign in ((agent, 1), (month, 1), (agent * 100 + month, -1)):
        totals = np.array([along[codes == one].sum() for one in np.unique(codes)])
        variance += sign * len(totals) / (len(totals) - 1) * totals @ totals
    holds(found, value, np.sqrt(variance * 159 / 155), 8)
    assert found.method.endswith("CR1 errors clustered two ways, by agent and month")


@pytest.mark.parametrize(("many", "errors"), [(49, "HC2"), (50, "model-based")])
@pytest.mark.parametrize("side", ["top", "below"])
def test_fewer_than_fifty_of_the_rarer_side_get_hc2(many, errors, side):
    rng = np.random.default_rng(4)
    answer = np.where(np.arange(160) < many, 0, 1 + np.arange(160) % 2)
    drawn = sample(answer if side == "below" else 2 - answer, rng.normal(size=160), levels=("a", "b", "c"))
    found = ordered(drawn, asks(("b", "c") if side == "below" else ("c",)))
    assert found.model.errors == errors


# What an answer counts


@pytest.mark.parametrize("top", [("4", "3"), ("4.0", "3.0"), ("always", "often"), ("d", "c"), ("d", "3")])
def test_the_top_group_may_be_named_by_codes_values_or_labels(top):
    """Codes d and c of this file stand for 4 and 3; where codes are written, values are told by codes alone."""
    drawn = draws(level_codes=("a", "b", "c", "d") if "d" in top else ())
    if top == ("d", "3"):  # 3 is no code here
        assert "probability of always," in ordered(drawn, asks(top)).method
        return
    found, expected = ordered(drawn, asks(top)), ordered(draws(), asks())
    assert (found.estimate, found.se, found.method) == (expected.estimate, expected.se, expected.method)


def test_without_declared_codes_answers_are_their_own_numbers():
    drawn, plain = draws(), draws(levels=(), level_values=(), level_codes=())
    one, other = ordered(drawn, asks()), ordered(plain, asks(("2", "3.0")))
    assert one.estimate == other.estimate
    assert [term.term for term in other.model.terms[2:]] == ["0 | 1", "1 | 2", "2 | 3"]
    assert "probability of 2 and 3.0," in other.method


def test_a_step_that_nobody_chose_is_left_out():
    drawn, fewer = draws(), draws(levels=("never", "seldom", "always"), values=(1.0, 2.0, 4.0), cut=(-1.0, 0.3))
    answer = np.where(fewer.outcome == 2, 3, fewer.outcome)
    gap = sample(
        answer, fewer.exposure, {"need": fewer.covariates[:, 0]}, levels=LEVELS, level_values=drawn.level_values
    )
    one, other = ordered(gap, asks()), ordered(fewer, asks(("always",)))
    assert (one.estimate, one.se) == (other.estimate, other.se)
    assert [term.term for term in one.model.terms[2:]] == ["never | seldom", "seldom | always"]
    assert "probability of often or always," in one.method


def test_the_last_and_first_answers_turned_round_turn_the_effect():
    drawn = draws()
    turned = sample(
        3 - drawn.outcome,
        drawn.exposure,
        {"need": drawn.covariates[:, 0]},
        levels=LEVELS[::-1],
        level_values=(4, 3, 2, 1),
    )
    one, other = ordered(drawn, asks()), ordered(turned, asks(("1", "2")))
    assert (one.estimate, one.se) == pytest.approx((-other.estimate, other.se))
    at, back = one.also["odds ratio"][0], other.also["odds ratio"][0]
    assert at == pytest.approx(1 / back)


def test_groups_that_do_not_part_the_answers_are_refused_with_the_answers():
    for top in (("1", "2", "3", "4"), ("7",)):
        with pytest.raises(EstimationError) as refused:
            ordered(draws(), asks(top))
        assert str(refused.value) == (
            "The question 'q': all answers to score fall into one group, so no share can differ. The answers that occur "
            "are never, seldom, often and always; look at `top`."
        )


def test_at_most_twelve_answers_are_listed():
    answer = np.arange(130) % 13
    drawn = sample(answer, np.arange(130) // 65, levels=tuple(f"s{place}" for place in range(13)))
    with pytest.raises(EstimationError) as refused:
        ordered(drawn, asks(("none",)))
    assert "s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11 and 1 more; look at `top`" in str(refused.value)


def test_answers_outside_of_an_nps_are_named():
    drawn = draws(values=(-1.0, 0.0, 10.0, 11.0))
    with pytest.raises(EstimationError) as refused:
        ordered(drawn, asks(None))
    assert str(refused.value) == "score has answers outside 0 to 10 (-1.0 and 11.0), so it has no NPS."
    inside = draws(values=(0.0, 6.0, 7.0, 10.0))
    assert ordered(inside, asks(None)).unit == "NPS points"


# Refusals and notes


@pytest.mark.parametrize(("few", "refused"), [(4, True), (5, False)])
@pytest.mark.parametrize(
    ("top", "said"), [(("b",), "gave an answer of the top group"), (("a",), "gave an answer below the top group")]
)
def test_five_people_on_either_side_are_enough_and_four_are_not(few, refused, top, said):
    rng = np.random.default_rng(6)
    answer = np.where(np.arange(120) < few, 1, 0)
    drawn = sample(answer, rng.normal(size=120), levels=("a", "b"))
    if refused:
        with pytest.raises(EstimationError) as told:
            ordered(drawn, asks(top))
        assert str(told.value).startswith(f"The question 'q': only {few} people {said}; at least 5 are needed. Collect")
        return
    found = ordered(drawn, asks(top))
    assert found.notes[0].startswith("few events: fewer than 25") and found.notes[-1] == PROPORTIONAL


def test_few_on_one_side_are_noted_and_columns_left_out_are_named():
    rng = np.random.default_rng(7)
    care, need = np.arange(160) % 2, rng.normal(size=160)
    answer = np.where(care == 1, np.arange(160) % 4 < 3, np.arange(160) < 18).astype(int)  # nine of the 80 without care
    drawn = sample(answer, care, {"need": need, "twice": 2 * need}, levels=("a", "b"), cluster=np.arange(160) // 10)
    found = ordered(drawn, asks(("b",)))
    assert found.notes[0] == "few clusters: 16 (agent)"
    assert found.notes[1] == "left out because the other covariates determine them: twice"
    assert found.notes[-2].startswith("few events: fewer than 10 on one side")


def test_answers_without_a_place_are_counted():
    drawn = draws()
    drawn.outcome[:3] += 0.5
    assert objections(drawn) == ["3 answers have no place in the order; declare the codes of the column."]
    with pytest.raises(EstimationError, match="3 answers have no place in the order"):
        ordered(drawn, asks())
    drawn.outcome[:3] = np.nan
    assert objections(drawn) == []  # said of every kind of outcome
    with pytest.raises(EstimationError, match="score has 3 values that are not finite numbers"):
        ordered(drawn, asks())


def test_a_column_that_tells_every_step_is_refused_and_one_that_tells_a_single_step_is_not():
    rng = np.random.default_rng(8)
    answer = np.repeat([0, 1, 2], 20)
    drawn = sample(answer, rng.normal(size=60), {"mood": answer + rng.random(60)}, levels=("a", "b", "c"))
    with pytest.raises(EstimationError, match="The question 'q': mood tells the outcome exactly"):
        ordered(drawn, asks(("c",)))
    mood = (answer == 2) + rng.random(60)  # the slope is one for both steps, so the first keeps it finite
    one_step = sample(answer, rng.normal(size=60), {"mood": mood}, levels=("a", "b", "c"))
    assert np.isfinite(ordered(one_step, asks(("c",))).estimate)


def test_columns_that_together_tell_the_answer_are_refused_by_the_one_that_runs_furthest():
    rng = np.random.default_rng(9)
    care, need = rng.normal(size=80), rng.normal(size=80)
    answer = np.digitize(care + 3 * need, [3.5, 4])  # the thresholds run further still, and are no columns
    drawn = sample(answer, care, {"need": need}, levels=("a", "b", "c"))
    with pytest.raises(EstimationError, match="The model has no finite best fit: the coefficient of need grows"):
        ordered(drawn, asks(("b", "c")))


def test_thresholds_out_of_order_are_no_distribution():
    matrix, answer = np.arange(12.0)[:, None] / 12, np.arange(12) % 3
    likelihood = _derivatives(matrix, answer, np.ones(12))
    assert likelihood(np.array([0.3, 1.0, 0.5]))[0] == likelihood(np.array([0.3, 0.5, 0.5]))[0] == -np.inf
    below = stats.logistic.cdf(np.array([0.5, 1.0]) - 0.3 * matrix)
    shares = np.diff(np.column_stack([np.zeros(12), below, np.ones(12)]))
    expected = np.log(shares[np.arange(12), answer]).sum()
    assert likelihood(np.array([0.3, 0.5, 1.0]))[0] == pytest.approx(expected)


def test_between_two_edges_no_digits_are_lost():
    """Differences of logistic values, where they can be taken plainly; far out only this way has any digits."""
    upper, lower = np.array([0.5, 3.0, np.inf, -1.0]), np.array([-0.5, 1.0, 2.0, -np.inf])

    def value(shift_up, shift_down):
        f = stats.logistic.cdf
        return np.log(f(upper + shift_up) - f(lower + shift_down))

    by_upper, by_lower, log, top, low, shared = between(upper, lower)
    step, ends = 1e-5, np.isfinite(upper) & np.isfinite(lower)
    assert log == pytest.approx(value(0, 0))
    assert by_upper == pytest.approx((value(step, 0) - value(-step, 0)) / (2 * step), abs=1e-8)
    assert by_lower == pytest.approx((value(0, step) - value(0, -step)) / (2 * step), abs=1e-8)
    second = (value(step, 0) - 2 * value(0, 0) + value(-step, 0)) / step**2
    assert -(top + shared) == pytest.approx(second, abs=1e-4)
    mixed = (value(step, step) - value(step, -step) - value(-step, step) + value(-step, -step)) / (4 * step**2)
    assert shared[ends] == pytest.approx(mixed[ends], abs=1e-4)
    assert -(low + shared)[ends] == pytest.approx(
        ((value(0, step) - 2 * value(0, 0) + value(0, -step)) / step**2)[ends], abs=1e-4
    )
    far = between(np.array([-700.0]), np.array([-701.0]))[2]
    assert far == pytest.approx(-700 + np.log(1 - np.exp(-1)))
