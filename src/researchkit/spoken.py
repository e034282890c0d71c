"""The part of a study file that says how turns of conversations are coded: whose, by what, how well it must agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Literal, get_args

from pydantic import BeforeValidator, Field, model_validator

from researchkit.entries import Codes, Names, Number, Part
from researchkit.errors import some
from researchkit.faults import nearest
from researchkit.markup import as_list
from researchkit.measures import Mark
from researchkit.wording import typed

Heard = Literal["acknowledging", "reflecting", "reassuring", "acting", "dismissing", "scripted"]
CODES: tuple[str, ...] = get_args(Heard)
CODERS = {"phrases": "a list of phrases", "model": "a model learned from people's codes", "people": "people"}


class Transcript(Part):
    """Turns of conversations, one row each, in which what the helper says is coded.

    Each of `codes` becomes NAME_code (1 or 0 for each turn of the `helper`), and with `into`, a table with a row for
    each conversation, NAME_code_share there. `coder` is our list of English phrases, a model learned from the turns
    that people have coded (`human`), or those people themselves. A coder's codes are there only where the lower limit
    of its agreement with people (kappa, whole conversations held out) is `at_least` so much. `follow` names what is
    known of the other speaker's turns: NAME_before_column and NAME_next_column are its values before and after.
    """

    conversation: str
    order: str
    speaker: str
    helper: Codes = Field(min_length=1)
    text: str | None = None
    codes: Annotated[tuple[Heard, ...], BeforeValidator(as_list)] = Field(min_length=1)
    coder: Literal["phrases", "model", "people"] = "phrases"
    human: dict[Heard, Mark] = Field(default_factory=dict)
    at_least: Number | None = Field(None, gt=0, lt=1)
    table: str | None = None
    into: str | None = None
    follow: Names = ()
    label: str | None = None

    @model_validator(mode="after")
    def says_how_well(self) -> Transcript:
        if len(set(self.codes)) < len(self.codes):
            raise ValueError("`codes` names one of them twice")
        people = self.coder == "people"
        if people != (self.at_least is None):
            raise ValueError(
                "people's own codes agree with themselves, so `at_least` means nothing"
                if people
                else "say with `at_least`, before you look, how far coder and people must agree (kappa, such as 0.6)"
            )
        if not people and self.text is None:
            raise ValueError(f"{CODERS[self.coder]} needs `text`, the column of what was said")
        lacking = [code for code in self.codes if code not in self.human]
        if people and lacking:
            raise ValueError(f"no column says where people heard {some(lacking)}; name it under `human`")
        return self

    @property
    def read(self) -> tuple[str, ...]:
        """The columns that it reads in the table of turns, each once."""
        text = [self.text] if self.text else []
        names = [self.conversation, self.order, self.speaker, *text, *self.follow, *self.coded]
        return tuple(dict.fromkeys(names))

    @property
    def coded(self) -> tuple[str, ...]:
        """The columns in which people have written their codes."""
        return tuple(dict.fromkeys(mark.column for mark in self.human.values()))

    def made(self, name: str) -> tuple[str, ...]:
        """The columns that each turn gets."""
        codes = [part for code in self.codes for part in (f"{name}_{code}", f"{name}_{code}_last")]
        beside = [part for column in self.follow for part in (f"{name}_before_{column}", f"{name}_next_{column}")]
        return (*codes, f"{name}_turn", *beside)

    def summed(self, name: str) -> tuple[str, ...]:
        """The columns that each conversation gets."""
        return (*(f"{name}_{code}_share" for code in self.codes), f"{name}_turns")

    def __str__(self) -> str:
        """How the codes are made, in words."""
        how = f"what {some(self.helper)} says is coded by {CODERS[self.coder]}"
        good = f"; agreement with people must be {typed(self.at_least)} or more" if self.at_least is not None else ""
        return f"{how}{good}"


def called(name: str, one: Transcript, column: str, labels: Callable[[str], str]) -> str:
    """What a column that a transcript makes is called on a page."""
    rest = column.removeprefix(f"{name}_")
    for start, words in (("before_", "before the turn"), ("next_", "after the turn")):
        if rest.startswith(start):
            return f"{labels(rest.removeprefix(start))}, {words}"
    if rest in ("turn", "turns"):
        return "Number of the helper's turn" if rest == "turn" else "Turns of the helper"
    code = next(code for code in one.codes if rest.startswith(code))
    ending = {f"{code}_last": " in the turn before", f"{code}_share": ", share of turns"}.get(rest, "")
    return f"{(one.label or name).replace('_', ' ')}: {code}{ending}"


def made_in(transcripts: Mapping[str, Transcript], table: str, first: str) -> dict[str, str]:
    """The columns that transcripts make in a table, and of which transcript each is."""
    found: dict[str, str] = {}
    for name, one in transcripts.items():
        found |= dict.fromkeys(one.made(name), name) if (one.table or first) == table else {}
        found |= dict.fromkeys(one.summed(name), name) if one.into == table else {}
    return found


def of_transcripts(
    transcripts: Mapping[str, Transcript], table: str, first: str
) -> tuple[list[str], list[str], list[str]]:
    """What transcripts read in one table: every column; those with ids or words; those that count turns."""
    read: list[str] = []
    ids: list[str] = []
    orders: list[str] = []
    for one in transcripts.values():
        if (one.table or first) == table:
            read += one.read
            ids += [one.conversation, one.speaker, *([one.text] if one.text else [])]
            orders.append(one.order)
        if one.into == table:
            read.append(one.conversation)
            ids.append(one.conversation)
    return read, ids, orders


def transcript_problems(
    name: str, one: Transcript, tables: Iterable[str], taken: Iterable[str], asked: Iterable[str]
) -> list[str]:
    """What is wrong with one declaration, given the tables, the other made columns and what questions read."""
    tables, taken = list(tables), set(taken)
    wanted = [table for table in (one.table, one.into) if table]
    problems = [
        f"{name}: there is no table {table!r}{nearest(table, tables)}" for table in wanted if table not in tables
    ]
    if one.into and one.into == (one.table or next(iter(tables), None)):
        problems.append(f"{name}: `into` names the table of turns itself; it is one with a row for each conversation")
    doubled = [column for column in (*one.made(name), *one.summed(name)) if column in taken]
    problems += [f"{column!r} is made by `transcripts: {name}` and stands elsewhere too" for column in doubled]
    if one.text and one.text in asked:
        problems.append(
            f"{name}: {one.text!r} is what people said; it is coded and then let go, and cannot be asked about"
        )
    return problems
