"""What a value shows of itself in a notebook: one box with what matters first, and the same as text.

Everything is escaped. Colours come from JupyterLab's own variables, so that its dark theme is followed; where there
are none (another editor, an exported page) the surroundings' own ink is taken.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

INK = "var(--jp-content-font-color1,inherit)"
MUTE = "var(--jp-content-font-color2,inherit)"
LINE = "var(--jp-border-color2,currentColor)"
COLOURS = {  # the side of a card; the word beside it says the same, so that nobody has to tell the colours apart
    "supported": "var(--jp-success-color1,#2e7d4f)",
    "contradicted": "var(--jp-error-color1,#b3432b)",
    "too small to matter": "var(--jp-border-color1,#8a94a0)",
    "cannot tell": "var(--jp-warn-color1,#a86a00)",
}
TERM = "margin:0;padding:0;width:auto;float:none;font-weight:normal"  # JupyterLab lays out lists of terms otherwise
# JupyterLab sets every table as one of numbers: to the right, and words in one line.
DESK = (
    "<style>.rk-table th,.rk-table td{text-align:left!important;vertical-align:top;white-space:normal;max-width:44em}"
    ".rk-table .n{text-align:right!important}.rk-table caption{text-align:left;font-weight:600}"
    ".rk-table table,.rk-figure{margin:0 0 .5em}.rk-note,.rk-links,.rk-figure figcaption{font-size:.9em}</style>"
)
WIDTH, HEIGHT, MIDDLE, EDGE = 3200, 340, 170, 80  # of a drawing, in whole numbers


@dataclass(frozen=True)
class Card:
    """One value as a person reads it.

    Parameters
    ----------
    kind
        What it is: "Study", "Dataset", "Effect", "Verdict".
    head
        What matters first, in one sentence.
    facts
        Pairs of a name and what it is; those that are empty are left out.
    marks
        What a reader must see beside it.
    side
        A word of the verdict, for the colour of the side.
    picture
        A drawing made by `interval`; the facts say the same in words.
    """

    kind: str
    head: str
    facts: Sequence[tuple[str, str]] = ()
    marks: Sequence[str] = ()
    side: str = ""
    picture: str = ""

    def to_html(self) -> str:
        facts = "".join(
            f'<dt style="{TERM};color:{MUTE}">{escape(name)}</dt><dd style="{TERM}">{marked(text)}</dd>'
            for name, text in self.facts
            if text
        )
        grid = "display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.15em 1.2em;margin:.5em 0 0"
        marks = "".join(f"<li>{marked(mark)}</li>" for mark in self.marks)
        return (
            f'<div class="rk-card" role="group" aria-label="{escape(self.kind)}" style="border:1px solid {LINE};'
            f"border-left:5px solid {COLOURS.get(self.side, LINE)};padding:.55em 1em .65em;margin:.3em 0;"
            f'max-width:52em;color:{INK};line-height:1.45;overflow-wrap:anywhere">'
            f'<p style="margin:0;font-size:.8em;color:{MUTE}">{escape(self.kind)}</p>'
            f'<p style="margin:.1em 0 0"><strong>{marked(self.head)}</strong></p>{self.picture}'
            + (f'<dl style="{grid}">{facts}</dl>' if facts else "")
            + (f'<ul style="margin:.5em 0 0;padding-left:1.3em">{marks}</ul>' if marks else "")
            + "</div>"
        )

    def __str__(self) -> str:
        told = [(plain(name), plain(text)) for name, text in self.facts if text]
        width = max((len(name) for name, _ in told), default=0)
        lines = textwrap.wrap(f"{plain(self.kind)}: {plain(self.head)}", 100, subsequent_indent="  ")
        for name, text in told:
            lines += textwrap.wrap(f"  {name.ljust(width)}  {text}", 100, subsequent_indent=" " * (width + 4))
        for mark in self.marks:
            lines += textwrap.wrap(f"  ! {plain(mark)}", 100, subsequent_indent="    ")
        return "\n".join(lines)

    def bundle(self) -> dict[str, Any]:
        """What Jupyter asks a value for."""
        return {"text/html": self.to_html(), "text/plain": str(self)}


def marked(text: str) -> str:
    """Escaped, and what stands between backticks as code."""
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return "".join(f"<code>{part}</code>" if place % 2 else part for place, part in enumerate(parts))


def plain(text: str) -> str:
    """One line without what a terminal would obey: control characters, and marks that turn the way of writing."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def interval(low: float, value: float, high: float, words: str, margin: float = 0.0) -> str:
    """An interval as a dot on a line, beside zero and the band of what is too small to matter (none for 0).

    `words` tell those who cannot see it what stands there.
    """
    if not all(map(math.isfinite, (low, value, high, margin))) or low == high:
        return ""
    left, right = min(low, 0.0, -margin), max(high, 0.0, margin)

    def at(one: float) -> int:
        return EDGE + int((one - left) / (right - left) * (WIDTH - 2 * EDGE))

    band = (
        f'<path d="M{at(-margin)} {MIDDLE}H{at(margin)}" stroke="currentColor" stroke-width="{HEIGHT}" opacity=".13"/>'
    )
    return (
        f'<svg role="img" aria-label="{escape(words)}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'style="display:block;width:100%;max-width:22em;margin:.5em 0 0">{band if margin else ""}'
        f'<path d="M{at(0.0)} 0V{HEIGHT}" stroke="currentColor" stroke-width="10" stroke-dasharray="30 30"/>'
        f'<path d="M{at(low)} {MIDDLE}H{at(high)}" stroke="currentColor" stroke-width="30"/>'
        f'<circle cx="{at(value)}" cy="{MIDDLE}" r="55" fill="currentColor"/></svg>'
    )
