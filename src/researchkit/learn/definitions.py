"""Lesson 12: how many are burnt out? It hangs on the rule. One hospital's staff, and 142 rules for the same answers."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.figures import Figure, distribution
from researchkit.learn import study, table
from researchkit.learn.exercise import Exercise, Lesson, Mistake
from researchkit.scales import burnout_cutoffs
from researchkit.simulate import hospital, simulate

SEED = 20251101
REVIEW = {  # what a review of studies of physicians found
    "studies": 182,
    "definitions": 142,
    "lowest_percent": 0.0,
    "highest_percent": 80.5,
    "source": "Rotenstein et al. 2018, JAMA 320(11), 1131-1150, https://pmc.ncbi.nlm.nih.gov/articles/PMC6233645/",
}
ITEMS = [f"cbi_{number}" for number in range(1, 7)]
LINES = (25.0, 100 / 3, 50.0, 200 / 3, 75.0)  # on a scale from 0 to 100, where such lines are usually drawn
CONVENTION = burnout_cutoffs("cbi")[0].at  # the line of the PUMA study: at or over it
COLUMNS = "".join(f"  {item}: {{label: Item {item[-1]}, range: [0, 100], source: staff member}}\n" for item in ITEMS)
STUDY = f"""\
title: How worn out are the staff of a hospital?
seed: 20251101
simulated: true
files: staff.csv
people: staff_id                 # one person answers up to three times
rows: answers
clusters: ward
design: observational
columns:
  staff_id: {{label: Member of staff, type: id}}
  ward: {{label: Ward, type: category}}
  wave: {{label: Wave of the survey, range: [1, 3]}}
  workload: {{label: Workload, unit: patient, range: [2, 14], source: roster}}
{COLUMNS}scales:
  exhaustion: {{instrument: cbi/personal, items: [{", ".join(ITEMS)}], label: Exhaustion, unit: point}}
questions:
  - id: workload
    title: Does a heavy load wear staff out?
    claim: BUR-6
    exposure: workload
    outcome: {{column: exhaustion, kind: score, unit: point, good: low}}
    expect: worse
    smallest_effect: 1.5
"""


def tables() -> dict[str, pd.DataFrame]:
    """The staff's answers in three waves, rules for them, drawn by lot from many, and what the review counted."""
    staff = simulate("hospital", rows=hospital.ROWS, seed=SEED)["staff.csv"]
    return {
        "staff.csv": staff[["staff_id", "ward", "wave", "workload", *ITEMS]],
        "rules.csv": rules(),
        "review.csv": pd.DataFrame([REVIEW]),
    }


def rules() -> pd.DataFrame:
    """As many rules as the review counted: which items, and from which mean on somebody counts as burnt out."""
    parts = [chosen for many in range(1, len(ITEMS) + 1) for chosen in itertools.combinations(ITEMS, many)]
    ways = [(" ".join(part), line) for part in parts for line in LINES]
    drawn = np.random.default_rng(SEED).choice(len(ways), int(str(REVIEW["definitions"])), replace=False)
    return pd.DataFrame([ways[place] for place in sorted(drawn)], columns=["items", "line"])


@cache
def staff(wave: int) -> pd.DataFrame:
    """One wave, with the score by the key of the inventory."""
    from researchkit.dataset import load_dataset

    frame = load_dataset(study("definitions")).frame
    return frame[frame["wave"] == wave].reset_index(drop=True)


def scores(wave: int = 1) -> np.ndarray:
    return staff(wave)["exhaustion"].to_numpy(dtype=float)


def over(line: float = CONVENTION, wave: int = 1) -> float:
    """Share of a wave at or over a line."""
    return float((scores(wave) >= line).mean())


def strictly() -> float:
    """Share of the first wave over the line, without those on it."""
    return float((scores() > CONVENTION).mean())


@cache
def called() -> np.ndarray:
    """Who of the first wave is burnt out by which rule; shape (people, rules)."""
    answers = staff(1)[ITEMS].astype(float)
    rows = zip(table("definitions", "rules")["items"], table("definitions", "rules")["line"], strict=True)
    return np.column_stack([answers[items.split()].mean(axis=1) >= line for items, line in rows])


def shares() -> np.ndarray:
    return np.asarray(called().mean(axis=0))


@cache
def heavy() -> np.ndarray:
    """Who of the first wave has more patients a shift than half of the staff."""
    load = staff(1)["workload"].to_numpy(dtype=float)
    return np.asarray(load > np.median(load))


def agreeing() -> float:
    """Share of the rules by which more are burnt out among those with a heavy load."""
    return float((called()[heavy()].mean(axis=0) > called()[~heavy()].mean(axis=0)).mean())


def clear(values: np.ndarray) -> float:
    """How many standard errors apart the two halves are (t, equal spread)."""
    from scipy import stats

    return float(stats.ttest_ind(values[heavy()], values[~heavy()]).statistic)


def dearer() -> float:
    return (clear(scores()) / clear((scores() >= CONVENTION).astype(float))) ** 2


def gone() -> np.ndarray:
    """Who of the first wave did not answer in the third."""
    return np.asarray(~staff(1)["staff_id"].isin(staff(3)["staff_id"]))


def gap() -> float:
    """How much more exhausted at first those were who did not answer in the third wave."""
    return float(scores()[gone()].mean() - scores()[~gone()].mean())


def spread() -> Figure:
    percents, name = (100 * shares()).tolist(), "definitions-spread"
    return distribution(percents, "Burnt out, by each rule (%)", fewest=1, of="rules", name=name)


percent = wording.percent
EXERCISES = {
    "mean": Exercise(
        asked="the mean exhaustion of the first wave, on the scale from 0 to 100.",
        right=lambda: float(scores().mean()),
        checked="the number, to about two digits.",
        unchecked="what is much and what is little. That takes something to compare with.",
        hints=(
            "The dataset has scored the six items already: look for `exhaustion` in `first`.",
            '`first["exhaustion"].mean()`',
        ),
        mistakes=(
            Mistake(
                lambda: 6 * float(scores().mean()),
                "You added the six items up. The key of this inventory takes their mean.",
            ),
            Mistake(
                lambda: float(np.concatenate([scores(wave) for wave in (1, 2, 3)]).mean()),
                "You took all three waves, so that people count once, twice or three times.",
            ),
            Mistake(
                lambda: over(),
                "That is the share over a line. The mean comes first, for it needs no line.",
            ),
        ),
        within=0.01,
        told=lambda: f"{wording.number(float(scores().mean()), 3)} points. It uses every answer, and no rule.",
    ),
    "convention": Exercise(
        asked="the share of the first wave that is at or over 50, a line that many studies draw. Between 0 and 1.",
        right=over,
        checked="the share, to about two digits.",
        unchecked="whether anybody of them is ill. The line is a convention, and no diagnosis.",
        hints=(
            "At or over: `>=`.",
            '`(first["exhaustion"] >= 50).mean()`: the mean of True and False is the share of True.',
        ),
        mistakes=(
            Mistake(
                strictly,
                "You left out those who are on the line exactly. The rule says at or over. See how much hangs on it?",
            ),
            Mistake(lambda: 1 - over(), "That is the share below the line."),
            Mistake(lambda: over() * len(scores()), "That is how many people. The share is asked for."),
        ),
        told=lambda: (
            f"{percent(over(), 0)}. With *over* in place of *at or over* it is {percent(strictly(), 0)}, of the same"
            " people with the same answers. Many sit on the line, for six answers in steps make a score in steps."
        ),
    ),
    "spread": Exercise(
        asked="the lowest and the highest share of burnt-out staff that the rules give, the lowest first.",
        right=lambda: (float(shares().min()), float(shares().max())),
        checked="both shares, between 0 and 1.",
        unchecked="which rule is the right one. There is none.",
        hints=(
            "`shares` holds one share for each rule.",
            "`(min(shares), max(shares))`",
        ),
        mistakes=(
            Mistake(lambda: (float(shares().max()), float(shares().min())), "Both are right. The lowest comes first."),
            Mistake(
                lambda: (float(np.quantile(shares(), 0.25)), float(np.quantile(shares(), 0.75))),
                "Those are the quarters. The two ends are asked for.",
            ),
        ),
        told=lambda: (
            f"From {percent(float(shares().min()), 0)} to {percent(float(shares().max()), 0)}. The review found shares"
            f" from {wording.typed(float(str(REVIEW['lowest_percent'])))} to"
            f" {wording.typed(float(str(REVIEW['highest_percent'])))} % in print, and there the people differed as"
            " well."
        ),
    ),
    "agree": Exercise(
        asked="by which share of the rules more are burnt out among staff with a heavy load than among the others.",
        right=agreeing,
        checked="the share of the rules, between 0 and 1.",
        unchecked="whether the load does it: nobody drew lots over it.",
        hints=(
            "Each rule has a share among those with a heavy load, in `loaded`, and one among the others, in `others`.",
            "`(loaded > others).mean()`",
        ),
        mistakes=(
            Mistake(
                lambda: float((called()[heavy()].mean(axis=0) - called()[~heavy()].mean(axis=0)).mean()),
                "That is by how much the two differ on average. How many of the rules say that there are more?",
            ),
            Mistake(
                lambda: 1 - agreeing(),
                "That is the share of the rules that say the opposite, or that there is no difference.",
            ),
            Mistake(
                lambda: float(called()[heavy()].mean()),
                "That is the mean share among those with a heavy load. Compare the two groups, rule by rule.",
            ),
        ),
        told=lambda: (
            f"{percent(agreeing(), 0)} of them. How many are burnt out hangs on the rule; who is worse off, much less."
            " Comparisons are what such a scale is made for."
        ),
    ),
    "dear": Exercise(
        asked="how many times as many people a study needs that compares shares at or over 50 in place of means.",
        right=dearer,
        checked="the ratio, to a twentieth: the square of one t over the other.",
        unchecked="other lines. Near the ends of the scale it gets far dearer.",
        within=0.05,
        hints=(
            "`t_mean` and `t_share` say how many standard errors the two halves are apart, for means and for shares.",
            "A study of four times as many people doubles t. So the number goes with the square.",
            "`(t_mean / t_share) ** 2`",
        ),
        mistakes=(
            Mistake(
                lambda: clear(scores()) / clear((scores() >= CONVENTION).astype(float)),
                "That is how many times as clear. The number of people goes with its square.",
            ),
            Mistake(lambda: 1 / dearer(), "The other way round: the mean is the one that needs fewer."),
        ),
        told=lambda: (
            f"{wording.number(dearer())} times. A line through a score throws away how far from it people are. That is"
            " dear, and buys nothing but a word."
        ),
    ),
    "fell": Exercise(
        asked="by how much the share at or over 50 moved from the first wave to the third. A fall is below zero.",
        right=lambda: over(wave=3) - over(),
        checked="the difference of the two shares, to about two digits, and its sign.",
        unchecked="why it moved.",
        hints=(
            "The same line on both sides: `>= 50`.",
            "Third wave less first wave.",
        ),
        mistakes=(
            Mistake(
                lambda: float((scores(3) > CONVENTION).mean()) - over(),
                "That is the press release: *at or over* the line at first, and *over* it at last. Most of the fall"
                " is in that little word.",
            ),
            Mistake(lambda: over() - over(wave=3), "The size is right. Third less first: a fall is below zero."),
            Mistake(
                lambda: float(scores(3).mean() - scores().mean()),
                "That is how the mean moved, in points. It is the better number; the share is asked for.",
            ),
        ),
        told=lambda: (
            f"{wording.number(100 * (over(wave=3) - over()))} percentage points by the same rule. By the press release"
            f" it was {wording.number(100 * (float((scores(3) > CONVENTION).mean()) - over()))}."
        ),
    ),
    "gone": Exercise(
        asked="by how many points those who no longer answered in the third wave were more exhausted in the first.",
        right=gap,
        checked="the difference of two means of the first wave, to about two digits.",
        unchecked="why they left. Nobody could ask them.",
        hints=(
            'Who of the first wave is not in the third: `gone = ~first["staff_id"].isin(third["staff_id"])`.',
            'Two means of the first wave: `first[gone]["exhaustion"].mean()`, and that of the others.',
        ),
        mistakes=(
            Mistake(lambda: -gap(), "The size is right. Those who left less those who stayed is asked for."),
            Mistake(
                lambda: float(scores()[gone()].mean() - scores().mean()),
                "You held those who left against all, themselves among them. Compare with those who stayed.",
            ),
            Mistake(
                lambda: float(scores()[gone()].mean() - scores(3).mean()),
                "You held them against the third wave. Stay within the first, when all of them answered.",
            ),
        ),
        told=lambda: (
            f"{wording.number(gap())} points. The worn out are the first to go, and the survey looks better for it."
        ),
    ),
}

LESSON = Lesson(
    12,
    "How many of them are burnt out?",
    "How many are burnt out hangs on the rule. Tell means first, and compare.",
    45,
    EXERCISES,
    tables,
    STUDY,
    {"spread": spread},
)
