"""Words of a drawing: how much room they take, and where they stand so that none covers another or leaves the page.

Sizes are points, places are points from the lower left corner. What is measured is the widest font that a page is
likely to be read in, so that another one leaves room to spare.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path
from string import printable
from typing import Any

import numpy as np
from numpy.typing import NDArray

FONT = "DejaVu Sans"
WIDTH = 340.0  # of a drawing; the page shows up to 580 px
SIZE, SMALL = 10.5, 10.0  # in the narrow column of a paper (3.35 in) 7.4 and 7.1 points
LINE, ABOVE, BELOW = 1.2, 0.76, 0.24  # of a letter's size: from line to line, over the baseline, and under it
MIDDLE = 0.36  # half the height of a capital
GAP = 1.5  # points between words

Box = tuple[float, float, float, float]  # left, bottom, right, top


@dataclass(frozen=True)
class Word:
    """Words at a place: `x` and `y` are where `across` (left, center, right) and `up` (bottom, center, top) lie."""

    text: str
    x: float
    y: float
    across: str = "left"
    up: str = "center"
    size: float = SIZE
    bold: bool = False
    colour: str = "#1f2933"

    @property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    @property
    def box(self) -> Box:
        wide, high = width(self.text, self.size, self.bold), height(self.text, self.size)
        left = self.x - wide * {"left": 0.0, "center": 0.5, "right": 1.0}[self.across]
        bottom = self.y - high * {"bottom": 0.0, "center": 0.5, "top": 1.0}[self.up]
        return left, bottom, left + wide, bottom + high

    def baselines(self) -> list[float]:
        """The height of each line's foot, from the first line down."""
        top = self.box[3]
        if self.up == "center":  # by the middle of capitals, which the eye takes for that of the line
            top = (
                self.y
                + MIDDLE * self.size
                + (len(self.lines) - 1) * LINE * self.size / 2
                + (ABOVE - 2 * MIDDLE) * self.size
            )
        return [top - ABOVE * self.size - place * LINE * self.size for place in range(len(self.lines))]

    def moved(self, x: float = 0.0, y: float = 0.0) -> Word:
        return replace(self, x=self.x + x, y=self.y + y)


def width(text: str, size: float = SIZE, bold: bool = False) -> float:
    """Of the longest line."""
    return max(_wide(line, bold) for line in text.split("\n")) * size


def height(text: str, size: float = SIZE) -> float:
    return size * (ABOVE + BELOW + LINE * text.count("\n"))


@lru_cache(maxsize=4096)
def _wide(line: str, bold: bool) -> float:
    """The width of a line at size 1; letters that our font has not are taken as wide as a square, or as an n."""
    from matplotlib.ft2font import LoadFlags

    font = _font(bold)
    known = "".join(letter for letter in line if font.get_char_index(ord(letter)))
    font.set_text(known or " ", flags=LoadFlags.NO_HINTING)
    other = [letter for letter in line if letter not in known]
    wide = sum(1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.65 for letter in other)
    return (float(font.get_width_height()[0]) / 64 / 100 if known else 0.0) + wide


@cache
def _font(bold: bool) -> Any:
    from matplotlib.font_manager import FontProperties, findfont
    from matplotlib.ft2font import FT2Font

    path = findfont(FontProperties(family=[FONT], weight="bold" if bold else "normal"))
    font = FT2Font(BytesIO(Path(path).read_bytes()))  # in memory: forked processes would share the place in a file
    font.set_size(100, 72)
    return font


def ready() -> None:
    """Measure the usual letters once, before kernels are forked: that takes longer than all words of a report."""
    for bold in (False, True):
        _wide(printable, bold)


def wrapped(text: str, wide: float, size: float = SIZE, bold: bool = False, most: int = 9) -> str:
    """Words on as many lines as they need, at most `most`; what is longer ends in an ellipsis."""
    lines: list[str] = []
    for word in text.split():
        joint = f"{lines[-1]} {word}" if lines else word
        if lines and width(joint, size, bold) <= wide:
            lines[-1] = joint
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return "\n".join(shortened(line, wide, size, bold) for line in lines) or " "


def shortened(text: str, wide: float, size: float = SIZE, bold: bool = False) -> str:
    """A line that is no wider than this, with an ellipsis where it was."""
    if width(text, size, bold) <= wide:
        return text
    fewest, most = 0, len(text)
    while fewest < most:
        middle = (fewest + most + 1) // 2
        if width(f"{text[:middle]}…", size, bold) <= wide:
            fewest = middle
        else:
            most = middle - 1
    return f"{text[:fewest].rstrip()}…"


def stacked(wanted: Sequence[float], heights: Sequence[float], low: float, high: float) -> list[float]:
    """Middles of words one over another, each as near to where it is wanted as the others leave it.

    Words that would touch share the way evenly; none leaves `low` to `high` while there is room.
    """
    blocks: list[tuple[list[int], float, float]] = []  # who, where it would begin, how high
    for place in sorted(range(len(wanted)), key=lambda one: wanted[one]):
        who, start, tall = [place], wanted[place] - heights[place] / 2, heights[place]
        start = max(min(start, high - tall), low)
        while blocks and blocks[-1][1] + blocks[-1][2] > start:
            under, begin, size = blocks.pop()
            start = (len(under) * begin + len(who) * (start - size)) / (len(under) + len(who))
            who, tall = [*under, *who], tall + size
            start = max(min(start, high - tall), low)
        blocks.append((who, start, tall))
    found = [0.0] * len(wanted)
    for who, start, _ in blocks:
        for one in who:
            found[one] = start + heights[one] / 2
            start += heights[one]
    return found


def settled(words: Sequence[Sequence[Word]], frame: Box, taken: Sequence[Box] = ()) -> list[Word]:
    """Each word at the first of its places where it covers nothing that stands there already, inside the frame.

    Parameters
    ----------
    words
        The places that each may take, the best one first; in order of weight, for the first choose first. Where all
        are taken in part, that which covers least.
    taken
        What else must not be covered.
    """
    full: list[Box] = list(taken)
    found = []
    for places in words:
        tries = [inside(place, frame) for place in places]
        best = tries[0] if len(tries) == 1 else _freest(tries, np.array(full).reshape(-1, 4))
        full.append(best.box)
        found.append(best)
    return found


def _freest(tries: Sequence[Word], full: NDArray[np.float64]) -> Word:
    """The first that covers nothing, or that which covers least."""
    least, best = math.inf, tries[0]
    for word in tries:
        left, bottom, right, top = word.box
        wide = np.minimum(right, full[:, 2]) - np.maximum(left, full[:, 0]) + GAP
        high = np.minimum(top, full[:, 3]) - np.maximum(bottom, full[:, 1])
        covered = float((wide.clip(0) * high.clip(0)).sum())
        if covered < least:
            least, best = covered, word
        if covered == 0:
            break
    return best


def inside(word: Word, frame: Box) -> Word:
    """The word moved by as little as brings it into the frame."""
    left, bottom, right, top = word.box
    x = max(frame[0] - left, min(0.0, frame[2] - right))
    y = max(frame[1] - bottom, min(0.0, frame[3] - top))
    return word.moved(x, y) if x or y else word
