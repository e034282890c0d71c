"""Whether an answer has faced the other explanations of its claim, and by what.

The claims name them (`rivals` in claims.yml), each with its kind. A kind is faced by what this table says, and by
nothing else; what faces it is always named. A name or label is matched by whole words, so a column called `q17` counts
only where its label says what it measures.

    confounder    lots; or an adjusted column whose name or label holds one of the rival's words
    standing      the same; or a unit adjusted for (by its name: `site`, `site_id`), for which it stays as it is
    trend         lots; such a column; or a roll-out in which clusters and time are adjusted for
    reverse       lots; such a column; a roll-out by clusters; or an outcome given what it was before
    selection     lots; or a roll-out by clusters, whoever in them wanted it
    regression    lots; a roll-out by clusters; or an outcome given what it was before
    one source    lots; or sources, all said in the study file, of which no two are the same
    demand, blind an outcome whose source is blind, or a record
    dropout       such an outcome
    ecological    rows that are people
    rare          an interval without the note that there are few events
    measure       nothing but a design that holds it against what is true
    raters        raters of this exposure or outcome whose agreement the study file asks for
    differs       a scale of the exposure or outcome whose meaning is compared across groups (`across:`)
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
    detection     measure: what was taken for true; raters, where it names them; differs, where it compares two groups;
                  selection, with the spread among all who could be chosen

A rival that is not faced is `probed` where something would have given it away and did not: a negative control without
an effect (confounder, standing), or gaps that change nothing when they are filled (dropout).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from researchkit.claims import Rival, claim
from researchkit.rivals.own import faced_by_design
from researchkit.rivals.rules import RULES, WANTED
from researchkit.rivals.seen import Seen

if TYPE_CHECKING:
    from researchkit.estimators import Effect
    from researchkit.parts import Question
    from researchkit.robustness import Check
    from researchkit.study import Study

Word = Literal["faced", "probed", "open"]


@dataclass(frozen=True)
class Faced:
    """One rival explanation of an answer's claim: the word, and what faces it or what it would take."""

    what: str
    word: Word
    by: str

    def to_dict(self) -> dict[str, str]:
        """As it stands in `result.json`."""
        return {"what": self.what, "word": self.word, "by": self.by}


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
    if by := next(filter(None, (*RULES[rival.kind](seen, rival), faced_by_design(seen, rival))), ""):
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
