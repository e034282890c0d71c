"""The people of one answer by their exposure, cut in two ways on one page: which groups of either may be told.

A figure shows each level of the exposure (or each fifth), a table each third. From both together, those in a third and
in no whole level of it can be worked out; so what is hidden is decided for both at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from researchkit.disclosure import TOO_FEW, WITH_IT, Hidden, Profile, note
from researchkit.linked.cells import Sums, hidden
from researchkit.parts import Question
from researchkit.sample import Sample

MOST_LEVELS = 8  # more different exposures than this are cut into fifths
Flags = NDArray[np.bool_]


def levels(exposure: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64], bool]:
    """Code (n,) of each row's group, the exposure at which each group stands, and whether groups are fifths."""
    values, codes = np.unique(exposure, return_inverse=True)
    if len(values) <= MOST_LEVELS:
        return codes.astype(np.int64), values, False
    edges = np.unique(np.quantile(exposure, [0.2, 0.4, 0.6, 0.8]))
    _, codes = np.unique(np.searchsorted(edges, exposure, side="left"), return_inverse=True)
    centres = np.array([exposure[codes == code].mean() for code in range(codes.max() + 1)])
    return codes.astype(np.int64), centres, True


def scaled(sample: Sample, question: Question) -> NDArray[np.float64]:
    """The exposure in its own unit, or 0 and 1 for a coded one."""
    return np.asarray(sample.exposure, float) * (1 if sample.binary_exposure else question.exposure.per)


def thirds(sample: Sample, question: Question) -> list[Flags]:
    """The rows (n,) of each level compared of a coded exposure, or of each third of a measured one, lowest first."""
    if sample.arms:
        compared = sample.compared(question.exposure.column)
        return [compared & (sample.exposure == 0), compared & (sample.exposure == 1)]
    values = sample.exposure * question.exposure.per
    low, high = np.quantile(values, [1 / 3, 2 / 3])
    parts = [values <= low, (values > low) & (values <= high), values > high]
    return [rows for rows in parts if rows.any()]


def told_groups(
    sample: Sample, question: Question, profile: Profile, side: Flags | None
) -> tuple[list[bool], list[bool]]:
    """Which levels (or fifths) and which thirds may be told.

    Parameters
    ----------
    side
        Which rows (n,) count in a share, where the mean of a group is one: either side of it is a count as well.
    """
    codes, places, _ = levels(scaled(sample, question))
    compared = sample.compared(question.exposure.column)
    drawn = question.outcome.kind != "duration"  # whose figure shows thirds as well
    first = [compared & (codes == code) for code in range(len(places))] if drawn else []
    groups = [*first, *thirds(sample, question)]
    if not profile.protects:
        return [True] * len(first), [True] * (len(groups) - len(first))
    safe = [not gone for gone in apart_together(_people(sample), groups, profile, side)]
    for place, (rows, shown) in enumerate(zip(groups, safe, strict=True)):
        if not shown:
            cut = f"level {place + 1}" if place < len(first) else f"third {place + 1 - len(first)}"
            heads = sample.heads(rows)
            why = TOO_FEW if heads < profile.threshold else f"too few on one side, or {WITH_IT}"
            note(Hidden(f"by exposure: {cut}", heads, why))
    return safe[: len(first)], safe[len(first) :]


def _people(sample: Sample) -> NDArray[np.int64]:
    return np.arange(len(sample.outcome)) if sample.person is None else sample.person


def apart_together(
    person: NDArray[np.int64], groups: Sequence[Flags], profile: Profile, side: Flags | None = None
) -> list[bool]:
    """Which groups of rows must not be told, of any that overlap; the number of all rows is known.

    Parameters
    ----------
    person
        Codes (n,) of who each row is of; a negative one is nobody's.
    side
        Which rows count in the share that is told of each group.
    """
    sides = [side, ~side] if side is not None else []
    every = np.ones(len(person), dtype=bool)
    known = [every, *sides]  # what a share is of all may be told elsewhere, or follow from the model
    wanted = [*known, *(rows & part for rows in groups for part in known)]
    patterns = np.packbits(np.array([*groups, *sides[:1]]), axis=0)
    _, first, cell = np.unique(patterns, axis=1, return_index=True, return_inverse=True)
    cell = cell.ravel()
    found = Sums(
        of=np.array([rows[first] for rows in wanted]),
        rows=np.bincount(cell, minlength=len(first)),
        people=np.array([_heads(person[rows]) for rows in wanted]),
        heads=np.array([_heads(person[cell == place]) for place in range(len(first))]),
    )
    gone = hidden(found, profile, always=range(len(known)))[len(known) :]
    # Both sides of a share are told with it, so that one that is hidden takes the group with it.
    return [bool(part.any()) for part in gone.reshape(len(groups), -1)]


def _heads(person: NDArray[np.int64]) -> int:
    return len(np.unique(person[person >= 0]))
