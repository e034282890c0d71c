"""Lesson 3: one rater, two ratings. A customer's mood is in both answers; somebody who does not know it is not."""

from __future__ import annotations

import pandas as pd

from researchkit import wording
from researchkit.estimators import Effect
from researchkit.figures import Figure, forest, paths
from researchkit.learn import worlds
from researchkit.learn.exercise import Exercise, Lesson, Mistake
from researchkit.learn.worlds import frame, planted
from researchkit.simulate import simulate

CALLS, SEED = 4_000, 20260109
STUDY = """\
title: Does compassion leave customers very satisfied?
seed: 20260109
simulated: true
files: calls.csv
design: observational
rows: calls
clusters: agent_id
columns:
  agent_id: {label: Agent, type: id}
  channel: {label: Channel, codes: {phone: Phone, chat: Chat, email: E-mail}}
  severity: {label: Severity of the problem, unit: point, range: [0, 10]}
  tenure: {label: Time as a customer, unit: year, range: [0, 40]}
  by_listener: {label: Compassion as a listener heard it, unit: point, range: [1, 5], source: blind rater}
  by_customer: {label: Compassion as the customer felt it, unit: point, range: [1, 5], source: customer}
  very_satisfied: {label: Very satisfied, codes: {0: less than that, 1: very satisfied}, source: customer}
questions:
  - id: two_people
    title: Are customers very satisfied where a listener hears compassion?
    claim: LOY-2
    exposure: by_listener
    outcome: {column: very_satisfied, kind: yes_no, yes: 1, good: high}
    adjust: [severity, tenure, channel]
    smallest_effect: 0.03
  - id: one_person
    title: Are customers very satisfied where they felt compassion?
    claim: LOY-2
    exposure: by_customer
    outcome: {column: very_satisfied, kind: yes_no, yes: 1, good: high}
    adjust: [severity, tenure, channel]
    smallest_effect: 0.03
"""


def tables() -> dict[str, pd.DataFrame]:
    contacts = simulate("contact_centre", rows=CALLS, seed=SEED)["interactions.parquet"]
    contacts = contacts.dropna(subset=["compassion", "csat"])
    calls = contacts[["agent_id", "channel", "severity", "tenure"]].assign(
        by_listener=contacts["compassion"].astype(float),
        by_customer=contacts["compassion_customer"],
        very_satisfied=(contacts["csat"] == 5).astype(int),
    )
    return {"calls.csv": calls.reset_index(drop=True)}


def points(share: float) -> str:
    return f"{wording.number(100 * share)} percentage points"


def calls() -> pd.DataFrame:
    return frame("raters")


def one(adjust: tuple[str, ...] | None = None) -> Effect:
    return worlds.effect("raters", "one_person", adjust)


def two(adjust: tuple[str, ...] | None = None) -> Effect:
    return worlds.effect("raters", "two_people", adjust)


def truth() -> float:
    return planted("contact_centre", "satisfaction")


def tie(part: pd.DataFrame, rating: str = "by_customer") -> float:
    return float(part[rating].corr(part["very_satisfied"]))


def alike() -> pd.DataFrame:
    """The calls that the listener gave the same three points."""
    return calls()[calls()["by_listener"] == 3]


def holds() -> str:
    found = [name for name, effect in (("one", one()), ("two", two())) if effect.low <= truth() <= effect.high]
    return found[0] if len(found) == 1 else ("both" if found else "neither")


def sides() -> Figure:
    rows = [
        (label, 100 * effect.estimate, 100 * effect.low, 100 * effect.high)
        for label, effect in (("One person rates both", one()), ("Two people rate", two()))
    ]
    return forest(
        rows,
        title="The same calls, rated by one person and by two",
        unit="percentage points very satisfied, for one point of compassion",
        band=(-3, 3),
        highlight=1,
        name="raters-sides",
        caption=f"In this world the truth is {points(truth())}.",
    )


def mood() -> Figure:
    shares = 100 * alike().groupby("by_customer")["very_satisfied"].mean()
    return paths(
        pd.DataFrame([shares.to_numpy()], index=["calls with three points"], columns=shares.index.astype(str)),
        title="Calls that a listener heard as equally kind",
        unit="per cent very satisfied",
        along="compassion as the customer felt it",
        name="raters-mood",
        caption="A listener gave all of these calls three points. The handling is the same; what differs is the"
        " customer.",
    )


EXERCISES = {
    "one_person": Exercise(
        asked="how much the share of very satisfied customers rises for a point of compassion, both rated by the"
        " customer.",
        right=lambda: one().estimate,
        checked="the estimate of the question `one_person`, as a share between 0 and 1.",
        unchecked="whether it is what compassion does.",
        hints=(
            'The study file has the question: `study.question("one_person")`.',
            '`rk.estimate(dataset, study.question("one_person"))`, and the number behind `.estimate`.',
        ),
        mistakes=(
            Mistake(
                lambda: two().estimate,
                "That is the other question, where a listener rates the compassion. First the customer's own rating.",
            ),
            Mistake(
                lambda: one(()).estimate,
                "You held nothing equal. The question names severity, tenure and channel; leave `adjust` to it.",
            ),
        ),
        told=lambda: (
            f"{points(one().estimate)} more for a point, with an interval from"
            f" {wording.interval(100 * one().low, 100 * one().high)}. This would look splendid in a report."
        ),
    ),
    "two_people": Exercise(
        asked="the same, with compassion rated by a listener who does not know what the customer answered.",
        right=lambda: two().estimate,
        checked="the estimate of the question `two_people`, as a share.",
        unchecked="whether listeners hear what matters to customers.",
        hints=(
            "Only the question changes: two people instead of one.",
            '`rk.estimate(dataset, study.question("two_people")).estimate`',
        ),
        mistakes=(
            Mistake(lambda: one().estimate, "That is the customer's own rating again. Ask the other question."),
            Mistake(
                lambda: two(()).estimate,
                "You held nothing equal. The question names severity, tenure and channel; leave `adjust` to it.",
            ),
        ),
        told=lambda: (
            f"{points(two().estimate)}. The same calls, the same customers, the same answers about"
            f" satisfaction."
            " Only who rated the compassion has changed."
        ),
    ),
    "times": Exercise(
        asked="how many times as large the one-person answer is as the two-person answer.",
        right=lambda: one().estimate / two().estimate,
        checked="the ratio of the two estimates.",
        unchecked="which of them is too large or too small. For this you need to know where the difference comes from.",
        hints=("A ratio: one divided by the other.", "The one-person estimate on top."),
        mistakes=(
            Mistake(
                lambda: two().estimate / one().estimate,
                "You divided the other way round. How many times as large is the *larger* one?",
            ),
            Mistake(
                lambda: one().estimate - two().estimate,
                "That is the difference. How many *times* as large asks for a ratio.",
            ),
        ),
        told=lambda: (
            f"{wording.number(one().estimate / two().estimate)} times. Something else is in the customer's ratings."
        ),
    ),
    "mood": Exercise(
        asked="the correlation of the customer's rating with very satisfied, among calls that the listener gave 3"
        " points.",
        right=lambda: tie(alike()),
        checked="the correlation within these calls.",
        unchecked="what it is that the customers share with themselves. Mood is one name for it.",
        hints=(
            "Keep the calls that were equally kind to a listener's ear: `by_listener` is 3.",
            '`part = calls[calls["by_listener"] == 3]`',
            '`part["by_customer"].corr(part["very_satisfied"])`',
        ),
        mistakes=(
            Mistake(
                lambda: tie(calls()),
                "That is the correlation over all calls. Keep those with three points from the listener, whose"
                " handling is"
                " the same.",
            ),
            Mistake(
                lambda: tie(calls(), "by_listener"),
                "You took the listener's rating. Among calls with the same rating of the listener, look at the"
                " customer's.",
            ),
        ),
        told=lambda: (
            f"{wording.number(tie(alike()))}, among calls that were handled alike. Were the customer's rating about the"
            " handling alone, there would be next to nothing here. People who are in a good mood tick the good boxes,"
            " both"
            " times."
        ),
    ),
    "truth": Exercise(
        asked="which interval holds the truth: one (person), two (people), both or neither.",
        right=holds,
        checked="which of the two intervals has the truth between its ends.",
        unchecked="other samples. Here the truth is known; elsewhere only the design can speak for an answer.",
        hints=(
            'The truth is `learn.planted("contact_centre", "satisfaction")`, a share.',
            "Is it between `.low` and `.high` of the one effect, of the other?",
        ),
        mistakes=(
            Mistake(lambda: "one", "Compare the truth with both ends of the one-person interval again."),
            Mistake(lambda: "both", "One of the intervals lies beside the truth altogether. Which?"),
            Mistake(lambda: "neither", "One of them does hold the truth. Compare it with both ends of each."),
        ),
        words=("one", "two", "both", "neither"),
        told=lambda: (
            f"The truth is {points(truth())} for a point. All that was held equal did not save the one-person"
            " answer: a mood stands in no column."
        ),
    ),
}

LESSON = Lesson(
    3,
    "Who says that it was kind?",
    "Whoever rates both sides ties them together; let another person rate one of them.",
    35,
    EXERCISES,
    tables,
    STUDY,
    {"sides": sides, "mood": mood},
)
