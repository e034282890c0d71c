"""What was planted in a study that is simulated, from the `truth.yml` beside its file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from researchkit.study import Study

TRUTH = "truth.yml"


def planted(study: Study, question: str) -> dict[str, Any] | None:
    """The truth of one question (a number, in `unit`), what it `deserves`, and `how` it came about.

    None where the study is not simulated, or where no truth that can be read lies beside it.
    """
    told = truths_beside(study.folder).get(question) if study.simulated else None
    if not isinstance(told, dict) or not _finite(told.get("truth")):
        return None
    words = {name: str(told.get(name, "")) for name in ("unit", "deserves", "how")}
    return {"truth": float(told["truth"]), **words}


def truths_beside(folder: Path) -> dict[str, Any]:
    """All that stands in a folder's truth.yml; nothing where it cannot be read."""
    try:
        told = yaml.safe_load((folder / TRUTH).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return told if isinstance(told, dict) else {}


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
