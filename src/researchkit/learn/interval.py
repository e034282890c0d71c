"""Lesson 1: an interval is what a study can say. A conversation by lot in a small study, and in a hundred like it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.estimators import Effect
from researchkit.figures import Figure, forest, many
from researchkit.learn import worlds
from researchkit.learn.exercise import Exercise, Lesson, Mistake
from researchkit.learn.worlds import frame, planted
from researchkit.simulate import simulate

PATIENTS, STUDIES, SEED = 120, 100, 20260101
STUDY = """\
title: Does a short conversation calm patients?
seed: 20260101
simulated: true
files: patients.csv
design: randomised               # each patient's care was drawn by lot
people: patient_id
rows: patients
columns:
  patient_id: {label: Patient, type: id}
  arm: {label: Care, codes: {usual: usual care, compassionate: usual care and a short compassionate conversation}}
  anxiety_before: {label: Anxiety on admission, unit: point, range: [20, 80]}
  anxiety_after: {label: Anxiety after two days, unit: point, range: [20, 80]}
questions:
  - id: conversation
    title: Does a short conversation calm patients?
    claim: REC-2
    exposure: {column: arm, reference: usual, level: compassionate}
    outcome: {column: anxiety_after, kind: score, unit: point, good: low}
    smallest_effect: 1
"""


def tables() -> dict[str, pd.DataFrame]:
    """The study of the lesson, and the intervals of a hundred further ones of its size."""
    stays = simulate("hospital", rows=PATIENTS * (STUDIES + 1), seed=SEED)["stays.csv"]
    stays = stays[["patient_id", "arm", "anxiety_before", "anxiety_after"]]
    rows = [between(stays[start : start + PATIENTS].dropna()) for start in range(PATIENTS, len(stays), PATIENTS)]
    hundred = pd.DataFrame(rows, columns=["estimate", "low", "high"])
    return {"patients.csv": stays[:PATIENTS].dropna().astype({"anxiety_after": int}), "hundred.csv": hundred}


def between(people: pd.DataFrame) -> tuple[float, float, float]:
    """Difference in mean anxiety with its interval: what `estimate` gives for two groups (HC3), in one line each."""
    from scipy import special

    kind, usual = (people.loc[people["arm"] == arm, "anxiety_after"] for arm in ("compassionate", "usual"))
    gap = float(kind.mean() - usual.mean())
    half = special.stdtrit(len(people) - 2, 0.975) * np.sqrt(
        kind.var() / (len(kind) - 1) + usual.var() / (len(usual) - 1)
    )
    return gap, gap - float(half), gap + float(half)


def people() -> pd.DataFrame:
    return frame("interval")


def hundred() -> pd.DataFrame:
    return frame("interval", "hundred")


def effect() -> Effect:
    return worlds.effect("interval", "conversation")


def truth() -> float:
    return planted("hospital", "anxiety_trial")


def mean_gap(column: str) -> float:
    means = people().groupby("arm")[column].mean()
    return float(means["compassionate"] - means["usual"])


def verdict() -> str:
    from researchkit.learn import study
    from researchkit.verdict import judge

    asked = study("interval")
    return judge(effect(), asked.question("conversation"), asked).word


def held() -> int:
    return int(((hundred()["low"] <= truth()) & (truth() <= hundred()["high"])).sum())


def apart() -> int:
    """How many intervals leave out zero."""
    return int(((hundred()["low"] > 0) | (hundred()["high"] < 0)).sum())


def alone() -> Figure:
    one = effect()
    return forest(
        [("This study", one.estimate, one.low, one.high)],
        title="One study, and every value that it is compatible with",
        unit="points of anxiety, conversation less usual care",
        band=(-1, 1),
        name="interval-alone",
    )


def all_of_them() -> Figure:
    return many(
        hundred(),
        truth(),
        title="A hundred studies of the same size",
        unit="points of anxiety, conversation less usual care",
        name="interval-hundred",
        caption="Each line is the interval of one study. Those in orange miss the truth.",
    )


EXERCISES = {
    "difference": Exercise(
        asked="by how many points anxiety differs, conversation less usual care.",
        right=lambda: mean_gap("anxiety_after"),
        checked="the number, to about two digits, and its sign.",
        unchecked="how you got it, and what it means.",
        hints=(
            "Anxiety after two days is in the column `anxiety_after`, the care in `arm`. You need one mean for each"
            " care.",
            '`people.groupby("arm")["anxiety_after"].mean()` gives both means.',
            "Take the mean of usual care from the mean of compassionate care, in this order.",
        ),
        mistakes=(
            Mistake(
                lambda: -mean_gap("anxiety_after"),
                "You took the conversation from usual care. The order says which way is good: with the conversation"
                " first,"
                " below zero means calmer.",
            ),
            Mistake(
                lambda: mean_gap("anxiety_before"),
                "You compared anxiety on admission, before anybody had a conversation. Nothing can have worked by"
                " then.",
            ),
            Mistake(
                lambda: float(people()["anxiety_after"].mean() - people()["anxiety_before"].mean()),
                "You compared after with before, among everybody. Patients change anyway; the other group tells by how"
                " much.",
            ),
        ),
        told=lambda: (
            f"The conversation group is {wording.number(abs(mean_gap('anxiety_after')))} points"
            f" {'calmer' if mean_gap('anxiety_after') < 0 else 'more anxious'} in this study. Another"
            f" {len(people())} patients would have given another number."
        ),
    ),
    "limits": Exercise(
        asked="the two ends of the 95 % interval, the lower first.",
        right=lambda: (effect().low, effect().high),
        checked="both ends, to about two digits of the interval's width.",
        unchecked="whether the study was a fair one. No interval knows that.",
        hints=(
            "`rk.estimate` gives an effect. Look at it, and at what it has behind a dot.",
            "`effect.low` is one end.",
            "The answer is the pair `(effect.low, effect.high)`.",
        ),
        mistakes=(
            Mistake(
                lambda: (effect().high, effect().low),
                "Both ends are right; the lower one comes first. Below zero, the lower one is further from zero.",
            ),
            Mistake(
                lambda: (effect().estimate - effect().se, effect().estimate + effect().se),
                "You went one standard error to either side. Such an interval misses the truth in about one study of"
                " three; for 95 % it is about two to either side.",
            ),
            Mistake(
                lambda: (-1.0, 1.0),
                "That is the band of what is too small to matter. It was set before the study; the interval comes from"
                " the data.",
            ),
        ),
        told=lambda: (
            f"From {wording.interval(effect().low, effect().high)} points. The data are compatible with every value in"
            " between. Those near the middle fit best; none of them is ruled out."
        ),
    ),
    "zero": Exercise(
        asked="True or False: these data are compatible with a conversation that does nothing.",
        right=lambda: effect().low <= 0 <= effect().high,
        checked="whether zero lies inside the interval.",
        unchecked="whether the conversation does nothing. A study that is too small leaves that open.",
        hints=(
            "What does nothing look like as a number?",
            "Is `effect.low` below that number, and `effect.high` above it?",
        ),
        mistakes=(
            Mistake(
                lambda: not effect().low <= 0 <= effect().high,
                "Look at the interval, not at the dot. One value stands for no difference; is it between the two ends?",
            ),
        ),
        told=lambda: (
            "Nothing is possible. So is a gain of"
            f" {wording.number(abs(effect().low))} points. Not to have seen a difference is not to have seen that"
            f" there is"
            " none."
        ),
    ),
    "word": Exercise(
        asked="which of the four words this study deserves: supported, contradicted, too small to matter, cannot tell.",
        right=verdict,
        checked="the word, by the rule of the house, with one point as the smallest difference that matters.",
        unchecked="whether one point was a wise choice. People decide that, before the study.",
        hints=(
            'Draw the interval over the band: `learn.picture("interval.alone")`.',
            "Too small to matter needs the *whole* interval inside the band. Supported needs all of it on the claimed"
            " side"
            " of zero.",
        ),
        mistakes=(
            Mistake(
                lambda: "too small to matter",
                "That would need the whole interval inside the band. This one reaches far out of it: a large gain is"
                " still"
                " possible. A study that found nothing is not one that found that there is nothing.",
            ),
            Mistake(
                lambda: "supported",
                "The dot lies on the claimed side, but the word goes by the interval, and part of that lies on the"
                " other.",
            ),
            Mistake(
                lambda: "contradicted",
                "That would need the whole interval on the other side of zero. Which side is calmer?",
            ),
        ),
        words=("supported", "contradicted", "too small to matter", "cannot tell"),
        told=lambda: "It is the honest word for a small study, and it is no failure to use it.",
    ),
    "hundred": Exercise(
        asked="how many of the hundred intervals hold the truth.",
        right=held,
        checked="the number of intervals with the truth between their ends.",
        unchecked="whether *your* one study is among them. Nobody can check that outside a simulated world.",
        hints=(
            "An interval holds the truth when its `low` is not above it and its `high` not below it.",
            '`(hundred["low"] <= truth) & (truth <= hundred["high"])` says it for each study.',
            "Adding up True and False counts the True: put `.sum()` behind it.",
        ),
        mistakes=(
            Mistake(
                lambda: len(hundred()) - held(),
                "You counted the intervals that miss the truth. Those are the rest.",
            ),
            Mistake(
                apart,
                "You counted the intervals that leave out zero. Those say that they saw a difference, which is another"
                " question.",
            ),
            Mistake(lambda: held() / len(hundred()), "That is the share; the number is asked for."),
        ),
        within=0.001,
        told=lambda: (
            f"{held()} of {len(hundred())}. That is what 95 % promises: of many such studies, not of any one. And only"
            f" {apart()} of them could tell the conversation from nothing, though it does work in this world: it takes"
            f" {wording.number(-truth())} points off."
        ),
    ),
    "patients": Exercise(
        asked="how many patients a study needs whose interval is half as wide.",
        right=lambda: 4 * len(people()),
        checked="the number of patients, from how an interval narrows as a study grows.",
        unchecked="whether so many can be found, or should be asked.",
        hints=(
            "The width goes with one over the square root of the number of patients.",
            "Twice as many patients make it narrower by the square root of two only. How often for half?",
            "Four times as many.",
        ),
        mistakes=(
            Mistake(
                lambda: 2 * len(people()),
                "Twice as many patients do not halve it: the width goes with the square root of the number. Twice as"
                " many"
                " leave seven tenths of it.",
            ),
            Mistake(lambda: 4, "That is how often; the number of patients is asked for."),
        ),
        within=0.001,
        told=lambda: f"{wording.count(4 * len(people()))} patients in place of {len(people())}. Certainty is dear.",
    ),
}

LESSON = Lesson(
    1,
    "What can one study say?",
    "An interval holds what a study can say; the number in its middle does not.",
    40,
    EXERCISES,
    tables,
    STUDY,
    {"alone": alone, "hundred": all_of_them},
)
