"""Columns that say who a customer is leave at the door; an agent's name stays only where no id stands for it."""

from __future__ import annotations

import re

import pandas as pd

from researchkit.errors import some
from researchkit.readers.clocks import plainly
from researchkit.readers.gaps import names_of, with_beside

CUSTOMER = re.compile(
    r".*\be ?mail( address)?|.*\bphone( number)?|ani|dnis|ip( address)?|requester( name)?|submitter( name)?"
    r"|(customer|contact|caller|patient|first|last|full) name|from (address|number)"
)
AGENT = ("agent", "assignee")


def without_people(frame: pd.DataFrame, subject: str) -> tuple[pd.DataFrame, list[str]]:
    """Without the names, addresses and numbers of customers, and what was left out."""
    called = {name: plainly(name) for name in names_of(frame)}
    gone = [name for name, plain in called.items() if CUSTOMER.fullmatch(plain)]
    notes = []
    for role in AGENT:
        names = [
            name
            for name, plain in called.items()
            if plain in (role, f"{role} name", f"{role} first name", f"{role} last name")
        ]
        if any(plain in (f"{role} id", f"{role} no", f"{role} number") for plain in called.values()):
            gone += names
        elif names:
            notes.append(
                f"{subject}: {some(names)} names staff, for there is no id of theirs; ask for one in the export."
            )
    if gone:
        notes.insert(0, f"{subject}: {some(gone)} say who somebody is, and are left out.")
    return frame.drop(columns=with_beside(gone, frame)), notes
