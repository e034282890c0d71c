"""One page against an earlier one of the same question: would the two together tell about a few people?

What a page was made of is remembered without a row of anybody: everyone is put by a keyed digest into one of 128
drawers, and each drawer keeps how many are in it and a sum of what they answered. Where few people have come, gone or
changed, few drawers differ, and how many people that is can be read off; never who they are.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from researchkit.disclosure import Profile, hard_to_tell, protect

DRAWERS = 128
Words = NDArray[np.uint64]


@dataclass(frozen=True)
class Drawers:
    """Some people, by drawer: how many (128,) and the sum of their digests (128,)."""

    counts: Words
    sums: Words

    def differ(self, other: Drawers) -> int:
        """How many people are in one and not in the other, or not with the same answers: that many at least."""
        apart = np.abs(self.counts.astype(np.int64) - other.counts.astype(np.int64))
        changed = (self.sums != other.sums) | (apart > 0)
        return int(np.maximum(apart, 1)[changed].sum())

    def to_text(self) -> str:
        return b64encode(np.concatenate([self.counts, self.sums]).astype("<u8").tobytes()).decode()


def drawers_from(text: str) -> Drawers:
    """What `to_text` told; ValueError where it is something else."""
    words = np.frombuffer(b64decode(text, validate=True), dtype="<u8").astype(np.uint64)
    if len(words) != 2 * DRAWERS:
        raise ValueError("This is no record of a release.")
    return Drawers(words[:DRAWERS], words[DRAWERS:])


@dataclass(frozen=True)
class Marks:
    """What is remembered of one page: who is in the answer, and what all who arrived have answered in the `columns`."""

    when: str
    columns: str
    named: bool  # whether a column says who is who; else a row is known by its answers
    people: int
    inside: Drawers
    answers: Drawers

    def to_dict(self) -> dict[str, Any]:
        told = {"when": self.when, "columns": self.columns, "named": self.named, "people": self.people}
        return {**told, "inside": self.inside.to_text(), "answers": self.answers.to_text()}

    def differ(self, other: Marks) -> int:
        """Of how many people the difference between the two pages is."""
        if self.columns == other.columns:
            return max(self.answers.differ(other.answers), self.inside.differ(other.inside))
        if self.named and other.named:
            return self.inside.differ(other.inside)
        return abs(self.people - other.people)  # who is who is not known across columns


def marks_from(told: Mapping[str, Any]) -> Marks:
    """What `to_dict` told; ValueError, KeyError or TypeError where it is something else."""
    inside, answers = drawers_from(told["inside"]), drawers_from(told["answers"])
    return Marks(str(told["when"]), str(told["columns"]), bool(told["named"]), int(told["people"]), inside, answers)


def mixed(words: Words, key: int) -> Words:
    """Digests that tell nothing to anyone without the key (the finaliser of splitmix64, Steele et al. 2014)."""
    found = (words ^ np.uint64(key)) + np.uint64(0x9E3779B97F4A7C15)
    found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed_: Words = found ^ (found >> np.uint64(31))
    return mixed_


def drawers(person: Words, answers: Words) -> Drawers:
    """Everybody by drawer.

    Parameters
    ----------
    person, answers
        A digest (n,) of who each row is of, and one of what it says; several rows of one person count once.
    """
    who, place = np.unique(person, return_inverse=True)
    said = np.zeros(len(who), dtype=np.uint64)
    np.add.at(said, place, answers)
    drawer = (who % np.uint64(DRAWERS)).astype(np.int64)
    counts, sums = np.zeros(DRAWERS, dtype=np.uint64), np.zeros(DRAWERS, dtype=np.uint64)
    np.add.at(counts, drawer, np.uint64(1))
    np.add.at(sums, drawer, mixed(said ^ who, 0))
    return Drawers(counts, sums)


def moved(now: Marks, before: Sequence[Marks], profile: Profile) -> int:
    """Of how many people a page tells more than the earlier ones do; 0 where it is of the same as one of them."""
    apart = [now.differ(one) for one in before] or [now.people]
    few = [one for one in apart if 0 < one < profile.threshold]
    return 0 if 0 in apart else min(few or apart)


def kept_back(news: Mapping[str, int], profile: Profile) -> tuple[set[str], bool]:
    """Which of several groups must not have a new page, and whether their whole must not.

    Parameters
    ----------
    news
        Of how many people each group's new page would tell more than the old ones do.
    """
    rule = Profile("", profile.threshold, True, 1, "", "")
    there = {name: people for name, people in news.items() if people}
    back = {name for name, people in protect(there, rule).items() if people is None}
    return back, bool(back) and not hard_to_tell([there[name] for name in back], rule)
