"""An interval small enough for a line of the index."""

from __future__ import annotations

import math

WIDTH, HEIGHT, EDGE, MARGINS = 200.0, 26.0, 6.0, 4.0
BOX = f'viewBox="0 0 {WIDTH:.0f} {HEIGHT:.0f}" aria-hidden="true" focusable="false"'


def mini(estimate: float, low: float, high: float, margin: float, *, bare: bool = False) -> str:
    """A dot and its line on the scale of what matters: from -4 to 4 times the smallest effect that matters.

    So drawn, effects in points, days and per cent can be read down one column. An interval that leaves the scale ends
    in an arrow. Purely a picture: the numbers stand beside it, so it is hidden from screen readers. `bare` leaves out
    the ground and the frame, for a page that draws both once and has many lines (`ground`).
    """
    if not all(map(math.isfinite, (estimate, low, high, margin))) or margin <= 0:
        return ""
    left, right, dot = (_place(value / margin) for value in (low, high, estimate))
    middle = HEIGHT / 2
    line = f'<path class="line" d="M{left:.1f} {middle}H{right:.1f}"/>'
    off = (_arrow(EDGE, -1) if low / margin < -MARGINS else "") + (
        _arrow(WIDTH - EDGE, 1) if high / margin > MARGINS else ""
    )
    point = f'<circle class="dot" cx="{dot:.1f}" cy="{middle}" r="4.5"/>' if abs(estimate / margin) <= MARGINS else ""
    return f"{line}{off}{point}" if bare else f'<svg class="mini" {BOX}>{ground()}{line}{off}{point}</svg>'


def ground() -> str:
    """What every line is drawn on: the band of what is too small to matter, the axis, and zero."""
    band = f'<rect class="band" x="{_place(-1):.1f}" width="{_place(1) - _place(-1):.1f}" height="{HEIGHT:.0f}"/>'
    axis = f'<path class="axis" d="M{EDGE:.0f} {HEIGHT / 2}H{WIDTH - EDGE:.0f}"/>'
    return f'{band}{axis}<path class="zero" d="M{_place(0):.1f} 0V{HEIGHT:.0f}"/>'


def _place(margins: float) -> float:
    """Where so many margins stand, kept inside the drawing."""
    share = (max(-MARGINS, min(MARGINS, margins)) + MARGINS) / (2 * MARGINS)
    return EDGE + share * (WIDTH - 2 * EDGE)


def _arrow(tip: float, way: int) -> str:
    middle = HEIGHT / 2
    end, back = tip + 4 * way, tip - 4 * way
    return f'<path class="arrow" d="M{back:.1f} {middle - 5}L{end:.1f} {middle}L{back:.1f} {middle + 5}Z"/>'
