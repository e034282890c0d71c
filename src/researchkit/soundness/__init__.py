"""What a score is worth before a question uses it: whether raters agree, teams share it, one thing is behind its items,
and it means the same in every group; and burnout by means, cut-offs and profiles.

Each function takes a loaded table and gives something to show; small groups are hidden by the study's profile.
"""

from researchkit.soundness.burnout import cutoffs, means, profiles, profiles_of
from researchkit.soundness.factors import groups, one_factor
from researchkit.soundness.raters import agreement, observed, raters
from researchkit.soundness.teams import teams

__all__ = [
    "agreement",
    "cutoffs",
    "groups",
    "means",
    "observed",
    "one_factor",
    "profiles",
    "profiles_of",
    "raters",
    "teams",
]
