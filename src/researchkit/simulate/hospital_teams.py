"""Five tables of a hospital about people who work together: does kindness spread, and who is compared with whom?

`rotation` has shift teams that are drawn anew each quarter, in which kindness does spread; `wards` has teams that never
change, in which it does not, but share their surroundings. There kindness does nothing to exhaustion while exhaustion
uses up kindness, leaders lift engagement, and everybody's mood colours what he says. `events`, `sessions` and `months`
hold several rows of one worker or team. Nothing here was measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.simulate.draws import Array, predictor, probability, rating, slope
from researchkit.simulate.teams import SLOPES, WAVES, people, rate
from researchkit.simulate.truths import SMALL, SUPPORTED, UNTOLD, Planted

ROWS = 480  # people on the staff
SEED = 20251101
FILES = ("rotation.csv", "wards.csv", "events.csv", "sessions.csv", "months.csv")
POPULATION = 24_000
ABSENT = 0.06  # of the answers of a wave on the wards; patients rate everybody each quarter


def steps(expected: str, name: str) -> Callable[[Any], float]:
    """The truth of a straight line: the mean change per unit of one of its columns."""
    return lambda house: slope(lambda columns: predictor(SLOPES[expected], columns), house[expected], name)


def per_climate(name: str) -> Callable[[Any], float]:
    return lambda house: slope(lambda columns: rate(columns, name), house[name], "climate")


def ids(letter: str, numbers: Array) -> list[str]:
    width = max(3, len(str(int(numbers.max(initial=0)) + 1)))
    return [f"{letter}{int(number) + 1:0{width}d}" for number in numbers]


def tenth(values: Array, low: float, high: float) -> Array:
    return np.round(rating(values, low, high, 0.1), 1)


def frames(rng: np.random.Generator, all_: dict[str, dict[str, Array]]) -> dict[str, pd.DataFrame]:
    """The five tables as they are written."""
    r, w, e, s, m = (all_[name] for name in ("rotation", "wards", "events", "sessions", "months"))
    staff: dict[str, Any] = {
        "staff_id": ids("s", r["person"]),
        "quarter": whole(r["quarter"]),
        "team": ids("t", r["team"]),
        "workload": r["workload"] + 7,
        "compassion": np.round(r["kind"] + 3.3, 1),
    }
    panel: dict[str, Any] = {
        "staff_id": ids("s", w["person"]),
        "wave": whole(w["wave"]),
        "ward": ids("w", w["ward"]),
        "workload": w["workload"] + 7,
        "compassion": tenth(w["shown"], 1, 5),
        "exhaustion": np.round(rating(w["exhaustion"], 0, 100)),
        "leader_rating": tenth(w["rated"], 1, 5),
        "engagement": tenth(w["engaged"], 1, 7),
        "support": tenth(w["felt"], 1, 5),
        "discretion": tenth(w["free"], 1, 5),
        "satisfaction": tenth(w["content"], 1, 7),
    }
    told = {
        "staff_id": ids("s", e["person"]),
        "event": whole(e["event"]),
        "severity": e["severity"] + 5,
        "reappraisal": np.round(e["reappraised"], 1),
        "upset": tenth(e["felt"], 0, 10),
        "curt": whole(e["curt"]),
    }
    talked = {
        "worker_id": ids("k", s["person"]),
        "session": whole(s["session"]),
        "need": s["need"] + 5,
        "empathy": np.round(s["empathy"] + 3.2, 1),
        "distress": s["before"] + 5,
        "distress_next": tenth(s["later"], 0, 10),
    }
    counted = {
        "team_id": ids("u", m["person"]),
        "month": whole(m["month"]),
        "load": np.round(m["load"] + 7, 1),
        "climate": np.round(m["climate"] + 3.4, 1),
        "hundred_shifts": m["shifts"],
        "errors_found": whole(m["found"]),
        "errors_a_hundred": np.round(m["found"] / m["shifts"], 2),
        "errors_reported": whole(m["reported"]),
    }
    here = rng.random(len(panel["staff_id"])) >= ABSENT
    return {
        FILES[0]: pd.DataFrame(staff),
        FILES[1]: pd.DataFrame(panel)[here].reset_index(drop=True),
        FILES[2]: pd.DataFrame(told),
        FILES[3]: pd.DataFrame(talked),
        FILES[4]: pd.DataFrame(counted),
    }


def whole(values: Array) -> NDArray[np.int64]:
    return np.asarray(values).astype(np.int64)


def chunks(rows: int, seed: int) -> Iterator[dict[str, pd.DataFrame]]:
    """All tables at once: teams of one time are mixed from all people, so that they cannot be made apart."""
    rng = np.random.default_rng([seed, 0])
    yield frames(rng, people(rng, rows))


def population(seed: int) -> dict[str, dict[str, Array]]:
    """A larger hospital of the same kind; what a model reads of it stands under the name of its slopes."""
    made = people(np.random.default_rng([seed, 0, 1]), POPULATION)
    ward, counted = made["wards"], made["months"]
    named = {"spreads": made["rotation"], "worn": ward, "content": ward, "halves": ward, "upset": made["events"]}
    return {**named, "curt": made["events"], "after": made["sessions"], "errors": counted, "reports": counted}


def by_half(rated: str, outcome: str, lag: int) -> Callable[[Any], float]:
    """The slope of one half's outcome over the other half's mean rating, among people alike in workload.

    In the population people are numbered by lot, so that those with even numbers are a half by lot.
    """

    def found(house: Any) -> float:
        table = house["halves"]
        rates, wave = table["person"] % 2 == 0, table["wave"].astype(int)
        cell, of = (table["ward"].astype(int) * (WAVES + 1) + wave - back for back in (0, lag))
        size = np.bincount(cell[rates], minlength=int(cell.max()) + 1)
        mean = np.bincount(cell[rates], weights=table[rated][rates], minlength=len(size)) / np.maximum(size, 1)
        here = ~rates & (wave > lag) & (size[of] > 0)
        columns = np.column_stack([mean[of], table["workload"], np.ones(len(wave))])[here]
        return float(np.linalg.lstsq(columns, table[outcome][here], rcond=None)[0][0])

    return found


def chance(house: Any) -> float:
    return slope(lambda columns: probability(predictor(SLOPES["curt"], columns)), house["curt"], "reappraised")


PLANTED = (
    Planted(
        "rotation",
        "real",
        SUPPORTED,
        False,
        "points",
        steps("spreads", "colleagues"),
        "A person's kindness per point of the mean of the colleagues of a quarter, as they were the quarter before. "
        "Teams are drawn anew each quarter, so that new colleagues share nothing but what they bring.",
    ),
    Planted(
        "same_wards",
        "zero",
        UNTOLD,
        True,
        "points",
        lambda house: 0.0 * steps("worn", "kind")(house),
        "Nothing spreads in these wards. Colleagues are alike because they share their surroundings, which cannot be "
        "told from spreading where teams never change.",
    ),
    Planted(
        "leader",
        "real",
        SUPPORTED,
        True,
        "points",
        by_half("rated", "engaged", 0),
        "Engagement of one half of a ward per point of the other half's mean rating of the leader. A point of the "
        "leader's own compassion is worth more, for a mean of a few ratings is not exact.",
    ),
    Planted(
        "support",
        "real",
        SUPPORTED,
        False,
        "points",
        by_half("felt", "content", 1),
        "Satisfaction of one half of a ward per point of the support that the other half felt the wave before.",
    ),
    Planted(
        "compassion_exhaustion",
        "zero",
        SMALL,
        False,
        "points",
        steps("worn", "kind"),
        "Kindness above one's own usual level does nothing to exhaustion a wave later. Exhaustion uses up kindness, "
        "and those who are tired for good are less kind for good: between people the two go together.",
    ),
    Planted(
        "discretion",
        "real",
        SUPPORTED,
        False,
        "points",
        steps("content", "discretion"),
        "Satisfaction per point of discretion the wave before, as the ward's manager rates it. The skilled are given "
        "more and are more content, so that between people the difference is larger.",
    ),
    Planted(
        "reappraisal",
        "real",
        SUPPORTED,
        True,
        "points",
        steps("upset", "reappraised"),
        "How upset one is per point of seeing the anger as not about oneself, event against event of one person. Calm "
        "people see more that way, so that between people the difference is larger.",
    ),
    Planted(
        "curt_reply",
        "zero",
        SMALL,
        False,
        "probability",
        chance,
        "Seeing it so does nothing to curt replies; calm people reappraise more and are less curt, so that between "
        "people the two go together.",
    ),
    Planted(
        "empathy_session",
        "real",
        SUPPORTED,
        True,
        "points",
        steps("after", "empathy"),
        "Distress at the next session per point of the worker's empathy, session against session of one worker. Warm "
        "workers have more help for their patients, so that between workers the difference is larger.",
    ),
    Planted(
        "error_reports",
        "real",
        SUPPORTED,
        True,
        "reports per 100 shifts",
        per_climate("reports"),
        "Mean slope of the rate of reports over the empathy of the team, where auditors find the same errors.",
    ),
    Planted(
        "errors_found",
        "zero",
        SMALL,
        True,
        "errors per 100 shifts",
        per_climate("errors"),
        "A kind team does nothing to the errors that auditors find; a heavy load makes errors and sours the climate, "
        "so that the simple comparison says that kindness prevents them.",
    ),
)
