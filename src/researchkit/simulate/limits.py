"""What a contact centre did by rule: from a quarter on, up to a sum, after bots took the simple questions.

Each table has the trap that its design is for. The sector's recommendation rises by itself; those with small refunds
are pleased anyhow; customers who come back late were loyal before; easy contacts go to bots, so the mean of those that
remain falls although each kind of contact is handled more kindly. Nothing here was measured.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from researchkit.simulate.draws import days_until, rating, yes
from researchkit.simulate.truths import SMALL, SUPPORTED, Planted

ROWS = 6_000  # refunds, and returns; the other tables go along
SEED = 20251101
FILES = ("quarters.csv", "refunds.csv", "returns.csv", "contacts.csv", "awards.csv", "recruits.csv")
COMPANIES, QUARTERS, BEGAN = 10, 32, 20
REFUND, LATE, SCORE = 50.0, 14.0, 70.0  # euros, days, points of 100: where the rules have their limits
EFFECTS = {"emphasis": 0.0, "discretion": 0.6, "exception": 0.01, "quality": 0.8, "cost": 0.3, "bots": 0.25}
TOPICS = np.array(["simple question", "account", "complaint", "distress"])
KIND = np.array([3.9, 3.5, 3.0, 2.6])  # compassion in each before the bots came
SHARES = {"before": np.array([0.45, 0.25, 0.2, 0.1]), "after": np.array([0.15, 0.3, 0.35, 0.2])}
LEAVING = {"scale": 260.0, "shape": 0.9}
DISMISSAL = {"scale": 1500.0, "shape": 1.0}
POPULATION = 400_000
PREVIEW = -0.35  # log hazard of leaving within the first half-year


def quarters(rng: np.random.Generator) -> pd.DataFrame:
    """Recommendation by company and quarter: the sector rises, and what was stated changes nothing."""
    sector = 2 + 0.6 * np.arange(QUARTERS) + rng.normal(0, 0.5, QUARTERS)
    parts = []
    for company in range(COMPANIES):
        rest = np.zeros(QUARTERS)
        for quarter in range(1, QUARTERS):
            rest[quarter] = 0.3 * rest[quarter - 1] + rng.normal(0, 1.0)
        stated = (company == 0) & (np.arange(QUARTERS) >= BEGAN)
        parts.append(
            pd.DataFrame(
                {
                    "company": f"company {chr(65 + company)}",
                    "quarter": np.arange(QUARTERS) + 1,
                    "emphasis": stated.astype(int),
                    "nps": np.round(sector + rng.normal(0, 4) + rest + EFFECTS["emphasis"] * stated, 1),
                    "response_rate": np.round(rng.normal(0.3, 0.02, QUARTERS), 3),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def refunds(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Refunds of all sizes; agents may grant those below the limit as they see fit."""
    amount = np.round(rng.gamma(3.0, 20.0, n).clip(1, 240), 2)
    free = amount < REFUND
    felt = 4.6 - 0.006 * amount + EFFECTS["discretion"] * free + rng.normal(0, 1.2, n)
    return pd.DataFrame(
        {
            "contact_id": numbered("r", n),
            "agent_id": [f"a{number:03d}" for number in rng.integers(0, 120, n)],
            "refund_amount": amount,
            "discretion": np.where(free, "free", "by the book"),
            "tenure": np.round(rng.gamma(2.0, 2.0, n), 1),
            "satisfaction": rating(felt, 1, 7),
        }
    )


def returns(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Goods sent back, some too late: agents may make an exception, and mostly do within two weeks."""
    late = rng.integers(0, 31, n)
    granted = yes(rng, np.where(late <= LATE, 0.9, 0.1), n)
    loyal = 0.72 + 0.004 * (late - LATE)  # who comes back late was in no hurry to leave
    stays = yes(rng, loyal + EFFECTS["exception"] * granted, n)
    return pd.DataFrame(
        {
            "customer_id": numbered("c", n),
            "days_late": late,
            "exception": granted,
            "orders_before": rng.poisson(4, n),
            "stayed_a_year": stays,
        }
    )


def contacts(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Contacts that reached a person, before and after bots took simple questions."""
    after = rng.random(n) < 0.5
    topic = np.where(after, rng.choice(4, n, p=SHARES["after"]), rng.choice(4, n, p=SHARES["before"]))
    agent = rng.integers(0, 80, n)
    own = rng.normal(0, 0.25, 80)[agent]
    felt = KIND[topic] + EFFECTS["bots"] * after + own + rng.normal(0, 0.7, n)
    return pd.DataFrame(
        {
            "contact_id": numbered("k", n),
            "agent_id": [f"a{number:03d}" for number in agent],
            "bots": np.where(after, "after", "before"),
            "topic": TOPICS[topic],
            "compassion": rating(felt, 1, 5, 0.1),
        }
    )


def awards(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Public contracts: from a score on, quality decides the award rather than the price."""
    score = np.round(rng.normal(68, 12, n).clip(20, 100), 1)
    quality = score >= SCORE
    served = 5 + 0.02 * (score - SCORE) + EFFECTS["quality"] * quality + rng.normal(0, 0.9, n)
    value = np.round(rng.lognormal(0.5, 0.6, n), 2)
    return pd.DataFrame(
        {
            "contract_id": numbered("t", n),
            "award_score": score,
            "award_by": np.where(quality, "quality", "price"),
            "value": value,
            "vulnerable_served": np.round(served.clip(0, 10), 1),
            "cost": np.round(1.1 * value + EFFECTS["cost"] * quality + rng.normal(0, 0.2, n), 2),
        }
    )


def recruits(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Recruits, half of whom by lot watched the job for a day before they signed."""
    preview = rng.integers(0, 2, n)
    leaves = days_until(rng, np.asarray(PREVIEW * preview, dtype=np.float64), **LEAVING)
    dismissed = days_until(rng, np.zeros(n), **DISMISSAL)
    days = np.minimum(np.minimum(leaves, dismissed), 180)
    ending = np.where(days == 180, 0, np.where(leaves <= dismissed, 1, 2))
    return pd.DataFrame(
        {
            "recruit_id": numbered("p", n),
            "preview": np.where(preview == 1, "preview", "none"),
            "days_employed": days.astype(int),
            "ending": ending,
        }
    )


def numbered(letter: str, n: int) -> list[str]:
    return [f"{letter}{number:05d}" for number in range(n)]


def chunks(rows: int, seed: int) -> Iterator[dict[str, pd.DataFrame]]:
    """All tables at once; each has its own seed."""
    draws = [np.random.default_rng([seed, 25, place]) for place in range(len(FILES))]
    half = max(rows // 2, 60)
    rows = max(rows, 60)
    made = (
        quarters(draws[0]),
        refunds(draws[1], rows),
        returns(draws[2], rows),
        contacts(draws[3], half),
        awards(draws[4], half),
        recruits(draws[5], max(rows // 4, 60)),
    )
    yield dict(zip(FILES, made, strict=True))


def population(seed: int) -> None:
    """Nobody: what was planted is averaged over errors alone, or stands as it was planted."""


def satisfaction_jump(people: None) -> float:
    """Mean rated satisfaction at the limit with discretion less that without: answers are whole points from 1 to 7."""
    spread = np.random.default_rng(0).normal(0, 1.2, POPULATION)
    level = 4.6 - 0.006 * REFUND
    with_it, without = (rating(level + gain + spread, 1, 7).mean() for gain in (EFFECTS["discretion"], 0.0))
    return float(with_it - without)


def compassion_within(people: None) -> float:
    """The rise within topics by the mean of both mixes, after the scale's ends have cut off what lies beyond."""
    spread = np.random.default_rng(0).normal(0, np.hypot(0.25, 0.7), POPULATION)
    apart = np.array(
        [float((rating(k + EFFECTS["bots"] + spread, 1, 5, 0.1) - rating(k + spread, 1, 5, 0.1)).mean()) for k in KIND]
    )
    return float(apart @ (SHARES["before"] + SHARES["after"]) / 2)


def days_gained(people: None) -> float:
    """Mean days up to day 180 before a resignation, with the preview less without."""
    return before_leaving(PREVIEW) - before_leaving(0.0)


def before_leaving(log_hazard: float) -> float:
    """Expected days up to 180 without a resignation; who was dismissed first never resigns."""
    rng = np.random.default_rng(1)
    leaves = days_until(rng, np.full(POPULATION, log_hazard), **LEAVING)
    dismissed = days_until(rng, np.zeros(POPULATION), **DISMISSAL)
    return float(np.where(leaves <= dismissed, np.minimum(leaves, 180), 180.0).mean())


PLANTED = (
    Planted(
        "stated_emphasis",
        "zero",
        SMALL,
        True,
        "NPS points",
        lambda people: EFFECTS["emphasis"],
        "What the company stated changed nothing. Its score rose with that of the sector, so a look before and after"
        " finds a rise that was not its own.",
    ),
    Planted(
        "free_hand",
        "real",
        SUPPORTED,
        True,
        "points",
        satisfaction_jump,
        "Mean satisfaction at the limit with a free hand less that without. Small refunds please more anyhow, so the"
        " crude difference is too large.",
    ),
    Planted(
        "late_return",
        "small",
        "cannot tell",
        True,
        "probability",
        lambda people: EFFECTS["exception"],
        "The chance to stay a year with an exception less that without: next to nothing, but so few at the limit could"
        " not show that. Who comes back late was loyal before, so the crude difference has the wrong sign.",
    ),
    Planted(
        "fewer_simple",
        "real",
        SUPPORTED,
        True,
        "points",
        compassion_within,
        "Mean rise of compassion within topics. The crude difference has the wrong sign: what remains is harder.",
    ),
    Planted(
        "by_quality",
        "real",
        SUPPORTED,
        True,
        "points",
        lambda people: EFFECTS["quality"],
        "Jump at the score from which quality decides. Better bidders serve better anyhow, so the crude difference is"
        " larger.",
    ),
    Planted(
        "quality_worth",
        "real",
        SUPPORTED,
        True,
        "points",
        lambda people: EFFECTS["quality"] - 1.0 * EFFECTS["cost"],
        "What quality adds, less a point for each million that it costs. Better bidders serve better anyhow.",
    ),
    Planted(
        "preview",
        "real",
        SUPPORTED,
        False,
        "days up to day 180",
        days_gained,
        "Mean days up to day 180 before a resignation with the preview less without; the lot decides, so the crude"
        " difference is right as well.",
    ),
)
