"""How the outcome runs over the exposure, and how scores are spread, without singling anybody out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit import disclosure, wording
from researchkit.disclosure import PROFILES, Profile
from researchkit.errors import EstimationError
from researchkit.figures import ink, letters
from researchkit.figures.figure import Figure
from researchkit.figures.intervals import label_of
from researchkit.figures.sheet import Sheet, Spot, sheet
from researchkit.linked.levels import MOST_LEVELS, levels, scaled, told_groups
from researchkit.warehouse import Summed, bands

if TYPE_CHECKING:
    from researchkit.sample import Sample

ACROSS = 290.0  # points that names share below a drawing
FEWEST = 10  # people; a smaller group is neither drawn nor told


def dose(dataset: Any, question: Any, *, fewest: int = FEWEST, sample: Any = None) -> Figure:
    """Mean outcome with its 95 % interval at each level of the exposure, or in each fifth of it; not adjusted.

    Intervals know of clusters where the study names them.

    Parameters
    ----------
    dataset
        A `Dataset`; its `sample(question)` gives the rows.
    sample
        Those rows, where they have been drawn already.
    fewest
        Groups of fewer people are left out of drawing, words and data, and so are shares that stand for fewer. If that
        leaves one group out, the next smallest goes too: it could be worked out from the total.

    Raises
    ------
    EstimationError
        For durations, whose mean says nothing while some have not ended: `curves` shows them. Also if every group is
        too small.
    """
    if question.outcome.kind == "duration":
        raise EstimationError(
            f"Question {question.id!r}: a mean of unfinished durations misleads; draw it with figures.curves."
        )
    sample = dataset.sample(question) if sample is None else sample
    group = _groups_in_place if isinstance(sample, Summed) else _groups
    data = group(sample, question, dataset.study, fewest)
    kept = data[data["shown"]].drop(columns="shown").reset_index(drop=True)
    if kept.empty:
        raise EstimationError(f"Question {question.id!r}: no level of the exposure has {fewest} people to be shown.")
    outcome, exposure = (label_of(dataset.study, part) for part in (question.outcome, question.exposure))
    unit = _unit(question.outcome)
    with sheet(235) as page:
        _points(page, kept)
        page.along, page.above = exposure, f"{outcome}, {unit}"
        svg, png = page.printed()
    parts = [f"{level}: {mean}" for level, mean in zip(kept["level"], _means(kept), strict=True)]
    gone = len(data) - len(kept)
    caption = "Means with 95 % intervals, not adjusted for anything." + (
        " The exposure is cut into fifths." if data.attrs["cut"] else ""
    )
    caption += f" Left out: {gone} that could single out fewer than {fewest} people." if gone else ""
    return Figure(
        f"{question.id}-dose",
        f"{outcome} by {exposure}",
        f"{outcome} ({unit}) by {exposure}: {'; '.join(parts)}.",
        caption,
        kept,
        svg,
        png,
    )


def _unit(outcome: Any) -> str:
    if outcome.kind == "ordered":
        return "NPS points" if outcome.nps else "per cent in the top group"
    return "per cent" if outcome.kind == "yes_no" else wording.units(outcome.unit or "") or "mean"


def _groups(sample: Any, question: Any, study: Any, fewest: int) -> pd.DataFrame:
    outcome, weights = _values(sample, question)
    exposure = scaled(sample, question)
    codes, places, cut = levels(exposure)
    side = share_of(sample, question)
    rows, profile = [], PROFILES[study.disclosure]
    for code, place in enumerate(places):
        inside = (codes == code) & sample.compared(question.exposure.column)
        cluster = None if sample.cluster is None else np.asarray(sample.cluster)[inside]
        name = _name(place, sample, question, study, cut)
        mean = mean_interval(outcome[inside], weights[inside], cluster)
        if side is not None and sample.weights is None:
            mean = as_counted(mean, int((side & inside).sum()), int(inside.sum()), profile)
        count = disclosure.nearest(int(inside.sum()), profile)
        rows.append((name, place, *mean, count))
    data = pd.DataFrame(rows, columns=["level", "exposure", "mean", "low", "high", "n"])
    if question.outcome.kind == "yes_no":
        data[["low", "high"]] = data[["low", "high"]].clip(0, 100)
    data["shown"] = told_groups(sample, question, replace(profile, threshold=max(fewest, 1)), side)[0]
    data.attrs["cut"] = cut
    return data


def _groups_in_place(summed: Summed, question: Any, study: Any, fewest: int) -> pd.DataFrame:
    """The same from sums, where the rows stay in place."""
    outcome, per = question.outcome, 1 if summed.binary_exposure else question.exposure.per
    cut = False
    if summed.arms:
        parts = bands.arms(summed)
    else:
        values, counts = bands.spread(summed, per)
        cut = len(values) > MOST_LEVELS
        edges = np.unique(bands.quantile(values, counts, (0.2, 0.4, 0.6, 0.8))) if cut else values
        parts = bands.cut(summed, edges.tolist(), per)
    times = 100.0 if outcome.kind == "yes_no" or (outcome.kind == "ordered" and not outcome.nps) else 1.0
    rows = [
        (_name(part.centre, summed, question, study, cut), part.centre, *mean, part.n)
        for part, mean in zip(parts, bands.means(summed, parts, times), strict=True)
    ]
    data = pd.DataFrame(rows, columns=["level", "exposure", "mean", "low", "high", "n"])
    if outcome.kind == "yes_no":
        data[["low", "high"]] = data[["low", "high"]].clip(0, 100)
    data["shown"] = disclosure.apart([bands.fewest(summed, question, part) for part in parts], fewest)
    data.attrs["cut"] = cut
    return data


def share_of(sample: Sample, question: Any) -> NDArray[np.bool_] | None:
    """Which rows (n,) count where the mean of a group is a share of it; None where it is no share."""
    if question.outcome.kind == "yes_no":
        return np.asarray(sample.outcome == 1)
    if question.outcome.kind != "ordered" or question.outcome.nps:
        return None
    return _values(sample, question)[0] > 0


def as_counted(mean: tuple[float, float, float], part: int, whole: int, profile: Profile) -> tuple[float, float, float]:
    """A share in per cent with its interval, under a profile that rounds: that of the rounded counts, in whole ones.

    From the exact one the numbers behind it could be worked out.
    """
    if profile.round_to == 1:
        return mean
    few, many = (disclosure.shown(count, profile) or 0 for count in (part, whole))
    value = min(100.0 * few / many, 100.0) if many else 0.0
    return value, float(np.floor(mean[1])), float(np.ceil(mean[2]))


def _values(sample: Any, question: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The outcome as the drawing tells it, and its weights: per cent, NPS points, counts per time."""
    from researchkit.estimators.ordered import counts_as

    outcome = np.asarray(sample.outcome, float)
    weights = np.ones(len(outcome)) if sample.weights is None else np.asarray(sample.weights, float)
    kind = question.outcome.kind
    if kind == "ordered" and sample.level_values:
        worth = counts_as(sample, question, np.arange(len(sample.level_values)))[outcome.astype(int)]
        return (worth if question.outcome.nps else 100 * worth), weights
    if kind == "counts" and sample.offset_time is not None:
        time = np.asarray(sample.offset_time, float)
        return outcome / time, weights * time
    return (100 * outcome if kind == "yes_no" else outcome), weights


def _name(place: float, sample: Any, question: Any, study: Any, cut: bool) -> str:
    exposure = question.exposure
    if sample.binary_exposure and exposure.reference is not None and place in (0, 1):
        codes = getattr(study.columns.get(exposure.column), "codes", {})
        code = exposure.level if place else exposure.reference
        return str(codes.get(str(code), code)) if code is not None else "others"
    return f"around {wording.number(place)}" if cut else f"{place:g}"


def mean_interval(
    outcome: NDArray[np.float64], weights: NDArray[np.float64], cluster: NDArray[np.int64] | None
) -> tuple[float, float, float]:
    """Weighted mean with a 95 % t interval; with clusters, from the sums of residuals by cluster."""
    from scipy.stats import t

    total = float(weights.sum())
    mean = float(weights @ outcome) / total
    rest = weights * (outcome - mean)
    if cluster is not None:
        rest = np.bincount(np.unique(cluster, return_inverse=True)[1], weights=rest).astype(np.float64)
    groups = len(rest)
    if groups < 2:
        return mean, math.nan, math.nan
    half = float(t.ppf(0.975, groups - 1) * math.sqrt(groups / (groups - 1) * float(rest @ rest)) / total)
    return mean, mean - half, mean + half


def _means(data: pd.DataFrame) -> list[str]:
    """Each mean to the decimals that its interval carries."""
    return [wording.estimate(*row)[0] for row in data[["mean", "low", "high"]].to_numpy().tolist()]


def _points(page: Sheet, data: pd.DataFrame) -> None:
    """Intervals, the line that leads the eye, the means, and each mean in words clear of all that."""
    columns = (data[part].to_numpy(float) for part in ("exposure", "mean", "low", "high"))
    at, mean, low, high = columns
    page.axes.plot(at, mean, color=ink.BLUE, linewidth=1.5, alpha=0.6, zorder=1)
    page.beside(at, mean)
    for x, y, down, up in zip(at, mean, low, high, strict=True):
        ink.whisker(page.axes, x, down, up, ink.BLUE)
        ink.dot(page.axes, x, y, ink.BLUE)
        page.beside([x, x], [down, up], 4)
    page.axes.margins(x=0.1, y=0.12)
    rises = np.append(np.diff(mean), 0.0) > 0
    for x, y, told, rising in zip(at, mean, _means(data), rises, strict=True):
        ways = ("top", "bottom") if rising else ("bottom", "top")
        beside = [Spot(x, y, across, up, (dx, dy)) for up in ways
                  for across, dx, dy in (("left", 7.0, 3.0 if up == "bottom" else -3.0),
                                         ("right", -7.0, 3.0 if up == "bottom" else -3.0))]  # fmt: skip
        page.say(told, *beside, Spot(x, y, "left", "center", (8.0, 0.0)), Spot(x, y, "right", "center", (-8.0, 0.0)),
                 colour=ink.BLUE)  # fmt: skip
    if len(data) <= MOST_LEVELS and not data["level"].str.startswith("around").any():
        room = ACROSS / len(data) - 6
        names = [letters.wrapped(ink.clean(level), room, letters.SMALL, most=4) for level in data["level"]]
        page.x = list(zip(at, names, strict=True))


def distribution(
    values: Sequence[float],
    label: str,
    *,
    fewest: int = FEWEST,
    name: str = "distribution",
    of: str = "people",
    person: NDArray[np.int64] | None = None,
    round_to: int = 1,
) -> Figure:
    """How scores are spread: how many are in each bin, small bins left out.

    Parameters
    ----------
    values
        The scores, shape (n,); gaps are left out and counted.
    of
        What each score belongs to: people, contacts, stays.
    fewest
        Bins of 1 to fewest - 1 people are left out, and others with which they could be worked out from the total. Bins
        begin and end at whole steps, not at the lowest and highest score, each of which is somebody's.
    person
        Codes (n,) of who each score is of, where one may have several.
    round_to
        Counts are told to the nearest multiple of this.
    """
    given = np.asarray(values, float)
    there = np.isfinite(given)
    known = given[there]
    who = np.arange(len(known)) if person is None else np.asarray(person)[there]
    if len(known) < fewest:
        raise EstimationError(f"{label}: {len(known)} scores are too few to show a distribution; it needs {fewest}.")
    edges = _edges(known, whole=fewest > 1)
    counts, _ = np.histogram(known, edges)
    places = np.clip(np.searchsorted(edges, known, side="right") - 1, 0, len(counts) - 1)
    people = [len(np.unique(who[places == place])) for place in range(len(counts))]
    data = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "count": _protected(counts, people, fewest)})
    data["count"] = (data["count"] + round_to // 2) // round_to * round_to
    with sheet(200) as page:
        _bars(page, data)
        page.along, page.above = label, of
        svg, png = page.printed()
    told, gaps = _told(known, of, round_to), len(given) - len(known)
    few = f"fewer than {fewest}" if 0 < gaps < fewest else wording.count(gaps)
    caption = f"{told}; {few} without a score."
    hidden = int(data["count"].isna().sum())
    caption += f" {hidden} bins with few {of} are left out." if hidden else ""
    return Figure(name, f"Spread of {label}", f"{label}: {told}.{_peak(data)}", caption, data, svg, png)


def _told(known: NDArray[np.float64], of: str, round_to: int) -> str:
    mean, spread = float(known.mean()), float(known.std(ddof=1)) if len(known) > 1 else math.nan
    count = wording.count((len(known) + round_to // 2) // round_to * round_to)
    return f"{count} {of}, mean {wording.number(mean, 3)}, standard deviation {wording.number(spread)}"


def _peak(data: pd.DataFrame) -> str:
    known = data.dropna(subset="count")
    if known.empty:
        return ""
    low, high, most = known.sort_values("count", kind="stable").to_numpy(float)[-1]
    return f" Most, {wording.count(int(most))}, lie between {wording.number(low, 3)} and {wording.number(high, 3)}."


def _edges(known: NDArray[np.float64], *, whole: bool) -> NDArray[np.float64]:
    """A bin for each whole number where scores are few whole numbers, else at most 24 equal bins.

    `whole` bins have a width of 1, 2 or 5 times a power of ten, and begin at a multiple of it.
    """
    low, high = float(known.min()), float(known.max())
    if np.all(known == np.round(known)) and high - low <= 30:
        return np.arange(low - 0.5, high + 1.0)
    edges = np.histogram_bin_edges(known, "fd")
    edges = edges if len(edges) <= 25 else np.linspace(low, high, 25)
    if not whole:
        return edges
    power = 10.0 ** np.floor(np.log10(edges[1] - edges[0]))
    width = power * next(step for step in (1, 2, 5, 10) if step * power >= (edges[1] - edges[0]) * (1 - 1e-9))
    first, last = np.floor(low / width), np.floor(high / width) + 1
    return np.arange(first, last + 0.5) * width


def _protected(counts: NDArray[np.int64], people: Sequence[int], fewest: int) -> pd.Series:
    hide = ~np.array(disclosure.apart(people, fewest))
    return pd.Series(counts, dtype="Int64").mask(pd.Series(hide))


def _bars(page: Sheet, data: pd.DataFrame) -> None:
    import seaborn as sns

    edges = np.append(data["from"].to_numpy(), data["to"].iloc[-1])
    weights = data["count"].astype("float64").fillna(0.0)
    centres = (data["from"] + data["to"]) / 2
    sns.histplot(x=centres, weights=weights, bins=list(edges), color=ink.BLUE, edgecolor=ink.PAPER, alpha=1,
                 linewidth=1, ax=page.axes)  # fmt: skip
    page.most = (6, 4)
