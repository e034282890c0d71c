"""The grid: the situations in which the intervals are put to the test, crossed with the kinds of outcome.

Not every combination: each situation below meets every kind, and the situations together cross number of people,
clusters, where the exposure varies, how it is spread, how hard the outcome is, and whether there is an effect.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

KINDS = {  # a kind of outcome: what it is called, and its two hard shapes
    "score": ("score", "skewed", "uneven"),
    "change": ("change from baseline", "skewed", "uneven"),
    "yes_no": ("yes or no", "rare", "rare"),
    "share": ("share of the top answers", "rare", "rare"),
    "nps": ("Net Promoter Score", "rare", "rare"),
    "counts": ("counts", "skewed", "rare"),
    "duration": ("duration", "skewed", "rare"),
    "competing": ("duration with competing ends", "skewed", "rare"),
}
# What an effect of 1 standard deviation of a score is on a kind's own scale, by the noise that it has there.
SIZES = {"score": 1.0, "change": 1.0, "yes_no": 2.0, "share": 1.8, "nps": 1.8, "counts": 0.8, "duration": 1.3}
SIZES["competing"] = 1.6
HARDER = {  # and how much larger one must be to be seen as well in a hard shape
    ("yes_no", "rare"): 2.0,
    ("counts", "skewed"): 1.5,
    ("counts", "rare"): 3.5,
    ("duration", "rare"): 2.3,
    ("competing", "rare"): 1.9,
}
# people, clusters, where the exposure varies, how it is spread, how hard (0 to 2), effect in standard deviations
SITUATIONS = (
    (60, 0, "", "half", 0, 0.0),
    (60, 0, "", "half", 1, 0.7),
    (60, 0, "", "number", 0, 0.35),
    (120, 0, "", "number", 0, 0.25),
    (200, 0, "", "half", 0, 0.4),
    (200, 0, "", "few", 0, 0.0),
    (400, 0, "", "few", 1, 0.4),
    (400, 0, "", "number", 2, 0.0),
    (1000, 0, "", "half", 1, 0.0),
    (1000, 0, "", "few", 2, 0.25),
    (1000, 0, "", "number", 0, 0.08),
    (240, 8, "within", "half", 0, 0.4),
    (480, 8, "within", "few", 1, 0.0),
    (240, 8, "between", "half", 0, 0.0),
    (480, 8, "between", "half", 1, 0.9),
    (240, 8, "between", "few", 0, 0.0),
    (240, 8, "between", "number", 0, 0.3),
    (400, 20, "within", "half", 0, 0.0),
    (400, 20, "within", "number", 2, 0.15),
    (400, 20, "between", "half", 0, 0.5),
    (400, 20, "between", "half", 1, 0.0),
    (400, 20, "between", "few", 0, 0.0),
    (400, 20, "between", "number", 0, 0.0),
    (600, 60, "within", "few", 1, 0.3),
    (600, 60, "between", "half", 0, 0.35),
    (600, 60, "between", "few", 2, 0.0),
    (600, 60, "between", "number", 0, 0.0),
)
BEYOND = (  # scores as skewed as hardly any is: where the promise ends
    (200, 0, "", "few", 0.6),
    (1000, 0, "", "few", 0.0),
    (400, 20, "within", "number", 0.0),
)


@dataclass(frozen=True)
class Cell:
    """One situation of one kind of outcome.

    `clusters` is 0 where there are none. `across` says where the exposure varies: "within" clusters (and between
    them), or "between" them only. `exposure` is "half" (0/1, one in two), "few" (0/1, about one in six, or one cluster
    in four) or "number". `shape` is "plain"; "skewed" (log-normal errors, bunched counts, hazards that fall); "uneven"
    (errors spread wider with the exposure); "heavy" (both, and far more skewed); or "rare" (about one in twenty).
    `effect` is on the scale of the kind's model: points, log odds, log rate or log hazard.
    """

    kind: str
    n: int
    clusters: int
    across: str
    exposure: str
    shape: str
    effect: float

    @property
    def id(self) -> str:
        """A name such as "yes_no-n240-c8-between-half-rare-zero"; the seed of each study is made from it."""
        groups = f"c{self.clusters}-{self.across}" if self.clusters else "c0"
        return f"{self.kind}-n{self.n}-{groups}-{self.exposure}-{self.shape}-{'effect' if self.effect else 'zero'}"


def band(clusters: int) -> tuple[float, float]:
    """Coverage that is good enough for a 95 % interval: closer with 20 clusters or more, or none, than with 8."""
    return (0.925, 0.975) if 0 < clusters < 20 else (0.935, 0.965)


def grid(pattern: str = "") -> tuple[Cell, ...]:
    """Every cell whose id holds the regular expression `pattern`, in order."""
    cells = []
    for kind, (_, *hard) in KINDS.items():
        for n, clusters, across, exposure, how, size in SITUATIONS:
            shape = ("plain", *hard)[how]
            effect = size * SIZES[kind] * HARDER.get((kind, shape), 1.0)
            cells.append(Cell(kind, n, clusters, across, exposure, shape, effect))
        if kind in ("score", "change"):
            cells += [Cell(kind, n, groups, across, how, "heavy", size) for n, groups, across, how, size in BEYOND]
    return tuple(cell for cell in cells if re.search(pattern, cell.id))
