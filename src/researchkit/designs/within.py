"""A person, a trust, a worker compared with itself at other times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from researchkit.designs.design import Design
from researchkit.wording import lower_first


class Within(Design):
    """`within: {who: staff_id}` compares each with itself: whatever stays the same about one is taken away.

    `when` takes away what changed for all at a time, too; with `lag: 1` the exposure is that of the time before.
    `model: cross-lagged` is for three waves or more of both: whether one who is above his or her own usual level in the
    exposure is so in the outcome a wave later, beside the reverse.
    """

    room: ClassVar[str] = "within"
    notebook: ClassVar[str] = "23_peers_and_leaders.ipynb"
    analysis: ClassVar[str] = (
        "difference in means of each with itself, by fixed effects or the random-intercept cross-lagged panel"
    )
    refits: ClassVar[bool] = False
    kinds: ClassVar[tuple[str, ...]] = ("score", "yes_no")
    who: str
    when: str | None = None
    lag: Literal[0, 1] = 0
    model: Literal["fixed effects", "cross-lagged"] = "fixed effects"

    @property
    def crossed(self) -> bool:
        return self.model == "cross-lagged"

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name in (self.who, self.when) if name)

    def against(self, question: Any) -> list[str]:
        found = super().against(question)
        if (self.lag or self.crossed) and not self.when:
            found.append("`within` needs `when` for a `lag` and for the cross-lagged model: it says what came before")
        if self.lag and self.crossed:
            found.append("`within`: the cross-lagged model looks one wave ahead by itself; leave `lag` out")
        if self.crossed and (question.exposure.level is not None or question.outcome.kind != "score"):
            found.append("`within`: the cross-lagged model is for two scores, not for levels or shares")
        if self.crossed and question.weights:
            found.append("`within`: the cross-lagged model takes no weights")
        if self.who in question.adjust:
            found.append(f"{self.who!r} is compared with itself already; leave it out of `adjust`")
        return found

    def rows(self, label: Callable[[str], str]) -> dict[str, str]:
        before = f", the exposure a {lower_first(label(str(self.when)))} before" if self.lag or self.crossed else ""
        return {"Compared": f"each {lower_first(label(self.who))} with itself{before}, by {self.model}"}

    def told(self, subject: str, outcome: str, label: Callable[[str], str]) -> tuple[str, str]:
        who = lower_first(label(self.who))
        before = f", a {lower_first(label(str(self.when)))} before," if self.lag or self.crossed else ""
        if " instead of " in subject:
            return f"{subject} for the same {who}{before}", outcome
        return f"{subject} than is usual for the same {who}{before}", outcome
