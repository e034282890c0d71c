"""What came of the simulated studies of each design: one row a situation, kept in `designs.csv`."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import NormalDist

from researchkit.errors import EstimationError
from researchkit.estimators.effect import Effect

RESULTS = Path(__file__).with_name("designs.csv")
PROMISED = 0.95


@dataclass(frozen=True)
class Tried:
    """One situation of a design: of `studies` that were answered, the share whose interval held the truth.

    `low` and `high` are Wilson's 95 % interval of that share: how far chance in the simulation can have moved it.
    """

    design: str
    situation: str
    studies: int
    held: float
    low: float
    high: float

    @property
    def standing(self) -> str:
        """ "holds", or "wide" or "narrow" where the share lies beyond what chance does to 95 %."""
        if self.low > PROMISED:
            return "wide"
        return "narrow" if self.high < PROMISED else "holds"

    @property
    def misses(self) -> bool:
        """Whether it lies 4 standard errors or more below: among a hundred situations chance hardly does that."""
        return bool(self.studies) and self.held < PROMISED - 4 * (PROMISED * (1 - PROMISED) / self.studies) ** 0.5


def counted(studies: int, study: Callable[[int], tuple[Callable[[], Effect], float]]) -> dict[str, float]:
    """Of so many studies: the share whose interval holds the truth, that find an effect, and that are refused.

    `study` gives, for each number, how its effect is estimated and what is true.
    """
    inside = found = refused = 0
    for number in range(studies):
        estimated, truth = study(number)
        try:
            effect = estimated()
        except EstimationError:
            refused += 1
            continue
        inside += effect.low <= truth <= effect.high
        found += effect.low > 0 or effect.high < 0
    ran = max(studies - refused, 1)
    return {"held": inside / ran, "found": found / ran, "refused": refused / studies}


def tried(design: str, situation: str, studies: int, held: int) -> Tried:
    """The row of a situation in which `held` of `studies` intervals held the truth."""
    if not studies:
        return Tried(design, situation, 0, float("nan"), 0.0, 1.0)
    return Tried(design, situation, studies, held / studies, *wilson(held, studies))


def wilson(held: int, studies: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (1927, Journal of the American Statistical Association 22, 209-212).

    Agrees with R `prop.test(held, studies, correct = FALSE)`.
    """
    square = NormalDist().inv_cdf(0.975) ** 2
    share, size = held / studies, studies + square
    middle = (held + square / 2) / size
    half = (square * (share * (1 - share) * studies + square / 4)) ** 0.5 / size
    return max(middle - half, 0.0), min(middle + half, 1.0)


def write(rows: Iterable[Tried], path: Path = RESULTS) -> None:
    """The rows as a table, every digit kept."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Tried)])
        writer.writerows(astuple(row) for row in rows)


def read(path: Path = RESULTS) -> tuple[Tried, ...]:
    """The rows of a table that `write` made; none where there is no table."""
    if not path.exists():
        return ()
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(
            Tried(
                line["design"],
                line["situation"],
                int(line["studies"]),
                *(float(line[name]) for name in ("held", "low", "high")),
            )
            for line in csv.DictReader(file)
        )
