"""Designs of their own: what a question adds that asks for more than one contrast of one exposure.

Each has a file here (its entry in the study file), one of the same name in `estimators` (arrays in, `Effect` out), one
in `robustness.designed` where it has attacks of its own, and a notebook.
"""

from researchkit.designs.design import Design
from researchkit.designs.detection import Detection
from researchkit.designs.limit import Limit
from researchkit.designs.mix import Mix
from researchkit.designs.recovery import Recovery
from researchkit.designs.series import Series
from researchkit.designs.tradeoff import Tradeoff

__all__ = [
    "Design",
    "Detection",
    "Limit",
    "Mix",
    "Recovery",
    "Series",
    "Tradeoff",
]
