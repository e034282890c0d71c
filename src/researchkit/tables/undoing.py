"""What was tried to undo an answer and what came of each, a line each; and who is missing from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import Any

from researchkit import wording
from researchkit.errors import some
from researchkit.robustness import TRIED, WORDS
from researchkit.tables.answers import flow
from researchkit.tables.attacks import checks, finding
from researchkit.tables.table import Col, Prose, Table
from researchkit.tables.together import Fold, Together

KINDS = {"falls": "against", "cannot tell": "open", "stands": "good", "not tried": "small"}
SAID = {
    "falls": ("does", "do"),
    "cannot tell": ("leaves it open", "leave it open"),
    "stands": ("leaves it standing", "leave it standing"),
}
_KIND = re.compile(r"^(fragile|exposed|assumption|adjustment): ")  # how a mark begins that only names its kind
_DIGITS = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def undo(answer: Any) -> Together | Prose:
    """Each attack on one line: what was tried, what came of it, whether the answer stands; folded, all that it found.

    What undoes the answer comes first. Checks that judge nothing are among the folded ones alone.
    """
    found = [one for one in answer.robustness if one.get("word") in WORDS]
    if not found:
        return Prose(("Nothing was tried that could undo it.",))
    found.sort(key=lambda one: WORDS.index(one["word"]))
    chips = {wording.capital(word): kind for word, kind in KINDS.items()}
    columns = (Col("What was tried"), Col("What came of it"), Col("The answer", chips=chips))
    table = Table("What was tried to undo it", columns, tuple(_rows(found, answer)), name="undo")
    lead = Prose((summary([one["word"] for one in found]),))
    return Together((lead, table, Fold("Each attack in full", checks(answer))))


def _rows(found: list[dict[str, Any]], answer: Any) -> Iterator[tuple[str, str, str]]:
    """A row for each attack; those that could not run for the same reason share one."""
    for one in found:
        if one["word"] != "not tried":
            yield TRIED[one["check"]].what, brief(one, answer), wording.capital(one["word"])
    untried = sorted((one for one in found if one["word"] == "not tried"), key=lambda one: brief(one, answer))
    for reason, group in groupby(untried, key=lambda one: brief(one, answer)):
        names = "; ".join(wording.lower_first(TRIED[one["check"]].what) for one in group)
        yield wording.capital(names), reason, wording.capital("not tried")


def summary(words: list[str]) -> str:
    """How many attacks were tried, and what came of them."""
    counts = {str(word): words.count(word) for word in WORDS}
    rest = counts.pop("not tried")
    tried = len(words) - rest
    if not tried:
        return "No attack could be tried; the lines say why."
    told = [f"{_count(n, tried)} {SAID[word][n > 1]}" for word, n in counts.items() if n]
    of = f"{_count(tried)} ways that were tried" if tried > 1 else "the one way that was tried"
    untried = f" {wording.capital(_count(rest))} could not be tried, or had nothing to try." if rest else ""
    return f"Of {of} to undo the answer, {some(told)}.{untried}"


def _count(n: int, of: int = 0) -> str:
    """A number as a sentence has it; the whole of several is all of them."""
    if 1 < n == of:
        return "all"
    return _DIGITS[n] if n < len(_DIGITS) else wording.count(n)


def brief(check: Mapping[str, Any], answer: Any) -> str:
    """What came of one attack, in a sentence: the mark of one that is not withstood, else how its finding begins."""
    if not check.get("ran", True):
        return f"{wording.capital(str(check.get('reason') or 'no reason was given'))}."
    if check.get("mark") and check.get("word") != "stands":
        return f"{wording.capital(_KIND.sub('', check['mark']))}."
    told = finding(check, answer)
    return _BRIEF.get(check["check"], _first)(check, told, answer)


def _first(check: Mapping[str, Any], told: str, answer: Any) -> str:
    """Up to the first full stop or semicolon that stands outside parentheses."""
    for end in re.finditer(r"[.;](?=\s|$)", told):
        if told.count("(", 0, end.start()) == told.count(")", 0, end.start()):
            return f"{told[: end.start()]}."
    return told


def _two(check: Mapping[str, Any], told: str, answer: Any) -> str:
    return " ".join(re.split(r"(?<=\.)\s+", told)[:2])


def _whole(check: Mapping[str, Any], told: str, answer: Any) -> str:
    return told


def _filled(check: Mapping[str, Any], told: str, answer: Any) -> str:
    filled = check.get("imputed")
    if not filled:
        return _two(check, told, answer) if check.get("keeps") else _first(check, told, answer)
    scale, unit = wording.scale(answer.effect.unit)
    value, limits = wording.estimate(*(scale * filled[end] for end in ("estimate", "low", "high")), sign=True)
    times = wording.count(filled["copies"])
    return f"With them filled {times} times it would be {value} {wording.units(unit, value)} ({limits})."


_BRIEF: dict[str, Callable[[Mapping[str, Any], str, Any], str]] = {
    "assumptions": _two,
    "negative control": _whole,
    "missing data": _filled,
    "several questions": _whole,
}


def people(answer: Any) -> Together:
    """Who is in the data, step by step, and what those who lack something do to the answer."""
    told = [Prose((finding(one, answer),)) for one in answer.robustness if one["check"] == "missing data"]
    return Together((flow(answer), *told))
