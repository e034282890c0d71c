"""The house style of drawings, and how a drawing gets onto a page.

A drawing is as wide as a phone and is enlarged on a desk, so that its words can be read on both. It is made without
pyplot: nothing is kept between drawings and no display hook can lose one. Its text stays text, its colours become
those of the page (light or dark), and the same numbers give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
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
BLUE, ORANGE, PURPLE, TEAL = "#0b6e99", "#b35900", "#7a4fa3", "#007a5e"
SERIES = (BLUE, ORANGE, PURPLE, TEAL, MUTE)  # told apart by the common forms of colour blindness, and by their labels

WIDTH = 360.0  # points; the page shows up to 580 px
SIZE, PAD = 10.5, 3.0  # points: of a letter, and left free at the edges
_VARIABLES = {
    INK: "var(--ink,currentColor)",
    MUTE: "var(--mute,#7b8794)",
    LINE: "var(--line,#7b879455)",
    BAND: "var(--band,#7b879433)",
    BLUE: "var(--blue,#0b6e99)",
    ORANGE: "var(--orange,#b35900)",
    PURPLE: "var(--purple,#7a4fa3)",
    TEAL: "var(--teal,#007a5e)",
    "#ffffff": "var(--paper,transparent)",
}
FONT = "DejaVu Sans"
_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "researchkit",
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
        drawing = Sheet(figsize=(WIDTH / 72, height / 72))
        drawing.set_layout_engine("tight", pad=PAD / SIZE)  # in letters; one pass, "constrained" takes two
        axes = drawing.add_subplot()
        sns.despine(ax=axes)
        yield drawing, axes


def printed(drawing: Sheet) -> tuple[str, bytes]:
    """The drawing as stand-alone SVG and as PNG at twice its size. Call it inside `sheet`."""
    lines, dots = io.StringIO(), io.BytesIO()
    if layout := drawing.get_layout_engine():
        layout.execute(drawing)
    drawing.set_layout_engine(None)  # everything has its place now; else each format would lay it out again, twice
    drawing.savefig(lines, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    drawing.savefig(dots, format="png", dpi=144, facecolor="white", metadata={"Software": None})
    return _slim(lines.getvalue()), dots.getvalue()


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
    return re.sub(r"(font(?:-family)?:[^;]*?)'DejaVu Sans'[^;]*", r"\1var(--sans,system-ui,sans-serif)", value)


def _slim(svg: str) -> str:
    """Only what is needed: no style that reaches out of the drawing, no id that nothing points to."""
    root = _parsed(svg)
    pointed = set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg))
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{{{_SVG}}}style":
                parent.remove(child)
        if "d" in parent.attrib:
            parent.set("d", _short(parent.attrib["d"]))
        if parent.attrib.get("id") not in pointed:
            parent.attrib.pop("id", None)
    root.set("style", "stroke-linejoin:round;stroke-linecap:butt")
    return ElementTree.tostring(root, encoding="unicode")


def _short(path: str) -> str:
    """A path to a hundredth of a point: no eye sees more, and pages stay small."""
    return re.sub(r"-?\d+\.\d+", lambda hit: f"{float(hit[0]):.2f}".rstrip("0").rstrip("."), path).replace("\n", "")


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
