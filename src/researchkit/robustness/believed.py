"""The adjustment against the arrows that the study itself believes in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from researchkit.causes import audit
from researchkit.errors import some
from researchkit.robustness.check import Check

if TYPE_CHECKING:
    from researchkit.dataset import Dataset
    from researchkit.parts import Question


def believed_causes(dataset: Dataset, question: Question) -> Check:
    """What the arrows under `causes:` say of the adjustment; each fault is a mark on the verdict."""
    name, made = "believed causes", dataset.fingerprint
    held = (*question.adjust, *(question.special.held if question.special else ()))
    found = audit(dataset.study, question.model_copy(update={"adjust": held}))
    if found.reason:
        return Check(name, made, reason=found.reason)
    words = "; ".join(found.faults) or "The adjustment is one that the study's own arrows allow."
    facts = {"faults": list(found.faults), "enough": None if found.enough is None else list(found.enough)}
    if found.enough is not None:
        enough = some([dataset.study.label(column) for column in found.enough])
        words = f"{words.rstrip('.')}. By them, {enough or 'no adjustment'} would do."
    mark = f"adjustment: {found.faults[0]}" if found.faults else ""
    return Check(name, made, {**facts, "words": words}, mark=mark)
