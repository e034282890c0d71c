"""The sentence about one effect beside another: what it was here, what it was there, and how far apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from researchkit import wording


def paired(
    effect: Any,
    word: str,
    question: Any,
    parts: tuple[str, str, str],
    names: tuple[str, str],
    values: Sequence[float],
    per: str,
) -> str:
    """The verdict on a difference of two effects, with both of them said.

    Parameters
    ----------
    parts
        The exposure as a subject, the outcome, and what stands in brackets after the number: interval, people.
    names, values
        Where the two effects hold ("for “chat”"), and how large they are, in the effect's unit: the difference is the
        second less the first.
    per
        What the difference is for, where it is not the plain one of the two: " for 1 more patient".
    """
    what, outcome, brackets = parts
    scale, unit = wording.scale(effect.unit)
    gap = wording.estimate(scale * effect.estimate, scale * effect.low, scale * effect.high)[0]
    told = [in_words(scale * value, scale * (effect.high - effect.low), unit) for value in values]
    both = f"{told[1]} {names[1]} and {told[0]} {names[0]}"
    apart = f"a difference of {gap} {wording.units(unit, gap)}{per}"
    if word == "cannot tell" and question.expect == "equal":
        ask = f"These data cannot tell whether {wording.lower_first(what)} goes with as much of a difference in"
        in_it = wording.with_article(outcome, "the")
        return f"{ask} {in_it} {names[1]} as {names[0]}: it was {both}, {apart} {brackets}"
    if word == "cannot tell":
        in_it = f"another difference in {wording.with_article(outcome, 'the')}"
        ask = f"These data cannot tell whether {wording.lower_first(what)} goes with {in_it}"
        return f"{ask} {names[1]} than {names[0]}: it was {both}, {apart} {brackets}"
    if word == "too small to matter" or (word == "supported" and question.expect == "equal"):
        return (
            f"{what} went with {wording.with_article(outcome)} that was {both}: {apart}, too small to matter {brackets}"
        )
    return f"{what} went with {wording.with_article(outcome)} that was {both}: {apart} {brackets}"


def in_words(value: float, width: float, unit: str) -> str:
    """ "0.31 points higher", to the digits that an interval of this width carries."""
    shown = wording.estimate(abs(value), 0.0, width)[0]
    return f"{shown} {wording.units(unit, shown)} {'higher' if value > 0 else 'lower'}"
