"""Designs of their own: what a question adds that asks for more than one contrast of one exposure.

Each has a file here (its entry in the study file), one of the same name in `estimators` (arrays in, `Effect` out), one
in `robustness.designed` where it has attacks of its own, and a notebook.
"""

from researchkit.designs.contagion import Contagion
from researchkit.designs.design import Design
from researchkit.designs.detection import Detection
from researchkit.designs.dose import Dose
from researchkit.designs.halves import Halves
from researchkit.designs.limit import Limit
from researchkit.designs.mechanism import Mechanism
from researchkit.designs.mix import Mix
from researchkit.designs.recovery import Recovery
from researchkit.designs.rollout import Rollout
from researchkit.designs.series import Series
from researchkit.designs.subgroup import Subgroup
from researchkit.designs.tradeoff import Tradeoff
from researchkit.designs.within import Within

__all__ = [
    "Contagion",
    "Design",
    "Detection",
    "Dose",
    "Halves",
    "Limit",
    "Mechanism",
    "Mix",
    "Recovery",
    "Rollout",
    "Series",
    "Subgroup",
    "Tradeoff",
    "Within",
]
