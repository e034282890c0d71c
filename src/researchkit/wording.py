"""Numbers as people read them: the one place that rounds.

Every computing room keeps full precision; whatever a person reads (a sentence, a table, a figure's label)
passes through here.
"""

from __future__ import annotations

import math
import re

CAPITALS = re.compile(r"\b[A-ZÄÖÜ][a-zäöüß]")  # a word that begins with one, other than the first


def number(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """`value` to `digits` significant digits beyond its leading one, with a real minus and thousands separated.

    "-0.0312" reads "−0.031", "12345.6" reads "12,346"; nothing reads "−0".
    """
    if value is None or not math.isfinite(value):
        return "not known"
    places = decimals(value, digits)
    text = f"{abs(value):,.{places}f}"
    zero = not text.strip("0.,")
    lead = "" if zero else ("−" if value < 0 else ("+" if sign else ""))
    return lead + text


def decimals(value: float, digits: int = 2) -> int:
    """How many decimals show `digits` significant digits of `value`."""
    if value == 0 or not math.isfinite(value):
        return digits - 1
    return max(0, digits - 1 - math.floor(math.log10(abs(value))))


def interval(low: float, high: float, digits: int = 2) -> str:
    """Both limits to the same number of decimals, those that the narrower needs: "2.3 to 3.9"."""
    places = max(decimals(high - low, digits), 0) if high != low else decimals(high, digits)
    return f"{fixed(low, places)} to {fixed(high, places)}"


def fixed(value: float, places: int, *, sign: bool = False) -> str:
    """`value` to a fixed number of decimals, with a real minus and no negative zero."""
    if not math.isfinite(value):
        return "not known"
    text = f"{abs(value):,.{places}f}"
    zero = not text.strip("0.,")
    return ("" if zero else ("−" if value < 0 else ("+" if sign else ""))) + text


def estimate(value: float, low: float, high: float, *, sign: bool = False) -> tuple[str, str]:
    """An estimate and its interval, to the decimals that the interval's width carries."""
    width = high - low
    places = decimals(width, 2) if math.isfinite(width) and width > 0 else decimals(value, 2)
    return fixed(value, places, sign=sign), f"{fixed(low, places)} to {fixed(high, places)}"


def probability(p: float | None) -> str:
    """A p-value as a paper prints it: "p = .034", "p < .001"."""
    if p is None or not math.isfinite(p):
        return "p not known"
    return "p < .001" if p < 0.001 else f"p = {p:.3f}".replace("0.", ".", 1)


def count(n: int) -> str:
    """A whole number with thousands separated."""
    return f"{n:,}"


def percent(share: float, places: int = 1) -> str:
    """A share (0 to 1) in per cent."""
    return f"{fixed(100 * share, places)} %"


def level(share: float) -> str:
    """The level of an interval in per cent, every digit kept: "95 %", "97.5 %", "99.9 %", never "100 %"."""
    return f"{typed(100 * share)} %"


def scale(unit: str) -> tuple[float, str]:
    """What a number in `unit` is multiplied by on a page, and what the unit is called there."""
    return (100.0, "percentage points") if unit == "probability" else (1.0, unit)


def typed(value: float) -> str:
    """A number of the study file as its author wrote it, every digit kept: "30", "0.05", "1234567"."""
    return f"{value:.15g}".replace("-", "−")


def units(unit: str, shown: str = "2") -> str:
    """The unit in the number that fits what is shown before it: "1 day", "0.8 days", "3 contacts in 90 days"."""
    head, joint, rest = re.split(r"( in | per | of |$)", unit, maxsplit=1)
    if shown.lstrip("+−") == "1" or head.endswith("s") or unit in {"%", "per cent", ""}:
        return unit
    return f"{head}s{joint}{rest}"


def lower_first(text: str) -> str:
    """A label inside a sentence; abbreviations such as NPS keep their capitals, an article does not.

    So does what has further capitals inside: German nouns, names, titles.
    """
    kept = (text[:2].isupper() and text[1:2] != " ") or CAPITALS.search(text[1:]) or not text
    return text if kept else text[0].lower() + text[1:]


def unbroken(text: str) -> str:
    """A sentence for a page, on which no line ends within "95 %" or "2.1 to 3.4"."""
    return re.sub(r"(?<=\d) (?=%)|(?<=\d) (?=to [−\d])|(?<=\d to) (?=[−\d])", "\u00a0", text)


def capital(text: str) -> str:
    """The first letter large, the others as they are."""
    return text[:1].upper() + text[1:]


def with_article(outcome: str, article: str = "a") -> str:
    """Shares, rates, times and the net promoter score are counted; what a scale measures is not."""
    counted = outcome.startswith(("share of ", "correlation of ", "rate of ", "mean time ", "net promoter score"))
    return f"{article} {outcome}" if counted else outcome
