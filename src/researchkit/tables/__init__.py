"""Tables of a report: accessible on a page, harmless in a spreadsheet, readable in a terminal.

Of one answer: `effects`, `terms`, `flow`, `people`, `undo`, `checks` and `alternatives`. Of anything: `frame`. Of many
people: `cutoffs`. Of what is under test: `claims`.
"""

from researchkit.tables.answers import claims, crude_and_adjusted, cutoffs, effects, flow, on_page, terms
from researchkit.tables.attacks import alternatives, checks, finding
from researchkit.tables.table import MEDIA, Col, Prose, Table, data_link, frame, harmless, slug
from researchkit.tables.together import Fold, Together
from researchkit.tables.undoing import people, undo

__all__ = [
    "MEDIA",
    "Col",
    "Fold",
    "Prose",
    "Table",
    "Together",
    "alternatives",
    "checks",
    "claims",
    "crude_and_adjusted",
    "cutoffs",
    "data_link",
    "effects",
    "finding",
    "flow",
    "frame",
    "harmless",
    "on_page",
    "people",
    "slug",
    "terms",
    "undo",
]
