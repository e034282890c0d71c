"""What people answered when they were asked: NPS, satisfaction (CSAT) and effort (CES), each by its declared form.

A result stands beside the share of those asked who answered, and what exactly was counted; no two forms are compared.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit import disclosure, wording
from researchkit.disclosure import PROFILES, Profile, enough
from researchkit.measures import Feedback, Mark
from researchkit.readers.values import among
from researchkit.story import Prose
from researchkit.tables import Table, frame

if TYPE_CHECKING:
    from researchkit.answer import Answer
    from researchkit.dataset import Dataset

Vector = NDArray[np.float64]
HIDDEN = "not shown"
UNKNOWN = "not known: `asked` does not say who was asked"


def told(dataset: Dataset, columns: Collection[str] | None = None) -> Table | Prose:
    """Every form of feedback of the table, or those of some columns: what it counts, who answered, and the result."""
    study = dataset.study
    here = {name: one for name, one in study.feedback.items() if study.table_of(one) == dataset.table}
    here = {name: one for name, one in here.items() if columns is None or one.column in columns}
    if not here:
        return Prose((f"{study.title} declares no form of feedback (NPS, CSAT, CES) in the table {dataset.table!r}.",))
    rows = [{"Form": one.label or name.replace("_", " "), **result(dataset, one)} for name, one in here.items()]
    of = study.tables[dataset.table].rows
    note = (
        f"Counted are {of}. Who answers differs from who does not, so a low rate weighs more than a narrow interval. "
    )
    note += "Forms differ in range, direction and what they count: do not compare their results."
    return frame(pd.DataFrame(rows), "What people answered when asked", note)


def asked(answer: Answer) -> Table | Prose:
    """The forms of feedback that an answer reads: who of those asked has answered, so who speaks in it."""
    read = [one.column for one in answer.study.feedback.values() if one.column in answer.question.columns]
    if not read:
        return Prose(("This answer reads no form of feedback, so there is no response rate to tell.",))
    if answer.by and PROFILES[answer.study.disclosure].protects:
        return Prose(
            ("Who answered is not told on the page of one group: beside the page of all, it could be worked out.",)
        )
    return told(answer.dataset, read)


def result(dataset: Dataset, form: Feedback) -> dict[str, str]:
    """One row: the form in words, those asked, those who answered, the rate and the result."""
    data, profile = dataset.frame, PROFILES[dataset.study.disclosure]
    if form.only:
        data = data[among(data[form.only.column], form.only.values)]
    asked = (
        among(data[form.asked.column], form.asked.values) if isinstance(form.asked, Mark) else np.full(len(data), True)
    )
    answered = data[form.column].notna().to_numpy() & asked
    row = {"Counts": str(form), "Asked": UNKNOWN, "Answered": HIDDEN, "Response rate": "", "95 % interval": ""}
    if form.asked:
        row |= rate(dataset, data, asked, answered)
    else:
        shown = disclosure.shown(int(answered.sum()), profile)
        row["Answered"] = HIDDEN if shown is None else wording.count(shown)
    empty = {"Result": HIDDEN, "95 % interval of it": ""}
    return row | (counted(dataset, data[answered], form) if enough(heads(dataset, data, answered), profile) else empty)


def heads(dataset: Dataset, data: pd.DataFrame, rows: NDArray[np.bool_]) -> int:
    """How many people some rows are of."""
    column = dataset.study.tables[dataset.table].people
    return int(rows.sum()) if column == "row" else int(data.loc[rows, column].nunique())


def rate(dataset: Dataset, data: pd.DataFrame, asked: NDArray[np.bool_], answered: NDArray[np.bool_]) -> dict[str, str]:
    """How many of those asked answered; hidden where either side could be told to be a few people."""
    fewest = PROFILES[dataset.study.disclosure].threshold
    sides = [heads(dataset, data, answered), heads(dataset, data, asked & ~answered)]
    if not asked.any() or any(0 < side < fewest for side in sides):
        return {"Asked": HIDDEN if asked.any() else "0", "Answered": HIDDEN, "Response rate": HIDDEN}
    profile = PROFILES[dataset.study.disclosure]
    counts = [disclosure.shown(int(rows.sum()), profile) for rows in (asked, answered)]
    value, low, high = told_share(answered[asked], clusters(dataset, data[asked]), profile)
    return {
        "Asked": HIDDEN if counts[0] is None else wording.count(counts[0]),
        "Answered": HIDDEN if counts[1] is None else wording.count(counts[1]),
        "Response rate": wording.percent(value / 100),
        "95 % interval": f"{wording.interval(low, high)} %",
    }


def counted(dataset: Dataset, data: pd.DataFrame, form: Feedback) -> dict[str, str]:
    """The form's own statistic of the answers, with its interval."""
    from researchkit.estimators.promoters import DETRACTOR, PROMOTER, nps
    from researchkit.figures.levels import mean_interval

    cluster, fewest = clusters(dataset, data), PROFILES[dataset.study.disclosure].threshold
    if form.counted == "share":
        top = among(data[form.column], form.top)
        if any(0 < heads(dataset, data, side) < fewest for side in (top, ~top)):
            return {"Result": HIDDEN, "95 % interval of it": ""}
        value, low, high = told_share(top, cluster, PROFILES[dataset.study.disclosure])
        shown, limits = wording.estimate(value, low, high)
        return {"Result": f"{shown} %", "95 % interval of it": f"{limits} %"}
    answers = data[form.column].to_numpy(dtype=np.float64)
    unit = ""
    if form.counted == "nps":
        value, _, low, high = nps(answers)
        answers, unit = 100.0 * ((answers >= PROMOTER).astype(float) - (answers <= DETRACTOR)), " points"
    if form.counted == "mean" or cluster is not None:
        value, low, high = mean_interval(answers, np.ones(len(answers)), cluster)
    shown, limits = wording.estimate(value, low, high, sign=form.counted == "nps")
    return {"Result": f"{shown}{unit}", "95 % interval of it": limits}


def clusters(dataset: Dataset, data: pd.DataFrame) -> NDArray[np.int64] | None:
    """Codes of the outermost clusters, or of the people where one may have several rows."""
    table = dataset.study.tables[dataset.table]
    names = [*table.clusters[:1], *([table.people] if table.people != "row" else [])]
    return pd.factorize(data[names[0]], use_na_sentinel=False)[0].astype(np.int64) if names else None


def told_share(
    yes: NDArray[np.bool_], cluster: NDArray[np.int64] | None, profile: Profile
) -> tuple[float, float, float]:
    """A share in per cent with its interval, of the counts as the profile rounds them."""
    from researchkit.figures.levels import as_counted

    value, low, high = (100 * part for part in share(yes.astype(np.float64), cluster))
    return as_counted((value, low, high), int(yes.sum()), len(yes), profile)


def share(yes: Vector, cluster: NDArray[np.int64] | None) -> tuple[float, float, float]:
    """A share with its 95 % interval: Wilson's; with clusters, t from the sums of residuals by cluster.

    Wilson (1927), J Am Stat Assoc 22, 209-212. Agrees with R `prop.test(x, n, correct = FALSE)`.
    """
    from researchkit.figures.levels import mean_interval

    n, mean = len(yes), float(yes.mean())
    if cluster is not None and len(np.unique(cluster)) < n:
        value, low, high = mean_interval(yes, np.ones(n), cluster)
        return value, max(low, 0.0), min(high, 1.0)
    z2 = 1.959963984540054**2
    middle, half = (mean + z2 / (2 * n)) / (1 + z2 / n), np.sqrt(z2 * (mean * (1 - mean) / n + z2 / (4 * n**2)))
    return mean, float(max(middle - half / (1 + z2 / n), 0.0)), float(min(middle + half / (1 + z2 / n), 1.0))
