"""Figures of a report: each told in words, backed by its numbers, the same bytes for the same data.

`interval` draws the answer, crude and adjusted, over the band of what is too small to matter; `forest` estimates
under one another; `specifications` every way to adjust, sorted; `dose` the outcome over the exposure; `distribution`
the spread of a score; `curves` who is still there; `mini` an interval for a line of the index; `funnel` sites over
their precision; `chart` months in a row; `course` one series beside others; `at_limit` an outcome on both sides of a
limit; `since` an effect over the time since it began; `plane` two effects at once; `calibration` forecasts over what
came; `many`, `cloud` and `paths` are for lessons.
"""

from researchkit.figures.chart import chart
from researchkit.figures.doses import bent
from researchkit.figures.figure import MEDIA, Figure
from researchkit.figures.funnel import funnel
from researchkit.figures.ink import font
from researchkit.figures.intervals import band, forest, interval, specifications
from researchkit.figures.levels import distribution, dose
from researchkit.figures.mini import mini
from researchkit.figures.plane import calibration, plane
from researchkit.figures.rules import at_limit, course
from researchkit.figures.sensitivity import sensitivity
from researchkit.figures.since import Point, since
from researchkit.figures.sketch import cloud, many, paths
from researchkit.figures.survival import Curve, curves

__all__ = [
    "MEDIA",
    "Curve",
    "Figure",
    "Point",
    "at_limit",
    "band",
    "bent",
    "calibration",
    "chart",
    "cloud",
    "course",
    "curves",
    "distribution",
    "dose",
    "font",
    "forest",
    "funnel",
    "interval",
    "many",
    "mini",
    "paths",
    "plane",
    "sensitivity",
    "since",
    "specifications",
]
