"""Whether an answer has faced the other explanations of its claim, and by what.

The claims name them (`rivals` in claims.yml), each with its kind. A kind is faced by what this table says, and by
nothing else; what faces it is always named. A name or label is matched by whole words, so a column called `q17` counts
only where its label says what it measures.

    confounder    lots; or an adjusted column whose name or label holds one of the rival's words
    standing      the same; or a unit adjusted for (by its name: `site`, `site_id`), for which it stays as it is
    trend         lots; such a column; or a roll-out in which clusters and time are adjusted for
    reverse       lots; a roll-out by clusters; or an outcome given what it was before
    selection     lots; or a roll-out by clusters, whoever in them wanted it
    regression    lots; a roll-out by clusters; or an outcome given what it was before
    one source    lots; or sources, all said in the study file, of which no two are the same
    demand, blind an outcome whose source is blind, or a record
    dropout       such an outcome
    ecological    rows that are people
    rare          an interval without the note that there are few events
    measure       agreement or accuracy that the study file asks for of this exposure or outcome
    other         no rule can tell: read the report

A design of its own faces more, or asks for more; `OWN` says which:

    rollout       standing (of its units), trend, reverse, selection, regression: each unit against itself and those not
                  there yet
    within        standing (of whom it compares with itself); trend, with a time; reverse, with a lag or cross-lagged
    contagion     reverse: colleagues as they were before; one source: they are other people
    halves        one source: the other half of the team; reverse, with a lag
    mechanism     reverse, with times; one source only where exposure, mediator and outcome have three of them
    series        trend: units in which it did not begin
    limit         confounder, standing, selection: those just beyond a limit against those just short of it
    mix           confounder: the same composition in what it is held equal in
    recovery      confounder: what is held equal between the recoveries; regression, from where it stood at the failure
    detection     measure: what was taken for true; selection, with the spread among all who could be chosen

A rival that is not faced is `probed` where something would have given it away and did not: a negative control without
an effect (confounder, standing), or gaps that change nothing when they are filled (dropout).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from researchkit.claims import Rival, claim

if TYPE_CHECKING:
    from researchkit.estimators import Effect
    from researchkit.parts import Question
    from researchkit.robustness import Check
    from researchkit.study import Study

Word = Literal["faced", "probed", "open"]
RECORDS = ("blind", "record", "records", "register", "system", "roster", "billing", "log", "audit", "actor", "lot")
TIMES = ("time", "day", "week", "month", "quarter", "year", "wave", "period", "phase", "date")
LOTS = "drawn by lot"


@dataclass(frozen=True)
class Faced:
    """One rival explanation of an answer's claim: the word, and what faces it or what it would take."""

    what: str
    word: Word
    by: str

    def to_dict(self) -> dict[str, str]:
        """As it stands in `result.json`."""
        return {"what": self.what, "word": self.word, "by": self.by}


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

    def own(self, rival: Rival) -> str:
        """What a design of its own faces."""
        design = self.question.special
        return OWN[design.room](self, design, rival) if design and design.room in OWN else ""

    def rated(self) -> str:
        """Raters whose agreement the study file asks for."""
        asked = {self.question.exposure.column, self.question.outcome.column}
        found = [self.label(one.of) for one in self.study.raters.values() if one.of in asked]
        return f"agreement of raters on {' and '.join(found)}" if found else ""


Rule = Callable[[Seen, Rival], Sequence[str]]  # what faces a rival; "" for what does not
RULES: dict[str, Rule] = {
    "confounder": lambda seen, rival: (seen.lots, seen.adjusted(rival.words)),
    "standing": lambda seen, rival: (seen.lots, seen.adjusted(rival.words), seen.itself_in(rival)),
    "trend": lambda seen, rival: (seen.lots, seen.adjusted(rival.words), seen.in_time),
    "reverse": lambda seen, _: (seen.lots, seen.rollout, seen.before),
    "selection": lambda seen, _: (seen.lots, seen.rollout),
    "regression": lambda seen, _: (seen.lots, seen.rollout, seen.before),
    "one source": lambda seen, _: (seen.lots, seen.apart),
    "demand": lambda seen, _: (seen.recorded,),
    "blind": lambda seen, _: (seen.recorded,),
    "dropout": lambda seen, _: (seen.recorded,),
    "ecological": lambda seen, _: (_people(seen),),
    "rare": lambda seen, _: (_events(seen),),
    "measure": lambda seen, _: (seen.rated(),),
    "other": lambda seen, _: (),
}


def _rollout(seen: Seen, design: Any, rival: Rival) -> str:
    if rival.kind == "standing" and not seen.stays(design.unit, rival):
        return ""
    kinds = ("standing", "trend", "reverse", "selection", "regression")
    told = (
        f"each {seen.label(design.unit)} against itself and those not there yet at the same {seen.label(design.time)}"
    )
    return told if rival.kind in kinds else ""


def _within(seen: Seen, design: Any, rival: Rival) -> str:
    later = design.lag or getattr(design, "crossed", False)
    faces = {
        "standing": f"each {seen.label(design.who)} against itself" if seen.stays(design.who, rival) else "",
        "trend": f"at the same {seen.label(design.when)}" if design.when else "",
        "reverse": f"the exposure of the {seen.label(design.when)} before" if later else "",
    }
    return faces.get(rival.kind, "")


def _contagion(seen: Seen, design: Any, rival: Rival) -> str:
    before = f"colleagues as they were the {seen.label(design.when)} before"
    return {"reverse": before, "one source": "colleagues and the person are not the same people"}.get(rival.kind, "")


def _halves(seen: Seen, design: Any, rival: Rival) -> str:
    lag = f"the exposure of the {seen.label(design.when)} before" if design.lag else ""
    other = f"two halves of each {seen.label(design.team)}, drawn by lot"
    return {"reverse": lag, "one source": other}.get(rival.kind, "")


def _mechanism(seen: Seen, design: Any, rival: Rival) -> str:
    return "exposure, mediator and outcome measured in this order" if rival.kind == "reverse" and design.times else ""


def _series(seen: Seen, design: Any, rival: Rival) -> str:
    return f"beside the course of others by {seen.label(design.unit)}" if rival.kind == "trend" else ""


def _limit(seen: Seen, design: Any, rival: Rival) -> str:
    told = f"those just beyond a limit of {seen.label(design.running)} against those just short of it"
    return told if rival.kind in ("confounder", "standing", "selection") else ""


def _mix(seen: Seen, design: Any, rival: Rival) -> str:
    held = seen.naming(design.of, rival.words)
    return f"as if both had the same mix of {held}" if rival.kind == "confounder" and held else ""


def _recovery(seen: Seen, design: Any, rival: Rival) -> str:
    held = seen.naming(design.among_failures, rival.words)
    faces = {
        "confounder": f"{held} held equal between the recoveries" if held else "",
        "regression": f"from {seen.label(design.at_failure)} on" if design.at_failure else "",
    }
    return faces.get(rival.kind, "")


def _detection(seen: Seen, design: Any, rival: Rival) -> str:
    true = seen.label(design.by if design.of == "effect" else seen.question.outcome.column)
    all_ = "corrected for the spread among all who could be chosen" if design.applicants_sd else ""
    return {"measure": f"held against {true}", "selection": all_}.get(rival.kind, "")


OWN: dict[str, Callable[[Seen, Any, Rival], str]] = {
    "rollout": _rollout,
    "within": _within,
    "contagion": _contagion,
    "halves": _halves,
    "mechanism": _mechanism,
    "series": _series,
    "limit": _limit,
    "mix": _mix,
    "recovery": _recovery,
    "detection": _detection,
}
WANTED = {  # what it would take
    "confounder": "lots, or adjusting for it",
    "standing": "lots, adjusting for it, or each unit against itself",
    "trend": "lots, or others at the same time who do not have it yet",
    "reverse": "lots, a roll-out, or the outcome as it was before",
    "selection": "lots, or a roll-out to all",
    "regression": "lots, a roll-out, or the outcome as it was before",
    "one source": "lots, or sources apart that the study file names",
    "demand": "an outcome from records or from somebody blind",
    "blind": "an outcome from records or from somebody blind",
    "dropout": "an outcome from records",
    "ecological": "rows that are people",
    "rare": "more events",
    "measure": "agreement or accuracy of the measure",
    "other": "a judgement that no rule makes: read the report",
}


def faced(
    study: Study, question: Question, effect: Effect | None = None, checks: Iterable[Check] = ()
) -> tuple[Faced, ...]:
    """Each rival explanation of the question's claim, in the order of claims.yml, by the rules at the top.

    Without effect and checks it is what the plan alone will face.
    """
    seen = Seen(study, question, effect, {check.name: check for check in checks})
    return tuple(_faced(seen, rival) for rival in claim(question.claim).rivals)


def overall(words: Iterable[str]) -> str:
    """All of them in one word: "faced", "faced in part" (some faced or probed), "not faced"."""
    known = list(words)
    if known and all(word == "faced" for word in known):
        return "faced"
    return "faced in part" if any(word != "open" for word in known) else "not faced"


def _faced(seen: Seen, rival: Rival) -> Faced:
    if by := next(filter(None, (*RULES[rival.kind](seen, rival), seen.own(rival))), ""):
        return Faced(rival.what, "faced", by)
    if by := _probed(seen, rival):
        return Faced(rival.what, "probed", by)
    return Faced(rival.what, "open", WANTED[rival.kind])


def _probed(seen: Seen, rival: Rival) -> str:
    control, gaps = seen.checks.get("negative control"), seen.checks.get("missing data")
    if rival.kind in ("confounder", "standing") and control and control.ran and not control.mark:
        return f"negative control without an effect: {seen.label(str(seen.question.negative_control))}"
    if rival.kind == "dropout" and gaps and gaps.ran and not gaps.mark and gaps.facts.get("imputed"):
        return "the answer stands with the gaps filled"
    return ""


def _people(seen: Seen) -> str:
    table = seen.study.tables[seen.study.table_of(seen.question)]
    return "" if table.aggregates else "rows are not averages"


def _events(seen: Seen) -> str:
    counted = seen.question.outcome.kind in ("yes_no", "ordered", "duration")
    if seen.effect is None or not counted:
        return ""
    return "" if any(note.startswith("few events") for note in seen.effect.notes) else "events enough"


def spoken(text: str, words: Iterable[str]) -> bool:
    """Whether a text holds one of the words, as a whole one or its plural; underscores part words."""
    plain = text.replace("_", " ")
    return any(re.search(rf"(?<!\w){re.escape(word)}s?(?!\w)", plain, re.IGNORECASE) for word in words)
