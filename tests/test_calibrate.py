"""A few studies of every cell of the calibration, and the run that makes them all."""

from __future__ import annotations

import html
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import stats

from researchkit import site
from researchkit.calibrate import cells, designs, limits, page, run, studies, tell, tried
from researchkit.calibrate.__main__ import main
from researchkit.calibrate.cells import grid
from researchkit.estimators import estimate_sample

ALL = grid()
FIRST = tell.FIRST


@cache
def again(cell):
    """The first studies of a cell under the estimator's own errors; None for those refused."""
    made = []
    for number in range(FIRST):
        drawn = studies.study(cell, number)
        try:
            effect = estimate_sample(drawn.sample, studies.question(cell.kind))
        except run.EstimationError:
            made.append(None)
            continue
        made.append((effect.estimate, effect.se, effect.low <= drawn.truth <= effect.high, effect.low, effect.high))
    return made


def test_every_kind_meets_every_factor():
    for kind in cells.KINDS:
        mine = [cell for cell in ALL if cell.kind == kind]
        assert {cell.clusters for cell in mine} == {0, 8, 20, 60}
        assert {cell.exposure for cell in mine} == {"half", "few", "number"}
        assert {cell.across for cell in mine} == {"", "within", "between"}
        assert {cell.shape == "plain" for cell in mine} == {bool(cell.effect) for cell in mine} == {True, False}
        assert len({cell.n for cell in mine if not cell.clusters}) >= 4


# A small version of every cell


@pytest.mark.parametrize("kind", list(cells.KINDS))
def test_intervals_hold_the_truth(kind):
    """No cell is so low that it would come out of its band once in 100,000 times, and all together are near 95 %."""
    mine = [cell for cell in ALL if cell.kind == kind]  # the others are made by the workers that test them
    inside = [made[2] for cell in mine for made in again(cell) if made]
    assert stats.binom.cdf(sum(inside), len(inside), 0.94) > 1e-3
    assert stats.binom.sf(sum(inside) - 1, len(inside), 0.975) > 1e-3
    for cell in mine:
        if held := [made[2] for made in again(cell) if made]:
            assert stats.binom.cdf(sum(held), len(held), 0.91) > 1e-5, cell.id


@pytest.mark.parametrize("kind", list(cells.KINDS))
def test_half_the_standard_error_would_be_noticed(kind):
    """The bound of the test before, on intervals of half the width."""
    inside = []
    for cell in (cell for cell in ALL if cell.kind == kind):
        for number, made in enumerate(again(cell)):
            if made:
                estimate, _, _, low, high = made
                truth = studies.study(cell, number).truth
                inside.append((low + estimate) / 2 <= truth <= (high + estimate) / 2)
    assert stats.binom.cdf(sum(inside), len(inside), 0.94) < 1e-12


# What a study is drawn from


def test_a_study_is_the_same_whenever_it_is_drawn():
    cell = grid("yes_no-n240-c8-within-half")[0]
    one, _, other = (studies.study(cell, number) for number in (7, 8, 7))
    assert np.array_equal(one.sample.outcome, other.sample.outcome) and one.truth == other.truth
    assert not np.array_equal(one.sample.outcome, studies.study(cell, 8).sample.outcome)


def test_the_luck_of_a_cluster_is_shared_and_nobody_elses():
    cell = grid("score-n600-c60-between-half-plain")[0]
    own, others = [], []
    for number in range(60):
        drawn = studies.study(cell, number).sample
        errors = drawn.outcome - 0.4 * drawn.covariates[:, 0] - cell.effect * drawn.exposure
        sums, squares, size = (np.bincount(drawn.cluster, weights=w) for w in (errors, errors**2, np.ones(600)))
        own.append(np.sum(sums**2 - squares) / np.sum(size**2 - size))
        others.append((errors.sum() ** 2 - np.sum(sums**2)) / (600**2 - np.sum(size**2)))
    assert np.mean(own) == pytest.approx(studies.ALIKE, abs=0.02)
    assert np.mean(others) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("pattern", ["n240-c8-between-half-plain", "n400-c20-between-few", "n600-c60-between-few"])
def test_clusters_are_of_unequal_size_and_the_exposure_lies_between_them(pattern):
    cell = grid(f"^score-{pattern}")[0]
    for number in range(20):
        drawn = studies.study(cell, number).sample
        sizes = np.bincount(drawn.cluster)
        assert len(sizes) == cell.clusters and sizes.min() >= 1 and sizes.sum() == cell.n
        assert sizes.max() >= 5 * sizes.min()
        by_cluster = [set(drawn.exposure[drawn.cluster == code]) for code in range(cell.clusters)]
        assert all(len(values) == 1 for values in by_cluster)
        share = 2 if cell.exposure == "half" else 4
        assert sum(values == {1.0} for values in by_cluster) == cell.clusters // share


@pytest.mark.parametrize("kind", list(cells.KINDS))
@pytest.mark.parametrize("exposure", ["half", "number"])
def test_the_truth_is_what_a_very_large_study_finds(kind, exposure):
    cell = cells.Cell(kind, 40_000, 0, "", exposure, "plain", 0.6)
    drawn = studies.study(cell, 1)
    effect = estimate_sample(drawn.sample, studies.question(kind))
    assert effect.estimate == pytest.approx(drawn.truth, abs=4 * effect.se)
    assert abs(drawn.truth) > 10 * effect.se


@pytest.mark.parametrize("shape", ["skewed", "uneven", "heavy"])
def test_errors_have_mean_0_whatever_their_shape(shape):
    cell = cells.Cell("score", 400_000, 0, "", "half", shape, 0.0)
    drawn = studies.study(cell, 1).sample
    errors = drawn.outcome - 0.4 * drawn.covariates[:, 0]
    for arm in (0, 1):
        of_arm = errors[drawn.exposure == arm]
        assert of_arm.mean() == pytest.approx(0, abs=0.02)
        assert of_arm.std() == pytest.approx(np.exp(studies.FANS_OUT.get(shape, 0) * arm), rel=0.05)
    skewness = {"skewed": 2.26, "uneven": 0, "heavy": 6.18}[shape]
    assert stats.skew(errors[drawn.exposure == 0]) == pytest.approx(skewness, abs=0.2 + 0.15 * skewness)


def test_counts_are_quantiles_of_their_poisson():
    mean, luck = np.random.default_rng(1).gamma(2, 2, 500), np.random.default_rng(2).random(500)
    assert np.array_equal(studies._poisson(mean, luck), stats.poisson.ppf(luck, mean))


@pytest.mark.parametrize("shape", [0.7, 1.0])
def test_the_mean_time_is_an_area(shape):
    grid_of_time = np.linspace(0, 1, 200_001)
    for hazard in (0.05, 1.0, 4.0):
        area = np.trapezoid(np.exp(-hazard * grid_of_time**shape), grid_of_time)
        assert studies._mean_time(np.array([hazard]), shape)[0] == pytest.approx(area, rel=1e-5)


# The run: kept, resumed, the same by any number of workers

FEW = ["--cells", "^(score|yes_no)-n60-c0-half-plain", "--studies", "300", "--closer", "300", "--closest", "300"]


def calibrate(folder, out, *more):
    return [sys.executable, "-m", "researchkit.calibrate", *FEW, "--folder", str(folder), "--out", str(out), *more]


def test_a_killed_run_goes_on_and_comes_to_the_same(tmp_path, capsys, monkeypatch):
    """Killed without warning, its last line cut off, then run again by two workers: as if nothing had been."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert main([*FEW, "--folder", str(whole), "--out", str(tmp_path / "one.csv"), "--jobs", "1"]) == 0
    began = subprocess.Popen(calibrate(broken, tmp_path / "two.csv", "--jobs", "1"), stdout=subprocess.DEVNULL)
    score_file = broken / f"{grid(FEW[1])[0].id}.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (score_file.is_file() and score_file.read_text().count("\n") >= 1):
        time.sleep(0.005)
    began.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    began.wait()
    assert not (tmp_path / "two.csv").exists()
    text = score_file.read_text()
    score_file.write_text(text + text.splitlines()[0][:1000])
    made = text.count("\n")
    done = []
    monkeypatch.delattr(os, "fork", raising=False)  # where threads run, a fork may hang
    list(run.run(grid(FEW[1]), broken, studies=300, closer=300, closest=300, jobs=2, done=done.append))
    assert done[0] == 100 * (made + sum(path.read_text().count("\n") for path in broken.glob("yes_no*.old")))
    assert main([*FEW, "--folder", str(broken), "--out", str(tmp_path / "two.csv"), "--jobs", "2"]) == 0
    assert (tmp_path / "one.csv").read_text() == (tmp_path / "two.csv").read_text()
    assert "holds" in capsys.readouterr().out


def test_what_is_kept_is_not_made_again_and_what_other_code_made_is(tmp_path, monkeypatch):
    few = grid("^score-n60-c0-half-plain")
    (first,) = run.run(few, tmp_path, studies=200, closer=200, closest=200)
    made = []
    monkeypatch.setattr(run, "outcome", lambda cell, number: made.append(number) or {"why": "not again"})
    (second,) = run.run(few, tmp_path, studies=200, closer=200, closest=200)
    assert second == first and made == []
    monkeypatch.setattr(run, "fingerprint", lambda: "other code")
    (third,) = run.run(few, tmp_path, studies=200, closer=200, closest=200)
    assert made == list(range(200)) and third[0].answered == 0 and third[0].judged == "refused"
    assert (tmp_path / f"{few[0].id}.jsonl").read_text().count("\n") == 2


def test_only_what_is_close_to_an_edge_gets_more_studies(tmp_path, monkeypatch):
    far, close, closest = grid("^score-n(60-c0-half-plain|60-c0-number-plain|120-c0-number-plain)")
    inside = {far: 950, close: 940, closest: 933}

    def made(cell, number):
        held = number % 1000 < inside[cell]
        return {"own": [0.0, 1.0, -1.0, 1.0, 0.5, 10.0, 0.0 if held else 5.0, "HC3", ""]}

    monkeypatch.setattr(run, "outcome", made)
    stages = {"studies": 2000, "closer": 3000, "closest": 4000}
    found = {rows[0].cell: rows[0] for rows in run.run([far, close, closest], tmp_path, **stages)}
    assert {cell: found[cell.id].studies for cell in inside} == {far: 2000, close: 3000, closest: 4000}
    assert found[close.id].coverage == pytest.approx(0.94) and found[close.id].below == pytest.approx(0.06)


def test_the_command_ends_otherwise_where_a_cell_misses(tmp_path, monkeypatch, capsys):
    (cell,) = grid("^score-n60-c0-half-plain")
    few = ["--cells", cell.id, "--studies", "200", "--closer", "200", "--closest", "200"]
    for place, (inside, warns, code) in enumerate(((190, "", 0), (150, "", 1), (150, "few events", 0))):

        def made(cell, number, inside=inside, warns=warns):
            return {"own": [0.0, 1.0, -1.0, 1.0, 0.5, 10.0, 0.0 if number < inside else 5.0, "HC3", warns]}

        monkeypatch.setattr(run, "outcome", made)
        assert main([*few, "--jobs", "1", "--folder", str(tmp_path / str(place))]) == code
        assert (f"misses: {cell.id}" in capsys.readouterr().out) == bool(code)


def test_a_pattern_that_no_cell_has_is_told(capsys):
    assert main(["--cells", "nothing such"]) == 2
    assert "such as score-n60-c0-half-plain-zero" in capsys.readouterr().err


# What is told of a cell


def outcomes(number, held, p=0.5, name="HC3", warns=""):
    return [
        {"own": [0.1, 1.0, -1.0, 1.2, p, None, 0.0 if place < held else -3.0, name, warns]} for place in range(number)
    ]


def test_a_row_counts_what_it_says():
    cell = grid("^score-n60-c0-half-skewed")[0]
    refused = [{"why": f"only {k} people came. Collect more data."} for k in (3, 4)] + [{"why": "something else"}]
    (row,) = tell.told(cell, [*outcomes(40, 38, p=0.01), *refused])
    assert (row.studies, row.answered, row.coverage, row.above, row.below) == (43, 40, 0.95, pytest.approx(0.05), 0)
    assert row.reason == "only so many people came" and row.found == 1 and row.df == math.inf
    assert row.bias == pytest.approx(0.1 + 0.05 * 3) and row.error == pytest.approx(math.sqrt(0.95 * 0.05 / 40))
    assert row.judged == "holds" and row.refused == pytest.approx(3 / 43)


@pytest.mark.parametrize(
    ("clusters", "held", "judged"),
    [
        (0, 934, "misses"),
        (0, 936, "holds"),
        (0, 966, "misses"),
        (8, 934, "holds"),
        (8, 924, "misses"),
        (20, 934, "misses"),
    ],
)
def test_the_band_is_wider_with_few_clusters(clusters, held, judged):
    cell = replace(grid("^score-n60-c0-half-plain")[0], clusters=clusters)
    assert tell.told(cell, outcomes(1000, held))[0].judged == judged


def test_power_is_set_against_the_design_figures():
    cell = grid("^score-n60-c0-half-skewed")[0]
    made = [{"own": [2.8, 1.0, 0.8, 4.8, 0.01, None, 2.8015852, "HC3", ""]} for _ in range(50)]
    assert tell.told(cell, made)[0].predicted == pytest.approx(0.8, abs=1e-4)


def test_an_answer_warns_where_its_interval_is_rough():
    seen = set()
    for number in range(20):
        rare = studies.study(grid("^yes_no-n400-c0-few-rare")[0], number).sample
        sides = [rare.outcome[rare.exposure == arm].sum() for arm in (0, 1)]
        few = sum(sides) < 25 or min(sides) < 10
        notes = estimate_sample(rare, studies.question("yes_no")).notes
        assert limits.warning(notes) == ("few events" if few else ""), number
        seen.add(few)
    assert True in seen
    heavy = studies.study(grid("^score-n1000-c0-few-heavy")[0], 3)
    assert limits.warning(estimate_sample(heavy.sample, studies.question("score")).notes) == "very skewed"
    plain = studies.study(grid("^score-n60-c0-half-plain")[0], 0)
    assert limits.warning(estimate_sample(plain.sample, studies.question("score")).notes) == ""


# The kept results, and what is printed of them


KEPT = {row.cell: row for row in tell.read() if row.default}


def test_the_kept_results_are_of_every_cell_and_of_no_other():
    assert list(KEPT) == [cell.id for cell in ALL]
    assert min(row.studies for row in KEPT.values()) >= run.STUDIES
    for cell in ALL:
        row = KEPT[cell.id]
        assert (row.n, row.clusters, row.effect) == (cell.n, cell.clusters, cell.effect)
        assert not row.near or row.studies >= run.CLOSER, f"{cell.id} is too close to tell"


@pytest.mark.parametrize("kind", list(cells.KINDS))
def test_the_kept_results_are_what_this_code_finds(kind):
    """The first studies of each cell, made again, have the mean estimate and error that the table has kept."""
    for cell in ALL:
        if cell.kind == kind and (made := [one for one in again(cell) if one]):
            row = KEPT[cell.id]
            assert np.mean([one[0] for one in made]) == pytest.approx(row.first_estimate, rel=1e-6, abs=1e-8), cell.id
            assert np.mean([one[1] for one in made]) == pytest.approx(row.first_se, rel=1e-6), cell.id


def test_every_cell_holds_or_its_answers_say_that_they_do_not():
    missed = [cell for cell, row in KEPT.items() if page.standing(row) == "misses"]
    assert not missed, missed


def test_the_map_of_the_house_has_the_table(root):
    table = page.markdown(page.summary(tell.read()))
    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert table in text, table
    assert page.note(tell.read()) in " ".join(text.split()), page.note(tell.read())


def test_the_page_shows_every_cell(tmp_path):
    site.write_index(tmp_path)
    text = (tmp_path / "calibration.html").read_text(encoding="utf-8")
    assert (
        text.count("<tr>") == len(ALL) + len(cells.KINDS) * 2 + 1
    )  # a header a kind, a summary line a kind, its header
    assert 'href="calibration.html"' in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert text.count("<svg") == sum(row.answered > 0 for row in KEPT.values()) + len(tried.read())


def test_a_miss_is_beyond_only_where_most_answers_warn():
    cell = grid("^score-n60-c0-half-skewed")[0]
    for warned, standing in ((60, "beyond"), (40, "misses")):
        made = outcomes(1000, 900)
        for one in made[: 10 * warned]:
            one["own"][8] = "few events"
        (row,) = tell.told(cell, made)
        assert page.standing(row) == standing
    (row,) = tell.told(cell, outcomes(1000, 950, warns="few events"))
    assert page.standing(row) == "holds"


# Designs of their own


def test_every_design_holds_the_truth_in_a_few_studies_of_its_first_situation():
    """Few studies here, so that only a gross failure shows: 4 standard errors; `designs.csv` has many."""
    first = {}
    for part in designs.parts():
        first.setdefault(part.design, part)
    assert {"mechanism", "subgroup", "dose", "rollout", "series", "limit", "mix", "within"} <= set(first)
    assert {"detection", "tradeoff", "recovery", "contagion", "halves"} <= set(first)
    for design, part in first.items():
        for row in part.run(6 if design in designs.PEERS else 25):
            assert row.studies and abs(row.held - 0.95) <= 4 * math.sqrt(0.95 * 0.05 / row.studies), row


def test_the_kept_designs_are_those_that_are_tried():
    kept = tried.read()
    made = [(row.design, row.situation) for part in designs.parts() for row in part.run(1)]
    assert [(row.design, row.situation) for row in kept] == made and len(set(made)) == len(made)
    assert not [row for row in kept if row.misses]


def test_the_page_shows_every_design(tmp_path):
    site.write_index(tmp_path)
    text = (tmp_path / "calibration.html").read_text(encoding="utf-8")
    kept = tried.read()
    assert text.count('<tr class="tried">') == len(kept) > 0
    for row in kept:
        assert f'<th scope="row">{html.escape(row.situation)}' in text, row


def test_a_share_has_wilsons_limits():
    """R: prop.test(190, 200, correct = FALSE)."""
    assert tried.wilson(190, 200) == pytest.approx((0.910421852, 0.972617354), abs=1e-9)
    assert tried.wilson(200, 200)[1] == 1.0
    narrow, wide = tried.tried("limit", "?", 1000, 910), tried.tried("limit", "?", 1000, 990)
    assert narrow.standing == "narrow" and narrow.misses and wide.standing == "wide" and not wide.misses
    assert tried.tried("limit", "?", 0, 0).low == 0.0


def test_what_was_tried_is_read_as_it_was_written(tmp_path):
    rows = (tried.tried("mix", "a, b", 300, 287), tried.tried("within", "x", 40, 40))
    tried.write(rows, tmp_path / "designs.csv")
    assert tried.read(tmp_path / "designs.csv") == rows and tried.read(tmp_path / "none.csv") == ()
