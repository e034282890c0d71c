"""What one call of a notebook shows where one table is not all: tables, paragraphs, and parts that are folded away."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

from researchkit.tables.table import MEDIA, Prose, Table


@dataclass(frozen=True)
class Fold:
    """A table or paragraphs behind a line that opens them."""

    summary: str
    inside: Table | Prose

    def to_html(self) -> str:
        return f'<details class="rk-fold"><summary>{escape(self.summary)}</summary>{html(self.inside)}</details>'

    def __str__(self) -> str:
        return f"{self.summary}\n{self.inside}"


@dataclass(frozen=True)
class Together:
    """Several parts shown as one, from top to bottom; each table among them keeps its CSV."""

    parts: tuple[Table | Prose | Fold, ...]

    @property
    def tables(self) -> Iterator[Table]:
        inside = (part.inside if isinstance(part, Fold) else part for part in self.parts)
        return (part for part in inside if isinstance(part, Table))

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.parts))

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        told = {"text/html": "".join(map(html, self.parts)), "text/plain": str(self)}
        carried = [{"name": one.name, "title": one.title, "csv": one.to_csv()} for one in self.tables]
        return told | ({MEDIA: carried[0] | {"more": carried[1:]}} if carried else {})


def html(part: Table | Prose | Fold) -> str:
    """One part as it stands on a page."""
    return part.to_html()
