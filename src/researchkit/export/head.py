"""What a page says of its answer around the notebook's cells: question, verdict, provenance, how to run it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from researchkit import cite, tables, wording
from researchkit.claims import briefly
from researchkit.tables import data_link

TEMPLATES = Path(__file__).parents[1] / "templates"
CHIPS = {"supported": "good", "contradicted": "against", "too small to matter": "small", "cannot tell": "open"}


def page_view(
    result: Mapping[str, Any], *, title: str, contents: list[tuple[str, str]], leads: bool = True
) -> dict[str, Any]:
    """Everything the template prints, in words; nothing in it is HTML but the style.

    With `leads` the page begins with the verdict, where the result has one.
    """
    verdict, cited = result.get("verdict") if leads else None, cite.bibtex(result)
    facts = [
        "" if leads else str(result.get("title") or ""),
        str(result.get("family") or "").capitalize(),
        f"claim {result['claim']}" if result.get("claim") else "",
        str(result.get("plan", {}).get("words", "")),
        str(result.get("design") or "").replace("rollout", "roll-out"),
        str(result.get("by") or "").replace("=", " = ", 1),
    ]
    return {
        "title": title,
        "claim": briefly(str(result.get("claim") or "")),
        "folder": f"{quote(str(result.get('study') or ''))}/",
        "study": result.get("study_title") or result.get("study") or "",
        "made": str(result.get("provenance", {}).get("started", ""))[:10],
        "simulated": bool(result.get("simulated")),
        "eyebrow": " · ".join(fact for fact in facts if fact),
        "verdict": verdict and {**verdict, **_told(verdict)},
        "contents": contents if verdict else contents[1:],
        "provenance": provenance(result),
        "again": command(result),
        "cited": cited,
        "bib": data_link("application/x-bibtex", cited.encode()),
        "file": tables.slug("-".join(str(result.get(name) or "") for name in ("study", "question", "by"))),
        "disclosure": _rule(result.get("data", {})),
        "style": style(),
    }


def _told(verdict: Mapping[str, Any]) -> dict[str, str]:
    """How the word of a verdict looks, and its sentence with the limits of its interval in one line."""
    return {"chip": CHIPS.get(verdict["word"], "open"), "sentence": wording.unbroken(verdict["sentence"])}


def _rule(data: Mapping[str, Any]) -> str:
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


@cache
def style() -> str:
    """The style sheet that every page carries inside it."""
    return (TEMPLATES / "style.css").read_text(encoding="utf-8")
