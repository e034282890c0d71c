"""What made a page, and the command that makes it again: read from the result."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from researchkit import wording


def rule(data: Mapping[str, Any]) -> str:
    """The disclosure profile with its version, and how its counts are rounded; "" where nothing is hidden."""
    name = str(data.get("disclosure") or "none")
    step = data.get("rounded_to") or 1
    told = str(data.get("profile") or name) + (f", counts to the nearest {wording.count(step)}" if step > 1 else "")
    return "" if name == "none" else told


def provenance(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What made this page, as pairs of a term and its description."""
    made, data = result.get("provenance", {}), result.get("data", {})
    packages = ", ".join(f"{name} {version}" for name, version in made.get("packages", {}).items())
    seconds = made.get("seconds")
    pairs = [
        ("Study", " / ".join(str(result[key]) for key in ("study", "question", "by") if result.get(key))),
        (
            "Study file",
            made.get("study_sha256") and f"sha256:{made['study_sha256']}".replace("sha256:sha256:", "sha256:"),
        ),
        ("Data", data.get("fingerprint")),
        ("Rows", _rows(data)),
        ("Notebook", made.get("notebook")),
        ("researchkit", made.get("researchkit")),
        ("Python", made.get("python")),
        ("Packages", packages),
        ("Parameters", json.dumps(made["parameters"], ensure_ascii=False) if made.get("parameters") else ""),
        ("Started", made.get("started")),
        ("Took", None if seconds is None else f"{wording.number(seconds)} seconds"),
    ]
    return [(term, str(told)) for term, told in pairs if told]


def _rows(data: Mapping[str, Any]) -> str:
    used, rows = (wording.count(n) if isinstance(n, int) else n for n in (data.get("used"), data.get("rows")))
    return f"{used} used of {rows} that arrived" if used and rows else ""


def command(result: Mapping[str, Any]) -> str:
    """The command that makes this page again."""
    if not (result.get("study") and result.get("question")):
        return ""
    given = result.get("provenance", {}).get("parameters", {}).get("study")
    words = ["researchkit", "run", str(given or f"data/{result['study']}"), "--question", str(result["question"])]
    if by := result.get("by"):
        words += ["--by", str(by).partition("=")[0]]
    disclosure = result.get("data", {}).get("disclosure")
    words += ["--disclosure", str(disclosure)] if disclosure else []
    return shlex.join(words)
