"""Designs of their own: what a question adds that asks for more than one contrast of one exposure.

Each has a file here (its entry in the study file), one of the same name in `estimators` (arrays in, `Effect` out), one
in `robustness.designed` where it has attacks of its own, and a notebook.
"""

from researchkit.designs.design import Design
from researchkit.designs.limit import Limit
from researchkit.designs.mix import Mix
from researchkit.designs.rollout import Rollout
from researchkit.designs.series import Series

__all__ = ["Design", "Limit", "Mix", "Rollout", "Series"]
