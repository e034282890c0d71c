"""Lesson 2: easy calls are kind calls. What goes with both makes kindness look fast; among like problems it takes"
" time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.estimators import Effect
from researchkit.figures import Figure, cloud, forest
from researchkit.learn import worlds
from researchkit.learn.exercise import Exercise, Lesson, Mistake
from researchkit.learn.worlds import frame, planted
from researchkit.simulate import contact_centre, simulate

CALLS, SEED = 1_500, 20260104
BANDS = ["easy", "middling", "hard"]
BEFORE = ["severity", "tenure", "birth_month"]  # settled before the call; trust comes after it
STUDY = """\
title: Does compassion take time?
seed: 20260104
simulated: true
files: calls.csv
design: observational            # nobody drew lots over who was handled kindly
rows: calls
clusters: agent_id
columns:
  agent_id: {label: Agent, type: id}
  channel: {label: Channel, codes: {phone: Phone, chat: Chat, email: E-mail}}
  severity: {label: Severity of the problem, unit: point, range: [0, 10]}
  tenure: {label: Time as a customer, unit: year, range: [0, 40]}
  birth_month: {label: Month of birth, range: [1, 12]}
  compassion: {label: Compassion of the handling, unit: point, range: [1, 5], source: blind rater}
  minutes: {label: Handling time, unit: minute, range: [0, 240]}
  trust: {label: Trust after the call, unit: point, range: [1, 7], source: customer}
questions:
  - id: time
    title: Does compassion take time?
    claim: CUL-8
    family: loyalty
    exposure: compassion
    outcome: {column: minutes, kind: score, unit: minute, good: low}
    adjust: [severity, channel]
    smallest_effect: 0.25
    expect: worse                # the claim is one against compassion: it costs minutes
"""


def tables() -> dict[str, pd.DataFrame]:
    contacts = simulate("contact_centre", rows=CALLS, seed=SEED)["interactions.parquet"].dropna(subset=["compassion"])
    contacts = contacts.rename(columns={"handle_minutes": "minutes"})
    calls = contacts[["agent_id", "channel", *BEFORE, "compassion", "minutes", "trust"]].reset_index(drop=True)
    bands = pd.qcut(calls["severity"], 3, labels=BANDS).astype(str)
    return {"calls.csv": calls.astype({"compassion": float}), "bands.csv": calls.assign(problem=bands)}


def calls() -> pd.DataFrame:
    return frame("confounding", "bands")


def crude() -> Effect:
    return worlds.effect("confounding", "time", ())


def fair() -> Effect:
    return worlds.effect("confounding", "time")


def truth() -> float:
    return planted("contact_centre", "handling_time")


def slope(x: str = "compassion", y: str = "minutes", problem: str | None = None) -> float:
    part = calls() if problem is None else calls()[calls()["problem"] == problem]
    return float(np.polyfit(part[x], part[y], 1)[0])


def goes_with_both() -> str:
    """Of what was settled before the call, the column that goes most with compassion and with minutes, both."""
    with_ = calls()[[*BEFORE, "compassion", "minutes"]].corr().abs()
    return str(with_.loc[BEFORE, ["compassion", "minutes"]].min(axis=1).idxmax())


def shared() -> set[str]:
    """What acts on compassion and on the minutes in this world, by the names of its columns."""
    slopes = contact_centre.SLOPES
    both = set(slopes["compassion"]) & set(slopes["minutes"]) - {"one"}
    return {"channel" if name in contact_centre.CHANNELS else name for name in both}


def holds() -> str:
    found = [name for name, one in (("simple", crude()), ("fair", fair())) if one.low <= truth() <= one.high]
    return found[0] if len(found) == 1 else ("both" if found else "neither")


def bands() -> Figure:
    part = calls()
    points = pd.DataFrame({"x": part["compassion"], "y": part["minutes"], "group": part["problem"]})
    points["group"] = pd.Categorical(points["group"], BANDS, ordered=True)
    points = points.sort_values("group", kind="stable").astype({"group": str})
    return cloud(
        points,
        title="The same calls, seen whole and among like problems",
        labels=("Compassion of the handling", "Minutes"),
        whole="all calls",
        name="confounding-bands",
        caption="Each dot is a call. The dashed line runs through all of them, the others through a third each. Dots"
        " are moved a little sideways, so that they can be seen.",
    )


def sides() -> Figure:
    rows = [("Simple: nothing held equal", *three(crude())), ("Fair: severity and channel equal", *three(fair()))]
    return forest(
        rows,
        title="The simple and the fair comparison",
        unit="minutes for one point of compassion",
        band=(-0.25, 0.25),
        highlight=1,
        name="confounding-sides",
    )


def three(one: Effect) -> tuple[float, float, float]:
    return one.estimate, one.low, one.high


EXERCISES = {
    "simple": Exercise(
        asked="by how many minutes calls differ for each point of compassion, nothing held equal.",
        right=lambda: crude().estimate,
        checked="the slope, in minutes for a point, and its sign.",
        unchecked="whether the comparison is a fair one. That is what the lesson is about.",
        hints=(
            "You want the slope of minutes over compassion: how much the line goes up for one step to the right.",
            "`rk.estimate` gives it; an empty list for `adjust` holds nothing equal.",
            "`rk.estimate(dataset, asked, adjust=[]).estimate`",
        ),
        mistakes=(
            Mistake(
                lambda: float(calls()["compassion"].corr(calls()["minutes"])),
                "That is the correlation. It says how close the dots lie to a line, not by how many minutes it rises or"
                " falls.",
            ),
            Mistake(
                lambda: slope("minutes", "compassion"),
                "You have points of compassion for each minute. The question is the other way round: minutes for each"
                " point.",
            ),
            Mistake(
                lambda: fair().estimate,
                "That is the comparison with severity and channel held equal. It comes later; first hold nothing"
                " equal.",
            ),
        ),
        told=lambda: (
            f"{wording.number(crude().estimate, sign=True)} minutes for a point:"
            f" {'kinder calls are the shorter ones' if crude().estimate < 0 else 'kinder calls are the longer ones'}."
            " This is the number on the slide, and it is worked out correctly. What it means is another matter."
        ),
    ),
    "both": Exercise(
        asked="which column, settled before the call, goes most with compassion and with the minutes, both.",
        right=goes_with_both,
        checked="the name: among severity, tenure and birth_month the one whose weaker tie is the strongest.",
        unchecked="whether something that nobody wrote down goes with both, too.",
        hints=(
            "Something that makes calls kind *and* short has to go with both. A table of correlations shows it.",
            '`calls.corr(numeric_only=True)[["compassion", "minutes"]]`, and look along the rows.',
            "Leave out what comes after the call. Which row is far from zero in both columns?",
        ),
        mistakes=(
            Mistake(
                lambda: "trust",
                "Trust goes with compassion, but it comes *after* the call. It cannot have made the call kind or"
                " short.",
            ),
            Mistake(
                lambda: "tenure",
                "Tenure goes with neither of the two by much. What makes trouble has to go with both.",
            ),
        ),
        words=("severity", "tenure", "birth_month", "trust"),
        told=lambda: (
            "Hard problems take long, and they make it hard to be kind. So kind calls are short calls even if kindness"
            " itself does nothing, or takes time."
        ),
    ),
    "middling": Exercise(
        asked="by how many minutes calls differ for each point of compassion, among middling problems only.",
        right=lambda: slope(problem="middling"),
        checked="the slope among the calls whose `problem` is middling.",
        unchecked='the other two thirds. Try them: `calls.groupby("problem")`.',
        hints=(
            'Keep the rows whose `problem` is "middling", and draw the line through these alone.',
            '`part = calls[calls["problem"] == "middling"]`',
            '`np.polyfit(part["compassion"], part["minutes"], 1)[0]` is the slope.',
        ),
        mistakes=(
            Mistake(lambda: slope(), "That is the slope through all calls. Keep the middling problems only."),
            Mistake(
                lambda: slope(problem="easy"),
                "That is the slope among the easy problems. The question is about the middling ones.",
            ),
            Mistake(
                lambda: slope(problem="hard"),
                "That is the slope among the hard problems. The question is about the middling ones.",
            ),
            Mistake(
                lambda: slope("minutes", "compassion", "middling"),
                "You have points for each minute. Compassion runs along, minutes run up: it comes first in `polyfit`.",
            ),
        ),
        told=lambda: (
            "Easy "
            + ", middling ".join(wording.number(slope(problem=band), sign=True) for band in BANDS[:2])
            + f", hard {wording.number(slope(problem='hard'), sign=True)}; all calls together"
            f" {wording.number(slope(), sign=True)}. The whole says something that none of its parts says."
        ),
    ),
    "adjust": Exercise(
        asked="which columns have to be held equal: those that act on compassion and on the minutes.",
        right=shared,
        checked="the set of names, against what acts on both in this world.",
        unchecked="your own world. There nobody hands you the list; you have to know the field.",
        hints=(
            "Ask of each column: was it settled before the call, and can it act on both?",
            "The harder the problem, the longer the call and the shorter the patience. What else differs between a"
            " chat and"
            " an e-mail?",
            "Two columns. Both stand in the study file under `adjust`.",
        ),
        mistakes=(
            Mistake(
                lambda: {"severity"},
                "Severity does most of it, but something else acts on both, too: how the customer got in touch.",
            ),
            Mistake(
                lambda: {"severity", "channel", "trust"},
                "Trust comes after the call. What follows from kindness must not be held equal, or a part of what"
                " kindness"
                " does goes with it.",
                made=lambda given: "trust" in given,
            ),
            Mistake(
                lambda: {"severity", "channel", "tenure", "birth_month"},
                "More is not safer. Tenure and the month of birth do not act on how kind the call is; they are no harm"
                " here, but they are not needed either.",
                made=lambda given: bool({"tenure", "birth_month"} & given),
            ),
        ),
        words=("severity", "channel", "tenure", "birth_month", "trust"),
        told=lambda: (
            "The two that come before both. In a study file they go under `adjust`, with the arrows that you believe in"
            " under `causes`."
        ),
    ),
    "fair": Exercise(
        asked="by how many minutes calls differ for each point of compassion, with what acts on both held equal.",
        right=lambda: fair().estimate,
        checked="the estimate that the question in the study file asks for.",
        unchecked="whether that is enough. In this world it is; in yours nobody can look.",
        hints=(
            "The question in the study file already names what to hold equal: `asked.adjust`.",
            "Ask as before, without the empty list.",
            "`rk.estimate(dataset, asked).estimate`",
        ),
        mistakes=(
            Mistake(
                lambda: crude().estimate,
                "That is the simple comparison again. An empty `adjust` holds nothing equal; leave it out.",
            ),
            Mistake(
                lambda: worlds.effect("confounding", "time", ("severity", "channel", "trust")).estimate,
                "You held trust equal as well. Trust comes after the call; it can only take something away or bend it.",
            ),
        ),
        told=lambda: (
            f"{wording.number(fair().estimate, sign=True)} minutes for a point, where the simple comparison said"
            f" {wording.number(crude().estimate, sign=True)}. Among calls that are alike, kindness takes time."
        ),
    ),
    "truth": Exercise(
        asked="which interval holds the truth: simple, fair, both or neither.",
        right=holds,
        checked="which of the two intervals has the truth between its ends.",
        unchecked="how close the other one came. Look at the picture.",
        hints=(
            'The truth is `learn.planted("contact_centre", "handling_time")`.',
            "Is it between `simple.low` and `simple.high`? Between `fair.low` and `fair.high`?",
        ),
        mistakes=(
            Mistake(
                lambda: "simple",
                "Look again at both ends, and at the sign of the truth.",
            ),
            Mistake(
                lambda: "both",
                "The two intervals do not even touch; the truth cannot be in both.",
            ),
            Mistake(lambda: "neither", "One of them has the truth between its ends. Compare numbers, not pictures."),
        ),
        words=("simple", "fair", "both", "neither"),
        told=lambda: (
            f"The truth is {wording.number(truth(), sign=True)} minutes for a point. The simple interval is narrow and"
            " wrong. An interval knows chance, and only chance."
        ),
    ),
}

LESSON = Lesson(
    2,
    "Do kind calls save time?",
    "What goes with both sides makes a comparison unfair, and more data do not help.",
    45,
    EXERCISES,
    tables,
    STUDY,
    {"bands": bands, "sides": sides},
)
