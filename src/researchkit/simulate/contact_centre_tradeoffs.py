"""A contact centre in which it is known what kindness costs, what it makes good after a failure, and what a bot lacks.

Hard calls are long, little kind and leave customers displeased, so that kindness looks cheaper and better than it is.
Failures meet customers who use much and were less pleased before; from right after a failure everybody's mood rises by
itself. Nothing here was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from researchkit.simulate.draws import hidden, probability, rating, yes
from researchkit.simulate.truths import CONTRADICTED, SMALL, SUPPORTED, Planted

ROWS = 2_400
SEED = 20251103
FILES = ("calls.csv", "episodes.csv", "chats.csv")
POPULATION = 200_000
PER_AGENT = 40
MINUTE, DEAR, EURO = 0.2, 1.0, 0.002  # prices, as in the study file
PLEASED = {"compassion": 0.6, "severity": -0.3}  # points of satisfaction, 0 to 10
TAKES = {"compassion": 0.8, "severity": 1.2}  # minutes
PRESSED = {"compassion": -0.5, "minutes": -2.0}  # what a day with a target for handling time does
KEPT, COSTS = 0.03, 60.0  # what an exception adds to the chance to stay, and what it costs in euros
ARMS = np.array(["none", "usual", "kind"])
MADE_GOOD = np.array([0.0, -0.6, -0.05])  # points of satisfaction against no failure, at failures of average severity
WARMER = {"yes": 0.6, "no": 0.0}  # what a person adds to the empathy that is felt, by whether the bot says what it is
Frame = dict[str, Any]


def calls(rng: np.random.Generator, n: int, agents: int) -> Frame:
    agent = rng.integers(agents, size=n)
    own, liked = (rng.normal(0, 0.3, agents)[agent] for _ in range(2))
    severity, pressed = rng.normal(0, 2, n), yes(rng, 0.5, n)
    compassion = 3 - 0.15 * severity + PRESSED["compassion"] * pressed + own + rng.normal(0, 0.7, n)
    rest = rng.normal(size=n)  # patient callers stay longer and are better pleased
    minutes = 9 + TAKES["compassion"] * (compassion - 3) + TAKES["severity"] * severity + 1.2 * rest
    minutes += (PRESSED["minutes"] - TAKES["compassion"] * PRESSED["compassion"]) * pressed + rng.gamma(4, 0.7, n)
    pleased = 6 + PLEASED["compassion"] * (compassion - 3) + PLEASED["severity"] * severity + 0.5 * rest
    exception = yes(rng, probability(-1.2 + 0.1 * severity), n)
    return {
        "agent": agent,
        "severity": severity,
        "pressed": pressed,
        "compassion": compassion,
        "minutes": minutes,
        "pleased": pleased + liked + rng.normal(0, 1.2, n),
        "exception": exception,
        "cost": COSTS * exception * rng.gamma(9, 1 / 9, n) + rng.gamma(2, 2.0, n),
        "stays": yes(rng, 0.75 + KEPT * exception - 0.02 * severity, n),
    }


def episodes(rng: np.random.Generator, n: int, agents: int) -> Frame:
    agent = rng.integers(agents, size=n)
    usage = rng.normal(size=n)
    failed = yes(rng, probability(0.5 * usage), n)
    arm = np.where(failed == 1, 1 + yes(rng, 0.5, n), 0)
    pleased = 7 - 0.5 * usage + rng.normal(0, 0.8, n)
    severity = rng.gamma(4, 1.0, n)
    before = pleased + rng.normal(0, 0.5, n)
    after = pleased + MADE_GOOD[arm] - 0.2 * (severity - 4) * failed + 0.15 * rng.normal(size=agents)[agent]
    return {
        "agent": agent,
        "usage": usage,
        "arm": arm,
        "severity": severity,
        "paid": rng.gamma(2, 5.0, n) + 2 * severity,
        "before": before,
        "low": pleased - 1.5 - 0.3 * severity + rng.normal(0, 0.7, n),
        "after": after + rng.normal(0, 0.7, n),
    }


def chats(rng: np.random.Generator, n: int) -> Frame:
    """By lot: a person or a bot, and a bot that says what it is or does not."""
    person, told, hard = yes(rng, 0.5, n), yes(rng, 0.5, n), rng.normal(size=n)
    warmer = np.where(told == 1, WARMER["yes"], WARMER["no"])
    return {
        "person": person,
        "told": told,
        "hard": hard,
        "felt": 4 + warmer * person - 0.2 * hard + rng.normal(0, 0.9, n),
        "solved": yes(rng, probability(1.2 - 0.5 * hard), n),
    }


def chunks(rows: int, seed: int) -> Iterator[dict[str, pd.DataFrame]]:
    """All three files in one piece: they are small."""
    rng = np.random.default_rng([seed, 1])
    agents = max(round(rows / PER_AGENT), 12)
    call, episode, chat = calls(rng, rows, agents), episodes(rng, rows, agents), chats(rng, rows)
    failed = episode["arm"] > 0

    def names(frame: Frame) -> list[str]:
        return [f"a{number:03d}" for number in frame["agent"]]

    first = {
        "agent_id": names(call),
        "severity": np.round(call["severity"] + 5, 1),
        "target": np.where(call["pressed"] == 1, "target", "none"),
        "compassion": np.round(call["compassion"], 1),
        "minutes": np.round(call["minutes"], 1),
        "satisfaction": np.round(call["pleased"], 1),
        "exception": np.where(call["exception"] == 1, "granted", "none"),
        "cost": np.round(call["cost"]),
        "stays": call["stays"],
    }
    second = {
        "agent_id": names(episode),
        "usage": np.round(episode["usage"] + 4, 1),
        "episode": ARMS[episode["arm"]],
        "failure_severity": hidden(rating(episode["severity"], 0, 50, 0.1), ~failed),
        "compensation": hidden(rating(episode["paid"], 0, 500), ~failed),
        "satisfaction_before": rating(episode["before"], -5, 20, 0.1),
        "satisfaction_at_failure": hidden(rating(episode["low"], -5, 20, 0.1), ~failed),
        "satisfaction_after": rating(episode["after"], -5, 20, 0.1),
    }
    third = {
        "partner": np.where(chat["person"] == 1, "person", "bot"),
        "says_what_it_is": np.where(chat["told"] == 1, "yes", "no"),
        "difficulty": np.round(chat["hard"], 2),
        "empathy": np.round(chat["felt"], 1),
        "solved": chat["solved"],
    }
    frames = (pd.DataFrame(part) for part in (first, second, third))
    yield dict(zip(FILES, frames, strict=True))


def population(seed: int) -> Frame:
    """Many of each; what is planted are differences that everybody has, but for the rounding."""
    rng = np.random.default_rng([seed, 0, 1])
    return {"calls": calls(rng, POPULATION, POPULATION // PER_AGENT)}


def net(price: float) -> Callable[[Any], float]:
    return lambda _: PLEASED["compassion"] - price * TAKES["compassion"]


def planted(value: float) -> Callable[[Any], float]:
    """A difference that is the same for everybody, whoever there is."""
    return lambda _: float(value)


def share_kept(people: Frame) -> float:
    """What an exception adds to the share who stay, less the price of what it costs."""
    granted, cost = people["calls"]["exception"] == 1, people["calls"]["cost"]
    return KEPT - EURO * float(cost[granted].mean() - cost[~granted].mean())


PLANTED = (
    Planted(
        "worth_its_time",
        "real",
        SUPPORTED,
        True,
        "points",
        net(MINUTE),
        "Points of satisfaction for a point of compassion, less 0.2 points for each minute that it takes."
        " The crude difference is too large, for easy calls are short, kind and pleasing.",
    ),
    Planted(
        "worth_dear_time",
        "contrary",
        CONTRADICTED,
        True,
        "points",
        net(DEAR),
        "The same where a minute is worth a whole point: then kindness costs more than it gives. The crude difference"
        " says that it pays, for easy calls are short, kind and pleasing.",
    ),
    Planted(
        "pressure",
        "real",
        SUPPORTED,
        False,
        "points",
        planted(PRESSED["compassion"] - 0.1 * PRESSED["minutes"]),
        "Points of compassion that a target for handling time takes, less 0.1 points for each minute"
        " that it saves. Days"
        " with a target were drawn by lot, so the crude difference is right as well.",
    ),
    Planted(
        "exceptions",
        "contrary",
        CONTRADICTED,
        False,
        "probability",
        share_kept,
        "What an exception adds to the chance to stay, less a fifth of a percentage point for each"
        " euro: it does not pay.",
    ),
    Planted(
        "made_good",
        "real",
        SUPPORTED,
        False,
        "points",
        planted(MADE_GOOD[2]),
        "Satisfaction after a failure that was set right kindly, less that without a failure, among customers who were"
        " alike before. The crude difference is too large: those who use much meet more failures and"
        " were less pleased.",
    ),
    Planted(
        "paradox",
        "small",
        SMALL,
        False,
        "points",
        planted(MADE_GOOD[2]),
        "The same, asked as the paradox: better than without a failure. It is not.",
    ),
    Planted(
        "bot_solves",
        "zero",
        SUPPORTED,
        False,
        "probability",
        planted(0.0),
        "A bot solves as much as a person; the lot decides who answers.",
    ),
    Planted(
        "bot_felt",
        "real",
        SUPPORTED,
        False,
        "points",
        planted(WARMER["yes"]),
        "Empathy felt with a person less that felt with a bot that says that it is one.",
    ),
    Planted(
        "bot_undisclosed",
        "zero",
        SMALL,
        False,
        "points",
        planted(WARMER["no"]),
        "The same where the bot does not say what it is: no difference is felt.",
    ),
)
