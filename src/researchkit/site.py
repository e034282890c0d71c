"""The index over the reports, and the page of a report that failed.

The index is made from what lies in the reports folder: `result.json` of each report, and `run.json` for those that
stopped. A report that stopped is listed with its reason, never with an older result.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pandas as pd

from researchkit import beside, figures, wording
from researchkit.claims import claims
from researchkit.export import CHIPS, TEMPLATES, style
from researchkit.places import PREVIOUS, place, put, read
from researchkit.since import since
from researchkit.tables import Table, frame

DOORS = {
    "loyalty": ("Loyalty", "Do people come back?"),
    "recovery": ("Recovery", "Do people get better, or get their problem solved, sooner?"),
    "burnout": ("Burnout", "What does it do to those who do the work?"),
}
CALIBRATION = "calibration.html"
STANDINGS = {  # of a situation in the calibration: how it looks, and what it is called
    "holds": ("good", "kept"),
    "beyond": ("open", "beyond the promise"),
    "refused": ("small", "mostly refused"),
    "misses": ("failed", "missed"),
}
ORIGINS = ("real data", "simulated")
LEDGER = ["Claim", "Asked", "Study", "Data", "Verdict", "Estimate", "95 % interval", "Marks"]


def write_index(out: Path) -> Path:
    """Write `index.html` for every study and over all of them.

    Parameters
    ----------
    out
        The reports folder: `<study>/<question>[/<by>=<value>]/result.json`, and `run.json` where a run left one.

    Returns
    -------
    Path
        The index over all.
    """
    out = Path(out)
    stopped = _stopped(out)
    rows = [row for row in _rows(out) if row["key"] not in {one["key"] for one in stopped}]
    left = {_key(entry) for entry in _entries(out) if entry.get("unchanged")}
    rows = [{**row, "left": row["key"] in left} for row in rows]
    studies = sorted({row["key"][0] for row in [*rows, *stopped]})
    groups = _beside(out, rows)
    for study in studies:
        if (out / study).is_dir():
            own, gone, by = ([row for row in part if row["key"][0] == study] for part in (rows, stopped, groups))
            put(out / study / "index.html", _page(own, gone, by, start=f"{quote(study)}/", up="../index.html"), out)
    if calibration := _calibration():
        put(out / CALIBRATION, calibration, out)
    put(out / "index.html", _page(rows, stopped, groups), out)
    return out / "index.html"


@cache
def _calibration() -> str:
    """The page of how often the intervals hold the truth; "" where no results lie in the package."""
    from researchkit.calibrate import page, tell

    if not tell.RESULTS.exists():
        return ""
    return _template("calibration.html.j2").render(page.view(tell.read()), looks=STANDINGS, style=style())


def ledger(out: str | Path) -> Table:
    """Every answer in a reports folder, one line each, in the order of the claims."""
    told = [row for row in _rows(Path(out)) if not row.get("unread")]
    order = {claim.id: place for place, claim in enumerate(claims())}
    lines = [
        {
            "Claim": row["claim"],
            "Asked": row["title"],
            "Study": row["study"] + (f" ({row['by']})" if row["by"] else ""),
            "Data": row["origin"],
            "Verdict": row["word"],
            "Estimate": f"{row['estimate']} {row['unit']}",
            "95 % interval": row["limits"],
            "Marks": ", ".join(row["marks"]),
        }
        for row in sorted(told, key=lambda row: order.get(row["claim"], len(order)))
    ]
    note = "" if lines else f"No report lies in {out} yet; `researchkit run` makes them."
    return frame(pd.DataFrame(lines, columns=LEDGER), "Every answer", note)


def unanswered(out: str | Path) -> Table:
    """The claims that no report in the folder speaks to, with what each would need."""
    asked = {row.get("claim") for row in _rows(Path(out))}
    left = [claim for claim in claims() if claim.id not in asked]
    wanted = {"id": "Claim", "statement": "Says", "design": "Would need", "rival": "And must face"}
    lines = [{header: getattr(claim, key) for key, header in wanted.items()} for claim in left]
    return frame(pd.DataFrame(lines, columns=list(wanted.values())), "Claims without an answer here")


def failed_page(title: str, what_failed: str, details: str | Sequence[str] = ()) -> str:
    """The page in the place of a report that could not be made: what failed, and what is known about it.

    Parameters
    ----------
    title
        The question.
    what_failed
        The message, for people.
    details
        Facts below it, one a line.
    """
    lines = [details] if isinstance(details, str) else list(details)
    return _template("failed.html.j2").render(
        title=title, what=what_failed, details=[line for line in lines if line], style=style()
    )


def _beside(out: Path, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pages that set sites side by side: written where out of date, removed where there is nothing to set."""
    titles = {row["key"][:2]: row["title"] for row in rows}
    made = {}
    for page in beside.pages(out):
        view = None if page.made else page.view()
        if view or page.made:
            made[page.path] = page
        if view:
            with contextlib.suppress(
                FileNotFoundError
            ):  # another run is just replacing the folder, and comes here later
                put(page.path, _template("beside.html.j2").render(view, style=style()), out)
    for path in out.glob(f"*/*/{beside.PAGES}"):
        if path not in made:
            path.unlink(missing_ok=True)
    names = {path: path.relative_to(out).parts[:2] for path in made}
    return [
        {
            "key": names[path],
            "title": titles.get(names[path], names[path][1]),
            "by": unquote(page.prefix),
            "link": quote(path.relative_to(out).as_posix()),
        }
        for path, page in made.items()
    ]


def _rows(out: Path) -> list[dict[str, Any]]:
    """A line of the index for each result, in a fixed order; one that cannot be read says so."""
    found = sorted(out.glob("*/*/result.json")) + sorted(out.glob("*/*/*=*/result.json"))
    rows = [_row(path, out) for path in found if not path.relative_to(out).parts[0].startswith(".")]
    return sorted(rows, key=lambda row: (row.get("origin") == "simulated", row["key"]))


def _row(path: Path, out: Path) -> dict[str, Any]:
    place = path.parent.relative_to(out)
    link = quote(f"{place.as_posix()}/report.html")
    study, question, *by = place.parts
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        return {**_told(result, link), "since": since(path.parent, result)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"result.json cannot be read: {type(error).__name__}. Run this report again."
        title = {"title": question.replace("_", " "), "key": (study, question, "".join(by)), "link": link}
        return {**title, "unread": reason, "word": "", "family": ""}


def _told(result: Mapping[str, Any], link: str) -> dict[str, Any]:
    """The words and the picture of one line."""
    effect, verdict = result["effect"], result["verdict"]
    scale, unit = wording.scale(effect["unit"])
    value, limits, svg = "not shown", "", ""
    if None not in (effect["estimate"], effect["low"], effect["high"]):  # null is a number that disclosure hides
        estimate, low, high = (scale * effect[key] for key in ("estimate", "low", "high"))
        value, limits = wording.estimate(estimate, low, high, sign=True)
        svg = figures.mini(estimate, low, high, scale * (result.get("smallest_effect") or 0))
    clusters = effect.get("clusters")
    return {
        "key": (result["study"], result["question"], result.get("by") or ""),
        "title": result.get("title") or result["question"],
        "link": link,
        "by": (result.get("by") or "").replace("=", " = ", 1),
        "study": result.get("study_title") or result["study"],
        "family": result.get("family") or "",
        "claim": result.get("claim") or "",
        "design": result.get("design") or "",
        "origin": {True: "simulated", False: "real data"}.get(result.get("simulated"), ""),  # type: ignore[arg-type]
        "word": verdict["word"],
        "chip": CHIPS.get(verdict["word"], "open"),
        "marks": _short(verdict.get("marks", ()), result.get("design")),
        "estimate": value,
        "limits": limits,
        "unit": wording.units(unit, value),
        "contrast": effect.get("contrast") or "",
        "good": result.get("good") or "",
        "n": wording.count(effect["n"]) if isinstance(effect.get("n"), int) else "",
        "clusters": wording.count(clusters) if isinstance(clusters, int) else "",
        "svg": svg,
    }


def _short(marks: Iterable[str], design: object) -> list[str]:
    """Each mark up to its colon; the design is told already."""
    return [short for mark in marks if (short := str(mark).partition(":")[0]) != design]


def _entries(out: Path) -> list[dict[str, Any]]:
    """What the last run said of each report."""
    try:
        run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return list(run.get("reports", []) if isinstance(run, dict) else run)


def _key(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(entry.get(part) or "") for part in ("study", "question", "by"))


def _stopped(out: Path) -> list[dict[str, Any]]:
    """The reports of the last run that were not made, each with its reason."""
    return [_stop(entry, out) for entry in _entries(out) if entry.get("status") not in ("ok", "unchanged")]


def _stop(entry: Mapping[str, Any], out: Path) -> dict[str, Any]:
    names = _key(entry)
    page = str(entry.get("page") or "")
    earlier = read(place(out, *names) / PREVIOUS).get("verdict")
    return {
        "key": names,
        "title": entry.get("title") or " / ".join(name for name in names if name),
        "status": entry.get("status") or "stopped",
        "reason": entry.get("reason") or "no reason was recorded",
        "link": quote(page) if page and (out / page).exists() else "",
        "before": str(earlier.get("word") or "") if isinstance(earlier, dict) else "",
    }


def _page(
    rows: Iterable[dict[str, Any]],
    stopped: Sequence[dict[str, Any]],
    groups: Iterable[dict[str, Any]],
    start: str = "",
    up: str = "",
) -> str:
    """The index over some rows; `start` is the folder that its links are seen from."""
    every = list(rows)
    unread = [{**row, "status": "unreadable", "reason": row["unread"]} for row in every if row.get("unread")]
    good = [_seen_from(row, start) for row in every if not row.get("unread")]
    gone = [_seen_from(row, start) for row in [*stopped, *unread]]
    doors = [(*words, [row for row in good if row["family"] == door]) for door, words in DOORS.items()]
    rest = [row for row in good if row["family"] not in DOORS]
    if rest:
        doors.append(("Others", "Questions outside the three doors.", rest))
    return _template("index.html.j2").render(
        doors=doors,
        stopped=gone,
        changes=_changes(good),
        lost=[row for row in gone if row.get("before")],
        groups=[_seen_from(row, start) for row in groups],
        chips=CHIPS,
        tally=[(word, chip, *(count(good, word, origin) for origin in ORIGINS)) for word, chip in CHIPS.items()],
        total=len(good),
        by_groups=any(row["by"] for row in good),
        studies=sorted({row["study"] for row in good}),
        only=(good[0]["study"] if good else start.strip("/")) if start else "",
        up=up,
        calibration="" if up or not _calibration() else CALIBRATION,
        key=figures.mini(2.2, 1.4, 3.0, 1.0),
        style=style(),
    )


def _changes(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that say something else than last time, changed verdicts first; not what the last run left alone."""
    changed = [row for row in rows if row["since"] and not row["left"]]
    return sorted(changed, key=lambda row: row["since"].rank)


def count(rows: Iterable[dict[str, Any]], word: str, origin: str) -> int:
    """How many of the rows have a verdict and an origin; invented people are never counted with real ones."""
    return sum(row["word"] == word and (row["origin"] == "simulated") == (origin == "simulated") for row in rows)


def _seen_from(row: dict[str, Any], start: str) -> dict[str, Any]:
    return {**row, "link": row["link"].removeprefix(start)}


def _template(name: str) -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(TEMPLATES)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True).get_template(name)
