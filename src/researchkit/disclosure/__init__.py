"""Small counts: which may be shown, under the named rules that data owners set.

Count people, not rows: one customer with five tickets is one person. A profile is a starting point; whoever owns the
data decides, and judges the report as a whole.
"""

from researchkit.disclosure.cells import account, apart, enough, hard_to_tell, nearest, protect, share, shown
from researchkit.disclosure.log import TOO_FEW, WITH_IT, Hidden, hid, note, taken
from researchkit.disclosure.profiles import LABELS, PROFILES, ROUNDED, Profile, name_of, rounded, usual_base

__all__ = [
    "LABELS",
    "PROFILES",
    "ROUNDED",
    "TOO_FEW",
    "WITH_IT",
    "Hidden",
    "Profile",
    "account",
    "apart",
    "enough",
    "hard_to_tell",
    "hid",
    "name_of",
    "nearest",
    "note",
    "protect",
    "rounded",
    "share",
    "shown",
    "taken",
    "usual_base",
]
