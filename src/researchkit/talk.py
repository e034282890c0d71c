"""What conversations tell: how far a coder and people agree, and which came first, a word or what it is said to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit import wording
from researchkit.dataset import Dataset
from researchkit.disclosure import PROFILES, Profile, enough, shown
from researchkit.errors import DataError, EstimationError, SourceError, some
from researchkit.estimators.design import independent
from researchkit.estimators.effect import Matrix, Vector
from researchkit.estimators.linear import cr2, least_squares
from researchkit.estimators.sequence import FEWEST, within
from researchkit.readers.values import among, numbers
from researchkit.spoken import CODERS, Transcript
from researchkit.study import Study
from researchkit.tables import Prose, Table, frame
from researchkit.transcripts import Agreed, Heard, english, heard, phrases

WORTH = (
    "Kappa is agreement beyond chance: 1 is perfect, 0 is chance; its interval knows that turns of one conversation "
    "are alike. A learned coder is held against conversations that it has not seen. Nothing here says what either is "
    "worth in another language, setting or channel."
)
FIRST = (
    "Clustered by conversation. The upper rows of each direction compare turns that are alike in what went before; the "
    "lower take out, too, what stays the same in a conversation. If only one direction holds, that came first; if both "
    "do, each answers the other."
)


def agreement(study: Study, name: str) -> Table | Prose:
    """Each coder and code of one declaration of transcripts, against people, before any score may enter an answer."""
    spec = study.transcripts[name]
    if not spec.human or spec.text is None:
        return Prose(("No turn was coded by people and by words, so how far a coder agrees with people is not known.",))
    asked = tuple(code for code in spec.codes if code in spec.human)
    both = spec.model_copy(update={"codes": asked, "at_least": spec.at_least or 0.0})
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    where = ""
    for coder in ("phrases", "model"):
        try:
            found = heard(study.model_copy(update={"transcripts": {**study.transcripts, name: both}}), name, coder)
        except (SourceError, DataError) as error:
            notes.append(str(error))
            continue
        rows += [row_of(study, found, code, spec) for code in asked]
        where = tested(study, found)
    if not rows:
        return Prose(tuple(dict.fromkeys(notes)))
    return frame(pd.DataFrame(rows), "How far coders and people agree", " ".join([where, WORTH, *notes]))


def tested(study: Study, found: Heard) -> str:
    """In which conversations and language the coders were put to the test."""
    share = english([text for text in found.frame[str(found.spec.text)] if isinstance(text, str)])
    return (
        f"Tested in the conversations of “{study.title}”, in which {wording.percent(share, 0)} of all words are "
        "among the commonest in English."
    )


def row_of(study: Study, found: Heard, code: str, spec: Transcript) -> dict[str, Any]:
    row: dict[str, Any] = {"Coder": wording.capital(CODERS[found.spec.coder]), "Code": code}
    one = found.agreement[code]
    profile = PROFILES[study.disclosure]
    hidden = any(0 < count < profile.threshold for count in behind(study, found, code))
    if hidden or not isinstance(one, Agreed):
        why = "too few people to show" if hidden else f"not known: {one}"
        return row | {
            "Conversations": "–",
            "Turns": "–",
            "Kappa": np.nan,
            "95 % interval": why,
            "May enter an answer": "no",
        }
    good = "–" if spec.at_least is None else "yes" if one.low >= spec.at_least else "no"
    return row | {
        "Conversations": counted(one.conversations, profile),
        "Turns": counted(one.turns, profile),
        "Heard by people": wording.percent(one.people),
        "Heard by the coder": wording.percent(one.coder),
        "Kappa": one.kappa,
        "95 % interval": wording.interval(one.low, one.high),
        "Found of people's": wording.percent(one.found, 0),
        "Right of its own": wording.percent(one.right, 0) if np.isfinite(one.right) else "–",
        "May enter an answer": good,
    }


def behind(study: Study, found: Heard, code: str) -> list[int]:
    """How many people stand behind each of the four fields: heard by both, by people alone, the coder alone, none."""
    who = study.tables[study.table_of(found.spec)].people
    whose = found.frame[found.spec.conversation if who == "row" else who]
    mark = next(mark for own, mark in found.spec.human.items() if own == code)
    heard_by_coder = found.codes[code]
    known = found.frame[mark.column].notna().to_numpy() & np.isfinite(heard_by_coder)
    people, coder = np.asarray(among(found.frame[mark.column], mark.values), dtype=bool), heard_by_coder == 1
    fields = [people & coder, people & ~coder, ~people & coder, ~people & ~coder]
    return [int(whose[known & field].nunique()) for field in fields]


def counted(count: int, profile: Profile) -> str:
    """A count as the profile lets it be told."""
    told = shown(count, profile)
    return "not shown" if told is None else wording.count(told)


def shares(dataset: Dataset, column: str, by: str) -> Table:
    """How often each entry of a column stands in the turns that have one, side by side for the groups of another.

    Under a profile that protects small counts a group is left out where an entry is that of too few conversations.
    """
    profile, people = PROFILES[dataset.study.disclosure], dataset.study.tables[dataset.table].people
    data = dataset.frame[[column, by]].dropna()
    whose = data.index.to_series() if people == "row" else dataset.frame.loc[data.index, people]
    found: dict[str, pd.Series] = {}
    for group, rows in data.groupby(by):
        heads = whose[rows.index].groupby(rows[column]).nunique()
        if all(enough(int(count), profile) for count in heads):
            found[str(group)] = rows[column].value_counts(normalize=True)
    label = dataset.study.label
    words = dataset.study.columns[column].codes if column in dataset.study.columns else {}
    told = pd.DataFrame(found).fillna(0.0).sort_index()
    told.index = pd.Index([words.get(str(code), str(code)) for code in told.index], name=label(column))
    return frame(told.map(wording.percent), f"{label(column)}, by {wording.lower_first(label(by))}")


@dataclass(frozen=True)
class Exchanges:
    """Exchanges (n,) of conversations in their order: what was said, what was known of the other before and after."""

    whose: NDArray[np.int64]
    now: Vector  # the helper's code in this turn, and in the turn before
    last: Vector
    before: Vector  # what was known of the other speaker before this turn, and after
    after: Vector
    beside: Matrix  # (n, k) what else is held alike


def timing(dataset: Dataset, name: str, code: str, column: str, beside: Sequence[str] = ()) -> Table | Prose:
    """Does the word come before the change, or the change before the word? Both directions, turn by turn.

    Parameters
    ----------
    code
        One of the codes of the declaration `name`.
    column
        One of those that it follows: numbers, or 1 and 0.
    beside
        Columns of numbers that are to be alike, too, such as other codes of the same turn.

    Raises
    ------
    DataError
        If the table has no such codes, for instance because they do not agree with people, or a column holds words.
    """
    data = exchanges(dataset, name, code, column, beside)
    groups, profile = len(np.unique(data.whose)), PROFILES[dataset.study.disclosure]
    if groups < max(FEWEST, profile.threshold):
        return Prose((f"Too few conversations have exchanges that are complete; timing needs {FEWEST} or more.",))
    what = wording.lower_first(dataset.study.label(column))
    rows = [
        *directed(f"{code} now → {what} next", data, data.after, data.now, data.before),
        *directed(f"{what} before → {code} now", data, data.now, data.before, data.last),
    ]
    data_shown = pd.DataFrame(rows)
    if profile.protects:  # two counts of turns tell how many lack a value
        data_shown = data_shown.drop(columns="Turns")
    note = f"{counted(groups, profile)} conversations. {FIRST}"
    return frame(data_shown, f"Which comes first: {code}, or {what}?", note)


def directed(words: str, data: Exchanges, outcome: Vector, cause: Vector, lag: Vector) -> list[dict[str, Any]]:
    """One direction, given the outcome's own value before; then within conversations."""
    columns = np.column_stack([cause, lag, data.beside])
    known = np.isfinite(np.column_stack([outcome, columns])).all(axis=1)
    rows = []
    for how, make in (("alike in what went before", pooled), ("within conversations", inside)):
        row = {"Direction": words, "Compared": how}
        try:
            value, low, high, used = make(outcome[known], columns[known], data.whose[known])
        except EstimationError as error:
            rows.append({**row, "Difference": np.nan, "95 % interval": f"not known: {error}", "Turns": "–"})
            continue
        told = wording.estimate(value, low, high, sign=True)[1]
        rows.append({**row, "Difference": value, "95 % interval": told, "Turns": wording.count(used)})
    return rows


def pooled(outcome: Vector, columns: Matrix, whose: NDArray[np.int64]) -> tuple[float, float, float, int]:
    """Least squares on the cause and what else went before, with CR2 errors by conversation; the slope of the cause."""
    from scipy.special import stdtrit

    matrix = np.column_stack([columns, np.ones(len(outcome))])
    kept = independent(matrix, [matrix.shape[1] - 1, *range(1, matrix.shape[1] - 1), 0])
    if 0 not in kept or len(np.unique(whose)) < FEWEST:
        raise EstimationError("what comes before is told by the rest, or the conversations are too few")
    line = least_squares(matrix[:, sorted(kept)], outcome)
    spread = cr2(line, whose)
    half = stdtrit(spread.df[0], 0.975) * np.sqrt(spread.covariance[0, 0])
    value = float(line.coefficients[0])
    return value, float(value - half), float(value + half), len(outcome)


def inside(outcome: Vector, columns: Matrix, whose: NDArray[np.int64]) -> tuple[float, float, float, int]:
    """The same within conversations; what never changes in one is gone with it."""
    moves = [place for place in range(columns.shape[1]) if place < 2 or changes(columns[:, place], whose)]
    found = within(outcome, columns[:, moves], whose)
    return float(found.coefficients[0]), float(found.low[0]), float(found.high[0]), found.rows


def changes(values: Vector, whose: NDArray[np.int64]) -> bool:
    return bool(np.any((np.diff(values) != 0) & (np.diff(whose) == 0)))


def exchanges(dataset: Dataset, name: str, code: str, column: str, beside: Sequence[str]) -> Exchanges:
    """The turns of the helper, in order."""
    spec = dataset.study.transcripts[name]
    wanted = (f"{name}_{code}", f"{name}_{code}_last", f"{name}_before_{column}", f"{name}_next_{column}", *beside)
    if lacking := [one for one in wanted if one not in dataset.frame]:
        raise DataError(
            f"{dataset.study.name}: the table {dataset.table!r} has no {some(lacking)}; see its notes for why."
        )
    data = dataset.frame.sort_values([spec.conversation, f"{name}_turn"], kind="stable")
    data = data[data[wanted[0]].notna()]
    now, last, before, after, *more = (numbered(data[one]) for one in wanted)
    whose = pd.factorize(data[spec.conversation], sort=True)[0].astype(np.int64)
    return Exchanges(whose, now, last, before, after, np.column_stack(more) if more else np.empty((len(data), 0)))


def numbered(series: pd.Series) -> NDArray[np.float64]:
    """Numbers, or codes that are numbers, such as 1 and 0."""
    found, words = numbers(series.astype("str"))
    if words.any():
        raise DataError(
            f"{series.name} holds words. Make a column of 1 and 0 from it (`from` and `recode`), and follow that one."
        )
    return np.asarray(found, dtype=np.float64)


def lists() -> Table:
    """Our own phrases, code by code: what the phrase coder looks for, with a few of each."""
    rows = [
        {"Code": code, "Phrases": len(brings), "Among them": "; ".join(map(short, sorted(brings, key=len)[:6]))}
        for code, (brings, _) in phrases().items()
    ]
    note = "In our own words, English; `phrases.yml` has all of them, and what takes a turn out again."
    return frame(pd.DataFrame(rows), "What the phrase coder looks for", note)


def short(phrase: str) -> str:
    """A phrase as people read it: of many words that may stand in one place, the first two."""
    words = [word.split("|") for word in phrase.removeprefix("^").split()]
    return " ".join("/".join(either[:2]) + ("/…" if len(either) > 2 else "") for either in words)
