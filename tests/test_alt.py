"""What a figure tells those who cannot see it: the numbers that are drawn, and no others."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from drawings import KINDS, circles, number, scale, words

# For each kind: the columns of its data of which every number is told (None: some of all numbers are told; none: what
# the words say of all numbers together), times what they are multiplied by on the page, and what the words may hold
# beside them: how many there are, the level, the limits of what is too small to matter, the year in a label.
TOLD = {
    "forest": (("estimate", "low", "high"), 1, (95, -2, 2, 2019)),
    "ratios": (("estimate", "low", "high"), 1, (95, 0.9, 1.1, 2019)),
    "specifications": (None, 1, (2019,)),
    "dose": (("exposure", "mean"), 1, (2019,)),
    "distribution": (None, 1, (2019, 135)),
    "curves": (None, 100, (10,)),
    "bent": (None, 1, ()),
    "sensitivity": (None, 1, (0.3, 2019)),
    "since": (("since the start", "estimate", "low", "high"), 1, (0,)),
    "plane": ((), 1, ()),
    "calibration": (("forecast", "came"), 100, ()),
    "course": ((), 1, (12, 8)),
    "at_limit": ((), 1, (20, 70, 5.1, 5.8)),
    "many": ((), 1, (20, 1.05)),
    "cloud": ((), 1, (120,)),
    "paths": (None, 1, (2019,)),
    "funnel": (None, 1, (6, 2019)),
    "chart": (None, 1, (16, 9)),
}


def numbers(text):
    """(value, decimals) of each number in a text; dates and names of scales are none."""
    plain = re.sub(r"\d{4}-\d\d|95 %", "", text).replace("−", "-")
    for found in re.findall(r"(?<![\w.])[+-]?\d[\d,]*(?:\.\d+)?", plain):
        told = found.replace(",", "")
        yield float(told), len(told.partition(".")[2])


def within(value, decimals, known):
    return any(math.isfinite(one) and abs(value - one) <= 0.5 * 10.0**-decimals + 1e-9 for one in known)


def derived(kind, data):
    """What the words say of all of the numbers, worked out here once more."""
    if kind == "specifications":
        ways = data.loc[~data["alternative"], "estimate"]
        return [ways.min(), ways.max(), (ways > 0).sum(), len(ways)]
    if kind == "distribution":
        values = np.repeat([0, 1, 2], [40, 62, 33])
        return [values.mean(), values.std(ddof=1)]
    if kind == "sensitivity":
        return [np.interp(0, -data["estimate"], data["value"])]
    if kind == "course":
        return [data[who][rows].mean() for who in ("treated", "others") for rows in (slice(0, 8), slice(8, None))]
    if kind == "many":
        return [((data["low"] <= 1.05) & (data["high"] >= 1.05)).sum()]
    if kind == "cloud":
        parts = [data, *(rows for _, rows in data.groupby("group"))]
        return [np.polyfit(rows["x"], rows["y"], 1)[0] for rows in parts]
    if kind == "plane":
        return [0.5, 1.2, *data.min(), *data.max()]
    if kind == "funnel":
        return [data["estimate"].min(), data["estimate"].max(), (data["low"] + data["high"]).mean() / 2]
    if kind == "chart":
        return [(data["lower limit"] + data["upper limit"]).mean() / 2, 3]
    return []


@pytest.mark.parametrize("kind", KINDS)
def test_no_number_is_told_that_is_not_in_the_figure(kind):
    figure = KINDS[kind]()
    columns, times, beside = TOLD[kind]
    plotted = (figure.data.select_dtypes("number").to_numpy(float) * times).ravel().tolist() if columns != () else []
    known = [*plotted, *beside, *map(float, derived(kind, figure.data))]
    told = list(numbers(figure.alt))
    assert told
    assert [value for value, decimals in told if not within(value, decimals, known)] == []


@pytest.mark.parametrize("kind", [kind for kind, (columns, *_) in TOLD.items() if columns])
def test_every_number_that_carries_the_figure_is_told(kind):
    figure = KINDS[kind]()
    columns, times, _ = TOLD[kind]
    told = [value for value, _ in numbers(figure.alt)]
    for column in columns:
        for value in figure.data[column].dropna() * times:
            assert any(abs(value - one) <= 0.051 * max(1.0, abs(value)) for one in told), (column, value)


DRAWN = {  # where the round marks stand: along (0) or up (1), and the column they stand for
    "forest": (0, "estimate", 1),
    "dose": (1, "mean", 1),
    "since": (1, "estimate", 1),
    "calibration": (1, "came", 100),
    "at_limit": (1, "mean", 1),
    "cloud": (1, "y", 1),
    "many": (0, "estimate", 1),
}


@pytest.mark.parametrize("kind", DRAWN)
def test_marks_stand_where_the_numbers_are(kind):
    figure = KINDS[kind]()
    way, column, times = DRAWN[kind]
    value = scale(figure.svg, way)
    found = sorted(value(at[way]) for at in circles(figure.svg))
    wanted = sorted(figure.data[column] * times)
    assert len(found) == len(wanted)
    assert found == pytest.approx(wanted, abs=0.004 * (max(wanted) - min(wanted)))


def test_each_mean_is_written_beside_its_mark():
    figure = KINDS["dose"]()
    told = [value for one in words(figure.svg) if (value := number(one.text)) is not None]
    assert all(min(abs(mean - value) for value in told) < 0.05 for mean in figure.data["mean"])
