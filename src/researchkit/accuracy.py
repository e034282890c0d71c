"""How well something is seen, told for a page: shares found, the curve of its forecasts, and whose score it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from researchkit import figures, wording
from researchkit.disclosure import PROFILES, shown
from researchkit.errors import ResearchkitError
from researchkit.estimators import reviewed as seen
from researchkit.estimators.detection import GROUPS, described
from researchkit.estimators.forecast import held_against
from researchkit.robustness.check import why_not
from researchkit.scales.generalisability import Generalisability, generalise
from researchkit.tables import Col, Prose, Table

if TYPE_CHECKING:
    from researchkit.answer import Answer
    from researchkit.designs import Detection

MEANS = {
    "sensitivity": "of those in whom it is true, how many are found",
    "specificity": "of those in whom it is not, how many are passed over",
    "positive predictive value": "of those flagged, in how many it is true",
    "negative predictive value": "of those not flagged, in how many it is not",
    "prevalence": "of all, in how many it is true",
}
SOURCES = {  # of the variance of a rating; the last, with what is not told from error, is everything else
    "person": "What was rated",
    "rater": "Strict and lenient raters",
    "occasion": "Strict and lenient occasions",
    "person x occasion": "What was rated, otherwise another time",
    "rater x occasion": "Raters who were stricter another time",
}
NONE = "The question does not ask how well something is seen."
FEW = "Under this disclosure profile these shares are shown for all together, and where each rests on enough people."


def values(answer: Answer) -> Table | Prose:
    """Every share, or correlation, behind the answer, each with its interval."""
    entry = answer.question.detection
    if entry is None:
        return Prose((NONE,))
    share = entry.of in ("sensitivity", "specificity")
    if share and not told(answer, entry):
        return Prose((FEW,))
    rows = []
    terms = answer.effect.model.terms
    if share:
        terms = described(answer.sample, answer.question, answer.effect.level)
    for term in terms:
        scale = 100.0 if share else 1.0
        value, limits = wording.estimate(*(scale * part for part in (term.estimate, term.low, term.high)))
        name = group(answer, term.term) if term.term in GROUPS else term.term
        of = counted(answer, entry, term.term)
        rows.append((wording.capital(name), value, limits, of, MEANS.get(term.term, "")))
    unit = "per cent" if share else "points"
    heads = (
        Col(""),
        Col(f"Value ({unit})" if share else "Value", "right"),
        Col("Interval", "right"),
        Col("Of", "right"),
        Col("Says"),
    )
    level = f"Intervals are at {wording.level(answer.effect.level)}"
    note = f"{level}; those reviewed count for as many as their chance says." if entry.chance else f"{level}."
    return Table("What it sees", heads, tuple(rows), note, "accuracy")


def counted(answer: Answer, entry: Detection, name: str) -> str:
    """Of how many rows a value is, as the profile lets it be told."""
    sample, rows = answer.sample, np.ones(len(answer.sample.outcome), dtype=bool)
    if entry.of in ("sensitivity", "specificity"):
        flag, gold = seen.flagged(sample, entry), sample.outcome
        true = gold == (1 if entry.of == "sensitivity" else 0)
        among = {"sensitivity": gold == 1, "specificity": gold == 0}
        among |= {"positive predictive value": flag == 1, "negative predictive value": flag == 0}
        among |= {one: true & (sample.exposure == arm) for arm, one in enumerate(GROUPS)}
        rows = among.get(name, rows)
    n = shown(int(rows.sum()), PROFILES[answer.study.disclosure])
    return "not shown" if n is None else wording.count(n)


def group(answer: Answer, name: str) -> str:
    """What one of the two groups is called: the codes of the exposure in words."""
    arms, column = answer.sample.arms, answer.study.columns.get(answer.question.exposure.column)
    if arms is None:
        return name
    code = arms[GROUPS.index(name)]
    entry = answer.question.detection
    return f"{entry.of if entry else ''}, {(column.codes if column else {}).get(code, code)}"


def told(answer: Answer, entry: Detection) -> bool:
    """Whether every cell of flag by truth (and by group) has enough people, or nobody is protected.

    What pages of sites would give away together of a flag is not worked out, so there the shares are not shown at all.
    """
    profile = PROFILES[answer.study.disclosure]
    if not profile.protects:
        return True
    if answer.by:
        return False
    sample = answer.sample
    flag, groups = seen.flagged(sample, entry), [np.ones(len(sample.outcome), dtype=bool)]
    if entry.minimum is None and sample.binary_exposure:
        groups = [sample.exposure == arm for arm in (0, 1)]
    cells = [(flag == f) & (sample.outcome == t) & part for f in (0, 1) for t in (0, 1) for part in groups]
    return all(sample.heads(cell) >= profile.threshold for cell in cells)


def curve(answer: Answer) -> figures.Figure | Prose:
    """The share that came over the chance that was forecast; or why there is none."""
    entry = answer.question.detection
    if entry is None or not entry.forecast:
        return Prose(("The study file names no forecast, so there is no curve.",))
    try:
        sample = seen.reviewed(answer.sample, entry)
        chance = seen.numbers(sample, entry.forecast)
        inner = seen.rows(sample, np.isfinite(chance))
        known = chance[np.isfinite(chance)]
        found = held_against(known, inner.outcome, inner.cluster, inner.weights, answer.effect.level)
    except ResearchkitError as error:
        return Prose((f"No curve is drawn: {why_not(error, answer.study)}.",))
    profile = PROFILES[answer.study.disclosure]
    if profile.protects and answer.by:
        return Prose((FEW,))
    for _, part in found.curve if profile.protects else ():
        yes = part.value * part.n
        if min(yes, part.n - yes) < profile.threshold:
            return Prose((FEW,))
    label = answer.question.outcome.label or answer.study.label(answer.question.outcome.column)
    came = [(part.value, part.low, part.high) for _, part in found.curve]
    return figures.calibration(
        np.array([at for at, _ in found.curve]), came, what=label, name=f"{answer.question.id}-forecasts"
    )


def raters(answer: Answer) -> Table | Prose:
    """How the variance of a score splits, and what the mean of so many raters is worth."""
    entry = answer.question.detection
    if entry is None or not entry.raters:
        return Prose(("The study file names no raters behind the score.",))
    try:
        found = generalise(seen.ratings(answer.sample, entry))
    except ResearchkitError as error:
        return Prose((f"Not told: {why_not(error, answer.study)}.",))
    total = sum(found.components.values())
    rows = [
        (SOURCES.get(name, "Everything else"), wording.percent(part / total, 0), "of one rating's variance")
        for name, part in found.components.items()
    ]
    rows += [worth(found, k) for k in sorted({1, 2, found.raters, 2 * found.raters})]
    heads = (Col(""), Col("Value", "right"), Col("Is"))
    twice = " twice" if entry.again else ""
    note = f"From {wording.count(len(entry.raters))} raters who all rated the same{twice}; means are of one occasion."
    return Table("Whose score it is", heads, tuple(rows), note, "raters")


def worth(found: Generalisability, k: int) -> tuple[str, str, str]:
    name = f"The mean of {wording.count(k)} raters" if k > 1 else "One rater"
    return name, wording.number(found.relative(k)), "generalisability, for ranking (1 is perfect)"
