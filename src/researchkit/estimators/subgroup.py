"""One effect in two groups, or at two values of a number: how much it differs, on the outcome's own scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from researchkit.errors import EstimationError, listing, some
from researchkit.estimators.contrasts import Fitted, Reading, model
from researchkit.estimators.effect import Effect, Matrix, Model, Term, Vector, ratio, terms, told
from researchkit.estimators.likelihood import Average
from researchkit.readers.values import canonical
from researchkit.wording import number, typed

if TYPE_CHECKING:
    from researchkit.dataset import Sample
    from researchkit.designs import Subgroup
    from researchkit.parts import Question

FEWEST = 12  # people of a group; no profile hides as many
FEW = 30  # rows; fewer, and a note says so
NUDGE = 1e-4  # standard deviations of the exposure: a slope, exact to about eight digits
RATIOS = {
    "logistic": "ratio of odds ratios",
    "proportional odds": "ratio of odds ratios",
    "Poisson": "ratio of rate ratios",
}
NOT_DRAWN = (
    "who belongs to which group, or stands where on the number, was not drawn by lot: whatever goes with that may be "
    "what makes the effect differ"
)


@dataclass(frozen=True)
class Layout:
    """The columns of the model: covariates, moderator, exposure, and the exposure times the moderator.

    `moderator` (n, m) is a number, or indicators of `codes` but the first. `others` (n, o) are further levels of a
    coded exposure, which differ between the groups as well. Of the covariates (n, q), `rivals` (places) are multiplied
    with the exposure too, and with `apart` all of them with the moderator: each group is then by itself.
    """

    covariates: Matrix
    moderator: Matrix
    others: Matrix
    exposure: Vector
    codes: tuple[str, ...]
    names: tuple[str, ...]
    rivals: tuple[int, ...] = ()
    apart: bool = False

    def at(self, exposure: Vector | float | None = None, moderator: Vector | None = None) -> Matrix:
        """The raw columns (n, p), with everybody at an exposure, at a place (m,) of the moderator, or as they are."""
        n = len(self.exposure)
        own = self.exposure if exposure is None else np.broadcast_to(np.asarray(exposure, float), n)
        others = self.others if exposure is None else np.zeros_like(self.others)
        place = self.moderator if moderator is None else np.broadcast_to(moderator, self.moderator.shape)
        both = np.column_stack([others, own])
        products = [both[:, [column]] * place for column in range(both.shape[1])]
        more = self.covariates[:, list(self.rivals)] * own[:, None]
        if self.apart:
            more = np.column_stack([more, *(self.covariates * column[:, None] for column in place.T)])
        return np.column_stack([more, self.covariates, place, others, *products[:-1], own, products[-1]])

    @property
    def labels(self) -> tuple[str, ...]:
        """What each raw column is called."""
        count = len(self.rivals) + (self.covariates.shape[1] * self.moderator.shape[1] if self.apart else 0)
        return (*(f"further product {place + 1}" for place in range(count)), *self.names)

    @property
    def needed(self) -> list[int]:
        """Places of the exposure and of its own products."""
        width = len(self.labels)
        return list(range(width - 1 - self.moderator.shape[1], width))

    def place(self, value: str) -> Vector:
        """Where on the moderator (m,) a code, or a number, stands."""
        if not self.codes:
            return np.array([float(value)])
        return np.array([float(code == value) for code in self.codes[1:]])


def subgroup(sample: Sample, question: Question, level: float = 0.95) -> Effect:
    """By how much an effect differs: at the second of two groups less at the first, in the outcome's own unit.

    Everybody's outcome is predicted with and without the exposure (or a little to either side of a numeric one) as if
    all belonged to the one group, then to the other, so that groups of other people are compared like with like. The
    headline is a difference of differences (of risks, of rates), not a ratio of odds ratios. Errors are those of the
    outcome's kind (HC3; CR2 with Satterthwaite degrees of freedom by cluster), so that contacts of one agent are not
    taken for agents.

    Raises
    ------
    EstimationError
        As the kind's own estimator; and if there are not two groups, one has fewer than 10 rows or nobody who differs
        in the exposure, or a value of `between` is not there.

    References
    ----------
    Agrees with R `lm(y ~ x * m)`, `glm` and averages by hand (tests/reference/subgroup.R). On the scale of
    interactions: Ai and Norton (2003), Economics Letters 80, 123-129; VanderWeele and Knol (2014), Epidemiologic
    Methods 3, 33-72.
    """
    part = design_of(question)
    layout = laid_out(sample, question)
    return of_layout(layout, sample, question, level, part)


def of_layout(layout: Layout, sample: Sample, question: Question, level: float, part: Subgroup) -> Effect:
    """The effect from columns that are laid out."""
    fitted = model(sample, question, layout.at(), layout.labels, layout.needed)
    names, averages = effects(layout, fitted, sample, part)
    reading = fitted.read(np.array([one.gradient for one in averages]))
    rows = terms(names, np.array([one.value for one in averages]), reading.covariance, level, freedom(reading))
    effect = told(
        sample,
        question,
        level,
        averages[0].value,
        rows[0].se,
        freedom_of(reading),
        unit=fitted.unit,
        method=f"{fitted.name} with exposure × {part.by}, standardised over the sample, {errors(reading, sample)}",
        model=Model(fitted.name, reading.errors, rows, fitted.unit),
        also=link(layout, fitted, part, level),
        notes=(*fitted.notes, *reading.notes, *few(layout), NOT_DRAWN),
    )
    return replace(effect, contrast=f"{sample.contrast}, {contrast(rows)}")


def design_of(question: Question) -> Subgroup:
    if question.subgroup is None:
        raise EstimationError(f"The question {question.id!r} names no `subgroup`.")
    return question.subgroup


def contrast(rows: Sequence[Term]) -> str:
    """ "at chat less at phone", or "per 1 of workload"."""
    return rows[0].term if rows[0].term.startswith("per ") else f"{rows[2].term} less {rows[1].term}"


def laid_out(sample: Sample, question: Question) -> Layout:
    """The columns of the question's model; what is against them is said all at once."""
    part, n = design_of(question), len(sample.outcome)
    values = sample.more[part.by]
    numeric = values.dtype.kind == "f" and len(np.unique(values)) > 2
    codes: tuple[str, ...] = ()
    if numeric:
        moderator, labels = np.asarray(values, float)[:, None], [part.by]
        problems = beyond(part, moderator[:, 0])
    else:
        entries = np.array([canonical(typed(one) if values.dtype.kind == "f" else str(one)) for one in values])
        codes, problems = coded(part, entries)
        moderator = (
            np.column_stack([entries == code for code in codes[1:]]).astype(float) if codes[1:] else np.empty((n, 0))
        )
        labels = [f"{part.by}: {code}" for code in codes[1:]]
        problems += thin(codes, entries, sample, [canonical(one) for one in part.between])
    if problems:
        raise EstimationError(listing(f"The question {question.id!r}", problems))
    further = np.array([group == question.exposure.column for group in sample.groups], dtype=bool)
    other = ~further & np.array([group != part.by for group in sample.groups], dtype=bool)
    columns = np.asarray(sample.covariates, float).reshape(n, -1)
    names = [name for name, keep in zip(sample.names, other, strict=True) if keep] + labels
    levels = [name for name, keep in zip(sample.names, further, strict=True) if keep]
    names += levels + [f"{level} × {label}" for level in levels for label in labels]
    names += [sample.exposure_name, *(f"{sample.exposure_name} × {label}" for label in labels)]
    return Layout(columns[:, other], moderator, columns[:, further], sample.exposure, codes, tuple(names))


def beyond(part: Subgroup, values: Vector) -> list[str]:
    """Values of `between` that are no numbers, or outside the data."""
    problems = []
    for one in part.between:
        try:
            value = float(one)
        except ValueError:
            problems.append(f"`between` names {one!r}, and {part.by!r} is a number; name two of its values.")
            continue
        if not values.min() <= value <= values.max():
            problems.append(f"`between` names {one}, and nobody's {part.by!r} goes that far; name values that occur.")
    return problems


def coded(part: Subgroup, entries: np.ndarray) -> tuple[tuple[str, ...], list[str]]:
    """The codes, the one to start from first; and why there are no two to compare."""
    there = tuple(np.unique(entries).tolist())
    wanted = tuple(canonical(one) for one in part.between)
    if len(there) < 2:
        return there, [
            f"`by: {part.by}` is the same in all rows, so there is no other group. Look at the `keep` rules."
        ]
    if lacking := [one for one in wanted if one not in there]:
        return there, [
            f"`between` names {some([repr(one) for one in lacking])}, which is not among the values of {part.by!r} "
            f"({some([repr(one) for one in there])})."
        ]
    if not wanted and len(there) > 2:
        told = some([repr(one) for one in there])
        return there, [f"{part.by!r} has {len(there)} values ({told}); name two of them under `between`."]
    return (*wanted, *(one for one in there if one not in wanted)), []


def thin(codes: Sequence[str], entries: np.ndarray, sample: Sample, wanted: Sequence[str]) -> list[str]:
    """Groups too small, or in which everybody has the same exposure."""
    problems = []
    for code in [code for code in codes if not wanted or code in wanted]:
        rows = entries == code
        if sample.heads(rows) < FEWEST:
            problems.append(
                f"the group {code!r} has fewer than {FEWEST} people, so it has no effect of its own. Merge it with "
                "another by `recode`, or collect more data."
            )
        elif np.ptp(sample.exposure[rows]) == 0:
            problems.append(f"in the group {code!r} everybody has the same {sample.exposure_name}: nothing to compare.")
    return problems


def effects(layout: Layout, fitted: Fitted, sample: Sample, part: Subgroup) -> tuple[tuple[str, ...], list[Average]]:
    """The headline, then the effect at each place, by name."""
    if layout.codes or part.between:
        first = [canonical(one) for one in part.between]
        places = told_of(layout) if layout.codes else first
        found = [effect_at(layout, fitted, sample, layout.place(one)) for one in places]
        return ("difference", *(f"at {one}" for one in places)), [minus(found[1], found[0]), *found]
    values, half = layout.moderator, part.per / 2
    centre, spread = float(values.mean()), float(values.std())
    low, high, down, up = (
        effect_at(layout, fitted, sample, place)
        for place in (np.array([centre - spread]), np.array([centre + spread]), values - half, values + half)
    )
    names = (f"per {typed(part.per)} of {part.by}", f"at {number(centre - spread)}", f"at {number(centre + spread)}")
    return names, [minus(up, down), low, high]


def told_of(layout: Layout) -> list[str]:
    """The two codes compared, and the others in which there are enough rows for an effect of their own."""
    rows = dict(zip(layout.codes[1:], layout.moderator.T > 0, strict=True))
    enough = [code for code in layout.codes[2:] if rows[code].sum() >= FEW and np.ptp(layout.exposure[rows[code]]) > 0]
    return [*layout.codes[:2], *enough]


def effect_at(layout: Layout, fitted: Fitted, sample: Sample, place: Vector) -> Average:
    """What the exposure does, on average over everybody, with the moderator at a place."""
    if sample.binary_exposure:
        return minus(fitted.mean(layout.at(1.0, place)), fitted.mean(layout.at(0.0, place)))
    step = NUDGE * float(sample.exposure.std())
    up, down = (fitted.mean(layout.at(layout.exposure + side, place)) for side in (step, -step))
    return times(minus(up, down), 1 / (2 * step))


def minus(one: Average, other: Average) -> Average:
    return Average(one.value - other.value, one.gradient - other.gradient)


def times(one: Average, factor: float) -> Average:
    return Average(one.value * factor, one.gradient * factor)


def link(layout: Layout, fitted: Fitted, part: Subgroup, level: float) -> dict[str, tuple[float, float, float]]:
    """The product term of a model that is no straight line, as a ratio of ratios; {} of a straight line."""
    if fitted.name not in RATIOS:
        return {}
    raw = len(layout.labels) - layout.moderator.shape[1]  # the first product: that of the group compared
    place = fitted.kept.index(raw)
    apart = (
        part.per if not part.between else float(part.between[1]) - float(part.between[0]) if not layout.codes else 1.0
    )
    row = apart * fitted.back[place]
    reading = fitted.read(row[None, :])
    (term,) = terms(
        ("product",), np.array([apart * fitted.coefficients[place]]), reading.covariance, level, freedom(reading)
    )
    return {RATIOS[fitted.name]: ratio(term)}


def freedom(reading: Reading) -> Vector | None:
    """Degrees of freedom of each contrast, None for the normal."""
    return reading.df if np.isfinite(reading.df).all() else None


def freedom_of(reading: Reading) -> float | None:
    """Those of the first."""
    return float(reading.df[0]) if np.isfinite(reading.df[0]) else None


def errors(reading: Reading, sample: Sample) -> str:
    """The errors as a method names them."""
    from researchkit.estimators.crossed import words

    approximate = ", Satterthwaite degrees of freedom" if reading.errors in ("CR2", "HC2") else ""
    return f"{reading.errors} errors{words(sample)}{approximate}{'' if sample.weights is None else ', weighted'}"


def few(layout: Layout) -> tuple[str, ...]:
    """A note where a group is small: its effect is one of few people."""
    if not layout.codes:
        return ()
    sizes = [1 - layout.moderator.sum(axis=1), *layout.moderator.T]
    if min(float(rows.sum()) for rows in sizes[:2]) >= FEW:
        return ()
    return (f"few in a group: one of the two has fewer than {FEW} rows",)
