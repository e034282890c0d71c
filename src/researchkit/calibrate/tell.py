"""What came of a cell's studies: one row for the estimator's own errors, one for each kind they are compared with."""

from __future__ import annotations

import csv
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from researchkit.calibrate.cells import Cell, band

RESULTS = Path(__file__).with_name("calibration.csv")
FIRST = 25  # studies whose mean is kept to the last digit, so that a test can make them again
MOST_REFUSED = 0.5  # where more are refused, those answered are no fair draw
ALPHA = 0.05
NUMBERS = ("truth", "bias", "sd", "se", "df", "coverage", "below", "above", "found", "predicted")

OWN = "own"  # the estimator's own errors; others are those they are compared with
# Of one study: {"why": reason}, or by errors [estimate, se, low, high, p, df or None, truth], then, for its own, their
# name and what the answer warns of
Outcome = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One cell under one kind of errors.

    `coverage`, `below` and `above` are shares of the answered studies whose interval held the truth, lay wholly below
    it, and wholly above it; `found` is the share with p < 0.05: false alarms where `effect` is 0, power elsewhere.
    `predicted` is the power that `robustness.design_figures` gives at the mean standard error and `df`. `truth`,
    `bias`, `sd` (of the estimates around each study's truth) and `se` (its mean) are in the outcome's unit; `df` is the
    median. `reason` is the commonest for which studies were refused, `warned` the share of answers with the note
    `warning`, and `quiet` the coverage among the answers that warn of nothing.
    """

    cell: str
    kind: str
    n: int
    clusters: int
    across: str
    exposure: str
    shape: str
    effect: float
    errors: str
    default: bool
    studies: int
    answered: int
    reason: str
    warning: str
    warned: float
    quiet: float
    truth: float
    bias: float
    sd: float
    se: float
    df: float
    coverage: float
    below: float
    above: float
    found: float
    predicted: float
    first_estimate: float
    first_se: float

    @property
    def band(self) -> tuple[float, float]:
        return band(self.clusters)

    @property
    def error(self) -> float:
        """Standard error of the coverage, from the number of studies."""
        return math.sqrt(self.coverage * (1 - self.coverage) / self.answered) if self.answered else math.nan

    @property
    def bias_error(self) -> float:
        """Standard error of the bias, from the number of studies."""
        return self.sd / math.sqrt(self.answered) if self.answered else math.nan

    @property
    def refused(self) -> float:
        """Share of the studies that the estimator refused to answer."""
        return 1 - self.answered / self.studies

    @property
    def judged(self) -> str:
        """ "holds" where the coverage found lies in the band, "misses" where not; "refused" where most studies were."""
        if self.refused > MOST_REFUSED:
            return "refused"
        return "holds" if self.band[0] <= self.coverage <= self.band[1] else "misses"

    @property
    def near(self) -> bool:
        """Whether more studies are needed to tell: outside the band, or closer to an edge than the simulation error."""
        low, high = self.band
        return self.judged != "refused" and not low + self.error <= self.coverage <= high - self.error

    @property
    def undecided(self) -> bool:
        """Whether it misses by less than the simulation error."""
        return self.judged == "misses" and min(abs(self.coverage - edge) for edge in self.band) < self.error


def told(cell: Cell, outcomes: Sequence[Outcome]) -> list[Row]:
    """The rows of a cell, the estimator's own errors first, from the outcomes of its studies in their order."""
    others = dict.fromkeys(name for outcome in outcomes for name in outcome if name not in ("why", OWN))
    return [_row(cell, outcomes, name) for name in (OWN, *others)]


def _row(cell: Cell, outcomes: Sequence[Outcome], name: str) -> Row:
    answers = [outcome[name] for outcome in outcomes if name in outcome]
    first = [outcome[name][:2] for outcome in outcomes[:FIRST] if name in outcome]
    means = [float(mean) for mean in np.mean(first, axis=0)] if first else [math.nan, math.nan]
    names = Counter(answer[7] for answer in answers) if name == OWN else {name: 1}
    warnings = Counter(answer[8] for answer in answers if answer[8]) if name == OWN else Counter()
    warning = warnings.most_common(1)[0][0] if warnings else ""
    return Row(
        cell=cell.id,
        **{field.name: getattr(cell, field.name) for field in fields(Cell)},
        errors=" or ".join(sorted(names, key=lambda one: -names[one])),
        default=name == OWN,
        studies=len(outcomes),
        answered=len(answers),
        reason=_commonest(outcome["why"] for outcome in outcomes if "why" in outcome),
        warning=warning,
        warned=warnings[warning] / len(answers) if warning else 0.0,
        quiet=_held([answer for answer in answers if name != OWN or not answer[8]]),
        **(_numbers(cell, answers) if answers else dict.fromkeys(NUMBERS, math.nan)),
        first_estimate=means[0],
        first_se=means[1],
    )


def _numbers(cell: Cell, answers: Sequence[Sequence[Any]]) -> dict[str, Any]:
    from researchkit.robustness import design_figures

    plain = [[math.inf if one is None else one for one in answer[:7]] for answer in answers]
    estimate, se, low, high, p, df, truth = np.array(plain, dtype=float).T
    below, above = high < truth, low > truth
    away = estimate - truth
    freedom = None if np.isinf(np.median(df)) else float(np.median(df))
    figures = {"power": ALPHA}
    if cell.effect:
        figures = design_figures(float(se.mean()), abs(float(truth.mean())), df=freedom)
    values = (
        truth.mean(),
        away.mean(),
        away.std(),
        se.mean(),
        np.median(df),
        1 - (below | above).mean(),
        below.mean(),
        above.mean(),
        (p < ALPHA).mean(),
        figures["power"],
    )
    return {number: float(value) for number, value in zip(NUMBERS, values, strict=True)}


def _held(answers: Sequence[Sequence[Any]]) -> float:
    """The share of the answers whose interval held the truth."""
    return (
        sum(low <= truth <= high for _, _, low, high, _, _, truth, *_ in answers) / len(answers)
        if answers
        else math.nan
    )


def _commonest(reasons: Iterable[str]) -> str:
    """The commonest reason, its counts left out and no longer than its first sentence."""
    plain = [re.sub(r"\d+", "so many", re.split(r"[.;] ", reason, maxsplit=1)[0]) for reason in reasons]
    return Counter(plain).most_common(1)[0][0] if plain else ""


def write(rows: Iterable[Row], path: Path = RESULTS) -> None:
    """The rows as a table, every digit kept."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Row)])
        writer.writerows([repr(value) if isinstance(value, float) else value for value in astuple(row)] for row in rows)


def read(path: Path = RESULTS) -> tuple[Row, ...]:
    """The rows of a table that `write` made."""
    types: dict[str, Callable[[str], Any]] = {"int": int, "float": float, "str": str, "bool": "True".__eq__}
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(
            Row(**{field.name: types[str(field.type)](line[field.name]) for field in fields(Row)})
            for line in csv.DictReader(file)
        )
