"""A rule with a limit: who lies just beyond it is treated otherwise than who lies just short of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

from researchkit.designs.design import Design
from researchkit.entries import Number


class Limit(Design):
    """`limit: {running: refund_amount, at: 100, treated: below}`.

    `running` is the column that the rule reads, `at` its limit (who lies on it counts as at or above), and `treated`
    the side on which the rule applies.
    """

    room: ClassVar[str] = "limit"
    notebook: ClassVar[str] = "25_series_and_limits.ipynb"
    replaces: ClassVar[bool] = True
    running: str
    at: Number
    treated: Literal["at or above", "below"] = "at or above"

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.running,)

    def told(self, subject: str, outcome: str, label: Callable[[str], str]) -> tuple[str, str]:
        return f"{subject}, for those at the limit of {label(self.running).lower()},", outcome
