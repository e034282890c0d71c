"""What carries an effect: exposure, mediator and outcome, one after the other, each from its own source."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, ClassVar

from pydantic import model_validator

from researchkit import wording
from researchkit.designs.design import Design
from researchkit.entries import Names, Number, Part
from researchkit.errors import some

KINDS = ("score", "change", "yes_no")
When = Number | str


class Times(Part):
    """When each was measured: numbers that rise with time (waves, days), or the columns that hold such numbers."""

    exposure: When
    mediator: When
    outcome: When

    @model_validator(mode="after")
    def one_after_the_other(self) -> Times:
        parts = {"exposure": self.exposure, "mediator": self.mediator, "outcome": self.outcome}
        known = [(name, when) for name, when in parts.items() if not isinstance(when, str)]
        for (first, early), (second, late) in itertools.pairwise(known):
            if late < early:
                raise ValueError(
                    f"the {second} was measured at {wording.typed(late)}, before the {first} at {wording.typed(early)},"
                    " and what came before cannot follow from it; put the times right, or name another mediator"
                )
        return self

    @property
    def apart(self) -> bool:
        """Whether no two were measured at one time."""
        return len({self.exposure, self.mediator, self.outcome}) == 3

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(when for when in (self.exposure, self.mediator, self.outcome) if isinstance(when, str))


class Mechanism(Design):
    """`mechanism: {mediator: trust, times: {exposure: 1, mediator: 2, outcome: 3}}`: how much goes by way of trust.

    The mediator is a score. `adjust` names what may act on mediator and outcome, beside what the question adjusts for;
    like that it must stand before the exposure. `times` say that the three were measured one after the other; without
    them the order is only believed, and the page says so.
    """

    room: ClassVar[str] = "mechanism"
    notebook: ClassVar[str] = "20_mechanisms.ipynb"
    analysis: ClassVar[str] = "product of two paths, each by least squares, with a Monte Carlo interval"
    lots: ClassVar[bool] = False  # lots over the exposure leave who has how much of the mediator to itself

    mediator: str
    adjust: Names = ()
    times: Times | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.mediator, *self.adjust, *(self.times.columns if self.times else ()))

    @property
    def held(self) -> tuple[str, ...]:
        return self.adjust

    def against(self, question: Any) -> list[str]:
        taken = {question.exposure.column: "exposure", question.outcome.column: "outcome"}
        problems = [
            f"the mediator {self.mediator!r} is the {taken[name]} too" for name in taken if name == self.mediator
        ]
        if self.mediator in (*question.adjust, *self.adjust):
            problems.append(
                f"{self.mediator!r} is the mediator and cannot be adjusted for: that would take away what is asked"
            )
        if question.outcome.baseline and question.outcome.baseline == self.mediator:
            problems.append(f"the mediator {self.mediator!r} is the baseline of the outcome too")
        if twice := [name for name in self.adjust if name in question.adjust]:
            problems.append(f"{some(twice)} stands under `adjust` of the question and of the mechanism; once is enough")
        problems += [
            f"{name!r} is the {taken[name]} and cannot be adjusted for" for name in self.adjust if name in taken
        ]
        if question.outcome.kind not in KINDS:
            problems.append(
                f"a mechanism is told for outcomes of kind {some(KINDS)}, and {question.outcome.column!r} is of kind "
                f"{question.outcome.kind}; ask for a score of it, or for yes or no"
            )
        return problems

    def rows(self, label: Callable[[str], str]) -> dict[str, str]:
        told = {"By way of": label(self.mediator)}
        if self.adjust:
            told["Held equal for mediator and outcome, too"] = some([label(name) for name in self.adjust], 20)
        return told | {"Measured at": self.when(label)}

    def when(self, label: Callable[[str], str]) -> str:
        """When exposure, mediator and outcome were measured, in words."""
        if self.times is None:
            return "not said"
        parts = ("exposure", self.times.exposure), ("mediator", self.times.mediator), ("outcome", self.times.outcome)
        return ", ".join(
            f"{name} {label(when) if isinstance(when, str) else wording.typed(when)}" for name, when in parts
        )

    def told(self, subject: str, outcome: str, label: Callable[[str], str]) -> tuple[str, str]:
        return f"{subject}, by way of {wording.lower_first(label(self.mediator))},", outcome
