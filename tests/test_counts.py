"""A rate by statsmodels and by hand: terms with HC0, the difference with HC2, dispersion, what are no counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from designed import question, sample
from scipy.stats import norm, t

from researchkit.errors import EstimationError
from researchkit.estimators import counts, estimate_sample

N = 200


def made(binary=True, timed=True, spread=0.0, **more):
    rng = np.random.default_rng(1)
    need, days = rng.normal(size=N), rng.uniform(0.5, 3, N) if timed else None
    care = (np.arange(N) % 2).astype(float) if binary else 5 + 2 * rng.normal(size=N)
    rate = np.exp(0.2 + 0.2 * (care - (0 if binary else 5)) + 0.3 * need) * (1.0 if days is None else days)
    outcome = rng.poisson(rate * rng.gamma(1 / spread, spread, N) if spread else rate)
    return sample(outcome, care, {"need": need}, offset_time=days, **more)


def fitted(rows):
    columns = np.column_stack([rows.exposure, rows.covariates, np.ones(N)])
    heavy = np.ones(N) if rows.weights is None else rows.weights
    time = np.ones(N) if rows.offset_time is None else rows.offset_time
    fit = sm.GLM(rows.outcome, columns, sm.families.Poisson(), offset=np.log(time), freq_weights=heavy).fit(tol=1e-13)
    return fit, columns, heavy, time


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("binary", [True, False])
def test_every_term_and_the_difference_by_statsmodels(binary, timed, weighted):
    rows = made(binary, timed, weights=np.random.default_rng(2).uniform(0.5, 3, N) if weighted else None)
    found = estimate_sample(rows, question("counts", {"time": "days"} if timed else None), 0.9)
    fit, columns, heavy, time = fitted(rows)
    expected = fit.fittedvalues
    inside = columns * np.sqrt(heavy * expected)[:, None]
    bread = np.linalg.inv(inside.T @ inside)
    scores = columns * (heavy * (rows.outcome - expected))[:, None]
    plain = bread @ scores.T @ scores @ bread
    freed = scores / np.sqrt(1 - np.sum((inside @ bread) * inside, axis=1))[:, None]

    def average(b):
        rate = np.exp(columns @ b)
        if not binary:
            return np.average(b[0] * rate, weights=heavy * time)
        none = rate / np.exp(b[0] * columns[:, 0])
        return np.average(none * np.expm1(b[0]), weights=heavy * time)

    steps = 1e-6 * np.eye(3)
    gradient = np.array([(average(fit.params + s) - average(fit.params - s)) / 2e-6 for s in steps])
    se = np.sqrt(gradient @ bread @ freed.T @ freed @ bread @ gradient)
    assert (found.estimate, found.se) == pytest.approx((average(fit.params), se), rel=1e-5)
    assert found.high - found.estimate == pytest.approx(found.estimate - found.low)
    assert found.high - found.estimate == pytest.approx(t(found.df).ppf(0.95) * se, rel=1e-5) and 10 < found.df < N
    far = norm.ppf(0.95) * np.sqrt(np.diag(plain))  # the model beside it is told as R's
    for term, b, half in zip(found.model.terms, fit.params, far, strict=True):
        assert (term.estimate, term.low, term.high) == pytest.approx((b, b - half, b + half), rel=1e-6)
    assert [one.term for one in found.model.terms] == ["care", "need", "Intercept"]
    how = "standardised over the sample" if binary else "average marginal effect"
    errors = f"HC2 errors, Satterthwaite degrees of freedom{', weighted' if weighted else ''}"
    assert found.method == f"Poisson, rate difference, {how}, {errors}"
    assert (found.model.name, found.model.errors, found.model.scale) == ("Poisson", "HC0", "log rate")
    assert found.unit == ("events per unit of days" if timed else "events per person")
    assert found.notes == ()


def test_clusters_have_cr2_for_all_terms():
    found = estimate_sample(made(cluster=np.arange(N) % 25), question("counts", {"time": "days", "unit": "call"}))
    assert found.model.errors == "CR2" and found.unit == "call"
    assert found.also["rate ratio"][0] == pytest.approx(np.exp(found.model.terms[0].estimate))


@pytest.mark.parametrize(("spread", "told"), [(0.0, False), (2.0, True)])
def test_counts_that_come_in_bunches_are_told_by_pearsons_chi_square(spread, told):
    rows = made(spread=spread)
    fit = fitted(rows)[0]
    times = fit.pearson_chi2 / fit.df_resid
    assert bool(times > 1.5) is told
    found = estimate_sample(rows, question("counts", {"time": "days"}))
    note = f"overdispersed: chi-square is {times:.1f} times its degrees of freedom; the errors allow for it"
    assert found.notes == ((note,) if told else ())


def test_dispersion_by_hand_and_its_limit():
    outcome, expected = np.array([1.0, 3.0, 2.0, 6.0]), np.array([2.0, 2.0, 2.0, 4.0])
    assert counts.dispersion(outcome, expected, 2) == pytest.approx((1 / 2 + 1 / 2 + 0 + 4 / 4) / 2)
    assert counts._overdispersed(np.array([1.0, 3.0]), np.array([2.0, 2.0]), 0) == ()
    exactly = np.array([2.0, 2.0]), np.array([1.0, 0.5])  # (1 + 4.5) / 2, less a coefficient or not
    assert counts.dispersion(*exactly, 0) == pytest.approx(2.75)
    at = np.array([3.0, 1.0]), np.array([1.5, 1.0])
    assert counts.dispersion(*at, 1) == 1.5 and counts._overdispersed(*at, 1) == ()


@pytest.mark.parametrize(
    ("outcome", "time", "words"),
    [
        ([0, 1, 2, 3], None, []),
        (
            [-1, 1, 2.5, 3],
            None,
            ["2 outcomes are not whole numbers from 0 up, so they are no counts. Try kind `score`."],
        ),
        ([0, 1, 2, 1], None, ["only 4 events happened; at least 5 are needed."]),
        ([0, 0, 0, 1], None, ["only 1 events happened; at least 5 are needed."]),
        ([0, 1, 2, 2], None, []),
        ([0, 0, 0, 0], None, []),  # that all are alike is said elsewhere
        ([0, 1, 2, 3], [1, 0.5, 1e-3, 1], []),
        (
            [0, 1, 2, 3],
            [0, -1, 1, 1],
            ["2 exposure times are zero or negative. Correct them, or drop those rows with `keep`."],
        ),
    ],
)
def test_what_are_no_counts(outcome, time, words):
    rows = sample(outcome, [0, 1, 0, 1], offset_time=None if time is None else np.array(time, float))
    assert counts.objections(rows) == words


def test_a_column_without_events_on_one_side_is_refused_by_name():
    rows = made()
    fax = (np.arange(N) < 5).astype(float)
    quiet = replace(rows, outcome=np.where(fax == 1, 0, rows.outcome), covariates=fax[:, None], names=("fax",))
    with pytest.raises(
        EstimationError, match=r"^The question 'q': fax tells the outcome exactly: all 5 rows of its rarer"
    ):
        estimate_sample(replace(quiet, groups=("fax",)), question("counts"))
    once = replace(rows, outcome=np.where(rows.exposure == 1, 0, rows.outcome))
    with pytest.raises(
        EstimationError, match="care tells the outcome exactly: all 100 rows of its rarer value had no event"
    ):
        estimate_sample(once, question("counts"))


@pytest.mark.parametrize(("events", "note"), [((9, 60), "on one side"), ((12, 12), "fewer than 25;"), ((10, 15), None)])
def test_few_events_of_a_rate_are_told(events, note):
    outcome = np.zeros(N)
    for arm, count in enumerate(events):
        outcome[np.flatnonzero(np.arange(N) % 2 == arm)[:count]] = 1
    notes = estimate_sample(sample(outcome, np.arange(N) % 2), question("counts")).notes
    assert len(notes) == (note is not None) and all(note in one for one in notes)


def test_an_interval_is_of_95_per_cent_unless_another_is_asked_for():
    about = question("counts", {"time": "days"})
    assert counts.counts(made(), about) == counts.counts(made(), about, 0.95)


def test_columns_that_tell_only_together_that_nothing_happens_are_refused():
    rng = np.random.default_rng(4)
    first, happened = rng.normal(size=N), np.arange(N) % 2
    second = first + np.where(happened == 1, 0, rng.uniform(0.5, 1, N))
    rows = sample(happened * rng.integers(1, 4, N), first, {"second": second})
    with pytest.raises(EstimationError, match=r"no finite best fit: the coefficient of (care|second) grows"):
        estimate_sample(rows, question("counts"))
