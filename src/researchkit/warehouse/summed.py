"""What one question is answered from where rows stay in place: sums by cluster, and the account of every row.

`Summed` has the names of `sample.Sample` and none of its rows. Outcomes whose model is linear in the sums are served:
scores and changes as ever; yes or no, ordered answers and counts as differences of means, shares, points or rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from researchkit.errors import DataError, EstimationError, listing
from researchkit.estimators import Effect
from researchkit.flow import Step
from researchkit.moments import Moments, left
from researchkit.parts import Question
from researchkit.sample import exposure_name
from researchkit.warehouse.bands import heads
from researchkit.warehouse.columns import Look
from researchkit.warehouse.design import Drawing, Part, covariates_of, exposure_of, outcome_of
from researchkit.warehouse.flow import Base, complete
from researchkit.warehouse.sums import Columns, moments

DETERMINED = 1e-10  # share of a column's variance that those before it leave, below which it is rounding
MOST_NUMBERS, DEALT = 20_000_000, 5_000  # as `robustness.linear` deals rows without clusters
PEOPLE = 10_000  # people are counted up to here: enough to know that there are enough
ROWS = {"outcome", "exposure", "covariates", "cluster", "person", "entry", "offset_time", "baseline", "levels"}


@dataclass(frozen=True, eq=False)
class Summed:
    """The n complete rows of a question as cross products by cluster; `rows` less the steps of `flow` is n."""

    look: Look
    columns: Columns
    moments: Moments  # exposure, the baseline of a change, covariates, outcome
    names: tuple[str, ...]
    groups: tuple[str, ...]
    cluster_name: str | None
    dealt: str  # how rows without clusters were grouped for the curve, "" where clusters are the study's own
    binary_exposure: bool
    arms: tuple[str, str] | None
    contrast: str
    exposure_name: str
    exposure_column: str
    people: int
    rows: int
    flow: tuple[Step, ...]
    crude: bool = False
    quiet: bool = False
    event: None = None
    weights: None = None
    crossed: None = None

    def __getattr__(self, name: str) -> Any:
        if name in ROWS:
            raise EstimationError(f"This needs every row ({name.replace('_', ' ')}), and the rows stay in place.")
        raise AttributeError(name)

    @property
    def n(self) -> int:
        return self.moments.n

    @property
    def spreads(self) -> tuple[float, float]:
        """Standard deviations of exposure and outcome."""
        more = (self.n / (self.n - 1)) ** 0.5
        return float(self.moments.spread[0] * more), float(self.moments.spread[-1] * more)

    def group_of(self, name: str) -> str:
        """Which entry of `adjust` a covariate is from; "" for what is none."""
        return dict(zip(self.names, self.groups, strict=True)).get(name, "")

    @cached_property
    def usable(self) -> tuple[Moments, tuple[str, ...]]:
        """The moments without covariates that others determine, and the names of those.

        Raises
        ------
        EstimationError
            If the covariates determine the exposure.
        """
        held, kept, gone = self.moments, list[int](), list[str]()
        for place in range(1, len(held.names) - 1):
            if held.spread[place] > 0 and left(held, place, kept) > DETERMINED:
                kept.append(place)
            else:
                gone.append(held.names[place])
        if held.spread[0] > 0 and left(held, 0, kept) <= DETERMINED:
            raise EstimationError(
                f"{held.names[0]} is fully determined by the columns of `adjust`: among people alike in them nobody "
                "differs in it, so its effect cannot be told from theirs. Take them out, or ask about another exposure."
            )
        return narrowed(held, [0, *kept, len(held.names) - 1]), tuple(gone)

    def unadjusted(self, exposure: str) -> Summed:
        """The same rows without covariates, but for the further levels of a coded `exposure`."""
        return replace(self._of([place for place, group in enumerate(self.groups) if group == exposure]), crude=True)

    def heads_of(self, label: Any) -> int:
        """How many people the rows of one cluster are of."""
        own = self.columns.cluster
        return 0 if own is None else heads(self.look, (own == label) & self.columns.kept, PEOPLE)

    def without(self, group: str) -> Summed:
        """The same rows without the columns of one adjustment."""
        return self._of([place for place, own in enumerate(self.groups) if own != group])

    def _of(self, kept: Sequence[int]) -> Summed:
        first = len(self.moments.names) - 2 - len(self.names)  # 1 where there is a baseline
        places = [*range(1 + first), *(1 + first + place for place in kept), len(self.moments.names) - 1]
        names, groups = (tuple(part[place] for place in kept) for part in (self.names, self.groups))
        return replace(self, moments=narrowed(self.moments, places), names=names, groups=groups)

    def effect(self, question: Question, level: float = 0.95, model: str | None = None) -> Effect:
        """The effect of the question, as `estimators.estimate_sample` of rows."""
        from researchkit.warehouse.effect import effect

        return effect(self, question, level, model)


def narrowed(held: Moments, places: Sequence[int]) -> Moments:
    """The moments of some of the columns."""
    inner = [0, *(1 + place for place in places)]
    names = tuple(held.names[place] for place in places)
    products = held.products[:, inner][:, :, inner]
    return replace(held, names=names, products=products, centre=held.centre[places], scale=held.scale[places])


def draw(base: Base, question: Question, adjust: Sequence[str] | None = None) -> Summed:
    """The sums of a question.

    Raises
    ------
    StudyError, DataError, EstimationError
        As `sample.draw`; and for what takes the rows themselves, with what to do.
    """
    refuse_rows(question)
    look, study = base.look, base.look.study
    chosen = tuple(question.adjust if adjust is None else adjust)
    kept = complete(base, question, chosen, study.clusters_of(question))
    now = Drawing(look, question, kept)
    outcome, weight = outcome_of(now)
    exposure, others, arms, contrast, binary = exposure_of(now)
    columns = {**others, **covariates_of(now, chosen)}
    if now.problems:
        raise DataError(listing(f"{look.relation.subject}, question {question.id!r}", now.problems))
    called = exposure_name(study, question.exposure)
    first = [now.baseline()] if question.outcome.kind == "change" else []
    every = [(called, "", exposure), *first, *((name, group, one) for (group, name), one in columns.items())]
    every.append((question.outcome.column, "", outcome))
    line = Columns(
        tuple(name for name, _, _ in every),
        tuple(part.value for _, _, part in every),
        np.array([part.centre for _, _, part in every]),
        np.array([part.scale for _, _, part in every]),
        tuple(part.level_of for _, _, part in every),
        kept.where,
        None if kept.cluster is None else look.entries[kept.cluster].value,
        weight,
    )
    groups, dealt = dealing(kept.n, len(every) + 1) if kept.cluster is None else (None, "")
    held = moments(look, line, groups)
    if first:  # told around its mean, so that the intercept is the mean at the average baseline
        held = replace(held, centre=held.centre - np.where(np.arange(len(every)) == 1, held.mean, 0.0))
    columns, flat = varying(held, columns)
    return Summed(
        look=look,
        columns=line,
        moments=narrowed(held, [place for place in range(len(every)) if held.names[place] not in flat]),
        names=tuple(name for _, name in columns),
        groups=tuple(group for group, _ in columns),
        cluster_name=kept.cluster,
        dealt=dealt,
        binary_exposure=binary,
        arms=arms,
        contrast=contrast,
        exposure_name=called,
        exposure_column=question.exposure.column,
        people=kept.n if study.tables[look.table].people == "row" else heads(look, kept.where, PEOPLE),
        rows=kept.rows,
        flow=(*kept.flow, *now.remarks, *(Step(f"{name} never varies and is not adjusted for", 0) for name in flat)),
    )


def varying(held: Moments, columns: dict[tuple[str, str], Part]) -> tuple[dict[tuple[str, str], Part], list[str]]:
    """The covariates that vary among the rows of the question, and the names of those that do not."""
    first = len(held.names) - 1 - len(columns)
    flat = [name for place, (_, name) in enumerate(columns, first) if held.spread[place] == 0]
    return {key: part for key, part in columns.items() if key[1] not in flat}, flat


def dealing(n: int, k: int) -> tuple[int, str]:
    """Into how many groups rows without clusters go, and what errors over them are called."""
    if n * k * k <= MOST_NUMBERS:
        return n, "HC1"
    return DEALT, f"CR1 over {DEALT} groups into which the rows were dealt in turn"


def refuse_rows(question: Question) -> None:
    """What sums cannot answer, with what to do."""
    kind = question.outcome.kind
    why = ""
    if kind == "duration":
        why = "times to an event, some of them cut short, are no sums"
    elif question.weights:
        why = f"errors that allow for the weights in {question.weights} need every row"
    if why:
        raise EstimationError(
            f"Question {question.id!r} cannot be answered where the rows stay in place: {why}. Draw whole clusters at "
            "random into a file that fits in memory, and ask the same study of it: the answer is about the same "
            "people, with a wider interval."
        )
