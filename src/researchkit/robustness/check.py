"""What every attack on an answer hands back."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from researchkit.disclosure import PROFILES

if TYPE_CHECKING:
    from researchkit.study import Study

Way = tuple[str, float, float, float]  # what was adjusted for, or an alternative's label; estimate, low, high


@dataclass(frozen=True)
class Check:
    """One attack on the answer: what came out, or why it could not run.

    `ways` and `alternatives` are for a figure: every way to adjust (the first as planned; too many for the result
    file), and the planned alternatives whose effects are on the headline's scale.
    """

    name: str
    fingerprint: str
    facts: dict[str, Any] = field(default_factory=dict)
    reason: str | None = None
    mark: str = ""
    ways: tuple[Way, ...] = ()
    alternatives: tuple[Way, ...] = ()

    @property
    def ran(self) -> bool:
        return self.reason is None

    def to_dict(self) -> dict[str, Any]:
        told: dict[str, Any] = {"check": self.name, "ran": self.ran, **self.facts}
        return told if self.ran else {**told, "reason": self.reason}


def why_not(error: Exception, study: Study) -> str:
    """An error as the reason of a check; one that holds a count which the study's profile hides is not repeated.

    What is needed at least is a rule of ours, no count of anybody.
    """
    fewest, words = PROFILES[study.disclosure].threshold, " ".join(str(error).split()).rstrip(".")
    if any(0 < int(found) < fewest for found in re.findall(r"(?<!at least )(?<![\w.,])\d+(?!\w|[.,]\d)", words)):
        return "these data cannot answer it, for a reason that holds a count of people too small to be shown"
    return words
