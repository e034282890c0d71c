"""Lesson 5: people of one ward are alike. A course by lot for half of the wards, which does nothing, and seems to."""

from __future__ import annotations

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.estimators import Effect
from researchkit.figures import Figure, forest, many
from researchkit.learn import worlds
from researchkit.learn.exercise import Exercise, Lesson, Mistake
from researchkit.learn.worlds import frame

WARDS, STAFF, STUDIES, SEED = 12, 25, 200, 20260105
LEVEL, OF_WARD, OF_PERSON = 45.0, 5.5, 12.0  # points: everybody's mean, the spread of wards and that of people in one
DOES = 0.0  # what the course does
STUDY = """\
title: Does a course for ward leaders relieve their staff?
seed: 20260105
simulated: true
files: staff.csv
design: randomised               # the wards with the course were drawn by lot
rows: people
people: staff_id
columns:
  staff_id: {label: Member of staff, type: id}
  ward: {label: Ward, type: id}
  place: {label: Place on the ward's list, range: [1, 100]}
  course: {label: Course for the leader, codes: {no: no course, yes: the course}}
  exhaustion: {label: Exhaustion, unit: point, range: [0, 100]}
questions:
  - id: by_person
    title: Are staff less exhausted where the leader took the course, each person counted alone?
    claim: CUL-2
    family: burnout
    clusters: []                 # as if the lot had been drawn for each person
    exposure: {column: course, reference: no, level: yes}
    outcome: {column: exhaustion, kind: score, unit: point, good: low}
    smallest_effect: 2
  - id: by_ward
    title: Are staff less exhausted where the leader took the course?
    claim: CUL-2
    family: burnout
    clusters: ward               # people of one ward are alike, and the lot was drawn for wards
    exposure: {column: course, reference: no, level: yes}
    outcome: {column: exhaustion, kind: score, unit: point, good: low}
    smallest_effect: 2
"""


def tables() -> dict[str, pd.DataFrame]:
    """One study that a careless eye would call a success, and what comes of two hundred drawn the same way."""
    rng = np.random.default_rng(SEED)
    answers = [drawn(rng) for _ in range(STUDIES)]
    rows = pd.DataFrame(
        [both_ways(one) for one in answers], columns=["estimate", "low", "high", "low_ward", "high_ward"]
    )
    lucky = int(np.flatnonzero((rows["high"] < 0) & (rows["high_ward"] > 0))[0])
    ward, place = np.divmod(np.arange(WARDS * STAFF), STAFF)
    staff = pd.DataFrame(
        {
            "staff_id": [f"p{number:03d}" for number in range(WARDS * STAFF)],
            "ward": [f"w{number + 1:02d}" for number in ward],
            "place": place + 1,
            "course": np.where(ward % 2 == 1, "yes", "no"),
            "exhaustion": answers[lucky].ravel(),
        }
    )
    return {"staff.csv": staff, "studies.csv": rows}


def drawn(rng: np.random.Generator) -> np.ndarray:
    """Exhaustion of each person, shape (wards, staff); every second ward has the course."""
    own = rng.normal(0, OF_WARD, (WARDS, 1)) + rng.normal(0, OF_PERSON, (WARDS, STAFF))
    taught = (np.arange(WARDS) % 2 == 1)[:, None]
    return np.clip(np.rint(LEVEL + DOES * taught + own), 0, 100)


def both_ways(answers: np.ndarray) -> tuple[float, ...]:
    """Difference, and its interval by person (HC3) and by ward (t of the wards' means, which CR2 is where all are"
    " alike)."""
    from scipy import special

    taught, usual = answers[1::2], answers[::2]
    gap = float(taught.mean() - usual.mean())
    person = sum(side.var(ddof=1) / (side.size - 1) for side in (taught, usual))
    ward = sum(side.mean(axis=1).var(ddof=1) / len(side) for side in (taught, usual))
    ends = [gap]
    for variance, free in ((person, answers.size - 2), (ward, WARDS - 2)):
        half = float(special.stdtrit(free, 0.975) * np.sqrt(variance))
        ends += [gap - half, gap + half]
    return tuple(ends)


def by(unit: str) -> Effect:
    return worlds.effect("clusters", f"by_{unit}")


def width(unit: str) -> float:
    return by(unit).high - by(unit).low


def grid() -> np.ndarray:
    """One row a ward, one column a person of it."""
    return frame("clusters").pivot(index="ward", columns="place", values="exhaustion").to_numpy(float)


def alike() -> float:
    """Which share of all differences lies between wards."""
    from researchkit.scales import icc

    return icc(grid(), "1,1").value


def worth(share: float) -> float:
    """How many people who have nothing in common tell as much as these."""
    return WARDS * STAFF / (1 + (STAFF - 1) * share)


def alarms(unit: str = "") -> int:
    studies = frame("clusters", "studies")
    low, high = (studies[f"{end}{unit}"] for end in ("low", "high"))
    return int(((low > 0) | (high < 0)).sum())


def better() -> str:
    """Which doubling leaves the smaller variance of a difference: of the wards, or of the people in each."""
    wards = (OF_WARD**2 + OF_PERSON**2 / STAFF) / (2 * WARDS)
    people = (OF_WARD**2 + OF_PERSON**2 / (2 * STAFF)) / WARDS
    return "wards" if wards < people else "people"


def sides() -> Figure:
    rows = [
        (label, by(unit).estimate, by(unit).low, by(unit).high)
        for label, unit in (("Each person counted alone", "person"), ("People of one ward together", "ward"))
    ]
    return forest(
        rows,
        title="The same data, and two ideas of what was drawn by lot",
        unit="points of exhaustion, course less no course",
        band=(-2, 2),
        highlight=1,
        name="clusters-sides",
    )


def studies() -> Figure:
    return many(
        frame("clusters", "studies")[["estimate", "low", "high"]].head(100),
        DOES,
        title="The first hundred studies of a course that does nothing, each person counted alone",
        unit="points of exhaustion, course less no course",
        name="clusters-studies",
        caption="Each line is an interval of 95 %. Those in orange miss the truth, which is nothing.",
    )


EXERCISES = {
    "person": Exercise(
        asked="how wide the interval is when each person counts alone (question `by_person`), in points.",
        right=lambda: width("person"),
        checked="the upper end less the lower end.",
        unchecked="whether each person does count alone.",
        hints=(
            "A width: the upper end less the lower end.",
            '`effect = rk.estimate(dataset, study.question("by_person"))` has `.low` and `.high`.',
        ),
        mistakes=(
            Mistake(lambda: width("person") / 2, "That is half of it: from the middle to one end."),
            Mistake(
                lambda: by("person").low - by("person").high,
                "A width is not below zero: take the lower end from the upper one.",
            ),
            Mistake(lambda: width("ward"), "That is the question `by_ward`. First each person counted alone."),
        ),
        told=lambda: (
            f"{wording.number(width('person'))} points, from {wording.interval(by('person').low, by('person').high)}."
            f" Zero"
            " is not inside. Champagne?"
        ),
    ),
    "wider": Exercise(
        asked="how many times as wide the interval is when people of one ward belong together (question `by_ward`).",
        right=lambda: width("ward") / width("person"),
        checked="the ratio of the two widths.",
        unchecked="which of them is honest. The last part shows that.",
        hints=(
            "The same estimate, another interval: only the question changes.",
            "Divide the width by ward by the width by person.",
        ),
        mistakes=(
            Mistake(lambda: width("person") / width("ward"), "You divided the other way round. Which one is wider?"),
            Mistake(
                lambda: width("ward") - width("person"),
                "That is by how many points. How many *times* as wide asks for a ratio.",
            ),
            Mistake(lambda: width("ward"), "That is its width. Divide it by the other one."),
        ),
        told=lambda: (
            f"{wording.number(width('ward') / width('person'))} times, from"
            f" {wording.interval(by('ward').low, by('ward').high)}. Now nothing at all is possible, too."
        ),
    ),
    "alike": Exercise(
        asked="which share of all differences in exhaustion lies between wards (the intraclass correlation).",
        right=alike,
        checked="the intraclass correlation, form 1,1.",
        unchecked="why people of one ward are alike. A leader, a building, a bad month: it does not matter here.",
        hints=(
            "Lay the answers out with one row a ward and one column a person: `people.pivot`.",
            '`grid = people.pivot(index="ward", columns="place", values="exhaustion").to_numpy(float)`',
            '`rk.scales.icc(grid, "1,1").value`',
        ),
        mistakes=(
            Mistake(
                lambda: float(grid().mean(axis=1).var(ddof=1) / grid().var(ddof=1)),
                "You divided the variance of the wards' means by that of people. Means differ by chance, too, even"
                " between"
                " wards that are the same; `icc` takes that away.",
            ),
            Mistake(
                lambda: 1 - alike(),
                "That is the share *within* wards. The share between them is the rest.",
            ),
        ),
        told=lambda: (
            f"{wording.number(alike())}. It looks like little. With {STAFF} people a ward it is not, as the next"
            f" exercise"
            " shows."
        ),
    ),
    "worth": Exercise(
        asked="how many people with nothing in common would tell as much as these.",
        right=lambda: worth(alike()),
        checked="people, divided by 1 + (people a ward - 1) x the intraclass correlation.",
        unchecked="wards of different sizes. Then it is a little less still.",
        hints=(
            "Each further person of a ward repeats in part what the ward has said already.",
            "How often they are counted too often: one, plus the *other* people of a ward times the share that is"
            " alike.",
            f"`len(people) / (1 + ({STAFF} - 1) * icc)`",
        ),
        mistakes=(
            Mistake(lambda: WARDS * STAFF, "That is all people, as if they had nothing in common."),
            Mistake(
                lambda: WARDS,
                "That is the number of wards. So little it is only where everybody in a ward says the very same.",
            ),
            Mistake(
                lambda: 1 + (STAFF - 1) * alike(),
                "That is how often people are counted too often (the design effect). Divide the number of people by"
                " it.",
            ),
            Mistake(
                lambda: WARDS * STAFF * (1 - alike()),
                "You took the share that is alike off the people once. But each person shares it with *all* the"
                " others of"
                " the ward.",
            ),
        ),
        within=0.03,
        told=lambda: (
            f"About {wording.number(worth(alike()), 1)} of {WARDS * STAFF}. So many people were asked, and so few"
            f" opinions"
            " came back."
        ),
    ),
    "alarms": Exercise(
        asked="how many of the two hundred intervals by person leave out zero, though the course does nothing.",
        right=alarms,
        checked="the number of false alarms among the intervals in `low` and `high`.",
        unchecked="your own study. There you see one interval, and nobody tells you.",
        hints=(
            "A false alarm: the whole interval is above zero, or the whole of it below.",
            '`(studies["low"] > 0) | (studies["high"] < 0)`',
            "Put `.sum()` behind it.",
        ),
        mistakes=(
            Mistake(
                lambda: alarms("_ward"),
                "You took the intervals by ward (`low_ward`, `high_ward`). Good ones! First those by person.",
            ),
            Mistake(
                lambda: STUDIES - alarms(),
                "You counted the intervals that hold zero. The false alarms are the rest.",
            ),
            Mistake(
                lambda: int((frame("clusters", "studies")["high"] < 0).sum()),
                "You counted those on one side only. A course that seems to do harm is a false alarm, too.",
            ),
            Mistake(lambda: alarms() / STUDIES, "That is the share; the number is asked for."),
        ),
        within=0.001,
        told=lambda: (
            f"{alarms()} of {STUDIES}, where 95 % intervals should cry wolf in about"
            f" {wording.number(STUDIES / 20, 1)}. By"
            f" ward it is {alarms('_ward')}."
        ),
    ),
    "better": Exercise(
        asked="what narrows the honest interval more: twice as many wards, or twice as many people in each (wards,"
        " people).",
        right=better,
        checked="which of the two leaves the smaller variance in this world.",
        unchecked="what each of them costs. A further ward is dearer than a further person.",
        hints=(
            "What differs from ward to ward is not averaged away by asking more people of the same wards.",
            "Which of the two gives the ward's part more chances to even out?",
        ),
        mistakes=(
            Mistake(
                lambda: "people",
                "More people tell more exactly how *these* wards are. The lot was drawn for wards, and there are as"
                " few of"
                " them as before.",
            ),
        ),
        words=("wards", "people"),
        told=lambda: "With many people in few wards, the ninth person of a ward is nearly worth nothing.",
    ),
}

LESSON = Lesson(
    5,
    "How many people did we ask?",
    "What was drawn by lot, or shares a roof, counts as one; people within it count for less.",
    45,
    EXERCISES,
    tables,
    STUDY,
    {"sides": sides, "studies": studies},
)
