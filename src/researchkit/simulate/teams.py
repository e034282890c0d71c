"""How people of a hospital who work together come to be as they are: what `hospital_teams` writes down.

Nothing here was measured.
"""

from __future__ import annotations

import numpy as np

from researchkit.simulate.draws import Array, Columns, predictor, probability, rating, yes

TEAM, WARD, QUARTERS, WAVES = 10, 12, 5, 4
EVENTS, SESSIONS, MONTHS = 12, 30, 12

# What one unit adds. Workload is centred at 7 patients, severity and distress at 5, ratings at their usual level.
SLOPES: dict[str, dict[str, float]] = {
    "spreads": {"own": 0.3, "colleagues": 0.35, "workload": -0.08},
    "kind": {"kind": 0.3, "worn": -0.025},  # a person's own ups and downs, from one wave to the next
    "worn": {"worn": 0.3, "kind": 0.0},
    "compassion": {"one": 3.3, "person": 1.0, "surroundings": 1.0, "workload": -0.12},
    "exhaustion": {"one": 44.0, "person": 1.0, "good": -0.8, "workload": 2.0},
    "engaged": {"one": 4.4, "leader": 0.6, "workload": -0.15, "mood": 0.5},
    "content": {"one": 4.2, "support": 0.4, "discretion": 0.35, "skill": 0.5, "workload": -0.1, "mood": 0.5},
    "reappraised": {"one": 2.0, "trait": 0.7, "severity": -0.2},
    "upset": {"one": 5.6, "reappraised": -0.45, "severity": 0.5, "trait": -0.8},
    "curt": {"one": -1.2, "reappraised": 0.0, "severity": 0.2, "trait": -0.9},
    "empathy": {"one": 3.2, "worker": 1.0, "before": -0.06},
    "after": {"one": 4.4, "empathy": -0.5, "before": 0.55, "need": 0.25, "worker": -1.0},
    "errors": {"one": -2.6, "load": 0.3, "climate": 0.0},
    "reports": {"one": -2.4, "load": 0.1, "climate": 0.4, "errors": 0.04},
}
SHIFTS = 100.0  # a team's shifts are counted in hundreds


def rate(columns: Columns, name: str) -> Array:
    """Errors found, or reported, per hundred shifts."""
    return SHIFTS * np.exp(predictor(SLOPES[name], columns))


def rotation(rng: np.random.Generator, n: int) -> dict[str, Array]:
    """Shift teams drawn anew each quarter, (5 n,): kindness follows one's own and that of the new colleagues."""
    usual, kind = rng.normal(0, 0.35, n), rng.normal(0, 0.6, n)
    tables: list[dict[str, Array]] = []
    for quarter in range(QUARTERS):
        team = rng.permutation(np.arange(n) // TEAM)
        size, total = np.bincount(team)[team], np.bincount(team, weights=kind)[team]
        columns: dict[str, Array] = {
            "own": kind,
            "colleagues": np.where(size > 1, (total - kind) / np.maximum(size - 1, 1), 0.0),
            "workload": rating(rng.normal(7, 1.5, n), 2, 14, 0.5) - 7,
        }
        shock = rng.normal(0, 0.15, int(team.max()) + 1)[team]
        spread = predictor(SLOPES["spreads"], columns) if quarter else kind
        kind = rating(spread + usual + shock + rng.normal(0, 0.4, n) + 3.3, 1, 5, 0.1) - 3.3
        shown = {"person": np.arange(n), "quarter": np.full(n, quarter + 1), "team": team, "kind": kind}
        tables.append({**columns, **{name: np.asarray(values, float) for name, values in shown.items()}})
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def wards(rng: np.random.Generator, n: int) -> dict[str, Array]:
    """Wards that never change, (4 n,): leaders, surroundings, moods, and ups and downs of each one."""
    ward = np.arange(n) // WARD
    groups = int(ward.max()) + 1
    good = rng.normal(0, 1, groups)  # what makes a ward well led, well staffed and warm at once
    shared, helped = rng.normal(0, 0.3, groups), rng.normal(0, 0.5, groups)
    both = rng.normal(size=(n, 2))
    kindly, tired = 0.35 * both[:, 0], 8 * (-0.5 * both[:, 0] + np.sqrt(0.75) * both[:, 1])
    temper, skill, load = rng.normal(0, 0.5, n), rng.normal(0, 0.5, n), rng.normal(0, 0.8, n)
    kind, worn = rng.normal(0, 0.4, n), rng.normal(0, 5, n)
    free, support = 0.8 * skill + rng.normal(0, 0.5, n), helped[ward]
    tables = []
    for wave in range(WAVES):
        before: dict[str, Array] = {"kind": kind, "worn": worn, "discretion": free, "support": support}
        if wave:
            kind, worn = predictor(SLOPES["kind"], before), predictor(SLOPES["worn"], before)
            kind, worn = kind + rng.normal(0, 0.35, n), worn + rng.normal(0, 4.5, n)
        free = 0.8 * skill + rng.normal(0, 0.5, n)
        shared = 0.7 * shared + rng.normal(0, 0.2, groups)
        helped = 0.8 * helped + rng.normal(0, 0.3, groups)
        support, leader = helped[ward], (0.5 * good + rng.normal(0, 0.15, groups))[ward]
        mood = temper + rng.normal(0, 0.3, n)
        columns = {
            **before,
            "workload": rating(7 - 0.5 * good[ward] + load + rng.normal(0, 0.8, n), 2, 14, 0.5) - 7,
            "surroundings": 0.2 * good[ward] + shared[ward],
            "good": good[ward],
            "leader": leader,
            "mood": mood,
            "skill": skill,
        }
        shown = {
            "person": np.arange(n),
            "wave": np.full(n, wave + 1),
            "ward": ward,
            "shown": predictor(SLOPES["compassion"], {**columns, "person": kindly}) + kind,
            "exhaustion": predictor(SLOPES["exhaustion"], {**columns, "person": tired}) + worn,
            "rated": 3.3 + leader + 0.5 * mood + rng.normal(0, 0.5, n),
            "engaged": predictor(SLOPES["engaged"], columns) + rng.normal(0, 0.6, n),
            "felt": 3.4 + support + 0.5 * mood + rng.normal(0, 0.5, n),
            "free": 3.0 + free,
            "content": predictor(SLOPES["content"], columns) + rng.normal(0, 0.6, n),
        }
        tables.append({**columns, **shown})
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def events(rng: np.random.Generator, n: int) -> dict[str, Array]:
    """Angry patients, (12 n,): milder ones are easier to see as not about oneself, and some people do so more."""
    who = np.repeat(np.arange(n), EVENTS)
    columns: dict[str, Array] = {
        "person": who.astype(float),
        "event": np.tile(np.arange(EVENTS) + 1.0, n),
        "trait": rng.normal(0, 0.6, n)[who],
        "severity": rating(rng.normal(5, 1.8, len(who)), 0, 10, 0.5) - 5,
    }
    seen = predictor(SLOPES["reappraised"], columns) + rng.normal(0, 0.8, len(who))
    columns["reappraised"] = rating(seen, 0, 4, 0.1)
    columns["felt"] = predictor(SLOPES["upset"], columns) + rng.normal(0, 1.2, len(who))
    columns["curt"] = yes(rng, probability(predictor(SLOPES["curt"], columns)), len(who)).astype(float)
    return columns


def sessions(rng: np.random.Generator, n: int) -> dict[str, Array]:
    """Conversations of social workers with patients, (30 n,): warmer workers have easier patients and more help."""
    who = np.repeat(np.arange(n), SESSIONS)
    warm = rng.normal(0, 0.45, n)
    columns: dict[str, Array] = {
        "person": who.astype(float),
        "session": np.tile(np.arange(SESSIONS) + 1.0, n),
        "worker": warm[who],
        "need": rating(rng.normal(5, 1.6, len(who)) - 1.2 * warm[who], 0, 10, 0.5) - 5,
    }
    columns["before"] = rating(5.5 + 0.4 * columns["need"] + rng.normal(0, 1.3, len(who)), 0, 10, 0.5) - 5
    columns["empathy"] = rating(predictor(SLOPES["empathy"], columns) + rng.normal(0, 0.6, len(who)), 1, 5, 0.1) - 3.2
    columns["later"] = predictor(SLOPES["after"], columns) + rng.normal(0, 1.2, len(who))
    return columns


def months(rng: np.random.Generator, n: int) -> dict[str, Array]:
    """Errors found by auditors and errors reported, (12 n,): where people feel safe more is reported, not more done."""
    who = np.repeat(np.arange(n), MONTHS)
    load = rng.normal(0, 0.7, n)
    columns: dict[str, Array] = {"person": who.astype(float), "month": np.tile(np.arange(MONTHS) + 1, n)}
    columns["load"] = rating(load[who] + rng.normal(0, 0.4, len(who)), -3, 3, 0.1)
    climate = (rng.normal(0, 0.45, n) - 0.4 * load)[who] + rng.normal(0, 0.2, len(who))
    columns["climate"] = rating(climate + 3.4, 1, 5, 0.1) - 3.4
    shifts = rng.integers(80, 200, len(who))
    columns["shifts"] = shifts / SHIFTS
    columns["found"] = rng.poisson(columns["shifts"] * rate(columns, "errors")).astype(float)
    columns["errors"] = np.round(columns["found"] / columns["shifts"], 2) - 8
    columns["reported"] = rng.poisson(columns["shifts"] * rate(columns, "reports")).astype(float)
    return columns


def people(rng: np.random.Generator, rows: int) -> dict[str, dict[str, Array]]:
    """Everything of so many people: a quarter of them tell events, a twelfth are social workers, wards report."""
    few, fewer = max(rows // 4, 1), max(rows // 12, 1)
    return {
        "rotation": rotation(rng, rows),
        "wards": wards(rng, rows),
        "events": events(rng, few),
        "sessions": sessions(rng, fewer),
        "months": months(rng, fewer),
    }
