"""`Figure`: one drawing with its words, its numbers and its downloads."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

import pandas as pd

from researchkit import tables, wording
from researchkit.figures import ink

MEDIA = "application/vnd.researchkit.figure+json"
SHOWN = 50  # rows of numbers on the page


@dataclass(frozen=True)
class Figure:
    """One drawing, told also in words and in numbers.

    Parameters
    ----------
    name
        File name of the downloads, without ending.
    title
        What is shown, in one line above the drawing.
    alt
        What a person sees who cannot see it: written from the plotted numbers.
    caption
        How to read it, below the drawing.
    data
        Every plotted number, full precision.
    svg
        The drawing as it stands alone, in the house colours.
    png
        The same in dots, for slides; no such download when empty.
    """

    name: str
    title: str
    alt: str
    caption: str
    data: pd.DataFrame
    svg: str
    png: bytes = b""

    def to_html(self) -> str:
        """The drawing inline, its colours left to the page, its numbers folded away below it."""
        more = len(self.data) > SHOWN
        note = f"The first {SHOWN} of {wording.count(len(self.data))} rows; the CSV has all." if more else ""
        table = tables.frame(self.data.head(SHOWN), f"Numbers behind: {self.title}", note).to_html(csv=False)
        return (
            f'<figure class="rk-figure"><p class="rk-title">{escape(self.title)}</p>'
            f"{ink.inline(self.svg, self.name, self.alt)}"
            f"<figcaption>{escape(self.caption)} {self._links()}"
            f"<details><summary>Numbers behind this figure</summary>{table}</details></figcaption></figure>"
        )

    def _links(self) -> str:
        files = {
            "SVG": ("image/svg+xml", self.alone().encode()),
            "PNG": ("image/png", self.png),
            "CSV": ("text/csv", self.to_csv().encode()),
        }
        links = [self._link(kind, *file) for kind, file in files.items() if file[1]]
        return f'<span class="rk-links">Take it along: {" · ".join(links)}</span>'

    def _link(self, kind: str, media: str, content: bytes) -> str:
        file = f"{escape(self.name)}.{kind.lower()}"
        about = f'aria-label="{kind} of the figure {escape(self.title)}"'
        return f'<a download="{file}" href="data:{media};base64,{b64encode(content).decode()}" {about}>{kind}</a>'

    def alone(self) -> str:
        """The drawing as a file of its own: its title and the words for those who cannot see it go with it."""
        start = self.svg.index(">") + 1
        about = f"<title>{escape(ink.clean(self.title))}</title><desc>{escape(ink.clean(self.alt))}</desc>"
        return f'{self.svg[: start - 1]} role="img">{about}{self.svg[start:]}'

    def to_csv(self) -> str:
        """The plotted numbers as comma-separated text, harmless in a spreadsheet."""
        return self._csv

    @cached_property
    def _csv(self) -> str:
        return tables.frame(self.data, self.title).to_csv()

    def __str__(self) -> str:
        return f"{self.title}. {self.alt}"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        carried = {"name": self.name, "alt": self.alt, "csv": self.to_csv()}
        return {"text/html": self.to_html(), "text/plain": str(self), MEDIA: carried}
