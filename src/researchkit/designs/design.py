"""What every design of its own has in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from researchkit.entries import Part


class Design(Part):
    """An entry of a question, such as `mechanism: {mediator: trust}`.

    `room` is the module of `estimators` whose function of that name gives the effect, called with (sample, question,
    level); `notebook` the one that tells it.
    """

    room: ClassVar[str]
    notebook: ClassVar[str]
    replaces: ClassVar[bool] = False  # a plain contrast, not adjusted, asks for the same and may stand beside

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the design reads beside exposure, outcome and adjustments."""
        return ()

    @property
    def whole(self) -> tuple[str, ...]:
        """Those of them in which a row of the sample may have no gap."""
        return self.columns

    def told(self, subject: str, outcome: str, label: Callable[[str], str]) -> tuple[str, str]:
        """Subject and object of the sentence of the verdict, from those of a plain contrast.

        `label` gives what a column is called on a page. The sentence is "SUBJECT went with OBJECT that was 2 points
        higher", or that data cannot tell whether SUBJECT "goes with a different OBJECT".
        """
        return subject, outcome
