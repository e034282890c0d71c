"""A drawing written twice in one go: as SVG, line by line, and in dots beside it.

Walking through a drawing is what takes the time, so it is done once. The SVG that comes out is short: text stays
text and keeps its anchor, paths are told to a tenth of a point, and only what differs from the rest is said.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import numpy as np

from researchkit.figures.letters import FONT, Word, width

if TYPE_CHECKING:
    from matplotlib.backend_bases import GraphicsContextBase
    from matplotlib.font_manager import FontProperties
    from matplotlib.path import Path

CIRCLE = 26  # points that matplotlib's round mark is made of
SHADES = 256  # that a picture in dots can have: a drawing has few colours, and their blends with the paper
LETTERS = {1: "M", 2: "L", 3: "Q", 4: "C"}  # matplotlib's codes of a path's parts
CLOSE = 79
ANCHORS = {"left": (0.0, ""), "center": (0.5, ' text-anchor="middle"'), "right": (1.0, ' text-anchor="end"')}
CAPS = {"round": "round", "projecting": "square"}


class Vector:
    """Takes what matplotlib draws, `times` dots a point, and keeps it as SVG and as dots.

    It stands in the place of a renderer of matplotlib: what it does not do itself, that for dots does.

    Parameters
    ----------
    width, height
        In points.
    size
        The size of letters that is not said again at each text.
    """

    def __init__(self, width: float, height: float, times: float, size: float) -> None:
        from matplotlib.backends.backend_agg import RendererAgg

        self.wide, self.high, self.times, self.size = width, height, times, size
        self.dots = RendererAgg(round(width * times), round(height * times), 72 * times)
        self.lines: list[str] = []
        self.clips: dict[tuple[str, ...], str] = {}
        np.asarray(self.dots.buffer_rgba())[:] = 255  # white paper

    def __getattr__(self, name: str) -> Any:
        return getattr(self.dots, name)

    def draw_path(self, gc: GraphicsContextBase, path: Path, transform: Any, rgbFace: Any = None) -> None:
        self.dots.draw_path(gc, path, transform, rgbFace)
        line = self._d(path, transform)
        if line:
            points = np.asarray(transform.transform(path.vertices), float)
            points = points[np.isfinite(points).all(axis=1)]
            self._put(f'<path d="{line}"', gc, rgbFace, self._cut(gc, points.min(axis=0), points.max(axis=0)))

    def draw_markers(
        self, gc: GraphicsContextBase, marker_path: Path, marker_trans: Any, path: Path, trans: Any, rgbFace: Any = None
    ) -> None:
        """The same mark at many places: a circle where it is one."""
        from matplotlib.transforms import Affine2D

        self.dots.draw_markers(gc, marker_path, marker_trans, path, trans, rgbFace)
        places = np.asarray(trans.transform(path.vertices), float)
        places = places[np.isfinite(places).all(axis=1)]
        size = marker_path.get_extents(marker_trans)
        marks = []
        for x, y in places.tolist():
            if len(np.asarray(marker_path.vertices)) == CIRCLE:
                marks.append(f'<circle cx="{self._x(x)}" cy="{self._y(y)}" r="{self._size(size.width / 2)}"/>')
            else:
                marks.append(f'<path d="{self._d(marker_path, marker_trans + Affine2D().translate(x, y))}"/>')
        if not marks:
            return
        cut = self._cut(gc, places.min(axis=0) + size.min, places.max(axis=0) + size.max)
        if len(marks) == 1:
            self._put(marks[0][:-2], gc, rgbFace, cut)
        else:
            self.lines.append(f'<g style="{self._style(gc, rgbFace)}"{cut}>{"".join(marks)}</g>')

    def draw_path_collection(self, *args: Any, **more: Any) -> None:
        from matplotlib.backend_bases import RendererBase

        RendererBase.draw_path_collection(self, *args, **more)  # type: ignore[arg-type]  # path by path

    def line(self, points: Sequence[tuple[float, float]], colour: str, width: float) -> None:
        """A straight line between places in points."""
        from matplotlib.colors import to_rgb
        from matplotlib.path import Path
        from matplotlib.transforms import Affine2D

        gc = self.new_gc()
        gc.set_foreground(to_rgb(colour), isRGBA=False)
        gc.set_linewidth(width)
        gc.set_snap(True)
        self.draw_path(gc, Path(np.array(points)), Affine2D().scale(self.times))

    def write(self, word: Word) -> None:
        """Words, line by line: their anchor stays where it is in any font."""
        gc, prop = self.new_gc(), _prop(word.size, word.bold)
        gc.set_foreground(word.colour)
        left = word.box[0]
        style = f"fill:{word.colour}" + (f";font-size:{word.size:g}px" if word.size != self.size else "")
        style += ";font-weight:700" if word.bold else ""
        for line, foot in zip(word.lines, word.baselines(), strict=True):
            share, anchor = ANCHORS[word.across]
            start = left + share * (width(word.text, word.size, word.bold) - width(line, word.size, word.bold))
            y = self.high - foot
            self.dots.draw_text(gc, start * self.times, y * self.times, line, prop, 0.0)
            place = f'x="{_told(word.x)}" y="{_told(y)}"{anchor}'
            self.lines.append(f'<text {place} style="{style}">{escape(line)}</text>')

    def _put(self, start: str, gc: GraphicsContextBase, face: Any, cut: str) -> None:
        self.lines.append(f'{start} style="{self._style(gc, face)}"{cut}/>')

    def _cut(self, gc: GraphicsContextBase, low: Any, high: Any) -> str:
        """What cuts an element at the edge of the axes, only where it would reach over it."""
        box, slack = gc.get_clip_rectangle(), 2.0  # dots
        if box is None or (
            (low >= (box.x0 - slack, box.y0 - slack)) & (high <= (box.x1 + slack, box.y1 + slack))
        ).all():  # fmt: skip
            return ""
        where = (self._x(box.x0), self._y(box.y1), self._size(box.width), self._size(box.height))
        return f' clip-path="url(#{self.clips.setdefault(where, f"c{len(self.clips)}")})"'

    def _style(self, gc: GraphicsContextBase, face: Any) -> str:
        forced = gc.get_alpha() if gc.get_forced_alpha() else None
        told = ["fill:none"]
        if face is not None:
            told = [f"fill:{_colour(face)}"]
            alpha = forced if forced is not None else (face[3] if len(face) == 4 else 1.0)
            told += [f"fill-opacity:{alpha:.3g}"] if alpha != 1 else []
        width, ink = gc.get_linewidth(), gc.get_rgb()
        alpha = forced if forced is not None else (ink[3] if len(ink) == 4 else 1.0)
        if width == 0 or alpha == 0:
            return ";".join(told)
        told += [f"stroke:{_colour(ink)}", f"stroke-width:{width:g}"]
        told += [f"stroke-opacity:{alpha:.3g}"] if alpha != 1 else []
        told += [f"stroke-linecap:{cap}"] if (cap := CAPS.get(gc.get_capstyle())) else []
        dashes: Any = gc.get_dashes()[1]
        told += [f"stroke-dasharray:{' '.join(f'{dash:.3g}' for dash in dashes)}"] if dashes else []
        return ";".join(told)

    def _d(self, path: Path, transform: Any) -> str:
        """The path in SVG's words."""
        parts: list[str] = []
        before = ""
        for points, code in path.iter_segments(transform, simplify=path.should_simplify):
            if code == CLOSE:
                parts.append("Z")
                before = ""
                continue
            letter = LETTERS[int(code)]
            pairs = np.reshape(np.array(points, float), (-1, 2))
            told = " ".join(f"{self._x(x)} {self._y(y)}" for x, y in pairs)
            parts.append(f"{' ' if letter == before and letter != 'M' else letter}{told}")
            before = letter
        return "".join(parts)

    def _x(self, x: float) -> str:
        return self._size(x)

    def _y(self, y: float) -> str:
        return self._size(self.dots.height - y)

    def _size(self, dots: float) -> str:
        """Dots in points, to a twentieth: no eye sees more, and pages stay small."""
        return _told(dots / self.times)

    def svg(self, family: str) -> str:
        """The drawing, standing alone."""
        clips = "".join(
            f'<clipPath id="{name}"><rect x="{x}" y="{y}" width="{wide}" height="{high}"/></clipPath>'
            for (x, y, wide, high), name in self.clips.items()
        )
        wide, high = f"{self.wide:g}", f"{self.high:g}"
        head = f'xmlns="http://www.w3.org/2000/svg" width="{wide}pt" height="{high}pt" viewBox="0 0 {wide} {high}"'
        style = f"font:{self.size:g}px {family};stroke-linejoin:round"
        cut = f"<defs>{clips}</defs>" if clips else ""
        return f'<svg {head} style="{style}">{cut}{"".join(self.lines)}</svg>'

    def png(self) -> bytes:
        """The same in dots, in as few colours as it has."""
        from PIL import Image

        whole, out = Image.fromarray(np.asarray(self.dots.buffer_rgba())).convert("RGB"), io.BytesIO()
        few = whole.quantize(SHADES, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        few.save(out, format="png", dpi=(72 * self.times, 72 * self.times), compress_level=6)
        return out.getvalue()


def _told(points: float) -> str:
    return f"{round(points * 20) / 20 + 0.0:.2f}".rstrip("0").rstrip(".")


@lru_cache(maxsize=64)
def _prop(size: float, bold: bool) -> FontProperties:
    from matplotlib.font_manager import FontProperties

    return FontProperties(family=[FONT], size=size, weight="bold" if bold else "normal")


def _colour(rgb: Any) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in rgb[:3])
