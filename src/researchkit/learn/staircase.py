"""Lesson 9: who may be compared with whom, when sites begin one after the other, with lots and without."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from researchkit import stages, wording
from researchkit.estimators import Effect, estimate
from researchkit.figures import Figure
from researchkit.learn import study, table
from researchkit.learn.exercise import Exercise, Lesson, Mistake
from researchkit.learn.worlds import planted
from researchkit.simulate import contact_centre_rollout, hospital_wedge, simulate

if TYPE_CHECKING:
    from researchkit.answer import Answer

SEED = 20251101
STUDY = resources.files(__package__).joinpath("staircase.yml").read_text(encoding="utf-8")
MIDDLE, WINDOW = 6, ((4, 5), (6, 7))  # the sites that begin in month 6; two months before, two after
OTHERS = {"early": 4, "late": 8, "never": None}  # the first month of each group
points = wording.number
BEFORE = 2019  # the first year in which a hospital adopted the policy


def tables() -> dict[str, pd.DataFrame]:
    """Contacts of 24 sites, answers of 20 wards that began by lot, and hospitals that adopted a policy at will."""
    found = simulate("contact_centre_rollout", rows=contact_centre_rollout.ROWS, seed=SEED)["contacts.csv"]
    wedge = simulate("hospital_wedge", rows=hospital_wedge.ROWS, seed=SEED)
    columns = ["site", "month", "trained", "trained_from", "severity", "compassion"]
    wards = wedge["staff.csv"][["ward", "wave", "support", "support_from", "exhaustion"]]
    return {"contacts.csv": found[columns], "wards.csv": wards, "hospitals.csv": wedge["hospitals.csv"]}


@cache
def rows_of(file: str) -> pd.DataFrame:
    return table("staircase", file)


def mean(rows: pd.Series) -> float:
    return float(rows_of("contacts").loc[rows.fillna(False).astype(bool), "compassion"].mean())


def group(start: int | None) -> pd.Series:
    """The contacts of the sites that begin in a month; None: never."""
    first = rows_of("contacts")["trained_from"]
    return first.isna() if start is None else first == start


def naive() -> float:
    return mean(rows_of("contacts")["trained"] == 1) - mean(rows_of("contacts")["trained"] == 0)


def after_less_before(start: int | None) -> float:
    """The change of a group of sites, from the two months before the middle ones began to the two after."""
    before, after = (rows_of("contacts")["month"].isin(months) for months in WINDOW)
    return mean(group(start) & after) - mean(group(start) & before)


def by_hand(other: str = "never") -> float:
    return after_less_before(MIDDLE) - after_less_before(OTHERS[other])


def head_start() -> float:
    """How much kinder the early sites were than those never trained, before anybody was trained."""
    early = rows_of("contacts")["month"] < int(OTHERS["early"] or 0)
    return mean(group(OTHERS["early"]) & early) - mean(group(None) & early)


def waiting() -> set[str]:
    """The groups that have not begun by the end of the window."""
    last = max(WINDOW[1])
    return {name for name, start in OTHERS.items() if start is None or start > last}


@cache
def effect(question: str) -> Effect:
    from researchkit.dataset import load_dataset

    asked = study("staircase")
    one = asked.question(question)
    return estimate(load_dataset(asked, asked.table_of(one)), one)


@cache
def usual() -> float:
    """The coefficient of the regression with a level for each site and each month."""
    frame = rows_of("contacts")
    columns = [pd.get_dummies(frame[name], drop_first=True, dtype=float) for name in ("site", "month")]
    design = np.column_stack([frame["trained"], frame["severity"], np.ones(len(frame)), *columns]).astype(float)
    return float(np.linalg.lstsq(design, frame["compassion"].to_numpy(), rcond=None)[0][0])


def both_kinds() -> int:
    """In how many waves there were wards with support and wards without."""
    return int((rows_of("wards").groupby("wave")["support"].nunique() == 2).sum())


def yearly(adopters: bool | None, years: pd.Series) -> float:
    """By how much readmission changed a year; None: that of those who adopt, less that of the others."""
    if adopters is None:
        return yearly(True, years) - yearly(False, years)
    chosen = rows_of("hospitals")[(rows_of("hospitals")["adopted_from"].notna() == adopters) & years]
    return float(np.polyfit(chosen["year"].astype(float), chosen["readmission"].astype(float), 1)[0])


def drift() -> float:
    return yearly(None, rows_of("hospitals")["year"] < BEFORE)


@cache
def answer(question: str) -> Answer:
    from researchkit.answer import answer_question

    return answer_question(study("staircase"), question)


def since(question: str) -> Figure:
    return cast("Figure", stages.since(answer(question)))  # both questions have stages


EXERCISES = {
    "naive": Exercise(
        asked="by how many points the handling is kinder in contacts of trained sites than in all the others.",
        right=naive,
        checked="the number, to about two digits, and its sign.",
        unchecked="whether it is due to the training.",
        hints=(
            "One mean where `trained` is 1, one where it is 0.",
            '`contacts.groupby("trained")["compassion"].mean()` gives both.',
            "Take the second from the first: trained less not trained.",
        ),
        mistakes=(
            Mistake(lambda: -naive(), "You took the trained from the others. Trained less not trained is asked for."),
            Mistake(
                lambda: mean(~group(None)) - mean(group(None)),
                "You compared sites that are ever trained with those that never are, in all months. Trained *by then*"
                " is in the column `trained`.",
            ),
        ),
        told=lambda: f"{points(naive())} points. This is the number that the supplier of the training puts on a slide.",
    ),
    "head_start": Exercise(
        asked="by how many points the sites of month 4 were kinder than those never trained, in months 1 to 3.",
        right=head_start,
        checked="the number, to about two digits.",
        unchecked="why these sites were asked first. That is in no column.",
        hints=(
            "Keep months below 4: nobody had been trained then.",
            "Those of month 4 have `trained_from == 4`; those never trained have nothing there: `.isna()`.",
            'Of `first = contacts[contacts["month"] < 4]` you need two means of `compassion`.',
        ),
        mistakes=(
            Mistake(
                lambda: mean(group(4)) - mean(group(None)),
                "You took all months, and in most of them these sites had been trained. What were they like before?",
            ),
            Mistake(lambda: -head_start(), "The size is right. Early sites less those never trained is asked for."),
            Mistake(
                lambda: (
                    mean(group(4) & (rows_of("contacts")["month"] < 4))
                    - mean(~group(4) & (rows_of("contacts")["month"] < 4))
                ),
                "You compared them with all other sites. Those never trained are asked for.",
            ),
        ),
        told=lambda: (
            f"{points(head_start())} points, and nobody had been trained. Keen sites volunteered first. So the simple"
            " comparison is in part about who was asked, not about what was learned."
        ),
    ),
    "change": Exercise(
        asked="by how much more the sites of month 6 changed than those never trained: the mean of months 6 and 7 less"
        " that of months 4 and 5, in both, and the difference of the two.",
        right=by_hand,
        checked="the number, to about two digits, and its sign.",
        unchecked="whether both would have changed alike without training. You can only look at the months before.",
        hints=(
            "Four means: two groups of sites, two stretches of months.",
            "First the change in each group: after less before. Then one change less the other.",
            "`(after_six - before_six) - (after_never - before_never)`",
        ),
        mistakes=(
            Mistake(
                lambda: by_hand("early"),
                "You compared with the sites of month 4. They were trained already, and their own handling was still"
                " getting kinder: you took a part of the effect away from itself.",
            ),
            Mistake(
                lambda: after_less_before(MIDDLE),
                "That is how the sites of month 6 changed. Months go by for all: by how much did the others change?",
            ),
            Mistake(
                lambda: (
                    mean(group(MIDDLE) & rows_of("contacts")["month"].isin(WINDOW[1]))
                    - mean(group(None) & rows_of("contacts")["month"].isin(WINDOW[1]))
                ),
                "That is the gap after the training. How large was it before?",
            ),
            Mistake(lambda: -by_hand(), "The size is right. After less before, and trained less never, are asked for."),
        ),
        told=lambda: (
            f"{points(by_hand())} points in the first two months. What the sites were like before has gone, and what"
            " happened to all of them has gone. Against the sites of month 4 it would have been"
            f" {points(by_hand('early'))}."
        ),
    ),
    "waiting": Exercise(
        asked="which of early, late and never may be held beside the sites of month 6, in months 4 to 7. Give a list.",
        right=waiting,
        checked="the names: who had not begun by the end of month 7.",
        unchecked="whether they are like the sites of month 6 in all else.",
        hints=(
            "Early sites began in month 4, late ones in month 8.",
            "A good comparison shows what would have happened without training. Who was without it all the time?",
            "Two of the three.",
        ),
        mistakes=(
            Mistake(
                lambda: {"early", "late", "never"},
                "Early sites had been trained already, and what training does was still growing there.",
                made=lambda given: "early" in given,
            ),
            Mistake(
                lambda: {"never"},
                "They may be. But there are others who had to wait, and more of them make a narrower interval.",
            ),
            Mistake(lambda: {"late"}, "They may be, until they begin. Who else was without training?"),
        ),
        words=tuple(OTHERS),
        told=lambda: "Those not begun yet, and those who never do. That is the rule of the house.",
    ),
    "fair": Exercise(
        asked="the effect of the training over all months and sites, each compared with those not begun yet.",
        right=lambda: effect("training").estimate,
        checked="the number, to about two digits.",
        unchecked="how wide its interval is. Look at it, too.",
        hints=(
            "The study file says how: `rollout:` names the site, the month and the start.",
            "`rk.estimate(dataset, asked).estimate`",
        ),
        mistakes=(
            Mistake(
                usual,
                "That is the usual regression, with a level for each site and each month. It also holds late starters"
                " against early ones, whose handling is still getting kinder, and comes out too low.",
            ),
            Mistake(naive, "That is the number of the slide. Early sites were kinder before."),
            Mistake(by_hand, "That is one group of sites in its first two months. All of them are asked for."),
        ),
        told=lambda: (
            f"{points(effect('training').estimate)} points, and the truth of this world is"
            f" {points(planted('contact_centre_rollout', 'training'))}. The slide said {points(naive())}, the usual"
            f" regression says {points(usual())}."
        ),
    ),
    "waves": Exercise(
        asked="in how many waves of the hospital there were both: wards with support, and wards that still waited.",
        right=both_kinds,
        checked="the number of waves.",
        unchecked="how many wards there were of each.",
        hints=(
            'Lay them out: `wards.groupby(["wave", "support"])["ward"].nunique().unstack()`.',
            "A wave with a gap in one of the two columns has nobody to compare.",
        ),
        mistakes=(
            Mistake(
                lambda: int(rows_of("wards")["wave"].nunique()),
                "Those are all waves. In some of them, all wards were alike.",
            ),
            Mistake(
                lambda: int(rows_of("wards").loc[rows_of("wards")["support"] == 1, "wave"].nunique()),
                "You counted the waves with support, or those in which somebody waited. Both at once are asked for.",
            ),
        ),
        within=0.001,
        told=lambda: (
            f"{both_kinds()} of {rows_of('wards')['wave'].nunique()}. On a staircase all arrive in the end, and then"
            " there is nobody left to compare with. The first wave is no loss: it shows what the wards were like."
        ),
    ),
    "drift": Exercise(
        asked="by how many points a year readmission moved in hospitals that were to adopt the policy, less in those"
        " that never did, before any of them had it.",
        right=drift,
        checked="the number, to about two digits, and its sign.",
        unchecked="why they moved.",
        hints=(
            "Keep the years before 2019. Whoever has a year in `adopted_from` is to adopt it.",
            '`np.polyfit(rows["year"], rows["readmission"], 1)[0]` is the slope of a line: points a year.',
            "One slope for those who adopt, one for those who never do, and the difference.",
        ),
        mistakes=(
            Mistake(
                lambda: yearly(True, rows_of("hospitals")["year"] < BEFORE),
                "That is how those who were to adopt it moved. And the others?",
            ),
            Mistake(lambda: -drift(), "The size is right. Those who adopt less those who never do."),
        ),
        told=lambda: (
            f"{points(drift())} points a year, before any policy. They were getting better anyhow, and went on."
            f" Planted: {wording.typed(planted('hospital_wedge', 'policy'))} for the policy."
        ),
    ),
    "word": Exercise(
        asked="which of the four words the policy deserves: supported, contradicted, too small to matter, cannot tell.",
        right=lambda: answer("policy").verdict.word,
        checked="the word, by the rule of the house, with all attacks on the answer.",
        unchecked="whether the policy is a good one for other reasons.",
        hints=(
            'Look at the years before the start: `learn.picture("staircase.policy")`.',
            "An interval is worth no more than the comparison behind it. Did the two move alike before?",
        ),
        mistakes=(
            Mistake(
                lambda: "supported",
                "The interval leaves out zero. But the same comparison finds a change in the years before the policy,"
                " when there was none.",
            ),
            Mistake(lambda: "contradicted", "Readmissions fell. What makes you doubt that the policy did it?"),
            Mistake(
                lambda: "too small to matter",
                "That would need a comparison which can be believed, and all of its interval inside the band.",
            ),
        ),
        words=("supported", "contradicted", "too small to matter", "cannot tell"),
        told=lambda: answer("policy").verdict.sentence,
    ),
}

LESSON = Lesson(
    9,
    "What changes when sites begin one by one?",
    "Hold each that begins against those that have not begun yet, and look at the time before.",
    50,
    EXERCISES,
    tables,
    STUDY,
    {"training": lambda: since("training"), "policy": lambda: since("policy")},
)
