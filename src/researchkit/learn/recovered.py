"""The second half of lesson 7: customers whose problem was set right kindly, beside those who had none."""

from __future__ import annotations

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.estimators import Effect
from researchkit.figures import Figure, forest, paths
from researchkit.learn import worlds
from researchkit.learn.exercise import Exercise, Mistake
from researchkit.learn.worlds import frame, planted
from researchkit.simulate import simulate

STUDY = """\
title: Are customers better pleased after a kind recovery than without a failure?
seed: 20260107
simulated: true
design: observational
files: episodes.csv
rows: customers
clusters: agent_id
columns:
  agent_id: {label: Agent, type: id}
  usage: {label: Use before, unit: point}
  episode: {label: What happened, codes: {none: no failure, kind: a failure set right kindly}}
  before: {label: Satisfaction before, unit: point, source: customer}
  at_failure: {label: Satisfaction right after the failure, unit: point, source: customer}  # empty where nothing failed
  after: {label: Satisfaction afterwards, unit: point, source: customer}
questions:
  - id: paradox
    title: Are customers better pleased after a kind recovery than without a failure?
    claim: LOY-4
    exposure: {column: episode, reference: none, level: kind}
    outcome: {column: after, kind: change, baseline: before, unit: point}
    adjust: usage
    smallest_effect: 0.25
"""


def failures(seed: int) -> pd.DataFrame:
    episodes = simulate("contact_centre_tradeoffs", rows=1_600, seed=seed)["episodes.csv"]
    names = {f"satisfaction_{when}": when for when in ("before", "at_failure", "after")}
    kept = episodes[episodes["episode"] != "usual"].rename(columns=names)
    return kept[["agent_id", "usage", "episode", *names.values()]].reset_index(drop=True)


def kind() -> pd.DataFrame:
    return frame("regression")[frame("regression")["episode"] == "kind"]


def rise(since: str = "at_failure") -> float:
    return float((kind()["after"] - kind()[since]).mean())


def paradox() -> Effect:
    return worlds.effect("regression", "paradox")


def crude() -> float:
    means = frame("regression").groupby("episode")["after"].mean()
    return float(means["kind"] - means["none"])


def word() -> str:
    from researchkit.learn import study
    from researchkit.verdict import judge

    asked = study("regression")
    return judge(paradox(), asked.question("paradox"), asked).word


def moments() -> Figure:
    means = frame("regression").groupby("episode")[["before", "at_failure", "after"]].mean()
    means = means.rename(index={"none": "no failure", "kind": "failure, set right kindly"})
    means.loc["no failure", "at_failure"] = np.nan
    kept = means.rename(columns={"at_failure": "at the failure"})
    kept.loc["no failure"] = kept.loc["no failure"].interpolate()
    return paths(
        kept,
        title="Before, at the failure, and afterwards",
        unit="satisfaction, points",
        name="regression-moments",
        caption="Where nothing failed nobody was asked in the middle; there the line only joins before and afterwards.",
    )


def sides() -> Figure:
    one = paradox()
    return forest(
        [("Kind recovery against no failure", one.estimate, one.low, one.high)],
        title="The comparison that the paradox is about",
        unit="points of satisfaction",
        band=(-0.25, 0.25),
        name="regression-sides",
    )


EXERCISES = {
    "rise": Exercise(
        asked="by how many points kindly recovered customers rose, from right after the failure to afterwards.",
        right=rise,
        checked="the mean of after less at the failure, among those with a kind recovery.",
        unchecked="whether they are better pleased than they would be without a failure.",
        hints=(
            'Keep the rows with `episode` of "kind".',
            'Then `(kind["after"] - kind["at_failure"]).mean()`.',
        ),
        mistakes=(
            Mistake(
                lambda: rise("before"),
                "That is since *before* the failure. The slide begins right after it.",
            ),
            Mistake(lambda: -rise(), "You took afterwards from the failure. Afterwards comes first."),
            Mistake(crude, "That is against customers without a failure. It comes later; first the rise of the slide."),
        ),
        told=lambda: (
            f"{wording.number(rise(), sign=True)} points. The slide starts at the worst moment that there was. From"
            f" there"
            " nearly every way leads up."
        ),
    ),
    "paradox": Exercise(
        asked="by how many points kindly recovered customers are better pleased than those without a failure.",
        right=lambda: paradox().estimate,
        checked="the estimate of the question `paradox`: from the satisfaction before, use held equal.",
        unchecked="customers who were so angry that they left and answered nothing.",
        hints=(
            "The paradox says: *better than if nothing had happened*. Who had nothing happen?",
            'The study file asks just that: `study.question("paradox")`.',
            '`rk.estimate(dataset, study.question("paradox")).estimate`',
        ),
        mistakes=(
            Mistake(
                rise,
                "That is the rise since the failure. The paradox is about a comparison with customers without one.",
            ),
            Mistake(
                crude,
                "You compared the means afterwards as they stand. Those who use much meet more failures, and were less"
                " pleased before already.",
            ),
            Mistake(
                lambda: rise("before"),
                "You compared the recovered with themselves before. Close; but what would have become of them without a"
                " failure? The others tell.",
            ),
        ),
        within=0.05,
        told=lambda: (
            f"{wording.number(paradox().estimate, sign=True)} points, from"
            f" {wording.interval(paradox().low, paradox().high)}; planted are"
            f" {wording.number(planted('contact_centre_tradeoffs', 'paradox'), sign=True)}."
        ),
    ),
    "word": Exercise(
        asked="which of the four words the claim deserves that a kind recovery pleases more than no failure.",
        right=word,
        checked="the word, by the rule of the house, with the smallest difference that the study file names.",
        unchecked="whether a kind recovery is worth it. It may well be: look at how deep they had fallen.",
        hints=(
            'Lay the interval over the band: `learn.picture("regression.sides")`.',
            "Inside the band altogether, beyond zero on one side, or neither?",
        ),
        mistakes=(
            Mistake(
                lambda: "supported",
                "That needs an interval above zero. Do you still see the rise since the failure?",
            ),
            Mistake(
                lambda: "contradicted",
                "That needs an interval below zero that is not all too small to matter.",
            ),
            Mistake(
                lambda: "cannot tell",
                "Look at both ends: is there a value in the interval that would matter?",
            ),
        ),
        words=("supported", "contradicted", "too small to matter", "cannot tell"),
        told=lambda: (
            "A failure that is set right kindly leaves customers about as pleased as no failure. That is a fine thing"
            " to"
            " achieve, and no reason to plan failures."
        ),
    ),
}
