"""What is heard in a table of turns: codes of what the helper says, and how far they agree with people's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit.errors import DataError
from researchkit.readers import Origin
from researchkit.readers.values import among
from researchkit.spoken import CODERS, Transcript
from researchkit.transcripts.agreement import Agreed, Yes, agreed
from researchkit.transcripts.language import COMMON, familiar, foreign, vocabulary
from researchkit.transcripts.phrases import by_phrases
from researchkit.transcripts.turns import Turns, in_order, taken
from researchkit.wording import count, number, typed


@dataclass(frozen=True, eq=False)
class Heard:
    """The codes of one table of turns, in the order of its rows.

    `codes` holds 1, 0 or NaN (not the helper, no words, another language) for each row (n,); `agreement` how far each
    agrees with people, or why that is not known.
    """

    name: str
    spec: Transcript
    frame: pd.DataFrame
    turns: Turns
    codes: dict[str, NDArray[np.float64]]
    agreement: dict[str, Agreed | str]
    notes: tuple[str, ...]

    def good(self, code: str) -> bool:
        """Whether the codes may enter a model."""
        found, least = self.agreement[code], self.spec.at_least
        return least is None or (isinstance(found, Agreed) and found.low >= least)

    def told(self, code: str) -> str:
        """How the code was made and how far it agrees with people, in words."""
        how, found = f"coded by {CODERS[self.spec.coder]}", self.agreement[code]
        if self.spec.at_least is None:
            return f"{how}; how far two of them agree is not known from this table"
        verdict = "" if self.good(code) else f"; the study asks for a lower limit of {typed(self.spec.at_least)}"
        return f"{how}; {found if isinstance(found, Agreed) else f'how far it agrees is not known: {found}'}{verdict}"

    def columns(self) -> dict[str, pd.Series]:
        """What each turn gets: its codes and those of the helper's turn before, its number, what is known around it."""
        name, spec, turns, index = self.name, self.spec, self.turns, self.frame.index
        before, found = turns.latest(turns.helps), {}
        for code in spec.codes:
            values = pd.Series(self.codes[code], index=index)
            found[f"{name}_{code}"], found[f"{name}_{code}_last"] = values, taken(values, turns, before)
        number = np.full(len(index), np.nan)
        running = np.cumsum(turns.helps)
        number[turns.place] = np.where(turns.helps, running - (running - turns.helps)[turns.first], np.nan)
        found[f"{name}_turn"] = pd.Series(number, index=index)
        for column in spec.follow:
            found[f"{name}_before_{column}"] = taken(self.frame[column], turns, turns.latest(~turns.helps))
            found[f"{name}_next_{column}"] = taken(self.frame[column], turns, turns.answer)
        return found

    def shares(self) -> pd.DataFrame:
        """What each conversation gets, by its name: the share of the helper's turns with each code, and how many."""
        whose = np.empty(len(self.frame), dtype=np.int64)
        whose[self.turns.place] = self.turns.whose
        codes = pd.DataFrame({f"{self.name}_{code}_share": self.codes[code] for code in self.spec.codes})
        found = codes.groupby(whose).mean()
        found[f"{self.name}_turns"] = np.bincount(self.turns.whose, self.turns.helps, len(self.turns.names))
        return found.set_axis(list(self.turns.names), axis=0)


def listen(name: str, spec: Transcript, frame: pd.DataFrame, origin: Origin) -> Heard:
    """Code what the helper says, and hold the codes against people's.

    Parameters
    ----------
    frame
        The rows (n,), with the columns that `spec` reads.

    Raises
    ------
    DataError
        If the turns cannot be put in order, or most conversations are in a language that the coder does not know.
    SourceError
        If the coder is to be learned and scikit-learn is not installed.
    """
    turns = in_order(name, spec, frame, origin)
    helps, whose = np.zeros(len(frame), dtype=bool), np.zeros(len(frame), dtype=np.int64)
    helps[turns.place], whose[turns.place] = turns.helps, turns.whose
    people = {code: (frame[mark.column].notna().to_numpy() & helps, among(frame[mark.column], mark.values))
              for code, mark in spec.human.items()}  # fmt: skip
    notes = list(turns.notes)
    if spec.coder == "people":
        own = {str(code): np.where(people[code][0], people[code][1], np.nan).astype(float) for code in spec.codes}
        return Heard(name, spec, frame, turns, own, dict.fromkeys(spec.codes, "it is people's own"), tuple(notes))
    texts = [text if isinstance(text, str) else "" for text in frame[str(spec.text)].astype(object)]
    can, more = readable(name, spec, texts, helps, whose, [known for known, _ in people.values()])
    codes: dict[str, NDArray[np.float64]] = {}
    agreement: dict[str, Agreed | str] = {}
    for code in spec.codes:
        known, yes = people.get(code, (np.zeros(len(frame), dtype=bool), np.zeros(len(frame), dtype=bool)))
        values, agreement[code] = one_code(
            spec.coder, code, texts, whose, can, known & can, np.asarray(yes, dtype=bool)
        )
        codes[code] = np.where(can, values, np.nan)
    return Heard(name, spec, frame, turns, codes, agreement, (*notes, *more))


def one_code(
    coder: str, code: str, texts: Sequence[str], whose: NDArray[np.int64], can: Yes, known: Yes, people: Yes
) -> tuple[NDArray[np.float64], Agreed | str]:
    """(n,) one code of the turns that `can` be coded; how far it agrees, on the turns that are `known` from people.

    A learned coder codes the turns that people have coded by a model that has not seen their conversation: the same
    codes enter the agreement and the answer.
    """
    if not known.any():
        return np.full(len(can), np.nan), "no turn was coded by people"
    pick = partial(picked, texts)
    values = np.full(len(can), np.nan)
    try:
        if coder == "phrases":
            values[can] = by_phrases(pick(can), code)
        else:
            from researchkit.transcripts.learned import fitted, held_out

            values[known] = held_out(pick(known), people[known], whose[known])
            if (rest := can & ~known).any():
                values[rest] = fitted(pick(known), people[known]).predict(pick(rest))
        return values, agreed(code, people[known], values[known] == 1, whose[known])
    except DataError as error:
        return values, str(error)


def picked(texts: Sequence[str], rows: Yes) -> list[str]:
    return [text for text, taken in zip(texts, rows, strict=True) if taken]


def readable(
    name: str, spec: Transcript, texts: Sequence[str], helps: Yes, whose: NDArray[np.int64], coded: Sequence[Yes]
) -> tuple[Yes, list[str]]:
    """(n,) which turns can be coded: the helper's, with words, in a conversation whose language the coder knows."""
    ours = COMMON
    if spec.coder == "model":
        seen = np.isin(whose, whose[np.logical_or.reduce(coded)]) if coded else np.zeros(len(whose), dtype=bool)
        ours = vocabulary(picked(texts, np.asarray(seen, dtype=bool)))
    spoken, known = familiar(texts, ours)
    strange = foreign(spoken, known, whose)
    silent, apart, groups = helps & (spoken == 0), int(strange.sum()), len(strange)
    words = "known to be English" if spec.coder == "phrases" else "known from the conversations that people have coded"
    if 2 * apart > groups:
        share = number(100 * known.sum() / max(int(spoken.sum()), 1))
        raise DataError(
            f"{name}: {count(apart)} of {count(groups)} conversations are not in the coder's language: of all words "
            f"only {share} % are {words}. Our phrases are English; `coder: model` learns from what people have coded, "
            "in whatever language."
        )
    notes = [f"{count(apart)} of {count(groups)} conversations are not coded: most of their words are not {words}"]
    notes = notes if apart else []
    if silent.any():
        notes.append(f"{count(int(silent.sum()))} turns of the helper have no words, and no code")
    return helps & (spoken > 0) & ~strange[whose], notes
