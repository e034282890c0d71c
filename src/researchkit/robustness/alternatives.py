"""The planned alternatives of a question: other people, another coding, another adjustment, another model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from researchkit.codebook import variants
from researchkit.disclosure import PROFILES, enough, shown
from researchkit.errors import ResearchkitError
from researchkit.robustness.check import Way, why_not

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question
    from researchkit.study import Study


@dataclass(frozen=True)
class Other:
    """One planned alternative, beside the headline; or why it has no estimate.

    `alike` says whether its effect is on the headline's scale; `turned` is -1 where its outcome is better the other
    way round than the headline's, so that agreement means the opposite sign.
    """

    name: str
    label: str
    effect: Effect | None = None
    n: int | None = None  # None where it, or its distance to another n of the page, is too small to be shown
    alike: bool = False
    turned: int = 1
    reason: str = ""

    @property
    def way(self) -> Way:
        """The alternative as one of the ways of a figure."""
        effect = self._estimated()
        return self.label, effect.estimate, effect.low, effect.high

    def sign(self, side: bool = False) -> int:
        """The sign of the estimate on the headline's side; with `side`, that of an interval which excludes zero."""
        effect = self._estimated()
        return self.turned * (clear(effect) if side else sign(effect.estimate))

    def to_dict(self, headline: Effect, margin: float) -> dict[str, Any]:
        """The alternative as it stands in `result.json`; `same_band` is None on another scale."""
        if self.effect is None:
            return {"name": self.name, "label": self.label, "ran": False, "reason": self.reason}
        own = self.effect
        inside = [-margin < one.low and one.high < margin for one in (own, headline)]
        return {
            "name": self.name,
            "label": self.label,
            "ran": True,
            "estimate": own.estimate,
            "low": own.low,
            "high": own.high,
            "unit": own.unit,
            "contrast": own.contrast,
            "method": own.method,
            "n": self.n,
            "same_scale": self.alike,
            "same_sign": self.sign() == sign(headline.estimate),
            "same_side_of_zero": self.sign(side=True) == clear(headline),
            "same_band": inside[0] == inside[1] if self.alike else None,
        }

    def _estimated(self) -> Effect:
        if self.effect is None:
            raise ValueError(f"The alternative {self.name!r} has no estimate.")
        return self.effect


def clear(effect: Effect) -> int:
    """The side of zero that an interval lies on; 0 where it holds zero."""
    return sign(effect.low) if effect.low * effect.high > 0 else 0


def sign(value: float) -> int:
    return int(value > 0) - int(value < 0)


def planned_alternatives(dataset: Dataset, question: Question, effect: Effect, sample: Sample) -> tuple[Other, ...]:
    """Every alternative that the question names, estimated by the whole chain, at the headline's level.

    One that these data cannot answer is listed with its reason, and one about fewer people than the study's profile
    lets be shown is not shown.
    """
    study = dataset.study
    found: list[Other] = []
    known, headline = [effect.n], steps(study, question, sample)
    for name, variant in zip(question.alternatives, variants(study, question)[1:], strict=True):
        label = study.alternatives[name].label
        try:
            other = _estimated(dataset, variant, effect, name, known, headline)
        except ResearchkitError as error:
            other = Other(name, label, reason=why_not(error, study))
        if variant.outcome.good != question.outcome.good:
            other = replace(other, turned=-1, alike=False)
        known += [other.n] if other.n is not None else []
        found.append(other)
    return tuple(found)


def _estimated(
    dataset: Dataset, variant: Question, effect: Effect, name: str, known: Sequence[int], headline: tuple[Any, ...]
) -> Other:
    """One alternative. `known` are the numbers of rows that are told already: one that differs from them by a few is
    not told, for the difference would be about those few. `headline` are the steps of the headline."""
    from researchkit.estimators import estimate_sample

    study, alternative = dataset.study, dataset.study.alternatives[name]
    profile, asked = PROFILES[study.disclosure], with_unit(study, variant)
    sample = dataset.sample(asked)
    if not enough(sample.people, profile):
        few = f"it is about fewer than {profile.threshold} people, which the profile {profile.name!r} does not show"
        return Other(name, alternative.label, reason=few)
    own = estimate_sample(sample, asked, effect.level, alternative.model)
    near = any(0 < abs(own.n - other) < profile.threshold for other in known)
    alike = own.unit == effect.unit and steps(study, asked, sample) == headline
    return Other(name, alternative.label, own, None if near else shown(own.n, profile), alike)


def with_unit(study: Study, question: Question) -> Question:
    """The question with the unit of its outcome, from the codebook where the study file names none beside it."""
    outcome = question.outcome
    part = study.part(outcome.column)
    if outcome.unit or part is None or outcome.kind not in ("score", "change", "duration"):
        return question
    return question.model_copy(update={"outcome": outcome.model_copy(update={"unit": part.unit})})


def steps(study: Study, question: Question, sample: Sample) -> tuple[Any, ...]:
    """What one step of the exposure and one unit of the outcome are: equal for effects that can be laid side by side.

    Two columns share a step only where the codebook gives both the same unit and the same range: points of one scale
    are no points of another. Levels of a coded exposure are a step of their own.
    """
    exposure, outcome = question.exposure, question.outcome
    step = (exposure.column, *sample.arms) if sample.arms else (exposure.per, *ruler(study, exposure.column))
    measured = () if outcome.kind in ("yes_no", "ordered", "counts") else ruler(study, outcome.column)
    return step, measured, outcome.horizon


def ruler(study: Study, column: str) -> tuple[Any, ...]:
    """The unit and range of a column, or its name where the codebook does not say both."""
    part = study.columns.get(column) or study.scales.get(column)
    return (part.unit, part.range) if part and part.unit and part.range else (column,)
