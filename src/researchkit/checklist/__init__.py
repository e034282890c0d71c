"""What a reporting guideline asks of a paper, item by item: filled from what ran, in part, or left to the author.

The guideline follows from the study: CONSORT 2025 where lots were drawn, TARGET where the study file names the trial
that is emulated, CROSS where the outcome was asked of people, STROBE otherwise. An item is filled only by what the
answer holds; what nobody computed is the author's to write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from researchkit import wording
from researchkit.checklist.consort import CONSORT
from researchkit.checklist.cross import CROSS
from researchkit.checklist.items import AUTHOR, FILLED, PART, Guideline, Told
from researchkit.checklist.strobe import STROBE
from researchkit.checklist.target import TARGET
from researchkit.tables import Col, Fold, Prose, Table, Together

if TYPE_CHECKING:
    from researchkit.answer import Answer

CHIPS = {FILLED: "good", PART: "open", AUTHOR: "small"}


def guideline(answer: Answer) -> Guideline:
    """The guideline for a study of this kind."""
    if answer.study.design_of(answer.question) == "randomised":
        return CONSORT
    if answer.study.emulates:
        return TARGET
    return CROSS if is_asked(answer) else STROBE


def is_asked(answer: Answer) -> bool:
    """Whether the outcome was asked of people: a score of items, or a declared form of feedback."""
    column = answer.question.outcome.column
    return column in answer.study.scales or column in {form.column for form in answer.study.feedback.values()}


def filled(answer: Answer) -> Together:
    """The checklist of one answer, folded behind a line that counts its items."""
    found = guideline(answer)
    told = [(item, item.told(answer)) for item in found.items]
    rows = tuple((item.number, item.asks, item.place, one.word, one.text) for item, one in told)
    heads = (
        Col("Item"),
        Col("Asks for"),
        Col("Place in the paper"),
        Col("State", chips=CHIPS),
        Col("From this report"),
    )
    own = "What it asks for is told in our own words; its own text is what counts."
    note = " ".join(filter(None, (found.citation, own, found.unchecked)))
    table = Table(f"{found.name}, item by item", heads, rows, note, name=f"checklist-{found.name}")
    return Together((Prose((found.why,)), Fold(counted([one for _, one in told], found), table)))


def counted(told: list[Told], found: Guideline) -> str:
    """How many items are filled, in part, and the author's."""
    counts = {word: sum(one.word == word for one in told) for word in (FILLED, PART, AUTHOR)}
    ends = {FILLED: "filled", PART: "in part", AUTHOR: "for the author to write"}
    parts = ", ".join(f"{wording.count(n)} {ends[word]}" for word, n in counts.items())
    return f"{found.name}, {wording.count(len(told))} items: {parts}"
