"""Simulated conversations that people and a coder have coded: how often the interval of kappa holds the truth.

`python -m researchkit.calibrate.coders 2000` draws so many of each situation.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from researchkit.calibrate.studies import SEED
from researchkit.errors import DataError
from researchkit.transcripts.agreement import agreed, kappa
from researchkit.wording import typed


@dataclass(frozen=True)
class Situation:
    """Conversations of 4 to 20 turns; how often people hear it; how often the coder does where they do, and do not.

    Conversations differ in how often it is said, by a Beta distribution of `heard` with 4 earlier turns' weight.
    """

    conversations: int
    heard: float
    found: float
    extra: float

    @property
    def id(self) -> str:
        return (
            f"kappa, {self.conversations} conversations, heard in {typed(self.heard)}, "
            f"coder hears {typed(self.found)} of it and {typed(self.extra)} of the rest"
        )


SITUATIONS = (
    Situation(30, 0.3, 0.8, 0.1),
    Situation(60, 0.3, 0.95, 0.02),
    Situation(60, 0.1, 0.7, 0.05),
    Situation(15, 0.4, 0.7, 0.2),
    Situation(120, 0.2, 0.6, 0.3),
)


def truth(situation: Situation) -> float:
    """Kappa of all turns that there could be."""
    yes, no = situation.heard, 1 - situation.heard
    shares = [yes * situation.found, yes * (1 - situation.found), no * situation.extra, no * (1 - situation.extra)]
    return float(kappa(np.array(shares)))


def held(situation: Situation, studies: int) -> dict[str, float]:
    """Of so many studies: the share whose interval holds the truth, that lie above 0, and that are refused."""
    inside = found = refused = 0
    true = truth(situation)
    for number in range(studies):
        rng = np.random.default_rng([SEED, crc32(situation.id.encode()), number])
        whose = np.repeat(np.arange(situation.conversations), rng.integers(4, 21, situation.conversations))
        often = rng.beta(4 * situation.heard, 4 * (1 - situation.heard), situation.conversations)[whose]
        people = rng.random(len(whose)) < often
        coder = rng.random(len(whose)) < np.where(people, situation.found, situation.extra)
        try:
            one = agreed("care", people, coder, whose)
        except DataError:
            refused += 1
            continue
        inside += one.low <= true <= one.high
        found += one.low > 0
    ran = max(studies - refused, 1)
    return {"held": inside / ran, "found": found / ran, "refused": refused / studies}


if __name__ == "__main__":
    for one in SITUATIONS:
        print(one.id, held(one, int(sys.argv[1]) if sys.argv[1:] else 400), flush=True)
