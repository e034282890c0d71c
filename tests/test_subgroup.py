"""Effects that differ between groups, and curves over a dose: R's numbers, what the intervals hold, what is refused."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from researchkit.estimators import estimate_sample
from researchkit.estimators.dose import curve, turning
from researchkit.parts import Question

BUILD = runpy.run_path(str(Path(__file__).with_name("test_estimators.py")))
sample, plain = BUILD["sample"], BUILD["question"]


def question(kind="score", outcome=None, **design) -> Question:
    told = {"id": "q", "title": "?", "claim": "CHA-1", "exposure": "care", "smallest_effect": 1}
    needs = {"ordered": {"top": ["5"]}, "change": {"baseline": "before"}}.get(kind, {})
    return Question.model_validate(
        told | {"outcome": {"column": "score", "kind": kind, **needs, **(outcome or {})}} | design
    )


def by(moderator, *between, **more):
    return {"subgroup": {"by": moderator, "between": list(between), **more}}


def text(values) -> np.ndarray:
    return np.array([str(one) for one in values], dtype=object)


# R's numbers


@pytest.fixture(scope="module")
def contacts(held):
    names = ["compassion", "channel", "severity", "handle_minutes", "resolved", "agent_id", "contacts_next_90d"]
    return held.frames["contacts"][[*names, "days_observed", "trust"]].dropna()


@pytest.fixture(scope="module")
def stays(held):
    names = ["compassion", "severity", "age", "arm", "anxiety_after", "length_of_stay", "nurse_id"]
    return held.frames["stays"][names].dropna()


def of(frame, outcome, exposure, *others, cluster=None, **more):
    codes = None if cluster is None else pd.factorize(frame[cluster])[0]
    return headed(frame[outcome], frame[exposure], {name: frame[name] for name in others}, cluster=codes, **more)


def headed(*arrays, **more):
    """A sample of which every row is a person."""
    rows = sample(*arrays, **more)
    rows.heads = lambda inside: int(inside.sum())
    return rows


def test_a_straight_line_by_agent_is_clubsandwichs(held, contacts):
    rows = of(
        contacts, "trust", "compassion", "severity", cluster="agent_id", more={"channel": text(contacts["channel"])}
    )
    effect = estimate_sample(rows, question(**by("channel", "phone", "chat")))
    assert (effect.estimate, effect.se, effect.df) == tuple(
        held("subgroup_line", part) for part in ("value", "se", "df")
    )


def test_a_number_as_moderator(held, stays):
    stays = stays.assign(arm=stays["arm"] == "compassionate")
    rows = of(stays, "anxiety_after", "arm", "age", more={"severity": stays["severity"].to_numpy(float)})
    effect = estimate_sample(rows, question(**by("severity", 3, 7)))
    assert (effect.estimate, effect.se) == (held("subgroup_number", "value"), held("subgroup_number", "se"))
    each = estimate_sample(rows, question(**by("severity")))
    assert 4 * each.estimate == held("subgroup_number", "value")


def test_risks_are_averages_and_not_a_product_of_log_odds(held, contacts):
    rows = of(contacts, "resolved", "compassion", "severity", more={"channel": text(contacts["channel"])})
    effect = estimate_sample(rows, question("yes_no", **by("channel", "phone", "chat")))
    assert effect.estimate == held("subgroup_risk", "value", 1e-6)
    assert effect.se == held("subgroup_risk", "se", 1e-6)
    assert [term.estimate for term in effect.model.terms[1:3]] == [
        held("subgroup_risk", "at_phone", 1e-6),
        held("subgroup_risk", "at_chat", 1e-6),
    ]
    assert effect.also["ratio of odds ratios"][0] == held("subgroup_risk", "ratio", 1e-6)


def test_rates(held, contacts):
    time = contacts["days_observed"].to_numpy(float)
    more = {"more": {"channel": text(contacts["channel"])}, "offset_time": time}
    rows = of(contacts, "contacts_next_90d", "compassion", "severity", **more)
    effect = estimate_sample(rows, question("counts", {"time": "days"}, **by("channel", "phone", "chat")))
    assert effect.estimate == held("subgroup_rate", "value", 1e-6)
    assert effect.se == pytest.approx(held.values["subgroup_rate"]["se"], rel=0.03)  # HC2, not HC0


def test_shares_of_ordered_answers(held):
    steps = held.frames["contacts"][["csat", "trained", "severity", "tenure"]].dropna().astype(float)
    answers = steps["csat"] - 1
    told = {"levels": tuple("12345"), "level_values": (1.0, 2.0, 3.0, 4.0, 5.0), "level_codes": tuple("12345")}
    rows = headed(
        answers, steps["trained"], {"severity": steps["severity"]}, more={"tenure": steps["tenure"].to_numpy()}, **told
    )
    effect = estimate_sample(rows, question("ordered", **by("tenure", 2, 8)))
    assert effect.estimate == held("subgroup_share", "value", 1e-4)  # polr's maximum is good to some 5 digits


def test_a_spline_is_ns(held, stays):
    rows = of(stays, "length_of_stay", "severity", "age")
    effect = estimate_sample(rows, question(dose={"between": [4, 8]}))
    assert (effect.estimate, effect.se) == (held("dose_spline", "value"), held("dose_spline", "se"))
    ends = curve(rows, question(dose={"between": [4, 8]}), [4, 8])
    assert ends.mean[1] - ends.mean[0] == held("dose_spline", "value")


def test_either_side_of_a_point(held, stays):
    effect = estimate_sample(of(stays, "length_of_stay", "severity", "age"), question(dose={"neutral": 5}))
    assert (effect.estimate, effect.se) == (held("dose_kink", "value"), held("dose_kink", "se"))


def test_the_turning_point_is_that_of_lind_and_mehlum(held, stays):
    bowl = stays["length_of_stay"] + 0.4 * (stays["severity"] - 6) ** 2
    found = turning(of(stays.assign(bowl=bowl), "bowl", "severity", "age"), question(dose={"between": [4, 8]}))
    assert (found.at, found.low, found.high) == tuple(held("dose_turning", part) for part in ("at", "low", "high"))
    assert found.p == held("dose_turning", "p")
    assert (found.shape, found.inside) == ("U", True)
