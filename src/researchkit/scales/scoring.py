"""Answers to scores, by the key of an instrument or by the rule that a study gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.errors import DataError, StudyError, listing, some
from researchkit.parts import Scale
from researchkit.readers.values import written
from researchkit.scales.keys import Key, load_key
from researchkit.scales.reliability import item_rest

GRID = 1e-9  # an answer this near to a step of the scale is on it


@dataclass(frozen=True)
class Rule:
    """How one study scores one scale: its key, its own words, or both."""

    reverse: tuple[str, ...]
    low: float | None
    high: float | None
    points: tuple[float, ...]
    rule: str
    min_answered: int
    table: Mapping[float, float] = field(default_factory=dict)

    def ends(self, items: int) -> tuple[float, float] | None:
        """The lowest and highest score of so many items; None where no range says them."""
        if self.table:
            return min(self.table.values()), max(self.table.values())
        low, high = (self.points[0], self.points[-1]) if self.points else (self.low, self.high)
        if low is None or high is None:
            return None
        times = items if self.rule == "sum" else 1
        return times * min(low, high), times * max(low, high)


def rule_of(scale: Scale, answers: NDArray[np.float64] | None = None, often: NDArray[np.int64] | None = None) -> Rule:
    """The rule that holds for a scale; `range` says how the answers are coded in this file.

    Without a range, `answers` tell whether a file holds an instrument's codes (1 to 5) or its points (0, 25, ... 100);
    `often`, of the same shape, how many rows have each (one, if not given).

    Raises
    ------
    StudyError
        If the scale and its key disagree on the number of items, or an item cannot be reversed for want of a range.
    """
    if not scale.instrument:
        low, high = scale.range or (None, None)
        strangers = [item for item in scale.reverse if item not in scale.items]
        if strangers:
            raise StudyError(f"{some(strangers)} is reversed but is none of the items.")
        if scale.reverse and low is None:
            raise StudyError("an item is reversed within a range: add `range: [lowest, highest]` to the scale.")
        least = len(scale.items) if scale.min_answered is None else scale.min_answered
        return Rule(scale.reverse, low, high, (), scale.rule, least, scale.table)
    key = load_key(scale.instrument)
    if len(scale.items) != len(key.items):
        raise StudyError(f"{scale.instrument} has {len(key.items)} items; {len(scale.items)} are listed.")
    named = dict(zip(key.items, scale.items, strict=True))
    reverse = scale.reverse or tuple(named[number] for number in key.reverse)
    least = key.min_answered if scale.min_answered is None else scale.min_answered
    low, high = scale.range or coding(key, answers, often)
    return Rule(reverse, low, high, key.points, key.rule, least, scale.table or key.table)


def coding(
    key: Key, answers: NDArray[np.float64] | None, often: NDArray[np.int64] | None = None
) -> tuple[float, float]:
    """The lowest and highest answer as the file codes them: codes unless more answers fit the points."""
    codes, points = (key.low, key.high), (key.points[0], key.points[-1])
    if answers is None:
        return codes
    as_codes, as_points = np.linspace(*codes, len(key.points)), np.array(key.points)
    rows = 1 if often is None else often
    return points if (np.isin(answers, as_points) * rows).sum() > (np.isin(answers, as_codes) * rows).sum() else codes


def score_scale(frame: pd.DataFrame, scale: Scale) -> tuple[pd.Series, dict[str, int]]:
    """One score a row, and an account of the gaps.

    Parameters
    ----------
    frame
        The items as numbers, missing as NaN.
    scale
        Its items in the order of the questionnaire, and the rule or the key.

    Returns
    -------
    scores, account
        The mean of the answers, or their mean times the number of items where the rule is a sum; NaN where fewer than
        `min_answered` are answered (all of them, when neither study nor key says otherwise). With a `table`, what that
        gives for it; a sum made up for gaps that is no row of the table gives no score. The account counts rows:
        `complete`, `imputed` (scored in spite of gaps) and `dropped` (answered in part and not scored), `blank`; and
        `not applicable`, those of them with an answer that says so, which is no answer but no gap by chance either.

    Raises
    ------
    DataError
        If an answer lies outside the scale, or an item goes against the others after it was reversed.
    """
    answers = frame[list(scale.items)].to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
    apart = np.isin(answers, scale.not_applicable)
    answers[apart] = np.nan
    rule = rule_of(scale, answers)
    refuse_outside(answers, scale.items, rule)
    turned = [scale.items.index(item) for item in rule.reverse]
    if rule.low is not None and rule.high is not None:
        answers[:, turned] = rule.low + rule.high - answers[:, turned]
        answers = worth(answers, rule)
    refuse_against_the_rest(answers, turned, scale.items)
    given = (~np.isnan(answers)).sum(axis=1)
    scored = given >= max(rule.min_answered, 1)
    means = np.full(len(answers), np.nan)
    means[scored] = np.nansum(answers[scored], axis=1) / given[scored]
    scores = means * answers.shape[1] if rule.rule == "sum" else means
    if rule.table:
        scores, scored = looked_up(scores, scored & (given < answers.shape[1]), scored, rule.table)
    account = {
        "complete": int((given == answers.shape[1]).sum()),
        "imputed": int((scored & (given < answers.shape[1])).sum()),
        "dropped": int((~scored & (given > 0)).sum()),
        "blank": int((given == 0).sum()),
    }
    if scale.not_applicable:
        account["not applicable"] = int(apart.any(axis=1).sum())
    return pd.Series(scores, index=frame.index), account


def looked_up(
    raw: NDArray[np.float64], gaps: NDArray[np.bool_], scored: NDArray[np.bool_], table: Mapping[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The score (n,) that the table gives for each sum or mean, and which rows have one.

    Raises
    ------
    DataError
        If a row without gaps has a sum that the table lacks: it is of another form or version.
    """
    steps = np.array(sorted(table))
    place = np.searchsorted(steps, np.where(scored, raw, steps[0]) - GRID).clip(0, len(steps) - 1)
    there = scored & (np.abs(steps[place] - raw) <= GRID)
    if (strange := scored & ~there & ~gaps).any():
        told = some([written(value) for value in np.unique(raw[strange])])
        raise DataError(f"{int(strange.sum())} rows come to {told}, for which the scale's `table` has no score.")
    return np.where(there, np.array([table[step] for step in steps])[place], np.nan), there


def refuse_outside(answers: NDArray[np.float64], items: tuple[str, ...], rule: Rule) -> None:
    """Stop at answers that the scale does not have: another version or coding may be in the file."""
    if rule.low is None or rule.high is None:
        return
    problems = []
    for place, item in enumerate(items):
        values = answers[:, place]
        values = values[~np.isnan(values)]
        wrong = values[(values < rule.low) | (values > rule.high) | off_grid(values, rule)]
        if wrong.size:
            what = some([written(value) for value in np.unique(wrong)])
            problems.append(f"{item}: {wrong.size} answers the scale does not have ({what}).")
    if problems:
        raise DataError(listing(f"A scale from {written(rule.low)} to {written(rule.high)}", problems))


def off_grid(values: NDArray[np.float64], rule: Rule) -> NDArray[np.bool_]:
    """Which answers are between the steps of an instrument's scale."""
    if not rule.points or rule.low is None or rule.high is None:
        return np.zeros(len(values), dtype=bool)
    steps = (values - rule.low) * (len(rule.points) - 1) / (rule.high - rule.low)
    return np.abs(steps - np.rint(steps)) > GRID


def worth(answers: NDArray[np.float64], rule: Rule) -> NDArray[np.float64]:
    """The points of each answer, where an instrument gives points; else the answers themselves."""
    if not rule.points or rule.low is None or rule.high is None:
        return answers
    return np.interp(answers, np.linspace(rule.low, rule.high, len(rule.points)), rule.points)


def refuse_against_the_rest(answers: NDArray[np.float64], turned: list[int], items: tuple[str, ...]) -> None:
    """Stop when a reversed item, turned round, still goes against the others beyond what chance would do.

    One instrument circulates in forms that reverse another item; a key of the wrong form shows up here.
    """
    whole = answers[~np.isnan(answers).any(axis=1)]
    if not turned or len(whole) < 4:
        return
    with np.errstate(invalid="ignore", divide="ignore"):
        rest = item_rest(whole)
    refuse_turned(rest, len(whole), turned, items)


def refuse_turned(rest: NDArray[np.float64], n: int, turned: list[int], items: tuple[str, ...]) -> None:
    """The same from each item's correlation with the rest (k,) over n complete rows."""
    with np.errstate(invalid="ignore", divide="ignore"):
        upper = np.tanh(np.arctanh(rest) + 1.96 / np.sqrt(n - 3))  # Fisher's interval
    against = [items[place] for place in turned if upper[place] < 0]
    if against:
        raise DataError(
            f"{some(against)}: after reversing, the answers go against those to the other items. Perhaps the file "
            "holds another form of the questionnaire, in which another item is reversed, or it was reversed before."
        )


def straight_lined(frame: pd.DataFrame, scale: Scale) -> int:
    """How many rows give one and the same answer to every item, although some of the items are reversed.

    The middle of the scale is not counted: "neither" to all is no contradiction.

    Raises
    ------
    StudyError
        As `rule_of`.
    """
    answers = frame[list(scale.items)].to_numpy(dtype=np.float64)
    rule = rule_of(scale, answers)
    turned = set(rule.reverse) & set(scale.items)
    if not turned or len(turned) == len(scale.items) or rule.low is None or rule.high is None:
        return 0
    same = (answers == answers[:, :1]).all(axis=1)
    return int((same & (answers[:, 0] != (rule.low + rule.high) / 2)).sum())
