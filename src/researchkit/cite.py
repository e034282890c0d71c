"""How to cite one answer and the toolkit that made it: entries for a list of references, written from the result.

Nothing is claimed that the result does not hold: who asked the question has to be put in by the author.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

AUTHORS = "{The researchkit authors}"  # as in CITATION.cff
_TEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def bibtex(result: Mapping[str, Any]) -> str:
    """BibTeX of the answer, of published data behind it, and of the toolkit.

    Parameters
    ----------
    result
        An answer as `result.json` holds it.

    Returns
    -------
    str
        Entries apart by an empty line; "" for a result that names no question. Text from the data is escaped for TeX.
    """
    if not (result.get("study") and result.get("question")):
        return ""
    found = [_answer(result), _data(result), _toolkit(result)]
    return "\n\n".join(entry for entry in found if entry) + "\n"


def _answer(result: Mapping[str, Any]) -> str:
    study, by = str(result.get("study_title") or result["study"]), str(result.get("by") or "")
    made = result.get("provenance", {})
    about = [
        f"Answer to a question of the study “{study}”" + (f", {by.replace('=', ' = ', 1)}" if by else ""),
        f"claim {result['claim']}" if result.get("claim") else "",
        str(result.get("plan", {}).get("words") or ""),
        f"data {result['data']['fingerprint']}" if result.get("data", {}).get("fingerprint") else "",
        "simulated data" if result.get("simulated") else "",
    ]
    fields = {
        "author": "{AUTHOR: who asked}",
        "title": "{" + tex(str(result.get("title") or result["question"])) + "}",
        "year": str(made.get("started") or "")[:4],
        "note": tex("; ".join(part for part in about if part)),
    }
    return entry("misc", key(str(result["study"]), str(result["question"]), by), fields)


def _data(result: Mapping[str, Any]) -> str:
    """The published data set, as its study file cites it."""
    source = result.get("source") or {}
    if not source.get("citation"):
        return ""
    fields = {
        "note": tex(str(source["citation"])),
        "howpublished": tex(str(source.get("page") or "")),
        "annote": tex(f"Licence: {source['licence']}") if source.get("licence") else "",
    }
    return entry("misc", key(str(result["study"]), "data"), fields)


def _toolkit(result: Mapping[str, Any]) -> str:
    version = str(result.get("provenance", {}).get("researchkit") or "")
    fields = {"author": AUTHORS, "title": "{researchkit}", "version": tex(version), "note": "Software, MIT licence"}
    return entry("software", key("researchkit", version), fields)


def entry(kind: str, name: str, fields: Mapping[str, str]) -> str:
    """One entry; fields that are empty are left out."""
    lines = [f"  {field} = {{{value}}}," for field, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{name},", *lines, "}"])


def key(*parts: str) -> str:
    """A citation key: letters, digits and hyphens."""
    return re.sub(r"[^A-Za-z0-9]+", "-", "-".join(part for part in parts if part)).strip("-") or "answer"


def tex(text: str) -> str:
    """Text that TeX prints as it stands; line breaks become spaces."""
    return "".join(_TEX.get(sign, sign) for sign in " ".join(text.split()))
