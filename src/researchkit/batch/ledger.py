"""`run.json`: what became of each report, in this run or in the last one that made it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from researchkit.places import alone, put
from researchkit.report import Report


def record(reports: Sequence[Report], out: Path) -> Path:
    """Add these reports to what earlier runs, or others at the same time, have recorded."""
    told = [
        {**asdict(report), "folder": str(report.folder.relative_to(out)), "page": str(report.page.relative_to(out))}
        for report in reports
    ]
    made = {entry["page"] for entry in told}
    path = out / "run.json"
    with alone(out, "run.json"):
        old = [entry for entry in recorded(out) if entry["page"] not in made and (out / entry["page"]).exists()]
        put(path, json.dumps({"schema": 1, "reports": old + told}, indent=1, ensure_ascii=False), out)
    return path


def recorded(out: Path) -> list[dict[str, Any]]:
    """What earlier runs said of their reports; nothing where there was none or it cannot be read."""
    try:
        return [entry for entry in json.loads((out / "run.json").read_text("utf-8"))["reports"] if "page" in entry]
    except (OSError, ValueError, KeyError, TypeError):
        return []
