"""The columns of a model, built from a sample's arrays: centred, scaled, and free of columns that others determine.

Models are fitted on the scaled columns, where income in euros and a share between 0 and 1 weigh alike and nothing is
lost to rounding; `Design.back` turns scaled coefficients into those of the columns as they came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from researchkit.errors import EstimationError, some
from researchkit.estimators.effect import Matrix, Vector

if TYPE_CHECKING:
    from researchkit.dataset import Sample

ALIASED = 1e-7  # R's lm: a column whose rest, after the columns before it, is smaller than this share is determined


@dataclass(frozen=True, eq=False)
class Design:
    """Columns ready to fit, shape (n, k): exposure first, covariates, and last the intercept if there is one.

    `centre` and `scale` (k,) are what was subtracted and divided by; `back` (k, k) maps scaled coefficients to those
    of the raw columns. `notes` names covariates that were left out because others determine them. `others` (k,) are the
    indicators of further levels of a coded exposure.
    """

    matrix: Matrix
    names: tuple[str, ...]
    centre: Vector
    scale: Vector
    back: Matrix
    intercept: bool
    notes: tuple[str, ...]
    others: NDArray[np.bool_]

    def at(self, exposure: Vector | float) -> Matrix:
        """The same people with another exposure (raw units): the matrix of a what-if.

        Nobody has two levels of a coded exposure at a time, so those who have a further level leave it.
        """
        moved = self.matrix.copy()
        moved[:, self.others] = (-self.centre / self.scale)[self.others]
        moved[:, 0] = (exposure - self.centre[0]) / self.scale[0]
        return moved

    def raw(self, coefficients: Vector, covariance: Matrix) -> tuple[Vector, Matrix]:
        """Coefficients and their covariance for the columns as they came."""
        return self.back @ coefficients, self.back @ covariance @ self.back.T


def design(
    sample: Sample, exposure: str = "", *, intercept: bool = True, first: tuple[str, Vector] | None = None
) -> Design:
    """Build the columns of a model: exposure, `first` (a named covariate, such as a baseline), covariates, intercept.

    `exposure` is the column that the exposure is from: covariates of that group are its further levels.

    Raises
    ------
    EstimationError
        If the covariates determine the exposure; the message names those that do.
    """
    covariates = np.asarray(sample.covariates, dtype=float).reshape(len(sample.exposure), -1)
    names = [sample.exposure_name, *([first[0]] if first else []), *sample.names]
    raw = np.column_stack([sample.exposure, *([first[1]] if first else []), covariates]).astype(float)
    centre, scale = raw.mean(axis=0), raw.std(axis=0)
    # A column that does not vary by more than rounding is the intercept over again.
    flat = scale <= 1e-13 * np.maximum(np.abs(centre), 1e-300)
    scaled = (raw - centre) / np.where(flat, 1.0, scale)
    scaled[:, flat] = 0.0
    kept = _independent(scaled, names)
    gone = [name for place, name in enumerate(names) if place not in kept]
    notes = (f"left out because the other covariates determine them: {some(gone)}",) if gone else ()
    chosen, groups = scaled[:, kept], ["", *([""] if first else []), *sample.groups]
    others = np.array([groups[place] == exposure != "" for place in kept] + [False] * intercept)
    return _assemble(chosen, [names[place] for place in kept], centre[kept], scale[kept], intercept, notes, others)


def _assemble(
    scaled: Matrix,
    names: Sequence[str],
    centre: Vector,
    scale: Vector,
    intercept: bool,
    notes: tuple[str, ...],
    others: NDArray[np.bool_],
) -> Design:
    """Add the intercept and the map back to the raw columns."""
    if not intercept:
        return Design(scaled, tuple(names), centre, scale, np.diag(1 / scale), False, notes, others)
    matrix = np.column_stack([scaled, np.ones(len(scaled))])
    back = np.diag(np.append(1 / scale, 1.0))
    back[-1, :-1] = -centre / scale
    ends = np.append(centre, 0.0), np.append(scale, 1.0)
    return Design(matrix, (*names, "Intercept"), *ends, back, True, notes, others)


def independent(columns: Matrix, order: Sequence[int]) -> list[int]:
    """The places of columns (n, k) to keep: each only if those before it in `order` leave something of it."""
    triangle: Matrix = np.asarray(np.linalg.qr(columns, mode="r"))
    basis = np.zeros((len(triangle), 0))
    kept: list[int] = []
    for place in order:
        column = triangle[:, place]
        rest = column - basis @ (basis.T @ column)
        rest -= basis @ (basis.T @ rest)
        size = float(np.linalg.norm(rest))
        if size > ALIASED * float(np.linalg.norm(column)):
            basis = np.column_stack([basis, rest / size])
            kept.append(place)
    return sorted(kept)


def _independent(scaled: Matrix, names: Sequence[str]) -> list[int]:
    """The columns to keep: exposure always, a covariate only if those before it leave something of it."""
    kept = independent(scaled, [*range(1, len(names)), 0])
    if 0 not in kept:
        raise EstimationError(_determined(scaled, names, kept))
    return kept


def _determined(scaled: Matrix, names: Sequence[str], kept: Sequence[int]) -> str:
    """Say which covariates determine the exposure."""
    weights = np.linalg.lstsq(scaled[:, list(kept)], scaled[:, 0], rcond=None)[0]
    guilty = [names[place] for place, weight in zip(kept, weights, strict=True) if abs(weight) > 1e-6]
    return (
        f"{names[0]} is fully determined by {some(guilty)}: among people alike in them nobody differs in it, so "
        "its effect cannot be told from theirs. Take them out of `adjust`, or ask about another exposure."
    )
