"""What the calibration page and the table in CONTRIBUTING print: each number from the results, in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from researchkit import wording
from researchkit.calibrate.cells import KINDS, band
from researchkit.calibrate.limits import LIMITS
from researchkit.calibrate.studies import SEED
from researchkit.calibrate.tell import Row
from researchkit.calibrate.tried import Tried

LEFT, RIGHT, WIDTH = 0.80, 1.0, 200  # the axis of the drawings: shares at its ends, and its length
EXPOSED = {"half": "one in two exposed", "few": "few exposed", "number": "a number"}
STANDINGS = ("holds", "beyond", "refused", "misses")
WARNED = 0.5  # where at least so many answers carry a limit's note, the cell lies beyond the promise


def view(rows: Sequence[Row]) -> dict[str, Any]:
    """Everything that the page prints, from the rows of `calibration.csv`."""
    own = [row for row in rows if row.default]
    usual = _usual(rows)
    return {
        "cells": len(own),
        "studies": wording.count(sum(row.studies for row in own)),
        "fewest": wording.count(min(row.studies for row in own)),
        "seed": SEED,
        "tally": [(word, sum(standing(row) == word for row in own)) for word in STANDINGS],
        "bands": [_band(groups) for groups in (20, 8)],
        "limits": [(limit, why, _span(_beyond(own, limit))) for limit, why in LIMITS.items()],
        "kinds": [
            (name, [_line(row, usual.get(row.cell)) for row in own if row.kind == kind])
            for kind, (name, *_) in KINDS.items()
        ],
        "summary": summary(rows),
        "ticks": [(_place(share), wording.percent(share, 0)) for share in (0.8, 0.9, 0.95)],
    }


def designs(rows: Iterable[Tried]) -> list[tuple[str, list[dict[str, Any]]]]:
    """By design, what the page prints of each situation in `designs.csv`."""
    told: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        line = {
            "situation": row.situation,
            "standing": "misses" if row.misses else row.standing,
            "studies": wording.count(row.studies),
            "held": wording.percent(row.held) if row.studies else "",
            "limits": f"{wording.fixed(100 * row.low, 1)} to {wording.percent(row.high)}" if row.studies else "",
            "line": (_place(row.low), _place(row.high)),
            "dot": _place(row.held) if row.studies else None,
        }
        told.setdefault(row.design, []).append(line)
    return list(told.items())


def standing(row: Row) -> str:
    """ "holds", "refused" or "misses" as judged; "beyond" where the answers say themselves that the promise ends.

    That is where most of them do, or where those that do not keep it.
    """
    low, high = row.band
    beyond = row.warned >= WARNED or low <= row.quiet <= high
    return "beyond" if beyond and row.judged == "misses" else row.judged


def _usual(rows: Iterable[Row]) -> dict[str, Row]:
    """By cell, what CR1 made of the same studies."""
    return {row.cell: row for row in rows if row.errors == "CR1" and not row.default}


def _beyond(own: Iterable[Row], limit: str) -> list[Row]:
    return [row for row in own if row.warning == limit and (row.warned >= WARNED or standing(row) == "beyond")]


def summary(rows: Iterable[Row]) -> list[dict[str, str]]:
    """One line a kind of outcome: how many cells were answered, and what was found in those not beyond the promise."""
    told, every = [], list(rows)
    usual = _usual(every)
    for kind, (name, *_) in KINDS.items():
        own = [row for row in every if row.default and row.kind == kind and standing(row) in ("holds", "misses")]
        few = [usual[row.cell] for row in own if row.cell in usual and row.clusters < 20]
        none = [row for row in own if not row.effect]
        told.append(
            {
                "Kind of outcome": name,
                "Situations": str(len(own)),
                "Held the truth": _span(own),
                "Alarms without an effect": _range([row.found for row in none]),
                "Held by CR1 and t(G − 1), 8 clusters": _span(few),
            }
        )
    return told


def markdown(lines: Sequence[dict[str, str]]) -> str:
    """The summary as CONTRIBUTING prints it."""
    headers = list(lines[0])
    table = [headers, ["---"] * len(headers), *([line[header] for header in headers] for line in lines)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in table)


def note(rows: Iterable[Row]) -> str:
    """How many studies, from which seed, and how far chance in the simulation can have moved a share."""
    own = [row for row in rows if row.default and row.answered]
    fewest, worst = (
        wording.count(min(row.studies for row in own)),
        wording.fixed(100 * max(row.error for row in own), 1),
    )
    made = wording.count(sum(row.studies for row in own))
    return (
        f"{made} studies, at least {fewest} a situation, from the seed {SEED}; "
        f"the simulation error of a share is at most {worst} points."
    )


def _span(rows: Iterable[Row]) -> str:
    return _range([row.coverage for row in rows if row.answered])


def _range(shares: Sequence[float]) -> str:
    """ "93.9 to 95.6 %", or "none" of no share."""
    return f"{wording.fixed(100 * min(shares), 1)} to {wording.percent(max(shares))}" if shares else "none"


def _band(clusters: int) -> str:
    low, high = band(clusters)
    return f"{wording.fixed(100 * low, 1)} to {wording.percent(high)}"


def _line(row: Row, usual: Row | None) -> dict[str, Any]:
    """One situation, with its drawing."""
    answered = row.answered > 0
    found = wording.percent(row.found) if answered else ""
    return {
        "situation": _situation(row),
        "standing": standing(row),
        "errors": row.errors,
        "coverage": wording.percent(row.coverage) if answered else "",
        "error": f"± {wording.percent(row.error)}" if answered else "",
        "usual": wording.percent(usual.coverage) if usual and usual.answered else "",
        "alarms": found if not row.effect else "",
        "power": found if row.effect else "",
        "predicted": wording.percent(row.predicted, 0) if row.effect and answered else "",
        "bias": _bias(row) if answered else "",
        "says": _says(row),
        "drawing": _drawing(row, usual) if answered else None,
    }


def _situation(row: Row) -> str:
    where = f" in {row.clusters} clusters, exposure varies {row.across} them" if row.clusters else ""
    shape = "" if row.shape == "plain" else f", {row.shape}"
    return f"{wording.count(row.n)} people{where}; {EXPOSED[row.exposure]}{shape}"


def _bias(row: Row) -> str:
    """The bias in standard deviations of the estimate: what it does to an interval, whatever the unit."""
    return wording.fixed(row.bias / row.sd, 2, sign=True)


def _says(row: Row) -> str:
    told = []
    if row.answered < row.studies:
        told.append(f"refused in {wording.percent(row.refused)}: {row.reason}")
    if row.warning:
        told.append(f"{wording.percent(row.warned, 0)} of answers warn: {row.warning}")
        if row.warned < 1:
            told.append(f"the others held it in {wording.percent(row.quiet)}")
    return "; ".join(told)


def _drawing(row: Row, usual: Row | None) -> dict[str, Any]:
    low, high = row.band
    return {
        "band": (_place(low), _place(high) - _place(low)),
        "line": (_place(row.coverage - 1.96 * row.error), _place(row.coverage + 1.96 * row.error)),
        "dot": _place(row.coverage),
        "usual": _place(usual.coverage) if usual and usual.answered else None,
    }


def _place(share: float) -> float:
    """Where a share lies on the axis; what lies left of it is drawn at its end."""
    return WIDTH * (min(max(share, LEFT), RIGHT) - LEFT) / (RIGHT - LEFT)
