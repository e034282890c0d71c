"""What the rules look at: an answer's study and question, and what they say in words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from researchkit.claims import Rival

if TYPE_CHECKING:
    from researchkit.estimators import Effect
    from researchkit.parts import Question
    from researchkit.robustness import Check
    from researchkit.study import Study

RECORDS = ("blind", "record", "records", "register", "system", "roster", "billing", "log", "audit", "actor", "lot")
TIMES = ("time", "day", "week", "month", "quarter", "year", "wave", "period", "phase", "date")
LOTS = "drawn by lot"


@dataclass(frozen=True)
class Seen:
    """What the rules look at: the study and its question, the effect, and what attacked it."""

    study: Study
    question: Question
    effect: Effect | None
    checks: dict[str, Check] = field(default_factory=dict)

    @property
    def lots(self) -> str:
        """That lots decided; who got how much of a mediator is not decided by lots over the exposure."""
        there = getattr(self.question.special, "lots", True)
        return LOTS if there and self.study.design_of(self.question) == "randomised" else ""

    @property
    def itself(self) -> str:
        """Each unit held against itself: the clusters are adjusted for."""
        known = self.study.clusters_of(self.question)
        held = next((name for name in known if name in self.question.adjust), "")
        return f"within {self.label(held)}" if held else ""

    @property
    def rollout(self) -> str:
        return self.itself and f"rolled out, {self.itself}" if self._rolled else ""

    @property
    def in_time(self) -> str:
        """A roll-out that is held against those who were not there yet at the same time."""
        when = self.adjusted(TIMES)
        return f"{self.rollout}, {when}" if self.rollout and when else ""

    @property
    def before(self) -> str:
        known = self.question.outcome.baseline
        return f"given {self.label(known)}" if known and self.question.outcome.kind == "change" else ""

    @property
    def recorded(self) -> str:
        """Who gave the outcome, where that is somebody blind or a record."""
        source = self.study.source_of(self.question.outcome.column) or ""
        return f"outcome from: {source}" if spoken(source, RECORDS) else ""

    @property
    def apart(self) -> str:
        """The sources of exposure, outcome and a mediator between them, where all are said and no two are the same."""
        middle = getattr(self.question.special, "mediator", None)
        names = [self.question.exposure.column, *([middle] if middle else []), self.question.outcome.column]
        found = [self.study.source_of(name) for name in names]
        told = [one for one in found if one]
        return f"sources apart: {'; '.join(told)}" if len(set(told)) == len(found) else ""

    def stays(self, unit: str, rival: Rival) -> bool:
        """Whether what a rival is about stays the same for a unit, by the unit's own name or label."""
        names = (unit.removesuffix("_id").replace("_", " "), self.label(unit))
        return any(name.lower() in rival.units for name in names)

    def itself_in(self, rival: Rival) -> str:
        """A unit that is adjusted for, and for which what a rival is about stays the same."""
        held = next((name for name in self.question.adjust if self.stays(name, rival)), "")
        return f"within {self.label(held)}" if held else ""

    @property
    def _rolled(self) -> bool:
        return self.study.design_of(self.question) == "rollout"

    def label(self, name: str) -> str:
        return self.study.label(name)

    def adjusted(self, words: Iterable[str]) -> str:
        """The adjusted columns that hold one of the words."""
        held = self.naming((*self.question.adjust, *getattr(self.question.special, "adjust", ())), words)
        return f"adjusted for {held}" if held else ""

    def naming(self, names: Iterable[str], words: Iterable[str]) -> str:
        """The labels of those columns that hold one of the words, in their names or labels."""
        wanted = list(words)
        return " and ".join(self.label(name) for name in names if spoken(f"{name} {self.label(name)}", wanted))

    def rated(self) -> str:
        """Raters whose agreement the study file asks for."""
        asked = {self.question.exposure.column, self.question.outcome.column}
        found = [self.label(one.of) for one in self.study.raters.values() if one.of in asked]
        return f"agreement of raters on {' and '.join(found)}" if found else ""

    def across(self) -> str:
        """Scales of the exposure or outcome whose meaning is compared across groups."""
        both = (self.question.exposure.column, self.question.outcome.column)
        found = [name for name in both if name in self.study.scales and self.study.scales[name].across]
        by = {self.label(str(self.study.scales[name].across)) for name in found}
        return f"meaning of {' and '.join(map(self.label, found))} compared across {' and '.join(by)}" if found else ""


def spoken(text: str, words: Iterable[str]) -> bool:
    """Whether a text holds one of the words, as a whole one or its plural; underscores part words."""
    plain = text.replace("_", " ")
    return any(re.search(rf"(?<!\w){re.escape(word)}s?(?!\w)", plain, re.IGNORECASE) for word in words)
