"""The promise of the intervals, proved: simulated studies whose truth is known, answered as users' studies are.

`make calibrate` makes them all and writes `calibration.csv`, which the page beside the index and a test read.
"""

from researchkit.calibrate.cells import KINDS, Cell, grid
from researchkit.calibrate.page import page
from researchkit.calibrate.tell import RESULTS, Row, read

__all__ = ["KINDS", "RESULTS", "Cell", "Row", "grid", "page", "read"]
