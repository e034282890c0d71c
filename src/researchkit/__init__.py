"""Does compassionate handling go with loyalty, recovery and burnout?

A study file says what was asked before anyone looked; researchkit reads the data, estimates the effect, attacks its
own answer and gives a verdict in plain words:

    import researchkit as rk

    answer = rk.answer_question("data/contact_centre", "retention")
    print(answer.verdict.sentence)

The names below load on first use: `import researchkit` by itself loads no heavy library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from researchkit.answer import Answer, answer_question
    from researchkit.dataset import Dataset, load_dataset
    from researchkit.estimators import Effect, estimate
    from researchkit.parts import Question
    from researchkit.report import write_report
    from researchkit.study import Study, load_study
    from researchkit.verdict import Verdict, judge

    from . import (
        account,
        accuracy,
        checklist,
        cite,
        claims,
        evidence,
        feedback,
        figures,
        frontier,
        learn,
        mechanism,
        methods,
        peers,
        power,
        review,
        rules,
        scales,
        simulate,
        site,
        soundness,
        stages,
        story,
        subgroups,
        tables,
        talk,
        trouble,
    )

__all__ = [
    "Answer",
    "Dataset",
    "Effect",
    "Question",
    "Study",
    "Verdict",
    "__version__",
    "account",
    "accuracy",
    "answer_question",
    "checklist",
    "cite",
    "claims",
    "estimate",
    "evidence",
    "feedback",
    "figures",
    "frontier",
    "judge",
    "learn",
    "load_dataset",
    "load_study",
    "mechanism",
    "methods",
    "peers",
    "power",
    "review",
    "rules",
    "scales",
    "simulate",
    "site",
    "soundness",
    "stages",
    "story",
    "subgroups",
    "tables",
    "talk",
    "trouble",
    "write_report",
]

_ROOM_OF = {
    "Answer": "answer",
    "answer_question": "answer",
    "Dataset": "dataset",
    "load_dataset": "dataset",
    "Effect": "estimators",
    "estimate": "estimators",
    "Question": "parts",
    "Study": "study",
    "load_study": "study",
    "Verdict": "verdict",
    "judge": "verdict",
    "write_report": "report",
}
_ROOMS = {
    "account",
    "accuracy",
    "checklist",
    "cite",
    "claims",
    "evidence",
    "feedback",
    "figures",
    "frontier",
    "learn",
    "mechanism",
    "methods",
    "peers",
    "power",
    "review",
    "rules",
    "scales",
    "simulate",
    "site",
    "soundness",
    "stages",
    "story",
    "subgroups",
    "tables",
    "talk",
    "trouble",
}


def __getattr__(name: str) -> Any:
    """Load a public name on its first use (PEP 562)."""
    if name == "__version__":
        return _version()
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    if name in _ROOM_OF:
        found = getattr(import_module(f".{_ROOM_OF[name]}", __name__), name)
        globals()[name] = found
        return found
    raise AttributeError(f"researchkit has no name {name!r}; it has {', '.join(__all__)}.")


def __dir__() -> list[str]:
    """The public names, loaded or not: what the Tab key offers."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("researchkit")
    except PackageNotFoundError:  # run from a checkout that was never installed
        return "unknown"
