"""Calls to the contact centre, turn by turn, in which it is known what words do to anger.

Acknowledgement calms in the next turn, and being put off angers; reassurance does nothing. But agents are warmer to
callers who are calm already, so acknowledgement looks better than it is, and reassurance looks good. Scripts are kept
to in easy calls, which are solved anyway. Nothing here was measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.simulate.draws import Array, Columns, predictor, probability, rating, slope, switch, yes
from researchkit.simulate.sentences import feeling, turn
from researchkit.simulate.truths import SMALL, SUPPORTED, Planted

ROWS = 600
SEED = 20251102
FILES = ("turns.csv", "calls.csv")
CHUNK = 5_000
POPULATION = 40_000  # calls over which the truth is averaged
PER_AGENT = 14
LONGEST = 10  # exchanges of a call
CODED = 0.3  # share of calls that a person has coded, too
SLIP = 0.015  # of that person's codes
STEP = 0.25  # of the share of turns, in the questions on whole calls

# What one unit adds to the log odds that a turn does it; severity and anger are centred at 5, skill at 0.
DOES: dict[str, dict[str, float]] = {
    "acknowledging": {"one": -0.2, "skill": 0.9, "anger": -0.3},
    "reflecting": {"one": -0.9, "skill": 0.7, "severity": -0.1},
    "reassuring": {"one": -0.9, "anger": -0.3},
    "acting": {"one": -1.0},
    "dismissing": {"one": -2.0, "skill": -0.8, "anger": 0.25},
    "scripted": {"one": -1.0, "skill": -0.3, "severity": -0.3},
}
# What one unit adds to the anger of the next turn, to feeling heard (1 to 7), to the log odds of a solution.
NEXT = {"one": 5.35, "anger": 0.7, "severity": 0.15, "acknowledging": -0.9, "reassuring": 0.0, "dismissing": 1.0}
HEARD = {"one": 3.2, "reflecting_share": 3.2, "acknowledging_share": 1.0, "severity": -0.15}
SOLVED = {"one": 0.6, "severity": -0.35, "scripted_share": 0.0}


@dataclass(frozen=True)
class Calls:
    """Calls (n,) and their exchanges (m,): circumstances as centred floats, and what was done."""

    columns: dict[str, Array]
    agent: NDArray[np.int64]
    opening: Array
    exchanges: dict[str, Array]
    call: NDArray[np.int64]


def called(rng: np.random.Generator, n: int, agents: int) -> Calls:
    """Everything but the words: each exchange is a turn of the agent and the caller's anger after it."""
    skill = rng.normal(0, 0.6, agents)
    agent = rng.integers(agents, size=n)
    severity = rating(rng.normal(5, 2.0, n), 0, 10, 0.1) - 5
    opening = rating(5 + 0.5 * severity + rng.normal(0, 1.5, n), 0, 10, 0.5)
    length = np.minimum(3 + rng.poisson(np.exp(0.9 + 0.06 * severity)), LONGEST)
    anger, parts = opening - 5, []
    for place in range(LONGEST):
        now: dict[str, Array] = {"severity": severity, "skill": skill[agent], "anger": anger}
        does = {name: yes(rng, probability(predictor(slopes, now)), n).astype(float) for name, slopes in DOES.items()}
        now |= does | {
            "rest": rng.normal(0, 1.2, n),
            "place": np.full(n, float(place)),
            "call": np.arange(n, dtype=float),
        }
        after = next_anger(now)
        parts.append({**{name: values[length > place] for name, values in now.items()}, "next": after[length > place]})
        anger = after - 5
    exchanges = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    order = np.lexsort((exchanges["place"], exchanges["call"]))
    exchanges = {name: values[order] for name, values in exchanges.items()}
    call = exchanges.pop("call").astype(np.int64)
    columns = {"severity": severity, "rest": rng.normal(0, 1.0, n), "turns": length.astype(float)}
    columns |= {f"{name}_share": np.bincount(call, exchanges[name], n) / length for name in DOES}
    return Calls(columns, agent, opening, exchanges, call)


def next_anger(columns: Columns) -> Array:
    """As the listener who hears the caller alone writes it down: 0 to 10 in halves."""
    return rating(predictor(NEXT, columns) + columns["rest"], 0, 10, 0.5)


def felt_heard(columns: Columns) -> Array:
    return np.clip(predictor(HEARD, columns) + columns["rest"], 1, 7)


def solved(columns: Columns) -> Array:
    return probability(predictor(SOLVED, columns))


def chunks(rows: int, seed: int) -> Iterator[dict[str, pd.DataFrame]]:
    """The files' rows, chunk after chunk of whole calls."""
    agents = max(round(rows / PER_AGENT), 5)
    for number, start in enumerate(range(0, rows, CHUNK)):
        rng = np.random.default_rng([seed, number])
        yield written(rng, called(rng, min(CHUNK, rows - start), agents), start)


def written(rng: np.random.Generator, calls: Calls, start: int) -> dict[str, pd.DataFrame]:
    n = len(calls.agent)
    ids = np.array([f"c{start + number:05d}" for number in range(n)], dtype=object)
    agents = np.array([f"a{number:02d}" for number in range(int(calls.agent.max(initial=0)) + 1)], dtype=object)
    table = pd.DataFrame(
        {
            "call_id": ids,
            "agent_id": agents[calls.agent],
            "severity": np.round(calls.columns["severity"] + 5, 1),
            "felt_heard": np.round(felt_heard(calls.columns), 1),
            "solved": yes(rng, solved(calls.columns), n),
        }
    )
    coded = rng.random(n) < CODED
    rows: list[dict[str, Any]] = []
    first = np.searchsorted(calls.call, np.arange(n + 1))
    for call in range(n):
        places = slice(first[call], first[call + 1])
        rows += spoken(rng, calls, places, {"call_id": ids[call]}, call, bool(coded[call]))
    heads = ["call_id", "turn", "speaker", "words", "anger", *(f"coder_{one}" for one in DOES)]
    turns = pd.DataFrame(rows, columns=heads)
    turns[heads[-len(DOES) :]] = turns[heads[-len(DOES) :]].astype("Int64")
    return {"turns.csv": turns, "calls.csv": table}


def spoken(
    rng: np.random.Generator, calls: Calls, places: slice, known: dict[str, Any], call: int, coded: bool
) -> list[dict[str, Any]]:
    """The turns of one call: the caller begins and ends."""
    opening = float(calls.opening[call])
    rows = [{**known, "turn": 1, "speaker": "customer", "words": feeling(rng, opening), "anger": opening}]
    for place in range(places.start, places.stop):
        does = {name: bool(calls.exchanges[name][place]) for name in DOES}
        said: dict[str, Any] = {"speaker": "agent", "words": turn(rng, [name for name, there in does.items() if there])}
        if coded:
            said |= {f"coder_{name}": int(there != (rng.random() < SLIP)) for name, there in does.items()}
        after = float(calls.exchanges["next"][place])
        rows.append({**known, "turn": len(rows) + 1, **said})
        answer = {"speaker": "customer", "words": feeling(rng, after), "anger": after}
        rows.append({**known, "turn": len(rows) + 1, **answer})
    return rows


def population(seed: int) -> dict[str, Columns]:
    """Calls and exchanges of a larger centre of the same kind."""
    made = called(np.random.default_rng([seed, 0, 1]), POPULATION, POPULATION // PER_AGENT)
    return {"turns": made.exchanges, "calls": made.columns}


DILUTED = " What the coder gets wrong makes what is found a little smaller."
PLANTED = (
    Planted(
        "calming",
        "real",
        SUPPORTED,
        True,
        "points",
        lambda world: switch(next_anger, world["turns"], "acknowledging"),
        "Mean anger in the caller's next turn with every turn of the agent acknowledging less that with none. The crude"
        " difference is far larger, for agents acknowledge those who are calm already." + DILUTED,
    ),
    Planted(
        "reassured",
        "zero",
        SMALL,
        True,
        "points",
        lambda world: switch(next_anger, world["turns"], "reassuring"),
        "Reassurance does nothing to the next turn's anger; calm callers are reassured more. The crude difference says"
        " that it calms.",
    ),
    Planted(
        "put_off",
        "real",
        SUPPORTED,
        True,
        "points",
        lambda world: switch(next_anger, world["turns"], "dismissing"),
        "Mean anger in the caller's next turn with every turn of the agent dismissing less that with none. The crude"
        " difference is larger, for angry callers are put off more." + DILUTED,
    ),
    Planted(
        "listening",
        "real",
        SUPPORTED,
        False,
        "points",
        lambda world: STEP * slope(felt_heard, world["calls"], "reflecting_share"),
        "Mean gain in feeling heard, from 1 to 7, from a quarter more of the agent's turns reflecting." + DILUTED,
    ),
    Planted(
        "script",
        "zero",
        SMALL,
        True,
        "probability",
        lambda world: STEP * slope(solved, world["calls"], "scripted_share"),
        "Keeping to the script does nothing to the solution; it is kept to in easy calls, which are solved more often."
        " The crude difference says that scripts help.",
    ),
)
