"""Half of a team says how it is led, or how it is there; the other half gives the outcome."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from researchkit.designs.design import Design
from researchkit.entries import Whole
from researchkit.wording import lower_first


class Halves(Design):
    """`halves: {team: ward, when: wave}`: nobody's own answers stand on both sides.

    `who` names the person where one has several rows; `when` the wave, so that answers of one wave meet; with `lag: 1`
    the rating is that of the wave before. `splits` says how many times teams are split by lot.
    """

    room: ClassVar[str] = "halves"
    notebook: ClassVar[str] = "23_peers_and_leaders.ipynb"
    analysis: ClassVar[str] = (
        "difference in means of one half of a team per point of the other half's rating, mean of many splits by lot"
    )
    lots: ClassVar[bool] = False  # lots over people leave who has which leader to itself
    apart: ClassVar[bool] = True
    refits: ClassVar[bool] = False
    kinds: ClassVar[tuple[str, ...]] = ("score", "yes_no")
    team: str
    who: str | None = None
    when: str | None = None
    lag: Literal[0, 1] = 0
    splits: Annotated[Whole, Field(ge=20, le=500)] = 100

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name in (self.team, self.who, self.when) if name)

    def against(self, question: Any) -> list[str]:
        found = super().against(question)
        if question.exposure.level is not None or question.exposure.reference is not None:
            found.append("`halves` takes the mean of half a team, so its exposure is a number without levels")
        if question.weights:
            found.append("`halves` takes no weights: each team counts by its people")
        if self.lag and not (self.when and self.who):
            found.append("`halves` with a `lag` needs `when`, which says what came before, and `who`")
        if self.when and not self.who:
            found.append("`halves` with `when` needs `who`, so that a person stays in one half at every wave")
        return found

    def rows(self, label: Callable[[str], str]) -> dict[str, str]:
        before = f", at the {lower_first(label(str(self.when)))} before" if self.lag else ""
        who = f"half of each {lower_first(label(self.team))}, by lot{before}; the other half gives the outcome"
        return {"Who rates": who, "Splits": str(self.splits)}

    def told(self, subject: str, outcome: str, label: Callable[[str], str]) -> tuple[str, str]:
        before = f" said a {lower_first(label(str(self.when)))} before" if self.lag else " says"
        return f"{subject}, as the other half of the team{before},", outcome
