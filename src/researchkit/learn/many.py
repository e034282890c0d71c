"""Lesson 10: who asks often enough hears a yes by chance. A pilot with twenty outcomes, in a world where nothing"
" works."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.figures import Figure, many
from researchkit.learn import study, table
from researchkit.learn.exercise import Exercise, Lesson, Mistake

SEED, AGENTS, PILOTS, LINE = 20260210, 100, 1_000, 0.05  # a pilot that has an alarm, as most have
OUTCOMES = {  # each agent's mean over a month, and how far agents differ
    "satisfaction": (70, 15), "recommendation": (7, 2), "effort": (3, 1), "trust": (60, 12), "feeling_heard": (6, 1.5),
    "complaints": (2, 0.8), "call_backs": (9, 3), "refunds": (40, 14), "escalations": (3, 1), "minutes": (8, 2),
    "hold_time": (50, 20), "transfers": (4, 1.5), "solved": (72, 9), "renewals": (81, 8), "basket": (38, 11),
    "visits": (5, 2), "thanks": (12, 5), "mood": (5, 1.2), "stress": (45, 16), "sick_days": (1.5, 0.7),
}  # fmt: skip
HEAD = """\
title: Does a minute of kindness help?
seed: 20260210
simulated: true
design: randomised               # the lot decided which agents began each call with it
tables:
  pilot: {files: pilot.csv, people: agent_id, rows: agents}
  again: {files: again.csv, people: agent_id, rows: agents}
columns:
  agent_id: {label: Agent, type: id}
  arm: {label: Start of the call, codes: {usual: the usual start, minute: a minute of kindness}}
"""


def study_text() -> str:
    """The study file with a question for each of the twenty outcomes."""
    columns = [f"  {name}: {{label: {name.replace('_', ' ').capitalize()}, unit: point}}\n" for name in OUTCOMES]
    questions = [
        f"  - id: {name}\n    title: Does a minute of kindness change {name.replace('_', ' ')}?\n    claim: LOY-2\n"
        "    table: pilot\n"
        "    exposure: {column: arm, reference: usual, level: minute}\n"
        f"    outcome: {{column: {name}, kind: score, unit: point}}\n    smallest_effect: {spread / 5}\n"
        for name, (_, spread) in OUTCOMES.items()
    ]
    return HEAD + "".join(columns) + "questions:\n" + "".join(questions)


def agents(rng: np.random.Generator) -> pd.DataFrame:
    """One pilot: half of the agents by lot, and twenty outcomes that the lot does nothing to."""
    arm = rng.permutation(np.repeat(["usual", "minute"], AGENTS // 2))
    values = {name: rng.normal(mean, spread, AGENTS) for name, (mean, spread) in OUTCOMES.items()}
    return pd.DataFrame({"agent_id": [f"a{number:03d}" for number in range(AGENTS)], "arm": arm, **values})


def tables() -> dict[str, pd.DataFrame]:
    """The pilot, the same once more, and a thousand pilots: alarms in each, its best outcome and one named"
    " beforehand."""
    rng = np.random.default_rng(SEED)
    pilot, again = agents(rng), agents(rng)
    half = (PILOTS, len(OUTCOMES), AGENTS // 2)  # in standard deviations, two groups
    gap, _, p = test(rng.normal(size=half), rng.normal(size=half))
    many = {"alarms": (p < LINE).sum(axis=1), "best": np.abs(gap).max(axis=1), "named": np.abs(gap[:, 0])}
    return {"pilot.csv": pilot, "again.csv": again, "thousand.csv": pd.DataFrame(many)}


def test(one: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Difference of the means along the last axis, half its interval, its p-value: what `estimate` gives (HC3)."""
    from scipy import special

    gap = one.mean(axis=-1) - other.mean(axis=-1)
    se = np.sqrt(sum(part.var(axis=-1, ddof=1) / (part.shape[-1] - 1) for part in (one, other)))
    return gap, special.stdtrit(AGENTS - 2, 1 - LINE / 2) * se, 2 * special.stdtr(AGENTS - 2, -np.abs(gap / se))


@cache
def found(file: str = "pilot") -> pd.DataFrame:
    """Difference, half its interval and p-value of each outcome, minute less usual, by its name."""
    rows = table("many", file)
    with_it, without = (rows.loc[rows["arm"] == arm, list(OUTCOMES)].to_numpy().T for arm in ("minute", "usual"))
    return pd.DataFrame(dict(zip(("gap", "half", "p"), test(with_it, without), strict=True)), index=list(OUTCOMES))


def thousand() -> pd.DataFrame:
    return table("many", "thousand")


def winner() -> str:
    return str(found()["p"].idxmin())


def chance() -> float:
    """That at least one of the outcomes raises an alarm, though nothing works."""
    return float(1 - (1 - LINE) ** len(OUTCOMES))


def alarms() -> int:
    return int((found()["p"] < LINE).sum())


def smallest() -> float:
    return float(found()["p"].min())


def once_more() -> float:
    """The p-value that the winner has with new agents."""
    return float(found("again")["p"].to_numpy()[list(OUTCOMES).index(winner())])


def corrected() -> float:
    return min(smallest() * len(OUTCOMES), 1.0)


@cache
def marks(alone: bool) -> tuple[str, ...]:
    """What the house says against the winner, with all questions written down, or with that one alone."""
    from researchkit.answer import answer_question

    asked = study("many")
    one = asked.question(winner())
    return answer_question(asked.model_copy(update={"questions": (one,)}) if alone else asked, one).verdict.marks


def twenty() -> Figure:
    """All outcomes under one another, in standard deviations."""
    spread = np.array([spread for _, spread in OUTCOMES.values()])
    gap, half = (found()[name].to_numpy() / spread for name in ("gap", "half"))
    return many(
        pd.DataFrame({"estimate": gap, "low": gap - half, "high": gap + half}).sort_values("estimate"),
        0.0,
        title="Twenty outcomes of one pilot",
        unit="standard deviations, minute less usual",
        name="many-twenty",
        caption="Each line is the interval of one outcome. Zero is the truth of them all; one in orange misses it.",
    )


EXERCISES = {
    "chance": Exercise(
        asked="the chance that at least one of twenty outcomes has p below 0.05 when nothing works. A share between 0"
        " and 1.",
        right=chance,
        checked="the number, for outcomes that have nothing to do with each other.",
        unchecked="outcomes that go together. For those it is a little lower.",
        hints=(
            "Turn it round: how likely is it that *none* of the twenty raises an alarm?",
            "One outcome keeps quiet in 0.95 of all studies. Two keep quiet in 0.95 times 0.95.",
            "One less the chance that all twenty keep quiet: `1 - 0.95**20`.",
        ),
        mistakes=(
            Mistake(
                lambda: LINE * len(OUTCOMES),
                "You added the chances up. That is how many alarms there are on average; some pilots have several,"
                " and others none.",
            ),
            Mistake(lambda: 1 - chance(), "That is the chance that all of them keep quiet."),
            Mistake(lambda: LINE, "That is the chance of one outcome by itself."),
        ),
        told=lambda: (
            f"{wording.percent(chance(), 0)}. A pilot like this one is more likely than not to have something to"
            " announce."
        ),
    ),
    "alarms": Exercise(
        asked="how many of the twenty outcomes have p below 0.05 in this pilot.",
        right=alarms,
        checked="the number of outcomes.",
        unchecked="which ones. That is next.",
        hints=(
            "`p` holds one p-value for each outcome. Which of them are below the line?",
            "Adding up True and False counts the True: `(p < 0.05).sum()`.",
        ),
        mistakes=(
            Mistake(lambda: len(OUTCOMES) - alarms(), "You counted those that keep quiet."),
            Mistake(lambda: alarms() / len(OUTCOMES), "That is the share. The number is asked for."),
            Mistake(
                lambda: 0 if alarms() else 1,
                "Nothing works here, so it should be none? Should, on average, is one. Count.",
            ),
        ),
        within=0.001,
        told=lambda: f"{alarms()} of {len(OUTCOMES)}. That is enough for a newsletter.",
    ),
    "winner": Exercise(
        asked="the name of the outcome with the smallest p-value.",
        right=winner,
        checked="the name.",
        unchecked="whether anybody would have named it beforehand.",
        hints=("Which line of `p` is the lowest?", "`p.idxmin()`"),
        mistakes=(
            Mistake(
                lambda: str(found()["gap"].abs().idxmax()),
                "That one differs by the most points. But its points are small change: agents differ by many of them"
                " anyhow.",
            ),
            Mistake(lambda: str(found()["p"].idxmax()), "That is the largest p-value."),
            Mistake(
                lambda: next(iter(OUTCOMES)),
                "That is the outcome that the pilot was about. Sadly another one is in the newsletter.",
            ),
        ),
        words=tuple(OUTCOMES),
        told=lambda: (
            f"It is {winner().replace('_', ' ')}, with {wording.probability(smallest())}. A story for it is found"
            " within a minute. That is the trouble with stories."
        ),
    ),
    "again": Exercise(
        asked="True or False: with new agents, the winner has p below 0.05 once more.",
        right=lambda: once_more() < LINE,
        checked="whether the same outcome is below the line in the second pilot.",
        unchecked="the other nineteen. One of them may have its day now.",
        hints=(
            "The same line of code, on `again` in place of `pilot`.",
            "Look at one outcome only, the one that was named by the first pilot: `p_again[winner] < 0.05`.",
        ),
        mistakes=(
            Mistake(
                lambda: once_more() >= LINE,
                "Look at the winner of the first pilot, and at the p-values of the second.",
            ),
        ),
        told=lambda: (
            f"{wording.capital(wording.probability(once_more()))} this time. What was picked because it stood out has"
            " no reason to stand out again."
        ),
    ),
    "thousand": Exercise(
        asked="the share of the thousand pilots that had at least one alarm.",
        right=lambda: float((thousand()["alarms"] > 0).mean()),
        checked="the share, between 0 and 1.",
        unchecked="whether you expected it. Compare it with your first answer.",
        hints=(
            "`thousand` has one row for each pilot. `alarms` counts outcomes below the line.",
            'At least one is `thousand["alarms"] > 0`. The mean of True and False is the share of True.',
        ),
        mistakes=(
            Mistake(
                lambda: float(thousand()["alarms"].mean()),
                "That is how many alarms a pilot has on average.",
            ),
            Mistake(
                lambda: float(thousand()["alarms"].mean()) / len(OUTCOMES),
                "That is the share of all outcomes. How many *pilots* had something to announce?",
            ),
            Mistake(
                lambda: float((thousand()["alarms"] > 1).mean()),
                "That is the share with two or more. One is enough for a newsletter.",
            ),
            Mistake(lambda: float((thousand()["alarms"] == 0).mean()), "That is the share without any."),
        ),
        told=lambda: (
            f"{wording.percent((thousand()['alarms'] > 0).mean(), 0)} of them, as the chance said. None of them found"
            " anything."
        ),
    ),
    "best": Exercise(
        asked="how many times as far from zero the best outcome of a pilot is, on average, as one named beforehand.",
        right=lambda: float(thousand()["best"].mean() / thousand()["named"].mean()),
        checked="the ratio of the two means over the thousand pilots.",
        unchecked="signs: both columns tell how far from zero, whichever way.",
        hints=(
            "`best` is the largest of the twenty differences of each pilot, `named` that of the outcome named first.",
            'One mean over the other: `thousand["best"].mean() / thousand["named"].mean()`.',
        ),
        mistakes=(
            Mistake(
                lambda: float(thousand()["best"].mean() - thousand()["named"].mean()),
                "That is the difference of the two. How many times as far is asked for.",
            ),
            Mistake(
                lambda: float(thousand()["named"].mean() / thousand()["best"].mean()),
                "The other way round: the best over the named.",
            ),
            Mistake(
                lambda: float((thousand()["best"] / thousand()["named"]).mean()),
                "You took the ratio in each pilot and then the mean. A named outcome near zero makes that explode."
                " First the means, then their ratio.",
            ),
        ),
        told=lambda: (
            f"{wording.number(thousand()['best'].mean() / thousand()['named'].mean())} times. Picking the best makes"
            " effects look large, where there are none and where there are small ones."
        ),
    ),
    "corrected": Exercise(
        asked="the winner's p-value, corrected for having asked about twenty outcomes.",
        right=corrected,
        checked="the number, by the correction of Bonferroni; for the smallest p-value that of Holm is the same.",
        unchecked="whether only twenty were looked at. Nobody but the authors can tell.",
        hints=(
            "Twenty outcomes, twenty chances: what has to be done to the p-value so that the line of 0.05 still holds"
            " for the whole pilot?",
            "It is multiplied: `p.min() * 20`. It cannot be more than one.",
        ),
        mistakes=(
            Mistake(smallest, "That is the p-value by itself, as if the others had never been looked at."),
            Mistake(
                lambda: smallest() / len(OUTCOMES),
                "You divided, and made it look better. Having asked often is no merit.",
            ),
            Mistake(
                lambda: LINE / len(OUTCOMES),
                "That is where the line would have to be. It comes to the same; the corrected p-value is asked for.",
            ),
            Mistake(
                lambda: smallest() * alarms() if alarms() > 1 else smallest() * 2,
                "All twenty were looked at, not only those that stood out.",
            ),
        ),
        within=0.08,  # a p-value by another of the usual t tests is right, too
        told=lambda: f"{wording.capital(wording.probability(corrected()))}. Nothing to announce.",
    ),
    "house": Exercise(
        asked="True or False: the house sees how often you asked, if only the winner is written in the study file.",
        right=lambda: any("questions" in mark for mark in marks(alone=True)),
        checked="whether its answer has a mark that speaks of the number of questions.",
        unchecked="what a reader makes of it.",
        hints=(
            "Look at the marks of the two answers: `told.marks` with all twenty, `alone.marks` with one.",
            "Does anything in `alone.marks` speak of twenty questions?",
        ),
        mistakes=(
            Mistake(
                lambda: not any("questions" in mark for mark in marks(alone=True)),
                "It can only count what was written down. Read the marks of `alone` once more.",
            ),
        ),
        told=lambda: (
            "No tool sees a question that was asked and not written down. This is why a plan is locked before the"
            " data come. With all twenty it says:"
            f" {next((mark for mark in marks(alone=False) if 'questions' in mark), '')}."
        ),
    ),
}

LESSON = Lesson(
    10,
    "Twenty outcomes, and one that shines?",
    "Who asks often enough hears a yes by chance. Count everything that was asked.",
    40,
    EXERCISES,
    tables,
    study_text(),
    {"twenty": twenty},
)
