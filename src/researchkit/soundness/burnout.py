"""Burnout, means first: then the share over every published cut-off side by side, and the five profiles of Maslach.

There is no one share of people who are burned out: it hangs on the rule. So none is told by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit import wording
from researchkit.account import bounds, scales_here
from researchkit.disclosure import PROFILES, enough
from researchkit.feedback import clusters, heads, told_share
from researchkit.linked.levels import apart_together
from researchkit.scales import burnout_cutoffs, read_instrument
from researchkit.story import Prose
from researchkit.tables import Table, frame

if TYPE_CHECKING:
    from researchkit.answer import Answer
    from researchkit.dataset import Dataset

HIDDEN = "not shown"
PROFILE = {  # high exhaustion, high depersonalisation, low accomplishment -> what it is called
    (False, False, False): ("engaged", "none of the three is bad"),
    (False, False, True): ("ineffective", "only accomplishment is low"),
    (True, False, False): ("overextended", "only exhaustion is high"),
    (False, True, False): ("disengaged", "only depersonalisation is high"),
    (True, True, False): ("burnout", "exhaustion and depersonalisation are high"),
    (True, True, True): ("burnout", "exhaustion and depersonalisation are high"),
}
REST = ("between profiles", "low accomplishment with one of the two others high")


def means(dataset: Dataset) -> Table | Prose:
    """Mean of each scale with its interval, which knows of clusters, beside the scores that are possible."""
    from researchkit.figures.levels import mean_interval

    rows = []
    for name in scales_here(dataset):
        data = dataset.frame[dataset.frame[name].notna()]
        scores, (low, high) = data[name].to_numpy(dtype=np.float64), bounds(name, dataset)
        row: dict[str, Any] = {"Scale": dataset.study.label(name), "Mean": HIDDEN, "95 % interval": "", "SD": HIDDEN}
        if enough(heads(dataset, data, np.full(len(data), True)), PROFILES[dataset.study.disclosure]) and len(data):
            value, limits = wording.estimate(*mean_interval(scores, np.ones(len(scores)), clusters(dataset, data)))
            row |= {"Mean": value, "95 % interval": limits, "SD": wording.number(float(scores.std(ddof=1)))}
        rows.append(row | {"Possible": f"{wording.typed(low)} to {wording.typed(high)}"})
    note = "Means use every score and no cut-off. What is high is a matter of comparison, not of a line."
    return frame(pd.DataFrame(rows), "Means first", note) if rows else Prose(("No scale in this table.",))


def cutoffs(dataset: Dataset) -> Table | Prose:
    """The share over each published cut-off of each scale, with where the line comes from and why to be wary of it."""
    rows = []
    for name, scale in scales_here(dataset).items():
        instrument, _, part = (scale.instrument or "").partition("/")
        lines = burnout_cutoffs(instrument) if instrument else ()
        data = dataset.frame[dataset.frame[name].notna()]
        lines = tuple(one for one in lines if one.scale in ("all", part.rpartition("/")[2]))
        over = [data[name].to_numpy() >= line.at for line in lines]
        both = [side for inside in over for side in (inside, ~inside)]
        safe = dict(zip(lines, told_apart(dataset, data, both)[::2], strict=True))
        for line in lines:
            at = f"{line.label}: {wording.typed(line.at)} {line.direction}"
            told = telling(dataset, data, data[name].to_numpy() >= line.at, safe[line])
            words = {"Source": line.source, "Warning": line.warning}
            rows.append({"Scale": dataset.study.label(name), "Cut-off": at, **told, **words})
    if not rows:
        return Prose(("No scale of this table has a published cut-off in its key, so none is shown.",))
    note = "Rules differ, and none is a diagnosis: the same people give very different shares by different lines."
    return frame(pd.DataFrame(rows), "Share over each published cut-off", note)


def told_apart(dataset: Dataset, data: pd.DataFrame, groups: list[NDArray[np.bool_]]) -> list[bool]:
    """Which groups of rows may be told, so that no few people can be worked out from those that are."""
    people = dataset.study.tables[dataset.table].people
    who = np.arange(len(data)) if people == "row" else pd.factorize(data[people])[0].astype(np.int64)
    if not groups or not len(data):
        return [False] * len(groups)
    return [not gone for gone in apart_together(who, groups, PROFILES[dataset.study.disclosure])]


def telling(dataset: Dataset, data: pd.DataFrame, inside: NDArray[np.bool_], safe: bool) -> dict[str, str]:
    """A share with its interval, where it may be told."""
    if not safe:
        return {"Share": HIDDEN, "95 % interval": ""}
    profile = PROFILES[dataset.study.disclosure]
    value, low, high = told_share(inside, clusters(dataset, data), profile)
    return {"Share": wording.percent(value / 100), "95 % interval": f"{wording.interval(low, high)} %"}


def profiles_of(answer: Answer) -> Table | Prose:
    """The profiles of the people of an answer; not on the page of one group where small counts are hidden."""
    if answer.by and PROFILES[answer.study.disclosure].protects:
        return Prose(("No profiles are told of one group: beside the page of all, a few people could be worked out.",))
    return profiles(answer.dataset)


def profiles(dataset: Dataset) -> Table | Prose:
    """The five profiles of Leiter and Maslach (2016) for a table that has all three scales of their inventory.

    High and low are by lines that lie so many standard deviations from the mean of these people (see `profiles` of the
    key), so a share tells how these people group, never how many of them are worse off than others.
    """
    found = {part: name for name, part in parts(dataset)}
    spec = read_instrument("mbi_hss")["profiles"]
    if set(found) != set(spec["lines"]):
        return Prose(
            ("The five burnout profiles need all three scales of the Maslach Burnout Inventory; none is shown.",)
        )
    data = dataset.frame.dropna(subset=list(found.values()))
    if not all(data[name].nunique() > 1 for name in found.values()):
        return Prose(("A scale of the inventory is the same for everybody who answered, so nobody is above a line.",))
    over = {part: above(data[name], float(spec["lines"][part])) for part, name in found.items()}
    keys = zip(over["exhaustion"], over["depersonalisation"], ~over["accomplishment"], strict=True)
    called = np.array([PROFILE.get((bool(a), bool(b), bool(c)), REST)[0] for a, b, c in keys], dtype=object)
    names = dict.fromkeys([*PROFILE.values(), REST])
    groups = [called == name for name, _ in names]
    safe = told_apart(dataset, data, groups)
    rows = [
        {"Profile": name, "Meaning": meaning, **telling(dataset, data, inside, one)}
        for (name, meaning), inside, one in zip(names, groups, safe, strict=True)
    ]
    note = f"{spec['source']}. {spec['lines_are']} Not verified: {spec['unverified']}. No diagnosis."
    return frame(pd.DataFrame(rows), "Five profiles", note)


def parts(dataset: Dataset) -> list[tuple[str, str]]:
    """The scales here that are of the Maslach inventory, and which part of it each is."""
    named = [(name, (scale.instrument or "").split("/")) for name, scale in scales_here(dataset).items()]
    return [(name, words[-1]) for name, words in named if words[0] == "mbi_hss"]


def above(scores: pd.Series, line: float) -> NDArray[np.bool_]:
    """Which scores lie at least `line` standard deviations over the mean."""
    return np.asarray(scores >= scores.mean() + line * scores.std())
