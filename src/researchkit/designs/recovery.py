"""What kindness makes good after a failure: no failure, a failure set right as usual, and one set right kindly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from researchkit import wording
from researchkit.designs.design import Design
from researchkit.entries import Names
from researchkit.errors import some


class Recovery(Design):
    """`recovery: {among_failures: [severity, compensation], at_failure: mood_at_failure}`.

    The exposure is one column with three arms: its `reference` is no failure, its `level` the kind recovery, and the
    third a failure set right as usual. `among_failures` are columns that only failures have (how bad, what was paid,
    how fast): they are held equal between the two recoveries, at their mean, and are empty where nothing failed.
    `at_failure` is the outcome as it stood right after the failure; from there it rises by itself.

    `expect: not worse` asks whether a kind recovery is as good as no failure, by the smallest effect that matters;
    `expect: better` asks for the paradox: better than if nothing had failed.
    """

    room: ClassVar[str] = "recovery"
    notebook: ClassVar[str] = "28_recovery_after_failure.ipynb"
    analysis: ClassVar[str] = "three arms by least squares: kind recovery against no failure, and against the usual one"
    lots: ClassVar[bool] = False  # a failure is nobody's lot

    among_failures: Names = ()
    at_failure: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.among_failures, *((self.at_failure,) if self.at_failure else ()))

    @property
    def whole(self) -> tuple[str, ...]:
        return ()  # where nothing failed, nothing is known of the failure

    def against(self, question: Any) -> list[str]:
        exposure, problems = question.exposure, []
        if exposure.reference is None or exposure.level is None:
            problems.append(
                "a recovery has three arms: name no failure as `reference` of the exposure and the"
                " kind recovery as its "
                "`level`; the third is the usual one"
            )
        if twice := [name for name in self.columns if name in question.adjust]:
            problems.append(f"{some(twice)} stands under `adjust` and under `recovery`; failures alone have it")
        if question.outcome.kind not in ("score", "change", "yes_no"):
            problems.append(f"a recovery is told for a score, a change or yes or no, not {question.outcome.kind}")
        if question.expect == "worse":
            problems.append("a recovery is expected to be `not worse` than no failure, or `better`")
        return problems

    def rows(self, label: Callable[[str], str]) -> dict[str, str]:
        told = {}
        if self.among_failures:
            told["Held equal between recoveries"] = some([label(name) for name in self.among_failures], 20)
        if self.at_failure:
            told["Where it stood at the failure"] = label(self.at_failure)
        return told

    def told(self, subject: str, outcome: str, label: Callable[[str], str]) -> tuple[str, str]:
        return wording.capital(subject), outcome
