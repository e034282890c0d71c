"""What a page shows of an answer whose rows stay in place: the same tables, from counts and sums.

Each function is the twin of one of `account` or `story`, which hand over where `rowless` says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.disclosure import PROFILES, apart, enough
from researchkit.errors import EstimationError
from researchkit.tables import Prose, Table, frame
from researchkit.warehouse import Summed, Warehouse, bands

if TYPE_CHECKING:
    from researchkit.answer import Answer

Row = dict[str, Any]


def rowless(answer: Answer) -> bool:
    """Whether the rows of an answer stay in place."""
    return isinstance(answer.sample, Summed)


def groups(answer: Answer, fewest: int) -> Table | Prose:
    """The outcome in each third of the exposure, groups that could single out too few left out."""
    summed, question = sample_of(answer), answer.question
    try:
        parts = bands.thirds(summed, question)
    except EstimationError as error:  # the exposure has too many different values
        return Prose((str(error),))
    safe = apart([bands.fewest(summed, question, part) for part in parts], fewest)
    rows = zip(names_of(answer, parts), parts, told(answer, summed, parts), safe, strict=True)
    shown = [{"Group": name, "n": part.n, **found} for name, part, found, good in rows if good]
    if not shown:
        return Prose((f"Every group could single out fewer than {fewest} people, so none is shown.",))
    note = "Read these beside the adjusted effect, never instead of it."
    note += " Groups that could single out a few people are left out." if len(shown) < len(parts) else ""
    return frame(pd.DataFrame(shown), "By exposure, not adjusted", note)


def sample_of(answer: Answer) -> Summed:
    held: Any = answer.sample
    if not isinstance(held, Summed):
        raise EstimationError("The rows of this answer are at hand; they are asked themselves.")
    return held


def names_of(answer: Answer, parts: list[bands.Band]) -> list[str]:
    """What each group is called: the levels by their labels, thirds by where they run."""
    if answer.sample.arms:
        column = answer.study.columns.get(answer.question.exposure.column)
        codes = column.codes if column else {}
        return [codes.get(code, code) for code in answer.sample.arms]
    label = answer.study.label(answer.question.exposure.column)
    ends = [[wording.number(end, 3) for end in (part.low, part.high)] for part in parts]
    return [f"{label}, {low if low == high else f'{low} to {high}'}" for low, high in ends]


def told(answer: Answer, summed: Summed, parts: list[bands.Band]) -> list[Row]:
    """Mean, share, rate or points of each group with its interval; before and after, for a change."""
    outcome = answer.question.outcome
    if outcome.kind == "change":
        before = [bands.average(summed, part, str(outcome.baseline)) for part in parts]
        pairs = zip(before, bands.means(summed, parts), strict=True)
        return [{"Before": one, "After": two[0], "Change": two[0] - one} for one, two in pairs]
    share = outcome.kind == "yes_no" or (outcome.kind == "ordered" and not outcome.nps)
    name = {
        "yes_no": "Per cent",
        "ordered": "NPS" if outcome.nps else "Per cent in the top group",
        "counts": f"Rate ({outcome.unit or 'events per time'})",
    }.get(outcome.kind, f"Mean ({outcome.unit})" if outcome.unit else "Mean")
    found = bands.means(summed, parts, 100.0 if share else 1.0)
    return [{name: mean, "95 % interval": wording.interval(low, high)} for mean, low, high in found]


def balance(answer: Answer) -> Table | Prose:
    """Means of what the answer adjusts for in each group of the exposure; or why there are none."""
    summed = sample_of(answer)
    try:
        parts = bands.thirds(summed, answer.question) if summed.names else []
    except EstimationError as error:
        return Prose((str(error),))
    if len(parts) < 2:
        return Prose(("The question adjusts for nothing, so there is nothing to lay side by side.",))
    if not all(enough(part.n, PROFILES[answer.study.disclosure]) for part in parts):
        return Prose(("A group of the exposure is too small to be shown.",))
    names, each = names_of(answer, parts), [bands.covariates(summed, part) for part in parts]
    rows = []
    for name in summed.names[:40]:
        first, last = each[0][name], each[-1][name]
        spread = np.sqrt((first[1] + last[1]) / 2)
        gap = (last[0] - first[0]) / spread if spread > 0 else 0.0
        means = {group: found[name][0] for group, found in zip(names, each, strict=True)}
        rows.append({"": name, **means, "Apart, in SD": gap})
    return frame(pd.DataFrame(rows), "Who is compared with whom", "Shares for codes, means for numbers.")


def kept_rows(dataset: Any) -> tuple[int, bool]:
    """How many rows a table's own rules leave, and whether anything is missing anywhere."""
    if isinstance(dataset, Warehouse):
        return dataset.kept, dataset.gaps
    return len(dataset.frame), bool(dataset.frame.isna().to_numpy().any())


def columns(held: Warehouse) -> Table:
    """Each column: what it is called, how much of it is answered, and what it holds."""
    study, look = held.study, held.look
    profile, rows = PROFILES[study.disclosure], []
    for name, entry in look.entries.items():
        gaps = held.rows_seen - look.told[name].known
        share = wording.percent(gaps / held.rows_seen) if gaps == 0 or enough(gaps, profile) else "too few to show"
        part, known = study.columns.get(name), look.told[name]
        if part and part.codes:
            what = f"{len(part.codes)} codes: {', '.join(part.codes.values())}"
        elif part and part.range:
            what = f"{wording.typed(part.range[0])} to {wording.typed(part.range[1])}"
            if enough(known.known, profile) and known.mean is not None:
                what += f"; mean {wording.number(known.mean, 3)}"
        elif entry.kind == "category":
            what = f"{wording.count(len(entry.often))} different values"
        else:
            what = "numbers" if entry.kind == "number" else "text"
        rows.append({"Column": name, "Label": study.label(name), "Empty": share, "Holds": what})
    return frame(pd.DataFrame(rows), "Column by column", "Of all rows of the table, counted where they stay.")


def left_out(answer: Answer) -> list[Row]:
    """Means of each measured column for those in the answer and for those with a gap; none where too few have one."""
    held: Any = answer.dataset
    profile = PROFILES[answer.study.disclosure]
    read = [name for name in answer.question.columns if name in held.look.entries]
    (_, inside), (gone, outside) = held.complete_or_not(read)
    if not gone or not enough(gone, profile):
        return []
    return [
        {"Column": answer.study.label(name), "In the answer": inside[name][0], "Not in it": mean}
        for name, (mean, known) in outside.items()
        if known and enough(known, profile)
    ]
