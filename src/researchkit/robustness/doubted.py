"""What the data themselves make doubtful: entries that want a look, the outcome under another name, one place alone.

A check is there only where it has found something: a row of the page that says "nothing" of each would hide the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit import wording
from researchkit.doubts import doubted
from researchkit.errors import some
from researchkit.robustness.check import Check
from researchkit.warehouse import Summed

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question

SAME = 0.99  # a correlation that no two measures of different things have
FEWEST = 5  # clusters whose own contrasts are taken together
PLACES = (3, 50)  # different values of a column that says where somebody was
Vector = NDArray[np.float64]
Found = tuple[str, str]  # mark, and what is said about it


def in_doubt(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> tuple[Check, ...]:
    """The checks that have found something, none where nothing was found."""
    found = {"the data": entries(dataset, question)}
    if not isinstance(sample, Summed) and question.special is None:
        found["items"] = shared_items(dataset, question)
        found["near the outcome"] = under_another_name(dataset, question, sample)
        if dataset.study.design_of(question) == "observational":
            found["within groups"] = other_way_within(dataset, question, effect, sample)
            found["one place"] = all_of_one_place(dataset, question)
    made = dataset.fingerprint
    return tuple(
        Check(name, made, {"words": words}, mark=mark) for name, one in found.items() if one for mark, words in [one]
    )


def entries(dataset: Dataset, question: Question) -> Found | None:
    """Doubts about entries of a column that the answer reads; which they are is told to those who hold the data."""
    study = dataset.study
    read = [*question.columns, *study.clusters_of(question), study.tables[dataset.table].people]
    items = [item for name in read if name in study.scales for item in study.scales[name].items]
    names = doubted(dataset.notes, tuple(dict.fromkeys([*read, *items])))
    if not names:
        return None
    told = some(study.label(name) for name in names)
    words = f"Entries of {told} look wrong though the study file allows them; `researchkit check` says which and why."
    return f"doubtful data: look at {told} before this is believed", words


def shared_items(dataset: Dataset, question: Question) -> Found | None:
    """An item that is part of exposure and outcome."""
    one, other = (parts(dataset, name) for name in (question.exposure.column, question.outcome.column))
    both = [dataset.study.label(item) for item in one if item in other]
    if not both:
        return None
    told = f"{some(both)} {'is' if len(both) == 1 else 'are'} part of both exposure and outcome"
    return f"circular: {told}", f"{wording.capital(told)}, which go together for that reason already."


def parts(dataset: Dataset, name: str) -> tuple[str, ...]:
    scale = dataset.study.scales.get(name)
    return scale.items if scale else (name,)


def under_another_name(dataset: Dataset, question: Question, sample: Sample) -> Found | None:
    """A column that goes with the outcome nearly perfectly."""
    if question.outcome.kind == "duration" or len(np.unique(sample.outcome)) < 3:
        return None
    columns = zip([sample.exposure_name, *sample.groups], [sample.exposure, *sample.covariates.T], strict=True)
    near = [name for name, values in columns if same(values, sample.outcome)]
    if not near:
        return None
    told, label = some(dict.fromkeys(map(dataset.study.label, near))), dataset.study.label(question.outcome.column)
    mark = f"circular: {told} may be the outcome under another name"
    return (
        mark,
        f"{told} and {label} go together nearly perfectly (r of {SAME} or more), as two measures of one thing do.",
    )


def same(one: Vector, other: Vector) -> bool:
    return bool(abs(unit(one) @ unit(other)) >= SAME)


def unit(values: Vector) -> Vector:
    """The values less their mean, of length 1; zeros where they hardly differ. Nothing overflows."""
    size = float(np.abs(values).max())
    scaled = values / size if size > 0 else values
    centred = scaled - scaled.mean()
    length = float(np.sqrt(centred @ centred))
    return centred / length if length > 1e-10 * len(values) else np.zeros(len(values))


def other_way_within(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> Found | None:
    """Simpson's paradox: within the clusters the exposure goes clearly the other way than over all of them."""
    if sample.cluster is None or sample.weights is not None or question.outcome.kind == "duration":
        return None
    if effect.low <= 0 <= effect.high:
        return None
    low, high = within(sample)
    if not (high < 0 < effect.low or effect.high < 0 < low):
        return None
    where = dataset.study.label(str(sample.cluster_name))
    words = (
        f"Within single values of {where} more {dataset.study.label(question.exposure.column)} goes clearly the other "
        f"way than over all of them: what differs between them is mixed into the answer. Adjust for it."
    )
    return f"Simpson: within {where} it goes clearly the other way", words


def within(sample: Sample) -> tuple[float, float]:
    """Limits (95 %) of the slope on the exposure within clusters, by straight lines; errors CR1, t(G - 1)."""
    from researchkit.estimators.effect import wald

    cluster = np.unique(np.asarray(sample.cluster), return_inverse=True)[1]
    counts = np.bincount(cluster).astype(float)
    if len(counts) < FEWEST:
        return -np.inf, np.inf
    columns = [sample.outcome, sample.exposure, *sample.covariates.T]
    centred = [column - (np.bincount(cluster, column) / counts)[cluster] for column in columns]
    y, x = (free_of(column, np.array(centred[2:]).T) for column in centred[:2])
    power = float(x @ x)
    if power <= 1e-8 * float(sample.exposure @ sample.exposure):
        return -np.inf, np.inf
    slope = float(x @ y) / power
    scores = np.bincount(cluster, x * (y - slope * x))
    se = float(np.sqrt(len(counts) / (len(counts) - 1) * scores @ scores)) / power
    return wald(slope, se, 0.95, len(counts) - 1)[:2] if se > 0 else (-np.inf, np.inf)


def free_of(values: Vector, columns: NDArray[Any]) -> Vector:
    """What is left of values (n,) beside columns (n, p)."""
    if not columns.size:
        return values
    rest: Vector = values - columns @ np.linalg.lstsq(columns, values, rcond=None)[0]
    return rest


def all_of_one_place(dataset: Dataset, question: Question) -> Found | None:
    """One side of a 0/1 exposure is all of one site, and nobody else is of it; a site is what holds whole clusters."""
    name, frame, clusters = question.exposure.column, dataset.frame, dataset.study.clusters_of(question)
    if name not in frame or frame[name].nunique() != 2 or not clusters:
        return None
    places = [
        column for column in frame if frame[column].groupby(frame[clusters[-1]], observed=True).nunique().max() == 1
    ]
    frame = frame[[*(column for column in places if column != name), name]]
    one = frame[name] == frame[name].dropna().iloc[0]
    sides = [frame[one], frame[~one & frame[name].notna()]]
    for side, other in (sides, sides[::-1]):
        if where := next(alone_in(side, other, name), None):
            label = dataset.study.label(where)
            words = (
                f"All of one side of {dataset.study.label(name)} have one {label}, and nobody of the other has it: "
                "nothing in these data can tell the two apart."
            )
            return f"inseparable: all of one side have the same {label}, and nobody else has it", words
    return None


def alone_in(side: pd.DataFrame, other: pd.DataFrame, name: str) -> Iterator[str]:
    """Columns of words in which all of a side hold one entry that nobody else holds, out of several there are."""
    for column in side.columns:
        if (
            column == name
            or not isinstance(side[column].dtype, pd.StringDtype)
            or len(side[column].dropna()) < len(side)
        ):
            continue
        here, there = set(side[column]), set(other[column].dropna())
        if len(here) == 1 and not here & there and PLACES[0] <= len(here | there) <= PLACES[1]:
            yield str(column)
