"""Answers to scores, by the keys of instruments or by the rule that a study gives.

A key (`instruments/*.yml`) holds numbers only, never the wording of an item: which items make a scale, which are
reversed, what an answer is worth, how many must be answered. Which answers are enough is part of an instrument.
"""

from researchkit.scales.agreement import Agreement, icc, kappa, krippendorff
from researchkit.scales.change import reliable_change
from researchkit.scales.factor import Equal, Fit, invariance, one_factor
from researchkit.scales.generalisability import Generalisability, generalise
from researchkit.scales.keys import Cutoff, Key, burnout_cutoffs, instruments, load_key, read_instrument
from researchkit.scales.reliability import cronbach_alpha, item_rest, omega
from researchkit.scales.scoring import rule_of, score_scale, straight_lined
from researchkit.scales.teams import Shared, shared, within_team

__all__ = [
    "Agreement",
    "Cutoff",
    "Equal",
    "Fit",
    "Generalisability",
    "Key",
    "Shared",
    "burnout_cutoffs",
    "cronbach_alpha",
    "generalise",
    "icc",
    "instruments",
    "invariance",
    "item_rest",
    "kappa",
    "krippendorff",
    "load_key",
    "omega",
    "one_factor",
    "read_instrument",
    "reliable_change",
    "rule_of",
    "score_scale",
    "shared",
    "straight_lined",
    "within_team",
]
