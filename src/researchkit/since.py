"""What has changed since last time: two results of one question, held against each other.

A report's folder holds `result.json` and, where an earlier run found something else, `previous.json` (see
`places.keep_previous`). The rows themselves are gone, so how far the estimate may have moved by chance is worked out
from what the two results say:

    same rows     the rows are the same: what moved, moved for another reason than chance, and has no interval
    more rows     the earlier rows are all there, new ones came, and the question is the same: the variance of the
                  shift is that of the earlier estimate less that of the new one (Hausman 1978, Econometrica 46,
                  1251-1271, lemma 2.1: an efficient estimator is uncorrelated with its difference from another)
    other rows    as if nobody were in both: the sum of both variances. Too wide on purpose where some are in both

Changes of counts follow the disclosure profile: 1,821 rows now and 1,820 before would single one person out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from researchkit import wording
from researchkit.disclosure import PROFILES, Profile, shown
from researchkit.places import PARTS, PREVIOUS, read, read_status

Result = Mapping[str, Any]
Basis = Literal["same rows", "more rows", "other rows"]
STRICTEST = max(PROFILES.values(), key=lambda profile: profile.threshold)
WHY = {
    "same rows": "The rows are the same, so chance has no part in this.",
    "more rows": "The earlier rows are all there and new ones came; the interval allows for that.",
    "other rows": "The interval is that of two samples without a person in common: too wide where some are in both.",
}


@dataclass(frozen=True)
class Shift:
    """New estimate less old one, in `unit`, with its interval at `level`; without one on the same rows."""

    value: float
    low: float | None
    high: float | None
    level: float
    unit: str
    basis: Basis

    @property
    def beyond_chance(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    @property
    def words(self) -> str:
        scale, unit = wording.scale(self.unit)
        if self.low is None or self.high is None:
            value = wording.number(scale * self.value, 2, sign=True)
            if not value.strip("0."):
                return "The estimate is the same."
            return f"The estimate moved by {value} {wording.units(unit, value)} on the same rows."
        value, limits = wording.estimate(scale * self.value, scale * self.low, scale * self.high, sign=True)
        chance = "more than chance would do" if self.beyond_chance else "no more than chance could do"
        level = wording.level(self.level)
        return f"The estimate moved by {value} {wording.units(unit, value)} ({level} interval {limits}), {chance}."


@dataclass(frozen=True)
class Change:
    """What one report says now against what it said before.

    `when` is the day of the earlier result; `verdict` its word and the new one. `facts` are sentences about everything
    else that differs.
    """

    when: str
    verdict: tuple[str, str]
    shift: Shift | None
    people: str
    facts: tuple[str, ...]

    @property
    def rank(self) -> int:
        """0: another verdict. 1: a shift beyond chance. 2: anything else."""
        return 0 if self.verdict[0] != self.verdict[1] else 1 if self.shift and self.shift.beyond_chance else 2

    @property
    def words(self) -> str:
        """One or two sentences for a line of the index."""
        old, new = self.verdict
        verdict = f"Still “{new}”." if old == new else f"Was “{old}”, is “{new}”."
        return " ".join(part for part in (verdict, self.shift.words if self.shift else "", self.people) if part)


def since(folder: Path, result: Result) -> Change | None:
    """What has changed in the report of a folder; None where nothing is known of an earlier one.

    Parameters
    ----------
    result
        What `result.json` of the folder holds.
    """
    old = read(folder / PREVIOUS)
    status = read_status(folder)
    try:
        return compare(old, result, key=status.get("key"), grown=status.get("grown_from") or ()) if old else None
    except (KeyError, TypeError, AttributeError, ValueError):
        return None  # an earlier version may have written what this one does not know


def compare(old: Result, new: Result, *, key: Mapping[str, str] | None = None, grown: Sequence[str] = ()) -> Change:
    """What one result says against an earlier one of the same question.

    Parameters
    ----------
    old, new
        As `result.json` holds them; `old` with the `key` that it was made from, where that is known.
    key
        What `new` was made from (`status.json`).
    grown
        Fingerprints of earlier rows that are all among those of `new`.
    """
    rule = profile_of(new)
    known = rule == profile_of(old)  # counts under two rules are not to be compared
    facts = [*terms(old, new), *marks(old, new), *asked(old, new)]
    people = "Small counts are under another rule than before."
    if known:
        people = " ".join(rows(old["effect"].get("n"), new["effect"].get("n"), rule, "are in the answer"))
        came = [one.get("data", {}).get("rows") for one in (old, new)]
        facts = [*dropped(old, new, rule, came), *facts]
        if open_steps(old, new, rule):
            facts = [*rows(came[0], came[1], rule, "arrived"), *facts]
    moved = shift(old, new, grown, rule)
    facts.append(WHY[moved.basis] if moved else "One estimate is hidden, or they are not of the same thing: no shift.")
    made = made_otherwise(old, new, key)
    return Change(
        when=str(old.get("provenance", {}).get("started", ""))[:10],
        verdict=(old["verdict"]["word"], new["verdict"]["word"]),
        shift=moved,
        people=people,
        facts=tuple([*facts, f"It was made from something else: {', '.join(made)}."] if made else facts),
    )


def shift(old: Result, new: Result, grown: Sequence[str], rule: Profile) -> Shift | None:
    """How far the estimate moved; None where the two are not in one unit or one of them is hidden."""
    before, now = old["effect"], new["effect"]
    parts = [one.get(name) for one in (before, now) for name in ("estimate", "se")]
    if None in parts or any(before.get(name) != now.get(name) for name in ("kind", "unit", "contrast")):
        return None
    value, basis = now["estimate"] - before["estimate"], basis_of(old, new, grown, rule)
    level = float(now.get("level") or 0.95)
    if basis == "same rows":
        return Shift(value, None, None, level, now["unit"], basis)
    if basis == "more rows":
        # The difference of two estimated variances may by luck be far too small. Where the new rows are like the old
        # ones it is this share of the new variance, which is steadier.
        share = (now["n"] - before["n"]) / before["n"]
        variance = max(before["se"] ** 2 - now["se"] ** 2, share * now["se"] ** 2)
    else:
        variance = before["se"] ** 2 + now["se"] ** 2
    half = quantile(level, [before.get("df"), now.get("df")]) * math.sqrt(variance)
    return Shift(value, value - half, value + half, level, now["unit"], basis)


def basis_of(old: Result, new: Result, grown: Sequence[str], rule: Profile) -> Basis:
    """What is known about the rows of two results."""
    mark = old.get("data", {}).get("fingerprint")
    if mark and mark == new.get("data", {}).get("fingerprint"):
        return "same rows"
    same_question = (
        old.get("provenance", {}).get("study_sha256") == new.get("provenance", {}).get("study_sha256")
        and old["effect"].get("method") == new["effect"].get("method")
        and names(old) == names(new)
    )
    if not (mark in grown and same_question):
        return "other rows"
    # From the precise shift that one or two people have made, their own answers could be worked out.
    return "more rows" if new["effect"]["n"] - old["effect"]["n"] >= rule.threshold else "other rows"


def quantile(level: float, freedoms: Sequence[float | None]) -> float:
    """Of t with the fewest of the degrees of freedom, or of the normal where there are none."""
    from scipy import special

    known = [one for one in freedoms if one]
    tail = (1 + level) / 2
    return float(special.stdtrit(min(known), tail) if known else special.ndtri(tail))


def rows(old: object, new: object, rule: Profile, what: str) -> list[str]:
    """The change of a count of rows as a sentence, none where it is hidden."""
    told = change(old, new, rule)
    lead = {"same": "The same number of", "about": "About the same number of"}.get(told, told)
    return [f"{lead} {one_row(lead, what)}."] if told else []


def one_row(lead: str, what: str) -> str:
    """ "row is" after "1 more", "rows are" after anything else."""
    return f"row {what.replace('are ', 'is ', 1)}" if lead.startswith("1 ") else f"rows {what}"


def change(old: object, new: object, rule: Profile) -> str:
    """A change of a count: "120 more"; "about" where it is too small to be told, "" where a count is hidden."""
    if not (isinstance(old, int) and isinstance(new, int)):
        return ""
    size = abs(new - old)
    if size < rule.threshold:
        return "same" if rule.threshold <= 1 else "about"
    return f"{wording.count(shown(size, rule) or size)} {'more' if new > old else 'fewer'}"


def steps(result: Result) -> dict[str, int | None]:
    """Rows left out for each reason; None where the count is hidden."""
    return {step["why"]: step["rows"] for step in result.get("data", {}).get("dropped", ())}


def open_steps(old: Result, new: Result, rule: Profile) -> bool:
    """Whether no change of a step is too small to be told: with the others it could be had from what arrived."""
    before, now = steps(old), steps(new)
    pairs = [(before.get(why, 0), now.get(why, 0)) for why in {*before, *now}]
    return all(
        one is not None and other is not None and (one == other or abs(one - other) >= rule.threshold)
        for one, other in pairs
    )


def dropped(old: Result, new: Result, rule: Profile, came: Sequence[Any]) -> list[str]:
    """What fewer or more rows were left out for."""
    before, now = steps(old), steps(new)
    facts = [f"Nothing is left out any more as “{why}”." for why in before if why not in now]
    for why, count in now.items():
        if why not in before:
            facts.append(f"Rows are now left out as “{why}”.")
        elif (told := change(before[why], count, rule)) not in ("", "same", "about"):
            left = one_row(told, "are left out as")
            facts.append(f"{told} {left} “{why}”{shares(before[why], count, came)}.")
    return facts


def shares(before: int | None, now: int | None, came: Sequence[Any]) -> str:
    """What two counts are of all that came, where that is known."""
    if before is None or now is None or not all(isinstance(one, int) and one for one in came):
        return ""
    return f": {wording.percent(now / came[1])} of those that arrived, before {wording.percent(before / came[0])}"


def names(result: Result) -> list[str]:
    return [str(term["term"]) for term in (result.get("model") or {}).get("terms", ())]


def terms(old: Result, new: Result) -> list[str]:
    """Columns that the model gained or lost."""
    return gained("The model now has", "The model no longer has", names(old), names(new))


def marks(old: Result, new: Result) -> list[str]:
    """Marks of weakness gained or lost, each up to its colon."""
    before, now = ([str(mark).partition(":")[0] for mark in one["verdict"].get("marks", ())] for one in (old, new))
    return gained("New mark:", "No longer marked:", before, now)


def gained(more: str, less: str, before: Sequence[str], now: Sequence[str]) -> list[str]:
    new, gone = ([name for name in one if name not in other] for one, other in ((now, before), (before, now)))
    return [f"{lead} {', '.join(part)}." for lead, part in ((more, new), (less, gone)) if part]


def asked(old: Result, new: Result) -> list[str]:
    """What the study file asks otherwise: the smallest effect that matters, the claim, the method."""
    facts = []
    before, now = old.get("smallest_effect"), new.get("smallest_effect")
    if before != now and None not in (before, now):
        scale, unit = wording.scale(new["effect"]["unit"])
        told = [wording.typed(scale * one) for one in (before, now)]  # type: ignore[operator]
        facts.append(f"The smallest effect that matters is {told[1]} {wording.units(unit, told[1])}, before {told[0]}.")
    for what, one, other in (
        ("It is estimated by", old["effect"].get("method"), new["effect"].get("method")),
        ("What is compared is", old["effect"].get("contrast"), new["effect"].get("contrast")),
        ("The unit is", old["effect"].get("unit"), new["effect"].get("unit")),
        ("The design is", old.get("design"), new.get("design")),
    ):
        facts += [f"{what} “{other}”, before “{one}”."] if one != other else []
    return facts


def made_otherwise(old: Result, new: Result, key: Mapping[str, str] | None) -> list[str]:
    """What the two were made from, as far as it differs, in the words of `places.PARTS`."""
    before = old.get("key")
    if before and key:
        return [words for part, words in PARTS.items() if before.get(part) != key.get(part)]
    was, now = old.get("provenance", {}), new.get("provenance", {})
    differs = {
        "study": was.get("study_sha256") != now.get("study_sha256"),
        "rows": old.get("data", {}).get("fingerprint") != new.get("data", {}).get("fingerprint"),
        "package": was.get("researchkit") != now.get("researchkit"),
        "versions": (was.get("packages"), was.get("python")) != (now.get("packages"), now.get("python")),
    }
    return [PARTS[part] for part, does in differs.items() if does]


def profile_of(result: Result) -> Profile:
    """The rule for small counts that a result was made under; the strictest where it is not known."""
    return PROFILES.get(str(result.get("data", {}).get("disclosure")), STRICTEST)
