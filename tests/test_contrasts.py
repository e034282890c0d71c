"""One model of any kind and what it says of its people under other circumstances, by statsmodels and by plain sums."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest
import statsmodels.api as sm
from designed import question, sample
from scipy.special import expit

from researchkit.errors import EstimationError
from researchkit.estimators import estimate_sample, leverage
from researchkit.estimators.contrasts import Scaled, model
from researchkit.estimators.linear import cr2, least_squares

N = 200
KINDS = {"ordered": {"top": ["3"]}, "change": {"baseline": "before"}, "counts": {"time": "days"}}


def made(kind, seed=1, **more):
    """Rows whose outcome depends on care and age, in units of thousands and thousandths."""
    rng = np.random.default_rng(seed)
    care, age = 1e-3 * rng.normal(2, 1, N), 1e3 * rng.normal(4, 1, N)
    pull = 0.5 * (care / 1e-3 - 2) + 0.4 * (age / 1e3 - 4)
    drawn = {
        "yes_no": lambda: rng.random(N) < expit(pull),
        "counts": lambda: rng.poisson(np.exp(pull)),
        "ordered": lambda: np.digitize(pull + rng.logistic(size=N), [-0.7, 0.8]),
    }
    outcome = drawn.get(kind, lambda: pull + rng.normal(size=N))()
    told = (
        {"levels": tuple("123"), "level_values": (1.0, 2.0, 3.0), "level_codes": tuple("123")}
        if kind == "ordered"
        else {}
    )
    rows = sample(outcome, care, {"age": age}, **told, **more)
    return rows, question(kind, KINDS.get(kind)), np.column_stack([age, care])


def fitted(kind, rows, about, columns, needed=(1,), names=("age", "care")):
    return model(rows, about, columns, names, list(needed))


def at(columns, care):
    moved = columns.copy()
    moved[:, -1] = care
    return moved


@pytest.mark.parametrize("kind", ["score", "yes_no", "counts", "ordered", "change"])
def test_means_and_their_gradients_are_those_of_small_steps(kind):
    """The gradient of a mean is in the fitted coefficients: `back` and `coefficients` take them to raw columns."""
    weights, days = np.random.default_rng(4).uniform(0.5, 3, N), np.random.default_rng(5).uniform(0.5, 3, N)
    start = np.random.default_rng(6).normal(size=N)
    rows, about, columns = made(kind, weights=weights, offset_time=days, baseline=start)
    found = fitted(kind, rows, about, columns)
    mean = found.mean(at(columns, 0.003))
    whole, raw = (np.column_stack([one, start][: 1 + (kind == "change")]) for one in (columns, at(columns, 0.003)))
    scaled, k = (raw - whole.mean(axis=0)) / whole.std(axis=0), whole.shape[1]
    share = weights * days if kind == "counts" else weights

    def response(fit):
        if kind == "ordered":  # the share above the last step
            return np.average(expit(scaled @ fit[:k] - fit[-1]), weights=share)
        link = {"yes_no": expit, "counts": np.exp}.get(kind, lambda eta: eta)
        return np.average(link(scaled @ fit[:k] + fit[k]), weights=share)

    fit = np.linalg.solve(found.back, found.coefficients)
    steps = 1e-5 * np.eye(len(fit))
    assert mean.value == pytest.approx(response(fit), rel=1e-9)
    assert mean.gradient == pytest.approx([(response(fit + s) - response(fit - s)) / 2e-5 for s in steps], abs=1e-8)


def test_coefficients_are_those_of_the_raw_columns():
    for kind, family in (("yes_no", sm.families.Binomial()), ("counts", sm.families.Poisson())):
        days = np.random.default_rng(5).uniform(0.5, 3, N)
        rows, about, columns = made(kind, offset_time=days)
        found = fitted(kind, rows, about, columns)
        offset = np.log(days) if kind == "counts" else None
        scaled = sm.add_constant(columns * [1e-3, 1e3])
        fit = sm.GLM(rows.outcome, scaled, family, offset=offset).fit(tol=1e-13)
        assert found.coefficients[:2] == pytest.approx(fit.params[1:] * [1e-3, 1e3], rel=1e-7)
        if kind == "yes_no":
            covariance = found.read(found.back[:2]).covariance
            ours = np.sqrt(np.diag(covariance)) * [1e3, 1e-3]
            assert ours == pytest.approx(fit.bse[1:], rel=1e-6)
    rows, about, columns = made("score")
    found = fitted("score", rows, about, columns)
    fit = sm.OLS(rows.outcome, sm.add_constant(columns)).fit(cov_type="HC3")
    assert found.coefficients[:2] == pytest.approx(fit.params[1:])
    assert np.sqrt(np.diag(found.read(found.back[:2]).covariance)) == pytest.approx(fit.bse[1:])


@pytest.mark.parametrize("clustered", [False, True])
def test_any_number_of_contrasts_has_the_errors_of_each(clustered):
    """Of three coefficients one, three, four and seven contrasts: the same as each asked alone, and by plain sums."""
    rows, about, columns = made("score", cluster=np.arange(N) % 11 if clustered else None)
    found = fitted("score", rows, about, columns)
    gradients = np.array([found.mean(at(columns, care)).gradient for care in np.linspace(0.0, 0.004, 7)])
    raw = np.column_stack([columns, np.ones(N)])
    line = least_squares((raw - [*columns.mean(axis=0), 0]) / [*columns.std(axis=0), 1], rows.outcome)
    each = []
    for one in gradients:
        spread = (
            cr2(replace(line, root=np.vstack([one @ line.root, np.zeros((2, 3))])), rows.cluster) if clustered else None
        )
        each.append(spread.df[0] if clustered else N - 3.0)
    whole = found.read(gradients)
    fit = sm.OLS(rows.outcome, (raw - [*columns.mean(axis=0), 0]) / [*columns.std(axis=0), 1]).fit(cov_type="HC3")
    full = cr2(line, rows.cluster).covariance if clustered else fit.cov_params()
    for count in (1, 3, 4, 7):
        reading = found.read(gradients[:count])
        assert reading.df == pytest.approx(each[:count]) and len(reading.df) == count
        assert reading.covariance == pytest.approx(gradients[:count] @ full @ gradients[:count].T)
        assert reading.covariance == pytest.approx(whole.covariance[:count, :count])
        assert reading.errors == ("CR2" if clustered else "HC3")
    assert (whole.notes, found.notes) == ((), ("few clusters: 11 (agent)",) if clustered else ())


@pytest.mark.parametrize("kind", ["score", "change", "yes_no", "counts", "ordered"])
@pytest.mark.parametrize("how", ["plain", "weights", "cluster", "crossed"])
def test_the_coefficient_of_the_exposure_is_told_as_the_kinds_own_estimator_tells_it(kind, how):
    """One model in two rooms: the exposure's coefficient, its error, degrees of freedom and name."""
    rng = np.random.default_rng(3)
    more = {
        "plain": {},
        "weights": {"weights": rng.uniform(0.5, 3, N)},
        "cluster": {"cluster": np.arange(N) % 17},
        "crossed": {"cluster": np.arange(N) % 17, "crossed": np.arange(N) % 13, "crossed_name": "month"},
    }[how]
    rows, about, columns = made(kind, baseline=rng.normal(size=N), **more)
    own = estimate_sample(rows, about)
    found = fitted(kind, rows, about, columns)
    place = found.kept.index(1)
    reading = found.read(found.back[[place]])
    term = own.model.terms[0]
    if kind == "counts" and how in ("plain", "weights"):  # whose model is told with HC0
        assert reading.errors == "HC2" and np.isfinite(reading.df[0])
    else:
        assert np.sqrt(reading.covariance[0, 0]) == pytest.approx(term.se, rel=1e-6)
        assert reading.errors == own.model.errors
    assert found.coefficients[place] == pytest.approx(term.estimate, rel=1e-7)
    assert found.unit == own.unit
    finite = {"plain": kind in ("score", "change", "counts"), "weights": kind in ("score", "change", "counts")}
    assert np.isfinite(reading.df[0]) == finite.get(how, True)
    if kind in ("score", "change"):
        assert reading.df[0] == pytest.approx(own.df)
    name = {"score": "least squares", "change": "analysis of covariance on the baseline", "yes_no": "logistic"}
    assert found.name == (name | {"counts": "Poisson", "ordered": "proportional odds"})[kind]


def test_a_unit_is_the_questions_own_where_it_has_one():
    rows, _, columns = made("score")
    assert fitted("score", rows, question("score", {"unit": "night"}), columns).unit == "night"
    rows, _, columns = made("counts")
    assert fitted("counts", rows, question("counts"), columns).unit == "events per person"
    assert fitted("counts", rows, question("counts", {"unit": "call"}), columns).unit == "call"
    rng = np.random.default_rng(2)
    told = {"levels": tuple(map(str, range(11))), "level_values": tuple(map(float, range(11)))}
    rows = sample(rng.integers(0, 11, N), rng.normal(size=N), **told, level_codes=told["levels"])
    points = model(rows, question("ordered", {"nps": True}), rows.exposure[:, None], ["care"], [0])
    assert points.unit == "NPS points"
    spread = (rows.outcome >= 9).mean() - (rows.outcome <= 6).mean()
    assert points.mean(rows.exposure[:, None]).value == pytest.approx(100 * spread, abs=0.5)


# What is left out, and what is refused


def test_a_column_that_others_determine_is_left_out_and_a_needed_one_never():
    rows, about, columns = made("score")
    age, care = columns.T
    wide = np.column_stack([age, 3 * age - 1, np.full(N, 7.0), care])
    found = fitted("score", rows, about, wide, [3], ("age", "again", "seven", "care"))
    assert found.kept == (0, 3) and found.notes == ("left out because the other columns determine them: again, seven",)
    plain = fitted("score", rows, about, columns)
    assert found.mean(at(wide, 0.001)).value == pytest.approx(plain.mean(at(columns, 0.001)).value)
    assert plain.notes == () and plain.kept == (0, 1)
    # A needed column stands where a covariate repeats it only if the covariate can go; two that repeat each other cannot.
    with pytest.raises(EstimationError) as refused:
        fitted(
            "score", rows, about, np.column_stack([age, care, care, 2 * care + age]), [1, 2, 3], ("age", "a", "b", "c")
        )
    assert str(refused.value) == (
        "The question 'q': b and c cannot be told apart from what else is in the model. Look for groups in which "
        "everybody has the same exposure, and for columns of `adjust` that repeat it."
    )


def test_a_change_has_its_baseline_in_the_model_once():
    start = np.random.default_rng(6).normal(size=N)
    rows, about, columns = made("change", baseline=start)
    found = fitted("change", rows, about, columns)
    assert found.kept == (0, 1, 2)
    fit = sm.OLS(rows.outcome, sm.add_constant(np.column_stack([columns, start]))).fit()
    assert found.coefficients[:3] == pytest.approx(fit.params[1:])
    assert found.mean(columns).value == pytest.approx(rows.outcome.mean())
    moderated = np.column_stack([start, columns[:, 1]])  # the baseline is a column of the model already
    found = fitted("change", rows, about, moderated, [1], ("before", "care"))
    assert found.kept == (0, 1) and found.notes == ()
    slopes = sm.OLS(rows.outcome, sm.add_constant(moderated)).fit().params
    moved = rows.outcome.mean() + slopes[2] * (0.002 - columns[:, 1].mean())
    assert found.mean(at(moderated, 0.002)).value == pytest.approx(moved)
    copied = np.column_stack([2 * start, columns[:, 1]])  # and one that others determine goes, by its own name
    assert fitted("change", rows, about, copied, [1], ("twice", "care")).notes == (
        "left out because the other columns determine them: before",
    )


@pytest.mark.parametrize("start", [None, np.ones(N)])
def test_a_change_without_a_baseline_is_refused(start):
    rows, about, columns = made("change", baseline=start)
    with pytest.raises(EstimationError, match=r"'q': the baseline is missing, or the same for everybody\.$"):
        fitted("change", rows, about, columns)


@pytest.mark.parametrize(
    ("kind", "outcome", "words"),
    [
        ("yes_no", np.arange(N) < 4, "only 4 people have the rarer outcome"),
        ("counts", np.arange(N) < 4, "only 4 events happened"),
        ("ordered", np.arange(N) < 100, "fall into one group"),
        ("score", np.ones(N), "is the same in all"),
    ],
)
def test_what_a_kind_has_against_its_data_is_said_here_too(kind, outcome, words):
    rows, about, columns = made(kind)
    with pytest.raises(EstimationError, match=words):
        fitted(kind, replace(rows, outcome=np.asarray(outcome, float)), about, columns)


def test_a_fit_that_runs_away_and_an_outcome_told_exactly_are_refused():
    rows, about, columns = made("yes_no")
    apart = replace(rows, outcome=(columns[:, 1] > np.median(columns[:, 1])).astype(float))
    with pytest.raises(
        EstimationError, match=r"^The model has no finite best fit: in one of the groups, or at one end"
    ):
        fitted("yes_no", apart, about, columns)
    rows, about, columns = made("score")
    with pytest.raises(EstimationError, match="score is told exactly"):
        fitted("score", replace(rows, outcome=columns @ [1e-3, 1e3]), about, columns)


@pytest.mark.parametrize(
    ("kind", "events", "told"), [("yes_no", 24, True), ("yes_no", 30, False), ("counts", 24, True)]
)
def test_few_events_are_noted(kind, events, told):
    rows, about, columns = made(kind)
    outcome = np.zeros(N)
    outcome[np.random.default_rng(1).choice(N, events, replace=False)] = 1
    found = fitted(kind, replace(rows, outcome=outcome), about, columns)
    assert any(note.startswith("few events: fewer than 25") for note in found.notes) is told
    reading = found.read(found.back[:1])
    assert reading.errors == "HC2" and np.isfinite(reading.df).all()  # fewer than 50 of the rarer outcome
    turned = fitted(kind, replace(rows, outcome=1 - outcome), about, columns) if kind == "yes_no" else found
    assert turned.notes == found.notes and turned.read(turned.back[:1]).errors == "HC2"


@pytest.mark.parametrize(("yes", "errors"), [(49, "HC2"), (50, "model-based"), (150, "model-based"), (151, "HC2")])
def test_fifty_of_the_rarer_outcome_are_enough_for_the_models_own_errors(yes, errors):
    rows, about, columns = made("yes_no")
    outcome = np.zeros(N)
    outcome[np.random.default_rng(1).choice(N, yes, replace=False)] = 1
    found = fitted("yes_no", replace(rows, outcome=outcome), about, columns)
    assert found.read(found.back[:1]).errors == errors


def test_an_ordered_fit_that_runs_away_names_its_column():
    rows, about, columns = made("ordered")
    steep = 3.0 * np.digitize(columns[:, 1], np.quantile(columns[:, 1], [0.3, 0.6]))
    with pytest.raises(EstimationError, match="no finite best fit: the coefficient of care grows without end"):
        fitted("ordered", replace(rows, outcome=steep // 3), about, columns)


def test_where_rows_would_be_too_much_a_rate_has_the_plain_sandwich(monkeypatch):
    rows, about, columns = made("counts")
    monkeypatch.setattr(leverage, "CHUNK", 0)
    found = fitted("counts", rows, about, columns)
    reading = found.read(found.back[:2])
    own = estimate_sample(rows, about).model
    assert (reading.errors, own.errors, reading.df.tolist()) == ("HC0", "HC0", [np.inf] * 2)
    assert np.sqrt(np.diag(reading.covariance)) == pytest.approx([own.terms[1].se, own.terms[0].se], rel=1e-6)


def test_few_degrees_of_freedom_are_those_of_the_first_contrast():
    """The exposure differs in two of thirty clusters; age in all of them."""
    team = np.arange(N) % 30
    rows, about, columns = made("score", cluster=team)
    columns[:, 1] = np.where(team < 2, columns[:, 1], 0)
    found = fitted("score", rows, about, columns)
    assert found.read(found.back[[1, 0]]).notes[0].startswith("few clusters: the comparison is worth")
    assert found.read(found.back[[0, 1]]).notes == () and found.notes == ()


def test_what_is_handed_back_cannot_be_changed():
    rows, about, columns = made("score")
    found = fitted("score", rows, about, columns)
    for one in (found, found.read(found.back[:1]), Scaled([0], ("a",), np.zeros(1), np.ones(1), None, True)):
        with pytest.raises(FrozenInstanceError):
            one.notes = one.kept = ()
