"""The house colours, the marks every drawing is made of, and how a drawing gets into the middle of a page.

Its text stays text, its colours become those of the page (light or dark), and the same numbers give the same bytes.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any
from xml.etree import ElementTree

from researchkit.figures.letters import FONT

INK, MUTE, LINE, BAND, PAPER = "#1f2933", "#596674", "#d9e0e7", "#e5ebf1", "#ffffff"
BLUE, ORANGE, PURPLE, TEAL = "#0b6e99", "#b85c00", "#4a2583", "#005c47"
SERIES = (BLUE, ORANGE, PURPLE, TEAL, MUTE)  # told apart by the common forms of colour blindness, and by their labels

_VARIABLES = {
    INK: "var(--ink,currentColor)",
    MUTE: "var(--mute,#7b8794)",
    LINE: "var(--line,#7b879455)",
    BAND: "var(--band,#7b879433)",
    BLUE: "var(--blue,#0b6e99)",
    ORANGE: "var(--orange,#b85c00)",
    PURPLE: "var(--purple,#4a2583)",
    TEAL: "var(--teal,#005c47)",
    PAPER: "var(--paper,transparent)",
}
MILLION = 1e6  # from here on a format of six digits writes powers of ten
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
# Letters are not fitted to dots: at twice the size they look no better for it, and take half the time.
STYLE = {
    "figure.facecolor": "none",
    "lines.solid_capstyle": "round",
    "text.hinting": "none",
    "text.parse_math": False,
}


def inline(svg: str, name: str, alt: str) -> str:
    """An SVG for the middle of a page: page colours, page font, ids that clash with no other drawing."""
    root = _parsed(svg)
    prefix = f"rk-{hashlib.sha256(f'{name}|{svg}'.encode()).hexdigest()[:8]}-"
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            element.set(key, _for_page(key, value, prefix))
    for gone in ("width", "height"):
        root.attrib.pop(gone, None)
    root.attrib |= {"role": "img", "aria-label": clean(alt), "class": "rk-plot", "focusable": "false"}
    return ElementTree.tostring(root, encoding="unicode")


def _for_page(key: str, value: str, prefix: str) -> str:
    if key == "id":
        return prefix + value
    if key == f"{{{_XLINK}}}href" and value.startswith("#"):
        return f"#{prefix}{value[1:]}"
    if key == "clip-path":
        return value.replace("url(#", f"url(#{prefix}")
    if key != "style":
        return value
    value = re.sub(r"#[0-9a-f]{6}", lambda hit: _VARIABLES.get(hit[0], hit[0]), value)
    return value.replace(f"'{FONT}',sans-serif", "var(--sans,system-ui,sans-serif)")


def _parsed(svg: str) -> ElementTree.Element:
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", _XLINK)
    return ElementTree.fromstring(svg)  # noqa: S314 -- drawn by ourselves, a moment ago


def clean(text: object) -> str:
    """Words without the control characters that no drawing can hold."""
    return re.sub(r"[\x00-\x1f\x7f\ufffe\uffff\ud800-\udfff]+", " ", str(text)).strip()


def number(value: float) -> str:
    """A round number at an axis, the way the text writes numbers."""
    return (f"{value:,.0f}" if abs(value) >= MILLION else f"{value:,.6g}").replace("-", "−")


def whisker(
    axes: Any, at: float, low: float, high: float, colour: str, *, along: bool = False, wide: float = 2.0
) -> None:
    """An interval: a line from end to end, with a short stroke across each."""
    for x, y, mark in (([at, at], [low, high], "_"),) if not along else (([low, high], [at, at], "|"),):
        axes.plot(x, y, color=colour, linewidth=wide, solid_capstyle="butt", zorder=2)
        axes.plot(x, y, linestyle="none", marker=mark, markersize=7, markeredgewidth=1.2, color=colour, zorder=2)


def dot(
    axes: Any, x: float, y: float, colour: str, *, mark: str = "o", size: float = 8.0, hollow: bool = False
) -> None:
    """An estimate, last of all so that nothing covers it, with an edge in the colour of the paper."""
    fill, edge = (PAPER, colour) if hollow else (colour, PAPER)
    axes.plot([x], [y], marker=mark, markersize=size, color=fill, markeredgecolor=edge, markeredgewidth=1.3, zorder=4)


def font() -> str | None:
    """The file of the house font; None where it is not to be had."""
    from matplotlib.font_manager import findfont

    try:
        return str(findfont(FONT, fallback_to_default=False))
    except ValueError:
        return None
