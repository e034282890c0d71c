"""A table in outline: of each column what it holds, and no row of it; enough to see later that an export has changed.

An outline can be kept. A code that stands too seldom is kept as a mark that tells only whether it is the same, for it
may be somebody's name or age.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

import numpy as np
import pandas as pd

from researchkit.readers.values import by_size, canonical, factors, numbers

FEW_CODES = 25  # distinct entries up to which a column is one of codes
MEASURED = 0.6  # of the entries that are numbers: the words among them stand for no answer
SELDOM = 5  # times; what stands less often is kept as a mark


@dataclass(frozen=True)
class Code:
    """One entry of a column: its text ("" where that is not kept), and its share of all rows."""

    text: str
    share: float


@dataclass(frozen=True)
class Outline:
    """One column: rows, share missing, codes by their marks (None where they are many), words, middle of its numbers.

    `words` are the entries that are no numbers, or "" for each that is not kept; `entries` all marks, never kept;
    `label` is what the file itself calls it, such as the text of a question.
    """

    rows: int
    missing: float
    empty: bool
    words: tuple[str, ...] = ()
    codes: Mapping[str, Code] | None = None
    middle: float | None = None
    entries: frozenset[str] = field(default=frozenset(), compare=False)
    label: str = ""

    def in_common(self, other: Outline) -> float:
        """The share of entries that both hold, of those that either does."""
        ours = self.entries or frozenset(self.codes or ())
        theirs = other.entries or frozenset(other.codes or ())
        return len(ours & theirs) / max(len(ours | theirs), 1)

    def to_dict(self, seldom: int) -> dict[str, Any]:
        """The outline as it may be kept, without an entry that stands less than `seldom` times."""
        codes = None
        if self.codes is not None:
            codes = {
                mark: [code.text, code.share] if code.share * self.rows >= seldom else ["", 0.0]
                for mark, code in self.codes.items()
            }
        words = [""] if self.words else []
        return {
            "rows": self.rows,
            "missing": self.missing,
            "empty": self.empty,
            "words": words,
            "codes": codes,
            "middle": self.middle,
            "label": self.label,
        }


def outline_from(told: Mapping[str, Any]) -> Outline:
    """The outline that `to_dict` told of."""
    codes = told["codes"]
    return Outline(
        int(told["rows"]),
        float(told["missing"]),
        bool(told["empty"]),
        tuple(told["words"]),
        None if codes is None else {mark: Code(str(text), float(share)) for mark, (text, share) in codes.items()},
        None if told["middle"] is None else float(told["middle"]),
        label=str(told.get("label", "")),
    )


def outlines(frame: pd.DataFrame, labels: Mapping[str, str] | None = None) -> dict[str, Outline]:
    """Every column of a table, by its name."""
    return {str(name): replace(outline(frame[name]), label=(labels or {}).get(str(name), "")) for name in frame.columns}


def outline(series: pd.Series) -> Outline:
    rows = max(len(series), 1)
    places, texts = factors(series)
    counts: dict[str, int] = {}
    for text, count in zip(texts, np.bincount(places[places >= 0], minlength=len(texts)), strict=True):
        counts[canonical(text)] = counts.get(canonical(text), 0) + int(count)
    missing = float(series.isna().mean()) if len(series) else 1.0
    if not counts:
        return Outline(rows, missing, True)
    values, no_numbers = numbers(pd.Series(list(counts), dtype="str"))
    words = tuple(sorted(text for text, no in zip(counts, no_numbers, strict=True) if no))
    few = len(counts) <= FEW_CODES
    codes = {digest(text): Code(text, counts[text] / rows) for text in sorted(counts, key=by_size)} if few else None
    weights = np.array(list(counts.values()))
    measured = weights[~no_numbers].sum() >= MEASURED * weights.sum()
    middle = middle_of(np.abs(values[~no_numbers]), weights[~no_numbers]) if measured else None
    return Outline(rows, missing, False, words, codes, middle, frozenset() if few else frozenset(counts))


def middle_of(values: np.ndarray, weights: np.ndarray) -> float | None:
    """The median of values that stand several times each; None where one is infinite."""
    if not np.isfinite(values).all():
        return None
    return float(np.median(np.repeat(values, weights)))


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]
