"""Lesson 11: not different has to be shown. A conversation, nights in hospital, and three studies of different size."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.estimators import Effect, estimate
from researchkit.figures import Figure, forest
from researchkit.learn import study, table
from researchkit.learn.exercise import Exercise, Lesson, Mistake
from researchkit.learn.worlds import planted
from researchkit.robustness.equivalence import two_one_sided
from researchkit.simulate import hospital, simulate
from researchkit.verdict import ruling

SEED, FEW, MANY = 20251101, 160, 60_000
COSTS = {"minutes": 90, "hour": 60, "night": 180}  # of a conversation, with its training; an hour and a night in euros
MARGIN = COSTS["minutes"] / 60 * COSTS["hour"] / COSTS["night"]
WORDS = ("supported", "contradicted", "too small to matter", "cannot tell")
STUDY = f"""\
title: Does a short conversation shorten the stay?
seed: 20251101
simulated: true
design: randomised               # each patient's care was drawn by lot
tables:
  stays: {{files: stays.csv, people: patient_id, rows: stays}}
  few: {{files: few.csv, people: patient_id, rows: stays}}
columns:
  patient_id: {{label: Patient, type: id}}
  arm: {{label: Care, codes: {{usual: usual care, compassionate: usual care and a short compassionate conversation}}}}
  length_of_stay: {{label: Length of stay, unit: night, range: [1, 120], source: admission record}}
questions:
  - id: stay
    title: Does a short conversation shorten the stay?
    claim: REC-3
    table: stays
    exposure: {{column: arm, reference: usual, level: compassionate}}
    outcome: {{column: length_of_stay, kind: score, unit: night, good: low}}
    smallest_effect: {MARGIN}
"""


def tables() -> dict[str, pd.DataFrame]:
    """One hospital's stays, the first few of them, what things cost, and studies of three sizes by their intervals."""
    large = simulate("hospital", rows=MANY, seed=SEED)["stays.csv"]
    usual = simulate("hospital", rows=hospital.ROWS, seed=SEED)["stays.csv"]
    columns = ["patient_id", "arm", "length_of_stay"]
    sizes = {"a small study": usual[:FEW], "one hospital": usual, "fifteen hospitals": large}
    rows = [{"study": name, "patients": len(rows), **between(rows)} for name, rows in sizes.items()]
    return {
        "stays.csv": usual[columns],
        "few.csv": usual[:FEW][columns],
        "sizes.csv": pd.DataFrame(rows),
        "costs.csv": pd.DataFrame([COSTS]),
    }


def between(rows: pd.DataFrame) -> dict[str, float]:
    """The difference in nights with its interval, as `estimate` gives it for two groups (HC3)."""
    from scipy import special

    kind, usual = (rows.loc[rows["arm"] == arm, "length_of_stay"] for arm in ("compassionate", "usual"))
    se = float(np.sqrt(kind.var() / (len(kind) - 1) + usual.var() / (len(usual) - 1)))
    gap, half = float(kind.mean() - usual.mean()), float(special.stdtrit(len(rows) - 2, 0.975)) * se
    return {"estimate": gap, "low": gap - half, "high": gap + half}


@cache
def sizes() -> pd.DataFrame:
    return table("small", "sizes").set_index("study")


@cache
def effect(which: str = "stays") -> Effect:
    from researchkit.dataset import load_dataset

    asked = study("small")
    return estimate(load_dataset(asked, which), asked.question("stay"))


def word(name: str) -> str:
    """The word that a study of `sizes` deserves."""
    low, high = (float(sizes()[end].to_numpy()[list(sizes().index).index(name)]) for end in ("low", "high"))
    return ruling(low, high, study("small").question("stay"))


def both_tests() -> dict[str, float]:
    few = effect("few")
    return two_one_sided(few.estimate, few.se, MARGIN, few.df)


def widest() -> float:
    """The smallest margin by which the small study would say "too small to matter"."""
    few = effect("few")
    return max(abs(few.low), abs(few.high))


def enough(power: float = 2) -> float:
    """How many patients make the half-width of the small study's interval as narrow as the margin."""
    few = effect("few")
    return FEW * float(((few.high - few.low) / 2 / MARGIN) ** power)


def three() -> Figure:
    columns = (sizes()[name].tolist() for name in ("patients", "estimate", "low", "high"))
    return forest(
        [
            (f"{name} ({wording.count(patients)})", *drawn)
            for name, patients, *drawn in zip(sizes().index, *columns, strict=True)
        ],
        title="The same conversation, three studies",
        unit="nights, conversation less usual care",
        band=(-MARGIN, MARGIN),
        name="small-three",
        caption="Patients in brackets.",
    )


nights = wording.number
EXERCISES = {
    "margin": Exercise(
        asked="how many nights a conversation has to save, on average, to pay for itself.",
        right=lambda: MARGIN,
        checked="the number of nights, from what a conversation and a night cost.",
        unchecked="whether money is all that counts. A patient may say that a calm night counts more.",
        hints=(
            "What does one conversation cost? It takes `minutes`, and an `hour` of a nurse has a price.",
            "A night costs `night`. How much of a night does one conversation cost?",
            "`costs.minutes / 60 * costs.hour / costs.night`",
        ),
        mistakes=(
            Mistake(
                lambda: MARGIN * 60,
                "Minutes times the price of an hour: sixty times too dear.",
            ),
            Mistake(
                lambda: COSTS["minutes"] / 60 * COSTS["hour"],
                "That is what a conversation costs, in euros. How many nights is that?",
            ),
            Mistake(
                lambda: COSTS["minutes"] / COSTS["night"] / 60,
                "The minutes are turned into hours, but nobody is paid for them yet.",
            ),
            Mistake(lambda: 1 / MARGIN, "The other way round: that is how many conversations a night pays for."),
        ),
        told=lambda: (
            f"{wording.typed(MARGIN)} nights. Less than that is too small to matter here. It was worked out before"
            " anybody looked at the stays, and it stands in the study file."
        ),
    ),
    "hospital": Exercise(
        asked="which of the four words the study of one hospital deserves.",
        right=lambda: word("one hospital"),
        checked="the word, by the rule of the house and the band of the study file.",
        unchecked="whether the conversation is good for anything else. It does calm patients.",
        hints=(
            "Look at the whole interval: is it inside the band, on one side of zero, or neither?",
            "The band reaches from `-margin` to `margin`.",
        ),
        mistakes=(
            Mistake(
                lambda: "cannot tell",
                "The interval covers zero, but it does more: it leaves out every effect that would matter. That is an"
                " answer.",
            ),
            Mistake(
                lambda: "contradicted",
                "That would need the interval on the other side of zero. Nobody has shown that stays get longer.",
            ),
            Mistake(lambda: "supported", "That would need all of the interval on the side of shorter stays."),
        ),
        words=WORDS,
        told=lambda: (
            f"From {wording.interval(effect().low, effect().high)} nights: whatever the truth is, it is too little to"
            " pay. This is a finding, as good as any other."
        ),
    ),
    "few": Exercise(
        asked="which of the four words the small study deserves.",
        right=lambda: word("a small study"),
        checked="the word, by the same rule and the same band.",
        unchecked="whether anybody should do so small a study.",
        hints=(
            "Its interval covers zero, too. Is it inside the band?",
            "Which effects does it leave open? Would one of them matter?",
        ),
        mistakes=(
            Mistake(
                lambda: "too small to matter",
                "Not to have seen a difference is not to have seen that there is none. This interval reaches beyond"
                " the band: an effect that matters is still possible.",
            ),
            Mistake(lambda: "contradicted", "That would need the interval on the other side of zero."),
            Mistake(lambda: "supported", "That would need all of the interval on the side of shorter stays."),
        ),
        words=WORDS,
        told=lambda: "No difference was found, and none was excluded. Many abstracts stop after the first half.",
    ),
    "large": Exercise(
        asked="which of the four words the study of fifteen hospitals deserves.",
        right=lambda: word("fifteen hospitals"),
        checked="the word, by the same rule and the same band.",
        unchecked="how many readers stop at a p-value.",
        hints=(
            "Its interval leaves out zero. Is that all that the word asks for?",
            "Compare both ends with the band.",
        ),
        mistakes=(
            Mistake(
                lambda: "supported",
                "It is clear of zero, and so it is real. But clear of zero is not large: no value in the interval"
                " would pay for the conversation.",
            ),
            Mistake(lambda: "cannot tell", "So narrow an interval can tell. What does it tell?"),
            Mistake(lambda: "contradicted", "It lies on the claimed side, if barely."),
        ),
        words=WORDS,
        told=lambda: (
            f"The truth of this world is {nights(planted('hospital', 'length_of_stay'))} nights. With enough patients"
            " anything is clear of zero. That is why the band comes first."
        ),
    ),
    "equivalence": Exercise(
        asked="the p-value of equivalence in the small study: the larger of those of two one-sided tests.",
        right=lambda: both_tests()["p"],
        checked="the number, give or take a twentieth: t or normal makes no odds.",
        unchecked="whether you would have chosen this band without the data. It was there before.",
        within=0.06,
        hints=(
            "Two questions: is the effect above the lower edge of the band, and is it below the upper one?",
            "How many standard errors lie between the estimate and each edge: `(few.estimate + margin) / few.se` and"
            " `(margin - few.estimate) / few.se`.",
            "`stats.norm.sf` of each is its p-value. Both have to be small, so the larger one counts: `max(...)`.",
        ),
        mistakes=(
            Mistake(
                lambda: min(both_tests()["p_lower"], both_tests()["p_upper"]),
                "That is the smaller of the two. Both edges have to be excluded, so the worse one counts.",
            ),
            Mistake(
                lambda: effect("few").p,
                "That is the p-value of *no difference*. A large one shows nothing: not that there is none.",
            ),
        ),
        told=lambda: (
            f"{wording.capital(wording.probability(both_tests()['p']))}, and beside it"
            f" {wording.probability(effect('few').p)} for no difference. The second looks like peace of mind. The"
            " first says what it is worth."
        ),
    ),
    "fished": Exercise(
        asked="how wide the band would have to be, to either side, for the small study to say too small to matter.",
        right=widest,
        checked="the number of nights: the end of the interval that is further from zero.",
        unchecked="whether anybody would choose it afterwards. Some do.",
        hints=(
            "The whole interval has to lie inside. Which of its ends is further out?",
            "`max(abs(few.low), abs(few.high))`",
        ),
        mistakes=(
            Mistake(
                lambda: min(abs(effect("few").low), abs(effect("few").high)),
                "One end would lie inside then. The other one, too?",
            ),
            Mistake(
                lambda: (effect("few").high - effect("few").low) / 2,
                "That is half the width. It would do if the interval lay around zero; it does not, quite.",
            ),
            Mistake(lambda: abs(effect("few").estimate), "That is the dot. The whole interval has to lie inside."),
        ),
        told=lambda: (
            f"{nights(widest())} nights. Whoever names the band after the data can have any word. So it is named"
            " before, and locked."
        ),
    ),
    "enough": Exercise(
        asked="how many patients make half the width of the small study's interval as narrow as the margin.",
        right=enough,
        checked="the number of patients, give or take a twentieth.",
        unchecked="whether that is enough: the interval has to lie around zero as well. Plan for more.",
        within=0.05,
        hints=(
            "How many times as wide as the margin is half the interval now?",
            "The width goes with one over the square root of the number of patients. Half as wide takes four times as"
            " many.",
            "`160 * ((few.high - few.low) / 2 / margin) ** 2`",
        ),
        mistakes=(
            Mistake(
                lambda: enough(1),
                "So many times as many would do if the width went with the number. It goes with its square root.",
            ),
            Mistake(lambda: enough() / FEW, "That is how many times as many. How many patients?"),
            Mistake(
                lambda: enough() * 4,
                "You took the whole width. From the middle to one end is half of it.",
            ),
        ),
        told=lambda: (
            f"About {wording.count(math.ceil(enough()))}. To show that there is nothing takes more patients than to"
            " show that there is much."
        ),
    ),
}

LESSON = Lesson(
    11,
    "When is nothing a finding?",
    "That nothing matters is shown by an interval wholly inside a band that was named beforehand.",
    45,
    EXERCISES,
    tables,
    STUDY,
    {"three": three},
)
