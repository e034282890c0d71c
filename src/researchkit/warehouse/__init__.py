"""A table that stays where it is, however large: checks, flow, scores and sums are computed there, and no row travels.

`load` opens one and checks it; `Warehouse.sample` gives what a question is answered from.
"""

from researchkit.warehouse import bands
from researchkit.warehouse.held import Warehouse, load
from researchkit.warehouse.summed import Summed

__all__ = ["Summed", "Warehouse", "bands", "load"]
