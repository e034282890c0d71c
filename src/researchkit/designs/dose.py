"""How the outcome runs over an exposure that is no straight line: between two doses, or on either side of a point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from researchkit import wording
from researchkit.designs.design import Design
from researchkit.designs.pair import paired
from researchkit.designs.subgroup import no_durations
from researchkit.entries import Number, Whole


class Dose(Design):
    """`dose: {between: [3, 5]}` compares two doses along a curve; `dose: {neutral: 3}` a loss with a gain.

    The curve is a natural cubic spline with `knots`. Around a neutral point the headline is what one step (the
    exposure's `per`) below it goes with less what one step above it goes with: positive where the loss weighs more on
    an outcome that rises with the exposure.
    """

    room: ClassVar[str] = "dose"
    notebook: ClassVar[str] = "21_for_whom.ipynb"
    analysis: ClassVar[str] = "curve over the dose; difference of predictions averaged over the sample"
    between: tuple[Number, Number] | None = None
    neutral: Number | None = None
    knots: Whole = Field(7, ge=3, le=9)

    @model_validator(mode="after")
    def one_contrast(self) -> Self:
        if (self.between is None) == (self.neutral is None):
            raise ValueError("a dose is asked about either `between` two values or around a `neutral` point")
        if self.between and self.between[0] == self.between[1]:
            raise ValueError(
                "`between` names two values of the exposure that differ: the one to start from, then the other"
            )
        return self

    def rows(self, label: Callable[[str], str]) -> dict[str, str]:
        if self.between:
            low, high = map(wording.typed, self.between)
            return {"Doses": f"{high} against {low}, along a natural cubic spline with at most {self.knots} knots"}
        return {"Neutral point": f"{wording.typed(self.neutral or 0.0)}: one step below it against one above"}

    def against(self, question: Any) -> list[str]:
        coded = question.exposure.level is not None or question.exposure.reference is not None
        told = "a dose is a number; the exposure has `reference` and `level`, which compare two codes"
        return [told] * coded + no_durations(question)

    def subject(self, question: Any, study: Any) -> str:
        if self.between is None:
            return ""
        name = question.exposure.label or study.label(question.exposure.column)
        low, high = map(wording.typed, self.between)
        return f"{wording.capital(name)} of {high} instead of {low}"

    def sentence(self, effect: Any, word: str, question: Any, study: Any, parts: tuple[str, str, str]) -> str:
        if self.neutral is None:
            return ""
        at = wording.typed(self.neutral)
        values = [term.estimate for term in effect.model.terms[1:3]]  # one step below, one step above
        return paired(effect, word, question, parts, (f"above {at}", f"below {at}"), values[::-1], "")
