"""Does the answer hang on a few? Each cluster left out in turn or, without clusters, the rows that matter most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from researchkit import wording
from researchkit.disclosure import PROFILES, shown
from researchkit.errors import EstimationError
from researchkit.flow import Draw, complete, outermost
from researchkit.robustness.alternatives import clear
from researchkit.robustness.check import Check, why_not
from researchkit.robustness.jackknife import (
    Left,
    by_model,
    enough_to,
    infinitesimal,
    one_by_one,
    without_clusters,
    without_rows,
)
from researchkit.robustness.linear import Linear, stands_in

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question

NAME = "influence"
FEW, FAST = 60, 100_000  # up to so many clusters, and rows to fit in all, the model itself is fitted without each
FEW_ROWS, SMALL_SHARE = 3, 0.01  # an answer that hangs on fewer rows, or on a smaller share, is marked


@dataclass(frozen=True)
class Asked:
    """What every part of this check works on."""

    dataset: Dataset
    question: Question
    effect: Effect
    sample: Sample

    @property
    def fewest(self) -> int:
        """The smallest number of people that may be shown."""
        return PROFILES[self.dataset.study.disclosure].threshold

    def told(self, count: int) -> int:
        """A count that may be told, rounded where the profile rounds."""
        return shown(count, PROFILES[self.dataset.study.disclosure]) or count

    @property
    def units(self) -> NDArray[np.int64]:
        """(n,) codes 0 to U - 1 of what is left out at a time: clusters, or rows."""
        cluster = self.sample.cluster
        return np.arange(len(self.sample.outcome)) if cluster is None else np.unique(cluster, return_inverse=True)[1]

    @property
    def persons(self) -> bool:
        """Whether a unit is one person, so that counts of units are counts of people."""
        people = self.dataset.study.tables[self.dataset.table].people
        return self.sample.cluster is None or self.sample.cluster_name == people


def influence(line: Linear | str, dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> Check:
    """How far the answer moves without one cluster or, where rows are on their own, without a few rows.

    Where clusters are few the model itself is fitted without each. Elsewhere the line tells it, for scores exactly but
    for the degrees of freedom, for other kinds approximately (`scale` says so), and the model is fitted without the
    cluster, or the rows, that do most harm. Nobody is named: of the cluster that matters most its share of the rows is
    told, and its name only where the study file says that it is a category, it is not the column that counts people,
    and it holds as many people as the profile asks for.
    """
    asked = Asked(dataset, question, effect, sample)
    try:
        left, scale = left_out(line, asked)
    except EstimationError as error:
        return Check(NAME, dataset.fingerprint, reason=why_not(error, dataset.study))
    if isinstance(left, str):
        return Check(NAME, dataset.fingerprint, reason=left)
    facts, mark = (by_rows if sample.cluster is None else by_clusters)(asked, left, scale)
    return Check(NAME, dataset.fingerprint, facts, mark=mark)


def left_out(line: Linear | str, asked: Asked) -> tuple[Left | str, str]:
    """The headline without each unit, and how it was found; or why it cannot be."""
    sample, question, effect = asked.sample, asked.question, asked.effect
    count = int(asked.units.max()) + 1
    if sample.cluster is not None and count <= FEW and count * effect.n <= FAST:
        return one_by_one(sample, question, effect, asked.units), "the model itself"
    if question.outcome.kind == "duration":
        return infinitesimal(sample, question, effect, asked.units), "first-order influence"
    if (why := stands_in(line, effect)) or isinstance(line, str):
        return why, ""
    if sample.cluster is None:
        return without_rows(sample, question, effect), line.scale
    return without_clusters(line.moments, effect), line.scale


def by_clusters(asked: Asked, left: Left, scale: str) -> tuple[dict[str, Any], str]:
    """The facts, and the mark where one cluster decides whether the interval holds zero."""
    effect, sample = asked.effect, asked.sample
    worst = weakest(left, effect)
    own = by_model(sample, asked.question, effect.level)(asked.units != worst)
    left = left.put(worst, own)  # the same again where the model told it already
    rows = asked.units == worst
    heads = sample.heads(rows)
    facts = summary(asked, left) | {
        "left_out": "clusters",
        "by": sample.cluster_name,
        "groups": asked.told(len(left.estimates)) if asked.persons else len(left.estimates),
        "matters_most": name_of(asked, rows),
        "its_share_of_rows": asked.told(int(rows.sum())) / asked.told(len(rows)) if heads >= asked.fewest else None,
        "without_it": None if own is None else {"estimate": own.estimate, "low": own.low, "high": own.high},
        "scale": scale,
    }
    if not clear(effect) or (own is not None and clear(own) == clear(effect)):
        return facts, ""
    which = f"one of {wording.count(facts['groups'])} groups by {asked.dataset.study.label(str(sample.cluster_name))}"
    lost = "there would be nothing left to compare" if own is None else "the interval would include zero"
    return facts, f"fragile: without {which} {lost}"


def by_rows(asked: Asked, left: Left, scale: str) -> tuple[dict[str, Any], str]:
    """The facts, with how few rows decide about sign and zero; the mark where they are under three, or under 1 %."""
    effect, n = asked.effect, len(left.estimates)
    side = 1 if effect.estimate > 0 else -1
    refit = by_model(asked.sample, asked.question, effect.level)

    def after(gone: NDArray[np.int64]) -> Effect | None:
        rows = np.ones(n, dtype=bool)
        rows[gone] = False
        return refit(rows)

    def turned(gone: NDArray[np.int64]) -> bool:
        own = after(gone)
        return own is not None and side * own.estimate <= 0

    def blurred(gone: NDArray[np.int64]) -> bool:
        own = after(gone)
        return own is not None and clear(own) != clear(effect)

    reach = side * (effect.estimate - left.estimates)
    facts = summary(asked, left) | {"left_out": "rows", "rows": asked.told(n), "scale": scale}
    facts |= counted(asked, "to_turn_the_sign", enough_to(reach, abs(effect.estimate), turned, n // 2))
    if not clear(effect):
        return facts, ""
    near, nearer = (effect.low, left.low) if side > 0 else (effect.high, left.high)
    few = enough_to(side * (near - nearer), abs(near), blurred, n // 2)
    facts |= counted(asked, "to_reach_zero", few)
    if few is None or (few >= FEW_ROWS and few >= SMALL_SHARE * n):
        return facts, ""
    words = f"fewer than {asked.fewest}" if few < asked.fewest else "one" if few == 1 else wording.count(few)
    return facts, f"fragile: without {words} of {wording.count(asked.told(n))} rows the interval would include zero"


def weakest(left: Left, effect: Effect) -> int:
    """The unit without which the interval is nearest to zero or past it; where it holds zero, that which moves most."""
    if not clear(effect):
        return int(np.argmax(np.abs(np.nan_to_num(left.estimates, nan=np.inf) - effect.estimate)))
    limit = left.low if clear(effect) > 0 else -left.high
    return int(np.argmin(np.nan_to_num(limit, nan=-np.inf)))


def summary(asked: Asked, left: Left) -> dict[str, Any]:
    """The range of the estimates, and the share of units that decide about sign and zero; None for a few people."""
    known = np.isfinite(left.estimates)
    if not known.any():
        return {"low": None, "high": None, "turn_the_sign": None, "decide_about_zero": None, "untold": 1.0}
    turned = np.sign(left.estimates[known]) != np.sign(asked.effect.estimate)
    sides = np.where(left.low > 0, 1, np.where(left.high < 0, -1, 0))[known]
    return {
        "low": float(left.estimates[known].min()),
        "high": float(left.estimates[known].max()),
        "turn_the_sign": share(asked, turned),
        "decide_about_zero": share(asked, sides != clear(asked.effect)),
        "untold": share(asked, ~known),
    }


def share(asked: Asked, some: NDArray[np.bool_]) -> float | None:
    hidden = asked.persons and 0 < int(some.sum()) < asked.fewest
    counts = int(some.sum()), int(asked.units.max()) + 1
    return None if hidden else min(1.0, asked.told(counts[0]) / asked.told(counts[1]))


def counted(asked: Asked, name: str, few: int | None) -> dict[str, Any]:
    """How few rows are enough, and their share; hidden where they are fewer than may be shown."""
    hidden = few is not None and few < asked.fewest
    told = None if few is None or hidden else asked.told(few)
    return {
        f"rows_{name}": told,
        f"share_{name}": None if told is None else told / asked.told(len(asked.sample.outcome)),
        f"few_{name}": hidden,
    }


def name_of(asked: Asked, rows: NDArray[np.bool_]) -> str | None:
    """The name of a cluster, where it is that of a category of enough people and of no person."""
    study, sample, cluster = asked.dataset.study, asked.sample, str(asked.sample.cluster_name)
    column = study.columns.get(cluster)
    category = column is not None and (column.type == "category" or (column.type is None and bool(column.codes)))
    if asked.persons or column is None or not category or sample.heads(rows) < asked.fewest:
        return None
    now = Draw(study, asked.question, asked.dataset.frame, asked.dataset.origin, [])
    complete(now, asked.question.adjust)
    outermost(now, study.clusters_of(asked.question))
    if len(now.frame) != len(rows):  # another sample than the question's own
        return None
    name = str(now.frame[cluster].iloc[int(np.argmax(rows))])
    return column.codes.get(name, name)
