"""What lies in a reports folder, a row for each report: what `result.json` says, and what the last run said."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from researchkit import figures, wording
from researchkit.export import CHIPS
from researchkit.places import PREVIOUS, place, read
from researchkit.since import since

EXACT = ("estimate", "low", "high", "level", "unit", "contrast", "n", "clusters")  # of the effect, for a spreadsheet
DEPTHS = ("*/*", "*/*/*=*", "*/*/*=*/*=*")  # a question, a group or a row of parameters, both
ASKED = ("smallest_effect", "good", "expect", "planned")  # of the question


def rows_of(out: Path) -> list[dict[str, Any]]:
    """A line of the index for each result, in a fixed order; one that cannot be read says so."""
    found = [path for depth in DEPTHS for path in sorted(out.glob(f"{depth}/result.json"))]
    rows = [_row(path, out) for path in found if not path.relative_to(out).parts[0].startswith(".")]
    return sorted(rows, key=lambda row: (row.get("origin") == "simulated", row["key"]))


def _row(path: Path, out: Path) -> dict[str, Any]:
    place = path.parent.relative_to(out)
    link = quote(f"{place.as_posix()}/report.html")
    study, question, *by = place.parts
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        told = _told(result, link)
        label = by[-1] if len(by) > bool(told["by"]) else ""  # what only its parameters tell apart
        return {**told, "label": unquote(label), "since": since(path.parent, result)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"result.json cannot be read: {type(error).__name__}. Run this report again."
        title = {"title": question.replace("_", " "), "key": (study, question, "".join(by)), "link": link}
        return {**title, "by": unquote("".join(by[:1])), "asked": "", "unread": reason, "word": "", "family": ""}


def _told(result: Mapping[str, Any], link: str) -> dict[str, Any]:
    """The words and the picture of one line."""
    effect, verdict = result["effect"], result["verdict"]
    scale, unit = wording.scale(effect["unit"])
    value, limits, drawn = "not shown", "", ""
    margin = scale * (result.get("smallest_effect") or 0)
    if None not in (effect["estimate"], effect["low"], effect["high"]):  # null is a number that disclosure hides
        estimate, low, high = (scale * effect[key] for key in ("estimate", "low", "high"))
        value, limits = wording.estimate(estimate, low, high, sign=True)
        drawn = figures.mini(estimate, low, high, margin, bare=True)
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
        "matters": f"{wording.typed(margin)} {wording.units(unit, wording.typed(margin))}" if margin else "",
        "contrast": effect.get("contrast") or "",
        "good": result.get("good") or "",
        "n": wording.count(effect["n"]) if isinstance(effect.get("n"), int) else "",
        "clusters": wording.count(clusters) if isinstance(clusters, int) else "",
        "drawn": drawn,
        "plan": _plan(result.get("plan")),
        "data": _data(result.get("data")),
        "about": str(result.get("study_description") or ""),
        "made": str((result.get("provenance") or {}).get("started") or "")[:10],
        "rivals": [{part: str(one[part]) for part in ("what", "word", "by")} for one in result.get("rivals") or ()],
        "planted": _planted(result.get("planted")),
        "exact": {**{name: effect.get(name) for name in EXACT}, **{name: result.get(name) for name in ASKED}},
    }


def _plan(told: Mapping[str, Any] | None) -> dict[str, Any]:
    """How the question stands to the locked plan: in words, since when, the hash to hold it to, what has changed."""
    plan = {name: str((told or {}).get(name) or "") for name in ("words", "locked", "sha256")}
    return {**plan, "changes": [str(one) for one in (told or {}).get("changes") or ()]}


def _data(told: Mapping[str, Any] | None) -> dict[str, str]:
    """Who arrived and who is in the answer, as far as the disclosure profile lets the result say so."""
    data = told or {}
    counts = {
        name: wording.count(data[name]) if isinstance(data.get(name), int) else str(data.get(name) or "")
        for name in ("rows", "used")
    }
    more = {name: str(data.get(name) or "") for name in ("fingerprint", "profile", "disclosure")}
    return {**counts, **more}


def _planted(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The truth of a simulated study, as its answer carries it."""
    if not told:
        return None
    return {"truth": float(told["truth"]), **{name: str(told[name]) for name in ("unit", "deserves", "how")}}


def _short(marks: Iterable[str], design: object) -> list[str]:
    """Each mark up to its colon; the design is told already."""
    return [short for mark in marks if (short := str(mark).partition(":")[0]) != design]


def entries(out: Path) -> list[dict[str, Any]]:
    """What the last run said of each report."""
    try:
        run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return list(run.get("reports", []) if isinstance(run, dict) else run)


def key_of(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(entry.get(part) or "") for part in ("study", "question", "by"))


def stopped(out: Path) -> list[dict[str, Any]]:
    """The reports of the last run that were not made, each with its reason."""
    return [_stop(entry, out) for entry in entries(out) if entry.get("status") not in ("ok", "unchanged")]


def _stop(entry: Mapping[str, Any], out: Path) -> dict[str, Any]:
    names = key_of(entry)
    page = str(entry.get("page") or "")
    earlier = read(place(out, *names) / PREVIOUS).get("verdict")
    return {
        "key": names,
        "by": names[2].replace("=", " = ", 1),
        "title": entry.get("title") or " / ".join(name for name in names if name),
        "status": entry.get("status") or "stopped",
        "reason": entry.get("reason") or "no reason was recorded",
        "claim": str(entry.get("claim") or ""),
        "asked": str(entry.get("asked") or ""),
        "link": quote(page) if page and (out / page).exists() else "",
        "before": str(earlier.get("word") or "") if isinstance(earlier, dict) else "",
    }
