"""What the missing outcomes could do at most, and how far off they would have to be to undo the answer.

Both are reckoned on a straight line: its slope is a weighted sum of the outcomes, so that each missing one moves it by
its weight, up or down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from researchkit import wording
from researchkit.errors import EstimationError
from researchkit.robustness.gaps import Gaps, Rows, only
from researchkit.robustness.linear import worth
from researchkit.scales import rule_of

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.estimators import Effect
    from researchkit.estimators.effect import Vector
    from researchkit.parts import Question
    from researchkit.study import Study

ROUNDING = 1e-9


@dataclass(frozen=True)
class Open:
    """The rows of which all but perhaps the outcome is known, as a straight line.

    `slopes` (n,) is what one unit more of each outcome would add to the answer, in the headline's unit.
    """

    sample: Sample  # outcome in the headline's unit, anything where it is missing; weights as the line has them
    question: Question
    missing: Rows
    rows: Rows  # which of the rows of the gaps these are
    slopes: Vector
    scale: str

    def effect(self, missing: Vector | float, level: float) -> Effect:
        """The line with these values (n,) in place of the missing outcomes, errors as for a score."""
        from researchkit.estimators import estimate_sample

        outcome = np.where(self.missing, missing, self.sample.outcome)
        return estimate_sample(replace(self.sample, outcome=outcome), self.question, level)


@dataclass(frozen=True)
class Bounds:
    """The lowest and the highest answer that the missing outcomes allow, and the interval around both."""

    least: Effect
    most: Effect

    @property
    def keeps_its_sign(self) -> bool:
        return self.least.estimate * self.most.estimate > 0

    def to_dict(self) -> dict[str, float]:
        """The bounds as they stand in `result.json`."""
        return {
            "least": self.least.estimate,
            "most": self.most.estimate,
            "low": self.least.low,
            "high": self.most.high,
        }


@dataclass(frozen=True)
class Tipping:
    """By how much the missing outcomes would have to differ from what is expected of them to bring the answer to 0.

    With a 0/1 exposure each missing outcome differs by `shift` where exposed, and by as much in the other direction
    where not. With a numeric one it is `shift` for each unit of the exposure above its mean, and as much in the other
    direction below. `of_the_limit` is the same for the limit that is nearer to 0, None where the interval holds it.
    """

    expected: float  # the answer with what is expected in their place
    shift: float
    of_the_limit: float | None

    def to_dict(self) -> dict[str, float | None]:
        """The tipping point as it stands in `result.json`."""
        return {"expected": self.expected, "shift": self.shift, "shift_of_the_limit": self.of_the_limit}


def open_rows(gaps: Gaps, question: Question) -> Open:
    """The rows whose exposure and covariates are known, among them those that lack the outcome.

    Raises
    ------
    EstimationError
        For a duration, or where no outcome is missing in such a row.
    """
    from researchkit.estimators.design import design
    from researchkit.estimators.linear import least_squares

    if question.outcome.kind == "duration":
        raise EstimationError("whether and when somebody's time ended is not known where the time is missing")
    whole = gaps.sample
    parts = [whole.exposure[:, None], whole.covariates, *([] if whole.baseline is None else [whole.baseline[:, None]])]
    rows = np.isfinite(np.column_stack(parts)).all(axis=1) & ~gaps.beyond
    missing = np.isnan(whole.outcome[rows])
    if not missing.any() or missing.all():
        raise EstimationError("no row lacks the outcome alone")
    sample = only(whole, rows)
    some = float(sample.outcome[~missing][0])
    outcome, weights = worth(replace(sample, outcome=np.where(missing, some, sample.outcome)), question)
    change = question.outcome.kind == "change"
    asked = question if change else _as_score(question)
    counts = None if weights is None else np.asarray(weights, dtype=np.float64)
    sample = replace(sample, outcome=np.asarray(outcome, dtype=np.float64), weights=counts)
    first = ("baseline", sample.baseline) if change and sample.baseline is not None else None
    columns = design(sample, question.exposure.column, first=first)
    line = least_squares(columns.matrix, outcome, weights)
    slopes = line.basis @ line.root[0] / columns.scale[0]
    slopes = slopes if weights is None else slopes * np.sqrt(weights)
    scale = "linear" if question.outcome.kind in ("score", "change") else "linear approximation"
    return Open(sample, asked, missing, rows, slopes, scale)


def _as_score(question: Question) -> Question:
    return question.model_copy(update={"outcome": question.outcome.model_copy(update={"kind": "score"})})


def worst_case(known: Open, ends: tuple[Vector | float, Vector | float], level: float) -> Bounds:
    """Every missing outcome at that end of its range which lowers the answer most, and which raises it most.

    Nothing is supposed of who is missing. For scores the bounds are exact; the interval reaches from the lower limit
    of one to the upper limit of the other. A yes/no or ordered outcome is reckoned as a share, on the straight line.

    Parameters
    ----------
    ends
        The lowest and the highest outcome that there can be, one for all or one for each row (n,).

    References
    ----------
    Horowitz and Manski (2000), JASA 95, 77-84.
    """
    low, high = ends
    least = known.effect(np.where(known.slopes > 0, low, high), level)
    most = known.effect(np.where(known.slopes > 0, high, low), level)
    return Bounds(least, most)


def tipping(known: Open, expected: Vector, exposure: str, level: float) -> Tipping | None:
    """How far off the `expected` outcomes (n,) of those who lack them would have to be; None where nothing tips it.

    The answer moves by the shift times a sum of slopes, so this is exact on the line. The interval keeps its width.
    """
    effect = known.effect(expected, level)
    pattern = np.where(known.missing, directions(known.sample, exposure), 0.0)
    by_one = float(known.slopes @ pattern)
    if abs(by_one) <= ROUNDING * float(np.abs(known.slopes) @ np.abs(pattern)) or by_one == 0:
        return None
    holds_zero = effect.low <= 0 <= effect.high
    nearer = effect.low if effect.low > 0 else effect.high
    return Tipping(effect.estimate, -effect.estimate / by_one, None if holds_zero else -nearer / by_one)


def directions(sample: Sample, exposure: str) -> Vector:
    """(n,) 1 where exposed, -1 where not, 0 at further levels; for a number, its distance from the mean."""
    if not sample.binary_exposure:
        return np.asarray(sample.exposure - sample.exposure.mean())
    return np.where(sample.compared(exposure), 2 * sample.exposure - 1, 0.0)


def ends_of_outcome(
    study: Study, question: Question, sample: Sample
) -> tuple[NDArray[np.float64] | float, NDArray[np.float64] | float]:
    """The lowest and highest outcome in the headline's unit: of the codebook, or those that the kind itself has.

    Raises
    ------
    EstimationError
        If it has no ends, or the study file does not say them.
    """
    outcome = question.outcome
    if outcome.kind == "yes_no":
        return 0.0, 1.0
    if outcome.kind == "ordered":
        return (-100.0, 100.0) if outcome.nps else (0.0, 1.0)
    found = range_of(study, outcome.column)
    if found is None:
        label = wording.lower_first(study.label(outcome.column))
        raise EstimationError(f"the study file names no `range` of {label}, so it has no worst case")
    if outcome.kind == "counts" and sample.offset_time is not None:
        return found[0] / sample.offset_time, found[1] / sample.offset_time
    return found


def range_of(study: Study, name: str) -> tuple[float, float] | None:
    """The lowest and highest value of a column or scale, where the study file says them."""
    if name in study.scales:
        scale = study.scales[name]
        return rule_of(scale).ends(len(scale.items))
    column = study.columns.get(name)
    if column is None:
        return None
    return (float(column.range[0]), float(column.range[1])) if column.range else _of_codes(column.codes)


def _of_codes(codes: dict[str, Any]) -> tuple[float, float] | None:
    try:
        values = [float(code) for code in codes]
    except ValueError:
        return None
    return (min(values), max(values)) if len(values) > 1 else None
