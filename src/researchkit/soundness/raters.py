"""How far raters agree on the units that more than one of them has rated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.dataset import Dataset, load_dataset
from researchkit.disclosure import PROFILES, enough
from researchkit.errors import DataError
from researchkit.measures import Raters
from researchkit.readers.values import canonical, distinct, each
from researchkit.scales import Agreement, icc, kappa, krippendorff
from researchkit.story import Prose
from researchkit.tables import Table, frame

if TYPE_CHECKING:
    from researchkit.answer import Answer

OBSERVERS = ("rater", "observer", "coder")  # in the `source` of a column that somebody looking on has rated
NOTE = (
    "Absolute agreement: a stricter rater disagrees. Alpha is Krippendorff's and allows gaps, with an interval from "
    "1,000 draws of units; ICC of a single rating, of the units that have equally many. What raters do not agree on "
    "dilutes an effect or hides it."
)


def raters(dataset: Dataset) -> Table | Prose:
    """Each declaration of raters: how many units were rated more than once, and how far the ratings agree."""
    study = dataset.study
    rows = []
    for name, spec in study.raters.items():
        if study.table_of(spec) != dataset.table:
            continue
        found, units, coded = of_units(dataset, spec)
        row = {"Ratings": spec.label or study.label(spec.of) or name, "Units": units, "Rated more than once": coded}
        if not enough(coded, PROFILES[study.disclosure]):
            row |= {"Units": "not shown", "Rated more than once": "too few to show"}
            found = {}
        rows += [
            {**row, "Measure": how, "Agreement": one.value, "95 % interval": limits(one)} for how, one in found.items()
        ]
        rows += [] if found else [{**row, "Measure": "not known", "Agreement": np.nan, "95 % interval": ""}]
    if not rows:
        return Prose(("The study declares no raters of this table, so nothing is known of how far they agree.",))
    return frame(pd.DataFrame(rows), "How far raters agree", NOTE)


def limits(one: Agreement) -> str:
    return wording.interval(one.low, one.high) if np.isfinite([one.low, one.high]).all() else "not known"


def of_units(dataset: Dataset, spec: Raters) -> tuple[dict[str, Agreement], int, int]:
    """The coefficients that fit the ratings; how many units were rated, and how many more than once."""
    wide = ratings(dataset, spec)
    given = (~np.isnan(wide)).sum(axis=1)
    again = wide[given > 1]
    found: dict[str, Agreement] = {}
    rng = np.random.default_rng(dataset.study.seed)
    try:
        found[f"alpha, {spec.measure}"] = krippendorff(again, spec.measure, rng)
        if spec.measure == "interval":
            found |= intraclass(again)
        elif wide.shape[1] == 2:
            how = f"{spec.weights} weighted kappa" if spec.weights else "kappa"
            found[how] = kappa(again[:, 0], again[:, 1], spec.weights)
    except DataError:  # too few units, or nothing to tell apart: what could be told stands
        pass
    return found, int((given > 0).sum()), len(again)


def intraclass(again: np.ndarray) -> dict[str, Agreement]:
    """ICC(2,1) where the same raters rated every unit; else ICC(1,1) of the units with the usual number of ratings."""
    if not np.isnan(again).any():
        return {"ICC(2,1)": icc(again, "2,1")}
    given = (~np.isnan(again)).sum(axis=1)
    usual = int(np.argmax(np.bincount(given)))
    rows = again[given == usual]
    return {"ICC(1,1)": icc(rows[~np.isnan(rows)].reshape(len(rows), usual), "1,1")}


def ratings(dataset: Dataset, spec: Raters) -> np.ndarray:
    """Shape (units, raters), NaN where a rater left a unit out; words by their place in the alphabet.

    Raises
    ------
    DataError
        If a rater has rated one unit twice.
    """
    data = dataset.frame
    if spec.columns:
        values = data[list(spec.columns)]
    else:
        known = data[list(spec.read)].dropna()
        doubled = int(known.duplicated([str(spec.unit), str(spec.rater)]).sum())
        if doubled:
            raise DataError(
                f"raters: {doubled:,} rows repeat a {spec.unit} and {spec.rater} of another row; keep one of them."
            )
        values = known.pivot(index=str(spec.unit), columns=str(spec.rater), values=str(spec.rating))
    if spec.measure != "nominal":
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    words = {
        word: str(place)
        for place, word in enumerate(sorted({one for name in values for one in distinct(values[name])}))
    }
    coded = [
        each(values[name], lambda entry: words[canonical(entry)]).to_numpy(dtype=np.float64, na_value=np.nan)
        for name in values
    ]
    return np.column_stack(coded)


def agreement(dataset: Dataset, columns: tuple[str, ...]) -> list[str]:
    """A sentence for each of these columns or scales that raters have made: how far they agree."""
    told = []
    for spec in dataset.study.raters.values():
        if spec.of not in columns:
            continue
        table = dataset.study.table_of(spec)
        found, _, coded = of_units(dataset if table == dataset.table else load_dataset(dataset.study, table), spec)
        label = dataset.study.label(spec.of)
        if not found or not enough(coded, PROFILES[dataset.study.disclosure]):
            told.append(f"How far raters agree on “{label}” is not known: too few units were rated more than once.")
            continue
        how, one = list(found.items())[-1]
        value, low, high = (wording.number(part) for part in (one.value, one.low, one.high))
        told.append(
            f"Raters of “{label}” agree to {value} ({how}; 95 % interval {low} to {high}; {wording.count(coded)} units "
            "rated more than once); what they do not agree on dilutes the effect or hides it."
        )
    return told


def observed(answer: Answer) -> Prose:
    """How far the raters agree who made any score that the question reads; or that nobody has said so."""
    study, question = answer.study, answer.question
    told = agreement(answer.dataset, question.columns)
    told += coded(answer)
    declared = {spec.of for spec in study.raters.values()} | study.heard_in(answer.dataset.table).keys()
    for name in question.columns:
        source = study.source_of(name) or ""
        if name not in declared and any(word in source.lower() for word in OBSERVERS):
            told.append(
                f"“{study.label(name)}” comes from others who looked on ({source}), and how far two of them agree is "
                "not known: the study file names no units that were rated twice."
            )
    return Prose(tuple(told) or ("No score in this answer is said to come from an observer.",))


def coded(answer: Answer) -> list[str]:
    """A sentence for each code of conversations that the question reads: how it was made, and how far people agree.

    The notes of the table tell it, for the words themselves are gone by now.
    """
    made = answer.study.heard_in(answer.dataset.table)
    asked = {
        column.removesuffix("_last").removesuffix("_share") for column in answer.question.columns if column in made
    }
    told = []
    for note in answer.dataset.notes:
        column, _, words = note.partition(": coded by ")
        if words and column in asked:
            wrong = " What the coder gets wrong dilutes the effect or hides it." if "kappa" in words else ""
            told.append(f"“{answer.study.label(column)}” is coded by {words}{wrong}")
    return told
