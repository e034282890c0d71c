"""The house style of drawings, and how a drawing gets onto a page.

A drawing is as wide as a phone and is enlarged on a desk, so that its words can be read on both. It is made without
pyplot: nothing is kept between drawings and no display hook can lose one. Its text stays text, its colours become
those of the page (light or dark), and the same numbers give the same bytes.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet

INK, MUTE, LINE, BAND = "#1f2933", "#5f6c7b", "#d9e0e7", "#e8edf2"
BLUE, ORANGE, PURPLE, TEAL = "#0b6e99", "#b85c00", "#4a2583", "#005c47"
SERIES = (BLUE, ORANGE, PURPLE, TEAL, MUTE)  # told apart by the common forms of colour blindness, and by their labels

WIDTH = 360.0  # points; the page shows up to 580 px
SIZE, PAD, LEAST = 10.5, 3.0, 40.0  # points: of a letter; left free at the edges; and of axes at the least
TIMES = 2  # dots a point
_VARIABLES = {
    INK: "var(--ink,currentColor)",
    MUTE: "var(--mute,#7b8794)",
    LINE: "var(--line,#7b879455)",
    BAND: "var(--band,#7b879433)",
    BLUE: "var(--blue,#0b6e99)",
    ORANGE: "var(--orange,#b85c00)",
    PURPLE: "var(--purple,#4a2583)",
    TEAL: "var(--teal,#005c47)",
    "#ffffff": "var(--paper,transparent)",
}
FONT = "DejaVu Sans"
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_STYLE = {
    "text.parse_math": False,  # a label with two dollar signs is money, not mathematics
    "font.family": [FONT],
    "font.size": SIZE,
    "axes.labelsize": SIZE,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTE,
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.unicode_minus": True,
    "xtick.color": MUTE,
    "ytick.color": MUTE,
    "figure.facecolor": "none",
    "lines.solid_capstyle": "round",
    "path.simplify": True,
}


@contextmanager
def sheet(height: float) -> Iterator[tuple[Sheet, Axes]]:
    """An empty drawing `height` points high with one pair of axes, in the house style."""
    import matplotlib as mpl
    import seaborn as sns
    from matplotlib.figure import Figure as Sheet

    with mpl.rc_context(sns.axes_style("ticks") | _STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # the page has fonts that we do not
        drawing = Sheet(figsize=(WIDTH / 72, height / 72), dpi=72 * TIMES)
        axes = drawing.add_axes((0.1, 0.1, 0.8, 0.8))
        sns.despine(ax=axes)
        yield drawing, axes


def printed(drawing: Sheet) -> tuple[str, bytes]:
    """The drawing as stand-alone SVG and as PNG at twice its size. Call it inside `sheet`."""
    from researchkit.figures.vector import Vector

    wide, high = (float(72 * side) for side in drawing.get_size_inches())
    page = Vector(wide, high, TIMES, SIZE)
    _fitted(drawing, page)
    drawing.draw(page)  # type: ignore[arg-type]  # stands in the place of a renderer
    return page.svg(f"'{FONT}',sans-serif"), page.png()


def _fitted(drawing: Sheet, page: Any) -> None:
    """The axes as large as leaves room for their words, which are as long as they are: measured once."""
    (axes,) = drawing.axes
    inside, edge = axes.get_window_extent(page), PAD * TIMES
    whole = axes.get_tightbbox(page) or inside
    wide, high = page.dots.width, page.dots.height
    left, bottom = edge + inside.x0 - whole.x0, edge + inside.y0 - whole.y0
    right, top = wide - edge - (whole.x1 - inside.x1), high - edge - (whole.y1 - inside.y1)
    least = LEAST * TIMES  # where words leave no room, they reach over the edge rather than hide the numbers
    right, top = max(right, left + least), max(top, bottom + least)
    axes.set_position((left / wide, bottom / high, (right - left) / wide, (top - bottom) / high))


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


def wrapped(text: object, width: int = 52) -> str:
    """A label on as many lines as it needs."""
    import textwrap

    return "\n".join(textwrap.wrap(clean(text), width)) or " "


def number_axis(axis: Any, most: int = 6) -> None:
    """Few round ticks, written the way the text writes numbers."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}".replace("-", "−")))
    axis.set_tick_params(length=3, width=0.8)


def ratio_axis(axis: Any) -> None:
    """Ratios at equal distances where they multiply: half is as far from 1 as twice."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axis.set_major_locator(FixedLocator([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_tick_params(length=3, width=0.8)


def font() -> str | None:
    """The file of the house font; None where it is not to be had."""
    from matplotlib.font_manager import findfont

    try:
        return str(findfont(FONT, fallback_to_default=False))
    except ValueError:
        return None
