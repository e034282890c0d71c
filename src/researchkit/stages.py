"""What a notebook tells about a roll-out: who began when, the effect since the start, other ways to the answer.

Where lots were drawn for people or clusters at once, there are no stages, and each says so.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from researchkit import figures, wording
from researchkit.disclosure import PROFILES
from researchkit.estimators.effect import wald
from researchkit.estimators.rollout import Laid, behind, lay_out
from researchkit.tables import Prose, Table, frame

if TYPE_CHECKING:
    from researchkit.answer import Answer

ONCE = (
    "Here nothing was rolled out in stages: whoever got it got it at once, and others at the same time did not. The "
    "simple comparison of the two is the fair one where lots were drawn; its interval allows for clusters where the "
    "lot was drawn for them."
)
WAYS = {"two-way regression": "The usual two-way regression", "mixed model": "Mixed model of a stepped wedge"}


def laid_out(answer: Answer) -> Laid | None:
    """The roll-out behind an answer; None where the question has none."""
    return lay_out(answer.sample, answer.question) if answer.question.rollout else None


def schedule(answer: Answer) -> Table | Prose:
    """How many began when, how many never did, and what of it has anybody left to be compared with."""
    laid, design = laid_out(answer), answer.question.rollout
    if laid is None or design is None:
        return Prose((ONCE,))
    cells, study = laid.cells, answer.study
    profile = PROFILES[study.disclosure]
    counts = np.bincount(cells.start, minlength=len(cells.periods) + 1)
    hide = profile.protects and study.tables[answer.dataset.table].people == design.unit
    told = set(laid.found.cohort[laid.found.event >= 0].tolist())
    rows: list[dict[str, Any]] = []
    for place in np.flatnonzero(counts):
        never = place == len(cells.periods)
        few = hide and counts[place] < profile.threshold
        rows.append(
            {
                f"First {study.label(design.time).lower()}": "never, or later" if never else cells.periods[place],
                f"How many, by {study.label(design.unit).lower()}": "few" if few else wording.count(int(counts[place])),
                "In the answer": "as comparison" if place not in told else "yes",
            }
        )
        if not never and place <= design.anticipation:
            rows[-1]["In the answer"] = "no, for nothing was seen before"
    return frame(pd.DataFrame(rows), "Who began when", "Those who begin later are compared with until they do.")


def since(answer: Answer) -> figures.Figure | Prose:
    """The effect by time since the start, with the times before it."""
    laid, design = laid_out(answer), answer.question.rollout
    if laid is None or design is None:
        return Prose((ONCE,))
    scale, unit = wording.scale(answer.effect.unit)
    shown = {event: part for event, part in laid.events.items() if enough(answer, laid, event)}
    points: list[figures.Point] = []
    for event, part in shown.items():
        low, high = limits(part, answer.effect.level)
        points.append((event, scale * part.estimate, scale * low, scale * high))
    base = -1 - design.anticipation
    note = (
        "A hollow dot rests on one alone and has no interval. " if any(math.isnan(point[2]) for point in points) else ""
    )
    if design.before == "last":
        points.append((base, 0.0, 0.0, 0.0))
        note += "Changes are counted from the last time before, so nothing can differ there. "
    hidden = len(laid.events) - len(shown)
    note += f"Left out: {hidden} that could single out a few people." if hidden else ""
    return figures.since(
        sorted(points),
        time=answer.study.label(design.time).lower(),
        unit=wording.units(unit),
        band=figures.band(answer.effect.unit, answer.question.smallest_effect),
        name=f"{answer.question.id}-since-the-start",
        note=note.strip(),
    )


def limits(part: Any, level: float) -> tuple[float, float]:
    if not math.isfinite(part.se):
        return math.nan, math.nan
    low, high, _ = wald(part.estimate, part.se, level, part.df)
    return low, high


def enough(answer: Answer, laid: Laid, event: int, cohort: int | None = None) -> bool:
    """Whether so many people stand behind a time since the start (or a cohort) that it may be told."""
    profile, design = PROFILES[answer.study.disclosure], answer.question.rollout
    if not profile.protects or design is None:
        return True
    chosen = laid.found.event == event if cohort is None else (laid.found.event >= 0) & (laid.found.cohort == cohort)
    return behind(laid, answer.sample, design, chosen) >= profile.threshold


def cohorts(answer: Answer) -> Table | Prose:
    """The effect of each that began together, over all its time since."""
    laid, design = laid_out(answer), answer.question.rollout
    if laid is None or design is None:
        return Prose((ONCE,))
    scale, unit = wording.scale(answer.effect.unit)
    rows = []
    for cohort, part in laid.cohorts.items():
        if not enough(answer, laid, 0, cohort):
            continue
        low, high = limits(part, answer.effect.level)
        known = math.isfinite(low)
        value, ends = (
            wording.estimate(scale * part.estimate, scale * low, scale * high, sign=True) if known else ("", "")
        )
        rows.append(
            {
                f"First {answer.study.label(design.time).lower()}": laid.cells.periods[cohort],
                "Difference": value or wording.number(scale * part.estimate, sign=True),
                "95 % interval": ends or "none: one alone began then",
            }
        )
    if not rows:
        return Prose(("Every cohort could single out a few people, so none is shown.",))
    note = f"In {wording.units(unit)}, averaged over the time since each start. Cohorts were seen for different times."
    return frame(pd.DataFrame(rows), "By when it began", note)


def ways(answer: Answer) -> figures.Figure | Prose:
    """The answer beside the usual regression, the model of a stepped wedge, and other choices of the design."""
    if answer.question.rollout is None:
        return Prose(("The ways to adjust are above; nothing else was chosen here.",))
    scale, unit = wording.scale(answer.effect.unit)
    found = {check.name: check.facts for check in answer.checks if check.ran}
    lines = [("The answer", answer.effect.estimate, answer.effect.low, answer.effect.high)]
    lines += [(label, *ends(found[name])) for name, label in WAYS.items() if name in found]
    lines += [(NAMES[name], *ends(facts)) for name, facts in found.get("other choices", {}).items() if name in NAMES]
    return figures.forest(
        [(label, scale * value, scale * low, scale * high) for label, value, low, high in lines],
        title="Other ways to the answer",
        unit=wording.units(unit),
        band=figures.band(answer.effect.unit, answer.question.smallest_effect),
        highlight=0,
        name=f"{answer.question.id}-ways",
        caption="The usual regression also holds late starters against early ones, whose effect may still grow.",
    )


NAMES = {
    "comparison_never": "Against those who never start",
    "comparison_not_yet": "Against those not yet started",
    "before_last": "From the last time before",
    "before_all": "From all times before",
    "weigh_rows": "Each row counted the same",
    "weigh_units": "Each unit counted the same",
}


def ends(facts: Any) -> tuple[float, float, float]:
    return facts["estimate"], facts["low"], facts["high"]
