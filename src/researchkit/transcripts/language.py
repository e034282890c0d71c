"""Is this the language that the coder knows? Told by how many words of a conversation it knows, without a library.

Our phrases are English, where more than half of all words in talk are among the commonest; in German, French, Spanish,
Dutch or Italian hardly any are. A learned coder knows the words of the conversations that it was learned from.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from researchkit.transcripts.phrases import words

LEAST_WORDS = 20  # of a conversation: with fewer nothing can be told
LEAST_SHARE = 0.3  # of a conversation's words that must be known
COMMON = frozenset(
    """
    i you we he she it they me him her us them my your our his their this that these those there here what which
    who when where why how the a an and or but if so because than then of to in on at for with from by about
    into over after before up down out off is are was were be been being am do does did have has had will would
    can could should may might must not no yes yeah okay well just really very too also only even still more
    some any all one two now today know think want need like get got go going make take say said see look feel
    come back time day way thing things good right sure thank thanks sorry please i'm you're it's that's don't
    i've i'll we're we'll can't didn't doesn't isn't there's what's let's
    """.split()
)


def familiar(texts: Sequence[str], known: Collection[str] = COMMON) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(n,) how many words each turn has, and how many of them are known."""
    read = [words(text) for text in texts]
    return (
        np.array([len(turn) for turn in read], dtype=np.int64),
        np.array([sum(word in known for word in turn) for turn in read], dtype=np.int64),
    )


def foreign(spoken: NDArray[np.int64], known: NDArray[np.int64], whose: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(G,) which conversations do not read as the language; `whose` (n,) counts conversations from 0."""
    groups = int(whose.max(initial=-1)) + 1
    total, common = (np.bincount(whose, part, groups) for part in (spoken, known))
    return np.asarray((total >= LEAST_WORDS) & (common < LEAST_SHARE * total))


def english(texts: Sequence[str]) -> float:
    """The share of all words that are among the commonest in English; 0 where there are no words."""
    spoken, known = familiar(texts)
    return float(known.sum() / max(int(spoken.sum()), 1))


def vocabulary(texts: Sequence[str]) -> frozenset[str]:
    return frozenset(word for text in texts for word in words(text))
