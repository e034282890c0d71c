"""What every attack on an answer hands back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Way = tuple[str, float, float, float]  # what was adjusted for, estimate, low, high


@dataclass(frozen=True)
class Check:
    """One attack on the answer: what came out, or why it could not run."""

    name: str
    fingerprint: str
    facts: dict[str, Any] = field(default_factory=dict)
    reason: str | None = None
    mark: str = ""
    ways: tuple[Way, ...] = ()  # for a figure; too many for the result file

    @property
    def ran(self) -> bool:
        return self.reason is None

    def to_dict(self) -> dict[str, Any]:
        told: dict[str, Any] = {"check": self.name, "ran": self.ran, **self.facts}
        return told if self.ran else {**told, "reason": self.reason}
