"""Whether one thing is behind the items of a scale, and whether the score means the same in every group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from researchkit import scales, wording
from researchkit.account import scales_here, turned
from researchkit.disclosure import PROFILES, Profile, enough
from researchkit.errors import ResearchkitError
from researchkit.readers.values import canonical, each
from researchkit.story import Prose
from researchkit.tables import Table, frame

if TYPE_CHECKING:
    from researchkit.dataset import Dataset

FALLS = 0.01  # of the CFI: more speaks against equal loadings or intercepts (Cheung and Rensvold 2002)
NOTE = "By maximum likelihood, of those who answered every item. People of one team are taken to answer on their own."
WORDS = {
    "configural": "one factor in each group",
    "metric": "and equal loadings: a point means as much",
    "scalar": "and equal intercepts: the same level means the same",
}


def one_factor(dataset: Dataset) -> Table | Prose:
    """How far the items of each scale are from having one thing behind them."""
    rows = []
    for name in scales_here(dataset):
        row: dict[str, object] = {"Scale": dataset.study.label(name)}
        try:
            row |= fit_words(
                scales.one_factor(turned(dataset, name)), len(dataset.frame), PROFILES[dataset.study.disclosure]
            )
        except ResearchkitError as error:
            row |= {"Chi-square": str(error)}
        rows.append(row)
    note = f"{NOTE} Near are a CFI of 0.95 and more, an RMSEA of 0.06 and less; three items always fit."
    return frame(pd.DataFrame(rows), "Is one thing behind the items?", note) if rows else nothing()


def fit_words(fit: scales.Fit, rows: int, profile: Profile) -> dict[str, object]:
    """One fit as cells. In a large sample any misfit makes the chi-square significant, so the indices stand beside."""
    rmsea, low, high = (wording.fixed(one, 3) for one in (fit.rmsea, fit.rmsea_low, fit.rmsea_high))
    return {
        "Chi-square": wording.number(fit.chi2, 3) if fit.df else "0",
        "df": fit.df,
        "p": wording.probability(fit.p) if fit.df else "",
        "CFI": wording.fixed(fit.cfi, 3),
        "RMSEA, 90 % interval": f"{rmsea} ({low} to {high})",
        "SRMR": wording.fixed(fit.srmr, 3),
        "n": fit.n if rows == fit.n or enough(rows - fit.n, profile) else "not shown",
    }


def groups(dataset: Dataset, across: str | None = None) -> Table | Prose:
    """Whether each scale means the same in the groups of `across`, or of the column that the study file names."""
    rows, said = [], []
    for name, scale in scales_here(dataset).items():
        by = across or scale.across
        if not by or by not in dataset.frame:
            continue
        try:
            parts = split(dataset, name, by)
            rows += levels(dataset, name, by, scales.invariance(parts))
        except ResearchkitError as error:
            said.append(f"{dataset.study.label(name)} across {dataset.study.label(by)}: {error}")
    if rows:
        note = f"{NOTE} Groups too small to be shown are left out; waves of the same people are not independent. "
        note += (
            "A fall of the CFI by more than 0.01 says that the step before does not hold (Cheung and Rensvold 2002)."
        )
        return frame(pd.DataFrame(rows), "Does the score mean the same in every group?", " ".join([note, *said]))
    return Prose(
        tuple(said) or ("No scale of this table names, with `across`, the groups in which it should mean the same.",)
    )


def split(dataset: Dataset, name: str, by: str) -> list[np.ndarray]:
    """The items (n, k) of each group that may be shown."""
    data, profile = dataset.frame[dataset.frame[by].notna()], PROFILES[dataset.study.disclosure]
    parts = [turned(dataset, name, part) for _, part in data.groupby(each(data[by], canonical))]
    return [part for part in parts if enough(len(part), profile) and len(part)]


def levels(dataset: Dataset, name: str, by: str, found: dict[scales.Equal, scales.Fit]) -> list[dict[str, object]]:
    """A row for each step, with the fall of the CFI against the step before and what follows."""
    rows, before, holds = [], None, True
    for level, fit in found.items():
        across = f"{dataset.study.label(by)} ({fit.groups} groups)"
        row: dict[str, object] = {"Scale": dataset.study.label(name), "Across": across, "Supposed": WORDS[level]}
        row |= fit_words(fit, len(dataset.frame), PROFILES[dataset.study.disclosure])
        if before is None:
            rows.append(row | {"CFI falls by": "", "Holds": ""})
        else:
            fall = before.cfi - fit.cfi
            holds = holds and fall <= FALLS
            rows.append(row | {"CFI falls by": wording.fixed(fall, 3), "Holds": "yes" if holds else "no"})
        before = fit
    return rows


def nothing() -> Prose:
    return Prose(("No scale in this table.",))
