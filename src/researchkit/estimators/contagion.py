"""What colleagues were like the time before, and what a person does now.

Four things look like contagion and are none. Like seek like: a person's own earlier value is held equal. Shared
surroundings move a whole team at once: where teams are re-mixed, the answer comes from colleagues who were elsewhere
the time before and could not share them. Nobody is his own colleague, so that with people drawn from one urn the mean
of the others leans against one's own value: what `new` colleagues would have been by lot is held equal. And now moves
now: colleagues' values are of the time before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from researchkit import panel
from researchkit.errors import EstimationError
from researchkit.estimators import score
from researchkit.estimators.effect import Effect, Term, Vector

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.parts import Question

FIXED = 0.05  # with a smaller share of new colleagues than this, teams are taken to be those of before
MOVED, STAYED, EVERY = "from new colleagues", "from colleagues of before", "from all colleagues"
PLAIN = "all colleagues, own earlier value not held equal"
ALIKE = 0.05  # share of what is left unexplained that colleagues of a wave may have in common, where teams are fixed


def contagion(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """The outcome per point of colleagues' mean exposure the time before, from colleagues who came from elsewhere.

    Where teams never change it is that of all colleagues, which shared surroundings can make as well: a note says so,
    and where colleagues are seen to share more than their past, that the assumption fails.

    Raises
    ------
    EstimationError
        As `score`; and where nobody has a colleague with an earlier answer.

    References
    ----------
    Guryan, Kroft and Notowidigdo (2009), American Economic Journal: Applied Economics 1, 34-68, and Angrist (2014),
    Labour Economics 30, 98-108 (what leans against one's own value); Borusyak and Hull (2023), Econometrica 91,
    2155-2185 (what would be expected by lot, held equal). Fixed teams agree with R `lm` and `clubSandwich`.
    """
    if not len(sample.outcome):
        raise EstimationError(
            f"Question {question.id!r}: nobody has both an earlier answer of his or her own and one of a colleague."
        )
    mixed = moving(sample)
    asked = as_score(question)
    every = answered(sample, asked, level, mixed=None)
    effect = answered(sample, asked, level, mixed=True) if mixed else every
    plain = answered(sample, asked, level, mixed=None, own=False)
    own, *rest = effect.model.terms
    beside = [replace(every.model.terms[0], term=EVERY), replace(plain.model.terms[0], term=PLAIN)]
    terms = (replace(own, term=MOVED if mixed else EVERY), *rest, *(beside if mixed else beside[1:]))
    return replace(
        effect,
        kind=question.outcome.kind,
        contrast=f"{sample.exposure_name} of colleagues the time before +1",
        method=f"leave-one-out mean of {'new ' if mixed else ''}colleagues, {effect.method}",
        model=replace(effect.model, name="least squares on colleagues' earlier values", terms=terms),
        notes=(*effect.notes, *(() if mixed else fixed(sample, effect))),
    )


def moving(sample: Sample) -> bool:
    """Whether enough colleagues are new for the answer to come from them."""
    return bool(np.mean(sample.more[panel.SHARE]) >= FIXED)


def as_score(question: Question) -> Question:
    """The question as one of means: shares are told as probabilities."""
    unit = "probability" if question.outcome.kind == "yes_no" else question.outcome.unit
    return question.model_copy(update={"outcome": question.outcome.model_copy(update={"kind": "score", "unit": unit})})


def answered(sample: Sample, question: Question, level: float, *, mixed: bool | None, own: bool = True) -> Effect:
    """Least squares on one of the parts: of new colleagues beside old ones (`mixed`), or of all of them."""
    found = design_of(sample, mixed=mixed, own=own)
    return score.score(found, question, level)


def design_of(sample: Sample, *, mixed: bool | None, own: bool = True, parts: panel.Parts | None = None) -> Sample:
    """The sample with colleagues' values as exposure and everything that is held equal as covariates.

    `parts` stand in for those of the sample, as if people had been in other teams.
    """
    more = sample.more
    new, old, share, expected = (
        (parts.new, parts.old, parts.share, parts.expected)
        if parts
        else (more[name] for name in (panel.NEW, panel.OLD, panel.SHARE, panel.EXPECTED))
    )
    held: dict[str, Vector] = {}
    if mixed:
        held |= {STAYED: old, "share of new colleagues": share, "new colleagues by lot": expected}
    if own:
        held |= {"own earlier outcome": more[panel.OWN]}
        if not np.array_equal(more[panel.OWN], more[panel.OWN_EXPOSURE]):
            held |= {"own earlier exposure": more[panel.OWN_EXPOSURE]}
    cells = np.unique(more[panel.WAVE])[1:]
    held |= {f"wave {place}": (more[panel.WAVE] == cell).astype(float) for place, cell in enumerate(cells, 2)}
    held = {name: values for name, values in held.items() if np.ptp(values) > 0}
    covariates = np.column_stack([*held.values(), *sample.covariates.T]) if held else sample.covariates
    exposure = new if mixed else new + old
    names = (*held, *sample.names)
    groups = (*held, *sample.groups)
    return replace(clustered(sample), exposure=exposure, covariates=covariates, names=names, groups=groups)


def clustered(sample: Sample) -> Sample:
    """The sample with errors shared within teams if no clusters are named: what a team shares at a time is in them.

    With teams re-mixed each time a person meets other colleagues, so that his own errors need no clusters of their own.
    """
    if sample.cluster is not None:
        return sample
    name = list(sample.more)[1]
    team = np.unique(sample.more[name], return_inverse=True)[1].astype(np.int64)
    return replace(sample, cluster=team, cluster_name=name)


def fixed(sample: Sample, effect: Effect) -> tuple[str, ...]:
    """What is said of teams that never change: always a note; where they share more than their past, that it fails."""
    common = in_common(sample)
    if common <= ALIKE:
        return ("teams never change: what spreads among colleagues and what they share look alike",)
    return (
        "assumption fails: teams never change, and what is left unexplained of colleagues at one time is alike, so "
        "they share something; what spreads among them cannot be told from it",
    )


def in_common(sample: Sample) -> float:
    """The share of the unexplained part that colleagues of one time have in common: the intraclass correlation of
    residuals by team and wave, by one-way analysis of variance."""
    from researchkit.estimators.design import design
    from researchkit.estimators.linear import least_squares

    line = least_squares(design(design_of(sample, mixed=None)).matrix, sample.outcome)
    team = np.unique(sample.more[list(sample.more)[1]], return_inverse=True)[1].astype(np.int64)
    cells = panel.paired(team, sample.more[panel.WAVE].astype(np.int64))
    sizes = np.bincount(cells).astype(float)
    means = np.bincount(cells, weights=line.residuals) / sizes
    n, groups = len(cells), len(sizes)
    if groups < 2 or n <= groups:
        return 0.0
    between = float(sizes @ means**2) / (groups - 1)
    within = float(np.sum((line.residuals - means[cells]) ** 2)) / (n - groups)
    size = (n - float(np.sum(sizes**2)) / n) / (groups - 1)
    return (between - within) / (between + (size - 1) * within)


def named(effect: Effect, name: str) -> Term | None:
    """One of the terms of an effect's model, by its name."""
    return next((term for term in effect.model.terms if term.term == name), None)
