"""How often the intervals hold the truth: simulated studies whose truth is known, answered as users' studies are.

`make calibrate` makes them all and writes `calibration.csv` beside this file, then `designs.csv`: questions with
a design of their own, in studies of their own (`designs` lists them).
"""

from researchkit.calibrate.cells import KINDS, Cell, grid
from researchkit.calibrate.tell import RESULTS, Row, read

__all__ = ["KINDS", "RESULTS", "Cell", "Row", "grid", "read"]
