"""Whether people of one team say the same of it: ICC(1), ICC(2) and r_wg of each scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from researchkit import wording
from researchkit.account import scales_here, turned
from researchkit.disclosure import PROFILES, enough
from researchkit.errors import DataError
from researchkit.scales import load_key, rule_of, shared, within_team
from researchkit.story import Prose
from researchkit.tables import Table, frame

if TYPE_CHECKING:
    from researchkit.dataset import Dataset

NOTE = (
    "ICC(1): the share of the variance that lies between teams. ICC(2): how reliable a team's mean is; from about 0.7 "
    "on it may stand for the team. r_wg: 1 where a team says the same, 0 where answers are as spread as by chance; the "
    "middle team is shown. Of a person with several answers the first counts."
)


def teams(dataset: Dataset) -> Table | Prose:
    """Agreement within the outermost clusters of the table, scale by scale."""
    table, study = dataset.study.tables[dataset.table], dataset.study
    name = next((one for one in table.clusters if one != table.people), None)
    if not name or not scales_here(dataset):
        return Prose(("There are no teams (clusters) or no scales in this table, so none can agree.",))
    rows = [
        {"Scale": study.label(scale), "Teams": study.label(name), **of_scale(dataset, scale, name)}
        for scale in scales_here(dataset)
    ]
    return frame(pd.DataFrame(rows), "Do people of one team say the same?", NOTE)


def of_scale(dataset: Dataset, scale: str, cluster: str) -> dict[str, object]:
    """One row: ICC(1) and ICC(2) of the score with intervals, and the middle r_wg of the items."""
    table, profile = dataset.study.tables[dataset.table], PROFILES[dataset.study.disclosure]
    data = dataset.frame[dataset.frame[scale].notna() & dataset.frame[cluster].notna()]
    data = data if table.people == "row" else data.drop_duplicates(table.people)
    empty = {"How many": None, "ICC(1)": np.nan, "95 % interval": "", "ICC(2)": np.nan, "95 % interval of it": ""}
    if not enough(len(data), profile):
        return {**empty, "r_wg, middle team": np.nan}
    codes = pd.factorize(data[cluster])[0].astype(np.int64)
    try:
        found = shared(data[scale].to_numpy(dtype=np.float64), codes)
    except DataError:
        return {**empty, "r_wg, middle team": np.nan}
    return {
        "How many": found.teams,
        "ICC(1)": found.one[0],
        "95 % interval": wording.interval(*found.one[1:]),
        "ICC(2)": found.two[0],
        "95 % interval of it": wording.interval(*found.two[1:]),
        "r_wg, middle team": middle(dataset, data, scale, cluster),
    }


def middle(dataset: Dataset, data: pd.DataFrame, scale: str, cluster: str) -> float:
    """The median r_wg of teams with at least three people (or enough to be shown); NaN where answers have no range."""
    spec = dataset.study.scales[scale]
    rule = rule_of(spec, data[list(spec.items)].to_numpy(dtype=np.float64))
    if rule.low is None or rule.high is None:
        return float("nan")
    options = len(load_key(spec.instrument).points) if spec.instrument else int(rule.high - rule.low) + 1
    items = turned(dataset, scale, data)
    whole = data[list(spec.items)].notna().all(axis=1)
    codes = pd.factorize(data.loc[whole, cluster])[0].astype(np.int64)
    sizes = np.bincount(codes) if len(codes) else np.zeros(0, dtype=int)
    few = max(3, PROFILES[dataset.study.disclosure].threshold)
    inside = sizes[codes] >= few if len(codes) else np.zeros(0, dtype=bool)
    if not inside.any():
        return float("nan")
    step = (rule.high - rule.low) / (options - 1)
    return float(np.median(within_team(items[inside] / step, codes[inside], options)))
