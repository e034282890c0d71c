"""Lesson 4: a reversed item missed. One item asks the other way round, and a good questionnaire looks like a bad"
" one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.figures import Figure, cloud
from researchkit.learn.exercise import Exercise, Lesson, Mistake
from researchkit.learn.worlds import frame, planted
from researchkit.simulate import simulate

STAYS, SEED = 2_400, 20260104
ITEMS = [f"item_{number}" for number in range(1, 7)]
TURNED, TOP = "item_4", 100  # asks the other way round; the highest answer
STUDY = """\
title: Does a heavy load wear staff out?
seed: 20260104
simulated: true
files: staff.csv
design: observational
people: staff_id
rows: people
clusters: ward
columns:
  staff_id: {label: Member of staff, type: id}
  ward: {label: Ward, type: category}
  workload: {label: Workload (patients a shift), unit: patient, range: [2, 14]}
  item_1: {label: Worn out, range: [0, 100]}
  item_2: {label: Tired, range: [0, 100]}
  item_3: {label: Emptied, range: [0, 100]}
  item_4: {label: Energy left after a shift, range: [0, 100]}
  item_5: {label: Weak, range: [0, 100]}
  item_6: {label: Cannot go on, range: [0, 100]}
scales:
  as_exported: {items: [item_1, item_2, item_3, item_4, item_5, item_6], range: [0, 100], label: As exported}
  mended:
    {items: [item_1, item_2, item_3, item_4, item_5, item_6], range: [0, 100], reverse: item_4, label: Item 4 turned}
questions:
  - id: workload
    title: Does a heavy load wear staff out?
    claim: BUR-6
    exposure: workload
    outcome: {column: mended, kind: score, unit: point, good: low}
    smallest_effect: 1.5
    expect: worse
"""


def tables() -> dict[str, pd.DataFrame]:
    staff = simulate("hospital", rows=STAYS, seed=SEED)["staff.csv"]
    named = staff[staff["wave"] == 1].rename(columns={f"cbi_{place}": item for place, item in enumerate(ITEMS, 1)})
    people = named[["staff_id", "ward", "workload", *ITEMS]].dropna().astype(dict.fromkeys(ITEMS, int))
    return {"staff.csv": people.assign(**{TURNED: TOP - people[TURNED]}).reset_index(drop=True)}


def answers(turned: bool = False, without: tuple[str, ...] = ()) -> pd.DataFrame:
    """The items as exported, or with the one turned round."""
    items = frame("reversal")[ITEMS].drop(columns=list(without))
    return items.assign(**{TURNED: TOP - items[TURNED]}) if turned else items


def alpha(items: pd.DataFrame) -> tuple[float, float, float]:
    from researchkit.scales import cronbach_alpha

    return cronbach_alpha(items.to_numpy(float))


def against() -> str:
    """The item that goes least with the others."""
    from researchkit.scales import item_rest

    return ITEMS[int(np.argmin(item_rest(answers().to_numpy(float))))]


def slope(items: pd.DataFrame) -> float:
    """Points of the mean of the items for one patient more a shift."""
    return float(np.polyfit(frame("reversal")["workload"], items.mean(axis=1), 1)[0])


def left() -> float:
    return slope(answers()) / slope(answers(turned=True))


def rest() -> Figure:
    items = answers()
    parts = [
        pd.DataFrame({"x": items[item], "y": items.drop(columns=item).mean(axis=1), "group": item.replace("_", " ")})
        for item in (ITEMS[0], TURNED)
    ]
    return cloud(
        pd.concat(parts),
        title="Two items against the rest of the questionnaire",
        labels=("Answer to the item", "Mean of the other items"),
        name="reversal-rest",
        caption="Each dot is a person, moved a little sideways. An item that asks for the same thing rises to the"
        " right.",
    )


EXERCISES = {
    "alpha": Exercise(
        asked="alpha of the six items, as they were exported.",
        right=lambda: alpha(answers())[0],
        checked="the first of the three numbers that `cronbach_alpha` gives.",
        unchecked="whether the six items measure *one* thing. No alpha shows that.",
        hints=(
            "Alpha is high where people who score high on one item score high on the others.",
            "`rk.scales.cronbach_alpha` takes the answers as an array and gives three numbers: alpha and its interval.",
            "`rk.scales.cronbach_alpha(items.to_numpy(float))[0]`",
        ),
        mistakes=(
            Mistake(
                lambda: alpha(answers())[1],
                "That is the lower end of its interval. Alpha itself is the first of the three.",
            ),
            Mistake(
                lambda: float(answers().corr().to_numpy()[np.triu_indices(len(ITEMS), 1)].mean()),
                "That is the mean correlation of two items. Alpha is about the sum of all six, and larger.",
            ),
            Mistake(
                lambda: alpha(answers(turned=True))[0],
                "You are ahead: this is alpha after one item is turned round. First as exported.",
            ),
        ),
        told=lambda: (
            f"{wording.number(alpha(answers())[0])}. A rule of thumb asks for 0.7 at least, so the first thought is to"
            " throw the questionnaire away. Look at the items first."
        ),
    ),
    "item": Exercise(
        asked="which item goes against the others.",
        right=against,
        checked="the name of the item with the lowest correlation with the sum of the others.",
        unchecked="why it goes against them. Read the questionnaire.",
        hints=(
            "Compare each item with the rest of the questionnaire: the sum of the other five.",
            "`rk.scales.item_rest(items.to_numpy(float))` gives one correlation an item, in their order.",
            "One of the six has another sign than the rest.",
        ),
        mistakes=(
            Mistake(
                lambda: str(answers().mean().idxmin()),
                "That is the item with the lowest mean. Few people go so far as to say it; that is no fault. Look at"
                " correlations.",
            ),
        ),
        words=tuple(ITEMS),
        told=lambda: (
            f"{against()} asks about the energy that is left after a shift. Who has much energy left is *less*"
            f" exhausted: high"
            f" answers"
            " mean the opposite of what they mean elsewhere."
        ),
    ),
    "turned": Exercise(
        asked="the mean of that item after it is turned round, on the same scale from 0 to 100.",
        right=lambda: float(answers(turned=True)[TURNED].mean()),
        checked="the mean of the turned item.",
        unchecked="each answer of it. If the mean is right, they most likely are.",
        hints=(
            "Whoever answered 100 should count as 0, whoever answered 0 as 100, and 25 becomes 75.",
            "Lowest answer plus highest answer, less the answer.",
            '`(100 - items["item_4"]).mean()`',
        ),
        mistakes=(
            Mistake(
                lambda: -float(answers()[TURNED].mean()),
                "A minus sign alone leaves the scale: a questionnaire from 0 to 100 has no answers below zero.",
            ),
            Mistake(
                lambda: float(answers()[TURNED].mean()),
                "That is the item as exported, not yet turned.",
            ),
            Mistake(
                lambda: float((6 - answers()[TURNED]).mean()),
                "Six less the answer turns a scale from 1 to 5. This one runs from 0 to 100.",
                made=lambda given: given < 0,
            ),
        ),
        told=lambda: "Turned round, it says how much energy is *gone*, as the other five do.",
    ),
    "after": Exercise(
        asked="alpha of the six items with that one turned round.",
        right=lambda: alpha(answers(turned=True))[0],
        checked="alpha of all six, one turned.",
        unchecked="whether another item is turned in another language or version. Look for each export.",
        hints=(
            'Make a copy in which only that item is turned: `items.assign(item_4=100 - items["item_4"])`.',
            "Then as in the first exercise.",
        ),
        mistakes=(
            Mistake(
                lambda: alpha(answers())[0],
                "That is alpha as exported. Did the turned item get into the table? (Or were all six turned? Then all"
                " still stand as they stood to each other.)",
            ),
            Mistake(
                lambda: alpha(answers(without=(TURNED,)))[0],
                "You left the item out. That hides the fault and throws an honest answer of everybody away; turned"
                " round,"
                " it helps.",
            ),
        ),
        within=0.005,
        told=lambda: (
            f"From {wording.number(alpha(answers())[0])} to {wording.number(alpha(answers(turned=True))[0])}. The"
            " questionnaire was sound all along."
        ),
    ),
    "left": Exercise(
        asked="which share of the slope over workload is left when nobody notices: slope as exported, by slope mended.",
        right=left,
        checked="the ratio of the two slopes, as a share between 0 and 1.",
        unchecked="whether the load acts on exhaustion, or something goes with both. That was lesson 2.",
        hints=(
            "The score is the mean of the six items. Draw its line over `workload`, once as exported and once mended.",
            '`np.polyfit(people["workload"], items.mean(axis=1), 1)[0]` is the slope as exported.',
            "Divide it by the same slope of the mended items.",
        ),
        mistakes=(
            Mistake(lambda: 1 / left(), "You divided the other way round: the slope as exported comes on top."),
            Mistake(lambda: 1 - left(), "That is the share that is lost. How much is left?"),
            Mistake(
                lambda: slope(answers()),
                "That is the slope as exported. Divide it by the slope of the mended items.",
            ),
        ),
        told=lambda: (
            f"{wording.percent(left(), 0)} of it is left. Mended, a patient more a shift goes with"
            f" {wording.number(slope(answers(turned=True)))} points; planted are"
            f" {wording.number(planted('hospital', 'workload'))}. Nothing crashed, nothing warned: an answer only"
            f" came out"
            " too small."
        ),
    ),
}

LESSON = Lesson(
    4,
    "Is the questionnaire bad?",
    "Look at the items before you trust, or throw away, their score.",
    35,
    EXERCISES,
    tables,
    STUDY,
    {"rest": rest},
)
