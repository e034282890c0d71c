"""How well something is seen: a flag, a score or a test beside what is taken for true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from researchkit import wording
from researchkit.designs.design import Design
from researchkit.entries import Code, Names, Number
from researchkit.errors import some

SHARES = ("sensitivity", "specificity")


class Detection(Design):
    """`detection: {of: sensitivity, by: cue, minimum: 0.8}`: is what `by` says true?

    The outcome holds what is taken for true (a review, a caller's own report, later performance). `of` says what is
    asked about `by`: its `sensitivity` or `specificity` (outcome yes or no, `by` a flag, `yes` its code that means so);
    its `correlation` with the outcome; or the `effect` of the exposure, corrected for its error: then the exposure is
    what was measured in all rows, and `by` names what was found for the same thing by a review of some.

    With `minimum` the value is held to it, and the exposure is `by` itself; without, the exposure's two groups are
    compared. `chance` is a column with each row's chance of having been reviewed, where only a part was. `forecast` is
    a column with the chance (0 to 1) that the system gave to a yes; it is held against what came. `raters` are columns
    with the same score by several people, and `again` those of the same people on a second occasion, for how much of
    the score is theirs.

    Who was chosen by a score varies less in it than those who were to be chosen from. `applicants_sd` is the standard
    deviation among all of these, of `by` or, where they were chosen by something else, of the column `chosen_by`.
    """

    room: ClassVar[str] = "detection"
    notebook: ClassVar[str] = "26_detection.ipynb"
    analysis: ClassVar[str] = "shares and correlations beside a reference, with delta-method errors"
    lots: ClassVar[bool] = False  # nobody draws lots over what a system sees

    of: Literal["sensitivity", "specificity", "correlation", "effect"]
    by: str
    yes: Code = "1"
    minimum: Number | None = Field(None, gt=-1, lt=1)
    chance: str | None = None
    forecast: str | None = None
    raters: Names = ()
    again: Names = ()
    applicants_sd: Number | None = Field(None, gt=0)
    chosen_by: str | None = None

    @model_validator(mode="after")
    def what_goes_with_what(self) -> Detection:
        if self.of != "correlation" and (self.applicants_sd or self.chosen_by):
            raise ValueError("`applicants_sd` and `chosen_by` go with `of: correlation`")
        if self.chosen_by and not self.applicants_sd:
            raise ValueError("`chosen_by` needs `applicants_sd`: how much it varies among all who could be chosen")
        if self.of == "effect" and self.minimum is not None:
            raise ValueError("`minimum` does not go with `of: effect`; the `smallest_effect` says what would matter")
        if self.of in SHARES and self.minimum is not None and not 0 < self.minimum < 1:
            raise ValueError(f"a `minimum` of {self.of} lies between 0 and 1, such as 0.8 for 80 %")
        if self.forecast and self.of not in SHARES:
            raise ValueError("`forecast` goes with `of: sensitivity` or `of: specificity`")
        if self.again and len(self.again) != len(self.raters):
            raise ValueError(
                "`again` holds the second ratings of the same `raters`, one column each, in the same order"
            )
        if len(self.raters) == 1:
            raise ValueError("`raters` of one column cannot disagree; name two or more, or leave it out")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        others = (self.chance, self.forecast, self.chosen_by)
        return tuple(dict.fromkeys([self.by, *(name for name in others if name), *self.raters, *self.again]))

    @property
    def whole(self) -> tuple[str, ...]:
        gold = () if self.of == "effect" else (self.by,)  # a review of some leaves gaps in the others
        return (*gold, *(name for name in (self.chance, self.chosen_by) if name))

    def against(self, question: Any) -> list[str]:
        exposure, outcome, kind = question.exposure.column, question.outcome.column, question.outcome.kind
        problems = []
        if self.by == outcome:
            problems.append(
                f"{self.by!r} is held against itself; `by` is what is asked about, the outcome what is true"
            )
        if self.of in SHARES and kind != "yes_no":
            problems.append(f"{self.of} needs an outcome of kind yes_no (what is true), not {kind}")
        if self.of in ("correlation", "effect") and kind not in ("score", "yes_no"):
            problems.append(f"`of: {self.of}` needs an outcome of kind score or yes_no, not {kind}")
        if self.minimum is not None and exposure != self.by:
            problems.append(f"with a `minimum` the exposure is {self.by!r} itself; to compare groups leave it out")
        if self.minimum is None and exposure == self.by:
            problems.append(
                f"{self.by!r} is the exposure too: give the `minimum` that it is held to, or two groups as exposure"
                if self.of != "effect"
                else f"`by` is the review and the exposure what was reviewed; {self.by!r} cannot be both"
            )
        if self.minimum is not None and question.adjust:
            problems.append(f"a share held to a `minimum` is adjusted for nothing; take {some(question.adjust)} out")
        if self.of == "correlation" and question.adjust:
            problems.append(f"a correlation is adjusted for nothing; take {some(question.adjust)} out of `adjust`")
        if self.chance and question.weights:
            problems.append("`chance` and `weights` both weigh the rows; give one")
        if self.minimum is None and self.applicants_sd:
            problems.append("`applicants_sd` goes with a `minimum`: each group would need a spread of its own")
        return problems

    def rows(self, label: Callable[[str], str]) -> dict[str, str]:
        told = {"Asked about": label(self.by), "What is asked of it": self.of}
        if self.minimum is not None:
            told["Needed at least"] = self.needed
        if self.chance:
            told["Reviewed with a known chance"] = label(self.chance)
        if self.applicants_sd:
            among = wording.typed(self.applicants_sd)
            told["Spread among all who could be chosen"] = f"{among} ({label(self.chosen_by or self.by)})"
        return told

    @property
    def needed(self) -> str:
        """The minimum as a page writes it."""
        least = self.minimum or 0.0
        return f"{wording.number(100 * least)} %" if self.of in SHARES else wording.typed(least)

    def told(self, subject: str, outcome: str, label: Callable[[str], str]) -> tuple[str, str]:
        by = wording.lower_first(label(self.by))
        if self.of == "effect":
            return f"{subject}, corrected for its error by “{by}”,", outcome
        if self.minimum is not None:
            subject = f"{wording.capital(by)}, held to the {self.needed} that is needed,"
        share = outcome.removeprefix("share of ")
        what = {
            "sensitivity": f"share of {share} found by “{by}”",
            "specificity": f"share of those without {share} passed over by “{by}”",
            "correlation": f"correlation of “{by}” with {share}",
        }
        return subject, what[self.of]
