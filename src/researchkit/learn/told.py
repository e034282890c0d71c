"""`Told`: what a student reads after a check or a hint, in a notebook and in a terminal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

NOT_YET, RIGHT, MISTAKE, OTHER, HINT = "not yet", "right", "a known mistake", "not this", "hint"
# A sign beside the word, so that nobody has to tell the colours apart.
_SIGNS = {NOT_YET: ("…", "#7b8794"), RIGHT: ("✓", "#007a5e"), MISTAKE: ("↺", "#b35900"), OTHER: ("✗", "#b35900")}


@dataclass(frozen=True)
class Told:
    """The outcome of a check, or a hint.

    Parameters
    ----------
    exercise
        Its name, as the notebook gives it.
    state
        "not yet", "right", "a known mistake", "not this" or "hint".
    words
        What to say first.
    more
        Further lines, each with its heading: what was checked, what was not, where a hint is.
    """

    exercise: str
    state: str
    words: str
    more: tuple[tuple[str, str], ...] = ()

    @property
    def right(self) -> bool:
        return self.state == RIGHT

    def __str__(self) -> str:
        sign, _ = _SIGNS.get(self.state, ("→", ""))
        return "\n".join([f"{sign} {self.words}", *(f"  {_headed(head)} {text}" for head, text in self.more)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        sign, colour = _SIGNS.get(self.state, ("→", "#0b6e99"))
        lines = "".join(
            f'<p style="margin:.35em 0 0;font-size:.9em;opacity:.85"><b>{escape(_headed(head))}</b> {_marked(text)}</p>'
            for head, text in self.more
        )
        return (
            f'<div class="rk-told" role="status" style="border-left:4px solid {colour};padding:.45em .9em;'
            f'margin:.3em 0;max-width:46em;font-family:system-ui,sans-serif;line-height:1.45">'
            f'<p style="margin:0"><b style="color:{colour}" aria-hidden="true">{sign}</b> {_marked(self.words)}</p>'
            f"{lines}</div>"
        )


def _marked(text: str) -> str:
    """Escaped; what stands between backticks as code, between asterisks stressed."""
    parts = escape(text).split("`")
    stressed = (re.sub(r"\*(\w[^*]*)\*", r"<em>\1</em>", part) for part in parts)
    return "".join(f"<code>{parts[place]}</code>" if place % 2 else part for place, part in enumerate(stressed))


def _headed(head: str) -> str:
    return head if head.endswith("?") else f"{head}:"
