"""The results of one question by the values of one column, read from its reports: what a funnel or a chart is of."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from researchkit.places import RESULT, STATUS, read

FEWEST = 3  # reports that are worth a page of their own
SEEN = 4.0  # smallest effects that matter, as far as the index draws: what would not show even so is too few to tell
HIDDEN = {
    "too few": "too few people to be shown",
    "": "no report",
}


@dataclass(frozen=True)
class Point:
    """The answer for one value of the column, in the effect's unit; `hidden` says why a number is missing."""

    value: str
    estimate: float
    se: float
    low: float
    high: float
    df: float | None
    n: int | None
    word: str
    folder: str
    hidden: str = ""

    @property
    def shown(self) -> bool:
        return not self.hidden


@dataclass(frozen=True)
class Groups:
    """One question by the values of one column, in the alphabet's order (numbers in theirs), never ranked."""

    study: str
    study_title: str
    question: str
    title: str
    column: str
    prefix: str  # of the folders: the column as a folder writes it
    unit: str
    contrast: str
    level: float
    margin: float  # the smallest effect that matters; 0 where none is given
    simulated: bool
    points: tuple[Point, ...]
    whole: Point | None  # the answer for all together
    studies: int  # versions of the study file behind the points

    @property
    def shown(self) -> tuple[Point, ...]:
        return tuple(point for point in self.points if point.shown)


def found(out: Path) -> Iterator[tuple[Path, str]]:
    """The folder of each question, with the column (as folders write it) of enough reports to set side by side."""
    for folder in sorted(out.glob("*/*/")):
        if folder.parent.name.startswith("."):
            continue
        names = [path.parent.name for path in folder.glob("*=*/report.html")]
        counts = Counter(name.partition("=")[0] for name in names)
        yield from ((folder, prefix) for prefix, count in sorted(counts.items()) if count >= FEWEST)


def gathered(folder: Path, prefix: str) -> Groups | None:
    """The reports of one question by one column; None where they are not by a column, or none has an answer.

    Parameters
    ----------
    folder
        That of the question: `<out>/<study>/<question>/`.
    prefix
        The column as the names of the folders write it, which quotes everything that a pattern would read.
    """
    reports = {path: read(path / RESULT) for path in sorted(folder.glob(f"{prefix}=*/"))}
    told = [result for result in reports.values() if by_of(result)[0] and "effect" in result]
    if not told:
        return None
    kind = Counter(map(measure, told)).most_common(1)[0][0]
    first = next(result for result in told if measure(result) == kind)
    points = [point(path, result, kind) for path, result in reports.items() if by_of(result)[0] or not result]
    whole = read(folder / RESULT)
    same = whole.get("effect") and measure(whole) == kind
    return Groups(
        study=folder.parent.name,
        study_title=str(first.get("study_title") or folder.parent.name),
        question=folder.name,
        title=str(first.get("title") or folder.name),
        column=by_of(first)[0],
        prefix=prefix,
        unit=str(kind[0]),
        contrast=str(kind[1] or ""),
        level=float(first["effect"].get("level") or 0.95),
        margin=float(first.get("smallest_effect") or 0),
        simulated=bool(first.get("simulated")),
        points=tuple(sorted(points, key=lambda one: natural(one.value))),
        whole=point(folder, whole, kind) if same else None,
        studies=len({one.get("provenance", {}).get("study_sha256") for one in told}),
    )


def by_of(result: Mapping[str, Any]) -> tuple[str, str]:
    """Column and value of "site=North"; nothing for the report on everybody."""
    column, _, value = str(result.get("by") or "").partition("=")
    return column, value


def measure(result: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """What estimates must share to be compared."""
    effect = result["effect"]
    return effect.get("unit"), effect.get("contrast"), effect.get("kind")


def point(folder: Path, result: Mapping[str, Any], kind: tuple[Any, ...]) -> Point:
    """One report as a point; what it may not show, or could not answer, is hidden with the reason."""
    value = by_of(result)[1] or unquote(folder.name.partition("=")[2])
    link = f"{folder.name}/report.html"
    effect = result.get("effect") or {}
    numbers = [number(effect.get(name)) for name in ("estimate", "se", "low", "high")]
    if not effect:
        status = str(read(folder / STATUS).get("status") or "")
        hidden = HIDDEN.get(status, f"no answer ({status})")
    elif measure(result) != kind:
        hidden = f"of something else: {effect.get('contrast')}, in {effect.get('unit')}"
    elif math.isnan(numbers[0]):
        hidden = HIDDEN["too few"]
    else:
        hidden = "" if all(map(math.isfinite, numbers)) and numbers[1] > 0 else "without a standard error"
    df, n = effect.get("df"), effect.get("n")
    word = str((result.get("verdict") or {}).get("word") or "")
    estimate, se, low, high = (math.nan if hidden else one for one in numbers)
    count = n if isinstance(n, int) else None
    return Point(value, estimate, se, low, high, float(df) if df else None, count, word, link, hidden)


def number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def natural(value: str) -> list[tuple[int, int, str]]:
    """The alphabet's order, with numbers inside a name in the order of numbers: s2 before s10."""
    parts = re.split(r"(\d+)", value.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part] + [(2, 0, value)]


def allowed(points: Sequence[Point], z: float) -> list[float]:
    """Standard errors, enlarged where few clusters make them uncertain.

    `z` of these reach as far as t with the point's own degrees of freedom reaches at the same chance of error.
    """
    from scipy import special

    tail = float(special.ndtr(z))
    return [one.se if one.df is None else one.se * max(float(special.stdtrit(one.df, tail)) / z, 1.0) for one in points]
