"""Every kind of figure, drawn from numbers that several tests know; and what its SVG holds, read back."""

from __future__ import annotations

import math
import re
from types import SimpleNamespace
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
import pandas as pd

from researchkit import figures
from researchkit.figures import Curve, letters
from researchkit.groups import Groups, Point
from researchkit.groups import chart as charted
from researchkit.groups import funnel as funnelled

LONG = "A label that goes on for longer than anybody would like, with every word that an author could think of (2019)"
SVG = "{http://www.w3.org/2000/svg}"
RNG = np.random.default_rng(7)


class Study(SimpleNamespace):
    def label(self, name):
        return self.labels.get(name, name)


def sampled(outcome, exposure, **more):
    """A dataset that holds one sample."""
    everybody = np.ones(len(exposure), dtype=bool)
    facts = {"binary_exposure": False, "level_values": (), "offset_time": None, "weights": None, "arms": None}
    facts |= {"person": None, "compared": lambda _: everybody, "heads": lambda rows: int(rows.sum()), "cluster": None}
    sample = SimpleNamespace(outcome=np.array(outcome, float), exposure=np.array(exposure, float), **(facts | more))
    return SimpleNamespace(study=Study(labels={}, columns={}, disclosure="none"), sample=lambda _: sample)


def asked(label):
    outcome = SimpleNamespace(column="score", kind="score", unit="points", label=label)
    exposure = SimpleNamespace(column="compassion", label=label, per=1.0, reference=None, level=None)
    return SimpleNamespace(id="q", outcome=outcome, exposure=exposure, smallest_effect=0.5)


def grouped(estimates, errors, names, column):
    points = tuple(
        Point(name, value, se, value - 2 * se, value + 2 * se, None, 500, "supported", f"{column}={name}/r.html", "")
        for name, value, se in zip(names, estimates, errors, strict=True)
    )
    return Groups("c", "Centre", "stay", "Do they?", column, column, "point", "kindness +1 point", 0.95, 0.5, True, points, None, 1)  # fmt: skip


def _sites(names):
    found = grouped([1.0, 1.4, 0.6, 1.2, 6.0, 0.9], [0.5, 0.4, 0.6, 0.3, 0.4, 0.7], names, "site")
    return figures.funnel(found, funnelled(found))


def _months():
    values = [2.0, 2.4, 1.7, 2.2, 2.6, 1.9, 2.1, 2.3, 1.8, 2.0, 2.5, 2.2, 2.1, 9.5, 1.9, 2.2]
    found = grouped(values, [0.9] * 16, [f"{2024 + at // 12}-{at % 12 + 1:02d}" for at in range(16)], "month")
    return figures.chart(found, charted(found, np.random.default_rng(1)))


def _cloud(labels):
    x = RNG.normal(size=120)
    points = pd.DataFrame({"x": x, "y": 0.5 * x + RNG.normal(size=120), "group": np.repeat(labels, 60)})
    return figures.cloud(points, title="T", labels=("Compassion", "Satisfaction"), whole="everybody together")


def _course():
    data = pd.DataFrame({"time": [f"2025-{at:02d}" for at in range(1, 13)], "treated": np.linspace(3, 5.5, 12)})
    return figures.course(
        data.assign(others=np.linspace(3.1, 5.4, 12)), 8, name="n", title="T", unit="points", time=LONG
    )


def _bent():
    at = np.linspace(0, 10, 21)
    data = pd.DataFrame({"dose": at, "mean": at * 0.3, "low": at * 0.3 - 0.2, "high": at * 0.3 + 0.2})
    return figures.bent(data, [2.0, 8.0], name="n", title="Strain", unit="points", dose="Hours")


ROWS = [("Adjusted", 3.1, 2.3, 3.9), (LONG, 5.25, 4.0, 6.5)]
KINDS = {
    "forest": lambda: figures.forest(ROWS, unit="points", band=(-2.0, 2.0), highlight=0),
    "ratios": lambda: figures.forest(
        [("This", 1.4, 0.8, 2.2), (LONG, 0.6, 0.3, 1.2)], unit="odds ratio", null=1.0, band=(0.9, 1.1)
    ),
    "specifications": lambda: figures.specifications(
        [("a", 3.0, 2.0, 4.0), ("b", -1.0, -2.0, 0.5), ("c", 2.0, 1.0, 3.0)],
        planned=0,
        alternatives=[("No phone", 2.5, 1.5, 3.5), (LONG, 5.0, 1.0, 9.0)],
        unit="days",
        band=(-0.5, 0.5),
    ),
    "dose": lambda: figures.dose(sampled([1.0, 2.0, 3.0, 4.0] * 5 + [2.0, 4.0] * 10, [1] * 20 + [2] * 20), asked(LONG)),
    "distribution": lambda: figures.distribution([0] * 40 + [1] * 62 + [2] * 33, LONG),
    "curves": lambda: figures.curves(
        [
            Curve(LONG[:40], [1, 5, 9], [0.9, 0.5, 0.2], [0.8, 0.4, 0.1], [1.0, 0.6, 0.3], [100, 50, 40]),
            Curve("usual", [1, 5, 9], [0.9, 0.5, 0.21], [0.8, 0.4, 0.1], [1.0, 0.6, 0.3], [90, 45, 31]),
        ],
        horizon=10,
        unit="days",
        title="T",
    ),
    "bent": _bent,
    "sensitivity": lambda: figures.sensitivity(
        [(at, 2 - 3 * at, 1 - 3 * at, 3 - 3 * at) for at in (-1.0, -0.5, 0.0, 0.5, 1.0)],
        unit="points",
        across=LONG,
        measured=("the severity of the case", 0.3),
        band=(-0.5, 0.5),
    ),
    "since": lambda: figures.since(
        [
            (-3, 0.1, -0.3, 0.5),
            (-2, 0.0, -0.4, 0.4),
            (-1, 0.0, math.nan, math.nan),
            (0, 0.8, 0.4, 1.2),
            (1, 1.1, 0.7, 1.5),
        ],
        time="month",
        unit="points",
        band=(-0.2, 0.2),
        name="n",
    ),
    "plane": lambda: figures.plane(
        np.array([0.5, 1.2]),
        np.array([[0.1, 0.02], [0.02, 0.3]]),
        names=("Satisfaction", "Time"),
        units=("points", "minutes"),
        slope=0.2,
        word="worth its price",
    ),
    "calibration": lambda: figures.calibration(
        np.array([0.1, 0.4, 0.8]), [(0.12, 0.05, 0.2), (0.35, 0.25, 0.45), (0.85, 0.7, 0.95)], what="Distress"
    ),
    "course": _course,
    "at_limit": lambda: figures.at_limit(
        pd.DataFrame({"running": np.linspace(40, 90, 20), "mean": np.linspace(4, 6, 20), "n": 9}),
        [(60.0, 4.9, 70.0, 5.1), (70.0, 5.8, 80.0, 6.0)],
        70.0,
        name="n",
        title="T",
        unit="points",
        running="Score",
    ),
    "many": lambda: figures.many(
        pd.DataFrame(
            {"estimate": np.linspace(0, 2, 20), "low": np.linspace(-1, 1, 20) + 0.1, "high": np.linspace(1, 3, 20)}
        ),
        1.05,
        title="T",
        unit="points",
    ),
    "cloud": lambda: _cloud(["easy calls", "hard calls"]),
    "paths": lambda: figures.paths(
        pd.DataFrame({"before": [3.0, 3.1], LONG: [4.0, 3.15]}, index=["made good", LONG[:30]]),
        title="T",
        unit="points",
    ),
    "funnel": lambda: _sites(["North", "South", "East", "West", LONG, "Centre"]),
    "chart": _months,
}


class Said(NamedTuple):
    """Words of a drawing: where they begin and end, and what they say."""

    text: str
    box: letters.Box  # downwards: left, top, right, bottom
    size: float
    middle: tuple[float, float]


def parsed(svg):
    return ElementTree.fromstring(svg)  # noqa: S314 -- our own drawing


def words(svg):
    """Every line of words in a drawing, measured anew from its SVG."""
    for one in parsed(svg).iter(f"{SVG}text"):
        style = one.attrib["style"]
        size = float(found[1]) if (found := re.search(r"font-size:([\d.]+)px", style)) else letters.SIZE
        wide = letters.width(one.text, size, "font-weight:700" in style)
        x, foot = float(one.attrib["x"]), float(one.attrib["y"])
        left = x - wide * {"middle": 0.5, "end": 1.0}.get(one.attrib.get("text-anchor"), 0.0)
        box = (left, foot - 0.73 * size, left + wide, foot + 0.2 * size)
        yield Said(one.text, box, size, (left + wide / 2, foot - letters.MIDDLE * size))


def number(text):
    """A number as people read it, or None."""
    plain = text.replace("−", "-").replace(",", "").removesuffix("%").strip()
    return float(plain) if re.fullmatch(r"[+-]?\d+(\.\d+)?", plain) else None


def circles(svg):
    """The middles of all round marks."""
    return [(float(one.attrib["cx"]), float(one.attrib["cy"])) for one in parsed(svg).iter(f"{SVG}circle")]


def scale(svg, way):
    """From points back to numbers, by the ticks along (0) or up (1)."""
    found = [(one.middle, number(one.text)) for one in words(svg) if number(one.text) is not None]
    sizes = parsed(svg).attrib["viewBox"].split()
    lines = [re.findall(r"[\d.]+", one.attrib["d"]) for one in parsed(svg).iter(f"{SVG}path")]
    foot = max(float(line[1]) for line in lines[:1])  # the first line drawn is the axis along
    left = min(float(line[0]) for line in lines[:1])
    if way == 0:
        ticks = [(at[0], value) for at, value in found if foot < at[1] < foot + 18]
    else:
        ticks = [(at[1], value) for at, value in found if at[0] < left]
    assert len(ticks) > 1, sizes
    slope, start = np.polyfit([at for at, _ in ticks], [value for _, value in ticks], 1)
    return lambda at: start + slope * at
