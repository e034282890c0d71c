"""What every design of its own has in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from researchkit.entries import Part


class Design(Part):
    """An entry of a question, such as `mechanism: {mediator: trust}`.

    `room` is the module of `estimators` whose function of that name gives the effect, called with (sample, question,
    level); `notebook` the one that tells it. `lots` says whether lots drawn for the exposure speak for the headline,
    so that a randomised study may say "raised"; `analysis` is the line of the plan. `kinds` are the kinds of outcome
    that it serves (all where there are none); `apart` says that exposure and outcome come from different people
    whatever their columns say, `same` that they may be one column; `refits` that it may be fitted again without each
    of a few clusters.
    """

    room: ClassVar[str]
    notebook: ClassVar[str]
    replaces: ClassVar[bool] = False  # a plain contrast, not adjusted, asks for the same and may stand beside
    lots: ClassVar[bool] = True
    analysis: ClassVar[str] = "by a model of its own"
    kinds: ClassVar[tuple[str, ...]] = ()
    apart: ClassVar[bool] = False
    same: ClassVar[bool] = False
    refits: ClassVar[bool] = True

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that the design reads beside exposure, outcome and adjustments."""
        return ()

    @property
    def whole(self) -> tuple[str, ...]:
        """Those of them in which a row of the sample may have no gap."""
        return self.columns

    @property
    def held(self) -> tuple[str, ...]:
        """Columns that the design holds equal beside what the question adjusts for."""
        return ()

    def against(self, question: Any) -> list[str]:
        """What is wrong with the entry beside the rest of its question, in words; it becomes a line of the errors."""
        kind = question.outcome.kind
        if self.kinds and kind not in self.kinds:
            return [f"`{self.room}` is for outcomes of kind {' or '.join(self.kinds)}, not {kind}"]
        return []

    def rows(self, label: Callable[[str], str]) -> dict[str, str]:
        """What was asked beyond a plain contrast, for the page and the plan: {what: said}."""
        return {}

    def told(self, subject: str, outcome: str, label: Callable[[str], str]) -> tuple[str, str]:
        """Subject and object of the sentence of the verdict, from those of a plain contrast.

        `label` gives what a column is called on a page. The sentence is "SUBJECT went with OBJECT that was 2 points
        higher", or that data cannot tell whether SUBJECT "goes with a different OBJECT".
        """
        return subject, outcome

    def subject(self, question: Any, study: Any) -> str:
        """What is compared, where it is not the exposure's own contrast: "Effort of 9 instead of 5"."""
        return ""

    def sentence(self, effect: Any, word: str, question: Any, study: Any, parts: tuple[str, str, str]) -> str:
        """The whole sentence of the verdict, where the usual one does not serve.

        `parts` are subject, outcome, and what follows the number: the interval, and among how many.
        """
        return ""
