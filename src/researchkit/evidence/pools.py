"""Which published results can stand in one pool, and what they give together.

The table names its pools (`pool_set`); what nobody should pool is refused here, whoever asks: results of the same
people, results at second hand that hold the others, contrasts that are told otherwise, numbers nobody has seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from researchkit.errors import EstimationError, listing, some
from researchkit.evidence import published
from researchkit.evidence.synthesis import Synthesis, leave_one_out, random_effects

TITLES = {
    "REC_OBS": "Recovery beside compassion that nobody assigned",
    "REC_RCT": "Recovery and anxiety where compassion was randomised",
    "LOY_LEAVE": "Leaving, or not wanting to return, after a poor relation",
    "SAT_R": "Satisfaction beside compassion, both rated by one person",
    "BUR_EE": "Emotional exhaustion beside empathy",
    "BUR_DP": "Depersonalisation beside empathy",
}
# Results of the same people under different citations, as the notes of the table say.
OVERLAPPING = (("E11", "E12"), ("E13", "E14", "E15"), ("E67", "E68"), ("E87", "E88"))
GROUP_OF = {one: group[0] for group in OVERLAPPING for one in group}


@dataclass(frozen=True)
class Metric:
    """How effects are told: a kind, the null of it, and the way back from the scale that they are pooled on."""

    kind: str
    unit: str
    null: float
    back: Callable[[float], float]


RATIO = Metric("log ratio", "ratio", 1.0, math.exp)
DIFFERENCE = Metric("standardised difference", "standard deviations", 0.0, float)
CORRELATION = Metric("correlation", "correlation", 0.0, math.tanh)
METRICS = {
    **dict.fromkeys(("lnOR", "lnHR", "lnRR"), RATIO),
    **dict.fromkeys(("d", "g", "SMD"), DIFFERENCE),
    "Fisher z": CORRELATION,
}


@dataclass(frozen=True)
class Pool:
    """Published results of one contrast (`rows`, with `yi` and `sei` on the scale of pooling) and their synthesis.

    `other` is the same by Paule and Mandel's variance between studies. `without` has one synthesis for each row, made
    without it; it is empty for two.
    """

    name: str
    title: str
    contrast: str
    metric: Metric
    rows: pd.DataFrame
    synthesis: Synthesis
    other: Synthesis
    without: tuple[Synthesis, ...]
    notes: tuple[str, ...]


def pools(claim: str | None = None) -> tuple[Pool, ...]:
    """Every pool that the table names and that has two results or more; of one claim, those that hold one on it."""
    frame = published()
    named = [(name, frame[frame["pool_set"] == name]) for name in TITLES]
    wanted = [
        (name, rows) for name, rows in named if claim is None or rows["claim_ids"].map(lambda ids: claim in ids).any()
    ]
    return tuple(pool(rows, name=name, title=TITLES[name]) for name, rows in wanted)


def pool(rows: pd.DataFrame, *, name: str = "pool", title: str = "Published results together") -> Pool:
    """Pool rows of `published()`.

    Raises
    ------
    EstimationError
        With every reason why these rows cannot stand together.
    """
    if problems := objections(rows):
        raise EstimationError(listing("These results cannot stand in one pool", problems))
    rows = rows.reset_index(drop=True)
    kinds = rows["yi_metric"].map(lambda told: parted(told)[0]).unique()
    metric = METRICS[kinds[0]]
    notes = []
    if metric is RATIO and len(kinds) > 1:
        notes.append("Odds and hazard ratios stand together here; they are alike only where few meet the outcome.")
    if len(rows) == 2:
        notes.append("Two results show how far apart they are; an interval for their mean would tell nothing.")
    return Pool(
        name,
        title,
        parted(rows["yi_metric"][0])[1],
        metric,
        rows,
        random_effects(rows["yi"], rows["sei"]),
        random_effects(rows["yi"], rows["sei"], method="PM"),
        tuple(leave_one_out(rows["yi"], rows["sei"])),
        tuple(notes),
    )


def parted(told: str) -> tuple[str, str]:
    """A metric of the table as its kind and what it compares: "lnOR" and "the bad outcome, high v low compassion"."""
    kind = next((kind for kind in METRICS if told == kind or told.startswith((f"{kind} ", f"{kind},"))), "")
    return kind, told.removeprefix(kind).lstrip(", ").removeprefix("of ")


def objections(rows: pd.DataFrame) -> list[str]:
    """Why rows of the table cannot be pooled, all reasons at once; nothing where they can."""
    problems = []

    def against(wrong: pd.Series, words: str) -> None:
        if wrong.any():
            problems.append(f"{some(rows.loc[wrong, 'id'], 8)}: {words}")

    if len(rows) < 2:
        problems.append("there are fewer than two.")
    against(~rows["verified"], "the numbers were not seen in a public page.")
    against(rows["retracted"], "the publication was retracted.")
    against(rows["yi"].isna() | rows["sei"].isna(), "no effect with its standard error follows from what was printed.")
    against(rows["k_studies"].notna(), "they are syntheses themselves, and may hold the others.")
    people = rows["id"].map(GROUP_OF).fillna(rows["citation_short"])
    against(people.duplicated(keep=False), "they are of the same people; keep one of each study.")
    parts = rows["yi_metric"].map(parted)
    against(parts.map(lambda part: not part[0]) & rows["yi"].notna(), "their metric is one that cannot be pooled.")
    told = {(METRICS[kind].kind, contrast) for kind, contrast in parts if kind}
    if len(told) > 1:
        contrasts = [f"{kind} of {contrast}" for kind, contrast in sorted(told)]
        problems.append(f"they tell different contrasts: {some(contrasts, 4)}.")
    return problems
