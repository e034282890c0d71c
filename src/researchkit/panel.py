"""What stood the wave before: who was where, with whom, and what each of them was like.

Designs over waves read values of other rows: a person's own earlier one, or those of colleagues. They are looked up
among all rows of the table, before any row is left out, and stand as further columns, so that a row without them goes
with its reason like any other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.designs import Contagion, Halves, Within
from researchkit.errors import DataError
from researchkit.parts import Outcome, Question
from researchkit.readers.values import among, by_size, canonical, factors

Vector = NDArray[np.float64]
Codes = NDArray[np.int64]

EXPOSURE, OWN, OWN_EXPOSURE = "before: exposure", "before: own outcome", "before: own exposure"
NEW, OLD, SHARE, EXPECTED = "before: new", "before: old", "before: share new", "before: expected"
PLACE, WAVE = "before: place", "before: wave"
WHY = "before: why"
ALONE = "alone in the team, or no colleague with an answer the time before"
NOTHING = "no answer at the time before"


@dataclass(frozen=True)
class Arranged:
    """A question over columns that were made for it, these columns (n,), and why rows (n,) cannot be in ("": can)."""

    question: Question
    columns: dict[str, NDArray[np.generic]] = field(default_factory=dict)

    @property
    def reasons(self) -> list[str]:
        why = self.columns.get(WHY)
        return [] if why is None else sorted({str(one) for one in why} - {""})


def arranged(question: Question, frame: pd.DataFrame) -> Arranged:
    """What a question with waves reads beside its own row; nothing for others.

    Raises
    ------
    DataError
        If somebody has two rows of one wave, or a column that is averaged holds words.
    """
    special = question.special
    if isinstance(special, Contagion):
        return of_colleagues(question, special, frame)
    if isinstance(special, Within) and special.lag and special.when:
        return a_time_before(question, special.who, special.when, frame)
    if isinstance(special, Within) and special.crossed and special.when:
        refuse_doubles(codes_of(frame[special.who]), in_order(frame[special.when]), special.who, special.when)
    return Arranged(question)


def lonely(question: Question, frame: pd.DataFrame) -> list[tuple[NDArray[np.bool_], str]]:
    """Rows (n,) that, when all gaps are gone, have nobody or nothing to be compared with, and why."""
    special = question.special
    if isinstance(special, Within) and not special.crossed:
        codes = codes_of(frame[special.who])
        return [(np.bincount(codes, minlength=1)[codes] < 2, "seen only once, so not comparable with itself")]
    if isinstance(special, Halves):
        team, who = (
            codes_of(frame[special.team]),
            codes_of(frame[special.who]) if special.who else np.arange(len(frame)),
        )
        pairs = np.unique(np.column_stack([team, who]), axis=0)
        return [(np.bincount(pairs[:, 0], minlength=1)[team] < 2, "a team of one, which has no other half")]
    return []


def of_colleagues(question: Question, spec: Contagion, frame: pd.DataFrame) -> Arranged:
    """The exposure of `contagion`: the mean of the present colleagues as they were the time before, and its parts."""
    roster = roster_of(question, spec, frame)
    parts = roster.parts(roster.team)
    why = np.full(len(frame), "", dtype=object)
    why[~(parts.count > 0)] = ALONE
    why[~(np.isfinite(roster.exposure) & np.isfinite(roster.outcome))] = NOTHING
    columns: dict[str, NDArray[np.generic]] = {
        EXPOSURE: parts.mean,
        OWN: roster.outcome,
        OWN_EXPOSURE: roster.exposure,
        NEW: parts.new,
        OLD: parts.old,
        SHARE: parts.share,
        EXPECTED: parts.expected,
        WAVE: roster.cell.astype(float),
        PLACE: np.arange(len(frame), dtype=float),
        WHY: why,
    }
    return Arranged(renamed(question), columns)


def a_time_before(question: Question, who: str, when: str, frame: pd.DataFrame) -> Arranged:
    """The exposure as it was the time before; text stays text."""
    before = previous(codes_of(frame[who]), in_order(frame[when]), who, when)
    there = frame[question.exposure.column]
    values = there.iloc[np.maximum(before, 0)].set_axis(frame.index).mask(before < 0)
    why = np.where(values.isna().to_numpy(), NOTHING, "").astype(object)
    return Arranged(renamed(question), {EXPOSURE: values, WHY: why})  # type: ignore[dict-item]  # a column is one too


def renamed(question: Question) -> Question:
    """The question with the column that was made in the place of its exposure's."""
    exposure = question.exposure
    label = exposure.label or exposure.column.replace("_", " ")
    return question.model_copy(update={"exposure": exposure.model_copy(update={"column": EXPOSURE, "label": label})})


@dataclass(frozen=True)
class Parts:
    """Of each row (n,): the mean of its colleagues' earlier values, and that mean's parts about the wave's own mean.

    `new` is from those who were in another team the time before, `old` from those who were in the same one: their sum
    is the mean less the wave's. `share` is the share of new ones; `expected` what `new` would be if those had been
    drawn by lot among all who were elsewhere; `count` how many colleagues there are.
    """

    mean: Vector
    new: Vector
    old: Vector
    share: Vector
    expected: Vector
    count: Vector


@dataclass(frozen=True)
class Roster:
    """Who was where: codes (n,) of the cell (wave and pool), the team now and the team before (-1: unknown), and what
    each had in exposure and outcome the time before (NaN: unknown)."""

    cell: Codes
    team: Codes
    before: Codes
    exposure: Vector
    outcome: Vector

    def parts(self, team: Codes) -> Parts:
        """The colleagues' earlier values, were the teams of now these (n,)."""
        seen = np.isfinite(self.exposure) & (team >= 0)
        one = seen.astype(float)
        size = total(self.cell, one)
        centre = total(self.cell, np.where(seen, self.exposure, 0.0)) / np.maximum(size, 1)
        away = np.where(seen, self.exposure - centre, 0.0)
        now = paired(self.cell, team)
        both = paired(now, self.before)
        earlier = paired(self.cell, self.before)
        count = total(now, one) - one
        together = total(both, one) - one
        least = np.maximum(count, 1)
        old = (total(both, away) - away) / least
        new = (total(now, away) - total(both, away)) / least
        share = (count - together) / least
        elsewhere = size - total(earlier, one)
        mean_elsewhere = -total(earlier, away) / np.maximum(elsewhere, 1)
        mean = np.where(count > 0, centre + old + new, np.nan)
        return Parts(mean, new, old, share, share * mean_elsewhere, count)


def roster_of(question: Question, spec: Contagion, frame: pd.DataFrame) -> Roster:
    """Who was in which team with whom, and what each was like the time before."""
    wave, team, who = in_order(frame[spec.when]), codes_of(frame[spec.team]), codes_of(frame[spec.who])
    pool = codes_of(frame[spec.pool]) if spec.pool else np.zeros(len(frame), dtype=np.int64)
    before = previous(who, wave, spec.who, spec.when)
    there = before >= 0
    exposure, outcome = (
        np.where(there, values[np.maximum(before, 0)], np.nan)
        for values in (numbers(frame[question.exposure.column]), answers(frame, question.outcome))
    )
    earlier = np.where(there, team[np.maximum(before, 0)], -1)
    return Roster(paired(wave, pool), team, earlier, exposure / question.exposure.per, outcome)


def previous(who: Codes, wave: Codes, name: str, when: str) -> Codes:
    """(n,) the place of each one's row of the wave before; -1 where there is none."""
    refuse_doubles(who, wave, name, when)
    known = (who >= 0) & (wave >= 0)
    waves = int(wave.max(initial=0)) + 2
    keys = np.where(known, who * waves + wave, -1 - np.arange(len(who)))
    order = np.argsort(keys)
    place = np.searchsorted(keys[order], keys - 1)
    found = order[np.minimum(place, len(order) - 1)]
    return np.where(known & (wave > 0) & (keys[found] == keys - 1), found, -1)


def refuse_doubles(who: Codes, wave: Codes, name: str, when: str) -> None:
    known = (who >= 0) & (wave >= 0)
    pairs, counts = np.unique(np.column_stack([who, wave])[known], axis=0, return_counts=True)
    if (more := int((counts > 1).sum())) > 0:
        raise DataError(
            f"{more:,} pairs of {name} and {when} stand in more than one row, so it cannot be told what came before. "
            f"Keep one row of each (of {len(pairs):,}), or name the column that tells the times apart as `when`."
        )


def numbers(series: pd.Series) -> Vector:
    if not pd.api.types.is_numeric_dtype(series.dtype):
        raise DataError(f"{series.name}: numbers are wanted here, for a mean of them is taken; it holds words.")
    return series.to_numpy(dtype=np.float64)


def answers(frame: pd.DataFrame, outcome: Outcome) -> Vector:
    """The outcome as numbers, 1 and 0 where it is yes or no."""
    series = frame[outcome.column]
    if outcome.kind != "yes_no":
        return numbers(series)
    return np.where(series.isna().to_numpy(), np.nan, among(series, [outcome.yes]).astype(np.float64))


def codes_of(series: pd.Series) -> Codes:
    """(n,) a number for each entry; -1 for a gap."""
    return factors(series)[0].astype(np.int64)


def in_order(series: pd.Series) -> Codes:
    """(n,) the place of each entry among all, dates in time, numbers by size and words by their letters; -1: a gap."""
    places, texts = factors(series)
    plain = [*map(canonical, texts)]
    order = {text: place for place, text in enumerate(sorted(set(plain), key=by_size))}
    return np.array([*(order[text] for text in plain), -1], dtype=np.int64)[places]


def paired(first: Codes, second: Codes) -> Codes:
    """(n,) a number for each pair of codes; -1 is a code like any other."""
    return pd.factorize(first * (int(second.max(initial=0)) + 2) + second)[0].astype(np.int64)


def total(codes: Codes, values: Vector) -> Vector:
    """(n,) the sum of the values of all rows with the same code."""
    return np.bincount(codes, weights=values, minlength=1)[codes].astype(np.float64) if len(codes) else values
