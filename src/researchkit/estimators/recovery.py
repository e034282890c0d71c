"""Three arms: no failure, a failure set right as usual, and one set right kindly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from researchkit import wording
from researchkit.errors import EstimationError, listing
from researchkit.estimators import crossed, refuse
from researchkit.estimators.design import design
from researchkit.estimators.effect import Count, Effect, Matrix, Model, Term, Vector, told, wald
from researchkit.estimators.linear import cr2, hc3, least_squares

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question

FEWEST = 5  # rows of an arm


@dataclass(frozen=True)
class Arms:
    """Contrasts (3,): kind against no failure, usual against no failure, kind against usual; se and df of each."""

    values: Vector
    se: Vector
    df: Vector
    errors: str
    notes: tuple[str, ...]


NAMES = ("kind recovery against no failure", "usual recovery against no failure", "kind recovery against the usual one")


def recovery(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """Kind recovery against no failure, at failures of average kind; the other two contrasts are terms.

    What only failures have (severity, compensation) is centred at its mean among failures and 0 elsewhere, so that it
    is held equal between the recoveries and "no failure" is compared with the average failure. A change holds the
    level before the failure equal, so that customers who started differently are not taken for an effect.

    Raises
    ------
    EstimationError
        As `score`; without exactly three arms, with fewer than 5 rows in one, or where a column of failures is empty.

    References
    ----------
    Agrees with R `lm` and `clubSandwich::linear_contrast(m, "CR2", cluster, test = "Satterthwaite")`.
    """
    found = three(sample, question)
    terms = tuple(
        Term(name, value, se, *wald(value, se, level, df))
        for name, value, se, df in zip(
            NAMES, *(part.tolist() for part in (found.values, found.se, found.df)), strict=True
        )
    )
    outcome = question.outcome
    return told(
        sample,
        question,
        level,
        float(found.values[0]),
        float(found.se[0]),
        float(found.df[0]),
        unit="probability" if outcome.kind == "yes_no" else outcome.unit or "point",
        method=f"three arms by least squares, {found.errors} errors{crossed.words(sample)}",
        model=Model("three arms", found.errors, terms, outcome.unit or "points"),
        notes=(*found.notes, *crossed.thin(sample, float(found.df[0]))),
    )


def three(sample: Sample, question: Question) -> Arms:
    """All three contrasts from one fit, each with its own degrees of freedom."""
    entry = question.recovery
    if entry is None:
        raise EstimationError(f"The question {question.id!r} has no `recovery`.")
    kind, usual = arms(sample, question)
    failed = kind | usual
    more, notes = among(sample, question, failed)
    own = np.array([group == question.exposure.column for group in sample.groups], dtype=bool)
    # Kind and usual swapped give the third contrast with its own degrees of freedom: kind less usual is the slope of
    # kind where any failure stands beside it.
    fits = []
    for exposure, other in ((kind, usual), (usual, kind), (kind, failed)):
        covariates = np.column_stack([sample.covariates, more])
        covariates[:, np.flatnonzero(own)] = other[:, None]
        names, groups = (*sample.names, *entry.among_failures), (*sample.groups, *entry.among_failures)
        fits.append(replace(sample, exposure=exposure.astype(float), covariates=covariates, names=names, groups=groups))
    weak = refuse.check(fits[0], question)
    estimates, errors = [], ""
    for one in fits:
        value, se, df, errors = fitted(one, question)
        estimates.append((value, se, df))
    values, ses, dfs = np.array(estimates).T
    return Arms(values, ses, dfs, errors, (*weak, *notes))


def fitted(sample: Sample, question: Question) -> tuple[float, float, float, str]:
    """One contrast: estimate, standard error, degrees of freedom, and the kind of errors."""
    first = None
    if question.outcome.kind == "change" and sample.baseline is not None:
        first = (question.outcome.baseline or "baseline", sample.baseline)
    columns = design(sample, "", first=first)
    line = least_squares(columns.matrix, sample.outcome, sample.weights)
    if sample.cluster is None:
        spread = hc3(line)
    else:
        spread = cr2(line, sample.cluster) if sample.crossed is None else crossed.cr1(line, sample)
    back = float(columns.back[0, 0])
    return (
        back * float(line.coefficients[0]),
        back * float(np.sqrt(spread.covariance[0, 0])),
        float(spread.df[0]),
        spread.errors,
    )


def arms(sample: Sample, question: Question) -> tuple[np.ndarray, np.ndarray]:
    """Which rows (n,) had a kind recovery, and which the usual one."""
    own = [place for place, group in enumerate(sample.groups) if group == question.exposure.column]
    problems = []
    if len(own) != 1:
        problems.append(
            f"a recovery has three arms, and {question.exposure.column} has {2 + len(own)}. Leave the others out by "
            "`keep`, or put them together by `recode`; with two arms a question without `recovery` is what you need."
        )
        raise EstimationError(listing(f"The question {question.id!r}", problems))
    kind, usual = sample.exposure == 1, sample.covariates[:, own[0]] == 1
    sizes = {"no failure": ~(kind | usual), "a kind recovery": kind, "the usual recovery": usual}
    problems += [
        f"{int(rows.sum())} rows had {name}; at least {FEWEST} are needed."
        for name, rows in sizes.items()
        if rows.sum() < FEWEST
    ]
    if problems:
        raise EstimationError(listing(f"The question {question.id!r}", problems))
    return kind, usual


def among(sample: Sample, question: Question, failed: np.ndarray) -> tuple[Matrix, tuple[str, ...]]:
    """The columns that only failures have, centred at their mean there and 0 elsewhere; a gap is the mean."""
    entry = question.recovery
    columns, notes, problems = [], [], []
    for name in entry.among_failures if entry else ():
        values = sample.more[name]
        if values.dtype == object:
            problems.append(f"{name}: numbers are wanted under `among_failures`, and it holds words.")
            continue
        there = failed & np.isfinite(values)
        if not there.any() or np.ptp(values[there]) == 0:
            problems.append(f"{name} never varies among failures, so it cannot be held equal; leave it out.")
            continue
        if gaps := int((failed & ~there).sum()):
            notes.append(f"{name} is not known of all failures; the others count as average in it")
            rows = f"{wording.count(gaps)} {wording.units('row', str(gaps))} of failures"
            notes.append(Count(f"{rows} {'is' if gaps == 1 else 'are'} without {name}"))
        columns.append(np.where(there, values - values[there].mean(), 0.0))
    if problems:
        raise EstimationError(listing(f"The question {question.id!r}", problems))
    return np.column_stack(columns) if columns else np.empty((len(failed), 0)), tuple(notes)
