"""Lesson 7: chosen at their worst, better by itself. Worn-out staff nobody helped, and customers pleased again after a"
" failure."""

from __future__ import annotations

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.figures import Figure, cloud, paths
from researchkit.learn import recovered
from researchkit.learn.exercise import Exercise, Lesson, Mistake
from researchkit.learn.worlds import frame
from researchkit.simulate import simulate

STAYS, SEED = 6_000, 20260107
DOES = -4.0  # points that the course, drawn by lot, takes off exhaustion
ITEMS = [f"cbi_{number}" for number in range(1, 7)]


def tables() -> dict[str, pd.DataFrame]:
    """Customers with and without a failure; staff in two waves, untouched; the worn out of other wards, with a lot."""
    rng = np.random.default_rng(SEED)
    staff = waves(SEED)
    worn = waves(SEED + 3, STAYS)
    worn = worn[worn["first"] >= worn["first"].quantile(0.75)].reset_index(drop=True)
    lot = rng.permutation(np.arange(len(worn)) % 2)
    worn = worn.assign(course=np.where(lot == 1, "yes", "no"), second=worn["second"] + DOES * lot)
    return {
        "episodes.csv": recovered.failures(SEED),
        "staff.csv": staff,
        "lot.csv": worn[["course", "first", "second"]],
    }


def waves(seed: int, stays: int = STAYS // 2) -> pd.DataFrame:
    """Exhaustion of those who answered the first two waves in full; nothing was done in between."""
    answers = simulate("hospital", rows=stays, seed=seed)["staff.csv"].dropna(subset=ITEMS)
    scores = answers.assign(score=answers[ITEMS].astype(float).mean(axis=1))
    wide = scores.pivot(index="staff_id", columns="wave", values="score")[[1, 2]].dropna()
    return wide.set_axis(["first", "second"], axis=1).reset_index()


def staff() -> pd.DataFrame:
    return frame("regression", "staff")


def worst() -> pd.DataFrame:
    return staff()[staff()["first"] >= staff()["first"].quantile(0.75)]


def best() -> pd.DataFrame:
    return staff()[staff()["first"] <= staff()["first"].quantile(0.25)]


def change(part: pd.DataFrame) -> float:
    return float((part["second"] - part["first"]).mean())


def expected() -> float:
    """The change of the worst that the line of the second wave over the first foretells for them."""
    slope, start = np.polyfit(staff()["first"], staff()["second"], 1)
    return float(start + slope * worst()["first"].mean() - worst()["first"].mean())


def by_lot(column: str = "second") -> float:
    means = frame("regression", "lot").groupby("course")[column].mean()
    return float(means["yes"] - means["no"])


def course_change() -> float:
    lot = frame("regression", "lot")
    return change(lot[lot["course"] == "yes"])


def quarters() -> Figure:
    groups = {"most exhausted": worst(), "everybody": staff(), "least exhausted": best()}
    means = pd.DataFrame({label: part[["first", "second"]].mean() for label, part in groups.items()}).T
    means.columns = pd.Index(["first wave", "second wave"])
    return paths(
        means,
        title="Nobody did anything in between",
        unit="exhaustion, points",
        name="regression-quarters",
        caption="The quarters were picked by the first wave.",
    )


def dots() -> Figure:
    points = staff().rename(columns={"first": "x", "second": "y"})[["x", "y"]]
    return cloud(
        points,
        title="The same people, twice",
        labels=("Exhaustion in the first wave", "Exhaustion in the second wave"),
        name="regression-dots",
        caption="Each dot is a person. A line on which nobody moved would rise by one point for each point.",
    )


EXERCISES = {
    "worst": Exercise(
        asked="by how many points the most exhausted quarter changed, second wave less first.",
        right=lambda: change(worst()),
        checked="the mean change among those in the upper quarter of the first wave, and its sign.",
        unchecked="why they changed. Hold that thought.",
        hints=(
            "Pick the people by the *first* wave: those at or above its upper quartile.",
            '`worst = staff[staff["first"] >= staff["first"].quantile(0.75)]`',
            'Then `(worst["second"] - worst["first"]).mean()`.',
        ),
        mistakes=(
            Mistake(
                lambda: -change(worst()),
                "You took the second wave from the first. With second less first, below zero means less exhausted.",
            ),
            Mistake(lambda: change(staff()), "That is the change of everybody. Pick the most exhausted quarter first."),
            Mistake(
                lambda: change(best()),
                "Those are the *least* exhausted. The most exhausted are at or above the upper quartile, 0.75.",
            ),
            Mistake(
                lambda: change(staff()[staff()["second"] >= staff()["second"].quantile(0.75)]),
                "You picked people by the second wave. The course would have been offered after the first.",
            ),
        ),
        told=lambda: (
            f"{wording.number(-change(worst()))} points less exhausted. A course with such a result would be bought at"
            " once. But nobody held one: nothing at all was done in between."
        ),
    ),
    "best": Exercise(
        asked="by how many points the *least* exhausted quarter changed, second wave less first.",
        right=lambda: change(best()),
        checked="the mean change among those in the lower quarter of the first wave.",
        unchecked="any reason. There is none to look for.",
        hints=(
            "As before, at the other end: at or below the lower quartile.",
            '`best = staff[staff["first"] <= staff["first"].quantile(0.25)]`',
        ),
        mistakes=(
            Mistake(lambda: change(worst()), "That is the most exhausted quarter again. The other end is asked for."),
            Mistake(
                lambda: -change(best()), "You took the second wave from the first: above zero means more exhausted."
            ),
            Mistake(
                lambda: change(staff()), "That is the change of everybody. Pick the least exhausted quarter first."
            ),
        ),
        told=lambda: (
            f"{wording.number(change(best()), sign=True)} points. Nobody did them any harm either. Everybody together"
            f" changed by {wording.number(change(staff()), sign=True)}. Both ends drift to the middle."
        ),
    ),
    "expected": Exercise(
        asked="the change that the line of the second wave over the first foretells for the most exhausted quarter.",
        right=expected,
        checked="height of the line at their mean of the first wave, less that mean.",
        unchecked="single people. The line speaks of means.",
        hints=(
            'Draw the line: `slope, start = np.polyfit(staff["first"], staff["second"], 1)`.',
            "Where is the line at the mean of the first wave of the most exhausted?",
            '`start + slope * worst["first"].mean() - worst["first"].mean()`',
        ),
        mistakes=(
            Mistake(
                lambda: expected() + float(worst()["first"].mean()),
                "That is where the line is: their second wave as foretold. Take their first wave from it.",
            ),
            Mistake(
                lambda: float(np.polyfit(staff()["first"], staff()["second"], 1)[0]),
                "That is the slope of the line. Use it: start plus slope times the mean of the most exhausted.",
            ),
            Mistake(
                lambda: float(staff()["first"].mean() - worst()["first"].mean()),
                "So far they would change if nothing of their lead remained. But something does: the slope says how"
                " much.",
            ),
        ),
        within=0.03,
        told=lambda: (
            f"{wording.number(expected(), sign=True)} foretold, {wording.number(change(worst()), sign=True)} seen."
            f" The whole"
            " improvement could be foretold from how exhaustion goes up and down anyway."
        ),
    ),
    "lot": Exercise(
        asked="by how many points the course changed exhaustion, where a lot decided who of the most exhausted went.",
        right=by_lot,
        checked="second wave, mean with the course less mean without.",
        unchecked="the interval. With so few people it is wide (lesson 1).",
        hints=(
            "Both groups were picked for being exhausted, so both drift to the middle. What is left is the course.",
            '`lot.groupby("course")["second"].mean()` gives both means.',
            "With the course less without.",
        ),
        mistakes=(
            Mistake(
                course_change,
                "You compared before with after among those with the course. That is the course *and* the drift. The"
                " other"
                " half drifted, too.",
            ),
            Mistake(lambda: by_lot("first"), "You compared the first wave, before anybody had the course."),
            Mistake(
                lambda: -by_lot(), "You took the course from no course. Below zero means that the course relieves."
            ),
        ),
        told=lambda: (
            f"{wording.number(by_lot(), sign=True)} points; planted are {wording.number(DOES, sign=True)}. Before and"
            f" after"
            f" would have said {wording.number(course_change(), sign=True)}."
        ),
    ),
    **recovered.EXERCISES,
}

LESSON = Lesson(
    7,
    "Did they get better, or only less unlucky?",
    "Whoever is chosen at their worst is better the next time, with or without help.",
    55,
    EXERCISES,
    tables,
    recovered.STUDY,
    {"quarters": quarters, "dots": dots, "moments": recovered.moments, "sides": recovered.sides},
)
