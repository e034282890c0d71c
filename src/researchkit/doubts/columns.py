"""One column by itself: numbers that stand apart, two units, entries of two kinds, letters read wrongly."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.errors import some
from researchkit.readers.values import PLAIN_NUMBER, factors, written

Rows = Callable[[NDArray[np.bool_]], str]
Values = NDArray[np.float64]
FEWEST = 20  # rows that a doubt about numbers needs beside those it is about
CODES = (7, 8, 9, 77, 88, 99, 777, 888, 999, 7777, 8888, 9999, 77777, 88888, 99999, 999999)
OUT = [-code for code in CODES]
GAP, OFTEN = 3, 5  # from the last answer of an item to a code of one digit, and rows that hold such codes
MOST_COUNTED = 9  # a code of one digit may be a count
FAR = 3.0  # times the spread of all others, for one entry to stand apart
RATIOS = (7, 12, 24, 60, 100, 365, 1000, 1440, 3600)  # hours and days, minutes and hours, shares and per cents, ...
NEAR, EMPTY = 1.35, 3.0  # how near the ratio is to one of these; how wide the gap between two units is
SHARE, SIDE = 0.05, 10  # of the entries, and different ones, that are in either unit
FIRST_DAYS = ("0001-01-01", "1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1904-01-01", "1970-01-01")
LAST_DAYS = ("2099-12-31", "2999-12-31", "9999-12-31")
YEARS = np.timedelta64(3652, "D")  # between a day that stands for none and every other
MANGLED = re.compile("Ã[\\x80-\\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ ]|â€|\ufffd")
MOST = 200  # different entries of a column of words


def of_numbers(values: Values, ranged: bool, rows: Rows) -> Iterator[str]:
    """Doubts about a column of numbers (n,); a declared range has been looked at already."""
    known = values[np.isfinite(values)]
    if len(known) < FEWEST:
        return
    codes = [] if ranged else [*for_missing(known)]
    beside = [code for code in behind_a_gap(known) if code not in dict(codes)]
    for code, count in codes:
        yield stands_apart(code, count, f" ({rows(values == code)})")
    for code in beside:
        here, last = values == code, written(known[known < min(beside)].max())
        yield (
            f"{written(code)} stands in {int(here.sum()):,} rows, behind answers that end at {last} ({rows(here)}). "
            "A code for no answer? Then list it under `missing`."
        )
    if not (codes or beside) and not ranged and (far := apart(known)) is not None:
        yield (
            f"1 entry stands far apart from all others ({written(far)}, {rows(values == far)}). A slip of the keyboard?"
        )
    if found := two_units(known):
        low, high, ratio = found
        few = values <= low if (known <= low).sum() <= (known >= high).sum() else values >= high
        yield (
            f"it seems to hold two units: no number lies between {written(low)} and {written(high)}, and those above "
            f"are about {ratio} times those below ({int(few.sum()):,} rows are on the smaller side, {rows(few)})."
        )


def stands_apart(code: float, count: int, where: str = "") -> str:
    """The doubt about a number that may be a code for missing."""
    told = f"{written(code)} stands in {count:,} rows, far from all other numbers{where}."
    return f"{told} A code for missing? Then list it under `missing`."


def for_missing(known: Values) -> Iterator[tuple[float, int]]:
    """Usual codes for missing (-99, 999, ...) that stand apart from the rest, each with its count."""
    for code in CODES:
        below, beyond = known[known >= 0], known[known < code]
        if (count := int((known == -code).sum())) > 1 and len(below) >= FEWEST and np.isin(known[known < 0], OUT).all():
            yield -float(code), count
        count = int((known == code).sum())
        if code > MOST_COUNTED and count > 1 and len(beyond) >= FEWEST and code - beyond.max() > np.ptp(beyond) > 0:
            yield float(code), count


def behind_a_gap(known: Values) -> list[float]:
    """Codes for no answer behind the answers of an item: 9 after 1 to 5, or 8 and 9; a drafted range may hold them.

    The answers are whole and without a gap themselves, and the codes stand too often to be the tail of a count.
    """
    values, counts = np.unique(known, return_counts=True)
    if values[0] not in (0, 1) or values[-1] not in (8, 9) or (values % 1).any():
        return []
    ends = np.flatnonzero(np.diff(values) > 1)
    if len(ends) != 1 or ends[0] < 1:
        return []
    end = int(ends[0])
    seven = values[0] == 1 and values[end] == 7  # of the seven steps from 1 to 7 only 9 is apart
    if values[end + 1] - values[end] < (2 if seven else GAP) or counts[end + 1 :].sum() < OFTEN:
        return []
    return [float(code) for code in values[end + 1 :]]


def apart(known: Values) -> float | None:
    """One entry that is much further from its neighbour than all others are from each other, in logs too."""
    ordered = np.sort(known)
    for end, rest in ((ordered[-1], ordered[:-1]), (ordered[0], ordered[1:])):
        gap, spread = abs(end - rest[-1 if end == ordered[-1] else 0]), np.ptp(rest)
        if not spread or gap <= FAR * spread:
            continue
        if ordered[0] >= 0:
            small = rest[rest > 0].min()
            logs = np.log(np.maximum([end, rest[-1], small], small))
            if end == ordered[-1] and logs[0] - logs[1] <= logs[1] - logs[2]:
                continue
        return float(end)
    return None


def two_units(known: Values) -> tuple[float, float, int] | None:
    """The ends of an empty stretch between numbers in one unit and in another, and how many of one make the other."""
    ordered = np.sort(known[known > 0])
    logs = np.log(ordered)
    least = max(SIDE, int(SHARE * len(logs)))
    if len(logs) < 2 * least or known.min() < 0:
        return None
    gaps = np.diff(logs)[least - 1 : len(logs) - least]
    if not len(gaps) or gaps.max() < np.log(EMPTY):
        return None
    at = int(gaps.argmax()) + least
    below, above = logs[:at], logs[at:]
    times = np.exp(np.median(above) - np.median(below))
    fits = [ratio for ratio in RATIOS if ratio / NEAR < times < ratio * NEAR]
    if not fits or min(len(np.unique(side)) for side in (below, above)) < SIDE:
        return None
    return float(ordered[at - 1]), float(ordered[at]), fits[0]


def of_text(column: pd.Series, ids: bool, rows: Rows) -> Iterator[str]:
    """Doubts about a column of words or ids."""
    places, texts = factors(column)
    counts = np.bincount(places[places >= 0], minlength=len(texts))

    def of(wanted: set[str]) -> NDArray[np.bool_]:
        return np.array([*(text in wanted for text in texts), False], dtype=bool)[places]

    if mangled := {text for text in texts if MANGLED.search(text)}:
        here = of(mangled)
        yield (
            f"{int(here.sum()):,} entries hold letters that were read in the wrong encoding "
            f"({rows(here)}). Say which it is: `encoding:`."
        )
    if ids:
        if short := without_zeros(texts):
            here = of(short)
            yield (
                f"{int(here.sum()):,} entries are shorter than those with leading zeros ({rows(here)}): "
                "a spreadsheet has taken the zeros away. Get the file as it was before."
            )
    elif len(texts) <= MOST:
        yield from of_words(texts, counts)


def of_words(texts: list[str], counts: NDArray[np.int64]) -> Iterator[str]:
    """Entries that differ in case and spaces alone; numbers among words."""
    alike: dict[str, list[str]] = {}
    for text in texts:
        alike.setdefault(" ".join(text.casefold().split()), []).append(text)
    if twins := [group for group in alike.values() if len(group) > 1]:
        count, shown = sum(map(len, twins)), some((some(map(repr, group)) for group in twins), 3)
        yield f"{count} entries differ in nothing but case or spaces ({shown}). `recode` makes them one."
    coded = np.array([bool(PLAIN_NUMBER.fullmatch(text.strip())) for text in texts], dtype=bool)
    words = np.array([not any(map(str.isdigit, text)) for text in texts], dtype=bool)
    large = SHARE * counts.sum()
    if min(coded.sum(), words.sum()) >= 2 and min(counts[coded].sum(), counts[words].sum()) > large:
        numbers, labels = (list(itertools.compress(texts, kind)) for kind in (coded, words))
        shown = some(map(repr, [*numbers[:2], *labels[:2]]), 4)
        yield f"its {len(texts)} entries are numbers and words ({shown}): codes and labels of one thing? `recode` them."


def without_zeros(texts: list[str]) -> set[str]:
    """Ids of digits that are shorter than all those that begin with a zero, where these have one length."""
    digits = [text for text in texts if text.isdigit()]
    lengths = {len(text) for text in digits if text.startswith("0") and len(text) > 1}
    if len(digits) < len(texts) or len(lengths) != 1:
        return set()
    (length,) = lengths
    return {text for text in digits if len(text) < length} if max(map(len, digits)) == length else set()


def of_dates(column: pd.Series, rows: Rows) -> Iterator[str]:
    """Days that programs write for no day at all, far from every other."""
    known = column.dropna()
    for days, before in ((FIRST_DAYS, True), (LAST_DAYS, False)):
        here = known.dt.strftime("%Y-%m-%d").isin(days).to_numpy()
        rest = known[~here]
        if not here.any() or len(rest) < FEWEST:
            continue
        gap = rest.min() - known[here].max() if before else known[here].min() - rest.max()
        if gap > YEARS:
            what = some(sorted({day.strftime("%Y-%m-%d") for day in known[here]}))
            hit = column.isin(known[here].unique()).to_numpy()
            yield (
                f"{int(hit.sum()):,} entries are {what}, far from all other days ({rows(hit)}). "
                "No date? Leave them empty."
            )
