"""How the outcome runs over the exposure, and how scores are spread, without singling anybody out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from researchkit import disclosure, wording
from researchkit.errors import EstimationError
from researchkit.figures import ink
from researchkit.figures.figure import Figure
from researchkit.figures.intervals import label_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LEVELS = 8  # more different exposures than this are cut into fifths
ACROSS = 56  # letters that stand side by side below a drawing
FEWEST = 10  # people; a smaller group is neither drawn nor told


def dose(dataset: Any, question: Any, *, fewest: int = FEWEST) -> Figure:
    """Mean outcome with its 95 % interval at each level of the exposure, or in each fifth of it; not adjusted.

    Intervals know of clusters where the study names them.

    Parameters
    ----------
    dataset
        A `Dataset`; its `sample(question)` gives the rows.
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
    sample = dataset.sample(question)
    data = _groups(sample, question, dataset.study, fewest)
    kept = data[data["shown"]].drop(columns="shown").reset_index(drop=True)
    if kept.empty:
        raise EstimationError(f"Question {question.id!r}: no level of the exposure has {fewest} people to be shown.")
    outcome, exposure = (label_of(dataset.study, part) for part in (question.outcome, question.exposure))
    unit = _unit(question.outcome)
    with ink.sheet(220) as (sheet, axes):
        _points(axes, kept)
        axes.set_xlabel(ink.wrapped(exposure))
        axes.set_ylabel(ink.wrapped(f"{outcome}, {unit}", 30))
        svg, png = ink.printed(sheet)
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
    exposure = np.asarray(sample.exposure, float) * (1 if sample.binary_exposure else question.exposure.per)
    codes, places, cut = _levels(exposure)
    rows, people = [], []
    for code, place in enumerate(places):
        inside = (codes == code) & sample.compared(question.exposure.column)
        cluster = None if sample.cluster is None else np.asarray(sample.cluster)[inside]
        name = _name(place, sample, question, study, cut)
        people.append(fewest_of(sample, question, inside))
        rows.append((name, place, *mean_interval(outcome[inside], weights[inside], cluster), int(inside.sum())))
    data = pd.DataFrame(rows, columns=["level", "exposure", "mean", "low", "high", "n"])
    if question.outcome.kind == "yes_no":
        data[["low", "high"]] = data[["low", "high"]].clip(0, 100)
    data["shown"] = disclosure.apart(people, fewest)
    data.attrs["cut"] = cut
    return data


def fewest_of(sample: Any, question: Any, inside: NDArray[np.bool_]) -> int:
    """The smallest count of people that the mean of some rows gives away: all of them or, for a share, either side."""
    people = int(sample.heads(inside))
    if question.outcome.kind != "yes_no":
        return people
    sides = [int(sample.heads(inside & (sample.outcome == side))) for side in (0, 1)]
    return min([people, *filter(None, sides)])


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


def _levels(exposure: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64], bool]:
    """Code of each row's group, the exposure at which each group is drawn, and whether groups are fifths."""
    values, codes = np.unique(exposure, return_inverse=True)
    if len(values) <= MOST_LEVELS:
        return codes.astype(np.int64), values, False
    edges = np.unique(np.quantile(exposure, [0.2, 0.4, 0.6, 0.8]))
    _, codes = np.unique(np.searchsorted(edges, exposure, side="left"), return_inverse=True)
    centres = np.array([exposure[codes == code].mean() for code in range(codes.max() + 1)])
    return codes.astype(np.int64), centres, True


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


def _points(axes: Axes, data: pd.DataFrame) -> None:
    axes.plot(data["exposure"], data["mean"], color=ink.BLUE, linewidth=1.5, alpha=0.6, zorder=1)
    axes.vlines(data["exposure"], data["low"], data["high"], color=ink.BLUE, linewidth=2.5, zorder=2)
    axes.plot(
        data["exposure"],
        data["mean"],
        "o",
        color=ink.BLUE,
        markersize=8,
        markeredgecolor="#ffffff",
        markeredgewidth=1.5,
        zorder=3,
    )
    rises = np.append(np.diff(data["mean"]), 0.0) > 0
    spots = zip(data["exposure"], data["mean"], _means(data), rises, strict=True)
    for place, mean, told, rising in spots:  # words stand clear of the line to the next point
        away = (8, -13 if rising else 5)
        axes.annotate(told, (place, mean), xytext=away, textcoords="offset points", fontsize=10, color=ink.BLUE)
    axes.margins(x=0.12, y=0.15)
    ink.number_axis(axes.yaxis, 5)
    if len(data) <= MOST_LEVELS and not data["level"].str.startswith("around").any():
        room = max(ACROSS // len(data), 8)
        axes.set_xticks(data["exposure"], [ink.wrapped(level, room) for level in data["level"]])
    else:
        ink.number_axis(axes.xaxis)


def distribution(
    values: Sequence[float], label: str, *, fewest: int = FEWEST, name: str = "distribution", of: str = "people"
) -> Figure:
    """How scores are spread: how many are in each bin, small bins left out.

    Parameters
    ----------
    values
        The scores, shape (n,); gaps are left out and counted.
    of
        What each score belongs to: people, contacts, stays.
    fewest
        Bins of 1 to fewest - 1 people are left out. If that leaves one bin out, the next smallest goes too: it could be
        worked out from the total.
    """
    given = np.asarray(values, float)
    known = given[np.isfinite(given)]
    if len(known) < fewest:
        raise EstimationError(f"{label}: {len(known)} scores are too few to show a distribution; it needs {fewest}.")
    edges = _edges(known)
    counts, _ = np.histogram(known, edges)
    data = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "count": _protected(counts, fewest)})
    with ink.sheet(190) as (sheet, axes):
        _bars(axes, data)
        axes.set_xlabel(ink.wrapped(label))
        axes.set_ylabel(of)
        svg, png = ink.printed(sheet)
    told = _told(known, of)
    hidden = int(data["count"].isna().sum())
    caption = f"{told}; {wording.count(len(given) - len(known))} without a score."
    caption += f" {hidden} bins with few {of} are left out." if hidden else ""
    return Figure(name, f"Spread of {label}", f"{label}: {told}.{_peak(data)}", caption, data, svg, png)


def _told(known: NDArray[np.float64], of: str) -> str:
    mean, spread = float(known.mean()), float(known.std(ddof=1)) if len(known) > 1 else math.nan
    count = wording.count(len(known))
    return f"{count} {of}, mean {wording.number(mean, 3)}, standard deviation {wording.number(spread)}"


def _peak(data: pd.DataFrame) -> str:
    known = data.dropna(subset="count")
    if known.empty:
        return ""
    low, high, most = known.sort_values("count", kind="stable").to_numpy(float)[-1]
    return f" Most, {wording.count(int(most))}, lie between {wording.number(low, 3)} and {wording.number(high, 3)}."


def _edges(known: NDArray[np.float64]) -> NDArray[np.float64]:
    """A bin for each whole number where scores are few whole numbers, else at most 24 equal bins."""
    low, high = float(known.min()), float(known.max())
    if np.all(known == np.round(known)) and high - low <= 30:
        return np.arange(low - 0.5, high + 1.0)
    edges = np.histogram_bin_edges(known, "fd")
    return edges if len(edges) <= 25 else np.linspace(low, high, 25)


def _protected(counts: NDArray[np.int64], fewest: int) -> pd.Series:
    hide = (counts > 0) & (counts < fewest)
    rest = np.flatnonzero(~hide & (counts > 0))
    if hide.sum() == 1 and len(rest):
        hide[rest[np.argmin(counts[rest])]] = True
    return pd.Series(counts, dtype="Int64").mask(pd.Series(hide))


def _bars(axes: Axes, data: pd.DataFrame) -> None:
    import seaborn as sns

    edges = np.append(data["from"].to_numpy(), data["to"].iloc[-1])
    weights = data["count"].astype("float64").fillna(0.0)
    centres = (data["from"] + data["to"]) / 2
    sns.histplot(
        x=centres, weights=weights, bins=list(edges), color=ink.BLUE, edgecolor="#ffffff", alpha=1, linewidth=1, ax=axes
    )
    ink.number_axis(axes.xaxis)
    ink.number_axis(axes.yaxis, 4)
