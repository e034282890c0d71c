"""A coder whose every decision can be read: a turn has a code when it holds one of our phrases for it.

The phrases stand in `phrases.yml`, all in our own words. They are English, and worth what their agreement with people
is found to be: a word list knows neither tone nor irony.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from researchkit.markup import read_yaml

QUOTES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "ʼ": "'"})
WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
OPENERS = r"(?:(?:okay|ok|so|and|but|well|um|uh|yeah|yes|right|no|oh|alright|now|mm|hm)\W{1,9})*"
MOST = 20_000  # characters of a turn that are read: more was not said by anybody in one go


def plain(text: str) -> str:
    """A turn as the coders read it: one form of each letter, small ones, straight quotes, single blanks."""
    read = unicodedata.normalize("NFKC", text[:MOST]).translate(QUOTES).casefold()
    return " ".join(read.split())


def words(text: str) -> list[str]:
    """The words of a turn, after `plain`."""
    return WORD.findall(plain(text))


@cache
def phrases() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """For each code what brings a turn in, and what takes it out again."""
    text = resources.files("researchkit").joinpath("transcripts", "phrases.yml").read_text(encoding="utf-8")
    told, _ = read_yaml(text, "phrases.yml")
    return {code: (tuple(part["phrases"]), tuple(part["but_not"])) for code, part in told["codes"].items()}


def pattern(phrase: str) -> str:
    """One phrase as a regular expression without anything that could run away: every repeat has a limit."""
    parts = [OPENERS.join(("^", ""))] if phrase.startswith("^") else [r"(?<![\w'])"]
    gap, first = r"\W{1,9}", True
    for part in phrase.removeprefix("^").split():
        if part == "...":
            gap = r"\W{1,9}(?:[\w']{1,40}\W{1,9}){0,3}"
            continue
        either = "|".join(re.escape(word).replace(r"\*", r"\w{0,20}") for word in part.split("|"))
        parts += ["" if first else gap, f"(?:{either})"]
        gap, first = r"\W{1,9}", False
    return "".join([*parts, r"(?!\w|'\w)"])


@cache
def finders(code: str) -> tuple[re.Pattern[str], re.Pattern[str] | None]:
    brings, takes = phrases()[code]
    out = re.compile("|".join(map(pattern, takes))) if takes else None
    return re.compile("|".join(map(pattern, brings))), out


def by_phrases(texts: Sequence[str], code: str) -> NDArray[np.bool_]:
    """(n,) whether each turn has the code."""
    brings, takes = finders(code)
    read = map(plain, texts)
    return np.array([bool(brings.search(turn)) and not (takes and takes.search(turn)) for turn in read], dtype=bool)
