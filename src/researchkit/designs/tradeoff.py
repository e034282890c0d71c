"""Two outcomes at once: what is gained in one, less the price of the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from pydantic import Field

from researchkit import wording
from researchkit.designs.design import Design
from researchkit.entries import Code, Number

KINDS = ("score", "yes_no")


class Tradeoff(Design):
    """`tradeoff: {other: handle_minutes, good: low, price: 0.05, unit: minute}`: is the gain worth what it costs?

    `other` is a second outcome, a number or, with `yes`, the code of it that counts as 1. `price` is how much of the
    question's outcome one unit of the other is worth: with 0.05, a minute more is made up for by 0.05 points. The
    answer is the change of the outcome less the price of the change of the other (or, where both are good in the same
    direction, plus it), so `smallest_effect` is in the outcome's own unit.
    """

    room: ClassVar[str] = "tradeoff"
    notebook: ClassVar[str] = "27_tradeoffs.ipynb"
    analysis: ClassVar[str] = "two straight lines in the same rows, with the joint errors of both"

    other: str
    price: Number = Field(gt=0)
    good: Literal["high", "low"] = "low"
    unit: str = "unit"
    yes: Code | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.other,)

    def sign(self, question: Any) -> float:
        """What the other outcome is multiplied by, beside its price: 1 where both are good in the same direction."""
        return 1.0 if self.good == question.outcome.good else -1.0

    def against(self, question: Any) -> list[str]:
        problems = []
        for name, what in ((question.exposure.column, "exposure"), (question.outcome.column, "outcome")):
            if self.other == name:
                problems.append(f"the other outcome {self.other!r} is the {what} too; a trade-off needs two outcomes")
        if self.other in question.adjust:
            problems.append(f"{self.other!r} is an outcome of the trade-off and cannot be adjusted for")
        if question.outcome.kind not in KINDS:
            problems.append(
                f"a trade-off is told for outcomes of kind score or yes_no; {question.outcome.column!r} is of kind "
                f"{question.outcome.kind}"
            )
        return problems

    def rows(self, label: Callable[[str], str]) -> dict[str, str]:
        return {"The other outcome": f"{label(self.other)} ({self.good} is good)", "Its price": self.priced()}

    def priced(self) -> str:
        return f"{wording.typed(self.price)} of the outcome for one {self.unit}"

    def told(self, subject: str, outcome: str, label: Callable[[str], str]) -> tuple[str, str]:
        other = wording.lower_first(label(self.other))
        joint = "less" if self.good == "low" else "with"
        return subject, f"{outcome} {joint} the price of “{other}” ({wording.typed(self.price)} a {self.unit})"
