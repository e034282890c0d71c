"""Every design in simulated studies: `python -m researchkit.calibrate.designs [draws]` writes `designs.csv`.

Without a number it draws as many as take some five minutes of one core; `make calibrate` calls it after the grid.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from researchkit.calibrate import coders, mechanisms, peers, rollouts, rules, subgroups, weighed
from researchkit.calibrate.tried import RESULTS, Tried, tried, write
from researchkit.wording import count, percent

PEERS = {  # what each question about people among colleagues is asked by
    "contagion": ("rotation",),
    "halves": ("leader", "support"),
    "within": ("compassion_exhaustion", "discretion", "reappraisal", "curt_reply", "empathy_session"),
}
WEIGHED: dict[str, tuple[Callable[..., weighed.Held], ...]] = {
    "detection": (weighed.shares, weighed.validity, weighed.targets),
    "tradeoff": (weighed.gains,),
    "recovery": (weighed.arms,),
}
NO_INTERVAL = ("not: ", "no word ")  # how counts begin that are shown beside intervals and promise nothing


@dataclass(frozen=True)
class Part:
    """Some situations of a design that are drawn together: from a number of studies to its rows.

    `draws` is the usual number; studies differ in how long they take.
    """

    design: str
    draws: int
    run: Callable[[int], Iterator[Tried]]


def parts() -> list[Part]:
    """All of them; the first of each design is the cheapest."""
    made = [_own("mechanism", one, mechanisms.held, 150) for one in mechanisms.SITUATIONS]
    bent, split = [
        [one for one in subgroups.SITUATIONS if (one.asks in subgroups.BENDS) is yes] for yes in (True, False)
    ]
    made += [_own("subgroup", one, subgroups.held, 400) for one in split]
    made += [_own("dose", one, subgroups.held, 400) for one in bent]
    made += [_own("rollout", one, rollouts.held, 400) for one in rollouts.SITUATIONS]
    made += [_own(type(one).__name__.lower(), one, rules.held, 400) for one in rules.SITUATIONS]
    made += [_own("kappa of transcripts", one, coders.held, 400) for one in coders.SITUATIONS]
    made += [_weighed(design, make) for design, makes in WEIGHED.items() for make in makes]
    return made + [_peers(design, questions) for design, questions in PEERS.items()]


def _own(design: str, situation: Any, held: Callable[[Any, int], dict[str, float]], draws: int) -> Part:
    """A situation of a module with `held`."""

    name = re.sub("^(mechanism|subgroup|rollout)-", "", situation.id)

    def run(studies: int) -> Iterator[Tried]:
        found = held(situation, studies)
        answered = _number(1 - found["refused"], studies)
        yield tried(design, name, answered, _number(found["held"], answered))

    return Part(design, draws, run)


def _weighed(design: str, make: Callable[..., weighed.Held]) -> Part:
    def run(studies: int) -> Iterator[Tried]:
        for name, inside in weighed.coverage(studies, make).items():
            if not name.startswith(NO_INTERVAL):
                yield tried(design, name, studies, inside)

    return Part(design, 1_000, run)


def _peers(design: str, questions: Sequence[str]) -> Part:
    def run(studies: int) -> Iterator[Tried]:
        for one in peers.coverage(questions, studies):
            yield tried(design, one.question.replace("_", " "), one.studies, _number(one.share, one.studies))

    return Part(design, 150, run)


def _number(share: float, studies: int) -> int:
    """How many studies a share was of; half is added, for such a share is a whole number but for its last digit."""
    return int(share * studies + 0.5)


def main(words: Sequence[str]) -> int:
    """Run them all, print a line each, and keep the table; 1 where a share lies further below 95 % than chance does."""
    draws, rows = int(words[0]) if words else None, []
    for part in parts():
        for row in part.run(draws or part.draws):
            rows.append(row)
            print(f"{row.standing:6s} {row.design}: {row.situation}: held {_told(row)}", flush=True)
    write(rows)
    print(f"Written: {RESULTS}")
    missed = [row for row in rows if row.misses]
    print("\n".join(f"misses: {row.design}: {row.situation}" for row in missed), end="\n" if missed else "")
    return 1 if missed else 0


def _told(row: Tried) -> str:
    return f"{percent(row.held)} ({percent(row.low)} to {percent(row.high)}) of {count(row.studies)}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
