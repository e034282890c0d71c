"""The answer attacked: what could undo it, and what this study could have seen.

Each check is a `Check` made from one dataset; one that cannot run stays in the list with its reason.
"""

from researchkit.robustness.alternatives import Other, planned_alternatives
from researchkit.robustness.attacks import attack, design_figures
from researchkit.robustness.check import Check
from researchkit.robustness.curve import specification_curve
from researchkit.robustness.equivalence import two_one_sided
from researchkit.robustness.jackknife import without_clusters, without_rows
from researchkit.robustness.judged import TRIED, WORDS, in_result, judged
from researchkit.robustness.linear import Linear, linearised
from researchkit.robustness.unmeasured import (
    benchmarks,
    e_value,
    exposure_r2,
    robustness_of_limit,
    robustness_value,
    unmeasured,
)

__all__ = [
    "TRIED",
    "WORDS",
    "Check",
    "Linear",
    "Other",
    "attack",
    "benchmarks",
    "design_figures",
    "e_value",
    "exposure_r2",
    "in_result",
    "judged",
    "linearised",
    "planned_alternatives",
    "robustness_of_limit",
    "robustness_value",
    "specification_curve",
    "two_one_sided",
    "unmeasured",
    "without_clusters",
    "without_rows",
]
