"""What arrived, who is left, and who is compared with whom: the data behind an answer, without a row of anybody.

Counts follow the study's disclosure profile; a group too small for it is left out or said to be too small.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from researchkit import disclosure, figures, sums, wording
from researchkit.dataset import empty_of, heads_of, per_cent_of
from researchkit.disclosure import PROFILES, Profile, enough
from researchkit.errors import DataError, some
from researchkit.flow import told
from researchkit.scales import cronbach_alpha, item_rest, omega, rule_of, score_scale
from researchkit.story import thirds
from researchkit.tables import Prose, Table, frame
from researchkit.warehouse import Warehouse

if TYPE_CHECKING:
    from researchkit.answer import Answer
    from researchkit.dataset import Dataset, Sample
    from researchkit.study import Study


HIDDEN = "not shown"
MANY = 30  # different values of a column that are counted out where counts are protected
# A note that counts may single somebody out.
COUNTED = re.compile(
    r"[0-9][0-9,]* (rows?|entry|entries|people|cells?|of them|responses|previews|tickets|contacts|transfers|times|dates"
    r"|hospitals|merged cells|solved|turns|conversations|of [0-9][0-9,]* conversations)\b"
)


def arrived(dataset: Dataset) -> Table:
    """What arrived and what the readers did to it, in their own words.

    Where counts are protected and there are gaps, only the account of an answer tells how many rows there are.
    """
    profile = PROFILES[dataset.study.disclosure]
    left, gaps = sums.kept_rows(dataset)
    rows, _, kept = told(dataset.rows, dataset.flow, left, profile, quiet=dataset.quiet)
    if profile.threshold > 1 and gaps:
        rows = kept = None  # less the rows of an answer, either would tell how many went for a gap
    facts = {
        "Study": dataset.study.title,
        "Table": dataset.table,
        "Rows that arrived": HIDDEN if rows is None else wording.count(rows),
        "Kept": HIDDEN if kept is None else wording.count(kept),
        "Fingerprint of the content": dataset.fingerprint,
        "Small counts": f"profile {profile.label}: {profile.version}",
    }
    open_notes = [note for note in dataset.notes if profile.threshold == 1 or not COUNTED.search(note)]
    notes = {f"Note {number}": note for number, note in enumerate(open_notes, 1)}
    if gone := len(dataset.notes) - len(open_notes):
        notes["Not shown"] = (
            f"Notes that count rows: {gone}. `researchkit check` tells them to those who hold the data."
        )
    data = pd.DataFrame({"": [*facts, *notes], "What arrived": [*facts.values(), *notes.values()]})
    return frame(data, "What arrived")


def columns(dataset: Dataset) -> Table:
    """Each column: what it is called, how much of it is answered, why not, and from where to where it runs."""
    if isinstance(dataset, Warehouse):
        return sums.columns(dataset)
    rows, empty = [], empty_of(dataset)
    for name in dataset.frame:
        column, share = dataset.frame[name], empty[str(name)]
        rows.append(
            {
                "Column": name,
                "Label": dataset.study.label(str(name)),
                "Empty": HIDDEN if share is None else wording.percent(share),
                **({"Why": dataset.why_empty(str(name))} if not dataset.why.empty else {}),
                "Holds": holds(column, dataset.study, str(name)),
            }
        )
    return frame(pd.DataFrame(rows), "Column by column")


def holds(column: pd.Series, study: Study, name: str) -> str:
    """What a column holds: the declared range or codes, or how many different values; never a person's value."""
    part = study.columns.get(name)
    if part and part.codes:
        return f"{len(part.codes)} codes: {some(part.codes.values())}"
    profile = PROFILES[study.disclosure]
    if not (part and part.range):
        many = int(column.nunique())
        # As many values as there are rows or people would tell how many those are.
        return (
            "many different values" if profile.protects and many > MANY else f"{wording.count(many)} different values"
        )
    limits = f"{wording.typed(part.range[0])} to {wording.typed(part.range[1])}"
    if not enough(int(column.notna().sum()), profile):
        return limits
    return f"{limits}; mean {wording.number(float(column.mean()), 3)}"


def left_out(answer: Answer) -> Table | Prose:
    """Those in the answer against those who are not, on every measured column that the answer reads."""
    if sums.rowless(answer):
        return apart_from(sums.left_out(answer))
    data, question = answer.dataset.frame, answer.question
    read = [name for name in question.columns if name in data]
    used = data[read].notna().all(axis=1).to_numpy()
    profile, heads = PROFILES[answer.study.disclosure], heads_of(answer.dataset)
    if used.all() or not enough(heads(~used), profile) or answer.dataset.quiet:
        return Prose(("Nobody, or too few to compare, went for a gap in the columns that this answer reads.",))
    rows = []
    for name in read:
        if not pd.api.types.is_numeric_dtype(data[name]):
            continue
        inside, outside = data.loc[used, name].dropna(), data.loc[~used, name].dropna()
        if enough(heads(~used & data[name].notna().to_numpy()), profile) and not (
            is_share(data[name]) and profile.protects
        ):
            rows.append(
                {"Column": answer.study.label(name), "In the answer": inside.mean(), "Not in it": outside.mean()}
            )
    return apart_from(rows)


def apart_from(rows: list[dict[str, Any]]) -> Table | Prose:
    """The table of those in the answer and those who are not."""
    return (
        frame(pd.DataFrame(rows), "Those in the answer and those who are not", "Means of the values that are there.")
        if rows
        else Prose(("Those who are not in the answer have no measured value to compare, or are too few.",))
    )


def balance(answer: Answer) -> Table | Prose:
    """The groups of the exposure side by side on what the answer adjusts for.

    The last column is the difference of the outer groups in standard deviations (Austin 2009, Statistics in Medicine
    28, 3083-3107): beyond 0.1 the groups were not alike to begin with.
    """
    if sums.rowless(answer):
        return sums.balance(answer)
    sample, parts = answer.sample, thirds(answer)
    if not sample.names or len(parts) < 2:
        return Prose(("The question adjusts for nothing, so there is nothing to lay side by side.",))
    profile = PROFILES[answer.study.disclosure]
    if not all(enough(sample.heads(rows), profile) for rows in parts.values()):
        return Prose(("A group of the exposure is too small to be shown.",))
    first, *_, last = parts.values()
    rows = []
    for place, name in enumerate(sample.names[:40]):
        values = sample.covariates[:, place]
        if few_on_a_side(values, list(parts.values()), sample, profile):
            continue
        spread = np.sqrt((values[first].var() + values[last].var()) / 2)
        apart = (values[last].mean() - values[first].mean()) / spread if spread > 0 else 0.0
        rows.append(
            {"": name, **{group: values[inside].mean() for group, inside in parts.items()}, "Apart, in SD": apart}
        )
    more = len(sample.names) - len(rows)
    note = (
        f"Shares for codes, means for numbers. {more} more columns are not shown."
        if more > 0
        else "Shares for codes, means for numbers."
    )
    return frame(pd.DataFrame(rows), "Who is compared with whom", note)


def spread(answer: Answer) -> figures.Figure | Prose:
    """How the exposure is spread."""
    if sums.rowless(answer):
        return Prose(("The rows stay in place, so the spread of the exposure is not drawn; its groups are counted.",))
    study, column = answer.study, answer.question.exposure.column
    values = (answer.sample.exposure * answer.question.exposure.per).tolist()
    least = max(PROFILES[study.disclosure].threshold, 1)
    return figures.distribution(
        values,
        study.label(column),
        fewest=least,
        of=study.tables[answer.dataset.table].rows,
        person=answer.sample.person,
        round_to=PROFILES[study.disclosure].round_to,
    )


def scores(dataset: Dataset) -> Table | Prose:
    """How each score was made, and how many answers had gaps."""
    made = scales_here(dataset)
    if not made:
        return Prose((f"{dataset.study.title} declares no scale in the table {dataset.table!r}.",))
    rows, profile = [], PROFILES[dataset.study.disclosure]
    for name, scale in made.items():
        rule = rule_of(scale)
        account = score_scale(dataset.frame, scale)[1]
        key = scale.instrument or "the study's own rule"
        rows.append(
            {
                "Scale": dataset.study.label(name),
                "Key": key,
                "Items": len(scale.items),
                "Reversed": len(rule.reverse),
                "Rule": rule.rule,
                **{word.capitalize(): n for word, n in disclosure.protect(account, profile).items()},
            }
        )
    return frame(
        pd.DataFrame(rows),
        "The scores, with an account",
        "Imputed: scored in spite of gaps, as the key allows. Dropped: too few answers.",
    )


def reliability(dataset: Dataset) -> Table | Prose:
    """Alpha with Feldt's interval, and omega, for each scale."""
    rows, profile = [], PROFILES[dataset.study.disclosure]
    for name in scales_here(dataset):
        answers = turned(dataset, name)
        alpha, low, high = cronbach_alpha(answers)
        gaps = len(dataset.frame) - len(answers)
        rows.append(
            {
                "Scale": dataset.study.label(name),
                "People with all items": len(answers) if enough(gaps, profile) or not profile.protects else HIDDEN,
                "Alpha": alpha,
                "95 % interval": wording.interval(low, high),
                "Omega": known_omega(answers),
            }
        )
    return frame(pd.DataFrame(rows), "Do the items go together?") if rows else nothing()


def known_omega(answers: np.ndarray) -> float:
    """Omega, or NaN where two items, a handful of people or an item that never changes do not tell it."""
    try:
        return omega(answers)
    except DataError:
        return np.nan


def items(dataset: Dataset) -> Table | Prose:
    """Each item's correlation with the rest of its scale."""
    rows: list[dict[str, Any]] = []
    for name, scale in scales_here(dataset).items():
        found = item_rest(turned(dataset, name))
        rows += [
            {"Scale": dataset.study.label(name), "Item": item, "With the rest": float(value)}
            for item, value in zip(scale.items, found, strict=True)
        ]
    return frame(pd.DataFrame(rows), "Item by item") if rows else nothing()


def ends(dataset: Dataset) -> Table | Prose:
    """The share of scores at the lowest and highest possible score."""
    rows = []
    for name, scale in scales_here(dataset).items():
        low, high = bounds(name, dataset)
        known = dataset.frame[name].dropna()
        rows.append(
            {
                "Scale": dataset.study.label(name),
                "Lowest possible": low,
                "Per cent there": per_cent(known <= low, dataset),
                "Highest possible": high,
                "Per cent at it": per_cent(known >= high, dataset),
                "Items": len(scale.items),
            }
        )
    return frame(pd.DataFrame(rows), "Floor and ceiling") if rows else nothing()


def per_cent(there: pd.Series, dataset: Dataset) -> float | str:
    """How many per cent are there, where that singles out nobody."""
    found = per_cent_of(there, dataset, heads_of(dataset, there.index))
    return HIDDEN if found is None else 100 * found


def is_share(column: pd.Series) -> bool:
    """Whether the mean of a column is the share of those who have it."""
    return set(column.dropna().unique()) <= {0, 1}


def few_on_a_side(values: np.ndarray, parts: list[np.ndarray], sample: Sample, profile: Profile) -> bool:
    """Whether the shares of a yes-or-no covariate in some groups stand for too few people in one of them."""
    if not profile.protects or set(np.unique(values)) - {0.0, 1.0}:
        return False
    sides = [sample.heads(rows & (values == side)) for rows in parts for side in (0.0, 1.0)]
    return any(0 < heads < profile.threshold for heads in sides)


def bounds(name: str, dataset: Dataset) -> tuple[float, float]:
    """The lowest and highest score that a scale can give; those seen, where no range is declared."""
    scale = dataset.study.scales[name]
    found = rule_of(scale).ends(len(scale.items))
    return found or (float(dataset.frame[name].min()), float(dataset.frame[name].max()))


def turned(dataset: Dataset, name: str, rows: pd.DataFrame | None = None) -> np.ndarray:
    """The items of a scale for those who answered all of them, reversed items turned round; shape (n, k)."""
    scale = dataset.study.scales[name]
    rule = rule_of(scale)
    data = dataset.frame if rows is None else rows
    answers = data[list(scale.items)].dropna().to_numpy(dtype=float, copy=True)  # pandas keeps its own read-only
    places = [scale.items.index(item) for item in rule.reverse]
    if places and rule.low is not None and rule.high is not None:
        answers[:, places] = rule.low + rule.high - answers[:, places]
    return answers


def scales_here(dataset: Dataset) -> dict[str, Any]:
    """The scales of the study that this table has: of several tables, each is scored in the one that asks of it."""
    there = set(dataset.frame)
    return {name: scale for name, scale in dataset.study.scales.items() if {name, *scale.items} <= there}


def nothing() -> Prose:
    return Prose(("No scale in this table.",))
