"""Lesson 6: not yet is not never. Customers who have not left are neither gone nor there for good; a curve counts"
" them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.estimators import Effect
from researchkit.figures import Curve, Figure, curves
from researchkit.learn import worlds
from researchkit.learn.exercise import Exercise, Lesson, Mistake
from researchkit.learn.worlds import frame, planted, population
from researchkit.simulate import contact_centre as centre
from researchkit.simulate import simulate

CONTACTS, SEED = 1_500, 20260106
DAY, HORIZON = 300, 180  # of the shares; of the days that are counted in the study
STUDY = """\
title: Do kindly handled customers stay longer?
seed: 20260106
simulated: true
files: customers.csv
design: observational
rows: contacts
clusters: agent_id
columns:
  agent_id: {label: Agent, type: id}
  channel: {label: Channel, codes: {phone: Phone, chat: Chat, email: E-mail}}
  severity: {label: Severity of the problem, unit: point, range: [0, 10]}
  tenure: {label: Time as a customer, unit: year, range: [0, 40]}
  compassion: {label: Compassion of the handling, unit: point, range: [1, 5], source: blind rater}
  days: {label: Days as a customer that we know of, unit: day, range: [1, 500]}
  left: {label: Left, codes: {0: still a customer when we last looked, 1: left}}
questions:
  - id: days
    title: Do kindly handled customers stay longer?
    claim: LOY-1
    exposure: compassion
    outcome: {column: days, kind: duration, event: left, horizon: 180, unit: day, good: high}
    adjust: [severity, tenure, channel]
    smallest_effect: 2
"""


def tables() -> dict[str, pd.DataFrame]:
    contacts = simulate("contact_centre", rows=CONTACTS, seed=SEED)["interactions.parquet"].dropna(
        subset=["compassion"]
    )
    columns = {"days_active": "days", "churned": "left"}
    kept = contacts[["agent_id", "channel", "severity", "tenure", "compassion", *columns]].rename(columns=columns)
    return {"customers.csv": kept.astype({"compassion": float}).reset_index(drop=True)}


def customers() -> pd.DataFrame:
    return frame("censoring")


def truth() -> float:
    """The share who are still customers after `DAY` days, in the large centre."""
    return float(np.mean(centre.still_waiting(DAY, centre.leaving(population("contact_centre")), **centre.LEAVING)))


def gone() -> pd.Series:
    """Who is known to have left by the day."""
    return (customers()["left"] == 1) & (customers()["days"] <= DAY)


def unseen() -> pd.Series:
    """Who had not left when we last looked, and was not watched to the day."""
    return (customers()["left"] == 0) & (customers()["days"] <= DAY)


def curve_at(day: float = DAY) -> float:
    from researchkit.estimators.survival import survival_curve

    people = customers()
    return survival_curve(people["days"].to_numpy(float), people["left"].to_numpy(float)).at(day)[0]


def ways() -> dict[str, float]:
    """Four ways to say how many are still there."""
    return {
        "as gone": float((customers()["days"] > DAY).mean()),
        "as staying": 1 - float(gone().mean()),
        "left out": float((customers().loc[~unseen(), "days"] > DAY).mean()),
        "curve": curve_at(),
    }


def nearest() -> str:
    return min(ways(), key=lambda way: abs(ways()[way] - truth()))


def adjusted(adjust: tuple[str, ...] | None = None) -> Effect:
    return worlds.effect("censoring", "days", adjust)


def three() -> Figure:
    from researchkit.estimators.survival import survival_curve

    people, days = customers(), np.arange(1.0, DAY + 1)
    time, left = people["days"].to_numpy(float), people["left"].to_numpy(float)
    honest = survival_curve(time, left)
    shares = {
        "as gone": np.array([(time > day).mean() for day in days]),
        "as staying": np.array([1 - ((left == 1) & (time <= day)).mean() for day in days]),
    }
    flat = [Curve(label, days, share, share, share) for label, share in shares.items()]
    return curves(
        [Curve("curve", honest.times, honest.value, honest.low, honest.high), *flat],
        horizon=DAY,
        unit="days since the call",
        title="Three ways to treat those whom we lost sight of",
        name="censoring-three",
        ylabel="per cent still customers",
    )


def points(share: float) -> str:
    return wording.percent(share)


EXERCISES = {
    "leavers": Exercise(
        asked="for how many days those customers who left had stayed, on average.",
        right=lambda: float(customers().loc[customers()["left"] == 1, "days"].mean()),
        checked="the mean of `days` among those with `left` of 1.",
        unchecked="whether this says how long customers stay. It does not, as the next part shows.",
        hints=(
            "Keep the rows of those who left, and take the mean of their days.",
            '`customers[customers["left"] == 1]`',
            'Behind it `["days"].mean()`.',
        ),
        mistakes=(
            Mistake(
                lambda: float(customers()["days"].mean()),
                "That is the mean over everybody, also over those who have not left. First only those who left.",
            ),
            Mistake(
                lambda: float(customers().loc[customers()["left"] == 0, "days"].mean()),
                "Those have *not* left. In `left`, 1 says that somebody left.",
            ),
            Mistake(
                lambda: float(customers().loc[customers()["left"] == 1, "days"].median()),
                "That is the median; the slide has the mean.",
            ),
        ),
        within=0.01,
        told=lambda: (
            "This is the number on the slide. Only"
            f" {wording.percent((customers()['left'] == 1).mean(), 0)} of the customers are in it: those who were quick"
            " enough to leave while somebody was looking."
        ),
    ),
    "unseen": Exercise(
        asked=f"how many had not left when we last looked, and were not watched beyond day {DAY}.",
        right=lambda: int(unseen().sum()),
        checked=f"the number of rows with `left` of 0 and at most {DAY} `days`.",
        unchecked="why we lost sight of them. If those about to leave are lost first, no curve helps.",
        hints=(
            "Two conditions at once: not left, and at most so many days.",
            f'`(customers["left"] == 0) & (customers["days"] <= {DAY})`',
            "Put `.sum()` behind it.",
        ),
        mistakes=(
            Mistake(
                lambda: int((customers()["left"] == 0).sum()),
                f"Those are all who have not left. Many of them were watched beyond day {DAY}, and there we know"
                f" enough.",
            ),
            Mistake(
                lambda: int((customers()["days"] <= DAY).sum()),
                "Those are all with so few days, also those who left. Of these we know what became of them.",
            ),
            Mistake(
                lambda: int(unseen().mean() * 100) / 100,
                "That is a share; the number of customers is asked for.",
                made=lambda given: abs(given - unseen().mean()) < 0.02,
            ),
        ),
        within=0.001,
        told=lambda: (
            f"{wording.count(int(unseen().sum()))} of {wording.count(len(customers()))}. Their calls came late in the"
            f" year,"
            " and the year ended. They are neither gone nor there for good: *censored* is the word."
        ),
    ),
    "bounds": Exercise(
        asked=f"the share still there after day {DAY}, if all of those had left at once, and if none of them ever"
        f" leaves.",
        right=lambda: (ways()["as gone"], ways()["as staying"]),
        checked="both shares, the smaller one first.",
        unchecked="which is nearer. Neither is meant to be true; they are the ends of what is possible.",
        hints=(
            f"If all of them had left: still there are only those with more than {DAY} days.",
            "If none of them leaves: gone are only those who left by then; the others stay.",
            f'`(customers["days"] > {DAY}).mean()` is the first. For the second, 1 less the share of those with'
            f" `left` of 1"
            f" and at most {DAY} days.",
        ),
        mistakes=(
            Mistake(
                lambda: (ways()["as staying"], ways()["as gone"]),
                "Both are right; the smaller one comes first: if they had left, fewer are still there.",
            ),
            Mistake(
                lambda: (1 - ways()["as staying"], 1 - ways()["as gone"]),
                "Those are the shares who are gone. Who is still there?",
            ),
            Mistake(
                lambda: (ways()["as gone"], 1 - float((customers()["left"] == 1).mean())),
                f"The first is right. For the second, count only who left *by day {DAY}*.",
            ),
        ),
        within=0.01,
        told=lambda: (
            f"Between {points(ways()['as gone'])} and {points(ways()['as staying'])}, and everything depends on"
            f" people of"
            " whom we know nothing more. Or do we?"
        ),
    ),
    "curve": Exercise(
        asked=f"the share still there after day {DAY}, by the curve of Kaplan and Meier.",
        right=curve_at,
        checked="the height of the curve at that day.",
        unchecked="whether those whom we lost sight of go on like the others. The curve supposes it.",
        hints=(
            "The curve asks each day: of those who are still there *and still watched*, which share leaves today?",
            "`survival_curve` takes the days and who left, as arrays, and has `.at(day)`: height, error, limits.",
            f'`survival_curve(customers["days"].to_numpy(float), customers["left"].to_numpy(float)).at({DAY})[0]`',
        ),
        mistakes=(
            Mistake(
                lambda: ways()["as gone"],
                "You counted those whom we lost sight of as gone.",
            ),
            Mistake(
                lambda: ways()["as staying"],
                "You counted those whom we lost sight of as there for good.",
            ),
            Mistake(
                lambda: ways()["left out"],
                "You left out those whom we lost sight of. But they stayed for a while, and that counts; without them"
                " the"
                " quick leavers weigh too much.",
            ),
            Mistake(lambda: 1 - curve_at(), "That is the share who are gone by then. Who is still there?"),
        ),
        within=0.005,
        told=lambda: f"{points(curve_at())}. Everybody counts for as long as they were watched, and not a day longer.",
    ),
    "nearest": Exercise(
        asked='which way comes nearest to the truth: "as gone", "as staying", "left out" or "curve".',
        right=nearest,
        checked="which of the four shares is the closest to the truth of this world.",
        unchecked="other worlds. Here nobody was lost *because* of leaving.",
        hints=(
            '`learn.truth("censoring")` is the share in the large centre.',
            "You have three of the four. The fourth leaves out those whom we lost sight of: the share with more days"
            " among"
            " the others.",
        ),
        mistakes=(
            Mistake(lambda: "as gone", "That share is too small: people are counted out who are still there."),
            Mistake(lambda: "as staying", "That share is too large: some of them did leave, after we looked away."),
            Mistake(
                lambda: "left out",
                "Leaving out sounds fair, and is not: it drops people who stayed for months, and keeps all who left.",
            ),
        ),
        words=("as gone", "as staying", "left out", "curve"),
        told=lambda: (
            f"The truth is {points(truth())}. As gone {points(ways()['as gone'])}, left out"
            f" {points(ways()['left out'])},"
            f" as staying {points(ways()['as staying'])}, by the curve {points(curve_at())}."
        ),
    ),
    "kind": Exercise(
        asked=f"how many more of the first {HORIZON} days a customer stays for a point of compassion (question"
        f" `days`).",
        right=lambda: adjusted().estimate,
        checked="the estimate, in days.",
        unchecked="what becomes of them afterwards. Nobody was watched long enough.",
        hints=(
            "The toolkit does all of this when the study file says `kind: duration` and names the `event`.",
            '`rk.estimate(dataset, study.question("days")).estimate`',
        ),
        mistakes=(
            Mistake(
                lambda: float(np.polyfit(customers()["compassion"], customers()["days"], 1)[0]),
                "You drew a line through `days` as they stand: as if everybody had left on the day of the last look.",
            ),
            Mistake(
                lambda: adjusted(()).estimate,
                "You held nothing equal. Easy calls are kind calls (lesson 2), and easy problems keep customers, too.",
            ),
        ),
        within=0.03,
        told=lambda: (
            f"{wording.number(adjusted().estimate)} days, from {wording.interval(adjusted().low, adjusted().high)};"
            f" planted"
            f" are {wording.number(planted('contact_centre', 'days_as_customer'))}."
        ),
    ),
}

LESSON = Lesson(
    6,
    "How long do customers stay?",
    "Not yet is not never: count everybody for as long as they were watched.",
    45,
    EXERCISES,
    tables,
    STUDY,
    {"three": three},
    truth,
)
