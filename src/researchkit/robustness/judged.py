"""One word for each attack: whether the answer stands, falls, or cannot be told to; by one table.

    stands         it was tried, and the answer stays what it is
    falls          it undoes the answer, or would if what it supposes were so
    cannot tell    it was tried, and leaves open whether the answer stays
    not tried      it could not run, or the study names nothing to try

Some checks judge nothing: they lay another number beside the answer, for reading. Their word is None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from researchkit.robustness.check import Check

if TYPE_CHECKING:
    from researchkit.estimators import Effect

Word = Literal["stands", "falls", "cannot tell", "not tried"]
WORDS: tuple[Word, ...] = ("falls", "cannot tell", "stands", "not tried")  # in the order in which they are read
ALPHA, SURE = 0.05, 0.01


class Seen(NamedTuple):
    """What a rule looks at: the check's facts and mark, the effect, and whether lots were drawn."""

    facts: Mapping[str, Any]
    mark: str
    effect: Effect
    lots: bool

    @property
    def clear(self) -> bool:
        """Whether the answer's interval excludes zero."""
        return self.effect.low > 0 or self.effect.high < 0


Rule = Callable[[Seen], Word]


class Tried(NamedTuple):
    """One kind of attack: what is tried, how its word is found (None: it judges nothing), and whose method it is."""

    what: str
    rule: Rule | None
    source: str = ""


def judged(check: Check, effect: Effect, *, lots: bool) -> Word | None:
    """The word for one check; None for one that judges nothing."""
    tried = TRIED.get(check.name)
    if tried is None or tried.rule is None:
        return None
    return tried.rule(Seen(check.facts, check.mark, effect, lots)) if check.ran else "not tried"


def in_result(checks: Iterable[Check], effect: Effect, *, lots: bool) -> list[dict[str, Any]]:
    """Checks as they stand in `result.json`: facts, mark, word, and whose methods they used."""
    return [
        {
            **check.to_dict(),
            "mark": check.mark,
            "word": judged(check, effect, lots=lots),
            "source": source_of(check) or None,
        }
        for check in checks
    ]


def source_of(check: Check) -> str:
    """Whose methods a check used, as far as it ran; "" where it has none of others."""
    if not check.ran:
        return ""
    own = TRIED[check.name].source if check.name in TRIED else ""
    used = [source for fact, source in PARTS.get(check.name, {}).items() if check.facts.get(fact) is not None]
    return "; ".join(filter(None, [own, *used]))


def marked(seen: Seen) -> Word:
    """The check's own mark says that it undoes the answer."""
    return "falls" if seen.mark else "stands"


def weakened(seen: Seen) -> Word:
    """The mark says that the attack cannot be met with these data; it does not say that it succeeds."""
    return "cannot tell" if seen.mark else "stands"


def left_out(seen: Seen) -> Word:
    """Without a measured cause to compare with, only lots keep a cause out."""
    if seen.mark:
        return "falls"
    return "stands" if seen.lots or "strongest_measured" in seen.facts else "cannot tell"


def assumed(seen: Seen) -> Word:
    if seen.mark:
        return "falls"
    spoken_against = (seen.facts.get("p") or 1.0) < SURE
    return "cannot tell" if spoken_against and seen.facts.get("without") is None else "stands"


def gaps(seen: Seen) -> Word:
    """The answer with its gaps filled; where that is not to be had, or not to be told, it stays open."""
    if seen.mark:
        return "falls"
    whole = seen.facts.get("incomplete") == 0
    return "stands" if whole or seen.facts.get("imputed") or seen.facts.get("keeps") else "cannot tell"


def without_one(seen: Seen) -> Word:
    if seen.mark:
        return "falls"
    told = seen.facts.get("decide_about_zero") is not None and seen.facts.get("low") is not None
    return "stands" if told else "cannot tell"


def before_the_start(seen: Seen) -> Word:
    """Nobody having drawn lots is told as a mark of the design, whatever the times before say."""
    undone = seen.mark and not seen.mark.startswith("roll-out")
    return "falls" if seen.facts.get("fails") or undone else "stands"


def dealt_out(seen: Seen) -> Word:
    chance = seen.facts["p"] >= ALPHA
    if seen.clear:
        return "falls" if chance else "stands"
    return "stands" if chance else "cannot tell"


def sign_kept(seen: Seen) -> Word:
    if not seen.facts["turn_the_sign"]:
        return "stands"
    return "falls" if seen.clear else "cannot tell"


def alike(seen: Seen) -> Word:
    """Other estimates of the same thing, itself or one in each entry: of the same sign, or clearly of the other."""
    found = [seen.facts] if "estimate" in seen.facts else [one for one in seen.facts.values() if isinstance(one, dict)]
    if not found:
        return "cannot tell"
    up = seen.effect.estimate > 0
    if any(one["high"] < 0 if up else one["low"] > 0 for one in found):
        return "falls"
    return "stands" if all((one["estimate"] > 0) == up for one in found) else "cannot tell"


def within_reach(seen: Seen) -> Word:
    """An interval that holds all that the attack allows for, beside zero; that it could be so does not make it so."""
    if not seen.clear:
        return "cannot tell"
    return "cannot tell" if seen.facts["low"] <= 0 <= seen.facts["high"] else "stands"


TRIED: dict[str, Tried] = {
    "specification curve": Tried("Other ways to analyse it", marked, "Simonsohn, Simmons and Nelson (2020)"),
    "unmeasured confounder": Tried("A cause that nobody measured", left_out),
    "assumptions": Tried("The model without what it assumes", assumed),
    "missing data": Tried("The gaps filled", gaps),
    "influence": Tried("Leaving out one at a time", without_one),
    "negative control": Tried("Something that cannot have been changed", marked),
    "believed causes": Tried("The adjustment held against the study's own arrows", marked),
    "several questions": Tried("All planned questions of the family together", marked, "Holm (1979)"),
    "equivalence": Tried("No difference that matters", None),
    "design": Tried("What the study could have seen", None, "Gelman and Carlin (2014)"),
    # roll-outs
    "times before the start": Tried("The times before the start", before_the_start, "Roth (2022)"),
    "trends that part later": Tried("Trends that part as far later as they did before", within_reach),
    "other choices": Tried("The same roll-out by other choices", alike),
    "two-way regression": Tried("The usual regression", None),
    "starts dealt out anew": Tried("The starts dealt out anew", dealt_out),
    "mixed model": Tried("A mixed model in its place", alike, "Hussey and Hughes (2007)"),
    "one left out": Tried("Each that starts left out", sign_kept),
    # mechanisms
    "sources and times": Tried("Who said it, and when", weakened),
    "believed causes of the mediator": Tried("The mediator's adjustment against the study's own arrows", marked),
    "cause of mediator and outcome": Tried("A cause of mediator and outcome that nobody measured", marked),
    "the order turned round": Tried("The order turned round", None),
    "exposure changes the mediator's effect": Tried("A mediator that works otherwise with the exposure", weakened),
    "inside groups": Tried("Comparing inside groups alone", marked),
    "another interval": Tried("Another kind of interval", weakened),
    # groups and doses
    "the moderator stands for another": Tried("A moderator that stands for another", marked),
    "each group by itself": Tried("An adjustment for each group", marked),
    "another cut of the moderator": Tried("Another cut of the moderator", marked),
    "another scale": Tried("Another scale", marked),
    "too few in a group": Tried("Too few in a group", weakened),
    "regression to the mean": Tried("Regression to the mean", weakened),
    "another shape": Tried("Another shape of the curve", marked),
    "where it turns": Tried("Where it turns", None, "Lind and Mehlum (2010)"),
    "thin ends": Tried("Few people at the doses", weakened),
    "without the extremes": Tried("Without the extremes", marked),
    # colleagues, halves of teams, people against themselves
    "teams by lot": Tried("The same people in teams drawn by lot", marked),
    "like seek like": Tried("Like seek like", marked),
    "shared surroundings": Tried("Shared surroundings", weakened),
    "other splits": Tried("Other splits of the teams", marked),
    "one person on both sides": Tried("One person on both sides", None),
    "agreement of the halves": Tried("Halves that do not agree", weakened),
    "between people": Tried("Between people in place of within", None),
    "the reverse": Tried("The reverse: the outcome first", marked),
    "the usual panel model": Tried("The usual panel model", None),
    "alike at every wave": Tried("Each wave by itself", weakened),
    # series, limits, mixes
    "a beginning that was none": Tried("A beginning that was none", marked),
    "other units in its place": Tried("Other units in its place", marked),
    "each control left out": Tried("Each control left out", marked),
    "people who choose their side": Tried("People who choose their side of the limit", marked),
    "limits that are none": Tried("Limits that are none", marked),
    "what was there before": Tried("Jumps in what was there before", marked),
    "other windows": Tried("Other windows around the limit", marked),
    "another mix as the standard": Tried("Another mix as the standard", marked),
    # how well something is seen; two outcomes; recoveries
    "who was reviewed": Tried("As if those reviewed were everybody", None),
    "the other error": Tried("The other error", None),
    "forecasts": Tried("Forecasts against what came", None),
    "whose score it is": Tried("A score that hangs on who gives it", weakened),
    "held out": Tried("Data held out", marked),
    "who was chosen": Tried("Only those chosen were seen", marked),
    "errors that lean": Tried("Errors that lean with the outcome", marked),
    "both outcomes": Tried("Both outcomes together", None),
    "the price": Tried("Half and twice the price", marked),
    "three hypotheses": Tried("Three hypotheses, corrected together", None),
    "what rises by itself": Tried("What rises by itself", None),
    "how bad it was": Tried("Failures that were not equally bad", None),
}

PARTS: dict[str, dict[str, str]] = {  # methods that a check uses only where it has the fact
    "unmeasured confounder": {
        "robustness_value": "Cinelli and Hazlett (2020)",
        "e_value": "VanderWeele and Ding (2017)",
    },
    "missing data": {"imputed": "Rubin (1987)"},
}
