"""How often the intervals hold the truth: simulated studies whose truth is known, answered as users' studies are.

`make calibrate` makes them all and writes `calibration.csv` beside this file.
"""

from researchkit.calibrate.cells import KINDS, Cell, grid
from researchkit.calibrate.tell import RESULTS, Row, read

__all__ = ["KINDS", "RESULTS", "Cell", "Row", "grid", "read"]
