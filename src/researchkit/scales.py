"""Answers to scores, by the keys of instruments or by the rule that a study gives.

A key (`instruments/*.yml`) holds numbers only, never the wording of an item: which items make a scale, which are
reversed, what an answer is worth, how many must be answered. Which answers are enough is part of an instrument.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.errors import DataError, StudyError, listing, some
from researchkit.faults import nearest
from researchkit.markup import read_yaml
from researchkit.parts import Scale
from researchkit.readers.values import written

GRID = 1e-9  # an answer this near to a step of the scale is on it


@dataclass(frozen=True)
class Key:
    """One scale of one form of an instrument; item numbers count within the questionnaire, from 1."""

    name: str
    items: tuple[int, ...]
    reverse: tuple[int, ...]
    low: float
    high: float
    points: tuple[float, ...]  # what the answers from lowest to highest are worth
    rule: str
    min_answered: int


@dataclass(frozen=True)
class Cutoff:
    """A published line between groups, with where it comes from and why to be wary of it."""

    scale: str
    at: float
    direction: str  # "or more": scores from `at` upwards are meant
    label: str
    source: str
    warning: str


@cache
def read_instrument(id: str) -> Any:
    folder = resources.files("researchkit") / "instruments"
    known = sorted(entry.name.removesuffix(".yml") for entry in folder.iterdir() if entry.name.endswith(".yml"))
    if id not in known:
        raise StudyError(f"There is no instrument {id!r}{nearest(id, known)}.")
    return read_yaml((folder / f"{id}.yml").read_text(encoding="utf-8"), f"instruments/{id}.yml")[0]


def load_key(name: str) -> Key:
    """The key of "cbi/work", or of another form of the questionnaire, "cbi/alt10/work".

    Raises
    ------
    StudyError
        If there is no such instrument, form or scale; names the nearest.
    """
    id, *form, scale = name.split("/") if "/" in name else (name, "")
    spec = read_instrument(id)
    forms = spec["forms"]
    chosen = form[0] if form else next(iter(forms))
    if len(form) > 1 or chosen not in forms:
        raise StudyError(f"{id} has no form {'/'.join(form)!r}{nearest(chosen, forms)}.")
    if scale not in forms[chosen]:
        raise StudyError(f"{id} has no scale {scale!r}{nearest(scale, forms[chosen])}.")
    part, response = forms[chosen][scale], spec["response"]
    return Key(
        name,
        tuple(part["items"]),
        tuple(part.get("reverse", ())),
        float(response["min"]),
        float(response["max"]),
        tuple(float(point) for point in response["points"]),
        part["rule"],
        int(part.get("min_answered", len(part["items"]))),
    )


def burnout_cutoffs(instrument: str) -> tuple[Cutoff, ...]:
    """The published cut-offs of an instrument ("cbi", "mbi_hss"), each with its source and its warning.

    Sources disagree: two lines for one scale both stand here. None is a diagnosis.
    """
    return tuple(Cutoff(**{**line, "at": float(line["at"])}) for line in read_instrument(instrument)["cutoffs"])


@dataclass(frozen=True)
class Rule:
    """How one study scores one scale: its key, its own words, or both."""

    reverse: tuple[str, ...]
    low: float | None
    high: float | None
    points: tuple[float, ...]
    rule: str
    min_answered: int


def rule_of(scale: Scale, answers: NDArray[np.float64] | None = None) -> Rule:
    """The rule that holds for a scale; `range` says how the answers are coded in this file.

    Without a range, `answers` tell whether a file holds an instrument's codes (1 to 5) or its points (0, 25, ... 100).

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
        return Rule(scale.reverse, low, high, (), scale.rule, least)
    key = load_key(scale.instrument)
    if len(scale.items) != len(key.items):
        raise StudyError(f"{scale.instrument} has {len(key.items)} items; {len(scale.items)} are listed.")
    named = dict(zip(key.items, scale.items, strict=True))
    reverse = scale.reverse or tuple(named[number] for number in key.reverse)
    least = key.min_answered if scale.min_answered is None else scale.min_answered
    low, high = scale.range or coding(key, answers)
    return Rule(reverse, low, high, key.points, key.rule, least)


def coding(key: Key, answers: NDArray[np.float64] | None) -> tuple[float, float]:
    """The lowest and highest answer as the file codes them: codes unless more answers fit the points."""
    codes, points = (key.low, key.high), (key.points[0], key.points[-1])
    if answers is None:
        return codes
    as_codes, as_points = np.linspace(*codes, len(key.points)), np.array(key.points)
    return points if np.isin(answers, as_points).sum() > np.isin(answers, as_codes).sum() else codes


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
        `min_answered` are answered (all of them, when neither study nor key says otherwise). The account counts rows:
        `complete`, `imputed` (scored in spite of gaps) and `dropped` (answered in part and not scored), `blank`.

    Raises
    ------
    DataError
        If an answer lies outside the scale, or an item goes against the others after it was reversed.
    """
    answers = frame[list(scale.items)].to_numpy(dtype=np.float64, na_value=np.nan, copy=True)
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
    account = {
        "complete": int((given == answers.shape[1]).sum()),
        "imputed": int((scored & (given < answers.shape[1])).sum()),
        "dropped": int((~scored & (given > 0)).sum()),
        "blank": int((given == 0).sum()),
    }
    return pd.Series(scores, index=frame.index), account


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
        upper = np.tanh(np.arctanh(rest) + 1.96 / np.sqrt(len(whole) - 3))  # Fisher's interval
    against = [items[place] for place in turned if upper[place] < 0]
    if against:
        raise DataError(
            f"{some(against)}: after reversing, the answers go against those to the other items. Perhaps the file "
            "holds another form of the questionnaire, in which another item is reversed, or it was reversed before."
        )


def item_rest(items: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of each item with the sum of the others; `items` has shape (n, k), without gaps.

    Agrees with `r.drop` of R's psych::alpha.
    """
    rest = items.sum(axis=1, keepdims=True) - items
    here, there = items - items.mean(axis=0), rest - rest.mean(axis=0)
    together = (here * there).sum(axis=0)
    result: NDArray[np.float64] = together / np.sqrt((here**2).sum(axis=0) * (there**2).sum(axis=0))
    return result


def cronbach_alpha(items: NDArray[np.float64], level: float = 0.95) -> tuple[float, float, float]:
    """Cronbach's alpha with Feldt's interval.

    Parameters
    ----------
    items
        Answers after reversing, shape (n, k), without gaps.
    level
        Coverage of the interval.

    Raises
    ------
    DataError
        If there are fewer than two rows or items, or nobody differs from anybody.

    References
    ----------
    Feldt, Woodruff & Salih (1987), Applied Psychological Measurement 11, 93-103. Agrees with R psych::alpha.
    """
    from scipy.stats import f

    n, k = items.shape
    if n < 2 or k < 2:
        raise DataError(f"Alpha needs at least 2 rows and 2 items; there are {n} and {k}.")
    total = items.sum(axis=1).var(ddof=1)
    if not total > 0:
        raise DataError("Alpha cannot be computed: everybody has the same total, or a gap is left.")
    alpha = float(k / (k - 1) * (1 - items.var(axis=0, ddof=1).sum() / total))
    degrees = n - 1, (n - 1) * (k - 1)
    low = 1 - (1 - alpha) * f.ppf((1 + level) / 2, *degrees)
    high = 1 - (1 - alpha) * f.ppf((1 - level) / 2, *degrees)
    return alpha, float(low), float(high)


def reliable_change(
    before: pd.Series,
    after: pd.Series,
    *,
    reliability: float,
    functional_mean: float,
    functional_sd: float,
    good: str = "low",
) -> pd.Series:
    """How each person changed: recovered, improved, unchanged, deteriorated or harmed.

    A change is reliable when it exceeds 1.96 standard errors of a difference; recovered is a reliable change for the
    better that crosses cut-off c, the point between the clinical sample and the functional population; harmed is the
    same the other way. Missing where either score is.

    Parameters
    ----------
    before, after
        Scores of the same people, same index.
    reliability
        Of the score, between 0 and 1, from its manual.
    functional_mean, functional_sd
        Of people without the complaint.
    good
        "low" where low scores are healthy, "high" where high ones are.

    References
    ----------
    Jacobson & Truax (1991), J Consult Clin Psychol 59, 12-19. Agrees with R clinicalsignificance::cs_combined on
    Claus et al. (2020): 10 recovered, 8 improved, 22 unchanged.
    """
    both = before.notna() & after.notna()
    start, change = before[both], after[both] - before[both]
    mean, sd = float(start.mean()), float(start.std())
    if not 0 < reliability < 1 or not sd > 0:
        raise DataError("Reliable change needs a reliability between 0 and 1, and scores that differ before.")
    cut = (sd * functional_mean + functional_sd * mean) / (sd + functional_sd)
    index = change / (sd * np.sqrt(2 * (1 - reliability)))
    sign = -1 if good == "low" else 1
    well_before, well_after = sign * (start - cut) > 0, sign * (after[both] - cut) > 0
    better, worse = sign * index > 1.96, sign * index < -1.96
    result = pd.Series("unchanged", index=start.index, dtype="str")
    result[better] = "improved"
    result[better & ~well_before & well_after] = "recovered"
    result[worse] = "deteriorated"
    result[worse & well_before & ~well_after] = "harmed"
    return result.reindex(before.index)
