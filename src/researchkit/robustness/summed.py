"""Attacks on an answer whose rows stay in place: what sums can tell, and why not where they cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from researchkit import wording
from researchkit.disclosure import PROFILES
from researchkit.errors import ResearchkitError
from researchkit.moments import Moments
from researchkit.readers.values import canonical, written
from researchkit.robustness.alternatives import clear
from researchkit.robustness.assumptions import STRAIGHT
from researchkit.robustness.check import Check
from researchkit.robustness.influence import NAME as INFLUENCE
from researchkit.robustness.influence import weakest
from researchkit.robustness.jackknife import without_clusters
from researchkit.robustness.linear import Linear

if TYPE_CHECKING:
    from researchkit.estimators import Effect
    from researchkit.parts import Question
    from researchkit.study import Study
    from researchkit.warehouse import Summed

FILE = "draw whole clusters at random into a file that fits in memory for it"


def assumptions(summed: Summed, made: str) -> Check:
    """What the model assumes is tested on the rows."""
    if summed.binary_exposure:
        return Check("assumptions", made, reason=STRAIGHT)
    return Check("assumptions", made, reason=f"it needs every row, and the rows stay in place; {FILE}")


def missing_data(summed: Summed, made: str) -> Check:
    """Who lacks something is counted; to fill the gaps takes the rows."""
    lacking = [step for step in summed.flow if step.rows and step.why.endswith(" missing")]
    if not lacking:
        return Check("missing data", made, {"incomplete": 0, "words": "No row lacks anything that the question needs."})
    return Check(
        "missing data",
        made,
        reason=f"gaps are filled from every row, and the rows stay in place; the flow says how many lack what; {FILE}",
    )


def influence(line: Linear | str, summed: Summed, question: Question, effect: Effect, study: Study, made: str) -> Check:
    """How far the answer moves without one cluster; the one that does most harm is left out of the sums for it."""
    if isinstance(line, str):
        return Check(INFLUENCE, made, reason=line)
    if summed.cluster_name is None:
        return Check(INFLUENCE, made, reason=f"rows are left out one by one, and they stay in place; {FILE}")
    try:
        left = without_clusters(line.moments, effect)
    except ResearchkitError as error:
        return Check(INFLUENCE, made, reason=str(error).rstrip("."))
    worst = weakest(left, effect)
    own = without(summed, question, effect.level, worst)
    left = left.put(worst, own)
    known, groups = np.isfinite(left.estimates), len(left.estimates)
    people = study.tables[study.table_of(question)].people
    fewest = PROFILES[study.disclosure].threshold if people in ("row", summed.cluster_name) else 1
    sides = np.where(left.low > 0, 1, np.where(left.high < 0, -1, 0))
    persons = people in ("row", summed.cluster_name)
    label = line.moments.labels[worst]
    heads = 0 if persons else summed.heads_of(label)
    enough = heads >= PROFILES[study.disclosure].threshold
    facts: dict[str, Any] = {
        "low": float(left.estimates[known].min()) if known.any() else None,
        "high": float(left.estimates[known].max()) if known.any() else None,
        "turn_the_sign": share(np.sign(left.estimates[known]) != np.sign(effect.estimate), groups, fewest),
        "decide_about_zero": share(sides[known] != clear(effect), groups, fewest),
        "untold": share(~known, groups, fewest),
        "left_out": "clusters",
        "by": summed.cluster_name,
        "groups": groups,
        "matters_most": named(study, str(summed.cluster_name), label) if enough else None,
        "its_share_of_rows": float(line.moments.counts[worst] / line.moments.n) if enough else None,
        "without_it": None if own is None else {"estimate": own.estimate, "low": own.low, "high": own.high},
        "scale": line.scale,
    }
    if not clear(effect) or (own is not None and clear(own) == clear(effect)):
        return Check(INFLUENCE, made, facts)
    which = f"one of {wording.count(groups)} groups by {study.label(str(summed.cluster_name))}"
    lost = "there would be nothing left to compare" if own is None else "the interval would include zero"
    return Check(INFLUENCE, made, facts, mark=f"fragile: without {which} {lost}")


def named(study: Study, cluster: str, label: Any) -> str | None:
    """The name of a cluster, where the study file says that it is a category."""
    column = study.columns.get(cluster)
    category = column is not None and (column.type == "category" or (column.type is None and bool(column.codes)))
    if column is None or not category:
        return None
    code = canonical(label if isinstance(label, str) else written(label))
    return column.codes.get(code, code)


def without(summed: Summed, question: Question, level: float, cluster: int) -> Effect | None:
    """The effect from the sums of all other clusters; None where they have no answer."""
    held: Moments = summed.moments
    rest = np.arange(len(held.labels)) != cluster
    fewer = replace(held, labels=held.labels[rest], counts=held.counts[rest], products=held.products[rest])
    try:
        return replace(summed, moments=fewer, crude=True).effect(question, level)
    except ResearchkitError:
        return None


def share(some: NDArray[np.bool_], groups: int, fewest: int) -> float | None:
    """The share of the clusters; None where they are people, and too few."""
    return None if 0 < int(some.sum()) < fewest else float(some.sum() / groups)
