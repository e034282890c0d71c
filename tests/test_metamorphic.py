"""Where nobody knows the right answer, it is known how it moves: with the rows in another order, in other units, beside
noise, from everybody twice, and with the sides exchanged."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_bad_input import KINDS, visits, write

from researchkit.dataset import load_dataset
from researchkit.estimators import estimate
from researchkit.study import load_study

PARTS = ("estimate", "se", "low", "high")
TIMED = ("counts", "duration", "competing")  # kinds whose headline is in units of time, or per unit of it
SAME = 1e-9
FITTED = 1e-5  # of models that are fitted step by step, in which another unit ends elsewhere in the last digits


def effect(folder, kind, frame, *, clusters="ward", say=()):
    write(folder, frame, kind, clusters=clusters)
    path = folder / "study.yml"
    text = path.read_text(encoding="utf-8")
    for old, new in say:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    study = load_study(folder)
    return estimate(load_dataset(study), study.question("q"))


@cache
def clean(kind: str) -> pd.DataFrame:
    return visits(kind, 240)


@pytest.fixture
def plain(tmp_path, kind):
    return effect(tmp_path, kind, clean(kind).copy())


pytestmark = pytest.mark.parametrize("kind", KINDS)


def values(found, sign=1.0):
    one = [sign * getattr(found, part) for part in PARTS]
    return [one[0], abs(one[1]), *sorted(one[2:])]


def test_another_order_of_the_rows(tmp_path, kind, plain):
    moved = effect(tmp_path, kind, clean(kind).sample(frac=1, random_state=4))
    assert values(moved) == pytest.approx(values(plain), rel=SAME, abs=SAME)


def test_other_columns_in_another_order(tmp_path, kind, plain):
    moved = effect(tmp_path, kind, clean(kind), say=[("[severity, twin]", "[twin, severity]")])
    assert values(moved) == pytest.approx(values(plain), rel=FITTED, abs=SAME)


def test_another_unit_of_what_is_adjusted_for(tmp_path, kind, plain):
    moved = effect(tmp_path, kind, clean(kind).assign(severity=lambda frame: 1000 * frame["severity"] - 30))
    assert values(moved) == pytest.approx(values(plain), rel=FITTED, abs=1e-7)


def test_another_unit_of_the_exposure(tmp_path, kind):
    frame = clean(kind).assign(kindness=lambda one: (one["kindness"] + np.linspace(0, 0.9, len(one))).round(3))
    usual = effect(tmp_path, kind, frame)
    tens = frame.assign(kindness=(10 * frame["kindness"]).round(2))
    moved = effect(tmp_path, kind, tens, say=[("exposure: kindness", "exposure: {column: kindness, per: 10}")])
    assert values(moved) == pytest.approx(values(usual), rel=FITTED, abs=1e-7)


def test_another_unit_of_the_outcome(tmp_path, kind, plain):
    """Points by ten, days for weeks; shares and net promoter scores have no other unit."""
    frame, factor, say = clean(kind).copy(), 1.0, []
    if kind in ("score", "change"):
        frame[["y", "before"]] *= 10
        factor, say = 10.0, [("range: [-50, 50]", "range: [-500, 500]")]
    elif kind == "counts":
        frame["span"] *= 12
        factor = 1 / 12
    elif kind in TIMED:
        frame["y"] *= 7
        factor, say = 7.0, [("horizon: 8", "horizon: 56")]
    else:
        pytest.skip("a share of people has one unit")
    moved = effect(tmp_path, kind, frame, say=say)
    assert values(moved) == pytest.approx([factor * value for value in values(plain)], rel=FITTED)


def test_a_covariate_of_noise(tmp_path, kind, plain):
    without = effect(tmp_path, kind, clean(kind), say=[("[severity, twin]", "[severity]")])
    assert plain.low < without.estimate < plain.high
    assert abs(plain.estimate - without.estimate) < plain.se / 2
    assert plain.se == pytest.approx(without.se, rel=0.25)


def tied(kind: str) -> float:
    """How near the estimate of everybody twice is: Efron's way with ties is good, not exact, and then all are tied."""
    return 0.01 if kind in ("duration", "competing") else FITTED


def test_everybody_twice_where_rows_stand_alone(tmp_path, kind):
    frame = clean(kind)
    once = effect(tmp_path, kind, frame, clusters="")
    twice = effect(tmp_path, kind, pd.concat([frame, frame]), clusters="")
    assert twice.estimate == pytest.approx(once.estimate, rel=tied(kind), abs=1e-7)
    assert twice.se == pytest.approx(once.se / math.sqrt(2), rel=0.04)  # HC2 and HC3 allow for the rows' own leverage


def test_everybody_twice_within_the_same_groups(tmp_path, kind, plain):
    """Who repeats what the ward has said says nothing new."""
    frame = clean(kind)
    twice = effect(tmp_path, kind, pd.concat([frame, frame]))
    assert twice.estimate == pytest.approx(plain.estimate, rel=tied(kind), abs=1e-7)
    assert twice.se == pytest.approx(plain.se, rel=0.02)


def test_the_sides_exchanged(tmp_path, kind, plain):
    moved = effect(tmp_path, kind, clean(kind).assign(kindness=lambda frame: 1 - frame["kindness"]))
    assert values(moved, -1) == pytest.approx(values(plain), rel=FITTED, abs=1e-7)


def test_good_and_bad_exchanged(tmp_path, kind, plain):
    frame, say = clean(kind).copy(), []
    if kind in ("score", "change"):
        frame[["y", "before"]] *= -1
    elif kind == "yes_no":
        frame["y"] = 1 - frame["y"]
    elif kind == "ordered":  # of four answers turned round, the lowest three are the top group
        frame["y"] = 5 - frame["y"]
        say = [("top: [4]", "top: [2, 3, 4]")]
    else:
        pytest.skip("times, counts and promoters have no other side")
    moved = effect(tmp_path, kind, frame, say=say)
    assert values(moved, -1) == pytest.approx(values(plain), rel=FITTED, abs=1e-7)


@pytest.mark.attack
@settings(max_examples=40, deadline=None, database=None)
@given(seed=st.integers(0, 10**6))
def test_another_order_and_the_sides_exchanged_at_length(kind, tmp_path_factory, seed):
    rng, folder = np.random.default_rng(seed), tmp_path_factory.mktemp("many")
    frame = visits(kind, 160)
    frame["severity"] = rng.normal(size=160)
    frame["kindness"] = rng.integers(0, 2, 160)
    usual = effect(folder, kind, frame)
    moved = effect(folder, kind, frame.sample(frac=1, random_state=seed))
    assert values(moved) == pytest.approx(values(usual), rel=1e-7, abs=1e-9)
    turned = effect(folder, kind, frame.assign(kindness=1 - frame["kindness"]))
    assert values(turned, -1) == pytest.approx(values(usual), rel=FITTED, abs=1e-7)
