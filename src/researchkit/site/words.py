"""The glossary as a page: every word with what is said of it, and the words in that linked to their own entries."""

from __future__ import annotations

import re
from itertools import groupby
from typing import Any

from researchkit.glossary import Linker, Term, terms


def view() -> dict[str, Any]:
    """The entries by their first letter."""
    told = [(term, Linker().told(term.html, own=[term.anchor])) for term in terms()]
    return {
        "terms": terms(),
        "letters": [(letter, list(those)) for letter, those in groupby(told, lambda one: first(one[0]))],
    }


def first(term: Term) -> str:
    """The letter that an entry is found under."""
    return re.sub(r"\W", "", term.name)[0].lower()
