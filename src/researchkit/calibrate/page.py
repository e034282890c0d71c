"""The results as a page and as a small table: words and drawings, made from `calibration.csv` alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from researchkit import wording
from researchkit.calibrate.cells import KINDS, band
from researchkit.calibrate.limits import LIMITS, MOSTLY
from researchkit.calibrate.studies import ALIKE, SEED
from researchkit.calibrate.tell import Row, read

WIDTH, HEIGHT, EDGE = 220.0, 22.0, 5.0
FROM, TO = 0.78, 1.0  # coverage at the left and right of a drawing
EXPOSURES = {"half": "one in two exposed", "few": "few exposed", "number": "exposure is a number"}
SHAPES = {
    "plain": "",
    "skewed": "skewed",
    "uneven": "spread grows with the exposure",
    "heavy": "very skewed, and spread grows with the exposure",
    "rare": "rare",
}


def page() -> dict[str, Any]:
    """What the page shows, worded: a section a kind, with a line a cell; what was changed; where the promise ends."""
    rows = read()
    own = [row for row in rows if row.default]
    by_cell = {row.cell: [other for other in rows if other.cell == row.cell and not other.default] for row in own}
    sections = [
        (kind, wording.capital(called), [_line(row, by_cell[row.cell]) for row in own if row.kind == kind])
        for kind, (called, *_) in KINDS.items()
    ]
    return {
        "sections": sections,
        "tally": _tally(own),
        "table": summary(rows),
        "changes": changes(rows),
        "limits": _limits(own),
        "studies": wording.count(sum(row.studies for row in own)),
        "cells": len(own),
        "fewest": wording.count(min(row.studies for row in own)),
        "most": wording.count(max(row.studies for row in own)),
        "error": _points(max(row.error for row in own if row.judged != "refused")),
        "alike": wording.percent(ALIKE, 0),
        "seed": str(SEED),
        "example": own[0].cell,
        "from_to": [wording.fixed(100 * edge, 0) for edge in (FROM, TO)],
        "bands": [" to ".join(wording.fixed(100 * edge, 1) for edge in band(clusters)) for clusters in (0, 8)],
        "key": _drawing(0.951, 0.005, band(0), [("CR1", 0.87)]),
    }


def summary(rows: Sequence[Row]) -> list[dict[str, str]]:
    """One line for each kind of outcome: how often the interval held the truth, at the least and the most."""
    own = [row for row in rows if row.default and row.judged != "refused"]
    lines = []
    for kind, (called, *_) in KINDS.items():
        groups = {
            "none": [row for row in own if row.kind == kind and not row.clusters],
            "8": [row for row in own if row.kind == kind and 0 < row.clusters < 20],
            "20 or 60": [row for row in own if row.kind == kind and row.clusters >= 20],
        }
        errors = dict.fromkeys(row.errors.split(" or ")[0] for row in own if row.kind == kind)
        kept = {name: [row for row in group if not limit_of(row)] for name, group in groups.items()}
        null = [row for row in own if row.kind == kind and not row.effect and not limit_of(row)]
        lines.append(
            {
                "kind": called,
                "errors": ", ".join(errors),
                **{name: _span(row.coverage for row in group) for name, group in kept.items()},
                "alarms": _span(row.found for row in null),
                "beyond": str(sum(bool(limit_of(row)) for row in own if row.kind == kind)),
            }
        )
    return lines


def changes(rows: Sequence[Row]) -> list[str]:
    """What was changed because of the results, with the numbers that show why."""
    usual = [row for row in rows if row.errors == "CR1" and row.kind not in ("score", "change")]
    own = {row.cell: row for row in rows if row.default}

    def told(few: Iterable[Row]) -> str:
        before = [row for row in few if not limit_of(own[row.cell])]
        return f"{_span(row.coverage for row in before)} (now {_span(own[row.cell].coverage for row in before)})"

    eight = told(row for row in usual if row.clusters == 8)
    more = told(row for row in usual if row.clusters >= 20 and row.across == "between")
    plain = told(row for row in rows if row.errors == "CR1" and row.kind in ("score", "change") and row.clusters == 8)
    return [
        "Yes or no, ordered answers, counts and durations in clusters: the usual clustered errors (CR1, read by t "
        "with one degree of freedom less than there are clusters) held the truth in "
        f"{eight} of 100 studies with 8 clusters, and in {more} with 20 or 60 clusters whose members share their "
        "exposure. Each cluster's part is now corrected for how far it pulled the fit towards itself (CR2), and read "
        "by Satterthwaite's degrees of freedom.",
        "Among fewer than 100 people, or with fewer than 50 of the rarer outcome, yes or no and ordered answers have "
        "the same correction with every person a cluster (HC2); counts and durations always have.",
        f"Scores in clusters had CR2 from the start: CR1 would have held the truth in {plain} of 100 with 8 clusters.",
        "A share of top answers is refused with fewer than 5 people in the top group or below it.",
        "An answer from few events, or from very skewed scores, says how far its interval can be trusted.",
    ]


def limit_of(row: Row) -> str:
    """Why a cell may lie outside its band, said by most of its answers; "" where it has to keep the promise."""
    return LIMITS[row.warning] if row.warned > MOSTLY else ""


def _tally(own: Sequence[Row]) -> list[tuple[str, str, int]]:
    kept = [row for row in own if row.judged == "holds"]
    known = [row for row in own if row.judged == "misses"]
    refused = [row for row in own if row.judged == "refused"]
    return [
        ("situations keep the promise", "good", len(kept)),
        ("do not, for a known reason", "against", len(known)),
        ("are mostly refused", "open", len(refused)),
    ]


def _limits(own: Sequence[Row]) -> list[dict[str, Any]]:
    """Each reason why some cells lie outside their band, with what was found there."""
    groups: dict[str, list[Row]] = {}
    for row in own:
        if row.judged != "refused" and (reason := limit_of(row)):
            groups.setdefault(reason, []).append(row)
    return [
        {
            "warning": group[0].warning,
            "reason": reason,
            "span": _span(row.coverage for row in group),
            "cells": len(group),
            "outside": sum(row.judged == "misses" for row in group),
        }
        for reason, group in groups.items()
    ]


def _line(row: Row, others: Sequence[Row]) -> dict[str, Any]:
    """One situation, worded."""
    words = [EXPOSURES[row.exposure], f"varies {row.across} clusters" if row.across else "", SHAPES[row.shape]]
    if row.exposure == "few" and row.across == "between":
        words[0] = "one cluster in four exposed"
    shown = row.judged != "refused"
    return {
        "people": wording.count(row.n),
        "clusters": f" in {row.clusters} clusters" if row.clusters else "",
        "words": "; ".join(word for word in words if word),
        "errors": row.errors or "none",
        "df": f"df {wording.number(row.df)}" if row.df == row.df and row.df < row.n else "",
        "judged": row.judged,
        "warns": bool(limit_of(row)),
        "svg": _drawing(row.coverage, row.error, row.band, [(one.errors, one.coverage) for one in others])
        if shown
        else "",
        "coverage": wording.fixed(100 * row.coverage, 1) if row.answered else "–",
        "error": _points(row.error) if row.answered else "",
        "others": ", ".join(f"{one.errors} {wording.fixed(100 * one.coverage, 1)}" for one in others),
        "null": not row.effect,
        "found": wording.percent(row.found) if row.answered else "–",
        "predicted": wording.percent(row.predicted, 0) if row.answered and row.effect else "",
        "bias": wording.fixed(row.bias / row.sd, 2, sign=True) if row.answered else "–",
        "ratio": wording.fixed(row.se / row.sd, 2) if row.answered else "–",
        "refused": wording.percent(row.refused) if row.answered < row.studies else "",
        "reason": row.reason if row.answered < row.studies else "",
        "studies": wording.count(row.studies),
    }


def _drawing(coverage: float, error: float, good: tuple[float, float], others: Sequence[tuple[str, float]]) -> str:
    """Coverage as a dot with twice its simulation error, on the band that is good enough; other errors as rings.

    Purely a picture: the numbers stand beside it, so it is hidden from screen readers.
    """
    middle, height = wording.fixed(HEIGHT / 2, 1), wording.fixed(HEIGHT, 0)
    width = wording.fixed(_place(good[1]) - _place(good[0]), 1)
    parts = [
        f'<rect class="band" x="{_at(good[0])}" width="{width}" height="{height}"/>',
        f'<path class="zero" d="M{_at(0.95)} 0V{height}"/>',
        *(f'<circle class="ring" cx="{_at(one)}" cy="{middle}" r="3.5"/>' for _, one in others),
        f'<path class="line" d="M{_at(coverage - 2 * error)} {middle}H{_at(coverage + 2 * error)}"/>',
        f'<circle class="dot" cx="{_at(coverage)}" cy="{middle}" r="4.5"/>',
    ]
    box = f'viewBox="0 0 {wording.fixed(WIDTH, 0)} {height}" aria-hidden="true" focusable="false"'
    return f'<svg class="mini" {box}>{"".join(parts)}</svg>'


def _place(coverage: float) -> float:
    share = (min(max(coverage, FROM), TO) - FROM) / (TO - FROM)
    return EDGE + share * (WIDTH - 2 * EDGE)


def _at(coverage: float) -> str:
    return wording.fixed(_place(coverage), 1)


def _points(share: float) -> str:
    return wording.fixed(100 * share, 1)


def _span(shares: Iterable[float]) -> str:
    """The least and the most of some shares, in per cent."""
    every = sorted(shares)
    if not every:
        return "–"
    low, high = (wording.fixed(100 * edge, 1) for edge in (every[0], every[-1]))
    return low if low == high else f"{low} to {high}"
