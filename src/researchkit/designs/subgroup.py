"""Does it do as much for some as for others? One effect in two groups, or at two values of a number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from researchkit import wording
from researchkit.designs.design import Design
from researchkit.designs.pair import paired
from researchkit.entries import Codes, Number


class Subgroup(Design):
    """`subgroup: {by: channel, between: [phone, chat]}`: the effect at the second less the effect at the first.

    `by` is coded, or a number. Of a coded one with two levels, and of a number, `between` may be left out: then the
    levels of the codebook are compared in their order, or the headline is by how much the effect differs for each `per`
    more of the number. With `expect: equal` the question is whether the effects are alike, within what is too small to
    matter.
    """

    room: ClassVar[str] = "subgroup"
    notebook: ClassVar[str] = "21_for_whom.ipynb"
    analysis: ClassVar[str] = "model with exposure × moderator; difference of effects standardised over the sample"
    lots: ClassVar[bool] = False  # nobody drew lots over who is in which group
    by: str
    between: Codes = ()
    per: Number = Field(1.0, gt=0)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.by,)

    @model_validator(mode="after")
    def two_that_differ(self) -> Self:
        if self.between and (len(self.between) != 2 or self.between[0] == self.between[1]):
            raise ValueError("`between` names two values of `by` that differ: the one to start from, then the other")
        if self.between and self.per != 1:
            raise ValueError("`per` goes without `between`: the difference is either between two values or per step")
        return self

    def rows(self, label: Callable[[str], str]) -> dict[str, str]:
        if self.between:
            where = f"{self.between[1]} less {self.between[0]}"
        else:
            where = f"the two groups, or for each {wording.typed(self.per)} more of a number"
        return {f"Effect compared by {wording.lower_first(label(self.by))}": where}

    def against(self, question: Any) -> list[str]:
        same = self.by in (question.exposure.column, question.outcome.column)
        told = [f"`by: {self.by}` is the exposure or the outcome; name what the two groups differ in"] if same else []
        return told + no_durations(question)

    def sentence(self, effect: Any, word: str, question: Any, study: Any, parts: tuple[str, str, str]) -> str:
        first, second = where([term.term for term in effect.model.terms[1:3]], self.by, study)
        per = "" if self.between or not steps_of(effect) else f" for {step(self.per, self.by, study)}"
        values = [term.estimate for term in effect.model.terms[1:3]]
        return paired(effect, word, question, parts, (first, second), values, per)


def where(terms: Sequence[str], by: str, study: Any) -> tuple[str, str]:
    """Two places of a model's terms ("at chat") inside a sentence that names the second one first."""
    first, second = (term.removeprefix("at ") for term in terms)
    codes = getattr(study.part(by), "codes", None) or {}
    if first in codes or not a_number(first):
        first, second = (f"for “{wording.lower_first(codes.get(one, one))}”" for one in (first, second))
        return first, second
    return f"where it was {first}", f"where {wording.lower_first(study.label(by))} was {second}"


def a_number(text: str) -> bool:
    try:
        float(text.replace("−", "-").replace(",", ""))
    except ValueError:
        return False
    return True


def steps_of(effect: Any) -> bool:
    """Whether the headline is per step of a number, and not between two values."""
    return bool(effect.model.terms[0].term.startswith("per "))


def step(per: float, by: str, study: Any) -> str:
    unit = getattr(study.part(by), "unit", None) or "unit"
    many = wording.typed(per)
    return f"{many} more {wording.units(unit, many)} of {wording.lower_first(study.label(by))}"


def no_durations(question: Any) -> list[str]:
    """Times until an event have no such model here."""
    if question.outcome.kind != "duration":
        return []
    return [
        "an outcome of kind duration cannot be asked so; ask whether it had happened by a day that all were watched "
        "for (`events:` with a `window`), which is of kind yes_no"
    ]
