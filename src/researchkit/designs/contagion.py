"""Whether what colleagues did at the wave before goes with what a person does now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from researchkit.designs.design import Design
from researchkit.wording import lower_first


class Contagion(Design):
    """`contagion: {who: staff_id, team: shift_team, when: quarter}`; one row a person and wave.

    The exposure is the mean of the exposure's column among the colleagues of a wave, as each of them was at the wave
    before; a person's own value of then is held equal. Exposure and outcome may be one column. `pool` names the column
    (a site) within which people change between teams; without it all do.
    """

    room: ClassVar[str] = "contagion"
    notebook: ClassVar[str] = "23_peers_and_leaders.ipynb"
    analysis: ClassVar[str] = "difference in means per point of the colleagues' earlier mean, by least squares"
    apart: ClassVar[bool] = True
    same: ClassVar[bool] = True
    refits: ClassVar[bool] = False
    kinds: ClassVar[tuple[str, ...]] = ("score", "yes_no")
    who: str
    team: str
    when: str
    pool: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name in (self.who, self.team, self.when, self.pool) if name)

    def against(self, question: Any) -> list[str]:
        found = super().against(question)
        if question.exposure.level is not None or question.exposure.reference is not None:
            found.append("`contagion` takes the mean of the colleagues, so its exposure is a number without levels")
        return found

    def rows(self, label: Callable[[str], str]) -> dict[str, str]:
        when, team = (lower_first(label(name)) for name in (self.when, self.team))
        pool = f", dealt out within each {lower_first(label(self.pool))}" if self.pool else ""
        return {"Colleagues": f"those of one {team} at a {when}, as they were the {when} before{pool}"}

    def told(self, subject: str, outcome: str, label: Callable[[str], str]) -> tuple[str, str]:
        return f"{subject} among colleagues, a {lower_first(label(self.when))} before,", outcome
