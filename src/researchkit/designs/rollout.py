"""A roll-out: units (sites, wards, teams) that start one after the other, each against those that have not yet."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from researchkit.designs.design import Design
from researchkit.entries import Whole


class Rollout(Design):
    """`rollout: {unit: site, time: month, start: went_live}`; the exposure is 1 from the start on, and 0 before.

    `start` holds the first treated time of a unit, in the values of `time`, and is empty where it never starts.
    `comparison` names whom the started are held against: those that have not started by then ("not yet"), or those
    that never do ("never"). `anticipation` counts the times before the start that may already have changed something.
    `before` is what each change is counted from: the last time before the start, or the mean of all of them, which is
    surer where the lot decided who starts when. `weigh` counts each row the same, or each unit.
    """

    room: ClassVar[str] = "rollout"
    notebook: ClassVar[str] = "22_roll_outs.ipynb"
    replaces: ClassVar[bool] = True
    analysis: ClassVar[str] = "by group-time effects: each start against those that have not started"
    unit: str
    time: str
    start: str
    comparison: Literal["not yet", "never"] = "not yet"
    anticipation: Annotated[Whole, Field(ge=0)] = 0
    before: Literal["last", "all"] = "last"
    weigh: Literal["rows", "units"] = "rows"

    @model_validator(mode="after")
    def three_columns(self) -> Rollout:
        named = (self.unit, self.time, self.start)
        if len(set(named)) < len(named):
            raise ValueError("`unit`, `time` and `start` of a roll-out are three columns: who, when, and when it began")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        return self.unit, self.time, self.start

    @property
    def whole(self) -> tuple[str, ...]:
        return self.unit, self.time  # an empty start is one that never came

    def against(self, question: Any) -> list[str]:
        """What the entry says against the rest of its question."""
        asked = {question.exposure.column: "exposure", question.outcome.column: "outcome"}
        return [
            f"{name!r} is the {asked[name]} and a column of the roll-out too" for name in self.columns if name in asked
        ]

    def rows(self, label: Callable[[str], str]) -> dict[str, str]:
        """What was asked beyond a plain contrast, for the page and the plan."""
        against = "those that have not started by then" if self.comparison == "not yet" else "those that never start"
        since = "the last time before the start" if self.before == "last" else "the mean of all times before the start"
        begins = f"each by {label(self.unit).lower()}, from {label(self.start).lower()} on"
        return {"Roll-out": f"{begins}, against {against}; changes are counted from {since}"}

    def told(self, subject: str, outcome: str, label: Callable[[str], str]) -> tuple[str, str]:
        """A 0/1 exposure without words for its codes reads as having started with it."""
        bare = re.match(r"One more \S+ of (.+)", subject)
        return (f"Having started with {bare[1]}" if bare else subject), outcome
