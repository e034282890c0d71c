"""The rows of a question with their gaps: who lacks what, and what of it could be filled at all."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.errors import EstimationError, some
from researchkit.flow import kept, rules

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.parts import Question

Rows = NDArray[np.bool_]


@dataclass(frozen=True)
class Gaps:
    """Every row that the rules of study and question keep, complete or not.

    `sample` has NaN where outcome, exposure, baseline or a covariate is missing. Where something in `fixed` is missing
    (see `beyond`) the row holds another row's in its place and must not be used, but for the rest of what it says.
    """

    sample: Sample
    lacking: dict[str, Rows]  # column of the study -> (n,) the rows that lack it; columns without a gap are left out
    fixed: tuple[str, ...]  # columns with gaps that nothing can fill

    @property
    def incomplete(self) -> Rows:
        """(n,) rows that lack anything."""
        return self._any(tuple(self.lacking))

    @property
    def beyond(self) -> Rows:
        """(n,) rows that lack what nothing can fill."""
        return self._any(self.fixed)

    def without(self, rows: Rows) -> Gaps:
        """The same without some rows."""
        left = {name: lacks[~rows] for name, lacks in self.lacking.items()}
        return Gaps(only(self.sample, ~rows), {name: lacks for name, lacks in left.items() if lacks.any()}, ())

    def _any(self, names: tuple[str, ...]) -> Rows:
        found = np.zeros(len(self.sample.outcome), dtype=bool)
        for name in names:
            found |= self.lacking[name]
        return found


def gaps(dataset: Dataset, question: Question, sample: Sample) -> Gaps:
    """The rows of a question before the incomplete ones are dropped; `sample` holds those that are complete.

    What cannot be filled is what says whether and how long somebody was watched (event, entry, times), which cluster a
    row is of, and its weight.

    Raises
    ------
    EstimationError
        If a column is missing in every row.
    """
    # Which clusters matter was settled on the complete rows.
    clusters = tuple(name for name in (sample.cluster_name, sample.crossed_name) if name)
    question = question.model_copy(update={"clusters": clusters})
    frame = dataset.frame
    for rule in rules(frame, dataset.study, question):
        frame = frame[kept(frame, rule)]
    fixed, others = columns_of(question)
    lacks = {name: frame[name].isna().to_numpy() for name in (*fixed, *others)}
    if empty := [name for name, rows in lacks.items() if rows.all()]:
        raise EstimationError(f"{some(empty)}: missing in every row, so nothing is known of it.")
    whole = ~np.any([lacks[name] for name in fixed], axis=0) if fixed else np.ones(len(frame), dtype=bool)
    if not whole.any():
        raise EstimationError(f"No row has all of {some(fixed)}, and these cannot be filled.")
    every = replace(dataset, frame=filled(frame, fixed, others, whole)).sample(question)
    return Gaps(
        opened(every, question, lacks),
        {name: rows for name, rows in lacks.items() if rows.any()},
        tuple(name for name in fixed if lacks[name].any()),
    )


def columns_of(question: Question) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The columns of a question whose gaps nothing can fill, and those whose gaps could be."""
    outcome = question.outcome
    fixed = [outcome.event, outcome.entry, outcome.time, question.weights, *(question.clusters or ())]
    others = [outcome.column, outcome.baseline, question.exposure.column, *question.adjust]
    if outcome.kind == "duration":
        fixed.insert(0, others.pop(0))
    known = tuple(dict.fromkeys(name for name in fixed if name))
    return known, tuple(dict.fromkeys(name for name in others if name and name not in known))


def filled(frame: pd.DataFrame, fixed: tuple[str, ...], others: tuple[str, ...], whole: Rows) -> pd.DataFrame:
    """The frame with any entry that fits in the place of each gap, so that the rows can be read into arrays.

    What belongs together (entry and end of a time) is taken from one row.
    """
    frame = frame.copy()
    donor = frame.iloc[int(np.argmax(whole))]
    for name in fixed:
        frame[name] = frame[name].where(whole, donor[name])
    for name in others:
        series = frame[name]
        frame[name] = series.where(series.notna().to_numpy(), series.dropna().iloc[0])
    return frame


def opened(sample: Sample, question: Question, lacks: dict[str, Rows]) -> Sample:
    """The sample with NaN in place of what was filled in to read it."""

    def gap(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        return np.where(lacks[name], np.nan, values)

    outcome = question.outcome
    covariates = sample.covariates.copy()
    for place, group in enumerate(sample.groups):
        covariates[:, place] = gap(covariates[:, place], group)
    baseline = sample.baseline
    return replace(
        sample,
        outcome=gap(sample.outcome, outcome.column),
        exposure=gap(sample.exposure, question.exposure.column),
        covariates=covariates,
        baseline=None if baseline is None else gap(baseline, str(outcome.baseline)),
    )


def only(sample: Sample, rows: Rows) -> Sample:
    """Some rows (n,) of a sample, as a sample."""
    n, chosen = len(rows), {one.name: getattr(sample, one.name) for one in fields(sample)}
    chosen |= {name: array[rows] for name, array in chosen.items() if isinstance(array, np.ndarray) and len(array) == n}
    return replace(sample, **(chosen | {"people": sample.heads(rows)}))
