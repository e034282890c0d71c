"""One question by the values of one column: sites side by side (`funnel`), months in a row (`chart`).

Made from `result.json` of each report; no row of any person is needed. What the disclosure profile hides stays hidden.
"""

from researchkit.groups.chart import Chart, Step, chart
from researchkit.groups.funnel import DIFFERS, IN_LINE, TOO_FEW, Funnel, Site, funnel
from researchkit.groups.point import Groups, Point, found, gathered

__all__ = [
    "DIFFERS",
    "IN_LINE",
    "TOO_FEW",
    "Chart",
    "Funnel",
    "Groups",
    "Point",
    "Site",
    "Step",
    "chart",
    "found",
    "funnel",
    "gathered",
]
