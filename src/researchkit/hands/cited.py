"""How to cite an answer and the toolkit, for a page that does not say it itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


def bibtex(title: str, result: Mapping[str, Any]) -> str:
    """Two entries: the answer, whose author only its author can name, and the toolkit."""
    made, name = result.get("provenance", {}), "-".join(str(result.get(part) or "") for part in ("study", "question"))
    answer = {
        "author": "{AUTHOR: who asked}",
        "title": "{" + _tex(title) + "}",
        "year": str(made.get("started") or "")[:4],
        "note": _tex(f"Answer to a question of the study “{result.get('study_title') or result.get('study') or ''}”"),
    }
    toolkit = {
        "author": "{The researchkit authors}",
        "title": "{researchkit}",
        "version": _tex(str(made.get("researchkit") or "")),
    }
    return f"{_entry('misc', name.strip('-') or 'answer', answer)}\n\n{_entry('software', 'researchkit', toolkit)}\n"


def _entry(kind: str, name: str, fields: Mapping[str, str]) -> str:
    lines = [f"  {field} = {{{value}}}," for field, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{re.sub(r'[^A-Za-z0-9]+', '-', name)},", *lines, "}"])


def _tex(text: str) -> str:
    """Text that TeX prints as it stands."""
    marks = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(marks.get(one, f"\\{one}" if one in "&%$#_{}" else one) for one in " ".join(text.split()))
