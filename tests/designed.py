"""What the tests of detection, trade-offs and recoveries share: a sample from arrays, and a question with its design."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from researchkit.estimators.effect import Count
from researchkit.parts import Question
from researchkit.sample import Sample


def sample(outcome, exposure, covariates=None, more=None, groups=None, **given) -> Sample:
    """The arrays of a question; `covariates` maps names to columns, `more` what the design reads."""
    covariates = covariates or {}
    outcome = np.asarray(outcome, dtype=float)
    values: dict[str, Any] = dict.fromkeys(field.name for field in fields(Sample))
    values |= {"levels": (), "level_values": (), "level_codes": (), "flow": (), "rows": len(outcome)}
    values |= {"outcome": outcome, "exposure": np.asarray(exposure, dtype=float), "people": len(outcome)}
    columns = [np.asarray(column, dtype=float) for column in covariates.values()]
    values |= {"covariates": np.column_stack(columns) if columns else np.empty((len(outcome), 0))}
    values |= {"names": tuple(covariates), "groups": groups or tuple(covariates), "quiet": False}
    values |= {
        "binary_exposure": set(np.unique(exposure)) <= {0, 1},
        "exposure_name": "care",
        "contrast": "care +1 point",
    }
    values |= {"more": {name: np.asarray(column) for name, column in (more or {}).items()}}
    if given.get("cluster") is not None:
        given.setdefault("cluster_name", "agent")
    return Sample(**(values | given))


def question(kind="score", outcome=None, exposure="care", **told) -> Question:
    basics = {"id": "q", "title": "Does it?", "claim": "LOY-1", "exposure": exposure, "smallest_effect": 0.1}
    return Question.model_validate(basics | {"outcome": {"column": "score", "kind": kind} | (outcome or {})} | told)


def counts(notes):
    """Those that say that they are counts, which a profile that protects small counts leaves out."""
    return [note for note in notes if isinstance(note, Count)]
