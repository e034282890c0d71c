"""What every attack on an answer hands back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from researchkit.disclosure import PROFILES
from researchkit.errors import ResearchkitError

if TYPE_CHECKING:
    from researchkit.dataset import Dataset, Sample
    from researchkit.estimators import Effect
    from researchkit.parts import Question
    from researchkit.study import Study

Attack = Callable[["Question", "Effect", "Sample"], tuple[dict[str, Any], str]]  # facts, and the mark
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


def each(
    wanted: Mapping[str, tuple[Attack, object]], dataset: Dataset, question: Question, effect: Effect, sample: Sample
) -> tuple[Check, ...]:
    """The attacks whose condition holds, each with its facts and mark, or with the reason why it could not run."""
    found = []
    for name, (attack, there) in wanted.items():
        if not there:
            continue
        try:
            facts, mark = attack(question, effect, sample)
            found.append(Check(name, dataset.fingerprint, facts, mark=mark))
        except ResearchkitError as error:
            found.append(Check(name, dataset.fingerprint, reason=why_not(error, dataset.study)))
    return tuple(found)


def why_not(error: Exception, study: Study) -> str:
    """An error as the reason of a check; one that holds a count which the study's profile hides is not repeated.

    What is needed at least is a rule of ours, no count of anybody.
    """
    fewest, words = PROFILES[study.disclosure].threshold, " ".join(str(error).split()).rstrip(".")
    if any(0 < int(found) < fewest for found in re.findall(r"(?<!at least )(?<![\w.,])\d+(?!\w|[.,]\d)", words)):
        return "these data cannot answer it, for a reason that holds a count of people too small to be shown"
    return words
