"""A sheet to draw on: axes in the house style, words that know of each other, and how both get onto a page.

A drawing is as wide as a phone and is enlarged on a desk, so that its words can be read on both, and in the narrow
column of a paper. It is made without pyplot: nothing is kept between drawings and no display hook can lose one. Lines
and areas are matplotlib's; words are placed when all of them are known, and the axes get the room that they leave.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from researchkit.figures import ink, letters
from researchkit.figures.letters import SIZE, SMALL, WIDTH, Box, Word

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

PAD, LEAST = 3.0, 40.0  # points: left free at the edges; of axes at the least
TICK, AIR, ROOM = 3.0, 3.5, 6.0  # points: of a tick, from it to its number, and around the axes' names
TIMES = 2  # dots a point
SLACK = 1e-6  # of an axis, over its ends
SHEETS = 4  # drawings of most reports
Ticks = Sequence[tuple[float, str]]
_spare: list[tuple[Drawing, Axes]] = []


class Spot(NamedTuple):
    """Where words may stand: a place of the data, or a share of the axes along ("x"), up ("y") or both ("xy").

    With "f", `y` are points over the foot of the page.
    """

    x: float
    y: float
    across: str = "left"
    up: str = "center"
    shift: tuple[float, float] = (0.0, 0.0)  # points away from there
    of: str = ""


class Sheet:
    """One drawing under way.

    `axes` takes lines and areas; `say` takes words. `along` names what runs along the foot, `above` what runs up,
    which is read at the top; `key` stands below all. `x` and `y` are the ticks; left alone they are round numbers, at
    most `most` of them.
    """

    def __init__(self, drawing: Drawing, axes: Axes) -> None:
        self.drawing, self.axes = drawing, axes
        self.along = self.above = self.key = ""
        self.x: Ticks | None = None
        self.y: Ticks | None = None
        self.most = (6, 5)
        self.left = True  # whether there is a line at the left
        self.head = self.foot = 0.0  # points above and below the axes, for words and rows of numbers
        self._words: list[tuple[Word, tuple[Spot, ...]]] = []
        self._late: list[tuple[Word, tuple[Spot, ...]]] = []
        self._ends: list[tuple[Word, float]] = []
        self._taken: list[tuple[float, float, float]] = []

    def say(
        self,
        text: object,
        *spots: Spot,
        colour: str = ink.INK,
        size: float = SIZE,
        bold: bool = False,
        late: bool = False,
    ) -> None:
        """Words at the first of some places where they cover nothing; `late` ones after all others."""
        word = Word(str(text), 0.0, 0.0, size=size, bold=bold, colour=colour)
        (self._late if late else self._words).append((word, spots))

    def end(self, text: object, y: float, colour: str) -> None:
        """The name of a line at its right end; names that would touch are moved apart."""
        words = letters.wrapped(ink.clean(text), 84, SMALL, bold=True, most=3)
        self._ends.append((Word(words, 0.0, 0.0, size=SMALL, bold=True, colour=colour), float(y)))

    def around(self, x: float, y: float, size: float = 4.0) -> None:
        """A mark that words keep clear of, so many points around its middle."""
        self._taken.append((float(x), float(y), size))

    def beside(self, x: Any, y: Any, size: float = 1.5) -> None:
        """A line that words keep clear of."""
        x, y = np.asarray(x, float), np.asarray(y, float)
        at = np.linspace(0, len(x) - 1, max(40, len(x))) if len(x) > 1 else np.zeros(1)
        steps = np.arange(len(x))
        self._taken += [(*one, size) for one in zip(np.interp(at, steps, x), np.interp(at, steps, y), strict=True)]

    def band(self, limits: tuple[float, float] | None, *, upright: bool = False, beside: bool = False) -> None:
        """The band of what is too small to matter, named.

        `upright` where the effect runs along the foot; `beside`: named at its end, where marks fill the drawing.
        """
        if limits is None:
            return
        words, (low, high) = "too small to matter", limits
        if upright:
            self.axes.axvspan(low, high, color=ink.BAND, linewidth=0, zorder=0)
            spots = [Spot((low + high) / 2, 1.0, "center", "bottom", (0.0, 2.0), "y")]
            self.head = max(self.head, letters.height(words, SMALL) + 3)
        else:
            self.axes.axhspan(low, high, color=ink.BAND, linewidth=0, zorder=0)
            if beside:
                self.end(words, (low + high) / 2, ink.MUTE)
                return
            ends = ((1.0, "right", -3.0), (0.0, "left", 4.0), (0.5, "center", 0.0))
            sides = ((high, "top", -1.5), (low, "bottom", 1.5), (high, "bottom", 1.5), (low, "top", -1.5))
            spots = [Spot(x, y, across, up, (dx, dy), "x") for y, up, dy in sides for x, across, dx in ends]
        self.say(words, *spots, size=SMALL, late=True)  # in full ink: it may stand upon an interval

    def widest(self) -> float:
        """Points of the widest number along the foot, half of which may stand over either end of the axes."""
        return max((letters.width(text, SMALL) for _, text in self._ticks(0)), default=0.0)

    def printed(self) -> tuple[str, bytes]:
        """The drawing as stand-alone SVG and as PNG at twice its size. Call it inside `sheet`."""
        from researchkit.figures.vector import Vector

        wide, high = (float(72 * side) for side in self.drawing.get_size_inches())
        page = Vector(wide, high, TIMES, SIZE)
        x, y = self._ticks(0), self._ticks(1)
        box = self._fitted(wide, high, x, y)
        x = _apart(x, box)
        self._frame(page, box, x, y)
        self.drawing.draw(page)  # type: ignore[arg-type]  # stands in the place of a renderer
        for word in self._placed(box, (PAD / 2, PAD / 2, wide - PAD / 2, high - PAD / 2), x, y):
            page.write(word)
        return page.svg(f"'{letters.FONT}',sans-serif"), page.png()

    def _ticks(self, way: int) -> list[tuple[float, str]]:
        """(share of the axis, number) each."""
        low, high = (self.axes.get_xlim, self.axes.get_ylim)[way]()
        given = (self.x, self.y)[way]
        log = (self.axes.get_xscale, self.axes.get_yscale)[way]() == "log"
        ticks = given if given is not None else ratios(low, high) if log else numbers(low, high, self.most[way])
        if log:
            ticks = [(float(np.log(at / low) / np.log(high / low)), text) for at, text in ticks]
        else:
            ticks = [((at - low) / (high - low), text) for at, text in ticks]
        return [(share, text) for share, text in ticks if -SLACK <= share <= 1 + SLACK]

    def _fitted(self, wide: float, high: float, x: Ticks, y: Ticks) -> Box:
        """The axes (left, bottom, right, top), as large as leaves room for the words around them."""
        left = max((letters.width(text, SMALL) for _, text in y), default=0.0) + (TICK + AIR if y else 0.0) + PAD
        foot = max((letters.height(text, SMALL) for _, text in x), default=0.0) + (TICK + AIR if x else 0.0)
        self.along = letters.wrapped(ink.clean(self.along), wide - 2 * PAD, SMALL) if self.along else ""
        self.above = letters.wrapped(ink.clean(self.above), wide - 2 * PAD, SMALL) if self.above else ""
        self.foot += letters.height(self.key, SMALL) + ROOM if self.key else 0.0
        bottom = PAD + foot + self.foot + (letters.height(self.along, SMALL) + AIR if self.along else 0.0)
        top = high - PAD - self.head - (letters.height(self.above, SMALL) + ROOM if self.above else 0.0)
        ends = max((letters.width(word.text, SMALL, bold=True) + 7 for word, _ in self._ends), default=0.0)
        right = wide - PAD - ends
        for share, text in x:  # numbers at the foot may reach over the axes' ends, not over the page's
            half = letters.width(text, SMALL) / 2
            left = max(left, PAD + half - share * (right - left))
            right = min(right, wide - PAD - half + (1 - share) * (right - left))
        right, top = max(right, left + LEAST), max(top, bottom + LEAST)
        self.axes.set_position((left / wide, bottom / high, (right - left) / wide, (top - bottom) / high))
        return left, bottom, right, top

    def _frame(self, page: Any, box: Box, x: Ticks, y: Ticks) -> None:
        """The lines of the axes, their ticks, and what is under the words: drawn, not written."""
        left, bottom, right, top = box
        page.line([(left, bottom), (right, bottom)], ink.MUTE, 0.8)
        if self.left:
            page.line([(left, bottom), (left, top)], ink.MUTE, 0.8)
        for share, _ in x:
            page.line([(at := left + share * (right - left), bottom), (at, bottom - TICK)], ink.MUTE, 0.8)
        for share, _ in y:
            page.line([(left - TICK, at := bottom + share * (top - bottom)), (left, at)], ink.MUTE, 0.8)

    def _placed(self, box: Box, frame: Box, x: Ticks, y: Ticks) -> list[Word]:
        """Every word at its place."""
        left, bottom, right, top = box
        down, away = bottom - TICK - AIR, left - TICK - AIR
        mute: Any = {"size": SMALL, "colour": ink.MUTE}
        fixed = [Word(text, left + share * (right - left), down, "center", "top", **mute) for share, text in x]
        fixed += [Word(text, away, bottom + share * (top - bottom), "right", "center", **mute) for share, text in y]
        if self.along:
            at = letters.inside(
                Word(self.along, (left + right) / 2, frame[1] + self.foot, "center", "bottom", **mute), frame
            )
            fixed.append(at)
        if self.key:
            fixed.append(Word(self.key, frame[0], frame[1], "left", "bottom", SMALL))
        if self.above:
            fixed.append(Word(self.above, frame[0], frame[3], "left", "top", **mute))
        middles = [self._at(Spot(0.0, y, of="x"), box)[1] for _, y in self._ends]
        heights = [letters.height(word.text, SMALL) for word, _ in self._ends]
        stacked = letters.stacked(middles, heights, bottom - ROOM, frame[3])
        fixed += [replace(word, x=right + 5, y=middle) for (word, _), middle in zip(self._ends, stacked, strict=True)]
        taken = self._covered()
        choices = [[self._hung(word, spot, box) for spot in spots] for word, spots in [*self._words, *self._late]]
        free = letters.settled(choices, frame, [*taken, *(word.box for word in fixed)])
        return [*fixed, *free]

    def _hung(self, word: Word, spot: Spot, box: Box) -> Word:
        x, y = self._at(spot, box)
        return replace(word, x=x + spot.shift[0], y=y + spot.shift[1], across=spot.across, up=spot.up)

    def _at(self, spot: Spot, box: Box) -> tuple[float, float]:
        """A spot in points."""
        left, bottom, right, top = box
        x, y = spot.x, spot.y
        if "x" in spot.of:
            x = left + spot.x * (right - left)
        if "f" in spot.of:
            y = PAD + spot.y
        elif "y" in spot.of:
            y = bottom + spot.y * (top - bottom)
        inner = self.axes.transData.transform((1.0 if "x" in spot.of and self._log() else spot.x, spot.y)) / TIMES
        return (x if "x" in spot.of else float(inner[0])), (y if {"y", "f"} & set(spot.of) else float(inner[1]))

    def _log(self) -> bool:
        return bool(self.axes.get_xscale() == "log")

    def _covered(self) -> list[Box]:
        """What is drawn where no words should stand."""
        if not self._taken:
            return []
        around = np.array(self._taken)
        x, y = (self.axes.transData.transform(around[:, :2]) / TIMES).T
        size = around[:, 2]
        boxes = np.stack([x - size, y - size, x + size, y + size], axis=1)
        return [tuple(one) for one in boxes[np.isfinite(boxes).all(axis=1)].tolist()]


def _apart(ticks: list[tuple[float, str]], box: Box) -> list[tuple[float, str]]:
    """Ticks along the foot whose numbers do not touch: all of them, or every second, third, ..."""
    for step in range(1, len(ticks) + 1):
        shown = ticks[::step]
        edges = [
            (box[0] + at * (box[2] - box[0]) - half, box[0] + at * (box[2] - box[0]) + half)
            for at, text in shown
            for half in [letters.width(text, SMALL) / 2]
        ]
        if all(one[1] + 4 <= other[0] for one, other in pairwise(edges)):
            return shown
    return ticks[:1]


def numbers(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """Few round ticks, written the way the text writes numbers."""
    from matplotlib.ticker import MaxNLocator

    low, high = min(low, high), max(low, high)
    found = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    slack = 1e-9 * (high - low)
    inner = [float(value) for value in found if low - slack <= value <= high + slack]
    return [(value if abs(value) > slack else 0.0, ink.number(value if abs(value) > slack else 0.0)) for value in inner]


def ratios(low: float, high: float) -> list[tuple[float, str]]:
    """Ratios at equal distances where they multiply: half is as far from 1 as twice."""
    steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]
    inner = [step for step in steps if low <= step <= high]
    return [(step, f"{step:g}") for step in inner or [low, high]]


@contextmanager
def sheet(height: float) -> Iterator[Sheet]:
    """An empty sheet `height` points high with one pair of axes, in the house style."""
    import matplotlib as mpl
    import seaborn as sns

    with mpl.rc_context(sns.axes_style("ticks") | ink.STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # the page has fonts that we do not
        drawing, axes = _spare.pop() if _spare else _empty()
        drawing.set_size_inches(WIDTH / 72, height / 72)
        yield Sheet(drawing, axes)


def _empty() -> tuple[Drawing, Axes]:
    """A drawing with one pair of axes. Call it in the style of `sheet`."""
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(dpi=72 * TIMES)
    axes = drawing.add_axes((0.1, 0.1, 0.8, 0.8))
    axes.set_axis_off()  # its lines and words are ours
    return drawing, axes


def ready() -> None:
    """Lay the sheets of a report aside, empty, before kernels are forked: making one takes a tenth of its drawing."""
    import matplotlib as mpl
    import seaborn as sns

    with mpl.rc_context(sns.axes_style("ticks") | ink.STYLE):
        _spare.extend(_empty() for _ in range(SHEETS))
