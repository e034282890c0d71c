"""Cells of a roll-out against sums by loops, what is left within units and times against regressions, and refusals."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from researchkit.errors import EstimationError
from researchkit.estimators import panel as room
from researchkit.estimators.panel import panel
from researchkit.parts import Question

STARTS = (1, 2, 2, 4, 4, 4)


def question(kind="score", entry=None, **outcome):
    told = {"id": "q", "title": "Does it?", "claim": "PRA-2", "exposure": "trained", "smallest_effect": 1}
    design = {"unit": "site", "time": "month", "start": "began", **(entry or {})}
    return Question(**told, rollout=design, outcome={"column": "y", "kind": kind, **outcome})


def rows(starts=STARTS, periods=4, n=90, seed=0, covariates=0, **more):
    """Rows of random units and times (each unit and each time at least once); a start beyond the last never comes."""
    rng = np.random.default_rng(seed)
    unit = np.concatenate([np.arange(len(starts)), rng.integers(0, len(starts), n - len(starts))])
    time = np.concatenate([np.arange(len(starts)) % periods, rng.integers(0, periods, n - len(starts))])
    start = np.array(starts)[unit]
    basics = {
        "outcome": rng.normal(size=n) + unit,
        "exposure": (time >= start).astype(float),
        "covariates": rng.normal(size=(n, covariates)) + 0.3 * unit[:, None],
        "names": tuple("abcdefgh"[:covariates]),
        "cluster": None,
        "cluster_name": None,
        "weights": None,
        "offset_time": None,
        "more": {
            "site": np.array([f"s{one}" for one in unit], dtype=object),
            "month": time.astype(float),
            "began": np.where(start < periods, start, np.nan),
        },
    }
    return SimpleNamespace(**(basics | more))


def codes(sample):
    return np.array([int(one[1:]) for one in sample.more["site"]]), sample.more["month"].astype(int)


@pytest.mark.parametrize("weighted", [False, True])
def test_cells_are_weighted_means_of_their_rows(weighted):
    weights = np.random.default_rng(1).uniform(0.5, 3, 90) if weighted else None
    sample = rows(covariates=2, weights=weights)
    mass = np.ones(90) if weights is None else weights
    cells, (unit, time) = panel(sample, question()), codes(sample)
    worth = [sample.outcome, *(sample.covariates - sample.covariates.mean(axis=0)).T]
    for one in range(6):
        for at in range(4):
            here = (unit == one) & (time == at)
            assert cells.rows[one, at] == pytest.approx(mass[here].sum())
            for place, values in enumerate(worth):
                told = cells.values[place, one, at]
                assert (
                    told == pytest.approx(np.average(values[here], weights=mass[here]))
                    if here.any()
                    else math.isnan(told)
                )
        assert cells.weight[one] == pytest.approx(mass[unit == one].sum())
    assert cells.start.tolist() == list(STARTS)
    assert cells.cluster.tolist() == list(range(6))
    assert cells.units == ("s0", "s1", "s2", "s3", "s4", "s5") and cells.periods == ("0", "1", "2", "3")
    assert cells.treated.tolist() == [[at >= start for at in range(4)] for start in STARTS]
    assert panel(sample, question(entry={"weigh": "units"})).weight.tolist() == [1] * 6
    assert cells.notes == ()


def test_cells_that_nobody_is_in_are_empty_the_last_too():
    sample = rows()
    unit, time = codes(sample)
    gone = ((unit == 5) & (time == 3)) | ((unit == 0) & (time == 0))
    kept = {name: getattr(sample, name)[~gone] for name in ("outcome", "exposure", "covariates")}
    cells = panel(
        SimpleNamespace(**(vars(sample) | kept | {"more": {a: b[~gone] for a, b in sample.more.items()}})), question()
    )
    whole = panel(sample, question())
    empty = np.zeros((6, 4), dtype=bool)
    empty[5, 3] = empty[0, 0] = True
    assert np.array_equal(cells.rows == 0, empty | (whole.rows == 0)) and np.isnan(cells.values[0][empty]).all()
    assert np.array_equal(cells.values[0][~empty], whole.values[0][~empty], equal_nan=True)


def residuals(values, mass, unit, time):
    """What a weighted regression with a column for each unit and each time leaves."""
    fixed = np.hstack([np.eye(unit.max() + 1)[unit], np.eye(time.max() + 1)[time]])
    root = np.sqrt(mass)
    return values - fixed @ np.linalg.lstsq(fixed * root[:, None], values * root, rcond=None)[0]


def test_means_taken_out_in_turn_leave_what_a_regression_leaves():
    sample = rows(seed=2)
    unit, time = codes(sample)
    mass = np.random.default_rng(3).uniform(0.2, 5, 90)
    for values in (sample.outcome, 1e8 + 1e5 * sample.outcome, 1e-9 * sample.outcome):
        left = room.within(values, mass, unit, time)
        scale = np.ptp(values)
        assert left / scale == pytest.approx(residuals(values, mass, unit, time) / scale, abs=1e-8)
    assert not room.within(np.full(90, 7.0), mass, unit, time).any()
    # a code that no row has, as units without untreated rows
    assert room.within(sample.outcome, mass, unit + 3, time) == pytest.approx(
        room.within(sample.outcome, mass, unit, time)
    )


def test_a_chain_of_units_that_meet_two_by_two_needs_many_turns():
    """Unit k is seen at times k and k + 1 alone, so that what one turn moves goes one step along."""
    unit, time = np.repeat(np.arange(8), 2), (np.arange(8)[:, None] + [0, 1]).ravel()
    values, mass = np.random.default_rng(4).normal(size=16), np.ones(16)
    values[0] += 50
    assert room.within(values, mass, unit, time) == pytest.approx(residuals(values, mass, unit, time), abs=1e-3)


@pytest.mark.parametrize("teams", [None, (0, 1, 1, 0, 2, 2)])
def test_products_are_those_of_residuals_of_untreated_rows_by_cluster(teams):
    weights = np.random.default_rng(5).uniform(0.5, 2, 90)
    sample = rows(covariates=2, weights=weights, seed=6)
    unit, time = codes(sample)
    if teams:
        sample.cluster, sample.cluster_name = np.array(teams)[unit], "team"
    cells = panel(sample, question())
    free = sample.exposure == 0
    part = [one[free] for one in (unit, time)]
    left = np.array([residuals(one[free], weights[free], *part) for one in (sample.outcome, *sample.covariates.T)])
    group = np.arange(6) if teams is None else np.array(teams)
    assert cells.cluster.tolist() == group.tolist()
    for one in range(group.max() + 1):
        mine = group[part[0]] == one
        assert cells.products[one] == pytest.approx((left * weights[free])[:, mine] @ left[:, mine].T, abs=1e-6)


def test_a_covariate_that_never_varies_within_a_unit_is_named_and_left_out():
    sample = rows(covariates=3)
    unit, time = codes(sample)
    sample.covariates[:, 0], sample.covariates[:, 2] = -100 - 7.0 * unit, 3.0 * time
    cells = panel(sample, question())
    assert cells.notes == ("a and c never varies within a unit, whose changes alone are compared",)
    assert cells.values.shape == (2, 6, 4) and cells.products.shape == (6, 2, 2)
    small = rows(covariates=1)
    small.covariates = 1e-30 * small.covariates
    assert panel(small, question()).notes == ()
    nothing = rows(covariates=1)
    nothing.covariates[:] = 0
    assert len(panel(nothing, question()).values) == 1


# Clusters


def test_rows_in_another_cluster_than_others_of_their_unit_are_counted():
    sample = rows(cluster_name="team")
    unit, _ = codes(sample)
    sample.cluster = unit // 2
    sample.cluster[np.flatnonzero(unit == 3)[:2]] = 0
    with pytest.raises(
        EstimationError, match=r"'q': 2 rows lie in another team than others of their site; .* Name site or"
    ):
        panel(sample, question())


def test_clusters_finer_than_units_leave_the_units():
    """People within sites: as many clusters as rows are no coarser column, so errors are clustered by site."""
    assert panel(rows(cluster=np.arange(90), cluster_name="person"), question()).cluster.tolist() == list(range(6))
    seven = rows(cluster_name="person")
    unit, _ = codes(seven)
    seven.cluster = unit.copy()
    seven.cluster[np.flatnonzero(unit == 2)[0]] = 6
    assert panel(seven, question()).cluster.tolist() == list(range(6))
    seven.cluster[seven.cluster == 6] = 5
    with pytest.raises(EstimationError, match="1 rows lie in another person"):
        panel(seven, question())


# Times


def test_numbers_dates_and_texts_are_told_as_the_data_write_them():
    plain = rows()
    numbers = panel(plain, question())
    months = ["2025-01", "2025-02", "2025-03", "2025-04"]
    began = plain.more["began"]
    texts = {
        "month": np.array([months[int(one)] for one in plain.more["month"]], dtype=object),
        "began": np.array(["" if math.isnan(one) else months[int(one)] for one in began], dtype=object),
    }
    dates = {
        "month": np.array([f"{one}-01" for one in texts["month"]], dtype="M8[ns]"),
        "began": np.array([f"{one}-01" if one else "NaT" for one in texts["began"]], dtype="M8[ns]"),
    }
    years = {
        "month": np.array([str(2020 + int(one)) for one in plain.more["month"]], dtype=object),
        "began": np.where(np.isnan(began), np.nan, began + 2020),
    }
    numbered = {
        "month": plain.more["month"] + 2020,
        "began": np.array(["" if math.isnan(one) else str(2020 + int(one)) for one in began], dtype=object),
    }
    halves = {name: plain.more[name] / 2 for name in ("month", "began")}
    for told, names in (
        (texts, months),
        (dates, [f"{one}-01" for one in months]),
        (years, ["2020", "2021", "2022", "2023"]),
        (numbered, ["2020", "2021", "2022", "2023"]),
        (halves, ["0", "0.5", "1", "1.5"]),
    ):
        plain.more = {**plain.more, **told}
        cells = panel(plain, question())
        assert cells.periods == tuple(names)
        assert np.array_equal(cells.rows, numbers.rows) and cells.start.tolist() == list(STARTS)
    for unit in ("s", "D"):
        coarse = {name: one.astype(f"M8[{unit}]") for name, one in dates.items()}
        plain.more = {**plain.more, **coarse}
        assert panel(plain, question()).periods[0] == "2025-01-01"


def test_units_that_are_numbers_have_their_names():
    sample = rows()
    unit, _ = codes(sample)
    sample.more["site"] = unit / 2
    assert panel(sample, question()).units == ("0", "0.5", "1", "1.5", "2", "2.5")


def test_a_start_between_or_before_the_times_is_the_next_of_them():
    sample = rows()
    sample.more["began"] = sample.more["began"] - 0.5
    assert panel(sample, question()).start.tolist() == list(STARTS)
    early = rows((0, 2, 2, 4, 4, 4))
    early.more["began"][early.more["began"] == 0] = -7
    assert panel(early, question()).start.tolist() == [0, 2, 2, 4, 4, 4]


@pytest.mark.parametrize(
    ("month", "began", "words"),
    [
        ("texts", "dates", r"here is dates beside texts\. Put a word"),
        ("dates", "texts", r"here is dates beside texts\."),
        ("odd", "texts", r"here is 'May 1'\."),
        ("texts", "odd", r"here is 'May 1'\."),
        ("many", "texts", r"here is 'May 1', 'May 2', 'May 3' and 1 more\."),
        ("numbers", "dates", "month and began are of two kinds"),
        ("dates", "numbers", "month and began are of two kinds"),
    ],
)
def test_times_of_two_kinds_are_refused(month, began, words):
    n = 8
    made = {
        "texts": np.array(["2025-01", "2025Q1", "2025-W12", "2025-03-04"] * 2, dtype=object),
        "dates": np.array(["2025-01-01"] * n, dtype="M8[ns]"),
        "odd": np.array(["2025-01", "May 1"] * 4, dtype=object),
        "many": np.array(["May 1", "May 2", "May 3", "May 4"] * 2, dtype=object),
        "numbers": np.arange(8.0),
    }
    with pytest.raises(EstimationError, match=f"'q': .*{words}"):
        room.clock(made[month], made[began], question().rollout, question())
    place, *_ = room.clock(made["texts"], made["texts"], question().rollout, question())
    assert len(set(place)) == 4


@pytest.mark.parametrize(
    "began", [np.full(90, np.nan), np.full(90, "", dtype=object), np.full(90, np.datetime64("NaT", "ns"))]
)
def test_where_nobody_starts_there_is_no_roll_out(began):
    sample = rows()
    sample.more["began"] = began
    with pytest.raises(EstimationError, match="'q': began is empty in every row: nobody starts"):
        panel(sample, question())


# Columns at odds


def test_units_with_two_starts_are_counted():
    sample = rows()
    unit, _ = codes(sample)
    for one in (1, 3):
        sample.more["began"][np.flatnonzero(unit == one)[0]] = 3
    with pytest.raises(
        EstimationError, match="'q': 2 of 6 values of site have more than one began; a unit starts once"
    ):
        panel(sample, question())


@pytest.mark.parametrize(("before", "after"), [(0, 3), (2, 0), (2, 3)])
def test_rows_whose_exposure_does_not_follow_the_start_are_counted(before, after):
    sample = rows()
    on = sample.exposure == 1
    sample.exposure[np.flatnonzero(on)[:after]] = 0
    sample.exposure[np.flatnonzero(~on)[:before]] = 1
    words = f"trained does not follow began: {before} rows have it before the start, and {after} lack it after"
    with pytest.raises(EstimationError, match=words):
        panel(sample, question())


def test_other_numbers_and_crossed_clusters_are_told_at_once():
    sample = rows(cluster=np.arange(90) % 2, cluster_name="team")
    sample.exposure = sample.exposure / 2
    with pytest.raises(
        EstimationError, match=r"2 problems:\n  1\. the exposure trained of a roll-out is 1 .*\n  2\. \d+ rows"
    ):
        panel(sample, question())


def test_without_a_roll_out_nothing_says_who_started_when():
    bare = Question(
        id="q",
        title="?",
        claim="PRA-2",
        exposure="trained",
        smallest_effect=1,
        outcome={"column": "y", "kind": "score"},
    )
    with pytest.raises(EstimationError, match="'q' has no `rollout`"):
        panel(rows(), bare)


# What a row is worth, and in which unit


def test_rows_are_worth_their_rate_their_top_answer_or_themselves():
    sample = rows(weights=np.random.default_rng(7).uniform(1, 2, 90))
    sample.outcome = np.random.default_rng(8).integers(0, 3, 90).astype(float)
    sample.levels, sample.level_values, sample.level_codes = ("no", "so", "yes"), (0.0, 1.0, 10.0), ("0", "1", "10")
    worth, mass = room.told(sample, question())
    assert np.array_equal(worth, sample.outcome) and np.array_equal(mass, sample.weights)
    worth, mass = room.told(sample, question("ordered", top=["yes"]))
    assert np.array_equal(worth, sample.outcome == 2) and np.array_equal(mass, sample.weights)
    worth, _ = room.told(sample, question("ordered", nps=True))
    assert np.array_equal(worth, np.array([-100.0, -100, 100])[sample.outcome.astype(int)])
    assert np.array_equal(room.told(sample, question("counts"))[0], sample.outcome)
    sample.offset_time = np.random.default_rng(9).uniform(1, 4, 90)
    worth, mass = room.told(sample, question("counts", time="t"))
    assert worth * sample.offset_time == pytest.approx(sample.outcome)
    assert mass == pytest.approx(sample.weights * sample.offset_time)
    # events over time of a cell are its rate
    unit, time = codes(sample)
    sample.weights = None
    cells = panel(sample, question("counts", time="t"))
    here = (unit == 1) & (time == 1)
    assert cells.values[0, 1, 1] == pytest.approx(sample.outcome[here].sum() / sample.offset_time[here].sum())
    assert (room.told(sample, question())[1] == 1).all()


@pytest.mark.parametrize(
    ("asked", "unit"),
    [
        (question(), "points"),
        (question(unit="night"), "night"),
        (question("counts"), "events per person"),
        (question("counts", unit="fall"), "fall"),
        (question("yes_no"), "probability"),
        (question("ordered", top=["2"]), "probability"),
        (question("ordered", nps=True), "NPS points"),
    ],
)
def test_the_unit_is_that_of_the_mean(asked, unit):
    assert room.unit_of(asked, rows()) == unit
